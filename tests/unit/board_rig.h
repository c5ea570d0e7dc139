/* SPDX-License-Identifier: MIT */
/* Boards and their trees, compared and edited. */
#ifndef SIPI_TESTS_BOARD_RIG_H
#define SIPI_TESTS_BOARD_RIG_H

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "boot/board.h"
#include "test.h"

#define TREE_ROOM 0x4000

static inline void expect_same_board(const struct board *a, const struct board *b)
{
	assert_int_equal(a->ncpus, b->ncpus);
	for (unsigned i = 0; i < a->ncpus; i++) {
		assert_int_equal(a->cpus[i].apic_id, b->cpus[i].apic_id);
		assert_int_equal(a->cpus[i].enabled, b->cpus[i].enabled);
	}
	assert_int_equal(a->mem, b->mem);
	assert_string_equal(a->bootargs, b->bootargs);
	assert_int_equal(a->serial_port, b->serial_port);
	if (a->serial_port)
		assert_int_equal(a->serial_irq, b->serial_irq);
	assert_int_equal(a->rtc_port, b->rtc_port);
	if (a->rtc_port)
		assert_int_equal(a->rtc_irq, b->rtc_irq);
	assert_int_equal(a->kbc_port, b->kbc_port);
	assert_int_equal(a->debug_exit_port, b->debug_exit_port);
	assert_int_equal(a->post_port, b->post_port);
	assert_int_equal(a->test_port, b->test_port);
	assert_int_equal(a->hotplug_port, b->hotplug_port);
	if (a->hotplug_port)
		assert_int_equal(a->hotplug_irq, b->hotplug_irq);
}

static inline void expect_round_trip(const struct board *b)
{
	struct board back;
	struct error err;
	void *blob;
	size_t len;

	if (board_to_fdt(b, &blob, &len, &err) || board_from_fdt(&back, blob, len, &err))
		fail_msg("%s", err.text);
	expect_same_board(b, &back);
	board_free(&back);
	free(blob);
}

/* The default board with that many CPUs instead of its one. */
static inline void many_cpus(struct board *b, unsigned count)
{
	board_default(b);
	free(b->cpus);
	b->ncpus = count;
	b->cpus = calloc(count, sizeof(*b->cpus));
	assert_non_null(b->cpus);
	for (unsigned i = 0; i < count; i++)
		b->cpus[i] = (struct board_cpu){i, true};
}

/* The default board with a second, disabled CPU. */
static inline void two_cpus(struct board *b)
{
	many_cpus(b, 2);
	b->cpus[1].enabled = false;
}

/* Its tree, with room to edit it; to be freed. */
static inline void *editable_tree(void)
{
	void *blob, *fdt = malloc(TREE_ROOM);
	struct error err;
	struct board b;
	size_t len;

	two_cpus(&b);
	assert_non_null(fdt);
	assert_int_equal(board_to_fdt(&b, &blob, &len, &err), 0);
	assert_int_equal(fdt_open_into(blob, fdt, TREE_ROOM), 0);
	free(blob);
	board_free(&b);
	return fdt;
}

static inline int node_at(const void *fdt, const char *path)
{
	int node = fdt_path_offset(fdt, path);

	if (node < 0)
		fail_msg("%s: %s", path, fdt_strerror(node));
	return node;
}

static inline void set_cells(void *fdt, const char *path, const char *prop, const uint32_t *cells,
			     unsigned count)
{
	fdt32_t be[16];

	for (unsigned i = 0; i < count; i++)
		be[i] = cpu_to_fdt32(cells[i]);
	assert_int_equal(fdt_setprop(fdt, node_at(fdt, path), prop, be, (int)(count * sizeof(*be))),
			 0);
}

static inline void set_string(void *fdt, const char *path, const char *prop, const char *value)
{
	assert_int_equal(fdt_setprop_string(fdt, node_at(fdt, path), prop, value), 0);
}

static inline void expect_tree_refused(const void *fdt, const char *text)
{
	struct error err;
	struct board b;

	if (!board_from_fdt(&b, fdt, fdt_totalsize(fdt), &err))
		fail_msg("not refused; expected \"%s\"", text);
	assert_int_equal(err.code, EXIT_SETUP);
	assert_null(strchr(err.text, '\n'));
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
	assert_null(b.cpus);
	assert_null(b.bootargs);
}

static inline void expect_board_refused(const struct board *b, const char *text)
{
	struct error err;
	void *blob;
	size_t len;

	if (!board_to_fdt(b, &blob, &len, &err))
		fail_msg("not refused; expected \"%s\"", text);
	assert_int_equal(err.code, EXIT_SETUP);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

#endif

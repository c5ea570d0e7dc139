/* SPDX-License-Identifier: MIT */
/* A machine of two CPUs on the real /dev/kvm that never runs, for the tests of the reset table. */
#ifndef SIPI_TESTS_STATE_RIG_H
#define SIPI_TESTS_STATE_RIG_H

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/handoff.h"
#include "machine/internal.h"

extern const uint8_t firmware_rom[];

struct rig {
	struct board board;
	void *fdt;
	struct machine *m;
};

static struct rig rig;

/* The second CPU with an ID that xAPIC mode has no room for. False: this host lacks the mode. */
static inline bool make(enum irqchip_mode mode, const char *without)
{
	struct machine_config cfg = {
		.irqchip = mode,
		.rom = firmware_rom,
		.rom_len = FIRMWARE_SIZE,
		.own_firmware = true,
		.console = CONSOLE_NULL,
		.without = without,
	};
	struct error err;

	memset(&rig, 0, sizeof(rig));
	board_default(&rig.board);
	free(rig.board.cpus);
	rig.board.ncpus = 2;
	rig.board.cpus = calloc(2, sizeof(*rig.board.cpus));
	rig.board.cpus[0] = (struct board_cpu){0, true};
	rig.board.cpus[1] = (struct board_cpu){300, true};
	assert_int_equal(board_to_fdt(&rig.board, &rig.fdt, &cfg.fdt_len, &err), 0);
	cfg.fdt = rig.fdt;
	cfg.board = &rig.board;
	if (machine_create(&rig.m, &cfg, &err) == 0)
		return true;
	printf("# skipped: %s\n", err.text);
	assert_int_equal(err.code, EXIT_SKIP);
	return false;
}

static inline void unmake(void)
{
	if (rig.m)
		machine_destroy(rig.m);
	board_free(&rig.board);
	free(rig.fdt);
	memset(&rig, 0, sizeof(rig));
}

static inline int teardown(void **state)
{
	(void)state;
	if (rig.fdt)
		unmake();
	return 0;
}

#define T(f) cmocka_unit_test_teardown(f, teardown)

#endif

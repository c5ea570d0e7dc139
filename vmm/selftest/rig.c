// SPDX-License-Identifier: MIT
#include "selftest/rig.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define ROM_SIZE 4096

static int make_board(struct rig *r, struct error *err)
{
	static const uint32_t ids[RIG_CPUS] = {0, 1, 300};
	struct board_cpu *cpus = calloc(RIG_CPUS, sizeof(*cpus));

	board_default(&r->board);
	if (!cpus)
		return error_set(err, EXIT_SETUP, "out of memory");
	for (unsigned i = 0; i < RIG_CPUS; i++)
		cpus[i] = (struct board_cpu){ids[i], true};
	free(r->board.cpus);
	r->board.cpus = cpus;
	r->board.ncpus = RIG_CPUS;
	return board_to_fdt(&r->board, &r->fdt, &r->fdt_len, err);
}

int rig_open(struct rig *r, enum irqchip_mode mode, bool raw, const char *without,
	     struct error *err)
{
	static const uint8_t rom[ROM_SIZE]; /* nothing executes it */
	/* So that there is something that holds messages back; none of that kind is sent. */
	static const char *const inject[] = {"delay init nth=all by=1000s"};
	struct machine_config cfg = {
		.irqchip = mode,
		.board = &r->board,
		.rom = rom,
		.rom_len = sizeof(rom),
		.console = CONSOLE_NULL,
		.raw_cpus = raw,
		.without = without,
		.inject = inject,
		.ninject = mode == IRQCHIP_USER,
	};
	sigset_t mask;
	int ret;

	memset(r, 0, sizeof(*r));
	if (make_board(r, err) < 0) {
		rig_close(r);
		return -1;
	}
	cfg.fdt = r->fdt;
	cfg.fdt_len = r->fdt_len;
	/* A machine takes signals for itself; nobody would look at them. */
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	ret = machine_create(&r->m, &cfg, err);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (ret < 0)
		rig_close(r);
	return ret;
}

void rig_close(struct rig *r)
{
	if (r->m)
		machine_destroy(r->m);
	board_free(&r->board);
	free(r->fdt);
	memset(r, 0, sizeof(*r));
}

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_MACHINE_H
#define SIPI_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "boot/board.h"
#include "boot/image.h"
#include "io/console.h"
#include "io/console_watch.h"
#include "util/error.h"

/* One machine: memory, CPUs, interrupt controllers and devices, from a board to an outcome. */

/* The last one is no machine's: a scenario's bare VM without local APICs. */
enum irqchip_mode {
	IRQCHIP_SPLIT,
	IRQCHIP_KERNEL,
	IRQCHIP_USER,
	IRQCHIP_MODES,
	IRQCHIP_NONE = IRQCHIP_MODES
};

const char *irqchip_mode_name(enum irqchip_mode mode);
int irqchip_mode_parse(const char *s); /* -1: no such mode */

struct machine_config {
	enum irqchip_mode irqchip;
	const struct board *board;
	const void *fdt; /* the blob the guest gets */
	size_t fdt_len;
	const struct image *image; /* NULL: the ROM is on its own */
	const uint8_t *rom;	   /* ends at 4 GiB; a multiple of 4 KiB, at most 16 MiB */
	size_t rom_len;
	bool own_firmware; /* the ROM has a hand-off block (firmware/handoff.h) */
	bool strict;
	bool reset_on_triple_fault;
	bool limit_reboots;
	uint64_t reboots; /* if so: how many resets there may be; one more ends the run */
	bool keep_ram;	  /* a warm reset (soft, kbc, triple-fault) does not load the image again */
	const char *control_path; /* a socket for machine/control.h; NULL: none */
	/* For the selftest: no power-on reset of vCPUs, they are as KVM makes them. */
	bool raw_cpus;
	/* For the selftest: the row of this name is left out of the reset table. NULL: none. */
	const char *without;
	const char *trace_path; /* NULL: no trace */
	enum console_kind console;
	const char *console_path;
	struct console_watch *watch; /* NULL: none; fed until the end of the run */
	uint64_t timeout_ns;	     /* 0: none */
	const char *const *inject;   /* rules (machine/inject.h); irqchip mode user only */
	unsigned ninject;
};

/* How a run ended; the first reason wins. */
enum outcome_kind {
	OUTCOME_NONE,
	OUTCOME_GUEST_EXIT,   /* code: the guest's */
	OUTCOME_TRIPLE_FAULT, /* cpu */
	OUTCOME_STRICT,	      /* cpu touched an address nobody claims */
	OUTCOME_TIMEOUT,
	OUTCOME_KVM,	 /* cpu: KVM_RUN or an ioctl failed; text says how */
	OUTCOME_QUIT,	 /* the user typed Ctrl-A x, or a control client said quit */
	OUTCOME_SIGNAL,	 /* code: the signal */
	OUTCOME_CONSOLE, /* its output failed, or watching it did */
	OUTCOME_RESET,	 /* code: enum reset_kind; one more than `reboots` allows */
	OUTCOME_EXPECT,	 /* the console showed all that was expected */
	OUTCOME_FAIL,	 /* it showed what must not come */
};

struct outcome {
	enum outcome_kind kind;
	unsigned code;
	unsigned cpu; /* index, not APIC ID */
	char text[256];
	char unmet[WATCH_SAY_MAX]; /* the expectation that was not met, or "" */
};

struct machine;

int machine_create(struct machine **m, const struct machine_config *cfg, struct error *err);
/* Starts the CPUs and serves them until the end; call once. */
const struct outcome *machine_run(struct machine *m);
/* What there is to say about the outcome beyond one line: registers, last exits, where CPUs are. */
void machine_report(struct machine *m);
void machine_destroy(struct machine *m);

/* Facts for the closing line. */
struct machine_stats {
	uint64_t unclaimed, console_lost, resets;
};
void machine_stats(const struct machine *m, struct machine_stats *s);
/* What is not as it could be on this host, a line each. */
void machine_warnings(const struct machine *m, FILE *f);

#endif

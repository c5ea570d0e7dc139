/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SELFTEST_SELFTEST_H
#define SIPI_SELFTEST_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/machine.h"
#include "util/error.h"

/*
 * Whether RESET and INIT leave what the manuals say, and leave nothing else. No guest runs: machines are made, their
 * CPUs and devices filled with what a guest could have left there, reset, and read back.
 */
#define SELFTEST_ENOUGH_ROUNDS 50 /* after which every field should have been something else */

struct selftest_config {
	enum irqchip_mode mode;
	uint64_t rounds, seed;
	const char *without; /* a row that resets leave out, which must not go unseen; NULL: none */
};

struct selftest_result {
	uint64_t checked;	/* values held against the manual */
	uint64_t deviations;	/* of those, the unexplained ones */
	uint64_t known;		/* the ones of KVM's that are explained */
	uint64_t rounds;	/* of the property test */
	uint64_t differences;	/* it has found */
	unsigned exercised;	/* fields that were ever something else than after power-on */
	unsigned not_exercised; /* those that never were, and should */
};

/* A line on stdout for each deviation and difference. -1: the test could not run. */
int selftest_reset(const struct selftest_config *cfg, struct selftest_result *r, struct error *err);

/* Is there a row of this name in the tables of machine/state.h? */
bool selftest_has_row(const char *name);
/* "NAME<tab>here", "absent" or "keep", a line for each row, as this mode has it. -1: it could not be found out. */
int selftest_list(enum irqchip_mode mode, struct error *err);

#endif

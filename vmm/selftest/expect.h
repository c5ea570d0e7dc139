/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SELFTEST_EXPECT_H
#define SIPI_SELFTEST_EXPECT_H

#include "selftest/fields.h"

/*
 * What the manuals say a CPU holds. It stands apart from the table that performs resets (machine/state.h), so
 * that a wrong value has to be wrong twice.
 */
enum situation {
	CREATED,  /* by KVM_CREATE_VCPU and KVM_SET_CPUID2 alone */
	POWER_ON, /* by sipi */
	RESET,	  /* by sipi, of a CPU that was used */
	INIT,	  /* by KVM, or by sipi in irqchip mode user */
	SITUATIONS,
};

struct subject {
	const struct vcpu *v;
	enum situation situation;
	enum reset_kind kind;
	const struct cpu_image *before, *now; /* before: RESET and INIT only */
};

struct expectation {
	bool any;	      /* nothing is said of it */
	uint64_t value, also; /* either of them */
	const char *section;
};

/* False: no row of the tables is about this field, so that the test is incomplete. */
bool expect(const struct schema *sc, unsigned field, const struct subject *s,
	    struct expectation *e);

/* A deviation that is not ours to mend, and has a reason. */
struct known {
	const char *id;
	unsigned modes, situations; /* a bit for each */
	const char *field;	    /* its whole name */
	enum known_seen {
		SEEN_VALUE, /* `value` */
		SEEN_KEPT,  /* what was there before */
		SEEN_CLOCK, /* the host's TSC, because that of a vCPU cannot be set */
	} seen;
	uint64_t value;
	const char *why;
};

/* NULL: it is nobody's excuse. tsc: that of a vCPU can be set on this host. */
const struct known *known_deviation(const char *field, const struct subject *s, uint64_t seen,
				    uint64_t before, bool tsc);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SELFTEST_GARBAGE_H
#define SIPI_SELFTEST_GARBAGE_H

#include "selftest/fields.h"

/* State that a guest could have left, at random. What is legal on this host is tried beforehand. */
/* Components of XSAVE, up to PKRU: none of them has reserved bits. */
#define COMPONENTS 10
#define MSR_VALUES 8

struct legal {
	uint64_t cr4, efer;
	uint64_t xcr0; /* that the CPU has */
	struct {
		uint32_t offset, size;
	} component[COMPONENTS];
	/* By its place in the list: values that KVM took and gave back; none is that of power-on. */
	struct {
		unsigned n;
		uint64_t value[MSR_VALUES];
	} msr[STATE_MSRS];
	bool tsc; /* can be set */
	bool smm;
	bool triple_fault; /* KVM shows one that is pending */
};

/* fresh: the state of v at power-on, in which it is left. */
void legal_learn(struct legal *l, struct vcpu *v, const struct cpu_state *fresh);

/*
 * A state for v, which is at power-on state `fresh`. Anything is in it but what messages do: see
 * garbage_in_flight().
 */
void garbage_state(const struct legal *l, struct rng *rng, const struct vcpu *v,
		   const struct cpu_state *fresh, struct cpu_state *s);
/* Puts it into the CPU, and into what sipi keeps of it. -errno: a state is refused that is legal. */
int garbage_put(struct rng *rng, struct vcpu *v, const struct cpu_state *s);
/* Interrupts, NMIs, INITs and SIPIs that are on their way when the reset comes. */
void garbage_in_flight(struct rng *rng, struct machine *m);

/* garbage_lapic.c */
void garbage_lapic(struct rng *rng, const struct vcpu *v, struct cpu_state *s);

#endif

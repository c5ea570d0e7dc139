/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SELFTEST_RIG_H
#define SIPI_SELFTEST_RIG_H

#include "machine/internal.h"

/* A machine that is never run: a boot CPU and two APs, one with an APIC ID beyond 8 bits. */
#define RIG_CPUS 3

struct rig {
	struct board board;
	void *fdt;
	size_t fdt_len;
	struct machine *m;
};

/* raw: CPUs as KVM creates them. */
int rig_open(struct rig *r, enum irqchip_mode mode, bool raw, const char *without,
	     struct error *err);
void rig_close(struct rig *r);

/* Pseudo-random numbers that a seed repeats (SplitMix64). */
struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(rng_next(r) >> 32) % n;
}

static inline bool rng_chance(struct rng *r, uint32_t one_in)
{
	return rng_below(r, one_in) == 0;
}

#endif

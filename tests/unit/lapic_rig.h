/* SPDX-License-Identifier: MIT */
/* A local APIC on the bench, for the lapic tests. Comments name sections of SDM vol. 3A's APIC chapter. */
#ifndef SIPI_TESTS_LAPIC_RIG_H
#define SIPI_TESTS_LAPIC_RIG_H

#include <string.h>

#include "test.h"
#include "chips/lapic.h"

enum {
	ID = 0x20,
	VERSION = 0x30,
	TPR = 0x80,
	APR = 0x90,
	PPR = 0xa0,
	EOI = 0xb0,
	RRD = 0xc0,
	LDR = 0xd0,
	DFR = 0xe0,
	SVR = 0xf0,
	ISR = 0x100,
	TMR = 0x180,
	IRR = 0x200,
	ESR = 0x280,
	CMCI = 0x2f0,
	ICR = 0x300,
	ICR2 = 0x310,
	TIMER = 0x320,
	THERMAL = 0x330,
	PMC = 0x340,
	LINT0 = 0x350,
	LINT1 = 0x360,
	ERROR = 0x370,
	INITIAL = 0x380,
	CURRENT = 0x390,
	DIVIDE = 0x3e0,
	SELF_IPI = 0x3f0,
};

#define RIG_ID	 0x123u
#define RIG_BASE (LAPIC_DEFAULT_BASE | LAPIC_BASE_ENABLE)
#define RIG_TSC	 2u /* cycles in a nanosecond */
#define DIVIDE_1 0xbu
#define MASKED	 0x10000u
#define PERIODIC 0x20000u
#define DEADLINE 0x40000u
#define LEVEL	 0x8000u
#define REMOTE	 0x4000u
#define MODE(dm) ((uint32_t)(dm) << 8)

struct rig {
	struct lapic l;
	struct lapic_effects eff;
	struct lapic_time time;
};

static inline uint64_t rig_rd(struct rig *r, unsigned reg)
{
	uint64_t value = 0;

	if (lapic_mode(&r->l) != LAPIC_X2APIC)
		return lapic_mmio_read(&r->l, reg, 4, r->time, &r->eff);
	assert_int_equal(lapic_msr_read(&r->l, 0x800 + reg / 16, r->time, &value), 0);
	return value;
}

static inline void rig_wr(struct rig *r, unsigned reg, uint64_t value)
{
	if (lapic_mode(&r->l) == LAPIC_X2APIC)
		assert_int_equal(lapic_msr_write(&r->l, 0x800 + reg / 16, value, r->time, &r->eff),
				 0);
	else
		lapic_mmio_write(&r->l, reg, 4, (uint32_t)value, r->time, &r->eff);
}

static inline void rig_base(struct rig *r, uint64_t bits)
{
	assert_int_equal(lapic_set_base(&r->l, LAPIC_DEFAULT_BASE | bits, &r->eff), 0);
}

/* As after RESET. */
static inline void rig_init(struct rig *r)
{
	const struct lapic_config cfg = {
		.id = RIG_ID,
		.x2apic = true,
		.deadline = true,
		.phys_bits = 40,
		.tsc_khz = RIG_TSC * 1000000,
	};

	memset(r, 0, sizeof(*r));
	r->time = (struct lapic_time){.ns = 1000000, .tsc = RIG_TSC * 1000000};
	lapic_init(&r->l, &cfg);
}

/* Software-enabled, spurious vector 0xff, in xAPIC mode. */
static inline void rig_on(struct rig *r)
{
	rig_init(r);
	rig_wr(r, SVR, 0x1ff);
}

static inline void rig_on_x2apic(struct rig *r)
{
	rig_init(r);
	rig_base(r, LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);
	rig_wr(r, SVR, 0x1ff);
}

static inline bool rig_receive(struct rig *r, enum apic_delivery delivery, uint8_t vector,
			       bool level)
{
	const struct apic_msg msg = {
		.delivery = (uint8_t)delivery, .vector = vector, .level = level, .assert = true};

	return lapic_receive(&r->l, &msg, &r->eff);
}

/* An edge-triggered fixed interrupt. */
static inline void rig_fixed(struct rig *r, uint8_t vector)
{
	assert_true(rig_receive(r, APIC_FIXED, vector, false));
}

static inline bool rig_bit(struct rig *r, unsigned array, uint8_t vector)
{
	return rig_rd(r, array + vector / 32 * 16) >> vector % 32 & 1;
}

/* Lets time pass; the number of expiries. */
static inline uint64_t rig_pass(struct rig *r, uint64_t ns)
{
	r->time.ns += ns;
	r->time.tsc += ns * RIG_TSC;
	return lapic_advance(&r->l, r->time, &r->eff);
}

/* The errors since the last look. */
static inline uint32_t rig_errors(struct rig *r)
{
	rig_wr(r, ESR, 0);
	return (uint32_t)rig_rd(r, ESR);
}

static inline void rig_line(struct rig *r, unsigned pin, bool level)
{
	lapic_set_lint(&r->l, pin, level, &r->eff);
}

#endif

// SPDX-License-Identifier: MIT
#include "selftest/garbage.h"

#define LVT_TIMER_DEADLINE 0x40000u

static uint32_t vector(struct rng *rng)
{
	return 16 + rng_below(rng, 240);
}

/* IRR, ISR and TMR: a few vectors each. */
static void garbage_vectors(struct rng *rng, struct cpu_state *s)
{
	static const unsigned sets[] = {0x100, 0x180, 0x200};

	for (unsigned set = 0; set < 3; set++)
		for (unsigned n = rng_below(rng, 12); n; n--) {
			uint32_t v = vector(rng);
			unsigned at = sets[set] + v / 32 * 16;

			lapic_put(s, at, lapic_get(s, at) | 1u << v % 32);
		}
}

/* Local vectors: fixed, NMI or ExtINT where that can be, masked or not. */
static void garbage_lvts(struct rng *rng, struct cpu_state *s)
{
	static const unsigned with_mode[] = {0x330, 0x340, 0x350, 0x360};
	static const uint32_t modes[] = {0, 0x400, 0x700};

	for (unsigned i = 0; i < 4; i++) {
		uint32_t lvt = vector(rng) | modes[rng_below(rng, with_mode[i] < 0x350 ? 2 : 3)];

		lapic_put(s, with_mode[i], lvt | (uint32_t)rng_below(rng, 2) << 16);
	}
	lapic_put(s, 0x370, vector(rng) | (uint32_t)rng_below(rng, 2) << 16);
	if ((lapic_get(s, 0x30) >> 16 & 0xff) >= 6)
		lapic_put(s, 0x2f0, vector(rng) | (uint32_t)rng_below(rng, 2) << 16);
}

/*
 * One-shot and periodic timers may expire before the reset or not, deadlines never do: a deadline that was
 * reached is no deadline any more.
 */
static void garbage_timer(struct rng *rng, const struct vcpu *v, struct cpu_state *s)
{
	bool deadline = !v->user || v->user->lapic.cfg.deadline;
	uint32_t mode = rng_below(rng, deadline ? 3 : 2) << 17;
	bool runs = s->sregs.apic_base & LAPIC_BASE_ENABLE;

	lapic_put(s, 0x320, vector(rng) | mode | (uint32_t)rng_below(rng, 2) << 16);
	lapic_put(s, 0x3e0, rng_below(rng, 16) & 0xb);
	s->tsc = 1ull << 50 | rng_next(rng) >> 20;
	s->tsc_deadline = 0;
	if (mode == LVT_TIMER_DEADLINE && runs)
		s->tsc_deadline = s->tsc + (1ull << 45);
	if (mode == LVT_TIMER_DEADLINE)
		return;
	lapic_put(s, 0x380, (uint32_t)rng_next(rng) | 0x1000000);
	lapic_put(s, 0x390, lapic_get(s, 0x380) / 2);
}

void garbage_lapic(struct rng *rng, const struct vcpu *v, struct cpu_state *s)
{
	bool x2apic = s->sregs.apic_base & LAPIC_BASE_X2APIC;
	uint32_t id = v->apic_id;
	uint32_t ldr = (id >> 4) << 16 | 1u << (id & 0xf);

	lapic_put(s, 0x20, x2apic ? id : (uint32_t)rng_next(rng) << 24);
	s->sregs.cr8 = rng_below(rng, 16);
	lapic_put(s, 0x80, (uint32_t)s->sregs.cr8 << 4);
	lapic_put(s, 0xd0, x2apic ? ldr : (uint32_t)rng_next(rng) << 24);
	lapic_put(s, 0xe0, x2apic || rng_chance(rng, 2) ? 0xffffffff : 0x0fffffff);
	lapic_put(s, 0xf0, vector(rng) | (uint32_t)rng_below(rng, 2) << 8);
	garbage_vectors(rng, s);
	lapic_put(s, 0x280, rng_below(rng, 256) & 0xe0);
	lapic_put(s, 0x300, vector(rng) | rng_below(rng, 8) << 8 | 0x4000);
	lapic_put(s, 0x310, x2apic ? (uint32_t)rng_next(rng) : (uint32_t)rng_next(rng) << 24);
	garbage_lvts(rng, s);
	garbage_timer(rng, v, s);
}

// SPDX-License-Identifier: MIT
/* Time: the TSC, its frequency, and the local APIC's timer (SDM Vol. 3A 10.5.4). */
#include "lib/apic.h"
#include "lib/idt.h"
#include "lib/pit.h"
#include "lib/timer.h"

#define GAP_USEC       10000
#define CALIBRATE_HZ   100 /* 10 ms */
#define LEAF_HV_TIMING 0x40000010
#define LEAF_TSC       0x15

uint64_t tsc_hz;
const char *tsc_source;

/* Two factors, so that nothing overflows below a thousand days. */
uint64_t usec_to_tsc(uint64_t usec)
{
	return usec / 1000000 * tsc_hz + usec % 1000000 * (tsc_hz / 1000) / 1000;
}

uint64_t tsc_to_usec(uint64_t tsc)
{
	return tsc / tsc_hz * 1000000 + tsc % tsc_hz * 1000 / (tsc_hz / 1000);
}

void udelay(uint64_t usec)
{
	uint64_t end = rdtsc() + usec_to_tsc(usec);

	while ((int64_t)(end - rdtsc()) > 0)
		cpu_relax();
}

struct wait wait_begin(uint64_t usec)
{
	return (struct wait){usec_to_tsc(usec), rdtsc()};
}

bool wait_more(struct wait *w)
{
	uint64_t now = rdtsc(), gap = now - w->seen, most = usec_to_tsc(GAP_USEC);

	if (gap > most)
		gap = most;
	if (gap >= w->left)
		return false;
	w->left -= gap;
	w->seen = now;
	return true;
}

/* The hypervisors' leaf: EAX is the TSC's frequency in kHz. */
static uint64_t from_hypervisor(void)
{
	if (!(cpuid(1).ecx >> 31) || cpuid(0x40000000).eax < LEAF_HV_TIMING)
		return 0;
	return cpuid(LEAF_HV_TIMING).eax * 1000ull;
}

/* ECX crystal Hz, times EBX / EAX; each may be 0 for "not enumerated" (SDM Vol. 2A, CPUID). */
static uint64_t from_crystal(void)
{
	struct cpuid_regs r;

	if (cpuid(0).eax < LEAF_TSC)
		return 0;
	r = cpuid(LEAF_TSC);
	return r.eax && r.ebx ? (uint64_t)r.ecx * r.ebx / r.eax : 0;
}

/* Channel 2 in mode 0: OUT rises when the count has run out. The best of three: delays only
 * lengthen. */
static uint64_t from_pit(void)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t start, took;
		unsigned polls = 0;

		pit_gate2(false);
		pit_set(2, 0, PIT_HZ / CALIBRATE_HZ);
		start = rdtsc();
		pit_gate2(true);
		while (!pit_out2() && polls < 1000000)
			polls++;
		took = rdtsc() - start;
		if (pit_out2() && took < best)
			best = took;
	}
	return best == UINT64_MAX ? 0 : best * CALIBRATE_HZ;
}

void timer_init(void)
{
	static const struct {
		const char *name;
		uint64_t (*hz)(void);
	} sources[] = {
		{"CPUID 0x40000010", from_hypervisor},
		{"CPUID 0x15", from_crystal},
		{"PIT", from_pit},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(sources) && !tsc_hz; i++) {
		tsc_hz = sources[i].hz();
		tsc_source = sources[i].name;
	}
	if (tsc_hz < 1000000) { /* no PIT either: waits shall still end */
		tsc_hz = 1000000000;
		tsc_source = "nothing, a guess";
	}
	irq_install(VEC_TIMEOUT, irq_eoi);
}

/* SDM Vol. 3A figure 10-10: bits 3, 1 and 0 hold log2(divide) - 1, with 7 for divide by 1. */
void apic_timer_divide(unsigned divide)
{
	unsigned code = divide <= 1 ? 7 : (unsigned)__builtin_ctz(divide) - 1;

	apic_write(APIC_TIMER_DIV, (code & 3) | (code & 4) << 1);
}

static void start_timer(uint32_t lvt, uint32_t count)
{
	apic_write(APIC_LVT_TIMER, lvt);
	apic_write(APIC_TIMER_INIT, count);
}

void apic_timer_oneshot(unsigned vector, uint32_t count)
{
	start_timer(vector, count);
}

void apic_timer_periodic(unsigned vector, uint32_t count)
{
	start_timer(vector | LVT_PERIODIC, count);
}

/*
 * In xAPIC mode the LVT is written by a store, which WRMSR does not wait for (SDM Vol.
 * 3A 10.5.4.1); CPUID serialises, and unlike MFENCE every emulator has it.
 */
void apic_timer_deadline(unsigned vector, uint64_t tsc)
{
	apic_write(APIC_LVT_TIMER, vector | LVT_TSC_DEADLINE);
	cpuid(0);
	wrmsr(MSR_TSC_DEADLINE, tsc);
}

void apic_timer_stop(void)
{
	start_timer(LVT_MASKED, 0);
}

uint64_t apic_timer_hz(void)
{
	uint64_t start, took;
	uint32_t ticks;

	apic_timer_divide(1);
	start_timer(LVT_MASKED, UINT32_MAX);
	start = rdtsc();
	udelay(1000000 / CALIBRATE_HZ);
	ticks = UINT32_MAX - apic_read(APIC_TIMER_CUR);
	took = rdtsc() - start;
	apic_timer_stop();
	/* ticks / (took / tsc_hz), with took in units that keep the product within 64 bits. */
	return ticks * (tsc_hz / 1000) / (took / 1000 ? took / 1000 : 1);
}

bool hlt_until(bool (*cond)(void *), void *arg, uint64_t usec)
{
	static uint64_t hz;
	uint64_t end = rdtsc() + usec_to_tsc(usec), ticks;
	bool held;

	if (!hz)
		hz = apic_timer_hz();
	apic_timer_divide(1);
	cli();
	while (!(held = cond(arg)) && (int64_t)(end - rdtsc()) > 0) {
		ticks = tsc_to_usec(end - rdtsc()) * (hz / 1000) / 1000 + 1;
		apic_timer_oneshot(VEC_TIMEOUT, ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX);
		sti_hlt();
		cli();
	}
	apic_timer_stop();
	return held;
}

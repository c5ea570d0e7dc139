// SPDX-License-Identifier: MIT
/*
 * guest/lapic: the timer. SDM Vol. 3A 10.5.4 (counts, dividers, modes) and 10.5.4.1 (TSC deadline). Times are
 * bounded by the TSC before and after each access, so that a host that takes the CPU away does no harm.
 */
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/lapic_exam.h"
#include "lib/report.h"
#include "lib/smp.h"

#define VEC	  0x50
#define RUN_USEC  1000
#define LONG_USEC 1000000
#define SLACK	  200 /* one part in this many: two host clocks, read one after the other */
#define LEAF_HZ	  0x40000010
#define TICKS	  5
#define TRIES	  20

static uint64_t hz;

/* What CPUID says, or else measured (which makes the comparison one with itself). */
static void find_hz(void)
{
	if (cpuid(1).ecx >> 31 && cpuid(0x40000000).eax >= LEAF_HZ)
		hz = cpuid(LEAF_HZ).ebx * 1000ull;
	if (!hz)
		hz = apic_timer_hz();
}

static uint64_t tsc_to_ticks(uint64_t tsc, unsigned divide)
{
	return tsc * (hz / 1000) / (tsc_hz / 1000) / divide;
}

static uint32_t usec_to_ticks(uint64_t usec)
{
	return (uint32_t)(usec * (hz / 1000) / 1000);
}

static void lvt(uint32_t value)
{
	apic_write(APIC_LVT_TIMER, value);
}

static bool counts_by(unsigned divide)
{
	uint64_t before, started, read, after, least, most, ticks;

	apic_timer_divide(divide);
	lvt(LVT_MASKED | VEC);
	before = rdtsc();
	apic_write(APIC_TIMER_INIT, UINT32_MAX);
	started = rdtsc();
	udelay(RUN_USEC);
	read = rdtsc();
	ticks = UINT32_MAX - apic_read(APIC_TIMER_CUR);
	after = rdtsc();
	least = tsc_to_ticks(read - started, divide);
	most = tsc_to_ticks(after - before, divide);
	if (ticks + least / SLACK + 2 >= least && ticks <= most + most / SLACK + 2)
		return true;
	printf("# divide by %u: %lu ticks, expected %lu to %lu\n", divide, ticks, least, most);
	return false;
}

static void examine_count(void)
{
	bool ok = true;

	exam(apic_read(APIC_TIMER_CUR) == 0, KNOWN_NONE, "a stopped timer's current count is 0");
	for (unsigned divide = 1; divide <= 128; divide *= 2)
		ok &= counts_by(divide);
	exam(ok, KNOWN_NONE, "it counts down at %lu kHz divided by 1, 2, ... 128", hz / 1000);
	exam(apic_read(APIC_TIMER_INIT) == UINT32_MAX, KNOWN_NONE, "the initial count stays");
	apic_timer_divide(1);
	apic_write(APIC_TIMER_INIT, usec_to_ticks(LONG_USEC));
	exam(apic_read(APIC_TIMER_CUR) <= usec_to_ticks(LONG_USEC), KNOWN_NONE,
	     "a new initial count starts it afresh");
	apic_write(APIC_TIMER_INIT, 0);
	exam(apic_read(APIC_TIMER_CUR) == 0, KNOWN_NONE, "an initial count of 0 stops it");
}

static void examine_oneshot(void)
{
	uint64_t start;
	bool early;

	exam_clean();
	apic_timer_divide(1);
	lvt(VEC);
	start = rdtsc();
	apic_write(APIC_TIMER_INIT, usec_to_ticks(RUN_USEC));
	OPEN_FOR(irq_total(VEC), EXPECT_USEC);
	early = tsc_to_usec(rdtsc() - start) < RUN_USEC - RUN_USEC / SLACK;
	exam(irq_total(VEC) && !early, KNOWN_NONE, "one-shot: it fires, and not before its time");
	udelay(2 * RUN_USEC);
	exam(exam_took(VEC, 1) && apic_read(APIC_TIMER_CUR) == 0, KNOWN_NONE,
	     "one-shot: once, and the count stays 0");
	lvt(VEC | LVT_PERIODIC);
	udelay(2 * RUN_USEC);
	exam(exam_took(VEC, 1) && apic_read(APIC_TIMER_CUR) == 0, KNOWN_NONE,
	     "changing a timer that has run out to periodic does not start it");
	exam_clean();
	lvt(LVT_MASKED | VEC);
	apic_write(APIC_TIMER_INIT, usec_to_ticks(RUN_USEC));
	WAIT_FOR(apic_read(APIC_TIMER_CUR) == 0, EXPECT_USEC);
	udelay(RUN_USEC);
	lvt(VEC);
	exam(exam_took(VEC, 0), KNOWN_TIMER_MASKED, "a tick while it is masked is lost");
}

static void examine_periodic(void)
{
	uint32_t initial = usec_to_ticks(RUN_USEC);
	uint64_t start, limit;
	bool within = true, early;

	exam_clean();
	lvt(VEC | LVT_PERIODIC);
	start = rdtsc();
	limit = start + usec_to_tsc(EXPECT_USEC);
	apic_write(APIC_TIMER_INIT, initial);
	sti();
	while (irq_total(VEC) < TICKS && rdtsc() < limit)
		within &= apic_read(APIC_TIMER_CUR) <= initial;
	early = tsc_to_usec(rdtsc() - start) < TICKS * (RUN_USEC - RUN_USEC / SLACK);
	cli();
	exam(irq_total(VEC) >= TICKS && !early, KNOWN_NONE,
	     "periodic: it fires again and again, and not too often");
	exam(within, KNOWN_NONE, "periodic: the current count is never above the initial one");
	apic_write(APIC_TIMER_INIT, 0);
	exam_drain();
	irq_clear();
	udelay(3 * RUN_USEC);
	exam(took(0, VEC, 0) && apic_read(APIC_TIMER_CUR) == 0, KNOWN_NONE,
	     "periodic: an initial count of 0 stops it");
}

void exam_timer(void)
{
	find_hz();
	exam_clean();
	examine_count();
	examine_oneshot();
	examine_periodic();
	exam_clean();
}

/* --- TSC deadline */

static uint64_t deadline(void)
{
	return rdmsr(MSR_TSC_DEADLINE);
}

static void examine_arming(void)
{
	uint64_t then = rdtsc() + usec_to_tsc(LONG_USEC);

	lvt(VEC);
	wrmsr(MSR_TSC_DEADLINE, then);
	exam(deadline() == 0, KNOWN_NONE,
	     "in other modes the deadline reads 0 and cannot be written");
	apic_timer_deadline(VEC, then);
	exam(deadline() == then, KNOWN_NONE, "the deadline reads as written until it is reached");
	apic_write(APIC_TIMER_INIT, 0x100);
	exam(apic_read(APIC_TIMER_CUR) == 0 && exam_took(VEC, 0), KNOWN_NONE,
	     "with a deadline the initial count is ignored, and the current one is 0");
	wrmsr(MSR_TSC_DEADLINE, 0);
	exam(deadline() == 0, KNOWN_NONE, "a deadline of 0 disarms it");
}

static void examine_firing(void)
{
	uint64_t then;

	exam_clean();
	then = rdtsc() + usec_to_tsc(RUN_USEC);
	apic_timer_deadline(VEC, then);
	OPEN_FOR(irq_total(VEC), EXPECT_USEC);
	exam(irq_total(VEC) && rdtsc() >= then, KNOWN_NONE, "it fires at the deadline, not before");
	exam(deadline() == 0 && exam_took(VEC, 1), KNOWN_NONE, "once, and the deadline is 0 again");
	exam_clean();
	apic_timer_deadline(VEC, 1);
	exam(exam_took(VEC, 1) && deadline() == 0, KNOWN_NONE,
	     "a deadline in the past fires at once");
}

/* To and from deadline mode the timer is disarmed: in time, which a slow host gets more of at each try. */
static bool leaving_disarms(void)
{
	bool disarmed;
	uint64_t then;

	for (unsigned usec = RUN_USEC; usec <= TRIES * RUN_USEC; usec += RUN_USEC) {
		exam_clean();
		then = rdtsc() + usec_to_tsc(usec);
		apic_timer_deadline(VEC, then);
		lvt(VEC);
		disarmed = deadline() == 0;
		if (rdtsc() >= then)
			continue;
		lvt(VEC | LVT_TSC_DEADLINE);
		udelay(2 * usec);
		return disarmed && exam_took(VEC, 0);
	}
	return false;
}

static bool entering_disarms(void)
{
	bool disarmed;
	uint64_t then;

	for (unsigned usec = RUN_USEC; usec <= TRIES * RUN_USEC; usec += RUN_USEC) {
		exam_clean();
		lvt(VEC);
		then = rdtsc() + usec_to_tsc(usec);
		apic_write(APIC_TIMER_INIT, usec_to_ticks(usec));
		lvt(VEC | LVT_TSC_DEADLINE);
		disarmed = apic_read(APIC_TIMER_CUR) == 0;
		if (rdtsc() >= then)
			continue;
		udelay(2 * usec);
		return disarmed && exam_took(VEC, 0);
	}
	return false;
}

void exam_deadline(void)
{
	if (!tsc_deadline_supported()) {
		report_skip("CPUID says so", "%s: no TSC deadline", apic_mode_name());
		return;
	}
	exam_clean();
	examine_arming();
	examine_firing();
	exam(leaving_disarms(), KNOWN_NONE, "leaving deadline mode disarms it");
	exam(entering_disarms(), KNOWN_NONE, "entering it disarms a count");
	exam_clean();
}

// SPDX-License-Identifier: MIT
/*
 * timer: does each local APIC's timer count, fire and stop as it was told? SDM Vol. 3A 10.5.4
 * (counts, divider, one-shot and periodic), 10.5.4.1 (TSC deadline), 10.5.1 (LVT). A busy host
 * delays interrupts and never hastens them: only what may not come early has a sharp bound.
 */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define VEC	   0x60
#define VEC_OTHER  0x61
#define SHOT_USEC  10000
#define TICK_USEC  2000 /* KVM stretches periods below 200 us */
#define TICKS	   25
#define ALL_TICKS  20
#define EARLY	   50	 /* parts of a delay that clocks may differ by: 2 % */
#define BRACKET	   20000 /* a longer one says nothing */
#define LIMIT_USEC 20000000

const char guest_name[] = "timer";

static uint64_t hz; /* of the timer's clock before the divider */
static uint64_t fired_at[4096];

static uint32_t ticks(uint64_t usec)
{
	return (uint32_t)(usec * (hz / 1000) / 1000);
}

static void on_timer(struct regs *r)
{
	(void)r;
	fired_at[this_cpu()->index & 4095] = rdtsc();
	apic_eoi();
}

/*
 * Stopped first: KVM starts a one-shot timer that is over anew when the divide value changes
 * (scenario timer-divide-again).
 */
static void start_count(void)
{
	apic_timer_stop();
	apic_timer_divide(1);
	irq_clear();
}

static bool took_here(unsigned vector, uint32_t n)
{
	return took(this_cpu()->index, vector, n);
}

/*
 * Programs the timer, and again what must happen before SHOT_USEC have passed: both once more when
 * the host took that long in between.
 */
#define IN_TIME(...)                                                                               \
	do {                                                                                       \
		for (unsigned tries_ = 0; tries_ < 50; tries_++) {                                 \
			uint64_t t0_ = rdtsc();                                                    \
			start_count();                                                             \
			__VA_ARGS__;                                                               \
			if (tsc_to_usec(rdtsc() - t0_) < SHOT_USEC * 3 / 4)                        \
				break;                                                             \
			apic_timer_stop();                                                         \
			settle();                                                                  \
		}                                                                                  \
	} while (0)

/* None within twice the time that it would have taken. */
static bool none_comes(void)
{
	OPEN_FOR(false, 2 * SHOT_USEC);
	return irq_total(VEC) == 0 && irq_total(VEC_OTHER) == 0;
}

/* --- one-shot */

static void test_oneshot(void)
{
	uint64_t start;
	uint32_t first, second;

	IN_TIME(start = rdtsc(); apic_timer_oneshot(VEC, ticks(SHOT_USEC));
		first = apic_read(APIC_TIMER_CUR); udelay(SHOT_USEC / 10);
		second = apic_read(APIC_TIMER_CUR));
	report(apic_read(APIC_TIMER_INIT) == ticks(SHOT_USEC), "the initial count reads back");
	report(first > second && first <= ticks(SHOT_USEC), "the current count runs down");
	report(took_here(VEC, 1), "one-shot: one interrupt");
	report(tsc_to_usec(fired_at[0] - start) >= SHOT_USEC - SHOT_USEC / EARLY,
	       "one-shot: not before its time");
	report(apic_read(APIC_TIMER_CUR) == 0, "one-shot: the current count ends at 0");
	OPEN_FOR(false, 2 * SHOT_USEC);
	report(took_here(VEC, 1), "one-shot: and no other one");
}

static void test_stop(void)
{
	IN_TIME(apic_timer_oneshot(VEC, ticks(SHOT_USEC)); apic_write(APIC_TIMER_INIT, 0));
	report(apic_read(APIC_TIMER_CUR) == 0, "initial count 0: the current count is 0");
	report(none_comes(), "initial count 0: stops a one-shot");

	apic_timer_periodic(VEC, ticks(TICK_USEC));
	OPEN_FOR(irq_total(VEC) >= 2, EXPECT_USEC);
	apic_write(APIC_TIMER_INIT, 0);
	settle(); /* one more may have been pending */
	irq_clear();
	report(none_comes(), "initial count 0: stops a periodic timer");
}

/* A second start replaces the first. */
static void test_restart(void)
{
	uint64_t start;

	IN_TIME(apic_timer_oneshot(VEC, ticks(SHOT_USEC)); udelay(SHOT_USEC / 4); start = rdtsc();
		apic_write(APIC_TIMER_INIT, ticks(SHOT_USEC)));
	report(took_here(VEC, 1) &&
		       tsc_to_usec(fired_at[0] - start) >= SHOT_USEC - SHOT_USEC / EARLY,
	       "a new initial count starts it anew");
}

/* --- the LVT entry */

static void test_mask(void)
{
	uint32_t cur;

	IN_TIME(apic_timer_oneshot(VEC | LVT_MASKED, ticks(SHOT_USEC));
		cur = apic_read(APIC_TIMER_CUR));
	report(cur > 0, "masked: it counts");
	report(none_comes(), "masked: none comes");
	/* The manual says only that a mask "inhibits reception": KVM remembers, others forget. */
	apic_write(APIC_LVT_TIMER, VEC);
	printf("# masked: what expired meanwhile %s\n",
	       none_comes() ? "is lost" : "comes when it is unmasked");

	IN_TIME(apic_timer_oneshot(VEC | LVT_MASKED, ticks(SHOT_USEC));
		apic_write(APIC_LVT_TIMER, VEC));
	report(took_here(VEC, 1), "unmasked in time, it comes");

	start_count();
	apic_timer_oneshot(VEC, ticks(SHOT_USEC / 10));
	if (!report(WAIT_FOR(apic_bit(APIC_IRR, VEC), EXPECT_USEC), "expired: IRR has it"))
		return;
	apic_write(APIC_LVT_TIMER, VEC | LVT_MASKED);
	report(took_here(VEC, 1), "masked when it is in IRR already, it comes");
}

static void test_vector(void)
{
	IN_TIME(apic_timer_oneshot(VEC, ticks(SHOT_USEC)); apic_write(APIC_LVT_TIMER, VEC_OTHER));
	report(took_here(VEC_OTHER, 1) && took_here(VEC, 0),
	       "vector changed while it counts: the new one is used");
}

/* --- periodic */

static void test_periodic(void)
{
	uint64_t start, end, took_usec;
	uint32_t n, cur;
	bool within = true;

	start_count();
	start = rdtsc();
	end = start + usec_to_tsc(EXPECT_USEC);
	apic_timer_periodic(VEC, ticks(TICK_USEC));
	sti();
	while (irq_count(0, VEC) < TICKS && (int64_t)(end - rdtsc()) > 0) {
		cur = apic_read(APIC_TIMER_CUR);
		within &= cur <= ticks(TICK_USEC);
	}
	cli();
	took_usec = tsc_to_usec(fired_at[0] - start);
	n = irq_count(0, VEC);
	apic_timer_stop();
	settle();
	report(n >= TICKS, "periodic: it goes on");
	report(took_usec >= (n - 1) * TICK_USEC - TICK_USEC / 2,
	       "periodic: %u interrupts of %u us took %lu us, no less than they should", n,
	       TICK_USEC, took_usec);
	report(within, "periodic: the current count never exceeds the initial count");
}

/* --- the divider */

/*
 * The timer's frequency, with bounds: reading the counter lies between two readings of the TSC. In
 * kHz, so that products stay within 64 bits.
 */
struct rate {
	uint64_t least, most;
};

static struct rate measure(unsigned divide, uint64_t usec)
{
	uint64_t t0, t1, t2, t3, counted;
	uint32_t from;

	apic_timer_divide(divide);
	apic_write(APIC_LVT_TIMER, VEC | LVT_MASKED);
	t0 = rdtsc();
	apic_write(APIC_TIMER_INIT, UINT32_MAX);
	from = apic_read(APIC_TIMER_CUR);
	t1 = rdtsc();
	udelay(usec);
	t2 = rdtsc();
	counted = from - apic_read(APIC_TIMER_CUR);
	t3 = rdtsc();
	apic_timer_stop();
	return (struct rate){counted * divide * (tsc_hz / 1000) / (t3 - t0),
			     (counted + 1) * divide * (tsc_hz / 1000) / (t2 - t1)};
}

static bool overlap(struct rate a, struct rate b)
{
	return a.least - a.least / EARLY <= b.most + b.most / EARLY &&
	       b.least - b.least / EARLY <= a.most + a.most / EARLY;
}

static bool narrow(struct rate r)
{
	return r.most - r.least <= r.least / 5;
}

static struct rate measure_well(unsigned divide)
{
	struct rate r = measure(divide, BRACKET);

	for (unsigned tries = 0; tries < 10 && !narrow(r); tries++)
		r = measure(divide, BRACKET);
	return r;
}

static void test_divider(void)
{
	struct rate one = measure_well(1);

	printf("# timer clock %lu kHz to %lu kHz\n", one.least, one.most);
	for (unsigned d = 1; d <= 128; d *= 2) {
		struct rate r = measure_well(d);
		unsigned code = d == 1 ? 7 : (unsigned)__builtin_ctz(d) - 1;
		bool kept;

		apic_timer_divide(d);
		kept = (apic_read(APIC_TIMER_DIV) & 0xb) == ((code & 3) | (code & 4) << 1);
		if (!report(kept && r.least && overlap(r, one),
			    "divide by %u: the same clock, divided", d))
			printf("# %lu kHz to %lu kHz\n", r.least, r.most);
	}
}

/* The interrupt comes when the count does, whatever the divider is. */
static void test_divided_shot(void)
{
	uint64_t start;

	start_count();
	apic_timer_divide(64);
	start = rdtsc();
	apic_timer_oneshot(VEC, ticks(SHOT_USEC) / 64);
	report(took_here(VEC, 1) &&
		       tsc_to_usec(fired_at[0] - start) >= SHOT_USEC - SHOT_USEC / EARLY,
	       "divide by 64: a one-shot comes not before its time");
}

/* --- TSC deadline */

static void arm(void)
{
	apic_timer_deadline(VEC, rdtsc() + usec_to_tsc(SHOT_USEC));
}

static void test_deadline(void)
{
	uint64_t deadline, armed;
	uint32_t cur;

	IN_TIME(deadline = rdtsc() + usec_to_tsc(SHOT_USEC); apic_timer_deadline(VEC, deadline);
		armed = rdmsr(MSR_TSC_DEADLINE));
	report(armed == deadline, "deadline: the MSR reads back while armed");
	report(took_here(VEC, 1), "deadline: one interrupt");
	report(fired_at[0] >= deadline, "deadline: not before its time");
	report(rdmsr(MSR_TSC_DEADLINE) == 0, "deadline: the MSR reads 0 afterwards");
	irq_clear();
	apic_timer_deadline(VEC, rdtsc() - 1);
	report(took_here(VEC, 1), "deadline: one in the past comes at once");
	IN_TIME(arm(); wrmsr(MSR_TSC_DEADLINE, 0));
	report(none_comes(), "deadline: 0 disarms it");
	IN_TIME(arm(); apic_write(APIC_TIMER_INIT, ticks(SHOT_USEC / 10));
		cur = apic_read(APIC_TIMER_CUR));
	report(cur == 0, "deadline: the counters are out of use");
	report(took_here(VEC, 1), "deadline: which an initial count does not change");
}

/* Changing between the deadline and the other modes disarms the timer (SDM Vol. 3A 10.5.4.1). */
static void test_mode_switch(void)
{
	IN_TIME(arm(); apic_write(APIC_LVT_TIMER, VEC));
	report(none_comes(), "from deadline to one-shot: disarmed");
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + usec_to_tsc(SHOT_USEC));
	report(rdmsr(MSR_TSC_DEADLINE) == 0 && none_comes(),
	       "in one-shot mode the deadline MSR is out of use");
	IN_TIME(apic_timer_oneshot(VEC, ticks(SHOT_USEC));
		apic_write(APIC_LVT_TIMER, VEC | LVT_TSC_DEADLINE));
	report(none_comes(), "from one-shot to deadline: disarmed");
	apic_timer_stop();
}

static void test_deadlines(void)
{
	if (!tsc_deadline_supported()) {
		report_skip("CPUID says there is none", "TSC deadline");
		return;
	}
	test_deadline();
	test_mode_switch();
}

/* --- every CPU at once */

static uint32_t *ticked;

/* Halts between the ticks: each must wake the CPU. */
static void tick_all(void *arg)
{
	unsigned me = this_cpu()->index;
	uint64_t end = rdtsc() + usec_to_tsc(EXPECT_USEC);

	(void)arg;
	apic_timer_divide(1);
	apic_timer_periodic(VEC, ticks(TICK_USEC));
	while (irq_count(me, VEC) < ALL_TICKS && (int64_t)(end - rdtsc()) > 0) {
		sti_hlt();
		cli();
	}
	apic_timer_stop();
	ticked[me] = irq_count(me, VEC);
}

static void test_all(void)
{
	unsigned short_of = 0;
	bool ended;

	irq_clear();
	ended = run_all_open(tick_all, NULL, LIMIT_USEC);
	for (unsigned i = 0; i < ncpus; i++)
		short_of += cpu_up(i) && ticked[i] < ALL_TICKS;
	report(ended && !short_of, "periodic on all CPUs at once (%u): %u ticks wake each from HLT",
	       smp_up(), ALL_TICKS);
}

static void test_mode(void)
{
	printf("# in %s mode\n", apic_mode_name());
	test_oneshot();
	test_stop();
	test_restart();
	test_mask();
	test_vector();
	test_periodic();
	test_deadlines();
	test_all();
}

void guest_main(void)
{
	smp_start();
	ticked = alloc(ncpus * sizeof(*ticked), 8);
	irq_install(VEC, on_timer);
	irq_install(VEC_OTHER, on_timer);
	hz = measure_well(1).least * 1000;
	test_divider();
	test_divided_shot();
	test_mode();
	if (apic_mode() == APIC_MODE_X2APIC)
		return;
	if (all_to_mode(APIC_MODE_X2APIC))
		test_mode();
	else
		report_skip("CPUID says there is no x2APIC", "x2APIC mode");
}

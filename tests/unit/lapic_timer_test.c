// SPDX-License-Identifier: MIT
/* The local APIC's timer: "APIC Timer" and "TSC-Deadline Mode". The bus clock is 1 GHz: 1 ns. */
#include "lapic_rig.h"

#define VECTOR 0x41u

static void timer_on(struct rig *r, uint32_t lvt, uint32_t divide)
{
	rig_on(r);
	rig_wr(r, TIMER, lvt | VECTOR);
	rig_wr(r, DIVIDE, divide);
}

static uint64_t next(const struct rig *r)
{
	return lapic_next_timer(&r->l, r->time);
}

/* "Divide Configuration Register": bits 0, 1 and 3. */
static void all_dividers_count_exactly(void **state)
{
	static const struct {
		uint32_t code, divisor;
	} dividers[] = {{0, 2}, {1, 4}, {2, 8}, {3, 16}, {8, 32}, {9, 64}, {10, 128}, {11, 1}};
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		uint32_t d = dividers[i].divisor;

		timer_on(&r, 0, dividers[i].code);
		rig_wr(&r, INITIAL, 100);
		assert_true(r.eff.timer);
		assert_int_equal(next(&r), r.time.ns + 100u * d);
		assert_int_equal(rig_rd(&r, CURRENT), 100);
		rig_pass(&r, d - 1);
		assert_int_equal(rig_rd(&r, CURRENT), 100);
		rig_pass(&r, 1);
		assert_int_equal(rig_rd(&r, CURRENT), 99);
		assert_int_equal(rig_pass(&r, 99u * d - 1), 0);
		assert_int_equal(rig_rd(&r, CURRENT), 1);
		assert_int_equal(rig_pass(&r, 1), 1);
		assert_true(r.eff.irq);
		assert_int_equal(rig_rd(&r, CURRENT), 0);
	}
}

/* "APIC Timer": one-shot stops at 0, and a new initial count starts again. */
static void a_one_shot_fires_once(void **state)
{
	struct rig r;

	(void)state;
	timer_on(&r, 0, DIVIDE_1);
	rig_wr(&r, INITIAL, 1000);
	assert_int_equal(rig_pass(&r, 5000), 1);
	assert_int_equal(lapic_ack(&r.l), VECTOR);
	assert_int_equal(next(&r), LAPIC_NEVER);
	assert_int_equal(rig_pass(&r, 5000), 0);
	assert_int_equal(rig_rd(&r, INITIAL), 1000);
	rig_wr(&r, INITIAL, 10);
	rig_pass(&r, 5);
	rig_wr(&r, INITIAL, 10);
	assert_int_equal(rig_pass(&r, 9), 0);
	assert_int_equal(rig_pass(&r, 1), 1);
}

/* "A write of 0 to the initial-count register effectively stops the local APIC timer." */
static void initial_count_0_stops(void **state)
{
	struct rig r;

	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		timer_on(&r, mode ? PERIODIC : 0, DIVIDE_1);
		rig_wr(&r, INITIAL, 10);
		rig_wr(&r, INITIAL, 0);
		assert_true(r.eff.timer);
		assert_int_equal(next(&r), LAPIC_NEVER);
		assert_int_equal(rig_rd(&r, CURRENT), 0);
		assert_int_equal(rig_pass(&r, 100), 0);
	}
}

/* Periods are counted from the start, and several that are due make one interrupt. */
static void periods_do_not_drift(void **state)
{
	struct rig r;
	uint64_t start;

	(void)state;
	timer_on(&r, PERIODIC, 0);
	start = r.time.ns;
	rig_wr(&r, INITIAL, 50);
	assert_int_equal(rig_pass(&r, 130), 1);
	assert_int_equal(rig_rd(&r, CURRENT), 35);
	assert_int_equal(next(&r), start + 200);
	assert_int_equal(rig_pass(&r, 70), 1);
	assert_int_equal(rig_rd(&r, CURRENT), 50);
	assert_int_equal(rig_pass(&r, 1050), 10);
	assert_int_equal(next(&r), start + 1300);
	assert_int_equal(lapic_ack(&r.l), VECTOR);
	assert_false(rig_bit(&r, IRR, VECTOR));
	assert_int_equal(rig_pass(&r, 1000000000000000ull), 10000000000000ull);
	assert_int_equal(rig_rd(&r, CURRENT), 25);
}

/* A bus clock that does not divide a nanosecond: a million periods end when they should. */
static void odd_bus_clocks_do_not_drift(void **state)
{
	const struct lapic_config cfg = {.bus_khz = 333333};
	struct rig r;
	uint64_t start, fired = 0;

	(void)state;
	rig_init(&r);
	lapic_init(&r.l, &cfg);
	rig_wr(&r, SVR, 0x1ff);
	rig_wr(&r, TIMER, PERIODIC | VECTOR);
	rig_wr(&r, DIVIDE, DIVIDE_1);
	start = r.time.ns;
	rig_wr(&r, INITIAL, 7);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t due = next(&r);

		assert_int_equal(rig_pass(&r, due - r.time.ns - 1), 0);
		assert_int_equal(rig_pass(&r, 1), 1);
		fired++;
	}
	/* 7000 clocks of 333333 kHz are 21000.02 ns, rounded up; 7000000 are 21000021.00002. */
	assert_int_equal(r.time.ns - start, 21001);
	fired += rig_pass(&r, start + 21000021 - r.time.ns);
	assert_int_equal(fired, 999999);
	fired += rig_pass(&r, 1);
	assert_int_equal(fired, 1000000);
}

/* "Local Vector Table": masked, the timer runs and its interrupt is lost. */
static void masked_it_counts_in_silence(void **state)
{
	struct rig r;

	(void)state;
	timer_on(&r, MASKED, DIVIDE_1);
	rig_wr(&r, INITIAL, 10);
	rig_pass(&r, 4);
	assert_int_equal(rig_rd(&r, CURRENT), 6);
	assert_int_equal(rig_pass(&r, 6), 1);
	assert_false(r.eff.irq);
	rig_wr(&r, TIMER, VECTOR);
	assert_false(r.eff.irq);
	rig_wr(&r, INITIAL, 10);
	rig_wr(&r, SVR, 0xff);
	assert_int_equal(rig_pass(&r, 10), 1);
	assert_false(r.eff.irq);
}

/* A new divider takes effect at once, on the counts that are left. */
static void the_divider_can_change_while_counting(void **state)
{
	struct rig r;

	(void)state;
	timer_on(&r, PERIODIC, DIVIDE_1);
	rig_wr(&r, INITIAL, 100);
	rig_pass(&r, 160);
	rig_wr(&r, DIVIDE, 0);
	assert_true(r.eff.timer);
	assert_int_equal(rig_rd(&r, CURRENT), 40);
	assert_int_equal(rig_pass(&r, 79), 0);
	assert_int_equal(rig_pass(&r, 1), 1);
	assert_int_equal(rig_rd(&r, CURRENT), 100);
	assert_int_equal(rig_pass(&r, 200), 1);
	/* The same one again disturbs nothing, and a stopped timer stays so. */
	rig_pass(&r, 1);
	rig_wr(&r, DIVIDE, 0);
	rig_pass(&r, 1);
	assert_int_equal(rig_rd(&r, CURRENT), 99);
	rig_wr(&r, INITIAL, 0);
	rig_wr(&r, DIVIDE, DIVIDE_1);
	assert_int_equal(next(&r), LAPIC_NEVER);
}

/* The SDM since May 2019: one-shot and periodic can be exchanged while the timer counts. */
static void one_shot_and_periodic_count_on(void **state)
{
	struct rig r;

	(void)state;
	timer_on(&r, 0, 0);
	rig_wr(&r, INITIAL, 100);
	rig_pass(&r, 101);
	rig_wr(&r, TIMER, PERIODIC | VECTOR);
	assert_true(r.eff.timer);
	assert_int_equal(rig_rd(&r, CURRENT), 50);
	assert_int_equal(rig_pass(&r, 99), 1);
	assert_int_equal(rig_rd(&r, CURRENT), 100);
	assert_int_equal(rig_pass(&r, 200), 1);
	assert_int_equal(rig_pass(&r, 51), 0);
	rig_wr(&r, TIMER, VECTOR);
	assert_int_equal(rig_rd(&r, CURRENT), 75);
	assert_int_equal(rig_pass(&r, 148), 0);
	assert_int_equal(rig_pass(&r, 1), 1);
	assert_int_equal(rig_rd(&r, CURRENT), 0);
	/* Expired, it does not start by itself. */
	rig_wr(&r, TIMER, PERIODIC | VECTOR);
	assert_int_equal(rig_rd(&r, CURRENT), 0);
	assert_int_equal(next(&r), LAPIC_NEVER);
	/* In its first period, too. */
	rig_wr(&r, INITIAL, 100);
	rig_pass(&r, 20);
	rig_wr(&r, TIMER, VECTOR);
	assert_int_equal(rig_rd(&r, CURRENT), 90);
	assert_int_equal(rig_pass(&r, 180), 1);
}

/* "TSC-Deadline Mode": fires when the TSC has come, then reads 0. */
static void a_deadline_fires_once(void **state)
{
	struct rig r;
	uint64_t value;

	(void)state;
	timer_on(&r, DEADLINE, DIVIDE_1);
	assert_int_equal(lapic_deadline_write(&r.l, r.time.tsc + 1001, &r.eff), 0);
	assert_true(r.eff.timer);
	assert_int_equal(next(&r), r.time.ns + 501);
	assert_int_equal(rig_pass(&r, 500), 0);
	assert_int_equal(lapic_deadline_read(&r.l, &value), 0);
	assert_int_equal(value, r.time.tsc + 1);
	assert_int_equal(next(&r), r.time.ns + 1);
	assert_int_equal(rig_pass(&r, 1), 1);
	assert_int_equal(lapic_ack(&r.l), VECTOR);
	assert_int_equal(lapic_deadline_read(&r.l, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(next(&r), LAPIC_NEVER);
	/* In the past: at once. Zero: disarmed. Far away: not never. */
	lapic_deadline_write(&r.l, 1, &r.eff);
	assert_int_equal(next(&r), r.time.ns);
	assert_int_equal(rig_pass(&r, 0), 1);
	lapic_deadline_write(&r.l, r.time.tsc + 10, &r.eff);
	lapic_deadline_write(&r.l, 0, &r.eff);
	assert_int_equal(rig_pass(&r, 10), 0);
	lapic_deadline_write(&r.l, UINT64_MAX, &r.eff);
	assert_true(next(&r) > r.time.ns + UINT64_MAX / 4 && next(&r) < LAPIC_NEVER);
	r.l.cfg.tsc_khz = 1;
	assert_int_equal(next(&r), LAPIC_NEVER - 1);
}

/* ... "writes to the initial-count register are ignored; and current-count register always reads 0". */
static void deadline_mode_ignores_the_counter_and_the_others_the_msr(void **state)
{
	struct rig r;
	uint64_t value;

	(void)state;
	timer_on(&r, DEADLINE, DIVIDE_1);
	rig_wr(&r, INITIAL, 100);
	assert_int_equal(rig_rd(&r, INITIAL), 0);
	assert_int_equal(rig_rd(&r, CURRENT), 0);
	assert_int_equal(next(&r), LAPIC_NEVER);
	timer_on(&r, 0, DIVIDE_1);
	assert_int_equal(lapic_deadline_write(&r.l, r.time.tsc + 10, &r.eff), 0);
	assert_int_equal(lapic_deadline_read(&r.l, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(next(&r), LAPIC_NEVER);
}

/* ... "transitioning between TSC-deadline mode and other timer modes also disarms the timer". */
static void entering_and_leaving_deadline_mode_disarms(void **state)
{
	struct rig r;
	uint64_t value;

	(void)state;
	timer_on(&r, PERIODIC, DIVIDE_1);
	rig_wr(&r, INITIAL, 100);
	rig_wr(&r, TIMER, DEADLINE | VECTOR);
	assert_int_equal(next(&r), LAPIC_NEVER);
	lapic_deadline_write(&r.l, r.time.tsc + 10, &r.eff);
	/* The same mode again does not. */
	rig_wr(&r, TIMER, DEADLINE | MASKED | VECTOR);
	assert_int_equal(next(&r), r.time.ns + 5);
	rig_wr(&r, TIMER, VECTOR);
	assert_int_equal(next(&r), LAPIC_NEVER);
	rig_wr(&r, TIMER, DEADLINE | VECTOR);
	assert_int_equal(lapic_deadline_read(&r.l, &value), 0);
	assert_int_equal(value, 0);
	/* Mode 3 is reserved: nothing runs. */
	rig_wr(&r, TIMER, DEADLINE | PERIODIC | VECTOR);
	rig_wr(&r, INITIAL, 10);
	assert_int_equal(rig_pass(&r, 100), 0);
	assert_int_equal(rig_rd(&r, CURRENT), 0);
	rig_wr(&r, TIMER, PERIODIC | VECTOR);
	assert_int_equal(next(&r), LAPIC_NEVER);
}

/* For those who drop or delay a tick: taking notice and telling are two steps. */
static void an_expiry_can_be_told_later(void **state)
{
	struct rig r;

	(void)state;
	timer_on(&r, PERIODIC, DIVIDE_1);
	rig_wr(&r, INITIAL, 10);
	r.time.ns += 10;
	assert_int_equal(lapic_timer_expire(&r.l, r.time), 1);
	assert_int_equal(lapic_pending(&r.l), -1);
	assert_int_equal(lapic_timer_expire(&r.l, r.time), 0);
	lapic_timer_tick(&r.l, &r.eff);
	assert_true(r.eff.irq);
	/* A one-shot is at its end before anybody has taken notice. */
	rig_wr(&r, TIMER, VECTOR);
	rig_wr(&r, INITIAL, 10);
	r.time.ns += 11;
	assert_int_equal(rig_rd(&r, CURRENT), 0);
	assert_int_equal(lapic_timer_expire(&r.l, r.time), 1);
	/* A clock from before the start counts nothing. */
	rig_wr(&r, INITIAL, 10);
	r.time.ns = 0;
	assert_int_equal(rig_rd(&r, CURRENT), 10);
}

TEST_MAIN(cmocka_unit_test(all_dividers_count_exactly), cmocka_unit_test(a_one_shot_fires_once),
	  cmocka_unit_test(initial_count_0_stops), cmocka_unit_test(periods_do_not_drift),
	  cmocka_unit_test(odd_bus_clocks_do_not_drift),
	  cmocka_unit_test(masked_it_counts_in_silence),
	  cmocka_unit_test(the_divider_can_change_while_counting),
	  cmocka_unit_test(one_shot_and_periodic_count_on), cmocka_unit_test(a_deadline_fires_once),
	  cmocka_unit_test(deadline_mode_ignores_the_counter_and_the_others_the_msr),
	  cmocka_unit_test(entering_and_leaving_deadline_mode_disarms),
	  cmocka_unit_test(an_expiry_can_be_told_later))

// SPDX-License-Identifier: MIT
/* The RTC's flags and interrupts against the MC146818 data sheet ("DS"). */
#include "rtc_rig.h"

/* DS register C: UF at the end of each update, enabled or not; reading clears the flags. */
static void update_flag_without_interrupt(void **state)
{
	(void)state;
	set(A, 0x20);
	pass(SEC - 1);
	assert_int_equal(get(C), 0);
	pass(1);
	assert_int_equal(get(C), UF);
	assert_int_equal(get(C), 0);
	assert_int_equal(host.rises, 0);
	assert_int_equal(host.armed, NEVER);
}

/* DS register B, UIE. */
static void update_interrupt(void **state)
{
	(void)state;
	set(A, 0x20);
	set(B, UIE | H24);
	pass(SEC - 1);
	assert_false(host.line);
	pass(1);
	assert_true(host.line);
	assert_int_equal(get(C), IRQ | UF);
	assert_false(host.line);
	pass(SEC);
	assert_int_equal(host.rises, 2);
}

/* The line stays high until register C is read, and meanwhile no timer is asked for. */
static void unread_flags_hold_the_line(void **state)
{
	(void)state;
	set(B, PIE | H24);
	pass(SEC);
	assert_true(host.line);
	assert_int_equal(host.rises, 1);
	assert_int_equal(host.armed, NEVER);
	assert_int_equal(get(C) & (IRQ | PF), IRQ | PF);
	assert_int_not_equal(host.armed, NEVER);
}

/* DS: SET going high clears UIE, and stops update and alarm, but not the periodic interrupt. */
static void set_bit_clears_uie(void **state)
{
	(void)state;
	set(A, 0x2f);
	set(B, SET | UIE | PIE | H24);
	assert_int_equal(get(B), SET | PIE | H24);
	pass(2 * SEC);
	assert_int_equal(get(C), IRQ | PF);
}

/* DS table "Periodic interrupt rate": 1 and 2 are 256 and 128 Hz, then 8192 Hz down to 2 Hz. */
static void periodic_rates(void **state)
{
	static const unsigned hz[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
					256, 128, 64,  32,   16,   8,	 4,    2};

	(void)state;
	set(B, PIE | H24);
	for (unsigned rate = 0; rate < 16; rate++) {
		unsigned n = 0;
		uint64_t end;

		host.armed = NEVER;
		set(A, (uint8_t)(0x20 | rate));
		get(C);
		host.rises = 0;
		for (end = host.now + SEC; host.now < end && host.armed != NEVER; n++) {
			pass(host.armed - host.now);
			assert_int_equal(get(C) & PF, PF);
		}
		assert_int_equal(n, hz[rate]);
		assert_int_equal(host.rises, hz[rate]);
		pass(SEC - host.now % SEC);
	}
}

/* Ticks that a late timer missed are one interrupt. */
static void late_periodic_ticks_coalesce(void **state)
{
	(void)state;
	set(B, PIE | H24);
	host.now += 10 * SEC;
	host.wall += 10 * SEC;
	rtc_timer(&r);
	assert_int_equal(host.rises, 1);
}

static void set_alarm(uint8_t h, uint8_t m, uint8_t s)
{
	set(HOUR_ALARM, h);
	set(MIN_ALARM, m);
	set(SEC_ALARM, s);
}

/* DS "Alarm": at the given time of day, once a day. */
static void alarm_interrupt(void **state)
{
	(void)state;
	set_alarm(0x00, 0x00, 0x01);
	set(A, 0x20);
	set(B, AIE | H24);
	pass(3 * SEC - 1);
	assert_false(host.line);
	pass(1);
	assert_true(host.line);
	assert_int_equal(get(C), IRQ | AF | UF);
	pass(86400 * SEC - 1);
	assert_int_equal(host.rises, 1);
	pass(1);
	assert_int_equal(host.rises, 2);
}

/* DS "Alarm": a byte of 0xc0-0xff matches any value. */
static void alarm_dont_care_bytes(void **state)
{
	(void)state;
	set_alarm(0xff, 0xc0, 0x05);
	set(B, AIE | H24);
	pass(60 * SEC);
	get(C);
	pass(60 * SEC);
	assert_int_equal(host.rises, 2);
	assert_int_equal(get(SECONDS), 0x58);
}

/* DS "Alarm": compared in the format in force. */
static void alarm_in_twelve_hour_mode(void **state)
{
	(void)state;
	set(B, 0);
	set_alarm(0x91, 0x59, 0x59);
	get(C);
	pass(SEC);
	assert_int_equal(get(C) & AF, AF);
	set_alarm(0x11, 0x59, 0x59);
	pass(43200 * SEC);
	assert_int_equal(get(C) & AF, AF);
}

/* The flag rises without AIE, also when nobody looked for longer than a day. */
static void alarm_flag_after_days(void **state)
{
	(void)state;
	set_alarm(0x23, 0x59, 0x58);
	set(A, 0x20);
	pass(86399 * SEC);
	assert_int_equal(get(C), UF);
	pass(10 * 86400 * SEC);
	assert_int_equal(get(C), UF | AF);
	set_alarm(0x25, 0x00, 0x00);
	pass(10 * 86400 * SEC);
	assert_int_equal(get(C), UF);
}

/* The host's clock may be set back (or forth) at any time. */
static void host_clock_may_jump(void **state)
{
	(void)state;
	set(B, UIE | H24);
	host.wall -= 3600 * SEC;
	assert_int_equal(get(HOURS), 0x22);
	assert_false(host.line);
	host.wall += 7200 * SEC;
	assert_int_equal(get(HOURS), 0x00);
	assert_true(host.line);
}

#define T(f) cmocka_unit_test_setup(f, setup)

TEST_MAIN(T(update_flag_without_interrupt), T(update_interrupt), T(unread_flags_hold_the_line),
	  T(set_bit_clears_uie), T(periodic_rates), T(late_periodic_ticks_coalesce),
	  T(alarm_interrupt), T(alarm_dont_care_bytes), T(alarm_in_twelve_hour_mode),
	  T(alarm_flag_after_days), T(host_clock_may_jump))

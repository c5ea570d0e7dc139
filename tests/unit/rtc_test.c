// SPDX-License-Identifier: MIT
/* The real-time clock against the MC146818 data sheet ("DS"). The host's clocks are made up. */
#include <string.h>

#include "test.h"
#include "devices/rtc.h"

#define BASE  0x70
#define SEC   1000000000ull
#define NEVER UINT64_MAX

/* 2024-02-29 23:59:58 UTC, a Thursday. */
#define LEAP_DAY 1709251198ull

enum { SECONDS, SEC_ALARM, MINUTES, MIN_ALARM, HOURS, HOUR_ALARM, WEEKDAY, DAY, MONTH, YEAR };
enum { A = 0x0a, B, C, D, SHUTDOWN = 0x0f, CENTURY = 0x32 };

#define UIP 0x80
#define SET 0x80
#define PIE 0x40
#define AIE 0x20
#define UIE 0x10
#define DM  0x04
#define H24 0x02
#define PF  0x40
#define AF  0x20
#define UF  0x10
#define IRQ 0x80

static struct rtc r;
static struct {
	uint64_t now, wall, armed;
	bool line;
	unsigned rises;
} host;

static void set_line(void *ctx, unsigned gsi, bool level)
{
	(void)ctx;
	assert_int_equal(gsi, 8);
	host.rises += level && !host.line;
	host.line = level;
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return host.now;
}

static uint64_t wall(void *ctx)
{
	(void)ctx;
	return host.wall;
}

static void arm(void *ctx, uint64_t deadline_ns)
{
	(void)ctx;
	host.armed = deadline_ns;
}

static void create(uint64_t ram_low, uint64_t ram_high)
{
	const struct irq_line irq = {set_line, NULL, 8};
	const struct rtc_host h = {now, wall, arm, NULL};

	rtc_init(&r, BASE, &irq, &h, ram_low, ram_high);
}

static int setup(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	host.now = 5 * SEC;
	host.wall = LEAP_DAY * SEC;
	host.armed = NEVER;
	create(64 << 20, 0);
	return 0;
}

static uint8_t get(uint8_t reg)
{
	r.dev.ops->write(&r.dev, BASE, 1, reg);
	return (uint8_t)r.dev.ops->read(&r.dev, BASE + 1, 1);
}

static void set(uint8_t reg, uint8_t value)
{
	r.dev.ops->write(&r.dev, BASE, 1, reg);
	r.dev.ops->write(&r.dev, BASE + 1, 1, value);
}

/* Time passes, and the timer fires where it was asked for. */
static void pass(uint64_t ns)
{
	uint64_t end = host.now + ns;

	while (host.armed <= end) {
		uint64_t step = host.armed > host.now ? host.armed - host.now : 0;

		host.now += step;
		host.wall += step;
		host.armed = NEVER;
		rtc_timer(&r);
	}
	host.wall += end - host.now;
	host.now = end;
}

static void expect_time(const char *hex)
{
	static const uint8_t regs[] = {CENTURY, YEAR, MONTH, DAY, WEEKDAY, HOURS, MINUTES, SECONDS};

	for (unsigned i = 0; i < sizeof(regs); i++)
		assert_int_equal(get(regs[i]), (uint8_t)hex[i]);
}

/* DS "Time, calendar": BCD and 24 hours, as firmware leaves it; UTC of the host. */
static void time_is_the_hosts_in_bcd(void **state)
{
	(void)state;
	expect_time("\x20\x24\x02\x29\x05\x23\x59\x58");
	pass(2 * SEC);
	expect_time("\x20\x24\x03\x01\x06\x00\x00\x00");
}

/* DS register B, DM. */
static void binary_mode(void **state)
{
	(void)state;
	set(B, DM | H24);
	expect_time("\x14\x18\x02\x1d\x05\x17\x3b\x3a");
}

/* DS register B, 24/12: 12 is midnight and noon, bit 7 is PM. */
static void twelve_hour_mode(void **state)
{
	static const uint8_t bcd[24] = {0x12, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
					0x08, 0x09, 0x10, 0x11, 0x92, 0x81, 0x82, 0x83,
					0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x90, 0x91};

	(void)state;
	host.wall = 1709164800ull * SEC; /* 2024-02-29 00:00 */
	set(B, 0);
	for (unsigned h = 0; h < 24; h++) {
		assert_int_equal(get(HOURS), bcd[h]);
		host.wall += 3600 * SEC;
	}
	for (unsigned h = 0; h < 24; h++) {
		set(B, 0);
		set(HOURS, bcd[h]);
		set(B, H24 | DM);
		assert_int_equal(get(HOURS), h);
	}
}

static void write_date(void)
{
	set(SECONDS, 0x56);
	set(MINUTES, 0x34);
	set(HOURS, 0x12);
	set(DAY, 0x25);
	set(MONTH, 0x12);
	set(YEAR, 0x99);
	set(CENTURY, 0x19);
}

/* DS register B, SET: the calendar stands still while it is set up, and goes on from there. */
static void set_bit_stops_the_calendar(void **state)
{
	(void)state;
	set(B, SET | H24);
	pass(10 * SEC);
	expect_time("\x20\x24\x02\x29\x05\x23\x59\x58");
	write_date();
	pass(10 * SEC);
	assert_int_equal(get(SECONDS), 0x56);
	set(B, H24);
	pass(5 * SEC);
	expect_time("\x19\x99\x12\x25\x07\x12\x35\x01");
}

/* A write takes effect at once also without SET. */
static void time_can_be_set_on_the_run(void **state)
{
	(void)state;
	set(HOURS, 0x07);
	set(CENTURY, 0x21);
	pass(SEC);
	assert_int_equal(get(HOURS), 0x07);
	assert_int_equal(get(CENTURY), 0x21);
	assert_int_equal(get(SECONDS), 0x59);
}

/* A guest's garbage is carried over into a valid date. */
static void garbage_is_normalised(void **state)
{
	(void)state;
	set(B, SET | H24);
	for (uint8_t reg = 0; reg < A; reg++)
		set(reg, 0xff);
	set(CENTURY, 0xff);
	set(B, H24);
	assert_true((get(MONTH) & 0xf) <= 9 && get(MONTH) >= 1 && get(MONTH) <= 0x12);
	for (uint8_t reg = 0; reg < A; reg++)
		set(reg, 0);
	set(CENTURY, 0);
	assert_true(get(DAY) >= 1 && get(DAY) <= 0x31);
}

/* DS register A: out of the divider's reset, the first update comes after half a second. */
static void divider_reset_restarts_the_second(void **state)
{
	(void)state;
	host.wall += 900000000;
	set(A, 0x70);
	set(C, 0);
	get(C);
	pass(5 * SEC);
	assert_int_equal(get(SECONDS), 0x58);
	assert_int_equal(get(C), 0);
	set(A, 0x20);
	pass(SEC / 2 - 1);
	assert_int_equal(get(SECONDS), 0x58);
	pass(1);
	assert_int_equal(get(SECONDS), 0x59);
	assert_int_equal(get(C), UF);
}

/* DS register A, UIP: set before the update, for t_BUC + t_UC; clear while SET is. */
static void uip_precedes_the_update(void **state)
{
	(void)state;
	assert_int_equal(get(A), 0x26);
	pass(SEC - 2228001);
	assert_int_equal(get(A), 0x26);
	pass(1);
	assert_int_equal(get(A), UIP | 0x26);
	set(B, SET | H24);
	assert_int_equal(get(A), 0x26);
	set(B, H24);
	pass(2228000);
	assert_int_equal(get(A), 0x26);
}

/* DS registers A, C and D: UIP, the flags and VRT are read-only. */
static void status_bits_are_read_only(void **state)
{
	(void)state;
	set(A, 0xa6);
	assert_int_equal(get(A), 0x26);
	set(C, 0xff);
	assert_int_equal(get(C), 0);
	set(D, 0);
	assert_int_equal(get(D), 0x80);
}

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

/* The time before 1970, which a guest may set. */
static void dates_before_1970(void **state)
{
	(void)state;
	set(B, SET | H24);
	write_date();
	set(YEAR, 0x01);
	set(B, H24);
	set_alarm(0x12, 0x35, 0x00);
	pass(4 * SEC);
	expect_time("\x19\x01\x12\x25\x04\x12\x35\x00");
	assert_int_equal(get(C) & AF, AF);
}

/* DS "RESET": enables and flags only. The CMOS, shutdown status among it, has a battery. */
static void resets_keep_the_cmos(void **state)
{
	static const enum reset_kind kinds[] = {RESET_HARD, RESET_KBC, RESET_TRIPLE_FAULT,
						RESET_HOST};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		set(SHUTDOWN, 0x0a);
		set(HOURS, 0x07);
		set(MINUTES, 0x30);
		set(B, PIE | AIE | UIE | 0x08 | DM | H24);
		pass(SEC);
		assert_true(host.line);
		r.dev.ops->reset(&r.dev, kinds[i]);
		assert_false(host.line);
		assert_int_equal(get(SHUTDOWN), 0x0a);
		assert_int_equal(get(B), DM | H24);
		assert_int_equal(get(C), 0);
		assert_int_equal(get(HOURS), 0x07);
	}
}

/* A soft reset and an INIT reach CPUs alone. */
static void cpu_resets_leave_the_rtc_alone(void **state)
{
	(void)state;
	set(B, UIE | H24);
	pass(SEC);
	r.dev.ops->reset(&r.dev, RESET_SOFT);
	r.dev.ops->reset(&r.dev, RESET_INIT);
	assert_true(host.line);
	assert_int_equal(get(B), UIE | H24);
}

static void power_on_starts_afresh(void **state)
{
	(void)state;
	set(SHUTDOWN, 0x0a);
	set(HOURS, 0x11);
	r.dev.ops->reset(&r.dev, RESET_POWER_ON);
	assert_int_equal(get(SHUTDOWN), 0);
	assert_int_equal(get(HOURS), 0x23);
	assert_int_equal(get(0x17) | get(0x18) << 8, 63 << 10);
}

/* All 128 bytes can be reached; port 0x70 bit 7 is not part of the index. */
static void cmos_has_128_bytes(void **state)
{
	(void)state;
	for (unsigned i = SHUTDOWN; i < RTC_CMOS; i++)
		if (i != CENTURY)
			set((uint8_t)(i | 0x80), (uint8_t)~i);
	for (unsigned i = SHUTDOWN; i < RTC_CMOS; i++)
		if (i != CENTURY)
			assert_int_equal(get((uint8_t)i), (uint8_t)~i);
	assert_int_equal(r.dev.ops->read(&r.dev, BASE, 1), 0xff);
}

static unsigned get24(uint8_t reg)
{
	return get(reg) | (unsigned)get(reg + 1) << 8 | (unsigned)get(reg + 2) << 16;
}

/* What PC firmware stores: KiB below 640 KiB and above 1 MiB, 64 KiB blocks above 16 MiB, 4 GiB. */
static void memory_sizes(void **state)
{
	static const struct {
		uint64_t low, high;
		unsigned ext_kb, ext_64kb, high_64kb;
	} t[] = {
		{1 << 20, 0, 0, 0, 0},
		{16 << 20, 0, 15 << 10, 0, 0},
		{64 << 20, 0, 63 << 10, 48 << 4, 0},
		{0xc0000000, 5ull << 30, 0xffff, (3072 - 16) << 4, 5 << 14},
		{0xc0000000, 1ull << 50, 0xffff, (3072 - 16) << 4, 0xffffff},
	};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		create(t[i].low, t[i].high);
		assert_int_equal(get24(0x15) & 0xffff, 640);
		assert_int_equal(get24(0x17) & 0xffff, t[i].ext_kb);
		assert_int_equal(get24(0x30) & 0xffff, t[i].ext_kb);
		assert_int_equal(get24(0x34) & 0xffff, t[i].ext_64kb);
		assert_int_equal(get24(0x5b), t[i].high_64kb);
	}
}

#define T(f) cmocka_unit_test_setup(f, setup)

TEST_MAIN(T(time_is_the_hosts_in_bcd), T(binary_mode), T(twelve_hour_mode),
	  T(set_bit_stops_the_calendar), T(time_can_be_set_on_the_run), T(garbage_is_normalised),
	  T(divider_reset_restarts_the_second), T(uip_precedes_the_update),
	  T(status_bits_are_read_only), T(update_flag_without_interrupt), T(update_interrupt),
	  T(unread_flags_hold_the_line), T(set_bit_clears_uie), T(periodic_rates),
	  T(late_periodic_ticks_coalesce), T(alarm_interrupt), T(alarm_dont_care_bytes),
	  T(alarm_in_twelve_hour_mode), T(alarm_flag_after_days), T(host_clock_may_jump),
	  T(dates_before_1970), T(resets_keep_the_cmos), T(cpu_resets_leave_the_rtc_alone),
	  T(power_on_starts_afresh), T(cmos_has_128_bytes), T(memory_sizes))

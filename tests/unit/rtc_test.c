// SPDX-License-Identifier: MIT
/* The RTC's calendar and CMOS against the MC146818 data sheet ("DS"). */
#include "rtc_rig.h"

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

/* The time before 1970, which a guest may set. */
static void dates_before_1970(void **state)
{
	(void)state;
	set(B, SET | H24);
	write_date();
	set(YEAR, 0x01);
	set(B, H24);
	set(HOUR_ALARM, 0x12);
	set(MIN_ALARM, 0x35);
	pass(4 * SEC);
	expect_time("\x19\x01\x12\x25\x04\x12\x35\x00");
	assert_int_equal(get(C) & AF, AF);
}

/* DS "RESET": enables and flags only. The CMOS has a battery. */
static void resets_keep_the_cmos(void **state)
{
	static const enum reset_kind kinds[] = {RESET_HARD, RESET_KBC, RESET_TRIPLE_FAULT,
						RESET_HOST};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned reg = SHUTDOWN - 1; reg < RTC_CMOS; reg++)
			if (reg != SHUTDOWN && reg != CENTURY)
				set((uint8_t)reg, (uint8_t)(reg ^ i));
		set(HOURS, 0x07);
		set(MINUTES, 0x30);
		set(B, PIE | AIE | UIE | 0x08 | DM | H24);
		pass(SEC);
		assert_true(host.line);
		r.dev.ops->reset(&r.dev, kinds[i]);
		assert_false(host.line);
		assert_int_equal(get(B), DM | H24);
		assert_int_equal(get(C), 0);
		assert_int_equal(get(HOURS), 0x07);
		for (unsigned reg = SHUTDOWN - 1; reg < RTC_CMOS; reg++)
			if (reg != SHUTDOWN && reg != CENTURY)
				assert_int_equal(get((uint8_t)reg), (uint8_t)(reg ^ i));
	}
}

/* The shutdown byte is for warm resets: a cold one leaves no vector in RAM to jump through. */
static void cold_resets_clear_the_shutdown_byte(void **state)
{
	static const struct {
		enum reset_kind kind;
		bool cold;
	} t[] = {
		{RESET_HARD, true},
		{RESET_HOST, true},
		{RESET_KBC, false},
		{RESET_TRIPLE_FAULT, false},
	};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		set(SHUTDOWN, 0x0a);
		r.dev.ops->reset(&r.dev, t[i].kind);
		assert_int_equal(get(SHUTDOWN), t[i].cold ? 0 : 0x0a);
	}
}

/* IBM PC/AT BIOS: 5 and 0x0a go on through the vector at 40:67, nothing else does. */
static void shutdown_bytes_of_the_warm_vector(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		set(SHUTDOWN, (uint8_t)byte);
		assert_int_equal(rtc_warm_vector(&r), byte == 0x05 || byte == 0x0a);
	}
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
	  T(status_bits_are_read_only), T(dates_before_1970), T(resets_keep_the_cmos),
	  T(cold_resets_clear_the_shutdown_byte), T(shutdown_bytes_of_the_warm_vector),
	  T(power_on_starts_afresh), T(cmos_has_128_bytes), T(memory_sizes))

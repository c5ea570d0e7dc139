// SPDX-License-Identifier: MIT
/*
 * The 8254 against Intel's 82C54 data sheet (231244). The timing diagrams there (figures 15 to 20)
 * are copied out as one character of OUT and one LSB of the count for each CLK pulse.
 */
#include "test.h"

#include <string.h>

#include "chips/pit.h"

/* Channel 2 in all six modes, as it is the one with a gate. */
struct rig {
	struct pit pit;
	uint64_t clk;
	uint64_t now;
};

static uint64_t ns_at(uint64_t clk)
{
	return (uint64_t)(((unsigned __int128)clk * 1000000000u + PIT_HZ - 1) / PIT_HZ);
}

static void go(struct rig *r, uint64_t clks)
{
	r->clk += clks;
	r->now = ns_at(r->clk);
}

static void out8(struct rig *r, uint16_t port, uint8_t value)
{
	pit_write(&r->pit, port, value, r->now);
}

static uint8_t in8(struct rig *r, uint16_t port)
{
	return pit_read(&r->pit, port, r->now);
}

static void gate(struct rig *r, bool level)
{
	out8(r, 0x61, level);
}

static bool out2(struct rig *r)
{
	return pit_out(&r->pit, 2, r->now);
}

static void start(struct rig *r, bool gate_level)
{
	r->clk = 1000;
	r->now = ns_at(r->clk);
	pit_reset(&r->pit, r->now);
	gate(r, gate_level);
}

/* The control word of a figure, for counter 0 there, and the LSB that it writes. */
static void program(struct rig *r, uint8_t cw, uint8_t lsb)
{
	out8(r, 0x43, cw | 0x80);
	out8(r, 0x42, lsb);
}

/* One pulse for each character: H or L is OUT after it, counts[] the LSB of the count. */
static void diagram_at(struct rig *r, const char *levels, const uint8_t *counts, int line)
{
	for (size_t i = 0; levels[i]; i++) {
		uint8_t count;

		go(r, 1);
		out8(r, 0x43, 0x80);
		count = in8(r, 0x42);
		if (out2(r) != (levels[i] == 'H') || count != counts[i])
			fail_msg("line %d, pulse %zu: OUT %d, count %#x", line, i + 1, out2(r),
				 count);
	}
}
#define diagram(r, levels, ...) diagram_at(r, levels, (const uint8_t[]){__VA_ARGS__}, __LINE__)

static uint8_t status2(struct rig *r)
{
	out8(r, 0x43, 0xe8);
	return in8(r, 0x42);
}

/* Programs channel 0 with a two-byte count. */
static void channel0(struct rig *r, uint8_t mode, uint16_t count)
{
	out8(r, 0x43, (uint8_t)(0x30 | mode << 1));
	out8(r, 0x40, (uint8_t)count);
	out8(r, 0x40, (uint8_t)(count >> 8));
}

/* --- modes */

/* Figure 15: low until N + 1 pulses after the write; then the count wraps and OUT stays. */
static void mode0_terminal_count(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x10, 4);
	assert_false(out2(&r));
	diagram(&r, "LLLLHHH", 4, 3, 2, 1, 0, 0xff, 0xfe);
	go(&r, 1000000);
	assert_true(out2(&r));
	out8(&r, 0x43, 0x90);
	assert_false(out2(&r));
}

/* Figure 15: GATE low holds the count, but does not hold off loading it. */
static void mode0_gate_level(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x10, 3);
	diagram(&r, "LL", 3, 2);
	gate(&r, false);
	diagram(&r, "LL", 2, 2);
	gate(&r, true);
	diagram(&r, "LHH", 1, 0, 0xff);

	start(&r, false);
	program(&r, 0x10, 2);
	diagram(&r, "LLL", 2, 2, 2);
	gate(&r, true);
	diagram(&r, "LHH", 1, 0, 0xff);
}

/* Figure 15: a new count is loaded by the next pulse, and OUT is low from the write on. */
static void mode0_new_count(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x10, 3);
	diagram(&r, "LLL", 3, 2, 1);
	out8(&r, 0x42, 2);
	diagram(&r, "LLHH", 2, 1, 0, 0xff);
	out8(&r, 0x42, 1);
	assert_false(out2(&r));
	diagram(&r, "LH", 1, 0);
}

/* "Mode 0": the first of two bytes stops the count and sets OUT low, the second lets it go. */
static void mode0_two_byte_write_stops(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x30, 2);
	out8(&r, 0x42, 0);
	diagram(&r, "L", 2);
	(void)in8(&r, 0x42);
	go(&r, 2);
	assert_true(out2(&r));
	out8(&r, 0x42, 5);
	assert_false(out2(&r));
	go(&r, 100);
	assert_false(out2(&r));
	out8(&r, 0x42, 0);
	go(&r, 5);
	assert_false(out2(&r));
	go(&r, 1);
	assert_true(out2(&r));
}

/* Figure 16: the trigger loads, OUT is low for N pulses, and can be triggered again. */
static void mode1_one_shot(void **state)
{
	struct rig r;

	(void)state;
	start(&r, false);
	program(&r, 0x12, 3);
	go(&r, 10);
	assert_true(out2(&r));
	gate(&r, true);
	gate(&r, false);
	assert_true(out2(&r));
	diagram(&r, "LLLHH", 3, 2, 1, 0, 0xff);
	gate(&r, true);
	diagram(&r, "LL", 3, 2);
	gate(&r, false);
	gate(&r, true);
	diagram(&r, "LLLH", 3, 2, 1, 0);
}

/* Figure 16: a count written during the pulse is used at the next trigger. */
static void mode1_new_count(void **state)
{
	struct rig r;

	(void)state;
	start(&r, false);
	program(&r, 0x12, 2);
	gate(&r, true);
	diagram(&r, "L", 2);
	out8(&r, 0x42, 4);
	gate(&r, false);
	diagram(&r, "LHH", 1, 0, 0xff);
	gate(&r, true);
	diagram(&r, "LLLLH", 4, 3, 2, 1, 0);
}

/* "Mode 1": the counter is armed by a count; a trigger before that does nothing. */
static void mode1_trigger_without_count(void **state)
{
	struct rig r;

	(void)state;
	start(&r, false);
	out8(&r, 0x43, 0x92);
	gate(&r, true);
	go(&r, 5);
	out8(&r, 0x42, 2);
	go(&r, 5);
	assert_true(out2(&r));
}

/* Figure 17: low for one pulse, when the count is 1; period N. */
static void mode2_rate(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x14, 3);
	assert_true(out2(&r));
	diagram(&r, "HHLHHLH", 3, 2, 1, 3, 2, 1, 3);
	/* "Control Word Format": mode 6 is mode 2. */
	program(&r, 0x1c, 3);
	diagram(&r, "HHLH", 3, 2, 1, 3);
}

/* Figure 17: GATE low stops and lifts OUT at once, its edge starts over. */
static void mode2_gate(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x14, 3);
	diagram(&r, "HH", 3, 2);
	gate(&r, false);
	diagram(&r, "HH", 2, 2);
	gate(&r, true);
	diagram(&r, "HHL", 3, 2, 1);
	gate(&r, false);
	assert_true(out2(&r));
	diagram(&r, "HH", 1, 1);
	gate(&r, true);
	diagram(&r, "HHLH", 3, 2, 1, 3);
}

/* Figure 17: a new count waits for the end of the period, or for a trigger. */
static void mode2_new_count(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x14, 4);
	diagram(&r, "HH", 4, 3);
	out8(&r, 0x42, 5);
	diagram(&r, "HLHH", 2, 1, 5, 4);
	out8(&r, 0x42, 3);
	gate(&r, false);
	gate(&r, true);
	diagram(&r, "HHLH", 3, 2, 1, 3);
}

/* Table "Minimum and maximum initial counts": 1 is not allowed; here OUT then stays high. */
static void count_of_one_in_modes_2_and_3(void **state)
{
	struct rig r;

	(void)state;
	for (uint8_t cw = 0x14; cw <= 0x16; cw += 2) {
		start(&r, true);
		program(&r, cw, 1);
		for (unsigned i = 0; i < 10; i++) {
			go(&r, 1);
			assert_true(out2(&r));
		}
		out8(&r, 0x42, 2);
		go(&r, 2);
		assert_false(out2(&r));
		go(&r, 1);
		assert_true(out2(&r));
		out8(&r, 0x42, 1);
		go(&r, 2);
		for (unsigned i = 0; i < 10; i++) {
			go(&r, 1);
			assert_true(out2(&r));
		}
	}
}

/* Figure 18: even counts: N/2 high, N/2 low, counting by two. */
static void mode3_even(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x16, 4);
	diagram(&r, "HHLLHHLLH", 4, 2, 4, 2, 4, 2, 4, 2, 4);
	/* "Control Word Format": mode 7 is mode 3. */
	program(&r, 0x1e, 4);
	diagram(&r, "HHLLH", 4, 2, 4, 2, 4);
}

/* Figure 18: odd counts: (N + 1)/2 high, (N - 1)/2 low, loaded as N - 1. */
static void mode3_odd(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x16, 5);
	diagram(&r, "HHHLLHHHLLH", 4, 2, 0, 4, 2, 4, 2, 0, 4, 2, 4);
	program(&r, 0x16, 3);
	diagram(&r, "HHLHHLH", 2, 0, 2, 2, 0, 2, 2);
}

/* Figure 18: GATE low while OUT is low lifts OUT at once, its edge starts over. */
static void mode3_gate(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x16, 4);
	diagram(&r, "HHL", 4, 2, 4);
	gate(&r, false);
	assert_true(out2(&r));
	diagram(&r, "HH", 4, 4);
	gate(&r, true);
	diagram(&r, "HHLLH", 4, 2, 4, 2, 4);
}

/* "Mode 3": a new count waits for the end of the half-cycle, or for a trigger. */
static void mode3_new_count(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x16, 6);
	diagram(&r, "H", 6);
	out8(&r, 0x42, 4);
	diagram(&r, "HHLLHH", 4, 2, 4, 2, 4, 2);
	out8(&r, 0x42, 8);
	gate(&r, false);
	gate(&r, true);
	diagram(&r, "HHHHL", 8, 6, 4, 2, 8);
}

/* Figure 19: N + 1 pulses after the write OUT is low for one pulse, once. */
static void mode4_software_strobe(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x18, 3);
	assert_true(out2(&r));
	diagram(&r, "HHHLHHH", 3, 2, 1, 0, 0xff, 0xfe, 0xfd);
	for (unsigned i = 0; i < 70000; i += 7) {
		go(&r, 7);
		assert_true(out2(&r));
	}
}

/* Figure 19: GATE low holds the count and has no effect on OUT. */
static void mode4_gate(void **state)
{
	struct rig r;

	(void)state;
	start(&r, false);
	program(&r, 0x18, 3);
	diagram(&r, "HHH", 3, 3, 3);
	gate(&r, true);
	diagram(&r, "HHL", 2, 1, 0);
	gate(&r, false);
	assert_false(out2(&r));
	diagram(&r, "HH", 0, 0);
	gate(&r, true);
	diagram(&r, "H", 0xff);
}

/* Figure 19: a new count is loaded by the next pulse, also out of a strobe. */
static void mode4_new_count(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x18, 3);
	diagram(&r, "HHH", 3, 2, 1);
	out8(&r, 0x42, 2);
	diagram(&r, "HHL", 2, 1, 0);
	out8(&r, 0x42, 1);
	assert_false(out2(&r));
	diagram(&r, "HLH", 1, 0, 0xff);
}

/* "Mode 4": the first of two bytes has no effect on counting. */
static void mode4_two_byte_write_goes_on(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x38, 3);
	out8(&r, 0x42, 0);
	go(&r, 2);
	out8(&r, 0x42, 9);
	go(&r, 2);
	assert_false(out2(&r));
}

/* Figure 20: the trigger loads; N + 1 pulses after it OUT is low for one pulse. */
static void mode5_hardware_strobe(void **state)
{
	struct rig r;

	(void)state;
	start(&r, false);
	program(&r, 0x1a, 3);
	go(&r, 10);
	gate(&r, true);
	gate(&r, false);
	diagram(&r, "HHHLHH", 3, 2, 1, 0, 0xff, 0xfe);
	gate(&r, true);
	diagram(&r, "HH", 3, 2);
	gate(&r, false);
	gate(&r, true);
	out8(&r, 0x42, 5);
	diagram(&r, "HHHHHLH", 5, 4, 3, 2, 1, 0, 0xff);
}

/* --- counts, latches, status */

/* "Write Operations": RW picks the byte, the other is 0; count 0 is the highest count. */
static void write_formats(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x24, 0x12); /* MSB only */
	go(&r, 1);
	assert_int_equal(in8(&r, 0x42), 0x12);
	go(&r, 0x1200 - 1);
	assert_false(out2(&r));
	program(&r, 0x30, 0);
	out8(&r, 0x42, 0);
	go(&r, 65536);
	assert_false(out2(&r));
	go(&r, 1);
	assert_true(out2(&r));
}

/* "BCD": four decades; 0 is 10000, and 0000 is followed by 9999. */
static void bcd_counts(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x31, 0x01);
	out8(&r, 0x42, 0x10); /* 1001 */
	diagram(&r, "L", 0x01);
	assert_int_equal(in8(&r, 0x42), 0x10);
	diagram(&r, "L", 0x00);
	(void)in8(&r, 0x42);
	diagram(&r, "L", 0x99);
	assert_int_equal(in8(&r, 0x42), 0x09);
	go(&r, 999);
	assert_true(out2(&r));
	diagram(&r, "H", 0x99);
	assert_int_equal(in8(&r, 0x42), 0x99);
	program(&r, 0x11, 0);
	go(&r, 10000);
	assert_false(out2(&r));
	go(&r, 1);
	assert_true(out2(&r));
	/* Digits above 9 are undefined, so any count in range will do. */
	program(&r, 0x31, 0xff);
	out8(&r, 0x42, 0xff);
	go(&r, 10001);
	assert_true(out2(&r));
}

/* "Counter Latch Command": held until read; a second command before that is ignored. */
static void counter_latch(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x34, 0x00);
	out8(&r, 0x42, 0x02);
	go(&r, 2); /* 0x1ff */
	out8(&r, 0x43, 0x80);
	go(&r, 0x100);
	out8(&r, 0x43, 0x80);
	assert_int_equal(in8(&r, 0x42), 0xff);
	go(&r, 1);
	assert_int_equal(in8(&r, 0x42), 0x01);
	assert_int_equal(in8(&r, 0x42), 0xfe);
	assert_int_equal(in8(&r, 0x42), 0x00);
	out8(&r, 0x43, 0x80);
	program(&r, 0x14, 0x20); /* a control word releases the latch */
	go(&r, 2);
	assert_int_equal(in8(&r, 0x42), 0x1f);
}

/* "Counter Latch Command": reads and writes of the two bytes may be interleaved. */
static void interleaved_read_and_write(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x34, 0x34);
	out8(&r, 0x42, 0x12);
	go(&r, 1);
	assert_int_equal(in8(&r, 0x42), 0x34);
	out8(&r, 0x42, 0x78);
	assert_int_equal(in8(&r, 0x42), 0x12);
	out8(&r, 0x42, 0x56);
	go(&r, 0x1234);
	assert_int_equal(in8(&r, 0x42), 0x78);
	assert_int_equal(in8(&r, 0x42), 0x56);
}

/* "Read-Back Command": OUT, NULL COUNT and the control word as written. */
static void read_back_status(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	out8(&r, 0x43, 0xbd); /* mode 6, BCD, two bytes */
	assert_int_equal(status2(&r), 0xc0 | 0x3d);
	out8(&r, 0x42, 0x05);
	go(&r, 3);
	assert_int_equal(status2(&r), 0xc0 | 0x3d);
	out8(&r, 0x42, 0x00);
	assert_int_equal(status2(&r), 0xc0 | 0x3d);
	go(&r, 1);
	assert_int_equal(status2(&r), 0x80 | 0x3d);
	go(&r, 4);
	assert_int_equal(status2(&r), 0x3d);
	/* NULL COUNT with the second byte of a new count, until the period has ended. */
	out8(&r, 0x42, 0x07);
	assert_int_equal(status2(&r), 0x3d);
	out8(&r, 0x42, 0x00);
	assert_int_equal(status2(&r), 0x40 | 0x3d);
	go(&r, 1);
	assert_int_equal(status2(&r), 0x80 | 0x3d);
}

/* Figure "Read-back command example": status first, then the count; repeats are ignored. */
static void read_back_latches(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	program(&r, 0x34, 0x10);
	out8(&r, 0x42, 0x00);
	go(&r, 1);
	out8(&r, 0x43, 0xe8); /* status of 2 */
	out8(&r, 0x43, 0xd8); /* count of 2 */
	out8(&r, 0x43, 0xd6); /* count of 0 and 1 */
	go(&r, 15);
	assert_false(out2(&r));
	out8(&r, 0x43, 0xce); /* everything, of all: nothing new for 2 */
	assert_int_equal(in8(&r, 0x42), 0xb4);
	assert_int_equal(in8(&r, 0x42), 0x10);
	assert_int_equal(in8(&r, 0x42), 0x00);
	assert_int_equal(in8(&r, 0x42), 0x01);
	assert_int_equal(in8(&r, 0x40), 0x40 | 0x30);
	out8(&r, 0x43, 0xf8); /* neither: no effect */
	assert_int_equal(in8(&r, 0x42), 0x00);
	assert_int_equal(in8(&r, 0x42), 0x01);
}

/* The control word register cannot be read; other ports are nobody's. */
static void unreadable_ports(void **state)
{
	struct rig r;

	(void)state;
	start(&r, true);
	assert_int_equal(in8(&r, 0x43), 0xff);
	assert_int_equal(in8(&r, 0x44), 0xff);
	out8(&r, 0x44, 0xff);
	assert_false(pit_out(&r.pit, 3, r.now));
	assert_false(pit_out(&r.pit, UINT32_MAX, r.now));
}

/* PC/AT port 0x61: bits 0 and 1 as written, 4 toggles every 15.085 us, 5 is OUT of channel 2. */
static void port61(void **state)
{
	struct rig r;
	unsigned toggles = 0;
	uint8_t last;

	(void)state;
	start(&r, false);
	out8(&r, 0x61, 0xff);
	assert_int_equal(in8(&r, 0x61) & 0xcf, 0x03);
	program(&r, 0x10, 100);
	assert_int_equal(in8(&r, 0x61) & 0x2f, 0x03);
	go(&r, 101);
	assert_int_equal(in8(&r, 0x61) & 0x2f, 0x23);

	last = in8(&r, 0x61);
	for (unsigned i = 0; i < 10000; i++, r.now += 1000) {
		uint8_t v = in8(&r, 0x61);

		toggles += (v ^ last) >> 4 & 1;
		last = v;
	}
	assert_in_range(toggles, 10000000 / 15086, 10000000 / 15085 + 1);
}

/* --- time */

/* Channel 0's rising edges over a long step, and over a day's worth of odd small ones. */
static void advance_counts_edges(void **state)
{
	static const struct {
		uint8_t mode;
		uint16_t count;
	} cases[] = {{2, 11932}, {3, 11932}, {3, 11931}, {2, 2}, {3, 3}};
	bool level;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t n = cases[i].count, sum = 0;
		struct rig r;

		start(&r, false);
		channel0(&r, cases[i].mode, cases[i].count);
		assert_int_equal(pit_advance(&r.pit, r.now, &level), 1); /* the control word */
		assert_true(level);
		go(&r, 1 + 1000 * n - 1);
		assert_int_equal(pit_advance(&r.pit, r.now, &level), 999);
		assert_false(level);
		go(&r, 1);
		assert_int_equal(pit_advance(&r.pit, r.now, &level), 1);
		assert_true(level);
		assert_int_equal(pit_advance(&r.pit, r.now, &level), 0);

		go(&r, 50000 * n);
		for (uint64_t t = ns_at(r.clk - 50000 * n); t < r.now; t += 999999 + n % 7)
			sum += pit_advance(&r.pit, t, &level);
		sum += pit_advance(&r.pit, r.now, &level);
		assert_int_equal(sum, 50000);
	}
}

/* An edge that a register access passes over is reported afterwards. */
static void accesses_keep_edges(void **state)
{
	struct rig r;
	bool level;

	(void)state;
	start(&r, false);
	channel0(&r, 0, 10);
	go(&r, 11);
	(void)in8(&r, 0x40);
	channel0(&r, 0, 10);
	assert_int_equal(pit_advance(&r.pit, r.now, &level), 1);
	assert_false(level);
}

/* 2^64 ns are 584 years: the period has neither overflowed nor drifted by then. */
static void long_uptime_does_not_drift(void **state)
{
	uint64_t end = (uint64_t)((unsigned __int128)UINT64_MAX * PIT_HZ / 1000000000u);
	struct rig r;
	uint64_t edges, next;
	bool level;

	(void)state;
	r.clk = 0;
	r.now = 0;
	pit_reset(&r.pit, 0);
	channel0(&r, 2, 0);
	(void)pit_advance(&r.pit, 0, &level);
	edges = pit_advance(&r.pit, UINT64_MAX - 100000000, &level);
	next = pit_next_change(&r.pit, UINT64_MAX - 100000000);
	assert_int_equal(next, ns_at(1 + (edges + 1) * 65536 - 1));
	edges += pit_advance(&r.pit, UINT64_MAX, &level);
	assert_int_equal(edges, (end - 1) / 65536);
	assert_int_equal(pit_next_change(&r.pit, UINT64_MAX), PIT_NEVER);
	/* Time that runs backwards stands still. */
	assert_int_equal(pit_advance(&r.pit, 5, &level), 0);
	assert_int_equal(pit_next_change(&r.pit, 5), PIT_NEVER);
}

/* pit_next_change() names the very nanosecond, in each mode and from each phase of it. */
static void next_change_is_exact(void **state)
{
	(void)state;
	for (uint8_t mode = 0; mode < 6; mode++) {
		for (uint16_t count = 1; count < 8; count++) {
			struct rig r;
			unsigned changes = 0;
			uint64_t t;

			start(&r, false);
			channel0(&r, mode, count);
			t = pit_next_change(&r.pit, r.now);
			for (uint64_t clk = 0; clk < 40; clk++) {
				bool before = pit_out(&r.pit, 0, r.now);
				bool changed;

				go(&r, 1);
				assert_int_equal(pit_out(&r.pit, 0, r.now - 1), before);
				changed = pit_out(&r.pit, 0, r.now) != before;
				assert_int_equal(changed, t == r.now);
				changes += changed;
				if (changed || clk == 5)
					t = pit_next_change(&r.pit, r.now);
			}
			assert_int_equal(changes > 0, !(mode == 1 || mode == 5 ||
							((mode == 2 || mode == 3) && count == 1)));
		}
	}
	struct rig r;

	start(&r, false);
	assert_int_equal(pit_next_change(&r.pit, r.now), PIT_NEVER);
	/* A load in the middle of a strobe ends it. */
	channel0(&r, 4, 2);
	go(&r, 3);
	channel0(&r, 4, 2);
	/* The control word has lifted OUT; only a bare count leaves it low. */
	go(&r, 3);
	assert_false(pit_out(&r.pit, 0, r.now));
	out8(&r, 0x40, 9);
	out8(&r, 0x40, 0);
	assert_int_equal(pit_next_change(&r.pit, r.now), ns_at(r.clk + 1));
	/* A period that follows a count of 1. */
	channel0(&r, 2, 1);
	go(&r, 5);
	out8(&r, 0x40, 4);
	out8(&r, 0x40, 0);
	assert_int_equal(pit_next_change(&r.pit, r.now), ns_at(r.clk + 4));
}

/* --- random accesses */

static uint64_t rng_state;

static uint32_t rng(void)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng_state >> 32);
}

static uint64_t random_step(void)
{
	unsigned kind = rng() % 1000;

	if (kind < 500)
		return rng() % 2000;
	if (kind < 950)
		return rng() % 100000;
	if (kind < 999)
		return rng() % 100000000;
	return (uint64_t)rng() << 16;
}

static void random_access(struct pit *pit, uint64_t now)
{
	static const uint16_t ports[] = {0x40, 0x40, 0x41, 0x42, 0x42, 0x43, 0x61, 0x44};
	uint16_t port = ports[rng() % 8];

	if (rng() % 2)
		(void)pit_read(pit, port, now);
	else if (port != 0x43 && rng() % 2)
		pit_write(pit, port, rng() % 4, now);
	else
		pit_write(pit, port, (uint8_t)rng(), now);
}

/* Any accesses at any times: the next change lies ahead, and OUT does not change before it. */
static void random_accesses_make_progress(void **state)
{
	struct pit pit;
	uint64_t now = 0;
	bool level, again;

	(void)state;
	rng_state = 8254;
	pit_reset(&pit, 0);
	for (unsigned i = 0; i < 1000000; i++) {
		uint64_t next;

		now = UINT64_MAX - now < 1u << 30 ? now : now + random_step();
		random_access(&pit, now);
		pit_advance(&pit, now, &level);
		next = pit_next_change(&pit, now);
		assert_true(next > now);
		if (next == PIT_NEVER)
			continue;
		if (pit_out(&pit, 0, next - 1) != level || pit_out(&pit, 0, next) == level)
			fail_msg("step %u: OUT does not change at the time told", i);
		if (i % 3 == 0) {
			now = next;
			assert_true(pit_advance(&pit, now, &again) <= 1);
			assert_int_not_equal(again, level);
		}
	}
}

/* The same accesses seen pulse by pulse and in one step give the same chip. */
static void steps_do_not_matter(void **state)
{
	struct pit fine, coarse;
	uint64_t now = 12345;

	(void)state;
	rng_state = 1;
	memset(&fine, 0, sizeof(fine));
	memset(&coarse, 0, sizeof(coarse));
	pit_reset(&fine, now);
	pit_reset(&coarse, now);
	for (unsigned i = 0; i < 30000; i++) {
		uint64_t seed, end = now + rng() % 40000;
		uint64_t edges = 0;
		bool level, level2;

		for (; now < end; now += 700)
			edges += pit_advance(&fine, now, &level);
		now = end;
		seed = rng_state;
		random_access(&fine, now);
		rng_state = seed;
		random_access(&coarse, now);
		edges += pit_advance(&fine, now, &level);
		assert_int_equal(pit_advance(&coarse, now, &level2), edges);
		assert_int_equal(level, level2);
		for (unsigned c = 1; c < 3; c++) {
			assert_int_equal(pit_out(&fine, c, now), pit_out(&coarse, c, now));
			assert_int_equal(fine.ch[c].rises, coarse.ch[c].rises);
			assert_int_equal(fine.ch[c].value, coarse.ch[c].value);
		}
	}
}

TEST_MAIN(cmocka_unit_test(mode0_terminal_count), cmocka_unit_test(mode0_gate_level),
	  cmocka_unit_test(mode0_new_count), cmocka_unit_test(mode0_two_byte_write_stops),
	  cmocka_unit_test(mode1_one_shot), cmocka_unit_test(mode1_new_count),
	  cmocka_unit_test(mode1_trigger_without_count), cmocka_unit_test(mode2_rate),
	  cmocka_unit_test(mode2_gate), cmocka_unit_test(mode2_new_count),
	  cmocka_unit_test(count_of_one_in_modes_2_and_3), cmocka_unit_test(mode3_even),
	  cmocka_unit_test(mode3_odd), cmocka_unit_test(mode3_gate),
	  cmocka_unit_test(mode3_new_count), cmocka_unit_test(mode4_software_strobe),
	  cmocka_unit_test(mode4_gate), cmocka_unit_test(mode4_new_count),
	  cmocka_unit_test(mode4_two_byte_write_goes_on), cmocka_unit_test(mode5_hardware_strobe),
	  cmocka_unit_test(write_formats), cmocka_unit_test(bcd_counts),
	  cmocka_unit_test(counter_latch), cmocka_unit_test(interleaved_read_and_write),
	  cmocka_unit_test(read_back_status), cmocka_unit_test(read_back_latches),
	  cmocka_unit_test(unreadable_ports), cmocka_unit_test(port61),
	  cmocka_unit_test(advance_counts_edges), cmocka_unit_test(accesses_keep_edges),
	  cmocka_unit_test(long_uptime_does_not_drift), cmocka_unit_test(next_change_is_exact),
	  cmocka_unit_test(random_accesses_make_progress), cmocka_unit_test(steps_do_not_matter))

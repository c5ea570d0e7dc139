// SPDX-License-Identifier: MIT
/* Registers and time of the 8254, against Intel's 82C54 data sheet (231244). */
#include "test.h"

#include <string.h>

#include "pit_rig.h"

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
	program(&r, 0x14, 0x20);
	go(&r, 2);
	out8(&r, 0x43, 0xe8); /* the status alone leaves the count running */
	go(&r, 1);
	assert_int_equal(in8(&r, 0x42), 0x94);
	assert_int_equal(in8(&r, 0x42), 0x1e);
}

/* The board after a reset: OUT low, IRQ 0 quiet, the gates of 0 and 1 high and that of 2 low. */
static void reset_state(void **state)
{
	struct pit pit;

	(void)state;
	pit_reset(&pit, 0);
	assert_int_equal(pit_next_change(&pit, 0), PIT_NEVER);
	assert_int_equal(pit_read(&pit, 0x61, 0), 0);
	for (uint8_t i = 0; i < 3; i++) {
		assert_false(pit_out(&pit, i, 1000000));
		pit_write(&pit, 0x43, (uint8_t)(i << 6 | 0x10), 0);
		pit_write(&pit, 0x40 + i, 1, 0);
		assert_int_equal(pit_out(&pit, i, 1000000), i < 2);
	}
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
}

/* The cases of pit_next_change() that no fresh count leads to. */
static void next_change_after_a_new_count(void **state)
{
	struct rig r;

	(void)state;
	start(&r, false);
	assert_int_equal(pit_next_change(&r.pit, r.now), PIT_NEVER);
	/* A load in the middle of a strobe ends it. */
	channel0(&r, 4, 2);
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

TEST_MAIN(cmocka_unit_test(write_formats), cmocka_unit_test(bcd_counts),
	  cmocka_unit_test(counter_latch), cmocka_unit_test(interleaved_read_and_write),
	  cmocka_unit_test(read_back_status), cmocka_unit_test(read_back_latches),
	  cmocka_unit_test(reset_state), cmocka_unit_test(unreadable_ports),
	  cmocka_unit_test(port61), cmocka_unit_test(advance_counts_edges),
	  cmocka_unit_test(accesses_keep_edges), cmocka_unit_test(long_uptime_does_not_drift),
	  cmocka_unit_test(next_change_is_exact), cmocka_unit_test(next_change_after_a_new_count),
	  cmocka_unit_test(random_accesses_make_progress), cmocka_unit_test(steps_do_not_matter))

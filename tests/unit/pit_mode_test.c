// SPDX-License-Identifier: MIT
/*
 * The six modes of the 8254 against Intel's 82C54 data sheet (231244). Its timing diagrams (figures
 * 15 to 20) are copied out as one character of OUT and one LSB of the count for each CLK pulse.
 */
#include "test.h"

#include "pit_rig.h"

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
	/* The same with a count under way. */
	program(&r, 0x30, 50);
	out8(&r, 0x42, 0);
	go(&r, 10);
	out8(&r, 0x42, 5);
	go(&r, 100);
	assert_false(out2(&r));
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
	/* A new control word takes the count away. */
	out8(&r, 0x43, 0x92);
	gate(&r, false);
	gate(&r, true);
	go(&r, 1);
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
	(void)state;
	for (uint8_t cw = 0x14; cw <= 0x16; cw += 2) {
		struct rig r;
		unsigned high = 0;

		start(&r, true);
		program(&r, cw, 1);
		for (unsigned i = 0; i < 10; i++, go(&r, 1))
			assert_true(out2(&r));
		out8(&r, 0x42, 2);
		for (unsigned i = 0; i < 10; i++, high += out2(&r))
			go(&r, 1);
		assert_int_equal(high, 5);
		out8(&r, 0x42, 1);
		go(&r, 2);
		for (unsigned i = 0; i < 10; i++, go(&r, 1))
			assert_true(out2(&r));
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

TEST_MAIN(cmocka_unit_test(mode0_terminal_count), cmocka_unit_test(mode0_gate_level),
	  cmocka_unit_test(mode0_new_count), cmocka_unit_test(mode0_two_byte_write_stops),
	  cmocka_unit_test(mode1_one_shot), cmocka_unit_test(mode1_new_count),
	  cmocka_unit_test(mode1_trigger_without_count), cmocka_unit_test(mode2_rate),
	  cmocka_unit_test(mode2_gate), cmocka_unit_test(mode2_new_count),
	  cmocka_unit_test(count_of_one_in_modes_2_and_3), cmocka_unit_test(mode3_even),
	  cmocka_unit_test(mode3_odd), cmocka_unit_test(mode3_gate),
	  cmocka_unit_test(mode3_new_count), cmocka_unit_test(mode4_software_strobe),
	  cmocka_unit_test(mode4_gate), cmocka_unit_test(mode4_new_count),
	  cmocka_unit_test(mode4_two_byte_write_goes_on), cmocka_unit_test(mode5_hardware_strobe))

// SPDX-License-Identifier: MIT
/* The layout in util/ram.h: low RAM, the hole from 640 KiB to 1 MiB, the PCI hole, high RAM. */
#include "test.h"
#include "util/ram.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* The mapping is never touched here: only addresses are compared. */
static struct ram layout(uint64_t size)
{
	struct ram ram = ram_layout(size);

	ram.host = (uint8_t *)0x10000000000;
	return ram;
}

static void expect_at(const struct ram *ram, uint64_t gpa, uint64_t len, uint64_t offset)
{
	assert_ptr_equal(ram_ptr(ram, gpa, len), ram->host + offset);
}

static void expect_none(const struct ram *ram, uint64_t gpa, uint64_t len)
{
	assert_null(ram_ptr(ram, gpa, len));
}

static void layout_splits_at_3_gib(void **state)
{
	(void)state;
	assert_int_equal(ram_layout(64 * MIB).low, 64 * MIB);
	assert_int_equal(ram_layout(3 * GIB).low, 3 * GIB);
	assert_int_equal(ram_layout(5 * GIB).low, 3 * GIB);
	assert_int_equal(ram_layout(5 * GIB).size, 5 * GIB);
	assert_null(ram_layout(MIB).host);
}

static void window_from_640_kib_to_1_mib_is_not_ram(void **state)
{
	struct ram ram = layout(2 * MIB);

	(void)state;
	expect_at(&ram, 0, 0xa0000, 0);
	expect_none(&ram, 0, 0xa0001);
	expect_at(&ram, 0x9ffff, 1, 0x9ffff);
	expect_none(&ram, 0xa0000, 1);
	expect_none(&ram, 0xfffff, 1);
	expect_at(&ram, MIB, MIB, MIB);
	expect_none(&ram, 0x9f000, 0x80000);
}

static void nothing_lies_past_the_end_of_low_ram(void **state)
{
	struct ram ram = layout(2 * MIB);

	(void)state;
	expect_at(&ram, 2 * MIB - 1, 1, 2 * MIB - 1);
	expect_none(&ram, 2 * MIB - 1, 2);
	expect_none(&ram, 2 * MIB, 1);
	expect_none(&ram, 4 * GIB, 1);
	expect_none(&ram, UINT64_MAX, 1);
}

static void high_ram_follows_low_ram_in_the_mapping(void **state)
{
	struct ram ram = layout(5 * GIB);

	(void)state;
	expect_at(&ram, 3 * GIB - 1, 1, 3 * GIB - 1);
	expect_none(&ram, 3 * GIB - 1, 2);
	expect_none(&ram, 3 * GIB, 1);
	expect_none(&ram, 4 * GIB - 1, 1);
	expect_at(&ram, 4 * GIB, 2 * GIB, 3 * GIB);
	expect_none(&ram, 4 * GIB, 2 * GIB + 1);
	expect_none(&ram, 6 * GIB, 1);
}

static void lengths_that_wrap_are_refused(void **state)
{
	struct ram ram = layout(5 * GIB);

	(void)state;
	expect_none(&ram, 4 * GIB, UINT64_MAX);
	expect_none(&ram, MIB, UINT64_MAX - MIB + 2);
	expect_none(&ram, 1, UINT64_MAX);
	expect_none(&ram, UINT64_MAX, UINT64_MAX);
}

static void length_0_is_accepted_where_there_is_ram(void **state)
{
	struct ram ram = layout(2 * MIB);

	(void)state;
	expect_at(&ram, 0x1000, 0, 0x1000);
	expect_none(&ram, 0xa0000, 0);
	expect_none(&ram, 2 * MIB, 0);
}

TEST_MAIN(cmocka_unit_test(layout_splits_at_3_gib),
	  cmocka_unit_test(window_from_640_kib_to_1_mib_is_not_ram),
	  cmocka_unit_test(nothing_lies_past_the_end_of_low_ram),
	  cmocka_unit_test(high_ram_follows_low_ram_in_the_mapping),
	  cmocka_unit_test(lengths_that_wrap_are_refused),
	  cmocka_unit_test(length_0_is_accepted_where_there_is_ram))

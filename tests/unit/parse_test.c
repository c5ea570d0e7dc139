// SPDX-License-Identifier: MIT
/* Numbers as people type them; the rules stand in util/parse.h. */
#include <stdlib.h>

#include "test.h"
#include "util/parse.h"

#define UNTOUCHED 0x5a5a5a5aull

static void expect_u64(const char *s, uint64_t want)
{
	uint64_t v = 0;

	if (parse_u64(s, 0, UINT64_MAX, &v) || v != want)
		fail_msg("\"%s\" gave %llu", s, (unsigned long long)v);
}

static void numbers_are_decimal_or_hexadecimal(void **state)
{
	(void)state;
	expect_u64("0", 0);
	expect_u64("42", 42);
	expect_u64("010", 10); /* not octal */
	expect_u64("0x10", 16);
	expect_u64("0XaF", 0xaf);
	expect_u64("18446744073709551615", UINT64_MAX);
	expect_u64("0xffffffffffffffff", UINT64_MAX);
}

static void anything_but_a_whole_number_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"-1",
		"+1",
		" 1",
		"1 ",
		"0x",
		"0xg",
		"1a",
		"1.0",
		"x1",
		"1\n",
		"1,2",
		"18446744073709551616",
		"0x10000000000000000",
		"99999999999999999999",
	};
	uint64_t v = UNTOUCHED;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!parse_u64(bad[i], 0, UINT64_MAX, &v))
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(v, UNTOUCHED);
}

static void bounds_are_inclusive(void **state)
{
	uint64_t v = UNTOUCHED;

	(void)state;
	assert_int_equal(parse_u64("0", 1, 4096, &v), -1);
	assert_int_equal(parse_u64("4097", 1, 4096, &v), -1);
	assert_int_equal(v, UNTOUCHED);
	assert_int_equal(parse_u64("1", 1, 4096, &v), 0);
	assert_int_equal(parse_u64("4096", 1, 4096, &v), 0);
	assert_int_equal(v, 4096);
}

static void sizes_have_binary_suffixes(void **state)
{
	static const struct {
		const char *s;
		uint64_t want;
	} good[] = {
		{"65536", 65536},
		{"0x100000", 1 << 20},
		{"64M", 64ull << 20},
		{"64m", 64ull << 20},
		{"64MB", 64ull << 20},
		{"64MiB", 64ull << 20},
		{"3G", 3ull << 30},
		{"1T", 1ull << 40},
		{"4K", 4096},
		{"16777215T", 16777215ull << 40},
		{"0", 0},
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (parse_size(good[i].s, &v) || v != good[i].want)
			fail_msg("\"%s\"", good[i].s);
}

static void other_sizes_are_refused(void **state)
{
	static const char *const bad[] = {"",	   "M",		"64X",	"64M ", "64MiBs",
					  "64MM",  "6 M",	"-1M",	"1.5G", "64Mi",
					  "64mb ", "16777216T", "64MIB"};
	uint64_t v = UNTOUCHED;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!parse_size(bad[i], &v))
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(v, UNTOUCHED);
}

static void seconds_have_up_to_nine_decimals(void **state)
{
	static const struct {
		const char *s;
		uint64_t want;
	} good[] = {
		{"0", 0},
		{"10", 10000000000},
		{"0.5", 500000000},
		{"1.000000001", 1000000001},
		{"18446744073.709551615", UINT64_MAX},
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (parse_seconds(good[i].s, &v) || v != good[i].want)
			fail_msg("\"%s\"", good[i].s);
}

static void other_seconds_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		".5",
		"5.",
		"-1",
		"1e3",
		"1s",
		"0x10",
		"1.0000000001",
		"1..2",
		"1.2.3",
		" 1",
		"nan",
		"inf",
		"18446744073.709551616",
		"18446744074",
	};
	uint64_t v = UNTOUCHED;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!parse_seconds(bad[i], &v))
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(v, UNTOUCHED);
}

static void lists_keep_the_order_given(void **state)
{
	static const uint32_t want[] = {254, 0, 1, 2, 3, 8};
	uint32_t *list;
	size_t n;

	(void)state;
	assert_int_equal(parse_u32_list("254,0-3,8", 0xfffffffe, 4096, &list, &n), 0);
	assert_int_equal(n, 6);
	assert_memory_equal(list, want, sizeof(want));
	free(list);
	assert_int_equal(parse_u32_list("0xfffffffe", 0xfffffffe, 1, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(list[0], 0xfffffffe);
	free(list);
	assert_int_equal(parse_u32_list("0-4095", 0xfffffffe, 4096, &list, &n), 0);
	assert_int_equal(n, 4096);
	free(list);
}

static void other_lists_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		",",
		"1,",
		",1",
		"1,,2",
		"1-",
		"-1",
		"3-1",
		"1,1",
		"0-3,2",
		"4294967295",
		"1 ,2",
		"a",
		"1-2-3",
		"0-4096",
		"0-4294967294",
		"0-4095,5000",
		"18446744073709551616",
		"0-18446744073709551615",
	};
	uint32_t *list = NULL;
	size_t n = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!parse_u32_list(bad[i], 0xfffffffe, 4096, &list, &n))
			fail_msg("\"%s\" was taken", bad[i]);
	assert_null(list);
	assert_int_equal(n, 77);
}

TEST_MAIN(cmocka_unit_test(numbers_are_decimal_or_hexadecimal),
	  cmocka_unit_test(anything_but_a_whole_number_is_refused),
	  cmocka_unit_test(bounds_are_inclusive), cmocka_unit_test(sizes_have_binary_suffixes),
	  cmocka_unit_test(other_sizes_are_refused),
	  cmocka_unit_test(seconds_have_up_to_nine_decimals),
	  cmocka_unit_test(other_seconds_are_refused), cmocka_unit_test(lists_keep_the_order_given),
	  cmocka_unit_test(other_lists_are_refused))

// SPDX-License-Identifier: MIT
/* The names of instructions that end guests. */
#include "test.h"

#include <stdlib.h>

#include "machine/insn.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void names(void **state)
{
	(void)state;
	assert_string_equal(insn_name(BYTES(0xcc), true), "int3");
	assert_string_equal(insn_name(BYTES(0xcd, 0x80), false), "int n");
	assert_string_equal(insn_name(BYTES(0x48, 0xcf), true), "iret");
	assert_string_equal(insn_name(BYTES(0xf0, 0x48, 0x0f, 0xc7, 0x0d), true), "cmpxchg16b");
	assert_string_equal(insn_name(BYTES(0x0f, 0xc7, 0x0f), false), "cmpxchg8b");
	assert_string_equal(insn_name(BYTES(0x0f, 0x28, 0xc1), true), "SSE move (movaps)");
	assert_string_equal(insn_name(BYTES(0x66, 0x0f, 0x6f, 0x00), true), "MMX/SSE");
	assert_string_equal(insn_name(BYTES(0x0f, 0xae, 0x20), true), "xsave");
	assert_string_equal(insn_name(BYTES(0x0f, 0x0b), true), "ud2");
	assert_string_equal(insn_name(BYTES(0xc5, 0xf8, 0x77), true), "AVX/BMI");
}

/* 0x40-0x4f are INC and DEC, 0xc4 is LES, in 32-bit code. */
static void the_mode_matters(void **state)
{
	(void)state;
	assert_null(insn_name(BYTES(0x48, 0xcc), false));
	assert_string_equal(insn_name(BYTES(0x48, 0xcc), true), "int3");
	assert_null(insn_name(BYTES(0xc4, 0x00), false));
	assert_string_equal(insn_name(BYTES(0xc4, 0xc0), false), "AVX/BMI");
}

static void any_bytes_are_survived(void **state)
{
	(void)state;
	assert_null(insn_name(NULL, 0, true));
	assert_null(insn_name(BYTES(0x66, 0x66), true));
	assert_null(insn_name(BYTES(0x0f), true));
	srand(1);
	for (unsigned i = 0; i < 100000; i++) {
		unsigned len = (unsigned)rand() % 16;
		uint8_t *b = malloc(len ? len : 1); /* exactly as long: ASan sees a read beyond */

		for (unsigned j = 0; j < len; j++)
			b[j] = (uint8_t)rand();
		insn_name(b, len, i & 1);
		free(b);
	}
}

TEST_MAIN(cmocka_unit_test(names), cmocka_unit_test(the_mode_matters),
	  cmocka_unit_test(any_bytes_are_survived))

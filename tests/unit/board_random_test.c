// SPDX-License-Identifier: MIT
/*
 * Damaged trees: none may crash board_from_fdt(), and a board that comes out of one is a board: it has
 * a tree of its own, which gives the same board again.
 */
#include "board_rig.h"

#define ROUNDS 100000

static uint64_t seed = 0xb0a2d;

/* xorshift64*, so that a failure comes again. */
static uint64_t next(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1d;
}

/* Words that mean something: structure tokens (Devicetree Specification 0.4, 5.4.1) and edges. */
static uint32_t odd_word(void)
{
	static const uint32_t words[] = {
		FDT_BEGIN_NODE, FDT_END_NODE, FDT_PROP,	  FDT_NOP,    FDT_END, 0,
		0x7fffffff,	0x80000000,   0xfffffffe, 0xffffffff, 0xa0000, 0x10000};

	return words[next() % (sizeof(words) / sizeof(words[0]))] + (uint32_t)(next() % 3) - 1;
}

static void damage(uint8_t *blob, size_t len)
{
	unsigned changes = 1 + next() % 3;

	for (unsigned i = 0; i < changes; i++) {
		fdt32_t word = cpu_to_fdt32(odd_word());
		size_t at = next() % len;

		if (next() % 2)
			blob[at] = (uint8_t)next();
		else
			memcpy(blob + (at & ~3ul) % (len - 3), &word, sizeof(word));
	}
}

static void damaged_trees_are_refused_or_boards(void **state)
{
	void *tree = editable_tree();
	unsigned accepted = 0;
	uint8_t *blob;
	size_t len;

	(void)state;
	assert_int_equal(fdt_pack(tree), 0);
	len = fdt_totalsize(tree);
	blob = malloc(len); /* of just that size, so that a read past its end is seen */
	assert_non_null(blob);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct error err;
		struct board b;

		memcpy(blob, tree, len);
		damage(blob, len);
		if (board_from_fdt(&b, blob, len, &err)) {
			assert_int_equal(err.code, EXIT_SETUP);
			assert_null(strchr(err.text, '\n'));
			continue;
		}
		expect_round_trip(&b);
		board_free(&b);
		accepted++;
	}
	/* Otherwise the damage is so heavy, or so light, that nothing is tested. */
	assert_in_range(accepted, ROUNDS / 50, ROUNDS / 2);
	free(blob);
	free(tree);
}

TEST_MAIN(cmocka_unit_test(damaged_trees_are_refused_or_boards))

// SPDX-License-Identifier: MIT
/* --inject rules: what is understood, and where a bad one is pointed at. */
#include "test.h"

#include <string.h>

#include "machine/inject.h"

static void a_rule_is_understood(void **state)
{
	struct inject_rule r;
	struct error err;

	(void)state;
	assert_int_equal(
		inject_parse(&r, "delay ipi nth=3 from=1 to=0x100 vector=0x40 by=5ms", &err), 0);
	assert_int_equal(r.action, INJECT_DELAY);
	assert_int_equal(r.kind, INJECT_IPI);
	assert_int_equal(r.nth, 3);
	assert_false(r.all);
	assert_int_equal(r.from, 1);
	assert_int_equal(r.to, 0x100);
	assert_int_equal(r.vector, 0x40);
	assert_int_equal(r.by_ns, 5000000);
}

static void defaults(void **state)
{
	struct inject_rule r;
	struct error err;

	(void)state;
	assert_int_equal(inject_parse(&r, "  drop\tsipi ", &err), 0);
	assert_int_equal(r.action, INJECT_DROP);
	assert_int_equal(r.kind, INJECT_SIPI);
	assert_int_equal(r.nth, 1);
	assert_int_equal(r.by_ns, 1000000);
	assert_int_equal(r.from, INJECT_ANY);
	assert_int_equal(r.to, INJECT_ANY);
	assert_int_equal(r.vector, -1);
	assert_int_equal(inject_parse(&r, "reorder eoi nth=all", &err), 0);
	assert_true(r.all);
}

static void times(void **state)
{
	static const struct {
		const char *rule;
		uint64_t ns;
	} good[] = {{"delay timer by=7ns", 7},
		    {"delay timer by=7us", 7000},
		    {"delay timer by=0ms", 0},
		    {"delay timer by=3600s", 3600000000000ull}};
	struct inject_rule r;
	struct error err;

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(inject_parse(&r, good[i].rule, &err), 0);
		assert_true(r.by_ns == good[i].ns);
	}
}

/* The caret stands under the first character of the bad word. */
static void a_bad_word_is_pointed_at(void **state)
{
	static const struct {
		const char *rule, *word, *wanted;
	} bad[] = {
		{"", "", "drop, delay, duplicate or reorder"},
		{"drop", "", "ipi, init, sipi, eoi or timer"},
		{"lose ipi", "lose", "drop, delay"},
		{"drop spi nth=1", "spi", "ipi, init"},
		{"drop ipi nth=0", "nth=0", "nth=N, from 1 on"},
		{"drop ipi nth=", "nth=", "nth=N"},
		{"drop ipi from=0xffffffff", "from=0xffffffff", "an APIC ID"},
		{"drop ipi to=-1", "to=-1", "an APIC ID"},
		{"drop ipi vector=256", "vector=256", "0 to 255"},
		{"drop ipi by=5", "by=5", "100us"},
		{"drop ipi by=ms", "by=ms", "100us"},
		{"drop ipi by=3601s", "by=3601s", "100us"},
		{"drop ipi often", "often", "nth=, from="},
		{"drop ipi =1", "=1", "nth=, from="},
	};
	struct inject_rule r;
	struct error err;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t column = *bad[i].word
					? (size_t)(strstr(bad[i].rule, bad[i].word) - bad[i].rule)
					: strlen(bad[i].rule);
		const char *last;

		assert_int_equal(inject_parse(&r, bad[i].rule, &err), -1);
		assert_int_equal(err.code, EXIT_SETUP);
		assert_non_null(strstr(err.text, bad[i].wanted));
		last = strrchr(err.text, '\n');
		assert_non_null(last);
		assert_int_equal(strcspn(last + 1, "^"), column + 4);
	}
}

static void a_long_rule_is_survived(void **state)
{
	char rule[5000];
	struct inject_rule r;
	struct error err;

	(void)state;
	memset(rule, 'x', sizeof(rule) - 1);
	rule[sizeof(rule) - 1] = '\0';
	assert_int_equal(inject_parse(&r, rule, &err), -1);
	memcpy(rule, "drop ipi ", 9);
	assert_int_equal(inject_parse(&r, rule, &err), -1);
}

TEST_MAIN(cmocka_unit_test(a_rule_is_understood), cmocka_unit_test(defaults),
	  cmocka_unit_test(times), cmocka_unit_test(a_bad_word_is_pointed_at),
	  cmocka_unit_test(a_long_rule_is_survived))

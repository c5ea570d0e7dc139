// SPDX-License-Identifier: MIT
/* --expect and --fail: which bytes lead to which verdict, and how much is looked at for it. */
#include "test.h"

#include <dlfcn.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "io/console_watch.h"

/* The library's, counted, and out of memory when told so. */
static struct {
	unsigned calls;
	uint64_t bytes;
	bool fails;
} looks;

int counted(const regex_t *, const char *, size_t, regmatch_t *, int) __asm__("regexec");

int counted(const regex_t *re, const char *s, size_t n, regmatch_t *m, int flags)
{
	static int (*real)(const regex_t *, const char *, size_t, regmatch_t *, int);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "regexec");
	looks.calls++;
	looks.bytes += strlen(s);
	return looks.fails ? REG_ESPACE : real(re, s, n, m, flags);
}

static struct console_watch *watch;

static void add(enum watch_list list, const char *text)
{
	struct error err;

	assert_int_equal(console_watch_add(&watch, list, text, &err), 0);
}

static void expect(const char *text)
{
	add(WATCH_EXPECT, text);
}

static void fail_on(const char *text)
{
	add(WATCH_FAIL, text);
}

static enum watch_verdict feed(const char *bytes, size_t n)
{
	enum watch_verdict v = WATCH_GOES_ON;

	for (size_t i = 0; i < n; i++)
		v = console_watch_byte(watch, (uint8_t)bytes[i]);
	return v;
}

static enum watch_verdict say(const char *s)
{
	return feed(s, strlen(s));
}

static enum watch_verdict fill(char c, size_t n)
{
	enum watch_verdict v = WATCH_GOES_ON;

	while (n--)
		v = feed(&c, 1);
	return v;
}

static void assert_said(const char *what)
{
	char buf[WATCH_SAY_MAX];

	console_watch_say(watch, buf);
	assert_string_equal(buf, what);
}

static int setup(void **state)
{
	(void)state;
	memset(&looks, 0, sizeof(looks));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	console_watch_free(watch);
	watch = NULL;
	return 0;
}

/* --- patterns */

static void assert_refused(enum watch_list list, const char *text, const char *why)
{
	struct error err;

	assert_int_equal(console_watch_add(&watch, list, text, &err), -1);
	assert_int_equal(err.code, 2);
	assert_string_equal(err.text, why);
}

static void bad_patterns_are_refused(void **state)
{
	(void)state;
	assert_refused(WATCH_EXPECT, "(", "--expect '(': Unmatched ( or \\(");
	assert_refused(WATCH_FAIL, "a\\", "--fail 'a\\': Trailing backslash");
	assert_refused(WATCH_FAIL, "", "--fail: a pattern that is empty or has a newline");
	assert_refused(WATCH_EXPECT, "a\nb", "--expect: a pattern that is empty or has a newline");
	/* None of them counts. */
	expect("a");
	assert_int_equal(say("a\n"), WATCH_MET);
}

static void there_is_room_for_64_of_each(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		expect("e");
		fail_on("f");
	}
	assert_refused(WATCH_EXPECT, "e", "--expect: more than 64 patterns");
	assert_refused(WATCH_FAIL, "f", "--fail: more than 64 patterns");
	assert_int_equal(fill('e', 63), WATCH_GOES_ON);
	assert_int_equal(say("\n"), WATCH_GOES_ON);
	assert_said("--expect 'e' (64 of 64) was not met");
	assert_int_equal(say("e\n"), WATCH_MET);
	assert_said("all 64 expectations met");
}

/* --- lines */

static void expectations_are_met_in_order(void **state)
{
	(void)state;
	expect("one");
	expect("t[wo]+");
	assert_int_equal(say("two\none\n"), WATCH_GOES_ON);
	assert_said("--expect 't[wo]+' (2 of 2) was not met");
	assert_int_equal(say("two\n"), WATCH_MET);
	assert_said("all 2 expectations met");
	/* It is final. */
	assert_int_equal(say("one\n"), WATCH_MET);
	assert_int_equal(console_watch_end(watch), WATCH_MET);
}

static void the_next_one_is_searched_for_behind_the_last(void **state)
{
	(void)state;
	expect("ab");
	expect("b");
	expect("^c");
	assert_int_equal(say("ab\n"), WATCH_GOES_ON);
	assert_said("--expect 'b' (2 of 3) was not met");
	assert_int_equal(say("bc\n"), WATCH_GOES_ON);
	assert_said("--expect '^c' (3 of 3) was not met");
	assert_int_equal(say("c\n"), WATCH_MET);
}

static void one_line_meets_several(void **state)
{
	(void)state;
	expect("a");
	expect("a");
	expect("b$");
	assert_int_equal(say("xaxab\n"), WATCH_MET);
}

static void the_search_goes_on_at_the_start_of_a_new_line(void **state)
{
	(void)state;
	expect("late");
	expect("^early");
	assert_int_equal(say("this is late\nearly\n"), WATCH_MET);
}

static void cr_and_nul_do_no_harm(void **state)
{
	(void)state;
	expect("^ab\\?c$");
	expect("^$");
	assert_int_equal(feed("a\rb\0c\r\n", 7), WATCH_GOES_ON);
	assert_int_equal(feed("\r\n", 2), WATCH_MET);
}

static void bytes_above_127_are_bytes(void **state)
{
	(void)state;
	expect("\xc3\xa4 .$");
	assert_int_equal(say("\xff\x80\xc3\xa4 \xfe\n"), WATCH_MET);
}

static void a_prompt_is_seen_when_output_pauses(void **state)
{
	(void)state;
	expect("login: ");
	expect("#");
	assert_int_equal(say("host login: "), WATCH_GOES_ON);
	assert_int_equal(console_watch_pause(watch), WATCH_GOES_ON);
	assert_said("--expect '#' (2 of 2) was not met");
	/* The line goes on behind what was matched. */
	assert_int_equal(say("login: "), WATCH_GOES_ON);
	assert_int_equal(console_watch_pause(watch), WATCH_GOES_ON);
	assert_int_equal(say("root#"), WATCH_GOES_ON);
	assert_int_equal(console_watch_pause(watch), WATCH_MET);
}

static void a_pause_ends_no_line(void **state)
{
	(void)state;
	expect("^ok$");
	assert_int_equal(say("ok"), WATCH_GOES_ON);
	assert_int_equal(console_watch_pause(watch), WATCH_GOES_ON);
	assert_int_equal(say(" not\nok"), WATCH_GOES_ON);
	assert_int_equal(console_watch_end(watch), WATCH_MET);
	assert_said("the expectation was met");
}

static void silence_matches_nothing(void **state)
{
	(void)state;
	expect("x*");
	assert_int_equal(console_watch_pause(watch), WATCH_GOES_ON);
	assert_int_equal(console_watch_end(watch), WATCH_GOES_ON);
	assert_int_equal(looks.calls, 0);
	assert_int_equal(say("\n"), WATCH_MET);
}

static void a_long_line_comes_in_pieces(void **state)
{
	(void)state;
	expect("^x+$"); /* a line of exactly the bound is whole */
	expect("^y+");
	expect("^y");
	assert_int_equal(fill('x', WATCH_LINE_MAX), WATCH_GOES_ON);
	assert_int_equal(say("\n"), WATCH_GOES_ON);
	assert_said("--expect '^y+' (2 of 3) was not met");
	/* Neither the second piece of a line nor the third begins it. */
	assert_int_equal(fill('y', 3 * WATCH_LINE_MAX), WATCH_GOES_ON);
	assert_int_equal(say("\n"), WATCH_GOES_ON);
	assert_said("--expect '^y' (3 of 3) was not met");
	assert_int_equal(say("y\n"), WATCH_MET);
}

static void a_piece_ends_no_line(void **state)
{
	(void)state;
	expect("x$");
	assert_int_equal(fill('x', WATCH_LINE_MAX), WATCH_GOES_ON);
	assert_int_equal(say("y\n"), WATCH_GOES_ON);
}

/* --- failures */

static void fail_wins_on_the_same_line(void **state)
{
	(void)state;
	expect("good");
	fail_on("never");
	fail_on("bad");
	assert_int_equal(say("good and bad\n"), WATCH_FAILED);
	assert_said("the console matched --fail 'bad': good and bad");
	assert_int_equal(say("good\n"), WATCH_FAILED);
}

static void fail_sees_what_was_matched_before(void **state)
{
	(void)state;
	expect("good");
	expect("more");
	fail_on("good and bad");
	assert_int_equal(say("good"), WATCH_GOES_ON);
	assert_int_equal(console_watch_pause(watch), WATCH_GOES_ON);
	assert_int_equal(say(" and bad"), WATCH_GOES_ON);
	assert_int_equal(console_watch_pause(watch), WATCH_FAILED);
}

static void fail_alone_is_never_met(void **state)
{
	(void)state;
	fail_on("bad");
	assert_int_equal(say("fine\nfine"), WATCH_GOES_ON);
	assert_int_equal(console_watch_end(watch), WATCH_GOES_ON);
	assert_said("");
}

static void the_line_is_said_without_its_controls(void **state)
{
	(void)state;
	fail_on("panic");
	assert_int_equal(say("\033[31mpanic\a \xff\t!\n"), WATCH_FAILED);
	assert_said("the console matched --fail 'panic': ?[31mpanic? ?\?!");
}

static void a_long_line_is_said_from_the_match_on(void **state)
{
	char what[WATCH_SAY_MAX];

	(void)state;
	fail_on("panic");
	fill('x', 1000);
	say("panic");
	fill('y', 1000);
	assert_int_equal(say("\n"), WATCH_FAILED);
	snprintf(what, sizeof(what), "the console matched --fail 'panic': panic%0*d", 115, 0);
	for (char *c = what; *c; c++)
		*c = *c == '0' ? 'y' : *c;
	assert_said(what);
}

static void a_long_pattern_is_cut(void **state)
{
	char pattern[301], what[WATCH_SAY_MAX];

	(void)state;
	snprintf(pattern, sizeof(pattern), "%0300d", 0);
	expect(pattern);
	fail_on(pattern);
	snprintf(what, sizeof(what), "--expect '%080d...' (1 of 1) was not met", 0);
	assert_said(what);
	fill('0', 300);
	assert_int_equal(say("\n"), WATCH_FAILED);
	snprintf(what, sizeof(what), "the console matched --fail '%080d...': %0120d", 0, 0);
	assert_said(what);
}

static void an_error_of_regexec_is_no_mismatch(void **state)
{
	(void)state;
	expect("a");
	fail_on("b");
	looks.fails = true;
	assert_int_equal(say("x\n"), WATCH_BROKEN);
	assert_int_equal(looks.calls, 1);
	looks.fails = false;
	assert_int_equal(say("a\n"), WATCH_BROKEN);
	assert_said("cannot watch the console for 'b': Memory exhausted");
}

/* --- the cost of a flood */

#define FLOOD (1u << 20)

static void each_byte_of_a_flood_is_looked_at_once(void **state)
{
	(void)state;
	expect("never");
	fail_on("neither");
	assert_int_equal(fill('.', FLOOD), WATCH_GOES_ON);
	assert_int_equal(console_watch_end(watch), WATCH_GOES_ON);
	assert_int_equal(looks.bytes, 2 * FLOOD);
	assert_int_equal(looks.calls, 2 * FLOOD / WATCH_LINE_MAX);

	memset(&looks, 0, sizeof(looks));
	say("\n");
	looks.bytes = 0;
	for (unsigned i = 0; i < FLOOD / 64; i++)
		assert_int_equal(
			say("...............................................................\n"),
			WATCH_GOES_ON);
	assert_int_equal(looks.bytes, 2 * (FLOOD - FLOOD / 64));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

TEST_MAIN(T(bad_patterns_are_refused), T(there_is_room_for_64_of_each),
	  T(expectations_are_met_in_order), T(the_next_one_is_searched_for_behind_the_last),
	  T(one_line_meets_several), T(the_search_goes_on_at_the_start_of_a_new_line),
	  T(cr_and_nul_do_no_harm), T(bytes_above_127_are_bytes),
	  T(a_prompt_is_seen_when_output_pauses), T(a_pause_ends_no_line),
	  T(silence_matches_nothing), T(a_long_line_comes_in_pieces), T(a_piece_ends_no_line),
	  T(fail_wins_on_the_same_line), T(fail_sees_what_was_matched_before),
	  T(fail_alone_is_never_met), T(the_line_is_said_without_its_controls),
	  T(a_long_line_is_said_from_the_match_on), T(a_long_pattern_is_cut),
	  T(an_error_of_regexec_is_no_mismatch), T(each_byte_of_a_flood_is_looked_at_once))

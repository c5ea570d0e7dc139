// SPDX-License-Identifier: MIT
/* What others wrote, within a report's syntax: any bytes become valid UTF-8 on one line. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/text.h"

static void is(enum text_style style, const char *from, const char *to)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	text_put(f, style, from);
	fclose(f);
	assert_string_equal(text, to);
	free(text);
}

static void each_style_escapes_what_it_means(void **state)
{
	(void)state;
	is(TEXT_PLAIN, "a <b> & \"c\" # | \\ `*[]", "a <b> & \"c\" # | \\ `*[]");
	is(TEXT_TAP, "a # \\", "a \\# \\\\");
	is(TEXT_XML, "a <b> & \"c\" ]]>", "a &lt;b&gt; &amp; &quot;c&quot; ]]&gt;");
	is(TEXT_JSON, "a \"b\" \\ /", "a \\\"b\\\" \\\\ /");
	is(TEXT_PROSE, "a|b `c` *d* [e] <f> \\", "a|b \\`c\\` \\*d\\* [e] \\<f> \\\\");
	is(TEXT_MARKDOWN, "a|b `c` *d* [e] <f> \\", "a\\|b \\`c\\` \\*d\\* \\[e\\] \\<f\\> \\\\");
}

static void wraps(const char *indent, size_t column, const char *from, const char *to, size_t then)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(text_wrap(f, TEXT_PROSE, indent, column, from), then);
	fclose(f);
	assert_string_equal(text, to);
	free(text);
}

#define W10 "123456789 "
#define W70 W10 W10 W10 W10 W10 W10 W10
#define X20 "12345678901234567890"
#define X80 X20 X20 X20 X20

static void prose_is_wrapped(void **state)
{
	(void)state;
	wraps("", 0, "", "", 0);
	wraps("", 0, " \ta  TPR[7:4]\t", "a TPR[7:4]", 10);
	wraps("", 4, "a", " a", 6);
	wraps("  ", 2, "a", "a", 3);
	/* 76 characters are a line, 77 are two. */
	wraps("", 0, W70 "123456 b", W70 "123456\nb", 1);
	wraps("  ", 70, "12345 b", " 12345\n  b", 3);
	wraps("  ", 70, "123456 b", "\n  123456 b", 10);
	/* No list, heading or quotation comes of a line's first word. */
	wraps("", 0, W70 "123456 => b", W70 "123456 =>\nb", 1);
	/* A word that is too long has a line of its own. */
	wraps("", 70, X80 " b", "\n" X80 "\nb", 1);
}

static void some_of_a_text(void **state)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	text_put_some(f, TEXT_PLAIN,
		      "\xc3\xa9"
		      "ab",
		      3);
	fclose(f);
	assert_string_equal(text, "\xc3\xa9"
				  "a");
	free(text);
}

static void control_characters_are_shown(void **state)
{
	(void)state;
	is(TEXT_PLAIN, "\x1b[31m\t\n\r\x7f", "\\x1b[31m\\x09\\x0a\\x0d\\x7f");
	is(TEXT_XML, "\x01", "\\x01");
	is(TEXT_TAP, "\x01\n", "\\\\x01\\\\x0a");
	is(TEXT_MARKDOWN, "\x01", "\\\\x01");
	is(TEXT_JSON, "\x01\n\x7f", "\\u0001\\u000a\\u007f");
	/* U+0085 and U+009B control terminals, too; U+FFFE and U+FFFF are no characters of XML. */
	is(TEXT_PLAIN, "\xc2\x85\xc2\x9b", "\\x85\\x9b");
	is(TEXT_XML, "\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd", "\\xfffe\\xffff\xef\xbf\xbd");
}

static void utf8_passes_and_nothing_else(void **state)
{
	static const char good[] = "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbd";

	(void)state;
	for (unsigned style = TEXT_PLAIN; style <= TEXT_PROSE; style++)
		is((enum text_style)style, good, good);
	is(TEXT_PLAIN, "\xff\xfe\x80", "\\xff\\xfe\\x80");
	is(TEXT_JSON, "\xff", "\\\\xff");
	/* Cut short, by the end or by another character. */
	is(TEXT_PLAIN, "\xe2\x82", "\\xe2\\x82");
	is(TEXT_PLAIN,
	   "\xc3"
	   "a",
	   "\\xc3a");
	/* Overlong, surrogates, above U+10FFFF, five bytes. */
	is(TEXT_PLAIN, "\xc0\xaf", "\\xc0\\xaf");
	is(TEXT_PLAIN, "\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	is(TEXT_PLAIN, "\xed\xa0\x80", "\\xed\\xa0\\x80");
	is(TEXT_PLAIN, "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	is(TEXT_PLAIN, "\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80");
}

TEST_MAIN(cmocka_unit_test(each_style_escapes_what_it_means),
	  cmocka_unit_test(control_characters_are_shown),
	  cmocka_unit_test(utf8_passes_and_nothing_else), cmocka_unit_test(prose_is_wrapped),
	  cmocka_unit_test(some_of_a_text))

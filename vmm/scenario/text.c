// SPDX-License-Identifier: MIT
#include "scenario/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * How many bytes of s are one character of UTF-8, and which; 0: s does not begin with one (RFC 3629: overlong
 * forms, surrogates and what is above U+10FFFF are none).
 */
static unsigned decode(const unsigned char *s, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n <= 1) {
		*c = s[0];
		return n;
	}
	*c = s[0] & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (s[0] >= 0xf8 || *c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
		return 0;
	return n;
}

/* XML 1.0, 2.2: U+FFFE and U+FFFF are no characters, not even escaped. */
static bool unprintable(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffe || c == 0xffff;
}

static bool escapes_backslash(enum text_style style)
{
	return style == TEXT_TAP || style == TEXT_MARKDOWN || style == TEXT_PROSE;
}

static void put_unprintable(FILE *f, enum text_style style, uint32_t c)
{
	if (style == TEXT_JSON)
		fprintf(f, "\\u%04x", c);
	else
		fprintf(f, "%s\\x%02x", escapes_backslash(style) ? "\\" : "", c);
}

/* A character that means something in this style; false: it does not. */
static bool put_special(FILE *f, enum text_style style, char c)
{
	static const char *const special[] = {
		[TEXT_PLAIN] = "",
		[TEXT_TAP] = "#\\",
		[TEXT_XML] = "&<>\"",
		[TEXT_JSON] = "\"\\",
		[TEXT_MARKDOWN] = "\\`*[]<>|",
		[TEXT_PROSE] = "\\`*<",
	};

	if (!strchr(special[style], c))
		return false;
	if (style == TEXT_XML)
		fputs(c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&quot;", f);
	else
		fprintf(f, "\\%c", c);
	return true;
}

void text_put_some(FILE *f, enum text_style style, const char *s, size_t len)
{
	const char *end = s + len;
	uint32_t c;

	while (s < end) {
		unsigned n = decode((const unsigned char *)s, &c);

		if (n == 0)
			fprintf(f, "%s\\x%02x",
				style == TEXT_PLAIN || style == TEXT_XML ? "" : "\\",
				(unsigned char)*s);
		else if (unprintable(c))
			put_unprintable(f, style, c);
		else if (n > 1 || !put_special(f, style, *s))
			fwrite(s, 1, n, f);
		s += n ? n : 1;
	}
}

void text_put(FILE *f, enum text_style style, const char *s)
{
	text_put_some(f, style, s, strlen(s));
}

#define WRAP_COLUMNS 76

/* At the start of a line it would begin a list, a heading or a quotation. */
static bool begins_block(const char *word)
{
	return strchr("#-+>=", *word);
}

size_t text_wrap(FILE *f, enum text_style style, const char *indent, size_t column, const char *s)
{
	for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
		size_t len = strcspn(s, " \t");

		if (column > strlen(indent) && column + 1 + len > WRAP_COLUMNS &&
		    !begins_block(s)) {
			fprintf(f, "\n%s", indent);
			column = strlen(indent);
		} else if (column > strlen(indent)) {
			fputc(' ', f);
			column++;
		}
		text_put_some(f, style, s, len);
		column += len;
		s += len;
	}
	return column;
}

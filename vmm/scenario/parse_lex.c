// SPDX-License-Identifier: MIT
/* Lines and tokens of a scenario, and its one-line errors. Bytes come from anywhere: no length is trusted. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scenario/parse.h"

#define FOUND_MAX      40 /* bytes of what was found that an error shows */
#define PATH_MAX_SHOWN 80
#define GUESS_MAX      32

/* ctype's functions follow the locale; the language does not. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
	       c == '.';
}

/* --- errors */

/* Printable, and at most max bytes; the end of a long path says more than its beginning. */
static void show(char *to, const char *from, size_t len, size_t max, bool keep_end)
{
	size_t n = len < max ? len : max;

	if (n < len && keep_end)
		to = stpcpy(to, "...");
	if (keep_end)
		from += len - n;
	for (size_t i = 0; i < n; i++)
		*to++ = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
	*to = '\0';
	if (n < len && !keep_end)
		strcpy(to, "...");
}

struct token parse_token(const struct parser *p, enum token_kind kind, const char *at, size_t len)
{
	return (struct token){.kind = kind,
			      .at = at,
			      .len = len,
			      .line = p->line_no,
			      .column = (unsigned)(at - p->line) + 1};
}

static int report(struct parser *p, const struct token *t, const char *expected, const char *guess)
{
	char path[PATH_MAX_SHOWN + 4], word[FOUND_MAX + 4], found[FOUND_MAX + 8];

	if (t->kind == TOKEN_EOF || t->kind == TOKEN_END) {
		strcpy(found, t->kind == TOKEN_EOF ? "the end of the file" : "the end of the line");
	} else {
		show(word, t->at, t->len, FOUND_MAX, false);
		snprintf(found, sizeof(found), "'%s'", word);
	}
	if (t->kind == TOKEN_BAD && t->wanted)
		expected = t->wanted;
	show(path, p->s->path, strlen(p->s->path), PATH_MAX_SHOWN, true);
	return error_set(p->err, EXIT_SETUP, "%s:%u:%u: expected %s, found %s%s%s%s", path, t->line,
			 t->column, expected, found, guess ? "; did you mean '" : "",
			 guess ? guess : "", guess ? "'?" : "");
}

void parse_report(struct parser *p, const struct token *found, const char *fmt, ...)
{
	char expected[112];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(expected, sizeof(expected), fmt, ap);
	va_end(ap);
	report(p, found, expected, NULL);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Levenshtein's, of two short words; two letters that are exchanged are one mistake. */
static unsigned edit_distance(const char *a, size_t alen, const char *b, size_t blen)
{
	unsigned d[GUESS_MAX + 1][GUESS_MAX + 1];

	for (size_t i = 0; i <= alen; i++)
		for (size_t j = 0; j <= blen; j++) {
			if (!i || !j) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			d[i][j] = least(d[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
					least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[alen][blen];
}

/* How much of a word ends with its last dot. */
static size_t family(const char *word, size_t len)
{
	while (len && word[len - 1] != '.')
		len--;
	return len;
}

void guess_name(struct guess *g, const char *name)
{
	const char *word = g->word->at;
	size_t len = g->word->len, name_len = strlen(name), dot = family(word, len);
	unsigned far, distance;

	if (len > GUESS_MAX || name_len > GUESS_MAX)
		return;
	/* "lapic.spiv" is like no other register only because it, too, is one of lapic; "tpr" is that of lapic. */
	if (dot && dot == family(name, name_len) && memcmp(word, name, dot) == 0) {
		word += dot;
		len -= dot;
	} else if (len && !dot && name_is(name + family(name, name_len), word, len)) {
		dot = family(name, name_len);
	} else {
		dot = 0;
	}
	far = len < 9 ? 2 : 3;
	distance = edit_distance(word, len, name + dot, name_len - dot);
	if (distance <= far && 2 * distance <= len && (!g->name || distance < g->distance)) {
		g->name = name;
		g->distance = distance;
	}
}

void guess_table(struct guess *g, const char *(*at)(size_t i))
{
	const char *name;

	for (size_t i = 0; (name = at(i)); i++)
		guess_name(g, name);
}

int parse_unknown(struct parser *p, const struct guess *g, const char *expected)
{
	return report(p, g->word, expected, g->name);
}

/* --- tokens */

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* t is a run of word characters that begins with a digit. */
static void lex_number(struct token *t)
{
	bool hex = t->len > 1 && t->at[0] == '0' && (t->at[1] == 'x' || t->at[1] == 'X');
	int base = hex ? 16 : 10;
	bool fits = true;

	t->kind = TOKEN_BAD;
	t->wanted = "a number such as 12 or 0x1f";
	for (size_t i = hex ? 2 : 0; i < t->len; i++) {
		int d = digit_value(t->at[i]);

		if (d < 0 || d >= base)
			return;
		fits = fits && !__builtin_mul_overflow(t->number, (uint64_t)base, &t->number) &&
		       !__builtin_add_overflow(t->number, (uint64_t)d, &t->number);
	}
	if (hex && t->len == 2)
		return;
	t->wanted = "a number of at most 64 bits";
	if (fits)
		t->kind = TOKEN_NUMBER;
}

static void lex_operator(struct token *t, size_t left)
{
	static const char *const pairs[] = {"!=", "<=", ">=", "<<", ">>"};

	t->len = 1;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (left > 1 && memcmp(t->at, pairs[i], 2) == 0)
			t->len = 2;
	/* Not strchr(): it finds a NUL. */
	if (t->len == 2 || memchr("()[]:=<>+-*&|^~", *t->at, 15))
		t->kind = TOKEN_OPERATOR;
	else
		t->kind = TOKEN_BAD;
}

void parse_advance(struct parser *p)
{
	struct token *t = &p->tok;
	const char *at = t->at + t->len;

	p->behind = at;
	while (at < p->line_end && (*at == ' ' || *at == '\t'))
		at++;
	*t = parse_token(p, TOKEN_END, at, 0);
	if (at == p->line_end || *at == '#')
		return;
	if (!is_word(*at)) {
		lex_operator(t, (size_t)(p->line_end - at));
		return;
	}
	while (at + t->len < p->line_end && is_word(at[t->len]))
		t->len++;
	t->kind = TOKEN_WORD;
	if (is_digit(*at))
		lex_number(t);
}

bool token_is(const struct token *t, const char *text)
{
	return (t->kind == TOKEN_WORD || t->kind == TOKEN_OPERATOR) && name_is(text, t->at, t->len);
}

int parse_take(struct parser *p, const char *text)
{
	if (!token_is(&p->tok, text))
		return parse_expected(p, &p->tok, "'%s'", text);
	parse_advance(p);
	return 0;
}

int parse_end_of_line(struct parser *p, const char *expected)
{
	if (p->tok.kind != TOKEN_END)
		return parse_expected(p, &p->tok, "%s", expected);
	return 0;
}

const char *parse_keep(struct parser *p, const char *at, size_t len)
{
	char *kept = p->pool;

	memcpy(kept, at, len);
	kept[len] = '\0';
	p->pool += len + 1;
	return kept;
}

/* --- lines */

/* A file that ends in a newline ends in column 1 of the line behind it. */
static int at_end(struct parser *p)
{
	if (p->tok.kind != TOKEN_EOF && (p->end == p->start || p->end[-1] == '\n')) {
		p->line_no++;
		p->line = p->line_end = p->end;
	}
	p->tok = parse_token(p, TOKEN_EOF, p->end, 0);
	return 0;
}

/* Control characters are nothing to print, not from a comment either: a terminal obeys them. */
static int check_characters(struct parser *p)
{
	for (const char *c = p->line; c < p->line_end; c++)
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f) {
			const struct token t = parse_token(p, TOKEN_BAD, c, 1);

			return parse_expected(p, &t, "text without control characters");
		}
	return 0;
}

int parse_line(struct parser *p)
{
	while (p->next < p->end) {
		const char *newline = memchr(p->next, '\n', (size_t)(p->end - p->next));

		p->line = p->next;
		p->line_end = newline ? newline : p->end;
		p->next = newline ? newline + 1 : p->end;
		p->line_no++;
		if (p->line_end > p->line && p->line_end[-1] == '\r')
			p->line_end--;
		if (check_characters(p) < 0)
			return -1;
		p->tok = parse_token(p, TOKEN_END, p->line, 0);
		parse_advance(p);
		if (p->tok.kind != TOKEN_END)
			return 1;
	}
	return at_end(p);
}

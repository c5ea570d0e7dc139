// SPDX-License-Identifier: MIT
/* Lines of the emitted program, and the scenario's own as comments between them. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/emit_c_parts.h"
#include "scenario/text.h"

/* Without control characters, as reports have it; NULL: out of memory. */
static char *plain(const char *s)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	text_put(f, TEXT_PLAIN, s);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

void emit_escaped(FILE *f, const char *s)
{
	char *text = plain(s);

	for (const char *p = text; p && *p; p++) {
		/* "??/" would be a backslash in some modes of the compiler. */
		if (*p == '"' || *p == '\\' || *p == '?')
			fputc('\\', f);
		fputc(*p, f);
	}
	free(text);
}

void emit_string(FILE *f, const char *s)
{
	fputc('"', f);
	emit_escaped(f, s);
	fputc('"', f);
}

void emit_comment(FILE *f, const char *s, size_t len)
{
	char *copy = strndup(s, len);
	char *text = copy ? plain(copy) : NULL;

	for (const char *p = text; p && *p; p++) {
		fputc(*p, f);
		if ((p[0] == '*' && p[1] == '/') || (p[0] == '/' && p[1] == '*'))
			fputc(' ', f);
	}
	/* A backslash joins the line to the next one. */
	len = text ? strlen(text) : 0;
	if (len && text[len - 1] == '\\')
		fputs(" .", f);
	free(text);
	free(copy);
}

void emit_number(FILE *f, uint64_t value)
{
	fprintf(f, value < 10 ? "%" PRIu64 : "0x%" PRIx64, value);
}

const char *emit_operator(enum comparison cmp)
{
	static const char *const names[] = {
		[CMP_EQ] = "==", [CMP_NE] = "!=", [CMP_LT] = "<",
		[CMP_LE] = "<=", [CMP_GT] = ">",  [CMP_GE] = ">=",
	};

	return names[cmp];
}

void emit_cpu(struct emitter *e, int32_t cpu)
{
	uint32_t id = e->s->cpus[cpu];

	fprintf(e->now->f, id < 256 ? "cpu%" PRIu32 : "cpu0x%" PRIx32, id);
}

/* Not a word of C, whatever it is called. */
void emit_variable(struct emitter *e, unsigned variable)
{
	fprintf(e->now->f, e->own >> variable & 1 ? "own_%s" : "v_%s", e->s->variables[variable]);
}

void emit_indent(struct emitter *e)
{
	for (unsigned i = 0; i < e->now->indent; i++)
		fputc('\t', e->now->f);
}

void emit(struct emitter *e, const char *fmt, ...)
{
	va_list ap;

	emit_indent(e);
	va_start(ap, fmt);
	vfprintf(e->now->f, fmt, ap);
	va_end(ap);
	fputc('\n', e->now->f);
}

/* A line of the scenario without the blanks around it. */
struct line {
	const char *at;
	size_t len;
};

static struct line peek(const struct emitter *e, const char *from)
{
	const char *end = memchr(from, '\n', (size_t)(e->end - from));
	struct line l = {from, (size_t)((end ? end : e->end) - from)};

	while (l.len && strchr(" \t\r", l.at[l.len - 1]))
		l.len--;
	while (l.len && strchr(" \t", *l.at)) {
		l.at++;
		l.len--;
	}
	return l;
}

static const char *behind(const struct emitter *e, const char *from)
{
	const char *end = memchr(from, '\n', (size_t)(e->end - from));

	return end ? end + 1 : e->end;
}

static bool is_prose(struct line l)
{
	return l.len && *l.at == '#';
}

static void put_prose_line(struct emitter *e, struct line l)
{
	size_t skip = l.len > 1 && l.at[1] == ' ' ? 2 : 1;

	fputc(' ', e->now->f);
	emit_comment(e->now->f, l.at + skip, l.len - skip);
}

/* What says why: on one line, or as a block. */
static void put_prose(struct emitter *e)
{
	const char *next = behind(e, e->next);
	bool one = next == e->end || !is_prose(peek(e, next));

	emit_indent(e);
	fputs(one ? "/*" : "/*\n", e->now->f);
	do {
		if (!one) {
			emit_indent(e);
			fputs(" *", e->now->f);
		}
		put_prose_line(e, peek(e, e->next));
		if (!one)
			fputc('\n', e->now->f);
		e->next = behind(e, e->next);
		e->line++;
	} while (e->next < e->end && is_prose(peek(e, e->next)));
	if (!one)
		emit_indent(e);
	fputs(" */\n", e->now->f);
}

static void put_line(struct emitter *e)
{
	struct line l = peek(e, e->next);

	if (is_prose(l)) {
		put_prose(e);
		return;
	}
	if (l.len) {
		emit_indent(e);
		fputs("// ", e->now->f);
		emit_comment(e->now->f, l.at, l.len);
	}
	fputc('\n', e->now->f);
	e->next = behind(e, e->next);
	e->line++;
}

void emit_lines(struct emitter *e, unsigned to)
{
	while (e->line <= to && e->next < e->end)
		put_line(e);
}

void emit_next_line(struct emitter *e, bool show)
{
	struct line l = peek(e, e->next);

	while (e->next < e->end && (!l.len || is_prose(l))) {
		put_line(e);
		l = peek(e, e->next);
	}
	if (show) {
		put_line(e);
		return;
	}
	e->next = behind(e, e->next);
	e->line++;
}

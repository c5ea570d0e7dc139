// SPDX-License-Identifier: MIT
/*
 * Scenarios as reports for a mailing list: Markdown that reads as plain text, each one complete, so that it can be sent
 * alone. What happens and what should stands first, what all reports of a host have in common last.
 */
#include <string.h>

#include "scenario/emit_c.h"
#include "scenario/host.h"
#include "scenario/report.h"
#include "scenario/report_rows.h"
#include "scenario/text.h"

#define CODE "    " /* a block of code: as it is, whatever is in it */

static bool deviates(const struct row *row)
{
	return row->verdict == VERDICT_BUG || row->verdict == VERDICT_ERRATUM ||
	       row->verdict == VERDICT_UNKNOWN;
}

/* "Fix: 052c...", in lines of a mail. */
static void put_field(FILE *f, const char *name, const char *text)
{
	fprintf(f, "%s:", name);
	text_wrap(f, TEXT_PROSE, "", strlen(name) + 1, text);
	fputc('\n', f);
}

static void put_prose(FILE *f, const struct prose *prose)
{
	size_t column = 0;

	for (unsigned i = 0; i < prose->n; i++)
		column = text_wrap(f, TEXT_PROSE, "", column, prose->lines[i]);
	fputs(prose->n ? "\n\n" : "", f);
}

static void put_what(FILE *f, const struct scenario *s)
{
	fputs("# KVM: x86: ", f);
	text_put(f, TEXT_PROSE, s->title);
	fputs("\n\n", f);
	put_prose(f, &s->about);
	put_prose(f, &s->cause);
	put_field(f, "Manual", s->manual);
	fputc('\n', f);
	put_field(f, "Fix", s->fix ? s->fix : "none known");
	if (s->fixed_in) {
		fputc('\n', f);
		put_field(f, "First release with it", s->fixed_in);
	}
}

/* --- what was seen */

static void put_mode_names(FILE *f, unsigned modes)
{
	static const struct {
		enum irqchip_mode mode;
		const char *name;
	} names[] = {
		{IRQCHIP_KERNEL, "in-kernel irqchip"},
		{IRQCHIP_SPLIT, "split irqchip"},
		{IRQCHIP_USER, "irqchip of sipi's own, without KVM's"},
		{IRQCHIP_NONE, "no in-kernel irqchip"},
	};
	const char *sep = "";

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (modes & 1u << names[i].mode) {
			fprintf(f, "%s%s", sep, names[i].name);
			sep = ", ";
		}
}

static void put_row(FILE *f, const struct row *row)
{
	static const char *const meaning[VERDICTS] = {
		[VERDICT_OK] = "as the manual says",
		[VERDICT_BUG] = "deviates",
		[VERDICT_ERRATUM] = "deviates",
		[VERDICT_UNKNOWN] = "deviates, and not as known before",
		[VERDICT_SKIP] = "not run",
		[VERDICT_ERROR] = "could not run",
	};

	fputs("\nWith ", f);
	put_mode_names(f, row->modes);
	fprintf(f, ": %s (verdict '%s')\n", meaning[row->verdict], verdict_name(row->verdict));
	if (*row->details)
		fputc('\n', f);
	report_lines(f, CODE, row->details);
}

static void put_seen(FILE *f, const struct row *rows, size_t n)
{
	fputs("\n## What was seen\n\n", f);
	host_brief(f);
	fputs(":\n", f);
	for (size_t i = 0; i < n; i++)
		put_row(f, &rows[i]);
	if (!rows->scenario->seen)
		return;
	fputc('\n', f);
	put_field(f, "Seen elsewhere", rows->scenario->seen);
}

/* --- how to see it */

/* Tabs, the only control characters that are left in a scenario's line, stay what they are. */
static void put_line(FILE *f, const char *p, size_t len)
{
	for (size_t n; len; p += n, len -= n) {
		const char *tab = memchr(p, '\t', len);

		n = tab == p ? 1 : tab ? (size_t)(tab - p) : len;
		if (tab == p)
			fputc('\t', f);
		else
			text_put_some(f, TEXT_PLAIN, p, n);
	}
	fputc('\n', f);
}

/* Those stand above. */
static bool is_prose(const char *line)
{
	size_t len;

	line += strspn(line, " \t");
	len = strcspn(line, " \t\r\n");
	return len == 5 && (memcmp(line, "about", 5) == 0 || memcmp(line, "cause", 5) == 0);
}

static void put_source(FILE *f, const char *source)
{
	for (const char *p = source; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t len = strcspn(p, "\r\n");

		if (is_prose(p))
			continue;
		fputs(len ? CODE : "", f);
		put_line(f, p, len);
	}
}

/* The mode in which it shows, else the first of all. */
static enum irqchip_mode mode_to_show(const struct row *rows, size_t n)
{
	static const enum irqchip_mode order[] = {IRQCHIP_KERNEL, IRQCHIP_SPLIT, IRQCHIP_NONE};
	unsigned modes = rows->modes;

	for (size_t i = n; i-- > 0;)
		if (deviates(&rows[i]))
			modes = rows[i].modes;
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (modes & 1u << order[i])
			return order[i];
	return IRQCHIP_USER;
}

/* The file of a program that is to go with the mail; what cannot be told in C has none. */
static void put_program(FILE *f, const struct scenario *s, enum irqchip_mode mode)
{
	struct error err;

	if (emit_c(s->path, 1u << mode, NULL, &err) < 0) {
		fputs("\nIt cannot be told as a C program of its own.\n", f);
		return;
	}
	fputs("\nThe same as a C program that needs kernel headers and libc alone is in the file\n",
	      f);
	text_put(f, TEXT_PROSE, s->id);
	fputs(".c that comes with this, written and run by\n\n" CODE "sipi check --emit-c ", f);
	text_put(f, TEXT_PLAIN, s->id);
	fprintf(f, ".c --irqchip %s ", irqchip_mode_name(mode));
	text_put(f, TEXT_PLAIN, s->path);
	fputs("\n" CODE "gcc -pthread ", f);
	text_put(f, TEXT_PLAIN, s->id);
	fprintf(f, ".c && ./a.out%s\n", s->danger ? " --dangerous" : "");
}

static void put_how(FILE *f, const struct row *rows, size_t n)
{
	const struct scenario *s = rows->scenario;
	enum irqchip_mode mode = mode_to_show(rows, n);

	fprintf(f, "\n## How to reproduce\n\n" CODE "sipi check%s --irqchip %s ",
		s->danger ? " --dangerous" : "", irqchip_mode_name(mode));
	text_put(f, TEXT_PLAIN, s->path);
	fputs("\n\nwhich runs this text (`expect` is what the manual says, `deviates` behind it\n"
	      "what is known to be seen instead):\n\n",
	      f);
	put_source(f, s->source);
	put_program(f, s, mode);
}

static void put_entry(FILE *f, const struct row *rows, size_t n)
{
	put_what(f, rows->scenario);
	put_seen(f, rows, n);
	put_how(f, rows, n);
	fputs("\n## Versions\n\n", f);
	report_host(f);
}

/* --- a report */

/* The rows of a scenario lie behind each other, as its runs did. */
static void end(struct report *r, const struct tally *t)
{
	const struct rows *rows = &((struct rows_report *)r)->rows;
	size_t n;

	for (size_t i = 0; i < rows->n; i += n) {
		for (n = 1; i + n < rows->n; n++)
			if (rows->rows[i + n].scenario != rows->rows[i].scenario)
				break;
		fputs(i ? "\n---\n\n" : "", r->f);
		put_entry(r->f, &rows->rows[i], n);
	}
	if (!t->signal)
		return;
	fputs(rows->n ? "\n" : "", r->f);
	report_summary(r->f, t);
	fputc('\n', r->f);
}

struct report *report_entries(FILE *f)
{
	static const struct report_ops ops = {rows_report_run, end, rows_report_destroy};

	return rows_report(f, &ops);
}

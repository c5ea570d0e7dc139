// SPDX-License-Identifier: MIT
/* The registry on this host as a bug report: the host, the table, and the details of what deviates. */
#include "scenario/report.h"
#include "scenario/report_rows.h"
#include "scenario/text.h"

static void put_cell(FILE *f, const char *text)
{
	fputs(" ", f);
	text_put(f, TEXT_MARKDOWN, text ? text : "");
	fputs(" |", f);
}

static void put_row(FILE *f, const struct row *row)
{
	char text[ROW_TEXT];

	fputc('|', f);
	put_cell(f, verdict_name(row->verdict));
	put_cell(f, row->scenario->id);
	put_cell(f, row->scenario->title);
	row_modes(row, text);
	put_cell(f, text);
	row_expected(row, text);
	put_cell(f, text);
	row_seen(row, text);
	put_cell(f, text);
	put_cell(f, row->scenario->fix);
	put_cell(f, row->scenario->fixed_in);
	fputc('\n', f);
}

/* Indented by four, which makes it a block of code: as it is, whatever is in it. */
static void put_details(FILE *f, const struct row *row)
{
	char modes[ROW_TEXT];

	row_modes(row, modes);
	fputs("\n### ", f);
	text_put(f, TEXT_MARKDOWN, row->scenario->id);
	fprintf(f, " (%s): %s\n\n", modes, verdict_name(row->verdict));
	report_lines(f, "    ", row->details);
	report_references(f, "    ", row->scenario, row->verdict);
}

static void end(struct report *r, const struct tally *t)
{
	struct rows_report *m = (struct rows_report *)r;
	FILE *f = r->f;

	rows_sort(&m->rows);
	fputs("# KVM errata on this host\n\n", f);
	report_summary(f, t);
	fputs("\n\n## Host\n\n", f);
	report_host(f);
	fputs("\n## Scenarios\n\n| verdict | id | title | irqchip | expected | seen | fix | fixed in |\n"
	      "|---|---|---|---|---|---|---|---|\n",
	      f);
	for (size_t i = 0; i < m->rows.n; i++)
		put_row(f, &m->rows.rows[i]);
	for (size_t i = 0; i < m->rows.n; i++)
		if (m->rows.rows[i].verdict != VERDICT_OK)
			put_details(f, &m->rows.rows[i]);
}

struct report *report_markdown(FILE *f)
{
	static const struct report_ops ops = {rows_report_run, end, rows_report_destroy};

	return rows_report(f, &ops);
}

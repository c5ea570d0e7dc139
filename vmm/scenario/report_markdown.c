// SPDX-License-Identifier: MIT
/* The registry on this host as a bug report: the host, the table, and the details of what deviates. */
#include <stdlib.h>

#include "scenario/report.h"
#include "scenario/report_rows.h"
#include "scenario/text.h"

struct markdown {
	struct report report;
	struct rows rows;
};

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

static void run(struct report *r, const struct batch_job *job, const struct result *result)
{
	struct markdown *m = (struct markdown *)r;

	if (rows_add(&m->rows, job, result) < 0)
		r->failed = true;
}

static void end(struct report *r, const struct tally *t)
{
	struct markdown *m = (struct markdown *)r;
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

static void destroy(struct report *r)
{
	rows_free(&((struct markdown *)r)->rows);
	free(r);
}

struct report *report_markdown(FILE *f)
{
	static const struct report_ops ops = {run, end, destroy};
	struct markdown *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->report = (struct report){.ops = &ops, .f = f};
	return &m->report;
}

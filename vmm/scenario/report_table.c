// SPDX-License-Identifier: MIT
/* The registry on this host: a row for what was seen of each scenario, the worst first. */
#include <stdlib.h>
#include <string.h>

#include "scenario/report.h"
#include "scenario/report_rows.h"
#include "scenario/text.h"

struct table {
	struct report report;
	struct rows rows;
};

enum column { COL_VERDICT, COL_ID, COL_MODES, COL_EXPECTED, COL_SEEN, COL_FIXED, COLUMNS };

/* The cells of a row: those that are computed are in buf. */
static void cells(const struct row *row, const char *cell[COLUMNS], char buf[3][ROW_TEXT])
{
	row_modes(row, buf[0]);
	row_expected(row, buf[1]);
	row_seen(row, buf[2]);
	cell[COL_VERDICT] = verdict_name(row->verdict);
	cell[COL_ID] = row->scenario->id;
	cell[COL_MODES] = buf[0];
	cell[COL_EXPECTED] = buf[1];
	cell[COL_SEEN] = buf[2];
	cell[COL_FIXED] = row->scenario->fixed_in ? row->scenario->fixed_in : "-";
}

static void widen(unsigned width[COLUMNS], const char *const cell[COLUMNS])
{
	for (unsigned i = 0; i < COLUMNS; i++)
		if (strlen(cell[i]) > width[i])
			width[i] = (unsigned)strlen(cell[i]);
}

static void put_cells(FILE *f, const unsigned width[COLUMNS], const char *const cell[COLUMNS],
		      const char *last)
{
	for (unsigned i = 0; i < COLUMNS; i++) {
		text_put(f, TEXT_PLAIN, cell[i]);
		fprintf(f, "%*s", (int)(width[i] - strlen(cell[i]) + 2), "");
	}
	text_put(f, TEXT_PLAIN, last);
	fputc('\n', f);
}

static void put_row(FILE *f, const unsigned width[COLUMNS], const struct row *row)
{
	const char *cell[COLUMNS];
	char buf[3][ROW_TEXT];
	int indent = 0;

	cells(row, cell, buf);
	put_cells(f, width, cell, row->scenario->title);
	for (unsigned i = 0; i < COLUMNS; i++)
		indent += (int)width[i] + 2;
	/* Below the title: what is missing or went wrong, and the fix. */
	if (row->verdict == VERDICT_SKIP || row->verdict == VERDICT_ERROR)
		fprintf(f, "%*s%.*s\n", indent, "", (int)strcspn(row->details, "\n"), row->details);
	if (!row->scenario->fix)
		return;
	fprintf(f, "%*sfix ", indent, "");
	text_put(f, TEXT_PLAIN, row->scenario->fix);
	fputc('\n', f);
}

static void run(struct report *r, const struct batch_job *job, const struct result *result)
{
	struct table *t = (struct table *)r;

	if (rows_add(&t->rows, job, result) < 0)
		r->failed = true;
}

static void end(struct report *r, const struct tally *tally)
{
	static const char *const head[COLUMNS] = {"VERDICT",  "ID",   "IRQCHIP",
						  "EXPECTED", "SEEN", "FIXED IN"};
	struct table *t = (struct table *)r;
	unsigned width[COLUMNS] = {0};
	const char *cell[COLUMNS];
	char buf[3][ROW_TEXT];

	rows_sort(&t->rows);
	widen(width, head);
	for (size_t i = 0; i < t->rows.n; i++) {
		cells(&t->rows.rows[i], cell, buf);
		widen(width, cell);
	}
	put_cells(r->f, width, head, "TITLE");
	for (size_t i = 0; i < t->rows.n; i++)
		put_row(r->f, width, &t->rows.rows[i]);
	report_summary(r->f, tally);
	fputc('\n', r->f);
}

static void destroy(struct report *r)
{
	rows_free(&((struct table *)r)->rows);
	free(r);
}

struct report *report_table(FILE *f)
{
	static const struct report_ops ops = {run, end, destroy};
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->report = (struct report){.ops = &ops, .f = f};
	return &t->report;
}

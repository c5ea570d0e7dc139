// SPDX-License-Identifier: MIT
/* The registry on this host: a row for what was seen of each scenario, the worst first. */
#include <string.h>

#include "scenario/report.h"
#include "scenario/report_rows.h"
#include "scenario/text.h"

enum column { COL_VERDICT, COL_ID, COL_MODES, COL_EXPECTED, COL_SEEN, COL_FIXED, COLUMNS };

#define NARROW 10 /* a wider value is rare, and moves its own row alone */

/* The cells of a row: those that are computed are in buf. */
static void cells(const struct row *row, const char *cell[COLUMNS], char buf[4][ROW_TEXT])
{
	const char *fixed = row->scenario->fixed_in;

	row_modes(row, buf[0]);
	row_expected(row, buf[1]);
	row_seen(row, buf[2]);
	/* "6.3; 6.1.y has it" */
	snprintf(buf[3], ROW_TEXT, "%.*s", fixed ? (int)strcspn(fixed, ";, ") : 1,
		 fixed ? fixed : "-");
	cell[COL_VERDICT] = verdict_name(row->verdict);
	cell[COL_ID] = row->scenario->id;
	cell[COL_MODES] = buf[0];
	cell[COL_EXPECTED] = buf[1];
	cell[COL_SEEN] = buf[2];
	cell[COL_FIXED] = buf[3];
}

static void widen(unsigned width[COLUMNS], const char *const cell[COLUMNS])
{
	for (unsigned i = 0; i < COLUMNS; i++) {
		size_t len = strlen(cell[i]);

		if (i >= COL_EXPECTED && len > NARROW)
			len = NARROW;
		if (len > width[i])
			width[i] = (unsigned)len;
	}
}

static void put_cells(FILE *f, const unsigned width[COLUMNS], const char *const cell[COLUMNS],
		      const char *last)
{
	for (unsigned i = 0; i < COLUMNS; i++) {
		size_t len = strlen(cell[i]);

		text_put(f, TEXT_PLAIN, cell[i]);
		fprintf(f, "%*s", len < width[i] ? (int)(width[i] - len) + 2 : 2, "");
	}
	text_put(f, TEXT_PLAIN, last);
	fputc('\n', f);
}

/* Above the first row of a verdict, for who sees it for the first time. */
static void put_group(FILE *f, enum verdict v)
{
	static const char *const meaning[VERDICTS] = {
		[VERDICT_OK] =
			"as the manual says; where the title is a deviation, it is not there",
		[VERDICT_BUG] =
			"KVM deviates from the manual as the title says; newer kernels have a fix",
		[VERDICT_ERRATUM] =
			"KVM deviates from the manual as the title says; on purpose, or not fixed yet",
		[VERDICT_UNKNOWN] =
			"neither what the manual says nor the known deviation: look at it",
		[VERDICT_SKIP] = "not run here",
		[VERDICT_ERROR] = "the scenario could not run",
	};

	fprintf(f, "\n# %s: %s\n", verdict_name(v), meaning[v]);
}

static void put_below(FILE *f, const char *what, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(f, "         %s", what);
	text_put(f, TEXT_PLAIN, text);
	fputc('\n', f);
}

/* What was looked at, or what is missing or went wrong; the fix. */
static void put_row(FILE *f, const unsigned width[COLUMNS], const struct row *row)
{
	const char *cell[COLUMNS];
	char buf[4][ROW_TEXT];

	cells(row, cell, buf);
	put_cells(f, width, cell, row->scenario->title);
	if (row->verdict == VERDICT_OK)
		return;
	if (row->verdict == VERDICT_SKIP || row->verdict == VERDICT_ERROR)
		fprintf(f, "         %.*s\n", (int)strcspn(row->details, "\n"), row->details);
	else if (row->looked)
		put_below(f, "", row->finding.text);
	put_below(f, "fix ", row->scenario->fix);
}

static void end(struct report *r, const struct tally *tally)
{
	static const char *const head[COLUMNS] = {"VERDICT",  "ID",   "IRQCHIP",
						  "EXPECTED", "SEEN", "FIXED IN"};
	struct rows_report *t = (struct rows_report *)r;
	unsigned width[COLUMNS] = {0};
	const char *cell[COLUMNS];
	char buf[4][ROW_TEXT];

	rows_sort(&t->rows);
	widen(width, head);
	for (size_t i = 0; i < t->rows.n; i++) {
		cells(&t->rows.rows[i], cell, buf);
		widen(width, cell);
	}
	put_cells(r->f, width, head, "TITLE");
	for (size_t i = 0; i < t->rows.n; i++) {
		if (!i || t->rows.rows[i].verdict != t->rows.rows[i - 1].verdict)
			put_group(r->f, t->rows.rows[i].verdict);
		put_row(r->f, width, &t->rows.rows[i]);
	}
	fputs("\nruns, each of a scenario in an irqchip mode:\n", r->f);
	report_summary(r->f, tally);
	fputs("\n`sipi errata --markdown ID` writes a report of one.\n", r->f);
}

struct report *report_table(FILE *f)
{
	static const struct report_ops ops = {rows_report_run, end, rows_report_destroy};

	return rows_report(f, &ops);
}

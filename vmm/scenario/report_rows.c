// SPDX-License-Identifier: MIT
#include "scenario/report_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool same(const struct row *row, const struct batch_job *job, const struct result *result,
		 const struct finding *d)
{
	if (row->scenario != job->scenario || row->verdict != result->verdict ||
	    row->looked != (d != NULL))
		return false;
	return !d || (row->finding.line == d->line && row->finding.expected == d->expected &&
		      row->finding.seen == d->seen);
}

static struct row *append(struct rows *r)
{
	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		struct row *more = reallocarray(r->rows, room, sizeof(*more));

		if (!more)
			return NULL;
		r->rows = more;
		r->room = room;
	}
	return &r->rows[r->n];
}

/* -1: out of memory. */
static int add(struct rows *r, const struct batch_job *job, const struct result *result)
{
	const struct finding *d = report_finding(result);
	char *details = report_observations_text(job, result);
	struct row *row;

	if (!details)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		row = &r->rows[i];
		if (!same(row, job, result, d) || strcmp(row->details, details) != 0)
			continue;
		row->modes |= 1u << job->mode;
		free(details);
		return 0;
	}
	row = append(r);
	if (!row) {
		free(details);
		return -1;
	}
	r->n++;
	*row = (struct row){
		.scenario = job->scenario,
		.modes = 1u << job->mode,
		.verdict = result->verdict,
		.looked = d != NULL,
		.details = details,
	};
	if (d)
		row->finding = *d;
	return 0;
}

void rows_sort(struct rows *r)
{
	/* By insertion: it keeps the order of equals, and a registry has hundreds. */
	for (size_t i = 1; i < r->n; i++) {
		struct row row = r->rows[i];
		size_t k = i;

		for (; k > 0 && report_worse(row.verdict, r->rows[k - 1].verdict); k--)
			r->rows[k] = r->rows[k - 1];
		r->rows[k] = row;
	}
}

struct report *rows_report(FILE *f, const struct report_ops *ops)
{
	struct rows_report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->report = (struct report){.ops = ops, .f = f};
	return &r->report;
}

void rows_report_run(struct report *r, const struct batch_job *job, const struct result *result)
{
	if (add(&((struct rows_report *)r)->rows, job, result) < 0)
		r->failed = true;
}

void rows_report_destroy(struct report *r)
{
	struct rows *rows = &((struct rows_report *)r)->rows;

	for (size_t i = 0; i < rows->n; i++)
		free(rows->rows[i].details);
	free(rows->rows);
	free(r);
}

void row_modes(const struct row *row, char text[ROW_TEXT])
{
	static const enum irqchip_mode order[] = {IRQCHIP_KERNEL, IRQCHIP_SPLIT, IRQCHIP_USER,
						  IRQCHIP_NONE};

	*text = '\0';
	for (unsigned i = 0; i < SCENARIO_MODES; i++) {
		if (!(row->modes & 1u << order[i]))
			continue;
		strcat(text, *text ? " " : "");
		strcat(text, irqchip_mode_name(order[i]));
	}
}

void row_expected(const struct row *row, char text[ROW_TEXT])
{
	const struct finding *d = &row->finding;
	const char *cmp = d->cmp == CMP_EQ ? "" : report_cmp(d->cmp);

	if (!row->looked)
		strcpy(text, "-");
	else
		snprintf(text, ROW_TEXT, "%s%s0x%" PRIx64, cmp, *cmp ? " " : "", d->expected);
}

void row_seen(const struct row *row, char text[ROW_TEXT])
{
	if (!row->looked)
		strcpy(text, "-");
	else
		snprintf(text, ROW_TEXT, "0x%" PRIx64, row->finding.seen);
}

// SPDX-License-Identifier: MIT
/* A line for each scenario and irqchip mode, and details for what is not ok. */
#include <inttypes.h>
#include <stdlib.h>

#include "scenario/report.h"
#include "scenario/text.h"

struct human {
	struct report report;
	uint64_t repeat;
	bool quiet;
	/* The repetitions of one scenario in one mode; job and result are of the first that was worst. */
	uint64_t n, counts[VERDICTS];
	struct batch_job job;
	struct result result;
};

static bool is_bad(enum verdict v)
{
	return v == VERDICT_BUG || v == VERDICT_UNKNOWN || v == VERDICT_ERROR;
}

/* "3 of 1000": how often the verdict was that, and the others. */
static void put_counts(const struct human *h)
{
	FILE *f = h->report.f;

	if (h->repeat == 1)
		return;
	fprintf(f, " (%" PRIu64 " of %" PRIu64 " runs", h->counts[h->result.verdict], h->n);
	for (unsigned v = 0; v < VERDICTS; v++)
		if (v != h->result.verdict && h->counts[v])
			fprintf(f, ", %" PRIu64 " %s", h->counts[v], verdict_name((enum verdict)v));
	if (is_bad(h->result.verdict))
		fprintf(f, "; first with --seed 0x%" PRIx64, h->job.limits.seed);
	fputc(')', f);
}

static void flush(struct human *h)
{
	enum verdict v = h->result.verdict;
	FILE *f = h->report.f;

	if (h->n && (!h->quiet || is_bad(v))) {
		fprintf(f, "%-7s %-7s ", verdict_name(v), irqchip_mode_name(h->job.mode));
		text_put(f, TEXT_PLAIN, h->job.scenario->id);
		fputs("  ", f);
		text_put(f, TEXT_PLAIN, h->job.scenario->title);
		put_counts(h);
		fputc('\n', f);
		report_details(f, "        ", &h->job, &h->result);
		fflush(f);
	}
	h->n = 0;
	for (v = 0; v < VERDICTS; v++)
		h->counts[v] = 0;
}

static void run(struct report *r, const struct batch_job *job, const struct result *result)
{
	struct human *h = (struct human *)r;

	if (h->n && (job->scenario != h->job.scenario || job->mode != h->job.mode))
		flush(h);
	if (!h->n || report_worse(result->verdict, h->result.verdict)) {
		h->job = *job;
		h->result = *result;
	}
	h->n++;
	h->counts[result->verdict]++;
	if (h->repeat == 1)
		flush(h);
}

static void end(struct report *r, const struct tally *t)
{
	struct human *h = (struct human *)r;

	flush(h);
	if (h->quiet && !t->signal)
		return;
	report_summary(r->f, t);
	fputc('\n', r->f);
}

static void destroy(struct report *r)
{
	free(r);
}

struct report *report_human(FILE *f, uint64_t repeat, bool quiet)
{
	static const struct report_ops ops = {run, end, destroy};
	struct human *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->report = (struct report){.ops = &ops, .f = f};
	h->repeat = repeat;
	h->quiet = quiet;
	return &h->report;
}

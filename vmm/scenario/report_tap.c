// SPDX-License-Identifier: MIT
/* TAP: a line for each run, with details as comments. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/report.h"
#include "scenario/text.h"

struct tap {
	struct report report;
	uint64_t repeat, n;
};

static void run(struct report *r, const struct batch_job *job, const struct result *result)
{
	struct tap *tap = (struct tap *)r;
	enum verdict v = result->verdict;
	bool good = v == VERDICT_OK || v == VERDICT_ERRATUM || v == VERDICT_SKIP;
	char *details;

	fprintf(r->f, "%sok %" PRIu64 " - ", good ? "" : "not ", ++tap->n);
	text_put(r->f, TEXT_TAP, job->scenario->id);
	fprintf(r->f, " (%s", irqchip_mode_name(job->mode));
	if (tap->repeat > 1)
		fprintf(r->f, ", run %u", job->turn);
	fputc(')', r->f);
	if (v == VERDICT_SKIP) {
		fputs(" # SKIP ", r->f);
		text_put(r->f, TEXT_PLAIN, result->why);
	}
	fputc('\n', r->f);
	if (v == VERDICT_OK || v == VERDICT_SKIP)
		return;
	fprintf(r->f, "# %s: ", verdict_name(v));
	text_put(r->f, TEXT_PLAIN, job->scenario->title);
	fputc('\n', r->f);
	details = report_details_text(job, result);
	if (details)
		report_lines(r->f, "# ", details);
	free(details);
	fflush(r->f);
}

static void end(struct report *r, const struct tally *t)
{
	if (t->signal)
		fputs("Bail out! ", r->f);
	else
		fputs("# ", r->f);
	report_summary(r->f, t);
	fputc('\n', r->f);
}

static void destroy(struct report *r)
{
	free(r);
}

struct report *report_tap(FILE *f, uint64_t runs, uint64_t repeat)
{
	static const struct report_ops ops = {run, end, destroy};
	struct tap *tap = calloc(1, sizeof(*tap));

	if (!tap)
		return NULL;
	tap->report = (struct report){.ops = &ops, .f = f};
	tap->repeat = repeat;
	fprintf(f, "1..%" PRIu64 "%s\n", runs, runs ? "" : " # SKIP no runs");
	return &tap->report;
}

// SPDX-License-Identifier: MIT
/*
 * JUnit's XML, as Jenkins and GitLab read it. Its head has counts of what follows, so that the test cases are kept
 * in memory until the end.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/report.h"
#include "scenario/text.h"

struct junit {
	struct report report;
	uint64_t repeat;
	double seconds;
	char *text;
	size_t size;
	FILE *cases; /* writes to text */
};

static void put(FILE *f, const char *before, const char *text, const char *behind)
{
	fputs(before, f);
	text_put(f, TEXT_XML, text);
	fputs(behind, f);
}

/* Many lines, each by itself: a newline is a control character for text_put(). */
static void put_lines(FILE *f, char *text)
{
	for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n"))
		put(f, "", line, text ? "\n" : "");
}

static void put_outcome(FILE *f, const struct batch_job *job, const struct result *result)
{
	const char *element = result->verdict == VERDICT_ERROR	   ? "error"
			      : result->verdict == VERDICT_ERRATUM ? "system-out"
								   : "failure";
	char *details;

	if (result->verdict == VERDICT_OK)
		return;
	if (result->verdict == VERDICT_SKIP) {
		put(f, "    <skipped message=\"", result->why, "\"/>\n");
		return;
	}
	fprintf(f, "    <%s", element);
	if (result->verdict == VERDICT_ERRATUM)
		fputs(">erratum: ", f);
	else
		put(f, " type=\"", verdict_name(result->verdict), "\"");
	if (result->verdict != VERDICT_ERRATUM)
		put(f, " message=\"", job->scenario->title, "\">");
	details = report_details_text(job, result);
	if (details)
		put_lines(f, details);
	free(details);
	fprintf(f, "</%s>\n", element);
}

static void run(struct report *r, const struct batch_job *job, const struct result *result)
{
	struct junit *j = (struct junit *)r;
	FILE *f = j->cases;

	put(f, "  <testcase classname=\"sipi.", irqchip_mode_name(job->mode), "\"");
	put(f, " name=\"", job->scenario->id, "");
	fprintf(f, " (%s", irqchip_mode_name(job->mode));
	if (j->repeat > 1)
		fprintf(f, ", run %u", job->turn);
	put(f, ")\" file=\"", job->scenario->path, "\"");
	fprintf(f, " time=\"%.6f\">\n", result->seconds);
	put_outcome(f, job, result);
	fputs("  </testcase>\n", f);
	j->seconds += result->seconds;
}

/* Whoever reads JUnit looks at the test cases: without one, runs that a signal kept from being done would pass unseen. */
static void put_signal(FILE *f, const struct tally *t)
{
	fputs("  <testcase classname=\"sipi\" name=\"check\">\n"
	      "    <error type=\"signal\" message=\"",
	      f);
	report_not_done(f, t);
	fputs("\"/>\n  </testcase>\n", f);
}

static void end(struct report *r, const struct tally *t)
{
	struct junit *j = (struct junit *)r;
	uint64_t ended = t->signal != 0;

	if (ended)
		put_signal(j->cases, t);
	r->failed = fflush(j->cases) != 0 || ferror(j->cases);
	fprintf(r->f,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuite name=\"sipi check\" tests=\"%" PRIu64 "\" failures=\"%" PRIu64
		"\" errors=\"%" PRIu64 "\" skipped=\"%" PRIu64 "\" time=\"%.6f\">\n",
		t->done + ended, t->n[VERDICT_BUG] + t->n[VERDICT_UNKNOWN],
		t->n[VERDICT_ERROR] + ended, t->n[VERDICT_SKIP], j->seconds);
	fwrite(j->text, 1, j->size, r->f);
	fputs("  <system-out>", r->f);
	report_summary(r->f, t);
	fputs("</system-out>\n</testsuite>\n", r->f);
}

static void destroy(struct report *r)
{
	struct junit *j = (struct junit *)r;

	fclose(j->cases);
	free(j->text);
	free(j);
}

struct report *report_junit(FILE *f, uint64_t repeat)
{
	static const struct report_ops ops = {run, end, destroy};
	struct junit *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->report = (struct report){.ops = &ops, .f = f};
	j->repeat = repeat;
	j->cases = open_memstream(&j->text, &j->size);
	if (j->cases)
		return &j->report;
	free(j);
	return NULL;
}

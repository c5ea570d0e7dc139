// SPDX-License-Identifier: MIT
#include "scenario/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/host.h"
#include "scenario/text.h"

void report_destroy(struct report *r)
{
	if (r)
		r->ops->destroy(r);
}

bool report_worse(enum verdict a, enum verdict b)
{
	static const unsigned rank[VERDICTS] = {
		[VERDICT_OK] = 0,  [VERDICT_SKIP] = 1,	  [VERDICT_ERRATUM] = 2,
		[VERDICT_BUG] = 3, [VERDICT_UNKNOWN] = 4, [VERDICT_ERROR] = 5,
	};

	return rank[a] > rank[b];
}

const char *report_cmp(enum comparison cmp)
{
	static const char *const names[] = {
		[CMP_EQ] = "=",	 [CMP_NE] = "!=", [CMP_LT] = "<",
		[CMP_LE] = "<=", [CMP_GT] = ">",  [CMP_GE] = ">=",
	};

	return names[cmp];
}

const struct finding *report_finding(const struct result *result)
{
	for (unsigned i = 0; i < result->nfindings; i++)
		if (result->findings[i].what != SEEN_EXPECTED)
			return &result->findings[i];
	return result->nfindings ? &result->findings[0] : NULL;
}

static void put_line(FILE *f, const char *indent, const char *what, const char *text,
		     const char *end)
{
	if (!text || !*text)
		return;
	fprintf(f, "%s%s", indent, what);
	text_put(f, TEXT_PLAIN, text);
	fputs(end, f);
}

static void put_finding(FILE *f, const char *indent, const char *path, const struct finding *d)
{
	const char *cmp = d->cmp == CMP_EQ ? "" : report_cmp(d->cmp);

	fputs(indent, f);
	text_put(f, TEXT_PLAIN, path);
	fprintf(f, ":%u: ", d->line);
	text_put(f, TEXT_PLAIN, d->text);
	fprintf(f, "\n%s    expected %s%s0x%" PRIx64 ", seen 0x%" PRIx64 "%s", indent, cmp,
		*cmp ? " " : "", d->expected, d->seen,
		d->what == SEEN_DEVIATION ? ": the known deviation" : "");
	if (d->times > 1)
		fprintf(f, ", looked at %" PRIu64 " times", d->times);
	fputc('\n', f);
}

void report_observations(FILE *f, const char *indent, const struct batch_job *job,
			 const struct result *result)
{
	const struct scenario *s = job->scenario;

	if (result->verdict == VERDICT_OK)
		return;
	if (result->verdict == VERDICT_ERROR) {
		put_line(f, indent, "", s->path, ": ");
		put_line(f, "", "", result->why, "\n");
	} else {
		put_line(f, indent, "", result->why, "\n");
	}
	for (unsigned i = 0; i < result->nfindings; i++)
		if (result->findings[i].what != SEEN_EXPECTED)
			put_finding(f, indent, s->path, &result->findings[i]);
}

void report_references(FILE *f, const char *indent, const struct scenario *s, enum verdict v)
{
	if (v == VERDICT_OK || v == VERDICT_SKIP || v == VERDICT_ERROR)
		return;
	put_line(f, indent, "fix     ", s->fix, "\n");
	put_line(f, indent, "fixed   ", s->fixed_in, "\n");
	put_line(f, indent, "manual  ", s->manual, "\n");
}

void report_details(FILE *f, const char *indent, const struct batch_job *job,
		    const struct result *result)
{
	report_observations(f, indent, job, result);
	report_references(f, indent, job->scenario, result->verdict);
}

static char *in_memory(void (*put)(FILE *f, const char *indent, const struct batch_job *job,
				   const struct result *result),
		       const struct batch_job *job, const struct result *result)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	put(f, "", job, result);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

char *report_details_text(const struct batch_job *job, const struct result *result)
{
	return in_memory(report_details, job, result);
}

char *report_observations_text(const struct batch_job *job, const struct result *result)
{
	return in_memory(report_observations, job, result);
}

void report_lines(FILE *f, const char *indent, const char *text)
{
	for (; *text; text += strcspn(text, "\n") + 1)
		fprintf(f, "%s%.*s\n", indent, (int)strcspn(text, "\n"), text);
}

#define BEHIND_FACT "                     "

static void put_fact(void *arg, const char *name, const char *value)
{
	FILE *f = arg;

	fprintf(f, "    %-16s ", name);
	text_wrap(f, TEXT_PLAIN, BEHIND_FACT, strlen(BEHIND_FACT), value);
	fputc('\n', f);
}

void report_host(FILE *f)
{
	host_facts(put_fact, f);
}

void report_not_done(FILE *f, const struct tally *t)
{
	fprintf(f, "%s: %" PRIu64 " of %" PRIu64 " runs were not done", strsignal(t->signal),
		t->runs - t->done, t->runs);
}

void report_summary(FILE *f, const struct tally *t)
{
	const char *sep = "";

	for (unsigned v = 0; v < VERDICTS; v++)
		if (t->n[v]) {
			fprintf(f, "%s%" PRIu64 " %s", sep, t->n[v], verdict_name((enum verdict)v));
			sep = ", ";
		}
	if (!t->done)
		fputs("no runs", f);
	if (t->signal) {
		fputs("; ", f);
		report_not_done(f, t);
	}
}

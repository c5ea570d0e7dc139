// SPDX-License-Identifier: MIT
/* One JSON object: the host, each run with all that its expects saw, and how many there were of each verdict. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/host.h"
#include "scenario/report.h"
#include "scenario/text.h"

struct json {
	struct report report;
	bool more; /* something stands before it in the list */
};

/* NULL: left out. */
static void put(FILE *f, const char *sep, const char *name, const char *value)
{
	if (!value)
		return;
	fprintf(f, "%s\"", sep);
	text_put(f, TEXT_JSON, name);
	fputs("\": \"", f);
	text_put(f, TEXT_JSON, value);
	fputc('"', f);
}

static void put_fact(void *arg, const char *name, const char *value)
{
	struct json *j = arg;

	put(j->report.f, j->more ? ", " : "", name, value);
	j->more = true;
}

/* Numbers of 64 bits are strings: JSON's are doubles for many readers. */
static void put_finding(FILE *f, const char *sep, const struct finding *d)
{
	static const char *const what[] = {
		[SEEN_EXPECTED] = "expected",
		[SEEN_DEVIATION] = "deviation",
		[SEEN_OTHER] = "other",
	};

	fprintf(f, "%s\n    {\"line\": %u", sep, d->line);
	put(f, ", ", "text", d->text);
	put(f, ", ", "cmp", report_cmp(d->cmp));
	fprintf(f, ", \"expected\": \"0x%" PRIx64 "\", \"seen\": \"0x%" PRIx64 "\"", d->expected,
		d->seen);
	put(f, ", ", "what", what[d->what]);
	fprintf(f, ", \"times\": %" PRIu64 "}", d->times);
}

static void run(struct report *r, const struct batch_job *job, const struct result *result)
{
	static const char *const classes[] = {
		[CLASS_BUG] = "bug",
		[CLASS_ERRATUM] = "erratum",
		[CLASS_GUARD] = "guard",
	};
	struct json *j = (struct json *)r;
	const struct scenario *s = job->scenario;
	FILE *f = r->f;

	fputs(j->more ? ",\n  {" : "\n  {", f);
	j->more = true;
	put(f, "", "id", s->id);
	put(f, ", ", "irqchip", irqchip_mode_name(job->mode));
	fprintf(f, ", \"run\": %u, \"seed\": \"0x%" PRIx64 "\"", job->turn, job->limits.seed);
	put(f, ", ", "verdict", verdict_name(result->verdict));
	put(f, ", ", "why", *result->why ? result->why : NULL);
	fprintf(f, ", \"seconds\": %.6f", result->seconds);
	put(f, ",\n   ", "title", s->title);
	put(f, ", ", "class", classes[s->class]);
	put(f, ", ", "file", s->path);
	put(f, ", ", "fix", s->fix);
	put(f, ", ", "fixed", s->fixed_in);
	put(f, ", ", "manual", s->manual);
	fputs(",\n   \"findings\": [", f);
	for (unsigned i = 0; i < result->nfindings; i++)
		put_finding(f, i ? "," : "", &result->findings[i]);
	fputs("]}", f);
}

static void end(struct report *r, const struct tally *t)
{
	fputs("\n ],\n \"summary\": {", r->f);
	for (unsigned v = 0; v < VERDICTS; v++)
		fprintf(r->f, "\"%s\": %" PRIu64 ", ", verdict_name((enum verdict)v), t->n[v]);
	fprintf(r->f, "\"runs\": %" PRIu64 ", \"done\": %" PRIu64 ", \"signal\": %d}\n}\n", t->runs,
		t->done, t->signal);
}

static void destroy(struct report *r)
{
	free(r);
}

struct report *report_json(FILE *f)
{
	static const struct report_ops ops = {run, end, destroy};
	struct json *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->report = (struct report){.ops = &ops, .f = f};
	fputs("{\n \"host\": {", f);
	host_facts(put_fact, j);
	fputs("},\n \"runs\": [", f);
	j->more = false;
	return &j->report;
}

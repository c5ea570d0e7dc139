/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_REPORT_H
#define SIPI_SCENARIO_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "scenario/batch.h"
#include "scenario/run.h"

/* What is told of a campaign's runs, and how. */

struct tally {
	uint64_t runs, done; /* how many there should be; how many there were */
	uint64_t n[VERDICTS];
	int signal; /* what ended it early, or 0 */
};

struct report;

struct report_ops {
	/* A run has ended; called in the order of the runs. */
	void (*run)(struct report *r, const struct batch_job *job, const struct result *result);
	/* No more runs come: writes what is left to say. Not called where the batch failed. */
	void (*end)(struct report *r, const struct tally *t);
	void (*destroy)(struct report *r);
};

struct report {
	const struct report_ops *ops;
	FILE *f;     /* the caller's, who looks for errors and closes it */
	bool failed; /* out of memory: what was written is not all */
};

/*
 * Each is allocated and freed by report_destroy(); NULL: out of memory.
 * human: a line for each scenario and mode, with details where that is not ok; quiet: only for what is bug, unknown
 * or error, and no summary. repeat: how often each is run; more than once, the worst is shown, with how often it was seen.
 */
struct report *report_human(FILE *f, uint64_t repeat, bool quiet);
/* TAP version 12; `runs` is the plan. */
struct report *report_tap(FILE *f, uint64_t runs, uint64_t repeat);
struct report *report_junit(FILE *f, uint64_t repeat);
struct report *report_json(FILE *f);
/* The registry as a table, when all is done: one row for the modes of a scenario that gave the same. */
struct report *report_table(FILE *f);
/* The same in Markdown, with what the host is, and the details of what is not ok. */
struct report *report_markdown(FILE *f);
/* Each scenario as a report of its own, for a mail to KVM's list. */
struct report *report_entries(FILE *f);
void report_destroy(struct report *r);

/* --- what they have in common */

/* Is a worse than b? ok, skip, erratum, bug, unknown, error: the last is worst. */
bool report_worse(enum verdict a, enum verdict b);
const char *report_cmp(enum comparison cmp); /* "=", ">=", ... */
/* The first expect that did not see what the architecture says; else the first of all, else NULL. */
const struct finding *report_finding(const struct result *result);
/*
 * What is to be said of a verdict that is not ok, a line each, behind `indent`: nothing for ok. First why and what was
 * seen, then, of a deviation, fix and manual.
 */
void report_observations(FILE *f, const char *indent, const struct batch_job *job,
			 const struct result *result);
void report_references(FILE *f, const char *indent, const struct scenario *s, enum verdict v);
void report_details(FILE *f, const char *indent, const struct batch_job *job,
		    const struct result *result);
/* Details, or observations alone, in memory: free() it. NULL: out of memory. */
char *report_details_text(const struct batch_job *job, const struct result *result);
char *report_observations_text(const struct batch_job *job, const struct result *result);
/* Lines of those, behind `indent`. */
void report_lines(FILE *f, const char *indent, const char *text);
/* What the host is, as a block of Markdown's code: "#1" of a kernel's version is no issue of whoever gets it. */
void report_host(FILE *f);
/* "Terminated: 3 of 12 runs were not done". */
void report_not_done(FILE *f, const struct tally *t);
/* "12 ok, 1 bug, 2 skip", and what is missing of it where it was interrupted. */
void report_summary(FILE *f, const struct tally *t);

#endif

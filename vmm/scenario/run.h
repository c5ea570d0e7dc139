/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_RUN_H
#define SIPI_SCENARIO_RUN_H

#include "scenario/scenario.h"

enum verdict {
	VERDICT_OK,
	VERDICT_BUG,
	VERDICT_ERRATUM,
	VERDICT_UNKNOWN,
	VERDICT_SKIP,
	VERDICT_ERROR,
	VERDICTS
};

const char *verdict_name(enum verdict v); /* "ok", "bug", ... */

/*
 * What one `expect` saw, the first time that it was not what the architecture says (a third thing counts more than
 * the deviation); or the last time.
 */
struct finding {
	unsigned line;
	char text[160]; /* the expect's line */
	uint64_t expected, seen;
	enum comparison cmp;
	enum { SEEN_EXPECTED, SEEN_DEVIATION, SEEN_OTHER } what;
	uint64_t times; /* how often it was looked at */
};

#define FINDINGS 64

/* Plain data, so that a child process can hand it over a pipe as it is. */
struct result {
	enum verdict verdict;
	char why[256]; /* skip: what is missing; error: which step failed and how */
	unsigned nfindings;
	struct finding findings[FINDINGS];
	double seconds;
};

struct run_limits {
	uint64_t seed;
	unsigned timeout_ms; /* of the whole scenario; parallel and run stop there too */
};

/*
 * Runs a scenario once in one mode. Verdicts: any expect that saw something else: unknown; else any that saw the
 * deviation: bug or erratum, by its class (a guard has none); else ok. A step that fails and is not tried: error.
 */
void scenario_run(const struct scenario *s, enum irqchip_mode mode, const struct run_limits *limits,
		  struct result *result);

#endif

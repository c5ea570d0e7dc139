/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_BATCH_H
#define SIPI_SCENARIO_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "scenario/run.h"
#include "util/error.h"

/*
 * Many scenarios, each run in a process of its own, so that one that dies or hangs costs its own verdict and nothing
 * else.
 */

#define BATCH_PARALLEL 256 /* processes at once, at most */

struct batch_job {
	const struct scenario *scenario;
	enum irqchip_mode mode;
	unsigned turn; /* which of its repetitions, from 1 */
	struct run_limits limits;
	const char *skip; /* not NULL: it is not run, verdict skip, for this reason */
};

struct batch_ops {
	/* The next job, just before it starts; false: there is none. Not asked again then. */
	bool (*next)(void *arg, struct batch_job *job);
	/* In the order of the jobs, as soon as one and all before it have ended. */
	void (*done)(void *arg, const struct batch_job *job, const struct result *result);
};

/*
 * Runs all jobs, `parallel` (1 to BATCH_PARALLEL) at a time. One that ends by a signal, with an exit code, or not within
 * its time limit and ten seconds has verdict error, which says so. SIGINT, SIGTERM and SIGHUP, unless they are
 * ignored, end it early: processes are killed, jobs that have ended are still handed to done(). Those signals
 * stay blocked then.
 * 0; the signal; or -1 with *err, EXIT_SETUP.
 */
int batch_run(const struct batch_ops *ops, void *arg, unsigned parallel, struct error *err);

#endif

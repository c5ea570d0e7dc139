// SPDX-License-Identifier: MIT
/* One run of a scenario, from its needs to its verdict. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scenario/runner.h"
#include "util/clock.h"

const char *verdict_name(enum verdict v)
{
	static const char *const names[VERDICTS] = {
		[VERDICT_OK] = "ok",	       [VERDICT_BUG] = "bug",
		[VERDICT_ERRATUM] = "erratum", [VERDICT_UNKNOWN] = "unknown",
		[VERDICT_SKIP] = "skip",       [VERDICT_ERROR] = "error",
	};

	return names[v];
}

static bool expr_has(const struct expr *e, enum object_kind kind)
{
	for (unsigned i = 0; i < e->n; i++)
		if (e->terms[i].kind == TERM_OBJECT && e->terms[i].object.object->kind == kind)
			return true;
	return false;
}

static bool uses(const struct step_list *list, enum object_kind kind)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct step *st = &list->steps[i];

		for (unsigned a = 0; a < STEP_ARGS; a++)
			if (st->given[a] && expr_has(&st->args[a], kind))
				return true;
		for (unsigned b = 0; b < st->nbranches; b++)
			if (uses(&st->branches[b], kind))
				return true;
	}
	return false;
}

/* Where a step would have been refused for want of it, the run is skipped. */
static int open_kmsg(struct run *run, struct error *err)
{
	int r;

	if (!uses(&run->s->steps, OBJECT_WARNINGS))
		return 0;
	r = kmsg_open(&run->kmsg);
	return r < 0 ? error_set(err, EXIT_SKIP, "needs to read /dev/kmsg, for `warnings`: %s",
				 strerror(-r))
		     : 0;
}

/* Capabilities that come first are for VMs without vCPUs; then come the CPUs that no step creates. */
static bool run_all(struct runner *r)
{
	const struct run *run = r->run;
	const struct step_list *all = &run->s->steps;
	struct step_list part = {.steps = all->steps};

	while (part.n < all->n && step_is_early(all->steps[part.n].kind))
		part.n++;
	if (!run_list(r, &part))
		return false;
	for (unsigned i = 0; i < run->s->ncpus; i++) {
		int e = run->s->late[i] ? 0 : run->t->ops->create_cpu(run->t, i);

		if (e < 0) {
			snprintf(run->result->why, sizeof(run->result->why),
				 "cpus: KVM_CREATE_VCPU %u: %s", run->s->cpus[i], strerror(-e));
			return false;
		}
	}
	part = (struct step_list){all->steps + part.n, all->n - part.n};
	return run_list(r, &part);
}

static enum verdict verdict_of(const struct run *run)
{
	if (run->unknown)
		return VERDICT_UNKNOWN;
	if (!run->deviated)
		return VERDICT_OK;
	switch (run->s->class) {
	case CLASS_BUG:
		return VERDICT_BUG;
	case CLASS_ERRATUM:
		return VERDICT_ERRATUM;
	default:
		return VERDICT_UNKNOWN;
	}
}

static void carry_out(struct run *run, const struct run_limits *limits)
{
	struct runner r = {
		.run = run,
		.until_ns = run->end_ns,
		.random = limits->seed,
	};

	run->result->verdict = run_all(&r) ? verdict_of(run) : VERDICT_ERROR;
}

static void refused(struct result *result, const struct error *err)
{
	result->verdict = err->code == EXIT_SKIP ? VERDICT_SKIP : VERDICT_ERROR;
	snprintf(result->why, sizeof(result->why), "%.255s", err->text);
}

void scenario_run(const struct scenario *s, enum irqchip_mode mode, const struct run_limits *limits,
		  struct result *result)
{
	uint64_t start = clock_now_ns();
	struct run run = {
		.s = s,
		.result = result,
		.timeout_ms = limits->timeout_ms,
		.end_ns = start + limits->timeout_ms * NSEC_PER_MSEC,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.kmsg = {.fd = -1},
	};
	struct error err;

	memset(result, 0, sizeof(*result));
	memset(run.traces, -1, sizeof(run.traces));
	if (needs_met(s, mode, &err) < 0 || open_kmsg(&run, &err) < 0 ||
	    watched_open(&run, &err) < 0 || target_open(&run.t, s, mode, &err) < 0)
		refused(result, &err);
	else
		carry_out(&run, limits);
	run_close_routes(&run);
	if (run.t)
		target_close(run.t);
	run_free_memslots(&run);
	watched_close(&run);
	if (run.kmsg.fd >= 0)
		close(run.kmsg.fd);
	result->seconds = (double)(clock_now_ns() - start) / (double)NSEC_PER_SEC;
}

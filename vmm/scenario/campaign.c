// SPDX-License-Identifier: MIT
#include "scenario/campaign.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "kvm/kvm.h"
#include "scenario/batch.h"
#include "scenario/host.h"
#include "util/clock.h"

#define PROGRESS_NS (NSEC_PER_SEC / 10)

struct state {
	struct campaign *c;
	struct tally *tally;
	uint64_t next;	   /* number of the next run, over all shards */
	size_t scenario;   /* where it is: this scenario, */
	unsigned mode;	   /* this mode, */
	uint64_t first;	   /* whose first repetition has this number */
	uint64_t shown_ns; /* when progress was shown last */
	bool shows;	   /* it stands there now */
};

/* The order is the one that people read. */
static const enum irqchip_mode mode_order[] = {IRQCHIP_KERNEL, IRQCHIP_SPLIT, IRQCHIP_USER,
					       IRQCHIP_NONE};

int campaign_modes(const char *list, unsigned *modes, struct error *err)
{
	unsigned bits = 0;

	for (const char *next = list;; next++) {
		size_t len = strcspn(next, ",");
		char name[16];
		int mode;

		snprintf(name, sizeof(name), "%.*s", len < sizeof(name) ? (int)len : 0, next);
		mode = strcmp(name, "none") == 0 ? IRQCHIP_NONE : irqchip_mode_parse(name);
		if (mode < 0)
			return error_set(err, EXIT_SETUP,
					 "--irqchip '%s': expected some of kernel,split,user,none",
					 list);
		bits |= 1u << mode;
		next += len;
		if (!*next)
			break;
	}
	*modes = bits;
	return 0;
}

void campaign_init(struct campaign *c, const struct registry *registry, unsigned modes)
{
	int online = get_nprocs();
	unsigned cpus = online < 1 ? 1 : (unsigned)online;

	*c = (struct campaign){
		.registry = registry,
		.modes = modes,
		.repeat = 1,
		.shards = 1,
		.seed = clock_now_ns(),
		.timeout_ms = 10000,
		.parallel = cpus < BATCH_PARALLEL ? cpus : BATCH_PARALLEL,
		.progress = isatty(STDERR_FILENO),
	};
}

int campaign_check(const struct campaign *c, struct error *err)
{
	int kvm;

	if (!campaign_runs(c))
		return error_set(err, EXIT_SETUP,
				 "--irqchip: no scenario here names one of these modes");
	kvm = kvm_open(err);
	if (kvm < 0)
		return -1;
	close(kvm);
	return 0;
}

static bool has_mode(const struct campaign *c, size_t scenario, unsigned mode)
{
	return c->registry->scenarios[scenario]->modes & c->modes & 1u << mode_order[mode];
}

uint64_t campaign_runs(const struct campaign *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->registry->n; i++)
		for (unsigned m = 0; m < SCENARIO_MODES; m++)
			n += has_mode(c, i, m);
	return n * c->repeat;
}

uint64_t campaign_shard_runs(const struct campaign *c)
{
	uint64_t n = campaign_runs(c);

	return n > c->shard ? (n - c->shard - 1) / c->shards + 1 : 0;
}

void campaign_announce(const struct campaign *c, FILE *f)
{
	uint64_t runs = campaign_shard_runs(c);

	fputs("sipi: ", f);
	host_brief(f);
	fprintf(f, ", %zu scenario%s, %" PRIu64 " run%s, seed 0x%" PRIx64 "\n", c->registry->n,
		c->registry->n == 1 ? "" : "s", runs, runs == 1 ? "" : "s", c->seed);
}

static void show_progress(struct state *s, const struct batch_job *job)
{
	uint64_t now = clock_now_ns();

	if (!s->c->progress || now - s->shown_ns < PROGRESS_NS)
		return;
	s->shown_ns = now;
	s->shows = true;
	fprintf(stderr, "\r\033[K[%" PRIu64 "/%" PRIu64 "] %.40s %s", s->tally->done,
		s->tally->runs, job->scenario->id, irqchip_mode_name(job->mode));
}

static void hide_progress(struct state *s)
{
	if (s->shows)
		fputs("\r\033[K", stderr);
	s->shows = false;
}

static bool next(void *arg, struct batch_job *job)
{
	struct state *s = arg;
	struct campaign *c = s->c;

	while (s->scenario < c->registry->n &&
	       (!has_mode(c, s->scenario, s->mode) || s->next >= s->first + c->repeat)) {
		if (has_mode(c, s->scenario, s->mode))
			s->first += c->repeat;
		s->mode = (s->mode + 1) % SCENARIO_MODES;
		s->scenario += s->mode == 0;
	}
	if (s->scenario == c->registry->n)
		return false;
	*job = (struct batch_job){
		.scenario = c->registry->scenarios[s->scenario],
		.mode = mode_order[s->mode],
		.turn = (unsigned)(s->next - s->first + 1),
		.limits = {.seed = c->seed + s->next - s->first, .timeout_ms = c->timeout_ms},
	};
	if (job->scenario->danger && !c->dangerous)
		job->skip = "it can harm the host's kernel; --dangerous runs it";
	s->next += c->shards;
	show_progress(s, job);
	return true;
}

static void done(void *arg, const struct batch_job *job, const struct result *result)
{
	struct state *s = arg;

	s->tally->done++;
	s->tally->n[result->verdict]++;
	hide_progress(s);
	for (unsigned i = 0; i < CAMPAIGN_REPORTS && s->c->reports[i]; i++)
		s->c->reports[i]->ops->run(s->c->reports[i], job, result);
}

int campaign_run(struct campaign *c, struct tally *tally, struct error *err)
{
	static const struct batch_ops ops = {next, done};
	struct state s = {.c = c, .tally = tally, .next = c->shard};
	int ret;

	*tally = (struct tally){.runs = campaign_shard_runs(c)};
	ret = batch_run(&ops, &s, c->parallel, err);
	hide_progress(&s);
	if (ret < 0)
		return -1;
	tally->signal = ret;
	for (unsigned i = 0; i < CAMPAIGN_REPORTS && c->reports[i]; i++)
		c->reports[i]->ops->end(c->reports[i], tally);
	return 0;
}

int campaign_code(const struct tally *tally)
{
	if (tally->n[VERDICT_ERROR])
		return EXIT_SETUP;
	return tally->n[VERDICT_BUG] || tally->n[VERDICT_UNKNOWN] ? EXIT_GUEST_FAILED : EXIT_OK;
}

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_CAMPAIGN_H
#define SIPI_SCENARIO_CAMPAIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "scenario/registry.h"
#include "scenario/report.h"

/* Scenarios x irqchip modes x repetitions, run by a batch, told to reports. */

#define CAMPAIGN_REPORTS 3

struct campaign {
	const struct registry *registry;
	unsigned modes;	 /* bit 1 << enum irqchip_mode; those of them that a scenario names */
	uint64_t repeat; /* 1 or more */
	uint64_t shard, shards; /* 0 to shards - 1: every shards-th run, from this one on */
	uint64_t seed;		/* of the first repetition; the next has the next number */
	unsigned timeout_ms;	/* of a run */
	unsigned parallel;
	bool dangerous;				  /* runs those, too, that can harm the host */
	bool progress;				  /* one line on stderr, written again and again */
	struct report *reports[CAMPAIGN_REPORTS]; /* up to NULL */
};

/* Each run once, ten seconds long at most, as many at a time as there are CPUs. */
void campaign_init(struct campaign *c, const struct registry *registry, unsigned modes);
/* What --irqchip says: "kernel,split" as bits 1 << enum irqchip_mode; -1: it is no such list. */
int campaign_modes(const char *list, unsigned *modes, struct error *err);
/* -1: there is nothing to run, or no KVM, which is said once. */
int campaign_check(const struct campaign *c, struct error *err);
/* How many runs there are, of all shards or of this one. */
uint64_t campaign_runs(const struct campaign *c);
uint64_t campaign_shard_runs(const struct campaign *c);
/* The line that says which KVM this is, and what is run on it. */
void campaign_announce(const struct campaign *c, FILE *f);
/* 0 with *tally filled in, also when a signal ended it early; -1 with *err. */
int campaign_run(struct campaign *c, struct tally *tally, struct error *err);
/* 2: there was an error; 1: a bug, or something unknown; 0: all else. */
int campaign_code(const struct tally *tally);

#endif

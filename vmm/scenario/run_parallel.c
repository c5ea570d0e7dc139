// SPDX-License-Identifier: MIT
/* `parallel`: branches on threads of their own, which start together and repeat themselves for a time. */
#include <stdlib.h>
#include <string.h>

#include "scenario/runner.h"
#include "util/clock.h"

#define THREAD_STACK (256 * 1024)
#define PAUSE_NS     4096 /* about as long as an ioctl takes */

struct start {
	pthread_mutex_t created; /* held until it is known whether all threads are there */
	bool aborted;		 /* under it: they are not */
	pthread_barrier_t barrier;
};

struct branch {
	struct runner r;
	const struct step_list *steps;
	uint64_t ns; /* 0: once */
	struct start *start;
	pthread_t thread;
};

/* Branches that take the same time would meet in the same place at each pass. (xorshift64) */
static void pause_a_bit(struct runner *r)
{
	uint64_t end = clock_now_ns();

	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	end += r->random % PAUSE_NS;
	while (clock_now_ns() < end)
		__builtin_ia32_pause();
}

static void *branch_thread(void *arg)
{
	struct branch *b = arg;
	uint64_t until;
	bool all;

	pthread_mutex_lock(&b->start->created);
	all = !b->start->aborted;
	pthread_mutex_unlock(&b->start->created);
	if (!all)
		return NULL;
	pthread_barrier_wait(&b->start->barrier);
	until = clock_now_ns() + b->ns;
	if (b->ns && until < b->r.until_ns)
		b->r.until_ns = until;
	while (run_list(&b->r, b->steps) && b->ns && clock_now_ns() < b->r.until_ns)
		pause_a_bit(&b->r);
	return NULL;
}

static unsigned create_threads(struct branch *branches, unsigned n)
{
	pthread_attr_t attr;
	unsigned i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	for (i = 0; i < n; i++)
		if (pthread_create(&branches[i].thread, &attr, branch_thread, &branches[i]) != 0)
			break;
	pthread_attr_destroy(&attr);
	return i;
}

/* SplitMix64: neighbouring seeds, and branches of one, have nothing in common; never 0, which xorshift does not leave. */
static uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) | 1ull << 63;
}

static void prepare(struct branch *b, unsigned i, const struct runner *r, const struct step *st,
		    uint64_t ms, struct start *start)
{
	b->r = *r;
	b->r.random = mix(mix(r->random) + i);
	b->ns = ms * NSEC_PER_MSEC;
	b->steps = &st->branches[i];
	b->start = start;
}

bool run_parallel(struct runner *r, const struct step *st, uint64_t ms)
{
	struct branch *branches = calloc(st->nbranches, sizeof(*branches));
	struct start start = {.created = PTHREAD_MUTEX_INITIALIZER};
	uint64_t most = r->run->timeout_ms;
	unsigned n;

	if (!branches) {
		run_fail(r->run, st, 0, "out of memory");
		return false;
	}
	for (unsigned i = 0; i < st->nbranches; i++)
		prepare(&branches[i], i, r, st, ms < most ? ms : most, &start);
	pthread_barrier_init(&start.barrier, NULL, st->nbranches);
	pthread_mutex_lock(&start.created);
	n = create_threads(branches, st->nbranches);
	start.aborted = n < st->nbranches;
	pthread_mutex_unlock(&start.created);
	for (unsigned i = 0; i < n; i++)
		pthread_join(branches[i].thread, NULL);
	pthread_barrier_destroy(&start.barrier);
	free(branches);
	if (start.aborted) {
		run_fail(r->run, st, 0, "this host has no thread for each branch");
		return false;
	}
	return run_in_time(r->run, st);
}

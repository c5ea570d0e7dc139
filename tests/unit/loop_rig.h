/* SPDX-License-Identifier: MIT */
/*
 * What the tests of io/ share: each test runs once on either back end, which is its initial state.
 */
#ifndef SIPI_TESTS_LOOP_RIG_H
#define SIPI_TESTS_LOOP_RIG_H

#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/timer.h"
#include "util/clock.h"

#define MS 1000000ull

#define ON(f, backend)                                                                             \
	{                                                                                          \
		.name = #f " (" backend ")", .test_func = f, .initial_state = backend              \
	}
#define BOTH(f) ON(f, "io_uring"), ON(f, "epoll")

/*
 * A loop on the back end that the test asks for. cmocka's skip() prints "not ok", which prove takes
 * for a failure; so where io_uring is refused, its tests run on epoll and say so.
 */
static inline struct loop *open_loop(void **state)
{
	struct error err;
	struct loop *loop;

	alarm(60);
	setenv("SIPI_IO", *state, 1);
	loop = loop_create(NULL, &err);
	if (!loop && err.code == EXIT_SKIP) {
		print_message("# on epoll instead: %s\n", err.text);
		setenv("SIPI_IO", "epoll", 1);
		return loop_create(NULL, &err);
	}
	assert_non_null(loop);
	assert_string_equal(loop_backend(loop), *state);
	return loop;
}

/*
 * TSan holds signals back until the thread's next intercepted call, and does not know
 * io_uring_enter(2).
 */
static inline bool signals_are_held_back(void **state)
{
#ifdef __SANITIZE_THREAD__
	if (!strcmp(*state, "io_uring")) {
		print_message("# not done under TSan\n");
		return true;
	}
#endif
	(void)state;
	return false;
}

static inline void stop_on_fire(void *ctx)
{
	loop_stop(ctx);
}

/* Runs the loop for a while; returns the CPU time it took. */
static inline uint64_t run_for(struct loop *loop, uint64_t ns)
{
	struct timespec a, b;
	struct timer t;
	struct error err;

	assert_int_equal(timer_open(&t, loop, stop_on_fire, loop, &err), 0);
	timer_arm(&t, clock_now_ns() + ns);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	assert_int_equal(loop_run(loop), 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	timer_close(&t);
	return (uint64_t)(b.tv_sec - a.tv_sec) * NSEC_PER_SEC + (uint64_t)b.tv_nsec -
	       (uint64_t)a.tv_nsec;
}

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_IO_TIMER_H
#define SIPI_IO_TIMER_H

#include "io/loop.h"

/*
 * A one-shot timer whose callback runs in the loop (a timerfd). timer_arm() is safe from any
 * thread; an earlier deadline of the same timer is replaced. A callback can come after a concurrent
 * timer_disarm(), so it must look at its own state, not trust that it was wanted.
 */
struct timer {
	struct watch watch;
	struct loop *loop;
	void (*fire)(void *ctx);
	void *ctx;
};

int timer_open(struct timer *t, struct loop *loop, void (*fire)(void *), void *ctx,
	       struct error *err);
void timer_arm(struct timer *t, uint64_t deadline_ns); /* CLOCK_MONOTONIC; the past fires at once */
void timer_disarm(struct timer *t);
/* From the loop's thread, or while it does not run. Nothing, on a zeroed or closed timer. */
void timer_close(struct timer *t);

#endif

// SPDX-License-Identifier: MIT
#include "io/timer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "util/clock.h"

static void expired(void *ctx, short revents)
{
	struct timer *t = ctx;
	uint64_t count;

	(void)revents;
	/* Nothing to read: another thread has set the timer anew since it was seen to expire. */
	if (read(t->watch.fd, &count, sizeof(count)) == sizeof(count))
		t->fire(t->ctx);
}

int timer_open(struct timer *t, struct loop *loop, void (*fire)(void *), void *ctx,
	       struct error *err)
{
	int r;

	*t = (struct timer){.fire = fire, .ctx = ctx};
	t->watch = (struct watch){.events = POLLIN, .ready = expired, .ctx = t};
	t->watch.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (t->watch.fd < 0)
		return error_set(err, EXIT_SETUP, "cannot create a timerfd: %s", strerror(errno));
	r = loop_add(loop, &t->watch);
	if (!r) {
		t->loop = loop;
		return 0;
	}
	close(t->watch.fd);
	return error_set(err, EXIT_SETUP, "cannot watch a timerfd: %s", strerror(-r));
}

static void set(struct timer *t, uint64_t ns)
{
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(ns / NSEC_PER_SEC),
		.it_value.tv_nsec = (long)(ns % NSEC_PER_SEC),
	};

	timerfd_settime(t->watch.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	set(t, deadline_ns ? deadline_ns : 1); /* timerfd_settime(2): zero would disarm */
}

void timer_disarm(struct timer *t)
{
	set(t, 0);
}

void timer_close(struct timer *t)
{
	if (!t->loop)
		return;
	loop_remove(t->loop, &t->watch);
	close(t->watch.fd);
	t->loop = NULL;
}

// SPDX-License-Identifier: MIT
/* Timers of the loop, on both back ends; the contract is timer.h. */
#include "loop_rig.h"

#include <pthread.h>

struct alarm_clock {
	struct timer t;
	struct loop *loop;
	char name;
	uint64_t at;
	int fired;
	bool last; /* stops the loop */
};

static char order[16];

static void fired(void *ctx)
{
	struct alarm_clock *a = ctx;

	a->at = clock_now_ns();
	a->fired++;
	order[strlen(order)] = a->name;
	if (a->last)
		loop_stop(a->loop);
}

static void open_clock(struct alarm_clock *a, struct loop *loop, char name, bool last)
{
	struct error err;

	memset(order, 0, sizeof(order));
	*a = (struct alarm_clock){.loop = loop, .name = name, .last = last};
	assert_int_equal(timer_open(&a->t, loop, fired, a, &err), 0);
}

/* Never early; lateness is the host's business, so the bound is wide. */
static void timers_fire_in_order_and_not_early(void **state)
{
	struct loop *loop = open_loop(state);
	struct alarm_clock a, b, c;
	uint64_t now;

	open_clock(&a, loop, 'a', false);
	open_clock(&b, loop, 'b', false);
	open_clock(&c, loop, 'c', true);
	now = clock_now_ns();
	timer_arm(&c.t, now + 300 * MS);
	timer_arm(&a.t, now + 50 * MS);
	timer_arm(&b.t, now + 150 * MS);
	loop_run(loop);
	assert_string_equal(order, "abc");
	assert_true(a.at >= now + 50 * MS && b.at >= now + 150 * MS && c.at >= now + 300 * MS);
	assert_true(c.at < now + 5000 * MS);
	assert_int_equal(a.fired + b.fired + c.fired, 3);
	timer_close(&a.t);
	timer_close(&b.t);
	timer_close(&c.t);
	timer_close(&c.t);
	loop_destroy(loop);
}

/* timerfd_settime(2) takes zero for "disarm"; a deadline of zero is merely long past. */
static void the_past_fires_at_once(void **state)
{
	struct loop *loop = open_loop(state);
	struct alarm_clock a;

	open_clock(&a, loop, 'a', true);
	timer_arm(&a.t, 0);
	loop_run(loop);
	timer_arm(&a.t, clock_now_ns() - 1);
	loop_run(loop);
	assert_int_equal(a.fired, 2);
	timer_close(&a.t);
	loop_destroy(loop);
}

static void the_far_future_does_not_fire(void **state)
{
	struct loop *loop = open_loop(state);
	struct alarm_clock a, b, end;

	open_clock(&a, loop, 'a', false);
	open_clock(&b, loop, 'b', false);
	open_clock(&end, loop, 'e', true);
	timer_arm(&a.t, UINT64_MAX);
	timer_arm(&b.t, (uint64_t)INT64_MAX + 1);
	timer_arm(&end.t, clock_now_ns() + 30 * MS);
	loop_run(loop);
	assert_string_equal(order, "e");
	timer_close(&a.t);
	timer_close(&b.t);
	timer_close(&end.t);
	loop_destroy(loop);
}

static void arming_again_replaces_and_disarming_cancels(void **state)
{
	struct loop *loop = open_loop(state);
	struct alarm_clock a, b, end;
	uint64_t now = clock_now_ns();

	open_clock(&a, loop, 'a', false);
	open_clock(&b, loop, 'b', false);
	open_clock(&end, loop, 'e', true);
	timer_arm(&a.t, now);
	timer_arm(&a.t, now + 60 * MS);
	timer_arm(&b.t, now + 20 * MS);
	timer_disarm(&b.t);
	timer_arm(&end.t, now + 100 * MS);
	loop_run(loop);
	assert_string_equal(order, "ae");
	assert_true(a.at >= now + 60 * MS);
	timer_close(&a.t);
	timer_close(&b.t);
	timer_close(&end.t);
	loop_destroy(loop);
}

/* Both have expired when the first runs; it disarms the other, which must not fire any more. */
static void disarm_other(void *ctx)
{
	struct alarm_clock *other = ctx;

	timer_disarm(&other->t);
	order[strlen(order)] = 'd';
}

static void an_expired_timer_can_still_be_disarmed(void **state)
{
	struct loop *loop = open_loop(state);
	struct alarm_clock a, b, end;

	open_clock(&a, loop, 'a', false);
	open_clock(&b, loop, 'b', false);
	open_clock(&end, loop, 'e', true);
	a.t.fire = b.t.fire = disarm_other;
	a.t.ctx = &b;
	b.t.ctx = &a;
	timer_arm(&a.t, 0);
	timer_arm(&b.t, 0);
	timer_arm(&end.t, clock_now_ns() + 30 * MS);
	loop_run(loop);
	assert_string_equal(order, "de");
	timer_close(&a.t);
	timer_close(&b.t);
	timer_close(&end.t);
	loop_destroy(loop);
}

static void *arm_from_here(void *ctx)
{
	struct alarm_clock *a = ctx;

	usleep(20000); /* the loop is asleep by now, most likely */
	timer_arm(&a->t, clock_now_ns() + 10 * MS);
	return NULL;
}

static void any_thread_can_arm(void **state)
{
	struct loop *loop = open_loop(state);
	struct alarm_clock a;
	pthread_t t;

	open_clock(&a, loop, 'a', true);
	pthread_create(&t, NULL, arm_from_here, &a);
	loop_run(loop);
	pthread_join(t, NULL);
	assert_int_equal(a.fired, 1);
	timer_close(&a.t);
	loop_destroy(loop);
}

TEST_MAIN(BOTH(timers_fire_in_order_and_not_early), BOTH(the_past_fires_at_once),
	  BOTH(the_far_future_does_not_fire), BOTH(arming_again_replaces_and_disarming_cancels),
	  BOTH(an_expired_timer_can_still_be_disarmed), BOTH(any_thread_can_arm))

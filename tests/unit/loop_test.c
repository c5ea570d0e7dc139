// SPDX-License-Identifier: MIT
/*
 * The loop and its timers. Every rule holds on both back ends; the contracts are loop.h and
 * timer.h.
 */
#include "loop_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* --- helpers */

/* A watch that counts, and stops the loop when it has been called `limit` times. */
struct counter {
	struct watch w;
	struct loop *loop;
	int calls, limit;
	short seen;
	bool drain;
};

static void count(void *ctx, short revents)
{
	struct counter *c = ctx;
	char byte;

	c->calls++;
	c->seen = revents;
	if (c->drain)
		assert_int_equal(read(c->w.fd, &byte, 1), 1);
	if (c->limit && c->calls == c->limit)
		loop_stop(c->loop);
}

static void watch_fd(struct counter *c, struct loop *loop, int fd, short events, int limit)
{
	*c = (struct counter){.loop = loop, .limit = limit};
	c->w = (struct watch){.fd = fd, .events = events, .ready = count, .ctx = c};
	assert_int_equal(loop_add(loop, &c->w), 0);
}

static void make_pipe(int fd[2], const char *content)
{
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(write(fd[1], content, strlen(content)), strlen(content));
}

static void close_pipe(int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

/* --- watches */

/* Readiness is a level: a callback that leaves something unread is called again. */
static void ready_is_a_level(void **state)
{
	struct loop *loop = open_loop(state);
	struct counter c;
	int p[2];

	make_pipe(p, "abc");
	watch_fd(&c, loop, p[0], POLLIN, 3);
	c.drain = true;
	loop_run(loop);
	assert_int_equal(c.calls, 3);
	assert_int_equal(c.seen, POLLIN);
	run_for(loop, 20 * MS);
	assert_int_equal(c.calls, 3);
	loop_remove(loop, &c.w);
	loop_destroy(loop);
	close_pipe(p);
}

/*
 * A watch whose other end is gone gets POLLHUP or POLLERR without asking; paused, it gets nothing.
 */
static void hangup_is_told_and_a_pause_is_quiet(void **state)
{
	struct loop *loop = open_loop(state);
	struct counter in, out;
	int p[2], q[2];

	make_pipe(p, "");
	make_pipe(q, "");
	close(p[1]);
	close(q[0]);
	watch_fd(&in, loop, p[0], POLLIN, 1);
	loop_run(loop);
	assert_true(in.seen & POLLHUP);
	in.w.events = 0;
	loop_update(loop, &in.w);
	watch_fd(&out, loop, q[1], POLLOUT, 1);
	loop_run(loop);
	assert_true(out.seen & POLLERR);
	out.w.events = 0;
	loop_update(loop, &out.w);
	in.calls = out.calls = 0;
	assert_true(run_for(loop, 100 * MS) < 50 * MS);
	assert_int_equal(in.calls + out.calls, 0);
	in.w.events = POLLIN;
	loop_update(loop, &in.w);
	loop_run(loop);
	assert_int_equal(in.calls, 1);
	loop_destroy(loop);
	close(p[0]);
	close(q[1]);
}

static void update_changes_what_is_watched_for(void **state)
{
	struct loop *loop = open_loop(state);
	struct counter c;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	watch_fd(&c, loop, fd, POLLIN, 1);
	run_for(loop, 10 * MS);
	assert_int_equal(c.calls, 0);
	c.w.events = POLLOUT;
	loop_update(loop, &c.w);
	loop_run(loop);
	assert_int_equal(c.seen, POLLOUT);
	loop_destroy(loop);
	close(fd);
}

/* epoll_ctl(2) says EPERM to regular files and /dev/null; io_uring calls them ready. */
static void files_that_cannot_be_polled_are_always_ready(void **state)
{
	struct loop *loop = open_loop(state);
	struct counter file, null;
	char name[] = "/tmp/loop_test.XXXXXX";
	int fd = mkstemp(name), nfd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	unlink(name);
	watch_fd(&file, loop, fd, POLLOUT, 3);
	watch_fd(&null, loop, nfd, POLLIN, 0);
	loop_run(loop);
	assert_int_equal(file.calls, 3);
	assert_int_equal(file.seen, POLLOUT);
	assert_in_range(null.calls, 2, 3);
	assert_int_equal(null.seen, POLLIN);
	file.w.events = null.w.events = 0;
	loop_update(loop, &file.w);
	loop_update(loop, &null.w);
	assert_true(run_for(loop, 100 * MS) < 50 * MS);
	assert_int_equal(file.calls, 3);
	loop_remove(loop, &file.w);
	loop_remove(loop, &null.w);
	loop_destroy(loop);
	close(fd);
	close(nfd);
}

static void a_bad_descriptor_is_refused(void **state)
{
	struct loop *loop = open_loop(state);
	struct watch w = {.fd = 9999, .events = POLLIN};

	assert_int_equal(loop_add(loop, &w), -EBADF);
	loop_update(loop, &w);
	loop_remove(loop, &w);
	loop_destroy(loop);
}

static int left_to_take;

static void take(void *ctx, short revents)
{
	struct counter *c = ctx;
	eventfd_t v;

	(void)revents;
	c->calls++;
	eventfd_read(c->w.fd, &v);
	if (!--left_to_take)
		loop_stop(c->loop);
}

/* More than one batch, and more than the ring has entries. */
static void many_watches_are_each_called_once(void **state)
{
	enum { MANY = 300 };
	struct loop *loop = open_loop(state);
	struct counter *c = calloc(MANY, sizeof(*c));

	for (int i = 0; i < MANY; i++) {
		watch_fd(&c[i], loop, eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), POLLIN, 0);
		c[i].w.ready = take;
	}
	for (int round = 1; round <= 2; round++) {
		left_to_take = MANY;
		loop_run(loop);
		run_for(loop, 5 * MS);
		for (int i = 0; i < MANY; i++) {
			assert_int_equal(c[i].calls, round);
			eventfd_write(c[i].w.fd, 1);
		}
	}
	for (int i = 0; i < MANY; i++) {
		loop_remove(loop, &c[i].w);
		close(c[i].w.fd);
	}
	loop_destroy(loop);
	free(c);
}

/* --- removal */

struct pair {
	struct loop *loop;
	struct counter *mine, *other;
	int *calls;
};

/* Two watches that are ready in the same batch, with the same callback; returns its calls. */
static int run_pair(void **state, struct counter *a, struct counter *b, void (*f)(void *, short))
{
	struct loop *loop = open_loop(state);
	static struct pair pa, pb;
	int calls = 0, p[2], q[2];

	pa = (struct pair){loop, a, b, &calls};
	pb = (struct pair){loop, b, a, &calls};
	make_pipe(p, "x");
	make_pipe(q, "x");
	watch_fd(a, loop, p[0], POLLIN, 0);
	watch_fd(b, loop, q[0], POLLIN, 0);
	a->w.ready = b->w.ready = f;
	a->w.ctx = &pa;
	b->w.ctx = &pb;
	run_for(loop, 20 * MS);
	loop_destroy(loop);
	close_pipe(p);
	close_pipe(q);
	return calls;
}

/* The first removes and frees both; ASan sees a late use. */
static void remove_both(void *ctx, short revents)
{
	struct pair *p = ctx;

	(void)revents;
	(*p->calls)++;
	loop_remove(p->loop, &p->other->w);
	loop_remove(p->loop, &p->mine->w);
	memset(p->other, 0xa5, sizeof(*p->other));
	free(p->other);
	free(p->mine);
}

static void removed_in_a_callback_is_never_called_again(void **state)
{
	assert_int_equal(run_pair(state, malloc(sizeof(struct counter)),
				  malloc(sizeof(struct counter)), remove_both),
			 1);
}

static void pause_both(void *ctx, short revents)
{
	struct pair *p = ctx;

	(void)revents;
	(*p->calls)++;
	p->mine->w.events = p->other->w.events = 0;
	loop_update(p->loop, &p->mine->w);
	loop_update(p->loop, &p->other->w);
}

static void paused_in_a_callback_is_not_called(void **state)
{
	struct counter a, b;

	assert_int_equal(run_pair(state, &a, &b, pause_both), 1);
}

/* A slot that is used again must not get the events of its former watch. */
static void replace_both(void *ctx, short revents)
{
	struct pair *p = ctx;
	struct counter *both[] = {p->mine, p->other};
	char byte;

	(void)revents;
	(*p->calls)++;
	for (int i = 0; i < 2; i++) {
		loop_remove(p->loop, &both[i]->w);
		assert_int_equal(read(both[i]->w.fd, &byte, 1), 1);
	}
	for (int i = 0; i < 2; i++)
		watch_fd(both[i], p->loop, both[i]->w.fd, POLLIN, 0);
}

static void a_new_watch_gets_no_event_of_an_old_one(void **state)
{
	struct counter a, b;

	assert_int_equal(run_pair(state, &a, &b, replace_both), 1);
	assert_int_equal(a.calls + b.calls, 0);
}

/* io_uring's request holds the file: its removal must let go of it at once. */
static void after_removal_a_close_is_seen_at_the_other_end(void **state)
{
	struct loop *loop = open_loop(state);
	struct counter c;
	char byte;
	int p[2];

	make_pipe(p, "");
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	watch_fd(&c, loop, p[1], POLLIN, 0); /* which a write end never is */
	run_for(loop, 10 * MS);
	loop_remove(loop, &c.w);
	close(p[1]);
	assert_int_equal(read(p[0], &byte, 1), 0);
	loop_destroy(loop);
	close(p[0]);
}

/* --- running and stopping */

static void *run_thread(void *loop)
{
	loop_run(loop);
	return NULL;
}

static void stop_from_another_thread(void **state)
{
	struct loop *loop = open_loop(state);
	pthread_t t;

	for (int i = 0; i < 20; i++) {
		pthread_create(&t, NULL, run_thread, loop);
		if (i % 2)
			usleep(1000);
		loop_stop(loop);
		pthread_join(t, NULL);
	}
	loop_destroy(loop);
}

/* io_uring cancels what a thread asked for when that thread exits. */
static void another_thread_can_take_over(void **state)
{
	struct loop *loop = open_loop(state);
	struct counter c;
	pthread_t t;
	int p[2];

	make_pipe(p, "");
	watch_fd(&c, loop, p[0], POLLIN, 1);
	pthread_create(&t, NULL, run_thread, loop);
	usleep(20000);
	loop_stop(loop);
	pthread_join(t, NULL);
	assert_int_equal(write(p[1], "x", 1), 1);
	loop_run(loop);
	assert_int_equal(c.calls, 1);
	assert_int_equal(c.seen, POLLIN);
	loop_remove(loop, &c.w);
	loop_destroy(loop);
	close_pipe(p);
}

static struct loop *handler_loop;

static void on_signal(int sig)
{
	(void)sig;
	loop_stop(handler_loop);
}

static void stop_from_a_signal_handler(void **state)
{
	struct loop *loop = open_loop(state);
	struct sigaction sa = {.sa_handler = on_signal}, old;
	timer_t id;
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec in = {.it_value.tv_nsec = 20 * MS};

	handler_loop = loop;
	sigaction(SIGUSR1, &sa, &old);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &ev, &id), 0);
	timer_settime(id, 0, &in, NULL);
	assert_int_equal(loop_run(loop), 0);
	timer_delete(id);
	sigaction(SIGUSR1, &old, NULL);
	loop_destroy(loop);
}

static void a_stop_that_comes_first_is_not_lost(void **state)
{
	struct loop *loop = open_loop(state);

	loop_stop(loop);
	assert_int_equal(loop_run(loop), 0);
	loop_destroy(loop);
}

/* cmd/run.c takes SIGINT, SIGTERM and SIGHUP through a signalfd. */
static void a_signalfd_is_delivered(void **state)
{
	struct loop *loop = open_loop(state);
	struct counter c;
	sigset_t set, old;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	watch_fd(&c, loop, fd, POLLIN, 1);
	run_for(loop, 10 * MS); /* armed, with nothing pending */
	kill(getpid(), SIGTERM);
	loop_run(loop);
	assert_int_equal(c.calls, 1);
	loop_remove(loop, &c.w);
	assert_int_equal(sigwaitinfo(&set, NULL), SIGTERM);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(fd);
	loop_destroy(loop);
}

struct guard {
	int held, entered;
	struct loop *loop;
	bool wrong;
};

static void guard_enter(void *ctx)
{
	((struct guard *)ctx)->held++;
	((struct guard *)ctx)->entered++;
}

static void guard_leave(void *ctx)
{
	((struct guard *)ctx)->held--;
}

static void check_guard(void *ctx)
{
	struct guard *g = ctx;

	g->wrong |= g->held != 1;
	loop_stop(g->loop);
}

static void callbacks_run_under_the_guard(void **state)
{
	struct loop *loop = open_loop(state);
	struct guard g = {.loop = loop};
	struct timer t;
	struct error err;

	loop_set_guard(loop, guard_enter, guard_leave, &g);
	assert_int_equal(timer_open(&t, loop, check_guard, &g, &err), 0);
	timer_arm(&t, 0);
	loop_run(loop);
	assert_false(g.wrong);
	run_for(loop, 10 * MS);
	assert_int_equal(g.entered, 2); /* not for the loop's own wake-up */
	assert_int_equal(g.held, 0);
	timer_close(&t);
	loop_destroy(loop);
}

TEST_MAIN(BOTH(ready_is_a_level), BOTH(hangup_is_told_and_a_pause_is_quiet),
	  BOTH(update_changes_what_is_watched_for),
	  BOTH(files_that_cannot_be_polled_are_always_ready), BOTH(a_bad_descriptor_is_refused),
	  BOTH(many_watches_are_each_called_once),
	  BOTH(removed_in_a_callback_is_never_called_again),
	  BOTH(paused_in_a_callback_is_not_called), BOTH(a_new_watch_gets_no_event_of_an_old_one),
	  BOTH(after_removal_a_close_is_seen_at_the_other_end), BOTH(stop_from_another_thread),
	  BOTH(another_thread_can_take_over), BOTH(stop_from_a_signal_handler),
	  BOTH(a_stop_that_comes_first_is_not_lost), BOTH(a_signalfd_is_delivered),
	  BOTH(callbacks_run_under_the_guard))

// SPDX-License-Identifier: MIT
/*
 * The part of the loop that both back ends share. Every watch has a slot; a slot's generation goes
 * into the token of each arming, so an event of a watch that was removed or changed meanwhile is
 * recognised and dropped. Armings are collected and made by loop_run(): io_uring ends the requests
 * of a thread that exits, so they must come from the thread that runs the loop.
 */
#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/loop_backend.h"

enum slot_list {
	LIST_NONE,
	LIST_PENDING, /* to be armed before the next wait */
	LIST_READY,   /* not for the kernel to watch: ready at once */
};

struct slot {
	struct watch *watch; /* NULL: free */
	uint32_t generation;
	short armed; /* the events the kernel watches for, 0 for none */
	short ready; /* on LIST_READY: the events to report */
	enum slot_list list;
};

struct loop {
	const struct loop_backend *backend;
	void *state;
	struct slot *slots;
	unsigned nslots, maybe_free; /* every slot below maybe_free is taken */
	struct watch *pending, *ready;
	struct watch wake;
	atomic_bool stop;
	void (*enter)(void *);
	void (*leave)(void *);
	void *guard;
};

/* --- slots and lists */

static struct slot *slot_of(struct loop *loop, const struct watch *w)
{
	return &loop->slots[w->state - 1];
}

static uint64_t token_of(const struct loop *loop, const struct slot *s)
{
	return (uint64_t)s->generation << 32 | (uint64_t)(s - loop->slots);
}

static void list_push(struct loop *loop, struct watch *w, enum slot_list list)
{
	struct watch **head = list == LIST_PENDING ? &loop->pending : &loop->ready;

	slot_of(loop, w)->list = list;
	w->next = *head;
	*head = w;
}

static void list_remove(struct loop *loop, struct watch *w)
{
	struct slot *s = slot_of(loop, w);
	struct watch **p = s->list == LIST_PENDING ? &loop->pending : &loop->ready;

	if (s->list == LIST_NONE)
		return;
	while (*p && *p != w)
		p = &(*p)->next;
	if (*p)
		*p = w->next;
	s->list = LIST_NONE;
}

static int slots_grow(struct loop *loop)
{
	unsigned n = loop->nslots ? loop->nslots * 2 : 8;
	struct slot *slots = realloc(loop->slots, n * sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	memset(slots + loop->nslots, 0, (n - loop->nslots) * sizeof(*slots));
	loop->slots = slots;
	loop->nslots = n;
	return 0;
}

static void disarm(struct loop *loop, struct watch *w)
{
	struct slot *s = slot_of(loop, w);

	if (s->armed)
		loop->backend->disarm(loop->state, w->fd, token_of(loop, s));
	s->armed = 0;
	s->generation++;
}

/* --- watches */

int loop_add(struct loop *loop, struct watch *w)
{
	unsigned i = loop->maybe_free;

	/* Asked here, as the back ends would only find out later. */
	if (fcntl(w->fd, F_GETFD) < 0)
		return -errno;
	while (i < loop->nslots && loop->slots[i].watch)
		i++;
	if (i == loop->nslots && slots_grow(loop))
		return -ENOMEM;
	loop->maybe_free = i + 1;
	loop->slots[i].watch = w;
	w->state = i + 1;
	list_push(loop, w, LIST_PENDING);
	return 0;
}

void loop_update(struct loop *loop, struct watch *w)
{
	struct slot *s;

	if (!w->state)
		return;
	s = slot_of(loop, w);
	if (s->armed != w->events && s->list == LIST_NONE)
		list_push(loop, w, LIST_PENDING);
}

void loop_remove(struct loop *loop, struct watch *w)
{
	if (!w->state)
		return;
	list_remove(loop, w);
	disarm(loop, w);
	slot_of(loop, w)->watch = NULL;
	if (loop->maybe_free >= w->state)
		loop->maybe_free = w->state - 1;
	w->state = 0;
}

/* --- running */

static void call(struct loop *loop, struct watch *w, short revents)
{
	revents &= w->events | POLLERR | POLLHUP | POLLNVAL;
	if (!revents || !w->events)
		return;
	/* A stop needs no guard: whoever asks for it may be holding it. */
	if (w == &loop->wake || !loop->enter) {
		w->ready(w->ctx, revents);
		return;
	}
	loop->enter(loop->guard);
	w->ready(w->ctx, revents);
	loop->leave(loop->guard);
}

/* False when the back end wants to be waited for first. */
static bool arm(struct loop *loop, struct watch *w)
{
	struct slot *s = slot_of(loop, w);
	int r;

	if (s->armed == w->events)
		return true;
	disarm(loop, w);
	if (!w->events)
		return true;
	r = loop->backend->arm(loop->state, w->fd, w->events, token_of(loop, s));
	if (r == -EAGAIN)
		return false;
	if (!r) {
		s->armed = w->events;
		return true;
	}
	s->ready = r == -EPERM ? w->events : POLLNVAL;
	list_remove(loop, w);
	list_push(loop, w, LIST_READY);
	return true;
}

static bool arm_pending(struct loop *loop)
{
	struct watch *w;

	while ((w = loop->pending)) {
		if (!arm(loop, w))
			return false;
		if (slot_of(loop, w)->list == LIST_PENDING)
			list_remove(loop, w);
	}
	return true;
}

static void dispatch(struct loop *loop, const struct backend_event *ev)
{
	uint32_t index = (uint32_t)ev->token;
	struct slot *s;
	struct watch *w;

	if (index >= loop->nslots)
		return;
	s = &loop->slots[index];
	w = s->watch;
	if (s->generation != ev->token >> 32)
		return;
	/* Before the callback, which may remove the watch, free it and move the slots. */
	if (loop->backend->oneshot) {
		s->armed = 0;
		loop_update(loop, w);
	}
	call(loop, w, ev->revents);
}

static void dispatch_ready(struct loop *loop)
{
	struct watch *w;

	while ((w = loop->ready)) {
		list_remove(loop, w);
		list_push(loop, w, LIST_PENDING);
		call(loop, w, slot_of(loop, w)->ready);
	}
}

int loop_run(struct loop *loop)
{
	struct backend_event events[BACKEND_BATCH];

	while (!atomic_exchange(&loop->stop, false)) {
		bool block = arm_pending(loop) && !loop->ready;
		int n = loop->backend->wait(loop->state, events, block);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			dispatch(loop, &events[i]);
		dispatch_ready(loop);
	}
	return 0;
}

/* eventfd and a lock-free atomic: nothing here that a signal handler may not do. */
void loop_stop(struct loop *loop)
{
	int saved = errno;

	atomic_store(&loop->stop, true);
	eventfd_write(loop->wake.fd, 1);
	errno = saved;
}

/* --- life */

static void woken(void *ctx, short revents)
{
	struct loop *loop = ctx;
	eventfd_t count;

	(void)revents;
	eventfd_read(loop->wake.fd, &count);
}

static const char *refusal(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return "not permitted (seccomp or kernel.io_uring_disabled)";
	case ENOSYS:
		return "not in this kernel, or blocked by a sandbox";
	case ENOMEM:
		return "no memory for the ring (ulimit -l)";
	default:
		return strerror(error);
	}
}

static int choose_backend(struct loop *loop, const char **why, struct error *err)
{
	const char *wish = getenv("SIPI_IO");
	bool epoll = wish && !strcmp(wish, "epoll"), uring = wish && !strcmp(wish, "io_uring");
	int r;

	if (wish && !epoll && !uring)
		return error_set(err, EXIT_SETUP, "SIPI_IO=%s: neither io_uring nor epoll", wish);
	*why = epoll ? "SIPI_IO=epoll" : NULL;
	if (!epoll) {
		loop->backend = &loop_uring;
		r = loop->backend->open(&loop->state);
		if (!r)
			return 0;
		*why = refusal(-r);
		if (uring)
			return error_set(err, EXIT_SKIP, "SIPI_IO=io_uring: %s", *why);
	}
	loop->backend = &loop_epoll;
	r = loop->backend->open(&loop->state);
	if (r)
		return error_set(err, EXIT_SETUP, "cannot create an epoll set: %s", strerror(-r));
	return 0;
}

struct loop *loop_create(const char **why, struct error *err)
{
	const char *unused;
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop || slots_grow(loop)) {
		free(loop);
		error_fill(err, EXIT_SETUP, "no memory for the event loop");
		return NULL;
	}
	if (choose_backend(loop, why ? why : &unused, err)) {
		free(loop->slots);
		free(loop);
		return NULL;
	}
	loop->wake = (struct watch){.events = POLLIN, .ready = woken, .ctx = loop};
	loop->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wake.fd < 0) {
		error_fill(err, EXIT_SETUP, "cannot create an eventfd: %s", strerror(errno));
		loop_destroy(loop);
		return NULL;
	}
	loop_add(loop, &loop->wake);
	return loop;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	loop->backend->close(loop->state);
	if (loop->wake.fd >= 0)
		close(loop->wake.fd);
	free(loop->slots);
	free(loop);
}

const char *loop_backend(const struct loop *loop)
{
	return loop->backend->name;
}

void loop_set_guard(struct loop *loop, void (*enter)(void *), void (*leave)(void *), void *ctx)
{
	loop->enter = enter;
	loop->leave = leave;
	loop->guard = ctx;
}

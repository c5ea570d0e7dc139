/* SPDX-License-Identifier: MIT */
#ifndef SIPI_IO_LOOP_H
#define SIPI_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

/*
 * One event loop, run by one thread: readiness of file descriptors, delivered as callbacks. It sits
 * on io_uring; where the host refuses io_uring it sits on epoll (loop_backend() says which).
 */
struct loop;

struct watch {
	int fd;
	short events; /* POLLIN and/or POLLOUT; 0 pauses the watch */
	void (*ready)(void *ctx, short revents);
	void *ctx;
	/* private to the loop */
	struct watch *next;
	unsigned state;
};

/*
 * *why (may be NULL) is set to the reason why io_uring does not serve, or to NULL when it does. The
 * environment's SIPI_IO=epoll or SIPI_IO=io_uring leaves no choice.
 */
struct loop *loop_create(const char **why, struct error *err);
void loop_destroy(struct loop *loop);
const char *loop_backend(const struct loop *loop); /* "io_uring" or "epoll" */

/*
 * enter and leave are called around every callback (the machine takes its lock there), so callbacks
 * may touch devices. Set once, before the loop runs.
 */
void loop_set_guard(struct loop *loop, void (*enter)(void *), void (*leave)(void *), void *ctx);

/*
 * Adds, changes (w->events) and removes a watch; one watch a file descriptor. The caller owns *w
 * and keeps it alive until it was removed; once loop_remove() has returned, *w may be freed and its
 * fd closed. Only from the loop's own thread, or while it does not run. To update or remove a watch
 * that was never added, but is zeroed, does nothing. Files that cannot be polled (regular files)
 * count as always ready; one that cannot be watched at all gets POLLNVAL. Returns 0 or -errno.
 */
int loop_add(struct loop *loop, struct watch *w);
void loop_update(struct loop *loop, struct watch *w);
void loop_remove(struct loop *loop, struct watch *w);

/*
 * Runs until loop_stop(), and returns 0; or -errno when the kernel's interface fails altogether.
 * loop_stop() is safe from any thread and from a signal handler; one that comes first is not lost.
 */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif

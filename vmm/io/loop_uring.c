// SPDX-License-Identifier: MIT
/*
 * The loop on io_uring: one-shot IORING_OP_POLL_ADD requests. One-shot, because re-arming looks at
 * the file again and thereby is level-triggered, which multishot polls are not; the new request
 * travels with the system call that waits, so it costs none of its own.
 */
#include "io/loop_backend.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#define RING_ENTRIES 32

/* The result of a cancellation itself: no arming has this token. */
#define TOKEN_NONE UINT64_MAX

static int uring_open(void **state)
{
	struct io_uring *ring = malloc(sizeof(*ring));
	int r;

	if (!ring)
		return -ENOMEM;
	r = io_uring_queue_init(RING_ENTRIES, ring, 0);
	/* Before Linux 5.5 a full completion queue loses completions, and a watch would go deaf. */
	if (!r && !(ring->features & IORING_FEAT_NODROP)) {
		io_uring_queue_exit(ring);
		r = -ENOSYS;
	}
	if (r) {
		free(ring);
		return r;
	}
	*state = ring;
	return 0;
}

static bool transient(int r)
{
	return r == -EINTR || r == -EAGAIN || r == -EBUSY;
}

static struct io_uring_sqe *get_sqe(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe && io_uring_submit(ring) > 0)
		sqe = io_uring_get_sqe(ring);
	return sqe;
}

static int uring_arm(void *state, int fd, short events, uint64_t token)
{
	struct io_uring_sqe *sqe = get_sqe(state);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_poll_add(sqe, fd, (unsigned short)events);
	io_uring_sqe_set_data64(sqe, token);
	return 0;
}

/*
 * A poll request holds its file open, so a cancellation is submitted now: the caller may close the
 * file next and count on the other end seeing that. The kernel carries it out during the
 * submission.
 */
static void uring_disarm(void *state, int fd, uint64_t token)
{
	struct io_uring *ring = state;
	struct io_uring_sqe *sqe = get_sqe(ring);

	(void)fd;
	if (!sqe)
		return; /* out of kernel memory: the request's late completion will be ignored */
	io_uring_prep_poll_remove(sqe, token);
	io_uring_sqe_set_data64(sqe, TOKEN_NONE);
	io_uring_submit(ring);
}

/* A request that failed is an error of its file, except a cancellation: its thread has ended. */
static short result_events(int res)
{
	if (res >= 0)
		return (short)res;
	return res == -ECANCELED ? 0 : POLLNVAL;
}

static int uring_wait(void *state, struct backend_event events[BACKEND_BATCH], bool block)
{
	struct io_uring *ring = state;
	struct io_uring_cqe *cqes[BACKEND_BATCH];
	int r = block ? io_uring_submit_and_wait(ring, 1) : io_uring_submit(ring);
	unsigned n;

	if (r < 0 && !transient(r))
		return r;
	n = io_uring_peek_batch_cqe(ring, cqes, BACKEND_BATCH);
	for (unsigned i = 0; i < n; i++) {
		events[i].token = io_uring_cqe_get_data64(cqes[i]);
		events[i].revents = result_events(cqes[i]->res);
	}
	io_uring_cq_advance(ring, n);
	return (int)n;
}

static void uring_close(void *state)
{
	io_uring_queue_exit(state);
	free(state);
}

const struct loop_backend loop_uring = {
	.name = "io_uring",
	.oneshot = true,
	.open = uring_open,
	.arm = uring_arm,
	.disarm = uring_disarm,
	.wait = uring_wait,
	.close = uring_close,
};

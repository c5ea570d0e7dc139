// SPDX-License-Identifier: MIT
/* The loop on epoll, level-triggered: for hosts and containers that refuse io_uring. */
#include "io/loop_backend.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* poll() and epoll give the same bits to the same events, so that masks need no translation. */
_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
		       EPOLLHUP == POLLHUP,
	       "epoll's event bits are poll's");

struct epoll {
	int fd;
};

static int epoll_open(void **state)
{
	struct epoll *ep = malloc(sizeof(*ep));

	if (!ep)
		return -ENOMEM;
	ep->fd = epoll_create1(EPOLL_CLOEXEC);
	if (ep->fd < 0) {
		free(ep);
		return -errno;
	}
	*state = ep;
	return 0;
}

static int epoll_arm(void *state, int fd, short events, uint64_t token)
{
	struct epoll *ep = state;
	struct epoll_event ev = {.events = (unsigned short)events, .data.u64 = token};

	return epoll_ctl(ep->fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* Not EPOLL_CTL_MOD with no events: EPOLLHUP and EPOLLERR would still be reported. */
static void epoll_disarm(void *state, int fd, uint64_t token)
{
	struct epoll *ep = state;

	(void)token;
	epoll_ctl(ep->fd, EPOLL_CTL_DEL, fd, NULL);
}

static int epoll_wait_events(void *state, struct backend_event events[BACKEND_BATCH], bool block)
{
	struct epoll *ep = state;
	struct epoll_event ev[BACKEND_BATCH];
	int n = epoll_wait(ep->fd, ev, BACKEND_BATCH, block ? -1 : 0);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++)
		events[i] = (struct backend_event){ev[i].data.u64, (short)ev[i].events};
	return n;
}

static void epoll_close(void *state)
{
	struct epoll *ep = state;

	close(ep->fd);
	free(ep);
}

const struct loop_backend loop_epoll = {
	.name = "epoll",
	.oneshot = false,
	.open = epoll_open,
	.arm = epoll_arm,
	.disarm = epoll_disarm,
	.wait = epoll_wait_events,
	.close = epoll_close,
};

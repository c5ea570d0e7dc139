/* SPDX-License-Identifier: MIT */
#ifndef SIPI_IO_LOOP_BACKEND_H
#define SIPI_IO_LOOP_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What loop.c asks of the kernel's interface. A token names one arming of one watch: loop.c drops
 * events whose token is out of date, so a back end may deliver an event late, but never a wrong
 * one.
 */
#define BACKEND_BATCH 64

struct backend_event {
	uint64_t token;
	short revents; /* 0: no longer armed, nothing happened */
};

struct loop_backend {
	const char *name;
	bool oneshot; /* an event ends the arming; otherwise it is level-triggered and stays */

	/* Both return 0 or -errno. *state is the back end's own. */
	int (*open)(void **state);
	/*
	 * -EAGAIN: try again after a wait() that does not block. Anything else means that the file
	 * cannot be watched, -EPERM that it is always ready.
	 */
	int (*arm)(void *state, int fd, short events, uint64_t token);
	/* Takes effect at once: afterwards the kernel holds no reference to the file. */
	void (*disarm)(void *state, int fd, uint64_t token);
	/* The number of events, 0 after a signal, or -errno when the back end is beyond use. */
	int (*wait)(void *state, struct backend_event events[BACKEND_BATCH], bool block);
	void (*close)(void *state);
};

extern const struct loop_backend loop_uring, loop_epoll;

#endif

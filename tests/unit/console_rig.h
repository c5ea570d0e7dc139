/* SPDX-License-Identifier: MIT */
/*
 * What console_test.c and terminal_test.c share: a console with a recording receiver, run in a
 * child process whose descriptors 0 to 2 the test chooses. A child reports by its exit code.
 */
#ifndef SIPI_TESTS_CONSOLE_RIG_H
#define SIPI_TESTS_CONSOLE_RIG_H

#include "loop_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "io/console.h"

#define LAST '!' /* this input byte ends the loop */

struct rig {
	struct loop *loop;
	struct console *c;
	pthread_mutex_t lock;
	pthread_cond_t has_room;
	size_t quota; /* the receiver's room */
	uint8_t got[40000];
	size_t ngot;
	unsigned entered; /* callbacks: many of them are a busy loop */
	int drained, quits, failures, error;
	bool stop_when_drained;
};

static struct rig rig = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.has_room = PTHREAD_COND_INITIALIZER,
	.quota = SIZE_MAX,
};

/* A child's assertion: its line goes to the test's stderr. */
static int report_fd = STDERR_FILENO;

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			dprintf(report_fd, "# %s:%d: not so: %s\n", __FILE__, __LINE__, #x);       \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void rig_enter(void *ctx)
{
	(void)ctx;
	pthread_mutex_lock(&rig.lock);
	rig.entered++;
}

static void rig_leave(void *ctx)
{
	(void)ctx;
	pthread_mutex_unlock(&rig.lock);
}

static size_t rig_room(void *ctx)
{
	(void)ctx;
	return rig.quota;
}

static void rig_input(void *ctx, uint8_t byte)
{
	(void)ctx;
	CHECK(rig.quota > 0 && rig.ngot < sizeof(rig.got));
	rig.quota--;
	rig.got[rig.ngot++] = byte;
	if (byte == LAST)
		loop_stop(rig.loop);
}

static void rig_drained(void *ctx)
{
	(void)ctx;
	rig.drained++;
	pthread_cond_signal(&rig.has_room);
	if (rig.stop_when_drained)
		loop_stop(rig.loop);
}

static void rig_quit(void *ctx)
{
	(void)ctx;
	rig.quits++;
	loop_stop(rig.loop);
}

static void rig_failed(void *ctx, int error)
{
	(void)ctx;
	rig.failures++;
	rig.error = error;
	loop_stop(rig.loop);
}

static inline void rig_open(enum console_kind kind, const char *path)
{
	static const struct console_events events = {rig_room, rig_input,  rig_drained,
						     rig_quit, rig_failed, NULL};
	struct error err;

	signal(SIGPIPE, SIG_IGN); /* as cmd/run.c does */
	rig.loop = loop_create(NULL, &err);
	CHECK(rig.loop);
	loop_set_guard(rig.loop, rig_enter, rig_leave, NULL);
	rig.c = console_open(rig.loop, kind, path, &events, &err);
	CHECK(rig.c);
}

static inline void rig_close(unsigned ms)
{
	console_close(rig.c, ms);
	loop_destroy(rig.loop);
}

static inline bool rig_putc(uint8_t byte)
{
	bool ok;

	pthread_mutex_lock(&rig.lock);
	ok = console_putc(rig.c, byte);
	pthread_mutex_unlock(&rig.lock);
	return ok;
}

static inline void rig_puts(const char *s)
{
	while (*s)
		CHECK(rig_putc((uint8_t)*s++));
}

static inline void rig_run_for(uint64_t ns)
{
	run_for(rig.loop, ns);
}

/* Descriptors 0 to 2 of a child; -1 is /dev/null. */
struct rig_fds {
	int in, out, err;
};

static inline void rig_redirect(const struct rig_fds *fds)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	report_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
	dup2(fds->in < 0 ? null : fds->in, STDIN_FILENO);
	dup2(fds->out < 0 ? null : fds->out, STDOUT_FILENO);
	dup2(fds->err < 0 ? null : fds->err, STDERR_FILENO);
	close(null);
	alarm(30);
}

/* A child must die of its faults, not run cmocka's handlers. */
static inline void rig_default_signals(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGABRT};

	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		signal(faults[i], SIG_DFL);
}

static inline pid_t rig_start(void **state, const struct rig_fds *fds, void (*body)(void))
{
	pid_t pid;

	loop_destroy(open_loop(state)); /* SIPI_IO is set now */
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	rig_default_signals();
	rig_redirect(fds);
	body();
	_exit(0);
}

static inline void rig_finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#endif

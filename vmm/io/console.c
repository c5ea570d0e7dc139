// SPDX-License-Identifier: MIT
/*
 * Both directions are buffered and everything runs under the loop's guard. Other threads reach the
 * loop through an eventfd, and only when there is work that the loop is not at already.
 *
 * Descriptors 0 and 1 are shared with other processes, so O_NONBLOCK is never set on them. They are
 * polled, and then written in pieces that a pipe which polls writable takes without blocking
 * (pipe(7): PIPE_BUF). A terminal makes no such promise, and is therefore opened anew.
 */
#include "io/console.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/terminal.h"
#include "util/clock.h"
#include "util/file.h"

#define OUTPUT_RING  65536u
#define OUTPUT_PIECE PIPE_BUF
#define INPUT_BUFFER 4096u
#define CTRL_A	     0x01

enum output_state {
	OUTPUT_IDLE,	 /* the ring is empty */
	OUTPUT_DRAINING, /* the loop is at it, or has been woken for it */
	OUTPUT_DISCARD,	 /* nowhere to write to, or no more */
};

enum key_state {
	KEYS_OFF, /* input is no terminal: every byte is the guest's */
	KEYS_PLAIN,
	KEYS_PREFIX, /* after Ctrl-A */
};

struct console {
	struct loop *loop;
	struct console_events events;
	struct watch in, out, wake;
	bool woken;

	enum output_state output;
	bool was_full; /* drained() is due */
	uint64_t lost;
	unsigned out_tail, out_len;

	enum key_state keys;
	unsigned in_tail, in_len;

	uint8_t in_ring[INPUT_BUFFER];
	uint8_t out_ring[OUTPUT_RING];
};

static void wake(struct console *c)
{
	if (c->woken)
		return;
	c->woken = true;
	eventfd_write(c->wake.fd, 1);
}

static void watch_for(struct console *c, struct watch *w, short events)
{
	w->events = events;
	loop_update(c->loop, w);
}

/* --- output */

bool console_putc(struct console *c, uint8_t byte)
{
	if (c->output == OUTPUT_DISCARD)
		return true;
	if (c->out_len == OUTPUT_RING) {
		c->lost++;
		return false;
	}
	c->out_ring[(c->out_tail + c->out_len++) % OUTPUT_RING] = byte;
	if (console_full(c))
		c->was_full = true;
	if (c->output == OUTPUT_IDLE) {
		c->output = OUTPUT_DRAINING;
		wake(c);
	}
	return true;
}

bool console_full(const struct console *c)
{
	return OUTPUT_RING - c->out_len < CONSOLE_FIFO;
}

uint64_t console_lost(const struct console *c)
{
	return c->lost;
}

static void tell_drained(struct console *c)
{
	if (!c->was_full || console_full(c))
		return;
	c->was_full = false;
	c->events.drained(c->events.ctx);
}

static void output_fail(struct console *c, int error)
{
	c->output = OUTPUT_DISCARD;
	c->out_len = 0;
	loop_remove(c->loop, &c->out);
	c->events.failed(c->events.ctx, error);
	tell_drained(c); /* the guest must not wait for room for ever */
}

/* One piece, to a descriptor that polled writable. */
static void output_write(struct console *c)
{
	unsigned len = OUTPUT_RING - c->out_tail;
	ssize_t n;

	if (len > c->out_len)
		len = c->out_len;
	if (len > OUTPUT_PIECE)
		len = OUTPUT_PIECE;
	n = write(c->out.fd, c->out_ring + c->out_tail, len);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			output_fail(c, errno);
		return;
	}
	c->out_tail = (c->out_tail + (unsigned)n) % OUTPUT_RING;
	c->out_len -= (unsigned)n;
	if (n)
		tell_drained(c);
}

static void out_ready(void *ctx, short revents)
{
	struct console *c = ctx;

	(void)revents; /* an error or a hang-up shows in the write */
	output_write(c);
	if (c->output == OUTPUT_DRAINING && !c->out_len) {
		c->output = OUTPUT_IDLE;
		watch_for(c, &c->out, 0);
	}
}

/* --- input */

static void help(void)
{
	static const char text[] = "\nCtrl-A x        quit\n"
				   "Ctrl-A h        this list\n"
				   "Ctrl-A Ctrl-A   send a Ctrl-A (also: Ctrl-A a)\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return; /* no stderr, no help */
}

/* Whether the byte is for the guest. */
static bool key(struct console *c, uint8_t byte)
{
	if (c->keys == KEYS_OFF)
		return true;
	if (c->keys == KEYS_PLAIN) {
		if (byte != CTRL_A)
			return true;
		c->keys = KEYS_PREFIX;
		return false;
	}
	c->keys = KEYS_PLAIN;
	if (byte == 'x')
		c->events.quit(c->events.ctx);
	else if (byte == 'h')
		help();
	return byte == CTRL_A || byte == 'a';
}

static void input_push(struct console *c, uint8_t byte)
{
	bool prefixed = c->keys == KEYS_PREFIX;

	if (key(c, byte))
		c->in_ring[(c->in_tail + c->in_len++) % INPUT_BUFFER] = prefixed ? CTRL_A : byte;
}

/* Hands over what the receiver takes. The keys work on as long as the buffer is not full. */
static void input_pump(struct console *c)
{
	while (c->in_len && c->events.room(c->events.ctx)) {
		uint8_t byte = c->in_ring[c->in_tail];

		c->in_tail = (c->in_tail + 1) % INPUT_BUFFER;
		c->in_len--;
		c->events.input(c->events.ctx, byte);
	}
	watch_for(c, &c->in, c->in_len < INPUT_BUFFER ? POLLIN : 0);
}

static void in_ready(void *ctx, short revents)
{
	struct console *c = ctx;
	uint8_t bytes[512];
	unsigned space = INPUT_BUFFER - c->in_len;
	ssize_t n;

	(void)revents;
	/* A job that fg(1) moved to the foreground without having been stopped gets no SIGCONT. */
	if (c->keys != KEYS_OFF)
		terminal_enter();
	n = read(c->in.fd, bytes, space < sizeof(bytes) ? space : sizeof(bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_remove(c->loop, &c->in);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		input_push(c, bytes[i]);
	input_pump(c);
}

void console_kick(struct console *c)
{
	/* Not handed over here and now: the receiver is in the middle of a guest's access. */
	if (c->in_len)
		wake(c);
}

static void woken(void *ctx, short revents)
{
	struct console *c = ctx;
	eventfd_t count;

	(void)revents;
	eventfd_read(c->wake.fd, &count);
	c->woken = false;
	if (c->output == OUTPUT_DRAINING)
		watch_for(c, &c->out, POLLOUT);
	input_pump(c);
}

/* --- life */

/*
 * A description of our own, where O_NONBLOCK disturbs nobody; where that is refused, fd 1 has to
 * do.
 */
static int stdout_fd(void)
{
	int fd = -1;

	if (isatty(STDOUT_FILENO))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? STDOUT_FILENO : fd;
}

static int open_output(struct console *c, enum console_kind kind, const char *path,
		       struct error *err)
{
	int r;

	c->out = (struct watch){.fd = -1, .ready = out_ready, .ctx = c};
	if (kind == CONSOLE_NULL) {
		c->output = OUTPUT_DISCARD;
		return 0;
	}
	c->out.fd = kind == CONSOLE_FILE ? file_create(path) : stdout_fd();
	if (c->out.fd < 0)
		return error_set(err, EXIT_SETUP, "%s: %s", path, strerror(errno));
	r = loop_add(c->loop, &c->out);
	if (r)
		return error_set(err, EXIT_SETUP, "standard output: %s", strerror(-r));
	return 0;
}

static int open_input(struct console *c, struct error *err)
{
	int r;

	c->in = (struct watch){.fd = STDIN_FILENO, .events = POLLIN, .ready = in_ready, .ctx = c};
	r = loop_add(c->loop, &c->in);
	if (r)
		return error_set(err, EXIT_SETUP, "standard input: %s", strerror(-r));
	if (isatty(STDIN_FILENO)) {
		c->keys = KEYS_PLAIN;
		terminal_open();
	}
	return 0;
}

static int open_wake(struct console *c, struct error *err)
{
	int r;

	c->wake = (struct watch){.events = POLLIN, .ready = woken, .ctx = c};
	c->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r = c->wake.fd < 0 ? -errno : loop_add(c->loop, &c->wake);
	return r ? error_set(err, EXIT_SETUP, "console: eventfd: %s", strerror(-r)) : 0;
}

static void dispose(struct console *c)
{
	loop_remove(c->loop, &c->in);
	loop_remove(c->loop, &c->out);
	loop_remove(c->loop, &c->wake);
	if (c->wake.fd >= 0)
		close(c->wake.fd);
	if (c->out.fd > STDOUT_FILENO)
		close(c->out.fd);
	free(c);
}

struct console *console_open(struct loop *loop, enum console_kind kind, const char *path,
			     const struct console_events *events, struct error *err)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c) {
		error_fill(err, EXIT_SETUP, "no memory for the console");
		return NULL;
	}
	c->loop = loop;
	c->events = *events;
	c->wake.fd = -1;
	if (open_output(c, kind, path, err) || open_wake(c, err) ||
	    (kind == CONSOLE_STDIO && open_input(c, err))) {
		dispose(c);
		return NULL;
	}
	return c;
}

static void output_flush(struct console *c, unsigned ms)
{
	uint64_t now = clock_now_ns(), deadline = now + ms * 1000000ull;

	while (c->out_len) {
		uint64_t left = now < deadline ? (deadline - now) / 1000000 : 0;
		struct pollfd p = {.fd = c->out.fd, .events = POLLOUT};
		unsigned before = c->out_len;

		if (poll(&p, 1, left < INT_MAX ? (int)left : INT_MAX) > 0)
			output_write(c);
		now = clock_now_ns();
		if (c->out_len == before && now >= deadline)
			output_fail(c, ETIMEDOUT);
	}
}

void console_close(struct console *c, unsigned ms)
{
	if (!c)
		return;
	output_flush(c, ms);
	terminal_close();
	dispose(c);
}

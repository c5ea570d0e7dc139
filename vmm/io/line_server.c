// SPDX-License-Identifier: MIT
/*
 * A client is either listened to or written to, never both: while a part of a reply is still in its
 * buffer, nothing more is read from it, and what it has sent waits in the kernel. So a client takes
 * one line and one reply of memory, whatever it does.
 */
#include "io/line_server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/timer.h"
#include "util/clock.h"

#define ACCEPT_PAUSE_NS (NSEC_PER_SEC / 10)
#define IN_SIZE		(LINE_MAX_LEN + 2) /* with "\r\n" */

struct client {
	struct line_server *server;
	struct watch watch;
	bool skipping; /* what comes up to the next "\n" belongs to a line that was too long */
	size_t in_len, out_at, out_len;
	char in[IN_SIZE + 1]; /* a line that was too long is ended as well */
	char out[LINE_REPLY_MAX];
};

struct line_server {
	struct loop *loop;
	line_handler *handle;
	void *ctx;
	struct watch listener;
	struct timer again; /* accept() failed for want of something: when to try again */
	struct sockaddr_un name;
	struct stat made; /* the socket that we bound, to know it by */
	struct client *clients[LINE_CLIENTS];
};

/* --- a client */

static void client_close(struct client *c)
{
	loop_remove(c->server->loop, &c->watch);
	close(c->watch.fd);
	for (unsigned i = 0; i < LINE_CLIENTS; i++)
		if (c->server->clients[i] == c)
			c->server->clients[i] = NULL;
	free(c);
}

/* Sends what the socket takes. Replies to one that is gone are lost: what it has said is still done. */
static void client_flush(struct client *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->watch.fd, c->out + c->out_at, c->out_len - c->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
		c->out_at += (size_t)n;
	}
	c->out_at = c->out_len = 0;
}

/* False: it has shut down its side, or is gone. */
static bool client_receive(struct client *c)
{
	ssize_t n = recv(c->watch.fd, c->in + c->in_len, IN_SIZE - c->in_len, MSG_DONTWAIT);

	if (n > 0)
		c->in_len += (size_t)n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool is_text(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != '\t' && (line[i] < ' ' || line[i] > '~'))
			return false;
	return true;
}

/* A line of the buffer, without its "\n". */
static void client_say(struct client *c, char *line, size_t len)
{
	c->out[0] = '\0';
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	if (!len)
		return;
	if (len > LINE_MAX_LEN)
		snprintf(c->out, sizeof(c->out), "error the line is longer than %d bytes",
			 LINE_MAX_LEN);
	else if (!is_text(line, len))
		snprintf(c->out, sizeof(c->out),
			 "error the line has bytes that are no printable ASCII");
	else
		c->server->handle(c->server->ctx, line, c->out, sizeof(c->out));
	c->out_len = strlen(c->out);
	c->out[c->out_len++] = '\n'; /* in place of its NUL */
	client_flush(c);
}

/* Takes one line out of the buffer, or a piece of one that is too long. False: there is none. */
static bool client_take_line(struct client *c)
{
	char *end = memchr(c->in, '\n', c->in_len);
	size_t len = end ? (size_t)(end - c->in) : c->in_len;
	size_t used = end ? len + 1 : len;
	bool skip = c->skipping;

	if (!end && c->in_len < (skip ? 1 : IN_SIZE))
		return false;
	c->skipping = !end;
	if (!skip)
		client_say(c, c->in, len);
	c->in_len -= used;
	memmove(c->in, c->in + used, c->in_len);
	return true;
}

static void client_answer(struct client *c)
{
	while (!c->out_len && client_take_line(c))
		;
}

/* Ready for whichever of the two it is watched for; or hung up, which sending and receiving find out. */
static void on_client(void *ctx, short revents)
{
	struct client *c = ctx;

	(void)revents;
	client_flush(c);
	client_answer(c);
	if (!c->out_len && !client_receive(c)) {
		client_close(c); /* no whole line is left in its buffer */
		return;
	}
	client_answer(c);
	c->watch.events = c->out_len ? POLLOUT : POLLIN;
	loop_update(c->server->loop, &c->watch);
}

/* --- clients that come */

static void refuse(int fd, const char *why)
{
	/* One line always fits into a socket's empty buffer. */
	send(fd, why, strlen(why), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void client_open(struct line_server *s, int fd)
{
	struct client *c;
	unsigned i = 0;

	while (i < LINE_CLIENTS && s->clients[i])
		i++;
	if (i == LINE_CLIENTS) {
		refuse(fd, "error too many clients at once\n");
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		refuse(fd, "error out of memory\n");
		return;
	}
	c->server = s;
	c->watch = (struct watch){.fd = fd, .events = POLLIN, .ready = on_client, .ctx = c};
	if (loop_add(s->loop, &c->watch) < 0) {
		free(c);
		refuse(fd, "error out of memory\n");
		return;
	}
	s->clients[i] = c;
}

static void listen_for(struct line_server *s, short events)
{
	s->listener.events = events;
	loop_update(s->loop, &s->listener);
}

/*
 * Without descriptors or memory the listener stays ready and accept() fails again and again: leave it
 * alone for a while.
 */
static void on_listener(void *ctx, short revents)
{
	struct line_server *s = ctx;
	int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd >= 0) {
		client_open(s, fd);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	listen_for(s, 0);
	timer_arm(&s->again, clock_now_ns() + ACCEPT_PAUSE_NS);
}

static void on_again(void *ctx)
{
	listen_for(ctx, POLLIN);
}

/* --- the socket */

static int set_name(struct line_server *s, const char *path, struct error *err)
{
	size_t len = strlen(path);

	s->name.sun_family = AF_UNIX;
	if (!len) /* bind() would make up an abstract name */
		return error_set(err, EXIT_SETUP, "the name of the control socket is empty");
	if (len >= sizeof(s->name.sun_path))
		return error_set(err, EXIT_SETUP,
				 "%.100s...: the name of a socket has at most %zu bytes", path,
				 sizeof(s->name.sun_path) - 1);
	memcpy(s->name.sun_path, path, len + 1);
	return 0;
}

/* A socket that refuses connections has lost its process; anything else is not ours to remove. */
static int remove_stale(const struct line_server *s, struct error *err)
{
	const char *path = s->name.sun_path;
	struct stat st;
	int fd, error;

	if (lstat(path, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : error_set(err, EXIT_SETUP, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, EXIT_SETUP, "%s: is there already, and no socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, EXIT_SETUP, "socket: %s", strerror(errno));
	error = connect(fd, (const struct sockaddr *)&s->name, sizeof(s->name)) < 0 ? errno : 0;
	close(fd);
	if (error == 0 || error == EAGAIN || error == EPROTOTYPE)
		return error_set(err, EXIT_SETUP, "%s: another process listens there", path);
	if (error != ECONNREFUSED)
		return error_set(err, EXIT_SETUP, "%s: %s", path, strerror(error));
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set(err, EXIT_SETUP, "%s: %s", path, strerror(errno));
	return 0;
}

static int open_socket(struct line_server *s, struct error *err)
{
	const struct sockaddr *name = (const struct sockaddr *)&s->name;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return error_set(err, EXIT_SETUP, "socket: %s", strerror(errno));
	s->listener.fd = fd;
	/* The name gets the socket's mode at once: there is no moment at which others may connect. */
	fchmod(fd, 0600);
	r = bind(fd, name, sizeof(s->name));
	if (r < 0 && errno == EADDRINUSE) {
		if (remove_stale(s, err) < 0)
			return -1;
		r = bind(fd, name, sizeof(s->name));
	}
	if (r < 0)
		return error_set(err, EXIT_SETUP, "%s: %s", s->name.sun_path, strerror(errno));
	if (lstat(s->name.sun_path, &s->made) < 0 || listen(fd, LINE_CLIENTS) < 0)
		return error_set(err, EXIT_SETUP, "%s: %s", s->name.sun_path, strerror(errno));
	return 0;
}

struct line_server *line_server_open(struct loop *loop, const char *path, line_handler *handle,
				     void *ctx, struct error *err)
{
	struct line_server *s = calloc(1, sizeof(*s));

	if (!s) {
		error_fill(err, EXIT_SETUP, "out of memory");
		return NULL;
	}
	s->loop = loop;
	s->handle = handle;
	s->ctx = ctx;
	s->listener = (struct watch){.fd = -1, .events = POLLIN, .ready = on_listener, .ctx = s};
	if (set_name(s, path, err) == 0 && timer_open(&s->again, loop, on_again, s, err) == 0 &&
	    open_socket(s, err) == 0) {
		if (loop_add(loop, &s->listener) == 0)
			return s;
		error_fill(err, EXIT_SETUP, "out of memory");
	}
	line_server_close(s);
	return NULL;
}

/* The name may be somebody else's by now. */
static void remove_name(const struct line_server *s)
{
	struct stat st;

	if (s->made.st_ino && lstat(s->name.sun_path, &st) == 0 && st.st_ino == s->made.st_ino &&
	    st.st_dev == s->made.st_dev)
		unlink(s->name.sun_path);
}

void line_server_close(struct line_server *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < LINE_CLIENTS; i++) {
		if (!s->clients[i])
			continue;
		client_flush(s->clients[i]);
		client_close(s->clients[i]);
	}
	timer_close(&s->again);
	loop_remove(s->loop, &s->listener);
	remove_name(s);
	if (s->listener.fd >= 0)
		close(s->listener.fd);
	free(s);
}

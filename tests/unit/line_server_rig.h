/* SPDX-License-Identifier: MIT */
/* What the tests of the line server share: a server that says lines back, and its clients. */
#ifndef SIPI_TESTS_LINE_SERVER_RIG_H
#define SIPI_TESTS_LINE_SERVER_RIG_H

#include "loop_rig.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "io/line_server.h"

/* --- the server under test: says a line back with its number, or does what the line asks for */

static struct {
	struct loop *loop;
	struct line_server *s;
	char dir[64], path[96];
	unsigned lines;
} rig;

static inline void handler(void *ctx, const char *line, char *reply, size_t size)
{
	assert_ptr_equal(ctx, &rig);
	assert_true(*line && strlen(line) <= LINE_MAX_LEN);
	rig.lines++;
	if (strcmp(line, "stop") == 0)
		loop_stop(rig.loop);
	if (strcmp(line, "long") == 0) {
		memset(reply, 'x', size - 1);
		reply[size - 1] = '\0';
		return;
	}
	snprintf(reply, size, "%u <%s>", rig.lines, line);
}

static inline struct line_server *try_open(const char *path, struct error *err)
{
	return line_server_open(rig.loop, path, handler, &rig, err);
}

static inline void setup(void **state)
{
	struct error err;

	memset(&rig, 0, sizeof(rig));
	rig.loop = open_loop(state);
	strcpy(rig.dir, "/tmp/line_server_test.XXXXXX");
	assert_non_null(mkdtemp(rig.dir));
	snprintf(rig.path, sizeof(rig.path), "%s/s", rig.dir);
	rig.s = try_open(rig.path, &err);
	assert_non_null(rig.s);
}

static inline void teardown(void)
{
	line_server_close(rig.s);
	loop_destroy(rig.loop);
	unlink(rig.path);
	assert_int_equal(rmdir(rig.dir), 0);
}

/* --- its clients */

static inline struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	assert_true(strlen(path) < sizeof(name.sun_path));
	strcpy(name.sun_path, path);
	return name;
}

/* With a time limit, so that what does not come fails the test. */
static inline int come(void)
{
	struct sockaddr_un name = name_of(rig.path);
	struct timeval limit = {.tv_sec = 5};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static inline void say_bytes(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static inline void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

static inline void serve(void)
{
	run_for(rig.loop, 10 * MS);
}

/* What is there to read, and nothing else, is exactly this. */
static inline void hears(int fd, const char *expected)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n < 0 ? 0 : n] = '\0';
	assert_string_equal(buf, expected);
}

static inline void hears_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	close(fd);
}

#endif

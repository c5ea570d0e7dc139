// SPDX-License-Identifier: MIT
/* The line server: its clients, and its name in the file system; the contract is line_server.h. */
#include "line_server_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* --- clients that misbehave */

/* Not listened to until it reads; it keeps no memory, no time, and nobody else waiting. */
static void one_that_does_not_read_holds_up_nobody(void **state)
{
	static char got[LINE_REPLY_MAX];
	unsigned said = 0, done;
	size_t total = 0;
	ssize_t n;
	int slow, other;

	setup(state);
	slow = come();
	other = come();
	while (send(slow, "long\n", 5, MSG_DONTWAIT | MSG_NOSIGNAL) == 5 && said < 20000) {
		said++;
		if (said % 500 == 0)
			run_for(rig.loop, MS);
	}
	serve();
	done = rig.lines;
	assert_in_range(done, 2, 200); /* what two sockets' buffers hold */
	assert_true(run_for(rig.loop, 200 * MS) < 20 * MS);
	assert_int_equal(rig.lines, done);
	say(other, "hello\n");
	serve();
	assert_int_equal(rig.lines, done + 1);
	/* Once it reads, all are answered, and whole. */
	shutdown(slow, SHUT_WR);
	do {
		run_for(rig.loop, MS / 10);
		while ((n = recv(slow, got, sizeof(got), MSG_DONTWAIT)) > 0)
			total += (size_t)n;
	} while (n);
	assert_int_equal(total, (size_t)said * LINE_REPLY_MAX);
	close(slow);
	close(other);
	teardown();
}

static void one_too_many_is_told_and_hung_up_on(void **state)
{
	int fd[LINE_CLIENTS], more;

	setup(state);
	for (unsigned i = 0; i < LINE_CLIENTS; i++)
		fd[i] = come();
	serve();
	more = come();
	serve();
	hears(more, "error too many clients at once\n");
	hears_end(more);
	for (unsigned i = 0; i < LINE_CLIENTS; i++)
		say(fd[i], "hello\n");
	serve();
	assert_int_equal(rig.lines, LINE_CLIENTS);
	close(fd[3]);
	serve();
	fd[3] = come();
	say(fd[3], "me too\n");
	serve();
	hears(fd[3], "17 <me too>\n");
	for (unsigned i = 0; i < LINE_CLIENTS; i++)
		close(fd[i]);
	teardown();
}

/* accept(2), EMFILE: the listener stays ready, and must not be asked again and again. */
static void without_descriptors_it_waits_and_does_not_spin(void **state)
{
	struct rlimit old, none;
	struct timer t;
	struct timespec a, b;
	struct error err;
	int fd;

	setup(state);
	assert_int_equal(timer_open(&t, rig.loop, stop_on_fire, rig.loop, &err), 0);
	run_for(rig.loop, MS);
	fd = come();
	say(fd, "patience\n");
	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	timer_arm(&t, clock_now_ns() + 350 * MS);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	assert_int_equal(loop_run(rig.loop), 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(rig.lines, 0);
	assert_true((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < 100000000L);
	run_for(rig.loop, 150 * MS);
	hears(fd, "1 <patience>\n");
	timer_close(&t);
	close(fd);
	teardown();
}

/* --- the name */

static void refused(const char *path, const char *text)
{
	struct error err = {.code = 0};

	assert_null(try_open(path, &err));
	assert_int_equal(err.code, EXIT_SETUP);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
}

static void the_name_is_for_this_user_and_goes_away(void **state)
{
	struct stat st;
	mode_t mask;

	mask = umask(0);
	setup(state);
	umask(mask);
	assert_int_equal(lstat(rig.path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	line_server_close(rig.s);
	rig.s = NULL;
	assert_int_equal(lstat(rig.path, &st), -1);
	assert_int_equal(errno, ENOENT);
	line_server_close(NULL);
	teardown();
}

/* Left over by a process that was killed. */
static void a_stale_socket_is_replaced(void **state)
{
	struct sockaddr_un name;
	struct error err;
	int fd;

	setup(state);
	line_server_close(rig.s);
	name = name_of(rig.path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	close(fd);
	rig.s = try_open(rig.path, &err);
	assert_non_null(rig.s);
	fd = come();
	say(fd, "fresh\n");
	serve();
	hears(fd, "1 <fresh>\n");
	close(fd);
	teardown();
}

static void a_socket_in_use_is_refused(void **state)
{
	struct sockaddr_un name;
	char other[128];
	int fd;

	setup(state);
	refused(rig.path, "another process listens there");
	fd = come();
	say(fd, "still here\n");
	serve();
	hears(fd, "1 <still here>\n");
	close(fd);
	/* A datagram socket is somebody's, too. */
	snprintf(other, sizeof(other), "%s/d", rig.dir);
	name = name_of(other);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	refused(other, "another process listens there");
	close(fd);
	assert_int_equal(unlink(other), 0);
	teardown();
}

static void what_is_no_socket_is_left_alone(void **state)
{
	char file[128], link[128];
	struct stat st;
	int fd;

	setup(state);
	snprintf(file, sizeof(file), "%s/file", rig.dir);
	snprintf(link, sizeof(link), "%s/link", rig.dir);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(symlink("nowhere", link), 0);
	refused(file, "no socket");
	refused(link, "no socket");
	refused(rig.dir, "no socket");
	assert_int_equal(lstat(file, &st), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(unlink(link), 0);
	teardown();
}

static void a_name_that_cannot_be_is_refused(void **state)
{
	char path[200];

	setup(state);
	refused("", "empty");
	memset(path, 'a', sizeof(path));
	path[108] = '\0'; /* unix(7): sun_path has 108 bytes, with the NUL */
	refused(path, "at most 107 bytes");
	snprintf(path, sizeof(path), "%s/none/s", rig.dir);
	refused(path, "No such file");
	teardown();
}

/* Somebody removed ours and has a socket of that name now. */
static void only_its_own_name_is_removed(void **state)
{
	struct line_server *second;
	struct error err;
	struct stat st;

	setup(state);
	assert_int_equal(unlink(rig.path), 0);
	second = try_open(rig.path, &err);
	assert_non_null(second);
	line_server_close(rig.s);
	assert_int_equal(lstat(rig.path, &st), 0);
	rig.s = second;
	teardown();
}

/* The reply to what ends the loop still arrives. */
static void the_reply_to_the_last_line_arrives(void **state)
{
	int fd;

	setup(state);
	fd = come();
	say(fd, "stop\n");
	assert_int_equal(loop_run(rig.loop), 0);
	while (!rig.lines)
		assert_int_equal(loop_run(rig.loop), 0);
	line_server_close(rig.s);
	rig.s = NULL;
	hears(fd, "1 <stop>\n");
	hears_end(fd);
	teardown();
}

/* The server's end of the one connection there is: it bears the socket's name, and does not listen. */
static int server_side(void)
{
	for (int fd = 3; fd < 1024; fd++) {
		struct sockaddr_un name = {.sun_family = AF_UNSPEC};
		socklen_t len = sizeof(name), size = sizeof(int);
		int listens = 1;

		if (getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
		    strncmp(name.sun_path, rig.path, sizeof(name.sun_path)) == 0 &&
		    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && !listens)
			return fd;
	}
	return -1;
}

/* With a send buffer that is smaller than a reply. */
static void a_reply_may_leave_in_pieces(void **state)
{
	static char got[LINE_REPLY_MAX + 1];
	size_t total = 0;
	int fd, one = 1;
	ssize_t n;

	setup(state);
	fd = come();
	say(fd, "first\n");
	serve();
	hears(fd, "1 <first>\n");
	assert_int_equal(setsockopt(server_side(), SOL_SOCKET, SO_SNDBUF, &one, sizeof(one)), 0);
	say(fd, "long\n");
	serve();
	while ((n = recv(fd, got, sizeof(got), MSG_DONTWAIT)) > 0) {
		assert_true(n < LINE_REPLY_MAX);
		total += (size_t)n;
		run_for(rig.loop, MS);
	}
	assert_int_equal(total, LINE_REPLY_MAX);
	say(fd, "next\n");
	serve();
	hears(fd, "3 <next>\n");
	close(fd);
	teardown();
}

/* "Writes out what is due and fits in the sockets' buffers": a reply of which half was out is whole then. */
static void closing_writes_out_what_is_due(void **state)
{
	static char got[LINE_REPLY_MAX];
	char lines[300 * 5 + 1] = "";
	size_t total = 0;
	ssize_t n;
	int fd;

	setup(state);
	fd = come();
	for (unsigned i = 0; i < 300; i++)
		strcpy(lines + 5 * i, "long\n");
	say(fd, lines); /* at once: the sender's buffer has not room for as many messages */
	serve();
	assert_in_range(rig.lines, 2, 200);
	while ((n = recv(fd, got, sizeof(got), MSG_DONTWAIT)) > 0)
		total += (size_t)n;
	line_server_close(rig.s);
	rig.s = NULL;
	while ((n = recv(fd, got, sizeof(got), MSG_DONTWAIT)) > 0)
		total += (size_t)n;
	assert_int_equal(total, (size_t)rig.lines * LINE_REPLY_MAX);
	close(fd);
	teardown();
}

TEST_MAIN(BOTH(one_that_does_not_read_holds_up_nobody), BOTH(one_too_many_is_told_and_hung_up_on),
	  BOTH(without_descriptors_it_waits_and_does_not_spin),
	  BOTH(the_name_is_for_this_user_and_goes_away), BOTH(a_stale_socket_is_replaced),
	  BOTH(a_socket_in_use_is_refused), BOTH(what_is_no_socket_is_left_alone),
	  BOTH(a_name_that_cannot_be_is_refused), BOTH(only_its_own_name_is_removed),
	  BOTH(the_reply_to_the_last_line_arrives), BOTH(a_reply_may_leave_in_pieces),
	  BOTH(closing_writes_out_what_is_due))

// SPDX-License-Identifier: MIT
/* The line server with real sockets, on both back ends; the contract is line_server.h. */
#include "loop_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "io/line_server.h"

/* --- the server under test: says a line back with its number, or does what the line asks for */

static struct {
	struct loop *loop;
	struct line_server *s;
	char dir[64], path[96];
	unsigned lines;
} rig;

static void handler(void *ctx, const char *line, char *reply, size_t size)
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

static struct line_server *try_open(const char *path, struct error *err)
{
	return line_server_open(rig.loop, path, handler, &rig, err);
}

static void setup(void **state)
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

static void teardown(void)
{
	line_server_close(rig.s);
	loop_destroy(rig.loop);
	unlink(rig.path);
	assert_int_equal(rmdir(rig.dir), 0);
}

/* --- its clients */

static struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
	return name;
}

/* With a time limit, so that what does not come fails the test. */
static int come(void)
{
	struct sockaddr_un name = name_of(rig.path);
	struct timeval limit = {.tv_sec = 5};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void say_bytes(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

static void serve(void)
{
	run_for(rig.loop, 10 * MS);
}

/* What is there to read, and nothing else, is exactly this. */
static void hears(int fd, const char *expected)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n < 0 ? 0 : n] = '\0';
	assert_string_equal(buf, expected);
}

static void hears_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	close(fd);
}

/* --- lines */

static void each_line_gets_its_reply_in_order(void **state)
{
	int a, b;

	setup(state);
	a = come();
	b = come();
	say(a, "one\ntwo\r\n\n\r\nthree\tand  four\n");
	serve();
	hears(a, "1 <one>\n2 <two>\n3 <three\tand  four>\n");
	say(b, "five\n");
	serve();
	hears(b, "4 <five>\n");
	hears(a, "");
	close(a);
	close(b);
	teardown();
}

static void a_line_may_come_in_pieces(void **state)
{
	int fd;

	setup(state);
	fd = come();
	for (const char *p = "pieces\r\nx\n"; *p; p++) {
		serve();
		hears(fd, *p == 'x' ? "1 <pieces>\n" : "");
		say_bytes(fd, p, 1);
	}
	serve();
	hears(fd, "2 <x>\n");
	close(fd);
	teardown();
}

/* "What a client says before it shuts down its side is answered; half a line at its end is not." */
static void whole_lines_before_the_end_are_answered(void **state)
{
	int fd;

	setup(state);
	fd = come();
	say(fd, "one\ntwo\nhalf");
	shutdown(fd, SHUT_WR);
	serve();
	hears(fd, "1 <one>\n2 <two>\n");
	hears_end(fd);
	teardown();
}

/* One that hangs up at once is not there to hear of it, but has said it. Nor does SIGPIPE end us. */
static void lines_of_one_that_is_gone_are_done(void **state)
{
	int fd;

	setup(state);
	signal(SIGPIPE, SIG_DFL);
	fd = come();
	say(fd, "one\ntwo\nthree\nhalf");
	close(fd);
	serve();
	assert_int_equal(rig.lines, 3);
	teardown();
}

/* --- bad lines */

static void a_line_of_the_greatest_length_is_taken(void **state)
{
	char line[LINE_MAX_LEN + 3], expected[LINE_MAX_LEN + 16];
	int fd;

	setup(state);
	fd = come();
	memset(line, 'a', LINE_MAX_LEN);
	for (unsigned n = 1; n <= 2; n++) {
		strcpy(line + LINE_MAX_LEN, n == 1 ? "\n" : "\r\n");
		say(fd, line);
		serve();
		snprintf(expected, sizeof(expected), "%u <%.*s>\n", n, LINE_MAX_LEN, line);
		hears(fd, expected);
	}
	close(fd);
	teardown();
}

#define TOO_LONG "error the line is longer than 256 bytes\n"
#define BINARY	 "error the line has bytes that are no printable ASCII\n"

/* Whatever its length, one error; and the next line is a line again. */
static void a_line_too_long_gets_one_error(void **state)
{
	static const size_t over[] = {1, 2, 3, 4, LINE_MAX_LEN, LINE_MAX_LEN + 2, 100000};
	char *line = malloc(LINE_MAX_LEN + 100000 + 1);
	int fd;

	setup(state);
	fd = come();
	for (unsigned i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
		size_t len = LINE_MAX_LEN + over[i];
		char expected[64 + sizeof(TOO_LONG)];

		memset(line, 'a', len);
		line[len] = '\n';
		say_bytes(fd, line, len + 1);
		say(fd, "next\n");
		serve();
		snprintf(expected, sizeof(expected), TOO_LONG "%u <next>\n", i + 1);
		hears(fd, expected);
	}
	/* A "\r" that its "\n" does not follow belongs to the line. */
	memset(line, 'a', LINE_MAX_LEN + 2);
	line[LINE_MAX_LEN] = '\r';
	say_bytes(fd, line, LINE_MAX_LEN + 2);
	serve();
	hears(fd, TOO_LONG);
	close(fd);
	free(line);
	teardown();
}

static void bytes_that_are_no_text_get_one_error_a_line(void **state)
{
	static const char bad[] = {'\0', 1, 0x1b, '\r', 0x7f, (char)0x80, (char)0xff};
	int fd;

	setup(state);
	fd = come();
	for (unsigned i = 0; i < sizeof(bad); i++) {
		char line[] = {'a', bad[i], bad[i], 'b', '\n'};

		say_bytes(fd, line, sizeof(line));
		serve();
		hears(fd, BINARY);
	}
	assert_int_equal(rig.lines, 0);
	say(fd, " ~\n");
	serve();
	hears(fd, "1 < ~>\n");
	close(fd);
	teardown();
}

/* What the server has to answer to these bytes, by the contract alone. */
static size_t expect(const uint8_t *bytes, size_t len, char *out)
{
	unsigned number = 0;
	char *to = out;

	for (size_t at = 0, end; at < len; at = end + 1) {
		bool text = true;
		size_t n;

		for (end = at; end < len && bytes[end] != '\n'; end++)
			;
		n = end - at;
		if (n && bytes[end - 1] == '\r')
			n--;
		for (size_t i = 0; i < n; i++)
			text &= bytes[at + i] == '\t' ||
				(bytes[at + i] >= 32 && bytes[at + i] < 127);
		if (end == len && end - at < LINE_MAX_LEN + 2)
			break;
		if (n > LINE_MAX_LEN)
			to += sprintf(to, TOO_LONG);
		else if (n && !text)
			to += sprintf(to, BINARY);
		else if (n)
			to += sprintf(to, "%u <%.*s>\n", ++number, (int)n,
				      (const char *)bytes + at);
	}
	return (size_t)(to - out);
}

static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static size_t random_bytes(uint32_t *x, uint8_t *bytes, size_t max)
{
	unsigned newlines = 2 + next_random(x) % 400, odd = 10 + next_random(x) % 1000;
	size_t len = next_random(x) % max;

	for (size_t i = 0; i < len; i++) {
		bytes[i] = (uint8_t)('a' + next_random(x) % 26);
		if (next_random(x) % odd == 0)
			bytes[i] = (uint8_t)next_random(x);
		if (next_random(x) % newlines == 0)
			bytes[i] = next_random(x) % 4 ? '\n' : '\r';
	}
	return len;
}

/* Random bytes in random pieces; SEED names the case. */
static void any_bytes_are_answered_by_the_contract(void **state)
{
	enum { MAX = 6000 };
	static uint8_t bytes[MAX];
	static char expected[MAX * 64], got[MAX * 64];

	for (uint32_t seed = 1; seed <= 100; seed++) {
		uint32_t x = seed * 2654435761u;
		size_t len = random_bytes(&x, bytes, MAX), want, have = 0;
		ssize_t n;
		int fd;

		setup(state);
		fd = come();
		for (size_t at = 0, piece; at < len; at += piece) {
			piece = 1 + next_random(&x) % 1000;
			piece = piece < len - at ? piece : len - at;
			say_bytes(fd, bytes + at, piece);
			run_for(rig.loop, MS / 10);
		}
		shutdown(fd, SHUT_WR);
		do {
			run_for(rig.loop, MS);
			n = recv(fd, got + have, sizeof(got) - have, MSG_DONTWAIT);
			have += n > 0 ? (size_t)n : 0;
		} while (n);
		want = expect(bytes, len, expected);
		if (have != want || memcmp(got, expected, want) != 0)
			fail_msg("seed %u: %zu bytes said, %zu heard, %zu expected", seed, len,
				 have, want);
		close(fd);
		teardown();
	}
}

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
	assert_true(run_for(rig.loop, 100 * MS) < 50 * MS);
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

TEST_MAIN(BOTH(each_line_gets_its_reply_in_order), BOTH(a_line_may_come_in_pieces),
	  BOTH(whole_lines_before_the_end_are_answered), BOTH(lines_of_one_that_is_gone_are_done),
	  BOTH(a_line_of_the_greatest_length_is_taken), BOTH(a_line_too_long_gets_one_error),
	  BOTH(bytes_that_are_no_text_get_one_error_a_line),
	  BOTH(any_bytes_are_answered_by_the_contract),
	  BOTH(one_that_does_not_read_holds_up_nobody), BOTH(one_too_many_is_told_and_hung_up_on),
	  BOTH(without_descriptors_it_waits_and_does_not_spin),
	  BOTH(the_name_is_for_this_user_and_goes_away), BOTH(a_stale_socket_is_replaced),
	  BOTH(a_socket_in_use_is_refused), BOTH(what_is_no_socket_is_left_alone),
	  BOTH(a_name_that_cannot_be_is_refused), BOTH(only_its_own_name_is_removed),
	  BOTH(the_reply_to_the_last_line_arrives), BOTH(closing_writes_out_what_is_due))

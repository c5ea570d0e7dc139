// SPDX-License-Identifier: MIT
/* The line server: lines and replies, on both back ends; the contract is line_server.h. */
#include "line_server_rig.h"

#include <signal.h>

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

TEST_MAIN(BOTH(each_line_gets_its_reply_in_order), BOTH(a_line_may_come_in_pieces),
	  BOTH(whole_lines_before_the_end_are_answered), BOTH(lines_of_one_that_is_gone_are_done),
	  BOTH(a_line_of_the_greatest_length_is_taken), BOTH(a_line_too_long_gets_one_error),
	  BOTH(bytes_that_are_no_text_get_one_error_a_line),
	  BOTH(any_bytes_are_answered_by_the_contract))

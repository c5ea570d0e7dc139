// SPDX-License-Identifier: MIT
/* `sipi ctl`: one command to a machine that runs, through its control socket, and its reply. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "io/line_server.h"
#include "util/clock.h"
#include "util/parse.h"

#define DEFAULT_TIMEOUT_NS (30 * NSEC_PER_SEC)

const char ctl_usage[] =
	"usage: sipi ctl [--timeout SEC] PATH COMMAND\n"
	"\n"
	"Sends a command to the machine that `sipi run --control PATH` started, and prints its reply.\n"
	"\n"
	"  status         how it goes, and which CPUs there are\n"
	"  pause          stops all CPUs, while time goes on\n"
	"  resume         lets them go on\n"
	"  reset KIND     hard, soft, kbc, triple-fault or host\n"
	"  nmi CPU        sends the CPU an NMI\n"
	"  init CPU       sends the CPU an INIT\n"
	"  cpu-add ID     plugs in the CPU with this APIC ID, to wait for INIT-SIPI\n"
	"  cpu-remove ID  takes it out, whatever it does\n"
	"  regs CPU       registers\n"
	"  lapic CPU      the local APIC, decoded\n"
	"  ioapic         the I/O APIC, decoded\n"
	"  quit           ends the run, with code 0\n"
	"  help           this list, as the machine has it\n"
	"\n"
	"CPU is an index, as in traces; ID is an APIC ID, decimal or 0x.\n"
	"\n"
	"  --timeout SEC  how long to wait for the reply (default 30)\n"
	"\n"
	"exit codes: 0 done, 1 refused by the machine, 2 nobody listens, or ended without a reply,\n"
	"4 no reply in time\n";

struct ctl {
	const char *path;
	uint64_t timeout_ns, deadline_ns;
	int fd;
	size_t len;
	char line[LINE_MAX_LEN + 2]; /* with "\n" */
	char reply[LINE_REPLY_MAX + 1];
};

static int parse_options(struct ctl *c, int argc, char **argv, struct error *err)
{
	static const struct option options[] = {
		{"timeout", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	int id;

	c->timeout_ns = DEFAULT_TIMEOUT_NS;
	opterr = 0;
	optind = 1;
	while ((id = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		if (id != 't')
			return error_set(err, EXIT_SETUP,
					 "ctl: %s: no such option, or its value is missing; try: "
					 "sipi ctl --help",
					 argv[optind - 1]);
		if (parse_seconds(optarg, &c->timeout_ns) < 0 || !c->timeout_ns)
			return error_set(err, EXIT_SETUP,
					 "--timeout '%s': expected seconds above 0, e.g. 10 or 0.5",
					 optarg);
	}
	if (argc - optind < 2)
		return error_set(err, EXIT_SETUP,
				 "ctl: usage: sipi ctl PATH COMMAND; try: sipi ctl --help");
	c->path = argv[optind];
	return 0;
}

/* The words, as one line. What would make it two of them is refused here, all else by the machine. */
static int make_line(struct ctl *c, char **words, struct error *err)
{
	for (char **w = words; *w; w++) {
		size_t len = strlen(*w);

		if (strpbrk(*w, "\r\n"))
			return error_set(err, EXIT_SETUP, "ctl: a command is one line");
		if (c->len + (w != words) + len > LINE_MAX_LEN)
			return error_set(err, EXIT_SETUP, "ctl: a command has at most %d bytes",
					 LINE_MAX_LEN);
		if (w != words)
			c->line[c->len++] = ' ';
		memcpy(c->line + c->len, *w, len);
		c->len += len;
	}
	c->line[c->len++] = '\n';
	return 0;
}

static int timed_out(const struct ctl *c, struct error *err)
{
	return error_set(err, EXIT_TIMED_OUT, "ctl: %s: no reply within %.6g s", c->path,
			 (double)c->timeout_ns / (double)NSEC_PER_SEC);
}

/* Waits until there is something to read. */
static int wait_reply(const struct ctl *c, struct error *err)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};

	for (;;) {
		uint64_t now = clock_now_ns();
		uint64_t ms = now < c->deadline_ns ? (c->deadline_ns - now) / 1000000 + 1 : 0;
		int r = poll(&p, 1, ms > 1000 ? 1000 : (int)ms);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return error_set(err, EXIT_SETUP, "ctl: poll: %s", strerror(errno));
		if (!ms)
			return timed_out(c, err);
	}
}

/* A Unix socket's connect() waits for room in the backlog, for as long as sends may take: unix(7). */
static int connect_to(struct ctl *c, struct error *err)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct timeval limit = {
		.tv_sec = (time_t)(c->timeout_ns / NSEC_PER_SEC),
		.tv_usec = (suseconds_t)(c->timeout_ns % NSEC_PER_SEC / 1000) + 1,
	};

	if (strlen(c->path) >= sizeof(name.sun_path))
		return error_set(err, EXIT_SETUP,
				 "ctl: %.100s...: the name of a socket has at most %zu bytes",
				 c->path, sizeof(name.sun_path) - 1);
	strcpy(name.sun_path, c->path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return error_set(err, EXIT_SETUP, "ctl: socket: %s", strerror(errno));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(c->fd, (const struct sockaddr *)&name, sizeof(name)) == 0)
		return 0;
	if (errno == EAGAIN)
		return timed_out(c, err);
	return error_set(err, EXIT_SETUP,
			 "ctl: %s: %s; start the machine with: sipi run --control %s", c->path,
			 strerror(errno), c->path);
}

/* One line; *end is behind its last byte. A send that fails is left to the reply, which says why. */
static int converse(struct ctl *c, struct error *err)
{
	size_t len = 0;
	ssize_t n;
	char *end = NULL;

	send(c->fd, c->line, c->len, MSG_NOSIGNAL);
	do {
		if (wait_reply(c, err) < 0)
			return -1;
		n = recv(c->fd, c->reply + len, LINE_REPLY_MAX - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, EXIT_SETUP,
					 "ctl: %s: the machine ended without a reply", c->path);
		end = memchr(c->reply + len, '\n', (size_t)n);
		len += (size_t)n;
	} while (!end && len < LINE_REPLY_MAX);
	if (!end)
		return error_set(err, EXIT_SETUP, "ctl: %s: this is no machine of sipi's", c->path);
	*end = '\0';
	return 0;
}

/* "; " is where a reader wants a new line. */
static void print_parts(char *text)
{
	char *next;

	for (; (next = strstr(text, "; ")); text = next + 2)
		printf("%.*s\n", (int)(next - text), text);
	puts(text);
}

/* The reply decides about the exit code. */
static int print_reply(struct ctl *c)
{
	struct error err;

	if (strcmp(c->reply, "ok") == 0)
		return EXIT_OK;
	if (strncmp(c->reply, "ok ", 3) == 0) {
		print_parts(c->reply + 3);
		return EXIT_OK;
	}
	if (strncmp(c->reply, "error ", 6) == 0) {
		fprintf(stderr, "sipi: ctl: %s\n", c->reply + 6);
		return EXIT_GUEST_FAILED;
	}
	error_fill(&err, EXIT_SETUP, "ctl: %s: this is no machine of sipi's", c->path);
	return cmd_fail(&err);
}

int cmd_ctl(int argc, char **argv)
{
	struct ctl c = {.fd = -1};
	struct error err;
	int code;

	if (parse_options(&c, argc, argv, &err) < 0 || make_line(&c, argv + optind + 1, &err) < 0)
		return cmd_fail(&err);
	c.deadline_ns = clock_now_ns() + c.timeout_ns;
	if (connect_to(&c, &err) < 0 || converse(&c, &err) < 0)
		code = cmd_fail(&err);
	else
		code = print_reply(&c);
	if (c.fd >= 0)
		close(c.fd);
	return code;
}

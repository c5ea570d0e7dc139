// SPDX-License-Identifier: MIT
/*
 * Runs commands in turns and times each from fork to its end, so that whatever else the host does
 * falls on all of them alike. C, because a large parent makes fork() slow and would hide the
 * differences.
 *
 * usage: turns ROUNDS COMMAND [ARG...] [-- COMMAND [ARG...]]...
 * One line a round: the nanoseconds of each command, in the order given. A command that does not end
 * with 0 within a minute ends it all.
 */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 8
#define LIMIT_SEC    60

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static _Noreturn void child(char **argv, int null)
{
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	alarm(LIMIT_SEC); /* stays set across exec */
	execv(argv[0], argv);
	err(2, "%s", argv[0]);
}

static uint64_t run_one(char **argv, int null)
{
	uint64_t start = now_ns(), took;
	pid_t pid = fork();
	int status;

	if (pid == 0)
		child(argv, null);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		err(2, "%s", argv[0]);
	took = now_ns() - start;
	if (status)
		errx(2, "%s: ended with %s %d", argv[0], WIFEXITED(status) ? "code" : "signal",
		     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return took;
}

/* Every other round backwards: no command always runs in the wake of the same one. */
static void run_round(char **commands[], unsigned n, bool backwards, int null)
{
	uint64_t took[COMMANDS_MAX];

	for (unsigned i = 0; i < n; i++) {
		unsigned at = backwards ? n - 1 - i : i;

		took[at] = run_one(commands[at], null);
	}
	for (unsigned i = 0; i < n; i++)
		printf("%llu%c", (unsigned long long)took[i], i + 1 < n ? ' ' : '\n');
	if (fflush(stdout))
		err(2, "stdout");
}

int main(int argc, char **argv)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char **commands[COMMANDS_MAX];
	unsigned n = 0, rounds = argc > 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;

	for (int i = 2; i < argc && n < COMMANDS_MAX; i++) {
		if (i == 2 || !argv[i - 1])
			commands[n++] = &argv[i];
		if (strcmp(argv[i], "--") == 0)
			argv[i] = NULL;
	}
	for (unsigned i = 0; i < n; i++)
		if (!commands[i][0])
			rounds = 0;
	if (!rounds || !n || null < 0)
		errx(2, "usage: turns ROUNDS COMMAND [ARG...] [-- COMMAND [ARG...]]...");
	for (unsigned i = 0; i < rounds; i++)
		run_round(commands, n, i & 1, null);
	return 0;
}

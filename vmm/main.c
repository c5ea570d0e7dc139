// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
} commands[] = {
	{"run", cmd_run, run_usage},	   {"probe", cmd_probe, probe_usage},
	{"ctl", cmd_ctl, ctl_usage},	   {"selftest", cmd_selftest, selftest_usage},
	{"check", cmd_check, check_usage}, {"errata", cmd_errata, errata_usage},
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char usage[] =
	"usage: sipi run [options] IMAGE [args]   boot a guest\n"
	"       sipi probe                        what this host's KVM is and can do\n"
	"       sipi ctl PATH COMMAND             a command to a machine that runs\n"
	"       sipi selftest reset               whether RESET and INIT do what the manuals say\n"
	"       sipi check PATH...                runs scenarios: does KVM do what the manuals say?\n"
	"       sipi errata [ID...]               the known deviations, as this host shows them\n"
	"       sipi --help | --version\n"
	"\n"
	"sipi COMMAND --help lists a command's options. The guest's console is stdout; what sipi\n"
	"says is stderr.\n"
	"\n"
	"exit codes: 0 success, 1 the guest or a check reported failure, 2 usage or set-up error, 3 the\n"
	"guest crashed, 4 timed out, 5 KVM failed, 77 this host lacks what the run needs. A guest may\n"
	"choose any code from 0 to 255 through the debug-exit port.\n";

/*
 * With 0, 1 or 2 closed, the next file opened would take the number and be written to as if it were
 * stdout. /dev/null the other way round keeps the number taken and the error an error.
 */
static void hold_standard_fds(void)
{
	static const int flags[] = {O_WRONLY, O_RDONLY, O_RDWR};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", flags[fd]) < 0)
			_exit(EXIT_SETUP);
}

/* What was said on stdout must have arrived: a full disk or a closed pipe is an error. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "sipi: stdout: %s\n", strerror(errno));
	return code ? code : EXIT_SETUP;
}

int main(int argc, char **argv)
{
	hold_standard_fds();
	/* A reader that goes away is an error of a write, not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		fputs(usage, stderr);
		return EXIT_SETUP;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		fputs(usage, stdout);
		return finish(EXIT_OK);
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("sipi " SIPI_VERSION);
		return finish(EXIT_OK);
	}
	for (unsigned i = 0; i < NCOMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
			fputs(commands[i].usage, stdout);
			return finish(EXIT_OK);
		}
		return finish(commands[i].run(argc - 1, argv + 1));
	}
	fprintf(stderr, "sipi: '%s' is no command; try: sipi --help\n", argv[1]);
	return EXIT_SETUP;
}

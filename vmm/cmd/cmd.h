/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CMD_CMD_H
#define SIPI_CMD_CMD_H

#include "util/error.h"

/* The subcommands. argv[0] is the subcommand's name; the result is sipi's exit code. */
int cmd_run(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_ctl(int argc, char **argv);
int cmd_selftest(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_errata(int argc, char **argv);

/* Prints "sipi: ..." for a set-up error and returns its exit code. */
int cmd_fail(const struct error *err);

/* Ends the process by the signal that was to end it, for the parent to see; once everything is put back. */
void cmd_die_of(int sig);

extern const char run_usage[], probe_usage[], ctl_usage[], selftest_usage[], check_usage[],
	errata_usage[];

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_UTIL_ERROR_H
#define SIPI_UTIL_ERROR_H

#include <errno.h>

/* Exit codes of sipi; the table stands in README.md and sipi(1). */
enum exit_code {
	EXIT_OK = 0,
	EXIT_GUEST_FAILED = 1,
	EXIT_SETUP = 2,
	EXIT_CRASH = 3,
	EXIT_TIMED_OUT = 4,
	EXIT_KVM = 5,
	EXIT_SKIP = 77,
};

/*
 * A set-up error: one line without "sipi: " and without a newline, and the exit code that goes
 * with it. Set-up functions return 0, or -1 with *err filled in.
 */
struct error {
	int code;
	char text[320];
};

void error_fill(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Of what a host could lack, by errno: a process without room for it is an error, and no skip. */
static inline int error_code_of(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM ? EXIT_SETUP : EXIT_SKIP;
}

/*
 * Fills *err and is -1, so that a caller can write "return error_set(err, EXIT_SETUP, ...)". A macro, so
 * that compilers and analysers see that what follows a refusal is not reached.
 */
#define error_set(err, code, ...) (error_fill((err), (code), __VA_ARGS__), -1)

#endif

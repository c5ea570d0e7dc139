/* SPDX-License-Identifier: MIT */
#ifndef GUEST_REPORT_H
#define GUEST_REPORT_H

#include <stdbool.h>

/*
 * A guest defines these two. guest_main() starts on CPU 0 with interrupts off, the IDT, page
 * tables, console and APIC (software-enabled, in the mode it was found in) ready and the other CPUs
 * down; when it returns, report_summary() follows.
 */
extern const char guest_name[];
void guest_main(void);

/*
 * "ok 3 - text" or "not ok 3 - text"; returns the condition. From one CPU at a time. `quiet` in the boot arguments
 * leaves out the former: each byte is an exit, which an emulator makes slow.
 */
bool report(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "ok 3 - text # SKIP reason": what this host or machine lacks. */
void report_skip(const char *reason, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The counts so far, for a guest that goes on after a reset which took its memory away. */
struct report_counts {
	unsigned passed, failed, skipped;
};
extern struct report_counts report_counts;
/* "NAME: 12 passed, 0 failed, 1 skipped"; exit code 1 if one failed, else 0. */
_Noreturn void report_summary(void);

#endif

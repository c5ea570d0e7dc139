/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_EMIT_C_H
#define SIPI_SCENARIO_EMIT_C_H

#include "util/error.h"

/*
 * A scenario as a C program of its own, which needs kernel headers and libc and gives the same verdict: a reproducer
 * for those who do not have sipi.
 *
 * Reads the file `path` and writes the program to the file `out`, which may be there, or to stdout where that is "-".
 * The irqchip mode is the first of kernel, split and none that the scenario names and that `modes` (bits
 * 1 << enum irqchip_mode) has. `out` NULL: only looks whether it can be told. 0, or -1 with EXIT_SETUP; what cannot
 * be told in C is refused before `out` is opened.
 */
int emit_c(const char *path, unsigned modes, const char *out, struct error *err);

#endif

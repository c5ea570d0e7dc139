/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_CONTROL_H
#define SIPI_MACHINE_CONTROL_H

#include <stddef.h>

struct machine;

/*
 * One command of the control socket, one reply: "ok", "ok TEXT" or "error TEXT". TEXT is words, most of them
 * key=value; "; " parts it where a reader wants a new line. In the loop's thread, under the machine's lock.
 */
void control_command(void *machine, const char *line, char *reply, size_t size);

#endif

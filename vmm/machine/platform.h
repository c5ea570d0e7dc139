/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_PLATFORM_H
#define SIPI_MACHINE_PLATFORM_H

#include "devices/debug_exit.h"
#include "devices/hotplug.h"
#include "devices/i8042.h"
#include "devices/pit_dev.h"
#include "devices/ports.h"
#include "devices/rtc.h"
#include "devices/serial.h"
#include "devices/test_lines.h"
#include "io/console.h"
#include "io/timer.h"

struct machine;

/* Has the guest said something since its console was last looked at? */
enum quiet {
	QUIET_SEEN,    /* no */
	QUIET_WAITING, /* yes, and then nothing: the timer runs */
	QUIET_BROKEN,  /* and again since the timer was set */
};

/* The devices of the board, wired to the loop, the console and the interrupt controllers. */
struct platform {
	struct console *console;
	uint64_t lost; /* console bytes, known once the console is closed */
	enum quiet quiet;
	struct timer quiet_timer;
	struct serial serial;
	struct rtc rtc;
	struct i8042 i8042;
	struct ports ports;
	struct debug_exit debug_exit;
	struct test_lines test_lines;
	struct pit_dev pit;
	struct hotplug hotplug;
	uint32_t lines; /* the levels of the GSIs */
	struct timer rtc_timer, pit_timer;
};

int platform_create(struct machine *m, struct error *err);
/* Does the CMOS say that a warm reset goes on at the vector at 0x467? */
bool platform_warm_vector(const struct machine *m);
/* The run has ended, but what the guest printed before counts first. */
void platform_end_watch(struct machine *m);
/* Writes out what console output is left and gives the terminal back. */
void platform_close_console(struct machine *m);
void platform_destroy(struct machine *m);

#endif

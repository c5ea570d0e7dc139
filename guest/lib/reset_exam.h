/* SPDX-License-Identifier: MIT */
#ifndef GUEST_RESET_EXAM_H
#define GUEST_RESET_EXAM_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/apic.h"

/*
 * The parts of guest/reset. A life is what lies between two resets: it ends with a last will (traps, then
 * the reset, asked for in one way and in one state of the boot CPU's APIC), and the next one checks what
 * the reset had to clear and what it had to leave.
 */
enum way {
	WAY_HARD,
	WAY_SOFT,
	WAY_KBC,
	WAY_PORT92,
	WAY_TRIPLE,
	WAY_INIT, /* an INIT to the boot CPU: no reset of the machine */
	WAYS
};

enum will_state { IN_XAPIC, IN_X2APIC, IN_DISABLED, IN_SOFT_DISABLED, WILL_STATES };

struct will {
	enum way way;
	enum will_state state;
	bool by_ap;    /* another CPU asks for the reset, if one has the role for it */
	unsigned turn; /* gives the other CPUs their roles */
};

const char *way_name(enum way way);
const char *will_state_name(enum will_state state);
/* Whether the reset reaches more than CPUs. */
static inline bool way_devices(enum way way)
{
	return way != WAY_SOFT && way != WAY_INIT;
}
/*
 * Asks, and returns if nothing comes of it for two seconds. From any CPU; `board` is empty then, because a life
 * that begins over this RAM adds to what it finds there.
 */
void way_ask(enum way way);

/*
 * In CMOS RAM, where every life finds them: the step that the run is at, and sums over all lives. What check()
 * counts is added when a reset is asked for, and at the end.
 */
struct books {
	unsigned resets, checks, failed;
};
bool books_open(void); /* true: this is the first life */
/* What the first life found out about this host. */
void books_note(bool sipi_alone);
bool books_sipi_alone(void);
unsigned books_step(void);
void books_next(unsigned step); /* at the end of a life: what the next one will find */
void books_close(void);
struct books books_end(void);

/* One of many: says something only if it failed. `fmt` names what should hold. */
bool check(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
extern unsigned checks, checks_failed; /* in this life */

/* Whether the image lies in RAM as the life before left it (reset_ram.c). */
bool image_kept(void);
void image_mark(void);
void ram_mark(void); /* the image too */
/* keep_ram: sipi was given --keep-ram. */
void ram_check(enum way way, bool keep_ram);

/* reset_cpu.c: the registers and MSRs of the calling CPU, and its local APIC. */
void cpu_mark(void *unused);
void cpu_check(const struct will *will);

/* reset_chips.c: IOAPIC, PIC, PIT, UART, RTC, 8042. */
void chips_mark(void);
void chips_raise(void);
void chips_check(enum way way);

/* reset_will.c */
bool will_by_ap(const struct will *will);
void will_carry_out(const struct will *will); /* returns if nothing comes of it */
/* No interrupt of the old life arrives, NMIs are open, and no CPU of the old life runs. Before smp_start(). */
void will_check_quiet(void);

/* reset_sipi.c: whether a SIPI alone starts CPU 1. `first`: it may well not. */
bool sipi_starts(bool first);

/* reset_warm.c: the shutdown byte at CMOS index 0x0f and the vector at 0x467. */
#define WARM_STEPS 11
void warm_carry_out(unsigned step);
void warm_check(unsigned step, bool keep_ram);
const char *warm_name(unsigned step);

/* Vectors of the old life. In the new one they have no handler, and to take one is fatal. */
enum {
	VEC_IN_SERVICE = 0x40, /* taken, and never ended */
	VEC_PIC = 0x60,	       /* and 15 more */
	VEC_SELF = 0xa0,       /* pending */
	VEC_TIMER = 0xa1,
	VEC_FLOOD = 0xa2,
	VEC_EDGE = 0xa3,
	VEC_LEVEL = 0xa4,
	VEC_LVT = 0xa5,
};

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GUEST_INIT_LIVES_H
#define GUEST_INIT_LIVES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * guest/init, guest/hotplug: what a CPU may be at when an INIT comes, or when it is taken away. A life begins on an idle CPU, fills registers that
 * INIT has to clear, and does not end by itself.
 */
struct life {
	const char *name;
	void (*live)(void);
	void (*poke)(unsigned cpu); /* done by the caller meanwhile; may be NULL */
	uint64_t cr0;		    /* set besides */
};

extern const struct life lives[];
extern const unsigned nlives;
extern const struct life life_spins; /* interrupts off, and beats */
extern const struct life life_deaf;  /* with its APIC globally disabled, until life_end() */

/* Once, before the first one. */
void life_install(void);
/* Waits until it lives so. One at a time, but for lives that only spin. */
bool life_begin(unsigned cpu, const struct life *l);
void life_end(void);
/* Counts up while the CPU runs. */
uint32_t life_beat(unsigned cpu);
/* IA32_APIC_BASE as it was. */
uint64_t life_apic_base(void);

/* An idle CPU takes an interrupt (LIFE_VEC) and an NMI, each once. */
#define LIFE_VEC 0x40
bool life_works(unsigned cpu);

/* Gives the calling CPU's x87 and SSE state that is not that of a RESET; and whether this image of FXSAVE has it. */
void life_fpu(void);
bool life_fpu_kept(const uint8_t *fx);
/* Or that of a RESET (table 9-1). */
bool life_fpu_reset(const uint8_t *fx);

#endif

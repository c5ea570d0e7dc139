/* SPDX-License-Identifier: MIT */
#ifndef GUEST_TIMER_H
#define GUEST_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/x86.h"

/*
 * Time is the TSC. Its frequency is what CPUID leaf 0x40000010 or 0x15 says, else it is measured
 * against the 8254's channel 2. A HLT with the LAPIC in the kernel never exits, so every wait has a
 * limit.
 */
extern uint64_t tsc_hz;
extern const char *tsc_source; /* "CPUID 0x40000010", "CPUID 0x15" or "PIT" */

uint64_t usec_to_tsc(uint64_t usec);
uint64_t tsc_to_usec(uint64_t tsc);
void udelay(uint64_t usec);

/*
 * A limit in time that a busy host does not use up: of a gap between two looks at it, in which this CPU may not have run
 * at all, it counts 10 ms.
 */
struct wait {
	uint64_t left, seen; /* in TSC ticks */
};
struct wait wait_begin(uint64_t usec);
bool wait_more(struct wait *w);

/* Spins until the condition holds or the time is up; its value is whether the condition held. */
#define WAIT_FOR(cond, usec)                                                                       \
	({                                                                                         \
		struct wait wait_ = wait_begin(usec);                                              \
		bool wait_ok_;                                                                     \
		while (!(wait_ok_ = (cond)) && wait_more(&wait_))                                  \
			cpu_relax();                                                               \
		wait_ok_ || (cond);                                                                \
	})

/* Frequency of the APIC timer's clock before the divider, measured against the TSC; per call 10 ms.
 */
uint64_t apic_timer_hz(void);
/* divide: 1, 2, 4, ... 128. Writes the divide configuration register. */
void apic_timer_divide(unsigned divide);
void apic_timer_oneshot(unsigned vector, uint32_t count);
void apic_timer_periodic(unsigned vector, uint32_t count);
/* At this TSC value; only where tsc_deadline_supported(). */
void apic_timer_deadline(unsigned vector, uint64_t tsc);
void apic_timer_stop(void);

/*
 * Halts (STI;HLT) until the condition holds or the time is up, woken at the latest by this CPU's
 * APIC timer (VEC_TIMEOUT, used for nothing else; stops whatever the timer did). Leaves interrupts
 * off.
 */
#define VEC_TIMEOUT 0xfd
bool hlt_until(bool (*cond)(void *), void *arg, uint64_t usec);

void timer_init(void);

#endif

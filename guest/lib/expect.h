/* SPDX-License-Identifier: MIT */
#ifndef GUEST_EXPECT_H
#define GUEST_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/board.h"
#include "lib/idt.h"
#include "lib/timer.h"

/*
 * What guests that count interrupts ask. An interrupt that must come has EXPECT_USEC, which a busy
 * host may need and only a failure uses up (`patience=USEC` in the boot arguments); one that must not
 * come is given QUIET_USEC to show up.
 */
#define EXPECT_USEC arg_u64("patience", 3000000)
#define QUIET_USEC  1000

/*
 * WAIT_FOR with this CPU's interrupts open meanwhile; they are off afterwards. Windows, not one STI and a
 * loop: a host that emulates supervisor code can overlook an interrupt for seconds in a loop that never
 * exits.
 */
#define OPEN_FOR(cond, usec) WAIT_FOR((irq_window(), (cond)), usec)

/* Interrupts open for QUIET_USEC: what should not come had its chance. */
void settle(void);

/* Whether the CPU takes the vector n times since irq_clear(), no more, and no other CPU does. */
bool took(unsigned cpu, unsigned vector, uint32_t n);
/* The same for all CPUs: want[i] times on CPU i. Says what differs. */
bool took_each(unsigned vector, const uint32_t *want);

/* Like smp_run_all(), with the caller's interrupts open while it waits for the others. */
bool run_all_open(void (*fn)(void *), void *arg, uint64_t usec);
/* Takes every CPU that is up to this mode, the caller last. */
bool all_to_mode(int mode);

/*
 * The chips are KVM's own: its I/O APIC says version 0x11, the machine's 0x20. Where KVM is known
 * to deviate, report_known() makes a failed check a skipped one that says so.
 */
bool kvm_chips(void);
/*
 * Whether an interrupt that was taken stays in service until its EOI (SDM Vol. 3A 10.8.4). A KVM
 * without VMX and SVM may end it as it is taken: its ISR stays empty, and the EOI of a level
 * interrupt reaches the I/O APIC before the handler runs. Asked once, on CPU 0.
 */
bool lapic_in_service(void);
#define NO_SERVICE "this host's KVM ends interrupts when they are taken"
void report_known(bool ok, bool known, const char *deviation, const char *name);

#endif

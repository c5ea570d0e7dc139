/* SPDX-License-Identifier: MIT */
#ifndef GUEST_LAPIC_EXAM_H
#define GUEST_LAPIC_EXAM_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/apic.h"

/*
 * The parts of guest/lapic. Sections of SDM Vol. 3A are those of its chapter 10; the reference is what
 * Pentium 4 and later do, not the P6. Each part runs on CPU 0 in the mode that its APIC is in, and leaves
 * the APIC enabled, with TPR 0, every LVT masked and the timer stopped.
 */

/* Where KVM's own local APIC is known to deviate; the names and reasons are in lapic_exam.c. */
enum known {
	KNOWN_NONE,
	KNOWN_D01,
	KNOWN_D02,
	KNOWN_D03,
	KNOWN_D04,
	KNOWN_D05,
	KNOWN_D07,
	KNOWN_D13,
	KNOWN_E02,
	KNOWN_NO_ISR,
	KNOWN_LVT_STATUS,
	KNOWN_ICR_RESERVED,
	KNOWN_LINT0,
	KNOWN_LINT0_AGAIN,
	KNOWN_TIMER_MASKED,
	KNOWNS,
};

/*
 * One check, named with the mode in front. Failed, where KVM's APIC is known for it: "known: ID - name
 * (reason)", which is neither passed nor failed. Any other APIC has to pass.
 */
bool exam(bool ok, enum known known, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What needs an interrupt to stay in service, which not every host's KVM does (lapic_in_service()). */
enum known exam_needs_isr(enum known otherwise);
/* KVM is below, whoever's the local APIC is. */
bool exam_kvm(void);
bool exam_kvm_lapic(void);
/* Counts of what was known, for the end. */
void exam_list_known(void);

/* The APIC as it is before and after each part; forgets what was taken, and the hook. */
void exam_clean(void);

/*
 * Vectors of the exam, all with one handler: it calls the hook of its CPU, and sends EOI. On CPU 0 it
 * logs the vector first, and last that it leaves.
 */
#define EXAM_FIRST 0x30
#define EXAM_LAST  0xef
#define LEAVES	   0x100
typedef void (*exam_hook_fn)(unsigned vector);
void exam_hook(unsigned cpu, exam_hook_fn fn);
void exam_listen(void);
/* The n entries of the log are these, once interrupts had their chance; says what differs. */
bool exam_log_is(const uint16_t *want, unsigned n);
/* This vector was taken so many times, and no other one. */
bool exam_took(unsigned vector, unsigned n);
/* Waits until it was taken n times, and not long where KVM's APIC is known never to send it. */
bool exam_comes(unsigned vector, unsigned n);
void exam_self(unsigned vector);
/* Lets in what is pending. */
void exam_drain(void);

/* A physical destination that no CPU has. */
uint32_t exam_nobody(void);
/* Entries of the LVT that an APIC need not have (Local APIC Version Register). */
bool exam_has(unsigned reg);

/* What a RESET or INIT leaves (10.4.7.1, 10.4.7.3), among n values of these registers. */
struct exam_reset {
	const char *name;
	unsigned reg;
	uint32_t value;
};
#define EXAM_RESETS 47
unsigned exam_reset_list(struct exam_reset *list, enum apic_mode mode);

void exam_found(void); /* before anything else: what the boot CPU's APIC came with */
void exam_registers(void);
void exam_icr(void);
void exam_priorities(void);
void exam_task_priority(void);
void exam_disabled(void);
void exam_timer(void);
void exam_deadline(void);
void exam_lint(void);
void exam_levels(void);
void exam_errors(void);
void exam_init(void); /* another CPU's APIC after INIT */

#endif

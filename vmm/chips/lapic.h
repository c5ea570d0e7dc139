/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_LAPIC_H
#define SIPI_CHIPS_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "chips/apic_msg.h"

/*
 * The local APIC of one CPU (SDM vol. 3A, "Advanced Programmable Interrupt Controller (APIC)"): xAPIC
 * and x2APIC, 32-bit IDs. A pure state machine: accesses, messages and line changes go in with the time;
 * what it wants done comes back as effects, to be carried out by the caller.
 */
struct kvm_lapic_state;

#define LAPIC_LEN 0x1000

/* The time of a call: nanoseconds that never run backwards, and the guest's TSC at that moment. */
struct lapic_time {
	uint64_t ns;
	uint64_t tsc;
};

#define LAPIC_NEVER UINT64_MAX

enum lapic_mode { LAPIC_DISABLED, LAPIC_XAPIC, LAPIC_X2APIC };

/* What a call wants done. Filled in anew by each call that takes one. */
struct lapic_effects {
	bool send; /* put msg on the APIC bus; the sender is this APIC */
	struct apic_msg msg;
	bool eoi; /* broadcast an EOI of eoi_vector to the IOAPICs */
	uint8_t eoi_vector;
	/* For this APIC's own CPU: */
	bool nmi, smi, init;
	bool sipi;
	uint8_t sipi_vector;
	bool extint;  /* LINT0 or a message asks for an INTA cycle of the PIC (level: see lapic_extint()) */
	bool irq;     /* something may be deliverable now that was not: look at lapic_pending() */
	bool timer;   /* the deadline may have changed: look at lapic_next_timer() */
	bool base;    /* mode or page address changed */
	bool tpr;     /* TPR changed */
};

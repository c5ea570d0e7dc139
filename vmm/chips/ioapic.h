/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_IOAPIC_H
#define SIPI_CHIPS_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "chips/apic_msg.h"

/*
 * Intel I/O APIC with 24 pins, version 0x20 (82093AA register set plus the EOI register of later
 * parts, which directed EOI needs). A pure state machine: what it wants done comes back as effects.
 */
#define IOAPIC_PINS 24
#define IOAPIC_LEN  0x1000

/* A message on the APIC bus, as a redirection entry makes it. */
struct ioapic_msg {
	unsigned pin;
	uint32_t dest;
	uint8_t vector;
	uint8_t delivery; /* enum apic_delivery, or one of the reserved codes 3 and 6 */
	bool logical;
	bool level; /* the trigger mode that is in force: level only with fixed and lowest */
};

/* Filled in anew by each call; a pin sends at most one message in a call. */
struct ioapic_effects {
	unsigned count;
	struct ioapic_msg msg[IOAPIC_PINS];
	uint32_t changed; /* bit n: entry n was rewritten, so whoever mirrors it must look again */
};

/* Zeroed before the first reset. */
struct ioapic {
	uint64_t redir[IOAPIC_PINS]; /* remote IRR in its place; delivery status is always idle */
	uint32_t lines;		     /* which input pins are asserted */
	uint8_t id;
	uint8_t select;
};

/* The lines stay: they are inputs, and belong to whoever drives them. */
void ioapic_reset(struct ioapic *io);
/* offset: into the 4 KiB page; any offset and value is safe. Unknown registers read 0. */
uint32_t ioapic_read(const struct ioapic *io, uint64_t offset);
void ioapic_write(struct ioapic *io, uint64_t offset, uint32_t value, struct ioapic_effects *eff);
/*
 * pin >= IOAPIC_PINS is ignored. level means "asserted": the polarity bit is stored but does not
 * invert, as in KVM (since 100943c54e09) and QEMU, because our devices have no wires to be low.
 */
void ioapic_set_line(struct ioapic *io, unsigned pin, bool level, struct ioapic_effects *eff);
/* A broadcast EOI of this vector from a local APIC. */
void ioapic_eoi(struct ioapic *io, uint8_t vector, struct ioapic_effects *eff);
/* The message that pin's entry would send; false when the pin is masked or does not exist. */
bool ioapic_route(const struct ioapic *io, unsigned pin, struct ioapic_msg *msg);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GUEST_IOAPIC_H
#define GUEST_IOAPIC_H

#include <stdint.h>

#include "lib/apic.h"

/* The 82093AA and the EOI register of later parts (version 0x20). Delivery modes: DM_* of apic.h.
 */
#define IOAPIC_REG_ID	   0x00
#define IOAPIC_REG_VERSION 0x01
#define IOAPIC_REG_ARB	   0x02
#define IOAPIC_REG_REDIR   0x10

#define REDIR_PENDING	 (1ull << 12)
#define REDIR_ACTIVE_LOW (1ull << 13)
#define REDIR_REMOTE_IRR (1ull << 14)
#define REDIR_LEVEL	 (1ull << 15)
#define REDIR_MASKED	 (1ull << 16)
#define REDIR_DEST(id)	 ((uint64_t)(uint8_t)(id) << 56)

uint32_t ioapic_read(uint8_t reg);
void ioapic_write(uint8_t reg, uint32_t value);
unsigned ioapic_pins(void);
uint64_t ioapic_redir(unsigned pin);
/* Masks the pin first, so that no half of the entry is ever live with the other half stale. */
void ioapic_set(unsigned pin, uint64_t entry);
void ioapic_mask_all(void);
/* Directed EOI: the register at offset 0x40. */
void ioapic_eoi(uint8_t vector);
/* The pin of an ISA IRQ: 0 is wired to pin 2. */
static inline unsigned isa_pin(unsigned irq)
{
	return irq == 0 ? 2 : irq;
}

#endif

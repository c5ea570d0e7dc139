// SPDX-License-Identifier: MIT
/*
 * The I/O APIC: 82093AA data sheet (order number 290566), section 3, "Register Description". The
 * EOI register is that of the ICH data sheets ("EOIR, offset 40h"), and comes with version 0x20.
 *
 * A message leaves in the call that causes it, so the delivery status bit never reads 1.
 *
 * An edge on a masked pin is lost: "Edge-sensitive interrupts signaled on a masked interrupt pin
 * are ignored (i.e., not delivered or held pending)", 3.2.4, bit 16. QEMU says the same, and KVM
 * looks again at level pins only when an entry is unmasked.
 */
#include <stddef.h>

#include "chips/ioapic.h"

/* Memory-mapped registers, 3.1. */
#define MMIO_SELECT 0x00
#define MMIO_WINDOW 0x10
#define MMIO_EOI    0x40

/* Registers behind the window, 3.2. */
#define REG_ID	  0x00
#define REG_VER	  0x01
#define REG_ARB	  0x02
#define REG_REDIR 0x10

#define VERSION	 0x20u
#define ID_SHIFT 24
#define ID_MASK	 0xfu

/* A redirection entry, 3.2.4. */
#define RTE_DELIVERY_SHIFT 8
#define RTE_DELIVERY_MASK  7u
#define RTE_LOGICAL	   (1ull << 11)
#define RTE_POLARITY	   (1ull << 13)
#define RTE_REMOTE_IRR	   (1ull << 14)
#define RTE_LEVEL	   (1ull << 15)
#define RTE_MASKED	   (1ull << 16)
#define RTE_DEST_SHIFT	   56
/* Vector, delivery mode, destination mode, polarity, trigger mode, mask; and the destination. */
#define RTE_LOW_RW  (0xfffull | RTE_POLARITY | RTE_LEVEL | RTE_MASKED)
#define RTE_HIGH_RW (0xffull << RTE_DEST_SHIFT)

static unsigned rte_delivery(uint64_t rte)
{
	return (rte >> RTE_DELIVERY_SHIFT) & RTE_DELIVERY_MASK;
}

/*
 * SMI, NMI, INIT and ExtINT are edges whatever the trigger bit says (3.2.4, bits 10:8; SDM vol. 3,
 * "Message Data Register Format"). So are the reserved modes here: no local APIC accepts those,
 * hence none would ever send the EOI.
 */
static bool rte_is_level(uint64_t rte)
{
	return (rte & RTE_LEVEL) && rte_delivery(rte) <= APIC_LOWEST;
}

static void effects_clear(struct ioapic_effects *eff)
{
	eff->count = 0;
	eff->changed = 0;
}

bool ioapic_route(const struct ioapic *io, unsigned pin, struct ioapic_msg *msg)
{
	uint64_t rte;

	if (pin >= IOAPIC_PINS || (io->redir[pin] & RTE_MASKED))
		return false;
	rte = io->redir[pin];
	*msg = (struct ioapic_msg){
		.pin = pin,
		.dest = (uint32_t)(rte >> RTE_DEST_SHIFT),
		.vector = (uint8_t)rte,
		.delivery = (uint8_t)rte_delivery(rte),
		.logical = rte & RTE_LOGICAL,
		.level = rte_is_level(rte),
	};
	return true;
}

static bool send(const struct ioapic *io, unsigned pin, struct ioapic_effects *eff)
{
	if (!ioapic_route(io, pin, &eff->msg[eff->count]))
		return false;
	eff->count++;
	return true;
}

/*
 * A level pin that is asserted sends one message and then waits, with remote IRR set, for the EOI.
 * Whatever may have removed the reason to stay silent (a line change, an EOI, an unmasking, a new
 * trigger mode) comes through here.
 */
static void level_evaluate(struct ioapic *io, unsigned pin, struct ioapic_effects *eff)
{
	uint64_t *rte = &io->redir[pin];

	if (!rte_is_level(*rte) || (*rte & RTE_REMOTE_IRR) || !(io->lines & (1u << pin)))
		return;
	if (send(io, pin, eff))
		*rte |= RTE_REMOTE_IRR;
}

void ioapic_set_line(struct ioapic *io, unsigned pin, bool level, struct ioapic_effects *eff)
{
	uint32_t old = io->lines;

	effects_clear(eff);
	if (pin >= IOAPIC_PINS)
		return;
	if (level)
		io->lines |= 1u << pin;
	else
		io->lines &= ~(1u << pin);
	if (rte_is_level(io->redir[pin]))
		level_evaluate(io, pin, eff);
	else if (io->lines & ~old)
		send(io, pin, eff);
}

static void eoi(struct ioapic *io, uint8_t vector, struct ioapic_effects *eff)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t *rte = &io->redir[pin];

		if (!(*rte & RTE_REMOTE_IRR) || (uint8_t)*rte != vector)
			continue;
		*rte &= ~RTE_REMOTE_IRR;
		level_evaluate(io, pin, eff);
	}
}

void ioapic_eoi(struct ioapic *io, uint8_t vector, struct ioapic_effects *eff)
{
	effects_clear(eff);
	eoi(io, vector, eff);
}

void ioapic_reset(struct ioapic *io)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		io->redir[pin] = RTE_MASKED;
	io->id = 0;
	io->select = 0;
}

/* The redirection entry that the selected register is a half of; IOAPIC_PINS for none. */
static unsigned selected_pin(const struct ioapic *io)
{
	if (io->select < REG_REDIR || io->select >= REG_REDIR + 2 * IOAPIC_PINS)
		return IOAPIC_PINS;
	return (io->select - REG_REDIR) / 2u;
}

static uint32_t window_read(const struct ioapic *io)
{
	unsigned pin = selected_pin(io);

	if (pin < IOAPIC_PINS)
		return (uint32_t)(io->redir[pin] >> (io->select & 1 ? 32 : 0));
	switch (io->select) {
	case REG_ID:
	case REG_ARB: /* loaded from the ID whenever that is written, 3.2.3 */
		return (uint32_t)io->id << ID_SHIFT;
	case REG_VER:
		return (IOAPIC_PINS - 1) << 16 | VERSION;
	default:
		return 0;
	}
}

static void entry_write(struct ioapic *io, unsigned pin, uint32_t value, struct ioapic_effects *eff)
{
	uint64_t *rte = &io->redir[pin];

	if (io->select & 1)
		*rte = (*rte & ~RTE_HIGH_RW) | ((uint64_t)value << 32 & RTE_HIGH_RW);
	else
		*rte = (*rte & ~RTE_LOW_RW) | (value & RTE_LOW_RW);
	/* Remote IRR has no meaning on an edge pin; before the EOI register this cleared it. */
	if (!rte_is_level(*rte))
		*rte &= ~RTE_REMOTE_IRR;
	eff->changed |= 1u << pin;
	level_evaluate(io, pin, eff);
}

static void window_write(struct ioapic *io, uint32_t value, struct ioapic_effects *eff)
{
	unsigned pin = selected_pin(io);

	if (pin < IOAPIC_PINS)
		entry_write(io, pin, value, eff);
	else if (io->select == REG_ID)
		io->id = (value >> ID_SHIFT) & ID_MASK;
}

uint32_t ioapic_read(const struct ioapic *io, uint64_t offset)
{
	switch (offset) {
	case MMIO_SELECT:
		return io->select;
	case MMIO_WINDOW:
		return window_read(io);
	default:
		return 0;
	}
}

void ioapic_write(struct ioapic *io, uint64_t offset, uint32_t value, struct ioapic_effects *eff)
{
	effects_clear(eff);
	switch (offset) {
	case MMIO_SELECT:
		io->select = (uint8_t)value;
		break;
	case MMIO_WINDOW:
		window_write(io, value, eff);
		break;
	case MMIO_EOI:
		eoi(io, (uint8_t)value, eff);
		break;
	default:
		break;
	}
}

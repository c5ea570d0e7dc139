// SPDX-License-Identifier: MIT
/* The I/O APIC's two windows (82093AA data sheet, 3.1) and its EOI register. */
#include "lib/board.h"
#include "lib/ioapic.h"
#include "lib/x86.h"

#define IOREGSEL 0x00
#define IOWIN	 0x10
#define IOEOI	 0x40

uint32_t ioapic_read(uint8_t reg)
{
	mmio_write32(board.ioapic_base + IOREGSEL, reg);
	return mmio_read32(board.ioapic_base + IOWIN);
}

void ioapic_write(uint8_t reg, uint32_t value)
{
	mmio_write32(board.ioapic_base + IOREGSEL, reg);
	mmio_write32(board.ioapic_base + IOWIN, value);
}

unsigned ioapic_pins(void)
{
	return (ioapic_read(IOAPIC_REG_VERSION) >> 16 & 0xff) + 1;
}

static uint8_t redir_reg(unsigned pin)
{
	return (uint8_t)(IOAPIC_REG_REDIR + pin * 2);
}

uint64_t ioapic_redir(unsigned pin)
{
	uint32_t low = ioapic_read(redir_reg(pin));

	return (uint64_t)ioapic_read(redir_reg(pin) + 1) << 32 | low;
}

void ioapic_set(unsigned pin, uint64_t entry)
{
	ioapic_write(redir_reg(pin), (uint32_t)entry | (uint32_t)REDIR_MASKED);
	ioapic_write(redir_reg(pin) + 1, (uint32_t)(entry >> 32));
	if (!(entry & REDIR_MASKED))
		ioapic_write(redir_reg(pin), (uint32_t)entry);
}

void ioapic_mask_all(void)
{
	for (unsigned pin = 0; pin < ioapic_pins(); pin++)
		ioapic_set(pin, REDIR_MASKED);
}

void ioapic_eoi(uint8_t vector)
{
	mmio_write32(board.ioapic_base + IOEOI, vector);
}

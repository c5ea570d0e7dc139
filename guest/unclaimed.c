// SPDX-License-Identifier: MIT
/*
 * unclaimed: does a guest survive accesses that no device answers (and does --strict name them)? A
 * read of an empty bus gives all ones, a write is lost.
 */
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/report.h"
#include "lib/x86.h"

#define PORT 0x5d0
#define MMIO 0xd0000000

const char guest_name[] = "unclaimed";

void guest_main(void)
{
	uint32_t value;

	outb(PORT, 0x55);
	report(inb(PORT) == 0xff, "inb of port 0x%x gives 0xff", PORT);
	report(inl(PORT) == 0xffffffff, "inl of port 0x%x gives all ones", PORT);
	report(mmio_write32_try(MMIO, 0x55, NULL), "a store to 0x%x is lost without a fault", MMIO);
	report(mmio_read32_try(MMIO, &value, NULL) && value == 0xffffffff,
	       "a load from 0x%x gives all ones", MMIO);
}

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_BOOT_BOARD_INTERNAL_H
#define SIPI_BOOT_BOARD_INTERNAL_H

#include "boot/board.h"
#include "util/ram.h"

/* "i0": I/O port 0, which is where the bus starts. */
#define ISA_NODE	  "isa@i0"
#define BOARD_COMPATIBLE  "sipi,machine"
#define IOAPIC_COMPATIBLE "intel,ce4100-ioapic"
#define LAPIC_COMPATIBLE  "intel,ce4100-lapic"
#define IOAPIC_BASE	  0xfec00000u
#define LAPIC_BASE	  0xfee00000u
#define APIC_WINDOW	  0x1000u

/* Sense 3 in Linux's table: edge, active high. (The old ce4100 text numbers them otherwise.) */
#define SENSE_EDGE_RISING 3u
/* The first cell of an ISA address: I/O space (IEEE 1275 ISA/EISA binding, 2.1.1). */
#define ISA_IO	     1u
#define ISA_PORTS    0x10000u
#define SERIAL_CLOCK 1843200u

enum board_device {
	BOARD_SERIAL,
	BOARD_RTC,
	BOARD_KBC,
	BOARD_DEBUG_EXIT,
	BOARD_POST,
	BOARD_TEST,
	BOARD_HOTPLUG,
	BOARD_DEVICES,
};

struct board_device_info {
	const char *name, *compatible;
	unsigned ports[2];  /* ports in the first range, and in a second one ... */
	unsigned second_at; /* ... that starts so far from the first */
	size_t port_offset; /* of its uint16_t in struct board */
	size_t irq_offset;  /* of its uint8_t in struct board, or 0 */
	uint8_t fixed_irq;  /* or an interrupt that is always this one, or 0 */
};

extern const struct board_device_info board_devices[BOARD_DEVICES];

static inline uint16_t board_port(const struct board *b, enum board_device dev)
{
	return *(const uint16_t *)(const void *)((const char *)b + board_devices[dev].port_offset);
}

static inline void board_set_port(struct board *b, enum board_device dev, uint16_t port)
{
	*(uint16_t *)(void *)((char *)b + board_devices[dev].port_offset) = port;
}

static inline bool board_has_irq(enum board_device dev)
{
	return board_devices[dev].irq_offset || board_devices[dev].fixed_irq;
}

static inline uint8_t board_irq(const struct board *b, enum board_device dev)
{
	if (board_devices[dev].fixed_irq)
		return board_devices[dev].fixed_irq;
	return *((const uint8_t *)b + board_devices[dev].irq_offset);
}

/* What no single property shows: unique APIC IDs, ports and interrupts that do not collide, ... */
int board_check(const struct board *b, struct error *err);
/* RAM as the guest sees it: pairs of base and size; returns how many (2 or 3). */
unsigned board_memory(uint64_t mem, uint64_t range[3][2]);

#endif

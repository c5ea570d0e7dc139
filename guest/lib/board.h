/* SPDX-License-Identifier: MIT */
#ifndef GUEST_BOARD_H
#define GUEST_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The machine as the device tree tells it. A port of 0: there is none. */
struct board_cpu {
	uint32_t apic_id;
	bool enabled; /* not enabled: it can be plugged in later */
};

struct board {
	struct board_cpu *cpus; /* in the tree's order */
	unsigned ncpus;
	uint64_t mem;	  /* bytes of RAM */
	uint64_t mem_low; /* end of the RAM that the image lies in */
	char *bootargs;	  /* never NULL */
	uint64_t lapic_base;
	uint64_t ioapic_base;
	uint16_t serial_port;
	uint16_t rtc_port;
	uint16_t kbc_port;
	uint16_t debug_exit_port;
	uint16_t post_port;
	uint16_t test_port;    /* interrupt lines: port + GSI, write 1 or 0 */
	uint16_t hotplug_port; /* lib/hotplug.h */
	uint8_t serial_irq;
	uint8_t rtc_irq;
	uint8_t hotplug_irq;
};

extern struct board board;

/* Reads the tree at this address; panics on a broken one. Called by the library before
 * guest_main(). */
void board_init(const void *blob);

/* Zeroed memory that is never given back; panics when there is none. align: a power of two. */
void *alloc(size_t bytes, size_t align);

/* The words of bootargs, "key=value" or "key". Numbers: decimal, or hexadecimal with 0x. */
uint64_t arg_u64(const char *key, uint64_t otherwise);
bool arg_flag(const char *key); /* the bare word, or key=<anything but 0> */
/* Whether the word is key=value. */
bool arg_is(const char *key, const char *value);

/* Sets the level of a GSI's line with the test device; false where the machine has none. */
bool line_set(unsigned gsi, bool level);

/* Makes the 2 MiB page around this address (below 4 GiB) uncached on the calling CPU's page tables.
 */
void paging_uncached(uint64_t addr);
void paging_init(void);

#endif

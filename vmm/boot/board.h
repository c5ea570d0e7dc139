/* SPDX-License-Identifier: MIT */
#ifndef SIPI_BOOT_BOARD_H
#define SIPI_BOOT_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/*
 * The machine as a description. Its one outside form is a flattened device tree: command-line
 * options are turned into a tree, the machine is built from a tree, and the guest gets that tree.
 */
#define BOARD_CPUS_MAX	  4096
#define BOARD_MEM_MIN	  (2ull << 20)
#define BOARD_MEM_MAX	  (1ull << 40)
#define BOARD_APIC_ID_MAX 0xfffffffeu
#define BOARD_KBC_IRQ	  1 /* where every PC has it */

struct board_cpu {
	uint32_t apic_id;
	bool enabled; /* status = "okay"; a CPU that is "disabled" can be hot-plugged */
};

struct board {
	struct board_cpu *cpus; /* owned; cpus[0] is the boot CPU and is enabled */
	unsigned ncpus;
	uint64_t mem;	/* as ram.size: whole pages; the 384 KiB from 640 KiB to 1 MiB count */
	char *bootargs; /* owned; never NULL */
	/* Devices; a port of 0 means that the machine has none. */
	uint16_t serial_port; /* 16550A, 8 ports */
	uint8_t serial_irq;
	uint16_t rtc_port;
	uint8_t rtc_irq;
	uint16_t kbc_port; /* i8042: this port and this + 4 */
	uint16_t debug_exit_port;
	uint16_t post_port;
	uint16_t test_port;    /* interrupt-line test device, one port a GSI */
	uint16_t hotplug_port; /* CPU hot-plug (devices/hotplug.h), 12 ports */
	uint8_t hotplug_irq;
};

/*
 * The tree, by the bindings that Linux reads on x86 (arch/x86/kernel/devicetree.c):
 *
 * - / has compatible "sipi,machine" and two address and size cells.
 * - /cpus/cpu@N has device_type "cpu", the APIC ID in reg, and status "okay" or "disabled". The
 *   first one that is enabled, in the order of the tree, is the boot CPU and becomes cpus[0].
 * - /memory@0 has RAM in reg: up to 640 KiB, from 1 MiB to 3 GiB at most, from 4 GiB.
 * - /ioapic@fec00000 is "intel,ce4100-ioapic". Devices have interrupts = <GSI 3>: rising edge.
 * - /lapic@fee00000 is "intel,ce4100-lapic".
 * - /isa@i0 has the devices at I/O ports, reg = <1 PORT COUNT>, by compatible: "ns16550a",
 *   "motorola,mc146818", "intel,8042", "sipi,debug-exit", "sipi,post", "sipi,test-lines",
 *   "sipi,cpu-hotplug". One that is missing or "disabled" does not exist.
 * - /chosen has bootargs and stdout-path.
 *
 * An enabled node with a "compatible" that the machine does not know is refused; nodes and
 * properties that describe no device are let through.
 */

/* One boot CPU with APIC ID 0, 64 MiB, the usual PC ports; cpus and bootargs are allocated. */
void board_default(struct board *b);
void board_free(struct board *b);

/* The tree of a board, which is checked as well. *blob is from malloc and owned by the caller. */
int board_to_fdt(const struct board *b, void **blob, size_t *len, struct error *err);
/*
 * The board of a tree. Every property is checked (the blob may come from a file that somebody
 * edited, or from a hostile one): what is missing, out of range or given twice is named by its
 * path.
 */
int board_from_fdt(struct board *b, const void *blob, size_t len, struct error *err);
/*
 * Replaces *blob by a copy with other /chosen/bootargs and frees the old one; after an error both
 * are as they were.
 */
int board_set_bootargs(void **blob, size_t *len, const char *bootargs, struct error *err);

#endif

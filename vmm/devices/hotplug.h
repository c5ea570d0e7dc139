/* SPDX-License-Identifier: MIT */
#ifndef SIPI_DEVICES_HOTPLUG_H
#define SIPI_DEVICES_HOTPLUG_H

#include "devices/device.h"

/*
 * The CPU hot-plug device: by it a guest adds and removes CPUs that are "disabled" in its device tree, and
 * learns of those that the host adds and removes. Three registers of 32 bits, at I/O ports base + n; other
 * sizes and alignments read as 0 and write nothing.
 *
 *   0  R/W  APIC ID of the CPU that the other registers are about
 *   4  R    its status: HOTPLUG_* below
 *      W    a command: 1 adds the CPU, 2 removes it; done when HOTPLUG_BUSY is clear
 *   8  R    how many CPUs were added or removed since the machine's reset
 *
 * One command is under way at a time. Another one meanwhile, an unknown one, and one that cannot be done set
 * HOTPLUG_FAILED, which the next command that is taken clears. A CPU that was added waits for INIT-SIPI
 * like one after power-on. A CPU added or removed, by whomever, pulses the interrupt line. A reset clears all
 * of this; one of the CPUs alone (soft) does not, and a command under way is done after it.
 */
#define HOTPLUG_PORTS 12

#define HOTPLUG_ADD    1
#define HOTPLUG_REMOVE 2

#define HOTPLUG_PRESENT 0x1 /* in the device tree */
#define HOTPLUG_PLUGGED 0x2 /* it exists now */
#define HOTPLUG_BUSY	0x4 /* a command is under way, for whichever CPU */
#define HOTPLUG_FAILED	0x8 /* the last command */

struct hotplug_host {
	/* HOTPLUG_PRESENT and HOTPLUG_PLUGGED of the CPU with this APIC ID. */
	uint32_t (*status)(void *ctx, uint32_t apic_id);
	/* Returns at once; hotplug_done() follows. After a reset it need not, and is ignored. */
	void (*start)(void *ctx, uint32_t apic_id, bool add);
	void *ctx;
};

struct hotplug {
	struct device dev;
	uint16_t base;
	struct irq_line irq;
	struct hotplug_host host;
	uint32_t apic_id;
	uint32_t changes;
	bool busy, failed;
};

void hotplug_init(struct hotplug *h, uint16_t base, const struct irq_line *irq,
		  const struct hotplug_host *host);
/* What start() asked for has been done, or not. */
void hotplug_done(struct hotplug *h, bool ok);
/* A CPU was added or removed. */
void hotplug_changed(struct hotplug *h);

#endif

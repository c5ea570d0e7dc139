/* SPDX-License-Identifier: MIT */
#ifndef GUEST_HOTPLUG_H
#define GUEST_HOTPLUG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The machine's CPU hot-plug device, whose rules are in vmm/devices/hotplug.h; board.hotplug_port is 0 where
 * there is none. From one CPU at a time.
 */
#define HOTPLUG_ADD    1
#define HOTPLUG_REMOVE 2

#define HOTPLUG_PRESENT 0x1
#define HOTPLUG_PLUGGED 0x2
#define HOTPLUG_BUSY	0x4
#define HOTPLUG_FAILED	0x8

/* Of the CPU with this APIC ID. */
uint32_t hotplug_status(uint32_t apic_id);
/* How many CPUs were added or removed since the machine's reset. */
uint32_t hotplug_changes(void);

/*
 * Carries out a command, whatever it is, and waits for its end. False: it failed, or the time is up; the
 * status then says which. What was done is recorded in cpus[].
 */
bool hotplug_command(uint32_t command, uint32_t apic_id);
bool hotplug_add(uint32_t apic_id);
bool hotplug_remove(uint32_t apic_id);
/* Takes down in cpus[] what the host did meanwhile; the number of a CPU that changed, or -1: none did. */
int hotplug_find_change(void);

#endif

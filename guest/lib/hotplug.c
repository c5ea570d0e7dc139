// SPDX-License-Identifier: MIT
#include "lib/board.h"
#include "lib/hotplug.h"
#include "lib/smp.h"
#include "lib/timer.h"
#include "lib/x86.h"

#define REG_APIC_ID  0
#define REG_STATUS   4
#define REG_CHANGES  8
#define COMMAND_USEC 5000000

static uint16_t port(unsigned reg)
{
	return (uint16_t)(board.hotplug_port + reg);
}

uint32_t hotplug_status(uint32_t apic_id)
{
	outl(port(REG_APIC_ID), apic_id);
	return inl(port(REG_STATUS));
}

uint32_t hotplug_changes(void)
{
	return inl(port(REG_CHANGES));
}

bool hotplug_command(uint32_t command, uint32_t apic_id)
{
	int cpu = cpu_by_id(apic_id);

	outl(port(REG_APIC_ID), apic_id);
	outl(port(REG_STATUS), command);
	if (!WAIT_FOR(!(inl(port(REG_STATUS)) & HOTPLUG_BUSY), COMMAND_USEC) ||
	    inl(port(REG_STATUS)) & HOTPLUG_FAILED)
		return false;
	if (cpu >= 0 && command == HOTPLUG_ADD)
		smp_went_down((unsigned)cpu);
	else if (cpu >= 0)
		smp_went_away((unsigned)cpu);
	return true;
}

bool hotplug_add(uint32_t apic_id)
{
	return hotplug_command(HOTPLUG_ADD, apic_id);
}

bool hotplug_remove(uint32_t apic_id)
{
	return hotplug_command(HOTPLUG_REMOVE, apic_id);
}

int hotplug_find_change(void)
{
	for (unsigned i = 0; i < ncpus; i++) {
		bool there = hotplug_status(cpus[i].apic_id) & HOTPLUG_PLUGGED;

		if (there == (cpu_state(i) != CPU_UNPLUGGED))
			continue;
		if (there)
			smp_went_down(i);
		else
			smp_went_away(i);
		return (int)i;
	}
	return -1;
}

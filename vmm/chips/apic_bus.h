/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_APIC_BUS_H
#define SIPI_CHIPS_APIC_BUS_H

#include <limits.h>
#include <stdint.h>

#include "chips/apic_msg.h"

/*
 * The APIC bus: which local APICs a message is for (SDM vol. 3A, "Determining IPI Destination" and "Lowest
 * Priority Delivery Mode"). CPUs are known by their index, in the order they were added; any number.
 */
struct lapic;

#define APIC_BUS_NO_SOURCE UINT_MAX /* from an I/O APIC or an MSI */

/* Zeroed before the first apic_bus_add(). */
struct apic_bus {
	struct lapic **cpus; /* the APICs belong to whoever added them */
	unsigned count;
	unsigned room;
	unsigned turn; /* whose turn it is among equals in a lowest-priority arbitration */
};

/* The new index is bus->count as it was. -1: no memory, and nothing has changed. */
int apic_bus_add(struct apic_bus *bus, struct lapic *l);
void apic_bus_free(struct apic_bus *bus);

/*
 * Fills targets (room for bus->count) with the indexes of those to whom msg goes, in ascending order, and
 * answers how many. Lowest priority: one at most, and one that is enabled. Nowhere go the reserved delivery
 * mode 3, and, from elsewhere than an ICR, SIPI and de-asserts (so assert must be true). Whether a target
 * accepts is its own affair: lapic_receive().
 */
unsigned apic_bus_route(struct apic_bus *bus, const struct apic_msg *msg, unsigned source,
			unsigned *targets);

#endif

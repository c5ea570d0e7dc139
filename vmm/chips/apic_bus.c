// SPDX-License-Identifier: MIT
/* The APIC bus. Which APIC a destination means is lapic_matches(); here are shorthands and arbitration. */
#include <stdbool.h>
#include <stdlib.h>

#include "chips/apic_bus.h"
#include "chips/lapic.h"

int apic_bus_add(struct apic_bus *bus, struct lapic *l)
{
	if (bus->count == bus->room) {
		unsigned room = bus->room ? 2 * bus->room : 8;
		struct lapic **cpus = NULL;

		if (room > bus->room)
			cpus = realloc(bus->cpus, room * sizeof(struct lapic *));
		if (!cpus)
			return -1;
		bus->cpus = cpus;
		bus->room = room;
	}
	bus->cpus[bus->count++] = l;
	return 0;
}

void apic_bus_free(struct apic_bus *bus)
{
	free(bus->cpus);
	*bus = (struct apic_bus){0};
}

static bool selected(const struct apic_bus *bus, const struct apic_msg *msg, unsigned source,
		     unsigned i)
{
	const struct lapic *l = bus->cpus[i];

	switch (msg->shorthand) {
	case APIC_NO_SHORTHAND:
		return lapic_matches(l, msg);
	case APIC_SELF:
		return i == source && lapic_mode(l) != LAPIC_DISABLED;
	case APIC_ALL:
		return lapic_mode(l) != LAPIC_DISABLED;
	case APIC_ALL_BUT_SELF:
		return i != source && lapic_mode(l) != LAPIC_DISABLED;
	default:
		return false;
	}
}

/*
 * SDM 3A, "Lowest Priority Delivery Mode": the lowest APR wins. Equal ones take turns, which stands for the
 * rotating arbitration priorities of the 3-wire APIC bus.
 */
static unsigned arbitrate(struct apic_bus *bus, const struct apic_msg *msg, unsigned source,
			  unsigned *target)
{
	unsigned found = 0;
	uint8_t best = 0;

	for (unsigned n = 0; n < bus->count; n++) {
		unsigned i = (bus->turn + n) % bus->count;
		uint8_t apr;

		if (!selected(bus, msg, source, i) || !lapic_enabled(bus->cpus[i]))
			continue;
		apr = lapic_apr(bus->cpus[i]);
		if (!found || apr < best) {
			found = 1;
			best = apr;
			*target = i;
		}
	}
	if (found)
		bus->turn = (*target + 1) % bus->count;
	return found;
}

/*
 * "Message Data Register Format" and the redirection table of the I/O APIC: there is no SIPI, and mode 3 is
 * reserved everywhere. An INIT de-assert comes from ICRs, too; a level that is de-asserted elsewhere
 * is no message.
 */
static bool reserved(const struct apic_msg *msg, unsigned source)
{
	if (msg->delivery == 3 || msg->delivery > APIC_EXTINT)
		return true;
	return source == APIC_BUS_NO_SOURCE && (msg->delivery == APIC_SIPI || !msg->assert);
}

unsigned apic_bus_route(struct apic_bus *bus, const struct apic_msg *msg, unsigned source,
			unsigned *targets)
{
	unsigned count = 0;

	if (reserved(msg, source))
		return 0;
	if (msg->delivery == APIC_LOWEST)
		return arbitrate(bus, msg, source, targets);
	for (unsigned i = 0; i < bus->count; i++)
		if (selected(bus, msg, source, i))
			targets[count++] = i;
	return count;
}

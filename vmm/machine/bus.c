// SPDX-License-Identifier: MIT
#include "machine/bus.h"

#include <string.h>

int bus_add(struct bus *bus, struct device *dev, struct error *err)
{
	for (unsigned i = 0; i < DEVICE_RANGES && dev->ranges[i].len; i++) {
		const struct bus_range *r = &dev->ranges[i];
		struct bus_entry *map = bus->map[r->space];
		unsigned *n = &bus->entries[r->space];
		unsigned at = 0;

		while (at < *n && map[at].base < r->base)
			at++;
		if (at > 0 && map[at - 1].end > r->base)
			return error_set(err, EXIT_SETUP, "%s and %s both claim 0x%llx", dev->name,
					 map[at - 1].dev->name, (unsigned long long)r->base);
		if (at < *n && map[at].base < r->base + r->len)
			return error_set(err, EXIT_SETUP, "%s and %s both claim 0x%llx", dev->name,
					 map[at].dev->name, (unsigned long long)map[at].base);
		if (*n == BUS_ENTRIES)
			return error_set(err, EXIT_SETUP, "%s: the bus is full", dev->name);
		memmove(&map[at + 1], &map[at], (*n - at) * sizeof(map[0]));
		map[at] = (struct bus_entry){r->base, r->base + r->len, r->width, dev};
		++*n;
	}
	if (bus->ndevices == BUS_DEVICES)
		return error_set(err, EXIT_SETUP, "%s: too many devices", dev->name);
	bus->devices[bus->ndevices++] = dev;
	return 0;
}

void bus_reset(struct bus *bus, enum reset_kind kind)
{
	for (unsigned i = 0; i < bus->ndevices; i++)
		bus->devices[i]->ops->reset(bus->devices[i], kind);
}

bool bus_reset_device(struct bus *bus, const char *name, enum reset_kind kind)
{
	for (unsigned i = 0; i < bus->ndevices; i++) {
		if (strcmp(bus->devices[i]->name, name) != 0)
			continue;
		bus->devices[i]->ops->reset(bus->devices[i], kind);
		return true;
	}
	return false;
}

static const struct bus_entry *bus_find(const struct bus *bus, enum bus_space space, uint64_t addr)
{
	const struct bus_entry *map = bus->map[space];
	unsigned lo = 0, hi = bus->entries[space];

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (addr >= map[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < bus->entries[space] && addr >= map[lo].base ? &map[lo] : NULL;
}

/* How much of an access at addr one device takes in one go: a power of two, 1 where none does. */
static unsigned bus_piece(const struct bus_entry *e, uint64_t addr, unsigned left)
{
	unsigned n = 1;

	if (!e)
		return 1;
	while (n * 2 <= left && n * 2 <= e->width && n * 2 <= e->end - addr)
		n *= 2;
	return n;
}

static uint64_t ones(unsigned bytes)
{
	return bytes >= 8 ? UINT64_MAX : (1ull << (bytes * 8)) - 1;
}

bool bus_read(struct bus *bus, enum bus_space space, uint64_t addr, unsigned size, uint64_t *value)
{
	bool claimed = true;
	uint64_t v = 0;

	for (unsigned done = 0, n; done < size; done += n) {
		const struct bus_entry *e = bus_find(bus, space, addr + done);
		uint64_t part = UINT64_MAX;

		n = bus_piece(e, addr + done, size - done);
		if (e)
			part = e->dev->ops->read(e->dev, addr + done, n);
		else
			claimed = false;
		v |= (part & ones(n)) << (done * 8);
	}
	*value = v;
	bus->unclaimed += !claimed;
	return claimed;
}

bool bus_write(struct bus *bus, enum bus_space space, uint64_t addr, unsigned size, uint64_t value)
{
	bool claimed = true;

	for (unsigned done = 0, n; done < size; done += n) {
		const struct bus_entry *e = bus_find(bus, space, addr + done);

		n = bus_piece(e, addr + done, size - done);
		if (e)
			e->dev->ops->write(e->dev, addr + done, n, (value >> (done * 8)) & ones(n));
		else
			claimed = false;
	}
	bus->unclaimed += !claimed;
	return claimed;
}

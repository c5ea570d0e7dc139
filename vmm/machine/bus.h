/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_BUS_H
#define SIPI_MACHINE_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/device.h"
#include "util/error.h"

/* Port I/O and MMIO, from an address to the device that claimed it. Under the machine's lock. */
#define BUS_DEVICES 24
#define BUS_ENTRIES 48

struct bus_entry {
	uint64_t base, end;
	unsigned width;
	struct device *dev;
};

struct bus {
	struct device *devices[BUS_DEVICES];
	unsigned ndevices;
	struct bus_entry map[2][BUS_ENTRIES]; /* per space, by rising address */
	unsigned entries[2];
	uint64_t unclaimed;
};

/* Refuses a range that overlaps one that is taken, naming both devices. */
int bus_add(struct bus *bus, struct device *dev, struct error *err);
/* Every device, in the order in which they were added; or the one of this name, false: there is none. */
void bus_reset(struct bus *bus, enum reset_kind kind);
bool bus_reset_device(struct bus *bus, const char *name, enum reset_kind kind);
/*
 * One access of 1, 2, 4 or 8 bytes, split into what the devices take. Bytes that nobody claims read
 * as ones and are dropped when written; the result is false if there were any.
 */
bool bus_read(struct bus *bus, enum bus_space space, uint64_t addr, unsigned size, uint64_t *value);
bool bus_write(struct bus *bus, enum bus_space space, uint64_t addr, unsigned size, uint64_t value);

#endif

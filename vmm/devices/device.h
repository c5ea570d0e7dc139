/* SPDX-License-Identifier: MIT */
#ifndef SIPI_DEVICES_DEVICE_H
#define SIPI_DEVICES_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/reset_kind.h"

/*
 * What the bus knows of a device. Every handler is called with the machine's lock held, from a vCPU
 * thread (accesses) or from the io loop (timers, input), never from two threads at once.
 */
struct device;

struct device_ops {
	/* Puts the device into the state that a reset of this kind leaves it in. */
	void (*reset)(struct device *dev, enum reset_kind kind);
	/*
	 * One access to one claimed range. addr is absolute (a port number or a guest-physical
	 * address); size is 1, 2, 4 or 8 and at most the width of the range; the access lies wholly
	 * within the range. A read returns its value in the low `size` bytes; bits above are ignored.
	 */
	uint64_t (*read)(struct device *dev, uint64_t addr, unsigned size);
	void (*write)(struct device *dev, uint64_t addr, unsigned size, uint64_t value);
};

enum bus_space { BUS_PIO, BUS_MMIO };

struct bus_range {
	enum bus_space space;
	uint64_t base;
	uint64_t len;
	unsigned width; /* the widest access the device takes; the bus splits wider ones */
};

#define DEVICE_RANGES 4

struct device {
	const char *name;
	const struct device_ops *ops;
	struct bus_range ranges[DEVICE_RANGES]; /* a range of length 0 ends the list */
};

/* An interrupt line from a device to the interrupt controllers: a GSI (ISA IRQ n is GSI n). */
struct irq_line {
	void (*set)(void *ctx, unsigned gsi, bool level);
	void *ctx;
	unsigned gsi;
};

static inline void irq_set(const struct irq_line *line, bool level)
{
	if (line->set)
		line->set(line->ctx, line->gsi, level);
}

/* What a device can ask of the machine as a whole. Returns at once; the machine acts later. */
struct machine_requests {
	void (*reset)(void *ctx, enum reset_kind kind);
	void (*exit)(void *ctx, unsigned code); /* the guest's own exit code, 0..255 */
	void *ctx;
};

#define container_of(ptr, type, member)                                                            \
	((type *)(void *)((char *)(ptr) - __builtin_offsetof(type, member)))

#endif

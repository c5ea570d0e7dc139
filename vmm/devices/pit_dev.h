/* SPDX-License-Identifier: MIT */
#ifndef SIPI_DEVICES_PIT_DEV_H
#define SIPI_DEVICES_PIT_DEV_H

#include "chips/pit.h"
#include "devices/device.h"

/* The 8254 at its ports (0x40-0x43, 0x61), with channel 0 on an interrupt line. */
struct pit_host {
	uint64_t (*now)(void *ctx); /* CLOCK_MONOTONIC in ns, the clock of arm() */
	/* Wants pit_dev_timer() at that time; replaces an earlier wish. Early or extra calls do no
	 * harm. */
	void (*arm)(void *ctx, uint64_t deadline_ns);
	void *ctx;
};

struct pit_dev {
	struct device dev;
	struct pit pit;
	struct irq_line irq;
	struct pit_host host;
	uint64_t armed_ns; /* what was asked of arm() and has not fired, or PIT_NEVER */
	uint64_t fired_ns; /* the last pulse on the line */
	/*
	 * Rising edges that came too late for an interrupt of their own: several that are found at
	 * once pulse the line once.
	 */
	uint64_t lost_edges;
};

void pit_dev_init(struct pit_dev *p, const struct irq_line *irq, const struct pit_host *host);
void pit_dev_timer(struct pit_dev *p);

#endif

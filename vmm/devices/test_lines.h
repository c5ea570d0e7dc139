/* SPDX-License-Identifier: MIT */
#ifndef SIPI_DEVICES_TEST_LINES_H
#define SIPI_DEVICES_TEST_LINES_H

#include "devices/device.h"

/*
 * Interrupt lines in the guest's own hands, as kvm-unit-tests' pc-testdev has them at 0x2000: bit 0
 * of what is written to port + n is the level of GSI n.
 */
#define TEST_LINES 24
/* Up to the last byte of a 4-byte access to the last line. */
#define TEST_LINES_PORTS (TEST_LINES + 3)

struct test_lines {
	struct device dev;
	uint16_t base;
	struct irq_line line; /* its gsi is filled in for each use */
	uint32_t levels;
};

/* lines: whose set and ctx are used for every GSI. */
void test_lines_init(struct test_lines *t, uint16_t base, const struct irq_line *lines);

#endif

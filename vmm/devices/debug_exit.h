/* SPDX-License-Identifier: MIT */
#ifndef SIPI_DEVICES_DEBUG_EXIT_H
#define SIPI_DEVICES_DEBUG_EXIT_H

#include "devices/device.h"

/*
 * A write ends the run with the written value as the guest's exit code, 0 included; values above
 * 255 become 255, so that a failure never wraps round to success.
 */
#define DEBUG_EXIT_PORTS 4

struct debug_exit {
	struct device dev;
	struct machine_requests req;
};

void debug_exit_init(struct debug_exit *d, uint16_t port, const struct machine_requests *req);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_DEVICES_PORTS_H
#define SIPI_DEVICES_PORTS_H

#include "devices/device.h"

/*
 * The chip set's single ports: system control port A (0x92), reset control (0xcf9), and the port
 * that takes POST codes. 0xcf9 lies inside PCI's CONFIG_ADDRESS, which takes only 4-byte accesses
 * at 0xcf8, so this claims the one byte.
 */
#define PORT_SYSTEM_A 0x92
#define PORT_RESET    0xcf9

struct ports {
	struct device dev;
	struct machine_requests req;
	/* Bit 1, A20, is stored and nothing else: all addresses are always visible. */
	uint8_t system_a;
	uint8_t reset_control;
	uint8_t post_code; /* the last one written */
};

/* post_port: 0 for none. */
void ports_init(struct ports *p, uint16_t post_port, const struct machine_requests *req);

#endif

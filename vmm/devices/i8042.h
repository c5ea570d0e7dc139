/* SPDX-License-Identifier: MIT */
#ifndef SIPI_DEVICES_I8042_H
#define SIPI_DEVICES_I8042_H

#include "devices/device.h"

/* The PC/AT keyboard controller with a keyboard that nobody types on, and no mouse. */
#define I8042_KBD_QUEUE 16

/* What the next byte written to the data port is for. */
enum i8042_data {
	I8042_TO_KBD,
	I8042_TO_COMMAND_BYTE,
	I8042_TO_OUTPUT_PORT,
	I8042_TO_KBD_BUFFER,
	I8042_TO_AUX_BUFFER,
	I8042_TO_AUX,
};

struct i8042 {
	struct device dev;
	uint16_t base; /* data; command and status are at base + 4 */
	struct irq_line irq;
	struct machine_requests req;
	enum i8042_data next;
	uint8_t command_byte;
	/*
	 * Bit 1, the A20 gate, is stored and nothing else: the CPU's A20 line is not modelled, all
	 * addresses are always visible.
	 */
	uint8_t output_port;
	uint16_t reply; /* from the controller: data, status bits above it; 0: none */
	uint8_t kbd[I8042_KBD_QUEUE];
	unsigned kbd_head, kbd_count;
	uint8_t last; /* what an empty output buffer reads */
	bool last_was_command;
};

void i8042_init(struct i8042 *k, uint16_t base, const struct irq_line *irq,
		const struct machine_requests *req);

#endif

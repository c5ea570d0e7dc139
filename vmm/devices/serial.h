/* SPDX-License-Identifier: MIT */
#ifndef SIPI_DEVICES_SERIAL_H
#define SIPI_DEVICES_SERIAL_H

#include <stddef.h>

#include "devices/device.h"

/* A 16550A UART whose wire is the host's console. */
#define SERIAL_PORTS 8
#define SERIAL_FIFO  16

/* The far end of the wire. Each of these may be NULL. */
struct serial_host {
	bool (*put)(void *ctx, uint8_t byte);
	bool (*full)(void *ctx);    /* put() would lose a byte; serial_tx_ready() says when not */
	void (*rx_room)(void *ctx); /* serial_room() was 0 and no longer is */
	void *ctx;
};

struct serial {
	struct device dev;
	uint16_t base;
	struct irq_line irq;
	struct serial_host host;
	uint8_t rx[SERIAL_FIFO];
	unsigned rx_head, rx_count;
	uint16_t divisor;
	uint8_t ier, fcr, lcr, mcr, scr;
	uint8_t msr_delta; /* MSR bits 3:0 */
	bool overrun, thre_pending;
	bool tx_stuck; /* the last byte is still in the transmitter because the host is full */
};

void serial_init(struct serial *s, uint16_t base, const struct irq_line *irq,
		 const struct serial_host *host);
/* How many bytes serial_receive() can take before it overruns. */
size_t serial_room(const struct serial *s);
void serial_receive(struct serial *s, uint8_t byte);
/* The host can take output again. */
void serial_tx_ready(struct serial *s);

#endif

// SPDX-License-Identifier: MIT
/* The 8254 (data sheet 231164) and the gate of its channel 2. */
#include "lib/pit.h"
#include "lib/x86.h"

#define PIT_PORT(ch) ((uint16_t)(0x40 + (ch)))
#define PIT_CONTROL  0x43
#define ACCESS_BOTH  0x30
#define READ_BACK    0xc0
#define NO_COUNT     0x20 /* read-back bits are low-active */
#define PORT61	     0x61
#define GATE2	     0x01
#define SPEAKER	     0x02
#define OUT2	     0x20

void pit_stop(unsigned channel, unsigned mode)
{
	outb(PIT_CONTROL, (uint8_t)(channel << 6 | ACCESS_BOTH | mode << 1));
}

void pit_set(unsigned channel, unsigned mode, uint16_t count)
{
	pit_stop(channel, mode);
	outb(PIT_PORT(channel), (uint8_t)count);
	outb(PIT_PORT(channel), (uint8_t)(count >> 8));
}

uint16_t pit_count(unsigned channel)
{
	uint8_t low;

	outb(PIT_CONTROL, (uint8_t)(channel << 6));
	low = inb(PIT_PORT(channel));
	return (uint16_t)(low | inb(PIT_PORT(channel)) << 8);
}

uint8_t pit_status(unsigned channel)
{
	outb(PIT_CONTROL, (uint8_t)(READ_BACK | NO_COUNT | 2u << channel));
	return inb(PIT_PORT(channel));
}

void pit_gate2(bool on)
{
	uint8_t v = inb(PORT61) & (uint8_t) ~(GATE2 | SPEAKER);

	outb(PORT61, on ? v | GATE2 : v);
}

bool pit_out2(void)
{
	return inb(PORT61) & OUT2;
}

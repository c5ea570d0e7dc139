/* SPDX-License-Identifier: MIT */
#ifndef GUEST_PIT_H
#define GUEST_PIT_H

#include <stdbool.h>
#include <stdint.h>

/* The 8254 at ports 0x40-0x43; channel 2's gate and output at port 0x61. */
#define PIT_HZ 1193182u

/* Control word with access LSB then MSB, then the count; 0 stands for 65536. */
void pit_set(unsigned channel, unsigned mode, uint16_t count);
/* The control word alone: stops the channel until a count is written. */
void pit_stop(unsigned channel, unsigned mode);
/* Latches and reads the count. */
uint16_t pit_count(unsigned channel);
/* Read-back command: bit 7 OUT, bit 6 null count, bits 5-0 the control word. */
uint8_t pit_status(unsigned channel);
void pit_gate2(bool on);
bool pit_out2(void);

#endif

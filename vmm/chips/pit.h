/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_PIT_H
#define SIPI_CHIPS_PIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Intel 8254 programmable interval timer, 1.193182 MHz, as in a PC/AT: ports 0x40-0x43, with
 * channel 2's gate and the speaker behind port 0x61. A pure state machine: time comes in with each
 * call, as nanoseconds that never run backwards (an earlier time counts as the latest seen).
 */
#define PIT_HZ	  1193182u
#define PIT_NEVER UINT64_MAX

/* What the next CLK pulse does to the counting element. */
enum pit_phase {
	PIT_WAIT,    /* nothing: no count, or modes 1 and 5 before their trigger */
	PIT_LOAD,    /* loads it from the count register */
	PIT_COUNT,   /* decrements it, towards the next change of OUT */
	PIT_STROBE,  /* ends the strobe of modes 4 and 5 */
	PIT_EXPIRED, /* decrements it; OUT stays (modes 0, 1, 4, 5) */
};

struct pit_channel {
	enum pit_phase phase;
	uint8_t control; /* bits 5-0 of the control word: RW, mode, BCD */
	bool gate, out;
	bool null_count;
	bool write_msb, read_msb; /* the next byte of a two-byte access is the MSB */
	bool latched, status_latched;
	uint8_t write_latch; /* LSB of a two-byte write */
	uint8_t status;
	uint16_t latch;
	uint32_t reload; /* count register: 1..65536 (10000 in BCD); 0: none written yet */
	uint32_t period; /* the count that `value` started from */
	uint32_t value;	 /* counting element, 0..65536 */
	uint64_t rises;	 /* of OUT, not yet reported */
};

struct pit {
	struct pit_channel ch[3];
	uint8_t port61; /* bits 0 (gate 2) and 1 (speaker data) */
	uint64_t clk;	/* CLK pulses since time 0 up to which all channels have run */
};

void pit_reset(struct pit *pit, uint64_t now_ns);
/* port: 0x40-0x43 or 0x61. */
uint8_t pit_read(struct pit *pit, uint16_t port, uint64_t now_ns);
void pit_write(struct pit *pit, uint16_t port, uint8_t value, uint64_t now_ns);
/* OUT of a channel at that time. */
bool pit_out(const struct pit *pit, unsigned channel, uint64_t now_ns);
/*
 * Channel 0 is wired to IRQ 0. Returns how many rising edges its OUT made since the last call, and
 * in *level its level now. Accesses do not lose edges: what they pass over is counted here.
 */
uint64_t pit_advance(struct pit *pit, uint64_t now_ns, bool *level);
/* When channel 0's OUT next changes, or PIT_NEVER. Always after now_ns. */
uint64_t pit_next_change(const struct pit *pit, uint64_t now_ns);

#endif

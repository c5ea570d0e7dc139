/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_PIT_H
#define SIPI_CHIPS_PIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Intel 8254 programmable interval timer, 1.193182 MHz, as in a PC/AT: ports 0x40-0x43, with
 * channel 2's gate and the speaker behind port 0x61. A pure state machine: time comes in with each
 * call, as nanoseconds that never run backwards.
 */
#define PIT_HZ 1193182u
#define PIT_NEVER UINT64_MAX

struct pit_channel {
	uint8_t mode;	      /* 0-5 */
	uint8_t access;	      /* control word RW field: 1 LSB, 2 MSB, 3 LSB then MSB */
	bool bcd, gate, null_count, write_msb, read_msb;
	bool loaded;	      /* a count was written since the control word: counting can start */
	uint32_t count;	      /* the count in effect, 1..65536 (10000 in BCD); 0: none yet */
	uint32_t next_count;  /* written, takes effect at the next reload (modes 2 and 3) */
	uint8_t write_latch;  /* LSB of a two-byte write */
	bool latched, status_latched;
	uint16_t latch;
	uint8_t status;
	uint64_t start_ns;    /* when the count in effect was loaded or triggered */
};

struct pit {
	struct pit_channel ch[3];
	uint8_t port61;	      /* bits 0 (gate 2) and 1 (speaker data) */
	uint64_t seen_ns;     /* pit_advance() was called up to here */
};

void pit_reset(struct pit *pit, uint64_t now_ns);
/* port: 0x40-0x43 or 0x61. */
uint8_t pit_read(struct pit *pit, uint16_t port, uint64_t now_ns);
void pit_write(struct pit *pit, uint16_t port, uint8_t value, uint64_t now_ns);
/* OUT of a channel at that time. */
bool pit_out(const struct pit *pit, unsigned channel, uint64_t now_ns);
/*
 * Channel 0 is wired to IRQ 0. Returns how many rising edges its OUT made since the last call, and
 * in *level its level now. Accesses do not lose edges: call this before and after each one.
 */
uint64_t pit_advance(struct pit *pit, uint64_t now_ns, bool *level);
/* When channel 0's OUT next changes, or PIT_NEVER. At or after now_ns. */
uint64_t pit_next_change(const struct pit *pit, uint64_t now_ns);

#endif

/* SPDX-License-Identifier: MIT */
/* An 8254 and a clock of CLK pulses, for the tests of the PIT. Include "test.h" first. */
#ifndef SIPI_TESTS_PIT_RIG_H
#define SIPI_TESTS_PIT_RIG_H

#include "chips/pit.h"

/* Channel 2 in all six modes, as it is the one with a gate. */
struct rig {
	struct pit pit;
	uint64_t clk;
	uint64_t now;
};

static inline uint64_t ns_at(uint64_t clk)
{
	return (uint64_t)(((unsigned __int128)clk * 1000000000u + PIT_HZ - 1) / PIT_HZ);
}

static inline void go(struct rig *r, uint64_t clks)
{
	r->clk += clks;
	r->now = ns_at(r->clk);
}

static inline void out8(struct rig *r, uint16_t port, uint8_t value)
{
	pit_write(&r->pit, port, value, r->now);
}

static inline uint8_t in8(struct rig *r, uint16_t port)
{
	return pit_read(&r->pit, port, r->now);
}

static inline void gate(struct rig *r, bool level)
{
	out8(r, 0x61, level);
}

static inline bool out2(struct rig *r)
{
	return pit_out(&r->pit, 2, r->now);
}

static inline void start(struct rig *r, bool gate_level)
{
	r->clk = 1000;
	r->now = ns_at(r->clk);
	pit_reset(&r->pit, r->now);
	gate(r, gate_level);
}

/* The control word of a figure, for counter 0 there, and the LSB that it writes. */
static inline void program(struct rig *r, uint8_t cw, uint8_t lsb)
{
	out8(r, 0x43, cw | 0x80);
	out8(r, 0x42, lsb);
}

/* One pulse for each character: H or L is OUT after it, counts[] the LSB of the count. */
static inline void diagram_at(struct rig *r, const char *levels, const uint8_t *counts, int line)
{
	for (size_t i = 0; levels[i]; i++) {
		uint8_t count;

		go(r, 1);
		out8(r, 0x43, 0x80);
		count = in8(r, 0x42);
		if (out2(r) != (levels[i] == 'H') || count != counts[i])
			fail_msg("line %d, pulse %zu: OUT %d, count %#x", line, i + 1, out2(r),
				 count);
	}
}
#define diagram(r, levels, ...) diagram_at(r, levels, (const uint8_t[]){__VA_ARGS__}, __LINE__)

#endif

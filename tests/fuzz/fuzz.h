/* SPDX-License-Identifier: MIT */
/* What a libFuzzer target needs: its input piece by piece, and what must hold. */
#ifndef SIPI_TESTS_FUZZ_H
#define SIPI_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *fuzz_input;
static size_t fuzz_left;

/* Aborts with the broken rule, so that libFuzzer keeps the input. */
#define must(x) ((x) ? (void)0 : broken(#x, __LINE__))

static void broken(const char *what, int line)
{
	fprintf(stderr, "broken, line %d: %s\n", line, what);
	abort();
}

/* Zeroes after the end. */
static inline uint8_t get8(void)
{
	if (!fuzz_left)
		return 0;
	fuzz_left--;
	return *fuzz_input++;
}

static inline uint32_t get32(void)
{
	uint32_t v = get8();

	v |= (uint32_t)get8() << 8;
	v |= (uint32_t)get8() << 16;
	return v | (uint32_t)get8() << 24;
}

/* Most of the time one of the few values that mask allows, so that they meet. */
static inline uint8_t get_few(uint8_t mask)
{
	uint8_t v = get8();

	return v < 0xc0 ? v & mask : get8();
}

/* A 256-bit register of a local APIC. */
static inline bool bit(const uint32_t bits[8], unsigned vector)
{
	return bits[vector / 32] >> vector % 32 & 1;
}

static inline unsigned population(const uint32_t bits[8])
{
	unsigned n = 0;

	for (unsigned i = 0; i < 8; i++)
		n += (unsigned)__builtin_popcount(bits[i]);
	return n;
}

#endif

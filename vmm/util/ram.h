/* SPDX-License-Identifier: MIT */
#ifndef SIPI_UTIL_RAM_H
#define SIPI_UTIL_RAM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Guest RAM as the guest sees it: one host mapping of `size` bytes, of which the first `low` bytes
 * lie at guest-physical 0 and the rest at 4 GiB (the PCI hole is between 3 GiB and 4 GiB). The
 * window from 640 KiB to 1 MiB is not RAM although the mapping has room for it.
 */
#define RAM_LOW_MAX   0xc0000000ull
#define RAM_HIGH_BASE 0x100000000ull
#define RAM_HOLE      0xa0000ull
#define RAM_HOLE_END  0x100000ull

struct ram {
	uint8_t *host;
	uint64_t size;
	uint64_t low;
};

/* The layout of that much RAM; host is left NULL. */
struct ram ram_layout(uint64_t size);

/*
 * The host address of guest-physical [gpa, gpa + len), or NULL unless all of it is RAM. Safe for any
 * value of gpa and len; len 0 is accepted where gpa is RAM. The pointer is owned by the mapping.
 */
void *ram_ptr(const struct ram *ram, uint64_t gpa, uint64_t len);

#endif

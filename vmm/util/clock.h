/* SPDX-License-Identifier: MIT */
#ifndef SIPI_UTIL_CLOCK_H
#define SIPI_UTIL_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull

/* CLOCK_MONOTONIC in nanoseconds: the one clock that devices and chips are driven by. */
static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

#endif

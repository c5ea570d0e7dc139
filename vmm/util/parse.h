/* SPDX-License-Identifier: MIT */
#ifndef SIPI_UTIL_PARSE_H
#define SIPI_UTIL_PARSE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Numbers as people type them. Each function takes the whole string or nothing: empty strings,
 * signs, white space, trailing characters and values that do not fit are refused. All return 0, or
 * -1 with *out untouched.
 */

/* Decimal, or hexadecimal with 0x; min <= value <= max. */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);
/* Bytes: a number, or a number with K, M, G or T, each times 1024 ("64M", "3GiB", "0x100000"). */
int parse_size(const char *s, uint64_t *out);
/* Seconds with up to nine decimals, as nanoseconds ("10", "0.5"). */
int parse_seconds(const char *s, uint64_t *out_ns);
/*
 * Numbers and ranges, "0-3,8,254", in the order given. A number above max_value, one that is given
 * twice, a range that runs backwards and more than max_count numbers are refused. *out is allocated
 * with malloc and owned by the caller.
 */
int parse_u32_list(const char *s, uint32_t max_value, size_t max_count, uint32_t **out,
		   size_t *count);

#endif

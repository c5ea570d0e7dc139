// SPDX-License-Identifier: MIT
#include "util/parse.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

static int digit_value(char c, unsigned base)
{
	unsigned v;

	if (c >= '0' && c <= '9')
		v = (unsigned)(c - '0');
	else if (c >= 'a' && c <= 'f')
		v = (unsigned)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		v = (unsigned)(c - 'A') + 10;
	else
		return -1;
	return v < base ? (int)v : -1;
}

/* Takes the digits at *s and moves *s past them. strtoull() is no use: it takes "-1" and " 1". */
static int take_number(const char **s, uint64_t *out)
{
	unsigned base = 10;
	const char *p = *s;
	uint64_t v = 0;
	int d;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		base = 16;
		p += 2;
	}
	if (digit_value(*p, base) < 0)
		return -1;
	for (; (d = digit_value(*p, base)) >= 0; p++) {
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return -1;
	}
	*s = p;
	*out = v;
	return 0;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v;

	if (take_number(&s, &v) || *s || v < min || v > max)
		return -1;
	*out = v;
	return 0;
}

/* The power of two of a suffix, or -1. */
static int suffix_shift(const char *s)
{
	static const char letters[] = "KMGT";
	const char *at;

	if (!*s)
		return 0;
	at = strchr(letters, *s >= 'a' && *s <= 'z' ? *s - 'a' + 'A' : *s);
	if (!at)
		return -1;
	s++;
	if (*s && strcmp(s, "B") && strcmp(s, "iB"))
		return -1;
	return 10 * (int)(at - letters + 1);
}

int parse_size(const char *s, uint64_t *out)
{
	uint64_t v;
	int shift;

	if (take_number(&s, &v))
		return -1;
	shift = suffix_shift(s);
	if (shift < 0 || v > UINT64_MAX >> shift)
		return -1;
	*out = v << shift;
	return 0;
}

int parse_seconds(const char *s, uint64_t *out_ns)
{
	uint64_t whole, fraction = 0, unit = NSEC_PER_SEC / 10;

	if (digit_value(*s, 10) < 0 || (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')))
		return -1;
	if (take_number(&s, &whole))
		return -1;
	if (*s == '.') {
		s++;
		if (!*s)
			return -1;
		for (; digit_value(*s, 10) >= 0 && unit; s++, unit /= 10)
			fraction += (uint64_t)digit_value(*s, 10) * unit;
	}
	if (*s || __builtin_mul_overflow(whole, NSEC_PER_SEC, &whole) ||
	    __builtin_add_overflow(whole, fraction, &whole))
		return -1;
	*out_ns = whole;
	return 0;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool has_duplicates(const uint32_t *list, size_t count)
{
	uint32_t *sorted = malloc(count * sizeof(*sorted));
	bool found = false;

	if (!sorted)
		return true;
	memcpy(sorted, list, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_u32);
	for (size_t i = 1; i < count; i++)
		found |= sorted[i] == sorted[i - 1];
	free(sorted);
	return found;
}

/* "N" or "N-M" at *s. */
static int take_range(const char **s, uint32_t max_value, uint64_t *first, uint64_t *last)
{
	if (take_number(s, first))
		return -1;
	*last = *first;
	if (**s == '-') {
		++*s;
		if (take_number(s, last))
			return -1;
	}
	return *first <= *last && *last <= max_value ? 0 : -1;
}

static int fill_list(const char *s, uint32_t max_value, size_t max_count, uint32_t *list,
		     size_t *count)
{
	uint64_t first, last;
	size_t n = 0;

	for (;; s++) {
		if (take_range(&s, max_value, &first, &last) || last - first >= max_count - n)
			return -1;
		for (uint64_t v = first; v <= last; v++)
			list[n++] = (uint32_t)v;
		if (*s != ',')
			break;
	}
	if (*s || has_duplicates(list, n))
		return -1;
	*count = n;
	return 0;
}

int parse_u32_list(const char *s, uint32_t max_value, size_t max_count, uint32_t **out,
		   size_t *count)
{
	uint32_t *list = calloc(max_count, sizeof(*list));

	if (!list || fill_list(s, max_value, max_count, list, count)) {
		free(list);
		return -1;
	}
	*out = list;
	return 0;
}

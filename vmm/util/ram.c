// SPDX-License-Identifier: MIT
#include "util/ram.h"

#include <stdbool.h>

struct ram ram_layout(uint64_t size)
{
	return (struct ram){.size = size, .low = size < RAM_LOW_MAX ? size : RAM_LOW_MAX};
}

static bool within(uint64_t gpa, uint64_t len, uint64_t start, uint64_t end)
{
	return gpa >= start && gpa < end && len <= end - gpa;
}

void *ram_ptr(const struct ram *ram, uint64_t gpa, uint64_t len)
{
	uint64_t hole = ram->low < RAM_HOLE ? ram->low : RAM_HOLE;

	if (within(gpa, len, 0, hole) || within(gpa, len, RAM_HOLE_END, ram->low))
		return ram->host + gpa;
	if (within(gpa, len, RAM_HIGH_BASE, RAM_HIGH_BASE + (ram->size - ram->low)))
		return ram->host + ram->low + (gpa - RAM_HIGH_BASE);
	return NULL;
}

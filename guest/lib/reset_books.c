// SPDX-License-Identifier: MIT
/* Where a run of many lives is, in CMOS RAM: it has a battery, and no reset touches it. */
#include "lib/cmos.h"
#include "lib/console.h"
#include "lib/report.h"
#include "lib/reset_exam.h"
#include "lib/smp.h"

#define NAME_MAX 120
#define MAGIC	 0x51b1

/* Two bytes each. */
enum {
	AT_MAGIC = CMOS_FREE,
	AT_STEP = CMOS_FREE + 2,
	AT_RESETS = CMOS_FREE + 4,
	AT_CHECKS = CMOS_FREE + 6,
	AT_FAILED = CMOS_FREE + 8,
	AT_SIPI_ALONE = CMOS_FREE + 10,
	AT_PASSED = CMOS_FREE + 12,
	AT_REPORT_FAILED = CMOS_FREE + 14,
	AT_SKIPPED = CMOS_FREE + 16,
	AT_END = CMOS_FREE + 18,
};

unsigned checks, checks_failed;

bool books_open(void)
{
	checks = checks_failed = 0; /* RAM may be the old life's */
	if (cmos_read16(AT_MAGIC) == MAGIC) {
		report_counts.passed = cmos_read16(AT_PASSED);
		report_counts.failed = cmos_read16(AT_REPORT_FAILED);
		report_counts.skipped = cmos_read16(AT_SKIPPED);
		return false;
	}
	for (uint8_t at = AT_MAGIC; at < AT_END; at += 2)
		cmos_write16(at, 0);
	cmos_write16(AT_MAGIC, MAGIC);
	return true;
}

static void add(uint8_t index, unsigned n)
{
	unsigned sum = cmos_read16(index) + n;

	cmos_write16(index, sum > 0xffff ? 0xffff : (uint16_t)sum);
}

void books_note(bool sipi_alone)
{
	cmos_write16(AT_SIPI_ALONE, sipi_alone);
}

bool books_sipi_alone(void)
{
	return cmos_read16(AT_SIPI_ALONE);
}

unsigned books_step(void)
{
	return cmos_read16(AT_STEP);
}

void books_next(unsigned step)
{
	cmos_write16(AT_STEP, (uint16_t)step);
	add(AT_RESETS, 1);
	cmos_write16(AT_PASSED, (uint16_t)report_counts.passed);
	cmos_write16(AT_REPORT_FAILED, (uint16_t)report_counts.failed);
	cmos_write16(AT_SKIPPED, (uint16_t)report_counts.skipped);
}

void books_close(void)
{
	add(AT_CHECKS, checks);
	if (checks_failed)
		add(AT_FAILED, checks_failed);
	checks = checks_failed = 0;
}

struct books books_end(void)
{
	struct books b;

	books_close();
	cmos_write16(AT_MAGIC, 0);
	b.resets = cmos_read16(AT_RESETS);
	b.checks = cmos_read16(AT_CHECKS);
	b.failed = cmos_read16(AT_FAILED);
	return b;
}

bool check(bool ok, const char *fmt, ...)
{
	char name[NAME_MAX];
	va_list ap;

	checks++;
	if (ok)
		return true;
	checks_failed++;
	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	printf("# CPU %u, not so: %s\n", this_cpu()->index, name);
	return false;
}

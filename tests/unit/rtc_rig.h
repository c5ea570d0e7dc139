/* SPDX-License-Identifier: MIT */
/* What the tests of the RTC share: one device on clocks that the test moves. */
#ifndef SIPI_TESTS_RTC_RIG_H
#define SIPI_TESTS_RTC_RIG_H

#include <string.h>

#include "test.h"
#include "devices/rtc.h"

#define BASE  0x70
#define SEC   1000000000ull
#define NEVER UINT64_MAX

/* 2024-02-29 23:59:58 UTC, a Thursday. */
#define LEAP_DAY 1709251198ull

enum { SECONDS, SEC_ALARM, MINUTES, MIN_ALARM, HOURS, HOUR_ALARM, WEEKDAY, DAY, MONTH, YEAR };
enum { A = 0x0a, B, C, D, SHUTDOWN = 0x0f, CENTURY = 0x32 };

#define UIP 0x80
#define SET 0x80
#define PIE 0x40
#define AIE 0x20
#define UIE 0x10
#define DM  0x04
#define H24 0x02
#define PF  0x40
#define AF  0x20
#define UF  0x10
#define IRQ 0x80

static struct rtc r;
static struct {
	uint64_t now, wall, armed;
	bool line;
	unsigned rises;
} host;

static void set_line(void *ctx, unsigned gsi, bool level)
{
	(void)ctx;
	assert_int_equal(gsi, 8);
	host.rises += level && !host.line;
	host.line = level;
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return host.now;
}

static uint64_t wall(void *ctx)
{
	(void)ctx;
	return host.wall;
}

static void arm(void *ctx, uint64_t deadline_ns)
{
	(void)ctx;
	host.armed = deadline_ns;
}

static inline void create(uint64_t ram_low, uint64_t ram_high)
{
	const struct irq_line irq = {set_line, NULL, 8};
	const struct rtc_host h = {now, wall, arm, NULL};

	rtc_init(&r, BASE, &irq, &h, ram_low, ram_high);
}

static inline int setup(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	host.now = 5 * SEC;
	host.wall = LEAP_DAY * SEC;
	host.armed = NEVER;
	create(64 << 20, 0);
	return 0;
}

static inline uint8_t get(uint8_t reg)
{
	r.dev.ops->write(&r.dev, BASE, 1, reg);
	return (uint8_t)r.dev.ops->read(&r.dev, BASE + 1, 1);
}

static inline void set(uint8_t reg, uint8_t value)
{
	r.dev.ops->write(&r.dev, BASE, 1, reg);
	r.dev.ops->write(&r.dev, BASE + 1, 1, value);
}

/* Time passes, and the timer fires where it was asked for. */
static inline void pass(uint64_t ns)
{
	uint64_t end = host.now + ns;

	while (host.armed <= end) {
		uint64_t step = host.armed > host.now ? host.armed - host.now : 0;

		host.now += step;
		host.wall += step;
		host.armed = NEVER;
		rtc_timer(&r);
	}
	host.wall += end - host.now;
	host.now = end;
}

static inline void expect_time(const char *hex)
{
	static const uint8_t regs[] = {CENTURY, YEAR, MONTH, DAY, WEEKDAY, HOURS, MINUTES, SECONDS};

	for (unsigned i = 0; i < sizeof(regs); i++)
		assert_int_equal(get(regs[i]), (uint8_t)hex[i]);
}

#endif

// SPDX-License-Identifier: MIT
/*
 * The small devices: single ports, debug exit, interrupt-line test device, the PIT's wiring. And
 * random accesses to all devices, which under ASan and UBSan show what no rule thought of.
 */
#include <string.h>

#include "test.h"
#include "devices/debug_exit.h"
#include "devices/i8042.h"
#include "devices/pit_dev.h"
#include "devices/ports.h"
#include "devices/rtc.h"
#include "devices/serial.h"
#include "devices/test_lines.h"

#define POST_PORT 0x80
#define EXIT_PORT 0xf4
#define TEST_PORT 0x2000

static struct ports ports;
static struct debug_exit debug_exit;
static struct test_lines lines;
static struct pit_dev pit;

static struct {
	unsigned resets, exits;
	enum reset_kind kind;
	unsigned code;
	uint32_t levels;
	unsigned rises, calls;
	uint64_t now, armed;
	unsigned arms;
} seen;

static void ask_reset(void *ctx, enum reset_kind kind)
{
	(void)ctx;
	seen.resets++;
	seen.kind = kind;
}

static void ask_exit(void *ctx, unsigned code)
{
	(void)ctx;
	seen.exits++;
	seen.code = code;
}

static void set_line(void *ctx, unsigned gsi, bool level)
{
	(void)ctx;
	assert_true(gsi < TEST_LINES);
	seen.calls++;
	seen.rises += level && !(seen.levels >> gsi & 1);
	seen.levels &= ~(1u << gsi);
	seen.levels |= (uint32_t)level << gsi;
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return seen.now;
}

static void arm(void *ctx, uint64_t deadline_ns)
{
	(void)ctx;
	seen.armed = deadline_ns;
	seen.arms++;
}

static const struct machine_requests requests = {ask_reset, ask_exit, NULL};
static const struct irq_line any_line = {set_line, NULL, 0};
static const struct pit_host pit_host = {now, arm, NULL};

static int setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	seen.now = 1000000000;
	seen.armed = PIT_NEVER;
	ports_init(&ports, POST_PORT, &requests);
	debug_exit_init(&debug_exit, EXIT_PORT, &requests);
	test_lines_init(&lines, TEST_PORT, &any_line);
	pit_dev_init(&pit, &any_line, &pit_host);
	return 0;
}

static void out(struct device *dev, uint64_t port, unsigned size, uint64_t value)
{
	dev->ops->write(dev, port, size, value);
}

static uint64_t in(struct device *dev, uint64_t port, unsigned size)
{
	return dev->ops->read(dev, port, size);
}

static void expect_reset(unsigned n, enum reset_kind kind)
{
	assert_int_equal(seen.resets, n);
	assert_int_equal(seen.kind, kind);
}

/* PS/2 system control port A, bit 0: a rising edge resets, a level does not. */
static void port_92_bit_0_resets_on_its_rising_edge(void **state)
{
	struct device *d = &ports.dev;

	(void)state;
	out(d, 0x92, 1, 0x02);
	assert_int_equal(seen.resets, 0);
	out(d, 0x92, 1, 0x03);
	expect_reset(1, RESET_KBC);
	out(d, 0x92, 1, 0x01);
	assert_int_equal(seen.resets, 1);
	out(d, 0x92, 1, 0x00);
	out(d, 0x92, 1, 0x01);
	expect_reset(2, RESET_KBC);
}

/* Bit 1 is A20: open after reset, stored. The other bits do not exist. */
static void port_92_stores_a20(void **state)
{
	struct device *d = &ports.dev;

	(void)state;
	assert_int_equal(in(d, 0x92, 1), 0x02);
	out(d, 0x92, 1, 0xfc);
	assert_int_equal(in(d, 0x92, 1), 0x00);
	out(d, 0x92, 1, 0xfe);
	assert_int_equal(in(d, 0x92, 1), 0x02);
}

/* ICH RST_CNT: RST_CPU's rising edge resets; SYS_RST says what. */
static void port_cf9_resets_hard_or_soft(void **state)
{
	struct device *d = &ports.dev;

	(void)state;
	out(d, 0xcf9, 1, 0x02);
	assert_int_equal(seen.resets, 0);
	assert_int_equal(in(d, 0xcf9, 1), 0x02);
	out(d, 0xcf9, 1, 0x06);
	expect_reset(1, RESET_HARD);
	out(d, 0xcf9, 1, 0x06);
	assert_int_equal(seen.resets, 1);
	out(d, 0xcf9, 1, 0x00);
	out(d, 0xcf9, 1, 0x04);
	expect_reset(2, RESET_SOFT);
	out(d, 0xcf9, 1, 0x0a);
	out(d, 0xcf9, 1, 0x0e);
	expect_reset(3, RESET_HARD);
}

/* What a reset leaves: the last POST code stays. */
static void ports_after_reset(void **state)
{
	struct device *d = &ports.dev;

	(void)state;
	out(d, 0x92, 1, 0x01);
	out(d, 0xcf9, 1, 0x06);
	out(d, POST_PORT, 1, 0x55);
	d->ops->reset(d, RESET_HARD);
	assert_int_equal(in(d, 0xcf9, 1), 0x00);
	assert_int_equal(in(d, 0x92, 1), 0x02);
	assert_int_equal(in(d, POST_PORT, 1), 0x55);
	d->ops->reset(d, RESET_POWER_ON);
	assert_int_equal(in(d, POST_PORT, 1), 0x00);
}

/* A machine can do without a POST port; 0xcf9 is one byte in PCI's CONFIG_ADDRESS. */
static void claimed_ports(void **state)
{
	(void)state;
	assert_int_equal(ports.dev.ranges[1].base, 0xcf9);
	assert_int_equal(ports.dev.ranges[1].len, 1);
	assert_int_equal(ports.dev.ranges[2].base, POST_PORT);
	ports_init(&ports, 0, &requests);
	assert_int_equal(ports.dev.ranges[2].len, 0);
}

/* The guest's own exit code: 0 is one, and 256 is not 0. */
static void debug_exit_passes_the_code(void **state)
{
	static const struct {
		unsigned size;
		uint64_t value;
		unsigned code;
	} t[] = {{1, 0, 0}, {1, 255, 255}, {2, 256, 255}, {4, 7, 7}, {4, 0xffffffff, 255}};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		out(&debug_exit.dev, EXIT_PORT, t[i].size, t[i].value);
		assert_int_equal(seen.exits, i + 1);
		assert_int_equal(seen.code, t[i].code);
	}
	assert_int_equal(in(&debug_exit.dev, EXIT_PORT, 4), 0);
	debug_exit.dev.ops->reset(&debug_exit.dev, RESET_HARD);
	assert_int_equal(seen.exits, 5);
}

/* pc-testdev: bit 0 is the level of the line that the port names, in every width. */
static void test_lines_follow_writes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_LINES; i++) {
		unsigned size = 1u << i % 3;

		out(&lines.dev, TEST_PORT + i, size, 0x101);
		assert_int_equal(seen.levels, 1u << i);
		assert_int_equal(in(&lines.dev, TEST_PORT + i, size), 1);
		out(&lines.dev, TEST_PORT + i, size, 0xfe);
		assert_int_equal(seen.levels, 0);
		assert_int_equal(in(&lines.dev, TEST_PORT + i, size), 0);
	}
}

/* A 4-byte access to line 23 lies within the range; the ports above it are no lines. */
static void test_lines_end_at_24(void **state)
{
	const struct bus_range *r = &lines.dev.ranges[0];

	(void)state;
	assert_true(r->base + r->len >= TEST_PORT + 23 + 4);
	for (unsigned i = TEST_LINES; i < TEST_LINES_PORTS; i++) {
		out(&lines.dev, TEST_PORT + i, 1, 1);
		assert_int_equal(in(&lines.dev, TEST_PORT + i, 1), 0);
	}
	assert_int_equal(seen.calls, 0);
}

/* A reset lowers what the guest had raised, and touches no line of another device. */
static void test_lines_fall_at_reset(void **state)
{
	(void)state;
	out(&lines.dev, TEST_PORT + 5, 1, 1);
	seen.calls = 0;
	lines.dev.ops->reset(&lines.dev, RESET_HARD);
	assert_int_equal(seen.levels, 0);
	assert_int_equal(seen.calls, 1);
}

/* OUT goes high with the control word of mode 2 or 3, which is an edge, but not one of interest. */
static void pit_start(uint8_t control, uint16_t count)
{
	out(&pit.dev, 0x43, 1, control);
	seen.rises = 0;
	out(&pit.dev, 0x40, 1, count & 0xff);
	out(&pit.dev, 0x40, 1, count >> 8);
}

/* The timer is asked for at each rising edge of channel 0's OUT, and each is one interrupt. */
static void pit_interrupts_at_each_edge(void **state)
{
	uint64_t start = seen.now, periods = 100;

	(void)state;
	pit_start(0x34, 1193); /* mode 2, 1 kHz */
	for (uint64_t i = 1; i <= periods; i++) {
		assert_true(seen.armed != PIT_NEVER && seen.armed > seen.now);
		seen.now = seen.armed;
		pit_dev_timer(&pit);
		assert_int_equal(seen.rises, i);
	}
	/* 100 periods of 1193 pulses, and the one that loads; to the microsecond. */
	assert_in_range(seen.now - start, periods * 999847, periods * 999848 + 2000);
	assert_int_equal(pit.lost_edges, 0);
}

/* Mode 0 interrupts once. */
static void pit_one_shot(void **state)
{
	(void)state;
	pit_start(0x30, 60000);
	seen.now = seen.armed;
	seen.armed = PIT_NEVER;
	pit_dev_timer(&pit);
	assert_int_equal(seen.rises, 1);
	assert_int_equal(seen.armed, PIT_NEVER);
	seen.now += 1000000000;
	pit_dev_timer(&pit);
	assert_int_equal(seen.rises, 1);
}

/* A timer that is late by several edges pulses the line once, and counts the others. */
static void pit_late_edges_coalesce(void **state)
{
	(void)state;
	pit_start(0x34, 1193);
	seen.now = seen.armed + 9 * 999847 + 1000;
	pit_dev_timer(&pit);
	assert_int_equal(seen.rises, 1);
	assert_int_equal(pit.lost_edges, 9);
	pit.dev.ops->reset(&pit.dev, RESET_HARD);
	assert_int_equal(pit.lost_edges, 0);
	assert_int_equal(seen.levels, 0);
}

/* An edge that an access comes upon is an interrupt too. */
static void pit_access_finds_edges(void **state)
{
	(void)state;
	pit_start(0x34, 1193);
	seen.now = seen.armed + 1;
	in(&pit.dev, 0x40, 1);
	assert_int_equal(seen.rises, 1);
	pit_dev_timer(&pit);
	assert_int_equal(seen.rises, 1);
}

/* After an edge the line stays high until the next look, so that an 8259A does not lose it. */
static void pit_holds_the_line_after_an_edge(void **state)
{
	(void)state;
	pit_start(0x36, 1194); /* mode 3: OUT is low for half of the time */
	seen.now = seen.armed + 700000;
	pit_dev_timer(&pit);
	assert_int_equal(seen.levels, 1);
	in(&pit.dev, 0x40, 1);
	assert_int_equal(seen.levels, 0);
}

/* A guest that asks for more interrupts than the loop should serve gets fewer. */
static void pit_rate_is_bounded(void **state)
{
	uint64_t end = seen.now + 1000000000;
	unsigned fired = 0;

	(void)state;
	pit_start(0x34, 2);
	for (; seen.now < end; fired++) {
		seen.now = seen.armed;
		pit_dev_timer(&pit);
	}
	assert_in_range(fired, 10000, 20001);
	assert_in_range(pit.lost_edges + fired, 596000, 597000);
}

/* Polling a counter does not arm the timer anew each time. */
static void pit_polling_is_cheap(void **state)
{
	unsigned arms;

	(void)state;
	pit_start(0x34, 60000);
	arms = seen.arms;
	for (int i = 0; i < 1000; i++, seen.now += 10000)
		in(&pit.dev, 0x40, 1);
	assert_int_equal(seen.arms, arms);
}

/* A timer may fire before its time (a stale deadline); the edge is still to come. */
static void pit_early_timer_is_asked_for_again(void **state)
{
	(void)state;
	pit_start(0x34, 1193);
	seen.armed = PIT_NEVER;
	pit_dev_timer(&pit);
	assert_int_equal(seen.rises, 0);
	assert_int_not_equal(seen.armed, PIT_NEVER);
}

/* --- random accesses */

static uint64_t seed = 20240229;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

static uint64_t wall(void *ctx)
{
	(void)ctx;
	return 1709251198000000000ull + seen.now - rnd(2) * 1000000000ull;
}

static bool rnd_bool(void *ctx)
{
	(void)ctx;
	return rnd(4) == 0;
}

static bool put(void *ctx, uint8_t byte)
{
	(void)ctx;
	return byte != 0;
}

static struct serial serial;
static struct rtc rtc;
static struct i8042 kbc;

static void host_event(void)
{
	switch (rnd(6)) {
	case 0:
		serial_receive(&serial, (uint8_t)rnd(256));
		break;
	case 1:
		serial_tx_ready(&serial);
		break;
	case 2:
		rtc_timer(&rtc);
		break;
	case 3:
		pit_dev_timer(&pit);
		break;
	default:
		seen.now += rnd(1000) ? rnd(5000000) : rnd(2000000000);
		break;
	}
}

/* As the bus does it: the access lies in the range, is no wider than it takes, and masked. */
static void random_access(struct device *dev)
{
	const struct bus_range *r;
	unsigned n = 0, size;
	uint64_t addr;

	while (n < DEVICE_RANGES && dev->ranges[n].len)
		n++;
	r = &dev->ranges[rnd(n)];
	size = 1u << rnd(3);
	if (size > r->width)
		size = r->width;
	addr = r->base + rnd((uint32_t)(r->len - size + 1));
	if (rnd(2))
		dev->ops->read(dev, addr, size);
	else
		dev->ops->write(dev, addr, size, rnd(0x7fffffff) & ((1ull << size * 8) - 1));
}

static void random_accesses_do_no_harm(void **state)
{
	const struct serial_host sh = {put, rnd_bool, NULL, NULL};
	const struct rtc_host rh = {now, wall, arm, NULL};
	struct device *devs[] = {&serial.dev,	  &rtc.dev,   &kbc.dev, &ports.dev,
				 &debug_exit.dev, &lines.dev, &pit.dev};

	(void)state;
	serial_init(&serial, 0x3f8, &any_line, &sh);
	rtc_init(&rtc, 0x70, &any_line, &rh, 1 << 30, 0);
	i8042_init(&kbc, 0x60, &any_line, &requests);
	for (int i = 0; i < 1000000; i++) {
		struct device *dev = devs[rnd(7)];

		random_access(dev);
		if (rnd(8) == 0)
			host_event();
		if (rnd(2000) == 0)
			dev->ops->reset(dev, (enum reset_kind)rnd(RESET_KINDS));
		assert_true(serial_room(&serial) <= SERIAL_FIFO);
		assert_true(kbc.kbd_count <= I8042_KBD_QUEUE);
	}
	assert_true(seen.resets && seen.exits && seen.rises);
}

#define T(f) cmocka_unit_test_setup(f, setup)

TEST_MAIN(T(port_92_bit_0_resets_on_its_rising_edge), T(port_92_stores_a20),
	  T(port_cf9_resets_hard_or_soft), T(ports_after_reset), T(claimed_ports),
	  T(debug_exit_passes_the_code), T(test_lines_follow_writes), T(test_lines_end_at_24),
	  T(test_lines_fall_at_reset), T(pit_interrupts_at_each_edge), T(pit_one_shot),
	  T(pit_late_edges_coalesce), T(pit_access_finds_edges),
	  T(pit_holds_the_line_after_an_edge), T(pit_rate_is_bounded), T(pit_polling_is_cheap),
	  T(pit_early_timer_is_asked_for_again), T(random_accesses_do_no_harm))

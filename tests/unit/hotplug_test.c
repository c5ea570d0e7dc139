// SPDX-License-Identifier: MIT
/* The CPU hot-plug device: the rules of devices/hotplug.h. */
#include <string.h>

#include "devices/hotplug.h"
#include "test.h"

#define BASE   0x2100
#define GSI    22
#define ID     (BASE + 0)
#define STATUS (BASE + 4)
#define CMD    (BASE + 4)
#define COUNT  (BASE + 8)

static struct hotplug h;

static struct {
	unsigned starts;
	uint32_t id, asked;
	bool add;
	uint32_t status;
	bool at_once; /* done before start() returns */
	unsigned rises, falls, calls;
	bool level;
	uint32_t changes_at_rise;
} seen;

static uint32_t host_status(void *ctx, uint32_t apic_id)
{
	assert_ptr_equal(ctx, &seen);
	seen.asked = apic_id;
	return seen.status;
}

static void host_start(void *ctx, uint32_t apic_id, bool add)
{
	assert_ptr_equal(ctx, &seen);
	seen.starts++;
	seen.id = apic_id;
	seen.add = add;
	if (seen.at_once)
		hotplug_done(&h, true);
}

static void set_line(void *ctx, unsigned gsi, bool level)
{
	assert_ptr_equal(ctx, &seen);
	assert_int_equal(gsi, GSI);
	seen.calls++;
	seen.rises += level && !seen.level;
	seen.falls += !level && seen.level;
	seen.level = level;
	if (level)
		seen.changes_at_rise = h.changes;
}

static int setup(void **state)
{
	const struct irq_line line = {set_line, &seen, GSI};
	const struct hotplug_host host = {host_status, host_start, &seen};

	(void)state;
	memset(&seen, 0, sizeof(seen));
	memset(&h, 0xa5, sizeof(h));
	hotplug_init(&h, BASE, &line, &host);
	return 0;
}

static uint32_t in(uint64_t port)
{
	return (uint32_t)h.dev.ops->read(&h.dev, port, 4);
}

static void out(uint64_t port, uint32_t value)
{
	h.dev.ops->write(&h.dev, port, 4, value);
}

static void claims_12_ports_of_32_bits(void **state)
{
	const struct bus_range *r = h.dev.ranges;

	(void)state;
	assert_int_equal(r[0].space, BUS_PIO);
	assert_int_equal(r[0].base, BASE);
	assert_int_equal(r[0].len, HOTPLUG_PORTS);
	assert_int_equal(r[0].width, 4);
	assert_int_equal(r[1].len, 0);
}

static void is_idle_after_power_on(void **state)
{
	(void)state;
	assert_int_equal(in(ID), 0);
	assert_int_equal(in(STATUS), 0);
	assert_int_equal(in(COUNT), 0);
	assert_int_equal(seen.calls, 0);
}

/* APIC IDs have 32 bits; the status is that of the CPU that is selected at the moment. */
static void status_is_the_selected_cpus(void **state)
{
	static const uint32_t ids[] = {0, 1, 255, 256, 0x10001, 0xffffffff};

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		seen.status = i & 3;
		out(ID, ids[i]);
		assert_int_equal(in(ID), ids[i]);
		assert_int_equal(in(STATUS), i & 3);
		assert_int_equal(seen.asked, ids[i]);
	}
	assert_int_equal(seen.starts, 0);
}

/* BUSY and FAILED are the device's own: nothing the host answers shows there. */
static void host_status_has_two_bits(void **state)
{
	(void)state;
	seen.status = ~0u;
	assert_int_equal(in(STATUS), HOTPLUG_PRESENT | HOTPLUG_PLUGGED);
}

static void commands_start_what_they_name(void **state)
{
	(void)state;
	out(ID, 300);
	out(CMD, HOTPLUG_ADD);
	assert_int_equal(seen.starts, 1);
	assert_int_equal(seen.id, 300);
	assert_true(seen.add);
	assert_int_equal(in(STATUS), HOTPLUG_BUSY);
	hotplug_done(&h, true);
	assert_int_equal(in(STATUS), 0);
	out(ID, 4095);
	out(CMD, HOTPLUG_REMOVE);
	assert_int_equal(seen.starts, 2);
	assert_int_equal(seen.id, 4095);
	assert_false(seen.add);
	hotplug_done(&h, true);
	assert_int_equal(in(STATUS), 0);
}

/* "A command is under way, for whichever CPU": another one selected sees it too. */
static void busy_is_seen_from_every_cpu(void **state)
{
	(void)state;
	out(ID, 1);
	out(CMD, HOTPLUG_ADD);
	out(ID, 2);
	assert_int_equal(in(STATUS), HOTPLUG_BUSY);
	assert_int_equal(seen.id, 1);
}

static void command_that_cannot_be_done_failed(void **state)
{
	(void)state;
	out(CMD, HOTPLUG_REMOVE);
	hotplug_done(&h, false);
	assert_int_equal(in(STATUS), HOTPLUG_FAILED);
	assert_int_equal(in(STATUS), HOTPLUG_FAILED);
	out(CMD, HOTPLUG_ADD);
	assert_int_equal(in(STATUS), HOTPLUG_BUSY);
	hotplug_done(&h, true);
	assert_int_equal(in(STATUS), 0);
}

static void unknown_commands_fail(void **state)
{
	static const uint32_t unknown[] = {0, 3, 4, 0x101, 0x80000001, 0xffffffff};

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		out(CMD, unknown[i]);
		assert_int_equal(in(STATUS), HOTPLUG_FAILED);
		out(CMD, HOTPLUG_ADD);
		hotplug_done(&h, true);
		assert_int_equal(in(STATUS), 0);
		assert_int_equal(seen.starts, i + 1);
	}
}

/* The second command is not taken, and its failure outlives the success of the first. */
static void one_command_at_a_time(void **state)
{
	(void)state;
	out(ID, 1);
	out(CMD, HOTPLUG_ADD);
	out(ID, 2);
	out(CMD, HOTPLUG_ADD);
	assert_int_equal(seen.starts, 1);
	assert_int_equal(in(STATUS), HOTPLUG_BUSY | HOTPLUG_FAILED);
	hotplug_done(&h, true);
	assert_int_equal(in(STATUS), HOTPLUG_FAILED);
	out(CMD, HOTPLUG_ADD);
	assert_int_equal(seen.starts, 2);
	assert_int_equal(in(STATUS), HOTPLUG_BUSY);
}

static void command_may_be_done_at_once(void **state)
{
	(void)state;
	seen.at_once = true;
	out(CMD, HOTPLUG_ADD);
	assert_int_equal(in(STATUS), 0);
}

/* The count has moved when the interrupt comes, which is one edge a change, whoever made it. */
static void changes_are_counted_and_interrupt(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		hotplug_changed(&h);
		assert_int_equal(in(COUNT), i);
		assert_int_equal(seen.rises, i);
		assert_int_equal(seen.falls, i);
		assert_int_equal(seen.changes_at_rise, i);
		assert_false(seen.level);
	}
	out(CMD, HOTPLUG_ADD);
	hotplug_done(&h, true);
	assert_int_equal(seen.rises, 3);
	h.changes = 0xffffffff;
	hotplug_changed(&h);
	assert_int_equal(in(COUNT), 0);
}

static void changes_are_read_only(void **state)
{
	(void)state;
	hotplug_changed(&h);
	out(COUNT, 77);
	assert_int_equal(in(COUNT), 1);
	assert_int_equal(in(ID), 0);
	assert_int_equal(seen.starts, 0);
}

/* The bus hands over what lies within the range, of up to 4 bytes. */
static void other_sizes_and_alignments_do_nothing(void **state)
{
	(void)state;
	out(ID, 0x12345678);
	hotplug_changed(&h);
	seen.status = HOTPLUG_PRESENT;
	for (unsigned size = 1; size <= 4; size *= 2) {
		for (unsigned at = 0; at + size <= HOTPLUG_PORTS; at++) {
			if (size == 4 && at % 4 == 0)
				continue;
			h.dev.ops->write(&h.dev, BASE + at, size, HOTPLUG_ADD);
			assert_int_equal(h.dev.ops->read(&h.dev, BASE + at, size), 0);
		}
	}
	assert_int_equal(seen.starts, 0);
	assert_int_equal(in(ID), 0x12345678);
	assert_int_equal(in(STATUS), HOTPLUG_PRESENT);
	assert_int_equal(in(COUNT), 1);
}

static void make_dirty(void)
{
	out(ID, 9);
	out(CMD, HOTPLUG_ADD);
	out(CMD, HOTPLUG_ADD);
	hotplug_changed(&h);
	assert_int_equal(in(STATUS), HOTPLUG_BUSY | HOTPLUG_FAILED);
	seen.calls = 0;
}

static void reset_clears_everything(void **state)
{
	(void)state;
	for (enum reset_kind kind = 0; kind < RESET_KINDS; kind++) {
		make_dirty();
		h.dev.ops->reset(&h.dev, kind);
		assert_int_equal(in(ID), 0);
		assert_int_equal(in(STATUS), 0);
		assert_int_equal(in(COUNT), 0);
		assert_int_equal(seen.calls, 0);
	}
}

/* What was asked for before a reset is nobody's result after it. */
static void late_result_is_ignored(void **state)
{
	(void)state;
	out(CMD, HOTPLUG_REMOVE);
	h.dev.ops->reset(&h.dev, RESET_HARD);
	hotplug_done(&h, false);
	assert_int_equal(in(STATUS), 0);
}

#define T(f) cmocka_unit_test_setup(f, setup)

TEST_MAIN(T(claims_12_ports_of_32_bits), T(is_idle_after_power_on), T(status_is_the_selected_cpus),
	  T(host_status_has_two_bits), T(commands_start_what_they_name),
	  T(busy_is_seen_from_every_cpu), T(command_that_cannot_be_done_failed),
	  T(unknown_commands_fail), T(one_command_at_a_time), T(command_may_be_done_at_once),
	  T(changes_are_counted_and_interrupt), T(changes_are_read_only),
	  T(other_sizes_and_alignments_do_nothing), T(reset_clears_everything),
	  T(late_result_is_ignored))

// SPDX-License-Identifier: MIT
/* Who is meant by a message: "Determining IPI Destination" and "Lowest Priority Delivery Mode", SDM vol. 3A. */
#include <stdlib.h>

#include "lapic_rig.h"
#include "chips/apic_bus.h"

#define MAX 4200

static struct apic_bus bus;
static struct rig cpus[MAX];
static unsigned targets[MAX];

/* CPUs with these IDs, in xAPIC mode, software-enabled. */
static void make(unsigned n, const uint32_t *ids)
{
	apic_bus_free(&bus);
	for (unsigned i = 0; i < n; i++) {
		rig_on(&cpus[i]);
		cpus[i].l.cfg.id = ids ? ids[i] : i;
		lapic_reset(&cpus[i].l);
		rig_wr(&cpus[i], SVR, 0x1ff);
		assert_int_equal(apic_bus_add(&bus, &cpus[i].l), 0);
	}
}

static void make_x2apic(unsigned n, const uint32_t *ids)
{
	make(n, ids);
	for (unsigned i = 0; i < n; i++)
		rig_base(&cpus[i], LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);
}

static void logical_ids(unsigned n, const uint8_t *ldr, uint32_t dfr)
{
	for (unsigned i = 0; i < n; i++) {
		rig_wr(&cpus[i], LDR, (uint32_t)ldr[i] << 24);
		rig_wr(&cpus[i], DFR, dfr);
	}
}

static unsigned send(uint32_t dest, bool wide, bool logical)
{
	const struct apic_msg msg = {
		.dest = dest, .wide = wide, .logical = logical, .vector = 0x41, .assert = true};

	return apic_bus_route(&bus, &msg, APIC_BUS_NO_SOURCE, targets);
}

/* The targets as a mask, for fewer than 32 CPUs. */
static uint32_t who(uint32_t dest, bool wide, bool logical)
{
	unsigned n = send(dest, wide, logical);
	uint32_t mask = 0;

	for (unsigned i = 0; i < n; i++)
		mask |= 1u << targets[i];
	return mask;
}

/* "Physical Destination Mode": one CPU, or all with 0xff. */
static void physical_in_8_bits(void **state)
{
	(void)state;
	make(8, NULL);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(who(i, false, false), 1u << i);
	assert_int_equal(who(8, false, false), 0);
	assert_int_equal(who(0xff, false, false), 0xff);
	/* There are only 8 bits of it. */
	assert_int_equal(who(0x103, false, false), 1u << 3);
	/* "The local APIC ID" of the register, where that was written. */
	rig_wr(&cpus[2], ID, 0x55000000);
	assert_int_equal(who(2, false, false), 0);
	assert_int_equal(who(0x55, false, false), 1u << 2);
}

/* "x2APIC Register Address Space", destinations of 32 bits: 0xff is CPU 255, all ones are all. */
static void physical_in_32_bits(void **state)
{
	static const uint32_t ids[] = {0, 255, 256, 1000, 4095, 0xfffffffe};

	(void)state;
	make_x2apic(6, ids);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(who(ids[i], true, false), 1u << i);
	assert_int_equal(who(0xffffffff, true, false), 0x3f);
	assert_int_equal(who(1, true, false), 0);
	/* An I/O APIC knows 8 bits, and broadcasts to x2APICs as well. */
	assert_int_equal(who(0xff, false, false), 0x3f);
	assert_int_equal(who(0, false, false), 1);
	assert_int_equal(who(1000 & 0xff, false, false), 0);
}

/* 8-bit IDs that are the same: all who have it are meant. */
static void aliased_ids_all_match(void **state)
{
	static const uint32_t ids[] = {0, 1, 256, 257, 513};

	(void)state;
	make(5, ids);
	assert_int_equal(who(0, false, false), 1u << 0 | 1u << 2);
	assert_int_equal(who(1, false, false), 1u << 1 | 1u << 3 | 1u << 4);
	/* 32 bits name the one CPU, even while it is in xAPIC mode: so an AP above 255 is started. */
	assert_int_equal(who(0, true, false), 1u << 0);
	assert_int_equal(who(257, true, false), 1u << 3);
	assert_int_equal(who(0xffffffff, true, false), 0x1f);
	make_x2apic(5, ids);
	assert_int_equal(who(1, false, false), 1u << 1);
}

/* "Logical Destination Mode", flat model: any bit in common. */
static void logical_flat(void **state)
{
	static const uint8_t ldr[] = {0x01, 0x02, 0x04, 0x81, 0x00};

	(void)state;
	make(5, NULL);
	logical_ids(5, ldr, 0xffffffff);
	for (unsigned dest = 0; dest < 0xff; dest++) {
		uint32_t expect = 0;

		for (unsigned i = 0; i < 5; i++)
			if (ldr[i] & dest)
				expect |= 1u << i;
		assert_int_equal(who(dest, false, true), expect);
	}
	assert_int_equal(who(0xff, false, true), 0x1f);
	/* An x2APIC's 32 bits mean none of these, but for the broadcast. */
	assert_int_equal(who(0x10001, true, true), 0);
	assert_int_equal(who(0xffffffff, true, true), 0x1f);
}

/* ... cluster model: the cluster, and any bit in common; cluster 15 "guarantees a match on all clusters". */
static void logical_cluster(void **state)
{
	static const uint8_t ldr[] = {0x01, 0x02, 0x11, 0x14, 0x00, 0xe8};

	(void)state;
	make(6, NULL);
	logical_ids(6, ldr, 0);
	for (unsigned dest = 0; dest < 0xff; dest++) {
		uint32_t expect = 0;

		for (unsigned i = 0; i < 6; i++)
			if ((dest >> 4 == 15 || ldr[i] >> 4 == dest >> 4) && (ldr[i] & dest & 15))
				expect |= 1u << i;
		assert_int_equal(who(dest, false, true), expect);
	}
	assert_int_equal(who(0xff, false, true), 0x3f);
	/* Another model than 0 and 15 is reserved. */
	logical_ids(6, ldr, 0x50000000);
	assert_int_equal(who(0x11, false, true), 0);
	assert_int_equal(who(0x01, false, true), 0);
}

/* "Logical Destination Mode in x2APIC Mode": 16 bits of cluster, 16 of members. */
static void logical_x2apic(void **state)
{
	static const uint32_t ids[] = {0, 1, 15, 16, 31, 4095, 0xfffff};

	(void)state;
	make_x2apic(7, ids);
	assert_int_equal(who(0x00000001, true, true), 1u << 0);
	assert_int_equal(who(0x0000ffff, true, true), 7);
	assert_int_equal(who(0x00018001, true, true), 1u << 3 | 1u << 4);
	assert_int_equal(who(0x00017ffe, true, true), 0);
	assert_int_equal(who(255u << 16 | 0x8000, true, true), 1u << 5);
	assert_int_equal(who(0xffff8000, true, true), 1u << 6);
	assert_int_equal(who(0xffffffff, true, true), 0x7f);
	/* 8 bits of an I/O APIC reach cluster 0. */
	assert_int_equal(who(0x03, false, true), 3);
	assert_int_equal(who(0x80, false, true), 0);
}

static unsigned ipi(enum apic_shorthand shorthand, unsigned source)
{
	const struct apic_msg msg = {
		.shorthand = (uint8_t)shorthand, .vector = 0x41, .assert = true, .dest = 1};

	return apic_bus_route(&bus, &msg, source, targets);
}

/* "Destination Shorthand": the destination field is not looked at. */
static void shorthands(void **state)
{
	(void)state;
	make(4, NULL);
	rig_base(&cpus[3], 0);
	assert_int_equal(ipi(APIC_SELF, 2), 1);
	assert_int_equal(targets[0], 2);
	assert_int_equal(ipi(APIC_ALL, 2), 3);
	assert_int_equal(ipi(APIC_ALL_BUT_SELF, 2), 2);
	assert_int_equal(targets[0], 0);
	assert_int_equal(targets[1], 1);
	assert_int_equal(ipi(APIC_NO_SHORTHAND, 2), 1);
	assert_int_equal(targets[0], 1);
	assert_int_equal(ipi(APIC_SELF, APIC_BUS_NO_SOURCE), 0);
	assert_int_equal(ipi(4, 2), 0);
}

/* A globally disabled APIC is not on the bus; a software-disabled one is. */
static void disabled_apics(void **state)
{
	(void)state;
	make(3, NULL);
	rig_wr(&cpus[1], SVR, 0xff);
	rig_base(&cpus[2], 0);
	assert_int_equal(who(0xff, false, false), 3);
	assert_int_equal(who(2, false, false), 0);
	apic_bus_free(&bus);
	assert_int_equal(who(0xff, false, false), 0);
}

static unsigned lowest(uint32_t dest)
{
	const struct apic_msg msg = {.dest = dest,
				     .logical = true,
				     .delivery = APIC_LOWEST,
				     .vector = 0x41,
				     .assert = true};

	return apic_bus_route(&bus, &msg, APIC_BUS_NO_SOURCE, targets) ? targets[0] : MAX;
}

/* "Lowest Priority Delivery Mode": "the processor with the lowest value in its APR handles the IPI". */
static void lowest_priority_goes_to_the_lowest_apr(void **state)
{
	static const uint8_t ldr[] = {1, 2, 4, 8};

	(void)state;
	make(4, NULL);
	logical_ids(4, ldr, 0xffffffff);
	rig_wr(&cpus[0], TPR, 0x30);
	rig_wr(&cpus[1], TPR, 0x20);
	rig_wr(&cpus[2], TPR, 0x21);
	rig_wr(&cpus[3], TPR, 0x10);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(lowest(0x0f), 3);
		assert_int_equal(lowest(0x07), 1);
		assert_int_equal(lowest(0x05), 2);
		assert_int_equal(lowest(0x01), 0);
	}
	/* What waits in IRR counts. */
	rig_fixed(&cpus[3], 0x51);
	assert_int_equal(lowest(0x0f), 1);
}

/* ... and among equals in turn, each the same number of times. */
static void equals_take_turns(void **state)
{
	static const uint8_t ldr[] = {1, 2, 4, 8};
	unsigned won[4] = {0};

	(void)state;
	make(4, NULL);
	logical_ids(4, ldr, 0xffffffff);
	assert_int_equal(lowest(0x0f), 0);
	for (unsigned i = 0; i < 399; i++)
		won[lowest(0x0f)]++;
	assert_int_equal(won[0], 99);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(won[i], 100);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(lowest(0x06), i & 1 ? 2 : 1);
}

/* ... and never to a CPU that is absent or disabled, while there is another. */
static void lowest_priority_finds_those_who_accept(void **state)
{
	static const uint8_t ldr[] = {1, 4, 8};

	(void)state;
	make(3, NULL);
	logical_ids(3, ldr, 0xffffffff);
	rig_wr(&cpus[1], SVR, 0xff);
	rig_base(&cpus[2], 0);
	for (unsigned i = 0; i < 10; i++)
		for (unsigned dest = 1; dest < 256; dest += 2)
			assert_int_equal(lowest(dest), 0);
	assert_int_equal(lowest(0x04), MAX);
	assert_int_equal(lowest(0x08), MAX);
	assert_int_equal(lowest(0x10), MAX);
}

/* "Message Data Register Format": no SIPI there, mode 3 reserved; levels are asserted or nothing. */
static void reserved_modes_go_nowhere(void **state)
{
	struct apic_msg msg = {.dest = 0, .assert = true};

	(void)state;
	make(2, NULL);
	for (unsigned mode = 0; mode < 10; mode++) {
		bool reserved = mode == 3 || mode > 7;

		msg.delivery = (uint8_t)mode;
		msg.assert = true;
		assert_int_equal(apic_bus_route(&bus, &msg, 1, targets), !reserved);
		assert_int_equal(apic_bus_route(&bus, &msg, APIC_BUS_NO_SOURCE, targets),
				 !reserved && mode != APIC_SIPI);
		msg.assert = false;
		assert_int_equal(apic_bus_route(&bus, &msg, 1, targets), !reserved);
		assert_int_equal(apic_bus_route(&bus, &msg, APIC_BUS_NO_SOURCE, targets), 0);
	}
}

/* As many CPUs as one likes. */
static void thousands_of_cpus(void **state)
{
	(void)state;
	make_x2apic(MAX, NULL);
	assert_int_equal(bus.count, MAX);
	assert_int_equal(send(0xffffffff, true, false), MAX);
	for (unsigned i = 0; i < MAX; i++)
		assert_int_equal(targets[i], i);
	assert_int_equal(send(4095, true, false), 1);
	assert_int_equal(targets[0], 4095);
	assert_int_equal(send(100u << 16 | 0xffff, true, true), 16);
	assert_int_equal(targets[15], 1615);
}

/* More than an unsigned can count: nothing has changed. */
static void too_many_cpus_are_refused(void **state)
{
	struct apic_bus full = {.count = 1u << 31, .room = 1u << 31};

	(void)state;
	assert_int_equal(apic_bus_add(&full, &cpus[0].l), -1);
	assert_int_equal(full.count, 1u << 31);
	assert_int_equal(full.room, 1u << 31);
	assert_null(full.cpus);
}

TEST_MAIN(cmocka_unit_test(physical_in_8_bits), cmocka_unit_test(physical_in_32_bits),
	  cmocka_unit_test(aliased_ids_all_match), cmocka_unit_test(logical_flat),
	  cmocka_unit_test(logical_cluster), cmocka_unit_test(logical_x2apic),
	  cmocka_unit_test(shorthands), cmocka_unit_test(disabled_apics),
	  cmocka_unit_test(lowest_priority_goes_to_the_lowest_apr),
	  cmocka_unit_test(equals_take_turns),
	  cmocka_unit_test(lowest_priority_finds_those_who_accept),
	  cmocka_unit_test(reserved_modes_go_nowhere), cmocka_unit_test(thousands_of_cpus),
	  cmocka_unit_test(too_many_cpus_are_refused))

// SPDX-License-Identifier: MIT
/*
 * The I/O APIC model against the 82093AA data sheet ("DS") and, for the EOI register, the ICH data
 * sheets. Where the data sheet leaves room, the test says whose behaviour is taken.
 */
#include <string.h>

#include "test.h"
#include "chips/ioapic.h"

#define SELECT 0x00
#define WINDOW 0x10
#define EOI    0x40

#define REMOTE_IRR (1u << 14)
#define LEVEL	   (1u << 15)
#define MASKED	   (1u << 16)

static struct ioapic io;
static struct ioapic_effects eff;

static int setup(void **state)
{
	(void)state;
	memset(&io, 0, sizeof(io));
	memset(&eff, 0x5a, sizeof(eff)); /* effects are filled in anew, not added to */
	ioapic_reset(&io);
	return 0;
}

static uint32_t get(unsigned reg)
{
	ioapic_write(&io, SELECT, reg, &eff);
	return ioapic_read(&io, WINDOW);
}

static void set(unsigned reg, uint32_t value)
{
	ioapic_write(&io, SELECT, reg, &eff);
	ioapic_write(&io, WINDOW, value, &eff);
}

static uint32_t low(unsigned pin)
{
	return get(0x10 + 2 * pin);
}

static void set_low(unsigned pin, uint32_t value)
{
	set(0x10 + 2 * pin, value);
}

static void line(unsigned pin, bool level)
{
	ioapic_set_line(&io, pin, level, &eff);
}

/* DS 3.1: IOREGSEL is 8 bits wide and can be read back. */
static void select_register_reads_back_8_bits(void **state)
{
	(void)state;
	ioapic_write(&io, SELECT, 0xabcdef12, &eff);
	assert_int_equal(ioapic_read(&io, SELECT), 0x12);
}

/* DS 3.2.1: the ID is bits 27:24, all others are reserved. */
static void id_has_four_bits(void **state)
{
	(void)state;
	set(0x00, 0xffffffff);
	assert_int_equal(get(0x00), 0x0f000000);
	ioapic_reset(&io);
	assert_int_equal(get(0x00), 0);
}

/* DS 3.2.2, with version 0x20 for the EOI register; read-only. */
static void version_is_0x20_with_24_pins(void **state)
{
	(void)state;
	set(0x01, 0);
	assert_int_equal(get(0x01), 0x00170020);
}

/* DS 3.2.3: the arbitration ID is loaded when the ID is written; read-only. */
static void arbitration_id_follows_id(void **state)
{
	(void)state;
	set(0x00, 0x05000000);
	set(0x02, 0x0a000000);
	assert_int_equal(get(0x02), 0x05000000);
}

/* DS 3.2.4: masked after reset. */
static void reset_masks_every_pin(void **state)
{
	(void)state;
	set_low(7, 0x31);
	set(0x11 + 14, 0xff000000);
	ioapic_reset(&io);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		assert_int_equal(low(pin), MASKED);
		assert_int_equal(get(0x11 + 2 * pin), 0);
	}
}

/* A line belongs to the device that drives it, so its level outlives a reset of the IOAPIC. */
static void lines_survive_reset(void **state)
{
	(void)state;
	line(4, true);
	ioapic_reset(&io);
	set_low(4, LEVEL | 0x40);
	assert_int_equal(eff.count, 1);
}

/* DS 3.2.4: bits 31:17 and 55:32 are reserved, delivery status and remote IRR are read-only. */
static void entry_has_no_other_writable_bits(void **state)
{
	(void)state;
	set_low(3, 0xffffffff);
	assert_int_equal(low(3), 0x0001afff);
	set(0x10 + 7, 0xffffffff);
	assert_int_equal(get(0x10 + 7), 0xff000000);
	assert_int_equal(low(3), 0x0001afff);
}

/* Registers that do not exist read 0 and take no writes. */
static void unknown_registers_read_zero(void **state)
{
	(void)state;
	for (unsigned reg = 0x03; reg < 0x100; reg++) {
		if (reg >= 0x10 && reg < 0x40)
			continue;
		set(reg, 0xffffffff);
		assert_int_equal(eff.changed, 0);
		assert_int_equal(get(reg), 0);
	}
	ioapic_write(&io, 0x20, 0xffffffff, &eff);
	assert_int_equal(ioapic_read(&io, 0x20), 0);
	assert_int_equal(ioapic_read(&io, EOI), 0);
	assert_int_equal(ioapic_read(&io, UINT64_MAX), 0);
}

/* The mirror in KVM's routing table is brought up to date from this. */
static void entry_writes_are_reported(void **state)
{
	(void)state;
	set(0x10 + 2 * 23, MASKED | 1);
	assert_int_equal(eff.changed, 1u << 23);
	set(0x11 + 2 * 5, 0);
	assert_int_equal(eff.changed, 1u << 5);
	line(5, true);
	assert_int_equal(eff.changed, 0);
}

/* DS 3.2.4: each field of the entry is found in the message. */
static void message_carries_the_entry(void **state)
{
	const struct ioapic_msg *m = &eff.msg[0];

	(void)state;
	set(0x11 + 2 * 9, 0xa5000000);
	set_low(9, 0x0800 | APIC_LOWEST << 8 | 0x77);
	line(9, true);
	assert_int_equal(eff.count, 1);
	assert_int_equal(m->pin, 9);
	assert_int_equal(m->dest, 0xa5);
	assert_int_equal(m->vector, 0x77);
	assert_int_equal(m->delivery, APIC_LOWEST);
	assert_true(m->logical);
	assert_false(m->level);
}

/* DS 3.2.4 bit 15: an edge pin sends on each rising edge, and on nothing else. */
static void edge_pin_sends_once_an_edge(void **state)
{
	(void)state;
	set_low(1, 0x31);
	for (int i = 0; i < 3; i++) {
		line(1, true);
		assert_int_equal(eff.count, 1);
		assert_int_equal(low(1) & REMOTE_IRR, 0);
		line(1, true);
		assert_int_equal(eff.count, 0);
		line(1, false);
		assert_int_equal(eff.count, 0);
	}
}

/* DS 3.2.4 bit 16: edges on a masked pin are "not delivered or held pending". */
static void edge_on_a_masked_pin_is_lost(void **state)
{
	(void)state;
	set_low(1, MASKED | 0x31);
	line(1, true);
	assert_int_equal(eff.count, 0);
	set_low(1, 0x31);
	assert_int_equal(eff.count, 0);
	line(1, false);
	line(1, true);
	assert_int_equal(eff.count, 1);
}

/* DS 3.2.4 bit 14: one message, then silence until the EOI, whatever the line does. */
static void level_pin_waits_for_the_eoi(void **state)
{
	(void)state;
	set_low(10, LEVEL | 0x50);
	line(10, true);
	assert_int_equal(eff.count, 1);
	assert_true(eff.msg[0].level);
	assert_true(low(10) & REMOTE_IRR);
	line(10, false);
	line(10, true);
	assert_int_equal(eff.count, 0);
	line(10, false);
	ioapic_eoi(&io, 0x50, &eff);
	assert_int_equal(eff.count, 0);
	assert_false(low(10) & REMOTE_IRR);
}

/* DS 3.2.4 bit 14 and bit 15: a line that is still asserted at the EOI interrupts again. */
static void level_pin_is_sent_again_at_eoi(void **state)
{
	(void)state;
	set_low(10, LEVEL | 0x50);
	line(10, true);
	ioapic_eoi(&io, 0x50, &eff);
	assert_int_equal(eff.count, 1);
	assert_int_equal(eff.msg[0].pin, 10);
	assert_true(low(10) & REMOTE_IRR);
}

/* DS 3.2.4 bit 14: the EOI message has to match the vector. */
static void eoi_of_another_vector_is_ignored(void **state)
{
	(void)state;
	set_low(10, LEVEL | 0x50);
	line(10, true);
	ioapic_eoi(&io, 0x51, &eff);
	assert_int_equal(eff.count, 0);
	assert_true(low(10) & REMOTE_IRR);
}

/* An EOI names a vector, not a pin: it ends the interrupt of every pin that shares the vector. */
static void eoi_reaches_every_pin_of_the_vector(void **state)
{
	(void)state;
	set_low(10, LEVEL | 0x50);
	set_low(11, LEVEL | 0x50);
	line(10, true);
	line(11, true);
	line(11, false);
	ioapic_eoi(&io, 0x50, &eff);
	assert_int_equal(eff.count, 1);
	assert_int_equal(eff.msg[0].pin, 10);
	assert_false(low(11) & REMOTE_IRR);
}

/* ICH "EOIR": a write of a vector does what the broadcast does (directed EOI). */
static void eoi_register_does_what_a_broadcast_does(void **state)
{
	(void)state;
	set_low(10, LEVEL | 0x50);
	line(10, true);
	ioapic_write(&io, EOI, 0x50, &eff);
	assert_int_equal(eff.count, 1);
	line(10, false);
	ioapic_write(&io, EOI, 0x50, &eff);
	assert_int_equal(eff.count, 0);
	assert_false(low(10) & REMOTE_IRR);
}

/* DS 3.2.4 bit 16: a masked level has no side effects, and is looked at again when unmasked. */
static void unmasking_evaluates_the_level(void **state)
{
	(void)state;
	set_low(10, LEVEL | MASKED | 0x50);
	line(10, true);
	assert_int_equal(eff.count, 0);
	assert_false(low(10) & REMOTE_IRR);
	set_low(10, LEVEL | 0x50);
	assert_int_equal(eff.count, 1);
	assert_true(low(10) & REMOTE_IRR);
}

/* DS 3.2.4 bit 16: masking "has no effect on" an interrupt that was accepted. */
static void masking_keeps_remote_irr(void **state)
{
	(void)state;
	set_low(10, LEVEL | 0x50);
	line(10, true);
	set_low(10, LEVEL | MASKED | 0x50);
	assert_true(low(10) & REMOTE_IRR);
	set_low(10, LEVEL | 0x50);
	assert_int_equal(eff.count, 0);
	set_low(10, LEVEL | MASKED | 0x50);
	ioapic_eoi(&io, 0x50, &eff);
	assert_int_equal(eff.count, 0);
	assert_false(low(10) & REMOTE_IRR);
}

/* What Linux does (clear_IO_APIC_pin) where there is no EOI register; KVM and QEMU agree. */
static void switching_to_edge_clears_remote_irr(void **state)
{
	(void)state;
	set_low(10, LEVEL | 0x50);
	line(10, true);
	line(10, false);
	set_low(10, MASKED | 0x50);
	set_low(10, LEVEL | MASKED | 0x50);
	assert_false(low(10) & REMOTE_IRR);
	set_low(10, LEVEL | 0x50);
	line(10, true);
	assert_int_equal(eff.count, 1);
}

/* A pin that becomes level triggered is asserted already. An edge pin sees no edge in that. */
static void switching_to_level_evaluates_the_line(void **state)
{
	(void)state;
	set_low(10, MASKED | 0x50);
	line(10, true);
	set_low(10, 0x50);
	assert_int_equal(eff.count, 0);
	set_low(10, LEVEL | 0x50);
	assert_int_equal(eff.count, 1);
}

/* DS 3.2.4 bits 10:8 and SDM vol. 3: these are edges whatever the trigger bit says. */
static void other_delivery_modes_are_edges(void **state)
{
	static const uint8_t modes[] = {APIC_SMI, 3, APIC_NMI, APIC_INIT, 6, APIC_EXTINT};

	(void)state;
	for (unsigned i = 0; i < sizeof(modes); i++) {
		set_low(12, LEVEL | (uint32_t)modes[i] << 8 | 0x60);
		line(12, true);
		assert_int_equal(eff.count, 1);
		assert_int_equal(eff.msg[0].delivery, modes[i]);
		assert_false(eff.msg[0].level);
		assert_int_equal(low(12), LEVEL | (uint32_t)modes[i] << 8 | 0x60);
		line(12, false);
	}
}

/* Polarity is kept but does not invert: a line is "asserted" or not (KVM, QEMU). */
static void polarity_does_not_invert(void **state)
{
	(void)state;
	set_low(10, LEVEL | 1u << 13 | 0x50);
	assert_int_equal(eff.count, 0);
	line(10, true);
	assert_int_equal(eff.count, 1);
}

/* No pin beyond the last one. */
static void pins_out_of_range_are_ignored(void **state)
{
	struct ioapic before = io;
	struct ioapic_msg msg;

	(void)state;
	line(IOAPIC_PINS, true);
	line(UINT32_MAX, true);
	assert_int_equal(eff.count, 0);
	assert_memory_equal(&before, &io, sizeof(io));
	assert_false(ioapic_route(&io, IOAPIC_PINS, &msg));
}

static void route_tells_what_a_pin_would_send(void **state)
{
	struct ioapic_msg msg;

	(void)state;
	assert_false(ioapic_route(&io, 3, &msg));
	set_low(3, LEVEL | 0x33);
	assert_true(ioapic_route(&io, 3, &msg));
	assert_int_equal(msg.vector, 0x33);
	assert_true(msg.level);
	assert_false(low(3) & REMOTE_IRR);
}

#define T(f) cmocka_unit_test_setup(f, setup)

TEST_MAIN(T(select_register_reads_back_8_bits), T(id_has_four_bits),
	  T(version_is_0x20_with_24_pins), T(arbitration_id_follows_id), T(reset_masks_every_pin),
	  T(lines_survive_reset), T(entry_has_no_other_writable_bits),
	  T(unknown_registers_read_zero), T(entry_writes_are_reported),
	  T(message_carries_the_entry), T(edge_pin_sends_once_an_edge),
	  T(edge_on_a_masked_pin_is_lost), T(level_pin_waits_for_the_eoi),
	  T(level_pin_is_sent_again_at_eoi), T(eoi_of_another_vector_is_ignored),
	  T(eoi_reaches_every_pin_of_the_vector), T(eoi_register_does_what_a_broadcast_does),
	  T(unmasking_evaluates_the_level), T(masking_keeps_remote_irr),
	  T(switching_to_edge_clears_remote_irr), T(switching_to_level_evaluates_the_line),
	  T(other_delivery_modes_are_edges), T(polarity_does_not_invert),
	  T(pins_out_of_range_are_ignored), T(route_tells_what_a_pin_would_send))

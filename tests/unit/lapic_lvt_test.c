// SPDX-License-Identifier: MIT
/* The local vector table. */
#include "lapic_rig.h"

static void event(struct rig *r, enum lapic_lvt which)
{
	lapic_lvt_event(&r->l, which, &r->eff);
}

/* A rising edge. */
static void pulse(struct rig *r, unsigned pin)
{
	rig_line(r, pin, false);
	rig_line(r, pin, true);
}

/* "Local Vector Table", delivery modes of the pins. */
static void pins_deliver_in_all_modes(void **state)
{
	struct rig r;

	(void)state;
	for (unsigned pin = 0; pin < 2; pin++) {
		unsigned reg = pin ? LINT1 : LINT0;

		rig_on(&r);
		rig_wr(&r, reg, 0x41);
		pulse(&r, pin);
		assert_int_equal(lapic_ack(&r.l), 0x41);
		rig_wr(&r, reg, MODE(APIC_SMI));
		pulse(&r, pin);
		assert_true(r.eff.smi && !r.eff.nmi && !r.eff.init);
		rig_wr(&r, reg, MODE(APIC_NMI));
		pulse(&r, pin);
		assert_true(r.eff.nmi && !r.eff.smi && !r.eff.init);
		rig_wr(&r, reg, MODE(APIC_INIT));
		pulse(&r, pin);
		assert_true(r.eff.init && !r.eff.nmi);
		rig_line(&r, pin, false);
		rig_wr(&r, reg, MODE(APIC_EXTINT));
		assert_false(r.eff.extint);
		rig_line(&r, pin, true);
		assert_true(r.eff.extint && !r.eff.init && !r.eff.irq);
		/* 001, 011 and 110 are reserved. */
		for (unsigned mode = 1; mode < 7; mode++) {
			if (mode != 1 && mode != 3 && mode != 6)
				continue;
			rig_wr(&r, reg, MODE(mode) | 0x51);
			pulse(&r, pin);
			assert_false(r.eff.nmi || r.eff.smi || r.eff.init || r.eff.extint ||
				     r.eff.irq);
		}
	}
	rig_line(&r, 2, true);
	assert_false(r.l.lint[0]);
}

/* "Local Vector Table": INIT and ExtINT are "not supported" for the internal sources, the other three are. */
static void internal_sources_deliver_fixed_smi_nmi(void **state)
{
	static const struct {
		enum lapic_lvt which;
		unsigned reg;
	} sources[] = {{LAPIC_LVT_THERMAL, THERMAL}, {LAPIC_LVT_PMC, PMC}, {LAPIC_LVT_CMCI, CMCI}};
	struct rig r;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned mode = 0; mode < 8; mode++) {
			rig_on(&r);
			rig_wr(&r, sources[i].reg, MODE(mode) | 0x41);
			event(&r, sources[i].which);
			assert_int_equal(r.eff.irq, mode == APIC_FIXED);
			assert_int_equal(r.eff.nmi, mode == APIC_NMI);
			assert_int_equal(r.eff.smi, mode == APIC_SMI);
			assert_false(r.eff.init || r.eff.extint || r.eff.sipi);
		}
		rig_on(&r);
		rig_wr(&r, sources[i].reg, MASKED | 0x41);
		event(&r, sources[i].which);
		assert_false(r.eff.irq);
	}
	/* The others have no such event. */
	rig_on(&r);
	rig_wr(&r, TIMER, 0x41);
	rig_wr(&r, ERROR, 0x42);
	rig_wr(&r, LINT0, 0x43);
	event(&r, LAPIC_LVT_TIMER);
	event(&r, LAPIC_LVT_ERROR);
	event(&r, LAPIC_LVT_LINT0);
	event(&r, LAPIC_LVTS);
	assert_false(r.eff.irq);
}

/* "Local Vector Table": handling a performance-monitoring interrupt sets its mask. */
static void the_pmc_entry_masks_itself(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, PMC, MODE(APIC_NMI));
	event(&r, LAPIC_LVT_PMC);
	assert_true(r.eff.nmi);
	assert_int_equal(rig_rd(&r, PMC), MASKED | MODE(APIC_NMI));
	event(&r, LAPIC_LVT_PMC);
	assert_false(r.eff.nmi);
	rig_wr(&r, THERMAL, 0x41);
	event(&r, LAPIC_LVT_THERMAL);
	assert_int_equal(rig_rd(&r, THERMAL), 0x41);
}

/* "Local APIC State After It Has Been Software Disabled": masks are set, and attempts to reset them ignored. */
static void software_disable_forces_the_masks(void **state)
{
	static const unsigned regs[] = {TIMER, THERMAL, PMC, LINT0, LINT1, ERROR, CMCI};
	struct rig r;

	(void)state;
	for (int x2apic = 0; x2apic < 2; x2apic++) {
		if (x2apic)
			rig_on_x2apic(&r);
		else
			rig_on(&r);
		for (size_t i = 0; i < 7; i++)
			rig_wr(&r, regs[i], 0x41);
		rig_wr(&r, SVR, 0xff);
		for (size_t i = 0; i < 7; i++) {
			assert_int_equal(rig_rd(&r, regs[i]), MASKED | 0x41);
			rig_wr(&r, regs[i], 0x42);
			assert_int_equal(rig_rd(&r, regs[i]), MASKED | 0x42);
		}
		/* Enabling does not unmask. */
		rig_wr(&r, SVR, 0x1ff);
		for (size_t i = 0; i < 7; i++)
			assert_int_equal(rig_rd(&r, regs[i]), MASKED | 0x42);
		rig_wr(&r, LINT0, 0x42);
		assert_int_equal(rig_rd(&r, LINT0), 0x42);
	}
}

/* "Local Vector Table", trigger mode: an edge that comes while masked is no interrupt later. */
static void a_masked_edge_is_lost(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, LINT0, MASKED | 0x41);
	rig_line(&r, 0, true);
	rig_wr(&r, LINT0, 0x41);
	assert_false(r.eff.irq);
	rig_line(&r, 0, true);
	assert_false(r.eff.irq);
	pulse(&r, 0);
	assert_true(r.eff.irq);
	assert_false(rig_bit(&r, TMR, 0x41));
	assert_int_equal(rig_rd(&r, LINT0), 0x41);
}

/* "Local Vector Table", remote IRR: set when a level is accepted, reset by the EOI, and then looked at again. */
static void a_level_repeats_until_the_line_falls(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, LINT0, LEVEL | MASKED | 0x41);
	rig_line(&r, 0, true);
	assert_false(r.eff.irq);
	rig_wr(&r, LINT0, LEVEL | 0x41);
	assert_true(r.eff.irq);
	assert_true(rig_bit(&r, TMR, 0x41));
	assert_int_equal(rig_rd(&r, LINT0), LEVEL | REMOTE | 0x41);
	assert_int_equal(lapic_ack(&r.l), 0x41);
	/* Silent until the EOI. */
	pulse(&r, 0);
	assert_false(rig_bit(&r, IRR, 0x41));
	rig_wr(&r, EOI, 0);
	assert_true(r.eff.irq);
	assert_int_equal(rig_rd(&r, LINT0), LEVEL | REMOTE | 0x41);
	assert_int_equal(lapic_ack(&r.l), 0x41);
	rig_line(&r, 0, false);
	rig_wr(&r, EOI, 0);
	assert_false(r.eff.irq);
	assert_int_equal(rig_rd(&r, LINT0), LEVEL | 0x41);
}

/* ... by the EOI of this interrupt, not of another; suppressed broadcasts do not matter to a pin. */
static void remote_irr_waits_for_its_own_eoi(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, SVR, 0x11ff);
	rig_wr(&r, LINT0, LEVEL | 0x41);
	rig_line(&r, 0, true);
	lapic_ack(&r.l);
	rig_fixed(&r, 0x51);
	lapic_ack(&r.l);
	rig_line(&r, 0, false);
	rig_wr(&r, EOI, 0);
	assert_int_equal(rig_rd(&r, LINT0), LEVEL | REMOTE | 0x41);
	rig_wr(&r, EOI, 0);
	assert_int_equal(rig_rd(&r, LINT0), LEVEL | 0x41);
}

/* ... read-only, and "undefined for edge-triggered interrupts and other delivery modes": 0 there. */
static void remote_irr_cannot_be_written(void **state)
{
	struct rig r;

	(void)state;
	rig_on_x2apic(&r);
	rig_wr(&r, LINT0, LEVEL | REMOTE | 0x41);
	assert_int_equal(rig_rd(&r, LINT0), LEVEL | 0x41);
	rig_line(&r, 0, true);
	rig_wr(&r, LINT0, LEVEL | MASKED | 0x41);
	assert_int_equal(rig_rd(&r, LINT0), LEVEL | REMOTE | MASKED | 0x41);
	rig_wr(&r, LINT0, LEVEL | MODE(APIC_NMI) | 0x41);
	assert_int_equal(rig_rd(&r, LINT0), LEVEL | MODE(APIC_NMI) | 0x41);
	rig_wr(&r, LINT0, LEVEL | 0x41);
	rig_wr(&r, LINT0, 0x41);
	assert_int_equal(rig_rd(&r, LINT0), 0x41);
}

/* "Local Vector Table", trigger mode: LINT1 does no levels; NMI, SMI and INIT are edges, ExtINT is a level. */
static void the_trigger_bit_counts_for_fixed_lint0_alone(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_line(&r, 1, true);
	rig_wr(&r, LINT1, LEVEL | 0x41);
	assert_false(r.eff.irq);
	pulse(&r, 1);
	assert_true(r.eff.irq);
	assert_false(rig_bit(&r, TMR, 0x41));
	assert_int_equal(rig_rd(&r, LINT1), LEVEL | 0x41);
	rig_wr(&r, LINT0, LEVEL | MODE(APIC_NMI));
	rig_line(&r, 0, true);
	assert_true(r.eff.nmi);
	rig_line(&r, 0, true);
	assert_false(r.eff.nmi);
	rig_wr(&r, LINT0, MODE(APIC_EXTINT));
	assert_true(r.eff.extint);
	rig_wr(&r, LINT0, MASKED | MODE(APIC_EXTINT));
	assert_false(r.eff.extint);
	assert_int_equal(rig_rd(&r, LINT0), MASKED | MODE(APIC_EXTINT));
}

/* "Error Handling", bit 6: "generated locally from the local vector table". A level makes no remote IRR. */
static void illegal_vectors_in_the_table_are_errors(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, LINT0, LEVEL | 0x0f);
	assert_int_equal(rig_errors(&r), 0);
	rig_line(&r, 0, true);
	assert_int_equal(rig_rd(&r, LINT0), LEVEL | 0x0f);
	assert_int_equal(rig_errors(&r), 0x40);
	assert_int_equal(rig_rd(&r, IRR), 0);
	rig_wr(&r, THERMAL, 0);
	event(&r, LAPIC_LVT_THERMAL);
	assert_int_equal(rig_errors(&r), 0x40);
	/* The vector of an NMI is ignored. */
	rig_wr(&r, THERMAL, MODE(APIC_NMI));
	event(&r, LAPIC_LVT_THERMAL);
	assert_int_equal(rig_errors(&r), 0);
}

TEST_MAIN(cmocka_unit_test(pins_deliver_in_all_modes),
	  cmocka_unit_test(internal_sources_deliver_fixed_smi_nmi),
	  cmocka_unit_test(the_pmc_entry_masks_itself),
	  cmocka_unit_test(software_disable_forces_the_masks),
	  cmocka_unit_test(a_masked_edge_is_lost),
	  cmocka_unit_test(a_level_repeats_until_the_line_falls),
	  cmocka_unit_test(remote_irr_waits_for_its_own_eoi),
	  cmocka_unit_test(remote_irr_cannot_be_written),
	  cmocka_unit_test(the_trigger_bit_counts_for_fixed_lint0_alone),
	  cmocka_unit_test(illegal_vectors_in_the_table_are_errors))

// SPDX-License-Identifier: MIT
/* IA32_APIC_BASE, mode transitions, RESET and INIT. */
#include "lapic_rig.h"

#define X2 (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC)

/* "x2APIC State Transitions", figure and text: from, to, legal for WRMSR. */
static void transitions_are_those_of_the_figure(void **state)
{
	static const struct {
		uint64_t from, to;
		int rc;
	} moves[] = {
		{0, 0, 0},
		{0, LAPIC_BASE_ENABLE, 0},
		{0, X2, -1},
		{0, LAPIC_BASE_X2APIC, -1},
		{LAPIC_BASE_ENABLE, 0, 0},
		{LAPIC_BASE_ENABLE, LAPIC_BASE_ENABLE, 0},
		{LAPIC_BASE_ENABLE, X2, 0},
		{LAPIC_BASE_ENABLE, LAPIC_BASE_X2APIC, -1},
		{X2, 0, 0},
		{X2, LAPIC_BASE_ENABLE, -1},
		{X2, X2, 0},
		{X2, LAPIC_BASE_X2APIC, -1},
	};
	struct rig r, old;

	(void)state;
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		uint64_t to = LAPIC_DEFAULT_BASE | moves[i].to;
		bool invalid = moves[i].to == LAPIC_BASE_X2APIC;

		rig_init(&r);
		rig_base(&r, moves[i].from);
		old = r;
		assert_int_equal(lapic_set_base(&r.l, to, &r.eff), moves[i].rc);
		if (moves[i].rc)
			assert_memory_equal(&r.l, &old.l, sizeof(r.l));
		else
			assert_int_equal(r.l.base, to);
		if (!moves[i].rc)
			assert_int_equal(r.eff.base, moves[i].from != moves[i].to);
		/* The host may do everything but make an invalid state. */
		r = old;
		assert_int_equal(lapic_set_base_host(&r.l, to, &r.eff), invalid ? -1 : 0);
	}
}

/* "Local APIC Status and Location": bits 7:0, 9, and those above MAXPHYADDR; 10 without x2APIC. */
static void reserved_bits_of_the_base_fault(void **state)
{
	struct lapic_config cfg = {.id = 1};
	struct rig r;

	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		bool ok = bit == 8 || (bit >= 10 && bit < 40);

		rig_init(&r);
		assert_int_equal(lapic_set_base(&r.l, RIG_BASE | 1ull << bit, &r.eff), ok ? 0 : -1);
		assert_int_equal(lapic_set_base_host(&r.l, RIG_BASE | 1ull << bit, &r.eff),
				 ok ? 0 : -1);
	}
	lapic_init(&r.l, &cfg);
	assert_int_equal(lapic_set_base(&r.l, RIG_BASE | LAPIC_BASE_X2APIC, &r.eff), -1);
	/* Unstated, MAXPHYADDR is 36; it is never above 52. */
	assert_int_equal(lapic_set_base(&r.l, RIG_BASE | 1ull << 36, &r.eff), -1);
	assert_int_equal(lapic_set_base(&r.l, RIG_BASE | 1ull << 35, &r.eff), 0);
	cfg.phys_bits = 64;
	lapic_init(&r.l, &cfg);
	assert_int_equal(lapic_set_base(&r.l, RIG_BASE | 1ull << 52, &r.eff), -1);
	assert_int_equal(lapic_set_base(&r.l, RIG_BASE | 1ull << 51, &r.eff), 0);
}

/* "Relocating the Local APIC Registers". */
static void the_page_moves_and_the_registers_stay(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, TPR, 0x30);
	assert_int_equal(lapic_set_base(&r.l, 0xfed00000 | LAPIC_BASE_ENABLE, &r.eff), 0);
	assert_true(r.eff.base);
	assert_int_equal(lapic_page(&r.l), 0xfed00000);
	assert_int_equal(rig_rd(&r, TPR), 0x30);
	assert_int_equal(rig_rd(&r, SVR), 0x1ff);
}

/* "State Changes From xAPIC Mode to x2APIC Mode": all but LDR, a written ID and the ICR's high half. */
static void xapic_to_x2apic_keeps_what_the_manual_says(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, ID, 0x77000000);
	rig_wr(&r, LDR, 0x05000000);
	rig_wr(&r, TPR, 0x30);
	rig_wr(&r, ICR2, 0x44000000);
	rig_wr(&r, ICR, 0x00840);
	rig_wr(&r, LINT0, 0x10731);
	rig_wr(&r, INITIAL, 1000);
	rig_fixed(&r, 0x41);
	rig_base(&r, X2);
	assert_true(r.eff.irq);
	assert_int_equal(rig_rd(&r, ID), RIG_ID);
	assert_int_equal(rig_rd(&r, LDR), 0x12u << 16 | 1u << 3);
	assert_int_equal(rig_rd(&r, TPR), 0x30);
	assert_int_equal(rig_rd(&r, ICR), 0x840);
	assert_int_equal(rig_rd(&r, LINT0), 0x10731);
	assert_int_equal(rig_rd(&r, SVR), 0x1ff);
	assert_int_equal(rig_rd(&r, CURRENT), 1000);
	assert_true(rig_bit(&r, IRR, 0x41));
	/* Back again by way of "disabled": "not preserved", but for the initial ID. */
	rig_base(&r, 0);
	assert_true(r.eff.tpr && r.eff.timer && r.eff.base);
	assert_false(r.eff.irq);
	rig_base(&r, LAPIC_BASE_ENABLE);
	assert_int_equal(rig_rd(&r, ID), 0x23u << 24);
	assert_int_equal(rig_rd(&r, LDR), 0);
	assert_int_equal(rig_rd(&r, SVR), 0xff);
	assert_false(rig_bit(&r, IRR, 0x41));
}

/* "Enabling or Disabling the Local APIC"; the host's direct way is the same as two steps. */
static void disabling_loses_the_state(void **state)
{
	struct rig two, one;

	(void)state;
	rig_on_x2apic(&two);
	rig_wr(&two, TPR, 0x30);
	rig_wr(&two, INITIAL, 1000);
	rig_fixed(&two, 0x41);
	one = two;
	rig_base(&two, 0);
	assert_int_equal(lapic_pending(&two.l), -1);
	assert_int_equal(lapic_next_timer(&two.l, two.time), LAPIC_NEVER);
	rig_base(&two, LAPIC_BASE_ENABLE);
	assert_int_equal(lapic_set_base_host(&one.l, RIG_BASE, &one.eff), 0);
	assert_memory_equal(&one.l, &two.l, sizeof(one.l));
}

/* "x2APIC States", after RESET: xAPIC mode at the default address, whatever was before. BSP: MP protocol. */
static void reset_ends_in_xapic_mode(void **state)
{
	struct rig r, fresh;

	(void)state;
	rig_init(&fresh);
	rig_on_x2apic(&r);
	assert_int_equal(lapic_set_base(&r.l, 0xfed00000 | X2 | LAPIC_BASE_BSP, &r.eff), 0);
	rig_wr(&r, TPR, 0x30);
	lapic_reset(&r.l);
	assert_memory_equal(&r.l, &fresh.l, sizeof(r.l));
	assert_int_equal(r.l.base, RIG_BASE);
	rig_base(&r, 0);
	lapic_reset(&r.l);
	assert_int_equal(r.l.base, RIG_BASE);
	rig_wr(&r, ID, 0x99000000);
	r.l.cfg.bsp = true;
	lapic_reset(&r.l);
	assert_int_equal(r.l.base, RIG_BASE | LAPIC_BASE_BSP);
	assert_int_equal(lapic_id(&r.l), 0x23);
}

/* "Local APIC State After It Receives an INIT Reset": all as after RESET, but ID and, of x2APIC, the mode. */
static void init_keeps_mode_base_and_id(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	assert_int_equal(
		lapic_set_base(&r.l, 0xfed00000 | LAPIC_BASE_ENABLE | LAPIC_BASE_BSP, &r.eff), 0);
	rig_wr(&r, ID, 0x99000000);
	rig_wr(&r, LDR, 0x01000000);
	rig_wr(&r, TPR, 0x30);
	rig_wr(&r, INITIAL, 1000);
	rig_receive(&r, APIC_EXTINT, 0, false);
	rig_fixed(&r, 0x41);
	lapic_init_reset(&r.l);
	assert_int_equal(r.l.base, 0xfed00000 | LAPIC_BASE_ENABLE | LAPIC_BASE_BSP);
	assert_int_equal(rig_rd(&r, ID), 0x99000000);
	assert_int_equal(rig_rd(&r, LDR), 0);
	assert_int_equal(rig_rd(&r, TPR), 0);
	assert_int_equal(rig_rd(&r, SVR), 0xff);
	assert_int_equal(rig_rd(&r, LINT0), MASKED);
	assert_false(rig_bit(&r, IRR, 0x41));
	assert_false(lapic_extint(&r.l));
	assert_int_equal(lapic_next_timer(&r.l, r.time), LAPIC_NEVER);

	rig_on_x2apic(&r);
	lapic_init_reset(&r.l);
	assert_int_equal(lapic_mode(&r.l), LAPIC_X2APIC);
	assert_int_equal(rig_rd(&r, ID), RIG_ID);
	assert_int_equal(rig_rd(&r, LDR), 0x12u << 16 | 1u << 3);
	rig_base(&r, 0);
	lapic_init_reset(&r.l);
	assert_int_equal(lapic_mode(&r.l), LAPIC_DISABLED);
}

/* The pins are inputs: no reset changes their level. */
static void pins_survive_resets(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_line(&r, 0, true);
	lapic_init_reset(&r.l);
	rig_wr(&r, SVR, 0x1ff);
	rig_wr(&r, LINT0, MODE(APIC_EXTINT));
	assert_true(r.eff.extint);
	lapic_reset(&r.l);
	rig_wr(&r, SVR, 0x1ff);
	rig_wr(&r, LINT0, LEVEL | 0x33);
	assert_true(rig_bit(&r, IRR, 0x33));
}

/* "Enabling or Disabling the Local APIC": LINT0 and LINT1 are INTR and NMI then. */
static void globally_disabled_pins_are_intr_and_nmi(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_base(&r, 0);
	rig_line(&r, 0, true);
	assert_true(r.eff.extint);
	assert_false(r.eff.nmi);
	rig_line(&r, 0, false);
	assert_false(r.eff.extint);
	rig_line(&r, 1, true);
	assert_true(r.eff.nmi);
	rig_line(&r, 1, true);
	assert_false(r.eff.nmi);
}

/* Nothing reaches it, not even an INIT: the bus does not see it. */
static void globally_disabled_accepts_nothing(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_base(&r, 0);
	for (unsigned delivery = 0; delivery < 8; delivery++)
		assert_false(rig_receive(&r, delivery, 0x41, false));
	assert_false(r.eff.nmi || r.eff.init || r.eff.sipi || r.eff.smi || r.eff.irq);
	assert_int_equal(lapic_ack(&r.l), 0xff);
}

TEST_MAIN(cmocka_unit_test(transitions_are_those_of_the_figure),
	  cmocka_unit_test(reserved_bits_of_the_base_fault),
	  cmocka_unit_test(the_page_moves_and_the_registers_stay),
	  cmocka_unit_test(xapic_to_x2apic_keeps_what_the_manual_says),
	  cmocka_unit_test(disabling_loses_the_state), cmocka_unit_test(reset_ends_in_xapic_mode),
	  cmocka_unit_test(init_keeps_mode_base_and_id), cmocka_unit_test(pins_survive_resets),
	  cmocka_unit_test(globally_disabled_pins_are_intr_and_nmi),
	  cmocka_unit_test(globally_disabled_accepts_nothing))

// SPDX-License-Identifier: MIT
/* struct kvm_lapic_state in and out. */
#include <linux/kvm.h>

#include "lapic_rig.h"

static struct kvm_lapic_state page;

static uint32_t get(unsigned reg)
{
	uint32_t value;

	memcpy(&value, page.regs + reg, 4);
	return value;
}

static void put(unsigned reg, uint32_t value)
{
	memcpy(page.regs + reg, &value, 4);
}

static int set(struct rig *r)
{
	return lapic_set_state(&r->l, &page, r->time, true, &r->eff);
}

/* An APIC with something in every register. */
static void fill(struct rig *r, bool x2apic)
{
	if (x2apic)
		rig_on_x2apic(r);
	else
		rig_on(r);
	rig_wr(r, SVR, 0x13e7);
	rig_wr(r, ICR, x2apic ? 0x8765432100000a41 : 0xa41);
	if (!x2apic) {
		rig_wr(r, ICR2, 0x55000000);
		rig_wr(r, ID, 0x77000000);
		rig_wr(r, LDR, 0x12000000);
		rig_wr(r, DFR, 0);
	}
	rig_wr(r, CMCI, 0x40);
	rig_wr(r, TIMER, PERIODIC | 0x41);
	rig_wr(r, THERMAL, MODE(APIC_SMI));
	rig_wr(r, PMC, MASKED | 0x43);
	rig_wr(r, LINT0, LEVEL | 0x44);
	rig_wr(r, LINT1, MODE(APIC_NMI));
	rig_wr(r, ERROR, 0x46);
	rig_line(r, 0, true);
	lapic_ack(&r->l);
	rig_fixed(r, 0xf1);
	rig_receive(r, APIC_FIXED, 0xa5, true);
	rig_wr(r, TPR, 0x2c);
	lapic_send_failed(&r->l, &r->eff);
	rig_wr(r, ESR, 0);
	rig_wr(r, DIVIDE, DIVIDE_1);
	rig_wr(r, INITIAL, 1000);
	rig_pass(r, 1300);
}

/* KVM's layout: register n at 16 n, as in the xAPIC page. */
static void every_register_is_in_its_place(void **state)
{
	struct rig r;

	(void)state;
	fill(&r, false);
	lapic_get_state(&r.l, r.time, true, &page);
	for (unsigned reg = 0; reg < 0x400; reg += 16)
		assert_int_equal(get(reg), rig_rd(&r, reg));
	assert_int_equal(get(ID), 0x77000000);
	assert_int_equal(get(CURRENT), 700);
	assert_int_equal(get(LINT0), LEVEL | REMOTE | 0x44);
	assert_int_equal(get(ESR), 4);
	for (unsigned i = 0; i < sizeof(page.regs); i++)
		if (i % 16 >= 4)
			assert_int_equal(page.regs[i], 0);
}

/* Out and in again, into one that is fresh but for the mode: all the same, and the timer goes on. */
static void out_and_in_changes_nothing(void **state)
{
	struct kvm_lapic_state again;
	struct rig r, s;

	(void)state;
	for (int x2apic = 0; x2apic < 2; x2apic++) {
		fill(&r, x2apic);
		lapic_get_state(&r.l, r.time, true, &page);
		rig_init(&s);
		assert_int_equal(lapic_set_base_host(&s.l, r.l.base, &s.eff), 0);
		s.time = r.time;
		assert_int_equal(set(&s), 0);
		assert_true(s.eff.timer && s.eff.tpr && s.eff.irq);
		lapic_get_state(&s.l, s.time, true, &again);
		assert_memory_equal(&page, &again, sizeof(page));
		rig_pass(&r, 5000);
		rig_pass(&s, 5000);
		assert_int_equal(rig_rd(&r, CURRENT), rig_rd(&s, CURRENT));
		assert_int_equal(lapic_next_timer(&r.l, r.time), lapic_next_timer(&s.l, s.time));
		assert_int_equal(lapic_ack(&s.l), 0xf1);
		assert_int_equal(rig_rd(&s, ICR), x2apic ? 0x8765432100000a41 : 0xa41);
	}
}

/* KVM_X2APIC_API_USE_32BIT_IDS: all of an x2APIC ID, or its low byte in 31:24. It is read-only. */
static void x2apic_ids_come_in_two_formats(void **state)
{
	struct rig r, old;

	(void)state;
	fill(&r, true);
	lapic_get_state(&r.l, r.time, false, &page);
	assert_int_equal(get(ID), 0x23000000);
	assert_int_equal(lapic_set_state(&r.l, &page, r.time, false, &r.eff), 0);
	assert_int_equal(set(&r), -1);
	lapic_get_state(&r.l, r.time, true, &page);
	assert_int_equal(get(ID), RIG_ID);
	assert_int_equal(lapic_set_state(&r.l, &page, r.time, false, &r.eff), -1);
	put(ID, RIG_ID + 1);
	put(TPR, 0x99);
	old = r;
	assert_int_equal(set(&r), -1);
	assert_memory_equal(&r.l, &old.l, sizeof(r.l));
	/* LDR follows from the ID. */
	put(ID, RIG_ID);
	put(LDR, 0xff000000);
	assert_int_equal(set(&r), 0);
	assert_int_equal(rig_rd(&r, LDR), 0x12u << 16 | 1u << 3);
	/* The xAPIC ID is in 31:24 in both. */
	rig_on(&r);
	lapic_get_state(&r.l, r.time, true, &page);
	assert_int_equal(get(ID), 0x23000000);
}

/* Reserved bits are dropped, and what the registers can never hold does not come in by this door. */
static void garbage_is_cut_to_shape(void **state)
{
	struct rig r;

	(void)state;
	memset(&page, 0xff, sizeof(page));
	rig_on(&r);
	assert_int_equal(set(&r), 0);
	assert_int_equal(rig_rd(&r, IRR), 0xffff0000);
	assert_int_equal(rig_rd(&r, ISR), 0xffff0000);
	assert_int_equal(rig_rd(&r, TMR), 0xffff0000);
	assert_int_equal(rig_rd(&r, TPR), 0xff);
	assert_int_equal(rig_rd(&r, SVR), 0x13ff);
	assert_int_equal(rig_rd(&r, ESR), 0xff);
	assert_int_equal(rig_rd(&r, ICR), 0xccfff);
	assert_int_equal(rig_rd(&r, ICR2), 0xff000000);
	assert_int_equal(rig_rd(&r, LINT0), 0x1e7ff);
	assert_int_equal(rig_rd(&r, LINT1), 0x1a7ff);
	assert_int_equal(rig_rd(&r, TIMER), 0x700ff);
	assert_int_equal(rig_rd(&r, DIVIDE), 0xb);
	assert_int_equal(rig_rd(&r, VERSION), 0x01060014);
	assert_int_equal(rig_rd(&r, CURRENT), 0);
}

/* Software-disabled, the masks are set, whatever the state says. */
static void software_disabled_masks_are_forced(void **state)
{
	struct rig r;

	(void)state;
	fill(&r, false);
	lapic_get_state(&r.l, r.time, true, &page);
	put(SVR, 0xff);
	put(LINT0, LEVEL | 0x44);
	assert_int_equal(set(&r), 0);
	assert_int_equal(rig_rd(&r, LINT0), MASKED | LEVEL | 0x44);
	assert_int_equal(rig_rd(&r, TIMER), MASKED | PERIODIC | 0x41);
}

/* The timer continues from the current count: a one-shot that has fired does not fire again. */
static void a_fired_one_shot_stays_fired(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	lapic_get_state(&r.l, r.time, true, &page);
	put(TIMER, 0x41);
	put(DIVIDE, DIVIDE_1);
	put(INITIAL, 100);
	put(CURRENT, 0);
	assert_int_equal(set(&r), 0);
	assert_int_equal(lapic_next_timer(&r.l, r.time), LAPIC_NEVER);
	put(CURRENT, 30);
	assert_int_equal(set(&r), 0);
	assert_int_equal(rig_pass(&r, 30), 1);
	/* More than the initial count cannot be left. */
	put(CURRENT, 1000);
	assert_int_equal(set(&r), 0);
	assert_int_equal(rig_rd(&r, CURRENT), 100);
}

/* Enabled in SVR is not enabled while IA32_APIC_BASE says otherwise. */
static void state_does_not_enable_globally(void **state)
{
	struct rig r;

	(void)state;
	fill(&r, false);
	lapic_get_state(&r.l, r.time, true, &page);
	rig_base(&r, 0);
	assert_int_equal(set(&r), 0);
	assert_false(lapic_enabled(&r.l));
	assert_int_equal(lapic_pending(&r.l), -1);
}

/* A level that waits at LINT0 is seen when its entry comes in, unless remote IRR says that it was. */
static void a_waiting_level_is_seen(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	lapic_get_state(&r.l, r.time, true, &page);
	rig_line(&r, 0, true);
	put(LINT0, LEVEL | REMOTE | 0x44);
	assert_int_equal(set(&r), 0);
	assert_false(r.eff.irq);
	put(LINT0, LEVEL | 0x44);
	assert_int_equal(set(&r), 0);
	assert_true(r.eff.irq);
}

TEST_MAIN(cmocka_unit_test(every_register_is_in_its_place),
	  cmocka_unit_test(out_and_in_changes_nothing),
	  cmocka_unit_test(x2apic_ids_come_in_two_formats),
	  cmocka_unit_test(garbage_is_cut_to_shape),
	  cmocka_unit_test(software_disabled_masks_are_forced),
	  cmocka_unit_test(state_does_not_enable_globally),
	  cmocka_unit_test(a_fired_one_shot_stays_fired), cmocka_unit_test(a_waiting_level_is_seen))

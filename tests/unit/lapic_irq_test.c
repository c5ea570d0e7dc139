// SPDX-License-Identifier: MIT
/* Requests, priorities, nesting, EOI, errors and incoming messages. */
#include "lapic_rig.h"

#define SUPPRESS 0x1000u

/* "Interrupt Acceptance for Fixed Interrupts": IRR, then ISR with the INTA, then nothing with the EOI. */
static void a_vector_goes_from_irr_to_isr_to_nowhere(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	for (unsigned v = 16; v < 256; v++) {
		uint8_t vector = (uint8_t)v;

		rig_fixed(&r, vector);
		assert_true(r.eff.irq);
		assert_true(rig_bit(&r, IRR, vector));
		assert_int_equal(lapic_pending(&r.l), vector);
		assert_int_equal(lapic_ack(&r.l), vector);
		assert_false(rig_bit(&r, IRR, vector));
		assert_true(rig_bit(&r, ISR, vector));
		assert_int_equal(rig_rd(&r, PPR), vector & 0xf0);
		rig_wr(&r, EOI, 0);
		assert_false(r.eff.irq);
		assert_false(rig_bit(&r, ISR, vector));
	}
}

/* ... "one in the IRR and one in the ISR": the third of a vector merges with the second. */
static void two_of_a_vector_are_kept(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_fixed(&r, 0x41);
	assert_int_equal(lapic_ack(&r.l), 0x41);
	rig_fixed(&r, 0x41);
	rig_fixed(&r, 0x41);
	assert_int_equal(lapic_pending(&r.l), -1);
	rig_wr(&r, EOI, 0);
	assert_int_equal(lapic_ack(&r.l), 0x41);
	rig_wr(&r, EOI, 0);
	assert_int_equal(lapic_pending(&r.l), -1);
}

/* "Interrupt, Task, and Processor Priority": the class decides who interrupts, the vector who goes first. */
static void higher_classes_nest_and_the_same_class_waits(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_fixed(&r, 0x41);
	rig_fixed(&r, 0x4f);
	rig_fixed(&r, 0x42);
	assert_int_equal(lapic_ack(&r.l), 0x4f);
	assert_int_equal(lapic_pending(&r.l), -1);
	rig_fixed(&r, 0x50);
	assert_int_equal(lapic_ack(&r.l), 0x50);
	rig_fixed(&r, 0xff);
	assert_int_equal(lapic_ack(&r.l), 0xff);
	assert_int_equal(rig_rd(&r, PPR), 0xf0);
	rig_wr(&r, EOI, 0);
	assert_int_equal(rig_rd(&r, PPR), 0x50);
	rig_wr(&r, EOI, 0);
	assert_int_equal(rig_rd(&r, PPR), 0x40);
	assert_false(r.eff.irq);
	rig_wr(&r, EOI, 0);
	assert_true(r.eff.irq);
	assert_int_equal(lapic_ack(&r.l), 0x42);
	rig_wr(&r, EOI, 0);
	assert_int_equal(lapic_ack(&r.l), 0x41);
}

/* "Task and Processor Priorities": TPR masks its class and those below; CR8 is the same. */
static void tpr_masks_classes(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_fixed(&r, 0x45);
	for (unsigned tpr = 0; tpr < 256; tpr++) {
		rig_wr(&r, TPR, tpr);
		assert_int_equal(r.eff.irq, tpr < 0x40);
		assert_int_equal(lapic_pending(&r.l), tpr < 0x40 ? 0x45 : -1);
	}
	lapic_set_cr8(&r.l, 4, &r.eff);
	assert_false(r.eff.irq);
	lapic_set_cr8(&r.l, 3, &r.eff);
	assert_true(r.eff.irq);
	/* Class 1 is the lowest there is, and 15 masks all. */
	rig_fixed(&r, 0xff);
	lapic_set_cr8(&r.l, 15, &r.eff);
	assert_int_equal(lapic_pending(&r.l), -1);
}

/* "Task and Processor Priorities": the three cases of PPR. */
static void ppr_is_the_higher_of_tpr_and_isrv(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, TPR, 0x3c);
	assert_int_equal(rig_rd(&r, PPR), 0x3c);
	rig_fixed(&r, 0x57);
	lapic_ack(&r.l);
	assert_int_equal(rig_rd(&r, PPR), 0x50);
	rig_wr(&r, TPR, 0x5c);
	assert_int_equal(rig_rd(&r, PPR), 0x5c);
	rig_wr(&r, TPR, 0x6c);
	assert_int_equal(rig_rd(&r, PPR), 0x6c);
}

/* "Lowest Priority Delivery Mode": the formula of APR, over all classes. */
static void apr_follows_the_formula(void **state)
{
	struct rig r;

	(void)state;
	for (unsigned tpr = 0; tpr < 16; tpr++)
		for (unsigned irr = 0; irr < 16; irr++)
			for (unsigned isr = 0; isr < 16; isr++) {
				unsigned expect = (tpr & isr) > irr ? (tpr & isr) << 4 : irr << 4;

				if (tpr >= irr && tpr > isr)
					expect = tpr << 4 | 5;
				rig_on(&r);
				if (isr)
					rig_fixed(&r, (uint8_t)(isr << 4 | 1));
				lapic_ack(&r.l);
				if (irr)
					rig_fixed(&r, (uint8_t)(irr << 4 | 2));
				rig_wr(&r, TPR, tpr << 4 | 5);
				assert_int_equal(rig_rd(&r, APR), expect);
				assert_int_equal(lapic_apr(&r.l), expect);
			}
}

/* "Spurious Interrupt": the mask was raised between request and INTA; ISR stays. */
static void a_vector_masked_meanwhile_is_spurious(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, SVR, 0x1e7);
	rig_fixed(&r, 0x41);
	rig_wr(&r, TPR, 0x40);
	assert_int_equal(lapic_ack(&r.l), 0xe7);
	assert_false(rig_bit(&r, ISR, 0xe7));
	assert_true(rig_bit(&r, IRR, 0x41));
	rig_wr(&r, TPR, 0);
	assert_int_equal(lapic_ack(&r.l), 0x41);
}

/* "Interrupt Acceptance": TMR is written when the request is accepted; its EOI is broadcast for levels. */
static void eoi_of_a_level_is_broadcast(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_receive(&r, APIC_FIXED, 0x41, true);
	rig_receive(&r, APIC_LOWEST, 0x52, true);
	assert_true(rig_bit(&r, TMR, 0x41));
	lapic_ack(&r.l);
	lapic_ack(&r.l);
	rig_fixed(&r, 0x63);
	lapic_ack(&r.l);
	rig_wr(&r, EOI, 0);
	assert_false(r.eff.eoi);
	rig_wr(&r, EOI, 0);
	assert_true(r.eff.eoi);
	assert_int_equal(r.eff.eoi_vector, 0x52);
	/* None in service: nothing to say. */
	rig_fixed(&r, 0x41);
	assert_false(rig_bit(&r, TMR, 0x41));
	rig_wr(&r, EOI, 0);
	assert_false(r.eff.eoi);
	rig_receive(&r, APIC_FIXED, 0x41, true);
	rig_wr(&r, EOI, 0);
	assert_false(r.eff.eoi);
}

/* "Directed EOI With x2APIC Mode" and SVR bit 12, in both modes. */
static void directed_eoi_is_not_broadcast(void **state)
{
	struct rig r;

	(void)state;
	for (int x2apic = 0; x2apic < 2; x2apic++) {
		if (x2apic)
			rig_on_x2apic(&r);
		else
			rig_on(&r);
		rig_wr(&r, SVR, 0x1ff | SUPPRESS);
		rig_receive(&r, APIC_FIXED, 0x41, true);
		lapic_ack(&r.l);
		rig_wr(&r, EOI, 0);
		assert_false(r.eff.eoi);
		assert_false(rig_bit(&r, ISR, 0x41));
		rig_wr(&r, SVR, 0x1ff);
		rig_receive(&r, APIC_FIXED, 0x41, true);
		lapic_ack(&r.l);
		rig_wr(&r, EOI, 0);
		assert_true(r.eff.eoi);
	}
}

/* "Interrupt Acceptance for Fixed Interrupts": NMI, SMI, INIT, ExtINT and SIPI bypass IRR and ISR. */
static void special_modes_go_straight_to_the_cpu(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	assert_true(rig_receive(&r, APIC_NMI, 0x41, false));
	assert_true(r.eff.nmi && !r.eff.smi && !r.eff.init && !r.eff.sipi && !r.eff.extint);
	assert_true(rig_receive(&r, APIC_SMI, 0x41, false));
	assert_true(r.eff.smi && !r.eff.nmi);
	assert_true(rig_receive(&r, APIC_INIT, 0x41, false));
	assert_true(r.eff.init && !r.eff.smi);
	assert_true(rig_receive(&r, APIC_SIPI, 0x9f, false));
	assert_true(r.eff.sipi && !r.eff.init);
	assert_int_equal(r.eff.sipi_vector, 0x9f);
	assert_true(rig_receive(&r, APIC_EXTINT, 0x41, false));
	assert_true(r.eff.extint && !r.eff.sipi);
	assert_false(r.eff.irq);
	assert_int_equal(lapic_pending(&r.l), -1);
	/* The ExtINT waits for the PIC's INTA cycle. */
	rig_wr(&r, TPR, 0xff);
	assert_true(lapic_extint(&r.l));
	lapic_extint_ack(&r.l);
	assert_false(lapic_extint(&r.l));
	/* Reserved. */
	assert_false(rig_receive(&r, 3, 0x41, false));
	assert_false(rig_receive(&r, 8, 0x41, false));
	assert_int_equal(rig_errors(&r), 0);
}

/* "Local APIC State After It Has Been Software Disabled". */
static void software_disabled_accepts_nmi_smi_init_sipi(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, SVR, 0xff);
	assert_false(rig_receive(&r, APIC_FIXED, 0x41, false));
	assert_false(rig_receive(&r, APIC_LOWEST, 0x41, false));
	assert_false(rig_receive(&r, APIC_EXTINT, 0, false));
	assert_false(r.eff.extint);
	assert_false(rig_receive(&r, APIC_FIXED, 5, false));
	assert_true(rig_receive(&r, APIC_NMI, 0, false) && r.eff.nmi);
	assert_true(rig_receive(&r, APIC_SMI, 0, false) && r.eff.smi);
	assert_true(rig_receive(&r, APIC_INIT, 0, false) && r.eff.init);
	assert_true(rig_receive(&r, APIC_SIPI, 1, false) && r.eff.sipi);
	assert_int_equal(rig_errors(&r), 0);
	assert_int_equal(lapic_pending(&r.l), -1);
}

/* The same section: "pending interrupts in the IRR and ISR are held and require ... handling by the CPU". */
static void software_disabled_still_delivers_what_was_pending(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_fixed(&r, 0x41);
	rig_wr(&r, SVR, 0xff);
	assert_true(r.eff.irq);
	assert_int_equal(lapic_ack(&r.l), 0x41);
	rig_wr(&r, EOI, 0);
	assert_false(rig_bit(&r, ISR, 0x41));
}

/* "Message Data Register Format" and "INIT level de-assert": no effect, no reset. */
static void a_deassert_does_nothing(void **state)
{
	struct apic_msg msg = {.delivery = APIC_INIT, .level = true};
	struct rig r;

	(void)state;
	rig_on(&r);
	assert_true(lapic_receive(&r.l, &msg, &r.eff));
	assert_false(r.eff.init);
	msg.delivery = APIC_FIXED;
	msg.vector = 0x41;
	assert_true(lapic_receive(&r.l, &msg, &r.eff));
	assert_int_equal(lapic_pending(&r.l), -1);
}

/* "Valid Interrupt Vectors" and "Error Handling", bit 6: "the local APIC will never set an IRR bit 0 to 15". */
static void illegal_vectors_are_refused_with_esr_bit_6(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	for (unsigned v = 0; v < 18; v++) {
		assert_true(rig_receive(&r, v & 1 ? APIC_LOWEST : APIC_FIXED, (uint8_t)v, false));
		assert_int_equal(rig_rd(&r, IRR), v < 16 ? 0 : v == 16 ? 0x10000 : 0x30000);
		assert_int_equal(rig_errors(&r), v < 16 ? 0x40 : 0);
	}
	/* Only fixed and lowest priority have a vector to be illegal. */
	rig_receive(&r, APIC_SIPI, 5, false);
	rig_receive(&r, APIC_NMI, 5, false);
	rig_receive(&r, APIC_EXTINT, 5, false);
	assert_int_equal(rig_errors(&r), 0);
}

/* "Error Handling": write, then read. A write shows what happened since the one before. */
static void esr_is_latched_by_writing_it(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_receive(&r, APIC_FIXED, 5, false);
	lapic_send_failed(&r.l, &r.eff);
	assert_int_equal(rig_rd(&r, ESR), 0);
	rig_wr(&r, ESR, 0xffffffff);
	assert_int_equal(rig_rd(&r, ESR), 0x44);
	rig_rd(&r, 0x40);
	assert_int_equal(rig_rd(&r, ESR), 0x44);
	rig_wr(&r, ESR, 0);
	assert_int_equal(rig_rd(&r, ESR), 0x80);
	rig_wr(&r, ESR, 0);
	assert_int_equal(rig_rd(&r, ESR), 0);
}

/* "Error Handling": the LVT error interrupt comes with the first error, and a write of ESR rearms it. */
static void the_error_interrupt_is_rearmed_by_writing_esr(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, ERROR, 0xe1);
	lapic_send_failed(&r.l, &r.eff);
	assert_true(r.eff.irq);
	assert_int_equal(lapic_ack(&r.l), 0xe1);
	rig_wr(&r, EOI, 0);
	lapic_send_failed(&r.l, &r.eff);
	rig_receive(&r, APIC_FIXED, 5, false);
	assert_int_equal(lapic_pending(&r.l), -1);
	assert_int_equal(rig_errors(&r), 0x44);
	rig_rd(&r, 0x40);
	assert_true(r.eff.irq);
	assert_int_equal(lapic_ack(&r.l), 0xe1);
	rig_wr(&r, EOI, 0);
	/* Masked it is lost, and the bit stays. */
	rig_wr(&r, ESR, 0);
	rig_wr(&r, ERROR, MASKED | 0xe1);
	rig_wr(&r, 0x40, 0);
	rig_wr(&r, ERROR, 0xe1);
	assert_int_equal(lapic_pending(&r.l), -1);
	assert_int_equal(rig_errors(&r), 0x80);
	/* Its own vector may be illegal. */
	rig_wr(&r, ERROR, 0x0f);
	lapic_send_failed(&r.l, &r.eff);
	assert_int_equal(lapic_pending(&r.l), -1);
	assert_int_equal(rig_errors(&r), 0x44);
}

TEST_MAIN(cmocka_unit_test(a_vector_goes_from_irr_to_isr_to_nowhere),
	  cmocka_unit_test(two_of_a_vector_are_kept),
	  cmocka_unit_test(higher_classes_nest_and_the_same_class_waits),
	  cmocka_unit_test(tpr_masks_classes), cmocka_unit_test(ppr_is_the_higher_of_tpr_and_isrv),
	  cmocka_unit_test(apr_follows_the_formula),
	  cmocka_unit_test(a_vector_masked_meanwhile_is_spurious),
	  cmocka_unit_test(eoi_of_a_level_is_broadcast),
	  cmocka_unit_test(directed_eoi_is_not_broadcast),
	  cmocka_unit_test(special_modes_go_straight_to_the_cpu),
	  cmocka_unit_test(software_disabled_accepts_nmi_smi_init_sipi),
	  cmocka_unit_test(software_disabled_still_delivers_what_was_pending),
	  cmocka_unit_test(a_deassert_does_nothing),
	  cmocka_unit_test(illegal_vectors_are_refused_with_esr_bit_6),
	  cmocka_unit_test(esr_is_latched_by_writing_it),
	  cmocka_unit_test(the_error_interrupt_is_rearmed_by_writing_esr))

// SPDX-License-Identifier: MIT
/* The interrupt command register and self-IPIs. */
#include "lapic_rig.h"

#define LOGICAL	     0x800u
#define ASSERT	     0x4000u
#define SHORTHAND(s) ((uint32_t)(s) << 18)

static void assert_msg(const struct rig *r, const struct apic_msg *e)
{
	const struct apic_msg *m = &r->eff.msg;

	assert_true(r->eff.send);
	assert_int_equal(m->dest, e->dest);
	assert_int_equal(m->wide, e->wide);
	assert_int_equal(m->logical, e->logical);
	assert_int_equal(m->shorthand, e->shorthand);
	assert_int_equal(m->delivery, e->delivery);
	assert_int_equal(m->vector, e->vector);
	assert_int_equal(m->level, e->level);
	assert_int_equal(m->assert, e->assert);
}

/* "Interrupt Command Register (ICR)": "the act of writing to the low doubleword causes the IPI to be sent". */
static void writing_the_low_half_sends(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, ICR2, 0x42ffffff);
	assert_false(r.eff.send);
	rig_wr(&r, ICR, LOGICAL | 0x41);
	assert_msg(&r, &(struct apic_msg){
			       .dest = 0x42, .logical = true, .vector = 0x41, .assert = true});
	assert_int_equal(rig_rd(&r, ICR), LOGICAL | 0x41);
	assert_int_equal(rig_rd(&r, ICR2), 0x42000000);
	assert_false(r.eff.send);
	/* Software-disabled: "the local APIC can still issue IPIs". */
	rig_wr(&r, SVR, 0xff);
	rig_wr(&r, ICR, 0x41);
	assert_true(r.eff.send);
}

/* "ICR Operation in x2APIC Mode": one 64-bit register, 32 bits of destination. */
static void in_x2apic_mode_the_destination_has_32_bits(void **state)
{
	struct rig r;

	(void)state;
	rig_on_x2apic(&r);
	rig_wr(&r, ICR, 0xdeadbeefull << 32 | MODE(APIC_SIPI) | 0x9f);
	assert_msg(&r, &(struct apic_msg){.dest = 0xdeadbeef,
					  .wide = true,
					  .delivery = APIC_SIPI,
					  .vector = 0x9f,
					  .assert = true});
	assert_int_equal(rig_rd(&r, ICR), 0xdeadbeefull << 32 | MODE(APIC_SIPI) | 0x9f);
}

/*
 * "Valid Combinations for the Pentium 4 and Intel Xeon Processors' Local xAPIC ICR": by shorthand and delivery
 * mode; 3 and 7 are reserved.
 */
static void invalid_combinations_are_not_sent(void **state)
{
	static const char valid[4][9] = {
		[APIC_NO_SHORTHAND] = "yyy.yyy.",
		[APIC_SELF] = "y.......",
		[APIC_ALL] = "y.......",
		[APIC_ALL_BUT_SELF] = "yyy.yyy.",
	};
	struct rig r;

	(void)state;
	for (unsigned sh = 0; sh < 4; sh++)
		for (unsigned mode = 0; mode < 8; mode++) {
			rig_on(&r);
			rig_wr(&r, ICR, SHORTHAND(sh) | MODE(mode) | ASSERT | 0x41);
			assert_int_equal(r.eff.send, valid[sh][mode] == 'y');
			if (!r.eff.send)
				continue;
			assert_int_equal(r.eff.msg.shorthand, sh);
			assert_int_equal(r.eff.msg.delivery, mode);
		}
}

/*
 * "Trigger Mode" and "Level" of the ICR: "ignored for all other delivery modes" than the INIT level de-assert;
 * "the local xAPIC will override the bit setting and issue the interrupt as an edge".
 */
static void ipis_are_edges_but_for_the_init_deassert(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	for (unsigned mode = 0; mode < 7; mode++)
		for (unsigned bits = 0; bits < 4; bits++) {
			bool deassert = mode == APIC_INIT && bits == 2;

			rig_wr(&r, ICR,
			       MODE(mode) | 0x41 | (bits & 1 ? ASSERT : 0) |
				       (bits & 2 ? LEVEL : 0));
			if (mode == 3)
				continue;
			assert_true(r.eff.send);
			assert_int_equal(r.eff.msg.level, deassert);
			assert_int_equal(r.eff.msg.assert, !deassert);
		}
	/* "Software should specify the all-including-self shorthand." */
	rig_wr(&r, ICR, SHORTHAND(APIC_ALL) | MODE(APIC_INIT) | LEVEL);
	assert_true(r.eff.send);
	assert_false(r.eff.msg.assert);
}

/* "Error Handling", bit 5: by ICR and, in x2APIC mode, SELF IPI. */
static void illegal_vectors_sent_are_errors(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	for (unsigned mode = 0; mode < 7; mode++)
		for (unsigned v = 14; v < 18; v++) {
			bool bad = v < 16 && (mode == APIC_FIXED || mode == APIC_LOWEST);

			rig_wr(&r, ICR, MODE(mode) | v);
			assert_int_equal(r.eff.send, mode != 3);
			assert_int_equal(rig_errors(&r), bad ? 0x20 : 0);
		}
	rig_on_x2apic(&r);
	rig_wr(&r, SELF_IPI, 15);
	assert_int_equal(rig_errors(&r), 0x20);
	rig_wr(&r, SELF_IPI, 16);
	assert_int_equal(rig_errors(&r), 0);
}

/* "SELF IPI Register": as an ICR write with shorthand self, fixed, edge; the ICR does not change. */
static void self_ipi_leaves_the_icr_alone(void **state)
{
	struct rig r;

	(void)state;
	rig_on_x2apic(&r);
	rig_wr(&r, ICR, 5ull << 32 | 0x51);
	rig_wr(&r, SELF_IPI, 0x41);
	assert_msg(&r, &(struct apic_msg){.dest = RIG_ID,
					  .wide = true,
					  .shorthand = APIC_SELF,
					  .vector = 0x41,
					  .assert = true});
	assert_int_equal(rig_rd(&r, ICR), 5ull << 32 | 0x51);
}

TEST_MAIN(cmocka_unit_test(writing_the_low_half_sends),
	  cmocka_unit_test(in_x2apic_mode_the_destination_has_32_bits),
	  cmocka_unit_test(invalid_combinations_are_not_sent),
	  cmocka_unit_test(ipis_are_edges_but_for_the_init_deassert),
	  cmocka_unit_test(illegal_vectors_sent_are_errors),
	  cmocka_unit_test(self_ipi_leaves_the_icr_alone))

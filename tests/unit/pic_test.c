// SPDX-License-Identifier: MIT
/* One 8259A and its ELCR, against Intel's data sheet (231468) and that of the 82371AB (PIIX4). */
#include "test.h"

#include "pic_rig.h"

/* --- initialization */

/* "Initialization Command Words": no interrupt before the sequence is through. */
static void no_intr_before_initialization(void **state)
{
	struct pic pic;

	(void)state;
	pic_reset(&pic);
	pulse(&pic, 1);
	assert_false(pic_intr(&pic));
	pic_write(&pic, M, 0x11);
	pulse(&pic, 1);
	assert_false(pic_intr(&pic));
	pic_write(&pic, M + 1, 0x37); /* bits 2-0 are the IR level, not the guest's */
	assert_false(pic_intr(&pic));
	pic_write(&pic, M + 1, 0x04);
	assert_false(pic_intr(&pic));
	pic_write(&pic, M + 1, 0x01);
	assert_ack(&pic, 0x31);
}

/* "ICW1": IMR, edge sense, rotation, special mask and the read selection are reset. */
static void icw1_resets(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pulse(&pic, 5);
	(void)pic_ack(&pic);
	pic_write(&pic, M + 1, 0xaa);
	pic_write(&pic, M, 0xc3); /* lowest priority: 3 */
	pic_write(&pic, M, 0x68); /* special mask mode */
	pic_write(&pic, M, 0x80); /* rotate in AEOI */
	pic_set_line(&pic, 6, true);
	init_chip(&pic, M, 0, AEOI);
	assert_int_equal(pic_read(&pic, M + 1), 0);
	assert_int_equal(pic_read(&pic, M), 0); /* IRR: IR6 has to rise again */
	assert_int_equal(read_isr(&pic, M), 0); /* and ISR is selected at the next ICW1 */
	assert_false(pic_intr(&pic));
	pic_set_line(&pic, 6, false);
	pic_set_line(&pic, 6, true);
	pulse(&pic, 4);
	assert_ack(&pic, 0x34);
	pulse(&pic, 3);
	assert_ack(&pic, 0x33); /* neither the old rotation nor one by AEOI */
	assert_ack(&pic, 0x36);

	init_chip(&pic, M, 0, 0);
	pulse(&pic, 3);
	assert_ack(&pic, 0x33);
	pulse(&pic, 5);
	assert_int_equal(pic_read(&pic, M), 0x20); /* IRR, not ISR */
	pic_write(&pic, M + 1, 0x08);
	assert_false(pic_intr(&pic)); /* no special mask */
}

/* "ICW1": with LTIM a line that is up requests right after the initialization. */
static void icw1_keeps_levels(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pic_set_line(&pic, 6, true);
	init_chip(&pic, M, LTIM, 0);
	assert_ack(&pic, 0x36);
}

/* "ICW3", "ICW4": expected with SNGL = 0 and IC4 = 1 only; without ICW4 its functions are 0. */
static void icw1_sngl_and_ic4(void **state)
{
	for (unsigned sngl = 0; sngl < 2; sngl++) {
		struct pic pic;

		(void)state;
		start(&pic, 0, AEOI);
		pic_write(&pic, M, (uint8_t)(0x10 | sngl << 1));
		pic_write(&pic, M + 1, 0x40);
		if (!sngl)
			pic_write(&pic, M + 1, 0x04);
		pic_write(&pic, M + 1, 0xfe); /* OCW1 */
		assert_int_equal(pic_read(&pic, M + 1), 0xfe);
		pulse(&pic, 0);
		assert_ack(&pic, 0x40);
		assert_int_equal(read_isr(&pic, M), 0x01); /* no AEOI */

		pic_write(&pic, M, (uint8_t)(0x11 | sngl << 1));
		pic_write(&pic, M + 1, 0x40);
		if (!sngl)
			pic_write(&pic, M + 1, 0x04);
		pic_write(&pic, M + 1, 0x01 | AEOI);
		pulse(&pic, 0);
		assert_ack(&pic, 0x40);
		assert_int_equal(read_isr(&pic, M), 0);
	}
}

/* "ICW1": a single chip has no slaves, so IR2 is an input like others. */
static void single_master_answers_ir2(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pic_write(&pic, M, 0x13);
	pic_write(&pic, M + 1, 0x30);
	pic_write(&pic, M + 1, 0x01);
	pulse(&pic, 8);
	assert_ack(&pic, 0x32);
	assert_int_equal(read_isr(&pic, S), 0);
}

/* --- requests and priority */

/* "Fully Nested Mode": IR0 highest; what is in service holds back its own level and lower ones. */
static void fully_nested(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pulse(&pic, 4);
	assert_ack(&pic, 0x34);
	pulse(&pic, 5);
	pulse(&pic, 4);
	assert_false(pic_intr(&pic));
	assert_int_equal(read_irr(&pic, M), 0x30);
	pulse(&pic, 3);
	assert_ack(&pic, 0x33);
	assert_int_equal(read_isr(&pic, M), 0x18);
	pic_write(&pic, M, 0x20);
	assert_int_equal(read_isr(&pic, M), 0x10);
	assert_false(pic_intr(&pic));
	pic_write(&pic, M, 0x20);
	assert_ack(&pic, 0x34);
}

/* "OCW1": a masked request waits in IRR. */
static void masked_request_waits(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pic_write(&pic, M + 1, 0x02);
	pulse(&pic, 1);
	assert_false(pic_intr(&pic));
	assert_int_equal(read_irr(&pic, M), 0x02);
	pic_write(&pic, M + 1, 0);
	assert_ack(&pic, 0x31);
}

/* "Edge triggered mode": the input can stay high without another interrupt. */
static void edge_requests_once(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pic_set_line(&pic, 3, true);
	pic_set_line(&pic, 3, true);
	assert_ack(&pic, 0x33);
	assert_int_equal(read_irr(&pic, M), 0);
	pic_write(&pic, M, 0x20);
	pic_set_line(&pic, 3, true);
	assert_false(pic_intr(&pic));
	/* The deviation that pic.h tells: a pulse is not forgotten. */
	pulse(&pic, 3);
	assert_ack(&pic, 0x33);
}

/* "Level triggered mode": requests until the line falls; a fallen line requests nothing. */
static void level_requests_while_high(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, LTIM, 0);
	pic_set_line(&pic, 3, true);
	assert_ack(&pic, 0x33);
	pic_write(&pic, M, 0x20);
	assert_ack(&pic, 0x33);
	pic_set_line(&pic, 3, false);
	pic_write(&pic, M, 0x20);
	assert_false(pic_intr(&pic));
	pulse(&pic, 12);
	assert_false(pic_intr(&pic)); /* the cascade is a level as well */
	pic_set_line(&pic, 12, true);
	assert_ack(&pic, 0x74);
}

/* PIIX4, ELCR1 and ELCR2: IRQ 0, 1, 2, 8 and 13 cannot be made level triggered. */
static void elcr(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pic_write(&pic, 0x4d0, 0xff);
	pic_write(&pic, 0x4d1, 0xff);
	assert_int_equal(pic_read(&pic, 0x4d0), 0xf8);
	assert_int_equal(pic_read(&pic, 0x4d1), 0xde);
	pic_set_line(&pic, 1, true);
	assert_ack(&pic, 0x31);
	pic_write(&pic, M, 0x20);
	assert_false(pic_intr(&pic));
	pic_set_line(&pic, 9, true);
	assert_ack(&pic, 0x71);
	pic_write(&pic, S, 0x20);
	pic_write(&pic, M, 0x20);
	assert_ack(&pic, 0x71);
	/* ICW1 leaves ELCR alone. */
	init_chip(&pic, M, 0, 0);
	assert_int_equal(pic_read(&pic, 0x4d0), 0xf8);
}

/* A line that is up when its trigger mode changes: a level counts at once, an edge is needed. */
static void elcr_change_of_a_high_line(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pic_set_line(&pic, 5, true);
	assert_ack(&pic, 0x35);
	pic_write(&pic, M, 0x20);
	pic_write(&pic, 0x4d0, 0x20);
	assert_true(pic_intr(&pic));
	pic_write(&pic, 0x4d0, 0x00);
	assert_false(pic_intr(&pic));
	pulse(&pic, 5);
	assert_ack(&pic, 0x35);
}

/* --- OCW2 */

/* "End of Interrupt": a specific EOI ends the level it names. */
static void specific_eoi(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pulse(&pic, 6);
	(void)pic_ack(&pic);
	pulse(&pic, 1);
	(void)pic_ack(&pic);
	pic_write(&pic, M, 0x66);
	assert_int_equal(read_isr(&pic, M), 0x02);
	pic_write(&pic, M, 0x40); /* no operation */
	pic_write(&pic, M, 0x41);
	assert_int_equal(read_isr(&pic, M), 0x02);
	pic_write(&pic, M, 0x61);
	pic_write(&pic, M, 0x20);
	assert_int_equal(read_isr(&pic, M), 0);
}

/* "Automatic Rotation", its figure: IR4 served, rotated to the bottom; IR6 keeps its ISR bit. */
static void rotate_on_nonspecific_eoi(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pulse(&pic, 6);
	(void)pic_ack(&pic);
	pulse(&pic, 4);
	(void)pic_ack(&pic);
	assert_int_equal(read_isr(&pic, M), 0x50);
	pic_write(&pic, M, 0xa0);
	assert_int_equal(read_isr(&pic, M), 0x40);
	pulse(&pic, 4);
	assert_false(pic_intr(&pic)); /* IR4 is now below IR6 */
	pulse(&pic, 0);
	assert_false(pic_intr(&pic));
	pulse(&pic, 5);
	assert_ack(&pic, 0x35); /* IR5 is the highest */
	pic_write(&pic, M, 0xa0);
	pic_write(&pic, M, 0xa0); /* of IR6: the highest is IR7 */
	assert_ack(&pic, 0x30);
	/* Without a level in service there is nothing to rotate. */
	pic_write(&pic, M, 0x60);
	pic_write(&pic, M, 0xa0);
	assert_ack(&pic, 0x34);
}

/* "Specific Rotation": by set priority, and by a rotating specific EOI. */
static void specific_rotation(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pic_write(&pic, M, 0xc5);
	pulse(&pic, 0);
	pulse(&pic, 6);
	assert_ack(&pic, 0x36);
	pic_write(&pic, M, 0xe6); /* IR6 to the bottom, so IR7 on top */
	assert_int_equal(read_isr(&pic, M), 0);
	pulse(&pic, 7);
	pulse(&pic, 6);
	assert_ack(&pic, 0x37);
	pic_write(&pic, M, 0x67);
	assert_ack(&pic, 0x30);
	pic_write(&pic, M, 0x60);
	assert_ack(&pic, 0x36);
}

/* "Automatic End of Interrupt Mode", "Automatic Rotation": set and clear in AEOI mode. */
static void aeoi_and_rotation(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, AEOI);
	pulse(&pic, 3);
	assert_ack(&pic, 0x33);
	assert_int_equal(read_isr(&pic, M), 0);
	pic_write(&pic, M, 0x80);
	pulse(&pic, 3);
	assert_ack(&pic, 0x33);
	pulse(&pic, 3);
	pulse(&pic, 4);
	assert_ack(&pic, 0x34); /* IR3 has gone to the bottom, and now IR4 has */
	pic_write(&pic, M, 0x00);
	assert_ack(&pic, 0x33);
	pulse(&pic, 4);
	pulse(&pic, 3);
	assert_ack(&pic, 0x33); /* so IR5 is on top and stays there */
	assert_ack(&pic, 0x34);
	/* Two requests at an AEOI slave: INT falls between them. */
	pulse(&pic, 9);
	pulse(&pic, 10);
	assert_ack(&pic, 0x71);
	assert_ack(&pic, 0x72);
	assert_false(pic_intr(&pic));
}

/* --- OCW3 */

/* "Special Mask Mode": a masked level in service lets lower ones through, and EOI passes it. */
static void special_mask_mode(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pulse(&pic, 3);
	(void)pic_ack(&pic);
	pulse(&pic, 6);
	pic_write(&pic, M + 1, 0x08);
	assert_false(pic_intr(&pic));
	pic_write(&pic, M, 0x68);
	assert_true(pic_intr(&pic));
	pic_write(&pic, M, 0x28); /* SMM without ESMM: no action */
	pic_write(&pic, M, 0x08);
	assert_ack(&pic, 0x36);
	pic_write(&pic, M, 0x20);
	assert_int_equal(read_isr(&pic, M), 0x08);
	pic_write(&pic, M, 0x20);
	assert_int_equal(read_isr(&pic, M), 0x08);
	pic_write(&pic, M, 0x48); /* off */
	pic_write(&pic, M, 0x20);
	assert_int_equal(read_isr(&pic, M), 0);
}

/* "Reading the 8259A Status": the selection is remembered; A0 = 1 always gives IMR. */
static void status_reads(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pic_write(&pic, S + 1, 0x5a);
	pulse(&pic, 1);
	(void)pic_ack(&pic);
	pulse(&pic, 7);
	assert_int_equal(pic_read(&pic, M), 0x80);
	pic_write(&pic, M, 0x0b);
	assert_int_equal(pic_read(&pic, M), 0x02);
	pic_write(&pic, M, 0x68); /* RR = 0: no change */
	assert_int_equal(pic_read(&pic, M), 0x02);
	pic_write(&pic, M, 0x0a);
	assert_int_equal(pic_read(&pic, M), 0x80);
	assert_int_equal(pic_read(&pic, M + 1), 0);
	assert_int_equal(pic_read(&pic, S + 1), 0x5a);
}

/* "Poll Command": one read, of either address, acts as INTA and gives 0x80 | level. */
static void poll_command(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pic_write(&pic, M, 0x0c);
	assert_int_equal(pic_read(&pic, M) & 0x80, 0);
	pulse(&pic, 4);
	assert_int_equal(pic_read(&pic, M), 0x10); /* the poll is used up: IRR */
	pic_write(&pic, M, 0x0c);
	assert_int_equal(pic_read(&pic, M), 0x84);
	assert_int_equal(read_isr(&pic, M), 0x10);
	assert_int_equal(read_irr(&pic, M), 0);
	pulse(&pic, 1);
	pic_write(&pic, M, 0x0c);
	assert_int_equal(pic_read(&pic, M + 1), 0x81);
	assert_int_equal(pic_read(&pic, M + 1), 0);
	pulse(&pic, 0);
	pic_write(&pic, M, 0x0c);
	pic_write(&pic, M, 0x0b); /* a new OCW3 without P */
	assert_int_equal(pic_read(&pic, M), 0x12);
}

TEST_MAIN(cmocka_unit_test(no_intr_before_initialization), cmocka_unit_test(icw1_resets),
	  cmocka_unit_test(icw1_keeps_levels), cmocka_unit_test(icw1_sngl_and_ic4),
	  cmocka_unit_test(single_master_answers_ir2), cmocka_unit_test(fully_nested),
	  cmocka_unit_test(masked_request_waits), cmocka_unit_test(edge_requests_once),
	  cmocka_unit_test(level_requests_while_high), cmocka_unit_test(elcr),
	  cmocka_unit_test(elcr_change_of_a_high_line), cmocka_unit_test(specific_eoi),
	  cmocka_unit_test(rotate_on_nonspecific_eoi), cmocka_unit_test(specific_rotation),
	  cmocka_unit_test(aeoi_and_rotation), cmocka_unit_test(special_mask_mode),
	  cmocka_unit_test(status_reads), cmocka_unit_test(poll_command))

// SPDX-License-Identifier: MIT
/* Two 8259A in cascade, and what is spurious, against Intel's data sheet (231468). */
#include "test.h"

#include "pic_rig.h"

/* "Poll Command": the master tells IR2, and the slave is polled for the rest. */
static void poll_of_the_cascade(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pulse(&pic, 11);
	pic_write(&pic, M, 0x0c);
	assert_int_equal(pic_read(&pic, M), 0x82);
	assert_int_equal(read_isr(&pic, M), 0x04);
	assert_int_equal(read_isr(&pic, S), 0);
	pic_write(&pic, S, 0x0c);
	assert_int_equal(pic_read(&pic, S), 0x83);
	assert_int_equal(read_isr(&pic, S), 0x08);
	pic_write(&pic, S, 0x20);
	pic_write(&pic, M, 0x20);
	assert_false(pic_intr(&pic));
	/* The slave polled by itself leaves nothing behind at the master. */
	pulse(&pic, 11);
	assert_true(pic_intr(&pic));
	pic_write(&pic, S, 0x0c);
	assert_int_equal(pic_read(&pic, S), 0x83);
	assert_false(pic_intr(&pic));
}

/* "Cascade Mode": the slave gives the vector, both have a level in service, both need an EOI. */
static void cascade(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pulse(&pic, 3);
	pulse(&pic, 14);
	assert_ack(&pic, 0x76);
	assert_int_equal(read_isr(&pic, M), 0x04);
	assert_int_equal(read_isr(&pic, S), 0x40);
	assert_false(pic_intr(&pic)); /* IR2 holds back IR3 */
	pic_write(&pic, M, 0x20);
	assert_ack(&pic, 0x33);
	pic_write(&pic, M, 0x20);
	pulse(&pic, 15);
	assert_false(pic_intr(&pic)); /* held back at the slave */
	pic_write(&pic, S, 0x20);
	assert_ack(&pic, 0x77);
}

/* "Special Fully Nested Mode": a higher request of the same slave interrupts, IR3 does not. */
static void special_fully_nested(void **state)
{
	static const bool modes[] = {false, true};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct pic pic;

		start(&pic, 0, modes[i] ? SFNM : 0);
		pulse(&pic, 12);
		assert_ack(&pic, 0x74);
		pulse(&pic, 3);
		pulse(&pic, 13);
		assert_false(pic_intr(&pic));
		pulse(&pic, 9);
		assert_int_equal(pic_intr(&pic), modes[i]);
		if (modes[i])
			assert_int_equal(pic_ack(&pic), 0x71);
		/* The slave's own levels do not nest within themselves. */
		pulse(&pic, 10);
		assert_false(pic_intr(&pic));
	}
}

/* "Special Fully Nested Mode": the master alone has it, and its higher levels stay above. */
static void special_fully_nested_limits(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, SFNM);
	pulse(&pic, 10); /* IR2 of the slave */
	assert_ack(&pic, 0x72);
	pulse(&pic, 10);
	assert_false(pic_intr(&pic));
	start(&pic, 0, SFNM);
	pulse(&pic, 1);
	assert_ack(&pic, 0x31);
	pulse(&pic, 8);
	assert_false(pic_intr(&pic));
	pic_write(&pic, M, 0x20);
	assert_ack(&pic, 0x70);
}

/* "Edge and level triggered modes": no request at INTA gives IR7, without an ISR bit. */
static void spurious_ir7(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, LTIM, 0);
	pic_set_line(&pic, 4, true);
	assert_true(pic_intr(&pic));
	pic_set_line(&pic, 4, false);
	assert_int_equal(pic_ack(&pic), 0x37);
	assert_int_equal(read_isr(&pic, M), 0);
	/* A true IR7 is told apart by its ISR bit. */
	pic_set_line(&pic, 7, true);
	assert_ack(&pic, 0x37);
	assert_int_equal(read_isr(&pic, M), 0x80);
}

/* The same at the slave: IR15, with ISR bit 2 of the master, which has selected it. */
static void spurious_ir15(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pulse(&pic, 12);
	pic_write(&pic, S + 1, 0xff);
	assert_ack(&pic, 0x77);
	assert_int_equal(read_isr(&pic, S), 0);
	assert_int_equal(read_isr(&pic, M), 0x04);
	pic_write(&pic, M, 0x20);
	assert_false(pic_intr(&pic));
	pic_write(&pic, S + 1, 0);
	assert_ack(&pic, 0x74);
}

/* IRQ 2 is the cascade; there are no others than 0 to 15, and no other ports. */
static void what_does_not_exist(void **state)
{
	struct pic pic;

	(void)state;
	start(&pic, 0, 0);
	pulse(&pic, 2);
	pulse(&pic, 16);
	pulse(&pic, UINT32_MAX);
	assert_false(pic_intr(&pic));
	assert_int_equal(read_irr(&pic, M), 0);
	pic_write(&pic, 0x22, 0xff);
	pic_write(&pic, 0x4d2, 0xff);
	assert_int_equal(pic_read(&pic, 0x22), 0xff);
	assert_int_equal(pic_read(&pic, 0x4d1), 0);
}

/* --- random accesses */

static uint32_t rng(void)
{
	static uint64_t s = 8259;

	s = s * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(s >> 32);
}

/* A vector is of the base last programmed, and a real one takes its level out of what waits. */
static void check_ack(struct pic *pic)
{
	uint8_t base[2] = {pic->chip[0].icw2, pic->chip[1].icw2};
	uint8_t ready[2] = {pic->chip[0].irr & (uint8_t)~pic->chip[0].imr,
			    pic->chip[1].irr & (uint8_t)~pic->chip[1].imr};
	uint8_t isr = pic->chip[0].isr;
	bool intr = pic_intr(pic);
	bool answered = false;
	uint8_t vector = pic_ack(pic);

	if (!intr) {
		assert_int_equal(vector, base[0] | 7);
		assert_int_equal(pic->chip[0].isr, isr);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		if ((vector & 0xf8) != base[i])
			continue;
		if ((ready[i] >> (vector & 7) & 1) || (i == 1 && (vector & 7) == 7))
			answered = true;
	}
	assert_true(answered);
}

/* Any accesses: vectors are of the programmed bases, and are spurious only without a request. */
static void random_accesses_keep_vectors(void **state)
{
	static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x22, 0x4d2};
	struct pic pic;

	(void)state;
	pic_reset(&pic);
	for (unsigned i = 0; i < 1000000; i++) {
		uint16_t port = ports[rng() % 8];

		switch (rng() % 8) {
		case 0:
			pic_write(&pic, port, (uint8_t)rng());
			break;
		case 1:
			pic_write(&pic, rng() % 2 ? S : M, rng() & 0xef);
			break;
		case 2:
			(void)pic_read(&pic, port);
			break;
		case 3:
			if (rng() % 100 == 0)
				start(&pic, rng() % 4 ? 0 : LTIM, rng() & (SFNM | AEOI));
			break;
		case 4:
		case 5:
		case 6:
			pic_set_line(&pic, rng() % 17, rng() % 2);
			break;
		default:
			check_ack(&pic);
		}
	}
}

TEST_MAIN(cmocka_unit_test(poll_of_the_cascade), cmocka_unit_test(cascade),
	  cmocka_unit_test(special_fully_nested), cmocka_unit_test(special_fully_nested_limits),
	  cmocka_unit_test(spurious_ir7), cmocka_unit_test(spurious_ir15),
	  cmocka_unit_test(what_does_not_exist), cmocka_unit_test(random_accesses_keep_vectors))

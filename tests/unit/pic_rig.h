/* SPDX-License-Identifier: MIT */
/* A programmed pair of 8259A, for the tests of the PIC. Include "test.h" first. */
#ifndef SIPI_TESTS_PIC_RIG_H
#define SIPI_TESTS_PIC_RIG_H

#include "chips/pic.h"

#define M 0x20 /* command ports */
#define S 0xa0

#define LTIM 0x08
#define AEOI 0x02
#define SFNM 0x10

/* One chip as firmware programs it: vectors 0x30 and 0x70. */
static inline void init_chip(struct pic *pic, uint16_t port, uint8_t icw1, uint8_t icw4)
{
	pic_write(pic, port, 0x11 | icw1);
	pic_write(pic, port + 1, port == M ? 0x30 : 0x70);
	pic_write(pic, port + 1, port == M ? 0x04 : 0x02);
	pic_write(pic, port + 1, 0x01 | icw4);
}

static inline void start(struct pic *pic, uint8_t icw1, uint8_t icw4)
{
	pic_reset(pic);
	init_chip(pic, M, icw1, icw4);
	init_chip(pic, S, icw1, icw4);
}

static inline void pulse(struct pic *pic, unsigned irq)
{
	pic_set_line(pic, irq, false);
	pic_set_line(pic, irq, true);
	pic_set_line(pic, irq, false);
}

static inline uint8_t read_isr(struct pic *pic, uint16_t port)
{
	pic_write(pic, port, 0x0b);
	return pic_read(pic, port);
}

static inline uint8_t read_irr(struct pic *pic, uint16_t port)
{
	pic_write(pic, port, 0x0a);
	return pic_read(pic, port);
}

#define assert_ack(pic, vector)                                                                    \
	do {                                                                                       \
		assert_true(pic_intr(pic));                                                        \
		assert_int_equal(pic_ack(pic), vector);                                            \
	} while (0)

#endif

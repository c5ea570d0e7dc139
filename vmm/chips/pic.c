// SPDX-License-Identifier: MIT
/*
 * Sections named here are those of Intel's 8259A data sheet (231468); ELCR is from the 82371AB
 * (PIIX4) data sheet, 4.1.5.
 */
#include "chips/pic.h"

#include <string.h>

#define CASCADE_IR  2
#define SPURIOUS_IR 7
#define NO_IR	    (-1)

enum {
	ICW1_IC4 = 0x01,
	ICW1_SNGL = 0x02,
	ICW1_LTIM = 0x08,
	ICW1_SELECT = 0x10,
	ICW4_AEOI = 0x02,
	ICW4_SFNM = 0x10,
	OCW3_RIS = 0x01,
	OCW3_RR = 0x02,
	OCW3_POLL = 0x04,
	OCW3_SELECT = 0x08,
	OCW3_SMM = 0x20,
	OCW3_ESMM = 0x40,
};

/* OCW2 bits 7-5: R, SL, EOI. */
enum ocw2 {
	OCW2_ROTATE_AEOI_CLEAR = 0,
	OCW2_EOI = 1,
	OCW2_NOP = 2,
	OCW2_SPECIFIC_EOI = 3,
	OCW2_ROTATE_AEOI_SET = 4,
	OCW2_ROTATE_EOI = 5,
	OCW2_SET_PRIORITY = 6,
	OCW2_ROTATE_SPECIFIC_EOI = 7,
};

/* IRQ 0, 1, 2, 8 and 13 belong to the board and are always edge triggered (PIIX4, ELCR1/ELCR2). */
static const uint8_t elcr_mask[2] = {0xf8, 0xde};

static uint8_t bit(unsigned ir)
{
	return (uint8_t)(1u << ir);
}

/* The inputs that are level triggered now. */
static uint8_t level_inputs(const struct pic_chip *c)
{
	return c->icw1 & ICW1_LTIM ? 0xff : c->elcr;
}

/* The highest-priority level in a set of IR bits, or NO_IR. */
static int highest(const struct pic_chip *c, uint8_t set)
{
	for (unsigned i = 1; i <= 8; i++) {
		unsigned ir = (c->lowest + i) & 7;

		if (set & bit(ir))
			return (int)ir;
	}
	return NO_IR;
}

static unsigned rank(const struct pic_chip *c, int ir)
{
	return ((unsigned)ir - c->lowest - 1u) & 7;
}

/* "Special Mask Mode": a masked level in service neither holds back others nor sees a plain EOI. */
static int serving(const struct pic_chip *c)
{
	return highest(c, c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr);
}

/* The request that the chip drives INT for, or NO_IR ("Fully Nested Mode"). */
static int pending(const struct pic *pic, const struct pic_chip *c)
{
	int request = highest(c, c->irr & (uint8_t)~c->imr);
	int current = serving(c);

	if (c->state != PIC_READY || request == NO_IR)
		return NO_IR;
	if (current == NO_IR || rank(c, request) < rank(c, current))
		return request;
	/* "Special Fully Nested Mode": a slave in service is not locked out of the master. */
	if (request == current && request == CASCADE_IR && c == &pic->chip[0] &&
	    (c->icw4 & ICW4_SFNM))
		return request;
	return NO_IR;
}

static void set_input(struct pic_chip *c, unsigned ir, bool level)
{
	if (level && !(c->lines & bit(ir)))
		c->irr |= bit(ir);
	if (!level && (level_inputs(c) & bit(ir)))
		c->irr &= (uint8_t)~bit(ir);
	if (level)
		c->lines |= bit(ir);
	else
		c->lines &= (uint8_t)~bit(ir);
}

/* The slave's INT is wired to IR2 of the master. */
static void drive_cascade(struct pic *pic)
{
	set_input(&pic->chip[0], CASCADE_IR, pending(pic, &pic->chip[1]) != NO_IR);
}

/*
 * What one chip does in an INTA sequence: IRR gives way to ISR, INT falls, and with AEOI the level
 * ends at once ("Interrupt Sequence", "Automatic End of Interrupt Mode").
 */
static void acknowledge(struct pic *pic, struct pic_chip *c, int ir)
{
	/* A level input keeps requesting for as long as its line is up. */
	if (!(level_inputs(c) & bit((unsigned)ir)))
		c->irr &= (uint8_t)~bit((unsigned)ir);
	if (!(c->icw4 & ICW4_AEOI))
		c->isr |= bit((unsigned)ir);
	else if (c->rotate_on_aeoi)
		c->lowest = (uint8_t)ir;
	if (c == &pic->chip[1]) {
		/*
		 * INT falls before it is driven again, so the master sees a new edge; what it had
		 * latched of the old one is answered, by a poll of the slave alone as well.
		 */
		set_input(&pic->chip[0], CASCADE_IR, false);
		pic->chip[0].irr &= (uint8_t)~bit(CASCADE_IR);
		drive_cascade(pic);
	}
}

/* "Poll Command": the read takes the place of INTA, for this chip alone. */
static uint8_t poll(struct pic *pic, struct pic_chip *c)
{
	int ir = pending(pic, c);

	c->poll = false;
	if (ir == NO_IR)
		return 0;
	acknowledge(pic, c, ir);
	return (uint8_t)(0x80 | ir);
}

/* "Initialization Command Words": what ICW1 resets. */
static void write_icw1(struct pic_chip *c, uint8_t value)
{
	c->icw1 = value;
	c->icw4 = 0; /* stays so where IC4 is 0 */
	c->imr = 0;
	c->isr = 0;
	c->lowest = 7;
	c->read_isr = false;
	c->poll = false;
	c->special_mask = false;
	c->rotate_on_aeoi = false;
	/* The edge sense is reset: a line that is up has to fall and rise again to be seen. */
	c->irr = c->lines & level_inputs(c);
	c->state = PIC_EXPECT_ICW2;
}

static void end_of_interrupt(struct pic_chip *c, int ir, bool rotate)
{
	if (ir == NO_IR)
		return;
	c->isr &= (uint8_t)~bit((unsigned)ir);
	if (rotate)
		c->lowest = (uint8_t)ir;
}

/* "Operation Control Word 2" */
static void write_ocw2(struct pic_chip *c, uint8_t value)
{
	uint8_t ir = value & 7;

	switch ((enum ocw2)(value >> 5)) {
	case OCW2_ROTATE_AEOI_CLEAR:
		c->rotate_on_aeoi = false;
		break;
	case OCW2_ROTATE_AEOI_SET:
		c->rotate_on_aeoi = true;
		break;
	case OCW2_EOI:
		end_of_interrupt(c, serving(c), false);
		break;
	case OCW2_ROTATE_EOI:
		end_of_interrupt(c, serving(c), true);
		break;
	case OCW2_SPECIFIC_EOI:
		end_of_interrupt(c, ir, false);
		break;
	case OCW2_ROTATE_SPECIFIC_EOI:
		end_of_interrupt(c, ir, true);
		break;
	case OCW2_SET_PRIORITY:
		c->lowest = ir;
		break;
	case OCW2_NOP:
		break;
	}
}

/* "Operation Control Word 3" */
static void write_ocw3(struct pic_chip *c, uint8_t value)
{
	if (value & OCW3_ESMM)
		c->special_mask = value & OCW3_SMM;
	if (value & OCW3_RR)
		c->read_isr = value & OCW3_RIS;
	c->poll = value & OCW3_POLL;
}

/* A0 = 1: the rest of an initialization sequence, or OCW1. */
static void write_data(struct pic_chip *c, uint8_t value)
{
	switch (c->state) {
	case PIC_EXPECT_ICW2:
		c->icw2 = value & 0xf8;
		if (!(c->icw1 & ICW1_SNGL))
			c->state = PIC_EXPECT_ICW3;
		else
			c->state = c->icw1 & ICW1_IC4 ? PIC_EXPECT_ICW4 : PIC_READY;
		break;
	case PIC_EXPECT_ICW3:
		c->state = c->icw1 & ICW1_IC4 ? PIC_EXPECT_ICW4 : PIC_READY;
		break;
	case PIC_EXPECT_ICW4:
		c->icw4 = value;
		c->state = PIC_READY;
		break;
	case PIC_UNPROGRAMMED:
	case PIC_READY:
		c->imr = value;
		break;
	}
}

static void write_elcr(struct pic_chip *c, uint8_t value)
{
	uint8_t before = level_inputs(c);
	uint8_t changed;

	c->elcr = value;
	changed = before ^ level_inputs(c);
	/* A request made under the other rule goes; a level that is there counts at once. */
	c->irr &= (uint8_t)~changed;
	c->irr |= c->lines & level_inputs(c) & changed;
}

void pic_reset(struct pic *pic)
{
	memset(pic, 0, sizeof(*pic));
	pic->chip[0].lowest = 7;
	pic->chip[1].lowest = 7;
}

void pic_set_line(struct pic *pic, unsigned irq, bool level)
{
	if (irq > 15 || irq == CASCADE_IR)
		return;
	set_input(&pic->chip[irq / 8], irq % 8, level);
	drive_cascade(pic);
}

uint8_t pic_read(struct pic *pic, uint16_t port)
{
	struct pic_chip *c = &pic->chip[port >= 0xa0 && port != 0x4d0];

	switch (port) {
	case 0x20:
	case 0xa0:
		if (c->poll)
			return poll(pic, c);
		return c->read_isr ? c->isr : c->irr;
	case 0x21:
	case 0xa1:
		/* The poll takes the next read whatever A0 is. */
		return c->poll ? poll(pic, c) : c->imr;
	case 0x4d0:
	case 0x4d1:
		return c->elcr;
	}
	return 0xff;
}

void pic_write(struct pic *pic, uint16_t port, uint8_t value)
{
	struct pic_chip *c = &pic->chip[port >= 0xa0 && port != 0x4d0];

	switch (port) {
	case 0x20:
	case 0xa0:
		if (value & ICW1_SELECT)
			write_icw1(c, value);
		else if (value & OCW3_SELECT)
			write_ocw3(c, value);
		else
			write_ocw2(c, value);
		break;
	case 0x21:
	case 0xa1:
		write_data(c, value);
		break;
	case 0x4d0:
	case 0x4d1:
		write_elcr(c, value & elcr_mask[port & 1]);
		break;
	}
	drive_cascade(pic);
}

bool pic_intr(const struct pic *pic)
{
	return pending(pic, &pic->chip[0]) != NO_IR;
}

/*
 * Where a request has gone by the time of INTA the chip answers IR7 and leaves ISR alone. A slave
 * that does so has been selected by its master, whose ISR bit is set nevertheless.
 */
uint8_t pic_ack(struct pic *pic)
{
	struct pic_chip *master = &pic->chip[0], *slave = &pic->chip[1];
	int ir = pending(pic, master);

	if (ir == NO_IR)
		return master->icw2 | SPURIOUS_IR;
	acknowledge(pic, master, ir);
	if (ir != CASCADE_IR || (master->icw1 & ICW1_SNGL))
		return (uint8_t)(master->icw2 | ir);

	ir = pending(pic, slave);
	if (ir == NO_IR)
		return slave->icw2 | SPURIOUS_IR;
	acknowledge(pic, slave, ir);
	return (uint8_t)(slave->icw2 | ir);
}

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_PIC_H
#define SIPI_CHIPS_PIC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Two cascaded Intel 8259A as in a PC/AT, with the edge/level registers (ELCR) of later chip sets.
 * Ports: 0x20-0x21 master, 0xa0-0xa1 slave, 0x4d0-0x4d1 ELCR. A pure state machine.
 *
 * One deviation from the data sheet (231468, "Edge and level triggered modes"): an edge, once seen,
 * stays in IRR when its line falls before the acknowledge. The sheet wants the line held until the
 * first INTA and answers IR7 otherwise. KVM keeps the edge as well, and here lines are moved by
 * threads that run late, which must not turn a timer tick into a spurious interrupt.
 *
 * Not modelled: MCS-80/85 mode (vectors are always the 8086's), buffered mode, and cascades other
 * than the PC's: ICW3 is taken and ignored because the wiring is fixed.
 */
enum pic_state {
	PIC_UNPROGRAMMED, /* since reset: no INT before the first ICW1 sequence */
	PIC_EXPECT_ICW2,
	PIC_EXPECT_ICW3,
	PIC_EXPECT_ICW4,
	PIC_READY,
};

struct pic_chip {
	enum pic_state state;
	uint8_t irr, isr, imr;
	uint8_t lines; /* levels of the inputs; bit 2 of the master is the slave's INT */
	uint8_t elcr;
	uint8_t icw1, icw2, icw4;
	uint8_t lowest; /* the IR level with the lowest priority (rotation) */
	bool read_isr, poll, special_mask, rotate_on_aeoi;
};

struct pic {
	struct pic_chip chip[2]; /* 0 master, 1 slave */
};

void pic_reset(struct pic *pic);
/* irq 0-15; others are ignored. IRQ 2 is the cascade and cannot be driven from outside. */
void pic_set_line(struct pic *pic, unsigned irq, bool level);
/* port: one of the six above. A read can change state (poll), hence no const. */
uint8_t pic_read(struct pic *pic, uint16_t port);
void pic_write(struct pic *pic, uint16_t port, uint8_t value);
/* The INTR output of the master. */
bool pic_intr(const struct pic *pic);
/* The two INTA cycles: returns the vector, with the spurious IR7 where nothing is left. */
uint8_t pic_ack(struct pic *pic);

#endif

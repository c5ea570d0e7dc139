// SPDX-License-Identifier: MIT
/* The two 8259As (data sheet 231468). */
#include "lib/pic.h"
#include "lib/x86.h"

#define ICW1_INIT_ICW4 0x11
#define ICW4_8086      0x01
#define CASCADE_IRQ    2
#define OCW2_SPECIFIC  0x60
#define OCW3_READ_IRR  0x0a
#define OCW3_READ_ISR  0x0b

void pic_init(uint8_t vector1, uint8_t vector2)
{
	outb(PIC1, ICW1_INIT_ICW4);
	outb(PIC2, ICW1_INIT_ICW4);
	outb(PIC1 + 1, vector1);
	outb(PIC2 + 1, vector2);
	outb(PIC1 + 1, 1 << CASCADE_IRQ);
	outb(PIC2 + 1, CASCADE_IRQ);
	outb(PIC1 + 1, ICW4_8086);
	outb(PIC2 + 1, ICW4_8086);
	pic_mask(0xffff);
}

void pic_mask(uint16_t mask)
{
	outb(PIC1 + 1, (uint8_t)mask);
	outb(PIC2 + 1, (uint8_t)(mask >> 8));
}

uint16_t pic_imr(void)
{
	return (uint16_t)(inb(PIC1 + 1) | inb(PIC2 + 1) << 8);
}

static uint16_t read_both(uint8_t ocw3)
{
	outb(PIC1, ocw3);
	outb(PIC2, ocw3);
	return (uint16_t)(inb(PIC1) | inb(PIC2) << 8);
}

uint16_t pic_irr(void)
{
	return read_both(OCW3_READ_IRR);
}

uint16_t pic_isr(void)
{
	return read_both(OCW3_READ_ISR);
}

void pic_eoi(unsigned irq)
{
	if (irq >= 8) {
		outb(PIC2, (uint8_t)(OCW2_SPECIFIC | (irq & 7)));
		irq = CASCADE_IRQ;
	}
	outb(PIC1, (uint8_t)(OCW2_SPECIFIC | irq));
}

void pic_elcr(uint16_t level_irqs)
{
	outb(ELCR, (uint8_t)level_irqs);
	outb(ELCR + 1, (uint8_t)(level_irqs >> 8));
}

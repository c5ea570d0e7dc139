/* SPDX-License-Identifier: MIT */
#ifndef GUEST_PIC_H
#define GUEST_PIC_H

#include <stdint.h>

/* The two 8259As at 0x20 and 0xa0 with the edge/level registers at 0x4d0. IRQs are 0-15. */
#define PIC1 0x20
#define PIC2 0xa0
#define ELCR 0x4d0

/* ICW1-4: edge, cascade on IRQ 2, 8086 mode, normal EOI. Afterwards every IRQ is masked. */
void pic_init(uint8_t vector1, uint8_t vector2);
void pic_mask(uint16_t mask); /* bit n set: IRQ n is masked */
uint16_t pic_imr(void);
uint16_t pic_irr(void);
uint16_t pic_isr(void);
void pic_eoi(unsigned irq); /* specific; for IRQ 8-15 to both */
void pic_elcr(uint16_t level_irqs);

#endif

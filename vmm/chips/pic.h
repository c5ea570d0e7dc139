/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_PIC_H
#define SIPI_CHIPS_PIC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Two cascaded Intel 8259A as in a PC/AT, with the edge/level registers of the later chip sets.
 * Ports: 0x20/0x21 master, 0xa0/0xa1 slave, 0x4d0/0x4d1 ELCR. A pure state machine.
 */
struct pic;	/* one 8259A */
struct pic_pair /* what the machine has */;

#endif

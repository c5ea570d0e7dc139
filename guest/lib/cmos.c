// SPDX-License-Identifier: MIT
/* CMOS RAM through the index and data ports (MC146818 data sheet; IBM PC/AT Technical Reference). */
#include "lib/board.h"
#include "lib/cmos.h"
#include "lib/x86.h"

uint8_t cmos_read(uint8_t index)
{
	outb(board.rtc_port, index);
	return inb((uint16_t)(board.rtc_port + 1));
}

void cmos_write(uint8_t index, uint8_t value)
{
	outb(board.rtc_port, index);
	outb((uint16_t)(board.rtc_port + 1), value);
}

uint16_t cmos_read16(uint8_t index)
{
	uint8_t low = cmos_read(index);

	return (uint16_t)(cmos_read((uint8_t)(index + 1)) << 8 | low);
}

void cmos_write16(uint8_t index, uint16_t value)
{
	cmos_write(index, (uint8_t)value);
	cmos_write((uint8_t)(index + 1), (uint8_t)(value >> 8));
}

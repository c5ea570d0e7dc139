/* SPDX-License-Identifier: MIT */
#ifndef GUEST_CMOS_H
#define GUEST_CMOS_H

#include <stdint.h>

/*
 * The RTC's registers and the CMOS RAM behind them, which survives every reset. From 0x40 to 0x5a nothing has
 * a meaning of its own.
 */
#define CMOS_RTC_A    0x0a
#define CMOS_RTC_B    0x0b
#define CMOS_SHUTDOWN 0x0f
#define CMOS_FREE     0x40

#define RTC_B_PIE 0x40

uint8_t cmos_read(uint8_t index);
void cmos_write(uint8_t index, uint8_t value);
/* Two bytes, the low one first. */
uint16_t cmos_read16(uint8_t index);
void cmos_write16(uint8_t index, uint16_t value);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_APIC_MSG_H
#define SIPI_CHIPS_APIC_MSG_H

#include <stdbool.h>
#include <stdint.h>

/* Delivery modes of ICR, LVT and redirection entries (SDM vol. 3A, "Interrupt Command Register"). */
enum apic_delivery {
	APIC_FIXED = 0,
	APIC_LOWEST = 1,
	APIC_SMI = 2,
	APIC_NMI = 4,
	APIC_INIT = 5,
	APIC_SIPI = 6,
	APIC_EXTINT = 7,
};

enum apic_shorthand { APIC_NO_SHORTHAND, APIC_SELF, APIC_ALL, APIC_ALL_BUT_SELF };

/* A message on the APIC bus. */
struct apic_msg {
	uint32_t dest;
	bool wide; /* a 32-bit destination (x2APIC ICR); else 8 bits, 0xff for all */
	bool logical;
	uint8_t shorthand; /* enum apic_shorthand */
	uint8_t delivery;  /* enum apic_delivery, or the reserved code 3 */
	uint8_t vector;
	bool level;  /* trigger mode */
	bool assert; /* false: INIT level de-assert */
};

#endif

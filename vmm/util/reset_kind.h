/* SPDX-License-Identifier: MIT */
#ifndef SIPI_UTIL_RESET_KIND_H
#define SIPI_UTIL_RESET_KIND_H

/* Every way a machine or a CPU is reset has a name. */
enum reset_kind {
	RESET_POWER_ON,
	RESET_HARD,	    /* port 0xcf9, 0x06: everything */
	RESET_SOFT,	    /* port 0xcf9, 0x04: CPUs only */
	RESET_KBC,	    /* i8042 command 0xfe, port 0x92 bit 0 */
	RESET_TRIPLE_FAULT, /* a shutdown, where the user asked for a reset */
	RESET_INIT,	    /* an INIT message to one CPU */
	RESET_HOST,	    /* asked for from outside the machine */
	RESET_KINDS,
};

/* "power-on", "hard", ... */
const char *reset_kind_name(enum reset_kind kind);

#endif

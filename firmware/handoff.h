/* SPDX-License-Identifier: MIT */
#ifndef SIPI_FIRMWARE_HANDOFF_H
#define SIPI_FIRMWARE_HANDOFF_H

/*
 * The block at the start of sipi's firmware image, filled in by the VMM before the reset vector
 * runs: what to enter, how, and with what in the registers. Included by assembly and by C.
 *
 * Every entry gets the device tree's guest-physical address in EDI (RDI), in every mode. EAX and EBX
 * are handed over as given here: multiboot's magic and information structure, or the device tree's
 * magic (0xd00dfeed) and address.
 */
#define HANDOFF_MAGIC	  0x69706973 /* "sipi" */
#define HANDOFF_MAGIC_OFF 0
#define HANDOFF_MODE_OFF  4  /* enum entry_mode */
#define HANDOFF_ENTRY_OFF 8  /* 64 bits */
#define HANDOFF_FDT_OFF	  16 /* 32 bits */
#define HANDOFF_EAX_OFF	  20
#define HANDOFF_EBX_OFF	  24
#define HANDOFF_FAR_OFF	  28 /* the entry as a real-mode far pointer: offset, segment */
#define HANDOFF_CR3_OFF	  32 /* the page tables, for ENTRY_LONG */
#define HANDOFF_RTC_OFF	  36 /* 32 bits: the RTC's index port, 0x70 in the image; 0: there is none */
#define HANDOFF_SIZE	  40

/* Segment selectors the guest is entered with. */
#define GDT_CODE32 0x08
#define GDT_DATA   0x10
#define GDT_CODE64 0x18

#define FIRMWARE_SIZE 0x10000
#define FIRMWARE_BASE 0xffff0000 /* and an alias at 0xf0000 */

#endif

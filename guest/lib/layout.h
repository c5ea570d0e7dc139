/* SPDX-License-Identifier: MIT */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

/* Numbers that assembly and C share. */

/* Selectors of the one GDT that all CPUs use (entry.S). */
#define SEL_CODE64 0x08
#define SEL_DATA   0x10
#define SEL_CODE32 0x18
#define SEL_CODE16 0x20
#define SEL_DATA16 0x28
#define GDT_SIZE   0x30

/* The page that a SIPI starts at, and a scratch page for a guest's own real mode code. */
#define TRAMPOLINE   0x8000
#define SCRATCH_PAGE 0x9000

/* Offsets into struct cpu (smp.h), read by entry.S. */
#define CPU_STACK_TOP 8

#endif

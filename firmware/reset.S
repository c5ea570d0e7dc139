/* SPDX-License-Identifier: MIT */
/*
 * From the reset vector to the guest's entry in real mode, or on to protected.S. The CPU starts at
 * 0xfffffff0 with CS.base = 0xffff0000 (SDM vol. 3A, "First Instruction Executed"), so offsets within
 * this 64 KiB image are addresses relative to CS until the first far jump. Nothing here writes to
 * RAM: all of it belongs to the guest.
 *
 * Before anything else the CMOS shutdown byte is looked at, as the BIOS of IBM's PC/AT does (Technical
 * Reference, BIOS listing, "shutdown"): 5 means an EOI to both PICs, 10 means none, and then both go on in
 * real mode at the far pointer at 40:67. The byte is cleared first, so that it serves once. The CPU is
 * handed over with the registers and segments that RESET gave it, but for CS:IP and the arithmetic flags.
 * What an absent RTC reads as, 0xff, is no such byte.
 */
#include "firmware/handoff.h"

#define CMOS_SHUTDOWN	  0x0f /* with bit 7, the NMI mask, open as RESET leaves it */
#define SHUTDOWN_JUMP_EOI 0x05
#define SHUTDOWN_JUMP	  0x0a
#define WARM_VECTOR	  0x467
#define RTC_INDEX	  0x70
#define PIC1		  0x20
#define PIC2		  0xa0
#define PIC_EOI		  0x20

	.section .handoff, "a"
	.global	handoff
handoff:
	.long	HANDOFF_MAGIC
	.fill	HANDOFF_RTC_OFF - 4, 1, 0
	.long	RTC_INDEX

	.section .reset, "ax"
	.code16
	jmp	start16
	.balign	16, 0x90

	.section .text16, "ax"
	.code16
start16:
	cli
	cld
	movl	%edx, %esi		/* the CPU's signature, kept for whoever is jumped to */
	movw	%cs:HANDOFF_RTC_OFF, %dx
	testw	%dx, %dx
	jz	cold
	movb	$CMOS_SHUTDOWN, %al
	outb	%al, %dx
	incw	%dx
	inb	%dx, %al
	cmpb	$SHUTDOWN_JUMP, %al
	je	warm
	cmpb	$SHUTDOWN_JUMP_EOI, %al
	jne	cold
	movb	$PIC_EOI, %al
	outb	%al, $PIC2
	outb	%al, $PIC1
warm:
	movb	$0, %al
	outb	%al, %dx
	movl	%esi, %edx
	xorl	%esi, %esi
	xorl	%eax, %eax
	ljmpw	*WARM_VECTOR		/* DS.base is 0 */

cold:
	movl	%esi, %edx
	xorl	%esi, %esi
	movl	%cs:HANDOFF_FDT_OFF, %edi
	movl	%cs:HANDOFF_EBX_OFF, %ebx
	cmpl	$0, %cs:HANDOFF_MODE_OFF
	je	real
	lgdtl	%cs:gdt_pointer_offset
	/* Protected mode with the caches on: RESET leaves CR0.CD and CR0.NW set. */
	movl	%cr0, %eax
	andl	$~0x60000000, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$GDT_CODE32, $start32

real:
	movl	%cs:HANDOFF_EAX_OFF, %eax
	ljmpw	*%cs:HANDOFF_FAR_OFF

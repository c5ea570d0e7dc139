/* SPDX-License-Identifier: MIT */
/*
 * From the reset vector to the guest's entry in real mode, or on to protected.S. The CPU starts at
 * 0xfffffff0 with CS.base = 0xffff0000 (SDM vol. 3A, "First Instruction Executed"), so offsets within
 * this 64 KiB image are addresses relative to CS until the first far jump. Nothing here writes to
 * RAM: all of it belongs to the guest.
 */
#include "firmware/handoff.h"

	.section .handoff, "a"
	.global	handoff
handoff:
	.long	HANDOFF_MAGIC
	.fill	HANDOFF_SIZE - 4, 1, 0

	.section .reset, "ax"
	.code16
	jmp	start16
	.balign	16, 0x90

	.section .text16, "ax"
	.code16
start16:
	cli
	cld
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

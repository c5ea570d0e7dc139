/* SPDX-License-Identifier: MIT */
/* 32-bit protected mode with flat segments: enters the guest there, or goes on to long.S. */
#include "firmware/handoff.h"

	.section .text32, "ax"
	.code32
	.global	start32
start32:
	movl	$GDT_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	xorl	%esp, %esp
	cmpl	$1, handoff + HANDOFF_MODE_OFF
	jne	enable_long
	movl	handoff + HANDOFF_EAX_OFF, %eax
	jmp	*handoff + HANDOFF_ENTRY_OFF

	/*
	 * Descriptors with the accessed bit set (0x9b, 0x93): the CPU then has no reason to write to
	 * this table, which lies in ROM.
	 */
	.section .gdt, "a"
	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* GDT_CODE32 */
	.quad	0x00cf93000000ffff	/* GDT_DATA */
	.quad	0x00af9b000000ffff	/* GDT_CODE64 */
gdt_end:
	.global	gdt_pointer
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt

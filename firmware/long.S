/* SPDX-License-Identifier: MIT */
/*
 * 64-bit mode with the first 4 GiB mapped 1:1 (SDM vol. 3A, "Initializing IA-32e Mode"). The page tables
 * were put into RAM by the VMM: with nested paging a walk of the guest's tables counts as a write
 * (AMD APM vol. 2, "Nested Paging"), so KVM takes tables in ROM for an access to emulate.
 */
#include "firmware/handoff.h"

	.section .text32, "ax"
	.code32
	.global	enable_long
enable_long:
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	handoff + HANDOFF_CR3_OFF, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* IA32_EFER.LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmpl	$GDT_CODE64, $start64

	/*
	 * Assembled as 32-bit ELF, whose relocations cannot express "64-bit code below 4 GiB near its
	 * end": the address goes into a register (zero-extended) instead.
	 */
	.section .text64, "ax"
	.code64
start64:
	movl	$handoff, %esi
	movl	%edi, %edi
	movl	%ebx, %ebx
	movl	HANDOFF_EAX_OFF(%rsi), %eax
	movq	HANDOFF_ENTRY_OFF(%rsi), %rcx
	jmp	*%rcx

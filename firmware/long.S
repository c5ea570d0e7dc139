/* SPDX-License-Identifier: MIT */
/*
 * 64-bit mode with the first 4 GiB mapped 1:1 (SDM vol. 3A, "Initializing IA-32e Mode"). The page
 * tables are constants in ROM with their accessed and dirty bits set, so that the CPU never has to
 * write to them.
 */
#include "firmware/handoff.h"

#define TABLE	   0x23		/* present, writable, accessed */
#define PAGE_2M	   0xe3		/* present, writable, accessed, dirty, large */
#define UNCACHED   0x18		/* PCD, PWT: from 3 GiB on lie devices */

	.section .text32, "ax"
	.code32
	.global	enable_long
enable_long:
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$pml4, %eax
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

	.section .pages, "a"
	.balign	4096
pml4:
	.long	pdpt + TABLE, 0
	.fill	511, 8, 0
pdpt:
	.long	pd + TABLE, 0
	.long	pd + 0x1000 + TABLE, 0
	.long	pd + 0x2000 + TABLE, 0
	.long	pd + 0x3000 + TABLE, 0
	.fill	508, 8, 0
pd:
	.set	page, 0
	.rept	1536
	.quad	page + PAGE_2M
	.set	page, page + 0x200000
	.endr
	.rept	512
	.quad	page + PAGE_2M + UNCACHED
	.set	page, page + 0x200000
	.endr

/* SPDX-License-Identifier: MIT */
/*
 * COUNT reads of the IOAPIC's IOREGSEL, which is unbacked memory to floor.c; eoi.S has another access.
 * Entered in real mode; the address needs protected mode.
 */
#ifndef ADDRESS
#define ADDRESS 0xfec00000
#define ACCESS movl (%ebx), %eax
#endif
	.code16
	cli
	lgdtl	%cs:gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $protected
	.code32
protected:
	movw	$16, %ax
	movw	%ax, %ds
	movl	$ADDRESS, %ebx
	movl	$COUNT, %ecx
1:	ACCESS
	decl	%ecx
	jnz	1b
	xorb	%al, %al
	outb	%al, $0xf4

	/* Accessed already: the CPU has no reason to write to it. */
	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

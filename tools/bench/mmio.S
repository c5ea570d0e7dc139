/* SPDX-License-Identifier: MIT */
/*
 * COUNT reads of the IOAPIC's IOREGSEL, which is unbacked memory to floor.c. Entered in real mode; the
 * address needs protected mode.
 */
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
	movl	$0xfec00000, %ebx
	movl	$COUNT, %ecx
1:	movl	(%ebx), %eax
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

/* SPDX-License-Identifier: MIT */
/* COUNT writes to the POST port; entered in real mode. */
	.code16
	movl	$COUNT, %ecx
1:	outb	%al, $0x80
	decl	%ecx
	jnz	1b
	xorb	%al, %al
	outb	%al, $0xf4

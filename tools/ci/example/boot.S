/* SPDX-License-Identifier: MIT */
/* What a multiboot loader looks for, and the way into C. */
	.section .multiboot, "a"
	.align 4
	.long 0x1badb002, 2, -(0x1badb002 + 2) /* flag 1: tell us about memory */

	.text
	.globl _start
_start:
	mov $stack, %esp
	push %ebx /* the boot information */
	push %eax /* the loader's magic number */
	call kernel_main
1:	cli
	hlt
	jmp 1b

	.bss
	.align 16
	.skip 4096
stack:
	.section .note.GNU-stack, "", @progbits

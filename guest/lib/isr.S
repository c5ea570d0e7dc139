/* SPDX-License-Identifier: MIT */
/*
 * 256 interrupt entries of 16 bytes each, the way into idt.c and back, and guest_try()'s way out of a fault.
 */
	.text
	.globl isr_entries
	.balign 16
isr_entries:
	.set vector, 0
	.rept 256
	.balign 16
	/* These push an error code themselves (SDM Vol. 3A 6.13); the others get a 0. */
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq $0
	.endif
	pushq $vector
	jmp isr_common
	.set vector, vector + 1
	.endr

isr_common:
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	mov %rsp, %rdi
	mov %rsp, %rbp
	and $-16, %rsp
	call interrupt
	mov %rbp, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	add $16, %rsp
	iretq

/* int try_call(uint64_t *rsp, void (*fn)(void *), void *arg): 1 when fn returned, 0 after a fault */
	.globl try_call, try_resume
try_call:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	sub $8, %rsp
	mov %rsp, (%rdi)
	mov %rdx, %rdi
	call *%rsi
	mov $1, %eax
	jmp 1f
try_resume:
	xor %eax, %eax
1:	add $8, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .note.GNU-stack, "", @progbits

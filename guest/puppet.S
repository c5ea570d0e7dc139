/* SPDX-License-Identifier: MIT */
/*
 * The puppet's code: the same three times, for real, protected and long mode. One image for PUPPET_CODE; puppet.h has the rest.
 */
#include "guest/puppet.h"

#define SLOT	 16 /* bytes an operation */
#define ERRORS	 0x00227d00 /* exceptions with an error code: 8, 10 to 14, 17, 21 (SDM vol. 3A, "Error Code") */
#define LAST_FAULT 21 /* vectors above are interrupts, as 2 is */
#define MSR_X2APIC_EOI 0x80b
#define MSR_X2APIC_ICR 0x830
#define XAPIC_EOI      0xfee000b0
#define XAPIC_ICR      0xfee00300

	.text
	.code16
	.globl _start
_start:
	ljmp $0, $start16
	.org 0x10
parts:
	.long idle64, idle32, idle16, interrupt64, interrupt32, interrupt16

/* Behind a SIPI. */
start16:
	in $PUPPET_PORT, %ax
	mov %ax, %ds
	mov %ax, %ss
	mov $PUPPET_MAILBOX_SIZE, %esp
	jmp idle16

/* What is the same text in each mode. EDI, ESI: A, B; ECX: A; EDX:EAX: B. The result is in EDX:EAX. */
	.macro operations mode, flags_push, flags_pop
	.macro slot n
	.org ops\mode + SLOT * \n, 0x90
	.endm
ops\mode:
	slot PUPPET_NOP
	jmp done\mode
	slot PUPPET_RDMSR
	rdmsr
	jmp done\mode
	slot PUPPET_WRMSR
	wrmsr
	jmp done\mode
	slot PUPPET_READ32
	.if \mode == 16
	jmp read16
	.else
	mov (%edi), %eax
	xor %edx, %edx
	jmp done\mode
	.endif
	slot PUPPET_WRITE32
	.if \mode == 16
	jmp write16
	.else
	mov %esi, (%edi)
	jmp done\mode
	.endif
	slot PUPPET_INB
	mov %edi, %edx
	in %dx, %al
	movzbl %al, %eax
	xor %edx, %edx
	jmp done\mode
	slot PUPPET_OUTB
	mov %edi, %edx
	out %al, %dx
	jmp done\mode
	slot PUPPET_INL
	mov %edi, %edx
	in %dx, %eax
	xor %edx, %edx
	jmp done\mode
	slot PUPPET_OUTL
	mov %edi, %edx
	out %eax, %dx
	jmp done\mode
	slot PUPPET_CLI
	cli
	jmp done\mode
	slot PUPPET_STI
	sti
	jmp done\mode
	slot PUPPET_HLT
	hlt
	jmp done\mode
	slot PUPPET_STI_HLT
	sti
	hlt
	jmp done\mode
	slot PUPPET_PAUSE
1:	pause
	dec %ecx
	jg 1b
	jmp done\mode
	slot PUPPET_CPUID
	mov %esi, %ecx
	mov %edi, %eax
	cpuid
	xor %edx, %edx
	jmp done\mode
	slot PUPPET_RFLAGS
	\flags_push
	\flags_pop
	xor %edx, %edx
	jmp done\mode
	slot PUPPET_RDCR8
	.if \mode == 64
	mov %cr8, %rax
	xor %edx, %edx
	jmp done64
	.else
	jmp absent\mode
	.endif
	slot PUPPET_WRCR8
	.if \mode == 64
	mov %rdi, %cr8
	jmp done64
	.else
	jmp absent\mode
	.endif
	slot PUPPET_RDTSC
	rdtsc
	jmp done\mode
	slot PUPPET_SHUTDOWN
	jmp shutdown\mode
	slot PUPPET_ANSWER
	.if \mode == 64
	xor %ecx, %ecx
	jmp answer64
	.else
	jmp absent\mode
	.endif
	slot PUPPET_ANSWER_HLT
	.if \mode == 64
	mov $1, %ecx
	jmp answer64
	.else
	jmp absent\mode
	.endif
	slot PUPPET_OPS
	.purgem slot
	.endm

/* --- long mode; RBP: the mailbox */

	.code64
shutdown64:
	push $0
	push $0
	lidt (%rsp)
	mov $-1, %ecx
	rdmsr
	operations 64, pushf, "pop %rax"

done64:
	mov %eax, PUPPET_RESULT(%rbp)
	mov %edx, PUPPET_RESULT + 4(%rbp)
ended64:
	movl $PUPPET_DONE, PUPPET_OP(%rbp)
idle64:
	out %al, $PUPPET_PORT
	mov PUPPET_OP(%rbp), %ebx
	cmp $PUPPET_OPS, %ebx
	jae idle64
	shl $4, %ebx
	add $ops64, %ebx
	mov PUPPET_A(%rbp), %rdi
	mov PUPPET_B(%rbp), %rsi
	mov %edi, %ecx
	mov %esi, %eax
	mov PUPPET_B + 4(%rbp), %edx
	jmp *%rbx

/* EDI: for ICR, by the way that EOI goes; ESI: how often; ECX: halted. EBX: interrupts that were answered. */
answer64:
	mov PUPPET_TAKEN(%rbp), %ebx
1:	cli
	cmp %ebx, PUPPET_TAKEN(%rbp)
	jne 3f
	jecxz 2f
	sti
halt64:	hlt
	jmp 1b
2:	sti
	pause
	jmp 1b
3:	inc %ebx
	mov %edi, %eax
	cmpl $PUPPET_EOI_X2APIC, PUPPET_EOI(%rbp)
	je 4f
	mov $XAPIC_ICR, %edx
	mov %eax, (%rdx)
	jmp 5f
4:	push %rcx
	xor %edx, %edx
	mov $MSR_X2APIC_ICR, %ecx
	wrmsr
	pop %rcx
5:	dec %esi
	jg 1b
	jmp done64

/* Its return address tells the vector. Behind it: maybe an error code, RIP, CS, RFLAGS, RSP, SS. */
interrupt64:
	push %rax
	push %rcx
	push %rdx
	mov 24(%rsp), %eax
	sub $PUPPET_STUBS64, %eax
	shr $3, %eax
	cmp $2, %eax
	je 1f
	cmp $LAST_FAULT, %eax
	jbe fault64
	/* Taken between STI and HLT, as an NMI can be, and seldom Bochs' virtual interrupts: past that HLT, which nothing would end. */
1:	cmpq $halt64, 32(%rsp)
	jne 1f
	incq 32(%rsp)
1:	mov $1, %ecx
	xadd %ecx, PUPPET_TAKEN(%rbp) # in one: an NMI may come
	incl PUPPET_COUNTS(%rbp, %rax, 4)
	and $PUPPET_ORDERS - 1, %ecx
	shl $4, %ecx
	mov %rax, PUPPET_ORDER + 8(%rbp, %rcx)
	push %rax
	rdtsc
	mov %eax, PUPPET_ORDER(%rbp, %rcx)
	mov %edx, PUPPET_ORDER + 4(%rbp, %rcx)
	pop %rcx
	cmp $2, %ecx
	je 3f
	mov PUPPET_EOI(%rbp), %edx
	xor %eax, %eax
	cmp $PUPPET_EOI_XAPIC, %edx
	jb 3f
	ja 2f
	mov $XAPIC_EOI, %ecx
	mov %eax, (%rcx)
	jmp 3f
2:	xor %edx, %edx
	mov $MSR_X2APIC_EOI, %ecx
	wrmsr
3:	pop %rdx
	pop %rcx
	pop %rax
	add $8, %rsp
	iretq

fault64:
	lea 32(%rsp), %rdx
	xor %ecx, %ecx
	push %rbx
	mov $ERRORS, %ebx
	bt %eax, %ebx
	pop %rbx
	jnc 1f
	mov (%rdx), %ecx
	add $8, %rdx
1:	mov %eax, PUPPET_FAULT(%rbp)
	mov %ecx, PUPPET_ERROR(%rbp)
	mov %cr2, %rax
	mov %rax, PUPPET_ADDRESS(%rbp)
	mov (%rdx), %rax
	mov %rax, PUPPET_RIP(%rbp)
	mov 16(%rdx), %rax
	lea PUPPET_MAILBOX_SIZE(%rbp), %rsp
	push %rax
	popf
	jmp ended64

/* --- protected mode, without paging; EBP: the mailbox */

	.code32
shutdown32:
	push $0
	push $0
	lidt (%esp)
	mov $-1, %ecx
	rdmsr
absent32:
	movl $6, PUPPET_FAULT(%ebp) /* #UD */
	jmp ended32
	operations 32, pushf, "pop %eax"

done32:
	mov %eax, PUPPET_RESULT(%ebp)
	mov %edx, PUPPET_RESULT + 4(%ebp)
ended32:
	movl $PUPPET_DONE, PUPPET_OP(%ebp)
idle32:
	out %al, $PUPPET_PORT
	mov PUPPET_OP(%ebp), %ebx
	cmp $PUPPET_OPS, %ebx
	jae idle32
	shl $4, %ebx
	add $ops32, %ebx
	mov PUPPET_A(%ebp), %edi
	mov PUPPET_B(%ebp), %esi
	mov %edi, %ecx
	mov %esi, %eax
	mov PUPPET_B + 4(%ebp), %edx
	jmp *%ebx

interrupt32:
	push %eax
	push %ecx
	push %edx
	mov 12(%esp), %eax
	sub $PUPPET_STUBS32, %eax
	shr $3, %eax
	cmp $2, %eax
	je 1f
	cmp $LAST_FAULT, %eax
	jbe fault32
1:	mov $1, %ecx
	xadd %ecx, PUPPET_TAKEN(%ebp)
	incl PUPPET_COUNTS(%ebp, %eax, 4)
	and $PUPPET_ORDERS - 1, %ecx
	shl $4, %ecx
	mov %eax, PUPPET_ORDER + 8(%ebp, %ecx)
	movl $0, PUPPET_ORDER + 12(%ebp, %ecx)
	push %eax
	rdtsc
	mov %eax, PUPPET_ORDER(%ebp, %ecx)
	mov %edx, PUPPET_ORDER + 4(%ebp, %ecx)
	pop %ecx
	cmp $2, %ecx
	je 4f
	mov PUPPET_EOI(%ebp), %edx
	xor %eax, %eax
	cmp $PUPPET_EOI_XAPIC, %edx
	jb 3f
	ja 2f
	mov %eax, XAPIC_EOI
	jmp 3f
2:	xor %edx, %edx
	mov $MSR_X2APIC_EOI, %ecx
	wrmsr
	/* A KVM without VMX and SVM has no 32-bit IRET. Here: EDX, ECX, EAX, the stub's address, EIP, CS, EFLAGS. */
3:	pop %edx
	pop %ecx
	pop %eax
	add $4, %esp
	push 8(%esp)
	popf
	lret $4
	/* An NMI needs the IRET: it ends the blocking of NMIs. */
4:	pop %edx
	pop %ecx
	pop %eax
	add $4, %esp
	iret

fault32:
	lea 16(%esp), %edx
	xor %ecx, %ecx
	push %ebx
	mov $ERRORS, %ebx
	bt %eax, %ebx
	pop %ebx
	jnc 1f
	mov (%edx), %ecx
	add $4, %edx
1:	mov %eax, PUPPET_FAULT(%ebp)
	mov %ecx, PUPPET_ERROR(%ebp)
	mov %cr2, %eax
	mov %eax, PUPPET_ADDRESS(%ebp)
	mov (%edx), %eax
	mov %eax, PUPPET_RIP(%ebp)
	mov 8(%edx), %eax
	lea PUPPET_MAILBOX_SIZE(%ebp), %esp
	push %eax
	popf
	jmp ended32

/* --- real mode; DS and SS: the mailbox */

	.code16
read16:
	call es16
	mov %es:(%di), %eax
	xor %edx, %edx
	jmp done16
write16:
	call es16
	mov %esi, %es:(%di)
	jmp done16
/* ES:DI for the address in EDI. What no segment reaches is beyond a limit: #GP. */
es16:
	cmp $0x100000, %edi
	jae beyond16
	mov %edi, %ecx
	shr $4, %ecx
	mov %cx, %es
	and $15, %di
	ret
beyond16:
	pop %ax
	movl $13, PUPPET_FAULT
	jmp ended16
shutdown16:
	pushl $0
	pushl $0
	mov %sp, %bx
	lidtl (%bx)
	/* Where KVM emulates real mode, it does not look at the IDT's limit. */
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	mov $-1, %ecx
	rdmsr
absent16:
	movl $6, PUPPET_FAULT
	jmp ended16
	operations 16, pushfl, "popl %eax"

done16:
	mov %eax, PUPPET_RESULT
	mov %edx, PUPPET_RESULT + 4
ended16:
	movl $PUPPET_DONE, PUPPET_OP
idle16:
	out %al, $PUPPET_PORT
	mov PUPPET_OP, %ebx
	cmp $PUPPET_OPS, %ebx
	jae idle16
	shl $4, %ebx
	add $ops16, %ebx
	mov PUPPET_A, %edi
	mov PUPPET_B, %esi
	mov %edi, %ecx
	mov %esi, %eax
	mov PUPPET_B + 4, %edx
	jmp *%bx

/* Behind the stub's address: IP, CS, FLAGS. Exceptions have no error codes here. */
interrupt16:
	push %eax
	push %ecx
	push %edx
	push %bx
	mov %sp, %bx
	movzwl 14(%bx), %eax
	sub $PUPPET_STUBS16, %ax
	shr $2, %ax
	cmp $2, %ax
	je 1f
	cmp $LAST_FAULT, %ax
	jbe fault16
1:	mov %ax, %bx
	shl $2, %bx
	incl PUPPET_COUNTS(%bx)
	mov $1, %ecx
	xadd %ecx, PUPPET_TAKEN
	mov %cx, %bx
	and $PUPPET_ORDERS - 1, %bx
	shl $4, %bx
	mov %eax, PUPPET_ORDER + 8(%bx)
	movl $0, PUPPET_ORDER + 12(%bx)
	push %ax
	rdtsc
	mov %eax, PUPPET_ORDER(%bx)
	mov %edx, PUPPET_ORDER + 4(%bx)
	pop %ax
	cmp $2, %ax
	je 2f
	cmpb $PUPPET_EOI_X2APIC, PUPPET_EOI
	jne 2f
	xor %eax, %eax
	xor %edx, %edx
	mov $MSR_X2APIC_EOI, %ecx
	wrmsr
2:	pop %bx
	pop %edx
	pop %ecx
	pop %eax
	add $2, %sp
	iret

fault16:
	mov %eax, PUPPET_FAULT
	movl $0, PUPPET_ERROR
	movl $0, PUPPET_ADDRESS
	movl $0, PUPPET_ADDRESS + 4
	movzwl 16(%bx), %eax
	mov %eax, PUPPET_RIP
	movl $0, PUPPET_RIP + 4
	mov 20(%bx), %ax
	mov $PUPPET_MAILBOX_SIZE, %esp
	push %ax
	popf
	jmp ended16

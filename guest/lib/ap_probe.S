/* SPDX-License-Identifier: MIT */
/*
 * Copied to SCRATCH_PAGE; CS = SCRATCH_PAGE >> 4, IP = 0. Code can be written in real mode, so that nothing has
 * to be loaded before the registers are noted; MOV leaves the flags alone.
 */
#include "lib/ap_probe.h"

#define AT(x) (AP_PROBE_AT + (x))

	.section .rodata
	.globl ap_probe_code, ap_probe_end
	.balign 8
	.code16
ap_probe_code:
	mov %eax, %cs:AT(AP_PROBE_GPR)
	mov %ebx, %cs:AT(AP_PROBE_GPR + 4)
	mov %ecx, %cs:AT(AP_PROBE_GPR + 8)
	mov %edx, %cs:AT(AP_PROBE_GPR + 12)
	mov %esi, %cs:AT(AP_PROBE_GPR + 16)
	mov %edi, %cs:AT(AP_PROBE_GPR + 20)
	mov %ebp, %cs:AT(AP_PROBE_GPR + 24)
	mov %esp, %cs:AT(AP_PROBE_GPR + 28)
	mov %ds, %bx
	mov %ss, %cx
	mov %cs, %ax
	mov %ax, %ds
	mov %ax, %ss
	mov $0x1000, %esp
	pushfl
	popl AT(AP_PROBE_EFLAGS)
	cli
	mov %ax, AT(AP_PROBE_SEL)
	mov %bx, AT(AP_PROBE_SEL + 2)
	mov %es, %ax
	mov %ax, AT(AP_PROBE_SEL + 4)
	mov %cx, AT(AP_PROBE_SEL + 6)
	mov %fs, %ax
	mov %ax, AT(AP_PROBE_SEL + 8)
	mov %gs, %ax
	mov %ax, AT(AP_PROBE_SEL + 10)
	rdtsc
	mov %eax, AT(AP_PROBE_TSC)
	mov %edx, AT(AP_PROBE_TSC + 4)
	mov %cr0, %eax
	mov %eax, AT(AP_PROBE_CR)
	mov %cr2, %eax
	mov %eax, AT(AP_PROBE_CR + 4)
	mov %cr3, %eax
	mov %eax, AT(AP_PROBE_CR + 8)
	mov %cr4, %eax
	mov %eax, AT(AP_PROBE_CR + 12)
	mov %dr0, %eax
	mov %eax, AT(AP_PROBE_DR)
	mov %dr6, %eax
	mov %eax, AT(AP_PROBE_DR + 4)
	mov %dr7, %eax
	mov %eax, AT(AP_PROBE_DR + 8)
	sgdtl AT(AP_PROBE_GDTR)
	sidtl AT(AP_PROBE_IDTR)

	/* With OSFXSR, so that MXCSR and XMM are in it (SDM Vol. 2A, FXSAVE). */
	cmpl $0, AT(AP_PROBE_FPU)
	je 1f
	mov $0x200, %eax
	mov %eax, %cr4
	fxsave AT(AP_PROBE_FX)

	/* MSRs of the list, up to an index of all ones */
1:	mov $AT(AP_PROBE_MSRS), %si
	mov $AT(AP_PROBE_MSRVAL), %di
2:	mov (%si), %ecx
	cmp $-1, %ecx
	je 3f
	rdmsr
	mov %eax, (%di)
	mov %edx, 4(%di)
	add $4, %si
	add $8, %di
	jmp 2b

	/*
	 * The local APIC: protection is switched on for a segment that reaches its page; CS, DS and SS stay
	 * what they are.
	 */
3:	lgdtl AT(AP_PROBE_LGDT)
	mov %cr0, %eax
	or $1, %eax
	mov %eax, %cr0
	mov $8, %ax
	mov %ax, %es
	mov $AT(AP_PROBE_REGS), %si
	mov $AT(AP_PROBE_VALUES), %di
4:	movzwl (%si), %ecx
	cmp $0xffff, %cx
	je 7f
	cmpl $0, AT(AP_PROBE_X2APIC)
	jne 5f
	mov AT(AP_PROBE_PAGE), %ebx
	add %ecx, %ebx
	mov %es:(%ebx), %eax
	jmp 6f
5:	shr $4, %ecx
	add $0x800, %ecx
	rdmsr
6:	mov %eax, (%di)
	add $2, %si
	add $4, %di
	jmp 4b
7:	movl $1, AT(AP_PROBE_DONE)
8:	hlt
	jmp 8b
ap_probe_end:

	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of the boot CPU (64-bit, firmware's page tables, RDI = device tree) and of
 * the others (real mode at the trampoline page, after a SIPI). Both end in C on a stack of their own.
 */
#include "lib/layout.h"

#define CR4_PAE	 0x20
#define EFER	 0xc0000080
#define EFER_LME 0x100
/* PG, WP, NE, ET, PE; CD and NW, which INIT leaves set, are cleared. */
#define CR0_LONG 0x80010031

	.section .text.entry, "ax"
	.code64
	.globl _start
_start:
	cli
	cld
	lgdt gdtr64(%rip)
	lea boot_stack_top(%rip), %rsp
	pushq $SEL_CODE64
	lea 1f(%rip), %rax
	push %rax
	lretq
1:	call load_data_segments
	xor %ebp, %ebp
	call lib_main
2:	hlt
	jmp 2b

load_data_segments:
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %eax, %fs
	mov %eax, %gs
	ret

	.globl gdt, gdtr64
	.balign 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* SEL_CODE64 */
	.quad 0x00cf93000000ffff	/* SEL_DATA */
	.quad 0x00cf9b000000ffff	/* SEL_CODE32 */
	.quad 0x00009b000000ffff	/* SEL_CODE16: base 0, limit 64 KiB */
	.quad 0x000093000000ffff	/* SEL_DATA16 */
gdtr64:
	.word GDT_SIZE - 1
	.quad gdt

/* --- copied to TRAMPOLINE; CS = TRAMPOLINE >> 4, IP = 0 */

	.section .rodata
	.globl trampoline, trampoline_end
	.balign 8
	.code16
trampoline:
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	lgdtl gdtr16 - trampoline
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmpl $SEL_CODE32, $ap32
	.balign 4
gdtr16:
	.word GDT_SIZE - 1
	.long gdt
trampoline_end:

	.text
	.code32
ap32:
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov $pml4, %eax
	mov %eax, %cr3
	mov $EFER, %ecx
	rdmsr
	or $EFER_LME, %eax
	wrmsr
	mov $CR0_LONG, %eax
	mov %eax, %cr0
	ljmp $SEL_CODE64, $ap64

/*
 * No stack yet: the CPU finds its struct cpu by its APIC ID, which is all it knows of itself. The ID
 * is CPUID leaf 0xb's where that leaf exists (only there it has 32 bits), else leaf 1's.
 */
	.code64
ap64:
	mov $SEL_DATA, %eax
	mov %eax, %fs
	mov %eax, %gs
	xor %eax, %eax
	cpuid
	cmp $0xb, %eax
	jb 1f
	mov $0xb, %eax
	xor %ecx, %ecx
	cpuid
	test %ebx, %ebx
	jz 1f
	mov %edx, %esi
	jmp 2f
1:	mov $1, %eax
	cpuid
	mov %ebx, %esi
	shr $24, %esi

	/* Binary search in cpu_slots[0 .. ncpus), sorted by ID: [r8d, r9d) */
2:	mov cpu_slots, %rdi
	xor %r8d, %r8d
	mov ncpus, %r9d
3:	cmp %r9d, %r8d
	jae 5f
	lea (%r8, %r9), %eax
	shr $1, %eax
	mov %eax, %edx
	shl $4, %edx
	cmp %esi, (%rdi, %rdx)
	je 4f
	ja 6f
	lea 1(%rax), %r8d
	jmp 3b
6:	mov %eax, %r9d
	jmp 3b

4:	mov 8(%rdi, %rdx), %rdi
	mov CPU_STACK_TOP(%rdi), %rsp
	test %rsp, %rsp
	jz 5f
	xor %ebp, %ebp
	call ap_main
5:	lock incl aps_lost
6:	cli
	hlt
	jmp 6b

	.bss
	.balign 16
	.skip 16384
boot_stack_top:
	.section .note.GNU-stack, "", @progbits

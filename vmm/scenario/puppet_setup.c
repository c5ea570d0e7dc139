// SPDX-License-Identifier: MIT
/* The puppet's memory, and a CPU's registers for it. `sipi check --emit-c` writes out what is behind the includes. */
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>

#include "guest/puppet.h"
#include "scenario/puppet.h"

static void put(uint8_t *mem, uint32_t at, uint64_t value, unsigned size)
{
	memcpy(mem + at, &value, size);
}

static uint32_t get32(const uint8_t *mem, uint32_t at)
{
	uint32_t value;

	memcpy(&value, mem + at, sizeof(value));
	return value;
}

/* Interrupt gates, which lead to stubs, which call what is in the image. */
static void put_vector(uint8_t *mem, unsigned v)
{
	uint32_t stub64 = PUPPET_STUBS64 + 8 * v, stub32 = PUPPET_STUBS32 + 8 * v;
	uint32_t stub16 = PUPPET_STUBS16 + 4 * v;
	uint64_t gate = 0x8e0000000000;

	put(mem, PUPPET_IDT64 + 16 * v, gate | PUPPET_SEL_CODE64 << 16 | stub64, 8);
	put(mem, PUPPET_IDT32 + 8 * v, gate | PUPPET_SEL_CODE32 << 16 | stub32, 8);
	put(mem, PUPPET_IVT + 4 * v, stub16, 4);
	put(mem, stub64, 0xe8, 1);
	put(mem, stub64 + 1, get32(mem, PUPPET_INTERRUPT64) - stub64 - 5, 4);
	put(mem, stub32, 0xe8, 1);
	put(mem, stub32 + 1, get32(mem, PUPPET_INTERRUPT32) - stub32 - 5, 4);
	put(mem, stub16, 0xe8, 1);
	put(mem, stub16 + 1, get32(mem, PUPPET_INTERRUPT16) - stub16 - 3, 2);
}

/* mem: PUPPET_MEMORY bytes of zeros, of the guest's address 0. */
void puppet_load(uint8_t *mem, const uint8_t *image, size_t size)
{
	memcpy(mem + PUPPET_CODE, image, size);
	for (unsigned v = 0; v < 256; v++)
		put_vector(mem, v);
	put(mem, PUPPET_GDT + PUPPET_SEL_CODE64, 0x00af9b000000ffff, 8);
	put(mem, PUPPET_GDT + PUPPET_SEL_DATA, 0x00cf93000000ffff, 8);
	put(mem, PUPPET_GDT + PUPPET_SEL_CODE32, 0x00cf9b000000ffff, 8);
	/* 1:1 in pages of 2 MiB, the fourth GiB uncached. */
	put(mem, PUPPET_PML4, (PUPPET_PML4 + 0x1000) | 3, 8);
	put(mem, PUPPET_PML4 + 0x1000, (PUPPET_PML4 + 0x2000) | 3, 8);
	put(mem, PUPPET_PML4 + 0x1018, (PUPPET_PML4 + 0x3000) | 3, 8);
	for (unsigned i = 0; i < 512; i++) {
		put(mem, PUPPET_PML4 + 0x2000 + 8 * i, (uint64_t)i << 21 | 0x83, 8);
		put(mem, PUPPET_PML4 + 0x3000 + 8 * i, 0xc0000000 | (uint64_t)i << 21 | 0x9b, 8);
	}
	for (unsigned i = 0; i < PUPPET_CPUS; i++) {
		put(mem, PUPPET_MAILBOX + PUPPET_MAILBOX_SIZE * i + PUPPET_OP, PUPPET_DONE, 4);
		put(mem, PUPPET_MAILBOX + PUPPET_MAILBOX_SIZE * i + PUPPET_FAULT, PUPPET_NO_FAULT,
		    4);
	}
}

static struct kvm_segment segment(uint32_t base, uint32_t limit, uint16_t selector, unsigned type)
{
	return (struct kvm_segment){.base = base,
				    .limit = limit,
				    .selector = selector,
				    .type = (uint8_t)type,
				    .present = 1,
				    .s = 1};
}

static void set_flat(struct kvm_sregs *s, enum puppet_mode mode)
{
	struct kvm_segment code = segment(0, 0xffffffff, PUPPET_SEL_CODE32, 0xb);
	struct kvm_segment data = segment(0, 0xffffffff, PUPPET_SEL_DATA, 0x3);

	code.g = data.g = data.db = 1;
	code.db = mode == PUPPET_PROTECTED;
	code.l = mode == PUPPET_LONG;
	if (code.l)
		code.selector = PUPPET_SEL_CODE64;
	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->gdt.base = PUPPET_GDT;
	s->gdt.limit = 4 * 8 - 1;
}

/* What is not named here stays: the APIC's base address, CR8, ... mem: to find the image's parts. */
void puppet_enter(const uint8_t *mem, enum puppet_mode mode, unsigned cpu, struct kvm_sregs *s,
		  struct kvm_regs *r)
{
	uint32_t mailbox = PUPPET_MAILBOX + PUPPET_MAILBOX_SIZE * cpu;

	*r = (struct kvm_regs){.rflags = 2, .rsp = mailbox + PUPPET_MAILBOX_SIZE, .rbp = mailbox};
	s->tr = segment(0, 0x67, 0, 0xb);
	s->tr.s = 0;
	s->cr0 = 0x11 | (s->cr0 & 0x60000000);
	s->cr4 = 0;
	s->efer &= ~0x500ull;
	s->idt.base = PUPPET_IDT32;
	s->idt.limit = 256 * 8 - 1;
	set_flat(s, mode);
	r->rip = get32(mem, mode == PUPPET_REAL	       ? PUPPET_IDLE16
			    : mode == PUPPET_PROTECTED ? PUPPET_IDLE32
						       : PUPPET_IDLE64);
	if (mode == PUPPET_LONG) {
		s->cr0 |= 0x80000000;
		s->cr3 = PUPPET_PML4;
		s->cr4 = 0x20;
		s->efer |= 0x500;
		s->idt.base = PUPPET_IDT64;
		s->idt.limit = 256 * 16 - 1;
	} else if (mode == PUPPET_REAL) {
		s->cr0 &= ~1ull;
		s->idt.base = PUPPET_IVT;
		s->idt.limit = 256 * 4 - 1;
		s->cs = segment(0, 0xffff, 0, 0x3);
		s->es = s->fs = s->gs = segment(0, 0xffff, 0, 0x3);
		s->ds = s->ss = segment(mailbox, 0xffff, (uint16_t)(mailbox >> 4), 0x3);
		r->rsp = PUPPET_MAILBOX_SIZE;
	}
}

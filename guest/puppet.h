/* SPDX-License-Identifier: MIT */
/*
 * The puppet: what a scenario's `guest` steps run on a CPU, and how its memory lies. A CPU waits at an OUT to PUPPET_PORT; whoever
 * runs it puts an operation into its mailbox and enters it, and at the next OUT has what became of it. All below 1 MiB, 1:1.
 */
#ifndef SIPI_GUEST_PUPPET_H
#define SIPI_GUEST_PUPPET_H

/* OUT: idle. IN of 16 bits, by a CPU that comes out of a SIPI: which is my mailbox, as a segment? */
#define PUPPET_PORT 0xe0

#define PUPPET_IVT	    0x0000 /* real mode */
#define PUPPET_GDT	    0x1000
#define PUPPET_IDT64	    0x2000
#define PUPPET_IDT32	    0x3000
#define PUPPET_STUBS64	    0x4000 /* 256 calls, 8 bytes each: of interrupt64, by their own address */
#define PUPPET_STUBS32	    0x4800
#define PUPPET_STUBS16	    0x5000 /* 4 bytes each */
#define PUPPET_PML4	    0x6000 /* then a PDPT, page directories of the first and the fourth GiB */
#define PUPPET_CODE	    0xa000 /* the image; a SIPI's vector is PUPPET_SIPI */
#define PUPPET_SIPI	    0x0a
#define PUPPET_MAILBOX	    0x10000 /* one a CPU, which is its stack, too */
#define PUPPET_MAILBOX_SIZE 0x1000
#define PUPPET_CPUS	    64
#define PUPPET_MEMORY	    (PUPPET_MAILBOX + PUPPET_CPUS * PUPPET_MAILBOX_SIZE)

#define PUPPET_SEL_CODE64 0x08
#define PUPPET_SEL_DATA	  0x10
#define PUPPET_SEL_CODE32 0x18

/* The image begins with where things are in it: 32-bit addresses, behind the real-mode entry. */
#define PUPPET_IDLE64	   (PUPPET_CODE + 0x10)
#define PUPPET_IDLE32	   (PUPPET_CODE + 0x14)
#define PUPPET_IDLE16	   (PUPPET_CODE + 0x18)
#define PUPPET_INTERRUPT64 (PUPPET_CODE + 0x1c)
#define PUPPET_INTERRUPT32 (PUPPET_CODE + 0x20)
#define PUPPET_INTERRUPT16 (PUPPET_CODE + 0x24)

/* The mailbox, by offset. */
#define PUPPET_OP      0x00 /* 32 bits; PUPPET_DONE when carried out; what is no operation never is */
#define PUPPET_EOI     0x04 /* 32 bits: after an interrupt, of the kind PUPPET_EOI_* */
#define PUPPET_A       0x08 /* operands, 64 bits */
#define PUPPET_B       0x10
#define PUPPET_RESULT  0x18  /* 64 bits */
#define PUPPET_FAULT   0x20  /* 32 bits: the exception that ended the operation, or NO_FAULT */
#define PUPPET_ERROR   0x24  /* 32 bits: its error code, or 0 */
#define PUPPET_ADDRESS 0x28  /* 64 bits: CR2 */
#define PUPPET_RIP     0x30  /* 64 bits: where it was */
#define PUPPET_TAKEN   0x38  /* 32 bits: interrupts so far, NMIs among them */
#define PUPPET_COUNTS  0x40  /* by vector, 32 bits each */
#define PUPPET_ORDER   0x440 /* the last ones: TSC (64 bits), vector (64 bits) */
#define PUPPET_ORDERS  64

#define PUPPET_DONE	  0xffffffff
#define PUPPET_NO_FAULT	  0xffffffff
#define PUPPET_EOI_NONE	  0
#define PUPPET_EOI_XAPIC  2 /* a write to 0xfee000b0, which real mode does not reach */
#define PUPPET_EOI_X2APIC 3 /* WRMSR */

/* Operations. Numbers are never given another meaning. */
#define PUPPET_NOP	0
#define PUPPET_RDMSR	1 /* A */
#define PUPPET_WRMSR	2 /* A, B */
#define PUPPET_READ32	3 /* address A; real mode: below 1 MiB, else #GP */
#define PUPPET_WRITE32	4 /* A, B */
#define PUPPET_INB	5 /* port A */
#define PUPPET_OUTB	6 /* A, B */
#define PUPPET_INL	7
#define PUPPET_OUTL	8
#define PUPPET_CLI	9
#define PUPPET_STI	10
#define PUPPET_HLT	11
#define PUPPET_STI_HLT	12 /* no interrupt between the two */
#define PUPPET_PAUSE	13 /* A times */
#define PUPPET_CPUID	14 /* leaf A, subleaf B: EAX */
#define PUPPET_RFLAGS	15
#define PUPPET_RDCR8	16 /* long mode */
#define PUPPET_WRCR8	17 /* A; long mode */
#define PUPPET_RDTSC	18
#define PUPPET_SHUTDOWN 19 /* a fault without an IDT: triple fault */
/* Long mode. B times, or once: waits with IF 1 for an interrupt, then writes A to the low half of ICR, as EOI goes. IF is 0 then. */
#define PUPPET_ANSWER	  20
#define PUPPET_ANSWER_HLT 21 /* and waits halted */
#define PUPPET_OPS	  22

#endif

// SPDX-License-Identifier: MIT
/*
 * modes: does each mode of the CPU do what it shall, and can a guest go through all of them and back?
 * Long, compatibility, 32-bit protected, 16-bit protected and real mode, then protected and long again. In
 * each the same bytes are run, and mean something else: their results tell the modes apart.
 * SDM Vol. 3A 9.9 (mode switching), 9.8.5 (long mode), 5.3 (limits), 20.1 (real mode); Vol. 1 3.6 (operand size).
 */
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/report.h"
#include "lib/string.h"
#include "lib/x86.h"

const char guest_name[] = "modes";

/* What the code below leaves for each mode; it knows the offsets. */
struct record {
	uint32_t cr0, cs, efer;
	uint32_t imm;	   /* EAX after b8 ff ff 90 90: MOV with a 32-bit or a 16-bit immediate */
	uint32_t rex;	   /* EAX after 48 ff c0: INC RAX, or DEC and INC */
	uint32_t pushed;   /* bytes that opcode 50 pushes */
	uint32_t computed; /* 5!, by a far call */
	uint32_t marker;   /* read through a segment that has a base */
	uint32_t fault;	   /* the exception of an access beyond a segment's limit */
	uint32_t soft_int; /* INT n came and went (real mode only) */
	uint32_t unused[6];
};

enum { LONG, COMPAT, PROT32, PROT16, REAL, PROT32_BACK, LONG_BACK, STATIONS };

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed, aligned(16)));

struct gate {
	uint16_t offset, selector, type, offset_high;
};

/* In the upper half of the scratch page, the code being in the lower: all below 64 KiB for real mode. */
struct scratch {
	struct record rec[8];
	struct table_pointer gdtr, idtr16, idtr32, ivtr;
	uint64_t rsp;
	uint32_t marker;
	struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) far64;
	uint64_t gdt[8] __attribute__((aligned(64)));
	struct gate idt16[14], idt32[14];
};

#define SCRATCH	  0x9800
#define SEL_SMALL 0x30 /* base: the marker, limit: its four bytes */
#define MARKER	  0x5afe0dad
#define GDTR	  0x9a00
#define IDTR16	  0x9a10
#define IDTR32	  0x9a20
#define IVTR	  0x9a30
#define SAVED	  0x9a40
#define MARK	  0x9a48
#define FAR64	  0x9a4c
#define MARK_SEG  0x0994 /* in real mode MARK_SEG:0x108 is MARK */
#define INT_N	  0x20

_Static_assert(SCRATCH == SCRATCH_PAGE + 0x800, "the code below knows it");
_Static_assert(sizeof(struct record) == 0x40, "R_LONG and so on");
_Static_assert(SCRATCH + offsetof(struct scratch, gdtr) == GDTR, "the code below knows it");
_Static_assert(SCRATCH + offsetof(struct scratch, idtr16) == IDTR16, "the code below knows it");
_Static_assert(SCRATCH + offsetof(struct scratch, idtr32) == IDTR32, "the code below knows it");
_Static_assert(SCRATCH + offsetof(struct scratch, ivtr) == IVTR, "the code below knows it");
_Static_assert(SCRATCH + offsetof(struct scratch, rsp) == SAVED, "the code below knows it");
_Static_assert(SCRATCH + offsetof(struct scratch, marker) == MARK, "the code below knows it");
_Static_assert(SCRATCH + offsetof(struct scratch, far64) == FAR64, "the code below knows it");
_Static_assert(sizeof(struct scratch) <= 0x600, "the rest is the stack");
_Static_assert((MARK_SEG << 4) + 0x108 == MARK, "the code below knows it");

#define S_(x)	  #x
#define S(x)	  S_(x)
#define AT(sym)	  "(" #sym " - modes_code + " S(SCRATCH_PAGE) ")"
#define R_LONG	  "0x9800"
#define R_COMPAT  "0x9840"
#define R_PROT32  "0x9880"
#define R_PROT16  "0x98c0"
#define R_REAL	  "0x9900"
#define R_32_BACK "0x9940"
#define R_64_BACK "0x9980"

/*
 * The same text in every mode; MOV from CR0, the immediate, REX.W INC and PUSH are given as bytes so that
 * they are the same bytes too.
 */
/* clang-format off */
asm(".macro probe rec\n"
    "	.byte 0x0f, 0x20, 0xc0\n"
    "	movl %eax, \\rec\n"
    "	movl $0, %eax\n"
    "	movw %cs, %ax\n"
    "	movl %eax, \\rec + 4\n"
    "	movl $0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	movl %eax, \\rec + 8\n"
    "	movl $0, %eax\n"
    "	.byte 0xb8, 0xff, 0xff, 0x90, 0x90\n"
    "	movl %eax, \\rec + 12\n"
    "	.byte 0x48, 0xff, 0xc0\n"
    "	movl %eax, \\rec + 16\n"
    "	movl %esp, %ebx\n"
    "	.byte 0x50\n"
    "	subl %esp, %ebx\n"
    "	movl %ebx, \\rec + 20\n"
    "	addl %ebx, %esp\n"
    ".endm\n"
    ".macro factorial rec\n"
    "	movl $1, %eax\n"
    "	movl $5, %ecx\n"
    "1:	imull %ecx, %eax\n"
    "	decl %ecx\n"
    "	jnz 1b\n"
    "	movl %eax, \\rec + 24\n"
    ".endm\n"
    ".macro segments sel\n"
    "	movl $\\sel, %eax\n"
    "	movl %eax, %ds\n"
    "	movl %eax, %es\n"
    "	movl %eax, %ss\n"
    ".endm\n"
    ".macro set_ds sel\n"
    "	movl $\\sel, %eax\n"
    "	movl %eax, %ds\n"
    ".endm\n");

/*
 * Long mode, where bases and limits of data segments count for nothing; compatibility mode, where
 * they do.
 */
asm(".section .rodata\n"
    ".globl modes_code, modes_code_end, far64, fault32, fault16, fault_real, int_real\n"
    ".balign 16\n"

    ".code64\n"
    "modes_code:\n"
    "	push %rbx\n"
    "	push %rbp\n"
    "	push %r12\n"
    "	push %r13\n"
    "	push %r14\n"
    "	push %r15\n"
    "	movq %rsp, " S(SAVED) "\n"
    "	lgdt " S(GDTR) "\n"
    "	movl $0x9ff0, %esp\n"
    "	probe " R_LONG "\n"
    "	set_ds " S(SEL_SMALL) "\n"
    "	movl " S(MARK) ", %ebx\n"
    "	set_ds " S(SEL_DATA) "\n"
    "	movl %ebx, " R_LONG " + 28\n"
    "	lcall *" S(FAR64) "\n"
    "	pushq $" S(SEL_CODE32) "\n"
    "	pushq $" AT(compat) "\n"
    "	lretq\n"
    "far64:	factorial " R_LONG "\n"
    "	lretl\n"

    ".code32\n"
    "compat:	segments " S(SEL_DATA) "\n"
    "	probe " R_COMPAT "\n"
    "	set_ds " S(SEL_SMALL) "\n"
    "	movl 0, %ebx\n"
    "	set_ds " S(SEL_DATA) "\n"
    "	movl %ebx, " R_COMPAT " + 28\n"
    "	lcall $" S(SEL_CODE32) ", $" AT(far_compat) "\n"
    /* Paging off first: CR0.PG holds EFER.LMA */
    "	movl %cr0, %eax\n"
    "	andl $0x7fffffff, %eax\n"
    "	movl %eax, %cr0\n"
    "	movl $0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	andl $~0x100, %eax\n"
    "	wrmsr\n"
    "	jmp prot32\n"
    "far_compat: factorial " R_COMPAT "\n"
    "	lret\n");

/*
 * Protected mode, 32 and 16 bits wide. The fault handlers do not return: IRET is one more thing to
 * fail.
 */
asm("prot32:	lidt " S(IDTR32) "\n"
    "	probe " R_PROT32 "\n"
    "	lcall $" S(SEL_CODE32) ", $" AT(far32) "\n"
    "	set_ds " S(SEL_SMALL) "\n"
    "	movl 0, %ebx\n"
    "	movl %ebx, %es:" R_PROT32 " + 28\n"
    "	movl 1, %ebx\n"
    "after32: segments " S(SEL_DATA) "\n"
    "	movl $0x9ff0, %esp\n"
    "	ljmp $" S(SEL_CODE16) ", $" AT(prot16) "\n"
    "far32:	factorial " R_PROT32 "\n"
    "	lret\n"
    "fault32: set_ds " S(SEL_DATA) "\n"
    "	movl $13, " R_PROT32 " + 32\n"
    "	jmp after32\n"

    ".code16\n"
    "prot16:	segments " S(SEL_DATA16) "\n"
    "	lidt " S(IDTR16) "\n"
    "	probe " R_PROT16 "\n"
    "	lcallw $" S(SEL_CODE16) ", $" AT(far16) "\n"
    "	set_ds " S(SEL_SMALL) "\n"
    "	movl 0, %ebx\n"
    "	movl %ebx, %es:" R_PROT16 " + 28\n"
    "	movl 1, %ebx\n"
    "after16: segments " S(SEL_DATA16) "\n"
    "	movl $0x9ff0, %esp\n"
    "	movl %cr0, %eax\n"
    "	andb $0xfe, %al\n"
    "	movl %eax, %cr0\n"
    "	ljmpw $" S(SCRATCH_PAGE) " >> 4, $real - modes_code\n"
    "far16:	factorial " R_PROT16 "\n"
    "	lretw\n"
    "fault16: set_ds " S(SEL_DATA16) "\n"
    "	movl $13, " R_PROT16 " + 32\n"
    "	jmp after16\n");

/*
 * Real mode: a segment is its selector times 16 and 64 KiB long, interrupts go through the table
 * at 0.
 */
asm("real:	segments 0\n"
    "	lidt " S(IVTR) "\n"
    "	probe " R_REAL "\n"
    "	lcallw $" S(SCRATCH_PAGE) " >> 4, $far_real - modes_code\n"
    "	set_ds " S(MARK_SEG) "\n"
    "	movl 0x108, %ebx\n"
    "	set_ds 0\n"
    "	movl %ebx, " R_REAL " + 28\n"
    "	int $" S(INT_N) "\n"
    "	movl $0x10000, %ebx\n"
    "	movb (%ebx), %al\n"
    "after_real: segments 0\n"
    "	movl $0x9ff0, %esp\n"
    "	movl %cr0, %eax\n"
    "	orb $1, %al\n"
    "	movl %eax, %cr0\n"
    "	ljmpl $" S(SEL_CODE32) ", $" AT(back32) "\n"
    "far_real: factorial " R_REAL "\n"
    "	lretw\n"
    "int_real: movl $" S(INT_N) ", " R_REAL " + 36\n"
    "	iretw\n"
    "fault_real: movl $13, " R_REAL " + 32\n"
    "	jmp after_real\n"

    ".code32\n"
    "back32:	segments " S(SEL_DATA) "\n"
    "	probe " R_32_BACK "\n"
    "	movl $0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	orl $0x100, %eax\n"
    "	wrmsr\n"
    "	movl %cr0, %eax\n"
    "	orl $0x80000000, %eax\n"
    "	movl %eax, %cr0\n"
    "	ljmp $" S(SEL_CODE64) ", $" AT(back64) "\n"

    ".code64\n"
    "back64:	probe " R_64_BACK "\n"
    "	segments " S(SEL_DATA) "\n"
    "	movq " S(SAVED) ", %rsp\n"
    "	pop %r15\n"
    "	pop %r14\n"
    "	pop %r13\n"
    "	pop %r12\n"
    "	pop %rbp\n"
    "	pop %rbx\n"
    "	ret\n"
    "modes_code_end:\n"
    ".text\n");

/* clang-format on */

extern const char modes_code[], modes_code_end[], far64[], fault32[], fault16[], fault_real[],
	int_real[];
extern const uint64_t gdt[GDT_SIZE / 8];
extern const struct table_pointer gdtr64;

static uint16_t placed(const char *sym)
{
	return (uint16_t)(sym - modes_code + SCRATCH_PAGE);
}

static void set_table(struct table_pointer *p, const void *table, size_t size)
{
	*p = (struct table_pointer){(uint16_t)(size - 1), (uint64_t)table};
}

/* By assembly, since the compiler holds that nothing lies at address 0. */
static void set_real_vector(unsigned vector, const char *handler)
{
	uint32_t offset = (uint32_t)(handler - modes_code);

	mmio_write32(vector * 4, (uint32_t)SCRATCH_PAGE >> 4 << 16 | offset);
}

/* Gate types: 0x86 a 16-bit, 0x8e a 32-bit interrupt gate (SDM Vol. 3A 6.11). */
static void prepare(struct scratch *s)
{
	memcpy((void *)(uint64_t)SCRATCH_PAGE, modes_code, (size_t)(modes_code_end - modes_code));
	memset(s, 0, sizeof(*s));
	s->marker = MARKER;
	s->far64.offset = placed(far64);
	s->far64.selector = SEL_CODE64;
	memcpy(s->gdt, gdt, GDT_SIZE);
	s->gdt[SEL_SMALL / 8] = 0x0040930000000000ull | (uint64_t)MARK << 16 | 3;
	s->idt16[EXC_GP] = (struct gate){placed(fault16), SEL_CODE16, 0x8600, 0};
	s->idt32[EXC_GP] = (struct gate){placed(fault32), SEL_CODE32, 0x8e00, 0};
	set_real_vector(EXC_GP, fault_real);
	set_real_vector(INT_N, int_real);
	set_table(&s->gdtr, s->gdt, sizeof(s->gdt));
	set_table(&s->idtr16, s->idt16, sizeof(s->idt16));
	set_table(&s->idtr32, s->idt32, sizeof(s->idt32));
	set_table(&s->ivtr, NULL, 0x400);
}

static const struct {
	const char *name;
	bool pe, pg, lma;
	uint32_t cs, imm, rex, pushed;
	bool has_far, has_limit, has_int;
} want[STATIONS] = {
	[LONG] = {"long mode", true, true, true, SEL_CODE64, 0x9090ffff, 0x90910000, 8, true, false,
		  false},
	[COMPAT] = {"compatibility mode", true, true, true, SEL_CODE32, 0x9090ffff, 0x9090ffff, 4,
		    true, false, false},
	[PROT32] = {"32-bit protected mode", true, false, false, SEL_CODE32, 0x9090ffff, 0x9090ffff,
		    4, true, true, false},
	[PROT16] = {"16-bit protected mode", true, false, false, SEL_CODE16, 0xffff, 0xffff, 2,
		    true, true, false},
	[REAL] = {"real mode", false, false, false, SCRATCH_PAGE >> 4, 0xffff, 0xffff, 2, true,
		  true, true},
	[PROT32_BACK] = {"back in 32-bit protected mode", true, false, false, SEL_CODE32,
			 0x9090ffff, 0x9090ffff, 4, false, false, false},
	[LONG_BACK] = {"back in long mode", true, true, true, SEL_CODE64, 0x9090ffff, 0x90910000, 8,
		       false, false, false},
};

static void check(unsigned at, const struct record *r)
{
	const char *name = want[at].name;

	report(!!(r->cr0 & CR0_PE) == want[at].pe && !!(r->cr0 & CR0_PG) == want[at].pg &&
		       !!(r->efer & EFER_LMA) == want[at].lma && r->cs == want[at].cs,
	       "%s: CR0 0x%x, EFER 0x%x, CS 0x%x", name, r->cr0, r->efer, r->cs);
	report(r->imm == want[at].imm && r->rex == want[at].rex,
	       "%s: operand size and REX: 0x%x, 0x%x", name, r->imm, r->rex);
	report(r->pushed == want[at].pushed, "%s: a push takes %u bytes", name, r->pushed);
	if (want[at].has_far) {
		report(r->computed == 120, "%s: a far call computes %u", name, r->computed);
		report(r->marker == MARKER, "%s: segment bases count as they should", name);
	}
	if (want[at].has_limit)
		report(r->fault == EXC_GP, "%s: an access beyond the limit raises exception %u",
		       name, r->fault);
	if (want[at].has_int)
		report(r->soft_int == INT_N, "%s: INT 0x%x went through the table at 0", name,
		       INT_N);
}

void guest_main(void)
{
	struct scratch *s = (struct scratch *)(uint64_t)SCRATCH;
	uint64_t gs = rdmsr(MSR_GS_BASE), cr3 = read_cr3();
	void (*trip)(void) = (void (*)(void))(uint64_t)SCRATCH_PAGE;

	prepare(s);
	trip();
	asm volatile("lgdt %0" ::"m"(gdtr64));
	wrmsr(MSR_GS_BASE, gs);
	idt_load();
	for (unsigned i = 0; i < STATIONS; i++)
		check(i, &s->rec[i]);
	report(read_cr3() == cr3, "CR3 is what it was");
}

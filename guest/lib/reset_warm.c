// SPDX-License-Identifier: MIT
/*
 * Warm boots (IBM PC/AT Technical Reference, BIOS listing, "shutdown"): with 5 or 10 in CMOS byte 0x0f the firmware goes
 * on at the far pointer at 0x467, in real mode and with RAM as it was. The code there writes down what it finds, and
 * enters this guest again.
 */
#include "lib/board.h"
#include "lib/cmos.h"
#include "lib/expect.h"
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/layout.h"
#include "lib/pic.h"
#include "lib/report.h"
#include "lib/reset_exam.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/x86.h"

#define JUMP_EOI     0x05
#define JUMP	     0x0a
#define OTHER_BYTE   0x09
#define WARM_VECTOR  0x467
#define RECORD	     0x9800
#define CR0_ET	     0x10
#define CR0_CD_NW    0x60000000 /* INIT keeps these */
#define FDT_MAGIC_BE 0xedfe0dd0
#define PIC_IRQ	     10

/* What the code below leaves; it knows the offsets. */
struct record {
	uint32_t ran;
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp, eflags, cr0;
	uint32_t segments; /* DS, ES, SS, FS and GS, or-ed */
	uint32_t svr, tpr, lvt0, id, base;
	uint32_t fdt; /* in: the device tree's address */
};

_Static_assert(RECORD == SCRATCH_PAGE + 0x800, "the code below knows it");
_Static_assert(offsetof(struct record, svr) == 0x30 && offsetof(struct record, fdt) == 0x44,
	       "the code below knows it");

#define S_(x) #x
#define S(x)  S_(x)

/* clang-format off */
asm(".section .rodata\n"
    ".globl warm_code, warm_code_end\n"
    ".code16\n"
    "warm_code:\n"
    "	movl %eax, 0x9804\n"
    "	movl %ebx, 0x9808\n"
    "	movl %ecx, 0x980c\n"
    "	movl %edx, 0x9810\n"
    "	movl %esi, 0x9814\n"
    "	movl %edi, 0x9818\n"
    "	movl %ebp, 0x981c\n"
    "	movl %esp, 0x9820\n"
    "	movl $0x9f00, %esp\n"
    "	pushfl\n"
    "	popl 0x9824\n"
    "	movl %cr0, %eax\n"
    "	movl %eax, 0x9828\n"
    "	movw %ds, %ax\n"
    "	movw %es, %bx\n"
    "	orw %bx, %ax\n"
    "	movw %ss, %bx\n"
    "	orw %bx, %ax\n"
    "	movw %fs, %bx\n"
    "	orw %bx, %ax\n"
    "	movw %gs, %bx\n"
    "	orw %bx, %ax\n"
    "	movzwl %ax, %eax\n"
    "	movl %eax, 0x982c\n"
    "	lgdtl %cs:warm_gdtr - warm_code\n"
    "	movl %cr0, %eax\n"
    "	orb $1, %al\n"
    "	movl %eax, %cr0\n"
    "	ljmpl $" S(SEL_CODE32) ", $warm32\n"
    ".balign 4\n"
    "warm_gdtr: .word " S(GDT_SIZE) " - 1\n"
    "	.long gdt\n"
    "warm_code_end:\n"

    ".text\n"
    ".code32\n"
    "warm32:	movl $" S(SEL_DATA) ", %eax\n"
    "	movl %eax, %ds\n"
    "	movl %eax, %es\n"
    "	movl %eax, %ss\n"
    "	movl 0xfee000f0, %eax\n"
    "	movl %eax, 0x9830\n"
    "	movl 0xfee00080, %eax\n"
    "	movl %eax, 0x9834\n"
    "	movl 0xfee00350, %eax\n"
    "	movl %eax, 0x9838\n"
    "	movl 0xfee00020, %eax\n"
    "	movl %eax, 0x983c\n"
    "	movl $0x1b, %ecx\n"
    "	rdmsr\n"
    "	movl %eax, 0x9840\n"
    "	incl 0x9800\n"
    "	movl 0x9844, %edi\n"
    "	movl $0x20, %eax\n"	/* PAE */
    "	movl %eax, %cr4\n"
    "	movl $pml4, %eax\n"
    "	movl %eax, %cr3\n"
    "	movl $0xc0000080, %ecx\n"	/* EFER.LME */
    "	rdmsr\n"
    "	orl $0x100, %eax\n"
    "	wrmsr\n"
    "	movl $0x80000011, %eax\n"	/* PG, ET, PE */
    "	movl %eax, %cr0\n"
    "	ljmp $" S(SEL_CODE64) ", $warm64\n"
    ".code64\n"
    "warm64:	movl %edi, %edi\n"
    "	jmp _start\n");
/* clang-format on */

extern const char warm_code[], warm_code_end[];

static const struct {
	enum way way;
	uint8_t byte;
	const char *name;
} steps[WARM_STEPS] = {
	{WAY_KBC, JUMP, "kbc with 10: through the vector"},
	{WAY_SOFT, JUMP, "soft with 10: through the vector, PIC as it was"},
	{WAY_PORT92, JUMP, "port92 with 10: through the vector"},
	{WAY_TRIPLE, JUMP, "triple fault with 10: through the vector"},
	{WAY_KBC, JUMP_EOI, "kbc with 5: through the vector"},
	{WAY_SOFT, JUMP_EOI, "soft with 5: through the vector, EOI to both PICs"},
	{WAY_PORT92, JUMP_EOI, "port92 with 5: through the vector"},
	{WAY_INIT, JUMP, "INIT with 10: through the vector"},
	{WAY_KBC, OTHER_BYTE, "kbc with 9: a boot like any other"},
	{WAY_HARD, JUMP, "hard with 10: a cold boot"},
	{WAY_HARD, JUMP_EOI, "hard with 5: a cold boot"},
};

const char *warm_name(unsigned step)
{
	return steps[step].name;
}

static struct record *record(void)
{
	uint64_t at = RECORD;

	asm("" : "+r"(at)); /* no object that the compiler knows of lies there */
	return (struct record *)at;
}

/* The tree begins on the last pages of the RAM that the image lies in. */
static uint32_t find_tree(void)
{
	uint64_t at = (board.mem_low - 1) & ~4095ull;

	while (mmio_read32(at) != FDT_MAGIC_BE)
		at -= 4096;
	return (uint32_t)at;
}

/* An interrupt of each PIC is in service when the reset comes. */
static void take_pic_irq(void)
{
	irq_install(VEC_PIC + PIC_IRQ, irq_none);
	pic_init(VEC_PIC, VEC_PIC + 8);
	pic_mask((uint16_t) ~(1u << PIC_IRQ | 1u << 2));
	apic_extint(true);
	line_set(PIC_IRQ, true);
	check(OPEN_FOR(irq_count(0, VEC_PIC + PIC_IRQ), EXPECT_USEC), "IRQ %u was taken", PIC_IRQ);
	line_set(PIC_IRQ, false);
	check(pic_isr() == (1u << PIC_IRQ | 1u << 2), "IRQ %u is in service, 0x%x", PIC_IRQ,
	      pic_isr());
}

void warm_carry_out(unsigned step)
{
	struct record *r = record();

	memcpy((void *)(uint64_t)SCRATCH_PAGE, warm_code, (size_t)(warm_code_end - warm_code));
	memset(r, 0, sizeof(*r));
	r->fdt = find_tree();
	mmio_write32(WARM_VECTOR, (uint32_t)SCRATCH_PAGE >> 4 << 16);
	ram_mark();
	take_pic_irq();
	cmos_write(CMOS_SHUTDOWN, steps[step].byte);
	way_ask(steps[step].way);
}

/* As RESET leaves them, for the code at the vector (SDM Vol. 3A, table 9-1). */
static void check_record(const struct record *r, enum way way)
{
	uint32_t cr0 = way == WAY_INIT ? CR0_ET : CR0_ET | CR0_CD_NW;

	check(r->ran == 1, "the code at the vector ran once, %u", r->ran);
	check(r->edx == cpuid(1).eax, "EDX is the CPU's signature, 0x%x", r->edx);
	check(!(r->eax | r->ebx | r->ecx | r->esi | r->edi | r->ebp | r->esp),
	      "the other registers are 0: %x %x %x %x %x %x %x", r->eax, r->ebx, r->ecx, r->esi,
	      r->edi, r->ebp, r->esp);
	check(!(r->eflags & (RFLAGS_IF | 1 << 10)), "IF and DF are clear, 0x%x", r->eflags);
	check(r->cr0 == cr0, "CR0 0x%x, is 0x%x", cr0, r->cr0);
	check(r->segments == 0, "data segments are 0, 0x%x", r->segments);
	check(r->svr == 0xff && r->tpr == 0 && r->lvt0 == LVT_MASKED,
	      "SVR 0xff, TPR 0, LVT LINT0 masked: 0x%x 0x%x 0x%x", r->svr, r->tpr, r->lvt0);
	check(r->id >> 24 == (cpus[0].apic_id & 0xff), "APIC ID, 0x%x", r->id);
	check((r->base & 0xfff) == (APIC_BASE_ENABLE | APIC_BASE_BSP), "APIC base 0x%x", r->base);
}

void warm_check(unsigned step, bool keep_ram)
{
	enum way way = steps[step].way;
	uint8_t byte = steps[step].byte, now = cmos_read(CMOS_SHUTDOWN);
	bool jumps = byte != OTHER_BYTE && way != WAY_HARD;
	struct record *r = record();

	if (jumps)
		check_record(r, way);
	else
		check(r->ran == 0, "the code at the vector did not run");
	ram_check(way, jumps || keep_ram);
	check(now == (byte == OTHER_BYTE ? byte : 0), "shutdown byte, 0x%x", now);
	if (!way_devices(way))
		check(pic_isr() == (byte == JUMP_EOI ? 0 : 1u << PIC_IRQ | 1u << 2),
		      "PIC, in service: 0x%x", pic_isr());
	cmos_write(CMOS_SHUTDOWN, 0);
	pic_eoi(PIC_IRQ); /* a PIC of KVM's keeps it in service through ICW1 */
}

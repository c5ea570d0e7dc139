// SPDX-License-Identifier: MIT
/*
 * guest/lapic: what INIT leaves of a local APIC (SDM Vol. 3A 10.4.7.3; 10.12.5.1 for x2APIC). Another CPU
 * fills its registers, serves an interrupt with a second one pending, software-disables its APIC, and is
 * sent INIT and SIPI. The code below then reads the registers before anything else can change them.
 */
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/lapic_exam.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/timer.h"

#define INIT_USEC 10000
#define SVC_VEC	  0x71 /* stays in service */
#define PEND_VEC  0x43 /* stays pending */

/* At SCRATCH_PAGE + 0x400; the code knows the offsets. */
struct probe {
	uint32_t done; /* 0x00 */
	uint32_t msrs; /* 0x04: read MSRs, not the page */
	uint32_t page; /* 0x08 */
	uint16_t limit;
	uint16_t gdtr_pad[3]; /* 0x0c: GDTR, whose base is at 0x0e */
	uint64_t gdt[2];      /* 0x18 */
	uint16_t regs[EXAM_RESETS + 1];
	uint32_t values[EXAM_RESETS];
};
#define PROBE ((volatile struct probe *)(SCRATCH_PAGE + 0x400))
_Static_assert(offsetof(struct probe, limit) == 0x0c, "the code below knows it");
_Static_assert(offsetof(struct probe, regs) == 0x28, "the code below knows it");
_Static_assert(offsetof(struct probe, values) == 0x88, "the code below knows it");

/*
 * Real mode, CS:IP = 0900:0000. Protection is switched on for a segment that reaches the APIC's page; CS
 * and DS stay what they are.
 */
asm(".section .rodata\n"
    ".globl exam_probe, exam_probe_end\n"
    ".code16\n"
    "exam_probe:\n"
    "	cli\n"
    "	mov %cs, %ax\n"
    "	mov %ax, %ds\n"
    "	lgdtl 0x40c\n"
    "	mov %cr0, %eax\n"
    "	or $1, %eax\n"
    "	mov %eax, %cr0\n"
    "	mov $8, %ax\n"
    "	mov %ax, %es\n"
    "	mov $0x428, %si\n"
    "	mov $0x488, %di\n"
    "1:	movzwl (%si), %ecx\n"
    "	cmp $0xffff, %cx\n"
    "	je 4f\n"
    "	cmpl $0, 0x404\n"
    "	jne 2f\n"
    "	mov 0x408, %ebx\n"
    "	add %ecx, %ebx\n"
    "	mov %es:(%ebx), %eax\n"
    "	jmp 3f\n"
    "2:	shr $4, %ecx\n"
    "	add $0x800, %ecx\n"
    "	rdmsr\n"
    "3:	mov %eax, (%di)\n"
    "	add $2, %si\n"
    "	add $4, %di\n"
    "	jmp 1b\n"
    "4:	movl $1, 0x400\n"
    "5:	hlt\n"
    "	jmp 5b\n"
    "exam_probe_end:\n"
    ".code64\n"
    ".text\n");
extern const char exam_probe[], exam_probe_end[];

static void load_probe(const struct exam_reset *list, unsigned n)
{
	uint32_t gdt = SCRATCH_PAGE + 0x418;

	memcpy((void *)(uint64_t)SCRATCH_PAGE, exam_probe, (size_t)(exam_probe_end - exam_probe));
	PROBE->done = 0;
	PROBE->msrs = this_cpu()->apic->mode == APIC_MODE_X2APIC;
	PROBE->page = (uint32_t)cpus[1].lapic;
	PROBE->limit = sizeof(PROBE->gdt) - 1;
	PROBE->gdtr_pad[0] = (uint16_t)gdt;
	PROBE->gdtr_pad[1] = (uint16_t)(gdt >> 16);
	PROBE->gdt[0] = 0;
	PROBE->gdt[1] = 0x00cf93000000ffff; /* data, base 0, limit 4 GiB */
	for (unsigned i = 0; i < n; i++)
		PROBE->regs[i] = (uint16_t)list[i].reg;
	PROBE->regs[n] = 0xffff;
}

static uint32_t busy;

static void hook_busy(unsigned vector)
{
	if (vector != SVC_VEC)
		return;
	apic_write(APIC_SVR, 0xef);
	__atomic_store_n(&busy, 1, __ATOMIC_RELEASE);
	for (;;)
		cpu_relax();
}

static void fill(void *arg)
{
	(void)arg;
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | LVT_MASKED | 0x44);
	apic_write(APIC_LVT0, DM_NMI);
	apic_write(APIC_LVT1, DM_EXTINT);
	apic_write(APIC_LVT_ERROR, 0x45);
	apic_write(APIC_TIMER_DIV, 0xa);
	apic_write(APIC_TIMER_INIT, 0x12345678);
	if (this_cpu()->apic->mode == APIC_MODE_XAPIC)
		apic_logical(0x42, DFR_CLUSTER);
	exam_self(SVC_VEC);
	exam_self(PEND_VEC);
	apic_write(APIC_TPR, 0x20);
	OPEN_FOR(false, EXPECT_USEC);
}

static uint32_t wanted(const struct exam_reset *r, uint32_t version)
{
	bool x2apic = this_cpu()->apic->mode == APIC_MODE_X2APIC;
	uint32_t id = cpus[1].apic_id;

	switch (r->reg) {
	case APIC_ID:
		return x2apic ? id : id << 24;
	case APIC_VERSION:
		return version;
	case APIC_LDR:
		return x2apic ? x2apic_ldr(id) : r->value;
	default:
		return r->value;
	}
}

static void compare(const struct exam_reset *list, unsigned n)
{
	uint32_t version = apic_read(APIC_VERSION);
	unsigned wrong = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t want = wanted(&list[i], version);

		if (PROBE->values[i] != want && ++wrong)
			printf("# %s at 0x%x: 0x%x, expected 0x%x\n", list[i].name, list[i].reg,
			       PROBE->values[i], want);
	}
	exam(wrong == 0, KNOWN_NONE, "INIT: %u registers of CPU 1 have their reset values", n);
}

void exam_init(void)
{
	struct exam_reset list[EXAM_RESETS];
	unsigned n = exam_reset_list(list);
	bool came;

	if (ncpus < 2 || !cpu_up(1)) {
		report_skip("one CPU", "%s: INIT", apic_mode_name());
		return;
	}
	exam_clean();
	load_probe(list, n);
	busy = 0;
	exam_hook(1, hook_busy);
	smp_post(1, fill, NULL);
	came = WAIT_FOR(__atomic_load_n(&busy, __ATOMIC_ACQUIRE), EXPECT_USEC);
	ipi_init(1);
	udelay(INIT_USEC);
	exam_hook(1, NULL);
	ipi_sipi(1, SCRATCH_PAGE >> 12);
	came &= WAIT_FOR(PROBE->done, EXPECT_USEC);
	smp_went_down(1);
	if (exam(came, KNOWN_NONE, "INIT and SIPI are accepted by a software-disabled APIC"))
		compare(list, n);
	exam(smp_start_one(1), KNOWN_NONE, "INIT: CPU 1 comes up again");
	exam_clean();
}

// SPDX-License-Identifier: MIT
#include "lib/ap_probe.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/lapic_exam.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/timer.h"
#include "lib/x86.h"

#define NO_MSR	 0xffffffffu
#define NO_REG	 0xffffu
#define DATA_4G	 0x00cf93000000ffffull /* base 0, limit 4 GiB */
#define LINE_MAX 8

#define AT(field, offset) _Static_assert(offsetof(struct ap_probe, field) == (offset), #field)
AT(done, AP_PROBE_DONE);
AT(x2apic, AP_PROBE_X2APIC);
AT(page, AP_PROBE_PAGE);
AT(lgdt, AP_PROBE_LGDT);
AT(fpu, AP_PROBE_FPU);
AT(gdt, AP_PROBE_GDT);
AT(eax, AP_PROBE_GPR);
AT(esp, AP_PROBE_GPR + 28);
AT(eflags, AP_PROBE_EFLAGS);
AT(cr0, AP_PROBE_CR);
AT(dr0, AP_PROBE_DR);
AT(cs, AP_PROBE_SEL);
AT(gdtr, AP_PROBE_GDTR);
AT(idtr, AP_PROBE_IDTR);
AT(tsc, AP_PROBE_TSC);
AT(regs, AP_PROBE_REGS);
AT(values, AP_PROBE_VALUES);
AT(msrs, AP_PROBE_MSRS);
AT(msr_values, AP_PROBE_MSRVAL);
AT(fx, AP_PROBE_FX);
_Static_assert(AP_PROBE_FX % 16 == 0, "FXSAVE wants it");
_Static_assert(EXAM_RESETS < sizeof(AP_PROBE->regs) / sizeof(AP_PROBE->regs[0]), "and an end");

extern const char ap_probe_code[], ap_probe_end[];

static struct exam_reset list[EXAM_RESETS];
static unsigned listed, probed_cpu;

void ap_probe_load(unsigned cpu, enum apic_mode mode)
{
	uint32_t gdt = SCRATCH_PAGE + AP_PROBE_AT + AP_PROBE_GDT;

	memset((void *)(uint64_t)SCRATCH_PAGE, 0, AP_PROBE_AT + sizeof(struct ap_probe));
	memcpy((void *)(uint64_t)SCRATCH_PAGE, ap_probe_code,
	       (size_t)(ap_probe_end - ap_probe_code));
	probed_cpu = cpu;
	listed = exam_reset_list(list, mode);
	AP_PROBE->x2apic = mode == APIC_MODE_X2APIC;
	AP_PROBE->page = (uint32_t)this_cpu()->lapic;
	AP_PROBE->lgdt[0] = sizeof(AP_PROBE->gdt) - 1;
	AP_PROBE->lgdt[1] = (uint16_t)gdt;
	AP_PROBE->lgdt[2] = (uint16_t)(gdt >> 16);
	AP_PROBE->gdt[1] = DATA_4G;
	for (unsigned i = 0; i < listed; i++)
		AP_PROBE->regs[i] = (uint16_t)list[i].reg;
	AP_PROBE->regs[listed] = NO_REG;
	AP_PROBE->msrs[0] = NO_MSR;
}

static int msr_at(uint32_t index)
{
	int i = 0;

	while (AP_PROBE->msrs[i] != index && AP_PROBE->msrs[i] != NO_MSR)
		i++;
	return AP_PROBE->msrs[i] == index ? i : -1;
}

bool ap_probe_add_msr(uint32_t index)
{
	unsigned n = 0;
	uint64_t value;

	while (AP_PROBE->msrs[n] != NO_MSR)
		n++;
	if (n + 1 == ARRAY_SIZE(AP_PROBE->msrs) || !rdmsr_try(index, &value, NULL))
		return false;
	AP_PROBE->msrs[n] = index;
	AP_PROBE->msrs[n + 1] = NO_MSR;
	return true;
}

bool ap_probe_has_msr(uint32_t index)
{
	return msr_at(index) >= 0;
}

uint64_t ap_probe_msr(uint32_t index)
{
	int i = msr_at(index);

	return i < 0 ? 0 : AP_PROBE->msr_values[i];
}

bool ap_probe_run(unsigned cpu)
{
	smp_went_down(cpu);
	ipi_sipi(cpu, SCRATCH_PAGE >> 12);
	return WAIT_FOR(AP_PROBE->done, EXPECT_USEC);
}

static bool differs(const char *name, uint64_t value, uint64_t want, unsigned *wrong)
{
	if (value == want)
		return false;
	if ((*wrong)++ < LINE_MAX)
		printf("# %s: 0x%lx, expected 0x%lx\n", name, value, want);
	return true;
}

static uint32_t wanted(const struct exam_reset *r)
{
	uint32_t id = cpus[probed_cpu].apic_id;

	switch (r->reg) {
	case APIC_ID:
		return AP_PROBE->x2apic ? id : id << 24;
	case APIC_VERSION:
		return apic_read(APIC_VERSION);
	case APIC_LDR:
		return AP_PROBE->x2apic ? x2apic_ldr(id) : r->value;
	default:
		return r->value;
	}
}

unsigned ap_probe_lapic_wrong(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < listed; i++)
		differs(list[i].name, AP_PROBE->values[i], wanted(&list[i]), &wrong);
	return wrong;
}

unsigned ap_probe_cpu_wrong(uint32_t cr0)
{
	const volatile struct ap_probe *p = AP_PROBE;
	const struct {
		const char *name;
		uint32_t value, want;
	} rows[] = {
		{"EAX", p->eax, 0},
		{"EBX", p->ebx, 0},
		{"ECX", p->ecx, 0},
		{"EDX", p->edx, cpuid(1).eax},
		{"ESI", p->esi, 0},
		{"EDI", p->edi, 0},
		{"EBP", p->ebp, 0},
		{"ESP", p->esp, 0},
		{"EFLAGS", p->eflags, 2},
		{"CR0", p->cr0, cr0},
		{"CR2", p->cr2, 0},
		{"CR3", p->cr3, 0},
		{"CR4", p->cr4, 0},
		{"DR0", p->dr0, 0},
		{"DR6", p->dr6, 0xffff0ff0},
		{"DR7", p->dr7, 0x400},
		{"CS", p->cs, SCRATCH_PAGE >> 4},
		{"DS", p->ds, 0},
		{"ES", p->es, 0},
		{"SS", p->ss, 0},
		{"FS", p->fs, 0},
		{"GS", p->gs, 0},
		{"GDTR's limit", p->gdtr[0], 0xffff},
		{"GDTR's base", p->gdtr[1] | (uint32_t)p->gdtr[2] << 16, 0},
		{"IDTR's limit", p->idtr[0], 0xffff},
		{"IDTR's base", p->idtr[1] | (uint32_t)p->idtr[2] << 16, 0},
	};
	unsigned wrong = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		differs(rows[i].name, rows[i].value, rows[i].want, &wrong);
	return wrong;
}

// SPDX-License-Identifier: MIT
/*
 * A CPU's registers, MSRs and local APIC: values to tell by that they were reset, and what they are afterwards. The
 * values are those of SDM Vol. 3A table 9-1 and 10.4.7.1 (local APIC after RESET), 10.4.7.3 (after INIT). What
 * the firmware and this library set on the way here is left out, or masked out.
 */
#include "lib/idt.h"
#include "lib/report.h"
#include "lib/reset_exam.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define APIC_HOME	    0xfee00000ull
#define TIMER_COUNT	    100000
#define DIVIDE_BY_1	    0xb
#define LDR_MARK	    0x40
#define TPR_MARK	    0x30
#define ILLEGAL		    5		 /* vectors below 16 */
#define CR0_BOOT	    0x80000011ul /* PG, ET, PE */
#define CR4_OSXSAVE	    (1ull << 18)
#define LEAF_XSAVE	    0xd
#define XSAVE_LEGACY	    576	  /* x87 and SSE, and the header */
#define EFER_BOOT	    0x500 /* LME, LMA */
#define DR6_RESET	    0xffff0ff0ull
#define DR7_RESET	    0x400
#define NOT_CODE	    0x1230 /* nothing is ever executed there */
#define TSC_MARK	    (1ull << 50)
#define MSR_KVM_SYSTEM_TIME 0x4b564d01
#define KVMCLOCK_PAGE	    0x7000

struct msr {
	const char *name;
	uint32_t index;
	uint64_t mark, mask, reset; /* after a reset, value & mask == reset */
	/* On the boot CPU: the mark was read back, and what was there at the end of the old life. */
	bool took;
	uint64_t left;
};

/*
 * INIT leaves them as they were (`took` and `left` are good then, because RAM is kept), but for KVM's own, about
 * which no manual says anything. Of an MTRR only the valid and enable bits have a reset value (SDM Vol. 3A 11.11.5).
 */
static struct msr msrs[] = {
	{"IA32_TSC_ADJUST", 0x3b, 0x100000, ~0ull, 0, false, 0},
	{"IA32_SPEC_CTRL", 0x48, 1, ~0ull, 0, false, 0},
	{"IA32_SYSENTER_CS", 0x174, 0x1230, ~0ull, 0, false, 0},
	{"IA32_SYSENTER_ESP", 0x175, 0x12345678, ~0ull, 0, false, 0},
	{"IA32_SYSENTER_EIP", 0x176, 0x23456789, ~0ull, 0, false, 0},
	{"IA32_DEBUGCTL", 0x1d9, 1, ~0ull, 0, false, 0},
	{"IA32_MTRR_PHYSMASK0", 0x201, 0xfff00800, 0x800, 0, false, 0},
	{"IA32_PAT", 0x277, 0x0607040600070406, ~0ull, 0x0007040600070406, false, 0},
	{"IA32_MTRR_DEF_TYPE", 0x2ff, 0xc06, 0x800, 0, false, 0},
	{"IA32_STAR", 0xc0000081, 0x0023001000000000, ~0ull, 0, false, 0},
	{"IA32_LSTAR", 0xc0000082, 0x12345678, ~0ull, 0, false, 0},
	{"IA32_CSTAR", 0xc0000083, 0x12345679, ~0ull, 0, false, 0},
	{"IA32_FMASK", 0xc0000084, 0x47700, ~0ull, 0, false, 0},
	{"IA32_KERNEL_GS_BASE", 0xc0000102, 0xabcd0000, ~0ull, 0, false, 0},
	{"IA32_TSC_AUX", 0xc0000103, 0x4711, ~0ull, 0, false, 0},
	{"MSR_KVM_SYSTEM_TIME_NEW", MSR_KVM_SYSTEM_TIME, KVMCLOCK_PAGE | 1, ~0ull, 0, false, 0},
};

static bool tsc_took, xcr0_took;

static const struct {
	const char *name;
	unsigned reg;
	uint32_t mark, reset;
} apic_regs[] = {
	{"LVT thermal", APIC_LVT_THERMAL, LVT_MASKED | VEC_LVT, LVT_MASKED},
	{"LVT performance", APIC_LVT_PERF, LVT_MASKED | VEC_LVT, LVT_MASKED},
	{"LVT LINT0", APIC_LVT0, DM_EXTINT, LVT_MASKED},
	{"LVT LINT1", APIC_LVT1, DM_NMI, LVT_MASKED},
	{"LVT error", APIC_LVT_ERROR, LVT_MASKED | VEC_LVT, LVT_MASKED},
	{"LVT timer", APIC_LVT_TIMER, LVT_PERIODIC | VEC_TIMER, LVT_MASKED},
	{"divide configuration", APIC_TIMER_DIV, DIVIDE_BY_1, 0},
	{"initial count", APIC_TIMER_INIT, TIMER_COUNT, 0},
};

#define GET(name, reg)                                                                             \
	static uint64_t name(void)                                                                 \
	{                                                                                          \
		uint64_t v;                                                                        \
		asm volatile("mov %%" reg ", %0" : "=r"(v)::"memory");                             \
		return v;                                                                          \
	}
#define SET(name, reg)                                                                             \
	static void name(uint64_t v)                                                               \
	{                                                                                          \
		asm volatile("mov %0, %%" reg ::"r"(v) : "memory");                                \
	}
GET(dr0, "dr0")
GET(dr1, "dr1")
GET(dr2, "dr2")
GET(dr3, "dr3")
GET(dr6, "dr6")
GET(dr7, "dr7")
SET(set_dr0, "dr0")
SET(set_dr1, "dr1")
SET(set_dr2, "dr2")
SET(set_dr3, "dr3")
SET(set_dr6, "dr6")
SET(set_dr7, "dr7")
SET(set_cr0, "cr0")
SET(set_cr2, "cr2")
SET(set_cr4, "cr4")

static void cr4_or(void *bits)
{
	set_cr4(read_cr4() | *(const uint64_t *)bits);
}

static void efer_or(void *bits)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | *(const uint64_t *)bits);
}

static void xcr0_mark(void *value)
{
	asm volatile("xsetbv" ::"c"(0), "a"(*(const uint32_t *)value), "d"(0));
}

/*
 * XGETBV is one of the instructions that a host without VMX and SVM lacks; but CPUID says how large the save area
 * of what XCR0 enables is (SDM Vol. 2A, CPUID leaf 0DH).
 */
static uint32_t xsave_size(void)
{
	return cpuid(0).eax < LEAF_XSAVE ? XSAVE_LEGACY : cpuid_sub(LEAF_XSAVE, 0).ebx;
}

static void mark_registers(void)
{
	/* Whatever this CPU has of: TSD, DE, PGE, OSFXSR, OSXMMEXCPT, OSXSAVE; SCE, NXE */
	static const uint64_t cr4_bits[] = {1 << 2, 1 << 3, 1 << 7, 1 << 9, 1 << 10, CR4_OSXSAVE};
	static const uint64_t efer_bits[] = {1 << 0, 1 << 11};
	static const uint32_t xcr0 = 7; /* x87, SSE, AVX */

	set_cr0(read_cr0() | 1 << 1 | 1 << 5 | 1 << 16 | 1 << 18); /* MP, NE, WP, AM */
	set_cr2(0x12345000);
	for (unsigned i = 0; i < ARRAY_SIZE(cr4_bits); i++)
		guest_try(cr4_or, (void *)&cr4_bits[i], NULL);
	if (read_cr4() & CR4_OSXSAVE)
		guest_try(xcr0_mark, (void *)&xcr0, NULL);
	xcr0_took = xsave_size() > XSAVE_LEGACY;
	for (unsigned i = 0; i < ARRAY_SIZE(efer_bits); i++)
		guest_try(efer_or, (void *)&efer_bits[i], NULL);
	set_dr0(NOT_CODE);
	set_dr1(NOT_CODE + 1);
	set_dr2(NOT_CODE + 2);
	set_dr3(NOT_CODE + 3);
	set_dr6(DR6_RESET | 1);
	set_dr7(DR7_RESET | 1);
}

/* A write of the TSC changes IA32_TSC_ADJUST as well (SDM Vol. 3B 17.17.3). */
static void mark_msrs(void)
{
	bool boot_cpu = this_cpu()->index == 0;
	uint64_t value;

	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
		struct msr *m = &msrs[i];
		bool took = wrmsr_try(m->index, m->mark, NULL) &&
			    rdmsr_try(m->index, &value, NULL) && value == m->mark;

		if (boot_cpu)
			m->took = took && m->index != MSR_KVM_SYSTEM_TIME;
	}
	wrmsr(MSR_TSC, TSC_MARK);
	tsc_took = rdmsr(MSR_TSC) >= TSC_MARK;
	for (unsigned i = 0; boot_cpu && i < ARRAY_SIZE(msrs); i++)
		rdmsr_try(msrs[i].index, &msrs[i].left, NULL);
}

/* One interrupt in service, one pending, a timer that runs. */
static void mark_apic(void)
{
	ipi_shorthand(ICR_SELF, DM_FIXED, VEC_IN_SERVICE);
	irq_window();
	ipi_shorthand(ICR_SELF, DM_FIXED, VEC_SELF);
	if (apic_mode() == APIC_MODE_XAPIC)
		apic_logical(LDR_MARK, DFR_CLUSTER);
	for (unsigned i = 0; i < ARRAY_SIZE(apic_regs); i++)
		apic_write(apic_regs[i].reg, apic_regs[i].mark);
	/* On another CPU, it would take the PIC's interrupts away from the boot CPU. */
	if (this_cpu()->index)
		apic_write(APIC_LVT0, LVT_MASKED | DM_EXTINT);
	ipi_shorthand(ICR_SELF, DM_FIXED, ILLEGAL);
	apic_write(APIC_TPR, TPR_MARK);
	apic_write(APIC_SVR, SVR_ENABLE | 0xef);
}

void cpu_mark(void *unused)
{
	(void)unused;
	mark_registers();
	mark_msrs();
	mark_apic();
}

static void check_registers(enum way way)
{
	if (this_cpu()->index == 0) /* on the others the trampoline sets more */
		check(read_cr0() == CR0_BOOT, "CR0 0x%lx, is 0x%lx", CR0_BOOT, read_cr0());
	check(read_cr2() == 0, "CR2 0, is 0x%lx", read_cr2());
	check(read_cr4() == CR4_PAE, "CR4 is PAE alone, 0x%lx", read_cr4());
	check(rdmsr(MSR_EFER) == EFER_BOOT, "EFER is LME and LMA alone, 0x%lx", rdmsr(MSR_EFER));
	check(!dr0() && !dr1() && !dr2() && !dr3(), "DR0 to DR3 are 0");
	check(dr6() == DR6_RESET, "DR6 0xffff0ff0, is 0x%lx", dr6());
	check(dr7() == DR7_RESET, "DR7 0x400, is 0x%lx", dr7());
	/* SDM Vol. 1 13.3: INIT leaves XCR0 alone. */
	if (way == WAY_INIT)
		check(!xcr0_took || xsave_size() > XSAVE_LEGACY, "INIT keeps XCR0");
	else
		check(xsave_size() <= XSAVE_LEGACY, "XCR0 1: an XSAVE area of %u bytes",
		      xsave_size());
}

static void check_msrs(enum way way)
{
	uint64_t now = rdmsr(MSR_TSC), value; /* RDTSC may be the host's own */

	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
		const struct msr *m = &msrs[i];

		if (!rdmsr_try(m->index, &value, NULL) || (way == WAY_INIT && !m->took))
			continue;
		if (way == WAY_INIT)
			check(value == m->left, "INIT keeps %s, 0x%lx", m->name, value);
		else
			check((value & m->mask) == m->reset, "%s 0x%lx, is 0x%lx", m->name,
			      m->reset, value);
	}
	if (tsc_deadline_supported())
		check(rdmsr(MSR_TSC_DEADLINE) == 0, "IA32_TSC_DEADLINE 0");
	if (way == WAY_INIT && tsc_took)
		check(now > TSC_MARK, "INIT keeps the TSC, 0x%lx", now);
	else
		check(now < TSC_MARK, "the TSC counts anew, 0x%lx", now);
}

/* SDM Vol. 3A 10.4.3, 10.12.5.1: RESET leads to xAPIC mode, INIT keeps the mode. */
static enum apic_mode mode_after(const struct will *will)
{
	return will->way == WAY_INIT && will->state == IN_X2APIC ? APIC_MODE_X2APIC
								 : APIC_MODE_XAPIC;
}

static void check_apic_base(const struct will *will)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	bool bsp = this_cpu()->index == 0;

	check(apic_mode() == mode_after(will), "the APIC is in the right mode, base 0x%lx", base);
	check((base & APIC_BASE_ADDR) == APIC_HOME, "the APIC's page is at 0xfee00000");
	check(!!(base & APIC_BASE_BSP) == bsp, "the BSP flag is %s", bsp ? "set" : "clear");
	check(apic_id() == this_cpu()->apic_id, "APIC ID %u, is %u", this_cpu()->apic_id,
	      apic_id());
}

/* But for VEC_WAKE on another CPU, which may have been at work before that came. */
static int pending(void)
{
	for (unsigned i = 8; i-- > 0;) {
		uint32_t bits = apic_read(APIC_IRR + i * 0x10);

		if (this_cpu()->index && i == VEC_WAKE / 32)
			bits &= ~(1u << VEC_WAKE % 32);
		if (bits)
			return (int)i * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

static void check_apic(void)
{
	if (apic_mode() == APIC_MODE_XAPIC) {
		check(apic_read(APIC_LDR) == 0, "LDR 0, is 0x%x", apic_read(APIC_LDR));
		check(apic_read(APIC_DFR) == DFR_FLAT, "DFR flat, is 0x%x", apic_read(APIC_DFR));
		check(apic_read(APIC_ICR2) == 0, "ICR, upper half 0");
	}
	check(apic_read(APIC_ICR) == 0, "ICR 0, is 0x%x", apic_read(APIC_ICR));
	for (unsigned i = 0; i < ARRAY_SIZE(apic_regs); i++)
		check(apic_read(apic_regs[i].reg) == apic_regs[i].reset, "%s 0x%x, is 0x%x",
		      apic_regs[i].name, apic_regs[i].reset, apic_read(apic_regs[i].reg));
	check(apic_read(APIC_TIMER_CUR) == 0, "current count 0, is 0x%x",
	      apic_read(APIC_TIMER_CUR));
	check(pending() < 0, "nothing is pending, vector 0x%x", (unsigned)pending());
	check(apic_highest(APIC_ISR) < 0, "nothing is in service, vector 0x%x",
	      (unsigned)apic_highest(APIC_ISR));
	check(apic_highest(APIC_TMR) < 0, "TMR is 0");
	check(apic_read(APIC_ESR) == 0 && apic_esr() == 0, "ESR 0, and no error waits for it");
}

void cpu_check(const struct will *will)
{
	check_apic_base(will);
	check_apic();
	check_msrs(will->way);
	check_registers(will->way);
}

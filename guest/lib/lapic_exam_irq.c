// SPDX-License-Identifier: MIT
/*
 * guest/lapic: interrupts that it sends to itself. SDM Vol. 3A 10.6.1 and 10.12.9 to 10.12.11 (ICR, logical
 * destinations, self-IPI), 10.8.3 to 10.8.6 (priorities, acceptance, EOI, CR8), 10.4.7.2 (disabled).
 */
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/lapic_exam.h"
#include "lib/report.h"
#include "lib/smp.h"

#define VEC_A	    0x40
#define VEC_B	    0x58
#define VEC_C	    0x60
#define VEC_LOGICAL 0x4e /* other CPUs may take it, too, at any time */

static bool x2apic(void)
{
	return this_cpu()->apic->mode == APIC_MODE_X2APIC;
}

static uint64_t read_icr(void)
{
	if (x2apic())
		return rdmsr(X2APIC_MSR(APIC_ICR));
	return (uint64_t)apic_read(APIC_ICR2) << 32 | apic_read(APIC_ICR);
}

/* --- ICR */

static void examine_read_back(void)
{
	static const uint32_t lows[] = {
		DM_FIXED | ICR_ASSERT | VEC_A,
		DM_NMI | ICR_ASSERT | VEC_B,
		DM_FIXED | ICR_ASSERT | DM_LEVEL | VEC_C,
		DM_SMI | ICR_ASSERT,
	};
	uint32_t nobody = exam_nobody();
	uint64_t high = (uint64_t)(x2apic() ? nobody : nobody << 24) << 32;
	bool ok = true;

	for (unsigned i = 0; i < ARRAY_SIZE(lows); i++) {
		apic_icr(lows[i], nobody);
		ok &= read_icr() == (high | lows[i]);
	}
	exam(ok, KNOWN_NONE, "ICR reads as written, delivery status idle");
	exam(!(apic_esr() & ~(1u << 2)), KNOWN_NONE,
	     "IPIs to nobody: no error but, on some models, send accept");
	if (x2apic())
		return; /* reserved bits fault there: see the registers */
	apic_icr(DM_FIXED | ICR_ASSERT | VEC_A | 0xfff33000, nobody);
	exam(apic_read(APIC_ICR) == (DM_FIXED | ICR_ASSERT | VEC_A), KNOWN_ICR_RESERVED,
	     "ICR: reserved bits and delivery status cannot be written");
}

/* Modes 3 and 7 are reserved in the ICR: nothing is sent. */
static void examine_reserved_modes(void)
{
	exam_clean();
	apic_icr(3u << 8 | ICR_ASSERT | VEC_A, cpus[0].apic_id);
	apic_icr(DM_EXTINT | ICR_ASSERT | VEC_A, cpus[0].apic_id);
	exam(exam_took(VEC_A, 0) && irq_total(EXC_NMI) == 0, KNOWN_NONE,
	     "reserved delivery modes 3 and 7 send nothing");
}

static uint32_t woken;

static void doze(void *arg)
{
	(void)arg;
	__atomic_store_n(&woken, 1, __ATOMIC_RELEASE);
	sti_hlt();
	__atomic_store_n(&woken, 2, __ATOMIC_RELEASE);
}

static void examine_reserved_wakes(void)
{
	bool slept;

	if (ncpus < 2 || !cpu_up(1)) {
		report_skip("one CPU", "%s: a reserved delivery mode wakes nobody",
			    apic_mode_name());
		return;
	}
	woken = 0;
	smp_post(1, doze, NULL);
	WAIT_FOR(__atomic_load_n(&woken, __ATOMIC_ACQUIRE) == 1, EXPECT_USEC);
	udelay(10 * QUIET_USEC); /* from there to HLT */
	apic_icr(3u << 8 | ICR_ASSERT, cpus[1].apic_id);
	udelay(10 * QUIET_USEC);
	slept = __atomic_load_n(&woken, __ATOMIC_ACQUIRE) == 1;
	ipi(1, VEC_WAKE);
	exam(smp_wait(1, EXPECT_USEC) && slept, KNOWN_D13,
	     "reserved delivery mode 3 does not wake a halted CPU");
}

static void examine_self_ipi(void)
{
	uint64_t icr;

	exam_clean();
	apic_icr(DM_FIXED | ICR_ASSERT | VEC_B, exam_nobody());
	icr = read_icr();
	if (!x2apic()) {
		exam_self(VEC_A);
		exam(apic_bit(APIC_IRR, VEC_A) && !apic_bit(APIC_TMR, VEC_A) && exam_took(VEC_A, 1),
		     KNOWN_NONE, "shorthand self sends an edge to this CPU, once");
		return;
	}
	apic_write(APIC_SELF_IPI, VEC_A);
	exam(apic_bit(APIC_IRR, VEC_A) && !apic_bit(APIC_TMR, VEC_A) && exam_took(VEC_A, 1),
	     KNOWN_NONE, "self-IPI register: an edge to this CPU, once");
	exam(read_icr() == icr, KNOWN_NONE, "self-IPI register: the ICR stays as it was");
}

static bool logical_reaches(uint32_t dest)
{
	bool pending;

	ipi_logical(dest, DM_FIXED, VEC_LOGICAL);
	pending = apic_bit(APIC_IRR, VEC_LOGICAL);
	exam_drain();
	return pending;
}

static void examine_logical(void)
{
	uint32_t ldr = x2apic_ldr(cpuid_apic_id());

	exam_clean();
	if (x2apic()) {
		exam(logical_reaches(ldr) &&
			     !logical_reaches((ldr & 0xffff0000) | (~ldr & 0xffff)) &&
			     !logical_reaches(ldr ^ 0x80000000),
		     KNOWN_NONE, "logical: its own cluster and bit mean this CPU, others do not");
		return;
	}
	apic_logical(0x24, DFR_FLAT);
	exam(logical_reaches(0x04) && logical_reaches(0x30) && !logical_reaches(0x5b) &&
		     logical_reaches(0xff),
	     KNOWN_NONE, "logical flat: any bit of LDR means this CPU");
	apic_logical(0x24, DFR_CLUSTER);
	exam(logical_reaches(0x24) && logical_reaches(0x2f) && !logical_reaches(0x2b) &&
		     !logical_reaches(0x34),
	     KNOWN_NONE, "logical cluster: cluster and any bit of LDR mean this CPU");
	exam(logical_reaches(0xff), KNOWN_NONE, "logical cluster: 0xff means every CPU");
	apic_logical(0, DFR_FLAT);
	exam(!logical_reaches(0x7f), KNOWN_NONE, "logical: LDR 0 is meant by no set of bits");
}

void exam_icr(void)
{
	exam_clean();
	examine_read_back();
	examine_reserved_modes();
	examine_reserved_wakes();
	examine_self_ipi();
	examine_logical();
	exam_clean();
}

/* --- order and nesting */

static void examine_order(void)
{
	static const uint8_t sent[] = {0x41, 0x5a, 0x45, 0x72, 0x58};
	static const uint16_t want[] = {0x72,  0x172, 0x5a,  0x15a, 0x58,
					0x158, 0x45,  0x145, 0x41,  0x141};
	bool pending = true;

	for (unsigned i = 0; i < ARRAY_SIZE(sent); i++)
		exam_self(sent[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(sent); i++)
		pending &= apic_bit(APIC_IRR, sent[i]) && !apic_bit(APIC_ISR, sent[i]);
	exam(pending, KNOWN_NONE, "with interrupts off they wait in IRR");
	exam(exam_log_is(want, ARRAY_SIZE(want)), KNOWN_NONE,
	     "and are taken from the highest to the lowest");
	exam(apic_highest(APIC_IRR) < 0x10 && apic_highest(APIC_ISR) < 0, KNOWN_NONE,
	     "then IRR and ISR are empty");
}

static bool in_isr, in_irr, again_in_irr;

static void hook_again(unsigned vector)
{
	if (irq_total(vector) > 1)
		return;
	in_isr = apic_bit(APIC_ISR, vector);
	in_irr = apic_bit(APIC_IRR, vector);
	exam_self(vector);
	exam_self(vector);
	again_in_irr = apic_bit(APIC_IRR, vector);
}

/* One bit of IRR and one of ISR: two at most of a vector are known to the APIC. */
static void examine_coalescing(void)
{
	exam_clean();
	for (unsigned i = 0; i < 3; i++)
		exam_self(VEC_B);
	exam(exam_took(VEC_B, 1), KNOWN_NONE, "one vector sent three times is taken once");
	exam_clean();
	exam_hook(0, hook_again);
	exam_self(VEC_B);
	exam(exam_took(VEC_B, 2), KNOWN_NONE,
	     "sent twice by its own handler, it is taken once more");
	exam(!in_irr && again_in_irr, KNOWN_NONE, "IRR is cleared when it is taken, and set again");
	exam(in_isr, exam_needs_isr(KNOWN_NONE), "ISR is set while it is served");
}

static struct {
	uint8_t ppr_inside, ppr_after;
	bool isr_inside, isr_after;
} nest;

static void hook_nest(unsigned vector)
{
	if (vector == 0x70) {
		nest.isr_inside = apic_bit(APIC_ISR, 0x70) && apic_bit(APIC_ISR, VEC_C);
		nest.ppr_inside = (uint8_t)apic_read(APIC_PPR);
	}
	if (vector != VEC_C)
		return;
	exam_self(0x58);
	exam_self(0x64);
	exam_self(0x6f);
	exam_self(0x70);
	OPEN_FOR(irq_total(0x70), EXPECT_USEC);
	settle();
	nest.isr_after = apic_bit(APIC_ISR, VEC_C) && !apic_bit(APIC_ISR, 0x70);
	nest.ppr_after = (uint8_t)apic_read(APIC_PPR);
}

static void hook_early_eoi(unsigned vector)
{
	if (vector != VEC_C)
		return;
	exam_self(0x6f);
	apic_eoi();
	OPEN_FOR(irq_total(0x6f),
		 EXPECT_USEC); /* the handler's own EOI then finds nothing in service */
}

static void examine_nesting(void)
{
	static const uint16_t want[] = {0x60,  0x70, 0x170, 0x160, 0x6f,
					0x16f, 0x64, 0x164, 0x58,  0x158};
	static const uint16_t early[] = {0x60, 0x6f, 0x16f, 0x160};

	exam_clean();
	exam_hook(0, hook_nest);
	exam_self(VEC_C);
	exam(exam_log_is(want, ARRAY_SIZE(want)), exam_needs_isr(KNOWN_NONE),
	     "a handler is interrupted by a higher class alone, not by its own");
	exam(nest.isr_inside, exam_needs_isr(KNOWN_NONE), "nested: both are in ISR");
	exam(nest.isr_after, exam_needs_isr(KNOWN_NONE),
	     "nested: EOI takes the highest out of ISR");
	exam((nest.ppr_inside & 0xf0) == 0x70 && (nest.ppr_after & 0xf0) == 0x60,
	     exam_needs_isr(KNOWN_NONE), "nested: PPR follows ISR up and down");
	exam_clean();
	exam_hook(0, hook_early_eoi);
	exam_self(VEC_C);
	exam(exam_log_is(early, ARRAY_SIZE(early)), KNOWN_NONE,
	     "after EOI the handler is interrupted by its own class");
	apic_eoi();
	exam(apic_highest(APIC_ISR) < 0, KNOWN_NONE, "EOI with nothing in service does nothing");
}

/* 10.8.3.1. With equal classes PPR's low bits are TPR's or 0. */
static bool ppr_is(uint32_t ppr, uint32_t tpr, uint32_t isrv)
{
	if (tpr >> 4 > isrv >> 4)
		return ppr == tpr;
	return ppr == (isrv & 0xf0) || (tpr >> 4 == isrv >> 4 && ppr == tpr);
}

static bool ppr_right(uint32_t isrv)
{
	bool ok = true;

	for (uint32_t tpr = 0; tpr < 0x100; tpr += 5) {
		apic_write(APIC_TPR, tpr);
		ok &= ppr_is(apic_read(APIC_PPR), tpr, isrv);
	}
	apic_write(APIC_TPR, 0);
	return ok;
}

static bool ppr_served;

static void hook_ppr(unsigned vector)
{
	ppr_served = ppr_right(vector);
}

void exam_priorities(void)
{
	exam_clean();
	examine_order();
	examine_coalescing();
	examine_nesting();
	exam_clean();
	exam(ppr_right(0), KNOWN_NONE, "PPR is TPR when nothing is in service");
	exam_hook(0, hook_ppr);
	exam_self(0x65);
	exam(exam_took(0x65, 1) && ppr_served, exam_needs_isr(KNOWN_NONE),
	     "PPR is the higher class of TPR and what is in service");
	exam_clean();
}

/* --- TPR and CR8 */

static void set_cr8(void *arg)
{
	write_cr8(*(const uint64_t *)arg);
}

static bool cr8_faults(uint64_t value)
{
	struct fault f;

	return !guest_try(set_cr8, &value, &f) && f.vector == EXC_GP && f.error == 0;
}

/* Without an APIC of its own KVM tells userspace the value of CR8, and not that it was written. */
static void examine_same_cr8(void)
{
	apic_write(APIC_TPR, 0x35);
	write_cr8(3);
	if (apic_read(APIC_TPR) == 0x35 && exam_kvm() && !exam_kvm_lapic())
		report_skip("KVM does not tell of a MOV to CR8 that changes nothing",
			    "%s: a MOV to CR8 that leaves it the same clears TPR[3:0]",
			    apic_mode_name());
	else
		exam(apic_read(APIC_TPR) == 0x30, KNOWN_NONE,
		     "a MOV to CR8 that leaves it the same clears TPR[3:0]");
}

static void examine_mirror(void)
{
	bool down = true, up = true;

	for (uint32_t v = 0; v < 16; v++) {
		apic_write(APIC_TPR, v << 4 | 9);
		up &= read_cr8() == v;
		write_cr8(15 - v);
		down &= apic_read(APIC_TPR) == (15 - v) << 4;
	}
	exam(up, KNOWN_NONE, "CR8 reads TPR[7:4]");
	exam(down, KNOWN_NONE, "MOV to CR8 sets TPR[7:4] and clears TPR[3:0]");
	examine_same_cr8();
	exam(cr8_faults(16) && cr8_faults(1ull << 63), KNOWN_NONE, "CR8 bits 63:4 raise #GP");
}

static void by_tpr(uint32_t task_class)
{
	apic_write(APIC_TPR, task_class << 4 | 0xf);
}

static void by_cr8(uint32_t task_class)
{
	write_cr8(task_class);
}

/* Held back, then let through one after the other. */
static void examine_holding(void (*set)(uint32_t), const char *how)
{
	static const uint16_t want[] = {0x63, 0x163, 0x5f, 0x15f, 0x51, 0x151, 0x4f, 0x14f};
	bool ok;

	exam_clean();
	set(5);
	exam_self(0x4f);
	exam_self(0x51);
	exam_self(0x5f);
	exam_self(0x63);
	exam(exam_log_is(want, 2), KNOWN_NONE, "%s 5 holds classes 4 and 5, and lets 6 through",
	     how);
	set(4);
	ok = exam_log_is(want, 6);
	set(3);
	exam(ok && exam_log_is(want, 8), KNOWN_NONE, "%s lowered lets through what it held", how);
	exam(irq_total(VEC_SPURIOUS) == 0, KNOWN_NONE,
	     "what %s holds back comes as no spurious interrupt", how);
}

void exam_task_priority(void)
{
	exam_clean();
	examine_mirror();
	examine_holding(by_tpr, "TPR class");
	examine_holding(by_cr8, "CR8");
	exam_clean();
	by_cr8(15);
	apic_icr(DM_NMI | ICR_ASSERT, cpus[0].apic_id);
	exam(took(0, EXC_NMI, 1), KNOWN_NONE, "TPR does not hold an NMI");
	exam_clean();
}

/* --- software-disabled */

static const struct {
	unsigned reg;
	uint32_t value;
} entries[] = {
	{APIC_LVT_TIMER, 0x41},		  {APIC_LVT0, 0x42},	   {APIC_LVT1, DM_NMI},
	{APIC_LVT_ERROR, 0x43},		  {APIC_LVT_PERF, DM_NMI}, {APIC_LVT_THERMAL, 0x44},
	{APIC_LVT_CMCI, DM_FIXED | 0x45},
};

static void fill_lvt(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		if (exam_has(entries[i].reg))
			apic_write(entries[i].reg, entries[i].value);
}

static bool lvt_is(uint32_t mask)
{
	bool ok = true;

	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		if (exam_has(entries[i].reg))
			ok &= apic_read(entries[i].reg) == (entries[i].value | mask);
	return ok;
}

void exam_disabled(void)
{
	bool set, kept, held;

	exam_clean();
	fill_lvt();
	apic_write(APIC_SVR, VEC_SPURIOUS);
	set = lvt_is(LVT_MASKED);
	fill_lvt();
	kept = lvt_is(LVT_MASKED);
	apic_enable();
	exam(set, KNOWN_NONE, "software disable masks every LVT entry");
	exam(kept, KNOWN_NONE, "software-disabled, the masks cannot be cleared");
	exam(lvt_is(LVT_MASKED), KNOWN_NONE, "enabled again, they are masked still");
	fill_lvt();
	exam(lvt_is(0), KNOWN_NONE, "and can be cleared");

	exam_clean();
	exam_self(VEC_A);
	apic_write(APIC_SVR, VEC_SPURIOUS);
	held = apic_bit(APIC_IRR, VEC_A);
	exam_self(VEC_B);
	exam(!apic_bit(APIC_IRR, VEC_B), KNOWN_NONE, "software-disabled, it accepts no fixed IPI");
	exam(held, KNOWN_NONE, "software-disabled, it keeps what is pending");
	apic_icr(DM_NMI | ICR_ASSERT, cpus[0].apic_id);
	WAIT_FOR(irq_total(EXC_NMI), EXPECT_USEC);
	exam(irq_total(EXC_NMI) == 1, KNOWN_NONE, "software-disabled, it accepts an NMI");
	apic_enable();
	exam(exam_took(VEC_A, 1), KNOWN_NONE, "enabled again, what was pending is taken");
	exam_clean();
}

// SPDX-License-Identifier: MIT
/*
 * apic-modes: does IA32_APIC_BASE allow the transitions that it shall and refuse the others, and what
 * survives each? Runs on the boot CPU and, where there is one, on another.
 * SDM Vol. 3A 10.4.3 (disabling), 10.4.4 (the MSR, relocation), 10.12.1 and 10.12.5 (x2APIC state transitions),
 * 10.12.5.1 (state changes), 10.4.7.1 (reset values).
 */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define RUN_USEC     10000000
#define DELIVER_USEC 20000
#define VEC_SELF     0x45
#define VEC_OTHER    0x46
#define OTHER_PAGE   0xfeb00000ull /* neither RAM nor a device */
#define CPUID_APIC   (1u << 9)
#define MODES	     3
#define TARGETS	     4

const char guest_name[] = "apic-modes";

static const char *const names[TARGETS] = {"disabled", "xAPIC", "x2APIC",
					   "invalid (EXTD without EN)"};
static const uint64_t bits[TARGETS] = {0, APIC_BASE_ENABLE, APIC_BASE_ENABLE | APIC_BASE_X2APIC,
				       APIC_BASE_X2APIC};
/* Figure 10-27 of the SDM; a state may always be written over itself. */
static const bool legal[MODES][TARGETS] = {
	[APIC_MODE_DISABLED] = {true, true, false, false},
	[APIC_MODE_XAPIC] = {true, true, true, false},
	[APIC_MODE_X2APIC] = {true, false, true, false},
};

static unsigned me(void)
{
	return this_cpu()->index;
}

static uint64_t base_with(unsigned target)
{
	return (rdmsr(MSR_APIC_BASE) & ~bits[APIC_MODE_X2APIC]) | bits[target];
}

static void check_transition(enum apic_mode from, unsigned to)
{
	bool allowed = legal[from][to] && (to != APIC_MODE_X2APIC || x2apic_supported());
	uint64_t before, after, want;
	bool gp;

	apic_mode_set(from);
	before = rdmsr(MSR_APIC_BASE);
	want = allowed ? base_with(to) : before;
	gp = wrmsr_gp(MSR_APIC_BASE, base_with(to));
	after = rdmsr(MSR_APIC_BASE);
	report(gp == !allowed && after == want, "CPU %u: %s to %s %s (IA32_APIC_BASE 0x%lx)", me(),
	       names[from], names[to], allowed ? "is done" : "raises #GP and changes nothing",
	       after);
}

static void check_transitions(void)
{
	for (unsigned from = 0; from < MODES; from++) {
		if (from == APIC_MODE_X2APIC && !x2apic_supported()) {
			report_skip("no x2APIC", "CPU %u: transitions from x2APIC", me());
			continue;
		}
		for (unsigned to = 0; to < TARGETS; to++)
			check_transition(from, to);
	}
}

/* Bits 0-7 and 9, and those above the physical address width, are reserved. */
static void check_reserved(enum apic_mode mode)
{
	unsigned width = cpuid(0x80000008).eax & 0xff, accepted = 0;

	if (!apic_mode_set(mode))
		return;
	for (unsigned bit = 0; bit < 64; bit++) {
		bool reserved = bit < 8 || bit == 9 || bit >= width;

		if (reserved && !wrmsr_gp(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1ull << bit)) {
			printf("# bit %u was accepted\n", bit);
			accepted++;
		}
	}
	report(accepted == 0 && apic_mode() == mode,
	       "CPU %u: reserved bits of IA32_APIC_BASE raise #GP (%s, %u address bits)", me(),
	       names[mode], width);
}

static bool self_ipi_arrives(void)
{
	uint32_t before = irq_count(me(), VEC_SELF);

	apic_write(APIC_TPR, 0);
	ipi_shorthand(ICR_SELF, DM_FIXED, VEC_SELF);
	irq_window();
	return irq_count(me(), VEC_SELF) == before + 1;
}

/* What is there in each mode, and what is not. */
static void check_access(void)
{
	uint64_t page = rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDR;
	uint32_t version;

	apic_mode_set(APIC_MODE_XAPIC);
	version = apic_read(APIC_VERSION);
	report(rdmsr_gp(X2APIC_MSR(APIC_VERSION)) && wrmsr_gp(X2APIC_MSR(APIC_TPR), 0),
	       "CPU %u: in xAPIC mode the x2APIC MSRs raise #GP", me());
	report(cpuid(1).edx & CPUID_APIC, "CPU %u: CPUID shows an enabled APIC", me());
	report(self_ipi_arrives(), "CPU %u: an interrupt arrives in xAPIC mode", me());

	apic_mode_set(APIC_MODE_DISABLED);
	report(!(cpuid(1).edx & CPUID_APIC), "CPU %u: CPUID hides a disabled APIC", me());
	report(mmio_read32(page + APIC_VERSION) != version, "CPU %u: a disabled APIC has no page",
	       me());
	report(rdmsr_gp(X2APIC_MSR(APIC_VERSION)), "CPU %u: a disabled APIC has no x2APIC MSRs",
	       me());

	if (!apic_mode_set(APIC_MODE_X2APIC)) {
		report_skip("no x2APIC", "CPU %u: accesses in x2APIC mode", me());
		return;
	}
	report(apic_read(APIC_VERSION) == version, "CPU %u: the version is the same in x2APIC mode",
	       me());
	report(mmio_read32(page + APIC_VERSION) != version,
	       "CPU %u: in x2APIC mode there is no page", me());
	report(rdmsr_gp(X2APIC_MSR(APIC_DFR)) && rdmsr_gp(X2APIC_MSR(APIC_ICR2)),
	       "CPU %u: x2APIC mode has no DFR and no second half of the ICR", me());
	report(self_ipi_arrives(), "CPU %u: an interrupt arrives in x2APIC mode", me());
}

/* Registers that both modes have, with what is written to them and what a reset leaves. */
static const struct {
	const char *name;
	unsigned reg;
	uint32_t set, reset;
} kept[] = {
	{"TPR", APIC_TPR, 0x50, 0},
	{"SVR", APIC_SVR, SVR_ENABLE | VEC_SPURIOUS, 0xff},
	{"LVT timer", APIC_LVT_TIMER, LVT_MASKED | LVT_PERIODIC | 0x77, LVT_MASKED},
	{"LVT LINT0", APIC_LVT0, LVT_MASKED | 0x78, LVT_MASKED},
	{"LVT LINT1", APIC_LVT1, LVT_MASKED | 0x79, LVT_MASKED},
	{"LVT error", APIC_LVT_ERROR, LVT_MASKED | 0x7a, LVT_MASKED},
	{"divide configuration", APIC_TIMER_DIV, 0xb, 0},
};

static void fill(void)
{
	for (unsigned i = ARRAY_SIZE(kept); i-- > 0;)
		apic_write(kept[i].reg, kept[i].set);
}

static void restore(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		apic_write(kept[i].reg, kept[i].reset);
	apic_enable();
}

/* "Does not affect most of the APIC register states": all but ID, LDR, DFR and the ICR's upper half. */
static void check_to_x2apic(void)
{
	uint32_t id = this_cpu()->apic_id, before = irq_count(me(), VEC_SELF);
	unsigned lost = 0;

	apic_mode_set(APIC_MODE_XAPIC);
	apic_logical(0x04, DFR_FLAT);
	fill();
	ipi_shorthand(ICR_SELF, DM_FIXED, VEC_SELF); /* stays in the IRR: TPR and IF hold it */
	wrmsr(MSR_APIC_BASE, base_with(APIC_MODE_X2APIC));
	apic_follow();
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
		uint32_t v = apic_read(kept[i].reg);

		if (v != kept[i].set) {
			printf("# %s was 0x%x, is 0x%x\n", kept[i].name, kept[i].set, v);
			lost++;
		}
	}
	report(lost == 0, "CPU %u: xAPIC to x2APIC keeps TPR, SVR, LVTs and divider", me());
	report(apic_id() == id && apic_read(APIC_LDR) == x2apic_ldr(id),
	       "CPU %u: x2APIC mode sets ID and LDR (%u, 0x%x)", me(), apic_id(),
	       apic_read(APIC_LDR));
	report(apic_bit(APIC_IRR, VEC_SELF),
	       "CPU %u: a pending interrupt is still pending in x2APIC mode", me());
	restore();
	irq_window();
	report(irq_count(me(), VEC_SELF) == before + 1, "CPU %u: and is then taken once", me());
}

/*
 * Through disabled "prior initialization may be lost and the APIC may return to" the reset state, so
 * each register has its old or its reset value, and the ID is what it was.
 */
static void check_through_disabled(enum apic_mode from)
{
	uint32_t id = this_cpu()->apic_id;
	unsigned wrong = 0, old = 0;

	if (!apic_mode_set(from)) {
		report_skip("no x2APIC", "CPU %u: x2APIC to disabled to xAPIC", me());
		return;
	}
	fill();
	wrmsr(MSR_APIC_BASE, base_with(APIC_MODE_DISABLED));
	wrmsr(MSR_APIC_BASE, base_with(APIC_MODE_XAPIC));
	apic_follow();
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
		uint32_t v = apic_read(kept[i].reg);

		old += v == kept[i].set;
		if (v != kept[i].set && v != kept[i].reset) {
			printf("# %s was 0x%x, is 0x%x\n", kept[i].name, kept[i].set, v);
			wrong++;
		}
	}
	report(wrong == 0 && apic_id() == (id & 0xff),
	       "CPU %u: %s to disabled to xAPIC keeps the ID; %u of %u registers kept, the others reset",
	       me(), names[from], old, (unsigned)ARRAY_SIZE(kept));
	restore();
	report(self_ipi_arrives(), "CPU %u: and an interrupt arrives afterwards", me());
}

static void check_relocation(void)
{
	const char *what = "the APIC page is relocated";
	uint64_t base, home;
	uint32_t version;
	bool moved, left;

	apic_mode_set(APIC_MODE_XAPIC);
	version = apic_read(APIC_VERSION);
	base = rdmsr(MSR_APIC_BASE);
	home = base & APIC_BASE_ADDR;
	if (!wrmsr_try(MSR_APIC_BASE, (base & ~APIC_BASE_ADDR) | OTHER_PAGE, NULL)) {
		report_skip("the host refuses another address", "CPU %u: %s", me(), what);
		return;
	}
	moved = mmio_read32(OTHER_PAGE + APIC_VERSION) == version;
	left = mmio_read32(home + APIC_VERSION) != version;
	if (moved) {
		apic_follow();
		report(left, "CPU %u: %s, the old one is gone", me(), what);
		report(apic_id() == (this_cpu()->apic_id & 0xff) && self_ipi_arrives(),
		       "CPU %u: a relocated APIC works", me());
	} else {
		report_skip("the host keeps the page in place", "CPU %u: %s", me(), what);
	}
	wrmsr(MSR_APIC_BASE, base);
	apic_follow();
	report(apic_read(APIC_VERSION) == version, "CPU %u: the APIC page is back", me());
}

static void check_cpu(void *arg)
{
	(void)arg;
	report(!!(rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP) == (me() == 0),
	       "CPU %u: the BSP flag is %s", me(), me() == 0 ? "set" : "clear");
	check_transitions();
	check_reserved(APIC_MODE_XAPIC);
	check_reserved(APIC_MODE_X2APIC);
	check_access();
	if (x2apic_supported())
		check_to_x2apic();
	check_through_disabled(APIC_MODE_XAPIC);
	check_through_disabled(APIC_MODE_X2APIC);
	check_relocation();
	restore();
}

/* A disabled APIC on another CPU: nothing sent to it may arrive, neither then nor later. */
static uint32_t step;

static void be_deaf(void *arg)
{
	(void)arg;
	apic_mode_set(APIC_MODE_DISABLED);
	__atomic_store_n(&step, 1, __ATOMIC_RELEASE);
	sti();
	WAIT_FOR(__atomic_load_n(&step, __ATOMIC_ACQUIRE) == 2, RUN_USEC);
	cli();
	apic_mode_set(APIC_MODE_XAPIC);
	irq_window();
}

static void check_deaf(unsigned ap)
{
	bool deaf;

	step = 0;
	smp_post(ap, be_deaf, NULL);
	deaf = WAIT_FOR(__atomic_load_n(&step, __ATOMIC_ACQUIRE) == 1, RUN_USEC);
	ipi(ap, VEC_OTHER);
	udelay(DELIVER_USEC);
	__atomic_store_n(&step, 2, __ATOMIC_RELEASE);
	report(smp_wait(ap, RUN_USEC) && deaf && irq_count(ap, VEC_OTHER) == 0,
	       "CPU %u: a disabled APIC takes no IPI", ap);
}

static void to_mode(void *arg)
{
	apic_mode_set(*(const enum apic_mode *)arg);
}

/* INIT keeps the mode; only a RESET leads back to xAPIC. */
static void check_init(unsigned ap, enum apic_mode mode)
{
	bool came;

	if (!apic_mode_set(mode)) {
		report_skip("no x2APIC", "CPU %u: INIT in x2APIC mode", ap);
		return;
	}
	smp_run(ap, to_mode, &mode, RUN_USEC);
	came = smp_start_one(ap);
	report(came && cpus[ap].found_mode == mode, "CPU %u: INIT keeps %s mode", ap, names[mode]);
}

void guest_main(void)
{
	irq_install(VEC_SELF, irq_eoi);
	irq_install(VEC_OTHER, irq_eoi);
	paging_uncached(OTHER_PAGE);
	check_cpu(NULL);
	if (smp_start() < 2) {
		report_skip("one CPU", "the same on another CPU");
		return;
	}
	if (this_cpu()->apic->mode == APIC_MODE_X2APIC) {
		report_skip("APIC IDs above 254", "the same on another CPU");
		return;
	}
	report(smp_run(1, check_cpu, NULL, RUN_USEC), "CPU 1: came to the end");
	check_deaf(1);
	check_init(1, APIC_MODE_X2APIC);
	check_init(1, APIC_MODE_XAPIC);
}

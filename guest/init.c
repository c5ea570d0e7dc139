// SPDX-License-Identifier: MIT
/*
 * init: INIT and SIPI, to another CPU, in every state of CPU and APIC. SDM Vol. 3A 8.4 (the protocol), table 9-1
 * (state after INIT), 10.4.3 (disabled APICs), 10.4.7.3 (APIC after INIT), 10.6.1 (INIT level de-assert), 10.12.5.1
 * (x2APIC). `rounds=N`: only N INIT-SIPI cycles of one CPU, which it is doing something else each time.
 */
#include "lib/ap_probe.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/init_lives.h"
#include "lib/lapic_exam.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/timer.h"

#define AP	     1
#define INIT_USEC    10000 /* SDM Vol. 3A 8.4.4.1 */
#define QUIET	     5000
#define ROUND_USEC   200
#define KEPT_CR0     (3ull << 29) /* CD and NW: table 9-1, note 2 */
#define ET	     0x10
#define INIT_LEVEL   (DM_INIT | DM_LEVEL) /* not asserted */
#define STUB_AT	     0x20		  /* in the page, where its marker goes */
#define ROUNDS_SHOWN 5
#define CLOSE_SIPIS  20
#define LOOKS	     200

const char guest_name[] = "init";

/* Registers that have a value of their own in the AP's first life, and its MSRs that INIT leaves alone. */
static struct {
	uint32_t index;
	const char *name;
	uint64_t value;
	const char *known; /* what KVM is known to do instead */
	bool have;
} kept[] = {
	{0x277, "IA32_PAT", 0x0007040600070401, NULL, false},
	{0x200, "IA32_MTRR_PHYSBASE0", 0x6, NULL, false},
	{0x2ff, "IA32_MTRR_DEF_TYPE", 0xc06, NULL, false},
	{0xc0000082, "IA32_LSTAR", 0x123456, NULL, false},
	{0xc0000102, "IA32_KERNEL_GS_BASE", 0x654321, NULL, false},
	{0xc0000103, "IA32_TSC_AUX", 0x77, NULL, false},
	{0x176, "IA32_SYSENTER_EIP", 0xabcdef, "KVM on VMX sets the SYSENTER MSRs to 0", false},
};

static void set_kept(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		kept[i].have = wrmsr_try(kept[i].index, kept[i].value, NULL);
	life_fpu();
}

static const char *label(const struct life *l)
{
	static char text[100];

	snprintf(text, sizeof(text), "%s, %s", apic_mode_name(), l->name);
	return text;
}

/* More than one look: on a busy host an AP that shall take its INIT may not have been on a CPU at all. */
static bool stopped(unsigned cpu)
{
	uint32_t before;

	for (unsigned i = 0; i < LOOKS; i++) {
		before = life_beat(cpu);
		udelay(QUIET);
		if (life_beat(cpu) == before)
			return true;
	}
	return false;
}

static bool goes_on(void)
{
	uint32_t before = life_beat(AP);

	return WAIT_FOR(life_beat(AP) != before, EXPECT_USEC);
}

/* --- what INIT leaves */

static void load_probe(void)
{
	ap_probe_load(AP, this_cpu()->apic->mode);
	AP_PROBE->fpu = 1;
	ap_probe_add_msr(MSR_APIC_BASE);
	ap_probe_add_msr(MSR_EFER);
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		ap_probe_add_msr(kept[i].index);
}

static void check_msrs(const struct life *l)
{
	const char *known = NULL;
	unsigned wrong = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
		uint64_t v = ap_probe_msr(kept[i].index);

		if (!kept[i].have || v == kept[i].value)
			continue;
		printf("# %s: 0x%lx, expected 0x%lx\n", kept[i].name, v, kept[i].value);
		if (kept[i].known && exam_kvm_lapic())
			known = kept[i].known;
		else
			wrong++;
	}
	if (known)
		printf("# known: %s: %s\n", label(l), known);
	report(wrong == 0, "%s: INIT leaves the other MSRs alone", label(l));
}

static void check_state(const struct life *l, uint64_t base, uint64_t tsc)
{
	uint32_t cr0 = ET | (uint32_t)(l->cr0 & KEPT_CR0);
	uint64_t now = AP_PROBE->tsc;
	uint8_t fx[512];

	report(ap_probe_lapic_wrong() == 0, "%s: INIT resets its APIC, but mode and ID", label(l));
	if (AP_PROBE->cr0 != cr0 && AP_PROBE->cr0 == (ET | KEPT_CR0) && exam_kvm_lapic()) {
		printf("# known: %s: INIT sets CD and NW (KVM before Linux 5.15)\n", label(l));
		cr0 = AP_PROBE->cr0;
	}
	report(ap_probe_cpu_wrong(cr0) == 0 && ap_probe_msr(MSR_EFER) == 0,
	       "%s: INIT resets its registers, but CD and NW", label(l));
	report(ap_probe_msr(MSR_APIC_BASE) == base, "%s: INIT keeps IA32_APIC_BASE 0x%lx", label(l),
	       base);
	report((int64_t)(now - tsc) > 0 && (int64_t)(rdtsc() - now) > 0, "%s: the TSC runs on",
	       label(l));
	memcpy(fx, (void *)AP_PROBE->fx, sizeof(fx));
	report(life_fpu_kept(fx), "%s: INIT leaves x87 and SSE alone", label(l));
	check_msrs(l);
}

static void check_life(const struct life *l)
{
	uint64_t base, tsc;
	bool came, ran;

	smp_run(AP, set_kept, NULL, EXPECT_USEC);
	came = life_begin(AP, l);
	base = life_apic_base();
	load_probe();
	tsc = rdtsc();
	ipi_init(AP);
	udelay(INIT_USEC);
	ran = stopped(AP) && !AP_PROBE->done && ap_probe_run(AP);
	if (report(came && ran, "%s: INIT stops it, SIPI starts it", label(l)))
		check_state(l, base, tsc);
	report(smp_start_one(AP) && cpus[AP].found_mode == this_cpu()->apic->mode && life_works(AP),
	       "%s: it comes up again in the mode it was in, and takes interrupts and NMIs",
	       label(l));
}

/* No local APIC, nothing that an INIT message could come by (10.4.3). */
static void check_deaf(void)
{
	const struct life *l = &life_deaf;
	bool came = life_begin(AP, l), went_on;

	ap_probe_load(AP, this_cpu()->apic->mode);
	ipi_init(AP);
	udelay(INIT_USEC);
	went_on = goes_on();
	ipi_sipi(AP, SCRATCH_PAGE >> 12);
	udelay(QUIET);
	went_on &= goes_on();
	life_end();
	report(smp_wait(AP, EXPECT_USEC) && came && went_on && !AP_PROBE->done,
	       "%s: no INIT reaches it, then or later", label(l));
	report(life_works(AP), "%s: it takes interrupts when it is enabled again", label(l));
}

/* --- SIPIs */

static void check_early_sipi(void)
{
	bool came, went_on = true, waits;

	came = life_begin(AP, &life_spins);
	ap_probe_load(AP, this_cpu()->apic->mode);
	for (unsigned i = 0; i < 3; i++) {
		ipi_sipi(AP, SCRATCH_PAGE >> 12);
		udelay(QUIET);
		went_on &= goes_on() && !AP_PROBE->done;
	}
	report(came && went_on, "%s: a SIPI to a running CPU is ignored", apic_mode_name());
	ipi_sipi(AP, SCRATCH_PAGE >> 12);
	ipi_init(AP);
	udelay(INIT_USEC);
	waits = stopped(AP) && !AP_PROBE->done;
	report(waits && ap_probe_run(AP), "%s: a SIPI before INIT is not kept for after it",
	       apic_mode_name());
}

/* The CPU halts in the probe; what would start it again would say so. */
static void check_second_sipi(void)
{
	AP_PROBE->done = 0;
	ipi_sipi(AP, SCRATCH_PAGE >> 12);
	ipi_sipi(AP, TRAMPOLINE >> 12);
	udelay(INIT_USEC);
	report(!AP_PROBE->done && !cpu_up(AP) && aps_lost == 0, "%s: a second SIPI is ignored",
	       apic_mode_name());
}

/* Whichever the CPU sees first: the INIT was sent last, so in the end it waits. */
static bool waits_after_both(void)
{
	ipi_sipi(AP, SCRATCH_PAGE >> 12);
	ipi_init(AP);
	udelay(QUIET);
	ap_probe_load(AP, this_cpu()->apic->mode);
	return ap_probe_run(AP);
}

static void check_close_sipis(void)
{
	unsigned right = 0;
	bool came;

	smp_start_one(AP);
	came = life_begin(AP, &life_spins);
	ap_probe_load(AP, this_cpu()->apic->mode);
	ipi_init(AP);
	report(came && ap_probe_run(AP), "%s: a SIPI right behind an INIT starts the CPU",
	       apic_mode_name());
	for (unsigned i = 0; i < CLOSE_SIPIS; i++) {
		ipi_init(AP);
		udelay(QUIET);
		right += waits_after_both();
	}
	report(right == CLOSE_SIPIS, "%s: an INIT right behind a SIPI makes the CPU wait again",
	       apic_mode_name());
	report(smp_start_one(AP) && life_works(AP), "%s: it comes up after all that",
	       apic_mode_name());
}

static void check_no_sipi(void)
{
	uint32_t before = irq_count(AP, LIFE_VEC);
	bool came = life_begin(AP, &life_spins), waits;

	ap_probe_load(AP, this_cpu()->apic->mode);
	ipi_init(AP);
	ipi_init(AP);
	udelay(INIT_USEC);
	ipi(AP, LIFE_VEC);
	udelay(INIT_USEC);
	waits = stopped(AP) && !AP_PROBE->done;
	report(came && waits && irq_count(AP, LIFE_VEC) == before,
	       "%s: without SIPI a CPU waits, and takes no interrupt", apic_mode_name());
	report(ap_probe_run(AP) && ap_probe_lapic_wrong() == 0,
	       "%s: after two INITs one SIPI starts it, and no interrupt waits there",
	       apic_mode_name());
	smp_start_one(AP);
}

static void check_deassert(void)
{
	bool came = life_begin(AP, &life_spins), went_on;

	ap_probe_load(AP, this_cpu()->apic->mode);
	apic_icr(INIT_LEVEL, cpus[AP].apic_id);
	apic_icr(INIT_LEVEL | ICR_ALL, 0);
	udelay(INIT_USEC);
	went_on = goes_on();
	ipi_sipi(AP, SCRATCH_PAGE >> 12);
	udelay(QUIET);
	report(came && went_on && goes_on() && !AP_PROBE->done,
	       "%s: INIT level de-assert resets nobody", apic_mode_name());
	smp_start_one(AP);
}

/* mov %cs, %cs:STUB_AT; 1: hlt; jmp 1b */
static const uint8_t stub[] = {0x2e, 0x8c, 0x0e, STUB_AT, 0x00, 0xf4, 0xeb, 0xfd};

static bool starts_at(uint8_t page)
{
	uint8_t *at = (uint8_t *)((uint64_t)page << 12), old[STUB_AT + 2];
	volatile uint16_t *marker = (volatile uint16_t *)(at + STUB_AT);
	bool started;

	memcpy(old, at, sizeof(old));
	memcpy(at, stub, sizeof(stub));
	*marker = 0;
	ipi_init(AP);
	smp_went_down(AP);
	udelay(INIT_USEC);
	ipi_sipi(AP, page);
	started = WAIT_FOR(*marker == (uint16_t)(page << 8), EXPECT_USEC);
	if (!started)
		printf("# SIPI 0x%x: CS 0x%x\n", page, *marker);
	memcpy(at, old, sizeof(old));
	return started;
}

static void check_pages(void)
{
	static const uint8_t pages[] = {0x01, 0x0b, 0x10, 0x55, 0x7f, 0x80, 0x9f};
	unsigned right = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		right += starts_at(pages[i]);
	report(right == ARRAY_SIZE(pages), "%s: a SIPI's vector is the page where the CPU starts",
	       apic_mode_name());
	smp_start_one(AP);
}

static void check_shorthand(void)
{
	unsigned want = smp_up(), down = 0;

	for (unsigned i = 1; i < ncpus; i++)
		if (cpu_up(i) && !life_begin(i, &life_spins))
			printf("# CPU %u does not run\n", i);
	ipi_shorthand(ICR_OTHERS, DM_INIT, 0);
	udelay(INIT_USEC);
	for (unsigned i = 1; i < ncpus; i++) {
		if (!cpu_up(i))
			continue;
		down += stopped(i);
		smp_went_down(i);
	}
	report(down == want - 1, "%s: INIT to all but self stops %u CPUs", apic_mode_name(), down);
	report(smp_start() == want, "%s: all of them come up again", apic_mode_name());
}

/* --- many times */

static bool one_round(uint64_t n)
{
	const struct life *l = &lives[n % nlives];
	bool came = life_begin(AP, l);

	udelay(n * 37 % ROUND_USEC); /* not always at the same moment */
	return smp_start_after(AP, n % 3 ? 0 : ROUND_USEC) && came && life_works(AP);
}

static void cycle(uint64_t rounds)
{
	unsigned failed = 0;
	uint64_t start = rdtsc();

	for (uint64_t n = 0; n < rounds && failed < ROUNDS_SHOWN; n++)
		if (!one_round(n) && ++failed)
			printf("# round %lu, %s: it does not come up\n", n, lives[n % nlives].name);
	report(failed == 0, "%s: %lu INIT-SIPI cycles of CPU %u", apic_mode_name(), rounds, AP);
	printf("# %lu us a cycle\n", tsc_to_usec(rdtsc() - start) / (rounds ? rounds : 1));
}

static void test_mode(enum apic_mode mode, uint64_t rounds)
{
	if (!all_to_mode(mode)) {
		report_skip("not here", "mode %d", mode);
		return;
	}
	if (rounds) {
		cycle(rounds);
		return;
	}
	for (unsigned i = 0; i < nlives; i++)
		check_life(&lives[i]);
	check_deaf();
	check_early_sipi();
	check_second_sipi();
	check_close_sipis();
	check_no_sipi();
	check_deassert();
	check_pages();
	check_shorthand();
}

void guest_main(void)
{
	uint64_t rounds = arg_u64("rounds", 0);

	if (smp_start() < 2) {
		report_skip("one CPU", "INIT and SIPI");
		return;
	}
	life_install();
	if (apic_mode() == APIC_MODE_X2APIC)
		report_skip("APIC IDs above 254", "xAPIC mode");
	else
		test_mode(APIC_MODE_XAPIC, rounds);
	test_mode(APIC_MODE_X2APIC, rounds);
	report(aps_lost == 0, "no CPU came up as somebody else");
}

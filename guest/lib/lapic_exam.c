// SPDX-License-Identifier: MIT
/* guest/lapic: what its parts share. */
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/lapic_exam.h"
#include "lib/report.h"
#include "lib/smp.h"

#define NAME_LEN   200
#define LOG_LEN	   32
#define KVM_PV_EOI (1u << 6)
#define KNOWN_USEC 50000

static const struct {
	const char *id, *why;
} knowns[KNOWNS] = {
	[KNOWN_D01] = {"D01", "reserved bits of the ICR are not looked at (Linux before 6.12)"},
	[KNOWN_D02] = {"D02", "bits 63:32 are not looked at (Linux before 6.3)"},
	[KNOWN_D03] = {"D03", "reserved bits that are dropped in xAPIC mode are dropped here, too"},
	[KNOWN_D04] = {"D04",
		       "with APICv, reads of absent MSRs are passed through (Linux before 6.3)"},
	[KNOWN_D05] = {"D05", "the delivery status bit, which is gone in x2APIC mode, is dropped"},
	[KNOWN_D07] = {"D07", "no vector is illegal, and ESR is always 0"},
	[KNOWN_D13] = {"D13", "delivery mode 3 is used inside KVM to wake a halted CPU"},
	[KNOWN_E02] = {"E02", "suppression is promised in split mode, and EOI is broadcast still"},
	[KNOWN_NO_ISR] = {"NO-ISR", NO_SERVICE},
	[KNOWN_LVT_STATUS] = {"LVT-STATUS",
			      "the read-only bits, status and remote IRR, keep what is written"},
	[KNOWN_ICR_RESERVED] = {"ICR-RESERVED", "the ICR keeps reserved bits"},
	[KNOWN_LINT0] = {"LINT0", "INTR is connected to ExtINT alone"},
	[KNOWN_LINT0_AGAIN] = {"LINT0-AGAIN", "INTR is not looked at when LINT0 is unmasked"},
	[KNOWN_TIMER_MASKED] = {"TIMER-MASKED", "a tick is kept until the LVT entry is unmasked"},
};
static unsigned times_known[KNOWNS];

bool exam_kvm(void)
{
	struct cpuid_regs r = cpuid(0x40000000);

	return cpuid(1).ecx >> 31 && r.ebx == 0x4b4d564b && r.ecx == 0x564b4d56 && r.edx == 0x4d;
}

/*
 * KVM offers its paravirtual EOI exactly where the local APIC is its own (Documentation/virt/kvm/
 * x86/cpuid.rst; the page is shared with that APIC).
 */
bool exam_kvm_lapic(void)
{
	return exam_kvm() && (cpuid(0x40000001).eax & KVM_PV_EOI);
}

bool exam(bool ok, enum known known, const char *fmt, ...)
{
	char name[NAME_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (ok || known == KNOWN_NONE || !exam_kvm_lapic())
		return report(ok, "%s: %s", apic_mode_name(), name);
	times_known[known]++;
	printf("known: %s - %s: %s (%s)\n", knowns[known].id, apic_mode_name(), name,
	       knowns[known].why);
	return false;
}

enum known exam_needs_isr(enum known otherwise)
{
	return lapic_in_service() ? otherwise : KNOWN_NO_ISR;
}

void exam_list_known(void)
{
	if (!exam_kvm_lapic())
		printf("# CPUID has no paravirtual EOI: not KVM's local APIC, no deviation is known\n");
	for (unsigned k = 0; k < KNOWNS; k++)
		if (times_known[k])
			printf("# known: %s, checks: %u\n", knowns[k].id, times_known[k]);
}

/* --- what was taken */

static exam_hook_fn hook;
static unsigned hook_cpu;
static struct {
	uint32_t n;
	uint16_t what[LOG_LEN];
} taken;

static void note(uint16_t what)
{
	if (taken.n < LOG_LEN)
		taken.what[taken.n] = what;
	__atomic_store_n(&taken.n, taken.n + 1, __ATOMIC_RELEASE);
}

static void on_exam(struct regs *r)
{
	unsigned cpu = this_cpu()->index;

	if (cpu == 0)
		note((uint16_t)r->vector);
	if (hook && cpu == hook_cpu)
		hook((unsigned)r->vector);
	apic_eoi();
	if (cpu == 0)
		note((uint16_t)(r->vector | LEAVES));
}

void exam_listen(void)
{
	for (unsigned v = EXAM_FIRST; v <= EXAM_LAST; v++)
		irq_install(v, on_exam);
	irq_install(EXC_NMI, irq_none);
}

void exam_hook(unsigned cpu, exam_hook_fn fn)
{
	hook_cpu = cpu;
	hook = fn;
}

bool exam_log_is(const uint16_t *want, unsigned n)
{
	bool same;

	if (n)
		OPEN_FOR(__atomic_load_n(&taken.n, __ATOMIC_ACQUIRE) >= n, EXPECT_USEC);
	settle();
	same = taken.n == n;
	for (unsigned i = 0; i < n && same; i++)
		same = taken.what[i] == want[i];
	for (unsigned i = 0; i < taken.n && i < LOG_LEN && !same; i++)
		printf("# %s 0x%x\n", taken.what[i] & LEAVES ? "left" : "took",
		       taken.what[i] & 0xff);
	return same;
}

bool exam_took(unsigned vector, unsigned n)
{
	return took(0, vector, n) && taken.n == 2 * n;
}

bool exam_comes(unsigned vector, unsigned n)
{
	return OPEN_FOR(irq_total(vector) >= n, exam_kvm_lapic() ? KNOWN_USEC : EXPECT_USEC);
}

void exam_self(unsigned vector)
{
	ipi_shorthand(ICR_SELF, DM_FIXED, vector);
}

/* Vectors below 16 stay there for ever, in a KVM that lets them in. */
void exam_drain(void)
{
	OPEN_FOR(apic_highest(APIC_IRR) < 16 && apic_highest(APIC_ISR) < 0, EXPECT_USEC);
	irq_window();
	settle();
}

void exam_clean(void)
{
	static const unsigned lvts[] = {APIC_LVT_TIMER, APIC_LVT0,     APIC_LVT1,
					APIC_LVT_ERROR, APIC_LVT_PERF, APIC_LVT_THERMAL,
					APIC_LVT_CMCI};

	for (unsigned i = 0; i < ARRAY_SIZE(lvts); i++)
		if (exam_has(lvts[i]))
			apic_write(lvts[i], LVT_MASKED);
	apic_write(APIC_TIMER_INIT, 0);
	apic_enable();
	hook = NULL;
	exam_drain();
	apic_esr();
	apic_write(APIC_ESR, 0);
	irq_clear();
	taken.n = 0;
}

uint32_t exam_nobody(void)
{
	uint32_t id = XAPIC_BROADCAST - 1;

	while (cpu_by_id(id) >= 0)
		id--;
	return id;
}

/* The thermal entry is the fifth, the performance counter's the fourth, CMCI the seventh. */
bool exam_has(unsigned reg)
{
	unsigned max = VERSION_MAX_LVT(apic_read(APIC_VERSION));

	switch (reg) {
	case APIC_LVT_PERF:
		return max >= 4;
	case APIC_LVT_THERMAL:
		return max >= 5;
	case APIC_LVT_CMCI:
		return max >= 6;
	default:
		return true;
	}
}

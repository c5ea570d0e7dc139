// SPDX-License-Identifier: MIT
#include "lib/apic.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/ioapic.h"
#include "lib/report.h"
#include "lib/smp.h"

#define LINES_SHOWN 8
#define IOAPIC_KVM  0x11
#define VEC_PROBE   0xfc
#define MODE_USEC   5000000

void settle(void)
{
	OPEN_FOR(false, QUIET_USEC);
}

bool took(unsigned cpu, unsigned vector, uint32_t n)
{
	if (n)
		OPEN_FOR(irq_count(cpu, vector) >= n, EXPECT_USEC);
	settle();
	if (irq_count(cpu, vector) == n && irq_total(vector) == n)
		return true;
	printf("# vector 0x%x: CPU %u took it %u times, all CPUs %u times, expected %u\n", vector,
	       cpu, irq_count(cpu, vector), irq_total(vector), n);
	return false;
}

static bool all_took(unsigned vector, const uint32_t *want)
{
	for (unsigned i = 0; i < ncpus; i++)
		if (irq_count(i, vector) < want[i])
			return false;
	return true;
}

bool took_each(unsigned vector, const uint32_t *want)
{
	unsigned wrong = 0;

	OPEN_FOR(all_took(vector, want), EXPECT_USEC);
	settle();
	for (unsigned i = 0; i < ncpus; i++) {
		uint32_t n = irq_count(i, vector);

		if (n != want[i] && wrong++ < LINES_SHOWN)
			printf("# vector 0x%x: CPU %u took it %u times, expected %u\n", vector, i,
			       n, want[i]);
	}
	return wrong == 0;
}

static bool all_idle(void)
{
	for (unsigned i = 0; i < ncpus; i++)
		if (i != this_cpu()->index && cpu_state(i) == CPU_BUSY)
			return false;
	return true;
}

bool run_all_open(void (*fn)(void *), void *arg, uint64_t usec)
{
	bool ok = true;

	for (unsigned i = 0; i < ncpus; i++)
		if (i != this_cpu()->index && cpu_up(i))
			ok &= smp_post(i, fn, arg);
	fn(arg);
	return OPEN_FOR(all_idle(), usec) && ok;
}

static void to_mode(void *arg)
{
	apic_mode_set(*(enum apic_mode *)arg);
}

bool all_to_mode(int mode)
{
	enum apic_mode m = (enum apic_mode)mode;
	bool ok = true;

	if (m == APIC_MODE_X2APIC && !x2apic_supported())
		return false;
	for (unsigned i = ncpus; i-- > 0;)
		if (cpu_up(i))
			ok &= smp_run(i, to_mode, &m, MODE_USEC);
	return ok;
}

bool kvm_chips(void)
{
	return (ioapic_read(IOAPIC_REG_VERSION) & 0xff) == IOAPIC_KVM;
}

static bool in_service;

static void on_probe(struct regs *r)
{
	in_service = apic_bit(APIC_ISR, (unsigned)r->vector);
	apic_eoi();
}

bool lapic_in_service(void)
{
	static bool asked;

	if (!asked) {
		irq_install(VEC_PROBE, on_probe);
		ipi(0, VEC_PROBE);
		asked = OPEN_FOR(irq_count(0, VEC_PROBE), EXPECT_USEC);
	}
	return in_service;
}

void report_known(bool ok, bool known, const char *deviation, const char *name)
{
	if (!ok && known)
		report_skip(deviation, "%s", name);
	else
		report(ok, "%s", name);
}

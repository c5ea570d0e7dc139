// SPDX-License-Identifier: MIT
/*
 * smp: does every CPU of the device tree come up by INIT-SIPI-SIPI, and does each of them know who
 * it is? SDM Vol. 3A 8.4.4.1 (the protocol), 10.4.6 and 10.12.5.1 (the local APIC ID), Vol. 2A
 * CPUID 1 and 0xb.
 */
#include "lib/apic.h"
#include "lib/console.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/x86.h"

#define RUN_USEC  2000000
#define IDS_SHOWN 16

const char guest_name[] = "smp";

/* What one CPU says of itself. */
struct identity {
	uint32_t leaf1, leafb, reg;
	bool have_leafb, bsp, x2apic;
	uint32_t times; /* this CPU ran the question */
};

static void identify(void *arg)
{
	struct identity *id = arg;
	struct cpuid_regs r = cpuid(0);

	id->have_leafb = r.eax >= 0xb && cpuid(0xb).ebx;
	id->leafb = cpuid(0xb).edx;
	id->leaf1 = cpuid(1).ebx >> 24;
	id->reg = apic_id();
	id->bsp = rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP;
	id->x2apic = apic_mode() == APIC_MODE_X2APIC;
	id->times++;
}

/* "0-3, 7, 300": runs of CPUs that are up and whose IDs follow each other in the tree. */
static void print_ids(void)
{
	unsigned last = 0;

	printf("APIC IDs:");
	for (unsigned i = 0; i < ncpus; i = last + 1) {
		last = i;
		if (!cpu_up(i))
			continue;
		while (last + 1 < ncpus && cpu_up(last + 1) &&
		       cpus[last + 1].apic_id == cpus[last].apic_id + 1)
			last++;
		if (ncpus <= IDS_SHOWN || last - i < 2)
			last = i;
		printf(last == i ? " %u" : " %u-%u", cpus[i].apic_id, cpus[last].apic_id);
	}
	printf("\n");
}

/* In xAPIC mode and in leaf 1 an ID has its low 8 bits only. */
static bool knows_itself(unsigned cpu)
{
	struct identity id = {0};
	uint32_t want = cpus[cpu].apic_id;
	bool right;

	if (!smp_run(cpu, identify, &id, RUN_USEC)) {
		printf("# CPU %u (APIC ID %u) does not answer\n", cpu, want);
		return false;
	}
	right = id.times == 1 && id.leaf1 == (want & 0xff) &&
		(id.have_leafb ? id.leafb == want : want < 256) &&
		id.reg == (id.x2apic ? want : want & 0xff) && id.bsp == (cpu == 0);
	if (!right)
		printf("# CPU %u: tree %u, CPUID 1 %u, CPUID 0xb %u, APIC register %u, BSP flag %d\n",
		       cpu, want, id.leaf1, id.leafb, id.reg, id.bsp);
	return right;
}

void guest_main(void)
{
	unsigned want = 0, right = 0, up, disturbed = 0;

	for (unsigned i = 0; i < ncpus; i++)
		want += cpu_state(i) != CPU_UNPLUGGED;
	up = smp_start();
	report(up == want, "%u of %u CPUs came up, in %s mode", up, want, apic_mode_name());
	print_ids();
	report(aps_lost == 0, "every CPU that came up has an APIC ID of the device tree");
	for (unsigned i = 0; i < ncpus; i++)
		if (cpu_up(i))
			right += knows_itself(i);
	report(right == up, "%u of %u CPUs know their APIC ID and role", right, up);

	/* "If the processor is not in the wait-for-SIPI state, the SIPI is ignored": one more for
	 * each. */
	for (unsigned i = 1; i < ncpus; i++)
		if (cpu_up(i))
			ipi_sipi(i, TRAMPOLINE >> 12);
	for (unsigned i = 1; i < ncpus; i++)
		if (cpu_up(i))
			disturbed += !knows_itself(i);
	report(disturbed == 0 && aps_lost == 0, "a SIPI to a running CPU is ignored");
}

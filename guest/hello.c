// SPDX-License-Identifier: MIT
/*
 * hello: does a guest start, see its machine and end? Prints what it sees; `exit=N` in the boot
 * arguments makes N the exit code.
 * SDM Vol. 2A, CPUID; Vol. 3A 9.8.5 (what long mode looks like from inside).
 */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/timer.h"

const char guest_name[] = "hello";

static void print_cpu(void)
{
	struct cpuid_regs r = cpuid(0);
	char vendor[13] = {0};

	memcpy(vendor, &r.ebx, 4);
	memcpy(vendor + 4, &r.edx, 4);
	memcpy(vendor + 8, &r.ecx, 4);
	r = cpuid(1);
	printf("CPU: %s, signature 0x%x, APIC ID %u, TSC %lu MHz (%s)\n", vendor, r.eax,
	       cpuid_apic_id(), tsc_hz / 1000000, tsc_source);
}

void guest_main(void)
{
	bool longmode = rdmsr(MSR_EFER) & EFER_LMA;
	unsigned enabled = 0;

	printf("Hello from a guest of sipi.\n");
	print_cpu();
	for (unsigned i = 0; i < ncpus; i++)
		enabled += cpu_state(i) != CPU_UNPLUGGED;
	printf("CPUs: %u, %u of them enabled\n", ncpus, enabled);
	printf("memory: %lu KiB\n", board.mem >> 10);
	printf("APIC: %s at 0x%lx; IOAPIC at 0x%lx\n", apic_mode_name(), this_cpu()->lapic,
	       board.ioapic_base);
	printf("bootargs: \"%s\"\n", board.bootargs);
	if (arg_flag("exit"))
		guest_exit((uint8_t)arg_u64("exit", 0));
	report(longmode && (read_cr0() & CR0_PG) && (read_cr4() & CR4_PAE),
	       "long mode with paging");
	report(cpu_by_id(cpuid_apic_id()) == 0, "the boot CPU is in the device tree");
	report(rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP, "the BSP flag is set");
}

/* SPDX-License-Identifier: MIT */
#ifndef GUEST_AP_PROBE_H
#define GUEST_AP_PROBE_H

#include "lib/layout.h"

/*
 * What a CPU is like right after INIT and SIPI: code in real mode (ap_probe.S), at SCRATCH_PAGE, notes its
 * registers before anything has changed them, then those of its local APIC and MSRs, and halts. The rest of that
 * page is struct ap_probe, for ap_probe.S by offset.
 */
#define AP_PROBE_AT	0x400
#define AP_PROBE_DONE	0x00
#define AP_PROBE_X2APIC 0x04
#define AP_PROBE_PAGE	0x08
#define AP_PROBE_LGDT	0x0c
#define AP_PROBE_FPU	0x14
#define AP_PROBE_GDT	0x18
#define AP_PROBE_GPR	0x28
#define AP_PROBE_EFLAGS 0x48
#define AP_PROBE_CR	0x4c
#define AP_PROBE_DR	0x5c
#define AP_PROBE_SEL	0x68
#define AP_PROBE_GDTR	0x74
#define AP_PROBE_IDTR	0x7c
#define AP_PROBE_TSC	0x88
#define AP_PROBE_REGS	0x90
#define AP_PROBE_VALUES 0xf0
#define AP_PROBE_MSRS	0x1b0
#define AP_PROBE_MSRVAL 0x210
#define AP_PROBE_FX	0x2d0

#ifndef __ASSEMBLY__

#include <stdbool.h>
#include <stdint.h>

#include "lib/apic.h"

struct ap_probe {
	uint32_t done;
	uint32_t x2apic; /* read the local APIC's MSRs, not its page */
	uint32_t page;
	uint16_t lgdt[4];
	uint32_t fpu; /* FXSAVE as well */
	uint64_t gdt[2];
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp;
	uint32_t eflags, cr0, cr2, cr3, cr4, dr0, dr6, dr7;
	uint16_t cs, ds, es, ss, fs, gs;
	uint16_t gdtr[4], idtr[4]; /* limit, base 15:0, base 31:16 */
	uint32_t pad;
	uint64_t tsc;
	uint16_t regs[48];
	uint32_t values[48];
	uint32_t msrs[24];
	uint64_t msr_values[24];
	uint8_t fx[512];
};
#define AP_PROBE ((volatile struct ap_probe *)(SCRATCH_PAGE + AP_PROBE_AT))

/* For this CPU, whose APIC will be in this mode. */
void ap_probe_load(unsigned cpu, enum apic_mode mode);
/* An MSR to be read, too; false where there is none (asked on the calling CPU) or no room. */
bool ap_probe_add_msr(uint32_t index);
bool ap_probe_has_msr(uint32_t index);
uint64_t ap_probe_msr(uint32_t index);

/* SIPI, which it must wait for. False: it did not come to the end of the code. It is down then. */
bool ap_probe_run(unsigned cpu);
/* The registers of its local APIC that are not as RESET and INIT leave them (SDM Vol. 3A 10.4.7); says which. */
unsigned ap_probe_lapic_wrong(void);
/* The same for the CPU's registers (table 9-1), with this value of CR0. */
unsigned ap_probe_cpu_wrong(uint32_t cr0);

#endif
#endif

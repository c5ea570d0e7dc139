// SPDX-License-Identifier: MIT
/*
 * Deviations that are not ours to mend, each with its reason. A row excuses one field, in the situations and
 * irqchip modes that it names, with the value that it names, and nothing else.
 */
#include <string.h>

#include "selftest/expect.h"

#define LAPIC_IN_KVM (1u << IRQCHIP_KERNEL | 1u << IRQCHIP_SPLIT)
#define ALL	     (LAPIC_IN_KVM | 1u << IRQCHIP_USER)

static const struct known table[] = {
	{"CREATE-EDX", ALL, 1u << CREATED, "RDX", SEEN_VALUE, 0x600,
	 "KVM resets a vCPU when it makes it, before it has a CPUID (kvm_vcpu_reset)"},
	{"CREATE-FCW", ALL, 1u << CREATED, "FCW+FSW", SEEN_VALUE, 0x37f,
	 "KVM makes the FPU as FNINIT leaves it, not as RESET does (fpu_alloc_guest_fpstate)"},
	{"CREATE-FTW", ALL, 1u << CREATED, "FTW+FOP", SEEN_VALUE, 0,
	 "KVM makes the FPU as FNINIT leaves it, not as RESET does (fpu_alloc_guest_fpstate)"},
	{"SVM-CS", ALL, 1u << CREATED | 1u << INIT, "CS.type", SEEN_VALUE, 0xa,
	 "KVM on SVM makes code that was not accessed (init_vmcb); sipi's resets set that right"},
	{"SVM-SS", ALL, 1u << CREATED | 1u << INIT, "SS.type", SEEN_VALUE, 2,
	 "KVM on SVM makes data that was not accessed (init_seg); sipi's resets set that right"},
	{"AP-NEEDS-INIT", LAPIC_IN_KVM, 1u << CREATED, "MP state", SEEN_VALUE,
	 KVM_MP_STATE_UNINITIALIZED,
	 "KVM's AP takes a SIPI after an INIT alone; sipi's power-on sets that right"},
	{"TSC-OF-HOST", ALL, 1u << POWER_ON | 1u << RESET, "TSC", SEEN_CLOCK, 0,
	 "this KVM runs guests on the host's TSC: writing it succeeds and changes nothing"},
	{"INIT-SMI-COUNT", LAPIC_IN_KVM, 1u << INIT, "MSR 0x34 MSR_SMI_COUNT", SEEN_VALUE, 0,
	 "KVM counts SMIs since INIT, not since RESET (kvm_vcpu_reset)"},
	{"INIT-SPEC-CTRL", LAPIC_IN_KVM, 1u << INIT, "MSR 0x48 IA32_SPEC_CTRL", SEEN_VALUE, 0,
	 "KVM on SVM clears it at INIT (svm_vcpu_reset)"},
	{"INIT-SPEC-CTRL", LAPIC_IN_KVM, 1u << INIT, "MSR 0xc001011f AMD_VIRT_SPEC_CTRL",
	 SEEN_VALUE, 0, "KVM on SVM clears it at INIT (svm_vcpu_reset)"},
	{"INIT-SHADOW", LAPIC_IN_KVM, 1u << INIT, "interrupt.shadow", SEEN_KEPT, 0,
	 "KVM on SVM leaves the shadow of STI at INIT (svm_vcpu_reset)"},
	{"INIT-NMI-MASK", LAPIC_IN_KVM, 1u << INIT, "NMI.masked", SEEN_VALUE, 1,
	 "KVM on SVM leaves NMIs blocked at INIT since 6.3, when that left arch.hflags (svm_vcpu_reset)"},
	{"INIT-CPL", LAPIC_IN_KVM, 1u << INIT, "SS.dpl", SEEN_KEPT, 0,
	 "KVM on SVM leaves the CPL at INIT, and shows it here (init_vmcb)"},
	{"INIT-ICR2", LAPIC_IN_KVM, 1u << INIT, "LAPIC.ICR high", SEEN_KEPT, 0,
	 "KVM leaves the upper half of ICR at INIT in x2APIC mode (kvm_lapic_reset)"},
	{"INIT-TRIPLE-FAULT", LAPIC_IN_KVM, 1u << INIT, "triple fault", SEEN_KEPT, 0,
	 "KVM's INIT leaves a triple fault pending that no entry has found yet (kvm_vcpu_reset)"},
	{"CREATE-EDX-SVM", ALL, 1u << CREATED, "RDX", SEEN_VALUE, 0,
	 "KVM on SVM before 5.15 takes it from a CPUID that nobody has set yet (665f4d9238ad)"},
	{"INIT-CR0", LAPIC_IN_KVM, 1u << INIT, "CR0", SEEN_VALUE, 0x60000010,
	 "KVM before 5.15 sets CD and NW at INIT (4c72ab5aa6e0)"},
	{"INIT-CR3", LAPIC_IN_KVM, 1u << INIT, "CR3", SEEN_KEPT, 0,
	 "KVM before 5.15 shows the old CR3 after INIT (03a6e84069d1)"},
	{"INIT-GDTR", LAPIC_IN_KVM, 1u << INIT, "GDTR.base", SEEN_KEPT, 0,
	 "KVM on SVM before 5.15 leaves it at INIT (4f117ce4aefc)"},
	{"INIT-IDTR", LAPIC_IN_KVM, 1u << INIT, "IDTR.base", SEEN_KEPT, 0,
	 "KVM on SVM before 5.15 leaves it at INIT (4f117ce4aefc)"},
	{"INIT-EXTINT", 1u << IRQCHIP_SPLIT, 1u << INIT, "sipi: ExtINT vector", SEEN_KEPT, 0,
	 "KVM tells nobody of an INIT, so a vector that the PIC has given away is still delivered"},
};

static bool matches(const struct known *k, uint64_t seen, uint64_t before, bool tsc)
{
	switch (k->seen) {
	case SEEN_VALUE:
		return seen == k->value;
	case SEEN_KEPT:
		return seen == before;
	default: /* of this host; not one that a guest has set */
		return !tsc && seen <= __builtin_ia32_rdtsc();
	}
}

const struct known *known_deviation(const char *field, const struct subject *s, uint64_t seen,
				    uint64_t before, bool tsc)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct known *k = &table[i];

		if (!(k->modes >> s->v->m->cfg.irqchip & 1) || !(k->situations >> s->situation & 1))
			continue;
		/* A boot CPU that waits for INIT would never run. */
		if (strcmp(k->field, "MP state") == 0 && s->v->index == 0)
			continue;
		if (strcmp(k->field, field) == 0 && matches(k, seen, before, tsc))
			return k;
	}
	return NULL;
}

// SPDX-License-Identifier: MIT
/* What CPUID tells the guest: what KVM supports, with each CPU's own APIC ID and topology. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/internal.h"

#define LEAF1_ECX_X2APIC       (1u << 21)
#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)
#define LEAF_HYPERVISOR	       0x40000000u
#define LEAF_FREQUENCIES       0x40000010u
#define KVM_APIC_BUS_KHZ       1000000u /* KVM's LAPIC timer counts nanoseconds (APIC_BUS_CYCLE_NS) */
#define CPUID_ENTRIES	       256u	/* what kvm_supported_cpuid() has room for */
#define LEAF1_EDX_HTT	       (1u << 28)

int cpuid_create(struct machine *m, struct error *err)
{
	m->cpuid = kvm_supported_cpuid(m->kvm);
	if (!m->cpuid)
		return error_set(err, EXIT_SETUP, "KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
	return 0;
}

/* Bits that hold any APIC ID of this machine: what a topology leaf shifts by at package level. */
static unsigned id_bits(const struct machine *m)
{
	uint32_t max = 0;

	for (unsigned i = 0; i < m->nvcpus; i++)
		if (m->cfg.board->cpus[i].apic_id > max)
			max = m->cfg.board->cpus[i].apic_id;
	return max ? 32 - (unsigned)__builtin_clz(max) : 0;
}

static void leaf1(const struct vcpu *v, struct kvm_cpuid_entry2 *e)
{
	unsigned count = id_bits(v->m) < 8 ? 1u << id_bits(v->m) : 255;

	/* EBX: initial APIC ID (8 bits of it), addressable IDs in the package. */
	e->ebx = (e->ebx & 0xffff) | (v->apic_id & 0xff) << 24 | count << 16;
	e->ecx |= LEAF1_ECX_X2APIC | LEAF1_ECX_HYPERVISOR;
	if (v->m->cfg.irqchip == IRQCHIP_USER && !v->m->irqchip.user.x2apic)
		e->ecx &= ~LEAF1_ECX_X2APIC;
	e->ecx &= ~LEAF1_ECX_TSC_DEADLINE;
	/* KVM_GET_SUPPORTED_CPUID leaves this bit to a capability (api.rst, 4.8). */
	if (v->m->cfg.irqchip == IRQCHIP_USER ? v->m->irqchip.user.deadline
					      : kvm_check(v->m->kvm, KVM_CAP_TSC_DEADLINE_TIMER))
		e->ecx |= LEAF1_ECX_TSC_DEADLINE;
	e->edx &= ~LEAF1_EDX_HTT;
	if (count > 1)
		e->edx |= LEAF1_EDX_HTT;
}

/*
 * Extended topology (SDM vol. 2A, CPUID leaves 0BH and 1FH): one thread a core, all cores in one
 * package; every subleaf gives the x2APIC ID in EDX.
 */
static void topology(const struct vcpu *v, struct kvm_cpuid_entry2 *e)
{
	unsigned index = e->index;

	e->eax = index == 0 ? 0 : index == 1 ? id_bits(v->m) : 0;
	e->ebx = index == 0 ? 1 : index == 1 ? v->m->nvcpus : 0;
	e->ecx = index | (index == 0 ? 1u << 8 : index == 1 ? 2u << 8 : 0);
	e->edx = v->apic_id;
	e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
}

/* Leaf 4 EAX: cores in the package, and CPUs that share a cache. */
static void leaf4(const struct vcpu *v, struct kvm_cpuid_entry2 *e)
{
	unsigned cores = id_bits(v->m) < 6 ? 1u << id_bits(v->m) : 64;

	e->eax = (e->eax & 0x3fff) | (cores - 1) << 26;
}

/*
 * KVM's paravirtual features that rest on its own LAPIC (Documentation/virt/kvm/x86/cpuid.rst): async
 * page faults, PV EOI, PV unhalt, PV IPIs, async faults by interrupt, MSI extended destination IDs.
 */
#define LEAF_KVM_FEATURES 0x40000001u
#define KVM_FEATURES_OF_LAPIC                                                                      \
	(1u << 4 | 1u << 6 | 1u << 7 | 1u << 10 | 1u << 11 | 1u << 14 | 1u << 15)

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *c, uint32_t function)
{
	for (unsigned i = 0; i < c->nent; i++)
		if (c->entries[i].function == function)
			return &c->entries[i];
	return NULL;
}

static struct kvm_cpuid_entry2 *append(struct kvm_cpuid2 *c, uint32_t function, uint32_t index)
{
	struct kvm_cpuid_entry2 *e = c->nent < CPUID_ENTRIES ? &c->entries[c->nent++] : NULL;

	if (e)
		*e = (struct kvm_cpuid_entry2){.function = function, .index = index};
	return e;
}

/*
 * The frequencies of the TSC and of the APIC timer in kHz, in the leaf that VMware defined and QEMU
 * offers on KVM as well: a guest that reads it need not calibrate.
 */
static void frequencies(struct vcpu *v)
{
	struct kvm_cpuid2 *c = v->m->cpuid;
	struct kvm_cpuid_entry2 *signature = find(c, LEAF_HYPERVISOR);
	int khz = kvm_vcpu_tsc_khz(v->fd);
	struct kvm_cpuid_entry2 *e;

	if (khz <= 0 || !signature || find(c, LEAF_FREQUENCIES))
		return;
	e = append(c, LEAF_FREQUENCIES, 0);
	if (!e)
		return;
	e->eax = (uint32_t)khz;
	e->ebx = KVM_APIC_BUS_KHZ;
	if (signature->eax < LEAF_FREQUENCIES)
		signature->eax = LEAF_FREQUENCIES;
}

int cpuid_apply(struct vcpu *v)
{
	struct kvm_cpuid2 *c = v->m->cpuid;
	bool topology_levels[2][2] = {{false}};
	struct kvm_cpuid_entry2 *added;

	for (unsigned i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == 1)
			leaf1(v, e);
		if (e->function == 4 && e->eax & 0x1f)
			leaf4(v, e);
		if (e->function == 0xb || e->function == 0x1f) {
			topology(v, e);
			if (e->index < 2)
				topology_levels[e->function == 0x1f][e->index] = true;
		}
	}
	/* KVM lists only the subleaf that ends the list; the two levels are ours to add. */
	for (unsigned f = 0; f < 2; f++) {
		uint32_t function = f ? 0x1f : 0xb;

		if (!topology_levels[f][0])
			continue; /* no such leaf on this host */
		if (topology_levels[f][1])
			continue;
		added = append(c, function, 1);
		if (added)
			topology(v, added);
	}
	frequencies(v);
	added = find(c, LEAF_KVM_FEATURES);
	if (added && v->m->cfg.irqchip == IRQCHIP_USER)
		added->eax &= ~KVM_FEATURES_OF_LAPIC;
	return kvm_vcpu_set_cpuid(v->fd, c);
}

unsigned cpuid_phys_bits(const struct machine *m)
{
	struct kvm_cpuid_entry2 *e = find(m->cpuid, 0x80000008);

	return e ? e->eax & 0xff : 36;
}

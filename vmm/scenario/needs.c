// SPDX-License-Identifier: MIT
/* What a scenario needs of its host. It is looked at, not concluded from a version. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario/runner.h"

#define missing(err, need, ...) error_set((err), EXIT_SKIP, "needs %.60s: " need, __VA_ARGS__)

static bool has_cpuid(const struct kvm_cpuid2 *c, const struct cpuid_bit *b)
{
	for (unsigned i = 0; i < c->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &c->entries[i];
		const uint32_t regs[4] = {e->eax, e->ebx, e->ecx, e->edx};

		if (e->function == b->leaf && e->index == b->subleaf)
			return regs[b->reg & 3] >> (b->bit & 31) & 1;
	}
	return false;
}

static int need_cpuid_bit(int kvm, const struct need *n, struct error *err)
{
	struct kvm_cpuid2 *c = kvm_supported_cpuid(kvm);
	bool has;

	if (!c)
		return error_set(err, EXIT_SETUP, "KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
	has = has_cpuid(c, &need_cpuid[n->a]);
	free(c);
	return has ? 0 : missing(err, "not in this KVM's CPUID", n->text);
}

/* Whose virtualisation runs guests here: it is KVM's code for the one or the other that a scenario is about. */
static int need_vendor(const struct need *n, struct error *err)
{
	const enum kvm_kind wanted = n->a ? KVM_KIND_SVM : KVM_KIND_VMX;
	char module[32];
	enum kvm_kind kind = kvm_kind(module);

	if (kind == wanted)
		return 0;
	return missing(err, "this KVM is %s (%s)", n->text, module[0] ? module : "built in",
		       kvm_kind_name(kind));
}

static int need_apicv(const struct need *n, struct error *err)
{
	if (kvm_has_apicv() != n->off)
		return 0;
	return n->off ? missing(err, "kvm_intel.enable_apicv or kvm_amd.avic is on", n->text)
		      : missing(err, "neither kvm_intel.enable_apicv nor kvm_amd.avic is on",
				n->text);
}

/* Reading tells less: the host can read some whose feature is missing (XSS), and with ignore_msrs all. */
static int need_msr(int kvm, const struct need *n, struct error *err)
{
	struct kvm_msr_list *list = kvm_msr_index_list(kvm);
	bool has = false;

	if (!list)
		return error_set(err, EXIT_SETUP, "KVM_GET_MSR_INDEX_LIST: %s", strerror(errno));
	for (unsigned i = 0; i < list->nmsrs; i++)
		has |= list->indices[i] == n->a;
	free(list);
	return has ? 0 : missing(err, "not among this KVM's MSRs", n->text);
}

/* In mode user the timer is ours, and has a TSC deadline only where writes of its MSR reach us. */
static int need_cap(int kvm, const struct need *n, enum irqchip_mode mode, struct error *err)
{
	struct error why;

	if (kvm_check(kvm, (int)n->a) <= 0)
		return missing(err, "this KVM does not have it", n->text);
	if (mode == IRQCHIP_USER && n->a == KVM_CAP_TSC_DEADLINE_TIMER &&
	    kvm_try_irqchip(kvm, KVM_TRIAL_DEADLINE, &why) < 0)
		return missing(err, "irqchip mode user does without: %s", n->text, why.text);
	return 0;
}

static int need_met(int kvm, const struct need *n, enum irqchip_mode mode, struct error *err)
{
	switch (n->kind) {
	case NEED_CAP:
		return need_cap(kvm, n, mode, err);
	case NEED_CPUID:
		return need_cpuid_bit(kvm, n, err);
	case NEED_VENDOR:
		return need_vendor(n, err);
	case NEED_APICV:
		return need_apicv(n, err);
	default:
		return need_msr(kvm, n, err);
	}
}

/* KVM_CAP_VM_TYPES has a bit a type. */
static int need_vm_type(int kvm, const struct vm_type *vm, struct error *err)
{
	if (kvm_check(kvm, KVM_CAP_VM_TYPES) >> vm->type & 1)
		return 0;
	return error_set(err, EXIT_SKIP, "vm %s: KVM has no VMs of type %s here (KVM_CAP_VM_TYPES)",
			 vm->name, vm->constant);
}

/* IDs that are there from the start; a step may try what is refused. */
static int ids_fit(int kvm, const struct scenario *s, struct error *err)
{
	uint32_t limit = (uint32_t)kvm_check(kvm, KVM_CAP_MAX_VCPU_ID);

	for (unsigned i = 0; limit && i < s->ncpus; i++)
		if (!s->late[i] && s->cpus[i] >= limit)
			return error_set(err, EXIT_SKIP,
					 "needs cpu %u: this KVM allows IDs below %u", s->cpus[i],
					 limit);
	return 0;
}

int needs_met(const struct scenario *s, enum irqchip_mode mode, struct error *err)
{
	int kvm = kvm_open(err);
	int r;

	if (kvm < 0)
		return -1;
	r = ids_fit(kvm, s, err);
	if (r == 0 && mode == IRQCHIP_SPLIT && !kvm_check(kvm, KVM_CAP_SPLIT_IRQCHIP))
		r = error_set(err, EXIT_SKIP,
			      "irqchip mode split: this KVM has no KVM_CAP_SPLIT_IRQCHIP");
	if (r == 0 && s->vm)
		r = need_vm_type(kvm, s->vm, err);
	for (unsigned i = 0; r == 0 && i < s->nneeds; i++)
		r = need_met(kvm, &s->needs[i], mode, err);
	close(kvm);
	return r;
}

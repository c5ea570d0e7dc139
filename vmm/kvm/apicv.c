// SPDX-License-Identifier: MIT
/* APICv and AVIC: whether KVM uses them here, and what makes it switch them off for a VM. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kvm/kvm.h"

static bool parameter_is_on(const char *path)
{
	char value = 'N';
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, &value, 1);

	if (fd >= 0)
		close(fd);
	return n == 1 && (value == 'Y' || value == '1');
}

bool kvm_has_apicv(void)
{
	return parameter_is_on("/sys/module/kvm_intel/parameters/enable_apicv") ||
	       parameter_is_on("/sys/module/kvm_amd/parameters/avic");
}

/* --- inhibits: each is raised in a VM of its own */

#define MSR_APIC_BASE 0x1b
/* HV_X64_MSR_SINT0: Hypervisor Top Level Functional Specification */
#define MSR_HV_SINT0  0x40000090
#define SINT_AUTO_EOI (1u << 17)

struct vm {
	int vm, cpu, other;
};

static int block_interrupts(const struct vm *v)
{
	return kvm_vcpu_set_guest_debug(v->cpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_BLOCKIRQ);
}

static int auto_eoi(const struct vm *v)
{
	int r = kvm_enable_cap(v->cpu, KVM_CAP_HYPERV_SYNIC, 0);

	return r < 0 ? r : kvm_vcpu_set_msr(v->cpu, MSR_HV_SINT0, SINT_AUTO_EOI | 0x40);
}

static int change_id(const struct vm *v)
{
	return kvm_vcpu_set_lapic_register(v->cpu, 0x20, 5u << 24);
}

static int move_base(const struct vm *v)
{
	return kvm_vcpu_set_msr(v->cpu, MSR_APIC_BASE, 0xfed00000 | 1 << 11);
}

static int same_id(const struct vm *v)
{
	return kvm_vcpu_set_lapic_register(v->other, 0x80, 0);
}

static int same_logical_id(const struct vm *v)
{
	int r = kvm_vcpu_set_lapic_register(v->cpu, 0xd0, 1u << 24);

	if (r == 0)
		r = kvm_vcpu_set_lapic_register(v->other, 0xd0, 1u << 24);
	if (r == 0)
		r = kvm_vcpu_set_lapic_register(v->cpu, 0xf0, 0x1ff);
	return r < 0 ? r : kvm_vcpu_set_lapic_register(v->other, 0xf0, 0x1ff);
}

static int create_pit(const struct vm *v)
{
	int r = kvm_vm_create_irqchip(v->vm);

	return r < 0 ? r : kvm_vm_create_pit(v->vm);
}

/*
 * Without its prefix, APICV_INHIBIT_REASON_ of arch/x86/include/asm/kvm_host.h; by what raises it and not by its number,
 * which changes from kernel to kernel.
 */
static const struct inhibit {
	const char *name;
	int (*raise)(const struct vm *v); /* NULL: KVM_CREATE_VM does */
	bool split;			  /* ahead of it: a split irqchip, and a vCPU with ID 0 */
	uint32_t other;			  /* ID of a second vCPU; 0: none */
} inhibits[] = {
	{"ABSENT", NULL, false, 0},
	{"BLOCKIRQ", block_interrupts, true, 0},
	{"HYPERV", auto_eoi, true, 0},
	{"APIC_ID_MODIFIED", change_id, true, 0},
	{"APIC_BASE_MODIFIED", move_base, true, 0},
	{"PHYSICAL_ID_ALIASED", same_id, true, 256}, /* 0, too, in 8 bits */
	{"LOGICAL_ID_ALIASED", same_logical_id, true, 1},
	{"PIT_REINJ", create_pit, false, 0},
};

static int create_split(const struct inhibit *in, struct vm *v)
{
	int r = kvm_enable_cap(v->vm, KVM_CAP_SPLIT_IRQCHIP, 24);

	if (r >= 0)
		r = v->cpu = kvm_vcpu_create(v->vm, 0);
	if (r >= 0 && in->other)
		r = v->other = kvm_vcpu_create(v->vm, in->other);
	return r;
}

/* What is refused raises nothing. */
static int raise_it(int kvm, const struct inhibit *in, struct vm *v, int trace, uint64_t *before)
{
	int r = kvm_trace_read(trace, before);

	if (r == 0)
		r = v->vm = kvm_vm_create(kvm);
	if (r >= 0 && in->split)
		r = create_split(in, v);
	if (r < 0 || !in->raise)
		return r;
	r = kvm_trace_read(trace, before);
	return r < 0 ? r : in->raise(v);
}

/* 1: it was raised; 0: it was not. */
static int try_inhibit(int kvm, const struct inhibit *in, int trace)
{
	struct vm v = {.vm = -1, .cpu = -1, .other = -1};
	uint64_t before = 0, after = 0;
	int refused = raise_it(kvm, in, &v, trace, &before);
	int r = refused < 0 && error_code_of(-refused) == EXIT_SETUP
			? refused
			: kvm_trace_read(trace, &after);

	if (v.other >= 0)
		close(v.other);
	if (v.cpu >= 0)
		close(v.cpu);
	if (v.vm >= 0)
		close(v.vm);
	return r < 0 ? r : after > before;
}

int kvm_try_inhibits(int kvm, char *names, size_t size, struct error *err)
{
	int trace, r = 0;

	*names = '\0';
	if (kvm_trace_open("kvm_apicv_inhibit_changed", "set == 1", &trace, err) < 0)
		return -1;
	for (size_t i = 0; r >= 0 && i < sizeof(inhibits) / sizeof(inhibits[0]); i++) {
		size_t used = strlen(names);

		r = try_inhibit(kvm, &inhibits[i], trace);
		if (r > 0)
			snprintf(names + used, size - used, "%s%s", used ? ", " : "",
				 inhibits[i].name);
	}
	close(trace);
	return r < 0 ? error_set(err, EXIT_SETUP, "APICv: %s", strerror(-r)) : 0;
}

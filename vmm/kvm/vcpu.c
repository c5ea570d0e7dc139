// SPDX-License-Identifier: MIT
#include "kvm/kvm.h"
#include "kvm/ioctl.h"

#include <sys/mman.h>

int kvm_vcpu_create(int vm, uint32_t id)
{
	return kvm_ioctl(vm, KVM_CREATE_VCPU, (void *)(uintptr_t)id);
}

struct kvm_run *kvm_vcpu_map(int vcpu, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	return p == MAP_FAILED ? NULL : p;
}

int kvm_vcpu_run(int vcpu)
{
	return kvm_ioctl(vcpu, KVM_RUN, NULL);
}

int kvm_vcpu_set_cpuid(int vcpu, const struct kvm_cpuid2 *cpuid)
{
	return kvm_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
}

int kvm_vcpu_get_regs(int vcpu, struct kvm_regs *regs)
{
	return kvm_ioctl(vcpu, KVM_GET_REGS, regs);
}

int kvm_vcpu_set_regs(int vcpu, const struct kvm_regs *regs)
{
	return kvm_ioctl(vcpu, KVM_SET_REGS, regs);
}

int kvm_vcpu_get_sregs(int vcpu, struct kvm_sregs *sregs)
{
	return kvm_ioctl(vcpu, KVM_GET_SREGS, sregs);
}

int kvm_vcpu_set_sregs(int vcpu, const struct kvm_sregs *sregs)
{
	return kvm_ioctl(vcpu, KVM_SET_SREGS, sregs);
}

int kvm_vcpu_set_fpu(int vcpu, const struct kvm_fpu *fpu)
{
	return kvm_ioctl(vcpu, KVM_SET_FPU, fpu);
}

int kvm_vcpu_set_xsave(int vcpu, const struct kvm_xsave *xsave)
{
	return kvm_ioctl(vcpu, KVM_SET_XSAVE, xsave);
}

int kvm_vcpu_set_xcrs(int vcpu, const struct kvm_xcrs *xcrs)
{
	return kvm_ioctl(vcpu, KVM_SET_XCRS, xcrs);
}

int kvm_vcpu_set_debugregs(int vcpu, const struct kvm_debugregs *regs)
{
	return kvm_ioctl(vcpu, KVM_SET_DEBUGREGS, regs);
}

int kvm_vcpu_set_events(int vcpu, const struct kvm_vcpu_events *events)
{
	return kvm_ioctl(vcpu, KVM_SET_VCPU_EVENTS, events);
}

int kvm_vcpu_get_lapic(int vcpu, struct kvm_lapic_state *lapic)
{
	return kvm_ioctl(vcpu, KVM_GET_LAPIC, lapic);
}

int kvm_vcpu_set_lapic(int vcpu, const struct kvm_lapic_state *lapic)
{
	return kvm_ioctl(vcpu, KVM_SET_LAPIC, lapic);
}

int kvm_vcpu_get_mp_state(int vcpu, uint32_t *state)
{
	struct kvm_mp_state mp = {.mp_state = 0};
	int r = kvm_ioctl(vcpu, KVM_GET_MP_STATE, &mp);

	if (r == 0)
		*state = mp.mp_state;
	return r;
}

int kvm_vcpu_set_mp_state(int vcpu, uint32_t state)
{
	struct kvm_mp_state mp = {.mp_state = state};

	return kvm_ioctl(vcpu, KVM_SET_MP_STATE, &mp);
}

/* struct kvm_msrs ends in a flexible array; this is one with room for one entry. */
union one_msr {
	struct kvm_msrs msrs;
	struct {
		uint64_t header;
		struct kvm_msr_entry entry;
	} one;
};

_Static_assert(sizeof(struct kvm_msrs) == sizeof(uint64_t), "the entries follow the header");

int kvm_vcpu_get_msr(int vcpu, uint32_t index, uint64_t *value)
{
	union one_msr m = {.one = {.header = 1, .entry = {.index = index}}};
	int r = kvm_ioctl(vcpu, KVM_GET_MSRS, &m);

	if (r < 0)
		return r;
	if (r != 1)
		return -ENOENT;
	*value = m.one.entry.data;
	return 0;
}

int kvm_vcpu_set_msr(int vcpu, uint32_t index, uint64_t value)
{
	union one_msr m = {.one = {.header = 1, .entry = {.index = index, .data = value}}};
	int r = kvm_ioctl(vcpu, KVM_SET_MSRS, &m);

	if (r < 0)
		return r;
	return r == 1 ? 0 : -ENOENT;
}

int kvm_vcpu_interrupt(int vcpu, uint8_t vector)
{
	struct kvm_interrupt i = {.irq = vector};

	return kvm_ioctl(vcpu, KVM_INTERRUPT, &i);
}

int kvm_vcpu_nmi(int vcpu)
{
	return kvm_ioctl(vcpu, KVM_NMI, NULL);
}

int kvm_vcpu_tsc_khz(int vcpu)
{
	return kvm_ioctl(vcpu, KVM_GET_TSC_KHZ, NULL);
}

int kvm_vcpu_translate(int vcpu, uint64_t linear, uint64_t *gpa)
{
	struct kvm_translation t = {.linear_address = linear};
	int r = kvm_ioctl(vcpu, KVM_TRANSLATE, &t);

	if (r < 0)
		return r;
	if (!t.valid)
		return -EFAULT;
	*gpa = t.physical_address;
	return 0;
}

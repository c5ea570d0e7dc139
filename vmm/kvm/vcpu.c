// SPDX-License-Identifier: MIT
#include "kvm/kvm.h"
#include "kvm/ioctl.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
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

/* vcpu_enter_guest() looks at signals after it has made the vCPU ready to enter, and then puts all of it back. */
int kvm_vcpu_take_up(int vcpu, int signal)
{
	/* struct kvm_signal_mask: while in KVM_RUN, nothing is blocked. */
	const struct {
		uint32_t len;
		uint8_t set[8];
	} mask = {.len = sizeof(mask.set)};
	const struct timespec now = {0};
	sigset_t set, old;
	int r;

	sigemptyset(&set);
	sigaddset(&set, signal);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	pthread_kill(pthread_self(), signal);
	r = kvm_ioctl(vcpu, KVM_SET_SIGNAL_MASK, &mask);
	if (r == 0) {
		r = kvm_vcpu_run(vcpu);
		kvm_ioctl(vcpu, KVM_SET_SIGNAL_MASK, NULL);
	}
	sigtimedwait(&set, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

int kvm_vcpu_set_cpuid(int vcpu, const struct kvm_cpuid2 *cpuid)
{
	return kvm_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
}

int kvm_vcpu_get_cpuid(int vcpu, struct kvm_cpuid2 *cpuid)
{
	return kvm_ioctl(vcpu, KVM_GET_CPUID2, cpuid);
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

int kvm_vcpu_get_fpu(int vcpu, struct kvm_fpu *fpu)
{
	return kvm_ioctl(vcpu, KVM_GET_FPU, fpu);
}

int kvm_vcpu_set_fpu(int vcpu, const struct kvm_fpu *fpu)
{
	return kvm_ioctl(vcpu, KVM_SET_FPU, fpu);
}

int kvm_vcpu_get_xsave(int vcpu, struct kvm_xsave *xsave)
{
	return kvm_ioctl(vcpu, KVM_GET_XSAVE, xsave);
}

int kvm_vcpu_set_xsave(int vcpu, const struct kvm_xsave *xsave)
{
	return kvm_ioctl(vcpu, KVM_SET_XSAVE, xsave);
}

int kvm_vcpu_get_xcrs(int vcpu, struct kvm_xcrs *xcrs)
{
	return kvm_ioctl(vcpu, KVM_GET_XCRS, xcrs);
}

int kvm_vcpu_set_xcrs(int vcpu, const struct kvm_xcrs *xcrs)
{
	return kvm_ioctl(vcpu, KVM_SET_XCRS, xcrs);
}

int kvm_vcpu_get_debugregs(int vcpu, struct kvm_debugregs *regs)
{
	return kvm_ioctl(vcpu, KVM_GET_DEBUGREGS, regs);
}

int kvm_vcpu_set_debugregs(int vcpu, const struct kvm_debugregs *regs)
{
	return kvm_ioctl(vcpu, KVM_SET_DEBUGREGS, regs);
}

int kvm_vcpu_get_events(int vcpu, struct kvm_vcpu_events *events)
{
	return kvm_ioctl(vcpu, KVM_GET_VCPU_EVENTS, events);
}

int kvm_vcpu_set_events(int vcpu, const struct kvm_vcpu_events *events)
{
	return kvm_ioctl(vcpu, KVM_SET_VCPU_EVENTS, events);
}

int kvm_vcpu_get_nested(int vcpu, struct kvm_nested_state *state)
{
	return kvm_ioctl(vcpu, KVM_GET_NESTED_STATE, state);
}

int kvm_vcpu_set_nested(int vcpu, const struct kvm_nested_state *state)
{
	return kvm_ioctl(vcpu, KVM_SET_NESTED_STATE, state);
}

int kvm_vcpu_get_lapic(int vcpu, struct kvm_lapic_state *lapic)
{
	return kvm_ioctl(vcpu, KVM_GET_LAPIC, lapic);
}

int kvm_vcpu_set_lapic(int vcpu, const struct kvm_lapic_state *lapic)
{
	return kvm_ioctl(vcpu, KVM_SET_LAPIC, lapic);
}

int kvm_vcpu_set_lapic_register(int vcpu, unsigned offset, uint32_t value)
{
	struct kvm_lapic_state lapic;
	int r = kvm_vcpu_get_lapic(vcpu, &lapic);

	if (r < 0)
		return r;
	memcpy(lapic.regs + offset, &value, sizeof(value));
	return kvm_vcpu_set_lapic(vcpu, &lapic);
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

/* KVM takes less than this many at a time (MAX_IO_MSRS). */
#define MSRS_MAX 256

/* struct kvm_msrs ends in a flexible array; this is one with room. */
struct msrs {
	uint64_t header;
	struct kvm_msr_entry entries[MSRS_MAX - 1];
};

_Static_assert(sizeof(struct kvm_msrs) == sizeof(uint64_t), "the entries follow the header");

static int some_msrs(int vcpu, unsigned long request, struct kvm_msr_entry *entries, unsigned n)
{
	struct msrs m;
	int r;

	m.header = n;
	memcpy(m.entries, entries, n * sizeof(entries[0]));
	r = kvm_ioctl(vcpu, request, &m);
	if (r > 0 && request == KVM_GET_MSRS)
		memcpy(entries, m.entries, (unsigned)r * sizeof(entries[0]));
	return r;
}

static int all_msrs(int vcpu, unsigned long request, struct kvm_msr_entry *entries, unsigned n)
{
	unsigned done = 0;

	while (done < n) {
		unsigned some = n - done < MSRS_MAX ? n - done : MSRS_MAX - 1;
		int r = some_msrs(vcpu, request, entries + done, some);

		if (r < 0)
			return r;
		done += (unsigned)r;
		if ((unsigned)r < some)
			break;
	}
	return (int)done;
}

int kvm_vcpu_get_msrs(int vcpu, struct kvm_msr_entry *entries, unsigned n)
{
	return all_msrs(vcpu, KVM_GET_MSRS, entries, n);
}

int kvm_vcpu_set_msrs(int vcpu, const struct kvm_msr_entry *entries, unsigned n)
{
	return all_msrs(vcpu, KVM_SET_MSRS, (struct kvm_msr_entry *)(uintptr_t)entries, n);
}

int kvm_vcpu_get_msr(int vcpu, uint32_t index, uint64_t *value)
{
	struct kvm_msr_entry e = {.index = index};
	int r = kvm_vcpu_get_msrs(vcpu, &e, 1);

	if (r < 0)
		return r;
	if (r != 1)
		return -ENOENT;
	*value = e.data;
	return 0;
}

int kvm_vcpu_set_msr(int vcpu, uint32_t index, uint64_t value)
{
	const struct kvm_msr_entry e = {.index = index, .data = value};
	int r = kvm_vcpu_set_msrs(vcpu, &e, 1);

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

int kvm_vcpu_set_guest_debug(int vcpu, uint32_t control)
{
	const struct kvm_guest_debug debug = {.control = control};

	return kvm_ioctl(vcpu, KVM_SET_GUEST_DEBUG, &debug);
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

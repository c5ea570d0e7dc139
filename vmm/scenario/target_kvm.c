// SPDX-License-Identifier: MIT
/* The local APICs are KVM's: irqchip modes kernel, split and none, and nothing between the scenario and the ioctls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/puppet.h"
#include "scenario/puppet.h"
#include "scenario/runner.h"

#define IOAPIC_PINS 24

/* Two that are an ioctl of their own. */
static int enable_cap(struct target *t, uint32_t cap, uint64_t arg)
{
	if (cap == KVM_CAP_PIT2)
		return kvm_vm_create_pit(t->vm);
	if (cap == KVM_CAP_REINJECT_CONTROL)
		return kvm_vm_reinject(t->vm, arg);
	return kvm_enable_cap(t->vm, cap, arg);
}

static int create_cpu(struct target *t, unsigned cpu)
{
	int fd = kvm_vcpu_create(t->vm, t->s->cpus[cpu]);

	return fd < 0 ? fd : target_adopt(t, cpu, fd);
}

static int get_lapic(struct target *t, unsigned cpu, struct kvm_lapic_state *s)
{
	return kvm_vcpu_get_lapic(target_fd(t, cpu), s);
}

static int set_lapic(struct target *t, unsigned cpu, const struct kvm_lapic_state *s)
{
	return kvm_vcpu_set_lapic(target_fd(t, cpu), s);
}

static int get_msr(struct target *t, unsigned cpu, uint32_t index, uint64_t *value)
{
	return kvm_vcpu_get_msr(target_fd(t, cpu), index, value);
}

static int set_msr(struct target *t, unsigned cpu, uint32_t index, uint64_t value)
{
	return kvm_vcpu_set_msr(target_fd(t, cpu), index, value);
}

static int get_sregs(struct target *t, unsigned cpu, struct kvm_sregs *s)
{
	return kvm_vcpu_get_sregs(target_fd(t, cpu), s);
}

static int set_sregs(struct target *t, unsigned cpu, const struct kvm_sregs *s)
{
	return kvm_vcpu_set_sregs(target_fd(t, cpu), s);
}

static int get_mp_state(struct target *t, unsigned cpu, uint32_t *state)
{
	return kvm_vcpu_get_mp_state(target_fd(t, cpu), state);
}

static int set_mp_state(struct target *t, unsigned cpu, uint32_t state)
{
	return kvm_vcpu_set_mp_state(target_fd(t, cpu), state);
}

/* Where no APIC is meant, kvm_irq_delivery_to_apic() gives the -1 it began with, which an ioctl makes EPERM of. */
static int signal_msi(struct target *t, const struct kvm_msi *msi)
{
	int r = kvm_vm_signal_msi(t->vm, msi);

	return r == -EPERM ? 0 : r;
}

static int irq_line(struct target *t, uint32_t gsi, unsigned level)
{
	return kvm_vm_irq_line_status(t->vm, gsi, level);
}

static int nmi(struct target *t, unsigned cpu)
{
	return kvm_vcpu_nmi(target_fd(t, cpu));
}

static int interrupt(struct target *t, unsigned cpu, uint8_t vector)
{
	return kvm_vcpu_interrupt(target_fd(t, cpu), vector);
}

static void destroy(struct target *t)
{
	for (unsigned i = 0; i < t->s->ncpus; i++) {
		if (t->runs[i])
			munmap(t->runs[i], t->run_size);
		if (t->cpus[i] >= 0)
			close(t->cpus[i]);
	}
	if (t->vm >= 0)
		close(t->vm);
	if (t->mem)
		munmap(t->mem, PUPPET_MEMORY);
	if (t->kvm >= 0)
		close(t->kvm);
	free(t->cpuid);
	free(t);
}

static const struct target_ops ops = {
	.enable_cap = enable_cap,
	.create_cpu = create_cpu,
	.get_lapic = get_lapic,
	.set_lapic = set_lapic,
	.get_msr = get_msr,
	.set_msr = set_msr,
	.get_sregs = get_sregs,
	.set_sregs = set_sregs,
	.get_mp_state = get_mp_state,
	.set_mp_state = set_mp_state,
	.signal_msi = signal_msi,
	.irq_line = irq_line,
	.nmi = nmi,
	.interrupt = interrupt,
	.run = target_run,
	.destroy = destroy,
};

static int create_irqchip(const struct target *t, struct error *err)
{
	int r;

	if (t->mode == IRQCHIP_NONE)
		return 0; /* ioctls that need local APICs say so */
	if (t->mode == IRQCHIP_SPLIT) {
		r = kvm_enable_cap(t->vm, KVM_CAP_SPLIT_IRQCHIP, IOAPIC_PINS);
		return r < 0 ? error_set(err, EXIT_SKIP,
					 "irqchip mode split: KVM_CAP_SPLIT_IRQCHIP: %s",
					 strerror(-r))
			     : 0;
	}
	r = kvm_vm_create_irqchip(t->vm);
	return r < 0 ? error_set(err, EXIT_SKIP, "irqchip mode kernel: KVM_CREATE_IRQCHIP: %s",
				 strerror(-r))
		     : 0;
}

/* All the memory that there is. */
static int create_memory(struct target *t, struct error *err)
{
	int r;

	t->mem = mmap(NULL, PUPPET_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (t->mem == MAP_FAILED) {
		t->mem = NULL;
		return error_set(err, EXIT_SETUP, "out of memory");
	}
	puppet_load(t->mem, puppet_image, (size_t)(puppet_image_end - puppet_image));
	r = kvm_vm_set_memory(t->vm, 0, 0, 0, PUPPET_MEMORY, t->mem);
	return r < 0 ? error_set(err, EXIT_SETUP, "KVM_SET_USER_MEMORY_REGION: %s", strerror(-r))
		     : 0;
}

static int create_vm(struct target *t, struct error *err)
{
	int r;

	t->kvm = kvm_open(err);
	if (t->kvm < 0)
		return -1;
	t->run_size = kvm_run_size(t->kvm);
	t->vm = kvm_vm_create_type(t->kvm, t->s->vm ? t->s->vm->type : 0);
	if (t->vm < 0)
		return error_set(err, error_code_of(-t->vm), "KVM_CREATE_VM: %s", strerror(-t->vm));
	if (create_irqchip(t, err) < 0 || (t->s->guest && create_memory(t, err) < 0))
		return -1;
	if (t->s->vm && t->s->vm->type == KVM_X86_TDX_VM) {
		r = kvm_vm_init_tdx(t->vm);
		if (r < 0)
			return error_set(err, EXIT_SETUP, "KVM_TDX_INIT_VM: %s", strerror(-r));
	}
	/* The first one is the boot CPU; KVM takes CPU 0 for it on its own. */
	r = t->s->cpus[0] ? kvm_vm_set_boot_cpu(t->vm, t->s->cpus[0]) : 0;
	if (r < 0)
		return error_set(err, EXIT_SETUP, "KVM_SET_BOOT_CPU_ID %u: %s", t->s->cpus[0],
				 strerror(-r));
	t->cpuid = kvm_supported_cpuid(t->kvm);
	if (!t->cpuid)
		return error_set(err, EXIT_SETUP, "KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
	return 0;
}

struct target *target_kvm_open(const struct scenario *s, enum irqchip_mode mode, struct error *err)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t) {
		error_fill(err, EXIT_SETUP, "out of memory");
		return NULL;
	}
	*t = (struct target){.ops = &ops, .s = s, .mode = mode, .kvm = -1, .vm = -1};
	memset(t->cpus, -1, sizeof(t->cpus));
	if (create_vm(t, err) < 0) {
		destroy(t);
		return NULL;
	}
	return t;
}

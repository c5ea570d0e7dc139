// SPDX-License-Identifier: MIT
#include <errno.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm/kvm.h"

const char *kvm_kind_name(enum kvm_kind kind)
{
	static const char *const names[] = {
		[KVM_KIND_VMX] = "VMX",
		[KVM_KIND_SVM] = "SVM",
		[KVM_KIND_OTHER] = "neither VMX nor SVM",
	};

	return names[kind];
}

enum kvm_kind kvm_kind(char module[32])
{
	struct dirent *e;
	DIR *d;

	module[0] = '\0';
	if (access("/sys/module/kvm_intel", F_OK) == 0) {
		strcpy(module, "kvm_intel");
		return KVM_KIND_VMX;
	}
	if (access("/sys/module/kvm_amd", F_OK) == 0) {
		strcpy(module, "kvm_amd");
		return KVM_KIND_SVM;
	}
	d = opendir("/sys/module");
	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, "kvm_", 4) == 0)
			snprintf(module, 32, "%.31s", e->d_name);
	if (d)
		closedir(d);
	return KVM_KIND_OTHER;
}

#define VECTOR	  0x20
#define GSI	  4
#define CODE	  0x1000
#define HANDLER	  0x1100
#define PORT	  0x10
#define MEM_SIZE  0x2000
#define EXITS_MAX 8

/* Real mode: wait a bounded time with interrupts on, then report 0. */
static const uint8_t code[] = {
	0xfb,				    /* sti */
	0x66, 0xb9, 0x00, 0x00, 0x08, 0x00, /* mov $0x80000, %ecx */
	0x67, 0xe2, 0xfd,		    /* 1: addr32 loop 1b */
	0xb0, 0x00,			    /* mov $0, %al */
	0xe6, PORT,			    /* out %al, $PORT */
};

/*
 * The handler: EOI through the x2APIC (MSR 0x80b), report 1, then 2: a KVM that emulates several
 * instructions in one go delivers the EOI's exit only after the first report.
 */
#define MSR_X2APIC_EOI	 0x80b
#define MSR_TSC_DEADLINE 0x6e0
#define HANDLER_MSR	 2 /* where the handler's operand is */
static const uint8_t handler[] = {
	0x66, 0xb9, 0x0b, 0x08, 0x00, 0x00, /* mov $0x80b, %ecx */
	0x66, 0x31, 0xc0,		    /* xor %eax, %eax */
	0x66, 0x31, 0xd2,		    /* xor %edx, %edx */
	0x0f, 0x30,			    /* wrmsr */
	0xb0, 0x01,			    /* mov $1, %al */
	0xe6, PORT,			    /* out %al, $PORT */
	0xb0, 0x02,			    /* mov $2, %al */
	0xe6, PORT,			    /* out %al, $PORT */
};

struct trial {
	enum kvm_trial mode;
	int kvm, vm, vcpu;
	struct kvm_run *run;
	size_t run_size;
	uint8_t *mem;
};

static bool no_irqchip(const struct trial *t)
{
	return t->mode == KVM_TRIAL_USER || t->mode == KVM_TRIAL_DEADLINE;
}

/* The MSR that the handler writes. */
static uint32_t awaited_msr(const struct trial *t)
{
	return t->mode == KVM_TRIAL_DEADLINE ? MSR_TSC_DEADLINE : MSR_X2APIC_EOI;
}

#define fail(err, step, r) error_set((err), EXIT_SKIP, "%s: %s", (step), strerror(-(r)))

static int trial_vm(struct trial *t, struct error *err)
{
	const uint16_t ivt[2] = {HANDLER, 0};
	uint32_t msr;
	int r;

	t->vm = kvm_vm_create(t->kvm);
	if (t->vm < 0)
		return fail(err, "KVM_CREATE_VM", t->vm);
	t->mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->mem == MAP_FAILED)
		return fail(err, "mmap", -errno);
	memcpy(t->mem + VECTOR * sizeof(ivt), ivt, sizeof(ivt));
	memcpy(t->mem + CODE, code, sizeof(code));
	memcpy(t->mem + HANDLER, handler, sizeof(handler));
	msr = awaited_msr(t);
	memcpy(t->mem + HANDLER + HANDLER_MSR, &msr, sizeof(msr));
	r = kvm_vm_set_memory(t->vm, 0, 0, 0, MEM_SIZE, t->mem);
	if (r < 0)
		return fail(err, "KVM_SET_USER_MEMORY_REGION", r);
	switch (t->mode) {
	case KVM_TRIAL_SPLIT:
		r = kvm_enable_cap(t->vm, KVM_CAP_SPLIT_IRQCHIP, 24);
		return r < 0 ? fail(err, "KVM_CAP_SPLIT_IRQCHIP", r) : 0;
	case KVM_TRIAL_KERNEL:
		r = kvm_vm_create_irqchip(t->vm);
		if (r == 0)
			r = kvm_vm_create_pit(t->vm);
		return r < 0 ? fail(err, "KVM_CREATE_IRQCHIP, KVM_CREATE_PIT2", r) : 0;
	default:
		msr = MSR_TSC_DEADLINE;
		r = kvm_vm_msr_exits(t->vm, &msr, t->mode == KVM_TRIAL_DEADLINE);
		return r < 0 ? fail(err, "KVM_CAP_X86_USER_SPACE_MSR", r) : 0;
	}
}

/* One vCPU at CODE in real mode, its APIC in x2APIC mode and software-enabled. */
static int trial_vcpu(struct trial *t, struct error *err)
{
	struct kvm_regs regs = {.rip = CODE, .rflags = 2, .rsp = CODE};
	struct kvm_cpuid2 *cpuid = kvm_supported_cpuid(t->kvm);
	struct kvm_sregs sregs;
	int r;

	t->vcpu = kvm_vcpu_create(t->vm, 0);
	if (t->vcpu < 0 || !cpuid) {
		free(cpuid);
		return fail(err, "KVM_CREATE_VCPU", t->vcpu);
	}
	for (unsigned i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= 1u << 21; /* x2APIC */
	r = kvm_vcpu_set_cpuid(t->vcpu, cpuid);
	free(cpuid);
	t->run_size = kvm_run_size(t->kvm);
	t->run = r < 0 ? NULL : kvm_vcpu_map(t->vcpu, t->run_size);
	if (!t->run || kvm_vcpu_get_sregs(t->vcpu, &sregs) < 0)
		return fail(err, "vCPU set-up", -EINVAL);
	sregs.cs.base = sregs.cs.selector = 0;
	sregs.apic_base |= 0xc00; /* EN, EXTD */
	if (kvm_vcpu_set_sregs(t->vcpu, &sregs) < 0 || kvm_vcpu_set_regs(t->vcpu, &regs) < 0)
		return fail(err, "vCPU set-up", -EINVAL);
	if (no_irqchip(t))
		return 0;
	r = kvm_vcpu_set_lapic_register(t->vcpu, 0xf0, 0x1ff);
	return r < 0 ? fail(err, "KVM_GET_LAPIC, KVM_SET_LAPIC", r) : 0;
}

/* split: a level-triggered message, with a route by which KVM knows that its EOI is ours. */
static int trial_send(struct trial *t, struct error *err)
{
	bool split = t->mode == KVM_TRIAL_SPLIT;
	struct kvm_msi msi = {
		.address_lo = 0xfee00000,
		.data = VECTOR | 1 << 14 | (split ? 1 << 15 : 0),
	};
	union {
		struct kvm_irq_routing head;
		uint8_t room[sizeof(struct kvm_irq_routing) + sizeof(struct kvm_irq_routing_entry)];
	} table = {.head = {.nr = 1}};
	struct kvm_irq_routing_entry *e = table.head.entries;
	int r = 0;

	if (no_irqchip(t))
		return 0;
	e->gsi = GSI;
	e->type = KVM_IRQ_ROUTING_MSI;
	e->u.msi.address_lo = msi.address_lo;
	e->u.msi.data = msi.data;
	if (split)
		r = kvm_vm_set_routes(t->vm, &table.head);
	if (r < 0)
		return fail(err, "KVM_SET_GSI_ROUTING", r);
	r = kvm_vm_signal_msi(t->vm, &msi);
	if (r < 0)
		return fail(err, "KVM_SIGNAL_MSI", r);
	return r ? 0 : error_set(err, EXIT_SKIP, "KVM_SIGNAL_MSI: no APIC accepted the interrupt");
}

/* What one exit tells; 1: go on, 0: the guest has ended well, -1 with *err. */
static int trial_exit(struct trial *t, bool *eoi, struct error *err)
{
	uint8_t report;
	int r = 0;

	switch (t->run->exit_reason) {
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		t->run->request_interrupt_window = 0;
		r = kvm_vcpu_interrupt(t->vcpu, VECTOR);
		return r < 0 ? fail(err, "KVM_INTERRUPT", r) : 1;
	case KVM_EXIT_X86_WRMSR:
		t->run->msr.error = 0;
		*eoi = t->run->msr.index == awaited_msr(t);
		return 1;
	case KVM_EXIT_IOAPIC_EOI:
		*eoi = true;
		return 1;
	case KVM_EXIT_IO:
		report = *((uint8_t *)t->run + t->run->io.data_offset);
		if (report == 0)
			return error_set(err, EXIT_SKIP, "the guest saw no interrupt");
		return report == 1;
	default:
		return error_set(err, EXIT_SKIP, "KVM_RUN: exit reason %u", t->run->exit_reason);
	}
}

static int trial_run(struct trial *t, struct error *err)
{
	bool want = t->mode != KVM_TRIAL_KERNEL, eoi = false;
	int r = 1;

	t->run->request_interrupt_window = no_irqchip(t);
	for (unsigned i = 0; i < EXITS_MAX && r == 1; i++) {
		r = kvm_vcpu_run(t->vcpu);
		if (r == -EINTR || r == -EAGAIN)
			r = 1;
		else if (r < 0)
			return fail(err, "KVM_RUN", r);
		else
			r = trial_exit(t, &eoi, err);
	}
	if (r < 0 || eoi == want)
		return r < 0 ? -1 : 0;
	return error_set(err, EXIT_SKIP, "the guest's %s %s",
			 t->mode == KVM_TRIAL_DEADLINE ? "write of IA32_TSC_DEADLINE" : "EOI",
			 want ? "did not exit to userspace" : "exited to userspace");
}

int kvm_try_irqchip(int kvm, enum kvm_trial mode, struct error *err)
{
	struct trial t = {.mode = mode, .kvm = kvm, .vm = -1, .vcpu = -1, .mem = MAP_FAILED};
	int r = -1;

	if (trial_vm(&t, err) == 0 && trial_vcpu(&t, err) == 0 && trial_send(&t, err) == 0)
		r = trial_run(&t, err);
	if (t.run)
		munmap(t.run, t.run_size);
	if (t.vcpu >= 0)
		close(t.vcpu);
	if (t.vm >= 0)
		close(t.vm);
	if (t.mem != MAP_FAILED)
		munmap(t.mem, MEM_SIZE);
	return r;
}

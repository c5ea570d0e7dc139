// SPDX-License-Identifier: MIT
#include "kvm/kvm.h"
#include "kvm/ioctl.h"

int kvm_vm_create(int kvm)
{
	int r;

	/* A pending signal makes KVM give up half-way. */
	do {
		r = kvm_ioctl(kvm, KVM_CREATE_VM, NULL);
	} while (r == -EINTR);
	return r;
}

int kvm_vm_enable_cap(int vm, uint32_t cap, uint64_t arg0)
{
	struct kvm_enable_cap c = {.cap = cap, .args = {arg0}};

	return kvm_ioctl(vm, KVM_ENABLE_CAP, &c);
}

int kvm_vm_set_memory(int vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
		      void *host)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uint64_t)(uintptr_t)host,
	};

	return kvm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &r);
}

int kvm_vm_set_boot_cpu(int vm, uint32_t id)
{
	return kvm_ioctl(vm, KVM_SET_BOOT_CPU_ID, (void *)(uintptr_t)id);
}

int kvm_vm_create_irqchip(int vm)
{
	return kvm_ioctl(vm, KVM_CREATE_IRQCHIP, NULL);
}

int kvm_vm_create_pit(int vm)
{
	/* The dummy speaker makes KVM answer port 0x61, which shows channel 2's OUT. */
	struct kvm_pit_config c = {.flags = KVM_PIT_SPEAKER_DUMMY};

	return kvm_ioctl(vm, KVM_CREATE_PIT2, &c);
}

int kvm_vm_set_routes(int vm, const struct kvm_irq_routing *routes)
{
	return kvm_ioctl(vm, KVM_SET_GSI_ROUTING, routes);
}

int kvm_vm_irq_line(int vm, uint32_t gsi, bool level)
{
	struct kvm_irq_level l = {.irq = gsi, .level = level};

	return kvm_ioctl(vm, KVM_IRQ_LINE, &l);
}

int kvm_vm_msr_exits(int vm, const uint32_t *msrs, unsigned count)
{
	uint8_t none = 0; /* a bit an MSR; 0 denies */
	struct kvm_msr_filter f = {.flags = KVM_MSR_FILTER_DEFAULT_ALLOW};
	int r = kvm_vm_enable_cap(vm, KVM_CAP_X86_USER_SPACE_MSR,
				  KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_FILTER);

	if (r < 0)
		return r;
	if (count > KVM_MSR_FILTER_MAX_RANGES)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		f.ranges[i] = (struct kvm_msr_filter_range){
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.base = msrs[i],
			.nmsrs = 1,
			.bitmap = &none,
		};
	return kvm_ioctl(vm, KVM_X86_SET_MSR_FILTER, &f);
}

int kvm_vm_signal_msi(int vm, const struct kvm_msi *msi)
{
	return kvm_ioctl(vm, KVM_SIGNAL_MSI, msi);
}

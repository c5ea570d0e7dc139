// SPDX-License-Identifier: MIT
#include "kvm/kvm.h"
#include "kvm/ioctl.h"

#include <unistd.h>

/* One page and three (api.rst, KVM_SET_IDENTITY_MAP_ADDR and KVM_SET_TSS_ADDR). */
#define IDENTITY_MAP_ADDR 0xfeffc000ull
#define TSS_ADDR	  0xfeffd000ull

int kvm_vm_create(int kvm)
{
	return kvm_vm_create_type(kvm, 0);
}

int kvm_vm_create_type(int kvm, unsigned type)
{
	const uint64_t identity_map = IDENTITY_MAP_ADDR;
	int vm, r;

	/* A pending signal makes KVM give up half-way. */
	do {
		vm = kvm_ioctl(kvm, KVM_CREATE_VM, (void *)(uintptr_t)type);
	} while (vm == -EINTR);
	if (vm < 0)
		return vm;
	r = kvm_ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
	if (r == 0)
		r = kvm_ioctl(vm, KVM_SET_TSS_ADDR, (void *)TSS_ADDR);
	if (r < 0) {
		close(vm);
		return r;
	}
	return vm;
}

/*
 * No attributes, no more state than x87 and SSE, and of CPUID what must be there: 48 bits of guest-physical addresses
 * (setup_tdparams_eptp_controls(), tdx.c).
 */
int kvm_vm_init_tdx(int vm)
{
	static struct {
		struct kvm_tdx_init_vm vm;
		struct kvm_cpuid_entry2 entry;
	} init = {.vm.cpuid.nent = 1, .entry = {.function = 0x80000008, .eax = 48 << 16}};
	_Static_assert(sizeof(init.vm) == 256 + sizeof(init.vm.cpuid), "not as KVM has it");
	struct kvm_tdx_cmd c = {.id = KVM_TDX_INIT_VM, .data = (uint64_t)(uintptr_t)&init};

	return kvm_ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &c);
}

int kvm_enable_cap(int fd, uint32_t cap, uint64_t arg0)
{
	struct kvm_enable_cap c = {.cap = cap, .args = {arg0}};

	return kvm_ioctl(fd, KVM_ENABLE_CAP, &c);
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

int kvm_vm_reinject(int vm, bool on)
{
	struct kvm_reinject_control c = {.pit_reinject = on};

	return kvm_ioctl(vm, KVM_REINJECT_CONTROL, &c);
}

int kvm_vm_get_irqchip(int vm, struct kvm_irqchip *chip)
{
	return kvm_ioctl(vm, KVM_GET_IRQCHIP, chip);
}

int kvm_vm_set_irqchip(int vm, const struct kvm_irqchip *chip)
{
	return kvm_ioctl(vm, KVM_SET_IRQCHIP, chip);
}

int kvm_vm_get_pit(int vm, struct kvm_pit_state2 *pit)
{
	return kvm_ioctl(vm, KVM_GET_PIT2, pit);
}

int kvm_vm_set_pit(int vm, const struct kvm_pit_state2 *pit)
{
	return kvm_ioctl(vm, KVM_SET_PIT2, pit);
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

int kvm_vm_irq_line_status(int vm, uint32_t gsi, bool level)
{
	struct kvm_irq_level l = {.irq = gsi, .level = level};
	int r = kvm_ioctl(vm, KVM_IRQ_LINE_STATUS, &l);

	return r < 0 ? r : l.status > 0 ? l.status : 0;
}

int kvm_vm_irqfd(int vm, int eventfd, int resamplefd, uint32_t gsi)
{
	struct kvm_irqfd irqfd = {.fd = (uint32_t)eventfd, .gsi = gsi};

	if (resamplefd >= 0) {
		irqfd.flags = KVM_IRQFD_FLAG_RESAMPLE;
		irqfd.resamplefd = (uint32_t)resamplefd;
	}
	return kvm_ioctl(vm, KVM_IRQFD, &irqfd);
}

int kvm_vm_msr_exits(int vm, const uint32_t *msrs, unsigned count)
{
	uint64_t none = 0; /* a bit an MSR, read in longs; 0 denies */
	struct kvm_msr_filter f = {.flags = KVM_MSR_FILTER_DEFAULT_ALLOW};
	int r = kvm_enable_cap(vm, KVM_CAP_X86_USER_SPACE_MSR,
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
			.bitmap = (uint8_t *)&none,
		};
	return kvm_ioctl(vm, KVM_X86_SET_MSR_FILTER, &f);
}

int kvm_vm_signal_msi(int vm, const struct kvm_msi *msi)
{
	return kvm_ioctl(vm, KVM_SIGNAL_MSI, msi);
}

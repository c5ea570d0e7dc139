// SPDX-License-Identifier: MIT
/*
 * The least that runs a guest on KVM, to measure sipi against: one memory slot, one vCPU, the split
 * irqchip, and a loop around KVM_RUN that looks at nothing but the exit's address.
 *
 * usage: floor IMAGE [user]: a flat binary, entered in real mode at 0x7c00; ends at a write to port 0xf4;
 *        `user` leaves out the irqchip, so that accesses to the local APIC exit
 *        floor vms N: N VMs with two vCPUs, made and destroyed one after the other; what a scenario cannot do without
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* As `sipi run` has it without options. */
#define RAM_SIZE  (64ul << 20)
#define PINS	  24
#define ENTRY	  0x7c00
#define EXIT_PORT 0xf4

/* KVM's limit for a CPUID table. */
#define CPUID_ENTRIES 256

static int must(int r, const char *what)
{
	if (r < 0)
		err(2, "%s", what);
	return r;
}

static int create_vm(int kvm, const char *image, bool irqchip)
{
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {PINS}};
	struct kvm_userspace_memory_region slot = {.memory_size = RAM_SIZE};
	int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	int fd = must(open(image, O_RDONLY | O_CLOEXEC), image);
	uint8_t *ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (ram == MAP_FAILED)
		err(2, "mmap");
	must((int)read(fd, ram + ENTRY, 4096), image);
	close(fd);
	slot.userspace_addr = (uintptr_t)ram;
	must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "KVM_SET_USER_MEMORY_REGION");
	if (irqchip)
		must(ioctl(vm, KVM_ENABLE_CAP, &split), "KVM_CAP_SPLIT_IRQCHIP");
	return vm;
}

static void set_cpuid(int kvm, int vcpu)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + CPUID_ENTRIES * sizeof(c->entries[0]));

	if (!c)
		err(2, "calloc");
	c->nent = CPUID_ENTRIES;
	must(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c), "KVM_GET_SUPPORTED_CPUID");
	must(ioctl(vcpu, KVM_SET_CPUID2, c), "KVM_SET_CPUID2");
	free(c);
}

/* From the state that KVM gives a new vCPU, which is that of RESET, to the image. */
static void set_entry(int vcpu)
{
	struct kvm_regs regs = {.rip = ENTRY, .rflags = 2};
	struct kvm_sregs sregs;

	must(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	must(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	must(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

/* The exit code, as the guest wrote it. */
static int run(int vcpu, struct kvm_run *state)
{
	for (;;) {
		must(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
		if (state->exit_reason == KVM_EXIT_IO) {
			if (state->io.port == EXIT_PORT)
				return *((uint8_t *)state + state->io.data_offset);
		} else if (state->exit_reason == KVM_EXIT_MMIO) {
			memset(state->mmio.data, 0, sizeof(state->mmio.data));
		} else {
			errx(2, "exit reason %u", state->exit_reason);
		}
	}
}

static void make_vms(int kvm, long n)
{
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {PINS}};

	while (n-- > 0) {
		int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
		int vcpus[2];

		must(ioctl(vm, KVM_ENABLE_CAP, &split), "KVM_CAP_SPLIT_IRQCHIP");
		for (int i = 0; i < 2; i++) {
			vcpus[i] = must(ioctl(vm, KVM_CREATE_VCPU, i), "KVM_CREATE_VCPU");
			set_cpuid(kvm, vcpus[i]);
		}
		for (int i = 0; i < 2; i++)
			close(vcpus[i]);
		close(vm);
	}
}

int main(int argc, char **argv)
{
	struct kvm_run *state;
	int kvm, vm, vcpu, size;

	kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	if (argc == 3 && strcmp(argv[1], "vms") == 0) {
		make_vms(kvm, atol(argv[2]));
		return 0;
	}
	if (argc != 2 && (argc != 3 || strcmp(argv[2], "user") != 0))
		errx(2, "usage: floor IMAGE [user] | floor vms N");
	vm = create_vm(kvm, argv[1], argc == 2);
	vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	set_cpuid(kvm, vcpu);
	set_entry(vcpu);
	size = must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	state = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (state == MAP_FAILED)
		err(2, "mmap");
	return run(vcpu, state);
}

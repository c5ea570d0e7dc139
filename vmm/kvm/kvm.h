/* SPDX-License-Identifier: MIT */
#ifndef SIPI_KVM_KVM_H
#define SIPI_KVM_KVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm/uapi.h"
#include "util/error.h"

/*
 * Every ioctl of /dev/kvm that sipi makes (Documentation/virt/kvm/api.rst). A system, a VM and a vCPU
 * are file descriptors, owned by whoever opened them and closed with close(). Unless said otherwise
 * a function returns 0 or a positive result, or -errno.
 */

/* --- system */

/*
 * Opens /dev/kvm and checks the API version. On failure the line in *err says what to do: EXIT_SKIP where
 * the host has no KVM, EXIT_SETUP where we may not use it.
 */
int kvm_open(struct error *err);
int kvm_check(int fd, int cap); /* system or VM; 0 also where the question itself fails */
size_t kvm_run_size(int kvm);
/*
 * A statistic by name, of a VM or a vCPU: KVM_GET_STATS_FD. What it counts in, and by which factor, is left out; of a
 * histogram it is the first column. -ENOENT: no such name.
 */
int kvm_stat(int fd, const char *name, uint64_t *value);
/*
 * Counts how often this process, and each thread that it starts from now on, passes the tracepoint kvm:NAME, where the
 * filter holds: "FIELD == N" (Documentation/trace/events.rst), or "": always. *fd, the caller's: kvm_trace_read(). -1 with *err: EXIT_SKIP where there is no such event or field, or no tracefs.
 */
int kvm_trace_open(const char *name, const char *filter, int *fd, struct error *err);
int kvm_trace_read(int fd, uint64_t *count);
/* Allocated with malloc; NULL with errno set. */
struct kvm_cpuid2 *kvm_supported_cpuid(int kvm);
/* KVM_GET_MSR_INDEX_LIST; allocated with malloc; NULL with errno set. */
struct kvm_msr_list *kvm_msr_index_list(int kvm);

/* --- VM */

/* With KVM's own pages, where it needs any (Intel without unrestricted guest), below a ROM of 16 MiB. */
int kvm_vm_create(int kvm);
/* Of a type among KVM_X86_*_VM; kvm_vm_create() makes one of type 0. */
int kvm_vm_create_type(int kvm, unsigned type);
/* A VM of type KVM_X86_TDX_VM becomes one that can have vCPUs. */
int kvm_vm_init_tdx(int vm);
/* Of a VM or a vCPU. */
int kvm_enable_cap(int fd, uint32_t cap, uint64_t arg0);
/* flags: KVM_MEM_*; size 0 deletes the slot. */
int kvm_vm_set_memory(int vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
		      void *host);
int kvm_vm_set_boot_cpu(int vm, uint32_t id);
int kvm_vm_create_irqchip(int vm);
int kvm_vm_create_pit(int vm);
int kvm_vm_reinject(int vm, bool on);
/* chip->chip_id says which: KVM_IRQCHIP_PIC_MASTER, _PIC_SLAVE or _IOAPIC. */
int kvm_vm_get_irqchip(int vm, struct kvm_irqchip *chip);
int kvm_vm_set_irqchip(int vm, const struct kvm_irqchip *chip);
int kvm_vm_get_pit(int vm, struct kvm_pit_state2 *pit);
int kvm_vm_set_pit(int vm, const struct kvm_pit_state2 *pit);
int kvm_vm_set_routes(int vm, const struct kvm_irq_routing *routes);
int kvm_vm_irq_line(int vm, uint32_t gsi, bool level);
/* How many took it; 0 also where it was masked or coalesced. */
int kvm_vm_irq_line_status(int vm, uint32_t gsi, bool level);
/* resamplefd: of KVM_IRQFD_FLAG_RESAMPLE; -1: none. */
int kvm_vm_irqfd(int vm, int eventfd, int resamplefd, uint32_t gsi);
/*
 * Makes accesses to these MSRs exit (KVM_X86_SET_MSR_FILTER), and those that KVM itself refuses as well; the
 * latter is how x2APIC MSRs reach us, which no filter covers.
 */
int kvm_vm_msr_exits(int vm, const uint32_t *msrs, unsigned count);
/* How many local APICs accepted the message; 0: none did. */
int kvm_vm_signal_msi(int vm, const struct kvm_msi *msi);

/* --- vCPU */

int kvm_vcpu_create(int vm, uint32_t id);
struct kvm_run *kvm_vcpu_map(int vcpu, size_t size); /* NULL with errno set */
int kvm_vcpu_run(int vcpu);
/*
 * KVM_RUN as far as the delivery of what is pending, and no instruction: so that a vector of KVM_INTERRUPT, which
 * no other ioctl shows or takes back, becomes one of KVM_GET_VCPU_EVENTS. With a signal that the calling thread
 * has a handler for; immediate_exit must be 0. -EINTR: it is done.
 */
int kvm_vcpu_take_up(int vcpu, int signal);
int kvm_vcpu_set_cpuid(int vcpu, const struct kvm_cpuid2 *cpuid);
/* cpuid->nent: how many entries there is room for; set to how many there are. */
int kvm_vcpu_get_cpuid(int vcpu, struct kvm_cpuid2 *cpuid);
int kvm_vcpu_get_regs(int vcpu, struct kvm_regs *regs);
int kvm_vcpu_set_regs(int vcpu, const struct kvm_regs *regs);
int kvm_vcpu_get_sregs(int vcpu, struct kvm_sregs *sregs);
int kvm_vcpu_set_sregs(int vcpu, const struct kvm_sregs *sregs);
int kvm_vcpu_get_fpu(int vcpu, struct kvm_fpu *fpu);
int kvm_vcpu_set_fpu(int vcpu, const struct kvm_fpu *fpu);
/* 4 KiB: enough without the components that a process must ask for (AMX), which we do not. */
int kvm_vcpu_get_xsave(int vcpu, struct kvm_xsave *xsave);
int kvm_vcpu_set_xsave(int vcpu, const struct kvm_xsave *xsave);
int kvm_vcpu_get_xcrs(int vcpu, struct kvm_xcrs *xcrs);
int kvm_vcpu_set_xcrs(int vcpu, const struct kvm_xcrs *xcrs);
int kvm_vcpu_get_debugregs(int vcpu, struct kvm_debugregs *regs);
int kvm_vcpu_set_debugregs(int vcpu, const struct kvm_debugregs *regs);
int kvm_vcpu_get_events(int vcpu, struct kvm_vcpu_events *events);
int kvm_vcpu_set_events(int vcpu, const struct kvm_vcpu_events *events);
/* state->size: how much room there is behind it and itself; set by get to how much there is. */
int kvm_vcpu_get_nested(int vcpu, struct kvm_nested_state *state);
int kvm_vcpu_set_nested(int vcpu, const struct kvm_nested_state *state);
int kvm_vcpu_get_lapic(int vcpu, struct kvm_lapic_state *lapic);
int kvm_vcpu_set_lapic(int vcpu, const struct kvm_lapic_state *lapic);
/* Both, with another value at this offset, a register's. */
int kvm_vcpu_set_lapic_register(int vcpu, unsigned offset, uint32_t value);
int kvm_vcpu_get_mp_state(int vcpu, uint32_t *state);
int kvm_vcpu_set_mp_state(int vcpu, uint32_t state);
/* KVM stops at the first MSR it refuses and returns how many it did: see kvm_vcpu_set_msr(). */
int kvm_vcpu_get_msr(int vcpu, uint32_t index, uint64_t *value);
/* -ENOENT where KVM refuses the MSR or the value. */
int kvm_vcpu_set_msr(int vcpu, uint32_t index, uint64_t value);
/* How many from the first on were done. When that is less than n, the one behind them was refused. */
int kvm_vcpu_get_msrs(int vcpu, struct kvm_msr_entry *entries, unsigned n);
int kvm_vcpu_set_msrs(int vcpu, const struct kvm_msr_entry *entries, unsigned n);
int kvm_vcpu_interrupt(int vcpu, uint8_t vector);
int kvm_vcpu_nmi(int vcpu);
/* control: KVM_GUESTDBG_*; no hardware breakpoints. */
int kvm_vcpu_set_guest_debug(int vcpu, uint32_t control);
int kvm_vcpu_tsc_khz(int vcpu);
/* The guest-physical address behind a linear one; -EFAULT where none is mapped. */
int kvm_vcpu_translate(int vcpu, uint64_t linear, uint64_t *gpa);

/* --- what this host's KVM is and can do, tried where trying is possible */

enum kvm_kind { KVM_KIND_VMX, KVM_KIND_SVM, KVM_KIND_OTHER };

/*
 * How this KVM runs guests: Intel VMX, AMD SVM, or neither (a pagetable-based KVM, say, which emulates
 * supervisor code). *module is the name of the vendor module, e.g. "kvm_intel", or "" if none is seen.
 */
enum kvm_kind kvm_kind(char module[32]);
const char *kvm_kind_name(enum kvm_kind kind);

/* Whether KVM lets hardware virtualize local APICs: kvm_intel.enable_apicv or kvm_amd.avic is on. */
bool kvm_has_apicv(void);
/*
 * For which of eight of KVM's reasons, enum kvm_apicv_inhibit, APICv was seen to be inhibited here, each tried on a VM: their
 * names, with ", " in between; cut off to size. 0, or -1 with *err: see kvm_trace_open().
 */
int kvm_try_inhibits(int kvm, char *names, size_t size, struct error *err);

/*
 * Whether an irqchip mode really works here: makes a VM, runs a few instructions in it, and looks whether an
 * interrupt arrives and where its EOI, an x2APIC MSR write, goes. SPLIT: it must come back as an IOAPIC EOI exit.
 * KERNEL: it must not. USER, a VM without any irqchip: the MSR write itself must exit. DEADLINE, the same
 * with a write to IA32_TSC_DEADLINE and a filter on that. 0, or -1 with the step that failed in *err.
 */
enum kvm_trial { KVM_TRIAL_SPLIT, KVM_TRIAL_KERNEL, KVM_TRIAL_USER, KVM_TRIAL_DEADLINE };
int kvm_try_irqchip(int kvm, enum kvm_trial mode, struct error *err);

#endif

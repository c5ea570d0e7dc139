// SPDX-License-Identifier: MIT
/* Words for values, capabilities and CPUID bits, as KVM's headers and the SDM call them; looking a name up. */
#include <errno.h>
#include <string.h>

#include "guest/puppet.h"
#include "kvm/uapi.h"
#include "scenario/object.h"
#include "scenario/parse.h"

/* clang-format off */

const char *const field_names[IPI_FIELDS] = {
	[MSI_DEST] = "dest", [MSI_VECTOR] = "vector", [MSI_MODE] = "mode", [MSI_LOGICAL] = "logical",
	[MSI_RH] = "rh", [MSI_LEVEL] = "level", [MSI_TRIGGER] = "trigger", [IPI_SHORTHAND] = "shorthand",
};

const char *const memslot_field_names[MEMSLOT_FIELDS] = {
	[MEMSLOT_SLOT] = "slot", [MEMSLOT_GPA] = "gpa", [MEMSLOT_SIZE] = "size", [MEMSLOT_FLAGS] = "flags",
};

static const struct word {
	const char *name;
	uint64_t value;
} values[] = {
	/* IA32_APIC_BASE bits 11:10: SDM vol. 3A, "x2APIC State Transitions" */
	{"disabled", 0}, {"invalid", 1}, {"xapic", 2}, {"x2apic", 3},
	{"apic_base.bsp", 1u << 8}, {"apic_base.extd", 1u << 10}, {"apic_base.en", 1u << 11},
	/* ICR, bits 10:8; MSIs have the same */
	{"fixed", 0}, {"lowest", 1}, {"smi", 2}, {"nmi", 4}, {"init", 5}, {"sipi", 6}, {"extint", 7},
	{"physical", 0}, {"self", 1}, {"all", 2}, {"others", 3}, {"logical", 1}, {"edge", 0}, {"level", 1},
	{"icr.logical", 1u << 11}, {"icr.pending", 1u << 12}, {"icr.assert", 1u << 14},
	{"icr.level", 1u << 15}, {"icr.self", 1u << 18}, {"icr.all", 2u << 18}, {"icr.others", 3u << 18},
	{"svr.enable", 1u << 8}, {"svr.suppress_eoi", 1u << 12}, {"version.suppress_eoi", 1u << 24},
	{"lvt.pending", 1u << 12}, {"lvt.low", 1u << 13}, {"lvt.remote_irr", 1u << 14},
	{"lvt.level", 1u << 15}, {"lvt.masked", 1u << 16}, {"lvt.periodic", 1u << 17},
	{"lvt.deadline", 2u << 17},
	{"esr.send_illegal", 1u << 5}, {"esr.receive_illegal", 1u << 6}, {"esr.illegal_register", 1u << 7},
	{"efer.sce", 1u << 0}, {"efer.lme", 1u << 8}, {"efer.lma", 1u << 10}, {"efer.nxe", 1u << 11},
	{"efer.svme", 1u << 12},
	{"debugctl.lbr", 1u << 0}, {"debugctl.btf", 1u << 1},
	{"misc_enable.mwait", 1u << 18},
	{"kvm.enabled", 1}, /* bit 0 of KVM's paravirtual MSRs */
	{"runnable", KVM_MP_STATE_RUNNABLE}, {"uninitialized", KVM_MP_STATE_UNINITIALIZED},
	{"init_received", KVM_MP_STATE_INIT_RECEIVED}, {"halted", KVM_MP_STATE_HALTED},
	{"sipi_received", KVM_MP_STATE_SIPI_RECEIVED}, {"stopped", KVM_MP_STATE_STOPPED},
	{"ap_reset_hold", KVM_MP_STATE_AP_RESET_HOLD},
	/* KVM_SET_GUEST_DEBUG */
	{"enable", KVM_GUESTDBG_ENABLE}, {"singlestep", KVM_GUESTDBG_SINGLESTEP},
	{"use_sw_bp", KVM_GUESTDBG_USE_SW_BP}, {"use_hw_bp", KVM_GUESTDBG_USE_HW_BP},
	{"inject_db", KVM_GUESTDBG_INJECT_DB}, {"inject_bp", KVM_GUESTDBG_INJECT_BP},
	{"blockirq", KVM_GUESTDBG_BLOCKIRQ},
	/* KVM_SET_USER_MEMORY_REGION */
	{"log_dirty", KVM_MEM_LOG_DIRTY_PAGES}, {"readonly", KVM_MEM_READONLY},
	/* Capability x2apic_api; the last two came after 6.18 */
	{"use_32bit_ids", 1u << 0}, {"disable_broadcast_quirk", 1u << 1},
	{"enable_suppress_eoi_broadcast", 1u << 2}, {"disable_suppress_eoi_broadcast", 1u << 3},
	/* Capabilities disable_quirks and disable_quirks2 */
	{"lint0_reenabled", 1u << 0}, {"cd_nw_cleared", 1u << 1}, {"lapic_mmio_hole", 1u << 2},
	{"out_7e_inc_rip", 1u << 3}, {"misc_enable_no_mwait", 1u << 4}, {"fix_hypercall_insn", 1u << 5},
	{"mwait_never_ud_faults", 1u << 6}, {"slot_zap_all", 1u << 7}, {"stuff_feature_msrs", 1u << 8},
	{"ignore_guest_pat", 1u << 9},
	/* Capability x86_disable_exits */
	{"disable_exits.mwait", 1u << 0}, {"disable_exits.hlt", 1u << 1}, {"disable_exits.pause", 1u << 2},
	{"disable_exits.cstate", 1u << 3}, {"disable_exits.aperfmperf", 1u << 4},
	{"exit.unknown", KVM_EXIT_UNKNOWN}, {"exit.exception", KVM_EXIT_EXCEPTION}, {"exit.io", KVM_EXIT_IO},
	{"exit.hypercall", KVM_EXIT_HYPERCALL}, {"exit.debug", KVM_EXIT_DEBUG}, {"exit.hlt", KVM_EXIT_HLT},
	{"exit.mmio", KVM_EXIT_MMIO}, {"exit.irq_window_open", KVM_EXIT_IRQ_WINDOW_OPEN},
	{"exit.x86_rdmsr", KVM_EXIT_X86_RDMSR}, {"exit.x86_wrmsr", KVM_EXIT_X86_WRMSR},
	{"exit.shutdown", KVM_EXIT_SHUTDOWN}, {"exit.fail_entry", KVM_EXIT_FAIL_ENTRY},
	{"exit.intr", KVM_EXIT_INTR}, {"exit.set_tpr", KVM_EXIT_SET_TPR},
	{"exit.tpr_access", KVM_EXIT_TPR_ACCESS}, {"exit.nmi", KVM_EXIT_NMI},
	{"exit.internal_error", KVM_EXIT_INTERNAL_ERROR}, {"exit.system_event", KVM_EXIT_SYSTEM_EVENT},
	{"exit.ioapic_eoi", KVM_EXIT_IOAPIC_EOI}, {"exit.hyperv", KVM_EXIT_HYPERV},
	{"exit.rdmsr", KVM_EXIT_X86_RDMSR}, {"exit.wrmsr", KVM_EXIT_X86_WRMSR},
	{"exit.ap_reset_hold", KVM_EXIT_AP_RESET_HOLD}, {"exit.bus_lock", KVM_EXIT_X86_BUS_LOCK},
	{"exit.notify", KVM_EXIT_NOTIFY}, {"exit.timeout", OBJECT_EXIT_TIMEOUT}, {"timeout", OBJECT_EXIT_TIMEOUT},
	{"exit.done", OBJECT_EXIT_DONE}, {"done", OBJECT_EXIT_DONE}, {"none", PUPPET_NO_FAULT},
	{"EPERM", EPERM}, {"ENOENT", ENOENT}, {"EINTR", EINTR}, {"EIO", EIO}, {"ENXIO", ENXIO}, {"E2BIG", E2BIG},
	{"EBADF", EBADF}, {"EAGAIN", EAGAIN}, {"ENOMEM", ENOMEM}, {"EACCES", EACCES}, {"EFAULT", EFAULT},
	{"EBUSY", EBUSY}, {"EEXIST", EEXIST}, {"ENODEV", ENODEV}, {"EINVAL", EINVAL}, {"EMFILE", EMFILE},
	{"ENOTTY", ENOTTY}, {"ENOSPC", ENOSPC}, {"ERANGE", ERANGE}, {"ENOSYS", ENOSYS},
	{"EOPNOTSUPP", EOPNOTSUPP}, {"ETIMEDOUT", ETIMEDOUT},
	/* Exceptions: SDM vol. 3A, table "Protected-Mode Exceptions and Interrupts" */
	{"DE", 0}, {"DB", 1}, {"BP", 3}, {"OF", 4}, {"BR", 5}, {"UD", 6}, {"NM", 7}, {"DF", 8}, {"TS", 10},
	{"NP", 11}, {"SS", 12}, {"GP", 13}, {"PF", 14}, {"MF", 16}, {"AC", 17}, {"MC", 18}, {"XM", 19}, {"CP", 21},
};

/* By number where Debian 12's header has no name for it. */
static const struct word caps[] = {
	{"irqchip", KVM_CAP_IRQCHIP}, {"hlt", KVM_CAP_HLT}, {"set_tss_addr", KVM_CAP_SET_TSS_ADDR},
	{"vapic", KVM_CAP_VAPIC}, {"mp_state", KVM_CAP_MP_STATE}, {"user_nmi", KVM_CAP_USER_NMI},
	{"set_guest_debug", KVM_CAP_SET_GUEST_DEBUG}, {"reinject_control", KVM_CAP_REINJECT_CONTROL},
	{"irq_routing", KVM_CAP_IRQ_ROUTING}, {"irq_inject_status", KVM_CAP_IRQ_INJECT_STATUS},
	{"mce", KVM_CAP_MCE}, {"irqfd", KVM_CAP_IRQFD}, {"pit2", KVM_CAP_PIT2},
	{"set_boot_cpu_id", KVM_CAP_SET_BOOT_CPU_ID}, {"xen_hvm", KVM_CAP_XEN_HVM},
	{"vcpu_events", KVM_CAP_VCPU_EVENTS}, {"hyperv", KVM_CAP_HYPERV}, {"hyperv_vapic", KVM_CAP_HYPERV_VAPIC},
	{"intr_shadow", KVM_CAP_INTR_SHADOW}, {"debugregs", KVM_CAP_DEBUGREGS},
	{"x86_robust_singlestep", KVM_CAP_X86_ROBUST_SINGLESTEP}, {"enable_cap", KVM_CAP_ENABLE_CAP},
	{"xsave", KVM_CAP_XSAVE}, {"xcrs", KVM_CAP_XCRS}, {"async_pf", KVM_CAP_ASYNC_PF},
	{"tsc_control", KVM_CAP_TSC_CONTROL}, {"get_tsc_khz", KVM_CAP_GET_TSC_KHZ}, {"readonly_mem", KVM_CAP_READONLY_MEM},
	{"max_vcpus", KVM_CAP_MAX_VCPUS}, {"tsc_deadline_timer", KVM_CAP_TSC_DEADLINE_TIMER},
	{"sync_regs", KVM_CAP_SYNC_REGS}, {"kvmclock_ctrl", KVM_CAP_KVMCLOCK_CTRL},
	{"signal_msi", KVM_CAP_SIGNAL_MSI}, {"irqfd_resample", KVM_CAP_IRQFD_RESAMPLE},
	{"ioapic_polarity_ignored", KVM_CAP_IOAPIC_POLARITY_IGNORED}, {"enable_cap_vm", KVM_CAP_ENABLE_CAP_VM},
	{"check_extension_vm", KVM_CAP_CHECK_EXTENSION_VM}, {"disable_quirks", KVM_CAP_DISABLE_QUIRKS},
	{"x86_smm", KVM_CAP_X86_SMM}, {"guest_debug_hw_bps", KVM_CAP_GUEST_DEBUG_HW_BPS},
	{"split_irqchip", KVM_CAP_SPLIT_IRQCHIP}, {"hyperv_synic", KVM_CAP_HYPERV_SYNIC},
	{"max_vcpu_id", KVM_CAP_MAX_VCPU_ID}, {"x2apic_api", KVM_CAP_X2APIC_API},
	{"msi_devid", KVM_CAP_MSI_DEVID}, {"immediate_exit", KVM_CAP_IMMEDIATE_EXIT},
	{"x86_disable_exits", KVM_CAP_X86_DISABLE_EXITS}, {"hyperv_synic2", KVM_CAP_HYPERV_SYNIC2},
	{"hyperv_vp_index", KVM_CAP_HYPERV_VP_INDEX}, {"get_msr_features", KVM_CAP_GET_MSR_FEATURES},
	{"nested_state", KVM_CAP_NESTED_STATE}, {"msr_platform_info", KVM_CAP_MSR_PLATFORM_INFO},
	{"hyperv_send_ipi", KVM_CAP_HYPERV_SEND_IPI}, {"exception_payload", KVM_CAP_EXCEPTION_PAYLOAD},
	{"hyperv_cpuid", KVM_CAP_HYPERV_CPUID}, {"pmu_event_filter", KVM_CAP_PMU_EVENT_FILTER},
	{"halt_poll", KVM_CAP_HALT_POLL}, {"async_pf_int", KVM_CAP_ASYNC_PF_INT}, {"last_cpu", KVM_CAP_LAST_CPU},
	{"smaller_maxphyaddr", KVM_CAP_SMALLER_MAXPHYADDR}, {"steal_time", KVM_CAP_STEAL_TIME},
	{"x86_user_space_msr", KVM_CAP_X86_USER_SPACE_MSR}, {"x86_msr_filter", KVM_CAP_X86_MSR_FILTER},
	{"enforce_pv_feature_cpuid", KVM_CAP_ENFORCE_PV_FEATURE_CPUID},
	{"x86_bus_lock_exit", KVM_CAP_X86_BUS_LOCK_EXIT}, {"set_guest_debug2", KVM_CAP_SET_GUEST_DEBUG2},
	{"hyperv_enforce_cpuid", KVM_CAP_HYPERV_ENFORCE_CPUID}, {"sregs2", KVM_CAP_SREGS2},
	{"exit_hypercall", KVM_CAP_EXIT_HYPERCALL}, {"binary_stats_fd", KVM_CAP_BINARY_STATS_FD},
	{"exit_on_emulation_failure", KVM_CAP_EXIT_ON_EMULATION_FAILURE},
	{"vm_gpa_bits", 207}, {"xsave2", 208}, {"sys_attributes", 209}, {"pmu_capability", 212},
	{"disable_quirks2", 213}, {"vm_tsc_control", 214},
	{"x86_triple_fault_event", KVM_CAP_X86_TRIPLE_FAULT_EVENT},
	{"x86_notify_vmexit", KVM_CAP_X86_NOTIFY_VMEXIT}, {"pmu_event_masked_events", 226},
	{"user_memory2", 231}, {"memory_fault_info", 232}, {"memory_attributes", 233}, {"guest_memfd", 234},
	{"vm_types", 235}, {"pre_fault_memory", 236},
	{"x86_apic_bus_cycles_ns", KVM_CAP_X86_APIC_BUS_CYCLES_NS}, {"x86_guest_mode", 238},
	{"guest_memfd_flags", 244},
};

const struct vm_type vm_types[] = {
	{"sw_protected", "KVM_X86_SW_PROTECTED_VM", KVM_X86_SW_PROTECTED_VM},
	{"tdx", "KVM_X86_TDX_VM", KVM_X86_TDX_VM},
	{NULL, NULL, 0},
};

enum { EAX, EBX, ECX, EDX };

const struct cpuid_bit need_cpuid[] = {
	{"monitor", 1, 0, ECX, 3}, {"vmx", 1, 0, ECX, 5}, {"pdcm", 1, 0, ECX, 15}, {"pcid", 1, 0, ECX, 17},
	{"x2apic", 1, 0, ECX, 21}, {"tsc_deadline", 1, 0, ECX, 24}, {"xsave", 1, 0, ECX, 26},
	{"hypervisor", 1, 0, ECX, 31}, {"mce", 1, 0, EDX, 7}, {"apic", 1, 0, EDX, 9}, {"sep", 1, 0, EDX, 11},
	{"mtrr", 1, 0, EDX, 12}, {"mca", 1, 0, EDX, 14}, {"pat", 1, 0, EDX, 16}, {"ds", 1, 0, EDX, 21},
	{"arat", 6, 0, EAX, 2}, {"tsc_adjust", 7, 0, EBX, 1}, {"mpx", 7, 0, EBX, 14}, {"pku", 7, 0, ECX, 3},
	{"shstk", 7, 0, ECX, 7}, {"bus_lock_detect", 7, 0, ECX, 24}, {"ibt", 7, 0, EDX, 20},
	{"spec_ctrl", 7, 0, EDX, 26}, {"arch_capabilities", 7, 0, EDX, 29},
	{"xsaves", 0xd, 1, EAX, 3}, {"xfd", 0xd, 1, EAX, 4},
	/* Documentation/virt/kvm/x86/cpuid.rst */
	{"kvm_clocksource2", 0x40000001, 0, EAX, 3}, {"kvm_async_pf", 0x40000001, 0, EAX, 4},
	{"kvm_steal_time", 0x40000001, 0, EAX, 5}, {"kvm_pv_eoi", 0x40000001, 0, EAX, 6},
	{"kvm_pv_unhalt", 0x40000001, 0, EAX, 7}, {"kvm_pv_send_ipi", 0x40000001, 0, EAX, 11},
	{"kvm_poll_control", 0x40000001, 0, EAX, 12}, {"kvm_pv_sched_yield", 0x40000001, 0, EAX, 13},
	{"kvm_async_pf_int", 0x40000001, 0, EAX, 14}, {"kvm_msi_ext_dest_id", 0x40000001, 0, EAX, 15},
	{"svm", 0x80000001, 0, ECX, 2}, {"extapic", 0x80000001, 0, ECX, 3}, {"perfctr_core", 0x80000001, 0, ECX, 23},
	{"nx", 0x80000001, 0, EDX, 20}, {"rdtscp", 0x80000001, 0, EDX, 27}, {"lm", 0x80000001, 0, EDX, 29},
	{"avic", 0x8000000a, 0, EDX, 13}, {"x2avic", 0x8000000a, 0, EDX, 18}, {"vnmi", 0x8000000a, 0, EDX, 25},
};

/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const unsigned need_cpuid_count = COUNT(need_cpuid);

bool name_is(const char *name, const char *word, size_t len)
{
	return strlen(name) == len && memcmp(name, word, len) == 0;
}

static bool word_find(const struct word *table, size_t count, const char *name, size_t len,
		      uint64_t *value)
{
	for (size_t i = 0; i < count; i++)
		if (name_is(table[i].name, name, len)) {
			*value = table[i].value;
			return true;
		}
	return false;
}

const struct object *object_find(const char *name, size_t len)
{
	const struct object *o;

	for (size_t i = 0; (o = object_at(i)); i++)
		if (name_is(o->name, name, len))
			return o;
	return NULL;
}

bool value_find(const char *name, size_t len, uint64_t *value)
{
	return word_find(values, COUNT(values), name, len, value);
}

bool cap_find(const char *name, size_t len, uint32_t *cap)
{
	uint64_t value;

	if (!word_find(caps, COUNT(caps), name, len, &value))
		return false;
	*cap = (uint32_t)value;
	return true;
}

const char *object_name_at(size_t i)
{
	return object_at(i) ? object_at(i)->name : NULL;
}

const char *value_name_at(size_t i)
{
	return i < COUNT(values) ? values[i].name : NULL;
}

const char *cap_name_at(size_t i)
{
	return i < COUNT(caps) ? caps[i].name : NULL;
}

const char *cpuid_name_at(size_t i)
{
	return i < need_cpuid_count ? need_cpuid[i].name : NULL;
}

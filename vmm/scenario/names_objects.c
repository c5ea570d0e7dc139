// SPDX-License-Identifier: MIT
/* What a scenario can read and write, by name: tests/scenarios/REFERENCE.md has the list in words. */
#include "scenario/object.h"

#include "guest/puppet.h"
#include "kvm/uapi.h"

#define SIZE_OF(struct_of, field) ((uint8_t)sizeof(((struct struct_of *)0)->field))

/* clang-format off */

/* Offsets in the register page: SDM vol. 3A, table "Local APIC Register Address Map". */
#define LAPIC(reg, offset)	 {.name = "lapic." reg, .kind = OBJECT_LAPIC, .arg = offset, .size = 4, .of_cpu = true}
#define LAPIC_BITS(reg, offset) {.name = "lapic." reg, .kind = OBJECT_LAPIC, .arg = offset, .size = 32, .of_cpu = true}

#define MSR(reg, index)		 {.name = "msr." reg, .kind = OBJECT_MSR, .arg = index, .size = 8, .of_cpu = true}
/* Eight registers in a row. */
#define MSR8(reg, index)                                                                                              \
	MSR(reg "0", index), MSR(reg "1", index + 1), MSR(reg "2", index + 2), MSR(reg "3", index + 3),            \
	MSR(reg "4", index + 4), MSR(reg "5", index + 5), MSR(reg "6", index + 6), MSR(reg "7", index + 7)

#define FIELD(text, k, struct_of, field, valid)                                                                             \
	{.name = text, .kind = k, .arg = offsetof(struct struct_of, field), .size = SIZE_OF(struct_of, field), .flag = valid, .of_cpu = true}
#define REG(field)		 FIELD("regs." #field, OBJECT_REGS, kvm_regs, field, 0)
#define SREG(field)		 FIELD("sregs." #field, OBJECT_SREGS, kvm_sregs, field, 0)
#define SEGMENT(seg)                                                                                                     \
	SREG(seg.base), SREG(seg.limit), SREG(seg.selector), SREG(seg.type), SREG(seg.present), SREG(seg.dpl), SREG(seg.db),         \
	SREG(seg.s), SREG(seg.l), SREG(seg.g), SREG(seg.avl), SREG(seg.unusable)
#define SREG_N(text, field, n)	 FIELD("sregs." text #n, OBJECT_SREGS, kvm_sregs, field[n], 0)
/* KVM_SET_VCPU_EVENTS takes some fields only with their flag (kvm_vcpu_ioctl_x86_set_vcpu_events). */
#define EVENT(field, valid)	 FIELD("events." #field, OBJECT_EVENTS, kvm_vcpu_events, field, valid)
#define DEBUGREG(text, field)	 FIELD("debugregs." text, OBJECT_DEBUGREGS, kvm_debugregs, field, 0)

#define OF_CPU(text, k, a, bytes) {.name = text, .kind = k, .arg = a, .size = bytes, .of_cpu = true}
#define GUEST(text, at, bytes)	 {.name = "guest." text, .kind = OBJECT_GUEST, .arg = at, .size = bytes, .of_cpu = true, .read_only = true}
#define GUEST_N(text, at, bytes, step, n)                                                                                 \
	{.name = "guest." text, .kind = OBJECT_GUEST, .arg = at, .size = bytes, .flag = step, .count = n, .indexed = true, .of_cpu = true, .read_only = true}
#define SEEN(text, k)		 {.name = text, .kind = k, .size = 8, .read_only = true}

static const struct object objects[] = {
	LAPIC("id", 0x20), LAPIC("version", 0x30), LAPIC("tpr", 0x80), LAPIC("apr", 0x90),
	LAPIC("ppr", 0xa0), LAPIC("ldr", 0xd0), LAPIC("dfr", 0xe0), LAPIC("svr", 0xf0),
	LAPIC_BITS("isr", 0x100), LAPIC_BITS("tmr", 0x180), LAPIC_BITS("irr", 0x200),
	LAPIC("esr", 0x280), LAPIC("lvt_cmci", 0x2f0), LAPIC("icr", 0x300), LAPIC("icr2", 0x310),
	LAPIC("lvt_timer", 0x320), LAPIC("lvt_thermal", 0x330), LAPIC("lvt_perf", 0x340),
	LAPIC("lvt_lint0", 0x350), LAPIC("lvt_lint1", 0x360), LAPIC("lvt_error", 0x370),
	LAPIC("tmict", 0x380), LAPIC("tmcct", 0x390), LAPIC("tdcr", 0x3e0),
	{.name = "lapic", .kind = OBJECT_LAPIC, .size = 4, .indexed = true, .of_cpu = true},

	OF_CPU("apic_base.mode", OBJECT_APICBASE_MODE, 0, 1),
	OF_CPU("sregs.apic_base.mode", OBJECT_APICBASE_MODE, 1, 1),
	OF_CPU("xcr0", OBJECT_XCR0, 0, 8),
	OF_CPU("mp_state", OBJECT_MP_STATE, 0, 4),
	{.name = "cpuid", .kind = OBJECT_CPUID, .size = 4, .indexed = true, .of_cpu = true},
	GUEST("result", PUPPET_RESULT, 8), GUEST("fault", PUPPET_FAULT, 4), GUEST("error", PUPPET_ERROR, 4),
	GUEST("address", PUPPET_ADDRESS, 8), GUEST("rip", PUPPET_RIP, 8), GUEST("interrupts", PUPPET_TAKEN, 4),
	GUEST_N("taken", PUPPET_COUNTS, 4, 4, 256), GUEST_N("time", PUPPET_ORDER, 8, 16, PUPPET_ORDERS),
	GUEST_N("order", PUPPET_ORDER + 8, 8, 16, PUPPET_ORDERS),
	{.name = "guest.eoi", .kind = OBJECT_GUEST, .arg = PUPPET_EOI, .size = 4, .of_cpu = true},
	SEEN("accepted", OBJECT_ACCEPTED), SEEN("error", OBJECT_ERROR),
	{.name = "stat", .kind = OBJECT_STAT, .size = 8, .named = true, .of_cpu = true, .read_only = true},
	{.name = "vm.stat", .kind = OBJECT_VM_STAT, .size = 8, .named = true, .read_only = true},
	{.name = "trace", .kind = OBJECT_TRACE, .size = 8, .named = true, .read_only = true},
	SEEN("exit", OBJECT_EXIT), SEEN("warnings", OBJECT_WARNINGS),

	{.name = "msr", .kind = OBJECT_MSR, .size = 8, .indexed = true, .of_cpu = true},
	MSR("tsc", 0x10), MSR("apic_base", 0x1b), MSR("feature_control", 0x3a), MSR("tsc_adjust", 0x3b),
	MSR("spec_ctrl", 0x48), MSR("smbase", 0x9e), MSR("platform_info", 0xce), MSR("mtrr_cap", 0xfe),
	MSR("arch_capabilities", 0x10a), MSR("sysenter_cs", 0x174), MSR("sysenter_esp", 0x175),
	MSR("sysenter_eip", 0x176), MSR("mcg_cap", 0x179), MSR("mcg_status", 0x17a),
	MSR("misc_enable", 0x1a0), MSR("xfd", 0x1c4), MSR("xfd_err", 0x1c5), MSR("debugctl", 0x1d9),
	MSR("pat", 0x277), MSR("mtrr_def_type", 0x2ff), MSR("perf_capabilities", 0x345),
	MSR("perf_global_status", 0x38e), MSR("perf_global_ctrl", 0x38f),
	MSR("u_cet", 0x6a0), MSR("s_cet", 0x6a2), MSR("tsc_deadline", 0x6e0),
	MSR("bndcfgs", 0xd90), MSR("xss", 0xda0),
	/* SDM vol. 3A, table "Local APIC Register Address Map Supported by x2APIC" */
	MSR("x2apic_id", 0x802), MSR("x2apic_version", 0x803), MSR("x2apic_tpr", 0x808),
	MSR("x2apic_ppr", 0x80a), MSR("x2apic_eoi", 0x80b), MSR("x2apic_ldr", 0x80d),
	MSR("x2apic_svr", 0x80f), MSR8("x2apic_isr", 0x810), MSR8("x2apic_tmr", 0x818),
	MSR8("x2apic_irr", 0x820), MSR("x2apic_esr", 0x828), MSR("x2apic_lvt_cmci", 0x82f),
	MSR("x2apic_icr", 0x830), MSR("x2apic_lvt_timer", 0x832), MSR("x2apic_lvt_thermal", 0x833),
	MSR("x2apic_lvt_perf", 0x834), MSR("x2apic_lvt_lint0", 0x835), MSR("x2apic_lvt_lint1", 0x836),
	MSR("x2apic_lvt_error", 0x837), MSR("x2apic_tmict", 0x838), MSR("x2apic_tmcct", 0x839),
	MSR("x2apic_tdcr", 0x83e), MSR("x2apic_self_ipi", 0x83f),
	MSR("hv_guest_os_id", 0x40000000), MSR("hv_hypercall", 0x40000001), MSR("hv_vp_index", 0x40000002),
	MSR("hv_eoi", 0x40000070), MSR("hv_icr", 0x40000071), MSR("hv_tpr", 0x40000072),
	MSR("hv_vp_assist_page", 0x40000073), MSR("hv_scontrol", 0x40000080),
	/* Documentation/virt/kvm/x86/msr.rst */
	MSR("kvm_wall_clock", 0x4b564d00), MSR("kvm_system_time", 0x4b564d01),
	MSR("kvm_async_pf_en", 0x4b564d02), MSR("kvm_steal_time", 0x4b564d03),
	MSR("kvm_pv_eoi_en", 0x4b564d04), MSR("kvm_poll_control", 0x4b564d05),
	MSR("kvm_async_pf_int", 0x4b564d06), MSR("kvm_async_pf_ack", 0x4b564d07),
	MSR("kvm_migration_control", 0x4b564d08),
	MSR("efer", 0xc0000080), MSR("star", 0xc0000081), MSR("lstar", 0xc0000082),
	MSR("cstar", 0xc0000083), MSR("fmask", 0xc0000084), MSR("fs_base", 0xc0000100),
	MSR("gs_base", 0xc0000101), MSR("kernel_gs_base", 0xc0000102), MSR("tsc_aux", 0xc0000103),
	MSR("amd_tsc_ratio", 0xc0000104), MSR("hwcr", 0xc0010015), MSR("vm_cr", 0xc0010114),
	MSR("vm_hsave_pa", 0xc0010117),

	REG(rax), REG(rbx), REG(rcx), REG(rdx), REG(rsi), REG(rdi), REG(rsp), REG(rbp),
	REG(r8), REG(r9), REG(r10), REG(r11), REG(r12), REG(r13), REG(r14), REG(r15),
	REG(rip), REG(rflags),

	SEGMENT(cs), SEGMENT(ds), SEGMENT(es), SEGMENT(fs), SEGMENT(gs), SEGMENT(ss),
	SEGMENT(tr), SEGMENT(ldt),
	SREG(gdt.base), SREG(gdt.limit), SREG(idt.base), SREG(idt.limit),
	SREG(cr0), SREG(cr2), SREG(cr3), SREG(cr4), SREG(cr8), SREG(efer), SREG(apic_base),
	SREG_N("interrupt_bitmap", interrupt_bitmap, 0), SREG_N("interrupt_bitmap", interrupt_bitmap, 1),
	SREG_N("interrupt_bitmap", interrupt_bitmap, 2), SREG_N("interrupt_bitmap", interrupt_bitmap, 3),

	EVENT(exception.injected, 0), EVENT(exception.nr, 0), EVENT(exception.has_error_code, 0),
	EVENT(exception.pending, KVM_VCPUEVENT_VALID_PAYLOAD), EVENT(exception.error_code, 0),
	EVENT(interrupt.injected, 0), EVENT(interrupt.nr, 0), EVENT(interrupt.soft, 0),
	EVENT(interrupt.shadow, KVM_VCPUEVENT_VALID_SHADOW),
	EVENT(nmi.injected, 0), EVENT(nmi.pending, KVM_VCPUEVENT_VALID_NMI_PENDING), EVENT(nmi.masked, 0),
	EVENT(sipi_vector, KVM_VCPUEVENT_VALID_SIPI_VECTOR), EVENT(flags, 0),
	EVENT(smi.smm, KVM_VCPUEVENT_VALID_SMM), EVENT(smi.pending, KVM_VCPUEVENT_VALID_SMM),
	EVENT(smi.smm_inside_nmi, KVM_VCPUEVENT_VALID_SMM), EVENT(smi.latched_init, KVM_VCPUEVENT_VALID_SMM),
	EVENT(triple_fault.pending, KVM_VCPUEVENT_VALID_TRIPLE_FAULT),
	EVENT(exception_has_payload, KVM_VCPUEVENT_VALID_PAYLOAD),
	EVENT(exception_payload, KVM_VCPUEVENT_VALID_PAYLOAD),

	DEBUGREG("db0", db[0]), DEBUGREG("db1", db[1]), DEBUGREG("db2", db[2]), DEBUGREG("db3", db[3]),
	DEBUGREG("dr6", dr6), DEBUGREG("dr7", dr7), DEBUGREG("flags", flags),
};

/* clang-format on */

const struct object *object_at(size_t i)
{
	return i < sizeof(objects) / sizeof(objects[0]) ? &objects[i] : NULL;
}

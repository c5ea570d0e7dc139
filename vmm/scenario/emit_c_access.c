// SPDX-License-Identifier: MIT
/* Functions of an emitted program that read and write the state of a vCPU; see emit_c_helpers.c. */
#include "scenario/emit_c_parts.h"

/* clang-format off */

/* Macros, because they take the name of a field. */
#define GETTER(name, type, get)                                                                                      \
"#define get_" name "(vcpu, field) ({ \\\n"                                                                            \
"	struct " type " s_; \\\n"                                                                                       \
"	must(ioctl(vcpu, " get ", &s_)); \\\n"                                                                          \
"	(uint64_t)s_.field; \\\n"                                                                                       \
"})\n"
#define SETTER(name, type, get, set, parameter, flag)                                                                \
"#define set_" name "(vcpu, field, " parameter "value) ({ \\\n"                                                        \
"	uint64_t v_ = (value); \\\n"                                                                                    \
"	struct " type " s_; \\\n"                                                                                       \
"	int ret_ = ioctl(vcpu, " get ", &s_); \\\n"                                                                     \
"	s_.field = v_; \\\n" flag                                                                                       \
"	ret_ < 0 ? ret_ : ioctl(vcpu, " set ", &s_); \\\n"                                                              \
"})\n"

const struct helper_text emit_access[HELPERS] = {
	[HELPER_GET_LAPIC] = {
"static uint64_t get_lapic(int vcpu, unsigned reg)\n"
"{\n"
"	struct kvm_lapic_state s;\n"
"	uint32_t value;\n"
"\n"
"	must(ioctl(vcpu, KVM_GET_LAPIC, &s));\n"
"	memcpy(&value, s.regs + reg, sizeof(value));\n"
"	return value;\n"
"}\n", {0}},
	[HELPER_SET_LAPIC] = {
"static int set_lapic(int vcpu, unsigned reg, uint32_t value)\n"
"{\n"
"	struct kvm_lapic_state s;\n"
"\n"
"	if (ioctl(vcpu, KVM_GET_LAPIC, &s) < 0)\n"
"		return -1;\n"
"	memcpy(s.regs + reg, &value, sizeof(value));\n"
"	return ioctl(vcpu, KVM_SET_LAPIC, &s);\n"
"}\n", {0}},
	[HELPER_GET_LAPIC_BIT] = {
"/* Of IRR, ISR and TMR: eight registers, 16 bytes apart, of 32 vectors each. */\n"
"static uint64_t get_lapic_bit(int vcpu, unsigned reg, unsigned vector)\n"
"{\n"
"	return get_lapic(vcpu, reg + vector / 32 * 16) >> vector % 32 & 1;\n"
"}\n", {HELPER_GET_LAPIC}},
	[HELPER_SET_LAPIC_BIT] = {
"static int set_lapic_bit(int vcpu, unsigned reg, unsigned vector, int value)\n"
"{\n"
"	uint32_t bit = 1u << vector % 32;\n"
"	uint32_t old = get_lapic(vcpu, reg += vector / 32 * 16);\n"
"\n"
"	return set_lapic(vcpu, reg, value ? old | bit : old & ~bit);\n"
"}\n", {HELPER_GET_LAPIC, HELPER_SET_LAPIC}},
	[HELPER_LAPIC_BYTE] = {
"/* The one that has the vector's bit, in IRR, ISR or TMR: eight registers, 16 bytes apart, of 32 vectors each. */\n"
"static uint8_t *lapic_byte(struct kvm_lapic_state *s, unsigned reg, unsigned vector)\n"
"{\n"
"	return (uint8_t *)s->regs + reg + vector / 32 * 16 + vector % 32 / 8;\n"
"}\n", {0}},
	[HELPER_GET_LAPIC_BITS] = {
"static uint64_t get_lapic_bits(int vcpu, unsigned reg, unsigned hi, unsigned lo)\n"
"{\n"
"	struct kvm_lapic_state s;\n"
"	uint64_t value = 0;\n"
"\n"
"	must(ioctl(vcpu, KVM_GET_LAPIC, &s));\n"
"	for (unsigned v = hi + 1; v-- > lo;)\n"
"		value = value << 1 | (*lapic_byte(&s, reg, v) >> v % 8 & 1);\n"
"	return value;\n"
"}\n", {HELPER_LAPIC_BYTE}},
	[HELPER_SET_LAPIC_BITS] = {
"static int set_lapic_bits(int vcpu, unsigned reg, unsigned hi, unsigned lo, uint64_t value)\n"
"{\n"
"	struct kvm_lapic_state s;\n"
"\n"
"	if (ioctl(vcpu, KVM_GET_LAPIC, &s) < 0)\n"
"		return -1;\n"
"	for (unsigned v = lo; v <= hi; v++, value >>= 1) {\n"
"		*lapic_byte(&s, reg, v) &= ~(1 << v % 8);\n"
"		*lapic_byte(&s, reg, v) |= (value & 1) << v % 8;\n"
"	}\n"
"	return ioctl(vcpu, KVM_SET_LAPIC, &s);\n"
"}\n", {HELPER_LAPIC_BYTE}},
	[HELPER_RELOAD_LAPIC] = {
"static int reload_lapic(int from, int to)\n"
"{\n"
"	struct kvm_lapic_state s;\n"
"\n"
"	return ioctl(from, KVM_GET_LAPIC, &s) < 0 ? -1 : ioctl(to, KVM_SET_LAPIC, &s);\n"
"}\n", {0}},
	[HELPER_CLEAR_LAPIC] = {
"static int clear_lapic(int vcpu)\n"
"{\n"
"	return ioctl(vcpu, KVM_SET_LAPIC, &(struct kvm_lapic_state){0});\n"
"}\n", {0}},
	[HELPER_GET_MSR] = {
"static uint64_t get_msr(int vcpu, uint32_t index)\n"
"{\n"
"	struct {\n"
"		struct kvm_msrs head;\n"
"		struct kvm_msr_entry entry;\n"
"	} m = {.head.nmsrs = 1, .entry.index = index};\n"
"	int n = ioctl(vcpu, KVM_GET_MSRS, &m);\n"
"\n"
"	if (n == 0)\n"
"		errno = ENOENT; /* KVM refuses it */\n"
"	must(n == 1 ? 0 : -1);\n"
"	return m.entry.data;\n"
"}\n", {0}},
	[HELPER_SET_MSR] = {
"static int set_msr(int vcpu, uint32_t index, uint64_t value)\n"
"{\n"
"	struct {\n"
"		struct kvm_msrs head;\n"
"		struct kvm_msr_entry entry;\n"
"	} m = {.head.nmsrs = 1, .entry = {.index = index, .data = value}};\n"
"	int n = ioctl(vcpu, KVM_SET_MSRS, &m);\n"
"\n"
"	if (n == 0)\n"
"		errno = ENOENT; /* KVM refuses it, or the value */\n"
"	return n == 1 ? 0 : -1;\n"
"}\n", {0}},
	[HELPER_GET_APIC_MODE] = {
"/* Bits 11:10 of IA32_APIC_BASE: 0 disabled, 2 xAPIC, 3 x2APIC. */\n"
"static uint64_t get_apic_mode(int vcpu)\n"
"{\n"
"	return get_msr(vcpu, 0x1b) >> 10 & 3;\n"
"}\n", {HELPER_GET_MSR}},
	[HELPER_SET_APIC_MODE] = {
"/* Bits 11:10 of IA32_APIC_BASE: 0 disabled, 2 xAPIC, 3 x2APIC. */\n"
"static int set_apic_mode(int vcpu, uint64_t mode)\n"
"{\n"
"	return set_msr(vcpu, 0x1b, (get_msr(vcpu, 0x1b) & ~(3ull << 10)) | mode << 10);\n"
"}\n", {HELPER_GET_MSR, HELPER_SET_MSR}},
	[HELPER_GET_REGS] = {GETTER("regs", "kvm_regs", "KVM_GET_REGS"), {0}},
	[HELPER_SET_REGS] = {SETTER("regs", "kvm_regs", "KVM_GET_REGS", "KVM_SET_REGS", "", ""), {0}},
	[HELPER_GET_SREGS] = {GETTER("sregs", "kvm_sregs", "KVM_GET_SREGS"), {0}},
	[HELPER_SET_SREGS] = {SETTER("sregs", "kvm_sregs", "KVM_GET_SREGS", "KVM_SET_SREGS", "", ""), {0}},
	[HELPER_GET_EVENTS] = {GETTER("events", "kvm_vcpu_events", "KVM_GET_VCPU_EVENTS"), {0}},
	[HELPER_SET_EVENTS] = {SETTER("events", "kvm_vcpu_events", "KVM_GET_VCPU_EVENTS", "KVM_SET_VCPU_EVENTS",
				      "valid, ", "	s_.flags |= (valid); \\\n"), {0}},
	[HELPER_GET_DEBUGREGS] = {GETTER("debugregs", "kvm_debugregs", "KVM_GET_DEBUGREGS"), {0}},
	[HELPER_SET_DEBUGREGS] = {SETTER("debugregs", "kvm_debugregs", "KVM_GET_DEBUGREGS", "KVM_SET_DEBUGREGS",
					 "", ""), {0}},
	[HELPER_GET_XCR0] = {
"static uint64_t get_xcr0(int vcpu)\n"
"{\n"
"	struct kvm_xcrs s;\n"
"\n"
"	must(ioctl(vcpu, KVM_GET_XCRS, &s));\n"
"	for (unsigned i = 0; i < s.nr_xcrs && i < KVM_MAX_XCRS; i++)\n"
"		if (s.xcrs[i].xcr == 0)\n"
"			return s.xcrs[i].value;\n"
"	errno = ENOENT;\n"
"	must(-1);\n"
"	return 0;\n"
"}\n", {0}},
	[HELPER_SET_XCR0] = {
"static int set_xcr0(int vcpu, uint64_t value)\n"
"{\n"
"	struct kvm_xcrs s;\n"
"\n"
"	if (ioctl(vcpu, KVM_GET_XCRS, &s) < 0)\n"
"		return -1;\n"
"	for (unsigned i = 0; i < s.nr_xcrs && i < KVM_MAX_XCRS; i++)\n"
"		if (s.xcrs[i].xcr == 0) {\n"
"			s.xcrs[i].value = value;\n"
"			return ioctl(vcpu, KVM_SET_XCRS, &s);\n"
"		}\n"
"	errno = ENOENT;\n"
"	return -1;\n"
"}\n", {0}},
	[HELPER_GET_MP_STATE] = {
"static uint64_t get_mp_state(int vcpu)\n"
"{\n"
"	struct kvm_mp_state s;\n"
"\n"
"	must(ioctl(vcpu, KVM_GET_MP_STATE, &s));\n"
"	return s.mp_state;\n"
"}\n", {0}},
	[HELPER_SET_MP_STATE] = {
"static int set_mp_state(int vcpu, uint32_t state)\n"
"{\n"
"	return ioctl(vcpu, KVM_SET_MP_STATE, &(struct kvm_mp_state){state});\n"
"}\n", {0}},
	[HELPER_PUMP] = {
"/* KVM_GET_MP_STATE acts on a pending INIT or SIPI. */\n"
"static int pump(int vcpu)\n"
"{\n"
"	struct kvm_mp_state s;\n"
"\n"
"	return ioctl(vcpu, KVM_GET_MP_STATE, &s);\n"
"}\n", {0}},
	[HELPER_MSR_FILTER] = {
"/* Accesses to this MSR exit, and those to MSRs that KVM does not know. */\n"
"static int msr_filter(uint32_t msr)\n"
"{\n"
"	uint64_t none = 0; /* a bit an MSR; 0 denies */\n"
"	struct kvm_msr_filter f = {.flags = KVM_MSR_FILTER_DEFAULT_ALLOW};\n"
"	struct kvm_enable_cap cap = {\n"
"		.cap = KVM_CAP_X86_USER_SPACE_MSR,\n"
"		.args = {KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_FILTER},\n"
"	};\n"
"\n"
"	f.ranges[0].flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;\n"
"	f.ranges[0].base = msr;\n"
"	f.ranges[0].nmsrs = 1;\n"
"	f.ranges[0].bitmap = (uint8_t *)&none;\n"
"	return ioctl(vm, KVM_ENABLE_CAP, &cap) < 0 ? -1 : ioctl(vm, KVM_X86_SET_MSR_FILTER, &f);\n"
"}\n", {0}},
	[HELPER_VMXON] = {
"/* In VMX root operation, with no VMCS; address ~0: out of VMX operation. */\n"
"static int vmxon(int vcpu, uint64_t address)\n"
"{\n"
"	struct kvm_nested_state s = {.format = KVM_STATE_NESTED_FORMAT_VMX, .size = sizeof(s)};\n"
"\n"
"	s.hdr.vmx.vmxon_pa = address;\n"
"	s.hdr.vmx.vmcs12_pa = ~0ull;\n"
"	return ioctl(vcpu, KVM_SET_NESTED_STATE, &s);\n"
"}\n", {0}},
	[HELPER_CPUID_REGISTER] = {
"/* In what the vCPU was given. reg: 0 EAX to 3 EDX. KVM of 5.10 and 6.1 leaves nent as it was given. */\n"
"static uint32_t *cpuid_register(int vcpu, struct cpuid *c, uint32_t leaf, unsigned reg)\n"
"{\n"
"	memset(c, 0, sizeof(*c));\n"
"	c->head.nent = CPUID_ENTRIES;\n"
"	must(ioctl(vcpu, KVM_GET_CPUID2, c));\n"
"	while (c->head.nent && !c->entries[c->head.nent - 1].function && !c->entries[c->head.nent - 1].ebx)\n"
"		c->head.nent--;\n"
"	for (unsigned i = 0; i < c->head.nent; i++) {\n"
"		struct kvm_cpuid_entry2 *e = &c->entries[i];\n"
"\n"
"		if (e->function == leaf && e->index == 0)\n"
"			return (uint32_t *[]){&e->eax, &e->ebx, &e->ecx, &e->edx}[reg];\n"
"	}\n"
"	return NULL;\n"
"}\n", {0}},
	[HELPER_GET_CPUID] = {
"static uint64_t get_cpuid(int vcpu, uint32_t leaf, unsigned reg)\n"
"{\n"
"	struct cpuid c;\n"
"	uint32_t *value = cpuid_register(vcpu, &c, leaf, reg);\n"
"\n"
"	return value ? *value : 0;\n"
"}\n", {HELPER_CPUID_REGISTER}},
	[HELPER_SET_CPUID] = {
"/* A leaf that is not there is added. */\n"
"static int set_cpuid(int vcpu, uint32_t leaf, unsigned reg, uint32_t value)\n"
"{\n"
"	struct cpuid c;\n"
"	uint32_t *to = cpuid_register(vcpu, &c, leaf, reg);\n"
"\n"
"	if (!to && c.head.nent < CPUID_ENTRIES) {\n"
"		struct kvm_cpuid_entry2 *e = &c.entries[c.head.nent++];\n"
"\n"
"		e->function = leaf;\n"
"		to = (uint32_t *[]){&e->eax, &e->ebx, &e->ecx, &e->edx}[reg];\n"
"	}\n"
"	errno = E2BIG;\n"
"	if (!to)\n"
"		return -1;\n"
"	*to = value;\n"
"	return ioctl(vcpu, KVM_SET_CPUID2, &c);\n"
"}\n", {HELPER_CPUID_REGISTER}},
};

/* clang-format on */

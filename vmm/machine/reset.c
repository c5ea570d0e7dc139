// SPDX-License-Identifier: MIT
/*
 * RESET of every vCPU and device (SDM vol. 3A, table "IA-32 and Intel 64 Processor States Following
 * Power-up, Reset, or INIT"). One ordered list; each row says why it stands where it stands.
 */
#include <errno.h>
#include <string.h>

#include "machine/internal.h"

#define APIC_BASE_DEFAULT 0xfee00000ull
#define APIC_BASE_BSP	  (1ull << 8)
#define APIC_BASE_ENABLE  (1ull << 11)
#define FCW_RESET	  0x40
#define MXCSR_RESET	  0x1f80
#define XSAVE_MXCSR	  (24 / 4)
#define XSAVE_XSTATE_BV	  (512 / 4)
#define CR0_RESET	  0x60000010ull
#define CR0_CD_NW	  0x60000000ull

/* Where the LAPIC is ours, INIT and SIPI are too, and KVM knows only runnable CPUs. */
static int reset_mp_state(struct vcpu *v, enum reset_kind kind)
{
	uint32_t state;
	int r;

	(void)kind;
	if (v->user)
		return 0;
	/* Reading the state makes KVM digest INITs and SIPIs that are still on their way. */
	r = kvm_vcpu_get_mp_state(v->fd, &state);
	if (r < 0)
		return r;
	state = v->index == 0 ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED;
	return kvm_vcpu_set_mp_state(v->fd, state);
}

/* EDX holds the CPU's signature after RESET. */
static uint32_t signature(const struct machine *m)
{
	for (unsigned i = 0; i < m->cpuid->nent; i++)
		if (m->cpuid->entries[i].function == 1)
			return m->cpuid->entries[i].eax;
	return 0;
}

static int reset_regs(struct vcpu *v, enum reset_kind kind)
{
	struct kvm_regs regs = {.rip = 0xfff0, .rflags = 2, .rdx = signature(v->m)};

	(void)kind;
	return kvm_vcpu_set_regs(v->fd, &regs);
}

static struct kvm_segment segment(uint16_t selector, uint64_t base, uint8_t type, bool code_or_data)
{
	return (struct kvm_segment){
		.selector = selector,
		.base = base,
		.limit = 0xffff,
		.type = type,
		.present = 1,
		.s = code_or_data,
	};
}

static int reset_sregs(struct vcpu *v, enum reset_kind kind)
{
	struct kvm_sregs old;
	struct kvm_sregs s = {
		.cs = segment(0xf000, 0xffff0000, 0xb, true),
		.ds = segment(0, 0, 3, true),
		.es = segment(0, 0, 3, true),
		.fs = segment(0, 0, 3, true),
		.gs = segment(0, 0, 3, true),
		.ss = segment(0, 0, 3, true),
		.tr = segment(0, 0, 0xb, false),
		.ldt = segment(0, 0, 2, false),
		.gdt.limit = 0xffff,
		.idt.limit = 0xffff,
		.cr0 = CR0_RESET,
		/* From x2APIC straight to xAPIC: no guest may do that, RESET does. */
		.apic_base = APIC_BASE_DEFAULT | APIC_BASE_ENABLE,
	};
	int r = kvm_vcpu_get_sregs(v->fd, &old);

	if (r < 0)
		return r;
	if (v->index == 0)
		s.apic_base |= APIC_BASE_BSP;
	if (kind == RESET_INIT) {
		s.cr0 = (s.cr0 & ~CR0_CD_NW) | (old.cr0 & CR0_CD_NW);
		s.apic_base = old.apic_base;
	}
	return kvm_vcpu_set_sregs(v->fd, &s);
}

static int reset_fpu(struct vcpu *v, enum reset_kind kind)
{
	struct kvm_fpu fpu = {.fcw = FCW_RESET, .mxcsr = MXCSR_RESET};
	struct kvm_xsave xsave = {.region = {FCW_RESET}};

	(void)kind;
	if (!kvm_check(v->m->kvm, KVM_CAP_XSAVE))
		return kvm_vcpu_set_fpu(v->fd, &fpu);
	/* x87 and SSE as given, all other components in their initial state (SDM vol. 1, "XSAVE Area"). */
	xsave.region[XSAVE_MXCSR] = MXCSR_RESET;
	xsave.region[XSAVE_XSTATE_BV] = 3;
	return kvm_vcpu_set_xsave(v->fd, &xsave);
}

static int reset_xcrs(struct vcpu *v, enum reset_kind kind)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = 1}}};

	(void)kind;
	if (!kvm_check(v->m->kvm, KVM_CAP_XCRS))
		return 0;
	return kvm_vcpu_set_xcrs(v->fd, &xcrs);
}

static int reset_debugregs(struct vcpu *v, enum reset_kind kind)
{
	struct kvm_debugregs d = {.dr6 = 0xffff0ff0, .dr7 = 0x400};

	(void)kind;
	return kvm_vcpu_set_debugregs(v->fd, &d);
}

static int reset_msrs(struct vcpu *v, enum reset_kind kind)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} msrs[] = {
		{0x03a, 0}, /* IA32_FEATURE_CONTROL */
		{0x03b, 0}, /* IA32_TSC_ADJUST */
		{0x048, 0}, /* IA32_SPEC_CTRL */
		{0x1d9, 0}, /* IA32_DEBUGCTL */
		{0x38d, 0}, /* IA32_FIXED_CTR_CTRL */
		{0x38f, 0}, /* IA32_PERF_GLOBAL_CTRL */
		{0xda0, 0}, /* IA32_XSS */
		/*
		 * IA32_TIME_STAMP_COUNTER. To KVM a 0 from the host means "like the other vCPUs"
		 * (kvm_synchronize_tsc); 1 starts the count anew.
		 */
		{0x010, 1},
		{0x174, 0},		     /* IA32_SYSENTER_CS */
		{0x175, 0},		     /* IA32_SYSENTER_ESP */
		{0x176, 0},		     /* IA32_SYSENTER_EIP */
		{0x277, 0x0007040600070406}, /* IA32_PAT */
		{0x2ff, 0},		     /* IA32_MTRR_DEF_TYPE */
		{0xc0000081, 0},	     /* IA32_STAR */
		{0xc0000082, 0},	     /* IA32_LSTAR */
		{0xc0000083, 0},	     /* CSTAR */
		{0xc0000084, 0},	     /* IA32_FMASK */
		{0xc0000102, 0},	     /* IA32_KERNEL_GS_BASE */
		{0xc0000103, 0},	     /* IA32_TSC_AUX */
		{0x4b564d00, 0},	     /* MSR_KVM_WALL_CLOCK_NEW */
		{0x4b564d01, 0},	     /* MSR_KVM_SYSTEM_TIME_NEW */
		{0x4b564d02, 0},	     /* MSR_KVM_ASYNC_PF_EN */
		{0x4b564d03, 0},	     /* MSR_KVM_STEAL_TIME */
		{0x4b564d04, 0},	     /* MSR_KVM_PV_EOI_EN */
	};

	(void)kind;
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		int r = kvm_vcpu_set_msr(v->fd, msrs[i].index, msrs[i].value);

		if (r < 0 && r != -ENOENT) /* not every CPU has every one of them */
			return r;
	}
	return 0;
}

static void put32(struct kvm_lapic_state *s, unsigned offset, uint32_t value)
{
	memcpy(s->regs + offset, &value, sizeof(value));
}

/* SDM vol. 3A, "Local APIC State After Power-Up or Reset". The version register is KVM's. */
static int reset_lapic(struct vcpu *v, enum reset_kind kind)
{
	struct kvm_lapic_state s;
	uint32_t version;
	int r;

	if (v->user)
		return v->m->irqchip.ops->reset_vcpu(v, kind);
	r = kvm_vcpu_get_lapic(v->fd, &s);
	if (r < 0)
		return r;
	memcpy(&version, s.regs + 0x30, sizeof(version));
	memset(&s, 0, sizeof(s));
	put32(&s, 0x20, v->apic_id << 24);
	put32(&s, 0x30, version);
	put32(&s, 0xe0, 0xffffffff); /* DFR */
	put32(&s, 0xf0, 0xff);	     /* SVR: software-disabled */
	for (unsigned lvt = 0x320; lvt <= 0x370; lvt += 0x10)
		put32(&s, lvt, 0x10000);
	put32(&s, 0x2f0, 0x10000); /* LVT CMCI */
	return kvm_vcpu_set_lapic(v->fd, &s);
}

static int reset_events(struct vcpu *v, enum reset_kind kind)
{
	/* Everything that can be pending is named valid, and is not; nor is the CPU in SMM. */
	struct kvm_vcpu_events e = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
	};

	(void)kind;
	if (kvm_check(v->m->kvm, KVM_CAP_X86_SMM))
		e.flags |= KVM_VCPUEVENT_VALID_SMM;
	return kvm_vcpu_set_events(v->fd, &e);
}

/* At power-on a vCPU is fresh from KVM, and most of it is right. */
#define EVERY  (~0u)
#define OTHERS (~(1u << RESET_POWER_ON))
#define RESETS (OTHERS & ~(1u << RESET_INIT)) /* INIT leaves these alone */

static const struct {
	const char *what;
	unsigned kinds; /* a bit for each enum reset_kind that touches it */
	int (*apply)(struct vcpu *v, enum reset_kind kind);
} vcpu_rows[] = {
	/* First: in SMM, INITs stay latched. */
	{"SMM and events", RESETS, reset_events},
	/* It makes KVM act on pending INITs, which write most of what follows. */
	{"MP state", RESETS, reset_mp_state},
	{"registers", EVERY, reset_regs},
	/* Before the LAPIC: the APIC base decides how KVM reads the LAPIC page, and CR8 writes TPR. */
	{"special registers", OTHERS, reset_sregs},
	{"FPU", RESETS | 1u << RESET_POWER_ON, reset_fpu},
	{"XCR0", RESETS, reset_xcrs},
	{"debug registers", OTHERS, reset_debugregs},
	{"MSRs", RESETS, reset_msrs},
	/* After the TSC, which a timer of the old life would be compared to. */
	{"LAPIC", OTHERS, reset_lapic},
	/* Last: the steps above can leave events pending. */
	{"events", OTHERS, reset_events},
};

int vcpu_reset(struct vcpu *v, enum reset_kind kind)
{
	for (unsigned row = 0; row < sizeof(vcpu_rows) / sizeof(vcpu_rows[0]); row++) {
		int r = vcpu_rows[row].kinds & 1u << kind ? vcpu_rows[row].apply(v, kind) : 0;

		if (r < 0) {
			trace(v->m, (int)v->index, "reset: %s: %s", vcpu_rows[row].what,
			      strerror(-r));
			return r;
		}
	}
	return 0;
}

int machine_reset_state(struct machine *m, enum reset_kind kind)
{
	for (unsigned i = 0; i < m->nvcpus; i++) {
		int r = m->vcpus[i].fd < 0 ? 0 : vcpu_reset(&m->vcpus[i], kind);

		if (r < 0)
			return r;
	}
	bus_reset(&m->bus, kind);
	return m->irqchip.ops->reset ? m->irqchip.ops->reset(m, kind) : 0;
}

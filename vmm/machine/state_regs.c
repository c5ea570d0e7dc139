// SPDX-License-Identifier: MIT
/* Rows of the table: what instructions see, registers of all kinds. */
#include "machine/state_priv.h"

#include <string.h>

#include "machine/internal.h"

#define APIC_BASE_DEFAULT 0xfee00000ull
#define APIC_BASE_BSP	  (1ull << 8)
#define APIC_BASE_ENABLE  (1ull << 11)
#define CR0_RESET	  0x60000010ull
#define CR0_CD_NW	  0x60000000ull
#define DR6_RESET	  0xffff0ff0ull
#define DR7_RESET	  0x400ull

/* --- registers */

int state_regs_get(struct vcpu *v, struct cpu_state *s)
{
	return kvm_vcpu_get_regs(v->fd, &s->regs);
}

int state_regs_set(struct vcpu *v, const struct cpu_state *s)
{
	return kvm_vcpu_set_regs(v->fd, &s->regs);
}

/* EDX holds the CPU's signature after RESET and INIT. */
static uint32_t signature(const struct machine *m)
{
	for (unsigned i = 0; i < m->cpuid->nent; i++)
		if (m->cpuid->entries[i].function == 1)
			return m->cpuid->entries[i].eax;
	return 0;
}

void state_regs_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	(void)kind;
	s->regs = (struct kvm_regs){.rip = 0xfff0, .rflags = 2, .rdx = signature(v->m)};
}

int state_sregs_get(struct vcpu *v, struct cpu_state *s)
{
	int r = kvm_vcpu_get_sregs(v->fd, &s->sregs);

	if (r == 0 && v->user)
		user_get_sregs(v, &s->sregs);
	return r;
}

int state_sregs_set(struct vcpu *v, const struct cpu_state *s)
{
	int r = kvm_vcpu_set_sregs(v->fd, &s->sregs);

	return r == 0 && v->user ? user_set_base(v, s->sregs.apic_base) : r;
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

void state_sregs_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	const struct kvm_sregs old = s->sregs;

	s->sregs = (struct kvm_sregs){
		/* The manual has a data segment here; VM entry wants code (SDM 3C, "Checks on Guest
		 * Segment Registers"), and code it is that KVM makes a vCPU with. */
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
		.apic_base =
			APIC_BASE_DEFAULT | APIC_BASE_ENABLE | (v->index == 0 ? APIC_BASE_BSP : 0),
	};
	if (kind == RESET_INIT) {
		s->sregs.cr0 = (CR0_RESET & ~CR0_CD_NW) | (old.cr0 & CR0_CD_NW);
		s->sregs.apic_base = old.apic_base;
	}
}

/* --- x87, SSE, XSAVE, XCR0, debug registers */

#define XSAVE_FCW	0 /* and FSW */
#define XSAVE_FTW	1 /* and opcode */
#define XSAVE_MXCSR	(24 / 4)
#define XSAVE_ST0	(32 / 4)
#define XSAVE_XSTATE_BV (512 / 4)
#define XSTATE_X87_SSE	3u
#define XSTATE_MPX	(3u << 3)
#define FCW_RESET	0x40
#define FTW_RESET	0xff /* abridged: the tags are 5555h, zero, so all registers are in use */
#define MXCSR_RESET	0x1f80

_Static_assert(sizeof(((struct kvm_fpu *)0)->fpr) == 128, "as in the XSAVE area");

/* A KVM without XSAVE is spoken to in struct kvm_fpu, which holds the same in another order. */
static int fpu_get(struct vcpu *v, struct cpu_state *s)
{
	struct kvm_fpu fpu;
	int r = kvm_vcpu_get_fpu(v->fd, &fpu);

	memset(&s->xsave, 0, sizeof(s->xsave));
	if (r < 0)
		return r;
	s->xsave.region[XSAVE_FCW] = fpu.fcw | (uint32_t)fpu.fsw << 16;
	s->xsave.region[XSAVE_FTW] = fpu.ftwx | (uint32_t)fpu.last_opcode << 16;
	memcpy(&s->xsave.region[2], &fpu.last_ip, sizeof(fpu.last_ip));
	memcpy(&s->xsave.region[4], &fpu.last_dp, sizeof(fpu.last_dp));
	s->xsave.region[XSAVE_MXCSR] = fpu.mxcsr;
	memcpy(&s->xsave.region[XSAVE_ST0], fpu.fpr, sizeof(fpu.fpr));
	memcpy(&s->xsave.region[XSAVE_ST0 + 32], fpu.xmm, sizeof(fpu.xmm));
	s->xsave.region[XSAVE_XSTATE_BV] = XSTATE_X87_SSE;
	return 0;
}

static int fpu_set(struct vcpu *v, const struct cpu_state *s)
{
	struct kvm_fpu fpu = {
		.fcw = (uint16_t)s->xsave.region[XSAVE_FCW],
		.fsw = (uint16_t)(s->xsave.region[XSAVE_FCW] >> 16),
		.ftwx = (uint8_t)s->xsave.region[XSAVE_FTW],
		.last_opcode = (uint16_t)(s->xsave.region[XSAVE_FTW] >> 16),
		.mxcsr = s->xsave.region[XSAVE_MXCSR],
	};

	memcpy(&fpu.last_ip, &s->xsave.region[2], sizeof(fpu.last_ip));
	memcpy(&fpu.last_dp, &s->xsave.region[4], sizeof(fpu.last_dp));
	memcpy(fpu.fpr, &s->xsave.region[XSAVE_ST0], sizeof(fpu.fpr));
	memcpy(fpu.xmm, &s->xsave.region[XSAVE_ST0 + 32], sizeof(fpu.xmm));
	return kvm_vcpu_set_fpu(v->fd, &fpu);
}

int state_xsave_get(struct vcpu *v, struct cpu_state *s)
{
	return kvm_check(v->m->kvm, KVM_CAP_XSAVE) ? kvm_vcpu_get_xsave(v->fd, &s->xsave)
						   : fpu_get(v, s);
}

int state_xsave_set(struct vcpu *v, const struct cpu_state *s)
{
	return kvm_check(v->m->kvm, KVM_CAP_XSAVE) ? kvm_vcpu_set_xsave(v->fd, &s->xsave)
						   : fpu_set(v, s);
}

void state_xsave_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	(void)v;
	if (kind == RESET_INIT) {
		s->xsave.region[XSAVE_XSTATE_BV] &= ~XSTATE_MPX; /* BND0-3, BNDCFGU, BNDSTATUS */
		return;
	}
	/* x87 and SSE as given, all other components in their initial state (SDM vol. 1, "XSAVE Area"). */
	memset(&s->xsave, 0, sizeof(s->xsave));
	s->xsave.region[XSAVE_FCW] = FCW_RESET;
	s->xsave.region[XSAVE_FTW] = FTW_RESET;
	s->xsave.region[XSAVE_MXCSR] = MXCSR_RESET;
	s->xsave.region[XSAVE_XSTATE_BV] = XSTATE_X87_SSE;
}

int state_xcrs_get(struct vcpu *v, struct cpu_state *s)
{
	memset(&s->xcrs, 0, sizeof(s->xcrs));
	return kvm_check(v->m->kvm, KVM_CAP_XCRS) ? kvm_vcpu_get_xcrs(v->fd, &s->xcrs) : 0;
}

int state_xcrs_set(struct vcpu *v, const struct cpu_state *s)
{
	return s->xcrs.nr_xcrs ? kvm_vcpu_set_xcrs(v->fd, &s->xcrs) : 0;
}

void state_xcrs_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	(void)v;
	(void)kind;
	for (unsigned i = 0; i < s->xcrs.nr_xcrs; i++)
		s->xcrs.xcrs[i].value = s->xcrs.xcrs[i].xcr == 0;
}

int state_debugregs_get(struct vcpu *v, struct cpu_state *s)
{
	return kvm_vcpu_get_debugregs(v->fd, &s->debugregs);
}

int state_debugregs_set(struct vcpu *v, const struct cpu_state *s)
{
	return kvm_vcpu_set_debugregs(v->fd, &s->debugregs);
}

void state_debugregs_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	(void)v;
	(void)kind;
	s->debugregs = (struct kvm_debugregs){.dr6 = DR6_RESET, .dr7 = DR7_RESET};
}

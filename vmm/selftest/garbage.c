// SPDX-License-Identifier: MIT
#include "selftest/garbage.h"

#include <string.h>

#define CR0_PE 0x1ull
#define CR0_ET 0x10ull
#define CR0_NW 0x20000000ull
#define CR0_CD 0x40000000ull
#define CR0_PG 0x80000000ull
/* MP, EM, TS, NE, WP, AM. */
#define CR0_FREE 0x5002eull
#define CR0_WP	 0x10000ull

#define CR4_PAE	  0x20ull
#define CR4_LA57  0x1000ull
#define CR4_PCIDE 0x20000ull
#define CR4_CET	  0x800000ull

#define EFER_LME 0x100ull
#define EFER_LMA 0x400ull
#define EFER_NX	 0x800ull

#define RFLAGS_FREE 0x3f7fd5ull /* all but VM, VIF, VIP and what is always 0 or 1 */
#define RFLAGS_ODD  0x1a0000ull

#define XCR0_SSE    0x2ull
#define XCR0_AVX    0x4ull
#define XCR0_AVX512 0xe0ull
#define XCR0_PKRU   0x200ull

#define MXCSR_FREE 0xffbfull /* all but DAZ, which not every CPU has */

/* --- what this host lets us do */

static bool sregs_work(struct vcpu *v, const struct kvm_sregs *s)
{
	struct kvm_sregs back;

	return kvm_vcpu_set_sregs(v->fd, s) == 0 && kvm_vcpu_get_sregs(v->fd, &back) == 0 &&
	       back.cr4 == s->cr4 && back.efer == s->efer;
}

static void learn_sregs(struct legal *l, struct vcpu *v, const struct kvm_sregs *fresh)
{
	static const uint64_t efer[] = {0x1, EFER_NX, 0x2000, 0x4000};
	struct kvm_sregs s;

	for (unsigned bit = 0; bit < 32; bit++) {
		s = *fresh;
		s.cr4 |= 1ull << bit;
		s.cr0 |= CR0_WP;
		/* LA57 and VMXE hold a CPU in its mode; PCIDE is for long mode alone. */
		if (s.cr4 & (CR4_LA57 | CR4_PCIDE | 0x2000))
			continue;
		if (sregs_work(v, &s))
			l->cr4 |= 1ull << bit;
	}
	for (unsigned i = 0; i < sizeof(efer) / sizeof(efer[0]); i++) {
		s = *fresh;
		s.efer |= efer[i];
		if (sregs_work(v, &s))
			l->efer |= efer[i];
	}
	kvm_vcpu_set_sregs(v->fd, fresh);
}

static void learn_xsave(struct legal *l, const struct vcpu *v)
{
	const struct kvm_cpuid2 *c = v->m->cpuid;

	for (unsigned i = 0; i < c->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function != 0xd)
			continue;
		if (e->index == 0)
			l->xcr0 = e->eax;
		else if (e->index >= 2 && e->index < COMPONENTS &&
			 e->ebx + e->eax <= sizeof(struct kvm_xsave))
			l->component[e->index].offset = e->ebx,
			l->component[e->index].size = e->eax;
	}
	/* MPX's registers have reserved bits, and it is gone. */
	l->component[3].size = l->component[4].size = 0;
	l->xcr0 &= 1 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU;
}

static bool msr_takes(struct vcpu *v, uint32_t index, uint64_t want)
{
	uint64_t seen;

	return kvm_vcpu_set_msr(v->fd, index, want) == 0 &&
	       kvm_vcpu_get_msr(v->fd, index, &seen) == 0 && seen == want;
}

#define MSR_AMD_HWCR	  0xc0010015 /* KVM before 6.7 lets nobody clear McStatusWrEn */
#define MSR_PLATFORM_INFO 0xce	     /* what is legal in MISC_FEATURES_ENABLES depends on it */

/* Bits that can be flipped, and then values of such bits: not all go together. */
static void learn_msr(struct legal *l, unsigned at, struct vcpu *v, uint32_t index, uint64_t fresh)
{
	struct rng rng = {index};
	uint64_t bits = 0;

	if (index == MSR_PLATFORM_INFO || index == MSR_AMD_HWCR)
		return;
	for (unsigned bit = 0; bit < 64; bit++)
		if (msr_takes(v, index, fresh ^ 1ull << bit))
			bits |= 1ull << bit;
	for (unsigned tries = 0; bits && tries < 64 && l->msr[at].n < MSR_VALUES; tries++) {
		uint64_t flip = tries < 48 ? rng_next(&rng) & bits : bits & -bits;

		if (flip && msr_takes(v, index, fresh ^ flip))
			l->msr[at].value[l->msr[at].n++] = fresh ^ flip;
	}
	kvm_vcpu_set_msr(v->fd, index, fresh);
}

#define MSR_TSC 0x10

/* Where RDTSC is never intercepted and has no offset, the guest's TSC is the host's. */
static bool tsc_takes(struct vcpu *v)
{
	const uint64_t want = 1ull << 50;
	uint64_t seen;

	return kvm_vcpu_set_msr(v->fd, MSR_TSC, want) == 0 &&
	       kvm_vcpu_get_msr(v->fd, MSR_TSC, &seen) == 0 && seen >= want &&
	       seen - want < want >> 8;
}

void legal_learn(struct legal *l, struct vcpu *v, const struct cpu_state *fresh)
{
	memset(l, 0, sizeof(*l));
	learn_sregs(l, v, &fresh->sregs);
	learn_xsave(l, v);
	for (unsigned i = 0; i < fresh->nmsrs; i++)
		learn_msr(l, i, v, fresh->msrs[i].index, fresh->msrs[i].data);
	l->tsc = tsc_takes(v);
	l->smm = kvm_check(v->m->kvm, KVM_CAP_X86_SMM);
	l->triple_fault = kvm_check(v->m->kvm, KVM_CAP_X86_TRIPLE_FAULT_EVENT);
}

/* --- a state */

static void fill(struct rng *rng, void *to, size_t size)
{
	uint8_t *p = to;

	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)rng_next(rng);
}

static void garbage_regs(struct rng *rng, struct cpu_state *s)
{
	bool real = !(s->sregs.cr0 & CR0_PE);

	fill(rng, &s->regs, sizeof(s->regs));
	s->regs.rip &= real ? 0xffff : s->sregs.efer & EFER_LMA ? 0x7fffffffffff : 0xffffffff;
	s->regs.rflags &= RFLAGS_FREE & ~RFLAGS_ODD;
	s->regs.rflags |= 2;
}

static struct kvm_segment garbage_segment(struct rng *rng, uint8_t type, bool system)
{
	return (struct kvm_segment){
		.selector = (uint16_t)(rng_next(rng) | 4),
		.base = (uint32_t)rng_next(rng),
		.limit = (uint32_t)rng_next(rng) | 0xfff,
		.type = type,
		.present = 1,
		.dpl = system ? 0 : (uint8_t)rng_below(rng, 4),
		.s = !system,
		.db = (uint8_t)rng_below(rng, 2),
		.g = (uint8_t)rng_below(rng, 2),
		.avl = (uint8_t)rng_below(rng, 2),
	};
}

static void garbage_segments(struct rng *rng, struct kvm_sregs *s)
{
	struct kvm_segment *const data[] = {&s->ds, &s->es, &s->fs, &s->gs, &s->ss};

	for (unsigned i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
		/* Accessed, of any kind that can be read; SS has to be written as well. */
		*data[i] = garbage_segment(rng, 1 | (uint8_t)rng_below(rng, 4) << 1, false);
		if (data[i] == &s->ss)
			s->ss.type |= 2;
		else if (s->cr0 & CR0_PE && rng_chance(rng, 8)) /* a null selector was loaded */
			*data[i] = (struct kvm_segment){.unusable = 1};
	}
	s->cs = garbage_segment(rng, rng_chance(rng, 2) ? 0xb : 0x9, false);
	s->ss.dpl = s->cs.dpl;
	s->cs.l = s->efer & EFER_LMA ? (uint8_t)rng_below(rng, 2) : 0;
	if (s->cs.l)
		s->cs.db = 0;
	s->tr = garbage_segment(rng, rng_chance(rng, 2) ? 0xb : 0x3, true);
	s->ldt = garbage_segment(rng, 2, true);
	s->tr.db = s->ldt.db = 0;
	/* Between them every attribute differs from reset at times. */
	if (rng_chance(rng, 4))
		s->ldt.present = 0;
	s->gdt.base = (uint32_t)rng_next(rng);
	s->gdt.limit = (uint16_t)rng_next(rng);
	s->idt.base = (uint32_t)rng_next(rng);
	s->idt.limit = (uint16_t)rng_next(rng);
}

enum cpu_mode { MODE_REAL, MODE_PROTECTED, MODE_PAGED, MODE_LONG, MODES };

static void garbage_control(const struct legal *l, struct rng *rng, struct cpu_state *s)
{
	struct kvm_sregs *r = &s->sregs;
	enum cpu_mode mode = (enum cpu_mode)rng_below(rng, MODES);

	r->cr0 = CR0_ET | (rng_next(rng) & CR0_FREE);
	r->cr0 |= (const uint64_t[]){0, CR0_CD, CR0_CD | CR0_NW}[rng_below(rng, 3)];
	r->cr4 = rng_next(rng) & l->cr4 & ~CR4_PAE;
	r->efer = rng_next(rng) & l->efer;
	if (mode != MODE_REAL)
		r->cr0 |= CR0_PE;
	if (mode == MODE_PAGED || mode == MODE_LONG)
		r->cr0 |= CR0_PG;
	if (mode == MODE_LONG) {
		r->cr4 |= CR4_PAE;
		r->efer |= EFER_LME | EFER_LMA;
	}
	if (r->cr4 & CR4_CET)
		r->cr0 |= CR0_WP;
	r->cr2 = rng_next(rng) >> (mode == MODE_LONG ? 0 : 32);
	/* In RAM, with PCD and PWT. */
	r->cr3 = (uint64_t)rng_below(rng, 0x3000) << 12 | (rng_next(rng) & 0x18);
}

/* Any mode of the APIC, and for xAPIC mode any page. */
static void garbage_apic_base(const struct vcpu *v, struct rng *rng, struct kvm_sregs *r)
{
	static const uint64_t modes[] = {0, LAPIC_BASE_ENABLE,
					 LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC};
	bool x2apic = v->m->cfg.irqchip != IRQCHIP_USER || v->m->irqchip.user.x2apic;

	r->apic_base = modes[rng_below(rng, x2apic ? 3 : 2)] | LAPIC_DEFAULT_BASE;
	if (!(r->apic_base & LAPIC_BASE_X2APIC) && rng_chance(rng, 4))
		r->apic_base += (uint64_t)(1 + rng_below(rng, 15)) << 12;
	if (rng_chance(rng, 2))
		r->apic_base |= LAPIC_BASE_BSP;
}

static void garbage_fpu(const struct legal *l, struct rng *rng, struct cpu_state *s)
{
	uint32_t *w = s->xsave.region;
	uint64_t bv = 3;

	s->xcrs.xcrs[0].value = 1 | (rng_next(rng) & l->xcr0 & (XCR0_SSE | XCR0_PKRU));
	if (s->xcrs.xcrs[0].value & XCR0_SSE && rng_chance(rng, 2))
		s->xcrs.xcrs[0].value |= l->xcr0 & XCR0_AVX;
	if (s->xcrs.xcrs[0].value & XCR0_AVX && (l->xcr0 & XCR0_AVX512) == XCR0_AVX512 &&
	    rng_chance(rng, 2))
		s->xcrs.xcrs[0].value |= XCR0_AVX512;
	memset(&s->xsave, 0, sizeof(s->xsave));
	fill(rng, w, 6 * sizeof(*w));
	/* FCW: all exceptions masked, any precision and rounding; FSW: condition codes and TOP. */
	w[0] = (w[0] & 0x7f000f00) | 0x7f;
	w[1] &= 0x07ff00ff;
	w[6] = (uint32_t)rng_next(rng) & MXCSR_FREE;
	w[7] = 0;
	/* x87 registers take 10 bytes of each 16. */
	for (unsigned i = 0; i < 8; i++)
		fill(rng, w + 8 + 4 * i, 10);
	fill(rng, w + 0xa0 / 4, 16 * 16);
	for (unsigned i = 2; i < COMPONENTS; i++) {
		if (!(l->xcr0 >> i & 1) || !l->component[i].size)
			continue;
		fill(rng, (uint8_t *)w + l->component[i].offset, i == 9 ? 4 : l->component[i].size);
		bv |= 1ull << i;
	}
	memcpy((uint8_t *)w + 512, &bv, sizeof(bv));
}

static void garbage_debugregs(struct rng *rng, struct cpu_state *s)
{
	for (unsigned i = 0; i < 4; i++)
		s->debugregs.db[i] = rng_next(rng) >> 17;
	/* B0 to B3, BD, BS, BT. */
	s->debugregs.dr6 = 0xffff0ff0 | (rng_next(rng) & 0xe00f);
	s->debugregs.dr7 = 0x400 | (rng_next(rng) & 0xffff23ff);
}

static void garbage_events(const struct legal *l, struct rng *rng, struct cpu_state *s)
{
	struct kvm_vcpu_events *e = &s->events;

	memset(e, 0, sizeof(*e));
	e->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	e->nmi.masked = (uint8_t)rng_below(rng, 2);
	e->nmi.pending = (uint8_t)rng_below(rng, 2);
	e->interrupt.shadow = (uint8_t)rng_below(rng, 3);
	/* One event at a time is on its way into the CPU. */
	switch (rng_below(rng, 5)) {
	case 0:
		e->exception.injected = 1;
		e->exception.nr = rng_chance(rng, 2) ? 13 : 14;
		e->exception.has_error_code = 1;
		e->exception.error_code = rng_below(rng, 0x8000) << 1;
		break;
	case 1:
	case 2:
		e->interrupt.injected = 1;
		e->interrupt.nr = (uint8_t)(rng_below(rng, 4) << 6 | 16 | rng_below(rng, 48));
		e->interrupt.soft = (uint8_t)rng_below(rng, 2);
		break;
	case 3:
		e->nmi.injected = 1;
		break;
	default:
		break;
	}
	if (l->triple_fault) {
		e->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
		e->triple_fault.pending = (uint8_t)rng_below(rng, 2);
	}
	if (!l->smm)
		return;
	e->flags |= KVM_VCPUEVENT_VALID_SMM;
	e->smi.smm = (uint8_t)rng_below(rng, 2);
	e->smi.pending = (uint8_t)rng_below(rng, 2);
	e->smi.smm_inside_nmi = e->smi.smm ? (uint8_t)rng_below(rng, 2) : 0;
	e->smi.latched_init = e->smi.smm ? (uint8_t)rng_below(rng, 2) : 0;
}

/* One in four stays: resetting an MSR may reset another (HV_VP_ASSIST_PAGE, MSR_KVM_PV_EOI_EN), and hide that row. */
static void garbage_msrs(const struct legal *l, struct rng *rng, struct cpu_state *s)
{
	for (unsigned i = 0; i < s->nmsrs; i++)
		if (l->msr[i].n && !rng_chance(rng, 4))
			s->msrs[i].data = l->msr[i].value[rng_below(rng, l->msr[i].n)];
}

/* INIT and SIPI come at last: garbage_in_flight(). */
static void garbage_pending(struct rng *rng, const struct vcpu *v, struct cpu_state *s)
{
	bool takes_pic = v->user || (v->m->cfg.irqchip == IRQCHIP_SPLIT && v->index == 0);

	s->pending.extint = takes_pic && rng_chance(rng, 2) ? (int)rng_below(rng, 256) : -1;
	s->pending.nmi = v->user && rng_chance(rng, 2);
	s->pending.extint_message = v->user && rng_chance(rng, 2);
}

static uint32_t garbage_mp_state(struct rng *rng, const struct vcpu *v)
{
	static const uint32_t states[] = {KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_HALTED,
					  KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_UNINITIALIZED};

	return states[rng_below(rng, v->user ? 3 : 4)];
}

void garbage_state(const struct legal *l, struct rng *rng, const struct vcpu *v,
		   const struct cpu_state *fresh, struct cpu_state *s)
{
	*s = *fresh;
	garbage_control(l, rng, s);
	garbage_apic_base(v, rng, &s->sregs);
	garbage_segments(rng, &s->sregs);
	garbage_regs(rng, s);
	garbage_fpu(l, rng, s);
	garbage_debugregs(rng, s);
	garbage_events(l, rng, s);
	garbage_lapic(rng, v, s);
	garbage_msrs(l, rng, s);
	garbage_pending(rng, v, s);
	s->mp_state = garbage_mp_state(rng, v);
	/* An INIT that is latched or an SMI goes with a CPU that runs. */
	if (s->events.smi.smm || s->events.smi.pending || s->events.smi.latched_init)
		s->mp_state = KVM_MP_STATE_RUNNABLE;
}

int garbage_put(struct rng *rng, struct vcpu *v, const struct cpu_state *s)
{
	int r;

	machine_lock(v->m);
	r = vcpu_set_state(v, s);
	machine_unlock(v->m);
	if (r < 0 || !v->user)
		return r;
	v->user->lapic.esr_new = rng_below(rng, 256) & 0xe0;
	if (rng_chance(rng, 2)) {
		v->user->cr8 = (uint8_t)rng_below(rng, 16);
		v->run->cr8 = v->user->cr8;
	}
	timer_arm(&v->user->timer, UINT64_MAX / 4);
	return 0;
}

static void send(struct rng *rng, struct vcpu *v, unsigned delivery)
{
	const struct kvm_msi msi = {
		.address_lo = 0xfee00000u | (v->apic_id & 0xff) << 12,
		.address_hi = v->apic_id & 0xffffff00u,
		.data = delivery << 8 | 1u << 14 | (16 + rng_below(rng, 240)),
	};

	kvm_vm_signal_msi(v->m->vm, &msi);
}

void garbage_in_flight(struct rng *rng, struct machine *m)
{
	static const unsigned deliveries[] = {APIC_FIXED, APIC_NMI, APIC_INIT, APIC_SIPI};

	for (unsigned i = 0; i < m->nvcpus; i++) {
		struct vcpu *v = &m->vcpus[i];
		unsigned which = v->plugged ? rng_below(rng, 1u << 4) : 0;

		for (unsigned d = 0; d < 4; d++)
			if (which >> d & 1 && !v->user)
				send(rng, v, deliveries[d]);
		if (!v->user || !v->plugged)
			continue;
		machine_lock(m);
		v->user->init = which & 1;
		v->user->sipi = which & 2 ? (int)rng_below(rng, 256) : -1;
		machine_unlock(m);
	}
}

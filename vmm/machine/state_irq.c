// SPDX-License-Identifier: MIT
/* Rows of the table: what comes to a CPU from outside, and the modes that decide what it does with it. */
#include "machine/state_priv.h"

#include <errno.h>
#include <string.h>

#include "machine/internal.h"

#define MSR_TSC		 0x10
#define MSR_TSC_DEADLINE 0x6e0
#define APIC_BASE_BSP	 (1ull << 8)
#define LVT_CMCI_ENTRY	 6 /* "Local APIC Version Register": the number of the last LVT entry */

/* --- nested virtualisation and SMM */

static size_t nested_size(const struct vcpu *v)
{
	int r = kvm_check(v->m->kvm, KVM_CAP_NESTED_STATE);

	return r < (int)sizeof(struct kvm_nested_state) ? 0 : (size_t)r;
}

int state_nested_get(struct vcpu *v, struct cpu_state *s)
{
	size_t size = nested_size(v);

	memset(&s->nested, 0, sizeof(s->nested));
	if (size == 0)
		return 0;
	if (size > sizeof(s->nested))
		return -E2BIG;
	s->nested.head.size = (uint32_t)size;
	return kvm_vcpu_get_nested(v->fd, &s->nested.head);
}

/* No VMXON, no guest mode; GIF set (SDM 3C, "VMXON"; APM 2, "Global Interrupt Flag"). */
void state_nested_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	struct kvm_nested_state *n = &s->nested.head;
	uint16_t format = n->format;

	(void)v;
	(void)kind;
	if (n->size == 0)
		return;
	memset(n, 0, sizeof(*n));
	n->format = format; /* KVM says which of the two it is, whatever CPUID offers */
	n->size = sizeof(*n);
	if (format == KVM_STATE_NESTED_FORMAT_VMX)
		n->hdr.vmx.vmxon_pa = n->hdr.vmx.vmcs12_pa = ~0ull;
	else
		n->flags = KVM_STATE_NESTED_GIF_SET;
}

int state_nested_set(struct vcpu *v, const struct cpu_state *s)
{
	return s->nested.head.size ? kvm_vcpu_set_nested(v->fd, &s->nested.head) : 0;
}

int state_events_get(struct vcpu *v, struct cpu_state *s)
{
	int r;

	memset(&s->events, 0, sizeof(s->events));
	r = kvm_vcpu_get_events(v->fd, &s->events);
	if (r < 0)
		return r;
	/* A KVM without SMM reports the flag and refuses to be given anything with it that is set. */
	if (!kvm_check(v->m->kvm, KVM_CAP_X86_SMM))
		s->events.flags &= ~(unsigned)KVM_VCPUEVENT_VALID_SMM;
	s->pending = (struct cpu_pending){.extint = v->extint, .sipi = -1};
	if (v->user)
		user_get_pending(v, s);
	return 0;
}

void state_smm_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	(void)v;
	if (kind != RESET_INIT)
		memset(&s->events.smi, 0, sizeof(s->events.smi));
}

/* Out of nested virtualisation, into or out of SMM; what is pending stays so. */
int state_smm_set(struct vcpu *v, const struct cpu_state *s)
{
	struct cpu_state now;
	int r = state_nested_get(v, &now);

	if (r < 0)
		return r;
	state_nested_reset(v, &now, RESET_HARD);
	r = state_nested_set(v, &now);
	if (r < 0 || !(s->events.flags & KVM_VCPUEVENT_VALID_SMM))
		return r;
	/* KVM lets no CPU that waits for SIPI into SMM; who it is, the next row says. */
	if ((s->events.smi.smm || s->events.smi.pending) && !v->user)
		r = kvm_vcpu_set_mp_state(v->fd, KVM_MP_STATE_RUNNABLE);
	memset(&now.events, 0, sizeof(now.events));
	if (r == 0)
		r = kvm_vcpu_get_events(v->fd, &now.events);
	if (r < 0)
		return r;
	/* Linux 5.10 forgets of an NMI that SMM came in the middle of only while it is in SMM. */
	if (now.events.smi.smm && now.events.smi.smm_inside_nmi && !s->events.smi.smm) {
		now.events.smi.smm_inside_nmi = 0;
		kvm_vcpu_set_events(v->fd, &now.events);
	}
	now.events.smi = s->events.smi;
	return kvm_vcpu_set_events(v->fd, &now.events);
}

/* --- MP state */

int state_mp_get(struct vcpu *v, struct cpu_state *s)
{
	if (v->user) {
		s->mp_state = user_get_mp_state(v);
		return 0;
	}
	return kvm_vcpu_get_mp_state(v->fd, &s->mp_state);
}

int state_mp_set(struct vcpu *v, const struct cpu_state *s)
{
	return v->user ? user_set_mp_state(v, s->mp_state)
		       : kvm_vcpu_set_mp_state(v->fd, s->mp_state);
}

/*
 * Who is the BSP: after RESET the CPU that the machine has for it; at an INIT the flag in IA32_APIC_BASE decides,
 * which a guest can write.
 */
static bool is_bsp(const struct vcpu *v, enum reset_kind kind)
{
	struct kvm_sregs sregs;

	if (kind != RESET_INIT)
		return v->index == 0;
	if (v->user)
		return v->user->lapic.base & APIC_BASE_BSP;
	return kvm_vcpu_get_sregs(v->fd, &sregs) == 0 && sregs.apic_base & APIC_BASE_BSP;
}

/* Waiting for SIPI: to KVM that is to have received INIT, while its "uninitialized" would take no SIPI yet. */
void state_mp_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	s->mp_state = is_bsp(v, kind) ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
}

/* --- TSC, LAPIC, deadline, events */

int state_tsc_get(struct vcpu *v, struct cpu_state *s)
{
	return kvm_vcpu_get_msr(v->fd, MSR_TSC, &s->tsc);
}

int state_tsc_set(struct vcpu *v, const struct cpu_state *s)
{
	int r = kvm_vcpu_set_msr(v->fd, MSR_TSC, s->tsc);

	if (r == 0 && v->user)
		user_learn_tsc(v);
	return r;
}

/*
 * To KVM a 0 from the host means "like the other vCPUs" (kvm_synchronize_tsc), which is for a CPU that is plugged
 * in; 1 starts the count anew: see machine_reset_state().
 */
void state_tsc_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	(void)kind;
	s->tsc = v->plugged;
}

int state_lapic_get(struct vcpu *v, struct cpu_state *s)
{
	if (!v->user)
		return kvm_vcpu_get_lapic(v->fd, &s->lapic);
	user_get_lapic(v, true, &s->lapic);
	return 0;
}

int state_lapic_set(struct vcpu *v, const struct cpu_state *s)
{
	return v->user ? user_set_lapic(v, true, &s->lapic) : kvm_vcpu_set_lapic(v->fd, &s->lapic);
}

static uint32_t get32(const struct kvm_lapic_state *s, unsigned offset)
{
	uint32_t value;

	memcpy(&value, s->regs + offset, sizeof(value));
	return value;
}

static void put32(struct kvm_lapic_state *s, unsigned offset, uint32_t value)
{
	memcpy(s->regs + offset, &value, sizeof(value));
}

void state_lapic_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	uint32_t id = get32(&s->lapic, 0x20), version = get32(&s->lapic, 0x30);

	memset(&s->lapic, 0, sizeof(s->lapic));
	put32(&s->lapic, 0x20, kind == RESET_INIT ? id : v->apic_id << 24);
	put32(&s->lapic, 0x30, version);    /* the chip's */
	put32(&s->lapic, 0xe0, 0xffffffff); /* DFR */
	put32(&s->lapic, 0xf0, 0xff);	    /* SVR: software-disabled */
	for (unsigned lvt = 0x320; lvt <= 0x370; lvt += 0x10)
		put32(&s->lapic, lvt, 0x10000);
	if ((version >> 16 & 0xff) >= LVT_CMCI_ENTRY)
		put32(&s->lapic, 0x2f0, 0x10000);
}

/* Reads as 0 without a timer in that mode, and does not exist without the feature. */
int state_deadline_get(struct vcpu *v, struct cpu_state *s)
{
	int r = 0;

	s->tsc_deadline = 0;
	if (v->user)
		s->tsc_deadline = v->user->lapic.deadline;
	else
		r = kvm_vcpu_get_msr(v->fd, MSR_TSC_DEADLINE, &s->tsc_deadline);
	return r == -ENOENT ? 0 : r;
}

int state_deadline_set(struct vcpu *v, const struct cpu_state *s)
{
	int r;

	if (v->user)
		return user_set_deadline(v, s->tsc_deadline);
	r = kvm_vcpu_set_msr(v->fd, MSR_TSC_DEADLINE, s->tsc_deadline);
	return r == -ENOENT && s->tsc_deadline == 0 ? 0 : r;
}

void state_deadline_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	(void)v;
	(void)kind;
	s->tsc_deadline = 0;
}

int state_events_set(struct vcpu *v, const struct cpu_state *s)
{
	int r = kvm_vcpu_set_events(v->fd, &s->events);

	v->extint = s->pending.extint;
	if (v->user)
		user_set_pending(v, s);
	return r;
}

/* Everything that can be pending is named valid, and is not. */
void state_events_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)
{
	const struct kvm_vcpu_events old = s->events;
	int sipi = s->pending.sipi;

	(void)v;
	s->events = (struct kvm_vcpu_events){
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
			 (old.flags & (KVM_VCPUEVENT_VALID_SMM | KVM_VCPUEVENT_VALID_TRIPLE_FAULT)),
	};
	s->pending = (struct cpu_pending){.extint = -1, .sipi = -1};
	if (kind != RESET_INIT)
		return;
	s->events.smi = old.smi;
	s->events.smi.pending = 0; /* as in KVM's kvm_vcpu_reset() */
	s->pending.sipi = sipi;	   /* it came after the INIT that is carried out only now */
}

// SPDX-License-Identifier: MIT
/* irqchip mode `user`: our part of a vCPU's state, for the table. Under the machine's lock. */
#include <errno.h>

#include "machine/internal.h"
#include "util/clock.h"

#define MSR_TSC 0x10

uint32_t user_get_mp_state(const struct vcpu *v)
{
	static const uint32_t states[] = {
		[USER_RUNNING] = KVM_MP_STATE_RUNNABLE,
		[USER_HALTED] = KVM_MP_STATE_HALTED,
		[USER_WAIT_SIPI] = KVM_MP_STATE_INIT_RECEIVED,
	};

	return states[v->user->activity];
}

int user_set_mp_state(struct vcpu *v, uint32_t state)
{
	switch (state) {
	case KVM_MP_STATE_RUNNABLE:
		v->user->activity = USER_RUNNING;
		return 0;
	case KVM_MP_STATE_HALTED:
		v->user->activity = USER_HALTED;
		return 0;
	case KVM_MP_STATE_INIT_RECEIVED:
		v->user->activity = USER_WAIT_SIPI;
		return 0;
	default:
		return -EINVAL;
	}
}

/* KVM's CR8 is as old as the last entry. */
void user_get_sregs(struct vcpu *v, struct kvm_sregs *s)
{
	user_catch_up(v);
	s->cr8 = lapic_get_cr8(&v->user->lapic);
	s->apic_base = v->user->lapic.base;
}

int user_set_base(struct vcpu *v, uint64_t base)
{
	struct lapic_effects eff;

	if (lapic_set_base_host(&v->user->lapic, base, &eff) < 0)
		return -EINVAL;
	user_act(v, &eff);
	return 0;
}

void user_learn_tsc(struct vcpu *v)
{
	struct user_cpu *c = v->user;

	if (kvm_vcpu_get_msr(v->fd, MSR_TSC, &c->tsc) == 0)
		c->tsc_ns = clock_now_ns();
}

void user_get_lapic(struct vcpu *v, bool wide_ids, struct kvm_lapic_state *s)
{
	user_catch_up(v);
	lapic_get_state(&v->user->lapic, user_time(v), wide_ids, s);
}

int user_set_lapic(struct vcpu *v, bool wide_ids, const struct kvm_lapic_state *s)
{
	struct user_cpu *c = v->user;
	struct lapic_effects eff;

	if (lapic_set_state(&c->lapic, s, user_time(v), wide_ids, &eff) < 0)
		return -EINVAL;
	/* Else it would be taken for a MOV to CR8. */
	c->cr8 = lapic_get_cr8(&c->lapic);
	v->run->cr8 = c->cr8;
	user_act(v, &eff);
	return 0;
}

int user_set_deadline(struct vcpu *v, uint64_t deadline)
{
	struct lapic_effects eff;

	if (!v->user->lapic.cfg.deadline)
		return deadline ? -EINVAL : 0;
	if (lapic_deadline_write(&v->user->lapic, deadline, &eff) < 0)
		return -EINVAL;
	user_act(v, &eff);
	return 0;
}

void user_get_pending(const struct vcpu *v, struct cpu_state *s)
{
	const struct user_cpu *c = v->user;

	s->pending.nmi = c->nmi;
	s->pending.init = c->init;
	s->pending.sipi = c->sipi;
	s->pending.extint_message = c->lapic.extint_received;
}

void user_set_pending(struct vcpu *v, const struct cpu_state *s)
{
	struct user_cpu *c = v->user;

	c->nmi = s->pending.nmi;
	c->init = s->pending.init;
	c->sipi = s->pending.sipi;
	c->lapic.extint_received = s->pending.extint_message;
}

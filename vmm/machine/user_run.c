// SPDX-License-Identifier: MIT
/* irqchip mode `user`: what a CPU does next. INIT, SIPI, HLT and injection, on its own thread. */
#include <errno.h>

#include "machine/internal.h"

bool user_halt(struct vcpu *v)
{
	machine_lock(v->m);
	v->user->activity = USER_HALTED;
	machine_unlock(v->m);
	return true;
}

/* INIT at an instruction boundary: first the last access is completed. Lock held, but for a while. */
static int do_init(struct vcpu *v)
{
	int r;

	machine_unlock(v->m);
	vcpu_settle(v);
	machine_lock(v->m);
	trace(v->m, (int)v->index, "init");
	v->user->init = false;
	r = vcpu_reset(v, RESET_INIT);
	return r;
}

/* CS:IP = vv00:0000 (SDM vol. 3A, "MP Initialization Protocol Algorithm"). */
static int do_sipi(struct vcpu *v)
{
	struct user_cpu *c = v->user;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int r = kvm_vcpu_get_sregs(v->fd, &sregs);

	if (r == 0)
		r = kvm_vcpu_get_regs(v->fd, &regs);
	if (r < 0)
		return r;
	sregs.cs.selector = (uint16_t)(c->sipi << 8);
	sregs.cs.base = (uint64_t)c->sipi << 12;
	regs.rip = 0;
	c->sipi = -1;
	c->activity = USER_RUNNING;
	r = kvm_vcpu_set_sregs(v->fd, &sregs);
	return r < 0 ? r : kvm_vcpu_set_regs(v->fd, &regs);
}

int user_take_init(struct vcpu *v)
{
	int r = 0;

	if (v->user->init)
		r = do_init(v);
	if (r == 0 && v->user->sipi >= 0)
		r = do_sipi(v);
	return r;
}

/* The vector the CPU takes next: the PIC's, or the LAPIC's; -1: none. */
static int next_vector(struct vcpu *v)
{
	struct lapic *l = &v->user->lapic;
	int vector;

	if (!lapic_extint(l))
		return lapic_pending(l) < 0 ? -1 : lapic_ack(l);
	vector = pic_ack(&v->m->irqchip.pic);
	lapic_extint_ack(l);
	irqchip_update_pic(v->m);
	return vector;
}

static bool wants_interrupt(const struct vcpu *v)
{
	const struct lapic *l = &v->user->lapic;

	return v->extint >= 0 || lapic_extint(l) || lapic_pending(l) >= 0;
}

/* KVM says when the CPU would take an interrupt; until then it is asked to exit when that is so. */
static int inject(struct vcpu *v)
{
	int r;

	if (v->run->ready_for_interrupt_injection && wants_interrupt(v)) {
		if (v->extint < 0)
			v->extint = next_vector(v);
		r = v->extint < 0 ? 0 : kvm_vcpu_interrupt(v->fd, (uint8_t)v->extint);
		if (r < 0 && r != -EEXIST)
			return r;
		if (r == 0) {
			trace(v->m, (int)v->index, "inject vector 0x%02x", (unsigned)v->extint);
			v->extint = -1;
			/* One at a time: what KVM said of being ready is used up. */
			v->run->ready_for_interrupt_injection = 0;
		}
	}
	v->run->request_interrupt_window = wants_interrupt(v);
	return 0;
}

void user_sync_cr8(struct vcpu *v)
{
	struct user_cpu *c = v->user;
	struct lapic_effects eff;

	if (v->run->cr8 == c->cr8)
		return;
	c->cr8 = (uint8_t)v->run->cr8;
	lapic_set_cr8(&c->lapic, c->cr8, &eff);
	user_act(v, &eff);
}

/* Is there a reason for a CPU in this activity to go on? */
static bool awake(const struct vcpu *v)
{
	const struct user_cpu *c = v->user;

	switch (c->activity) {
	case USER_WAIT_SIPI:
		return c->sipi >= 0;
	case USER_HALTED:
		return c->nmi || (v->run->if_flag && wants_interrupt(v));
	default:
		return true;
	}
}

/* Lock held. 0: enter the guest, 1: there is nothing to run, or -errno. */
static int decide(struct vcpu *v)
{
	struct user_cpu *c = v->user;
	int r;

	user_sync_cr8(v);
	r = user_take_init(v);
	if (r < 0 || !awake(v))
		return r < 0 ? r : 1;
	c->activity = USER_RUNNING;
	if (c->nmi) {
		trace(v->m, (int)v->index, "inject nmi");
		c->nmi = false;
		r = kvm_vcpu_nmi(v->fd);
	}
	if (r == 0)
		r = inject(v);
	c->cr8 = lapic_get_cr8(&c->lapic);
	v->run->cr8 = c->cr8;
	user_watch_tpr(v);
	return r;
}

/*
 * No wake-up is lost: v->wakeups was read before requests were looked at (vcpu_checkpoint()), every kick
 * counts it up after it has left its request, and the sleep does not begin when the count has moved.
 */
int user_before_run(struct vcpu *v)
{
	int r;

	machine_lock(v->m);
	r = decide(v);
	machine_unlock(v->m);
	if (r == 1)
		vcpu_sleep(v);
	return r;
}

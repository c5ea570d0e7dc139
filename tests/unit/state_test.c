// SPDX-License-Identifier: MIT
/*
 * The state of a vCPU by the table: what is read from one can be written to another, and what RESET and INIT
 * leave of it. On the real /dev/kvm.
 */
#include <errno.h>

#include "state_rig.h"

#include <errno.h>
#include <signal.h>

#define MSR_TSC		0x10
#define MSR_STAR	0xc0000081
#define MSR_LSTAR	0xc0000082
#define MSR_PAT		0x277
#define MSR_MISC_ENABLE 0x1a0
#define MSR_SYSENTER_CS 0x174
#define MSR_DEF_TYPE	0x2ff

/* --- state there and back */

static __u64 *msr(struct cpu_state *s, uint32_t index)
{
	for (unsigned i = 0; i < s->nmsrs; i++)
		if (s->msrs[i].index == index)
			return &s->msrs[i].data;
	fail_msg("MSR 0x%x is not among %u", index, s->nmsrs);
	return NULL;
}

static void put32(struct kvm_lapic_state *s, unsigned offset, uint32_t value)
{
	memcpy(s->regs + offset, &value, sizeof(value));
}

static uint32_t get32(const struct kvm_lapic_state *s, unsigned offset)
{
	uint32_t value;

	memcpy(&value, s->regs + offset, sizeof(value));
	return value;
}

/* A bit of everything, legal on any CPU. */
static void make_odd(struct cpu_state *s, const struct vcpu *v)
{
	s->regs.rax = 0x1122334455667788;
	s->regs.r15 = 15;
	s->regs.rip = 0x1234;
	s->regs.rflags = 0x202;
	s->sregs.ds.selector = 0x40;
	s->sregs.ds.base = 0x400;
	s->sregs.gdt.base = 0x5000;
	s->sregs.cr2 = 0xdead000;
	s->sregs.cr8 = 3;
	s->sregs.cr4 = 1 << 9;	       /* OSFXSR */
	s->sregs.apic_base |= 1 << 10; /* from xAPIC straight to x2APIC: the host may */
	s->xsave.region[0] = 0x37f;
	s->xsave.region[40] = 0xabcdef;
	s->xsave.region[128] |= 3;
	s->debugregs.db[1] = 0x1000;
	s->debugregs.dr7 = 0x404;
	*msr(s, MSR_STAR) = 0x0023001000000000;
	*msr(s, MSR_PAT) = 0x0007040600070401;
	s->events.nmi.masked = 1;
	put32(&s->lapic, 0x20, v->apic_id);
	put32(&s->lapic, 0xf0, 0x1ff);
	put32(&s->lapic, 0x80, 0x30); /* TPR is CR8 */
	put32(&s->lapic, 0x320, 0x1002f);
	put32(&s->lapic, 0x210, 1 << 5); /* IRR: vector 37 */
	s->pending.extint = 0x61;
	if (v->user) {
		s->mp_state = KVM_MP_STATE_HALTED;
		s->pending.nmi = true;
		s->pending.sipi = 0x12;
		s->pending.extint_message = true;
	}
}

/* Time goes on between two readings. */
static void same_state(struct cpu_state *a, struct cpu_state *b)
{
	a->tsc = b->tsc = 0;
	assert_int_equal(a->mp_state, b->mp_state);
	assert_memory_equal(&a->regs, &b->regs, sizeof(a->regs));
	assert_memory_equal(&a->sregs, &b->sregs, sizeof(a->sregs));
	assert_memory_equal(&a->xsave, &b->xsave, sizeof(a->xsave));
	assert_memory_equal(&a->xcrs, &b->xcrs, sizeof(a->xcrs));
	assert_memory_equal(&a->debugregs, &b->debugregs, sizeof(a->debugregs));
	assert_memory_equal(&a->events, &b->events, sizeof(a->events));
	assert_int_equal(a->nmsrs, b->nmsrs);
	for (unsigned i = 0; i < a->nmsrs; i++)
		if (a->msrs[i].index != b->msrs[i].index || a->msrs[i].data != b->msrs[i].data)
			fail_msg("MSR 0x%x", a->msrs[i].index);
	for (unsigned i = 0; i < KVM_APIC_REG_SIZE; i += 16)
		if (get32(&a->lapic, i) != get32(&b->lapic, i))
			fail_msg("LAPIC 0x%x: 0x%x, 0x%x", i, get32(&a->lapic, i),
				 get32(&b->lapic, i));
	assert_int_equal(a->tsc_deadline, b->tsc_deadline);
	assert_int_equal(a->pending.extint, b->pending.extint);
	assert_int_equal(a->pending.nmi, b->pending.nmi);
	assert_int_equal(a->pending.init, b->pending.init);
	assert_int_equal(a->pending.sipi, b->pending.sipi);
	assert_int_equal(a->pending.extint_message, b->pending.extint_message);
}

static void there_and_back(enum irqchip_mode mode, unsigned cpu)
{
	static struct cpu_state fresh, odd, seen;
	struct vcpu *v;

	if (!make(mode, NULL)) {
		unmake();
		return;
	}
	v = &rig.m->vcpus[cpu];
	assert_int_equal(vcpu_get_state(v, &fresh), 0);
	assert_int_equal(vcpu_set_state(v, &fresh), 0);
	assert_int_equal(vcpu_get_state(v, &seen), 0);
	same_state(&fresh, &seen);
	odd = fresh;
	make_odd(&odd, v);
	assert_int_equal(vcpu_set_state(v, &odd), 0);
	assert_int_equal(vcpu_get_state(v, &odd), 0); /* what derives from the rest: LDR, PPR */
	assert_int_equal(odd.regs.r15, 15);
	assert_int_equal(get32(&odd.lapic, 0x210), 1 << 5);
	assert_int_equal(odd.pending.extint, 0x61);
	assert_int_equal(odd.pending.extint_message, mode == IRQCHIP_USER);
	assert_int_equal(odd.pending.nmi, mode == IRQCHIP_USER);
	unmake();
	/* Another vCPU of the same kind, in another machine. */
	assert_true(make(mode, NULL));
	v = &rig.m->vcpus[cpu];
	assert_int_equal(vcpu_set_state(v, &odd), 0);
	assert_int_equal(vcpu_get_state(v, &seen), 0);
	same_state(&odd, &seen);
	/* And all of it goes with a RESET. */
	assert_int_equal(vcpu_reset(v, RESET_HARD), 0);
	assert_int_equal(vcpu_get_state(v, &seen), 0);
	seen.xsave.region[1] = fresh.xsave.region[1] = 0; /* FTW: see below */
	same_state(&fresh, &seen);
	unmake();
}

static void state_read_and_written_reads_the_same(void **state)
{
	(void)state;
	for (int mode = 0; mode < IRQCHIP_MODES; mode++)
		for (unsigned cpu = 0; cpu < 2; cpu++)
			there_and_back((enum irqchip_mode)mode, cpu);
}

/* irqchip mode user: our own LAPIC is what a fresh one is, in what its page does not show as well. */
static void user_lapic_is_as_new_after_reset(void **state)
{
	static struct cpu_state s;
	struct lapic fresh, *l;
	struct vcpu *v;

	(void)state;
	if (!make(IRQCHIP_USER, NULL))
		return;
	v = &rig.m->vcpus[1];
	l = &v->user->lapic;
	fresh = *l;
	assert_int_equal(vcpu_get_state(v, &s), 0);
	make_odd(&s, v);
	put32(&s.lapic, 0x320, 0x2002f); /* periodic */
	put32(&s.lapic, 0x380, 1000000000);
	put32(&s.lapic, 0x390, 1000000000);
	assert_int_equal(vcpu_set_state(v, &s), 0);
	assert_true(l->armed);
	l->esr_new = 0x40;
	assert_int_equal(vcpu_reset(v, RESET_HARD), 0);
	assert_false(l->armed);
	fresh.start = l->start;
	fresh.first = l->first;
	fresh.expired = l->expired;
	assert_memory_equal(l, &fresh, sizeof(fresh));
	assert_int_equal(v->user->activity, USER_WAIT_SIPI);
	assert_int_equal(v->user->sipi, -1);
}

/* SDM 3A, the same table, column INIT: MSRs, TSC, x87, XCR0, CR0.CD/NW, APIC mode, base and ID stay. */
static void init_keeps_what_the_manual_says(void **state)
{
	static struct cpu_state s;
	uint64_t tsc, second;
	struct vcpu *v;

	(void)state;
	if (!make(IRQCHIP_USER, NULL))
		return;
	v = &rig.m->vcpus[1];
	assert_int_equal(vcpu_get_state(v, &s), 0);
	make_odd(&s, v);
	s.sregs.cr0 = 0x40000011; /* CD */
	s.tsc = 1ull << 50;
	assert_int_equal(vcpu_set_state(v, &s), 0);
	/* What our TSC deadlines are compared to; some KVMs show the host's TSC whatever is written. */
	assert_int_equal(kvm_vcpu_get_msr(v->fd, MSR_TSC, &tsc), 0);
	second = (uint64_t)v->user->tsc_khz * 1000;
	assert_true(user_time(v).tsc + second - tsc < 2 * second);
	assert_int_equal(vcpu_reset(v, RESET_INIT), 0);
	assert_int_equal(vcpu_get_state(v, &s), 0);
	assert_int_equal(s.sregs.cr0, 0x40000010);
	assert_int_equal(s.sregs.cr2, 0);
	assert_int_equal(s.sregs.cr8, 0);
	assert_int_equal(s.sregs.apic_base & 0xfff, 0xc00);
	assert_int_equal(get32(&s.lapic, 0x20), 300);
	assert_int_equal(get32(&s.lapic, 0xf0), 0xff);
	assert_int_equal(get32(&s.lapic, 0x210), 0);
	assert_int_equal(s.regs.rip, 0xfff0);
	assert_int_equal(s.xsave.region[0] & 0xffff, 0x37f);
	assert_int_equal(s.debugregs.db[1], 0);
	assert_true(*msr(&s, MSR_STAR) == 0x0023001000000000);
	assert_true(*msr(&s, MSR_PAT) == 0x0007040600070401);
	assert_true(s.tsc >= tsc);
	assert_int_equal(s.mp_state, KVM_MP_STATE_INIT_RECEIVED);
	assert_int_equal(s.pending.sipi, 0x12); /* it came after the INIT */
	assert_false(s.pending.nmi);
}

/* SDM 3A, the same table: x87 tags 5555h after RESET, "all zero", which is FFh abridged. */
static void x87_after_reset_is_not_as_after_finit(void **state)
{
	static struct cpu_state s;

	(void)state;
	if (!make(IRQCHIP_SPLIT, NULL))
		return;
	assert_int_equal(vcpu_get_state(&rig.m->vcpus[0], &s), 0);
	assert_int_equal(s.xsave.region[0], 0x40);
	assert_int_equal(s.xsave.region[1] & 0xff, 0xff);
	assert_int_equal(s.xsave.region[6], 0x1f80);
}

/* KVM_SET_MSRS stops at the first MSR that it refuses (api.rst): those behind it are written all the same. */
static void refused_msr_does_not_lose_those_behind_it(void **state)
{
	static struct cpu_state s, seen;
	struct vcpu *v;

	(void)state;
	if (!make(IRQCHIP_SPLIT, NULL))
		return;
	v = &rig.m->vcpus[0];
	assert_int_equal(vcpu_get_state(v, &s), 0);
	s.nmsrs = 3;
	s.msrs[0] =
		(struct kvm_msr_entry){.index = MSR_LSTAR, .data = 1ull << 63}; /* not canonical */
	s.msrs[1] = (struct kvm_msr_entry){.index = MSR_STAR, .data = 0x1000000000};
	s.msrs[2] = (struct kvm_msr_entry){.index = MSR_SYSENTER_CS, .data = 0x8};
	assert_int_equal(vcpu_set_state(v, &s), -EINVAL);
	assert_int_equal(vcpu_get_state(v, &seen), 0);
	assert_true(*msr(&seen, MSR_STAR) == 0x1000000000);
	assert_true(*msr(&seen, MSR_SYSENTER_CS) == 0x8);
	assert_true(*msr(&seen, MSR_LSTAR) == 0);
}

/* The selftest rests on it: a row that is left out leaves what was there. */
static void rows_can_be_left_out(void **state)
{
	static struct cpu_state s;
	static const char *const left_out[] = {"IA32_STAR", "MSRs", "debug registers"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct vcpu *v;

		if (!make(IRQCHIP_SPLIT, left_out[i]))
			return;
		v = &rig.m->vcpus[0];
		assert_int_equal(vcpu_get_state(v, &s), 0);
		make_odd(&s, v);
		assert_int_equal(vcpu_set_state(v, &s), 0);
		assert_int_equal(vcpu_reset(v, RESET_HARD), 0);
		assert_int_equal(vcpu_get_state(v, &s), 0);
		assert_int_equal(*msr(&s, MSR_STAR) != 0, i < 2);
		assert_int_equal(*msr(&s, MSR_PAT) != 0x0007040600070406, i == 1);
		assert_int_equal(s.debugregs.db[1] != 0, i == 2);
		unmake();
	}
}

/* MTRRs are not in KVM's list, and a guest can write them (SDM 3A, "MTRR Initialization"). */
static void unlisted_msrs_are_reset(void **state)
{
	struct vcpu *v;
	uint64_t value = 0;

	(void)state;
	if (!make(IRQCHIP_SPLIT, NULL))
		return;
	v = &rig.m->vcpus[0];
	assert_int_equal(kvm_vcpu_set_msr(v->fd, MSR_DEF_TYPE, 0xc06), 0);
	assert_int_equal(vcpu_reset(v, RESET_HARD), 0);
	assert_int_equal(kvm_vcpu_get_msr(v->fd, MSR_DEF_TYPE, &value), 0);
	assert_int_equal(value, 0);
}

/* SDM vol. 4, IA32_MISC_ENABLE: the model decides, and a guest can change it. */
static void what_the_model_decides_comes_back(void **state)
{
	struct vcpu *v;
	uint64_t made, value = 0;

	(void)state;
	if (!make(IRQCHIP_SPLIT, NULL))
		return;
	v = &rig.m->vcpus[1];
	assert_int_equal(kvm_vcpu_get_msr(v->fd, MSR_MISC_ENABLE, &made), 0);
	assert_int_equal(kvm_vcpu_set_msr(v->fd, MSR_MISC_ENABLE, made ^ 1), 0); /* fast strings */
	assert_int_equal(vcpu_reset(v, RESET_INIT), 0);
	assert_int_equal(kvm_vcpu_get_msr(v->fd, MSR_MISC_ENABLE, &value), 0);
	assert_true(value == (made ^ 1));
	assert_int_equal(vcpu_reset(v, RESET_HARD), 0);
	assert_int_equal(kvm_vcpu_get_msr(v->fd, MSR_MISC_ENABLE, &value), 0);
	assert_true(value == made);
}

/* irqchip mode user: CR8 is TPR (SDM 3A, "Task Priority in IA-32e Mode"), and KVM's copy of it is in kvm_run. */
static void user_cr8_is_read_and_reset(void **state)
{
	static struct cpu_state s;
	struct vcpu *v;

	(void)state;
	if (!make(IRQCHIP_USER, NULL))
		return;
	v = &rig.m->vcpus[0];
	v->run->cr8 = 5; /* MOV to CR8 in the guest */
	assert_int_equal(vcpu_get_state(v, &s), 0);
	assert_int_equal(s.sregs.cr8, 5);
	assert_int_equal(get32(&s.lapic, 0x80), 0x50);
	assert_int_equal(vcpu_reset(v, RESET_HARD), 0);
	assert_int_equal(v->run->cr8, 0);
	assert_int_equal(vcpu_get_state(v, &s), 0);
	assert_int_equal(get32(&s.lapic, 0x80), 0);
}

static void on_signal(int sig)
{
	(void)sig;
}

/* Of a vector that KVM_INTERRUPT gave to KVM, no ioctl knows until KVM makes the CPU ready to enter the guest. */
static void vector_that_kvm_was_given_is_reset(void **state)
{
	const uint32_t lint0_extint = 0x700, svr_enabled = 0x1ff;
	static struct cpu_state s;
	struct vcpu *v;

	(void)state;
	if (!make(IRQCHIP_SPLIT, NULL))
		return;
	signal(SIGUSR2, on_signal);
	v = &rig.m->vcpus[0];
	assert_int_equal(vcpu_get_state(v, &s), 0);
	memcpy(s.lapic.regs + 0x350, &lint0_extint, sizeof(lint0_extint));
	memcpy(s.lapic.regs + 0xf0, &svr_enabled, sizeof(svr_enabled));
	s.regs.rflags |= 1 << 9;
	assert_int_equal(vcpu_set_state(v, &s), 0);
	assert_int_equal(kvm_vcpu_interrupt(v->fd, 0x55), 0);
	assert_int_equal(kvm_vcpu_get_events(v->fd, &s.events), 0);
	assert_int_equal(s.events.interrupt.injected, 0);
	assert_int_equal(kvm_vcpu_take_up(v->fd, SIGUSR2), -EINTR);
	assert_int_equal(kvm_vcpu_get_events(v->fd, &s.events), 0);
	assert_int_equal(s.events.interrupt.injected, 1);
	assert_int_equal(s.events.interrupt.nr, 0x55);
	assert_int_equal(kvm_vcpu_get_regs(v->fd, &s.regs), 0);
	assert_int_equal(s.regs.rip, 0xfff0); /* no instruction of the guest has run */
	assert_int_equal(vcpu_reset(v, RESET_HARD), 0);
	assert_int_equal(kvm_vcpu_get_events(v->fd, &s.events), 0);
	assert_int_equal(s.events.interrupt.injected, 0);
	assert_int_equal(kvm_vcpu_interrupt(v->fd, 0x56), 0); /* KVM has room for one */
	unmake();
}

TEST_MAIN(T(vector_that_kvm_was_given_is_reset), T(state_read_and_written_reads_the_same),
	  T(user_lapic_is_as_new_after_reset), T(init_keeps_what_the_manual_says),
	  T(x87_after_reset_is_not_as_after_finit), T(refused_msr_does_not_lose_those_behind_it),
	  T(rows_can_be_left_out), T(unlisted_msrs_are_reset), T(what_the_model_decides_comes_back),
	  T(user_cr8_is_read_and_reset))

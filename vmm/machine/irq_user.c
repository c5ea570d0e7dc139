// SPDX-License-Identifier: MIT
/*
 * irqchip mode `user`: nothing is in the kernel. Accesses to the LAPIC come as MMIO exits and as MSR
 * exits, interrupts go in by KVM_INTERRUPT and KVM_NMI, and INIT, SIPI and HLT are carried out here
 * and in user_run.c.
 */
#include <stdlib.h>
#include <string.h>

#include "machine/internal.h"
#include "util/clock.h"

#define XAPIC_ID_MAX	 254
#define MSR_TSC		 0x10
#define MSR_APIC_BASE	 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC_FIRST 0x800
#define MSR_X2APIC_LAST	 0x8ff

static int create(struct machine *m, struct error *err)
{
	struct user_irqchip *u = &m->irqchip.user;
	struct error no_deadline;
	int r = kvm_vm_msr_exits(m->vm, (const uint32_t[]){MSR_APIC_BASE, MSR_TSC_DEADLINE}, 2);

	if (r < 0)
		return error_set(
			err, EXIT_SKIP,
			"irqchip mode 'user': KVM_X86_SET_MSR_FILTER: %s; use --irqchip split",
			strerror(-r));
	u->x2apic = kvm_try_irqchip(m->kvm, KVM_TRIAL_USER, &u->no_x2apic) == 0;
	u->deadline = kvm_try_irqchip(m->kvm, KVM_TRIAL_DEADLINE, &no_deadline) == 0;
	u->cpus = calloc(m->cfg.board->ncpus, sizeof(*u->cpus));
	u->targets = calloc(m->cfg.board->ncpus, sizeof(*u->targets));
	if (!u->cpus || !u->targets)
		return error_set(err, EXIT_SETUP, "out of memory");
	return irqchip_add_chips(m, err);
}

static void on_timer(void *ctx)
{
	struct vcpu *v = ctx;
	/* The next period, or a TPR to look at again: user_arm() knows. */
	const struct lapic_effects again = {.timer = true};

	v->user->fired_ns = clock_now_ns();
	if (lapic_timer_expire(&v->user->lapic, user_time(v)))
		user_tick(v);
	user_act(v, &again);
	vcpu_kick(v);
}

static int add_vcpu(struct vcpu *v, struct error *err)
{
	struct lapic_effects eff;
	struct user_irqchip *u = &v->m->irqchip.user;
	struct user_cpu *c = calloc(1, sizeof(*c));
	struct lapic_config cfg = {
		.id = v->apic_id,
		.bsp = v->index == 0,
		.x2apic = u->x2apic,
		.phys_bits = cpuid_phys_bits(v->m),
	};
	int khz = kvm_vcpu_tsc_khz(v->fd);

	cfg.deadline = u->deadline && khz > 0;
	if (!u->x2apic && v->apic_id > XAPIC_ID_MAX) {
		free(c);
		return error_set(
			err, EXIT_SKIP,
			"APIC ID %u needs x2APIC, which this KVM does not leave to userspace: %s",
			v->apic_id, u->no_x2apic.text);
	}
	if (!c)
		return error_set(err, EXIT_SETUP, "out of memory");
	v->user = c;
	c->tsc_khz = cfg.tsc_khz = khz > 0 ? (uint32_t)khz : 0;
	if (kvm_vcpu_get_msr(v->fd, MSR_TSC, &c->tsc) < 0)
		cfg.deadline = false;
	c->tsc_ns = clock_now_ns();
	c->sipi = -1;
	c->activity = v->index == 0 ? USER_RUNNING : USER_WAIT_SIPI;
	lapic_init(&c->lapic, &cfg);
	lapic_set_lint(&c->lapic, 0, atomic_load(&v->m->irqchip.pic_intr), &eff);
	v->user_index = u->bus.count;
	u->cpus[v->user_index] = v;
	if (apic_bus_add(&u->bus, &c->lapic) < 0)
		return error_set(err, EXIT_SETUP, "out of memory");
	return timer_open(&c->timer, v->m->loop, on_timer, v, err);
}

static void remove_vcpu(struct vcpu *v)
{
	if (v->user && v->user->timer.loop)
		timer_close(&v->user->timer);
	free(v->user);
}

static void destroy(struct machine *m)
{
	apic_bus_free(&m->irqchip.user.bus);
	free(m->irqchip.user.cpus);
	free(m->irqchip.user.targets);
}

/* INTR is wired to LINT0 of every CPU; usually one of them listens. */
static void pic_changed(struct machine *m, bool intr)
{
	struct user_irqchip *u = &m->irqchip.user;
	struct lapic_effects eff;

	for (unsigned i = 0; i < u->bus.count; i++) {
		lapic_set_lint(&u->cpus[i]->user->lapic, 0, intr, &eff);
		user_act(u->cpus[i], &eff);
	}
}

/* --- exits */

/*
 * Before an access: what the guest did to CR8 counts, and a tick that is due comes now, even when the loop
 * is late. It must neither be lost to a write that stops the timer nor come by way of one that unmasks it.
 */
void user_catch_up(struct vcpu *v)
{
	user_sync_cr8(v);
	if (lapic_timer_expire(&v->user->lapic, user_time(v)))
		user_tick(v);
}

/* An MMIO access within this CPU's APIC page; false: it is somebody else's. */
static bool lapic_access(struct vcpu *v, bool write, uint64_t addr, unsigned size, uint64_t *value)
{
	struct lapic *l = &v->user->lapic;
	struct lapic_effects eff;
	uint64_t offset;

	machine_lock(v->m);
	user_catch_up(v);
	offset = addr - lapic_page(l);
	if (lapic_mode(l) != LAPIC_XAPIC || offset >= LAPIC_LEN || size > LAPIC_LEN - offset) {
		machine_unlock(v->m);
		return false;
	}
	if (write)
		lapic_mmio_write(l, offset, size, (uint32_t)*value, user_time(v), &eff);
	else
		*value = lapic_mmio_read(l, offset, size, user_time(v), &eff);
	user_act(v, &eff);
	machine_unlock(v->m);
	return true;
}

/* -1: #GP. KVM keeps an APIC base of its own, for CPUID and SREGS: it follows ours. */
static int write_base(struct vcpu *v, uint64_t value, struct lapic_effects *eff)
{
	if (lapic_set_base(&v->user->lapic, value, eff) < 0)
		return -1;
	return kvm_vcpu_set_msr(v->fd, MSR_APIC_BASE, v->user->lapic.base) < 0 ? -1 : 0;
}

/* The deadline is a TSC value: learn what the TSC is, in case the guest has set it. */
static int write_deadline(struct vcpu *v, uint64_t value, struct lapic_effects *eff)
{
	user_learn_tsc(v);
	return lapic_deadline_write(&v->user->lapic, value, eff);
}

static int msr_write(struct vcpu *v, uint32_t index, uint64_t value, struct lapic_effects *eff)
{
	struct lapic *l = &v->user->lapic;

	if (index == MSR_APIC_BASE)
		return write_base(v, value, eff);
	if (index == MSR_TSC_DEADLINE)
		return write_deadline(v, value, eff);
	if (index < MSR_X2APIC_FIRST || index > MSR_X2APIC_LAST)
		return -1;
	return lapic_msr_write(l, index, value, user_time(v), eff);
}

static int msr_read(struct vcpu *v, uint32_t index, uint64_t *value)
{
	struct lapic *l = &v->user->lapic;

	if (index == MSR_APIC_BASE) {
		*value = l->base;
		return 0;
	}
	if (index == MSR_TSC_DEADLINE)
		return lapic_deadline_read(l, value);
	if (index < MSR_X2APIC_FIRST || index > MSR_X2APIC_LAST)
		return -1;
	return lapic_msr_read(l, index, user_time(v), value);
}

/* RDMSR and WRMSR that KVM refused or was told to hand over. -1: the guest gets #GP. */
static int msr_access(struct vcpu *v, bool write, uint32_t index, uint64_t *value)
{
	struct lapic_effects eff = {.send = false};
	int r;

	machine_lock(v->m);
	user_catch_up(v);
	r = write ? msr_write(v, index, *value, &eff) : msr_read(v, index, value);
	if (r == 0)
		user_act(v, &eff);
	machine_unlock(v->m);
	return r;
}

const struct irqchip_ops irqchip_user = {
	.name = "user",
	.create = create,
	.add_vcpu = add_vcpu,
	.remove_vcpu = remove_vcpu,
	.destroy = destroy,
	.set_line = irqchip_set_line,
	.pic_changed = pic_changed,
	.deliver = user_deliver,
	.before_run = user_before_run,
	.lapic_access = lapic_access,
	.msr_access = msr_access,
	.halt = user_halt,
	.userspace_pit = true,
};

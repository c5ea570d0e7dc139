// SPDX-License-Identifier: MIT
/*
 * CPUs that come and go. KVM never gives a vCPU back, so one that was removed stays as a thread that is held,
 * with its APIC globally disabled: no message finds it. A CPU that comes is reset like all others.
 */
#include <errno.h>
#include <stddef.h>

#include "machine/internal.h"

#define MSR_APIC_BASE 0x1b

static struct vcpu *find(struct machine *m, uint32_t apic_id)
{
	for (unsigned i = 0; i < m->nvcpus; i++)
		if (m->vcpus[i].apic_id == apic_id)
			return &m->vcpus[i];
	return NULL;
}

uint32_t hotplug_status(void *ctx, uint32_t apic_id)
{
	const struct vcpu *v = find(ctx, apic_id);

	return v ? HOTPLUG_PRESENT | (v->plugged ? HOTPLUG_PLUGGED : 0) : 0;
}

int vcpu_leave_out(struct vcpu *v)
{
	v->plugged = false;
	if (v->user) {
		struct lapic_effects eff;

		lapic_set_base_host(&v->user->lapic, v->user->lapic.base & ~LAPIC_BASE_ENABLE,
				    &eff);
	}
	return kvm_vcpu_set_msr(v->fd, MSR_APIC_BASE, LAPIC_DEFAULT_BASE);
}

/* A vCPU that is held. */
static int take_out(struct vcpu *v)
{
	int r = vcpu_reset(v, RESET_HARD);

	return r < 0 ? r : vcpu_leave_out(v);
}

/* One that was taken out, or was never there. */
static int put_in(struct vcpu *v, struct error *err)
{
	if (!v->created && v->fd >= 0)
		return error_set(err, EXIT_KVM, "CPU %u could not be created before", v->index);
	if (!v->created && vcpu_create(v, err) < 0)
		return -1;
	if (vcpu_reset(v, RESET_HARD) < 0) {
		error_fill(err, EXIT_KVM, "KVM refuses the reset of CPU %u", v->index);
		vcpu_leave_out(v);
		return -1;
	}
	if (v->m->live && !v->started && vcpu_start(v, err) < 0) {
		vcpu_leave_out(v);
		return -1;
	}
	v->plugged = true;
	if (atomic_load(&v->held))
		vcpu_release(v);
	return 0;
}

static void changed(struct vcpu *v)
{
	trace(v->m, (int)v->index, "%s", v->plugged ? "added" : "removed");
	hotplug_changed(&v->m->platform.hotplug);
}

int machine_plug(struct machine *m, uint32_t apic_id, struct error *err)
{
	struct vcpu *v = find(m, apic_id);

	if (!v)
		return error_set(err, EXIT_SETUP, "no CPU of this machine has APIC ID %u", apic_id);
	if (v->plugged)
		return error_set(err, EXIT_SETUP, "the CPU with APIC ID %u is there already",
				 apic_id);
	if (put_in(v, err) < 0)
		return -1;
	changed(v);
	return 0;
}

int machine_unplug(struct machine *m, uint32_t apic_id, struct error *err)
{
	struct vcpu *v = find(m, apic_id);

	if (!v)
		return error_set(err, EXIT_SETUP, "no CPU of this machine has APIC ID %u", apic_id);
	if (!v->plugged)
		return error_set(err, EXIT_SETUP, "the CPU with APIC ID %u is not there", apic_id);
	if (v->index == 0)
		return error_set(err, EXIT_SETUP, "the boot CPU cannot be removed");
	machine_unlock(m);
	vcpu_hold(v);
	machine_lock(m);
	if (take_out(v) < 0) {
		machine_end(m, OUTCOME_KVM, v->index, 0, "KVM refuses the reset of a CPU");
		return error_set(err, EXIT_KVM, "KVM refuses the reset of CPU %u", v->index);
	}
	changed(v);
	return 0;
}

int hotplug_reset(struct machine *m)
{
	struct error err;

	for (unsigned i = 0; i < m->nvcpus; i++) {
		struct vcpu *v = &m->vcpus[i];
		bool there = m->cfg.board->cpus[i].enabled;

		if (v->plugged && !there) {
			vcpu_hold(v);
			if (take_out(v) < 0)
				return -EIO;
		} else if (!v->plugged && there && put_in(v, &err) < 0) {
			return -EIO;
		}
	}
	return 0;
}

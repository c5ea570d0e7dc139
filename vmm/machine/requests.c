// SPDX-License-Identifier: MIT
/*
 * What can be asked of a machine that runs: a reset, a pause, a CPU more or less. Devices ask through an
 * eventfd and go on; all of it is done in the loop's thread. That thread holds the machine's lock
 * (the loop's guard) and lets go of it while it waits for CPUs, which may want it.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "machine/internal.h"

static void ask(struct machine *m)
{
	uint64_t one = 1;

	if (write(m->control_fd, &one, sizeof(one)) < 0)
		machine_end(m, OUTCOME_KVM, 0, 0, "eventfd: %s", strerror(errno));
}

void machine_ask_reset(void *ctx, enum reset_kind kind)
{
	struct machine *m = ctx;
	int none = STOP_NONE;

	atomic_store(&m->reset, kind);
	atomic_compare_exchange_strong(&m->stop, &none, STOP_PARK);
	ask(m);
}

void machine_ask_plug(void *ctx, uint32_t apic_id, bool add)
{
	struct machine *m = ctx;

	m->plug.asked = true;
	m->plug.apic_id = apic_id;
	m->plug.add = add;
	ask(m);
}

static void stop(struct machine *m)
{
	machine_unlock(m);
	vcpus_stop(m);
	machine_lock(m);
}

/* Unless somebody else wants them to stand still. */
static void go_on(struct machine *m)
{
	if (!m->paused && !atomic_load(&m->ended) && atomic_load(&m->reset) < 0)
		vcpus_resume(m);
}

/* RAM as this kind leaves it. */
static int reset_memory(struct machine *m, enum reset_kind kind, struct error *err)
{
	bool warm = kind == RESET_SOFT || kind == RESET_KBC || kind == RESET_TRIPLE_FAULT;

	/* The guest goes on where the vector at 0x467 says, with all that it has. */
	if (warm && (m->cfg.keep_ram || platform_warm_vector(m)))
		return 0;
	if (!warm)
		memory_clear(m);
	return memory_load(m, err);
}

static void reset(struct machine *m, enum reset_kind kind)
{
	struct error err;
	int r;

	if (m->cfg.limit_reboots && m->resets == m->cfg.reboots) {
		machine_end(m, OUTCOME_RESET, 0, kind, "ended by a reset (%s)",
			    reset_kind_name(kind));
		return;
	}
	m->resets++;
	trace(m, -1, "reset: %s", reset_kind_name(kind));
	/* First: devices' resets change what it asks them. */
	r = reset_memory(m, kind, &err);
	if (r < 0) {
		machine_end(m, OUTCOME_KVM, 0, 0, "reset: %s", err.text);
		return;
	}
	if (kind != RESET_SOFT)
		m->plug.asked = false; /* the device that asked is reset */
	r = machine_reset_state(m, kind);
	if (r < 0)
		machine_end(m, OUTCOME_KVM, 0, 0, "reset: %s", strerror(-r));
}

void machine_reset_now(struct machine *m, enum reset_kind kind)
{
	stop(m);
	/* One that the guest asked for meanwhile is part of this one. */
	atomic_store(&m->reset, -1);
	if (!atomic_load(&m->ended))
		reset(m, kind);
	go_on(m);
}

void machine_pause(struct machine *m)
{
	m->paused = true;
	stop(m);
}

void machine_resume(struct machine *m)
{
	m->paused = false;
	go_on(m);
}

static void serve_plug(struct machine *m)
{
	struct error err;
	bool done;

	m->plug.asked = false;
	done = (m->plug.add ? machine_plug : machine_unplug)(m, m->plug.apic_id, &err) == 0;
	if (!done)
		trace(m, -1, "hot-plug: %s", err.text);
	hotplug_done(&m->platform.hotplug, done);
}

void machine_serve_requests(struct machine *m)
{
	int kind = atomic_load(&m->reset);

	if (kind >= 0)
		machine_reset_now(m, (enum reset_kind)kind);
	if (m->plug.asked)
		serve_plug(m);
}

int vcpu_send_nmi(struct vcpu *v, struct error *err)
{
	struct machine *m = v->m;
	int r;

	if (!v->plugged)
		return error_set(err, EXIT_SETUP, "CPU %u is not there", v->index);
	if (v->user) {
		const struct lapic_effects nmi = {.nmi = true};

		user_act(v, &nmi);
		return 0;
	}
	machine_unlock(m);
	vcpu_hold(v); /* else the ioctl waits until the CPU happens to leave the guest */
	machine_lock(m);
	r = kvm_vcpu_nmi(v->fd);
	vcpu_release(v);
	return r < 0 ? error_set(err, EXIT_KVM, "KVM_NMI: %s", strerror(-r)) : 0;
}

int vcpu_send_init(struct vcpu *v, struct error *err)
{
	const struct kvm_msi msi = {
		.address_lo = 0xfee00000u | (v->apic_id & 0xff) << 12,
		.address_hi = v->apic_id & 0xffffff00u,
		.data = (uint32_t)APIC_INIT << 8 | 1u << 14,
	};
	int r;

	if (!v->plugged)
		return error_set(err, EXIT_SETUP, "CPU %u is not there", v->index);
	if (v->user) {
		const struct lapic_effects init = {.init = true};

		user_act(v, &init);
		return 0;
	}
	r = kvm_vm_signal_msi(v->m->vm, &msi);
	if (r < 0)
		return error_set(err, EXIT_KVM, "KVM_SIGNAL_MSI: %s", strerror(-r));
	if (r == 0)
		return error_set(err, EXIT_SETUP,
				 "the APIC of CPU %u took no INIT: it is globally disabled, or "
				 "the guest has changed its ID",
				 v->index);
	return 0;
}

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

static bool is_warm(enum reset_kind kind)
{
	return kind == RESET_SOFT || kind == RESET_KBC || kind == RESET_TRIPLE_FAULT;
}

static void reset(struct machine *m, enum reset_kind kind)
{
	/* With the vector at 0x467 the guest goes on there, with all that it has. */
	bool keep_ram = is_warm(kind) && (m->cfg.keep_ram || platform_warm_vector(m));
	struct error err;
	int r;

	if (m->cfg.limit_reboots && m->resets == m->cfg.reboots) {
		machine_end(m, OUTCOME_RESET, 0, kind, "ended by a reset (%s)",
			    reset_kind_name(kind));
		return;
	}
	m->resets++;
	trace(m, -1, "reset: %s", reset_kind_name(kind));
	if (kind != RESET_SOFT)
		m->plug.asked = false; /* the device that asked is reset */
	r = machine_reset_state(m, kind);
	if (r < 0) {
		machine_end(m, OUTCOME_KVM, 0, 0, "reset: %s", strerror(-r));
		return;
	}
	/* RAM last: until here KVM may have written to it for a CPU of the old life. */
	if (keep_ram)
		return;
	if (!is_warm(kind))
		memory_clear(m);
	if (memory_load(m, &err) < 0)
		machine_end(m, OUTCOME_KVM, 0, 0, "reset: %s", err.text);
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
	trace(m, -1, "pause");
	stop(m);
}

void machine_resume(struct machine *m)
{
	if (!m->paused)
		return;
	m->paused = false;
	trace(m, -1, "resume");
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

/* A CPU that waits for INIT or SIPI takes no NMI, and would keep KVM busy with one that is pending. */
static int send_nmi(struct vcpu *v, struct error *err)
{
	uint32_t state;
	int r = kvm_vcpu_get_mp_state(v->fd, &state);

	if (r == 0 && (state == KVM_MP_STATE_UNINITIALIZED || state == KVM_MP_STATE_INIT_RECEIVED))
		return error_set(err, EXIT_SETUP, "CPU %u waits for SIPI, and takes no NMI",
				 v->index);
	if (r == 0)
		r = kvm_vcpu_nmi(v->fd);
	return r < 0 ? error_set(err, EXIT_KVM, "KVM_NMI: %s", strerror(-r)) : 0;
}

/* As by its pin. A message would find all CPUs with the ID that the guest has given this one. */
static int send_init(struct vcpu *v, struct error *err)
{
	struct kvm_vcpu_events e = {.flags = 0};
	int r = kvm_vcpu_get_events(v->fd, &e);

	e.flags |= KVM_VCPUEVENT_VALID_SMM;
	e.smi.latched_init = 1;
	if (r == 0)
		r = kvm_vcpu_set_events(v->fd, &e);
	return r < 0 ? error_set(err, EXIT_KVM, "KVM_SET_VCPU_EVENTS: %s", strerror(-r)) : 0;
}

/* One that runs is held meanwhile, else an ioctl waits until it happens to leave the guest. */
static int held(struct vcpu *v, const char *what, int (*send)(struct vcpu *, struct error *),
		struct error *err)
{
	int r;

	if (!v->plugged)
		return error_set(err, EXIT_SETUP, "CPU %u is not there", v->index);
	machine_unlock(v->m);
	vcpu_hold(v);
	machine_lock(v->m);
	r = send(v, err);
	if (r == 0)
		trace(v->m, (int)v->index, "%s by the host", what);
	vcpu_release(v);
	return r;
}

static int user_send_nmi(struct vcpu *v, struct error *err)
{
	const struct lapic_effects nmi = {.nmi = true};

	if (v->user->activity == USER_WAIT_SIPI)
		return error_set(err, EXIT_SETUP, "CPU %u waits for SIPI, and takes no NMI",
				 v->index);
	user_act(v, &nmi);
	return 0;
}

static int user_send_init(struct vcpu *v, struct error *err)
{
	const struct lapic_effects init = {.init = true};

	(void)err;
	user_act(v, &init);
	return 0;
}

int vcpu_send_nmi(struct vcpu *v, struct error *err)
{
	return held(v, "nmi", v->user ? user_send_nmi : send_nmi, err);
}

int vcpu_send_init(struct vcpu *v, struct error *err)
{
	return held(v, "init", v->user ? user_send_init : send_init, err);
}

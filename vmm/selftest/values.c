// SPDX-License-Identifier: MIT
/* What CPUs and devices hold after creation, power-on, RESET and INIT, against the manuals. */
#include <inttypes.h>
#include <string.h>

#include "selftest/bench.h"

static const enum reset_kind reset_kinds[] = {
	RESET_HARD, RESET_SOFT, RESET_KBC, RESET_TRIPLE_FAULT, RESET_HOST,
};

#define RESETS (sizeof(reset_kinds) / sizeof(reset_kinds[0]))

static void deviation(struct bench *b, const char *where, const char *name,
		      const struct expectation *e, uint64_t seen)
{
	b->res->deviations++;
	printf("deviation: %s: %s: %s: expected 0x%" PRIx64 ", seen 0x%" PRIx64 " (%s)\n",
	       irqchip_mode_name(b->cfg->mode), where, name, e->value, seen, e->section);
}

/* Said once in a situation, counted always. */
static void known(struct bench *b, const struct known *k, const char *where, const char *name,
		  const struct expectation *e, uint64_t seen)
{
	b->res->known++;
	for (unsigned i = 0; i < b->ntold; i++)
		if (b->told[i] == k)
			return;
	if (b->ntold < KNOWN_MAX)
		b->told[b->ntold++] = k;
	printf("known: %s: %s: %s: expected 0x%" PRIx64 ", seen 0x%" PRIx64 ": %s: %s\n",
	       irqchip_mode_name(b->cfg->mode), where, name, e->value, seen, k->id, k->why);
}

void values_check_cpu(struct bench *b, const struct subject *s, const char *where)
{
	for (unsigned i = 0; i < b->schema.n; i++) {
		const struct field *f = &b->schema.field[i];
		uint64_t before = s->before ? s->before->value[i] : 0, seen = s->now->value[i];
		const struct known *k;
		struct expectation e;
		char at[64];

		if (!expect(&b->schema, i, s, &e))
			e = (struct expectation){.section = "no row of a table names it",
						 .value = ~seen,
						 .also = ~seen};
		if (e.any)
			continue;
		b->res->checked++;
		if (seen == e.value || seen == e.also)
			continue;
		snprintf(at, sizeof(at), "%s: CPU %u", where, s->v->index);
		k = known_deviation(f->name, s, seen, before, b->legal.tsc);
		if (k)
			known(b, k, where, f->name, &e, seen);
		else
			deviation(b, at, f->name, &e, seen);
	}
}

static int check_machine(struct bench *b, struct machine *m, struct subject *s, const char *where,
			 struct error *err)
{
	for (unsigned cpu = 0; cpu < RIG_CPUS; cpu++) {
		s->v = &m->vcpus[cpu];
		s->before = s->situation == RESET ? &b->before[cpu] : NULL;
		s->now = &b->now;
		if (!s->v->plugged) /* taken out before a reset that does not put it in */
			continue;
		if (image_take(&b->schema, &m->vcpus[cpu], &b->now) < 0)
			return error_set(err, EXIT_KVM, "cannot read the state of CPU %u", cpu);
		values_check_cpu(b, s, where);
	}
	return 0;
}

static void check_devices(struct bench *b, const struct dev_image *im, const char *where)
{
	for (unsigned i = 0; i < im->n; i++) {
		const struct dev_field *f = &im->field[i];
		struct expectation e = {.any = false};

		if (!devices_expect(f, &e.value, &e.section))
			continue;
		b->res->checked++;
		if (f->value != e.value)
			deviation(b, where, f->name, &e, f->value);
	}
}

static int creation(struct bench *b, struct error *err)
{
	struct subject s = {.situation = CREATED, .kind = RESET_POWER_ON};
	struct rig raw;
	int r;

	if (rig_open(&raw, b->cfg->mode, true, NULL, err) < 0)
		return -1;
	b->ntold = 0;
	r = check_machine(b, raw.m, &s, "after creation", err);
	rig_close(&raw);
	if (r < 0)
		return r;
	s.situation = POWER_ON;
	b->ntold = 0;
	r = check_machine(b, b->rig.m, &s, "after power-on", err);
	devices_take(b->rig.m, &b->dev_now);
	check_devices(b, &b->dev_now, "after power-on");
	return r;
}

static int resets(struct bench *b, struct error *err)
{
	for (unsigned i = 0; i < RESETS; i++) {
		struct subject s = {.situation = RESET, .kind = reset_kinds[i]};
		char where[48];

		snprintf(where, sizeof(where), "after RESET (%s)", reset_kind_name(s.kind));
		b->ntold = 0;
		if (bench_fill(b, err) < 0 || bench_reset(b, s.kind, err) < 0 ||
		    check_machine(b, b->rig.m, &s, where, err) < 0)
			return -1;
		devices_take(b->rig.m, &b->dev_now);
		if (s.kind != RESET_SOFT)
			check_devices(b, &b->dev_now, where);
	}
	return 0;
}

/* --- INIT */

#define OWN_XAPIC_ID 0x77u /* that a guest has written: no other CPU has it */

/* Garbage with which an INIT arrives: in this mode of the APIC, and not in SMM, where it would wait. */
static void init_state(struct bench *b, struct vcpu *v, bool x2apic, struct cpu_state *s)
{
	uint64_t mode = LAPIC_BASE_ENABLE | (x2apic ? LAPIC_BASE_X2APIC : 0);

	do
		garbage_state(&b->legal, &b->rng, v, &b->fresh[v->index].s, s);
	while ((s->sregs.apic_base & (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC)) != mode ||
	       s->events.smi.smm);
	s->mp_state = KVM_MP_STATE_RUNNABLE;
	if (!x2apic)
		lapic_put(s, 0x20, OWN_XAPIC_ID << 24);
}

/* Where the LAPIC is KVM's, so is INIT: a message, which KVM_GET_MP_STATE makes it act on. */
static int send_init(struct vcpu *v, bool x2apic, struct error *err)
{
	uint32_t id = x2apic ? v->apic_id : OWN_XAPIC_ID;
	const struct kvm_msi msi = {
		.address_lo = 0xfee00000u | (id & 0xff) << 12,
		.address_hi = id & 0xffffff00u,
		.data = (uint32_t)APIC_INIT << 8 | 1u << 14,
	};
	int r;

	if (v->user) {
		machine_lock(v->m);
		v->user->init = false;
		r = vcpu_reset(v, RESET_INIT);
		machine_unlock(v->m);
		return r < 0 ? error_set(err, EXIT_KVM, "an INIT fails: %s", strerror(-r)) : 0;
	}
	r = kvm_vm_signal_msi(v->m->vm, &msi);
	if (r == 1)
		return 0;
	return error_set(err, EXIT_KVM, "%d APICs accepted an INIT for CPU %u in %s mode", r,
			 v->index, x2apic ? "x2APIC" : "xAPIC");
}

static int init_one(struct bench *b, unsigned cpu, bool x2apic, struct error *err)
{
	static struct cpu_state state;
	struct vcpu *v = &b->rig.m->vcpus[cpu];
	struct cpu_image *before = &b->before[cpu];
	struct subject s = {
		.v = v, .situation = INIT, .kind = RESET_INIT, .before = before, .now = &b->now};
	int r;

	/* The others are out of the way. */
	if (bench_reset(b, RESET_HARD, err) < 0)
		return -1;
	init_state(b, v, x2apic, &state);
	r = garbage_put(&b->rng, v, &state);
	if (r == 0)
		r = image_take(&b->schema, v, before);
	if (r < 0)
		return bench_refused(v, &state, r, err);
	if (send_init(v, x2apic, err) < 0)
		return -1;
	if (image_take(&b->schema, v, &b->now) < 0)
		return error_set(err, EXIT_KVM, "cannot read the state of CPU %u", cpu);
	values_check_cpu(b, &s, x2apic ? "after INIT in x2APIC mode" : "after INIT in xAPIC mode");
	return 0;
}

static int inits(struct bench *b, struct error *err)
{
	bool x2apic = b->cfg->mode != IRQCHIP_USER || b->rig.m->irqchip.user.x2apic;

	for (unsigned mode = 0; mode <= x2apic; mode++) {
		b->ntold = 0;
		for (unsigned cpu = 0; cpu < RIG_CPUS; cpu++)
			if (init_one(b, cpu, mode, err) < 0)
				return -1;
	}
	return bench_reset(b, RESET_HARD, err);
}

int values_test(struct bench *b, struct error *err)
{
	return creation(b, err) < 0 || resets(b, err) < 0 || inits(b, err) < 0 ? -1 : 0;
}

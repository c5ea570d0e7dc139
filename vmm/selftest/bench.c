// SPDX-License-Identifier: MIT
#include "selftest/bench.h"

#include <stdlib.h>
#include <string.h>

/* Power-on as it should be: of a machine from whose resets nothing was left out. */
static int learn_fresh(struct bench *b, struct error *err)
{
	struct rig r;
	int ret;

	if (rig_open(&r, b->cfg->mode, false, NULL, err) < 0)
		return -1;
	ret = schema_make(&b->schema, &r.m->vcpus[0], err);
	for (unsigned i = 0; i < RIG_CPUS && ret == 0; i++)
		if (image_take(&b->schema, &r.m->vcpus[i], &b->fresh[i]) < 0)
			ret = error_set(err, EXIT_KVM, "cannot read the state of CPU %u", i);
	if (ret == 0) {
		devices_take(r.m, &b->fresh_dev);
		legal_learn(&b->legal, &r.m->vcpus[0], &b->fresh[0].s);
	}
	rig_close(&r);
	return ret;
}

struct bench *bench_open(const struct selftest_config *cfg, struct selftest_result *res,
			 struct error *err)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b) {
		error_fill(err, EXIT_SETUP, "out of memory");
		return NULL;
	}
	b->cfg = cfg;
	b->res = res;
	b->rng.state = cfg->seed;
	if (learn_fresh(b, err) < 0 || rig_open(&b->rig, cfg->mode, false, cfg->without, err) < 0) {
		free(b);
		return NULL;
	}
	return b;
}

void bench_close(struct bench *b)
{
	rig_close(&b->rig);
	free(b);
}

static void note_seen(struct bench *b)
{
	for (unsigned cpu = 0; cpu < RIG_CPUS; cpu++)
		for (unsigned i = 0; i < b->schema.n; i++)
			b->seen[i] |= b->before[cpu].value[i] != b->fresh[cpu].value[i];
	for (unsigned i = 0; i < b->dev_before.n && i < b->fresh_dev.n; i++)
		b->dev_seen[i] |= b->dev_before.field[i].value != b->fresh_dev.field[i].value;
}

/* The row that was refused, with what is in it. */
int bench_refused(struct vcpu *v, const struct cpu_state *s, int r, struct error *err)
{
	const char *what = "?";

	machine_lock(v->m);
	for (unsigned i = 0; i < state_row_count && what[0] == '?'; i++)
		if (state_rows[i].set(v, s) < 0)
			what = state_rows[i].what;
	machine_unlock(v->m);
	return error_set(err, EXIT_KVM, "CPU %u: KVM refuses a legal state of %s: %s", v->index,
			 what, strerror(-r));
}

static int fill_cpu(struct bench *b, unsigned cpu, struct error *err)
{
	static struct cpu_state s;
	struct vcpu *v = &b->rig.m->vcpus[cpu];
	int r;

	garbage_state(&b->legal, &b->rng, v, &b->fresh[cpu].s, &s);
	r = garbage_put(&b->rng, v, &s);
	return r < 0 ? bench_refused(v, &s, r, err) : 0;
}

int bench_fill(struct bench *b, struct error *err)
{
	struct machine *m = b->rig.m;

	/* Devices first: their interrupts reach the CPUs of the life before. */
	devices_garbage(&b->rng, m);
	for (unsigned cpu = 0; cpu < RIG_CPUS; cpu++)
		if (m->vcpus[cpu].plugged && fill_cpu(b, cpu, err) < 0)
			return -1;
	devices_take(m, &b->dev_before);
	for (unsigned cpu = 0; cpu < RIG_CPUS; cpu++)
		if (image_take(&b->schema, &m->vcpus[cpu], &b->before[cpu]) < 0)
			return error_set(err, EXIT_KVM, "cannot read the state of CPU %u", cpu);
	note_seen(b);
	garbage_in_flight(&b->rng, m);
	return 0;
}

int bench_reset(struct bench *b, enum reset_kind kind, struct error *err)
{
	struct machine *m = b->rig.m;
	int r;

	machine_lock(m);
	r = machine_reset_state(m, kind);
	machine_unlock(m);
	if (r == 0)
		return 0;
	b->res->deviations++;
	return error_set(err, EXIT_KVM, "%s: a reset (%s) fails: %s",
			 irqchip_mode_name(b->cfg->mode), reset_kind_name(kind), strerror(-r));
}

// SPDX-License-Identifier: MIT
#include "selftest/selftest.h"

#include <string.h>

#include "selftest/bench.h"

int selftest_reset(const struct selftest_config *cfg, struct selftest_result *r, struct error *err)
{
	struct bench *b;
	int ret;

	memset(r, 0, sizeof(*r));
	b = bench_open(cfg, r, err);
	if (!b)
		return -1;
	ret = values_test(b, err);
	if (ret == 0)
		ret = rounds_test(b, err);
	bench_close(b);
	return ret;
}

bool selftest_has_row(const char *name)
{
	for (unsigned i = 0; i < state_row_count; i++)
		if (strcmp(state_rows[i].what, name) == 0)
			return true;
	for (unsigned i = 0; i < msr_row_count; i++)
		if (strcmp(msr_rows[i].name, name) == 0)
			return true;
	for (unsigned i = 0; i < machine_row_count; i++)
		if (strcmp(machine_rows[i].what, name) == 0)
			return true;
	return false;
}

/* Is there anything left for the row to reset? */
static bool state_row_here(const struct legal *l, const struct state_row *row, struct vcpu *v)
{
	static struct cpu_state a, b;

	/* KVM_SET_VCPU_EVENTS leaves SMM and nested operation, too; an INIT latched in SMM is a LAPIC's of KVM. */
	if (strcmp(row->what, "SMM and nested") == 0)
		return l->smm && !v->user;
	if (strcmp(row->what, "TSC") == 0)
		return l->tsc;
	memset(&a, 0x5a, sizeof(a));
	memset(&b, 0x5a, sizeof(b));
	return row->get(v, &a) == 0 && memcmp(&a, &b, sizeof(a)) != 0;
}

/* Can any MSR of the row be something else than what it is after power-on? */
static bool msr_row_here(const struct bench *b, const struct msr_row *row)
{
	const struct cpu_state *s = &b->fresh[0].s;

	for (unsigned i = 0; i < s->nmsrs; i++)
		if (s->msrs[i].index >= row->first && s->msrs[i].index <= row->last &&
		    b->legal.msr[i].n)
			return true;
	return false;
}

static bool machine_row_here(const struct bench *b, const struct machine_row *row)
{
	for (unsigned i = 0; i < b->fresh_dev.n; i++)
		if (strcmp(b->fresh_dev.field[i].row, row->what) == 0)
			return true;
	return false;
}

static void list_row(const char *name, unsigned kinds, bool here)
{
	printf("%s\t%s\n", name, !kinds ? "keep" : here ? "here" : "absent");
}

int selftest_list(enum irqchip_mode mode, struct error *err)
{
	const struct selftest_config cfg = {.mode = mode};
	struct selftest_result res;
	struct bench *b = bench_open(&cfg, &res, err);

	if (!b)
		return -1;
	for (unsigned i = 0; i < state_row_count; i++)
		list_row(state_rows[i].what, state_rows[i].kinds,
			 state_row_here(&b->legal, &state_rows[i], &b->rig.m->vcpus[0]));
	for (unsigned i = 0; i < msr_row_count; i++)
		list_row(msr_rows[i].name, msr_rows[i].kinds, msr_row_here(b, &msr_rows[i]));
	for (unsigned i = 0; i < machine_row_count; i++)
		list_row(machine_rows[i].what, machine_rows[i].kinds,
			 machine_row_here(b, &machine_rows[i]));
	bench_close(b);
	return 0;
}

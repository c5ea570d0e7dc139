// SPDX-License-Identifier: MIT
/* The property: whatever there was, a reset leaves what power-on leaves, but for what it has to keep. */
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "selftest/bench.h"

#define TOLD_MAX  40 /* differences that are printed; the others are counted */
#define TSC_SMALL (1ull << 37)

static void difference(struct bench *b, uint64_t round, enum reset_kind kind, const char *what,
		       uint64_t expected, uint64_t seen, uint64_t before)
{
	if (b->res->differences++ >= TOLD_MAX)
		return;
	printf("difference: %s: round %" PRIu64 ", %s: %s: expected 0x%" PRIx64 ", seen 0x%" PRIx64
	       " (it was 0x%" PRIx64 "; seed 0x%" PRIx64 ")\n",
	       irqchip_mode_name(b->cfg->mode), round, reset_kind_name(kind), what, expected, seen,
	       before, b->cfg->seed);
}

/* An MSR that this kind leaves alone is as it was; everything else as at power-on. */
static bool keeps(const struct field *f, const struct vcpu *v, enum reset_kind kind)
{
	uint64_t value;

	return f->msr && !msr_after(v, f->msr, kind, &value);
}

/* KVM keeps the address of the wall clock with the VM, and most of what is Hyper-V's (kvm_hv_msr_partition_wide). */
static bool machine_wide(const struct field *f)
{
	bool partition = f->msr == 0x40000000 || f->msr == 0x40000001 || f->msr == 0x40000021 ||
			 (f->msr >= 0x400000f1 && f->msr <= 0x40000118);

	return f->msr == 0x11 || f->msr == 0x4b564d00 || partition;
}

static void compare_cpu(struct bench *b, unsigned cpu, uint64_t round, enum reset_kind kind)
{
	const struct vcpu *v = &b->rig.m->vcpus[cpu];
	const uint64_t *now = b->now.value, *before = b->before[cpu].value;

	for (unsigned i = 0; i < b->schema.n; i++) {
		const struct field *f = &b->schema.field[i];
		/* One that was taken out is not reset, but for what KVM has once a machine. */
		bool kept = keeps(f, v, kind) || (!v->plugged && !machine_wide(f));
		uint64_t want = kept ? before[i] : b->fresh[cpu].value[i];
		char what[64];

		if (now[i] == want || (f->row && f->row->rule == MSR_CLOCK))
			continue;
		/* It has run since. */
		if (f->offset == offsetof(struct cpu_image, s.tsc) && !f->msr &&
		    (now[i] < TSC_SMALL || !b->legal.tsc))
			continue;
		snprintf(what, sizeof(what), "CPU %u: %s", cpu, f->name);
		difference(b, round, kind, what, want, now[i], before[i]);
	}
}

static void compare_devices(struct bench *b, uint64_t round, enum reset_kind kind)
{
	for (unsigned i = 0; i < b->dev_now.n; i++) {
		const struct dev_field *f = &b->dev_now.field[i];
		uint64_t before = b->dev_before.field[i].value, want = b->fresh_dev.field[i].value;

		if (f->rule == DEV_KEPT || kind == RESET_SOFT)
			want = before;
		if (f->rule == DEV_SHUTDOWN && kind != RESET_HARD && kind != RESET_HOST)
			want = before;
		if (kind == RESET_SOFT && f->rule == DEV_VOLATILE)
			continue;
		if (f->value != want)
			difference(b, round, kind, f->name, want, f->value, before);
	}
}

static int one_round(struct bench *b, uint64_t round, struct error *err)
{
	static const enum reset_kind kinds[] = {
		RESET_HARD, RESET_SOFT, RESET_KBC, RESET_TRIPLE_FAULT, RESET_HOST,
	};
	struct machine *m = b->rig.m;
	enum reset_kind kind;

	/* Each round has a seed of its own, so that it can be repeated by itself. */
	b->rng.state = b->cfg->seed + round * 0xd1342543de82ef95ull;
	kind = kinds[rng_below(&b->rng, sizeof(kinds) / sizeof(kinds[0]))];
	if (bench_fill(b, err) < 0 || bench_reset(b, kind, err) < 0)
		return -1;
	for (unsigned cpu = 0; cpu < RIG_CPUS; cpu++) {
		if (image_take(&b->schema, &m->vcpus[cpu], &b->now) < 0)
			return error_set(err, EXIT_KVM, "cannot read the state of CPU %u", cpu);
		compare_cpu(b, cpu, round, kind);
	}
	/* Behind the CPUs: reading a device may send an interrupt. */
	devices_take(m, &b->dev_now);
	compare_devices(b, round, kind);
	return 0;
}

/* --- is everything exercised? */

/*
 * What no guest can make different: registers of which KVM has none or which it only reports, attributes
 * that a segment that can be used does not have, and what comes only after a look was taken (INIT, SIPI).
 */
static const char *const constants[] = {
	"LAPIC.version",
	"LAPIC.EOI",
	"LAPIC.RRD",
	"LAPIC+*",
	"[CS]S.present",
	"[CS]S.s",
	"[DEFGS]S.l",
	"TR.present",
	"TR.s",
	"TR.d*",
	"TR.l",
	"LDTR.s",
	"LDTR.d*",
	"LDTR.l",
	"LDTR.type",
	"exception.pending",
	"interrupt.soft",
	"sipi: INIT pending",
	"sipi: SIPI pending",
	"PIT.flags",
	"IOAPIC.base",
};
/* Where the LAPIC is KVM's. */
static const char *const kvm_constants[] = {"LAPIC.APR", "sipi: [!E]*", "sipi: ExtINT message",
					    "sipi: ESR errors"};

static bool among(const char *name, const char *const *patterns, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return false;
}

#define AMONG(name, list) among((name), (list), sizeof(list) / sizeof((list)[0]))

static bool constant_name(const struct bench *b, const char *name)
{
	bool version6 = (lapic_get(&b->fresh[0].s, 0x30) >> 16 & 0xff) >= 6;

	if (AMONG(name, constants) || (!b->legal.smm && strncmp(name, "SMI.", 4) == 0))
		return true;
	if (strcmp(name, "SMI.latched_init") == 0)
		return b->cfg->mode == IRQCHIP_USER; /* KVM has no LAPIC to latch it in */
	if (strcmp(name, "triple fault") == 0)
		return !b->legal.triple_fault;
	if (strcmp(name, "LAPIC.LVT CMCI") == 0)
		return !version6;
	if (strcmp(name, "sipi: ExtINT vector") == 0)
		return b->cfg->mode == IRQCHIP_KERNEL;
	return b->cfg->mode != IRQCHIP_USER && AMONG(name, kvm_constants);
}

static bool constant_msr(const struct bench *b, uint32_t index)
{
	for (unsigned i = 0; i < b->fresh[0].s.nmsrs; i++)
		if (b->fresh[0].s.msrs[i].index == index)
			return !b->legal.msr[i].n;
	return true;
}

static bool constant_xsave(const struct bench *b, unsigned at)
{
	if (at < 0x1a0)
		return false;
	for (unsigned c = 2; c < COMPONENTS; c++)
		if (b->legal.xcr0 >> c & 1 && at >= b->legal.component[c].offset &&
		    at < b->legal.component[c].offset + b->legal.component[c].size)
			return false;
	return true;
}

static bool constant(const struct bench *b, unsigned i)
{
	const struct field *f = &b->schema.field[i];
	unsigned at;

	if (strcmp(f->name, "TSC") == 0)
		return !b->legal.tsc;
	if (f->msr)
		return constant_msr(b, f->msr);
	if (sscanf(f->name, "XSAVE+%x", &at) == 1)
		return constant_xsave(b, at);
	return constant_name(b, f->name);
}

static void judge_field(struct bench *b, bool seen, bool fixed, const char *name)
{
	b->res->exercised += seen;
	if (seen || fixed)
		return;
	b->res->not_exercised++;
	if (b->cfg->rounds >= SELFTEST_ENOUGH_ROUNDS)
		printf("not exercised: %s: %s\n", irqchip_mode_name(b->cfg->mode), name);
}

static void judge_exercise(struct bench *b)
{
	for (unsigned i = 0; i < b->schema.n; i++)
		judge_field(b, b->seen[i], constant(b, i), b->schema.field[i].name);
	for (unsigned i = 0; i < b->fresh_dev.n; i++) {
		const char *name = b->fresh_dev.field[i].name;

		judge_field(b, b->dev_seen[i], AMONG(name, constants), name);
	}
}

int rounds_test(struct bench *b, struct error *err)
{
	for (uint64_t round = 0; round < b->cfg->rounds; round++) {
		if (one_round(b, round, err) < 0)
			return -1;
		b->res->rounds++;
	}
	judge_exercise(b);
	return 0;
}

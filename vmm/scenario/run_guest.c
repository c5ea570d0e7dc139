// SPDX-License-Identifier: MIT
/* Steps that a CPU carries out itself. */
#include <errno.h>
#include <stdio.h>

#include "guest/puppet.h"
#include "machine/internal.h"
#include "scenario/puppet.h"
#include "scenario/runner.h"

#define GUEST_MS	 1000 /* for what should take microseconds */
#define XAPIC_BASE	 0xfee00000u
#define MSR_X2APIC	 0x800u
#define LAPIC_ICR	 0x300u
#define LAPIC_ICR2	 0x310u
#define MSR_APIC_BASE	 0x1bu
#define APIC_BASE_X2APIC 3u /* EN and EXTD */

static int is_x2apic(struct target *t, unsigned cpu, bool *x2apic)
{
	uint64_t base;
	int r = t->ops->get_msr(t, cpu, MSR_APIC_BASE, &base);

	*x2apic = r == 0 && (base >> 10 & 3) == APIC_BASE_X2APIC;
	return r;
}

/* A register of the APIC's, by the page or by MSR, as its mode has it (SDM vol. 3A, "x2APIC Register Address Space"). */
static int access_lapic(struct runner *r, unsigned cpu, uint32_t offset, bool write, uint64_t value)
{
	bool x2apic;
	int ret = is_x2apic(r->run->t, cpu, &x2apic);

	if (ret < 0)
		return ret;
	if (!x2apic && value >> 32)
		return -ERANGE;
	if (x2apic)
		return puppet_do(r, cpu, write ? PUPPET_WRMSR : PUPPET_RDMSR,
				 MSR_X2APIC + offset / 16, value, GUEST_MS);
	return puppet_do(r, cpu, write ? PUPPET_WRITE32 : PUPPET_READ32, XAPIC_BASE + offset, value,
			 GUEST_MS);
}

static int access_object(struct runner *r, const struct step *st, bool write)
{
	const struct object *o = st->object.object;
	uint32_t at = o->arg + (o->indexed ? st->object.index : 0);
	unsigned cpu = (unsigned)st->cpu;
	uint64_t value;
	int ret = run_arg(r, st, 0, &value);

	if (ret < 0)
		return ret;
	if (o->kind == OBJECT_LAPIC)
		return access_lapic(r, cpu, at, write, value);
	return puppet_do(r, cpu, write ? PUPPET_WRMSR : PUPPET_RDMSR, at, value, GUEST_MS);
}

/* The destination is 32 bits of the x2APIC's ICR, 8 of the xAPIC's second one, which is written first. */
static int send_ipi(struct runner *r, const struct step *st)
{
	static const uint64_t ends[IPI_FIELDS] = {
		[MSI_DEST] = 1ull << 32, [MSI_VECTOR] = 256,  [MSI_MODE] = 8,
		[MSI_LOGICAL] = 2,	 [MSI_RH] = 1,	      [MSI_LEVEL] = 2,
		[MSI_TRIGGER] = 2,	 [IPI_SHORTHAND] = 4,
	};
	unsigned cpu = (unsigned)st->cpu;
	uint64_t f[IPI_FIELDS] = {0}, icr;
	bool x2apic;
	int ret = is_x2apic(r->run->t, cpu, &x2apic);

	for (unsigned i = 0; i < IPI_FIELDS && ret == 0; i++)
		ret = run_arg_below(r, st, i, ends[i], &f[i]);
	if (ret < 0)
		return ret;
	if (!st->given[MSI_LEVEL])
		f[MSI_LEVEL] = 1;
	icr = f[MSI_VECTOR] | f[MSI_MODE] << 8 | f[MSI_LOGICAL] << 11 | f[MSI_LEVEL] << 14 |
	      f[MSI_TRIGGER] << 15 | f[IPI_SHORTHAND] << 18;
	if (x2apic)
		return access_lapic(r, cpu, LAPIC_ICR, true, f[MSI_DEST] << 32 | icr);
	if (f[MSI_DEST] > 0xff)
		return -ERANGE;
	ret = access_lapic(r, cpu, LAPIC_ICR2, true, f[MSI_DEST] << 24);
	return ret < 0 ? ret : access_lapic(r, cpu, LAPIC_ICR, true, icr);
}

static int operation(struct runner *r, const struct step *st)
{
	uint64_t a = 0, b = 0, ms = GUEST_MS;
	int ret = run_arg(r, st, 0, &a);

	if (ret == 0)
		ret = run_arg(r, st, 1, &b);
	if (ret == 0 && st->given[2])
		ret = run_arg_below(r, st, 2, 1ull << 32, &ms);
	return ret < 0 ? ret : puppet_do(r, (unsigned)st->cpu, st->op, a, b, (unsigned)ms);
}

static int act(struct runner *r, const struct step *st)
{
	switch (st->kind) {
	case STEP_ENTER:
		return puppet_start(r, (unsigned)st->cpu, (enum puppet_mode)st->op, GUEST_MS);
	case STEP_GUEST:
		return operation(r, st);
	case STEP_GUEST_IPI:
		return send_ipi(r, st);
	default:
		return access_object(r, st, st->kind == STEP_GUEST_SET);
	}
}

/* An errno says too little of what a guest met with. */
static void explain(struct runner *r, const struct step *st, int error)
{
	unsigned cpu = (unsigned)st->cpu;
	const char *out =
		r->run->t->entered[cpu] ? "" : ", and the CPU has never been in the puppet";
	uint32_t fault = (uint32_t)puppet_get(r, cpu, PUPPET_FAULT, 4);
	char what[160];

	/* A run that is over says so itself. */
	if (!run_in_time(r->run, st))
		return;
	if (error == EFAULT && fault != PUPPET_NO_FAULT)
		snprintf(what, sizeof(what), "exception %u with error code 0x%x at 0x%llx", fault,
			 (unsigned)puppet_get(r, cpu, PUPPET_ERROR, 4),
			 (unsigned long long)puppet_get(r, cpu, PUPPET_RIP, 8));
	else if (error == EIO)
		snprintf(what, sizeof(what), "the guest did not come to its end, but to %s (%u)%s",
			 exit_reason_name((uint32_t)r->exit), (unsigned)r->exit, out);
	else if (error == ETIMEDOUT)
		snprintf(what, sizeof(what), "the guest did not come to its end in time%s", out);
	else
		return;
	run_fail(r->run, st, error, what);
}

int run_guest(struct runner *r, const struct step *st)
{
	int ret = act(r, st);

	if (ret < 0 && !st->tried)
		explain(r, st, -ret);
	return ret;
}

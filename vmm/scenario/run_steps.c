// SPDX-License-Identifier: MIT
/* Steps, one by one: each ioctl that a scenario can make, and what is expected of them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scenario/puppet.h"
#include "scenario/runner.h"
#include "util/clock.h"

/* --- what each kind of step does: 0 or more, or -errno */

static int cap_args(struct runner *r, const struct step *st, uint32_t *cap, uint64_t *value)
{
	int ret = run_arg(r, st, 0, value);

	if (ret < 0)
		return ret;
	return cap_find(st->name, strlen(st->name), cap) ? 0 : -EINVAL;
}

static int do_cap(struct runner *r, const struct step *st)
{
	uint32_t cap;
	uint64_t value;
	int ret = cap_args(r, st, &cap, &value);

	return ret < 0 ? ret : r->run->t->ops->enable_cap(r->run->t, cap, value);
}

static int do_cpu_cap(struct runner *r, const struct step *st)
{
	uint32_t cap;
	uint64_t value;
	int ret = cap_args(r, st, &cap, &value);

	return ret < 0 ? ret : kvm_enable_cap(target_fd(r->run->t, (unsigned)st->cpu), cap, value);
}

static int do_boot_cpu(struct runner *r, const struct step *st)
{
	struct target *t = r->run->t;
	uint64_t id;
	int ret = run_arg_below(r, st, 0, 1ull << 32, &id);

	return ret < 0 ? ret : kvm_vm_set_boot_cpu(t->vm, (uint32_t)id);
}

static int do_create(struct runner *r, const struct step *st)
{
	return r->run->t->ops->create_cpu(r->run->t, (unsigned)st->cpu);
}

static int do_set(struct runner *r, const struct step *st)
{
	uint64_t value;
	int ret = run_arg(r, st, 0, &value);

	return ret < 0 ? ret : object_set(r, &st->object, value);
}

static int do_let(struct runner *r, const struct step *st)
{
	uint64_t value;
	int ret = run_arg(r, st, 0, &value);

	if (ret == 0)
		r->variables[st->variable] = value;
	return ret;
}

static int do_nmi(struct runner *r, const struct step *st)
{
	return r->run->t->ops->nmi(r->run->t, (unsigned)st->cpu);
}

static int do_interrupt(struct runner *r, const struct step *st)
{
	uint64_t vector;
	int ret = run_arg_below(r, st, 0, 256, &vector);

	return ret < 0 ? ret
		       : r->run->t->ops->interrupt(r->run->t, (unsigned)st->cpu, (uint8_t)vector);
}

static int do_pump(struct runner *r, const struct step *st)
{
	uint32_t state;

	return r->run->t->ops->get_mp_state(r->run->t, (unsigned)st->cpu, &state);
}

static int do_reload(struct runner *r, const struct step *st)
{
	struct kvm_lapic_state s;
	int ret = -EINVAL;

	if (target_fd(r->run->t, (unsigned)st->from) >= 0)
		ret = r->run->t->ops->get_lapic(r->run->t, (unsigned)st->from, &s);
	return ret < 0 ? ret : r->run->t->ops->set_lapic(r->run->t, (unsigned)st->cpu, &s);
}

static int do_clear(struct runner *r, const struct step *st)
{
	static const struct kvm_lapic_state zeros;

	return r->run->t->ops->set_lapic(r->run->t, (unsigned)st->cpu, &zeros);
}

static int do_debug(struct runner *r, const struct step *st)
{
	uint64_t control;
	int ret = run_arg_below(r, st, 0, 1ull << 32, &control);

	return ret < 0 ? ret
		       : kvm_vcpu_set_guest_debug(target_fd(r->run->t, (unsigned)st->cpu),
						  (uint32_t)control);
}

/* Our own local APICs do not know that VMX root operation blocks INIT. */
static int do_vmxon(struct runner *r, const struct step *st)
{
	struct kvm_nested_state s = {
		.format = KVM_STATE_NESTED_FORMAT_VMX,
		.size = sizeof(s),
		.hdr.vmx.vmcs12_pa = ~0ull, /* none */
	};
	uint64_t address;
	int ret = run_arg(r, st, 0, &address);

	if (ret < 0)
		return ret;
	if (r->run->t->mode == IRQCHIP_USER)
		return -EOPNOTSUPP;
	s.hdr.vmx.vmxon_pa = address;
	return kvm_vcpu_set_nested(target_fd(r->run->t, (unsigned)st->cpu), &s);
}

/* In mode user the machine has a filter of its own. */
static int do_msr_filter(struct runner *r, const struct step *st)
{
	uint64_t value;
	uint32_t msr;
	int ret = run_arg_below(r, st, 0, 1ull << 32, &value);

	if (ret < 0)
		return ret;
	if (r->run->t->mode == IRQCHIP_USER)
		return -EOPNOTSUPP;
	msr = (uint32_t)value;
	return kvm_vm_msr_exits(r->run->t->vm, &msr, 1);
}

static uint64_t left_ns(const struct runner *r)
{
	uint64_t now = clock_now_ns();

	return now < r->until_ns ? r->until_ns - now : 0;
}

static int do_run(struct runner *r, const struct step *st)
{
	uint64_t ns = left_ns(r);
	/* Rather a bit more, so that it is then found that the time is over. */
	uint64_t left = ns ? ns / NSEC_PER_MSEC + 1 : 0;
	uint64_t ms;
	int ret = run_arg(r, st, 0, &ms);

	if (ret < 0)
		return ret;
	ret = r->run->t->ops->run(r->run->t, (unsigned)st->cpu, (unsigned)(ms < left ? ms : left));
	if (ret < 0 && ret != -ETIMEDOUT)
		return ret;
	if (ret >= 0)
		puppet_answer(r->run->t, (unsigned)st->cpu);
	r->exit = ret == -ETIMEDOUT ? OBJECT_EXIT_TIMEOUT : (uint64_t)ret;
	return 0;
}

/* No longer than there is time. */
static int do_wait(struct runner *r, const struct step *st)
{
	uint64_t left = left_ns(r);
	uint64_t ms, ns;
	int ret = run_arg(r, st, 0, &ms);

	if (ret < 0)
		return ret;
	ns = ms < left / NSEC_PER_MSEC ? ms * NSEC_PER_MSEC : left;
	nanosleep(&(struct timespec){(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)}, NULL);
	return 0;
}

/* --- what was seen */

/* The entry of this expect, or a free one; when all are taken, that of an expect that has nothing to tell. */
static struct finding *finding_of(struct result *result, const struct step *st, bool tells)
{
	struct finding *f = NULL;

	for (unsigned i = 0; i < result->nfindings; i++)
		if (result->findings[i].line == st->line)
			return &result->findings[i];
	if (result->nfindings < FINDINGS)
		f = &result->findings[result->nfindings++];
	for (unsigned i = 0; i < FINDINGS && !f && tells; i++)
		if (result->findings[i].what == SEEN_EXPECTED)
			f = &result->findings[i];
	if (!f)
		return NULL;
	*f = (struct finding){.line = st->line, .what = SEEN_EXPECTED};
	snprintf(f->text, sizeof(f->text), "%.*s", (int)sizeof(f->text) - 1, st->text);
	return f;
}

static void note(struct run *run, const struct step *st, unsigned what, uint64_t expected,
		 uint64_t seen)
{
	struct finding *f;

	pthread_mutex_lock(&run->lock);
	run->deviated |= what == SEEN_DEVIATION;
	run->unknown |= what == SEEN_OTHER;
	f = finding_of(run->result, st, what != SEEN_EXPECTED);
	if (f && (what > f->what || f->what == SEEN_EXPECTED)) {
		f->what = what;
		f->expected = expected;
		f->seen = seen;
		f->cmp = st->cmp;
	}
	if (f)
		f->times++;
	pthread_mutex_unlock(&run->lock);
}

static int do_expect(struct runner *r, const struct step *st)
{
	uint64_t seen, expected, deviation;
	unsigned what = SEEN_EXPECTED;
	int ret = run_arg(r, st, 0, &seen);

	if (ret < 0)
		return ret;
	ret = run_arg(r, st, 1, &expected);
	if (ret < 0)
		return ret;
	if (!compare(seen, st->cmp, expected)) {
		what = SEEN_OTHER;
		ret = st->has_dev ? run_arg(r, st, 2, &deviation) : 0;
		if (ret < 0)
			return ret;
		if (st->has_dev && compare(seen, st->dev_cmp, deviation))
			what = SEEN_DEVIATION;
	}
	note(r->run, st, what, expected, seen);
	return 0;
}

/* clang-format off */

static int (*const actions[])(struct runner *r, const struct step *st) = {
	[STEP_CAP] = do_cap,
	[STEP_CREATE] = do_create,
	[STEP_SET] = do_set,
	[STEP_LET] = do_let,
	[STEP_EXPECT] = do_expect,
	[STEP_MSI] = run_irq,
	[STEP_IRQ_LINE] = run_irq,
	[STEP_NMI] = do_nmi,
	[STEP_INTERRUPT] = do_interrupt,
	[STEP_PUMP] = do_pump,
	[STEP_SAVE] = do_reload,
	[STEP_CLEAR] = do_clear,
	[STEP_CPU_CAP] = do_cpu_cap,
	[STEP_VMXON] = do_vmxon,
	[STEP_DEBUG] = do_debug,
	[STEP_RUN] = do_run,
	[STEP_ENTER] = run_guest,
	[STEP_GUEST] = run_guest,
	[STEP_GUEST_GET] = run_guest,
	[STEP_GUEST_SET] = run_guest,
	[STEP_GUEST_IPI] = run_guest,
	[STEP_ROUTE] = run_irq,
	[STEP_IRQFD] = run_irq,
	[STEP_SIGNAL] = run_irq,
	[STEP_WAIT] = do_wait,
	[STEP_MSR_FILTER] = do_msr_filter,
	[STEP_UNMAP] = run_memory,
	[STEP_MEMSLOT] = run_memory,
	[STEP_BOOT_CPU] = do_boot_cpu,
};

/* clang-format on */

/* --- one after the other */

void run_fail(struct run *run, const struct step *st, int error, const char *what)
{
	const char *name = strerrorname_np(error);

	pthread_mutex_lock(&run->lock);
	if (!atomic_exchange(&run->failed, true))
		snprintf(run->result->why, sizeof(run->result->why), "line %u: %.160s: %s%s%s%s",
			 st->line, st->text, what ? what : strerror(error), what ? "" : " (",
			 what	? ""
			 : name ? name
				: "?",
			 what ? "" : ")");
	pthread_mutex_unlock(&run->lock);
}

bool run_in_time(struct run *run, const struct step *st)
{
	char what[64];

	if (atomic_load_explicit(&run->failed, memory_order_relaxed))
		return false;
	if (clock_now_ns() < run->end_ns)
		return true;
	snprintf(what, sizeof(what), "timed out after %u ms", run->timeout_ms);
	run_fail(run, st, ETIMEDOUT, what);
	return false;
}

/* A loop in a branch of `parallel` ends with that; whatever is in it is done as a whole. */
static bool run_repeat(struct runner *r, const struct step *st, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++) {
		if (!run_in_time(r->run, st) || !run_list(r, &st->branches[0]))
			return false;
		if (clock_now_ns() >= r->until_ns)
			break;
	}
	return true;
}

static bool run_block(struct runner *r, const struct step *st)
{
	uint64_t value;
	int ret = run_arg(r, st, 0, &value);

	if (ret < 0) {
		run_fail(r->run, st, -ret, NULL);
		return false;
	}
	return st->kind == STEP_REPEAT ? run_repeat(r, st, value) : run_parallel(r, st, value);
}

/* A step needs its CPU: only `create` makes do without. */
static int act(struct runner *r, const struct step *st)
{
	struct target *t = r->run->t;
	int ret;

	if (st->cpu >= 0 && st->kind != STEP_CREATE && target_fd(t, (unsigned)st->cpu) < 0)
		return -EINVAL;
	if (!step_runs_cpu(st->kind))
		return actions[st->kind](r, st);
	pthread_mutex_lock(&t->runs_now[st->cpu]);
	ret = actions[st->kind](r, st);
	pthread_mutex_unlock(&t->runs_now[st->cpu]);
	return ret;
}

static bool run_step(struct runner *r, const struct step *st)
{
	int ret;

	if (!run_in_time(r->run, st))
		return false;
	if (st->kind == STEP_REPEAT || st->kind == STEP_PARALLEL)
		return run_block(r, st);
	ret = act(r, st);
	if (st->tried)
		r->error = ret < 0 ? (uint64_t)-ret : 0;
	if (ret >= 0 || st->tried)
		return true;
	run_fail(r->run, st, -ret, NULL);
	return false;
}

bool run_list(struct runner *r, const struct step_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (!run_step(r, &list->steps[i]))
			return false;
	return true;
}

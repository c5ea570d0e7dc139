// SPDX-License-Identifier: MIT
/* Steps of a scenario as statements of C. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/emit_c_parts.h"
#include "scenario/run.h"

void emit_cap_name(FILE *f, const char *name)
{
	fputs("KVM_CAP_", f);
	for (; *name; name++)
		fputc(toupper((unsigned char)*name), f);
}

/* --- needs */

/* "cap NAME", however many blanks there are. */
const char *emit_need_cap(const struct need *n)
{
	const char *name = n->text + 3;

	return name + strspn(name, " \t");
}

static void need_cap(struct emitter *e, const struct need *n)
{
	emit_use(e, HELPER_NEED_CAP);
	emit_indent(e);
	fputs("need_cap(", e->now->f);
	emit_cap_name(e->now->f, emit_need_cap(n));
	fputs(", ", e->now->f);
	emit_string(e->now->f, n->text);
	fputs(");\n", e->now->f);
}

static void need(struct emitter *e, const struct need *n)
{
	const struct cpuid_bit *b = &need_cpuid[n->kind == NEED_CPUID ? n->a : 0];

	switch (n->kind) {
	case NEED_CAP:
		need_cap(e, n);
		break;
	case NEED_CPUID:
		emit_use(e, HELPER_NEED_CPUID);
		emit(e, "need_cpuid(0x%" PRIx32 ", %" PRIu32 ", %u, %u, \"%s\");", b->leaf,
		     b->subleaf, b->reg, b->bit, n->text);
		break;
	case NEED_VENDOR:
		emit_use(e, HELPER_NEED_VENDOR);
		emit(e, "need_vendor(\"%s\", \"%s\");", n->a ? "kvm_amd" : "kvm_intel", n->text);
		break;
	case NEED_APICV:
		emit_use(e, HELPER_NEED_APICV);
		emit(e, "need_apicv(%d);", !n->off);
		break;
	case NEED_MSR:
		emit_use(e, HELPER_NEED_MSR);
		emit(e, "need_msr(0x%" PRIx32 ", \"%s\");", n->a, n->text);
		break;
	}
}

/* Every KVM has IDs below this. */
#define ID_ALWAYS 255

void emit_needs(struct emitter *e)
{
	const struct scenario *s = e->s;

	for (unsigned i = 0; i < s->ncpus; i++)
		if (!s->late[i] && s->cpus[i] >= ID_ALWAYS) {
			emit_use(e, HELPER_NEED_ID);
			emit(e, "need_id(%" PRIu32 ");", s->cpus[i]);
		}
	for (unsigned i = 0; i < s->nneeds; i++)
		need(e, &s->needs[i]);
}

/* --- the call that a step is */

/* In `try` a value that does not fit is ERANGE, and the call is not made. */
static void check_fit(struct emitter *e, const struct expr *x, unsigned bits)
{
	uint64_t value;

	if (emit_may_fail(e, x))
		emit_refuse(e, "`try` of a step whose value is read from a CPU");
	if (bits == 64 || (emit_constant(x, &value) && !(value >> bits)))
		return;
	emit_expr(e, x);
	fprintf(e->now->f, " >> %u ? ERANGE : ", bits);
}

static bool is_shared(const struct emitter *e)
{
	return step_runs_cpu(e->step->kind) && (e->shared >> e->step->cpu & 1);
}

static void alone(struct emitter *e)
{
	if (!is_shared(e))
		return;
	emit_use(e, HELPER_ALONE);
	e->locked |= 1ull << e->step->cpu;
	fputs("alone(", e->now->f);
	emit_cpu(e, e->step->cpu);
	fputs(", ", e->now->f);
}

void emit_begin(struct emitter *e, unsigned n, const unsigned *bits)
{
	const struct step *st = e->step;

	emit_indent(e);
	if (!st->tried) {
		fputs("must(", e->now->f);
		alone(e);
		return;
	}
	emit_use(e, HELPER_ERROR);
	emit_use(e, HELPER_TRIED);
	fputs("error = ", e->now->f);
	if (st->cpu >= 0 && e->s->late[st->cpu] && st->kind != STEP_CREATE) {
		emit_cpu(e, st->cpu);
		fputs(" < 0 ? EINVAL : ", e->now->f);
	}
	for (unsigned i = 0; i < n; i++)
		if (st->given[i])
			check_fit(e, &st->args[i], bits[i]);
	fputs("tried(", e->now->f);
	alone(e);
}

void emit_begin_one(struct emitter *e, unsigned bits)
{
	emit_begin(e, 1, &bits);
}

void emit_end(struct emitter *e)
{
	fputs(is_shared(e) ? ")));\n" : "));\n", e->now->f);
}

/* --- each kind of step */

static void step_cap(struct emitter *e, const struct step *st)
{
	const struct expr *x = st->given[0] ? &st->args[0] : NULL;
	bool of_vm = st->kind == STEP_CAP;
	bool pit = of_vm && strcmp(st->name, "pit2") == 0;
	bool reinject = of_vm && strcmp(st->name, "reinject_control") == 0;

	emit_use(e, pit ? HELPER_CREATE_PIT : reinject ? HELPER_REINJECT : HELPER_ENABLE_CAP);
	emit_begin_one(e, 64);
	if (pit || reinject) {
		fputs(pit ? "create_pit(" : "reinject(", e->now->f);
	} else {
		fputs("enable_cap(", e->now->f);
		if (of_vm)
			fputs("vm", e->now->f);
		else
			emit_cpu(e, st->cpu);
		fputs(", ", e->now->f);
		emit_cap_name(e->now->f, st->name);
		fputs(", ", e->now->f);
	}
	if (x)
		emit_argument(e, x, 64);
	else
		fputc('0', e->now->f);
	emit_end(e);
}

static void step_boot_cpu(struct emitter *e, const struct step *st)
{
	emit_begin_one(e, 32);
	fputs("ioctl(vm, KVM_SET_BOOT_CPU_ID, (unsigned long)", e->now->f);
	emit_argument(e, &st->args[0], 32);
	emit_end(e);
}

static void step_create(struct emitter *e, const struct step *st)
{
	emit_begin_one(e, 64);
	fputs("create_vcpu(&", e->now->f);
	emit_cpu(e, st->cpu);
	fprintf(e->now->f, ", %" PRIu32, e->s->cpus[st->cpu]);
	emit_end(e);
}

/* Of an MSR it may fail to read what is left as it is. */
static bool reads_first(const struct object_ref *ref)
{
	return !ref->whole &&
	       (ref->object->kind == OBJECT_MSR || ref->object->kind == OBJECT_MP_STATE);
}

static void step_set(struct emitter *e, const struct step *st)
{
	const struct object_ref *ref = &st->object;
	const struct expr *x = &st->args[0];

	if (st->tried && reads_first(ref))
		emit_refuse(e, "`try` of a step that reads first");
	emit_begin_one(e, emit_bits(ref));
	emit_set(e, ref, x);
	fputs(");\n", e->now->f);
}

static void step_let(struct emitter *e, const struct step *st)
{
	if (st->tried && emit_may_fail(e, &st->args[0]))
		emit_refuse(e, "`try` of a step whose value is read from a CPU");
	emit_indent(e);
	emit_variable(e, st->variable);
	fputs(" = ", e->now->f);
	emit_argument(e, &st->args[0], 64);
	fputs(";\n", e->now->f);
	if (st->tried) {
		emit_use(e, HELPER_ERROR);
		emit(e, "error = 0;");
	}
}

void emit_fields(struct emitter *e, const char *const *names, unsigned n, const unsigned *bits)
{
	const struct step *st = e->step;
	const char *sep = "";

	for (unsigned i = 0; i < n; i++) {
		if (!st->given[i])
			continue;
		fprintf(e->now->f, "%s.%s = ", sep, names[i]);
		emit_argument(e, &st->args[i], bits[i]);
		sep = ", ";
	}
}

/* Of a CPU, with one argument or none. */
/* A call with the CPU, if there is one, and the argument, if there is one. */
static void step_call(struct emitter *e, const struct step *st, enum helper h, const char *name,
		      unsigned bits)
{
	emit_use(e, h);
	emit_begin_one(e, bits);
	fprintf(e->now->f, "%s(", name);
	if (st->cpu >= 0)
		emit_cpu(e, st->cpu);
	if (st->cpu >= 0 && st->given[0])
		fputs(", ", e->now->f);
	if (st->given[0])
		emit_argument(e, &st->args[0], bits);
	emit_end(e);
}

static void step_reload(struct emitter *e, const struct step *st)
{
	emit_use(e, HELPER_RELOAD_LAPIC);
	emit_begin_one(e, 64);
	fputs("reload_lapic(", e->now->f);
	emit_cpu(e, st->from);
	fputs(", ", e->now->f);
	emit_cpu(e, st->cpu);
	emit_end(e);
}

static void step_nmi(struct emitter *e, const struct step *st)
{
	emit_begin_one(e, 64);
	fputs("ioctl(", e->now->f);
	emit_cpu(e, st->cpu);
	fputs(", KVM_NMI", e->now->f);
	emit_end(e);
}

void emit_count(struct emitter *e, const struct expr *x, unsigned bits)
{
	uint64_t value;

	if (emit_constant(x, &value) && value < 100000)
		fprintf(e->now->f, "%" PRIu64, value);
	else
		emit_argument(e, x, bits);
}

/* Milliseconds; in a branch, no more than that has left. */
static void put_time(struct emitter *e, const struct expr *x)
{
	if (e->in_branch) {
		emit_use(e, HELPER_LEFT);
		fputs("left(", e->now->f);
	}
	emit_count(e, x, 64);
	if (e->in_branch)
		fputc(')', e->now->f);
}

static void step_run(struct emitter *e, const struct step *st)
{
	emit_use(e, e->s->guest ? HELPER_RUN_AND_ANSWER : HELPER_RUN);
	emit_begin_one(e, 64);
	fputs(e->s->guest ? "run_and_answer(" : "run(", e->now->f);
	emit_cpu(e, st->cpu);
	fputs(", ", e->now->f);
	put_time(e, &st->args[0]);
	emit_end(e);
}

static void step_wait(struct emitter *e, const struct step *st)
{
	emit_use(e, HELPER_WAIT);
	emit_indent(e);
	fputs("wait_ms(", e->now->f);
	put_time(e, &st->args[0]);
	fputs(");\n", e->now->f);
}

static void comparison(struct emitter *e, enum comparison cmp, const struct expr *x,
		       const char *variable)
{
	uint64_t value;
	bool constant = emit_constant(x, &value);

	/* A compiler warns of a comparison that is the same always. */
	if (constant && !value && (cmp == CMP_GE || cmp == CMP_LT)) {
		fputc(cmp == CMP_GE ? '1' : '0', e->now->f);
		return;
	}
	fprintf(e->now->f, "seen %s ", emit_operator(cmp));
	if (variable)
		fputs(variable, e->now->f);
	else if (constant)
		emit_number(e->now->f, value);
	else
		emit_expr(e, x);
}

/* As sipi does: the deviation is looked at only when the architecture's value was not seen. */
static void step_expect(struct emitter *e, const struct step *st)
{
	static const char *const names[] = {
		[CMP_EQ] = "",	  [CMP_NE] = "!= ", [CMP_LT] = "< ",
		[CMP_LE] = "<= ", [CMP_GT] = "> ",  [CMP_GE] = ">= ",
	};
	const char *variable = NULL;
	char text[sizeof(((struct finding *)0)->text)]; /* no more of it than sipi shows */
	uint64_t value = 0;
	FILE *f = e->now->f;

	e->now->seen = true;
	e->expects++;
	emit_indent(e);
	fputs("seen = ", f);
	emit_argument(e, &st->args[0], 64);
	fputs(";\n", f);
	if (!emit_constant(&st->args[1], &value)) {
		variable = "expected";
		e->now->expected = true;
		emit_indent(e);
		fputs("expected = ", f);
		emit_expr(e, &st->args[1]);
		fputs(";\n", f);
	}
	emit_indent(e);
	fprintf(f, "note(%u, ", st->line);
	snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, st->text);
	emit_string(f, text);
	fprintf(f, ", \"%s\", ", names[st->cmp]);
	if (variable)
		fputs(variable, f);
	else
		emit_number(f, value);
	fputs(", seen,\n", f);
	emit_indent(e);
	fputs("     ", f);
	comparison(e, st->cmp, &st->args[1], variable);
	fputs(" ? EXPECTED : ", f);
	if (st->has_dev) {
		comparison(e, st->dev_cmp, &st->args[2], NULL);
		fputs(" ? DEVIATION : ", f);
	}
	fputs("OTHER);\n", f);
}

static void emit_step(struct emitter *e, const struct step *st)
{
	switch (st->kind) {
	case STEP_CAP:
	case STEP_CPU_CAP:
		step_cap(e, st);
		break;
	case STEP_BOOT_CPU:
		step_boot_cpu(e, st);
		break;
	case STEP_CREATE:
		step_create(e, st);
		break;
	case STEP_SET:
		step_set(e, st);
		break;
	case STEP_LET:
		step_let(e, st);
		break;
	case STEP_EXPECT:
		step_expect(e, st);
		break;
	case STEP_MSI:
	case STEP_IRQ_LINE:
	case STEP_ROUTE:
	case STEP_IRQFD:
	case STEP_SIGNAL:
		emit_irq_step(e, st);
		break;
	case STEP_NMI:
		step_nmi(e, st);
		break;
	case STEP_INTERRUPT:
		step_call(e, st, HELPER_INTERRUPT, "interrupt", 8);
		break;
	case STEP_PUMP:
		step_call(e, st, HELPER_PUMP, "pump", 64);
		break;
	case STEP_SAVE:
		step_reload(e, st);
		break;
	case STEP_CLEAR:
		step_call(e, st, HELPER_CLEAR_LAPIC, "clear_lapic", 64);
		break;
	case STEP_MSR_FILTER:
		step_call(e, st, HELPER_MSR_FILTER, "msr_filter", 32);
		break;
	case STEP_VMXON:
		step_call(e, st, HELPER_VMXON, "vmxon", 64);
		break;
	case STEP_DEBUG:
		step_call(e, st, HELPER_GUEST_DEBUG, "guest_debug", 32);
		break;
	case STEP_RUN:
		step_run(e, st);
		break;
	case STEP_ENTER:
	case STEP_GUEST:
	case STEP_GUEST_GET:
	case STEP_GUEST_SET:
	case STEP_GUEST_IPI:
		emit_guest_step(e, st);
		break;
	case STEP_WAIT:
		step_wait(e, st);
		break;
	case STEP_UNMAP:
		step_call(e, st, HELPER_UNMAP, "unmap", 64);
		break;
	case STEP_MEMSLOT:
		emit_memslot(e);
		break;
	case STEP_REPEAT:
		emit_repeat(e, st);
		break;
	case STEP_PARALLEL:
		emit_parallel(e, st);
		break;
	}
}

void emit_list(struct emitter *e, const struct step_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct step *st = &list->steps[i];

		emit_lines(e, st->line);
		if (st->kind == STEP_EXPECT && st->has_dev)
			emit_next_line(e, true);
		e->step = st;
		emit_step(e, st);
	}
}

// SPDX-License-Identifier: MIT
/* Expressions and objects of a scenario as expressions of C; all values are uint64_t. */
#include <inttypes.h>
#include <string.h>

#include "kvm/uapi.h"
#include "scenario/emit_c_parts.h"
#include "scenario/runner.h"

#define LAPIC_REG_STEP 16
#define LAPIC_PAGE     sizeof(((struct kvm_lapic_state *)0)->regs)

/* --- values */

/* The operand that ends at term `last`, as an expression of its own. */
static struct expr part(const struct expr *x, unsigned last)
{
	struct expr p = {.n = 0};
	unsigned first = last + 1, wanted = 1;

	while (wanted) {
		const struct term *t = &x->terms[--first];

		wanted += t->kind == TERM_BINARY ? 1 : t->kind == TERM_UNARY ? 0 : -1u;
	}
	p.n = last + 1 - first;
	memcpy(p.terms, &x->terms[first], p.n * sizeof(p.terms[0]));
	return p;
}

bool emit_constant(const struct expr *x, uint64_t *value)
{
	for (unsigned i = 0; i < x->n; i++)
		if (x->terms[i].kind == TERM_OBJECT || x->terms[i].kind == TERM_VARIABLE)
			return false;
	return eval(NULL, x, value) == 0;
}

bool emit_may_fail(const struct emitter *e, const struct expr *x)
{
	for (unsigned i = 0; i < x->n; i++) {
		const struct object_ref *ref = &x->terms[i].object;

		if (x->terms[i].kind != TERM_OBJECT || !ref->object->of_cpu)
			continue;
		if (ref->object->kind != OBJECT_GUEST || e->s->late[ref->cpu])
			return true;
	}
	return false;
}

/* A shift by 64 or more leaves nothing, which C does not promise. */
static void shift(struct emitter *e, enum operator op, const struct expr *left,
		  const struct expr *right)
{
	FILE *f = e->now->f;
	uint64_t by;

	if (emit_constant(right, &by) && by < 64) {
		fputc('(', f);
		emit_expr(e, left);
		fprintf(f, " %s %" PRIu64 ")", op == OP_SHL ? "<<" : ">>", by);
		return;
	}
	emit_use(e, op == OP_SHL ? HELPER_SHL : HELPER_SHR);
	fputs(op == OP_SHL ? "shl(" : "shr(", f);
	emit_expr(e, left);
	fputs(", ", f);
	emit_expr(e, right);
	fputc(')', f);
}

static void binary(struct emitter *e, enum operator op, const struct expr *left,
		   const struct expr *right)
{
	static const char *const names[] = {
		[OP_OR] = "|",	[OP_XOR] = "^", [OP_AND] = "&",
		[OP_ADD] = "+", [OP_SUB] = "-", [OP_MUL] = "*",
	};

	if (op == OP_SHL || op == OP_SHR) {
		shift(e, op, left, right);
		return;
	}
	fputc('(', e->now->f);
	emit_expr(e, left);
	fprintf(e->now->f, " %s ", names[op]);
	emit_expr(e, right);
	fputc(')', e->now->f);
}

/* --- objects */

/* "get_sregs(cpu1" */
static void call(struct emitter *e, enum helper h, const char *name, int32_t cpu)
{
	emit_use(e, h);
	fprintf(e->now->f, "%s(", name);
	emit_cpu(e, cpu);
}

/* The structures that are read and written as a whole. */
static const struct holder {
	enum helper get, set;
	const char *name, *get_name, *set_name;
} holders[] = {
	[OBJECT_REGS] = {HELPER_GET_REGS, HELPER_SET_REGS, "regs.", "get_regs", "set_regs"},
	[OBJECT_SREGS] = {HELPER_GET_SREGS, HELPER_SET_SREGS, "sregs.", "get_sregs", "set_sregs"},
	[OBJECT_EVENTS] = {HELPER_GET_EVENTS, HELPER_SET_EVENTS, "events.", "get_events",
			   "set_events"},
	[OBJECT_DEBUGREGS] = {HELPER_GET_DEBUGREGS, HELPER_SET_DEBUGREGS, "debugregs.",
			      "get_debugregs", "set_debugregs"},
};

/* The field's name in C: an array's has its index in brackets. */
static void field(struct emitter *e, const struct object *o)
{
	const char *name = o->name + strlen(holders[o->kind].name);
	size_t len = strlen(name);

	fputs(", ", e->now->f);
	if (strncmp(name, "interrupt_bitmap", 16) == 0 || strncmp(name, "db", 2) == 0)
		fprintf(e->now->f, "%.*s[%c]", (int)len - 1, name, name[len - 1]);
	else
		fputs(name, e->now->f);
}

static uint32_t lapic_register(struct emitter *e, const struct object_ref *ref)
{
	uint32_t at = ref->object->arg + (ref->object->indexed ? ref->index : 0);

	if (at % 4 || at > LAPIC_PAGE - 4)
		emit_refuse(e, "KVM_GET_LAPIC has no such register");
	return at;
}

static uint32_t msr_index(const struct object_ref *ref)
{
	return ref->object->indexed ? ref->index : ref->object->arg;
}

unsigned emit_bits(const struct object_ref *ref)
{
	if (!ref->whole)
		return ref->hi - ref->lo + 1u;
	switch (ref->object->kind) {
	case OBJECT_APICBASE_MODE:
		return 2;
	case OBJECT_LAPIC:
	case OBJECT_MP_STATE:
	case OBJECT_CPUID:
		return 32;
	case OBJECT_REGS:
	case OBJECT_SREGS:
	case OBJECT_EVENTS:
	case OBJECT_DEBUGREGS:
	case OBJECT_GUEST:
		return ref->object->size * 8u;
	default:
		return 64;
	}
}

/* A part of IRR, ISR or TMR, which are eight registers each. */
static bool is_vectors(const struct object_ref *ref)
{
	return ref->object->kind == OBJECT_LAPIC && ref->object->size == 32;
}

/* Which of the eight, and what is cut out of it then. */
static struct object_ref one_register(const struct object_ref *ref)
{
	struct object_ref one = *ref;

	one.hi = ref->hi % 32;
	one.lo = ref->lo % 32;
	one.whole = one.hi == 31 && one.lo == 0;
	return one;
}

/* One bit, and bits of several registers, have helpers of their own: "get_lapic_bits(cpu0, 0x200, 0x7f, 0x40" */
static bool call_vectors(struct emitter *e, const struct object_ref *ref, bool set)
{
	bool bit = ref->hi == ref->lo;

	if (!bit && ref->hi / 32 == ref->lo / 32)
		return false;
	if (bit)
		call(e, set ? HELPER_SET_LAPIC_BIT : HELPER_GET_LAPIC_BIT,
		     set ? "set_lapic_bit" : "get_lapic_bit", ref->cpu);
	else
		call(e, set ? HELPER_SET_LAPIC_BITS : HELPER_GET_LAPIC_BITS,
		     set ? "set_lapic_bits" : "get_lapic_bits", ref->cpu);
	fprintf(e->now->f, ", 0x%" PRIx32, lapic_register(e, ref));
	if (!bit)
		fprintf(e->now->f, ", 0x%x", ref->hi);
	fprintf(e->now->f, ", 0x%x", ref->lo);
	return true;
}

static void get_whole(struct emitter *e, const struct object_ref *ref, uint32_t more)
{
	const struct object *o = ref->object;
	FILE *f = e->now->f;

	switch (o->kind) {
	case OBJECT_LAPIC:
		call(e, HELPER_GET_LAPIC, "get_lapic", ref->cpu);
		fprintf(f, ", 0x%" PRIx32 ")", lapic_register(e, ref) + more);
		return;
	case OBJECT_MSR:
		call(e, HELPER_GET_MSR, "get_msr", ref->cpu);
		fprintf(f, ", 0x%" PRIx32 ")", msr_index(ref));
		return;
	case OBJECT_GUEST:
		call(e, HELPER_GUEST_GET, "guest_get", ref->cpu);
		emit_mail(e, ref);
		break;
	case OBJECT_XCR0:
		call(e, HELPER_GET_XCR0, "get_xcr0", ref->cpu);
		break;
	case OBJECT_MP_STATE:
		call(e, HELPER_GET_MP_STATE, "get_mp_state", ref->cpu);
		break;
	case OBJECT_CPUID:
		call(e, HELPER_GET_CPUID, "get_cpuid", ref->cpu);
		fprintf(f, ", 0x%" PRIx32 ", %" PRIu32 ")", ref->index >> 8, ref->index & 3);
		return;
	case OBJECT_APICBASE_MODE:
		if (!o->arg) {
			call(e, HELPER_GET_APIC_MODE, "get_apic_mode", ref->cpu);
			break;
		}
		emit_use(e, HELPER_BITS);
		fputs("bits(", f);
		call(e, HELPER_GET_SREGS, "get_sregs", ref->cpu);
		fputs(", apic_base), 11, 10", f);
		break;
	default:
		call(e, holders[o->kind].get, holders[o->kind].get_name, ref->cpu);
		field(e, o);
	}
	fputc(')', f);
}

/* The mode has two bits, in an object of a byte. */
static void check_mode_bits(struct emitter *e, const struct object_ref *ref)
{
	if (ref->object->kind == OBJECT_APICBASE_MODE && !ref->whole && ref->hi > 1)
		emit_refuse(e, "the mode has two bits");
}

static void get_of_cpu(struct emitter *e, const struct object_ref *ref)
{
	struct object_ref one = *ref;
	uint32_t more = 0;

	check_mode_bits(e, ref);
	if (is_vectors(ref)) {
		if (call_vectors(e, ref, false)) {
			fputc(')', e->now->f);
			return;
		}
		one = one_register(ref);
		more = ref->lo / 32u * LAPIC_REG_STEP;
	}
	if (one.whole) {
		get_whole(e, &one, more);
		return;
	}
	emit_use(e, HELPER_BITS);
	fputs("bits(", e->now->f);
	get_whole(e, &one, more);
	fprintf(e->now->f, ", %u, %u)", one.hi, one.lo);
}

/* What no CPU has; bits of it can be meant, too. */
static void get_global(struct emitter *e, const struct object_ref *ref)
{
	static const char *const names[] = {
		[OBJECT_ACCEPTED] = "accepted",
		[OBJECT_ERROR] = "error",
		[OBJECT_EXIT] = "exit_reason",
		[OBJECT_WARNINGS] = "warnings()",
	};
	static const enum helper uses[] = {
		[OBJECT_ACCEPTED] = HELPER_ACCEPTED,
		[OBJECT_ERROR] = HELPER_ERROR,
		[OBJECT_EXIT] = HELPER_EXIT,
		[OBJECT_WARNINGS] = HELPER_WARNINGS,
	};

	emit_use(e, uses[ref->object->kind]);
	if (!ref->whole)
		emit_use(e, HELPER_BITS);
	fprintf(e->now->f, ref->whole ? "%s" : "bits(%s", names[ref->object->kind]);
	if (!ref->whole)
		fprintf(e->now->f, ", %u, %u)", ref->hi, ref->lo);
}

static void get_object(struct emitter *e, const struct object_ref *ref)
{
	if (ref->object->named)
		emit_watched(e, ref);
	else
		(ref->object->of_cpu ? get_of_cpu : get_global)(e, ref);
}

void emit_expr(struct emitter *e, const struct expr *x)
{
	const struct term *t = &x->terms[x->n - 1];
	struct expr left, right;
	uint64_t value;

	if (emit_constant(x, &value)) {
		emit_number(e->now->f, value);
		/* Else C would compute with int. */
		if (value <= UINT32_MAX)
			fputs("ull", e->now->f);
		return;
	}
	switch (t->kind) {
	case TERM_OBJECT:
		get_object(e, &t->object);
		break;
	case TERM_VARIABLE:
		emit_variable(e, t->variable);
		break;
	case TERM_UNARY:
		right = part(x, x->n - 2);
		fputc(t->op == OP_NOT ? '~' : '-', e->now->f);
		emit_expr(e, &right);
		break;
	default:
		right = part(x, x->n - 2);
		left = part(x, x->n - 2 - right.n);
		binary(e, t->op, &left, &right);
		break;
	}
}

/* --- what is written */

void emit_argument(struct emitter *e, const struct expr *x, unsigned bits)
{
	uint64_t value;
	bool constant = emit_constant(x, &value);
	bool checked = !constant && bits < 64 && !e->step->tried;

	/* What is tried was compared already: emit_begin(). */
	if (constant && bits < 64 && value >> bits) {
		if (!e->step->tried)
			emit_refuse(e, "its value does not fit, which is refused always");
		if (value > UINT32_MAX)
			fputs("(uint32_t)", e->now->f);
	}
	if (checked) {
		emit_use(e, HELPER_FIT);
		fputs("fit(", e->now->f);
	}
	if (constant)
		emit_number(e->now->f, value);
	else
		emit_expr(e, x);
	if (checked)
		fprintf(e->now->f, ", %u)", bits);
}

/* The value: of all bits, or of these among those that are there. */
static void new_value(struct emitter *e, const struct object_ref *ref, uint32_t more,
		      const struct expr *x, unsigned bits)
{
	fputs(", ", e->now->f);
	if (!ref->whole) {
		emit_use(e, HELPER_WITH);
		fputs("with(", e->now->f);
		get_whole(e, ref, more);
		fprintf(e->now->f, ", %u, %u, ", ref->hi, ref->lo);
	}
	emit_argument(e, x, bits);
	fputs(ref->whole ? ")" : "))", e->now->f);
}

static const char *valid_flag(uint32_t flag)
{
	switch (flag) {
	case KVM_VCPUEVENT_VALID_NMI_PENDING:
		return "KVM_VCPUEVENT_VALID_NMI_PENDING";
	case KVM_VCPUEVENT_VALID_SIPI_VECTOR:
		return "KVM_VCPUEVENT_VALID_SIPI_VECTOR";
	case KVM_VCPUEVENT_VALID_SHADOW:
		return "KVM_VCPUEVENT_VALID_SHADOW";
	case KVM_VCPUEVENT_VALID_SMM:
		return "KVM_VCPUEVENT_VALID_SMM";
	case KVM_VCPUEVENT_VALID_PAYLOAD:
		return "KVM_VCPUEVENT_VALID_PAYLOAD";
	case KVM_VCPUEVENT_VALID_TRIPLE_FAULT:
		return "KVM_VCPUEVENT_VALID_TRIPLE_FAULT";
	default:
		return "0";
	}
}

static void set_lapic(struct emitter *e, const struct object_ref *ref, const struct expr *x)
{
	struct object_ref one = *ref;
	uint32_t more = 0;

	if (is_vectors(ref)) {
		one = one_register(ref);
		more = ref->lo / 32u * LAPIC_REG_STEP;
	}
	if (is_vectors(ref) && call_vectors(e, ref, true)) {
		one.whole = true;
	} else {
		call(e, HELPER_SET_LAPIC, "set_lapic", ref->cpu);
		fprintf(e->now->f, ", 0x%" PRIx32, lapic_register(e, ref) + more);
	}
	new_value(e, &one, more, x, emit_bits(ref));
}

static void set_mode(struct emitter *e, const struct object_ref *ref, const struct expr *x)
{
	/* Bits of the mode, 11:10 of the register. */
	struct object_ref bits = {.object = object_find("sregs.apic_base", 15),
				  .cpu = ref->cpu,
				  .hi = ref->whole ? 11 : 10 + ref->hi,
				  .lo = ref->whole ? 10 : 10 + ref->lo};

	if (!ref->object->arg) {
		call(e, HELPER_SET_APIC_MODE, "set_apic_mode", ref->cpu);
		new_value(e, ref, 0, x, emit_bits(ref));
		return;
	}
	call(e, HELPER_SET_SREGS, "set_sregs", ref->cpu);
	fputs(", apic_base", e->now->f);
	new_value(e, &bits, 0, x, emit_bits(ref));
}

void emit_set(struct emitter *e, const struct object_ref *ref, const struct expr *x)
{
	const struct object *o = ref->object;

	check_mode_bits(e, ref);
	switch (o->kind) {
	case OBJECT_LAPIC:
		set_lapic(e, ref, x);
		return;
	case OBJECT_APICBASE_MODE:
		set_mode(e, ref, x);
		return;
	case OBJECT_MSR:
		call(e, HELPER_SET_MSR, "set_msr", ref->cpu);
		fprintf(e->now->f, ", 0x%" PRIx32, msr_index(ref));
		break;
	case OBJECT_CPUID:
		call(e, HELPER_SET_CPUID, "set_cpuid", ref->cpu);
		fprintf(e->now->f, ", 0x%" PRIx32 ", %" PRIu32, ref->index >> 8, ref->index & 3);
		break;
	case OBJECT_GUEST:
		call(e, HELPER_GUEST_PUT, "guest_put", ref->cpu);
		emit_mail(e, ref);
		break;
	case OBJECT_XCR0:
		call(e, HELPER_SET_XCR0, "set_xcr0", ref->cpu);
		break;
	case OBJECT_MP_STATE:
		call(e, HELPER_SET_MP_STATE, "set_mp_state", ref->cpu);
		break;
	default:
		call(e, holders[o->kind].set, holders[o->kind].set_name, ref->cpu);
		field(e, o);
		if (o->kind == OBJECT_EVENTS)
			fprintf(e->now->f, ", %s", valid_flag(o->flag));
		break;
	}
	new_value(e, ref, 0, x, emit_bits(ref));
}

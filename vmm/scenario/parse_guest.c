// SPDX-License-Identifier: MIT
/* Steps that the puppet carries out: what stands behind `cpu ID: guest`. */
#include "guest/puppet.h"
#include "scenario/parse.h"
#include "scenario/puppet.h"

#define LAPIC_EOI 0xb0 /* offset of the register */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct operation {
	const char *name;
	unsigned op, args;
} operations[] = {
	{"nop", PUPPET_NOP, 0},		{"rdmsr", PUPPET_RDMSR, 1},
	{"wrmsr", PUPPET_WRMSR, 2},	{"read32", PUPPET_READ32, 1},
	{"write32", PUPPET_WRITE32, 2}, {"inb", PUPPET_INB, 1},
	{"outb", PUPPET_OUTB, 2},	{"inl", PUPPET_INL, 1},
	{"outl", PUPPET_OUTL, 2},	{"cli", PUPPET_CLI, 0},
	{"sti", PUPPET_STI, 0},		{"hlt", PUPPET_HLT, 0},
	{"sti_hlt", PUPPET_STI_HLT, 0}, {"pause", PUPPET_PAUSE, 1},
	{"cpuid", PUPPET_CPUID, 2},	{"rflags", PUPPET_RFLAGS, 0},
	{"rdcr8", PUPPET_RDCR8, 0},	{"wrcr8", PUPPET_WRCR8, 1},
	{"rdtsc", PUPPET_RDTSC, 0},	{"shutdown", PUPPET_SHUTDOWN, 0},
	{"answer", PUPPET_ANSWER, 2},	{"answer_hlt", PUPPET_ANSWER_HLT, 2},
};

static const struct operation *operation_find(const struct token *t)
{
	for (size_t i = 0; i < COUNT(operations); i++)
		if (token_is(t, operations[i].name))
			return &operations[i];
	return NULL;
}

const char *puppet_operation_name(unsigned op)
{
	for (size_t i = 0; i < COUNT(operations); i++)
		if (operations[i].op == op)
			return operations[i].name;
	return NULL;
}

static int guest_operation(struct parser *p, struct step *st, const struct operation *o)
{
	parse_advance(p);
	st->kind = STEP_GUEST;
	st->op = o->op;
	for (unsigned i = 0; i < o->args; i++)
		if (parse_arg(p, st, i) < 0)
			return -1;
	if (!token_is(&p->tok, "within"))
		return parse_end_of_line(p, o->args ? "an operator, 'within' or the end of the line"
						    : "'within' or the end of the line");
	parse_advance(p);
	return parse_arg(p, st, 2);
}

/* Registers that a CPU has for itself. */
static int guest_object(struct parser *p, struct step *st)
{
	const struct object_ref *ref = &st->object;
	struct token at;

	st->kind = token_is(&p->tok, "set") ? STEP_GUEST_SET : STEP_GUEST_GET;
	parse_advance(p);
	at = p->tok;
	if (parse_object(p, st->cpu, &st->object) < 0)
		return -1;
	if (ref->object->kind != OBJECT_LAPIC && ref->object->kind != OBJECT_MSR)
		return parse_expected(p, &at, "a register of the local APIC, or an MSR");
	if (!ref->whole)
		return parse_expected(p, &at, "a whole register, such as lapic[0x200]");
	return st->kind == STEP_GUEST_SET ? parse_arg(p, st, 0)
					  : parse_end_of_line(p, "the end of the line");
}

/* A write of 0 to the register at 0xb0. */
static int guest_eoi(struct parser *p, struct step *st)
{
	st->kind = STEP_GUEST_SET;
	st->object = (struct object_ref){.object = object_find("lapic", 5),
					 .index = LAPIC_EOI,
					 .whole = true,
					 .cpu = st->cpu};
	st->given[0] = true;
	st->args[0] = (struct expr){.n = 1, .terms = {{.kind = TERM_NUMBER}}};
	parse_advance(p);
	return parse_end_of_line(p, "the end of the line");
}

/* The destination goes without saying where there is a shorthand. */
static int guest_ipi(struct parser *p, struct step *st)
{
	st->kind = STEP_GUEST_IPI;
	parse_advance(p);
	return parse_message(p, st, IPI_FIELDS,
			     "dest, vector, mode, logical, level, trigger or shorthand");
}

static int guest_mode(struct parser *p, struct step *st)
{
	st->kind = STEP_ENTER;
	st->op = token_is(&p->tok, "real")	  ? PUPPET_REAL
		 : token_is(&p->tok, "protected") ? PUPPET_PROTECTED
						  : PUPPET_LONG;
	parse_advance(p);
	return parse_end_of_line(p, "the end of the line");
}

/* What is more than an operation, or none. */
static const struct {
	const char *name;
	int (*parse)(struct parser *p, struct step *st);
} of_guest[] = {
	{"real", guest_mode},  {"protected", guest_mode}, {"long", guest_mode},
	{"get", guest_object}, {"set", guest_object},	  {"eoi", guest_eoi},
	{"ipi", guest_ipi},
};

int parse_guest(struct parser *p, struct step *st)
{
	struct guess g = {.word = &p->tok};
	const struct operation *o = operation_find(&p->tok);

	p->s->guest = true;
	if (o)
		return guest_operation(p, st, o);
	for (size_t i = 0; i < COUNT(of_guest); i++) {
		if (token_is(&p->tok, of_guest[i].name))
			return of_guest[i].parse(p, st);
		guess_name(&g, of_guest[i].name);
	}
	for (size_t i = 0; i < COUNT(operations); i++)
		guess_name(&g, operations[i].name);
	return parse_unknown(p, &g, "what the guest does, such as long, set, ipi or rdmsr");
}

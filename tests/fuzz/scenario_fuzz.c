// SPDX-License-Identifier: MIT
/*
 * libFuzzer on the scenario language's reader. Any bytes give one line of error that a terminal can show, or a
 * scenario that whoever runs it can trust: each index is in bounds, each expression has one value.
 */
#include <string.h>

#include "guest/puppet.h"
#include "scenario/object.h"
#include "scenario/puppet.h"
#include "scenario/scenario.h"
#include "tests/fuzz/fuzz.h"

static const struct scenario *s;
static size_t steps;

static void check_text(const char *text)
{
	for (; *text; text++)
		must((*text >= 0x20 && *text < 0x7f) || *text == '\t');
}

static void check_cpu(int32_t cpu, bool needed)
{
	must(cpu >= (needed ? 0 : -1) && (cpu < 0 || (unsigned)cpu < s->ncpus));
}

static void check_object(const struct object_ref *ref)
{
	unsigned bits = ref->object->size * 8u;

	check_cpu(ref->cpu, ref->object->of_cpu);
	must(ref->object->of_cpu || ref->cpu == -1);
	if (ref->whole)
		must(bits <= 64 && !ref->hi && !ref->lo);
	else
		must(ref->hi < bits && ref->lo <= ref->hi && ref->hi - ref->lo < 64);
	if (ref->object->kind == OBJECT_LAPIC)
		must(ref->index <= 0x3fc && ref->index % 4 == 0);
	if (ref->object->kind == OBJECT_GUEST) {
		must(s->guest && (!ref->index || ref->index < ref->object->count));
		must(ref->object->arg + ref->object->flag * ref->index + ref->object->size <=
		     PUPPET_MAILBOX_SIZE);
	}
}

static void check_expr(const struct expr *e)
{
	unsigned depth = 0;

	must(e->n >= 1 && e->n <= EXPR_TERMS);
	for (unsigned i = 0; i < e->n; i++) {
		const struct term *t = &e->terms[i];
		unsigned takes = t->kind == TERM_BINARY ? 2 : t->kind == TERM_UNARY;

		must(depth >= takes);
		depth += 1 - takes;
		must(depth <= EXPR_DEPTH);
		if (t->kind == TERM_OBJECT)
			check_object(&t->object);
		if (t->kind == TERM_VARIABLE)
			must(t->variable < s->nvariables);
		if (t->kind == TERM_BINARY)
			must(t->op <= OP_MUL);
		if (t->kind == TERM_UNARY)
			must(t->op == OP_NOT || t->op == OP_NEG);
	}
	must(depth == 1);
}

static bool is_of_cpu(enum step_kind kind)
{
	switch (kind) {
	case STEP_CREATE:
	case STEP_SET:
	case STEP_NMI:
	case STEP_INTERRUPT:
	case STEP_SAVE:
	case STEP_CLEAR:
	case STEP_VMXON:
	case STEP_DEBUG:
		return true;
	default:
		return step_runs_cpu(kind);
	}
}

/* What the puppet is asked for: numbers that it has, and registers that a CPU has for itself. */
static void check_guest(const struct step *st)
{
	bool access = st->kind == STEP_GUEST_GET || st->kind == STEP_GUEST_SET;

	if (access || st->kind == STEP_GUEST || st->kind == STEP_ENTER ||
	    st->kind == STEP_GUEST_IPI)
		must(s->guest);
	if (st->kind == STEP_ENTER)
		must(st->op <= PUPPET_LONG);
	if (st->kind == STEP_GUEST)
		must(st->op < PUPPET_OPS);
	if (st->kind == STEP_GUEST_IPI)
		must(st->given[MSI_VECTOR] && !st->given[MSI_RH] &&
		     (st->given[MSI_DEST] || st->given[IPI_SHORTHAND]));
	if (!access)
		return;
	must(st->object.object->kind == OBJECT_LAPIC || st->object.object->kind == OBJECT_MSR);
	must(st->object.whole && st->given[0] == (st->kind == STEP_GUEST_SET));
	check_object(&st->object);
}

static void check_step(const struct step *st)
{
	uint32_t cap;

	check_text(st->text);
	must(st->line);
	check_cpu(st->cpu, is_of_cpu(st->kind));
	for (unsigned i = 0; i < STEP_ARGS; i++)
		if (st->given[i])
			check_expr(&st->args[i]);
	if (st->kind == STEP_CAP)
		must(cap_find(st->name, strlen(st->name), &cap));
	if (st->kind == STEP_LET)
		must(st->variable < s->nvariables);
	if (st->kind == STEP_SET) {
		must(!st->object.object->read_only);
		check_object(&st->object);
	}
	check_guest(st);
	if (st->has_dev)
		must(st->kind == STEP_EXPECT && st->given[2] && st->dev_cmp <= CMP_GE);
	if (st->kind == STEP_EXPECT)
		must(st->given[0] && st->given[1] && st->cmp <= CMP_GE);
}

static void check_list(const struct step_list *list, unsigned nesting)
{
	must(nesting <= SCENARIO_NESTING);
	for (size_t i = 0; i < list->n; i++) {
		const struct step *st = &list->steps[i];
		bool block = st->kind == STEP_REPEAT || st->kind == STEP_PARALLEL;

		must(++steps <= SCENARIO_STEPS);
		check_step(st);
		must(block == (st->nbranches > 0) && st->nbranches <= SCENARIO_CPUS);
		must(st->kind != STEP_REPEAT || st->nbranches == 1);
		for (unsigned b = 0; b < st->nbranches; b++) {
			must(st->branches[b].n);
			check_list(&st->branches[b], nesting + 1);
		}
	}
}

static void check_prose(const struct prose *prose)
{
	must(prose->n <= SCENARIO_PROSE);
	for (unsigned i = 0; i < prose->n; i++)
		check_text(prose->lines[i]);
}

static void check_header(void)
{
	const char *const texts[] = {s->id, s->title, s->manual, s->fix, s->fixed_in, s->seen};

	for (unsigned i = 0; i < 6; i++) {
		must(i >= 3 || texts[i]);
		if (texts[i])
			check_text(texts[i]);
	}
	check_prose(&s->about);
	check_prose(&s->cause);
	must(s->modes && s->modes < 1u << IRQCHIP_MODES && s->class <= CLASS_GUARD);
	must(s->nneeds <= SCENARIO_NEEDS && s->nvariables <= SCENARIO_VARIABLES);
	must(s->ncpus && s->ncpus <= SCENARIO_CPUS);
	for (unsigned i = 0; i < s->nneeds; i++) {
		check_text(s->needs[i].text);
		must(s->needs[i].kind != NEED_CPUID || s->needs[i].a < need_cpuid_count);
	}
	for (unsigned i = 0; i < s->nvariables; i++)
		check_text(s->variables[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct scenario *made = scenario_parse("t", (const char *)data, size, &err);

	if (!made) {
		must(err.code == EXIT_SETUP && memcmp(err.text, "t:", 2) == 0);
		must(strstr(err.text, ": expected ") && strstr(err.text, ", found "));
		check_text(err.text);
		return 0;
	}
	s = made;
	steps = 0;
	check_header();
	check_list(&s->steps, 0);
	scenario_free(made);
	return 0;
}

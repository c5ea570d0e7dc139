// SPDX-License-Identifier: MIT
/* Blocks of steps as C: `repeat` is a loop, each branch of `parallel` a function. */
#include <stdlib.h>

#include "scenario/emit_c_parts.h"

void emit_repeat(struct emitter *e, const struct step *st)
{
	emit_indent(e);
	fputs("for (uint64_t n = ", e->now->f);
	emit_count(e, &st->args[0], 64);
	/* In a branch it ends with that; what has begun is done as a whole. */
	if (e->in_branch)
		emit_use(e, HELPER_LEFT);
	fprintf(e->now->f, "; n; %s) {\n", e->in_branch ? "n = left(1) ? n - 1 : 0" : "n--");
	e->now->indent++;
	emit_list(e, &st->branches[0]);
	emit_next_line(e, false);
	e->now->indent--;
	emit(e, "}");
}

/* Names that these steps assign, by index: a branch has its own, which begins with the parent's. */
static uint32_t assigned(const struct step_list *list)
{
	uint32_t names = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct step *st = &list->steps[i];

		if (st->kind == STEP_LET)
			names |= 1u << st->variable;
		if (st->nbranches)
			names |= assigned(&st->branches[0]);
	}
	return names;
}

static void put_own(struct emitter *e, FILE *f)
{
	for (unsigned i = 0; i < e->s->nvariables; i++)
		if (e->own >> i & 1)
			fprintf(f, "\town_%s = v_%s;\n", e->s->variables[i], e->s->variables[i]);
}

static void put_branch(struct emitter *e, const struct step *st, unsigned i)
{
	struct function branch = {.indent = 0};

	branch.f = open_memstream(&branch.text, &branch.size);
	if (!branch.f) {
		emit_refuse(e, "out of memory");
		return;
	}
	e->now = &branch;
	e->own = assigned(&st->branches[i]);
	e->owned |= e->own;
	branch.indent = 2;
	emit_list(e, &st->branches[i]);
	emit_next_line(e, false);
	e->now = &e->main;
	fclose(branch.f);
	fprintf(e->branches.f, "static void *line%u_branch%u(void *start)\n{\n%s%s", st->line,
		i + 1, branch.seen ? "\tuint64_t seen;\n" : "",
		branch.expected ? "\tuint64_t expected;\n" : "");
	fprintf(e->branches.f, "%s\tbegin(start);\n", branch.seen ? "\n" : "");
	put_own(e, e->branches.f);
	e->own = 0;
	fprintf(e->branches.f, "\tdo {\n%s\t} while (again());\n\treturn NULL;\n}\n\n",
		branch.text ? branch.text : "");
	free(branch.text);
}

/* Which CPUs these steps run, by index. */
static uint64_t cpus_run(const struct step_list *list)
{
	uint64_t cpus = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct step *st = &list->steps[i];

		if (step_runs_cpu(st->kind))
			cpus |= 1ull << st->cpu;
		if (st->nbranches)
			cpus |= cpus_run(&st->branches[0]);
	}
	return cpus;
}

void emit_parallel(struct emitter *e, const struct step *st)
{
	uint64_t seen = 0;

	emit_use(e, HELPER_PARALLEL);
	emit_indent(e);
	fputs("parallel(", e->now->f);
	emit_count(e, &st->args[0], 64);
	fprintf(e->now->f, ", %u, (branch *[]){", st->nbranches);
	for (unsigned i = 0; i < st->nbranches; i++)
		fprintf(e->now->f, "%sline%u_branch%u", i ? ", " : "", st->line, i + 1);
	fputs("});\n", e->now->f);
	for (unsigned i = 0; i < st->nbranches; i++) {
		uint64_t cpus = cpus_run(&st->branches[i]);

		e->shared |= seen & cpus;
		seen |= cpus;
	}
	e->in_branch = true;
	for (unsigned i = 0; i < st->nbranches; i++)
		put_branch(e, st, i);
	e->in_branch = false;
	e->shared = 0;
}

// SPDX-License-Identifier: MIT
/* The steps of a scenario: a line each, or a block of lines that ends with `end`. */
#include <stdlib.h>
#include <string.h>

#include "scenario/parse.h"

struct statement {
	const char *name;
	int (*parse)(struct parser *p, struct step *st);
	enum step_kind kind;
	bool can_be_tried;
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int parse_block(struct parser *p, struct step *st, unsigned nesting);

int parse_arg(struct parser *p, struct step *st, unsigned i)
{
	st->given[i] = true;
	return parse_expr(p, st->cpu, &st->args[i]);
}

static int end_of_step(struct parser *p)
{
	return parse_end_of_line(p, "an operator or the end of the line");
}

/* The statement that the word names, or NULL. */
static const struct statement *find(const struct parser *p, const struct statement *table,
				    size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (token_is(&p->tok, table[i].name))
			return &table[i];
	return NULL;
}

static int not_found(struct parser *p, const struct statement *table, size_t count,
		     const char *expected)
{
	struct guess g = {.word = &p->tok};

	for (size_t i = 0; i < count; i++)
		guess_name(&g, table[i].name);
	return parse_unknown(p, &g, expected);
}

/* --- steps of one CPU: the word is passed already */

static int cpu_set(struct parser *p, struct step *st)
{
	const struct token at = p->tok;

	if (parse_object(p, st->cpu, &st->object) < 0)
		return -1;
	if (st->object.object->read_only)
		return parse_expected(p, &at, "an object that can be written");
	return parse_arg(p, st, 0);
}

static int cpu_reload(struct parser *p, struct step *st)
{
	st->from = st->cpu;
	if (parse_take(p, "lapic") < 0)
		return -1;
	if (!token_is(&p->tok, "from"))
		return parse_end_of_line(p, "'from' or the end of the line");
	parse_advance(p);
	return parse_cpu_id(p, &st->from);
}

static int cpu_clear(struct parser *p, struct step *st)
{
	(void)st;
	return parse_take(p, "lapic") < 0 ? -1 : parse_end_of_line(p, "the end of the line");
}

static int one_arg(struct parser *p, struct step *st)
{
	return parse_arg(p, st, 0);
}

static int no_args(struct parser *p, struct step *st)
{
	(void)st;
	return parse_end_of_line(p, "the end of the line");
}

static int parse_cap(struct parser *p, struct step *st)
{
	struct guess g = {.word = &p->tok};
	uint32_t number;

	if (p->tok.kind != TOKEN_WORD || !cap_find(p->tok.at, p->tok.len, &number)) {
		guess_table(&g, cap_name_at);
		return parse_unknown(p, &g, "a capability's name");
	}
	st->name = parse_keep(p, p->tok.at, p->tok.len);
	parse_advance(p);
	return p->tok.kind == TOKEN_END ? 0 : parse_arg(p, st, 0);
}

static const struct statement of_cpu[] = {
	{"set", cpu_set, STEP_SET, true},	    {"reload", cpu_reload, STEP_SAVE, true},
	{"clear", cpu_clear, STEP_CLEAR, true},	    {"pump", no_args, STEP_PUMP, true},
	{"nmi", no_args, STEP_NMI, true},	    {"interrupt", one_arg, STEP_INTERRUPT, true},
	{"guest_debug", one_arg, STEP_DEBUG, true}, {"run", one_arg, STEP_RUN, true},
	{"vmxon", one_arg, STEP_VMXON, true},	    {"guest", parse_guest, STEP_GUEST, true},
	{"cap", parse_cap, STEP_CPU_CAP, true},
};

/* --- steps of the machine */

static int step_cpu(struct parser *p, struct step *st)
{
	const struct statement *s;

	if (parse_cpu(p, &st->cpu) < 0)
		return -1;
	s = find(p, of_cpu, COUNT(of_cpu));
	if (!s)
		return not_found(
			p, of_cpu, COUNT(of_cpu),
			"set, reload, clear, pump, nmi, interrupt, guest_debug, run, vmxon, cap or guest");
	parse_advance(p);
	st->kind = s->kind;
	return s->parse(p, st);
}

static int step_create(struct parser *p, struct step *st)
{
	struct token id;

	if (parse_take(p, "cpu") < 0)
		return -1;
	id = p->tok;
	if (parse_cpu_id(p, &st->cpu) < 0)
		return -1;
	if (!p->s->late[st->cpu])
		return parse_expected(p, &id, "a CPU that 'cpus' marks with '*'");
	p->created[st->cpu] = true;
	return 0;
}

/* FIELD=EXPR...; `without`: the number of one that there is not, here. */
static int parse_fields(struct parser *p, struct step *st, const char *const *names, unsigned n,
			unsigned without, const char *expected)
{
	do {
		struct guess g = {.word = &p->tok};
		unsigned i = 0;

		for (; i < n && !token_is(&p->tok, names[i]); i++)
			guess_name(&g, names[i]);
		if (i == n || i == without)
			return parse_unknown(p, &g, expected);
		if (st->given[i])
			return parse_expected(p, &p->tok, "each field once");
		parse_advance(p);
		if (parse_take(p, "=") < 0 || parse_arg(p, st, i) < 0)
			return -1;
	} while (p->tok.kind == TOKEN_WORD);
	return 0;
}

int parse_message(struct parser *p, struct step *st, unsigned nfields, const char *expected)
{
	const unsigned without = nfields == IPI_FIELDS ? MSI_RH : nfields;

	if (parse_fields(p, st, field_names, nfields, without, expected) < 0)
		return -1;
	if (p->tok.kind == TOKEN_END && !st->given[MSI_DEST] &&
	    !(st->kind == STEP_GUEST_IPI && st->given[IPI_SHORTHAND]))
		return parse_expected(p, &p->tok, "%s",
				      nfields == IPI_FIELDS ? "dest=ID or shorthand=WHO"
							    : "dest=ID");
	if (p->tok.kind == TOKEN_END && !st->given[MSI_VECTOR])
		return parse_expected(p, &p->tok, "vector=N");
	return 0;
}

static int step_msi(struct parser *p, struct step *st)
{
	return parse_message(p, st, MSI_FIELDS,
			     "dest, vector, mode, logical, rh, level or trigger");
}

static int step_route(struct parser *p, struct step *st)
{
	return parse_arg(p, st, ROUTE_GSI) < 0 ? -1 : step_msi(p, st);
}

static int step_memslot(struct parser *p, struct step *st)
{
	if (parse_fields(p, st, memslot_field_names, MEMSLOT_FIELDS, MEMSLOT_FIELDS,
			 "slot, gpa, size or flags") < 0)
		return -1;
	if (p->tok.kind == TOKEN_END &&
	    !(st->given[MEMSLOT_SLOT] && st->given[MEMSLOT_GPA] && st->given[MEMSLOT_SIZE]))
		return parse_expected(p, &p->tok, "slot=N, gpa=ADDRESS and size=BYTES");
	return 0;
}

static int step_irqfd(struct parser *p, struct step *st)
{
	if (parse_arg(p, st, 0) < 0)
		return -1;
	st->resample = token_is(&p->tok, "resample");
	if (st->resample)
		parse_advance(p);
	return 0;
}

static int two_args(struct parser *p, struct step *st)
{
	return parse_arg(p, st, 0) < 0 ? -1 : parse_arg(p, st, 1);
}

/* A name is free when it is no word of the language that can stand in an expression. */
static bool is_free_name(const struct token *t)
{
	uint64_t value;

	return t->kind == TOKEN_WORD && !memchr(t->at, '.', t->len) && !token_is(t, "cpu") &&
	       !object_find(t->at, t->len) && !value_find(t->at, t->len, &value);
}

static int step_let(struct parser *p, struct step *st)
{
	const struct token name = p->tok;
	struct scenario *s = p->s;
	int variable;

	if (!is_free_name(&name))
		return parse_expected(p, &name,
				      "a name without '.' that is no object, value or 'cpu'");
	parse_advance(p);
	if (parse_arg(p, st, 0) < 0)
		return -1;
	variable = variable_find(p, &name);
	if (variable < 0 && s->nvariables == SCENARIO_VARIABLES)
		return parse_expected(p, &name, "at most %u names", SCENARIO_VARIABLES);
	if (variable < 0) {
		variable = (int)s->nvariables++;
		s->variables[variable] = parse_keep(p, name.at, name.len);
		p->variable_at[variable] = name;
	}
	st->variable = (unsigned)variable;
	return 0;
}

static int step_expect(struct parser *p, struct step *st)
{
	p->has_expect = true;
	if (parse_arg(p, st, 0) < 0 || parse_comparison(p, &st->cmp) < 0)
		return -1;
	return parse_arg(p, st, 1);
}

static const struct statement steps[] = {
	{"cap", parse_cap, STEP_CAP, true},
	{"boot_cpu", one_arg, STEP_BOOT_CPU, true},
	{"create", step_create, STEP_CREATE, true},
	{"cpu", step_cpu, STEP_SET, true},
	{"msi", step_msi, STEP_MSI, true},
	{"irq_line", two_args, STEP_IRQ_LINE, true},
	{"route", step_route, STEP_ROUTE, true},
	{"irqfd", step_irqfd, STEP_IRQFD, true},
	{"signal", one_arg, STEP_SIGNAL, true},
	{"wait", one_arg, STEP_WAIT, false},
	{"msr_filter", one_arg, STEP_MSR_FILTER, true},
	{"unmap", one_arg, STEP_UNMAP, true},
	{"memslot", step_memslot, STEP_MEMSLOT, true},
	{"let", step_let, STEP_LET, true},
	{"expect", step_expect, STEP_EXPECT, false},
	{"repeat", one_arg, STEP_REPEAT, false},
	{"parallel", one_arg, STEP_PARALLEL, false},
	/* What is no step of its own is here as what a misspelt word may have meant. */
	{"deviates", NULL, STEP_EXPECT, false},
	{"try", NULL, STEP_EXPECT, false},
	{"and", NULL, STEP_EXPECT, false},
	{"end", NULL, STEP_EXPECT, false},
};

/* --- lists of steps */

/* Room for one more; doubled when n reaches a power of two. */
static struct step *add_step(struct parser *p, struct step_list *list)
{
	bool full = !list->n || (list->n >= 4 && !(list->n & (list->n - 1)));
	struct step *grown;

	if (p->steps++ == SCENARIO_STEPS) {
		parse_report(p, &p->tok, "at most %u steps", SCENARIO_STEPS);
		return NULL;
	}
	if (full) {
		grown = realloc(list->steps, (list->n ? 2 * list->n : 4) * sizeof(*grown));
		if (!grown) {
			error_fill(p->err, EXIT_SETUP, "%s: out of memory", p->s->path);
			return NULL;
		}
		list->steps = grown;
	}
	list->steps[list->n] = (struct step){.cpu = -1, .line = p->line_no};
	return &list->steps[list->n++];
}

/* Behind an `expect`: it becomes part of it. */
static int parse_deviates(struct parser *p, struct step_list *list)
{
	struct step *st = list->n ? &list->steps[list->n - 1] : NULL;

	if (!st || st->kind != STEP_EXPECT || st->has_dev)
		return parse_expected(p, &p->tok, "'deviates' behind an 'expect' only");
	if (p->s->class == CLASS_GUARD)
		return parse_expected(p, &p->tok, "no deviation in a scenario of class guard");
	parse_advance(p);
	st->has_dev = p->has_deviates = true;
	st->dev_cmp = CMP_EQ;
	if (p->tok.kind == TOKEN_OPERATOR && !token_is(&p->tok, "(") && !token_is(&p->tok, "-") &&
	    !token_is(&p->tok, "~") && parse_comparison(p, &st->dev_cmp) < 0)
		return -1;
	return parse_arg(p, st, 2) < 0 ? -1 : end_of_step(p);
}

static bool is_block(const struct step *st)
{
	return st->kind == STEP_REPEAT || st->kind == STEP_PARALLEL;
}

/* What is refused before the step is read: where it stands. */
static int check_place(struct parser *p, const struct statement *s, bool tried, unsigned nesting)
{
	const char *expected = nesting ? "a step or 'end'" : "a step";
	const char *such = nesting ? "a step such as cpu, msi or expect, or 'end'"
				   : "a step such as cpu, msi or expect";

	if (!s && find(p, of_cpu, COUNT(of_cpu)))
		return parse_expected(p, &p->tok, "'cpu ID:' ahead of a step of a CPU");
	if (!s)
		return not_found(p, steps, COUNT(steps), such);
	if (!s->parse)
		return parse_expected(p, &p->tok, "%s", expected);
	if (tried && !s->can_be_tried)
		return parse_expected(p, &p->tok, "a step that can be refused");
	if (step_is_early(s->kind) && p->after_caps)
		return parse_expected(p, &p->tok, "'%s' ahead of all other steps", s->name);
	if (s->kind == STEP_PARALLEL && p->in_parallel)
		return parse_expected(p, &p->tok, "no 'parallel' inside of another");
	if ((s->kind == STEP_REPEAT || s->kind == STEP_PARALLEL) && nesting == SCENARIO_NESTING)
		return parse_expected(p, &p->tok, "at most %u blocks in each other",
				      SCENARIO_NESTING);
	return 0;
}

static int parse_step(struct parser *p, struct step_list *list, unsigned nesting)
{
	const char *start = p->tok.at;
	bool tried = token_is(&p->tok, "try");
	const struct statement *s;
	struct step *st;

	if (tried)
		parse_advance(p);
	else if (token_is(&p->tok, "deviates"))
		return parse_deviates(p, list);
	s = find(p, steps, COUNT(steps));
	if (check_place(p, s, tried, nesting) < 0)
		return -1;
	p->after_caps |= !step_is_early(s->kind);
	st = add_step(p, list);
	if (!st)
		return -1;
	st->kind = s->kind;
	st->tried = tried;
	parse_advance(p);
	if (s->parse(p, st) < 0 || end_of_step(p) < 0)
		return -1;
	st->text = parse_keep(p, start, (size_t)(p->behind - start));
	return is_block(st) ? parse_block(p, st, nesting + 1) : 0;
}

/* --- blocks */

static struct step_list *add_branch(struct parser *p, struct step *st)
{
	struct step_list *grown;

	grown = realloc(st->branches, (st->nbranches + 1) * sizeof(*grown));
	if (!grown) {
		error_fill(p->err, EXIT_SETUP, "%s: out of memory", p->s->path);
		return NULL;
	}
	st->branches = grown;
	grown[st->nbranches] = (struct step_list){0};
	return &grown[st->nbranches++];
}

/* To the `end`, or the `and`, which is not passed. */
static int parse_branch(struct parser *p, const struct step *st, struct step_list *list,
			unsigned nesting)
{
	int r;

	while ((r = parse_line(p)) > 0) {
		if (token_is(&p->tok, "end") ||
		    (st->kind == STEP_PARALLEL && token_is(&p->tok, "and")))
			return list->n ? 0 : parse_expected(p, &p->tok, "a step");
		if (parse_step(p, list, nesting) < 0)
			return -1;
	}
	if (r == 0)
		parse_report(p, &p->tok, "the 'end' of the block of line %u", st->line);
	return -1;
}

static int parse_block(struct parser *p, struct step *st, unsigned nesting)
{
	struct step_list *list;
	bool more;

	p->in_parallel |= st->kind == STEP_PARALLEL;
	do {
		list = add_branch(p, st);
		if (!list || parse_branch(p, st, list, nesting) < 0)
			return -1;
		more = token_is(&p->tok, "and");
		if (more && st->nbranches == SCENARIO_CPUS)
			return parse_expected(p, &p->tok, "at most %u branches", SCENARIO_CPUS);
		parse_advance(p);
		if (parse_end_of_line(p, "the end of the line") < 0)
			return -1;
	} while (more);
	if (st->kind == STEP_PARALLEL)
		p->in_parallel = false;
	return 0;
}

int parse_steps(struct parser *p)
{
	int r;

	while ((r = parse_line(p)) > 0)
		if (parse_step(p, &p->s->steps, 0) < 0)
			return -1;
	return r;
}

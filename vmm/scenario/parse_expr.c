// SPDX-License-Identifier: MIT
/* Expressions, in postfix order as they are read; objects with their CPU, index and bits. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scenario/parse.h"
#include "util/parse.h"

static const struct binary {
	const char *text;
	enum operator op;
	unsigned level; /* how tightly it binds: as in C */
} binaries[] = {
	{"|", OP_OR, 1},   {"^", OP_XOR, 2}, {"&", OP_AND, 3}, {"<<", OP_SHL, 4},
	{">>", OP_SHR, 4}, {"+", OP_ADD, 5}, {"-", OP_SUB, 5}, {"*", OP_MUL, 6},
};

struct builder {
	struct parser *p;
	struct expr *e;
	int32_t cpu;
	unsigned values; /* on the stack of whoever works it out */
	unsigned nested;
};

int parse_cpu_id(struct parser *p, int32_t *cpu)
{
	if (p->tok.kind != TOKEN_NUMBER)
		return parse_expected(p, &p->tok, "the ID of a CPU");
	for (unsigned i = 0; i < p->s->ncpus; i++)
		if (p->s->cpus[i] == p->tok.number) {
			*cpu = (int32_t)i;
			parse_advance(p);
			return 0;
		}
	return parse_expected(p, &p->tok, "an ID that 'cpus' names");
}

int parse_cpu(struct parser *p, int32_t *cpu)
{
	return parse_cpu_id(p, cpu) < 0 ? -1 : parse_take(p, ":");
}

int variable_find(const struct parser *p, const struct token *t)
{
	for (unsigned i = 0; i < p->s->nvariables; i++)
		if (name_is(p->s->variables[i], t->at, t->len))
			return (int)i;
	return -1;
}

/* --- objects */

static int take_number(struct parser *p, uint64_t max, const char *expected, uint64_t *number)
{
	if (p->tok.kind != TOKEN_NUMBER || p->tok.number > max)
		return parse_expected(p, &p->tok, "%s", expected);
	*number = p->tok.number;
	parse_advance(p);
	return 0;
}

/* "cpuid.1.eax" is one word. */
static int cpuid_index(struct parser *p, const struct token *t, uint32_t *index)
{
	static const char *const registers[] = {"eax", "ebx", "ecx", "edx"};
	const char *leaf = t->at + strlen("cpuid."), *end = t->at + t->len - strlen(".eax");
	char number[16] = "";
	uint64_t n;

	if (end > leaf && (size_t)(end - leaf) < sizeof(number))
		memcpy(number, leaf, (size_t)(end - leaf));
	/* The index has 24 bits for the leaf. */
	if (*number && *end == '.' && parse_u64(number, 0, 0xffffff, &n) == 0)
		for (unsigned r = 0; r < 4; r++)
			if (name_is(registers[r], end + 1, 3)) {
				*index = (uint32_t)n << 8 | r;
				return 0;
			}
	return parse_expected(p, t, "cpuid.LEAF.REGISTER, such as cpuid.1.eax");
}

/* [INDEX] of msr, lapic and what the puppet counts. */
static int parse_index(struct parser *p, struct object_ref *ref)
{
	bool lapic = ref->object->kind == OBJECT_LAPIC;
	uint64_t index;

	if (parse_take(p, "[") < 0)
		return -1;
	if (ref->object->kind == OBJECT_GUEST) {
		if (p->tok.kind != TOKEN_NUMBER || p->tok.number >= ref->object->count)
			return parse_expected(p, &p->tok, "an index below %u", ref->object->count);
		ref->index = (uint32_t)p->tok.number;
		parse_advance(p);
		return parse_take(p, "]");
	}
	if (lapic && p->tok.kind == TOKEN_NUMBER && p->tok.number % 4)
		return parse_expected(p, &p->tok, "a multiple of 4");
	if (take_number(p, lapic ? 0x3fc : UINT32_MAX,
			lapic ? "an offset of 0 to 0x3fc" : "an index of 32 bits", &index) < 0)
		return -1;
	ref->index = (uint32_t)index;
	return parse_take(p, "]");
}

/* [N] or [H:L] */
static int parse_bits(struct parser *p, struct object_ref *ref)
{
	unsigned bits = ref->object->size * 8u;
	struct token high;
	uint64_t hi, lo;

	ref->whole = !token_is(&p->tok, "[");
	if (ref->whole && bits > 64)
		return parse_expected(p, &p->tok, "[N] or [H:L], at most 64 bits of %u", bits);
	if (ref->whole)
		return 0;
	parse_advance(p);
	high = p->tok;
	if (take_number(p, bits - 1, "a bit that the register has", &hi) < 0)
		return -1;
	lo = hi;
	if (token_is(&p->tok, ":")) {
		parse_advance(p);
		if (take_number(p, hi, "the lower end of the bits", &lo) < 0)
			return -1;
	}
	if (hi - lo >= 64)
		return parse_expected(p, &high, "at most 64 bits");
	ref->hi = (uint8_t)hi;
	ref->lo = (uint8_t)lo;
	return parse_take(p, "]");
}

static int unknown_word(struct parser *p, const char *expected, bool only_objects)
{
	struct guess g = {.word = &p->tok};

	guess_table(&g, object_name_at);
	if (!only_objects) {
		guess_table(&g, value_name_at);
		for (unsigned i = 0; i < p->s->nvariables; i++)
			guess_name(&g, p->s->variables[i]);
	}
	return parse_unknown(p, &g, expected);
}

static bool is_host_name(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((at[i] >= 'a' && at[i] <= 'z') || (at[i] >= '0' && at[i] <= '9') ||
		      at[i] == '_'))
			return false;
	return len > 0;
}

/* Which of what the scenario watches it is, perhaps a new one. */
static int watch(struct parser *p, const struct token *t, const struct watched *w, uint32_t *index)
{
	struct scenario *s = p->s;

	for (*index = 0; *index < s->nwatched; (*index)++)
		if (s->watched[*index].object == w->object &&
		    strcmp(s->watched[*index].name, w->name) == 0 &&
		    strcmp(s->watched[*index].filter, w->filter) == 0)
			return 0;
	if (s->nwatched == SCENARIO_WATCHED)
		return parse_expected(p, t, "at most %u statistics and tracepoints",
				      SCENARIO_WATCHED);
	s->watched[s->nwatched++] = *w;
	return 0;
}

/* "[45]" behind "trace.kvm_exit.exit_reason" */
static int parse_filter(struct parser *p, const char *field, size_t len, const char **filter)
{
	char text[WATCHED_FILTER];
	uint64_t value;

	if (parse_take(p, "[") < 0 ||
	    take_number(p, UINT64_MAX, "a value of the field", &value) < 0)
		return -1;
	snprintf(text, sizeof(text), "%.*s == %" PRIu64, (int)len, field, value);
	*filter = parse_keep(p, text, strlen(text));
	return parse_take(p, "]");
}

/* "stat.exits", "trace.kvm_exit", "trace.kvm_exit.exit_reason[45]" */
static int parse_watched(struct parser *p, struct object_ref *ref)
{
	const struct object *o = ref->object;
	const struct token t = p->tok;
	size_t at = strlen(o->name) + 1, len = at < t.len ? t.len - at : 0;
	const char *name = t.at + at;
	const char *dot = o->kind == OBJECT_TRACE ? memchr(name, '.', len) : NULL;
	size_t field = dot ? len - (size_t)(dot + 1 - name) : 0;
	struct watched w = {.object = o, .filter = ""};

	len = dot ? (size_t)(dot - name) : len;
	if (!is_host_name(name, len))
		return parse_expected(p, &t, "%s.NAME, of a-z, 0-9 and '_'", o->name);
	if (dot && (!is_host_name(dot + 1, field) || field > WATCHED_FIELD))
		return parse_expected(p, &t,
				      "%s.EVENT.FIELD[N], of a-z, 0-9 and '_', at most 32 in FIELD",
				      o->name);
	w.name = parse_keep(p, name, len);
	parse_advance(p);
	if (dot && parse_filter(p, dot + 1, field, &w.filter) < 0)
		return -1;
	return watch(p, &t, &w, &ref->index);
}

/* "cpuid.1.eax" is the object "cpuid", which does not stand alone. */
static bool is_cpuid(const struct token *t)
{
	return t->kind == TOKEN_WORD && t->len >= 5 && memcmp(t->at, "cpuid", 5) == 0 &&
	       (t->len == 5 || t->at[5] == '.');
}

static const struct object *find_object(const struct token *t)
{
	if (t->kind != TOKEN_WORD)
		return NULL;
	if (is_cpuid(t))
		return object_find(t->at, 5);
	for (size_t i = 0; i < t->len; i++) {
		const struct object *o = t->at[i] == '.' ? object_find(t->at, i) : NULL;

		if (o && o->named)
			return o;
	}
	return object_find(t->at, t->len);
}

static int object_rest(struct parser *p, const struct object *o, int32_t cpu,
		       struct object_ref *ref)
{
	*ref = (struct object_ref){.object = o, .cpu = o->of_cpu ? cpu : -1};
	p->s->guest |= o->kind == OBJECT_GUEST;
	if (o->of_cpu && cpu < 0)
		return parse_expected(p, &p->tok, "'cpu ID:' ahead of an object of a CPU");
	if (o->kind == OBJECT_CPUID && cpuid_index(p, &p->tok, &ref->index) < 0)
		return -1;
	if (o->named)
		return parse_watched(p, ref) < 0 ? -1 : parse_bits(p, ref);
	parse_advance(p);
	if (o->indexed && o->kind != OBJECT_CPUID && parse_index(p, ref) < 0)
		return -1;
	return parse_bits(p, ref);
}

int parse_object(struct parser *p, int32_t cpu, struct object_ref *ref)
{
	const struct object *o = find_object(&p->tok);

	if (!o)
		return unknown_word(p, "an object such as lapic.tpr, msr.pat or regs.rip", true);
	return object_rest(p, o, cpu, ref);
}

/* --- expressions */

static int emit(struct builder *b, const struct token *at, const struct term *t)
{
	if (t->kind == TERM_BINARY)
		b->values--;
	else if (t->kind != TERM_UNARY)
		b->values++;
	if (b->e->n == EXPR_TERMS)
		return parse_expected(b->p, at, "at most %u terms", EXPR_TERMS);
	if (b->values > EXPR_DEPTH)
		return parse_expected(b->p, at, "at most %u values at once", EXPR_DEPTH);
	b->e->terms[b->e->n++] = *t;
	return 0;
}

static int parse_level(struct builder *b, unsigned level);

static int parse_parentheses(struct builder *b)
{
	parse_advance(b->p);
	if (parse_level(b, 1) < 0)
		return -1;
	if (!token_is(&b->p->tok, ")"))
		return parse_expected(b->p, &b->p->tok, "an operator or ')'");
	parse_advance(b->p);
	return 0;
}

/* `cpu ID: OBJECT` */
static int parse_of_cpu(struct builder *b)
{
	struct term t = {.kind = TERM_OBJECT};
	const struct token at = b->p->tok;
	int32_t cpu;

	parse_advance(b->p);
	if (parse_cpu(b->p, &cpu) < 0)
		return -1;
	if (find_object(&b->p->tok) && !find_object(&b->p->tok)->of_cpu)
		return parse_expected(b->p, &b->p->tok, "an object of a CPU");
	if (parse_object(b->p, cpu, &t.object) < 0)
		return -1;
	return emit(b, &at, &t);
}

static int parse_word(struct builder *b)
{
	const struct token at = b->p->tok;
	int variable = variable_find(b->p, &at);
	const struct object *o = find_object(&at);
	struct term t;

	if (token_is(&at, "cpu"))
		return parse_of_cpu(b);
	if (variable >= 0) {
		t = (struct term){.kind = TERM_VARIABLE, .variable = (unsigned)variable};
		b->p->used[variable] = true;
	} else if (o) {
		t = (struct term){.kind = TERM_OBJECT};
		if (object_rest(b->p, o, b->cpu, &t.object) < 0)
			return -1;
		return emit(b, &at, &t);
	} else {
		t = (struct term){.kind = TERM_NUMBER};
		if (!value_find(at.at, at.len, &t.number))
			return unknown_word(b->p, "an expression", false);
	}
	parse_advance(b->p);
	return emit(b, &at, &t);
}

static int parse_operand(struct builder *b)
{
	struct parser *p = b->p;
	const struct token at = p->tok;
	struct term t = {.kind = TERM_NUMBER, .number = at.number};
	bool unary = token_is(&at, "~") || token_is(&at, "-");
	int r;

	if (at.kind == TOKEN_NUMBER) {
		parse_advance(p);
		return emit(b, &at, &t);
	}
	if (at.kind == TOKEN_WORD)
		return parse_word(b);
	if (!unary && !token_is(&at, "("))
		return parse_expected(p, &at, "an expression");
	if (++b->nested > EXPR_DEPTH)
		return parse_expected(p, &at, "at most %u nested operators and parentheses",
				      EXPR_DEPTH);
	if (unary) {
		t = (struct term){.kind = TERM_UNARY, .op = *at.at == '~' ? OP_NOT : OP_NEG};
		parse_advance(p);
		r = parse_operand(b) < 0 ? -1 : emit(b, &at, &t);
	} else {
		r = parse_parentheses(b);
	}
	b->nested--;
	return r;
}

static const struct binary *binary_find(const struct token *t)
{
	for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++)
		if (token_is(t, binaries[i].text))
			return &binaries[i];
	return NULL;
}

/* An operand and all operators behind it that bind as tightly as level; depth is bounded by levels and nesting. */
static int parse_level(struct builder *b, unsigned level)
{
	const struct binary *op;

	if (parse_operand(b) < 0)
		return -1;
	while ((op = binary_find(&b->p->tok)) && op->level >= level) {
		const struct term t = {.kind = TERM_BINARY, .op = op->op};
		const struct token at = b->p->tok;

		parse_advance(b->p);
		if (parse_level(b, op->level + 1) < 0 || emit(b, &at, &t) < 0)
			return -1;
	}
	return 0;
}

int parse_expr(struct parser *p, int32_t cpu, struct expr *e)
{
	struct builder b = {.p = p, .e = e, .cpu = cpu};

	return parse_level(&b, 1);
}

int parse_comparison(struct parser *p, enum comparison *cmp)
{
	static const char *const texts[] = {[CMP_EQ] = "=",  [CMP_NE] = "!=", [CMP_LT] = "<",
					    [CMP_LE] = "<=", [CMP_GT] = ">",  [CMP_GE] = ">="};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (token_is(&p->tok, texts[i])) {
			*cmp = (enum comparison)i;
			parse_advance(p);
			return 0;
		}
	return parse_expected(p, &p->tok, "an operator or one of = != < <= > >=");
}

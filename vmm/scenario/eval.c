// SPDX-License-Identifier: MIT
/* Expressions over 64 bits, without a sign; nothing of them is undefined. */
#include <errno.h>

#include "scenario/runner.h"

static uint64_t unary(enum operator op, uint64_t a)
{
	return op == OP_NOT ? ~a : 0 - a;
}

static uint64_t binary(enum operator op, uint64_t a, uint64_t b)
{
	switch (op) {
	case OP_OR:
		return a | b;
	case OP_XOR:
		return a ^ b;
	case OP_AND:
		return a & b;
	case OP_SHL:
		return b < 64 ? a << b : 0;
	case OP_SHR:
		return b < 64 ? a >> b : 0;
	case OP_ADD:
		return a + b;
	case OP_SUB:
		return a - b;
	case OP_MUL:
		return a * b;
	default:
		return 0;
	}
}

static int operand(struct runner *r, const struct term *term, uint64_t *value)
{
	switch (term->kind) {
	case TERM_OBJECT:
		return object_get(r, &term->object, value);
	case TERM_VARIABLE:
		*value = r->variables[term->variable];
		return 0;
	default:
		*value = term->number;
		return 0;
	}
}

int eval(struct runner *r, const struct expr *e, uint64_t *value)
{
	uint64_t stack[EXPR_DEPTH];
	unsigned depth = 0;
	int ret;

	for (unsigned i = 0; i < e->n; i++) {
		const struct term *term = &e->terms[i];
		unsigned takes = term->kind == TERM_BINARY ? 2 : term->kind == TERM_UNARY ? 1 : 0;

		if (depth < takes || depth - takes >= EXPR_DEPTH)
			return -EINVAL;
		if (takes == 0) {
			ret = operand(r, term, &stack[depth++]);
			if (ret < 0)
				return ret;
		} else if (takes == 1) {
			stack[depth - 1] = unary(term->op, stack[depth - 1]);
		} else {
			depth--;
			stack[depth - 1] = binary(term->op, stack[depth - 1], stack[depth]);
		}
	}
	if (depth != 1)
		return -EINVAL;
	*value = stack[0];
	return 0;
}

int run_arg(struct runner *r, const struct step *st, unsigned i, uint64_t *value)
{
	*value = 0;
	return st->given[i] ? eval(r, &st->args[i], value) : 0;
}

int run_arg_below(struct runner *r, const struct step *st, unsigned i, uint64_t end,
		  uint64_t *value)
{
	int ret = run_arg(r, st, i, value);

	return ret < 0 ? ret : *value < end ? 0 : -ERANGE;
}

bool compare(uint64_t a, enum comparison cmp, uint64_t b)
{
	switch (cmp) {
	case CMP_EQ:
		return a == b;
	case CMP_NE:
		return a != b;
	case CMP_LT:
		return a < b;
	case CMP_LE:
		return a <= b;
	case CMP_GT:
		return a > b;
	default:
		return a >= b;
	}
}

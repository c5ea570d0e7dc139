/* SPDX-License-Identifier: MIT */
/* Between the parts of the scenario language's reader; nobody else includes it. */
#ifndef SIPI_SCENARIO_PARSE_H
#define SIPI_SCENARIO_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenario/object.h"
#include "scenario/scenario.h"

enum token_kind {
	TOKEN_WORD,
	TOKEN_NUMBER,
	TOKEN_OPERATOR, /* one or two characters */
	TOKEN_BAD,	/* no such thing in the language */
	TOKEN_END,	/* of the line */
	TOKEN_EOF,
};

struct token {
	enum token_kind kind;
	const char *at;
	size_t len;
	uint64_t number;
	unsigned line, column;
	/* TOKEN_BAD: what it should have been, or NULL: that depends on where it is */
	const char *wanted;
};

struct parser {
	struct scenario *s;
	struct error *err;
	const char *start, *next, *end; /* of the text, of the lines to come */
	const char *line, *line_end;
	unsigned line_no;
	struct token tok;
	const char *behind; /* the end of the token before tok: what a statement's text ends with */
	char *pool;	    /* what is left of scenario.text */
	size_t steps;
	bool header_seen[16];
	bool after_caps, has_expect, has_deviates, in_parallel;
	bool created[SCENARIO_CPUS], used[SCENARIO_VARIABLES];
	struct token cpu_at[SCENARIO_CPUS], variable_at[SCENARIO_VARIABLES];
};

/* --- lines, tokens, errors: parse_lex.c. What can fail gives -1 with *err filled. */

/* To the next line that says something, and its first token: 1; 0: there is none, tok is TOKEN_EOF. */
int parse_line(struct parser *p);
void parse_advance(struct parser *p);
bool token_is(const struct token *t, const char *text);
/* The operator or word `text` is next, and is passed. */
int parse_take(struct parser *p, const char *text);
int parse_end_of_line(struct parser *p, const char *expected);
/* A token of this line, with its place. */
struct token parse_token(const struct parser *p, enum token_kind kind, const char *at, size_t len);
/* A copy that lives as long as the scenario. */
const char *parse_keep(struct parser *p, const char *at, size_t len);

/* "expected EXPECTED, found TOKEN": -1. A macro as error_set() is, and for the same reason. */
#define parse_expected(p, found, ...) (parse_report(p, found, __VA_ARGS__), -1)
void parse_report(struct parser *p, const struct token *found, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The name that a misspelt word is closest to, when it is close. */
struct guess {
	const struct token *word;
	const char *name;
	unsigned distance;
};
void guess_name(struct guess *g, const char *name);
void guess_table(struct guess *g, const char *(*at)(size_t i));
int parse_unknown(struct parser *p, const struct guess *g, const char *expected);

/* --- names.c: tables by number, NULL behind the last */

bool name_is(const char *name, const char *word, size_t len);
const char *object_name_at(size_t i);
const char *value_name_at(size_t i);
const char *cap_name_at(size_t i);
const char *cpuid_name_at(size_t i);

/* --- expressions: parse_expr.c */

/* The ID of a CPU, as an index into the scenario's; `ID:` behind the word cpu. */
int parse_cpu_id(struct parser *p, int32_t *cpu);
int parse_cpu(struct parser *p, int32_t *cpu);
/* cpu: what objects belong to that do not say it, or -1. */
int parse_expr(struct parser *p, int32_t cpu, struct expr *e);
int parse_object(struct parser *p, int32_t cpu, struct object_ref *ref);
int parse_comparison(struct parser *p, enum comparison *cmp);
/* Index of a variable, or -1. */
int variable_find(const struct parser *p, const struct token *t);

/* --- statements: parse_header.c, parse_steps.c */

/* Header and `cpus`. */
int parse_header(struct parser *p);
/* All steps to the end of the text. */
int parse_steps(struct parser *p);
/* The i-th expression of a step. */
int parse_arg(struct parser *p, struct step *st, unsigned i);
/* FIELD=EXPR...: of an MSI, or of an IPI, which has one field more. */
int parse_message(struct parser *p, struct step *st, unsigned nfields, const char *expected);

/* parse_guest.c: behind `cpu ID: guest`. */
int parse_guest(struct parser *p, struct step *st);

#endif

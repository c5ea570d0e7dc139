/* SPDX-License-Identifier: MIT */
/* Between the parts of the emitter of C; nobody else includes it. */
#ifndef SIPI_SCENARIO_EMIT_C_PARTS_H
#define SIPI_SCENARIO_EMIT_C_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "scenario/object.h"
#include "scenario/scenario.h"

/* Functions of the emitted program that it has only when it calls them; each stands behind those that it uses. */
enum helper {
	HELPER_NONE,
	HELPER_ACCEPTED, /* variables */
	HELPER_ERROR,
	HELPER_EXIT,
	HELPER_NEED_ID,
	HELPER_NEED_CAP,
	HELPER_NEED_CPUID,
	HELPER_NEED_VENDOR,
	HELPER_NEED_APICV,
	HELPER_NEED_MSR,
	HELPER_TRIED,
	HELPER_FIT,
	HELPER_SHL,
	HELPER_SHR,
	HELPER_BITS,
	HELPER_WITH,
	HELPER_ENABLE_CAP,
	HELPER_CREATE_PIT,
	HELPER_REINJECT,
	HELPER_GET_LAPIC,
	HELPER_SET_LAPIC,
	HELPER_GET_LAPIC_BIT,
	HELPER_SET_LAPIC_BIT,
	HELPER_LAPIC_BYTE,
	HELPER_GET_LAPIC_BITS,
	HELPER_SET_LAPIC_BITS,
	HELPER_RELOAD_LAPIC,
	HELPER_CLEAR_LAPIC,
	HELPER_GET_MSR,
	HELPER_SET_MSR,
	HELPER_GET_APIC_MODE,
	HELPER_SET_APIC_MODE,
	HELPER_GET_REGS,
	HELPER_SET_REGS,
	HELPER_GET_SREGS,
	HELPER_SET_SREGS,
	HELPER_GET_EVENTS,
	HELPER_SET_EVENTS,
	HELPER_GET_DEBUGREGS,
	HELPER_SET_DEBUGREGS,
	HELPER_GET_XCR0,
	HELPER_SET_XCR0,
	HELPER_GET_MP_STATE,
	HELPER_SET_MP_STATE,
	HELPER_PUMP,
	HELPER_MSR_FILTER,
	HELPER_VMXON,
	HELPER_CPUID_REGISTER,
	HELPER_GET_CPUID,
	HELPER_SET_CPUID,
	HELPER_FIND_STAT,
	HELPER_NEED_STAT,
	HELPER_GET_STAT,
	HELPER_TRACE,
	HELPER_MESSAGE,
	HELPER_MSI,
	HELPER_ROUTE,
	HELPER_IRQFD,
	HELPER_SIGNAL,
	HELPER_IRQ_LINE,
	HELPER_INTERRUPT,
	HELPER_GUEST_DEBUG,
	HELPER_MEMSLOTS,
	HELPER_MEMSLOT,
	HELPER_UNMAP,
	HELPER_WARNINGS,
	HELPER_RUN,
	HELPER_CLOCK,
	HELPER_LEFT,
	HELPER_WAIT,
	HELPER_ALONE,
	HELPER_PARALLEL,
	HELPER_MAILBOX,
	HELPER_GUEST_GET,
	HELPER_GUEST_PUT,
	HELPER_ANSWER,
	HELPER_RUN_AND_ANSWER,
	HELPER_RUN_TO_IDLE,
	HELPER_GUEST_START,
	HELPER_GUEST,
	HELPER_GUEST_READ_LAPIC,
	HELPER_GUEST_WRITE_LAPIC,
	HELPER_GUEST_IPI,
	HELPERS
};

#define HELPER_NEEDS 4

struct helper_text {
	const char *text;
	enum helper needs[HELPER_NEEDS]; /* ahead of it in the order above */
};

/* emit_c_access.c, _helpers.c, _guest.c, _irq.c, _memory.c, _watched.c: each helper is in one of them. */
extern const struct helper_text emit_access[HELPERS], emit_others[HELPERS], emit_guest[HELPERS],
	emit_irqs[HELPERS], emit_memory[HELPERS], emit_watches[HELPERS];

/* A function of the program while it is written. */
struct function {
	FILE *f;
	char *text;
	size_t size;
	bool seen, expected; /* it has these variables */
	unsigned indent;
};

struct emitter {
	const struct scenario *s;
	enum irqchip_mode mode;
	const char *next, *end;	     /* of the scenario's text: what is not yet a comment */
	unsigned line;		     /* the number of that line */
	struct function needs, main; /* two parts of main() */
	struct function branches;    /* of `parallel`, each a function */
	struct function *now;
	bool helpers[HELPERS];
	bool parallel, in_branch; /* there is such a step; it is being written */
	uint64_t shared;	  /* CPUs, by index, that several of its branches run */
	uint64_t locked;	  /* and those of any such step */
	uint32_t own;		  /* names, by index, that the branch assigns */
	uint32_t owned;		  /* and those of any branch */
	unsigned expects;
	const struct step *step; /* being written */
	bool failed;		 /* *err is filled */
	struct error *err;
};

/* emit_c.c: this step cannot be told in C. The first such step counts. */
void emit_refuse(struct emitter *e, const char *why);

/* --- emit_c_text.c */

/* As in a literal of C, without and with its quotes. */
void emit_escaped(FILE *f, const char *s);
void emit_string(FILE *f, const char *s);
/* On a line of a comment; nothing in it ends the comment. */
void emit_comment(FILE *f, const char *s, size_t len);
/* The scenario's lines up to this one, as comments; blank lines stay. */
void emit_lines(struct emitter *e, unsigned to);
/* The next line that is neither blank nor comment, with all ahead of it; or what is ahead of it alone. */
void emit_next_line(struct emitter *e, bool show);
/* An indented line of the program. */
void emit(struct emitter *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void emit_indent(struct emitter *e);

void emit_number(FILE *f, uint64_t value);
const char *emit_operator(enum comparison cmp);
/* "cpu0x102" */
void emit_cpu(struct emitter *e, int32_t cpu);
void emit_variable(struct emitter *e, unsigned variable);

/* --- emit_c_expr.c */

/* False: its value is known only when the program runs. */
bool emit_constant(const struct expr *x, uint64_t *value);
/* Reads a CPU's state, which ends the program when that fails. */
bool emit_may_fail(const struct emitter *e, const struct expr *x);
void emit_expr(struct emitter *e, const struct expr *x);
/* As the argument of a call; refused, or checked by the program, where it may not fit into so many bits. */
void emit_argument(struct emitter *e, const struct expr *x, unsigned bits);
/* A call that writes the object, of the expression in it. */
void emit_set(struct emitter *e, const struct object_ref *ref, const struct expr *x);
/* How many bits a value for it can have. */
unsigned emit_bits(const struct object_ref *ref);

/* --- emit_c_steps.c */

void emit_list(struct emitter *e, const struct step_list *list);
/*
 * Around the call that the step is, which gives -1 with errno. The step's first n arguments, where they are given, must
 * fit into so many bits each.
 */
void emit_begin(struct emitter *e, unsigned n, const unsigned *bits);
void emit_end(struct emitter *e);
/* Of a call with one argument or none. */
void emit_begin_one(struct emitter *e, unsigned bits);
/* ".dest = 1, .vector = 0x40": the arguments that are given, each by its name */
void emit_fields(struct emitter *e, const char *const *names, unsigned n, const unsigned *bits);
/* A count or a time: decimal, as people write it. */
void emit_count(struct emitter *e, const struct expr *x, unsigned bits);
/* "KVM_CAP_X2APIC_API" */
void emit_cap_name(FILE *f, const char *name);
const char *emit_need_cap(const struct need *n);
/* What must be there ahead of the steps. */
void emit_needs(struct emitter *e);

/* --- emit_c_blocks.c */

void emit_repeat(struct emitter *e, const struct step *st);
void emit_parallel(struct emitter *e, const struct step *st);

/* --- emit_c_irq.c */

/* msi, irq_line, route, irqfd, signal */
void emit_irq_step(struct emitter *e, const struct step *st);

/* --- emit_c_memory.c */

void emit_memslot(struct emitter *e);

/* --- emit_c_watched.c */

/* Skips where the host lacks what the scenario watches; counts tracepoints from then on. */
void emit_watched_needs(struct emitter *e);
void emit_watched(struct emitter *e, const struct object_ref *ref);
/* What they are declared in. */
void emit_watched_includes(const struct emitter *e, FILE *f);

/* --- emit_c_guest.c */

void emit_guest_step(struct emitter *e, const struct step *st);
/* Where it lies in the mailbox, and its size: arguments of guest_get() and guest_put(). */
void emit_mail(struct emitter *e, const struct object_ref *ref);
/* Ahead of all functions; behind what every program has; at the end. */
void emit_guest_setup(FILE *f);
void emit_guest_memory(FILE *f);
void emit_guest_listing(FILE *f);

/* --- emit_c_base.c */

/* The program needs it, and what it needs itself. */
void emit_use(struct emitter *e, enum helper h);
bool emit_is_tdx(const struct emitter *e);
/* Behind the #includes and #defines: all functions that do not come of the scenario. */
void emit_helpers(const struct emitter *e, FILE *f);

#endif

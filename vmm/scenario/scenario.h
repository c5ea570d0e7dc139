/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_SCENARIO_H
#define SIPI_SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine/machine.h"
#include "util/error.h"

/*
 * A scenario: a text that says how to bring a machine into a state, what must be seen then, and what a known
 * deviation looks like instead. Here: what such a text says, and how it is read. tests/scenarios/REFERENCE.md has
 * the language.
 */

enum scenario_class { CLASS_BUG, CLASS_ERRATUM, CLASS_GUARD };

/* An expression over 64-bit values, in postfix order: operands are pushed, operators pop. */
enum term_kind { TERM_NUMBER, TERM_OBJECT, TERM_VARIABLE, TERM_UNARY, TERM_BINARY };
enum operator{
	OP_OR,
	OP_XOR,
	OP_AND,
	OP_SHL,
	OP_SHR,
	OP_ADD,
	OP_SUB,
	OP_MUL, /* binary */
	OP_NOT,
	OP_NEG, /* unary */
};

#define EXPR_TERMS 32
#define EXPR_DEPTH 16 /* how many values an expression needs at once, at most */

/*
 * Something that can be read, and mostly written: a register of a CPU, what the last step gave. See object.h.
 * hi and lo cut bits out of it; 0, 0 with whole set: all of them.
 */
struct object_ref {
	const struct object *object;
	uint32_t index; /* of msr[...], lapic[...], cpuid...; or in scenario.watched */
	bool whole;
	uint8_t hi, lo; /* bits of a register of 64 bits, or of one of 256 (IRR, ISR, TMR) */
	int32_t cpu;	/* index into the scenario's CPUs; -1: of none */
};

struct term {
	enum term_kind kind;
	union {
		uint64_t number;
		struct object_ref object;
		unsigned variable; /* index into scenario.variables */
		enum operator op;
	};
};

struct expr {
	unsigned n;
	struct term terms[EXPR_TERMS];
};

enum comparison { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE };

enum step_kind {
	/* Those of a VM that has no vCPU yet are first: step_is_early(). */
	STEP_CAP,      /* cap NAME [ARG]: KVM_ENABLE_CAP on the VM; name, args[0] */
	STEP_BOOT_CPU, /* boot_cpu EXPR: KVM_SET_BOOT_CPU_ID */
	STEP_CREATE, /* create cpu ID: KVM_CREATE_VCPU (and CPUID); those of `cpus` are created first */
	STEP_SET,      /* [cpu ID:] set OBJECT EXPR: object, args[0] */
	STEP_LET,      /* let NAME EXPR: variable, args[0] */
	STEP_EXPECT,   /* expect EXPR CMP EXPR, and what follows it as deviates */
	STEP_MSI,      /* msi FIELD=EXPR...: KVM_SIGNAL_MSI; args by enum msi_field */
	STEP_IRQ_LINE, /* irq_line GSI LEVEL */
	STEP_ROUTE, /* route GSI FIELD=EXPR...: KVM_SET_GSI_ROUTING; args by enum msi_field, ROUTE_GSI */
	STEP_IRQFD,	 /* irqfd GSI: KVM_IRQFD, of a new eventfd */
	STEP_SIGNAL,	 /* signal GSI: writes to that eventfd */
	STEP_WAIT,	 /* wait MILLISECONDS */
	STEP_MSR_FILTER, /* msr_filter MSR: KVM_X86_SET_MSR_FILTER: both accesses to args[0] exit */
	STEP_UNMAP,	 /* unmap ADDRESS: the host takes a page of the guest's memory away */
	STEP_MEMSLOT, /* memslot FIELD=EXPR...: KVM_SET_USER_MEMORY_REGION; args by enum memslot_field */
	STEP_NMI,	/* cpu ID: nmi */
	STEP_INTERRUPT, /* cpu ID: interrupt VECTOR */
	STEP_PUMP,	/* cpu ID: pump: KVM_GET_MP_STATE, which acts on pending INIT and SIPI */
	STEP_CLEAR,	/* cpu ID: clear lapic: KVM_SET_LAPIC of zeros, of which nothing was read */
	STEP_SAVE, /* cpu ID: reload lapic [from ID]: KVM_GET_LAPIC of `from`, KVM_SET_LAPIC of the same */
	STEP_CPU_CAP, /* cpu ID: cap NAME [ARG]: KVM_ENABLE_CAP on the vCPU */
	STEP_VMXON,   /* cpu ID: vmxon ADDRESS: KVM_SET_NESTED_STATE, vmxon_pa = args[0], no VMCS */
	STEP_DEBUG,   /* cpu ID: guest_debug EXPR: KVM_SET_GUEST_DEBUG, control = args[0] */
	STEP_RUN,     /* cpu ID: run MILLISECONDS: KVM_RUN until it exits, at most so long */
	/* By the puppet, which the CPU runs: scenario/puppet.h */
	STEP_ENTER,	/* cpu ID: guest long: op is an enum puppet_mode */
	STEP_GUEST,	/* cpu ID: guest OPERATION [A [B]] [within MS]: op, args[0], [1], [2] */
	STEP_GUEST_GET, /* cpu ID: guest get OBJECT: a register of the CPU's APIC, or an MSR */
	STEP_GUEST_SET, /* cpu ID: guest set OBJECT EXPR: object, args[0] */
	STEP_GUEST_IPI, /* cpu ID: guest ipi FIELD=EXPR...: args by enum msi_field */
	STEP_REPEAT,	/* repeat N ... end; args[0], body */
	STEP_PARALLEL, /* parallel MILLISECONDS ... and ... end: branches on threads, repeated so long */
};

enum msi_field {
	MSI_DEST,
	MSI_VECTOR,
	MSI_MODE,
	MSI_LOGICAL,
	MSI_RH,
	MSI_LEVEL,
	MSI_TRIGGER,
	MSI_FIELDS,
	IPI_SHORTHAND = MSI_FIELDS, /* of an IPI */
	ROUTE_GSI = MSI_FIELDS,	    /* of a route */
	IPI_FIELDS
};

enum memslot_field { MEMSLOT_SLOT, MEMSLOT_GPA, MEMSLOT_SIZE, MEMSLOT_FLAGS, MEMSLOT_FIELDS };

/* "dest", "vector", ...; "slot", "gpa", ...: names.c */
extern const char *const field_names[IPI_FIELDS], *const memslot_field_names[MEMSLOT_FIELDS];

#define STEP_ARGS 8

struct step {
	enum step_kind kind;
	unsigned line;
	const char *
		text; /* the line as it stands, without indentation and comment; owned by the scenario */
	bool tried;	   /* `try STEP`: a refusal is no error, object `error` has its errno */
	bool resample;	   /* STEP_IRQFD: with a resamplefd */
	int32_t cpu, from; /* indices into cpus, or -1 */
	const char *name;
	unsigned variable, op;
	struct object_ref object;
	bool given[STEP_ARGS];
	struct expr args[STEP_ARGS];
	/* STEP_EXPECT: args[0] CMP args[1]; the known deviation: args[0] dev_cmp args[2] when has_dev */
	enum comparison cmp, dev_cmp;
	bool has_dev;
	/* STEP_REPEAT: one branch. STEP_PARALLEL: one a thread. */
	struct step_list *branches;
	unsigned nbranches;
};

static inline bool step_is_early(enum step_kind kind)
{
	return kind <= STEP_BOOT_CPU;
}

/* It puts its CPU into KVM_RUN, and looks at what comes of it; KVM_GET_MP_STATE may be an INIT. */
static inline bool step_runs_cpu(enum step_kind kind)
{
	switch (kind) {
	case STEP_PUMP:
	case STEP_RUN:
	case STEP_ENTER:
	case STEP_GUEST:
	case STEP_GUEST_GET:
	case STEP_GUEST_SET:
	case STEP_GUEST_IPI:
		return true;
	default:
		return false;
	}
}

struct step_list {
	struct step *steps;
	size_t n;
};

/* What the host must have, checked before anything is done: a missing one is verdict skip, with this text. */
enum need_kind { NEED_CAP, NEED_CPUID, NEED_VENDOR, NEED_APICV, NEED_MSR };

struct need {
	enum need_kind kind;
	const char *text; /* as written: "cap x2apic_api" */
	uint32_t a,
		b; /* number of the capability; CPUID: index into need_cpuid[]; vendor 0 Intel, 1 AMD; MSR */
	bool off; /* NEED_APICV: there must be none */
};

/* What a scenario looks at by a name that only the host knows; a statistic, whichever CPU's. */
struct watched {
	const struct object *object; /* one that is `named` */
	const char *name;
	const char
		*filter; /* of a tracepoint: "FIELD == N" (Documentation/trace/events.rst), or "" */
};

/* Bytes of the name of a field, and of a filter with it. */
#define WATCHED_FIELD  32
#define WATCHED_FILTER (WATCHED_FIELD + 32)

#define SCENARIO_CPUS	   64
#define SCENARIO_MODES	   (IRQCHIP_MODES + 1) /* IRQCHIP_NONE is one */
#define SCENARIO_VARIABLES 32
#define SCENARIO_WATCHED   32
#define SCENARIO_NEEDS	   16
#define SCENARIO_PROSE	   16
#define SCENARIO_STEPS	   4096
#define SCENARIO_NESTING   4
#define SCENARIO_BYTES	   (1u << 20)

/* The lines of a paragraph. */
struct prose {
	unsigned n;
	const char *lines[SCENARIO_PROSE];
};

struct scenario {
	const char *path;
	const char *id, *title, *fix, *fixed_in, *manual,
		*seen; /* NULL: not given; id, title are */
	struct prose about, cause;
	enum scenario_class class;
	unsigned modes;		  /* bit 1 << enum irqchip_mode */
	const struct vm_type *vm; /* NULL: an ordinary one */
	bool danger;		  /* can harm the host's kernel */
	bool guest;		  /* a step runs the puppet */
	unsigned nneeds;
	struct need needs[SCENARIO_NEEDS];
	unsigned ncpus;
	uint32_t cpus[SCENARIO_CPUS]; /* vCPU IDs, in the order of creation */
	bool late[SCENARIO_CPUS];     /* created by a step */
	unsigned nvariables;
	const char *variables[SCENARIO_VARIABLES];
	unsigned nwatched;
	struct watched watched[SCENARIO_WATCHED]; /* each once */
	struct step_list steps;
	const char *source; /* all of it, as it was read */
	char *text;	    /* what the strings point into */
};

/* NULL with *err as "PATH:LINE:COLUMN: expected ..." and EXIT_SETUP. */
struct scenario *scenario_read(const char *path, struct error *err);
/* The same of bytes in memory, which are copied: any bytes, of any length. */
struct scenario *scenario_parse(const char *path, const char *bytes, size_t size,
				struct error *err);
void scenario_free(struct scenario *s);

#endif

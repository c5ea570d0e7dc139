/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_STATE_H
#define SIPI_MACHINE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm/uapi.h"
#include "util/reset_kind.h"

/*
 * The state of a vCPU, and the one ordered table that RESET, INIT, hot-plug and restoring walk. A row is a
 * piece of state: how to read it, how to write it, and what a reset makes of it. The rows stand in
 * the order in which they have to be written.
 */
struct vcpu;
struct machine;

#define STATE_MSRS 512

/* VMX keeps two pages of it (api.rst, KVM_GET_NESTED_STATE), SVM one. */
struct nested_state {
	struct kvm_nested_state head;
	uint8_t data[2 * 4096];
};

/* What is on its way to the CPU and in none of KVM's structures. */
struct cpu_pending {
	int extint; /* a vector taken from a controller that KVM has not taken yet, or -1 */
	/* irqchip mode user: */
	bool nmi, init;
	int sipi;	     /* vector, or -1 */
	bool extint_message; /* asks for an INTA cycle */
};

struct cpu_state {
	/* KVM_MP_STATE_*; irqchip mode user: runnable, halted or uninitialized. */
	uint32_t mp_state;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_lapic_state lapic; /* with 32-bit IDs in x2APIC mode */
	uint64_t tsc;
	uint64_t tsc_deadline;
	struct cpu_pending pending;
	/* Only where KVM_CAP_NESTED_STATE says so, else head.size is 0. */
	struct nested_state nested;
	/* Every other MSR of KVM_GET_MSR_INDEX_LIST that this vCPU lets the host read. */
	unsigned nmsrs;
	struct kvm_msr_entry msrs[STATE_MSRS];
};

struct state_row {
	const char *what;
	unsigned kinds;	     /* STATE_KIND() of each enum reset_kind that touches it */
	const char *section; /* where the value stands: SDM, APM, PPR, KVM's api.rst, ... */
	const char *why;     /* why it stands at this place in the order */
	/*
	 * 0 or -errno. All may be called only for a vCPU that is stopped, or on its own thread; with the
	 * machine's lock held once the machine runs (irqchip mode user keeps its part under it).
	 */
	int (*get)(struct vcpu *v, struct cpu_state *s);
	int (*set)(struct vcpu *v, const struct cpu_state *s);
	/*
	 * What a reset of this kind makes of the state that get() found. NULL for MSRs, where get() takes its
	 * time: apply() does it all for those that the kind touches, see msr_after().
	 */
	void (*reset)(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind);
	int (*apply)(struct vcpu *v, enum reset_kind kind);
};

#define STATE_KIND(kind) (1u << (kind))

extern const struct state_row state_rows[];
extern const unsigned state_row_count;

/* What becomes of an MSR, or of a range of them. */
enum msr_rule {
	MSR_TRY,   /* as MSR_RESET, where KVM lets the host write it (KVM on SVM: LASTBRANCH*) */
	MSR_RESET, /* to `value` by the kinds named; others leave it alone */
	MSR_FRESH, /* by the kinds named to what KVM made the vCPU with: the model decides */
	MSR_KEEP,  /* what the CPU is or the host set up; no reset touches it */
	MSR_CLOCK, /* no reset touches it, and it counts */
	MSR_OTHER, /* another row has it, of this table or of state_rows */
};

struct msr_row {
	uint32_t first, last;
	const char *name;
	enum msr_rule rule;
	unsigned kinds;
	uint64_t value;
	const char *section;
	bool unlisted; /* KVM has it without naming it in KVM_GET_MSR_INDEX_LIST */
};

extern const struct msr_row msr_rows[]; /* by rising index */
extern const unsigned msr_row_count;
/* NULL: no row names it, which is an error of the table. */
const struct msr_row *msr_row_find(uint32_t index);
/* Whether a reset of this kind touches the MSR, and what it makes of it. Rule MSR_OTHER: false. */
bool msr_after(const struct vcpu *v, uint32_t index, enum reset_kind kind, uint64_t *value);

#define FRESH_MSRS 8

/* What a machine knows of its MSRs; every vCPU has the same. */
struct machine_msrs {
	struct kvm_msr_entry fresh[FRESH_MSRS]; /* of rule MSR_FRESH, as they were made */
	unsigned nfresh;
	bool fresh_known;
	/* Those that KVM lists, and the unlisted, less those that cannot be read and those of MSR_OTHER. */
	uint32_t index[STATE_MSRS];
	unsigned count; /* 0: nobody has asked yet */
};

/* Before the guest can write to any: learns what a vCPU of this machine is made with. */
void msrs_note_fresh(struct vcpu *v);

/* All rows, top down. -errno: the row that failed has been traced. */
int vcpu_get_state(struct vcpu *v, struct cpu_state *s);
int vcpu_set_state(struct vcpu *v, const struct cpu_state *s);
/* The rows of the table that this kind touches. One vCPU, on its own thread or stopped. */
int vcpu_reset(struct vcpu *v, enum reset_kind kind);

/* What the machine has besides CPUs, in the order in which it is reset, before them. */
struct machine_row {
	/* A device's name on the bus where reset is NULL; not every machine has it. */
	const char *what;
	unsigned kinds;
	const char *section, *why;
	int (*reset)(struct machine *m, enum reset_kind kind);
};

extern const struct machine_row machine_rows[];
extern const unsigned machine_row_count;

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_TARGET_H
#define SIPI_SCENARIO_TARGET_H

#include <pthread.h>
#include <stdint.h>

#include "kvm/kvm.h"
#include "scenario/scenario.h"
#include "util/error.h"

/*
 * The machine that a scenario drives: bare KVM in irqchip modes kernel, split and none, our own local APICs in user. All
 * return 0 or more, or -errno as the ioctl of that name does. CPUs are indices into scenario.cpus. Calls for
 * different CPUs may be made by different threads.
 */
struct target;

struct target_ops {
	int (*enable_cap)(struct target *t, uint32_t cap, uint64_t arg);
	int (*create_cpu)(struct target *t, unsigned cpu);
	int (*get_lapic)(struct target *t, unsigned cpu, struct kvm_lapic_state *s);
	int (*set_lapic)(struct target *t, unsigned cpu, const struct kvm_lapic_state *s);
	int (*get_msr)(struct target *t, unsigned cpu, uint32_t index, uint64_t *value);
	int (*set_msr)(struct target *t, unsigned cpu, uint32_t index, uint64_t value);
	int (*get_sregs)(struct target *t, unsigned cpu, struct kvm_sregs *s);
	int (*set_sregs)(struct target *t, unsigned cpu, const struct kvm_sregs *s);
	int (*get_mp_state)(struct target *t, unsigned cpu, uint32_t *state);
	int (*set_mp_state)(struct target *t, unsigned cpu, uint32_t state);
	int (*signal_msi)(struct target *t, const struct kvm_msi *msi);
	/* How many took it; our own chips do not say: 0. */
	int (*irq_line)(struct target *t, uint32_t gsi, unsigned level);
	int (*nmi)(struct target *t, unsigned cpu);
	int (*interrupt)(struct target *t, unsigned cpu, uint8_t vector);
	/* Runs until an exit, at most so long; the exit's reason, or -ETIMEDOUT. */
	int (*run)(struct target *t, unsigned cpu, unsigned ms);
	void (*destroy)(struct target *t);
};

struct target {
	const struct target_ops *ops;
	const struct scenario *s;
	enum irqchip_mode mode;
	/* What is the same in every mode, by ioctl. -1: that CPU is not created yet. */
	int kvm, vm;
	int cpus[SCENARIO_CPUS];
	struct kvm_run *runs[SCENARIO_CPUS];
	size_t run_size;
	/* Where a step runs the puppet its memory, else NULL. */
	uint8_t *mem;
	/* Of a CPU: held by the step that runs it; it is in the middle of an operation; it has its mailbox. */
	pthread_mutex_t runs_now[SCENARIO_CPUS];
	bool busy[SCENARIO_CPUS], entered[SCENARIO_CPUS];
	struct kvm_cpuid2 *cpuid; /* what this KVM supports; each CPU gets its own APIC ID in it */
};

/* -1 with *err: EXIT_SKIP and what is missing, or EXIT_SETUP. `cpus` are created by the runner, after the caps. */
int target_open(struct target **t, const struct scenario *s, enum irqchip_mode mode,
		struct error *err);
/* Also after a failed step. */
void target_close(struct target *t);
/* All of `needs`: 0, or -1 with EXIT_SKIP and the missing one named. */
int needs_met(const struct scenario *s, enum irqchip_mode mode, struct error *err);

/* object_access.c. The CPU is in the reference. -errno: as the ioctl, or -EINVAL for a CPU that is not there. */
struct runner;
int object_get(struct runner *r, const struct object_ref *ref, uint64_t *value);
int object_set(struct runner *r, const struct object_ref *ref, uint64_t value);

#endif

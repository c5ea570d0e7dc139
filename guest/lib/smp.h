/* SPDX-License-Identifier: MIT */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/apic.h"
#include "lib/layout.h"

/*
 * CPUs are numbered: 0 is the one that booted, the others follow in the tree's order. A CPU that is
 * up and idle waits in STI;HLT for VEC_WAKE. guest_main() and functions run on other CPUs start
 * with interrupts off.
 */
enum cpu_state {
	CPU_UNPLUGGED, /* "disabled" in the tree and not added, or removed (lib/hotplug.h) */
	CPU_DOWN,
	CPU_IDLE,
	CPU_BUSY, /* runs, or is about to run, fn(arg) */
};

struct
try {
	uint64_t rsp; /* isr.S */
	struct try *outer;
	struct fault *fault;
	unsigned depth;
};

struct cpu {
	struct cpu *self;   /* %gs:0 */
	uint64_t stack_top; /* CPU_STACK_TOP */
	unsigned index;
	uint32_t apic_id; /* the tree's */
	enum cpu_state state;
	void (*fn)(void *);
	void *arg;
	const struct apic_ops *apic;
	enum apic_mode found_mode; /* of its APIC, when it came up */
	uint64_t lapic;		   /* address of the xAPIC page */
	struct try *try;
	unsigned irq_depth;
	uint32_t irqs[256];
};

_Static_assert(__builtin_offsetof(struct cpu, stack_top) == CPU_STACK_TOP, "entry.S knows it");

extern struct cpu *cpus;
extern unsigned ncpus;	  /* all in the tree */
extern uint32_t aps_lost; /* started CPUs whose CPUID gives an APIC ID that the tree lacks */

static inline struct cpu *this_cpu(void)
{
	struct cpu *c;

	asm volatile("mov %%gs:0, %0" : "=r"(c));
	return c;
}

static inline enum cpu_state cpu_state(unsigned cpu)
{
	return __atomic_load_n(&cpus[cpu].state, __ATOMIC_ACQUIRE);
}

static inline bool cpu_up(unsigned cpu)
{
	return cpu_state(cpu) >= CPU_IDLE;
}

/*
 * INIT-SIPI-SIPI (SDM Vol. 3A 8.4.4.1) to every enabled CPU that is down, then waits for them with
 * a time limit. They come up in the APIC mode that the caller is in; with an ID above 254 in the
 * tree the caller is taken to x2APIC mode first. Returns how many CPUs are up, the caller included.
 */
unsigned smp_start(void);
/*
 * The same for one CPU, in whatever state it is; false when the time is up. Its stack is the one that it had in
 * an earlier life.
 */
bool smp_start_one(unsigned cpu);
/* The same with so much time between INIT and SIPI, and a second SIPI only where the first did nothing. */
bool smp_start_after(unsigned cpu, uint64_t init_usec);

/* Runs fn(arg) on a CPU that is up and waits for its end; on the calling CPU too. False: too late.
 */
bool smp_run(unsigned cpu, void (*fn)(void *), void *arg, uint64_t usec);
/* Starts fn(arg) there and returns; false if that CPU is not idle. */
bool smp_post(unsigned cpu, void (*fn)(void *), void *arg);
/* Waits for the end of a posted function. */
bool smp_wait(unsigned cpu, uint64_t usec);
/* On all CPUs that are up, at the same time, the caller included; waits for all. */
bool smp_run_all(void (*fn)(void *), void *arg, uint64_t usec);

/* How many CPUs are up. */
unsigned smp_up(void);
/* The number of the CPU with this APIC ID, or -1. */
int cpu_by_id(uint32_t apic_id);
/* Records that a CPU was sent an INIT by hand, or was added: it is down. */
void smp_went_down(unsigned cpu);
/* Records that a CPU was removed. */
void smp_went_away(unsigned cpu);

void smp_init(void);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_USER_H
#define SIPI_MACHINE_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "chips/apic_bus.h"
#include "chips/lapic.h"
#include "io/timer.h"
#include "util/error.h"

/*
 * irqchip mode `user`: what a vCPU has besides, when its local APIC is ours. All of it is under the
 * machine's lock.
 */
enum user_activity { USER_RUNNING, USER_HALTED, USER_WAIT_SIPI };

struct user_cpu {
	struct lapic lapic;
	struct timer timer;
	enum user_activity activity;
	bool nmi, init;	   /* pending */
	int sipi;	   /* pending vector, or -1 */
	uint8_t cr8;	   /* what KVM was given at the last entry */
	uint64_t fired_ns; /* the last time its timer's callback ran */
	/* The guest's TSC at one moment of CLOCK_MONOTONIC. */
	uint64_t tsc, tsc_ns;
	uint32_t tsc_khz;
};

struct user_irqchip {
	struct apic_bus bus;
	struct vcpu **cpus; /* by bus index */
	unsigned *targets;  /* room for a message's targets */
	/*
	 * Whether KVM hands accesses to x2APIC MSRs over: it does so as a side effect of refusing them, which is
	 * no promise, so it is tried at each start. Without it CPUID offers no x2APIC.
	 */
	bool x2apic;
	struct error no_x2apic; /* why not */
	/*
	 * Whether writes to IA32_TSC_DEADLINE reach us: KVM on VMX may take them before it looks at its MSR filter.
	 */
	bool deadline;
};

struct vcpu;
struct machine;

/* user_lapic.c: accesses and messages. Under the machine's lock. */
struct ioapic_msg;
struct lapic_time user_time(const struct vcpu *v);
/* An IOAPIC's message, put on the bus. Takes the lock itself. */
void user_deliver(struct machine *m, const struct ioapic_msg *msg);
void user_act(struct vcpu *v, const struct lapic_effects *eff);
/* Puts a message on the bus and returns how many accepted it. source NULL: an IOAPIC or an MSI. */
unsigned user_send(struct machine *m, struct vcpu *source, const struct apic_msg *msg);
/* Before v enters the guest: sees to it that it comes back while TPR alone holds an interrupt. */
void user_watch_tpr(struct vcpu *v);
/* A tick of v's LAPIC timer, as the --inject rules have it. */
void user_tick(struct vcpu *v);
/* The event arrives. */
struct inject_event;
bool user_accept(struct machine *m, const struct inject_event *e);

/* irq_user.c: what is due now, before anything looks at the LAPIC. */
void user_catch_up(struct vcpu *v);

/* user_state.c: for the table in state.c. 0 or -errno. */
struct cpu_state;
uint32_t user_get_mp_state(const struct vcpu *v);
int user_set_mp_state(struct vcpu *v, uint32_t state);
/* What KVM does not know of them: CR8 and IA32_APIC_BASE. */
void user_get_sregs(struct vcpu *v, struct kvm_sregs *s);
/* IA32_APIC_BASE from the host; KVM was told by KVM_SET_SREGS. */
int user_set_base(struct vcpu *v, uint64_t base);
/* After the TSC was written. */
void user_learn_tsc(struct vcpu *v);
/* wide_ids: as for lapic_get_state(). */
void user_get_lapic(struct vcpu *v, bool wide_ids, struct kvm_lapic_state *s);
int user_set_lapic(struct vcpu *v, bool wide_ids, const struct kvm_lapic_state *s);
int user_set_deadline(struct vcpu *v, uint64_t deadline);
void user_get_pending(const struct vcpu *v, struct cpu_state *s);
void user_set_pending(struct vcpu *v, const struct cpu_state *s);

/* user_run.c: what a CPU does next. */
int user_before_run(struct vcpu *v);
/*
 * Carries out INIT and SIPI that are pending. With the machine's lock, which is let go of meanwhile, and on the
 * vCPU's own thread. 0 or -errno.
 */
int user_take_init(struct vcpu *v);
/* What the guest has done to CR8 since the last entry, into TPR: before anything looks at TPR. */
void user_sync_cr8(struct vcpu *v);
bool user_halt(struct vcpu *v);

#endif

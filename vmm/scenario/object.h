/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_OBJECT_H
#define SIPI_SCENARIO_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The names of a scenario's world: what can be read and written, and what values are called. One table for the
 * parser, the runner and the emitted C.
 */
enum object_kind {
	OBJECT_LAPIC,  /* arg: offset in struct kvm_lapic_state; 32 bits, or 256 (IRR, ISR, TMR) */
	OBJECT_MSR,    /* arg: index */
	OBJECT_REGS,   /* arg: offset in struct kvm_regs */
	OBJECT_SREGS,  /* in struct kvm_sregs */
	OBJECT_EVENTS, /* in struct kvm_vcpu_events; a write sets the VALID flag in `flag` */
	OBJECT_DEBUGREGS, /* in struct kvm_debugregs */
	OBJECT_XCR0,
	OBJECT_MP_STATE,
	OBJECT_CPUID, /* cpuid.1.eax: read: what the vCPU was given; index: leaf << 8 | register */
	OBJECT_APICBASE_MODE, /* bits 11:10 of IA32_APIC_BASE, by KVM_SET_MSRS (arg 0) or KVM_SET_SREGS (arg 1) */
	OBJECT_GUEST, /* in the CPU's mailbox, at arg (guest/puppet.h); by index: every `flag` bytes, `count` of them */
	/* Of names that the host has; index: into scenario.watched */
	OBJECT_STAT,	/* a statistic of KVM's, of the CPU */
	OBJECT_VM_STAT, /* of the VM */
	OBJECT_TRACE,	/* how often a tracepoint of KVM was passed, since the scenario began */
	OBJECT_ACCEPTED, /* what KVM_SIGNAL_MSI gave last: how many APICs accepted; of no CPU, as the following */
	OBJECT_ERROR,	 /* errno of the last `try`, 0 when it went well */
	OBJECT_EXIT,	 /* exit reason of the last `run` or `guest`, or one of the following */
	OBJECT_WARNINGS, /* lines of the kernel's log that warn, since the scenario began */
};

/* What OBJECT_EXIT is when `run` ended because its time was over. */
#define OBJECT_EXIT_TIMEOUT UINT64_MAX
/* The puppet has carried out its operation. */
#define OBJECT_EXIT_DONE (UINT64_MAX - 1)

struct object {
	const char *name; /* "lapic.id", "msr.apic_base", "sregs.cs.base", "msr" for msr[0x1b] */
	enum object_kind kind;
	uint32_t arg;
	uint8_t size;	/* bytes; 32 for a register of 256 bits */
	uint32_t flag;	/* OBJECT_EVENTS, OBJECT_GUEST */
	uint32_t count; /* OBJECT_GUEST */
	bool indexed;	/* takes [INDEX] first, then maybe [HI:LO] */
	bool named;	/* takes .NAME: see scenario.watched */
	bool of_cpu, read_only;
};

/* NULL: no such name. */
const struct object *object_find(const char *name, size_t len);
/* By number, for lists and for guesses at what was meant; NULL behind the last. */
const struct object *object_at(size_t i);

/* Words for values: "x2apic" is 3, "init" 5, "EINVAL" 22, "halted" 3. False: no such word. */
bool value_find(const char *name, size_t len, uint64_t *value);
/* A capability by name in lower case without KVM_CAP_: "x2apic_api". False: no such one. */
bool cap_find(const char *name, size_t len, uint32_t *cap);

/* Types of VMs by name, for `vm tdx`; one without a name is behind the last. */
struct vm_type {
	const char *name, *constant; /* as in KVM's header */
	unsigned type;
};
extern const struct vm_type vm_types[];

/* CPUID bits by name, for `needs cpuid.x2apic`. */
struct cpuid_bit {
	const char *name;
	uint32_t leaf, subleaf;
	uint8_t reg, bit; /* reg: 0 EAX .. 3 EDX */
};
extern const struct cpuid_bit need_cpuid[];
extern const unsigned need_cpuid_count;

#endif

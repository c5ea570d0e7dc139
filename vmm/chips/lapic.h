/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_LAPIC_H
#define SIPI_CHIPS_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "chips/apic_msg.h"

/*
 * The local APIC of one CPU (SDM vol. 3A, "Advanced Programmable Interrupt Controller (APIC)"): xAPIC
 * and x2APIC, 32-bit IDs. A pure state machine: accesses, messages and line changes go in with the time;
 * what it wants done comes back as effects, to be carried out by the caller.
 *
 * Before an access, the caller lets time pass with lapic_advance(), so that a tick that is due is not
 * lost to a write that stops the timer.
 */
struct kvm_lapic_state;

#define LAPIC_LEN	   0x1000
#define LAPIC_DEFAULT_BASE 0xfee00000ull
#define LAPIC_NEVER	   UINT64_MAX

/* IA32_APIC_BASE (SDM 3A, "Local APIC Status and Location"). */
#define LAPIC_BASE_BSP	  (1ull << 8)
#define LAPIC_BASE_X2APIC (1ull << 10)
#define LAPIC_BASE_ENABLE (1ull << 11)

#define LAPIC_MSR_FIRST 0x800
#define LAPIC_MSR_LAST	0x8ff

/* The time of a call: nanoseconds that never run backwards, and the guest's TSC at that moment. */
struct lapic_time {
	uint64_t ns;
	uint64_t tsc;
};

enum lapic_mode { LAPIC_DISABLED, LAPIC_XAPIC, LAPIC_X2APIC };

/* The entries of the local vector table; the numbers are only ours. */
enum lapic_lvt {
	LAPIC_LVT_TIMER,
	LAPIC_LVT_THERMAL,
	LAPIC_LVT_PMC,
	LAPIC_LVT_LINT0,
	LAPIC_LVT_LINT1,
	LAPIC_LVT_ERROR,
	LAPIC_LVT_CMCI,
	LAPIC_LVTS,
};

/* What never changes in the life of the CPU. */
struct lapic_config {
	uint32_t id;   /* the 32-bit ID; xAPIC mode starts with its low 8 bits */
	bool bsp;      /* the BSP flag after RESET */
	bool x2apic;   /* CPUID.1:ECX[21]; else EXTD is a reserved bit and 0x8xx do not exist */
	bool deadline; /* CPUID.1:ECX[24]; needs tsc_khz. Else 0x6e0 does not exist */
	unsigned
		phys_bits; /* MAXPHYADDR: bits from here up of IA32_APIC_BASE are reserved; 0: 36 */
	uint32_t bus_khz;  /* the clock of the timer before the divider; 0: 1 GHz as KVM's */
	uint32_t tsc_khz;
};

/* What a call wants done. Filled in anew by each call that takes one; empty when that answers -1. */
struct lapic_effects {
	bool send; /* put msg on the APIC bus; the sender is this APIC */
	struct apic_msg msg;
	bool eoi; /* broadcast an EOI of eoi_vector to the IOAPICs */
	uint8_t eoi_vector;
	/* For this APIC's own CPU: */
	bool nmi, smi, init;
	bool sipi;
	uint8_t sipi_vector;
	bool extint; /* an INTA cycle of the PIC is asked for: lapic_extint() at the end of the call */
	bool irq;    /* something is deliverable: lapic_pending() >= 0 at the end of the call */
	bool timer; /* the deadline may have changed: look at lapic_next_timer(), it may be past */
	bool base;  /* mode or page address changed */
	bool tpr;   /* TPR changed */
};

/* Plain data: it can be copied and compared. */
struct lapic {
	struct lapic_config cfg;
	uint64_t base; /* IA32_APIC_BASE */
	uint8_t xapic_id;
	uint8_t tpr;
	uint8_t ldr; /* xAPIC: bits 31:24; x2APIC derives its own */
	uint8_t dfr; /* bits 31:28 */
	uint32_t svr;
	uint32_t irr[8], isr[8], tmr[8];
	uint32_t esr;	  /* what a read sees */
	uint32_t esr_new; /* errors since the last write to ESR */
	uint32_t icr_low;
	uint32_t icr_high;
	uint32_t lvt[LAPIC_LVTS];
	uint32_t divide; /* the divide configuration register */
	uint32_t initial_count;
	/* One-shot and periodic: armed at start with `first` counts to go, then in periods. */
	bool armed;
	uint64_t first;
	uint64_t start;
	uint64_t expired;     /* expiries since start that were taken notice of */
	uint64_t deadline;    /* IA32_TSC_DEADLINE; 0: disarmed */
	bool lint[2];	      /* the input pins: they survive every reset */
	bool extint_received; /* an ExtINT message waits for its INTA cycle */
};

/* Zeroes everything, and is followed by a RESET of itself. */
void lapic_init(struct lapic *l, const struct lapic_config *cfg);
/* RESET: xAPIC mode at the default address, software-disabled. Input pins keep their levels. */
void lapic_reset(struct lapic *l);
/* INIT: as RESET, but mode, base address and APIC ID stay. */
void lapic_init_reset(struct lapic *l);

static inline enum lapic_mode lapic_mode(const struct lapic *l)
{
	if (!(l->base & LAPIC_BASE_ENABLE))
		return LAPIC_DISABLED;
	return l->base & LAPIC_BASE_X2APIC ? LAPIC_X2APIC : LAPIC_XAPIC;
}

/* The address of the page; it answers in xAPIC mode alone. */
static inline uint64_t lapic_page(const struct lapic *l)
{
	return l->base & ~0xfffull;
}

/* The ID in force: 8 bits in xAPIC mode (the guest may have written it), 32 in x2APIC mode. */
uint32_t lapic_id(const struct lapic *l);

/* WRMSR of IA32_APIC_BASE; the value is l->base. -1: #GP, and nothing has changed. */
int lapic_set_base(struct lapic *l, uint64_t value, struct lapic_effects *eff);
/* The same from the host, who may also switch directly between any two modes (as if by way of the others). */
int lapic_set_base_host(struct lapic *l, uint64_t value, struct lapic_effects *eff);

/*
 * The 4 KiB page. Registers are 32 bits wide at multiples of 16. A read of 1, 2 or 4 bytes inside the first
 * four of the 16 gives those bytes. A write takes effect only as 4 aligned bytes. Every other access
 * ("must not be executed", SDM 3A, "The Local APIC Block Diagram") reads 0 and writes nothing. Outside
 * xAPIC mode the page does not answer: all ones, and writes are lost.
 */
uint32_t lapic_mmio_read(struct lapic *l, uint64_t offset, unsigned size, struct lapic_time time,
			 struct lapic_effects *eff);
void lapic_mmio_write(struct lapic *l, uint64_t offset, unsigned size, uint32_t value,
		      struct lapic_time time, struct lapic_effects *eff);

/* RDMSR and WRMSR of 0x800 to 0x8ff. -1: #GP, and nothing has changed. */
int lapic_msr_read(const struct lapic *l, uint32_t index, struct lapic_time time, uint64_t *value);
int lapic_msr_write(struct lapic *l, uint32_t index, uint64_t value, struct lapic_time time,
		    struct lapic_effects *eff);
/* IA32_TSC_DEADLINE, 0x6e0. -1: #GP. A deadline that has passed fires at the next lapic_advance(). */
int lapic_deadline_read(const struct lapic *l, uint64_t *value);
int lapic_deadline_write(struct lapic *l, uint64_t value, struct lapic_effects *eff);

/*
 * The bus: does the destination field of msg (not the shorthand) mean this APIC? An APIC that is
 * globally disabled is never meant.
 */
bool lapic_matches(const struct lapic *l, const struct apic_msg *msg);
/* Enabled in SVR and globally: it accepts fixed and lowest-priority interrupts, and ExtINT. */
bool lapic_enabled(const struct lapic *l);
/*
 * A message that the bus has found to be for this APIC. False: not accepted. An illegal vector has been
 * accepted, and then refused with an error in ESR. A message with !assert is accepted and does nothing.
 * INIT is only reported: the CPU's reset includes the APIC's (lapic_init_reset(), or lapic_set_state() of its
 * result).
 */
bool lapic_receive(struct lapic *l, const struct apic_msg *msg, struct lapic_effects *eff);
/* To the sender of a message that no APIC accepted. */
void lapic_send_failed(struct lapic *l, struct lapic_effects *eff);

/* The vector that the CPU would be given now, or -1. */
int lapic_pending(const struct lapic *l);
/*
 * The CPU takes an interrupt (INTA): the vector goes from IRR to ISR. When nothing is deliverable any
 * more the answer is the spurious vector, and ISR stays.
 */
uint8_t lapic_ack(struct lapic *l);
/* Is the PIC to be asked for a vector: LINT0 as ExtINT (or as INTR, globally disabled), or a message. */
bool lapic_extint(const struct lapic *l);
/* The CPU has taken the PIC's vector: a message is used up. */
void lapic_extint_ack(struct lapic *l);
uint8_t lapic_ppr(const struct lapic *l);
uint8_t lapic_apr(const struct lapic *l);

uint8_t lapic_get_cr8(const struct lapic *l);
/* MOV to CR8; clears TPR[3:0], so whoever mirrors CR8 calls this only when CR8 has changed. */
void lapic_set_cr8(struct lapic *l, uint8_t value, struct lapic_effects *eff);

/* Pin 0 or 1 (others are ignored); level means "asserted", the polarity bit is stored but does not invert. */
void lapic_set_lint(struct lapic *l, unsigned pin, bool level, struct lapic_effects *eff);
/* The internal sources: thermal, performance counter, CMCI. */
void lapic_lvt_event(struct lapic *l, enum lapic_lvt which, struct lapic_effects *eff);

/*
 * The timer. When it expires next, in ns: LAPIC_NEVER when disarmed, time.ns or earlier when due. It is
 * for whoever arms a host timer to put a floor under the guest's period.
 */
uint64_t lapic_next_timer(const struct lapic *l, struct lapic_time time);
/* Fires what is due; answers the number of expiries (several periods make one interrupt). */
uint64_t lapic_advance(struct lapic *l, struct lapic_time time, struct lapic_effects *eff);
/* The two halves of lapic_advance(), for those who meddle: consume the expiries; send the interrupt. */
uint64_t lapic_timer_expire(struct lapic *l, struct lapic_time time);
void lapic_timer_tick(struct lapic *l, struct lapic_effects *eff);

static inline uint8_t lapic_timer_vector(const struct lapic *l)
{
	return (uint8_t)l->lvt[LAPIC_LVT_TIMER];
}

/*
 * The registers in KVM's layout. wide_ids: KVM_X2APIC_API_USE_32BIT_IDS, else an x2APIC ID is given as its
 * low 8 bits in 31:24. Mode and IA32_TSC_DEADLINE are not in there: the mode is set before, the deadline
 * after. ESR errors since the last write and input pins are not either. set: -1, with nothing changed, when
 * the ID of an x2APIC is not this one's; reserved bits are dropped.
 */
void lapic_get_state(const struct lapic *l, struct lapic_time time, bool wide_ids,
		     struct kvm_lapic_state *state);
int lapic_set_state(struct lapic *l, const struct kvm_lapic_state *state, struct lapic_time time,
		    bool wide_ids, struct lapic_effects *eff);

#endif

// SPDX-License-Identifier: MIT
/* The local APIC: requests, priorities, the local vector table and errors. */
#include "chips/lapic_priv.h"

static void vector_set(uint32_t bits[8], uint8_t vector)
{
	bits[vector / 32] |= 1u << vector % 32;
}

static void vector_clear(uint32_t bits[8], uint8_t vector)
{
	bits[vector / 32] &= ~(1u << vector % 32);
}

/* The highest vector, or -1. */
static int vector_highest(const uint32_t bits[8])
{
	for (int i = 7; i >= 0; i--)
		if (bits[i])
			return i * 32 + 31 - __builtin_clz(bits[i]);
	return -1;
}

/* "Task and Processor Priorities"; of the two values allowed for equal classes, TPR. */
uint8_t lapic_ppr(const struct lapic *l)
{
	int isrv = vector_highest(l->isr);
	uint8_t in_service = isrv < 0 ? 0 : (uint8_t)isrv & 0xf0;

	return (l->tpr & 0xf0) >= in_service ? l->tpr : in_service;
}

/*
 * "Lowest Priority Delivery Mode". The AND of the formula is taken as it stands there; it makes a CPU whose
 * task priority is low look idle even while it serves an interrupt.
 */
uint8_t lapic_apr(const struct lapic *l)
{
	int irr = vector_highest(l->irr), isr = vector_highest(l->isr);
	unsigned irrv = irr < 0 ? 0 : (unsigned)irr >> 4;
	unsigned isrv = isr < 0 ? 0 : (unsigned)isr >> 4;
	unsigned tpr = l->tpr >> 4;
	unsigned both = tpr & isrv;

	if (tpr >= irrv && tpr > isrv)
		return l->tpr;
	return (uint8_t)((both > irrv ? both : irrv) << 4);
}

/* Software-disabled, what is in IRR is "held" and still goes to the CPU. */
int lapic_pending(const struct lapic *l)
{
	int vector;

	if (lapic_mode(l) == LAPIC_DISABLED)
		return -1;
	vector = vector_highest(l->irr);
	return vector >= 0 && vector >> 4 > lapic_ppr(l) >> 4 ? vector : -1;
}

uint8_t lapic_ack(struct lapic *l)
{
	int vector = lapic_pending(l);

	if (vector < 0)
		return (uint8_t)l->svr; /* "Spurious Interrupt" */
	vector_clear(l->irr, (uint8_t)vector);
	vector_set(l->isr, (uint8_t)vector);
	return (uint8_t)vector;
}

/*
 * "Error Handling": the first error since ESR was last written triggers the LVT error interrupt, and the
 * write rearms it.
 */
void lapic_error(struct lapic *l, uint32_t error, struct lapic_effects *eff)
{
	bool armed = !l->esr_new;

	l->esr_new |= error;
	if (armed)
		lapic_lvt_fire(l, LAPIC_LVT_ERROR, eff);
}

/* "Interrupt Acceptance for Fixed Interrupts": TMR is set with the request. False: an illegal vector. */
static bool accept(struct lapic *l, uint8_t vector, bool level, struct lapic_effects *eff)
{
	if (vector < VECTOR_FIRST) {
		lapic_error(l, ESR_RECEIVED_ILLEGAL, eff);
		return false;
	}
	vector_set(l->irr, vector);
	if (level)
		vector_set(l->tmr, vector);
	else
		vector_clear(l->tmr, vector);
	return true;
}

/* "Signaling Interrupt Servicing Completion". */
void lapic_eoi(struct lapic *l, struct lapic_effects *eff)
{
	uint32_t *lint0 = &l->lvt[LAPIC_LVT_LINT0];
	int vector = vector_highest(l->isr);

	if (vector < 0)
		return;
	vector_clear(l->isr, (uint8_t)vector);
	if (vector_test(l->tmr, (uint8_t)vector) && !(l->svr & SVR_SUPPRESS_EOI)) {
		eff->eoi = true;
		eff->eoi_vector = (uint8_t)vector;
	}
	if ((*lint0 & LVT_REMOTE_IRR) && (uint8_t)*lint0 == vector) {
		*lint0 &= ~LVT_REMOTE_IRR;
		lapic_lint0_evaluate(l, eff);
	}
}

/* "Local APIC State After It Has Been Software Disabled": INIT, NMI, SMI and SIPI are accepted. */
static bool deliver(struct lapic *l, const struct apic_msg *msg, struct lapic_effects *eff)
{
	switch (msg->delivery) {
	case APIC_FIXED:
	case APIC_LOWEST:
		if (!lapic_enabled(l))
			return false;
		accept(l, msg->vector, msg->level, eff);
		return true;
	case APIC_SMI:
		eff->smi = true;
		return true;
	case APIC_NMI:
		eff->nmi = true;
		return true;
	case APIC_INIT:
		eff->init = true;
		return true;
	case APIC_SIPI:
		eff->sipi = true;
		eff->sipi_vector = msg->vector;
		return true;
	case APIC_EXTINT:
		l->extint_received |= lapic_enabled(l);
		return lapic_enabled(l);
	default:
		return false;
	}
}

bool lapic_receive(struct lapic *l, const struct apic_msg *msg, struct lapic_effects *eff)
{
	bool accepted = lapic_mode(l) != LAPIC_DISABLED;

	lapic_begin(eff);
	if (accepted && msg->assert)
		accepted = deliver(l, msg, eff);
	lapic_end(l, eff);
	return accepted;
}

void lapic_send_failed(struct lapic *l, struct lapic_effects *eff)
{
	lapic_begin(eff);
	lapic_error(l, ESR_SEND_ACCEPT, eff);
	lapic_end(l, eff);
}

/* Timer and error have no such field, and 0 in its place: fixed. */
static unsigned lvt_delivery(const struct lapic *l, enum lapic_lvt which)
{
	return (l->lvt[which] >> LVT_DELIVERY_SHIFT) & 7;
}

/* Fixed interrupts alone can be levels, and "level-sensitive interrupts are not supported for LINT1". */
static bool lvt_is_level(const struct lapic *l, enum lapic_lvt which)
{
	return which == LAPIC_LVT_LINT0 && (l->lvt[which] & LVT_LEVEL) &&
	       lvt_delivery(l, which) == APIC_FIXED;
}

static void lvt_fixed(struct lapic *l, enum lapic_lvt which, struct lapic_effects *eff)
{
	bool level = lvt_is_level(l, which);

	if (accept(l, (uint8_t)l->lvt[which], level, eff) && level)
		l->lvt[which] |= LVT_REMOTE_IRR;
}

void lapic_lvt_fire(struct lapic *l, enum lapic_lvt which, struct lapic_effects *eff)
{
	bool pin = which == LAPIC_LVT_LINT0 || which == LAPIC_LVT_LINT1;

	if (l->lvt[which] & LVT_MASKED)
		return;
	switch (lvt_delivery(l, which)) {
	case APIC_FIXED:
		lvt_fixed(l, which, eff);
		break;
	case APIC_SMI:
		eff->smi = true;
		break;
	case APIC_NMI:
		eff->nmi = true;
		break;
	case APIC_INIT:
		eff->init |= pin; /* "not supported" for the internal sources */
		break;
	default: /* ExtINT is a level: lapic_extint(). The rest is reserved. */
		break;
	}
	/* "Local Vector Table": done by the APIC when it handles this interrupt. */
	if (which == LAPIC_LVT_PMC)
		l->lvt[which] |= LVT_MASKED;
}

void lapic_lint0_evaluate(struct lapic *l, struct lapic_effects *eff)
{
	if (l->lint[0] && lvt_is_level(l, LAPIC_LVT_LINT0) &&
	    !(l->lvt[LAPIC_LVT_LINT0] & LVT_REMOTE_IRR))
		lapic_lvt_fire(l, LAPIC_LVT_LINT0, eff);
}

uint32_t lapic_lvt_writable(const struct lapic *l, enum lapic_lvt which)
{
	switch (which) {
	case LAPIC_LVT_TIMER:
		return l->cfg.deadline ? 0x700ff : 0x300ff;
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
		return 0x1a7ff;
	case LAPIC_LVT_ERROR:
		return 0x100ff;
	default:
		return 0x107ff;
	}
}

void lapic_lvt_write(struct lapic *l, enum lapic_lvt which, uint32_t value, struct lapic_time time,
		     struct lapic_effects *eff)
{
	uint32_t writable = lapic_lvt_writable(l, which);
	uint32_t lvt = (l->lvt[which] & ~writable) | (value & writable);

	if (!(l->svr & SVR_ENABLE))
		lvt |= LVT_MASKED;
	if (which == LAPIC_LVT_TIMER) {
		lapic_timer_mode(l, lvt, time);
		eff->timer = true;
	}
	l->lvt[which] = lvt;
	if (which == LAPIC_LVT_LINT0) {
		/* It has no meaning for others than level-triggered fixed interrupts. */
		if (!lvt_is_level(l, which))
			l->lvt[which] &= ~LVT_REMOTE_IRR;
		lapic_lint0_evaluate(l, eff);
	}
}

void lapic_svr_write(struct lapic *l, uint32_t value)
{
	l->svr = value & SVR_WRITABLE;
	if (l->svr & SVR_ENABLE)
		return;
	for (unsigned i = 0; i < LAPIC_LVTS; i++)
		l->lvt[i] |= LVT_MASKED;
}

/*
 * Globally disabled, LINT0 and LINT1 are the pins INTR and NMI ("Enabling or Disabling the Local APIC":
 * the processor is then "functionally equivalent" to one without an APIC).
 */
void lapic_set_lint(struct lapic *l, unsigned pin, bool level, struct lapic_effects *eff)
{
	enum lapic_lvt which = pin ? LAPIC_LVT_LINT1 : LAPIC_LVT_LINT0;
	bool rises = pin <= 1 && level && !l->lint[pin];

	lapic_begin(eff);
	if (pin <= 1)
		l->lint[pin] = level;
	if (lapic_mode(l) == LAPIC_DISABLED)
		eff->nmi = rises && pin;
	else if (lvt_is_level(l, which))
		lapic_lint0_evaluate(l, eff);
	else if (rises)
		lapic_lvt_fire(l, which, eff);
	lapic_end(l, eff);
}

static bool lint_extint(const struct lapic *l, unsigned pin)
{
	enum lapic_lvt which = pin ? LAPIC_LVT_LINT1 : LAPIC_LVT_LINT0;

	return l->lint[pin] && !(l->lvt[which] & LVT_MASKED) &&
	       lvt_delivery(l, which) == APIC_EXTINT;
}

bool lapic_extint(const struct lapic *l)
{
	if (lapic_mode(l) == LAPIC_DISABLED)
		return l->lint[0];
	return l->extint_received || lint_extint(l, 0) || lint_extint(l, 1);
}

void lapic_extint_ack(struct lapic *l)
{
	l->extint_received = false;
}

void lapic_lvt_event(struct lapic *l, enum lapic_lvt which, struct lapic_effects *eff)
{
	lapic_begin(eff);
	if (which == LAPIC_LVT_THERMAL || which == LAPIC_LVT_PMC || which == LAPIC_LVT_CMCI)
		lapic_lvt_fire(l, which, eff);
	lapic_end(l, eff);
}

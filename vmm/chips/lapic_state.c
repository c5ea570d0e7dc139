// SPDX-License-Identifier: MIT
/* The local APIC's registers in KVM's layout: the xAPIC page, whatever the mode. */
#include <string.h>

#include <linux/kvm.h>

#include "chips/lapic_priv.h"

_Static_assert(KVM_APIC_REG_SIZE == REGS * 16, "one page of registers");

static uint32_t get(const struct kvm_lapic_state *state, unsigned reg)
{
	uint32_t value;

	memcpy(&value, state->regs + reg * 16, sizeof(value));
	return value;
}

/* Only an x2APIC ID depends on the format; in xAPIC mode it is always in 31:24. */
static uint32_t id_out(const struct lapic *l, bool wide_ids)
{
	return lapic_mode(l) == LAPIC_X2APIC && wide_ids ? l->cfg.id : lapic_id(l) << 24;
}

void lapic_get_state(const struct lapic *l, struct lapic_time time, bool wide_ids,
		     struct kvm_lapic_state *state)
{
	memset(state, 0, sizeof(*state));
	for (unsigned reg = 0; reg < REGS; reg++) {
		uint32_t value = lapic_reg_read(l, reg, time);

		if (reg == REG_ID)
			value = id_out(l, wide_ids);
		memcpy(state->regs + reg * 16, &value, sizeof(value));
	}
}

static void vectors_in(uint32_t bits[8], const struct kvm_lapic_state *state, unsigned reg)
{
	for (unsigned i = 0; i < 8; i++)
		bits[i] = get(state, reg + i);
	bits[0] &= ~0u << VECTOR_FIRST;
}

static void lvts_in(struct lapic *l, const struct kvm_lapic_state *state)
{
	for (unsigned reg = 0; reg < REGS; reg++) {
		enum lapic_lvt lvt = lapic_reg_lvt(reg);

		if (lvt != LAPIC_LVTS)
			l->lvt[lvt] = get(state, reg) & lapic_lvt_writable(l, lvt);
	}
	l->lvt[LAPIC_LVT_LINT0] |= get(state, REG_LINT0) & LVT_REMOTE_IRR;
}

/* Continues from the current count, so that a one-shot that has fired does not fire again. */
static void timer_in(struct lapic *l, const struct kvm_lapic_state *state, struct lapic_time time)
{
	uint32_t current = get(state, REG_CURRENT);

	l->deadline = 0;
	l->initial_count = get(state, REG_INITIAL);
	l->divide = get(state, REG_DIVIDE) & DIVIDE_WRITABLE;
	if (current > l->initial_count)
		current = l->initial_count;
	lapic_timer_resume(l, current, time);
}

int lapic_set_state(struct lapic *l, const struct kvm_lapic_state *state, struct lapic_time time,
		    bool wide_ids, struct lapic_effects *eff)
{
	bool x2apic = lapic_mode(l) == LAPIC_X2APIC;
	uint8_t tpr = l->tpr;

	lapic_begin(eff);
	if (x2apic && get(state, REG_ID) != id_out(l, wide_ids))
		return -1;
	if (!x2apic) {
		l->xapic_id = (uint8_t)(get(state, REG_ID) >> 24);
		l->ldr = (uint8_t)(get(state, REG_LDR) >> 24);
	}
	l->dfr = (uint8_t)(get(state, REG_DFR) >> 28);
	l->tpr = (uint8_t)get(state, REG_TPR);
	vectors_in(l->isr, state, REG_ISR);
	vectors_in(l->tmr, state, REG_TMR);
	vectors_in(l->irr, state, REG_IRR);
	l->esr = get(state, REG_ESR) & ESR_BITS;
	l->esr_new = 0;
	l->icr_low = get(state, REG_ICR_LOW) & ICR_LOW_WRITABLE;
	l->icr_high = get(state, REG_ICR_HIGH) & (x2apic ? UINT32_MAX : ICR_HIGH_XAPIC);
	lvts_in(l, state);
	lapic_svr_write(l, get(state, REG_SVR));
	timer_in(l, state, time);
	lapic_lint0_evaluate(l, eff);
	eff->timer = true;
	eff->tpr = l->tpr != tpr;
	lapic_end(l, eff);
	return 0;
}

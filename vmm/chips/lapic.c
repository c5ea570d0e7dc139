// SPDX-License-Identifier: MIT
/*
 * The local APIC: SDM vol. 3A, chapter "Advanced Programmable Interrupt Controller (APIC)"; comments name
 * its sections, because their numbers change. Here: modes, resets, IDs, priorities of the task. The rest:
 * lapic_regs.c (registers), lapic_irq.c (interrupts), lapic_timer.c, lapic_state.c.
 *
 * Left out:
 * - The 3-wire APIC bus of the P6 and Pentium: arbitration IDs, checksum and receive-accept errors (ESR
 *   bits 0, 1, 3), remote read (its register reads 0, the delivery mode is not sent), focus processors. Its
 *   send-accept error is there, and so is APR, which decides lowest-priority arbitration.
 * - ESR bit 4 (redirectable IPI): we send lowest-priority IPIs.
 * - Delivery status always reads 0: a message leaves in the call that causes it.
 * - An LVT entry written with an illegal vector: the APIC "may signal" an error at once; here it does when the
 *   interrupt occurs.
 * - Pin polarity is kept but does not invert: our devices have no wires to be low.
 * - The model-specific forced level sensitivity of fixed LINTs without an I/O APIC.
 *
 * Choices that the manual leaves open:
 * - The xAPIC ID can be written ("processor model specific", "Local APIC ID"), as in KVM.
 * - Combinations of the ICR that "Valid Combinations for the xAPIC Local ICR" calls invalid (shorthand self or
 *   all-including-self with anything but fixed) and reserved delivery modes are not sent.
 * - A message with an illegal vector is sent, with its error, and refused by the receiver, with another.
 * - A disabled APIC loses its state at once ("may be lost", "Enabling or Disabling the Local APIC").
 */
#include <string.h>

#include "chips/lapic_priv.h"

#define DEFAULT_PHYS_BITS 36
#define MAX_PHYS_BITS	  52
#define DEFAULT_BUS_KHZ	  1000000u

/* "Local APIC State After Power-Up or Reset", but for mode and ID. */
static void registers_reset(struct lapic *l)
{
	struct lapic old = *l;

	memset(l, 0, sizeof(*l));
	l->cfg = old.cfg;
	l->base = old.base;
	l->xapic_id = old.xapic_id;
	l->lint[0] = old.lint[0];
	l->lint[1] = old.lint[1];
	l->dfr = DFR_FLAT;
	l->svr = SVR_RESET;
	for (unsigned i = 0; i < LAPIC_LVTS; i++)
		l->lvt[i] = LVT_MASKED;
}

void lapic_reset(struct lapic *l)
{
	l->base = LAPIC_DEFAULT_BASE | LAPIC_BASE_ENABLE | (l->cfg.bsp ? LAPIC_BASE_BSP : 0);
	l->xapic_id = (uint8_t)l->cfg.id;
	registers_reset(l);
}

/* "Local APIC State After It Receives an INIT Reset"; "x2APIC State Transitions" for the mode. */
void lapic_init_reset(struct lapic *l)
{
	registers_reset(l);
}

void lapic_init(struct lapic *l, const struct lapic_config *cfg)
{
	memset(l, 0, sizeof(*l));
	l->cfg = *cfg;
	if (!l->cfg.bus_khz)
		l->cfg.bus_khz = DEFAULT_BUS_KHZ;
	if (!l->cfg.phys_bits)
		l->cfg.phys_bits = DEFAULT_PHYS_BITS;
	if (l->cfg.phys_bits > MAX_PHYS_BITS)
		l->cfg.phys_bits = MAX_PHYS_BITS;
	if (!l->cfg.tsc_khz)
		l->cfg.deadline = false;
	lapic_reset(l);
}

void lapic_begin(struct lapic_effects *eff)
{
	memset(eff, 0, sizeof(*eff));
}

void lapic_end(const struct lapic *l, struct lapic_effects *eff)
{
	eff->irq = lapic_pending(l) >= 0;
	eff->extint = lapic_extint(l);
}

static enum lapic_mode mode_of(uint64_t base)
{
	struct lapic tmp = {.base = base};

	return lapic_mode(&tmp);
}

static bool base_reserved(const struct lapic *l, uint64_t value)
{
	uint64_t valid = ((1ull << l->cfg.phys_bits) - 1) & ~0xfffull;

	valid |= LAPIC_BASE_BSP | LAPIC_BASE_ENABLE;
	if (l->cfg.x2apic)
		valid |= LAPIC_BASE_X2APIC;
	return value & ~valid;
}

/* "x2APIC State Transitions": each mode has one way in and one way out, except that all can be disabled. */
static bool base_legal(enum lapic_mode old, enum lapic_mode new)
{
	return !(old == LAPIC_X2APIC && new == LAPIC_XAPIC) &&
	       !(old == LAPIC_DISABLED && new == LAPIC_X2APIC);
}

static void mode_changed(struct lapic *l, enum lapic_mode old)
{
	enum lapic_mode new = lapic_mode(l);

	/* The host's direct way from x2APIC to xAPIC leads through "disabled". */
	if (new == LAPIC_DISABLED || old == LAPIC_X2APIC)
		registers_reset(l);
	/*
	 * "State Changes From xAPIC Mode to x2APIC Mode": these are not preserved, nor is LDR, which follows
	 * from the ID there.
	 */
	l->xapic_id = (uint8_t)l->cfg.id;
	l->icr_high = 0;
}

static int set_base(struct lapic *l, uint64_t value, bool host, struct lapic_effects *eff)
{
	enum lapic_mode old = lapic_mode(l);
	enum lapic_mode new = mode_of(value);
	uint8_t tpr = l->tpr;

	lapic_begin(eff);
	if (base_reserved(l, value))
		return -1;
	if ((value & LAPIC_BASE_X2APIC) && !(value & LAPIC_BASE_ENABLE))
		return -1;
	if (!host && !base_legal(old, new))
		return -1;
	eff->base = value != l->base;
	l->base = value;
	if (new != old) {
		mode_changed(l, old);
		eff->timer = true;
		eff->tpr = l->tpr != tpr;
	}
	lapic_end(l, eff);
	return 0;
}

int lapic_set_base(struct lapic *l, uint64_t value, struct lapic_effects *eff)
{
	return set_base(l, value, false, eff);
}

int lapic_set_base_host(struct lapic *l, uint64_t value, struct lapic_effects *eff)
{
	return set_base(l, value, true, eff);
}

uint32_t lapic_id(const struct lapic *l)
{
	return lapic_mode(l) == LAPIC_X2APIC ? l->cfg.id : l->xapic_id;
}

bool lapic_enabled(const struct lapic *l)
{
	return lapic_mode(l) != LAPIC_DISABLED && (l->svr & SVR_ENABLE);
}

/* "Logical Destination Mode in x2APIC Mode". A narrow destination is one with zeroes above. */
static bool match_logical_x2apic(const struct lapic *l, uint32_t dest)
{
	return dest >> 16 == (l->cfg.id >> 4 & 0xffff) && (dest & (1u << (l->cfg.id & 0xf)));
}

/*
 * "Logical Destination Mode". An all-ones cluster number is a match on all clusters. The reserved models match
 * nothing.
 */
static bool match_logical_xapic(const struct lapic *l, uint32_t dest)
{
	if (dest > 0xff)
		return false;
	if (l->dfr == DFR_FLAT)
		return dest & l->ldr;
	if (l->dfr != DFR_CLUSTER)
		return false;
	return (dest >> 4 == 0xf || dest >> 4 == l->ldr >> 4) && (dest & l->ldr & 0xf);
}

/*
 * An APIC in xAPIC mode has 8 bits of ID, and those may be an alias. A sender that names 32 bits means the
 * one CPU: this is how an x2APIC BSP can start an AP whose ID does not fit, and that one alone.
 */
static bool match_physical(const struct lapic *l, uint32_t dest, bool wide)
{
	if (lapic_mode(l) == LAPIC_X2APIC || (wide && l->cfg.id > 0xff))
		return dest == l->cfg.id;
	return dest == l->xapic_id;
}

bool lapic_matches(const struct lapic *l, const struct apic_msg *msg)
{
	uint32_t dest = msg->wide ? msg->dest : msg->dest & 0xff;

	if (lapic_mode(l) == LAPIC_DISABLED)
		return false;
	if (dest == (msg->wide ? UINT32_MAX : 0xff))
		return true;
	if (!msg->logical)
		return match_physical(l, dest, msg->wide);
	if (lapic_mode(l) == LAPIC_X2APIC)
		return match_logical_x2apic(l, dest);
	return match_logical_xapic(l, dest);
}

uint8_t lapic_get_cr8(const struct lapic *l)
{
	return l->tpr >> 4;
}

/* "Interaction of Task Priorities between CR8 and APIC". */
void lapic_set_cr8(struct lapic *l, uint8_t value, struct lapic_effects *eff)
{
	uint8_t tpr = (uint8_t)(value << 4);

	lapic_begin(eff);
	eff->tpr = tpr != l->tpr;
	l->tpr = tpr;
	lapic_end(l, eff);
}

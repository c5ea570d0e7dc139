/* SPDX-License-Identifier: MIT */
/*
 * A second local APIC, written from the manual (SDM vol. 3A) and not from vmm/chips: an array of bool for each
 * 256-bit register, a timer that counts every clock of a 1 GHz bus, and no cleverness. lapic_random_test.c holds
 * it against the real one.
 */
#ifndef SIPI_TESTS_LAPIC_NAIVE_H
#define SIPI_TESTS_LAPIC_NAIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "chips/lapic.h"

struct naive {
	uint32_t id;
	uint64_t base;
	bool irr[256], isr[256], tmr[256];
	uint32_t xapic_id, tpr, ldr, dfr, svr, esr, errors, icr_low, icr_high, initial, divide;
	uint32_t lvt[0x40]; /* by register number */
	bool running;
	uint32_t count, clocks; /* clocks: of the prescaler */
	uint64_t deadline, tsc;
	bool pin[2], ext;
	struct lapic_effects eff;
};

static inline int nv_mode(const struct naive *n)
{
	bool en = n->base >> 11 & 1, extd = n->base >> 10 & 1;

	return en && extd ? 2 : en ? 1 : 0;
}

static inline bool nv_is_lvt(unsigned reg)
{
	return (reg >= 0x32 && reg <= 0x37) || reg == 0x2f;
}

static inline void nv_registers(struct naive *n)
{
	memset(n->irr, 0, sizeof(n->irr));
	memset(n->isr, 0, sizeof(n->isr));
	memset(n->tmr, 0, sizeof(n->tmr));
	n->tpr = n->ldr = n->esr = n->errors = n->icr_low = n->icr_high = 0;
	n->initial = n->divide = n->count = n->clocks = 0;
	n->dfr = 0xffffffff;
	n->svr = 0xff;
	n->running = n->ext = false;
	n->deadline = 0;
	for (unsigned reg = 0; reg < 0x40; reg++)
		n->lvt[reg] = nv_is_lvt(reg) ? 0x10000 : 0;
}

static inline void nv_reset(struct naive *n)
{
	nv_registers(n);
	n->xapic_id = n->id & 0xff;
	n->base = 0xfee00000 | 1u << 11;
}

static inline unsigned nv_top(const bool bits[256])
{
	for (unsigned v = 255; v > 0; v--)
		if (bits[v])
			return v;
	return 0;
}

static inline unsigned nv_ppr(const struct naive *n)
{
	unsigned isrv = nv_top(n->isr);

	if (n->tpr / 16 >= isrv / 16)
		return n->tpr;
	return isrv / 16 * 16;
}

static inline unsigned nv_apr(const struct naive *n)
{
	unsigned t = n->tpr / 16, irrv = nv_top(n->irr) / 16, isrv = nv_top(n->isr) / 16;

	if (t >= irrv && t > isrv)
		return n->tpr;
	return ((t & isrv) > irrv ? (t & isrv) : irrv) * 16;
}

static inline int nv_pending(const struct naive *n)
{
	unsigned v = nv_top(n->irr);

	if (nv_mode(n) == 0 || v / 16 <= nv_ppr(n) / 16)
		return -1;
	return (int)v;
}

static inline bool nv_pin_extint(const struct naive *n, unsigned pin)
{
	uint32_t lvt = n->lvt[0x35 + pin];

	return n->pin[pin] && !(lvt & 0x10000) && (lvt >> 8 & 7) == 7;
}

static inline bool nv_extint(const struct naive *n)
{
	if (nv_mode(n) == 0)
		return n->pin[0];
	return n->ext || nv_pin_extint(n, 0) || nv_pin_extint(n, 1);
}

static inline void nv_error(struct naive *n, unsigned bit);

static inline bool nv_accept(struct naive *n, unsigned vector, bool level)
{
	if (vector < 16) {
		nv_error(n, 6);
		return false;
	}
	n->irr[vector] = true;
	n->tmr[vector] = level;
	return true;
}

static inline void nv_fire(struct naive *n, unsigned reg)
{
	uint32_t lvt = n->lvt[reg];
	unsigned mode = reg == 0x32 || reg == 0x37 ? 0 : lvt >> 8 & 7;
	bool level = reg == 0x35 && (lvt & 0x8000);

	if (lvt & 0x10000)
		return;
	if (mode == 0 && nv_accept(n, lvt & 0xff, level) && level)
		n->lvt[reg] |= 0x4000;
	if (mode == 2)
		n->eff.smi = true;
	if (mode == 4)
		n->eff.nmi = true;
	if (mode == 5 && (reg == 0x35 || reg == 0x36))
		n->eff.init = true;
	if (reg == 0x34)
		n->lvt[reg] |= 0x10000;
}

static inline void nv_error(struct naive *n, unsigned bit)
{
	bool first = n->errors == 0;

	n->errors |= 1u << bit;
	if (first)
		nv_fire(n, 0x37);
}

/* A level at LINT0 that is fixed, unmasked and not yet accepted. */
static inline void nv_look_at_lint0(struct naive *n)
{
	uint32_t lvt = n->lvt[0x35];

	if (n->pin[0] && (lvt & 0x8000) && (lvt >> 8 & 7) == 0 && !(lvt & 0x4000))
		nv_fire(n, 0x35);
}

static inline void nv_pin(struct naive *n, unsigned pin, bool level)
{
	bool rises = level && !n->pin[pin];

	n->pin[pin] = level;
	if (nv_mode(n) == 0) {
		if (pin == 1 && rises)
			n->eff.nmi = true;
		return;
	}
	if (pin == 0 && (n->lvt[0x35] & 0x8000) && (n->lvt[0x35] >> 8 & 7) == 0)
		nv_look_at_lint0(n);
	else if (rises)
		nv_fire(n, 0x35 + pin);
}

static inline bool nv_receive(struct naive *n, const struct apic_msg *m)
{
	bool enabled = n->svr >> 8 & 1;

	if (nv_mode(n) == 0)
		return false;
	if (!m->assert)
		return true;
	switch (m->delivery) {
	case 0:
	case 1:
		if (enabled)
			nv_accept(n, m->vector, m->level);
		return enabled;
	case 2:
		return n->eff.smi = true;
	case 4:
		return n->eff.nmi = true;
	case 5:
		return n->eff.init = true;
	case 6:
		n->eff.sipi_vector = m->vector;
		return n->eff.sipi = true;
	case 7:
		if (enabled)
			n->ext = true;
		return enabled;
	}
	return false;
}

static inline unsigned nv_ack(struct naive *n)
{
	int v = nv_pending(n);

	if (v < 0)
		return n->svr & 0xff;
	n->irr[v] = false;
	n->isr[v] = true;
	return (unsigned)v;
}

static inline void nv_eoi(struct naive *n)
{
	unsigned v = nv_top(n->isr);

	if (v == 0)
		return;
	n->isr[v] = false;
	if (n->tmr[v] && !(n->svr >> 12 & 1)) {
		n->eff.eoi = true;
		n->eff.eoi_vector = (uint8_t)v;
	}
	if ((n->lvt[0x35] & 0x4000) && (n->lvt[0x35] & 0xff) == v) {
		n->lvt[0x35] &= ~0x4000u;
		nv_look_at_lint0(n);
	}
}

static inline unsigned nv_divisor(const struct naive *n)
{
	static const unsigned by[] = {2, 4, 8, 16, 32, 64, 128, 1};

	return by[(n->divide & 3) + (n->divide & 8 ? 4 : 0)];
}

static inline unsigned nv_timer_mode(const struct naive *n)
{
	return n->lvt[0x32] >> 17 & 3;
}

/* One nanosecond, two TSC cycles. The number of expiries. */
static inline unsigned nv_clock(struct naive *n)
{
	n->tsc += 2;
	if (n->deadline && n->tsc >= n->deadline) {
		n->deadline = 0;
		return 1;
	}
	if (!n->running || ++n->clocks < nv_divisor(n))
		return 0;
	n->clocks = 0;
	if (--n->count)
		return 0;
	if (nv_timer_mode(n) == 1)
		n->count = n->initial;
	else
		n->running = false;
	return 1;
}

static inline unsigned nv_advance(struct naive *n, unsigned ns)
{
	unsigned fired = 0;

	/* A deadline that was in the past when it was written. */
	if (n->deadline && n->tsc >= n->deadline) {
		n->deadline = 0;
		fired++;
	}
	while (ns--)
		fired += nv_clock(n);
	if (fired)
		nv_fire(n, 0x32);
	return fired;
}

static inline void nv_start(struct naive *n, uint32_t count)
{
	n->count = count;
	n->clocks = 0;
	n->running = count != 0 && nv_timer_mode(n) < 2;
}

static inline uint32_t nv_lvt_mask(unsigned reg)
{
	if (reg == 0x32)
		return 0x700ff;
	if (reg == 0x37)
		return 0x100ff;
	return reg == 0x35 || reg == 0x36 ? 0x1a7ff : 0x107ff;
}

static inline void nv_lvt_write(struct naive *n, unsigned reg, uint32_t value)
{
	unsigned old = nv_timer_mode(n);

	value &= nv_lvt_mask(reg);
	if (!(n->svr >> 8 & 1))
		value |= 0x10000;
	if (reg == 0x35 && (value & 0x8000) && (value >> 8 & 7) == 0)
		value |= n->lvt[reg] & 0x4000;
	n->lvt[reg] = value;
	if (reg == 0x35)
		nv_look_at_lint0(n);
	if (reg == 0x32 && nv_timer_mode(n) != old && (old > 1 || nv_timer_mode(n) > 1)) {
		n->running = false;
		n->deadline = 0;
	}
}

#endif

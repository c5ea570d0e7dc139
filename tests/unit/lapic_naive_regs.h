/* SPDX-License-Identifier: MIT */
/* The registers of the naive local APIC: "Local APIC Register Address Map", "x2APIC Register Address Space". */
#ifndef SIPI_TESTS_LAPIC_NAIVE_REGS_H
#define SIPI_TESTS_LAPIC_NAIVE_REGS_H

#include "lapic_naive.h"

static inline void nv_send(struct naive *n, struct apic_msg msg)
{
	if (msg.delivery < 2 && msg.vector < 16)
		nv_error(n, 5);
	n->eff.send = true;
	n->eff.msg = msg;
}

static inline void nv_icr(struct naive *n)
{
	uint32_t v = n->icr_low;
	unsigned mode = v >> 8 & 7, shorthand = v >> 18 & 3;
	bool deassert = mode == 5 && (v & 0x8000) && !(v & 0x4000);
	struct apic_msg msg = {.logical = v >> 11 & 1,
			       .shorthand = (uint8_t)shorthand,
			       .delivery = (uint8_t)mode,
			       .vector = (uint8_t)v,
			       .level = deassert,
			       .assert = !deassert};

	msg.wide = nv_mode(n) == 2;
	msg.dest = msg.wide ? n->icr_high : n->icr_high >> 24;
	if (mode == 3 || mode == 7)
		return;
	if ((shorthand == 1 || shorthand == 2) && mode != 0 && !deassert)
		return;
	nv_send(n, msg);
}

static inline uint32_t nv_bits(const bool bits[256], unsigned word)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 32; i++)
		value |= (uint32_t)bits[word * 32 + i] << i;
	return value;
}

static inline uint32_t nv_read(const struct naive *n, unsigned reg)
{
	bool x2 = nv_mode(n) == 2;

	if (nv_is_lvt(reg))
		return n->lvt[reg];
	if (reg >= 0x10 && reg < 0x18)
		return nv_bits(n->isr, reg - 0x10);
	if (reg >= 0x18 && reg < 0x20)
		return nv_bits(n->tmr, reg - 0x18);
	if (reg >= 0x20 && reg < 0x28)
		return nv_bits(n->irr, reg - 0x20);
	switch (reg) {
	case 0x02:
		return x2 ? n->id : n->xapic_id << 24;
	case 0x03:
		return 0x01060014;
	case 0x08:
		return n->tpr;
	case 0x09:
		return nv_apr(n);
	case 0x0a:
		return nv_ppr(n);
	case 0x0d:
		return x2 ? (n->id / 16) << 16 | 1u << n->id % 16 : n->ldr;
	case 0x0e:
		return n->dfr;
	case 0x0f:
		return n->svr;
	case 0x28:
		return n->esr;
	case 0x30:
		return n->icr_low;
	case 0x31:
		return n->icr_high;
	case 0x38:
		return n->initial;
	case 0x39:
		return n->running ? n->count : 0;
	case 0x3e:
		return n->divide;
	}
	return 0;
}

static inline void nv_write(struct naive *n, unsigned reg, uint32_t v)
{
	if (nv_is_lvt(reg)) {
		nv_lvt_write(n, reg, v);
		n->eff.timer |= reg == 0x32;
		return;
	}
	switch (reg) {
	case 0x02:
		n->xapic_id = v >> 24;
		break;
	case 0x08:
		n->eff.tpr = n->tpr != (v & 0xff);
		n->tpr = v & 0xff;
		break;
	case 0x0b:
		nv_eoi(n);
		break;
	case 0x0d:
		n->ldr = v & 0xff000000;
		break;
	case 0x0e:
		n->dfr = v | 0x0fffffff;
		break;
	case 0x0f:
		n->svr = v & 0x13ff;
		for (unsigned i = 0; i < 0x40; i++)
			if (nv_is_lvt(i) && !(v >> 8 & 1))
				n->lvt[i] |= 0x10000;
		break;
	case 0x28:
		n->esr = n->errors;
		n->errors = 0;
		break;
	case 0x30:
		n->icr_low = v & 0xccfff;
		nv_icr(n);
		break;
	case 0x31:
		n->icr_high = v & 0xff000000;
		break;
	case 0x38:
		n->eff.timer = true;
		if (nv_timer_mode(n) == 2)
			break;
		n->initial = v;
		nv_start(n, v);
		break;
	case 0x3e:
		n->eff.timer = true;
		if ((v & 0xb) != n->divide) {
			n->divide = v & 0xb;
			n->clocks = 0;
		}
		break;
	case 0x3f:
		nv_send(n, (struct apic_msg){.dest = n->id,
					     .wide = true,
					     .shorthand = 1,
					     .vector = (uint8_t)v,
					     .assert = true});
		break;
	}
}

static inline bool nv_mmio_exists(unsigned reg)
{
	return reg == 2 || reg == 3 || (reg >= 8 && reg <= 0x28) || (reg >= 0x2f && reg <= 0x39) ||
	       reg == 0x3e;
}

/* "x2APIC Register Address Space": how it can be accessed, 'r', 'w' or 'b'oth; else 0. */
static inline char nv_msr(unsigned reg)
{
	if (reg == 2 || reg == 3 || reg == 0xa || reg == 0xd || (reg >= 0x10 && reg < 0x28) ||
	    reg == 0x39)
		return 'r';
	if (reg == 0xb || reg == 0x3f)
		return 'w';
	if (reg == 8 || reg == 0xf || reg == 0x28 || reg == 0x30 || reg == 0x38 || reg == 0x3e ||
	    nv_is_lvt(reg))
		return 'b';
	return 0;
}

static inline bool nv_msr_reserved(unsigned reg, uint64_t v)
{
	uint64_t valid = 0;

	if (nv_is_lvt(reg))
		valid = nv_lvt_mask(reg) | 0x1000 | (reg == 0x35 || reg == 0x36 ? 0x4000 : 0);
	if (reg == 0x08 || reg == 0x3f)
		valid = 0xff;
	if (reg == 0x0f)
		valid = 0x13ff;
	if (reg == 0x30)
		valid = 0xffffffff000ccfff;
	if (reg == 0x38)
		valid = 0xffffffff;
	if (reg == 0x3e)
		valid = 0xb;
	return v & ~valid;
}

static inline int nv_wrmsr(struct naive *n, uint32_t index, uint64_t v)
{
	char access = index >= 0x800 && index < 0x840 ? nv_msr(index - 0x800) : 0;

	if (nv_mode(n) != 2 || (access != 'w' && access != 'b') ||
	    nv_msr_reserved(index - 0x800, v))
		return -1;
	if (index == 0x830)
		n->icr_high = (uint32_t)(v >> 32);
	nv_write(n, index - 0x800, (uint32_t)v);
	return 0;
}

static inline int nv_rdmsr(const struct naive *n, uint32_t index, uint64_t *v)
{
	char access = index >= 0x800 && index < 0x840 ? nv_msr(index - 0x800) : 0;

	if (nv_mode(n) != 2 || (access != 'r' && access != 'b'))
		return -1;
	*v = nv_read(n, index - 0x800);
	if (index == 0x830)
		*v |= (uint64_t)n->icr_high << 32;
	return 0;
}

static inline int nv_base(struct naive *n, uint64_t v, bool host)
{
	struct naive to = {.base = v};
	int was = nv_mode(n), is = nv_mode(&to);
	uint32_t tpr = n->tpr;

	if ((v & 0xffffff00000002ff & ~0xfffff000ull) || (v & 0xc00) == 0x400)
		return -1;
	if (!host && ((was == 2 && is == 1) || (was == 0 && is == 2)))
		return -1;
	n->eff.base = v != n->base;
	n->base = v;
	if (was == is)
		return 0;
	if (is == 0 || (was == 2 && is == 1))
		nv_registers(n);
	if (is == 0 || is == 2 || was == 2)
		n->xapic_id = n->id & 0xff;
	n->ldr = n->icr_high = 0;
	n->eff.timer = true;
	n->eff.tpr = n->tpr != tpr;
	return 0;
}

#endif

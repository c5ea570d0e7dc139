// SPDX-License-Identifier: MIT
/* The local APIC's registers: the 4 KiB page, and MSRs 0x800 to 0x8ff. */
#include "chips/lapic_priv.h"

/*
 * Version 0x14, seven LVT entries (CMCI is the last), and EOI-broadcast suppression ("Local APIC Version
 * Register").
 */
#define VERSION (0x14u | 6u << 16 | 1u << 24)

enum access {
	XR = 1,	 /* xAPIC mode, read */
	XW = 2,	 /* xAPIC mode, write */
	X2R = 4, /* x2APIC mode */
	X2W = 8,
};

/*
 * "Local APIC Register Address Map" and "x2APIC Register Address Space". What is not listed is reserved.
 * In x2APIC mode, `valid` are the bits that are not: LVT entries and the ICR have their own rules.
 */
static const struct {
	uint8_t access;
	uint32_t valid;
} regs[REGS] = {
	[REG_ID] = {XR | XW | X2R, 0},
	[REG_VERSION] = {XR | X2R, 0},
	[REG_TPR] = {XR | XW | X2R | X2W, 0xff},
	[REG_APR] = {XR, 0},
	[REG_PPR] = {XR | X2R, 0},
	[REG_EOI] = {XW | X2W, 0},
	[REG_RRD] = {XR, 0},
	[REG_LDR] = {XR | XW | X2R, 0},
	[REG_DFR] = {XR | XW, 0},
	[REG_SVR] = {XR | XW | X2R | X2W, SVR_WRITABLE},
	[REG_ISR... REG_ISR + 7] = {XR | X2R, 0},
	[REG_TMR... REG_TMR + 7] = {XR | X2R, 0},
	[REG_IRR... REG_IRR + 7] = {XR | X2R, 0},
	[REG_ESR] = {XR | XW | X2R | X2W, 0},
	[REG_CMCI] = {XR | XW | X2R | X2W, 0},
	[REG_ICR_LOW] = {XR | XW | X2R | X2W, 0},
	[REG_ICR_HIGH] = {XR | XW, 0},
	[REG_TIMER... REG_ERROR] = {XR | XW | X2R | X2W, 0},
	[REG_INITIAL] = {XR | XW | X2R | X2W, UINT32_MAX},
	[REG_CURRENT] = {XR | X2R, 0},
	[REG_DIVIDE] = {XR | XW | X2R | X2W, DIVIDE_WRITABLE},
	[REG_SELF_IPI] = {X2W, 0xff},
};

enum lapic_lvt lapic_reg_lvt(unsigned reg)
{
	switch (reg) {
	case REG_TIMER:
		return LAPIC_LVT_TIMER;
	case REG_THERMAL:
		return LAPIC_LVT_THERMAL;
	case REG_PMC:
		return LAPIC_LVT_PMC;
	case REG_LINT0:
		return LAPIC_LVT_LINT0;
	case REG_LINT1:
		return LAPIC_LVT_LINT1;
	case REG_ERROR:
		return LAPIC_LVT_ERROR;
	case REG_CMCI:
		return LAPIC_LVT_CMCI;
	default:
		return LAPIC_LVTS;
	}
}

static uint32_t ldr_read(const struct lapic *l)
{
	if (lapic_mode(l) != LAPIC_X2APIC)
		return (uint32_t)l->ldr << 24;
	/* "Deriving Logical x2APIC ID from the Local x2APIC ID" */
	return (l->cfg.id >> 4) << 16 | 1u << (l->cfg.id & 0xf);
}

uint32_t lapic_reg_read(const struct lapic *l, unsigned reg, struct lapic_time time)
{
	enum lapic_lvt lvt = lapic_reg_lvt(reg);

	if (lvt != LAPIC_LVTS)
		return l->lvt[lvt];
	switch (reg) {
	case REG_ID:
		return lapic_mode(l) == LAPIC_X2APIC ? l->cfg.id : (uint32_t)l->xapic_id << 24;
	case REG_VERSION:
		return VERSION;
	case REG_TPR:
		return l->tpr;
	case REG_APR:
		return lapic_apr(l);
	case REG_PPR:
		return lapic_ppr(l);
	case REG_LDR:
		return ldr_read(l);
	case REG_DFR:
		return (uint32_t)l->dfr << 28 | 0x0fffffff;
	case REG_SVR:
		return l->svr;
	case REG_ISR ... REG_ISR + 7:
		return l->isr[reg - REG_ISR];
	case REG_TMR ... REG_TMR + 7:
		return l->tmr[reg - REG_TMR];
	case REG_IRR ... REG_IRR + 7:
		return l->irr[reg - REG_IRR];
	case REG_ESR:
		return l->esr;
	case REG_ICR_LOW:
		return l->icr_low;
	case REG_ICR_HIGH:
		return l->icr_high;
	case REG_INITIAL:
		return l->initial_count;
	case REG_CURRENT:
		return lapic_timer_current(l, time);
	case REG_DIVIDE:
		return l->divide;
	default:
		return 0;
	}
}

/* Fixed and lowest priority are the modes with a vector of their own. */
static void send(struct lapic *l, const struct apic_msg *msg, struct lapic_effects *eff)
{
	if (msg->delivery <= APIC_LOWEST && msg->vector < VECTOR_FIRST)
		lapic_error(l, ESR_SEND_ILLEGAL, eff);
	eff->send = true;
	eff->msg = *msg;
}

/*
 * "Valid Combinations for the Pentium 4 and Intel Xeon Processors' Local xAPIC ICR". Level and trigger mode
 * mean something for INIT alone: the level de-assert, which may go to all. All else is an asserted edge.
 */
static void icr_send(struct lapic *l, struct lapic_effects *eff)
{
	bool wide = lapic_mode(l) == LAPIC_X2APIC;
	uint32_t low = l->icr_low;
	bool deassert = (low & 0x700) == APIC_INIT << 8 && (low & ICR_LEVEL) && !(low & ICR_ASSERT);
	struct apic_msg msg = {
		.dest = wide ? l->icr_high : l->icr_high >> 24,
		.wide = wide,
		.logical = low & ICR_LOGICAL,
		.shorthand = low >> ICR_SHORTHAND_SHIFT & 3,
		.delivery = low >> 8 & 7,
		.vector = (uint8_t)low,
		.level = deassert,
		.assert = !deassert,
	};

	if (msg.delivery == 3 || msg.delivery == APIC_EXTINT)
		return;
	if ((msg.shorthand == APIC_SELF || msg.shorthand == APIC_ALL) &&
	    msg.delivery != APIC_FIXED && !deassert)
		return;
	send(l, &msg, eff);
}

/* "SELF IPI Register": leaves the ICR alone. */
static void self_ipi(struct lapic *l, uint8_t vector, struct lapic_effects *eff)
{
	struct apic_msg msg = {
		.dest = l->cfg.id,
		.wide = true,
		.shorthand = APIC_SELF,
		.delivery = APIC_FIXED,
		.vector = vector,
		.assert = true,
	};

	send(l, &msg, eff);
}

/* "Error Handling": a write shows the errors since the last one, and rearms the interrupt. */
static void esr_write(struct lapic *l)
{
	l->esr = l->esr_new;
	l->esr_new = 0;
}

static void reg_write(struct lapic *l, unsigned reg, uint32_t value, struct lapic_time time,
		      struct lapic_effects *eff)
{
	enum lapic_lvt lvt = lapic_reg_lvt(reg);

	if (lvt != LAPIC_LVTS) {
		lapic_lvt_write(l, lvt, value, time, eff);
		return;
	}
	switch (reg) {
	case REG_ID:
		l->xapic_id = (uint8_t)(value >> 24);
		break;
	case REG_TPR:
		eff->tpr = l->tpr != (uint8_t)value;
		l->tpr = (uint8_t)value;
		break;
	case REG_EOI:
		lapic_eoi(l, eff);
		break;
	case REG_LDR:
		l->ldr = (uint8_t)(value >> 24);
		break;
	case REG_DFR:
		l->dfr = (uint8_t)(value >> 28);
		break;
	case REG_SVR:
		lapic_svr_write(l, value);
		break;
	case REG_ESR:
		esr_write(l);
		break;
	case REG_ICR_LOW:
		l->icr_low = value & ICR_LOW_WRITABLE;
		icr_send(l, eff);
		break;
	case REG_ICR_HIGH:
		l->icr_high = value & ICR_HIGH_XAPIC;
		break;
	case REG_INITIAL:
		lapic_timer_set_initial(l, value, time);
		eff->timer = true;
		break;
	case REG_DIVIDE:
		lapic_timer_set_divide(l, value, time);
		eff->timer = true;
		break;
	case REG_SELF_IPI:
		self_ipi(l, (uint8_t)value, eff);
		break;
	}
}

/* The register at an offset of the page. REGS: reserved, which is an error of the program. */
static unsigned mmio_reg(uint64_t offset)
{
	uint64_t reg = offset >> 4;

	return reg < REGS && (regs[reg].access & (XR | XW)) ? (unsigned)reg : REGS;
}

uint32_t lapic_mmio_read(struct lapic *l, uint64_t offset, unsigned size, struct lapic_time time,
			 struct lapic_effects *eff)
{
	unsigned byte = offset & 0xf, reg = mmio_reg(offset);
	uint32_t value = 0;

	lapic_begin(eff);
	if (lapic_mode(l) != LAPIC_XAPIC)
		value = UINT32_MAX;
	else if ((size != 1 && size != 2 && size != 4) || byte + size > 4)
		value = 0;
	else if (reg == REGS)
		lapic_error(l, ESR_ILLEGAL_REGISTER, eff);
	else
		value = lapic_reg_read(l, reg, time) >> 8 * byte;
	lapic_end(l, eff);
	return size < 4 ? value & ((1u << 8 * size) - 1) : value;
}

void lapic_mmio_write(struct lapic *l, uint64_t offset, unsigned size, uint32_t value,
		      struct lapic_time time, struct lapic_effects *eff)
{
	unsigned reg = mmio_reg(offset);

	lapic_begin(eff);
	if (lapic_mode(l) == LAPIC_XAPIC && size == 4 && !(offset & 0xf)) {
		if (reg == REGS)
			lapic_error(l, ESR_ILLEGAL_REGISTER, eff);
		else if (regs[reg].access & XW)
			reg_write(l, reg, value, time, eff);
	}
	lapic_end(l, eff);
}

static bool msr_exists(const struct lapic *l, uint32_t index, enum access access)
{
	return lapic_mode(l) == LAPIC_X2APIC && index >= LAPIC_MSR_FIRST &&
	       index - LAPIC_MSR_FIRST < REGS && (regs[index - LAPIC_MSR_FIRST].access & access);
}

int lapic_msr_read(const struct lapic *l, uint32_t index, struct lapic_time time, uint64_t *value)
{
	unsigned reg = index - LAPIC_MSR_FIRST;

	if (!msr_exists(l, index, X2R))
		return -1;
	*value = lapic_reg_read(l, reg, time);
	if (reg == REG_ICR_LOW)
		*value |= (uint64_t)l->icr_high << 32;
	return 0;
}

/* "Reserved Bit Checking". In LVT entries, read-only bits may be written back. */
static uint64_t msr_valid(const struct lapic *l, unsigned reg)
{
	enum lapic_lvt lvt = lapic_reg_lvt(reg);

	if (reg == REG_ICR_LOW)
		return 0xffffffffull << 32 | ICR_LOW_WRITABLE;
	if (lvt == LAPIC_LVTS)
		return regs[reg].valid;
	if (lvt == LAPIC_LVT_LINT0 || lvt == LAPIC_LVT_LINT1)
		return lapic_lvt_writable(l, lvt) | LVT_STATUS | LVT_REMOTE_IRR;
	return lapic_lvt_writable(l, lvt) | LVT_STATUS;
}

int lapic_msr_write(struct lapic *l, uint32_t index, uint64_t value, struct lapic_time time,
		    struct lapic_effects *eff)
{
	unsigned reg = index - LAPIC_MSR_FIRST;

	lapic_begin(eff);
	if (!msr_exists(l, index, X2W) || (value & ~msr_valid(l, reg)))
		return -1;
	if (reg == REG_ICR_LOW)
		l->icr_high = (uint32_t)(value >> 32);
	reg_write(l, reg, (uint32_t)value, time, eff);
	lapic_end(l, eff);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CHIPS_LAPIC_PRIV_H
#define SIPI_CHIPS_LAPIC_PRIV_H

/* What the files of the local APIC share among themselves. Section names are those of SDM vol. 3A. */
#include "chips/lapic.h"

/* Registers by number: the offset in the page is 16 times that, the MSR 0x800 plus that. */
enum {
	REG_ID = 0x02,
	REG_VERSION = 0x03,
	REG_TPR = 0x08,
	REG_APR = 0x09,
	REG_PPR = 0x0a,
	REG_EOI = 0x0b,
	REG_RRD = 0x0c,
	REG_LDR = 0x0d,
	REG_DFR = 0x0e,
	REG_SVR = 0x0f,
	REG_ISR = 0x10,
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_ESR = 0x28,
	REG_CMCI = 0x2f,
	REG_ICR_LOW = 0x30,
	REG_ICR_HIGH = 0x31,
	REG_TIMER = 0x32,
	REG_THERMAL = 0x33,
	REG_PMC = 0x34,
	REG_LINT0 = 0x35,
	REG_LINT1 = 0x36,
	REG_ERROR = 0x37,
	REG_INITIAL = 0x38,
	REG_CURRENT = 0x39,
	REG_DIVIDE = 0x3e,
	REG_SELF_IPI = 0x3f,
	REGS = 0x40,
};

/* "Spurious Interrupt": bit 9 (focus checking) can be written and means nothing. */
#define SVR_ENABLE	 (1u << 8)
#define SVR_SUPPRESS_EOI (1u << 12)
#define SVR_WRITABLE	 0x13ffu
#define SVR_RESET	 0xffu

/* "Local Vector Table". */
#define LVT_DELIVERY_SHIFT 8
#define LVT_STATUS	   (1u << 12)
#define LVT_REMOTE_IRR	   (1u << 14)
#define LVT_LEVEL	   (1u << 15)
#define LVT_MASKED	   (1u << 16)
#define LVT_TIMER_SHIFT	   17
#define LVT_TIMER_DEADLINE (1u << 18)

/* "Error Handling". */
#define ESR_SEND_ACCEPT	     (1u << 2)
#define ESR_SEND_ILLEGAL     (1u << 5)
#define ESR_RECEIVED_ILLEGAL (1u << 6)
#define ESR_ILLEGAL_REGISTER (1u << 7)
#define ESR_BITS	     0xffu

/* "Interrupt Command Register (ICR)". */
#define ICR_LOGICAL	    (1u << 11)
#define ICR_ASSERT	    (1u << 14)
#define ICR_LEVEL	    (1u << 15)
#define ICR_SHORTHAND_SHIFT 18
#define ICR_LOW_WRITABLE    0xccfffu
#define ICR_HIGH_XAPIC	    0xff000000u

#define DFR_FLAT    0xfu
#define DFR_CLUSTER 0x0u

#define DIVIDE_WRITABLE 0xbu

/* "Valid Interrupt Vectors": those below are illegal. */
#define VECTOR_FIRST 16

static inline bool vector_test(const uint32_t bits[8], uint8_t vector)
{
	return bits[vector / 32] & (1u << vector % 32);
}

/* Effects are made between these two. */
void lapic_begin(struct lapic_effects *eff);
void lapic_end(const struct lapic *l, struct lapic_effects *eff);

void lapic_error(struct lapic *l, uint32_t error, struct lapic_effects *eff);
void lapic_eoi(struct lapic *l, struct lapic_effects *eff);

/* The bits of an entry that can be written. */
uint32_t lapic_lvt_writable(const struct lapic *l, enum lapic_lvt which);
void lapic_lvt_write(struct lapic *l, enum lapic_lvt which, uint32_t value, struct lapic_time time,
		     struct lapic_effects *eff);
/* The source of an entry has an interrupt. */
void lapic_lvt_fire(struct lapic *l, enum lapic_lvt which, struct lapic_effects *eff);
/* A level at LINT0 that nothing holds back any more sends its interrupt. */
void lapic_lint0_evaluate(struct lapic *l, struct lapic_effects *eff);
void lapic_svr_write(struct lapic *l, uint32_t value);

/* The LVT timer entry goes from its present value to this one. */
void lapic_timer_mode(struct lapic *l, uint32_t lvt, struct lapic_time time);
void lapic_timer_set_initial(struct lapic *l, uint32_t value, struct lapic_time time);
void lapic_timer_set_divide(struct lapic *l, uint32_t value, struct lapic_time time);
/* Goes on with that many counts to go; 0: stopped. */
void lapic_timer_resume(struct lapic *l, uint32_t current, struct lapic_time time);
uint32_t lapic_timer_current(const struct lapic *l, struct lapic_time time);

/* A register as software reads it, without side effects. */
uint32_t lapic_reg_read(const struct lapic *l, unsigned reg, struct lapic_time time);
/* The entry that a register holds, or LAPIC_LVTS. */
enum lapic_lvt lapic_reg_lvt(unsigned reg);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The local APIC of the calling CPU, in xAPIC and x2APIC mode (SDM Vol. 3A chapter 10). Registers
 * are named by their xAPIC offset in both modes; an x2APIC MSR is 0x800 + offset / 16.
 */
#define APIC_ID		 0x020
#define APIC_VERSION	 0x030
#define APIC_TPR	 0x080
#define APIC_APR	 0x090
#define APIC_PPR	 0x0a0
#define APIC_EOI	 0x0b0
#define APIC_RRD	 0x0c0
#define APIC_LDR	 0x0d0
#define APIC_DFR	 0x0e0
#define APIC_SVR	 0x0f0
#define APIC_ISR	 0x100 /* 8 registers, 0x10 apart; so are TMR and IRR */
#define APIC_TMR	 0x180
#define APIC_IRR	 0x200
#define APIC_ESR	 0x280
#define APIC_LVT_CMCI	 0x2f0
#define APIC_ICR	 0x300
#define APIC_ICR2	 0x310
#define APIC_LVT_TIMER	 0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERF	 0x340
#define APIC_LVT0	 0x350
#define APIC_LVT1	 0x360
#define APIC_LVT_ERROR	 0x370
#define APIC_TIMER_INIT	 0x380
#define APIC_TIMER_CUR	 0x390
#define APIC_TIMER_DIV	 0x3e0
#define APIC_SELF_IPI	 0x3f0 /* x2APIC only */

#define X2APIC_MSR(reg) (0x800 + (reg) / 16)

#define APIC_BASE_BSP	 (1ull << 8)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_ADDR	 0xffffff000ull

#define SVR_ENABLE	     (1u << 8)
#define SVR_NO_EOI_BROADCAST (1u << 12)
#define VERSION_NO_BROADCAST (1u << 24) /* SVR bit 12 exists */
#define VERSION_MAX_LVT(v)   ((v) >> 16 & 0xff)

/* ICR, LVT and redirection entry have these fields in the same places. */
#define DM_FIXED   (0u << 8)
#define DM_LOWEST  (1u << 8)
#define DM_SMI	   (2u << 8)
#define DM_NMI	   (4u << 8)
#define DM_INIT	   (5u << 8)
#define DM_SIPI	   (6u << 8) /* ICR only */
#define DM_EXTINT  (7u << 8) /* not in the ICR */
#define DM_LOGICAL (1u << 11)
#define DM_PENDING (1u << 12)
#define DM_LEVEL   (1u << 15)

#define ICR_ASSERT (1u << 14)
#define ICR_SELF   (1u << 18)
#define ICR_ALL	   (2u << 18)
#define ICR_OTHERS (3u << 18)

#define LVT_MASKED	 (1u << 16)
#define LVT_ACTIVE_LOW	 (1u << 13)
#define LVT_REMOTE_IRR	 (1u << 14)
#define LVT_PERIODIC	 (1u << 17)
#define LVT_TSC_DEADLINE (2u << 17)

#define ESR_SEND_ILLEGAL (1u << 5)
#define ESR_RECV_ILLEGAL (1u << 6)
#define ESR_ILLEGAL_REG	 (1u << 7)

#define DFR_FLAT    0xffffffffu
#define DFR_CLUSTER 0x0fffffffu

/* The destination that reaches every CPU in physical mode. */
#define XAPIC_BROADCAST	 0xffu
#define X2APIC_BROADCAST 0xffffffffu

#define VEC_WAKE     0xfe /* wakes an idle CPU (smp.c) */
#define VEC_SPURIOUS 0xff

enum apic_mode { APIC_MODE_DISABLED, APIC_MODE_XAPIC, APIC_MODE_X2APIC };

struct apic_ops {
	enum apic_mode mode;
	const char *name; /* "xAPIC" or "x2APIC" */
	uint32_t (*read)(unsigned reg);
	void (*write)(unsigned reg, uint32_t value);
	/* Sends; dest has 8 bits in xAPIC mode and 32 in x2APIC mode. Waits (xAPIC) until it is
	 * sent. */
	void (*icr)(uint32_t low, uint32_t dest);
	uint32_t (*id)(void);
};

uint32_t apic_read(unsigned reg);
void apic_write(unsigned reg, uint32_t value);
void apic_icr(uint32_t low, uint32_t dest);
uint32_t apic_id(void); /* as the APIC register says it */
void apic_eoi(void);
const char *apic_mode_name(void);

/* CPUID: what this CPU promises. */
bool x2apic_supported(void);
bool tsc_deadline_supported(void);
/* The 32-bit ID as CPUID says it: leaf 0xb where there is one, else leaf 1. */
uint32_t cpuid_apic_id(void);

/* IA32_APIC_BASE as it is. */
enum apic_mode apic_mode(void);
/*
 * Takes this CPU's APIC to a mode by legal transitions (SDM Vol. 3A 10.12.5), software-enables it
 * where the way led through disabled, and directs the functions above to it. False: no x2APIC here.
 */
bool apic_mode_set(enum apic_mode mode);
/* Directs the functions above to the mode the APIC is in now (after a wrmsr by hand). */
void apic_follow(void);
/* Software-enables with VEC_SPURIOUS, TPR 0; leaves the LVTs alone. */
void apic_enable(void);

/* Bit of a 256-bit register (APIC_IRR, APIC_ISR, APIC_TMR). */
bool apic_bit(unsigned reg, unsigned vector);
/* Highest bit of such a register, or -1. */
int apic_highest(unsigned reg);
/* Writes 0 to the ESR and reads it (SDM Vol. 3A 10.5.3). */
uint32_t apic_esr(void);

/* IPIs. `cpu` is a CPU number of smp.h. */
void ipi(unsigned cpu, unsigned vector);		       /* fixed, physical */
void ipi_logical(uint32_t dest, uint32_t dm, unsigned vector); /* dm: DM_FIXED, DM_LOWEST, ... */
void ipi_shorthand(uint32_t shorthand, uint32_t dm,
		   unsigned vector); /* ICR_SELF, ICR_ALL, ICR_OTHERS */
void ipi_nmi(unsigned cpu);
void ipi_init(unsigned cpu);
void ipi_sipi(unsigned cpu, unsigned page); /* starts at page << 12 */

/* xAPIC logical mode: LDR and DFR of this CPU. In x2APIC mode they are fixed: x2apic_ldr() says
 * how. */
void apic_logical(uint8_t ldr, uint32_t dfr);
static inline uint32_t x2apic_ldr(uint32_t id)
{
	return (id & 0xffff0) << 12 | 1u << (id & 0xf);
}

/* LINT0 as the 8259's INTR (virtual wire), or masked. */
void apic_extint(bool on);

#endif

// SPDX-License-Identifier: MIT
/* The calling CPU's local APIC behind one table of operations for each mode. */
#include "lib/apic.h"
#include "lib/smp.h"
#include "lib/timer.h"
#include "lib/x86.h"

#define ICR_PENDING_USEC 100000

static uint32_t xapic_read(unsigned reg)
{
	return mmio_read32(this_cpu()->lapic + reg);
}

static void xapic_write(unsigned reg, uint32_t value)
{
	mmio_write32(this_cpu()->lapic + reg, value);
}

/*
 * The destination goes first, the write of the low half sends. Interrupts off: a handler that sends
 * an IPI in between would change the destination (SDM Vol. 3A 10.6.1).
 */
static void xapic_icr(uint32_t low, uint32_t dest)
{
	uint64_t flags = irq_save();

	xapic_write(APIC_ICR2, dest << 24);
	xapic_write(APIC_ICR, low);
	WAIT_FOR(!(xapic_read(APIC_ICR) & DM_PENDING), ICR_PENDING_USEC);
	irq_restore(flags);
}

static uint32_t xapic_id(void)
{
	return xapic_read(APIC_ID) >> 24;
}

static uint32_t x2apic_read(unsigned reg)
{
	return (uint32_t)rdmsr(X2APIC_MSR(reg));
}

static void x2apic_write(unsigned reg, uint32_t value)
{
	wrmsr(X2APIC_MSR(reg), value);
}

/*
 * WRMSR to an x2APIC register does not serialise (SDM Vol. 3A 10.12.3): without a fence the other
 * CPU could be interrupted before it sees what was stored for it. A locked instruction alone does
 * not order it architecturally, but MFENCE is missing from KVM's emulator, and CPUID serialises.
 */
static void x2apic_icr(uint32_t low, uint32_t dest)
{
	cpuid(0);
	wrmsr(X2APIC_MSR(APIC_ICR), (uint64_t)dest << 32 | low);
}

static uint32_t x2apic_id(void)
{
	return x2apic_read(APIC_ID);
}

static const struct apic_ops xapic = {APIC_MODE_XAPIC, "xAPIC",	  xapic_read,
				      xapic_write,     xapic_icr, xapic_id};
static const struct apic_ops x2apic = {APIC_MODE_X2APIC, "x2APIC",   x2apic_read,
				       x2apic_write,	 x2apic_icr, x2apic_id};

uint32_t apic_read(unsigned reg)
{
	return this_cpu()->apic->read(reg);
}

void apic_write(unsigned reg, uint32_t value)
{
	this_cpu()->apic->write(reg, value);
}

void apic_icr(uint32_t low, uint32_t dest)
{
	this_cpu()->apic->icr(low, dest);
}

uint32_t apic_id(void)
{
	return this_cpu()->apic->id();
}

void apic_eoi(void)
{
	this_cpu()->apic->write(APIC_EOI, 0);
}

const char *apic_mode_name(void)
{
	return this_cpu()->apic->name;
}

bool x2apic_supported(void)
{
	return cpuid(1).ecx >> 21 & 1;
}

bool tsc_deadline_supported(void)
{
	return cpuid(1).ecx >> 24 & 1;
}

uint32_t cpuid_apic_id(void)
{
	if (cpuid(0).eax >= 0xb) {
		struct cpuid_regs r = cpuid(0xb);

		if (r.ebx)
			return r.edx;
	}
	return cpuid(1).ebx >> 24;
}

enum apic_mode apic_mode(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if (!(base & APIC_BASE_ENABLE))
		return APIC_MODE_DISABLED;
	return base & APIC_BASE_X2APIC ? APIC_MODE_X2APIC : APIC_MODE_XAPIC;
}

void apic_follow(void)
{
	struct cpu *c = this_cpu();

	c->lapic = rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDR;
	c->apic = apic_mode() == APIC_MODE_X2APIC ? &x2apic : &xapic;
}

bool apic_mode_set(enum apic_mode mode)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	enum apic_mode now = apic_mode();

	if (mode == APIC_MODE_X2APIC && !x2apic_supported())
		return false;
	if (mode == now)
		return true;
	/* Only disabled can be left to xAPIC and entered from x2APIC; only xAPIC leads to x2APIC.
	 */
	if (now == APIC_MODE_X2APIC || mode == APIC_MODE_DISABLED)
		wrmsr(MSR_APIC_BASE, base);
	if (mode != APIC_MODE_DISABLED)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
	if (mode == APIC_MODE_X2APIC)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	apic_follow();
	if (mode != APIC_MODE_DISABLED)
		apic_enable();
	return true;
}

void apic_enable(void)
{
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SVR, SVR_ENABLE | VEC_SPURIOUS);
}

bool apic_bit(unsigned reg, unsigned vector)
{
	return apic_read(reg + (vector / 32) * 0x10) >> (vector % 32) & 1;
}

int apic_highest(unsigned reg)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t bits = apic_read(reg + (unsigned)i * 0x10);

		if (bits)
			return i * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

uint32_t apic_esr(void)
{
	apic_write(APIC_ESR, 0);
	return apic_read(APIC_ESR);
}

void ipi(unsigned cpu, unsigned vector)
{
	apic_icr(DM_FIXED | ICR_ASSERT | vector, cpus[cpu].apic_id);
}

void ipi_logical(uint32_t dest, uint32_t dm, unsigned vector)
{
	apic_icr(dm | DM_LOGICAL | ICR_ASSERT | vector, dest);
}

void ipi_shorthand(uint32_t shorthand, uint32_t dm, unsigned vector)
{
	apic_icr(shorthand | dm | ICR_ASSERT | vector, 0);
}

void ipi_nmi(unsigned cpu)
{
	apic_icr(DM_NMI | ICR_ASSERT, cpus[cpu].apic_id);
}

void ipi_init(unsigned cpu)
{
	apic_icr(DM_INIT | ICR_ASSERT, cpus[cpu].apic_id);
}

void ipi_sipi(unsigned cpu, unsigned page)
{
	apic_icr(DM_SIPI | ICR_ASSERT | page, cpus[cpu].apic_id);
}

void apic_logical(uint8_t ldr, uint32_t dfr)
{
	apic_write(APIC_DFR, dfr);
	apic_write(APIC_LDR, (uint32_t)ldr << 24);
}

void apic_extint(bool on)
{
	apic_write(APIC_LVT0, on ? DM_EXTINT : LVT_MASKED);
}

// SPDX-License-Identifier: MIT
/*
 * Local and I/O APIC as text. Registers: SDM vol. 3A, "Advanced Programmable Interrupt Controller (APIC)", whose
 * sections the comments name; and 82093AA data sheet, 3.2. Offsets are those of the xAPIC page, as KVM has them
 * in every mode.
 */
#include <stdbool.h>
#include <string.h>

#include "chips/lapic.h"
#include "machine/describe.h"

enum {
	REG_ID = 0x20,
	REG_VERSION = 0x30,
	REG_TPR = 0x80,
	REG_APR = 0x90,
	REG_PPR = 0xa0,
	REG_LDR = 0xd0,
	REG_DFR = 0xe0,
	REG_SVR = 0xf0,
	REG_ISR = 0x100,
	REG_TMR = 0x180,
	REG_IRR = 0x200,
	REG_ESR = 0x280,
	REG_CMCI = 0x2f0,
	REG_ICR_LOW = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320,
	REG_LVT_THERMAL = 0x330,
	REG_LVT_PMC = 0x340,
	REG_LVT_LINT0 = 0x350,
	REG_LVT_LINT1 = 0x360,
	REG_LVT_ERROR = 0x370,
	REG_INITIAL = 0x380,
	REG_CURRENT = 0x390,
	REG_DIVIDE = 0x3e0,
};

/* The same places in ICR, LVT and redirection entries. */
#define PENDING	   (1u << 12)
#define LOW	   (1u << 13)
#define REMOTE_IRR (1u << 14)
#define LEVEL	   (1u << 15)
#define MASKED	   (1u << 16)

static uint32_t get(const struct kvm_lapic_state *s, unsigned offset)
{
	uint32_t value;

	memcpy(&value, s->regs + offset, sizeof(value));
	return value;
}

static const char *delivery_name(uint32_t value)
{
	static const char *const names[] = {"fixed", "lowest", "smi",  "delivery3",
					    "nmi",   "init",   "sipi", "extint"};

	return names[value >> 8 & 7];
}

static enum lapic_mode mode_of(uint64_t base)
{
	const struct lapic l = {.base = base};

	return lapic_mode(&l);
}

/* "Local APIC Status and Location". */
void describe_apic_base(struct text *t, uint64_t base)
{
	static const char *const modes[] = {
		[LAPIC_DISABLED] = "disabled",
		[LAPIC_XAPIC] = "xapic",
		[LAPIC_X2APIC] = "x2apic",
	};

	text_add(t, "; apic-base=%016llx mode=%s page=0x%llx%s", (unsigned long long)base,
		 modes[mode_of(base)], (unsigned long long)(base & ~0xfffull),
		 base & LAPIC_BASE_BSP ? " bsp" : "");
}

/* "Determining IPI Destination": logical IDs in both modes. */
static void describe_ids(struct text *t, enum lapic_mode mode, const struct kvm_lapic_state *s)
{
	uint32_t id = get(s, REG_ID), ldr = get(s, REG_LDR), dfr = get(s, REG_DFR);

	if (mode == LAPIC_X2APIC) {
		text_add(t, "; id=0x%x; ldr=0x%08x cluster=0x%x member=0x%x; dfr=none", id, ldr,
			 ldr >> 16, ldr & 0xffff);
		return;
	}
	text_add(t, "; id=0x%x; ldr=0x%08x logical=0x%02x; dfr=0x%08x %s", id >> 24, ldr, ldr >> 24,
		 dfr,
		 dfr >> 28 == 0xf   ? "flat"
		 : dfr >> 28 == 0x0 ? "cluster"
				    : "reserved");
}

/* 256 bits in eight registers, as vectors. */
static void describe_vectors(struct text *t, const char *name, const struct kvm_lapic_state *s,
			     unsigned offset)
{
	bool any = false;

	text_add(t, "; %s=", name);
	for (unsigned vector = 0; vector < 256; vector++) {
		if (!(get(s, offset + vector / 32 * 16) >> vector % 32 & 1))
			continue;
		text_add(t, "%s0x%02x", any ? "," : "", vector);
		any = true;
	}
	if (!any)
		text_add(t, "none");
}

/* "Error Status Register (ESR)". */
static void describe_esr(struct text *t, uint32_t esr)
{
	static const char *const names[64] = {
		"send-checksum",	   "receive-checksum", "send-accept",
		"receive-accept",	   "redirectable-ipi", "send-illegal-vector",
		"received-illegal-vector", "illegal-register",
	};

	text_add(t, "; esr=0x%02x", esr);
	text_bits(t, esr, names);
}

/* "Interrupt Command Register (ICR)". */
static void describe_icr(struct text *t, enum lapic_mode mode, uint32_t high, uint32_t low)
{
	static const char *const shorthands[] = {"none", "self", "all", "others"};

	text_add(t, "; icr=%08x:%08x vector=0x%02x %s %s dest=0x%x shorthand=%s %s %s %s", high,
		 low, low & 0xff, delivery_name(low), low & 1u << 11 ? "logical" : "physical",
		 mode == LAPIC_X2APIC ? high : high >> 24, shorthands[low >> 18 & 3],
		 low & LEVEL ? "level" : "edge", low & 1u << 14 ? "assert" : "de-assert",
		 low & PENDING ? "pending" : "idle");
}

static const char *timer_mode_name(uint32_t lvt)
{
	static const char *const names[] = {"one-shot", "periodic", "tsc-deadline", "reserved"};

	return names[lvt >> 17 & 3];
}

/* "Local Vector Table": which fields an entry has depends on which it is. */
static void describe_lvt(struct text *t, const char *name, unsigned offset,
			 const struct kvm_lapic_state *s)
{
	uint32_t v = get(s, offset);

	text_add(t, "; lvt-%s=0x%05x vector=0x%02x", name, v, v & 0xff);
	if (offset == REG_LVT_TIMER)
		text_add(t, " %s", timer_mode_name(v));
	else if (offset != REG_LVT_ERROR)
		text_add(t, " %s", delivery_name(v));
	if (offset == REG_LVT_LINT0 || offset == REG_LVT_LINT1)
		text_add(t, " %s %s%s", v & LEVEL ? "level" : "edge", v & LOW ? "low" : "high",
			 v & REMOTE_IRR ? " remote-irr" : "");
	text_add(t, " %s %s", v & MASKED ? "masked" : "unmasked", v & PENDING ? "pending" : "idle");
}

static void describe_lvts(struct text *t, const struct kvm_lapic_state *s)
{
	static const struct {
		const char *name;
		unsigned offset;
	} lvts[] = {
		{"timer", REG_LVT_TIMER}, {"thermal", REG_LVT_THERMAL}, {"pmc", REG_LVT_PMC},
		{"lint0", REG_LVT_LINT0}, {"lint1", REG_LVT_LINT1},	{"error", REG_LVT_ERROR},
		{"cmci", REG_CMCI},
	};
	unsigned count = (get(s, REG_VERSION) >> 16 & 0xff) + 1;

	for (unsigned i = 0; i < sizeof(lvts) / sizeof(lvts[0]) && i < count; i++)
		describe_lvt(t, lvts[i].name, lvts[i].offset, s);
}

/* "Divide Configuration Register": bits 3, 1 and 0. */
static unsigned divisor(uint32_t divide)
{
	unsigned code = (divide & 3) | (divide >> 1 & 4);

	return code == 7 ? 1 : 2u << code;
}

void describe_lapic(struct text *t, uint64_t base, const struct kvm_lapic_state *s,
		    uint64_t tsc_deadline)
{
	uint32_t version = get(s, REG_VERSION), svr = get(s, REG_SVR);
	uint32_t lvt = get(s, REG_LVT_TIMER), divide = get(s, REG_DIVIDE);
	enum lapic_mode mode = mode_of(base);

	describe_apic_base(t, base);
	describe_ids(t, mode, s);
	text_add(t, "; version=0x%x lvts=%u%s", version & 0xff, (version >> 16 & 0xff) + 1,
		 version & 1u << 24 ? " eoi-suppression" : "");
	text_add(t, "; tpr=0x%02x apr=0x%02x ppr=0x%02x", get(s, REG_TPR), get(s, REG_APR),
		 get(s, REG_PPR));
	text_add(t, "; svr=0x%03x vector=0x%02x %s%s", svr, svr & 0xff,
		 svr & 1u << 8 ? "enabled" : "software-disabled",
		 svr & 1u << 12 ? " eoi-suppressed" : "");
	describe_vectors(t, "isr", s, REG_ISR);
	describe_vectors(t, "tmr", s, REG_TMR);
	describe_vectors(t, "irr", s, REG_IRR);
	describe_esr(t, get(s, REG_ESR));
	describe_icr(t, mode, get(s, REG_ICR_HIGH), get(s, REG_ICR_LOW));
	describe_lvts(t, s);
	text_add(t, "; timer=%s initial=0x%x current=0x%x divide=0x%x by=%u", timer_mode_name(lvt),
		 get(s, REG_INITIAL), get(s, REG_CURRENT), divide, divisor(divide));
	text_add(t, "; tsc-deadline=0x%llx", (unsigned long long)tsc_deadline);
}

void describe_ioapic(struct text *t, const uint64_t redir[IOAPIC_PINS], uint32_t lines)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint32_t low = (uint32_t)redir[pin];

		text_add(
			t, "; pin=%u entry=%016llx vector=0x%02x %s %s dest=0x%02x %s %s %s %s%s%s",
			pin, (unsigned long long)redir[pin], low & 0xff, delivery_name(low),
			low & 1u << 11 ? "logical" : "physical", (unsigned)(redir[pin] >> 56),
			low & LEVEL ? "level" : "edge", low & LOW ? "low" : "high",
			low & MASKED ? "masked" : "unmasked", low & PENDING ? "pending" : "idle",
			low & REMOTE_IRR ? " remote-irr" : "", lines >> pin & 1 ? " asserted" : "");
	}
}

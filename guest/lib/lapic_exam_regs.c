// SPDX-License-Identifier: MIT
/*
 * guest/lapic: each register by itself. SDM Vol. 3A 10.4.1 (register map), 10.4.6 to 10.4.8 (ID, state after
 * reset, version), 10.5.1 (LVT), 10.12.1.2 and 10.12.1.3 (x2APIC addresses and reserved bits).
 */
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/lapic_exam.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/x86.h"

#define MSR_FIRST   0x800
#define MSR_LAST    0x8ff
#define VECTOR_REGS 8
#define SVR_FOCUS   (1u << 9) /* reserved since the Pentium 4, but some keep it */
#define VEC_PLAIN   0x40

enum access { R = 1, W = 2, RW = R | W };

/*
 * Registers that hold what is written, or nothing but what the APIC puts there. `reset` for 10.4.7.1. Bits
 * that are neither writable nor read-only (nor `either`, of which the manual says too little) are reserved.
 */
static const struct reg {
	const char *name;
	unsigned reg;
	enum access xapic, x2apic;
	uint32_t reset, writable, readonly, either, ones;
} regs[] = {
	{"ID", APIC_ID, R, R, 0, 0, 0, 0xff000000, 0},
	{"version", APIC_VERSION, R, R, 0, 0, 0, 0, 0},
	{"TPR", APIC_TPR, RW, RW, 0, 0xff, 0, 0, 0},
	{"PPR", APIC_PPR, R, R, 0, 0, 0, 0, 0},
	{"EOI", APIC_EOI, W, W, 0, 0, 0, 0, 0},
	{"LDR", APIC_LDR, RW, R, 0, 0xff000000, 0, 0, 0},
	{"DFR", APIC_DFR, RW, 0, ~0u, 0xf0000000, 0, 0, 0x0fffffff},
	{"SVR", APIC_SVR, RW, RW, 0xff, 0x1ff, 0, SVR_FOCUS, 0},
	{"ESR", APIC_ESR, RW, RW, 0, 0, 0, 0, 0},
	{"LVT CMCI", APIC_LVT_CMCI, RW, RW, LVT_MASKED, 0x107ff, DM_PENDING, 0, 0},
	{"ICR", APIC_ICR, RW, RW, 0, 0xccfff, DM_PENDING, 0, 0},
	{"ICR upper half", APIC_ICR2, RW, 0, 0, 0xff000000, 0, 0, 0},
	{"LVT timer", APIC_LVT_TIMER, RW, RW, LVT_MASKED, 0x300ff, DM_PENDING, 0, 0},
	{"LVT thermal", APIC_LVT_THERMAL, RW, RW, LVT_MASKED, 0x107ff, DM_PENDING, 0, 0},
	{"LVT performance", APIC_LVT_PERF, RW, RW, LVT_MASKED, 0x107ff, DM_PENDING, 0, 0},
	{"LVT LINT0", APIC_LVT0, RW, RW, LVT_MASKED, 0x1a7ff, DM_PENDING | LVT_REMOTE_IRR, 0, 0},
	{"LVT LINT1", APIC_LVT1, RW, RW, LVT_MASKED, 0x1a7ff, DM_PENDING | LVT_REMOTE_IRR, 0, 0},
	{"LVT error", APIC_LVT_ERROR, RW, RW, LVT_MASKED, 0x100ff, DM_PENDING, 0, 0},
	{"initial count", APIC_TIMER_INIT, RW, RW, 0, ~0u, 0, 0, 0},
	{"current count", APIC_TIMER_CUR, R, R, 0, 0, 0, 0, 0},
	{"divide configuration", APIC_TIMER_DIV, RW, RW, 0, 0xb, 0, 0, 0},
	{"self-IPI", APIC_SELF_IPI, 0, W, 0, 0xff, 0, 0, 0},
};

static bool x2apic(void)
{
	return this_cpu()->apic->mode == APIC_MODE_X2APIC;
}

static enum access access_of(const struct reg *r)
{
	return x2apic() ? r->x2apic : r->xapic;
}

/* Two rows depend on what CPUID and the version register promise. */
static struct reg row(unsigned i)
{
	struct reg r = regs[i];

	if (r.reg == APIC_SVR && apic_read(APIC_VERSION) & VERSION_NO_BROADCAST)
		r.writable |= SVR_NO_EOI_BROADCAST;
	/* Both mode bits together are reserved, so patterns leave one out. */
	if (r.reg == APIC_LVT_TIMER && tsc_deadline_supported())
		r.either = LVT_TSC_DEADLINE;
	return r;
}

/* --- reset values */

unsigned exam_reset_list(struct exam_reset *list, enum apic_mode mode)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
		const struct reg *r = &regs[i];

		if ((mode == APIC_MODE_X2APIC ? r->x2apic : r->xapic) & R && exam_has(r->reg))
			list[n++] = (struct exam_reset){r->name, r->reg, r->reset};
	}
	for (unsigned i = 0; i < VECTOR_REGS; i++) {
		list[n++] = (struct exam_reset){"ISR", APIC_ISR + i * 0x10, 0};
		list[n++] = (struct exam_reset){"TMR", APIC_TMR + i * 0x10, 0};
		list[n++] = (struct exam_reset){"IRR", APIC_IRR + i * 0x10, 0};
	}
	return n;
}

/* The library has enabled it, so TPR and SVR are not what they were. */
void exam_found(void)
{
	struct exam_reset list[EXAM_RESETS];
	unsigned n = exam_reset_list(list, this_cpu()->apic->mode), wrong = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned reg = list[i].reg;
		uint32_t v = apic_read(reg);

		if (reg == APIC_ID || reg == APIC_VERSION || reg == APIC_TPR || reg == APIC_SVR)
			continue;
		if (v != list[i].value && ++wrong)
			printf("# %s at 0x%x: 0x%x, expected 0x%x\n", list[i].name, reg, v,
			       list[i].value);
	}
	exam(wrong == 0, KNOWN_NONE, "the boot CPU's registers have their reset values");
}

/* --- ID and version */

static void examine_identity(void)
{
	uint32_t version = apic_read(APIC_VERSION), id = apic_read(APIC_ID);

	/* 10h to 15h; 3 to 7 entries are known, and bits 31:25, 23:16 of more, 15:8 are reserved. */
	exam((version & 0xff) >= 0x10 && (version & 0xff) <= 0x15 &&
		     VERSION_MAX_LVT(version) >= 3 && VERSION_MAX_LVT(version) <= 6 &&
		     !(version & 0xfe00ff00),
	     KNOWN_NONE, "version register 0x%x is one of an integrated APIC", version);
	if (x2apic()) {
		exam(id == cpuid_apic_id(), KNOWN_NONE, "the ID has 32 bits, as in CPUID");
		exam(apic_read(APIC_LDR) == x2apic_ldr(id), KNOWN_NONE,
		     "LDR 0x%x is made of the ID", apic_read(APIC_LDR));
		return;
	}
	exam(id == cpuid(1).ebx >> 24 << 24, KNOWN_NONE,
	     "the ID is in bits 31:24, as in CPUID, and the others are 0");
	/* Whether bits 31:24 can be written depends on the model; the others are reserved. */
	apic_write(APIC_ID, id | 0x00ffffff);
	exam(apic_read(APIC_ID) == id, KNOWN_NONE, "bits 23:0 of the ID cannot be written");
	apic_write(APIC_ID, id);
}

/* --- what can be written */

/* Vectors in them are legal, and nothing drives the sources of entries that come to be unmasked. */
static const uint32_t patterns[] = {0xffffffff, 0x55555555, 0xaaaaaaaa, 0x00000030};

static bool writes_kept(const struct reg *r)
{
	bool ok = true;

	for (unsigned p = 0; p < ARRAY_SIZE(patterns); p++) {
		uint32_t v = patterns[p] & ~r->either, want, got;

		if (x2apic())
			v &= r->writable; /* others fault: see examine_reserved() */
		want = (v & r->writable) | r->ones;
		apic_write(r->reg, v);
		got = apic_read(r->reg) & ~r->either;
		if (got != want) {
			printf("# wrote 0x%x, read 0x%x, expected 0x%x\n", v, got, want);
			ok = false;
		}
	}
	return ok;
}

static void examine_writable(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
		struct reg r = row(i);
		enum known known = r.readonly ? KNOWN_LVT_STATUS : KNOWN_NONE;

		if (access_of(&r) != RW || r.reg == APIC_ICR || r.reg == APIC_ESR)
			continue; /* these two are more than memory */
		if (!exam_has(r.reg)) {
			report_skip("not in this APIC", "%s: %s", apic_mode_name(), r.name);
			continue;
		}
		exam(writes_kept(&r), known, "%s: bits of 0x%x can be written, the others not",
		     r.name, r.writable);
		exam_clean();
	}
}

static bool write_ignored(unsigned reg)
{
	uint32_t before = apic_read(reg);

	apic_write(reg, ~before);
	return apic_read(reg) == before;
}

/* 10.4.1: in xAPIC mode a store to a read-only register does nothing. */
static void examine_readonly(void)
{
	bool ok = write_ignored(APIC_VERSION) && write_ignored(APIC_PPR) &&
		  write_ignored(APIC_TIMER_CUR);

	for (unsigned i = 0; i < VECTOR_REGS; i++) {
		ok &= write_ignored(APIC_ISR + i * 0x10);
		ok &= write_ignored(APIC_TMR + i * 0x10);
		ok &= write_ignored(APIC_IRR + i * 0x10);
	}
	exam(ok, KNOWN_NONE, "version, PPR, ISR, TMR, IRR and current count are read-only");
}

/* --- x2APIC: faults */

/* Table 10-6. */
static enum access msr_access(unsigned reg)
{
	if (reg >= APIC_ISR && reg < APIC_IRR + VECTOR_REGS * 0x10)
		return R;
	if (!exam_has(reg))
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++)
		if (regs[i].reg == reg)
			return regs[i].x2apic;
	return 0;
}

static bool reads(uint32_t msr)
{
	uint64_t v;

	return rdmsr_try(msr, &v, NULL);
}

static void examine_addresses(void)
{
	unsigned absent = 0, readonly = 0, writeonly = 0, unreadable = 0;

	for (uint32_t msr = MSR_FIRST; msr <= MSR_LAST; msr++) {
		enum access a = msr_access((msr - MSR_FIRST) * 0x10);

		if (!a)
			absent += !rdmsr_gp(msr) || !wrmsr_gp(msr, 0);
		else if (a == R)
			readonly += !wrmsr_gp(msr, 0);
		else if (a == W)
			writeonly += !rdmsr_gp(msr);
		if (a & R)
			unreadable += !reads(msr);
	}
	exam(unreadable == 0, KNOWN_NONE, "all registers that can be read are there");
	exam(absent == 0, KNOWN_D04, "MSRs 0x800 to 0x8ff without a register raise #GP");
	exam(readonly == 0, KNOWN_NONE, "writing a read-only register raises #GP");
	exam(writeonly == 0, KNOWN_D04, "reading EOI or self-IPI raises #GP");
}

/* What a register can be written with while its reserved bits are tried. */
static uint64_t harmless(unsigned reg)
{
	switch (reg) {
	case APIC_SVR:
		return SVR_ENABLE | VEC_SPURIOUS;
	case APIC_ICR:
		return (uint64_t)exam_nobody() << 32 | DM_FIXED | ICR_ASSERT | VEC_PLAIN;
	case APIC_LVT_CMCI:
	case APIC_LVT_TIMER ... APIC_LVT_ERROR:
		return LVT_MASKED | VEC_PLAIN;
	case APIC_SELF_IPI:
		return VEC_PLAIN;
	default:
		return 0;
	}
}

/* The bits out of `mask` that do not fault. */
static uint64_t accepted(unsigned reg, uint64_t mask)
{
	uint64_t base = harmless(reg), bits = 0;

	for (unsigned b = 0; b < 64; b++)
		if (mask >> b & 1 && !wrmsr_gp(X2APIC_MSR(reg), base | 1ull << b))
			bits |= 1ull << b;
	wrmsr(X2APIC_MSR(reg), base);
	if (bits)
		printf("# accepted: 0x%lx\n", bits);
	return bits;
}

/* 10.12.1.3 and figures 10-28 to 10-31. */
static void examine_reserved(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
		struct reg r = row(i);
		uint32_t low = ~(r.writable | r.readonly | r.either);

		if (!(r.x2apic & W) || !exam_has(r.reg))
			continue;
		if (low)
			exam(!accepted(r.reg, low), r.reg == APIC_ICR ? KNOWN_D01 : KNOWN_D03,
			     "%s: the reserved bits of 31:0 raise #GP", r.name);
		if (r.reg != APIC_ICR) /* its upper half is the destination */
			exam(!accepted(r.reg, 0xffffffffull << 32), KNOWN_D02,
			     "%s: bits 63:32 raise #GP", r.name);
		exam_clean();
	}
	exam(!accepted(APIC_ICR, DM_PENDING), KNOWN_D05, "ICR: bit 12 is reserved and raises #GP");
	exam_clean();
}

void exam_registers(void)
{
	exam_clean();
	examine_identity();
	examine_writable();
	if (x2apic()) {
		examine_addresses();
		examine_reserved();
	} else {
		examine_readonly();
	}
	exam_clean();
}

// SPDX-License-Identifier: MIT
/*
 * "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT" (SDM vol. 3A, "Processor
 * State After Reset") and the manuals' other words about RESET and INIT, register by register.
 */
#include "selftest/expect.h"

#include <fnmatch.h>

#define STATES	    "SDM 3A, Processor States Following Power-up, Reset, or INIT"
#define LAPIC_STATE "SDM 3A, Local APIC State After Power-Up or Reset"
#define LAPIC_INIT  "SDM 3A, Local APIC State After It Receives an INIT Reset"
#define X2APIC_INIT "SDM 3A, x2APIC State Transitions"
#define MP_INIT	    "SDM 3A, MP Initialization Protocol"
#define EVENTS	    "SDM 3A, Hardware Reset: nothing is pending"
#define ADDED	    "SDM 3A, Processor States Following Power-up, Reset, or INIT (R8-R15)"
#define XSAVE_STATE "SDM 1, XSAVE-Managed State: initial configurations"
#define TSC_RESET   "SDM 3B, Time-Stamp Counter"
#define DEADLINE    "SDM 3A, TSC-Deadline Mode"
#define OURS	    "sipi: nothing of the old life is on its way"

#define CD_NW 0x60000000ull

enum rule {
	IS,
	ANY,	   /* a constant of the CPU */
	SIGNATURE, /* CPUID.1:EAX */
	MP_STATE,
	APIC_BASE,
	APIC_ID,
	LDR,
	DFR,
	CMCI,
	CR0,
	TSC,
};

struct manual_row {
	const char *name; /* a pattern; the first that matches is it */
	enum rule rule;
	uint64_t value, also; /* also: what another manual has instead; 0: nothing */
	bool init_keeps;
	const char *section;
};

static const struct manual_row rows[] = {
	{"MP state", MP_STATE, 0, 0, false, MP_INIT},
	{"RDX", SIGNATURE, 0, 0, false, STATES},
	{"R[ABCSD][XIP]", IS, 0, 0, false, STATES},
	{"RBP", IS, 0, 0, false, STATES},
	{"R[89]", IS, 0, 0, false, ADDED},
	{"R1[0-5]", IS, 0, 0, false, ADDED},
	{"RIP", IS, 0xfff0, 0, false, STATES},
	{"RFLAGS", IS, 2, 0, false, STATES},
	{"CS.selector", IS, 0xf000, 0, false, STATES},
	{"CS.base", IS, 0xffff0000, 0, false, STATES},
	/* "Present, R/W, Accessed": as code, read and execute. */
	{"CS.type", IS, 0xb, 0x3, false, STATES},
	{"[DEFGS]S.type", IS, 3, 0, false, STATES},
	/* Busy, as a task register has to be: of 32 bits, or of 16 (APM 2, Processor Initialization State). */
	{"TR.type", IS, 0xb, 3, false, STATES},
	{"LDTR.type", IS, 2, 0, false, STATES},
	{"*.selector", IS, 0, 0, false, STATES},
	{"*.base", IS, 0, 0, false, STATES},
	{"*.limit", IS, 0xffff, 0, false, STATES},
	{"*.present", IS, 1, 0, false, STATES},
	{"?S.s", IS, 1, 0, false, STATES},
	{"*R.s", IS, 0, 0, false, STATES},
	{"*.dpl", IS, 0, 0, false, STATES},
	{"*.db", IS, 0, 0, false, STATES},
	{"*.l", IS, 0, 0, false, STATES},
	{"*.g", IS, 0, 0, false, STATES},
	{"*.avl", IS, 0, 0, false, STATES},
	{"CR0", CR0, 0x60000010, 0, false, STATES},
	{"CR[2348]", IS, 0, 0, false, STATES},
	{"EFER", IS, 0, 0, false, STATES},
	{"IA32_APIC_BASE", APIC_BASE, 0, 0, true, X2APIC_INIT},
	{"SREGS.interrupt *", IS, 0, 0, false, EVENTS},
	{"DR[0-3]", IS, 0, 0, false, STATES},
	{"DR6", IS, 0xffff0ff0, 0, false, STATES},
	{"DR7", IS, 0x400, 0, false, STATES},
	{"XCR0", IS, 1, 0, true, "SDM 1, Enabling the XSAVE Feature Set"},
	{"exception.*", IS, 0, 0, false, EVENTS},
	{"interrupt.*", IS, 0, 0, false, EVENTS},
	{"NMI.*", IS, 0, 0, false, EVENTS},
	{"SMI.*", IS, 0, 0, false, EVENTS},
	{"triple fault", IS, 0, 0, false, EVENTS},
	{"TSC", TSC, 0, 0, true, TSC_RESET},
	{"TSC deadline", IS, 0, 0, false, DEADLINE},
	/* FCW 0040H, FSW 0; not FNINIT's 037FH. */
	{"FCW+FSW", IS, 0x40, 0, true, STATES},
	/* Tags 5555H: all registers hold +0.0, none is empty. */
	{"FTW+FOP", IS, 0xff, 0, true, STATES},
	{"F[ID]P.*", IS, 0, 0, true, STATES},
	{"MXCSR", IS, 0x1f80, 0, true, STATES},
	{"XSAVE+*", IS, 0, 0, true, XSAVE_STATE},
	{"LAPIC.ID", APIC_ID, 0, 0, true, LAPIC_STATE},
	{"LAPIC.version", ANY, 0, 0, false, LAPIC_STATE},
	{"LAPIC.LDR", LDR, 0, 0, false, LAPIC_STATE},
	{"LAPIC.DFR", DFR, 0xffffffff, 0, false, LAPIC_STATE},
	{"LAPIC.SVR", IS, 0xff, 0, false, LAPIC_STATE},
	{"LAPIC.LVT CMCI", CMCI, 0x10000, 0, false, LAPIC_STATE},
	{"LAPIC.LVT *", IS, 0x10000, 0, false, LAPIC_STATE},
	{"LAPIC*", IS, 0, 0, false, LAPIC_STATE},
	{"sipi: *", IS, 0, 0, false, OURS},
};

/* MSRs. Of those that are not here the table of resets itself is held against what is seen. */
static const struct {
	uint32_t index;
	uint64_t value;
	enum { INIT_KEEPS, INIT_CLEARS, INIT_ANY } init;
	const char *section;
} msrs[] = {
	{0x3a, 0, INIT_KEEPS, "SDM 4, IA32_FEATURE_CONTROL: lock cleared by RESET"},
	{0x3b, 0, INIT_KEEPS, "SDM 3B, IA32_TSC_ADJUST: 0 on RESET"},
	{0x48, 0, INIT_KEEPS, "SDM 4, IA32_SPEC_CTRL: enabled by software"},
	{0x122, 0, INIT_KEEPS, "SDM 4, IA32_TSX_CTRL: 0 on RESET"},
	{0x140, 0, INIT_KEEPS, "SDM 4, MISC_FEATURES_ENABLES: no faults on CPUID"},
	{0x174, 0, INIT_KEEPS, "APM 2, Processor Initialization State"},
	{0x175, 0, INIT_KEEPS, "APM 2, Processor Initialization State"},
	{0x176, 0, INIT_KEEPS, "APM 2, Processor Initialization State"},
	{0x17a, 0, INIT_KEEPS, "SDM 3B, IA32_MCG_STATUS: no event under way"},
	{0x1d9, 0, INIT_KEEPS, "SDM 3B, IA32_DEBUGCTL: cleared by RESET"},
	{0x277, 0x0007040600070406, INIT_KEEPS, "SDM 3A, Programming the PAT"},
	{0x2ff, 0, INIT_KEEPS, "SDM 3A, MTRR Initialization: disabled"},
	{0xd90, 0, INIT_CLEARS, STATES},
	{0xda0, 0, INIT_KEEPS, STATES},
	{0x38d, 0, INIT_KEEPS, "SDM 3B, IA32_FIXED_CTR_CTRL: 0 on RESET"},
	{0xc0000081, 0, INIT_KEEPS, "APM 2, Processor Initialization State"},
	{0xc0000082, 0, INIT_KEEPS, "APM 2, Processor Initialization State"},
	{0xc0000083, 0, INIT_KEEPS, "APM 2, Processor Initialization State"},
	{0xc0000084, 0, INIT_KEEPS, "APM 2, Processor Initialization State"},
	{0xc0000102, 0, INIT_KEEPS, "APM 2, Processor Initialization State"},
	{0xc0000103, 0, INIT_KEEPS, "APM 2, Processor Initialization State"},
	{0xc001011f, 0, INIT_KEEPS, "APM 3, VIRT_SPEC_CTRL: 0 on RESET"},
	/* No CPU has these; a guest of the next life must not find its memory written to. */
	{0x11, 0, INIT_ANY, "KVM's msr.rst: off until the guest asks"},
	{0x12, 0, INIT_ANY, "KVM's msr.rst: off until the guest asks"},
	{0x4b564d00, 0, INIT_ANY, "KVM's msr.rst: off until the guest asks"},
	{0x4b564d01, 0, INIT_ANY, "KVM's msr.rst: off until the guest asks"},
	{0x4b564d02, 0, INIT_ANY, "KVM's msr.rst: off until the guest asks"},
	{0x4b564d03, 0, INIT_ANY, "KVM's msr.rst: off until the guest asks"},
	{0x4b564d04, 0, INIT_ANY, "KVM's msr.rst: off until the guest asks"},
};

static void expect_msr(const struct field *f, const struct subject *s, uint64_t before,
		       struct expectation *e)
{
	enum reset_kind kind = s->situation == INIT ? RESET_INIT : s->kind;
	/* Power-on finds most of it right: it is held against what any RESET makes of it. */
	bool resets =
		msr_after(s->v, f->msr, kind == RESET_POWER_ON ? RESET_HARD : kind, &e->value);

	e->section = f->row->section;
	/* What KVM makes such a vCPU with is right by definition. */
	e->any = f->row->rule == MSR_CLOCK ||
		 (f->row->rule == MSR_FRESH && s->situation != RESET && s->situation != INIT);
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		if (msrs[i].index != f->msr)
			continue;
		e->section = msrs[i].section;
		e->value = msrs[i].value;
		e->any = s->situation == INIT && msrs[i].init == INIT_ANY;
		resets = s->situation != INIT || msrs[i].init == INIT_CLEARS;
		break;
	}
	if (resets)
		return;
	/* Kept; of what was there before a power-on nothing is known. */
	e->any |= s->situation == CREATED || s->situation == POWER_ON;
	e->value = before;
}

static bool x2apic_mode(const struct subject *s)
{
	return (s->now->s.sregs.apic_base & (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC)) ==
	       (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);
}

static uint32_t signature(const struct machine *m)
{
	for (unsigned i = 0; i < m->cpuid->nent; i++)
		if (m->cpuid->entries[i].function == 1)
			return m->cpuid->entries[i].eax;
	return 0;
}

/* APs wait for SIPI after RESET as after INIT. Whether a CPU is the boot CPU, its APIC says. */
static uint64_t mp_state(const struct subject *s)
{
	bool bsp = s->v->index == 0;

	if (s->situation == INIT && s->before)
		bsp = s->before->s.sregs.apic_base & LAPIC_BASE_BSP;
	return bsp ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
}

/* "Logical Destination Mode in x2APIC Mode": it follows from the ID. */
static uint64_t ldr(const struct subject *s, struct expectation *e)
{
	uint32_t id = s->v->apic_id;

	if (!x2apic_mode(s))
		return 0;
	e->section = "SDM 3A, Deriving Logical x2APIC ID from the Local x2APIC ID";
	return (uint64_t)(id >> 4) << 16 | 1u << (id & 0xf);
}

/* The time since the reset began: seconds at most, while what was there before is years. */
#define TSC_SMALL (1ull << 37)
#define TSC_SKEW  (1ull << 20)

static void apply_lapic(const struct manual_row *row, const struct subject *s,
			struct expectation *e)
{
	switch (row->rule) {
	case APIC_BASE:
		e->value = LAPIC_DEFAULT_BASE | LAPIC_BASE_ENABLE |
			   (s->v->index == 0 ? LAPIC_BASE_BSP : 0);
		e->section = LAPIC_STATE;
		break;
	case APIC_ID:
		e->value = s->v->apic_id << 24;
		break;
	case LDR:
		e->value = ldr(s, e);
		break;
	case DFR: /* does not exist in x2APIC mode */
		e->any = x2apic_mode(s);
		break;
	case CMCI: /* "LVT CMCI": where the version register counts it */
		if ((lapic_get(&s->now->s, 0x30) >> 16 & 0xff) < 6)
			e->also = 0;
		break;
	default:
		break;
	}
}

/*
 * It counts on over INIT, give or take what one CPU of an emulated host is behind another; what it is at creation is
 * up to the host.
 */
static void apply_tsc(const struct subject *s, uint64_t before, uint64_t now, struct expectation *e)
{
	e->any = s->situation == CREATED;
	if (s->situation == INIT)
		e->value = now + TSC_SKEW >= before ? now : before;
	else
		e->value = now < TSC_SMALL ? now : 0;
}

static void apply(const struct manual_row *row, const struct subject *s, uint64_t before,
		  uint64_t now, struct expectation *e)
{
	switch (row->rule) {
	case IS:
		break;
	case ANY:
		e->any = true;
		break;
	case SIGNATURE:
		e->value = signature(s->v->m);
		break;
	case MP_STATE:
		e->value = mp_state(s);
		break;
	case CR0: /* footnote: INIT leaves CD and NW alone */
		if (s->situation == INIT)
			e->value = (e->value & ~CD_NW) | (before & CD_NW);
		break;
	case TSC:
		apply_tsc(s, before, now, e);
		return;
	default:
		apply_lapic(row, s, e);
		break;
	}
	if (s->situation == INIT && row->init_keeps)
		e->value = e->also = before;
}

bool expect(const struct schema *sc, unsigned field, const struct subject *s, struct expectation *e)
{
	const struct field *f = &sc->field[field];
	uint64_t before = s->before ? s->before->value[field] : 0;

	*e = (struct expectation){.any = false};
	if (f->msr) {
		if (f->row)
			expect_msr(f, s, before, e);
		e->also = e->value;
		return f->row;
	}
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (fnmatch(rows[i].name, f->name, 0) != 0)
			continue;
		e->value = rows[i].value;
		e->also = rows[i].also ? rows[i].also : rows[i].value;
		e->section = rows[i].section;
		if (s->situation == INIT && f->name[0] == 'L' && f->name[1] == 'A')
			e->section = LAPIC_INIT;
		apply(&rows[i], s, before, s->now->value[field], e);
		if (rows[i].rule != IS && rows[i].rule != CMCI)
			e->also = e->value;
		return true;
	}
	return false;
}

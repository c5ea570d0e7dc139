// SPDX-License-Identifier: MIT
#include "selftest/fields.h"

#include <stddef.h>
#include <string.h>
#include <sys/timerfd.h>

#define AT(name, member)                                                                           \
	{                                                                                          \
		name, offsetof(struct cpu_image, member), sizeof(((struct cpu_image *)0)->member)  \
	}

#define SEGMENT(name, member)                                                                      \
	AT(name ".selector", s.sregs.member.selector), AT(name ".base", s.sregs.member.base),      \
		AT(name ".limit", s.sregs.member.limit), AT(name ".type", s.sregs.member.type),    \
		AT(name ".present", s.sregs.member.present), AT(name ".dpl", s.sregs.member.dpl),  \
		AT(name ".db", s.sregs.member.db), AT(name ".s", s.sregs.member.s),                \
		AT(name ".l", s.sregs.member.l), AT(name ".g", s.sregs.member.g),                  \
		AT(name ".avl", s.sregs.member.avl)

static const struct {
	const char *name;
	uint32_t offset, size;
} fixed[] = {
	AT("MP state", s.mp_state),
	AT("RAX", s.regs.rax),
	AT("RBX", s.regs.rbx),
	AT("RCX", s.regs.rcx),
	AT("RDX", s.regs.rdx),
	AT("RSI", s.regs.rsi),
	AT("RDI", s.regs.rdi),
	AT("RSP", s.regs.rsp),
	AT("RBP", s.regs.rbp),
	AT("R8", s.regs.r8),
	AT("R9", s.regs.r9),
	AT("R10", s.regs.r10),
	AT("R11", s.regs.r11),
	AT("R12", s.regs.r12),
	AT("R13", s.regs.r13),
	AT("R14", s.regs.r14),
	AT("R15", s.regs.r15),
	AT("RIP", s.regs.rip),
	AT("RFLAGS", s.regs.rflags),
	SEGMENT("CS", cs),
	SEGMENT("DS", ds),
	SEGMENT("ES", es),
	SEGMENT("FS", fs),
	SEGMENT("GS", gs),
	SEGMENT("SS", ss),
	SEGMENT("TR", tr),
	SEGMENT("LDTR", ldt),
	AT("GDTR.base", s.sregs.gdt.base),
	AT("GDTR.limit", s.sregs.gdt.limit),
	AT("IDTR.base", s.sregs.idt.base),
	AT("IDTR.limit", s.sregs.idt.limit),
	AT("CR0", s.sregs.cr0),
	AT("CR2", s.sregs.cr2),
	AT("CR3", s.sregs.cr3),
	AT("CR4", s.sregs.cr4),
	AT("CR8", s.sregs.cr8),
	AT("EFER", s.sregs.efer),
	AT("IA32_APIC_BASE", s.sregs.apic_base),
	AT("SREGS.interrupt 0-63", s.sregs.interrupt_bitmap[0]),
	AT("SREGS.interrupt 64-127", s.sregs.interrupt_bitmap[1]),
	AT("SREGS.interrupt 128-191", s.sregs.interrupt_bitmap[2]),
	AT("SREGS.interrupt 192-255", s.sregs.interrupt_bitmap[3]),
	AT("DR0", s.debugregs.db[0]),
	AT("DR1", s.debugregs.db[1]),
	AT("DR2", s.debugregs.db[2]),
	AT("DR3", s.debugregs.db[3]),
	AT("DR6", s.debugregs.dr6),
	AT("DR7", s.debugregs.dr7),
	AT("XCR0", s.xcrs.xcrs[0].value),
	AT("exception.injected", s.events.exception.injected),
	AT("exception.nr", s.events.exception.nr),
	AT("exception.has_error_code", s.events.exception.has_error_code),
	AT("exception.error_code", s.events.exception.error_code),
	AT("exception.pending", s.events.exception.pending),
	AT("interrupt.injected", s.events.interrupt.injected),
	AT("interrupt.nr", s.events.interrupt.nr),
	AT("interrupt.soft", s.events.interrupt.soft),
	AT("interrupt.shadow", s.events.interrupt.shadow),
	AT("NMI.injected", s.events.nmi.injected),
	AT("NMI.pending", s.events.nmi.pending),
	AT("NMI.masked", s.events.nmi.masked),
	AT("SMI.smm", s.events.smi.smm),
	AT("SMI.pending", s.events.smi.pending),
	AT("SMI.inside_nmi", s.events.smi.smm_inside_nmi),
	AT("SMI.latched_init", s.events.smi.latched_init),
	AT("triple fault", s.events.triple_fault.pending),
	AT("TSC", s.tsc),
	AT("TSC deadline", s.tsc_deadline),
	/* The legacy area of XSAVE (SDM vol. 1, "x87 State", "SSE State"). */
	AT("FCW+FSW", s.xsave.region[0]),
	AT("FTW+FOP", s.xsave.region[1]),
	AT("FIP.low", s.xsave.region[2]),
	AT("FIP.high", s.xsave.region[3]),
	AT("FDP.low", s.xsave.region[4]),
	AT("FDP.high", s.xsave.region[5]),
	AT("MXCSR", s.xsave.region[6]),
	/* What sipi keeps beside KVM. */
	AT("sipi: NMI pending", ours.nmi),
	AT("sipi: INIT pending", ours.init),
	AT("sipi: SIPI pending", ours.sipi),
	AT("sipi: ExtINT vector", ours.extint),
	AT("sipi: ExtINT message", ours.extint_received),
	AT("sipi: LAPIC timer armed", ours.armed),
	AT("sipi: host timer armed", ours.host_timer),
	AT("sipi: ESR errors", ours.esr_new),
	AT("sipi: LAPIC deadline", ours.deadline),
	AT("sipi: CR8", ours.cr8),
};

/* Vectors 32n to 32n + 31. */
#define BITS(offset, name)                                                                         \
	[(offset) / 16] = name "0", [(offset) / 16 + 1] = name "1",                                \
		    [(offset) / 16 + 2] = name "2", [(offset) / 16 + 3] = name "3",                \
		    [(offset) / 16 + 4] = name "4", [(offset) / 16 + 5] = name "5",                \
		    [(offset) / 16 + 6] = name "6", [(offset) / 16 + 7] = name "7"

static const char *const lapic_names[0x40] = {
	[0x02] = "ID",
	[0x03] = "version",
	[0x08] = "TPR",
	[0x09] = "APR",
	[0x0a] = "PPR",
	[0x0b] = "EOI",
	[0x0c] = "RRD",
	[0x0d] = "LDR",
	[0x0e] = "DFR",
	[0x0f] = "SVR",
	[0x28] = "ESR",
	[0x2f] = "LVT CMCI",
	[0x30] = "ICR",
	[0x31] = "ICR high",
	[0x32] = "LVT timer",
	[0x33] = "LVT thermal",
	[0x34] = "LVT PMC",
	[0x35] = "LVT LINT0",
	[0x36] = "LVT LINT1",
	[0x37] = "LVT error",
	[0x38] = "initial count",
	[0x39] = "current count",
	[0x3e] = "divide",
	BITS(0x100, "ISR"),
	BITS(0x180, "TMR"),
	BITS(0x200, "IRR"),
};

static struct field *add(struct schema *sc, size_t offset, size_t size)
{
	struct field *f = &sc->field[sc->n];

	if (sc->n == FIELDS_MAX)
		return NULL;
	sc->n++;
	*f = (struct field){.offset = (uint32_t)offset, .size = (uint32_t)size};
	return f;
}

static void add_lapic(struct schema *sc)
{
	for (unsigned i = 0; i < 0x40; i++) {
		struct field *f = add(sc, offsetof(struct cpu_image, s.lapic.regs) + i * 16ul, 4);

		if (f && lapic_names[i])
			snprintf(f->name, sizeof(f->name), "LAPIC.%s", lapic_names[i]);
		else if (f)
			snprintf(f->name, sizeof(f->name), "LAPIC+0x%03x", i * 16);
	}
}

/* In words of 64 bits, but for what has a name above and for the header, which is no state. */
static void add_xsave(struct schema *sc)
{
	for (unsigned at = 0x20; at < sizeof(struct kvm_xsave); at += 8) {
		struct field *f;

		if (at >= 0x1d0 && at < 0x240)
			continue;
		f = add(sc, offsetof(struct cpu_image, s.xsave.region) + at, 8);
		if (f)
			snprintf(f->name, sizeof(f->name), "XSAVE+0x%03x", at);
	}
}

static void add_msrs(struct schema *sc, const struct cpu_state *s)
{
	for (unsigned i = 0; i < s->nmsrs; i++) {
		struct field *f = add(sc, 0, 8);

		if (!f)
			return;
		f->msr = s->msrs[i].index;
		f->row = msr_row_find(f->msr);
		snprintf(f->name, sizeof(f->name), "MSR 0x%x %.26s", f->msr,
			 f->row ? f->row->name : "(in no row)");
	}
}

int schema_make(struct schema *sc, struct vcpu *v, struct error *err)
{
	static struct cpu_state s;
	int r;

	machine_lock(v->m);
	r = vcpu_get_state(v, &s);
	machine_unlock(v->m);
	if (r < 0)
		return error_set(err, EXIT_KVM, "reading the state of a CPU: %s", strerror(-r));
	sc->n = 0;
	for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		struct field *f = add(sc, fixed[i].offset, fixed[i].size);

		if (f)
			snprintf(f->name, sizeof(f->name), "%s", fixed[i].name);
	}
	add_lapic(sc);
	add_xsave(sc);
	add_msrs(sc, &s);
	return sc->n < FIELDS_MAX ? 0 : error_set(err, EXIT_SETUP, "too many MSRs");
}

unsigned schema_find(const struct schema *sc, const char *name)
{
	for (unsigned i = 0; i < sc->n; i++)
		if (strcmp(sc->field[i].name, name) == 0)
			return i;
	return sc->n;
}

static void take_user(const struct vcpu *v, struct cpu_image *im)
{
	const struct user_cpu *c = v->user;
	struct itimerspec left = {.it_value.tv_sec = 0};

	im->ours.nmi = c->nmi;
	im->ours.init = c->init;
	im->ours.sipi = (uint8_t)(c->sipi + 1);
	im->ours.extint_received = c->lapic.extint_received;
	im->ours.armed = c->lapic.armed;
	im->ours.esr_new = c->lapic.esr_new;
	im->ours.deadline = c->lapic.deadline;
	im->ours.cr8 = v->run->cr8 | c->cr8;
	timerfd_gettime(c->timer.watch.fd, &left);
	im->ours.host_timer = left.it_value.tv_sec || left.it_value.tv_nsec;
}

/* What means nothing unless something else is set reads as zero. */
static void normalise(struct kvm_vcpu_events *e)
{
	if (!e->exception.injected && !e->exception.pending) {
		e->exception.nr = e->exception.has_error_code = 0;
		e->exception.error_code = 0;
	}
	if (!e->interrupt.injected)
		e->interrupt.nr = e->interrupt.soft = 0;
}

/* They usually stand in the same order, but what can be read may depend on other state. */
static uint64_t msr_value(const struct cpu_state *s, uint32_t index)
{
	static unsigned at;

	for (unsigned i = 0; i < s->nmsrs; i++, at++) {
		if (at >= s->nmsrs)
			at = 0;
		if (s->msrs[at].index == index)
			return s->msrs[at++].data;
	}
	return 0;
}

int image_take(const struct schema *sc, struct vcpu *v, struct cpu_image *im)
{
	int r;

	memset(&im->ours, 0, sizeof(im->ours));
	memset(&im->s, 0, sizeof(im->s));
	machine_lock(v->m);
	r = vcpu_get_state(v, &im->s);
	machine_unlock(v->m);
	if (r < 0)
		return r;
	normalise(&im->s.events);
	im->ours.extint = (uint8_t)(v->extint + 1);
	if (v->user)
		take_user(v, im);
	for (unsigned i = 0; i < sc->n; i++) {
		const struct field *f = &sc->field[i];

		im->value[i] = 0;
		if (f->msr)
			im->value[i] = msr_value(&im->s, f->msr);
		else
			memcpy(&im->value[i], (const uint8_t *)im + f->offset, f->size);
	}
	return 0;
}

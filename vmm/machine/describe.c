// SPDX-License-Identifier: MIT
/* A CPU's registers as text. Names are those of SDM vol. 3A, "System Architecture Overview". */
#include "machine/describe.h"

#include <stdarg.h>
#include <stdio.h>

#define RFLAGS_FIXED (1u << 1)
#define RFLAGS_IOPL  (3u << 12)
#define RFLAGS_VM    (1u << 17)
#define CR0_PE	     (1u << 0)
#define EFER_LMA     (1u << 10)

static const char *const rflags_names[64] = {
	[0] = "cf",  [2] = "pf",   [4] = "af",	 [6] = "zf",  [7] = "sf",  [8] = "tf",
	[9] = "if",  [10] = "df",  [11] = "of",	 [14] = "nt", [16] = "rf", [17] = "vm",
	[18] = "ac", [19] = "vif", [20] = "vip", [21] = "id",
};

static const char *const cr0_names[64] = {
	[0] = "pe",  [1] = "mp",  [2] = "em",  [3] = "ts",  [4] = "et",	 [5] = "ne",
	[16] = "wp", [18] = "am", [29] = "nw", [30] = "cd", [31] = "pg",
};

static const char *const cr4_names[64] = {
	[0] = "vme",	     [1] = "pvi",    [2] = "tsd",      [3] = "de",    [4] = "pse",
	[5] = "pae",	     [6] = "mce",    [7] = "pge",      [8] = "pce",   [9] = "osfxsr",
	[10] = "osxmmexcpt", [11] = "umip",  [12] = "la57",    [13] = "vmxe", [14] = "smxe",
	[16] = "fsgsbase",   [17] = "pcide", [18] = "osxsave", [19] = "kl",   [20] = "smep",
	[21] = "smap",	     [22] = "pke",   [23] = "cet",     [24] = "pks",
};

static const char *const efer_names[64] = {
	[0] = "sce",	[8] = "lme",	[10] = "lma", [11] = "nxe",	 [12] = "svme",
	[13] = "lmsle", [14] = "ffxsr", [15] = "tce", [21] = "autoibrs",
};

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->len >= t->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	t->len += n < 0 ? 0 : (size_t)n;
}

void text_bits(struct text *t, uint64_t value, const char *const *names)
{
	const char *before = " (";

	for (unsigned bit = 0; bit < 64; bit++) {
		if (!(value >> bit & 1))
			continue;
		if (names[bit])
			text_add(t, "%s%s", before, names[bit]);
		else
			text_add(t, "%sbit%u", before, bit);
		before = " ";
	}
	if (value)
		text_add(t, ")");
}

void describe_mp_state(struct text *t, uint32_t mp_state)
{
	static const char *const names[] = {
		[KVM_MP_STATE_RUNNABLE] = "runnable",
		[KVM_MP_STATE_UNINITIALIZED] = "wait-for-sipi",
		[KVM_MP_STATE_INIT_RECEIVED] = "wait-for-sipi",
		[KVM_MP_STATE_HALTED] = "halted",
		[KVM_MP_STATE_SIPI_RECEIVED] = "sipi-received",
	};

	if (mp_state < sizeof(names) / sizeof(names[0]) && names[mp_state])
		text_add(t, "%s", names[mp_state]);
	else
		text_add(t, "mp-state=%u", mp_state);
}

static const char *mode_name(const struct kvm_regs *r, const struct kvm_sregs *s)
{
	if (!(s->cr0 & CR0_PE))
		return "real";
	if (s->efer & EFER_LMA)
		return s->cs.l ? "64-bit" : "compatibility";
	if (r->rflags & RFLAGS_VM)
		return "virtual-8086";
	return s->cs.db ? "32-bit" : "16-bit";
}

static void describe_segment(struct text *t, const char *name, const struct kvm_segment *s)
{
	const char *kind = !s->s ? "system" : s->type & 8 ? "code" : "data";

	text_add(t, "; %s=%04x base=%016llx limit=%08x %s type=%x dpl=%u %s%s%s%s", name,
		 s->selector, s->base, s->limit, kind, s->type, s->dpl,
		 s->present ? "present" : "not-present", s->l ? " long" : "", s->db ? " 32" : "",
		 s->g ? " 4k" : "");
}

static void describe_segments(struct text *t, const struct kvm_sregs *s)
{
	describe_segment(t, "cs", &s->cs);
	describe_segment(t, "ss", &s->ss);
	describe_segment(t, "ds", &s->ds);
	describe_segment(t, "es", &s->es);
	describe_segment(t, "fs", &s->fs);
	describe_segment(t, "gs", &s->gs);
	describe_segment(t, "tr", &s->tr);
	describe_segment(t, "ldt", &s->ldt);
	text_add(t, "; gdt base=%016llx limit=%04x; idt base=%016llx limit=%04x", s->gdt.base,
		 s->gdt.limit, s->idt.base, s->idt.limit);
}

static void describe_control_regs(struct text *t, const struct kvm_sregs *s)
{
	text_add(t, "; cr0=%08llx", s->cr0);
	text_bits(t, s->cr0, cr0_names);
	text_add(t, "; cr2=%016llx cr3=%016llx; cr4=%08llx", s->cr2, s->cr3, s->cr4);
	text_bits(t, s->cr4, cr4_names);
	text_add(t, "; cr8=%llx; efer=%llx", s->cr8, s->efer);
	text_bits(t, s->efer, efer_names);
}

void describe_regs(struct text *t, const struct cpu_state *s)
{
	const struct kvm_regs *r = &s->regs;
	const struct kvm_debugregs *d = &s->debugregs;

	text_add(t, "; mode=%s cpl=%u rip=%016llx", mode_name(r, &s->sregs), s->sregs.ss.dpl,
		 r->rip);
	text_add(t, "; rflags=%08llx iopl=%llu", r->rflags, (r->rflags & RFLAGS_IOPL) >> 12);
	text_bits(t, r->rflags & ~(uint64_t)(RFLAGS_FIXED | RFLAGS_IOPL), rflags_names);
	text_add(t, "; rax=%016llx rbx=%016llx rcx=%016llx rdx=%016llx", r->rax, r->rbx, r->rcx,
		 r->rdx);
	text_add(t, "; rsi=%016llx rdi=%016llx rbp=%016llx rsp=%016llx", r->rsi, r->rdi, r->rbp,
		 r->rsp);
	text_add(t, "; r8=%016llx r9=%016llx r10=%016llx r11=%016llx", r->r8, r->r9, r->r10,
		 r->r11);
	text_add(t, "; r12=%016llx r13=%016llx r14=%016llx r15=%016llx", r->r12, r->r13, r->r14,
		 r->r15);
	describe_segments(t, &s->sregs);
	describe_control_regs(t, &s->sregs);
	text_add(t, "; dr0=%016llx dr1=%016llx dr2=%016llx dr3=%016llx; dr6=%08llx dr7=%08llx",
		 d->db[0], d->db[1], d->db[2], d->db[3], d->dr6, d->dr7);
	describe_apic_base(t, s->sregs.apic_base);
}

// SPDX-License-Identifier: MIT
/* What a CPU looked like when it ended: registers, the bytes at RIP, its last exits. To stderr. */
#include <stdio.h>
#include <string.h>

#include "machine/insn.h"
#include "machine/internal.h"

#define EFER_LMA (1ull << 10)
#define INSN_MAX 15

static const char *cpu_mode(const struct kvm_sregs *s)
{
	if (!(s->cr0 & 1))
		return "real mode";
	if (s->efer & EFER_LMA)
		return s->cs.l ? "64-bit mode" : "compatibility mode";
	return s->cs.db ? "32-bit protected mode" : "16-bit protected mode";
}

static const char *activity_name(const struct vcpu *v)
{
	static const char *const names[] = {
		[KVM_MP_STATE_RUNNABLE] = "runnable",
		[KVM_MP_STATE_UNINITIALIZED] = "waiting for INIT",
		[KVM_MP_STATE_INIT_RECEIVED] = "waiting for SIPI",
		[KVM_MP_STATE_HALTED] = "halted",
		[KVM_MP_STATE_SIPI_RECEIVED] = "SIPI received",
	};
	uint32_t state;
	int r = 0;

	if (v->user)
		state = user_get_mp_state(v);
	else
		r = kvm_vcpu_get_mp_state(v->fd, &state);
	if (r < 0 || state >= sizeof(names) / sizeof(names[0]))
		return "state unknown";
	return names[state];
}

static void print_segment(const char *name, const struct kvm_segment *s)
{
	fprintf(stderr, "  %s %04x base %016llx limit %08x type %x dpl %u%s%s%s%s\n", name,
		s->selector, s->base, s->limit, s->type, s->dpl, s->present ? " present" : "",
		s->l ? " long" : "", s->db ? " 32" : "", s->g ? " 4K" : "");
}

static void print_regs(const struct kvm_regs *r, const struct kvm_sregs *s)
{
	fprintf(stderr,
		"  rip %016llx  rflags %08llx  %s, cpl %u\n"
		"  rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx\n"
		"  rsi %016llx  rdi %016llx  rbp %016llx  rsp %016llx\n"
		"  r8  %016llx  r9  %016llx  r10 %016llx  r11 %016llx\n"
		"  r12 %016llx  r13 %016llx  r14 %016llx  r15 %016llx\n"
		"  cr0 %08llx  cr2 %016llx  cr3 %016llx  cr4 %08llx  cr8 %llx\n"
		"  efer %llx  apic_base %llx\n",
		r->rip, r->rflags, cpu_mode(s), s->ss.dpl, r->rax, r->rbx, r->rcx, r->rdx, r->rsi,
		r->rdi, r->rbp, r->rsp, r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14,
		r->r15, s->cr0, s->cr2, s->cr3, s->cr4, s->cr8, s->efer, s->apic_base);
	print_segment("cs", &s->cs);
	print_segment("ss", &s->ss);
	print_segment("ds", &s->ds);
	print_segment("tr", &s->tr);
	fprintf(stderr, "  gdt base %016llx limit %04x   idt base %016llx limit %04x\n",
		s->gdt.base, s->gdt.limit, s->idt.base, s->idt.limit);
}

/* Guest memory by guest-physical address, RAM or ROM. */
static bool peek(const struct machine *m, uint64_t gpa, uint8_t *byte)
{
	uint64_t rom = RAM_HIGH_BASE - m->cfg.rom_len;
	const uint8_t *p = ram_ptr(&m->ram, gpa, 1);

	if (!p && gpa >= rom && gpa < RAM_HIGH_BASE)
		p = m->rom + (gpa - rom);
	if (!p)
		return false;
	*byte = *p;
	return true;
}

/* The bytes at CS:RIP, page by page through the guest's own page tables. */
static unsigned bytes_at_rip(struct vcpu *v, const struct kvm_regs *r, const struct kvm_sregs *s,
			     uint8_t *bytes)
{
	uint64_t linear = r->rip + (s->cs.l ? 0 : s->cs.base);
	unsigned n;

	for (n = 0; n < INSN_MAX; n++) {
		uint64_t gpa;

		if (kvm_vcpu_translate(v->fd, linear + n, &gpa) < 0 || !peek(v->m, gpa, &bytes[n]))
			break;
	}
	return n;
}

static void print_insn(struct vcpu *v, const struct kvm_regs *r, const struct kvm_sregs *s)
{
	uint8_t bytes[INSN_MAX];
	unsigned n = bytes_at_rip(v, r, s, bytes);
	const char *name = insn_name(bytes, n, s->cs.l);

	fprintf(stderr, "  bytes at rip:");
	for (unsigned i = 0; i < n; i++)
		fprintf(stderr, " %02x", bytes[i]);
	fprintf(stderr, "%s\n", n ? "" : " not readable");
	if (name)
		fprintf(stderr, "  instruction: %s\n", name);
}

void insn_at_rip(struct vcpu *v, char *buf, size_t size)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	uint8_t bytes[INSN_MAX];
	const char *name;
	unsigned n, at;

	snprintf(buf, size, "an instruction that cannot be read");
	if (kvm_vcpu_get_regs(v->fd, &regs) < 0 || kvm_vcpu_get_sregs(v->fd, &sregs) < 0)
		return;
	n = bytes_at_rip(v, &regs, &sregs, bytes);
	name = insn_name(bytes, n, sregs.cs.l);
	at = (unsigned)snprintf(buf, size, "%s at rip 0x%llx, bytes",
				name ? name : "the instruction", regs.rip);
	for (unsigned i = 0; i < n && at < size; i++)
		at += (unsigned)snprintf(buf + at, size - at, " %02x", bytes[i]);
}

static void print_note(const struct exit_note *e)
{
	fprintf(stderr, "  %s", exit_reason_name(e->reason));
	switch (e->reason) {
	case KVM_EXIT_IO:
	case KVM_EXIT_MMIO:
		fprintf(stderr, " %s 0x%llx/%u = 0x%llx", e->write ? "write" : "read",
			(unsigned long long)e->addr, e->size, (unsigned long long)e->data);
		break;
	case KVM_EXIT_IOAPIC_EOI:
		fprintf(stderr, " vector 0x%02llx", (unsigned long long)e->addr);
		break;
	default:
		break;
	}
	fputc('\n', stderr);
}

/*
 * KVM on SVM answers a shutdown with an INIT before it tells us (shutdown_interception(): the processor leaves the
 * VMCB undefined), so the registers of the fault are gone.
 */
static bool shutdown_was_init(const struct machine *m)
{
	char module[32];

	return m->outcome.kind == OUTCOME_TRIPLE_FAULT && kvm_kind(module) == KVM_KIND_SVM;
}

void crash_report(struct vcpu *v)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	uint64_t n = v->exits < RECENT_EXITS ? v->exits : RECENT_EXITS;

	fprintf(stderr, "cpu %u, APIC ID %u:\n", v->index, v->apic_id);
	if (kvm_vcpu_get_regs(v->fd, &regs) < 0 || kvm_vcpu_get_sregs(v->fd, &sregs) < 0) {
		fprintf(stderr, "  KVM does not give out its registers\n");
		return;
	}
	if (shutdown_was_init(v->m))
		fprintf(stderr,
			"  (after the INIT that KVM on SVM does at a shutdown; the guest's own registers are lost)\n");
	print_regs(&regs, &sregs);
	print_insn(v, &regs, &sregs);
	fprintf(stderr, "  last exits, oldest first (of %llu):\n", (unsigned long long)v->exits);
	for (uint64_t i = v->exits - n + 1; n && i <= v->exits; i++)
		print_note(&v->recent[i % RECENT_EXITS]);
}

#define WHERE_MAX 16

void where_report(struct machine *m)
{
	unsigned plugged = 0;

	if (m->paused)
		fprintf(stderr, "  paused by a control client\n");
	for (unsigned i = 0; i < m->nvcpus; i++) {
		struct vcpu *v = &m->vcpus[i];
		const char *state;
		struct kvm_regs regs;
		struct kvm_sregs sregs;

		if (!v->plugged || ++plugged > WHERE_MAX)
			continue;
		/* First: reading it can act on a pending INIT, which changes the registers. */
		state = activity_name(v);
		if (kvm_vcpu_get_regs(v->fd, &regs) < 0 || kvm_vcpu_get_sregs(v->fd, &sregs) < 0)
			continue;
		fprintf(stderr, "  cpu %u: %s, rip %llx, %s, interrupts %s, %llu exits\n", i, state,
			regs.rip, cpu_mode(&sregs), regs.rflags & 0x200 ? "on" : "off",
			(unsigned long long)v->exits);
	}
	if (plugged > WHERE_MAX)
		fprintf(stderr, "  ... and %u more\n", plugged - WHERE_MAX);
}

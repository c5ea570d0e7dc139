// SPDX-License-Identifier: MIT
/* Registers as text (machine/describe.h). Sections are those of SDM vol. 3A where no other is named. */
#include "test.h"

#include <string.h>

#include "chips/lapic.h"
#include "machine/describe.h"

#define XAPIC  0xfee00800ull
#define X2APIC 0xfee00c00ull

static char buf[16384];
static struct text text;

static struct text *fresh(void)
{
	memset(buf, 0, sizeof(buf));
	text = (struct text){.buf = buf, .size = sizeof(buf)};
	return &text;
}

/* One part, between "; " and "; ", is exactly this. */
static void has_part(const char *part)
{
	for (const char *p = buf; (p = strstr(p, "; ")); p += 2) {
		size_t len = strlen(part);

		if (strncmp(p + 2, part, len) == 0 &&
		    (p[2 + len] == '\0' || strncmp(p + 2 + len, "; ", 2) == 0))
			return;
	}
	fail_msg("no part '%s' in: %s", part, buf);
}

static void put(struct kvm_lapic_state *s, unsigned offset, uint32_t value)
{
	memcpy(s->regs + offset, &value, sizeof(value));
}

static void lapic(uint64_t base, const struct kvm_lapic_state *s)
{
	describe_lapic(fresh(), base, s, 0x123456789a);
}

/* --- text */

static void what_does_not_fit_is_told(void **state)
{
	char small[8];
	struct text t = {.buf = small, .size = sizeof(small)};

	(void)state;
	text_add(&t, "1234567");
	assert_true(t.len < t.size);
	text_add(&t, "8");
	assert_true(t.len >= t.size);
	text_add(&t, "9");
	assert_string_equal(small, "1234567");
}

static void bits_have_names_or_numbers(void **state)
{
	static const char *const names[64] = {[0] = "a", [63] = "z"};

	(void)state;
	text_bits(fresh(), 0, names);
	assert_string_equal(buf, "");
	text_bits(fresh(), 1ull << 63 | 1ull << 40 | 1, names);
	assert_string_equal(buf, " (a bit40 z)");
}

/* --- registers */

/* "System Flags and Fields in the EFLAGS Register": bit 1 is always set, 13:12 are IOPL. */
static void rflags_have_names(void **state)
{
	struct cpu_state s = {.regs.rflags = 0x3246};

	(void)state;
	describe_regs(fresh(), &s);
	has_part("rflags=00003246 iopl=3 (pf zf if)");
	s.regs.rflags = 0x3f7fd5;
	describe_regs(fresh(), &s);
	has_part("rflags=003f7fd5 iopl=3 (cf pf af zf sf tf if df of nt rf vm ac vif vip id)");
}

/* "Modes of Operation". */
static void modes_follow_from_cr0_efer_and_cs(void **state)
{
	struct cpu_state s = {.regs.rip = 0x1000};

	(void)state;
	describe_regs(fresh(), &s);
	has_part("mode=real cpl=0 rip=0000000000001000");
	s.sregs.cr0 = 1;
	describe_regs(fresh(), &s);
	has_part("mode=16-bit cpl=0 rip=0000000000001000");
	s.sregs.cs.db = 1;
	s.sregs.ss.dpl = 3;
	describe_regs(fresh(), &s);
	has_part("mode=32-bit cpl=3 rip=0000000000001000");
	s.regs.rflags = 1 << 17;
	describe_regs(fresh(), &s);
	has_part("mode=virtual-8086 cpl=3 rip=0000000000001000");
	s.regs.rflags = 2;
	s.sregs.efer = 0x500;
	describe_regs(fresh(), &s);
	has_part("mode=compatibility cpl=3 rip=0000000000001000");
	s.sregs.cs.l = 1;
	describe_regs(fresh(), &s);
	has_part("mode=64-bit cpl=3 rip=0000000000001000");
}

static void every_register_is_there(void **state)
{
	struct cpu_state s = {
		.regs = {.rax = 1,
			 .rbx = 2,
			 .rcx = 3,
			 .rdx = 4,
			 .rsi = 5,
			 .rdi = 6,
			 .rsp = 8,
			 .rbp = 7,
			 .r8 = 9,
			 .r9 = 10,
			 .r10 = 11,
			 .r11 = 12,
			 .r12 = 13,
			 .r13 = 14,
			 .r14 = 15,
			 .r15 = 16},
		.sregs = {.cr0 = 0x80000031,
			  .cr2 = 2,
			  .cr3 = 3,
			  .cr4 = 0x620,
			  .cr8 = 8,
			  .efer = 0xd01,
			  .apic_base = 0xfee00d00,
			  .gdt = {.base = 0x1000, .limit = 0x27},
			  .idt = {.base = 0x2000, .limit = 0xfff},
			  .cs = {.selector = 8,
				 .limit = 0xffffffff,
				 .type = 0xb,
				 .s = 1,
				 .present = 1,
				 .l = 1,
				 .g = 1},
			  .tr = {.selector = 0x18,
				 .base = 0x3000,
				 .limit = 0x67,
				 .type = 0xb,
				 .present = 1}},
		.debugregs = {.db = {1, 2, 3, 4}, .dr6 = 0xffff0ff0, .dr7 = 0x400},
	};

	(void)state;
	describe_regs(fresh(), &s);
	has_part("rax=0000000000000001 rbx=0000000000000002 rcx=0000000000000003 "
		 "rdx=0000000000000004");
	has_part("rsi=0000000000000005 rdi=0000000000000006 rbp=0000000000000007 "
		 "rsp=0000000000000008");
	has_part("r8=0000000000000009 r9=000000000000000a r10=000000000000000b "
		 "r11=000000000000000c");
	has_part("r12=000000000000000d r13=000000000000000e r14=000000000000000f "
		 "r15=0000000000000010");
	has_part("cs=0008 base=0000000000000000 limit=ffffffff code type=b dpl=0 present long 4k");
	has_part("ds=0000 base=0000000000000000 limit=00000000 system type=0 dpl=0 not-present");
	has_part("tr=0018 base=0000000000003000 limit=00000067 system type=b dpl=0 present");
	has_part("gdt base=0000000000001000 limit=0027");
	has_part("idt base=0000000000002000 limit=0fff");
	has_part("cr0=80000031 (pe et ne pg)");
	has_part("cr2=0000000000000002 cr3=0000000000000003");
	has_part("cr4=00000620 (pae osfxsr osxmmexcpt)");
	has_part("cr8=8");
	has_part("efer=d01 (sce lme lma nxe)");
	has_part("dr0=0000000000000001 dr1=0000000000000002 dr2=0000000000000003 "
		 "dr3=0000000000000004");
	has_part("dr6=ffff0ff0 dr7=00000400");
	has_part("apic-base=00000000fee00d00 mode=x2apic page=0xfee00000 bsp");
}

/* --- local APIC */

/* "Local APIC Status and Location"; "x2APIC State Transitions": EXTD alone is no mode. */
static void the_mode_is_that_of_the_base(void **state)
{
	static const struct {
		uint64_t base;
		const char *part;
	} cases[] = {
		{0xfee00000, "apic-base=00000000fee00000 mode=disabled page=0xfee00000"},
		{0xfee00900, "apic-base=00000000fee00900 mode=xapic page=0xfee00000 bsp"},
		{0xfee00400, "apic-base=00000000fee00400 mode=disabled page=0xfee00000"},
		{0x1fee01c00, "apic-base=00000001fee01c00 mode=x2apic page=0x1fee01000"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		describe_apic_base(fresh(), cases[i].base);
		has_part(cases[i].part);
	}
}

/* "Logical Destination Mode"; "Logical Destination Mode in x2APIC Mode". */
static void ids_are_wide_in_x2apic_mode(void **state)
{
	struct kvm_lapic_state s = {.regs = {0}};

	(void)state;
	put(&s, 0x20, 0x05000000);
	put(&s, 0xd0, 0x20000000);
	put(&s, 0xe0, 0xffffffff);
	lapic(XAPIC, &s);
	has_part("id=0x5");
	has_part("ldr=0x20000000 logical=0x20");
	has_part("dfr=0xffffffff flat");
	put(&s, 0xe0, 0x0fffffff);
	lapic(XAPIC, &s);
	has_part("dfr=0x0fffffff cluster");
	put(&s, 0xe0, 0x1fffffff);
	lapic(XAPIC, &s);
	has_part("dfr=0x1fffffff reserved");
	put(&s, 0x20, 0x12345);
	put(&s, 0xd0, 0x12340020);
	lapic(X2APIC, &s);
	has_part("id=0x12345");
	has_part("ldr=0x12340020 cluster=0x1234 member=0x20");
	has_part("dfr=none");
}

/* "Interrupt Acceptance for Fixed Interrupts": 256 bits, eight registers 16 bytes apart. */
static void vectors_are_listed(void **state)
{
	struct kvm_lapic_state s = {.regs = {0}};

	(void)state;
	put(&s, 0x110, 1);
	put(&s, 0x170, 1u << 31);
	put(&s, 0x180, 1u << 16);
	put(&s, 0x270, 1u << 30);
	lapic(XAPIC, &s);
	has_part("isr=0x20,0xff");
	has_part("tmr=0x10");
	has_part("irr=0xfe");
	lapic(XAPIC, &(struct kvm_lapic_state){.regs = {0}});
	has_part("isr=none");
	memset(s.regs + 0x100, 0xff, 0x180);
	lapic(XAPIC, &s);
	assert_true(text.len < text.size);
}

/* "Interrupt Command Register (ICR)". */
static void the_icr_is_decoded(void **state)
{
	struct kvm_lapic_state s = {.regs = {0}};

	(void)state;
	put(&s, 0x300, 0x000c48fd);
	put(&s, 0x310, 0x01000000);
	lapic(XAPIC, &s);
	has_part("icr=01000000:000c48fd vector=0xfd fixed logical dest=0x1 shorthand=others edge "
		 "assert idle");
	lapic(X2APIC, &s);
	has_part("icr=01000000:000c48fd vector=0xfd fixed logical dest=0x1000000 shorthand=others "
		 "edge assert idle");
	put(&s, 0x300, 0x00009500);
	lapic(XAPIC, &s);
	has_part("icr=01000000:00009500 vector=0x00 init physical dest=0x1 shorthand=none level "
		 "de-assert pending");
}

/* "Local Vector Table": the fields of each entry; the version says how many there are. */
static void lvt_entries_have_their_own_fields(void **state)
{
	struct kvm_lapic_state s = {.regs = {0}};

	(void)state;
	put(&s, 0x30, 0x01060014);
	put(&s, 0x320, 0x000400ef);
	put(&s, 0x330, 0x000102fa);
	put(&s, 0x340, 0x00000400);
	put(&s, 0x350, 0x0001e700);
	put(&s, 0x360, 0x00000400);
	put(&s, 0x370, 0x000010fe);
	put(&s, 0x2f0, 0x00010000);
	lapic(XAPIC, &s);
	has_part("version=0x14 lvts=7 eoi-suppression");
	has_part("lvt-timer=0x400ef vector=0xef tsc-deadline unmasked idle");
	has_part("lvt-thermal=0x102fa vector=0xfa smi masked idle");
	has_part("lvt-pmc=0x00400 vector=0x00 nmi unmasked idle");
	has_part("lvt-lint0=0x1e700 vector=0x00 extint level low remote-irr masked idle");
	has_part("lvt-lint1=0x00400 vector=0x00 nmi edge high unmasked idle");
	has_part("lvt-error=0x010fe vector=0xfe unmasked pending");
	has_part("lvt-cmci=0x10000 vector=0x00 fixed masked idle");
	has_part("tsc-deadline=0x123456789a");
	put(&s, 0x30, 0x00050014);
	lapic(XAPIC, &s);
	has_part("version=0x14 lvts=6");
	assert_null(strstr(buf, "cmci"));
}

/* "Divide Configuration Register". */
static void the_divider_is_decoded(void **state)
{
	static const struct {
		unsigned code;
		const char *part;
	} cases[] = {
		{0x0, "timer=one-shot initial=0x64 current=0x32 divide=0x0 by=2"},
		{0x3, "timer=one-shot initial=0x64 current=0x32 divide=0x3 by=16"},
		{0x8, "timer=one-shot initial=0x64 current=0x32 divide=0x8 by=32"},
		{0xa, "timer=one-shot initial=0x64 current=0x32 divide=0xa by=128"},
		{0xb, "timer=one-shot initial=0x64 current=0x32 divide=0xb by=1"},
	};
	struct kvm_lapic_state s = {.regs = {0}};

	(void)state;
	put(&s, 0x380, 100);
	put(&s, 0x390, 50);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(&s, 0x3e0, cases[i].code);
		lapic(XAPIC, &s);
		has_part(cases[i].part);
	}
}

/* "Spurious Interrupt", "Error Handling", "Task and Processor Priorities". */
static void svr_esr_and_priorities_are_decoded(void **state)
{
	struct kvm_lapic_state s = {.regs = {0}};

	(void)state;
	put(&s, 0x80, 0x20);
	put(&s, 0x90, 0x30);
	put(&s, 0xa0, 0x40);
	put(&s, 0xf0, 0x11ff);
	put(&s, 0x280, 0xe4);
	lapic(XAPIC, &s);
	has_part("tpr=0x20 apr=0x30 ppr=0x40");
	has_part("svr=0x11ff vector=0xff enabled eoi-suppressed");
	has_part("esr=0xe4 (send-accept send-illegal-vector received-illegal-vector "
		 "illegal-register)");
	put(&s, 0xf0, 0xff);
	lapic(XAPIC, &s);
	has_part("svr=0x0ff vector=0xff software-disabled");
}

/* Our own LAPIC, in KVM's layout: "Local APIC State After Power-Up or Reset". */
static void a_lapic_after_reset(void **state)
{
	const struct lapic_config cfg = {.id = 3, .x2apic = true};
	const struct lapic_time now = {.ns = 0};
	struct kvm_lapic_state s;
	struct lapic l;

	(void)state;
	lapic_init(&l, &cfg);
	lapic_get_state(&l, now, true, &s);
	lapic(l.base, &s);
	has_part("id=0x3");
	has_part("dfr=0xffffffff flat");
	has_part("svr=0x0ff vector=0xff software-disabled");
	has_part("lvt-lint0=0x10000 vector=0x00 fixed edge high masked idle");
	has_part("lvt-cmci=0x10000 vector=0x00 fixed masked idle");
}

/* --- I/O APIC */

/* 82093AA data sheet, 3.2.4. */
static void redirection_entries_are_decoded(void **state)
{
	uint64_t redir[IOAPIC_PINS];

	(void)state;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		redir[pin] = 0x10000;
	redir[2] = 0x3000000000001234;
	redir[23] = 0xff0000000000e931;
	describe_ioapic(fresh(), redir, 1u << 23);
	has_part("pin=0 entry=0000000000010000 vector=0x00 fixed physical dest=0x00 edge high "
		 "masked idle");
	has_part("pin=2 entry=3000000000001234 vector=0x34 smi physical dest=0x30 edge high "
		 "unmasked pending");
	has_part("pin=23 entry=ff0000000000e931 vector=0x31 lowest logical dest=0xff level low "
		 "unmasked idle remote-irr asserted");
	assert_null(strstr(buf, "pin=24"));
}

TEST_MAIN(cmocka_unit_test(what_does_not_fit_is_told), cmocka_unit_test(bits_have_names_or_numbers),
	  cmocka_unit_test(rflags_have_names), cmocka_unit_test(modes_follow_from_cr0_efer_and_cs),
	  cmocka_unit_test(every_register_is_there), cmocka_unit_test(the_mode_is_that_of_the_base),
	  cmocka_unit_test(ids_are_wide_in_x2apic_mode), cmocka_unit_test(vectors_are_listed),
	  cmocka_unit_test(the_icr_is_decoded), cmocka_unit_test(lvt_entries_have_their_own_fields),
	  cmocka_unit_test(the_divider_is_decoded),
	  cmocka_unit_test(svr_esr_and_priorities_are_decoded),
	  cmocka_unit_test(a_lapic_after_reset), cmocka_unit_test(redirection_entries_are_decoded))

// SPDX-License-Identifier: MIT
/*
 * guest/lapic: what comes from outside. The 8259's INTR at LINT0 (SDM Vol. 3A 10.5.1; MP specification 1.4,
 * 3.6.2.2), and the I/O APIC's level interrupts with EOI, broadcast or directed (10.8.5).
 * Nothing drives LINT1, and INIT at LINT0 would end the exam: of these, only the registers are looked at.
 */
#include "lib/board.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/ioapic.h"
#include "lib/lapic_exam.h"
#include "lib/pic.h"
#include "lib/report.h"
#include "lib/smp.h"

#define IRQ	 5 /* no device of the machine is on it */
#define VEC_PIC	 0x20
#define VEC_LINT 0x66
#define VEC_PIN	 0x62
#define PIN	 20

/* --- LINT0 */

static bool pic_in_lapic;

static void on_pic(struct regs *r)
{
	if (apic_mode() != APIC_MODE_DISABLED)
		pic_in_lapic |= apic_bit(APIC_ISR, (unsigned)r->vector) ||
				apic_bit(APIC_IRR, (unsigned)r->vector);
	pic_eoi(IRQ);
}

/* INTR low, LINT0 as told, INTR high. */
static void raise_intr(uint32_t lint0)
{
	line_set(IRQ, false);
	for (unsigned irq = 0; irq < 16; irq++)
		pic_eoi(irq);
	pic_init(VEC_PIC, VEC_PIC + 8);
	exam_clean();
	pic_in_lapic = false;
	apic_write(APIC_LVT0, lint0);
	pic_mask((uint16_t) ~(1u << IRQ));
	line_set(IRQ, true);
}

static void lower_intr(void)
{
	pic_mask(0xffff);
	line_set(IRQ, false);
}

static bool pic_took(uint32_t n)
{
	return took(0, VEC_PIC + IRQ, n);
}

static void examine_extint(void)
{
	raise_intr(DM_EXTINT);
	exam(pic_took(1) && !pic_in_lapic, KNOWN_NONE,
	     "LINT0 ExtINT: the 8259's vector, without IRR, ISR and EOI");
	raise_intr(DM_EXTINT | LVT_MASKED);
	exam(pic_took(0), KNOWN_NONE, "LINT0 ExtINT masked: nothing");
	apic_write(APIC_LVT0, DM_EXTINT);
	exam(pic_took(1), KNOWN_LINT0_AGAIN, "LINT0 ExtINT unmasked: what was held comes");
	raise_intr(LVT_MASKED);
	lower_intr();
	write_cr8(15);
	apic_write(APIC_LVT0, DM_EXTINT);
	pic_mask((uint16_t) ~(1u << IRQ));
	line_set(IRQ, true);
	exam(pic_took(1), KNOWN_NONE, "LINT0 ExtINT is not held by TPR");
	write_cr8(0);
	raise_intr(LVT_MASKED);
	lower_intr();
	apic_write(APIC_LVT0, DM_EXTINT);
	apic_write(APIC_SVR, VEC_SPURIOUS);
	pic_mask((uint16_t) ~(1u << IRQ));
	line_set(IRQ, true);
	exam(pic_took(0), KNOWN_NONE, "LINT0 ExtINT of a software-disabled APIC: nothing");
	lower_intr();
}

/* 10.4.3: without its APIC the CPU has INTR again. */
static void examine_globally_disabled(void)
{
	enum apic_mode mode = this_cpu()->apic->mode;
	bool ok;

	raise_intr(LVT_MASKED);
	lower_intr();
	apic_mode_set(APIC_MODE_DISABLED);
	pic_mask((uint16_t) ~(1u << IRQ));
	line_set(IRQ, true);
	ok = pic_took(1);
	lower_intr();
	apic_mode_set(mode);
	exam(ok, KNOWN_NONE, "a globally disabled APIC leaves INTR to the CPU");
}

static struct {
	bool isr, tmr, remote;
} lint;

static void hook_lint(unsigned vector)
{
	lint.isr = apic_bit(APIC_ISR, vector);
	lint.tmr = apic_bit(APIC_TMR, vector);
	lint.remote = apic_read(APIC_LVT0) & LVT_REMOTE_IRR;
	if (irq_total(vector) == 2)
		lower_intr();
}

static void examine_fixed(void)
{
	raise_intr(DM_FIXED | VEC_LINT);
	exam_hook(0, hook_lint);
	exam(exam_comes(VEC_LINT, 1) && exam_took(VEC_LINT, 1) && lint.isr && !lint.tmr &&
		     !lint.remote,
	     KNOWN_LINT0, "LINT0 fixed, edge: its own vector, once, though INTR stays high");
	lower_intr();
	lint.remote = lint.tmr = false;
	raise_intr(DM_FIXED | DM_LEVEL | LVT_MASKED | VEC_LINT);
	exam_hook(0, hook_lint);
	exam(exam_took(VEC_LINT, 0), KNOWN_NONE, "LINT0 fixed, masked: nothing");
	apic_write(APIC_LVT0, DM_FIXED | DM_LEVEL | VEC_LINT);
	exam(exam_comes(VEC_LINT, 2) && exam_took(VEC_LINT, 2), KNOWN_LINT0,
	     "LINT0 fixed, level: again after EOI while INTR is high");
	exam(lint.remote && lint.tmr, KNOWN_LINT0,
	     "LINT0 fixed, level: remote IRR and TMR are set");
	exam(!(apic_read(APIC_LVT0) & LVT_REMOTE_IRR), KNOWN_NONE,
	     "LINT0 fixed, level: remote IRR is cleared by EOI");
	lower_intr();
	raise_intr(DM_NMI);
	exam(exam_comes(EXC_NMI, 1) && took(0, EXC_NMI, 1), KNOWN_LINT0, "LINT0 NMI: one NMI");
	lower_intr();
}

void exam_lint(void)
{
	if (!line_set(IRQ, false)) {
		report_skip("no test device", "%s: LINT0", apic_mode_name());
		return;
	}
	irq_install(VEC_PIC + IRQ, on_pic);
	ioapic_mask_all();
	examine_extint();
	examine_globally_disabled();
	examine_fixed();
	exam_clean();
}

/* --- levels from the I/O APIC */

static struct {
	bool tmr, remote_in, remote_after;
} pin;

static void hook_pin(unsigned vector)
{
	pin.tmr = apic_bit(APIC_TMR, vector);
	pin.remote_in = ioapic_redir(PIN) & REDIR_REMOTE_IRR;
	line_set(PIN, false);
}

static bool remote_irr(void)
{
	return ioapic_redir(PIN) & REDIR_REMOTE_IRR;
}

static bool level_once(void)
{
	exam_hook(0, hook_pin);
	line_set(PIN, true);
	return exam_took(VEC_PIN, 1);
}

static bool wait_remote_clear(void)
{
	return WAIT_FOR(!remote_irr(), EXPECT_USEC);
}

static void examine_suppression(void)
{
	bool once, kept;

	if (!(apic_read(APIC_VERSION) & VERSION_NO_BROADCAST)) {
		report_skip("the version register says there is none",
			    "%s: suppression of EOI broadcasts", apic_mode_name());
		return;
	}
	exam_clean();
	apic_write(APIC_SVR, SVR_ENABLE | SVR_NO_EOI_BROADCAST | VEC_SPURIOUS);
	once = level_once();
	kept = remote_irr();
	exam(once && kept, KNOWN_E02, "SVR bit 12: EOI of a level interrupt leaves remote IRR set");
	ioapic_eoi(VEC_PIN);
	exam(wait_remote_clear(), KNOWN_NONE, "and the I/O APIC's EOI register clears it");
}

/* Where nothing stays in service the line is still high at the EOI: one or two are right then. */
static bool level_came(void)
{
	exam_hook(0, hook_pin);
	line_set(PIN, true);
	OPEN_FOR(irq_total(VEC_PIN), EXPECT_USEC);
	settle();
	return irq_total(VEC_PIN) >= 1 && irq_total(VEC_PIN) <= (lapic_in_service() ? 1 : 2);
}

void exam_levels(void)
{
	if (!line_set(PIN, false) || cpus[0].apic_id >= XAPIC_BROADCAST) {
		report_skip("no test device, or an ID that an I/O APIC cannot name",
			    "%s: level interrupts", apic_mode_name());
		return;
	}
	exam_clean();
	ioapic_set(PIN, VEC_PIN | REDIR_LEVEL | REDIR_DEST(cpus[0].apic_id));
	exam(level_came() && wait_remote_clear(), KNOWN_NONE,
	     "a level interrupt comes, and its EOI clears the I/O APIC's remote IRR");
	exam(pin.tmr, KNOWN_NONE, "TMR is set by a level interrupt");
	exam(pin.remote_in, exam_needs_isr(KNOWN_NONE), "remote IRR is set until EOI");
	exam_clean();
	exam_self(VEC_PIN);
	exam(!apic_bit(APIC_TMR, VEC_PIN) && exam_took(VEC_PIN, 1), KNOWN_NONE,
	     "TMR is cleared by an edge of the same vector");
	examine_suppression();
	ioapic_set(PIN, REDIR_MASKED);
	exam_clean();
}

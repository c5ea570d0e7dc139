// SPDX-License-Identifier: MIT
/* guest/lapic: ESR and the error interrupt. SDM Vol. 3A 10.5.2 (legal vectors), 10.5.3 (error handling). */
#include "lib/board.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/ioapic.h"
#include "lib/lapic_exam.h"
#include "lib/report.h"
#include "lib/smp.h"

#define VEC	  0x67
#define ILLEGAL	  5
#define PIN	  20
#define TICKS	  1000
#define FIRE_USEC 5000

static bool x2apic(void)
{
	return this_cpu()->apic->mode == APIC_MODE_X2APIC;
}

static void send_illegal(void)
{
	apic_icr(DM_FIXED | ICR_ASSERT | ILLEGAL, exam_nobody());
}

static bool esr_is(uint32_t want)
{
	uint32_t esr = apic_esr() & ~(1u << 2); /* send accept: only some models have it */

	if (esr != want)
		printf("# ESR 0x%x, expected 0x%x\n", esr, want);
	return esr == want;
}

/* A write shows what has happened since the last one. */
static void examine_latch(void)
{
	uint32_t before, shown, still, gone;

	exam_clean();
	send_illegal();
	before = apic_read(APIC_ESR);
	shown = apic_esr();
	still = apic_read(APIC_ESR);
	gone = apic_esr();
	exam(before == 0 && shown & ESR_SEND_ILLEGAL && still == shown && gone == 0, KNOWN_D07,
	     "ESR: a write shows the errors since the last write (0x%x, 0x%x, 0x%x, 0x%x)", before,
	     shown, still, gone);
}

static void examine_sending(void)
{
	exam_clean();
	for (unsigned v = 0; v < 16; v++)
		apic_icr(DM_FIXED | ICR_ASSERT | v, exam_nobody());
	exam(esr_is(ESR_SEND_ILLEGAL), KNOWN_D07, "ESR: vectors 0 to 15 are illegal to send");
	apic_icr(DM_FIXED | ICR_ASSERT | 16, exam_nobody());
	apic_icr(DM_NMI | ICR_ASSERT | ILLEGAL, exam_nobody());
	exam(esr_is(0), KNOWN_NONE, "ESR: vector 16 is legal, and so is any in an NMI");
	exam_self(ILLEGAL);
	exam(esr_is(ESR_SEND_ILLEGAL | ESR_RECV_ILLEGAL), KNOWN_D07,
	     "ESR: sent to itself, an illegal vector is also received");
	if (!x2apic())
		return;
	apic_write(APIC_SELF_IPI, ILLEGAL);
	exam(esr_is(ESR_SEND_ILLEGAL | ESR_RECV_ILLEGAL), KNOWN_D07,
	     "ESR: the same by the self-IPI register");
}

static uint32_t other_esr;

static void read_esr(void *arg)
{
	(void)arg;
	other_esr = apic_esr();
}

static void examine_receiving(void)
{
	if (ncpus < 2 || !cpu_up(1)) {
		report_skip("one CPU", "%s: ESR of a receiver", apic_mode_name());
	} else {
		smp_run(1, read_esr, NULL, EXPECT_USEC);
		apic_icr(DM_FIXED | ICR_ASSERT | ILLEGAL, cpus[1].apic_id);
		exam(smp_run(1, read_esr, NULL, EXPECT_USEC) && other_esr == ESR_RECV_ILLEGAL,
		     KNOWN_D07, "ESR: another CPU receives an illegal vector");
		exam(esr_is(ESR_SEND_ILLEGAL), KNOWN_D07, "ESR: its sender only sends it");
	}
	if (line_set(PIN, false) && cpus[0].apic_id < XAPIC_BROADCAST) {
		ioapic_set(PIN, ILLEGAL | REDIR_DEST(cpus[0].apic_id));
		line_set(PIN, true);
		line_set(PIN, false);
		ioapic_set(PIN, REDIR_MASKED);
		exam(esr_is(ESR_RECV_ILLEGAL), KNOWN_D07,
		     "ESR: an illegal vector from the I/O APIC");
	}
}

/* "May" be an error when it is written; it is one when the interrupt comes. */
static void examine_lvt_vector(void)
{
	exam_clean();
	apic_timer_oneshot(ILLEGAL, TICKS);
	udelay(FIRE_USEC);
	exam(esr_is(ESR_RECV_ILLEGAL), KNOWN_D07, "ESR: an illegal vector in the LVT timer");
	apic_timer_stop();
	apic_esr();
	exam(!(apic_read(APIC_IRR) & 0xffff), KNOWN_D07, "IRR never has bits 0 to 15");
}

static void examine_addresses(void)
{
	static const unsigned reserved[] = {0x000, 0x010, 0x040, 0x070, 0x290, 0x2e0,
					    0x3a0, 0x3d0, 0x3f0, 0x400, 0xff0};
	bool reads = true, writes = true;

	exam_clean();
	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++) {
		apic_read(reserved[i]);
		reads &= apic_esr() == ESR_ILLEGAL_REG;
		apic_write(reserved[i], 0);
		writes &= apic_esr() == ESR_ILLEGAL_REG;
	}
	exam(reads, KNOWN_D07, "ESR: reading a reserved address is an error");
	exam(writes, KNOWN_D07, "ESR: writing a reserved address is an error");
	apic_read(APIC_VERSION);
	apic_write(APIC_TPR, 0);
	exam(esr_is(0), KNOWN_NONE, "ESR: accesses to registers are none");
}

static void examine_interrupt(void)
{
	exam_clean();
	apic_write(APIC_LVT_ERROR, VEC);
	send_illegal();
	exam(exam_comes(VEC, 1) && exam_took(VEC, 1), KNOWN_D07,
	     "the first error raises the LVT error interrupt");
	send_illegal();
	exam(took(0, VEC, irq_total(VEC) ? 1 : 0), KNOWN_NONE,
	     "a second one does not, while ESR is not written");
	apic_esr();
	send_illegal();
	exam(exam_comes(VEC, 2) && exam_took(VEC, 2), KNOWN_D07,
	     "after a write of ESR an error raises it again");
	apic_write(APIC_LVT_ERROR, LVT_MASKED | VEC);
	apic_esr();
	irq_clear();
	send_illegal();
	apic_write(APIC_LVT_ERROR, VEC);
	exam(took(0, VEC, 0), KNOWN_NONE, "masked, it is not raised, then or later");
}

void exam_errors(void)
{
	examine_latch();
	examine_sending();
	examine_receiving();
	examine_lvt_vector();
	if (!x2apic())
		examine_addresses();
	examine_interrupt();
	exam_clean();
}

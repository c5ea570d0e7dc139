// SPDX-License-Identifier: MIT
/*
 * lapic: is every register of the local APIC as the manual has it, in xAPIC and in x2APIC mode? SDM Vol. 3A,
 * chapter 10; the parts, lib/lapic_exam_*.c, name its sections. What KVM's own local APIC is known to fail
 * is said ("known: ..."), with the reason; every other APIC has to pass in full.
 */
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/ioapic.h"
#include "lib/lapic_exam.h"
#include "lib/pic.h"
#include "lib/report.h"
#include "lib/smp.h"

const char guest_name[] = "lapic";

static void (*const parts[])(void) = {
	exam_registers, exam_icr,  exam_priorities, exam_task_priority, exam_disabled, exam_timer,
	exam_deadline,	exam_lint, exam_levels,	    exam_init,		exam_errors,
};

static void test_mode(enum apic_mode mode)
{
	if (!all_to_mode(mode)) {
		report(false, "every CPU goes to mode %d", mode);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i]();
	exam(irq_total(VEC_SPURIOUS) == 0, KNOWN_NONE, "no spurious interrupt came");
}

void guest_main(void)
{
	exam_found();
	exam_listen();
	ioapic_mask_all();
	pic_mask(0xffff);
	smp_start();
	lapic_in_service();
	if (apic_mode() == APIC_MODE_X2APIC)
		report_skip("there are APIC IDs above 254", "xAPIC mode");
	else
		test_mode(APIC_MODE_XAPIC);
	if (x2apic_supported())
		test_mode(APIC_MODE_X2APIC);
	else
		report_skip("CPUID says there is no x2APIC", "x2APIC mode");
	exam_list_known();
}

// SPDX-License-Identifier: MIT
/*
 * guest/lapic: what INIT leaves of a local APIC (SDM Vol. 3A 10.4.7.3; 10.12.5.1 for x2APIC). Another CPU
 * fills its registers, serves an interrupt with a second one pending, software-disables its APIC, and is
 * sent INIT and SIPI.
 */
#include "lib/ap_probe.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/lapic_exam.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define INIT_USEC 10000
#define SVC_VEC	  0x71 /* stays in service */
#define PEND_VEC  0x43 /* stays pending */

static uint32_t busy;

static void hook_busy(unsigned vector)
{
	if (vector != SVC_VEC)
		return;
	apic_write(APIC_SVR, 0xef);
	__atomic_store_n(&busy, 1, __ATOMIC_RELEASE);
	for (;;)
		cpu_relax();
}

static void fill(void *arg)
{
	(void)arg;
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | LVT_MASKED | 0x44);
	apic_write(APIC_LVT0, DM_NMI);
	apic_write(APIC_LVT1, DM_EXTINT);
	apic_write(APIC_LVT_ERROR, 0x45);
	apic_write(APIC_TIMER_DIV, 0xa);
	apic_write(APIC_TIMER_INIT, 0x12345678);
	if (this_cpu()->apic->mode == APIC_MODE_XAPIC)
		apic_logical(0x42, DFR_CLUSTER);
	exam_self(SVC_VEC);
	exam_self(PEND_VEC);
	apic_write(APIC_TPR, 0x20);
	OPEN_FOR(false, EXPECT_USEC);
}

void exam_init(void)
{
	bool came;

	if (ncpus < 2 || !cpu_up(1)) {
		report_skip("one CPU", "%s: INIT", apic_mode_name());
		return;
	}
	exam_clean();
	ap_probe_load(1, this_cpu()->apic->mode);
	busy = 0;
	exam_hook(1, hook_busy);
	smp_post(1, fill, NULL);
	came = WAIT_FOR(__atomic_load_n(&busy, __ATOMIC_ACQUIRE), EXPECT_USEC);
	ipi_init(1);
	udelay(INIT_USEC);
	exam_hook(1, NULL);
	came &= ap_probe_run(1);
	if (exam(came, KNOWN_NONE, "INIT and SIPI are accepted by a software-disabled APIC"))
		exam(ap_probe_lapic_wrong() == 0, KNOWN_NONE,
		     "INIT: the registers of CPU 1 have their reset values");
	exam(smp_start_one(1), KNOWN_NONE, "INIT: CPU 1 comes up again");
	exam_clean();
}

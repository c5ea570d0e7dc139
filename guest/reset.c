// SPDX-License-Identifier: MIT
/*
 * reset: does the machine come back, with what had to survive and without what had to go? One run is many
 * lives, which know by bytes in CMOS RAM where they are. In the boot arguments:
 *
 *   how=WAY   hard, soft, kbc, port92, triple, init; or all (default). From each state of the boot CPU's APIC:
 *             xAPIC, x2APIC, disabled, software-disabled. triple needs sipi --on-triple-fault reset.
 *   keep      sipi was given --keep-ram
 *   rounds=N  N resets as fast as they go, with little looked at; with `cpus` the others are started in each
 *   how=warm  the shutdown byte and the vector at 0x467
 *
 * SDM Vol. 3A table 9-1, 10.4.7 (APIC after RESET and INIT), 8.4.2 (APs wait for SIPI).
 */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/report.h"
#include "lib/reset_exam.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define CHECK_USEC 5000000

const char guest_name[] = "reset";

static struct will will;

static _Noreturn void no_reset(const char *how)
{
	report(false, "reset by %s", how);
	report_summary();
}

static void last_report(void)
{
	struct books b = books_end();

	report(b.failed == 0, "resets %u, checks %u, failed %u", b.resets, b.checks, b.failed);
}

/* A handler that a life over the same RAM left would hide what must not arrive. */
static void forget_handlers(void)
{
	for (unsigned v = 0x20; v < VEC_TIMEOUT; v++)
		irq_install(v, NULL);
	irq_install(EXC_NMI, NULL);
}

/* --- rounds: little else than the reset */

/* After an INIT of the boot CPU alone, the others are in the mode that they were in. */
static void start_others(enum way way)
{
	unsigned up = smp_start();

	check(up == ncpus, "%u CPUs came up, %u did", ncpus, up);
	for (unsigned i = 1; i < ncpus; i++)
		check(!cpu_up(i) || way == WAY_INIT || cpus[i].found_mode == APIC_MODE_XAPIC,
		      "CPU %u comes up in xAPIC mode", i);
}

static void rounds(enum way way, unsigned n)
{
	bool first = books_open();

	if (!first && way != WAY_INIT)
		check(apic_mode() == APIC_MODE_XAPIC && !image_kept(), "xAPIC mode, a new image");
	check(rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP, "the BSP flag is set");
	if (arg_flag("cpus"))
		start_others(way);
	if (books_step() == n) {
		last_report();
		return;
	}
	books_next(books_step() + 1);
	image_mark();
	apic_mode_set(APIC_MODE_X2APIC);
	way_ask(way);
	no_reset(way_name(way));
}

/* --- everything, in one way after the other */

static void check_one(void *unused)
{
	(void)unused;
	cpu_check(&will);
}

static void check_others(void)
{
	start_others(will.way);
	for (unsigned i = 1; i < ncpus; i++)
		if (cpu_up(i) && will.way != WAY_INIT)
			check(smp_run(i, check_one, NULL, CHECK_USEC), "CPU %u was looked at", i);
}

static struct will will_of(unsigned step)
{
	return (struct will){
		.way = (enum way)(step / WILL_STATES),
		.state = (enum will_state)(step % WILL_STATES),
		.by_ap = step / WILL_STATES != WAY_INIT && step % 2,
		.turn = step / 2 + step / WILL_STATES,
	};
}

static const char *cannot(const struct will *w)
{
	if (w->state == IN_X2APIC && !x2apic_supported())
		return "no x2APIC";
	return w->way == WAY_INIT && w->state == IN_DISABLED ? "a disabled APIC takes no INIT"
							     : NULL;
}

static void check_life(unsigned step)
{
	will = will_of(step);
	cpu_check(&will);
	ram_check(will.way, arg_flag("keep"));
	chips_check(will.way);
	will_check_quiet();
	if (ncpus > 1 && books_sipi_alone())
		check(sipi_starts(false), "CPU 1 waits for a SIPI");
	check_others();
	report(checks_failed == 0, "%s, from %s%s: %u checks", way_name(will.way),
	       will_state_name(will.state), will_by_ap(&will) ? ", asked for by another CPU" : "",
	       checks);
}

static void exam(unsigned first, unsigned end)
{
	unsigned step = first;

	if (books_open()) {
		ram_check(WAY_HARD, false);
		books_note(ncpus > 1 && sipi_starts(true));
		start_others(WAY_HARD);
	} else {
		step = books_step();
		check_life(step++);
	}
	for (; step < end; step++) {
		will = will_of(step);
		if (!cannot(&will))
			break;
		report_skip(cannot(&will), "%s, from %s", way_name(will.way),
			    will_state_name(will.state));
	}
	if (step == end) {
		last_report();
		return;
	}
	books_next(step);
	will_carry_out(&will);
	no_reset(way_name(will.way));
}

/* --- the shutdown byte */

static void warm(void)
{
	unsigned step = 0;

	if (!books_open()) {
		step = books_step();
		warm_check(step, arg_flag("keep"));
		report(checks_failed == 0, "%s", warm_name(step));
		step++;
	}
	if (step == WARM_STEPS) {
		last_report();
		return;
	}
	books_next(step);
	warm_carry_out(step);
	no_reset(warm_name(step));
}

static unsigned chosen(void)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (arg_is("how", way_name((enum way)i)))
			return i;
	if (arg_flag("how") && !arg_is("how", "all"))
		panic("bootargs: how is all, warm, hard, soft, kbc, port92, triple or init");
	return WAYS;
}

void guest_main(void)
{
	unsigned way;

	forget_handlers();
	if (arg_is("how", "warm")) {
		warm();
		return;
	}
	way = chosen();
	if (arg_flag("rounds"))
		rounds(way == WAYS ? WAY_HARD : (enum way)way, (unsigned)arg_u64("rounds", 1));
	else if (way == WAYS)
		exam(0, WAYS * WILL_STATES);
	else
		exam(way * WILL_STATES, (way + 1) * WILL_STATES);
}

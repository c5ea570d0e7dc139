// SPDX-License-Identifier: MIT
/*
 * bench: how long do INIT and SIPI, an IPI and an EOI take? Each line "measured: WHAT: N ns" is one
 * row for tools/bench/bench.pl. Boot arguments: `ap` or `ipi` for one half of it.
 * SDM Vol. 3A 8.4.4.1 (INIT-SIPI), 10.6 (IPIs), 10.8.5 (EOI).
 */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define ROUNDS	   200
#define LIMIT_USEC 5000000
#define INIT_USEC  10000 /* what the protocol asks for between INIT and SIPI */

#define VEC_PING 0x50
#define VEC_PONG 0x51
#define VEC_SELF 0x52

const char guest_name[] = "bench";

/* Valid below 2^64 / 10^6 cycles, which is an hour. */
static void measured(const char *apic, const char *what, uint64_t cycles, unsigned times)
{
	printf("measured: %s%s%s: %lu ns\n", apic, *apic ? " " : "", what,
	       cycles * 1000000 / (tsc_hz / 1000) / times);
}

/* --- CPUs: started once by the library, then again with only the messages in what is timed */

static uint64_t send_inits(unsigned from, unsigned to)
{
	uint64_t start = rdtsc(), took;

	for (unsigned i = from; i < to; i++) {
		smp_went_down(i);
		ipi_init(i);
	}
	took = rdtsc() - start;
	udelay(INIT_USEC);
	return took;
}

/* One SIPI each: the second is for CPUs that missed the first, and would only cloud the result. */
static uint64_t send_sipis(unsigned from, unsigned to, bool *up)
{
	uint64_t start = rdtsc();

	for (unsigned i = from; i < to; i++)
		ipi_sipi(i, TRAMPOLINE >> 12);
	for (unsigned i = from; i < to; i++)
		*up &= WAIT_FOR(cpu_up(i), LIMIT_USEC);
	return rdtsc() - start;
}

static void bench_aps(void)
{
	uint64_t start = rdtsc(), took, inits, sipis = 0;
	bool up = smp_start() == ncpus;
	unsigned aps = ncpus - 1;

	took = rdtsc() - start;
	if (!report(up, "%u APs came up", aps))
		return;
	measured("", "first start of all APs, 10.4 ms of it prescribed waits", took, 1);
	inits = send_inits(1, ncpus);
	took = send_sipis(1, ncpus, &up);
	measured("", "INIT of a running AP, until it is sent", inits, aps);
	measured("", "SIPI until the AP is up in C, all APs at once, each", took, aps);
	for (unsigned i = 1; i < ncpus; i++) {
		send_inits(i, i + 1);
		sipis += send_sipis(i, i + 1, &up);
	}
	measured("", "SIPI until the AP is up in C, one AP at a time", sipis, aps);
	report(up, "%u APs came up again after INIT, twice", aps);
}

/* --- IPIs between CPU 0 and CPU 1, which are both halted or both spin */

static uint32_t pongs, selfs, stop_spinning;
static uint64_t eoi_cycles;

static uint32_t load(uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void on_ping(struct regs *r)
{
	(void)r;
	apic_eoi();
	ipi(0, VEC_PONG);
}

static void on_pong(struct regs *r)
{
	(void)r;
	apic_eoi();
	__atomic_fetch_add(&pongs, 1, __ATOMIC_RELEASE);
}

static void on_self(struct regs *r)
{
	uint64_t start = rdtsc();

	(void)r;
	apic_eoi();
	eoi_cycles += rdtsc() - start;
	selfs++;
}

static void spin(void *arg)
{
	(void)arg;
	sti();
	while (!load(&stop_spinning))
		cpu_relax();
	cli();
}

/* True when the answer came; with `halted` in STI;HLT, which the caller's timer bounds. */
static bool ping(bool halted, uint32_t want, uint64_t end)
{
	ipi(1, VEC_PING);
	while (load(&pongs) != want && (int64_t)(end - rdtsc()) > 0) {
		if (halted)
			sti_hlt();
		else
			irq_window();
		cli();
	}
	return load(&pongs) == want;
}

static void bench_round_trip(bool halted)
{
	const char *mode = apic_mode_name();
	uint64_t start, end = rdtsc() + usec_to_tsc(LIMIT_USEC);
	bool back = true;

	pongs = 0;
	stop_spinning = 0;
	if (!halted)
		smp_post(1, spin, NULL);
	/* Wakes a CPU 0 whose answer got lost. */
	apic_timer_divide(128);
	apic_timer_periodic(VEC_TIMEOUT, UINT32_MAX / 64);
	start = rdtsc();
	for (unsigned i = 1; i <= ROUNDS && back; i++)
		back = ping(halted, i, end);
	start = rdtsc() - start;
	apic_timer_stop();
	__atomic_store_n(&stop_spinning, 1, __ATOMIC_RELEASE);
	back &= smp_wait(1, LIMIT_USEC);
	if (report(back, "%s: every IPI was answered, CPUs %s", mode, halted ? "halted" : "spin"))
		measured(mode,
			 halted ? "IPI there and back, CPUs halted"
				: "IPI there and back, CPUs spin",
			 start, ROUNDS);
}

static void bench_self(void)
{
	const char *mode = apic_mode_name();
	uint64_t start, tsc_reads = 0;

	selfs = 0;
	eoi_cycles = 0;
	start = rdtsc();
	for (unsigned i = 0; i < ROUNDS; i++) {
		ipi(0, VEC_SELF);
		irq_window();
	}
	start = rdtsc() - start;
	for (unsigned i = 0; i < ROUNDS; i++)
		tsc_reads -= rdtsc() - rdtsc();
	if (!report(selfs == ROUNDS, "%s: every self-IPI arrived", mode))
		return;
	measured(mode, "IPI to oneself and EOI", start, ROUNDS);
	measured(mode, "EOI", eoi_cycles > tsc_reads ? eoi_cycles - tsc_reads : 0, ROUNDS);
}

static void set_mode(void *arg)
{
	apic_mode_set(*(enum apic_mode *)arg);
}

static void bench_ipis(void)
{
	static const enum apic_mode modes[] = {APIC_MODE_XAPIC, APIC_MODE_X2APIC};

	irq_install(VEC_PING, on_ping);
	irq_install(VEC_PONG, on_pong);
	irq_install(VEC_SELF, on_self);
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		enum apic_mode mode = modes[i];
		bool set;

		if (mode == APIC_MODE_X2APIC && !x2apic_supported()) {
			report_skip("no x2APIC", "IPIs in x2APIC mode");
			continue;
		}
		set = apic_mode_set(mode) && smp_run(1, set_mode, &mode, LIMIT_USEC);
		if (!report(set, "both CPUs are in %s mode", apic_mode_name()))
			return;
		bench_round_trip(false);
		bench_round_trip(true);
		bench_self();
	}
}

void guest_main(void)
{
	bool all = !arg_flag("ap") && !arg_flag("ipi");

	if (ncpus < 2) {
		report_skip("one CPU", "INIT, SIPI and IPIs");
		return;
	}
	if (all || arg_flag("ap"))
		bench_aps();
	if (!(all || arg_flag("ipi")))
		return;
	/* Above, the APs have been started; smp_start() leaves those alone that are up. */
	if (report(smp_start() == ncpus, "%u CPUs are up", ncpus))
		bench_ipis();
}

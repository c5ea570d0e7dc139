// SPDX-License-Identifier: MIT
/*
 * bench: how long do INIT and SIPI, an IPI and an EOI take? Each line "measured: WHAT: N ns" is one
 * row for tools/bench/bench.pl. Boot arguments: `ap` or `ipi` for one half of it; `awake`: CPU 1 never
 * halts, for a machine whose CPUs do not come back from that.
 * SDM Vol. 3A 8.4.4.1 (INIT-SIPI), 10.6 (IPIs), 10.8.5 (EOI).
 */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/ioapic.h"
#include "lib/pic.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define ROUNDS	   100
#define ROUNDS_MIN 10
#define SPEND_USEC 200000 /* after the minimum, what one measurement may take */
#define LIMIT_USEC 5000000
#define INIT_USEC  10000 /* what the protocol asks for between INIT and SIPI */

#define VEC_PING 0x50
#define VEC_PONG 0x51
#define VEC_SELF 0x52
#define VEC_LINE 0x53

/* An ISA line without a device: QEMU's pc-testdev drives no others. */
#define LINE 5

const char guest_name[] = "bench";

/* Valid below 2^64 / 10^6 cycles, which is an hour. */
static void measured(const char *apic, const char *what, uint64_t cycles, unsigned times)
{
	printf("measured: %s%s%s: %lu ns\n", apic, *apic ? " " : "", what,
	       cycles * 1000000 / (tsc_hz / 1000) / times);
}

/* A median, because the host may run something else in between. */
struct samples {
	uint64_t cycles[ROUNDS];
	unsigned n;
};

static void add_sample(struct samples *s, uint64_t cycles)
{
	if (s->n < ROUNDS)
		s->cycles[s->n++] = cycles;
}

static uint64_t median(struct samples *s)
{
	for (unsigned i = 1; i < s->n; i++) {
		uint64_t v = s->cycles[i];
		unsigned at = i;

		for (; at && s->cycles[at - 1] > v; at--)
			s->cycles[at] = s->cycles[at - 1];
		s->cycles[at] = v;
	}
	return s->n ? s->cycles[s->n / 2] : 0;
}

static bool enough(const struct samples *s, uint64_t start)
{
	return s->n >= ROUNDS || (s->n >= ROUNDS_MIN && rdtsc() - start > usec_to_tsc(SPEND_USEC));
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

/* --- IPIs between CPU 0 and CPU 1 */

enum pair { BOTH_HALT, SENDER_HALTS, BOTH_SPIN };

static const char *const pair_names[] = {"both CPUs halt", "sender halts, other spins",
					 "both CPUs spin"};

static uint32_t pongs, stop_spinning, awake;
static struct samples trips, eois;

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

static void timed_eoi(void)
{
	uint64_t start = rdtsc();

	apic_eoi();
	add_sample(&eois, rdtsc() - start);
}

static void on_self(struct regs *r)
{
	(void)r;
	timed_eoi();
}

/* A device that is served: its line falls before the EOI. */
static void on_line(struct regs *r)
{
	(void)r;
	line_set(LINE, false);
	timed_eoi();
}

static void spin(void *arg)
{
	(void)arg;
	sti();
	while (!load(&stop_spinning))
		cpu_relax();
	cli();
}

static void stay_awake(void *arg)
{
	(void)arg;
	this_cpu()->index = 1;
	__atomic_store_n(&awake, 1, __ATOMIC_RELEASE);
	for (;;)
		spin(NULL);
}

/*
 * CPU 1 shall not halt even at the end of the library's start, where a CPU looks whether there is
 * something to do for the CPU of its index. That of CPU 0, which is busy, makes it run fn at once.
 */
static bool start_awake(void)
{
	cpus[1].index = 0;
	cpus[1].fn = stay_awake;
	return smp_start() == ncpus && WAIT_FOR(load(&awake), LIMIT_USEC);
}

/* True when the answer came; with `halt` in STI;HLT, which the caller's timer bounds. */
static bool ping(bool halt, uint32_t want, uint64_t end)
{
	ipi(1, VEC_PING);
	while (load(&pongs) != want && (int64_t)(end - rdtsc()) > 0) {
		if (halt)
			sti_hlt();
		else
			irq_window();
		cli();
	}
	return load(&pongs) == want;
}

static bool timed_pings(bool halt)
{
	uint64_t begin = rdtsc(), start;

	trips.n = 0;
	pongs = 0;
	do {
		start = rdtsc();
		if (!ping(halt, trips.n + 1, start + usec_to_tsc(LIMIT_USEC)))
			return false;
		add_sample(&trips, rdtsc() - start);
	} while (!enough(&trips, begin));
	return true;
}

static void bench_round_trip(enum pair pair)
{
	const char *mode = apic_mode_name();
	char what[64];
	bool back;

	stop_spinning = 0;
	if (pair != BOTH_HALT && !awake)
		smp_post(1, spin, NULL);
	/* Wakes a CPU 0 whose answer got lost. */
	apic_timer_divide(128);
	apic_timer_periodic(VEC_TIMEOUT, UINT32_MAX / 64);
	back = timed_pings(pair != BOTH_SPIN);
	apic_timer_stop();
	if (!awake) {
		__atomic_store_n(&stop_spinning, 1, __ATOMIC_RELEASE);
		back &= smp_wait(1, LIMIT_USEC);
	}
	snprintf(what, sizeof(what), "IPI there and back, %s", pair_names[pair]);
	if (report(back, "%s: every %s", mode, what))
		measured(mode, what, median(&trips), 1);
}

/* --- EOIs on CPU 0 */

static uint64_t rdtsc_cost(void)
{
	static struct samples s;

	for (s.n = 0; s.n < ROUNDS;) {
		uint64_t start = rdtsc();

		add_sample(&s, rdtsc() - start);
	}
	return median(&s);
}

static void raise_self(void)
{
	ipi(0, VEC_SELF);
}

static void raise_line(void)
{
	line_set(LINE, true);
}

/* Interrupts one after the other: how long until each is over, and what of it is the EOI. */
static void bench_eoi(void (*raise)(void), const char *what, const char *whole, const char *eoi)
{
	const char *mode = apic_mode_name();
	uint64_t begin = rdtsc(), cost = rdtsc_cost(), took;
	bool came = true;

	trips.n = eois.n = 0;
	while (came && !enough(&trips, begin)) {
		unsigned before = eois.n;
		uint64_t start = rdtsc(), end = start + usec_to_tsc(LIMIT_USEC);

		raise();
		do
			irq_window();
		while (eois.n == before && eois.n < ROUNDS && (int64_t)(end - rdtsc()) > 0);
		came = eois.n > before || eois.n == ROUNDS;
		add_sample(&trips, rdtsc() - start);
	}
	settle();
	if (!report(came, "%s: every %s arrived", mode, what))
		return;
	took = median(&eois);
	measured(mode, whole, median(&trips), 1);
	measured(mode, eoi, took > cost ? took - cost : 0, 1);
}

static void bench_eois(void)
{
	bench_eoi(raise_self, "self-IPI", "IPI to oneself and EOI", "EOI");
	if (!line_set(LINE, false)) {
		report_skip("the machine has no test lines", "EOI of a level interrupt");
		return;
	}
	ioapic_set(LINE, REDIR_LEVEL | REDIR_DEST(cpus[0].apic_id) | VEC_LINE);
	bench_eoi(raise_line, "level interrupt", "level interrupt by IOAPIC, lowered, and EOI",
		  "EOI of that");
	ioapic_set(LINE, REDIR_MASKED);
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
	irq_install(VEC_LINE, on_line);
	pic_mask(0xffff); /* the line is wired to both controllers */
	if (!lapic_in_service())
		printf("note: %s\n", NO_SERVICE);
	for (unsigned i = 0; i < (awake ? 1 : ARRAY_SIZE(modes)); i++) {
		enum apic_mode mode = modes[i];
		bool set;

		if (mode == APIC_MODE_X2APIC && !x2apic_supported()) {
			report_skip("no x2APIC", "IPIs in x2APIC mode");
			continue;
		}
		set = apic_mode_set(mode) && (awake || smp_run(1, set_mode, &mode, LIMIT_USEC));
		if (!report(set, "both CPUs are in %s mode", apic_mode_name()))
			return;
		for (enum pair pair = awake ? SENDER_HALTS : BOTH_HALT; pair <= BOTH_SPIN; pair++)
			bench_round_trip(pair);
		bench_eois();
	}
}

void guest_main(void)
{
	bool all = !arg_flag("ap") && !arg_flag("ipi");
	bool up;

	if (ncpus < 2) {
		report_skip("one CPU", "INIT, SIPI and IPIs");
		return;
	}
	printf("tsc: %lu Hz by %s\n", tsc_hz, tsc_source);
	if (all || arg_flag("ap"))
		bench_aps();
	if (!(all || arg_flag("ipi")))
		return;
	/* Above, the APs have been started; smp_start() leaves those alone that are up. */
	up = arg_flag("awake") ? start_awake() : smp_start() == ncpus;
	if (report(up, "%u CPUs are up", ncpus))
		bench_ipis();
}

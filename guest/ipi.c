// SPDX-License-Identifier: MIT
/*
 * ipi: does every interrupt that one CPU sends to others arrive, once, and only where it was sent?
 * SDM Vol. 3A 10.6.1 (ICR), 10.6.2 (destinations, lowest priority), 10.6.3, 10.12.9 and 10.12.10
 * (x2APIC: ICR, logical destinations), 10.12.11 (self-IPI). `count=N` in the boot arguments makes
 * the all-to-all part N rounds instead of as many as fit into a second.
 */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/timer.h"

#define VEC_TEST     0x40
#define VEC_LOWEST   0x48 /* one for each round */
#define ROUNDS	     8
#define VEC_ACK	     0x50
#define VEC_SENDER   0x51 /* plus the sender's number */
#define SENDERS_MAX  0xa0
#define ALL_USEC     1000000
#define ROUND_USEC   5000000
#define LIMIT_USEC   100000000
#define XAPIC_IDS    255 /* 0-254; 255 is everybody */
#define FLAT_CPUS    7	 /* with the eighth, all of them together would be 0xff: everybody */
#define CLUSTER_CPUS 56	 /* clusters 0-13: 14 is the one that nobody has, 15 would be everybody */

const char guest_name[] = "ipi";

static uint32_t *want; /* for each CPU */

/* --- ways to name a CPU */

struct addressing {
	const char *name;
	enum apic_mode mode;
	uint32_t dm;
	unsigned max;	     /* CPUs that it can name */
	uint32_t group_mask; /* destinations that agree in these bits can be named together */
	uint32_t nobody;     /* a destination that no CPU has; for physical ones see unused_id() */
	uint32_t (*dest)(unsigned cpu);
	void (*setup)(void *);
};

static uint32_t dest_physical(unsigned cpu)
{
	return cpus[cpu].apic_id;
}

static uint32_t dest_flat(unsigned cpu)
{
	return 1u << cpu;
}

static uint32_t dest_cluster(unsigned cpu)
{
	return cpu / 4 << 4 | 1u << cpu % 4;
}

static uint32_t dest_x2apic(unsigned cpu)
{
	return x2apic_ldr(cpus[cpu].apic_id);
}

/* A CPU that gets no logical ID: LDR 0 matches nothing. */
static void setup_flat(void *arg)
{
	unsigned me = this_cpu()->index;

	(void)arg;
	apic_logical(me < FLAT_CPUS ? (uint8_t)dest_flat(me) : 0, DFR_FLAT);
}

static void setup_cluster(void *arg)
{
	unsigned me = this_cpu()->index;

	(void)arg;
	apic_logical(me < CLUSTER_CPUS ? (uint8_t)dest_cluster(me) : 0, DFR_CLUSTER);
}

static const struct addressing ways[] = {
	{"physical", APIC_MODE_XAPIC, 0, XAPIC_IDS, ~0u, 0, dest_physical, NULL},
	{"logical flat", APIC_MODE_XAPIC, DM_LOGICAL, FLAT_CPUS, 0, 0, dest_flat, setup_flat},
	{"logical cluster", APIC_MODE_XAPIC, DM_LOGICAL, CLUSTER_CPUS, 0xf0, 0xe1, dest_cluster,
	 setup_cluster},
	{"physical", APIC_MODE_X2APIC, 0, ~0u, ~0u, 0, dest_physical, NULL},
	{"logical cluster", APIC_MODE_X2APIC, DM_LOGICAL, ~0u, 0xffff0000, 0xfff00001, dest_x2apic,
	 NULL},
};

static bool named(const struct addressing *w, unsigned cpu)
{
	return cpu_up(cpu) && cpu < w->max;
}

static bool same_group(const struct addressing *w, unsigned a, unsigned b)
{
	return !((w->dest(a) ^ w->dest(b)) & w->group_mask);
}

/* The first CPU that can be named together with this one. */
static unsigned leader(const struct addressing *w, unsigned cpu)
{
	unsigned i = 0;

	while (!named(w, i) || !same_group(w, i, cpu))
		i++;
	return i;
}

static uint32_t group_dest(const struct addressing *w, unsigned cpu)
{
	uint32_t dest = 0;

	for (unsigned i = 0; i < ncpus; i++)
		if (named(w, i) && same_group(w, i, cpu))
			dest |= w->dest(i);
	return dest;
}

static void start_count(void)
{
	irq_clear();
	memset(want, 0, ncpus * sizeof(*want));
}

static void want_all(void)
{
	for (unsigned i = 0; i < ncpus; i++)
		want[i] = cpu_up(i);
}

/* --- the questions */

/* One CPU after the other: whoever answers for another is seen at once. */
static bool to_each(const struct addressing *w, uint32_t dm, unsigned vector)
{
	bool ok = true;

	start_count();
	for (unsigned i = 0; i < ncpus && ok; i++) {
		if (!named(w, i))
			continue;
		apic_icr(dm | w->dm | ICR_ASSERT | vector, w->dest(i));
		ok = OPEN_FOR(irq_count(i, vector & 0xff) == 1, EXPECT_USEC);
		want[i] = 1;
	}
	return took_each(vector, want) && ok;
}

static void test_groups(const struct addressing *w)
{
	bool ok = true;
	unsigned groups = 0;

	for (unsigned i = 0; i < ncpus; i++) {
		if (!named(w, i) || leader(w, i) != i)
			continue;
		start_count();
		for (unsigned j = 0; j < ncpus; j++)
			want[j] = named(w, j) && same_group(w, i, j);
		ipi_logical(group_dest(w, i), DM_FIXED, VEC_TEST);
		ok &= took_each(VEC_TEST, want);
		groups++;
	}
	report(ok, "%s %s: all CPUs of a group at once (groups: %u)", apic_mode_name(), w->name,
	       groups);
}

/* Which of them the interrupt goes to is the machine's choice (SDM Vol. 3A 10.6.2.4). */
static bool lowest_once(const struct addressing *w, unsigned i, unsigned vector)
{
	uint32_t outside = 0;

	start_count();
	ipi_logical(group_dest(w, i), DM_LOWEST, vector);
	OPEN_FOR(irq_total(vector) >= 1, EXPECT_USEC);
	settle();
	for (unsigned j = 0; j < ncpus; j++)
		if (!named(w, j) || !same_group(w, i, j))
			outside += irq_count(j, vector);
	return irq_total(vector) == 1 && !outside;
}

static void test_lowest(const struct addressing *w)
{
	bool ok = true;

	for (unsigned i = 0; i < ncpus; i++)
		for (unsigned r = 0; named(w, i) && leader(w, i) == i && r < ROUNDS; r++)
			ok &= lowest_once(w, i, VEC_LOWEST + r);
	report(ok, "%s %s: lowest priority goes to exactly one CPU of a group", apic_mode_name(),
	       w->name);
}

/* 255 is left out: in xAPIC mode it is everybody. */
static uint32_t unused_id(void)
{
	for (uint32_t id = XAPIC_IDS; id-- > 0;)
		if (cpu_by_id(id) < 0)
			return id;
	return 0xffff;
}

static void test_nobody(const struct addressing *w)
{
	uint32_t dest = w->dm ? w->nobody : unused_id();

	start_count();
	apic_icr(w->dm | DM_FIXED | ICR_ASSERT | VEC_TEST, dest);
	apic_icr(w->dm | DM_NMI | ICR_ASSERT, dest);
	report(took_each(VEC_TEST, want) && took_each(EXC_NMI, want),
	       "%s %s: destination 0x%x, which no CPU has, reaches none", apic_mode_name(), w->name,
	       dest);
}

static void test_broadcast(const struct addressing *w)
{
	uint32_t everybody = w->mode == APIC_MODE_XAPIC ? XAPIC_BROADCAST : X2APIC_BROADCAST;

	start_count();
	want_all();
	apic_icr(w->dm | DM_FIXED | ICR_ASSERT | VEC_TEST, everybody);
	report(took_each(VEC_TEST, want), "%s %s: destination 0x%x reaches every CPU",
	       apic_mode_name(), w->name, everybody);
}

static void test_way(const struct addressing *w)
{
	if (w->setup && !run_all_open(w->setup, NULL, EXPECT_USEC)) {
		report(false, "%s %s: the CPUs take their logical IDs", apic_mode_name(), w->name);
		return;
	}
	report(to_each(w, DM_FIXED, VEC_TEST), "%s %s: one IPI to each CPU", apic_mode_name(),
	       w->name);
	report(to_each(w, DM_NMI, EXC_NMI), "%s %s: one NMI to each CPU", apic_mode_name(),
	       w->name);
	if (w->dm) {
		test_groups(w);
		test_lowest(w);
	}
	test_nobody(w);
	test_broadcast(w);
}

/* In x2APIC mode 0xff is one CPU's ID (SDM Vol. 3A 10.12.9). */
static void test_no_broadcast(void)
{
	int owner = cpu_by_id(XAPIC_BROADCAST);

	start_count();
	if (owner >= 0)
		want[owner] = 1;
	apic_icr(DM_FIXED | ICR_ASSERT | VEC_TEST, XAPIC_BROADCAST);
	report(took_each(VEC_TEST, want), "x2APIC physical: destination 0xff is no broadcast");
}

struct shorthand {
	const char *name;
	uint32_t low;
	bool self, others;
};

static const struct shorthand shorthands[] = {
	{"self", ICR_SELF | DM_FIXED | VEC_TEST, true, false},
	{"all including self", ICR_ALL | DM_FIXED | VEC_TEST, true, true},
	{"all excluding self", ICR_OTHERS | DM_FIXED | VEC_TEST, false, true},
	{"NMI, all excluding self", ICR_OTHERS | DM_NMI | EXC_NMI, false, true},
};

/* The destination field is not looked at: it names a CPU that shall get nothing extra. */
static void send_shorthand(void *arg)
{
	const struct shorthand *s = arg;

	apic_icr(s->low | ICR_ASSERT, cpus[0].apic_id);
}

static void send_self_msr(void *arg)
{
	(void)arg;
	apic_write(APIC_SELF_IPI, VEC_TEST);
}

static bool from(unsigned cpu, const struct shorthand *s)
{
	start_count();
	for (unsigned i = 0; i < ncpus; i++)
		want[i] = cpu_up(i) && (i == cpu ? s->self : s->others);
	return smp_run(cpu, send_shorthand, (void *)s, EXPECT_USEC) &&
	       took_each(s->low & 0xff, want);
}

static bool self_msr_from(unsigned cpu)
{
	start_count();
	want[cpu] = 1;
	return smp_run(cpu, send_self_msr, NULL, EXPECT_USEC) && took_each(VEC_TEST, want);
}

static void test_shorthands(void)
{
	bool ok = true;

	for (unsigned s = 0; s < ARRAY_SIZE(shorthands); s++, ok = true) {
		for (unsigned i = 0; i < ncpus; i++)
			if (cpu_up(i))
				ok &= from(i, &shorthands[s]);
		report(ok, "%s shorthand: %s, from each CPU", apic_mode_name(), shorthands[s].name);
	}
	if (apic_mode() != APIC_MODE_X2APIC)
		return;
	for (unsigned i = 0; i < ncpus; i++)
		if (cpu_up(i))
			ok &= self_msr_from(i);
	report(ok, "x2APIC self-IPI MSR, from each CPU");
}

/* --- all to all */

/*
 * Every CPU sends one IPI to every other one, halts until all of them were taken, and begins anew;
 * all CPUs at the same time. A vector that is pending already swallows a second one (one bit of IRR
 * each, SDM Vol. 3A 10.8.4): so each sender has its own, and waits for the answer.
 */
static struct sender {
	uint32_t rounds;
	uint32_t owed; /* IPIs of this round that were not taken yet */
	bool lost;
} senders[SENDERS_MAX];
static uint32_t *taken; /* [sender * nsenders + receiver] */
static unsigned nsenders;
static uint64_t rounds_wanted, all_end;

static bool nothing_owed(void *arg)
{
	return __atomic_load_n(&((struct sender *)arg)->owed, __ATOMIC_ACQUIRE) == 0;
}

/* The last one of a round wakes the sender. */
static void on_sender(struct regs *r)
{
	unsigned who = (unsigned)r->vector - VEC_SENDER;

	taken[who * nsenders + this_cpu()->index]++;
	apic_eoi();
	if (__atomic_sub_fetch(&senders[who].owed, 1, __ATOMIC_ACQ_REL) == 0)
		ipi(who, VEC_ACK);
}

static bool another_round(const struct sender *s)
{
	if (rounds_wanted)
		return s->rounds < rounds_wanted;
	return s->rounds == 0 || (int64_t)(all_end - rdtsc()) > 0;
}

static void send_all(void *arg)
{
	unsigned me = this_cpu()->index;
	struct sender *s = &senders[me];

	(void)arg;
	while (me < nsenders && another_round(s) && !s->lost) {
		__atomic_store_n(&s->owed, nsenders - 1, __ATOMIC_RELEASE);
		for (unsigned i = 0; i < nsenders; i++)
			if (i != me)
				ipi(i, VEC_SENDER + me);
		s->rounds++;
		s->lost = !hlt_until(nothing_owed, s, ROUND_USEC);
	}
}

static bool pairs_match(uint64_t *total)
{
	unsigned wrong = 0;

	*total = 0;
	for (unsigned i = 0; i < nsenders; i++) {
		for (unsigned j = 0; j < nsenders; j++) {
			uint32_t sent = i == j ? 0 : senders[i].rounds;
			uint32_t got = taken[i * nsenders + j];

			*total += got;
			if (got != sent && wrong++ < 8)
				printf("# CPU %u to CPU %u: sent %u, received %u\n", i, j, sent,
				       got);
		}
	}
	return wrong == 0;
}

static void test_all_to_all(void)
{
	uint64_t total;
	bool ended;

	if (nsenders < 2) {
		report_skip("one CPU", "%s all to all", apic_mode_name());
		return;
	}
	memset(senders, 0, sizeof(senders));
	memset(taken, 0, nsenders * nsenders * sizeof(*taken));
	all_end = rdtsc() + usec_to_tsc(ALL_USEC);
	ended = run_all_open(send_all, NULL, LIMIT_USEC);
	report(pairs_match(&total) && ended,
	       "%s all to all: each of %u pairs received what was sent", apic_mode_name(),
	       nsenders * (nsenders - 1));
	printf("# %lu IPIs, CPU 0 sent %u to each other CPU\n", total, senders[0].rounds);
}

static void test_mode(enum apic_mode mode)
{
	if (!all_to_mode(mode)) {
		report(false, "every CPU goes to mode %d", mode);
		return;
	}
	for (unsigned w = 0; w < ARRAY_SIZE(ways); w++)
		if (ways[w].mode == mode)
			test_way(&ways[w]);
	if (mode == APIC_MODE_X2APIC)
		test_no_broadcast();
	test_shorthands();
	test_all_to_all();
}

void guest_main(void)
{
	bool wide;

	wide = smp_start() && apic_mode() == APIC_MODE_X2APIC;
	nsenders = 0;
	while (nsenders < ncpus && nsenders < SENDERS_MAX && cpu_up(nsenders))
		nsenders++;
	want = alloc(ncpus * sizeof(*want), 8);
	taken = alloc(nsenders * nsenders * sizeof(*taken), 8);
	rounds_wanted = arg_u64("count", 0);
	irq_install(EXC_NMI, irq_none);
	irq_install(VEC_TEST, irq_eoi);
	irq_install(VEC_ACK, irq_eoi);
	for (unsigned r = 0; r < ROUNDS; r++)
		irq_install(VEC_LOWEST + r, irq_eoi);
	for (unsigned i = 0; i < nsenders; i++)
		irq_install(VEC_SENDER + i, on_sender);
	if (wide)
		report_skip("there are APIC IDs above 254", "xAPIC mode");
	else
		test_mode(APIC_MODE_XAPIC);
	if (x2apic_supported())
		test_mode(APIC_MODE_X2APIC);
	else
		report_skip("CPUID says there is no x2APIC", "x2APIC mode");
}

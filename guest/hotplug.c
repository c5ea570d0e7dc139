// SPDX-License-Identifier: MIT
/*
 * hotplug: CPUs that are "disabled" in the tree are added, started, put to work, removed while they do anything, and
 * added again. Rules: vmm/devices/hotplug.h; a CPU that was added is as after power-on (SDM Vol. 3A, table 9-1 and
 * 10.4.7.1) and waits for INIT-SIPI (8.4). IDs above 255 are reached in their xAPIC mode by a sender in x2APIC
 * mode (KVM: Documentation/virt/kvm/x86/errata.rst, "x2APIC").
 *
 * `mode=xapic|x2apic` (default: what the IDs need), `rounds=N` of the storm for each CPU (20), `cycles=N` (only
 * adding and removing, fast), `watch=N` (until the host has made N changes; without N, for ever).
 */
#include "lib/ap_probe.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/hotplug.h"
#include "lib/idt.h"
#include "lib/init_lives.h"
#include "lib/ioapic.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/timer.h"

#define INIT_USEC    10000
#define WORK_USEC    3000000
#define WATCH_USEC   1000
#define VEC_CHANGE   0x50
#define VEC_BACK     0x51 /* from a hot-plugged CPU to the boot CPU */
#define XAPIC_ID_MAX 254
#define START_EACH   16 /* of the fast cycles, one is a start */
#define CR0_FRESH    0x60000010
#define BASE_FRESH   0xfee00800
#define SHOWN	     8

const char guest_name[] = "hotplug";

static unsigned *targets; /* CPUs that can come and go */
static unsigned ntargets;
static uint32_t expected; /* changes */

static uint32_t id_of(unsigned cpu)
{
	return cpus[cpu].apic_id;
}

/* The counter has moved, and each change was an interrupt. */
static bool changed(void)
{
	expected++;
	return OPEN_FOR(irq_count(0, VEC_CHANGE) == expected, EXPECT_USEC) &&
	       hotplug_changes() == expected;
}

static bool add(unsigned cpu)
{
	return hotplug_add(id_of(cpu)) && changed();
}

static bool take(unsigned cpu)
{
	return hotplug_remove(id_of(cpu)) && changed();
}

/* --- commands */

static bool refused(uint32_t command, uint32_t id)
{
	bool done = hotplug_command(command, id);

	if (!done && hotplug_status(id) & HOTPLUG_FAILED)
		return true;
	printf("# command 0x%x for APIC ID %u: status 0x%x\n", command, id, hotplug_status(id));
	return false;
}

static uint32_t unused_id(void)
{
	uint32_t id = 0;

	while (cpu_by_id(id) >= 0)
		id++;
	return id;
}

static void test_status(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < ncpus; i++) {
		uint32_t want = HOTPLUG_PRESENT;

		if (cpu_state(i) != CPU_UNPLUGGED)
			want |= HOTPLUG_PLUGGED;
		wrong += hotplug_status(id_of(i)) != want;
	}
	report(wrong == 0, "status: %u CPUs are present, those of the tree's \"okay\" plugged",
	       ncpus);
	report(hotplug_status(unused_id()) == 0 && hotplug_status(0xffffffff) == 0 &&
		       hotplug_status(0x80000000 | id_of(0)) == 0,
	       "status: 0 for IDs that no CPU has");
}

static void test_commands(void)
{
	static const uint32_t unknown[] = {0, 3, 0x101, 0xffffffff};
	uint32_t t = id_of(targets[0]), boot = id_of(0);
	unsigned wrong = 0;

	report(refused(HOTPLUG_ADD, boot) && refused(HOTPLUG_REMOVE, boot),
	       "the boot CPU cannot be added or removed");
	report(refused(HOTPLUG_ADD, unused_id()) && refused(HOTPLUG_REMOVE, unused_id()) &&
		       refused(HOTPLUG_ADD, 0xffffffff) && refused(HOTPLUG_ADD, t | 1u << 31),
	       "IDs that no CPU has cannot be added or removed");
	for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++)
		wrong += !refused(unknown[i], t);
	report(wrong == 0, "unknown commands fail");
	report(refused(HOTPLUG_REMOVE, t), "a CPU that is not there cannot be removed");
	settle();
	report(hotplug_changes() == 0 && irq_count(0, VEC_CHANGE) == 0,
	       "what failed is no change and no interrupt");
	report(add(targets[0]) && !(hotplug_status(t) & HOTPLUG_FAILED) && refused(HOTPLUG_ADD, t),
	       "a CPU is added, once");
	report(take(targets[0]) && refused(HOTPLUG_REMOVE, t), "and removed, once");
	settle();
	report(hotplug_changes() == 2 && irq_count(0, VEC_CHANGE) == 2,
	       "these are two changes and two interrupts");
}

/* --- what a CPU is that comes again */

static const struct {
	uint32_t index;
	const char *name;
	uint64_t fresh, old;
} msrs[] = {
	{MSR_APIC_BASE, "IA32_APIC_BASE", BASE_FRESH, 0},
	{MSR_EFER, "IA32_EFER", 0, 0},
	{0x277, "IA32_PAT", 0x0007040600070406, 0x0007040600070401},
	{0x2ff, "IA32_MTRR_DEF_TYPE", 0, 0xc06},
	{0x176, "IA32_SYSENTER_EIP", 0, 0xabcdef},
	{0xc0000082, "IA32_LSTAR", 0, 0x123456},
	{0xc0000102, "IA32_KERNEL_GS_BASE", 0, 0x654321},
	{0xc0000103, "IA32_TSC_AUX", 0, 0x77},
};

static void leave_traces(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
		if (msrs[i].old)
			wrmsr_try(msrs[i].index, msrs[i].old, NULL);
	life_fpu();
}

static bool probe(unsigned cpu)
{
	ap_probe_load(cpu, APIC_MODE_XAPIC);
	AP_PROBE->fpu = 1;
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
		ap_probe_add_msr(msrs[i].index);
	ipi_init(cpu);
	udelay(INIT_USEC);
	return ap_probe_run(cpu);
}

static unsigned msrs_wrong(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
		uint64_t v = ap_probe_msr(msrs[i].index);

		if (!ap_probe_has_msr(msrs[i].index) || v == msrs[i].fresh)
			continue;
		printf("# %s: 0x%lx, expected 0x%lx\n", msrs[i].name, v, msrs[i].fresh);
		wrong++;
	}
	return wrong;
}

/* INIT keeps what the power-on left: APIC mode, CD and NW, x87, MSRs. */
static void check_fresh(unsigned cpu, const char *when)
{
	uint8_t fx[512];

	if (!report(add(cpu) && probe(cpu), "APIC ID %u %s: INIT and SIPI reach it", id_of(cpu),
		    when))
		return;
	memcpy(fx, (void *)AP_PROBE->fx, sizeof(fx));
	report(ap_probe_lapic_wrong() == 0, "APIC ID %u %s: its APIC is reset, in xAPIC mode",
	       id_of(cpu), when);
	report(ap_probe_cpu_wrong(CR0_FRESH) == 0 && life_fpu_reset(fx) && msrs_wrong() == 0,
	       "APIC ID %u %s: its registers are as after power-on", id_of(cpu), when);
}

static bool starts(unsigned cpu, uint64_t init_usec)
{
	return smp_start_after(cpu, init_usec) && cpus[cpu].found_mode == APIC_MODE_XAPIC;
}

static void test_fresh(unsigned cpu)
{
	check_fresh(cpu, "added");
	report(starts(cpu, INIT_USEC) && life_works(cpu),
	       "APIC ID %u: it comes up and takes interrupts", id_of(cpu));
	smp_run(cpu, leave_traces, NULL, WORK_USEC);
	report(take(cpu), "APIC ID %u: it is removed", id_of(cpu));
	check_fresh(cpu, "added again");
	take(cpu);
}

/* --- removed whatever it does */

/* The messages go nowhere, and the sender goes on. */
static bool is_gone(unsigned cpu)
{
	uint32_t before = life_beat(cpu), irqs = irq_count(cpu, LIFE_VEC);

	ap_probe_load(cpu, APIC_MODE_XAPIC);
	ipi(cpu, LIFE_VEC);
	ipi_nmi(cpu);
	ipi_init(cpu);
	udelay(QUIET_USEC);
	ipi_sipi(cpu, SCRATCH_PAGE >> 12);
	udelay(QUIET_USEC);
	return hotplug_status(id_of(cpu)) == HOTPLUG_PRESENT && life_beat(cpu) == before &&
	       irq_count(cpu, LIFE_VEC) == irqs && !AP_PROBE->done && life_works(0);
}

static void test_removal(unsigned cpu, const struct life *l)
{
	bool came = add(cpu) && starts(cpu, 0) && life_begin(cpu, l);

	report(came && take(cpu) && is_gone(cpu), "APIC ID %u, %s: removed, and deaf", id_of(cpu),
	       l->name);
	came = add(cpu);
	udelay(QUIET_USEC);
	report(came && !AP_PROBE->done && starts(cpu, 0) && life_works(cpu) && take(cpu),
	       "APIC ID %u, %s: added again, it waits for INIT-SIPI", id_of(cpu), l->name);
}

/* --- a storm */

static uint64_t seed = 0x5eed;

static unsigned rnd(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

static void answer(void *arg)
{
	(void)arg;
	ipi(0, VEC_BACK);
}

/* IPIs there and back, and between it and another one that is up. */
static bool works(unsigned cpu)
{
	uint32_t back = irq_count(0, VEC_BACK);

	return smp_run(cpu, answer, NULL, WORK_USEC) &&
	       OPEN_FOR(irq_count(0, VEC_BACK) == back + 1, EXPECT_USEC) && life_works(cpu);
}

enum step { STEP_ADD, STEP_START, STEP_WORK, STEP_LIVE, STEP_INIT, STEP_REMOVE, STEPS };
static const char *const step_names[STEPS] = {"add", "start", "work", "live", "init", "remove"};
static unsigned done[STEPS];

static enum step next_step(unsigned cpu)
{
	switch (cpu_state(cpu)) {
	case CPU_UNPLUGGED:
		return STEP_ADD;
	case CPU_DOWN:
		return rnd(4) ? STEP_START : STEP_REMOVE;
	case CPU_IDLE:
		return rnd(3) == 0 ? STEP_REMOVE : rnd(2) ? STEP_WORK : STEP_LIVE;
	default:
		return rnd(4) ? STEP_REMOVE : STEP_INIT;
	}
}

static bool do_step(unsigned cpu, enum step step)
{
	switch (step) {
	case STEP_ADD:
		return add(cpu);
	case STEP_START:
		return smp_start_after(cpu, rnd(2) ? 0 : QUIET_USEC);
	case STEP_WORK:
		return works(cpu);
	case STEP_LIVE:
		return life_begin(cpu, &lives[rnd(nlives)]);
	case STEP_INIT:
		return smp_start_after(cpu, 0) && works(cpu);
	default:
		return take(cpu);
	}
}

static void storm(uint64_t rounds)
{
	unsigned failed = 0, down = 0;

	while (done[STEP_REMOVE] < rounds * ntargets && failed < SHOWN) {
		unsigned cpu = targets[rnd(ntargets)];
		enum step step = next_step(cpu);

		done[step]++;
		if (!do_step(cpu, step) && ++failed)
			printf("# %s: APIC ID %u, status 0x%x, changes %u of %u\n",
			       step_names[step], id_of(cpu), hotplug_status(id_of(cpu)),
			       hotplug_changes(), expected);
	}
	report(failed == 0, "storm: %u added, %u started, %u removed while others run",
	       done[STEP_ADD], done[STEP_START] + done[STEP_INIT], done[STEP_REMOVE]);
	for (unsigned i = 0; i < ntargets; i++)
		if (cpu_state(targets[i]) != CPU_UNPLUGGED)
			take(targets[i]);
	for (unsigned i = 0; i < ntargets; i++)
		down += hotplug_status(id_of(targets[i])) == HOTPLUG_PRESENT;
	report(down == ntargets && hotplug_changes() == expected && aps_lost == 0,
	       "storm: all %u are gone, after %u changes and as many interrupts", down, expected);
}

/* --- fast, and often */

static bool cycle(unsigned cpu, bool start)
{
	return add(cpu) && (!start || (starts(cpu, 0) && life_works(cpu))) && take(cpu);
}

static void soak(uint64_t cycles)
{
	uint64_t begin = rdtsc(), n;
	unsigned failed = 0;

	for (n = 0; n < cycles && failed < SHOWN; n++)
		if (!cycle(targets[n % ntargets], n / ntargets % START_EACH == 0) && ++failed)
			printf("# cycle %lu: APIC ID %u, status 0x%x\n", n,
			       id_of(targets[n % ntargets]),
			       hotplug_status(id_of(targets[n % ntargets])));
	report(failed == 0, "%lu add/remove cycles of %u CPUs", n, ntargets);
	report(hotplug_changes() == (uint32_t)(2 * n), "they are %u changes", hotplug_changes());
	printf("# %lu us a cycle\n", tsc_to_usec(rdtsc() - begin) / (cycles ? cycles : 1));
}

/* --- the host does it */

static void idle(void *arg)
{
	(void)arg;
}

/* The host may have taken it away again by now. */
static void greet(unsigned cpu)
{
	bool up = cpu_state(cpu) != CPU_UNPLUGGED && smp_start_one(cpu);

	if (up) {
		printf("cpu %u up\n", id_of(cpu));
	} else if (hotplug_status(id_of(cpu)) & HOTPLUG_PLUGGED) {
		printf("cpu %u does not start\n", id_of(cpu));
	} else {
		smp_went_away(cpu);
		printf("cpu %u gone\n", id_of(cpu));
	}
}

/* One that was removed and added between two looks is as it was, but does not answer. */
static void look_again(unsigned cpu)
{
	if (cpu_state(cpu) != CPU_IDLE || smp_run(cpu, idle, NULL, WORK_USEC))
		return;
	smp_went_down(cpu);
	greet(cpu);
}

static void take_notice(void)
{
	unsigned found = 0;
	int cpu;

	for (; (cpu = hotplug_find_change()) >= 0; found++)
		greet((unsigned)cpu);
	for (unsigned i = 0; i < ntargets && !found; i++)
		look_again(targets[i]);
}

static void watch(uint32_t changes)
{
	uint32_t seen = 0;

	printf("watching for %u changes\n", changes);
	while (seen < changes) {
		uint32_t now = hotplug_changes();

		if (now != seen)
			take_notice();
		seen = now;
		OPEN_FOR(irq_count(0, VEC_CHANGE) > seen, WATCH_USEC);
	}
	settle();
	report(irq_count(0, VEC_CHANGE) >= 1 && irq_count(0, VEC_CHANGE) <= hotplug_changes(),
	       "%u changes made %u interrupts", hotplug_changes(), irq_count(0, VEC_CHANGE));
}

static enum apic_mode wanted_mode(void)
{
	if (arg_is("mode", "xapic"))
		return APIC_MODE_XAPIC;
	if (arg_is("mode", "x2apic"))
		return APIC_MODE_X2APIC;
	if (arg_flag("mode"))
		panic("bootargs: mode is xapic or x2apic");
	for (unsigned i = 0; i < ncpus; i++)
		if (id_of(i) > XAPIC_ID_MAX)
			return APIC_MODE_X2APIC;
	return APIC_MODE_XAPIC;
}

static void find_targets(enum apic_mode mode)
{
	targets = alloc(ncpus * sizeof(*targets), 8);
	for (unsigned i = 0; i < ncpus; i++)
		if (cpu_state(i) == CPU_UNPLUGGED &&
		    (mode == APIC_MODE_X2APIC || id_of(i) <= XAPIC_ID_MAX))
			targets[ntargets++] = i;
}

static void test_all(void)
{
	test_status();
	test_commands();
	for (unsigned i = 0; i < ntargets; i++)
		test_fresh(targets[i]);
	for (unsigned i = 0; i < nlives; i++)
		test_removal(targets[i % ntargets], &lives[i]);
	test_removal(targets[0], &life_deaf);
	storm(arg_u64("rounds", 20));
}

void guest_main(void)
{
	enum apic_mode mode = wanted_mode();

	if (!board.hotplug_port) {
		report_skip("no hot-plug device in the tree", "hot-plug");
		return;
	}
	life_install();
	irq_install(VEC_CHANGE, irq_eoi);
	irq_install(VEC_BACK, irq_eoi);
	smp_start();
	if (!all_to_mode(mode)) {
		report_skip("no x2APIC", "hot-plug in x2APIC mode");
		return;
	}
	ioapic_set(board.hotplug_irq, VEC_CHANGE | REDIR_DEST(id_of(0)));
	find_targets(mode);
	if (!ntargets) {
		report_skip("no disabled CPU in the tree that this APIC mode can reach",
			    "hot-plug");
		return;
	}
	printf("# %u CPUs come and go, %s\n", ntargets, apic_mode_name());
	if (arg_flag("watch"))
		watch((uint32_t)arg_u64("watch", UINT32_MAX));
	else if (arg_u64("cycles", 0))
		soak(arg_u64("cycles", 0));
	else
		test_all();
}

// SPDX-License-Identifier: MIT
/* Bringing CPUs up, and giving them something to do. */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/timer.h"
#include "lib/x86.h"

#define STACK_SIZE     8192
#define INIT_USEC      10000 /* SDM Vol. 3A 8.4.4.1: 10 ms after INIT, 200 us between the SIPIs */
#define SIPI_USEC      200
#define START_USEC     2000000 /* the time limit, and this much more for each CPU: */
#define START_USEC_CPU 50000
#define XAPIC_ID_MAX   254

/* Sorted by apic_id; entry.S searches it and knows its layout. */
struct cpu_slot {
	uint32_t apic_id;
	struct cpu *cpu;
};
_Static_assert(sizeof(struct cpu_slot) == 16, "entry.S knows it");

struct cpu *cpus;
unsigned ncpus;
uint32_t aps_lost;
struct cpu_slot *cpu_slots;
static enum apic_mode start_mode;
extern const char trampoline[], trampoline_end[];
_Noreturn void ap_main(struct cpu *c);

static void set_state(struct cpu *c, enum cpu_state s)
{
	__atomic_store_n(&c->state, s, __ATOMIC_RELEASE);
}

int cpu_by_id(uint32_t apic_id)
{
	unsigned lo = 0, hi = ncpus;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (cpu_slots[mid].apic_id == apic_id)
			return (int)cpu_slots[mid].cpu->index;
		if (cpu_slots[mid].apic_id < apic_id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

/* Insertion from the end: trees list their CPUs in order, or nearly so. */
static void add_slot(unsigned n, struct cpu *c)
{
	for (; n && cpu_slots[n - 1].apic_id > c->apic_id; n--)
		cpu_slots[n] = cpu_slots[n - 1];
	cpu_slots[n] = (struct cpu_slot){c->apic_id, c};
}

void smp_init(void)
{
	uint32_t boot_id = cpuid_apic_id();
	unsigned next = 1;

	cpus = alloc(board.ncpus * sizeof(*cpus), 64);
	cpu_slots = alloc(board.ncpus * sizeof(*cpu_slots), 16);
	for (unsigned i = 0; i < board.ncpus; i++) {
		const struct board_cpu *b = &board.cpus[i];
		unsigned at = b->apic_id == boot_id ? 0 : next++;

		/* cpus[0] is kept free for the boot CPU: the others fill 1 .. n - 1. */
		if (at == board.ncpus)
			panic("device tree: no CPU with the boot CPU's APIC ID %u", boot_id);
		cpus[at] = (struct cpu){.self = &cpus[at],
					.index = at,
					.apic_id = b->apic_id,
					.state = b->enabled ? CPU_DOWN : CPU_UNPLUGGED};
		add_slot(i, &cpus[at]);
	}
	ncpus = board.ncpus;
	if (next != ncpus)
		panic("device tree: two CPUs with the APIC ID %u", boot_id);
	cpus[0].state = CPU_BUSY;
	wrmsr(MSR_GS_BASE, (uint64_t)&cpus[0]);
}

static void run_posted(struct cpu *c)
{
	c->fn(c->arg);
	cli();
	set_state(c, CPU_IDLE);
}

/* Called by entry.S on the CPU's own stack. */
_Noreturn void ap_main(struct cpu *c)
{
	wrmsr(MSR_GS_BASE, (uint64_t)c);
	idt_load();
	c->found_mode = apic_mode();
	apic_follow();
	apic_mode_set(start_mode);
	apic_enable();
	c->try = NULL;
	c->irq_depth = 0;
	set_state(c, CPU_IDLE);
	for (;;) {
		if (cpu_state(c->index) == CPU_BUSY)
			run_posted(c);
		else
			sti_hlt();
		cli();
	}
}

static void prepare(struct cpu *c)
{
	if (!c->stack_top)
		c->stack_top = (uint64_t)alloc(STACK_SIZE, 16) + STACK_SIZE;
	set_state(c, CPU_DOWN);
}

static bool prepare_sender(bool wide)
{
	memcpy((void *)(uint64_t)TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
	if (wide && !apic_mode_set(APIC_MODE_X2APIC))
		return false;
	start_mode = this_cpu()->apic->mode;
	return true;
}

unsigned smp_up(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ncpus; i++)
		n += cpu_up(i);
	return n;
}

static void send_sipis(const bool *pick)
{
	for (unsigned i = 0; i < ncpus; i++)
		if (pick[i])
			ipi_sipi(i, TRAMPOLINE >> 12);
	udelay(SIPI_USEC);
}

/* The protocol for all picked CPUs side by side: one wait of 10 ms, however many they are. */
static void start_picked(const bool *pick)
{
	for (unsigned i = 0; i < ncpus; i++)
		if (pick[i])
			ipi_init(i);
	udelay(INIT_USEC);
	send_sipis(pick);
	send_sipis(pick);
}

unsigned smp_start(void)
{
	bool *pick = alloc(ncpus, 1);
	unsigned want = smp_up();
	bool wide = false;

	for (unsigned i = 0; i < ncpus; i++) {
		pick[i] = cpu_state(i) == CPU_DOWN;
		if (!pick[i])
			continue;
		prepare(&cpus[i]);
		wide |= cpus[i].apic_id > XAPIC_ID_MAX;
		want++;
	}
	if (!prepare_sender(wide))
		printf("# no x2APIC: CPUs with IDs above %d stay down\n", XAPIC_ID_MAX);
	start_picked(pick);
	WAIT_FOR(smp_up() >= want, START_USEC + want * START_USEC_CPU);
	return smp_up();
}

/* INIT, and what the CPU has to find when it wakes up. */
static bool begin_start(unsigned cpu)
{
	struct cpu *c = &cpus[cpu];

	prepare(c);
	if (!prepare_sender(c->apic_id > XAPIC_ID_MAX))
		return false;
	ipi_init(cpu);
	return true;
}

bool smp_start_one(unsigned cpu)
{
	if (!begin_start(cpu))
		return false;
	udelay(INIT_USEC);
	ipi_sipi(cpu, TRAMPOLINE >> 12);
	udelay(SIPI_USEC);
	ipi_sipi(cpu, TRAMPOLINE >> 12);
	return WAIT_FOR(cpu_up(cpu), START_USEC);
}

bool smp_start_after(unsigned cpu, uint64_t init_usec)
{
	if (!begin_start(cpu))
		return false;
	udelay(init_usec);
	ipi_sipi(cpu, TRAMPOLINE >> 12);
	if (WAIT_FOR(cpu_up(cpu), START_USEC / 2))
		return true;
	ipi_sipi(cpu, TRAMPOLINE >> 12);
	return WAIT_FOR(cpu_up(cpu), START_USEC);
}

void smp_went_down(unsigned cpu)
{
	set_state(&cpus[cpu], CPU_DOWN);
}

void smp_went_away(unsigned cpu)
{
	set_state(&cpus[cpu], CPU_UNPLUGGED);
}

bool smp_post(unsigned cpu, void (*fn)(void *), void *arg)
{
	struct cpu *c = &cpus[cpu];

	if (cpu_state(cpu) != CPU_IDLE)
		return false;
	c->fn = fn;
	c->arg = arg;
	set_state(c, CPU_BUSY);
	ipi(cpu, VEC_WAKE);
	return true;
}

bool smp_wait(unsigned cpu, uint64_t usec)
{
	return WAIT_FOR(cpu_state(cpu) == CPU_IDLE, usec);
}

bool smp_run(unsigned cpu, void (*fn)(void *), void *arg, uint64_t usec)
{
	if (cpu == this_cpu()->index) {
		fn(arg);
		return true;
	}
	return smp_post(cpu, fn, arg) && smp_wait(cpu, usec);
}

bool smp_run_all(void (*fn)(void *), void *arg, uint64_t usec)
{
	unsigned me = this_cpu()->index;
	bool ok = true;

	for (unsigned i = 0; i < ncpus; i++)
		if (i != me && cpu_up(i))
			ok &= smp_post(i, fn, arg);
	fn(arg);
	for (unsigned i = 0; i < ncpus; i++)
		if (i != me && cpu_up(i))
			ok &= smp_wait(i, usec);
	return ok;
}

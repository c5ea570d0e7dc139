// SPDX-License-Identifier: MIT
/*
 * stress: with every kind of interrupt on its way at once, while APICs change their mode and CPUs
 * are restarted, does any get lost, come twice or go astray? Each CPU does one random thing after
 * the other and knows whom it has to reach; every arrival is checked against that, and what was sent
 * must have been received to the last one. `seconds=` (10) and `seed=` in the boot arguments.
 * SDM Vol. 3A chapter 10 (APIC), 8.4.4.1 (INIT-SIPI), 10.12.5 (modes); 82093AA, 8259A, 8254.
 */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/ioapic.h"
#include "lib/pic.h"
#include "lib/pit.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define CPUS_MAX     64 /* a mask is 64 bits */
#define FLAT_CPUS    7	/* an eighth bit would make all of them 0xff: everybody */
#define CLUSTER_CPUS 56
#define SECONDS	     10
#define SEED	     0x51b1
#define OP_USEC	     8000000
#define END_USEC     20000000
#define HLT_IDS	     255 /* IDs below this one fit a redirection entry */

#define VEC_IPI	  0x30 /* plus the sender */
#define VEC_LINE  0x70 /* plus the pin */
#define VEC_PIC	  0x90 /* plus the IRQ */
#define VEC_TIMER 0xa0
#define VEC_DONE  0xa1
#define PIC_LINES (1u << 5 | 1u << 10)
#define PIT_PIN	  2

const char guest_name[] = "stress";

enum kind {
	IPI_PHYSICAL,
	IPI_LOGICAL,
	IPI_GROUP,
	IPI_LOWEST,
	IPI_BROADCAST,
	IPI_SHORTHAND,
	IPI_SELF,
	IPI_DONE,
	NMI,
	LINE_EDGE,
	LINE_LEVEL,
	PIT_IOAPIC,
	PIT_PIC,
	PIC_EXTINT,
	TIMER_ONESHOT,
	TIMER_PERIODIC,
	TIMER_DEADLINE,
	KINDS
};

static const char *const kind_names[KINDS] = {
	[IPI_PHYSICAL] = "IPI to one CPU, physical",
	[IPI_LOGICAL] = "IPI to one CPU, logical",
	[IPI_GROUP] = "IPI to a group, logical",
	[IPI_LOWEST] = "IPI, lowest priority",
	[IPI_BROADCAST] = "IPI, broadcast",
	[IPI_SHORTHAND] = "IPI, shorthand",
	[IPI_SELF] = "IPI to itself",
	[IPI_DONE] = "IPI, \"all have it\"",
	[NMI] = "NMI",
	[LINE_EDGE] = "I/O APIC line, edge",
	[LINE_LEVEL] = "I/O APIC line, level",
	[PIT_IOAPIC] = "PIT by I/O APIC pin 2",
	[PIT_PIC] = "PIT by PIC, ExtINT",
	[PIC_EXTINT] = "PIC line, ExtINT",
	[TIMER_ONESHOT] = "APIC timer, one-shot",
	[TIMER_PERIODIC] = "APIC timer, periodic",
	[TIMER_DEADLINE] = "APIC timer, deadline",
};

/* A CPU and the one thing that it is doing. */
static struct worker {
	uint64_t rng;
	enum kind kind;
	uint64_t want; /* CPUs that have still to take it */
	uint32_t left; /* a level, a PIC line, a timer: so many times */
	uint32_t done;
	/* Whoever sends to this CPU holds a reference; closed: nobody gets one. */
	uint32_t refs, closed, quit;
	uint64_t ops, modes, sent[KINDS], got[KINDS];
	uint64_t stray;	      /* took what was not meant for it */
	unsigned stray_of;    /* of which CPU's, the last time, */
	enum kind stray_kind; /* and what that CPU was sending then */
	uint64_t excess;      /* took a level or a tick once more than it needed to */
	uint64_t broken;      /* found its APIC in a wrong mode or with a wrong ID */
} workers[CPUS_MAX] __attribute__((aligned(64)));

/* How CPUs are named in this second. */
static const struct naming {
	const char *name;
	enum apic_mode mode;
	unsigned max;
	uint32_t group_mask;
} namings[] = {
	{"xAPIC flat", APIC_MODE_XAPIC, FLAT_CPUS, 0},
	{"x2APIC", APIC_MODE_X2APIC, CPUS_MAX, 0xffff0000},
	{"xAPIC cluster", APIC_MODE_XAPIC, CLUSTER_CPUS, 0xf0},
};

static const struct naming *naming;
static unsigned nworkers;
static bool wide; /* there are IDs that xAPIC mode cannot name */
static uint64_t timer_hz, second_end, restarts;
static uint32_t failed;
static struct spinlock ioapic_lock, nmi_lock;
static unsigned nmi_owner;
static int pin_owner[24]; /* worker, or -1 */

static uint64_t bit(unsigned cpu)
{
	return 1ull << cpu;
}

static struct worker *my(void)
{
	return &workers[this_cpu()->index];
}

/* xorshift64* */
static uint32_t rnd(uint32_t below)
{
	struct worker *w = my();

	w->rng ^= w->rng >> 12;
	w->rng ^= w->rng << 25;
	w->rng ^= w->rng >> 27;
	return (uint32_t)((w->rng * 0x2545f4914f6cdd1dull >> 32) * below >> 32);
}

static unsigned rnd_cpu(void)
{
	return rnd(nworkers);
}

/* --- who may send to whom */

static bool enter(unsigned cpu)
{
	struct worker *w = &workers[cpu];

	__atomic_add_fetch(&w->refs, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&w->closed, __ATOMIC_SEQ_CST))
		return true;
	__atomic_sub_fetch(&w->refs, 1, __ATOMIC_SEQ_CST);
	return false;
}

static void leave(uint64_t mask)
{
	for (unsigned i = 0; mask >> i && i < nworkers; i++)
		if (mask & bit(i))
			__atomic_sub_fetch(&workers[i].refs, 1, __ATOMIC_SEQ_CST);
}

/* All of them or none. */
static bool enter_all(uint64_t mask)
{
	for (unsigned i = 0; mask >> i && i < nworkers; i++) {
		if (!(mask & bit(i)) || enter(i))
			continue;
		leave(mask & (bit(i) - 1));
		return false;
	}
	return mask != 0;
}

/* From now on nothing is on its way to this CPU. */
static bool shut(unsigned cpu)
{
	struct worker *w = &workers[cpu];

	__atomic_store_n(&w->closed, 1, __ATOMIC_SEQ_CST);
	return OPEN_FOR(!__atomic_load_n(&w->refs, __ATOMIC_SEQ_CST), OP_USEC);
}

static void open(unsigned cpu)
{
	__atomic_store_n(&workers[cpu].closed, 0, __ATOMIC_SEQ_CST);
}

/* --- arrivals */

static void finish(unsigned who, bool by_ipi)
{
	if (who == this_cpu()->index || !by_ipi) {
		__atomic_store_n(&workers[who].done, 1, __ATOMIC_RELEASE);
		return;
	}
	my()->sent[IPI_DONE]++;
	ipi(who, VEC_DONE);
}

/*
 * This CPU took what `who` sent. The last one tells the sender, by an IPI that wakes it; but an NMI
 * may have interrupted the two writes of an xAPIC ICR, so its handler sends none.
 */
static void arrive(unsigned who, bool by_ipi)
{
	unsigned me = this_cpu()->index;
	struct worker *s = &workers[who];
	enum kind kind = s->kind; /* before its last target is crossed out: then it goes on */
	uint64_t before, after = 0;

	if (kind == IPI_LOWEST) {
		before = __atomic_exchange_n(&s->want, 0, __ATOMIC_ACQ_REL);
	} else {
		before = __atomic_fetch_and(&s->want, ~bit(me), __ATOMIC_ACQ_REL);
		after = before & ~bit(me);
	}
	if (!(before & bit(me))) {
		my()->stray++;
		my()->stray_of = who;
		my()->stray_kind = kind;
		return;
	}
	my()->got[kind]++;
	if (!after)
		finish(who, by_ipi);
}

static void arrive_again(unsigned who)
{
	struct worker *s = &workers[who];

	my()->got[s->kind]++;
	s->left--;
}

static void on_ipi(struct regs *r)
{
	apic_eoi();
	arrive((unsigned)r->vector - VEC_IPI, true);
}

static void on_done(struct regs *r)
{
	(void)r;
	apic_eoi();
	my()->got[IPI_DONE]++;
	__atomic_store_n(&my()->done, 1, __ATOMIC_RELEASE);
}

static void on_nmi(struct regs *r)
{
	(void)r;
	arrive(nmi_owner, false);
}

/* A level falls at the last time, before the EOI: the earlier EOIs find it high. */
static void on_line(struct regs *r)
{
	unsigned pin = (unsigned)r->vector - VEC_LINE;
	int who = __atomic_load_n(&pin_owner[pin], __ATOMIC_ACQUIRE);
	struct worker *s = who < 0 ? NULL : &workers[who];
	bool level = s && s->kind == LINE_LEVEL;
	bool wanted = level ? s->left : s && (s->kind == LINE_EDGE || s->kind == PIT_IOAPIC);

	if (level && s->left == 1)
		line_set(pin, false);
	apic_eoi();
	if (!wanted) {
		my()->excess++; /* a level too many, perhaps during the IPI that waits for it */
	} else if (level && s->left > 1) {
		arrive_again((unsigned)who);
	} else {
		s->left = 0;
		arrive((unsigned)who, true);
	}
}

/*
 * CPU 0's own. While the PIC is initialised everything is unmasked, and lines of others can raise what is masked
 * again before it is acknowledged: the spurious IRQ 7, or 15, for which the master alone is in service.
 */
static void on_pic(struct regs *r)
{
	unsigned irq = (unsigned)r->vector - VEC_PIC;
	bool served = pic_isr() & 1u << irq;

	if (served || irq == 15)
		pic_eoi(served ? irq : 2);
	if (!served && (irq == 7 || irq == 15))
		my()->excess++;
	else if (!served)
		my()->stray++;
	else if (my()->left > 1)
		arrive_again(0);
	else
		arrive(0, true);
}

/* A tick that was in IRR when the timer was stopped comes late: perhaps into something else. */
static void on_timer(struct regs *r)
{
	struct worker *s = my();
	bool wanted = s->left && s->kind >= TIMER_ONESHOT && s->kind <= TIMER_DEADLINE;

	(void)r;
	if (wanted && s->left == 1)
		apic_timer_stop();
	apic_eoi();
	if (!wanted) {
		s->excess++;
	} else if (s->left > 1) {
		arrive_again(this_cpu()->index);
	} else {
		s->left = 0;
		arrive(this_cpu()->index, true);
	}
}

/* --- one thing after the other */

static void begin(enum kind kind, uint64_t targets, unsigned arrivals, uint32_t left)
{
	struct worker *w = my();

	w->kind = kind;
	w->left = left;
	w->done = 0;
	w->sent[kind] += arrivals;
	__atomic_store_n(&w->want, targets, __ATOMIC_SEQ_CST);
}

static bool is_done(void *arg)
{
	return __atomic_load_n(&((struct worker *)arg)->done, __ATOMIC_ACQUIRE);
}

static void end(bool in_time)
{
	struct worker *w = my();

	w->ops++;
	if (!in_time && !__atomic_exchange_n(&failed, 1, __ATOMIC_RELAXED))
		printf("# CPU %u waits in vain: %s, wanted from CPUs 0x%lx, %u times\n",
		       this_cpu()->index, kind_names[w->kind], w->want, w->left);
}

static void wait_halted(void)
{
	end(hlt_until(is_done, my(), OP_USEC));
}

/*
 * The timer itself is what wakes from HLT: no other limit on the time. Whoever waits for this CPU wakes it at last
 * (wait_idle), and nobody waits for CPU 0: it does not halt.
 */
static void wait_for_timer(void)
{
	uint64_t limit = rdtsc() + usec_to_tsc(OP_USEC);

	cli();
	while (!is_done(my()) && (int64_t)(limit - rdtsc()) > 0) {
		if (this_cpu()->index)
			sti_hlt();
		else
			irq_window();
		cli();
	}
	end(is_done(my()));
}

static unsigned targets_in(uint64_t mask)
{
	unsigned n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

static uint32_t logical_dest(unsigned cpu)
{
	if (naming->mode == APIC_MODE_X2APIC)
		return x2apic_ldr(cpus[cpu].apic_id);
	return naming->group_mask ? cpu / 4 << 4 | 1u << cpu % 4 : 1u << cpu;
}

/* A CPU's group: those that one logical destination can name together with it. */
static uint64_t group_of(unsigned cpu, uint32_t *dest)
{
	uint64_t mask = 0;

	*dest = 0;
	for (unsigned i = 0; i < nworkers && i < naming->max; i++) {
		if ((logical_dest(i) ^ logical_dest(cpu)) & naming->group_mask)
			continue;
		mask |= bit(i);
		*dest |= logical_dest(i);
	}
	return mask;
}

static void send(enum kind kind, uint64_t targets, unsigned arrivals, uint32_t low, uint32_t dest)
{
	if (!enter_all(targets))
		return;
	begin(kind, targets, arrivals, 0);
	apic_icr(low | ICR_ASSERT | (VEC_IPI + this_cpu()->index), dest);
	wait_halted();
	leave(targets);
}

static void do_physical(void)
{
	unsigned cpu = rnd_cpu();

	send(IPI_PHYSICAL, bit(cpu), 1, DM_FIXED, cpus[cpu].apic_id);
}

static void do_logical(void)
{
	unsigned cpu = rnd(nworkers < naming->max ? nworkers : naming->max);

	send(IPI_LOGICAL, bit(cpu), 1, DM_FIXED | DM_LOGICAL, logical_dest(cpu));
}

static void do_group(void)
{
	unsigned cpu = rnd(nworkers < naming->max ? nworkers : naming->max);
	bool lowest = rnd(2);
	uint32_t dest;
	uint64_t mask = group_of(cpu, &dest);

	if (lowest)
		send(IPI_LOWEST, mask, 1, DM_LOWEST | DM_LOGICAL, dest);
	else
		send(IPI_GROUP, mask, targets_in(mask), DM_FIXED | DM_LOGICAL, dest);
}

static uint64_t everybody(void)
{
	return nworkers == CPUS_MAX ? ~0ull : bit(nworkers) - 1;
}

static void do_broadcast(void)
{
	send(IPI_BROADCAST, everybody(), nworkers, DM_FIXED,
	     naming->mode == APIC_MODE_X2APIC ? X2APIC_BROADCAST : XAPIC_BROADCAST);
}

static void do_shorthand(void)
{
	uint64_t all = everybody(), others = all & ~bit(this_cpu()->index);

	if (rnd(2))
		send(IPI_SHORTHAND, all, nworkers, DM_FIXED | ICR_ALL, 0);
	else
		send(IPI_SHORTHAND, others, nworkers - 1, DM_FIXED | ICR_OTHERS, 0);
}

static bool self_ipi(void)
{
	unsigned me = this_cpu()->index;

	begin(IPI_SELF, bit(me), 1, 0);
	if (apic_mode() == APIC_MODE_X2APIC)
		apic_write(APIC_SELF_IPI, VEC_IPI + me);
	else
		ipi_shorthand(ICR_SELF, DM_FIXED, VEC_IPI + me);
	return OPEN_FOR(is_done(my()), OP_USEC);
}

static void do_self(void)
{
	end(self_ipi());
}

/* NMIs have no vector to tell the sender by: one at a time. */
static void do_nmi(void)
{
	unsigned cpu = rnd_cpu();

	if (!spin_trylock(&nmi_lock))
		return;
	if (enter(cpu)) {
		nmi_owner = this_cpu()->index;
		begin(NMI, bit(cpu), 1, 0);
		ipi_nmi(cpu);
		end(OPEN_FOR(is_done(my()), OP_USEC));
		leave(bit(cpu));
	}
	spin_unlock(&nmi_lock);
}

static uint32_t ticks(uint64_t usec)
{
	return (uint32_t)(usec * (timer_hz / 1000) / 1000);
}

static void do_timer(void)
{
	uint32_t usec = 300 + rnd(1200), times = 2 + rnd(4);
	enum kind kind = TIMER_ONESHOT + rnd(tsc_deadline_supported() ? 3 : 2);

	cli();
	apic_timer_divide(1u << rnd(8));
	begin(kind, bit(this_cpu()->index), kind == TIMER_PERIODIC ? times : 1,
	      kind == TIMER_PERIODIC ? times : 1);
	if (kind == TIMER_DEADLINE) {
		apic_timer_deadline(VEC_TIMER, rdtsc() + usec_to_tsc(usec));
	} else {
		apic_timer_divide(1);
		(kind == TIMER_PERIODIC ? apic_timer_periodic : apic_timer_oneshot)(VEC_TIMER,
										    ticks(usec));
	}
	wait_for_timer();
}

/* --- the I/O APIC's lines */

static void set_entry(unsigned pin, uint64_t entry)
{
	uint64_t flags = irq_save();

	spin_lock(&ioapic_lock);
	ioapic_set(pin, entry);
	spin_unlock(&ioapic_lock);
	irq_restore(flags);
}

static uint64_t get_entry(unsigned pin)
{
	uint64_t flags = irq_save(), entry;

	spin_lock(&ioapic_lock);
	entry = ioapic_redir(pin);
	spin_unlock(&ioapic_lock);
	irq_restore(flags);
	return entry;
}

static bool claim(unsigned pin)
{
	int nobody = -1;

	return __atomic_compare_exchange_n(&pin_owner[pin], &nobody, (int)this_cpu()->index, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void unclaim(unsigned pin)
{
	__atomic_store_n(&pin_owner[pin], -1, __ATOMIC_RELEASE);
}

/* Half of the edges in flat mode go to the lowest priority of the group. */
static void raise_edge(unsigned pin, unsigned cpu)
{
	uint64_t targets = bit(cpu);
	uint32_t dest = cpus[cpu].apic_id, dm = 0;

	if (naming->mode == APIC_MODE_XAPIC && cpu < naming->max && rnd(2)) {
		targets = group_of(cpu, &dest);
		dm = DM_LOGICAL;
	}
	if (!enter_all(targets))
		return;
	begin(LINE_EDGE, targets, targets_in(targets), 0);
	set_entry(pin, (VEC_LINE + pin) | dm | REDIR_DEST(dest));
	line_set(pin, true);
	line_set(pin, false);
	wait_halted();
	set_entry(pin, REDIR_MASKED);
	leave(targets);
}

static void raise_level(unsigned pin, unsigned cpu)
{
	uint32_t times = 1 + rnd(3);

	if (!enter(cpu))
		return;
	begin(LINE_LEVEL, bit(cpu), times, times);
	set_entry(pin, (VEC_LINE + pin) | REDIR_LEVEL | REDIR_DEST(cpus[cpu].apic_id));
	line_set(pin, true);
	wait_halted();
	line_set(pin, false);
	if (!OPEN_FOR(!(get_entry(pin) & REDIR_REMOTE_IRR), OP_USEC))
		end(false);
	set_entry(pin, REDIR_MASKED);
	/* One level too many may wait in its IRR: an IPI of lower priority is taken after it. */
	begin(IPI_PHYSICAL, bit(cpu), 1, 0);
	apic_icr(DM_FIXED | ICR_ASSERT | (VEC_IPI + this_cpu()->index), cpus[cpu].apic_id);
	wait_halted();
	leave(bit(cpu));
}

/* Lines without a device, and without the PIC's two: 3, 6, 7, 9, 11, 13-23. */
static void do_line(void)
{
	static const uint8_t pins[] = {3, 6, 7, 9, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};
	unsigned pin = pins[rnd(ARRAY_SIZE(pins))], cpu = rnd_cpu();

	if (cpus[cpu].apic_id >= HLT_IDS || !claim(pin))
		return;
	if (rnd(2))
		raise_edge(pin, cpu);
	else
		raise_level(pin, cpu);
	unclaim(pin);
}

/* --- what only CPU 0 does: PIT, PIC, restarts of others */

static void do_pit_ioapic(void)
{
	unsigned cpu = rnd_cpu();

	if (cpus[cpu].apic_id >= HLT_IDS || !claim(PIT_PIN))
		return;
	if (enter(cpu)) {
		begin(PIT_IOAPIC, bit(cpu), 1, 0);
		set_entry(PIT_PIN, (VEC_LINE + PIT_PIN) | REDIR_DEST(cpus[cpu].apic_id));
		pit_set(0, 0, (uint16_t)(300 + rnd(2000)));
		wait_halted();
		set_entry(PIT_PIN, REDIR_MASKED);
		leave(bit(cpu));
	}
	unclaim(PIT_PIN);
}

/* Initialised afresh, which forgets the edges that came while it was masked. */
static void pic_unmask(uint16_t irqs)
{
	uint64_t flags = irq_save();

	pic_init(VEC_PIC, VEC_PIC + 8);
	pic_mask((uint16_t) ~(irqs | 1u << 2));
	irq_restore(flags);
}

static void do_pic(void)
{
	bool pit = rnd(2);
	unsigned times = pit ? 1 : 1 + rnd(2);

	begin(pit ? PIT_PIC : PIC_EXTINT, bit(0), times, times);
	pic_unmask(pit ? 1 : PIC_LINES);
	if (pit)
		pit_set(0, 0, (uint16_t)(300 + rnd(2000)));
	else
		line_set(times == 2 || rnd(2) ? 10 : 5, true);
	if (times == 2)
		line_set(5, true);
	wait_halted();
	pic_mask(0xffff);
	line_set(5, false);
	line_set(10, false);
}

static void work(void *arg);

static void spin_deaf(void *arg)
{
	(void)arg;
	cli();
	for (;;)
		cpu_relax();
}

/* One that halts for ever is woken: it sees that its time is up, and says what it waited for. */
static bool wait_idle(unsigned cpu)
{
	if (OPEN_FOR(cpu_state(cpu) == CPU_IDLE, END_USEC))
		return true;
	ipi(cpu, VEC_WAKE);
	OPEN_FOR(cpu_state(cpu) == CPU_IDLE, EXPECT_USEC);
	return false;
}

/* INIT finds the CPU halted, or spinning with interrupts off. */
static void do_restart(void)
{
	unsigned cpu = 1 + rnd(nworkers - 1);
	struct worker *w = &workers[cpu];
	bool ok;

	__atomic_store_n(&w->quit, 1, __ATOMIC_RELEASE);
	ok = wait_idle(cpu) && shut(cpu);
	if (ok && rnd(2))
		smp_post(cpu, spin_deaf, NULL);
	w->quit = 0;
	ok = ok && smp_start_one(cpu) && smp_post(cpu, work, NULL);
	restarts++;
	my()->ops++;
	if (!ok && !__atomic_exchange_n(&failed, 1, __ATOMIC_RELAXED))
		printf("# CPU %u does not come back from INIT-SIPI\n", cpu);
}

/* --- APIC modes */

/* The mode and naming of this second; a CPU without a logical name has LDR 0, which matches none. */
static void settle_in(void)
{
	unsigned me = this_cpu()->index;

	if (naming->mode == APIC_MODE_XAPIC)
		apic_logical(me < naming->max ? (uint8_t)logical_dest(me) : 0,
			     naming->group_mask ? DFR_CLUSTER : DFR_FLAT);
	apic_extint(me == 0);
}

/* One transition, and what must hold after it. Interrupts are for the mode that all others are in. */
static void change_mode(enum apic_mode mode)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	uint32_t id = cpus[this_cpu()->index].apic_id;

	if (mode != APIC_MODE_DISABLED)
		base |= APIC_BASE_ENABLE;
	if (mode == APIC_MODE_X2APIC)
		base |= APIC_BASE_X2APIC;
	wrmsr(MSR_APIC_BASE, base);
	apic_follow();
	my()->modes++;
	my()->broken += apic_mode() != mode;
	if (mode == APIC_MODE_DISABLED)
		return;
	my()->broken += apic_id() != (mode == APIC_MODE_XAPIC ? id & 0xff : id);
	if (mode != naming->mode)
		return;
	apic_enable();
	if (!self_ipi())
		end(false);
}

/*
 * Once around (SDM Vol. 3A figure 10-27): back to where it was. Nobody sends to it meanwhile, and it is
 * software-disabled: in another mode than the others it would take logical names for its own that mean
 * something else there.
 */
static void do_modes(void)
{
	static const enum apic_mode ring[] = {APIC_MODE_XAPIC, APIC_MODE_X2APIC,
					      APIC_MODE_DISABLED};
	unsigned at = naming->mode == APIC_MODE_XAPIC ? 0 : 1, me = this_cpu()->index;

	if (!x2apic_supported())
		return;
	if (!shut(me)) {
		end(false);
		return;
	}
	apic_write(APIC_SVR, VEC_SPURIOUS);
	for (unsigned i = 1; i <= ARRAY_SIZE(ring); i++)
		change_mode(ring[(at + i) % ARRAY_SIZE(ring)]);
	settle_in();
	my()->ops++;
	open(me);
}

/* --- the mix */

static const struct deed {
	void (*act)(void);
	unsigned weight;
	enum { ANYBODY, BOOT_CPU, THE_OTHERS } who;
} deeds[] = {
	{do_physical, 20, ANYBODY},   {do_logical, 16, ANYBODY},  {do_group, 12, ANYBODY},
	{do_broadcast, 3, ANYBODY},   {do_shorthand, 6, ANYBODY}, {do_self, 6, ANYBODY},
	{do_nmi, 6, ANYBODY},	      {do_timer, 8, ANYBODY},	  {do_line, 16, ANYBODY},
	{do_pit_ioapic, 6, BOOT_CPU}, {do_pic, 10, BOOT_CPU},	  {do_restart, 3, BOOT_CPU},
	{do_modes, 6, THE_OTHERS},
};

static bool allowed(const struct deed *d)
{
	unsigned me = this_cpu()->index;

	if (d->act == do_restart && nworkers == 1)
		return false;
	return d->who == ANYBODY || (d->who == BOOT_CPU) == (me == 0);
}

static void do_something(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(deeds); i++)
		n += allowed(&deeds[i]) ? deeds[i].weight : 0;
	n = rnd(n);
	for (unsigned i = 0; i < ARRAY_SIZE(deeds); i++) {
		if (!allowed(&deeds[i]))
			continue;
		if (n < deeds[i].weight) {
			deeds[i].act();
			return;
		}
		n -= deeds[i].weight;
	}
}

/* A second of it on one CPU, interrupts open but where something must not be torn apart. */
static void work(void *arg)
{
	struct worker *w = my();

	(void)arg;
	settle_in();
	open(this_cpu()->index);
	while (!__atomic_load_n(&w->quit, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&failed, __ATOMIC_RELAXED) && (int64_t)(second_end - rdtsc()) > 0) {
		sti();
		do_something();
	}
	cli();
}

/* --- the account */

static uint64_t sum(enum kind from, enum kind to, bool got)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < nworkers; i++)
		for (enum kind k = from; k <= to; k++)
			n += got ? workers[i].got[k] : workers[i].sent[k];
	return n;
}

static uint64_t mode_changes(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < nworkers; i++)
		n += workers[i].modes;
	return n;
}

static void print_progress(unsigned second)
{
	printf("%3u  %-13s %8lu %7lu %8lu %8lu %7lu %7lu %9lu %5lu\n", second, naming->name,
	       sum(IPI_PHYSICAL, IPI_DONE, true), sum(NMI, NMI, true),
	       sum(LINE_EDGE, LINE_LEVEL, true), sum(PIT_IOAPIC, PIC_EXTINT, true),
	       sum(TIMER_ONESHOT, TIMER_DEADLINE, true), mode_changes(), restarts,
	       sum(0, KINDS - 1, false) - sum(0, KINDS - 1, true));
}

static void print_table(void)
{
	printf("\n%-26s %10s %10s %6s\n", "interrupts", "sent", "received", "lost");
	for (enum kind k = 0; k < KINDS; k++)
		printf("  %-24s %10lu %10lu %6ld\n", kind_names[k], sum(k, k, false),
		       sum(k, k, true), (long)(sum(k, k, false) - sum(k, k, true)));
	printf("  %-24s %10lu %10lu %6ld\n\n", "all", sum(0, KINDS - 1, false),
	       sum(0, KINDS - 1, true), (long)(sum(0, KINDS - 1, false) - sum(0, KINDS - 1, true)));
}

static void one_second(unsigned second)
{
	const struct naming *next = &namings[wide ? 1 : second % 4 == 3 ? 1 : second % 4];
	bool ok = true;

	if (!x2apic_supported())
		next = &namings[second % 2 * 2];
	for (unsigned i = 0; i < nworkers; i++)
		workers[i].closed = 1;
	if (naming && naming->mode != next->mode)
		for (unsigned i = 0; i < nworkers; i++)
			workers[i].modes += next->mode == APIC_MODE_XAPIC ? 2 : 1;
	naming = next;
	ok = all_to_mode((int)naming->mode);
	second_end = rdtsc() + usec_to_tsc(1000000);
	for (unsigned i = 1; i < nworkers; i++)
		ok = ok && smp_post(i, work, NULL);
	work(NULL);
	for (unsigned i = 1; i < nworkers; i++)
		ok &= wait_idle(i);
	if (!ok && !__atomic_exchange_n(&failed, 1, __ATOMIC_RELAXED))
		printf("# a CPU does not answer any more\n");
	print_progress(second + 1);
}

static void check(void)
{
	uint64_t stray = 0, excess = 0, broken = 0, idle = 0;
	unsigned wrong = 0;

	for (unsigned i = 0; i < nworkers; i++) {
		stray += workers[i].stray;
		if (workers[i].stray)
			printf("# CPU %u took %lu not meant for it, the last while CPU %u sent: %s\n",
			       i, workers[i].stray, workers[i].stray_of,
			       kind_names[workers[i].stray_kind]);
		excess += workers[i].excess;
		broken += workers[i].broken;
		idle += !workers[i].ops;
	}
	for (enum kind k = 0; k < KINDS; k++)
		wrong += sum(k, k, false) != sum(k, k, true);
	if (excess)
		printf("# %lu levels, ticks or spurious interrupts came once more than needed%s\n",
		       excess, lapic_in_service() ? "" : ": " NO_SERVICE);
	report(!failed && !wrong, "every interrupt sent was received, of each kind: lost %ld",
	       (long)(sum(0, KINDS - 1, false) - sum(0, KINDS - 1, true)));
	report(!stray, "no CPU took what was not meant for it");
	report(!idle, "each of the %u CPUs took part", nworkers);
	report(!broken,
	       "every APIC was in the right mode with the right ID after each of %lu "
	       "mode changes",
	       mode_changes());
	if (nworkers > 1)
		report(smp_up() >= nworkers,
		       "every CPU came back from each of %lu INIT-SIPI restarts", restarts);
	else
		report_skip("one CPU", "INIT-SIPI restarts");
}

static void prepare(uint64_t seed)
{
	for (unsigned i = 0; i < nworkers; i++) {
		workers[i].rng = (seed ^ 0x9e3779b97f4a7c15ull) * (2 * i + 1) | 1;
		irq_install(VEC_IPI + i, on_ipi);
	}
	for (unsigned pin = 0; pin < ARRAY_SIZE(pin_owner); pin++) {
		pin_owner[pin] = -1;
		irq_install(VEC_LINE + pin, on_line);
	}
	for (unsigned irq = 0; irq < 16; irq++)
		irq_install(VEC_PIC + irq, on_pic);
	irq_install(VEC_TIMER, on_timer);
	irq_install(VEC_DONE, on_done);
	irq_install(EXC_NMI, on_nmi);
	ioapic_mask_all();
	for (unsigned gsi = 0; gsi < ARRAY_SIZE(pin_owner); gsi++)
		line_set(gsi, false);
	pic_init(VEC_PIC, VEC_PIC + 8);
	timer_hz = apic_timer_hz();
	lapic_in_service();
}

void guest_main(void)
{
	uint64_t seconds = arg_u64("seconds", SECONDS), seed = arg_u64("seed", SEED);

	if (!line_set(3, false)) {
		report_skip("the machine has no test lines", "everything");
		return;
	}
	smp_start();
	wide = apic_mode() == APIC_MODE_X2APIC;
	while (nworkers < ncpus && nworkers < CPUS_MAX && cpu_up(nworkers))
		nworkers++;
	/* The others shall not take broadcasts: after an INIT they wait for a SIPI. */
	for (unsigned i = nworkers; i < ncpus; i++) {
		if (!cpu_up(i))
			continue;
		ipi_init(i);
		smp_went_down(i);
	}
	prepare(seed);
	printf("stress: %u CPUs, %lu s, seed 0x%lx; running totals:\n\n", nworkers, seconds, seed);
	printf("  s  APIC mode         IPIs    NMIs  I/O APIC  PIC+PIT  timers   modes INIT-SIPI  lost\n");
	for (unsigned s = 0; s < seconds && !failed; s++)
		one_second(s);
	print_table();
	check();
}

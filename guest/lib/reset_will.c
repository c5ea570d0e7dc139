// SPDX-License-Identifier: MIT
/*
 * The end of a life: every CPU is marked, the others take up roles that are hard to stop, messages of each kind are
 * on their way to them and from them, and then somebody asks for the reset.
 */
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/report.h"
#include "lib/reset_exam.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define ROLE_USEC	5000000
#define FLOOD_USEC	20
#define FLOOD_NMI	8
#define QUIET_LIFE_USEC 3000 /* a few ticks of each timer that ran */
#define DEADLINE_USEC	1000

enum role { SPINNING, HALTED, FLOODING, WAITING_FOR_SIPI, ROLES };

static uint32_t in_role, asked;
static enum way asked_way;

static void install_handlers(void)
{
	static const uint8_t ends[] = {VEC_SELF, VEC_TIMER, VEC_FLOOD,
				       VEC_EDGE, VEC_LEVEL, VEC_LVT};

	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++)
		irq_install(ends[i], irq_eoi);
	for (unsigned v = VEC_PIC; v < VEC_PIC + 16; v++)
		irq_install(v, irq_none);
	irq_install(VEC_IN_SERVICE, irq_none);
	irq_install(0xef, irq_none); /* as spurious vector (cpu_mark) */
	irq_install(EXC_NMI, irq_none);
}

static void in_role_now(void)
{
	__atomic_add_fetch(&in_role, 1, __ATOMIC_ACQ_REL);
}

/* Interrupts off, in the other mode than the boot CPU perhaps; may be the one that asks. */
static void spin(void *mode)
{
	apic_mode_set(*(const enum apic_mode *)mode);
	cpu_mark(NULL);
	in_role_now();
	/* One of them: a second one's writes would undo what the first one leaves in port 0xcf9. */
	while (__atomic_load_n(&asked, __ATOMIC_ACQUIRE) != 1 ||
	       __atomic_exchange_n(&asked, 2, __ATOMIC_ACQ_REL) != 1)
		cpu_relax();
	way_ask(asked_way);
}

/* Woken by its own timer all the time. */
static void halt(void *mode)
{
	apic_mode_set(*(const enum apic_mode *)mode);
	cpu_mark(NULL);
	in_role_now();
	for (;;)
		sti_hlt();
}

static void flood(void *mode)
{
	apic_mode_set(*(const enum apic_mode *)mode);
	cpu_mark(NULL);
	in_role_now();
	for (unsigned n = 0;; n++) {
		if (n % FLOOD_NMI)
			ipi(0, VEC_FLOOD);
		else
			ipi_nmi(0);
		udelay(FLOOD_USEC);
	}
}

static void wait_for_sipi(void *mode)
{
	apic_mode_set(*(const enum apic_mode *)mode);
	cpu_mark(NULL);
	in_role_now();
	for (;;)
		asm volatile("cli; hlt");
}

static enum role role_of(unsigned cpu, unsigned turn)
{
	return (enum role)((cpu - 1 + turn) % ROLES);
}

static void give_roles(const struct will *will)
{
	static void (*const fns[ROLES])(void *) = {spin, halt, flood, wait_for_sipi};
	static enum apic_mode modes[2] = {APIC_MODE_XAPIC, APIC_MODE_X2APIC};
	unsigned want = 0;

	for (unsigned i = 1; i < ncpus; i++)
		if (cpu_up(i))
			want += smp_post(i, fns[role_of(i, will->turn)],
					 &modes[x2apic_supported() && (i + will->turn / 2) % 2]);
	check(OPEN_FOR(__atomic_load_n(&in_role, __ATOMIC_ACQUIRE) == want, ROLE_USEC),
	      "%u CPUs took up their roles, %u did", want, in_role);
}

/* Nobody has the time to take them. */
static void send_messages(const struct will *will)
{
	for (unsigned i = 1; i < ncpus; i++)
		if (role_of(i, will->turn) == WAITING_FOR_SIPI)
			ipi_init(i);
	for (unsigned i = 1; i < ncpus; i++) {
		ipi(i, VEC_FLOOD);
		if (role_of(i, will->turn) == WAITING_FOR_SIPI)
			ipi_sipi(i, TRAMPOLINE >> 12);
		else
			ipi_nmi(i);
	}
	for (unsigned i = 1; i < ncpus; i++)
		if (role_of(i, will->turn) == HALTED)
			ipi_init(i);
}

/* INIT reaches the boot CPU alone: the others must not do anything in a life that is not theirs. */
static void park_others(void)
{
	for (unsigned i = 1; i < ncpus; i++)
		ipi_init(i);
}

static void take_state(enum will_state state)
{
	if (state == IN_DISABLED)
		apic_mode_set(APIC_MODE_DISABLED);
	if (state == IN_SOFT_DISABLED)
		apic_write(APIC_SVR, VEC_SPURIOUS);
}

/*
 * The reset comes while the CPU is in its NMI handler, and the next NMI waits for the end of it (SDM Vol. 3A
 * 6.7.1).
 */
static void ask_in_nmi(struct regs *r)
{
	(void)r;
	if (this_cpu()->index) /* one that was on its way to another CPU */
		return;
	irq_install(EXC_NMI, irq_none);
	ipi_nmi(0);
	way_ask(asked_way);
}

static void ask_here(const struct will *will)
{
	if (will->state == IN_DISABLED) { /* takes no NMI */
		way_ask(will->way);
		return;
	}
	irq_install(EXC_NMI, ask_in_nmi);
	ipi_nmi(0);
	udelay(ROLE_USEC);
}

bool will_by_ap(const struct will *will)
{
	for (unsigned i = 1; will->by_ap && i < ncpus; i++)
		if (role_of(i, will->turn) == SPINNING)
			return true;
	return false;
}

void will_carry_out(const struct will *will)
{
	install_handlers();
	in_role = asked = 0;
	apic_mode_set(will->state == IN_X2APIC ? APIC_MODE_X2APIC : APIC_MODE_XAPIC);
	chips_mark();
	if (will->way == WAY_INIT)
		park_others();
	else
		give_roles(will);
	ram_mark();
	cpu_mark(NULL);
	chips_raise();
	if (will->turn % 2 && tsc_deadline_supported())
		apic_timer_deadline(VEC_TIMER, rdtsc() + usec_to_tsc(DEADLINE_USEC));
	if (will->way != WAY_INIT)
		send_messages(will);
	take_state(will->state);
	asked_way = will->way;
	if (!will_by_ap(will)) {
		ask_here(will);
		return;
	}
	__atomic_store_n(&asked, 1, __ATOMIC_RELEASE);
	udelay(ROLE_USEC);
}

void will_check_quiet(void)
{
	unsigned up = 0;

	OPEN_FOR(false, QUIET_LIFE_USEC);
	for (unsigned i = 1; i < ncpus; i++)
		up += cpu_up(i);
	check(up == 0 && aps_lost == 0, "no other CPU runs before it is started");
	irq_install(EXC_NMI, irq_none);
	ipi_nmi(0);
	check(WAIT_FOR(irq_count(0, EXC_NMI), EXPECT_USEC) && irq_count(0, EXC_NMI) == 1,
	      "NMIs are not blocked, and none was pending: %u", irq_count(0, EXC_NMI));
}

// SPDX-License-Identifier: MIT
#include "lib/apic.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/init_lives.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/timer.h"
#include "lib/x86.h"

#define VEC_BUSY   0x61 /* is never left */
#define VEC_HELD   0x35 /* held back by TPR */
#define VEC_TICK   0x62
#define TICK_COUNT 200000
#define TPR_HOLDS  0x40
#define CR4_OSFXSR (1ull << 9)
#define DR7_UNUSED 0x000f0400 /* a breakpoint described, and not enabled */
#define FX_MXCSR   24
#define FX_XMM0	   160
#define FCW	   0x027f
#define MXCSR	   0x3f80

static const struct life *life;
static uint32_t begun, ended;
static uint64_t apic_base;

uint32_t life_beat(unsigned cpu)
{
	return irq_count(cpu, 0); /* no CPU divides by 0, and each has a word there */
}

static void beat(void)
{
	struct cpu *c = this_cpu();

	__atomic_store_n(&c->irqs[0], c->irqs[0] + 1, __ATOMIC_RELEASE);
	cpu_relax();
}

static void begin(void)
{
	__atomic_store_n(&begun, 1, __ATOMIC_RELEASE);
}

static void fill_registers(void)
{
	asm volatile("mov %0, %%cr2" ::"r"(0x12345000ul));
	asm volatile("mov %0, %%dr0" ::"r"(0x23456ul));
	asm volatile("mov %0, %%dr7" ::"r"((uint64_t)DR7_UNUSED));
	apic_write(APIC_LVT_ERROR, 0x45);
	apic_write(APIC_LVT0, DM_NMI | LVT_MASKED);
	apic_write(APIC_TIMER_DIV, 0xa);
	if (this_cpu()->apic->mode == APIC_MODE_XAPIC)
		apic_logical((uint8_t)(1u << this_cpu()->index % 7), DFR_FLAT);
	if (life->cr0)
		write_cr0(read_cr0() | life->cr0);
}

static void live(void *arg)
{
	(void)arg;
	fill_registers();
	apic_base = rdmsr(MSR_APIC_BASE);
	life->live();
}

/* --- lives */

static void spin(void)
{
	begin();
	for (;;)
		beat();
}

static void spin_open(void)
{
	sti();
	spin();
}

static void halt_open(void)
{
	begin();
	for (;;)
		sti_hlt();
}

static void halt_closed(void)
{
	begin();
	for (;;)
		asm volatile("cli; hlt" ::: "memory");
}

static void disabled(void)
{
	apic_write(APIC_SVR, VEC_SPURIOUS);
	spin();
}

static void on_busy(struct regs *r)
{
	(void)r;
	ipi_shorthand(ICR_SELF, DM_FIXED, VEC_HELD); /* waits behind this one */
	spin();
}

static void handle(void)
{
	ipi_shorthand(ICR_SELF, DM_FIXED, VEC_BUSY);
	for (;;)
		irq_window();
}

static void wait_nmi(void)
{
	sti();
	for (;;)
		beat();
}

static void on_nmi(struct regs *r)
{
	(void)r;
	if (life && life->live == wait_nmi && !begun)
		spin();
}

static void send_nmi(unsigned cpu)
{
	WAIT_FOR(life_beat(cpu) != 0, EXPECT_USEC);
	ipi_nmi(cpu);
}

static void hold_back(void)
{
	apic_write(APIC_TPR, TPR_HOLDS);
	ipi_shorthand(ICR_SELF, DM_FIXED, VEC_HELD);
	spin_open();
}

static void tick(void)
{
	apic_timer_periodic(VEC_TICK, TICK_COUNT);
	begin();
	for (;;)
		sti_hlt();
}

/* Sends all the time; an INIT may come while the ICR is busy. */
static void send(void)
{
	begin();
	for (;;) {
		ipi_shorthand(ICR_SELF, DM_FIXED, VEC_HELD);
		beat();
	}
}

static void wait_sipi(unsigned cpu)
{
	WAIT_FOR(__atomic_load_n(&begun, __ATOMIC_ACQUIRE), EXPECT_USEC);
	ipi_init(cpu);
	udelay(QUIET_USEC);
}

static void be_deaf(void)
{
	enum apic_mode mode = apic_mode();

	apic_mode_set(APIC_MODE_DISABLED);
	begin();
	while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE))
		beat();
	apic_mode_set(mode);
}

const struct life life_spins = {"spinning", spin, NULL, 0};
const struct life life_deaf = {"its APIC globally disabled", be_deaf, NULL, 0};

#define NW (1ull << 29)
#define CD (1ull << 30)

const struct life lives[] = {
	{"spinning with interrupts on", spin_open, NULL, 0},
	{"spinning with interrupts off", spin, NULL, 0},
	{"halted with interrupts on", halt_open, NULL, 0},
	{"halted with interrupts off", halt_closed, NULL, 0},
	{"its APIC software-disabled", disabled, NULL, 0},
	{"in an interrupt handler", handle, NULL, 0},
	{"in an NMI handler", wait_nmi, send_nmi, 0},
	{"an interrupt held back by TPR", hold_back, NULL, 0},
	{"its timer ticking", tick, NULL, 0},
	{"sending IPIs", send, NULL, 0},
	{"waiting for SIPI", spin, wait_sipi, 0},
	{"caches off (CD)", spin, NULL, CD},
	{"caches off (CD and NW)", spin, NULL, CD | NW},
};
const unsigned nlives = ARRAY_SIZE(lives);

void life_install(void)
{
	irq_install(LIFE_VEC, irq_eoi);
	irq_install(VEC_BUSY, on_busy);
	irq_install(VEC_HELD, irq_eoi);
	irq_install(VEC_TICK, irq_eoi);
	irq_install(EXC_NMI, on_nmi);
}

bool life_begin(unsigned cpu, const struct life *l)
{
	life = l;
	ended = 0;
	cpus[cpu].irqs[0] = 0;
	__atomic_store_n(&begun, 0, __ATOMIC_RELEASE);
	if (!smp_post(cpu, live, NULL))
		return false;
	if (l->poke)
		l->poke(cpu);
	return WAIT_FOR(__atomic_load_n(&begun, __ATOMIC_ACQUIRE), EXPECT_USEC);
}

void life_end(void)
{
	__atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
}

/* The NMI first: the IRET behind any other interrupt would end the blocking that an INIT has to end. */
bool life_works(unsigned cpu)
{
	uint32_t irqs = irq_count(cpu, LIFE_VEC), nmis = irq_count(cpu, EXC_NMI);

	ipi_nmi(cpu);
	if (!OPEN_FOR(irq_count(cpu, EXC_NMI) == nmis + 1, EXPECT_USEC))
		return false;
	ipi(cpu, LIFE_VEC);
	return OPEN_FOR(irq_count(cpu, LIFE_VEC) == irqs + 1, EXPECT_USEC);
}

uint64_t life_apic_base(void)
{
	return apic_base;
}

/* --- FXSAVE area: SDM Vol. 1, table 10-2 */

static uint8_t image[512] __attribute__((aligned(16)));

static void put32(unsigned at, uint32_t v)
{
	memcpy(image + at, &v, sizeof(v));
}

void life_fpu(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR);
	asm volatile("fxsave %0" : "=m"(image));
	image[0] = FCW & 0xff;
	image[1] = FCW >> 8;
	put32(FX_MXCSR, MXCSR);
	for (unsigned i = 0; i < 4; i++)
		put32(FX_XMM0 + 4 * i, 0x11223344 * (i + 1));
	asm volatile("fxrstor %0" ::"m"(image));
}

bool life_fpu_kept(const uint8_t *fx)
{
	return !memcmp(fx, image, 2) && !memcmp(fx + FX_MXCSR, image + FX_MXCSR, 4) &&
	       !memcmp(fx + FX_XMM0, image + FX_XMM0, 16);
}

bool life_fpu_reset(const uint8_t *fx)
{
	static const uint8_t fcw[2] = {0x40, 0}, mxcsr[4] = {0x80, 0x1f}, xmm0[16];

	return !memcmp(fx, fcw, 2) && !memcmp(fx + FX_MXCSR, mxcsr, 4) &&
	       !memcmp(fx + FX_XMM0, xmm0, 16);
}

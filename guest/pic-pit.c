// SPDX-License-Identifier: MIT
/*
 * pic-pit: do the two 8259As and the 8254 do what an old system asks of them? The PIC's INTR
 * reaches the boot CPU through LINT0 as ExtINT (MP specification 1.4, 3.6.2.2, virtual wire). 8259A
 * data sheet (231468): interrupt sequence, priorities, EOI, masks, poll; 8254 data sheet (231164):
 * modes, latch and read-back commands; ICH9 data sheet 13.4.10, 13.7.1: ELCR, port 0x61.
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

#define VEC_PIC	     0x30 /* plus the IRQ */
#define IRQ_A	     5	  /* lines without a device on them; ELCR can make them level-triggered */
#define IRQ_B	     7
#define IRQ_C	     3
#define IRQ_D	     10 /* on the second PIC */
#define IRQ_SPURIOUS 7

#define OCW2_EOI	  0x20
#define OCW2_ROTATE_EOI	  0xa0
#define OCW2_SET_PRIORITY 0xc0 /* plus the IRQ that becomes the lowest */
#define OCW3_POLL	  0x0c
#define OCW3_SMM_ON	  0x68
#define OCW3_SMM_OFF	  0x48

#define PIT_CONTROL  0x43
#define PIT_PORT(n)  ((uint16_t)(0x40 + (n)))
#define READ_BACK    0xc0
#define ST_OUT	     0x80
#define ST_NULL	     0x40
#define MODE_ONESHOT 0
#define MODE_TRIGGER 1
#define MODE_RATE    2
#define MODE_SQUARE  3
#define HZ	     200
#define TICKS	     40

#define OLD_POLL  "KVM's PIC before Linux 6.5 gives no bit 7"
#define KVM_PIC	  "KVM's PIC has no special mask mode"
#define KVM_POLL  "KVM's PIC ends what is polled"
#define KVM_OUT1  "KVM's PIT has OUT upside down in mode 1"
#define KVM_LINT0 "KVM does not look at its PIC again when LINT0 is unmasked"
#define KVM_NULL  "KVM's PIT has no null count"
#define KVM_BCD	  "KVM's PIT counts in binary always"
#define KVM_GATE0 "KVM's PIT does not look at the gate in mode 0"

const char guest_name[] = "pic-pit";

/* --- the handler: which IRQs came, in their order; an EOI for each or none */

enum manner { EOI, NO_EOI, LOWER_EOI };

static struct {
	enum manner manner;
	unsigned until; /* LOWER_EOI: at this interrupt, earlier ones leave the line high */
	unsigned n;
	uint8_t irqs[8];
	uint16_t isr; /* in the last one */
} seen;

static void on_irq(struct regs *r)
{
	unsigned irq = (unsigned)r->vector - VEC_PIC;

	seen.isr = pic_isr();
	if (seen.n < ARRAY_SIZE(seen.irqs))
		seen.irqs[seen.n] = (uint8_t)irq;
	seen.n++;
	if (seen.manner == LOWER_EOI && seen.n >= seen.until)
		line_set(irq, false);
	/* A default IRQ 7 is not in service: an EOI would end another one. */
	if (seen.manner != NO_EOI && seen.isr & 1u << irq)
		pic_eoi(irq);
}

/* Initialised afresh, which forgets latched edges, with these IRQs unmasked. */
static void prepare(enum manner manner, uint16_t irqs)
{
	cli();
	/* The data sheet does not say that ICW1 clears ISR, and KVM's PIC keeps it. */
	for (unsigned irq = 0; irq < 16; irq++)
		pic_eoi(irq);
	pic_init(VEC_PIC, VEC_PIC + 8);
	for (unsigned irq = 3; irq < 16; irq++)
		if (1u << irq & (1u << IRQ_A | 1u << IRQ_B | 1u << IRQ_C | 1u << IRQ_D))
			line_set(irq, false);
	pic_elcr(0);
	pic_mask((uint16_t) ~(irqs | (irqs >> 8 ? 1u << 2 : 0)));
	irq_clear();
	seen.manner = manner;
	seen.until = 1;
	seen.n = 0;
	apic_extint(true);
}

static bool came(unsigned n)
{
	if (n)
		OPEN_FOR(__atomic_load_n(&seen.n, __ATOMIC_ACQUIRE) >= n, EXPECT_USEC);
	settle();
	return seen.n == n;
}

/* Exactly these, in this order. */
static bool came_as(unsigned a, unsigned b)
{
	return came(2) && seen.irqs[0] == a && seen.irqs[1] == b;
}

static void pulse(unsigned irq)
{
	line_set(irq, true);
	line_set(irq, false);
}

/* --- PIC */

static void test_one(void)
{
	prepare(EOI, 1u << IRQ_A);
	line_set(IRQ_A, true);
	report(came(1) && seen.irqs[0] == IRQ_A, "virtual wire: an edge is one interrupt");
	report(seen.isr == 1u << IRQ_A, "ISR has its bit in the handler");
	report(pic_isr() == 0, "and not after the EOI");
	line_set(IRQ_A, false);
	line_set(IRQ_A, true);
	report(came(2), "the next edge is the next interrupt");

	prepare(EOI, 1u << IRQ_D);
	line_set(IRQ_D, true);
	report(came(1) && seen.irqs[0] == IRQ_D, "the second PIC's arrive by the cascade");
	report(seen.isr == (1u << IRQ_D | 1u << 2), "ISR has both bits");
	report(pic_isr() == 0, "and none after both EOIs");
	pulse(IRQ_D);
	line_set(IRQ_D, true);
	report(came(2), "the next edge there is the next interrupt");
}

static void test_masks(void)
{
	prepare(EOI, 0);
	report(pic_imr() == 0xffff, "IMR reads back");
	line_set(IRQ_A, true);
	report(came(0), "IMR: masked, none comes");
	report(pic_irr() == 1u << IRQ_A, "IMR: IRR has the request");
	pic_mask((uint16_t) ~(1u << IRQ_A));
	report(came(1), "IMR: unmasked, it comes");
	report(pic_irr() == 0, "IRR is empty again");

	prepare(EOI, 1u << IRQ_A);
	apic_extint(false);
	line_set(IRQ_A, true);
	report(came(0), "LINT0: masked, none comes");
	apic_extint(true);
	report_known(came(1), kvm_chips(), KVM_LINT0, "LINT0: unmasked, it comes");
}

static void test_priority(void)
{
	prepare(EOI, 1u << IRQ_A | 1u << IRQ_C | 1u << IRQ_D);
	line_set(IRQ_A, true);
	line_set(IRQ_C, true);
	report(came_as(IRQ_C, IRQ_A), "priority: IRQ %u before IRQ %u", IRQ_C, IRQ_A);
	line_set(IRQ_A, false);
	line_set(IRQ_A, true);
	line_set(IRQ_D, true);
	report(came(4) && seen.irqs[2] == IRQ_D && seen.irqs[3] == IRQ_A,
	       "priority: IRQ %u, by way of IRQ 2, before IRQ %u", IRQ_D, IRQ_A);

	prepare(NO_EOI, 1u << IRQ_A | 1u << IRQ_B | 1u << IRQ_C);
	line_set(IRQ_A, true);
	came(1);
	line_set(IRQ_B, true);
	report(came(1), "in service: a lower priority waits");
	line_set(IRQ_C, true);
	report(came(2) && seen.irqs[1] == IRQ_C, "in service: a higher priority comes");
	pic_eoi(IRQ_C);
	report(came(2), "in service: its EOI leaves the first one there");
	outb(PIC1, OCW2_EOI);
	report(came(3) && seen.irqs[2] == IRQ_B,
	       "in service: the non-specific EOI ends the highest, and the lower priority comes");
}

static void test_rotation(void)
{
	prepare(NO_EOI, 1u << IRQ_A | 1u << IRQ_B | 1u << IRQ_C);
	line_set(IRQ_A, true);
	came(1);
	outb(PIC1, OCW2_ROTATE_EOI);
	seen.manner = EOI;
	line_set(IRQ_C, true);
	line_set(IRQ_B, true);
	report(came(3) && seen.irqs[1] == IRQ_B && seen.irqs[2] == IRQ_C,
	       "rotate on EOI: the served one becomes the lowest, IRQ %u comes before IRQ %u",
	       IRQ_B, IRQ_C);

	prepare(EOI, 1u << IRQ_A | 1u << IRQ_C);
	outb(PIC1, OCW2_SET_PRIORITY | IRQ_C);
	line_set(IRQ_C, true);
	line_set(IRQ_A, true);
	report(came_as(IRQ_A, IRQ_C), "set priority: IRQ %u is the lowest", IRQ_C);
}

static void test_special_mask(void)
{
	prepare(NO_EOI, 1u << IRQ_A | 1u << IRQ_B);
	line_set(IRQ_A, true);
	came(1);
	outb(PIC1, OCW3_SMM_ON);
	pic_mask((uint16_t) ~(1u << IRQ_B));
	line_set(IRQ_B, true);
	report_known(came(2) && seen.irqs[1] == IRQ_B, kvm_chips(), KVM_PIC,
		     "special mask: what is in service and masked does not hold others back");
	outb(PIC1, OCW3_SMM_OFF);
	pic_eoi(IRQ_A);
	pic_eoi(IRQ_B);
	settle();
}

/* ICW4 with AEOI; ICW1-3 as pic_init() has them. */
static void test_auto_eoi(void)
{
	prepare(NO_EOI, 0);
	outb(PIC1, 0x11);
	outb(PIC1 + 1, VEC_PIC);
	outb(PIC1 + 1, 1 << 2);
	outb(PIC1 + 1, 0x03);
	pic_mask((uint16_t) ~(1u << IRQ_A | 1u << IRQ_B));
	line_set(IRQ_A, true);
	report(came(1) && seen.isr == 0, "AEOI: ISR is empty in the handler");
	line_set(IRQ_B, true);
	report(came_as(IRQ_A, IRQ_B), "AEOI: without an EOI a lower priority comes");
}

static void test_poll(void)
{
	uint8_t answer;
	uint16_t isr;

	prepare(EOI, 1u << IRQ_A);
	apic_extint(false);
	outb(PIC1, OCW3_POLL);
	report(!(inb(PIC1) & 0x80), "poll: bit 7 is clear without a request");
	line_set(IRQ_A, true);
	outb(PIC1, OCW3_POLL);
	answer = inb(PIC1);
	isr = pic_isr();
	report((answer & 7) == IRQ_A, "poll: names the request");
	report_known(isr == 1u << IRQ_A, kvm_chips(), KVM_POLL, "poll: puts it in service");
	report_known(answer & 0x80, kvm_chips(), OLD_POLL, "poll: bit 7 is set with a request");
	pic_eoi(IRQ_A);
	apic_extint(true);
	report(came(0), "poll: what was polled does not interrupt");
}

static void test_level(void)
{
	prepare(LOWER_EOI, 1u << IRQ_A | 1u << IRQ_D);
	pic_elcr(1u << IRQ_A | 1u << IRQ_D);
	line_set(IRQ_A, true);
	report(came(1), "ELCR: a level that falls before the EOI is one interrupt");
	line_set(IRQ_D, true);
	report(came(2) && seen.irqs[1] == IRQ_D, "ELCR: on the second PIC as well");
	seen.until = 6;
	line_set(IRQ_A, true);
	report(came(6), "ELCR: one that stays interrupts after each EOI, until it falls");
}

/*
 * "If no interrupt request is present at [the acknowledge], the 8259A will issue an interrupt level
 * 7", which is not in service. A machine whose INTR has fallen before the CPU looks gives none.
 */
static void test_spurious(void)
{
	bool ok = true;
	unsigned spurious = 0;

	for (unsigned i = 0; i < 20; i++) {
		prepare(EOI, 1u << IRQ_A);
		pic_elcr(1u << IRQ_A);
		for (unsigned j = 0; j < 5; j++)
			pulse(IRQ_A);
		settle();
		ok &= seen.n == 0 || (seen.n == 1 && seen.irqs[0] == IRQ_SPURIOUS &&
				      !(seen.isr & 1u << IRQ_SPURIOUS));
		spurious += seen.n;
	}
	report(ok,
	       "spurious: a level that fell again is nothing or IRQ 7 without its ISR bit (%u of %u)",
	       spurious, 20);
}

/* --- PIT */

/* A control word alone stops an 8254; KVM's PIT goes on until a count comes, here for 55 ms. */
static void quiet(void)
{
	pit_set(0, MODE_ONESHOT, 0);
}

/* Ticks may coalesce while the host is busy, and a machine may make up for them; hence the bounds. */
static void test_rate(unsigned mode, const char *name)
{
	uint64_t start, periods;
	unsigned n;

	prepare(EOI, 1u << 0);
	start = rdtsc();
	pit_set(0, mode, PIT_HZ / HZ);
	OPEN_FOR(false, 1000000ull * TICKS / HZ);
	n = seen.n;
	periods = tsc_to_usec(rdtsc() - start) * HZ / 1000000;
	quiet();
	pic_mask(0xffff);
	report(n >= periods / 8 && n <= periods * 4 / 3,
	       "PIT mode %u, %s: %u interrupts in %lu periods", mode, name, n, periods);
}

static void test_oneshot(void)
{
	uint64_t start, took_usec;
	bool low;

	quiet();
	prepare(EOI, 1u << 0);
	start = rdtsc();
	pit_set(0, MODE_ONESHOT, PIT_HZ / 100);
	low = !(pit_status(0) & ST_OUT);
	report(low || tsc_to_usec(rdtsc() - start) >= 9500,
	       "PIT mode 0: OUT is low while it counts");
	OPEN_FOR(seen.n, EXPECT_USEC);
	took_usec = tsc_to_usec(rdtsc() - start);
	report(seen.n == 1 && took_usec >= 9500, "PIT mode 0: one interrupt after 10 ms");
	report(pit_status(0) & ST_OUT, "PIT mode 0: OUT is high at the end");
	OPEN_FOR(false, 60000); /* the count wraps after 54.9 ms */
	report(came(1), "PIT mode 0: and no other");
}

/* Between two latched counts: no less than passed between the commands, no more than around them. */
static void test_count(void)
{
	static const char name[] = "PIT latch: the count runs down at 1.193182 MHz";
	uint64_t t0, t1, t2, t3, least, most, ticks;
	unsigned tries = 0;

	do {
		uint16_t from;

		t0 = rdtsc();
		from = pit_count(0);
		t1 = rdtsc();
		udelay(5000);
		t2 = rdtsc();
		ticks = (uint16_t)(from - pit_count(0));
		t3 = rdtsc();
		least = tsc_to_usec(t2 - t1) * PIT_HZ / 1000000;
		most = tsc_to_usec(t3 - t0) * PIT_HZ / 1000000;
	} while (most > 0xc000 && ++tries < 20); /* it could have wrapped */
	if (most > 0xc000) {
		report_skip("the host never gave this CPU 40 ms without a break", name);
		return;
	}
	if (!report(ticks + ticks / 50 + 2 >= least && ticks <= most + most / 50 + 2, name))
		printf("# %lu counts, expected %lu to %lu\n", ticks, least, most);
}

static void test_read_back(void)
{
	uint8_t status, low, high;
	uint16_t counts;
	uint64_t start;

	pit_stop(0, MODE_RATE);
	status = pit_status(0);
	report((status & 0x3f) == 0x34, "PIT read-back: the control word");
	report_known(status & ST_NULL, kvm_chips(), KVM_NULL,
		     "PIT read-back: null count while none was written");
	pit_set(0, MODE_RATE, 0);
	report(WAIT_FOR(!(pit_status(0) & ST_NULL), EXPECT_USEC),
	       "PIT read-back: no null count when it was loaded");
	test_count();

	/* Both latched by one command: the status comes first, then the count as it was. */
	outb(PIT_CONTROL, READ_BACK | 1 << 1);
	start = rdtsc();
	udelay(2000);
	status = inb(PIT_PORT(0));
	low = inb(PIT_PORT(0));
	high = inb(PIT_PORT(0));
	counts = (uint16_t)((low | high << 8) - pit_count(0));
	report((status & 0x3f) == 0x34 && (counts > 2000 || tsc_to_usec(rdtsc() - start) > 50000),
	       "PIT read-back: status and count of one moment");
	pit_stop(0, MODE_ONESHOT);
}

/* 1000 in BCD: no digit above 9, and never more than it began with. */
static void test_bcd(void)
{
	bool ok = true;

	outb(PIT_CONTROL, 0x35);
	outb(PIT_PORT(0), 0x00);
	outb(PIT_PORT(0), 0x10);
	for (unsigned i = 0; i < 100 && ok; i++) {
		uint16_t count = pit_count(0);

		for (unsigned shift = 0; shift < 16; shift += 4)
			ok &= (count >> shift & 15) < 10;
		ok &= count <= 0x1000;
	}
	report_known(ok, kvm_chips(), KVM_BCD, "PIT BCD: four decimal digits");
	pit_stop(0, MODE_ONESHOT);
}

static void test_gate2(void)
{
	uint64_t start;
	bool low_for;

	pit_gate2(false);
	report(!(inb(0x61) & 1), "port 0x61: the gate reads back low");
	pit_set(2, MODE_ONESHOT, PIT_HZ / 1000);
	udelay(5000);
	report_known(!pit_out2(), kvm_chips(), KVM_GATE0,
		     "PIT channel 2, mode 0: a low gate stops the count");
	pit_gate2(true);
	report(inb(0x61) & 1, "port 0x61: the gate reads back high");
	report(WAIT_FOR(pit_out2(), EXPECT_USEC), "PIT channel 2, mode 0: a high gate lets it run");

	pit_gate2(false);
	pit_set(2, MODE_TRIGGER, PIT_HZ / 50);
	udelay(1000);
	report(pit_out2(), "PIT channel 2, mode 1: OUT is high before the trigger");
	start = rdtsc();
	pit_gate2(true);
	low_for = !pit_out2() || tsc_to_usec(rdtsc() - start) > 20000;
	low_for &= WAIT_FOR(pit_out2(), EXPECT_USEC) && tsc_to_usec(rdtsc() - start) > 19000;
	report_known(low_for, kvm_chips(), KVM_OUT1,
		     "PIT channel 2, mode 1: the gate's rise pulls OUT low for 20 ms");
	pit_gate2(false);
}

static void test_pit(void)
{
	test_rate(MODE_RATE, "rate generator");
	test_rate(MODE_SQUARE, "square wave");
	test_oneshot();
	prepare(EOI, 0);
	test_read_back();
	test_bcd();
	test_gate2();
}

void guest_main(void)
{
	bool elsewhere = false;

	if (!line_set(IRQ_A, false)) {
		report_skip("the machine has no test lines", "the PIC's lines");
		return;
	}
	smp_start();
	for (unsigned irq = 0; irq < 16; irq++)
		irq_install(VEC_PIC + irq, on_irq);
	ioapic_mask_all();
	pit_stop(0, MODE_ONESHOT);
	test_one();
	test_masks();
	test_priority();
	test_rotation();
	test_special_mask();
	test_auto_eoi();
	test_poll();
	test_level();
	test_spurious();
	test_pit();
	for (unsigned irq = 0; irq < 16; irq++)
		elsewhere |= irq_total(VEC_PIC + irq) != irq_count(0, VEC_PIC + irq);
	report(!elsewhere, "no other CPU took any of them");
	prepare(EOI, 0);
	apic_extint(false);
}

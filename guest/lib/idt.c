// SPDX-License-Identifier: MIT
/* Interrupts and exceptions (SDM Vol. 3A chapter 6): counting, handlers, and faults that were asked
 * for. */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/timer.h"
#include "lib/x86.h"

#define EXCEPTIONS     32
#define ENTRY_SIZE     16
#define INTERRUPT_GATE 0x8e00
#define UART_LSR       5 /* a port whose reading changes nothing */
#define WINDOW_USEC    2000

struct gate {
	uint16_t offset0, selector, type, offset1;
	uint32_t offset2, zero;
};

extern char isr_entries[], try_resume[];
int try_call(uint64_t *rsp, void (*fn)(void *), void *arg);
void interrupt(struct regs *r);

static struct gate idt[256];
static irq_fn handlers[256];

void idt_init(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t at = (uint64_t)isr_entries + v * ENTRY_SIZE;

		idt[v] = (struct gate){.offset0 = (uint16_t)at,
				       .selector = SEL_CODE64,
				       .type = INTERRUPT_GATE,
				       .offset1 = (uint16_t)(at >> 16),
				       .offset2 = (uint32_t)(at >> 32)};
	}
	irq_install(VEC_SPURIOUS, irq_none);
	irq_install(VEC_WAKE, irq_eoi);
}

void idt_load(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = {sizeof(idt) - 1, (uint64_t)idt};

	asm volatile("lidt %0" ::"m"(idtr));
}

static _Noreturn void unexpected(const struct regs *r)
{
	const struct cpu *c = this_cpu();
	const char *what =
		r->vector < EXCEPTIONS && r->vector != EXC_NMI ? "exception" : "interrupt";

	panic("unexpected %s %lu on CPU %u (APIC ID %u), error code 0x%lx, cr2 0x%lx\n"
	      "  rip %016lx  cs %04lx  rflags %08lx  ss:rsp %04lx:%016lx\n"
	      "  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n"
	      "  rsi %016lx rdi %016lx rbp %016lx r8  %016lx",
	      what, r->vector, c->index, c->apic_id, r->error, read_cr2(), r->rip, r->cs, r->rflags,
	      r->ss, r->rsp, r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->r8);
}

/* Leaves the function that guest_try() runs, if this CPU is in one and not in an interrupt above
 * it. */
static bool leave_try(struct cpu *c, struct regs *r)
{
	struct try *t = c->try;

	if (!t || t->depth != c->irq_depth)
		return false;
	if (t->fault)
		*t->fault = (struct fault){(unsigned)r->vector, r->error,
					   r->vector == EXC_PF ? read_cr2() : 0, r->rip};
	r->rip = (uint64_t)try_resume;
	r->rsp = t->rsp;
	return true;
}

/* Called by isr.S for every vector. */
void interrupt(struct regs *r)
{
	struct cpu *c = this_cpu();
	irq_fn fn = handlers[r->vector];

	if (r->vector < EXCEPTIONS && r->vector != EXC_NMI && leave_try(c, r))
		return;
	__atomic_store_n(&c->irqs[r->vector], c->irqs[r->vector] + 1, __ATOMIC_RELEASE);
	if (!fn)
		unexpected(r);
	c->irq_depth++;
	fn(r);
	c->irq_depth--;
}

void irq_install(unsigned vector, irq_fn fn)
{
	__atomic_store_n(&handlers[vector & 0xff], fn, __ATOMIC_RELEASE);
}

void irq_eoi(struct regs *r)
{
	(void)r;
	apic_eoi();
}

void irq_none(struct regs *r)
{
	(void)r;
}

void irq_window(void)
{
	sti();
	if (board.serial_port)
		inb((uint16_t)(board.serial_port + UART_LSR));
	else
		udelay(WINDOW_USEC);
	asm volatile("nop" ::: "memory");
	cli();
}

uint32_t irq_count(unsigned cpu, unsigned vector)
{
	return __atomic_load_n(&cpus[cpu].irqs[vector & 0xff], __ATOMIC_ACQUIRE);
}

uint32_t irq_total(unsigned vector)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < ncpus; i++)
		n += irq_count(i, vector);
	return n;
}

void irq_clear(void)
{
	for (unsigned i = 0; i < ncpus; i++)
		memset(cpus[i].irqs, 0, sizeof(cpus[i].irqs));
}

bool irq_wait(unsigned cpu, unsigned vector, uint32_t n, uint64_t usec)
{
	return WAIT_FOR(irq_count(cpu, vector) >= n, usec);
}

bool irq_wait_total(unsigned vector, uint32_t n, uint64_t usec)
{
	return WAIT_FOR(irq_total(vector) >= n, usec);
}

bool guest_try(void (*fn)(void *), void *arg, struct fault *f)
{
	struct cpu *c = this_cpu();
	struct try t = {.outer = c->try, .fault = f, .depth = c->irq_depth};
	bool ran;

	if (f)
		*f = (struct fault){.vector = FAULT_NONE};
	c->try = &t;
	barrier();
	ran = try_call(&t.rsp, fn, arg);
	barrier();
	c->try = t.outer;
	return ran;
}

struct access {
	uint64_t where, value;
};

static void do_rdmsr(void *arg)
{
	struct access *a = arg;

	a->value = rdmsr((uint32_t)a->where);
}

static void do_wrmsr(void *arg)
{
	struct access *a = arg;

	wrmsr((uint32_t)a->where, a->value);
}

static void do_read32(void *arg)
{
	struct access *a = arg;

	a->value = mmio_read32(a->where);
}

static void do_write32(void *arg)
{
	struct access *a = arg;

	mmio_write32(a->where, (uint32_t)a->value);
}

bool rdmsr_try(uint32_t msr, uint64_t *value, struct fault *f)
{
	struct access a = {msr, 0};
	bool ran = guest_try(do_rdmsr, &a, f);

	*value = a.value;
	return ran;
}

bool wrmsr_try(uint32_t msr, uint64_t value, struct fault *f)
{
	struct access a = {msr, value};

	return guest_try(do_wrmsr, &a, f);
}

bool mmio_read32_try(uint64_t addr, uint32_t *value, struct fault *f)
{
	struct access a = {addr, 0};
	bool ran = guest_try(do_read32, &a, f);

	*value = (uint32_t)a.value;
	return ran;
}

bool mmio_write32_try(uint64_t addr, uint32_t value, struct fault *f)
{
	struct access a = {addr, value};

	return guest_try(do_write32, &a, f);
}

bool wrmsr_gp(uint32_t msr, uint64_t value)
{
	struct fault f;

	return !wrmsr_try(msr, value, &f) && f.vector == EXC_GP && f.error == 0;
}

bool rdmsr_gp(uint32_t msr)
{
	struct fault f;
	uint64_t value;

	return !rdmsr_try(msr, &value, &f) && f.vector == EXC_GP && f.error == 0;
}

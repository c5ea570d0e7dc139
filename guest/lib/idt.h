/* SPDX-License-Identifier: MIT */
#ifndef GUEST_IDT_H
#define GUEST_IDT_H

#include <stdbool.h>
#include <stdint.h>

/* What isr.S leaves on the stack. */
struct regs {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/*
 * Every interrupt and NMI is counted for its CPU, then given to the handler of its vector. A vector
 * without a handler is a failure of the guest: registers on the console, exit code 1. Handlers run
 * with interrupts off, and send EOI themselves; irq_eoi and irq_none are ready-made ones that do
 * just that. Handlers are common to all CPUs.
 */
typedef void (*irq_fn)(struct regs *r);

void irq_install(unsigned vector, irq_fn fn); /* NULL: unexpected again */
void irq_eoi(struct regs *r);
void irq_none(struct regs *r);

/* How often CPU number `cpu` took this vector since the last irq_clear(). */
uint32_t irq_count(unsigned cpu, unsigned vector);
/* The same over all CPUs. */
uint32_t irq_total(unsigned vector);
void irq_clear(void);
/* Waits until CPU number `cpu` took the vector at least n times; false when the time is up. */
bool irq_wait(unsigned cpu, unsigned vector, uint32_t n, uint64_t usec);
/* The same over all CPUs. */
bool irq_wait_total(unsigned vector, uint32_t n, uint64_t usec);

/*
 * Lets pending interrupts in, and leaves interrupts off. Between STI and CLI stands an access that leaves
 * the guest: a host that emulates supervisor code recognises interrupts up to 1000 instructions late, but
 * always when it comes back from an exit (measured).
 */
void irq_window(void);

/* An exception that guest_try() caught. */
#define FAULT_NONE 256
struct fault {
	unsigned vector; /* FAULT_NONE: it ran through */
	uint64_t error;
	uint64_t addr; /* CR2; only with EXC_PF */
	uint64_t rip;
};

/*
 * Runs fn(arg) and returns true; at an exception (not an NMI) gives up fn where it stands, fills
 * in *f (may be NULL) and returns false. May nest. A fault inside an interrupt handler that came
 * in between is not caught but fatal.
 */
bool guest_try(void (*fn)(void *), void *arg, struct fault *f);

/* Single accesses that may fault; false on a fault. f may be NULL. */
bool rdmsr_try(uint32_t msr, uint64_t *value, struct fault *f);
bool wrmsr_try(uint32_t msr, uint64_t value, struct fault *f);
bool mmio_read32_try(uint64_t addr, uint32_t *value, struct fault *f);
bool mmio_write32_try(uint64_t addr, uint32_t value, struct fault *f);
/* Whether wrmsr raises #GP(0): what the manual demands for a reserved bit or an illegal value. */
bool wrmsr_gp(uint32_t msr, uint64_t value);
bool rdmsr_gp(uint32_t msr);

void idt_load(void); /* on this CPU */
void idt_init(void);

#endif

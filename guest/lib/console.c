// SPDX-License-Identifier: MIT
/* The 16550A's transmitter, polled, and the two ways to end: guest_exit() and panic(). */
#include "lib/board.h"
#include "lib/console.h"
#include "lib/report.h"
#include "lib/x86.h"

#define UART_THR   0
#define UART_FCR   2
#define UART_LSR   5
#define FCR_ENABLE 0x01
#define FIFO	   16 /* bytes, empty when THRE is set */
#define LSR_THRE   0x20
#define LINE_MAX   400
#define POLLS_MAX  100000 /* a transmitter that stays busy this long does not exist */

/* Where the tree is unreadable, this still has to be said and the machine ended. */
#define PC_SERIAL     0x3f8
#define PC_DEBUG_EXIT 0xf4

static struct spinlock console_lock;

/* A FIFO at a time: each look at LSR is an exit, as each byte is. */
static void put(uint16_t port, const char *s, size_t n)
{
	while (n) {
		size_t piece = n < FIFO ? n : FIFO;

		n -= piece;
		for (unsigned i = 0; !(inb((uint16_t)(port + UART_LSR)) & LSR_THRE); i++)
			if (i == POLLS_MAX)
				return;
		while (piece--)
			outb((uint16_t)(port + UART_THR), (uint8_t)*s++);
	}
}

static void put_line(const char *s)
{
	uint16_t port = board.ncpus ? board.serial_port : PC_SERIAL;

	if (!port)
		return;
	outb((uint16_t)(port + UART_FCR), FCR_ENABLE);
	while (*s) {
		size_t n = 0;

		while (s[n] && s[n] != '\n')
			n++;
		put(port, s, n);
		s += n;
		if (*s == '\n') {
			put(port, "\r\n", 2);
			s++;
		}
	}
}

void vprintf(const char *fmt, va_list ap)
{
	char line[LINE_MAX];
	uint64_t flags;

	vsnprintf(line, sizeof(line), fmt, ap);
	flags = irq_save();
	spin_lock(&console_lock);
	put_line(line);
	spin_unlock(&console_lock);
	irq_restore(flags);
}

int printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	return 0;
}

_Noreturn void guest_exit(uint8_t code)
{
	cli();
	outl(board.ncpus ? board.debug_exit_port : PC_DEBUG_EXIT, code);
	for (;;)
		asm volatile("hlt");
}

_Noreturn void panic(const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list ap;

	cli();
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* The holder of the lock may be the CPU that faulted: give up after a while. */
	for (unsigned n = 0; n < POLLS_MAX && !spin_trylock(&console_lock); n++)
		cpu_relax();
	put_line(guest_name);
	put_line(": ");
	put_line(line);
	put_line("\n");
	guest_exit(1);
}

// SPDX-License-Identifier: MIT
/*
 * The ways to a reset: port 0xcf9 (ICH9 data sheet, 13.7.5), port 0x92 (13.7.3), i8042 command 0xfe, a triple
 * fault (SDM Vol. 3A, "Double Fault Exception"), and INIT, which a CPU may send to itself.
 */
#include "lib/board.h"
#include "lib/console.h"
#include "lib/reset_exam.h"
#include "lib/timer.h"

#define ASK_USEC     2000000
#define KBC_COMMAND  4
#define KBC_RESET    0xfe
#define PORT92	     0x92
#define PORT92_RESET 0x01
#define CF9	     0xcf9
#define CF9_HARD     0x02
#define CF9_RESET    0x04 /* its rising edge */

static const char *const way_names[WAYS] = {"hard", "soft", "kbc", "port92", "triple", "init"};
static const char *const state_names[WILL_STATES] = {"xAPIC mode", "x2APIC mode", "a disabled APIC",
						     "a software-disabled APIC"};

const char *way_name(enum way way)
{
	return way_names[way];
}

const char *will_state_name(enum will_state state)
{
	return state_names[state];
}

static void cf9(uint8_t value)
{
	outb(CF9, value);
	outb(CF9, value | CF9_RESET);
}

static void port92(void)
{
	uint8_t v = inb(PORT92) & (uint8_t)~PORT92_RESET;

	outb(PORT92, v);
	outb(PORT92, v | PORT92_RESET);
}

static void triple_fault(void)
{
	printf("# a triple fault: sipi goes on after it with --on-triple-fault reset\n");
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	asm volatile("lidt %0; ud2" ::"m"(none));
}

void way_ask(enum way way)
{
	uint16_t kbc = board.kbc_port;

	books_close();
	board = (struct board){0};
	switch (way) {
	case WAY_HARD:
		cf9(CF9_HARD);
		break;
	case WAY_SOFT:
		cf9(0);
		break;
	case WAY_KBC:
		outb((uint16_t)(kbc + KBC_COMMAND), KBC_RESET);
		break;
	case WAY_PORT92:
		port92();
		break;
	case WAY_TRIPLE:
		triple_fault();
		break;
	default:
		ipi_init(0);
		break;
	}
	udelay(ASK_USEC);
}

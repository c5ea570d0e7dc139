// SPDX-License-Identifier: MIT
/*
 * IOAPIC, PIC, PIT, UART, RTC and 8042: a reset of the CPUs alone (port 0xcf9 without bit 1: ICH9 data sheet 13.7.5; INIT)
 * leaves them as they were, pending interrupts and all; any other resets them. 82093AA 3.2 (entries masked), PC16550D
 * "Master Reset", MC146818 "RESET".
 */
#include "lib/board.h"
#include "lib/cmos.h"
#include "lib/idt.h"
#include "lib/ioapic.h"
#include "lib/pic.h"
#include "lib/pit.h"
#include "lib/reset_exam.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define UART_IER     1
#define UART_LCR     3
#define UART_MCR     4
#define UART_SCR     7
#define IER_MARK     0x08 /* modem status */
#define LCR_MARK     0x1b /* 8 bits, even parity */
#define MCR_MARK     0x03
#define SCR_MARK     0x5a
#define KBC_STATUS   4
#define KBC_READ     0x20
#define KBC_WRITE    0x60
#define KBC_OBF	     0x01
#define KBC_FRESH    0x45
#define KBC_MARK     0x74
#define KBC_POLLS    1000
#define EDGE_PIN     5
#define LEVEL_PIN    10
#define IOAPIC_ID    (0x0bu << 24)
#define IOAPIC_LIVE  (REDIR_PENDING | REDIR_REMOTE_IRR)
#define PIC_OPEN     (1u << 0 | 1u << 2 | 1u << EDGE_PIN)
#define ELCR_MARK    (1u << LEVEL_PIN)
#define RATE_1024_HZ 0x26
#define RTC_UIP	     0x80
#define PORT92	     0x92
#define PORT92_A20   0x02
#define CF9	     0xcf9
#define CF9_RST_CPU  0x04
#define TICK	     1193 /* about a millisecond */
#define TICK_USEC    5000
#define PIT_PERIODIC 0x34 /* LSB then MSB, mode 2 */
#define STATUS_WORD  0x3f

static uint8_t uart(unsigned reg)
{
	return inb((uint16_t)(board.serial_port + reg));
}

static void uart_set(unsigned reg, uint8_t value)
{
	outb((uint16_t)(board.serial_port + reg), value);
}

static uint16_t kbc_command(void)
{
	return (uint16_t)(board.kbc_port + KBC_STATUS);
}

static uint8_t kbc_command_byte(void)
{
	outb(kbc_command(), KBC_READ);
	for (unsigned i = 0; i < KBC_POLLS && !(inb(kbc_command()) & KBC_OBF); i++)
		cpu_relax();
	return inb(board.kbc_port);
}

static uint64_t edge_entry(void)
{
	return VEC_EDGE | REDIR_DEST(cpus[0].apic_id);
}

static uint64_t level_entry(void)
{
	return VEC_LEVEL | REDIR_LEVEL | REDIR_DEST(cpus[0].apic_id);
}

static void mark_uart(void)
{
	uart_set(UART_LCR, LCR_MARK);
	uart_set(UART_IER, IER_MARK);
	uart_set(UART_MCR, MCR_MARK);
	uart_set(UART_SCR, SCR_MARK);
}

/*
 * While the other CPUs are idle: sipi tells KVM of a level-triggered entry in irqchip mode split, and KVM may wait
 * with that until each CPU has left the guest once, for which one that spins takes its time.
 */
void chips_mark(void)
{
	mark_uart();
	outb(PORT92, 0);
	outb(kbc_command(), KBC_WRITE);
	outb(board.kbc_port, KBC_MARK);
	cmos_write(CMOS_RTC_A, RATE_1024_HZ);
	cmos_write(CMOS_RTC_B, cmos_read(CMOS_RTC_B) | RTC_B_PIE);
	ioapic_write(IOAPIC_REG_ID, IOAPIC_ID);
	ioapic_set(EDGE_PIN, edge_entry());
	ioapic_set(LEVEL_PIN, level_entry());
	pic_init(VEC_PIC, VEC_PIC + 8);
	pic_elcr(ELCR_MARK);
	pic_mask((uint16_t)~PIC_OPEN);
}

/* With the boot CPU's interrupts off: all of these stay on their way. */
void chips_raise(void)
{
	pit_set(0, 2, TICK);
	line_set(EDGE_PIN, true);
	line_set(LEVEL_PIN, true);
	udelay(TICK_USEC);
}

static void check_uart(uint8_t ier, uint8_t lcr, uint8_t mcr)
{
	check(uart(UART_IER) == ier, "UART: IER 0x%x, is 0x%x", ier, uart(UART_IER));
	check(uart(UART_LCR) == lcr, "UART: LCR 0x%x, is 0x%x", lcr, uart(UART_LCR));
	check(uart(UART_MCR) == mcr, "UART: MCR 0x%x, is 0x%x", mcr, uart(UART_MCR));
	check(uart(UART_SCR) == SCR_MARK, "UART: the scratch register has no reset");
}

static void check_kbc_and_rtc(uint8_t command_byte, uint8_t pie)
{
	uint8_t seen = kbc_command_byte();

	check(seen == command_byte, "8042: command byte 0x%x, is 0x%x", command_byte, seen);
	check((cmos_read(CMOS_RTC_B) & RTC_B_PIE) == pie, "RTC: PIE is %s",
	      pie ? "kept" : "cleared");
	check((cmos_read(CMOS_RTC_A) & ~RTC_UIP) == RATE_1024_HZ, "RTC: register A has no reset");
}

static void check_kept(enum way way)
{
	check(inb(PORT92) == 0, "port 0x92: A20 is kept, 0x%x", inb(PORT92));
	check(way != WAY_SOFT || inb(CF9) == CF9_RST_CPU, "port 0xcf9 is kept, 0x%x", inb(CF9));
	check_uart(IER_MARK, LCR_MARK, MCR_MARK);
	check_kbc_and_rtc(KBC_MARK, RTC_B_PIE);
	check(ioapic_read(IOAPIC_REG_ID) == IOAPIC_ID, "I/O APIC: the ID is kept");
	check((ioapic_redir(EDGE_PIN) & ~IOAPIC_LIVE) == edge_entry() &&
		      (ioapic_redir(LEVEL_PIN) & ~IOAPIC_LIVE) == level_entry(),
	      "I/O APIC: entries are kept, 0x%lx 0x%lx", ioapic_redir(EDGE_PIN),
	      ioapic_redir(LEVEL_PIN));
	check(pic_imr() == (uint16_t)~PIC_OPEN, "PIC: the mask is kept, 0x%x", pic_imr());
	check((pic_irr() & (1u << 0 | 1u << EDGE_PIN)) == (1u << 0 | 1u << EDGE_PIN),
	      "PIC: IRQ 0 and %u are still pending, 0x%x", EDGE_PIN, pic_irr());
	check(inb(ELCR + 1) == ELCR_MARK >> 8, "PIC: the edge/level register is kept");
	check((pit_status(0) & STATUS_WORD) == PIT_PERIODIC, "PIT: the mode is kept");
}

/* What was kept must not disturb what comes now. */
static void clean_up(void)
{
	line_set(EDGE_PIN, false);
	line_set(LEVEL_PIN, false);
	ioapic_mask_all();
	ioapic_write(IOAPIC_REG_ID, 0);
	pic_elcr(0);
	pic_init(VEC_PIC, VEC_PIC + 8);
	pit_stop(0, 0);
	cmos_write(CMOS_RTC_B, cmos_read(CMOS_RTC_B) & (uint8_t)~RTC_B_PIE);
	cmos_read(0x0c); /* lets go of the line */
}

/* An interrupt that nobody asked for is fatal here: a spurious one first, then a tick. */
static void check_no_ticks(void)
{
	pic_init(VEC_PIC, VEC_PIC + 8);
	check(pic_irr() == 0, "PIC: nothing is pending, 0x%x", pic_irr());
	apic_extint(true);
	irq_window();
	pic_mask(0xfffe);
	udelay(TICK_USEC);
	irq_window();
	apic_extint(false);
	pic_mask(0xffff);
}

static void check_reset(void)
{
	bool masked = true;

	check(inb(PORT92) == PORT92_A20, "port 0x92 has A20 alone, 0x%x", inb(PORT92));
	check(inb(CF9) == 0, "port 0xcf9 is 0, is 0x%x", inb(CF9));
	check_uart(0, 0, 0);
	check_kbc_and_rtc(KBC_FRESH, 0);
	check(ioapic_read(IOAPIC_REG_ID) == 0, "I/O APIC: the ID is 0");
	for (unsigned pin = 0; pin < ioapic_pins(); pin++)
		masked &= ioapic_redir(pin) == REDIR_MASKED;
	check(masked, "I/O APIC: all entries are masked and else 0");
	check(inb(ELCR) == 0 && inb(ELCR + 1) == 0, "PIC: the edge/level registers are 0");
	check_no_ticks();
}

void chips_check(enum way way)
{
	if (way_devices(way)) {
		check_reset();
		return;
	}
	check_kept(way);
	clean_up();
}

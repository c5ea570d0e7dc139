// SPDX-License-Identifier: MIT
/* The UART model against the PC16550D data sheet ("DS"), by the names of its registers. */
#include <string.h>

#include "test.h"
#include "devices/serial.h"

#define BASE 0x3f8

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

#define FCR    IIR
#define THRE   0x60 /* THRE and TEMT */
#define DR     0x01
#define OE     0x02
#define OUT2   0x08
#define LOOP   0x10
#define NO_IRQ 0x01

static struct serial s;
static struct {
	bool line;
	unsigned rises;
	unsigned room_calls;
	size_t room_seen;
	bool full;
	uint8_t out[64];
	unsigned nout;
} host;

static void set_line(void *ctx, unsigned gsi, bool level)
{
	(void)ctx;
	assert_int_equal(gsi, 4);
	host.rises += level && !host.line;
	host.line = level;
}

static bool put(void *ctx, uint8_t byte)
{
	(void)ctx;
	if (host.nout == sizeof(host.out))
		return false;
	host.out[host.nout++] = byte;
	return true;
}

static bool full(void *ctx)
{
	(void)ctx;
	return host.full;
}

static void rx_room(void *ctx)
{
	(void)ctx;
	host.room_calls++;
	host.room_seen = serial_room(&s);
}

static int setup(void **state)
{
	const struct irq_line irq = {set_line, NULL, 4};
	const struct serial_host h = {put, full, rx_room, NULL};

	(void)state;
	memset(&host, 0, sizeof(host));
	serial_init(&s, BASE, &irq, &h);
	s.dev.ops->reset(&s.dev, RESET_POWER_ON);
	return 0;
}

static uint8_t in(unsigned reg)
{
	return (uint8_t)s.dev.ops->read(&s.dev, BASE + reg, 1);
}

static void out(unsigned reg, uint8_t value)
{
	s.dev.ops->write(&s.dev, BASE + reg, 1, value);
}

static void receive(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		serial_receive(&s, (uint8_t)('a' + i));
}

/* DS "UART Reset Configuration": what master reset leaves. */
static void reset_state_is_that_of_the_data_sheet(void **state)
{
	(void)state;
	out(IER, 0x0f);
	out(FCR, 0x01);
	out(MCR, 0x1f);
	out(LCR, 0x03);
	out(SCR, 0x42);
	s.dev.ops->reset(&s.dev, RESET_HARD);
	assert_int_equal(in(IER), 0);
	assert_int_equal(in(IIR), NO_IRQ);
	assert_int_equal(in(LCR), 0);
	assert_int_equal(in(MCR), 0);
	assert_int_equal(in(LSR), THRE);
	assert_int_equal(in(MSR)&0x0f, 0);
	assert_int_equal(in(SCR), 0x42);
	assert_false(host.line);
}

/* DS "Summary of Registers": IER and MCR have bits that do not exist; SCR holds everything. */
static void undefined_bits_read_zero(void **state)
{
	(void)state;
	out(IER, 0xff);
	out(MCR, 0xff);
	out(SCR, 0xff);
	assert_int_equal(in(IER), 0x0f);
	assert_int_equal(in(MCR), 0x1f);
	assert_int_equal(in(SCR), 0xff);
}

/* DS LCR bit 7: DLAB puts the divisor in place of data and IER. */
static void dlab_selects_the_divisor(void **state)
{
	(void)state;
	receive(1);
	out(IER, 0x01);
	out(LCR, 0x83);
	assert_int_not_equal(in(DATA) | in(IER) << 8, 0);
	out(DATA, 0x34);
	out(IER, 0x12);
	assert_int_equal(in(DATA), 0x34);
	assert_int_equal(in(IER), 0x12);
	out(LCR, 0x03);
	assert_int_equal(in(IER), 0x01);
	assert_int_equal(in(DATA), 'a');
	assert_int_equal(host.nout, 0);
}

/* DS LSR: a byte written goes out, and the transmitter is empty again. */
static void output_reaches_the_host(void **state)
{
	(void)state;
	out(DATA, 'x');
	out(DATA, 'y');
	assert_memory_equal(host.out, "xy", 2);
	assert_int_equal(host.nout, 2);
	assert_int_equal(in(LSR), THRE);
}

/* DS LSR bit 5: while the host takes nothing, the byte is still in the transmitter. */
static void full_host_holds_thre(void **state)
{
	(void)state;
	out(MCR, OUT2);
	out(IER, 0x02);
	in(IIR);
	assert_false(host.line);
	host.full = true;
	out(DATA, 'x');
	assert_int_equal(in(LSR), 0);
	assert_int_equal(in(IIR), NO_IRQ);
	assert_false(host.line);
	host.full = false;
	serial_tx_ready(&s);
	assert_true(host.line);
	assert_int_equal(in(LSR), THRE);
	assert_int_equal(in(IIR), 0x02);
}

/* The host says "ready" also when nothing waited. */
static void tx_ready_without_a_byte_is_no_interrupt(void **state)
{
	(void)state;
	out(MCR, OUT2);
	out(IER, 0x02);
	in(IIR);
	serial_tx_ready(&s);
	assert_int_equal(in(IIR), NO_IRQ);
}

/* DS "Interrupt Control Functions": THRE ends by reading IIR or writing THR. */
static void thre_interrupt_is_cleared_by_iir(void **state)
{
	(void)state;
	out(MCR, OUT2);
	out(IER, 0x02);
	assert_true(host.line);
	assert_int_equal(in(IIR), 0x02);
	assert_false(host.line);
	assert_int_equal(in(IIR), NO_IRQ);
	out(DATA, 'x');
	assert_true(host.line);
	assert_int_equal(in(IIR), 0x02);
}

/* DS "Interrupt Control Functions": IIR clears THRE only when it shows THRE. */
static void iir_of_another_source_keeps_thre(void **state)
{
	(void)state;
	out(IER, 0x03);
	receive(1);
	assert_int_equal(in(IIR), 0x04);
	in(DATA);
	assert_int_equal(in(IIR), 0x02);
}

/* An edge-triggered interrupt controller needs a new edge for each byte that went out. */
static void each_byte_out_makes_an_edge(void **state)
{
	(void)state;
	out(MCR, OUT2);
	out(IER, 0x02);
	assert_int_equal(host.rises, 1);
	out(DATA, 'x');
	assert_int_equal(host.rises, 2);
	out(DATA, 'y');
	assert_int_equal(host.rises, 3);
}

/* Linux tests for it at start-up: enabling THRE interrupts with an empty THR interrupts at once. */
static void enabling_thre_interrupts_again(void **state)
{
	(void)state;
	out(IER, 0x02);
	assert_int_equal(in(IIR), 0x02);
	out(IER, 0x02);
	assert_int_equal(in(IIR), NO_IRQ);
	out(IER, 0x00);
	out(IER, 0x02);
	assert_int_equal(in(IIR), 0x02);
}

/* DS LSR bit 0: without the FIFO there is one byte. */
static void one_byte_without_fifo(void **state)
{
	(void)state;
	assert_int_equal(serial_room(&s), 1);
	receive(1);
	assert_int_equal(serial_room(&s), 0);
	assert_int_equal(in(LSR), THRE | DR);
	assert_int_equal(in(DATA), 'a');
	assert_int_equal(in(LSR), THRE);
}

/* DS LSR bit 1: without the FIFO the old byte is destroyed; reading LSR clears OE. */
static void overrun_without_fifo_replaces_the_byte(void **state)
{
	(void)state;
	receive(2);
	assert_int_equal(in(LSR), THRE | DR | OE);
	assert_int_equal(in(LSR), THRE | DR);
	assert_int_equal(in(DATA), 'b');
}

/* DS LSR bit 1: with the FIFO the bytes in it stay and the new one is lost. */
static void overrun_with_fifo_loses_the_new_byte(void **state)
{
	(void)state;
	out(FCR, 0x01);
	receive(17);
	assert_int_equal(in(LSR), THRE | DR | OE);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(in(DATA), 'a' + i);
	assert_int_equal(in(LSR), THRE);
}

/* DS FCR: bits 7:6 choose 1, 4, 8 or 14 bytes; below it the timeout is reported instead. */
static void trigger_levels_are_1_4_8_14(void **state)
{
	static const uint8_t level[] = {1, 4, 8, 14};

	(void)state;
	out(IER, 0x01);
	for (unsigned i = 0; i < 4; i++) {
		out(FCR, (uint8_t)(i << 6 | 3));
		assert_int_equal(in(IIR), 0xc0 | NO_IRQ);
		for (unsigned n = 1; n <= level[i]; n++) {
			receive(1);
			assert_int_equal(in(IIR), 0xc0 | (n < level[i] ? 0x0c : 0x04));
		}
		in(DATA);
		assert_int_equal(in(IIR), 0xc0 | (level[i] > 1 ? 0x0c : NO_IRQ));
	}
}

/* DS FCR bit 1 clears the receiver's FIFO. */
static void fcr_clears_the_receiver(void **state)
{
	(void)state;
	out(FCR, 0x01);
	receive(5);
	out(FCR, 0x03);
	assert_int_equal(in(LSR), THRE);
	assert_int_equal(serial_room(&s), 16);
}

/* DS FCR bit 0: data is cleared when the FIFO is switched on or off, and not otherwise. */
static void switching_the_fifo_clears_it(void **state)
{
	(void)state;
	receive(1);
	out(FCR, 0x01);
	assert_int_equal(in(LSR), THRE);
	receive(3);
	out(FCR, 0xc1);
	assert_int_equal(in(LSR), THRE | DR);
	out(FCR, 0x00);
	assert_int_equal(in(LSR), THRE);
	assert_int_equal(in(IIR), NO_IRQ);
}

/* DS FCR bit 0: without it the other FCR bits are not programmed. */
static void fcr_bits_need_bit_0(void **state)
{
	(void)state;
	receive(1);
	out(FCR, 0xc2);
	assert_int_equal(in(LSR), THRE | DR);
	assert_int_equal(in(IIR)&0xc0, 0);
}

/* DS "Interrupt Control Functions": line status, receiver, THRE, modem status, in this order. */
static void interrupts_have_priorities(void **state)
{
	(void)state;
	out(IER, 0x0f);
	out(MCR, LOOP | OUT2);
	in(MSR);
	out(MCR, OUT2);
	receive(2);
	assert_int_equal(in(IIR), 0x06);
	in(LSR);
	assert_int_equal(in(IIR), 0x04);
	in(DATA);
	assert_int_equal(in(IIR), 0x02);
	assert_int_equal(in(IIR), 0x00);
	assert_true(host.line);
	in(MSR);
	assert_int_equal(in(IIR), NO_IRQ);
	assert_false(host.line);
}

/* DS IER: a source whose enable bit is clear is not reported. */
static void disabled_sources_are_silent(void **state)
{
	(void)state;
	out(MCR, OUT2);
	receive(2);
	assert_int_equal(in(IIR), NO_IRQ);
	assert_false(host.line);
	out(IER, 0x04);
	assert_int_equal(in(IIR), 0x06);
	assert_true(host.line);
}

/* The PC's wiring: OUT2 gates the interrupt. */
static void out2_gates_the_line(void **state)
{
	(void)state;
	out(IER, 0x01);
	receive(1);
	assert_int_equal(in(IIR), 0x04);
	assert_false(host.line);
	out(MCR, OUT2);
	assert_true(host.line);
	out(MCR, 0);
	assert_false(host.line);
}

/* DS MSR: outside loopback the host is present: CTS, DSR, DCD. */
static void modem_inputs_show_a_connected_host(void **state)
{
	(void)state;
	assert_int_equal(in(MSR), 0xb0);
}

/* DS MCR bit 4: RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD. */
static void loopback_wires_modem_lines(void **state)
{
	static const struct {
		uint8_t mcr, msr;
	} t[] = {{0x01, 0x20}, {0x02, 0x10}, {0x04, 0x40}, {0x08, 0x80}, {0x00, 0x00}};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		out(MCR, LOOP | t[i].mcr);
		assert_int_equal(in(MSR)&0xf0, t[i].msr);
	}
}

/* DS MSR: deltas are cleared by reading MSR; TERI follows the trailing edge of RI only. */
static void modem_deltas_follow_changes(void **state)
{
	(void)state;
	out(MCR, LOOP);
	assert_int_equal(in(MSR), 0x0b);
	assert_int_equal(in(MSR), 0x00);
	out(MCR, LOOP | 0x04);
	assert_int_equal(in(MSR), 0x40);
	out(MCR, LOOP);
	assert_int_equal(in(MSR), 0x04);
	out(MCR, LOOP | 0x01);
	assert_int_equal(in(MSR), 0x22);
	assert_int_equal(in(MSR), 0x20);
}

/* DS MCR bit 4: data comes back, and the wire is cut in both directions. */
static void loopback_returns_data(void **state)
{
	(void)state;
	out(MCR, LOOP | OUT2);
	out(IER, 0x01);
	out(DATA, 'l');
	assert_int_equal(host.nout, 0);
	assert_true(host.line);
	assert_int_equal(in(DATA), 'l');
	assert_int_equal(serial_room(&s), 0);
	serial_receive(&s, 'w');
	assert_int_equal(in(LSR), THRE);
	out(MCR, OUT2);
	assert_int_equal(host.room_calls, 1);
	assert_int_equal(serial_room(&s), 1);
}

/* The host is told when there is room again, and only then. */
static void room_is_announced_after_full(void **state)
{
	(void)state;
	out(FCR, 0x01);
	receive(16);
	assert_int_equal(serial_room(&s), 0);
	assert_int_equal(host.room_calls, 0);
	in(LSR);
	assert_int_equal(host.room_calls, 0);
	in(DATA);
	assert_int_equal(host.room_calls, 1);
	assert_int_equal(host.room_seen, 1);
	in(DATA);
	assert_int_equal(host.room_calls, 1);
	receive(2);
	s.dev.ops->reset(&s.dev, RESET_KBC);
	assert_int_equal(host.room_calls, 2);
}

/* DS LSR, MSR: they are not for writing. An empty receiver reads something harmless. */
static void status_registers_ignore_writes(void **state)
{
	(void)state;
	out(LSR, 0xff);
	out(MSR, 0xff);
	assert_int_equal(in(LSR), THRE);
	assert_int_equal(in(MSR), 0xb0);
	in(DATA);
	assert_int_equal(serial_room(&s), 1);
}

/* A machine without a host at the other end: everything is optional. */
static void works_without_a_host(void **state)
{
	const struct irq_line none = {0};
	const struct serial_host h = {0};

	(void)state;
	serial_init(&s, BASE, &none, &h);
	out(DATA, 'x');
	receive(1);
	assert_int_equal(in(DATA), 'a');
	assert_int_equal(in(LSR), THRE);
}

#define T(f) cmocka_unit_test_setup(f, setup)

TEST_MAIN(T(reset_state_is_that_of_the_data_sheet), T(undefined_bits_read_zero),
	  T(dlab_selects_the_divisor), T(output_reaches_the_host), T(full_host_holds_thre),
	  T(tx_ready_without_a_byte_is_no_interrupt), T(thre_interrupt_is_cleared_by_iir),
	  T(iir_of_another_source_keeps_thre), T(each_byte_out_makes_an_edge),
	  T(enabling_thre_interrupts_again), T(one_byte_without_fifo),
	  T(overrun_without_fifo_replaces_the_byte), T(overrun_with_fifo_loses_the_new_byte),
	  T(trigger_levels_are_1_4_8_14), T(fcr_clears_the_receiver),
	  T(switching_the_fifo_clears_it), T(fcr_bits_need_bit_0), T(interrupts_have_priorities),
	  T(disabled_sources_are_silent), T(out2_gates_the_line),
	  T(modem_inputs_show_a_connected_host), T(loopback_wires_modem_lines),
	  T(modem_deltas_follow_changes), T(loopback_returns_data), T(room_is_announced_after_full),
	  T(status_registers_ignore_writes), T(works_without_a_host))

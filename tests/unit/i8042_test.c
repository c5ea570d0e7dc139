// SPDX-License-Identifier: MIT
/* The keyboard controller against IBM's PC/AT Technical Reference ("TR"), "Keyboard Controller". */
#include <string.h>

#include "test.h"
#include "devices/i8042.h"

#define BASE 0x60

static struct i8042 k;
static struct {
	bool line;
	unsigned rises;
	unsigned resets;
	enum reset_kind kind;
} seen;

static void set_line(void *ctx, unsigned gsi, bool level)
{
	(void)ctx;
	assert_int_equal(gsi, 1);
	seen.rises += level && !seen.line;
	seen.line = level;
}

static void ask_reset(void *ctx, enum reset_kind kind)
{
	(void)ctx;
	seen.resets++;
	seen.kind = kind;
}

static int setup(void **state)
{
	const struct irq_line irq = {set_line, NULL, 1};
	const struct machine_requests req = {.reset = ask_reset};

	(void)state;
	memset(&seen, 0, sizeof(seen));
	i8042_init(&k, BASE, &irq, &req);
	return 0;
}

static uint8_t status(void)
{
	return (uint8_t)k.dev.ops->read(&k.dev, BASE + 4, 1);
}

static uint8_t data(void)
{
	return (uint8_t)k.dev.ops->read(&k.dev, BASE, 1);
}

static void command(uint8_t cmd)
{
	k.dev.ops->write(&k.dev, BASE + 4, 1, cmd);
}

static void write_data(uint8_t value)
{
	k.dev.ops->write(&k.dev, BASE, 1, value);
}

static void expect(const char *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(status() & 0x21, 0x01);
		assert_int_equal(data(), (uint8_t)bytes[i]);
	}
	assert_int_equal(status() & 0x01, 0);
}

static void set_command_byte(uint8_t value)
{
	command(0x60);
	write_data(value);
}

/* TR: 0xaa answers 0x55 and sets the system flag, status bit 2. */
static void self_test_answers_55(void **state)
{
	(void)state;
	set_command_byte(0);
	assert_int_equal(status() & 0x04, 0);
	command(0xaa);
	expect("\x55", 1);
	assert_int_equal(status() & 0x04, 0x04);
}

/* TR: 0xab answers 0 for good lines; PS/2: 0xa9 for the auxiliary port. */
static void interface_tests_answer_0(void **state)
{
	(void)state;
	command(0xab);
	expect("\x00", 1);
	command(0xa9);
	expect("\x00", 1);
}

/* TR: status bit 3 tells whether the last write was a command; bit 4 is the key lock. */
static void status_tells_command_from_data(void **state)
{
	(void)state;
	command(0xae);
	assert_int_equal(status() & 0x18, 0x18);
	write_data(0xf4);
	assert_int_equal(status() & 0x18, 0x10);
}

/* TR: 0x20 and 0x60 read and write the command byte; its bit 2 is status bit 2. */
static void command_byte_reads_back(void **state)
{
	(void)state;
	set_command_byte(0x34);
	command(0x20);
	expect("\x34", 1);
	assert_int_equal(status() & 0x04, 0x04);
}

/* TR: 0xad, 0xae; PS/2: 0xa7, 0xa8. */
static void enable_commands_change_the_command_byte(void **state)
{
	static const struct {
		uint8_t cmd, byte;
	} t[] = {{0xad, 0x10}, {0xa7, 0x30}, {0xae, 0x20}, {0xa8, 0x00}};

	(void)state;
	set_command_byte(0);
	for (unsigned i = 0; i < 4; i++) {
		command(t[i].cmd);
		command(0x20);
		assert_int_equal(data(), t[i].byte);
	}
}

/* TR: what a disabled keyboard sends waits; a command to it enables it. */
static void disabled_keyboard_waits(void **state)
{
	(void)state;
	write_data(0xf4);
	command(0xad);
	assert_int_equal(status() & 0x01, 0);
	assert_false(seen.line);
	command(0xae);
	assert_true(seen.line);
	expect("\xfa", 1);
	command(0xad);
	write_data(0xee);
	expect("\xee", 1);
}

/* TR "Keyboard": the answers to commands. */
static void keyboard_answers(void **state)
{
	(void)state;
	write_data(0xff);
	expect("\xfa\xaa", 2);
	write_data(0xee);
	expect("\xee", 1);
	write_data(0xf4);
	expect("\xfa", 1);
	write_data(0xf5);
	expect("\xfa", 1);
	write_data(0xed);
	expect("\xfa", 1);
	write_data(0x07);
	expect("\xfa", 1);
}

/* An MF2 keyboard is 0xab 0x83; translation to set 1 makes 0x41 of the latter. */
static void keyboard_identifies_itself(void **state)
{
	(void)state;
	set_command_byte(0x01);
	write_data(0xf2);
	expect("\xfa\xab\x83", 3);
	set_command_byte(0x41);
	write_data(0xf2);
	expect("\xfa\xab\x41", 3);
}

/* TR: IRQ 1 follows the output buffer where command byte bit 0 is set; one edge a byte. */
static void irq1_rises_for_each_byte(void **state)
{
	(void)state;
	write_data(0xff);
	assert_true(seen.line);
	assert_int_equal(seen.rises, 1);
	data();
	assert_true(seen.line);
	assert_int_equal(seen.rises, 2);
	data();
	assert_false(seen.line);
	set_command_byte(0x40);
	write_data(0xf4);
	assert_false(seen.line);
	set_command_byte(0x41);
	assert_true(seen.line);
}

/* The controller's own answer goes before what the keyboard has, and neither is lost. */
static void controller_answers_before_the_keyboard(void **state)
{
	(void)state;
	write_data(0xff);
	command(0xaa);
	expect("\x55\xfa\xaa", 3);
}

/* TR: an empty buffer reads the last byte again. */
static void empty_buffer_reads_the_last_byte(void **state)
{
	(void)state;
	assert_int_equal(data(), 0);
	write_data(0xee);
	data();
	assert_int_equal(data(), 0xee);
	assert_int_equal(seen.rises, 1);
}

/* A keyboard whose queue is full drops answers; nothing else breaks. */
static void keyboard_queue_is_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		write_data(0xee);
	for (int i = 0; i < I8042_KBD_QUEUE; i++) {
		assert_int_equal(status() & 1, 1);
		assert_int_equal(data(), 0xee);
	}
	assert_int_equal(status() & 1, 0);
}

/* TR: 0xd0 and 0xd1; bit 1 is A20, bit 4 "output buffer full". */
static void output_port_holds_a20(void **state)
{
	(void)state;
	command(0xd0);
	expect("\x03", 1);
	command(0xd1);
	write_data(0x01);
	command(0xd0);
	expect("\x01", 1);
	command(0xd1);
	write_data(0xdf);
	write_data(0xf4);
	command(0xd0);
	assert_int_equal(data() & 0x13, 0x13);
	assert_int_equal(seen.resets, 0);
}

/* TR: 0xc0 reads the input port; bit 7 says that the keyboard is not locked. */
static void input_port_is_unlocked(void **state)
{
	(void)state;
	command(0xc0);
	expect("\x80", 1);
}

/* TR: output port bit 0 is the CPU's reset, low active. */
static void clearing_output_port_bit_0_resets(void **state)
{
	(void)state;
	command(0xd1);
	write_data(0x02);
	assert_int_equal(seen.resets, 1);
	assert_int_equal(seen.kind, RESET_KBC);
}

/* TR: 0xf0-0xff pulse the lines whose bit is clear. */
static void pulsing_bit_0_resets(void **state)
{
	(void)state;
	for (unsigned cmd = 0xf0; cmd <= 0xff; cmd++) {
		seen.resets = 0;
		command((uint8_t)cmd);
		assert_int_equal(seen.resets, !(cmd & 1));
	}
	assert_int_equal(seen.kind, RESET_KBC);
}

/* PS/2: 0xd2 and 0xd3 put a byte into the output buffer; only the keyboard's is IRQ 1. */
static void buffer_writes_come_back(void **state)
{
	(void)state;
	command(0xd2);
	write_data(0x1c);
	assert_true(seen.line);
	expect("\x1c", 1);
	command(0xd3);
	write_data(0xa5);
	assert_false(seen.line);
	assert_int_equal(status() & 0x21, 0x21);
	command(0xd0);
	assert_int_equal(data() & 0x30, 0x20);
}

/* PS/2: nobody answers 0xd4: a timeout, status bit 6, from the auxiliary port. */
static void there_is_no_mouse(void **state)
{
	(void)state;
	command(0xd4);
	write_data(0xff);
	assert_int_equal(status() & 0x61, 0x61);
	assert_int_equal(data(), 0xfe);
	assert_int_equal(status() & 0x61, 0);
	assert_false(seen.line);
}

/* A command in place of the expected data byte starts anew. */
static void command_cancels_a_pending_data_byte(void **state)
{
	(void)state;
	command(0xd1);
	command(0xae);
	write_data(0xee);
	expect("\xee", 1);
	assert_int_equal(seen.resets, 0);
}

/* Unknown commands do nothing. */
static void unknown_commands_are_ignored(void **state)
{
	(void)state;
	command(0x00);
	command(0xcc);
	assert_int_equal(status() & 0x01, 0);
	assert_int_equal(seen.resets, 0);
}

static void reset_empties_the_controller(void **state)
{
	(void)state;
	write_data(0xff);
	command(0xd3);
	assert_true(seen.line);
	k.dev.ops->reset(&k.dev, RESET_KBC);
	assert_false(seen.line);
	assert_int_equal(status() & 0x01, 0);
	write_data(0xee);
	expect("\xee", 1);
}

#define T(f) cmocka_unit_test_setup(f, setup)

TEST_MAIN(T(self_test_answers_55), T(interface_tests_answer_0), T(status_tells_command_from_data),
	  T(command_byte_reads_back), T(enable_commands_change_the_command_byte),
	  T(disabled_keyboard_waits), T(keyboard_answers), T(keyboard_identifies_itself),
	  T(irq1_rises_for_each_byte), T(controller_answers_before_the_keyboard),
	  T(empty_buffer_reads_the_last_byte), T(keyboard_queue_is_bounded),
	  T(output_port_holds_a20), T(input_port_is_unlocked), T(clearing_output_port_bit_0_resets),
	  T(pulsing_bit_0_resets), T(buffer_writes_come_back), T(there_is_no_mouse),
	  T(command_cancels_a_pending_data_byte), T(unknown_commands_are_ignored),
	  T(reset_empties_the_controller))

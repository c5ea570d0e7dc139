// SPDX-License-Identifier: MIT
/*
 * IBM PC/AT Technical Reference, "Keyboard" and "8042 Keyboard Controller"; the commands for the
 * auxiliary device are the PS/2's. Nothing answers on the auxiliary port.
 */
#include "devices/i8042.h"

#define STATUS_OBF	0x01
#define STATUS_SYSTEM	0x04
#define STATUS_COMMAND	0x08 /* the last write went to the command port */
#define STATUS_UNLOCKED 0x10
#define STATUS_AUX	0x20
#define STATUS_TIMEOUT	0x40

#define CB_KBD_IRQ    0x01
#define CB_SYSTEM     0x04
#define CB_KBD_OFF    0x10
#define CB_AUX_OFF    0x20
#define CB_TRANSLATE  0x40
#define CB_DEFAULT    (CB_TRANSLATE | CB_SYSTEM | CB_KBD_IRQ) /* what PC firmware leaves */
#define OUT_NOT_RESET 0x01
#define OUT_A20	      0x02
#define OUT_KBD_FULL  0x10
#define OUT_AUX_FULL  0x20
#define OUT_STORED    0xcf

enum command {
	CMD_READ_COMMAND_BYTE = 0x20,
	CMD_WRITE_COMMAND_BYTE = 0x60,
	CMD_AUX_DISABLE = 0xa7,
	CMD_AUX_ENABLE = 0xa8,
	CMD_AUX_TEST = 0xa9,
	CMD_SELF_TEST = 0xaa,
	CMD_KBD_TEST = 0xab,
	CMD_KBD_DISABLE = 0xad,
	CMD_KBD_ENABLE = 0xae,
	CMD_READ_INPUT_PORT = 0xc0,
	CMD_READ_OUTPUT_PORT = 0xd0,
	CMD_WRITE_OUTPUT_PORT = 0xd1,
	CMD_WRITE_KBD_BUFFER = 0xd2,
	CMD_WRITE_AUX_BUFFER = 0xd3,
	CMD_WRITE_AUX = 0xd4,
	CMD_PULSE = 0xf0, /* to 0xff: the low bits that are clear name the lines to pulse */
};

enum keyboard {
	KBD_ECHO = 0xee,
	KBD_IDENTIFY = 0xf2,
	KBD_RESET = 0xff,
	KBD_PASSED = 0xaa,
	KBD_ACK = 0xfa,
	KBD_RESEND = 0xfe,
};

#define INPUT_PORT_UNLOCKED 0x80
#define REPLY_FULL	    (STATUS_OBF << 8)

/* The status bits of what the data port would read: the controller's own bytes go first. */
static uint8_t buffer_status(const struct i8042 *k)
{
	if (k->reply)
		return (uint8_t)(k->reply >> 8);
	return k->kbd_count && !(k->command_byte & CB_KBD_OFF) ? STATUS_OBF : 0;
}

/* IRQ 1 follows "output buffer full"; there is no IRQ 12, since there is no mouse. */
static void update_irq(const struct i8042 *k)
{
	bool full = (buffer_status(k) & (STATUS_OBF | STATUS_AUX)) == STATUS_OBF;

	irq_set(&k->irq, full && (k->command_byte & CB_KBD_IRQ));
}

static void reply(struct i8042 *k, uint8_t byte, uint8_t flags)
{
	k->reply = (uint16_t)(REPLY_FULL | flags << 8 | byte);
}

static void kbd_push(struct i8042 *k, uint8_t byte)
{
	if (k->kbd_count == I8042_KBD_QUEUE)
		return;
	k->kbd[(k->kbd_head + k->kbd_count) % I8042_KBD_QUEUE] = byte;
	k->kbd_count++;
}

/* A command to the keyboard. Its parameters (LEDs, rate) are taken for commands, and acknowledged.
 */
static void kbd_command(struct i8042 *k, uint8_t byte)
{
	k->command_byte &= (uint8_t)~CB_KBD_OFF; /* talking to the keyboard releases its clock */
	switch (byte) {
	case KBD_ECHO:
		kbd_push(k, KBD_ECHO);
		break;
	case KBD_IDENTIFY: /* an MF2 keyboard: 0xab 0x83, of which set 1 makes 0x41 */
		kbd_push(k, KBD_ACK);
		kbd_push(k, 0xab);
		kbd_push(k, k->command_byte & CB_TRANSLATE ? 0x41 : 0x83);
		break;
	case KBD_RESET:
		k->kbd_count = 0;
		kbd_push(k, KBD_ACK);
		kbd_push(k, KBD_PASSED);
		break;
	default:
		kbd_push(k, KBD_ACK);
		break;
	}
}

static uint8_t output_port(const struct i8042 *k)
{
	uint8_t full = buffer_status(k);

	if (!(full & STATUS_OBF))
		return k->output_port;
	return k->output_port | (full & STATUS_AUX ? OUT_AUX_FULL : OUT_KBD_FULL);
}

static void output_port_write(struct i8042 *k, uint8_t value)
{
	k->output_port = value & OUT_STORED;
	if (!(value & OUT_NOT_RESET))
		k->req.reset(k->req.ctx, RESET_KBC);
}

static void self_test(struct i8042 *k)
{
	k->command_byte |= CB_SYSTEM;
	reply(k, 0x55, 0);
}

static void command_bits(struct i8042 *k, uint8_t set, uint8_t clear)
{
	k->command_byte = (uint8_t)((k->command_byte | set) & ~clear);
}

static void command(struct i8042 *k, uint8_t cmd)
{
	k->next = I8042_TO_KBD;
	switch (cmd) {
	case CMD_READ_COMMAND_BYTE:
		reply(k, k->command_byte, 0);
		break;
	case CMD_WRITE_COMMAND_BYTE:
		k->next = I8042_TO_COMMAND_BYTE;
		break;
	case CMD_AUX_DISABLE:
		command_bits(k, CB_AUX_OFF, 0);
		break;
	case CMD_AUX_ENABLE:
		command_bits(k, 0, CB_AUX_OFF);
		break;
	case CMD_AUX_TEST:
	case CMD_KBD_TEST:
		reply(k, 0, 0); /* the lines are neither stuck high nor low */
		break;
	case CMD_SELF_TEST:
		self_test(k);
		break;
	case CMD_KBD_DISABLE:
		command_bits(k, CB_KBD_OFF, 0);
		break;
	case CMD_KBD_ENABLE:
		command_bits(k, 0, CB_KBD_OFF);
		break;
	case CMD_READ_INPUT_PORT:
		reply(k, INPUT_PORT_UNLOCKED, 0);
		break;
	case CMD_READ_OUTPUT_PORT:
		reply(k, output_port(k), 0);
		break;
	case CMD_WRITE_OUTPUT_PORT:
		k->next = I8042_TO_OUTPUT_PORT;
		break;
	case CMD_WRITE_KBD_BUFFER:
		k->next = I8042_TO_KBD_BUFFER;
		break;
	case CMD_WRITE_AUX_BUFFER:
		k->next = I8042_TO_AUX_BUFFER;
		break;
	case CMD_WRITE_AUX:
		k->next = I8042_TO_AUX;
		break;
	default:
		if (cmd >= CMD_PULSE && !(cmd & OUT_NOT_RESET))
			k->req.reset(k->req.ctx, RESET_KBC);
		break;
	}
}

static void data_write(struct i8042 *k, uint8_t value)
{
	enum i8042_data what = k->next;

	k->next = I8042_TO_KBD;
	switch (what) {
	case I8042_TO_KBD:
		kbd_command(k, value);
		break;
	case I8042_TO_COMMAND_BYTE:
		k->command_byte = value;
		break;
	case I8042_TO_OUTPUT_PORT:
		output_port_write(k, value);
		break;
	case I8042_TO_KBD_BUFFER:
		reply(k, value, 0);
		break;
	case I8042_TO_AUX_BUFFER:
		reply(k, value, STATUS_AUX);
		break;
	case I8042_TO_AUX: /* nobody took the byte: the controller says so */
		reply(k, KBD_RESEND, STATUS_AUX | STATUS_TIMEOUT);
		break;
	}
}

static uint8_t data_read(struct i8042 *k)
{
	if (!(buffer_status(k) & STATUS_OBF))
		return k->last;
	/* Between two bytes an edge-triggered input has to see the line fall. */
	irq_set(&k->irq, false);
	if (k->reply) {
		k->last = (uint8_t)k->reply;
		k->reply = 0;
	} else {
		k->last = k->kbd[k->kbd_head];
		k->kbd_head = (k->kbd_head + 1) % I8042_KBD_QUEUE;
		k->kbd_count--;
	}
	return k->last;
}

static uint8_t status_read(const struct i8042 *k)
{
	uint8_t v = STATUS_UNLOCKED | buffer_status(k);

	if (k->command_byte & CB_SYSTEM)
		v |= STATUS_SYSTEM;
	if (k->last_was_command)
		v |= STATUS_COMMAND;
	return v;
}

static uint64_t i8042_read(struct device *dev, uint64_t addr, unsigned size)
{
	struct i8042 *k = container_of(dev, struct i8042, dev);
	uint8_t value;

	(void)size;
	if (addr != k->base)
		return status_read(k);
	value = data_read(k);
	update_irq(k);
	return value;
}

static void i8042_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct i8042 *k = container_of(dev, struct i8042, dev);

	(void)size;
	k->last_was_command = addr != k->base;
	if (k->last_was_command)
		command(k, (uint8_t)value);
	else
		data_write(k, (uint8_t)value);
	update_irq(k);
}

static void i8042_reset(struct device *dev, enum reset_kind kind)
{
	struct i8042 *k = container_of(dev, struct i8042, dev);

	(void)kind;
	k->next = I8042_TO_KBD;
	k->command_byte = CB_DEFAULT;
	k->output_port = OUT_NOT_RESET | OUT_A20;
	k->reply = 0;
	k->kbd_head = 0;
	k->kbd_count = 0;
	k->last = 0;
	k->last_was_command = false;
	update_irq(k);
}

static const struct device_ops i8042_ops = {
	.reset = i8042_reset,
	.read = i8042_read,
	.write = i8042_write,
};

void i8042_init(struct i8042 *k, uint16_t base, const struct irq_line *irq,
		const struct machine_requests *req)
{
	*k = (struct i8042){
		.dev = {.name = "i8042",
			.ops = &i8042_ops,
			.ranges = {{BUS_PIO, base, 1, 1}, {BUS_PIO, (uint64_t)base + 4, 1, 1}}},
		.base = base,
		.req = *req,
	};
	i8042_reset(&k->dev, RESET_POWER_ON);
	k->irq = *irq; /* only now: the interrupt controllers may not be there yet */
}

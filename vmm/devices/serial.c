// SPDX-License-Identifier: MIT
/*
 * National PC16550D data sheet, "Registers". There is no baud rate: a byte takes no time
 * on the wire, and parity, framing and break cannot happen.
 */
#include "devices/serial.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RX	   0x01
#define IER_THRE   0x02
#define IER_STATUS 0x04
#define IER_MODEM  0x08
#define IER_MASK   0x0f

/* In falling priority: "Interrupt Control Functions". */
#define IIR_STATUS  0x06
#define IIR_RX	    0x04
#define IIR_TIMEOUT 0x0c
#define IIR_THRE    0x02
#define IIR_MODEM   0x00
#define IIR_NONE    0x01
#define IIR_FIFO    0xc0

#define FCR_ENABLE	  0x01
#define FCR_CLEAR_RX	  0x02
#define FCR_TRIGGER_SHIFT 6
#define FCR_STORED	  0xc1

#define LCR_DLAB 0x80

#define MCR_DTR	 0x01
#define MCR_RTS	 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DR	 0x01
#define LSR_OE	 0x02
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

#define MSR_TERI 0x04 /* the delta of RI: its trailing edge only */
#define MSR_CTS	 0x10
#define MSR_DSR	 0x20
#define MSR_RI	 0x40
#define MSR_DCD	 0x80

/* 9600 baud, as firmware leaves it. Drivers divide by it, so it must not be 0 to begin with. */
#define DIVISOR_DEFAULT 12

static unsigned rx_capacity(const struct serial *s)
{
	return s->fcr & FCR_ENABLE ? SERIAL_FIFO : 1;
}

static unsigned rx_trigger(const struct serial *s)
{
	static const uint8_t level[] = {1, 4, 8, 14};

	return s->fcr & FCR_ENABLE ? level[s->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

size_t serial_room(const struct serial *s)
{
	/* The loopback cuts the wire; what is on it waits at the host instead of being lost. */
	return s->mcr & MCR_LOOP ? 0 : rx_capacity(s) - s->rx_count;
}

/*
 * The interrupt to report, in the coding of IIR bits 3:0. Below the trigger level the data sheet
 * has the driver told after four characters' time without a new one. Without a baud rate that is
 * at once: the host's bytes come in bursts, a driver reads until LSR says that no data is left, and
 * so the interrupt is early but never missing.
 */
static uint8_t interrupt_id(const struct serial *s)
{
	if ((s->ier & IER_STATUS) && s->overrun)
		return IIR_STATUS;
	if ((s->ier & IER_RX) && s->rx_count)
		return s->rx_count >= rx_trigger(s) ? IIR_RX : IIR_TIMEOUT;
	if ((s->ier & IER_THRE) && s->thre_pending)
		return IIR_THRE;
	if ((s->ier & IER_MODEM) && s->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

/*
 * OUT2 gates the interrupt line on every PC. In loopback the bit goes on doing so, as in Super I/O
 * chips, although a discrete 16550's pin is then forced off: so the loopback test of interrupts
 * that the data sheet has in mind works.
 */
static void update_irq(const struct serial *s)
{
	irq_set(&s->irq, (s->mcr & MCR_OUT2) && interrupt_id(s) != IIR_NONE);
}

static void rx_clear(struct serial *s)
{
	s->rx_head = 0;
	s->rx_count = 0;
}

static void rx_push(struct serial *s, uint8_t byte)
{
	if (s->rx_count == rx_capacity(s)) {
		s->overrun = true;
		/* Without the FIFO the new byte replaces the old one; with it, the new one is lost.
		 */
		if (!(s->fcr & FCR_ENABLE))
			s->rx[s->rx_head] = byte;
		return;
	}
	s->rx[(s->rx_head + s->rx_count) % SERIAL_FIFO] = byte;
	s->rx_count++;
}

static uint8_t rx_pop(struct serial *s)
{
	uint8_t byte = s->rx[s->rx_head];

	if (s->rx_count) {
		s->rx_head = (s->rx_head + 1) % SERIAL_FIFO;
		s->rx_count--;
	}
	return byte;
}

void serial_receive(struct serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP)
		return;
	rx_push(s, byte);
	update_irq(s);
}

static void transmit(struct serial *s, uint8_t byte)
{
	s->thre_pending = false;
	update_irq(s); /* an edge-triggered input has to see the line fall before it rises again */
	if (s->mcr & MCR_LOOP) {
		rx_push(s, byte);
	} else {
		if (s->host.put)
			s->host.put(s->host.ctx, byte);
		s->tx_stuck = s->host.full && s->host.full(s->host.ctx);
	}
	if (!s->tx_stuck)
		s->thre_pending = true;
}

void serial_tx_ready(struct serial *s)
{
	if (!s->tx_stuck)
		return;
	s->tx_stuck = false;
	s->thre_pending = true;
	update_irq(s);
}

/* MSR bits 7:4. Outside loopback the host is always there and ready; nobody rings. */
static uint8_t modem_inputs(const struct serial *s)
{
	uint8_t in = 0;

	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (s->mcr & MCR_RTS)
		in |= MSR_CTS;
	if (s->mcr & MCR_DTR)
		in |= MSR_DSR;
	if (s->mcr & MCR_OUT1)
		in |= MSR_RI;
	if (s->mcr & MCR_OUT2)
		in |= MSR_DCD;
	return in;
}

static void mcr_write(struct serial *s, uint8_t value)
{
	uint8_t old = modem_inputs(s), changed;

	s->mcr = value & MCR_MASK;
	changed = old ^ modem_inputs(s);
	s->msr_delta |= (changed >> 4) & ~MSR_TERI;
	if (changed & old & MSR_RI)
		s->msr_delta |= MSR_TERI;
}

static void ier_write(struct serial *s, uint8_t value)
{
	/* Enabling it with an empty transmitter interrupts at once; drivers test for that. */
	if ((value & ~s->ier & IER_THRE) && !s->tx_stuck)
		s->thre_pending = true;
	s->ier = value & IER_MASK;
}

static void fcr_write(struct serial *s, uint8_t value)
{
	bool toggled = (value ^ s->fcr) & FCR_ENABLE;

	/*
	 * Switching the FIFOs on or off clears them; otherwise bit 1 needs bit 0 with it. A transmit
	 * FIFO is never seen with a byte in it.
	 */
	if (toggled || ((value & FCR_ENABLE) && (value & FCR_CLEAR_RX)))
		rx_clear(s);
	s->fcr = value & FCR_STORED;
}

static uint8_t iir_read(struct serial *s)
{
	uint8_t id = interrupt_id(s);

	if (id == IIR_THRE)
		s->thre_pending = false;
	return id | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t lsr_read(struct serial *s)
{
	uint8_t v = 0;

	if (s->rx_count)
		v |= LSR_DR;
	if (s->overrun)
		v |= LSR_OE;
	if (!s->tx_stuck)
		v |= LSR_THRE | LSR_TEMT;
	s->overrun = false;
	return v;
}

static uint8_t msr_read(struct serial *s)
{
	uint8_t v = modem_inputs(s) | s->msr_delta;

	s->msr_delta = 0;
	return v;
}

static uint8_t reg_read(struct serial *s, unsigned reg)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return dlab ? s->divisor & 0xff : rx_pop(s);
	case REG_IER:
		return dlab ? s->divisor >> 8 : s->ier;
	case REG_IIR_FCR:
		return iir_read(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return lsr_read(s);
	case REG_MSR:
		return msr_read(s);
	default:
		return s->scr;
	}
}

static void reg_write(struct serial *s, unsigned reg, uint8_t value)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (dlab)
			s->divisor = (s->divisor & 0xff00) | value;
		else
			transmit(s, value);
		break;
	case REG_IER:
		if (dlab)
			s->divisor = (uint16_t)(value << 8 | (s->divisor & 0xff));
		else
			ier_write(s, value);
		break;
	case REG_IIR_FCR:
		fcr_write(s, value);
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		mcr_write(s, value);
		break;
	case REG_SCR:
		s->scr = value;
		break;
	default: /* LSR and MSR: for factory tests alone */
		break;
	}
}

static void tell_room(struct serial *s, size_t before)
{
	if (!before && serial_room(s) && s->host.rx_room)
		s->host.rx_room(s->host.ctx);
}

static uint64_t serial_read(struct device *dev, uint64_t addr, unsigned size)
{
	struct serial *s = container_of(dev, struct serial, dev);
	size_t before = serial_room(s);
	uint8_t value;

	(void)size;
	value = reg_read(s, (addr - s->base) % SERIAL_PORTS);
	update_irq(s);
	tell_room(s, before);
	return value;
}

static void serial_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct serial *s = container_of(dev, struct serial, dev);
	size_t before = serial_room(s);

	(void)size;
	reg_write(s, (addr - s->base) % SERIAL_PORTS, (uint8_t)value);
	update_irq(s);
	tell_room(s, before);
}

/* "UART Reset Configuration": master reset leaves the divisor and the scratch register alone. */
static void serial_reset(struct device *dev, enum reset_kind kind)
{
	struct serial *s = container_of(dev, struct serial, dev);
	size_t before = serial_room(s);

	(void)kind;
	s->ier = 0;
	s->fcr = 0;
	s->lcr = 0;
	s->mcr = 0;
	s->msr_delta = 0;
	s->overrun = false;
	s->thre_pending = !s->tx_stuck;
	rx_clear(s);
	update_irq(s);
	tell_room(s, before);
}

static const struct device_ops serial_ops = {
	.reset = serial_reset,
	.read = serial_read,
	.write = serial_write,
};

void serial_init(struct serial *s, uint16_t base, const struct irq_line *irq,
		 const struct serial_host *host)
{
	*s = (struct serial){
		.dev = {.name = "serial",
			.ops = &serial_ops,
			.ranges = {{BUS_PIO, base, SERIAL_PORTS, 1}}},
		.base = base,
		.irq = *irq,
		.host = *host,
		.divisor = DIVISOR_DEFAULT,
		.thre_pending = true,
	};
}

// SPDX-License-Identifier: MIT
/* Devices as a guest reads them, through the bus, and what of their insides no guest can read. */
#include "selftest/devices.h"

#include <stdarg.h>
#include <string.h>

#define IOAPIC_BASE 0xfec00000ull
#define CMOS_FIRST  0x0e /* behind the clock */

void dev_add(struct dev_image *im, const char *row, enum dev_rule rule, uint64_t value,
	     const char *fmt, ...)
{
	struct dev_field *f = &im->field[im->n];
	va_list ap;

	if (im->n == DEV_FIELDS)
		return;
	im->n++;
	f->row = row;
	f->rule = rule;
	f->value = value;
	va_start(ap, fmt);
	vsnprintf(f->name, sizeof(f->name), fmt, ap);
	va_end(ap);
}

static uint64_t in(struct machine *m, uint64_t port)
{
	uint64_t value;

	bus_read(&m->bus, BUS_PIO, port, 1, &value);
	return value & 0xff;
}

static void out(struct machine *m, uint64_t port, uint64_t value)
{
	bus_write(&m->bus, BUS_PIO, port, 1, value & 0xff);
}

static uint64_t in32(struct machine *m, enum bus_space space, uint64_t addr)
{
	uint64_t value;

	bus_read(&m->bus, space, addr, 4, &value);
	return value & 0xffffffff;
}

static void out32(struct machine *m, enum bus_space space, uint64_t addr, uint64_t value)
{
	bus_write(&m->bus, space, addr, 4, value & 0xffffffff);
}

/* --- PIC */

static void take_pic(struct machine *m, struct dev_image *im)
{
	const struct pic saved = m->irqchip.pic;

	for (unsigned i = 0; i < 2; i++) {
		const struct pic_chip *c = &m->irqchip.pic.chip[i];
		uint64_t port = i ? 0xa0 : 0x20;

		dev_add(im, "pic", DEV_RESET, c->state, "PIC%u.state", i);
		dev_add(im, "pic", DEV_RESET, c->icw1, "PIC%u.ICW1", i);
		dev_add(im, "pic", DEV_RESET, c->icw2, "PIC%u.ICW2", i);
		dev_add(im, "pic", DEV_RESET, c->icw4, "PIC%u.ICW4", i);
		dev_add(im, "pic", DEV_RESET, c->lowest, "PIC%u.lowest", i);
		dev_add(im, "pic", DEV_RESET,
			(uint64_t)(c->read_isr | c->poll << 1 | c->special_mask << 2 |
				   c->rotate_on_aeoi << 3),
			"PIC%u.OCW", i);
		dev_add(im, "pic", DEV_RESET, c->isr, "PIC%u.ISR", i);
		dev_add(im, "pic", DEV_VOLATILE, c->irr, "PIC%u.IRR", i);
		m->irqchip.pic.chip[i].poll = false; /* else a read acknowledges */
		dev_add(im, "pic", DEV_RESET, in(m, port + 1), "PIC%u.IMR", i);
		dev_add(im, "pic", DEV_RESET, in(m, 0x4d0 + i), "PIC%u.ELCR", i);
	}
	m->irqchip.pic = saved;
}

/* In the middle of its initialisation, or after it, with any operation words. */
static void garbage_pic(struct rng *rng, struct machine *m)
{
	for (uint64_t port = 0x20; port <= 0xa0; port += 0x80) {
		out(m, port, 0x11 | (rng_next(rng) & 0xa));
		for (unsigned i = rng_below(rng, 4); i < 4; i++)
			out(m, port + 1, rng_next(rng) | 1);
		out(m, port + 1, rng_next(rng));
		out(m, port, rng_next(rng) & 0xe7);	     /* OCW2 */
		out(m, port, 0x08 | (rng_next(rng) & 0x67)); /* OCW3 */
	}
	out(m, 0x4d0, rng_next(rng));
	out(m, 0x4d1, rng_next(rng));
	/* As if CPUs had taken interrupts. */
	for (unsigned i = 0; i < 2; i++)
		m->irqchip.pic.chip[i].isr = (uint8_t)rng_next(rng);
}

/* --- IOAPIC */

static uint32_t ioapic_get(struct machine *m, unsigned reg)
{
	out32(m, BUS_MMIO, IOAPIC_BASE, reg);
	return (uint32_t)in32(m, BUS_MMIO, IOAPIC_BASE + 0x10);
}

static void ioapic_put(struct machine *m, unsigned reg, uint64_t value)
{
	out32(m, BUS_MMIO, IOAPIC_BASE, reg);
	out32(m, BUS_MMIO, IOAPIC_BASE + 0x10, value);
}

#define REMOTE_IRR (1u << 14)

static void take_ioapic(struct machine *m, struct dev_image *im)
{
	uint64_t select = in32(m, BUS_MMIO, IOAPIC_BASE), remote_irr = 0;

	dev_add(im, "ioapic", DEV_RESET, select, "IOAPIC.select");
	dev_add(im, "ioapic", DEV_RESET, ioapic_get(m, 0), "IOAPIC.ID");
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint32_t low = ioapic_get(m, 0x10 + 2 * pin);
		uint64_t high = ioapic_get(m, 0x11 + 2 * pin);

		remote_irr |= (uint64_t)(low & REMOTE_IRR) >> 14 << pin;
		dev_add(im, "ioapic", DEV_RESET, (low & ~REMOTE_IRR) | high << 32,
			"IOAPIC.entry %u", pin);
	}
	dev_add(im, "ioapic", DEV_VOLATILE, remote_irr, "IOAPIC.remote IRR");
	out32(m, BUS_MMIO, IOAPIC_BASE, select);
}

static void garbage_ioapic(struct rng *rng, struct machine *m)
{
	ioapic_put(m, 0, rng_next(rng));
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		ioapic_put(m, 0x11 + 2 * pin, rng_next(rng));
		ioapic_put(m, 0x10 + 2 * pin, rng_next(rng) | 0x10);
	}
	out32(m, BUS_MMIO, IOAPIC_BASE, rng_next(rng) & 0x3f);
}

/* --- PIT */

static void take_pit(struct machine *m, struct dev_image *im)
{
	for (unsigned i = 0; i < 3; i++) {
		const struct pit_channel *c = &m->platform.pit.pit.ch[i];

		dev_add(im, "pit", DEV_RESET, c->control, "PIT%u.control", i);
		dev_add(im, "pit", DEV_VOLATILE, c->reload, "PIT%u.reload", i);
		dev_add(im, "pit", DEV_VOLATILE, c->phase, "PIT%u.phase", i);
		dev_add(im, "pit", DEV_VOLATILE,
			(uint64_t)(c->write_msb | c->read_msb << 1 | c->latched << 2 |
				   c->status_latched << 3),
			"PIT%u.bytes", i);
		/* "Read-Back Command": the status of one channel. */
		out(m, 0x43, 0xe0 | 2u << i);
		dev_add(im, "pit", DEV_VOLATILE, in(m, 0x40 + i), "PIT%u.status", i);
	}
	dev_add(im, "pit", DEV_VOLATILE, in(m, 0x61) & 0x0f, "PIT.port 0x61");
}

static void garbage_pit(struct rng *rng, struct machine *m)
{
	for (unsigned i = 0; i < 3; i++) {
		out(m, 0x43, i << 6 | 0x10 | (rng_next(rng) & 0x2f));
		for (unsigned n = rng_below(rng, 3); n; n--)
			out(m, 0x40 + i, rng_next(rng) | 0x40);
		if (rng_chance(rng, 3))
			out(m, 0x43, i << 6);
	}
	out(m, 0x61, rng_next(rng) & 3);
}

/* --- the rest */

static void take_serial(struct machine *m, struct dev_image *im)
{
	const struct serial *s = &m->platform.serial;
	uint64_t base = s->base, lcr = in(m, base + 3);

	dev_add(im, "serial", DEV_RESET, lcr, "UART.LCR");
	dev_add(im, "serial", DEV_RESET, s->fcr, "UART.FCR");
	dev_add(im, "serial", DEV_VOLATILE, s->rx_count, "UART.received");
	dev_add(im, "serial", DEV_KEPT, s->divisor, "UART.divisor");
	out(m, base + 3, lcr & 0x7f);
	dev_add(im, "serial", DEV_RESET, in(m, base + 1), "UART.IER");
	dev_add(im, "serial", DEV_VOLATILE, in(m, base + 2), "UART.IIR");
	dev_add(im, "serial", DEV_RESET, in(m, base + 4), "UART.MCR");
	dev_add(im, "serial", DEV_VOLATILE, in(m, base + 5), "UART.LSR");
	dev_add(im, "serial", DEV_VOLATILE, in(m, base + 6), "UART.MSR");
	dev_add(im, "serial", DEV_KEPT, in(m, base + 7), "UART.SCR");
	out(m, base + 3, lcr);
}

static void garbage_serial(struct rng *rng, struct machine *m)
{
	uint64_t base = m->platform.serial.base;

	out(m, base + 3, 0x80);
	out(m, base, rng_next(rng) | 1);
	out(m, base + 1, rng_next(rng));
	out(m, base + 3, rng_next(rng) & 0x7f);
	out(m, base + 4, 0);
	out(m, base + 2, rng_next(rng) | 1);
	for (unsigned n = rng_below(rng, 20); n; n--)
		serial_receive(&m->platform.serial, (uint8_t)rng_next(rng));
	out(m, base + 1, rng_next(rng));
	out(m, base + 4, rng_next(rng));
	out(m, base + 7, rng_next(rng));
	out(m, base + 3, rng_next(rng));
}

static uint64_t cmos_get(struct machine *m, unsigned reg)
{
	out(m, m->platform.rtc.base, reg);
	return in(m, m->platform.rtc.base + 1u);
}

static void cmos_put(struct machine *m, unsigned reg, uint64_t value)
{
	out(m, m->platform.rtc.base, reg);
	out(m, m->platform.rtc.base + 1u, value);
}

static bool cmos_keeps(unsigned reg)
{
	return reg != 0x32; /* the century goes on */
}

/* MC146818, "RESET": enables and flags are cleared; clock, calendar and RAM are not affected. */
static void take_rtc(struct machine *m, struct dev_image *im)
{
	uint64_t b;

	dev_add(im, "rtc", DEV_VOLATILE, m->platform.rtc.cmos[0x0c], "RTC.C");
	dev_add(im, "rtc", DEV_KEPT, cmos_get(m, 0x0a) & 0x7f, "RTC.A");
	b = cmos_get(m, 0x0b);
	dev_add(im, "rtc", DEV_RESET, b & 0x78, "RTC.B enables");
	dev_add(im, "rtc", DEV_KEPT, b & 0x87, "RTC.B modes");
	for (unsigned reg = 1; reg < RTC_CMOS; reg++)
		if (reg == 1 || reg == 3 || reg == 5 || (reg >= CMOS_FIRST && cmos_keeps(reg)))
			dev_add(im, "rtc", reg == 0x0f ? DEV_SHUTDOWN : DEV_KEPT, cmos_get(m, reg),
				"CMOS+0x%02x", reg);
}

static void garbage_rtc(struct rng *rng, struct machine *m)
{
	for (unsigned n = 0; n < 40; n++) {
		unsigned reg = CMOS_FIRST + rng_below(rng, RTC_CMOS - CMOS_FIRST);

		if (cmos_keeps(reg))
			cmos_put(m, reg, rng_next(rng));
	}
	for (unsigned alarm = 1; alarm <= 5; alarm += 2)
		cmos_put(m, alarm, rng_next(rng));
	cmos_put(m, 0x0a, rng_next(rng));
	cmos_put(m, 0x0b, rng_next(rng));
	out(m, m->platform.rtc.base, rng_next(rng));
}

static uint64_t kbc_ask(struct machine *m, uint64_t command)
{
	uint64_t base = m->platform.i8042.base;

	out(m, base + 4, command);
	return in(m, base);
}

static void take_kbc(struct machine *m, struct dev_image *im)
{
	const struct i8042 *k = &m->platform.i8042;
	uint16_t reply = k->reply;
	enum i8042_data next = k->next;
	uint8_t last = k->last;

	dev_add(im, "i8042", DEV_VOLATILE, in(m, k->base + 4u), "i8042.status");
	dev_add(im, "i8042", DEV_RESET, next, "i8042.next byte");
	dev_add(im, "i8042", DEV_RESET, reply, "i8042.reply");
	dev_add(im, "i8042", DEV_RESET, k->kbd_count, "i8042.keyboard queue");
	dev_add(im, "i8042", DEV_VOLATILE, last, "i8042.last byte");
	dev_add(im, "i8042", DEV_RESET, kbc_ask(m, 0x20), "i8042.command byte");
	dev_add(im, "i8042", DEV_RESET, kbc_ask(m, 0xd0) & 0xcf, "i8042.output port");
	/* The questions were not to change it. */
	m->platform.i8042.reply = reply;
	m->platform.i8042.next = next;
	m->platform.i8042.last = last;
}

static void garbage_kbc(struct rng *rng, struct machine *m)
{
	static const uint8_t last[] = {0x20, 0x60, 0xd2, 0xd3, 0xd4, 0xaa, 0xc0};
	uint64_t base = m->platform.i8042.base;

	for (unsigned n = rng_below(rng, 4); n; n--)
		out(m, base, rng_chance(rng, 2) ? 0xee : 0xf2);
	if (rng_chance(rng, 2))
		in(m, base);
	out(m, base + 4, 0x60);
	out(m, base, rng_next(rng));
	out(m, base + 4, 0xd1);
	out(m, base, rng_next(rng) | 1); /* bit 0 low is a reset */
	out(m, base + 4, last[rng_below(rng, sizeof(last))]);
}

static void take_ports(struct machine *m, struct dev_image *im)
{
	dev_add(im, "ports", DEV_RESET, in(m, PORT_SYSTEM_A), "port 0x92");
	dev_add(im, "ports", DEV_RESET, in(m, PORT_RESET), "port 0xcf9");
	/* It tells where the previous life ended. */
	dev_add(im, "ports", DEV_KEPT, m->platform.ports.post_code, "POST code");
}

static void garbage_ports(struct rng *rng, struct machine *m)
{
	out(m, PORT_SYSTEM_A, rng_next(rng) & 0xfe);
	out(m, PORT_RESET, rng_next(rng) & 0xfb);
	out(m, m->cfg.board->post_port, rng_next(rng));
}

static void take_lines(struct machine *m, struct dev_image *im)
{
	uint64_t levels = 0;

	for (unsigned i = 0; i < TEST_LINES; i++)
		levels |= (in32(m, BUS_PIO, m->cfg.board->test_port + i) & 1) << i;
	dev_add(im, "test-lines", DEV_RESET, levels, "test lines");
}

static void garbage_lines(struct rng *rng, struct machine *m)
{
	uint64_t levels = rng_next(rng);

	for (unsigned i = 0; i < TEST_LINES; i++)
		out32(m, BUS_PIO, m->cfg.board->test_port + i, levels >> i & 1);
}

static void take_hotplug(struct machine *m, struct dev_image *im)
{
	uint64_t base = m->platform.hotplug.base;

	dev_add(im, "cpu-hotplug", DEV_RESET, in32(m, BUS_PIO, base), "hot-plug.APIC ID");
	dev_add(im, "cpu-hotplug", DEV_RESET, in32(m, BUS_PIO, base + 8), "hot-plug.changes");
	dev_add(im, "cpu-hotplug", DEV_RESET, m->platform.hotplug.failed, "hot-plug.failed");
	/* A command is forgotten by a reset of the CPUs, too: nobody would carry it out. */
	dev_add(im, "cpu-hotplug", DEV_VOLATILE, m->platform.hotplug.busy, "hot-plug.busy");
}

static void garbage_hotplug(struct rng *rng, struct machine *m)
{
	uint64_t base = m->platform.hotplug.base;

	out32(m, BUS_PIO, base, rng_next(rng));
	out32(m, BUS_PIO, base + 4, 0); /* no such command */
	for (unsigned n = 1 + rng_below(rng, 3); n; n--)
		hotplug_changed(&m->platform.hotplug);
	/* As if one were under way: really asking would add and remove CPUs. */
	m->platform.hotplug.busy = rng_chance(rng, 2);
}

/* CPUs that were taken out, and messages that --inject holds back. */
static void take_cpus(struct machine *m, struct dev_image *im)
{
	uint64_t plugged = 0;

	for (unsigned i = 0; i < m->nvcpus; i++)
		plugged |= (uint64_t)m->vcpus[i].plugged << i;
	dev_add(im, "hot-plug", DEV_RESET, plugged, "CPUs");
	if (!m->inject.nrules)
		return;
	dev_add(im, "messages", DEV_VOLATILE, m->inject.nlater, "messages delayed");
	dev_add(im, "messages", DEV_VOLATILE, m->inject.rules[0].holding, "messages reordered");
}

static void garbage_cpus(struct rng *rng, struct machine *m)
{
	struct error err;

	if (m->vcpus[RIG_CPUS - 1].plugged && rng_chance(rng, 4))
		machine_unplug(m, m->vcpus[RIG_CPUS - 1].apic_id, &err);
	else if (!m->vcpus[RIG_CPUS - 1].plugged && rng_chance(rng, 2))
		machine_plug(m, m->vcpus[RIG_CPUS - 1].apic_id, &err);
	if (!m->inject.nrules)
		return;
	m->inject.later[0].event = (struct inject_event){.kind = INJECT_INIT, .to = &m->vcpus[1]};
	m->inject.later[0].at_ns = UINT64_MAX;
	m->inject.nlater = rng_below(rng, 2);
	m->inject.rules[0].held = m->inject.later[0].event;
	m->inject.rules[0].holding = rng_chance(rng, 2);
}

/* --- all of them */

void devices_take(struct machine *m, struct dev_image *im)
{
	im->n = 0;
	if (!m->irqchip.ops->userspace_pit)
		devices_kvm_take(m, im);
	machine_lock(m);
	dev_add(im, "", DEV_VOLATILE, m->platform.lines, "lines");
	take_cpus(m, im);
	if (m->cfg.irqchip == IRQCHIP_SPLIT)
		dev_add(im, "irqchip", DEV_RESET, m->irqchip.routed, "routes");
	if (m->irqchip.ops->userspace_pit) {
		take_pic(m, im);
		take_ioapic(m, im);
	}
	take_serial(m, im);
	take_rtc(m, im);
	take_kbc(m, im);
	take_ports(m, im);
	take_lines(m, im);
	take_hotplug(m, im);
	if (m->irqchip.ops->userspace_pit)
		take_pit(m, im);
	machine_unlock(m);
}

void devices_garbage(struct rng *rng, struct machine *m)
{
	machine_lock(m);
	if (m->irqchip.ops->userspace_pit) {
		garbage_pic(rng, m);
		garbage_ioapic(rng, m);
		garbage_pit(rng, m);
	}
	garbage_serial(rng, m);
	garbage_rtc(rng, m);
	garbage_kbc(rng, m);
	garbage_ports(rng, m);
	garbage_lines(rng, m);
	garbage_hotplug(rng, m);
	garbage_cpus(rng, m);
	machine_unlock(m);
	if (!m->irqchip.ops->userspace_pit)
		devices_kvm_garbage(rng, m);
}

bool devices_expect(const struct dev_field *f, uint64_t *value, const char **section)
{
	static const struct {
		const char *name;
		uint64_t value;
		const char *section;
	} table[] = {
		{"IOAPIC.ID", 0, "82093AA 3.2.1"},
		{"UART.IER", 0, "PC16550D, UART Reset Configuration"},
		{"UART.IIR", 1, "PC16550D, UART Reset Configuration"},
		{"UART.FCR", 0, "PC16550D, UART Reset Configuration"},
		{"UART.LCR", 0, "PC16550D, UART Reset Configuration"},
		{"UART.MCR", 0, "PC16550D, UART Reset Configuration"},
		{"UART.LSR", 0x60, "PC16550D, UART Reset Configuration"},
		{"UART.received", 0, "PC16550D, UART Reset Configuration"},
		{"RTC.B enables", 0, "MC146818, RESET"},
		{"PIC0.ELCR", 0, "82371AB 4.1.5"},
		{"PIC1.ELCR", 0, "82371AB 4.1.5"},
		{"port 0xcf9", 0, "82371AB 4.1.7, RC"},
		{"test lines", 0, "sipi(1), test-lines"},
		{"hot-plug.changes", 0, "devices/hotplug.h"},
	};

	if (strncmp(f->name, "IOAPIC.entry", 12) == 0) {
		*value = 0x10000;
		*section = "82093AA 3.2.4";
		return true;
	}
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].name, f->name) != 0)
			continue;
		*value = table[i].value;
		*section = table[i].section;
		return true;
	}
	return false;
}

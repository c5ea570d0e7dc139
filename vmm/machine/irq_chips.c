// SPDX-License-Identifier: MIT
/*
 * IOAPIC and PIC where they are ours: as devices on the bus, with their effects queued or passed on to
 * the irqchip mode.
 */
#include <string.h>

#include "machine/internal.h"

#define IOAPIC_BASE 0xfec00000ull

/* Under the machine's lock: what the IOAPIC wants is queued, machine_unlock() delivers it. */
static void take_effects(struct machine *m, const struct ioapic_effects *eff)
{
	if (eff->changed && m->irqchip.ops->routes_changed)
		m->irqchip.ops->routes_changed(m, eff->changed);
	for (unsigned i = 0; i < eff->count && m->queued < QUEUED_MSGS; i++)
		m->queue[m->queued++] = eff->msg[i];
}

void irqchip_update_pic(struct machine *m)
{
	int intr = pic_intr(&m->irqchip.pic);

	if (atomic_exchange(&m->irqchip.pic_intr, intr) != intr)
		m->irqchip.ops->pic_changed(m, intr);
}

void irqchip_set_line(struct machine *m, unsigned gsi, bool level)
{
	struct ioapic_effects eff = {.count = 0};

	trace(m, -1, "line gsi %u = %d", gsi, level);
	ioapic_set_line(&m->irqchip.ioapic, gsi_to_pin(gsi), level, &eff);
	take_effects(m, &eff);
	if (gsi < 16) {
		pic_set_line(&m->irqchip.pic, gsi, level);
		irqchip_update_pic(m);
	}
}

void irqchip_eoi(struct machine *m, uint8_t vector)
{
	struct ioapic_effects eff = {.count = 0};

	ioapic_eoi(&m->irqchip.ioapic, vector, &eff);
	take_effects(m, &eff);
}

void irqchip_eoi_exit(struct machine *m, uint8_t vector)
{
	machine_lock(m);
	irqchip_eoi(m, vector);
	machine_unlock(m);
}

/* --- the controllers as devices on the bus */

static uint64_t pic_dev_read(struct device *dev, uint64_t addr, unsigned size)
{
	struct machine *m = container_of(dev, struct machine, irqchip.pic_dev);
	uint8_t value = pic_read(&m->irqchip.pic, (uint16_t)addr);

	(void)size;
	irqchip_update_pic(m);
	return value;
}

static void pic_dev_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct machine *m = container_of(dev, struct machine, irqchip.pic_dev);

	(void)size;
	pic_write(&m->irqchip.pic, (uint16_t)addr, (uint8_t)value);
	irqchip_update_pic(m);
}

static void pic_dev_reset(struct device *dev, enum reset_kind kind)
{
	struct machine *m = container_of(dev, struct machine, irqchip.pic_dev);

	(void)kind;
	pic_reset(&m->irqchip.pic);
	irqchip_update_pic(m);
}

/* Registers are 32 bits wide on 16-byte boundaries; other accesses are the data sheet's undefined. */
static uint64_t ioapic_dev_read(struct device *dev, uint64_t addr, unsigned size)
{
	struct machine *m = container_of(dev, struct machine, irqchip.ioapic_dev);
	uint64_t offset = addr - IOAPIC_BASE;
	uint32_t value = ioapic_read(&m->irqchip.ioapic, offset & ~3ull);

	(void)size;
	return value >> ((offset & 3) * 8);
}

static void ioapic_dev_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct machine *m = container_of(dev, struct machine, irqchip.ioapic_dev);
	struct ioapic_effects eff = {.count = 0};

	(void)size;
	if (addr & 3)
		return;
	ioapic_write(&m->irqchip.ioapic, addr - IOAPIC_BASE, (uint32_t)value, &eff);
	take_effects(m, &eff);
}

static void ioapic_dev_reset(struct device *dev, enum reset_kind kind)
{
	struct machine *m = container_of(dev, struct machine, irqchip.ioapic_dev);

	(void)kind;
	ioapic_reset(&m->irqchip.ioapic);
}

static const struct device_ops pic_dev_ops = {pic_dev_reset, pic_dev_read, pic_dev_write};
static const struct device_ops ioapic_dev_ops = {ioapic_dev_reset, ioapic_dev_read,
						 ioapic_dev_write};

int irqchip_add_chips(struct machine *m, struct error *err)
{
	struct irqchip *c = &m->irqchip;
	c->pic_dev = (struct device){
		.name = "pic",
		.ops = &pic_dev_ops,
		.ranges = {{BUS_PIO, 0x20, 2, 1}, {BUS_PIO, 0xa0, 2, 1}, {BUS_PIO, 0x4d0, 2, 1}},
	};
	c->ioapic_dev = (struct device){
		.name = "ioapic",
		.ops = &ioapic_dev_ops,
		.ranges = {{BUS_MMIO, IOAPIC_BASE, IOAPIC_LEN, 4}},
	};
	if (bus_add(&m->bus, &c->pic_dev, err) < 0)
		return -1;
	return bus_add(&m->bus, &c->ioapic_dev, err);
}

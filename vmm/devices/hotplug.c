// SPDX-License-Identifier: MIT
#include "devices/hotplug.h"

#define REG_APIC_ID 0
#define REG_STATUS  4 /* read */
#define REG_COMMAND 4 /* written */
#define REG_CHANGES 8
#define REG_SIZE    4

static void hotplug_reset(struct device *dev, enum reset_kind kind)
{
	struct hotplug *h = container_of(dev, struct hotplug, dev);

	(void)kind;
	h->apic_id = 0;
	h->busy = false;
	h->changes = 0;
	h->failed = false;
}

static uint32_t status(const struct hotplug *h)
{
	uint32_t s = h->host.status(h->host.ctx, h->apic_id);

	s &= HOTPLUG_PRESENT | HOTPLUG_PLUGGED;
	if (h->busy)
		s |= HOTPLUG_BUSY;
	if (h->failed)
		s |= HOTPLUG_FAILED;
	return s;
}

static uint64_t hotplug_read(struct device *dev, uint64_t addr, unsigned size)
{
	struct hotplug *h = container_of(dev, struct hotplug, dev);

	if (size != REG_SIZE)
		return 0;
	switch (addr - h->base) {
	case REG_APIC_ID:
		return h->apic_id;
	case REG_STATUS:
		return status(h);
	case REG_CHANGES:
		return h->changes;
	default:
		return 0;
	}
}

static void command(struct hotplug *h, uint32_t value)
{
	if (h->busy || (value != HOTPLUG_ADD && value != HOTPLUG_REMOVE)) {
		h->failed = true;
		return;
	}
	h->failed = false;
	/* Before start(): a host that is done at once says so from in there. */
	h->busy = true;
	h->host.start(h->host.ctx, h->apic_id, value == HOTPLUG_ADD);
}

static void hotplug_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct hotplug *h = container_of(dev, struct hotplug, dev);

	if (size != REG_SIZE)
		return;
	switch (addr - h->base) {
	case REG_APIC_ID:
		h->apic_id = (uint32_t)value;
		break;
	case REG_COMMAND:
		command(h, (uint32_t)value);
		break;
	default:
		break;
	}
}

static const struct device_ops hotplug_ops = {
	.reset = hotplug_reset,
	.read = hotplug_read,
	.write = hotplug_write,
};

void hotplug_init(struct hotplug *h, uint16_t base, const struct irq_line *irq,
		  const struct hotplug_host *host)
{
	*h = (struct hotplug){
		.dev = {.name = "cpu-hotplug",
			.ops = &hotplug_ops,
			.ranges = {{BUS_PIO, base, HOTPLUG_PORTS, REG_SIZE}}},
		.base = base,
		.irq = *irq,
		.host = *host,
	};
}

void hotplug_done(struct hotplug *h, bool ok)
{
	if (!h->busy) /* asked for before a reset */
		return;
	h->busy = false;
	h->failed |= !ok;
}

void hotplug_changed(struct hotplug *h)
{
	h->changes++;
	irq_set(&h->irq, true);
	irq_set(&h->irq, false);
}

// SPDX-License-Identifier: MIT
#include "devices/pit_dev.h"

/*
 * A guest may ask for 596000 interrupts a second; the loop's thread, which also serves the console,
 * gives it no more than this. Edges in between are coalesced. A one-shot is never delayed by it
 * unless it follows another interrupt that closely.
 */
#define MIN_PERIOD_NS 50000u

/*
 * Brings the line up to date; however many edges there were, the line makes one. It then stays high
 * until the next look even where OUT fell since: an 8259A that has not been acknowledged yet would
 * lose a request that is withdrawn.
 */
static void pit_dev_sync(struct pit_dev *p, uint64_t now)
{
	bool level;
	uint64_t edges = pit_advance(&p->pit, now, &level);

	if (edges) {
		irq_set(&p->irq, false);
		irq_set(&p->irq, true);
		p->lost_edges += edges - 1;
		p->fired_ns = now;
	} else {
		irq_set(&p->irq, level);
	}
}

/* OUT's next rising edge; in mode 2 OUT's next change may be its fall, 838 ns before that. */
static uint64_t next_edge(const struct pit_dev *p, uint64_t now)
{
	uint64_t t = pit_next_change(&p->pit, now);

	if (t != PIT_NEVER && !pit_out(&p->pit, 0, t))
		t = pit_next_change(&p->pit, t + 1);
	return t;
}

static void pit_dev_arm(struct pit_dev *p, uint64_t now)
{
	uint64_t t = next_edge(p, now);

	if (t == PIT_NEVER)
		return;
	if (t < p->fired_ns + MIN_PERIOD_NS)
		t = p->fired_ns + MIN_PERIOD_NS;
	if (t == p->armed_ns)
		return; /* a guest that polls a counter costs no system call each time */
	p->armed_ns = t;
	p->host.arm(p->host.ctx, t);
}

void pit_dev_timer(struct pit_dev *p)
{
	uint64_t now = p->host.now(p->host.ctx);

	p->armed_ns = PIT_NEVER;
	pit_dev_sync(p, now);
	pit_dev_arm(p, now);
}

static uint64_t pit_dev_read(struct device *dev, uint64_t addr, unsigned size)
{
	struct pit_dev *p = container_of(dev, struct pit_dev, dev);
	uint64_t now = p->host.now(p->host.ctx);
	uint8_t value;

	(void)size;
	pit_dev_sync(p, now);
	value = pit_read(&p->pit, (uint16_t)addr, now);
	pit_dev_arm(p, now);
	return value;
}

static void pit_dev_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct pit_dev *p = container_of(dev, struct pit_dev, dev);
	uint64_t now = p->host.now(p->host.ctx);

	(void)size;
	pit_dev_sync(p, now);
	pit_write(&p->pit, (uint16_t)addr, (uint8_t)value, now);
	pit_dev_sync(p, now);
	pit_dev_arm(p, now);
}

static void pit_dev_reset(struct device *dev, enum reset_kind kind)
{
	struct pit_dev *p = container_of(dev, struct pit_dev, dev);

	(void)kind;
	pit_reset(&p->pit, p->host.now(p->host.ctx));
	p->lost_edges = 0;
	irq_set(&p->irq, false);
}

static const struct device_ops pit_dev_ops = {
	.reset = pit_dev_reset,
	.read = pit_dev_read,
	.write = pit_dev_write,
};

void pit_dev_init(struct pit_dev *p, const struct irq_line *irq, const struct pit_host *host)
{
	*p = (struct pit_dev){
		.dev = {.name = "pit",
			.ops = &pit_dev_ops,
			.ranges = {{BUS_PIO, 0x40, 4, 1}, {BUS_PIO, 0x61, 1, 1}}},
		.irq = *irq,
		.host = *host,
		.armed_ns = PIT_NEVER,
	};
	pit_reset(&p->pit, host->now(host->ctx));
}

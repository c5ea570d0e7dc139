// SPDX-License-Identifier: MIT
#include "devices/test_lines.h"

static void line_set(struct test_lines *t, unsigned gsi, bool level)
{
	if (level)
		t->levels |= 1u << gsi;
	else
		t->levels &= ~(1u << gsi);
	t->line.gsi = gsi;
	irq_set(&t->line, level);
}

static void test_lines_reset(struct device *dev, enum reset_kind kind)
{
	struct test_lines *t = container_of(dev, struct test_lines, dev);

	(void)kind;
	/* Lines that are low already stay untouched: other devices share them. */
	for (unsigned gsi = 0; gsi < TEST_LINES; gsi++)
		if (t->levels & (1u << gsi))
			line_set(t, gsi, false);
}

static uint64_t test_lines_read(struct device *dev, uint64_t addr, unsigned size)
{
	struct test_lines *t = container_of(dev, struct test_lines, dev);
	uint64_t gsi = addr - t->base;

	(void)size;
	return gsi < TEST_LINES ? t->levels >> gsi & 1 : 0;
}

static void test_lines_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct test_lines *t = container_of(dev, struct test_lines, dev);
	uint64_t gsi = addr - t->base;

	(void)size;
	if (gsi < TEST_LINES)
		line_set(t, (unsigned)gsi, value & 1);
}

static const struct device_ops test_lines_ops = {
	.reset = test_lines_reset,
	.read = test_lines_read,
	.write = test_lines_write,
};

void test_lines_init(struct test_lines *t, uint16_t base, const struct irq_line *lines)
{
	*t = (struct test_lines){
		.dev = {.name = "test-lines",
			.ops = &test_lines_ops,
			.ranges = {{BUS_PIO, base, TEST_LINES_PORTS, 4}}},
		.base = base,
		.line = *lines,
	};
}

// SPDX-License-Identifier: MIT
#include "devices/debug_exit.h"

static void debug_exit_reset(struct device *dev, enum reset_kind kind)
{
	(void)dev;
	(void)kind;
}

static uint64_t debug_exit_read(struct device *dev, uint64_t addr, unsigned size)
{
	(void)dev;
	(void)addr;
	(void)size;
	return 0;
}

static void debug_exit_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct debug_exit *d = container_of(dev, struct debug_exit, dev);

	(void)addr;
	(void)size;
	d->req.exit(d->req.ctx, value < 255 ? (unsigned)value : 255);
}

static const struct device_ops debug_exit_ops = {
	.reset = debug_exit_reset,
	.read = debug_exit_read,
	.write = debug_exit_write,
};

void debug_exit_init(struct debug_exit *d, uint16_t port, const struct machine_requests *req)
{
	*d = (struct debug_exit){
		.dev = {.name = "debug-exit",
			.ops = &debug_exit_ops,
			.ranges = {{BUS_PIO, port, DEBUG_EXIT_PORTS, 4}}},
		.req = *req,
	};
}

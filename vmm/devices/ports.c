// SPDX-License-Identifier: MIT
#include "devices/ports.h"

/* System control port A: IBM PS/2 Hardware Interface Technical Reference; ICH "PORT92". */
#define A_FAST_RESET 0x01
#define A_A20	     0x02

/* Reset control: ICH data sheets, "RST_CNT". */
#define RST_SYS	 0x02 /* 0: CPUs only (soft), 1: everything (hard) */
#define RST_CPU	 0x04 /* its rising edge triggers the reset */
#define RST_FULL 0x08 /* with power off in between, which is a hard reset to us */

static void ports_reset(struct device *dev, enum reset_kind kind)
{
	struct ports *p = container_of(dev, struct ports, dev);

	p->system_a = A_A20;
	p->reset_control = 0;
	/* The last code tells where the previous life ended, so only power-on clears it. */
	if (kind == RESET_POWER_ON)
		p->post_code = 0;
}

static uint64_t ports_read(struct device *dev, uint64_t addr, unsigned size)
{
	struct ports *p = container_of(dev, struct ports, dev);

	(void)size;
	switch (addr) {
	case PORT_SYSTEM_A:
		return p->system_a;
	case PORT_RESET:
		return p->reset_control;
	default:
		return p->post_code;
	}
}

static void system_a_write(struct ports *p, uint8_t value)
{
	bool rising = value & ~p->system_a & A_FAST_RESET;

	p->system_a = value & (A_FAST_RESET | A_A20);
	if (rising)
		p->req.reset(p->req.ctx, RESET_KBC);
}

static void reset_control_write(struct ports *p, uint8_t value)
{
	bool rising = value & ~p->reset_control & RST_CPU;

	p->reset_control = value & (RST_SYS | RST_CPU | RST_FULL);
	if (rising)
		p->req.reset(p->req.ctx, value & RST_SYS ? RESET_HARD : RESET_SOFT);
}

static void ports_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct ports *p = container_of(dev, struct ports, dev);

	(void)size;
	switch (addr) {
	case PORT_SYSTEM_A:
		system_a_write(p, (uint8_t)value);
		break;
	case PORT_RESET:
		reset_control_write(p, (uint8_t)value);
		break;
	default:
		p->post_code = (uint8_t)value;
		break;
	}
}

static const struct device_ops ports_ops = {
	.reset = ports_reset,
	.read = ports_read,
	.write = ports_write,
};

void ports_init(struct ports *p, uint16_t post_port, const struct machine_requests *req)
{
	*p = (struct ports){
		.dev = {.name = "ports",
			.ops = &ports_ops,
			.ranges = {{BUS_PIO, PORT_SYSTEM_A, 1, 1}, {BUS_PIO, PORT_RESET, 1, 1}}},
		.req = *req,
	};
	if (post_port)
		p->dev.ranges[2] = (struct bus_range){BUS_PIO, post_port, 1, 1};
	ports_reset(&p->dev, RESET_POWER_ON);
}

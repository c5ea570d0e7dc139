// SPDX-License-Identifier: MIT
/*
 * Sections and figures named here are those of Intel's 82C54 data sheet (231244).
 *
 * All state is kept in whole CLK pulses, counted from time 0, so that neither long uptimes nor odd
 * time steps drift. Between accesses a channel is brought up to date in one step of constant cost.
 */
#include "chips/pit.h"

#include <string.h>

#define NSEC_PER_SEC 1000000000u

/*
 * Port 0x61 bit 4 follows the refresh requests of a PC/AT: one in 18 CLK pulses, 15.085 us, which
 * is how its BIOS sets channel 1. Code that times itself by the bit must not depend on that
 * channel.
 */
#define REFRESH_CLKS 18u

#define PORT61_GATE2	0x01u
#define PORT61_WRITABLE 0x03u
#define PORT61_REFRESH	0x10u
#define PORT61_OUT2	0x20u

enum pit_rw {
	RW_LATCH = 0,
	RW_LSB = 1,
	RW_MSB = 2,
	RW_BOTH = 3,
};

#define CONTROL_BCD	    0x01u
#define CONTROL_FIELD	    0x3fu
#define SELECT_READ_BACK    3u
#define READ_BACK_NO_COUNT  0x20u
#define READ_BACK_NO_STATUS 0x10u
#define STATUS_OUT	    0x80u
#define STATUS_NULL	    0x40u

/* 2^64 ns are less than 2^55 pulses. */
static uint64_t clk_from_ns(uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * PIT_HZ / NSEC_PER_SEC);
}

/* The first nanosecond at which clk_from_ns() gives this pulse. */
static uint64_t ns_from_clk(uint64_t clk)
{
	unsigned __int128 ns = ((unsigned __int128)clk * NSEC_PER_SEC + PIT_HZ - 1) / PIT_HZ;

	return ns < PIT_NEVER ? (uint64_t)ns : PIT_NEVER;
}

/* Control word format: the modes 6 and 7 are 2 and 3 again. */
static unsigned mode(const struct pit_channel *c)
{
	unsigned m = c->control >> 1 & 7;

	return m > 5 ? m - 4 : m;
}

static enum pit_rw access(const struct pit_channel *c)
{
	return (enum pit_rw)(c->control >> 4 & 3);
}

static bool periodic(const struct pit_channel *c)
{
	return mode(c) == 2 || mode(c) == 3;
}

static uint32_t modulus(const struct pit_channel *c)
{
	return c->control & CONTROL_BCD ? 10000 : 65536;
}

static void set_out(struct pit_channel *c, bool level)
{
	if (level && !c->out)
		c->rises++;
	c->out = level;
}

/* --- what CLK pulses do */

/* "Gate": in modes 1 and 5 only its edge matters, in the others a low level stops the count. */
static bool counting(const struct pit_channel *c)
{
	/* The phases from PIT_COUNT on are those that decrement. */
	return c->phase >= PIT_COUNT && (c->gate || mode(c) == 1 || mode(c) == 5);
}

static void load(struct pit_channel *c)
{
	c->period = c->reload;
	/* "Mode 3": odd counts are loaded minus one. */
	c->value = mode(c) == 3 ? c->reload & ~1u : c->reload;
	c->null_count = false;
	c->phase = PIT_COUNT;
}

/* Modes 0, 1, 4, 5: down to 0, where OUT changes, and on from the highest count. */
static void run_once(struct pit_channel *c, uint64_t clks)
{
	uint32_t mod = modulus(c);

	if (c->phase == PIT_COUNT && clks >= c->value) {
		clks -= c->value;
		c->value = 0;
		c->phase = mode(c) < 2 ? PIT_EXPIRED : PIT_STROBE;
		set_out(c, mode(c) < 2);
	}
	if (c->phase == PIT_STROBE && clks > 0) {
		c->phase = PIT_EXPIRED;
		set_out(c, true);
	}
	c->value = (uint32_t)((c->value + mod - clks % mod) % mod);
}

/*
 * Passes over whole periods, each with one rising edge, and returns the pulses left over. A period
 * of 1 has no edge in it, and its pulses are all alike.
 */
static uint32_t skip_periods(struct pit_channel *c, uint64_t clks)
{
	if (c->period <= 1)
		return 0;
	c->rises += clks / c->period;
	return (uint32_t)(clks % c->period);
}

/*
 * Mode 2: period N, OUT low while the count is 1. A count of 1 is outside of what the data sheet
 * allows (table "Minimum and maximum initial counts"); OUT stays high here, as there is no pulse
 * left for it to be high between two lows.
 */
static void run_rate(struct pit_channel *c, uint64_t clks)
{
	if (clks >= c->value) {
		clks -= c->value;
		if (c->period > 1)
			set_out(c, false); /* the count was 1 on the way */
		set_out(c, true);
		load(c);
		clks = skip_periods(c, clks);
	}
	c->value -= (uint32_t)clks;
	set_out(c, c->value != 1 || c->period == 1);
}

/* CLK pulses up to the end of a half-cycle in mode 3: (N+1)/2 high, (N-1)/2 low for an odd N. */
static uint32_t half_left(const struct pit_channel *c)
{
	return c->value / 2 + (c->out && (c->period & 1));
}

/* With the count of 1, which is not allowed either, the low half has no length. */
static void next_half(struct pit_channel *c)
{
	load(c);
	set_out(c, !c->out || c->period == 1);
}

/* Mode 3: counts by two, OUT toggles at the end of each half-cycle. */
static void run_square(struct pit_channel *c, uint64_t clks)
{
	if (clks >= half_left(c)) {
		clks -= half_left(c);
		next_half(c);
		clks = skip_periods(c, clks);
		if (clks >= half_left(c)) {
			clks -= half_left(c);
			next_half(c);
		}
	}
	c->value -= 2 * (uint32_t)clks;
}

static void run(struct pit_channel *c, uint64_t clks)
{
	if (clks > 0 && c->phase == PIT_LOAD) {
		load(c);
		set_out(c, mode(c) > 1);
		clks--;
	}
	/* "Mode 4": GATE has no effect on OUT, so the strobe ends though the count stands still. */
	if (clks > 0 && c->phase == PIT_STROBE && !counting(c)) {
		c->phase = PIT_EXPIRED;
		set_out(c, true);
	}
	if (clks == 0 || !counting(c))
		return;
	if (mode(c) == 2)
		run_rate(c, clks);
	else if (mode(c) == 3)
		run_square(c, clks);
	else
		run_once(c, clks);
}

static void run_until(struct pit *pit, uint64_t now_ns)
{
	uint64_t clk = clk_from_ns(now_ns);

	if (clk <= pit->clk)
		return;
	for (unsigned i = 0; i < 3; i++)
		run(&pit->ch[i], clk - pit->clk);
	pit->clk = clk;
}

/* In how many pulses OUT changes, at least 1; or 0 for never. */
static uint32_t clks_to_change(const struct pit_channel *c)
{
	if (c->phase == PIT_STROBE)
		return 1;
	if (c->phase != PIT_COUNT || !counting(c))
		return 0;
	switch (mode(c)) {
	case 2:
		if (c->value > 1)
			return c->value - 1;
		if (!c->out)
			return 1;
		return c->reload > 1 ? c->reload : 0; /* a count of 1 ends at the next pulse */
	case 3:
		return c->out && c->reload == 1 ? 0 : half_left(c);
	default:
		return c->value;
	}
}

/* --- accesses */

static uint16_t read_value(const struct pit_channel *c)
{
	unsigned v = c->value % modulus(c);

	if (!(c->control & CONTROL_BCD))
		return (uint16_t)v;
	return (uint16_t)(v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

/* 0 stands for the highest count. Digits above 9 are undefined; here they carry. */
static uint32_t count_from_register(const struct pit_channel *c, uint16_t reg)
{
	uint32_t count = reg;

	if (c->control & CONTROL_BCD)
		count = ((reg >> 12) * 1000u + (reg >> 8 & 15) * 100u + (reg >> 4 & 15) * 10u +
			 (reg & 15)) %
			10000;
	return count ? count : modulus(c);
}

static void write_control(struct pit_channel *c, uint8_t value)
{
	c->control = value & CONTROL_FIELD;
	c->phase = PIT_WAIT;
	c->reload = 0;
	c->null_count = true;
	c->write_msb = false;
	c->read_msb = false;
	c->latched = false;
	c->status_latched = false;
	set_out(c, mode(c) != 0);
}

/* "Counter Latch Command": a second one before the read is ignored. */
static void latch_count(struct pit_channel *c)
{
	if (c->latched)
		return;
	c->latched = true;
	c->latch = read_value(c);
}

static void latch_status(struct pit_channel *c)
{
	if (c->status_latched)
		return;
	c->status_latched = true;
	c->status = c->control;
	if (c->out)
		c->status |= STATUS_OUT;
	if (c->null_count)
		c->status |= STATUS_NULL;
}

static void write_port43(struct pit *pit, uint8_t value)
{
	unsigned select = value >> 6;

	if (select != SELECT_READ_BACK) {
		if ((value >> 4 & 3) == RW_LATCH)
			latch_count(&pit->ch[select]);
		else
			write_control(&pit->ch[select], value);
		return;
	}
	for (unsigned i = 0; i < 3; i++) {
		if (!(value & 2u << i))
			continue;
		if (!(value & READ_BACK_NO_COUNT))
			latch_count(&pit->ch[i]);
		if (!(value & READ_BACK_NO_STATUS))
			latch_status(&pit->ch[i]);
	}
}

/* A whole count has been written. */
static void write_register(struct pit_channel *c, uint16_t reg)
{
	c->reload = count_from_register(c, reg);
	c->null_count = true;
	switch (mode(c)) {
	case 0:
		set_out(c, false);
		c->phase = PIT_LOAD;
		break;
	case 4:
		/* A strobe that is under way ends with the pulse that loads. */
		c->phase = PIT_LOAD;
		break;
	case 2:
	case 3:
		/* While it counts, the new count waits for the end of the (half-)cycle. */
		if (c->phase == PIT_WAIT)
			c->phase = PIT_LOAD;
		break;
	default: /* modes 1 and 5: the count is used at the next trigger */
		break;
	}
}

static void write_count(struct pit_channel *c, uint8_t value)
{
	switch (access(c)) {
	case RW_LSB:
		write_register(c, value);
		return;
	case RW_MSB:
		write_register(c, (uint16_t)(value << 8));
		return;
	default:
		break;
	}
	if (c->write_msb) {
		write_register(c, (uint16_t)(value << 8 | c->write_latch));
	} else {
		c->write_latch = value;
		/* "Mode 0": the first byte stops the count and sets OUT low at once. */
		if (mode(c) == 0) {
			c->phase = PIT_WAIT;
			set_out(c, false);
		}
	}
	c->write_msb = !c->write_msb;
}

static uint8_t read_count(struct pit_channel *c)
{
	uint16_t v = c->latched ? c->latch : read_value(c);
	bool msb = access(c) == RW_MSB;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (access(c) == RW_BOTH) {
		msb = c->read_msb;
		c->read_msb = !c->read_msb;
	}
	/* Of a two-byte count the latch is held until both have been read. */
	if (!c->read_msb)
		c->latched = false;
	return (uint8_t)(msb ? v >> 8 : v);
}

/* "Gate": what an edge of it does at once; the trigger takes effect with the next pulse. */
static void set_gate(struct pit_channel *c, bool level)
{
	bool rising = level && !c->gate;

	c->gate = level;
	if (!level && periodic(c))
		set_out(c, true);
	if (rising && mode(c) != 0 && mode(c) != 4 && c->reload)
		c->phase = PIT_LOAD;
}

void pit_reset(struct pit *pit, uint64_t now_ns)
{
	memset(pit, 0, sizeof(*pit));
	pit->clk = clk_from_ns(now_ns);
	/*
	 * The chip powers up undefined. Mode 0 without a count keeps OUT low and IRQ 0 quiet. The
	 * gates of channels 0 and 1 are tied high on the board, and port 0x61 is reset to 0.
	 */
	for (unsigned i = 0; i < 3; i++) {
		write_control(&pit->ch[i], RW_BOTH << 4);
		pit->ch[i].gate = i != 2;
	}
}

uint8_t pit_read(struct pit *pit, uint16_t port, uint64_t now_ns)
{
	uint8_t value;

	run_until(pit, now_ns);
	switch (port) {
	case 0x40:
	case 0x41:
	case 0x42:
		return read_count(&pit->ch[port - 0x40]);
	case 0x61:
		value = pit->port61;
		if (pit->clk / REFRESH_CLKS & 1)
			value |= PORT61_REFRESH;
		if (pit->ch[2].out)
			value |= PORT61_OUT2;
		return value;
	}
	return 0xff; /* port 0x43 among them: the chip does not drive the bus */
}

void pit_write(struct pit *pit, uint16_t port, uint8_t value, uint64_t now_ns)
{
	run_until(pit, now_ns);
	switch (port) {
	case 0x40:
	case 0x41:
	case 0x42:
		write_count(&pit->ch[port - 0x40], value);
		break;
	case 0x43:
		write_port43(pit, value);
		break;
	case 0x61:
		pit->port61 = value & PORT61_WRITABLE;
		set_gate(&pit->ch[2], value & PORT61_GATE2);
		break;
	}
}

bool pit_out(const struct pit *pit, unsigned channel, uint64_t now_ns)
{
	struct pit copy = *pit;

	run_until(&copy, now_ns);
	return channel < 3 && copy.ch[channel].out;
}

uint64_t pit_advance(struct pit *pit, uint64_t now_ns, bool *level)
{
	uint64_t rises;

	run_until(pit, now_ns);
	rises = pit->ch[0].rises;
	pit->ch[0].rises = 0;
	*level = pit->ch[0].out;
	return rises;
}

uint64_t pit_next_change(const struct pit *pit, uint64_t now_ns)
{
	struct pit copy = *pit;
	struct pit_channel *c = &copy.ch[0];
	uint32_t clks;
	bool out;

	run_until(&copy, now_ns);
	out = c->out;
	if (c->phase == PIT_LOAD) {
		run(c, 1);
		copy.clk++;
		if (c->out != out)
			return ns_from_clk(copy.clk);
	}
	clks = clks_to_change(c);
	return clks ? ns_from_clk(copy.clk + clks) : PIT_NEVER;
}

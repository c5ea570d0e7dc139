// SPDX-License-Identifier: MIT
/*
 * Motorola MC146818 data sheet; the CMOS bytes beyond it are those of IBM's PC/AT and the sizes
 * that PC firmware stores. Port 0x70 bit 7 masks NMIs on a PC; no NMI source here looks at it.
 */
#include "devices/rtc.h"

#include <string.h>
#include <time.h>

#include "util/clock.h"

enum {
	REG_SECONDS = 0x00,
	REG_SECONDS_ALARM = 0x01,
	REG_MINUTES = 0x02,
	REG_MINUTES_ALARM = 0x03,
	REG_HOURS = 0x04,
	REG_HOURS_ALARM = 0x05,
	REG_WEEKDAY = 0x06,
	REG_DAY = 0x07,
	REG_MONTH = 0x08,
	REG_YEAR = 0x09,
	REG_A = 0x0a,
	REG_B = 0x0b,
	REG_C = 0x0c,
	REG_D = 0x0d,
	REG_SHUTDOWN = 0x0f,
	REG_BASE_KB = 0x15,
	REG_EXT_KB = 0x17,
	REG_EXT_KB_COPY = 0x30,
	REG_CENTURY = 0x32,
	REG_EXT_64KB = 0x34,
	REG_HIGH_64KB = 0x5b,
};

#define A_UIP	   0x80
#define A_DIVIDER  0x70
#define A_32768_HZ 0x20
#define A_RATE	   0x0f

#define B_SET  0x80
#define B_PIE  0x40
#define B_AIE  0x20
#define B_UIE  0x10
#define B_SQWE 0x08
#define B_DM   0x04 /* binary instead of BCD */
#define B_24H  0x02

#define C_IRQF 0x80
#define C_PF   0x40
#define C_AF   0x20
#define C_UF   0x10

#define D_VRT 0x80

/* IBM PC/AT Technical Reference, BIOS listing, "shutdown": on through 40:67, with and without EOIs before. */
#define SHUTDOWN_JUMP_EOI 0x05
#define SHUTDOWN_JUMP	  0x0a

#define HOUR_PM	      0x80
#define ALARM_ANY     0xc0 /* an alarm byte with both bits set matches everything */
#define CHAIN_HZ      32768u
#define SECONDS_A_DAY 86400
/* t_BUC + t_UC: UIP rises that long before the registers show the next second. */
#define UPDATE_NS (244000u + 1984000u)

static uint64_t chain_now(const struct rtc *r)
{
	return r->host.wall(r->host.ctx) + r->phase_ns;
}

/* The divider chain runs; any time base but 32768 Hz stands still here. */
static bool dividing(const struct rtc *r)
{
	return (r->cmos[REG_A] & A_DIVIDER) == A_32768_HZ;
}

static bool calendar_runs(const struct rtc *r)
{
	return dividing(r) && !(r->cmos[REG_B] & B_SET);
}

static uint8_t encode(const struct rtc *r, unsigned v)
{
	if (r->cmos[REG_B] & B_DM)
		return (uint8_t)v;
	return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

static int decode(const struct rtc *r, uint8_t v)
{
	return r->cmos[REG_B] & B_DM ? v : (v >> 4) * 10 + (v & 0xf);
}

static uint8_t encode_hour(const struct rtc *r, unsigned h)
{
	if (r->cmos[REG_B] & B_24H)
		return encode(r, h);
	return encode(r, h % 12 ? h % 12 : 12) | (h >= 12 ? HOUR_PM : 0);
}

static int decode_hour(const struct rtc *r, uint8_t v)
{
	if (r->cmos[REG_B] & B_24H)
		return decode(r, v);
	return decode(r, v & ~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

static void calendar_to_cmos(struct rtc *r, uint64_t chain)
{
	time_t sec = (time_t)(chain / NSEC_PER_SEC) + r->offset_s;
	struct tm tm;
	unsigned year;

	if (!gmtime_r(&sec, &tm))
		return;
	year = (unsigned)tm.tm_year + 1900;
	r->cmos[REG_SECONDS] = encode(r, (unsigned)tm.tm_sec);
	r->cmos[REG_MINUTES] = encode(r, (unsigned)tm.tm_min);
	r->cmos[REG_HOURS] = encode_hour(r, (unsigned)tm.tm_hour);
	r->cmos[REG_WEEKDAY] = encode(r, (unsigned)tm.tm_wday + 1);
	r->cmos[REG_DAY] = encode(r, (unsigned)tm.tm_mday);
	r->cmos[REG_MONTH] = encode(r, (unsigned)tm.tm_mon + 1);
	r->cmos[REG_YEAR] = encode(r, year % 100);
	r->cmos[REG_CENTURY] = encode(r, year / 100 % 100);
}

/* Whatever bytes the guest left there: timegm() carries what is out of range into the next field.
 */
static void calendar_from_cmos(struct rtc *r, uint64_t chain)
{
	struct tm tm = {
		.tm_sec = decode(r, r->cmos[REG_SECONDS]),
		.tm_min = decode(r, r->cmos[REG_MINUTES]),
		.tm_hour = decode_hour(r, r->cmos[REG_HOURS]),
		.tm_mday = decode(r, r->cmos[REG_DAY]),
		.tm_mon = decode(r, r->cmos[REG_MONTH]) - 1,
		.tm_year =
			decode(r, r->cmos[REG_CENTURY]) * 100 + decode(r, r->cmos[REG_YEAR]) - 1900,
	};

	r->offset_s = timegm(&tm) - (int64_t)(chain / NSEC_PER_SEC);
}

static bool alarm_byte(const struct rtc *r, unsigned reg, uint8_t now)
{
	return (r->cmos[reg] & ALARM_ANY) == ALARM_ANY || r->cmos[reg] == now;
}

/* Did the alarm match in one of the chain's seconds from + 1 .. to? It repeats every day. */
static bool alarm_between(const struct rtc *r, uint64_t from, uint64_t to)
{
	if (to - from > SECONDS_A_DAY)
		from = to - SECONDS_A_DAY;
	for (uint64_t s = from + 1; s <= to; s++) {
		int64_t day = ((int64_t)s + r->offset_s) % SECONDS_A_DAY;
		unsigned sec = (unsigned)(day < 0 ? day + SECONDS_A_DAY : day);

		if (alarm_byte(r, REG_SECONDS_ALARM, encode(r, sec % 60)) &&
		    alarm_byte(r, REG_MINUTES_ALARM, encode(r, sec / 60 % 60)) &&
		    alarm_byte(r, REG_HOURS_ALARM, encode_hour(r, sec / 3600)))
			return true;
	}
	return false;
}

/* Register A's rate: a periodic flag every 2^shift ticks of the chain; -1 for none. */
static int periodic_shift(const struct rtc *r)
{
	int rate = r->cmos[REG_A] & A_RATE;

	if (!rate || !dividing(r))
		return -1;
	return rate <= 2 ? rate + 6 : rate - 1; /* 1 and 2 give the rates of 8 and 9 */
}

static uint64_t chain_ticks(uint64_t chain)
{
	return chain / NSEC_PER_SEC * CHAIN_HZ + chain % NSEC_PER_SEC * CHAIN_HZ / NSEC_PER_SEC;
}

/* The first nanosecond in which chain_ticks() gives that. */
static uint64_t ticks_ns(uint64_t ticks)
{
	uint64_t frac = ticks % CHAIN_HZ * NSEC_PER_SEC;

	return ticks / CHAIN_HZ * NSEC_PER_SEC + (frac + CHAIN_HZ - 1) / CHAIN_HZ;
}

static void update_irq(struct rtc *r)
{
	uint8_t *c = &r->cmos[REG_C];

	if (*c & r->cmos[REG_B] & (C_PF | C_AF | C_UF))
		*c |= C_IRQF;
	else
		*c &= (uint8_t)~C_IRQF;
	irq_set(&r->irq, *c & C_IRQF);
}

/* Brings register C up to the present. The flags rise whether or not they are enabled. */
static void sync_flags(struct rtc *r)
{
	uint64_t from = r->seen_ns, to = chain_now(r);
	uint64_t from_s = from / NSEC_PER_SEC, to_s = to / NSEC_PER_SEC;
	int shift = periodic_shift(r);

	r->seen_ns = to;
	if (to <= from) /* the host's clock was set back */
		return;
	if (shift >= 0 && chain_ticks(from) >> shift != chain_ticks(to) >> shift)
		r->cmos[REG_C] |= C_PF;
	if (calendar_runs(r) && from_s != to_s) {
		r->cmos[REG_C] |= C_UF;
		if (alarm_between(r, from_s, to_s))
			r->cmos[REG_C] |= C_AF;
	}
	update_irq(r);
}

/*
 * The next moment at which the line can rise. While it is high nothing more can happen to it, so a
 * guest that does not look after its RTC costs nothing. An alarm is looked for at each second.
 */
static void arm(struct rtc *r)
{
	uint64_t t = r->seen_ns, due = UINT64_MAX;
	int shift = periodic_shift(r);

	if (r->cmos[REG_C] & C_IRQF)
		return;
	if ((r->cmos[REG_B] & B_PIE) && shift >= 0)
		due = ticks_ns(((chain_ticks(t) >> shift) + 1) << shift);
	if ((r->cmos[REG_B] & (B_UIE | B_AIE)) && calendar_runs(r)) {
		uint64_t second = (t / NSEC_PER_SEC + 1) * NSEC_PER_SEC;

		due = second < due ? second : due;
	}
	if (due != UINT64_MAX)
		r->host.arm(r->host.ctx, r->host.now(r->host.ctx) + (due - t));
}

void rtc_timer(struct rtc *r)
{
	sync_flags(r);
	arm(r);
}

static bool is_calendar(unsigned reg)
{
	return reg == REG_SECONDS || reg == REG_MINUTES || reg == REG_HOURS ||
	       (reg >= REG_WEEKDAY && reg <= REG_YEAR) || reg == REG_CENTURY;
}

static uint8_t reg_read(struct rtc *r)
{
	uint8_t v;

	switch (r->index) {
	case REG_A:
		v = r->cmos[REG_A];
		if (calendar_runs(r) && r->seen_ns % NSEC_PER_SEC >= NSEC_PER_SEC - UPDATE_NS)
			v |= A_UIP;
		return v;
	case REG_C:
		v = r->cmos[REG_C];
		r->cmos[REG_C] = 0;
		update_irq(r);
		arm(r);
		return v;
	case REG_D:
		return D_VRT;
	default:
		if (is_calendar(r->index) && calendar_runs(r))
			calendar_to_cmos(r, r->seen_ns);
		return r->cmos[r->index];
	}
}

/* Registers A and B can stop and start the calendar, and A the divider chain. */
static void control_write(struct rtc *r, unsigned reg, uint8_t value)
{
	bool ran = calendar_runs(r), divided = dividing(r);

	if (ran)
		calendar_to_cmos(r, r->seen_ns);
	r->cmos[reg] = value;
	/* Out of the divider's reset, the first update comes half a second later. */
	if (dividing(r) && !divided) {
		uint64_t frac = r->host.wall(r->host.ctx) % NSEC_PER_SEC;

		r->phase_ns = (NSEC_PER_SEC * 3 / 2 - frac) % NSEC_PER_SEC;
		r->seen_ns = chain_now(r);
	}
	if (calendar_runs(r) && !ran)
		calendar_from_cmos(r, r->seen_ns);
	update_irq(r);
	arm(r);
}

static void reg_write(struct rtc *r, uint8_t value)
{
	bool set_now = is_calendar(r->index) && calendar_runs(r);

	switch (r->index) {
	case REG_A:
		control_write(r, REG_A, value & (uint8_t)~A_UIP);
		return;
	case REG_B:
		if (value & B_SET) /* "SET going high clears the UIE bit" */
			value &= (uint8_t)~B_UIE;
		control_write(r, REG_B, value);
		return;
	case REG_C:
	case REG_D:
		return;
	default:
		if (set_now)
			calendar_to_cmos(r, r->seen_ns);
		r->cmos[r->index] = value;
		if (set_now)
			calendar_from_cmos(r, r->seen_ns);
		return;
	}
}

static uint64_t rtc_read(struct device *dev, uint64_t addr, unsigned size)
{
	struct rtc *r = container_of(dev, struct rtc, dev);

	(void)size;
	if (addr == r->base) /* write-only on a PC */
		return 0xff;
	sync_flags(r);
	return reg_read(r);
}

static void rtc_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct rtc *r = container_of(dev, struct rtc, dev);

	(void)size;
	if (addr == r->base) {
		r->index = value % RTC_CMOS;
		return;
	}
	sync_flags(r);
	reg_write(r, (uint8_t)value);
}

static void put_size(struct rtc *r, unsigned reg, unsigned bytes, uint64_t value)
{
	uint64_t max = (1ull << (8 * bytes)) - 1;

	if (value > max)
		value = max;
	for (unsigned i = 0; i < bytes; i++)
		r->cmos[reg + i] = (uint8_t)(value >> (8 * i));
}

static uint64_t above(uint64_t value, uint64_t limit)
{
	return value > limit ? value - limit : 0;
}

static void power_on(struct rtc *r)
{
	uint64_t low = r->ram_low;

	memset(r->cmos, 0, sizeof(r->cmos));
	r->index = 0;
	r->phase_ns = 0;
	r->offset_s = 0;
	r->cmos[REG_A] = A_32768_HZ | 6; /* 1024 Hz, as firmware leaves it */
	r->cmos[REG_B] = B_24H;
	put_size(r, REG_BASE_KB, 2, (low < 0xa0000 ? low : 0xa0000) >> 10);
	put_size(r, REG_EXT_KB, 2, above(low, 1 << 20) >> 10);
	put_size(r, REG_EXT_KB_COPY, 2, above(low, 1 << 20) >> 10);
	put_size(r, REG_EXT_64KB, 2, above(low, 16 << 20) >> 16);
	put_size(r, REG_HIGH_64KB, 3, r->ram_high >> 16);
}

bool rtc_warm_vector(const struct rtc *r)
{
	uint8_t byte = r->cmos[REG_SHUTDOWN];

	return byte == SHUTDOWN_JUMP_EOI || byte == SHUTDOWN_JUMP;
}

/*
 * The chip has a battery: its RESET pin clears enables and flags only. The shutdown byte of a cold reset goes
 * because RAM, and with it the vector at 0x467, does. A PC's BIOS obeys the byte only when the 8042's system
 * flag says that this is no cold start; our firmware reads the byte alone, and this stands in for the flag.
 */
static void rtc_reset(struct device *dev, enum reset_kind kind)
{
	struct rtc *r = container_of(dev, struct rtc, dev);

	if (kind == RESET_POWER_ON)
		power_on(r);
	if (kind == RESET_HARD || kind == RESET_HOST)
		r->cmos[REG_SHUTDOWN] = 0;
	r->cmos[REG_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
	r->cmos[REG_C] = 0;
	r->seen_ns = chain_now(r);
	update_irq(r);
}

static const struct device_ops rtc_ops = {
	.reset = rtc_reset,
	.read = rtc_read,
	.write = rtc_write,
};

void rtc_init(struct rtc *r, uint16_t base, const struct irq_line *irq, const struct rtc_host *host,
	      uint64_t ram_low, uint64_t ram_high)
{
	*r = (struct rtc){
		.dev = {.name = "rtc", .ops = &rtc_ops, .ranges = {{BUS_PIO, base, RTC_PORTS, 1}}},
		.base = base,
		.host = *host,
		.ram_low = ram_low,
		.ram_high = ram_high,
	};
	rtc_reset(&r->dev, RESET_POWER_ON);
	r->irq = *irq; /* only now: the interrupt controllers may not be there yet */
}

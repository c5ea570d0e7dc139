/* SPDX-License-Identifier: MIT */
#ifndef SIPI_DEVICES_RTC_H
#define SIPI_DEVICES_RTC_H

#include "devices/device.h"

/* An MC146818 real-time clock with 128 bytes of CMOS RAM, as in a PC/AT. */
#define RTC_PORTS 2
#define RTC_CMOS  128

struct rtc_host {
	uint64_t (*now)(void *ctx);  /* CLOCK_MONOTONIC in ns, the clock of arm() */
	uint64_t (*wall)(void *ctx); /* CLOCK_REALTIME in ns; it may jump */
	/* Wants rtc_timer() at that time; replaces an earlier wish. Early or extra calls do no
	 * harm. */
	void (*arm)(void *ctx, uint64_t deadline_ns);
	void *ctx;
};

struct rtc {
	struct device dev;
	uint16_t base;
	struct irq_line irq;
	struct rtc_host host;
	uint64_t ram_low, ram_high;
	uint8_t index;
	uint8_t cmos[RTC_CMOS]; /* the time in it is current only while the calendar is stopped */
	/*
	 * The divider chain is the host's wall clock plus a phase below one second, the calendar is
	 * the chain's seconds plus an offset: so setting the date does not disturb the periodic
	 * interrupt.
	 */
	uint64_t phase_ns;
	int64_t offset_s;
	uint64_t seen_ns; /* events up to this time of the chain are in register C */
};

/* ram_low and ram_high: bytes of RAM below and above 4 GiB, for the sizes that firmware leaves. */
void rtc_init(struct rtc *r, uint16_t base, const struct irq_line *irq, const struct rtc_host *host,
	      uint64_t ram_low, uint64_t ram_high);
void rtc_timer(struct rtc *r);
/*
 * Does the shutdown byte (CMOS index 0x0f) say that a warm reset goes on at the far pointer at 0x467, as the
 * firmware carries it out (firmware/reset.S)? Then what lies in RAM belongs to whoever set it.
 */
bool rtc_warm_vector(const struct rtc *r);

#endif

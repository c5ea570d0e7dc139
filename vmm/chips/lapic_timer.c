// SPDX-License-Identifier: MIT
/*
 * The local APIC's timer: SDM vol. 3A, "APIC Timer". Everything is computed from the moment of arming, so
 * that nothing drifts. The prescaler starts afresh when the divider is changed, which the manual leaves open.
 */
#include "chips/lapic_priv.h"

enum timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE, TIMER_RESERVED };

static enum timer_mode timer_mode(uint32_t lvt)
{
	return (enum timer_mode)(lvt >> LVT_TIMER_SHIFT & 3);
}

static bool counts(enum timer_mode mode)
{
	return mode == TIMER_ONE_SHOT || mode == TIMER_PERIODIC;
}

static unsigned divisor(const struct lapic *l)
{
	unsigned code = (l->divide & 3) | (l->divide >> 1 & 4);

	return code == 7 ? 1 : 2u << code;
}

/* Counts since the timer was armed. */
static uint64_t elapsed(const struct lapic *l, struct lapic_time time)
{
	uint64_t ns = time.ns > l->start ? time.ns - l->start : 0;

	return (uint64_t)((unsigned __int128)ns * l->cfg.bus_khz / 1000000 / divisor(l));
}

/* Expiries since the timer was armed. */
static uint64_t expiries(const struct lapic *l, uint64_t now)
{
	if (now < l->first)
		return 0;
	if (timer_mode(l->lvt[LAPIC_LVT_TIMER]) == TIMER_ONE_SHOT)
		return 1;
	return 1 + (now - l->first) / l->initial_count;
}

uint32_t lapic_timer_current(const struct lapic *l, struct lapic_time time)
{
	uint64_t now;

	if (!l->armed)
		return 0;
	now = elapsed(l, time);
	if (now < l->first)
		return (uint32_t)(l->first - now);
	if (timer_mode(l->lvt[LAPIC_LVT_TIMER]) == TIMER_ONE_SHOT)
		return 0;
	return (uint32_t)(l->initial_count - (now - l->first) % l->initial_count);
}

void lapic_timer_resume(struct lapic *l, uint32_t current, struct lapic_time time)
{
	l->armed = current && counts(timer_mode(l->lvt[LAPIC_LVT_TIMER]));
	l->first = current;
	l->start = time.ns;
	l->expired = 0;
}

void lapic_timer_set_initial(struct lapic *l, uint32_t value, struct lapic_time time)
{
	if (timer_mode(l->lvt[LAPIC_LVT_TIMER]) == TIMER_DEADLINE)
		return; /* "writes to the initial-count register are ignored" */
	l->initial_count = value;
	lapic_timer_resume(l, value, time);
}

void lapic_timer_set_divide(struct lapic *l, uint32_t value, struct lapic_time time)
{
	uint32_t current = lapic_timer_current(l, time);

	value &= DIVIDE_WRITABLE;
	if (value == l->divide)
		return;
	l->divide = value;
	lapic_timer_resume(l, current, time);
}

/*
 * Going to or from TSC-deadline mode disarms the timer. Between one-shot and periodic it counts on: an older
 * sentence that any change disarms it was an error of the manual, corrected in May 2019.
 */
void lapic_timer_mode(struct lapic *l, uint32_t lvt, struct lapic_time time)
{
	enum timer_mode old = timer_mode(l->lvt[LAPIC_LVT_TIMER]), new = timer_mode(lvt);

	if (old == new)
		return;
	if (!counts(old) || !counts(new)) {
		l->armed = false;
		l->deadline = 0;
		return;
	}
	/* The end of the period that runs is the one shot. */
	if (l->armed && new == TIMER_ONE_SHOT) {
		l->first += expiries(l, elapsed(l, time)) * l->initial_count;
		l->expired = 0;
	}
}

/* "TSC-Deadline Mode". */
int lapic_deadline_read(const struct lapic *l, uint64_t *value)
{
	if (!l->cfg.deadline)
		return -1;
	*value = l->deadline;
	return 0;
}

int lapic_deadline_write(struct lapic *l, uint64_t value, struct lapic_effects *eff)
{
	lapic_begin(eff);
	if (!l->cfg.deadline)
		return -1;
	/* In other modes the write is ignored. */
	if (timer_mode(l->lvt[LAPIC_LVT_TIMER]) == TIMER_DEADLINE) {
		l->deadline = value;
		eff->timer = true;
	}
	lapic_end(l, eff);
	return 0;
}

/* from + amount * mul / div, rounded up, and always before LAPIC_NEVER. */
static uint64_t later(uint64_t from, unsigned __int128 amount, uint64_t mul, uint64_t div)
{
	unsigned __int128 ns = (amount * mul + div - 1) / div;

	return ns >= LAPIC_NEVER - from ? LAPIC_NEVER - 1 : from + (uint64_t)ns;
}

uint64_t lapic_next_timer(const struct lapic *l, struct lapic_time time)
{
	unsigned __int128 target;

	if (l->deadline) {
		if (time.tsc >= l->deadline)
			return time.ns;
		return later(time.ns, l->deadline - time.tsc, 1000000, l->cfg.tsc_khz);
	}
	if (!l->armed)
		return LAPIC_NEVER;
	target = l->first + (unsigned __int128)l->expired * l->initial_count;
	return later(l->start, target * divisor(l), 1000000, l->cfg.bus_khz);
}

uint64_t lapic_timer_expire(struct lapic *l, struct lapic_time time)
{
	uint64_t total, due;

	if (l->deadline) {
		if (time.tsc < l->deadline)
			return 0;
		l->deadline = 0;
		return 1;
	}
	if (!l->armed)
		return 0;
	total = expiries(l, elapsed(l, time));
	due = total - l->expired;
	l->expired = total;
	if (due && timer_mode(l->lvt[LAPIC_LVT_TIMER]) == TIMER_ONE_SHOT)
		l->armed = false;
	return due;
}

void lapic_timer_tick(struct lapic *l, struct lapic_effects *eff)
{
	lapic_begin(eff);
	lapic_lvt_fire(l, LAPIC_LVT_TIMER, eff);
	lapic_end(l, eff);
}

uint64_t lapic_advance(struct lapic *l, struct lapic_time time, struct lapic_effects *eff)
{
	uint64_t due = lapic_timer_expire(l, time);

	lapic_begin(eff);
	if (due) {
		lapic_lvt_fire(l, LAPIC_LVT_TIMER, eff);
		eff->timer = true;
	}
	lapic_end(l, eff);
	return due;
}

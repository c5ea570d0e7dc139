/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_INJECT_H
#define SIPI_MACHINE_INJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "chips/apic_msg.h"
#include "io/timer.h"
#include "util/error.h"

/*
 * --inject: meddling with interrupts on their way, in irqchip mode `user`. A rule is
 *
 *	ACTION EVENT [nth=N | nth=all] [from=ID] [to=ID] [vector=V] [by=TIME]
 *
 * ACTION is drop, delay, duplicate or reorder; EVENT is ipi (fixed, lowest priority and NMI), init, sipi, eoi
 * (a LAPIC's broadcast to the IOAPIC) or timer (a tick of the LAPIC timer). Each rule counts the events it
 * matches, one for each target of a message; nth (default 1) is the one it acts on. from and to are APIC IDs.
 * by (default 1ms; ns, us, ms or s) is how late a delayed event or the second of two is. A reordered event
 * waits until the next one that the rule matches has been delivered.
 */
enum inject_action { INJECT_DROP, INJECT_DELAY, INJECT_DUPLICATE, INJECT_REORDER };
enum inject_event_kind { INJECT_IPI, INJECT_INIT, INJECT_SIPI, INJECT_EOI, INJECT_TIMER };

#define INJECT_ANY   UINT32_MAX
#define INJECT_RULES 16
#define INJECT_HELD  256

struct vcpu;

struct inject_event {
	enum inject_event_kind kind;
	uint32_t from;	 /* APIC ID, or INJECT_ANY where no CPU sent it */
	struct vcpu *to; /* whose LAPIC it is for; EOI and timer: whose it is */
	struct apic_msg msg;
	uint8_t vector;
};

struct inject_rule {
	const char *text; /* the user's words; not owned */
	enum inject_action action;
	enum inject_event_kind kind;
	bool all;
	uint64_t nth, by_ns;
	uint32_t from, to;
	int vector; /* -1: any */
	uint64_t matched, done;
	bool holding;
	struct inject_event held;
};

struct inject {
	struct inject_rule rules[INJECT_RULES];
	unsigned nrules;
	struct {
		struct inject_event event;
		uint64_t at_ns;
	} later[INJECT_HELD];
	unsigned nlater;
	uint64_t overflow; /* delayed events that found no room, and went at once */
	struct timer timer;
};

/* On a bad word *err points at it, on lines of its own. */
int inject_parse(struct inject_rule *rule, const char *text, struct error *err);

struct machine;
int inject_open(struct machine *m, struct error *err);
void inject_close(struct machine *m);
/* What waits is of a life that a reset has ended. Under the machine's lock. */
void inject_reset(struct machine *m);
/*
 * Lets an event go its way, or what the rules make of it. True: it was accepted, or the sender is to
 * believe so. Under the machine's lock.
 */
bool inject_pass(struct machine *m, const struct inject_event *e);
/* A line a rule: what was done. */
void inject_report(const struct machine *m, FILE *f);

#endif

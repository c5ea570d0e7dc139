// SPDX-License-Identifier: MIT
/* irqchip mode `user`: what LAPICs want done, and messages between them. Under the machine's lock. */
#include <stdio.h>

#include "machine/internal.h"
#include "util/clock.h"

/* A guest's timer may ask for a period of a nanosecond; the loop serves it this often at most. */
#define TIMER_FLOOR_NS 20000
/* How often a CPU is asked for its TPR while that alone holds an interrupt back: see user_arm(). */
#define TPR_POLL_NS 1000000

struct lapic_time user_time(const struct vcpu *v)
{
	const struct user_cpu *c = v->user;
	struct lapic_time t = {.ns = clock_now_ns()};

	t.tsc = c->tsc + (uint64_t)((unsigned __int128)(t.ns - c->tsc_ns) * c->tsc_khz / 1000000);
	return t;
}

/* Would a lower TPR let an interrupt through? */
static bool held_by_tpr(const struct lapic *l)
{
	struct lapic copy = *l;

	copy.tpr = 0;
	return l->tpr && lapic_pending(l) < 0 && lapic_pending(&copy) >= 0;
}

/*
 * Arms the host's timer for the LAPIC's. Where MOV to CR8 is emulated, KVM does not exit when the guest
 * lowers its TPR (KVM_EXIT_SET_TPR comes from the intercept alone), so while only TPR holds an interrupt
 * back, the timer also makes the CPU exit now and then, and TPR is looked at.
 */
static void user_arm(struct vcpu *v)
{
	struct user_cpu *c = v->user;
	struct lapic_time now = user_time(v);
	uint64_t at = lapic_next_timer(&c->lapic, now);

	if (at != LAPIC_NEVER && at < c->fired_ns + TIMER_FLOOR_NS)
		at = c->fired_ns + TIMER_FLOOR_NS;
	if (held_by_tpr(&c->lapic) && at > now.ns + TPR_POLL_NS)
		at = now.ns + TPR_POLL_NS;
	if (at == LAPIC_NEVER)
		timer_disarm(&c->timer);
	else
		timer_arm(&c->timer, at);
}

void user_watch_tpr(struct vcpu *v)
{
	if (held_by_tpr(&v->user->lapic))
		user_arm(v);
}

static const char *delivery_name(uint8_t delivery)
{
	static const char *const names[] = {"fixed", "lowest", "smi",  "reserved",
					    "nmi",   "init",   "sipi", "extint"};

	return names[delivery & 7];
}

/* "ipi fixed vector 0x40 physical dest 0x1: accepted by 1" */
static void trace_message(struct vcpu *source, const struct apic_msg *msg, const unsigned *targets,
			  unsigned n, unsigned accepted)
{
	static const char *const shorthands[] = {"", " to self", " to all", " to all but self"};
	struct machine *m = source ? source->m : NULL;
	char list[64] = "";
	size_t at = 0;

	if (!m || !m->trace)
		return;
	for (unsigned i = 0; i < n && at < sizeof(list) - 12; i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, " %u",
				       m->irqchip.user.cpus[targets[i]]->index);
	trace(m, (int)source->index, "ipi %s vector 0x%02x %s dest 0x%x%s%s: %u of%s accepted",
	      delivery_name(msg->delivery), msg->vector, msg->logical ? "logical" : "physical",
	      msg->dest, shorthands[msg->shorthand & 3], msg->assert ? "" : " de-assert", accepted,
	      n ? list : " nobody");
}

bool user_accept(struct machine *m, const struct inject_event *e)
{
	struct lapic_effects eff;
	bool accepted = true;

	switch (e->kind) {
	case INJECT_EOI:
		irqchip_eoi(m, e->vector);
		return true;
	case INJECT_TIMER:
		lapic_timer_tick(&e->to->user->lapic, &eff);
		break;
	default:
		accepted = lapic_receive(&e->to->user->lapic, &e->msg, &eff);
		break;
	}
	user_act(e->to, &eff);
	return accepted;
}

static enum inject_event_kind event_kind(const struct apic_msg *msg)
{
	if (msg->delivery == APIC_INIT)
		return INJECT_INIT;
	return msg->delivery == APIC_SIPI ? INJECT_SIPI : INJECT_IPI;
}

unsigned user_send(struct machine *m, struct vcpu *source, const struct apic_msg *msg)
{
	struct user_irqchip *u = &m->irqchip.user;
	unsigned n = apic_bus_route(&u->bus, msg, source ? source->user_index : APIC_BUS_NO_SOURCE,
				    u->targets);
	unsigned accepted = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct inject_event e = {
			.kind = event_kind(msg),
			.from = source ? source->apic_id : INJECT_ANY,
			.to = u->cpus[u->targets[i]],
			.msg = *msg,
			.vector = msg->vector,
		};

		/* Rules are for IPIs: what comes from an IOAPIC goes its way. */
		accepted += source ? inject_pass(m, &e) : user_accept(m, &e);
	}
	trace_message(source, msg, u->targets, n, accepted);
	return accepted;
}

void user_tick(struct vcpu *v)
{
	const struct inject_event e = {
		.kind = INJECT_TIMER,
		.from = v->apic_id,
		.to = v,
		.vector = lapic_timer_vector(&v->user->lapic),
	};

	inject_pass(v->m, &e);
}

void user_deliver(struct machine *m, const struct ioapic_msg *msg)
{
	const struct apic_msg bus_msg = {
		.dest = msg->dest,
		.logical = msg->logical,
		.delivery = msg->delivery,
		.vector = msg->vector,
		.level = msg->level,
		.assert = true,
	};
	unsigned accepted;

	machine_lock(m);
	accepted = user_send(m, NULL, &bus_msg);
	trace(m, -1, "ioapic pin %u %s vector 0x%02x %s dest 0x%x %s: %u accepted", msg->pin,
	      delivery_name(msg->delivery), msg->vector, msg->logical ? "logical" : "physical",
	      msg->dest, msg->level ? "level" : "edge", accepted);
	machine_unlock(m);
}

static void send_ipi(struct vcpu *v, const struct apic_msg *msg)
{
	struct lapic_effects eff;

	if (user_send(v->m, v, msg))
		return;
	lapic_send_failed(&v->user->lapic, &eff);
	user_act(v, &eff);
}

/*
 * SIPI is dropped unless the CPU waits for it (SDM vol. 3A, "MP Initialization"). One whose INIT is still
 * to be carried out by its thread counts as waiting: on hardware it would be by now.
 */
static void take_sipi(struct vcpu *v, uint8_t vector)
{
	struct user_cpu *c = v->user;
	bool to_wait = c->init && !(c->lapic.base & LAPIC_BASE_BSP);
	bool waits = to_wait || c->activity == USER_WAIT_SIPI;

	trace(v->m, (int)v->index, "sipi vector 0x%02x%s", vector, waits ? "" : ": dropped");
	if (waits && c->sipi < 0)
		c->sipi = vector;
}

void user_act(struct vcpu *v, const struct lapic_effects *eff)
{
	struct user_cpu *c = v->user;

	if (eff->nmi)
		c->nmi = true;
	if (eff->init) {
		c->init = true;
		c->sipi = -1; /* it was for the life that ends */
	}
	if (eff->sipi)
		take_sipi(v, eff->sipi_vector);
	if (eff->smi)
		trace(v->m, (int)v->index, "smi: dropped, there is no SMM");
	if (eff->timer)
		user_arm(v);
	if (eff->nmi || eff->init || eff->sipi || eff->irq || eff->extint)
		vcpu_kick(v);
	if (eff->eoi) {
		const struct inject_event e = {
			.kind = INJECT_EOI,
			.from = v->apic_id,
			.to = v,
			.vector = eff->eoi_vector,
		};

		trace(v->m, (int)v->index, "eoi vector 0x%02x", eff->eoi_vector);
		inject_pass(v->m, &e);
	}
	if (eff->send)
		send_ipi(v, &eff->msg);
}

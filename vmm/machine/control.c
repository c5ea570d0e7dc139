// SPDX-License-Identifier: MIT
/*
 * The commands of the control socket. All of them run in the loop's thread under the machine's lock, as does
 * whatever else asks for a reset or plugs CPUs, so a CPU that was found plugged stays so, even while the lock is
 * let go of to wait for it. The end alone can come in between.
 */
#include "machine/control.h"

#include <string.h>

#include "io/line_server.h"
#include "machine/describe.h"
#include "machine/internal.h"
#include "util/clock.h"
#include "util/parse.h"

#define SEPARATORS " \t"
/* Room for the last part of `status`, which says what is not listed. */
#define STATUS_REST 96

enum argument { ARG_NONE, ARG_KIND, ARG_CPU, ARG_ID };

static const char *const argument_names[] = {
	[ARG_NONE] = "",
	[ARG_KIND] = " KIND",
	[ARG_CPU] = " CPU",
	[ARG_ID] = " ID",
};

struct request {
	struct machine *m;
	struct text reply; /* "ok" so far */
	/* its argument, checked */
	enum reset_kind kind;
	struct vcpu *v;
	uint32_t apic_id;
};

/* "error TEXT", in place of what was there. */
#define fail(q, ...)                                                                               \
	do {                                                                                       \
		(q)->reply.len = 0;                                                                \
		text_add(&(q)->reply, "error " __VA_ARGS__);                                       \
	} while (0)

/* --- the machine */

/* The first CPU behind `first` whose ID does not count on from it, or that is not plugged as it is. */
static unsigned range_end(const struct machine *m, unsigned first)
{
	const struct vcpu *v = &m->vcpus[first];
	unsigned i = 1;

	while (first + i < m->nvcpus && v[i].apic_id == v[0].apic_id + i &&
	       v[i].plugged == v[0].plugged)
		i++;
	return first + i;
}

static void list_range(struct text *t, const struct vcpu *first, const struct vcpu *last)
{
	const char *plugged = first->plugged ? "plugged" : "unplugged";

	if (first == last)
		text_add(t, "; cpu=%u apic-id=%u %s", first->index, first->apic_id, plugged);
	else
		text_add(t, "; cpu=%u-%u apic-id=%u-%u %s", first->index, last->index,
			 first->apic_id, last->apic_id, plugged);
}

static void do_status(struct request *q)
{
	struct machine *m = q->m;
	struct text *t = &q->reply;
	unsigned plugged = 0, end;

	for (unsigned i = 0; i < m->nvcpus; i++)
		plugged += m->vcpus[i].plugged;
	text_add(t, " %s irqchip=%s seconds=%.3f resets=%llu cpus=%u plugged=%u",
		 m->paused ? "paused" : "running", m->irqchip.ops->name,
		 (double)(clock_now_ns() - m->start_ns) / (double)NSEC_PER_SEC,
		 (unsigned long long)m->resets, m->nvcpus, plugged);
	for (unsigned i = 0; i < m->nvcpus; i = end) {
		if (t->len + 2 * STATUS_REST > t->size) {
			text_add(t, "; cpu=%u-%u not listed: the line is full", i, m->nvcpus - 1);
			return;
		}
		end = range_end(m, i);
		list_range(t, &m->vcpus[i], &m->vcpus[end - 1]);
	}
}

static void do_pause(struct request *q)
{
	machine_pause(q->m);
}

static void do_resume(struct request *q)
{
	machine_resume(q->m);
}

static void do_reset(struct request *q)
{
	machine_reset_now(q->m, q->kind);
}

static void do_quit(struct request *q)
{
	machine_end(q->m, OUTCOME_QUIT, 0, 0, "quit by a control client");
}

/* --- CPUs */

static void report(struct request *q, int r, const struct error *err)
{
	if (r < 0)
		fail(q, "%s", err->text);
}

static void do_nmi(struct request *q)
{
	struct error err;

	report(q, vcpu_send_nmi(q->v, &err), &err);
}

static void do_init(struct request *q)
{
	struct error err;

	report(q, vcpu_send_init(q->v, &err), &err);
}

static void do_cpu_add(struct request *q)
{
	struct error err;

	report(q, machine_plug(q->m, q->apic_id, &err), &err);
}

static void do_cpu_remove(struct request *q)
{
	struct error err;

	report(q, machine_unplug(q->m, q->apic_id, &err), &err);
}

/* The CPU's state between two instructions. -1: the reply says why not, or the machine has ended. */
static int read_cpu(struct request *q, struct cpu_state *s)
{
	struct vcpu *v = q->v;
	int r = -1;

	machine_unlock(q->m);
	vcpu_hold(v);
	machine_lock(q->m);
	if (!atomic_load(&q->m->ended)) {
		if (v->user)
			user_sync_cr8(v);
		r = vcpu_get_state(v, s);
		if (r < 0)
			fail(q, "KVM does not give out the state of CPU %u: %s", v->index,
			     strerror(-r));
	}
	vcpu_release(v);
	return r;
}

static void do_regs(struct request *q)
{
	struct cpu_state s;

	if (read_cpu(q, &s) < 0)
		return;
	text_add(&q->reply, " cpu=%u apic-id=%u ", q->v->index, q->v->apic_id);
	describe_mp_state(&q->reply, s.mp_state);
	describe_regs(&q->reply, &s);
}

static void do_lapic(struct request *q)
{
	struct text *t = &q->reply;
	struct vcpu *v = q->v;
	struct cpu_state s;

	if (read_cpu(q, &s) < 0)
		return;
	text_add(t, " cpu=%u apic-id=%u irqchip=%s", v->index, v->apic_id, q->m->irqchip.ops->name);
	describe_lapic(t, s.sregs.apic_base, &s.lapic, s.tsc_deadline);
	if (v->user) /* KVM does not tell these of its own */
		text_add(t, "; errors-since=0x%02x lint0=%d lint1=%d extint=%d",
			 v->user->lapic.esr_new, v->user->lapic.lint[0], v->user->lapic.lint[1],
			 v->user->lapic.extint_received);
}

static void do_ioapic(struct request *q)
{
	const struct ioapic *io = &q->m->irqchip.ioapic;
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
	const struct kvm_ioapic_state *k = &chip.chip.ioapic;
	uint64_t redir[IOAPIC_PINS];
	int r;

	if (q->m->cfg.irqchip != IRQCHIP_KERNEL) {
		text_add(&q->reply, " id=0x%x select=0x%02x", io->id, io->select);
		describe_ioapic(&q->reply, io->redir, io->lines);
		return;
	}
	r = kvm_vm_get_irqchip(q->m->vm, &chip);
	if (r < 0) {
		fail(q, "KVM_GET_IRQCHIP: %s", strerror(-r));
		return;
	}
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		redir[pin] = k->redirtbl[pin].bits;
	text_add(&q->reply, " id=0x%x select=0x%02x", k->id, k->ioregsel);
	describe_ioapic(&q->reply, redir, k->irr);
}

/* --- the line */

static void do_help(struct request *q);

static const struct command {
	const char *name;
	enum argument argument;
	void (*run)(struct request *q);
	const char *help;
} commands[] = {
	{"status", ARG_NONE, do_status, "how it goes, and which CPUs there are"},
	{"pause", ARG_NONE, do_pause, "stops all CPUs, while time goes on"},
	{"resume", ARG_NONE, do_resume, "lets them go on"},
	{"reset", ARG_KIND, do_reset, "hard, soft, kbc, triple-fault or host"},
	{"nmi", ARG_CPU, do_nmi, "sends the CPU an NMI"},
	{"init", ARG_CPU, do_init, "sends the CPU an INIT"},
	{"cpu-add", ARG_ID, do_cpu_add,
	 "plugs in the CPU with this APIC ID, to wait for INIT-SIPI"},
	{"cpu-remove", ARG_ID, do_cpu_remove, "takes it out, whatever it does"},
	{"regs", ARG_CPU, do_regs, "registers"},
	{"lapic", ARG_CPU, do_lapic, "the local APIC, decoded"},
	{"ioapic", ARG_NONE, do_ioapic, "the I/O APIC, decoded"},
	{"quit", ARG_NONE, do_quit, "ends the run, with code 0"},
	{"help", ARG_NONE, do_help, "this list"},
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void do_help(struct request *q)
{
	for (unsigned i = 0; i < NCOMMANDS; i++)
		text_add(&q->reply, "%s%s%s: %s", i ? "; " : " ", commands[i].name,
			 argument_names[commands[i].argument], commands[i].help);
}

static int parse_kind(struct request *q, const char *word)
{
	for (int kind = 0; kind < RESET_KINDS; kind++) {
		if (strcmp(word, reset_kind_name((enum reset_kind)kind)) != 0)
			continue;
		q->kind = (enum reset_kind)kind;
		if (kind == RESET_INIT)
			fail(q, "reset init: an INIT is for one CPU; try: init CPU");
		else if (kind ==
			 RESET_POWER_ON) /* it finds most of a vCPU as KVM has just made it */
			fail(q, "reset power-on: that is how a machine starts; try: reset host");
		else
			return 0;
		return -1;
	}
	fail(q, "reset '%s': expected hard, soft, kbc, triple-fault or host", word);
	return -1;
}

static int parse_cpu(struct request *q, const char *command, const char *word)
{
	uint64_t index;

	if (parse_u64(word, 0, q->m->nvcpus - 1, &index) < 0) {
		fail(q, "%s '%s': expected the index of a CPU, 0 to %u", command, word,
		     q->m->nvcpus - 1);
		return -1;
	}
	q->v = &q->m->vcpus[index];
	if (q->v->plugged)
		return 0;
	fail(q, "%s: CPU %u is not plugged in; try: cpu-add %u", command, q->v->index,
	     q->v->apic_id);
	return -1;
}

static int parse_id(struct request *q, const char *command, const char *word)
{
	uint64_t id;

	if (parse_u64(word, 0, BOARD_APIC_ID_MAX, &id) < 0) {
		fail(q, "%s '%s': expected an APIC ID", command, word);
		return -1;
	}
	q->apic_id = (uint32_t)id;
	return 0;
}

static int parse_argument(struct request *q, const struct command *c, const char *word)
{
	switch (c->argument) {
	case ARG_KIND:
		return parse_kind(q, word);
	case ARG_CPU:
		return parse_cpu(q, c->name, word);
	case ARG_ID:
		return parse_id(q, c->name, word);
	default:
		return 0;
	}
}

static void run(struct request *q, char *line)
{
	char *save, *name = strtok_r(line, SEPARATORS, &save);
	char *word = strtok_r(NULL, SEPARATORS, &save);
	const struct command *c = commands;

	while (c < commands + NCOMMANDS && (!name || strcmp(name, c->name) != 0))
		c++;
	if (c == commands + NCOMMANDS) {
		fail(q, "'%s' is no command; try: help", name ? name : "");
	} else if (!word != (c->argument == ARG_NONE) || strtok_r(NULL, SEPARATORS, &save)) {
		fail(q, "usage: %s%s", c->name, argument_names[c->argument]);
	} else if (parse_argument(q, c, word) == 0) {
		c->run(q);
		/* What ended it may be the command itself. */
		if (atomic_load(&q->m->ended) && c->run != do_quit &&
		    !(c->run == do_reset && q->m->outcome.kind == OUTCOME_RESET))
			fail(q, "the machine has ended");
	}
}

void control_command(void *machine, const char *line, char *reply, size_t size)
{
	struct request q = {.m = machine, .reply = {.buf = reply, .size = size}};
	char copy[LINE_MAX_LEN + 1];

	text_add(&q.reply, "ok");
	snprintf(copy, sizeof(copy), "%s", line);
	if (atomic_load(&q.m->ended))
		fail(&q, "the machine has ended");
	else
		run(&q, copy);
	if (q.reply.len >= size)
		fail(&q, "the reply does not fit into a line");
}

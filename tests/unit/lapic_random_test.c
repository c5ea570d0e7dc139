// SPDX-License-Identifier: MIT
/*
 * The local APIC against lapic_naive.h: random accesses, messages and lines; after each step the answers, the
 * effects and all registers must be equal. A million steps in runs of a thousand; a run that fails is
 * shrunk and printed. LAPIC_SEED=n repeats; LAPIC_STEPS=n does more or fewer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <linux/kvm.h>

#include "test.h"
#include "lapic_naive_regs.h"

#define RUN	      1000
#define DEFAULT_STEPS 1000000
#define ID	      0x12au

enum op {
	OP_WRITE, /* a register, by MMIO or MSR as the mode is */
	OP_READ,
	OP_MMIO_WRITE,
	OP_MMIO_READ,
	OP_MSR_WRITE,
	OP_MSR_READ,
	OP_BASE,
	OP_BASE_HOST,
	OP_MESSAGE,
	OP_ACK,
	OP_LINT,
	OP_EVENT,
	OP_CR8,
	OP_PASS,
	OP_DEADLINE,
	OP_FAILED,
	OP_EXTINT_ACK,
	OP_INIT,
	OP_RESET,
	OP_RESTORE,
	OPS,
};

static const char *const op_names[OPS] = {
	"write",     "read",	    "mmio-write", "mmio-read", "msr-write", "msr-read", "base",
	"base-host", "message",	    "ack",	  "lint",      "event",	    "cr8",	"pass",
	"deadline",  "send-failed", "extint-ack", "init",      "reset",	    "restore",
};

struct step {
	enum op op;
	uint32_t a, b;
	uint64_t value;
};

struct pair {
	struct lapic l;
	struct naive n;
	struct lapic_time time;
	struct lapic_effects eff;
	bool quiet; /* the step has no effects */
};

static uint64_t rnd_state;

static uint32_t rnd(uint32_t n)
{
	rnd_state ^= rnd_state >> 12;
	rnd_state ^= rnd_state << 25;
	rnd_state ^= rnd_state >> 27;
	return (uint32_t)((rnd_state * 0x2545f4914f6cdd1d) >> 33) % n;
}

/* --- making steps that meet: few vectors, legal values most of the time */

static uint32_t rnd_vector(void)
{
	static const uint8_t some[] = {0x10, 0x1f, 0x31, 0x32, 0x41, 0x4f, 0xf0, 0xff, 0x05, 0x0f};

	return rnd(8) ? some[rnd(rnd(4) ? 8 : 10)] : rnd(256);
}

static unsigned rnd_reg(void)
{
	static const uint8_t often[] = {0x08, 0x0b, 0x0b, 0x0b, 0x28, 0x30, 0x32,
					0x35, 0x35, 0x38, 0x38, 0x3e, 0x3f, 0x37};

	return rnd(3) ? often[rnd(sizeof(often))] : rnd(0x40);
}

static uint64_t rnd_value(unsigned reg)
{
	uint64_t v = rnd(16) << 16 | rnd(0x100) << 8 | rnd_vector();

	if (reg == 0x08)
		v = rnd(3) ? rnd(0x40) : rnd(0x100);
	else if (reg == 0x0b || reg == 0x28)
		v = 0;
	else if (reg == 0x0f)
		v = rnd(6) ? 0x1ff : rnd(0x2000) & 0x13ff;
	else if (reg == 0x30)
		v = (v & 0xccfff) | (uint64_t)rnd(4) << 56 | (uint64_t)rnd(4) << 32;
	else if (nv_is_lvt(reg))
		v &= nv_lvt_mask(reg) | (rnd(4) ? 0 : 0x5000);
	else if (reg == 0x38)
		v = rnd(4) ? rnd(60) : rnd(0x7fffffff) * 2u;
	else if (reg == 0x3e)
		v &= 0xb;
	else if (reg == 0x3f)
		v &= 0xff;
	else
		v = (uint64_t)rnd(256) << 24 | v;
	/* Masks and NMIs would drown the rest. */
	if (nv_is_lvt(reg) && rnd(2))
		v &= ~0x10700ull;
	return rnd(50) ? v : v ^ 1ull << rnd(64);
}

static void rnd_rare(struct step *s)
{
	static const uint64_t bits[] = {0, 0x800, 0xc00, 0x800, 0xc00, 0x400, 0x900};
	static const enum op ops[] = {OP_BASE,	OP_BASE,    OP_BASE_HOST, OP_INIT,
				      OP_RESET, OP_RESTORE, OP_RESTORE};

	s->op = ops[rnd(7)];
	s->value = 0xfee00000 | bits[rnd(7)];
	if (!rnd(8))
		s->value ^= 1ull << rnd(64);
}

static struct step rnd_step(void)
{
	static const enum op ops[] = {
		OP_WRITE,    OP_WRITE,	 OP_WRITE,	OP_WRITE,     OP_WRITE,	    OP_WRITE,
		OP_READ,     OP_READ,	 OP_MMIO_WRITE, OP_MMIO_READ, OP_MSR_WRITE, OP_MSR_READ,
		OP_MESSAGE,  OP_MESSAGE, OP_MESSAGE,	OP_ACK,	      OP_ACK,	    OP_ACK,
		OP_LINT,     OP_LINT,	 OP_EVENT,	OP_CR8,	      OP_PASS,	    OP_PASS,
		OP_DEADLINE, OP_FAILED,	 OP_EXTINT_ACK};
	struct step s = {.op = ops[rnd(sizeof(ops) / sizeof(ops[0]))], .a = rnd_reg()};

	s.value = rnd_value(s.a);
	if (!rnd(60))
		rnd_rare(&s);
	else if (s.op == OP_MMIO_READ || s.op == OP_MMIO_WRITE)
		s = (struct step){s.op, s.a * 16 + (rnd(2) ? 0 : rnd(5000)), rnd(2) ? 4 : rnd(9),
				  s.value};
	else if (s.op == OP_MSR_READ || s.op == OP_MSR_WRITE)
		s.a += rnd(4) ? 0x800 : 0x7f8 + rnd(16);
	else if (s.op == OP_MESSAGE)
		s = (struct step){s.op, rnd(3) ? 0 : rnd(9), rnd_vector(), rnd(16)};
	else if (s.op == OP_PASS)
		s.a = rnd(4) ? rnd(100) : rnd(1000);
	else
		s.b = rnd(2);
	return s;
}

/* --- taking a step on both */

static bool both_msr_read(struct pair *p, uint32_t index)
{
	uint64_t real = 0, naive = 0;
	int rc = lapic_msr_read(&p->l, index, p->time, &real);

	p->quiet = true;
	return rc == nv_rdmsr(&p->n, index, &naive) && real == naive;
}

static bool both_msr_write(struct pair *p, uint32_t index, uint64_t value)
{
	int rc = lapic_msr_write(&p->l, index, value, p->time, &p->eff);

	p->quiet = rc;
	return rc == nv_wrmsr(&p->n, index, value);
}

static bool both_mmio_read(struct pair *p, uint32_t offset, unsigned size)
{
	uint32_t real = lapic_mmio_read(&p->l, offset, size, p->time, &p->eff);
	uint32_t naive = 0;

	if (nv_mode(&p->n) != 1)
		naive = 0xffffffff;
	else if ((size == 1 || size == 2 || size == 4) && offset % 16 + size <= 4) {
		if (nv_mmio_exists(offset / 16))
			naive = nv_read(&p->n, offset / 16);
		else
			nv_error(&p->n, 7);
		naive >>= offset % 16 * 8;
	}
	for (unsigned byte = size; byte < 4; byte++)
		naive &= ~(0xffu << byte * 8);
	return real == naive;
}

static bool both_mmio_write(struct pair *p, uint32_t offset, unsigned size, uint32_t value)
{
	lapic_mmio_write(&p->l, offset, size, value, p->time, &p->eff);
	if (nv_mode(&p->n) != 1 || size != 4 || offset % 16)
		return true;
	if (nv_mmio_exists(offset / 16))
		nv_write(&p->n, offset / 16, value);
	else
		nv_error(&p->n, 7);
	return true;
}

static bool both_message(struct pair *p, const struct step *s)
{
	const struct apic_msg msg = {.delivery = (uint8_t)s->a,
				     .vector = (uint8_t)s->b,
				     .level = s->value & 1,
				     .assert = s->value & 0xe};

	return lapic_receive(&p->l, &msg, &p->eff) == nv_receive(&p->n, &msg);
}

static bool both_base(struct pair *p, uint64_t value, bool host)
{
	int rc = host ? lapic_set_base_host(&p->l, value, &p->eff)
		      : lapic_set_base(&p->l, value, &p->eff);

	p->quiet = rc;
	return rc == nv_base(&p->n, value, host);
}

static void both_event(struct pair *p, unsigned n)
{
	static const enum lapic_lvt which[] = {LAPIC_LVT_THERMAL, LAPIC_LVT_PMC, LAPIC_LVT_CMCI};
	static const unsigned reg[] = {0x33, 0x34, 0x2f};

	lapic_lvt_event(&p->l, which[n % 3], &p->eff);
	nv_fire(&p->n, reg[n % 3]);
}

static void both_cr8(struct pair *p, uint8_t value)
{
	lapic_set_cr8(&p->l, value, &p->eff);
	p->n.eff.tpr = p->n.tpr != (value % 16u) * 16u;
	p->n.tpr = value % 16u * 16u;
}

static bool both_pass(struct pair *p, unsigned ns)
{
	uint64_t fired;

	p->time.ns += ns;
	p->time.tsc += 2 * ns;
	fired = lapic_advance(&p->l, p->time, &p->eff);
	p->n.eff.timer = fired;
	return fired == nv_advance(&p->n, ns);
}

/* Relative to now: some in the past, some soon. */
static void both_deadline(struct pair *p, uint64_t value)
{
	uint64_t tsc = value % 8 ? p->time.tsc - 50 + value % 512 : 0;

	lapic_deadline_write(&p->l, tsc, &p->eff);
	if (nv_timer_mode(&p->n) == 2) {
		p->n.deadline = tsc;
		p->n.eff.timer = true;
	}
}

/* Out and in again: what is not in the page is lost. */
static bool both_restore(struct pair *p)
{
	struct kvm_lapic_state page;

	lapic_get_state(&p->l, p->time, true, &page);
	if (lapic_set_state(&p->l, &page, p->time, true, &p->eff))
		return false;
	p->n.errors = 0;
	p->n.deadline = 0;
	nv_start(&p->n, p->n.running ? p->n.count : 0);
	nv_look_at_lint0(&p->n);
	p->n.eff.timer = true;
	return true;
}

static bool both(struct pair *p, const struct step *s)
{
	bool x2apic = nv_mode(&p->n) == 2;

	switch (s->op) {
	case OP_WRITE:
		return x2apic ? both_msr_write(p, 0x800 + s->a, s->value)
			      : both_mmio_write(p, s->a * 16, 4, (uint32_t)s->value);
	case OP_READ:
		return x2apic ? both_msr_read(p, 0x800 + s->a) : both_mmio_read(p, s->a * 16, 4);
	case OP_MMIO_WRITE:
		return both_mmio_write(p, s->a, s->b, (uint32_t)s->value);
	case OP_MMIO_READ:
		return both_mmio_read(p, s->a, s->b);
	case OP_MSR_WRITE:
		return both_msr_write(p, s->a, s->value);
	case OP_MSR_READ:
		return both_msr_read(p, s->a);
	case OP_BASE:
	case OP_BASE_HOST:
		return both_base(p, s->value, s->op == OP_BASE_HOST);
	case OP_MESSAGE:
		return both_message(p, s);
	case OP_ACK:
		p->quiet = true;
		return lapic_ack(&p->l) == nv_ack(&p->n);
	case OP_LINT:
		lapic_set_lint(&p->l, s->a & 1, s->b, &p->eff);
		nv_pin(&p->n, s->a & 1, s->b);
		return true;
	case OP_EVENT:
		both_event(p, s->a);
		return true;
	case OP_CR8:
		both_cr8(p, (uint8_t)s->value);
		return true;
	case OP_PASS:
		return both_pass(p, s->a);
	case OP_DEADLINE:
		both_deadline(p, s->value);
		return true;
	case OP_FAILED:
		lapic_send_failed(&p->l, &p->eff);
		nv_error(&p->n, 2);
		return true;
	case OP_RESTORE:
		return both_restore(p);
	case OP_EXTINT_ACK:
		lapic_extint_ack(&p->l);
		p->n.ext = false;
		break;
	case OP_INIT:
		lapic_init_reset(&p->l);
		nv_registers(&p->n);
		break;
	default:
		lapic_reset(&p->l);
		nv_reset(&p->n);
		break;
	}
	p->quiet = true;
	return true;
}

/* --- comparing */

static bool same_effects(const struct lapic_effects *a, const struct lapic_effects *b)
{
	return a->send == b->send && a->eoi == b->eoi && a->eoi_vector == b->eoi_vector &&
	       a->nmi == b->nmi && a->smi == b->smi && a->init == b->init && a->sipi == b->sipi &&
	       a->sipi_vector == b->sipi_vector && a->extint == b->extint && a->irq == b->irq &&
	       a->timer == b->timer && a->base == b->base && a->tpr == b->tpr &&
	       a->msg.dest == b->msg.dest && a->msg.wide == b->msg.wide &&
	       a->msg.logical == b->msg.logical && a->msg.shorthand == b->msg.shorthand &&
	       a->msg.delivery == b->msg.delivery && a->msg.vector == b->msg.vector &&
	       a->msg.level == b->msg.level && a->msg.assert == b->msg.assert;
}

static bool same_registers(const struct pair *p)
{
	struct kvm_lapic_state page;

	lapic_get_state(&p->l, p->time, true, &page);
	for (unsigned reg = 0; reg < 0x40; reg++) {
		uint32_t value;

		memcpy(&value, page.regs + reg * 16, 4);
		if (value != nv_read(&p->n, reg))
			return false;
	}
	return true;
}

/* The next expiry is where the naive one would count to, at a nanosecond a clock. */
static bool same_timer(const struct pair *p)
{
	const struct naive *n = &p->n;
	uint64_t next = lapic_next_timer(&p->l, p->time), ns = UINT64_MAX;

	if (n->deadline)
		ns = n->deadline > n->tsc ? (n->deadline - n->tsc + 1) / 2 : 0;
	else if (n->running)
		ns = (uint64_t)n->count * nv_divisor(n) - n->clocks;
	return next == (ns == UINT64_MAX ? LAPIC_NEVER : p->time.ns + ns);
}

static bool take(struct pair *p, const struct step *s)
{
	uint64_t deadline = 0;

	p->quiet = false;
	p->n.eff = (struct lapic_effects){0};
	if (!both(p, s))
		return false;
	p->n.eff.irq = nv_pending(&p->n) >= 0;
	p->n.eff.extint = nv_extint(&p->n);
	lapic_deadline_read(&p->l, &deadline);
	return (p->quiet || same_effects(&p->eff, &p->n.eff)) && p->l.base == p->n.base &&
	       lapic_pending(&p->l) == nv_pending(&p->n) &&
	       lapic_extint(&p->l) == nv_extint(&p->n) && deadline == p->n.deadline &&
	       same_timer(p) && same_registers(p);
}

/* The step that fails, or count. */
static unsigned run(const struct step *steps, unsigned count)
{
	const struct lapic_config cfg = {
		.id = ID, .x2apic = true, .deadline = true, .phys_bits = 40, .tsc_khz = 2000000};
	struct pair p = {.time = {.ns = 5000, .tsc = 10000}, .n = {.id = ID, .tsc = 10000}};

	lapic_init(&p.l, &cfg);
	nv_reset(&p.n);
	for (unsigned i = 0; i < count; i++)
		if (!take(&p, &steps[i]))
			return i;
	return count;
}

/* Drops ever smaller pieces while it still fails. The number of steps left; the last one fails. */
static unsigned shrink(struct step *steps, unsigned count)
{
	static struct step fewer[RUN];

	for (unsigned piece = count / 2; piece; piece = piece > 1 ? piece / 2 : 0)
		for (unsigned at = 0; at + piece < count;) {
			unsigned rest = count - at - piece, fails;

			memcpy(fewer, steps, at * sizeof(*steps));
			memcpy(fewer + at, steps + at + piece, rest * sizeof(*steps));
			fails = run(fewer, at + rest);
			if (fails == at + rest) {
				at += piece;
				continue;
			}
			count = fails + 1;
			memcpy(steps, fewer, count * sizeof(*steps));
		}
	return count;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void equals_the_naive_model(void **state)
{
	static struct step steps[RUN];
	uint64_t seed = number("LAPIC_SEED", (uint64_t)time(NULL));
	uint64_t total = number("LAPIC_STEPS", DEFAULT_STEPS);

	(void)state;
	print_message("LAPIC_SEED=%llu\n", (unsigned long long)seed);
	rnd_state = seed * 2 + 1; /* never 0 */
	for (uint64_t done = 0; done < total; done += RUN) {
		unsigned count;

		for (unsigned i = 0; i < RUN; i++)
			steps[i] = rnd_step();
		count = run(steps, RUN);
		if (count == RUN)
			continue;
		count = shrink(steps, count + 1);
		for (unsigned i = 0; i < count; i++)
			print_error("%-11s a=0x%x b=0x%x value=0x%llx\n", op_names[steps[i].op],
				    steps[i].a, steps[i].b, (unsigned long long)steps[i].value);
		fail_msg("differs after these %u steps, LAPIC_SEED=%llu", count,
			 (unsigned long long)seed);
	}
}

TEST_MAIN(cmocka_unit_test(equals_the_naive_model))

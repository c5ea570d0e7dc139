// SPDX-License-Identifier: MIT
/* The I/O APIC model under seeded random operations, with what must hold after each of them. */
#include "test.h"
#include "chips/ioapic.h"

#define SELECT 0x00
#define WINDOW 0x10
#define EOI    0x40

#define REMOTE_IRR (1u << 14)
#define LEVEL	   (1u << 15)
#define MASKED	   (1u << 16)

static struct ioapic io;
static struct ioapic_effects eff;
static uint64_t seed = 20240229;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

enum op { OP_LINE, OP_ENTRY, OP_EOI, OP_EOI_REG, OP_RESET };

struct step {
	enum op op;
	unsigned pin;
	bool level;
	uint8_t vector;
};

/* Few pins, vectors and rare delivery modes, so that they meet. */
static uint32_t random_entry(void)
{
	uint32_t v = 0x30 + rnd(3);

	v |= rnd(2) ? LEVEL : 0;
	v |= rnd(3) ? 0 : MASKED;
	v |= rnd(4) ? 0 : rnd(8) << 8;
	return v | (rnd(8) << 17 | REMOTE_IRR | 1u << 12);
}

static struct step random_step(void)
{
	struct step s = {
		.op = rnd(1000) ? rnd(OP_RESET) : OP_RESET,
		.pin = rnd(4) * 7 + rnd(2), /* up to 22 */
		.level = rnd(2),
		.vector = (uint8_t)(0x30 + rnd(3)),
	};

	ioapic_write(&io, SELECT, 0x10 + 2 * s.pin, &eff);
	switch (s.op) {
	case OP_LINE:
		ioapic_set_line(&io, s.pin, s.level, &eff);
		break;
	case OP_ENTRY:
		ioapic_write(&io, WINDOW, random_entry(), &eff);
		break;
	case OP_EOI:
		ioapic_eoi(&io, s.vector, &eff);
		break;
	case OP_EOI_REG:
		ioapic_write(&io, EOI, s.vector, &eff);
		break;
	case OP_RESET:
		ioapic_reset(&io);
		eff.count = 0;
		eff.changed = 0;
		break;
	}
	return s;
}

static bool is_level(uint64_t rte)
{
	return (rte & LEVEL) && (rte >> 8 & 7) <= APIC_LOWEST;
}

static void check_messages(const struct ioapic *old, const struct step *s, unsigned sent[])
{
	for (unsigned i = 0; i < eff.count; i++) {
		const struct ioapic_msg *m = &eff.msg[i];
		uint64_t rte = io.redir[m->pin], was = old->redir[m->pin];
		bool eoi = s->op == OP_EOI || s->op == OP_EOI_REG;

		assert_int_equal(sent[m->pin]++, 0);
		assert_false(rte & MASKED);
		assert_int_equal(m->vector, rte & 0xff);
		assert_int_equal(m->level, is_level(rte));
		assert_true(io.lines & 1u << m->pin);
		if (!m->level)
			assert_true(s->op == OP_LINE && s->pin == m->pin && s->level &&
				    !(old->lines & 1u << m->pin));
		else
			assert_true(!(was & REMOTE_IRR) || (eoi && (was & 0xff) == s->vector) ||
				    !is_level(rte));
	}
}

static void check_pin(const struct ioapic *old, const struct step *s, unsigned pin, bool sent)
{
	uint64_t rte = io.redir[pin], was = old->redir[pin];
	bool asserted = io.lines & 1u << pin;

	assert_int_equal(rte & ~(0xff0000000001afffull | REMOTE_IRR), 0);
	if (!is_level(rte))
		assert_false(rte & REMOTE_IRR);
	/* An asserted, unmasked level pin has been sent and waits for its EOI. */
	if (is_level(rte) && asserted && !(rte & MASKED))
		assert_true(rte & REMOTE_IRR);
	/* Remote IRR rises with a message only, ... */
	if ((rte & ~was & REMOTE_IRR) || (sent && is_level(rte)))
		assert_true(sent && (rte & REMOTE_IRR));
	/* ... and falls with an EOI, a reset, or a pin that is no longer level triggered. */
	if (was & ~rte & REMOTE_IRR)
		assert_true(s->op != OP_LINE && (s->op != OP_ENTRY || !is_level(rte)));
	/* A rising edge on an unmasked edge pin is never lost. */
	if (s->op == OP_LINE && s->pin == pin && asserted && !(old->lines & 1u << pin) &&
	    !is_level(rte))
		assert_int_equal(sent, !(rte & MASKED));
	assert_int_equal(eff.changed >> pin & 1, s->op == OP_ENTRY && s->pin == pin);
}

static void random_operations_keep_the_invariants(void **state)
{
	(void)state;
	ioapic_reset(&io);
	for (int i = 0; i < 300000; i++) {
		struct ioapic old = io;
		struct step s = random_step();
		unsigned sent[IOAPIC_PINS] = {0};

		check_messages(&old, &s, sent);
		for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
			check_pin(&old, &s, pin, sent[pin]);
	}
}

TEST_MAIN(cmocka_unit_test(random_operations_keep_the_invariants))

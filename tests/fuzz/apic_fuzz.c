// SPDX-License-Identifier: MIT
/*
 * libFuzzer on local APICs, APIC bus and I/O APIC together, wired as a machine wires them. The input is a list of
 * operations. What must hold: an interrupt is never lost and never invented. A request in IRR comes from a
 * message or an LVT entry with that vector, and leaves by the INTA cycle alone; the ledger balances; ISR changes
 * by INTA and EOI; a level that is asserted is under way; a timer is neither late nor early.
 */
#include <string.h>

#include <linux/kvm.h>

#include "chips/apic_bus.h"
#include "chips/ioapic.h"
#include "chips/lapic.h"
#include "tests/fuzz/fuzz.h"

#define CPUS	4
#define REG_EOI 0x0bu
#define REG_ICR 0x30u
#define TSC_KHZ 3000000u

struct cpu {
	struct lapic l;
	struct lapic before;		    /* at the start of the call under way */
	uint64_t requested, taken, dropped; /* of fixed interrupts that were not in IRR already */
};

static struct cpu cpus[CPUS];
static struct apic_bus bus;
static struct ioapic io;
static struct lapic_time now;

/* --- what holds for one APIC */

/* Could an entry of the local vector table have asked for this vector, as it was or as it is now? */
static bool from_lvt(const struct cpu *c, unsigned vector)
{
	for (unsigned i = 0; i < LAPIC_LVTS; i++)
		if ((c->l.lvt[i] & 0x7ff) == vector || (c->before.lvt[i] & 0x7ff) == vector)
			return true;
	return false;
}

/* After a call that is no INTA: requests may have come, by that message or by LVT entries, and none gone. */
static void check_requests(struct cpu *c, const struct apic_msg *msg)
{
	for (unsigned v = 0; v < 256; v++) {
		if (bit(c->before.irr, v))
			must(bit(c->l.irr, v));
		if (bit(c->before.irr, v) || !bit(c->l.irr, v))
			continue;
		must((msg && msg->vector == v && msg->delivery <= APIC_LOWEST) || from_lvt(c, v));
		c->requested++;
	}
}

/* ISR changes by INTA, EOI and resets alone; all but EOI are not checked here. */
static void check_in_service(const struct cpu *c, bool eoi)
{
	int highest = -1;

	for (unsigned v = 0; v < 256; v++)
		if (bit(c->before.isr, v))
			highest = (int)v;
	for (unsigned v = 0; v < 256; v++)
		must(bit(c->l.isr, v) == (bit(c->before.isr, v) && !(eoi && (int)v == highest)));
}

static void check_cpu(const struct cpu *c)
{
	int pending = lapic_pending(&c->l);

	must(!(c->l.irr[0] & 0xffff) && !(c->l.isr[0] & 0xffff));
	must(c->requested == c->taken + c->dropped + population(c->l.irr));
	if (pending >= 0) {
		must(bit(c->l.irr, (unsigned)pending));
		must(pending >> 4 > lapic_ppr(&c->l) >> 4);
		for (unsigned v = (unsigned)pending + 1; v < 256; v++)
			must(!bit(c->l.irr, v));
	}
	if (lapic_mode(&c->l) == LAPIC_DISABLED)
		must(!population(c->l.irr) && pending < 0 && !lapic_enabled(&c->l));
}

/* --- the wiring */

static void begin(struct cpu *c)
{
	c->before = c->l;
}

static void check_targets(const struct apic_msg *msg, unsigned source, const unsigned *targets,
			  unsigned count)
{
	must(count <= CPUS);
	for (unsigned i = 0; i < count; i++) {
		must(targets[i] < CPUS && (!i || targets[i] > targets[i - 1]));
		must(lapic_mode(&cpus[targets[i]].l) != LAPIC_DISABLED);
		if (msg->shorthand == APIC_SELF)
			must(targets[i] == source);
		if (msg->shorthand == APIC_ALL_BUT_SELF)
			must(targets[i] != source);
	}
	if (msg->delivery == APIC_LOWEST && count)
		must(count == 1 && lapic_enabled(&cpus[targets[0]].l));
}

static void send(const struct apic_msg *msg, unsigned source)
{
	unsigned targets[CPUS], accepted = 0;
	unsigned count = apic_bus_route(&bus, msg, source, targets);
	struct lapic_effects eff;

	check_targets(msg, source, targets, count);
	for (unsigned i = 0; i < count; i++) {
		struct cpu *c = &cpus[targets[i]];

		begin(c);
		if (!lapic_receive(&c->l, msg, &eff)) {
			must(!memcmp(&c->l, &c->before, sizeof(c->l)));
			continue;
		}
		accepted++;
		must(!eff.send && !eff.eoi);
		if (msg->delivery <= APIC_LOWEST && msg->assert && msg->vector >= 16)
			must(bit(c->l.irr, msg->vector) &&
			     bit(c->l.tmr, msg->vector) == msg->level);
		check_requests(c, msg);
		check_in_service(c, false);
		check_cpu(c);
	}
	if (!accepted && source != APIC_BUS_NO_SOURCE) {
		begin(&cpus[source]);
		lapic_send_failed(&cpus[source].l, &eff);
		check_requests(&cpus[source], NULL);
	}
}

static void ioapic_effects(const struct ioapic_effects *eff)
{
	for (unsigned i = 0; i < eff->count; i++) {
		const struct apic_msg msg = {.dest = eff->msg[i].dest,
					     .logical = eff->msg[i].logical,
					     .delivery = eff->msg[i].delivery,
					     .vector = eff->msg[i].vector,
					     .level = eff->msg[i].level,
					     .assert = true};

		send(&msg, APIC_BUS_NO_SOURCE);
	}
}

/* A level that is asserted and not masked has been sent, and waits for its EOI. */
static void check_ioapic(void)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		struct ioapic_msg msg;

		if ((io.lines >> pin & 1) && ioapic_route(&io, pin, &msg) && msg.level)
			must(io.redir[pin] & 1u << 14);
	}
}

static void effects(unsigned source, const struct lapic_effects *eff)
{
	struct ioapic_effects io_eff;

	must(eff->irq == (lapic_pending(&cpus[source].l) >= 0));
	must(eff->extint == lapic_extint(&cpus[source].l));
	if (eff->send)
		send(&eff->msg, source);
	if (!eff->eoi)
		return;
	ioapic_eoi(&io, eff->eoi_vector, &io_eff);
	ioapic_effects(&io_eff);
}

/* The call is over: it was no INTA and no reset. */
static void end(unsigned n, const struct lapic_effects *eff, bool eoi)
{
	check_requests(&cpus[n], NULL);
	check_in_service(&cpus[n], eoi);
	check_cpu(&cpus[n]);
	effects(n, eff);
}

/* What a reset found in IRR is dropped, with everything else. */
static void dropped(struct cpu *c)
{
	c->dropped += population(c->before.irr);
	must(!population(c->l.irr) && !population(c->l.isr));
	check_cpu(c);
}

/* --- operations */

static void op_access(unsigned n, unsigned reg, uint32_t value)
{
	struct cpu *c = &cpus[n];
	struct lapic_effects eff;

	begin(c);
	if (lapic_mode(&c->l) == LAPIC_XAPIC) {
		lapic_mmio_write(&c->l, reg * 16u, 4, value, now, &eff);
	} else {
		uint64_t high = reg == REG_ICR ? get8() : 0;

		if (lapic_msr_write(&c->l, 0x800u + reg, high << 32 | value, now, &eff)) {
			must(!memcmp(&c->l, &c->before, sizeof(c->l)));
			return;
		}
	}
	end(n, &eff, reg == REG_EOI);
}

static void op_odd_access(unsigned n)
{
	struct cpu *c = &cpus[n];
	struct lapic_effects eff;
	uint32_t where = get32(), value = get32();
	unsigned size = get8();
	uint64_t out;

	begin(c);
	if (lapic_mode(&c->l) == LAPIC_XAPIC && size & 0x80) {
		lapic_mmio_read(&c->l, where, size & 0xf, now, &eff);
		end(n, &eff, false);
	} else if (size & 0x80) {
		lapic_msr_read(&c->l, where, now, &out);
		must(!memcmp(&c->l, &c->before, sizeof(c->l)));
	} else if (lapic_mode(&c->l) == LAPIC_XAPIC) {
		lapic_mmio_write(&c->l, where, size, value, now, &eff);
		end(n, &eff, where == 0xb0 && size == 4);
	}
}

static void op_ack(unsigned n)
{
	struct cpu *c = &cpus[n];
	int pending = lapic_pending(&c->l);
	uint8_t vector;

	begin(c);
	vector = lapic_ack(&c->l);
	if (pending < 0) {
		must(vector == (uint8_t)c->l.svr && !memcmp(&c->l, &c->before, sizeof(c->l)));
		return;
	}
	must(vector == pending && bit(c->before.irr, vector) && !bit(c->l.irr, vector));
	must(bit(c->l.isr, vector));
	c->taken++;
	check_cpu(c);
}

static void op_base(unsigned n, bool host)
{
	struct cpu *c = &cpus[n];
	struct lapic_effects eff;
	uint32_t value = get32();
	int rc;

	begin(c);
	rc = host ? lapic_set_base_host(&c->l, value, &eff) : lapic_set_base(&c->l, value, &eff);
	if (rc)
		must(!memcmp(&c->l, &c->before, sizeof(c->l)));
	else if (lapic_mode(&c->l) == LAPIC_DISABLED ||
		 (lapic_mode(&c->before) == LAPIC_X2APIC && lapic_mode(&c->l) == LAPIC_XAPIC))
		dropped(c);
	else
		end(n, &eff, false);
}

static void op_message(void)
{
	struct apic_msg msg;
	uint8_t flags;

	msg.dest = get8();
	flags = get8();
	msg.wide = false;
	msg.logical = flags & 1;
	msg.shorthand = APIC_NO_SHORTHAND;
	msg.level = flags & 2;
	msg.assert = !(flags & 4);
	msg.delivery = flags >> 4;
	msg.vector = 0x40 ^ get_few(0x11);
	send(&msg, APIC_BUS_NO_SOURCE);
}

static void op_ioapic(void)
{
	struct ioapic_effects eff;
	uint8_t what = get8(), pin = get_few(1) % (IOAPIC_PINS + 1);

	if (what & 1) {
		ioapic_set_line(&io, pin, what & 2, &eff);
	} else {
		ioapic_write(&io, 0, 0x10 + 2 * pin + (what >> 1 & 1), &eff);
		ioapic_write(&io, what & 4 ? 0x40 : 0x10, get32(), &eff);
	}
	ioapic_effects(&eff);
}

static void op_pin(unsigned n)
{
	struct lapic_effects eff;
	uint8_t what = get8();

	begin(&cpus[n]);
	if (what & 0x80)
		lapic_lvt_event(&cpus[n].l, what % LAPIC_LVTS, &eff);
	else
		lapic_set_lint(&cpus[n].l, what & 1, what & 2, &eff);
	end(n, &eff, false);
}

static void pass(uint64_t ns)
{
	now.ns += ns;
	now.tsc += ns * (TSC_KHZ / 1000000);
}

/* Everybody's timer, and none goes off before its time or stays due. */
static void advance_all(void)
{
	for (unsigned n = 0; n < CPUS; n++) {
		struct lapic_effects eff;
		uint64_t next = lapic_next_timer(&cpus[n].l, now);
		uint64_t fired;

		begin(&cpus[n]);
		fired = lapic_advance(&cpus[n].l, now, &eff);
		must((next <= now.ns) == (fired > 0));
		must(lapic_next_timer(&cpus[n].l, now) > now.ns);
		end(n, &eff, false);
	}
}

static void op_pass(unsigned n)
{
	uint64_t next = lapic_next_timer(&cpus[n].l, now);
	uint8_t how = get8();

	if ((how & 1) && next != LAPIC_NEVER && next - now.ns < 1ull << 40)
		pass(next - now.ns);
	else
		pass(how * (uint64_t)how);
	advance_all();
}

static void op_deadline(unsigned n)
{
	struct lapic_effects eff;

	begin(&cpus[n]);
	if (!lapic_deadline_write(&cpus[n].l, now.tsc + get32() - 1000, &eff))
		end(n, &eff, false);
	advance_all();
}

static void op_reset(unsigned n)
{
	begin(&cpus[n]);
	if (get8() & 1)
		lapic_reset(&cpus[n].l);
	else
		lapic_init_reset(&cpus[n].l);
	dropped(&cpus[n]);
}

/* Out and into a fresh one: the same page comes out, and no request is lost. */
static void op_restore(unsigned n)
{
	struct kvm_lapic_state one, two;
	struct lapic_effects eff;
	struct lapic *l = &cpus[n].l;
	bool wide = get8() & 1;

	begin(&cpus[n]);
	lapic_get_state(l, now, wide, &one);
	lapic_init(l, &cpus[n].before.cfg);
	memcpy(l->lint, cpus[n].before.lint, sizeof(l->lint));
	must(!lapic_set_base_host(l, cpus[n].before.base, &eff));
	must(!lapic_set_state(l, &one, now, wide, &eff));
	lapic_get_state(l, now, wide, &two);
	/* A level may have waited at LINT0, behind an error that is not in the page. */
	must(!memcmp(&one, &two, sizeof(one)) || l->lint[0]);
	end(n, &eff, false);
}

static void op_cr8(unsigned n)
{
	struct lapic_effects eff;

	begin(&cpus[n]);
	lapic_set_cr8(&cpus[n].l, get8(), &eff);
	end(n, &eff, false);
}

static void step(void)
{
	uint8_t op = get8();
	unsigned n = op >> 4 & 3;

	switch (op & 0xf) {
	case 0 ... 2:
		op_access(n, get8() & 0x3f, get32());
		break;
	case 3:
		op_access(n, REG_EOI, 0);
		break;
	case 4:
		op_odd_access(n);
		break;
	case 5:
	case 6:
		op_ack(n);
		break;
	case 7:
		op_base(n, op & 0x80);
		break;
	case 8:
		op_message();
		break;
	case 9:
		op_ioapic();
		break;
	case 10:
		op_pin(n);
		break;
	case 11:
		op_pass(n);
		break;
	case 12:
		op_deadline(n);
		break;
	case 13:
		op_reset(n);
		break;
	case 14:
		op_restore(n);
		break;
	default:
		op_cr8(n);
		break;
	}
	check_ioapic();
}

/* IDs that are aliases of each other in 8 bits; the first byte says who starts in which mode. */
static void start(void)
{
	static const uint32_t ids[CPUS] = {0, 1, 256, 0xffff};
	uint8_t modes = get8();

	apic_bus_free(&bus);
	memset(cpus, 0, sizeof(cpus));
	memset(&io, 0, sizeof(io));
	ioapic_reset(&io);
	now = (struct lapic_time){.ns = 1000, .tsc = 5000};
	for (unsigned n = 0; n < CPUS; n++) {
		const struct lapic_config cfg = {.id = ids[n],
						 .bsp = !n,
						 .x2apic = true,
						 .deadline = n != 1,
						 .bus_khz = n == 2 ? 333333 : 0,
						 .tsc_khz = TSC_KHZ};
		struct lapic *l = &cpus[n].l;
		struct lapic_effects eff;

		lapic_init(l, &cfg);
		must(!apic_bus_add(&bus, l));
		if (modes >> n & 1) {
			must(!lapic_set_base(l, l->base | LAPIC_BASE_X2APIC, &eff));
			must(!lapic_msr_write(l, 0x80f, 0x1ff, now, &eff));
		} else if (modes >> n & 0x10) {
			lapic_mmio_write(l, 0xf0, 4, 0x1ff, now, &eff);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_input = data;
	fuzz_left = size;
	start();
	while (fuzz_left)
		step();
	return 0;
}

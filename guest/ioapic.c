// SPDX-License-Identifier: MIT
/*
 * ioapic: does the I/O APIC turn its lines into the interrupts that its table says? Lines are
 * driven through the machine's test port. 82093AA data sheet (290566) 3.1 and 3.2: registers,
 * redirection table; ICH9 data sheet 13.5.7: the EOI register; SDM Vol. 3A 10.8.5: EOI of level
 * interrupts. Redirection entries hold 8-bit destinations: CPUs with higher APIC IDs are left out.
 */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/expect.h"
#include "lib/idt.h"
#include "lib/ioapic.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/string.h"

#define VEC	   0x60
#define VEC_OTHER  0x61
#define VEC_SWEEP  0x70 /* plus the pin */
#define PIN	   20	/* no device of the machine is on it */
#define PIN_OTHER  21
#define PITS_PIN   2 /* GSI 0 */
#define LEVELS_MAX 3

#define RTE_WRITABLE (0xff00000000000000ull | 0x1afffull)
#define RTE_RESERVED 0x00fffffffffe0000ull

const char guest_name[] = "ioapic";

static uint32_t *want;

static void start_count(void)
{
	irq_clear();
	memset(want, 0, ncpus * sizeof(*want));
}

/* --- what the handler does, and what it saw; one interrupt at a time */

enum manner {
	EOI_ONLY,  /* an edge */
	LOWER_EOI, /* a device that is served: the line falls before the EOI */
	NO_EOI,	   /* the interrupt stays in service */
};

static struct {
	enum manner manner;
	unsigned gsi;
	uint32_t until; /* LOWER_EOI: at this interrupt, earlier ones leave the line high */
	uint32_t ended; /* handlers that are through */
	uint64_t redir; /* the entry, as the handler found it */
	bool tmr;	/* TMR bit: the local APIC was told that it is a level */
} device;

static void on_line(struct regs *r)
{
	uint32_t n = irq_total((unsigned)r->vector);

	device.redir = ioapic_redir(PIN);
	device.tmr = apic_bit(APIC_TMR, (unsigned)r->vector);
	if (device.manner == LOWER_EOI && n >= device.until)
		line_set(device.gsi, false);
	if (device.manner != NO_EOI)
		apic_eoi();
	__atomic_store_n(&device.ended, device.ended + 1, __ATOMIC_RELEASE);
}

static void prepare(enum manner manner, uint32_t until)
{
	line_set(PIN, false);
	start_count();
	device.manner = manner;
	device.gsi = PIN;
	device.until = until;
	device.ended = 0;
}

/* Where the interrupt of this pin goes; fixed and physical but for what `bits` adds. */
static void route(unsigned pin, unsigned cpu, uint64_t bits)
{
	ioapic_set(pin, bits | REDIR_DEST(cpus[cpu].apic_id));
}

static bool reachable(unsigned cpu)
{
	return cpu_up(cpu) && cpus[cpu].apic_id < XAPIC_BROADCAST;
}

static unsigned last_reachable(void)
{
	unsigned i = ncpus - 1;

	while (!reachable(i))
		i--;
	return i;
}

static void pulse(unsigned gsi)
{
	line_set(gsi, true);
	line_set(gsi, false);
}

static bool ended(uint32_t n)
{
	return WAIT_FOR(__atomic_load_n(&device.ended, __ATOMIC_ACQUIRE) >= n, EXPECT_USEC);
}

/* n times the vector on this CPU alone, and the handlers are through. */
static bool served(unsigned cpu, unsigned vector, uint32_t n)
{
	return took(cpu, vector, n) && ended(n);
}

/*
 * The same for a level whose handler lowers the line. Where nothing stays in service the line is
 * still high at the EOI, which makes each of them two.
 */
static bool served_level(unsigned cpu, uint32_t n)
{
	if (lapic_in_service())
		return served(cpu, VEC, n);
	OPEN_FOR(irq_count(cpu, VEC) >= n, EXPECT_USEC);
	settle();
	n = irq_count(cpu, VEC) <= 2 * n ? irq_total(VEC) : 0;
	return n && irq_count(cpu, VEC) == n && ended(n);
}

/* The EOI comes by way of another CPU and, maybe, of userspace. */
static bool remote_irr_falls(void)
{
	return WAIT_FOR(!(ioapic_redir(PIN) & REDIR_REMOTE_IRR), EXPECT_USEC);
}

/* --- registers */

static void test_registers(void)
{
	uint32_t version = ioapic_read(IOAPIC_REG_VERSION);
	bool ok = true;

	printf("# version 0x%x, %u pins\n", version & 0xff, ioapic_pins());
	report(ioapic_pins() == 24, "24 pins");
	ioapic_write(IOAPIC_REG_VERSION, ~version);
	report(ioapic_read(IOAPIC_REG_VERSION) == version, "the version is read-only");
	for (uint32_t id = 0; id < 16; id++) {
		ioapic_write(IOAPIC_REG_ID, ~(15u << 24) | id << 24);
		ok &= ioapic_read(IOAPIC_REG_ID) == id << 24;
		ok &= (ioapic_read(IOAPIC_REG_ARB) & 15u << 24) == id << 24;
	}
	report(ok, "the ID has bits 27:24, and the arbitration ID follows it");
	ioapic_write(IOAPIC_REG_ID, 0);
}

static bool keeps(unsigned pin, uint64_t entry, uint64_t bits)
{
	uint64_t is;

	ioapic_set(pin, entry);
	is = ioapic_redir(pin);
	if (!((is ^ entry) & bits))
		return true;
	printf("# pin %u: wrote 0x%lx, read 0x%lx\n", pin, entry, is);
	return false;
}

static void test_entries(void)
{
	bool ok = true;

	for (unsigned pin = 0; pin < ioapic_pins(); pin++) {
		ok &= keeps(pin, 0x5a00000000000000 | REDIR_MASKED | 0xa055, RTE_WRITABLE);
		ok &= keeps(pin, 0xa500000000000000 | REDIR_MASKED | 0x0faa, RTE_WRITABLE);
		ioapic_set(pin, REDIR_MASKED);
	}
	report(ok, "every field of every entry reads back, polarity as well");
	ioapic_set(PIN, REDIR_MASKED | REDIR_LEVEL | REDIR_REMOTE_IRR | REDIR_PENDING);
	report(!(ioapic_redir(PIN) & (REDIR_REMOTE_IRR | REDIR_PENDING)),
	       "remote IRR and delivery status are read-only");
	ioapic_set(PIN, REDIR_MASKED | RTE_RESERVED);
	report_known(!(ioapic_redir(PIN) & RTE_RESERVED), kvm_chips(), "KVM's I/O APIC stores them",
		     "reserved bits of an entry read 0");
	ioapic_set(PIN, REDIR_MASKED);
}

/* --- edges */

static void test_edge(void)
{
	prepare(EOI_ONLY, 0);
	route(PIN, 0, VEC);
	line_set(PIN, true);
	report(served(0, VEC, 1), "edge: a rise is one interrupt");
	report(!device.tmr, "edge: the TMR bit is clear");
	line_set(PIN, true);
	report(served(0, VEC, 1), "edge: a line that stays high is none");
	line_set(PIN, false);
	report(served(0, VEC, 1), "edge: a fall is none");
	line_set(PIN, true);
	report(served(0, VEC, 2), "edge: the next rise is the next");
	line_set(PIN, false);
}

/* While one is in service IRR holds one more (SDM Vol. 3A 10.8.4), which comes after the EOI. */
static void test_edge_in_service(void)
{
	static const char name[] = "edge: a second one waits while the first is in service";

	if (!lapic_in_service()) {
		report_skip(NO_SERVICE, name);
		return;
	}
	prepare(NO_EOI, 0);
	route(PIN, 0, VEC);
	pulse(PIN);
	served(0, VEC, 1);
	pulse(PIN);
	report(served(0, VEC, 1), name);
	device.manner = EOI_ONLY;
	apic_eoi();
	report(served(0, VEC, 2), "edge: and is taken after the EOI");
}

static void test_edge_masked(void)
{
	prepare(EOI_ONLY, 0);
	route(PIN, 0, VEC | REDIR_MASKED);
	pulse(PIN);
	report(served(0, VEC, 0), "edge: masked, none comes");
	route(PIN, 0, VEC);
	report(served(0, VEC, 0), "edge: what came while masked is lost");
	pulse(PIN);
	report(served(0, VEC, 1), "edge: unmasked, the next one comes");

	prepare(EOI_ONLY, 0);
	pulse(PIN);
	ioapic_set(PIN, REDIR_MASKED | VEC);
	report(served(0, VEC, 1),
	       "edge: a mask does not take back what is in the local APIC's IRR");
}

/* The test port says "asserted", whatever voltage that is: polarity is the board's business. */
static void test_polarity(void)
{
	prepare(EOI_ONLY, 0);
	route(PIN, 0, VEC | REDIR_ACTIVE_LOW);
	line_set(PIN, true);
	report(served(0, VEC, 1) && (ioapic_redir(PIN) & REDIR_ACTIVE_LOW),
	       "edge: the polarity bit is kept and does not turn an asserted line around");
	line_set(PIN, false);
}

/* --- levels */

static void test_level(void)
{
	prepare(LOWER_EOI, 1);
	route(PIN, 0, VEC | REDIR_LEVEL);
	report(!(ioapic_redir(PIN) & REDIR_REMOTE_IRR), "level: remote IRR is clear before");
	line_set(PIN, true);
	report(served_level(0, 1), "level: a line that falls before the EOI is one interrupt");
	report_known(device.redir & REDIR_REMOTE_IRR, !lapic_in_service(), NO_SERVICE,
		     "level: remote IRR is set in the handler");
	report(device.tmr, "level: the TMR bit is set");
	report(remote_irr_falls(), "level: the EOI clears remote IRR");

	prepare(LOWER_EOI, LEVELS_MAX);
	line_set(PIN, true);
	report(served_level(0, LEVELS_MAX), "level: each EOI with the line high is one more");
	report(remote_irr_falls(), "level: and the last one clears remote IRR");
}

/* Only the EOI ends it: until then the line may do what it wants. */
static void test_level_in_service(void)
{
	static const char name[] = "level: none while remote IRR is set";

	if (!lapic_in_service()) {
		report_skip(NO_SERVICE, name);
		return;
	}
	prepare(NO_EOI, 0);
	route(PIN, 0, VEC | REDIR_LEVEL);
	line_set(PIN, true);
	served(0, VEC, 1);
	pulse(PIN);
	line_set(PIN, true);
	report(served(0, VEC, 1), name);
	line_set(PIN, false);
	apic_eoi();
	report(remote_irr_falls() && served(0, VEC, 1), "level: the EOI with the line low ends it");
}

static void set_low(uint32_t bits)
{
	ioapic_write(IOAPIC_REG_REDIR + 2 * PIN, VEC | (uint32_t)REDIR_LEVEL | bits);
}

static void test_level_masked(void)
{
	prepare(LOWER_EOI, 1);
	route(PIN, 0, VEC | REDIR_LEVEL | REDIR_MASKED);
	line_set(PIN, true);
	report(served(0, VEC, 0) && !(ioapic_redir(PIN) & REDIR_REMOTE_IRR),
	       "level: masked, none comes");
	set_low(0);
	report(served_level(0, 1), "level: unmasked, the line is looked at again");
	remote_irr_falls();

	prepare(LOWER_EOI, 1);
	route(PIN, 0, VEC | REDIR_LEVEL | REDIR_MASKED);
	pulse(PIN);
	set_low(0);
	report(served(0, VEC, 0), "level: a line that fell while masked is nothing");
}

/* The EOI comes while the pin is masked; the line is still high when it is unmasked. */
static void test_level_masked_in_service(void)
{
	static const char name[] = "level: masked in service, the EOI ends it";

	if (!lapic_in_service()) {
		report_skip(NO_SERVICE, name);
		return;
	}
	prepare(NO_EOI, 0);
	route(PIN, 0, VEC | REDIR_LEVEL);
	line_set(PIN, true);
	served(0, VEC, 1);
	set_low((uint32_t)REDIR_MASKED);
	apic_eoi();
	report(remote_irr_falls() && served(0, VEC, 1), name);
	device.manner = LOWER_EOI;
	set_low(0);
	report(served(0, VEC, 2), "level: and unmasking brings the next one");
	remote_irr_falls();
}

/* How systems end a level interrupt without an EOI register: Linux, __eoi_ioapic_pin(). */
static void test_edge_clears(void)
{
	static const char name[] = "level: switching the pin to edge clears remote IRR";

	if (!lapic_in_service()) {
		report_skip(NO_SERVICE, name);
		return;
	}
	prepare(NO_EOI, 0);
	route(PIN, 0, VEC | REDIR_LEVEL);
	line_set(PIN, true);
	served(0, VEC, 1);
	line_set(PIN, false);
	route(PIN, 0, VEC | REDIR_MASKED);
	route(PIN, 0, VEC | REDIR_MASKED | REDIR_LEVEL);
	report(!(ioapic_redir(PIN) & REDIR_REMOTE_IRR), name);
	apic_eoi();
	settle();
}

static void test_eoi_register(void)
{
	static const char name[] = "EOI register: ends the interrupt without the local APIC";

	if ((ioapic_read(IOAPIC_REG_VERSION) & 0xff) < 0x20) {
		report_skip("version below 0x20: there is none", name);
		return;
	}
	if (!lapic_in_service()) {
		report_skip(NO_SERVICE, name);
		return;
	}
	prepare(NO_EOI, 0);
	route(PIN, 0, VEC | REDIR_LEVEL);
	line_set(PIN, true);
	served(0, VEC, 1);
	line_set(PIN, false);
	ioapic_eoi(VEC_OTHER);
	report(ioapic_redir(PIN) & REDIR_REMOTE_IRR, "EOI register: another vector is not meant");
	ioapic_eoi(VEC);
	report(!(ioapic_redir(PIN) & REDIR_REMOTE_IRR), name);
	apic_eoi();
	settle();
}

/* --- delivery modes and destinations */

/* One interrupt to each CPU in turn: the pin is re-routed every time. */
static bool to_each(uint64_t bits, enum manner manner)
{
	bool ok = true;

	for (unsigned i = 0; i < ncpus && ok; i++) {
		if (!reachable(i))
			continue;
		prepare(manner, 1);
		route(PIN, i, VEC | bits);
		line_set(PIN, true);
		ok = (manner == LOWER_EOI ? served_level(i, 1) : served(i, VEC, 1)) &&
		     remote_irr_falls();
	}
	line_set(PIN, false);
	return ok;
}

static void test_each(void)
{
	report(to_each(0, EOI_ONLY), "edge: routed to each CPU in turn");
	report(to_each(REDIR_LEVEL, LOWER_EOI), "level: routed to each CPU in turn");
	report(to_each(DM_LOWEST, EOI_ONLY), "edge: lowest priority among one CPU is that CPU");
}

static void test_nmi(void)
{
	bool ok = true;

	for (unsigned i = 0; i < ncpus && ok; i++) {
		if (!reachable(i))
			continue;
		prepare(EOI_ONLY, 0);
		route(PIN, i, DM_NMI | VEC); /* the vector is not looked at */
		pulse(PIN);
		ok = took(i, EXC_NMI, 1) && irq_total(VEC) == 0;
	}
	report(ok, "NMI: routed to each CPU in turn");
}

static void test_broadcast(void)
{
	prepare(EOI_ONLY, 0);
	for (unsigned i = 0; i < ncpus; i++)
		want[i] = cpu_up(i);
	ioapic_set(PIN, VEC | REDIR_DEST(XAPIC_BROADCAST));
	pulse(PIN);
	report(took_each(VEC, want), "edge: destination 0xff is every CPU");
}

/* CPUs 0-6 get a bit each; all eight bits would be everybody. */
static void take_logical_id(void *arg)
{
	unsigned me = this_cpu()->index;

	(void)arg;
	apic_logical(me < 7 ? (uint8_t)(1u << me) : 0, DFR_FLAT);
}

/* Which one is the machine's choice (SDM Vol. 3A 10.6.2.4). */
static void lowest_once(unsigned mask, uint64_t bits, enum manner manner, const char *name)
{
	uint32_t inside = 0, most = bits && !lapic_in_service() ? 2 : 1;

	prepare(manner, 1);
	ioapic_set(PIN, VEC | bits | DM_LOGICAL | DM_LOWEST | REDIR_DEST(mask));
	line_set(PIN, true);
	OPEN_FOR(irq_total(VEC) >= 1, EXPECT_USEC);
	settle();
	line_set(PIN, false);
	for (unsigned i = 0; i < ncpus && mask >> i; i++)
		inside += irq_count(i, VEC);
	report(inside && inside <= most && irq_total(VEC) == inside && remote_irr_falls(), name);
}

static void test_logical(void)
{
	unsigned mask = 0;
	bool ok = true;

	if (apic_mode() != APIC_MODE_XAPIC || !run_all_open(take_logical_id, NULL, EXPECT_USEC)) {
		report_skip("the CPUs are in x2APIC mode", "logical destinations");
		return;
	}
	for (unsigned i = 0; i < ncpus && i < 7; i++) {
		if (!cpu_up(i))
			continue;
		prepare(EOI_ONLY, 0);
		ioapic_set(PIN, VEC | DM_LOGICAL | REDIR_DEST(1u << i));
		pulse(PIN);
		ok &= served(i, VEC, 1);
		mask |= 1u << i;
	}
	report(ok, "edge, logical: routed to each CPU in turn");
	prepare(EOI_ONLY, 0);
	for (unsigned i = 0; i < ncpus && i < 7; i++)
		want[i] = cpu_up(i);
	ioapic_set(PIN, VEC | DM_LOGICAL | REDIR_DEST(mask));
	pulse(PIN);
	report(took_each(VEC, want), "edge, logical: fixed to all CPUs of a set is one for each");
	lowest_once(mask, 0, EOI_ONLY, "edge, logical: lowest priority is one for the set");
	lowest_once(mask, REDIR_LEVEL, LOWER_EOI,
		    "level, logical: lowest priority is one for the set");
}

/* --- pins together */

static void test_two_pins(void)
{
	unsigned other = last_reachable();

	prepare(LOWER_EOI, 1);
	route(PIN, 0, VEC | REDIR_LEVEL);
	route(PIN_OTHER, other, VEC_OTHER);
	line_set(PIN, true);
	pulse(PIN_OTHER);
	report(served_level(0, 1) && took(other, VEC_OTHER, 1),
	       "two pins: each goes its way at the same time");
	remote_irr_falls();
	ioapic_set(PIN_OTHER, REDIR_MASKED);
	ioapic_set(PIN, REDIR_MASKED);
}

/* GSI 0 is wired to pin 2, and nothing to pin 0 (the MP specification's usual override). */
static void test_sweep(void)
{
	unsigned wrong = 0;

	for (unsigned gsi = 0; gsi < ioapic_pins(); gsi++)
		line_set(gsi, false);
	start_count();
	for (unsigned pin = 0; pin < ioapic_pins(); pin++)
		route(pin, pin % (last_reachable() + 1), VEC_SWEEP + pin);
	for (unsigned pin = 1; pin < ioapic_pins(); pin++) {
		pulse(pin == PITS_PIN ? 0 : pin);
		OPEN_FOR(irq_total(VEC_SWEEP + pin) >= 1, EXPECT_USEC);
	}
	settle();
	ioapic_mask_all();
	for (unsigned pin = 0; pin < ioapic_pins(); pin++) {
		uint32_t n = irq_count(pin % (last_reachable() + 1), VEC_SWEEP + pin);

		if (n == (pin != 0) && irq_total(VEC_SWEEP + pin) == n)
			continue;
		printf("# pin %u: %u interrupts\n", pin, irq_total(VEC_SWEEP + pin));
		wrong++;
	}
	report(wrong == 0, "sweep: an edge on each line is one interrupt from its pin");
}

void guest_main(void)
{
	if (!line_set(PIN, false)) {
		report_skip("the machine has no test lines", "the I/O APIC's lines");
		return;
	}
	smp_start();
	want = alloc(ncpus * sizeof(*want), 8);
	irq_install(VEC, on_line);
	irq_install(VEC_OTHER, irq_eoi);
	irq_install(EXC_NMI, irq_none);
	for (unsigned pin = 0; pin < 24; pin++)
		irq_install(VEC_SWEEP + pin, irq_eoi);
	ioapic_mask_all();
	if (!lapic_in_service())
		printf("# %s\n", NO_SERVICE);
	test_registers();
	test_entries();
	test_edge();
	test_edge_in_service();
	test_edge_masked();
	test_polarity();
	test_level();
	test_level_in_service();
	test_level_masked();
	test_level_masked_in_service();
	test_edge_clears();
	test_eoi_register();
	test_each();
	test_nmi();
	test_broadcast();
	test_logical();
	test_two_pins();
	test_sweep();
}

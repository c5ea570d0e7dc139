// SPDX-License-Identifier: MIT
/* Reset values, writable and reserved bits of the local APIC's registers, and ways to access them. */
#include "lapic_rig.h"

/* "Local APIC State After Power-Up or Reset"; "Local APIC Version Register". */
static void reset_values_are_those_of_the_manual(void **state)
{
	static const struct {
		unsigned reg;
		uint32_t value;
	} expect[] = {
		{ID, 0x23u << 24}, {VERSION, 0x01060014},
		{TPR, 0},	   {APR, 0},
		{PPR, 0},	   {RRD, 0},
		{LDR, 0},	   {DFR, 0xffffffff},
		{SVR, 0xff},	   {ESR, 0},
		{CMCI, MASKED},	   {ICR, 0},
		{ICR2, 0},	   {TIMER, MASKED},
		{THERMAL, MASKED}, {PMC, MASKED},
		{LINT0, MASKED},   {LINT1, MASKED},
		{ERROR, MASKED},   {INITIAL, 0},
		{CURRENT, 0},	   {DIVIDE, 0},
		{ISR, 0},	   {ISR + 0x70, 0},
		{TMR, 0},	   {TMR + 0x70, 0},
		{IRR, 0},	   {IRR + 0x70, 0},
		{EOI, 0},
	};
	struct rig r;

	(void)state;
	rig_init(&r);
	for (size_t i = 0; i < sizeof(expect) / sizeof(expect[0]); i++)
		assert_int_equal(rig_rd(&r, expect[i].reg), expect[i].value);
	assert_int_equal(rig_errors(&r), 0);
}

struct mask {
	unsigned reg;
	uint32_t writable;
	uint32_t ones; /* read as ones whatever is written */
};

/* "Local APIC ID", "Task Priority", "Logical Destination Mode", "Spurious Interrupt", "Local Vector Table". */
static const struct mask masks[] = {
	{ID, 0xff000000, 0},	  {TPR, 0xff, 0},
	{LDR, 0xff000000, 0},	  {DFR, 0xf0000000, 0x0fffffff},
	{SVR, 0x13ff, 0},	  {CMCI, 0x107ff, 0},
	{ICR, 0xccfff, 0},	  {ICR2, 0xff000000, 0},
	{TIMER, 0x700ff, 0},	  {THERMAL, 0x107ff, 0},
	{PMC, 0x107ff, 0},	  {LINT0, 0x1a7ff, 0},
	{LINT1, 0x1a7ff, 0},	  {ERROR, 0x100ff, 0},
	{INITIAL, 0xffffffff, 0}, {DIVIDE, 0xb, 0},
};

static void xapic_registers_keep_their_writable_bits_alone(void **state)
{
	struct rig r;

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		const struct mask *m = &masks[i];

		for (unsigned bit = 0; bit < 32; bit++) {
			rig_on(&r);
			rig_wr(&r, m->reg, 1u << bit);
			/* The timer mode is no matter here, software disable is elsewhere tested. */
			assert_int_equal(rig_rd(&r, m->reg), (1u << bit & m->writable) | m->ones);
		}
		rig_on(&r);
		rig_wr(&r, m->reg, UINT32_MAX);
		assert_int_equal(rig_rd(&r, m->reg), m->writable | m->ones);
		rig_wr(&r, m->reg, m->reg == SVR ? 0x100 : 0);
		assert_int_equal(rig_rd(&r, m->reg), m->reg == SVR ? 0x100 : m->ones);
	}
}

/* "Local APIC Register Address Map": the column "Software Read/Write". */
static void read_only_registers_ignore_writes(void **state)
{
	static const unsigned regs[] = {VERSION, APR, PPR, RRD, ISR, ISR + 0x70, TMR, IRR, CURRENT};
	struct rig r;

	(void)state;
	rig_on(&r);
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		uint64_t old = rig_rd(&r, regs[i]);

		rig_wr(&r, regs[i], UINT32_MAX);
		assert_int_equal(rig_rd(&r, regs[i]), old);
	}
	/* And they are no errors: ESR bit 7 is for reserved addresses. */
	assert_int_equal(rig_errors(&r), 0);
}

/* "Error Handling", illegal register address; every address that the map calls reserved, to the end of the page. */
static void reserved_addresses_set_esr_bit_7(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	for (unsigned reg = 0; reg < LAPIC_LEN; reg += 16) {
		bool reserved = reg < 0x20 || (reg >= 0x40 && reg < 0x80) ||
				(reg >= 0x290 && reg < 0x2f0) || (reg >= 0x3a0 && reg < 0x3e0) ||
				reg >= 0x3f0;

		rig_errors(&r);
		if (reserved)
			assert_int_equal(rig_rd(&r, reg), 0);
		else
			rig_rd(&r, reg);
		assert_int_equal(rig_errors(&r), reserved ? 0x80 : 0);
		if (!reserved)
			continue;
		rig_wr(&r, reg, 0);
		assert_int_equal(rig_errors(&r), 0x80);
	}
	lapic_mmio_read(&r.l, UINT64_MAX - 15, 4, r.time, &r.eff);
	assert_int_equal(rig_errors(&r), 0x80);
}

/* "The Local APIC Block Diagram": 32-bit accesses at 128-bit boundaries; the rule for the others is lapic.h's. */
static void odd_accesses_are_safe(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION, 1, r.time, &r.eff), 0x14);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION + 2, 1, r.time, &r.eff), 0x06);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION + 2, 2, r.time, &r.eff), 0x0106);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION + 3, 1, r.time, &r.eff), 0x01);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION + 3, 2, r.time, &r.eff), 0);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION + 1, 4, r.time, &r.eff), 0);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION + 4, 4, r.time, &r.eff), 0);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION + 15, 1, r.time, &r.eff), 0);
	for (unsigned size = 0; size < 70; size++)
		if (size != 1 && size != 2 && size != 4)
			assert_int_equal(lapic_mmio_read(&r.l, VERSION, size, r.time, &r.eff), 0);
	for (unsigned size = 0; size < 70; size++)
		for (unsigned byte = 0; byte < 16; byte++)
			if (size != 4 || byte)
				lapic_mmio_write(&r.l, TPR + byte, size, 0x77, r.time, &r.eff);
	assert_int_equal(rig_rd(&r, TPR), 0);
	lapic_mmio_read(&r.l, 0x41, 1, r.time, &r.eff);
	lapic_mmio_write(&r.l, 0x41, 1, 0, r.time, &r.eff);
	/* A reserved address is one for every access that reads. */
	assert_int_equal(rig_errors(&r), 0x80);
}

/* "Detecting and Enabling x2APIC Mode": the page is not there. */
static void outside_xapic_mode_the_page_does_not_answer(void **state)
{
	struct rig r;

	(void)state;
	rig_on_x2apic(&r);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION, 4, r.time, &r.eff), 0xffffffff);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION, 2, r.time, &r.eff), 0xffff);
	lapic_mmio_write(&r.l, TPR, 4, 0x20, r.time, &r.eff);
	assert_int_equal(rig_rd(&r, TPR), 0);
	rig_base(&r, 0);
	assert_int_equal(lapic_mmio_read(&r.l, VERSION, 4, r.time, &r.eff), 0xffffffff);
	lapic_mmio_write(&r.l, TPR, 4, 0x20, r.time, &r.eff);
	assert_int_equal(lapic_get_cr8(&r.l), 0);
}

enum { RO = 1, WO = 2, RW = 3 };

/* "x2APIC Register Address Space". */
static unsigned msr_kind(unsigned index)
{
	switch (index) {
	case 0x802:
	case 0x803:
	case 0x80a:
	case 0x80d:
	case 0x810 ... 0x827:
	case 0x839:
		return RO;
	case 0x80b:
	case 0x83f:
		return WO;
	case 0x808:
	case 0x80f:
	case 0x828:
	case 0x82f:
	case 0x830:
	case 0x832 ... 0x838:
	case 0x83e:
		return RW;
	default:
		return 0;
	}
}

static void x2apic_msrs_fault_where_nothing_can_be_read_or_written(void **state)
{
	struct rig r;
	uint64_t value;

	(void)state;
	rig_on_x2apic(&r);
	for (unsigned index = 0x7f0; index < 0x910; index++) {
		unsigned kind = msr_kind(index);
		int rd = lapic_msr_read(&r.l, index, r.time, &value);
		/* Legal values: SVR stays on. */
		int wr = lapic_msr_write(&r.l, index, index == 0x80f ? 0x1ff : 0, r.time, &r.eff);

		assert_int_equal(rd, kind & RO ? 0 : -1);
		assert_int_equal(wr, kind & WO ? 0 : -1);
	}
	assert_int_equal(lapic_msr_read(&r.l, 0, r.time, &value), -1);
	assert_int_equal(lapic_msr_read(&r.l, UINT32_MAX, r.time, &value), -1);
	/* "Error Handling": in x2APIC mode a fault, not ESR bit 7. */
	rig_wr(&r, ESR, 0);
	assert_int_equal(rig_rd(&r, ESR) & 0x80, 0);
}

/* "x2APIC Register Accessibility": they belong to the mode. */
static void x2apic_msrs_fault_in_other_modes(void **state)
{
	struct rig r;
	uint64_t value;

	(void)state;
	rig_on(&r);
	assert_int_equal(lapic_msr_read(&r.l, 0x803, r.time, &value), -1);
	assert_int_equal(lapic_msr_write(&r.l, 0x808, 0x20, r.time, &r.eff), -1);
	assert_int_equal(rig_rd(&r, TPR), 0);
	rig_base(&r, 0);
	assert_int_equal(lapic_msr_read(&r.l, 0x803, r.time, &value), -1);
	assert_int_equal(lapic_msr_write(&r.l, 0x808, 0x20, r.time, &r.eff), -1);
}

/*
 * "Reserved Bit Checking" and the register figures: every bit of every writable MSR. Delivery status (12) of
 * LVTs and remote IRR (14) of LINTs are read-only, not reserved. The ICR has no delivery status there.
 */
static void x2apic_reserved_bits_fault(void **state)
{
	static const struct {
		unsigned index;
		uint64_t valid, kept;
	} msrs[] = {
		{0x808, 0xff, 0xff},
		{0x80b, 0, 0},
		{0x80f, 0x13ff, 0x13ff},
		{0x828, 0, 0},
		{0x82f, 0x117ff, 0x107ff},
		{0x832, 0x710ff, 0x700ff},
		{0x833, 0x117ff, 0x107ff},
		{0x834, 0x117ff, 0x107ff},
		{0x835, 0x1f7ff, 0x1a7ff},
		{0x836, 0x1f7ff, 0x1a7ff},
		{0x837, 0x110ff, 0x100ff},
		{0x838, 0xffffffff, 0xffffffff},
		{0x83e, 0xb, 0xb},
		{0x83f, 0xff, 0},
		{0x830, 0xffffffff000ccfff, 0xffffffff000ccfff},
	};
	struct rig r, old;
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		for (unsigned bit = 0; bit < 64; bit++) {
			uint64_t one = 1ull << bit;

			rig_on_x2apic(&r);
			old = r;
			if (!(one & msrs[i].valid)) {
				assert_int_equal(
					lapic_msr_write(&r.l, msrs[i].index, one, r.time, &r.eff),
					-1);
				assert_memory_equal(&r.l, &old.l, sizeof(r.l));
				continue;
			}
			rig_wr(&r, (msrs[i].index - 0x800) * 16, one);
			if (msrs[i].index == 0x83f)
				continue;
			assert_int_equal(lapic_msr_read(&r.l, msrs[i].index, r.time, &value), 0);
			assert_int_equal(value, one & msrs[i].kept);
		}
	}
}

/* "TSC-Deadline Mode": bit 18 exists where CPUID says so. */
static void without_tsc_deadline_its_bit_and_msr_are_reserved(void **state)
{
	const struct lapic_config cfg = {.x2apic = true, .deadline = true, .tsc_khz = 0};
	struct rig r;
	uint64_t value;

	(void)state;
	rig_on(&r);
	lapic_init(&r.l, &cfg);
	rig_wr(&r, SVR, 0x1ff);
	rig_wr(&r, TIMER, 0x700ff);
	assert_int_equal(rig_rd(&r, TIMER), 0x300ff);
	assert_int_equal(lapic_deadline_read(&r.l, &value), -1);
	assert_int_equal(lapic_deadline_write(&r.l, 0, &r.eff), -1);
	rig_base(&r, LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);
	assert_int_equal(lapic_msr_write(&r.l, 0x832, 0x40020, r.time, &r.eff), -1);
	rig_wr(&r, TIMER, 0x20020);
}

/* "Interaction of Task Priorities between CR8 and APIC". */
static void cr8_is_tpr_class_both_ways(void **state)
{
	struct rig r;

	(void)state;
	rig_on(&r);
	rig_wr(&r, TPR, 0x5a);
	assert_true(r.eff.tpr);
	assert_int_equal(lapic_get_cr8(&r.l), 5);
	rig_wr(&r, TPR, 0x5a);
	assert_false(r.eff.tpr);
	lapic_set_cr8(&r.l, 5, &r.eff);
	assert_true(r.eff.tpr);
	assert_int_equal(rig_rd(&r, TPR), 0x50);
	lapic_set_cr8(&r.l, 0x1f, &r.eff);
	assert_int_equal(rig_rd(&r, TPR), 0xf0);
}

TEST_MAIN(cmocka_unit_test(reset_values_are_those_of_the_manual),
	  cmocka_unit_test(xapic_registers_keep_their_writable_bits_alone),
	  cmocka_unit_test(read_only_registers_ignore_writes),
	  cmocka_unit_test(reserved_addresses_set_esr_bit_7),
	  cmocka_unit_test(odd_accesses_are_safe),
	  cmocka_unit_test(outside_xapic_mode_the_page_does_not_answer),
	  cmocka_unit_test(x2apic_msrs_fault_where_nothing_can_be_read_or_written),
	  cmocka_unit_test(x2apic_msrs_fault_in_other_modes),
	  cmocka_unit_test(x2apic_reserved_bits_fault),
	  cmocka_unit_test(without_tsc_deadline_its_bit_and_msr_are_reserved),
	  cmocka_unit_test(cr8_is_tpr_class_both_ways))

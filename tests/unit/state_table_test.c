// SPDX-License-Identifier: MIT
/* The tables of RESET by themselves, against this host and against a board: nothing is forgotten or there twice. */
#include "state_rig.h"

/* --- the tables by themselves */

static void msr_rows_rise_and_do_not_overlap(void **state)
{
	(void)state;
	for (unsigned i = 0; i < msr_row_count; i++) {
		assert_true(msr_rows[i].first <= msr_rows[i].last);
		if (i)
			assert_true(msr_rows[i].first > msr_rows[i - 1].last);
		assert_ptr_equal(msr_row_find(msr_rows[i].first), &msr_rows[i]);
		assert_ptr_equal(msr_row_find(msr_rows[i].last), &msr_rows[i]);
	}
	assert_null(msr_row_find(0));
	assert_null(msr_row_find(0xffffffff));
	assert_null(msr_row_find(0x18));
}

/* A rule that resets has kinds, one that does not has none; what differs by model is one MSR a row. */
static void msr_rows_say_when(void **state)
{
	unsigned fresh = 0;

	(void)state;
	for (unsigned i = 0; i < msr_row_count; i++) {
		const struct msr_row *r = &msr_rows[i];
		bool resets = r->rule == MSR_RESET || r->rule == MSR_TRY || r->rule == MSR_FRESH;

		assert_int_equal(resets, r->kinds != 0);
		assert_true(r->section && *r->section);
		if (r->rule == MSR_FRESH)
			assert_int_equal(r->first, r->last);
		fresh += r->rule == MSR_FRESH;
	}
	assert_in_range(fresh, 1, FRESH_MSRS);
}

static const char *row_name(unsigned i)
{
	if (i < state_row_count)
		return state_rows[i].what;
	i -= state_row_count;
	return i < msr_row_count ? msr_rows[i].name : machine_rows[i - msr_row_count].what;
}

/* machine_config.without means one row. */
static void names_are_unique_over_all_tables(void **state)
{
	unsigned n = state_row_count + msr_row_count + machine_row_count;

	(void)state;
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = i + 1; k < n; k++)
			assert_string_not_equal(row_name(i), row_name(k));
	printf("# %u rows\n", n);
}

/* --- against this host and a board */

static void every_msr_that_kvm_lists_has_a_row(void **state)
{
	struct kvm_msr_list *list;
	unsigned missing = 0;

	(void)state;
	if (!make(IRQCHIP_SPLIT, NULL))
		return;
	list = kvm_msr_index_list(rig.m->kvm);
	assert_non_null(list);
	assert_true(list->nmsrs > 10);
	for (unsigned i = 0; i < list->nmsrs; i++) {
		if (msr_row_find(list->indices[i]))
			continue;
		printf("# no row has MSR 0x%x\n", list->indices[i]);
		missing++;
	}
	free(list);
	assert_int_equal(missing, 0);
}

static bool has_row(const char *device)
{
	for (unsigned i = 0; i < machine_row_count; i++)
		if (strcmp(machine_rows[i].what, device) == 0)
			return !machine_rows[i].reset;
	return false;
}

static void every_device_has_a_row(void **state)
{
	(void)state;
	for (int mode = 0; mode < IRQCHIP_MODES; mode++) {
		if (make((enum irqchip_mode)mode, NULL))
			for (unsigned i = 0; i < rig.m->bus.ndevices; i++)
				if (!has_row(rig.m->bus.devices[i]->name))
					fail_msg("no row has device %s",
						 rig.m->bus.devices[i]->name);
		unmake();
	}
}

/* ICH data sheets, "RST_CNT": SYS_RST 0 is a reset of the CPUs alone. */
static void cpu_resets_leave_devices_alone(void **state)
{
	static const uint16_t scratch = 7; /* of the UART: only power-on and the guest change it */
	struct machine *m;
	uint64_t v;

	(void)state;
	if (!make(IRQCHIP_SPLIT, NULL))
		return;
	m = rig.m;
	bus_write(&m->bus, BUS_PIO, rig.board.serial_port + scratch, 1, 0x5a);
	bus_write(&m->bus, BUS_PIO, rig.board.serial_port + 1u, 1, 1); /* IER */
	bus_write(&m->bus, BUS_PIO, 0x21, 1, 0x77);		       /* PIC: mask */
	bus_write(&m->bus, BUS_PIO, rig.board.test_port + 5u, 4, 1);
	assert_int_equal(machine_reset_state(m, RESET_SOFT), 0);
	bus_read(&m->bus, BUS_PIO, rig.board.serial_port + 1u, 1, &v);
	assert_int_equal(v, 1);
	bus_read(&m->bus, BUS_PIO, 0x21, 1, &v);
	assert_int_equal(v, 0x77);
	bus_read(&m->bus, BUS_PIO, rig.board.test_port + 5u, 4, &v);
	assert_int_equal(v, 1);
	assert_int_equal(machine_reset_state(m, RESET_HARD), 0);
	bus_read(&m->bus, BUS_PIO, rig.board.serial_port + 1u, 1, &v);
	assert_int_equal(v, 0);
	bus_read(&m->bus, BUS_PIO, 0x21, 1, &v);
	assert_int_not_equal(v, 0x77);
	bus_read(&m->bus, BUS_PIO, rig.board.test_port + 5u, 4, &v);
	assert_int_equal(v, 0);
}

TEST_MAIN(T(msr_rows_rise_and_do_not_overlap), T(msr_rows_say_when),
	  T(names_are_unique_over_all_tables), T(every_msr_that_kvm_lists_has_a_row),
	  T(every_device_has_a_row), T(cpu_resets_leave_devices_alone))

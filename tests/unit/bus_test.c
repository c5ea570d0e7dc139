// SPDX-License-Identifier: MIT
/* The bus: claims, splitting, unclaimed accesses. */
#include "test.h"

#include "machine/bus.h"

struct probe_dev {
	struct device dev;
	uint64_t last_addr, last_value;
	unsigned last_size, accesses;
};

static uint64_t probe_read(struct device *dev, uint64_t addr, unsigned size)
{
	struct probe_dev *p = container_of(dev, struct probe_dev, dev);

	p->last_addr = addr;
	p->last_size = size;
	p->accesses++;
	return 0x1122334455667700ull + (addr & 0xff);
}

static void probe_write(struct device *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct probe_dev *p = container_of(dev, struct probe_dev, dev);

	p->last_addr = addr;
	p->last_size = size;
	p->last_value = value;
	p->accesses++;
}

static void probe_reset(struct device *dev, enum reset_kind kind)
{
	struct probe_dev *p = container_of(dev, struct probe_dev, dev);

	p->accesses = 1000u + kind;
}

static const struct device_ops probe_ops = {probe_reset, probe_read, probe_write};

static struct probe_dev make(enum bus_space space, uint64_t base, uint64_t len, unsigned width)
{
	return (struct probe_dev){
		.dev = {.name = "probe", .ops = &probe_ops, .ranges = {{space, base, len, width}}}};
}

static void overlap_is_refused(void **state)
{
	struct probe_dev a = make(BUS_PIO, 0x60, 4, 1), b = make(BUS_PIO, 0x63, 1, 1),
			 c = make(BUS_PIO, 0x5e, 3, 1), d = make(BUS_PIO, 0x64, 1, 1),
			 e = make(BUS_MMIO, 0x60, 4, 4);
	struct bus bus = {.ndevices = 0};
	struct error err;

	(void)state;
	assert_int_equal(bus_add(&bus, &a.dev, &err), 0);
	assert_int_equal(bus_add(&bus, &b.dev, &err), -1);
	assert_int_equal(err.code, EXIT_SETUP);
	assert_string_equal(err.text, "probe and probe both claim 0x63");
	assert_int_equal(bus_add(&bus, &c.dev, &err), -1);
	assert_int_equal(bus_add(&bus, &d.dev, &err), 0);
	/* The spaces are apart. */
	assert_int_equal(bus_add(&bus, &e.dev, &err), 0);
}

static void wide_access_is_split_to_the_device_width(void **state)
{
	struct probe_dev a = make(BUS_PIO, 0x3f8, 8, 1);
	struct bus bus = {.ndevices = 0};
	struct error err;
	uint64_t v;

	(void)state;
	bus_add(&bus, &a.dev, &err);
	assert_true(bus_read(&bus, BUS_PIO, 0x3f8, 4, &v));
	assert_int_equal(a.accesses, 4);
	assert_int_equal(v, 0xfbfaf9f8);
	assert_true(bus_write(&bus, BUS_PIO, 0x3fe, 2, 0xabcd));
	assert_int_equal(a.last_addr, 0x3ff);
	assert_int_equal(a.last_size, 1);
	assert_int_equal(a.last_value, 0xab);
}

static void access_over_the_end_of_a_claim_is_unclaimed_there(void **state)
{
	struct probe_dev a = make(BUS_MMIO, 0x1000, 6, 4);
	struct bus bus = {.ndevices = 0};
	struct error err;
	uint64_t v;

	(void)state;
	bus_add(&bus, &a.dev, &err);
	assert_false(bus_read(&bus, BUS_MMIO, 0x1004, 4, &v));
	/* Two bytes of the device, two of nobody, which read as ones. */
	assert_int_equal(a.accesses, 1);
	assert_int_equal(a.last_size, 2);
	assert_int_equal(v, 0xffff7704);
	assert_int_equal(bus.unclaimed, 1);
	assert_false(bus_write(&bus, BUS_MMIO, 0xffe, 8, 0));
	assert_int_equal(bus.unclaimed, 2);
}

static void nobody_reads_as_ones(void **state)
{
	struct bus bus = {.ndevices = 0};
	uint64_t v;

	(void)state;
	assert_false(bus_read(&bus, BUS_PIO, 0x1234, 2, &v));
	assert_int_equal(v, 0xffff);
	assert_false(bus_read(&bus, BUS_MMIO, UINT64_MAX - 3, 8, &v));
	assert_true(v == UINT64_MAX);
	assert_false(bus_write(&bus, BUS_MMIO, UINT64_MAX, 8, 0));
	assert_int_equal(bus.unclaimed, 3);
}

static void reset_reaches_every_device(void **state)
{
	struct probe_dev a = make(BUS_PIO, 1, 1, 1), b = make(BUS_PIO, 2, 1, 1);
	struct bus bus = {.ndevices = 0};
	struct error err;

	(void)state;
	bus_add(&bus, &a.dev, &err);
	bus_add(&bus, &b.dev, &err);
	bus_reset(&bus, RESET_KBC);
	assert_int_equal(a.accesses, 1000 + RESET_KBC);
	assert_int_equal(b.accesses, 1000 + RESET_KBC);
}

TEST_MAIN(cmocka_unit_test(overlap_is_refused),
	  cmocka_unit_test(wide_access_is_split_to_the_device_width),
	  cmocka_unit_test(access_over_the_end_of_a_claim_is_unclaimed_there),
	  cmocka_unit_test(nobody_reads_as_ones), cmocka_unit_test(reset_reaches_every_device))

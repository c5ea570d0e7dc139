// SPDX-License-Identifier: MIT
/* A board and its device tree; boot/board.h has the bindings. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "board_rig.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static void default_board_is_a_small_pc(void **state)
{
	struct board b;

	(void)state;
	board_default(&b);
	assert_int_equal(b.ncpus, 1);
	assert_int_equal(b.cpus[0].apic_id, 0);
	assert_true(b.cpus[0].enabled);
	assert_int_equal(b.mem, 64 * MIB);
	assert_int_equal(b.serial_port, 0x3f8);
	assert_int_equal(b.serial_irq, 4);
	expect_round_trip(&b);
	board_free(&b);
}

static void every_memory_size_comes_back(void **state)
{
	static const uint64_t sizes[] = {
		BOARD_MEM_MIN, BOARD_MEM_MIN + 4096, 3 * GIB - 4096,
		3 * GIB,       3 * GIB + 4096,	     4 * GIB,
		5 * GIB,       BOARD_MEM_MAX,
	};
	struct board b;

	(void)state;
	board_default(&b);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		b.mem = sizes[i];
		expect_round_trip(&b);
	}
	board_free(&b);
}

static void four_thousand_cpus_come_back(void **state)
{
	struct board b;

	(void)state;
	many_cpus(&b, BOARD_CPUS_MAX);
	for (unsigned i = 0; i < b.ncpus; i++)
		b.cpus[i] = (struct board_cpu){BOARD_APIC_ID_MAX - i * 1000003u, i % 3 == 0};
	expect_round_trip(&b);
	board_free(&b);
}

static void absent_devices_stay_absent(void **state)
{
	struct board b;

	(void)state;
	board_default(&b);
	b.serial_port = b.rtc_port = b.kbc_port = 0;
	b.debug_exit_port = b.post_port = b.test_port = b.hotplug_port = 0;
	expect_round_trip(&b);
	b.serial_port = 0x2f8;
	b.serial_irq = 3;
	b.test_port = 0x10000 - 27;
	expect_round_trip(&b);
	board_free(&b);
}

static void long_command_lines_come_back(void **state)
{
	struct board b;

	(void)state;
	board_default(&b);
	free(b.bootargs);
	b.bootargs = calloc(1, 100001);
	assert_non_null(b.bootargs);
	memset(b.bootargs, 'x', 100000);
	expect_round_trip(&b);
	board_free(&b);
}

/* arch/x86/kernel/devicetree.c: these compatibles, and sense 3 for a rising edge. */
static void tree_is_what_linux_reads(void **state)
{
	const fdt32_t irq[2] = {cpu_to_fdt32(4), cpu_to_fdt32(3)};
	void *fdt = editable_tree();
	int len, ioapic;

	(void)state;
	ioapic = fdt_node_offset_by_compatible(fdt, -1, "intel,ce4100-ioapic");
	assert_int_equal(ioapic, node_at(fdt, "/ioapic@fec00000"));
	assert_non_null(fdt_getprop(fdt, ioapic, "interrupt-controller", &len));
	assert_int_equal(fdt_node_offset_by_compatible(fdt, -1, "intel,ce4100-lapic"),
			 node_at(fdt, "/lapic@fee00000"));
	assert_string_equal(fdt_getprop(fdt, node_at(fdt, "/cpus/cpu@1"), "device_type", &len),
			    "cpu");
	assert_string_equal(fdt_getprop(fdt, node_at(fdt, "/cpus/cpu@1"), "status", &len),
			    "disabled");
	assert_memory_equal(
		fdt_getprop(fdt, node_at(fdt, "/isa@i0/serial@i3f8"), "interrupts", &len), irq,
		sizeof(irq));
	assert_string_equal(fdt_getprop(fdt, node_at(fdt, "/chosen"), "stdout-path", &len),
			    "/isa@i0/serial@i3f8");
	assert_int_equal(fdt_get_phandle(fdt, ioapic),
			 fdt32_ld(fdt_getprop(fdt, 0, "interrupt-parent", &len)));
	free(fdt);
}

/* dtc knows the Devicetree Specification better than we do. */
static void dtc_finds_nothing_to_warn_of(void **state)
{
	int fd = memfd_create("dtb", 0);
	void *fdt = editable_tree();
	char line[200] = "";
	FILE *p;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fdt_pack(fdt), 0);
	assert_int_equal(write(fd, fdt, fdt_totalsize(fdt)), fdt_totalsize(fdt));
	snprintf(line, sizeof(line), "dtc -I dtb -O dts -o /dev/null /proc/self/fd/%d 2>&1", fd);
	p = popen(line, "re");
	assert_non_null(p);
	if (fgets(line, sizeof(line), p))
		fail_msg("%s", line);
	assert_int_equal(pclose(p), 0);
	close(fd);
	free(fdt);
}

static void read_tree(const void *fdt, struct board *b)
{
	struct error err;

	if (board_from_fdt(b, fdt, fdt_totalsize(fdt), &err))
		fail_msg("%s", err.text);
}

static void first_enabled_cpu_boots(void **state)
{
	void *fdt = editable_tree();
	struct board b;

	(void)state;
	set_string(fdt, "/cpus/cpu@0", "status", "disabled");
	set_string(fdt, "/cpus/cpu@1", "status", "okay");
	read_tree(fdt, &b);
	assert_int_equal(b.ncpus, 2);
	assert_int_equal(b.cpus[0].apic_id, 1);
	assert_true(b.cpus[0].enabled);
	assert_int_equal(b.cpus[1].apic_id, 0);
	assert_false(b.cpus[1].enabled);
	board_free(&b);
	free(fdt);
}

/* Devicetree Specification 0.4, 2.3.4. */
static void missing_status_means_okay(void **state)
{
	void *fdt = editable_tree();
	struct board b;

	(void)state;
	assert_int_equal(fdt_delprop(fdt, node_at(fdt, "/cpus/cpu@1"), "status"), 0);
	read_tree(fdt, &b);
	assert_true(b.cpus[1].enabled);
	board_free(&b);
	free(fdt);
}

static void disabled_device_does_not_exist(void **state)
{
	void *fdt = editable_tree();
	struct board b;

	(void)state;
	set_string(fdt, "/isa@i0/serial@i3f8", "status", "disabled");
	/* Nothing else of it is looked at. */
	assert_int_equal(fdt_delprop(fdt, node_at(fdt, "/isa@i0/serial@i3f8"), "reg"), 0);
	read_tree(fdt, &b);
	assert_int_equal(b.serial_port, 0);
	assert_int_equal(b.rtc_port, 0x70);
	board_free(&b);
	free(fdt);
}

static void bus_and_chosen_may_be_missing(void **state)
{
	void *fdt = editable_tree();
	struct board b;

	(void)state;
	assert_int_equal(fdt_del_node(fdt, node_at(fdt, "/isa@i0")), 0);
	assert_int_equal(fdt_del_node(fdt, node_at(fdt, "/chosen")), 0);
	read_tree(fdt, &b);
	assert_int_equal(b.serial_port, 0);
	assert_string_equal(b.bootargs, "");
	board_free(&b);
	free(fdt);
}

static void what_describes_no_device_is_let_through(void **state)
{
	void *fdt = editable_tree();
	struct board b, plain;
	int node;

	(void)state;
	two_cpus(&plain);
	node = fdt_add_subnode(fdt, 0, "aliases");
	assert_true(node > 0);
	assert_int_equal(fdt_setprop_string(fdt, node, "serial0", "/isa@i0/serial@i3f8"), 0);
	set_string(fdt, "/cpus/cpu@0", "vendor,note", "hand-made");
	node = fdt_add_subnode(fdt, 0, "fpga@90000000");
	assert_int_equal(fdt_setprop_string(fdt, node, "compatible", "acme,fpga"), 0);
	assert_int_equal(fdt_setprop_string(fdt, node, "status", "disabled"), 0);
	read_tree(fdt, &b);
	expect_same_board(&b, &plain);
	board_free(&b);
	board_free(&plain);
	free(fdt);
}

static void bootargs_are_replaced_in_a_copy(void **state)
{
	static const char *const lines[] = {"a much longer command line than before", "", "x"};
	struct error err;
	struct board b;
	void *blob;
	size_t len;

	(void)state;
	board_default(&b);
	assert_int_equal(board_to_fdt(&b, &blob, &len, &err), 0);
	board_free(&b);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(board_set_bootargs(&blob, &len, lines[i], &err), 0);
		assert_int_equal(len, fdt_totalsize(blob));
		assert_int_equal(board_from_fdt(&b, blob, len, &err), 0);
		assert_string_equal(b.bootargs, lines[i]);
		board_free(&b);
	}
	assert_int_equal(fdt_del_node(blob, node_at(blob, "/chosen")), 0);
	assert_int_equal(board_set_bootargs(&blob, &len, "back", &err), 0);
	assert_int_equal(board_from_fdt(&b, blob, len, &err), 0);
	assert_string_equal(b.bootargs, "back");
	board_free(&b);
	free(blob);
}

static void bootargs_of_a_broken_tree_are_left_alone(void **state)
{
	char bytes[64] = "no tree";
	void *blob = bytes;
	size_t len = sizeof(bytes);
	struct error err;

	(void)state;
	assert_int_equal(board_set_bootargs(&blob, &len, "x", &err), -1);
	assert_int_equal(err.code, EXIT_SETUP);
	assert_ptr_equal(blob, bytes);
	assert_int_equal(len, sizeof(bytes));
}

static void boards_of_more_than_4096_cpus_are_refused(void **state)
{
	struct board b;

	(void)state;
	many_cpus(&b, BOARD_CPUS_MAX + 1);
	expect_board_refused(&b, "/cpus: 4097 CPUs; a machine has 1 to 4096");
	b.ncpus = 0;
	expect_board_refused(&b, "/cpus: 0 CPUs");
	board_free(&b);
}

static void boards_that_cannot_be_built_are_refused(void **state)
{
	struct board b;

	(void)state;
	two_cpus(&b);
	b.mem = 64 * 1024 * 1024 + 1;
	expect_board_refused(&b, "/memory: 67108865 bytes");
	b.mem = BOARD_MEM_MIN - 4096;
	expect_board_refused(&b, "/memory: 2093056 bytes");
	b.mem = BOARD_MEM_MAX + 4096;
	expect_board_refused(&b, "/memory: 1099511631872 bytes");
	b.mem = BOARD_MEM_MIN;
	b.cpus[1].apic_id = 0;
	expect_board_refused(&b, "two CPUs have the APIC ID 0");
	b.cpus[1].apic_id = 0xffffffff;
	expect_board_refused(&b, "0xffffffff means all CPUs");
	b.cpus[1].apic_id = 1;
	b.cpus[0].enabled = false;
	expect_board_refused(&b, "the boot CPU is disabled");
	board_free(&b);
}

/* A tree from before the device existed describes a machine that has none. */
static void tree_without_cpu_hotplug_has_none(void **state)
{
	const fdt32_t irq[2] = {cpu_to_fdt32(22), cpu_to_fdt32(3)};
	const fdt32_t reg[3] = {cpu_to_fdt32(1), cpu_to_fdt32(0x2100), cpu_to_fdt32(12)};
	const char *path = "/isa@i0/cpu-hotplug@i2100";
	void *fdt = editable_tree();
	struct board b;
	int len;

	(void)state;
	assert_string_equal(fdt_getprop(fdt, node_at(fdt, path), "compatible", &len),
			    "sipi,cpu-hotplug");
	assert_memory_equal(fdt_getprop(fdt, node_at(fdt, path), "reg", &len), reg, sizeof(reg));
	assert_memory_equal(fdt_getprop(fdt, node_at(fdt, path), "interrupts", &len), irq,
			    sizeof(irq));
	read_tree(fdt, &b);
	assert_int_equal(b.hotplug_port, 0x2100);
	assert_int_equal(b.hotplug_irq, 22);
	board_free(&b);
	assert_int_equal(fdt_del_node(fdt, node_at(fdt, path)), 0);
	read_tree(fdt, &b);
	assert_int_equal(b.hotplug_port, 0);
	assert_int_equal(b.test_port, 0x2000);
	expect_round_trip(&b);
	board_free(&b);
	free(fdt);
}

/* Ports that every machine has, and each other's. */
static void ports_that_collide_are_refused(void **state)
{
	static const struct {
		uint16_t port;
		const char *text;
	} bad[] = {
		{0x19, "ports 0x19-0x20 are taken by the PIC"},
		{0x21, "the PIC"},
		{0xa1, "the PIC"},
		{0x4d1, "the PIC"},
		{0x39, "the PIT"},
		{0x43, "the PIT"},
		{0x61, "the PIT"},
		{0x8b, "reset port 0x92"},
		{0xcf9, "reset port 0xcf9"},
	};
	struct board b;

	(void)state;
	board_default(&b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		b.serial_port = bad[i].port;
		expect_board_refused(&b, bad[i].text);
	}
	b.serial_port = 0x22;
	expect_round_trip(&b);
	b.serial_port = 0xf4 - 7;
	expect_board_refused(&b,
			     "/isa@i0/debug-exit@if4: ports 0xf4-0xf7 are taken by /isa@i0/serial");
	b.serial_port = 0xf4 - 8;
	expect_round_trip(&b);
	b.serial_port = 0x64;
	expect_board_refused(&b, "keyboard-controller@i64");
	b.serial_port = 0;
	b.hotplug_port = 0x2000 - 11;
	expect_board_refused(&b, "cpu-hotplug@i1ff5: ports 0x1ff5-0x2000 are taken by "
				 "/isa@i0/test-lines");
	b.hotplug_port = 0x2000 - 12;
	expect_round_trip(&b);
	b.hotplug_port = 0xfff5;
	expect_board_refused(&b, "cpu-hotplug@ifff5: runs past port 0xffff");
	board_free(&b);
}

TEST_MAIN(cmocka_unit_test(default_board_is_a_small_pc),
	  cmocka_unit_test(every_memory_size_comes_back),
	  cmocka_unit_test(four_thousand_cpus_come_back),
	  cmocka_unit_test(absent_devices_stay_absent),
	  cmocka_unit_test(long_command_lines_come_back),
	  cmocka_unit_test(tree_is_what_linux_reads),
	  cmocka_unit_test(dtc_finds_nothing_to_warn_of), cmocka_unit_test(first_enabled_cpu_boots),
	  cmocka_unit_test(missing_status_means_okay),
	  cmocka_unit_test(disabled_device_does_not_exist),
	  cmocka_unit_test(tree_without_cpu_hotplug_has_none),
	  cmocka_unit_test(bus_and_chosen_may_be_missing),
	  cmocka_unit_test(what_describes_no_device_is_let_through),
	  cmocka_unit_test(bootargs_are_replaced_in_a_copy),
	  cmocka_unit_test(bootargs_of_a_broken_tree_are_left_alone),
	  cmocka_unit_test(boards_of_more_than_4096_cpus_are_refused),
	  cmocka_unit_test(boards_that_cannot_be_built_are_refused),
	  cmocka_unit_test(ports_that_collide_are_refused))

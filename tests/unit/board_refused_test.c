// SPDX-License-Identifier: MIT
/* Trees that describe no machine of ours: each is refused by path and property. */
#include "board_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct edit {
	const char *path, *prop;
	const char *string; /* or, when NULL ... */
	uint32_t cells[12]; /* ... so many cells; 0: the property is deleted */
	unsigned count;
	const char *text; /* what the refusal says */
};

static void expect_edits_refused(const struct edit *edits, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct edit *e = &edits[i];
		void *fdt = editable_tree();

		if (e->string)
			set_string(fdt, e->path, e->prop, e->string);
		else if (e->count)
			set_cells(fdt, e->path, e->prop, e->cells, e->count);
		else
			assert_int_equal(fdt_delprop(fdt, node_at(fdt, e->path), e->prop), 0);
		expect_tree_refused(fdt, e->text);
		free(fdt);
	}
}

static void properties_of_the_root_are_checked(void **state)
{
	static const struct edit edits[] = {
		{"/",
		 "compatible",
		 "acme,machine",
		 {0},
		 0,
		 "/: compatible is not \"sipi,machine\""},
		{"/", "compatible", NULL, {0}, 0, "/: compatible is not \"sipi,machine\""},
		{"/", "compatible", NULL, {0x41414141}, 1, "/: compatible is not a list"},
		{"/", "#address-cells", NULL, {1}, 1, "/: #address-cells is 1; expected 2"},
		{"/", "#size-cells", NULL, {0}, 0, "/: #size-cells is missing"},
		{"/", "#size-cells", NULL, {2, 2}, 2, "/: #size-cells has 8 bytes; expected 4"},
		{"/chosen",
		 "bootargs",
		 NULL,
		 {0x41414141},
		 1,
		 "/chosen: bootargs is not one string"},
		{"/chosen",
		 "bootargs",
		 NULL,
		 {0x41004100},
		 1,
		 "/chosen: bootargs is not one string"},
		{"/chosen", "status", "perhaps", {0}, 0, "/chosen: status is neither"},
	};

	(void)state;
	expect_edits_refused(edits, COUNT(edits));
}

static void properties_of_cpus_are_checked(void **state)
{
	static const struct edit edits[] = {
		{"/cpus", "#address-cells", NULL, {2}, 1, "/cpus: #address-cells is 2; expected 1"},
		{"/cpus", "#size-cells", NULL, {1}, 1, "/cpus: #size-cells is 1; expected 0"},
		{"/cpus/cpu@1", "reg", NULL, {0}, 0, "/cpus/cpu@1: reg is missing"},
		{"/cpus/cpu@1", "reg", NULL, {1, 1}, 2, "/cpus/cpu@1: reg has 8 bytes"},
		{"/cpus/cpu@1", "reg", NULL, {0xffffffff}, 1, "/cpus/cpu@1: reg: the APIC ID"},
		{"/cpus/cpu@1", "reg", NULL, {0}, 1, "/cpus: two CPUs have the APIC ID 0"},
		{"/cpus/cpu@1", "device_type", "memory", {0}, 0, "/cpus/cpu@1: device_type"},
		{"/cpus/cpu@1", "status", "fail", {0}, 0, "/cpus/cpu@1: status is neither"},
		{"/cpus/cpu@0", "status", "disabled", {0}, 0, "/cpus: has no enabled CPU"},
	};

	(void)state;
	expect_edits_refused(edits, COUNT(edits));
}

/* Only whole layouts of struct ram: 0-640 KiB, 1 MiB up to 3 GiB, the rest from 4 GiB. */
static void memory_of_another_layout_is_refused(void **state)
{
	static const struct edit edits[] = {
		{"/memory@0", "device_type", "ram", {0}, 0, "/memory@0: device_type"},
		{"/memory@0", "reg", NULL, {0}, 0, "/memory@0: reg is missing"},
		{"/memory@0", "reg", NULL, {0, 0, 0}, 3, "/memory@0: reg has 12 bytes"},
		{"/memory@0", "reg", NULL, {0, 0, 0, 0x4000000}, 4, "/memory@0: reg has 16 bytes"},
		{"/memory@0",
		 "reg",
		 NULL,
		 {0, 0, 0, 0x9f000, 0, 0x100000, 0, 0x100000},
		 8,
		 "/memory@0: reg is not"},
		{"/memory@0",
		 "reg",
		 NULL,
		 {0, 0, 0, 0xa0000, 0, 0x200000, 0, 0x100000},
		 8,
		 "/memory@0: reg is not"},
		{"/memory@0",
		 "reg",
		 NULL,
		 {0, 0, 0, 0xa0000, 0, 0x100000, 0, 0xc0000000},
		 8,
		 "/memory@0: reg is not"},
		{"/memory@0",
		 "reg",
		 NULL,
		 {0, 0, 0, 0xa0000, 0, 0x100000, 0, 0},
		 8,
		 "/memory: 1048576 bytes"},
		{"/memory@0",
		 "reg",
		 NULL,
		 {0, 0, 0, 0xa0000, 0, 0x100000, 0, 0x100800},
		 8,
		 "/memory: 2099200 bytes"},
		{"/memory@0",
		 "reg",
		 NULL,
		 {0, 0, 0, 0xa0000, 0, 0x100000, 0, 0x100000, 1, 0, 0, 0x100000},
		 12,
		 "/memory@0: reg is not"},
		{"/memory@0",
		 "reg",
		 NULL,
		 {0, 0, 0, 0xa0000, 0, 0x100000, 0, 0xbff00000, 1, 0, 0x100, 0},
		 12,
		 "/memory: 1102732853248 bytes"},
		{"/memory@0",
		 "reg",
		 NULL,
		 {0, 0, 0, 0xa0000, 0, 0x100000, 0, 0xbff00000, 1, 0, ~0u, ~0u},
		 12,
		 "/memory@0: reg gives more than 1 TiB"},
	};

	(void)state;
	expect_edits_refused(edits, COUNT(edits));
}

static void properties_of_the_bus_and_the_apics_are_checked(void **state)
{
	static const struct edit edits[] = {
		{"/ioapic@fec00000",
		 "reg",
		 NULL,
		 {0, 0xfec01000, 0, 0x1000},
		 4,
		 "/ioapic@fec00000: reg is not <0 0xfec00000 0 0x1000>"},
		{"/lapic@fee00000",
		 "reg",
		 NULL,
		 {0, 0xfee00000, 0, 0x2000},
		 4,
		 "/lapic@fee00000: reg is not"},
		{"/ioapic@fec00000",
		 "#interrupt-cells",
		 NULL,
		 {1},
		 1,
		 "/ioapic@fec00000: #interrupt-cells is 1"},
		{"/ioapic@fec00000",
		 "phandle",
		 NULL,
		 {0},
		 0,
		 "/ioapic@fec00000: phandle is missing"},
		{"/ioapic@fec00000",
		 "status",
		 "disabled",
		 {0},
		 0,
		 "/: intel,ce4100-ioapic is missing"},
		{"/ioapic@fec00000",
		 "compatible",
		 "acme,pic",
		 {0},
		 0,
		 "/ioapic@fec00000: this machine has no such device"},
		{"/lapic@fee00000",
		 "compatible",
		 "intel,ce4100-ioapic",
		 {0},
		 0,
		 "/lapic@fee00000: intel,ce4100-ioapic is given twice"},
		{"/isa@i0", "#address-cells", NULL, {1}, 1, "/isa@i0: #address-cells"},
		{"/isa@i0", "#size-cells", NULL, {2}, 1, "/isa@i0: #size-cells"},
		{"/isa@i0", "ranges", NULL, {0}, 0, "/isa@i0: ranges is missing"},
		{"/isa@i0",
		 "ranges",
		 NULL,
		 {1, 0, 0, 0x1000, 0x10000},
		 5,
		 "/isa@i0: ranges is not"},
		{"/",
		 "interrupt-parent",
		 NULL,
		 {0},
		 0,
		 "/isa@i0/serial@i3f8: interrupt-parent is missing"},
		{"/", "interrupt-parent", NULL, {7}, 1, "/: interrupt-parent is not the IOAPIC"},
		{"/isa@i0", "interrupt-parent", NULL, {7}, 1, "/isa@i0: interrupt-parent is not"},
	};

	(void)state;
	expect_edits_refused(edits, COUNT(edits));
}

#define SERIAL	"/isa@i0/serial@i3f8"
#define HOTPLUG "/isa@i0/cpu-hotplug@i2100"

static void properties_of_devices_are_checked(void **state)
{
	static const struct edit edits[] = {
		{SERIAL,
		 "compatible",
		 "acme,uart",
		 {0},
		 0,
		 SERIAL ": this machine has no such device"},
		{SERIAL, "compatible", NULL, {0}, 0, SERIAL ": this machine has no such device"},
		{SERIAL,
		 "compatible",
		 "sipi,post",
		 {0},
		 0,
		 SERIAL ": reg: range 0 is not 1 I/O ports"},
		{SERIAL, "reg", NULL, {0}, 0, SERIAL ": reg is missing"},
		{SERIAL, "reg", NULL, {0, 0x3f8, 8}, 3, SERIAL ": reg: range 0 is not 8 I/O ports"},
		{SERIAL, "reg", NULL, {1, 0x3f8, 7}, 3, SERIAL ": reg: range 0 is not 8 I/O ports"},
		{SERIAL, "reg", NULL, {1, 0, 8}, 3, SERIAL ": reg: port 0x0 is not within"},
		{SERIAL,
		 "reg",
		 NULL,
		 {1, 0x10000, 8},
		 3,
		 SERIAL ": reg: port 0x10000 is not within"},
		{SERIAL,
		 "reg",
		 NULL,
		 {1, 0xfff9, 8},
		 3,
		 "/isa@i0/serial@ifff9: runs past port 0xffff"},
		{SERIAL, "interrupts", NULL, {0}, 0, SERIAL ": interrupts is missing"},
		{SERIAL, "interrupts", NULL, {4}, 1, SERIAL ": interrupts has 4 bytes"},
		{SERIAL, "interrupts", NULL, {24, 3}, 2, SERIAL ": GSI 24; the IOAPIC has pins 0"},
		{SERIAL,
		 "interrupts",
		 NULL,
		 {260, 3},
		 2,
		 SERIAL ": interrupts: it cannot have GSI 260"},
		{SERIAL, "interrupts", NULL, {4, 1}, 2, SERIAL ": interrupts: sense 1 is not 3"},
		{SERIAL, "interrupts", NULL, {0, 3}, 2, SERIAL ": GSI 0 is taken by the PIT"},
		{SERIAL, "interrupts", NULL, {2, 3}, 2, SERIAL ": GSI 2 is taken by the PIT"},
		{SERIAL, "interrupts", NULL, {8, 3}, 2, "GSI 8 is taken by"},
		{SERIAL, "interrupts", NULL, {1, 3}, 2, "GSI 1 is taken by"},
		{SERIAL, "interrupt-parent", NULL, {9}, 1, SERIAL ": interrupt-parent is not"},
		{SERIAL, "clock-frequency", NULL, {1}, 1, SERIAL ": clock-frequency is 1"},
		{"/isa@i0/post@i80",
		 "interrupts",
		 NULL,
		 {5, 3},
		 2,
		 "/isa@i0/post@i80: interrupts: this device has none"},
		{"/isa@i0/keyboard-controller@i60",
		 "interrupts",
		 NULL,
		 {12, 3},
		 2,
		 "/isa@i0/keyboard-controller@i60: interrupts: it cannot have GSI 12"},
		{"/isa@i0/keyboard-controller@i60",
		 "reg",
		 NULL,
		 {1, 0x60, 1, 1, 0x65, 1},
		 6,
		 "/isa@i0/keyboard-controller@i60: reg: range 1 is not 1 I/O ports (1) at 0x64"},
		{HOTPLUG, "reg", NULL, {1, 0x2100, 8}, 3, HOTPLUG ": reg: range 0 is not 12 I/O"},
		{HOTPLUG, "interrupts", NULL, {0}, 0, HOTPLUG ": interrupts is missing"},
		{HOTPLUG, "interrupts", NULL, {4, 3}, 2, HOTPLUG ": GSI 4 is taken by serial"},
		{HOTPLUG, "interrupts", NULL, {24, 3}, 2, HOTPLUG ": GSI 24; the IOAPIC has pins"},
		{"/isa@i0/post@i80",
		 "compatible",
		 "sipi,debug-exit",
		 {0},
		 0,
		 "/isa@i0/post@i80: a second \"sipi,debug-exit\""},
	};

	(void)state;
	expect_edits_refused(edits, COUNT(edits));
}

static void nodes_that_must_be_there_are_missed(void **state)
{
	static const char *const nodes[][2] = {
		{"/cpus", "/: /cpus is missing"},
		{"/memory@0", "/: /memory is missing"},
		{"/ioapic@fec00000", "/: intel,ce4100-ioapic is missing"},
		{"/lapic@fee00000", "/: intel,ce4100-lapic is missing"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(nodes); i++) {
		void *fdt = editable_tree();

		assert_int_equal(fdt_del_node(fdt, node_at(fdt, nodes[i][0])), 0);
		expect_tree_refused(fdt, nodes[i][1]);
		free(fdt);
	}
}

static void nodes_that_are_too_many_are_named(void **state)
{
	static const char *const nodes[][3] = {
		{"/", "memory@100000", "/memory@0: /memory is given twice"},
		{"/", "isa@1", "/isa@i0: /isa is given twice"},
		{"/cpus", "cache", "/cpus/cache: is no CPU"},
		{"/cpus", "cpu@7", "/cpus/cpu@7: device_type"},
		{"/isa@i0", "mouse", "/isa@i0/mouse: this machine has no such device"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(nodes); i++) {
		void *fdt = editable_tree();

		assert_true(fdt_add_subnode(fdt, node_at(fdt, nodes[i][0]), nodes[i][1]) > 0);
		expect_tree_refused(fdt, nodes[i][2]);
		free(fdt);
	}
}

static void property_given_twice_is_refused(void **state)
{
	void *fdt = editable_tree();
	char *strings = (char *)fdt;
	size_t size;

	(void)state;
	/* libfdt will not write one; so a second name is turned into the first in the strings. */
	set_string(fdt, "/cpus/cpu@0", "statuX", "okay");
	size = fdt_totalsize(fdt);
	for (size_t i = 0; i + 7 <= size; i++)
		if (!memcmp(strings + i, "statuX", 7))
			strings[i + 5] = 's';
	expect_tree_refused(fdt, "/cpus/cpu@0: status is given twice");
	free(fdt);
}

static void names_are_made_fit_for_a_terminal(void **state)
{
	void *fdt = editable_tree();

	(void)state;
	assert_true(fdt_add_subnode(fdt, node_at(fdt, "/cpus"), "\x1b[2J\n") > 0);
	expect_tree_refused(fdt, "/cpus/?[2J?: is no CPU");
	free(fdt);
}

static void trees_of_more_than_4096_cpus_are_refused(void **state)
{
	size_t len, room;
	struct error err;
	struct board b;
	void *blob, *fdt;

	(void)state;
	many_cpus(&b, BOARD_CPUS_MAX);
	assert_int_equal(board_to_fdt(&b, &blob, &len, &err), 0);
	board_free(&b);
	room = len + 256;
	fdt = malloc(room);
	assert_non_null(fdt);
	assert_int_equal(fdt_open_into(blob, fdt, (int)room), 0);
	assert_true(fdt_add_subnode(fdt, node_at(fdt, "/cpus"), "cpu@9999") > 0);
	set_string(fdt, "/cpus/cpu@9999", "device_type", "cpu");
	set_cells(fdt, "/cpus/cpu@9999", "reg", (const uint32_t[]){0x9999}, 1);
	expect_tree_refused(fdt, "/cpus: has more than 4096 CPUs");
	free(blob);
	free(fdt);
}

static void broken_blobs_are_refused_at_every_length(void **state)
{
	void *fdt = editable_tree();
	struct error err;
	struct board b;

	(void)state;
	assert_int_equal(fdt_pack(fdt), 0);
	for (size_t len = 0; len < fdt_totalsize(fdt); len++) {
		/* Of just that size, so that a read past its end is seen. */
		void *part = malloc(len ? len : 1);

		assert_non_null(part);
		memcpy(part, fdt, len);
		assert_int_equal(board_from_fdt(&b, part, len, &err), -1);
		assert_non_null(strstr(err.text, "(FDT_ERR_"));
		free(part);
	}
	((uint8_t *)fdt)[0] = 0;
	expect_tree_refused(fdt, "FDT_ERR_BADMAGIC");
	free(fdt);
}

TEST_MAIN(cmocka_unit_test(properties_of_the_root_are_checked),
	  cmocka_unit_test(properties_of_cpus_are_checked),
	  cmocka_unit_test(memory_of_another_layout_is_refused),
	  cmocka_unit_test(properties_of_the_bus_and_the_apics_are_checked),
	  cmocka_unit_test(properties_of_devices_are_checked),
	  cmocka_unit_test(nodes_that_must_be_there_are_missed),
	  cmocka_unit_test(nodes_that_are_too_many_are_named),
	  cmocka_unit_test(property_given_twice_is_refused),
	  cmocka_unit_test(names_are_made_fit_for_a_terminal),
	  cmocka_unit_test(trees_of_more_than_4096_cpus_are_refused),
	  cmocka_unit_test(broken_blobs_are_refused_at_every_length))

// SPDX-License-Identifier: MIT
/* The boot information of Multiboot 0.6.96, chapter 3.3, read back by its offsets. */
#include <stdlib.h>
#include <string.h>

#include "boot/multiboot.h"
#include "test.h"

#define MIB  (1ull << 20)
#define GIB  (1ull << 30)
#define INFO 0x180000
#define FDT  0x1c0000

static uint32_t word(const struct ram *ram, uint64_t gpa)
{
	uint32_t v;
	const void *at = ram_ptr(ram, gpa, sizeof(v));

	assert_non_null(at);
	memcpy(&v, at, sizeof(v));
	return v;
}

static uint64_t wide(const struct ram *ram, uint64_t gpa)
{
	return word(ram, gpa) | (uint64_t)word(ram, gpa + 4) << 32;
}

static void write_info(struct ram *ram, const char *cmdline)
{
	struct multiboot_facts facts = {.cmdline = cmdline,
					.fdt_gpa = FDT,
					.fdt_len = 0x1234,
					.info_gpa = INFO,
					.info_max = multiboot_info_size(ram, cmdline)};
	struct error err;

	if (multiboot_info_write(ram, &facts, &err))
		fail_msg("%s", err.text);
}

/* Only the first 2 MiB have memory behind them; nothing else is touched. */
static struct ram make_ram(uint64_t size)
{
	struct ram ram = ram_layout(size);

	ram.host = malloc(2 * MIB);
	memset(ram.host, 0xee, 2 * MIB);
	return ram;
}

static void information_stands_at_the_offsets_of_the_specification(void **state)
{
	struct ram ram = make_ram(2 * MIB);
	uint32_t mods;

	(void)state;
	write_info(&ram, "one two");
	assert_int_equal(word(&ram, INFO), 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	assert_int_equal(word(&ram, INFO + 4), 640);
	assert_int_equal(word(&ram, INFO + 8), 1024);
	assert_string_equal(ram_ptr(&ram, word(&ram, INFO + 16), 8), "one two");
	assert_string_equal(ram_ptr(&ram, word(&ram, INFO + 64), 5), "sipi");
	assert_int_equal(word(&ram, INFO + 20), 1);
	mods = word(&ram, INFO + 24);
	assert_int_equal(word(&ram, mods), FDT);
	assert_int_equal(word(&ram, mods + 4), FDT + 0x1234);
	assert_string_equal(ram_ptr(&ram, word(&ram, mods + 8), 12), "device-tree");
	assert_int_equal(word(&ram, mods + 12), 0);
	free(ram.host);
}

static void expect_map(uint64_t size, unsigned count, const uint64_t want[][2])
{
	struct ram ram = make_ram(size);
	uint64_t at, end;

	write_info(&ram, "");
	at = word(&ram, INFO + 48);
	end = at + word(&ram, INFO + 44);
	for (unsigned i = 0; i < count; i++) {
		assert_true(at < end);
		assert_int_equal(word(&ram, at), 20);
		assert_int_equal(wide(&ram, at + 4), want[i][0]);
		assert_int_equal(wide(&ram, at + 12), want[i][1]);
		assert_int_equal(word(&ram, at + 20), 1);
		at += word(&ram, at) + 4;
	}
	assert_int_equal(at, end);
	free(ram.host);
}

static void memory_map_has_ram_around_the_holes(void **state)
{
	const uint64_t small[][2] = {{0, 0xa0000}, {MIB, MIB}};
	const uint64_t large[][2] = {{0, 0xa0000}, {MIB, 3 * GIB - MIB}, {4 * GIB, 5 * GIB}};

	(void)state;
	expect_map(2 * MIB, 2, small);
	expect_map(8 * GIB, 3, large);
}

/* mem_upper is what lies up to the first hole (3.3), not all of it. */
static void upper_memory_ends_at_the_pci_hole(void **state)
{
	struct ram ram = make_ram(8 * GIB);

	(void)state;
	write_info(&ram, "");
	assert_int_equal(word(&ram, INFO + 8), (3 * GIB - MIB) / 1024);
	free(ram.host);
}

static void nothing_is_written_outside_the_room(void **state)
{
	struct ram ram = make_ram(2 * MIB);
	uint64_t size = multiboot_info_size(&ram, "args");

	(void)state;
	write_info(&ram, "args");
	for (uint64_t i = 0; i < 2 * MIB; i++)
		if ((i < INFO || i >= INFO + size) && ram.host[i] != 0xee)
			fail_msg("0x%x was written", (unsigned)i);
	assert_int_not_equal(ram.host[INFO + size - 2], 0xee);
	free(ram.host);
}

static void expect_refused(const struct multiboot_facts *facts, const char *text)
{
	struct ram ram = make_ram(2 * MIB);
	struct error err;

	assert_int_equal(multiboot_info_write(&ram, facts, &err), -1);
	assert_int_equal(err.code, EXIT_SETUP);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
	for (uint64_t i = 0; i < 2 * MIB; i++)
		assert_int_equal(ram.host[i], 0xee);
	free(ram.host);
}

static void what_does_not_fit_is_refused(void **state)
{
	const struct multiboot_facts good = {.cmdline = "args",
					     .fdt_gpa = FDT,
					     .fdt_len = 64,
					     .info_gpa = INFO,
					     .info_max = 4096};
	const struct ram ram = ram_layout(2 * MIB);
	struct multiboot_facts f = good;

	(void)state;
	f.info_max = multiboot_info_size(&ram, "args") - 1;
	expect_refused(&f, "command line does not fit");
	f = good;
	f.info_gpa = 2 * MIB - 16;
	expect_refused(&f, "information at 0x1ffff0 is not in RAM");
	f = good;
	f.fdt_gpa = 2 * MIB;
	expect_refused(&f, "device tree at 0x200000 is not");
	/* 3.1.2, flag 0: modules are page-aligned for a guest that asks for it. */
	f.fdt_gpa = FDT + 8;
	expect_refused(&f, "device tree at 0x1c0008 is not in whole pages");
}

TEST_MAIN(cmocka_unit_test(information_stands_at_the_offsets_of_the_specification),
	  cmocka_unit_test(memory_map_has_ram_around_the_holes),
	  cmocka_unit_test(upper_memory_ends_at_the_pci_hole),
	  cmocka_unit_test(nothing_is_written_outside_the_room),
	  cmocka_unit_test(what_does_not_fit_is_refused))

// SPDX-License-Identifier: MIT
/* What is an image, where it is loaded and how it is entered. */
#include <stdlib.h>

#include "image_rig.h"

static const struct made_seg one = {MIB, MIB, 0x100, 0x200};

static void elf64_is_entered_in_long_mode(void **state)
{
	struct made m;

	(void)state;
	made_elf64(&m, MIB + 0x10, &one, 1);
	expect_image(&m, NULL, IMAGE_ELF64, ENTRY_LONG, MIB + 0x10);
}

static void elf32_is_entered_in_protected_mode(void **state)
{
	struct made m;

	(void)state;
	made_elf32(&m, MIB, &one, 1);
	expect_image(&m, NULL, IMAGE_ELF32, ENTRY_PROTECTED, MIB);
}

/* gABI chapter 4: e_entry is virtual; chapter 5: p_paddr is where it is loaded. */
static void virtual_entry_of_a_high_kernel_becomes_physical(void **state)
{
	const struct made_seg high = {2 * MIB, 0xffffffff80000000, 0x100, 0x100};
	struct made m;

	(void)state;
	made_elf64(&m, high.vaddr + 0x20, &high, 1);
	expect_image(&m, NULL, IMAGE_ELF64, ENTRY_LONG, 2 * MIB + 0x20);
	/* A linker script may give the physical one; no segment has it as a virtual address. */
	made_elf64(&m, 2 * MIB + 0x20, &high, 1);
	expect_image(&m, NULL, IMAGE_ELF64, ENTRY_LONG, 2 * MIB + 0x20);
}

static void entry_must_lie_in_bytes_of_the_file(void **state)
{
	struct made m;

	(void)state;
	made_elf64(&m, MIB + 0xff, &one, 1);
	expect_image(&m, NULL, IMAGE_ELF64, ENTRY_LONG, MIB + 0xff);
	made_elf64(&m, MIB + 0x100, &one, 1); /* in its bss */
	expect_refused(&m, "entry point 0x100100 lies in no loaded segment");
	made_elf64(&m, 0, &one, 1);
	expect_refused(&m, "entry point 0x0 lies in no loaded segment");
}

/* Multiboot 0.6.96, 3.1.1: 4-byte aligned, completely within the first 8192 bytes. */
static void multiboot_header_makes_an_elf32_multiboot(void **state)
{
	struct made m;

	(void)state;
	made_elf32(&m, MIB, &one, 1);
	made_multiboot(&m, 0x200, 3, NULL);
	expect_image(&m, NULL, IMAGE_MULTIBOOT, ENTRY_PROTECTED, MIB);
	made_elf32(&m, MIB, &one, 1);
	made_multiboot(&m, 8192 - 12, 3, NULL);
	expect_image(&m, NULL, IMAGE_MULTIBOOT, ENTRY_PROTECTED, MIB);
}

static void what_is_no_multiboot_header_does_not_count(void **state)
{
	struct made m;

	(void)state;
	made_elf32(&m, MIB, &one, 1);
	made_multiboot(&m, 8192 - 8, 0, NULL);
	expect_image(&m, NULL, IMAGE_ELF32, ENTRY_PROTECTED, MIB);
	made_elf32(&m, MIB, &one, 1);
	made_multiboot(&m, 0x202, 0, NULL);
	expect_image(&m, NULL, IMAGE_ELF32, ENTRY_PROTECTED, MIB);
	made_elf32(&m, MIB, &one, 1);
	made_multiboot(&m, 0x200, 0, NULL);
	m.data[0x208]++; /* the checksum */
	expect_image(&m, NULL, IMAGE_ELF32, ENTRY_PROTECTED, MIB);
}

/* Multiboot 0.6.96, 3.1.2: what cannot be fulfilled must be refused, optional flags may be ignored. */
static void multiboot_flags_that_cannot_be_fulfilled_are_named(void **state)
{
	struct made m;

	(void)state;
	made_elf32(&m, MIB, &one, 1);
	made_multiboot(&m, 0x200, 0x20, NULL);
	expect_refused(&m, "requires flag 5");
	made_multiboot(&m, 0x200, 4, NULL);
	expect_refused(&m, "video mode (flag 2)");
	made_multiboot(&m, 0x200, 0x20000, NULL);
	expect_image(&m, NULL, IMAGE_MULTIBOOT, ENTRY_PROTECTED, MIB);
}

static void multiboot_in_elf64_needs_address_fields(void **state)
{
	const uint32_t fields[5] = {MIB + 0x200, MIB, 0, 0, MIB + 0x40};
	struct made m;

	(void)state;
	made_elf64(&m, MIB, &one, 1);
	made_multiboot(&m, 0x200, 3, NULL);
	expect_refused(&m, "link it as ELF32");
	made_multiboot(&m, 0x200, 0x10003, fields);
	expect_image(&m, NULL, IMAGE_MULTIBOOT, ENTRY_PROTECTED, MIB + 0x40);
}

/* Multiboot 0.6.96, 3.1.3. */
static void multiboot_address_fields_say_what_is_loaded_where(void **state)
{
	const uint32_t fields[5] = {MIB + 0x20, MIB, MIB + 0x180, MIB + 0x400, MIB + 0x44};
	const uint32_t to_the_end[5] = {MIB + 0x20, MIB, 0, 0, MIB + 0x44};
	struct made m = {.size = 0x200};
	struct image img;
	struct error err;

	(void)state;
	made_multiboot(&m, 0x40, 0x10000, fields);
	assert_int_equal(made_open(&img, &m, NULL, 64 * MIB, &err), 0);
	assert_int_equal(img.segs, 1);
	assert_int_equal(img.seg[0].gpa, MIB);
	assert_int_equal(img.seg[0].file_offset, 0x20);
	assert_int_equal(img.seg[0].file_size, 0x180);
	assert_int_equal(img.seg[0].mem_size, 0x400);
	assert_int_equal(img.end, MIB + 0x400);
	assert_int_equal(img.entry, MIB + 0x44);
	image_close(&img);
	made_multiboot(&m, 0x40, 0x10000, to_the_end);
	assert_int_equal(made_open(&img, &m, NULL, 64 * MIB, &err), 0);
	assert_int_equal(img.seg[0].file_size, 0x200 - 0x20);
	assert_int_equal(img.seg[0].mem_size, 0x200 - 0x20);
	image_close(&img);
}

static void multiboot_address_fields_out_of_range_are_refused(void **state)
{
	static const struct {
		uint32_t fields[5];
		const char *text;
	} bad[] = {
		{{MIB, MIB + 4, 0, 0, MIB}, "load_addr"},
		{{MIB + 0x44, MIB, 0, 0, MIB}, "load_addr"},
		{{MIB, MIB, MIB, 0, MIB}, "load_end_addr"},
		{{MIB, MIB, MIB + 0x1000, 0, MIB}, "truncated"},
		{{MIB, MIB, MIB + 0x100, MIB + 0xff, MIB}, "bss_end_addr"},
		{{MIB, MIB, 0, 0, MIB + 0x1c0}, "entry point"},
		{{0xa0000, 0xa0000, 0, 0, 0xa0000}, "0xa0000-0xfffff"},
		{{MIB, MIB, 0, 0xffffffff, MIB}, "0xc0000000"},
	};
	struct made m = {.size = 0x200};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		made_multiboot(&m, 0x40, 0x10000, bad[i].fields);
		expect_refused(&m, bad[i].text);
	}
	made_multiboot(&m, 0x40, 0, NULL);
	expect_refused(&m, "address fields (flag 16)");
}

static void flat_binaries_load_by_mode_or_as_told(void **state)
{
	struct image_options opt = {.have_mode = true, .mode = ENTRY_REAL};
	struct made m = {.size = 0x200};

	(void)state;
	expect_image(&m, &opt, IMAGE_FLAT, ENTRY_REAL, 0x7c00);
	opt.mode = ENTRY_PROTECTED;
	expect_image(&m, &opt, IMAGE_FLAT, ENTRY_PROTECTED, MIB);
	opt = (struct image_options){.have_load = true, .load = 3 * MIB};
	expect_image(&m, &opt, IMAGE_FLAT, ENTRY_LONG, 3 * MIB);
	opt.have_entry = true;
	opt.entry = 3 * MIB + 0x10;
	expect_image(&m, &opt, IMAGE_FLAT, ENTRY_LONG, 3 * MIB + 0x10);
	opt.entry = 3 * MIB + 0x200;
	expect_refused_with(&m, &opt, 64 * MIB, "entry point 0x300200");
}

/* A real-mode CS:IP reaches 1 MiB (SDM vol. 3, 21.1.1); the firmware maps 4 GiB. */
static void entry_must_be_reachable_in_its_mode(void **state)
{
	struct image_options opt = {
		.have_mode = true, .mode = ENTRY_REAL, .have_load = true, .load = MIB};
	struct made m = {.size = 0x200};

	(void)state;
	expect_refused_with(&m, &opt, 64 * MIB, "above 1 MiB");
	opt = (struct image_options){.have_load = true, .load = RAM_HIGH_BASE};
	expect_refused_with(&m, &opt, 4096 * MIB, "above 4 GiB");
}

static void options_for_flat_binaries_do_not_go_with_elf(void **state)
{
	const struct image_options mode = {.have_mode = true}, load = {.have_load = true},
				   entry = {.have_entry = true};
	struct made m;

	(void)state;
	made_elf64(&m, MIB, &one, 1);
	expect_refused_with(&m, &mode, 64 * MIB, "for flat binaries");
	expect_refused_with(&m, &load, 64 * MIB, "for flat binaries");
	expect_refused_with(&m, &entry, 64 * MIB, "for flat binaries");
}

static void placing_copies_bytes_zeroes_bss_and_nothing_else(void **state)
{
	const struct made_seg seg[2] = {{0x1000, 0, 0x100, 0x200}, {MIB, 0, 0x80, 0x80}};
	struct ram ram = ram_layout(2 * MIB);
	struct image img;
	struct error err;
	struct made m;

	(void)state;
	ram.host = malloc(ram.size);
	made_elf64(&m, 0x1000, seg, 2);
	assert_int_equal(made_open(&img, &m, NULL, ram.size, &err), 0);
	for (int round = 0; round < 2; round++) {
		/* Twice: a reset finds memory as the guest left it. */
		memset(ram.host, 0xee, ram.size);
		image_place(&img, &ram);
		for (uint64_t i = 0; i < ram.size; i++) {
			unsigned want = 0xee;

			if (i >= 0x1000 && i < 0x1200)
				want = i < 0x1100 ? 1 : 0;
			else if (i >= MIB && i < MIB + 0x80)
				want = 2;
			if (ram.host[i] != want)
				fail_msg("0x%x: 0x%x", (unsigned)i, ram.host[i]);
		}
	}
	image_close(&img);
	free(ram.host);
}

static void mode_names_are_parsed_and_others_are_not(void **state)
{
	(void)state;
	for (int mode = ENTRY_REAL; mode <= ENTRY_LONG; mode++)
		assert_int_equal(entry_mode_parse(entry_mode_name((enum entry_mode)mode)), mode);
	assert_int_equal(entry_mode_parse("Real"), -1);
	assert_int_equal(entry_mode_parse(""), -1);
	assert_string_equal(image_kind_name(IMAGE_MULTIBOOT), "multiboot");
}

TEST_MAIN(cmocka_unit_test(elf64_is_entered_in_long_mode),
	  cmocka_unit_test(elf32_is_entered_in_protected_mode),
	  cmocka_unit_test(virtual_entry_of_a_high_kernel_becomes_physical),
	  cmocka_unit_test(entry_must_lie_in_bytes_of_the_file),
	  cmocka_unit_test(multiboot_header_makes_an_elf32_multiboot),
	  cmocka_unit_test(what_is_no_multiboot_header_does_not_count),
	  cmocka_unit_test(multiboot_flags_that_cannot_be_fulfilled_are_named),
	  cmocka_unit_test(multiboot_in_elf64_needs_address_fields),
	  cmocka_unit_test(multiboot_address_fields_say_what_is_loaded_where),
	  cmocka_unit_test(multiboot_address_fields_out_of_range_are_refused),
	  cmocka_unit_test(flat_binaries_load_by_mode_or_as_told),
	  cmocka_unit_test(entry_must_be_reachable_in_its_mode),
	  cmocka_unit_test(options_for_flat_binaries_do_not_go_with_elf),
	  cmocka_unit_test(placing_copies_bytes_zeroes_bss_and_nothing_else),
	  cmocka_unit_test(mode_names_are_parsed_and_others_are_not))

// SPDX-License-Identifier: MIT
/* What is an image, where it is loaded and entered, and how everything else is refused. */
#include <stdlib.h>
#include <sys/stat.h>

#include "image_rig.h"

static const struct made_seg one = {MIB, MIB, 0x100, 0x200};

static void expect_error(const struct error *err, const char *text)
{
	assert_int_equal(err->code, EXIT_SETUP);
	assert_null(strchr(err->text, '\n'));
	if (!strstr(err->text, text))
		fail_msg("\"%s\" does not say \"%s\"", err->text, text);
}

static void expect_refused_with(const struct made *m, const struct image_options *opt, uint64_t mem,
				const char *text)
{
	struct image img;
	struct error err;

	if (!made_open(&img, m, opt, mem, &err))
		fail_msg("not refused; expected \"%s\"", text);
	expect_error(&err, text);
	assert_null(img.file);
}

static void expect_refused(const struct made *m, const char *text)
{
	expect_refused_with(m, NULL, 64 * MIB, text);
}

static void expect_image(const struct made *m, const struct image_options *opt,
			 enum image_kind kind, enum entry_mode mode, uint64_t entry)
{
	struct image img;
	struct error err;

	if (made_open(&img, m, opt, 64 * MIB, &err))
		fail_msg("refused: %s", err.text);
	assert_int_equal(img.kind, kind);
	assert_int_equal(img.mode, mode);
	assert_int_equal(img.entry, entry);
	image_close(&img);
	assert_null(img.file);
}

/* --- what is entered how */

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

/* --- ELF files that are refused */

static void elf_for_something_else_is_named(void **state)
{
	struct made m;

	(void)state;
	made_elf64(&m, MIB, &one, 1);
	ehdr64(&m)->e_machine = EM_AARCH64;
	expect_refused(&m, "ELF64 file for aarch64");
	ehdr64(&m)->e_machine = EM_386;
	expect_refused(&m, "ELF64 file for i386");
	ehdr64(&m)->e_machine = 0x7777;
	expect_refused(&m, "machine 30583");
	m.data[EI_DATA] = ELFDATA2MSB;
	expect_refused(&m, "big-endian");
	made_elf32(&m, MIB, &one, 1);
	m.data[18] = EM_X86_64;
	expect_refused(&m, "ELF32 file for x86-64");
	m.data[EI_CLASS] = 3;
	expect_refused(&m, "unknown class 3");
}

static void elf_that_is_no_executable_is_named(void **state)
{
	static const struct {
		unsigned type;
		const char *text;
	} types[] = {{ET_DYN, "-no-pie"},
		     {ET_REL, "not linked"},
		     {ET_CORE, "core dump"},
		     {ET_NONE, "type 0"}};
	struct made m;

	(void)state;
	made_elf64(&m, MIB, &one, 1);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		ehdr64(&m)->e_type = (Elf64_Half)types[i].type;
		expect_refused(&m, types[i].text);
	}
	ehdr64(&m)->e_type = ET_EXEC;
	phdr64(&m, 0)->p_type = PT_INTERP;
	expect_refused(&m, "dynamic linker");
	phdr64(&m, 0)->p_type = PT_NOTE;
	expect_refused(&m, "nothing to load");
}

static void truncated_elf_is_refused_at_every_length(void **state)
{
	struct made m;

	(void)state;
	made_elf64(&m, MIB, &one, 1);
	for (m.size = SELFMAG; m.size < CODE + 0x100; m.size++)
		expect_refused(&m, "truncated");
	made_elf32(&m, MIB, &one, 1);
	for (m.size = SELFMAG; m.size < CODE + 0x100; m.size++)
		expect_refused(&m, "truncated");
}

static void program_headers_are_bounded(void **state)
{
	struct made m;

	(void)state;
	made_elf64(&m, MIB, &one, 1);
	ehdr64(&m)->e_phoff = UINT64_MAX - 8;
	expect_refused(&m, "program headers lie past");
	ehdr64(&m)->e_phoff = sizeof(Elf64_Ehdr);
	ehdr64(&m)->e_phnum = 0xffff;
	expect_refused(&m, "program headers lie past");
	ehdr64(&m)->e_phnum = 0;
	expect_refused(&m, "without program headers");
	ehdr64(&m)->e_phnum = 1;
	ehdr64(&m)->e_phentsize = 8;
	expect_refused(&m, "program headers of 8 bytes");
}

static void more_segments_than_fit_are_refused(void **state)
{
	struct made_seg seg[IMAGE_SEGMENTS + 1];
	struct made m;

	(void)state;
	for (unsigned i = 0; i <= IMAGE_SEGMENTS; i++)
		seg[i] = (struct made_seg){MIB + i * 0x100, 0, 0x10, 0x10};
	made_elf64(&m, MIB, seg, IMAGE_SEGMENTS);
	expect_image(&m, NULL, IMAGE_ELF64, ENTRY_LONG, MIB);
	made_elf64(&m, MIB, seg, IMAGE_SEGMENTS + 1);
	expect_refused(&m, "more than 64 segments");
}

/* gABI chapter 5: p_filesz may not be larger than p_memsz. */
static void segment_sizes_are_checked(void **state)
{
	const struct made_seg bigger = {MIB, MIB, 0x100, 0xff};
	const struct made_seg none = {MIB, MIB, 0x100, 0};
	struct made m;

	(void)state;
	made_elf64(&m, MIB, &bigger, 1);
	expect_refused(&m, "more bytes in the file than in memory");
	made_elf64(&m, MIB, &none, 1);
	expect_refused(&m, "more bytes in the file than in memory");
	made_elf64(&m, MIB, &one, 1);
	phdr64(&m, 0)->p_offset = UINT64_MAX;
	expect_refused(&m, "truncated");
}

static void overlapping_segments_are_refused(void **state)
{
	const struct made_seg touch[2] = {{MIB, MIB, 0x100, 0x200},
					  {MIB + 0x200, MIB + 0x200, 0x10, 0x10}};
	const struct made_seg overlap[2] = {{MIB, MIB, 0x100, 0x200},
					    {MIB + 0x1ff, MIB + 0x1ff, 0x10, 0x10}};
	struct made m;

	(void)state;
	made_elf64(&m, MIB, touch, 2);
	expect_image(&m, NULL, IMAGE_ELF64, ENTRY_LONG, MIB);
	made_elf64(&m, MIB, overlap, 2);
	expect_refused(&m, "0x100000 and 0x1001ff overlap");
}

static void segments_outside_ram_say_what_is_needed(void **state)
{
	static const struct {
		struct made_seg seg;
		const char *text;
	} bad[] = {
		{{64 * MIB, 0, 0x10, 0x10},
		 "needs 1 MiB at 0x4000000, the machine has 64 MiB: use --mem 65M"},
		{{63 * MIB, 0, 0x10, MIB + 1}, "use --mem 65M"},
		{{RAM_HIGH_BASE, 0, 0x10, 0x10}, "use --mem 3073M"},
		{{0x9fff0, 0, 0x10, 0x11}, "touches 0xa0000-0xfffff"},
		{{0xfffff, 0, 0x1, 0x1}, "touches 0xa0000-0xfffff"},
		{{0, 0, 0x10, 2 * MIB}, "touches 0xa0000-0xfffff"},
		{{0xbffffff0, 0, 0x10, 0x11}, "touches 0xc0000000-0xffffffff"},
		{{UINT64_MAX - 8, 0, 0x8, 0x10}, "runs past the last address"},
		{{1ull << 62, 0, 0x8, 0x10}, "beyond the largest memory"},
	};
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		made_elf64(&m, bad[i].seg.paddr, &bad[i].seg, 1);
		expect_refused(&m, bad[i].text);
	}
}

/* --- files that are no image */

static void other_files_are_named(void **state)
{
	static const struct {
		size_t at;
		const char *bytes;
		const char *text;
	} files[] = {
		{0, "\x1f\x8b\x08", "a gzip file"},
		{0x202, "HdrS", "a Linux bzImage"},
		{0, "MZ", "a PE/COFF"},
		{0, "\xd0\x0d\xfe\xed", "a device tree blob"},
		{0, "#!/bin/sh", "a script"},
		{510, "\x55\xaa", "a boot sector"},
		{8, "\xd6\x50\x52\xe8", "a multiboot 2 image"},
		{0, "\1\2\3", "plain data"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct made m = {.size = 0x400};

		memcpy(m.data + files[i].at, files[i].bytes, strlen(files[i].bytes));
		expect_refused(&m, files[i].text);
		expect_refused(&m, "expected an ELF or multiboot image, or a flat binary with "
				   "--load ADDR --entry-mode MODE");
	}
}

static void text_is_named(void **state)
{
	struct made m = {.data = "just some words\n", .size = 16};

	(void)state;
	expect_refused(&m, "looks like text");
}

static void paths_that_are_no_file_are_named(void **state)
{
	const struct image_options opt = {0};
	struct ram ram = ram_layout(64 * MIB);
	struct made m = {.size = 0};
	struct image img;
	struct error err;

	(void)state;
	expect_refused(&m, "empty");
	assert_int_equal(image_open(&img, "/", &opt, &ram, &err), -1);
	expect_error(&err, "directory");
	assert_int_equal(image_open(&img, "/dev/null", &opt, &ram, &err), -1);
	expect_error(&err, "not a file");
	assert_int_equal(image_open(&img, "/no/such/image", &opt, &ram, &err), -1);
	expect_error(&err, "/no/such/image: No such file");
}

static void file_larger_than_memory_is_refused(void **state)
{
	const struct image_options opt = {.have_load = true};
	struct ram ram = ram_layout(MIB);
	char path[] = "/tmp/sipi-image-XXXXXX";
	int fd = mkstemp(path);
	struct image img;
	struct error err;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, MIB + 1), 0);
	assert_int_equal(image_open(&img, path, &opt, &ram, &err), -1);
	unlink(path);
	close(fd);
	expect_error(&err, "larger than memory: it has 2 MiB, the machine 1 MiB: use --mem");
}

/* --- placing */

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
	  cmocka_unit_test(elf_for_something_else_is_named),
	  cmocka_unit_test(elf_that_is_no_executable_is_named),
	  cmocka_unit_test(truncated_elf_is_refused_at_every_length),
	  cmocka_unit_test(program_headers_are_bounded),
	  cmocka_unit_test(more_segments_than_fit_are_refused),
	  cmocka_unit_test(segment_sizes_are_checked),
	  cmocka_unit_test(overlapping_segments_are_refused),
	  cmocka_unit_test(segments_outside_ram_say_what_is_needed),
	  cmocka_unit_test(other_files_are_named), cmocka_unit_test(text_is_named),
	  cmocka_unit_test(paths_that_are_no_file_are_named),
	  cmocka_unit_test(file_larger_than_memory_is_refused),
	  cmocka_unit_test(placing_copies_bytes_zeroes_bss_and_nothing_else),
	  cmocka_unit_test(mode_names_are_parsed_and_others_are_not))

// SPDX-License-Identifier: MIT
/* Files that cannot be loaded: each is refused in one line that says what it is or what it needs. */
#include <stdlib.h>

#include "image_rig.h"

static const struct made_seg one = {MIB, MIB, 0x100, 0x200};

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

TEST_MAIN(cmocka_unit_test(elf_for_something_else_is_named),
	  cmocka_unit_test(elf_that_is_no_executable_is_named),
	  cmocka_unit_test(truncated_elf_is_refused_at_every_length),
	  cmocka_unit_test(program_headers_are_bounded),
	  cmocka_unit_test(more_segments_than_fit_are_refused),
	  cmocka_unit_test(segment_sizes_are_checked),
	  cmocka_unit_test(overlapping_segments_are_refused),
	  cmocka_unit_test(segments_outside_ram_say_what_is_needed),
	  cmocka_unit_test(other_files_are_named), cmocka_unit_test(text_is_named),
	  cmocka_unit_test(paths_that_are_no_file_are_named),
	  cmocka_unit_test(file_larger_than_memory_is_refused))

// SPDX-License-Identifier: MIT
/* Flat binaries, and names for the files that are no image at all. */
#include <string.h>

#include "boot/image_internal.h"

#define FLAT_LOAD      0x100000
#define FLAT_LOAD_REAL 0x7c00 /* where a PC BIOS loads a boot sector */

int image_load_flat(struct image *img, const struct image_source *src)
{
	const struct image_options *opt = src->opt;
	struct image_segment seg = {.file_size = img->file_size, .mem_size = img->file_size};

	img->kind = IMAGE_FLAT;
	img->mode = opt->have_mode ? opt->mode : ENTRY_LONG;
	if (opt->have_load)
		seg.gpa = opt->load;
	else
		seg.gpa = img->mode == ENTRY_REAL ? FLAT_LOAD_REAL : FLAT_LOAD;
	if (image_add_segment(img, src, &seg))
		return -1;
	return image_set_entry(img, src, opt->have_entry ? opt->entry : seg.gpa);
}

struct file_magic {
	size_t offset;
	const char *bytes;
	size_t len;
	const char *name;
};

/* In this order: a bzImage with an EFI stub is a PE file and a boot sector as well. */
static const struct file_magic magics[] = {
	{0x202, "HdrS", 4, "a Linux bzImage"},
	{0, "MZ", 2, "a PE/COFF (EFI or Windows) executable"},
	{0, "\x1f\x8b", 2, "a gzip file"},
	{0, "\xfd\x37zXZ", 6, "an xz file"},
	{0, "\x28\xb5\x2f\xfd", 4, "a zstd file"},
	{0, "BZh", 3, "a bzip2 file"},
	{0, "\xd0\x0d\xfe\xed", 4, "a device tree blob"},
	{0, "!<arch>\n", 8, "an archive"},
	{0, "#!", 2, "a script"},
	{0, "QFI\xfb", 4, "a qcow2 disk image"},
	{0x8001, "CD001", 5, "an ISO 9660 CD image"},
	{510, "\x55\xaa", 2, "a boot sector or disk image"},
};

#define MULTIBOOT2_MAGIC 0xe85250d6u
#define MULTIBOOT2_SEARCH                                                                          \
	32768 /* Multiboot2 2.0, 3.1.1: 64-bit aligned in the first 32768 bytes                    \
	       */

static bool has_multiboot2(const uint8_t *file, size_t size)
{
	size_t end = size < MULTIBOOT2_SEARCH ? size : MULTIBOOT2_SEARCH;
	uint32_t word;

	for (size_t at = 0; at + sizeof(word) <= end; at += 8) {
		memcpy(&word, file + at, sizeof(word));
		if (word == MULTIBOOT2_MAGIC)
			return true;
	}
	return false;
}

static bool is_text(const uint8_t *file, size_t size)
{
	size_t end = size < 512 ? size : 512;

	for (size_t i = 0; i < end; i++)
		if ((file[i] < ' ' && !strchr("\t\n\r\f", file[i])) || file[i] == 0 ||
		    file[i] == 0x7f)
			return false;
	return true;
}

const char *image_looks_like(const uint8_t *file, size_t size)
{
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		const struct file_magic *m = &magics[i];

		if (size >= m->offset + m->len && !memcmp(file + m->offset, m->bytes, m->len))
			return m->name;
	}
	if (has_multiboot2(file, size))
		return "a multiboot 2 image";
	if (is_text(file, size))
		return "text";
	return "plain data";
}

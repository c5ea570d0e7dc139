// SPDX-License-Identifier: MIT
#include "boot/image.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "boot/board.h"
#include "boot/image_internal.h"
#include "util/file.h"

#define MIB	       (UINT64_C(1) << 20)
#define PATH_MAX_SHOWN 100

void image_refuse_fill(const struct image_source *src, const char *fmt, ...)
{
	size_t len = strlen(src->path);
	/* A long path must not push the reason out of the line: its end says more than its start.
	 */
	size_t cut = len > PATH_MAX_SHOWN ? len - PATH_MAX_SHOWN : 0;
	char reason[sizeof(src->err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	error_fill(src->err, EXIT_SETUP, "%s%s: %s", cut ? "..." : "", src->path + cut, reason);
}

static uint64_t mib_up(uint64_t bytes)
{
	return bytes / MIB + (bytes % MIB != 0);
}

static int refuse_for_more_ram(const struct image_source *src, uint64_t gpa, uint64_t len)
{
	uint64_t end = gpa + len;
	uint64_t need = end <= RAM_LOW_MAX ? end : RAM_LOW_MAX + (end - RAM_HIGH_BASE);
	uint64_t have = src->ram->size / MIB;

	if (need > BOARD_MEM_MAX)
		return image_refuse(src,
				    "needs %" PRIu64 " MiB at 0x%" PRIx64
				    ", beyond the largest memory that a machine can have",
				    mib_up(len), gpa);
	return image_refuse(src,
			    "needs %" PRIu64 " MiB at 0x%" PRIx64 ", the machine has %" PRIu64
			    " MiB: use --mem %" PRIu64 "M",
			    mib_up(len), gpa, have, mib_up(need));
}

/*
 * The rules of ram_ptr(), with a reason. ram_ptr() itself would do arithmetic on a host address
 * that does not exist yet.
 */
static int check_in_ram(const struct image_source *src, uint64_t gpa, uint64_t len)
{
	const struct ram *ram = src->ram;
	uint64_t end;

	if (__builtin_add_overflow(gpa, len, &end))
		return image_refuse(src, "a segment at 0x%" PRIx64 " runs past the last address",
				    gpa);
	if (gpa < RAM_HOLE_END && end > RAM_HOLE)
		return image_refuse(src,
				    "a segment at 0x%" PRIx64 "-0x%" PRIx64
				    " touches 0xa0000-0xfffff, which is not RAM",
				    gpa, end - 1);
	if (gpa < RAM_HIGH_BASE && end > RAM_LOW_MAX)
		return image_refuse(src,
				    "a segment at 0x%" PRIx64 "-0x%" PRIx64
				    " touches 0xc0000000-0xffffffff, which is not RAM",
				    gpa, end - 1);
	if (gpa < RAM_HIGH_BASE ? end > ram->low : end - RAM_HIGH_BASE > ram->size - ram->low)
		return refuse_for_more_ram(src, gpa, len);
	return 0;
}

static int check_overlap(const struct image *img, const struct image_source *src,
			 const struct image_segment *seg)
{
	for (unsigned i = 0; i < img->segs; i++) {
		const struct image_segment *other = &img->seg[i];

		if (seg->gpa < other->gpa + other->mem_size &&
		    other->gpa < seg->gpa + seg->mem_size)
			return image_refuse(src,
					    "segments at 0x%" PRIx64 " and 0x%" PRIx64 " overlap",
					    other->gpa, seg->gpa);
	}
	return 0;
}

int image_add_segment(struct image *img, const struct image_source *src,
		      const struct image_segment *seg)
{
	if (img->segs == IMAGE_SEGMENTS)
		return image_refuse(src, "has more than %d segments", IMAGE_SEGMENTS);
	if (seg->file_size > seg->mem_size)
		return image_refuse(src,
				    "the segment at 0x%" PRIx64
				    " has more bytes in the file than in memory",
				    seg->gpa);
	if (seg->file_offset > img->file_size || seg->file_size > img->file_size - seg->file_offset)
		return image_refuse(src,
				    "is truncated: the segment at 0x%" PRIx64 " takes %" PRIu64
				    " bytes from offset %" PRIu64 ", the file has %zu",
				    seg->gpa, seg->file_size, seg->file_offset, img->file_size);
	if (check_in_ram(src, seg->gpa, seg->mem_size) || check_overlap(img, src, seg))
		return -1;
	img->seg[img->segs++] = *seg;
	if (img->end < seg->gpa + seg->mem_size)
		img->end = seg->gpa + seg->mem_size;
	return 0;
}

int image_set_entry(struct image *img, const struct image_source *src, uint64_t entry)
{
	bool found = false;

	for (unsigned i = 0; i < img->segs; i++)
		found |=
			entry >= img->seg[i].gpa && entry - img->seg[i].gpa < img->seg[i].file_size;
	if (!found)
		return image_refuse(src, "its entry point 0x%" PRIx64 " lies in no loaded segment",
				    entry);
	if (img->mode == ENTRY_REAL && entry >= MIB)
		return image_refuse(src,
				    "its entry point 0x%" PRIx64
				    " is above 1 MiB, where real mode cannot go",
				    entry);
	/* The firmware's page tables and flat segments end at 4 GiB. */
	if (entry >= RAM_HIGH_BASE)
		return image_refuse(src, "its entry point 0x%" PRIx64 " is above 4 GiB", entry);
	img->entry = entry;
	return 0;
}

/*
 * The file is read, not mapped: somebody who truncates it while the guest runs would give a mapping
 * SIGBUS at the next reset.
 */
static int read_file(struct image *img, const struct image_source *src)
{
	uint64_t max = src->ram->size;
	struct stat st;
	uint8_t *file;

	/* file_read() checks all this again; it cannot say that more memory would help. */
	if (stat(src->path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
		return image_refuse(src,
				    "is larger than memory: it has %" PRIu64
				    " MiB, the machine %" PRIu64 " MiB: use --mem",
				    mib_up((uint64_t)st.st_size), max / MIB);
	if (file_read(src->path, max, &file, &img->file_size, src->err))
		return -1;
	img->file = file;
	return 0;
}

static int refuse_options(const struct image_source *src, const char *what)
{
	return image_refuse(src,
			    "--load, --entry and --entry-mode are for flat binaries; this is %s, "
			    "which says all that itself",
			    what);
}

static int parse_elf(struct image *img, const struct image_source *src)
{
	if (src->opt->have_load || src->opt->have_entry || src->opt->have_mode)
		return refuse_options(src, "an ELF image");
	return image_load_elf(img, src);
}

static int parse(struct image *img, const struct image_source *src)
{
	struct multiboot_header hdr;

	if (image_is_elf(img))
		return parse_elf(img, src);
	if (src->opt->have_load || src->opt->have_mode)
		return image_load_flat(img, src);
	if (image_find_multiboot(img, &hdr)) {
		if (src->opt->have_entry)
			return refuse_options(src, "a multiboot image");
		return image_load_multiboot(img, src, &hdr);
	}
	return image_refuse(src,
			    "looks like %s; expected an ELF or multiboot image, or a flat binary "
			    "with --load ADDR --entry-mode MODE",
			    image_looks_like(img->file, img->file_size));
}

int image_open(struct image *img, const char *path, const struct image_options *opt,
	       const struct ram *ram, struct error *err)
{
	struct image_source src = {.path = path, .opt = opt, .ram = ram, .err = err};

	memset(img, 0, sizeof(*img));
	if (read_file(img, &src) || parse(img, &src)) {
		image_close(img);
		return -1;
	}
	return 0;
}

void image_place(const struct image *img, const struct ram *ram)
{
	for (unsigned i = 0; i < img->segs; i++) {
		const struct image_segment *seg = &img->seg[i];
		uint8_t *to = ram_ptr(ram, seg->gpa, seg->mem_size);

		if (!to)
			continue;
		memcpy(to, img->file + seg->file_offset, seg->file_size);
		memset(to + seg->file_size, 0, seg->mem_size - seg->file_size);
	}
}

void image_close(struct image *img)
{
	free((void *)(uintptr_t)img->file);
	memset(img, 0, sizeof(*img));
}

const char *image_kind_name(enum image_kind kind)
{
	static const char *const names[] = {
		[IMAGE_FLAT] = "flat",
		[IMAGE_ELF32] = "ELF32",
		[IMAGE_ELF64] = "ELF64",
		[IMAGE_MULTIBOOT] = "multiboot",
	};

	return names[kind];
}

static const char *const mode_names[] = {
	[ENTRY_REAL] = "real",
	[ENTRY_PROTECTED] = "protected",
	[ENTRY_LONG] = "long",
};

const char *entry_mode_name(enum entry_mode mode)
{
	return mode_names[mode];
}

int entry_mode_parse(const char *s)
{
	for (int i = 0; i < (int)(sizeof(mode_names) / sizeof(mode_names[0])); i++)
		if (!strcmp(s, mode_names[i]))
			return i;
	return -1;
}

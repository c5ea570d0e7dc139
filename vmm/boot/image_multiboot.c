// SPDX-License-Identifier: MIT
/* The header of a multiboot image: Multiboot 0.6.96, chapter 3.1. */
#include <stddef.h>
#include <string.h>

#include "boot/image_internal.h"

#define HEADER_MAGIC  0x1badb002u
#define HEADER_SEARCH 8192 /* the header lies completely within the first 8192 bytes */
#define MAGIC_FIELDS  12
#define ADDRESSES_END offsetof(struct multiboot_header, offset)

#define FLAG_VIDEO     (1u << 2)
#define FLAGS_REQUIRED 0xffffu
#define FLAGS_KNOWN    0x7u

bool image_find_multiboot(const struct image *img, struct multiboot_header *hdr)
{
	size_t end = img->file_size < HEADER_SEARCH ? img->file_size : HEADER_SEARCH;

	for (size_t at = 0; at + MAGIC_FIELDS <= end; at += 4) {
		memset(hdr, 0, sizeof(*hdr));
		memcpy(hdr, img->file + at, MAGIC_FIELDS);
		if (hdr->magic != HEADER_MAGIC || hdr->magic + hdr->flags + hdr->checksum != 0)
			continue;
		if (hdr->flags & MULTIBOOT_FLAG_ADDRESSES) {
			if (at + ADDRESSES_END > end)
				continue;
			memcpy(hdr, img->file + at, ADDRESSES_END);
		}
		hdr->offset = (uint32_t)at;
		return true;
	}
	return false;
}

/*
 * 3.1.2: a boot loader that cannot fulfil one of the flags 0-15 must say so and fail. Flags 0
 * (aligned modules) and 1 (memory information) are always fulfilled.
 */
int image_check_multiboot(const struct image_source *src, const struct multiboot_header *hdr)
{
	uint32_t unknown = hdr->flags & FLAGS_REQUIRED & ~FLAGS_KNOWN;

	if (unknown)
		return image_refuse(src,
				    "its multiboot header requires flag %d, which is not known "
				    "(flags 0x%08x)",
				    __builtin_ctz(unknown), hdr->flags);
	if (hdr->flags & FLAG_VIDEO)
		return image_refuse(src, "its multiboot header requires a video mode (flag 2), and "
					 "the machine has no display");
	return 0;
}

static int load_by_addresses(struct image *img, const struct image_source *src,
			     const struct multiboot_header *hdr)
{
	struct image_segment seg = {.gpa = hdr->load_addr};
	uint32_t before = hdr->header_addr - hdr->load_addr;

	if (hdr->load_addr > hdr->header_addr || before > hdr->offset)
		return image_refuse(src, "its multiboot load_addr 0x%x lies outside the file",
				    hdr->load_addr);
	seg.file_offset = hdr->offset - before;
	/* 3.1.3: 0 means up to the end of the file, and no bss. */
	seg.file_size = img->file_size - seg.file_offset;
	if (hdr->load_end_addr) {
		if (hdr->load_end_addr <= hdr->load_addr)
			return image_refuse(
				src, "its multiboot load_end_addr 0x%x is not above load_addr",
				hdr->load_end_addr);
		seg.file_size = hdr->load_end_addr - hdr->load_addr;
	}
	seg.mem_size = seg.file_size;
	if (hdr->bss_end_addr) {
		if (hdr->bss_end_addr < seg.gpa + seg.file_size)
			return image_refuse(src,
					    "its multiboot bss_end_addr 0x%x lies within the data",
					    hdr->bss_end_addr);
		seg.mem_size = hdr->bss_end_addr - seg.gpa;
	}
	if (image_add_segment(img, src, &seg))
		return -1;
	return image_set_entry(img, src, hdr->entry_addr);
}

int image_load_multiboot(struct image *img, const struct image_source *src,
			 const struct multiboot_header *hdr)
{
	img->kind = IMAGE_MULTIBOOT;
	img->mode = ENTRY_PROTECTED;
	if (image_check_multiboot(src, hdr))
		return -1;
	if (!(hdr->flags & MULTIBOOT_FLAG_ADDRESSES))
		return image_refuse(src, "has a multiboot header, but neither an ELF header nor "
					 "address fields (flag 16) that say where to load it");
	return load_by_addresses(img, src, hdr);
}

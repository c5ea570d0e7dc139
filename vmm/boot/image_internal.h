/* SPDX-License-Identifier: MIT */
#ifndef SIPI_BOOT_IMAGE_INTERNAL_H
#define SIPI_BOOT_IMAGE_INTERNAL_H

#include "boot/image.h"

/* What the loaders of image_*.c share: where an image comes from and what it is checked against. */
struct image_source {
	const char *path;
	const struct image_options *opt;
	const struct ram *ram;
	struct error *err;
};

/* Sets "PATH: reason" and is -1. */
#define image_refuse(src, ...) (image_refuse_fill((src), __VA_ARGS__), -1)
void image_refuse_fill(const struct image_source *src, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds a segment that lies within the file and in RAM and overlaps no other; mem_size is not 0. */
int image_add_segment(struct image *img, const struct image_source *src,
		      const struct image_segment *seg);
/* Sets the entry point, after all segments were added: it must lie in bytes from the file. */
int image_set_entry(struct image *img, const struct image_source *src, uint64_t entry);

/* Multiboot 0.6.96, 3.1: the header's magic fields and, with flag 16, its address fields. */
#define MULTIBOOT_FLAG_ADDRESSES (1u << 16)

struct multiboot_header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
	uint32_t offset; /* in the file; not part of the header */
};

bool image_find_multiboot(const struct image *img, struct multiboot_header *hdr);
/* Refuses what the header demands and we lack. */
int image_check_multiboot(const struct image_source *src, const struct multiboot_header *hdr);
/* Loads by the header's address fields. */
int image_load_multiboot(struct image *img, const struct image_source *src,
			 const struct multiboot_header *hdr);

bool image_is_elf(const struct image *img);
int image_load_elf(struct image *img, const struct image_source *src);
int image_load_flat(struct image *img, const struct image_source *src);

/* "a gzip file", ...: what a file that is no image looks like. */
const char *image_looks_like(const uint8_t *file, size_t size);

#endif

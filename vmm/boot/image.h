/* SPDX-License-Identifier: MIT */
#ifndef SIPI_BOOT_IMAGE_H
#define SIPI_BOOT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"
#include "util/ram.h"

/* What a guest image is and how its first CPU enters it. */
enum image_kind { IMAGE_FLAT, IMAGE_ELF32, IMAGE_ELF64, IMAGE_MULTIBOOT };

/* The numbers are part of the firmware's hand-off block (firmware/handoff.h). */
enum entry_mode {
	ENTRY_REAL = 0,	     /* 16-bit real mode, CS:IP = (entry & 0xf0000) >> 4 : entry & 0xffff */
	ENTRY_PROTECTED = 1, /* 32-bit flat segments, no paging, interrupts off */
	ENTRY_LONG = 2,	     /* 64-bit, the first 4 GiB mapped 1:1, interrupts off */
};

/* The user's wishes; they matter to flat images only, where nothing else says them. */
struct image_options {
	bool have_load, have_entry, have_mode;
	uint64_t load;	      /* default 0x100000 (0x7c00 for ENTRY_REAL) */
	uint64_t entry;	      /* default: the load address */
	enum entry_mode mode; /* default ENTRY_LONG */
};

struct image_segment {
	uint64_t gpa;
	uint64_t file_offset, file_size; /* copied */
	uint64_t mem_size;		 /* the rest is zeroed */
};

#define IMAGE_SEGMENTS 64

/* A parsed and checked image; the file's bytes stay in memory until image_close(). */
struct image {
	enum image_kind kind;
	enum entry_mode mode;
	uint64_t entry;
	const uint8_t *file; /* owned */
	size_t file_size;
	struct image_segment seg[IMAGE_SEGMENTS];
	unsigned segs;
	uint64_t end; /* first byte after the last segment */
};

/*
 * Opens and checks an image; nothing is copied yet. A file that cannot be one (missing, empty,
 * a directory, truncated, for another machine, segments outside RAM, larger than RAM) is refused
 * with one line that * says what it is and what was expected, EXIT_SETUP. ram gives the layout to
 * check against (ram->host is not touched).
 */
int image_open(struct image *img, const char *path, const struct image_options *opt,
	       const struct ram *ram, struct error *err);
/* Copies the segments into RAM: at power-on and again at each reset. Cannot fail after image_open.
 */
void image_place(const struct image *img, const struct ram *ram);
void image_close(struct image *img);

/* "ELF64", "multiboot", ... and "real", "protected", "long". */
const char *image_kind_name(enum image_kind kind);
const char *entry_mode_name(enum entry_mode mode);
/* "real|protected|long" to enum; -1 if it is none of them. */
int entry_mode_parse(const char *s);

#endif

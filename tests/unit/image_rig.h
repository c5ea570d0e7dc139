/* SPDX-License-Identifier: MIT */
/* Image files made in memory. */
#ifndef SIPI_TESTS_IMAGE_RIG_H
#define SIPI_TESTS_IMAGE_RIG_H

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot/image.h"
#include "test.h"

#define MIB  (1ull << 20)
#define CODE 0x1000 /* where the segments' bytes start in a made ELF file */

struct made {
	uint8_t data[0x9000];
	size_t size;
};

struct made_seg {
	uint64_t paddr, vaddr, file_size, mem_size;
};

/* Segment n is filled with the byte n + 1. */
static inline void made_bytes(struct made *m, uint64_t *offset, unsigned n, uint64_t size)
{
	memset(m->data + *offset, (int)n + 1, size);
	*offset += size;
	m->size = *offset;
}

static inline void made_elf64(struct made *m, uint64_t entry, const struct made_seg *seg,
			      unsigned count)
{
	Elf64_Ehdr h = {.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_entry = entry,
			.e_phoff = sizeof(h),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = (Elf64_Half)count};
	uint64_t offset = CODE;

	memset(m, 0, sizeof(*m));
	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(m->data, &h, sizeof(h));
	for (unsigned i = 0; i < count; i++) {
		Elf64_Phdr p = {.p_type = PT_LOAD,
				.p_offset = offset,
				.p_vaddr = seg[i].vaddr,
				.p_paddr = seg[i].paddr,
				.p_filesz = seg[i].file_size,
				.p_memsz = seg[i].mem_size};

		memcpy(m->data + sizeof(h) + i * sizeof(p), &p, sizeof(p));
		made_bytes(m, &offset, i, seg[i].file_size);
	}
}

static inline void made_elf32(struct made *m, uint32_t entry, const struct made_seg *seg,
			      unsigned count)
{
	Elf32_Ehdr h = {.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_entry = entry,
			.e_phoff = sizeof(h),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = (Elf32_Half)count};
	uint64_t offset = CODE;

	memset(m, 0, sizeof(*m));
	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS32;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(m->data, &h, sizeof(h));
	for (unsigned i = 0; i < count; i++) {
		Elf32_Phdr p = {.p_type = PT_LOAD,
				.p_offset = (uint32_t)offset,
				.p_vaddr = (uint32_t)seg[i].vaddr,
				.p_paddr = (uint32_t)seg[i].paddr,
				.p_filesz = (uint32_t)seg[i].file_size,
				.p_memsz = (uint32_t)seg[i].mem_size};

		memcpy(m->data + sizeof(h) + i * sizeof(p), &p, sizeof(p));
		made_bytes(m, &offset, i, seg[i].file_size);
	}
}

static inline Elf64_Ehdr *ehdr64(struct made *m)
{
	return (Elf64_Ehdr *)(void *)m->data;
}

static inline Elf64_Phdr *phdr64(struct made *m, unsigned n)
{
	return (Elf64_Phdr *)(void *)(m->data + sizeof(Elf64_Ehdr)) + n;
}

/* A multiboot header at a file offset; fields: header_addr, load_addr, load_end, bss_end, entry. */
static inline void made_multiboot(struct made *m, size_t at, uint32_t flags, const uint32_t *fields)
{
	uint32_t hdr[3] = {0x1badb002, flags, 0u - 0x1badb002u - flags};

	memcpy(m->data + at, hdr, sizeof(hdr));
	if (fields)
		memcpy(m->data + at + sizeof(hdr), fields, 5 * sizeof(*fields));
	if (m->size < at + 32)
		m->size = at + 32;
}

/* Writes a file of this content; the path is good until the next call. */
static inline const char *made_path(const struct made *m)
{
	static int fd = -1;
	static char path[64];

	if (fd < 0)
		fd = memfd_create("image", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)m->size), 0);
	assert_int_equal(pwrite(fd, m->data, m->size, 0), m->size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static inline int made_open(struct image *img, const struct made *m,
			    const struct image_options *opt, uint64_t mem, struct error *err)
{
	const struct image_options none = {0};
	struct ram ram = ram_layout(mem);

	return image_open(img, made_path(m), opt ? opt : &none, &ram, err);
}

static inline void expect_error(const struct error *err, const char *text)
{
	assert_int_equal(err->code, EXIT_SETUP);
	assert_null(strchr(err->text, '\n'));
	if (!strstr(err->text, text))
		fail_msg("\"%s\" does not say \"%s\"", err->text, text);
}

static inline void expect_refused_with(const struct made *m, const struct image_options *opt,
				       uint64_t mem, const char *text)
{
	struct image img;
	struct error err;

	if (!made_open(&img, m, opt, mem, &err))
		fail_msg("not refused; expected \"%s\"", text);
	expect_error(&err, text);
	assert_null(img.file);
}

static inline void expect_refused(const struct made *m, const char *text)
{
	expect_refused_with(m, NULL, 64 * MIB, text);
}

static inline void expect_image(const struct made *m, const struct image_options *opt,
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

#endif

// SPDX-License-Identifier: MIT
/* ELF executables: System V ABI, gABI 4.1 chapters 4 and 5. */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "boot/image_internal.h"

/* What we need of either class. */
struct elf {
	bool is64;
	unsigned type, machine;
	uint64_t entry, phoff;
	unsigned phnum, phentsize;
	uint64_t vaddr[IMAGE_SEGMENTS]; /* of image.seg[i] */
};

struct elf_phdr {
	uint32_t type;
	uint64_t vaddr;
	struct image_segment seg;
};

bool image_is_elf(const struct image *img)
{
	return img->file_size >= SELFMAG && !memcmp(img->file, ELFMAG, SELFMAG);
}

static const char *machine_name(unsigned machine)
{
	switch (machine) {
	case EM_AARCH64:
		return "aarch64";
	case EM_ARM:
		return "ARM";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC:
	case EM_PPC64:
		return "PowerPC";
	case EM_MIPS:
		return "MIPS";
	case EM_S390:
		return "s390";
	case EM_386:
		return "i386";
	case EM_X86_64:
		return "x86-64";
	default:
		return "another machine";
	}
}

static int check_type(const struct image_source *src, unsigned type)
{
	switch (type) {
	case ET_EXEC:
		return 0;
	case ET_DYN:
		return image_refuse(src, "is a position-independent ELF file or a shared object; "
					 "link a static one at a fixed address (-static -no-pie)");
	case ET_REL:
		return image_refuse(src, "is an ELF object file that is not linked yet");
	case ET_CORE:
		return image_refuse(src, "is an ELF core dump, not an executable");
	default:
		return image_refuse(src, "is an ELF file of type %u, not an executable", type);
	}
}

static int read_ehdr32(const struct image *img, const struct image_source *src, struct elf *elf)
{
	Elf32_Ehdr h;

	if (img->file_size < sizeof(h))
		return image_refuse(src, "is truncated within its ELF header");
	memcpy(&h, img->file, sizeof(h));
	*elf = (struct elf){.type = h.e_type,
			    .machine = h.e_machine,
			    .entry = h.e_entry,
			    .phoff = h.e_phoff,
			    .phnum = h.e_phnum,
			    .phentsize = h.e_phentsize};
	return 0;
}

static int read_ehdr64(const struct image *img, const struct image_source *src, struct elf *elf)
{
	Elf64_Ehdr h;

	if (img->file_size < sizeof(h))
		return image_refuse(src, "is truncated within its ELF header");
	memcpy(&h, img->file, sizeof(h));
	*elf = (struct elf){.is64 = true,
			    .type = h.e_type,
			    .machine = h.e_machine,
			    .entry = h.e_entry,
			    .phoff = h.e_phoff,
			    .phnum = h.e_phnum,
			    .phentsize = h.e_phentsize};
	return 0;
}

static int read_ehdr(const struct image *img, const struct image_source *src, struct elf *elf)
{
	if (img->file_size < EI_NIDENT)
		return image_refuse(src, "is truncated within its ELF header");
	/* Big-endian first: the fields below would be read the wrong way round. */
	if (img->file[EI_DATA] != ELFDATA2LSB)
		return image_refuse(src, "is a big-endian ELF file; expected i386 or x86-64");
	if (img->file[EI_CLASS] == ELFCLASS32)
		return read_ehdr32(img, src, elf);
	if (img->file[EI_CLASS] == ELFCLASS64)
		return read_ehdr64(img, src, elf);
	return image_refuse(src, "is an ELF file of unknown class %u", img->file[EI_CLASS]);
}

static int check_ehdr(const struct image *img, const struct image_source *src,
		      const struct elf *elf)
{
	unsigned machine = elf->is64 ? EM_X86_64 : EM_386;
	unsigned size = elf->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (elf->machine != machine)
		return image_refuse(src, "is an ELF%s file for %s (machine %u); expected %s",
				    elf->is64 ? "64" : "32", machine_name(elf->machine),
				    elf->machine, machine_name(machine));
	if (check_type(src, elf->type))
		return -1;
	if (elf->phnum == 0)
		return image_refuse(src, "is an ELF file without program headers");
	if (elf->phentsize != size)
		return image_refuse(src, "has ELF program headers of %u bytes; expected %u",
				    elf->phentsize, size);
	if (elf->phoff > img->file_size ||
	    (uint64_t)elf->phnum * size > img->file_size - elf->phoff)
		return image_refuse(src, "is truncated: its ELF program headers lie past its end");
	return 0;
}

static struct elf_phdr read_phdr(const struct image *img, const struct elf *elf, unsigned n)
{
	const uint8_t *at = img->file + elf->phoff + (size_t)n * elf->phentsize;
	Elf32_Phdr p32;
	Elf64_Phdr p64;

	if (!elf->is64) {
		memcpy(&p32, at, sizeof(p32));
		return (struct elf_phdr){p32.p_type,
					 p32.p_vaddr,
					 {p32.p_paddr, p32.p_offset, p32.p_filesz, p32.p_memsz}};
	}
	memcpy(&p64, at, sizeof(p64));
	return (struct elf_phdr){
		p64.p_type, p64.p_vaddr, {p64.p_paddr, p64.p_offset, p64.p_filesz, p64.p_memsz}};
}

static int load_segments(struct image *img, const struct image_source *src, struct elf *elf)
{
	for (unsigned i = 0; i < elf->phnum; i++) {
		struct elf_phdr ph = read_phdr(img, elf, i);

		if (ph.type == PT_INTERP)
			return image_refuse(src, "is a program for an operating system: it asks "
						 "for a dynamic linker");
		if (ph.type != PT_LOAD || (!ph.seg.mem_size && !ph.seg.file_size))
			continue;
		if (image_add_segment(img, src, &ph.seg))
			return -1;
		elf->vaddr[img->segs - 1] = ph.vaddr;
	}
	if (!img->segs)
		return image_refuse(src, "is an ELF file with nothing to load");
	return 0;
}

/*
 * e_entry is a virtual address (gABI chapter 4), and we enter with paging off or 1:1. A kernel that
 * is linked high and loaded low says where by p_paddr; one whose linker script gives a physical
 * entry is in no segment's virtual range and is taken as it is.
 */
static uint64_t physical_entry(const struct image *img, const struct elf *elf)
{
	for (unsigned i = 0; i < img->segs; i++)
		if (elf->entry >= elf->vaddr[i] &&
		    elf->entry - elf->vaddr[i] < img->seg[i].mem_size)
			return img->seg[i].gpa + (elf->entry - elf->vaddr[i]);
	return elf->entry;
}

static int find_multiboot(struct image *img, const struct image_source *src, const struct elf *elf,
			  struct multiboot_header *hdr)
{
	if (!image_find_multiboot(img, hdr))
		return 0;
	if (image_check_multiboot(src, hdr))
		return -1;
	if (elf->is64 && !(hdr->flags & MULTIBOOT_FLAG_ADDRESSES))
		return image_refuse(src, "is an ELF64 file with a multiboot header, but multiboot "
					 "enters 32-bit code: link it as ELF32, or give the "
					 "header's address fields (flag 16)");
	img->kind = IMAGE_MULTIBOOT;
	return 0;
}

int image_load_elf(struct image *img, const struct image_source *src)
{
	struct multiboot_header hdr;
	struct elf elf;

	if (read_ehdr(img, src, &elf) || check_ehdr(img, src, &elf))
		return -1;
	img->kind = elf.is64 ? IMAGE_ELF64 : IMAGE_ELF32;
	img->mode = elf.is64 ? ENTRY_LONG : ENTRY_PROTECTED;
	if (find_multiboot(img, src, &elf, &hdr))
		return -1;
	if (img->kind == IMAGE_MULTIBOOT && (hdr.flags & MULTIBOOT_FLAG_ADDRESSES))
		return image_load_multiboot(img, src, &hdr);
	if (load_segments(img, src, &elf))
		return -1;
	return image_set_entry(img, src, physical_entry(img, &elf));
}

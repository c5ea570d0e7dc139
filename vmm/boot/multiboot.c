// SPDX-License-Identifier: MIT
/* The boot information of Multiboot 0.6.96, chapter 3.3. */
#include "boot/multiboot.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "boot/board.h"

#define PAGE	    4096u
#define LOADER_NAME "sipi"
#define MODULE_NAME "device-tree"

#define INFO_MEMORY	 (1u << 0)
#define INFO_CMDLINE	 (1u << 2)
#define INFO_MODS	 (1u << 3)
#define INFO_MMAP	 (1u << 6)
#define INFO_LOADER_NAME (1u << 9)

struct info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB below 640 KiB, KiB from 1 MiB to the first hole */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe_control, vbe_mode;
	uint16_t vbe_more[4];
	uint32_t framebuffer[7];
};
_Static_assert(sizeof(struct info) == 116, "Multiboot 0.6.96, 3.3");

struct mmap_entry {
	uint32_t size; /* of what follows */
	uint64_t base, length;
	uint32_t type; /* 1: RAM */
} __attribute__((packed));

struct module {
	uint32_t start, end, string, reserved;
};

/* All that we hand over, in one piece; the command line follows. */
struct bundle {
	struct info info;
	struct module module;
	struct mmap_entry mmap[3];
	char loader_name[sizeof(LOADER_NAME)];
	char module_name[sizeof(MODULE_NAME)];
} __attribute__((packed));

uint64_t multiboot_info_size(const struct ram *ram, const char *cmdline)
{
	(void)ram; /* the map has room for every layout */
	return sizeof(struct bundle) + strlen(cmdline) + 1;
}

static uint32_t fill_mmap(const struct ram *ram, struct mmap_entry *entry)
{
	uint64_t below = ram->low < RAM_HOLE ? ram->low : RAM_HOLE;
	uint64_t above = ram->low > RAM_HOLE_END ? ram->low - RAM_HOLE_END : 0;
	const struct mmap_entry all[3] = {
		{.base = 0, .length = below},
		{.base = RAM_HOLE_END, .length = above},
		{.base = RAM_HIGH_BASE, .length = ram->size - ram->low},
	};
	uint32_t n = 0;

	for (unsigned i = 0; i < 3; i++) {
		if (!all[i].length)
			continue;
		entry[n] = all[i];
		entry[n].size = sizeof(*entry) - sizeof(entry->size);
		entry[n++].type = 1;
	}
	return n * (uint32_t)sizeof(*entry);
}

static void fill_bundle(const struct ram *ram, const struct multiboot_facts *facts,
			struct bundle *b)
{
	uint32_t at = (uint32_t)facts->info_gpa;

	memcpy(b->loader_name, LOADER_NAME, sizeof(b->loader_name));
	memcpy(b->module_name, MODULE_NAME, sizeof(b->module_name));
	b->module.start = (uint32_t)facts->fdt_gpa;
	b->module.end = (uint32_t)(facts->fdt_gpa + facts->fdt_len);
	b->module.string = at + (uint32_t)offsetof(struct bundle, module_name);
	b->info.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODS | INFO_MMAP | INFO_LOADER_NAME;
	b->info.mem_lower = (uint32_t)((ram->low < RAM_HOLE ? ram->low : RAM_HOLE) >> 10);
	if (ram->low > RAM_HOLE_END)
		b->info.mem_upper = (uint32_t)((ram->low - RAM_HOLE_END) >> 10);
	b->info.cmdline = at + (uint32_t)sizeof(*b);
	b->info.mods_count = 1;
	b->info.mods_addr = at + (uint32_t)offsetof(struct bundle, module);
	b->info.mmap_length = fill_mmap(ram, b->mmap);
	b->info.mmap_addr = at + (uint32_t)offsetof(struct bundle, mmap);
	b->info.boot_loader_name = at + (uint32_t)offsetof(struct bundle, loader_name);
}

/* Addresses in the structure have 32 bits, and the guest may ask for page-aligned modules (3.1.2).
 */
static int check_facts(const struct ram *ram, const struct multiboot_facts *facts,
		       struct error *err)
{
	if (facts->fdt_gpa % PAGE || facts->fdt_gpa >= RAM_LOW_MAX ||
	    !ram_ptr(ram, facts->fdt_gpa, facts->fdt_len))
		return error_set(err, EXIT_SETUP,
				 "multiboot: the device tree at 0x%" PRIx64
				 " is not in whole pages of RAM below 3 GiB",
				 facts->fdt_gpa);
	return 0;
}

int multiboot_info_write(const struct ram *ram, const struct multiboot_facts *facts,
			 struct error *err)
{
	uint64_t size = multiboot_info_size(ram, facts->cmdline);
	struct bundle bundle = {0};
	uint8_t *to;

	if (size > facts->info_max)
		return error_set(err, EXIT_SETUP,
				 "multiboot: the command line does not fit: %" PRIu64
				 " bytes of boot information, room for %" PRIu64,
				 size, facts->info_max);
	to = facts->info_gpa < RAM_LOW_MAX ? ram_ptr(ram, facts->info_gpa, size) : NULL;
	if (!to)
		return error_set(err, EXIT_SETUP,
				 "multiboot: the boot information at 0x%" PRIx64
				 " is not in RAM below 3 GiB",
				 facts->info_gpa);
	if (check_facts(ram, facts, err))
		return -1;
	fill_bundle(ram, facts, &bundle);
	memcpy(to, &bundle, sizeof(bundle));
	memcpy(to + sizeof(bundle), facts->cmdline, strlen(facts->cmdline) + 1);
	return 0;
}

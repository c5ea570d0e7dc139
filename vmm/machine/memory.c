// SPDX-License-Identifier: MIT
/* RAM below 3 GiB and from 4 GiB on, the ROM below 4 GiB with its alias below 1 MiB. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "boot/multiboot.h"
#include "firmware/handoff.h"
#include "machine/internal.h"

#define PAGE		4096ull
#define FDT_MAGIC_VALUE 0xd00dfeedu
#define SHADOW_MAX	0x20000ull /* the ROM's last 128 KiB show below 1 MiB, as on a PC */

enum slot { SLOT_LOW, SLOT_MID, SLOT_HIGH, SLOT_ROM, SLOT_ROM_ALIAS };

static int map_slot(struct machine *m, enum slot slot, uint32_t flags, uint64_t gpa, uint64_t size,
		    void *host, struct error *err)
{
	int r = size ? kvm_vm_set_memory(m->vm, slot, flags, gpa, size, host) : 0;

	if (r < 0)
		return error_set(err, EXIT_SETUP, "KVM_SET_USER_MEMORY_REGION at 0x%llx: %s",
				 (unsigned long long)gpa, strerror(-r));
	return 0;
}

static int map_rom(struct machine *m, struct error *err)
{
	size_t len = m->cfg.rom_len;
	size_t shadow = len < SHADOW_MAX ? len : SHADOW_MAX;

	m->rom = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->rom == MAP_FAILED) {
		m->rom = NULL;
		return error_set(err, EXIT_SETUP, "no memory for the firmware");
	}
	memcpy(m->rom, m->cfg.rom, len);
	if (map_slot(m, SLOT_ROM, KVM_MEM_READONLY, RAM_HIGH_BASE - len, len, m->rom, err) < 0)
		return -1;
	return map_slot(m, SLOT_ROM_ALIAS, KVM_MEM_READONLY, RAM_HOLE_END - shadow, shadow,
			m->rom + len - shadow, err);
}

int memory_create(struct machine *m, struct error *err)
{
	struct ram *ram = &m->ram;
	void *host;

	*ram = ram_layout(m->cfg.board->mem);
	host = mmap(NULL, ram->size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host == MAP_FAILED)
		return error_set(err, EXIT_SETUP, "cannot reserve %llu MiB of memory: %s",
				 (unsigned long long)(ram->size >> 20), strerror(errno));
	ram->host = host;
	if (map_slot(m, SLOT_LOW, 0, 0, RAM_HOLE, ram->host, err) < 0 ||
	    map_slot(m, SLOT_MID, 0, RAM_HOLE_END, ram->low - RAM_HOLE_END,
		     ram->host + RAM_HOLE_END, err) < 0 ||
	    map_slot(m, SLOT_HIGH, 0, RAM_HIGH_BASE, ram->size - ram->low, ram->host + ram->low,
		     err) < 0)
		return -1;
	return map_rom(m, err);
}

/* PML4, PDPT and four page directories with pages of 2 MiB: the first 4 GiB 1:1, devices uncached. */
#define TABLES_SIZE (6 * PAGE)
#define PTE_TABLE   0x23ull /* present, writable, accessed */
#define PTE_2M	    0xe3ull /* and dirty, large */
#define PTE_DEVICE  0x18ull /* PCD, PWT */

static void write_tables(const struct machine *m, uint64_t gpa)
{
	uint64_t *t = (uint64_t *)(void *)(m->ram.host + gpa);
	uint64_t *pd = t + 1024;

	memset(t, 0, 2 * PAGE);
	t[0] = (gpa + PAGE) | PTE_TABLE;
	for (uint64_t i = 0; i < 4; i++)
		t[512 + i] = (gpa + (2 + i) * PAGE) | PTE_TABLE;
	for (uint64_t i = 0; i < 2048; i++)
		pd[i] = i << 21 | PTE_2M | (i << 21 >= RAM_LOW_MAX ? PTE_DEVICE : 0);
}

/* What the firmware passes on to the guest. */
static void write_handoff(struct machine *m, uint64_t fdt, uint64_t tables, uint32_t eax,
			  uint32_t ebx)
{
	const struct image *img = m->cfg.image;
	uint32_t mode = img->mode, fdt32 = (uint32_t)fdt, cr3 = (uint32_t)tables;
	uint32_t rtc = m->cfg.board->rtc_port;
	uint16_t far[2] = {(uint16_t)img->entry, (uint16_t)((img->entry & 0xf0000) >> 4)};

	memcpy(m->rom + HANDOFF_MODE_OFF, &mode, sizeof(mode));
	memcpy(m->rom + HANDOFF_ENTRY_OFF, &img->entry, sizeof(img->entry));
	memcpy(m->rom + HANDOFF_FDT_OFF, &fdt32, sizeof(fdt32));
	memcpy(m->rom + HANDOFF_EAX_OFF, &eax, sizeof(eax));
	memcpy(m->rom + HANDOFF_EBX_OFF, &ebx, sizeof(ebx));
	memcpy(m->rom + HANDOFF_FAR_OFF, far, sizeof(far));
	memcpy(m->rom + HANDOFF_CR3_OFF, &cr3, sizeof(cr3));
	memcpy(m->rom + HANDOFF_RTC_OFF, &rtc, sizeof(rtc));
}

static bool image_touches(const struct image *img, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; img && i < img->segs; i++)
		if (img->seg[i].gpa < end && img->seg[i].gpa + img->seg[i].mem_size > start)
			return true;
	return false;
}

/*
 * The device tree ends RAM below 3 GiB; below it lies multiboot's information structure, or the page tables of
 * a guest that is entered in long mode.
 */
int memory_load(struct machine *m, struct error *err)
{
	const struct image *img = m->cfg.image;
	uint64_t fdt = (m->ram.low - m->cfg.fdt_len) & ~(PAGE - 1);
	uint64_t bottom = fdt;
	uint64_t info = 0;

	if (img && img->kind == IMAGE_MULTIBOOT) {
		info = multiboot_info_size(&m->ram, m->cfg.board->bootargs);
		bottom = info < fdt ? (fdt - info) & ~(PAGE - 1) : 0;
	}
	if (img && m->cfg.own_firmware && img->mode == ENTRY_LONG)
		bottom = fdt > TABLES_SIZE ? fdt - TABLES_SIZE : 0;
	if (m->cfg.fdt_len >= m->ram.low || bottom < RAM_HOLE_END ||
	    image_touches(img, bottom, m->ram.low))
		return error_set(
			err, EXIT_SETUP,
			"image and device tree (%zu bytes) do not fit in memory together; use "
			"--mem",
			m->cfg.fdt_len);
	memcpy(m->ram.host + fdt, m->cfg.fdt, m->cfg.fdt_len);
	if (!img)
		return 0;
	image_place(img, &m->ram);
	if (img->kind == IMAGE_MULTIBOOT) {
		struct multiboot_facts facts = {
			.cmdline = m->cfg.board->bootargs,
			.fdt_gpa = fdt,
			.fdt_len = m->cfg.fdt_len,
			.info_gpa = bottom,
			.info_max = fdt - bottom,
		};

		if (multiboot_info_write(&m->ram, &facts, err) < 0)
			return -1;
	}
	if (!m->cfg.own_firmware)
		return 0;
	if (img->mode == ENTRY_LONG)
		write_tables(m, bottom);
	if (img->kind == IMAGE_MULTIBOOT)
		write_handoff(m, fdt, bottom, MULTIBOOT_BOOTLOADER_MAGIC, (uint32_t)bottom);
	else
		write_handoff(m, fdt, bottom, FDT_MAGIC_VALUE, (uint32_t)fdt);
	return 0;
}

void memory_clear(struct machine *m)
{
	/* Anonymous and private: pages that are dropped read as zero. Locked ones cannot be dropped. */
	if (madvise(m->ram.host, m->ram.size, MADV_DONTNEED) < 0)
		memset(m->ram.host, 0, m->ram.size);
}

void memory_destroy(struct machine *m)
{
	if (m->rom)
		munmap(m->rom, m->cfg.rom_len);
	if (m->ram.host)
		munmap(m->ram.host, m->ram.size);
}

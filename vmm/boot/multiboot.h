/* SPDX-License-Identifier: MIT */
#ifndef SIPI_BOOT_MULTIBOOT_H
#define SIPI_BOOT_MULTIBOOT_H

#include <stdint.h>

#include "util/error.h"
#include "util/ram.h"

#define MULTIBOOT_BOOTLOADER_MAGIC 0x2badb002u

/* Where things lie that multiboot's information structure tells the guest of. */
struct multiboot_facts {
	const char *cmdline;
	uint64_t fdt_gpa, fdt_len;   /* given as module 0, with the string "device-tree" */
	uint64_t info_gpa, info_max; /* room for the structure, its strings and tables */
};

/* Bytes that multiboot_info_write() needs for these facts. */
uint64_t multiboot_info_size(const struct ram *ram, const char *cmdline);
/*
 * Writes the Multiboot 0.6.96 information structure (memory bounds, memory map, command line, boot
 * loader name, module) at info_gpa; all of it lies within info_max bytes. The memory map gives RAM
 * below and above the hole.
 */
int multiboot_info_write(const struct ram *ram, const struct multiboot_facts *facts,
			 struct error *err);

#endif

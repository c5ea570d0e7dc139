// SPDX-License-Identifier: MIT
/* A kernel as anybody may have one: multiboot, a serial line, and no way to end but to halt. It knows nothing of sipi. */
#include <stdint.h>

#define COM1	     0x3f8
#define COM1_STATUS  (COM1 + 5)
#define STATUS_EMPTY 0x20 /* the transmitter takes a byte */
#define LOADER_MAGIC 0x2badb002
#define INFO_MEMORY  1
#define MIB	     (1u << 20)
#define STEP	     (64u << 10)

struct boot_info {
	uint32_t flags, lower_kib, upper_kib; /* upper: from 1 MiB on */
};

static void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void print(const char *text)
{
	for (; *text; text++) {
		while (!(inb(COM1_STATUS) & STATUS_EMPTY))
			;
		outb(COM1, (uint8_t)*text);
	}
}

/* It must hold what is written; what was there comes back, the boot information is somewhere among it. */
static int memory_holds(uint32_t end)
{
	for (uint32_t at = MIB; at < end; at += STEP) {
		volatile uint32_t *word = (volatile uint32_t *)at;
		uint32_t before = *word;
		int good;

		*word = ~at;
		good = *word == ~at;
		*word = before;
		if (!good)
			return 0;
	}
	return 1;
}

void kernel_main(uint32_t magic, const struct boot_info *info)
{
	if (magic != LOADER_MAGIC || !(info->flags & INFO_MEMORY)) {
		print("example: PANIC: no multiboot loader\n");
		return;
	}
	print("example: booted by multiboot\n");
	if (!memory_holds(MIB + info->upper_kib * 1024)) {
		print("example: PANIC: memory does not hold what is written\n");
		return;
	}
	print("example: memory ok\n");
	print("example: ready\n");
}

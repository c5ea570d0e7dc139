// SPDX-License-Identifier: MIT
/*
 * What becomes of RAM: a cold reset (hard) zeroes it and loads the image; a warm one loads the image over what is
 * there, or with --keep-ram, or the shutdown byte, leaves everything.
 */
#include "lib/board.h"
#include "lib/reset_exam.h"
#include "lib/x86.h"

#define LOW_PAGE   0x6000
#define HIGH_SPACE (1 << 20) /* that far below the end, where neither heap nor device tree are */
#define STRIDE	   64
#define FRESH	   0x600dda7a
#define USED	   0x0badda7a

static volatile uint32_t witness_data = FRESH, witness_bss;

static uint64_t high_page(void)
{
	return (board.mem_low - HIGH_SPACE) & ~4095ull;
}

static uint32_t pattern(uint64_t addr)
{
	return (uint32_t)(addr * 2654435761u) | 1;
}

static unsigned count_words(uint64_t page, bool marked)
{
	unsigned n = 0;

	for (uint64_t a = page; a < page + 4096; a += STRIDE)
		n += mmio_read32(a) == (marked ? pattern(a) : 0);
	return n;
}

bool image_kept(void)
{
	return witness_data == USED;
}

void image_mark(void)
{
	witness_data = USED;
	witness_bss = USED;
}

void ram_mark(void)
{
	const uint64_t pages[] = {LOW_PAGE, high_page()};

	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		for (uint64_t a = pages[i]; a < pages[i] + 4096; a += STRIDE)
			mmio_write32(a, pattern(a));
	image_mark();
}

void ram_check(enum way way, bool keep_ram)
{
	bool cold = way == WAY_HARD, kept = way == WAY_INIT || (keep_ram && !cold);
	const uint64_t pages[] = {LOW_PAGE, high_page()};

	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		check(count_words(pages[i], !cold) == 4096 / STRIDE, "RAM at 0x%lx is %s", pages[i],
		      cold ? "zero" : "kept");
	check(witness_data == (kept ? USED : FRESH), ".data is %s", kept ? "kept" : "loaded again");
	check(witness_bss == (kept ? USED : 0), ".bss is %s", kept ? "kept" : "zero");
	witness_data = FRESH;
	witness_bss = 0;
}

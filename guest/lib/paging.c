// SPDX-License-Identifier: MIT
/* One set of page tables for all CPUs: the first 4 GiB 1:1 in 2 MiB pages, the APICs uncached. */
#include "lib/board.h"
#include "lib/x86.h"

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE   (1ull << 1)
#define PTE_PWT	    (1ull << 3)
#define PTE_PCD	    (1ull << 4)
#define PTE_LARGE   (1ull << 7)
#define LARGE_SHIFT 21
#define GIB	    4

uint64_t pml4[512] __attribute__((aligned(4096)));
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t pd[GIB * 512] __attribute__((aligned(4096)));

void paging_uncached(uint64_t addr)
{
	if (addr >> LARGE_SHIFT >= ARRAY_SIZE(pd))
		return;
	pd[addr >> LARGE_SHIFT] |= PTE_PCD | PTE_PWT;
	write_cr3((uint64_t)pml4);
}

void paging_init(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pd); i++)
		pd[i] = (uint64_t)i << LARGE_SHIFT | PTE_LARGE | PTE_WRITE | PTE_PRESENT;
	for (unsigned i = 0; i < GIB; i++)
		pdpt[i] = (uint64_t)&pd[i * 512] | PTE_WRITE | PTE_PRESENT;
	pml4[0] = (uint64_t)pdpt | PTE_WRITE | PTE_PRESENT;
	paging_uncached(board.ioapic_base);
	paging_uncached(board.lapic_base);
}

// SPDX-License-Identifier: MIT
/*
 * After a RESET, all CPUs but the boot CPU wait for a SIPI (SDM Vol. 3A 8.4.2, 10.4.7.1): one does it without the INIT
 * that usually comes first. To KVM's own local APIC a CPU that was never sent an INIT is not waiting; the
 * first life finds out.
 */
#include "lib/expect.h"
#include "lib/layout.h"
#include "lib/reset_exam.h"
#include "lib/smp.h"
#include "lib/string.h"
#include "lib/timer.h"

#define COUNTER	   0x9800
#define FIRST_USEC 300000

_Static_assert(COUNTER == SCRATCH_PAGE + 0x800, "the code below knows it");

/* clang-format off */
asm(".section .rodata\n"
    ".globl sipi_code, sipi_code_end\n"
    ".code16\n"
    "sipi_code:\n"
    "	lock incl %cs:0x800\n"
    "1:	cli\n"
    "	hlt\n"
    "	jmp 1b\n"
    "sipi_code_end:\n"
    ".code64\n"
    ".text\n");
/* clang-format on */

extern const char sipi_code[], sipi_code_end[];

bool sipi_starts(bool first)
{
	memcpy((void *)(uint64_t)SCRATCH_PAGE, sipi_code, (size_t)(sipi_code_end - sipi_code));
	mmio_write32(COUNTER, 0);
	ipi_sipi(1, SCRATCH_PAGE >> 12);
	return WAIT_FOR(mmio_read32(COUNTER), first ? FIRST_USEC : EXPECT_USEC);
}

// SPDX-License-Identifier: MIT
/*
 * triple: what does the VMM do at a triple fault? With an empty IDT #UD cannot be delivered, nor
 * the double fault after it: the CPU shuts down (SDM Vol. 3A 6.15, interrupt 8).
 */
#include "lib/console.h"
#include "lib/report.h"
#include "lib/x86.h"

const char guest_name[] = "triple";

void guest_main(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	printf("triple: here it comes\n");
	asm volatile("lidt %0; ud2" ::"m"(none));
	report(false, "still running after a triple fault");
}

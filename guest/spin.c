// SPDX-License-Identifier: MIT
/* spin: does the VMM end a guest that never ends and takes no interrupts? */
#include "lib/console.h"
#include "lib/report.h"
#include "lib/x86.h"

const char guest_name[] = "spin";

void guest_main(void)
{
	cli();
	printf("spin: for ever\n");
	for (;;)
		cpu_relax();
}

// SPDX-License-Identifier: MIT
/*
 * spin: does the VMM end a guest that never ends and takes no interrupts? With chatty=1 it prints for
 * ever as well.
 */
#include "lib/board.h"
#include "lib/console.h"
#include "lib/report.h"
#include "lib/x86.h"

const char guest_name[] = "spin";

void guest_main(void)
{
	cli();
	printf("spin: for ever\n");
	while (arg_u64("chatty", 0))
		printf("spin: and on\n");
	for (;;)
		cpu_relax();
}

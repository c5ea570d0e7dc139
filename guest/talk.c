// SPDX-License-Identifier: MIT
/*
 * talk: does the VMM understand what a guest says? The first boot argument is said, with `_` for a blank, `/` for a new
 * line and `~` for 300 ms without a word; flood=N says N lines of 64 bytes before, flood=N dots=1 the same without an
 * end of line. Ends with exit=N, else never.
 */
#include "lib/board.h"
#include "lib/console.h"
#include "lib/report.h"
#include "lib/timer.h"
#include "lib/x86.h"

#define EXIT_NEVER 256

const char guest_name[] = "talk";

static void say(char c)
{
	if (c == '~')
		udelay(300000);
	else
		printf("%c", c == '_' ? ' ' : c == '/' ? '\n' : c);
}

void guest_main(void)
{
	uint64_t flood = arg_u64("flood", 0), code = arg_u64("exit", EXIT_NEVER);
	bool dots = arg_flag("dots");

	cli();
	for (uint64_t i = 0; i < flood; i++)
		printf("%s%s", "..............................................................",
		       dots ? ".." : "\n");
	for (const char *s = board.bootargs; *s && *s != ' '; s++)
		say(*s);
	if (code < EXIT_NEVER)
		guest_exit((uint8_t)code);
	for (;;)
		cpu_relax();
}

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_IO_CONSOLE_WATCH_H
#define SIPI_IO_CONSOLE_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/*
 * What a run waits for on the guest's console (--expect, in this order), and what ends it as a failure (--fail): POSIX
 * extended regular expressions. Bytes go in, a verdict comes out; no descriptor, no clock, no lock.
 *
 * Patterns see one line at a time, without CR and with '?' for NUL; of a line longer than WATCH_LINE_MAX they see pieces
 * of that size. `^` matches where a line begins, `$` where one has ended, not where a piece or a look does. Each look is
 * at the --fail patterns first, on all of the line, then at the next expectations, behind the match of the last one.
 */
#define WATCH_LINE_MAX	   4096u
#define WATCH_PATTERNS_MAX 64u

enum watch_list { WATCH_EXPECT, WATCH_FAIL, WATCH_LISTS };

enum watch_verdict {
	WATCH_GOES_ON,
	WATCH_MET, /* every expectation; there was one at least */
	WATCH_FAILED,
	WATCH_BROKEN, /* regexec() could not do its work */
};

struct console_watch;

/*
 * Appends a pattern; the text has to live as long as the watch. *w is NULL before the first one, and then the caller's,
 * for console_watch_free(). Fails on a pattern that regcomp() refuses, an empty one, and one too many.
 */
int console_watch_add(struct console_watch **w, enum watch_list list, const char *text,
		      struct error *err);
void console_watch_free(struct console_watch *w); /* NULL: nothing */

/* The next byte; looks at each line that ends. A verdict other than WATCH_GOES_ON is final. */
enum watch_verdict console_watch_byte(struct console_watch *w, uint8_t byte);
/* Nothing came for a while: looks at the line that has not ended, which may be a prompt. */
enum watch_verdict console_watch_pause(struct console_watch *w);
/* Nothing more will come: the last line ends here. */
enum watch_verdict console_watch_end(struct console_watch *w);

/*
 * The verdict in one line of printable text; while it is open, the first expectation that is not met, or "" where there
 * is none.
 */
#define WATCH_SAY_MAX 256
void console_watch_say(const struct console_watch *w, char buf[WATCH_SAY_MAX]);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_IO_TERMINAL_H
#define SIPI_IO_TERMINAL_H

/*
 * The terminal on standard input, in raw mode while we are its foreground process group. It is put
 * back by terminal_close(), at exit(), when we are stopped, and by every signal that ends the
 * process, except SIGINT, SIGTERM and SIGHUP: those the caller turns into an orderly end.
 */
void terminal_open(void);

/* Raw mode, if we are in the foreground now. At no cost when the mode is raw already. */
void terminal_enter(void);

void terminal_close(void);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_IO_CONSOLE_H
#define SIPI_IO_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/loop.h"

/*
 * The host's end of the guest's serial line. Output goes through a ring that the loop drains; input
 * is handed over byte by byte as far as the receiver has room. A terminal on standard input is put
 * into raw mode while we are its foreground process group, and put back on every way out: close,
 * exit(), and every signal that ends the process.
 */
enum console_kind { CONSOLE_STDIO, CONSOLE_NULL, CONSOLE_FILE };

struct console_events {
	size_t (*room)(void *ctx); /* how many input bytes the receiver can take now */
	void (*input)(void *ctx, uint8_t byte);
	void (*drained)(void *ctx);	      /* console_full() is over */
	void (*quit)(void *ctx);	      /* the user typed Ctrl-A x */
	void (*failed)(void *ctx, int error); /* once: output is gone (EPIPE, ENOSPC, ...) */
	void *ctx;
};

struct console;

/*
 * path: for CONSOLE_FILE, created or truncated. Only CONSOLE_STDIO reads standard input; where that
 * is a terminal, Ctrl-A is a prefix, and Ctrl-A h prints the keys to stderr. No event may be NULL.
 */
struct console *console_open(struct loop *loop, enum console_kind kind, const char *path,
			     const struct console_events *events, struct error *err);

/* Bytes of a 16550A's transmit FIFO: what a driver writes once it has seen THRE. */
#define CONSOLE_FIFO 16

/*
 * False, with the byte counted as lost, when the ring has no room; console_full() is true from fewer than
 * CONSOLE_FIFO bytes of room on. Any thread, under the loop's guard.
 */
bool console_putc(struct console *c, uint8_t byte);
bool console_full(const struct console *c);
uint64_t console_lost(const struct console *c);

/* The receiver has room again: go on reading input. Any thread, under the loop's guard. */
void console_kick(struct console *c);

/*
 * After the loop ended and before it is destroyed: writes out what is left, for at most `ms`
 * milliseconds, and restores the terminal. Output that fails only now is told by failed() as well;
 * ETIMEDOUT stands for a reader that was stuck.
 */
void console_close(struct console *c, unsigned ms);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdarg.h>
#include <stdint.h>

/*
 * The serial console of the device tree. One call prints without interruption by other CPUs; a
 * call's text is cut at 400 characters. Known: %d %i %u %x %X %c %s %p %%, with l, ll, z, a width,
 * 0 and -.
 */
int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void vprintf(const char *fmt, va_list ap);
int snprintf(char *buf, unsigned long size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int vsnprintf(char *buf, unsigned long size, const char *fmt, va_list ap);

/* Ends the machine with this exit code (the debug exit port). */
_Noreturn void guest_exit(uint8_t code);
/* One line "NAME: text", exit code 1. From any CPU and any context, with the console locked or not.
 */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

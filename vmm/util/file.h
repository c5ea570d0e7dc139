/* SPDX-License-Identifier: MIT */
#ifndef SIPI_UTIL_FILE_H
#define SIPI_UTIL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/*
 * Reads a whole regular file of 1 to max bytes. *data is allocated with malloc and owned by the
 * caller. Everything else is refused in one line with the file's name, EXIT_SETUP.
 */
int file_read(const char *path, size_t max, uint8_t **data, size_t *len, struct error *err);

/*
 * Creates or truncates a file for writing and returns its descriptor, or -1 with errno. Never waits: a FIFO
 * that nobody reads is refused (ENXIO), and a write to one that is full fails (EAGAIN).
 */
int file_create(const char *path);

#endif

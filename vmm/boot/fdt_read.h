/* SPDX-License-Identifier: MIT */
#ifndef SIPI_BOOT_FDT_READ_H
#define SIPI_BOOT_FDT_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

/*
 * Typed access to a tree that passed fdt_check_full(). What is wrong is refused with the path of
 * the node. Everything here takes time linear in the size of the node, whatever is in it.
 */
struct tree_reader {
	const void *fdt;
	struct error *err;
};

/* Sets "device tree: PATH: text" and is -1. */
#define tree_refuse(r, node, ...) (tree_refuse_fill((r), (node), __VA_ARGS__), -1)
void tree_refuse_fill(const struct tree_reader *r, int node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* 1: there; 0: not there; -1: there twice (refused). */
int tree_find(const struct tree_reader *r, int node, const char *name, const void **data, int *len);
/* A property of exactly count cells; it must be there. */
int tree_cells(const struct tree_reader *r, int node, const char *name, uint32_t *out,
	       unsigned count);
/* As tree_cells() with one cell that must have this value. */
int tree_expect(const struct tree_reader *r, int node, const char *name, uint32_t value);
/* One string. 1: there; 0: not there; -1: refused. */
int tree_string(const struct tree_reader *r, int node, const char *name, const char **out);
/* 1: the list of strings "compatible" has it; 0: it has not, or there is none; -1: refused. */
int tree_compatible(const struct tree_reader *r, int node, const char *name);
/* By "status". 1: enabled; 0: disabled; -1: refused. */
int tree_enabled(const struct tree_reader *r, int node);
/* Whether a node is called base or base@something. */
bool tree_is_named(const struct tree_reader *r, int node, const char *base);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef GUEST_FDT_H
#define GUEST_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A reader of flattened device trees (Devicetree Specification 0.4, chapter 5). Every offset and
 * length is checked against the blob, and the blob against the size its header gives.
 */
struct fdt {
	const uint8_t *base;
	uint32_t size;
	uint32_t structs, structs_end;
	uint32_t strings, strings_end;
};

enum fdt_token { FDT_NODE, FDT_NODE_END, FDT_PROP, FDT_DONE, FDT_BROKEN };

struct fdt_event {
	enum fdt_token token;
	const char *name; /* of the node (with its @address) or of the property */
	const uint8_t *data;
	uint32_t len;
};

bool fdt_open(struct fdt *fdt, const void *blob);
/* The token at *pos (start with 0), and *pos to the next one. FDT_DONE or FDT_BROKEN ends the walk.
 */
void fdt_next(const struct fdt *fdt, uint32_t *pos, struct fdt_event *ev);

/* Cell `i` of a property; 0 beyond its end. */
uint32_t fdt_cell(const uint8_t *data, uint32_t len, uint32_t i);
/* Whether a list of strings (a "compatible") has this one. */
bool fdt_has_string(const uint8_t *data, uint32_t len, const char *s);

#endif

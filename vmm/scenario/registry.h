/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_REGISTRY_H
#define SIPI_SCENARIO_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "scenario/scenario.h"
#include "util/error.h"

/* Scenarios from files and directories, in the order given; in a directory by name. */
struct registry {
	struct scenario **scenarios; /* owned */
	size_t n, room;
};

/*
 * Adds the scenario in the file `path`, or those of all files *.scn in the directory and in those below it. Whatever is
 * wrong is handed to refuse(), and the rest is read all the same. 0, or -1 when something was refused.
 */
int registry_read(struct registry *r, const char *path, int (*refuse)(const struct error *err));
/* Keeps only those for which keep() says so. */
void registry_keep(struct registry *r, bool (*keep)(void *arg, const struct scenario *s),
		   void *arg);
void registry_free(struct registry *r);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_TEXT_H
#define SIPI_SCENARIO_TEXT_H

#include <stdio.h>

/*
 * Text of others (titles, lines of a scenario, names of files) within a report's syntax. Whatever the bytes are, what
 * is written is valid UTF-8, on one line and without control characters: those, and bytes that are no UTF-8, become
 * \x1b; in JSON control characters become \u001b.
 */
enum text_style {
	TEXT_PLAIN,
	TEXT_TAP,      /* a description: '#' would begin a directive */
	TEXT_XML,      /* also within attributes in double quotes */
	TEXT_JSON,     /* within a string */
	TEXT_MARKDOWN, /* also within the cell of a table */
};

void text_put(FILE *f, enum text_style style, const char *s);

#endif

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
	TEXT_PROSE,    /* a paragraph of Markdown that is also read as it is: TPR[7:4] */
};

void text_put(FILE *f, enum text_style style, const char *s);
/* The first `len` bytes of s alone, which end between two characters. */
void text_put_some(FILE *f, enum text_style style, const char *s, size_t len);

/*
 * The words of s, separated by blanks, in lines as short as those of a mail; those behind the first line begin with
 * `indent`. The line has `column` characters by now, the words of an earlier call or a head. Returns how many it has then.
 */
size_t text_wrap(FILE *f, enum text_style style, const char *indent, size_t column, const char *s);

#endif

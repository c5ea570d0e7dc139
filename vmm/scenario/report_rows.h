/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_REPORT_ROWS_H
#define SIPI_SCENARIO_REPORT_ROWS_H

#include "scenario/report.h"

/* The rows of a table of the registry: one for all modes of a scenario in which the same was seen. */

struct row {
	const struct scenario *scenario;
	unsigned modes; /* bit 1 << enum irqchip_mode */
	enum verdict verdict;
	bool looked; /* at something: expected and seen are there */
	struct finding finding;
	char *details; /* report_observations(), without indent; owned */
};

struct rows {
	struct row *rows;
	size_t n, room;
};

/* -1: out of memory. */
int rows_add(struct rows *r, const struct batch_job *job, const struct result *result);
/* The worst first, and else as they came. */
void rows_sort(struct rows *r);
void rows_free(struct rows *r);

#define ROW_TEXT 64
/* "kernel split" */
void row_modes(const struct row *row, char text[ROW_TEXT]);
/* "0x1", ">= 0x1" and "0x1", or "-" */
void row_expected(const struct row *row, char text[ROW_TEXT]);
void row_seen(const struct row *row, char text[ROW_TEXT]);

#endif

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

/* The worst first, and else as they came. */
void rows_sort(struct rows *r);

/* A report that collects rows, and is written when all is done. */
struct rows_report {
	struct report report;
	struct rows rows;
};

/* end() writes it. NULL: out of memory. */
struct report *rows_report(FILE *f, const struct report_ops *ops);
void rows_report_run(struct report *r, const struct batch_job *job, const struct result *result);
void rows_report_destroy(struct report *r);

#define ROW_TEXT 64
/* "kernel split" */
void row_modes(const struct row *row, char text[ROW_TEXT]);
/* "0x1", ">= 0x1" and "0x1", or "-" */
void row_expected(const struct row *row, char text[ROW_TEXT]);
void row_seen(const struct row *row, char text[ROW_TEXT]);

#endif

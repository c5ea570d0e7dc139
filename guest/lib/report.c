// SPDX-License-Identifier: MIT
/* Results as numbered lines, and the library's own main. */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/report.h"
#include "lib/smp.h"
#include "lib/timer.h"

#define NAME_MAX 200

struct report_counts report_counts;
void lib_main(const void *tree);

static unsigned next_number(void)
{
	return report_counts.passed + report_counts.failed + report_counts.skipped;
}

bool report(bool ok, const char *fmt, ...)
{
	char name[NAME_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (ok)
		report_counts.passed++;
	else
		report_counts.failed++;
	if (!ok || !arg_flag("quiet"))
		printf("%s %u - %s\n", ok ? "ok" : "not ok", next_number(), name);
	return ok;
}

void report_skip(const char *reason, const char *fmt, ...)
{
	char name[NAME_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	report_counts.skipped++;
	printf("ok %u - %s # SKIP %s\n", next_number(), name, reason);
}

_Noreturn void report_summary(void)
{
	const struct report_counts *c = &report_counts;

	printf("%s: %u passed, %u failed, %u skipped\n", guest_name, c->passed, c->failed,
	       c->skipped);
	guest_exit(c->failed ? 1 : 0);
}

/* Called by entry.S. The order: the tree names everything; faults need a struct cpu; waits need the
 * TSC. */
void lib_main(const void *tree)
{
	board_init(tree);
	paging_init();
	smp_init();
	idt_init();
	idt_load();
	timer_init();
	apic_follow();
	apic_enable();
	guest_main();
	report_summary();
}

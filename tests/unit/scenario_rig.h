/* SPDX-License-Identifier: MIT */
/* Runs scenarios on the real /dev/kvm, for the tests of the runner. */
#ifndef SIPI_TESTS_SCENARIO_RIG_H
#define SIPI_TESTS_SCENARIO_RIG_H

#include <string.h>

#include "scenario/runner.h"
#include "test.h"

#define HEADER(class)	"id t\ntitle t\nclass " class "\nmanual t\nmodes kernel split user\n"
#define LINES_OF_HEADER 5
#define MODE(m)		(1u << (m))
#define ALL_MODES	(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL) | MODE(IRQCHIP_USER))

static struct result result;

static inline struct scenario *parse(const char *text)
{
	struct error err;
	struct scenario *s = scenario_parse("t.scn", text, strlen(text), &err);

	if (!s)
		print_message("# %s\n", err.text);
	assert_non_null(s);
	return s;
}

static inline void run_parsed(struct scenario *s, enum irqchip_mode mode, unsigned timeout_ms)
{
	const struct run_limits limits = {.seed = 1, .timeout_ms = timeout_ms};

	scenario_run(s, mode, &limits, &result);
}

static inline enum verdict run(enum irqchip_mode mode, const char *text)
{
	struct scenario *s = parse(text);

	run_parsed(s, mode, 20000);
	scenario_free(s);
	return result.verdict;
}

static inline void show_findings(void)
{
	for (unsigned i = 0; i < result.nfindings; i++)
		if (result.findings[i].what != SEEN_EXPECTED)
			print_message("# line %u: %s: expected 0x%llx, seen 0x%llx\n",
				      result.findings[i].line, result.findings[i].text,
				      (unsigned long long)result.findings[i].expected,
				      (unsigned long long)result.findings[i].seen);
}

/* In each of the modes; one that the host lacks is a skip, and said. */
static inline void gives(unsigned modes, enum verdict expected, const char *text)
{
	for (unsigned m = 0; m < IRQCHIP_MODES; m++) {
		if (!(modes & MODE(m)))
			continue;
		if (run(m, text) == VERDICT_SKIP && expected != VERDICT_SKIP) {
			print_message("# %s: skipped: %s\n", irqchip_mode_name(m), result.why);
			continue;
		}
		if (result.verdict != expected) {
			print_message("# %s: %s: %s\n", irqchip_mode_name(m),
				      verdict_name(result.verdict), result.why);
			show_findings();
		}
		assert_int_equal(result.verdict, expected);
	}
}

/* tests/scenarios/xapic-id-reinit.scn, with the two outcomes as they come. */
#define EXAMPLE(class, id, id_else, accepted, accepted_else)                                       \
	HEADER(class)                                                                              \
	"needs cpuid.x2apic\ncpus 0 1\n"                                                           \
	"cpu 1: set apic_base.mode x2apic\ncpu 1: set apic_base.mode xapic\n"                      \
	"expect cpu 1: lapic.id = " id "\ndeviates " id_else "\n"                                  \
	"cpu 1: set lapic.svr 0x1ff\nmsi dest=1 vector=0x40\n"                                     \
	"expect accepted = " accepted "\ndeviates " accepted_else "\n"                             \
	"expect cpu 1: lapic.irr[0x40] = 1\ndeviates 0\n"

#endif

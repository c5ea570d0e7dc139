// SPDX-License-Identifier: MIT
/* The puppet on the real /dev/kvm: the texts of tests/puppet, how steps fail, and guests that mean harm. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest/puppet.h"
#include "scenario_rig.h"

#define GUEST HEADER("guard") "cpus 0 1\n"

static const char *const modes[] = {"real", "protected", "long"};

/* Old reproducers have them. */
static void test_numbers_stay(void **state)
{
	(void)state;
	assert_int_equal(PUPPET_NOP, 0);
	assert_int_equal(PUPPET_RDMSR, 1);
	assert_int_equal(PUPPET_WRMSR, 2);
	assert_int_equal(PUPPET_READ32, 3);
	assert_int_equal(PUPPET_WRITE32, 4);
	assert_int_equal(PUPPET_INB, 5);
	assert_int_equal(PUPPET_OUTB, 6);
	assert_int_equal(PUPPET_INL, 7);
	assert_int_equal(PUPPET_OUTL, 8);
	assert_int_equal(PUPPET_CLI, 9);
	assert_int_equal(PUPPET_STI, 10);
	assert_int_equal(PUPPET_HLT, 11);
	assert_int_equal(PUPPET_STI_HLT, 12);
	assert_int_equal(PUPPET_PAUSE, 13);
	assert_int_equal(PUPPET_CPUID, 14);
	assert_int_equal(PUPPET_RFLAGS, 15);
	assert_int_equal(PUPPET_RDCR8, 16);
	assert_int_equal(PUPPET_WRCR8, 17);
	assert_int_equal(PUPPET_RDTSC, 18);
	assert_int_equal(PUPPET_SHUTDOWN, 19);
	assert_int_equal(PUPPET_ANSWER, 20);
	assert_int_equal(PUPPET_ANSWER_HLT, 21);
	assert_true(PUPPET_OPS >= 22);
	assert_int_equal(PUPPET_SIPI, 0x0a);
	assert_true(PUPPET_ORDER + 16 * PUPPET_ORDERS < PUPPET_MAILBOX_SIZE);
	assert_true(PUPPET_CPUS >= SCENARIO_CPUS);
}

static void run_file(const char *path)
{
	struct error err;
	struct scenario *s = scenario_read(path, &err);

	if (!s)
		fail_msg("%s", err.text);
	for (unsigned m = 0; m < IRQCHIP_MODES; m++) {
		if (!(s->modes & MODE(m)))
			continue;
		run_parsed(s, m, 20000);
		/* A KVM may have what the text knows of; ours may not. */
		if (result.verdict == VERDICT_OK ||
		    (result.verdict == VERDICT_ERRATUM && m != IRQCHIP_USER))
			continue;
		print_message("# %s: %s: %s: %s\n", path, irqchip_mode_name(m),
			      verdict_name(result.verdict), result.why);
		show_findings();
		assert_int_equal(result.verdict, VERDICT_SKIP);
	}
	scenario_free(s);
}

static void test_texts(void **state)
{
	glob_t g;

	(void)state;
	assert_int_equal(glob("tests/puppet/*.scn", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		run_file(g.gl_pathv[i]);
	globfree(&g);
}

/* --- what a step says that fails */

static void fails(const char *text, const char *why)
{
	gives(ALL_MODES, VERDICT_ERROR, text);
	if (!strstr(result.why, why))
		fail_msg("'%s', not '%s'", result.why, why);
}

static void test_errors(void **state)
{
	(void)state;
	fails(GUEST "cpu 0: guest long\ncpu 0: guest rdmsr 0xdead0000\nexpect 1 = 1\n",
	      "line 8: cpu 0: guest rdmsr 0xdead0000: exception 13 with error code 0x0 at 0xa");
	fails(GUEST "cpu 0: guest real\ncpu 0: guest shutdown\nexpect 1 = 1\n",
	      "the guest did not come to its end, but to KVM_EXIT_SHUTDOWN (8)");
	fails(GUEST "cpu 0: guest long\ncpu 0: guest hlt within 20\nexpect 1 = 1\n",
	      "line 8: cpu 0: guest hlt within 20: the guest did not come to its end in time");
	fails(HEADER("guard") "cpus 0 1*\ntry cpu 1: guest nop\nexpect error = EINVAL\n"
			      "cpu 1: guest long\ncreate cpu 1\n",
	      "line 9: cpu 1: guest long: Invalid argument (EINVAL)");
	fails(GUEST "cpu 0: guest long\ncpu 0: guest set lapic.tpr 1 << 32\nexpect 1 = 1\n",
	      "Numerical result out of range (ERANGE)");
}

/* An AP waits for SIPI; the boot CPU comes from the reset vector, where there is nothing. */
static void test_never_entered(void **state)
{
	(void)state;
	fails(GUEST "cpu 1: guest nop within 20\nexpect 1 = 1\n",
	      "in time, and the CPU has never been in the puppet");
	fails(GUEST "cpu 0: guest nop within 20\nexpect 1 = 1\n",
	      ", and the CPU has never been in the puppet");
	gives(ALL_MODES, VERDICT_OK,
	      GUEST "try cpu 1: guest nop within 20\nexpect error = ETIMEDOUT\n"
		    "try cpu 0: guest nop\nexpect error = EIO\n"
		    "cpu 0: guest long\ncpu 1: guest real\ncpu 0: guest nop\ncpu 1: guest nop\n"
		    "expect exit = done\n");
}

/* The limit of the whole comes first. */
static void test_time_is_over(void **state)
{
	struct scenario *s = parse(GUEST "cpu 0: guest long\ncpu 0: guest hlt within 10000\n"
					 "expect 1 = 1\n");

	(void)state;
	for (unsigned m = 0; m < IRQCHIP_MODES; m++) {
		run_parsed(s, m, 100);
		if (result.verdict == VERDICT_SKIP)
			continue;
		assert_int_equal(result.verdict, VERDICT_ERROR);
		assert_non_null(strstr(result.why, "timed out after 100 ms"));
		assert_true(result.seconds < 5);
	}
	scenario_free(s);
}

/* `run` where no step is the puppet's. */
static void test_run_without_a_guest(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      GUEST "cpu 1: run 5\nexpect exit = timeout\n"
		    "cpu 0: set mp_state halted\ncpu 0: run 5\nexpect exit = timeout\n"
		    "expect cpu 0: regs.rip = 0xfff0\nexpect cpu 1: regs.rip = 0xfff0\n");
}

/* The highest mailbox. */
static void test_as_many_cpus_as_there_may_be(void **state)
{
	char text[4096] = HEADER("guard") "cpus";

	(void)state;
	for (unsigned i = 0; i < SCENARIO_CPUS; i++)
		sprintf(text + strlen(text), " %u", i);
	strcat(text, "\ncpu 63: set lapic.svr 0x1ff\ncpu 63: set guest.eoi xapic\n");
	for (unsigned m = 0; m < 3; m++)
		sprintf(text + strlen(text),
			"cpu 63: guest %s\ncpu 63: guest sti\nmsi dest=63 vector=0xff\n"
			"cpu 63: guest nop\nexpect cpu 63: guest.taken[0xff] = %u\n",
			modes[2 - m], m + 1);
	gives(ALL_MODES, VERDICT_OK, text);
}

/* --- branches */

/* Steps of one CPU wait for each other: none of them sees half of another. */
static void test_branches_on_one_cpu(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      GUEST "cpu 0: guest long\ncpu 1: guest long\n"
		    "parallel 100\n"
		    "cpu 0: guest write32 0x3f000 0x11\ncpu 0: guest pause 10\n"
		    "and\n"
		    "try cpu 0: guest rdmsr 0xdead0000\nexpect error = EFAULT\n"
		    "and\n"
		    "cpu 0: run 1000\n"
		    "let x (exit - exit.io) * (exit - timeout)\nexpect x = 0\n"
		    "and\n"
		    "cpu 0: pump\n"
		    "let taken cpu 0: guest.taken[0x40] + cpu 0: guest.result\n"
		    "expect taken < 1 << 32\n"
		    "end\n"
		    "cpu 0: guest read32 0x3f000\nexpect cpu 0: guest.result = 0x11\n");
}

/* --- guests that mean harm: any verdict, and an end */

static void ends(const char *text)
{
	struct scenario *s = parse(text);

	for (unsigned m = 0; m < IRQCHIP_MODES; m++) {
		run_parsed(s, m, 5000);
		assert_true(result.seconds < 20);
	}
	scenario_free(s);
}

/* Its code, its tables, its mailbox and another CPU's. */
static void test_overwritten(void **state)
{
	static const uint32_t at[] = {0x08,   0x1008, 0x2000,  0x3000,	0x4068,	 0x6000,  0x7000,
				      0x8000, 0xa000, 0xa010,  0xa0b0,	0xa100,	 0xa1c0,  0xa200,
				      0xa300, 0xa400, 0x10000, 0x10038, 0x10ff8, 0x11000, 0x4fffc};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < 3 * sizeof(at) / sizeof(at[0]); i++) {
		snprintf(text, sizeof(text),
			 GUEST
			 "cpu 0: guest %s\ncpu 1: guest long\ncpu 0: set lapic.svr 0x1ff\n"
			 "try cpu 0: guest write32 0x%x %s within 10\n"
			 "msi dest=0 vector=0x40\ntry cpu 0: guest sti within 10\n"
			 "try cpu 0: guest rdmsr 0xdead0000 within 10\n"
			 "try cpu 0: guest nop within 10\ntry cpu 1: guest nop within 10\n"
			 "let x cpu 0: guest.interrupts + cpu 0: guest.order[63]\nexpect x = 0\n",
			 modes[i % 3], at[i / 3], i & 1 ? "0xffffffff" : "0x6ee66fe7");
		ends(text);
	}
}

/* The mailbox says that there is an operation, which is none, or one of many more: the idle loop waits. */
static void test_another_cpu_writes_the_mailbox(void **state)
{
	char text[1024];

	(void)state;
	for (unsigned m = 0; m < 3; m++) {
		snprintf(text, sizeof(text),
			 GUEST "cpu 0: guest long\ncpu 1: guest %s\n"
			       "cpu 0: guest write32 0x11000 %u\ncpu 1: run 1000\n"
			       "expect exit = exit.io\n"
			       "cpu 0: guest write32 0x11000 0x1000000a\ncpu 1: run 1000\n"
			       "expect exit = exit.io\n"
			       "cpu 1: guest rflags\nexpect cpu 1: guest.result[9] = 0\n",
			 modes[m], PUPPET_OPS);
		gives(ALL_MODES, VERDICT_OK, text);
	}
	gives(ALL_MODES, VERDICT_OK,
	      GUEST "cpu 0: guest long\ncpu 1: guest real\n"
		    "cpu 0: guest write32 0x11038 0xfffffff0\n"
		    "expect cpu 1: guest.interrupts = 0xfffffff0\n"
		    "cpu 1: nmi\ncpu 1: guest nop\n"
		    "expect cpu 1: guest.interrupts = 0xfffffff1\n"
		    "expect cpu 1: guest.order[0x30] = 2\n");
}

/* Where there is nothing, an access over the end of a page exits for each of the two: to give it up is to complete both. */
static void test_access_in_parts(void **state)
{
	char text[1024];

	(void)state;
	for (unsigned m = 1; m < 3; m++) {
		snprintf(text, sizeof(text),
			 GUEST "cpu 0: guest %s\ntry cpu 0: guest read32 0x20000ffe\n"
			       "expect error = EIO\nexpect exit = exit.mmio\n"
			       "cpu 0: guest %s\ncpu 0: guest rdmsr 0x1b\n"
			       "expect cpu 0: guest.result[8] = 1\n",
			 modes[m], modes[m]);
		gives(ALL_MODES, VERDICT_OK, text);
	}
}

/* Any words at any place, and what comes of it. */
static void test_at_random(void **state)
{
	static const char *const ops[] = {"nop",       "sti",	  "cli",
					  "rdtsc",     "rflags",  "read32 0x10000",
					  "cpuid 0 0", "pause 3", "rdmsr 0x1b"};
	char text[16384];

	(void)state;
	srandom(1);
	for (unsigned round = 0; round < 6; round++) {
		int n = sprintf(text, GUEST "cpu 0: guest %s\n", modes[round % 3]);

		for (unsigned i = 0; i < 30; i++)
			n += sprintf(
				text + n,
				"try cpu 0: guest write32 0x%lx 0x%lx within 5\n"
				"try cpu 0: guest %s within 5\n",
				(i & 1 ? 0xa000 + random() % 0x800 : random() % PUPPET_MEMORY) &
					~3l,
				random(), ops[(unsigned long)random() % 9]);
		sprintf(text + n, "expect 1 = 1\n");
		ends(text);
	}
}

TEST_MAIN(cmocka_unit_test(test_numbers_stay), cmocka_unit_test(test_texts),
	  cmocka_unit_test(test_errors), cmocka_unit_test(test_never_entered),
	  cmocka_unit_test(test_time_is_over), cmocka_unit_test(test_run_without_a_guest),
	  cmocka_unit_test(test_as_many_cpus_as_there_may_be),
	  cmocka_unit_test(test_branches_on_one_cpu), cmocka_unit_test(test_overwritten),
	  cmocka_unit_test(test_another_cpu_writes_the_mailbox),
	  cmocka_unit_test(test_access_in_parts), cmocka_unit_test(test_at_random))

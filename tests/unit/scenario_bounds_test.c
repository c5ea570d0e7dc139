// SPDX-License-Identifier: MIT
/* The scenario runner: bounds in time, threads, the kernel's log, and that nothing is left behind. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scenario_rig.h"

/* --- time */

static void takes(double min, double max)
{
	if (result.seconds < min || result.seconds > max)
		fail_msg("took %.3f s, not %.3f to %.3f", result.seconds, min, max);
}

static void test_parallel(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0 1\nlet n 3\nparallel 200\n"
			      "cpu 0: set lapic.svr 0x1ff\nmsi dest=9 vector=0x40\nexpect accepted = 0\n"
			      "and\n"
			      "let n n + 1\nrepeat 1 << 60\ncpu 1: set lapic.svr 0x1ff\nend\n"
			      "and\n"
			      "cpu 1: run 100000\n"
			      "end\nexpect n = 3\n");
	takes(0.2, 8);
	/* The expect in the first branch came again and again. */
	assert_true(result.findings[0].times > 1);
}

/* Without time each branch is done once. */
static void test_parallel_once(void **state)
{
	(void)state;
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL), VERDICT_OK,
	      HEADER("guard") "cpus 0 1* 2*\nparallel 0\ncreate cpu 1\nand\ncreate cpu 2\n"
			      "and\ncpu 0: guest_debug enable\nend\n"
			      "expect cpu 1: lapic.id = 0x01000000\n"
			      "expect cpu 2: lapic.id = 0x02000000\n");
}

/* Each branch once, as a whole. */
static void test_parallel_0(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0\nparallel 0\nrepeat 5\nexpect 1 = 1\nend\nand\nexpect 2 = 2\nend\n");
	assert_int_equal(result.nfindings, 2);
	assert_int_equal(result.findings[0].times + result.findings[1].times, 6);
}

static void test_parallel_that_fails(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_ERROR,
	      HEADER("guard") "cpus 0\nparallel 10000\nrepeat 1 << 60\nexpect 1 = 1\nend\nand\n"
			      "cpu 0: set msr[0xdead0000] 1\nend\nexpect 1 = 1\n");
	assert_non_null(strstr(result.why, "0xdead0000"));
	takes(0, 8);
}

static void test_timeout(void **state)
{
	static const char *const endless[] = {
		"repeat ~0\nexpect 1 = 1\nend\n",
		"repeat ~0\nrepeat ~0\ncpu 0: set lapic.svr 0x1ff\nend\nend\n",
		"parallel 1000000\nexpect 1 = 1\nand\nrepeat ~0\nexpect 2 = 2\nend\nend\n",
		"cpu 1: set mp_state halted\ncpu 1: run 1000000\n",
	};
	char text[512];

	(void)state;
	for (unsigned i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
		struct scenario *s;

		snprintf(text, sizeof(text), HEADER("guard") "cpus 0 1\n%sexpect 1 = 1\n",
			 endless[i]);
		s = parse(text);
		run_parsed(s, IRQCHIP_SPLIT, 100);
		scenario_free(s);
		assert_int_equal(result.verdict, VERDICT_ERROR);
		assert_non_null(strstr(result.why, "timed out after 100 ms"));
		takes(0.1, 8);
	}
}

static void test_run_is_bounded(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0 1\ncpu 0: set mp_state halted\ncpu 0: run 30\n"
			      "expect exit = timeout\ncpu 1: run 0\nexpect exit = timeout\n");
}

/* --- the kernel's log */

static void test_kmsg(void **state)
{
	static const char *const records[] = {
		"4,1,1,-;WARNING: CPU: 1 PID: 2 at arch/x86/kvm/x86.c:3\n DEVICE=x\n",
		"4,2,1,-;WARNING: CPU: 1 PID: 2 at fs/open.c:3\n",
		"6,2,1,-;WARNING: kvm: not that bad\n",
		"12,3,1,-;WARNING: kvm: from a process\n",
		"0,4,1,-;BUG: unable to handle page fault\n",
		"2,9,1,-;kernel BUG at arch/x86/kvm/lapic.c:2682!\n",
		"4,5,1,-;all is well\n",
		"1,6,1,-;Oops: general protection fault\n",
		"4,7,1,-\n",
		"\n",
	};
	struct kmsg k = {.fd = -1};
	uint64_t count = 0;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	k.fd = fds[0];
	assert_int_equal(kmsg_warnings(&k, &count), 0);
	assert_int_equal(count, 0);
	for (unsigned i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		assert_true(write(fds[1], records[i], strlen(records[i])) > 0);
	assert_int_equal(kmsg_warnings(&k, &count), 0);
	assert_int_equal(count, 4);
	assert_int_equal(kmsg_warnings(&k, &count), 0);
	assert_int_equal(count, 4);
	close(fds[0]);
	close(fds[1]);
}

static void test_warnings(void **state)
{
	const char *text = HEADER("guard") "cpus 0\nexpect warnings = 0\n";
	struct kmsg k;

	(void)state;
	if (kmsg_open(&k) == 0) {
		close(k.fd);
		gives(ALL_MODES, VERDICT_OK, text);
	} else {
		gives(ALL_MODES, VERDICT_SKIP, text);
		assert_non_null(strstr(result.why, "/dev/kmsg"));
	}
}

/* --- nothing is left behind */

static unsigned entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static unsigned mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned n = 0;
	int c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void leaks_nothing(enum irqchip_mode mode, unsigned times)
{
	/* To the end; to an error in a branch; to one where the VM is half made. */
	struct scenario *all[] = {
		parse(EXAMPLE("bug", "0x01000000", "1", "1", "0")),
		parse(HEADER("guard") "cpus 0 1*\nparallel 0\ncreate cpu 1\nand\n"
				      "cpu 0: set msr[0xdead0000] 1\nend\nexpect warnings = 0\n"),
		parse(HEADER("guard") "cpus 0 0xfffffff0*\ncreate cpu 0xfffffff0\nexpect 1 = 1\n"),
		parse(HEADER("guard") "cpus 0\ncap hyperv_enforce_cpuid 1 << 60\nexpect 1 = 1\n"),
		/* What is watched; a skip half-way, and one before anything was opened. */
		parse(HEADER("guard") "cpus 0\nexpect trace.kvm_exit = cpu 0: stat.exits\n"),
		/* Memory that is left, that is deleted, that is refused. */
		parse(HEADER("guard") "cpus 0\nmemslot slot=5 gpa=0x200000 size=0x2000\n"
				      "memslot slot=6 gpa=0x300000 size=0x2000\nunmap 0x201000\n"
				      "memslot slot=6 gpa=0 size=0\n"
				      "memslot slot=6 gpa=0x200000 size=0x2000\nexpect 1 = 1\n"),
		parse(HEADER("guard") "cpus 0\nexpect trace.kvm_exit = trace.no_such_event\n"),
		parse(HEADER("guard") "cpus 0xfffffff0\nexpect trace.kvm_exit = 0\n"),
	};
	int stdin_flags = fcntl(STDIN_FILENO, F_GETFD);
	unsigned fds = 0, threads = 0, maps = 0;

	for (unsigned i = 0; i < times; i++) {
		for (unsigned j = 0; j < sizeof(all) / sizeof(all[0]); j++)
			run_parsed(all[j], mode, 10000);
		if (i == times / 10) {
			fds = entries("/proc/self/fd");
			threads = entries("/proc/self/task");
			maps = mappings();
		}
	}
	assert_int_equal(entries("/proc/self/fd"), fds);
	assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), stdin_flags);
	assert_int_equal(entries("/proc/self/task"), threads);
	/* malloc may have grown by an arena, or two. */
	assert_true(mappings() <= maps + 8);
	for (unsigned j = 0; j < sizeof(all) / sizeof(all[0]); j++)
		scenario_free(all[j]);
}

static void test_no_leak(void **state)
{
	(void)state;
	leaks_nothing(IRQCHIP_SPLIT, 500);
	/* To destroy a VM with memory or KVM's IOAPIC takes KVM a tenth of a second, at times. */
	leaks_nothing(IRQCHIP_KERNEL, 5);
	leaks_nothing(IRQCHIP_USER, 5);
}

TEST_MAIN(cmocka_unit_test(test_parallel), cmocka_unit_test(test_parallel_once),
	  cmocka_unit_test(test_parallel_0), cmocka_unit_test(test_parallel_that_fails),
	  cmocka_unit_test(test_timeout), cmocka_unit_test(test_run_is_bounded),
	  cmocka_unit_test(test_kmsg), cmocka_unit_test(test_warnings),
	  cmocka_unit_test(test_no_leak))

// SPDX-License-Identifier: MIT
/* Which back end the loop takes, and what it says of that; the contract is loop.h. */
#include "test.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/loop.h"

#define NO_SECCOMP 77

/* In a child: io_uring_setup fails with `error` from here on, as container sandboxes do it. */
static void refuse_io_uring(int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		_exit(NO_SECCOMP);
}

static int create_refused(int error, const char *wish)
{
	const char *why = NULL;
	struct error err = {0};
	struct loop *loop;

	refuse_io_uring(error);
	unsetenv("SIPI_IO");
	if (wish)
		setenv("SIPI_IO", wish, 1);
	loop = loop_create(&why, &err);
	if (!loop)
		return err.code == EXIT_SKIP && strstr(err.text, "io_uring") ? 1 : 2;
	return !strcmp(loop_backend(loop), "epoll") && why && *why ? 0 : 3;
}

static int in_child(int error, const char *wish)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(create_refused(error, wish));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void epoll_serves_where_io_uring_is_refused(void **state)
{
	(void)state;
	if (in_child(EPERM, NULL) == NO_SECCOMP) {
		print_message("# no seccomp here: not done\n");
		return;
	}
	assert_int_equal(in_child(EPERM, NULL), 0);
	assert_int_equal(in_child(ENOSYS, NULL), 0);
	assert_int_equal(in_child(ENOMEM, NULL), 0);
	assert_int_equal(in_child(EPERM, "io_uring"), 1);
}

static void epoll_can_be_asked_for(void **state)
{
	struct error err;
	const char *why = NULL;
	struct loop *loop;

	(void)state;
	setenv("SIPI_IO", "epoll", 1);
	loop = loop_create(&why, &err);
	assert_non_null(loop);
	assert_string_equal(loop_backend(loop), "epoll");
	assert_string_equal(why, "SIPI_IO=epoll");
	loop_destroy(loop);
	unsetenv("SIPI_IO");
}

static void an_unknown_back_end_is_an_error(void **state)
{
	struct error err = {0};

	(void)state;
	setenv("SIPI_IO", "kqueue", 1);
	assert_null(loop_create(NULL, &err));
	assert_int_equal(err.code, EXIT_SETUP);
	assert_non_null(strstr(err.text, "SIPI_IO=kqueue"));
	unsetenv("SIPI_IO");
}

TEST_MAIN(cmocka_unit_test(epoll_serves_where_io_uring_is_refused),
	  cmocka_unit_test(epoll_can_be_asked_for),
	  cmocka_unit_test(an_unknown_back_end_is_an_error))

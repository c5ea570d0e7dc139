// SPDX-License-Identifier: MIT
/* The console on a terminal: a pty, with a small shell that runs the console as its job. */
#include "console_rig.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>

struct tty {
	int master, slave;
	int report[2]; /* the shell's: J when its job runs, S when it has stopped */
	int output[2]; /* the job's stdout, unless that is the tty */
	pid_t shell;
	volatile pid_t *job; /* shared with the shell */
};

enum place { FOREGROUND, BACKGROUND };

static void tty_open(struct tty *t)
{
	t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(t->master >= 0);
	assert_int_equal(grantpt(t->master), 0);
	assert_int_equal(unlockpt(t->master), 0);
	t->slave = open(ptsname(t->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(t->slave >= 0);
	assert_int_equal(pipe2(t->report, O_CLOEXEC), 0);
	assert_int_equal(pipe2(t->output, O_CLOEXEC), 0);
	t->job = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(t->job, MAP_FAILED);
}

static void tty_close(struct tty *t)
{
	munmap((void *)t->job, 4096);
	close(t->master);
	close(t->slave);
	for (int i = 0; i < 2; i++) {
		close(t->report[i]);
		close(t->output[i]);
	}
}

static bool is_raw(const struct tty *t)
{
	struct termios now;

	assert_int_equal(tcgetattr(t->slave, &now), 0);
	return !(now.c_lflag & (ICANON | ECHO | ISIG));
}

/* Whether the mode becomes the wanted one within a few seconds. */
static bool becomes_raw(const struct tty *t, bool raw)
{
	for (int i = 0; i < 500 && is_raw(t) != raw; i++)
		usleep(10000);
	return is_raw(t) == raw;
}

/* Waits for the job; dies of what killed it, without a second core file. */
static void shell(const struct tty *t)
{
	int status = 0;

	while (waitpid(*t->job, &status, WUNTRACED) == *t->job && WIFSTOPPED(status))
		CHECK(write(t->report[1], "S", 1) == 1);
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	signal(WTERMSIG(status), SIG_DFL);
	kill(getpid(), WTERMSIG(status));
	_exit(99);
}

static void job_or_shell(const struct tty *t, enum place place, const struct rig_fds *fds,
			 void (*body)(void))
{
	struct rlimit none = {0, 0};
	pid_t job;

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CHECK(setsid() > 0);
	CHECK(!ioctl(t->slave, TIOCSCTTY, 0));
	signal(SIGTTOU, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	job = fork();
	CHECK(job >= 0);
	if (job) {
		*t->job = job;
		setpgid(job, job);
		if (place == FOREGROUND)
			tcsetpgrp(t->slave, job);
		if (write(t->report[1], "J", 1) != 1)
			_exit(1);
		shell(t);
	}
	setpgid(0, 0);
	if (place == FOREGROUND)
		tcsetpgrp(t->slave, getpid());
	signal(SIGTTOU, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	rig_redirect(fds);
	body();
	_exit(0);
}

static void start_with(void **state, struct tty *t, enum place place, int out, int err,
		       void (*body)(void))
{
	struct rig_fds fds = {t->slave, out, err};

	loop_destroy(open_loop(state)); /* SIPI_IO is set now */
	fflush(NULL);
	t->shell = fork();
	assert_true(t->shell >= 0);
	if (t->shell)
		return;
	rig_default_signals();
	close(t->master);
	job_or_shell(t, place, &fds, body);
}

static void start(void **state, struct tty *t, void (*body)(void))
{
	tty_open(t);
	start_with(state, t, FOREGROUND, t->output[1], -1, body);
}

static int finish(struct tty *t)
{
	int status;

	assert_int_equal(waitpid(t->shell, &status, 0), t->shell);
	return status;
}

/* The job says that its console is open. */
static void say_ready(void)
{
	CHECK(write(STDOUT_FILENO, "R", 1) == 1);
}

static void wait_ready(struct tty *t)
{
	char c = 0;

	close(t->output[1]);
	t->output[1] = -1;
	if (read(t->output[0], &c, 1) != 1)
		finish(t);
	assert_int_equal(c, 'R');
	assert_int_equal(read(t->report[0], &c, 1), 1);
	assert_int_equal(c, 'J');
}

static void send(const struct tty *t, int sig)
{
	assert_true(*t->job > 1);
	kill(*t->job, sig);
}

static void type(const struct tty *t, const char *keys)
{
	size_t n = strlen(keys);

	assert_int_equal(write(t->master, keys, n), n);
}

/* --- the mode */

static void until_last_body(void)
{
	rig_open(CONSOLE_STDIO, NULL);
	say_ready();
	loop_run(rig.loop);
	rig_close(100);
}

static void raw_while_open_and_restored_by_close(void **state)
{
	struct tty t;
	struct termios before, now;

	start(state, &t, until_last_body);
	tcgetattr(t.master, &before);
	wait_ready(&t);
	assert_true(is_raw(&t));
	tcgetattr(t.slave, &now);
	assert_true(now.c_oflag & OPOST); /* lines on stderr end in \n alone */
	assert_int_equal(fcntl(t.slave, F_GETFL) & O_NONBLOCK, 0);
	type(&t, "abc!");
	assert_int_equal(finish(&t), 0);
	assert_false(is_raw(&t));
	tty_close(&t);
}

static void exit_body(void)
{
	rig_open(CONSOLE_STDIO, NULL);
	say_ready();
	loop_run(rig.loop);
	exit(0);
}

static void restored_by_exit(void **state)
{
	struct tty t;

	start(state, &t, exit_body);
	wait_ready(&t);
	assert_true(is_raw(&t));
	type(&t, "!");
	assert_int_equal(finish(&t), 0);
	assert_false(is_raw(&t));
	tty_close(&t);
}

/* Restored, and dead of that same signal. */
static void restored_by_each_signal_that_ends_us(void **state)
{
	static const int signals[] = {SIGSEGV, SIGBUS,	SIGFPE,	 SIGILL,  SIGABRT, SIGTRAP,
				      SIGSYS,  SIGQUIT, SIGUSR1, SIGXCPU, SIGALRM};

	if (signals_are_held_back(state))
		return;
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct tty t;
		int status;

		start(state, &t, until_last_body);
		wait_ready(&t);
		assert_true(is_raw(&t));
		send(&t, signals[i]);
		status = finish(&t);
		assert_false(is_raw(&t));
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
		tty_close(&t);
	}
}

static void fault_body(void)
{
	rig_open(CONSOLE_STDIO, NULL);
	say_ready();
	loop_run(rig.loop);
	__builtin_trap();
}

static void abort_body(void)
{
	rig_open(CONSOLE_STDIO, NULL);
	say_ready();
	loop_run(rig.loop);
	abort();
}

static void restored_by_our_own_fault(void **state)
{
	void (*const bodies[])(void) = {fault_body, abort_body};

	for (int i = 0; i < 2; i++) {
		struct tty t;
		int status;

		start(state, &t, bodies[i]);
		wait_ready(&t);
		assert_true(is_raw(&t));
		type(&t, "!");
		status = finish(&t);
		assert_false(is_raw(&t));
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), i ? SIGABRT : SIGILL);
		tty_close(&t);
	}
}

static void wait_stopped(struct tty *t)
{
	char c;

	assert_int_equal(read(t->report[0], &c, 1), 1);
}

static void cooked_while_stopped_and_raw_when_continued(void **state)
{
	struct tty t;
	struct termios cooked;

	if (signals_are_held_back(state))
		return;
	tty_open(&t);
	tcgetattr(t.slave, &cooked);
	start_with(state, &t, FOREGROUND, t.output[1], -1, until_last_body);
	wait_ready(&t);
	for (int i = 0; i < 2; i++) {
		send(&t, SIGTSTP);
		wait_stopped(&t);
		assert_false(is_raw(&t));
		send(&t, SIGCONT);
		assert_true(becomes_raw(&t, true));
		usleep(20000); /* SIGTSTP's handler is in place again */
	}
	/* SIGSTOP cannot be caught; the shell sets its own mode */
	send(&t, SIGSTOP);
	wait_stopped(&t);
	assert_true(is_raw(&t));
	tcsetattr(t.slave, TCSANOW, &cooked);
	send(&t, SIGCONT);
	assert_true(becomes_raw(&t, true));
	type(&t, "!");
	assert_int_equal(finish(&t), 0);
	assert_false(is_raw(&t));
	tty_close(&t);
}

static void background_body(void)
{
	rig_open(CONSOLE_STDIO, NULL);
	say_ready();
	rig_run_for(50 * MS);
	rig_close(100);
}

/* Nor is it stopped by SIGTTOU. */
static void in_the_background_the_mode_is_left_alone(void **state)
{
	struct tty t;

	tty_open(&t);
	start_with(state, &t, BACKGROUND, t.output[1], -1, background_body);
	wait_ready(&t);
	assert_false(is_raw(&t));
	assert_int_equal(finish(&t), 0);
	assert_false(is_raw(&t));
	tty_close(&t);
}

/* --- the keys */

static void keys_body(void)
{
	rig_open(CONSOLE_STDIO, NULL);
	say_ready();
	loop_run(rig.loop);
	CHECK(rig.ngot == 6 && !memcmp(rig.got, "p\001\001xq!", 6));
	CHECK(!rig.quits);
	rig_close(100);
}

/* Ctrl-A twice and Ctrl-A a are one Ctrl-A; an unknown key is dropped; x alone is an x. */
static void ctrl_a_is_the_prefix(void **state)
{
	struct tty t;

	start(state, &t, keys_body);
	wait_ready(&t);
	type(&t, "p\001\001\001axq\001z!");
	assert_int_equal(finish(&t), 0);
	tty_close(&t);
}

static void quit_body(void)
{
	rig.quota = 0; /* a guest that hangs reads nothing */
	rig_open(CONSOLE_STDIO, NULL);
	say_ready();
	loop_run(rig.loop);
	CHECK(rig.quits == 1 && !rig.ngot);
	rig_close(100);
}

static void ctrl_a_x_quits_even_when_the_guest_does_not_read(void **state)
{
	struct tty t;

	start(state, &t, quit_body);
	wait_ready(&t);
	type(&t, "are you there?\r");
	usleep(20000);
	type(&t, "\001");
	usleep(20000);
	type(&t, "x");
	assert_int_equal(finish(&t), 0);
	assert_false(is_raw(&t));
	tty_close(&t);
}

static void ctrl_a_h_lists_the_keys_on_stderr(void **state)
{
	struct tty t;
	char text[1024] = "";
	ssize_t n;

	tty_open(&t);
	start_with(state, &t, FOREGROUND, t.output[1], t.slave, until_last_body);
	wait_ready(&t);
	type(&t, "\001h!");
	assert_int_equal(finish(&t), 0);
	n = read(t.master, text, sizeof(text) - 1);
	assert_true(n > 0);
	assert_non_null(strstr(text, "Ctrl-A x "));
	assert_non_null(strstr(text, "\r\n")); /* no staircase */
	tty_close(&t);
}

/* --- output on a terminal */

static unsigned stuck_piece;

static void stuck_body(void)
{
	uint64_t start_ns;

	rig_open(CONSOLE_STDIO, NULL);
	for (unsigned i = 0; i < 100000 / stuck_piece; i++) {
		for (unsigned j = 0; j < stuck_piece; j++)
			rig_putc('a');
		rig_run_for(MS / 2); /* must return, though nobody reads */
	}
	for (unsigned i = 0; i < 65536; i++)
		rig_putc('b');
	start_ns = clock_now_ns();
	rig_close(50);
	CHECK(clock_now_ns() - start_ns < 5000 * MS);
	CHECK(rig.failures == 1 && rig.error == ETIMEDOUT);
}

/*
 * A blocking write to a terminal waits for room for all of it; ours must not. The size of the
 * pieces decides whether the last one fits.
 */
static void a_stuck_terminal_blocks_nothing(void **state)
{
	for (stuck_piece = 2000; stuck_piece < 4096; stuck_piece += 523) {
		struct tty t;

		tty_open(&t);
		start_with(state, &t, FOREGROUND, t.slave, -1, stuck_body);
		assert_int_equal(finish(&t), 0);
		assert_int_equal(fcntl(t.slave, F_GETFL) & O_NONBLOCK, 0);
		assert_false(is_raw(&t));
		tty_close(&t);
	}
}

static void hangup_body(void)
{
	signal(SIGHUP, SIG_IGN); /* cmd/run.c makes it an end; here the run goes on */
	rig_open(CONSOLE_STDIO, NULL);
	say_ready();
	rig_run_for(200 * MS);
	CHECK(rig.entered < 60);
	rig_close(100);
}

/* The other end is gone: the end of input, and no reason to spin or to end. */
static void a_hangup_ends_input(void **state)
{
	struct tty t;

	start(state, &t, hangup_body);
	wait_ready(&t);
	close(t.master);
	t.master = -1;
	assert_int_equal(finish(&t), 0);
	tty_close(&t);
}

TEST_MAIN(BOTH(raw_while_open_and_restored_by_close), BOTH(restored_by_exit),
	  BOTH(restored_by_each_signal_that_ends_us), BOTH(restored_by_our_own_fault),
	  BOTH(cooked_while_stopped_and_raw_when_continued),
	  BOTH(in_the_background_the_mode_is_left_alone), BOTH(ctrl_a_is_the_prefix),
	  BOTH(ctrl_a_x_quits_even_when_the_guest_does_not_read),
	  BOTH(ctrl_a_h_lists_the_keys_on_stderr), BOTH(a_stuck_terminal_blocks_nothing),
	  BOTH(a_hangup_ends_input))

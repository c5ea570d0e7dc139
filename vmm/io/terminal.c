// SPDX-License-Identifier: MIT
/*
 * Raw mode, and its end. A process has at most one controlling terminal, and signal handlers need
 * to find it, hence the one static object here. All that the handlers call is async-signal-safe
 * (signal-safety(7)).
 */
#include "io/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

enum terminal_mode { TERMINAL_CLOSED, TERMINAL_COOKED, TERMINAL_RAW };

static struct {
	_Atomic enum terminal_mode mode;
	struct termios saved, raw;
} terminal;

/* What ends a process by default. Faults first: they may have a former handler (a sanitizer's). */
#define FAULTS 4
static const int end_signals[] = {
	SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGABRT,   SIGTRAP, SIGSYS, SIGQUIT, SIGXCPU,
	SIGXFSZ, SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGIO,	SIGPWR,	 SIGSTKFLT,
};
#define ENDS (sizeof(end_signals) / sizeof(end_signals[0]))
static struct sigaction former[ENDS];

static bool foreground(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* SIGTTOU is blocked: the shell may have put us into the background since we looked. */
static void set_attributes(const struct termios *t)
{
	sigset_t ttou, old;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &ttou, &old);
	tcsetattr(STDIN_FILENO, TCSANOW, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void terminal_enter(void)
{
	if (terminal.mode != TERMINAL_COOKED || !foreground())
		return;
	/* First the mode: a signal between the two must restore. */
	terminal.mode = TERMINAL_RAW;
	set_attributes(&terminal.raw);
}

/* In the background the terminal is the shell's, and has the shell's mode already. */
static void restore(void)
{
	if (terminal.mode != TERMINAL_RAW)
		return;
	if (foreground())
		set_attributes(&terminal.saved);
	terminal.mode = TERMINAL_COOKED;
}

static void on_end(int sig, siginfo_t *info, void *context)
{
	unsigned i = 0;

	(void)context;
	restore();
	while (end_signals[i] != sig)
		i++;
	sigaction(sig, &former[i], NULL);
	/*
	 * A fault happens again when we return, and then the former handler or the core file sees
	 * its address. Everything else waits, blocked, for our return.
	 */
	if (i >= FAULTS || info->si_code <= 0)
		raise(sig);
}

/* However we were stopped, the shell has set the terminal to its own mode meanwhile. */
static void on_continue(int sig)
{
	int saved = errno;

	(void)sig;
	if (terminal.mode != TERMINAL_CLOSED) {
		terminal.mode = TERMINAL_COOKED;
		terminal_enter();
	}
	errno = saved;
}

/* Stops by the default action, as SIGSTOP would also stop an orphaned process group for good. */
static void on_stop(int sig)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL}, own;
	int saved = errno;
	sigset_t stop, old;

	restore();
	sigaction(sig, &dfl, &own);
	raise(sig);
	sigemptyset(&stop);
	sigaddset(&stop, sig);
	pthread_sigmask(SIG_UNBLOCK, &stop, &old);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	sigaction(sig, &own, NULL);
	terminal_enter();
	errno = saved;
}

/* Signals that are ignored, or that somebody else handles, stay as they are. */
static void take_signals(void)
{
	struct sigaction end = {.sa_sigaction = on_end, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
	struct sigaction cont = {.sa_handler = on_continue, .sa_flags = SA_RESTART};
	struct sigaction old;

	for (unsigned i = 0; i < ENDS; i++) {
		sigaction(end_signals[i], NULL, &former[i]);
		if (former[i].sa_handler == SIG_DFL ||
		    (i < FAULTS && former[i].sa_handler != SIG_IGN))
			sigaction(end_signals[i], &end, NULL);
	}
	sigaction(SIGTSTP, NULL, &old);
	if (old.sa_handler == SIG_DFL)
		sigaction(SIGTSTP, &stop, NULL);
	sigaction(SIGCONT, &cont, NULL);
}

/* Handlers that others have installed since are not touched. */
static void give_signals_back(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL}, now;

	for (unsigned i = 0; i < ENDS; i++) {
		sigaction(end_signals[i], NULL, &now);
		if (now.sa_sigaction == on_end)
			sigaction(end_signals[i], &former[i], NULL);
	}
	sigaction(SIGTSTP, NULL, &now);
	if (now.sa_handler == on_stop)
		sigaction(SIGTSTP, &dfl, NULL);
	sigaction(SIGCONT, &dfl, NULL);
}

void terminal_open(void)
{
	static bool registered;

	if (terminal.mode != TERMINAL_CLOSED || tcgetattr(STDIN_FILENO, &terminal.saved))
		return;
	terminal.raw = terminal.saved;
	cfmakeraw(&terminal.raw);
	/*
	 * Output processing stays as the user has it: what we and others write to stderr ends its
	 * lines with \n alone. The second \r that the guest's \r\n gets that way cannot be seen.
	 */
	terminal.raw.c_oflag = terminal.saved.c_oflag;
	if (!registered)
		registered = !atexit(restore);
	terminal.mode = TERMINAL_COOKED;
	take_signals();
	terminal_enter();
}

void terminal_close(void)
{
	if (terminal.mode == TERMINAL_CLOSED)
		return;
	restore();
	give_signals_back();
	terminal.mode = TERMINAL_CLOSED;
}

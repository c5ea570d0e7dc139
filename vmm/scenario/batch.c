// SPDX-License-Identifier: MIT
#include "scenario/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"

/*
 * The runner keeps the time limit; who is that much later does not. Making a VM and taking it apart waits for RCU, for
 * seconds on a host that has much to do.
 */
#define GRACE_NS (10 * NSEC_PER_SEC)
/* A process that is stuck in the kernel does not even die of SIGKILL, and is left behind. */
#define KILL_NS (5 * NSEC_PER_SEC)
/* How many jobs the others may be ahead of the slowest: their results wait for its. */
#define WINDOW 4096

enum slot_state { SLOT_FREE, SLOT_RUNS, SLOT_LATE, SLOT_STOPPED };

/* A process. LATE: killed for its time limit; STOPPED: killed because the user wants no more. */
struct slot {
	enum slot_state state;
	pid_t pid;
	int fd; /* gives a struct result; -1: has given all */
	uint64_t start_ns, deadline_ns;
	size_t got;
	struct cell *cell;
};

enum cell_state { CELL_OPEN, CELL_DONE, CELL_LOST };

/* A job that was begun and not yet handed to done(). */
struct cell {
	enum cell_state state;
	struct batch_job job;
	struct result *result;
};

struct pool {
	const struct batch_ops *ops;
	void *arg;
	unsigned parallel, busy;
	int signals; /* a signalfd */
	int signal;  /* the first that wants us to end, or 0 */
	bool exhausted;
	sigset_t mask;	     /* as it was */
	uint64_t head, tail; /* cells[head % WINDOW] is the oldest */
	struct cell cells[WINDOW];
	struct slot slots[BATCH_PARALLEL];
};

static int watch_signals(struct pool *p, struct error *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa;
	sigset_t set;

	/* Were it ignored, as some parents leave it, there would be nothing to wait for. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	/* What whoever started us ignores (nohup) stays ignored. */
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, &p->mask);
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signals < 0)
		return error_set(err, EXIT_SETUP, "signalfd: %s", strerror(errno));
	return 0;
}

static void write_all(int fd, const void *from, size_t len)
{
	const char *p = from;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(EXIT_SETUP);
		p += n;
		len -= (size_t)n;
	}
}

static _Noreturn void child(const struct pool *p, const struct batch_job *job, int fd, pid_t parent)
{
	static struct result result;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_SETUP);
	/* A terminal sends Ctrl-C to all its processes; what becomes of us is the parent's decision. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigprocmask(SIG_SETMASK, &p->mask, NULL);
	close(p->signals);
	scenario_run(job->scenario, job->mode, &job->limits, &result);
	write_all(fd, &result, sizeof(result));
	_exit(EXIT_OK);
}

static void close_cell(struct cell *c, enum verdict verdict, const char *why, uint64_t ns)
{
	c->state = CELL_DONE;
	c->result->verdict = verdict;
	c->result->nfindings = 0;
	c->result->seconds = (double)ns / (double)NSEC_PER_SEC;
	snprintf(c->result->why, sizeof(c->result->why), "%s", why);
}

static void start(struct pool *p, struct slot *s, struct cell *c)
{
	pid_t parent = getpid();
	int fds[2] = {-1, -1};

	*s = (struct slot){.cell = c, .start_ns = clock_now_ns()};
	if (pipe2(fds, O_CLOEXEC) == 0)
		s->pid = fork();
	if (fds[0] < 0 || s->pid < 0) {
		char why[100];

		snprintf(why, sizeof(why), "no process for it: %s", strerror(errno));
		close_cell(c, VERDICT_ERROR, why, 0);
		if (fds[0] >= 0) {
			close(fds[0]);
			close(fds[1]);
		}
		return;
	}
	if (s->pid == 0)
		child(p, &c->job, fds[1], parent);
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	s->fd = fds[0];
	s->deadline_ns = s->start_ns + c->job.limits.timeout_ms * NSEC_PER_MSEC + GRACE_NS;
	s->state = SLOT_RUNS;
	p->busy++;
}

/* False: there is no job, no room or no memory for one. */
static bool begin(struct pool *p, struct slot *s)
{
	struct cell *c = &p->cells[p->tail % WINDOW];
	struct result *result;

	if (p->tail - p->head == WINDOW)
		return false;
	result = calloc(1, sizeof(*result));
	if (!result)
		return false;
	*c = (struct cell){.result = result};
	if (!p->ops->next(p->arg, &c->job)) {
		p->exhausted = true;
		free(result);
		return false;
	}
	p->tail++;
	if (c->job.skip)
		close_cell(c, VERDICT_SKIP, c->job.skip, 0);
	else
		start(p, s, c);
	return true;
}

static void begin_some(struct pool *p)
{
	for (unsigned i = 0; i < p->parallel; i++)
		while (p->slots[i].state == SLOT_FREE && !p->exhausted && !p->signal)
			if (!begin(p, &p->slots[i]))
				return;
}

static void deliver(struct pool *p)
{
	for (; p->head < p->tail; p->head++) {
		struct cell *c = &p->cells[p->head % WINDOW];

		if (c->state == CELL_OPEN)
			return;
		if (c->state == CELL_DONE)
			p->ops->done(p->arg, &c->job, c->result);
		free(c->result);
	}
}

static void close_pipe(struct slot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* A pipe at its end is closed at once: poll() would call it ready for ever. */
static void receive(struct slot *s)
{
	char *to = (char *)s->cell->result;
	ssize_t n;

	while (s->fd >= 0) {
		n = read(s->fd, to + s->got, sizeof(struct result) - s->got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		s->got += (size_t)n;
		if (n == 0 || s->got == sizeof(struct result))
			close_pipe(s);
	}
}

/* It comes from a process that may have overwritten anything. */
static bool sane(struct result *r)
{
	if ((unsigned)r->verdict >= VERDICTS || r->nfindings > FINDINGS)
		return false;
	r->why[sizeof(r->why) - 1] = '\0';
	for (unsigned i = 0; i < r->nfindings; i++) {
		struct finding *f = &r->findings[i];

		f->text[sizeof(f->text) - 1] = '\0';
		if ((unsigned)f->cmp > CMP_GE || (unsigned)f->what > SEEN_OTHER)
			return false;
	}
	return true;
}

static void set_free(struct pool *p, struct slot *s)
{
	close_pipe(s);
	s->state = SLOT_FREE;
	p->busy--;
}

/* The process is gone: with its result, or with how it died as the result. */
static void ended(struct pool *p, struct slot *s, int status)
{
	uint64_t ns = clock_now_ns() - s->start_ns;
	struct cell *c = s->cell;
	char why[160];

	receive(s);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && s->got == sizeof(struct result) &&
	    sane(c->result)) {
		c->state = CELL_DONE;
	} else if (s->state == SLOT_STOPPED) {
		c->state = CELL_LOST;
	} else {
		if (s->state == SLOT_LATE)
			snprintf(why, sizeof(why), "did not end within %.6g s and was killed",
				 c->job.limits.timeout_ms / 1000.0);
		else if (WIFSIGNALED(status))
			snprintf(why, sizeof(why), "its process died of signal %d (%s)",
				 WTERMSIG(status), strsignal(WTERMSIG(status)));
		else
			snprintf(why, sizeof(why),
				 "its process ended with exit code %d and no result",
				 WEXITSTATUS(status));
		close_cell(c, VERDICT_ERROR, why, ns);
	}
	set_free(p, s);
}

static void kill_slot(struct slot *s, enum slot_state why)
{
	kill(s->pid, SIGKILL);
	s->state = why;
	s->deadline_ns = clock_now_ns() + KILL_NS;
}

static void expire(struct pool *p, struct slot *s)
{
	char why[80];

	if (s->state == SLOT_RUNS) {
		kill_slot(s, SLOT_LATE);
		return;
	}
	snprintf(why, sizeof(why), "process %d cannot be killed: it is stuck in the kernel",
		 s->pid);
	close_cell(s->cell, VERDICT_ERROR, why, clock_now_ns() - s->start_ns);
	set_free(p, s);
}

static void read_signals(struct pool *p)
{
	struct signalfd_siginfo info;

	while (read(p->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD && !p->signal)
			p->signal = (int)info.ssi_signo;
	for (unsigned i = 0; p->signal && i < p->parallel; i++)
		if (p->slots[i].state == SLOT_RUNS || p->slots[i].state == SLOT_LATE)
			kill_slot(&p->slots[i], SLOT_STOPPED);
}

/* Sleeps until a process says or becomes something, a signal comes, or a time limit is over. */
static void wait_events(const struct pool *p)
{
	struct pollfd fds[1 + BATCH_PARALLEL] = {{.fd = p->signals, .events = POLLIN}};
	uint64_t now = clock_now_ns(), first = UINT64_MAX;
	unsigned n = 1;

	for (unsigned i = 0; i < p->parallel; i++) {
		const struct slot *s = &p->slots[i];

		if (s->state == SLOT_FREE)
			continue;
		if (s->deadline_ns < first)
			first = s->deadline_ns;
		fds[n++] = (struct pollfd){.fd = s->fd, .events = POLLIN};
	}
	poll(fds, n, first <= now ? 0 : (int)((first - now) / 1000000 + 1));
}

static void serve(struct pool *p)
{
	read_signals(p);
	for (unsigned i = 0; i < p->parallel; i++) {
		struct slot *s = &p->slots[i];
		int status;

		if (s->state == SLOT_FREE)
			continue;
		receive(s);
		if (waitpid(s->pid, &status, WNOHANG) == s->pid)
			ended(p, s, status);
		else if (clock_now_ns() >= s->deadline_ns)
			expire(p, s);
	}
}

int batch_run(const struct batch_ops *ops, void *arg, unsigned parallel, struct error *err)
{
	struct pool *p = calloc(1, sizeof(*p));
	uint64_t begun;
	int ret;

	if (!p)
		return error_set(err, EXIT_SETUP, "out of memory");
	p->ops = ops;
	p->arg = arg;
	p->parallel = parallel;
	ret = watch_signals(p, err);
	while (ret == 0) {
		begun = p->tail;
		begin_some(p);
		deliver(p);
		if (p->busy)
			wait_events(p);
		else if (p->exhausted || p->signal)
			break;
		else if (p->tail == begun)
			ret = error_set(err, EXIT_SETUP, "out of memory");
		serve(p);
	}
	if (ret == 0)
		ret = p->signal;
	if (p->signals >= 0)
		close(p->signals);
	if (ret <= 0)
		sigprocmask(SIG_SETMASK, &p->mask, NULL);
	free(p);
	return ret;
}

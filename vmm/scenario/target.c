// SPDX-License-Identifier: MIT
/* What a target is in every irqchip mode: file descriptors, CPUID, and KVM_RUN for a while. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "scenario/runner.h"
#include "util/clock.h"

#define RUN_SIGNAL    SIGUSR1
#define CPUID_ENTRIES 256 /* what kvm_supported_cpuid() has room for */

int target_open(struct target **out, const struct scenario *s, enum irqchip_mode mode,
		struct error *err)
{
	*out = mode == IRQCHIP_USER ? target_user_open(s, err) : target_kvm_open(s, mode, err);
	for (unsigned i = 0; *out && i < SCENARIO_CPUS; i++)
		pthread_mutex_init(&(*out)->runs_now[i], NULL);
	return *out ? 0 : -1;
}

void target_close(struct target *t)
{
	t->ops->destroy(t);
}

/* The APIC ID: in leaf 1 its low 8 bits; in 0xb and 0x1f (extended topology) all of it, in every subleaf. */
static int set_cpuid(const struct target *t, int fd, uint32_t id)
{
	uint8_t room[sizeof(*t->cpuid) + CPUID_ENTRIES * sizeof(t->cpuid->entries[0])]
		__attribute__((aligned(__alignof__(struct kvm_cpuid2))));
	struct kvm_cpuid2 *c = (struct kvm_cpuid2 *)room;

	/* A copy: several threads may create CPUs. */
	memcpy(c, t->cpuid, sizeof(*c) + t->cpuid->nent * sizeof(c->entries[0]));
	for (unsigned i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == 1)
			e->ebx = (e->ebx & 0xffffff) | id << 24;
		if (e->function == 0xb || e->function == 0x1f)
			e->edx = id;
	}
	return kvm_vcpu_set_cpuid(fd, c);
}

int target_adopt(struct target *t, unsigned cpu, int fd)
{
	int r = set_cpuid(t, fd, t->s->cpus[cpu]);

	if (r == 0) {
		t->runs[cpu] = kvm_vcpu_map(fd, t->run_size);
		if (!t->runs[cpu])
			r = -errno;
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	__atomic_store_n(&t->cpus[cpu], fd, __ATOMIC_RELEASE);
	return 0;
}

static void on_time_over(int sig)
{
	(void)sig; /* KVM_RUN returning EINTR is all that is wanted */
}

/* When it fires ahead of KVM_RUN, that does not see it: it fires again and again. */
int target_start_clock(timer_t *timer, unsigned ms)
{
	const struct sigaction sa = {.sa_handler = on_time_over};
	const struct itimerspec at = {
		.it_value = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * NSEC_PER_MSEC) + 1},
		.it_interval = {.tv_nsec = NSEC_PER_MSEC},
	};
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = RUN_SIGNAL};
	sigset_t set;

	ev._sigev_un._tid = gettid();
	sigemptyset(&set);
	sigaddset(&set, RUN_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	if (sigaction(RUN_SIGNAL, &sa, NULL) < 0 || timer_create(CLOCK_MONOTONIC, &ev, timer) < 0)
		return -errno;
	timer_settime(*timer, 0, &at, NULL);
	return 0;
}

int target_run(struct target *t, unsigned cpu, unsigned ms)
{
	uint64_t end = clock_now_ns() + ms * NSEC_PER_MSEC;
	struct kvm_run *run = t->runs[cpu];
	timer_t timer = NULL;
	int r = target_start_clock(&timer, ms);

	if (r < 0)
		return r;
	/* A CPU of ours may have been settled for an INIT: see vcpu_settle(). */
	run->immediate_exit = 0;
	/* EAGAIN: a CPU that waited for INIT-SIPI got one of them. */
	do {
		r = kvm_vcpu_run(t->cpus[cpu]);
	} while ((r == -EINTR || r == -EAGAIN) && clock_now_ns() < end);
	timer_delete(timer);
	if (r == -EINTR || r == -EAGAIN)
		return -ETIMEDOUT;
	return r < 0 ? r : (int)run->exit_reason;
}

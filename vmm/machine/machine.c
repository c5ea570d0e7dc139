// SPDX-License-Identifier: MIT
/* One machine from a board to an outcome: what is made in which order, the lock, and the end. */
#include "machine/machine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "io/line_server.h"
#include "machine/control.h"
#include "machine/internal.h"
#include "util/clock.h"

static const struct irqchip_ops *const irqchips[IRQCHIP_MODES] = {
	[IRQCHIP_SPLIT] = &irqchip_split,
	[IRQCHIP_KERNEL] = &irqchip_kernel,
	[IRQCHIP_USER] = &irqchip_user,
};

const char *irqchip_mode_name(enum irqchip_mode mode)
{
	return mode == IRQCHIP_NONE ? "none" : irqchips[mode]->name;
}

int irqchip_mode_parse(const char *s)
{
	for (int i = 0; i < IRQCHIP_MODES; i++)
		if (strcmp(s, irqchips[i]->name) == 0)
			return i;
	return -1;
}

void machine_lock(void *ctx)
{
	struct machine *m = ctx;

	pthread_mutex_lock(&m->lock);
}

void machine_unlock(void *ctx)
{
	struct machine *m = ctx;
	struct ioapic_msg msgs[QUEUED_MSGS];
	unsigned n = m->queued;

	memcpy(msgs, m->queue, n * sizeof(msgs[0]));
	m->queued = 0;
	pthread_mutex_unlock(&m->lock);
	for (unsigned i = 0; i < n; i++)
		m->irqchip.ops->deliver(m, &msgs[i]);
}

void machine_end(struct machine *m, enum outcome_kind kind, unsigned cpu, unsigned code,
		 const char *fmt, ...)
{
	va_list ap;

	if (atomic_exchange(&m->ended, 1))
		return;
	m->outcome.kind = kind;
	m->outcome.cpu = cpu;
	m->outcome.code = code;
	va_start(ap, fmt);
	vsnprintf(m->outcome.text, sizeof(m->outcome.text), fmt, ap);
	va_end(ap);
	trace(m, -1, "end: %s", m->outcome.text);
	/* The CPU that asked for the end goes no further; the loop's thread stops the others. */
	atomic_store(&m->stop, STOP_QUIT);
	loop_stop(m->loop);
}

/* In the loop, under its guard. */
static void on_control(void *ctx, short revents)
{
	struct machine *m = ctx;
	uint64_t count;

	(void)revents;
	if (read(m->control_fd, &count, sizeof(count)) == sizeof(count))
		machine_serve_requests(m);
}

static void on_timeout(void *ctx)
{
	struct machine *m = ctx;

	machine_end(m, OUTCOME_TIMEOUT, 0, 0, "timed out after %.6g s",
		    (double)m->cfg.timeout_ns / (double)NSEC_PER_SEC);
}

static void on_signal(void *ctx, short revents)
{
	struct machine *m = ctx;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(m->signals.fd, &info, sizeof(info)) != sizeof(info))
		return;
	machine_end(m, OUTCOME_SIGNAL, 0, info.ssi_signo, "%s", strsignal((int)info.ssi_signo));
}

static int watch_signals(struct machine *m, struct error *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa;
	sigset_t set;

	sigemptyset(&set);
	/* What whoever started us ignores (nohup) stays ignored. */
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	/* Before any thread is made, so that all of them inherit it. */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	m->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	m->control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->signals.fd < 0 || m->control_fd < 0)
		return error_set(err, EXIT_SETUP, "signalfd or eventfd: %s", strerror(errno));
	m->signals.events = POLLIN;
	m->signals.ready = on_signal;
	m->signals.ctx = m;
	m->control = (struct watch){
		.fd = m->control_fd, .events = POLLIN, .ready = on_control, .ctx = m};
	return 0;
}

static int create_loop(struct machine *m, struct error *err)
{
	if (watch_signals(m, err) < 0)
		return -1;
	m->loop = loop_create(&m->no_uring, err);
	if (!m->loop)
		return -1;
	loop_set_guard(m->loop, machine_lock, machine_unlock, m);
	if (loop_add(m->loop, &m->signals) < 0 || loop_add(m->loop, &m->control) < 0)
		return error_set(err, EXIT_SETUP, "cannot watch signals");
	if (m->cfg.timeout_ns && timer_open(&m->timeout, m->loop, on_timeout, m, err) < 0)
		return -1;
	return 0;
}

/* Capabilities that change what the guest sees; each before the first vCPU. */
static int enable_caps(struct machine *m, struct error *err)
{
	int r = kvm_enable_cap(m->vm, KVM_CAP_X2APIC_API,
			       KVM_X2APIC_API_USE_32BIT_IDS |
				       KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);

	if (r < 0)
		return error_set(err, EXIT_SKIP,
				 "this KVM has no 32-bit APIC IDs (KVM_CAP_X2APIC_API): %s",
				 strerror(-r));
	/*
	 * Without this, LINT0 of the boot CPU leaves reset unmasked as ExtINT; the manual has it
	 * masked (SDM vol. 3A, "Local APIC State After Power-Up or Reset"; KVM's
	 * KVM_X86_QUIRK_LINT0_REENABLED). A KVM too old to know keeps its quirk.
	 */
	kvm_enable_cap(m->vm, KVM_CAP_DISABLE_QUIRKS, KVM_X86_QUIRK_LINT0_REENABLED);
	/* Else one that is pending survives a reset; a KVM too old to know (before 6.0) keeps it. */
	kvm_enable_cap(m->vm, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1);
	return 0;
}

/* A vCPU takes a file or two; the soft limit is often 1024 and ours to raise. */
static void raise_fd_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static int create(struct machine *m, struct error *err)
{
	raise_fd_limit();
	m->kvm = kvm_open(err);
	if (m->kvm < 0)
		return -1;
	m->vm = kvm_vm_create(m->kvm);
	if (m->vm < 0)
		return error_set(err, EXIT_SKIP, "KVM_CREATE_VM: %s", strerror(-m->vm));
	m->irqchip.ops = irqchips[m->cfg.irqchip];
	if (trace_open(m, err) < 0 || memory_create(m, err) < 0 || memory_load(m, err) < 0 ||
	    enable_caps(m, err) < 0 || create_loop(m, err) < 0 || inject_open(m, err) < 0 ||
	    m->irqchip.ops->create(m, err) < 0 || vcpus_create(m, err) < 0 ||
	    platform_create(m, err) < 0)
		return -1;
	bus_reset(&m->bus, RESET_POWER_ON);
	if (!m->cfg.control_path)
		return 0;
	m->server = line_server_open(m->loop, m->cfg.control_path, control_command, m, err);
	return m->server ? 0 : -1;
}

int machine_create(struct machine **out, const struct machine_config *cfg, struct error *err)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m)
		return error_set(err, EXIT_SETUP, "out of memory");
	m->cfg = *cfg;
	m->kvm = m->vm = m->control_fd = m->signals.fd = -1;
	atomic_init(&m->reset, -1);
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->park, NULL);
	pthread_cond_init(&m->parked, NULL);
	m->start_ns = clock_now_ns();
	if (create(m, err) < 0) {
		machine_destroy(m);
		return -1;
	}
	*out = m;
	return 0;
}

const struct outcome *machine_run(struct machine *m)
{
	struct error err;
	int r;

	m->start_ns = clock_now_ns();
	if (m->cfg.timeout_ns)
		timer_arm(&m->timeout, clock_now_ns() + m->cfg.timeout_ns);
	if (vcpus_start(m, &err) < 0)
		machine_end(m, OUTCOME_KVM, 0, 0, "%s", err.text);
	r = loop_run(m->loop);
	if (r < 0)
		machine_end(m, OUTCOME_KVM, 0, 0, "the event loop: %s", strerror(-r));
	vcpus_quit(m);
	line_server_close(m->server);
	m->server = NULL;
	platform_end_watch(m);
	platform_close_console(m);
	return &m->outcome;
}

void machine_report(struct machine *m)
{
	inject_report(m, stderr);
	switch (m->outcome.kind) {
	case OUTCOME_TRIPLE_FAULT:
	case OUTCOME_STRICT:
	case OUTCOME_KVM:
		crash_report(&m->vcpus[m->outcome.cpu]);
		break;
	case OUTCOME_TIMEOUT:
		where_report(m);
		break;
	default:
		break;
	}
}

void machine_destroy(struct machine *m)
{
	vcpus_quit(m);
	line_server_close(m->server);
	platform_destroy(m);
	vcpus_destroy(m);
	if (m->irqchip.ops && m->irqchip.ops->destroy)
		m->irqchip.ops->destroy(m);
	inject_close(m);
	if (m->timeout.loop)
		timer_close(&m->timeout);
	if (m->loop)
		loop_destroy(m->loop);
	if (m->vm >= 0)
		close(m->vm);
	if (m->kvm >= 0)
		close(m->kvm);
	if (m->control_fd >= 0)
		close(m->control_fd);
	if (m->signals.fd >= 0)
		close(m->signals.fd);
	memory_destroy(m);
	trace_close(m);
	pthread_cond_destroy(&m->parked);
	pthread_mutex_destroy(&m->park);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void machine_stats(const struct machine *m, struct machine_stats *s)
{
	s->unclaimed = m->bus.unclaimed;
	s->console_lost = m->platform.lost;
	s->resets = m->resets;
}

void machine_warnings(const struct machine *m, FILE *f)
{
	if (m->no_uring)
		fprintf(f, "sipi: epoll serves instead of io_uring (%s)\n", m->no_uring);
	if (m->cfg.irqchip == IRQCHIP_USER && !m->irqchip.user.x2apic)
		fprintf(f, "sipi: WARNING: no x2APIC in irqchip mode user on this KVM: %s\n",
			m->irqchip.user.no_x2apic.text);
}

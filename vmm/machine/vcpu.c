// SPDX-License-Identifier: MIT
/* A thread a vCPU: create, run, kick, stop, resume, end. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/internal.h"

#define KICK_SIGNAL  SIGUSR1
#define THREAD_STACK (256 * 1024)
#define XAPIC_ID_MAX 0xff

int vcpu_create(struct vcpu *v, struct error *err)
{
	struct machine *m = v->m;
	unsigned index = v->index;
	int r;

	v->fd = kvm_vcpu_create(m->vm, v->apic_id);
	if (v->fd < 0)
		return error_set(err, EXIT_SETUP, "vCPU %u with APIC ID %u: KVM_CREATE_VCPU: %s%s",
				 index, v->apic_id, strerror(-v->fd),
				 v->fd == -EMFILE ? "; raise the limit: ulimit -n" : "");
	v->run = kvm_vcpu_map(v->fd, m->run_size);
	if (!v->run)
		return error_set(err, EXIT_SETUP, "vCPU %u: cannot map its run area: %s", index,
				 strerror(errno));
	r = cpuid_apply(v);
	if (r < 0)
		return error_set(err, EXIT_SETUP, "vCPU %u: KVM_SET_CPUID2: %s", index,
				 strerror(-r));
	msrs_note_fresh(v);
	if (m->irqchip.ops->add_vcpu && m->irqchip.ops->add_vcpu(v, err) < 0)
		return -1;
	r = m->cfg.raw_cpus ? 0 : vcpu_reset(v, RESET_POWER_ON);
	if (r < 0)
		return error_set(err, EXIT_SETUP, "vCPU %u: power-on: %s", index, strerror(-r));
	v->created = true;
	return 0;
}

/* The board's limits are KVM's, too: say so before KVM says EINVAL. */
static int check_limits(struct machine *m, struct error *err)
{
	const struct board *b = m->cfg.board;
	unsigned max = (unsigned)kvm_check(m->kvm, KVM_CAP_MAX_VCPUS);
	uint32_t max_id = (uint32_t)kvm_check(m->kvm, KVM_CAP_MAX_VCPU_ID);

	if (!max)
		max = 4; /* api.rst, KVM_CREATE_VCPU: assume 4 where the capability is missing */
	if (!max_id)
		max_id = max;
	if (m->nvcpus > max)
		return error_set(err, EXIT_SKIP, "%u CPUs: this host's KVM allows %u", m->nvcpus,
				 max);
	for (unsigned i = 0; i < m->nvcpus; i++)
		if (b->cpus[i].apic_id >= max_id)
			return error_set(err, EXIT_SKIP,
					 "APIC ID %u: this host's KVM allows IDs below %u",
					 b->cpus[i].apic_id, max_id);
	return 0;
}

static int create_or_leave(struct vcpu *v, bool early, struct error *err)
{
	bool enabled = v->m->cfg.board->cpus[v->index].enabled;

	if (!enabled && !early)
		return 0;
	if (vcpu_create(v, err) < 0)
		return -1;
	v->plugged = enabled;
	if (!enabled && vcpu_leave_out(v) < 0)
		return error_set(err, EXIT_KVM, "KVM refuses to disable the APIC of CPU %u",
				 v->index);
	return 0;
}

/*
 * Of CPUs in xAPIC mode whose IDs are the same in 8 bits KVM finds the one that was created first
 * (Documentation/virt/kvm/x86/errata.rst, "x2APIC"; tests/unit/x2apic_ids_test.c). That must be the one whose
 * whole ID this is: where there are IDs of more than 8 bits, all others are created before them, even those
 * that are not plugged yet.
 */
static int create_in_order(struct machine *m, struct error *err)
{
	bool wide = false;

	for (unsigned i = 0; i < m->nvcpus; i++)
		wide |= m->vcpus[i].apic_id > XAPIC_ID_MAX;
	wide &= m->cfg.irqchip != IRQCHIP_USER; /* our own APIC bus tells them apart */
	for (unsigned i = 0; i < m->nvcpus; i++)
		if (m->vcpus[i].apic_id <= XAPIC_ID_MAX &&
		    create_or_leave(&m->vcpus[i], wide, err) < 0)
			return -1;
	for (unsigned i = 0; i < m->nvcpus; i++)
		if (m->vcpus[i].apic_id > XAPIC_ID_MAX &&
		    create_or_leave(&m->vcpus[i], false, err) < 0)
			return -1;
	return 0;
}

int vcpus_create(struct machine *m, struct error *err)
{
	const struct board *b = m->cfg.board;
	int r;

	/* CPUs that are disabled have no vCPU until they are plugged in. */
	m->vcpus = calloc(b->ncpus, sizeof(*m->vcpus));
	if (!m->vcpus)
		return error_set(err, EXIT_SETUP, "out of memory");
	for (unsigned i = 0; i < b->ncpus; i++)
		m->vcpus[i] = (struct vcpu){
			.m = m, .index = i, .apic_id = b->cpus[i].apic_id, .fd = -1, .extint = -1};
	m->nvcpus = b->ncpus;
	if (check_limits(m, err) < 0 || cpuid_create(m, err) < 0)
		return -1;
	r = kvm_vm_set_boot_cpu(m->vm, b->cpus[0].apic_id);
	if (r < 0)
		return error_set(err, EXIT_SETUP, "KVM_SET_BOOT_CPU_ID: %s", strerror(-r));
	m->run_size = kvm_run_size(m->kvm);
	return create_in_order(m, err);
}

/*
 * Completes the access that the last exit was about: KVM does the second half of it (advance RIP,
 * store what was read) at the next KVM_RUN, which must not happen after a reset has set RIP.
 * With immediate_exit KVM does that and returns. An access of many parts exits again for each. A vector that KVM
 * was given and the CPU has not taken yet is brought to where a reset can find it.
 */
void vcpu_settle(struct vcpu *v)
{
	for (unsigned parts = 0; parts < 4096; parts++) {
		__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		if (kvm_vcpu_run(v->fd) != 0)
			break;
		if (!vcpu_handle_exit(v))
			return;
	}
	if (!v->given)
		return;
	v->given = false;
	__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	kvm_vcpu_take_up(v->fd, KICK_SIGNAL);
}

static bool must_wait(const struct vcpu *v)
{
	int stop = atomic_load(&v->m->stop);

	return stop == STOP_PARK || (stop == STOP_NONE && atomic_load(&v->held));
}

/* Out of the way until it may go on, or the end has come. */
static void vcpu_park(struct vcpu *v)
{
	struct machine *m = v->m;

	pthread_mutex_lock(&m->park);
	v->state = VCPU_PARKED;
	m->running--;
	pthread_cond_broadcast(&m->parked);
	while (must_wait(v))
		pthread_cond_wait(&m->parked, &m->park);
	v->state = VCPU_RUNNING;
	m->running++;
	pthread_mutex_unlock(&m->park);
}

/*
 * Where requests are seen. immediate_exit is cleared before they are read and set after they are
 * made (vcpu_kick), so a request is either read here or makes the coming KVM_RUN return at once.
 */
static bool vcpu_checkpoint(struct vcpu *v)
{
	struct machine *m = v->m;

	for (;;) {
		v->seen = atomic_load(&v->wakeups);
		if (__atomic_load_n(&v->run->immediate_exit, __ATOMIC_SEQ_CST))
			__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		if (atomic_load(&m->stop) == STOP_NONE && !atomic_load(&v->held))
			return true;
		if (atomic_load(&m->stop) == STOP_QUIT)
			return false;
		vcpu_settle(v);
		vcpu_park(v);
	}
}
static bool vcpu_run_once(struct vcpu *v)
{
	struct machine *m = v->m;
	int r = m->irqchip.ops->before_run ? m->irqchip.ops->before_run(v) : 0;

	if (r < 0) {
		machine_end(m, OUTCOME_KVM, v->index, 0, "injecting an interrupt: %s",
			    strerror(-r));
		return false;
	}
	if (r > 0)
		return true;
	r = kvm_vcpu_run(v->fd);
	/* EAGAIN: a CPU that waited for INIT-SIPI got it. EINTR: a kick. */
	if (r == -EINTR || r == -EAGAIN)
		return true;
	if (r < 0) {
		machine_end(m, OUTCOME_KVM, v->index, 0, "KVM_RUN: %s", strerror(-r));
		return false;
	}
	v->given = false;
	v->exits++;
	return vcpu_handle_exit(v);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	struct machine *m = v->m;
	sigset_t kick;

	/* Whoever started us may have blocked it. */
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	/* vcpus_start() holds this lock until every thread is known: anyone may kick anyone. */
	pthread_mutex_lock(&m->park);
	pthread_mutex_unlock(&m->park);
	while (vcpu_checkpoint(v))
		if (!vcpu_run_once(v))
			break;
	pthread_mutex_lock(&m->park);
	if (v->state == VCPU_RUNNING)
		m->running--;
	v->state = VCPU_DONE;
	pthread_cond_broadcast(&m->parked);
	pthread_mutex_unlock(&m->park);
	return NULL;
}

static void on_kick(int sig)
{
	(void)sig; /* KVM_RUN returning EINTR is all that is wanted */
}

/* Under machine.park. */
static int start_thread(struct vcpu *v)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	r = pthread_create(&v->thread, &attr, vcpu_thread, v);
	pthread_attr_destroy(&attr);
	if (r)
		return r;
	v->started = true;
	v->state = VCPU_RUNNING;
	v->m->running++;
	return 0;
}

int vcpus_start(struct machine *m, struct error *err)
{
	/* KVM_RUN returns EINTR all the same; a write to the trace goes on. */
	struct sigaction sa = {.sa_handler = on_kick, .sa_flags = SA_RESTART};
	int r = 0;

	sigaction(KICK_SIGNAL, &sa, NULL);
	pthread_mutex_lock(&m->park);
	for (unsigned i = 0; i < m->nvcpus && r == 0; i++)
		if (m->vcpus[i].plugged)
			r = start_thread(&m->vcpus[i]);
	pthread_mutex_unlock(&m->park);
	m->live = true;
	return r ? error_set(err, EXIT_SETUP, "cannot start a vCPU thread: %s", strerror(r)) : 0;
}

int vcpu_start(struct vcpu *v, struct error *err)
{
	int r;

	pthread_mutex_lock(&v->m->park);
	r = start_thread(v);
	pthread_mutex_unlock(&v->m->park);
	return r ? error_set(err, EXIT_SETUP, "cannot start a vCPU thread: %s", strerror(r)) : 0;
}

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
	syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/*
 * The request was made before; then the count moves; then we look whether the vCPU sleeps. It says so
 * before it compares the count (vcpu_sleep), so one of us sees the other.
 */
void vcpu_kick(struct vcpu *v)
{
	if (!v->started || pthread_equal(v->thread, pthread_self()))
		return;
	atomic_fetch_add(&v->wakeups, 1);
	if (atomic_load(&v->asleep))
		futex(&v->wakeups, FUTEX_WAKE, 1);
	else if (!__atomic_exchange_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST))
		pthread_kill(v->thread, KICK_SIGNAL);
}

void vcpu_sleep(struct vcpu *v)
{
	atomic_store(&v->asleep, 1);
	futex(&v->wakeups, FUTEX_WAIT, v->seen);
	atomic_store(&v->asleep, 0);
}

static void kick_all(struct machine *m)
{
	for (unsigned i = 0; i < m->nvcpus; i++)
		vcpu_kick(&m->vcpus[i]);
}

void vcpus_stop(struct machine *m)
{
	int none = STOP_NONE;

	/* Not over a STOP_QUIT: the end has come first then. */
	atomic_compare_exchange_strong(&m->stop, &none, STOP_PARK);
	kick_all(m);
	pthread_mutex_lock(&m->park);
	while (m->running)
		pthread_cond_wait(&m->parked, &m->park);
	pthread_mutex_unlock(&m->park);
}

void vcpus_resume(struct machine *m)
{
	int parked = STOP_PARK;

	pthread_mutex_lock(&m->park);
	atomic_compare_exchange_strong(&m->stop, &parked, STOP_NONE);
	pthread_cond_broadcast(&m->parked);
	pthread_mutex_unlock(&m->park);
}

void vcpu_hold(struct vcpu *v)
{
	struct machine *m = v->m;

	atomic_fetch_add(&v->held, 1);
	vcpu_kick(v);
	pthread_mutex_lock(&m->park);
	while (v->state == VCPU_RUNNING)
		pthread_cond_wait(&m->parked, &m->park);
	pthread_mutex_unlock(&m->park);
}

void vcpu_release(struct vcpu *v)
{
	pthread_mutex_lock(&v->m->park);
	atomic_fetch_sub(&v->held, 1);
	pthread_cond_broadcast(&v->m->parked);
	pthread_mutex_unlock(&v->m->park);
}

void vcpus_shut_out(struct machine *m)
{
	for (unsigned i = 0; i < m->nvcpus; i++) {
		struct vcpu *v = &m->vcpus[i];

		if (!v->started || pthread_equal(v->thread, pthread_self()))
			continue;
		atomic_fetch_add(&v->held, 1);
		vcpu_kick(v);
	}
}

void vcpus_let_in(struct machine *m)
{
	for (unsigned i = 0; i < m->nvcpus; i++)
		if (m->vcpus[i].started && !pthread_equal(m->vcpus[i].thread, pthread_self()))
			vcpu_release(&m->vcpus[i]);
}

void vcpus_quit(struct machine *m)
{
	pthread_mutex_lock(&m->park);
	atomic_store(&m->stop, STOP_QUIT);
	pthread_cond_broadcast(&m->parked);
	pthread_mutex_unlock(&m->park);
	kick_all(m);
	/* First all are out of the guest, then they are joined: until then one may kick another. */
	pthread_mutex_lock(&m->park);
	while (m->running)
		pthread_cond_wait(&m->parked, &m->park);
	pthread_mutex_unlock(&m->park);
	for (unsigned i = 0; i < m->nvcpus; i++) {
		if (!m->vcpus[i].started)
			continue;
		pthread_join(m->vcpus[i].thread, NULL);
		m->vcpus[i].started = false;
	}
}

void vcpus_destroy(struct machine *m)
{
	for (unsigned i = 0; m->vcpus && i < m->nvcpus; i++) {
		if (m->irqchip.ops->remove_vcpu)
			m->irqchip.ops->remove_vcpu(&m->vcpus[i]);
		if (m->vcpus[i].run)
			munmap(m->vcpus[i].run, m->run_size);
		if (m->vcpus[i].fd >= 0)
			close(m->vcpus[i].fd);
	}
	free(m->vcpus);
	free(m->cpuid);
}

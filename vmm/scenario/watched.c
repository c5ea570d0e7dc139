// SPDX-License-Identifier: MIT
/*
 * What a scenario looks at from outside, by a name that only the host knows: KVM's statistics, and how often a
 * tracepoint of KVM was passed.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "scenario/runner.h"

/* --- statistics: whether they are there is seen of a VM alone, so of one that is made for it */

static bool has_stats(const struct scenario *s)
{
	for (unsigned i = 0; i < s->nwatched; i++)
		if (s->watched[i].object->kind != OBJECT_TRACE)
			return true;
	return false;
}

static int find_stat(int fd, const struct watched *w, struct error *err)
{
	uint64_t value;
	int r = kvm_stat(fd, w->name, &value);

	if (r == -ENOENT)
		return error_set(err, EXIT_SKIP, "needs `%s.%s`: not among this KVM's statistics",
				 w->object->name, w->name);
	return r < 0 ? error_set(err, error_code_of(-r), "needs `%s.%s`: KVM_GET_STATS_FD: %s",
				 w->object->name, w->name, strerror(-r))
		     : 0;
}

static int find_stats(int kvm, const struct scenario *s, struct error *err)
{
	int vm = kvm_vm_create(kvm);
	int vcpu = vm < 0 ? vm : kvm_vcpu_create(vm, 0);
	int r = 0;

	if (vcpu < 0)
		r = error_set(err, error_code_of(-vcpu), "%s: %s",
			      vm < 0 ? "KVM_CREATE_VM" : "KVM_CREATE_VCPU", strerror(-vcpu));
	for (unsigned i = 0; r == 0 && i < s->nwatched; i++)
		if (s->watched[i].object->kind != OBJECT_TRACE)
			r = find_stat(s->watched[i].object->of_cpu ? vcpu : vm, &s->watched[i],
				      err);
	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	return r;
}

static int check_stats(const struct scenario *s, struct error *err)
{
	int kvm, r;

	if (!has_stats(s))
		return 0;
	kvm = kvm_open(err);
	if (kvm < 0)
		return -1;
	if (kvm_check(kvm, KVM_CAP_BINARY_STATS_FD))
		r = find_stats(kvm, s, err);
	else
		r = error_set(err, EXIT_SKIP,
			      "needs cap binary_stats_fd, for `stat`: this KVM does not have it");
	close(kvm);
	return r;
}

/* --- both */

int watched_open(struct run *run, struct error *err)
{
	const struct scenario *s = run->s;

	if (check_stats(s, err) < 0)
		return -1;
	for (unsigned i = 0; i < s->nwatched; i++)
		if (s->watched[i].object->kind == OBJECT_TRACE &&
		    kvm_trace_open(s->watched[i].name, s->watched[i].filter, &run->traces[i], err) <
			    0)
			return -1;
	return 0;
}

int watched_get(struct run *run, const struct object_ref *ref, uint64_t *value)
{
	const struct target *t = run->t;
	const struct watched *w = &run->s->watched[ref->index];

	if (w->object->kind != OBJECT_TRACE)
		return kvm_stat(ref->cpu < 0 ? t->vm : target_fd(t, (unsigned)ref->cpu), w->name,
				value);
	return kvm_trace_read(run->traces[ref->index], value);
}

void watched_close(struct run *run)
{
	for (unsigned i = 0; i < run->s->nwatched; i++)
		if (run->traces[i] >= 0)
			close(run->traces[i]);
}

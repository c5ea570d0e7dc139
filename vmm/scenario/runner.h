/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_RUNNER_H
#define SIPI_SCENARIO_RUNNER_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "scenario/object.h"
#include "scenario/run.h"
#include "scenario/target.h"

/* What the files of the runner share among themselves. */

/* kmsg.c: the kernel's log from now on. Not for several threads at a time. */
struct kmsg {
	int fd; /* a record a read */
	uint64_t warnings;
};

/* 0 or -errno. */
int kmsg_open(struct kmsg *k);
/* Lines since then that warn, or -errno. */
int kmsg_warnings(struct kmsg *k, uint64_t *count);

#define SCENARIO_ROUTES	       64
#define SCENARIO_MEMSLOTS      64
#define SCENARIO_MEMSLOT_BYTES (256ull << 20) /* of all */

/* Where a GSI leads, and what triggers it, or -1. */
struct route {
	uint32_t gsi;
	struct kvm_msi msi;
	bool pin; /* of KVM's own chips: no message */
	int eventfd, resamplefd;
};

/* Where it is in the guest, and its memory here. */
struct memslot {
	uint32_t slot;
	uint64_t gpa, size;
	uint8_t *host;
};

/*
 * watched.c: looks whether all that the scenario watches is there, and counts tracepoints from now on. 0, or -1 with
 * EXIT_SKIP and what is missing; to be closed in either case.
 */
struct run;
int watched_open(struct run *run, struct error *err);
/* 0 or -errno. */
int watched_get(struct run *run, const struct object_ref *ref, uint64_t *value);
void watched_close(struct run *run);

/* One run, for all its threads. */
struct run {
	const struct scenario *s;
	struct target *t;
	struct result *result;
	uint64_t end_ns; /* of CLOCK_MONOTONIC; past it, every step fails */
	unsigned timeout_ms;
	atomic_bool failed;	      /* no thread does another step */
	int traces[SCENARIO_WATCHED]; /* counters, by index into scenario.watched; -1: none */
	pthread_mutex_t lock;
	/* Under it: result, and */
	bool deviated, unknown; /* what any expect saw */
	struct kmsg kmsg;
	unsigned nroutes;
	struct route routes[SCENARIO_ROUTES];
	unsigned nmemslots;
	struct memslot memslots[SCENARIO_MEMSLOTS];
};

/*
 * One thread of it. A branch of `parallel` begins with a copy of what the thread had that started it, and what it
 * assigns is its own.
 */
struct runner {
	struct run *run;
	uint64_t until_ns; /* loops and KVM_RUN end here */
	uint64_t random;   /* state of the generator for pauses */
	uint64_t accepted, error, exit;
	uint64_t variables[SCENARIO_VARIABLES];
};

/* run_steps.c: true: go on; false: the run has failed, and result says why. */
bool run_list(struct runner *r, const struct step_list *list);
/* As a step that failed: `what` instead of the name of an errno, where it is not NULL. */
void run_fail(struct run *run, const struct step *st, int error, const char *what);

/* Is there still time, and all is well so far? If not, the run has failed, at this step or before. */
bool run_in_time(struct run *run, const struct step *st);

/* eval.c, of a step: what is not given is 0. The second: -ERANGE unless it is below end. */
int run_arg(struct runner *r, const struct step *st, unsigned i, uint64_t *value);
int run_arg_below(struct runner *r, const struct step *st, unsigned i, uint64_t end,
		  uint64_t *value);

/* run_irq.c: 0 or more, or -errno; ENOENT: no such route, or nothing attached to it. */
int run_irq(struct runner *r, const struct step *st);
void run_close_routes(struct run *run);

/* run_memory.c: 0 or -errno; -EBUSY of a slot that is the machine's own. */
int run_memory(struct runner *r, const struct step *st);
/* When the VM is gone. */
void run_free_memslots(struct run *run);

/* run_guest.c: 0 or -errno; -EFAULT after an exception, -ETIMEDOUT, and -EIO after an exit that is not the puppet's. */
int run_guest(struct runner *r, const struct step *st);

/* run_parallel.c */
bool run_parallel(struct runner *r, const struct step *st, uint64_t ms);

/* eval.c: 0, or -errno of an object that could not be read. */
int eval(struct runner *r, const struct expr *e, uint64_t *value);
bool compare(uint64_t a, enum comparison cmp, uint64_t b);

/* target_kvm.c, target_user.c: as target_open(), NULL for -1. */
struct target *target_kvm_open(const struct scenario *s, enum irqchip_mode mode, struct error *err);
struct target *target_user_open(const struct scenario *s, struct error *err);

/* target.c. 0 or -errno: gives a new vCPU its CPUID and maps its run area; fd is closed when that fails. */
int target_adopt(struct target *t, unsigned cpu, int fd);
/* From then on KVM_RUN is interrupted each millisecond, until timer_delete(). */
int target_start_clock(timer_t *timer, unsigned ms);
/* target_ops.run, of a CPU that can run. */
int target_run(struct target *t, unsigned cpu, unsigned ms);
/* -1: not created yet */
static inline int target_fd(const struct target *t, unsigned cpu)
{
	return __atomic_load_n(&t->cpus[cpu], __ATOMIC_ACQUIRE);
}

#endif

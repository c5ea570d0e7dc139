/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_INTERNAL_H
#define SIPI_MACHINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "chips/ioapic.h"
#include "devices/device.h"
#include "io/loop.h"
#include "io/timer.h"
#include "kvm/kvm.h"
#include "machine/bus.h"
#include "machine/inject.h"
#include "machine/irqchip.h"
#include "machine/machine.h"
#include "machine/platform.h"
#include "machine/state.h"
#include "util/ram.h"

/*
 * Locks, in the order in which they may be taken:
 *
 *   machine.lock   devices, chips, bus statistics. Held around each bus access and, through the
 *                  loop's guard, around each callback of the loop. Effects of chips are queued
 *                  under it and applied by machine_unlock() after it was released.
 *   machine.park   who runs and who is parked. Never held while waiting for machine.lock.
 *
 * What vCPU threads and the loop's thread share without a lock is atomic and said so.
 */

#define RECENT_EXITS 8 /* a power of two */

struct exit_note {
	uint32_t reason;
	bool write;
	uint8_t size;
	uint64_t addr, data;
};

enum vcpu_state { VCPU_PARKED, VCPU_RUNNING, VCPU_DONE };

struct vcpu {
	struct machine *m;
	unsigned index;
	uint32_t apic_id;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;	       /* its thread */
	bool created;	       /* all of it; fd alone: it failed half-way */
	bool plugged;	       /* under machine.lock */
	enum vcpu_state state; /* under machine.park */
	_Atomic int held;      /* stays parked, whatever the others do */
	int extint; /* a vector taken from a controller that KVM has not taken yet, or -1; own thread */
	bool given;	       /* KVM has taken a vector and not left the guest since; own thread */
	struct user_cpu *user; /* irqchip mode user, else NULL */
	unsigned user_index;   /* on its bus */
	_Atomic uint32_t wakeups; /* counts kicks */
	uint32_t seen;		  /* what it was when requests were last looked at; own thread */
	_Atomic int asleep;	  /* in vcpu_sleep() */
	struct exit_note recent[RECENT_EXITS];
	uint64_t exits;
};

enum stop_request { STOP_NONE, STOP_PARK, STOP_QUIT };

/*
 * Room for every message that can come of one turn under the lock: an access of 8 bytes is two register
 * writes to the IOAPIC at most, and one write makes at most one message a pin.
 */
#define QUEUED_MSGS (3 * IOAPIC_PINS)

struct machine {
	struct machine_config cfg;
	int kvm, vm;
	size_t run_size;
	struct kvm_cpuid2 *cpuid;
	struct ram ram;
	uint8_t *rom; /* our copy, with the hand-off filled in */
	struct vcpu *vcpus;
	unsigned nvcpus;

	struct loop *loop;
	const char *no_uring; /* why the loop does without io_uring, or NULL */
	struct timer timeout;
	struct watch signals, control;
	int control_fd; /* eventfd: see requests.c */

	pthread_mutex_t lock;
	struct bus bus;
	struct irqchip irqchip;
	struct machine_msrs msrs;
	struct platform platform;
	struct inject inject;
	struct ioapic_msg queue[QUEUED_MSGS];
	unsigned queued;

	pthread_mutex_t park;
	pthread_cond_t parked; /* a vCPU parked or ended, or may go on */
	unsigned running;      /* vCPUs that are neither parked nor done */
	_Atomic int stop;      /* enum stop_request */
	_Atomic int reset;     /* enum reset_kind asked for, or -1 */
	/* Under the machine's lock: */
	uint64_t resets;
	bool live; /* vCPUs have threads */
	bool paused;
	struct {
		bool asked, add;
		uint32_t apic_id;
	} plug; /* by the hot-plug device */
	struct line_server *server;

	_Atomic int ended; /* an outcome was chosen */
	struct outcome outcome;
	FILE *trace;
	uint64_t start_ns;
};

void machine_lock(void *m);
/* Releases the lock, then applies the messages that were queued under it. */
void machine_unlock(void *m);
/* Ends the run with this outcome unless one was chosen before. Any thread. */
void machine_end(struct machine *m, enum outcome_kind kind, unsigned cpu, unsigned code,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Asks for a reset; the calling vCPU executes nothing more of the old life. Any thread. */
void machine_ask_reset(void *m, enum reset_kind kind);
/* Asks for a CPU to be added or removed, for the hot-plug device. With the machine's lock. */
void machine_ask_plug(void *m, uint32_t apic_id, bool add);

/* memory.c */
int memory_create(struct machine *m, struct error *err);
/* Payload, device tree and hand-off as at power-on. */
int memory_load(struct machine *m, struct error *err);
/* All of RAM becomes zero. The vCPUs are stopped. */
void memory_clear(struct machine *m);
void memory_destroy(struct machine *m);

/* vcpu.c */
int vcpus_create(struct machine *m, struct error *err);
int vcpus_start(struct machine *m, struct error *err);
/* One more of them, for a machine that runs: under the machine's lock. */
int vcpu_create(struct vcpu *v, struct error *err);
int vcpu_start(struct vcpu *v, struct error *err);
void vcpus_destroy(struct machine *m);
/* Returns with every vCPU outside KVM_RUN and its last access completed. Not with a lock held. */
void vcpus_stop(struct machine *m);
void vcpus_resume(struct machine *m);
/* The same for one of them, which may be held by several at a time. From the loop's thread, no lock held. */
void vcpu_hold(struct vcpu *v);
void vcpu_release(struct vcpu *v);
/*
 * While an ioctl waits until every vCPU has left KVM_RUN once: makes all but the calling thread's leave, and keeps them
 * out. Does not wait for them, so locks may be held.
 */
void vcpus_shut_out(struct machine *m);
void vcpus_let_in(struct machine *m);
/* Ends and joins the threads. */
void vcpus_quit(struct machine *m);
/* Makes a vCPU leave KVM_RUN soon, or not enter it, so that it looks at its requests. */
void vcpu_kick(struct vcpu *v);
/* Sleeps until the next kick since vcpu_checkpoint(). On the vCPU's own thread, with no lock held. */
void vcpu_sleep(struct vcpu *v);
/* Completes the access that the last exit was about. On the vCPU's own thread, with no lock held. */
void vcpu_settle(struct vcpu *v);

/* exits.c: what to do with an exit. False: this vCPU is at its end. */
bool vcpu_handle_exit(struct vcpu *v);

/* cpuid.c */
int cpuid_create(struct machine *m, struct error *err);
int cpuid_apply(struct vcpu *v);
unsigned cpuid_phys_bits(const struct machine *m); /* MAXPHYADDR */

/* reset.c: everything but RAM, for a machine whose vCPUs are stopped. */
int machine_reset_state(struct machine *m, enum reset_kind kind);

/*
 * What the host can ask of a machine that runs. In the loop's thread and under the machine's lock, which is
 * let go of while CPUs are waited for.
 */
/* A reset of the machine, now. RESET_INIT is for one CPU: vcpu_init(). */
void machine_reset_now(struct machine *m, enum reset_kind kind);
void machine_pause(struct machine *m); /* twice is once */
void machine_resume(struct machine *m);

/* Carries out what was asked for through control_fd. */
void machine_serve_requests(struct machine *m);

/* hotplug.c, as above. The CPU with this APIC ID is put in, waiting for INIT-SIPI; or taken out, whatever it does. */
int machine_plug(struct machine *m, uint32_t apic_id, struct error *err);
int machine_unplug(struct machine *m, uint32_t apic_id, struct error *err);
/* A vCPU that is there, but not plugged in: its APIC is globally disabled, and no message finds it. 0 or -errno. */
int vcpu_leave_out(struct vcpu *v);
/* CPUs that were added or removed since the start: as the tree has it. The vCPUs are stopped. */
int hotplug_reset(struct machine *m);
/* HOTPLUG_PRESENT and HOTPLUG_PLUGGED of the CPU with this APIC ID. */
uint32_t hotplug_status(void *m, uint32_t apic_id);
/* The CPU takes an NMI, an INIT. -1: it cannot, *err says why. */
int vcpu_send_nmi(struct vcpu *v, struct error *err);
int vcpu_send_init(struct vcpu *v, struct error *err);

/* trace.c */
int trace_open(struct machine *m, struct error *err);
void trace_close(struct machine *m);
void trace_line(struct machine *m, int cpu, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define trace(m, cpu, ...)                                                                         \
	do {                                                                                       \
		if ((m)->trace)                                                                    \
			trace_line((m), (cpu), __VA_ARGS__);                                       \
	} while (0)
const char *exit_reason_name(uint32_t reason);

/* crash.c */
void crash_report(struct vcpu *v);
void where_report(struct machine *m);
/* "cmpxchg16b at rip 0x1000, bytes f0 48 ...", for a CPU that KVM stopped. */
void insn_at_rip(struct vcpu *v, char *buf, size_t size);

#endif

// SPDX-License-Identifier: MIT
/*
 * irqchip mode `user`: a machine of ours that is never run, CPUs as its power-on RESET leaves them. What KVM does
 * about its local APICs in an ioctl, ours do here; all other state is KVM's.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "guest/puppet.h"
#include "machine/internal.h"
#include "scenario/puppet.h"
#include "scenario/runner.h"
#include "util/clock.h"

#define MSR_APIC_BASE	 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define CPUID_1_ECX	 2
#define CPUID_X2APIC_BIT 21
#define ROM_SIZE	 4096

struct user_target {
	struct target t;
	struct board board;
	void *fdt;
	struct machine *m;
	bool wide_ids; /* KVM_X2APIC_API_USE_32BIT_IDS */
	bool pit;      /* cap pit2: our own is the guest's */
};

static struct user_target *of(struct target *t)
{
	return (struct user_target *)t;
}

static struct vcpu *vcpu_of(struct target *t, unsigned cpu)
{
	return &of(t)->m->vcpus[cpu];
}

/* The machine has its CPUs from the start; only late ones are created at their time. */
static int create_cpu(struct target *t, unsigned cpu)
{
	struct vcpu *v = vcpu_of(t, cpu);
	struct error err;
	int r = 0;

	machine_lock(v->m);
	if (target_fd(t, cpu) >= 0)
		r = -EEXIST;
	else if (!v->created && (v->fd >= 0 || vcpu_create(v, &err) < 0))
		r = -EINVAL;
	if (r == 0) {
		v->plugged = true;
		t->runs[cpu] = v->run;
		__atomic_store_n(&t->cpus[cpu], v->fd, __ATOMIC_RELEASE);
	}
	machine_unlock(v->m);
	return r;
}

static int enable_cap(struct target *t, uint32_t cap, uint64_t arg)
{
	if (cap == KVM_CAP_PIT2) {
		of(t)->pit = true;
		return 0;
	}
	if (cap != KVM_CAP_X2APIC_API)
		return kvm_enable_cap(t->vm, cap, arg);
	if (arg &
	    ~(uint64_t)(KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK))
		return -EINVAL;
	of(t)->wide_ids |= arg & KVM_X2APIC_API_USE_32BIT_IDS;
	return 0;
}

static int get_lapic(struct target *t, unsigned cpu, struct kvm_lapic_state *s)
{
	struct vcpu *v = vcpu_of(t, cpu);

	machine_lock(v->m);
	user_get_lapic(v, of(t)->wide_ids, s);
	machine_unlock(v->m);
	return 0;
}

static int set_lapic(struct target *t, unsigned cpu, const struct kvm_lapic_state *s)
{
	struct vcpu *v = vcpu_of(t, cpu);
	int r;

	machine_lock(v->m);
	r = user_set_lapic(v, of(t)->wide_ids, s);
	machine_unlock(v->m);
	return r;
}

static bool msr_is_ours(uint32_t index)
{
	return index == MSR_APIC_BASE || index == MSR_TSC_DEADLINE ||
	       (index >= LAPIC_MSR_FIRST && index <= LAPIC_MSR_LAST);
}

static int get_msr(struct target *t, unsigned cpu, uint32_t index, uint64_t *value)
{
	struct vcpu *v = vcpu_of(t, cpu);

	if (!msr_is_ours(index))
		return kvm_vcpu_get_msr(v->fd, index, value);
	return irqchip_user.msr_access(v, false, index, value) < 0 ? -ENOENT : 0;
}

/* The host may do what WRMSR may not; KVM keeps a copy, for CPUID. */
static int set_base(struct vcpu *v, uint64_t value)
{
	int r;

	machine_lock(v->m);
	r = user_set_base(v, value) < 0 ? -ENOENT : kvm_vcpu_set_msr(v->fd, MSR_APIC_BASE, value);
	machine_unlock(v->m);
	return r;
}

static int set_msr(struct target *t, unsigned cpu, uint32_t index, uint64_t value)
{
	struct vcpu *v = vcpu_of(t, cpu);

	if (!msr_is_ours(index))
		return kvm_vcpu_set_msr(v->fd, index, value);
	if (index == MSR_APIC_BASE)
		return set_base(v, value);
	return irqchip_user.msr_access(v, true, index, &value) < 0 ? -ENOENT : 0;
}

static int get_sregs(struct target *t, unsigned cpu, struct kvm_sregs *s)
{
	struct vcpu *v = vcpu_of(t, cpu);
	int r;

	machine_lock(v->m);
	r = kvm_vcpu_get_sregs(v->fd, s);
	if (r == 0)
		user_get_sregs(v, s);
	machine_unlock(v->m);
	return r;
}

/* A MOV to CR8, as in KVM's __set_sregs_common(): TPR[3:0] become 0. */
static void set_cr8(struct vcpu *v, uint64_t cr8)
{
	struct lapic_effects eff;

	lapic_set_cr8(&v->user->lapic, cr8 & 0xf, &eff);
	/* Else it would be taken for one by the guest. */
	v->user->cr8 = cr8 & 0xf;
	v->run->cr8 = cr8 & 0xf;
	user_act(v, &eff);
}

static int set_sregs(struct target *t, unsigned cpu, const struct kvm_sregs *s)
{
	struct vcpu *v = vcpu_of(t, cpu);
	int r;

	machine_lock(v->m);
	r = kvm_vcpu_set_sregs(v->fd, s);
	if (r == 0)
		r = user_set_base(v, s->apic_base);
	if (r == 0)
		set_cr8(v, s->cr8);
	machine_unlock(v->m);
	return r;
}

/* As KVM_GET_MP_STATE, INIT and SIPI that are pending come first. */
static int get_mp_state(struct target *t, unsigned cpu, uint32_t *state)
{
	struct vcpu *v = vcpu_of(t, cpu);
	int r;

	machine_lock(v->m);
	r = user_take_init(v);
	*state = user_get_mp_state(v);
	machine_unlock(v->m);
	return r;
}

static int set_mp_state(struct target *t, unsigned cpu, uint32_t state)
{
	struct vcpu *v = vcpu_of(t, cpu);
	int r;

	machine_lock(v->m);
	r = user_set_mp_state(v, state);
	machine_unlock(v->m);
	return r;
}

/*
 * SDM vol. 3A, "Message Signalled Interrupts"; a level counts for level triggers alone. With 32-bit IDs a
 * destination is one of all its bits. KVM's broadcast quirk (api.rst, KVM_CAP_X2APIC_API) ours does not have: 0xff
 * is then CPU 255 in x2APIC mode.
 */
static int signal_msi(struct target *t, const struct kvm_msi *msi)
{
	struct user_target *u = of(t);
	struct apic_msg msg = {
		.dest = msi->address_lo >> 12 & 0xff,
		.logical = msi->address_lo >> 2 & 1,
		.delivery = msi->data >> 8 & 7,
		.vector = (uint8_t)msi->data,
		.level = msi->data >> 15 & 1,
	};
	int r;

	if (u->wide_ids)
		msg.dest |= msi->address_hi & 0xffffff00u;
	msg.wide = u->wide_ids;
	/* All but these are edges: "Message Data Register Format". */
	msg.level &= msg.delivery <= APIC_LOWEST;
	msg.assert = !msg.level || msi->data >> 14 & 1;
	machine_lock(u->m);
	r = (int)user_send(u->m, NULL, &msg);
	machine_unlock(u->m);
	return r;
}

/* A GSI that leads nowhere is no error to KVM_IRQ_LINE. */
static int irq_line(struct target *t, uint32_t gsi, unsigned level)
{
	struct machine *m = of(t)->m;

	if (gsi >= IOAPIC_PINS)
		return 0;
	machine_lock(m);
	irqchip_set_line(m, gsi, level);
	machine_unlock(m);
	return 0;
}

static int nmi(struct target *t, unsigned cpu)
{
	return kvm_vcpu_nmi(target_fd(t, cpu));
}

static int interrupt(struct target *t, unsigned cpu, uint8_t vector)
{
	return kvm_vcpu_interrupt(target_fd(t, cpu), vector);
}

/* Both 8259A, and their ELCRs. */
static bool is_pic(uint16_t port)
{
	return (port & ~0x81) == 0x20 || (port & ~1) == 0x4d0;
}

/* The counters, and port 0x61, which shows the third one's OUT. */
static bool is_pit(uint16_t port)
{
	return (port & ~3) == 0x40 || port == 0x61;
}

/* What a local APIC in KVM, or a PIC, would not exit for. */
static bool is_ours(const struct user_target *u, const struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
	case KVM_EXIT_HLT:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR:
		return true;
	case KVM_EXIT_IO:
		return is_pic(run->io.port) || (u->pit && is_pit(run->io.port));
	default:
		return false;
	}
}

/* An NMI by KVM_NMI is known to KVM alone. */
static void wake_for_nmi(struct vcpu *v)
{
	struct kvm_vcpu_events events;

	machine_lock(v->m);
	if (v->user->activity == USER_HALTED && kvm_vcpu_get_events(v->fd, &events) == 0 &&
	    events.nmi.pending && !events.nmi.masked)
		v->user->activity = USER_RUNNING;
	machine_unlock(v->m);
}

/* 0: an exit that is not ours. -EAGAIN: it was, and is answered. */
static int enter(const struct user_target *u, struct vcpu *v, bool to_complete)
{
	int r;

	v->run->immediate_exit = to_complete;
	r = kvm_vcpu_run(v->fd);
	return r == 0 && is_ours(u, v->run) && vcpu_handle_exit(v) ? -EAGAIN : r;
}

/* Nobody runs the machine's loop, which would tell of a timer. */
static int run_once(const struct user_target *u, struct vcpu *v)
{
	int r;

	machine_lock(v->m);
	user_catch_up(v);
	machine_unlock(v->m);
	v->seen = atomic_load(&v->wakeups);
	r = v->m->irqchip.ops->before_run(v);
	if (r > 0)
		wake_for_nmi(v);
	return r == 0 ? enter(u, v, false) : r > 0 ? -EINTR : r;
}

static bool goes_on(int r)
{
	return r == -EINTR || r == -EAGAIN;
}

/*
 * As vcpu.c's threads run a CPU, but that nobody kicks it: it leaves KVM_RUN, or its sleep, each millisecond. What our
 * chips and the board do not answer ends it, as in the other modes.
 */
static int run(struct target *t, unsigned cpu, unsigned ms)
{
	struct vcpu *v = vcpu_of(t, cpu);
	uint64_t end = clock_now_ns() + ms * NSEC_PER_MSEC;
	timer_t timer = NULL;
	int r = target_start_clock(&timer, 1);

	if (r < 0)
		return r;
	/* KVM says anew whether it is ready for an interrupt: a step may have changed RFLAGS. */
	r = enter(of(t), v, true);
	do {
		if (goes_on(r))
			r = run_once(of(t), v);
	} while (goes_on(r) && clock_now_ns() < end);
	timer_delete(timer);
	if (goes_on(r))
		return -ETIMEDOUT;
	return r < 0 ? r : (int)v->run->exit_reason;
}

static void destroy(struct target *t)
{
	struct user_target *u = of(t);

	if (u->m)
		machine_destroy(u->m);
	board_free(&u->board);
	free(u->fdt);
	free(u);
}

static const struct target_ops ops = {
	.enable_cap = enable_cap,
	.create_cpu = create_cpu,
	.get_lapic = get_lapic,
	.set_lapic = set_lapic,
	.get_msr = get_msr,
	.set_msr = set_msr,
	.get_sregs = get_sregs,
	.set_sregs = set_sregs,
	.get_mp_state = get_mp_state,
	.set_mp_state = set_mp_state,
	.signal_msi = signal_msi,
	.irq_line = irq_line,
	.nmi = nmi,
	.interrupt = interrupt,
	.run = run,
	.destroy = destroy,
};

/* CPUs and no devices. The boot CPU is there from the start, even when a step is to create it. */
static int make_board(struct user_target *u, const struct scenario *s, size_t *fdt_len,
		      struct error *err)
{
	struct board_cpu *cpus = calloc(s->ncpus, sizeof(*cpus));

	if (!cpus)
		return error_set(err, EXIT_SETUP, "out of memory");
	u->board = (struct board){
		.cpus = cpus, .ncpus = s->ncpus, .mem = BOARD_MEM_MIN, .bootargs = strdup("")};
	if (!u->board.bootargs)
		return error_set(err, EXIT_SETUP, "out of memory");
	for (unsigned i = 0; i < s->ncpus; i++)
		cpus[i] = (struct board_cpu){s->cpus[i], i == 0 || !s->late[i]};
	return board_to_fdt(&u->board, &u->fdt, fdt_len, err);
}

static bool needs_x2apic(const struct scenario *s)
{
	for (unsigned i = 0; i < s->nneeds; i++) {
		const struct cpuid_bit *b = &need_cpuid[s->needs[i].a];

		if (s->needs[i].kind == NEED_CPUID && b->leaf == 1 && b->reg == CPUID_1_ECX &&
		    b->bit == CPUID_X2APIC_BIT)
			return true;
	}
	return false;
}

static int make_machine(struct user_target *u, const struct scenario *s, struct error *err)
{
	static const uint8_t rom[ROM_SIZE]; /* nothing executes it */
	struct machine_config cfg = {
		.irqchip = IRQCHIP_USER,
		.board = &u->board,
		.rom = rom,
		.rom_len = sizeof(rom),
		.console = CONSOLE_NULL,
		.strict = true,
	};
	sigset_t mask;
	int r;

	if (make_board(u, s, &cfg.fdt_len, err) < 0)
		return -1;
	cfg.fdt = u->fdt;
	/* A machine takes signals for itself; nobody would look at them. */
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	r = machine_create(&u->m, &cfg, err);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (r < 0)
		return -1;
	if (needs_x2apic(s) && !u->m->irqchip.user.x2apic)
		return error_set(err, EXIT_SKIP, "x2APIC in irqchip mode user: %.200s",
				 u->m->irqchip.user.no_x2apic.text);
	if (s->guest) {
		u->t.mem = u->m->ram.host;
		puppet_load(u->t.mem, puppet_image, (size_t)(puppet_image_end - puppet_image));
	}
	return 0;
}

struct target *target_user_open(const struct scenario *s, struct error *err)
{
	struct user_target *u = calloc(1, sizeof(*u));

	if (!u) {
		error_fill(err, EXIT_SETUP, "out of memory");
		return NULL;
	}
	u->t = (struct target){.ops = &ops, .s = s, .mode = IRQCHIP_USER, .kvm = -1, .vm = -1};
	memset(u->t.cpus, -1, sizeof(u->t.cpus));
	if (make_machine(u, s, err) < 0) {
		destroy(&u->t);
		return NULL;
	}
	u->t.kvm = u->m->kvm;
	u->t.vm = u->m->vm;
	return &u->t;
}

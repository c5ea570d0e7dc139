// SPDX-License-Identifier: MIT
/* Makes a CPU do one thing after the other: an operation into its mailbox, KVM_RUN, and what became of it. */
#include "scenario/puppet.h"

#include <errno.h>
#include <string.h>

#include "guest/puppet.h"
#include "scenario/runner.h"
#include "util/clock.h"

#define PARTS 4096 /* of an access, at most */

static uint32_t mailbox(unsigned cpu)
{
	return PUPPET_MAILBOX + PUPPET_MAILBOX_SIZE * cpu;
}

uint64_t puppet_get(struct runner *r, unsigned cpu, uint32_t offset, unsigned size)
{
	const void *at = r->run->t->mem + mailbox(cpu) + offset;

	return size == 8 ? __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED)
			 : __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
}

void puppet_put(struct runner *r, unsigned cpu, uint32_t offset, uint64_t value, unsigned size)
{
	void *at = r->run->t->mem + mailbox(cpu) + offset;

	if (size == 8)
		__atomic_store_n((uint64_t *)at, value, __ATOMIC_RELAXED);
	else
		__atomic_store_n((uint32_t *)at, (uint32_t)value, __ATOMIC_RELAXED);
}

/*
 * The I/O that KVM_RUN exited for is completed at the next one, which must not come after a step that changes registers.
 * An access of many parts exits again for each.
 */
static int complete(struct target *t, unsigned cpu)
{
	int r = 0;

	t->runs[cpu]->immediate_exit = 1;
	for (unsigned i = 0; i < PARTS && r == 0; i++)
		r = kvm_vcpu_run(t->cpus[cpu]);
	t->runs[cpu]->immediate_exit = 0;
	return r == -EINTR ? 0 : r < 0 ? r : -EIO;
}

static bool asks(const struct kvm_run *run, unsigned direction)
{
	return run->exit_reason == KVM_EXIT_IO && run->io.port == PUPPET_PORT &&
	       run->io.direction == direction &&
	       run->io.size == (direction == KVM_EXIT_IO_IN ? 2 : 1) && run->io.count == 1;
}

bool puppet_answer(struct target *t, unsigned cpu)
{
	uint16_t segment = (uint16_t)(mailbox(cpu) >> 4);
	struct kvm_run *run = t->runs[cpu];

	if (!t->mem || !asks(run, KVM_EXIT_IO_IN))
		return false;
	memcpy((uint8_t *)run + run->io.data_offset, &segment, sizeof(segment));
	t->entered[cpu] = true;
	return true;
}

/* To the idle loop. */
static int run_to_idle(struct runner *r, unsigned cpu, uint64_t end_ns)
{
	struct target *t = r->run->t;
	uint64_t now;
	int ret;

	do {
		now = clock_now_ns();
		ret = now < end_ns
			      ? t->ops->run(t, cpu, (unsigned)((end_ns - now) / NSEC_PER_MSEC) + 1)
			      : -ETIMEDOUT;
	} while (ret >= 0 && puppet_answer(t, cpu));
	if (ret >= 0 && t->entered[cpu] && asks(t->runs[cpu], KVM_EXIT_IO_OUT)) {
		r->exit = OBJECT_EXIT_DONE;
		return complete(t, cpu);
	}
	if (ret >= 0 || ret == -ETIMEDOUT)
		r->exit = ret < 0 ? OBJECT_EXIT_TIMEOUT : (uint64_t)ret;
	return ret < 0 ? ret : -EIO;
}

/* Not at until_ns: what a branch of `parallel` has begun it does as a whole, as it does with ioctls. */
static uint64_t end_of(const struct runner *r, unsigned ms)
{
	uint64_t end = clock_now_ns() + ms * NSEC_PER_MSEC;

	return end < r->run->end_ns ? end : r->run->end_ns;
}

int puppet_do(struct runner *r, unsigned cpu, unsigned op, uint64_t a, uint64_t b, unsigned ms)
{
	struct target *t = r->run->t;
	uint64_t end = end_of(r, ms);
	int ret = t->busy[cpu] ? run_to_idle(r, cpu, end) : 0;

	if (ret < 0)
		return ret;
	t->busy[cpu] = true;
	puppet_put(r, cpu, PUPPET_A, a, 8);
	puppet_put(r, cpu, PUPPET_B, b, 8);
	puppet_put(r, cpu, PUPPET_RESULT, 0, 8);
	puppet_put(r, cpu, PUPPET_FAULT, PUPPET_NO_FAULT, 4);
	puppet_put(r, cpu, PUPPET_ERROR, 0, 4);
	puppet_put(r, cpu, PUPPET_ADDRESS, 0, 8);
	puppet_put(r, cpu, PUPPET_RIP, 0, 8);
	puppet_put(r, cpu, PUPPET_OP, op, 4);
	/* One that a SIPI has started since is idle first, and has done nothing. */
	do {
		ret = run_to_idle(r, cpu, end);
	} while (ret == 0 && puppet_get(r, cpu, PUPPET_OP, 4) != PUPPET_DONE);
	if (ret < 0)
		return ret;
	t->busy[cpu] = false;
	return puppet_get(r, cpu, PUPPET_FAULT, 4) == PUPPET_NO_FAULT ? 0 : -EFAULT;
}

int puppet_start(struct runner *r, unsigned cpu, enum puppet_mode mode, unsigned ms)
{
	struct target *t = r->run->t;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int ret = complete(t, cpu);

	if (ret == 0)
		ret = t->ops->get_sregs(t, cpu, &sregs);
	if (ret < 0)
		return ret;
	puppet_enter(t->mem, mode, cpu, &sregs, &regs);
	ret = t->ops->set_mp_state(t, cpu, KVM_MP_STATE_RUNNABLE);
	if (ret == 0)
		ret = t->ops->set_sregs(t, cpu, &sregs);
	if (ret == 0)
		ret = kvm_vcpu_set_regs(t->cpus[cpu], &regs);
	t->entered[cpu] |= ret == 0;
	if (ret == 0)
		ret = run_to_idle(r, cpu, end_of(r, ms));
	t->busy[cpu] = ret < 0;
	return ret;
}

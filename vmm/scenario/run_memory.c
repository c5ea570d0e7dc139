// SPDX-License-Identifier: MIT
/* What the guest has for memory beside the puppet's: memslots; and what the host takes away of either. */
#include <errno.h>
#include <sys/mman.h>

#include "guest/puppet.h"
#include "scenario/runner.h"

#define PAGE_BYTES 4096
/* Those of target_kvm.c and of machine/memory.c; in each mode the same number is free. */
#define OWN_SLOTS 5
/* Bits 31:16 of a slot are its address space, of which SMM's is 1. */
#define ADDRESS_SPACE 16

/* --- under run.lock */

static struct memslot *find(struct run *run, uint32_t slot)
{
	for (unsigned i = 0; i < run->nmemslots; i++)
		if (run->memslots[i].slot == slot)
			return &run->memslots[i];
	return NULL;
}

/* Its pages come as the guest, or KVM, touches them. */
static struct memslot *add(struct run *run, uint32_t slot, uint64_t size)
{
	struct memslot *m = &run->memslots[run->nmemslots];
	uint64_t all = 0;

	for (unsigned i = 0; i < run->nmemslots; i++)
		all += run->memslots[i].size;
	errno = ENOSPC;
	if (run->nmemslots == SCENARIO_MEMSLOTS || size > SCENARIO_MEMSLOT_BYTES - all)
		return NULL;
	*m = (struct memslot){.slot = slot, .size = size};
	m->host = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->host == MAP_FAILED)
		return NULL;
	run->nmemslots++;
	return m;
}

static void drop(struct run *run, struct memslot *m)
{
	munmap(m->host, m->size);
	*m = run->memslots[--run->nmemslots];
}

/* A slot keeps its memory: with other memory, or another size, KVM does not take it for the same (api.rst). */
static int set_slot(struct run *run, uint32_t slot, uint64_t gpa, uint64_t size, uint32_t flags)
{
	struct memslot *m = find(run, slot);
	bool is_new = !m && size;
	int ret;

	if (is_new)
		m = add(run, slot, size);
	if (is_new && !m)
		return -errno;
	ret = kvm_vm_set_memory(run->t->vm, slot, flags, gpa, size, m ? m->host : NULL);
	if (m && (ret < 0 ? is_new : !size))
		drop(run, m);
	else if (m && ret == 0)
		m->gpa = gpa;
	return ret;
}

/* The host's page of a guest's address, or NULL. */
static uint8_t *page(const struct run *run, uint64_t gpa)
{
	if (run->t->mem && gpa < PUPPET_MEMORY)
		return run->t->mem + gpa;
	for (unsigned i = 0; i < run->nmemslots; i++) {
		const struct memslot *m = &run->memslots[i];

		if (!(m->slot >> ADDRESS_SPACE) && gpa >= m->gpa && gpa - m->gpa < m->size)
			return m->host + (gpa - m->gpa);
	}
	return NULL;
}

/* --- steps */

/* KVM's own accesses to it fail then, as where a memslot has gone. */
static int unmap(struct runner *r, const struct step *st)
{
	uint64_t address;
	uint8_t *host;
	int ret = run_arg(r, st, 0, &address);

	if (ret < 0)
		return ret;
	pthread_mutex_lock(&r->run->lock);
	host = page(r->run, address);
	if (!host)
		ret = -ERANGE;
	else if (address % PAGE_BYTES)
		ret = -EINVAL;
	else
		ret = mprotect(host, PAGE_BYTES, PROT_NONE) < 0 ? -errno : 0;
	pthread_mutex_unlock(&r->run->lock);
	return ret;
}

static int memslot(struct runner *r, const struct step *st)
{
	uint64_t slot, gpa = 0, size = 0, flags = 0;
	int ret = run_arg_below(r, st, MEMSLOT_SLOT, 1ull << 32, &slot);

	if (ret == 0)
		ret = run_arg(r, st, MEMSLOT_GPA, &gpa);
	if (ret == 0)
		ret = run_arg(r, st, MEMSLOT_SIZE, &size);
	if (ret == 0)
		ret = run_arg_below(r, st, MEMSLOT_FLAGS, 1ull << 32, &flags);
	if (ret < 0)
		return ret;
	if (slot < OWN_SLOTS)
		return -EBUSY;
	pthread_mutex_lock(&r->run->lock);
	ret = set_slot(r->run, (uint32_t)slot, gpa, size, (uint32_t)flags);
	pthread_mutex_unlock(&r->run->lock);
	return ret;
}

int run_memory(struct runner *r, const struct step *st)
{
	return st->kind == STEP_MEMSLOT ? memslot(r, st) : unmap(r, st);
}

void run_free_memslots(struct run *run)
{
	while (run->nmemslots)
		drop(run, &run->memslots[0]);
}

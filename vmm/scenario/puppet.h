/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_PUPPET_H
#define SIPI_SCENARIO_PUPPET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>

/* The guest that carries out `guest` steps: guest/puppet.h has what it can do, and how its memory lies. */

enum puppet_mode { PUPPET_REAL, PUPPET_PROTECTED, PUPPET_LONG };

/* The image, carried inside of the executable. */
extern const uint8_t puppet_image[], puppet_image_end[];

/* puppet_setup.c: its memory as it is before anything runs; what a CPU's registers become, at its idle loop. */
void puppet_load(uint8_t *mem, const uint8_t *image, size_t size);
void puppet_enter(const uint8_t *mem, enum puppet_mode mode, unsigned cpu, struct kvm_sregs *s,
		  struct kvm_regs *r);

/*
 * puppet.c, of a runner's CPU. 0 or -errno. The run of a CPU ends with an exit (runner.exit): OBJECT_EXIT_DONE when the
 * puppet is idle again; else the operation is still under way, and the next step of it goes on with it.
 */
struct runner;
struct target;
int puppet_start(struct runner *r, unsigned cpu, enum puppet_mode mode, unsigned ms);
int puppet_do(struct runner *r, unsigned cpu, unsigned op, uint64_t a, uint64_t b, unsigned ms);
/* A CPU that a SIPI started, and that has exited to ask for its mailbox, is told: true; else it is left alone. */
bool puppet_answer(struct target *t, unsigned cpu);
/* "rdmsr": what a text calls an operation (parse_guest.c). */
const char *puppet_operation_name(unsigned op);
/* 4 or 8 bytes of the mailbox at offset: the guest's own memory, so any value. */
uint64_t puppet_get(struct runner *r, unsigned cpu, uint32_t offset, unsigned size);
void puppet_put(struct runner *r, unsigned cpu, uint32_t offset, uint64_t value, unsigned size);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SELFTEST_DEVICES_H
#define SIPI_SELFTEST_DEVICES_H

#include "selftest/rig.h"

/* What a machine has besides CPUs, as a list of named values. */
#define DEV_FIELDS 512

/* What resets do to it; all but power-on, which makes everything new. */
enum dev_rule {
	DEV_RESET,    /* as after power-on, by all but a reset of the CPUs alone */
	DEV_VOLATILE, /* the same, but time and reading change it as well */
	DEV_SHUTDOWN, /* the byte that tells a warm start: as after power-on, by a cold reset */
	DEV_KEPT,     /* by a battery, or because its data sheet says so */
};

struct dev_field {
	const char *row; /* of machine_rows */
	char name[28];
	enum dev_rule rule;
	uint64_t value;
};

struct dev_image {
	unsigned n;
	struct dev_field field[DEV_FIELDS];
};

void devices_take(struct machine *m, struct dev_image *im);
/* Whatever a guest could have programmed, short of what ends or resets the machine. */
void devices_garbage(struct rng *rng, struct machine *m);
/* What the data sheets say of a field after RESET; false: nothing. */
bool devices_expect(const struct dev_field *f, uint64_t *value, const char **section);

/* devices_kvm.c: the controllers that are KVM's. */
void devices_kvm_take(struct machine *m, struct dev_image *im);
void devices_kvm_garbage(struct rng *rng, struct machine *m);

void dev_add(struct dev_image *im, const char *row, enum dev_rule rule, uint64_t value,
	     const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SELFTEST_FIELDS_H
#define SIPI_SELFTEST_FIELDS_H

#include <string.h>

#include "selftest/rig.h"

/* The state of a CPU as a list of named values. */
#define FIELDS_MAX 1536

struct field {
	char name[44]; /* "RAX", "CS.base", "LAPIC.SVR", "XSAVE+0x240", "MSR 0x277 IA32_PAT" */
	uint32_t offset, size;
	const struct msr_row *row; /* of an MSR; else NULL */
	uint32_t msr;
};

/* What there is on this host, the same for all CPUs of a machine. */
struct schema {
	unsigned n;
	struct field field[FIELDS_MAX];
};

/* What KVM knows of a CPU, and what only we do. */
struct cpu_image {
	struct cpu_state s;
	struct {
		uint8_t nmi, init, sipi; /* pending; sipi: vector + 1 */
		uint8_t extint;		 /* a PIC's vector + 1 on its way to KVM */
		uint8_t extint_received, armed, host_timer;
		uint32_t esr_new;
		uint64_t deadline, cr8;
	} ours;
	uint64_t value[FIELDS_MAX];
};

int schema_make(struct schema *sc, struct vcpu *v, struct error *err);
/* By its name; sc->n: there is none. */
unsigned schema_find(const struct schema *sc, const char *name);
/* -errno: vcpu_get_state() failed. */
int image_take(const struct schema *sc, struct vcpu *v, struct cpu_image *im);

static inline uint32_t lapic_get(const struct cpu_state *s, unsigned offset)
{
	uint32_t v;

	memcpy(&v, s->lapic.regs + offset, sizeof(v));
	return v;
}

static inline void lapic_put(struct cpu_state *s, unsigned offset, uint32_t v)
{
	memcpy(s->lapic.regs + offset, &v, sizeof(v));
}

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_DESCRIBE_H
#define SIPI_MACHINE_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

#include "chips/ioapic.h"
#include "machine/state.h"

/* Registers as text for people, in parts that are set off by "; ". */

/* A string that grows in buf[size]; what does not fit is cut off, and len >= size says so. */
struct text {
	char *buf;
	size_t size, len;
};
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* " (NAME NAME)": the bits that are set, by their names or as "bitN". names has 64 entries, some NULL. */
void text_bits(struct text *t, uint64_t value, const char *const *names);

/* describe.c */
void describe_mp_state(struct text *t, uint32_t mp_state);
void describe_regs(struct text *t, const struct cpu_state *s);

/* describe_apic.c: all of them parts that begin with "; ". */
void describe_apic_base(struct text *t, uint64_t base);
void describe_lapic(struct text *t, uint64_t base, const struct kvm_lapic_state *regs,
		    uint64_t tsc_deadline);
/* lines: bit n is pin n. */
void describe_ioapic(struct text *t, const uint64_t redir[IOAPIC_PINS], uint32_t lines);

#endif

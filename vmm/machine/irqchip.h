/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_IRQCHIP_H
#define SIPI_MACHINE_IRQCHIP_H

#include <stdatomic.h>

#include "chips/ioapic.h"
#include "chips/pic.h"
#include "devices/device.h"
#include "machine/machine.h"

/*
 * The seam between the irqchip modes: who owns the interrupt controllers, and how an interrupt
 * reaches a vCPU. Device line n is GSI n: IOAPIC pin n and, below 16, PIC input n; but GSI 0 (the
 * PIT) is IOAPIC pin 2, and GSI 2 (the PIC's cascade) is nothing, as on every PC.
 */
struct vcpu;
struct machine;

struct irqchip_ops {
	const char *name;
	/* Before any vCPU exists. */
	int (*create)(struct machine *m, struct error *err);
	/* A device's line changed. Under the machine's lock. */
	void (*set_line)(struct machine *m, unsigned gsi, bool level);
	/* Carries out a message that the IOAPIC queued. No lock held. May be NULL where none comes. */
	void (*deliver)(struct machine *m, const struct ioapic_msg *msg);
	/* A local APIC broadcast an EOI. No lock held. */
	void (*eoi)(struct machine *m, uint8_t vector);
	/* The last thing before KVM_RUN, on the vCPU's own thread: injection. May be NULL. */
	int (*before_run)(struct vcpu *v);
	/* Puts the controllers that KVM owns into their reset state. May be NULL. */
	int (*reset)(struct machine *m, enum reset_kind kind);
	bool userspace_pit;
};

struct irqchip {
	const struct irqchip_ops *ops;
	/* split mode: ours */
	struct pic pic;
	struct ioapic ioapic;
	struct device pic_dev, ioapic_dev;
	struct ioapic_msg routes[IOAPIC_PINS]; /* what KVM was told, for level pins */
	uint32_t routed;		       /* which of them are valid */
	_Atomic int pic_intr;		       /* the PIC's INTR output */
};

extern const struct irqchip_ops irqchip_split, irqchip_kernel;

static inline unsigned gsi_to_pin(unsigned gsi)
{
	return gsi == 0 ? 2 : gsi == 2 ? IOAPIC_PINS : gsi;
}

#endif

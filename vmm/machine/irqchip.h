/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_IRQCHIP_H
#define SIPI_MACHINE_IRQCHIP_H

#include <stdatomic.h>

#include "chips/ioapic.h"
#include "chips/pic.h"
#include "devices/device.h"
#include "kvm/uapi.h"
#include "machine/machine.h"
#include "machine/user.h"

/*
 * The seam between the irqchip modes: who owns the interrupt controllers, and how an interrupt
 * reaches a vCPU. Device line n is GSI n: IOAPIC pin n and, below 16, PIC input n; but GSI 0 (the
 * PIT) is IOAPIC pin 2, and GSI 2 (the PIC's cascade) is nothing, as on every PC.
 */
struct vcpu;
struct machine;

struct irqchip_ops {
	const char *name;
	/* Before any vCPU exists; destroy (may be NULL) after they are gone. */
	int (*create)(struct machine *m, struct error *err);
	void (*destroy)(struct machine *m);
	/* A vCPU was made, and goes. May be NULL. */
	int (*add_vcpu)(struct vcpu *v, struct error *err);
	void (*remove_vcpu)(struct vcpu *v);
	/* A device's line changed. Under the machine's lock. */
	void (*set_line)(struct machine *m, unsigned gsi, bool level);
	/* IOAPIC entries were rewritten (a bit each). Under the machine's lock. May be NULL. */
	void (*routes_changed)(struct machine *m, uint32_t changed);
	/* The PIC's INTR output changed. Under the machine's lock. */
	void (*pic_changed)(struct machine *m, bool intr);
	/* Carries out a message that the IOAPIC queued. No lock held. May be NULL where none comes. */
	void (*deliver)(struct machine *m, const struct ioapic_msg *msg);
	/* A local APIC of KVM's broadcast an EOI. No lock held. May be NULL. */
	void (*eoi)(struct machine *m, uint8_t vector);
	/*
	 * The last thing before KVM_RUN, on the vCPU's own thread: injection. 1: do not enter the guest,
	 * look at requests again. -errno: KVM failed. May be NULL.
	 */
	int (*before_run)(struct vcpu *v);
	/* Puts the controllers that are KVM's and what it was told of ours into their reset state. May be NULL. */
	int (*reset)(struct machine *m);

	/* The LAPIC of a vCPU, where it is ours; all of these or none. */
	/* False: the address is not in this vCPU's APIC page. */
	bool (*lapic_access)(struct vcpu *v, bool write, uint64_t addr, unsigned size,
			     uint64_t *value);
	int (*msr_access)(struct vcpu *v, bool write, uint32_t index, uint64_t *value);
	bool (*halt)(struct vcpu *v);
	bool userspace_pit;
};

struct irqchip {
	const struct irqchip_ops *ops;
	/* where they are ours */
	struct pic pic;
	struct ioapic ioapic;
	struct device pic_dev, ioapic_dev;
	struct ioapic_msg routes[IOAPIC_PINS]; /* split: what KVM was told, for level pins */
	uint32_t routed;		       /* which of them are valid */
	struct user_irqchip user;
	/* kernel: the chips as KVM made them */
	struct kvm_irqchip fresh[KVM_NR_IRQCHIPS];
	struct kvm_pit_state2 fresh_pit;
	_Atomic int pic_intr; /* the PIC's INTR output */
};

extern const struct irqchip_ops irqchip_split, irqchip_kernel, irqchip_user;

/* irq_chips.c: for the modes whose IOAPIC and PIC are ours. */
int irqchip_add_chips(struct machine *m, struct error *err);
void irqchip_set_line(struct machine *m, unsigned gsi, bool level);
/* A broadcast EOI: under the machine's lock, and without. */
void irqchip_eoi(struct machine *m, uint8_t vector);
void irqchip_eoi_exit(struct machine *m, uint8_t vector);
/* After anything that may have changed the PIC's INTR. Under the machine's lock. */
void irqchip_update_pic(struct machine *m);

static inline unsigned gsi_to_pin(unsigned gsi)
{
	return gsi == 0 ? 2 : gsi == 2 ? IOAPIC_PINS : gsi;
}

#endif

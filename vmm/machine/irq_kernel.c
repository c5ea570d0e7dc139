// SPDX-License-Identifier: MIT
/* irqchip mode `kernel`: LAPIC, IOAPIC, PIC and PIT are KVM's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/internal.h"

/* GSI n to PIC input n and IOAPIC pin n, but for GSI 0 and 2: see irqchip.h. */
static int set_routes(struct machine *m)
{
	struct kvm_irq_routing *t = calloc(1, sizeof(*t) + 64 * sizeof(t->entries[0]));
	int r;

	if (!t)
		return -ENOMEM;
	for (unsigned gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		struct kvm_irq_routing_entry *e = &t->entries[t->nr];

		if (gsi == 2)
			continue;
		if (gsi < 16) {
			e->gsi = gsi;
			e->type = KVM_IRQ_ROUTING_IRQCHIP;
			e->u.irqchip.irqchip =
				gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
			e->u.irqchip.pin = gsi % 8;
			t->nr++;
			e++;
		}
		e->gsi = gsi;
		e->type = KVM_IRQ_ROUTING_IRQCHIP;
		e->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		e->u.irqchip.pin = gsi_to_pin(gsi);
		t->nr++;
	}
	r = kvm_vm_set_routes(m->vm, t);
	free(t);
	return r;
}

/* KVM has no RESET for its chips: they get the state again that they were made with. */
static int save(struct machine *m)
{
	int r = 0;

	for (unsigned i = 0; i < KVM_NR_IRQCHIPS && r == 0; i++) {
		m->irqchip.fresh[i].chip_id = i;
		r = kvm_vm_get_irqchip(m->vm, &m->irqchip.fresh[i]);
	}
	return r < 0 ? r : kvm_vm_get_pit(m->vm, &m->irqchip.fresh_pit);
}

static int reset(struct machine *m)
{
	/*
	 * The PIT first: a tick would leave its mark on chips that are reset already. The slave before the
	 * master: with each of them KVM looks at both, and a request of the slave would stay in the master.
	 */
	static const unsigned order[KVM_NR_IRQCHIPS] = {KVM_IRQCHIP_PIC_SLAVE,
							KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_IOAPIC};
	int r = kvm_vm_set_pit(m->vm, &m->irqchip.fresh_pit);

	for (unsigned i = 0; i < KVM_NR_IRQCHIPS && r == 0; i++)
		r = kvm_vm_set_irqchip(m->vm, &m->irqchip.fresh[order[i]]);
	return r;
}

static int create(struct machine *m, struct error *err)
{
	int r = kvm_vm_create_irqchip(m->vm);

	if (r < 0)
		return error_set(
			err, EXIT_SKIP,
			"irqchip mode 'kernel': KVM_CREATE_IRQCHIP: %s; use --irqchip split",
			strerror(-r));
	r = kvm_vm_create_pit(m->vm);
	if (r < 0)
		return error_set(err, EXIT_SKIP, "irqchip mode 'kernel': KVM_CREATE_PIT2: %s",
				 strerror(-r));
	r = set_routes(m);
	if (r < 0)
		return error_set(err, EXIT_SKIP, "irqchip mode 'kernel': KVM_SET_GSI_ROUTING: %s",
				 strerror(-r));
	r = save(m);
	if (r < 0)
		return error_set(err, EXIT_SKIP, "irqchip mode 'kernel': KVM_GET_IRQCHIP: %s",
				 strerror(-r));
	return 0;
}

static void set_line(struct machine *m, unsigned gsi, bool level)
{
	trace(m, -1, "line gsi %u = %d", gsi, level);
	kvm_vm_irq_line(m->vm, gsi, level);
}

const struct irqchip_ops irqchip_kernel = {
	.name = "kernel",
	.create = create,
	.set_line = set_line,
	.reset = reset,
};

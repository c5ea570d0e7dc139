// SPDX-License-Identifier: MIT
/*
 * irqchip mode `split`: the LAPICs are KVM's, IOAPIC and PIC are ours. An IOAPIC message becomes
 * KVM_SIGNAL_MSI; an EOI comes back as KVM_EXIT_IOAPIC_EOI; the PIC's INTR goes to the boot CPU's
 * LINT0 as ExtINT, by KVM_INTERRUPT, as the virtual wire of the MP specification does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/internal.h"

/* The message as an MSI (SDM vol. 3A, "Message Signalled Interrupts"; api.rst, KVM_SIGNAL_MSI). */
static void encode_msi(const struct ioapic_msg *msg, uint32_t *lo, uint32_t *hi, uint32_t *data)
{
	*lo = 0xfee00000u | (msg->dest & 0xff) << 12 | (uint32_t)msg->logical << 2;
	/* Bits 31:8 of a 32-bit destination; KVM reads them with KVM_X2APIC_API_USE_32BIT_IDS. */
	*hi = msg->dest & 0xffffff00u;
	/* Bit 14: asserted. */
	*data = msg->vector | (uint32_t)msg->delivery << 8 | 1u << 14 | (uint32_t)msg->level << 15;
}

static bool same_route(const struct ioapic_msg *a, const struct ioapic_msg *b)
{
	return a->dest == b->dest && a->vector == b->vector && a->delivery == b->delivery &&
	       a->logical == b->logical && a->level == b->level;
}

static void set_routes(struct machine *m)
{
	struct irqchip *c = &m->irqchip;
	struct kvm_irq_routing *t = calloc(1, sizeof(*t) + IOAPIC_PINS * sizeof(t->entries[0]));
	int r;

	if (!t) {
		machine_end(m, OUTCOME_KVM, 0, 0, "out of memory for interrupt routes");
		return;
	}
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		struct kvm_irq_routing_entry *e = &t->entries[t->nr];

		if (!(c->routed & 1u << pin))
			continue;
		e->gsi = pin;
		e->type = KVM_IRQ_ROUTING_MSI;
		encode_msi(&c->routes[pin], &e->u.msi.address_lo, &e->u.msi.address_hi,
			   &e->u.msi.data);
		t->nr++;
	}
	/*
	 * KVM waits for all readers of the old routes (synchronize_srcu), and a KVM that emulates supervisor code
	 * is one all the time that a vCPU spins.
	 */
	vcpus_shut_out(m);
	r = kvm_vm_set_routes(m->vm, t);
	vcpus_let_in(m);
	if (r < 0) /* an EOI that we are not told of would leave a pin waiting for ever */
		machine_end(m, OUTCOME_KVM, 0, 0, "KVM_SET_GSI_ROUTING: %s", strerror(-r));
	free(t);
}

/*
 * KVM learns from its routing table for which vectors it must hand an EOI to us
 * (kvm_scan_ioapic_routes). Only level-triggered entries matter for that; a masked one keeps its
 * last route, because an interrupt that is still in service will be EOIed with that vector.
 */
static void routes_changed(struct machine *m, uint32_t changed)
{
	struct irqchip *c = &m->irqchip;
	bool dirty = false;

	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		struct ioapic_msg msg;

		if (!(changed & 1u << pin) || !ioapic_route(&c->ioapic, pin, &msg))
			continue;
		if (!msg.level) {
			dirty |= (c->routed & 1u << pin) != 0;
			c->routed &= ~(1u << pin);
		} else if (!(c->routed & 1u << pin) || !same_route(&msg, &c->routes[pin])) {
			c->routes[pin] = msg;
			c->routed |= 1u << pin;
			dirty = true;
		}
	}
	if (dirty)
		set_routes(m);
}

static void deliver(struct machine *m, const struct ioapic_msg *msg)
{
	struct kvm_msi msi = {.flags = 0};
	int r;

	encode_msi(msg, &msi.address_lo, &msi.address_hi, &msi.data);
	/* KVM has no ExtINT by message: the PIC reaches a CPU through LINT0 alone. */
	r = msg->delivery == APIC_EXTINT ? 0 : kvm_vm_signal_msi(m->vm, &msi);
	trace(m, -1, "msi pin %u dest %u %s vector 0x%02x mode %u %s: %d accepted", msg->pin,
	      msg->dest, msg->logical ? "logical" : "physical", msg->vector, msg->delivery,
	      msg->level ? "level" : "edge", r);
}

/* One INTA cycle, when KVM says that the CPU would take it now. */
static int inject(struct vcpu *v)
{
	struct machine *m = v->m;
	int r;

	if (v->extint < 0) {
		machine_lock(m);
		if (pic_intr(&m->irqchip.pic))
			v->extint = pic_ack(&m->irqchip.pic);
		irqchip_update_pic(m);
		machine_unlock(m);
	}
	if (v->extint < 0)
		return 0;
	r = kvm_vcpu_interrupt(v->fd, (uint8_t)v->extint);
	if (r == -EEXIST)
		return 0; /* KVM still holds an earlier one: this vector stays ours */
	if (r == 0) {
		trace(m, (int)v->index, "extint vector 0x%02x", (unsigned)v->extint);
		v->extint = -1;
		v->given = true;
	}
	return r;
}

static int before_run(struct vcpu *v)
{
	struct irqchip *c = &v->m->irqchip;
	int r = 0;

	if (v->index != 0)
		return 0;
	/* KVM does not give a vector back: nothing is given to it that a stop would leave behind. */
	if (__atomic_load_n(&v->run->immediate_exit, __ATOMIC_SEQ_CST))
		return 1;
	if ((v->extint >= 0 || atomic_load(&c->pic_intr)) && v->run->ready_for_interrupt_injection)
		r = inject(v);
	v->run->request_interrupt_window = v->extint >= 0 || atomic_load(&c->pic_intr);
	return r;
}

static int reset(struct machine *m)
{
	if (m->irqchip.routed) {
		m->irqchip.routed = 0;
		set_routes(m);
	}
	return 0;
}

static int create(struct machine *m, struct error *err)
{
	int r = kvm_enable_cap(m->vm, KVM_CAP_SPLIT_IRQCHIP, IOAPIC_PINS);

	if (r < 0)
		return error_set(err, EXIT_SKIP, "irqchip mode 'split': KVM_CAP_SPLIT_IRQCHIP: %s",
				 strerror(-r));
	return irqchip_add_chips(m, err);
}

/* INTR rose: the boot CPU looks at it before it enters the guest again. */
static void pic_changed(struct machine *m, bool intr)
{
	if (intr)
		vcpu_kick(&m->vcpus[0]);
}

const struct irqchip_ops irqchip_split = {
	.name = "split",
	.create = create,
	.set_line = irqchip_set_line,
	.routes_changed = routes_changed,
	.pic_changed = pic_changed,
	.deliver = deliver,
	.eoi = irqchip_eoi_exit,
	.before_run = before_run,
	.reset = reset,
	.userspace_pit = true,
};

// SPDX-License-Identifier: MIT
/* irqchip mode `kernel`: PIC, IOAPIC and PIT by KVM_GET_IRQCHIP and KVM_GET_PIT2. */
#include <string.h>

#include "selftest/devices.h"

#define ROW "irqchip"

static void take_pic(struct machine *m, struct dev_image *im, unsigned id)
{
	struct kvm_irqchip chip = {.chip_id = id};
	const struct kvm_pic_state *p = &chip.chip.pic;

	if (kvm_vm_get_irqchip(m->vm, &chip) < 0)
		return;
	dev_add(im, ROW, DEV_VOLATILE, p->last_irr, "PIC%u.last IRR", id);
	dev_add(im, ROW, DEV_VOLATILE, p->irr, "PIC%u.IRR", id);
	dev_add(im, ROW, DEV_RESET, p->imr, "PIC%u.IMR", id);
	dev_add(im, ROW, DEV_VOLATILE, p->isr, "PIC%u.ISR", id);
	dev_add(im, ROW, DEV_RESET, p->priority_add, "PIC%u.priority", id);
	dev_add(im, ROW, DEV_RESET, p->irq_base, "PIC%u.ICW2", id);
	dev_add(im, ROW, DEV_RESET,
		(uint64_t)(p->read_reg_select | p->poll << 1 | p->special_mask << 2 |
			   p->rotate_on_auto_eoi << 3),
		"PIC%u.OCW", id);
	dev_add(im, ROW, DEV_RESET, p->init_state, "PIC%u.state", id);
	dev_add(im, ROW, DEV_RESET,
		(uint64_t)(p->auto_eoi | p->special_fully_nested_mode << 1 | p->init4 << 2),
		"PIC%u.ICW4", id);
	dev_add(im, ROW, DEV_RESET, p->elcr, "PIC%u.ELCR", id);
}

static void take_ioapic(struct machine *m, struct dev_image *im)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
	const struct kvm_ioapic_state *s = &chip.chip.ioapic;

	if (kvm_vm_get_irqchip(m->vm, &chip) < 0)
		return;
	dev_add(im, ROW, DEV_RESET, s->base_address, "IOAPIC.base");
	dev_add(im, ROW, DEV_RESET, s->ioregsel, "IOAPIC.select");
	dev_add(im, ROW, DEV_RESET, s->id, "IOAPIC.ID");
	dev_add(im, ROW, DEV_VOLATILE, s->irr, "IOAPIC.IRR");
	for (unsigned pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		dev_add(im, ROW, DEV_VOLATILE, s->redirtbl[pin].bits, "IOAPIC.entry %u", pin);
}

static void take_pit(struct machine *m, struct dev_image *im)
{
	struct kvm_pit_state2 pit;

	if (kvm_vm_get_pit(m->vm, &pit) < 0)
		return;
	dev_add(im, ROW, DEV_RESET, pit.flags, "PIT.flags");
	for (unsigned i = 0; i < 3; i++) {
		const struct kvm_pit_channel_state *c = &pit.channels[i];

		dev_add(im, ROW, DEV_RESET, c->count, "PIT%u.count", i);
		dev_add(im, ROW, DEV_RESET, c->mode, "PIT%u.mode", i);
		dev_add(im, ROW, DEV_RESET, c->bcd, "PIT%u.BCD", i);
		dev_add(im, ROW, DEV_RESET, c->gate, "PIT%u.gate", i);
		dev_add(im, ROW, DEV_RESET, c->rw_mode, "PIT%u.access", i);
		dev_add(im, ROW, DEV_RESET,
			(uint64_t)(c->read_state | c->write_state << 8 | c->count_latched << 16 |
				   c->status_latched << 24),
			"PIT%u.bytes", i);
		dev_add(im, ROW, DEV_RESET,
			(uint64_t)(c->latched_count | c->status << 16) | (uint64_t)c->write_latch
										 << 32,
			"PIT%u.latches", i);
	}
}

void devices_kvm_take(struct machine *m, struct dev_image *im)
{
	take_pic(m, im, KVM_IRQCHIP_PIC_MASTER);
	take_pic(m, im, KVM_IRQCHIP_PIC_SLAVE);
	take_ioapic(m, im);
	take_pit(m, im);
}

static void garbage_pic(struct rng *rng, struct machine *m, unsigned id)
{
	struct kvm_irqchip chip = {.chip_id = id};
	struct kvm_pic_state *p = &chip.chip.pic;

	*p = (struct kvm_pic_state){
		.last_irr = (uint8_t)rng_next(rng),
		.irr = (uint8_t)rng_next(rng),
		.imr = (uint8_t)rng_next(rng),
		.isr = (uint8_t)rng_next(rng),
		.priority_add = (uint8_t)rng_below(rng, 8),
		.irq_base = (uint8_t)rng_next(rng) & 0xf8,
		.read_reg_select = (uint8_t)rng_below(rng, 2),
		.poll = (uint8_t)rng_below(rng, 2),
		.special_mask = (uint8_t)rng_below(rng, 2),
		.init_state = (uint8_t)rng_below(rng, 4),
		.auto_eoi = (uint8_t)rng_below(rng, 2),
		.rotate_on_auto_eoi = (uint8_t)rng_below(rng, 2),
		.special_fully_nested_mode = (uint8_t)rng_below(rng, 2),
		.init4 = (uint8_t)rng_below(rng, 2),
		.elcr = (uint8_t)rng_next(rng) & (id ? 0xde : 0xf8),
		.elcr_mask = id ? 0xde : 0xf8,
	};
	kvm_vm_set_irqchip(m->vm, &chip);
}

static void garbage_ioapic(struct rng *rng, struct machine *m)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
	struct kvm_ioapic_state *s = &chip.chip.ioapic;

	if (kvm_vm_get_irqchip(m->vm, &chip) < 0)
		return;
	s->ioregsel = rng_below(rng, 0x40);
	s->id = rng_below(rng, 16);
	s->irr = (uint32_t)rng_next(rng) & 0xffffff;
	for (unsigned pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		/* Fixed or lowest priority; what a guest can write, and remote IRR. */
		s->redirtbl[pin].bits = (rng_next(rng) & 0xff0000000001e9ffull) | 0x10;
	kvm_vm_set_irqchip(m->vm, &chip);
}

static void garbage_pit(struct rng *rng, struct machine *m)
{
	struct kvm_pit_state2 pit;

	if (kvm_vm_get_pit(m->vm, &pit) < 0)
		return;
	pit.flags = rng_chance(rng, 2) ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0;
	for (unsigned i = 0; i < 3; i++) {
		struct kvm_pit_channel_state *c = &pit.channels[i];

		c->count = 0x400 + rng_below(rng, 0xf000);
		c->mode = (uint8_t)rng_below(rng, 6);
		c->bcd = (uint8_t)rng_below(rng, 2);
		c->gate = (uint8_t)rng_below(rng, 2);
		c->rw_mode = (uint8_t)(1 + rng_below(rng, 3));
		c->read_state = c->write_state = (uint8_t)(1 + rng_below(rng, 4));
		c->write_latch = (uint8_t)rng_next(rng);
		c->count_latched = (uint8_t)rng_below(rng, 2);
		c->latched_count = (uint16_t)rng_next(rng);
		c->status_latched = (uint8_t)rng_below(rng, 2);
		c->status = (uint8_t)rng_next(rng);
	}
	kvm_vm_set_pit(m->vm, &pit);
}

void devices_kvm_garbage(struct rng *rng, struct machine *m)
{
	garbage_pic(rng, m, KVM_IRQCHIP_PIC_MASTER);
	garbage_pic(rng, m, KVM_IRQCHIP_PIC_SLAVE);
	garbage_ioapic(rng, m);
	garbage_pit(rng, m);
}

// SPDX-License-Identifier: MIT
/* What to do with each exit of KVM_RUN. */
#include <errno.h>
#include <string.h>

#include "machine/internal.h"

/* Kept even without a trace: a crash shows the last exits of its CPU. */
static void note(struct vcpu *v, bool write, uint64_t addr, unsigned size, uint64_t data)
{
	v->recent[v->exits % RECENT_EXITS] = (struct exit_note){
		.reason = v->run->exit_reason,
		.write = write,
		.size = (uint8_t)size,
		.addr = addr,
		.data = data,
	};
}

/* One access on the bus; false when nobody claimed it and the user wants that to be fatal. */
static bool bus_access(struct vcpu *v, enum bus_space space, bool write, uint64_t addr,
		       unsigned size, uint64_t *value)
{
	struct machine *m = v->m;
	bool claimed;

	machine_lock(m);
	claimed = write ? bus_write(&m->bus, space, addr, size, *value)
			: bus_read(&m->bus, space, addr, size, value);
	machine_unlock(m);
	note(v, write, addr, size, *value);
	trace(m, (int)v->index, "%s %s 0x%llx/%u = 0x%llx%s", space == BUS_PIO ? "io" : "mmio",
	      write ? "write" : "read", (unsigned long long)addr, size, (unsigned long long)*value,
	      claimed ? "" : " unclaimed");
	if (claimed || !m->cfg.strict)
		return true;
	machine_end(m, OUTCOME_STRICT, v->index, 0,
		    "%s of %u byte%s at %s 0x%llx, which nobody claims", write ? "write" : "read",
		    size, size == 1 ? "" : "s", space == BUS_PIO ? "port" : "address",
		    (unsigned long long)addr);
	return false;
}

/* String I/O: the data pointer advances, the port does not. */
static bool exit_io(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	bool write = run->io.direction == KVM_EXIT_IO_OUT;
	unsigned size = run->io.size;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		uint64_t value = 0;

		if (write)
			memcpy(&value, data, size);
		if (!bus_access(v, BUS_PIO, write, run->io.port, size, &value))
			return false;
		if (!write)
			memcpy(data, &value, size);
	}
	return true;
}

static bool exit_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	bool write = run->mmio.is_write;
	uint64_t value = 0;

	if (write)
		memcpy(&value, run->mmio.data, run->mmio.len);
	if (v->m->irqchip.ops->lapic_access &&
	    v->m->irqchip.ops->lapic_access(v, write, run->mmio.phys_addr, run->mmio.len, &value)) {
		note(v, write, run->mmio.phys_addr, run->mmio.len, value);
		trace(v->m, (int)v->index, "lapic %s 0x%03x/%u = 0x%llx", write ? "write" : "read",
		      (unsigned)run->mmio.phys_addr & 0xfff, run->mmio.len,
		      (unsigned long long)value);
	} else if (!bus_access(v, BUS_MMIO, write, run->mmio.phys_addr, run->mmio.len, &value)) {
		return false;
	}
	if (!write)
		memcpy(run->mmio.data, &value, run->mmio.len);
	return true;
}

static bool exit_unknown(struct vcpu *v)
{
	machine_end(v->m, OUTCOME_KVM, v->index, 0,
		    "%s (exit reason %u), which sipi does not handle",
		    exit_reason_name(v->run->exit_reason), v->run->exit_reason);
	return false;
}

/* An MSR that KVM refused or that we asked for; whoever does not have it lets the guest take #GP. */
static bool exit_msr(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	bool write = run->exit_reason == KVM_EXIT_X86_WRMSR;
	uint64_t value = write ? run->msr.data : 0;

	run->msr.error = !v->m->irqchip.ops->msr_access ||
			 v->m->irqchip.ops->msr_access(v, write, run->msr.index, &value) < 0;
	if (!write)
		run->msr.data = value;
	/*
	 * KVM will queue a #GP at the next entry. What it said of being ready was said before that, and an
	 * interrupt given to it now would be lost to the exception.
	 */
	if (run->msr.error)
		run->ready_for_interrupt_injection = 0;
	note(v, write, run->msr.index, 8, value);
	trace(v->m, (int)v->index, "%s 0x%x = 0x%llx%s", write ? "wrmsr" : "rdmsr", run->msr.index,
	      (unsigned long long)value, run->msr.error ? " #GP" : "");
	return true;
}

static bool exit_hlt(struct vcpu *v)
{
	note(v, false, 0, 0, 0);
	trace(v->m, (int)v->index, "hlt, interrupts %s", v->run->if_flag ? "on" : "off");
	return v->m->irqchip.ops->halt ? v->m->irqchip.ops->halt(v) : exit_unknown(v);
}

static bool exit_eoi(struct vcpu *v)
{
	note(v, true, v->run->eoi.vector, 0, 0);
	trace(v->m, (int)v->index, "eoi vector 0x%02x", v->run->eoi.vector);
	if (v->m->irqchip.ops->eoi)
		v->m->irqchip.ops->eoi(v->m, v->run->eoi.vector);
	return true;
}

static bool exit_again(struct vcpu *v)
{
	note(v, false, 0, 0, 0);
	trace(v->m, (int)v->index, "%s", exit_reason_name(v->run->exit_reason));
	return true;
}

static bool exit_shutdown(struct vcpu *v)
{
	note(v, false, 0, 0, 0);
	trace(v->m, (int)v->index, "shutdown");
	if (v->m->cfg.reset_on_triple_fault) {
		machine_ask_reset(v->m, RESET_TRIPLE_FAULT);
		return true;
	}
	machine_end(v->m, OUTCOME_TRIPLE_FAULT, v->index, 0, "triple fault");
	return false;
}

static bool exit_system_event(struct vcpu *v)
{
	switch (v->run->system_event.type) {
	case KVM_SYSTEM_EVENT_RESET:
		machine_ask_reset(v->m, RESET_HARD);
		return true;
	default:
		machine_end(v->m, OUTCOME_KVM, v->index, 0, "KVM_EXIT_SYSTEM_EVENT of type %u",
			    v->run->system_event.type);
		return false;
	}
}

static bool exit_internal_error(struct vcpu *v)
{
	static const char *const kinds[] = {
		[KVM_INTERNAL_ERROR_EMULATION] = "KVM cannot emulate",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "an exception came while another was delivered, at",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = "an exit came while an event was delivered, at",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "an exit that KVM did not expect, at",
	};
	uint32_t kind = v->run->internal.suberror;
	const char *name = kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[kind] : NULL;
	char insn[128];

	note(v, false, kind, 0, 0);
	insn_at_rip(v, insn, sizeof(insn));
	machine_end(v->m, OUTCOME_KVM, v->index, 0, "KVM_EXIT_INTERNAL_ERROR (suberror %u): %s %s",
		    kind, name ? name : "of a kind unknown to sipi, at", insn);
	return false;
}

static bool exit_fail_entry(struct vcpu *v)
{
	machine_end(v->m, OUTCOME_KVM, v->index, 0,
		    "KVM_EXIT_FAIL_ENTRY: the hardware refused to enter the guest, reason 0x%llx",
		    (unsigned long long)v->run->fail_entry.hardware_entry_failure_reason);
	return false;
}

static bool (*const handlers[])(struct vcpu *) = {
	[KVM_EXIT_IO] = exit_io,
	[KVM_EXIT_MMIO] = exit_mmio,
	[KVM_EXIT_X86_RDMSR] = exit_msr,
	[KVM_EXIT_X86_WRMSR] = exit_msr,
	[KVM_EXIT_HLT] = exit_hlt,
	[KVM_EXIT_IOAPIC_EOI] = exit_eoi,
	[KVM_EXIT_IRQ_WINDOW_OPEN] = exit_again,
	[KVM_EXIT_INTR] = exit_again,
	[KVM_EXIT_SET_TPR] = exit_again,
	[KVM_EXIT_SHUTDOWN] = exit_shutdown,
	[KVM_EXIT_SYSTEM_EVENT] = exit_system_event,
	[KVM_EXIT_INTERNAL_ERROR] = exit_internal_error,
	[KVM_EXIT_FAIL_ENTRY] = exit_fail_entry,
};

bool vcpu_handle_exit(struct vcpu *v)
{
	uint32_t reason = v->run->exit_reason;

	if (reason < sizeof(handlers) / sizeof(handlers[0]) && handlers[reason])
		return handlers[reason](v);
	return exit_unknown(v);
}

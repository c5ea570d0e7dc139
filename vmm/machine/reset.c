// SPDX-License-Identifier: MIT
/*
 * RESET of the machine: what it has besides CPUs, by the table here; then every vCPU by the one in state.c. In this
 * order, because lines that fall, a tick of KVM's PIT and messages on their way reach CPUs of the old life then.
 */
#include <string.h>

#include "machine/internal.h"
#include "machine/state_priv.h"

#define MSR_TSC 0x10

static int reset_hotplug(struct machine *m, enum reset_kind kind)
{
	(void)kind;
	return hotplug_reset(m);
}

static int reset_messages(struct machine *m, enum reset_kind kind)
{
	(void)kind;
	inject_reset(m);
	return 0;
}

static int reset_irqchip(struct machine *m, enum reset_kind kind)
{
	(void)kind;
	return m->irqchip.ops->reset ? m->irqchip.ops->reset(m) : 0;
}

#define SOFT STATE_KIND(RESET_SOFT)
/* Kinds that reach more than CPUs; a soft reset and INIT do not (ICH data sheets, "RST_CNT"). */
#define SYSTEM                                                                                     \
	(STATE_KIND(RESET_HARD) | STATE_KIND(RESET_KBC) | STATE_KIND(RESET_TRIPLE_FAULT) |         \
	 STATE_KIND(RESET_HOST))
#define DEVICE (POWER_ON | SYSTEM)

#define LINE "before the controllers: what its falling line does there goes with their reset"

/* What differs from kind to kind within a device is that device's own. */
const struct machine_row machine_rows[] = {
	{"hot-plug", SYSTEM, "the device tree: which CPUs are enabled",
	 "first: a CPU that comes is then reset like the others, and one that goes sees nothing of it",
	 reset_hotplug},
	{"messages", SYSTEM | SOFT, "machine/inject.h", "they were for CPUs that are gone",
	 reset_messages},
	{"cpu-hotplug", DEVICE, "devices/hotplug.h",
	 "behind hot-plug, which counts as changes; a soft reset leaves its command to be done",
	 NULL},
	{"serial", DEVICE, "PC16550D, 'UART Reset Configuration'", LINE, NULL},
	{"rtc", DEVICE, "MC146818, 'RESET'", LINE, NULL},
	{"i8042", DEVICE, "IBM PS/2 Hardware Interface Technical Reference, 'Keyboard Controller'",
	 LINE, NULL},
	{"test-lines", DEVICE, "devices/test_lines.h", LINE, NULL},
	{"pit", DEVICE, "8254: undefined, as KVM has it; machine/irq_kernel.c resets KVM's", LINE,
	 NULL},
	{"ports", DEVICE, "IBM PS/2 Hardware Interface Technical Reference; ICH, 'RST_CNT'",
	 "it has no line: anywhere. A guest that soft-resets twice clears RST_CPU in between",
	 NULL},
	{"debug-exit", 0, "devices/debug_exit.h", "it has no state: anywhere", NULL},
	{"pic", DEVICE, "8259A, 'Initialization Command Words'; ICH, 'ELCR'",
	 "behind the devices: edges of falling lines leave nothing behind", NULL},
	{"ioapic", DEVICE, "82093AA, 'Register Description'", "as the PIC", NULL},
	{"irqchip", SYSTEM, "api.rst, KVM_SET_GSI_ROUTING, KVM_SET_IRQCHIP, KVM_SET_PIT2",
	 "behind the IOAPIC, of which KVM is told; or KVM's chips in their place", reset_irqchip},
};
const unsigned machine_row_count = sizeof(machine_rows) / sizeof(machine_rows[0]);

static int reset_row(struct machine *m, const struct machine_row *row, enum reset_kind kind)
{
	if (!(row->kinds & STATE_KIND(kind)) || state_left_out(m, row->what))
		return 0;
	if (row->reset)
		return row->reset(m, kind);
	bus_reset_device(&m->bus, row->what, kind); /* the board may not have it */
	return 0;
}

/*
 * A TSC that the host writes within a second of the one that KVM expects counts as an attempt to synchronise it, and goes
 * on. So it is first set far away, and then the same for all, those that are not plugged in included: KVM's master
 * clock wants all of them alike (kvm_synchronize_tsc, pvclock_update_vm_gtod_copy).
 */
static int restart_tsc(struct machine *m)
{
	int r = kvm_vcpu_set_msr(m->vcpus[0].fd, MSR_TSC, 1ull << 60);

	for (unsigned i = 0; i < m->nvcpus && r == 0; i++)
		if (m->vcpus[i].created)
			r = kvm_vcpu_set_msr(m->vcpus[i].fd, MSR_TSC, 1);
	return r;
}

int machine_reset_state(struct machine *m, enum reset_kind kind)
{
	int r;

	for (unsigned i = 0; i < machine_row_count; i++) {
		r = reset_row(m, &machine_rows[i], kind);
		if (r < 0) {
			trace(m, -1, "reset: %s: %s", machine_rows[i].what, strerror(-r));
			return r;
		}
	}
	m->queued = 0; /* messages that the rows above caused */
	r = state_left_out(m, "TSC") ? 0 : restart_tsc(m);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < m->nvcpus; i++) {
		/* One that was taken out is reset already, and stays deaf: its APIC is disabled. */
		r = m->vcpus[i].plugged ? vcpu_reset(&m->vcpus[i], kind) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * The ordered table of what a vCPU consists of, and who walks it. INIT is carried out from here in irqchip mode
 * `user` alone; elsewhere it is KVM's.
 */
#include "machine/state.h"

#include <string.h>

#include "machine/internal.h"
#include "machine/state_priv.h"

#define SDM_STATES                                                                                 \
	"SDM vol. 3A, table 'IA-32 and Intel 64 Processor States Following Power-up, Reset, or "   \
	"INIT'; APM vol. 2, table 'Initial Processor State'"

/* At power-on a vCPU is fresh from KVM, and most of it is right. */
const struct state_row state_rows[] = {
	{.what = "SMM and nested",
	 .kinds = RESETS | INIT,
	 .section =
		 "SDM vol. 3C, 'Default Treatment of SMI Delivery'; api.rst, KVM_SET_NESTED_STATE",
	 .why = "first: in SMM, INITs stay latched, and in VMX operation CR4.VMXE cannot be cleared",
	 .get = state_events_get,
	 .set = state_smm_set,
	 .reset = state_smm_reset},
	{.what = "MP state",
	 .kinds = POWER_ON | RESETS | INIT,
	 .section =
		 "SDM vol. 3A, 'MP Initialization Protocol Algorithm'; api.rst, KVM_GET_MP_STATE",
	 .why = "reading it makes KVM act on INITs and SIPIs on their way, which write what follows",
	 .get = state_mp_get,
	 .set = state_mp_set,
	 .reset = state_mp_reset},
	{.what = "registers",
	 .kinds = POWER_ON | RESETS | INIT,
	 .section = SDM_STATES,
	 .why = "after MP state; KVM drops a pending exception with it, which comes back with events",
	 .get = state_regs_get,
	 .set = state_regs_set,
	 .reset = state_regs_reset},
	{.what = "special registers",
	 .kinds = POWER_ON | RESETS | INIT,
	 .section = SDM_STATES,
	 .why = "before MSRs and LAPIC: the APIC base decides how KVM reads the LAPIC page, CR8 is TPR",
	 .get = state_sregs_get,
	 .set = state_sregs_set,
	 .reset = state_sregs_reset},
	{.what = "x87, SSE and XSAVE",
	 .kinds = POWER_ON | RESETS | INIT,
	 .section = SDM_STATES "; SDM vol. 1, 'XSAVE Area'",
	 .why = "before XCR0 and XSS, which say what of it is in use",
	 .get = state_xsave_get,
	 .set = state_xsave_set,
	 .reset = state_xsave_reset},
	{.what = "XCR0",
	 .kinds = RESETS,
	 .section = SDM_STATES,
	 .why = "after CR4, of which OSXSAVE goes with it",
	 .get = state_xcrs_get,
	 .set = state_xcrs_set,
	 .reset = state_xcrs_reset},
	{.what = "debug registers",
	 .kinds = RESETS | INIT,
	 .section = SDM_STATES,
	 .why = "nothing above writes them, and an event below may",
	 .get = state_debugregs_get,
	 .set = state_debugregs_set,
	 .reset = state_debugregs_reset},
	{.what = "MSRs",
	 .kinds = RESETS | INIT,
	 .section = SDM_STATES "; msr_rows",
	 .why = "after CR4 and EFER, which some depend on; before nested state, which depends on some",
	 .get = state_msrs_get,
	 .set = state_msrs_set,
	 .apply = state_msrs_apply},
	{.what = "TSC",
	 .kinds = RESETS,
	 .section = SDM_STATES,
	 .why = "after TSC_ADJUST and the scaling ratio; before the timers that are compared to it",
	 .get = state_tsc_get,
	 .set = state_tsc_set,
	 .reset = state_tsc_reset},
	{.what = "LAPIC",
	 .kinds = RESETS | INIT,
	 .section = "SDM vol. 3A, 'Local APIC State After Power-Up or Reset', '... It Receives an "
		    "INIT Reset'",
	 .why = "after the TSC, which a timer of the old life would be compared to",
	 .get = state_lapic_get,
	 .set = state_lapic_set,
	 .reset = state_lapic_reset},
	{.what = "TSC deadline",
	 .kinds = 0, /* LVTT's reset disarms it: for restoring */
	 .section = "SDM vol. 3A, 'TSC-Deadline Mode'",
	 .why = "after LVTT: in another timer mode a deadline is dropped",
	 .get = state_deadline_get,
	 .set = state_deadline_set,
	 .reset = state_deadline_reset},
	{.what = "nested state",
	 .kinds = 0, /* the first row has left it: for restoring */
	 .section = "api.rst, KVM_SET_NESTED_STATE; SDM vol. 3C, 'VMXON'; APM vol. 2, 'VMRUN'",
	 .why = "after CR4, EFER and IA32_FEATURE_CONTROL, without which KVM refuses it",
	 .get = state_nested_get,
	 .set = state_nested_set,
	 .reset = state_nested_reset},
	{.what = "events",
	 .kinds = RESETS | INIT,
	 .section = "SDM vol. 3A, 'Interrupt and Exception Handling'; api.rst, KVM_SET_VCPU_EVENTS",
	 .why = "last: the rows above can leave events pending",
	 .get = state_events_get,
	 .set = state_events_set,
	 .reset = state_events_reset},
};
const unsigned state_row_count = sizeof(state_rows) / sizeof(state_rows[0]);

static int failed(const struct vcpu *v, const char *verb, const struct state_row *row, int r)
{
	trace(v->m, (int)v->index, "%s %s: %s", verb, row->what, strerror(-r));
	return r;
}

int vcpu_get_state(struct vcpu *v, struct cpu_state *s)
{
	for (unsigned i = 0; i < state_row_count; i++) {
		int r = state_rows[i].get(v, s);

		if (r < 0)
			return failed(v, "reading", &state_rows[i], r);
	}
	return 0;
}

/* What KVM said at the last exit was said of another state: nothing is injected on the strength of it. */
static void forget_readiness(struct vcpu *v)
{
	v->run->ready_for_interrupt_injection = 0;
	v->run->if_flag = 0;
}

int vcpu_set_state(struct vcpu *v, const struct cpu_state *s)
{
	for (unsigned i = 0; i < state_row_count; i++) {
		int r = state_rows[i].set(v, s);

		if (r < 0)
			return failed(v, "writing", &state_rows[i], r);
	}
	forget_readiness(v);
	return 0;
}

bool state_left_out(const struct machine *m, const char *name)
{
	return m->cfg.without && strcmp(m->cfg.without, name) == 0;
}

static int reset_row(struct vcpu *v, const struct state_row *row, struct cpu_state *s,
		     enum reset_kind kind)
{
	int r;

	if (row->apply)
		return row->apply(v, kind);
	r = row->get(v, s);
	if (r < 0)
		return r;
	row->reset(v, s, kind);
	return row->set(v, s);
}

int vcpu_reset(struct vcpu *v, enum reset_kind kind)
{
	struct cpu_state s;

	for (unsigned i = 0; i < state_row_count; i++) {
		const struct state_row *row = &state_rows[i];
		int r;

		if (!(row->kinds & STATE_KIND(kind)) || state_left_out(v->m, row->what))
			continue;
		r = reset_row(v, row, &s, kind);
		if (r < 0)
			return failed(v, "reset:", row, r);
	}
	forget_readiness(v);
	return 0;
}

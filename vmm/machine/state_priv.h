/* SPDX-License-Identifier: MIT */
#ifndef SIPI_MACHINE_STATE_PRIV_H
#define SIPI_MACHINE_STATE_PRIV_H

#include "machine/state.h"

#define POWER_ON STATE_KIND(RESET_POWER_ON)
#define INIT	 STATE_KIND(RESET_INIT)
/* The kinds that are a RESET of a CPU that has run. */
#define RESETS                                                                                     \
	(STATE_KIND(RESET_HARD) | STATE_KIND(RESET_SOFT) | STATE_KIND(RESET_KBC) |                 \
	 STATE_KIND(RESET_TRIPLE_FAULT) | STATE_KIND(RESET_HOST))

/* What the rows of state_rows[] are made of: state_regs.c, state_irq.c, and state_msrs.c for the row "MSRs". */
#define STATE_ROW(name)                                                                            \
	int state_##name##_get(struct vcpu *v, struct cpu_state *s);                               \
	int state_##name##_set(struct vcpu *v, const struct cpu_state *s);                         \
	void state_##name##_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind)

STATE_ROW(regs);
STATE_ROW(sregs);
STATE_ROW(xsave);
STATE_ROW(xcrs);
STATE_ROW(debugregs);
STATE_ROW(mp);
STATE_ROW(tsc);
STATE_ROW(lapic);
STATE_ROW(deadline);
STATE_ROW(nested);
STATE_ROW(events);

/* SMM reads what events read. */
int state_smm_set(struct vcpu *v, const struct cpu_state *s);
void state_smm_reset(const struct vcpu *v, struct cpu_state *s, enum reset_kind kind);

int state_msrs_get(struct vcpu *v, struct cpu_state *s);
int state_msrs_set(struct vcpu *v, const struct cpu_state *s);
int state_msrs_apply(struct vcpu *v, enum reset_kind kind);

/* machine_config.without names this row: it is left out. */
bool state_left_out(const struct machine *m, const char *name);

#endif

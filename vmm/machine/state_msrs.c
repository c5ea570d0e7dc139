// SPDX-License-Identifier: MIT
/*
 * Every MSR that a KVM from Linux 5.10 to 6.19 lists (arch/x86/kvm/x86.c: msrs_to_save_base, msrs_to_save_pmu,
 * emulated_msrs_all), and a few that it has without listing them: what a reset makes of each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/internal.h"
#include "machine/state_priv.h"

/* INIT leaves MSRs alone, but for those of MPX and CET: all in the one table. */
#define STATES                                                                                     \
	"SDM vol. 3A, table 'IA-32 and Intel 64 Processor States Following Power-up, Reset, or "   \
	"INIT'"
#define OTHERS STATES ": undefined; 0 as KVM makes it"
#define CET    STATES ", and SDM vol. 1, 'Control-Flow Enforcement Technology'"
#define MCHECK STATES ": undefined; 0 as KVM makes it"
#define DEBUG  "SDM vol. 3B, 'IA32_DEBUGCTL MSR', 'Last Branch, Interrupt, and Exception Recording'"
#define MTRR   "SDM vol. 3A, 'MTRR Initialization': E and the valid bits 0, the rest undefined"
#define TRACE  "SDM vol. 3C, 'Intel Processor Trace', tables of its MSRs: RESET clears, INIT keeps"
#define APM    "APM vol. 2, 'Performance Monitoring Counters'"
#define HYPERV "TLFS, the register's 'initial value'; its hypercall interface is off after RESET"
/* KVM takes them away at an INIT as well (kvm_vcpu_reset): they point into memory of the life that ends. */
#define PARAVIRT "Documentation/virt/kvm/x86/msr.rst; KVM's kvm_vcpu_reset()"

const struct msr_row msr_rows[] = {
	{0x10, 0x10, "IA32_TIME_STAMP_COUNTER", MSR_OTHER, 0, 0, "row 'TSC'", false},
	{0x11, 0x11, "MSR_KVM_WALL_CLOCK", MSR_OTHER, 0, 0, "MSR_KVM_WALL_CLOCK_NEW is the same",
	 false},
	{0x12, 0x12, "MSR_KVM_SYSTEM_TIME", MSR_OTHER, 0, 0, "MSR_KVM_SYSTEM_TIME_NEW is the same",
	 false},
	{0x1b, 0x1b, "IA32_APIC_BASE", MSR_OTHER, 0, 0, "row 'special registers'", false},
	{0x34, 0x34, "MSR_SMI_COUNT", MSR_RESET, RESETS, 0, "SDM vol. 4, MSR_SMI_COUNT", false},
	{0x3a, 0x3a, "IA32_FEATURE_CONTROL", MSR_RESET, RESETS, 0,
	 "SDM vol. 3C, 'Enabling and Entering VMX Operation'", false},
	{0x3b, 0x3b, "IA32_TSC_ADJUST", MSR_RESET, RESETS, 0, "SDM vol. 3B, 'IA32_TSC_ADJUST MSR'",
	 false},
	{0x48, 0x48, "IA32_SPEC_CTRL", MSR_RESET, RESETS, 0, "SDM vol. 4, IA32_SPEC_CTRL", false},
	{0x8b, 0x8b, "IA32_BIOS_SIGN_ID", MSR_KEEP, 0, 0, "what the CPU is: its microcode", false},
	{0x9e, 0x9e, "IA32_SMBASE", MSR_RESET, RESETS, 0x30000,
	 "SDM vol. 3C, 'SMRAM': INIT keeps it", false},
	{0xc1, 0xcd, "IA32_PMC0..12", MSR_RESET, RESETS, 0, STATES, false},
	{0xce, 0xce, "MSR_PLATFORM_INFO", MSR_KEEP, 0, 0, "what the CPU is", false},
	{0xcf, 0xd2, "IA32_PMC14..17", MSR_RESET, RESETS, 0, STATES "; KVM 5.10 lists them", false},
	{0xe1, 0xe1, "IA32_UMWAIT_CONTROL", MSR_RESET, RESETS, 0, "SDM vol. 4, IA32_UMWAIT_CONTROL",
	 false},
	{0x10a, 0x10a, "IA32_ARCH_CAPABILITIES", MSR_KEEP, 0, 0, "what the CPU is", false},
	{0x122, 0x122, "IA32_TSX_CTRL", MSR_RESET, RESETS, 0, "SDM vol. 4, IA32_TSX_CTRL", false},
	{0x140, 0x140, "MISC_FEATURES_ENABLES", MSR_RESET, RESETS, 0,
	 "SDM vol. 4, MSR_MISC_FEATURES_ENABLES", false},
	{0x174, 0x174, "IA32_SYSENTER_CS", MSR_RESET, RESETS, 0, OTHERS, false},
	{0x175, 0x175, "IA32_SYSENTER_ESP", MSR_RESET, RESETS, 0, OTHERS, false},
	{0x176, 0x176, "IA32_SYSENTER_EIP", MSR_RESET, RESETS, 0, OTHERS, false},
	{0x179, 0x179, "IA32_MCG_CAP", MSR_KEEP, 0, 0, "what the CPU is", false},
	{0x17a, 0x17a, "IA32_MCG_STATUS", MSR_RESET, RESETS, 0, MCHECK, false},
	{0x17b, 0x17b, "IA32_MCG_CTL", MSR_RESET, RESETS, 0, MCHECK, false},
	{0x186, 0x197, "IA32_PERFEVTSEL0..17", MSR_RESET, RESETS, 0, STATES, false},
	{0x1a0, 0x1a0, "IA32_MISC_ENABLE", MSR_FRESH, RESETS, 0,
	 "SDM vol. 4, IA32_MISC_ENABLE: the model decides", false},
	{0x1c4, 0x1c4, "IA32_XFD", MSR_RESET, RESETS, 0,
	 "SDM vol. 1, 'Extended Feature Disable (XFD)'", false},
	{0x1c5, 0x1c5, "IA32_XFD_ERR", MSR_RESET, RESETS, 0,
	 "SDM vol. 1, 'Extended Feature Disable (XFD)'", false},
	{0x1cc, 0x1d4, "IA32_FRED", MSR_RESET, RESETS, 0,
	 "Flexible Return and Event Delivery Specification, 'RESET and INIT'", false},
	{0x1d9, 0x1d9, "IA32_DEBUGCTL", MSR_RESET, RESETS, 0, DEBUG, true},
	{0x1db, 0x1dc, "LASTBRANCH", MSR_TRY, RESETS, 0, DEBUG, false},
	{0x1dd, 0x1de, "LASTINT", MSR_TRY, RESETS, 0, DEBUG, false},
	{0x1fc, 0x1fc, "MSR_POWER_CTL", MSR_RESET, RESETS, 0,
	 "SDM vol. 4, MSR_POWER_CTL; KVM makes it 0", false},
	{0x200, 0x20f, "IA32_MTRR_PHYS", MSR_RESET, RESETS, 0, MTRR, true},
	{0x250, 0x250, "IA32_MTRR_FIX64K", MSR_RESET, RESETS, 0, MTRR, true},
	{0x258, 0x259, "IA32_MTRR_FIX16K", MSR_RESET, RESETS, 0, MTRR, true},
	{0x268, 0x26f, "IA32_MTRR_FIX4K", MSR_RESET, RESETS, 0, MTRR, true},
	{0x277, 0x277, "IA32_PAT", MSR_RESET, RESETS, 0x7040600070406,
	 "SDM vol. 3A, 'Programming the PAT'", false},
	{0x2ff, 0x2ff, "IA32_MTRR_DEF_TYPE", MSR_RESET, RESETS, 0, MTRR, true},
	{0x309, 0x30c, "IA32_FIXED_CTR", MSR_RESET, RESETS, 0, STATES, false},
	{0x345, 0x345, "IA32_PERF_CAPABILITIES", MSR_KEEP, 0, 0, "what the CPU is", false},
	{0x38d, 0x38d, "IA32_FIXED_CTR_CTRL", MSR_RESET, RESETS, 0, STATES, false},
	{0x38e, 0x38e, "IA32_PERF_GLOBAL_STATUS", MSR_RESET, RESETS, 0, STATES, false},
	{0x38f, 0x38f, "IA32_PERF_GLOBAL_CTRL", MSR_FRESH, RESETS, 0,
	 "SDM vol. 3B, 'Architectural Performance Monitoring Version 2': a bit each counter; KVM before 6.8: 0",
	 false},
	{0x390, 0x390, "IA32_PERF_GLOBAL_OVF_CTRL", MSR_RESET, RESETS, 0, STATES, false},
	{0x3f1, 0x3f1, "IA32_PEBS_ENABLE", MSR_RESET, RESETS, 0, STATES, false},
	{0x3f2, 0x3f2, "MSR_PEBS_DATA_CFG", MSR_RESET, RESETS, 0, STATES, false},
	{0x400, 0x47f, "IA32_MC", MSR_KEEP, 0, 0,
	 "SDM vol. 3B, 'Machine-Check Error-Reporting Registers': RESET keeps the log", true},
	{0x480, 0x493, "IA32_VMX", MSR_KEEP, 0, 0, "what the CPU is", false},
	{0x4d0, 0x4d0, "IA32_MCG_EXT_CTL", MSR_RESET, RESETS, 0,
	 "SDM vol. 3B, 'IA32_MCG_EXT_CTL MSR'", false},
	{0x560, 0x560, "IA32_RTIT_OUTPUT_BASE", MSR_RESET, RESETS, 0, TRACE, false},
	{0x561, 0x561, "IA32_RTIT_OUTPUT_MASK_PTRS", MSR_RESET, RESETS, 0x7f, TRACE, false},
	{0x570, 0x570, "IA32_RTIT_CTL", MSR_RESET, RESETS, 0, TRACE, false},
	{0x571, 0x571, "IA32_RTIT_STATUS", MSR_RESET, RESETS, 0, TRACE, false},
	{0x572, 0x572, "IA32_RTIT_CR3_MATCH", MSR_RESET, RESETS, 0, TRACE, false},
	{0x580, 0x587, "IA32_RTIT_ADDR", MSR_RESET, RESETS, 0, TRACE, false},
	{0x600, 0x600, "IA32_DS_AREA", MSR_RESET, RESETS, 0, OTHERS, false},
	{0x6a0, 0x6a0, "IA32_U_CET", MSR_RESET, RESETS | INIT, 0, CET, false},
	{0x6a2, 0x6a2, "IA32_S_CET", MSR_RESET, RESETS | INIT, 0, CET, false},
	{0x6a4, 0x6a7, "IA32_PL_SSP", MSR_RESET, RESETS | INIT, 0, CET, false},
	{0x6a8, 0x6a8, "IA32_INTERRUPT_SSP_TABLE_ADDR", MSR_RESET, RESETS | INIT, 0, CET, false},
	{0x6e0, 0x6e0, "IA32_TSC_DEADLINE", MSR_OTHER, 0, 0, "row 'TSC deadline'", false},
	{0x800, 0x8ff, "x2APIC", MSR_OTHER, 0, 0, "row 'LAPIC'", false},
	{0xd90, 0xd90, "IA32_BNDCFGS", MSR_RESET, RESETS | INIT, 0, STATES, false},
	{0xda0, 0xda0, "IA32_XSS", MSR_RESET, RESETS, 0, STATES, true},
	{0x40000000, 0x40000001, "HV_HYPERCALL", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x40000002, 0x40000002, "HV_VP_INDEX", MSR_KEEP, 0, 0, "what the CPU is", false},
	{0x40000003, 0x40000003, "HV_RESET", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x40000010, 0x40000010, "HV_VP_RUNTIME", MSR_CLOCK, 0, 0, "a clock that only counts",
	 false},
	{0x40000020, 0x40000020, "HV_TIME_REF_COUNT", MSR_CLOCK, 0, 0, "a clock that only counts",
	 false},
	{0x40000021, 0x40000021, "HV_REFERENCE_TSC", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x40000022, 0x40000023, "HV_FREQUENCY", MSR_KEEP, 0, 0, "what the machine is", false},
	{0x40000073, 0x40000073, "HV_VP_ASSIST_PAGE", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x40000080, 0x40000080, "HV_SCONTROL", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x400000b0, 0x400000b7, "HV_STIMER", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x400000f1, 0x400000f5, "HV_SYNDBG", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x400000ff, 0x400000ff, "HV_SYNDBG_OPTIONS", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x40000100, 0x40000105, "HV_CRASH", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x40000106, 0x40000106, "HV_REENLIGHTENMENT_CONTROL", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x40000107, 0x40000108, "HV_TSC_EMULATION", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x40000118, 0x40000118, "HV_TSC_INVARIANT_CONTROL", MSR_RESET, RESETS, 0, HYPERV, false},
	{0x4b564d00, 0x4b564d00, "MSR_KVM_WALL_CLOCK_NEW", MSR_RESET, RESETS, 0, PARAVIRT, false},
	{0x4b564d01, 0x4b564d01, "MSR_KVM_SYSTEM_TIME_NEW", MSR_RESET, RESETS | INIT, 0, PARAVIRT,
	 false},
	{0x4b564d02, 0x4b564d02, "MSR_KVM_ASYNC_PF_EN", MSR_RESET, RESETS | INIT, 0, PARAVIRT,
	 false},
	{0x4b564d03, 0x4b564d03, "MSR_KVM_STEAL_TIME", MSR_RESET, RESETS | INIT, 0, PARAVIRT,
	 false},
	{0x4b564d04, 0x4b564d04, "MSR_KVM_PV_EOI_EN", MSR_RESET, RESETS | INIT, 0, PARAVIRT, false},
	{0x4b564d05, 0x4b564d05, "MSR_KVM_POLL_CONTROL", MSR_RESET, RESETS, 0x1, PARAVIRT, false},
	{0x4b564d06, 0x4b564d06, "MSR_KVM_ASYNC_PF_INT", MSR_RESET, RESETS | INIT, 0, PARAVIRT,
	 false},
	{0x4b564d07, 0x4b564d07, "MSR_KVM_ASYNC_PF_ACK", MSR_RESET, RESETS | INIT, 0, PARAVIRT,
	 false},
	{0xc0000080, 0xc0000080, "IA32_EFER", MSR_OTHER, 0, 0, "row 'special registers'", false},
	{0xc0000081, 0xc0000081, "IA32_STAR", MSR_RESET, RESETS, 0, OTHERS, false},
	{0xc0000082, 0xc0000082, "IA32_LSTAR", MSR_RESET, RESETS, 0, OTHERS, false},
	{0xc0000083, 0xc0000083, "IA32_CSTAR", MSR_RESET, RESETS, 0, OTHERS, false},
	{0xc0000084, 0xc0000084, "IA32_FMASK", MSR_RESET, RESETS, 0, OTHERS, false},
	{0xc0000100, 0xc0000101, "IA32_FS_BASE, IA32_GS_BASE", MSR_OTHER, 0, 0,
	 "row 'special registers'", false},
	{0xc0000102, 0xc0000102, "IA32_KERNEL_GS_BASE", MSR_RESET, RESETS, 0, OTHERS, false},
	{0xc0000103, 0xc0000103, "IA32_TSC_AUX", MSR_RESET, RESETS, 0, OTHERS, false},
	{0xc0000104, 0xc0000104, "AMD_TSC_RATIO", MSR_RESET, RESETS, 0x100000000,
	 "APM vol. 2, 'TSC Ratio MSR'", false},
	{0xc0000300, 0xc0000300, "AMD_PERF_GLOBAL_STATUS", MSR_RESET, RESETS, 0, APM, false},
	{0xc0000301, 0xc0000301, "AMD_PERF_GLOBAL_CTL", MSR_FRESH, RESETS, 0,
	 "APM vol. 2, 'Performance Monitoring': KVM before 6.8: 0", false},
	{0xc0000302, 0xc0000303, "AMD_PERF_GLOBAL_STATUS_CLR_SET", MSR_RESET, RESETS, 0, APM,
	 false},
	{0xc0010000, 0xc0010003, "AMD_PERF_EVT_SEL", MSR_RESET, RESETS, 0, APM, false},
	{0xc0010004, 0xc0010007, "AMD_PERF_CTR", MSR_RESET, RESETS, 0, APM, false},
	{0xc0010015, 0xc0010015, "AMD_HWCR", MSR_FRESH, RESETS, 0, "PPR, HWCR: the model decides",
	 false},
	{0xc0010117, 0xc0010117, "AMD_VM_HSAVE_PA", MSR_RESET, RESETS, 0,
	 "APM vol. 2, 'VM_HSAVE_PA MSR'", false},
	{0xc001011f, 0xc001011f, "AMD_VIRT_SPEC_CTRL", MSR_RESET, RESETS, 0,
	 "APM vol. 2, 'Speculation Control MSRs'", false},
	{0xc0010200, 0xc001020b, "AMD_PERF_CTL_CTR", MSR_RESET, RESETS, 0, APM, false},
	{0xc0011029, 0xc0011029, "AMD_DE_CFG", MSR_KEEP, 0, 0, "what the CPU is", false},
};
const unsigned msr_row_count = sizeof(msr_rows) / sizeof(msr_rows[0]);

const struct msr_row *msr_row_find(uint32_t index)
{
	unsigned lo = 0, hi = msr_row_count;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (index > msr_rows[mid].last)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < msr_row_count && index >= msr_rows[lo].first ? &msr_rows[lo] : NULL;
}

/* Drops the entries that KVM refuses to read and answers how many are left, in their order. */
static int read_present(const struct vcpu *v, struct kvm_msr_entry *entries, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n;) {
		int r = kvm_vcpu_get_msrs(v->fd, entries + i, n - i);

		if (r < 0)
			return r;
		memmove(entries + kept, entries + i, (unsigned)r * sizeof(entries[0]));
		kept += (unsigned)r;
		i += (unsigned)r + 1;
	}
	return (int)kept;
}

/* Entry by entry where KVM stops: one that it refuses does not cost those behind it. */
static int write_all(struct vcpu *v, const struct kvm_msr_entry *entries, unsigned n)
{
	int result = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct msr_row *row;
		int r = kvm_vcpu_set_msrs(v->fd, entries + i, n - i);

		if (r < 0)
			return r;
		i += (unsigned)r;
		if (i == n)
			break;
		row = msr_row_find(entries[i].index);
		trace(v->m, (int)v->index, "MSR 0x%x (%s): KVM refuses 0x%llx", entries[i].index,
		      row ? row->name : "no row", (unsigned long long)entries[i].data);
		if (!row || row->rule != MSR_TRY)
			result = -EINVAL;
	}
	return result;
}

/*
 * Only what is not so already: some that are listed can be read and not be written, and never change. One that
 * cannot be read is absent: this vCPU's CPUID lacks the feature.
 */
static int write_changes(struct vcpu *v, const struct kvm_msr_entry *want, unsigned n)
{
	struct kvm_msr_entry now[STATE_MSRS], changes[STATE_MSRS];
	unsigned present, at = 0, count = 0;
	int r;

	memcpy(now, want, n * sizeof(want[0]));
	r = read_present(v, now, n);
	if (r < 0)
		return r;
	present = (unsigned)r;
	for (unsigned i = 0; i < n && at < present; i++) {
		if (now[at].index != want[i].index)
			continue;
		if (now[at++].data != want[i].data)
			changes[count++] = want[i];
	}
	return write_all(v, changes, count);
}

/* --- which of them this machine has */

static unsigned add(struct kvm_msr_entry *entries, unsigned n, uint32_t index)
{
	const struct msr_row *row = msr_row_find(index);

	if (n == STATE_MSRS || (row && row->rule == MSR_OTHER))
		return n;
	for (unsigned i = 0; i < n; i++)
		if (entries[i].index == index)
			return n;
	entries[n] = (struct kvm_msr_entry){.index = index};
	return n + 1;
}

/* In KVM's order, in which it expects them back. */
static int learn(struct vcpu *v)
{
	struct machine_msrs *msrs = &v->m->msrs;
	struct kvm_msr_list *list = kvm_msr_index_list(v->m->kvm);
	struct kvm_msr_entry entries[STATE_MSRS];
	unsigned n = 0;
	int r;

	if (!list)
		return -errno;
	for (unsigned i = 0; i < list->nmsrs; i++)
		n = add(entries, n, list->indices[i]);
	free(list);
	for (unsigned i = 0; i < msr_row_count; i++)
		for (uint32_t k = 0;
		     msr_rows[i].unlisted && k <= msr_rows[i].last - msr_rows[i].first; k++)
			n = add(entries, n, msr_rows[i].first + k);
	r = read_present(v, entries, n);
	if (r < 0)
		return r;
	for (int i = 0; i < r; i++)
		msrs->index[i] = entries[i].index;
	msrs->count = (unsigned)r;
	return 0;
}

void msrs_note_fresh(struct vcpu *v)
{
	struct machine_msrs *msrs = &v->m->msrs;
	unsigned n = 0;
	int r;

	if (msrs->fresh_known)
		return;
	for (unsigned i = 0; i < msr_row_count && n < FRESH_MSRS; i++)
		if (msr_rows[i].rule == MSR_FRESH)
			msrs->fresh[n++] = (struct kvm_msr_entry){.index = msr_rows[i].first};
	r = read_present(v, msrs->fresh, n);
	msrs->nfresh = r < 0 ? 0 : (unsigned)r;
	msrs->fresh_known = true;
}

/* --- the row */

bool msr_after(const struct vcpu *v, uint32_t index, enum reset_kind kind, uint64_t *value)
{
	const struct msr_row *row = msr_row_find(index);
	const struct machine_msrs *msrs = &v->m->msrs;

	if (!row || !(row->kinds & STATE_KIND(kind)))
		return false;
	if (row->rule == MSR_RESET || row->rule == MSR_TRY) {
		*value = row->value;
		return true;
	}
	for (unsigned i = 0; i < msrs->nfresh; i++) {
		if (msrs->fresh[i].index != index)
			continue;
		*value = msrs->fresh[i].data;
		return true;
	}
	return false;
}

int state_msrs_get(struct vcpu *v, struct cpu_state *s)
{
	const struct machine_msrs *msrs = &v->m->msrs;
	int r = msrs->count ? 0 : learn(v);

	s->nmsrs = 0;
	if (r < 0)
		return r;
	for (unsigned i = 0; i < msrs->count; i++)
		s->msrs[i] = (struct kvm_msr_entry){.index = msrs->index[i]};
	r = read_present(v, s->msrs, msrs->count);
	if (r < 0)
		return r;
	s->nmsrs = (unsigned)r;
	return 0;
}

int state_msrs_set(struct vcpu *v, const struct cpu_state *s)
{
	return write_changes(v, s->msrs, s->nmsrs);
}

int state_msrs_apply(struct vcpu *v, enum reset_kind kind)
{
	const struct machine_msrs *msrs = &v->m->msrs;
	struct kvm_msr_entry want[STATE_MSRS];
	unsigned n = 0;
	int r = msrs->count ? 0 : learn(v);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < msrs->count; i++) {
		uint64_t value;

		if (!msr_after(v, msrs->index[i], kind, &value) ||
		    state_left_out(v->m, msr_row_find(msrs->index[i])->name))
			continue;
		want[n++] = (struct kvm_msr_entry){.index = msrs->index[i], .data = value};
	}
	return write_changes(v, want, n);
}

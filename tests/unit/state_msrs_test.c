// SPDX-License-Identifier: MIT
/*
 * Every row of msr_rows, on a CPU that has all of them: no host does. KVM's MSR ioctls are played by an array here
 * (the Makefile wraps three functions); what KVM makes of them is for `sipi selftest reset`.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/internal.h"
#include "machine/state_priv.h"

#define GARBAGE(index) ((uint64_t)(index)*0x9e3779b97f4a7c15ull | 1)
#define FRESH(index)   ((uint64_t)(index) << 8 | 2)

static struct kvm_msr_entry cpu[STATE_MSRS];
static unsigned count;

struct kvm_msr_list *__wrap_kvm_msr_index_list(int kvm);
int __wrap_kvm_vcpu_get_msrs(int vcpu, struct kvm_msr_entry *entries, unsigned n);
int __wrap_kvm_vcpu_set_msrs(int vcpu, const struct kvm_msr_entry *entries, unsigned n);

struct kvm_msr_list *__wrap_kvm_msr_index_list(int kvm)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + count * sizeof(list->indices[0]));

	(void)kvm;
	assert_non_null(list);
	list->nmsrs = count;
	for (unsigned i = 0; i < count; i++)
		list->indices[i] = cpu[i].index;
	return list;
}

static struct kvm_msr_entry *find(uint32_t index)
{
	for (unsigned i = 0; i < count; i++)
		if (cpu[i].index == index)
			return &cpu[i];
	fail_msg("MSR 0x%x is none of the rows'", index);
	return NULL;
}

int __wrap_kvm_vcpu_get_msrs(int vcpu, struct kvm_msr_entry *entries, unsigned n)
{
	(void)vcpu;
	for (unsigned i = 0; i < n; i++)
		entries[i].data = find(entries[i].index)->data;
	return (int)n;
}

int __wrap_kvm_vcpu_set_msrs(int vcpu, const struct kvm_msr_entry *entries, unsigned n)
{
	(void)vcpu;
	for (unsigned i = 0; i < n; i++)
		find(entries[i].index)->data = entries[i].data;
	return (int)n;
}

static void make(struct machine *m, struct vcpu *v)
{
	memset(m, 0, sizeof(*m));
	*v = (struct vcpu){.m = m};
	count = 0;
	for (unsigned i = 0; i < msr_row_count; i++) {
		const struct msr_row *row = &msr_rows[i];

		if (row->rule == MSR_OTHER)
			continue;
		for (uint32_t index = row->first; index <= row->last; index++) {
			assert_true(count < STATE_MSRS);
			cpu[count++] = (struct kvm_msr_entry){.index = index, .data = FRESH(index)};
		}
	}
	msrs_note_fresh(v);
}

/* How many MSRs of the row are not what a reset of this kind has to make of them. */
static unsigned wrong(const struct msr_row *row, enum reset_kind kind)
{
	unsigned n = 0;

	for (uint32_t index = row->first; index <= row->last && row->rule != MSR_OTHER; index++) {
		uint64_t want = row->rule == MSR_FRESH ? FRESH(index) : row->value;

		if (!(row->kinds & STATE_KIND(kind)))
			want = GARBAGE(index);
		n += find(index)->data != want;
	}
	return n;
}

static void reset(struct vcpu *v, enum reset_kind kind)
{
	for (unsigned i = 0; i < count; i++)
		cpu[i].data = GARBAGE(cpu[i].index);
	assert_int_equal(state_msrs_apply(v, kind), 0);
}

static void every_row_is_carried_out(void **state)
{
	static struct machine m;
	struct vcpu v;

	(void)state;
	make(&m, &v);
	for (enum reset_kind kind = RESET_HARD; kind < RESET_KINDS; kind++) {
		reset(&v, kind);
		for (unsigned i = 0; i < msr_row_count; i++)
			if (wrong(&msr_rows[i], kind))
				fail_msg("%s after %s", msr_rows[i].name, reset_kind_name(kind));
	}
}

/* And that would be seen: without it, all of its MSRs are wrong, and no other. */
static void every_row_that_is_left_out_is_noticed(void **state)
{
	static struct machine m;
	unsigned rows = 0, caught = 0;
	struct vcpu v;

	(void)state;
	make(&m, &v);
	for (unsigned i = 0; i < msr_row_count; i++) {
		if (!(msr_rows[i].kinds & STATE_KIND(RESET_HARD)))
			continue;
		rows++;
		m.cfg.without = msr_rows[i].name;
		reset(&v, RESET_HARD);
		caught +=
			wrong(&msr_rows[i], RESET_HARD) == msr_rows[i].last - msr_rows[i].first + 1;
		for (unsigned k = 0; k < msr_row_count; k++)
			if (k != i)
				assert_int_equal(wrong(&msr_rows[k], RESET_HARD), 0);
	}
	printf("# %u rows of MSRs that RESET touches, %u caught\n", rows, caught);
	assert_true(rows > 50);
	assert_int_equal(caught, rows);
}

TEST_MAIN(cmocka_unit_test(every_row_is_carried_out),
	  cmocka_unit_test(every_row_that_is_left_out_is_noticed))

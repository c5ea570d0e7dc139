// SPDX-License-Identifier: MIT
/*
 * Whom KVM's local APICs mean by a 32-bit ID: what hot-plug beyond ID 255 rests on. A CPU that was added is
 * in xAPIC mode and has 8 bits of its ID; the sender is in x2APIC mode and names all 32. Real hardware would
 * compare 8 of them (or, as the SDM has it, expects no such mix). KVM's "hotplug hack" makes the 32-bit ID
 * reach that one CPU, and since Linux 6.3 only with KVM_X2APIC_API_USE_32BIT_IDS
 * (Documentation/virt/kvm/x86/errata.rst, "x2APIC"; kvm_recalculate_phys_map() in arch/x86/kvm/lapic.c).
 *
 * No guest runs. CPU 0 is in x2APIC mode; KVM_SET_MSRS of its ICR sends; INIT and SIPI show in the MP state
 * and CS of the others, a fixed interrupt in their IRR.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm/kvm.h"
#include "test.h"

#define IDS_MAX	     5
#define MSR_ICR	     0x830
#define ICR_FIXED    0x4041
#define ICR_INIT     0x4500
#define ICR_SIPI     0x4608
#define SIPI_CS	     0x800
#define LAPIC_LDR    0xd0
#define LAPIC_SVR    0xf0
#define LAPIC_IRR    0x220 /* vectors 0x40 to 0x5f */
#define IRR_FIXED    (1u << 1)
#define SVR_ENABLED  0x1ff
#define BASE_X2APIC  0xc00ull
#define CPUID_X2APIC (1u << 21)
#define IOAPIC_PINS  24
#define WIDE	     KVM_X2APIC_API_USE_32BIT_IDS
#define NO_QUIRK     KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK
#define NOBODY	     0
#define CPU(i)	     (1u << (i))

/* A VM with these CPUs, made in this order. */
struct rig {
	int kvm, vm;
	int fd[IDS_MAX];
	unsigned n;
};

static struct kvm_cpuid2 *cpuid;

static int setup(void **state)
{
	static struct rig rig;
	struct error err;

	rig = (struct rig){.kvm = kvm_open(&err), .vm = -1};
	*state = &rig;
	if (rig.kvm < 0 || !kvm_check(rig.kvm, KVM_CAP_SPLIT_IRQCHIP) ||
	    !kvm_check(rig.kvm, KVM_CAP_X2APIC_API))
		return 0;
	cpuid = kvm_supported_cpuid(rig.kvm);
	for (unsigned i = 0; cpuid && i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= CPUID_X2APIC;
	return cpuid ? 0 : -1;
}

static void unmake(struct rig *r)
{
	for (unsigned i = 0; i < r->n; i++)
		close(r->fd[i]);
	if (r->vm >= 0)
		close(r->vm);
	r->vm = -1;
	r->n = 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	unmake(r);
	if (r->kvm >= 0)
		close(r->kvm);
	free(cpuid);
	cpuid = NULL;
	return 0;
}

static void set_base(struct rig *r, unsigned cpu, uint64_t clear, uint64_t set)
{
	struct kvm_sregs s;

	assert_int_equal(kvm_vcpu_get_sregs(r->fd[cpu], &s), 0);
	s.apic_base = (s.apic_base & ~clear) | set;
	assert_int_equal(kvm_vcpu_set_sregs(r->fd[cpu], &s), 0);
}

static void set_lapic(struct rig *r, unsigned cpu, unsigned reg, uint32_t value)
{
	struct kvm_lapic_state s;

	assert_int_equal(kvm_vcpu_get_lapic(r->fd[cpu], &s), 0);
	memcpy(s.regs + reg, &value, sizeof(value));
	assert_int_equal(kvm_vcpu_set_lapic(r->fd[cpu], &s), 0);
}

static void make(struct rig *r, uint64_t flags, unsigned n, const uint32_t *ids)
{
	if (!cpuid)
		skip();
	unmake(r);
	r->vm = kvm_vm_create(r->kvm);
	assert_true(r->vm >= 0);
	assert_int_equal(kvm_enable_cap(r->vm, KVM_CAP_SPLIT_IRQCHIP, IOAPIC_PINS), 0);
	assert_int_equal(kvm_enable_cap(r->vm, KVM_CAP_X2APIC_API, flags), 0);
	assert_int_equal(kvm_vm_set_boot_cpu(r->vm, ids[0]), 0);
	for (; r->n < n; r->n++) {
		r->fd[r->n] = kvm_vcpu_create(r->vm, ids[r->n]);
		assert_true(r->fd[r->n] >= 0);
		assert_int_equal(kvm_vcpu_set_cpuid(r->fd[r->n], cpuid), 0);
		set_lapic(r, r->n, LAPIC_SVR, SVR_ENABLED);
	}
	set_base(r, 0, 0, BASE_X2APIC);
}

#define MAKE(r, flags, ...)                                                                        \
	make(r, flags, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                       \
	     (uint32_t[]){__VA_ARGS__})

static void send(struct rig *r, uint32_t dest, uint32_t low)
{
	assert_int_equal(kvm_vcpu_set_msr(r->fd[0], MSR_ICR, (uint64_t)dest << 32 | low), 0);
}

/* The CPUs with this MP state, a bit each; reading it makes KVM act on INIT and SIPI. */
static unsigned in_state(struct rig *r, uint32_t wanted)
{
	unsigned which = 0;

	for (unsigned i = 1; i < r->n; i++) {
		uint32_t mp;

		assert_int_equal(kvm_vcpu_get_mp_state(r->fd[i], &mp), 0);
		if (mp == wanted)
			which |= CPU(i);
	}
	return which;
}

static unsigned started(struct rig *r)
{
	unsigned which = in_state(r, KVM_MP_STATE_RUNNABLE);

	for (unsigned i = 1; i < r->n; i++) {
		struct kvm_sregs s;

		assert_int_equal(kvm_vcpu_get_sregs(r->fd[i], &s), 0);
		assert_int_equal(s.cs.selector == SIPI_CS, which >> i & 1);
	}
	return which;
}

static unsigned interrupted(struct rig *r)
{
	unsigned which = 0;

	for (unsigned i = 1; i < r->n; i++) {
		struct kvm_lapic_state s;
		uint32_t irr;

		assert_int_equal(kvm_vcpu_get_lapic(r->fd[i], &s), 0);
		memcpy(&irr, s.regs + LAPIC_IRR, sizeof(irr));
		if (irr & IRR_FIXED)
			which |= CPU(i);
	}
	return which;
}

/* Who gets what CPU 0 sends to dest; the same for each kind of message. */
static unsigned reached(struct rig *r, uint32_t dest)
{
	unsigned fixed, init;

	send(r, dest, ICR_FIXED);
	fixed = interrupted(r);
	send(r, dest, ICR_INIT);
	init = in_state(r, KVM_MP_STATE_INIT_RECEIVED);
	assert_int_equal(init, fixed);
	send(r, dest, ICR_SIPI);
	assert_int_equal(started(r), fixed);
	return fixed;
}

/*
 * Before Linux 6.3 the hack worked without the flag, too. (The commit that tied it to the flag: "KVM: x86:
 * Honor architectural behavior for aliased 8-bit APIC IDs".) No alias among these IDs: with one, KVM gives its map up.
 */
static bool always_hacked(struct rig *r)
{
	MAKE(r, 0, 0, 257);
	return reached(r, 257) == CPU(1);
}

/* The CPU in xAPIC mode and no other, in particular not the one whose ID is the same in 8 bits. */
static void wide_id_reaches_a_cpu_in_xapic_mode(void **state)
{
	static const uint32_t ids[] = {256, 257, 300, 511, 512, 4095};

	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		MAKE(*state, WIDE | NO_QUIRK, 0, 1, 44, 254, ids[i]);
		assert_int_equal(reached(*state, ids[i]), CPU(4));
	}
}

static void wide_id_reaches_a_cpu_in_x2apic_mode(void **state)
{
	MAKE(*state, WIDE | NO_QUIRK, 0, 1, 257, 4095);
	set_base(*state, 2, 0, BASE_X2APIC);
	set_base(*state, 3, 0, BASE_X2APIC);
	assert_int_equal(reached(*state, 257), CPU(2));
	MAKE(*state, WIDE | NO_QUIRK, 0, 1, 257, 4095);
	set_base(*state, 3, 0, BASE_X2APIC);
	assert_int_equal(reached(*state, 4095), CPU(3));
}

static void each_id_around_255_is_one_cpus(void **state)
{
	static const uint32_t ids[] = {254, 255, 256};

	for (unsigned i = 0; i < 3; i++) {
		MAKE(*state, WIDE | NO_QUIRK, 0, 254, 255, 256);
		assert_int_equal(reached(*state, ids[i]), CPU(1 + i));
	}
}

/*
 * To a CPU in xAPIC mode 255 means everybody. KVM keeps to its map, which says that one CPU has that ID, only
 * as long as no CPU in xAPIC mode has a logical ID: fresh ones have not.
 */
static void id_255_is_everybody_once_a_cpu_in_xapic_mode_has_an_ldr(void **state)
{
	MAKE(*state, WIDE | NO_QUIRK, 0, 1, 255, 300);
	assert_int_equal(reached(*state, 255), CPU(2));
	MAKE(*state, WIDE | NO_QUIRK, 0, 1, 255, 300);
	set_lapic(*state, 1, LAPIC_LDR, 1u << 24);
	send(*state, 255, ICR_FIXED);
	assert_int_equal(interrupted(*state), CPU(1) | CPU(2) | CPU(3));
	/* An INIT hits all of them; it also clears LDRs, so the SIPI starts the right one alone. */
	send(*state, 255, ICR_INIT);
	assert_int_equal(in_state(*state, KVM_MP_STATE_INIT_RECEIVED), CPU(1) | CPU(2) | CPU(3));
	send(*state, 255, ICR_SIPI);
	assert_int_equal(started(*state), CPU(2));
}

static void ids_that_nobody_has_reach_nobody(void **state)
{
	static const uint32_t ids[] = {2, 255, 258, 513, 4095, 4096, 0x10101, 0xfffffffe};

	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		MAKE(*state, WIDE | NO_QUIRK, 0, 1, 257, 4094);
		assert_int_equal(reached(*state, ids[i]), NOBODY);
	}
}

/* In xAPIC mode a CPU is its 8-bit ID, too, which is what hardware compares. */
static void low_8_bits_reach_it_where_nobody_else_has_them(void **state)
{
	MAKE(*state, WIDE | NO_QUIRK, 0, 257);
	assert_int_equal(reached(*state, 1), CPU(1));
	/* In x2APIC mode it is its 32-bit ID and nothing else. */
	MAKE(*state, WIDE | NO_QUIRK, 0, 257);
	set_base(*state, 1, 0, BASE_X2APIC);
	assert_int_equal(reached(*state, 1), NOBODY);
}

/*
 * The side effect that errata.rst tells of: of several CPUs in xAPIC mode with the same 8-bit ID, only the
 * first gets what is sent to it; and first is who was created first, not who has the lowest ID. So a machine
 * that adds CPU 257 before CPU 1 cannot start CPU 1 while 257 waits for its SIPI.
 */
static void first_created_has_the_8_bit_id(void **state)
{
	MAKE(*state, WIDE | NO_QUIRK, 0, 1, 257);
	assert_int_equal(reached(*state, 1), CPU(1));
	MAKE(*state, WIDE | NO_QUIRK, 0, 257, 1);
	assert_int_equal(reached(*state, 1), CPU(1));
	/* x2APIC mode takes it out of the way, on either side. */
	MAKE(*state, WIDE | NO_QUIRK, 0, 257, 1);
	set_base(*state, 1, 0, BASE_X2APIC);
	assert_int_equal(reached(*state, 1), CPU(2));
	MAKE(*state, WIDE | NO_QUIRK, 0, 257, 1);
	set_base(*state, 2, 0, BASE_X2APIC);
	assert_int_equal(reached(*state, 1), CPU(2));
}

/* How a CPU that was removed is kept from hearing anything, and its alias from losing what is sent to it. */
static void globally_disabled_apic_is_not_there(void **state)
{
	MAKE(*state, WIDE | NO_QUIRK, 0, 257, 1);
	set_base(*state, 1, BASE_X2APIC, 0);
	assert_int_equal(reached(*state, 1), CPU(2));
	MAKE(*state, WIDE | NO_QUIRK, 0, 257, 1);
	set_base(*state, 1, BASE_X2APIC, 0);
	assert_int_equal(reached(*state, 257), NOBODY);
}

/* Without the flag a CPU in xAPIC mode is what it is on hardware: 8 bits. */
static void without_the_flag_it_is_its_low_8_bits(void **state)
{
	unsigned want = always_hacked(*state) ? CPU(1) : NOBODY;

	if (want)
		print_message("# this KVM (before Linux 6.3) needs no flag\n");
	MAKE(*state, 0, 0, 300);
	assert_int_equal(reached(*state, 300), want);
	MAKE(*state, 0, 0, 4095);
	assert_int_equal(reached(*state, 4095), want);
	MAKE(*state, 0, 0, 257);
	assert_int_equal(reached(*state, 1), CPU(1));
	/* The other flag of the capability has nothing to do with it. */
	MAKE(*state, NO_QUIRK, 0, 300);
	assert_int_equal(reached(*state, 300), want);
}

/* Hardware delivers to all whose 8 bits match; with the flag it is one. */
static void without_the_flag_all_aliases_are_reached(void **state)
{
	unsigned want = always_hacked(*state) ? CPU(1) : CPU(1) | CPU(2);

	MAKE(*state, 0, 0, 1, 257);
	assert_int_equal(reached(*state, 1), want);
}

/*
 * With aliases and without the flag KVM has no map and asks each APIC (kvm_apic_match_physical_addr()), which
 * knows a hack of its own: an ID that does not fit 8 bits is compared in 32. So 256, an alias of the boot
 * CPU's 0, is reached where 257 is not.
 */
static void without_the_flag_an_alias_makes_wide_ids_work(void **state)
{
	MAKE(*state, 0, 0, 256);
	set_base(*state, 0, 0, BASE_X2APIC);
	assert_int_equal(reached(*state, 256), CPU(1));
	MAKE(*state, 0, 0, 1, 257);
	assert_int_equal(reached(*state, 257), CPU(2));
}

/* In x2APIC mode no flag is needed for IPIs. */
static void without_the_flag_x2apic_mode_has_32_bits(void **state)
{
	MAKE(*state, 0, 0, 300);
	set_base(*state, 1, 0, BASE_X2APIC);
	assert_int_equal(reached(*state, 300), CPU(1));
}

static unsigned msi_reaches(struct rig *r, uint32_t dest)
{
	const struct kvm_msi msi = {
		.address_lo = 0xfee00000u | (dest & 0xff) << 12,
		.address_hi = dest & 0xffffff00u,
		.data = ICR_FIXED,
	};

	assert_true(kvm_vm_signal_msi(r->vm, &msi) >= 0);
	return interrupted(r);
}

/* api.rst, KVM_SIGNAL_MSI: bits 31:8 of the destination are in address_hi, with the flag alone. */
static void msi_has_32_bits_with_the_flag(void **state)
{
	MAKE(*state, WIDE | NO_QUIRK, 0, 1, 257);
	assert_int_equal(msi_reaches(*state, 257), CPU(2));
	MAKE(*state, 0, 0, 1, 600);
	assert_int_equal(msi_reaches(*state, 0x401), CPU(1));
}

/* KVM_CAP_MAX_VCPU_ID is the first ID that cannot be. */
static void ids_end_where_kvm_says(void **state)
{
	struct rig *r = *state;
	unsigned max;

	if (!cpuid)
		skip();
	max = (unsigned)kvm_check(r->kvm, KVM_CAP_MAX_VCPU_ID);
	assert_true(max > 256);
	MAKE(r, WIDE | NO_QUIRK, 0, max - 1);
	assert_int_equal(reached(r, max - 1), CPU(1));
	assert_true(kvm_vcpu_create(r->vm, max) < 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

TEST_MAIN(T(wide_id_reaches_a_cpu_in_xapic_mode), T(wide_id_reaches_a_cpu_in_x2apic_mode),
	  T(each_id_around_255_is_one_cpus),
	  T(id_255_is_everybody_once_a_cpu_in_xapic_mode_has_an_ldr),
	  T(ids_that_nobody_has_reach_nobody), T(low_8_bits_reach_it_where_nobody_else_has_them),
	  T(first_created_has_the_8_bit_id), T(globally_disabled_apic_is_not_there),
	  T(without_the_flag_it_is_its_low_8_bits), T(without_the_flag_all_aliases_are_reached),
	  T(without_the_flag_an_alias_makes_wide_ids_work),
	  T(without_the_flag_x2apic_mode_has_32_bits), T(msi_has_32_bits_with_the_flag),
	  T(ids_end_where_kvm_says))

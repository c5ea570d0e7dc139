// SPDX-License-Identifier: MIT
/* The scenario runner on the real /dev/kvm: verdicts, steps, objects and findings. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "scenario_rig.h"
#include "util/clock.h"

/* --- verdicts */

static void test_ok(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK, EXAMPLE("bug", "0x01000000", "1", "1", "0"));
	assert_int_equal(result.nfindings, 3);
	assert_int_equal(result.findings[0].what, SEEN_EXPECTED);
	assert_int_equal(result.findings[0].seen, 0x01000000);
	assert_int_equal(result.findings[0].times, 1);
	assert_true(result.seconds > 0);
}

static void test_deviation(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_BUG, EXAMPLE("bug", "1", "0x01000000", "0", "1"));
	assert_int_equal(result.findings[0].what, SEEN_DEVIATION);
	assert_int_equal(result.findings[0].expected, 1);
	assert_int_equal(result.findings[0].seen, 0x01000000);
	assert_string_equal(result.findings[0].text, "expect cpu 1: lapic.id = 1");
	gives(ALL_MODES, VERDICT_ERRATUM, EXAMPLE("erratum", "1", "0x01000000", "1", "0"));
}

static void test_unknown(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_UNKNOWN, EXAMPLE("bug", "1", "2", "1", "0"));
	assert_int_equal(result.findings[0].what, SEEN_OTHER);
	/* More than a deviation elsewhere. */
	gives(ALL_MODES, VERDICT_UNKNOWN, EXAMPLE("bug", "1", "2", "0", "1"));
	/* Nothing is known of a guard. */
	gives(MODE(IRQCHIP_SPLIT), VERDICT_UNKNOWN, HEADER("guard") "cpus 0\nexpect 1 = 2\n");
}

static void test_error_names_the_line(void **state)
{
	char line[16];

	(void)state;
	gives(ALL_MODES, VERDICT_ERROR,
	      HEADER("guard") "cpus 0\n\ncpu 0: set apic_base.mode invalid # no such mode\n"
			      "expect 1 = 1\n");
	snprintf(line, sizeof(line), "line %u:", LINES_OF_HEADER + 3);
	assert_non_null(strstr(result.why, line));
	assert_non_null(strstr(result.why, "cpu 0: set apic_base.mode invalid: "));
	assert_non_null(strstr(result.why, "ENOENT"));
	assert_int_equal(result.nfindings, 0);
}

static void test_cpu_that_is_not_there(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0 1*\n"
			      "try cpu 1: nmi\nexpect error = EINVAL\n"
			      "let x 0\ntry let x cpu 1: lapic.id\nexpect error = EINVAL + x\n"
			      "create cpu 1\nexpect cpu 1: lapic.id = 0x01000000\n"
			      "try create cpu 1\nexpect error = EEXIST\n"
			      "cpu 1: nmi\n");
}

static void skips(struct need need)
{
	struct scenario *s = parse(HEADER("guard") "cpus 0\nexpect 1 = 1\n");

	s->nneeds = 1;
	s->needs[0] = need;
	run_parsed(s, IRQCHIP_SPLIT, 1000);
	assert_int_equal(result.verdict, VERDICT_SKIP);
	assert_non_null(strstr(result.why, need.text));
	scenario_free(s);
}

static void test_skip_names_what_is_missing(void **state)
{
	char module[32];
	bool svm = kvm_kind(module) == KVM_KIND_SVM;

	(void)state;
	skips((struct need){.kind = NEED_CAP, .text = "cap of_the_future", .a = 100000});
	skips((struct need){.kind = NEED_MSR, .text = "msr 0xdead", .a = 0xdead});
	skips((struct need){
		.kind = NEED_VENDOR, .text = svm ? "vendor intel" : "vendor amd", .a = !svm});
	gives(ALL_MODES, VERDICT_SKIP, HEADER("guard") "cpus 0 0xfffffff0\nexpect 1 = 1\n");
	assert_non_null(strstr(result.why, "4294967280"));
	/* What is there is not missed. */
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "needs cap mp_state\nneeds cpuid.lm\nneeds msr tsc\ncpus 0\n"
			      "expect 1 = 1\n");
}

/* Where KVM has none of this type that is said; where it has, the CPU is there, its APIC as the type has it. */
static void test_vm_types(void **state)
{
	struct error err;
	int kvm = kvm_open(&err);
	int types = kvm_check(kvm, KVM_CAP_VM_TYPES);

	(void)state;
	close(kvm);
	run(IRQCHIP_SPLIT, "id t\ntitle t\nclass guard\nmanual t\nmodes split\nvm tdx\ncpus 0\n"
			   "try cpu 0: clear lapic\nexpect error = EINVAL\n");
	assert_int_equal(result.verdict, types >> KVM_X86_TDX_VM & 1 ? VERDICT_OK : VERDICT_SKIP);
	if (result.verdict == VERDICT_SKIP)
		assert_string_equal(result.why,
				    "vm tdx: KVM has no VMs of type KVM_X86_TDX_VM here "
				    "(KVM_CAP_VM_TYPES)");
	run(IRQCHIP_SPLIT,
	    "id t\ntitle t\nclass guard\nmanual t\nmodes split\nvm sw_protected\ncpus 0\n"
	    "try cpu 0: clear lapic\nexpect error = 0\n");
	assert_int_equal(result.verdict,
			 types >> KVM_X86_SW_PROTECTED_VM & 1 ? VERDICT_OK : VERDICT_SKIP);
}

/* --- steps */

static void test_try(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0\nlet x 5\n"
			      "try cpu 0: set msr[0xdead0000] 0\nexpect error = ENOENT\n"
			      "try let x cpu 0: msr[0xdead0000]\nexpect error = ENOENT\n"
			      "expect x = 5\n"
			      "try cpu 0: set lapic.svr 0x1ff\nexpect error = 0\n"
			      "try msi dest=0 vector=0x100\nexpect error = ERANGE\n");
}

static void test_expressions(void **state)
{
	(void)state;
	gives(MODE(IRQCHIP_SPLIT), VERDICT_OK,
	      HEADER("guard") "cpus 0\n"
			      "let s 64\nlet t 63\n"
			      "expect 1 << s = 0\nexpect 1 >> s = 0\nexpect 1 << (0 - 1) = 0\n"
			      "expect 1 << t = 0x8000000000000000\nexpect (1 << t) >> t = 1\n"
			      "expect 2 + 3 * 4 = 14\nexpect ~0 = 0 - 1\nexpect 6 ^ 3 = 5\n"
			      "expect (12 | 3) & 6 = 6\nexpect 1 < ~0\nexpect 2 >= 2\n"
			      "expect 2 <= 2\nexpect 2 != 3\nexpect 3 > 2\n");
}

static void test_slices(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0\n"
			      "cpu 0: set lapic.irr[0x41:0x40] 2\n"
			      "expect cpu 0: lapic.irr[0x41] = 1\n"
			      "expect cpu 0: lapic.irr[0x40] = 0\n"
			      "cpu 0: set lapic.irr[0x7f:0x60] 0x80000001\n"
			      "expect cpu 0: lapic.irr[0x7f:0x40] = 0x8000000100000002\n"
			      "expect cpu 0: lapic[0x230] = 0x80000001\n"
			      "expect cpu 0: lapic.irr[0xff:0xc0] = 0\n"
			      "cpu 0: set lapic.irr[0xff] 1\n"
			      "expect cpu 0: lapic.irr[255:192] = 1 << 63\n"
			      "expect cpu 0: lapic.isr[0x7f:0x40] = 0\n"
			      "cpu 0: set regs.rax 0x1122334455667788\n"
			      "cpu 0: set regs.rax[47:40] 0xaa\n"
			      "expect cpu 0: regs.rax = 0x1122aa4455667788\n"
			      "expect cpu 0: regs.rax[63:60] = 1\n"
			      "expect cpu 0: regs.rbx = 0\n"
			      "try cpu 0: set regs.rax[3:0] 16\nexpect error = ERANGE\n"
			      "try cpu 0: set lapic.tpr 0x100000000\nexpect error = ERANGE\n");
}

/* Every structure there is, written and read back. */
static void test_objects(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0 1\n"
			      "cpu 0: set sregs.cr2 0x1234\nexpect cpu 0: sregs.cr2 = 0x1234\n"
			      "cpu 0: set sregs.gdt.limit 0x27\nexpect cpu 0: sregs.gdt.limit = 0x27\n"
			      "cpu 0: set debugregs.db1 0x5000\nexpect cpu 0: debugregs.db1 = 0x5000\n"
			      "cpu 0: set msr.sysenter_cs 8\nexpect cpu 0: msr[0x174] = 8\n"
			      "cpu 0: set events.nmi.pending 1\nexpect cpu 0: events.nmi.pending = 1\n"
			      "cpu 0: set xcr0 1\nexpect cpu 0: xcr0 = 1\n"
			      "cpu 0: set mp_state halted\nexpect cpu 0: mp_state = halted\n"
			      "expect cpu 0: cpuid.1.ebx[31:24] = 0\n"
			      "expect cpu 1: cpuid.1.ebx[31:24] = 1\n"
			      "expect cpu 0: apic_base.mode = xapic\n"
			      "cpu 0: set sregs.apic_base.mode disabled\n"
			      "expect cpu 0: apic_base.mode = disabled\n"
			      "cpu 0: set sregs.apic_base.mode xapic\n"
			      "cpu 0: set lapic.tpr 0x25\ncpu 0: reload lapic\n"
			      "expect cpu 0: lapic.tpr = 0x25\n"
			      "cpu 1: reload lapic from 0\nexpect cpu 1: lapic.tpr = 0x25\n"
			      "expect cpu 1: lapic.id = 0\n"
			      "expect cpu 0: sregs.cr8 = 2\n"
			      "cpu 0: set sregs.cr8 3\nexpect cpu 0: lapic.tpr = 0x30\n"
			      "expect cpu 0: msr.apic_base[8] = 1\n"
			      "expect cpu 1: msr.apic_base[8] = 0\n");
}

/* Whatever was there before; nothing is read for it. */
static void test_clear(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0 1*\ncpu 0: set lapic.tpr 0x25\ncpu 0: set lapic.svr 0x1ff\n"
			      "cpu 0: clear lapic\nexpect cpu 0: lapic.tpr = 0\n"
			      "expect cpu 0: lapic.svr = 0\ntry cpu 1: clear lapic\nexpect error = EINVAL\ncreate cpu 1\n");
}

/* No CPU has a VMXON region at 1; one that VMX is there for has one at 4096, and INIT waits for the end of that. */
static void test_vmxon(void **state)
{
	(void)state;
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL), VERDICT_OK,
	      HEADER("guard") "cpus 0 1*\ntry cpu 1: vmxon 4096\nexpect error = EINVAL\ncreate cpu 1\n"
			      "try cpu 1: vmxon 1\nexpect error = EINVAL\n");
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL), VERDICT_OK,
	      HEADER("guard") "needs vendor intel\nneeds cpuid.vmx\ncpus 0 1\n"
			      "cpu 1: set mp_state runnable\ncpu 1: reload lapic\n"
			      "cpu 1: vmxon 4096\n"
			      "msi dest=1 mode=init vector=0\nexpect cpu 1: mp_state = runnable\n"
			      "cpu 1: vmxon -1\nexpect cpu 1: mp_state = init_received\n");
	assert_int_equal(run(IRQCHIP_USER, HEADER("guard") "cpus 0\ntry cpu 0: vmxon 4096\n"
							   "expect error = EOPNOTSUPP\n"),
			 VERDICT_OK);
}

static void test_boot_cpu_is_the_first(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 3 0\nexpect cpu 3: msr.apic_base[8] = 1\n"
			      "expect cpu 0: msr.apic_base[8] = 0\n");
}

static void test_boot_cpu(void **state)
{
	(void)state;
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL), VERDICT_OK,
	      HEADER("guard") "cpus 0 1\nboot_cpu 1\nexpect cpu 1: msr.apic_base[8] = 1\n"
			      "expect cpu 0: msr.apic_base[8] = 0\n");
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL), VERDICT_OK,
	      HEADER("guard") "cpus 0\ntry boot_cpu 0x100000000\nexpect error = ERANGE\n");
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL), VERDICT_ERROR,
	      HEADER("guard") "cpus 0\nboot_cpu 0x100000000\nexpect cpu 0: mp_state = runnable\n");
}

static void test_msi(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0 1\n"
			      "cpu 0: set lapic.svr 0x1ff\ncpu 1: set lapic.svr 0x1ff\n"
			      "msi dest=1 vector=0x41\nexpect accepted = 1\n"
			      "expect cpu 1: lapic.irr[0x41] = 1\nexpect cpu 0: lapic.irr[0x41] = 0\n"
			      "msi dest=5 vector=0x42\nexpect accepted = 0\n"
			      /* An edge, whatever the trigger mode says. */
			      "msi dest=1 vector=0 mode=nmi level=0 trigger=1\nexpect accepted = 1\n"
			      "msi dest=0xff vector=0x43\nexpect accepted = 2\n"
			      "cpu 0: set lapic.ldr 0x01000000\ncpu 1: set lapic.ldr 0x02000000\n"
			      "msi dest=3 vector=0x44 logical=1 level=1 trigger=1\nexpect accepted = 2\n"
			      "expect cpu 1: lapic.tmr[0x44] = 1\n"
			      /* With modes mixed KVM asks each APIC, and says EPERM when none is meant. */
			      "cpu 1: set apic_base.mode x2apic\n"
			      "msi dest=0x80 vector=0x45 logical=1\nexpect accepted = 0\n");
}

/* KVM takes this one as long as there is no vCPU (kvm_vm_ioctl_enable_cap()). */
static void test_caps_come_first(void **state)
{
	(void)state;
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL), VERDICT_OK,
	      HEADER("guard") "needs cap x86_apic_bus_cycles_ns\ncpus 0\n"
			      "try cap x86_apic_bus_cycles_ns 10\nexpect error = 0\n");
}

/* All 32 bits of an ID count with the capability alone, which is enabled ahead of the CPUs. */
static void test_cap_ahead_of_cpus(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "needs cap x2apic_api\ncpus 0 300\n"
			      "cap x2apic_api use_32bit_ids | disable_broadcast_quirk\n"
			      "cpu 300: set apic_base.mode x2apic\ncpu 300: set lapic.svr 0x1ff\n"
			      "expect cpu 300: lapic.id = 300\n"
			      "msi dest=300 vector=0x41\nexpect accepted = 1\n"
			      "expect cpu 300: lapic.irr[0x41] = 1\n");
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0 300\ncpu 300: set apic_base.mode x2apic\n"
			      "expect cpu 300: lapic.id = 0x2c000000\n");
}

static void test_pump(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "needs cpuid.x2apic\ncpus 0 1\n"
			      "cpu 0: set apic_base.mode x2apic\n"
			      "cpu 0: set lapic.svr 0x1ff\n"
			      /* It cannot be read. */
			      "cpu 0: set msr.x2apic_self_ipi 0x55\n"
			      "expect cpu 0: lapic.irr[0x55] = 1\n"
			      "cpu 1: set regs.rbx 0x77\n"
			      "cpu 0: set msr.x2apic_icr 0x100004500\n"
			      "expect cpu 1: regs.rbx = 0x77\n"
			      "cpu 1: pump\n"
			      "expect cpu 1: regs.rbx = 0\nexpect cpu 1: regs.rip = 0xfff0\n"
			      "expect cpu 1: mp_state = init_received\n"
			      "cpu 0: set msr.x2apic_icr 0x100004612\n"
			      "expect cpu 1: sregs.cs.selector = 0xf000\n"
			      "cpu 1: pump\n"
			      "expect cpu 1: sregs.cs.selector = 0x1200\n"
			      "expect cpu 1: mp_state = runnable\n");
}

static void test_other_steps(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0\n"
			      "cpu 0: nmi\nexpect cpu 0: events.nmi.pending = 1\n"
			      "cpu 0: guest_debug enable\ncpu 0: guest_debug 0\n"
			      "try cpu 0: guest_debug 1 << 32\nexpect error = ERANGE\n"
			      "try cpu 0: interrupt 0x100\nexpect error = ERANGE\n"
			      "let n 0\nrepeat 2 + 3\nlet n n + 1\nend\nexpect n = 5\n"
			      "repeat 0\nlet n 0\nend\nexpect n = 5\n");
	gives(MODE(IRQCHIP_USER), VERDICT_OK,
	      HEADER("guard") "cpus 0\ncpu 0: interrupt 0x33\nirq_line 4 1\nirq_line 4 0\n"
			      "expect cpu 0: sregs.interrupt_bitmap0 = 1 << 0x33\n");
}

/* A message that waits behind a GSI: sent when its eventfd is signalled, wherever its route then leads. */
static void test_routes(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0 1\n"
			      "cpu 0: set lapic.svr 0x1ff\ncpu 1: set lapic.svr 0x1ff\n"
			      "try irqfd 24\nexpect error = ENOENT\n"
			      "route 24 dest=1 vector=0x41\n"
			      "try signal 24\nexpect error = ENOENT\n"
			      "irqfd 24\ntry irqfd 24\nexpect error = EBUSY\n"
			      "signal 24\nwait 20\n"
			      "expect cpu 1: lapic.irr[0x41] = 1\nexpect cpu 0: lapic.irr[0x41] = 0\n"
			      "route 25 dest=1 vector=0x43\nroute 24 dest=0 vector=0x42\n"
			      "signal 24\nwait 20\n"
			      "expect cpu 0: lapic.irr[0x42] = 1\n"
			      "expect cpu 1: lapic.irr[0x43:0x42] = 0\n"
			      "try route 1 << 32 dest=0 vector=0x42\nexpect error = ERANGE\n"
			      "let n 0\nrepeat 62\nroute 30 + n dest=0 vector=0x50\nlet n n + 1\nend\n"
			      "try route 2000 dest=0 vector=0x50\nexpect error = ENOSPC\n");
}

/* KVM has 4096 GSIs; what it refuses is forgotten. */
static void test_route_refused(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0\ncpu 0: set lapic.svr 0x1ff\n"
			      "try route 4096 dest=0 vector=0x41\nexpect error = EINVAL\n"
			      "route 4095 dest=0 vector=0x42\nirqfd 4095\n"
			      "signal 4095\nwait 20\nexpect cpu 0: lapic.irr[0x42] = 1\n"
			      "try irqfd 4096\nexpect error = ENOENT\n");
}

/* A GSI with a route: a line of 1 is its message. */
static void test_line_of_a_route(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0\ncpu 0: set lapic.svr 0x1ff\n"
			      "route 4 dest=0 vector=0x41\n"
			      "irq_line 4 0\nexpect cpu 0: lapic.irr[0x41] = 0\n"
			      "irq_line 4 1\nexpect cpu 0: lapic.irr[0x41] = 1\n"
			      "irq_line 5 1\nirq_line 5 0\n");
}

/* KVM's own chips: a PIT, the status of a line, a line that falls with the EOI. */
static void test_kernel_chips(void **state)
{
	(void)state;
	gives(MODE(IRQCHIP_KERNEL), VERDICT_OK,
	      HEADER("guard") "cpus 0\ncap pit2\ntry cap pit2\ncap reinject_control 0\n"
			      "expect error = EEXIST\n"
			      "cpu 0: guest long\ncpu 0: guest set lapic.svr 0x1ff\n"
			      "cpu 0: guest outb 0x43 0x34\n"
			      "irq_line 10 1\nexpect accepted = 1\nirq_line 10 0\n"
			      "irq_line 10 1\nexpect accepted = 0\nirq_line 10 0\ncpu 0: guest outb 0xa1 0xff\n"
			      "irq_line 10 1\nexpect accepted = 0\nirq_line 10 0\n"
			      "cpu 0: guest write32 0xfec00000 0x24\n"
			      "cpu 0: guest write32 0xfec00010 0x8040\n"
			      "irqfd 10 resample\ntry irqfd 10 resample\nexpect error = EBUSY\n"
			      "signal 10\nwait 20\nexpect cpu 0: lapic.irr[0x40] = 1\n"
			      "cpu 0: set lapic.irr[0x40] 0\ncpu 0: set lapic.isr[0x40] 1\n"
			      "cpu 0: guest eoi\nwait 20\nexpect cpu 0: lapic.irr[0x40] = 0\n");
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_USER), VERDICT_OK,
	      HEADER("guard") "cpus 0\ntry irqfd 10 resample\nexpect error = ENOENT\n");
	gives(MODE(IRQCHIP_USER), VERDICT_OK,
	      HEADER("guard") "cpus 0\ncap pit2\ncpu 0: guest long\ncpu 0: guest outb 0x43 0x34\n"
			      "cpu 0: guest outb 0x43 0xe2\ncpu 0: guest inb 0x40\n"
			      "expect cpu 0: guest.result[5:0] = 0x34\n");
	gives(MODE(IRQCHIP_USER), VERDICT_OK,
	      HEADER("guard") "cpus 0\ncpu 0: guest long\ntry cpu 0: guest inb 0x40\n"
			      "expect exit = exit.io\n");
}

static void test_unmap(void **state)
{
	(void)state;
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL), VERDICT_OK,
	      HEADER("guard") "cpus 0\ncpu 0: guest long\ncpu 0: guest read32 0x30000\n"
			      "try unmap 0x30800\nexpect error = EINVAL\n"
			      "try unmap 1 << 40\nexpect error = ERANGE\n"
			      "unmap 0x30000\ncpu 0: guest read32 0x31000\n"
			      "try cpu 0: guest read32 0x30000\nexpect error != 0\n");
	gives(MODE(IRQCHIP_SPLIT), VERDICT_OK,
	      HEADER("guard") "cpus 0\ntry unmap 0x30000\nexpect error = ERANGE\n");
}

/* A slot's memory stays its own while it moves, or changes its flags; KVM says no to the rest. */
static void test_memslots(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0\ncpu 0: guest long\nlet a 0x200000\n"
			      "memslot slot=5 gpa=a size=0x2000 flags=log_dirty\n"
			      "cpu 0: guest write32 a + 0x1000 7\n"
			      "try memslot slot=5 gpa=a size=0x3000\nexpect error = EINVAL\n"
			      "try memslot slot=6 gpa=a + 0x1000 size=0x1000\nexpect error = EEXIST\n"
			      "try memslot slot=6 gpa=0 size=0x1000\nexpect error = EEXIST\n"
			      "try memslot slot=6 gpa=a + 0x800 size=0x1000\nexpect error = EINVAL\n"
			      "memslot slot=5 gpa=a size=0x2000\n"
			      "memslot gpa=a + 0x4000 flags=0 size=0x2000 slot=5\n"
			      "cpu 0: guest read32 a + 0x5000\nexpect cpu 0: guest.result = 7\n"
			      "try cpu 0: guest read32 a + 0x1000\nexpect exit = exit.mmio\n"
			      "cpu 0: guest long\n"
			      "memslot slot=6 gpa=a size=0x2000 flags=readonly\n"
			      "try cpu 0: guest write32 a + 0x1000 7\nexpect exit = exit.mmio\n"
			      "cpu 0: guest read32 a + 0x1000\nexpect cpu 0: guest.result = 0\n"
			      "memslot slot=5 gpa=0 size=0\n"
			      "try memslot slot=5 gpa=0 size=0\nexpect error = EINVAL\n"
			      "try cpu 0: guest read32 a + 0x5000\nexpect exit = exit.mmio\n"
			      "cpu 0: guest long\n"
			      "memslot slot=5 gpa=a + 0x4000 size=0x2000\n"
			      "cpu 0: guest read32 a + 0x5000\nexpect cpu 0: guest.result = 0\n"
			      "unmap a + 0x5000\ncpu 0: guest read32 a + 0x4000\n"
			      "try cpu 0: guest read32 a + 0x5000\nexpect error != 0\n");
}

static void test_memslots_refused(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0\nlet g 0x100000000\n"
			      "let n 0\nrepeat 5\n"
			      "try memslot slot=n gpa=0x200000 size=0x1000\nexpect error = EBUSY\n"
			      "try memslot slot=n gpa=0 size=0\nexpect error = EBUSY\n"
			      "let n n + 1\nend\n"
			      "try memslot slot=1 << 32 gpa=g size=0x1000\nexpect error = ERANGE\n"
			      "try memslot slot=5 gpa=g size=0x1000 flags=1 << 32\nexpect error = ERANGE\n"
			      "try memslot slot=5 gpa=g size=0x1000 flags=1 << 31\nexpect error = EINVAL\n"
			      "try memslot slot=0xffffffff gpa=g size=0x1000\nexpect error = EINVAL\n"
			      "try memslot slot=5 gpa=g size=0x10001000\nexpect error = ENOSPC\n"
			      "try memslot slot=5 gpa=g size=~0\nexpect error = ENOSPC\n"
			      "memslot slot=5 gpa=g size=0xffff000\n"
			      "try memslot slot=6 gpa=2 * g size=0x2000\nexpect error = ENOSPC\n"
			      "memslot slot=6 gpa=2 * g size=0x1000\n"
			      "try memslot slot=7 gpa=3 * g size=0x1000\nexpect error = ENOSPC\n"
			      "memslot slot=5 gpa=0 size=0\n"
			      "let n 7\nrepeat 63\nmemslot slot=n gpa=n << 32 size=0x1000\nlet n n + 1\nend\n"
			      "try memslot slot=n gpa=n << 32 size=0x1000\nexpect error = ENOSPC\n");
	gives(ALL_MODES, VERDICT_ERROR,
	      HEADER("guard") "cpus 0\nmemslot slot=5 gpa=0x200000 size=1 << 60\nexpect 1 = 1\n");
	assert_non_null(strstr(result.why, "size=1 << 60: No space left on device (ENOSPC)"));
}

static void test_wait(void **state)
{
	uint64_t start = clock_now_ns();

	(void)state;
	assert_int_equal(run(IRQCHIP_SPLIT, HEADER("guard") "cpus 0\nwait 60\nexpect 1 = 1\n"),
			 VERDICT_OK);
	assert_true(clock_now_ns() - start >= 60 * NSEC_PER_MSEC);
}

/* KVM_SET_CPUID2 is heard by KVM's own local APIC alone. */
static void test_cpuid_is_set(void **state)
{
	(void)state;
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL), VERDICT_OK,
	      HEADER("guard") "needs cpuid.x2apic\ncpus 0\n"
			      "cpu 0: set cpuid.1.ecx 0\nexpect cpu 0: cpuid.1.ecx[21] = 0\n"
			      "try cpu 0: set apic_base.mode x2apic\nexpect error = ENOENT\n"
			      "cpu 0: set cpuid.0x12345.ebx 5\ncpu 0: set cpuid.0x12345.edx 6\n"
			      "expect cpu 0: cpuid.0x12345.ebx = 5\n"
			      "expect cpu 0: cpuid.0x12345.eax = 0\n"
			      "expect cpu 0: cpuid.0x12345.edx = 6\n");
	assert_int_equal(run(IRQCHIP_USER, HEADER("guard") "cpus 0\ntry cpu 0: set cpuid.1.ecx 0\n"
							   "expect error = EOPNOTSUPP\n"),
			 VERDICT_OK);
}

/* --- what KVM tells of itself */

static void test_statistics(void **state)
{
	(void)state;
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0 1\nlet before cpu 0: stat.exits\nexpect before = 0\n"
			      "cpu 0: guest long\ncpu 0: guest nop\n"
			      "let once cpu 0: stat.exits\nexpect once > before\n"
			      "cpu 0: guest nop\nexpect cpu 0: stat.exits > once\n"
			      "expect cpu 1: stat.exits = 0\n"
			      "expect vm.stat.remote_tlb_flush >= 0\n"
			      "try let before cpu 0: stat.exits[3:0]\nexpect error = 0\n"
			      "expect before < 16\n");
	gives(ALL_MODES, VERDICT_OK,
	      HEADER("guard") "cpus 0 1*\nlet n 0\ntry let n cpu 1: stat.exits\n"
			      "expect error = EINVAL\ncreate cpu 1\nexpect cpu 1: stat.exits = n\n");
}

/* A VM has not what its vCPUs have; and a name is all of it. */
static void test_statistics_that_are_missing(void **state)
{
	static const char *const names[] = {"cpu 0: stat.no_such", "cpu 0: stat.exit",
					    "cpu 0: stat.exits_", "vm.stat.exits"};
	char text[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), HEADER("guard") "cpus 0\nexpect %s = 0\n", names[i]);
		gives(ALL_MODES, VERDICT_SKIP, text);
		if (!strstr(result.why, strstr(names[i], *names[i] == 'v' ? "vm" : "stat")))
			assert_non_null(strstr(result.why, "binary_stats_fd"));
	}
}

/* A host that lacks nothing is no skip where the process has no room for one more file. */
static void test_no_more_files(void **state)
{
	static const char text[] = HEADER("guard") "cpus 0\nexpect cpu 0: stat.exits >= 0\n"
						   "expect trace.kvm_msi_set_irq >= 0\n";
	struct rlimit before, now;
	int next;

	(void)state;
	if (run(IRQCHIP_SPLIT, text) == VERDICT_SKIP)
		skip();
	next = dup(1);
	assert_true(next > 0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	now = before;
	for (unsigned files = 1; files < 10; files++) {
		enum verdict verdict;

		now.rlim_cur = (rlim_t)next + files;
		setrlimit(RLIMIT_NOFILE, &now);
		verdict = run(IRQCHIP_SPLIT, text);
		setrlimit(RLIMIT_NOFILE, &before);
		if (verdict == VERDICT_SKIP)
			fail_msg("%u files: %s", files, result.why);
	}
	assert_int_equal(result.verdict, VERDICT_OK);
}

static void test_tracepoints(void **state)
{
	(void)state;
	gives(MODE(IRQCHIP_SPLIT) | MODE(IRQCHIP_KERNEL), VERDICT_OK,
	      HEADER("guard") "cpus 0\ncpu 0: set lapic.svr 0x1ff\n"
			      "expect trace.kvm_msi_set_irq = 0\n"
			      "repeat 3\nmsi dest=0 vector=0x41\nend\n"
			      "expect trace.kvm_msi_set_irq = 3\n"
			      /* Threads as well. */
			      "parallel 0\nmsi dest=0 vector=0x41\nand\nmsi dest=0 vector=0x42\nend\n"
			      "expect trace.kvm_msi_set_irq = 5\n"
			      "expect trace.kvm_apic_accept_irq = 5\n"
			      "expect trace.kvm_apic_accept_irq.vec[0x41] = 4\n"
			      "expect trace.kvm_apic_accept_irq.vec[0x42] = 1\n"
			      "expect trace.kvm_apic_accept_irq.vec[0x43] = 0\n");
	gives(ALL_MODES, VERDICT_SKIP, HEADER("guard") "cpus 0\nexpect trace.no_such_event = 0\n");
	assert_non_null(strstr(result.why, "kvm:no_such_event"));
	gives(ALL_MODES, VERDICT_SKIP,
	      HEADER("guard") "cpus 0\nexpect trace.kvm_msi_set_irq.vec[1] = 0\n");
	assert_non_null(strstr(result.why, "vec == 1"));
}

/* Bare KVM, which refuses what is for local APICs. */
static void test_without_local_apics(void **state)
{
	(void)state;
	assert_int_equal(
		run(IRQCHIP_NONE,
		    HEADER("guard") "cpus 0 1\n"
				    "try cpu 1: set lapic.svr 0x1ff\nexpect error = EINVAL\n"
				    "try msi dest=0 vector=0x40\nexpect error = EINVAL\n"
				    "cpu 0: interrupt 0x33\n"
				    "expect cpu 0: sregs.interrupt_bitmap0 = 1 << 0x33\n"),
		VERDICT_OK);
}

/* --- findings */

static void test_findings_in_a_loop(void **state)
{
	(void)state;
	gives(MODE(IRQCHIP_SPLIT), VERDICT_BUG,
	      HEADER("bug") "cpus 0\nlet n 0\nrepeat 10\n"
			    "expect n != 4\ndeviates 4\nlet n n + 1\nend\n");
	assert_int_equal(result.nfindings, 1);
	assert_int_equal(result.findings[0].what, SEEN_DEVIATION);
	assert_int_equal(result.findings[0].seen, 4);
	assert_int_equal(result.findings[0].times, 10);
	assert_int_equal(result.findings[0].cmp, CMP_NE);
}

/* The last of more than there is room for is the one that matters. */
static void test_more_findings_than_room(void **state)
{
	char text[8192] = HEADER("guard") "cpus 0\n";

	(void)state;
	for (unsigned i = 0; i < FINDINGS + 10; i++)
		strcat(text, "expect 1 = 1\n");
	strcat(text, "expect 7 = 8\n");
	gives(MODE(IRQCHIP_SPLIT), VERDICT_UNKNOWN, text);
	assert_int_equal(result.nfindings, FINDINGS);
	for (unsigned i = 0; i < FINDINGS; i++)
		if (result.findings[i].what == SEEN_OTHER)
			return;
	fail_msg("what was seen is not told");
}

TEST_MAIN(cmocka_unit_test(test_ok), cmocka_unit_test(test_deviation),
	  cmocka_unit_test(test_unknown), cmocka_unit_test(test_error_names_the_line),
	  cmocka_unit_test(test_cpu_that_is_not_there),
	  cmocka_unit_test(test_skip_names_what_is_missing), cmocka_unit_test(test_try),
	  cmocka_unit_test(test_expressions), cmocka_unit_test(test_slices),
	  cmocka_unit_test(test_objects), cmocka_unit_test(test_boot_cpu_is_the_first),
	  cmocka_unit_test(test_boot_cpu), cmocka_unit_test(test_msi),
	  cmocka_unit_test(test_caps_come_first), cmocka_unit_test(test_cap_ahead_of_cpus),
	  cmocka_unit_test(test_pump), cmocka_unit_test(test_other_steps),
	  cmocka_unit_test(test_routes), cmocka_unit_test(test_route_refused),
	  cmocka_unit_test(test_line_of_a_route), cmocka_unit_test(test_kernel_chips),
	  cmocka_unit_test(test_vm_types), cmocka_unit_test(test_clear),
	  cmocka_unit_test(test_vmxon), cmocka_unit_test(test_unmap),
	  cmocka_unit_test(test_memslots), cmocka_unit_test(test_memslots_refused),
	  cmocka_unit_test(test_wait), cmocka_unit_test(test_cpuid_is_set),
	  cmocka_unit_test(test_statistics), cmocka_unit_test(test_statistics_that_are_missing),
	  cmocka_unit_test(test_no_more_files), cmocka_unit_test(test_tracepoints),
	  cmocka_unit_test(test_without_local_apics), cmocka_unit_test(test_findings_in_a_loop),
	  cmocka_unit_test(test_more_findings_than_room))

// SPDX-License-Identifier: MIT
/*
 * insn: what does the VMM say of an instruction that KVM's emulator cannot do? On a host that
 * emulates supervisor code, CMPXCHG16B here ends in KVM_EXIT_INTERNAL_ERROR (KVM_API,
 * KVM_INTERNAL_ERROR_EMULATION); on one that runs it, the guest says so and succeeds. SDM Vol. 2A,
 * CMPXCHG16B.
 */
#include "lib/console.h"
#include "lib/report.h"
#include "lib/x86.h"

const char guest_name[] = "insn";

void guest_main(void)
{
	static struct {
		uint64_t lo, hi;
	} __attribute__((aligned(16))) cell = {1, 2};
	uint64_t lo = 1, hi = 2;
	bool equal;

	if (!(cpuid(1).ecx >> 13 & 1)) {
		report_skip("the CPU has none", "cmpxchg16b");
		return;
	}
	printf("insn: cmpxchg16b\n");
	asm volatile("lock cmpxchg16b %1"
		     : "=@ccz"(equal), "+m"(cell), "+a"(lo), "+d"(hi)
		     : "b"(3ul), "c"(4ul)
		     : "memory");
	report(equal && cell.lo == 3 && cell.hi == 4, "cmpxchg16b works on this host");
}

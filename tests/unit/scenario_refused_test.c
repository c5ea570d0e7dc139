// SPDX-License-Identifier: MIT
/* Scenarios that are refused: each error with its line and column, and texts that mean harm. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scenario/scenario.h"
#include "test.h"

#define KEYS "id t\ntitle T\nclass bug\nmanual M\n"
/* Five lines; a step that follows is in line 6. */
#define HEAD KEYS "cpus 0 1 300*\n"
#define TAIL "create cpu 300\nexpect accepted = 1\ndeviates 0\n"

static void refused(const char *text, size_t size, const char *want)
{
	struct error err = {0};
	struct scenario *s = scenario_parse("t", text, size, &err);

	scenario_free(s);
	if (s)
		fail_msg("taken: %s", text);
	assert_string_equal(err.text, want);
	assert_int_equal(err.code, EXIT_SETUP);
}

/* --- the header: `text` is all that there is */

#define ABOUT4 "about x\nabout x\nabout x\nabout x\n"

static const struct {
	const char *text, *want;
} headers[] = {
	{"", "t:1:1: expected 'cpus', found the end of the file"},
	{"\n\n", "t:3:1: expected 'cpus', found the end of the file"},
	{"id t", "t:1:5: expected 'cpus', found the end of the file"},
	{"id t\n# x", "t:2:4: expected 'cpus', found the end of the file"},
	{"titel x\n",
	 "t:1:1: expected a key of the header, or 'cpus', found 'titel'; did you mean 'title'?"},
	{"12\n", "t:1:1: expected a key of the header, or 'cpus', found '12'"},
	{"id\n",
	 "t:1:3: expected an id of letters, digits, '-', '_' and '.', found the end of the line"},
	{"id  @\n", "t:1:5: expected an id of letters, digits, '-', '_' and '.', found '@'"},
	{"id a b\n", "t:1:6: expected one word of letters, digits, '-', '_' and '.', found 'b'"},
	{"id a@b\n", "t:1:5: expected one word of letters, digits, '-', '_' and '.', found '@'"},
	{"id t\nid t\n", "t:2:1: expected 'id' only once, found 'id'"},
	{"title  \n", "t:1:8: expected a text, found the end of the line"},
	{"title a\xc3\xbc\n", "t:1:8: expected ASCII text, found '?'"},
	{"title a\ntitle b\n", "t:2:1: expected 'title' only once, found 'title'"},
	{"about\n", "t:1:6: expected a text, found the end of the line"},
	{ABOUT4 ABOUT4 ABOUT4 ABOUT4 "about x\n",
	 "t:17:1: expected at most 16 such lines, found 'about'"},
	{"class\n", "t:1:6: expected bug, erratum or guard, found the end of the line"},
	{"class gaurd\n",
	 "t:1:7: expected bug, erratum or guard, found 'gaurd'; did you mean 'guard'?"},
	{"class bug bug\n", "t:1:11: expected the end of the line, found 'bug'"},
	{"modes\n", "t:1:6: expected kernel, split, user or none, found the end of the line"},
	{"modes user usr\n",
	 "t:1:12: expected kernel, split, user or none, found 'usr'; did you mean 'user'?"},
	{"modes user user\n", "t:1:12: expected each mode once, found 'user'"},
	{"danger 1\n", "t:1:8: expected the end of the line, found '1'"},
	{"vm\n", "t:1:3: expected sw_protected or tdx, found the end of the line"},
	{"vm tdy\n", "t:1:4: expected sw_protected or tdx, found 'tdy'; did you mean 'tdx'?"},
	{"vm tdx 5\n", "t:1:8: expected the end of the line, found '5'"},
	{"vm tdx\nvm tdx\n", "t:2:1: expected 'vm' only once, found 'vm'"},
	{"id t\ntitle T\nclass guard\nmanual M\nmodes split user\nvm tdx\ncpus 0\n",
	 "t:7:1: expected no mode user with 'vm' ahead of the CPUs, found 'cpus'"},
	{"needs\n",
	 "t:1:6: expected cap, cpuid.BIT, vendor, apicv or msr, found the end of the line"},
	{"needs cap\n", "t:1:10: expected a capability's name, found the end of the line"},
	{"needs cap x2apicapi\n",
	 "t:1:11: expected a capability's name, found 'x2apicapi'; did you mean 'x2apic_api'?"},
	{"needs cpuid.\n", "t:1:13: expected the name of a CPUID bit, found ''"},
	{"needs cpuid.x2apik\n",
	 "t:1:13: expected the name of a CPUID bit, found 'x2apik'; did you mean 'x2apic'?"},
	{"needs vendor via\n", "t:1:14: expected 'intel' or 'amd', found 'via'"},
	{"needs apicv 1\n", "t:1:13: expected the end of the line, found '1'"},
	{"needs msr 0x100000000\n",
	 "t:1:11: expected an MSR's name, or its number of 32 bits, found '0x100000000'"},
	{"needs msr xsss\n",
	 "t:1:11: expected an MSR's name, or its number of 32 bits, found 'xsss'; did you mean 'xss'?"},
	{"cpus 0\n", "t:1:1: expected 'id' ahead of the CPUs, found 'cpus'"},
	{"id t\ncpus 0\n", "t:2:1: expected 'title' ahead of the CPUs, found 'cpus'"},
	{"id t\ntitle T\nmanual M\ncpus 0\n",
	 "t:4:1: expected 'class' ahead of the CPUs, found 'cpus'"},
	{"id t\ntitle T\nclass bug\ncpus 0\n",
	 "t:4:1: expected 'manual' ahead of the CPUs, found 'cpus'"},
	{KEYS "cpus\n",
	 "t:5:5: expected the ID of a CPU, a number of 32 bits, found the end of the line"},
	{KEYS "cpus x\n", "t:5:6: expected the ID of a CPU, a number of 32 bits, found 'x'"},
	{KEYS "cpus 4294967296\n",
	 "t:5:6: expected the ID of a CPU, a number of 32 bits, found '4294967296'"},
	{KEYS "cpus 1 0x1\n", "t:5:8: expected each ID once, found '0x1'"},
	{KEYS "cpus 1 *\n", "t:5:8: expected the ID of a CPU, a number of 32 bits, found '*'"},
	{HEAD, "t:6:1: expected a step 'expect', found the end of the file"},
	{HEAD "expect 1 = 1",
	 "t:6:13: expected 'deviates' behind an 'expect', as class is not guard, found the end of the file"},
	{HEAD "expect 1 = 1\ndeviates 0",
	 "t:5:10: expected a CPU that a step creates, found '300'"},
	{HEAD "let a 1\n" TAIL, "t:6:5: expected a name that a later step uses, found 'a'"},
	{"id t\ntitle T\nclass guard\nmanual M\ncpus 0\nexpect 1 = 1\ndeviates 0\n",
	 "t:7:1: expected no deviation in a scenario of class guard, found 'deviates'"},
};

static void header(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		refused(headers[i].text, strlen(headers[i].text), headers[i].want);
}

/* --- steps: line 6 and what follows; `want` without "t:" */

static const struct {
	const char *text, *want;
} steps[] = {
	{"title T", "6:1: expected a step such as cpu, msi or expect, found 'title'"},
	{"expct 1 = 1",
	 "6:1: expected a step such as cpu, msi or expect, found 'expct'; did you mean 'expect'?"},
	{"end", "6:1: expected a step, found 'end'"},
	{"and", "6:1: expected a step, found 'and'"},
	{"5", "6:1: expected a step such as cpu, msi or expect, found '5'"},
	{"mis dest=1",
	 "6:1: expected a step such as cpu, msi or expect, found 'mis'; did you mean 'msi'?"},
	{"deviates 1", "6:1: expected 'deviates' behind an 'expect' only, found 'deviates'"},
	{"expect 1 = 1\ndeviates 1\ndeviates 2",
	 "8:1: expected 'deviates' behind an 'expect' only, found 'deviates'"},
	{"expect 1 = 1\nrepeat 1\ndeviates 1",
	 "8:1: expected 'deviates' behind an 'expect' only, found 'deviates'"},
	{"expect 1 = 1\ndeviates", "7:9: expected an expression, found the end of the line"},
	{"expect 1 = 1\ndeviates : 1",
	 "7:10: expected an operator or one of = != < <= > >=, found ':'"},
	{"expect 1",
	 "6:9: expected an operator or one of = != < <= > >=, found the end of the line"},
	{"expect 1 = 1 1", "6:14: expected an operator or the end of the line, found '1'"},
	{"try expect 1 = 1", "6:5: expected a step that can be refused, found 'expect'"},
	{"try try cpu 1: nmi", "6:5: expected a step, found 'try'"},
	{"try", "6:4: expected a step such as cpu, msi or expect, found the end of the line"},
	{"cpu 1: nmi\ncap hlt", "7:1: expected 'cap' ahead of all other steps, found 'cap'"},
	{"let a 1\ncap hlt", "7:1: expected 'cap' ahead of all other steps, found 'cap'"},
	{"let a 1\nboot_cpu 1",
	 "7:1: expected 'boot_cpu' ahead of all other steps, found 'boot_cpu'"},
	{"cap", "6:4: expected a capability's name, found the end of the line"},
	{"cap split_irqchp",
	 "6:5: expected a capability's name, found 'split_irqchp'; did you mean 'split_irqchip'?"},
	{"create 300", "6:8: expected 'cpu', found '300'"},
	{"create cpu 1", "6:12: expected a CPU that 'cpus' marks with '*', found '1'"},
	{"create cpu 2", "6:12: expected an ID that 'cpus' names, found '2'"},
	{"create cpu 300 1", "6:16: expected an operator or the end of the line, found '1'"},
	{"cpu x: nmi", "6:5: expected the ID of a CPU, found 'x'"},
	{"cpu 2: nmi", "6:5: expected an ID that 'cpus' names, found '2'"},
	{"cpu 1 nmi", "6:7: expected ':', found 'nmi'"},
	{"cpu 1:",
	 "6:7: expected set, reload, clear, pump, nmi, interrupt, guest_debug, run, vmxon, cap or guest, found the end of the line"},
	{"cpu 1: expect 1 = 1",
	 "6:8: expected set, reload, clear, pump, nmi, interrupt, guest_debug, run, vmxon, cap or guest, found 'expect'"},
	{"cpu 1: nmi 1", "6:12: expected the end of the line, found '1'"},
	{"cpu 1: reload", "6:14: expected 'lapic', found the end of the line"},
	{"cpu 1: reload lapic 0", "6:21: expected 'from' or the end of the line, found '0'"},
	{"cpu 1: reload lapic from", "6:25: expected the ID of a CPU, found the end of the line"},
	{"cpu 1: reload lapic from 7", "6:26: expected an ID that 'cpus' names, found '7'"},
	{"cpu 1: clear", "6:13: expected 'lapic', found the end of the line"},
	{"cpu 1: clear lapic from 0", "6:20: expected the end of the line, found 'from'"},
	{"cpu 1: vmxon", "6:13: expected an expression, found the end of the line"},
	{"cpu 1: vmxon 0x1000 0x2000",
	 "6:21: expected an operator or the end of the line, found '0x2000'"},
	{"cpu 1: interrupt", "6:17: expected an expression, found the end of the line"},
	{"cpu 1: set accepted 1", "6:12: expected an object that can be written, found 'accepted'"},
	{"cpu 1: set lapic.lvt_lnt0 1",
	 "6:12: expected an object such as lapic.tpr, msr.pat or regs.rip, found 'lapic.lvt_lnt0'; did you mean 'lapic.lvt_lint0'?"},
	{"cpu 1: set lapic.id", "6:20: expected an expression, found the end of the line"},
	{"guest long", "6:1: expected 'cpu ID:' ahead of a step of a CPU, found 'guest'"},
	{"cpu 1: guest",
	 "6:13: expected what the guest does, such as long, set, ipi or rdmsr, found the end of the line"},
	{"cpu 1: guest 5",
	 "6:14: expected what the guest does, such as long, set, ipi or rdmsr, found '5'"},
	{"cpu 1: guest rdmrs 1",
	 "6:14: expected what the guest does, such as long, set, ipi or rdmsr, found 'rdmrs'; did you mean 'rdmsr'?"},
	{"cpu 1: guest protectd",
	 "6:14: expected what the guest does, such as long, set, ipi or rdmsr, found 'protectd'; did you mean 'protected'?"},
	{"cpu 1: guest run 5",
	 "6:14: expected what the guest does, such as long, set, ipi or rdmsr, found 'run'"},
	{"cpu 1: guest long 64", "6:19: expected the end of the line, found '64'"},
	{"cpu 1: guest long within 5", "6:19: expected the end of the line, found 'within'"},
	{"cpu 1: guest nop 1", "6:18: expected 'within' or the end of the line, found '1'"},
	{"cpu 1: guest rdmsr", "6:19: expected an expression, found the end of the line"},
	{"cpu 1: guest rdmsr 1 2",
	 "6:22: expected an operator, 'within' or the end of the line, found '2'"},
	{"cpu 1: guest rdmsr msr.tscs",
	 "6:20: expected an expression, found 'msr.tscs'; did you mean 'msr.tsc'?"},
	{"cpu 1: guest wrmsr 1", "6:21: expected an expression, found the end of the line"},
	{"cpu 1: guest wrmsr 1 within 5", "6:22: expected an expression, found 'within'"},
	{"cpu 1: guest hlt within", "6:24: expected an expression, found the end of the line"},
	{"cpu 1: guest hlt within 5 ms",
	 "6:27: expected an operator or the end of the line, found 'ms'"},
	{"cpu 1: guest get",
	 "6:17: expected an object such as lapic.tpr, msr.pat or regs.rip, found the end of the line"},
	{"cpu 1: guest get tpr",
	 "6:18: expected an object such as lapic.tpr, msr.pat or regs.rip, found 'tpr'; did you mean "
	 "'lapic.tpr'?"},
	/* Like lapic.id only in what all of them have. */
	{"cpu 1: guest get lapic.spiv",
	 "6:18: expected an object such as lapic.tpr, msr.pat or regs.rip, found 'lapic.spiv'"},
	{"cpu 1: guest get lapci.svr",
	 "6:18: expected an object such as lapic.tpr, msr.pat or regs.rip, found 'lapci.svr'; did you "
	 "mean 'lapic.svr'?"},
	{"cpu 1: guest get regs.rip",
	 "6:18: expected a register of the local APIC, or an MSR, found 'regs.rip'"},
	{"cpu 1: guest set apic_base.mode x2apic",
	 "6:18: expected a register of the local APIC, or an MSR, found 'apic_base.mode'"},
	{"cpu 1: guest get lapic.irr[0x40]",
	 "6:18: expected a whole register, such as lapic[0x200], found 'lapic.irr'"},
	{"cpu 1: guest set lapic.tpr[7:4] 1",
	 "6:18: expected a whole register, such as lapic[0x200], found 'lapic.tpr'"},
	{"cpu 1: guest get lapic.tpr 1", "6:28: expected the end of the line, found '1'"},
	{"cpu 1: guest set lapic.tpr", "6:27: expected an expression, found the end of the line"},
	{"cpu 1: guest set lapic.tpr 1 within 5",
	 "6:30: expected an operator or the end of the line, found 'within'"},
	{"cpu 1: guest eoi 0x40", "6:18: expected the end of the line, found '0x40'"},
	{"cpu 1: guest ipi",
	 "6:17: expected dest, vector, mode, logical, level, trigger or shorthand, found the end of the line"},
	{"cpu 1: guest ipi rh=1",
	 "6:18: expected dest, vector, mode, logical, level, trigger or shorthand, found 'rh'"},
	{"cpu 1: guest ipi shortand=all vector=1",
	 "6:18: expected dest, vector, mode, logical, level, trigger or shorthand, found 'shortand'; did you mean 'shorthand'?"},
	{"cpu 1: guest ipi vector=1",
	 "6:26: expected dest=ID or shorthand=WHO, found the end of the line"},
	{"cpu 1: guest ipi shorthand=all", "6:31: expected vector=N, found the end of the line"},
	{"cpu 1: guest ipi dest=1 dest=2", "6:25: expected each field once, found 'dest'"},
	{"msi shorthand=all vector=1",
	 "6:5: expected dest, vector, mode, logical, rh, level or trigger, found 'shorthand'"},
	{"cpu 1: set guest.result 1",
	 "6:12: expected an object that can be written, found 'guest.result'"},
	{"cpu 1: set guest.taken[2] 1",
	 "6:12: expected an object that can be written, found 'guest.taken'"},
	{"expect cpu 1: guest.taken[256] = 1", "6:27: expected an index below 256, found '256'"},
	{"expect cpu 1: guest.time[64] = 1", "6:26: expected an index below 64, found '64'"},
	{"expect cpu 1: guest.order = 1", "6:27: expected '[', found '='"},
	{"expect guest.fault = none",
	 "6:8: expected 'cpu ID:' ahead of an object of a CPU, found 'guest.fault'"},
	{"set lapic.id 1", "6:1: expected 'cpu ID:' ahead of a step of a CPU, found 'set'"},
	{"try nmi", "6:5: expected 'cpu ID:' ahead of a step of a CPU, found 'nmi'"},
	{"msi",
	 "6:4: expected dest, vector, mode, logical, rh, level or trigger, found the end of the line"},
	{"msi vektor=1",
	 "6:5: expected dest, vector, mode, logical, rh, level or trigger, found 'vektor'; did you mean 'vector'?"},
	{"msi dest 1", "6:10: expected '=', found '1'"},
	{"msi dest=1 dest=1", "6:12: expected each field once, found 'dest'"},
	{"msi dest=1", "6:11: expected vector=N, found the end of the line"},
	{"msi vector=1", "6:13: expected dest=ID, found the end of the line"},
	{"irq_line 1", "6:11: expected an expression, found the end of the line"},
	{"route", "6:6: expected an expression, found the end of the line"},
	{"route 24",
	 "6:9: expected dest, vector, mode, logical, rh, level or trigger, found the end of the line"},
	{"route 24 dest=1", "6:16: expected vector=N, found the end of the line"},
	{"route dest=1 vector=2", "6:7: expected an expression, found 'dest'"},
	{"irqfd", "6:6: expected an expression, found the end of the line"},
	{"unmap", "6:6: expected an expression, found the end of the line"},
	{"memslot", "6:8: expected slot, gpa, size or flags, found the end of the line"},
	{"memslot slot=5 gpa=0",
	 "6:21: expected slot=N, gpa=ADDRESS and size=BYTES, found the end of the line"},
	{"memslot gpa=0 size=0 flags=0",
	 "6:29: expected slot=N, gpa=ADDRESS and size=BYTES, found the end of the line"},
	{"memslot slot=5 slot=6", "6:16: expected each field once, found 'slot'"},
	{"memslot slot=5 gpa=0 size=0 flag=readonly",
	 "6:29: expected slot, gpa, size or flags, found 'flag'; did you mean 'flags'?"},
	{"memslot slot=5 gpa=0 size=0 dest=1",
	 "6:29: expected slot, gpa, size or flags, found 'dest'"},
	{"memslot slot 5", "6:14: expected '=', found '5'"},
	{"irqfd 4 resamples",
	 "6:9: expected an operator or the end of the line, found 'resamples'"},
	{"signal 24 1", "6:11: expected an operator or the end of the line, found '1'"},
	{"wait", "6:5: expected an expression, found the end of the line"},
	{"try wait 5", "6:5: expected a step that can be refused, found 'wait'"},
	{"let",
	 "6:4: expected a name without '.' that is no object, value or 'cpu', found the end of the line"},
	{"let init 1",
	 "6:5: expected a name without '.' that is no object, value or 'cpu', found 'init'"},
	{"let error 1",
	 "6:5: expected a name without '.' that is no object, value or 'cpu', found 'error'"},
	{"let cpu 1",
	 "6:5: expected a name without '.' that is no object, value or 'cpu', found 'cpu'"},
	{"let a.b 1",
	 "6:5: expected a name without '.' that is no object, value or 'cpu', found 'a.b'"},
	{"let a a", "6:7: expected an expression, found 'a'"},
	{"repeat 3\nend", "7:1: expected a step, found 'end'"},
	{"repeat 3\ncpu 1: nmi\nand", "8:1: expected a step or 'end', found 'and'"},
	{"repeat 3\nnnmi\nend",
	 "7:1: expected a step such as cpu, msi or expect, or 'end', found 'nnmi'"},
	{"repeat 3\ncpu 1: nmi\nend 1", "8:5: expected the end of the line, found '1'"},
	{"repeat", "6:7: expected an expression, found the end of the line"},
	{"parallel 3\nand", "7:1: expected a step, found 'and'"},
	{"parallel 3\nrepeat 1\nparallel 1",
	 "8:1: expected no 'parallel' inside of another, found 'parallel'"},
	{"repeat 1\nrepeat 1\nrepeat 1\nrepeat 1\nrepeat 1",
	 "10:1: expected at most 4 blocks in each other, found 'repeat'"},
	{"expect = 1", "6:8: expected an expression, found '='"},
	{"expect x2apik = 1",
	 "6:8: expected an expression, found 'x2apik'; did you mean 'x2apic'?"},
	{"let counter 1\nexpect conter = 1",
	 "7:8: expected an expression, found 'conter'; did you mean 'counter'?"},
	{"expect (1 = 1", "6:11: expected an operator or ')', found '='"},
	{"expect 1 + = 1", "6:12: expected an expression, found '='"},
	{"expect 18446744073709551616 = 1",
	 "6:8: expected a number of at most 64 bits, found '18446744073709551616'"},
	{"expect 0x10000000000000000 = 1",
	 "6:8: expected a number of at most 64 bits, found '0x10000000000000000'"},
	{"expect 0x100000000000000000 = 1",
	 "6:8: expected a number of at most 64 bits, found '0x100000000000000000'"},
	{"expect 0x = 1", "6:8: expected a number such as 12 or 0x1f, found '0x'"},
	{"expect 12k = 1", "6:8: expected a number such as 12 or 0x1f, found '12k'"},
	{"expect lapic.id = 1",
	 "6:8: expected 'cpu ID:' ahead of an object of a CPU, found 'lapic.id'"},
	{"expect cpu 1: accepted = 1", "6:15: expected an object of a CPU, found 'accepted'"},
	{"expect cpu 1: 5 = 1",
	 "6:15: expected an object such as lapic.tpr, msr.pat or regs.rip, found '5'"},
	{"expect cpu 1: lapic.irr = 1",
	 "6:25: expected [N] or [H:L], at most 64 bits of 256, found '='"},
	{"expect cpu 1: lapic.irr[64:0] = 1", "6:25: expected at most 64 bits, found '64'"},
	{"expect cpu 1: lapic.irr[256] = 1",
	 "6:25: expected a bit that the register has, found '256'"},
	{"expect cpu 1: lapic.id[32] = 1",
	 "6:24: expected a bit that the register has, found '32'"},
	{"expect cpu 1: lapic.id[4:5] = 1", "6:26: expected the lower end of the bits, found '5'"},
	{"expect cpu 1: lapic.id[4 = 1", "6:26: expected ']', found '='"},
	{"expect cpu 1: lapic.id[x] = 1", "6:24: expected a bit that the register has, found 'x'"},
	{"expect cpu 1: lapic = 1", "6:21: expected '[', found '='"},
	{"expect cpu 1: lapic[2] = 1", "6:21: expected a multiple of 4, found '2'"},
	{"expect cpu 1: lapic[0x400] = 1", "6:21: expected an offset of 0 to 0x3fc, found '0x400'"},
	{"expect cpu 1: msr[0x100000000] = 1",
	 "6:19: expected an index of 32 bits, found '0x100000000'"},
	{"expect cpu 1: cpuid = 1",
	 "6:15: expected cpuid.LEAF.REGISTER, such as cpuid.1.eax, found 'cpuid'"},
	{"expect cpu 1: cpuid.1.exx = 1",
	 "6:15: expected cpuid.LEAF.REGISTER, such as cpuid.1.eax, found 'cpuid.1.exx'"},
	{"expect cpu 1: cpuid..eax = 1",
	 "6:15: expected cpuid.LEAF.REGISTER, such as cpuid.1.eax, found 'cpuid..eax'"},
	{"expect cpu 1: cpuid.0x1000000.eax = 1",
	 "6:15: expected cpuid.LEAF.REGISTER, such as cpuid.1.eax, found 'cpuid.0x1000000.eax'"},
	{"expect stat.exits = 1",
	 "6:8: expected 'cpu ID:' ahead of an object of a CPU, found 'stat.exits'"},
	{"expect cpu 1: trace.kvm_exit = 1",
	 "6:15: expected an object of a CPU, found 'trace.kvm_exit'"},
	{"expect trace = 1", "6:8: expected trace.NAME, of a-z, 0-9 and '_', found 'trace'"},
	{"expect trace. = 1", "6:8: expected trace.NAME, of a-z, 0-9 and '_', found 'trace.'"},
	{"expect vm.stat.eXits = 1",
	 "6:8: expected vm.stat.NAME, of a-z, 0-9 and '_', found 'vm.stat.eXits'"},
	{"expect trace.kvm.exit = 1", "6:23: expected '[', found '='"},
	{"expect trace.kvm.exit[] = 1", "6:23: expected a value of the field, found ']'"},
	{"expect trace.kvm.eXit[1] = 1",
	 "6:8: expected trace.EVENT.FIELD[N], of a-z, 0-9 and '_', at most 32 in FIELD, found 'trace.kvm.eXit'"},
	{"expect trace.kvm.a.b[1] = 1",
	 "6:8: expected trace.EVENT.FIELD[N], of a-z, 0-9 and '_', at most 32 in FIELD, found 'trace.kvm.a.b'"},
	{"expect trace.kvm.a0123456789012345678901234567890_2[1] = 1",
	 "6:8: expected trace.EVENT.FIELD[N], of a-z, 0-9 and '_', at most 32 in FIELD, found 'trace.kvm.a01234567890123456789012345678...'"},
	{"cpu 1: cap hyperv_synick",
	 "6:12: expected a capability's name, found 'hyperv_synick'; did you mean 'hyperv_synic'?"},
	{"expect trace.kvm_exit[64] = 1", "6:23: expected a bit that the register has, found '64'"},
	{"cpu 1: set stat.exits 1",
	 "6:12: expected an object that can be written, found 'stat.exits'"},
	{"let trace 1",
	 "6:5: expected a name without '.' that is no object, value or 'cpu', found 'trace'"},
	{"expect \"1\" = 1", "6:8: expected an expression, found '\"'"},
	{"  expect\t$ = 1", "6:10: expected an expression, found '$'"},
	{"expect \xff = 1", "6:8: expected an expression, found '?'"},
	{"expect 1 = 1 # \x1b[2J", "6:16: expected text without control characters, found '?'"},
	{"expect 1 = 1\r \n", "6:13: expected text without control characters, found '?'"},
	{"expect aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = 1",
	 "6:8: expected an expression, found 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'"},
	{"expect 1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1 = 1",
	 "6:39: expected at most 32 terms, found '+'"},
	{"expect 1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+(1+1 = 1",
	 "6:55: expected at most 16 values at once, found '1'"},
	{"expect ((((((((((((((((( 1",
	 "6:24: expected at most 16 nested operators and parentheses, found '('"},
	{"expect -~-~-~-~-~-~-~-~-1",
	 "6:24: expected at most 16 nested operators and parentheses, found '-'"},
};

static void step(void **state)
{
	char text[1024], want[320];

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		snprintf(text, sizeof(text), HEAD "%s\n", steps[i].text);
		snprintf(want, sizeof(want), "t:%s", steps[i].want);
		refused(text, strlen(text), want);
	}
}

static void an_end_is_missing(void **state)
{
	static const char text[] = HEAD "parallel 5\ncpu 1: nmi\nand\nrepeat 2\ncpu 1: nmi";

	(void)state;
	refused(text, strlen(text),
		"t:10:11: expected the 'end' of the block of line 9, found the end of the file");
}

static void a_nul_is_no_end(void **state)
{
	static const char text[] = "id t\ntitle T\0\n";

	(void)state;
	refused(text, sizeof(text) - 1,
		"t:2:8: expected text without control characters, found '?'");
}

static void a_long_path_keeps_its_end(void **state)
{
	char path[4096], want[320];
	struct error err;

	(void)state;
	memset(path, 'p', sizeof(path));
	strcpy(path + sizeof(path) - 8, "/\n/abcd");
	assert_null(scenario_parse(path, "x", 1, &err));
	snprintf(want, sizeof(want),
		 "...%.73s/?/abcd:1:1: expected a key of the header, or 'cpus', found 'x'", path);
	assert_string_equal(err.text, want);
}

/* --- a lot of something */

/* before, then `again` until the text has the size, then after. */
static char *fill(const char *before, const char *again, const char *after, size_t size)
{
	size_t n = strlen(again);
	char *text = malloc(size + 1), *at;

	assert_non_null(text);
	at = stpcpy(text, before);
	for (; at + n + strlen(after) <= text + size; at += n)
		memcpy(at, again, n);
	strcpy(at, after);
	return text;
}

static void limits(void **state)
{
	static const struct {
		const char *before, *again, *want;
	} rows[] = {
		{HEAD, "cpu 1: nmi\n", "t:4102:1: expected at most 4096 steps, found 'cpu'"},
		{HEAD "repeat 1\n", "cpu 1: nmi\n",
		 "t:4102:1: expected at most 4096 steps, found 'cpu'"},
		{HEAD "parallel 1\n", "cpu 1: nmi\nand\n",
		 "t:134:1: expected at most 64 branches, found 'and'"},
		{"", "needs apicv\n", "t:17:1: expected at most 16 needs, found 'needs'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = fill(rows[i].before, rows[i].again, "", 100000);

		refused(text, strlen(text), rows[i].want);
		free(text);
	}
}

/* Names and IDs that differ from each other. */
static void numbered(const char *before, const char *format, const char *want)
{
	char *text = malloc(SCENARIO_BYTES), *at;

	assert_non_null(text);
	at = stpcpy(text, before);
	for (unsigned i = 0; at < text + SCENARIO_BYTES - 100; i++)
		at += sprintf(at, format, i);
	refused(text, strlen(text), want);
	free(text);
}

static void a_hundred_thousand_cpus_and_names(void **state)
{
	(void)state;
	numbered(KEYS "cpus", " %u", "t:5:188: expected at most 64 CPUs, found '64'");
	numbered(HEAD, "let a%u 1\n", "t:38:5: expected at most 32 names, found 'a32'");
	numbered(HEAD, "try let a trace.e%u\n",
		 "t:38:11: expected at most 32 statistics and tracepoints, found 'trace.e32'");
}

/* One line of error, soon: these have a million of something that must not cost a million times itself. */
static void a_megabyte(void **state)
{
	static const struct {
		const char *before, *again;
	} rows[] = {
		{"", " "},
		{"", "\n"},
		{"", "#"},
		{"", "a"},
		{"", "title"},
		{"", "0"},
		{"", "a "},
		{"", "("},
		{"", "\xff"},
		{"", "\r"},
		{"title ", "x"},
		{"title x\n", "# x\n"},
		{KEYS "cpus ", "1"},
		{KEYS "cpus ", "1 "},
		{HEAD "expect ", "("},
		{HEAD "expect ", "-"},
		{HEAD "expect 1", "+1"},
		{HEAD "expect 1", " "},
		{HEAD "expect ", "a"},
		{HEAD "expect ", "9"},
		{HEAD "expect ", "0"},
		{HEAD "expect cpu 1: ", "cpuid."},
		{HEAD "expect cpu 1: lapic.id", "["},
		{HEAD "msi ", "dest=1 "},
		{HEAD, "repeat 1\n"},
		{HEAD, "parallel 1\n"},
		{HEAD, "expect 1 = 1\n"},
		{HEAD, "let a 1\n"},
		{HEAD, "try "},
		{HEAD, "end\n"},
	};
	clock_t start = clock();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = fill(rows[i].before, rows[i].again, "", SCENARIO_BYTES);
		struct error err;

		assert_null(scenario_parse("t", text, strlen(text), &err));
		assert_int_equal(memcmp(err.text, "t:", 2), 0);
		assert_null(strchr(err.text, '\n'));
		free(text);
	}
	/* Milliseconds each; what is quadratic takes minutes. */
	assert_true(clock() - start < 30 * CLOCKS_PER_SEC);
}

static void more_than_a_megabyte(void **state)
{
	char *text = fill("", "#", "", SCENARIO_BYTES + 1);

	(void)state;
	refused(text, SCENARIO_BYTES + 1,
		"t: 1048577 bytes, more than the 1048576 that are allowed");
	free(text);
}

TEST_MAIN(cmocka_unit_test(header), cmocka_unit_test(step), cmocka_unit_test(an_end_is_missing),
	  cmocka_unit_test(a_nul_is_no_end), cmocka_unit_test(a_long_path_keeps_its_end),
	  cmocka_unit_test(limits), cmocka_unit_test(a_hundred_thousand_cpus_and_names),
	  cmocka_unit_test(a_megabyte), cmocka_unit_test(more_than_a_megabyte))

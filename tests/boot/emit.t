#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# `sipi check --emit-c`: the emitted program compiles without a warning, and says what `sipi check` says, word for word
# where a verdict was reached.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use Sipi;
use Test::More;
use Time::HiRes 'time';

my $slack = $ENV{SIPI_SLACK} || 1;
my $cc = $ENV{CC} || 'gcc';

mkdir scratch($_) for 'own', 'c';

# A scenario of one CPU.
sub scenario {
	my ($id, $class, $steps, $head) = @_;
	return spew("own/$id.scn", <<"END");
id       $id
title    A title: "quotes", 100% \\ ?? */ // <b> of $id \\
class    $class
manual   SDM vol. 3A, 11.4 %s
fix      052c3b99cbc8 "KVM: x86: something" */
fixed    6.3
modes    kernel split
@{[$head // '']}

# Above the CPUs. */ /* ??/
cpus 0 300*
$steps
END
}

sub check { my $opt = ref $_[0] ? shift : {}; return sipi({limit => 60 * $slack, %$opt}, 'check', @_) }
sub told { my ($run) = @_; return "code $run->{code}\n$run->{stderr}$run->{stdout}" }

sub refused {
	my ($name, $re, @args) = @_;
	my $run = check(@args);
	ok($run->{code} == 2 && $run->{stderr} =~ /^sipi: .*$re/ && $run->{stderr} =~ tr/\n// == 1 && $run->{stdout} eq '', $name)
		or diag(told($run));
}

my $create = "try create cpu 300\n";
my $apicv = grep { -r && slurp($_) =~ /^[Y1]/ } map { "/sys/module/$_" } qw(kvm_intel/parameters/enable_apicv kvm_amd/parameters/avic);
my $tracing = -r '/sys/kernel/tracing/events/kvm/kvm_msr/id';
my $set = "$create# Why. \\\ncpu 0: set lapic.tpr 0x30   # Why not? \\\n";
my $ok = scenario('ok', 'bug', "${set}expect cpu 0: lapic.tpr = 0x30\ndeviates 0");
my %own = (
	ok => ['bug', "${set}expect cpu 0: lapic.tpr = 0x30\ndeviates 0", 'ok'],
	bug => ['bug', "${set}expect cpu 0: lapic.tpr = 0x20\n# The known one.\ndeviates 0x30", 'bug'],
	erratum => ['erratum', "${set}expect cpu 0: lapic.tpr = 0x20\ndeviates > 0x2f", 'erratum'],
	unknown => ['bug', "${set}expect cpu 0: lapic.tpr >= 0x40\ndeviates < 0\nexpect 1 > 1\ndeviates 1", 'unknown'],
	long => ['bug', "${set}expect cpu 0: lapic.tpr = 0x31@{[' + 0' x 12]}@{[' ' x 120]}+ 1\ndeviates 0x30", 'bug'],
	guard => ['guard', "${set}expect cpu 0: lapic.tpr != 0x30", 'unknown'],
	error => ['guard', "${create}cpu 0: set msr[0x12345678] 1\nexpect 1 = 1", 'error'],
	range => ['guard', "${create}let x 0x100\ncpu 0: set events.nmi.masked x\nexpect 1 = 1", 'error'],
	skip => ['bug', "${set}expect cpu 0: lapic.tpr = 0x30\ndeviates 0", 'skip', "needs cap xsave\nneeds vendor intel\nneeds vendor amd"],
	needs => ['guard', "${set}expect cpu 0: lapic.tpr = 0x30", 'ok', "needs cap exit_hypercall\nneeds cap guest_memfd_flags\nneeds msr sysenter_cs\nneeds msr tsc"],
	danger => ['bug', "${set}expect cpu 0: lapic.tpr = 0x30\ndeviates 0", 'skip', 'danger'],
	vm_type => ['guard', "try create cpu 300\ncpu 0: clear lapic\nexpect cpu 0: lapic.svr = 0", undef, 'vm sw_protected'],
	clear => ['guard', "${create}cpu 0: clear lapic\nexpect cpu 0: lapic.svr = 0\ntry cpu 0: clear lapic\nexpect error = 0", 'ok'],
	vmxon => ['guard', "${create}try cpu 0: vmxon 1\nexpect error = EINVAL", 'ok'],
	cap => ['guard', "cap disable_quirks2 lint0_reenabled\n${create}expect cpu 0: lapic.lvt_lint0 = 0x10000"],
	values => ['guard', <<'END', 'ok'],
let int 1 << 4 | 5
let a_b (int + 3) * 2 - 8 >> 1 ^ ~0
let n int
try create cpu 300
try create cpu 300
expect error = EEXIST
expect cpu 300: lapic.version = cpu 0: lapic.version
expect a_b + 1 = 0 - (int + 3 - 4)
expect 1 << n + 100 = 0
expect 1 << n - 20 = 2
expect 0xf0 >> n >> 100 = 0
expect -1 = 0xffffffffffffffff
expect ~n & 0xff = 0xea
cpu 0: set lapic.svr 0x1ff
cpu 0: set lapic.irr[0x41] 1
cpu 0: set lapic.irr[0x5f:0x58] 0x5a
cpu 0: set lapic.tpr[7:4] n & 7
expect cpu 0: lapic.irr[0x5f:0x58] = 0x5a
expect cpu 0: lapic[0x220] = 0x5a000002
expect cpu 0: lapic.tpr = 0x50
expect cpu 0: lapic.tpr[6] = 1
try cpu 0: set lapic.tpr n * 100000 * 100000
expect error = ERANGE
try cpu 0: set msr[0x12345678] 1
expect error = ENOENT
cpu 0: set msr.apic_base[11:10] 3
expect cpu 0: apic_base.mode = x2apic
cpu 0: set sregs.apic_base.mode disabled
expect cpu 0: sregs.apic_base.mode = 0
cpu 0: set apic_base.mode[1] 1
expect cpu 0: apic_base.mode[1] = 1
cpu 0: set events.nmi.pending 1
cpu 0: set sregs.cs.selector n
cpu 0: set debugregs.db0 cpu 0: regs.rip
expect cpu 0: debugregs.db0 = 0xfff0
expect cpu 0: sregs.cs.selector = int
expect cpu 0: events.nmi.pending <= 1
cpu 0: set regs.rip[3:0] 0xe
expect cpu 0: regs.rip = 0xfffe
cpu 0: set mp_state halted
expect cpu 0: mp_state[1:0] = halted
cpu 0: nmi
try cpu 0: interrupt 0x30
cpu 0: guest_debug enable
expect cpu 0: cpuid.1.eax != 0
expect cpu 300: cpuid.1.ebx[31:24] = 44
END
	# Interrupts by routes; messages to an APIC that is not there go nowhere.
	irq => ['guard', <<'END', 'ok', 'needs cap irqfd'],
let gsi 5
try create cpu 300
try irqfd gsi
expect error = ENOENT
try signal 5
expect error = ENOENT
cpu 0: set lapic.svr 0x1ff
route gsi dest=0 vector=0x51
route gsi + 1 dest=0 vector=gsi + 0x4c
irqfd gsi
try irqfd 5
expect error = EBUSY
signal gsi
wait 2
expect cpu 0: lapic.irr[0x51] = 1
expect cpu 0: lapic.irr[0x52] = 0
# It leads elsewhere.
try route 5 dest=0 vector=0x62 trigger=0
expect error = 0
try signal 6
expect error = ENOENT
signal 5
wait gsi
expect cpu 0: lapic.irr[0x6f:0x40] = 0x400020000
try route gsi << 32 dest=0 vector=0x62
expect error = ERANGE
try route 5 dest=0 vector=0x100
expect error = ERANGE
try signal 0x100000000
expect error = ERANGE
expect accepted = 0
END
	routes => ['guard', "${create}let n 0\nrepeat 64\n\troute n dest=0 vector=n + 0x20\n\tlet n n + 1\nend\ntry route n dest=0 vector=0x20\nexpect error = ENOSPC\n", 'ok'],
	route_refused => ['guard', "${create}try route 5000 dest=0 vector=0x41\nexpect error = EINVAL\nroute 24 dest=0 vector=0x42\ntry irqfd 5000\nexpect error = ENOENT", 'ok'],
	# Memory beside the puppet's; what is not given does not exist.
	memory => ['guard', <<'END', 'ok', 'needs cap readonly_mem'],
let base 0x200000
let big 1 << 30
try create cpu 300
cpu 0: guest long
try memslot slot=4 gpa=base size=0x1000
expect error = EBUSY
try memslot slot=5 gpa=base size=big
expect error = ENOSPC
try memslot slot=5 gpa=base size=big * big * 4
expect error = ENOSPC
try memslot slot=big * 4 gpa=base size=0x1000
expect error = ERANGE
try memslot slot=5 gpa=base size=0x1001
expect error = EINVAL
memslot slot=5 gpa=base size=0x2000 flags=log_dirty
cpu 0: guest write32 0x200000 7
try memslot size=0x2000 gpa=base slot=6
expect error = EEXIST
memslot slot=5 gpa=base + 0x3000 size=0x2000 flags=0
cpu 0: guest read32 0x203000
expect cpu 0: guest.result = 7
memslot slot=6 gpa=base size=0x1000 flags=readonly
try cpu 0: guest write32 0x200000 7
expect exit = exit.mmio
cpu 0: guest read32 0x200000
expect cpu 0: guest.result = 0
memslot slot=5 gpa=0 size=0
try memslot slot=5 gpa=0 size=0
expect error = EINVAL
unmap base
try unmap base + 1
expect error = EINVAL
try unmap base + 0x1000
expect error = ERANGE
unmap 0x30000
try cpu 0: guest read32 0x30000
expect error != 0
END
	memory_parallel => ['guard', <<'END', 'ok'],
try create cpu 300
parallel 20
	memslot slot=5 gpa=0x200000 size=0x1000
	memslot slot=5 gpa=0 size=0
and
	memslot slot=6 gpa=0x300000 size=0x1000
	unmap 0x300000
	memslot slot=6 gpa=0x400000 size=0x1000
	memslot slot=6 gpa=0 size=0
end
expect 1 = 1
END
	waits => ['guard', "${create}wait 150 * 2\nexpect 1 = 1", 'ok'],
	route_parallel => ['guard', <<'END', 'ok'],
try create cpu 300
cpu 0: set lapic.svr 0x1ff
parallel 20
	route 3 dest=0 vector=0x43
	try irqfd 3
	signal 3
	wait 1000000
and
	route 4 dest=0 vector=0x44
	try irqfd 4
	signal 4
	wait 1
end
wait 5
expect cpu 0: lapic.irr[0x44:0x43] = 3
END
	cpuid => ['guard', <<'END', 'ok'],
try create cpu 300
let old cpu 0: cpuid.1.ebx
cpu 0: set cpuid.1.ebx[31:24] 7
expect cpu 0: cpuid.1.ebx = old & 0xffffff | 0x07000000
cpu 0: set cpuid.1.ebx old
expect cpu 0: cpuid.1.ebx = old
cpu 0: set cpuid.0x1fff.eax 5
expect cpu 0: cpuid.0x1fff.eax = 5
try cpu 0: set cpuid.1.ecx old << 32 | 1 << 40
expect error = ERANGE
expect cpu 0: cpuid.0.eax != 0
END
	bits => ['guard', <<'END', 'ok'],
try create cpu 300
cpu 0: set lapic.svr 0x1ff
cpu 0: set lapic.irr[0x63:0x3c] 0x8123456785
expect cpu 0: lapic.irr[0x63:0x3c] = 0x8123456785
expect cpu 0: lapic.irr[0x5f:0x40] = 0x12345678
expect cpu 0: lapic[0x230] = 8
expect cpu 0: lapic[0x210] = 0x50000000
cpu 0: set lapic.irr[0x5f:0x3e] 1 << 20
expect cpu 0: lapic.irr[0x63:0x3c] = 0x8000400001
try cpu 0: set lapic.irr[0x63:0x3c] 1 << 40
expect error = ERANGE
END
	run => ['guard', <<'END', 'ok'],
try create cpu 300
cpu 300: run 20
expect exit = timeout
END
	repeat => ['bug', <<'END', 'unknown'],
try create cpu 300
let i 0
repeat 3
	let i i + 1
	repeat i
		expect i < 2
		deviates 2
	end
	expect i <= 3
end
repeat 0
	expect 1 = 2
end
expect i = 3
END
	parallel => ['bug', <<'END', 'bug'],
cpu 0: set lapic.svr 0x1ff
msi dest=0 vector=0x40
let n 3
parallel 30
	try create cpu 300
	# The value that the parent had.
	expect accepted = 1
	repeat n
		try cpu 300: set mp_state halted
	end
	expect error = 0
and
	msi dest=0 vector=0x41
	expect accepted = 1
	cpu 0: pump
	cpu 0: reload lapic
	repeat 10000000000
		cpu 0: pump
	end
and
	try cpu 300: run 1000000
end
expect accepted = 0
deviates 1
END
	# Each branch once, and for no time; what has begun is done as a whole.
	parallel_0 => ['guard', <<'END', 'ok'],
try create cpu 300
parallel 0
	repeat 3
		cpu 0: set lapic.tpr cpu 0: lapic.tpr + 0x10
	end
	wait 1
and
	cpu 300: run 20
	expect exit = timeout
end
expect cpu 0: lapic.tpr = 0x30
END
	# Names that a branch assigns are its own, from pass to pass.
	parallel_let => ['guard', <<'END', 'ok'],
try create cpu 300
let i 5
let n 1
parallel 20
	let i i + n
	expect i >= 6
	repeat 2
		let n 1
	end
and
	let i i | 0x100
	expect i = 0x105
and
	expect i = 5
	wait 1
end
expect i * n = 5
END
	parallel_repeat => ['guard', <<'END', 'ok'],
try create cpu 300
parallel 1
	cpu 0: set lapic.tpr 0
	wait 100
	repeat 2
		cpu 0: set lapic.tpr 0x10
	end
	expect cpu 0: lapic.tpr = 0x10
and
	cpu 300: pump
end
END
	try_let => ['guard', "${create}${create}try let x 0 - 1\nexpect error = 0\nexpect x + 1 = 0", 'ok'],
	try_unfit => ['guard', <<'END', 'ok'],
try create cpu 300
try msi dest=0x100000000 vector=0x40
expect error = ERANGE
try cpu 0: interrupt 0x100
expect error = ERANGE
try cpu 0: set lapic.tpr 1 << 32
expect error = ERANGE
try cpu 0: set events.nmi.pending 0x100
expect error = ERANGE
try cpu 0: set sregs.cs.base[3:0] 0x10
expect error = ERANGE
END
	# By names that the host has.
	stat => ['guard', <<'END', 'ok', 'needs cap binary_stats_fd'],
try create cpu 300
cpu 0: guest long
let before cpu 0: stat.exits
repeat 20
	cpu 0: guest nop
end
expect cpu 0: stat.exits - before >= 20
expect cpu 300: stat.exits = 0
expect vm.stat.mmu_shadow_zapped[63:32] = 0
END
	trace => ['guard', <<'END', $tracing ? 'ok' : 'skip'],
try create cpu 300
cpu 0: set lapic.svr 0x1ff
expect trace.kvm_apic_accept_irq = 0
msi dest=0 vector=0x40
expect trace.kvm_apic_accept_irq = 1
# By other threads, too.
parallel 0
	msi dest=0 vector=0x41
	msi dest=0 vector=0x42
and
	msi dest=0 vector=0x43
	cpu 0: guest_debug enable
end
expect trace.kvm_apic_accept_irq[2:0] = 4
expect trace.kvm_msi_set_irq = 4
expect trace.kvm_apic_accept_irq.vec[0x43] = 1
expect trace.kvm_apic_accept_irq.vec[0x44] = 0
expect trace.kvm_hypercall = 0
END
	trace_field => ['guard', "${create}expect trace.kvm_msi_set_irq.no_such_field[1] = 0", 'skip'],
	apicv_off => ['guard', "${create}expect cpu 0: lapic.id = 0", $apicv ? 'skip' : 'ok', 'needs apicv off'],
	msr_filter => ['guard', <<'END', 'ok', 'needs cap x86_user_space_msr'],
try create cpu 300
cpu 0: guest long
try cpu 0: guest rdmsr 0x1b
expect error = 0
msr_filter 0x1b
try cpu 0: guest rdmsr 0x1b
expect exit = exit.x86_rdmsr
cpu 0: guest nop
try cpu 0: guest wrmsr 0x1b 0xfee00900
expect exit = exit.x86_wrmsr
try msr_filter 1 << 32
expect error = ERANGE
END
	cpu_cap => ['guard', <<'END', 'ok'],
try create cpu 300
try cpu 0: cap hyperv_synic
let no error
try cpu 0: cap hyperv_synic 1
expect error = no
try cpu 0: cap x2apic_api
expect error = EINVAL
END
	trace_none => ['guard', "${create}expect trace.kvm_no_such_event = 0", 'skip'],
	stat_none => ['guard', "${create}expect cpu 0: stat.no_such_one = 0", 'skip'],
	vm_stat_none => ['guard', "${create}expect vm.stat.exits = 0", 'skip'],
	# Steps that a guest carries out.
	guest_long => ['guard', <<'END', 'ok'],
let n 0x1b
try cpu 300: guest long
expect error = EINVAL
try cpu 300: set guest.eoi xapic
expect error = EINVAL
try create cpu 300
cpu 0: guest long
cpu 0: guest long
expect exit = done
cpu 0: guest rdmsr n
expect cpu 0: guest.result[11:10] = xapic
expect cpu 0: guest.result[8] = 1
try cpu 0: guest wrmsr n cpu 0: guest.result | 0x400
expect error = 0
expect cpu 0: apic_base.mode = x2apic
cpu 0: guest set lapic.svr 0x1ff
cpu 0: guest get lapic.svr
expect cpu 0: guest.result = 0x1ff
cpu 0: guest set msr.x2apic_tpr 0x20
cpu 0: guest get msr[0x808]
expect cpu 0: guest.result = 0x20
cpu 0: guest rdcr8
expect cpu 0: guest.result = 2
cpu 0: guest wrcr8 0
expect cpu 0: lapic.tpr = 0
cpu 0: guest sti
cpu 0: guest rflags
expect cpu 0: guest.result[9] = 1
cpu 0: set guest.eoi x2apic
msi dest=0 vector=0x41
cpu 0: guest nop
msi dest=0 vector=0x42
cpu 0: guest pause 10
expect cpu 0: guest.eoi = 3
expect cpu 0: guest.taken[0x41] + cpu 0: guest.taken[0x42] = 2
expect cpu 0: guest.order[0] = 0x41
expect cpu 0: guest.order[1][7:0] = 0x42
expect cpu 0: guest.time[0] < cpu 0: guest.time[1]
expect cpu 0: guest.interrupts = 2
cpu 0: guest eoi
cpu 0: guest cli
cpu 0: guest write32 0xf000 n * 2
cpu 0: guest read32 0xf000
expect cpu 0: guest.result = 0x36
cpu 0: guest cpuid 1 0
expect cpu 0: guest.result = cpu 0: cpuid.1.eax
cpu 0: guest rdtsc
expect cpu 0: guest.result > cpu 0: guest.time[1]
END
	guest_protected => ['guard', <<'END', 'ok'],
try create cpu 300
cpu 0: guest protected
cpu 0: guest set lapic.svr 0x1ff
cpu 0: set guest.eoi xapic
msi dest=0 vector=0xff
cpu 0: guest sti_hlt
expect cpu 0: guest.taken[255] = 1
try cpu 0: guest set lapic.tpr 0x100000000
expect error = ERANGE
expect cpu 0: sregs.cs.selector = 0x18
END
	guest_real => ['guard', <<'END', 'ok'],
try create cpu 300
cpu 0: guest real
cpu 0: set lapic.svr 0x1ff
msi dest=0 vector=0x20
cpu 0: guest sti
cpu 0: guest nop
expect cpu 0: guest.order[0] = 0x20
expect cpu 0: guest.rip = 0
END
	guest_try => ['guard', <<'END', 'ok'],
try create cpu 300
let ms 200
cpu 0: guest long
try cpu 0: guest rdmsr 0x12345678
expect error = EFAULT
expect cpu 0: guest.fault = GP
expect cpu 0: guest.error = 0
expect cpu 0: guest.rip > 0xa000
expect exit = done
try cpu 0: guest read32 0x40000000
expect cpu 0: guest.fault = PF
expect cpu 0: guest.address = 0x40000000
try cpu 0: guest hlt within ms
expect error = ETIMEDOUT
expect exit = timeout
try cpu 0: guest nop within ms << 40
expect error = ERANGE
cpu 0: nmi
# First the HLT ends.
cpu 0: guest rdmsr 0x1b
expect cpu 0: guest.result[11] = 1
expect cpu 0: guest.taken[2] = 1
try cpu 0: guest outl 0x80 1
expect error = EIO
expect exit = exit.io
cpu 0: guest nop
try cpu 0: guest shutdown
expect error = EIO
expect exit = exit.shutdown
END
	# INIT and SIPI, from outside: it asks for its mailbox at a `run`, and goes on from there.
	guest_started => ['guard', <<'END', 'ok'],
try create cpu 300
cpu 0: set mp_state runnable
cpu 0: set sregs.cs.base 0xa000
cpu 0: set sregs.cs.selector 0xa00
cpu 0: set regs.rip 0
cpu 0: run 200
expect exit = exit.io
cpu 0: guest rflags
expect cpu 0: guest.result[1] = 1
expect cpu 0: sregs.ds.base != 0
END
	# What the last step left is not taken for this one's.
	guest_again => ['guard', <<'END', 'ok'],
try create cpu 300
cpu 0: guest long
try cpu 0: guest rdmsr 0x12345678
expect cpu 0: guest.rip != 0
cpu 0: guest rdmsr 0x1b
expect cpu 0: guest.result != 0
expect cpu 0: guest.rip = 0
try cpu 0: guest rdmsr 0x12345678
expect cpu 0: guest.result = 0
END
	# At the puppet's idle loop, but neither sent there nor started: not the puppet's.
	guest_strange => ['guard', <<'END', 'ok'],
try create cpu 300
cpu 0: guest real
cpu 300: set mp_state runnable
cpu 300: set sregs.cs.base 0
cpu 300: set sregs.cs.selector 0
cpu 300: set sregs.ds.base cpu 0: sregs.ds.base + 0x1000
cpu 300: set sregs.ss.base cpu 0: sregs.ss.base + 0x1000
cpu 300: set regs.rsp cpu 0: regs.rsp
cpu 300: set regs.rip cpu 0: regs.rip
try cpu 300: guest nop
expect error = EIO
expect exit = exit.io
END
	guest_shared => ['guard', <<'END', 'ok'],
try create cpu 300
cpu 0: guest long
parallel 30
	cpu 0: guest read32 0xf000
	try cpu 0: guest rdmsr 0x1b
	expect error = 0
and
	cpu 0: guest write32 0xf000 0x11
	repeat 2
		cpu 0: guest nop
	end
	expect cpu 0: guest.fault = none
end
END
	guest_ipi => ['guard', <<'END', 'ok', 'needs cpuid.x2apic'],
create cpu 300
let vector 0x0a
cpu 0: guest long
cpu 0: guest wrmsr 0x1b 0xfee00d00
cpu 0: guest set lapic.svr 0x1ff
cpu 300: set apic_base.mode x2apic
cpu 0: guest ipi dest=300 mode=init vector=0
cpu 0: guest ipi dest=300 mode=sipi vector=vector
cpu 300: guest nop
expect cpu 300: sregs.cr0[0] = 0
cpu 300: guest long
cpu 300: guest set lapic.svr 0x1ff
cpu 300: set guest.eoi x2apic
cpu 300: guest sti
try cpu 0: guest ipi shorthand=others vector=vector + 0x46
expect error = 0
cpu 0: guest get lapic.icr
expect cpu 0: guest.result = 0xc4050
cpu 0: guest ipi shorthand=others vector=0x50 logical=1 level=0 trigger=1
cpu 0: guest get lapic.icr
expect cpu 0: guest.result = 0xc8850
try cpu 0: guest ipi shorthand=others vector=vector + 0x100
expect error = ERANGE
cpu 300: guest nop
expect cpu 300: guest.order[0] = 0x50
cpu 300: guest ipi shorthand=self vector=0x51
cpu 300: guest nop
expect cpu 300: guest.interrupts = 2
cpu 300: set apic_base.mode xapic
try cpu 300: guest ipi dest=300 vector=0x50
expect error = ERANGE
END
	guest_parallel => ['bug', <<'END', 'bug'],
try create cpu 300
cpu 0: guest long
cpu 0: guest set lapic.svr 0x1ff
cpu 0: guest sti
cpu 300: guest long
parallel 30
	cpu 0: guest nop
	cpu 0: guest rdmsr 0x1b
	expect cpu 0: guest.fault = none
	try cpu 0: guest rdmsr 0x12345678
	expect error = EFAULT
	expect exit = done
and
	cpu 300: guest nop
	try cpu 300: guest outl 0x80 1
	expect error = EIO
	expect exit = exit.io
and
	msi dest=0 vector=0x30
end
cpu 0: guest nop
expect cpu 0: guest.interrupts - cpu 0: guest.taken[0x30] = 1
deviates 0
END
	guest_unknown => ['bug', "${create}cpu 0: guest long\ncpu 0: guest rdmsr 0x1b\nexpect cpu 0: guest.result = 7\ndeviates 8", 'unknown'],
	guest_unused => ['guard', "${create}expect cpu 0: guest.interrupts = 0", 'ok'],
	guest_fault => ['guard', "${create}cpu 0: guest long\ncpu 0: guest rdmsr 0x12345678\nexpect 1 = 1", 'error', '', qr/: exception 13 with error code 0x0 at 0x(a[0-9a-f]{3})$/m],
	guest_exit => ['guard', "${create}cpu 0: guest real\ncpu 0: guest outb 0x80 1\nexpect 1 = 1", 'error', '', qr/: the guest did not come to its end, but to (?:exit reason |KVM_EXIT_IO \()(2)\)?$/m],
	guest_outside => ['guard', "${create}cpu 0: guest nop\nexpect 1 = 1", 'error', '', qr/: the guest did not come to its end.*(, and the CPU has never been in the puppet)$/m],
	guest_late => ['guard', "${create}cpu 0: guest protected\ntry cpu 0: guest rdmsr 0x12345678\ncpu 0: guest hlt within 20\nexpect 1 = 1", 'error', '', qr/: the guest did not come to its end in time$/m],
);
scenario($_, @{$own{$_}}[0, 1, 3]) for sort keys %own;

# --- refusals, which need no KVM

my $out = scratch('refused.c');
refused('no scenario', qr/no PATH/, '--emit-c', $out);
refused('two scenarios', qr/--emit-c takes one scenario/, '--emit-c', $out, $ok, $ok);
refused('an option of a run', qr/no option but --irqchip/, '--emit-c', $out, '--repeat', 2, $ok);
refused('a directory', qr/a directory, not a file/, '--emit-c', $out, scratch('own'));
refused('a file that is not there', qr/No such file/, '--emit-c', $out, '/nowhere');
refused('what is no scenario', qr/broken.scn:1:1: /, '--emit-c', $out, spew('broken.scn', "frob\n"));
refused('irqchip mode user', qr/--irqchip user: expected kernel, split or none/, '--emit-c', $out, '--irqchip', 'user', $ok);
refused('a mode that the scenario has not', qr/has none of the irqchip modes/, '--emit-c', $out, '--irqchip', 'kernel',
	spew('split.scn', slurp($ok) =~ s/^id .*/id split/mr =~ s/^modes .*/modes split user/mr));
for (['a value that does not fit', "cpu 0: set lapic.tpr 0x100000000\nexpect 1 = 1", qr/:12: .*does not fit/],
     ['try of a guest, with a value that is read', "try cpu 0: guest wrmsr 0x1b cpu 0: msr[0x1b]\nexpect 1 = 1", qr/:12: .*read from a CPU/],
     ['try, with a value that is read', "try cpu 0: set lapic.tpr cpu 0: lapic.tpr\nexpect 1 = 1", qr/:12: .*read from a CPU/],
     ['try of let, with a value that is read', "try let x cpu 0: lapic.tpr\nexpect x = 1", qr/:12: .*read from a CPU/]) {
	my ($name, $steps, $re) = @$_;
	my $file = scenario('refused', 'guard', $steps =~ s/\z/\n$create/r);
	refused($name, $re, '--emit-c', $out, $file);
	unlink $file;
}
ok(!-e $out, 'and nothing is written');
refused('a file that cannot be written', qr{/nowhere/x.c: No such file}, '--emit-c', '/nowhere/x.c', $ok);
SKIP: {
	skip 'no /dev/full', 2 unless -c '/dev/full';
	refused('a full disk', qr{/dev/full: No space}, '--emit-c', '/dev/full', $ok);
	my $run = check({stdout => '/dev/full'}, '--emit-c', '-', $ok);
	ok($run->{code} == 2 && $run->{stderr} =~ /^sipi: stdout: No space/, 'a full disk, stdout') or diag(told($run));
}

# --- all programs

my @programs;
for my $file (glob(scratch('own/*.scn')), glob('tests/scenarios/*.scn'), glob('tests/puppet/*.scn')) {
	next if slurp($file) =~ /^\s*(try )?irqfd .* resample/m; # it has no such steps
	my ($id) = $file =~ m{([^/]+)\.scn$};
	my ($modes) = slurp($file) =~ /^modes(.*)/m;
	for my $mode ('kernel', 'split', 'none') {
		next unless ($modes // 'kernel split') =~ /\b$mode\b/;
		my $c = scratch("c/$id.$mode.c");
		my $run = check('--emit-c', $c, '--irqchip', $mode, $file);
		if ($run->{code} || !-s $c) {
			fail("$id $mode: emitted");
			diag(told($run));
			next;
		}
		push @programs, {id => $id, mode => $mode, c => $c, exe => $c =~ s/\.c$//r, file => $file};
	}
}
my $both = check('--emit-c', '-', $ok);
is($both->{stdout}, slurp(scratch('c/ok.kernel.c')), 'to stdout, and the first mode is that of the scenario');
spew('c/old.c', 'x' x 100000);
check('--emit-c', scratch('c/old.c'), $ok);
is(slurp(scratch('c/old.c')), $both->{stdout}, 'a file that is there is overwritten');
like($both->{stdout}, qr{^\t/\* Why\. \\ \. \*/\n\t// cpu 0: set lapic\.tpr 0x30   # Why not\? \\ \.\n\tmust\(set_lapic\(cpu0, 0x80, 0x30\)\);$}m,
	'the scenario\'s lines above the code that they became');
unlike($both->{stdout}, qr/signal_msi|pthread|get_msr|kmsg/, 'and no function that is not used');
like(slurp(scratch('c/cap.kernel.c')), qr/^#ifndef KVM_CAP_DISABLE_QUIRKS2\n#define KVM_CAP_DISABLE_QUIRKS2 213\n#endif$/m, 'what old headers lack');
unlike($both->{stdout}, qr/#ifndef/, 'and only that');

# The guest: each byte of it, and what objdump reads there; in each of the three kinds of code.
my ($array) = slurp(scratch('c/guest_long.split.c')) =~ /^static const uint8_t puppet_image\[\d+\] = \{\n(.*?)^\};\n\z/ms;
$array //= '';
my $bytes = join '', $array =~ s{/\*.*?\*/}{}gr =~ /0x(\w\w),/g;
ok($bytes eq unpack('H*', slurp('build/puppet.bin')), 'a guest has all its bytes');
my @wrmsr = $array =~ m{/\* PUPPET_WRMSR \*/\n\t(.*)}g;
is(scalar(grep { m{^0x0f, 0x30, +/\* \w+: wrmsr \*/$} } @wrmsr), 3, 'and what they mean');
ok($array =~ m{/\* \w+: \Q$_\E \*/}, "their disassembly: $_") for 'iretq', 'lret $0x4', 'iret', 'pushfl', 'mov %cr8,%rax', '.long idle16';
unlike(slurp(scratch('c/run.kernel.c')), qr/puppet|guest_/, 'and only where a step needs it');

# Two compilers at a time.
SKIP: {
	skip "no $cc", 1 if system("command -v $cc >/dev/null 2>&1");
	# An optimizer sees more, but takes longer (SIPI_SHORT=1: without it): a scenario's programs differ in how the VM is made alone.
	my %compiled;
	my %list = (O0 => '', O2 => '');
	$list{$ENV{SIPI_SHORT} || $compiled{$_->{file}}++ ? 'O0' : 'O2'} .= "$_->{exe}\n" for @programs;
	for my $level (sort keys %list) {
		my $names = spew("programs.$level", $list{$level});
		system("xargs -P 2 -I{} $cc -Wall -Wextra -Werror -$level -pthread -o {} {}.c <$names >>" . scratch('cc') . ' 2>&1');
	}
	is(slurp(scratch('cc')), '', 'all compile, without a warning') or BAIL_OUT('they do not');
	my %modes = irqchip_modes();
	skip 'no KVM, or not all modes', 1 if !exists $modes{kernel} || $modes{kernel} || $modes{split};

	my $json = scratch('all.json');
	my $run = check('--irqchip', 'kernel,split,none', '--json', $json, map { $_->{file} } unique(@programs));
	my %want = map { ("$_->{id} $_->{irqchip}" => $_->{verdict}) } @{(eval { decode_json(slurp($json)) } // {runs => []})->{runs}};
	# The human report has a block for each: its line, and what is indented below it.
	my %text;
	$text{"$2 $1"} = $& while $run->{stdout} =~ /^\w+ +(kernel|split|none) +(\S+)  .*\n(?: .*\n)*/mg;

	my %code = (ok => 0, erratum => 0, bug => 1, unknown => 1, error => 2, skip => 77);
	for my $p (@programs) {
		my $name = "$p->{id} $p->{mode}";
		my $start = time;
		my $said = `timeout 60 $p->{exe} 2>&1`;
		my $code = $? >> 8;
		cmp_ok(time - $start, '>=', 0.3, "$name: its time") if $p->{id} eq 'waits';
		my $want = $want{$name} // 'none';
		my ($verdict) = $said =~ /^(\w+)/;
		is("$verdict $code", "$want " . ($code{$want} // '?'), "$name: the verdict is sipi's") or diag($said, $text{$name});
		# What is above or below a limit is a measurement, another one each time.
		s/(expected [<>]=?) 0x\w+, seen 0x\w+/$1/g for grep { defined } $said, $text{$name};
		is($said, $text{$name}, "$name: and what it says") unless $want eq 'error' || $want eq 'skip';
		if (my $why = $own{$p->{id}}[4]) {
			my @both = map { /$why/ ? $1 // '' : $_ } $said, $text{$name};
			ok($both[0] eq $both[1], "$name: and why") or diag(@both);
		}
		is($want, $own{$p->{id}}[2], "$name: it is what it was made to be") if $own{$p->{id}} && $own{$p->{id}}[2];
	}
	is(system(scratch('c/danger.split') . ' --dangerous >/dev/null'), 0, 'dangerous');
}

sub unique { my %seen; return grep { !$seen{$_->{file}}++ } @_ }

done_testing;

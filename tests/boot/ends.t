#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Every way a run can end before or besides the guest's own wish: one clear line, the documented code.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Sipi;
use Test::More;

my $hello = 'build/guest/hello';

# The run must end with this code and say this on stderr, in one line that starts with "sipi: ".
sub refused {
	my ($name, $code, $re, @args) = @_;
	my $run = sipi(@args);
	my @lines = split /\n/, $run->{stderr};
	my $good = !$run->{hung} && $run->{code} == $code && @lines == 1 &&
		$lines[0] =~ /^sipi: / && $lines[0] =~ $re && $run->{stdout} eq '';
	ok($good, $name) or diag("code $run->{code}, expected $code and $re\n$run->{stderr}$run->{stdout}");
}

sub ends {
	my ($name, $run, $code, $re) = @_;
	ok(!$run->{hung} && $run->{code} == $code && $run->{stderr} =~ $re, $name)
		or diag("code $run->{code}, expected $code and $re\n$run->{stderr}");
}

# --- the command line

for (['nothing at all', qr/usage/], ['an unknown command', qr/no command/, 'boot'],
     ['a capital letter', qr/no command/, 'Run']) {
	my ($name, $re, @args) = @$_;
	my $run = sipi(@args);
	ends("command line: $name", $run, 2, $re);
}
refused('no image', 2, qr/no guest image/, 'run');
refused('an unknown option', 2, qr/--frobnicate/, 'run', '--frobnicate', $hello);
refused('an option without its value', 2, qr/--cpus.*missing/, 'run', '--cpus');
refused('a value for an option that has none', 2, qr/--strict=1/, 'run', '--strict=1', $hello);
refused('probe with an argument', 2, qr/takes no arguments/, 'probe', 'x');
for (['--cpus', '0'], ['--cpus', '-1'], ['--cpus', '4097'], ['--cpus', '2x'], ['--cpus', ''],
     ['--apic-ids', ''], ['--apic-ids', '0,0'], ['--apic-ids', '3-1'], ['--apic-ids', '0,4294967295'],
     ['--mem', '0'], ['--mem', '1K'], ['--mem', '99999999T'], ['--mem', 'lots'],
     ['--irqchip', 'apic'], ['--serial', 'tcp'], ['--serial', 'file:'], ['--timeout', '0'],
     ['--timeout', 'soon'], ['--on-triple-fault', 'ignore'], ['--entry-mode', 'virtual'],
     ['--hotplug-ids', ''], ['--hotplug-ids', '5-4'], ['--reboot', 'sometimes'], ['--reboot', '-1'],
     ['--load', 'high'], ['--entry', '']) {
	my ($opt, $value) = @$_;
	refused("$opt '$value'", 2, qr/^sipi: $opt '\Q$value\E': expected/, 'run', $opt, $value, $hello);
}
refused('--cpus and --apic-ids', 2, qr/give one/, 'run', '--cpus', 2, '--apic-ids', '0,1', $hello);
SKIP: {
	skip 'this host\'s KVM allows as many CPUs as sipi', 1 if sipi('probe')->{stdout} =~ /^vCPUs .* (\d+) at most$/m && $1 >= 4096;
	refused('more CPUs than KVM allows', 77, qr/this host's KVM allows/, 'run', '--cpus', 4096, $hello);
}
refused('an APIC ID above what KVM allows', 77, qr/this host's KVM allows IDs below/, 'run',
	'--apic-ids', '0,4000000000', $hello);
is(sipi('--version')->{stdout}, "sipi 0.1.0\n", '--version');
for (['--help'], ['run', '--help'], ['probe', '--help']) {
	my $run = sipi(@$_);
	ok($run->{code} == 0 && $run->{stdout} =~ /^usage: sipi/ && $run->{stderr} eq '', "@$_");
}

# --- --inject

refused('--inject without irqchip user', 2, qr/needs --irqchip user/, 'run', '--inject', 'drop sipi', $hello);
ends('--inject with a bad word points at it', sipi('run', '--irqchip', 'user', '--inject', 'drop spi nth=1', $hello),
	2, qr/^sipi: --inject: 'spi': expected ipi, init, sipi, eoi or timer\n {4}drop spi nth=1\n {9}\^~~$/m);
ends('--inject more rules than there is room for', sipi('run', '--irqchip', 'user', ('--inject', 'drop sipi') x 17, $hello),
	2, qr/more than 16 rules/);

# --- images

my $elf = slurp($hello);
refused('a missing image', 2, qr/No such file/, 'run', scratch('none'));
refused('a directory', 2, qr/directory/, 'run', '/');
refused('an empty image', 2, qr/empty/, 'run', spew('empty', ''));
refused('half an ELF header', 2, qr/truncated|short/, 'run', spew('half', substr $elf, 0, 40));
refused('a truncated ELF', 2, qr/truncated|ends|beyond/, 'run', spew('cut', substr $elf, 0, 6000));
my $arm = $elf;
substr($arm, 18, 2) = pack 'v', 183;
refused('an ELF for aarch64', 2, qr/aarch64|machine/i, 'run', spew('arm', $arm));
refused('a text file', 2, qr/expected an ELF/, 'run', spew('text', "hello, world\n"));
refused('a script', 2, qr/expected an ELF/, 'run', spew('script', "#!/bin/sh\n"));
refused('an image larger than memory', 2, qr/--mem|larger/, 'run', '--mem', '2M',
	'--load', '0x100000', spew('big', "\xf4" x (3 << 20)));
refused('a flat image beyond memory', 2, qr/--mem/, 'run', '--mem', '2M', '--load', '0x10000000',
	spew('flat', "\xf4"));
refused('a flat image in the hole', 2, qr/640|0xa0000|hole/i, 'run', '--load', '0x9fff0',
	'--entry-mode', 'real', spew('hole', "\xf4" x 64));
refused('a firmware of odd size', 2, qr/multiple of 4 KiB/, 'run', '--firmware', spew('rom', 'x' x 100));

# --- device trees

refused('no device tree', 2, qr/device tree/i, 'run', '--machine', spew('dtb', 'not a tree' x 20), $hello);
refused('--machine with --cpus', 2, qr/leave out --cpus/, 'run', '--machine', 'x', '--cpus', 2, $hello);
my $dtb = scratch('m.dtb');
is(sipi('run', '--apic-ids', '0,4,9', '--mem', '32M', '--dump-dtb', $dtb)->{code}, 0, '--dump-dtb');
my $same = sipi('run', '--machine', $dtb, 'build/guest/smp');
like($same->{stdout}, qr/APIC IDs: 0 4 9/, 'a machine from the dumped tree');
is(scalar(() = slurp($dtb) =~ /sipi,machine/g), 1, 'the tree says what it is');
my $broken = slurp($dtb);
substr($broken, 4, 4) = pack 'N', 1 << 30;
refused('a tree of the wrong size', 2, qr/device tree/i, 'run', '--machine', spew('b.dtb', $broken), $hello);
{
	my $dts = qx(dtc -q -I dtb -O dts $dtb);
	(my $twice = $dts) =~ s/reg = <0x04>/reg = <0x09>/;
	my $path = spew('twice.dts', $twice);
	my $out = scratch('twice.dtb');
	system("dtc -q -f -I dts -O dtb -o $out $path") == 0 or die 'dtc';
	refused('an APIC ID twice in the tree', 2, qr/two CPUs have the APIC ID 9/, 'run', '--machine', $out, $hello);
}

# --- the host

my $unshare = system('unshare -m true 2>/dev/null') == 0;
SKIP: {
	skip 'needs root and mount namespaces', 4 unless $unshare && $> == 0;
	my @ns = ('unshare', '-m', 'sh', '-c');
	my $sipi = $ENV{SIPI} || 'build/sipi';
	my $null = 'mknod -m 666 /dev/null c 1 3';
	my $run = sipi({wrap => [@ns, "mount -t tmpfs none /dev && $null && exec \"\$@\"", 'sh']},
		       'run', $hello);
	ends('no /dev/kvm', $run, 77, qr{^sipi: /dev/kvm: No such file.*no KVM .*make run NESTED=1}m);
	$run = sipi({wrap => [@ns, "mount -t tmpfs none /dev && $null && exec \"\$@\"", 'sh']}, 'probe');
	ends('no /dev/kvm, probe', $run, 77, qr{^sipi: /dev/kvm}m);

	# As nobody, with copies: the checkout may lie where nobody cannot look.
	my $prep = "mount -t tmpfs none /mnt && chmod 755 /mnt && cp $sipi /mnt/sipi && cp $hello /mnt/hello && shift && " .
		"mount -t tmpfs none /dev && chmod 755 /dev && $null && mknod -m MODE /dev/kvm c 10 232 && chgrp daemon /dev/kvm && " .
		"exec setpriv --reuid=65534 --regid=65534 --clear-groups /mnt/sipi run /mnt/hello";
	(my $group = $prep) =~ s/MODE/660/;
	$run = sipi({wrap => [@ns, $group, 'sh']}, 'x');
	ends('no permission: which group', $run, 2, qr/permission denied; join the group 'daemon'/);
	(my $closed = $prep) =~ s/MODE/600/;
	$run = sipi({wrap => [@ns, $closed, 'sh']}, 'x');
	ends('no permission: which rule', $run, 2, qr/permission denied; its mode is 0600.*udev/);
}

# --- KVM gives up

{
	my $run = sipi('run', 'build/guest/insn');
SKIP: {
		skip 'this host executes cmpxchg16b', 1 if $run->{code} == 0;
		ends('an instruction that KVM cannot emulate is named', $run, 5,
		     qr/KVM_EXIT_INTERNAL_ERROR.*cannot emulate cmpxchg16b at rip 0x\w+, bytes f0 48 0f c7/);
	}
}

# --- signals and streams

ends('a blocked kick signal', sipi({wrap => ['env', '--block-signal=USR1'], limit => 20}, 'run', '--timeout', 1,
	'build/guest/spin'), 4, qr/timed out/);

for (['INT', 130], ['TERM', 143], ['HUP', 129]) {
	my ($sig, $code) = @$_;
	my $run = start('run', 'build/guest/spin');
	wait_for($run, qr/spin/);
	kill $sig, $run->{pid};
	ends("SIG$sig", finish($run, 20), $code, qr/^sipi: KVM/);
}
ends('a closed stdout', sipi({close_stdout => 1}, 'run', $hello), 2, qr/console output: Bad file/);
SKIP: {
	skip 'no /dev/full', 2 unless -c '/dev/full';
	ends('a full disk', sipi({stdout => '/dev/full'}, 'run', $hello), 2, qr/console output: No space/);
	ends('a full disk, probe', sipi({stdout => '/dev/full'}, 'probe'), 2, qr/stdout: No space/);
}
{
	# A reader that takes one line and goes: sipi must end, and say why.
	my $sipi = $ENV{SIPI} || 'build/sipi';
	my $err = scratch('pipe.err');
	qx((timeout 20 $sipi run build/guest/spin chatty=1 2>$err; echo code \$? >>$err) | head -n 1);
	like(slurp($err), qr/console output: Broken pipe.*code 2/s, 'a reader that goes away');
}
{
	# A reader that never reads: the run's own time limit still ends it.
	pipe(my $r, my $w) or die;
	my $pid = fork // die;
	if (!$pid) {
		close $r;
		open STDOUT, '>&', $w;
		open STDERR, '>', '/dev/null';
		exec $ENV{SIPI} || 'build/sipi', 'run', '--timeout', '2', 'build/guest/spin', 'chatty=1';
	}
	waitpid $pid, 0;
	is($? >> 8, 4, 'a reader that never reads');
}
{
	my $to = scratch('console');
	my $run = sipi('run', '--serial', "file:$to", $hello);
	ok($run->{code} == 0 && $run->{stdout} eq '' && slurp($to) =~ /hello: 3 passed/, '--serial file:');
	$run = sipi('run', '--serial', 'null', $hello);
	ok($run->{code} == 0 && $run->{stdout} eq '', '--serial null');
	refused('--serial to nowhere', 2, qr/No such file/, 'run', '--serial', 'file:/nowhere/x', $hello);
	my $fifo = scratch('fifo');
	system('mkfifo', $fifo);
	refused('--serial to a FIFO that nobody reads', 2, qr/No such device/, 'run', '--serial', "file:$fifo", $hello);
	refused('--trace to a FIFO that nobody reads', 2, qr/No such device/, 'run', '--trace', $fifo, $hello);
	refused('--trace to nowhere', 2, qr/No such file/, 'run', '--trace', '/nowhere/x', $hello);
	my $trace = scratch('trace');
	$run = sipi('run', '--quiet', '--trace', $trace, 'build/guest/unclaimed');
	like(slurp($trace), qr/^\d+\.\d{6} 0 io write 0x3f8\/1 = 0x\w+$/m, '--trace has accesses');
	like(slurp($trace), qr/ unclaimed$/m, '--trace has unclaimed accesses');
	is($run->{stderr}, '', '--quiet says nothing of a success');
}
{
	local $ENV{SIPI_IO} = 'epoll';
	my $run = sipi('run', $hello);
	ok($run->{code} == 0 && $run->{stdout} =~ /hello: 3 passed/, 'epoll serves');
	my @said = $run->{stderr} =~ /io_uring/g;
	is(scalar @said, 1, 'and sipi says so once');
}
done_testing;

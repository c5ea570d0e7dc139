#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# tools/nested/run: what comes back from a nested host, and every way in which one ends. NESTED_KERNEL names another than
# its default; the kernel is fetched when the cache has it not.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../boot";
BEGIN { $ENV{SIPI} = 'tools/nested/run' }
use Sipi;
use Test::More;
use Time::HiRes qw(sleep);

my @kernel = ('--kernel', $ENV{NESTED_KERNEL} || '6.12');
my $limit = 300;
my $ready = qr/^nested: Linux \S+, kvm_amd .*, \d+ CPUs?, ready after [\d.]+ s\n/m;

sub ends {
	my ($name, $run, $code, $re) = @_;
	ok(!$run->{hung} && $run->{code} == $code && $run->{stderr} =~ $re, $name)
		or diag("code $run->{code}, expected $code and $re\n$run->{stderr}" . substr $run->{stdout}, 0, 2000);
}

# The processes of this run that are still there.
sub left {
	my ($run) = @_;
	my @pids = grep { slurp("/proc/$_/stat") =~ /^\d+ \(.*\) (?!Z)/ } qemus($run);
	return scalar @pids;
}

# QEMU is a child of the tool.
sub qemus {
	my ($run) = @_;
	return @{$run->{qemus} //= [grep { slurp("/proc/$_/stat") =~ /^\d+ \(.*\) \w $run->{pid} / } map { m{(\d+)} } glob '/proc/[0-9]*']};
}

# --- what comes back

{
	my ($in, $log) = (spew('in', join '', map { chr($_ & 255) } 0 .. 70000), scratch('log'));
	my $back = scratch('back');
	my $run = sipi({limit => $limit}, @kernel, '--cpus', 3, '--mem', '600M', '--modparam', 'kvm_amd.npt=0', '--put', $in, '--get', $back,
		       '--dmesg', $log, '--', 'sh', '-c', 'cp "$0" "$1"; nproc; cat /sys/module/kvm_amd/parameters/npt; free -m; ' .
		       'echo "an error" >&2; (sleep 1000 &); build/sipi run build/guest/hello "two words"; exit 7', $in, $back);
	ends('the exit code, and stderr', $run, 7, qr/${ready}an error\nsipi: KVM by kvm_amd.*exit code 0/s);
	like($run->{stdout}, qr/^3\n[N0]\n.*Mem: +5\d\d .*bootargs: "two words".*hello: 3 passed/s, 'stdout, --cpus, --mem and --modparam');
	ok(slurp($back) eq slurp($in), '--put and --get keep each byte');
	like(slurp($log), qr/Linux version.*Nested Paging disabled/is, '--dmesg');
}
{
	my $run = sipi({limit => $limit}, @kernel, '--get', '/tmp/none', '--', 'sh', '-c',
		       'echo "<4>WARNING: CPU: 0 PID: 1 at made/up.c:1" >/dev/kmsg; kill -9 $$');
	ends('a command that a signal ended, before what its --get misses', $run, 137, qr/--get \/tmp\/none: the command left no such file/);
	like($run->{stderr}, qr/^nested: the nested kernel \S+ warned: .*made\/up.c:1/m, 'a warning of the kernel');
}
{
	# Each start has its own pipes and no file on disk; two share the cache.
	my @runs = map { start(@kernel, '--', 'sh', '-c', "echo $_; exit $_") } 1, 2;
	finish($_, $limit) for @runs;
	is("@{[map { qq($_->{stdout}$_->{code}) } @runs]}", "1\n1 2\n2", 'two at once');
}
ends('no such command', sipi({limit => $limit}, @kernel, '--get', 'x', '--', 'no-such'), 127, qr/no-such: not found/);
ends('a bad value for a parameter', sipi({limit => $limit}, @kernel, '--modparam', 'kvm_amd.npt=maybe', '--', 'true'), 2,
	qr/^nested: the nested kernel \S+: module kvm_amd npt=maybe: Invalid argument$/m);
ends('an unknown parameter', sipi({limit => $limit}, @kernel, '--modparam', 'kvm_amd.frob=1', '--', 'true'), 2,
	qr/^nested: the nested kernel \S+: kvm_amd: unknown parameter 'frob' ignored$/m);
ends('a parameter of no module', sipi({limit => $limit}, @kernel, '--modparam', 'kvm_intel.ept=1', '--', 'true'), 2,
	qr/^nested: --modparam: the modules are .*not kvm_intel\n$/);
ends('a --put that is not there', sipi(@kernel, '--put', '/nowhere/x', '--', 'true'), 2, qr{^nested: /nowhere/x: No such file.*\n$});

# --- kernels that end

{
	my $log = scratch('panic.log');
	my $run = sipi({limit => $limit}, @kernel, '--dmesg', $log, '--', 'sh', '-c', 'echo before; echo c >/proc/sysrq-trigger');
	ends('a panic', $run, 5, qr/^nested: the nested kernel \S+ panicked: .*sysrq.*\n(    .*\n)+$/mi);
	is($run->{stdout}, "before\n", 'a panic: what was printed before it');
	like(slurp($log), qr/Kernel panic - not syncing/, 'a panic: --dmesg has the console');
	$run = sipi({limit => $limit}, @kernel, '--', 'sh', '-c', 'echo b >/proc/sysrq-trigger; sleep 100');
	ends('a reset', $run, 5, qr/^nested: the nested kernel \S+ reset or powered off before the command ended$/m);
}

# A setup header as QEMU wants it, before code that runs in real mode at byte 0x242.
sub image {
	my ($name, $code) = @_;
	my $image = "\0" x 8192;
	substr($image, 0x1f1, 1) = "\x01";
	substr($image, 0x200, 8) = "\xeb\x40HdrS" . pack 'v', 0x20c;
	substr($image, 0x211, 1) = "\x01";
	substr($image, 0x22c, 4) = pack 'V', 0x7fffffff;
	substr($image, 0x242, length $code) = $code;
	return spew($name, $image);
}
ends('a kernel that never reaches init', sipi('--kernel', image('spin', "\xeb\xfe"), '--timeout', 5, '--', 'true'), 5,
	qr/^nested: the nested kernel did not reach init within 5 s$/m);
ends('a kernel that resets at once', sipi('--kernel', image('reset', "\xb0\xfe\xe6\x64\xeb\xfe"), '--timeout', 30, '--', 'true'), 5,
	qr/^nested: the nested kernel reset or powered off/m);
{
	# One that is known to boot is started again, as long as its command has not begun.
	local $ENV{SIPI_CACHE} = scratch('cache');
	mkdir $_ or die for $ENV{SIPI_CACHE}, "$ENV{SIPI_CACHE}/linux-6.12";
	rename image('reset', "\xb0\xfe\xe6\x64\xeb\xfe"), "$ENV{SIPI_CACHE}/linux-6.12/vmlinuz" or die;
	my $run = sipi('--kernel', '6.12', '--timeout', 60, '--', 'true');
	ends('a Debian kernel that resets at once', $run, 5,
		qr/^(nested: the nested kernel reset or powered off .*; starting it again\n){2}nested: .* command ended\n/);
}
ends('more memory than there is', sipi('--kernel', image('big', "\xeb\xfe"), '--mem', '9000000G', '--timeout', 30, '--', 'true'), 2,
	qr/^nested: QEMU: .*(memory|RAM|mem)/m);

# --- ends from outside

# A host with a command that waits; the emulator's faults are not what is tested here.
sub sleeper {
	for (1 .. 3) {
		my $run = start(@kernel, '--', 'sh', '-c', 'echo there; sleep 1000');
		for (1 .. 1200) {
			return $run if slurp($run->{out}) =~ /there/;
			last if slurp($run->{err}) =~ /^nested: the nested kernel .*(?<!again)\n/m;
			sleep 0.1;
		}
		diag(slurp($run->{err}));
		kill 'KILL', $run->{pid};
		finish($run, $limit);
	}
	die 'no host';
}

ends('the time limit', sipi({limit => $limit}, @kernel, '--timeout', 25, '--', 'sleep', 1000), 4,
	qr/^nested: timed out after 25 s: the command in the nested kernel \S+ did not end$/m);
for (['INT', 130], ['TERM', 143], ['HUP', 129], ['KILL', 137]) {
	my ($signal, $code) = @$_;
	my $run = sleeper();
	is(scalar qemus($run), 1, "SIG$signal: QEMU runs");
	kill $signal, $run->{pid};
	finish($run, $limit);
	is($run->{code}, $code, "SIG$signal: the exit code");
	sleep 0.5;
	is(left($run), 0, "SIG$signal leaves nothing behind");
}
{
	my $run = sleeper();
	kill 'KILL', qemus($run);
	ends('a killed QEMU', finish($run, $limit), 5, qr/^nested: QEMU was killed by signal 9$/m);
}

# --- floods

ends('a flood into a full disk', sipi({limit => $limit, stdout => '/dev/full'}, @kernel, '--', 'yes'), 2, qr/^nested: stdout: No space left on device$/m);
{
	my $err = scratch('flood');
	my $lines = qx((timeout 200 tools/nested/run @kernel -- yes 2>$err; echo code \$? >>$err) | head -n 2);
	is($lines, "y\ny\n", 'a flood whose reader goes away: what it read');
	like(slurp($err), qr/^nested: stdout: Broken pipe\ncode 2\n/m, 'a flood whose reader goes away');
}
{
	pipe(my $r, my $w) or die;
	my $pid = fork // die;
	if (!$pid) {
		close $r;
		open STDOUT, '>&', $w;
		open STDERR, '>&', $w;
		exec 'tools/nested/run', @kernel, '--timeout', 25, '--', 'sh', '-c', 'yes & yes >&2';
	}
	close $w;
	waitpid $pid, 0;
	is($? >> 8, 4, 'a flood that nobody reads: the time limit holds');
}
{
	my $run = sipi({limit => $limit}, @kernel, '--', 'sh', '-c', 'yes 0123456789abcdef | head -c 17000000; echo end >&2; exit 3');
	ends('a flood that ends', $run, 3, qr/end\n$/);
	is(length $run->{stdout}, 17000000, 'a flood that ends: all of it');
}
done_testing;

#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# tools/nested/run --host intel: what comes back from it, how its emulator's hang is told, and each way in which Bochs cannot be
# had. NESTED_KERNEL names another kernel than its default. Bochs is built when the cache has it not, which takes minutes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../boot", "$FindBin::Bin/../../tools/nested";
BEGIN { $ENV{SIPI} = 'tools/nested/run' }
use BochsBuild ();
use Sipi;
use Test::More;
use Time::HiRes qw(sleep);

my @host = ('--host', 'intel', '--kernel', $ENV{NESTED_KERNEL} || '6.12');
my $limit = 1800;

sub ends {
	my ($name, $run, $code, $re) = @_;
	ok(!$run->{hung} && $run->{code} == $code && $run->{stderr} =~ $re, $name)
		or diag("code $run->{code}, expected $code and $re\n$run->{stderr}" . substr $run->{stdout}, 0, 2000);
}

# --- the command line

ends("$_->[0] $_->[1]", sipi('--host', 'intel', @$_, '--', 'true'), 2, qr/\Anested: $_->[0] '$_->[1]': expected $_->[2]\n\z/)
	for ['--cpus', 3, '1 to 2'], ['--mem', '4G', '256 to 2048 MiB'], ['--host', 'via', 'amd or intel'];
ends('a parameter of another module', sipi(@host, '--modparam', 'kvm_amd.npt=0', '--', 'true'), 2,
	qr/\Anested: --modparam: the modules are .*kvm_intel, not kvm_amd\n\z/);

# All programs but one, where we are not root and nothing is installed.
sub without {
	my ($missing) = @_;
	my $bin = scratch("without-$missing");
	mkdir $bin or die "$bin: $!";
	for my $path (map { glob "$_/*" } reverse split /:/, $ENV{PATH}) {
		my ($name) = $path =~ m{([^/]+)$};
		unlink "$bin/$name";
		symlink $path, "$bin/$name" unless $name eq $missing;
	}
	unlink "$bin/id";
	rename spew('id', "#!/bin/sh\necho 1000\n"), "$bin/id" or die;
	chmod 0755, "$bin/id";
	return $bin;
}
{
	local $ENV{PATH} = without('xorriso');
	ends('no xorriso', sipi(@host, '--', 'true'), 2, qr/\Amissing: xorriso; install with: sudo apt-get install -y xorriso\n\z/);
}

{
	local $ENV{PATH} = without('isolinux.bin');
	is(qx(tools/need /nowhere/isolinux.bin=isolinux 2>&1), "missing: isolinux; install with: sudo apt-get install -y isolinux\n", 'no isolinux');
	is(qx(tools/need /dev/null=isolinux 2>&1), '', 'isolinux is there');
}

# --- Bochs' source

sub said {
	my ($code) = @_;
	eval { $code->(); 1 } and return 'nothing';
	return ref $@ ? "$@->{code} $@->{text}" : $@;
}
mkdir scratch('source');
for (['is not there', 'ab', 0], ['is there twice', 'a(b) a(b)', 2]) {
	my ($name, $text, $found) = @$_;
	spew('source/x.cc', $text);
	my $said = said(sub { BochsBuild::edit(scratch('source'), ['x.cc', 'a(b)', 'c']) });
	is($said, "2 Bochs: x.cc: expected this once, found it $found times: a(b)", "an edit: what it replaces $name");
	is(slurp(scratch('source/x.cc')), $text, "an edit: what it replaces $name: the file is as it was");
}
spew('source/x.cc', 'if (a(b)) {');
is(said(sub { BochsBuild::edit(scratch('source'), ['x.cc', 'a(b)', 'c $1']) }), 'nothing', 'an edit');
is(slurp(scratch('source/x.cc')), 'if (c $1) {', 'an edit: the file');
{
	# apt's index, as it would be if the tarball were another.
	spew('bochs_3.0.orig.tar.xz', 'not what was meant');
	spew('apt-get', "#!/bin/sh\necho \"'file:" . scratch('bochs_3.0.orig.tar.xz') . "' b.orig.tar.xz 18 SHA256:" . 'a' x 64 . "\"\n");
	chmod 0755, scratch('apt-get');
	local $ENV{PATH} = scratch('') . ":$ENV{PATH}";
	like(said(sub { Fetch::debian_source(scratch('source'), 'bochs') }), qr/^2 downloading b.orig.tar.xz: .*(Hash Sum|Size) mismatch/,
		'a tarball that is not the one in the index');
}

# --- what comes back

{
	my $in = spew('in', join '', map { chr($_ & 255) } 0 .. 5000);
	my ($back, $json, $log) = map { scratch($_) } qw(back json log);
	my $run = sipi({limit => $limit}, @host, '--modparam', 'kvm_intel.preemption_timer=0', '--put', $in, '--get', $back, '--get', $json,
		       '--dmesg', $log, '--', 'sh', '-c', 'cat "$0" >"$1"; cat /sys/module/kvm_intel/parameters/enable_apicv ' .
		       '/sys/module/kvm_intel/parameters/preemption_timer; echo "an error" >&2; ' .
		       'build/sipi check --timeout 60 --json "$2" tests/scenarios/apicv-id-back.scn; exit $(($? + 7))', $in, $back, $json);
	ends('the exit code, and stderr', $run, 7, qr/^nested: Linux \S+, kvm_intel on Bochs, 1 CPU, ready after [\d.]+ s\nan error\n/m);
	like($run->{stdout}, qr/\AY\nN\nok +split +apicv-id-back /, 'stdout, APICv, --modparam, a scenario');
	ok(slurp($back) eq slurp($in), '--put and --get keep each byte');
	like(slurp($json), qr/"apicv-id-back"/, "--get of the scenario's report");
	like(slurp($log), qr/Linux version.*i7-7800X/s, '--dmesg');
}

# --- an emulator that hangs, and one that is to be left behind

sub bochs {
	my ($run) = @_;
	return grep { slurp("/proc/$_/stat") =~ /^\d+ \(bochs\) (?!Z)\w $run->{pid} / } map { m{(\d+)} } glob '/proc/[0-9]*';
}

sub started {
	my ($run) = @_;
	for (1 .. 600) {
		my ($pid) = bochs($run);
		return $pid if $pid;
		sleep 0.1;
	}
	die 'no Bochs';
}
{
	my $run = start(@host, '--', 'true');
	my %stopped;
	$run->{each} = sub { $stopped{$_}++ or kill 'STOP', $_ for bochs($run) };
	ends('a Bochs that hangs, twice', finish($run, $limit), 5,
		qr/\A(nested: Bochs hangs: no time on a CPU in 20 s)(; starting it again)\n\1\n\z/);
	is(scalar keys %stopped, 2, 'a Bochs that hangs is started once more');
}
for my $signal ('TERM', 'KILL') {
	local $ENV{TMPDIR} = scratch("tmp-$signal");
	mkdir $ENV{TMPDIR} or die;
	my $run = start(@host, '--', 'true');
	my $pid = started($run);
	kill $signal, $run->{pid};
	finish($run, $limit);
	sleep 0.5;
	ok(slurp("/proc/$pid/stat") !~ /\(bochs\) (?!Z)/, "SIG$signal leaves no Bochs behind");
	is(join(' ', glob "$ENV{TMPDIR}/*"), '', "SIG$signal leaves no file behind");
}
done_testing;

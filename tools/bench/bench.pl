#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# usage: perl -Itools/bench tools/bench/bench.pl BUILD COUNT
# What sipi costs, in tables. BUILD is the build folder, COUNT the round trips that its bench/*.bin make.
#
# Start-up and round trips are measured against bench/floor, which does the least that runs the same guest:
# whole processes, from fork to end, in turns. A round trip is the difference between COUNT of them and one.
# IPIs and EOIs are measured by guest/bench.c, which runs under sipi and under QEMU, in turns. Each figure is a
# median over the rounds; a ratio is the median of the rounds' own ratios, which a change of the host's load
# from round to round does not touch. A busy host gets fewer rounds, not a longer run.
use strict;
use warnings;

use Qemu qw(guest_command flat_command $QEMU_OK);
use Time::HiRes qw(time);

my ($build, $count) = @ARGV;
die "usage: $0 BUILD COUNT\n" unless $count;
my ($sipi, $dir) = ("$build/sipi", "$build/bench");
my $guest = 'build/guest/bench';
my @run = ($sipi, qw(run --quiet --serial null --entry-mode real));
my $has_qemu = !system('command -v qemu-system-x86_64 >/dev/null');
# Rounds, the seconds after which no more begin, and rounds that are made all the same.
my %START = (rounds => 60, seconds => 5, least => 8);
my %TRIP = (rounds => 20, seconds => 12, least => 8);
my %APS = (rounds => 5, seconds => 6, least => 2);
my %IPI = (rounds => 9, seconds => 30, least => 3);
my $CHUNK = 4;
my $LIMIT_SEC = 20;
my $PROBE_SEC = 6;
# Two runs of the same thing differ by as much.
my $NOISE = 0.05;
my $MEM_KB = 64 << 10;
# Why a column of the guests' tables is empty, and what is to be said of it.
my (%missing, @notes);
$| = 1;

sub quantile {
	my ($q, @v) = @_;
	@v = sort { $a <=> $b } @v;
	return $v[$q * $#v + 0.5];
}
sub median { return quantile(0.5, @_) }

sub us { return sprintf '%.2f us', $_[0] / 1000 }
sub ms { return sprintf '%.2f ms', $_[0] / 1e6 }

# Calls $f with 0, 1, ... as %$effort says.
sub repeat {
	my ($effort, $f) = @_;
	my $end = time + $effort->{seconds};
	for (my $i = 0; $i < $effort->{rounds} && ($i < $effort->{least} || time < $end); $i++) {
		$f->($i);
	}
}

# The times of each round of these commands: a list of lists.
sub turns {
	my ($effort, @commands) = @_;
	my @words = map { (@$_, '--') } @commands;
	my @times;
	pop @words;
	repeat($effort, sub {
		return if @times > $_[0];
		open my $f, '-|', "$dir/turns", $CHUNK, @words or die "$dir/turns: $!\n";
		push @times, map { [split] } <$f>;
		close $f or die "a measurement failed\n";
	});
	return @times;
}

sub against_floor {
	my ($what, $unit, $wanted, @pairs) = @_;
	my @ratios = map { $_->[0] / $_->[1] } @pairs;
	my $ratio = median(@ratios);
	printf '%-40s %11s %11s %6.2f  %.2f-%.2f', $what, $unit->(median(map { $_->[0] } @pairs)),
		$unit->(median(map { $_->[1] } @pairs)), $ratio, quantile(0.25, @ratios), quantile(0.75, @ratios);
	printf '  <= %.2f  %s', $wanted, $ratio <= $wanted ? 'ok' : 'above' if $wanted;
	print "\n";
}

sub start_up {
	my $image = "$dir/start.bin";
	my @times = turns(\%START, [@run, $image], ["$dir/floor", $image]);
	against_floor('exec to first port write and end', \&ms, 1.5, @times);
}

# What one of COUNT takes by each command, a list of lists. A command is code that makes it for an image.
sub per_trip {
	my ($name, @commands) = @_;
	my @all = map { my $image = $_; map { $_->($image) } @commands } "$dir/$name.bin", "$dir/$name-1.bin";
	return map { my $t = $_; [map { ($t->[$_] - $t->[$_ + @commands]) / ($count - 1) } 0 .. $#commands] }
		turns(\%TRIP, @all);
}

sub round_trip {
	my ($what, $name) = @_;
	against_floor($what, \&us, 1.1, per_trip($name, sub { [@run, @_] }, sub { ["$dir/floor", @_] }));
}

# A scenario without guest code, each a process of its own, against VMs that are made and destroyed in one process.
sub scenarios {
	my $n = 100;
	my @times = turns(\%TRIP, [$sipi, qw(check --quiet --jobs 1 --irqchip split --repeat), $n, 'tests/scenarios/xapic-id-reinit.scn'],
		["$dir/floor", 'vms', $n]);
	@times = map { [map { $_ / $n } @$_] } @times;
	against_floor('a scenario, from VM to verdict', \&ms, 0, @times);
	push @notes, sprintf '%.0f scenarios a second with one process at a time (wanted: 500)', 1e9 / median(map { $_->[0] } @times);
}

# In irqchip mode user each EOI is an exit, and no VMM is faster than the floor: that bounds what can be
# gained on QEMU.
sub eoi_trip {
	my @commands = (sub { [@run, qw(--irqchip user), @_] }, sub { ["$dir/floor", @_, 'user'] });
	my $qemu = sub { limited($LIMIT_SEC, flat_command($dir, 'off', tsc_hz(), @_)) };
	my ($code) = $has_qemu ? output($qemu->("$dir/eoi-1.bin")) : 0;
	push @notes, 'QEMU, off, EOIs alone: ' . reason($code) if $has_qemu && $code != $QEMU_OK;
	push @commands, sub { ['/bin/sh', '-c', "\"\$@\" 2>/dev/null; [ \$? = $QEMU_OK ]", 'sh', $qemu->(@_)] }
		if $code == $QEMU_OK;
	my @times = per_trip('eoi', @commands);
	against_floor('EOI, irqchip user, there and back', \&us, 0, @times);
	return unless $code == $QEMU_OK;
	my ($sipi_ratio, $floor_ratio) = map { my $i = $_; median(map { $_->[2] / $_->[$i] } @times) } 0, 1;
	push @notes, sprintf 'in QEMU (off) an EOI there and back takes %s, %.2f times what it takes in sipi (user) and'
		. ' %.2f times the floor, which no VMM can beat here', us(median(map { $_->[2] } @times)), $sipi_ratio,
		$floor_ratio;
}

sub slurp {
	my ($path) = @_;
	open my $f, '<', $path or die "$path: $!\n";
	local $/;
	return <$f>;
}

# KiB that are sipi's own, now and at the peak, and the guest's, while the guest spins.
sub memory {
	my $pid = open my $f, '-|', $sipi, qw(run --quiet --timeout 60 --mem), "${MEM_KB}K", 'build/guest/spin'
		or die "$sipi: $!\n";
	my $line = <$f>;
	my ($guest, $mapping) = (0, 0);
	for (split /\n/, slurp("/proc/$pid/smaps")) {
		$mapping = 0 if /^[0-9a-f]+-/;
		$mapping = 1 if /^Size:\s+$MEM_KB kB/;
		$guest += $1 if $mapping && /^Rss:\s+(\d+)/;
	}
	my ($rss) = slurp("/proc/$pid/smaps_rollup") =~ /^Rss:\s+(\d+)/m;
	my ($peak) = slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m;
	kill 'KILL', $pid;
	close $f;
	die "build/guest/spin did not start\n" unless $line && $guest;
	return ($rss - $guest, $peak - $guest);
}

sub memory_row {
	my ($what, $kb) = @_;
	printf "%-40s %11s %30s %-8s %s\n", $what, sprintf('%.2f MiB', $kb / 1024), '', '< 4 MiB',
		$kb < 4096 ? 'ok' : 'above';
}

# --- what the guest prints as "measured: WHAT: N ns"

# Exit code as a shell has it, and output; stderr goes to a file. The caller sees to it that the command ends.
sub output {
	my (@command) = @_;
	my $pid = open(my $f, '-|') // die "fork: $!\n";
	if (!$pid) {
		open STDERR, '>', "$dir/stderr" or die "$dir/stderr: $!\n";
		open STDIN, '<', '/dev/null' or die "/dev/null: $!\n";
		exec @command or die "$command[0]: $!\n";
	}
	my @lines = <$f>;
	close $f;
	return ($? & 127 ? 128 + ($? & 127) : $? >> 8, @lines);
}

my $tsc;
sub tsc_hz {
	($tsc) = map { /^tsc: (\d+)/ ? $1 : () } output(sipi_command('split', 2, 'ap')) unless $tsc;
	return $tsc // die "$guest says no TSC frequency\n";
}

# Once a guest has taken QEMU's lock for good, QEMU does not end at SIGTERM either.
sub limited { return ('timeout', '-k', 1, @_) }

sub sipi_command {
	my ($mode, $cpus, $args) = @_;
	return ($sipi, qw(run --quiet --timeout), $LIMIT_SEC, '--cpus', $cpus, '--irqchip', $mode, $guest,
		split ' ', $args);
}

sub qemu_command {
	my ($mode, $cpus, $args, $seconds) = @_;
	my $dtb = "$dir/" . $args =~ tr/ /-/r . '.dtb';
	system($sipi, qw(run --quiet --cpus), $cpus, '--append', $args, '--dump-dtb', $dtb, $guest)
		&& die "no device tree for QEMU\n";
	return limited($seconds // $LIMIT_SEC, guest_command($dir, $mode, $cpus, tsc_hz(), $guest, $dtb));
}

# Why it failed, in a line.
sub reason {
	my ($code, @out) = @_;
	return 'it did not end' if $code == 4 || $code == 124 || $code == 137;
	my @why = (grep({ !/warning:/ } split /\n/, slurp("$dir/stderr")), grep({ /^not ok/ } @out));
	return $why[0] // "it ended with code $code";
}

# One run of a column: adds what it measured to %$ns. A column that fails before it has measured anything is
# missing from there on.
sub run_column {
	my ($ns, $order, $column, $ok, @command) = @_;
	return if $missing{$column};
	my ($code, @out) = output(@command);
	if ($code != $ok) {
		$missing{$column} = reason($code, @out) unless grep { $_->{$column} } values %$ns;
		return;
	}
	for (@out) {
		next unless /^measured: (.*): (\d+) ns\r?$/;
		push @$order, $1 unless $ns->{$1};
		push @{$ns->{$1}{$column}}, $2;
	}
	push @notes, map { /^note: (.*?)\r?$/ } @out;
}

sub ap_rows {
	my ($cpus) = @_;
	my (%ns, @order);
	my @modes = qw(user split kernel);
	repeat(\%APS, sub { run_column(\%ns, \@order, $_, 0, sipi_command($_, $cpus, 'ap')) for @modes });
	for my $what (@order) {
		printf "  %-58s %13s %13s %13s\n", $what,
			map { $ns{$what}{$_} ? us(median(@{$ns{$what}{$_}})) : '-' } @modes;
	}
}

# A CPU that halts after its SIPI never comes back in some QEMUs: is this one of them?
sub off_args {
	my ($code, @out) = output(qemu_command('off', 2, 'ipi', $PROBE_SEC));
	return 'ipi' if ($code != 124 && $code != 137) || grep { /^ok 1 / } @out;
	push @notes, "QEMU, off: a CPU that halts after its SIPI spins and keeps QEMU's lock, because the SIPI stays"
		. ' pending (QEMU commit df32e5c568c9); so CPU 1 never halts there';
	return 'ipi awake';
}

# Columns of sipi's modes and QEMU's, in turns: what is compared runs one after the other.
sub ipi_samples {
	my ($order) = @_;
	my $off = $has_qemu ? off_args() : '';
	my %ns;
	my @columns = map { my $m = $_; [$m, 0, sipi_command($m, 2, 'ipi')] } qw(user split kernel);
	@columns = map { ($_, ['qemu ' . $_->[0], $QEMU_OK,
		$_->[0] eq 'user' ? qemu_command('off', 2, $off) : qemu_command($_->[0] =~ s/kernel/on/r, 2, 'ipi')]) }
		@columns if $has_qemu;
	repeat(\%IPI, sub { run_column(\%ns, $order, @$_) for $_[0] & 1 ? reverse @columns : @columns });
	return \%ns;
}

# How many times as fast as QEMU sipi is. The rounds that both have are the first ones of each. Two CPUs that
# spin on a busy host measure its scheduler (both on one of its CPUs: 8 ms, else 0.2 ms): nothing is wanted of them.
sub against_qemu {
	my ($ns, $order, $mode, $theirs, $wanted) = @_;
	printf "\n%-60s %13s %13s %6s  %11s   %s\n", '2 CPUs, in the guest', "sipi $mode", "QEMU $theirs", 'faster',
		'quartiles', $wanted ? 'wanted' : '';
	for my $what (@$order) {
		my @ours = @{$ns->{$what}{$mode} // []};
		my @qemus = @{$ns->{$what}{"qemu $mode"} // []};
		my $n = @ours < @qemus ? @ours : @qemus;
		my @ratios = map { $qemus[$_] / ($ours[$_] || 1) } 0 .. $n - 1;
		printf '  %-58s %13s %13s', $what, map { @$_ ? us(median(@$_)) : '-' } \@ours, \@qemus;
		printf ' %6.2f  %5.2f-%5.2f', median(@ratios), quantile(0.25, @ratios), quantile(0.75, @ratios) if $n;
		printf '  >= %.2f %s', $wanted, median(@ratios) >= $wanted ? 'ok' : 'below'
			if $n && $wanted && $what !~ /both CPUs spin/;
		print "\n";
	}
}

my ($probe) = output(@run, "$dir/start.bin");
if ($probe == 77) {
	print "bench: nothing to measure here: ", slurp("$dir/stderr");
	exit 0;
}
my ($load) = slurp('/proc/loadavg') =~ /^(\S+)/;
my @cpus = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)/mg;
print scalar(@cpus), " x $cpus[0], load $load\n" if @cpus;
printf "\n%-40s %11s %11s %6s  %9s  %-8s\n", 'against bare KVM_RUN', 'sipi', 'floor', 'ratio', 'quartiles', 'wanted';
start_up();
round_trip('port write, there and back', 'port');
round_trip('MMIO read, there and back', 'mmio');
eoi_trip();
scenarios();
my ($now, $peak) = memory();
memory_row('memory beyond the guest\'s pages, running', $now);
memory_row('memory beyond the guest\'s pages, peak', $peak);
printf "\n%-60s %13s %13s %13s\n", 'sipi, in the guest, by irqchip mode', qw(user split kernel);
for my $aps (15, 63) {
	print "$aps APs\n";
	ap_rows($aps + 1);
}
my $ns = ipi_samples(\my @order);
against_qemu($ns, \@order, 'user', 'off', 3);
against_qemu($ns, \@order, 'split', 'split', 1 - $NOISE);
against_qemu($ns, \@order, 'kernel', 'on', 0);
push @notes, map { "$_: $missing{$_}" } sort keys %missing;
push @notes, 'no qemu-system-x86_64 here' unless $has_qemu;
my %said;
print "\n", map { "note: $_\n" } grep { !$said{$_}++ } @notes;

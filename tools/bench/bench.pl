#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# usage: tools/bench/bench.pl BUILD COUNT
# What sipi costs, in one table. BUILD is the build folder, COUNT the round trips that its bench/*.bin make.
#
# Start-up and round trips are measured against bench/floor, which does the least that runs the same guest:
# whole processes, from fork to end, in turns. A round trip is the difference between COUNT of them and one.
# Each figure is a median over the rounds; the ratio is the median of the rounds' own ratios, which a change
# of the host's load from round to round does not touch. The rest is information: guest/bench.c measures it by
# the guest's TSC.
use strict;
use warnings;

my ($build, $count) = @ARGV;
die "usage: $0 BUILD COUNT\n" unless $count;
my ($sipi, $dir) = ("$build/sipi", "$build/bench");
my @run = ($sipi, qw(run --quiet --serial null --entry-mode real));
# Modes that this host lacks; sipi has said why.
my %missing;
my ($START_ROUNDS, $TRIP_ROUNDS, $GUEST_ROUNDS) = (60, 21, 3);
my $MEM_KB = 64 << 10;
$| = 1;

sub quantile {
	my ($q, @v) = @_;
	@v = sort { $a <=> $b } @v;
	return $v[$q * $#v + 0.5];
}
sub median { return quantile(0.5, @_) }

sub us { return sprintf '%.2f us', $_[0] / 1000 }
sub ms { return sprintf '%.2f ms', $_[0] / 1e6 }

# The times of each round of these commands: a list of lists.
sub turns {
	my ($rounds, @commands) = @_;
	my @words = map { (@$_, '--') } @commands;
	pop @words;
	open my $f, '-|', "$dir/turns", $rounds, @words or die "$dir/turns: $!\n";
	my @times = map { [split] } <$f>;
	close $f or die "a measurement failed\n";
	return @times;
}

sub against_floor {
	my ($what, $unit, $wanted, @pairs) = @_;
	my @ratios = map { $_->[0] / $_->[1] } @pairs;
	my $ratio = median(@ratios);
	printf "%-40s %11s %11s %6.2f  %.2f-%.2f  %-8s %s\n", $what, $unit->(median(map { $_->[0] } @pairs)),
		$unit->(median(map { $_->[1] } @pairs)), $ratio, quantile(0.25, @ratios), quantile(0.75, @ratios),
		sprintf('<= %.2f', $wanted), $ratio <= $wanted ? 'ok' : 'above';
}

sub start_up {
	my $image = "$dir/start.bin";
	my @times = turns($START_ROUNDS, [@run, $image], ["$dir/floor", $image]);
	against_floor('exec to first port write and end', \&ms, 1.5, @times);
}

sub round_trip {
	my ($what, $name) = @_;
	my ($one, $many) = ("$dir/$name-1.bin", "$dir/$name.bin");
	my @times = turns($TRIP_ROUNDS, [@run, $many], ["$dir/floor", $many], [@run, $one], ["$dir/floor", $one]);
	my @pairs = map { [($_->[0] - $_->[2]) / ($count - 1), ($_->[1] - $_->[3]) / ($count - 1)] } @times;
	against_floor($what, \&us, 1.1, @pairs);
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
	return ($rss - $guest, $peak - $guest, $guest);
}

sub memory_row {
	my ($what, $kb) = @_;
	printf "%-40s %11s %30s %-8s %s\n", $what, sprintf('%.2f MiB', $kb / 1024), '', '< 4 MiB',
		$kb < 4096 ? 'ok' : 'above';
}

# What the guest prints as "measured: WHAT: N ns", for each irqchip mode: medians of a few runs, in turns.
sub guest_rows {
	my ($cpus, $half) = @_;
	my (%ns, @order);
	for (1 .. $GUEST_ROUNDS) {
		for my $mode (grep { !$missing{$_} } qw(split kernel)) {
			my @out = qx($sipi run --quiet --timeout 60 --cpus $cpus --irqchip $mode build/guest/bench $half);
			if ($? >> 8 == 77) {
				$missing{$mode} = 1;
				next;
			}
			die "build/guest/bench failed:\n@out" if $?;
			for (@out) {
				next unless /^measured: (.*): (\d+) ns\r?$/;
				push @order, $1 unless $ns{$1};
				push @{$ns{$1}{$mode}}, $2;
			}
		}
	}
	for my $what (@order) {
		printf "  %-58s %13s %13s\n", $what,
			map { $ns{$what}{$_} ? us(median(@{$ns{$what}{$_}})) : '-' } qw(split kernel);
	}
}

if (system(@run, "$dir/start.bin") >> 8 == 77) {
	print "bench: nothing to measure here\n";
	exit 0;
}
my ($load) = slurp('/proc/loadavg') =~ /^(\S+)/;
my @cpus = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)/mg;
print scalar(@cpus), " x $cpus[0], load $load; $START_ROUNDS, $TRIP_ROUNDS and $GUEST_ROUNDS rounds\n" if @cpus;
printf "\n%-40s %11s %11s %6s  %9s  %-8s\n", 'against bare KVM_RUN', 'sipi', 'floor', 'ratio', 'quartiles', 'wanted';
start_up();
round_trip('port write, there and back', 'port');
round_trip('MMIO read, there and back', 'mmio');
my ($now, $peak, $guest) = memory();
memory_row('memory beyond the guest\'s pages, running', $now);
memory_row('memory beyond the guest\'s pages, peak', $peak);
printf "\n%-60s %13s %13s\n", 'in the guest, by irqchip mode', 'split', 'kernel';
for my $aps (15, 63) {
	print "$aps APs\n";
	guest_rows($aps + 1, 'ap');
}
print "2 CPUs\n";
guest_rows(2, 'ipi');

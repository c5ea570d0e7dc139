#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Runs what the file boot-tests beside this one describes, each test in each of its irqchip modes; some are smaller
# with SIPI_SHORT=1. On a host that is an emulator (SIPI_EMULATED=1) what fails is tried twice more, which is told,
# but for what is known to fail there (SIPI_KNOWN: lines of patterns, of a test, a tab, and of its failing checks).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Sipi;
use Test::More;

my $emulated = $ENV{SIPI_EMULATED};
my $short = $ENV{SIPI_SHORT};
my @known = map { [split /\t/, $_, 2] } split /\n/, $ENV{SIPI_KNOWN} // '';

sub read_tests {
	my ($path) = @_;
	my @tests;
	open my $f, '<', $path or die "$path: $!";
	while (<$f>) {
		chomp;
		next if /^\s*(#|$)/;
		if (/^\[([\w-]+)\]$/) {
			push @tests, {name => $1};
		} elsif (@tests && /^((?:short )?std(?:out|err)) = (.+)$/) {
			push @{$tests[-1]{$1}}, qr/$2/m;
		} elsif (@tests && /^(short )?(guest|args|options|irqchip|exit|timeout) = (.+)$/) {
			$tests[-1]{$2} = $3 if !$1 || $short;
		} else {
			die "$path:$.: '$_' is no section and no setting\n";
		}
	}
	return @tests;
}

# Words, with "\ " for a blank within one.
sub words { return map { s/\\ / /gr } split /(?<!\\)\s+/, $_[0] // '' }

# One run, and what is wrong with it.
sub try_test {
	my ($t, $mode) = @_;
	my $slack = $ENV{SIPI_SLACK} || 1;
	my $run = sipi({limit => ($t->{timeout} // 60) * $slack}, 'run', '--irqchip', $mode,
		       words($t->{options}), "build/guest/$t->{guest}",
		       words($t->{args}));
	my $exit = $t->{exit} // 0;
	# What this host lacks is no failure, and is named.
	skip "$t->{name} ($mode): " . $run->{stderr} =~ s/\n//gr, 1 if $run->{code} == 77 && $exit ne '77';
	my @wrong;
	push @wrong, "no end within its time" if $run->{hung};
	push @wrong, "exit code $run->{code}, expected $exit" unless $run->{code} =~ /^(?:$exit)$/;
	for my $stream ('stdout', 'stderr') {
		my $patterns = $short && $t->{"short $stream"} || $t->{$stream} || [];
		push @wrong, map { "nothing on $stream matches $_" }
			grep { $run->{$stream} !~ $_ } @$patterns;
	}
	return ($run, @wrong);
}

# The guest reports what is known to fail here, and no more.
sub known_failure {
	my ($name, $run) = @_;
	my @checks = $run->{stdout} =~ /^not ok \d+ - (.*?)\r?$/mg;
	return 0 if $run->{code} != 1;
	for (@known) {
		my ($test, $pattern) = @$_;
		next unless $name =~ /^(?:$test)$/;
		return 1 if $pattern eq '' || (@checks && !grep { $_ !~ /$pattern/ } @checks);
	}
	return 0;
}

sub run_test {
	my ($t, $mode) = @_;
	my ($run, @wrong) = try_test($t, $mode);
	my @first = @wrong;
	for (1 .. ($emulated ? 2 : 0)) {
		last if !@wrong || known_failure("boot $t->{name} ($mode)", $run);
		($run, @wrong) = try_test($t, $mode);
	}
	ok(!@wrong, "$t->{name} ($mode)");
	note(sprintf '%.2f s', $run->{seconds});
	note('again: ', join '; ', @first) if @first && !@wrong;
	diag($_) for @wrong ? (@wrong, "--- stdout", $run->{stdout}, "--- stderr", $run->{stderr}) : ();
}

# SIPI_SHARD=I/N: the I-th of N parts, of about the same size.
my ($shard, $shards) = ($ENV{SIPI_SHARD} // '1/1') =~ m{^([1-9]\d*)/([1-9]\d*)$} or die "SIPI_SHARD: expected I/N\n";
my $count = 0;
my %modes = irqchip_modes();
my $only = $ENV{BOOT_TESTS}; # a pattern, for work on one of them
for my $t (read_tests("$FindBin::Bin/boot-tests")) {
	next if $only && $t->{name} !~ /$only/;
	for my $mode (split ' ', $t->{irqchip} // 'split kernel user') {
		next if $count++ % $shards != $shard - 1;
	SKIP: {
			my $why = exists $modes{$mode} ? $modes{$mode} : "not known to this sipi";
			skip "$t->{name} ($mode): this host lacks irqchip $mode: $why", 1 if $why;
			run_test($t, $mode);
		}
	}
}
done_testing;

#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# `sipi selftest reset`: nothing unexplained on this host, and each row of the reset table that is left out is
# found, in every irqchip mode.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Sipi;
use Test::More;

my $slack = $ENV{SIPI_SLACK} || 1;
my %modes = irqchip_modes();

sub selftest { return sipi({limit => 60 * $slack}, 'selftest', 'reset', @_) }

sub told { my ($run) = @_; return join '', map { "$_\n" } (split /\n/, $run->{stdout} . $run->{stderr})[0 .. 40] }

for my $mode (sort keys %modes) {
SKIP: {
		skip "this host lacks irqchip $mode: $modes{$mode}", 4 if $modes{$mode};
		my $run = selftest('--irqchip', $mode, '--rounds', 50);
		my ($sum) = $run->{stdout} =~ /^(selftest reset: $mode: .*)$/m;
		ok(!$run->{hung} && $run->{code} == 0, "$mode: no unexplained deviation, no difference")
			or diag(told($run));
		like($sum // '', qr/: \d{4,} values checked, 0 deviations, \d+ known; 50 rounds, 0 differences, \d{3,} fields exercised, 0 not \(seed 0x\w+\)$/,
			"$mode: what was done is said");
		diag($sum) if $sum;
		# Hundreds of machines: on an emulator in one mode.
		skip "$mode: rows left out, in short", 2 if $ENV{SIPI_SHORT} && $mode ne 'split';

		my ($rows, $caught, %count, @missed) = (0, 0);
		for (split /\n/, selftest('--irqchip', $mode, '--list')->{stdout}) {
			my ($name, $where) = split /\t/;
			$count{$where}++;
			next if $where ne 'here';
			$rows++;
			$run = selftest('--irqchip', $mode, '--rounds', 20, '--seed', 1, '--without', $name);
			if (!$run->{hung} && $run->{code} == 1) {
				$caught++;
			} else {
				push @missed, sprintf "not ok %d - %s: exit code %s: %s\n", 1 + @missed, $name, $run->{code}, $run->{stderr};
			}
		}
		diag("$mode: $caught of $rows rows that were left out were found; ",
			($count{keep} // 0), ' that no reset touches, ', ($count{absent} // 0), ' not on this host');
		ok($rows > 20, "$mode: --list has rows");
		ok($caught == $rows, "$mode: each row that is left out is found") or diag(@missed);
	}
}

# --- a seed repeats a run

my ($mode) = grep { !$modes{$_} } sort keys %modes;
SKIP: {
	skip 'no irqchip mode works here', 2 unless $mode;
	my @again = map { selftest('--irqchip', $mode, '--rounds', 3, '--seed', '0x1234', '--without', 'IA32_PAT') } 1, 2;
	like($again[0]->{stdout}, qr/^difference: $mode: round \d+, .*IA32_PAT.*seed 0x1234/m, 'a difference has its seed');
	my @differences = map { join '', $_->{stdout} =~ /^difference.*\n/mg } @again;
	is($differences[0], $differences[1], 'which repeats it');
}

# --- the command line

sub refused {
	my ($name, $re, @args) = @_;
	my $run = sipi('selftest', @args);
	ok($run->{code} == 2 && $run->{stderr} =~ /^sipi: .*$re/ && $run->{stdout} eq '', $name)
		or diag("code $run->{code}: $run->{stderr}$run->{stdout}");
}

refused('which selftest?', qr/usage: sipi selftest reset/);
refused('an unknown one', qr/usage: sipi selftest reset/, 'init');
refused('an unknown mode', qr/--irqchip 'apic': expected split, kernel or user/, 'reset', '--irqchip', 'apic');
refused('rounds', qr/--rounds 'many': expected a number/, 'reset', '--rounds', 'many');
refused('a seed', qr/--seed '-1': expected a number/, 'reset', '--seed', '-1');
refused('a row', qr/--without 'nothing': no such row/, 'reset', '--without', 'nothing');
refused('an option', qr/--guest: no such option/, 'reset', '--guest');
refused('a missing value', qr/--seed: a value is missing/, 'reset', '--seed');
refused('a word too many', qr/'now': takes no arguments/, 'reset', 'now');
for (['--help'], ['reset', '--help']) {
	my $run = sipi('selftest', @$_);
	ok($run->{code} == 0 && $run->{stdout} =~ /^usage: sipi selftest reset/ && $run->{stderr} eq '', "selftest @$_");
}
done_testing;

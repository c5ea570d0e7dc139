#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Every scenario of the registry in each of its irqchip modes: on any host it says what is the case. On an older kernel that may
# be a bug; never is it anything that its text does not describe, and our own local APIC has no bug. SCENARIOS=pattern picks by ID.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use Sipi;
use Test::More;

my $slack = $ENV{SIPI_SLACK} || 1;
my $json = scratch('scenarios.json');
my @some = $ENV{SCENARIOS} ? ('--filter', $ENV{SCENARIOS}) : ();
my $run = sipi({limit => 300 * $slack}, 'check', '--quiet', '--timeout', 10 * $slack, '--json', $json, @some, 'tests/scenarios');
plan skip_all => $run->{stderr} if $run->{code} == 77;
my $all = eval { decode_json(slurp($json)) } or BAIL_OUT("no JSON: $run->{stderr}");
opendir my $dir, 'tests/scenarios' or BAIL_OUT("tests/scenarios: $!");
my @files = grep { /\.scn$/ } readdir $dir;
my %ids = map { $_->{id} => 1 } @{$all->{runs}};
is(scalar keys %ids, scalar @files, 'each of the ' . @files . ' texts is run') unless @some;
my %text = map { $_ => slurp("tests/scenarios/$_") } @files;
is_deeply([grep { $text{$_} !~ /^seen +\S/m } @files], [], 'each says where a verdict other than ok was seen');
is_deeply([grep { $text{$_} =~ /^class +bug/m && $text{$_} !~ /^fix +\S/m } @files], [], 'each bug has its fix');
for my $r (@{$all->{runs}}) {
	my $name = "$r->{id} ($r->{irqchip})";
SKIP: {
		skip "$name: " . ($r->{why} // ''), 1 if $r->{verdict} eq 'skip';
		my $bad = $r->{irqchip} eq 'user' ? 'bug|unknown|error' : 'unknown|error';
		unlike($r->{verdict}, qr/^(?:$bad)$/, $name) or diag($r->{why} // (), map { "$_->{text}: expected $_->{expected}, seen $_->{seen}" }
			grep { $_->{what} ne 'expected' } @{$r->{findings}});
		note("verdict: $r->{verdict}");
		note("$r->{seconds} s");
	}
}
done_testing;

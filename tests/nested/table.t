#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# tools/nested/table, in a tree of its own where tools/nested/run boots nothing and takes verdicts from a file: the names of hosts,
# verdicts of hosts that are like others, what is tried again, and how the table is laid out.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../boot";
use File::Copy qw(copy);
use File::Path qw(make_path);
use Sipi;
use Test::More;

my $tree = scratch('tree');
make_path(map { "$tree/$_" } qw(tools/nested tests/nested tests/scenarios build));
copy("tools/nested/$_", "$tree/tools/nested/$_") or die "$_: $!" for qw(table Fetch.pm Child.pm);
chmod 0755, "$tree/tools/nested/table";
spew("tree/tests/scenarios/$_.scn", '') for qw(a b c);
spew('tree/tests/nested/known', '');

# Notes how it was started. Of the lines "ID (MODE) VERDICT [VERDICT-IF-ASKED-FOR-ALONE]" it says what scenarios.t would; "gone": nothing.
chmod 0755, spew('tree/tools/nested/run', <<'RUN');
#!/usr/bin/perl
my ($options) = "@ARGV" =~ /^(.*?) --timeout/;
my ($asked) = map { /^SCENARIOS=(.*)/ } @ARGV;
open my $log, '>>', 'started';
syswrite $log, join(' ', $options, $asked // ()) . "\n";
print "== tests/boot/scenarios.t\n";
open my $verdicts, '<', 'verdicts';
my @lines = "@ARGV" =~ m{boot/scenarios\.t} ? <$verdicts> : ();
for (@lines) {
	my ($name, $id, $verdict, $alone) = /^((\S+) \(\w+\)) (\w+)(?: (\w+))?/;
	$verdict = $alone if $asked && $alone;
	next if $asked && $id !~ /$asked/ || $verdict eq 'gone';
	print $verdict eq 'skip' ? "ok 1 # skip $name: why\n" : "ok 1 - $name\n# verdict: $verdict\n# 0.5 s\n";
}
print "== end 0\n";
RUN

sub table {
	my ($expected, $verdicts, @hosts) = @_;
	spew('tree/tests/nested/verdicts', $expected);
	spew('tree/verdicts', $verdicts);
	unlink "$tree/started";
	my $out = qx(cd / && "$tree/tools/nested/table" --jobs 8 @hosts 2>"$tree/err");
	return {code => $? >> 8, out => $out, err => slurp("$tree/err"), started => [sort split /\n/, slurp("$tree/started")]};
}

# --- hosts

for my $host (qw(5.11 6.12-amd 6.12-intel- 6.12-intel-x 6.12-intel-a=b-c 6.12-intel-a=b=c local-intel)) {
	my $run = table('', '', '6.12', $host);
	is("$run->{code} $run->{err}@{$run->{started}}", "2 table: '$host': expected local or KERNEL[-intel[-PARAM=VALUE...]], " .
		"KERNEL one of 5.10 6.1 6.12 7.2\n", "the host '$host'");
}
my %started = ('6.1' => '--kernel 6.1', '6.1-intel' => '--kernel 6.1 --host intel',
	'5.10-intel-enable_apicv=0-ple_gap=0' => '--kernel 5.10 --host intel --modparam kvm_intel.enable_apicv=0 --modparam kvm_intel.ple_gap=0');
for my $host (sort keys %started) {
	my $run = table('', "a (split) ok\nb (split) ok\nc (split) ok\n", $host);
	is(join('|', keys %{{map { $_ => 1 } @{$run->{started}}}}), $started{$host}, "$host: how it is started");
	is("$run->{code} " . join('', $run->{out} =~ /^(scenarios . .*\n)/mg), '0 ' .
		join('', map { "scenarios $_ (split)  ok     " . ' ' x ($host =~ /apicv/ ? 7 : 0) . "\n" } qw(a b c)), "$host: what it runs");
}

# --- verdicts

sub refused {
	my ($name, $expected, $re) = @_;
	my $run = table($expected, '', '6.12');
	ok($run->{code} == 2 && $run->{err} =~ /\Atable: tests\/nested\/verdicts:$re\n\z/ && !@{$run->{started}}, $name) or diag($run->{err});
}
refused('a host in two lines', "hosts 6.1 6.12\nhosts 6.12\n", '2: expected hosts that no line above has');
refused('as many hosts as they are like', "hosts 6.1 6.12\nhosts a b like 6.1\n", "2: expected as many as before 'like', of lines above");
refused('like a host that is not there', "hosts 6.1\nhosts a like 6.12\n", "2: expected as many as before 'like', of lines above");
refused('a verdict for each host', "hosts 6.1\nhosts a b\na split bug : why\n", '3: expected a verdict for each of a b');

my $expected = <<'V';
hosts 6.1 6.12
a kernel,split bug ok : first
b split        bug bug : second
hosts 6.1-intel 6.12-intel like 6.1 6.12
a split        ok erratum : third
hosts 6.12-intel-enable_apicv=0 like 6.12-intel
b split        erratum : fourth
V
my @hosts = qw(6.12 6.1-intel 6.12-intel 6.12-intel-enable_apicv=0);
my $run = table($expected, "a (kernel) ok\na (split) erratum\nb (split) bug erratum\nc (split) ok\n", @hosts);
is($run->{code}, 1, 'verdicts that are not expected: exit code');
like($run->{out}, qr/^FAIL: 6.12: scenarios a \(split\): verdict erratum; tests\/nested\/verdicts has ok$/m, 'the first section');
like($run->{out}, qr/^FAIL: 6.1-intel: scenarios a \(kernel\): verdict ok; tests\/nested\/verdicts has bug$/m, 'what a host is like');
like($run->{out}, qr/^FAIL: 6.1-intel: scenarios a \(split\): verdict erratum; tests\/nested\/verdicts has ok$/m, 'what it is not like');
like($run->{out}, qr/^verdict: a \(kernel, split\): 6.1-intel bug: first$/m, 'a reason, for those like it');
like($run->{out}, qr/^verdict: a \(split\): 6.1-intel ok, 6.12-intel erratum, 6.12-intel-enable_apicv=0 erratum: third$/m, 'a reason why not');
like($run->{out}, qr/^verdict: b \(split\): 6.12 bug, 6.1-intel bug, 6.12-intel bug: second$/m, 'a reason, without the host that is not like it');

# What fails is asked for alone, on two more hosts at most.
my %again;
$again{$_}++ for grep { / \^/ } @{$run->{started}};
is_deeply(\%again, {'--kernel 6.1 --host intel ^(a)$' => 2, '--kernel 6.12 --host intel --modparam kvm_intel.enable_apicv=0 ^(b)$' => 1,
	'--kernel 6.12 ^(a)$' => 2}, 'what is tried again') or diag(explain($run->{started}));
like($run->{out}, qr/^again: 6.12-intel-enable_apicv=0: scenarios b \(split\): verdict bug; tests\/nested\/verdicts has erratum$/m, 'what passes then');

is(table("hosts 6.12\n", "a (split) bug gone\n", '6.12')->{code}, 1, 'what fails, and is not there when it is tried again: exit code');

# A column for each host, as wide as the longest part of its name.
is(substr($run->{out}, 0, 1 + index $run->{out}, "\n\n"), <<'T', 'the table');
test                  6.12     6.1      6.12     6.12          
                               intel    intel    intel         
                                                 enable_apicv=0
scenarios a (kernel)  ok       FAIL     ok       ok            
scenarios a (split)   FAIL     FAIL     erratum  erratum       
scenarios b (split)   bug      bug      bug      again         
scenarios c (split)   ok       ok       ok       ok            
T
done_testing;

#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# tools/ci/merge, on files of real shards and on what is left of shards that died; and the commands of tools/ci/kubernetes.yaml, run here.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../boot";
use Sipi;
use Test::More;
use YAML::XS ();

plan skip_all => 'no usable /dev/kvm' if sipi('probe')->{code};

# Eight runs, each verdict among them.
my $head = "class bug\nmanual none\nmodes none\n";
my %steps = (ok => "cpus 0\nexpect 1", bug => "cpus 0\nexpect 0", unknown => "cpus 0\nexpect 2", error => "cpus 0\ncpu 0: set msr[0xdead0000] 1\nexpect 1",
	skip => "needs vendor amd\nneeds vendor intel\ncpus 0\nexpect 1", map { $_ => "cpus 0\nexpect 1" } qw(more and others));
mkdir my $scenarios = scratch('scenarios');
spew("scenarios/$_.scn", "id $_\ntitle <$_> & \"more\"\n$head$steps{$_} = 1\ndeviates 0\n") for keys %steps;

sub shards {
	my ($n) = @_;
	mkdir my $dir = scratch("shards.$n");
	sipi('check', '--shard', "$_/$n", '--junit', "$dir/$_-of-$n.xml", $scenarios) for 1 .. $n;
	return $dir;
}
my ($three, $copies) = (shards(3), 0);
sub copy { my $dir = scratch('copy.' . $copies++); system('cp', '-r', $three, $dir); return $dir }

sub merge {
	my ($dir, $path) = @_;
	local $ENV{PATH} = defined $path ? "$path:$ENV{PATH}" : $ENV{PATH};
	my $text = qx(tools/ci/merge $dir 2>&1);
	return ($? >> 8, $text);
}

# All that a test case is, but for its time.
sub cases { return join "\n", sort map { s/ time="[^"]*"//r =~ s/>\s+</></gr } split m{(?<=</testcase>)}, xpath($_[0], '//testcase') }

# --- the merge

sipi('check', '--junit', my $whole = scratch('whole.xml'), $scenarios);
is(junit_sums($whole), '8 2 1 1', 'one run of all');
for my $dir (shards(1), copy(), shards(9)) {
	my $n = () = glob "$dir/*";
	my ($code, $text) = merge($dir);
	is($code, 1, "$n shards: what failed is told by the exit code");
	is($text, "merge: $dir/merged.xml: 8 tests, 2 failures, 1 errors, 1 skipped\n", "$n shards: and by a line");
	is(junit_sums("$dir/merged.xml"), '8 2 1 1', "$n shards: the counts");
	is(cases("$dir/merged.xml"), cases($whole), "$n shards: each test case, as it was");
}

sub lost {
	my ($name, $why, $break) = @_;
	my $dir = copy();
	my $shard = "$dir/2-of-3.xml";
	my $tests = 8 - xpath($shard, 'count(//testcase)') + 1;
	$break->($shard);
	my ($code, $text) = merge($dir);
	is($code, 1, "$name: the exit code");
	like($text, qr{\Amerge: \Q$shard: $why\E\nmerge: \Q$dir\E/merged.xml: $tests tests, .*\n\z}, "$name: a line");
	is(xpath("$dir/merged.xml", 'string(//testcase[@name="shard 2/3"]/error/@message)'), "2-of-3.xml: $why", "$name: an error in JUnit");
	is(xpath("$dir/merged.xml", 'concat(//testsuite/@tests, " ", count(//testcase))'), "$tests $tests", "$name: what the others have stays");
}
sub rewritten { my ($path, $change) = @_; local $_ = slurp($path); $change->(); open my $f, '>', $path or die; print $f $_; close $f }
lost('missing', 'missing', sub { unlink $_[0] });
lost('empty', 'empty: the run died', sub { truncate $_[0], 0 });
lost('cut off', 'cut off, or no XML', sub { truncate $_[0], (-s $_[0]) - 2 });
lost('no JUnit', 'not JUnit, or not as many test cases as it says', sub { rewritten($_[0], sub { $_ = '<a/>' }) });
lost('a test case less', 'not JUnit, or not as many test cases as it says', sub { rewritten($_[0], sub { s{<testcase.*?</testcase>}{}s }) });

sub refused {
	my ($name, $re, $dir, $path) = @_;
	my ($code, $text) = merge($dir, $path);
	is($code, 2, "$name: refused");
	like($text, qr/\Amerge: $re\n\z/, "$name: one line");
	ok(!-e "$dir/merged.xml", "$name: nothing is written");
}
mkdir my $empty = scratch('empty');
refused('no shard', qr/.*: no file 1-of-N\.xml: .*/, $empty);
refused('no directory', qr/expected a directory .*/, '/nowhere');
my $mixed = copy();
system('touch', "$mixed/1-of-4.xml", "$mixed/merged.xml");
refused('two runs', qr/.*: shards of several runs, with N of 3 4/, $mixed);
mkdir my $bin = scratch('bin');
chmod 0755, spew('bin/junitparser', "#!/bin/sh\ncp \"\$2\" \"\$5\"\n");
refused('a merge that loses something', qr/junitparser did not keep all of 8 test cases/, copy(), $bin);
chmod 0755, spew('bin/junitparser', "#!/bin/sh\necho 'lines' >&2\necho 'no space' >&2\nexit 1\n");
refused('a merge that fails', qr/junitparser: no space/, copy(), $bin);

# --- Kubernetes: the commands of its containers, once for each index, from this tree

my ($claim, $check, $merge) = YAML::XS::LoadFile('tools/ci/kubernetes.yaml');
my ($spec, $container) = ($check->{spec}, $check->{spec}{template}{spec}{containers}[0]);
my %env = map { $_->{name} => $_->{value} } @{$container->{env}};
is($spec->{completionMode}, 'Indexed', 'kubernetes.yaml: an Indexed Job');
is($env{SHARDS}, $spec->{completions}, 'kubernetes.yaml: as many shards as indices');
is_deeply([map { $_->{spec}{template}{spec}{volumes}[0]{persistentVolumeClaim}{claimName} } $check, $merge], [($claim->{metadata}{name}) x 2],
	'kubernetes.yaml: the merge has the results');

mkdir my $results = scratch('results');
sub in_pod {
	my ($container, %env) = @_;
	local @ENV{keys %env} = values %env;
	return system('sh', '-c', 'exec "$@" 2>/dev/null', 'sh', map { s{/results}{$results}gr =~ s{tests/scenarios}{$scenarios}gr } @{$container->{command}}) >> 8;
}
for my $index (0 .. $spec->{completions} - 1) {
	like(in_pod($container, %env, JOB_COMPLETION_INDEX => $index), qr/^[012]$/, "kubernetes.yaml: index $index");
}
is(in_pod($merge->{spec}{template}{spec}{containers}[0]), 1, 'kubernetes.yaml: the merge');
is(cases("$results/merged.xml"), cases($whole), 'kubernetes.yaml: together everything');
done_testing;

#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# `sipi check` and `sipi errata`: which scenarios run and how often, each verdict, runs that die or hang, what is told of
# them in each format, and the ends from outside.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use POSIX ();
use Sipi;
use Test::More;
use Time::HiRes qw(time sleep);

my $sipi = $ENV{SIPI} || 'build/sipi';
my $slack = $ENV{SIPI_SLACK} || 1;

mkdir scratch($_) for 'scn', 'scn/deep', 'empty', 'bad';

# A scenario of one CPU in the file DIR/ID.scn. head: more lines of the header.
sub scenario {
	my ($path, $class, $steps, $head) = @_;
	my ($id) = $path =~ /([^\/]+)$/;
	return spew("$path.scn", <<"END");
id       $id
title    A title: <b> & "quotes" | # of $id
class    $class
manual   SDM vol. 3A, 11.4
fix      052c3b99cbc8 "KVM: x86: something"
fixed    6.3
modes    kernel split
@{[$head // '']}
cpus 0
$steps
END
}

my $right = "cpu 0: set lapic.tpr 0x30\nexpect cpu 0: lapic.tpr = 0x30\ndeviates 0";
my $exchanged = "cpu 0: set lapic.tpr 0x30\nexpect cpu 0: lapic.tpr = 0x20\ndeviates 0x30";
my $wrong = "cpu 0: set lapic.tpr 0x30\nexpect cpu 0: lapic.tpr >= 0x40\ndeviates 0x20";
my $endless = "repeat 0xffffffffffffffff\ncpu 0: set lapic.tpr 0x30\nend\nexpect cpu 0: lapic.tpr = 0x30";

my $ok = scenario('scn/b-ok', 'bug', $right);
my $bug = scenario('scn/a-bug', 'bug', $exchanged);
my $erratum = scenario('scn/c-erratum', 'erratum', $exchanged);
my $unknown = scenario('scn/deep/unknown', 'bug', $wrong);
my $skip = scenario('scn/skip', 'bug', $right, "needs vendor intel\nneeds vendor amd");
my $danger = scenario('scn/zz-danger', 'bug', $right, 'danger');
my $error = scenario('bad/error', 'guard', "cpu 0: set msr[0x12345678] 1\nexpect 1 = 1");
my $hang = scenario('bad/hang', 'guard', $endless);
spew('scn/notes.txt', "no scenario\n");
my $dir = scratch('scn');

sub check { my $opt = ref $_[0] ? shift : {}; return sipi({limit => 60 * $slack, %$opt}, 'check', @_) }

sub told { my ($run) = @_; return "code $run->{code}\n$run->{stderr}$run->{stdout}" }

sub ends {
	my ($name, $run, $code, $re) = @_;
	ok(!$run->{hung} && $run->{code} == $code && "$run->{stdout}$run->{stderr}" =~ $re, $name) or diag(told($run));
	return $run;
}

sub refused {
	my ($name, $re, @args) = @_;
	my $run = check(@args);
	ok($run->{code} == 2 && $run->{stderr} =~ /^sipi: .*$re/ && $run->{stderr} =~ tr/\n// == 1 && $run->{stdout} eq '', $name)
		or diag(told($run));
}

# --- the command line, which needs no KVM

refused('no PATH', qr/no PATH/);
refused('an unknown option', qr/--frob: no such option/, '--frob', $dir);
refused('a missing value', qr/--seed: a value is missing/, $dir, '--seed');
refused('irqchip', qr/--irqchip 'split,apic': expected some of/, '--irqchip', 'split,apic', $dir);
refused('irqchip, nothing behind a comma', qr/--irqchip 'split,'/, '--irqchip', 'split,', $dir);
refused('repeat', qr/--repeat '0': expected a number from 1/, '--repeat', 0, $dir);
refused('jobs', qr/--jobs '1000': expected a number from 1 to 256/, '--jobs', 1000, $dir);
refused("shard '$_'", qr/--shard '\Q$_\E': expected I\/N/, '--shard', $_, $dir) for '0/4', '5/4', '1', '/', '1/0', '1/2/3';
refused('seed', qr/--seed 'x': expected a number/, '--seed', 'x', $dir);
refused("timeout '$_'", qr/--timeout '$_': expected seconds/, '--timeout', $_, $dir) for 0, -1, 100000;
refused('a filter that is no expression', qr/--filter '\(': /, '--filter', '(', $dir);
refused('a filter that matches none', qr/--filter 'nothing': matches none of 6 scenarios/, '--filter', 'nothing', $dir);
refused('no scenario in that mode', qr/no scenario here names/, '--irqchip', 'user', $dir);
refused('a path that is not there', qr{/nowhere: No such file}, '/nowhere');
refused('a directory without a scenario', qr{/empty: no file \*\.scn in it}, scratch('empty'));
{
	spew('broken/x', '') if mkdir scratch('broken');
	my @files = (spew('broken/one.scn', "id one\nfrob\n"), spew('broken/two.scn', "id three\n"), $ok, '/nowhere');
	my $run = check(@files);
	ok($run->{code} == 2 && $run->{stdout} eq '' && $run->{stderr} =~ m{\Asipi: \S*/one\.scn:2:1: .*\nsipi: \S*/two\.scn:1:4: .*\nsipi: /nowhere: .*\n\z},
		'all that cannot be read is named, and nothing is run') or diag(told($run));
}
for (['check', '--help'], ['check', $dir, '--help'], ['errata', '--help'], ['errata', 'x', '--help']) {
	my $run = sipi(@$_);
	ok($run->{code} == 0 && $run->{stdout} =~ /^usage: sipi $_->[0] / && $run->{stderr} eq '', "@$_");
}
refused('a file that cannot be written', qr{/nowhere/x: No such file}, '--quiet', '--json', '/nowhere/x', $dir) if -e '/dev/kvm';

SKIP: {
	skip 'needs root and mount namespaces', 2 unless $> == 0 && system('unshare -m true 2>/dev/null') == 0;
	my %none = (wrap => ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec "$@"', 'sh']);
	ends('no /dev/kvm', check({%none}, $dir), 77, qr{^sipi: /dev/kvm: No such file.*\n\z});
	ends('no /dev/kvm, errata', sipi({%none}, 'errata', '--scenarios', $dir), 77, qr{^sipi: /dev/kvm: No such file.*\n\z});
}

my %modes = irqchip_modes();
if (!exists $modes{kernel} || $modes{kernel} || $modes{split}) {
	note 'the rest needs irqchip kernel and split';
	done_testing;
	exit;
}

# --- verdicts

my $run = ends('each verdict, in the order of names, and the worst decides', check('--irqchip', 'split', $dir), 1, qr/^1 ok, 1 bug, 1 erratum, 1 unknown, 2 skip$/m);
is(join(' ', $run->{stdout} =~ /^(\w+) +split +(\S+)/mg), 'bug a-bug ok b-ok erratum c-erratum unknown unknown skip skip skip zz-danger', 'a line for each');
like($run->{stdout}, qr/^ok      split   b-ok  A title: <b> & "quotes" \| # of b-ok\nerratum/m, 'nothing more of what is ok');
like($run->{stdout}, qr/^bug .*\n +\Q$bug\E:\d+: expect cpu 0: lapic.tpr = 0x20\n +expected 0x20, seen 0x30: the known deviation\n +fix     052c.*\n +fixed   6.3\n +manual  SDM.*\n/m, 'a bug is explained');
like($run->{stdout}, qr/^unknown .*\n +\Q$unknown\E:\d+: expect .*\n +expected >= 0x40, seen 0x30\n +fix/m, 'and so is what is unknown');
like($run->{stdout}, qr/^skip .*\n +\S.*(?:intel|amd).*\nskip .*\n +.*--dangerous.*\n/mi, 'skip names what is missing');
like($run->{stderr}, qr/\Asipi: KVM .*, 6 scenarios, 6 runs, seed 0x\w+\n\z/, 'which KVM, and no progress where there is no terminal');
ends('ok', check($ok), 0, qr/^2 ok$/m);
ends('erratum is no failure', check($erratum, $skip), 0, qr/^2 erratum, 2 skip$/m);
ends('dangerous', check('--dangerous', $danger), 0, qr/^2 ok$/m);
ends('an error wins', check($bug, $error), 2, qr/^2 bug, 2 error$/m);
ends('quiet, all is well', check('--quiet', $ok, $erratum, $skip), 0, qr/\A\z/);
$run = check('--quiet', $dir);
is(join(' ', $run->{stdout} =~ /^(\w+) +\w+ +\S+/mg), 'bug bug unknown unknown', 'quiet: only what is wrong') or diag(told($run));

# --- the pages' examples: README.md has a file as a whole, REFERENCE.md one without its header

{
	my ($steps) = slurp('tests/puppet/example.scn') =~ /^(cpus .*)/ms;
	my %example = ('README.md' => slurp('tests/scenarios/xapic-id-reinit.scn'), 'REFERENCE.md' => $steps);
	ok(index(slurp("tests/scenarios/$_"), $example{$_} =~ s/^(?=.)/    /mgr) >= 0, "$_: its example is the file") for sort keys %example;
	ends('and runs', check('--irqchip', 'split', 'tests/puppet/example.scn'), 0, qr/^1 (?:ok|skip)$/m);
}

# --- what is watched from outside: counted where it can be, else a skip that says why

SKIP: {
	my $watch = scenario('bad/watch', 'guard', "cpu 0: set lapic.svr 0x1ff\nrepeat 3\nmsi dest=0 vector=0x41\nend\nexpect trace.kvm_msi_set_irq = 3");
	ends('tracepoints', check($watch), 0, qr/^ +needs .*tracepoint kvm:kvm_msi_set_irq: \S.*\n2 skip$|^2 ok$/m);
	ends('an event that is not there', check(scenario('bad/event', 'guard', 'expect trace.no_such_event = 0')), 0, qr/^ +needs .*tracepoint kvm:no_such_event: \S.*\n2 skip$/m);
	skip 'needs root and mount namespaces', 2 unless $> == 0 && system('unshare -m setpriv --bounding-set=-all true 2>/dev/null') == 0;
	my @ns = ('unshare', '-m', 'sh', '-c');
	ends('no tracefs', check({wrap => [@ns, 'mount -t tmpfs none /sys/kernel && exec "$@"', 'sh']}, $watch), 0,
		qr/^ +needs tracefs, for tracepoint kvm:kvm_msi_set_irq: it is not mounted.*\n2 skip$/m);
	ends('tracefs that may not be read', check({wrap => [@ns, 'mount -t tmpfs none /sys/kernel && mkdir -m 0 /sys/kernel/tracing && ' .
		'exec setpriv --bounding-set=-all --inh-caps=-all "$@"', 'sh']}, $watch), 0,
		qr{^ +needs to read /sys/kernel/tracing, for tracepoint kvm:kvm_msi_set_irq: Permission denied\n2 skip$}m);
}

# --- which runs

sub runs {
	my $file = scratch('runs.json');
	unlink $file;
	my $run = check('--json', $file, @_);
	my $json = eval { decode_json(slurp($file)) } or diag("$@" . told($run));
	return $json;
}
sub names { return join ' ', map { "$_->{id}/$_->{irqchip}/$_->{run}" } @{$_[0]{runs}} }

is(names(runs('--filter', '^[ab]-', $dir)), 'a-bug/kernel/1 a-bug/split/1 b-ok/kernel/1 b-ok/split/1', '--filter');
is(names(runs('--irqchip', 'user,split', $ok)), 'b-ok/split/1', '--irqchip: of those that the scenario names');
is(names(runs('--jobs', 8, '--repeat', 3, '--irqchip', 'kernel', $ok, $bug)),
	'b-ok/kernel/1 b-ok/kernel/2 b-ok/kernel/3 a-bug/kernel/1 a-bug/kernel/2 a-bug/kernel/3', '--repeat, in the order of the command line');
my $all = names(runs('--repeat', 3, $dir));
my @parts = map { names(runs('--repeat', 3, '--shard', "$_/5", $dir)) } 1 .. 5;
is(scalar(split / /, $all), 36, 'runs: scenarios x modes x repetitions');
is(join(' ', sort map { split } @parts), join(' ', sort split / /, $all), 'shards: together everything, once');
cmp_ok((grep { $_ eq '' } @parts), '==', 0, 'and each has some');
ends('a shard with nothing in it', check('--shard', '9/9', $ok), 0, qr/^no runs$/m);
my $json = runs('--seed', '0xfffffffffffffffe', '--repeat', 3, '--irqchip', 'split', $ok);
is(join(' ', map { $_->{seed} } @{$json->{runs}}), '0xfffffffffffffffe 0xffffffffffffffff 0x0', '--seed');
ends('repeat is one line', check('--repeat', 20, $ok), 0, qr/^ok +kernel .* \(20 of 20 runs\)\nok +split .*\n40 ok$/m);
ends('a verdict of some of the runs', check('--repeat', 3, '--irqchip', 'split', $bug), 1, qr/^bug .* \(3 of 3 runs; first with --seed 0x\w+\)\n/m);

# --- formats

sub valid { # by a tool that may not be here
	my ($name, $tool, @cmd) = @_;
	SKIP: {
		skip "$tool is not here", 1 if system("command -v $tool >/dev/null 2>&1");
		is(system("$tool @cmd >" . scratch('tool') . ' 2>&1'), 0, $name) or diag(slurp(scratch('tool')));
	}
}
# The name of a directory may have any bytes.
my $odd = "bad/\x1b[31m \x7f \xff\xfe \xc3\xa9 \xed\xa0\x80 \\ ]]> & \xef\xbf\xbe";
mkdir scratch($odd) or die $!;
$odd = scenario("$odd/odd", 'bug', $exchanged);
my ($xml, $js) = (scratch('x.xml'), scratch('x.json'));
$run = ends('JUnit and JSON beside TAP', check('--tap', '--junit', $xml, '--json', $js, $dir, $error, $odd), 2, qr/^1\.\.\d+$/m);
valid('JUnit is XML', 'xmllint', '--noout', $xml);
valid('JSON is JSON', 'jq', '.', $js);
$json = eval { decode_json(slurp($js)) } // {};
is(scalar @{$json->{runs} // []}, 16, 'JSON has each run');
is("@{$json->{summary}}{qw(ok bug erratum unknown skip error runs)}", join(' ', 2, 4, 2, 2, 4, 2, 16), 'and how many of each verdict');
my ($one) = grep { $_->{id} eq 'unknown' } @{$json->{runs}};
is("$one->{verdict} $one->{class} $one->{fixed} $one->{findings}[0]{expected} $one->{findings}[0]{cmp} $one->{findings}[0]{seen} $one->{findings}[0]{what}",
	'unknown bug 6.3 0x40 >= 0x30 other', 'and what was seen');
is($one->{title}, 'A title: <b> & "quotes" | # of unknown', 'and the title as it is');
is($json->{runs}[-1]{file} =~ s{.*bad/(.*)/odd.scn$}{$1}r, "\x1b[31m \x7f \\xff\\xfe \x{e9} \\xed\\xa0\\x80 \\ ]]> & \x{fffe}",
	'and the odd name, but for what is no UTF-8');
like($json->{host}{kernel} // '', qr/^Linux \d/, 'and the host');
my $junit = slurp($xml);
like($junit, qr/<testsuite name="sipi check" tests="(\d+)" failures="(\d+)" errors="2" skipped="4" /, 'JUnit counts');
is(scalar(() = $junit =~ /<failure type="(?:bug|unknown)"/g), 6, 'JUnit: bug and unknown are failures');
is(scalar(() = $junit =~ /<error type="error"/g), 2, 'JUnit: errors');
is(scalar(() = $junit =~ /<skipped message="[^"]+"/g), 4, 'JUnit: skipped, and why');
like($junit, qr/message="A title: &lt;b&gt; &amp; &quot;quotes&quot; \| # of a-bug">/, 'JUnit: titles are escaped');
unlike("$run->{stdout}$junit" . slurp($js), qr/[\x00-\x09\x0b-\x1f\x7f]/, 'no control character anywhere');
like($run->{stdout}, qr/^not ok 1 - a-bug \(kernel\)\n# bug: A title.*\n# \Q$bug\E:\d+: .*\n#     expected 0x20, seen 0x30/m, 'TAP: a bug');
like($run->{stdout}, qr/^ok 3 - b-ok \(kernel\)\nok 4 - b-ok \(split\)\nok 5 - c-erratum \(kernel\)\n# erratum: /m, 'TAP: ok and erratum');
like($run->{stdout}, qr/^not ok 7 - unknown \(kernel\)\n/m, 'TAP: unknown');
like($run->{stdout}, qr/^ok 9 - skip \(kernel\) # SKIP .*(?:intel|amd)/mi, 'TAP: skip');
like($run->{stdout}, qr/^not ok 13 - error \(kernel\)\n# error: /m, 'TAP: error');
is(join(' ', $run->{stdout} =~ /^(?:not )?ok (\d+)/mg), join(' ', 1 .. 16), 'TAP: each has its number');
SKIP: {
	skip 'no /dev/full', 2 unless -c '/dev/full';
	ends('a full disk, stdout', check({stdout => '/dev/full'}, $ok), 2, qr/^sipi: stdout: No space/m);
	ends('a full disk, --json', check('--json', '/dev/full', $ok), 2, qr{^sipi: /dev/full: No space}m);
}

# --- runs that die or hang

$run = ends('an endless scenario', check('--timeout', 3, '--irqchip', 'split', $hang, $ok), 2, qr/^1 ok, 1 error$/m);
like($run->{stdout}, qr/^error +split +hang .*\n +\Q$hang\E: .*timed out/m, 'its time limit is said');
cmp_ok($run->{seconds}, '<', 8 * $slack, 'and kept');

# The processes of the runs.
sub children {
	my ($run) = @_;
	my @pids;
	for (glob '/proc/[0-9]*/stat') {
		my ($pid, $state, $parent) = slurp_proc($_) =~ /^(\d+) \(.*\) (\w) (\d+)/s or next;
		push @pids, $pid if $parent == $run->{pid} && $state ne 'Z';
	}
	return @pids;
}
sub slurp_proc { open my $f, '<', $_[0] or return ''; return join '', <$f> }
sub first_child {
	my ($run, $not) = @_;
	for (1 .. 1000) {
		my ($pid) = grep { $_ != ($not // 0) } children($run);
		return $pid if $pid;
		sleep 0.01;
	}
	return;
}

{
	my $run = start('check', '--jobs', 1, '--timeout', 60, '--irqchip', 'split', $hang, $ok);
	my $pid = first_child($run);
	kill 'ABRT', $pid // die 'no child';
	ends('a run that dies takes nothing along', finish($run, 30 * $slack), 2, qr/^error +split +hang .*\n +.*died of signal 6 .*\nok .*\n1 ok, 1 error$/m);
}
# One that hangs is killed ten seconds after its time limit: seen at the end.
my $stuck = start('check', '--jobs', 1, '--timeout', 3, '--irqchip', 'split', $hang, $ok);
kill 'STOP', first_child($stuck) // die 'no child';

# --- ends from outside

for (['INT', 130], ['TERM', 143], ['HUP', 129]) {
	my ($signal, $code) = @$_;
	my ($xml, $js) = (scratch("$signal.xml"), scratch("$signal.json"));
	my $run = start('check', '--jobs', 2, '--timeout', 60, '--junit', $xml, '--json', $js, $bug, $hang, $ok);
	wait_for($run, qr/^bug .*\n(?: .*\n)*bug .*split/m);
	# Both places are taken by it then.
	for (1 .. 1000) {
		last if children($run) == 2;
		sleep 0.01;
	}
	my @pids = children($run);
	kill $signal, $run->{pid};
	my $start = time;
	finish($run, 30 * $slack);
	is($run->{code}, $code, "SIG$signal: the exit code");
	cmp_ok(time - $start, '<', 5 * $slack, "SIG$signal: at once");
	like($run->{stdout}, qr/^2 bug; \w.*: 4 of 6 runs were not done$/m, "SIG$signal: what is known is told") or diag(told($run));
	is(scalar(grep { kill 0, $_ } @pids), 0, "SIG$signal: no process is left");
	like(slurp($xml), qr{<testsuite name="sipi check" tests="3" failures="2" errors="1" .*<error [^>]*: 4 of 6 runs were not done"/>.*</testsuite>\n\z}s,
		"SIG$signal: JUnit is whole, and has an error for what was not done");
	is((eval { decode_json(slurp($js)) } // {})->{summary}{done}, 2, "SIG$signal: JSON is whole");
}
{
	my $run = start('check', '--tap', '--jobs', 1, '--timeout', 60, $hang);
	first_child($run);
	kill 'TERM', $run->{pid};
	like(finish($run, 30 * $slack)->{stdout}, qr/\A1\.\.2\nBail out! /, 'TAP: bails out');
}
SKIP: {
	skip 'needs root and PID namespaces', 1 unless $> == 0 && system('unshare -pf true 2>/dev/null') == 0;
	my $run = start({wrap => ['unshare', '--pid', '--fork', '--kill-child']}, 'check', '--jobs', 1, '--timeout', 60, $hang);
	my $first = first_child($run) // die 'no child';
	first_child({pid => $first}) // die 'no run';
	kill 'TERM', $first;
	is(finish($run, 30 * $slack)->{code}, 143, 'SIGTERM as the first process of a container');
}
{
	my $run = start('check', '--jobs', 1, '--timeout', 60, $hang);
	my $pid = first_child($run);
	kill 'KILL', $run->{pid};
	finish($run);
	my $left = 1;
	for (1 .. 500) {
		last unless $left = kill 0, $pid;
		sleep 0.01;
	}
	ok(!$left, 'SIGKILL leaves no process');
}
{
	my $run = start({wrap => ['sh', '-c', 'trap "" HUP; exec "$@"', 'sh']}, 'check', '--jobs', 1, '--timeout', 3, '--irqchip', 'split', $hang, $ok);
	first_child($run);
	kill 'HUP', $run->{pid};
	ends('what nohup ignores stays ignored', finish($run, 30 * $slack), 2, qr/^1 ok, 1 error$/m);
}

# --- progress, on a terminal

SKIP: {
	skip 'IO::Pty is not here', 2 unless eval { require IO::Pty };
	my $pty = IO::Pty->new;
	my $out = scratch('pty.out');
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDERR, '>&', $pty->slave or POSIX::_exit(126);
		open STDOUT, '>', $out or POSIX::_exit(126);
		exec $sipi, 'check', $ok or POSIX::_exit(126);
	}
	waitpid $pid, 0;
	# What a terminal was sent comes a little later, and in pieces.
	my ($seen, $bits) = ('', '');
	vec($bits, fileno $pty, 1) = 1;
	1 while select(my $ready = $bits, undef, undef, 1) && sysread $pty, $seen, 4096, length $seen;
	like($seen, qr{\r\e\[K\[0/2\] b-ok kernel.*\r\e\[K\z}s, 'progress is shown, and gone in the end');
	unlike(slurp($out), qr/\e/, 'but not on stdout');
}

# --- sipi errata

sub errata { return sipi({limit => 60 * $slack}, 'errata', @_) }

$run = ends('errata: the verdicts decide', errata('--scenarios', $dir), 1, qr/^2 ok, 2 bug, 2 erratum, 2 unknown, 4 skip$/m);
is(join(' ', map { (split)[0, 1] } grep { /^(?!VERDICT)\w+ .*kernel split/ } split /\n/, $run->{stdout}),
	'unknown unknown bug a-bug erratum c-erratum skip skip skip zz-danger ok b-ok', 'errata: a row for both modes, the worst first');
like($run->{stdout}, qr/^VERDICT +ID +IRQCHIP +EXPECTED +SEEN +FIXED IN +TITLE\n/, 'errata: the head');
like($run->{stdout}, qr/^bug +a-bug +kernel split +0x20 +0x30 +6\.3 +A title.*\n +expect cpu 0: lapic\.tpr = 0x20\n +fix 052c/m, 'errata: what was seen, of what, and the fix');
like($run->{stdout}, qr/^# bug: KVM deviates.*\nbug +a-bug.*\n(?: .*\n)*\n# erratum: .*\nerratum +c-erratum /m, 'errata: what each verdict means');
like($run->{stdout}, qr/^ok +b-ok +kernel split +0x30 +0x30 +6\.3 .*\n\n/m, 'errata: observed, also where it is ok, but no fix');
like($run->{stdout}, qr/^skip +zz-danger .*\n +.*--dangerous/m, 'errata: why it was skipped');
ends('errata: some ids', errata('--scenarios', $dir, '--irqchip', 'split', 'b-ok', 'c-erratum'), 0, qr/^1 ok, 1 erratum$/m);
ends('errata: an unknown id', errata('--scenarios', $dir, 'b-ok', 'frob'), 2, qr/^sipi: errata: 'frob': no such id in /);
ends('errata: no scenarios', errata('--scenarios', '/nowhere'), 2, qr{^sipi: /nowhere: No such file});
$run = ends('errata --markdown', errata('--scenarios', $dir, '--markdown'), 1, qr/^# KVM errata on this host\n/m);
my $rest = qr/.*\n(?: {21}\S.*\n)*/;
like($run->{stdout}, qr/^    sipi +\d.*\n    kernel +Linux \d$rest    CPU +\S$rest(?:    hypervisor +\S$rest)?    KVM +\S$rest(?:    module kvm.* $rest)*\n/m, 'markdown: the host');
is($run->{stdout} =~ /^    hypervisor /m ? 1 : 0, slurp('/proc/cpuinfo') =~ /^flags.*\bhypervisor\b/m ? 1 : 0, 'markdown: whether the host is virtual');
like($run->{stdout}, qr/^\| bug \| a-bug \| A title: \\<b\\> & "quotes" \\\| # of a-bug \| kernel split \| 0x20 \| 0x30 \| 052c.* \| 6\.3 \|$/m, 'markdown: a row');
like($run->{stdout}, qr/^### a-bug \(kernel split\): bug\n\n    .*a-bug.scn:\d+: expect/m, 'markdown: details');
for my $line (grep { /^\|/ } split /\n/, $run->{stdout}) {
	is(scalar(() = $line =~ /(?<!\\)\|/g), 9, 'markdown: eight columns') or diag($line);
}

# Of one: a report that can be sent alone.
my $wide = scenario('about', 'bug', "cap x2apic_api use_32bit_ids\n# Why.\n\tcpu 0:\tset lapic.tpr 0x30\nexpect cpu 0: lapic.tpr = 0x20\ndeviates 0x30",
	join "\n", 'about  A VMM <tag> and *stars* of TPR[7:4].', 'about    ' . 'word ' x 20, 'cause kvm_lapic_reset(), lapic.c', 'seen erratum on Linux 6.1');
$run = ends('errata --markdown ID', errata('--scenarios', scratch('about.scn'), '--markdown', 'about'), 1, qr/^# KVM: x86: A title: \\<b> & "quotes" \| # of about\n\n/);
my ($what, $seen_here, $how, $versions) = split /^## .*\n/m, $run->{stdout};
like($what, qr/^A VMM \\<tag> and \\\*stars\\\* of TPR\[7:4\]\. word(?:[ \n]word){19}\n\nkvm_lapic_reset\(\), lapic\.c\n\nManual: SDM vol\. 3A, 11\.4\n\nFix: 052c.*\n\nFirst release with it: 6\.3\n\n\z/m,
	'report: what is wrong, and where');
is(scalar(grep { length > 80 && !/^#/ } split /\n/, $what), 0, 'report: lines of a mail');
my $seen_lines = join '', map { s/^ {8}/    /r } grep { /about\.scn:\d+:|^ +expected / } split /^/, check($wide)->{stdout} =~ s/\nbug +split.*//sr;
like($seen_here, qr/^\nKVM .*, Linux .*:\n\nWith in-kernel irqchip, split irqchip: deviates \(verdict 'bug'\)\n\n\Q$seen_lines\E\nSeen elsewhere: erratum on Linux 6\.1\n/, 'report: what check prints, once for both modes');
my $source = join '', map { /^\n/ ? $_ : "    $_" } grep { !/^(?:about|cause) / } split /^/, slurp($wide);
like($how, qr/^    sipi check --irqchip kernel \Q$wide\E\n\n.*\n.*:\n\n\Q$source\E\n/m, 'report: the text, but what stands above');
my ($emit) = $how =~ /^    sipi (check --emit-c about\.c .*)\n    gcc -pthread about\.c && \.\/a\.out\n/m;
$run = sipi({limit => 60 * $slack}, map { $_ eq 'about.c' ? scratch('about.c') : $_ } split / /, $emit // 'check');
like(-f scratch('about.c') && slurp(scratch('about.c')), qr/^ \* A VMM <tag>.*\n \* word.*\n \*\n \* kvm_lapic_reset\(\), lapic\.c\n \*\n \* id /m, 'report: the command that writes the program');
like($versions, qr/^    sipi +\d.*\n    kernel +Linux \d/m, 'report: the host');
$run = errata('--scenarios', $dir, '--markdown', 'b-ok', 'c-erratum', 'skip');
is(join('; ', $run->{stdout} =~ /^(# KVM|---|Fix: \w+|With .*)/mg),
	"# KVM; Fix: 052c3b99cbc8; With in-kernel irqchip, split irqchip: as the manual says (verdict 'ok'); "
	. "---; # KVM; Fix: 052c3b99cbc8; With in-kernel irqchip, split irqchip: deviates (verdict 'erratum'); "
	. "---; # KVM; Fix: 052c3b99cbc8; With in-kernel irqchip, split irqchip: not run (verdict 'skip')",
	'report: several, each complete, whatever was seen') or diag($run->{stdout});
my $user = spew('user-alone.scn', slurp($bug) =~ s/a-bug/user-alone/gr =~ s/^modes.*/modes user/mr);
$run = errata('--scenarios', $user, '--irqchip', 'user', '--markdown', 'user-alone');
like($run->{stdout}, qr/^With irqchip of sipi's own, without KVM's: deviates .*^    sipi check --irqchip user .*^It cannot be told as a C program/ms, 'report: what has no program');
if (-d 'tests/scenarios') {
	like(errata()->{stdout}, qr/^\w+ +xapic-id-reinit +/m, 'errata: the scenarios of the source tree');
}
ends('a run that hangs is killed', finish($stuck, 60 * $slack), 2, qr/^error +split +hang .*\n +.*did not end within 3 s and was killed\nok .*\n1 ok, 1 error$/m);
done_testing;

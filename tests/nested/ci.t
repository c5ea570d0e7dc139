#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# tools/ci/boot: which host it takes and what it says of it, what it writes of each way a boot ends, and the commands of the two CI
# files, run in a fresh clone. NESTED_KERNEL names another nested host than its default.
use strict;
use warnings;
use Cwd qw(getcwd);
use FindBin;
use lib "$FindBin::Bin/../boot";
BEGIN { $ENV{SIPI} = 'tools/ci/boot' }
use Sipi;
use Test::More;
use YAML::XS ();

delete @ENV{qw(CI GITHUB_STEP_SUMMARY MAKEFLAGS MFLAGS MAKELEVEL)};
my @kernel = ('--kernel', $ENV{NESTED_KERNEL} || '6.12');
my $limit = 300; # seconds for what may be a nested host's run
my $out = scratch('results');
my $here = getcwd;

sub ends {
	my ($name, $run, $code, $re) = @_;
	ok(!$run->{hung} && $run->{code} == $code && $run->{stderr} =~ $re, $name)
		or diag("code $run->{code}, expected $code and $re\n$run->{stderr}$run->{stdout}");
}

sub refused {
	my ($name, $re, @args) = @_;
	my $run = sipi(@args);
	ends($name, $run, 2, qr/\Aci: $re.*\n\z/);
}

# What is in a boot's JUnit file.
sub found { my ($name, $query) = @_; return xpath("$out/$name.xml", "string($query)") }

# The example, built as its user would, but not here.
my $example = scratch('example');
system("cp -r tools/ci/example $example && rm -f $example/kernel && make -s -C $example") == 0 or die 'the example';
my $kernel = "$example/kernel";
my $expected = slurp('tools/ci/example/expected');
my @met = ('--expect', 'example: ready', '--fail', 'PANIC');

# --- the command line, and what is missing

refused('no image', qr/no image; --help/);
refused('an empty image', qr/no image/, '');
refused('an unknown option', qr/.*cpus; options of sipi run stand after IMAGE/, '--cpus', 2, $kernel);
refused("$_->[0] '$_->[1]'", qr/$_->[0] '\Q$_->[1]\E': expected/, @$_, $kernel)
	for ['--host', 'xen'], ['--timeout', 0], ['--timeout', 'x'], ['--timeout', 90000], ['--name', '../x'], ['--name', ''];
refused("$_ is ours", qr/$_: not with a boot in CI/, $kernel, $_, 'x') for '--serial', '--control', '--dump-dtb';
refused('--out to nowhere', qr{--out /proc/x/y: No such file}, '--out', '/proc/x/y', $kernel);
my $help = sipi('--help');
ok($help->{code} == 0 && $help->{stdout} =~ /^usage:/ && $help->{stderr} eq '', '--help');
refused('a missing image', qr{/nowhere/kernel: No such file}, '--out', $out, '--name', 'missing', '/nowhere/kernel');
is(found('missing', '//testsuite/@errors'), 1, 'a missing image: an error');
is(found('missing', '//error/@message'), 'ci: /nowhere/kernel: No such file or directory', 'a missing image: its message');

# --- no /dev/kvm

my $mounts = $> == 0 && system('unshare -m true 2>/dev/null') == 0;
my $dev = 'mount -t tmpfs none /dev && chmod 755 /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 && ' .
	'ln -s /proc/self/fd /dev/fd';
sub hidden { return {limit => $limit, wrap => ['unshare', '-m', 'sh', '-c', "$_[0] && exec \"\$\@\"", 'sh']} }
my $nested = qr/\Aci: host: nested, Linux \S+ on QEMU's TCG; /;

SKIP: {
	skip 'needs root and mount namespaces', 12 unless $mounts;
	my ($trace, $tree) = ("$out/trace", scratch('example/machine.dtb'));
	system('build/sipi-static', 'run', '--mem', '32M', '--dump-dtb', $tree);
	my $run = sipi(hidden($dev), @kernel, '--out', $out, '--name', 'nested', "$example/../example/kernel", @met, "--trace=$trace",
		       '--machine', $tree);
	ends('no /dev/kvm: a nested host, and why', $run, 0, qr{$nested/dev/kvm: No such file.*\nnested: Linux .*by kvm_amd .* 32 MiB,.*met}s);
	is($run->{stdout}, $expected, 'no /dev/kvm: the console');
	is(slurp("$out/nested.log"), $expected, 'no /dev/kvm: the console in a file');
	like(slurp($trace), qr/ end: the expectation was met/, 'no /dev/kvm: --trace is brought back');
	is(found('nested', '//testcase[not(*[self::failure or self::error or self::skipped])]/@name'), 'nested', 'no /dev/kvm: passed');
	like(found('nested', '//property[@name="host"]/@value'), qr/^nested, Linux/, 'no /dev/kvm: JUnit has the host');
	cmp_ok(found('nested', '//testcase/@time'), '>', 1, 'no /dev/kvm: JUnit has the time');

	$run = sipi(hidden($dev), '--host', 'kvm', '--out', $out, '--name', 'refused', $kernel, @met);
	ends('--host kvm takes no other', $run, 77, qr{\Aci: --host kvm: /dev/kvm: No such file.*\n\z});
	like(found('refused', '//skipped/@message'), qr{/dev/kvm: No such file}, '--host kvm: JUnit has why');
	is(found('refused', '//testsuite/@skipped'), 1, '--host kvm: skipped');
	# The host is chosen before the kernel is looked for.
	$run = sipi(hidden('touch /dev/null'), '--kernel', '/none', '--host', 'nested', $kernel);
	ends('--host nested, without its kernel', $run, 2, qr/\Aci: host: nested.*; --host nested\nnested: --kernel '\/none': expected/);
	SKIP: {
		skip 'no /dev/kvm to put something else over', 1 unless -e '/dev/kvm';
		$run = sipi(hidden('mount --bind /dev/null /dev/kvm'), '--kernel', '/none', $kernel);
		ends('a /dev/kvm that is none', $run, 2, qr{$nested/dev/kvm: not a KVM});
	}
}

# --- /dev/kvm

my $kvm = system('build/sipi-static probe >/dev/null 2>&1') == 0;
SKIP: {
	skip 'no usable /dev/kvm', 10 unless $kvm;
	my $run = sipi('--out', $out, $kernel, @met);
	ends('/dev/kvm', $run, 0, qr{\Aci: host: /dev/kvm, .*\nsipi: KVM by .*met}s);
	is(slurp("$out/kernel.log"), $expected, '/dev/kvm: the console');
	like(found('kernel', '//property[@name="host"]/@value'), qr{^/dev/kvm, }, '/dev/kvm: JUnit has the host');
	is(found('kernel', '//system-out'), $expected, '/dev/kvm: JUnit has the console');
	skip 'needs root and mount namespaces', 6 unless $mounts;

	# As nobody, in a copy: the checkout may lie where nobody cannot look. Whom sudo obeys is a process that root left running.
	my $as_nobody = sub {
		my ($sudo, @args) = @_;
		spew('sudo', "#!/bin/sh\nshift\necho \"\$*\" >/mnt/ask\nread -r code </mnt/answer\nexit \$code\n");
		my $prepare = 'mount -t tmpfs none /mnt && chmod 755 /mnt && mkdir -p /mnt/bin /mnt/tree/build /mnt/tree/tools && ' .
			"cp -r tools/ci tools/nested tools/need /mnt/tree/tools && cp build/sipi-static /mnt/tree/build && cp $kernel /mnt/kernel && " .
			'install -m 755 ' . scratch('sudo') . ' /mnt/bin && mkfifo -m 666 /mnt/ask /mnt/answer && ' .
			"$dev && mknod -m 600 /dev/kvm c 10 232 && { while read -r line </mnt/ask; do $sudo; echo \$? >/mnt/answer; done & } && " .
			'shift && PATH=/mnt/bin:$PATH && ' .
			'{ setpriv --reuid=65534 --regid=65534 --clear-groups /mnt/tree/tools/ci/boot "$@"; code=$?; ' .
			'stat -c "mode %a" /dev/kvm; kill $!; exit $code; }';
		return sipi({limit => $limit, wrap => ['unshare', '-m', 'sh', '-c', $prepare, 'sh']}, @args, '/mnt/kernel', @met);
	};
	$run = $as_nobody->('$line', '--host', 'kvm');
	ends('no permission', $run, 2, qr{\Aci: --host kvm: /dev/kvm: permission denied; its mode is 0600.*\n\z});
	is($run->{stdout}, "mode 600\n", 'no permission, and no CI job: nothing is changed');
	local $ENV{CI} = 'true';
	$run = $as_nobody->('case $line in chmod*) $line ;; *) false ;; esac', '--host', 'kvm');
	ends('sudo gives it', $run, 0, qr{\Aci: /dev/kvm: permission denied; given by: sudo chmod 0666 /dev/kvm\nci: host: /dev/kvm, .*met}s);
	is($run->{stdout}, "${expected}mode 666\n", 'sudo gives it: the console');
	$run = $as_nobody->('false', '--kernel', '/none');
	ends('sudo refuses: a nested host, and why', $run, 2, qr{$nested/dev/kvm: permission denied.*\nnested: --kernel '/none'});
	is($run->{stdout}, "mode 600\n", 'sudo refuses: nothing is changed');
}

# --- how a boot ends, on what host there is

sub boots { my ($name, @args) = @_; return sipi({limit => $limit}, @kernel, '--out', $out, '--name', $name, @args) }

{
	local $ENV{GITHUB_STEP_SUMMARY} = spew('summary', "before\n");
	my $run = boots('fails', $kernel, '--fail', 'memory .k');
	ends('a guest that fails', $run, 1, qr/--fail 'memory \.k'/);
	is(found('fails', '//testsuite/@failures'), 1, 'a guest that fails: a failure');
	like(found('fails', '//failure/@message'), qr/^sipi: .*--fail 'memory \.k'/, 'a guest that fails: its message');
	like(found('fails', '//failure'), qr/memory ok.*\n\nci: host: .*sipi: KVM by/s, 'a guest that fails: console and messages');
	$run = boots('late', '--timeout', 5, $kernel, '--expect', 'example: ready', '--expect', '<login>:');
	ends('a time-out names the expectation', $run, 4, qr/timed out after 5 s.*'<login>:'/);
	like(found('late', '//failure[@type="exit code 4"]/@message'), qr/^sipi: timed out.*'<login>:'/, 'a time-out: its message');
	like(slurp(scratch('summary')), qr/\Abefore\n- \*\*fails\*\*: failure, [\d.]+ s, on .+: sipi: .*\n- \*\*late\*\*: failure.*\n\z/,
		"GitHub's summary has a line a boot");
}
{
	# call, pop si, add si; then what lies behind the code goes to 0x3f8 up to its NUL, and 0 to 0xf4.
	my $print = "\xe8\0\0\x5e\x83\xc6\x15\x2e\xac\x84\xc0\x74\x06\xba\xf8\x03\xee\xeb\xf4\xba\xf4\0\xee\xf4";
	my $text = "a<b>&\"]]>\e[31m\x01\xff\xed\xa0\x80\r\n";
	my $run = boots('odd', spew('odd', "$print$text\0"), '--load', '0x1000', '--entry-mode', 'real');
	ok($run->{code} == 0 && $run->{stdout} eq $text, 'a console with odd bytes passes as it is') or diag($run->{stderr});
	is(found('odd', '//system-out'), "a<b>&\"]]>?[31m?????\n", 'odd bytes: JUnit is valid');
	boots('utf8', spew('utf8', "$print\xc3\xa9\xe2\x82\xac\n\0"), '--load', '0x1000', '--entry-mode', 'real');
	is(found('utf8', '//system-out'), "\xc3\xa9\xe2\x82\xac\n", 'UTF-8 stays');
}
SKIP: {
	skip 'no usable /dev/kvm: an emulated one is too slow for a flood', 4 unless $kvm;
	# mov dx, 0x3f8; then for ever 4 KiB from cs:0 on, by rep outsb.
	my $write = spew('write', "\xba\xf8\x03\x31\xf6\xb9\0\x10\x2e\xf3\x6e\xeb\xf6");
	my $run = boots('flood', '--timeout', 3, $write, '--load', '0x1000', '--entry-mode', 'real');
	is($run->{code}, 4, 'a flood: the time limit holds');
	cmp_ok(length $run->{stdout}, '>', 3 << 15, 'a flood: all of it passes');
	cmp_ok(-s "$out/flood.xml", '<', 3 << 15, 'a flood: JUnit has its end');
	is(slurp("$out/flood.log"), $run->{stdout}, 'a flood: the log has all of it');
}
ends('a full disk', sipi({limit => $limit, stdout => '/dev/full'}, @kernel, $kernel, @met), 2, qr/^ci: stdout: No space left/m);
{
	my $run = start(@kernel, '--out', $out, '--name', 'ended', $kernel);
	for (1 .. 10) {
		last if wait_for($run, qr/ready/);
	}
	kill 'TERM', $run->{pid};
	ends('SIGTERM', finish($run, $limit), 143, qr/KVM by/);
	is(found('ended', '//testsuite/@errors'), 1, 'SIGTERM: JUnit says so');
	my @left = grep { slurp($_) =~ /\Q$kernel\E/ } glob '/proc/[0-9]*/cmdline';
	is("@left", '', 'SIGTERM leaves nothing behind');
}

# --- the CI files: their commands in a fresh clone of this tree, as it is now

my ($github, $gitlab) = map { YAML::XS::LoadFile("tools/ci/$_.yml") } 'github', 'gitlab';
my $job = $github->{jobs}{boot};
is_deeply([sort keys %{$github->{on}}], [qw(pull_request push workflow_dispatch)], 'github.yml: when it runs');
my ($upload) = grep { ($_->{uses} // '') =~ /^actions\/upload-artifact@/ } @{$job->{steps}};
ok($upload->{if} eq 'always()' && $upload->{with}{path} eq 'results/', 'github.yml: results of a failed boot, too');
my $base = $gitlab->{'.sipi'};
is($gitlab->{boot}{extends}, '.sipi', 'gitlab.yml: the job has what .sipi has');
ok($base->{artifacts}{when} eq 'always' && $base->{artifacts}{reports}{junit} eq 'results/*.xml', 'gitlab.yml: JUnit is published');

my $remote = scratch('remote');
my $workspace = scratch('workspace');
system("mkdir $remote $workspace && git ls-files -coz --exclude-standard | tar -c --null --ignore-failed-read -T - | tar -x -C $remote && " .
	"cd $remote && git init -q -b main && git add -A && git -c user.name=ci -c user.email=ci commit -qm ci") == 0 or die 'a clone';
my $cache = $ENV{SIPI_CACHE} || ($ENV{XDG_CACHE_HOME} || "$ENV{HOME}/.cache") . '/sipi';
symlink $cache, "$workspace/.sipi-cache";

# Its packages are here already: not the step that installs them.
sub step {
	my ($name, $shell, $command) = @_;
	local @ENV{qw(SIPI_REF CI_PROJECT_DIR SIPI_CACHE)} = ('main', $workspace, "$workspace/.sipi-cache");
	spew('step', $command);
	my $text = qx(cd $workspace && $shell ${\scratch('step')} 2>&1);
	is($? >> 8, 0, $name) or diag($text);
	return $text;
}

{
	local $ENV{SIPI_URL} = "file://$remote";
	my @run = grep { $_->{run} && $_->{name} ne 'Packages' } @{$job->{steps}};
	is(scalar @run, 3, 'github.yml: three steps besides the packages');
	step("github.yml: $_->{name}", 'bash --noprofile --norc -eo pipefail', $_->{run}) for @run;
	is(slurp("$workspace/results/example.log"), $expected, 'github.yml: the example');
	unlink glob "$workspace/results/*";
	my @script = grep { !/^apt-get/ } @{$base->{before_script}}, @{$gitlab->{boot}{script}};
	my $text = step('gitlab.yml: its script', 'sh -e', join "\n", @script);
	like($text, qr/^ci: host: /m, 'gitlab.yml: the host is named');
	ok(slurp("$workspace/results/example.log") eq $expected && -s "$workspace/results/example.xml", 'gitlab.yml: the example');
}
for (['github.yml', (map { $_->{run} } grep { ($_->{run} // '') =~ /SIPI_URL/ } @{$job->{steps}})],
     ['gitlab.yml', join "\n", grep { /SIPI_URL/ } @{$base->{before_script}}]) {
	my ($name, $command) = @$_;
	spew('step', $command);
	like(qx(cd $workspace && SIPI_REF=main sh -e ${\scratch('step')} 2>&1), qr/has no variable SIPI_URL/, "$name: without SIPI_URL");
}
done_testing;

#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# --expect and --fail: what the guest says decides the exit code and the closing line, wherever it goes and however the
# run ends.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Sipi;
use Test::More;

my $slack = $ENV{SIPI_SLACK} || 1;
my $talk = 'build/guest/talk';
my $after = qr/, after \d+\.\d{3} s/;

# A closing line that is this.
sub closing { my $re = shift; return qr/^sipi: $re$/m }

# The run must end by itself with this code and say this.
sub ends {
	my ($name, $code, $re, @args) = @_;
	my $opt = ref $args[0] ? shift @args : {limit => 60 * $slack};
	my $run = sipi($opt, 'run', @args);
	ok(!$run->{hung} && $run->{code} == $code && $run->{stderr} =~ $re, $name)
		or diag("code $run->{code}, expected $code and $re\n$run->{stderr}$run->{stdout}");
	return $run;
}

# --- the command line

for (['--expect', '(', 'Unmatched \( or \\\\\('], ['--fail', '[[:x:]]', 'Invalid character class name']) {
	my ($opt, $bad, $why) = @$_;
	my $run = ends("$opt with a bad pattern", 2, qr/\Asipi: $opt '\Q$bad\E': $why\n\z/, $opt, $bad, $talk, 'x');
	is($run->{stdout}, '', 'and no guest is started');
}
ends('an empty pattern', 2, qr/\Asipi: --fail: a pattern that is empty or has a newline\n\z/, '--fail', '', $talk);
ends('a back-reference', 2, qr/\Asipi: --expect '\(a\)\\1': a back-reference\n\z/, '--expect', '(a)\1', $talk);
ends('65 patterns', 2, qr/\Asipi: --expect: more than 64 patterns\n\z/, ('--expect', 'x') x 65, $talk);
{
	my $dtb = scratch('m.dtb');
	sipi('run', '--dump-dtb', $dtb);
	my $dts = qx(dtc -q -I dtb -O dts $dtb);
	$dts =~ s/serial\@.*?\};|stdout-path.*?;//gs;
	my $none = spew('none.dts', $dts);
	system("dtc -q -I dts -O dtb -o $dtb $none") == 0 or die 'dtc';
	ends('a machine without a serial line', 2, qr/\Asipi: --expect, --fail: this machine has no serial line\n\z/,
		'--expect', 'x', '--machine', $dtb, $talk);
}

# --- each irqchip mode, each loop, each kind of serial line

my %modes = irqchip_modes();
for my $io ('io_uring', 'epoll') {
	local $ENV{SIPI_IO} = $io;
	for my $mode (sort keys %modes) {
	SKIP: {
			my $why = $modes{$mode} || (sipi('run', $talk, 'x', 'exit=0')->{code} == 77 && "no $io");
			skip $why, 3 if $why;
			my $run = ends("$mode, $io: in order, the last one a prompt", 0, closing("all 3 expectations met$after"),
				'--irqchip', $mode, '--expect', '^ready$', '--expect', 'go', '--expect', '^login: ',
				$talk, 'go/ready/go_on/login:_');
			is($run->{stdout}, "go\r\nready\r\ngo on\r\nlogin: ", 'all of it was printed');
			ends("$mode, $io: --fail", 1, closing("the console matched --fail 'pan\\+ic': Kernel panic(?: - now)?$after"),
				'--irqchip', $mode, '--fail', 'pan+ic', $talk, 'fine/Kernel_panic_-_now/more');
		}
	}
}
{
	my $to = scratch('console');
	ends('--serial null', 0, closing("the expectation was met$after"), '--serial', 'null', '--expect', 'b', $talk, 'a/b/c');
	ends('--serial file:', 0, closing("the expectation was met$after"), '--serial', "file:$to", '--expect', 'b', $talk, 'a/b/c');
	is(slurp($to), "a\r\nb\r\n", 'all that the guest printed, up to the end of the line, is in the file');
}

# --- order, and where the search goes on

ends('out of order', 1, closing("guest ended with exit code 0$after; --expect 'one' \\(2 of 2\\) was not met"),
	'--expect', 'two', '--expect', 'one', $talk, 'one/two/', 'exit=0');
ends('two on one line', 0, closing("all 2 expectations met$after"), '--expect', 'one', '--expect', 't.*o$', $talk, 'one_two/');
ends('not the same text twice', 1, qr/--expect 'one' \(2 of 2\) was not met/, '--expect', 'one', '--expect', 'one',
	$talk, 'one/', 'exit=0');
ends('no line begins behind a match', 1, qr/--expect '\^two' \(2 of 2\) was not met/,
	'--expect', 'one', '--expect', '^two', $talk, 'onetwo/', 'exit=0');
ends('no line ends in a pause', 1, qr/--expect '\^one\$' \(1 of 1\) was not met/, '--expect', '^one$', $talk, 'one~two/', 'exit=0');
ends('a prompt that goes on', 0, closing("all 3 expectations met$after"),
	'--expect', 'login:', '--expect', '^word:', '--expect', '#', $talk, 'login:~root/word:~secret~#');

# --- --fail

ends('--fail wins on a line', 1, closing("the console matched --fail 'bad': good and bad$after"),
	'--expect', 'good', '--fail', 'none', '--fail', 'bad', $talk, 'good_and_bad/');
ends('--fail behind the last expectation', 0, closing("the expectation was met$after"),
	'--expect', 'good', '--fail', 'bad', $talk, 'good/bad/');
ends('--fail without an end of line', 1, closing("the console matched --fail 'bad': bad$after"), '--fail', 'bad', $talk, 'bad');
ends('--fail that does not match', 0, closing("guest ended with exit code 0$after"), '--fail', 'bad', $talk, 'good', 'exit=0');

# --- ends that come first

ends('the last words count: met', 0, closing("all 2 expectations met$after"), '--expect', 'one', '--expect', 'two$',
	$talk, 'one/two', 'exit=7');
ends('the last words count: --fail', 1, closing("the console matched --fail 'two': two$after"), '--fail', 'two',
	$talk, 'one/two', 'exit=0');
ends("the guest's own code", 7, closing("guest ended with exit code 7$after; --expect 'two' \\(2 of 3\\) was not met"),
	'--expect', 'one', '--expect', 'two', '--expect', 'three', $talk, 'one/', 'exit=7');
is(ends('--quiet says what was not met', 1, qr/\Asipi: guest ended.* was not met\n\z/, '--quiet', '--expect', 'x', $talk, 'a',
	'exit=0')->{stdout}, 'a', 'and prints the console');
is(ends('--quiet says nothing of a success', 0, qr/\A\z/, '--quiet', '--expect', 'a', $talk, 'a')->{stdout}, 'a',
	'and prints the console');
ends('a crash', 3, qr/^sipi: cpu 0: triple fault$after; --expect 'never' \(1 of 1\) was not met$/m,
	'--expect', 'never', 'build/guest/triple');
ends('a crash that was waited for', 0, closing("the expectation was met$after"), '--expect', 'here it comes', 'build/guest/triple');
my $seconds = 3 * $slack;
ends('a time-out', 4, closing("timed out after $seconds s; --expect 'login:' \\(2 of 3\\) was not met"),
	'--timeout', $seconds, '--expect', 'one', '--expect', 'login:', '--expect', 'x', $talk, 'one/');
ends('a reset that ends the run', 1, closing("ended by a reset \\(hard\\)$after; --expect 'never' \\(1 of 1\\) was not met"),
	'--reboot', 'never', '--expect', 'never', 'build/guest/reset', 'how=hard');
SKIP: {
	my $run = sipi('run', 'build/guest/insn');
	skip 'this host executes cmpxchg16b', 1 if $run->{code} == 0;
	ends('KVM gives up', 5, qr/KVM_EXIT_INTERNAL_ERROR.*; --expect 'never' \(1 of 1\) was not met$/m,
		'--expect', 'never', 'build/guest/insn');
}
{
	my $run = start('run', '--expect', 'never', $talk, 'here/');
	wait_for($run, qr/here/);
	kill 'TERM', $run->{pid};
	$run = finish($run, 20 * $slack);
	ok($run->{code} == 143 && $run->{stderr} =~ /^sipi: Terminated.*; --expect 'never' \(1 of 1\) was not met$/m, 'SIGTERM')
		or diag("code $run->{code}\n$run->{stderr}");
	my $path = scratch('ctl');
	$run = start('run', '--control', $path, '--expect', 'never', $talk, 'here/');
	wait_for($run, qr/here/);
	sipi('ctl', $path, 'quit');
	$run = finish($run, 20 * $slack);
	ok($run->{code} == 1 && $run->{stderr} =~ /^sipi: quit by a control client.*; --expect 'never' \(1 of 1\) was not met$/m,
		'quit') or diag("code $run->{code}\n$run->{stderr}");
}

# --- a flood, with and without ends of lines

for my $dots (0, 1) {
	my $run = ends("a flood, dots=$dots", 0, closing("the expectation was met$after"), '--expect', 'the last', '--fail', '^,',
		$talk, 'the_last/', 'flood=512', "dots=$dots");
	is(length $run->{stdout}, 512 * 64 + length("the last\r\n"), 'and all of it was printed');
}
done_testing;

#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# The control socket and `sipi ctl`, with a guest that runs: every command, good and bad, and clients that mean harm.
# SEED=n repeats the random part.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Sipi;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM SHUT_WR MSG_DONTWAIT);
use Test::More;
use Time::HiRes qw(time sleep);

my $slack = $ENV{SIPI_SLACK} || 1;
my $seed = $ENV{SEED} || time ^ $$;
srand $seed;
$SIG{PIPE} = 'IGNORE'; # a machine that has ended is told by its silence
my ($run, $path, $mode);

# --- two ways to talk

sub ctl { return sipi('ctl', $path, @_) }

# Must be done: code 0, nothing on stderr, and this on stdout.
sub done_ok {
	my ($name, $re, @args) = @_;
	my $r = ctl(@args);
	ok($r->{code} == 0 && $r->{stderr} eq '' && $r->{stdout} =~ $re, "$name ($mode)")
		or diag("@args: code $r->{code}, expected $re\n$r->{stderr}$r->{stdout}");
	return $r->{stdout};
}

# Must be refused: code 1, one line on stderr.
sub refused {
	my ($re, @args) = @_;
	my $r = ctl(@args);
	my $name = join ' ', @args;
	ok($r->{code} == 1 && $r->{stdout} eq '' && $r->{stderr} =~ /^sipi: ctl: .*\n\z/ && $r->{stderr} =~ $re,
		"refused: '$name' ($mode)") or diag("code $r->{code}, expected $re\n$r->{stderr}$r->{stdout}");
}

sub client {
	my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or return;
	$s->autoflush(1);
	return $s;
}

# What comes up to the next newline, or undef at the end or after some seconds.
sub hear {
	my ($s) = @_;
	my $line = eval {
		local $SIG{ALRM} = sub { die "alarm\n" };
		alarm 10 * $slack;
		my $l = <$s>;
		alarm 0;
		$l;
	};
	alarm 0;
	return $line;
}

sub ask {
	my ($s, $line) = @_;
	syswrite $s, "$line\n";
	return hear($s) // 'nothing';
}

# --- what the machine does

sub resets { return ctl('status')->{stdout} =~ /resets=(\d+)/ ? $1 : -1 }
sub boots { return scalar(() = slurp($run->{out}) =~ /spin: for ever/g) }
sub rip { return ctl('regs', 0)->{stdout} =~ /rip=(\w+)/ ? $1 : 'unknown' }

# The spin guest loops over two instructions.
sub runs {
	my $first = rip();
	for (1 .. 100) { return 1 if rip() ne $first }
	return 0;
}

sub alive {
	my ($name) = @_;
	my $r = ctl('status');
	ok($r->{code} == 0 && $r->{stdout} =~ /^running irqchip=$mode / && runs(), "$name: the guest still runs ($mode)")
		or diag($r->{stderr}, $r->{stdout}, slurp($run->{err}));
}

sub boots_again {
	my ($name, $before) = @_;
	my $end = time + 10 * $slack;
	sleep 0.01 while boots() <= $before && time < $end;
	is(boots(), $before + 1, "$name: the guest has started anew ($mode)");
}

sub up {
	my @options = @_;
	$path = scratch("control.$mode");
	$run = start('run', '--irqchip', $mode, '--timeout', 300, '--control', $path, @options, 'build/guest/spin');
	return wait_for($run, qr/spin/);
}

sub down {
	my ($name) = @_;
	done_ok("$name: quit", qr/^$/, 'quit');
	finish($run, 20 * $slack);
	ok($run->{code} == 0 && !-e $path && $run->{stderr} =~ /quit by a control client/,
		"$name: and the run ends with code 0, without a socket ($mode)")
		or diag("code $run->{code}\n$run->{stderr}");
}

# --- good commands

sub looking {
	my $status = done_ok('status', qr/^running irqchip=$mode seconds=\d+\.\d{3} resets=0 cpus=4 plugged=2\n/, 'status');
	like($status, qr/^cpu=0-1 apic-id=0-1 plugged\ncpu=2-3 apic-id=300-301 unplugged\n\z/m, "status lists CPUs ($mode)");
	my $regs = done_ok('regs', qr/^cpu=0 apic-id=0 runnable\nmode=64-bit cpl=0 rip=00000000001\w{5}\nrflags=\w+ iopl=0/,
		'regs', 0);
	like($regs, qr/^$_/m, "regs has $_ ($mode)")
		for qw(rax= r8= r12= cs= ss= tr= ldt= gdt idt cr0=\w+.*\bpg\b cr2= cr4=\w+.*\bpae\b cr8= efer=\w+.*\blma\b dr0= dr6=),
		'apic-base=00000000fee00900 mode=xapic page=0xfee00000 bsp$';
	done_ok('regs of a CPU that waits', qr/^cpu=1 apic-id=1 wait-for-sipi\nmode=real cpl=0 rip=000000000000fff0\n/,
		'regs', '0x1');
	my $lapic = done_ok('lapic', qr/^cpu=0 apic-id=0 irqchip=$mode\napic-base=00000000fee00900 mode=xapic/, 'lapic', 0);
	like($lapic, qr/^$_/m, "lapic has $_ ($mode)")
		for 'id=0x0$', 'ldr=', 'dfr=0xffffffff flat', 'version=0x14 lvts=[67]', 'tpr=0x00 apr=\w+ ppr=0x00', 'svr=0x',
		'isr=none', 'tmr=none', 'irr=', 'esr=0x00', 'icr=', 'lvt-timer=', 'lvt-thermal=', 'lvt-pmc=', 'lvt-lint0=',
		'lvt-lint1=', 'lvt-error=', 'timer=one-shot initial=', 'tsc-deadline=0x0';
	done_ok('lapic of another', qr/^id=0x1$/m, 'lapic', 1);
	my $ioapic = done_ok('ioapic', qr/^id=0x0 select=/, 'ioapic');
	is(scalar(() = $ioapic =~ /^pin=\d+ entry=\w{16} vector=0x.. \w+ physical dest=.* masked/mg), 24,
		"ioapic has 24 entries ($mode)");
	my $help = done_ok('help', qr/^status: /, 'help');
	my $usage = sipi('ctl', '--help')->{stdout};
	my @missing = grep { $usage !~ /^  \Q$_\E  /m } $help =~ /^(.+?): /mg;
	is("@missing", '', "ctl --help has what help has ($mode)");
}

sub pausing {
	done_ok('pause', qr/^$/, 'pause');
	done_ok('pause twice', qr/^$/, 'pause');
	done_ok('status says so', qr/^paused /, 'status');
	my %seen = map { rip() => 1 } 1 .. 10;
	is(scalar keys %seen, 1, "a paused guest stands still ($mode)");
	my $before = boots();
	done_ok('reset of a paused machine', qr/^$/, 'reset', 'hard');
	is(rip(), '000000000000fff0', "is at the reset vector, and waits ($mode)");
	done_ok('cpu-add to a paused machine', qr/^$/, 'cpu-add', 300);
	done_ok('cpu-remove of it', qr/^$/, 'cpu-remove', 300);
	done_ok('resume', qr/^$/, 'resume');
	boots_again('resume', $before);
	done_ok('resume twice', qr/^$/, 'resume');
	alive('resume');
}

sub resetting {
	for my $kind (qw(hard soft kbc triple-fault host)) {
		my ($before, $resets) = (boots(), resets());
		done_ok("reset $kind", qr/^$/, 'reset', $kind);
		boots_again("reset $kind", $before);
		is(resets(), $resets + 1, "reset $kind is counted ($mode)");
	}
	my $before = boots();
	done_ok('init of the boot CPU', qr/^$/, 'init', 0);
	boots_again('init', $before);
	done_ok('init of one that waits', qr/^$/, 'init', 1);
	refused(qr/waits for SIPI/, 'nmi', 1);
	alive('init and nmi');
}

sub plugging {
	for my $round (1 .. 3) {
		done_ok("cpu-add, round $round", qr/^$/, 'cpu-add', $round == 2 ? '0x12c' : 300);
		done_ok('status has it', qr/plugged=3\n.*cpu=2 apic-id=300 plugged\ncpu=3 apic-id=301 unplugged/s, 'status');
		refused(qr/there already/, 'cpu-add', 300);
		done_ok('it waits', qr/^cpu=2 apic-id=300 wait-for-sipi\nmode=real/, 'regs', 2);
		done_ok('its APIC is on', qr/mode=xapic/, 'lapic', 2);
		done_ok('init of it', qr/^$/, 'init', 2);
		done_ok('cpu-remove', qr/^$/, 'cpu-remove', 300);
		refused(qr/CPU 2 is not plugged in; try: cpu-add 300/, 'regs', 2);
	}
	refused(qr/APIC ID 300 is not there/, 'cpu-remove', 300);
	alive('hot-plug');
}

# --- bad commands

sub bad_commands {
	my $before = ctl('status')->{stdout} =~ s/seconds=\S+//r;
	refused(qr/no command/, $_) for 'halt', 'STATUS', 'statu', 'status2', '-1', ' ', 'x' x 255;
	for my $c (qw(status pause resume ioapic quit help)) {
		refused(qr/usage: $c$/m, $c, 0);
	}
	for my $c (qw(reset nmi init regs lapic)) {
		my $what = $c eq 'reset' ? 'KIND' : 'CPU';
		refused(qr/usage: $c $what$/m, $c);
		refused(qr/usage: $c $what$/m, $c, 0, 0);
	}
	refused(qr/usage: $_ ID$/m, $_) for qw(cpu-add cpu-remove);
	refused(qr/reset '\Q$_\E': expected hard, soft/, 'reset', $_) for 'cold', 'HARD', '0', 'harder';
	refused(qr/for one CPU; try: init CPU/, 'reset', 'init');
	refused(qr/how a machine starts; try: reset host/, 'reset', 'power-on');
	for my $c (qw(nmi init regs lapic)) {
		refused(qr/expected the index of a CPU, 0 to 3/, $c, $_)
			for qw(4 -1 +1 1x 0x 99999999999999999999 4294967296 one 1.0);
		refused(qr/CPU 3 is not plugged in; try: cpu-add 301/, $c, 3);
	}
	for my $c (qw(cpu-add cpu-remove)) {
		refused(qr/expected an APIC ID/, $c, $_) for qw(-1 4294967295 4294967296 1x 0x one);
	}
	refused(qr/no CPU of this machine has APIC ID 77/, 'cpu-add', 77);
	refused(qr/there already/, 'cpu-add', 0);
	refused(qr/no CPU of this machine has APIC ID 77/, 'cpu-remove', 77);
	refused(qr/boot CPU cannot be removed/, 'cpu-remove', 0);
	is(ctl('status')->{stdout} =~ s/seconds=\S+//r, $before, "nothing of that has changed anything ($mode)");
	alive('bad commands');
}

# --- the protocol, and hostile clients

sub protocol {
	my $s = client();
	like(ask($s, 'status'), qr/^ok running irqchip=$mode [^\n]*; cpu=0-1 apic-id=0-1 plugged; cpu=2-3/, "one line a reply ($mode)");
	is(ask($s, "pause\r"), "ok\n", "a line may end with CR LF ($mode)");
	is(ask($s, "\t resume \t"), "ok\n", "blanks and tabs between words ($mode)");
	like(ask($s, '   '), qr/^error /, "blanks alone are no command ($mode)");
	syswrite $s, "\n\r\n\nregs 0\nbogus\nresume\n";
	like(hear($s), qr/^ok cpu=0/, "lines at once: the first ($mode)");
	like(hear($s), qr/^error 'bogus'/, "lines at once: the second ($mode)");
	is(hear($s), "ok\n", "lines at once: the third ($mode)");
	syswrite $s, 'res';
	sleep 0.05;
	syswrite $s, "ume\n";
	is(hear($s), "ok\n", "a line in two pieces ($mode)");
	syswrite $s, "resume\nresu";
	shutdown $s, SHUT_WR;
	is(hear($s), "ok\n", "before the end of input ($mode)");
	is(hear($s), undef, "half a line at the end gets no reply ($mode)");
}

sub hostile {
	my $s = client();
	like(ask($s, 'x' x 300), qr/^error the line is longer than 256 bytes$/, "a long line ($mode)");
	like(ask($s, 'pause ' x 50_000), qr/^error the line is longer/, "a very long line, with words in it ($mode)");
	is(ask($s, 'resume'), "ok\n", "and the next line is a line again ($mode)");
	like(ask($s, "sta\0tus"), qr/^error the line has bytes/, "a NUL ($mode)");
	like(ask($s, "pause\x1b[2J"), qr/^error the line has bytes/, "an escape sequence ($mode)");
	like(ask($s, join '', map { chr } 128 .. 255), qr/^error the line has bytes/, "binary ($mode)");
	like(ask($s, '%s%n%s%n' x 20), qr/^error '%s%n/, "printf's directives ($mode)");
	syswrite $s, 'pau';
	close $s;
	alive('half a line, and gone');
	client() for 1 .. 50;
	alive('50 that come and go');
	my $gone = client();
	syswrite $gone, "regs 0\n" x 200;
	close $gone;
	alive('one that asks and does not wait');
	my $noise = client();
	$noise->blocking(0);
	syswrite $noise, join '', map { chr int rand 256 } 1 .. 4000 for 1 .. 50;
	close $noise;
	alive('noise');
}

sub rss { return slurp("/proc/$run->{pid}/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : 0 }

sub crowds {
	my @all = map { client() } 1 .. 16;
	is(ask($_, 'resume'), "ok\n", "one of 16 at once ($mode)") for @all[0, 7, 15];
	my $late = client();
	is(hear($late), "error too many clients at once\n", "the 17th is told ($mode)");
	is(hear($late), undef, "and hung up on ($mode)");
	refused(qr/too many clients/, 'status');
	close $_ for @all;
	my @runs = map { start('ctl', $path, $_ % 2 ? ('regs', 0) : ('lapic', 1)) } 1 .. 12;
	finish($_, 30 * $slack) for @runs;
	is(scalar(grep { $_->{code} == 0 && $_->{stdout} =~ /^cpu=/ } @runs), 12, "12 sipi ctl at once ($mode)");

	my $before = rss();
	my $deaf = client();
	$deaf->blocking(0);
	my ($said, $misses) = (0, 0);
	while ($said < 100_000 && $misses < 20) {
		my $n = syswrite $deaf, "lapic 0\n" x 100;
		$said += $n // 0;
		$misses = $n ? 0 : $misses + 1;
		sleep 0.01 unless $n;
	}
	alive('a client that never reads');
	cmp_ok(rss() - $before, '<', 4096, "and it takes no memory ($mode)");
	close $deaf;
	alive('it has gone');
}

# Words that mean something, in an order that does not; each gets one line that is ok or error.
sub at_random {
	my @words = (qw(status pause resume reset init cpu-add cpu-remove regs lapic ioapic help hard soft kbc triple-fault
			host 0 1 2 3 300 301 0x12c 77 -1 quit\0), '', 'x' x 300);
	my $s = client();
	my ($wrong, $n) = ('', 150);
	for (1 .. $n) {
		my $line = join ' ', map { $words[rand @words] } 1 .. 1 + int rand 2.3;
		next if $line =~ /^\s*$/;
		my $reply = ask($s, $line);
		$wrong = "'$line': $reply", last if $reply !~ /^(?:ok|ok [[:print:]]+|error [[:print:]]+)\n\z/;
	}
	is($wrong, '', "$n random commands, seed $seed ($mode)");
	ctl('resume');
	my $before = boots();
	ctl('reset', 'hard');
	boots_again('random commands', $before);
	ctl('cpu-remove', $_) for 1, 300, 301;
	ctl('cpu-add', 1);
	alive('random commands');
}

# Looking changes nothing: a guest that counts its interrupts does not miss one.
sub looking_at_work {
	$path = scratch("stress.$mode");
	$run = start('run', '--irqchip', $mode, '--cpus', 4, '--timeout', 60 * $slack, '--control', $path,
		     'build/guest/stress', 'seconds=3');
	wait_for($run, qr/running totals/);
	my $s = client();
	my ($n, $wrong, $x2apic, $busy) = (0, '', 0, 0);
	while (my $reply = ask($s, (map({ ("regs $_", "lapic $_") } 0 .. 3), 'ioapic', 'status')[rand 10])) {
		last if $reply =~ /^(?:nothing|error the machine has ended)/;
		$wrong ||= $reply if $reply !~ /^ok /;
		$x2apic += $reply =~ /mode=x2apic/;
		$busy += $reply =~ /i[rs]r=0x|timer=\S+ initial=0x[1-9a-f]/;
		$n++;
		sleep 0.003;
	}
	finish($run, 60 * $slack);
	ok($n > 100 && $wrong eq '' && $x2apic && $busy && $run->{code} == 0,
		"stress misses nothing while it is looked at ($mode)")
		or diag("$n looks, $x2apic at x2APICs, $busy busy; code $run->{code}\n$wrong\n$run->{stdout}");
}

# --- all of it, in each mode

my %modes = irqchip_modes();
for (sort keys %modes) {
	$mode = $_;
SKIP: {
		skip "this host lacks irqchip $mode: $modes{$mode}", 1 if $modes{$mode};
		ok(up('--cpus', 2, '--hotplug-ids', '300,301'), "a guest with a control socket ($mode)")
			or diag(finish($run, 1)->{stderr});
		looking();
		bad_commands();
		pausing();
		resetting();
		plugging();
		protocol();
		hostile();
		crowds();
		at_random();
		down('all of it');
		up();
		done_ok('nmi', qr/^$/, 'nmi', 0);
		like(finish($run, 20 * $slack)->{stdout}, qr/unexpected interrupt 2 on CPU 0/, "the guest takes the NMI ($mode)");
		looking_at_work();
	}
}

# --- ctl itself

$mode = $modes{split} ? 'kernel' : 'split';
sub fails {
	my ($name, $code, $re, @args) = @_;
	my $r = sipi('ctl', @args);
	ok($r->{code} == $code && $r->{stdout} eq '' && $r->{stderr} =~ /^sipi: .*\n\z/ && $r->{stderr} =~ $re, $name)
		or diag("code $r->{code}, expected $code and $re\n$r->{stderr}$r->{stdout}");
}

up();
{
	fails('ctl: nothing at all', 2, qr/usage: sipi ctl PATH COMMAND/);
	fails('ctl: no command', 2, qr/usage: sipi ctl PATH COMMAND/, $path);
	fails('ctl: an unknown option', 2, qr/--frob: no such option/, '--frob', $path, 'status');
	fails('ctl: --timeout without a value', 2, qr/--timeout/, '--timeout');
	fails('ctl: --timeout soon', 2, qr/--timeout 'soon': expected/, '--timeout', 'soon', $path, 'status');
	fails('ctl: nobody is there', 2, qr/No such file.*sipi run --control/, scratch('none'), 'status');
	fails('ctl: a file', 2, qr/Connection refused.*sipi run --control/, 'build/guest/spin', 'status');
	fails('ctl: a name too long', 2, qr/at most 107 bytes/, 'x' x 108, 'status');
	fails('ctl: a line too long', 2, qr/at most 256 bytes/, $path, 'x' x 257);
	fails('ctl: two lines', 2, qr/one line/, $path, "status\nquit");
	fails('ctl: binary', 1, qr/printable ASCII/, $path, "status\xff");
	my $r = sipi('ctl', '--timeout', 5, $path, 'status');
	ok($r->{code} == 0 && $r->{stdout} =~ /^running/, 'ctl --timeout');
	$r = sipi({stdout => '/dev/full'}, 'ctl', $path, 'status');
	is($r->{code}, 2, 'ctl: a full disk');
	kill 'STOP', $run->{pid};
	fails('ctl: no reply in time', 4, qr/no reply within 0.3 s/, '--timeout', '0.3', $path, 'status');
	my $waits = start('ctl', $path, 'status');
	sleep 0.3;
	kill 'KILL', $run->{pid};
	finish($waits, 20);
	ok($waits->{code} == 2 && $waits->{stderr} =~ /ended without a reply/, 'ctl: the machine dies')
		or diag("code $waits->{code}\n$waits->{stderr}");
	finish($run, 5);
	fails('ctl: the machine is dead', 2, qr/Connection refused/, $path, 'status');
}

# --- run --control

ok(-S $path && up() && ctl('status')->{code} == 0, 'what a dead machine has left is replaced');
is((stat $path)[2] & 07777, 0600, 'for this user alone');
{
	my $hello = 'build/guest/hello';
	my $try = sub {
		my ($name, $re, $to) = @_;
		my $r = sipi('run', '--control', $to, $hello);
		ok($r->{code} == 2 && $r->{stdout} eq '' && $r->{stderr} =~ /^sipi: .*\n\z/ && $r->{stderr} =~ $re,
			"run --control $name") or diag("code $r->{code}\n$r->{stderr}");
	};
	$try->('in use', qr/another process listens there/, $path);
	alive('an intruder');
	my $file = spew('precious', 'data');
	$try->('a file', qr/is there already, and no socket/, $file);
	is(slurp($file), 'data', 'which is left alone');
	$try->('nowhere', qr/No such file/, '/nowhere/s');
	$try->('a long name', qr/at most 107 bytes/, '/tmp/' . 'x' x 200);
	$try->('no name', qr/empty/, '');
	my $r = sipi('run', '--control', scratch('hello'), $hello);
	ok($r->{code} == 0 && !-e scratch('hello'), 'a guest that ends takes the socket with it');
}
down('ctl');

# --- more CPUs than a line has room for

{
	$path = scratch('many');
	my $ids = join ',', map { 2 * $_ } 0 .. 699;
	$run = start('run', '--control', $path, '--serial', 'null', '--apic-ids', $ids, 'build/guest/spin');
	my $end = time + 30 * $slack;
	my $s;
	sleep 0.01 until ($s = client()) || time > $end;
	my $reply = $s ? ask($s, 'status') : '';
	ok($reply =~ /cpus=700 plugged=700; cpu=0 apic-id=0 plugged; cpu=1 apic-id=2 plugged; .*; cpu=(\d+)-699 not listed/ &&
		$reply =~ /; cpu=@{[$1 - 1]} apic-id=@{[2 * $1 - 2]} plugged; cpu=$1-/,
		'status lists CPUs as long as there is room, and says how many it leaves out') or diag(substr $reply, -200);
	cmp_ok(length $reply, '<=', 16384, 'and the line keeps its length');
	$s && ask($s, 'quit');
	is(finish($run, 60 * $slack)->{code}, 0, 'quit');
}
done_testing;

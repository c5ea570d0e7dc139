#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# On a terminal: raw while the guest runs, the keys work, and it is sane after every end.
use strict;
use warnings;
use IO::Pty;
use POSIX qw(:sys_wait_h);
use Test::More;
use Time::HiRes qw(time sleep);

my $sipi = $ENV{SIPI} || 'build/sipi';

sub settings {
	my ($pty) = @_;
	my $t = POSIX::Termios->new;
	$t->getattr(fileno $pty->slave);
	return join ' ', $t->getiflag, $t->getoflag, $t->getcflag, $t->getlflag;
}

# Runs sipi as the foreground job of a new terminal; act->($pty, $pid) is called when the guest has
# printed `when`.
sub on_terminal {
	my ($when, $act, @args) = @_;
	my $pty = IO::Pty->new;
	my %r = (before => settings($pty), seen => '');
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		$pty->make_slave_controlling_terminal;
		my $tty = $pty->slave;
		open $_, '+<&', $tty for *STDIN, *STDOUT, *STDERR;
		exec $sipi, 'run', @args;
	}
	my $end = time + 30;
	my $done;
	while (time < $end) {
		my $bits = '';
		vec($bits, fileno $pty, 1) = 1;
		if (select($bits, undef, undef, 0.01)) {
			sysread $pty, $r{seen}, 4096, length $r{seen};
		} elsif (waitpid($pid, WNOHANG) == $pid) {
			$r{code} = $? & 127 ? 128 + ($? & 127) : $? >> 8;
			last;
		}
		if (!$done && $r{seen} =~ $when) {
			$done = 1;
			$r{during} = settings($pty);
			$act->($pty, $pid);
		}
	}
	kill 'KILL', $pid unless defined $r{code};
	$r{after} = settings($pty);
	return \%r;
}

# brief: the guest ends by itself, perhaps before we look.
sub check {
	my ($name, $r, $code, $re, $brief) = @_;
	is($r->{code}, $code, "$name: exit code") or diag($r->{seen});
	isnt($r->{during}, $r->{before}, "$name: raw while it runs") unless $brief;
	is($r->{after}, $r->{before}, "$name: sane afterwards");
	like($r->{seen}, $re, "$name: what is seen");
}

my $spin = 'build/guest/spin';
my $send = sub { my $keys = shift; return sub { syswrite $_[0], $keys } };
my $signal = sub { my $sig = shift; return sub { kill $sig, $_[1] } };

check('Ctrl-A x', on_terminal(qr/spin/, $send->("\x01x"), $spin), 0, qr/quit from the console/);
check('Ctrl-A h', on_terminal(qr/spin/, $send->("\x01h\x01x"), $spin), 0, qr/Ctrl-A x/);
check('Ctrl-C is the guest\'s', on_terminal(qr/spin/, $send->("\x03\x01x"), $spin), 0, qr/quit/);
check('SIGINT', on_terminal(qr/spin/, $signal->('INT'), $spin), 130, qr/Interrupt/);
check('SIGTERM', on_terminal(qr/spin/, $signal->('TERM'), $spin), 143, qr/Terminated/);
check('SIGHUP', on_terminal(qr/spin/, $signal->('HUP'), $spin), 129, qr/Hangup/);
check('SIGQUIT', on_terminal(qr/spin/, $signal->('QUIT'), $spin), 131, qr/spin/);
check('SIGABRT', on_terminal(qr/spin/, $signal->('ABRT'), $spin), 134, qr/spin/);
check('SIGSEGV', on_terminal(qr/spin/, $signal->('SEGV'), $spin), 139, qr/spin/)
	unless $sipi =~ m{build/san/}; # ASan turns it into a report of its own
check('a time limit', on_terminal(qr/spin/, sub { }, '--timeout', 1, $spin), 4, qr/timed out/);
check('a triple fault', on_terminal(qr/here/, sub { }, 'build/guest/triple'), 3, qr/triple fault/, 'brief');
check('the guest\'s own end', on_terminal(qr/Hello/, sub { }, 'build/guest/hello'), 0, qr/exit code 0/, 'brief');
done_testing;

# SPDX-License-Identifier: MIT
# Child processes that never outlive us, and the one way in which things end: fail().
package Child;
use strict;
use warnings;
use Exporter 'import';
use Fcntl;
use POSIX ();

our @EXPORT = qw(fail note run_main read_file spawn reap kill_all output write_all inherited emulator);

my %children;

# Ends the run with this exit code and one line. A second text goes below the line as it is.
sub fail { my ($code, $text, $below) = @_; die {code => $code, text => $text, below => $below // ''} }

sub note { print STDERR "nested: $_[0]\n" }

# A program from its start to its end, which is one by itself, by fail() or by a signal: then the children are gone, and clean has run.
# An alarm that main does not handle says late. Gives back the exit code.
sub run_main {
	my ($late, $main, $clean) = @_;
	my %signals = (INT => 2, TERM => 15, HUP => 1);
	$SIG{PIPE} = 'IGNORE';
	$SIG{ALRM} = sub { fail(2, "$late took too long; the cache is as it was") };
	for my $name (keys %signals) {
		$SIG{$name} = sub { fail(128 + $signals{$name}, "ended by SIG$name") };
	}
	my $code = eval { $main->() };
	my $end = $@;
	@SIG{qw(INT TERM HUP)} = ('IGNORE') x 3;
	$end = {code => 2, text => $end =~ s/\n$//r, below => ''} if $end && !ref $end;
	# Nobody may read what we say: that must not keep us.
	$SIG{ALRM} = sub { POSIX::_exit($end ? $end->{code} : 2) };
	alarm 10;
	kill_all();
	$clean->();
	return $code unless $end;
	note($end->{text});
	print STDERR $end->{below};
	return $end->{code};
}

sub read_file {
	my ($path) = @_;
	open my $f, '<:raw', $path or fail(2, "$path: $!");
	local $/;
	return scalar(<$f>) // fail(2, "$path: $!");
}

# Starts a program in a process group of its own, so that Ctrl-C reaches us alone; setup runs in the
# child. It dies with us even when we are killed by SIGKILL.
sub spawn {
	my ($setup, @command) = @_;
	local @SIG{qw(INT TERM HUP ALRM PIPE)} = ('DEFAULT') x 5;
	my $pid = fork // fail(2, "fork: $!");
	if ($pid) {
		$children{$pid} = 1;
		return $pid;
	}
	setpgrp;
	$setup->();
	exec 'setpriv', '--pdeathsig', 'KILL', @command or POSIX::_exit(127);
}

# Waits for its end; gives back the wait status.
sub reap {
	my ($pid) = @_;
	my $got;
	do { $got = waitpid $pid, 0 } while $got < 0 && $!{EINTR};
	my $status = $?;
	delete $children{$pid};
	return $status;
}

# The name that a file of ours has in a child that inherits it.
sub inherited { return '/dev/fd/' . fileno $_[0] }

# Starts an emulator, which inherits these files and the writing end of a pipe for each stream; "errors" is its own stdout and stderr.
# The command is made from the pipes' names. Gives back the process and the pipes' reading ends.
sub emulator {
	my ($streams, $files, $command) = @_;
	my (%host, %to);
	pipe $host{$_}, $to{$_} or fail(2, "pipe: $!") for @$streams;
	$host{pid} = spawn(sub {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>&', $to{errors};
		open STDERR, '>&', $to{errors};
		fcntl $_, F_SETFD, 0 for @$files, values %to;
	}, $command->(map { $_ => inherited($to{$_}) } keys %to));
	close $_ for values %to;
	return \%host;
}

sub kill_all {
	for my $pid (keys %children) {
		kill 'KILL', -$pid, $pid;
		reap($pid);
	}
}

# Runs a program to its end: its wait status, and its stdout and stderr together. What make says to its own makes, of which we may be
# called, is not for others.
sub output {
	my ($dir, @command) = @_;
	pipe my $r, my $w or fail(2, "pipe: $!");
	my $pid = spawn(sub {
		chdir $dir or POSIX::_exit(126);
		open STDIN, '<', '/dev/null';
		open STDOUT, '>&', $w;
		open STDERR, '>&', $w;
	}, qw(env -u MAKEFLAGS -u MFLAGS LC_ALL=C), @command);
	close $w;
	my $text = '';
	my $n;
	do { $n = sysread $r, $text, 1 << 16, length $text } while $n || (!defined $n && $!{EINTR});
	return (reap($pid), $text);
}

# Writes all of it, or ends the run and names what could not be written to.
sub write_all {
	my ($to, $bytes, $what) = @_;
	my $at = 0;
	while ($at < length $bytes) {
		my $n = syswrite $to, $bytes, length($bytes) - $at, $at;
		if (defined $n) {
			$at += $n;
		} elsif ($!{EAGAIN}) {
			select undef, undef, undef, 0.01;
		} elsif (!$!{EINTR}) {
			fail(2, "$what: $!");
		}
	}
}

1;

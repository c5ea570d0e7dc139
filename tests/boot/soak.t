#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# The same thing over and over: resets, INIT-SIPI, CPUs that come and go. Nothing may be lost, hang or grow.
# SIPI_SOAK=1 (make soak) has the full counts, SIPI_SOAK=0.1 a tenth of them; default 0.05.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Sipi;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(time sleep);

my $share = $ENV{SIPI_SOAK} // 0.05;
my $full = $share >= 1;
my $limit = $full ? 1800 : 300;
my $seed = $ENV{SEED} || time ^ $$;
my %modes = irqchip_modes();

sub count { return int($_[0] * $share) }

# What must not grow: memory in KiB, files, threads.
sub size {
	my ($pid) = @_;
	my $status = do { open my $f, '<', "/proc/$pid/status" or return; local $/; <$f> };
	opendir my $d, "/proc/$pid/fd" or return;
	my $fds = grep { !/^\./ } readdir $d;
	return {
		rss => $status =~ /^VmRSS:\s+(\d+)/m ? $1 : 0,
		threads => $status =~ /^Threads:\s+(\d+)/m ? $1 : 0,
		fds => $fds,
	};
}

# Runs to the end, looking at its size now and then.
sub watched {
	my ($run) = @_;
	my @sizes;
	$run->{each} = sub {
		my $s = size($run->{pid});
		push @sizes, $s if $s && $s->{threads};
	};
	finish($run, $limit);
	$run->{sizes} = \@sizes;
	return $run;
}

sub same_size {
	my ($run, $slack) = @_;
	my @s = @{$run->{sizes}};
	return 'too short to tell' if @s < 10;
	my ($first, $last) = ($s[@s / 2], $s[-1]);
	return "threads $first->{threads} -> $last->{threads}" if $last->{threads} > $first->{threads};
	return "files $first->{fds} -> $last->{fds}" if $last->{fds} > $first->{fds};
	return "memory $first->{rss} -> $last->{rss} KiB" if $last->{rss} > $first->{rss} + $slack;
	return '';
}

sub soaked {
	my ($name, $re, @args) = @_;
	my $run = watched(start(@args));
	my $grown = same_size($run, 512);
	$grown = '' if $grown eq 'too short to tell' && !$full;
	ok(!$run->{hung} && $run->{code} == 0 && $run->{stdout} =~ $re && $grown eq '', $name)
		or diag("code $run->{code}, grown: $grown\n$run->{stderr}", substr $run->{stdout}, -2000);
	diag(sprintf '%s: %.1f s', $name, $run->{seconds}) if $full;
}

# A line to the control socket, and its reply.
sub say_to {
	my ($path, $line) = @_;
	my $s = IO::Socket::UNIX->new(Peer => $path) or return "no connection: $!";
	print $s "$line\n";
	$s->flush;
	return <$s> // 'no reply';
}

# Resets at random moments of a busy guest; it must come up again after each, at the latest before the next
# but one, and work in the end.
sub host_resets {
	my ($mode, $n) = @_;
	my $path = scratch("control.$mode");
	my $run = start('run', '--irqchip', $mode, '--cpus', 8, '--control', $path, '--timeout', $limit,
			'build/guest/stress', 'seconds=100000');
	srand $seed;
	diag("host resets, $mode: seed $seed") if $full;
	my @kinds = qw(hard soft kbc triple-fault host);
	my $ok = wait_for($run, qr/running totals/);
	my $done = 0;
	my @sizes;
	for (1 .. $n) {
		last unless $ok;
		my $reply = say_to($path, 'reset ' . $kinds[rand @kinds]);
		$done++ if $reply =~ /^ok/;
		diag("reset $done: $reply"), last if $reply !~ /^ok/;
		sleep(rand() < 0.2 ? rand 0.01 : rand 0.5);
		push @sizes, size($run->{pid});
	}
	my $before = () = slurp($run->{out}) =~ /running totals/g;
	my $alive = $done == $n && say_to($path, 'status') =~ /^ok running/;
	say_to($path, 'reset hard') if $alive;
	my $up = 0;
	for (1 .. 3000) { # it comes up: the guest starts anew, and counts interrupts
		my $tail = slurp($run->{out});
		my @lives = split /running totals/, $tail;
		$up = 1, last if @lives > $before + 1 && $lives[-1] =~ /^\s+1 .*\d/m;
		sleep 0.01;
	}
	$run->{sizes} = \@sizes;
	my $grown = same_size($run, 2048);
	$grown = '' if $grown eq 'too short to tell' && !$full;
	say_to($path, 'quit');
	finish($run, $limit);
	ok($ok && $done == $n && $up && $grown eq '' && $run->{code} == 0,
		"$n resets by the host at random moments, 8 CPUs under stress ($mode)")
		or diag("seed $seed, $done of $n, up $up, grown: $grown, code $run->{code}\n$run->{stderr}");
	diag(sprintf 'host resets, %s: %.1f s', $mode, $run->{seconds}) if $full;
}

for my $mode (sort keys %modes) {
	if ($modes{$mode}) {
		ok(1, "$mode # SKIP $modes{$mode}");
		next;
	}
	my @m = ('run', '--irqchip', $mode, '--timeout', $limit);
	soaked(count(1000) . " hard resets ($mode)", qr/ 0 failed/, @m, 'build/guest/reset', 'how=hard',
		'rounds=' . count(1000));
	soaked(count(1000) . " INIT-SIPI cycles ($mode)", qr/ 0 failed/, @m, '--cpus', 4, 'build/guest/init',
		'rounds=' . count(1000));
	soaked(count(10000) . " CPUs added and removed ($mode)", qr/ 0 failed/, @m, '--hotplug-ids',
		'1,2,300,4000', 'build/guest/hotplug', 'cycles=' . count(10000));
	host_resets($mode, count(500));
}
done_testing;

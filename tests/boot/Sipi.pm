# SPDX-License-Identifier: MIT
# Runs the sipi under test and gives back what it printed and how it ended.
package Sipi;
use strict;
use warnings;
use Exporter 'import';
use File::Temp qw(tempdir);
use POSIX ();
use Time::HiRes qw(time sleep);

our @EXPORT = qw(sipi start finish scratch slurp spew irqchip_modes wait_for xpath junit_sums);

my $sipi = $ENV{SIPI} || 'build/sipi';
my $dir = tempdir(CLEANUP => 1);
my $count = 0;

# A file name in a directory that goes away with the test.
sub scratch { return "$dir/$_[0]" }

sub slurp {
	return "" unless -f $_[0]; # /dev/full reads for ever
	open my $f, "<:raw", $_[0] or return "";
	local $/;
	return scalar(<$f>) // '';
}

sub spew {
	my ($name, $bytes) = @_;
	my $path = scratch($name);
	open my $f, '>:raw', $path or die "$path: $!";
	print $f $bytes;
	close $f or die "$path: $!";
	return $path;
}

# What an XPath finds in a file; xmllint refuses one that is not XML.
sub xpath {
	my ($path, $query) = @_;
	my $text = qx(xmllint --xpath '$query' '$path' 2>&1);
	return $? ? "xmllint: $text" : $text =~ s/\n\z//r; # its own
}

# How many tests, failures, errors and skipped: "8 2 1 1".
sub junit_sums { return xpath($_[0], 'concat(' . join(', " ", ', map { "sum(//testsuite/\@$_)" } qw(tests failures errors skipped)) . ')') }

# Starts sipi with these arguments. Options, in a hash first: stdin, stdout (paths), wrap (a command
# line that sipi's is appended to).
sub start {
	my $opt = ref $_[0] ? shift : {};
	my $n = $count++;
	my %run = (out => $opt->{stdout} // scratch("out.$n"), err => scratch("err.$n"),
		   start => time);
	$run{pid} = fork // die "fork: $!";
	if (!$run{pid}) {
		setpgrp;
		open STDIN, '<', $opt->{stdin} // '/dev/null' or POSIX::_exit(126);
		open STDOUT, '>', $run{out} or POSIX::_exit(126);
		open STDERR, '>', $run{err} or POSIX::_exit(126);
		close STDOUT if $opt->{close_stdout};
		exec @{$opt->{wrap} // []}, $sipi, @_ or POSIX::_exit(126);
	}
	return \%run;
}

# Waits for its end, for at most so many seconds; what takes longer is killed and has hung = 1. Meanwhile
# $run->{each} is called now and then.
sub finish {
	my ($run, $limit) = @_;
	my $end = $run->{start} + ($limit // 60);
	while (waitpid($run->{pid}, POSIX::WNOHANG()) == 0) {
		if (time > $end) {
			kill 'KILL', -$run->{pid}, $run->{pid};
			waitpid $run->{pid}, 0;
			$run->{hung} = 1;
			last;
		}
		$run->{each}->() if $run->{each};
		sleep 0.01;
	}
	$run->{code} = $? & 127 ? 128 + ($? & 127) : $? >> 8;
	$run->{seconds} = time - $run->{start};
	$run->{stdout} = slurp($run->{out});
	$run->{stderr} = slurp($run->{err});
	return $run;
}

sub sipi { my $opt = ref $_[0] ? shift : {}; return finish(start($opt, @_), $opt->{limit}) }

# Waits until a running sipi's console shows this; false after ten seconds.
sub wait_for {
	my ($run, $re) = @_;
	for (1 .. 1000) {
		return 1 if slurp($run->{out}) =~ $re;
		sleep 0.01;
	}
	return 0;
}

# The irqchip modes this host has: name => '' or why it lacks it.
sub irqchip_modes {
	my $probe = sipi('probe');
	my %modes;
	return (split => $probe->{stderr}) if $probe->{code} == 77;
	$modes{$1} = $2 eq 'works' ? '' : $2 while $probe->{stdout} =~ /^irqchip (\w+)\s+(.*)$/mg;
	return %modes;
}

1;

# SPDX-License-Identifier: MIT
# One run of a host from its start to its verdict: passes on what the command prints, takes in the files, and tells how the
# host's kernel fared.
package Session;
use strict;
use warnings;
use Child;
use IO::Select;

# What the kernel prints when it is wrong and goes on, or does not.
my $warning = qr/WARNING: |BUG: |kernel BUG at|Oops: |general protection fault|UBSAN: |INFO: .* stall|INFO: task .* blocked/;

# mark ends out and err; get: name inside => path here; emulator: the kind of host.
sub new { my ($class, %s) = @_; return bless {%s, ended => {}, log => '', state => 'boots', said => '', kernel => ''}, $class }

# The longest end of the text that may be the start of the mark: not to be passed on yet.
sub held {
	my ($text, $mark) = @_;
	my $n = length($mark) < length $$text ? length $mark : length $$text;
	$n-- while $n && substr($$text, -$n) ne substr($mark, 0, $n);
	return $n;
}

sub relay {
	my ($self, $name, $bytes) = @_;
	return if $self->{ended}{$name};
	my $rest = \$self->{rest}{$name};
	$$rest = ($$rest // '') . $bytes;
	my $n = held($rest, $self->{mark});
	$self->{ended}{$name} = 1 if $n == length $self->{mark};
	$self->{passed} ||= length $$rest > $n;
	write_all($self->{to}{$name}, substr($$rest, 0, length($$rest) - $n, ''), $name eq 'out' ? 'stdout' : 'stderr');
}

sub on_out { $_[0]->relay('out', $_[1]) }
sub on_err { $_[0]->relay('err', $_[1]) }
sub on_console { $_[0]{log} .= $_[1] =~ tr/\r//dr }
sub on_errors { $_[0]{said} .= $_[1] }

# Several streams on one line: see tools/nested/mux.
sub on_frames {
	my ($self, $bytes) = @_;
	my $rest = ($self->{rest}{frames} // '') . $bytes;
	while ($rest =~ /^(control|out|err|files) (\d+)\n/ && length $rest >= $+[0] + $2) {
		my ($take, $at, $size) = ("on_$1", $+[0], $2);
		$self->$take(substr $rest, $at, $size);
		substr $rest, 0, $at + $size, '';
	}
	$self->{rest}{frames} = $rest;
}

# Progress, a line each: see the init script.
sub on_control {
	my ($self, $bytes) = @_;
	my $rest = ($self->{rest}{control} // '') . $bytes =~ tr/\r//dr;
	while ($rest =~ s/^(\w+) ?(.*)\n//) {
		my ($word, $text) = ($1, $2);
		fail(2, "the nested kernel $self->{kernel}: $text") if $word eq 'fail';
		$self->{kernel} = $text if $word eq 'up';
		$self->{state} = $word;
		$self->{on_state}->($word, $text);
	}
	$self->{rest}{control} = $rest;
}

# Records: "file SIZE NAME" and that many bytes, "missing NAME", "exit CODE".
sub on_files {
	my ($self, $bytes) = @_;
	my $rest = ($self->{rest}{files} // '') . $bytes;
	while (length $rest) {
		if ($self->{left}) {
			my $part = substr $rest, 0, $self->{left}, '';
			$self->{left} -= length $part;
			$self->{take}->($part);
			next;
		}
		$rest =~ s/^(\w+) (.*)\n// or last;
		my ($word, $text) = ($1, $2);
		$self->file(split / /, $text, 2) if $word eq 'file';
		$self->{missing} //= $text if $word eq 'missing';
		@{$self}{qw(code ended)} = ($text, {%{$self->{ended}}, files => 1}) if $word eq 'exit';
	}
	$self->{rest}{files} = $rest;
}

sub file {
	my ($self, $size, $name) = @_;
	$self->{left} = $size;
	if ($name eq 'dmesg') {
		$self->{log} = '';
		$self->{take} = sub { $self->{log} .= $_[0] };
		return;
	}
	my $path = $self->{get}{$name};
	open my $f, '>:raw', $path or fail(2, "--get $path: $!");
	$self->{take} = sub { write_all($f, $_[0], "--get $path") };
}

# Passes on until the command has ended and all that it wrote is here; false when the host ended before that.
sub follow {
	my ($self, $host) = @_;
	my @names = grep { ref $host->{$_} eq 'GLOB' } keys %$host;
	my %name = map { fileno($host->{$_}) => $_ } @names;
	my $select = IO::Select->new(map { $host->{$_} } @names);
	until ($self->{ended}{out} && $self->{ended}{err} && $self->{ended}{files}) {
		return 0 unless $select->count;
		my @ready = $select->can_read($host->{pause});
		$host->{check}->() if !@ready && $host->{check};
		for my $pipe (@ready) {
			my $name = $name{fileno $pipe};
			my $n = sysread $pipe, my $bytes, 1 << 16;
			my $take = "on_$name";
			$n ? $self->$take($bytes) : $!{EINTR} && !defined $n || $select->remove($pipe);
		}
	}
	return 1;
}

# The last lines of the log, for the eye.
sub tail {
	my ($self, $count) = @_;
	my @lines = split /\n/, $self->{log};
	@lines = @lines[-$count .. -1] if @lines > $count;
	return map { "    $_\n" } @lines;
}

sub first_warning {
	my ($self) = @_;
	my ($line) = $self->{log} =~ /^(?:\[[^]]*\] )?(.*$warning.*)$/m;
	return $line;
}

# How a host ended that should not have: one line, and the end of its log.
sub dead {
	my ($self, $status) = @_;
	my $name = "the nested kernel" . ($self->{kernel} && " $self->{kernel}");
	my $log = join '', $self->tail(30);
	my ($panic) = $self->{log} =~ /Kernel panic - not syncing: (.*)/;
	my $before = $self->first_warning;
	fail(5, "$name panicked: $panic" . ($before ? " (first: $before)" : ''), $log) if defined $panic;
	my $emulator = $self->{emulator}->emulator_name;
	fail(5, "$emulator was killed by signal " . ($status & 127), $log) if $status & 127;
	my ($code, $said) = $self->{emulator}->complaint($status, $self->{said});
	fail($code, "$emulator: $said", $code == 2 ? '' : $log) if $code;
	fail(5, "$name reset or powered off before the command ended", $log);
}

# Whether another host may be tried: the command has not begun, or an emulator that hung has shown nothing of it.
sub may_start_again { my ($self, $end) = @_; return $self->{state} ne 'ready' || $end->{emulator} && !$self->{passed} }

# Called when the time is over.
sub late {
	my ($self, $seconds) = @_;
	my $log = join '', $self->tail(10);
	fail(5, "the nested kernel did not reach init within $seconds s", $log) if $self->{state} eq 'boots';
	my $what = $self->{state} eq 'up' ? 'loading modules in' : 'the command in';
	fail(4, "timed out after $seconds s: $what the nested kernel $self->{kernel} did not end", $log);
}

1;

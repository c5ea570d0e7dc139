# SPDX-License-Identifier: MIT
# The file tree of a nested host as a cpio archive (the kernel's
# Documentation/driver-api/early-userspace/buffer-format.rst, "newc"). Not compressed: that costs more
# time than it saves.
package Initramfs;
use strict;
use warnings;
use Child;
use File::Find ();

sub new { return bless {files => {}, linked => []}, shift }

sub put { my ($self, $name, $mode, $data) = @_; $self->{files}{$name =~ s{^/+}{}r} = [$mode, $data] }
sub dir { $_[0]->put($_[1], 0040755, '') }
sub link { my ($self, $name, $to) = @_; $self->put($name, 0120777, $to) }

# A file of this machine, under its own name or another.
sub copy {
	my ($self, $path, $name) = @_;
	fail(2, "$path: not a regular file") if -e $path && !-f _;
	$self->put($name // $path, 0100000 | (-x $path ? 0755 : 0644), read_file($path));
}

# A program or a shared object; finish() adds the libraries.
sub program {
	my ($self, $path) = @_;
	$self->copy($path);
	push @{$self->{linked}}, $path;
}

sub has { my ($self, $name) = @_; return exists $self->{files}{$name =~ s{^/+}{}r} }

sub libraries {
	my ($self) = @_;
	my (undef, $text) = output('/', 'ldd', @{$self->{linked}});
	my %seen = map { $_ => 1 } $text =~ m{^\s+(?:\S+ => )?(/\S+) \(0x}mg;
	$self->copy($_) for keys %seen;
}

# BusyBox, and a link for each of its names that no program of this machine has.
sub busybox {
	my ($self, $path) = @_;
	push @{$self->{linked}}, $path;
	$self->copy($path, 'bin/busybox');
	my ($status, $names) = output('/', $path, '--list');
	fail(2, "$path --list: status $status") if $status;
	for my $name (split /\n/, $names) {
		$self->link("bin/$name", 'busybox') unless grep { $self->has("$_/$name") } qw(bin usr/bin sbin usr/sbin);
	}
}

# This machine's perl with the modules that these sources use, and what those load in turn.
sub perl {
	my ($self, @sources) = @_;
	my %used = map { $_ => 1 } map { read_file($_) =~ /^\s*use\s+([A-Za-z][\w:]+)/mg } @sources;
	my $list = 'for (@ARGV) { eval "require $_" } print "$_\n" for values %INC, @DynaLoader::dl_shared_objects';
	my ($status, $text) = output('/', $^X, '-e', $list, sort keys %used);
	fail(2, "$^X: $text") if $status;
	for my $path (grep { m{^/} } split /\n/, $text) {
		$path =~ /\.so$/ ? $self->program($path) : $self->copy($path);
	}
	$self->program($^X);
	$self->link('usr/bin/perl', $^X) unless $self->has('usr/bin/perl');
}

# The kernel's modules of these names and those that they need, in the order of loading. A module that has no file
# is built in.
sub modules {
	my ($self, $tree, @names) = @_;
	my %path;
	File::Find::find({no_chdir => 1, follow_fast => 0, wanted => sub {
		$path{$1 =~ tr/-/_/r} = $_ if m{([^/]+)\.ko(?:\.xz|\.gz|\.zst)?$};
	}}, $tree) if -d $tree;
	my (@order, %seen, $load);
	$load = sub {
		my ($name) = @_;
		return if $seen{$name}++ || !$path{$name};
		my $bytes = unpacked($path{$name});
		my ($needs) = $bytes =~ /\0depends=([^\0]*)\0/; # in the section .modinfo
		$load->(tr/-/_/r) for split /,/, $needs // '';
		$self->put("nested/$name.ko", 0100644, $bytes);
		push @order, $name;
	};
	$load->(tr/-/_/r) for @names;
	return @order;
}

sub unpacked {
	my ($path) = @_;
	my %tool = (xz => 'xz', gz => 'gzip', zst => 'zstd');
	my ($ending) = $path =~ /\.(xz|gz|zst)$/ or return read_file($path);
	my ($status, $bytes) = output('/', $tool{$ending}, '-dc', $path);
	fail(2, "$path: $tool{$ending} -dc failed") if $status;
	return $bytes;
}

sub entry {
	my ($number, $name, $mode, $data) = @_;
	my @fields = ($number, $mode, 0, 0, 1, 0, length $data, 0, 0, 0, 0, length($name) + 1, 0);
	my $head = join('', '070701', map { sprintf '%08X', $_ } @fields) . "$name\0";
	return $head . "\0" x (-length($head) % 4) . $data . "\0" x (-length($data) % 4);
}

# Writes the archive into a file without a name, which is gone when its last user is; gives back the handle.
sub finish {
	my ($self) = @_;
	$self->libraries;
	my $files = $self->{files};
	for my $name (keys %$files) {
		$self->dir($name) while $name =~ s{/[^/]+$}{} && !$files->{$name};
	}
	open my $f, '+>:raw', undef or fail(2, "a temporary file: $!; TMPDIR=DIR names another place");
	my $number = 1;
	write_all($f, entry($number++, $_, @{$files->{$_}}), 'the initramfs, a temporary file') for sort keys %$files;
	write_all($f, entry(0, 'TRAILER!!!', 0, ''), 'the initramfs, a temporary file');
	return $f;
}

1;

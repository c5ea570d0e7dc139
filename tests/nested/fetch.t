#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# tools/nested/run before anything boots: its command line, and every way in which a kernel cannot be had. One line and
# code 2 each, and nothing in the cache that is not whole.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../boot", "$FindBin::Bin/../../tools/nested";
BEGIN { $ENV{SIPI} = 'tools/nested/run' }
use Child ();
use IO::Socket::INET;
use Sipi;
use Test::More;

my $cache = $ENV{SIPI_CACHE} = scratch('cache');

sub refused {
	my ($name, $re, @args) = @_;
	my $opt = ref $args[0] ? shift @args : {};
	my $run = sipi({limit => 100, %$opt}, @args);
	my @lines = split /\n/, $run->{stderr};
	my $good = !$run->{hung} && $run->{code} == ($opt->{code} // 2) && @lines == 1 && $lines[0] =~ /^nested: / &&
		$lines[0] =~ $re && $run->{stdout} eq '';
	ok($good, $name) or diag("code $run->{code}, expected $re\n$run->{stderr}$run->{stdout}");
	my @left = grep { !m{/lock$} } glob "$cache/*";
	is("@left", '', "$name: the cache has nothing new") if -d $cache;
}

# --- the command line

refused('no command', qr/no command; --help/);
refused('an unknown option', qr/frobnicate.*--help/, '--frobnicate', '--', 'true');
refused('an option without its value', qr/kernel requires/, '--kernel');
for (['--cpus', 0], ['--cpus', 65], ['--cpus', 'x'], ['--mem', 0], ['--mem', 'lots'], ['--timeout', 0], ['--timeout', 'soon'],
     ['--modparam', 'npt=0'], ['--modparam', 'kvm_amd.npt']) {
	my ($opt, $value) = @$_;
	refused("$opt '$value'", qr/^nested: $opt '\Q$value\E': expected/, $opt, $value, '--', 'true');
}
refused("--$_ with '..'", qr/'a\/..\/b': a name without/, "--$_", 'a/../b', '--', 'true') for 'put', 'get';
refused('an unknown kernel', qr/expected 5\.10 6\.1 6\.12 7\.2/, '--kernel', '6.99', '--', 'true');
refused('a kernel that is none', qr/not a bzImage/, '--kernel', spew('text', 'hello'), '--', 'true');
mkdir scratch('folder');
refused('a folder without a kernel', qr/expected one kernel image.*found 0/, '--kernel', scratch('folder'), '--', 'true');
my $help = sipi('--help');
ok($help->{code} == 0 && $help->{stdout} =~ /^usage:/ && $help->{stderr} eq '', '--help');

# --- the download

{
	local $ENV{SIPI_MIRROR} = 'http://127.0.0.1:9/debian';
	refused('a network that is broken', qr/index of bookworm-security at \S+127.*Could not connect|refused/, '--', 'true');
	local $ENV{SIPI_CACHE} = '/proc/cache';
	refused('a cache that cannot be made', qr/cache \/proc\/cache: No such file.*SIPI_CACHE/, '--', 'true');
}

# An archive of our own, in a folder: apt takes it from nobody but Debian.
sub archive {
	my ($suite) = @_;
	my $dir = scratch('mirror/debian');
	system("mkdir -p $dir/dists/$suite/main/binary-amd64 && : >$dir/dists/$suite/main/binary-amd64/Packages") and die;
	open my $f, '>', "$dir/dists/$suite/Release";
	print $f "Suite: $suite\nCodename: $suite\nArchitectures: amd64\nComponents: main\n";
	return "file:$dir";
}
{
	local $ENV{SIPI_MIRROR} = archive('bookworm');
	refused('an archive that nobody signed', qr/not signed/, '--kernel', '6.1', '--', 'true');
}

# A mirror that says nothing.
my $deaf = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
for (['INT', 130], ['TERM', 143], ['KILL', 137]) {
	my ($signal, $code) = @$_;
	local $ENV{SIPI_MIRROR} = 'http://127.0.0.1:' . $deaf->sockport . '/debian';
	my $run = start('--', 'true');
	my $client = $deaf->accept; # now it fetches
	kill $signal, $run->{pid};
	finish($run, 20);
	is($run->{code}, $code, "SIG$signal ends a download");
	my $gone = eval { # the other end closes when apt is gone
		local $SIG{ALRM} = sub { die };
		alarm 20;
		1 while sysread $client, my $bytes, 1 << 16;
		alarm 0;
		1;
	};
	ok($gone, "SIG$signal ends the apt that it started");
	my @left = glob "$cache/unfinished.*";
	is(scalar @left, $signal eq 'KILL' ? 1 : 0, "SIG$signal: what is left in the cache");
}
{
	local $ENV{SIPI_MIRROR} = 'http://127.0.0.1:9/debian';
	refused('what a killed download left', qr/index of/, '--', 'true');
}

SKIP: {
	skip 'needs root and mount namespaces', 2 unless $> == 0 && system('unshare -m true 2>/dev/null') == 0;
	mkdir $cache;
	my $small = "mount -t tmpfs -o size=64k none $cache && exec \"\$@\"";
	refused('a full disk, in the index', qr/No space left on device/,
		{wrap => ['unshare', '-m', 'sh', '-c', $small, 'sh']}, '--', 'true');
}

# --- a build under make

{
	local $ENV{MAKEFLAGS} = 'r';
	is((Child::output('/', 'sh', '-c', 'echo "($MAKEFLAGS)"'))[1], "()\n", "what our make is told is not for another's");
}
done_testing;

#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# tools/nested/mutate and tools/nested/mutants: what they refuse, and one mutant from its patch to its verdict. The first build
# fetches and builds what the cache has not got.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../boot";
BEGIN { $ENV{SIPI} = 'tools/nested/mutate' }
use Sipi;
use Test::More;
use Time::HiRes qw(sleep);

my $limit = 1200;

# A change of one function, with this line in it.
sub patch {
	my ($name, $line) = @_;
	return spew($name, <<"E");
what: a text ahead of the diff is nobody's business
--- a/arch/x86/kvm/lapic.c
+++ b/arch/x86/kvm/lapic.c
\@\@ -163,5 +163,5 \@\@
 
 static inline u32 kvm_apic_calc_x2apic_ldr(u32 id)
 {
-	return ((id >> 4) << 16) | (1 << (id & 0xf));
+	$line
 }
E
}

sub refused {
	my ($name, $re, @args) = @_;
	my $opt = ref $args[0] ? shift @args : {};
	my $run = sipi({limit => $limit, %$opt}, @args);
	my @lines = split /\n/, $run->{stderr};
	my $said = $opt->{from} // 'nested: ';
	ok(!$run->{hung} && $run->{code} == 2 && @lines == 1 && $lines[0] =~ /^$said/ && $lines[0] =~ $re && $run->{stdout} eq '', $name)
		or diag("code $run->{code}, expected $re\n$run->{stderr}$run->{stdout}");
}

# --- the command line, and patches that are none

refused('no patch', qr/expected one patch; --help/);
refused('two patches', qr/expected one patch/, 'a', 'b');
refused('an unknown option', qr/frobnicate.*--help/, '--frobnicate');
refused('a patch that is not there', qr{/nowhere/x: No such file}, '/nowhere/x');
refused('a folder', qr{: Is a directory}, '/tmp');
refused('a text', qr/text: not a unified diff/, spew('text', "hello\n"));
refused('another part of the kernel', qr{changes a/kernel/fork.c; only}, spew('fork', "--- a/kernel/fork.c\n+++ b/kernel/fork.c\n"));
my $help = sipi('--help');
ok($help->{code} == 0 && $help->{stdout} =~ /^usage:/ && $help->{stderr} eq '', '--help');
{
	mkdir scratch('nothing');
	symlink '/usr/bin/id', scratch('nothing/id');
	local $ENV{PATH} = scratch('nothing');
	refused('without tools', qr/ make gcc-12 binutils patch .*apt-get install -y /, {from => 'missing: '}, patch('good', 'return 0;'));
}

# --- builds: the first with all of KVM

my $good = patch('good', 'return 0;');
my $run = sipi({limit => $limit}, $good);
is($run->{code}, 0, 'a mutant is built') or diag($run->{stderr});
my ($folder) = $run->{stdout} =~ m{^(/.*)\n$} or BAIL_OUT($run->{stderr});
my @modules = map { m{([^/]+)$} } glob "$folder/lib/modules/*/kernel/arch/x86/kvm/*";
is("@modules", 'kvm-amd.ko kvm-intel.ko kvm.ko', 'its folder has its modules');
$run = sipi({limit => 20}, $good);
ok($run->{code} == 0 && $run->{stdout} eq "$folder\n" && $run->{stderr} eq '', 'the second time it is there');

# What a build of this patch leaves in the cache, which others use, too.
my $tree = $folder =~ s{/[^/]+$}{}r;
sub left {
	my ($path) = @_;
	my $key = substr sha256_hex(slurp($path) =~ s/^.*?(?=^--- )//msr), 0, 16;
	return glob "$tree/mutant-$key*";
}
is(join(' ', left($good)), $folder, 'by the checksum of its diff');
sub fails {
	my ($name, $re, $path) = @_;
	refused($name, $re, $path);
	is(join(' ', left($path)), '', "$name: nothing of it in the cache");
}
fails('a patch that does not apply', qr/other: does not apply to 6\.12\S*: .*FAILED/, spew('other', slurp($good) =~ s/id >> 4/id >> 5/r));
fails('a patch that is torn', qr/torn: does not apply to /, spew('torn', substr slurp($good), 0, -30));
fails('a patch that does not compile', qr{broken: does not compile: arch/x86/kvm/lapic.c:\d+:\d+: error: .*nothing},
	patch('broken', 'return nothing;'));
fails('a patch that does not link', qr/unresolved: does not compile: ERROR: modpost: "nobody"/,
	patch('unresolved', 'extern u32 nobody(u32); return nobody(id);'));

# The tool's own child that is this program.
sub has_child {
	my ($run, $name) = @_;
	return grep { slurp("$_/stat") =~ /^\d+ \(\Q$name\E\) \w $run->{pid} / } glob '/proc/[0-9]*';
}
for (['INT', 130], ['TERM', 143]) {
	my ($signal, $code) = @$_;
	my $path = patch("killed-$signal", "return $code;");
	my $killed = start($path);
	for (1 .. 600) {
		last if has_child($killed, 'make');
		sleep 0.1;
	}
	sleep 1;
	kill $signal, $killed->{pid};
	finish($killed, 100);
	ok($killed->{code} == $code && $killed->{stderr} =~ /^nested: ended by SIG$signal\n$/, "SIG$signal ends a build")
		or diag("code $killed->{code}\n$killed->{stderr}");
	is(join(' ', left($path)), '', "SIG$signal: nothing of it in the cache");
}

SKIP: {
	skip 'needs root and mount namespaces', 1 unless $> == 0 && system('unshare -m true 2>/dev/null') == 0;
	my ($common) = glob "$tree/usr/src/linux-headers-*-common";
	my $small = "mount -t tmpfs -o size=8M none $common/arch/x86 && exec \"\$@\"";
	refused('a full disk', qr/No space left on device/, {wrap => ['unshare', '-m', 'sh', '-c', $small, 'sh']}, patch('full', 'return 5;'));
}

# --- the table

my $table = `tools/nested/mutants --boots 2 xapic-id-reinit 2>/dev/null`;
is($? >> 8, 0, 'a mutant is caught');
like($table, qr/^xapic-id-reinit +052c3b99cbc8 +2 of 2 .*\n(?:.*\n)*.*xapic-id-reinit: bug \(kernel split\)\n/m, 'by its scenario, in each boot');
like($table, qr/^6\.12-amd +as it is +0 of 2 +-\n/m, 'the kernel as it is says the same in each boot');
# One that changes nothing.
my $head = "what: nothing\nupstream: none\ncaught-by: xapic-id-reinit (split)\n";
my $same = spew('same', $head . slurp(patch('none', 'return ((id >> 4) << 16) | 1 << (id & 0xf);')) =~ s/^what.*\n//r);
$table = `tools/nested/mutants $same 2>/dev/null`;
is($? >> 8, 1, 'a mutant that nothing catches');
like($table, qr/^same +none +0 of 1 +NOT by xapic-id-reinit \(split\)\n\n1 mutants, 0 caught, 1 not by what should\n/m, 'the table says so');

sub mutants_refused {
	my ($name, $args, $re) = @_;
	my $said = `tools/nested/mutants $args 2>&1`;
	ok($? >> 8 == 2 && $said =~ /^mutants: $re$/, $name) or diag("code $?\n$said");
}
sub with { my ($name, $line) = @_; return spew($name, $head =~ s/^caught/$line\n$&/mr . slurp($good)) }
mutants_refused('no such mutant', 'no-such', qr{tests/nested/mutants/no-such.patch: not there});
mutants_refused('no such host', with('via', 'host: via'), qr{\S+/via: host 'via': expected amd or intel});
mutants_refused('no number of CPUs', with('cpus', 'cpus: two'), qr{\S+/cpus: cpus 'two': expected a number});
mutants_refused('more boots than there are', with('more', 'boots: 10 of 9'), qr{\S+/more: boots '10 of 9': expected N of M, .*});
mutants_refused('no boots', '--boots 0', qr{--boots 0: expected 1 or more});
mutants_refused('boots without a number', '--boots often', qr{value "often" invalid for option boots .*; .*});
done_testing;

#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# tools/ci/slurm.sh on a Slurm of our own: one node, two CPUs, everything of it in a scratch directory. The shards of tests/scenarios
# are merged, and are what one run of all is; then a shard that is killed, one that runs out of time and one that never starts.
use strict;
use warnings;
use Cwd qw(getcwd);
use FindBin;
use lib "$FindBin::Bin/../boot", "$FindBin::Bin/../../tools/nested";
use Child qw(spawn kill_all output);
use IO::Socket::INET;
use POSIX ();
use Sipi;
use Sys::Hostname qw(hostname);
use Test::More;
use Time::HiRes qw(time sleep);

my $root = getcwd;
$ENV{PATH} .= ':/usr/sbin';
for my $program (qw(slurmctld slurmd sbatch munged junitparser)) {
	plan skip_all => "no $program; make test-slurm installs it" unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
}
plan skip_all => 'no usable /dev/kvm' if system('build/sipi probe >/dev/null 2>&1');

my ($user, $node) = (scalar getpwuid $>, hostname =~ s/\..*//r);
my $dir = scratch('slurm');
mkdir $_ or die "$_: $!" for $dir, "$dir/state", "$dir/spool", "$dir/tree";
symlink "$root/$_", "$dir/tree/$_" for qw(build tests tools);
chdir "$dir/tree";
$ENV{SLURM_CONF} = "$dir/slurm.conf";
# A job that Slurm never starts is waited for.
$SIG{ALRM} = sub { die "out of time\n" };
alarm 600;

# --- the cluster

sub ports {
	my @sockets = map { IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') // die "a port: $!" } 1 .. $_[0];
	return map { $_->sockport } @sockets;
}

sub daemon {
	my ($name, @command) = @_;
	return spawn(sub {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', "$dir/$name.log" or POSIX::_exit(126);
		open STDERR, '>&', *STDOUT;
	}, @command);
}

# What a command prints, and its exit code.
sub said {
	my ($status, $text) = output("$dir/tree", @_);
	$text =~ s/\n\z//;
	return wantarray ? ($text, $status >> 8) : $text;
}

# Whether it came true in so many seconds.
sub within {
	my ($seconds, $true) = @_;
	for (my $end = time + $seconds; time < $end; sleep 0.2) {
		return 1 if $true->();
	}
	return 0;
}

sub begin_cluster {
	my ($ctld, $slurmd) = ports(2);
	spew('slurm/slurm.conf', <<"C");
ClusterName=scratch
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$ctld
SlurmdPort=$slurmd
SlurmUser=$user
SlurmdUser=$user
AuthInfo=socket=$dir/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=5
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 RealMemory=1024
PartitionName=all Nodes=$node Default=YES
C
	open my $random, '<:raw', '/dev/urandom' or die "/dev/urandom: $!";
	read $random, my $key, 128;
	chmod 0400, spew('slurm/munge.key', $key);
	daemon('munged', 'munged', '--foreground', '--force', "--socket=$dir/munge", "--key-file=$dir/munge.key",
		map { "--$_-file=$dir/munge.$_" } qw(pid seed log));
	within(10, sub { -S "$dir/munge" }) or return 0;
	daemon('slurmctld', 'slurmctld', '-D');
	daemon('slurmd', 'slurmd', '-D');
	return within(30, sub { said('sinfo', '-h', '-o', '%t') eq 'idle' });
}

# A task's own processes are no children of ours.
END {
	my $code = $?;
	if (defined $dir && -e "$dir/slurmctld.pid") {
		said('scancel', '-u', $user);
		within(20, sub { said('squeue', '-h') eq '' });
	}
	kill_all();
	chdir $root;
	$? = $code;
}

begin_cluster() or BAIL_OUT("no Slurm: " . join '', map { slurp("$dir/$_.log") } qw(munged slurmctld slurmd));

# --- jobs

# The two commands of slurm.sh's head.
my ($submit, $merge) = slurp('tools/ci/slurm.sh') =~ /^#   (.*)$/mg;

# The array's number; its arguments are others than the command's where they are given.
sub submit {
	my ($arguments) = @_;
	my $text = said('sh', '-c', ($arguments ? $submit =~ s{slurm\.sh\K[^)]*}{ $arguments}r : $submit) . '; echo "$job"');
	return $text =~ /^(\d+)$/ ? $1 : die "$submit: $text";
}

# What the merge says when the array has ended, and its exit code.
sub merged {
	my ($text, $code) = said('sh', '-c', "job=$_[0]; $merge");
	return (slurp($text =~ /job (\d+)/ ? "slurm-$1.out" : ''), $code);
}
sub names { return join "\n", sort split /\n/, xpath($_[0], '//testcase/@name') }

{
	my ($whole_xml, $whole, $xml, $text, $code) = scratch('whole.xml');
	# A scenario that measures time may err once on a host that is loaded.
	for (1 .. 3) {
		my $job = submit();
		($text, $code) = merged($job);
		$xml = "results/$job/merged.xml";
		$whole = sipi({limit => 300}, 'check', '--quiet', '--junit', $whole_xml, 'tests/scenarios');
		last if junit_sums($xml) eq junit_sums($whole_xml);
		diag($whole->{stderr}, $whole->{stdout}, $text, map { slurp($_) } glob 'slurm-*.out');
	}
	is(junit_sums($xml), junit_sums($whole_xml), 'all scenarios, in four shards and in one run: as many tests, failures, errors, skipped');
	is(names($xml), names($whole_xml), 'each run is in it once');
	is($code, $whole->{code} && 1, 'the exit code of the merge');
	is(system("xmllint --noout $xml"), 0, 'XML');
	note($text);
}
{
	my $head = "title a\nclass guard\nmanual none\nmodes none\ncpus 0\n";
	my @files = map { spew("$_.scn", "id $_\n$head" . (/slow/ ? "repeat 1000\nwait 1000\nend\nexpect 1 = 1\n" : "expect 1 = 1\n")) }
		qw(quick-1 slow-2 quick-3 slow-4 quick-5 slow-6 slow-7);
	local $ENV{SBATCH_TIMELIMIT} = 1;
	my $job = submit("--timeout 600 @files");
	my $state = sub { said('squeue', '-h', '-r', '-o', '%T', '-j', "${job}_$_[0]") };
	ok(within(30, sub { $state->(2) eq 'RUNNING' && -e "results/$job/2-of-4.xml" && $state->(3) eq 'RUNNING' }), 'they run') or diag(said('squeue', '-r'));
	is($state->(4), 'PENDING', 'the fourth waits for a CPU');
	said('scancel', "${job}_4");
	my $pids = said('scontrol', 'listpids', scalar said('squeue', '-h', '-o', '%A', '-j', "${job}_2"));
	ok(kill('KILL', $pids =~ /^(\d+)/mg), 'the second is killed') or diag($pids);
	my ($text, $code) = merged($job);
	is($code, 1, 'shards that died: the exit code of the merge');
	like($text, qr{/2-of-4.xml: empty.*/4-of-4.xml: missing.*: 6 tests, 0 failures, 3 errors, 0 skipped\n\z}s, 'what it says');
	my $xml = "results/$job/merged.xml";
	is(xpath($xml, 'count(//testcase[not(error)])'), 3, 'what was done is there');
	is(xpath($xml, 'string(//testcase[@name="shard 2/4"]/error/@message)'), '2-of-4.xml: empty: the run died', 'one that was killed');
	is(xpath($xml, 'string(//testcase[@name="shard 4/4"]/error/@message)'), '4-of-4.xml: missing', 'one that never started');
	is(xpath($xml, 'string(//testcase[@name="check"]/error/@message)'), 'Terminated: 1 of 2 runs were not done', 'one that ran out of time');
}
done_testing;

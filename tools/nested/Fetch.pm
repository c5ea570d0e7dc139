# SPDX-License-Identifier: MIT
# What we have from Debian, fetched by apt into our own cache and never installed: apt verifies it against
# Debian's keyring. The mirror is the one that this system's own apt uses.
package Fetch;
use strict;
use warnings;
use Exporter 'import';
use Child;
use Fcntl ':flock';
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);

our @EXPORT = qw(debian_kernels debian_kernel debian_kvm kernel_in cached suite debian_source must remove_unfinished);

my @kernels = ([qw(5.10 bullseye)], [qw(6.1 bookworm)], [qw(6.12 bookworm-security)], [qw(7.2 sid)]);
my %suite = map { @$_ } @kernels;
my $keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
my $unfinished;

sub debian_kernels { return map { $_->[0] } @kernels }

# With clean-up after us: nothing is in the cache that is not whole.
sub remove_unfinished { remove_tree($unfinished) if defined $unfinished }

# The archive that has this suite, by what apt is configured with.
sub mirror {
	my ($suite) = @_;
	my ($status, $text) = output('/', 'apt-get', 'indextargets', '--no-release-info', '--format',
				     '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Created-By: Packages');
	fail(2, "apt-get: no such program; a Debian kernel needs apt, --kernel PATH does not") if $status >> 8 == 127;
	my @main = map { /^(\S+?)\/? (\S+) main$/ ? [$1, $2] : () } split /\n/, $text;
	my $debian = qr/^(?:bullseye|bookworm|trixie|forky|duke|sid|(?:old){0,2}stable|testing|unstable)$/;
	my ($base) = $ENV{SIPI_MIRROR} || map { $_->[0] } grep { $_->[1] =~ $debian } @main;
	fail(2, 'no Debian archive among the sources of apt; name one: SIPI_MIRROR=URL') unless $base;
	return $base unless $suite =~ /-security$/;
	my ($security) = map { $_->[0] } grep { $_->[1] =~ /-security$/ && $_->[0] =~ /-security$/ } @main;
	return $security if $security && !$ENV{SIPI_MIRROR};
	return $base =~ s{/?$}{-security}r;
}

# The image and the folder of modules in an unpacked package, an installed tree or the like.
sub kernel_in {
	my ($dir) = @_;
	my @images = map { glob "$dir/$_" } qw(boot/vmlinuz* vmlinuz* lib/modules/*/vmlinuz usr/lib/modules/*/vmlinuz);
	fail(2, "$dir: expected one kernel image, boot/vmlinuz* or lib/modules/*/vmlinuz; found " . @images) unless @images == 1;
	my ($modules) = grep { -d } "$dir/usr/lib/modules", "$dir/lib/modules";
	return ($images[0], $modules // '');
}

# Newest last, by the numbers in the name.
sub by_version { return sort { pad($a) cmp pad($b) } @_ }
sub pad { return $_[0] =~ s/(\d+)/sprintf '%09d', $1/ger }

# The first complaint of apt or dpkg, in a line.
sub complaint {
	my ($text) = @_;
	my ($line) = $text =~ /^((?:E|Err|W|dpkg-deb: error|tar):?\s*.*(?:\n\s+.*)?)$/m;
	return ($line // "no reason given") =~ s/^Err:\d+ //r =~ s/\s+/ /gr;
}

sub must {
	my ($what, $dir, @command) = @_;
	my ($status, $text) = output($dir, @command);
	fail(2, "$what: " . complaint($text)) if $status;
	return $text;
}

# apt with lists, cache and sources of its own; the rest of its configuration (proxies) is the system's.
sub private_apt {
	my ($dir, $url, $suite, $sources) = @_;
	make_path("$dir/lists/partial", "$dir/archives/partial");
	open my $list, '>', "$dir/sources.list";
	print $list "deb [arch=amd64 target=Packages signed-by=$keyring] $url $suite main\n";
	print $list "deb-src [signed-by=$keyring] $url $suite main\n" if $sources;
	open my $status, '>', "$dir/status";
	close $_ or fail(2, "$dir: $!") for $list, $status;
	my %set = ('Dir::Etc::sourcelist' => "$dir/sources.list", 'Dir::Etc::sourceparts' => '/dev/null',
		   'Dir::Etc::preferences' => '/dev/null', 'Dir::Etc::preferencesparts' => '/dev/null',
		   'Dir::State::lists' => "$dir/lists", 'Dir::State::status' => "$dir/status",
		   'Dir::Cache' => $dir, 'APT::Architecture' => 'amd64', 'APT::Sandbox::User' => 'root',
		   'Acquire::Retries' => 1, 'Acquire::http::Timeout' => 20, 'Acquire::https::Timeout' => 20);
	return map { ('-o', "$_=$set{$_}") } sort keys %set;
}

# The index of this suite, with that of its sources where they are asked for; gives back apt's options.
sub suite {
	my ($dir, $suite, $sources) = @_;
	my $url = mirror($suite);
	my @apt = private_apt($dir, $url, $suite, $sources);
	must("the index of $suite at $url", $dir, 'apt-get', @apt, 'update', '--error-on=any');
	return @apt;
}

# The upstream tarball of a source package, into dir; apt holds it against the checksum in its index. Not by apt-get source:
# a mirror may lack the .dsc.
sub debian_source {
	my ($dir, $package, @apt) = @_;
	my $uris = must("the source of $package", $dir, 'apt-get', @apt, 'source', '--print-uris', $package);
	my ($uri, $name, $sum) = $uris =~ /^'(\S+)' (\S+\.orig\.tar\.\w+) \d+ (SHA256:[0-9a-f]{64})$/m
		or fail(2, "the source of $package: apt names no tarball with its SHA-256");
	must("downloading $name", $dir, '/usr/lib/apt/apt-helper', @apt, 'download-file', $uri, "$dir/$name", $sum);
	return "$dir/$name";
}

# Fetches and unpacks the newest kernel of this series into dir/tree.
sub fetch {
	my ($dir, $series) = @_;
	my $suite = $suite{$series};
	my @apt = suite($dir, $suite);
	my $names = must('apt-cache', $dir, 'apt-cache', @apt, 'pkgnames', "linux-image-$series.");
	my $image = (by_version(grep { /-cloud-amd64$/ } split /\n/, $names))[-1]
		// fail(2, "$suite has no package linux-image-$series.*-cloud-amd64; use another --kernel");
	# From 7.x on, the image package is empty: what it depends on has the kernel and its modules.
	my $about = must('apt-cache', $dir, 'apt-cache', @apt, 'show', $image);
	my @parts = $about =~ /\b(linux-(?:binary|modules|base)-\d\S*)/g;
	note("fetching $image from $suite");
	must("downloading $image", $dir, 'apt-get', @apt, 'download', $image, @parts);
	must("unpacking $_", $dir, 'dpkg-deb', '-x', $_, "$dir/tree") for glob "$dir/*.deb";
	kernel_in("$dir/tree");
}

# The sources of this kernel's KVM in dir/tree/kvm, and in dir/tree/usr what Debian has for the building of its modules.
sub fetch_kvm {
	my ($dir, $series, $release) = @_;
	my $suite = $suite{$series};
	my @apt = suite($dir, $suite);
	my $common = $release =~ s/-[a-z]+-amd64$//r;
	my @headers = ("linux-headers-$release", "linux-headers-$common-common", "linux-kbuild-$common");
	my (undef, $about) = output($dir, 'apt-cache', @apt, 'show', $headers[0]);
	my ($version) = $about =~ /^Version: (\S+)$/m or
		fail(2, "$suite has no $headers[0] any more: remove linux-$series from the cache, for a newer kernel");
	note("fetching the sources of KVM in $release from $suite");
	must("downloading the sources of $release", $dir, 'apt-get', @apt, 'download', @headers, "linux-source-$series=$version");
	must("unpacking $_", $dir, 'dpkg-deb', '-x', $_, "$dir/tree") for glob "$dir/*.deb";
	my $tar = "$dir/tree/usr/src/linux-source-$series.tar.xz";
	must("unpacking $tar", $dir, 'tar', '-xJf', $tar, map { "linux-source-$series/$_" } qw(arch/x86/kvm virt/kvm));
	rename "$dir/linux-source-$series", "$dir/tree/kvm" or fail(2, "linux-source-$series: $!");
	unlink $tar;
}

# A folder of the cache. When it is not there yet, make, called with a folder, has to leave it as "tree" in that, within so many seconds.
sub cached {
	my ($name, $limit, $make) = @_;
	my $home = $ENV{XDG_CACHE_HOME} || ($ENV{HOME} // '') . '/.cache';
	my $cache = $ENV{SIPI_CACHE} || "$home/sipi";
	my $wanted = "$cache/$name";
	return $wanted if -d $wanted;
	fail(2, "$keyring: not there; install with: sudo apt-get install -y debian-archive-keyring") unless -e $keyring;
	make_path($cache, {error => \my $errors});
	open my $lock, '>', "$cache/lock" or fail(2, "the cache $cache: $!; SIPI_CACHE=DIR names another");
	alarm $limit;
	flock $lock, LOCK_EX or fail(2, "$cache/lock: $!");
	return $wanted if -d $wanted; # somebody else's work, that we waited for
	remove_tree(glob "$cache/unfinished.*");
	$unfinished = eval { tempdir("$cache/unfinished.XXXX") } // fail(2, "the cache $cache: $!");
	$make->($unfinished);
	rename "$unfinished/tree", $wanted or fail(2, "$wanted: $!");
	remove_unfinished();
	alarm 0;
	return $wanted;
}

# The folder with this series' boot/vmlinuz-* and lib/modules; fetched when it is not there yet.
sub debian_kernel {
	my ($series) = @_;
	return cached("linux-$series", 900, sub { fetch($_[0], $series) });
}

# The folder of fetch_kvm(), and the release it is of: that of the kernel in the cache.
sub debian_kvm {
	my ($series) = @_;
	my ($image) = kernel_in(debian_kernel($series));
	my ($release) = $image =~ /vmlinuz-(\S+)$/ or fail(2, "$image: its name has no release");
	return (cached("kvm-$release", 900, sub { fetch_kvm($_[0], $series, $release) }), $release);
}

1;

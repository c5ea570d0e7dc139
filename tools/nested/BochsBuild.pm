# SPDX-License-Identifier: MIT
# Bochs, built once from Debian's source package into our cache: no ready binary runs KVM with APICv. bookworm's 2.7 has no posted
# interrupts, trixie's 3.0 refuses each VM entry with APICv, and sid's 3.1 is miscompiled (IDIV).
package BochsBuild;
use strict;
use warnings;
use Child;
use Digest::SHA qw(sha256_hex);
use Exporter 'import';
use Fetch;
use File::Copy qw(move);

our @EXPORT = qw(bochs);

my $suite = 'trixie';
my $limit = 3600; # seconds; it takes 4 minutes on an idle core
# What is wrong in 3.0 for KVM: the file, what stands there once, and what has to.
my @edits = (
	# The descriptor has to be aligned to 64 bytes, not to a page (SDM 26.2.1.1; upstream's issue 556).
	['cpu/vmx.cc', 'if (! IsValidPageAlignedPhyAddr(vm->pid_addr)) {', 'if (! IsValidPhyAddr(vm->pid_addr) || (vm->pid_addr & 0x3f)) {'],
	# A virtual interrupt whose delivery exits, by an EPT violation, is what the IDT-vectoring information has to name (SDM 27.2.4).
	# What stands there from an earlier one is what KVM would inject again.
	['cpu/vapic.cc', 'interrupt(vector, BX_EXTERNAL_INTERRUPT, 0, 0);',
	 'vm->idt_vector_info = vector | (BX_EXTERNAL_INTERRUPT << 8); vm->idt_vector_error_code = 0; interrupt(vector, BX_EXTERNAL_INTERRUPT, 0, 0);'],
	# A notification without a posted interrupt, which software took already, requests none (SDM, "Posted-Interrupt Processing"), and not vector 0xff.
	['cpu/vapic.cc', 'vector = BX_CPU_THIS_PTR lapic->highest_priority_int(virr);',
	 'int highest = BX_CPU_THIS_PTR lapic->highest_priority_int(virr); vector = highest < 0 ? 0 : highest;'],
	# A virtual interrupt waits for IF (SDM, "Virtual-Interrupt Delivery"), also when a physical one is there, which does not.
	['cpu/event.cc', 'if (is_pending(BX_EVENT_PENDING_VMX_VIRTUAL_INTR)) {', 'if (is_unmasked_event_pending(BX_EVENT_PENDING_VMX_VIRTUAL_INTR)) {'],
);
my @configure = (qw(--with-nogui --disable-docbook --disable-debugger --disable-readline --enable-cpu-level=6 --enable-x86-64),
	qw(--enable-vmx=2 --enable-svm --enable-smp --enable-pci --enable-all-optimizations --enable-repeat-speedups --enable-avx),
	# Its line of statistics, once a second, can deadlock it.
	qw(--enable-evex --enable-monitor-mwait --enable-fpu --enable-cdrom --disable-show-ips),
	map { "$_=-O2 -g0 -fno-strict-aliasing" } 'CFLAGS', 'CXXFLAGS');

sub edit {
	my ($tree, @edits) = @_;
	for (@edits) {
		my ($name, $from, $to) = @$_;
		my $text = read_file("$tree/$name");
		my $found = () = $text =~ /\Q$from\E/g;
		fail(2, "Bochs: $name: expected this once, found it $found times: $from") unless $found == 1;
		open my $f, '>:raw', "$tree/$name" or fail(2, "$tree/$name: $!");
		write_all($f, $text =~ s/\Q$from\E/$to/r, "$tree/$name");
	}
}

# The last lines of what a step said, where it failed.
sub step {
	my ($what, $dir, @command) = @_;
	my ($status, $text) = output($dir, @command);
	my @lines = split /\n/, $text;
	fail(2, "Bochs: $what failed: status $status", join '', map { "    $_\n" } @lines[-(@lines < 20 ? @lines : 20) .. -1]) if $status;
}

sub build {
	my ($dir) = @_;
	my @apt = suite($dir, $suite, 1);
	my $tar = debian_source($dir, 'bochs', @apt);
	must('downloading the BIOS of Bochs', $dir, 'apt-get', @apt, 'download', 'bochsbios', 'vgabios');
	must("unpacking $_", $dir, 'dpkg-deb', '-x', $_, "$dir/bios") for glob "$dir/*.deb";
	must("unpacking $tar", $dir, 'tar', '-xf', $tar, '--one-top-level=source', '--strip-components=1');
	note('building ' . $tar =~ s{.*/}{}r =~ s{\.orig.*}{}r . ' from Debian, once; it takes some minutes');
	edit("$dir/source", @edits);
	step('configure', "$dir/source", './configure', @configure);
	step('make', "$dir/source", 'make', '-j2');
	mkdir "$dir/tree";
	for ("source/bochs", "bios/usr/share/bochs/BIOS-bochs-latest", "bios/usr/share/vgabios/vgabios.bin") {
		move("$dir/$_", "$dir/tree/") or fail(2, "$dir/$_: $!");
	}
}

# The folder with bochs, BIOS-bochs-latest and vgabios.bin. Its name changes with what it is built from and how.
sub bochs {
	my $recipe = sha256_hex(join "\0", $suite, @configure, map { @$_ } @edits);
	return cached('bochs-' . substr($recipe, 0, 12), $limit, \&build);
}

1;

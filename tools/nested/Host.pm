# SPDX-License-Identifier: MIT
# An AMD host: QEMU's TCG emulates SVM. Another kind of host is another package with the same methods: the rest sees pipes and a
# process. What the init script writes into which: see there.
package Host;
use strict;
use warnings;
use Child;

sub emulator_name { return 'QEMU' }
sub about { return "kvm_amd on QEMU's TCG" }
sub needs { return qw(qemu-system-x86_64=qemu-system-x86) }

# What --cpus and --mem are when they are not given, and may be; seconds to init, which takes 2 to 5 on an idle machine; how
# often a kernel that is known to boot is started.
sub limits { return {cpus => [2, 1, 64], mem => [1024, 1, 1e12], boot => 120, tries => 3} }

# The modules that the kernel needs here.
sub modules { return qw(virtio_pci virtio_console kvm_amd) }

sub prepare { }

# What the init script has to know: where our pipes end, and what else to do.
sub job { return "control=/dev/ttyS1\nstreams='/dev/vport0p1 /dev/vport0p2 /dev/vport0p3'\npin=yes\n" }

# Boots kernel (a path) with initrd (a handle).
sub start {
	my ($class, %o) = @_;
	return emulator([qw(console control out err files errors)], [$o{initrd}], sub {
		my (%to) = @_;
		my @ports = map { ('-chardev', "file,id=$_,append=on,path=$to{$_}") } qw(console control out err files);
		return (qw(qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -M q35),
			'-accel', 'tcg,thread=multi', '-cpu', 'EPYC,+svm,+npt', '-smp', $o{cpus}, '-m', $o{mem},
			'-kernel', $o{kernel}, '-initrd', inherited($o{initrd}), '-append', $o{append},
			@ports, '-serial', 'chardev:console', '-serial', 'chardev:control', '-device', 'virtio-serial-pci',
			map { ('-device', "virtserialport,$_") } 'nr=1,chardev=out', 'nr=2,chardev=err', 'nr=3,chardev=files');
	});
}

# What the emulator itself found wrong, by its status and what it said: our exit code and its words; or nothing.
sub complaint {
	my ($class, $status, $said) = @_;
	my ($line) = grep { !/TCG doesn't support requested feature/ } split /\n/, $said;
	return $status && defined $line ? (2, $line) : ();
}

1;

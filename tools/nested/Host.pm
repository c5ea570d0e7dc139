# SPDX-License-Identifier: MIT
# An AMD host: QEMU's TCG emulates SVM. Another kind of host is another package with start() and modules(): the rest
# sees pipes (console, control, out, err, files) and a process. What the init script writes into which: see there.
package Host;
use strict;
use warnings;
use Child;
use Fcntl;

my @streams = qw(console control out err files errors);

# The modules that the kernel needs here.
sub modules { return qw(virtio_pci virtio_console kvm_amd) }

sub name { return '/dev/fd/' . fileno $_[0] }

# Boots kernel (a path) with initrd (a handle); gives back the process and the pipes to read from.
sub start {
	my (%o) = @_;
	my (%host, %to);
	pipe $host{$_}, $to{$_} or fail(2, "pipe: $!") for @streams;
	my $append = "console=ttyS0 loglevel=5 log_buf_len=4M panic=-1 oops=panic mitigations=off";
	# The pipes and the initramfs reach QEMU as names of descriptors that it inherits.
	my @ports = map { ('-chardev', "file,id=$_,append=on,path=" . name($to{$_})) } qw(console control out err files);
	my @command = (qw(qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -M q35),
		'-accel', 'tcg,thread=multi', '-cpu', 'EPYC,+svm,+npt', '-smp', $o{cpus}, '-m', $o{mem},
		'-kernel', $o{kernel}, '-initrd', name($o{initrd}), '-append', join(' ', $append, @{$o{parameters}}),
		@ports, '-serial', 'chardev:console', '-serial', 'chardev:control', '-device', 'virtio-serial-pci',
		map { ('-device', "virtserialport,$_") } 'nr=1,chardev=out', 'nr=2,chardev=err', 'nr=3,chardev=files');
	$host{pid} = spawn(sub {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>&', $to{errors};
		open STDERR, '>&', $to{errors};
		fcntl $_, F_SETFD, 0 for $o{initrd}, values %to;
	}, @command);
	close $_ for values %to;
	return \%host;
}

1;

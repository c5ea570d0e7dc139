# SPDX-License-Identifier: MIT
#
# Commands that run our guests under QEMU: our firmware as its BIOS, with the hand-off block filled in
# (firmware/handoff.h), and image and device tree put into RAM by QEMU's loader. pc-testdev has the interrupt
# lines that sipi has, isa-debug-exit the port that ends it.
package Qemu;
use strict;
use warnings;

use Exporter 'import';
our @EXPORT_OK = qw(guest_command flat_command $QEMU_OK);

# What isa-debug-exit makes of the code 0 that the guest writes: code * 2 + 1.
our $QEMU_OK = 1;

my $FDT_AT = 16 << 20; # the guests end far below
my ($MODE_REAL, $MODE_LONG) = (0, 2);
my $FDT_MAGIC = 0xd00dfeed;
my $FLAT_AT = 0x7c00;

sub slurp {
	my ($path) = @_;
	open my $f, '<:raw', $path or die "$path: $!\n";
	local $/;
	return <$f>;
}

sub write_rom {
	my ($path, $mode, $entry) = @_;
	my $rom = slurp('build/firmware.bin');
	substr($rom, 4, 28) = pack 'VQ<VVVV', $mode, $entry, $FDT_AT, $FDT_MAGIC, $FDT_AT, $entry;
	open my $f, '>:raw', $path or die "$path: $!\n";
	print $f $rom;
	close $f or die "$path: $!\n";
}

sub command {
	my ($irqchip, $cpus, $tsc_hz, $rom, @rest) = @_;
	# Without the kernel's LAPIC, KVM refuses the MSR that announces asynchronous page faults by an
	# interrupt; and QEMU's LAPIC has no x2APIC in 7.2, which -cpu host promises all the same. The
	# frequency, because one measured by the PIT is wrong by 20 % on a busy host.
	my $cpu = "host,kvm-asyncpf-int=off,tsc-frequency=$tsc_hz";
	$cpu .= ',-x2apic' if $irqchip eq 'off';
	return ('qemu-system-x86_64', '-M', "q35,accel=kvm,kernel-irqchip=$irqchip", '-cpu', $cpu, '-m', 64,
		'-smp', $cpus, '-bios', $rom, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
		qw(-device pc-testdev -nodefaults -no-reboot -display none), @rest);
}

# An ELF guest with the tree that sipi would give it; console on stdout.
sub guest_command {
	my ($dir, $irqchip, $cpus, $tsc_hz, $image, $dtb) = @_;
	my $rom = "$dir/guest.rom";
	write_rom($rom, $MODE_LONG, unpack 'x24 Q<', slurp($image)); # e_entry
	return command($irqchip, $cpus, $tsc_hz, $rom, qw(-serial stdio -device), "loader,file=$image", '-device',
		"loader,file=$dtb,addr=$FDT_AT,force-raw=on");
}

# A flat binary, entered in real mode.
sub flat_command {
	my ($dir, $irqchip, $tsc_hz, $image) = @_;
	my $rom = "$dir/flat.rom";
	write_rom($rom, $MODE_REAL, $FLAT_AT); # as a far pointer too: segment 0
	return command($irqchip, 1, $tsc_hz, $rom, '-device', "loader,file=$image,addr=$FLAT_AT,force-raw=on");
}

1;

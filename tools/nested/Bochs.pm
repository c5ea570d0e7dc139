# SPDX-License-Identifier: MIT
# An Intel host with APICv: Bochs emulates VMX with APIC-register virtualization, virtual-interrupt delivery and posted interrupts.
# It boots from a CD, and has two serial ports for us: the kernel's console, and one on which the init script's streams are frames.
package Bochs;
use strict;
use warnings;
use BochsBuild;
use Child;
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use Initramfs;
use Time::HiRes qw(time);

my $ips = 100_000_000; # instructions in a second of its time
my $hung = 20; # seconds
my @cd = qw(/usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32);

sub emulator_name { return 'Bochs' }
sub about { return 'kvm_intel on Bochs' }

sub needs {
	return (qw(xorriso=xorriso g++=g++ make=make), "$cd[0]=isolinux", "$cd[1]=syslinux-common");
}

# Two CPUs wait in real time, where one skips its waits. To init it takes 10 to 25 seconds on an idle machine.
sub limits { return {cpus => [1, 1, 2], mem => [512, 256, 2048], boot => 240, tries => 2} }
sub prepare { return bochs() }
sub modules { return qw(kvm_intel) }
sub job { return "control=/run/mux/control\nstreams='/run/mux/out /run/mux/err /run/mux/files'\nmux=yes\n" }

# A file without a name, that a child inherits.
sub nameless {
	open my $f, '+>:raw', undef or fail(2, "a temporary file: $!; TMPDIR=DIR names another place");
	write_all($f, $_[0], 'a temporary file');
	return $f;
}

# A CD with the kernel and isolinux, which loads it.
sub iso {
	my (%o) = @_;
	my $dir = tempdir('nested.XXXX', TMPDIR => 1, CLEANUP => 1);
	my %file = (initrd => inherited($o{initrd}), vmlinuz => $o{kernel}, map { m{([^/]+)$} => $_ } @cd);
	my %bytes = ('isolinux.cfg' => "DEFAULT l\nPROMPT 0\nLABEL l\n KERNEL vmlinuz\n INITRD initrd\n APPEND $o{append}\n",
		     map { $_ => read_file($file{$_}) } keys %file);
	mkdir "$dir/cd";
	for my $name (keys %bytes) {
		open my $f, '>:raw', "$dir/cd/$name" or fail(2, "$dir/cd/$name: $!");
		write_all($f, $bytes{$name}, "$dir/cd/$name");
	}
	my ($status, $text) = output($dir, qw(xorriso -as mkisofs -quiet -o iso -b isolinux.bin -c boot.cat -no-emul-boot),
		qw(-boot-load-size 4 -boot-info-table cd));
	fail(2, "xorriso: status $status", $text) if $status;
	open my $iso, '<:raw', "$dir/iso" or fail(2, "$dir/iso: $!");
	remove_tree($dir);
	return $iso;
}

# ips=... makes its clocks and the TSC one; the kernel is told the TSC's rate, for it cannot find it out here.
sub bochsrc {
	my ($dir, $iso, $to, %o) = @_;
	return <<"B";
display_library: nogui
config_interface: textconfig
cpu: model=corei7_skylake_x, count=$o{cpus}, ips=$ips, reset_on_triple_fault=0, ignore_bad_msrs=1
pci: enabled=1, chipset=i440fx
clock: sync=none, time0=utc
megs: $o{mem}
romimage: file=$dir/BIOS-bochs-latest
vgaromimage: file=$dir/vgabios.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$to->{console}
com2: enabled=1, mode=file, dev=$to->{frames}
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
B
}

sub start {
	my ($class, %o) = @_;
	my $dir = bochs();
	# A reset would boot anew: a triple fault instead ends Bochs.
	my $iso = iso(%o, append => "$o{append} tsc_early_khz=" . $ips / 1000 . ' nokaslr random.trust_cpu=on reboot=t');
	my $rc = nameless('');
	my $host = emulator([qw(console frames errors)], [$iso, $rc], sub {
		my (%to) = @_;
		write_all($rc, bochsrc($dir, inherited($iso), \%to, %o), 'a temporary file');
		return ("$dir/bochs", '-q', '-f', inherited($rc));
	});
	@{$host}{qw(pause check)} = (5, watch($host->{pid}));
	return $host;
}

# Bochs never sleeps, not even when its CPUs do, and we took all that it wrote: if it gets no time on a CPU, it hangs itself.
sub watch {
	my ($pid) = @_;
	my ($ticks, $since) = (-1, 0);
	return sub {
		my @stat = split / /, read_file("/proc/$pid/stat") =~ s/.*\) //sr;
		my $now = $stat[11] + $stat[12]; # user's and system's
		($ticks, $since) = ($now, time) if $now != $ticks;
		die {code => 5, text => "Bochs hangs: no time on a CPU in $hung s", below => '', emulator => 1} if time - $since >= $hung;
	};
}

# A triple fault is how the kernel resets and a power-off how it ends: those are not Bochs'.
sub complaint {
	my ($class, $status, $said) = @_;
	my ($text) = $said =~ /exiting with the following message:\n(.*)/;
	return () if !$status || defined $text && $text =~ /exception with no resolution|soft power off/;
	return defined $text ? (5, $text) : (2, (grep { /\S/ } split /\n/, $said)[-1] // "status $status");
}

1;

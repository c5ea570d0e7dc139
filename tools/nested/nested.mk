# SPDX-License-Identifier: MIT
#
# make test-nested: tests of tools/nested, then the boot tests on real kernels, KERNELS="6.1 6.12" or all, and on this machine's own /dev/kvm

DEPS_NESTED := qemu-system-x86_64=qemu-system-x86 busybox=busybox-static xz=xz-utils setpriv=util-linux \
	xorriso=xorriso /usr/lib/ISOLINUX/isolinux.bin=isolinux /usr/lib/syslinux/modules/bios/ldlinux.c32=syslinux-common g++=g++ \
	xmllint=libxml2-utils YAML::XS.pm=libyaml-libyaml-perl git=git
KERNELS ?= 6.1 6.12
nested_hosts := $(if $(filter all,$(KERNELS)),5.10 6.1 6.12 7.2,$(KERNELS)) $(if $(wildcard /dev/kvm),local)

.PHONY: test-nested
test-nested: all static | build/deps-TEST build/deps-NESTED
	prove -j 2 tests/nested/*.t
	tools/nested/table $(nested_hosts)

# Mutants of KVM in Debian's 6.12, each of which a scenario must catch: 15 to 20 minutes, MUTANTS="name..." for some.
.PHONY: mutants
mutants: all static | build/deps-NESTED
	tools/nested/mutants $(MUTANTS)

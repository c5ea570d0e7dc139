# SPDX-License-Identifier: MIT
#
# make test-nested: tests of tools/nested, then the boot tests on real kernels, KERNELS="6.1 6.12" or all, and on this machine's own /dev/kvm;
#   HOSTS="amd intel" for the scenarios on the Intel host as well, with APICv and without; or a host as tools/nested/table names it
# make test-intel: the Intel host, for which Bochs is built once (4 minutes)
# make mutants: KVM of Debian's 6.12 with a mistake in it, 75 times, each of which a scenario must catch, fifteen of them on the Intel host:
#   about 40 minutes; MUTANTS="name..." for some, MUTANTS="--boots 10 apicv-create-race" for how often
# make test-slurm: tools/ci/slurm.sh on a Slurm of its own: two to three minutes

DEPS_NESTED := qemu-system-x86_64=qemu-system-x86 busybox=busybox-static xz=xz-utils setpriv=util-linux \
	xmllint=libxml2-utils YAML::XS.pm=libyaml-libyaml-perl git=git
DEPS_INTEL := xorriso=xorriso /usr/lib/ISOLINUX/isolinux.bin=isolinux /usr/lib/syslinux/modules/bios/ldlinux.c32=syslinux-common g++=g++
DEPS_SHARDS := junitparser=junitparser
DEPS_SLURM := /usr/sbin/slurmctld=slurmctld /usr/sbin/slurmd=slurmd sbatch=slurm-client /usr/sbin/munged=munge
HOSTS ?= amd
KERNELS ?= 6.1 6.12
kernels := $(if $(filter all,$(KERNELS)),5.10 6.1 6.12 7.2,$(KERNELS))
nested_hosts := $(foreach h,$(HOSTS),$(if $(filter amd,$h),$(kernels),$(if $(filter intel,$h),$(kernels:%=%-intel) \
	$(kernels:%=%-intel-enable_apicv=0),$h))) $(if $(wildcard /dev/kvm),local)

slow_tests := tests/nested/intel.t tests/nested/mutate.t tests/nested/slurm.t

.PHONY: test-nested test-intel mutants test-slurm
test-nested: all static | build/deps-TEST build/deps-NESTED build/deps-SHARDS $(if $(findstring -intel,$(nested_hosts)),build/deps-INTEL)
	prove -j 2 $(filter-out $(slow_tests),$(wildcard tests/nested/*.t))
	tools/nested/table $(nested_hosts)

test-intel: all static | build/deps-TEST build/deps-NESTED build/deps-INTEL
	prove tests/nested/intel.t

mutants: all static | build/deps-TEST build/deps-NESTED
	prove tests/nested/mutate.t
	tools/nested/mutants $(MUTANTS)

test-slurm: all | build/deps-TEST build/deps-SHARDS build/deps-SLURM
	prove tests/nested/slurm.t

# SPDX-License-Identifier: MIT
#
# make [all]      build/sipi and the guests
# make run        boots the stress guest on four vCPUs; NESTED=1: on a host with KVM that it boots first
# make test       unit tests and boot tests; SAN=1: under ASan and UBSan
# README.md lists the rest.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# V=1 shows the commands.
V ?=
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-6s %s\n')

VERSION := 0.1.0
PREFIX ?= /usr/local
CC := gcc

# A build variant has its own tree, so that variants never mix objects.
SAN ?=
TSAN ?=
COV ?=
B := build
ifneq ($(SAN),)
B := build/san
VARIANT := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
ifneq ($(TSAN),)
B := build/tsan
VARIANT := -fsanitize=thread
endif
ifneq ($(COV),)
B := build/cov
VARIANT := --coverage -O0
endif

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wimplicit-fallthrough
CPPFLAGS := -Ivmm -I. -D_GNU_SOURCE -DSIPI_VERSION='"$(VERSION)"'
CFLAGS ?= -O2 -g
SIPI_CFLAGS := -std=gnu11 $(WARN) $(CFLAGS) -pthread -MMD -MP $(VARIANT)
# Linked in: two libraries less to load at each start, which is counted in tenths of a millisecond.
LDLIBS := -Wl,-Bstatic -luring -lfdt -Wl,-Bdynamic

rooms := cmd selftest scenario machine boot devices chips io kvm util
lib_src := $(foreach r,$(rooms),$(wildcard vmm/$(r)/*.c))
lib_obj := $(lib_src:%.c=$(B)/obj/%.o) $(B)/obj/vmm/firmware.o $(B)/obj/vmm/puppet.o \
	$(B)/obj/vmm/puppet-setup.o $(B)/obj/vmm/puppet-listing.o
unit_src := $(wildcard tests/unit/*_test.c)
units := $(unit_src:tests/unit/%.c=$(B)/tests/%)

guest_src := $(wildcard guest/*.c)
guests := $(guest_src:guest/%.c=build/guest/%)
guest_lib_obj := $(patsubst %,build/obj/%.o,$(wildcard guest/lib/*.c guest/lib/*.S))

.PHONY: all static guests run test soak test-tsan bench coverage scan format format-check install clean FORCE

all: $(B)/sipi guests
guests: $(guests)

# --- what a build needs from the system; installed where we may, named where we may not

DEPS_BUILD := liburing.h=liburing-dev libfdt.h=libfdt-dev perl=perl
DEPS_TEST := prove=perl cmocka.h=libcmocka-dev xmllint=libxml2-utils jq=jq dtc=device-tree-compiler IO::Pty.pm=libio-pty-perl unshare=util-linux
DEPS_SCAN := scan-build=clang-tools clang-format=clang-format
DEPS_COV := gcovr=gcovr cmocka.h=libcmocka-dev

build/deps-%: tools/need
	@mkdir -p $(@D)
	@CC='$(CC)' tools/need $(DEPS_$*)
	@touch $@

# --- the VMM

$(B)/obj/vmm/%.o: vmm/%.c | build/deps-BUILD
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) $(SIPI_CFLAGS) -c -o $@ $<

# Where errata looks for scenarios. That object is built again where PREFIX is another than it was.
$(B)/obj/vmm/cmd/errata.o: CPPFLAGS += -DSIPI_SCENARIOS='"$(PREFIX)/share/sipi/scenarios"'
$(B)/obj/vmm/cmd/errata.o: $(B)/prefix
$(B)/prefix: FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' >$@

$(B)/libsipi.a: $(lib_obj)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/sipi: $(B)/obj/vmm/main.o $(B)/libsipi.a
	$(say) LINK $@
	$(Q)$(CC) $(SIPI_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

static: build/sipi-static
build/sipi-static: build/obj/vmm/main.o build/libsipi.a
	$(say) LINK $@
	$(Q)$(CC) $(SIPI_CFLAGS) $(LDFLAGS) -static -o $@ $^ -luring -lfdt

# --- our firmware: one ROM image, carried inside the executable

FW_CFLAGS := -m32 -ffreestanding -fno-pic -nostdlib -Wa,--noexecstack -I. -MMD -MP
fw_obj := $(patsubst %.S,build/obj/%.o,$(wildcard firmware/*.S))

build/obj/firmware/%.o: firmware/%.S
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(FW_CFLAGS) -c -o $@ $<

build/firmware.bin: $(fw_obj) firmware/rom.ld
	$(say) ROM $@
	$(Q)$(CC) -m32 -static -no-pie -nostdlib -Wl,--build-id=none -Wl,-melf_i386 \
		-Wl,--oformat=binary -T firmware/rom.ld -o $@ $(fw_obj)

$(B)/obj/vmm/firmware.o: build/firmware.bin tools/embed.S
	@mkdir -p $(@D)
	$(Q)$(CC) -Wa,--noexecstack -DBLOB='"$<"' -DNAME=firmware_rom -c -o $@ tools/embed.S

# --- the puppet: what a scenario's `guest` steps run, carried inside, too

build/puppet.elf: guest/puppet.S guest/puppet.h
	@mkdir -p $(@D)
	$(say) GUEST $@
	$(Q)$(CC) -I. -c -o build/puppet.o $<
	$(Q)ld -Ttext=0xa000 -o $@ build/puppet.o

build/puppet.bin: build/puppet.elf
	$(Q)objcopy -O binary -j .text $< $@

$(B)/obj/vmm/puppet.o: build/puppet.bin tools/embed.S
	@mkdir -p $(@D)
	$(Q)$(CC) -Wa,--noexecstack -DBLOB='"$<"' -DNAME=puppet_image -c -o $@ tools/embed.S

# And as C, for `sipi check --emit-c`: what makes its memory and registers, and the image, which the tool compares.
build/puppet-setup.txt: guest/puppet.h vmm/scenario/puppet.h vmm/scenario/puppet_setup.c
	@mkdir -p $(@D)
	$(Q){ sed -e '/SPDX/d; /_PUPPET_H$$/d; /^#endif/d' guest/puppet.h && \
		grep '^enum puppet_mode' vmm/scenario/puppet.h && \
		sed -e '1,/^#include "scenario\/puppet.h"/d' vmm/scenario/puppet_setup.c && echo; } >$@

build/puppet-listing.txt: build/puppet.elf build/puppet.bin guest/puppet.h tools/puppet-listing
	$(Q)tools/puppet-listing build/puppet.elf build/puppet.bin guest/puppet.h >$@

$(B)/obj/vmm/puppet-%.o: build/puppet-%.txt tools/embed.S
	@mkdir -p $(@D)
	$(Q)$(CC) -Wa,--noexecstack -DBLOB='"$<"' -DNAME=puppet_$* -c -o $@ tools/embed.S

# --- guests: freestanding, general registers only, linked at 1 MiB

GUEST_CFLAGS := -std=gnu11 $(WARN) -O2 -g -ffreestanding -fno-pic -fno-pie -mcmodel=small \
	-mno-red-zone -mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fcf-protection=none -fno-builtin -fno-strict-aliasing -Iguest -I. -MMD -MP
GUEST_LDFLAGS := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,-z,noexecstack

build/obj/guest/%.c.o: guest/%.c
	@mkdir -p $(@D)
	$(say) GUEST $@
	$(Q)$(CC) $(GUEST_CFLAGS) -c -o $@ $<
build/obj/guest/%.S.o: guest/%.S
	@mkdir -p $(@D)
	$(say) GUEST $@
	$(Q)$(CC) $(GUEST_CFLAGS) -D__ASSEMBLY__ -c -o $@ $<
# An archive: a guest carries what it uses.
build/obj/guest/lib.a: $(guest_lib_obj)
	@rm -f $@
	$(Q)ar rcs $@ $^
build/guest/%: build/obj/guest/%.c.o build/obj/guest/lib.a guest/lib/link.ld
	@mkdir -p $(@D)
	$(say) GUEST $@
	$(Q)$(CC) $(GUEST_LDFLAGS) -T guest/lib/link.ld -o $@ $< build/obj/guest/lib.a

# --- running, testing, measuring

run: all $(if $(NESTED),static)
	$(if $(NESTED),tools/nested/run --) build/sipi run --cpus 4 --timeout 60 build/guest/stress

$(B)/tests/%: tests/unit/%.c $(B)/libsipi.a | build/deps-TEST
	@mkdir -p $(@D)
	$(say) TEST $@
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(SIPI_CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libsipi.a $(LDLIBS) -lcmocka

# A CPU that has every MSR, which no host has.
$(B)/tests/state_msrs_test: LDFLAGS += -Wl,--wrap=kvm_msr_index_list,--wrap=kvm_vcpu_get_msrs,--wrap=kvm_vcpu_set_msrs

# Unit tests are programs, boot tests are Perl; both speak TAP. SIPI names the sipi under test. TEST_JOBS=2 runs two at a time, which
# have more time then; with SAN=1 that is so, and boot tests do less.
TEST_JOBS ?= $(if $(SAN),2,1)
test: all $(units)
	SIPI=$(B)/sipi SIPI_SLACK=$(if $(SAN),3,$(TEST_JOBS)) SIPI_SHORT=$(SAN) prove -j $(TEST_JOBS) $(units) tests/boot/*.t

# The long form of tests/boot/soak.t: thousands of resets, INITs, hot-plugs.
soak: all | build/deps-TEST
	SIPI=$(B)/sipi SIPI_SOAK=1 prove -v tests/boot/soak.t

# Under ThreadSanitizer: a short boot with every thread at work, and scenarios with two CPUs at once.
test-tsan:
	$(MAKE) TSAN=1 build/tsan/sipi guests
	TSAN_OPTIONS=halt_on_error=1 build/tsan/sipi run --cpus 4 --timeout 120 --quiet \
		build/guest/stress seconds=3
	TSAN_OPTIONS=halt_on_error=1 build/tsan/sipi run --irqchip user --cpus 4 --timeout 120 \
		--quiet build/guest/stress seconds=3
	TSAN_OPTIONS=halt_on_error=1 build/tsan/sipi check tests/puppet/two-cpus.scn tests/scenarios/ipi-halted.scn

# Of the chips, by their own unit tests alone: lines, then branches.
chip_tests := $(foreach c,ioapic pic pit lapic apic_bus,$(wildcard tests/unit/$(c)*_test.c))
gcovr := gcovr --root . --object-directory build/cov --filter vmm/chips/
coverage: | build/deps-COV
	$(MAKE) COV=1 $(chip_tests:tests/unit/%.c=build/cov/tests/%)
	find build/cov -name '*.gcda' -delete
	for t in $(chip_tests:tests/unit/%.c=build/cov/tests/%); do $$t >/dev/null || exit 1; done
	$(gcovr) --fail-under-line 90 build/cov
	$(gcovr) --branches build/cov

include tools/bench/bench.mk
include tests/fuzz/fuzz.mk
include tools/nested/nested.mk

# --- keeping it clean

c_files := $(shell git ls-files '*.c' '*.h' 2>/dev/null)

scan: | build/deps-SCAN build/deps-BUILD
	rm -rf build/scan
	scan-build --status-bugs -o build/scan $(MAKE) --no-print-directory B=build/scan-obj \
		build/scan-obj/sipi
	rm -rf build/scan-obj

format: | build/deps-SCAN
	clang-format -i $(c_files)

format-check: | build/deps-SCAN
	clang-format --dry-run -Werror $(c_files)

# --- installing

install: all
	install -D -m 755 build/sipi $(DESTDIR)$(PREFIX)/bin/sipi
	install -D -m 644 vmm/sipi.1 $(DESTDIR)$(PREFIX)/share/man/man1/sipi.1
	install -d $(DESTDIR)$(PREFIX)/lib/sipi
	install -m 644 $(guests) $(DESTDIR)$(PREFIX)/lib/sipi
	install -d $(DESTDIR)$(PREFIX)/share/sipi/scenarios
	install -m 644 tests/scenarios/*.scn $(DESTDIR)$(PREFIX)/share/sipi/scenarios

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)

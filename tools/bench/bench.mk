# SPDX-License-Identifier: MIT
#
# make bench: what sipi costs, against bare KVM and in the guest; bench.pl says how it is measured

BENCH_COUNT := 20000
bench_images := $(B)/bench/start.bin \
	$(foreach i,port mmio eoi,$(B)/bench/$(i).bin $(B)/bench/$(i)-1.bin)

$(B)/bench/%: tools/bench/%.c
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) $(SIPI_CFLAGS) $(LDFLAGS) -o $@ $<

# Flat binaries; NAME-1.bin makes one round trip, NAME.bin all of them.
bench_flat = $(CC) -m32 -static -no-pie -nostdlib -Wl,--build-id=none -Wl,-melf_i386 \
	-Wl,-Ttext=0x7c00 -Wl,-e,0x7c00 -Wl,--oformat=binary -Wa,--noexecstack -I.
$(B)/bench/%-1.bin: tools/bench/%.S tools/bench/mmio.S tools/bench/bench.mk
	@mkdir -p $(@D)
	$(say) GUEST $@
	$(Q)$(bench_flat) -DCOUNT=1 -o $@ $<
$(B)/bench/%.bin: tools/bench/%.S tools/bench/mmio.S tools/bench/bench.mk
	@mkdir -p $(@D)
	$(say) GUEST $@
	$(Q)$(bench_flat) -DCOUNT=$(BENCH_COUNT) -o $@ $<

# QEMU is what sipi is measured against; without it, the rest is measured all the same.
DEPS_BENCH := qemu-system-x86_64=qemu-system-x86
build/deps-BENCH: tools/need
	@mkdir -p $(@D)
	@if CC='$(CC)' tools/need $(DEPS_BENCH); then touch $@; else echo 'bench: going on without QEMU'; fi

.PHONY: bench-tools
bench-tools: $(B)/bench/floor $(B)/bench/turns $(bench_images)

bench: $(B)/sipi build/firmware.bin build/guest/spin build/guest/bench bench-tools | build/deps-BENCH
	@perl -Itools/bench tools/bench/bench.pl $(B) $(BENCH_COUNT)

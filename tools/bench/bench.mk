# SPDX-License-Identifier: MIT
#
# make bench: what sipi costs against bare KVM, in one table (tools/bench/bench.pl says how)

BENCH_COUNT := 50000
bench_images := $(B)/bench/start.bin $(foreach i,port mmio,$(B)/bench/$(i).bin $(B)/bench/$(i)-1.bin)

$(B)/bench/%: tools/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(SIPI_CFLAGS) $(LDFLAGS) -o $@ $<

# Flat binaries. NAME-1.bin makes one round trip.
bench_flat = $(CC) -m32 -static -no-pie -nostdlib -Wl,--build-id=none -Wl,-melf_i386 -Wl,-Ttext=0x7c00 \
	-Wl,-e,0x7c00 -Wl,--oformat=binary -Wa,--noexecstack
$(B)/bench/%-1.bin: tools/bench/%.S
	@mkdir -p $(@D)
	$(bench_flat) -DCOUNT=1 -o $@ $<
$(B)/bench/%.bin: tools/bench/%.S
	@mkdir -p $(@D)
	$(bench_flat) -DCOUNT=$(BENCH_COUNT) -o $@ $<

bench-tools: $(B)/bench/floor $(B)/bench/turns $(bench_images)

bench: $(B)/sipi guests bench-tools
	perl tools/bench/bench.pl $(B) $(BENCH_COUNT)

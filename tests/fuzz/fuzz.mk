# SPDX-License-Identifier: MIT
#
# make fuzz FUZZ_SECONDS=60    libFuzzer on local APIC, APIC bus and I/O APIC. It starts from
#                              tests/fuzz/corpus; what it finds new stays in build/fuzz/corpus, and an
#                              input that breaks something in build/fuzz/.
# make fuzz-corpus             merges what covers new code from build/fuzz/corpus into tests/fuzz/corpus

FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang

fuzz_src := tests/fuzz/apic_fuzz.c vmm/chips/apic_bus.c vmm/chips/ioapic.c $(wildcard vmm/chips/lapic*.c)
FUZZ_CFLAGS := -std=gnu11 -Wall -Wextra -Werror -O1 -g -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_ARGS := -max_len=400 -timeout=10 -artifact_prefix=build/fuzz/

.PHONY: fuzz fuzz-corpus

# libFuzzer is known by a header that its package brings, and that gcc has not.
build/deps-FUZZ: tools/need
	@mkdir -p $(@D)
	@CC='$(FUZZ_CC)' tools/need clang=clang sanitizer/dfsan_interface.h=libclang-rt-14-dev
	@touch $@

build/fuzz/apic: $(fuzz_src) $(wildcard vmm/chips/*apic*.h tests/fuzz/*.h) | build/deps-FUZZ
	@mkdir -p build/fuzz/corpus
	$(say) FUZZ $@
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_CFLAGS) -o $@ $(fuzz_src)

fuzz: build/fuzz/apic
	build/fuzz/apic $(FUZZ_ARGS) -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
		build/fuzz/corpus tests/fuzz/corpus

fuzz-corpus: build/fuzz/apic
	build/fuzz/apic $(FUZZ_ARGS) -use_counters=0 -merge=1 tests/fuzz/corpus build/fuzz/corpus

# SPDX-License-Identifier: MIT
#
# make fuzz FUZZ_SECONDS=60    libFuzzer, so long each: on local APIC, APIC bus and I/O APIC; on the reader of
#                              scenarios. It starts from tests/fuzz/corpus and corpus-scenario; what it finds
#                              new stays in build/fuzz, and so does an input that breaks something.
# make fuzz-corpus             merges what covers new code from build/fuzz into tests/fuzz

FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang

fuzz_apic_src := tests/fuzz/apic_fuzz.c vmm/chips/apic_bus.c vmm/chips/ioapic.c $(wildcard vmm/chips/lapic*.c)
fuzz_scenario_src := tests/fuzz/scenario_fuzz.c $(wildcard vmm/scenario/parse*.c vmm/scenario/names*.c) \
	vmm/util/error.c vmm/util/file.c vmm/util/parse.c
FUZZ_CFLAGS := -std=gnu11 -Wall -Wextra -Werror -O1 -g -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_ARGS := -timeout=10 -artifact_prefix=build/fuzz/
fuzz_corpus_apic := corpus
fuzz_corpus_scenario := corpus-scenario
fuzz_max_apic := 400
fuzz_max_scenario := 2000

.PHONY: fuzz fuzz-corpus fuzz-apic fuzz-scenario fuzz-corpus-apic fuzz-corpus-scenario

# libFuzzer is known by a header that its package brings, and that gcc has not.
build/deps-FUZZ: tools/need
	@mkdir -p $(@D)
	@CC='$(FUZZ_CC)' tools/need clang=clang sanitizer/dfsan_interface.h=libclang-rt-14-dev
	@touch $@

build/fuzz/apic: $(fuzz_apic_src) $(wildcard vmm/chips/*apic*.h tests/fuzz/*.h) | build/deps-FUZZ
build/fuzz/scenario: $(fuzz_scenario_src) $(wildcard vmm/scenario/*.h tests/fuzz/*.h) | build/deps-FUZZ
build/fuzz/apic build/fuzz/scenario:
	@mkdir -p build/fuzz/$(fuzz_corpus_$(@F))
	$(say) FUZZ $@
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_CFLAGS) -o $@ $(fuzz_$(@F)_src)

# One after the other, whatever -j says: each has the time that it asks for.
fuzz: fuzz-apic
	$(MAKE) --no-print-directory fuzz-scenario
fuzz-apic fuzz-scenario: fuzz-%: build/fuzz/%
	build/fuzz/$* $(FUZZ_ARGS) -max_len=$(fuzz_max_$*) -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
		build/fuzz/$(fuzz_corpus_$*) tests/fuzz/$(fuzz_corpus_$*)

fuzz-corpus: fuzz-corpus-apic fuzz-corpus-scenario
fuzz-corpus-apic fuzz-corpus-scenario: fuzz-corpus-%: build/fuzz/%
	build/fuzz/$* $(FUZZ_ARGS) -max_len=$(fuzz_max_$*) -use_counters=0 -merge=1 \
		tests/fuzz/$(fuzz_corpus_$*) build/fuzz/$(fuzz_corpus_$*)

// SPDX-License-Identifier: MIT
/*
 * A guest is hostile: ten million seeded random accesses to everything the machine claims, with the
 * io loop at work beside them, on the real /dev/kvm. HOSTILE_SEED and HOSTILE_COUNT change the run.
 */
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "firmware/handoff.h"
#include "machine/internal.h"

#define COUNT 10000000ull

extern const uint8_t firmware_rom[];

static uint64_t seed = 0x5151e5;
static _Atomic int done;

static uint64_t next_random(void)
{
	/* xorshift64*: any generator that a seed repeats will do. */
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dull;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

/* Timers, resets and the console, as in a run; a guest's exit does not end this test. */
static void *serve(void *ctx)
{
	struct machine *m = ctx;

	while (!atomic_load(&done)) {
		loop_run(m->loop);
		atomic_store(&m->ended, 0);
	}
	return NULL;
}

/* Mostly within a claim, sometimes over its end or far from any. */
static uint64_t pick_address(const struct bus *bus, enum bus_space space)
{
	const struct bus_entry *e = &bus->map[space][next_random() % bus->entries[space]];
	uint64_t r = next_random();

	if (r % 64 == 0)
		return space == BUS_PIO ? r >> 48 : r;
	if (r % 64 == 1)
		return e->end - 1 - (r >> 8) % 4;
	/* The IOAPIC's page has two registers that matter: go there more often than not. */
	if (space == BUS_MMIO && r % 4)
		return e->base + (r & 0x10);
	return e->base + (r >> 8) % (e->end - e->base);
}

static void access_once(struct machine *m)
{
	uint64_t r = next_random();
	enum bus_space space = r & 3 ? BUS_PIO : BUS_MMIO;
	unsigned size = 1u << ((r >> 8) % (space == BUS_PIO ? 3 : 4));
	uint64_t addr = pick_address(&m->bus, space), value = next_random();

	/* The guest's end is asked for now and then, not most of the time. */
	if (m->bus.ndevices && space == BUS_PIO && addr - 0xf4 < 4 && r % 1024)
		return;
	machine_lock(m);
	if (r & 16)
		bus_write(&m->bus, space, addr, size, value);
	else
		bus_read(&m->bus, space, addr, size, &value);
	machine_unlock(m);
	if (r % 128 == 7)
		m->irqchip.ops->eoi(m, (uint8_t)value);
}

static void any_access_is_survived(void **state)
{
	struct board board;
	struct machine_config cfg = {
		.irqchip = IRQCHIP_SPLIT,
		.rom = firmware_rom,
		.rom_len = FIRMWARE_SIZE,
		.own_firmware = true,
		.console = CONSOLE_NULL,
	};
	uint64_t count = number("HOSTILE_COUNT", COUNT);
	struct machine *m;
	struct error err;
	pthread_t loop;
	void *fdt;

	(void)state;
	seed = number("HOSTILE_SEED", seed);
	printf("# seed 0x%llx, %llu accesses\n", (unsigned long long)seed,
	       (unsigned long long)count);
	board_default(&board);
	assert_int_equal(board_to_fdt(&board, &fdt, &cfg.fdt_len, &err), 0);
	cfg.fdt = fdt;
	cfg.board = &board;
	if (machine_create(&m, &cfg, &err) < 0) {
		/* cmocka's own skip() prints what prove counts as a failure. */
		printf("# skipped: %s\n", err.text);
		assert_int_equal(err.code, EXIT_SKIP);
		board_free(&board);
		free(fdt);
		return;
	}
	assert_int_equal(pthread_create(&loop, NULL, serve, m), 0);
	for (uint64_t i = 0; i < count; i++)
		access_once(m);
	atomic_store(&done, 1);
	loop_stop(m->loop);
	pthread_join(loop, NULL);
	/* It still works: an address nobody claims is still nobody's, and a reset still resets. */
	printf("# %llu unclaimed, %llu resets\n", (unsigned long long)m->bus.unclaimed,
	       (unsigned long long)m->resets);
	assert_true(m->bus.unclaimed > 0);
	assert_true(m->resets > 0);
	assert_int_equal(machine_reset_state(m, RESET_HARD), 0);
	machine_destroy(m);
	board_free(&board);
	free(fdt);
}

TEST_MAIN(cmocka_unit_test(any_access_is_survived))

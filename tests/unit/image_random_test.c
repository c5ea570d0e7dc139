// SPDX-License-Identifier: MIT
/*
 * Damaged images: none may crash the loaders, and one that is accepted must keep what image.h
 * promises. RAM has guard pages around it and in the hole, so that a stray write ends the test.
 */
#include <stdlib.h>

#include "image_rig.h"

#define ROUNDS 100000
#define RAM    (MIB + 0x40000)
#define GUARD  0x10000

static uint64_t seed = 0x5170;

/* xorshift64*, so that a failure comes again. */
static uint64_t next(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1d;
}

static uint8_t *guarded_ram(void)
{
	uint8_t *map = mmap(NULL, RAM + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(map != MAP_FAILED);
	map += GUARD;
	assert_int_equal(mprotect(map, RAM_HOLE, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(mprotect(map + RAM_HOLE_END, RAM - RAM_HOLE_END, PROT_READ | PROT_WRITE),
			 0);
	return map;
}

static void make(struct made *m, unsigned kind)
{
	const struct made_seg seg[2] = {{MIB, 0xc0100000, 0x40, 0x80},
					{0x8000, 0x8000, 0x20, 0x20}};
	const uint32_t fields[5] = {MIB + 0x20, MIB, MIB + 0x180, MIB + 0x400, MIB + 0x44};

	switch (kind) {
	case 0:
		made_elf64(m, 0xc0100010, seg, 2);
		return;
	case 1:
		made_elf32(m, 0xc0100010, seg, 2);
		return;
	case 2:
		made_elf32(m, 0xc0100010, seg, 2);
		made_multiboot(m, 0x100, 3, NULL);
		return;
	default:
		memset(m, 0, sizeof(*m));
		m->size = 0x200;
		made_multiboot(m, 0x20, 0x10003, fields);
		return;
	}
}

/* Most of what matters stands at the start. Values at the edges find more than random ones. */
static void damage(struct made *m)
{
	static const uint64_t edges[] = {0,	     1,		 0x9ffff,   0xa0000,
					 0xfffff,    0x100000,	 0x140000,  0x7fffffff,
					 0xffffffff, UINT64_MAX, 1ull << 32};
	unsigned changes = 1 + next() % 4;

	for (unsigned i = 0; i < changes; i++) {
		size_t at = next() % 0x130;
		uint64_t value = edges[next() % (sizeof(edges) / sizeof(edges[0]))];

		switch (next() % 4) {
		case 0:
			m->data[at] = (uint8_t)next();
			break;
		case 1:
			value += next() % 64 - 32;
			memcpy(m->data + (at & ~3ul), &value, 4);
			break;
		case 2:
			value += next() % 64 - 32;
			memcpy(m->data + (at & ~7ul), &value, 8);
			break;
		default:
			if (next() % 8 == 0)
				m->size = next() % (m->size + 1);
		}
	}
}

static void expect_sound(const struct image *img, const struct ram *ram)
{
	bool entry = false;

	assert_in_range(img->segs, 1, IMAGE_SEGMENTS);
	for (unsigned i = 0; i < img->segs; i++) {
		const struct image_segment *s = &img->seg[i];

		assert_non_null(ram_ptr(ram, s->gpa, s->mem_size));
		assert_true(s->gpa + s->mem_size <= img->end);
		assert_true(s->file_size <= s->mem_size);
		assert_true(s->file_offset + s->file_size <= img->file_size);
		entry |= img->entry >= s->gpa && img->entry < s->gpa + s->file_size;
		for (unsigned j = 0; j < i; j++)
			assert_true(s->gpa >= img->seg[j].gpa + img->seg[j].mem_size ||
				    img->seg[j].gpa >= s->gpa + s->mem_size);
	}
	assert_true(entry);
}

static void damaged_images_are_refused_or_sound(void **state)
{
	struct ram ram = ram_layout(RAM);
	unsigned accepted = 0;
	struct made m;

	(void)state;
	ram.host = guarded_ram();
	for (unsigned i = 0; i < ROUNDS; i++) {
		const struct image_options opt = {.have_load = i % 16 == 7,
						  .load = next() % (2 * RAM)};
		struct image img;
		struct error err;

		make(&m, i % 4);
		damage(&m);
		if (made_open(&img, &m, &opt, RAM, &err)) {
			assert_int_equal(err.code, EXIT_SETUP);
			continue;
		}
		expect_sound(&img, &ram);
		image_place(&img, &ram);
		image_close(&img);
		accepted++;
	}
	/* Otherwise the damage is so heavy, or so light, that nothing is tested. */
	assert_in_range(accepted, ROUNDS / 10, ROUNDS * 9 / 10);
	munmap(ram.host - GUARD, RAM + 2 * GUARD);
}

TEST_MAIN(cmocka_unit_test(damaged_images_are_refused_or_sound))

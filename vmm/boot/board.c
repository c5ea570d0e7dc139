// SPDX-License-Identifier: MIT
#include "boot/board.h"

#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "boot/board_internal.h"
#include "chips/ioapic.h"
#include "devices/debug_exit.h"
#include "devices/hotplug.h"
#include "devices/rtc.h"
#include "devices/serial.h"
#include "devices/test_lines.h"

#define PAGE 4096u

const struct board_device_info board_devices[BOARD_DEVICES] = {
	[BOARD_SERIAL] = {.name = "serial",
			  .compatible = "ns16550a",
			  .ports = {SERIAL_PORTS},
			  .port_offset = offsetof(struct board, serial_port),
			  .irq_offset = offsetof(struct board, serial_irq)},
	[BOARD_RTC] = {.name = "rtc",
		       .compatible = "motorola,mc146818",
		       .ports = {RTC_PORTS},
		       .port_offset = offsetof(struct board, rtc_port),
		       .irq_offset = offsetof(struct board, rtc_irq)},
	[BOARD_KBC] = {.name = "keyboard-controller",
		       .compatible = "intel,8042",
		       .ports = {1, 1},
		       .second_at = 4,
		       .port_offset = offsetof(struct board, kbc_port),
		       .fixed_irq = BOARD_KBC_IRQ},
	[BOARD_DEBUG_EXIT] = {.name = "debug-exit",
			      .compatible = "sipi,debug-exit",
			      .ports = {DEBUG_EXIT_PORTS},
			      .port_offset = offsetof(struct board, debug_exit_port)},
	[BOARD_POST] = {.name = "post",
			.compatible = "sipi,post",
			.ports = {1},
			.port_offset = offsetof(struct board, post_port)},
	[BOARD_TEST] = {.name = "test-lines",
			.compatible = "sipi,test-lines",
			.ports = {TEST_LINES_PORTS},
			.port_offset = offsetof(struct board, test_port)},
	[BOARD_HOTPLUG] = {.name = "cpu-hotplug",
			   .compatible = "sipi,cpu-hotplug",
			   .ports = {HOTPLUG_PORTS},
			   .port_offset = offsetof(struct board, hotplug_port),
			   .irq_offset = offsetof(struct board, hotplug_irq)},
};

void board_default(struct board *b)
{
	*b = (struct board){
		.cpus = calloc(1, sizeof(*b->cpus)),
		.ncpus = 1,
		.mem = 64ull << 20,
		.bootargs = strdup(""),
		.serial_port = 0x3f8,
		.serial_irq = 4,
		.rtc_port = 0x70,
		.rtc_irq = 8,
		.kbc_port = 0x60,
		.debug_exit_port = 0xf4,
		.post_port = 0x80,
		.test_port = 0x2000,
		.hotplug_port = 0x2100,
		.hotplug_irq = 22,
	};
	if (!b->cpus || !b->bootargs)
		errx(EXIT_SETUP, "out of memory");
	b->cpus[0].enabled = true;
}

void board_free(struct board *b)
{
	free(b->cpus);
	free(b->bootargs);
	memset(b, 0, sizeof(*b));
}

_Static_assert(BOARD_MEM_MIN > RAM_HOLE_END, "board_memory() gives two ranges at least");

unsigned board_memory(uint64_t mem, uint64_t range[3][2])
{
	uint64_t low = mem < RAM_LOW_MAX ? mem : RAM_LOW_MAX;
	unsigned n = 0;

	range[n][0] = 0;
	range[n++][1] = RAM_HOLE;
	range[n][0] = RAM_HOLE_END;
	range[n++][1] = low - RAM_HOLE_END;
	if (mem > low) {
		range[n][0] = RAM_HIGH_BASE;
		range[n++][1] = mem - low;
	}
	return n;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int check_ids(const struct board *b, uint32_t *ids, struct error *err)
{
	for (unsigned i = 0; i < b->ncpus; i++)
		ids[i] = b->cpus[i].apic_id;
	qsort(ids, b->ncpus, sizeof(*ids), compare_ids);
	for (unsigned i = 1; i < b->ncpus; i++)
		if (ids[i] == ids[i - 1])
			return error_set(err, EXIT_SETUP, "/cpus: two CPUs have the APIC ID %u",
					 ids[i]);
	/* 0xffffffff is the x2APIC broadcast (SDM vol. 3, 11.12.9). */
	if (ids[b->ncpus - 1] > BOARD_APIC_ID_MAX)
		return error_set(err, EXIT_SETUP, "/cpus: the APIC ID 0xffffffff means all CPUs");
	return 0;
}

static int check_cpus(const struct board *b, struct error *err)
{
	uint32_t *ids;
	int rc;

	if (b->ncpus < 1 || b->ncpus > BOARD_CPUS_MAX)
		return error_set(err, EXIT_SETUP, "/cpus: %u CPUs; a machine has 1 to %d", b->ncpus,
				 BOARD_CPUS_MAX);
	if (!b->cpus[0].enabled)
		return error_set(err, EXIT_SETUP, "/cpus: the boot CPU is disabled");
	ids = malloc(b->ncpus * sizeof(*ids));
	if (!ids)
		return error_set(err, EXIT_SETUP, "out of memory");
	rc = check_ids(b, ids, err);
	free(ids);
	return rc;
}

/* A range of ports in use. Devices that are always there have no name in the tree. */
struct port_range {
	const char *name;
	unsigned base, count;
	enum board_device dev;
};

#define MAX_RANGES (2 * BOARD_DEVICES)

static const struct port_range fixed_ports[] = {
	{"the PIC", 0x20, 2, BOARD_DEVICES},	       {"the PIC", 0xa0, 2, BOARD_DEVICES},
	{"the PIC", 0x4d0, 2, BOARD_DEVICES},	       {"the PIT", 0x40, 4, BOARD_DEVICES},
	{"the PIT", 0x61, 1, BOARD_DEVICES},	       {"reset port 0x92", 0x92, 1, BOARD_DEVICES},
	{"reset port 0xcf9", 0xcf9, 1, BOARD_DEVICES},
};

static int check_collision(const struct port_range *r, const struct port_range *other,
			   struct error *err)
{
	if (r->base >= other->base + other->count || other->base >= r->base + r->count)
		return 0;
	return error_set(err, EXIT_SETUP, "/" ISA_NODE "/%s@i%x: ports 0x%x-0x%x are taken by %s%s",
			 r->name, r->base, r->base, r->base + r->count - 1,
			 other->dev == BOARD_DEVICES ? "" : "/" ISA_NODE "/", other->name);
}

static unsigned list_ports(const struct board *b, struct port_range *list)
{
	unsigned n = 0;

	for (enum board_device dev = 0; dev < BOARD_DEVICES; dev++) {
		const struct board_device_info *info = &board_devices[dev];
		unsigned base = board_port(b, dev);

		for (unsigned i = 0; base && i < 2 && info->ports[i]; i++)
			list[n++] = (struct port_range){info->name, base + i * info->second_at,
							info->ports[i], dev};
	}
	return n;
}

static int check_ports(const struct board *b, struct error *err)
{
	struct port_range list[MAX_RANGES];
	unsigned n = list_ports(b, list);

	for (unsigned i = 0; i < n; i++) {
		if (list[i].base + list[i].count > ISA_PORTS)
			return error_set(err, EXIT_SETUP,
					 "/" ISA_NODE "/%s@i%x: runs past port 0xffff",
					 list[i].name, list[i].base);
		for (size_t f = 0; f < sizeof(fixed_ports) / sizeof(fixed_ports[0]); f++)
			if (check_collision(&list[i], &fixed_ports[f], err))
				return -1;
		for (unsigned j = 0; j < i; j++)
			if (check_collision(&list[i], &list[j], err))
				return -1;
	}
	return 0;
}

/* taken: by GSI, who has it. */
static int check_irq(const struct board *b, enum board_device dev, const char *taken[],
		     struct error *err)
{
	const char *name = board_devices[dev].name;
	unsigned port = board_port(b, dev), irq = board_irq(b, dev);

	if (!port)
		return 0;
	if (irq >= IOAPIC_PINS)
		return error_set(err, EXIT_SETUP,
				 "/" ISA_NODE "/%s@i%x: GSI %u; the IOAPIC has pins 0 to %d", name,
				 port, irq, IOAPIC_PINS - 1);
	/* Edge-triggered lines cannot be shared. */
	if (taken[irq])
		return error_set(err, EXIT_SETUP, "/" ISA_NODE "/%s@i%x: GSI %u is taken by %s",
				 name, port, irq, taken[irq]);
	taken[irq] = name;
	return 0;
}

static int check_irqs(const struct board *b, struct error *err)
{
	/* The PIT is IRQ 0; on an IOAPIC, a PC has it at pin 2 (MP specification 1.4, 5.2). */
	const char *taken[IOAPIC_PINS] = {[0] = "the PIT", [2] = "the PIT"};

	for (enum board_device dev = 0; dev < BOARD_DEVICES; dev++)
		if (board_has_irq(dev) && check_irq(b, dev, taken, err))
			return -1;
	return 0;
}

int board_check(const struct board *b, struct error *err)
{
	if (b->mem < BOARD_MEM_MIN || b->mem > BOARD_MEM_MAX || b->mem % PAGE)
		return error_set(err, EXIT_SETUP,
				 "/memory: %" PRIu64
				 " bytes; a machine has 2 MiB to 1 TiB in whole 4 KiB pages",
				 b->mem);
	if (check_cpus(b, err) || check_ports(b, err))
		return -1;
	return check_irqs(b, err);
}

// SPDX-License-Identifier: MIT
/* The board of a tree: total for any bytes. board.h has the bindings. */
#include <inttypes.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "boot/board_internal.h"
#include "boot/fdt_read.h"

/* The nodes of the root that make up the machine; -1: not there. */
enum part { PART_CPUS, PART_MEMORY, PART_ISA, PART_CHOSEN, PART_IOAPIC, PART_LAPIC, PARTS };

static const char *const part_names[PARTS] = {
	"/cpus", "/memory", "/isa", "/chosen", IOAPIC_COMPATIBLE, LAPIC_COMPATIBLE,
};

struct tree {
	struct tree_reader r;
	int part[PARTS];
};

/* The part that a node of the root is, PARTS for one that is no device, or -1. */
static int classify(const struct tree_reader *r, int node)
{
	const void *data;
	int len, rc;

	for (int part = PART_CPUS; part <= PART_CHOSEN; part++)
		if (tree_is_named(r, node, part_names[part] + 1))
			return part;
	for (int part = PART_IOAPIC; part <= PART_LAPIC; part++) {
		rc = tree_compatible(r, node, part_names[part]);
		if (rc)
			return rc < 0 ? -1 : part;
	}
	rc = tree_find(r, node, "compatible", &data, &len);
	if (rc > 0)
		return tree_refuse(r, node, "this machine has no such device");
	return rc < 0 ? -1 : PARTS;
}

static int find_parts(struct tree *t)
{
	int node;

	for (int i = 0; i < PARTS; i++)
		t->part[i] = -1;
	fdt_for_each_subnode(node, t->r.fdt, 0)
	{
		int enabled = tree_enabled(&t->r, node);
		int part = enabled > 0 ? classify(&t->r, node) : PARTS;

		if (enabled < 0 || part < 0)
			return -1;
		if (part == PARTS)
			continue;
		if (t->part[part] >= 0)
			return tree_refuse(&t->r, node, "%s is given twice", part_names[part]);
		t->part[part] = node;
	}
	for (int i = 0; i < PARTS; i++)
		if (t->part[i] < 0 && i != PART_ISA && i != PART_CHOSEN)
			return tree_refuse(&t->r, 0, "%s is missing", part_names[i]);
	return 0;
}

static int read_root(const struct tree_reader *r)
{
	int rc = tree_compatible(r, 0, BOARD_COMPATIBLE);

	if (rc < 0)
		return -1;
	if (!rc)
		return tree_refuse(r, 0, "compatible is not \"%s\"", BOARD_COMPATIBLE);
	if (tree_expect(r, 0, "#address-cells", 2))
		return -1;
	return tree_expect(r, 0, "#size-cells", 2);
}

/* --- memory */

static int read_ranges(const struct tree_reader *r, int node, uint64_t range[3][2], unsigned *count)
{
	const void *data;
	int len;
	int found = tree_find(r, node, "reg", &data, &len);

	if (found < 0)
		return -1;
	if (!found)
		return tree_refuse(r, node, "reg is missing");
	if (len != 32 && len != 48)
		return tree_refuse(r, node, "reg has %d bytes; expected 2 or 3 ranges of 16", len);
	*count = (unsigned)len / 16;
	for (unsigned i = 0; i < *count; i++) {
		range[i][0] = fdt64_ld((const fdt64_t *)data + 2 * i);
		range[i][1] = fdt64_ld((const fdt64_t *)data + 2 * i + 1);
	}
	return 0;
}

/*
 * A machine's memory is one number. It is taken from the last range; then the ranges must be
 * exactly those that this number gives.
 */
static int read_memory(const struct tree_reader *r, int node, struct board *b)
{
	uint64_t range[3][2] = {{0}}, expected[3][2];
	const char *type;
	unsigned n;
	int rc = tree_string(r, node, "device_type", &type);

	if (rc < 0)
		return -1;
	if (!rc || strcmp(type, "memory"))
		return tree_refuse(r, node, "device_type is not \"memory\"");
	if (read_ranges(r, node, range, &n))
		return -1;
	if (range[n - 1][1] > BOARD_MEM_MAX)
		return tree_refuse(r, node, "reg gives more than 1 TiB");
	b->mem = range[n - 1][1] + (n == 2 ? RAM_HOLE_END : RAM_LOW_MAX);
	if (board_memory(b->mem, expected) != n || memcmp(range, expected, n * sizeof(range[0])))
		return tree_refuse(r, node,
				   "reg is not 0-640 KiB, 1 MiB-end (3 GiB at most) and 4 GiB-end");
	return 0;
}

/* --- CPUs */

static int read_cpu(const struct tree_reader *r, int node, struct board_cpu *cpu)
{
	const char *type;
	int rc;

	if (!tree_is_named(r, node, "cpu"))
		return tree_refuse(r, node, "is no CPU; expected cpu@APIC-ID");
	rc = tree_string(r, node, "device_type", &type);
	if (rc < 0)
		return -1;
	if (!rc || strcmp(type, "cpu"))
		return tree_refuse(r, node, "device_type is not \"cpu\"");
	if (tree_cells(r, node, "reg", &cpu->apic_id, 1))
		return -1;
	if (cpu->apic_id > BOARD_APIC_ID_MAX)
		return tree_refuse(r, node, "reg: the APIC ID 0x%x means all CPUs", cpu->apic_id);
	rc = tree_enabled(r, node);
	cpu->enabled = rc > 0;
	return rc < 0 ? -1 : 0;
}

/* The first enabled CPU boots: it goes to the front, and the others keep their order. */
static int boot_cpu_first(const struct tree_reader *r, int cpus, struct board *b)
{
	struct board_cpu boot;
	unsigned i = 0;

	while (i < b->ncpus && !b->cpus[i].enabled)
		i++;
	if (i == b->ncpus)
		return tree_refuse(r, cpus, "has no enabled CPU");
	boot = b->cpus[i];
	memmove(b->cpus + 1, b->cpus, i * sizeof(*b->cpus));
	b->cpus[0] = boot;
	return 0;
}

static int read_cpus(const struct tree_reader *r, int cpus, struct board *b)
{
	int node;

	if (tree_expect(r, cpus, "#address-cells", 1) || tree_expect(r, cpus, "#size-cells", 0))
		return -1;
	b->cpus = calloc(BOARD_CPUS_MAX, sizeof(*b->cpus));
	if (!b->cpus)
		return error_set(r->err, EXIT_SETUP, "out of memory");
	fdt_for_each_subnode(node, r->fdt, cpus)
	{
		if (b->ncpus == BOARD_CPUS_MAX)
			return tree_refuse(r, cpus, "has more than %d CPUs", BOARD_CPUS_MAX);
		if (read_cpu(r, node, &b->cpus[b->ncpus]))
			return -1;
		b->ncpus++;
	}
	return boot_cpu_first(r, cpus, b);
}

/* --- devices */

static int read_window(const struct tree_reader *r, int node, uint32_t base)
{
	uint32_t reg[4];

	if (tree_cells(r, node, "reg", reg, 4))
		return -1;
	if (reg[0] || reg[1] != base || reg[2] || reg[3] != APIC_WINDOW)
		return tree_refuse(r, node, "reg is not <0 0x%x 0 0x%x>", base, APIC_WINDOW);
	return 0;
}

static int read_apics(const struct tree *t)
{
	int ioapic = t->part[PART_IOAPIC];

	if (read_window(&t->r, ioapic, IOAPIC_BASE) ||
	    tree_expect(&t->r, ioapic, "#interrupt-cells", 2))
		return -1;
	return read_window(&t->r, t->part[PART_LAPIC], LAPIC_BASE);
}

static int find_device(const struct tree_reader *r, int node, enum board_device *dev)
{
	for (*dev = 0; *dev < BOARD_DEVICES; (*dev)++) {
		int rc = tree_compatible(r, node, board_devices[*dev].compatible);

		if (rc)
			return rc < 0 ? -1 : 0;
	}
	return tree_refuse(r, node, "this machine has no such device");
}

static int read_ports(const struct tree_reader *r, int node, const struct board_device_info *info,
		      uint16_t *port)
{
	unsigned ranges = info->ports[1] ? 2 : 1;
	uint32_t reg[6];

	if (tree_cells(r, node, "reg", reg, 3 * ranges))
		return -1;
	if (reg[1] == 0 || reg[1] >= ISA_PORTS)
		return tree_refuse(r, node, "reg: port 0x%x is not within 1 to 0xffff", reg[1]);
	for (unsigned i = 0; i < ranges; i++)
		if (reg[3 * i] != ISA_IO || reg[3 * i + 1] != reg[1] + i * info->second_at ||
		    reg[3 * i + 2] != info->ports[i])
			return tree_refuse(r, node, "reg: range %u is not %u I/O ports (1) at 0x%x",
					   i, info->ports[i], reg[1] + i * info->second_at);
	*port = (uint16_t)reg[1];
	return 0;
}

/* Devicetree Specification 0.4, 2.4.1.1: the parent is the nearest interrupt-parent up the tree. */
static int check_interrupt_parent(const struct tree *t, int node)
{
	const int up[] = {node, t->part[PART_ISA], 0};
	const struct tree_reader *r = &t->r;
	uint32_t phandle, ioapic;

	if (tree_cells(r, t->part[PART_IOAPIC], "phandle", &ioapic, 1))
		return -1;
	for (unsigned i = 0; i < sizeof(up) / sizeof(up[0]); i++) {
		const void *data;
		int len;
		int found = tree_find(r, up[i], "interrupt-parent", &data, &len);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		if (tree_cells(r, up[i], "interrupt-parent", &phandle, 1))
			return -1;
		if (phandle != ioapic)
			return tree_refuse(r, up[i], "interrupt-parent is not the IOAPIC");
		return 0;
	}
	return tree_refuse(r, node, "interrupt-parent is missing");
}

static int read_interrupt(const struct tree *t, int node, enum board_device dev, struct board *b)
{
	const struct board_device_info *info = &board_devices[dev];
	uint32_t spec[2];
	const void *data;
	int len, found;

	if (!board_has_irq(dev)) {
		found = tree_find(&t->r, node, "interrupts", &data, &len);
		return found > 0 ? tree_refuse(&t->r, node, "interrupts: this device has none")
				 : found;
	}
	if (tree_cells(&t->r, node, "interrupts", spec, 2))
		return -1;
	if (spec[0] > UINT8_MAX || (info->fixed_irq && spec[0] != info->fixed_irq))
		return tree_refuse(&t->r, node, "interrupts: it cannot have GSI %u", spec[0]);
	if (spec[1] != SENSE_EDGE_RISING)
		return tree_refuse(&t->r, node, "interrupts: sense %u is not %u (rising edge)",
				   spec[1], SENSE_EDGE_RISING);
	if (info->irq_offset)
		*((uint8_t *)b + info->irq_offset) = (uint8_t)spec[0];
	return check_interrupt_parent(t, node);
}

static int read_device(const struct tree *t, int node, struct board *b)
{
	enum board_device dev;
	uint16_t port;

	if (find_device(&t->r, node, &dev))
		return -1;
	if (board_port(b, dev))
		return tree_refuse(&t->r, node, "a second \"%s\"; this machine has one at most",
				   board_devices[dev].compatible);
	if (read_ports(&t->r, node, &board_devices[dev], &port))
		return -1;
	board_set_port(b, dev, port);
	if (dev == BOARD_SERIAL && tree_expect(&t->r, node, "clock-frequency", SERIAL_CLOCK))
		return -1;
	return read_interrupt(t, node, dev, b);
}

static int read_isa(const struct tree *t, struct board *b)
{
	static const uint32_t expected[5] = {ISA_IO, 0, 0, 0, ISA_PORTS};
	int isa = t->part[PART_ISA];
	uint32_t ranges[5];
	int node;

	if (isa < 0)
		return 0;
	if (tree_expect(&t->r, isa, "#address-cells", 2) ||
	    tree_expect(&t->r, isa, "#size-cells", 1) ||
	    tree_cells(&t->r, isa, "ranges", ranges, 5))
		return -1;
	if (memcmp(ranges, expected, sizeof(ranges)))
		return tree_refuse(&t->r, isa, "ranges is not <1 0 0 0 0x10000>");
	fdt_for_each_subnode(node, t->r.fdt, isa)
	{
		int enabled = tree_enabled(&t->r, node);

		if (enabled < 0 || (enabled && read_device(t, node, b)))
			return -1;
	}
	return 0;
}

static int read_chosen(const struct tree *t, struct board *b)
{
	const char *bootargs = "";

	if (t->part[PART_CHOSEN] >= 0 &&
	    tree_string(&t->r, t->part[PART_CHOSEN], "bootargs", &bootargs) < 0)
		return -1;
	b->bootargs = strdup(bootargs);
	return b->bootargs ? 0 : error_set(t->r.err, EXIT_SETUP, "out of memory");
}

static int read_tree(struct tree *t, struct board *b)
{
	if (read_root(&t->r) || find_parts(t) || read_memory(&t->r, t->part[PART_MEMORY], b) ||
	    read_cpus(&t->r, t->part[PART_CPUS], b) || read_apics(t) || read_isa(t, b) ||
	    read_chosen(t, b))
		return -1;
	return board_check(b, t->r.err);
}

int board_from_fdt(struct board *b, const void *blob, size_t len, struct error *err)
{
	struct tree t = {.r = {.fdt = blob, .err = err}};
	int rc = fdt_check_full(blob, len);

	memset(b, 0, sizeof(*b));
	if (rc)
		return error_set(err, EXIT_SETUP, "not a device tree, or a broken one (%s)",
				 fdt_strerror(rc));
	if (read_tree(&t, b)) {
		board_free(b);
		return -1;
	}
	return 0;
}

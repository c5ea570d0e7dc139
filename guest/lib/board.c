// SPDX-License-Identifier: MIT
/* From the device tree to struct board; the heap, which keeps clear of the tree; bootargs. */
#include "lib/board.h"
#include "lib/console.h"
#include "lib/fdt.h"
#include "lib/string.h"
#include "lib/x86.h"

#define DEPTH_MAX  8
#define CPUS_MAX   4096
#define IMAGE_BASE 0x100000 /* link.ld */

struct board board;

struct node {
	const char *name;
	uint32_t address_cells, size_cells; /* for its children */
	struct fdt_event reg, compatible, status, interrupts, device_type, bootargs;
	bool done; /* its properties were looked at */
};

static uint64_t heap_next, heap_end;
static uint64_t tree_start, tree_end;
extern char _end[];

void *alloc(size_t bytes, size_t align)
{
	uint64_t at = (heap_next + align - 1) & ~(uint64_t)(align - 1);

	if (at < tree_end && at + bytes > tree_start)
		at = (tree_end + align - 1) & ~(uint64_t)(align - 1);
	if (at > heap_end || bytes > heap_end - at)
		panic("out of memory: %zu bytes wanted, RAM ends at 0x%lx", bytes, heap_end);
	heap_next = at + bytes;
	return memset((void *)at, 0, bytes);
}

static bool name_is(const struct node *n, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(n->name, name, len) && (n->name[len] == 0 || n->name[len] == '@');
}

static bool compatible(const struct node *n, const char *s)
{
	return fdt_has_string(n->compatible.data, n->compatible.len, s);
}

static bool okay(const struct node *n)
{
	return !n->status.data || fdt_has_string(n->status.data, n->status.len, "okay");
}

static uint32_t cell(const struct fdt_event *prop, uint32_t i)
{
	return fdt_cell(prop->data, prop->len, i);
}

/* The low 32 bits of the first address: all of a port, also where a first cell says "I/O space". */
static uint32_t reg_low(const struct node *n, const struct node *parent)
{
	return parent->address_cells ? cell(&n->reg, parent->address_cells - 1) : 0;
}

static uint64_t wide(const struct fdt_event *prop, uint32_t at, uint32_t cells)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < cells; i++)
		v = v << 32 | cell(prop, at + i);
	return v;
}

static void take_memory(const struct node *n, const struct node *parent)
{
	uint32_t ac = parent->address_cells, sc = parent->size_cells;

	if (ac < 1 || ac > 2 || sc < 1 || sc > 2)
		return;
	for (uint32_t i = 0; i < n->reg.len / 4; i += ac + sc) {
		uint64_t base = wide(&n->reg, i, ac), size = wide(&n->reg, i + ac, sc);

		board.mem += size;
		if (base <= IMAGE_BASE && size > IMAGE_BASE - base)
			board.mem_low = base + size;
	}
}

static void take_cpu(const struct node *n, const struct node *parent)
{
	if (board.cpus)
		board.cpus[board.ncpus] = (struct board_cpu){reg_low(n, parent), okay(n)};
	if (++board.ncpus > CPUS_MAX)
		panic("device tree: more than %d CPUs", CPUS_MAX);
}

static void take_port(uint16_t *port, uint8_t *irq, const struct node *n, const struct node *parent)
{
	if (!okay(n))
		return;
	*port = (uint16_t)reg_low(n, parent);
	if (irq)
		*irq = (uint8_t)cell(&n->interrupts, 0);
}

static void take_device(const struct node *n, const struct node *parent)
{
	if (compatible(n, "ns16550a"))
		take_port(&board.serial_port, &board.serial_irq, n, parent);
	else if (compatible(n, "motorola,mc146818"))
		take_port(&board.rtc_port, &board.rtc_irq, n, parent);
	else if (compatible(n, "sipi,debug-exit"))
		take_port(&board.debug_exit_port, NULL, n, parent);
	else if (compatible(n, "sipi,post"))
		take_port(&board.post_port, NULL, n, parent);
	else if (compatible(n, "sipi,test-lines"))
		take_port(&board.test_port, NULL, n, parent);
	else if (compatible(n, "sipi,cpu-hotplug"))
		take_port(&board.hotplug_port, &board.hotplug_irq, n, parent);
	else if (name_is(n, "i8042") || compatible(n, "intel,8042"))
		take_port(&board.kbc_port, NULL, n, parent);
	else if (name_is(n, "ioapic") || compatible(n, "intel,ce4100-ioapic"))
		board.ioapic_base = wide(&n->reg, 0, parent->address_cells);
	else if (name_is(n, "lapic") || compatible(n, "intel,ce4100-lapic"))
		board.lapic_base = wide(&n->reg, 0, parent->address_cells);
}

/* All properties of a node are known when its first child begins or the node ends. */
static void take_node(struct node *n, const struct node *parent)
{
	if (n->done || !parent)
		return;
	n->done = true;
	if (name_is(parent, "cpus") && name_is(n, "cpu"))
		take_cpu(n, parent);
	else if (fdt_has_string(n->device_type.data, n->device_type.len, "memory"))
		take_memory(n, parent);
	else if (name_is(n, "chosen") && n->bootargs.data)
		board.bootargs = (char *)n->bootargs.data;
	else
		take_device(n, parent);
}

static void take_prop(struct node *n, const struct fdt_event *ev)
{
	const struct {
		const char *name;
		struct fdt_event *to;
	} wanted[] = {
		{"reg", &n->reg},
		{"compatible", &n->compatible},
		{"status", &n->status},
		{"interrupts", &n->interrupts},
		{"device_type", &n->device_type},
		{"bootargs", &n->bootargs},
	};

	if (!strcmp(ev->name, "#address-cells"))
		n->address_cells = fdt_cell(ev->data, ev->len, 0);
	else if (!strcmp(ev->name, "#size-cells"))
		n->size_cells = fdt_cell(ev->data, ev->len, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!strcmp(ev->name, wanted[i].name))
			*wanted[i].to = *ev;
}

static void walk(const struct fdt *fdt)
{
	struct node stack[DEPTH_MAX];
	struct fdt_event ev;
	uint32_t pos = 0;
	int depth = -1;

	for (fdt_next(fdt, &pos, &ev); ev.token != FDT_DONE; fdt_next(fdt, &pos, &ev)) {
		struct node *n = depth < 0 ? NULL : &stack[depth];

		if (ev.token == FDT_BROKEN || (!n && ev.token != FDT_NODE))
			panic("device tree: broken structure block");
		if (ev.token == FDT_PROP) {
			take_prop(n, &ev);
			continue;
		}
		if (n)
			take_node(n, depth ? n - 1 : NULL);
		if (ev.token == FDT_NODE_END) {
			depth--;
			continue;
		}
		if (++depth == DEPTH_MAX)
			panic("device tree: nodes nested deeper than %d", DEPTH_MAX);
		/* The specification's defaults, 2.3.5 */
		stack[depth] = (struct node){.name = ev.name, .address_cells = 2, .size_cells = 1};
	}
}

/* The tree's string may lack its NUL: fdt_has_string() was not asked. */
static void copy_bootargs(const struct fdt *fdt)
{
	const char *from = board.bootargs ? board.bootargs : "";
	size_t n = 0;

	while (from[n] && (const uint8_t *)from + n < fdt->base + fdt->size)
		n++;
	board.bootargs = alloc(n + 1, 1);
	memcpy(board.bootargs, from, n);
}

void board_init(const void *blob)
{
	struct board_cpu *list;
	struct fdt fdt;

	if (!blob || !fdt_open(&fdt, blob))
		panic("device tree: RDI is %p, which is none of version 17", blob);
	tree_start = (uint64_t)fdt.base;
	tree_end = tree_start + fdt.size;
	walk(&fdt); /* counts the CPUs */
	if (!board.ncpus || !board.mem_low)
		panic("device tree: no CPUs or no memory at 1 MiB");
	heap_next = (uint64_t)_end;
	heap_end = board.mem_low;
	list = alloc(board.ncpus * sizeof(*list), 8);
	board = (struct board){.cpus = list};
	walk(&fdt);
	copy_bootargs(&fdt);
}

bool line_set(unsigned gsi, bool level)
{
	if (!board.test_port)
		return false;
	outb((uint16_t)(board.test_port + gsi), level);
	return true;
}

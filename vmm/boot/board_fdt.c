// SPDX-License-Identifier: MIT
/* Writing a board's tree. board_fdt_read.c is the way back. */
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/board_internal.h"

#define IOAPIC_PHANDLE 1
#define FIXED_BYTES    4096 /* all but the CPUs and the command line, with much to spare */
#define CPU_BYTES      128  /* one CPU node takes 100 */

/* libfdt's sequential writer; the first error sticks, so that it is looked at once, at the end. */
struct writer {
	void *fdt;
	int error;
};

static void keep(struct writer *w, int rc)
{
	if (!w->error)
		w->error = rc;
}

__attribute__((format(printf, 2, 3))) static void begin(struct writer *w, const char *fmt, ...)
{
	char name[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	keep(w, fdt_begin_node(w->fdt, name));
}

static void end(struct writer *w)
{
	keep(w, fdt_end_node(w->fdt));
}

static void string(struct writer *w, const char *name, const char *value)
{
	keep(w, fdt_property_string(w->fdt, name, value));
}

static void flag(struct writer *w, const char *name)
{
	keep(w, fdt_property(w->fdt, name, NULL, 0));
}

static void cells(struct writer *w, const char *name, const uint32_t *value, unsigned count)
{
	fdt32_t be[16];

	for (unsigned i = 0; i < count; i++)
		be[i] = cpu_to_fdt32(value[i]);
	keep(w, fdt_property(w->fdt, name, be, (int)(count * sizeof(*be))));
}

#define CELLS(w, name, ...)                                                                        \
	cells(w, name, (const uint32_t[]){__VA_ARGS__},                                            \
	      sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void write_cpus(struct writer *w, const struct board *b)
{
	begin(w, "cpus");
	CELLS(w, "#address-cells", 1);
	CELLS(w, "#size-cells", 0);
	for (unsigned i = 0; i < b->ncpus; i++) {
		begin(w, "cpu@%x", b->cpus[i].apic_id);
		string(w, "device_type", "cpu");
		string(w, "compatible", "cpu-x86");
		CELLS(w, "reg", b->cpus[i].apic_id);
		string(w, "status", b->cpus[i].enabled ? "okay" : "disabled");
		end(w);
	}
	end(w);
}

static void write_memory(struct writer *w, const struct board *b)
{
	uint64_t range[3][2];
	uint32_t reg[12];
	unsigned n = board_memory(b->mem, range);

	for (unsigned i = 0; i < n; i++) {
		reg[4 * i] = (uint32_t)(range[i][0] >> 32);
		reg[4 * i + 1] = (uint32_t)range[i][0];
		reg[4 * i + 2] = (uint32_t)(range[i][1] >> 32);
		reg[4 * i + 3] = (uint32_t)range[i][1];
	}
	begin(w, "memory@0");
	string(w, "device_type", "memory");
	cells(w, "reg", reg, 4 * n);
	end(w);
}

static void write_apics(struct writer *w)
{
	begin(w, "ioapic@%x", IOAPIC_BASE);
	string(w, "compatible", IOAPIC_COMPATIBLE);
	CELLS(w, "reg", 0, IOAPIC_BASE, 0, APIC_WINDOW);
	flag(w, "interrupt-controller");
	CELLS(w, "#address-cells", 0);
	CELLS(w, "#interrupt-cells", 2);
	CELLS(w, "phandle", IOAPIC_PHANDLE);
	end(w);
	begin(w, "lapic@%x", LAPIC_BASE);
	string(w, "compatible", LAPIC_COMPATIBLE);
	CELLS(w, "reg", 0, LAPIC_BASE, 0, APIC_WINDOW);
	/* No IMCR: the PIC reaches the boot CPU through LINT0 (MP specification 1.4, 3.6.2.2). */
	flag(w, "intel,virtual-wire-mode");
	end(w);
}

static void write_device(struct writer *w, const struct board *b, enum board_device dev)
{
	const struct board_device_info *info = &board_devices[dev];
	uint32_t port = board_port(b, dev);
	uint32_t reg[6] = {ISA_IO,	  port, info->ports[0], ISA_IO, port + info->second_at,
			   info->ports[1]};

	if (!port)
		return;
	begin(w, "%s@i%x", info->name, port);
	string(w, "compatible", info->compatible);
	cells(w, "reg", reg, info->ports[1] ? 6 : 3);
	if (board_has_irq(dev))
		CELLS(w, "interrupts", board_irq(b, dev), SENSE_EDGE_RISING);
	if (dev == BOARD_SERIAL) {
		CELLS(w, "clock-frequency", SERIAL_CLOCK);
		CELLS(w, "current-speed", 115200);
	}
	end(w);
}

static void write_isa(struct writer *w, const struct board *b)
{
	begin(w, ISA_NODE);
	string(w, "compatible", "isa");
	CELLS(w, "#address-cells", 2);
	CELLS(w, "#size-cells", 1);
	/* Port n of the bus is port n of the CPU. */
	CELLS(w, "ranges", ISA_IO, 0, 0, 0, ISA_PORTS);
	for (enum board_device dev = 0; dev < BOARD_DEVICES; dev++)
		write_device(w, b, dev);
	end(w);
}

static void write_chosen(struct writer *w, const struct board *b)
{
	char path[32];

	begin(w, "chosen");
	string(w, "bootargs", b->bootargs);
	if (b->serial_port) {
		snprintf(path, sizeof(path), "/" ISA_NODE "/serial@i%x", b->serial_port);
		string(w, "stdout-path", path);
	}
	end(w);
}

static int write_tree(void *fdt, size_t size, const struct board *b)
{
	struct writer w = {.fdt = fdt};

	keep(&w, fdt_create(fdt, (int)size));
	keep(&w, fdt_finish_reservemap(fdt));
	begin(&w, "%s", "");
	string(&w, "compatible", BOARD_COMPATIBLE);
	string(&w, "model", "sipi");
	CELLS(&w, "#address-cells", 2);
	CELLS(&w, "#size-cells", 2);
	CELLS(&w, "interrupt-parent", IOAPIC_PHANDLE);
	write_chosen(&w, b);
	write_cpus(&w, b);
	write_memory(&w, b);
	write_apics(&w);
	write_isa(&w, b);
	end(&w);
	keep(&w, fdt_finish(fdt));
	return w.error;
}

int board_to_fdt(const struct board *b, void **blob, size_t *len, struct error *err)
{
	size_t size = FIXED_BYTES + (size_t)b->ncpus * CPU_BYTES + strlen(b->bootargs);
	void *fdt;
	int rc;

	if (board_check(b, err))
		return -1;
	if (size > INT32_MAX)
		return error_set(err, EXIT_SETUP, "the guest's command line is too long");
	fdt = calloc(1, size);
	if (!fdt)
		return error_set(err, EXIT_SETUP, "out of memory");
	rc = write_tree(fdt, size, b);
	if (rc) {
		free(fdt);
		return error_set(err, EXIT_SETUP, "cannot write the device tree: %s",
				 fdt_strerror(rc));
	}
	*blob = fdt;
	*len = fdt_totalsize(fdt);
	return 0;
}

static int set_bootargs(void *fdt, const char *bootargs)
{
	int chosen = fdt_path_offset(fdt, "/chosen");

	if (chosen == -FDT_ERR_NOTFOUND)
		chosen = fdt_add_subnode(fdt, 0, "chosen");
	if (chosen < 0)
		return chosen;
	return fdt_setprop_string(fdt, chosen, "bootargs", bootargs);
}

int board_set_bootargs(void **blob, size_t *len, const char *bootargs, struct error *err)
{
	size_t size = *len + strlen(bootargs) + 256;
	void *fdt;
	int rc = fdt_check_full(*blob, *len);

	if (!rc && size > INT32_MAX)
		rc = -FDT_ERR_NOSPACE;
	if (rc)
		return error_set(err, EXIT_SETUP, "device tree: %s", fdt_strerror(rc));
	fdt = calloc(1, size);
	if (!fdt)
		return error_set(err, EXIT_SETUP, "out of memory");
	rc = fdt_open_into(*blob, fdt, (int)size);
	if (!rc)
		rc = set_bootargs(fdt, bootargs);
	if (!rc)
		rc = fdt_pack(fdt);
	if (rc) {
		free(fdt);
		return error_set(err, EXIT_SETUP, "device tree: /chosen/bootargs: %s",
				 fdt_strerror(rc));
	}
	free(*blob);
	*blob = fdt;
	*len = fdt_totalsize(fdt);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_CMD_OPTIONS_H
#define SIPI_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/image.h"
#include "machine/machine.h"
#include "util/error.h"

#define INJECT_MAX 16

/* `sipi run`'s command line, each option checked by itself. Strings point into argv. */
struct run_options {
	uint32_t *apic_ids; /* NULL: the default; owned */
	size_t cpus;
	uint32_t *hotplug_ids; /* owned */
	size_t hotplug_cpus;
	uint64_t mem; /* 0: the default */
	enum irqchip_mode irqchip;
	const char *append;
	const char *firmware;
	const char *machine;
	const char *dump_dtb;
	enum console_kind console;
	const char *console_path;
	struct console_watch *watch; /* NULL: none; owned */
	uint64_t timeout_ns;
	bool strict, reset_on_triple_fault, keep_ram, quiet;
	bool limit_reboots;
	uint64_t reboots;
	const char *control;
	const char *trace;
	const char *inject[INJECT_MAX];
	unsigned ninject;
	struct image_options image;
	const char *path; /* the guest image, or NULL */
	char **args;	  /* the guest's own arguments, up to NULL */
};

/* What getopt_long() answers for a bad option: ':' or '?', about this word of this command. */
int option_refused(int id, const char *word, const char *command, struct error *err);

int run_options_parse(struct run_options *o, int argc, char **argv, struct error *err);
void run_options_free(struct run_options *o);

#endif

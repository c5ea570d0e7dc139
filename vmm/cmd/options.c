// SPDX-License-Identifier: MIT
#include "cmd/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "boot/board.h"
#include "cmd/cmd.h"
#include "util/parse.h"

const char run_usage[] =
	"usage: sipi run [options] IMAGE [args]\n"
	"\n"
	"Boots IMAGE: an ELF or multiboot kernel, or a flat binary. args are appended to the\n"
	"guest's command line.\n"
	"\n"
	"  --cpus N               CPUs, with APIC IDs from 0 on (default 1)\n"
	"  --apic-ids LIST        CPUs with these APIC IDs, e.g. 0,1,5,254 or 0-3,256\n"
	"  --hotplug-ids LIST     CPUs that can be added while the guest runs\n"
	"  --mem SIZE             RAM, e.g. 64M or 5G (default 64M)\n"
	"  --irqchip MODE         split: IOAPIC, PIC and PIT are sipi's (default)\n"
	"                         kernel: they are KVM's, as is the local APIC in both\n"
	"                         user: all of them are sipi's\n"
	"  --append STRING        the guest's command line\n"
	"  --firmware FILE        a ROM image in place of sipi's own firmware\n"
	"  --machine FILE.dtb     the machine that this device tree describes\n"
	"  --dump-dtb FILE        write the machine's device tree to FILE, and end\n"
	"  --serial WHERE         stdio (default), null or file:PATH\n"
	"  --expect REGEX         end with code 0 once the console has shown this; repeatable, in\n"
	"                         order; code 1 if the guest ends well before\n"
	"  --fail REGEX           end with code 1 as soon as the console shows this; repeatable\n"
	"  --load ADDR            where a flat binary is loaded\n"
	"  --entry ADDR           where a flat binary is entered (default: its start)\n"
	"  --entry-mode MODE      how a flat binary is entered: real, protected or long\n"
	"  --timeout SEC          end with code 4 after so many seconds\n"
	"  --strict               end with code 3 at an access that no device claims\n"
	"  --on-triple-fault WHAT exit (default, code 3) or reset\n"
	"  --reboot WHAT          always (default), never or N: how many resets there may be; one\n"
	"                         more ends the run with code 0\n"
	"  --keep-ram             a warm reset (soft, kbc, triple-fault) leaves RAM as it is\n"
	"  --control PATH         a socket for sipi ctl\n"
	"  --trace FILE           every exit, interrupt and unclaimed access, a line each\n"
	"  --inject RULE          drop, delay, duplicate or reorder an IPI, INIT, SIPI, EOI or\n"
	"                         timer tick, e.g. 'drop sipi nth=1' (irqchip user; repeatable;\n"
	"                         the rules stand in sipi(1))\n"
	"  --quiet                say nothing but errors\n"
	"\n"
	"On a terminal, Ctrl-A x quits and Ctrl-A h lists the keys.\n";

enum option_id {
	OPT_CPUS = 256,
	OPT_APIC_IDS,
	OPT_HOTPLUG_IDS,
	OPT_MEM,
	OPT_IRQCHIP,
	OPT_APPEND,
	OPT_FIRMWARE,
	OPT_MACHINE,
	OPT_DUMP_DTB,
	OPT_SERIAL,
	OPT_EXPECT,
	OPT_FAIL,
	OPT_LOAD,
	OPT_ENTRY,
	OPT_ENTRY_MODE,
	OPT_TIMEOUT,
	OPT_STRICT,
	OPT_ON_TRIPLE_FAULT,
	OPT_REBOOT,
	OPT_KEEP_RAM,
	OPT_CONTROL,
	OPT_TRACE,
	OPT_INJECT,
	OPT_QUIET,
};

static const struct option long_options[] = {
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"apic-ids", required_argument, NULL, OPT_APIC_IDS},
	{"hotplug-ids", required_argument, NULL, OPT_HOTPLUG_IDS},
	{"mem", required_argument, NULL, OPT_MEM},
	{"irqchip", required_argument, NULL, OPT_IRQCHIP},
	{"append", required_argument, NULL, OPT_APPEND},
	{"firmware", required_argument, NULL, OPT_FIRMWARE},
	{"machine", required_argument, NULL, OPT_MACHINE},
	{"dump-dtb", required_argument, NULL, OPT_DUMP_DTB},
	{"serial", required_argument, NULL, OPT_SERIAL},
	{"expect", required_argument, NULL, OPT_EXPECT},
	{"fail", required_argument, NULL, OPT_FAIL},
	{"load", required_argument, NULL, OPT_LOAD},
	{"entry", required_argument, NULL, OPT_ENTRY},
	{"entry-mode", required_argument, NULL, OPT_ENTRY_MODE},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"strict", no_argument, NULL, OPT_STRICT},
	{"on-triple-fault", required_argument, NULL, OPT_ON_TRIPLE_FAULT},
	{"reboot", required_argument, NULL, OPT_REBOOT},
	{"keep-ram", no_argument, NULL, OPT_KEEP_RAM},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"trace", required_argument, NULL, OPT_TRACE},
	{"inject", required_argument, NULL, OPT_INJECT},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{NULL, 0, NULL, 0},
};

static int bad(struct error *err, const char *option, const char *value, const char *wanted)
{
	return error_set(err, EXIT_SETUP, "--%s '%s': expected %s", option, value, wanted);
}

static int set_ids(struct run_options *o, uint32_t *ids, size_t n, struct error *err)
{
	if (o->apic_ids) {
		free(ids);
		return error_set(err, EXIT_SETUP, "--cpus, --apic-ids: give one of them, once");
	}
	o->apic_ids = ids;
	o->cpus = n;
	return 0;
}

static int parse_cpus(struct run_options *o, const char *arg, struct error *err)
{
	uint32_t *ids;
	uint64_t n;

	if (parse_u64(arg, 1, BOARD_CPUS_MAX, &n) < 0)
		return bad(err, "cpus", arg, "a number from 1 to 4096");
	ids = calloc(n, sizeof(*ids));
	if (!ids)
		return error_set(err, EXIT_SETUP, "out of memory");
	for (uint32_t i = 0; i < n; i++)
		ids[i] = i;
	return set_ids(o, ids, n, err);
}

static int parse_apic_ids(struct run_options *o, const char *arg, struct error *err)
{
	uint32_t *ids;
	size_t n;

	if (parse_u32_list(arg, BOARD_APIC_ID_MAX, BOARD_CPUS_MAX, &ids, &n) < 0)
		return bad(err, "apic-ids", arg, "IDs and ranges, each ID once, e.g. 0-3,8,254");
	return set_ids(o, ids, n, err);
}

static int parse_hotplug_ids(struct run_options *o, const char *arg, struct error *err)
{
	if (o->hotplug_ids)
		return error_set(err, EXIT_SETUP, "--hotplug-ids: give it once");
	if (parse_u32_list(arg, BOARD_APIC_ID_MAX, BOARD_CPUS_MAX, &o->hotplug_ids,
			   &o->hotplug_cpus) < 0)
		return bad(err, "hotplug-ids", arg, "IDs and ranges, each ID once, e.g. 4-7,300");
	return 0;
}

static int parse_reboot(struct run_options *o, const char *arg, struct error *err)
{
	o->limit_reboots = strcmp(arg, "always") != 0;
	o->reboots = 0;
	if (!o->limit_reboots || strcmp(arg, "never") == 0)
		return 0;
	if (parse_u64(arg, 0, UINT64_MAX, &o->reboots) < 0)
		return bad(err, "reboot", arg, "always, never or a number");
	return 0;
}

static int parse_serial(struct run_options *o, const char *arg, struct error *err)
{
	if (strcmp(arg, "stdio") == 0) {
		o->console = CONSOLE_STDIO;
	} else if (strcmp(arg, "null") == 0) {
		o->console = CONSOLE_NULL;
	} else if (strncmp(arg, "file:", 5) == 0 && arg[5]) {
		o->console = CONSOLE_FILE;
		o->console_path = arg + 5;
	} else {
		return bad(err, "serial", arg, "stdio, null or file:PATH");
	}
	return 0;
}

static int parse_irqchip(struct run_options *o, const char *arg, struct error *err)
{
	int mode = irqchip_mode_parse(arg);

	if (mode < 0)
		return bad(err, "irqchip", arg, "split, kernel or user");
	o->irqchip = (enum irqchip_mode)mode;
	return 0;
}

static int parse_triple_fault(struct run_options *o, const char *arg, struct error *err)
{
	o->reset_on_triple_fault = strcmp(arg, "reset") == 0;
	if (!o->reset_on_triple_fault && strcmp(arg, "exit") != 0)
		return bad(err, "on-triple-fault", arg, "exit or reset");
	return 0;
}

/* The three options that say how a flat binary lies in memory. */
static int parse_flat(struct run_options *o, int id, const char *arg, struct error *err)
{
	struct image_options *f = &o->image;
	int mode;

	switch (id) {
	case OPT_LOAD:
		f->have_load = true;
		if (parse_u64(arg, 0, UINT64_MAX, &f->load) < 0)
			return bad(err, "load", arg, "an address, e.g. 0x100000");
		return 0;
	case OPT_ENTRY:
		f->have_entry = true;
		if (parse_u64(arg, 0, UINT64_MAX, &f->entry) < 0)
			return bad(err, "entry", arg, "an address, e.g. 0x100000");
		return 0;
	default:
		mode = entry_mode_parse(arg);
		if (mode < 0)
			return bad(err, "entry-mode", arg, "real, protected or long");
		f->have_mode = true;
		f->mode = (enum entry_mode)mode;
		return 0;
	}
}

static int parse_one(struct run_options *o, int id, const char *arg, struct error *err)
{
	switch (id) {
	case OPT_CPUS:
		return parse_cpus(o, arg, err);
	case OPT_APIC_IDS:
		return parse_apic_ids(o, arg, err);
	case OPT_HOTPLUG_IDS:
		return parse_hotplug_ids(o, arg, err);
	case OPT_MEM:
		if (parse_size(arg, &o->mem) < 0 || o->mem < BOARD_MEM_MIN ||
		    o->mem > BOARD_MEM_MAX)
			return bad(err, "mem", arg, "a size from 2M to 1024G");
		return 0;
	case OPT_IRQCHIP:
		return parse_irqchip(o, arg, err);
	case OPT_APPEND:
		o->append = arg;
		return 0;
	case OPT_FIRMWARE:
		o->firmware = arg;
		return 0;
	case OPT_MACHINE:
		o->machine = arg;
		return 0;
	case OPT_DUMP_DTB:
		o->dump_dtb = arg;
		return 0;
	case OPT_SERIAL:
		return parse_serial(o, arg, err);
	case OPT_EXPECT:
		return console_watch_add(&o->watch, WATCH_EXPECT, arg, err);
	case OPT_FAIL:
		return console_watch_add(&o->watch, WATCH_FAIL, arg, err);
	case OPT_TIMEOUT:
		if (parse_seconds(arg, &o->timeout_ns) < 0 || !o->timeout_ns)
			return bad(err, "timeout", arg, "seconds above 0, e.g. 10 or 0.5");
		return 0;
	case OPT_STRICT:
		o->strict = true;
		return 0;
	case OPT_ON_TRIPLE_FAULT:
		return parse_triple_fault(o, arg, err);
	case OPT_REBOOT:
		return parse_reboot(o, arg, err);
	case OPT_KEEP_RAM:
		o->keep_ram = true;
		return 0;
	case OPT_CONTROL:
		o->control = arg;
		return 0;
	case OPT_TRACE:
		o->trace = arg;
		return 0;
	case OPT_INJECT:
		if (o->ninject == INJECT_MAX)
			return error_set(err, EXIT_SETUP, "--inject: more than %d rules",
					 INJECT_MAX);
		o->inject[o->ninject++] = arg;
		return 0;
	case OPT_QUIET:
		o->quiet = true;
		return 0;
	default:
		return parse_flat(o, id, arg, err);
	}
}

/* Options that say the same thing twice. */
static int check(const struct run_options *o, struct error *err)
{
	if (o->machine && (o->apic_ids || o->hotplug_ids || o->mem))
		return error_set(err, EXIT_SETUP,
				 "--machine: CPUs and memory come from the tree; leave out --cpus, "
				 "--apic-ids, --hotplug-ids and --mem");
	if (o->ninject && o->irqchip != IRQCHIP_USER)
		return error_set(
			err, EXIT_SETUP,
			"--inject: needs --irqchip user; in the other modes KVM's local APIC delivers");
	if (!o->path && !o->firmware && !o->dump_dtb)
		return error_set(err, EXIT_SETUP,
				 "no guest image; usage: sipi run [options] IMAGE [args]");
	return 0;
}

int option_refused(int id, const char *word, const char *command, struct error *err)
{
	if (id == ':')
		return error_set(err, EXIT_SETUP, "%s: a value is missing", word);
	return error_set(err, EXIT_SETUP,
			 "%s: no such option, or one that takes no value; try: sipi %s --help",
			 word, command);
}

int run_options_parse(struct run_options *o, int argc, char **argv, struct error *err)
{
	int id;

	*o = (struct run_options){.irqchip = IRQCHIP_SPLIT};
	opterr = 0;
	optind = 1;
	/* '+': options end at the image, what follows is the guest's. */
	while ((id = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		if (id == ':' || id == '?')
			return option_refused(id, argv[optind - 1], "run", err);
		if (parse_one(o, id, optarg, err) < 0)
			return -1;
	}
	if (optind < argc)
		o->path = argv[optind++];
	o->args = argv + optind;
	return check(o, err);
}

void run_options_free(struct run_options *o)
{
	free(o->apic_ids);
	free(o->hotplug_ids);
	console_watch_free(o->watch);
}

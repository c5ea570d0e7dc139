// SPDX-License-Identifier: MIT
/* `sipi run`: options to a board, the board to a device tree, the tree to a machine, and run it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/board.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "firmware/handoff.h"
#include "kvm/kvm.h"
#include "machine/machine.h"
#include "util/clock.h"
#include "util/file.h"

#define DTB_MAX	 (16u << 20)
#define ROM_MAX	 (16u << 20)
#define ROM_PAGE 4096u

extern const uint8_t firmware_rom[]; /* tools/embed.S */

/* Everything a run is made of, so that it is let go of in one place. */
struct run {
	struct run_options opt;
	struct board board;
	void *fdt;
	size_t fdt_len;
	uint8_t *rom; /* of --firmware; NULL for our own */
	size_t rom_len;
	struct image image;
	struct machine *machine;
	int sig; /* the signal that ended it, or 0 */
};

int cmd_fail(const struct error *err)
{
	fprintf(stderr, "sipi: %s\n", err->text);
	return err->code;
}

/* --append, or what the tree has, and the words after the image. */
static char *join_args(const char *first, char **args)
{
	size_t len = strlen(first) + 1;
	char *s;

	for (char **a = args; *a; a++)
		len += strlen(*a) + 1;
	s = calloc(1, len);
	if (!s)
		return NULL;
	strcpy(s, first);
	for (char **a = args; *a; a++) {
		if (*s)
			strcat(s, " ");
		strcat(s, *a);
	}
	return s;
}

/* Those that are there from the start, then those that can be added. */
static int set_cpus(struct board *b, const struct run_options *o)
{
	static const uint32_t boot_cpu = 0;
	const uint32_t *ids = o->apic_ids ? o->apic_ids : &boot_cpu;
	unsigned n = o->apic_ids ? (unsigned)o->cpus : 1;

	free(b->cpus);
	b->ncpus = n + (unsigned)o->hotplug_cpus;
	b->cpus = calloc(b->ncpus, sizeof(*b->cpus));
	for (unsigned i = 0; b->cpus && i < b->ncpus; i++)
		b->cpus[i] = (struct board_cpu){
			.apic_id = i < n ? ids[i] : o->hotplug_ids[i - n],
			.enabled = i < n,
		};
	return b->cpus ? 0 : -1;
}

/* The tree that the options describe. */
static int build_tree(struct run *r, struct error *err)
{
	struct board b;
	int ret;

	board_default(&b);
	free(b.bootargs);
	b.bootargs = join_args(r->opt.append ? r->opt.append : "", r->opt.args);
	if (r->opt.mem)
		b.mem = r->opt.mem;
	ret = set_cpus(&b, &r->opt) == 0 && b.bootargs
		      ? board_to_fdt(&b, &r->fdt, &r->fdt_len, err)
		      : error_set(err, EXIT_SETUP, "out of memory");
	board_free(&b);
	return ret;
}

/* The tree of a file, with the guest's command line put in where the user gave one. */
static int read_tree(struct run *r, struct error *err)
{
	struct board b;
	char *args;
	int ret;

	if (file_read(r->opt.machine, DTB_MAX, (uint8_t **)&r->fdt, &r->fdt_len, err) < 0)
		return -1;
	if (!r->opt.append && !*r->opt.args)
		return 0;
	if (board_from_fdt(&b, r->fdt, r->fdt_len, err) < 0)
		return -1;
	args = join_args(r->opt.append ? r->opt.append : b.bootargs, r->opt.args);
	board_free(&b);
	ret = args ? board_set_bootargs(&r->fdt, &r->fdt_len, args, err)
		   : error_set(err, EXIT_SETUP, "out of memory");
	free(args);
	return ret;
}

/* The machine is what the tree says, wherever the tree comes from. */
static int make_board(struct run *r, struct error *err)
{
	if ((r->opt.machine ? read_tree(r, err) : build_tree(r, err)) < 0)
		return -1;
	if (board_from_fdt(&r->board, r->fdt, r->fdt_len, err) == 0)
		return 0;
	if (r->opt.machine) {
		const struct error what = *err;

		error_fill(err, what.code, "%.100s: %.200s", r->opt.machine, what.text);
	}
	return -1;
}

static int dump_tree(const struct run *r, struct error *err)
{
	int fd = file_create(r->opt.dump_dtb);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		return error_set(err, EXIT_SETUP, "%s: %s", r->opt.dump_dtb, strerror(errno));
	if (fwrite(r->fdt, 1, r->fdt_len, f) != r->fdt_len || fflush(f) != 0) {
		error_fill(err, EXIT_SETUP, "%s: %s", r->opt.dump_dtb, strerror(errno));
		fclose(f);
		return -1;
	}
	fclose(f);
	return 0;
}

static int read_rom(struct run *r, struct error *err)
{
	const char *path = r->opt.firmware;

	if (!path)
		return 0;
	if (file_read(path, ROM_MAX, &r->rom, &r->rom_len, err) < 0)
		return -1;
	if (r->rom_len % ROM_PAGE)
		return error_set(err, EXIT_SETUP,
				 "%s: %zu bytes; a ROM image is a multiple of 4 KiB, up to 16 MiB",
				 path, r->rom_len);
	return 0;
}

static int open_image(struct run *r, struct error *err)
{
	struct ram ram = ram_layout(r->board.mem);

	if (!r->opt.path)
		return 0;
	return image_open(&r->image, r->opt.path, &r->opt.image, &ram, err);
}

static int make_machine(struct run *r, struct error *err)
{
	const struct machine_config cfg = {
		.irqchip = r->opt.irqchip,
		.board = &r->board,
		.fdt = r->fdt,
		.fdt_len = r->fdt_len,
		.image = r->opt.path ? &r->image : NULL,
		.rom = r->rom ? r->rom : firmware_rom,
		.rom_len = r->rom ? r->rom_len : FIRMWARE_SIZE,
		.own_firmware = !r->rom,
		.strict = r->opt.strict,
		.reset_on_triple_fault = r->opt.reset_on_triple_fault,
		.limit_reboots = r->opt.limit_reboots,
		.reboots = r->opt.reboots,
		.keep_ram = r->opt.keep_ram,
		.control_path = r->opt.control,
		.trace_path = r->opt.trace,
		.console = r->opt.console,
		.console_path = r->opt.console_path,
		.watch = r->opt.watch,
		.timeout_ns = r->opt.timeout_ns,
		.inject = r->opt.inject,
		.ninject = r->opt.ninject,
	};

	return machine_create(&r->machine, &cfg, err);
}

/* Said once: which KVM, which irqchip mode, which guest; and what is not as it could be. */
static void announce(const struct run *r)
{
	char module[32];
	enum kvm_kind kind = kvm_kind(module);
	unsigned there = 0;

	for (unsigned i = 0; i < r->board.ncpus; i++)
		there += r->board.cpus[i].enabled;
	fprintf(stderr, "sipi: KVM %s%s%s (%s), irqchip %s, %u CPU%s", *module ? "by " : "", module,
		*module ? "" : "built in", kvm_kind_name(kind), irqchip_mode_name(r->opt.irqchip),
		there, there == 1 ? "" : "s");
	if (there < r->board.ncpus)
		fprintf(stderr, " and room for %u", r->board.ncpus - there);
	fprintf(stderr, ", %" PRIu64 " MiB, ", r->board.mem >> 20);
	if (r->opt.path)
		fprintf(stderr, "guest %s (%s, %s mode)\n", r->opt.path,
			image_kind_name(r->image.kind), entry_mode_name(r->image.mode));
	else
		fprintf(stderr, "firmware %s\n", r->opt.firmware);
	machine_warnings(r->machine, stderr);
}

static int code_of_end(const struct outcome *o)
{
	switch (o->kind) {
	case OUTCOME_GUEST_EXIT:
		return (int)o->code;
	case OUTCOME_TRIPLE_FAULT:
	case OUTCOME_STRICT:
		return EXIT_CRASH;
	case OUTCOME_TIMEOUT:
		return EXIT_TIMED_OUT;
	case OUTCOME_KVM:
		return EXIT_KVM;
	case OUTCOME_QUIT:
	case OUTCOME_RESET:
	case OUTCOME_EXPECT:
		return EXIT_OK;
	case OUTCOME_FAIL:
		return EXIT_GUEST_FAILED;
	default:
		return EXIT_SETUP;
	}
}

/* An end that would be a success comes too early for an expectation that was not met. */
static int exit_code(const struct outcome *o)
{
	int code = code_of_end(o);

	return code == EXIT_OK && *o->unmet ? EXIT_GUEST_FAILED : code;
}

static void plural(uint64_t n, const char *what, const char *more)
{
	if (n)
		fprintf(stderr, ", %" PRIu64 " %s%s", n, what, n == 1 ? "" : more);
}

/* The closing line. */
static void conclude(const struct outcome *o, const struct machine_stats *st, uint64_t ns)
{
	bool has_cpu = o->kind == OUTCOME_TRIPLE_FAULT || o->kind == OUTCOME_STRICT ||
		       o->kind == OUTCOME_KVM;

	fprintf(stderr, "sipi: ");
	if (has_cpu)
		fprintf(stderr, "cpu %u: ", o->cpu);
	fprintf(stderr, "%s%s", o->kind == OUTCOME_GUEST_EXIT ? "guest ended with " : "", o->text);
	if (o->kind != OUTCOME_TIMEOUT)
		fprintf(stderr, ", after %.3f s", (double)ns / (double)NSEC_PER_SEC);
	plural(st->resets, "reset", "s");
	plural(st->unclaimed, "unclaimed access", "es");
	plural(st->console_lost, "console byte", "s");
	fprintf(stderr, "%s%s%s\n", st->console_lost ? " lost" : "", *o->unmet ? "; " : "",
		o->unmet);
}

static int run_machine(struct run *r)
{
	uint64_t start = clock_now_ns();
	const struct outcome *o;
	struct machine_stats st;

	if (!r->opt.quiet)
		announce(r);
	o = machine_run(r->machine);
	machine_stats(r->machine, &st);
	if (o->kind == OUTCOME_SIGNAL)
		r->sig = (int)o->code;
	if (!r->opt.quiet || *o->unmet ||
	    (o->kind != OUTCOME_GUEST_EXIT && exit_code(o) != EXIT_OK))
		conclude(o, &st, clock_now_ns() - start);
	machine_report(r->machine);
	return exit_code(o);
}

void cmd_die_of(int sig)
{
	sigset_t set;

	fflush(stdout);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	exit(128 + sig); /* the first process of a container does not die of a signal of its own */
}

int cmd_run(int argc, char **argv)
{
	struct run r = {.machine = NULL};
	struct error err;
	int code = EXIT_OK;

	if (run_options_parse(&r.opt, argc, argv, &err) < 0 || make_board(&r, &err) < 0) {
		code = cmd_fail(&err);
	} else if (r.opt.dump_dtb) {
		if (dump_tree(&r, &err) < 0)
			code = cmd_fail(&err);
	} else if (read_rom(&r, &err) < 0 || open_image(&r, &err) < 0 ||
		   make_machine(&r, &err) < 0) {
		code = cmd_fail(&err);
	} else {
		code = run_machine(&r);
	}
	if (r.machine)
		machine_destroy(r.machine);
	image_close(&r.image);
	board_free(&r.board);
	run_options_free(&r.opt);
	free(r.fdt);
	free(r.rom);
	if (r.sig)
		cmd_die_of(r.sig);
	return code;
}

// SPDX-License-Identifier: MIT
/* `sipi selftest reset`: does RESET leave what the manuals say, on this host? */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "kvm/kvm.h"
#include "selftest/selftest.h"
#include "util/clock.h"
#include "util/parse.h"

const char selftest_usage[] =
	"usage: sipi selftest reset [options]\n"
	"\n"
	"Needs no guest. Holds CPUs and devices after creation, power-on, each kind of reset and INIT\n"
	"against the manuals, a line for each deviation; those of KVM that are explained are named\n"
	"\"known\". Then fills all state with random legal values, resets, and compares with a machine\n"
	"that was just made.\n"
	"\n"
	"  --irqchip MODE         split, kernel or user (default: each that this host has)\n"
	"  --rounds N             of random state, up to 1000000 (default 100)\n"
	"  --seed S               repeats a run\n"
	"  --list                 only list the rows of the reset table: here, absent, or keep for\n"
	"                         what no reset touches\n"
	"  --without ROW          leave this row out, which must be found\n"
	"\n"
	"Exit code 0; 1 for deviations and differences; 77 where this host lacks the irqchip mode.\n";

enum option_id { OPT_IRQCHIP = 256, OPT_ROUNDS, OPT_SEED, OPT_LIST, OPT_WITHOUT, OPT_HELP };

static const struct option long_options[] = {
	{"irqchip", required_argument, NULL, OPT_IRQCHIP},
	{"rounds", required_argument, NULL, OPT_ROUNDS},
	{"seed", required_argument, NULL, OPT_SEED},
	{"list", no_argument, NULL, OPT_LIST},
	{"without", required_argument, NULL, OPT_WITHOUT},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

struct selftest_options {
	struct selftest_config cfg;
	int mode; /* -1: each */
	bool list, help;
};

static int parse_one(struct selftest_options *o, int id, const char *arg, struct error *err)
{
	switch (id) {
	case OPT_IRQCHIP:
		o->mode = irqchip_mode_parse(arg);
		if (o->mode < 0)
			return error_set(err, EXIT_SETUP,
					 "--irqchip '%s': expected split, kernel or user", arg);
		return 0;
	case OPT_ROUNDS:
		if (parse_u64(arg, 0, 1000000, &o->cfg.rounds) < 0)
			return error_set(err, EXIT_SETUP,
					 "--rounds '%s': expected a number from 0 to 1000000", arg);
		return 0;
	case OPT_SEED:
		if (parse_u64(arg, 0, UINT64_MAX, &o->cfg.seed) < 0)
			return error_set(err, EXIT_SETUP, "--seed '%s': expected a number", arg);
		return 0;
	case OPT_WITHOUT:
		o->cfg.without = arg;
		if (!selftest_has_row(arg))
			return error_set(err, EXIT_SETUP,
					 "--without '%s': no such row; --list has them", arg);
		return 0;
	case OPT_LIST:
		o->list = true;
		return 0;
	default:
		o->help = true;
		return 0;
	}
}

static int parse(struct selftest_options *o, int argc, char **argv, struct error *err)
{
	int id;

	*o = (struct selftest_options){.mode = -1};
	o->cfg.rounds = 100;
	o->cfg.seed = clock_now_ns();
	opterr = 0;
	optind = 2;
	if (argc < 2 || strcmp(argv[1], "reset") != 0)
		return error_set(err, EXIT_SETUP,
				 "selftest: which? usage: sipi selftest reset [options]");
	while ((id = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		if (id == ':' || id == '?')
			return option_refused(id, argv[optind - 1], "selftest", err);
		if (parse_one(o, id, optarg, err) < 0)
			return -1;
	}
	if (optind < argc)
		return error_set(err, EXIT_SETUP, "selftest reset: '%s': takes no arguments",
				 argv[optind]);
	return 0;
}

static int summary(const struct selftest_config *cfg, const struct selftest_result *r)
{
	bool vacuous = r->not_exercised && cfg->rounds >= SELFTEST_ENOUGH_ROUNDS;
	bool bad = r->deviations || r->differences || vacuous;

	printf("selftest reset: %s: %" PRIu64 " values checked, %" PRIu64 " deviations, %" PRIu64
	       " known; %" PRIu64 " rounds, %" PRIu64 " differences, %u fields exercised, %u not "
	       "(seed 0x%" PRIx64 ")\n",
	       irqchip_mode_name(cfg->mode), r->checked, r->deviations, r->known, r->rounds,
	       r->differences, r->exercised, r->not_exercised, cfg->seed);
	return bad ? EXIT_GUEST_FAILED : EXIT_OK;
}

static int run_mode(struct selftest_options *o, enum irqchip_mode mode)
{
	struct selftest_result r;
	struct error err;
	int code;

	o->cfg.mode = mode;
	if (o->list)
		return selftest_list(mode, &err) < 0 ? cmd_fail(&err) : EXIT_OK;
	if (selftest_reset(&o->cfg, &r, &err) == 0)
		return summary(&o->cfg, &r);
	/* A reset that is wrong can make the rest impossible. */
	code = cmd_fail(&err);
	return r.deviations || r.differences ? EXIT_GUEST_FAILED : code;
}

int cmd_selftest(int argc, char **argv)
{
	int code = EXIT_SKIP, ret;
	struct selftest_options o;
	struct error err;
	int kvm;

	if (parse(&o, argc, argv, &err) < 0)
		return cmd_fail(&err);
	if (o.help) {
		fputs(selftest_usage, stdout);
		return EXIT_OK;
	}
	/* Without KVM there is no mode, which is said once. */
	kvm = kvm_open(&err);
	if (kvm < 0)
		return cmd_fail(&err);
	close(kvm);
	if (o.mode >= 0)
		return run_mode(&o, (enum irqchip_mode)o.mode);
	/* A mode that is not there is said, and counts only where none is. */
	for (unsigned mode = 0; mode < IRQCHIP_MODES; mode++) {
		ret = run_mode(&o, (enum irqchip_mode)mode);
		if (ret == EXIT_SKIP)
			continue;
		if (code == EXIT_SKIP || code == EXIT_OK)
			code = ret;
	}
	return code;
}

// SPDX-License-Identifier: MIT
/* `sipi errata`: what of the known deviations this host's KVM shows. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "scenario/campaign.h"

#define SOURCE_TREE "tests/scenarios"

const char errata_usage[] =
	"usage: sipi errata [options] [ID...]\n"
	"\n"
	"Runs the scenarios with these ids, or all, and shows them as a table: what the architecture says,\n"
	"what was seen on this host, the fix, and the first release that has it. Verdicts are those of sipi\n"
	"check; those that can harm the host's kernel are skipped.\n"
	"\n"
	"  --markdown        of each ID a report for a mailing list, which goes with the program that sipi\n"
	"                    check --emit-c writes; without ID the table, and what the host is\n"
	"  --irqchip LIST    of kernel, split, user and none (default: all but user, which has no APIC of KVM)\n"
	"  --scenarios DIR   where they are (default: " SOURCE_TREE " here if it is there, else\n"
	"                    " SIPI_SCENARIOS ")\n"
	"\n"
	"exit codes: as sipi check\n";

enum option_id { OPT_MARKDOWN = 256, OPT_IRQCHIP, OPT_SCENARIOS, OPT_HELP };

static const struct option long_options[] = {
	{"markdown", no_argument, NULL, OPT_MARKDOWN},
	{"irqchip", required_argument, NULL, OPT_IRQCHIP},
	{"scenarios", required_argument, NULL, OPT_SCENARIOS},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

struct errata {
	struct campaign campaign;
	struct registry registry;
	const char *dir;
	bool markdown, help;
	char **ids; /* up to NULL; none: all */
};

static int parse_one(struct errata *o, int id, const char *arg, struct error *err)
{
	switch (id) {
	case OPT_MARKDOWN:
		o->markdown = true;
		return 0;
	case OPT_IRQCHIP:
		return campaign_modes(arg, &o->campaign.modes, err);
	case OPT_SCENARIOS:
		o->dir = arg;
		return 0;
	default:
		o->help = true;
		return 0;
	}
}

static int parse(struct errata *o, int argc, char **argv, struct error *err)
{
	struct stat st;
	int id;

	*o = (struct errata){.dir = SIPI_SCENARIOS};
	campaign_init(&o->campaign, &o->registry,
		      1u << IRQCHIP_KERNEL | 1u << IRQCHIP_SPLIT | 1u << IRQCHIP_NONE);
	if (stat(SOURCE_TREE, &st) == 0 && S_ISDIR(st.st_mode))
		o->dir = SOURCE_TREE;
	opterr = 0;
	optind = 1;
	while ((id = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (id == ':' || id == '?')
			return option_refused(id, argv[optind - 1], "errata", err);
		if (parse_one(o, id, optarg, err) < 0)
			return -1;
	}
	o->ids = argv + optind;
	return 0;
}

static bool is_wanted(void *arg, const struct scenario *s)
{
	for (char **id = arg; *id; id++)
		if (strcmp(*id, s->id) == 0)
			return true;
	return false;
}

static int select_ids(struct errata *o, struct error *err)
{
	if (!*o->ids)
		return 0;
	for (char **id = o->ids; *id; id++) {
		size_t i = 0;

		while (i < o->registry.n && strcmp(o->registry.scenarios[i]->id, *id) != 0)
			i++;
		if (i == o->registry.n)
			return error_set(err, EXIT_SETUP, "errata: '%s': no such id in %s", *id,
					 o->dir);
	}
	registry_keep(&o->registry, is_wanted, o->ids);
	return 0;
}

static int prepare(struct errata *o, struct error *err)
{
	if (select_ids(o, err) < 0 || campaign_check(&o->campaign, err) < 0)
		return -1;
	o->campaign.reports[0] = !o->markdown ? report_table(stdout)
				 : *o->ids    ? report_entries(stdout)
					      : report_markdown(stdout);
	return o->campaign.reports[0] ? 0 : error_set(err, EXIT_SETUP, "out of memory");
}

static int run(struct errata *o, int *signal, struct error *err)
{
	struct tally tally;

	campaign_announce(&o->campaign, stderr);
	if (campaign_run(&o->campaign, &tally, err) < 0)
		return cmd_fail(err);
	*signal = tally.signal;
	if (o->campaign.reports[0]->failed)
		return cmd_fail(&(struct error){EXIT_SETUP, "out of memory for the table"});
	return campaign_code(&tally);
}

int cmd_errata(int argc, char **argv)
{
	int signal = 0, code;
	struct error err;
	struct errata o;

	if (parse(&o, argc, argv, &err) < 0)
		return cmd_fail(&err);
	if (o.help) {
		fputs(errata_usage, stdout);
		return EXIT_OK;
	}
	if (registry_read(&o.registry, o.dir, cmd_fail) < 0)
		code = EXIT_SETUP;
	else if (prepare(&o, &err) < 0)
		code = cmd_fail(&err);
	else
		code = run(&o, &signal, &err);
	report_destroy(o.campaign.reports[0]);
	registry_free(&o.registry);
	if (signal)
		cmd_die_of(signal);
	return code;
}

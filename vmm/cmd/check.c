// SPDX-License-Identifier: MIT
/* `sipi check`: runs scenarios and says what was seen. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "scenario/campaign.h"
#include "scenario/emit_c.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/parse.h"

#define REPEAT_MAX    1000000
#define TIMEOUT_MAX_S 86400

const char check_usage[] =
	"usage: sipi check [options] PATH...\n"
	"\n"
	"Runs scenarios on this host's KVM: files, or all *.scn of directories and those below. Each run,\n"
	"of a scenario in an irqchip mode, is a process of its own. Verdicts: ok; bug, erratum: the\n"
	"deviation that the scenario describes; unknown: neither; skip: this host lacks what is named;\n"
	"error: it could not run, died or hung.\n"
	"\n"
	"  --filter REGEX   only those whose id matches\n"
	"  --irqchip LIST   of kernel, split, user and none (default: all that a scenario names)\n"
	"  --repeat N       each run so often, up to 1000000\n"
	"  --jobs N         processes at once, up to 256 (default: one a CPU)\n"
	"  --shard I/N      of all runs, the I-th of N parts that together are all\n"
	"  --seed S         repeats what was random; the n-th repetition has S + n - 1\n"
	"  --timeout SEC    for a run (default 10); then it is killed\n"
	"  --dangerous      run those, too, that can harm the host's kernel\n"
	"  --tap            TAP instead of a line for each scenario and mode\n"
	"  --junit FILE     JUnit's XML, as well\n"
	"  --json FILE      JSON, with all that was seen, as well\n"
	"  --quiet          only what is bug, unknown or error\n"
	"  --emit-c FILE    run nothing: write the one scenario as a C program, which needs kernel headers\n"
	"                   and libc alone, and whose exit code is the verdict; - is stdout; --irqchip\n"
	"                   kernel or split picks the mode (default: the first that it names)\n"
	"\n"
	"exit codes: 0 all are ok, erratum or skip; 1 there is a bug or unknown; 2 usage or set-up error,\n"
	"a scenario that cannot be read (then nothing is run), or a verdict error, also beside others; 77 no\n"
	"KVM; 128+N ended by signal N, after what is known by then was told\n";

enum option_id {
	OPT_FILTER = 256,
	OPT_IRQCHIP,
	OPT_REPEAT,
	OPT_JOBS,
	OPT_SHARD,
	OPT_SEED,
	OPT_TIMEOUT,
	OPT_DANGEROUS,
	OPT_TAP,
	OPT_JUNIT,
	OPT_JSON,
	OPT_QUIET,
	OPT_EMIT_C,
	OPT_HELP,
};

static const struct option long_options[] = {
	{"filter", required_argument, NULL, OPT_FILTER},
	{"irqchip", required_argument, NULL, OPT_IRQCHIP},
	{"repeat", required_argument, NULL, OPT_REPEAT},
	{"jobs", required_argument, NULL, OPT_JOBS},
	{"shard", required_argument, NULL, OPT_SHARD},
	{"seed", required_argument, NULL, OPT_SEED},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"dangerous", no_argument, NULL, OPT_DANGEROUS},
	{"tap", no_argument, NULL, OPT_TAP},
	{"junit", required_argument, NULL, OPT_JUNIT},
	{"json", required_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"emit-c", required_argument, NULL, OPT_EMIT_C},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

enum output { OUTPUT_JUNIT, OUTPUT_JSON, OUTPUTS };

struct check {
	struct campaign campaign;
	struct registry registry;
	const char *filter; /* NULL: none */
	const char *emit_c; /* NULL: run them */
	bool others;	    /* there are options that go with a run alone */
	bool tap, quiet, help;
	const char *paths[OUTPUTS]; /* of --junit and --json, or NULL */
	FILE *files[OUTPUTS];
};

static int bad(struct error *err, const char *option, const char *value, const char *wanted)
{
	return error_set(err, EXIT_SETUP, "--%s '%s': expected %s", option, value, wanted);
}

/* "I/N" */
static int parse_shard(struct campaign *c, const char *arg, struct error *err)
{
	size_t len = strcspn(arg, "/");
	char first[24];

	snprintf(first, sizeof(first), "%.*s", len < sizeof(first) ? (int)len : 0, arg);
	if (!arg[len] || parse_u64(arg + len + 1, 1, 1000000, &c->shards) < 0 ||
	    parse_u64(first, 1, c->shards, &c->shard) < 0)
		return bad(err, "shard", arg, "I/N, I from 1 to N, e.g. 2/4");
	c->shard--;
	return 0;
}

static int parse_timeout(struct campaign *c, const char *arg, struct error *err)
{
	uint64_t ns;

	if (parse_seconds(arg, &ns) < 0 || !ns || ns > TIMEOUT_MAX_S * NSEC_PER_SEC)
		return bad(err, "timeout", arg, "seconds above 0, up to 86400, e.g. 10 or 0.5");
	c->timeout_ms = (unsigned)((ns + 999999) / 1000000);
	return 0;
}

static int parse_number(struct check *o, int id, const char *arg, struct error *err)
{
	struct campaign *c = &o->campaign;
	uint64_t n;

	switch (id) {
	case OPT_REPEAT:
		if (parse_u64(arg, 1, REPEAT_MAX, &c->repeat) < 0)
			return bad(err, "repeat", arg, "a number from 1 to 1000000");
		return 0;
	case OPT_JOBS:
		if (parse_u64(arg, 1, BATCH_PARALLEL, &n) < 0)
			return bad(err, "jobs", arg, "a number from 1 to 256");
		c->parallel = (unsigned)n;
		return 0;
	default:
		if (parse_u64(arg, 0, UINT64_MAX, &c->seed) < 0)
			return bad(err, "seed", arg, "a number");
		return 0;
	}
}

static int parse_one(struct check *o, int id, const char *arg, struct error *err)
{
	switch (id) {
	case OPT_FILTER:
		o->filter = arg;
		return 0;
	case OPT_IRQCHIP:
		return campaign_modes(arg, &o->campaign.modes, err);
	case OPT_SHARD:
		return parse_shard(&o->campaign, arg, err);
	case OPT_TIMEOUT:
		return parse_timeout(&o->campaign, arg, err);
	case OPT_DANGEROUS:
		o->campaign.dangerous = true;
		return 0;
	case OPT_TAP:
		o->tap = true;
		return 0;
	case OPT_JUNIT:
		o->paths[OUTPUT_JUNIT] = arg;
		return 0;
	case OPT_JSON:
		o->paths[OUTPUT_JSON] = arg;
		return 0;
	case OPT_QUIET:
		o->quiet = true;
		return 0;
	case OPT_EMIT_C:
		o->emit_c = arg;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	default:
		return parse_number(o, id, arg, err);
	}
}

static int parse(struct check *o, int argc, char **argv, struct error *err)
{
	int id;

	*o = (struct check){.filter = NULL};
	campaign_init(&o->campaign, &o->registry, (1u << SCENARIO_MODES) - 1);
	opterr = 0;
	optind = 1;
	while ((id = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (id == ':' || id == '?')
			return option_refused(id, argv[optind - 1], "check", err);
		if (parse_one(o, id, optarg, err) < 0)
			return -1;
		o->others |= id != OPT_EMIT_C && id != OPT_IRQCHIP;
	}
	if (optind == argc && !o->help)
		return error_set(err, EXIT_SETUP,
				 "check: no PATH; usage: sipi check [options] PATH...");
	if (o->emit_c && !o->help && (o->others || optind + 1 != argc))
		return error_set(err, EXIT_SETUP,
				 "check: --emit-c takes one scenario, and no option but --irqchip");
	return 0;
}

/* All that cannot be read is named; then nothing is run. */
static int read_all(struct check *o, char **paths)
{
	int ret = 0;

	for (; *paths; paths++)
		if (registry_read(&o->registry, *paths, cmd_fail) < 0)
			ret = -1;
	return ret;
}

static bool matches(void *arg, const struct scenario *s)
{
	return regexec(arg, s->id, 0, NULL, 0) == 0;
}

static int filter(struct check *o, struct error *err)
{
	size_t before = o->registry.n;
	char text[100];
	regex_t re;
	int r;

	if (!o->filter)
		return 0;
	r = regcomp(&re, o->filter, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, &re, text, sizeof(text));
		return error_set(err, EXIT_SETUP, "--filter '%s': %s", o->filter, text);
	}
	registry_keep(&o->registry, matches, &re);
	regfree(&re);
	if (!o->registry.n)
		return error_set(err, EXIT_SETUP, "--filter '%s': matches none of %zu scenarios",
				 o->filter, before);
	return 0;
}

static int open_output(struct check *o, enum output i, struct error *err)
{
	int fd;

	if (!o->paths[i])
		return 0;
	fd = file_create(o->paths[i]);
	if (fd < 0 || fcntl(fd, F_SETFL, 0) < 0 || !(o->files[i] = fdopen(fd, "w"))) {
		error_fill(err, EXIT_SETUP, "%s: %s", o->paths[i], strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return 0;
}

static int make_reports(struct check *o, struct error *err)
{
	struct campaign *c = &o->campaign;
	unsigned n = 0;

	if (open_output(o, OUTPUT_JUNIT, err) < 0 || open_output(o, OUTPUT_JSON, err) < 0)
		return -1;
	c->reports[n++] = o->tap ? report_tap(stdout, campaign_shard_runs(c), c->repeat)
				 : report_human(stdout, c->repeat, o->quiet);
	if (c->reports[n - 1] && o->files[OUTPUT_JUNIT])
		c->reports[n++] = report_junit(o->files[OUTPUT_JUNIT], c->repeat);
	if (c->reports[n - 1] && o->files[OUTPUT_JSON])
		c->reports[n++] = report_json(o->files[OUTPUT_JSON]);
	return c->reports[n - 1] ? 0 : error_set(err, EXIT_SETUP, "out of memory");
}

/* What was written must have arrived. */
static int close_output(struct check *o, enum output i, int code)
{
	struct error err;
	bool lost;

	if (!o->files[i])
		return code;
	errno = 0;
	lost = ferror(o->files[i]);
	if (fclose(o->files[i]) == 0 && !lost)
		return code;
	error_fill(&err, EXIT_SETUP, "%s: %s", o->paths[i],
		   errno ? strerror(errno) : "not all of it could be written");
	return cmd_fail(&err);
}

static int prepare(struct check *o, struct error *err)
{
	if (filter(o, err) < 0 || campaign_check(&o->campaign, err) < 0)
		return -1;
	return make_reports(o, err);
}

static int run(struct check *o, int *signal, struct error *err)
{
	struct tally tally;
	int code;

	if (!o->quiet)
		campaign_announce(&o->campaign, stderr);
	if (campaign_run(&o->campaign, &tally, err) < 0)
		return cmd_fail(err);
	*signal = tally.signal;
	code = campaign_code(&tally);
	for (unsigned i = 0; i < CAMPAIGN_REPORTS && o->campaign.reports[i]; i++)
		if (o->campaign.reports[i]->failed)
			code = cmd_fail(&(struct error){EXIT_SETUP, "out of memory for a report"});
	return code;
}

int cmd_check(int argc, char **argv)
{
	int signal = 0, code;
	struct error err;
	struct check o;

	if (parse(&o, argc, argv, &err) < 0)
		return cmd_fail(&err);
	if (o.help) {
		fputs(check_usage, stdout);
		return EXIT_OK;
	}
	if (o.emit_c)
		return emit_c(argv[optind], o.campaign.modes, o.emit_c, &err) < 0 ? cmd_fail(&err)
										  : EXIT_OK;
	if (read_all(&o, argv + optind) < 0)
		code = EXIT_SETUP;
	else if (prepare(&o, &err) < 0)
		code = cmd_fail(&err);
	else
		code = run(&o, &signal, &err);
	for (unsigned i = 0; i < CAMPAIGN_REPORTS; i++)
		report_destroy(o.campaign.reports[i]);
	for (unsigned i = 0; i < OUTPUTS; i++)
		code = close_output(&o, (enum output)i, code);
	registry_free(&o.registry);
	if (signal)
		cmd_die_of(signal);
	return code;
}

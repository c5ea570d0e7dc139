// SPDX-License-Identifier: MIT
#include "scenario/registry.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>

static int add(struct registry *r, const char *path, struct error *err)
{
	struct scenario *s = scenario_read(path, err);

	if (!s)
		return -1;
	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		struct scenario **more =
			reallocarray(r->scenarios, room, sizeof(struct scenario *));

		if (!more) {
			scenario_free(s);
			return error_set(err, EXIT_SETUP, "%s: out of memory", path);
		}
		r->scenarios = more;
		r->room = room;
	}
	r->scenarios[r->n++] = s;
	return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* A file that the user names is read whatever it is called. */
static bool is_scenario(const FTSENT *e)
{
	if (e->fts_info != FTS_F && e->fts_info != FTS_SL && e->fts_info != FTS_DEFAULT)
		return false;
	return e->fts_level == FTS_ROOTLEVEL ||
	       (e->fts_namelen > 4 && strcmp(e->fts_name + e->fts_namelen - 4, ".scn") == 0);
}

static int visit(struct registry *r, const FTSENT *e, struct error *err)
{
	if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
		return error_set(err, EXIT_SETUP, "%s: %s", e->fts_path, strerror(e->fts_errno));
	if (e->fts_info == FTS_SLNONE)
		return error_set(err, EXIT_SETUP, "%s: a link to nothing", e->fts_path);
	return is_scenario(e) ? add(r, e->fts_path, err) : 0;
}

int registry_read(struct registry *r, const char *path, int (*refuse)(const struct error *err))
{
	/* FTS_PHYSICAL: a symbolic link to a directory, which may lead back here, is not followed. */
	char *const paths[] = {(char *)path, NULL};
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	size_t before = r->n;
	struct error err;
	int ret = 0;
	FTSENT *e;

	while (fts && (e = fts_read(fts)))
		if (visit(r, e, &err) < 0) {
			refuse(&err);
			ret = -1;
		}
	if (fts)
		fts_close(fts);
	if (ret == 0 && r->n == before) {
		error_fill(&err, EXIT_SETUP, "%s: %s", path,
			   fts ? "no file *.scn in it" : strerror(errno));
		refuse(&err);
		ret = -1;
	}
	return ret;
}

void registry_keep(struct registry *r, bool (*keep)(void *arg, const struct scenario *s), void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++)
		if (keep(arg, r->scenarios[i]))
			r->scenarios[kept++] = r->scenarios[i];
		else
			scenario_free(r->scenarios[i]);
	r->n = kept;
}

void registry_free(struct registry *r)
{
	for (size_t i = 0; i < r->n; i++)
		scenario_free(r->scenarios[i]);
	free(r->scenarios);
	*r = (struct registry){.n = 0};
}

// SPDX-License-Identifier: MIT
/* Reading a scenario; what can only be said of the whole is checked here. */
#include "scenario/parse.h"

#include <stdlib.h>
#include <string.h>

#include "util/file.h"

static int check_names(struct parser *p)
{
	const struct scenario *s = p->s;

	for (unsigned i = 0; i < s->nvariables; i++)
		if (!p->used[i])
			return parse_expected(p, &p->variable_at[i],
					      "a name that a later step uses");
	for (unsigned i = 0; i < s->ncpus; i++)
		if (s->late[i] && !p->created[i])
			return parse_expected(p, &p->cpu_at[i], "a CPU that a step creates");
	return 0;
}

/* A scenario that cannot give the verdict that it is there for says nothing. */
static int check_whole(struct parser *p)
{
	if (!p->has_expect)
		return parse_expected(p, &p->tok, "a step 'expect'");
	if (p->s->class != CLASS_GUARD && !p->has_deviates)
		return parse_expected(p, &p->tok,
				      "'deviates' behind an 'expect', as class is not guard");
	return check_names(p);
}

static int parse(struct parser *p)
{
	if (parse_header(p) < 0 || parse_steps(p) < 0)
		return -1;
	return check_whole(p);
}

struct scenario *scenario_parse(const char *path, const char *bytes, size_t size, struct error *err)
{
	struct scenario *s = calloc(1, sizeof(*s));
	struct parser p = {.s = s, .err = err, .start = bytes, .next = bytes, .end = bytes + size};

	if (size > SCENARIO_BYTES) {
		error_fill(err, EXIT_SETUP, "%s: %zu bytes, more than the %u that are allowed",
			   path, size, SCENARIO_BYTES);
		free(s);
		return NULL;
	}
	/*
	 * The path and the source; and of each line, and the end of the last one, at most a copy of it all and one of
	 * each of its names.
	 */
	p.pool = s ? malloc(strlen(path) + 1 + 3 * (size + 1)) : NULL;
	if (!p.pool) {
		error_fill(err, EXIT_SETUP, "%s: out of memory", path);
		free(s);
		return NULL;
	}
	s->text = p.pool;
	s->path = parse_keep(&p, path, strlen(path));
	s->source = parse_keep(&p, bytes, size);
	if (parse(&p) == 0)
		return s;
	scenario_free(s);
	return NULL;
}

struct scenario *scenario_read(const char *path, struct error *err)
{
	struct scenario *s;
	uint8_t *data;
	size_t size;

	if (file_read(path, SCENARIO_BYTES, &data, &size, err) < 0)
		return NULL;
	s = scenario_parse(path, (const char *)data, size, err);
	free(data);
	return s;
}

static void free_steps(struct step_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		for (unsigned b = 0; b < list->steps[i].nbranches; b++)
			free_steps(&list->steps[i].branches[b]);
		free(list->steps[i].branches);
	}
	free(list->steps);
}

void scenario_free(struct scenario *s)
{
	if (!s)
		return;
	free_steps(&s->steps);
	free(s->text);
	free(s);
}

// SPDX-License-Identifier: MIT
#include "io/console_watch.h"

#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_PATTERN 80
#define SHOWN_LINE    120

struct pattern {
	const char *text;
	regex_t re;
};

struct console_watch {
	struct pattern patterns[WATCH_LISTS][WATCH_PATTERNS_MAX];
	unsigned count[WATCH_LISTS];
	unsigned met; /* the first so many of WATCH_EXPECT */

	enum watch_verdict verdict;
	const char *culprit;	    /* of WATCH_FAILED and WATCH_BROKEN: the pattern */
	char shown[SHOWN_LINE + 1]; /* of WATCH_FAILED: the line; of WATCH_BROKEN: why */

	bool continued; /* earlier pieces of this line are gone */
	size_t len;
	size_t from; /* where the search for the next expectation goes on */
	char line[WATCH_LINE_MAX + 1];
};

static const char *const option[WATCH_LISTS] = {
	[WATCH_EXPECT] = "--expect", [WATCH_FAIL] = "--fail"};

static const char *dots(const char *s, size_t max)
{
	return strlen(s) > max ? "..." : "";
}

/* --- patterns */

/* "\\1": not of POSIX's extended expressions; glibc takes it, and may then need exponential time. */
static bool has_back_reference(const char *text)
{
	while ((text = strchr(text, '\\')) && text[1]) {
		if (text[1] >= '1' && text[1] <= '9')
			return true;
		text += 2;
	}
	return false;
}

static int compile(struct pattern *p, const char *name, const char *text, struct error *err)
{
	char why[100];
	int r;

	/* glibc takes the empty one, which matches at once: most likely a variable that is not set. */
	if (!*text || strchr(text, '\n'))
		return error_set(err, EXIT_SETUP, "%s: a pattern that is empty or has a newline",
				 name);
	if (has_back_reference(text))
		return error_set(err, EXIT_SETUP, "%s '%.*s%s': a back-reference", name,
				 SHOWN_PATTERN, text, dots(text, SHOWN_PATTERN));
	r = regcomp(&p->re, text, REG_EXTENDED);
	if (!r) {
		p->text = text;
		return 0;
	}
	regerror(r, &p->re, why, sizeof(why));
	return error_set(err, EXIT_SETUP, "%s '%.*s%s': %s", name, SHOWN_PATTERN, text,
			 dots(text, SHOWN_PATTERN), why);
}

int console_watch_add(struct console_watch **w, enum watch_list list, const char *text,
		      struct error *err)
{
	unsigned *n;

	if (!*w)
		*w = calloc(1, sizeof(**w));
	if (!*w)
		return error_set(err, EXIT_SETUP, "out of memory");
	n = &(*w)->count[list];
	if (*n == WATCH_PATTERNS_MAX)
		return error_set(err, EXIT_SETUP, "%s: more than %u patterns", option[list],
				 WATCH_PATTERNS_MAX);
	if (compile(&(*w)->patterns[list][*n], option[list], text, err) < 0)
		return -1;
	(*n)++;
	return 0;
}

void console_watch_free(struct console_watch *w)
{
	if (!w)
		return;
	for (unsigned l = 0; l < WATCH_LISTS; l++)
		for (unsigned i = 0; i < w->count[l]; i++)
			regfree(&w->patterns[l][i].re);
	free(w);
}

/* --- looking */

/* From a match on, where the beginning of the line would not show it. */
static void show(struct console_watch *w, const regmatch_t *m)
{
	const char *s = w->line + (m->rm_eo > SHOWN_LINE ? m->rm_so : 0);
	size_t n;

	for (n = 0; n < SHOWN_LINE && s[n]; n++)
		w->shown[n] = s[n] >= 0x20 && s[n] < 0x7f ? s[n] : '?';
	w->shown[n] = 0;
}

static bool matches(struct console_watch *w, const struct pattern *p, size_t from, bool ended,
		    regmatch_t *m)
{
	int flags = (from || w->continued ? REG_NOTBOL : 0) | (ended ? 0 : REG_NOTEOL);
	int r = regexec(&p->re, w->line + from, 1, m, flags);

	if (r && r != REG_NOMATCH) {
		w->verdict = WATCH_BROKEN;
		w->culprit = p->text;
		regerror(r, &p->re, w->shown, sizeof(w->shown));
	}
	return !r;
}

static void look_for_failures(struct console_watch *w, bool ended)
{
	regmatch_t m;

	for (unsigned i = 0; i < w->count[WATCH_FAIL] && w->verdict == WATCH_GOES_ON; i++) {
		const struct pattern *p = &w->patterns[WATCH_FAIL][i];

		if (!matches(w, p, 0, ended, &m))
			continue;
		w->verdict = WATCH_FAILED;
		w->culprit = p->text;
		show(w, &m);
	}
}

static void look_for_expected(struct console_watch *w, bool ended)
{
	regmatch_t m;

	while (w->met < w->count[WATCH_EXPECT] &&
	       matches(w, &w->patterns[WATCH_EXPECT][w->met], w->from, ended, &m)) {
		w->from += (size_t)m.rm_eo;
		if (++w->met == w->count[WATCH_EXPECT])
			w->verdict = WATCH_MET;
	}
}

static enum watch_verdict look(struct console_watch *w, bool ended)
{
	w->line[w->len] = 0;
	look_for_failures(w, ended);
	if (w->verdict == WATCH_GOES_ON)
		look_for_expected(w, ended);
	return w->verdict;
}

static void start_piece(struct console_watch *w, bool continued)
{
	w->continued = continued;
	w->len = 0;
	w->from = 0;
}

enum watch_verdict console_watch_byte(struct console_watch *w, uint8_t byte)
{
	if (w->verdict != WATCH_GOES_ON || byte == '\r')
		return w->verdict;
	if (byte == '\n') {
		look(w, true);
		start_piece(w, false);
		return w->verdict;
	}
	/* Not as soon as it is full: the line may end here. */
	if (w->len == WATCH_LINE_MAX) {
		look(w, false);
		start_piece(w, true);
	}
	w->line[w->len++] = byte ? (char)byte : '?';
	return w->verdict;
}

enum watch_verdict console_watch_pause(struct console_watch *w)
{
	return w->verdict == WATCH_GOES_ON && w->len ? look(w, false) : w->verdict;
}

enum watch_verdict console_watch_end(struct console_watch *w)
{
	return w->verdict == WATCH_GOES_ON && w->len ? look(w, true) : w->verdict;
}

/* --- saying */

static void say_unmet(const struct console_watch *w, char buf[WATCH_SAY_MAX])
{
	const char *text;

	*buf = 0;
	if (w->met == w->count[WATCH_EXPECT])
		return;
	text = w->patterns[WATCH_EXPECT][w->met].text;
	snprintf(buf, WATCH_SAY_MAX, "--expect '%.*s%s' (%u of %u) was not met", SHOWN_PATTERN,
		 text, dots(text, SHOWN_PATTERN), w->met + 1, w->count[WATCH_EXPECT]);
}

void console_watch_say(const struct console_watch *w, char buf[WATCH_SAY_MAX])
{
	switch (w->verdict) {
	case WATCH_GOES_ON:
		say_unmet(w, buf);
		break;
	case WATCH_MET:
		if (w->count[WATCH_EXPECT] == 1)
			snprintf(buf, WATCH_SAY_MAX, "the expectation was met");
		else
			snprintf(buf, WATCH_SAY_MAX, "all %u expectations met",
				 w->count[WATCH_EXPECT]);
		break;
	case WATCH_FAILED:
		snprintf(buf, WATCH_SAY_MAX, "the console matched --fail '%.*s%s': %s",
			 SHOWN_PATTERN, w->culprit, dots(w->culprit, SHOWN_PATTERN), w->shown);
		break;
	case WATCH_BROKEN:
		snprintf(buf, WATCH_SAY_MAX, "cannot watch the console for '%.*s%s': %s",
			 SHOWN_PATTERN, w->culprit, dots(w->culprit, SHOWN_PATTERN), w->shown);
		break;
	}
}

// SPDX-License-Identifier: MIT
/* The words of an --inject rule: inject.h has the grammar. */
#include <string.h>

#include "machine/inject.h"
#include "util/parse.h"

#define WORD_MAX 32

struct word {
	const char *at;
	size_t len;
	char text[WORD_MAX + 1];
};

/* The next word from *s on; false at the end. Longer ones are cut: none that long is right. */
static bool next_word(const char **s, struct word *w)
{
	size_t copy;

	*s += strspn(*s, " \t");
	w->at = *s;
	w->len = strcspn(*s, " \t");
	copy = w->len < WORD_MAX ? w->len : WORD_MAX;
	memcpy(w->text, w->at, copy);
	w->text[copy] = '\0';
	*s += w->len;
	return w->len > 0;
}

/* One line that says what is wrong, and two that point at the word. */
static int bad(struct error *err, const char *rule, const struct word *w, const char *wanted)
{
	char marks[WORD_MAX + 1];
	size_t n = w->len ? w->len : 1;

	n = n < WORD_MAX ? n : WORD_MAX;
	memset(marks, '~', n);
	marks[0] = '^';
	marks[n] = '\0';
	return error_set(err, EXIT_SETUP, "--inject: %s%s%s expected %s\n    %.120s\n    %*s%s",
			 w->len ? "'" : "", w->len ? w->text : "the rule ends;", w->len ? "':" : "",
			 wanted, rule, (int)(w->at - rule), "", marks);
}

static int pick(const char *word, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(word, names[i]) == 0)
			return (int)i;
	return -1;
}

static int parse_time(const char *s, uint64_t *ns)
{
	static const struct {
		const char *suffix;
		uint64_t ns;
	} units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
	char number[WORD_MAX + 1];
	uint64_t n;

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(s), cut = strlen(units[i].suffix);

		if (len <= cut || strcmp(s + len - cut, units[i].suffix) != 0)
			continue;
		memcpy(number, s, len - cut);
		number[len - cut] = '\0';
		if (parse_u64(number, 0, 3600000000000ull / units[i].ns, &n) < 0)
			continue;
		*ns = n * units[i].ns;
		return 0;
	}
	return -1;
}

static int parse_u32(const char *s, uint32_t *out)
{
	uint64_t n;

	if (parse_u64(s, 0, INJECT_ANY - 1, &n) < 0)
		return -1;
	*out = (uint32_t)n;
	return 0;
}

/* key=value */
static int parse_setting(struct inject_rule *r, const char *rule, const struct word *w,
			 struct error *err)
{
	const char *value = strchr(w->text, '=');
	size_t key = value ? (size_t)(value++ - w->text) : 0;
	uint64_t n;

	if (key == 3 && memcmp(w->text, "nth", 3) == 0) {
		r->all = strcmp(value, "all") == 0;
		if (!r->all && parse_u64(value, 1, UINT64_MAX, &r->nth) < 0)
			return bad(err, rule, w, "nth=N, from 1 on, or nth=all");
	} else if (key == 4 && memcmp(w->text, "from", 4) == 0) {
		if (parse_u32(value, &r->from) < 0)
			return bad(err, rule, w, "from=ID, an APIC ID");
	} else if (key == 2 && memcmp(w->text, "to", 2) == 0) {
		if (parse_u32(value, &r->to) < 0)
			return bad(err, rule, w, "to=ID, an APIC ID");
	} else if (key == 6 && memcmp(w->text, "vector", 6) == 0) {
		if (parse_u64(value, 0, 255, &n) < 0)
			return bad(err, rule, w, "vector=V, 0 to 255");
		r->vector = (int)n;
	} else if (key == 2 && memcmp(w->text, "by", 2) == 0) {
		if (parse_time(value, &r->by_ns) < 0)
			return bad(err, rule, w, "by=TIME, e.g. 100us, 5ms or 1s");
	} else {
		return bad(err, rule, w, "nth=, from=, to=, vector= or by=");
	}
	return 0;
}

int inject_parse(struct inject_rule *r, const char *text, struct error *err)
{
	static const char *const actions[] = {"drop", "delay", "duplicate", "reorder"};
	static const char *const kinds[] = {"ipi", "init", "sipi", "eoi", "timer"};
	const char *s = text;
	struct word w;
	int n;

	*r = (struct inject_rule){.text = text,
				  .nth = 1,
				  .by_ns = 1000000,
				  .from = INJECT_ANY,
				  .to = INJECT_ANY,
				  .vector = -1};
	next_word(&s, &w);
	n = pick(w.text, actions, 4);
	if (n < 0)
		return bad(err, text, &w, "drop, delay, duplicate or reorder");
	r->action = (enum inject_action)n;
	next_word(&s, &w);
	n = pick(w.text, kinds, 5);
	if (n < 0)
		return bad(err, text, &w, "ipi, init, sipi, eoi or timer");
	r->kind = (enum inject_event_kind)n;
	while (next_word(&s, &w))
		if (parse_setting(r, text, &w, err) < 0)
			return -1;
	return 0;
}

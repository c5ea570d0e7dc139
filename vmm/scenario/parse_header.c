// SPDX-License-Identifier: MIT
/* The header of a scenario, which is its entry in the registry, and the line of its CPUs. */
#include <string.h>

#include "scenario/parse.h"

enum key {
	KEY_ID,
	KEY_TITLE,
	KEY_CLASS,
	KEY_FIX,
	KEY_FIXED,
	KEY_MANUAL,
	KEY_MODES,
	KEY_NEEDS,
	KEY_VM,
	KEY_DANGER,
	KEY_SEEN,
	KEY_ABOUT,
	KEY_CAUSE,
	KEY_CPUS,
	KEYS
};

static const char *const key_names[] = {
	[KEY_ID] = "id",       [KEY_TITLE] = "title", [KEY_CLASS] = "class",
	[KEY_FIX] = "fix",     [KEY_FIXED] = "fixed", [KEY_MANUAL] = "manual",
	[KEY_MODES] = "modes", [KEY_NEEDS] = "needs", [KEY_DANGER] = "danger",
	[KEY_SEEN] = "seen",   [KEY_ABOUT] = "about", [KEY_CAUSE] = "cause",
	[KEY_CPUS] = "cpus",   [KEY_VM] = "vm",
};

static const char *const class_names[] = {
	[CLASS_BUG] = "bug", [CLASS_ERRATUM] = "erratum", [CLASS_GUARD] = "guard"};

static const char *const mode_names[] = {[IRQCHIP_SPLIT] = "split",
					 [IRQCHIP_KERNEL] = "kernel",
					 [IRQCHIP_USER] = "user",
					 [IRQCHIP_NONE] = "none"};

static const char *const vendor_names[] = {"intel", "amd"};

static const char *const need_names[] = {[NEED_CAP] = "cap",
					 [NEED_CPUID] = "cpuid.",
					 [NEED_VENDOR] = "vendor",
					 [NEED_APICV] = "apicv",
					 [NEED_MSR] = "msr"};

#define PICK(p, names, expected) pick(p, names, sizeof(names) / sizeof((names)[0]), expected)

/* Which of the words is next; it is not passed. -1: none of them. */
static int pick(struct parser *p, const char *const *names, size_t count, const char *expected)
{
	struct guess g = {.word = &p->tok};

	for (size_t i = 0; i < count; i++) {
		if (token_is(&p->tok, names[i]))
			return (int)i;
		guess_name(&g, names[i]);
	}
	return parse_unknown(p, &g, expected);
}

/* --- texts, which are not made of tokens */

static void skip_blanks(const struct parser *p, const char **at)
{
	while (*at < p->line_end && (**at == ' ' || **at == '\t'))
		++*at;
}

/* What stands behind the key, to the end of the line: a # is a character of it, as in "#GP". */
static int parse_text(struct parser *p, const char **text)
{
	const char *at = p->tok.at + p->tok.len, *end = p->line_end;

	skip_blanks(p, &at);
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (at == end) {
		const struct token t = parse_token(p, TOKEN_END, at, 0);

		return parse_expected(p, &t, "a text");
	}
	for (const char *c = at; c < end; c++)
		if (*c & 0x80) {
			const struct token t = parse_token(p, TOKEN_BAD, c, 1);

			return parse_expected(p, &t, "ASCII text");
		}
	*text = parse_keep(p, at, (size_t)(end - at));
	return 0;
}

static bool is_id(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-_.", c));
}

/* A file NAME.scn has the id NAME. */
static int check_id(struct parser *p, const struct token *t)
{
	const char *slash = strrchr(p->s->path, '/'), *name = slash ? slash + 1 : p->s->path;
	size_t len = strlen(name);

	if (len < 4 || strcmp(name + len - 4, ".scn") != 0 || name_is(p->s->id, name, len - 4))
		return 0;
	return parse_expected(p, t, "the file's name without .scn");
}

static int parse_id(struct parser *p)
{
	const char *at = p->tok.at + p->tok.len;
	size_t len = 0;
	struct token id;

	skip_blanks(p, &at);
	while (at + len < p->line_end && is_id(at[len]))
		len++;
	if (!len) {
		parse_advance(p);
		return parse_expected(p, &p->tok, "an id of letters, digits, '-', '_' and '.'");
	}
	id = p->tok = parse_token(p, TOKEN_WORD, at, len);
	p->s->id = parse_keep(p, at, len);
	parse_advance(p);
	if (p->tok.kind != TOKEN_END)
		return parse_expected(p, &p->tok, "one word of letters, digits, '-', '_' and '.'");
	return check_id(p, &id);
}

/* --- needs */

static int need_cap(struct parser *p, struct need *n)
{
	struct guess g = {.word = &p->tok};

	if (p->tok.kind == TOKEN_WORD && cap_find(p->tok.at, p->tok.len, &n->a))
		return 0;
	guess_table(&g, cap_name_at);
	return parse_unknown(p, &g, "a capability's name");
}

static int need_vendor(struct parser *p, struct need *n)
{
	int vendor = PICK(p, vendor_names, "'intel' or 'amd'");

	n->a = (uint32_t)vendor;
	return vendor < 0 ? -1 : 0;
}

static const char *msr_name_at(size_t i)
{
	const struct object *o = object_at(i);

	if (!o)
		return NULL;
	return strncmp(o->name, "msr.", 4) == 0 ? o->name + 4 : "";
}

static int need_msr(struct parser *p, struct need *n)
{
	struct guess g = {.word = &p->tok};
	const char *name;

	if (p->tok.kind == TOKEN_NUMBER && p->tok.number <= UINT32_MAX) {
		n->a = (uint32_t)p->tok.number;
		return 0;
	}
	for (size_t i = 0; p->tok.kind == TOKEN_WORD && (name = msr_name_at(i)); i++)
		if (*name && name_is(name, p->tok.at, p->tok.len)) {
			n->a = object_at(i)->arg;
			return 0;
		}
	guess_table(&g, msr_name_at);
	return parse_unknown(p, &g, "an MSR's name, or its number of 32 bits");
}

/* "cpuid.x2apic" is one word; `t` is what stands behind the dot. */
static int need_cpuid_bit(struct parser *p, struct need *n)
{
	const struct token t = parse_token(p, TOKEN_WORD, p->tok.at + strlen("cpuid."),
					   p->tok.len - strlen("cpuid."));
	struct guess g = {.word = &t};

	for (n->a = 0; n->a < need_cpuid_count; n->a++)
		if (name_is(need_cpuid[n->a].name, t.at, t.len))
			return 0;
	guess_table(&g, cpuid_name_at);
	return parse_unknown(p, &g, "the name of a CPUID bit");
}

/* All of it but its last word, which is checked, is passed. */
static int need_kind(struct parser *p, struct need *n)
{
	int kind;

	n->kind = NEED_CPUID;
	if (p->tok.kind == TOKEN_WORD && p->tok.len >= 6 && memcmp(p->tok.at, "cpuid.", 6) == 0)
		return need_cpuid_bit(p, n);
	kind = PICK(p, need_names, "cap, cpuid.BIT, vendor, apicv or msr");
	if (kind < 0)
		return -1;
	n->kind = (enum need_kind)kind;
	if (n->kind == NEED_APICV)
		return 0;
	parse_advance(p);
	if (n->kind == NEED_CAP)
		return need_cap(p, n);
	return n->kind == NEED_VENDOR ? need_vendor(p, n) : need_msr(p, n);
}

static int parse_need(struct parser *p)
{
	struct need *n = &p->s->needs[p->s->nneeds];
	const char *start;

	if (p->s->nneeds == SCENARIO_NEEDS)
		return parse_expected(p, &p->tok, "at most %u needs", SCENARIO_NEEDS);
	parse_advance(p);
	start = p->tok.at;
	if (need_kind(p, n) < 0)
		return -1;
	parse_advance(p);
	n->off = n->kind == NEED_APICV && token_is(&p->tok, "off");
	if (n->off)
		parse_advance(p);
	n->text = parse_keep(p, start, (size_t)(p->behind - start));
	p->s->nneeds++;
	return parse_end_of_line(p, "the end of the line");
}

/* --- the other keys */

static int parse_class(struct parser *p)
{
	int class;

	parse_advance(p);
	class = PICK(p, class_names, "bug, erratum or guard");
	if (class < 0)
		return -1;
	p->s->class = (enum scenario_class) class;
	parse_advance(p);
	return parse_end_of_line(p, "the end of the line");
}

static int parse_modes(struct parser *p)
{
	p->s->modes = 0;
	parse_advance(p);
	do {
		int mode = PICK(p, mode_names, "kernel, split, user or none");

		if (mode < 0)
			return -1;
		if (p->s->modes & 1u << mode)
			return parse_expected(p, &p->tok, "each mode once");
		p->s->modes |= 1u << mode;
		parse_advance(p);
	} while (p->tok.kind != TOKEN_END);
	return 0;
}

static int parse_prose(struct parser *p, struct prose *prose)
{
	if (prose->n == SCENARIO_PROSE)
		return parse_expected(p, &p->tok, "at most %u such lines", SCENARIO_PROSE);
	return parse_text(p, &prose->lines[prose->n++]);
}

static int parse_vm(struct parser *p)
{
	struct guess g;

	parse_advance(p);
	g = (struct guess){.word = &p->tok};
	for (const struct vm_type *t = vm_types; t->name && !p->s->vm; t++) {
		guess_name(&g, t->name);
		if (token_is(&p->tok, t->name))
			p->s->vm = t;
	}
	if (!p->s->vm)
		return parse_unknown(p, &g, "sw_protected or tdx");
	parse_advance(p);
	return parse_end_of_line(p, "the end of the line");
}

static int parse_danger(struct parser *p)
{
	p->s->danger = true;
	parse_advance(p);
	return parse_end_of_line(p, "the end of the line");
}

static int parse_new_cpu(struct parser *p)
{
	struct scenario *s = p->s;
	const struct token t = p->tok;

	if (t.kind != TOKEN_NUMBER || t.number > UINT32_MAX)
		return parse_expected(p, &t, "the ID of a CPU, a number of 32 bits");
	for (unsigned i = 0; i < s->ncpus; i++)
		if (s->cpus[i] == t.number)
			return parse_expected(p, &t, "each ID once");
	if (s->ncpus == SCENARIO_CPUS)
		return parse_expected(p, &t, "at most %u CPUs", SCENARIO_CPUS);
	parse_advance(p);
	if (token_is(&p->tok, "*") && p->tok.at == p->behind) {
		s->late[s->ncpus] = true;
		parse_advance(p);
	}
	p->cpu_at[s->ncpus] = t;
	s->cpus[s->ncpus++] = (uint32_t)t.number;
	return 0;
}

/* The header ends here: what it must have is known now. */
static int parse_cpus(struct parser *p)
{
	static const enum key required[] = {KEY_ID, KEY_TITLE, KEY_CLASS, KEY_MANUAL};

	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
		if (!p->header_seen[required[i]])
			return parse_expected(p, &p->tok, "'%s' ahead of the CPUs",
					      key_names[required[i]]);
	if (p->s->vm && p->s->modes & 1u << IRQCHIP_USER)
		return parse_expected(p, &p->tok, "no mode user with 'vm' ahead of the CPUs");
	parse_advance(p);
	do
		if (parse_new_cpu(p) < 0)
			return -1;
	while (p->tok.kind != TOKEN_END);
	return 0;
}

static bool is_repeatable(enum key key)
{
	return key == KEY_NEEDS || key == KEY_ABOUT || key == KEY_CAUSE;
}

static int parse_key(struct parser *p, enum key key)
{
	switch (key) {
	case KEY_ID:
		return parse_id(p);
	case KEY_TITLE:
		return parse_text(p, &p->s->title);
	case KEY_FIX:
		return parse_text(p, &p->s->fix);
	case KEY_FIXED:
		return parse_text(p, &p->s->fixed_in);
	case KEY_MANUAL:
		return parse_text(p, &p->s->manual);
	case KEY_SEEN:
		return parse_text(p, &p->s->seen);
	case KEY_CLASS:
		return parse_class(p);
	case KEY_MODES:
		return parse_modes(p);
	case KEY_NEEDS:
		return parse_need(p);
	case KEY_ABOUT:
		return parse_prose(p, &p->s->about);
	case KEY_CAUSE:
		return parse_prose(p, &p->s->cause);
	case KEY_VM:
		return parse_vm(p);
	case KEY_DANGER:
		return parse_danger(p);
	default:
		return parse_cpus(p);
	}
}

int parse_header(struct parser *p)
{
	int r, key;

	p->s->modes = 1u << IRQCHIP_KERNEL | 1u << IRQCHIP_SPLIT;
	do {
		r = parse_line(p);
		if (r < 0)
			return -1;
		if (r == 0)
			return parse_expected(p, &p->tok, "'cpus'");
		key = PICK(p, key_names, "a key of the header, or 'cpus'");
		if (key < 0)
			return -1;
		if (p->header_seen[key] && !is_repeatable((enum key)key))
			return parse_expected(p, &p->tok, "'%s' only once", key_names[key]);
		p->header_seen[key] = true;
		if (parse_key(p, (enum key)key) < 0)
			return -1;
	} while (key != KEY_CPUS);
	return 0;
}

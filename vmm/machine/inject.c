// SPDX-License-Identifier: MIT
/* --inject: what becomes of an event on its way. The rules' grammar stands in inject.h. */
#include <string.h>

#include "machine/internal.h"
#include "util/clock.h"

static bool matches(const struct inject_rule *r, const struct inject_event *e)
{
	return r->kind == e->kind && (r->from == INJECT_ANY || r->from == e->from) &&
	       (r->to == INJECT_ANY || r->to == e->to->apic_id) &&
	       (r->vector < 0 || r->vector == e->vector);
}

static void arm(struct inject *j)
{
	uint64_t first = UINT64_MAX;

	for (unsigned i = 0; i < j->nlater; i++)
		if (j->later[i].at_ns < first)
			first = j->later[i].at_ns;
	if (first == UINT64_MAX)
		timer_disarm(&j->timer);
	else
		timer_arm(&j->timer, first);
}

static bool later(struct machine *m, const struct inject_event *e, uint64_t by_ns)
{
	struct inject *j = &m->inject;

	if (j->nlater == INJECT_HELD) {
		j->overflow++;
		return user_accept(m, e);
	}
	j->later[j->nlater].event = *e;
	j->later[j->nlater++].at_ns = clock_now_ns() + by_ns;
	arm(j);
	return true;
}

static void on_timer(void *ctx)
{
	struct machine *m = ctx;
	struct inject *j = &m->inject;
	uint64_t now = clock_now_ns();

	for (unsigned i = 0; i < j->nlater;) {
		struct inject_event e = j->later[i].event;

		if (j->later[i].at_ns > now) {
			i++;
			continue;
		}
		/* Order among those that are due stays: delivered first to last. */
		memmove(&j->later[i], &j->later[i + 1], (--j->nlater - i) * sizeof(j->later[0]));
		user_accept(m, &e);
	}
	arm(j);
}

static bool apply(struct machine *m, struct inject_rule *r, const struct inject_event *e)
{
	bool accepted;

	r->done++;
	trace(m, (int)e->to->index, "inject: %s", r->text);
	switch (r->action) {
	case INJECT_DROP:
		return true;
	case INJECT_DELAY:
		return later(m, e, r->by_ns);
	case INJECT_DUPLICATE:
		accepted = user_accept(m, e);
		later(m, e, r->by_ns);
		return accepted;
	default:
		r->held = *e;
		r->holding = true;
		return true;
	}
}

bool inject_pass(struct machine *m, const struct inject_event *e)
{
	bool accepted;

	for (unsigned i = 0; i < m->inject.nrules; i++) {
		struct inject_rule *r = &m->inject.rules[i];

		if (!matches(r, e))
			continue;
		r->matched++;
		if (r->holding) {
			r->holding = false;
			accepted = user_accept(m, e);
			user_accept(m, &r->held);
			return accepted;
		}
		if (r->all || r->matched == r->nth)
			return apply(m, r, e);
	}
	return user_accept(m, e);
}

int inject_open(struct machine *m, struct error *err)
{
	struct inject *j = &m->inject;

	if (m->cfg.ninject > INJECT_RULES)
		return error_set(err, EXIT_SETUP, "--inject: more than %d rules", INJECT_RULES);
	for (unsigned i = 0; i < m->cfg.ninject; i++)
		if (inject_parse(&j->rules[j->nrules++], m->cfg.inject[i], err) < 0)
			return -1;
	return j->nrules ? timer_open(&j->timer, m->loop, on_timer, m, err) : 0;
}

void inject_close(struct machine *m)
{
	if (m->inject.timer.loop)
		timer_close(&m->inject.timer);
}

void inject_reset(struct machine *m)
{
	m->inject.nlater = 0;
	for (unsigned i = 0; i < m->inject.nrules; i++)
		m->inject.rules[i].holding = false;
}

void inject_report(const struct machine *m, FILE *f)
{
	static const char *const done[] = {"dropped", "delayed", "duplicated", "reordered"};

	for (unsigned i = 0; i < m->inject.nrules; i++) {
		const struct inject_rule *r = &m->inject.rules[i];

		fprintf(f, "sipi: inject '%s': %llu %s, of %llu that matched%s\n", r->text,
			(unsigned long long)r->done, done[r->action],
			(unsigned long long)r->matched,
			r->holding ? "; one still waits for a successor" : "");
	}
	if (m->inject.overflow)
		fprintf(f, "sipi: inject: %llu found no room to wait and were not delayed\n",
			(unsigned long long)m->inject.overflow);
}

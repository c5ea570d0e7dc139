// SPDX-License-Identifier: MIT
/* Interrupts from outside of the CPUs: messages, lines, routes and what is attached to them. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "scenario/runner.h"

#define APIC_MSI_BASE 0xfee00000u
#define GSIS	      4096 /* KVM_MAX_IRQ_ROUTES of x86 */

static int message(struct runner *r, const struct step *st, struct kvm_msi *msi)
{
	static const uint64_t ends[MSI_FIELDS] = {
		[MSI_DEST] = 1ull << 32, [MSI_VECTOR] = 256, [MSI_MODE] = 8,
		[MSI_LOGICAL] = 2,	 [MSI_RH] = 2,	     [MSI_LEVEL] = 2,
		[MSI_TRIGGER] = 2,
	};
	uint64_t f[MSI_FIELDS];
	int ret = 0;

	for (unsigned i = 0; i < MSI_FIELDS && ret == 0; i++)
		ret = run_arg_below(r, st, i, ends[i], &f[i]);
	if (ret < 0)
		return ret;
	/* SDM vol. 3A, "Message Signalled Interrupts"; bits 31:8 of the ID: api.rst, KVM_SIGNAL_MSI. */
	*msi = (struct kvm_msi){
		.address_lo = (uint32_t)(APIC_MSI_BASE | (f[MSI_DEST] & 0xff) << 12 |
					 f[MSI_RH] << 3 | f[MSI_LOGICAL] << 2),
		.address_hi = (uint32_t)(f[MSI_DEST] & 0xffffff00),
		.data = (uint32_t)(f[MSI_VECTOR] | f[MSI_MODE] << 8 | f[MSI_LEVEL] << 14 |
				   f[MSI_TRIGGER] << 15),
	};
	return 0;
}

static int send(struct runner *r, const struct kvm_msi *msi)
{
	int ret = r->run->t->ops->signal_msi(r->run->t, msi);

	if (ret >= 0)
		r->accepted = (uint64_t)ret;
	return ret;
}

static int do_msi(struct runner *r, const struct step *st)
{
	struct kvm_msi msi;
	int ret = message(r, st, &msi);

	return ret < 0 ? ret : send(r, &msi);
}

/* --- routes; under run.lock */

static struct route *find(struct run *run, uint32_t gsi)
{
	for (unsigned i = 0; i < run->nroutes; i++)
		if (run->routes[i].gsi == gsi)
			return &run->routes[i];
	return NULL;
}

/* KVM takes the whole table at a time. Our own chips need none: a message is sent when it is due. */
static int set_routes(struct run *run)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[SCENARIO_ROUTES];
	} table = {0};

	if (run->t->mode == IRQCHIP_USER)
		return 0;
	for (unsigned i = 0; i < run->nroutes; i++) {
		const struct route *route = &run->routes[i];
		struct kvm_irq_routing_entry *e = &table.entries[table.head.nr];

		if (route->pin)
			continue;
		table.head.nr++;
		e->gsi = route->gsi;
		e->type = KVM_IRQ_ROUTING_MSI;
		e->u.msi.address_lo = route->msi.address_lo;
		e->u.msi.address_hi = route->msi.address_hi;
		e->u.msi.data = route->msi.data;
	}
	return kvm_vm_set_routes(run->t->vm, &table.head);
}

static struct route *add(struct run *run, uint32_t gsi)
{
	struct route *route = &run->routes[run->nroutes];

	if (run->nroutes == SCENARIO_ROUTES)
		return NULL;
	run->nroutes++;
	*route = (struct route){.gsi = gsi, .eventfd = -1, .resamplefd = -1};
	return route;
}

/* What KVM refuses changes nothing: else it would stand in each table from then on. */
static int put_route(struct run *run, uint32_t gsi, const struct kvm_msi *msi)
{
	struct route *route = find(run, gsi), before;
	unsigned n = run->nroutes;
	int ret;

	if (run->t->mode == IRQCHIP_USER && gsi >= GSIS)
		return -EINVAL;
	if (!route && n == SCENARIO_ROUTES)
		return -ENOSPC;
	if (!route)
		route = add(run, gsi);
	before = *route;
	route->msi = *msi;
	route->pin = false;
	ret = set_routes(run);
	if (ret < 0) {
		*route = before;
		run->nroutes = n;
	}
	return ret;
}

static int do_route(struct runner *r, const struct step *st, uint32_t gsi)
{
	struct kvm_msi msi;
	int ret = message(r, st, &msi);

	if (ret < 0)
		return ret;
	pthread_mutex_lock(&r->run->lock);
	ret = put_route(r->run, gsi, &msi);
	pthread_mutex_unlock(&r->run->lock);
	return ret;
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/*
 * resample: of the line of a pin of KVM's own chips, up by `signal`, and down with the EOI, when KVM writes the second
 * eventfd.
 */
static int attach(struct run *run, struct route *route, bool resample)
{
	int fd = new_eventfd(), second = resample ? new_eventfd() : -1;
	int ret = fd < 0 ? fd : resample && second < 0 ? second : 0;

	if (ret == 0 && (resample || run->t->mode != IRQCHIP_USER))
		ret = kvm_vm_irqfd(run->t->vm, fd, second, route->gsi);
	if (ret >= 0) {
		route->eventfd = fd;
		route->resamplefd = second;
		return ret;
	}
	if (fd >= 0)
		close(fd);
	if (second >= 0)
		close(second);
	return ret;
}

static int do_irqfd(struct runner *r, const struct step *st, uint32_t gsi)
{
	struct run *run = r->run;
	struct route *route;
	int ret = -ENOENT;

	pthread_mutex_lock(&run->lock);
	route = find(run, gsi);
	if (!route && st->resample && run->t->mode == IRQCHIP_KERNEL && (route = add(run, gsi)))
		route->pin = true;
	if (route)
		ret = route->eventfd >= 0 ? -EBUSY : attach(run, route, st->resample);
	pthread_mutex_unlock(&run->lock);
	return ret;
}

/* A copy; false: there is none. */
static bool look_up(struct run *run, uint32_t gsi, struct route *copy)
{
	const struct route *route;

	pthread_mutex_lock(&run->lock);
	route = find(run, gsi);
	if (route)
		*copy = *route;
	pthread_mutex_unlock(&run->lock);
	return route;
}

static int do_signal(struct runner *r, uint32_t gsi)
{
	struct route route;

	if (!look_up(r->run, gsi, &route) || route.eventfd < 0)
		return -ENOENT;
	if (r->run->t->mode == IRQCHIP_USER) {
		int ret = r->run->t->ops->signal_msi(r->run->t, &route.msi);

		return ret < 0 ? ret : 0;
	}
	return eventfd_write(route.eventfd, 1) < 0 ? -errno : 0;
}

/*
 * In mode user as kvm_set_irq() has it: with the first route the chips' pins are GSIs no more; each level of 1 is a
 * message, and nobody hears whether any APIC took it.
 */
static int line_of_ours(struct runner *r, uint32_t gsi, unsigned level)
{
	struct target *t = r->run->t;
	struct route route;
	bool any;

	pthread_mutex_lock(&r->run->lock);
	any = r->run->nroutes;
	pthread_mutex_unlock(&r->run->lock);
	if (!any)
		return t->ops->irq_line(t, gsi, level);
	if (level && look_up(r->run, gsi, &route))
		t->ops->signal_msi(t, &route.msi);
	return 0;
}

static int do_irq_line(struct runner *r, const struct step *st, uint32_t gsi)
{
	uint64_t level;
	int ret = run_arg_below(r, st, 1, 2, &level);

	if (ret < 0)
		return ret;
	if (r->run->t->mode == IRQCHIP_USER)
		return line_of_ours(r, gsi, (unsigned)level);
	ret = r->run->t->ops->irq_line(r->run->t, gsi, (unsigned)level);
	if (ret >= 0)
		r->accepted = (uint64_t)ret;
	return ret;
}

void run_close_routes(struct run *run)
{
	for (unsigned i = 0; i < run->nroutes; i++) {
		if (run->routes[i].eventfd >= 0)
			close(run->routes[i].eventfd);
		if (run->routes[i].resamplefd >= 0)
			close(run->routes[i].resamplefd);
	}
}

int run_irq(struct runner *r, const struct step *st)
{
	uint64_t gsi;
	int ret;

	if (st->kind == STEP_MSI)
		return do_msi(r, st);
	ret = run_arg_below(r, st, st->kind == STEP_ROUTE ? ROUTE_GSI : 0, 1ull << 32, &gsi);
	if (ret < 0)
		return ret;
	switch (st->kind) {
	case STEP_ROUTE:
		return do_route(r, st, (uint32_t)gsi);
	case STEP_IRQFD:
		return do_irqfd(r, st, (uint32_t)gsi);
	case STEP_SIGNAL:
		return do_signal(r, (uint32_t)gsi);
	default:
		return do_irq_line(r, st, (uint32_t)gsi);
	}
}

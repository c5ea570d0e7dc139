// SPDX-License-Identifier: MIT
/* Interrupts from outside of the CPUs as C: messages, lines, routes and what is attached to them, as in run_irq.c. */
#include "scenario/emit_c_parts.h"

/* clang-format off */

const struct helper_text emit_irqs[HELPERS] = {
	[HELPER_MESSAGE] = {
"struct msi {\n"
"	uint32_t dest, vector, mode, logical, rh, level, trigger;\n"
"};\n"
"\n"
"static struct kvm_msi message(struct msi m)\n"
"{\n"
"	return (struct kvm_msi){\n"
"		.address_lo = 0xfee00000 | (m.dest & 0xff) << 12 | m.rh << 3 | m.logical << 2,\n"
"		.address_hi = m.dest & 0xffffff00,\n"
"		.data = m.vector | m.mode << 8 | m.level << 14 | m.trigger << 15,\n"
"	};\n"
"}\n", {0}},
	[HELPER_MSI] = {
"static int signal_msi(struct msi m)\n"
"{\n"
"	struct kvm_msi msi = message(m);\n"
"	int ret = ioctl(vm, KVM_SIGNAL_MSI, &msi);\n"
"\n"
"	if (ret < 0 && errno == EPERM)\n"
"		ret = 0; /* no APIC is meant: KVM's -1 */\n"
"	if (ret >= 0)\n"
"		accepted = ret;\n"
"	return ret;\n"
"}\n", {HELPER_ACCEPTED, HELPER_MESSAGE}},
	[HELPER_ROUTE] = {
"#define ROUTES 64\n"
"\n"
"static struct {\n"
"	struct kvm_irq_routing head;\n"
"	struct kvm_irq_routing_entry entries[ROUTES];\n"
"} routes;\n"
"|static pthread_mutex_t routes_lock = PTHREAD_MUTEX_INITIALIZER;\n"
"\n"
"/* The GSI's place in the table, or its end. */\n"
"static unsigned find_route(uint32_t gsi)\n"
"{\n"
"	unsigned i = 0;\n"
"\n"
"	while (i < routes.head.nr && routes.entries[i].gsi != gsi)\n"
"		i++;\n"
"	return i;\n"
"}\n"
"\n"
"/* KVM takes the whole table at a time; what it refuses changes nothing. */\n"
"static int route(uint32_t gsi, struct msi m)\n"
"{\n"
"	struct kvm_msi msi = message(m);\n"
"	int ret = -1;\n"
"	unsigned i;\n"
"\n"
"|	pthread_mutex_lock(&routes_lock);\n"
"	errno = ENOSPC;\n"
"	i = find_route(gsi);\n"
"	if (i < ROUTES) {\n"
"		const struct kvm_irq_routing_entry before = routes.entries[i];\n"
"		const unsigned n = routes.head.nr;\n"
"\n"
"		routes.entries[i].gsi = gsi;\n"
"		routes.entries[i].type = KVM_IRQ_ROUTING_MSI;\n"
"		routes.entries[i].u.msi.address_lo = msi.address_lo;\n"
"		routes.entries[i].u.msi.address_hi = msi.address_hi;\n"
"		routes.entries[i].u.msi.data = msi.data;\n"
"		routes.head.nr += i == routes.head.nr;\n"
"		ret = ioctl(vm, KVM_SET_GSI_ROUTING, &routes);\n"
"		if (ret < 0) {\n"
"			routes.entries[i] = before;\n"
"			routes.head.nr = n;\n"
"		}\n"
"	}\n"
"|	pthread_mutex_unlock(&routes_lock);\n"
"	return ret;\n"
"}\n", {HELPER_MESSAGE}},
	[HELPER_IRQFD] = {
"static int eventfds[ROUTES]; /* what triggers a route; 0: nothing */\n"
"\n"
"static int attach_eventfd(uint32_t gsi)\n"
"{\n"
"	struct kvm_irqfd irqfd = {.gsi = gsi};\n"
"	int ret = -1;\n"
"	unsigned i;\n"
"\n"
"|	pthread_mutex_lock(&routes_lock);\n"
"	i = find_route(gsi);\n"
"	errno = i == routes.head.nr ? ENOENT : EBUSY;\n"
"	if (i < routes.head.nr && !eventfds[i]) {\n"
"		irqfd.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);\n"
"		ret = ioctl(vm, KVM_IRQFD, &irqfd);\n"
"		if (ret == 0)\n"
"			eventfds[i] = irqfd.fd;\n"
"		else\n"
"			close(irqfd.fd);\n"
"	}\n"
"|	pthread_mutex_unlock(&routes_lock);\n"
"	return ret;\n"
"}\n", {HELPER_ROUTE}},
	[HELPER_SIGNAL] = {
"static int signal_gsi(uint32_t gsi)\n"
"{\n"
"	int fd = 0;\n"
"	unsigned i;\n"
"\n"
"|	pthread_mutex_lock(&routes_lock);\n"
"	i = find_route(gsi);\n"
"	if (i < routes.head.nr)\n"
"		fd = eventfds[i];\n"
"|	pthread_mutex_unlock(&routes_lock);\n"
"	errno = ENOENT;\n"
"	return fd ? eventfd_write(fd, 1) : -1;\n"
"}\n", {HELPER_IRQFD}},
	[HELPER_IRQ_LINE] = {
"static int irq_line(uint32_t gsi, uint32_t level)\n"
"{\n"
"	struct kvm_irq_level line = {.irq = gsi, .level = level};\n"
"	int ret = ioctl(vm, KVM_IRQ_LINE_STATUS, &line);\n"
"\n"
"	if (ret == 0)\n"
"		accepted = line.status > 0 ? line.status : 0;\n"
"	return ret;\n"
"}\n", {HELPER_ACCEPTED}},
};

/* clang-format on */

/* How many bits each argument has; the last one is a route's alone. */
static const unsigned message_bits[STEP_ARGS] = {
	[MSI_DEST] = 32, [MSI_VECTOR] = 8, [MSI_MODE] = 3,    [MSI_LOGICAL] = 1,
	[MSI_RH] = 1,	 [MSI_LEVEL] = 1,  [MSI_TRIGGER] = 1, [ROUTE_GSI] = 32,
};

static void put_message(struct emitter *e)
{
	fputs("(struct msi){", e->now->f);
	emit_fields(e, field_names, MSI_FIELDS, message_bits);
	fputc('}', e->now->f);
}

static void msi(struct emitter *e)
{
	emit_use(e, HELPER_MSI);
	emit_begin(e, MSI_FIELDS, message_bits);
	fputs("signal_msi(", e->now->f);
	put_message(e);
	emit_end(e);
}

static void route(struct emitter *e, const struct step *st)
{
	emit_use(e, HELPER_ROUTE);
	emit_begin(e, ROUTE_GSI + 1, message_bits);
	fputs("route(", e->now->f);
	emit_count(e, &st->args[ROUTE_GSI], 32);
	fputs(", ", e->now->f);
	put_message(e);
	emit_end(e);
}

static void irq_line(struct emitter *e, const struct step *st)
{
	emit_use(e, HELPER_IRQ_LINE);
	emit_begin(e, 2, (const unsigned[]){32, 1});
	fputs("irq_line(", e->now->f);
	emit_argument(e, &st->args[0], 32);
	fputs(", ", e->now->f);
	emit_argument(e, &st->args[1], 1);
	emit_end(e);
}

static void of_gsi(struct emitter *e, const struct step *st, enum helper h, const char *name)
{
	emit_use(e, h);
	emit_begin_one(e, 32);
	fprintf(e->now->f, "%s(", name);
	emit_count(e, &st->args[0], 32);
	emit_end(e);
}

void emit_irq_step(struct emitter *e, const struct step *st)
{
	switch (st->kind) {
	case STEP_MSI:
		msi(e);
		break;
	case STEP_ROUTE:
		route(e, st);
		break;
	case STEP_IRQFD:
		if (st->resample)
			emit_refuse(e, "no such step there");
		else
			of_gsi(e, st, HELPER_IRQFD, "attach_eventfd");
		break;
	case STEP_SIGNAL:
		of_gsi(e, st, HELPER_SIGNAL, "signal_gsi");
		break;
	default:
		irq_line(e, st);
		break;
	}
}

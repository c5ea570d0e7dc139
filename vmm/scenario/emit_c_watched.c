// SPDX-License-Identifier: MIT
/* What a scenario looks at from outside, as C: KVM's statistics, and how often its tracepoints are passed. See watched.c. */
#include "scenario/emit_c_parts.h"

/* clang-format off */

const struct helper_text emit_watches[HELPERS] = {
	[HELPER_FIND_STAT] = {
"/* The file describes itself: Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD. */\n"
"static int find_stat(int fd, const char *name, uint64_t *value)\n"
"{\n"
"	char file[65536] __attribute__((aligned(8)));\n"
"	const struct kvm_stats_header *h = (void *)file;\n"
"	const char *at = file;\n"
"	int stats = ioctl(fd, KVM_GET_STATS_FD, NULL);\n"
"\n"
"	if (stats < 0 || read(stats, file, sizeof(file)) < (ssize_t)sizeof(*h))\n"
"		return -1;\n"
"	close(stats);\n"
"	at += h->desc_offset;\n"
"	for (uint32_t i = 0; i < h->num_desc; i++) {\n"
"		const struct kvm_stats_desc *d = (void *)at;\n"
"\n"
"		at += sizeof(*d) + h->name_size;\n"
"		if (strcmp(d->name, name) == 0) {\n"
"			memcpy(value, file + h->data_offset + d->offset, sizeof(*value));\n"
"			return 0;\n"
"		}\n"
"	}\n"
"	errno = ENOENT;\n"
"	return -1;\n"
"}\n", {0}},
	[HELPER_NEED_STAT] = {
"/* Which there are is seen of a VM or a vCPU alone, so of one that is made for it. */\n"
"static void need_stat(const char *need)\n"
"{\n"
"	int a_vm = ioctl(kvm, KVM_CREATE_VM, 0);\n"
"	int vcpu = ioctl(a_vm, KVM_CREATE_VCPU, 0);\n"
"	int fd = strncmp(need, \"vm.\", 3) == 0 ? a_vm : vcpu;\n"
"	uint64_t value;\n"
"\n"
"	if (vcpu < 0 || find_stat(fd, strrchr(need, '.') + 1, &value) < 0)\n"
"		skip(\"needs `%s`: %s\", need, strerror(errno));\n"
"	close(vcpu);\n"
"	close(a_vm);\n"
"}\n", {HELPER_FIND_STAT}},
	[HELPER_GET_STAT] = {
"static uint64_t get_stat(int fd, const char *name)\n"
"{\n"
"	uint64_t value = 0;\n"
"\n"
"	must(find_stat(fd, name, &value));\n"
"	return value;\n"
"}\n", {HELPER_FIND_STAT}},
	[HELPER_TRACE] = {
"static struct {\n"
"	const char *event, *filter;\n"
"	int fd;\n"
"} traces[TRACES];\n"
"\n"
"/* Counts how often this process and its threads pass the tracepoint, with this value in that field, from now on. */\n"
"static void open_trace(const char *event, const char *filter)\n"
"{\n"
"	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .inherit = 1};\n"
"	static unsigned n;\n"
"	char path[128], id[16] = \"\";\n"
"	int fd = -1;\n"
"\n"
"	for (unsigned i = 0; fd < 0 && i < 2; i++) {\n"
"		snprintf(path, sizeof(path), \"/sys/kernel/%stracing/events/kvm/%s/id\", i ? \"debug/\" : \"\", event);\n"
"		fd = open(path, O_RDONLY | O_CLOEXEC);\n"
"	}\n"
"	if (fd < 0 || read(fd, id, sizeof(id) - 1) <= 0)\n"
"		skip(\"needs `trace.%s`: %s: %s\", event, path, strerror(errno));\n"
"	close(fd);\n"
"	attr.config = atoi(id);\n"
"	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);\n"
"	if (fd < 0)\n"
"		skip(\"needs perf_event_open(), for `trace.%s`: %s\", event, strerror(errno));\n"
"	if (*filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter) < 0)\n"
"		skip(\"needs `trace.%s`, %s: it has no such field of numbers\", event, filter);\n"
"	traces[n].event = event;\n"
"	traces[n].filter = filter;\n"
"	traces[n++].fd = fd;\n"
"}\n"
"\n"
"static uint64_t trace(const char *event, const char *filter)\n"
"{\n"
"	uint64_t count = 0;\n"
"	unsigned i = 0;\n"
"\n"
"	while (strcmp(traces[i].event, event) != 0 || strcmp(traces[i].filter, filter) != 0)\n"
"		i++;\n"
"	must(read(traces[i].fd, &count, sizeof(count)) == sizeof(count) ? 0 : -1);\n"
"	return count;\n"
"}\n", {0}},
};

/* Linux 5.10's headers, the oldest, do not have it. */
static const char stats_header[] =
"#ifndef KVM_GET_STATS_FD\n"
"#define KVM_GET_STATS_FD _IO(KVMIO, 0xce)\n"
"struct kvm_stats_header {\n"
"	uint32_t flags, name_size, num_desc, id_offset, desc_offset, data_offset;\n"
"};\n"
"struct kvm_stats_desc {\n"
"	uint32_t flags;\n"
"	int16_t exponent;\n"
"	uint16_t size;\n"
"	uint32_t offset, bucket_size;\n"
"	char name[];\n"
"};\n"
"#endif\n\n";

/* clang-format on */

void emit_watched_includes(const struct emitter *e, FILE *f)
{
	unsigned traces = 0;

	for (unsigned i = 0; i < e->s->nwatched; i++)
		traces += e->s->watched[i].object->kind == OBJECT_TRACE;
	if (e->helpers[HELPER_FIND_STAT])
		fputs(stats_header, f);
	if (traces)
		fprintf(f, "#define TRACES %u\n", traces);
}

/* The same order as in watched_open(): what looks for statistics makes a VM, which is not to be counted. */
void emit_watched_needs(struct emitter *e)
{
	for (unsigned i = 0; i < e->s->nwatched; i++) {
		const struct watched *w = &e->s->watched[i];

		if (w->object->kind == OBJECT_TRACE)
			continue;
		emit_use(e, HELPER_NEED_STAT);
		emit(e, "need_stat(\"%s.%s\");", w->object->name, w->name);
	}
	for (unsigned i = 0; i < e->s->nwatched; i++) {
		const struct watched *w = &e->s->watched[i];

		if (w->object->kind != OBJECT_TRACE)
			continue;
		emit_use(e, HELPER_TRACE);
		emit(e, "open_trace(\"%s\", \"%s\");", w->name, w->filter);
	}
}

static void read_watched(struct emitter *e, const struct object_ref *ref)
{
	const struct watched *w = &e->s->watched[ref->index];

	if (ref->object->kind == OBJECT_TRACE) {
		fprintf(e->now->f, "trace(\"%s\", \"%s\")", w->name, w->filter);
		return;
	}
	emit_use(e, HELPER_GET_STAT);
	fputs("get_stat(", e->now->f);
	if (ref->cpu >= 0)
		emit_cpu(e, ref->cpu);
	else
		fputs("vm", e->now->f);
	fprintf(e->now->f, ", \"%s\")", w->name);
}

void emit_watched(struct emitter *e, const struct object_ref *ref)
{
	if (!ref->whole) {
		emit_use(e, HELPER_BITS);
		fputs("bits(", e->now->f);
	}
	read_watched(e, ref);
	if (!ref->whole)
		fprintf(e->now->f, ", %u, %u)", ref->hi, ref->lo);
}

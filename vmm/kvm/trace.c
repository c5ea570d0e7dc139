// SPDX-License-Identifier: MIT
/*
 * How often KVM's tracepoints are passed. perf counts: for this process and its threads alone, without a buffer that
 * could overflow, and without anything that is left behind when the process is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm/kvm.h"

/* The event's number in tracefs (Documentation/trace/events.rst); -errno. */
static int event_id(const char *tracefs, const char *name)
{
	char path[256], text[16];
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof(path), "%s/events/kvm/%s/id", tracefs, name) >= (int)sizeof(path))
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	text[n] = '\0';
	return atoi(text);
}

/* Where tracefs is mounted; debugfs brings it along. NULL: nowhere. */
static const char *find_tracefs(void)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/events", places[i]);
		/* Who may not look into it cannot tell whether it is there. */
		if (access(path, F_OK) == 0 || errno == EACCES)
			return places[i];
	}
	return NULL;
}

/* A descriptor whose read() gives the count; -errno, -ENXIO: the event has no such field. */
static int count_event(uint64_t id, const char *filter)
{
	/* inherit: threads that are started from now on are counted, too. */
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = id,
		.inherit = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (*filter && ioctl((int)fd, PERF_EVENT_IOC_SET_FILTER, filter) < 0) {
		int error = errno == EINVAL ? ENXIO : errno;

		close((int)fd);
		return -error;
	}
	return (int)fd;
}

int kvm_trace_open(const char *name, const char *filter, int *fd, struct error *err)
{
	const char *tracefs = find_tracefs();
	int id;

	if (!tracefs)
		return error_set(err, EXIT_SKIP,
				 "needs tracefs, for tracepoint kvm:%s: it is not mounted "
				 "(mount -t tracefs none /sys/kernel/tracing)",
				 name);
	id = event_id(tracefs, name);
	if (id == -ENOENT)
		return error_set(err, EXIT_SKIP,
				 "needs tracepoint kvm:%s: this kernel has none of that name",
				 name);
	if (id < 0)
		return error_set(err, error_code_of(-id),
				 "needs to read %s, for tracepoint kvm:%s: %s", tracefs, name,
				 strerror(-id));
	*fd = count_event((uint64_t)id, filter);
	if (*fd == -ENXIO)
		return error_set(err, EXIT_SKIP,
				 "needs tracepoint kvm:%s, %s: it has no such field of numbers",
				 name, filter);
	return *fd < 0 ? error_set(err, error_code_of(-*fd),
				   "needs perf_event_open(), for tracepoint kvm:%s: %s "
				   "(see kernel.perf_event_paranoid)",
				   name, strerror(-*fd))
		       : 0;
}

int kvm_trace_read(int fd, uint64_t *count)
{
	ssize_t n = read(fd, count, sizeof(*count));

	if (n < 0)
		return -errno;
	return n == sizeof(*count) ? 0 : -EIO;
}

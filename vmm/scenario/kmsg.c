// SPDX-License-Identifier: MIT
/* /dev/kmsg: the kernel's log, a record a read (Documentation/ABI/testing/dev-kmsg). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario/runner.h"

#define RECORD_MAX    8192 /* PRINTKRB_RECORD_MAX and its text: a record is shorter, or EINVAL */
#define LEVEL_WARNING 4

int kmsg_open(struct kmsg *k)
{
	k->warnings = 0;
	k->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (k->fd < 0)
		return -errno;
	if (lseek(k->fd, 0, SEEK_END) < 0) {
		int error = errno;

		close(k->fd);
		k->fd = -1;
		return -error;
	}
	return 0;
}

/* "4,1234,567890,-;text": facility << 3 | level. Facility 0 is the kernel; a process cannot write as such. */
static bool warns(const char *record)
{
	char *end;
	unsigned long priority = strtoul(record, &end, 10);
	const char *text = strchr(record, ';');

	if (end == record || priority > LEVEL_WARNING || !text)
		return false;
	/* A WARN names its source file: others' are no news of KVM. */
	return (strstr(text, "WARNING:") && strstr(text, "kvm")) || strstr(text, "BUG:") ||
	       strstr(text, "kernel BUG at") || strstr(text, "Oops");
}

int kmsg_warnings(struct kmsg *k, uint64_t *count)
{
	char record[RECORD_MAX + 1];

	for (;;) {
		ssize_t n = read(k->fd, record, RECORD_MAX);

		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* EPIPE: what we had not read yet was overwritten; the next read has what is left */
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			break;
		record[n] = '\0';
		k->warnings += warns(record);
	}
	*count = k->warnings;
	return 0;
}

// SPDX-License-Identifier: MIT
/* KVM's statistics, which describe themselves: api.rst, "KVM_GET_STATS_FD". */
#include "kvm/kvm.h"
#include "kvm/ioctl.h"

#include <string.h>
#include <unistd.h>

#define NAME_MAX_SIZE 256 /* KVM's names have 48 bytes so far; the file says how many */

/* All of it, or -errno. */
static int read_at(int fd, void *to, size_t size, uint64_t offset)
{
	ssize_t n = pread(fd, to, size, (off_t)offset);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

/* Each descriptor is followed by its name, which has one length for all. */
static int find(int fd, const struct kvm_stats_header *h, const char *name,
		struct kvm_stats_desc *d)
{
	size_t size = sizeof(*d) + h->name_size;
	char room[sizeof(*d) + NAME_MAX_SIZE];

	if (h->name_size > NAME_MAX_SIZE)
		return -EIO;
	for (uint32_t i = 0; i < h->num_desc; i++) {
		int r = read_at(fd, room, size, h->desc_offset + i * size);

		if (r < 0)
			return r;
		if (strlen(name) < h->name_size &&
		    strncmp(room + sizeof(*d), name, h->name_size) == 0) {
			memcpy(d, room, sizeof(*d));
			return 0;
		}
	}
	return -ENOENT;
}

int kvm_stat(int fd, const char *name, uint64_t *value)
{
	int stats = kvm_ioctl(fd, KVM_GET_STATS_FD, NULL);
	struct kvm_stats_header h;
	struct kvm_stats_desc d;
	int r;

	if (stats < 0)
		return stats;
	r = read_at(stats, &h, sizeof(h), 0);
	if (r == 0)
		r = find(stats, &h, name, &d);
	if (r == 0)
		r = read_at(stats, value, sizeof(*value), (uint64_t)h.data_offset + d.offset);
	close(stats);
	return r;
}

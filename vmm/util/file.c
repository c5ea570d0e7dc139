// SPDX-License-Identifier: MIT
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, uint8_t *to, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, to + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENODATA; /* it shrank while we read */
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static int read_open(const char *path, int fd, size_t max, uint8_t **data, size_t *len,
		     struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, EXIT_SETUP, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, EXIT_SETUP, "%s: %s, not a file", path,
				 S_ISDIR(st.st_mode) ? "a directory" : "a device, socket or pipe");
	if (st.st_size == 0)
		return error_set(err, EXIT_SETUP, "%s: the file is empty", path);
	if ((uint64_t)st.st_size > max)
		return error_set(err, EXIT_SETUP,
				 "%s: %lld bytes, more than the %zu that are allowed", path,
				 (long long)st.st_size, max);
	*len = (size_t)st.st_size;
	*data = malloc(*len);
	if (!*data)
		return error_set(err, EXIT_SETUP, "%s: out of memory", path);
	if (read_all(fd, *data, *len) == 0)
		return 0;
	error_fill(err, EXIT_SETUP, "%s: %s", path, strerror(errno));
	free(*data);
	*data = NULL;
	return -1;
}

int file_read(const char *path, size_t max, uint8_t **data, size_t *len, struct error *err)
{
	/* O_NONBLOCK: a FIFO without a writer must not hang us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return error_set(err, EXIT_SETUP, "%s: %s", path, strerror(errno));
	r = read_open(path, fd, max, data, len, err);
	close(fd);
	return r;
}

int file_create(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC | O_NONBLOCK, 0666);
}

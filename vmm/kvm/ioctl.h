/* SPDX-License-Identifier: MIT */
#ifndef SIPI_KVM_IOCTL_H
#define SIPI_KVM_IOCTL_H

#include <errno.h>
#include <sys/ioctl.h>

/* ioctl with the error as a value: errno does not survive what callers do next. */
static inline int kvm_ioctl(int fd, unsigned long request, const void *arg)
{
	int r = ioctl(fd, request, arg);

	return r < 0 ? -errno : r;
}

#endif

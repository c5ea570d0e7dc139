// SPDX-License-Identifier: MIT
#include "kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KVM_DEV "/dev/kvm"
#define ADVICE                                                                                     \
	"(load kvm_intel or kvm_amd, or enable nested virtualisation; `make run NESTED=1` in "     \
	"sipi's source boots a host that has it)"

/* The name of a group. /etc/group alone: getgrgid() would load NSS modules, which a static binary has not. */
static void group_name(gid_t gid, char *buf, size_t size)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *gr;

	snprintf(buf, size, "%u", gid);
	while (f && (gr = fgetgrent(f))) {
		if (gr->gr_gid == gid) {
			snprintf(buf, size, "%s", gr->gr_name);
			break;
		}
	}
	if (f)
		fclose(f);
}

/* Who may open the device: its group where that has access, else the rule that would give access. */
static int refused(struct error *err)
{
	struct stat st;
	char group[64];

	if (stat(KVM_DEV, &st) < 0)
		return error_set(err, EXIT_SETUP, KVM_DEV ": permission denied");
	if ((st.st_mode & 0060) != 0060)
		return error_set(err, EXIT_SETUP,
				 KVM_DEV
				 ": permission denied; its mode is %04o: give your user access "
				 "(sudo setfacl -m u:$USER:rw " KVM_DEV ", or the udev rule "
				 "KERNEL==\"kvm\", GROUP=\"kvm\", MODE=\"0660\")",
				 st.st_mode & 07777);
	group_name(st.st_gid, group, sizeof(group));
	return error_set(err, EXIT_SETUP,
			 KVM_DEV
			 ": permission denied; join the group '%s' (sudo usermod -aG %s $USER, "
			 "then log in again)",
			 group, group);
}

int kvm_open(struct error *err)
{
	int fd = open(KVM_DEV, O_RDWR | O_CLOEXEC);
	int version;

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return refused(err);
	if (fd < 0)
		return error_set(err, EXIT_SKIP, KVM_DEV ": %s; this host offers no KVM " ADVICE,
				 strerror(errno));
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		close(fd);
		return error_set(err, EXIT_SKIP, KVM_DEV ": not a KVM of API version %d " ADVICE,
				 KVM_API_VERSION);
	}
	return fd;
}

int kvm_check(int fd, int cap)
{
	int r = ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return r < 0 ? 0 : r;
}

size_t kvm_run_size(int kvm)
{
	int r = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	return r < (int)sizeof(struct kvm_run) ? sizeof(struct kvm_run) : (size_t)r;
}

struct kvm_cpuid2 *kvm_supported_cpuid(int kvm)
{
	/* KVM caps its list at 256 entries and says E2BIG when ours is too short. */
	unsigned n = 256;
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + n * sizeof(c->entries[0]));

	if (!c)
		return NULL;
	c->nent = n;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

struct kvm_msr_list *kvm_msr_index_list(int kvm)
{
	struct kvm_msr_list none = {.nmsrs = 0};
	struct kvm_msr_list *list;

	/* Too short a list is refused, and the length that it needs is told. */
	if (ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &none) < 0 && errno != E2BIG)
		return NULL;
	list = calloc(1, sizeof(*list) + none.nmsrs * sizeof(list->indices[0]));
	if (!list)
		return NULL;
	list->nmsrs = none.nmsrs;
	if (ioctl(kvm, KVM_GET_MSR_INDEX_LIST, list) < 0) {
		free(list);
		return NULL;
	}
	return list;
}

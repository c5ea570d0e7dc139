// SPDX-License-Identifier: MIT
/* Memory of the guest, and what is taken away of it, as C: as in run_memory.c. */
#include "scenario/emit_c_parts.h"

/* clang-format off */

const struct helper_text emit_memory[HELPERS] = {
	[HELPER_MEMSLOTS] = {
"#define MEMSLOTS 64\n"
"\n"
"static struct kvm_userspace_memory_region memslots[MEMSLOTS];\n"
"static unsigned nmemslots;\n"
"|static pthread_mutex_t memslots_lock = PTHREAD_MUTEX_INITIALIZER;\n", {0}},
	[HELPER_MEMSLOT] = {
"/* Its place in the table, or the table's end. */\n"
"static struct kvm_userspace_memory_region *find_memslot(uint32_t slot)\n"
"{\n"
"	struct kvm_userspace_memory_region *m = memslots;\n"
"\n"
"	while (m < memslots + nmemslots && m->slot != slot)\n"
"		m++;\n"
"	return m;\n"
"}\n"
"\n"
"/* Memory of zeros, 256 MiB in all at most. */\n"
"static void *allocate(uint64_t size)\n"
"{\n"
"	uint64_t left = 256 << 20;\n"
"	void *memory;\n"
"\n"
"	for (unsigned i = 0; i < nmemslots; i++)\n"
"		left -= memslots[i].memory_size;\n"
"	errno = ENOSPC;\n"
"	if (nmemslots == MEMSLOTS || size > left)\n"
"		return NULL;\n"
"	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);\n"
"	return memory == MAP_FAILED ? NULL : memory;\n"
"}\n"
"\n"
"/* A slot keeps its memory when it moves, or changes its flags. */\n"
"static int set_memslot(struct kvm_userspace_memory_region region)\n"
"{\n"
"	struct kvm_userspace_memory_region *m = find_memslot(region.slot);\n"
"	int is_new = m == memslots + nmemslots && region.memory_size;\n"
"	void *memory = is_new ? allocate(region.memory_size) : (void *)(uintptr_t)m->userspace_addr;\n"
"	int ret;\n"
"\n"
"	if (is_new && !memory)\n"
"		return -1;\n"
"	region.userspace_addr = (uintptr_t)memory;\n"
"	ret = ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);\n"
"	if (ret < 0 && is_new) {\n"
"		munmap(memory, region.memory_size);\n"
"	} else if (ret == 0 && !region.memory_size) {\n"
"		munmap(memory, m->memory_size);\n"
"		*m = memslots[--nmemslots];\n"
"		memslots[nmemslots] = (struct kvm_userspace_memory_region){0};\n"
"	} else if (ret == 0) {\n"
"		*m = region;\n"
"		nmemslots += is_new;\n"
"	}\n"
"	return ret;\n"
"}\n"
"\n"
"static int memslot(struct kvm_userspace_memory_region region)\n"
"{\n"
"	int ret = -1;\n"
"\n"
"|	pthread_mutex_lock(&memslots_lock);\n"
"	errno = EBUSY; /* sipi's own */\n"
"	if (region.slot > 4)\n"
"		ret = set_memslot(region);\n"
"|	pthread_mutex_unlock(&memslots_lock);\n"
"	return ret;\n"
"}\n", {HELPER_MEMSLOTS}},
	[HELPER_UNMAP] = {
"/* The host's page of a guest's address, or NULL. */\n"
"static uint8_t *page(uint64_t gpa)\n"
"{\n"
"@	if (gpa < PUPPET_MEMORY)\n"
"@		return memory + gpa;\n"
"	for (struct kvm_userspace_memory_region *m = memslots; m < memslots + nmemslots; m++)\n"
"		if (m->slot < 0x10000 && gpa >= m->guest_phys_addr && gpa - m->guest_phys_addr < m->memory_size)\n"
"			return (uint8_t *)(uintptr_t)m->userspace_addr + (gpa - m->guest_phys_addr);\n"
"	return NULL;\n"
"}\n"
"\n"
"/* KVM's own accesses to it fail then. */\n"
"static int unmap(uint64_t gpa)\n"
"{\n"
"	uint8_t *host;\n"
"	int ret = -1;\n"
"\n"
"|	pthread_mutex_lock(&memslots_lock);\n"
"	host = page(gpa);\n"
"	errno = host ? EINVAL : ERANGE;\n"
"	if (host && gpa % 4096 == 0)\n"
"		ret = mprotect(host, 4096, PROT_NONE);\n"
"|	pthread_mutex_unlock(&memslots_lock);\n"
"	return ret;\n"
"}\n", {HELPER_MEMSLOTS}},
};

/* clang-format on */

void emit_memslot(struct emitter *e)
{
	static const unsigned bits[MEMSLOT_FIELDS] = {
		[MEMSLOT_SLOT] = 32, [MEMSLOT_GPA] = 64, [MEMSLOT_SIZE] = 64, [MEMSLOT_FLAGS] = 32};
	static const char *const names[MEMSLOT_FIELDS] = {
		[MEMSLOT_SLOT] = "slot",
		[MEMSLOT_GPA] = "guest_phys_addr",
		[MEMSLOT_SIZE] = "memory_size",
		[MEMSLOT_FLAGS] = "flags",
	};

	emit_use(e, HELPER_MEMSLOT);
	emit_begin(e, MEMSLOT_FIELDS, bits);
	fputs("memslot((struct kvm_userspace_memory_region){", e->now->f);
	emit_fields(e, names, MEMSLOT_FIELDS, bits);
	fputc('}', e->now->f);
	emit_end(e);
}

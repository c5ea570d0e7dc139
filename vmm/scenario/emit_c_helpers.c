// SPDX-License-Identifier: MIT
/*
 * Functions of an emitted program, as a KVM selftest would have them. Lines that begin with '|' are for programs with
 * threads, those with '!' for the others; '@' and '%': with a guest, and without; '^' and '~': with a
 * type of VM, and without.
 */
#include "scenario/emit_c_parts.h"

/* clang-format off */

const struct helper_text emit_others[HELPERS] = {
	[HELPER_ACCEPTED] = {
"!static uint64_t accepted; /* how many APICs took the last MSI */\n"
"|static __thread uint64_t accepted; /* how many APICs took the last MSI */\n", {0}},
	[HELPER_ERROR] = {
"!static uint64_t error; /* errno of the last step that was tried */\n"
"|static __thread uint64_t error; /* errno of the last step that was tried */\n", {0}},
	[HELPER_EXIT] = {
"!static uint64_t exit_reason; /* of the last KVM_RUN; ~0: its time was over */\n"
"|static __thread uint64_t exit_reason; /* of the last KVM_RUN; ~0: its time was over */\n", {0}},
	[HELPER_NEED_ID] = {
"static void need_id(unsigned id)\n"
"{\n"
"	int limit = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPU_ID);\n"
"\n"
"	if (limit > 0 && id >= (unsigned)limit)\n"
"		skip(\"needs cpu %u: this KVM allows IDs below %d\", id, limit);\n"
"}\n", {0}},
	[HELPER_NEED_CAP] = {
"static void need_cap(int cap, const char *need)\n"
"{\n"
"	if (ioctl(kvm, KVM_CHECK_EXTENSION, cap) <= 0)\n"
"		skip(\"needs %s: this KVM does not have it\", need);\n"
"}\n", {0}},
	[HELPER_NEED_CPUID] = {
"/* reg: 0 EAX to 3 EDX */\n"
"static void need_cpuid(uint32_t leaf, uint32_t subleaf, unsigned reg, unsigned bit, const char *need)\n"
"{\n"
"	for (unsigned i = 0; i < supported.head.nent; i++) {\n"
"		struct kvm_cpuid_entry2 *e = &supported.entries[i];\n"
"		const uint32_t regs[4] = {e->eax, e->ebx, e->ecx, e->edx};\n"
"\n"
"		if (e->function == leaf && e->index == subleaf && (regs[reg] >> bit & 1))\n"
"			return;\n"
"	}\n"
"	skip(\"needs %s: not in this KVM's CPUID\", need);\n"
"}\n", {0}},
	[HELPER_NEED_VENDOR] = {
"static void need_vendor(const char *module, const char *need)\n"
"{\n"
"	char path[64];\n"
"\n"
"	/* Where both are loaded, Intel's is asked. */\n"
"	snprintf(path, sizeof(path), \"/sys/module/%s\", module);\n"
"	if (access(path, F_OK) < 0 ||\n"
"	    (strcmp(module, \"kvm_amd\") == 0 && access(\"/sys/module/kvm_intel\", F_OK) == 0))\n"
"		skip(\"needs %s: this KVM is not %s\", need, module);\n"
"}\n", {0}},
	[HELPER_NEED_APICV] = {
"static int is_on(const char *parameter)\n"
"{\n"
"	char value = 'N';\n"
"	int fd = open(parameter, O_RDONLY | O_CLOEXEC);\n"
"	int on = fd >= 0 && read(fd, &value, 1) == 1 && (value == 'Y' || value == '1');\n"
"\n"
"	if (fd >= 0)\n"
"		close(fd);\n"
"	return on;\n"
"}\n"
"\n"
"static void need_apicv(int wanted)\n"
"{\n"
"	int has = is_on(\"/sys/module/kvm_intel/parameters/enable_apicv\") ||\n"
"		  is_on(\"/sys/module/kvm_amd/parameters/avic\");\n"
"\n"
"	if (has != wanted)\n"
"		skip(\"needs apicv%s\", wanted ? \": neither kvm_intel.enable_apicv nor kvm_amd.avic is on\"\n"
"						: \" off: kvm_intel.enable_apicv or kvm_amd.avic is on\");\n"
"}\n", {0}},
	[HELPER_NEED_MSR] = {
"static void need_msr(uint32_t index, const char *need)\n"
"{\n"
"	static struct {\n"
"		struct kvm_msr_list head;\n"
"		uint32_t indices[4096];\n"
"	} list = {.head.nmsrs = 4096};\n"
"\n"
"	must(ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &list));\n"
"	for (unsigned i = 0; i < list.head.nmsrs; i++)\n"
"		if (list.indices[i] == index)\n"
"			return;\n"
"	skip(\"needs %s: not among this KVM's MSRs\", need);\n"
"}\n", {0}},
	[HELPER_TRIED] = {
"static int tried(int ret)\n"
"{\n"
"	return ret < 0 ? errno : 0;\n"
"}\n", {0}},
	[HELPER_FIT] = {
"static uint64_t fit(uint64_t value, unsigned bits)\n"
"{\n"
"	errno = ERANGE;\n"
"	must(value >> bits ? -1 : 0);\n"
"	return value;\n"
"}\n", {0}},
	[HELPER_SHL] = {
"static uint64_t shl(uint64_t value, uint64_t by)\n"
"{\n"
"	return by < 64 ? value << by : 0;\n"
"}\n", {0}},
	[HELPER_SHR] = {
"static uint64_t shr(uint64_t value, uint64_t by)\n"
"{\n"
"	return by < 64 ? value >> by : 0;\n"
"}\n", {0}},
	[HELPER_BITS] = {
"static uint64_t bits(uint64_t value, unsigned hi, unsigned lo)\n"
"{\n"
"	return value >> lo & ~0ull >> (63 - hi + lo);\n"
"}\n", {0}},
	[HELPER_WITH] = {
"/* The old value with other bits hi to lo. */\n"
"static uint64_t with(uint64_t old, unsigned hi, unsigned lo, uint64_t value)\n"
"{\n"
"	uint64_t mask = ~0ull >> (63 - hi + lo) << lo;\n"
"\n"
"	return (old & ~mask) | value << lo;\n"
"}\n", {0}},
	[HELPER_ENABLE_CAP] = {
"static int enable_cap(int fd, uint32_t cap, uint64_t arg)\n"
"{\n"
"	return ioctl(fd, KVM_ENABLE_CAP, &(struct kvm_enable_cap){.cap = cap, .args = {arg}});\n"
"}\n", {0}},
	[HELPER_CREATE_PIT] = {
"static int create_pit(uint64_t unused)\n"
"{\n"
"	(void)unused;\n"
"	return ioctl(vm, KVM_CREATE_PIT2, &(struct kvm_pit_config){.flags = KVM_PIT_SPEAKER_DUMMY});\n"
"}\n", {0}},
	[HELPER_REINJECT] = {
"static int reinject(uint64_t on)\n"
"{\n"
"	return ioctl(vm, KVM_REINJECT_CONTROL, &(struct kvm_reinject_control){.pit_reinject = !!on});\n"
"}\n", {0}},
	[HELPER_INTERRUPT] = {
"static int interrupt(int vcpu, uint32_t vector)\n"
"{\n"
"	return ioctl(vcpu, KVM_INTERRUPT, &(struct kvm_interrupt){vector});\n"
"}\n", {0}},
	[HELPER_GUEST_DEBUG] = {
"static int guest_debug(int vcpu, uint32_t control)\n"
"{\n"
"	return ioctl(vcpu, KVM_SET_GUEST_DEBUG, &(struct kvm_guest_debug){.control = control});\n"
"}\n", {0}},
	[HELPER_WARNINGS] = {
"static int kmsg;\n"
"\n"
"static void open_kmsg(void)\n"
"{\n"
"	kmsg = open(\"/dev/kmsg\", O_RDONLY | O_NONBLOCK | O_CLOEXEC);\n"
"	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)\n"
"		skip(\"needs to read /dev/kmsg, for `warnings`: %s\", strerror(errno));\n"
"}\n"
"\n"
"/* Lines of the kernel's log that warn, since then. A record is \"PRIORITY,...;text\"; the kernel's own are below 8. */\n"
"static uint64_t warnings(void)\n"
"{\n"
"	static uint64_t count;\n"
"	char record[8193], *text;\n"
"	ssize_t n;\n"
"\n"
"|	pthread_mutex_lock(&lock);\n"
"	/* EPIPE: some were overwritten before we read them. */\n"
"	while ((n = read(kmsg, record, sizeof(record) - 1)) > 0 || (n < 0 && (errno == EPIPE || errno == EINTR))) {\n"
"		record[n > 0 ? n : 0] = '\\0';\n"
"		text = strchr(record, ';');\n"
"		count += text && atoi(record) <= 4 &&\n"
"			 ((strstr(text, \"WARNING:\") && strstr(text, \"kvm\")) || strstr(text, \"BUG:\") || strstr(text, \"kernel BUG at\") || strstr(text, \"Oops\"));\n"
"	}\n"
"	must(n < 0 && errno != EAGAIN ? -1 : 0);\n"
"|	pthread_mutex_unlock(&lock);\n"
"	return count;\n"
"}\n", {0}},
	[HELPER_RUN] = {
"!static struct kvm_run *volatile in_run;\n"
"|static __thread struct kvm_run *volatile in_run;\n"
"\n"
"/* KVM_RUN returns EINTR; when it has not begun yet, it finds immediate_exit. */\n"
"static void on_time_over(int sig)\n"
"{\n"
"	(void)sig;\n"
"	if (in_run)\n"
"		__atomic_store_n(&in_run->immediate_exit, 1, __ATOMIC_SEQ_CST);\n"
"}\n"
"\n"
"static int run(int vcpu, uint64_t ms)\n"
"{\n"
"	struct itimerspec at = {.it_value = {ms / 1000, ms % 1000 * 1000000 + 1}};\n"
"	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};\n"
"	struct kvm_run *run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);\n"
"	timer_t timer;\n"
"	int ret, over, error_was;\n"
"\n"
"	if (run == MAP_FAILED)\n"
"		return -1;\n"
"	__atomic_store_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);\n"
"	in_run = run;\n"
"	ev._sigev_un._tid = gettid();\n"
"	sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_time_over}, NULL);\n"
"	must(timer_create(CLOCK_MONOTONIC, &ev, &timer));\n"
"	timer_settime(timer, 0, &at, NULL);\n"
"	/* EAGAIN: a CPU that waited for INIT-SIPI got one of them. */\n"
"	do {\n"
"		ret = ioctl(vcpu, KVM_RUN, 0);\n"
"		error_was = errno;\n"
"		over = __atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST);\n"
"	} while (ret < 0 && (error_was == EINTR || error_was == EAGAIN) && !over);\n"
"	timer_delete(timer);\n"
"	in_run = NULL;\n"
"	if (ret >= 0)\n"
"		exit_reason = run->exit_reason;\n"
"	else if (error_was == EINTR || error_was == EAGAIN)\n"
"		exit_reason = ~0ull;\n"
"	munmap(run, sizeof(*run));\n"
"	errno = error_was;\n"
"	return ret < 0 && error_was != EINTR && error_was != EAGAIN ? -1 : 0;\n"
"}\n", {HELPER_EXIT}},
	[HELPER_CLOCK] = {
"|static uint64_t until_ns; /* `parallel` ends */\n"
"|static int once;\n"
"|\n"
"static uint64_t now_ns(void)\n"
"{\n"
"	struct timespec t;\n"
"\n"
"	clock_gettime(CLOCK_MONOTONIC, &t);\n"
"	return t.tv_sec * 1000000000ull + t.tv_nsec;\n"
"}\n", {0}},
	[HELPER_LEFT] = {
"/* No more milliseconds than there are. */\n"
"static uint64_t left(uint64_t ms)\n"
"{\n"
"	uint64_t now = now_ns(), most = now < until_ns ? (until_ns - now) / 1000000 + 1 : 0;\n"
"\n"
"	return ms < most ? ms : most;\n"
"}\n", {HELPER_CLOCK}},
	[HELPER_ALONE] = {
"/* Branches that run the same CPU do so one at a time. */\n"
"#define alone(vcpu, call) ({ \\\n"
"	pthread_mutex_lock(&vcpu##_lock); \\\n"
"	int ret_ = (call); \\\n"
"	pthread_mutex_unlock(&vcpu##_lock); \\\n"
"	ret_; \\\n"
"})\n", {0}},
	[HELPER_WAIT] = {
"static void wait_ms(uint64_t ms)\n"
"{\n"
"	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);\n"
"}\n", {0}},
	[HELPER_PARALLEL] = {
"typedef void *branch(void *);\n"
"\n"
"/* What a branch begins with: all that its parent has. */\n"
"struct start {\n"
"	pthread_barrier_t barrier;\n"
"	uint64_t accepted, error, exit_reason;\n"
"};\n"
"\n"
"static __thread uint64_t noise;\n"
"\n"
"static void begin(struct start *s)\n"
"{\n"
"	accepted = s->accepted;\n"
"	error = s->error;\n"
"	exit_reason = s->exit_reason;\n"
"	noise = now_ns() | (uintptr_t)&noise;\n"
"	pthread_barrier_wait(&s->barrier);\n"
"}\n"
"\n"
"/* Branches that take the same time would meet in the same place at each pass: a pause between. */\n"
"static int again(void)\n"
"{\n"
"	uint64_t end = now_ns();\n"
"\n"
"	noise ^= noise << 13;\n"
"	noise ^= noise >> 7;\n"
"	noise ^= noise << 17;\n"
"	end += noise % 4096;\n"
"	while (now_ns() < end)\n"
"		__builtin_ia32_pause();\n"
"	return !once && now_ns() < until_ns;\n"
"}\n"
"\n"
"static void parallel(uint64_t ms, unsigned n, branch *branches[])\n"
"{\n"
"	struct start s = {.accepted = accepted, .error = error, .exit_reason = exit_reason};\n"
"	pthread_t threads[n];\n"
"\n"
"	once = !ms;\n"
"	until_ns = now_ns() + (ms && ms < 10000 ? ms : 10000) * 1000000;\n"
"	pthread_barrier_init(&s.barrier, NULL, n);\n"
"	for (unsigned i = 0; i < n; i++) {\n"
"		errno = pthread_create(&threads[i], NULL, branches[i], &s);\n"
"		must(errno ? -1 : 0);\n"
"	}\n"
"	for (unsigned i = 0; i < n; i++)\n"
"		pthread_join(threads[i], NULL);\n"
"}\n", {HELPER_ACCEPTED, HELPER_ERROR, HELPER_EXIT, HELPER_CLOCK}},
};

/* clang-format on */

// SPDX-License-Identifier: MIT
/* What every emitted program has, and the helpers behind it that it uses. */
#include <string.h>

#include "kvm/uapi.h"
#include "scenario/emit_c_parts.h"

/* clang-format off */

/* What every program has. */
static const char base[] =
"enum what { EXPECTED, DEVIATION, OTHER };\n"
"\n"
"struct finding {\n"
"	int line; /* of the scenario */\n"
"	const char *text, *cmp;\n"
"	uint64_t expected, seen;\n"
"	enum what what;\n"
"	uint64_t times;\n"
"};\n"
"\n"
"#define CPUID_ENTRIES 256\n"
"\n"
"struct cpuid {\n"
"	struct kvm_cpuid2 head;\n"
"	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES];\n"
"};\n"
"\n"
"static struct finding findings[EXPECTS];\n"
"static unsigned nfindings;\n"
"|static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the findings */\n"
"static struct cpuid supported = {.head.nent = CPUID_ENTRIES};\n"
"static int kvm, vm;\n"
"@static __thread char met[128]; /* what a guest met with, which says more than errno */\n"
"\n"
"static void say(const char *verdict)\n"
"{\n"
"	printf(\"%-7s %-7s %s  %s\\n\", verdict, IRQCHIP, ID, TITLE);\n"
"}\n"
"\n"
"__attribute__((format(printf, 1, 2), noreturn)) static void skip(const char *why, ...)\n"
"{\n"
"	va_list ap;\n"
"\n"
"	say(\"skip\");\n"
"	printf(\"        \");\n"
"	va_start(ap, why);\n"
"	vprintf(why, ap);\n"
"	va_end(ap);\n"
"	putchar('\\n');\n"
"	exit(77);\n"
"}\n"
"\n"
"static void must_(int ret, const char *call, int line)\n"
"{\n"
"	if (ret >= 0)\n"
"		return;\n"
"	say(\"error\");\n"
"%	printf(\"        %s:%d: %s: %s\\n\", __FILE__, line, call, strerror(errno));\n"
"@	printf(\"        %s:%d: %s: %s\\n\", __FILE__, line, call, met[0] ? met : strerror(errno));\n"
"	exit(2);\n"
"}\n"
"%#define must(call) must_(call, #call, __LINE__)\n"
"@#define must(call) (met[0] = '\\0', must_(call, #call, __LINE__))\n"
"\n"
"/* What an `expect` saw: the first of the worst. */\n"
"static void note(int line, const char *text, const char *cmp, uint64_t expected, uint64_t seen,\n"
"		 enum what what)\n"
"{\n"
"	struct finding *f = findings;\n"
"\n"
"|	pthread_mutex_lock(&lock);\n"
"	while (f < findings + nfindings && f->line != line)\n"
"		f++;\n"
"	if (f == findings + nfindings)\n"
"		nfindings++;\n"
"	if (!f->times++ || what > f->what || f->what == EXPECTED)\n"
"		*f = (struct finding){line, text, cmp, expected, seen, what, f->times};\n"
"|	pthread_mutex_unlock(&lock);\n"
"}\n"
"\n"
"static int verdict(void)\n"
"{\n"
"	enum what worst = EXPECTED;\n"
"\n"
"	for (unsigned i = 0; i < nfindings; i++)\n"
"		if (findings[i].what > worst)\n"
"			worst = findings[i].what;\n"
"	say(worst == EXPECTED ? \"ok\" : worst == DEVIATION ? DEVIATES : \"unknown\");\n"
"	if (worst == EXPECTED)\n"
"		return 0;\n"
"	for (struct finding *f = findings; f < findings + nfindings; f++) {\n"
"		if (f->what == EXPECTED)\n"
"			continue;\n"
"		printf(\"        %s:%d: %s\\n\", SCENARIO, f->line, f->text);\n"
"		printf(\"            expected %s0x%\" PRIx64 \", seen 0x%\" PRIx64 \"%s\", f->cmp, f->expected,\n"
"		       f->seen, f->what == DEVIATION ? \": the known deviation\" : \"\");\n"
"		if (f->times > 1)\n"
"			printf(\", looked at %\" PRIu64 \" times\", f->times);\n"
"		putchar('\\n');\n"
"	}\n"
"	fputs(DETAILS, stdout);\n"
"	return worst == OTHER || strcmp(DEVIATES, \"bug\") == 0;\n"
"}\n"
"\n"
"static void open_kvm(void)\n"
"{\n"
"	kvm = open(\"/dev/kvm\", O_RDWR | O_CLOEXEC);\n"
"	if (kvm < 0 && errno != EACCES && errno != EPERM)\n"
"		skip(\"/dev/kvm: %s\", strerror(errno));\n"
"	must(kvm);\n"
"	must(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &supported));\n"
"}\n"
"\n"
"static void create_vm(void)\n"
"{\n"
"	const uint64_t identity_map = 0xfeffc000;\n"
"\n"
"^	if (!(ioctl(kvm, KVM_CHECK_EXTENSION, 235) >> VM_TYPE & 1)) /* KVM_CAP_VM_TYPES */\n"
"^		skip(\"KVM has no VMs of type %d here (KVM_CAP_VM_TYPES)\", VM_TYPE);\n"
"	do {\n"
"~		vm = ioctl(kvm, KVM_CREATE_VM, 0);\n"
"^		vm = ioctl(kvm, KVM_CREATE_VM, VM_TYPE);\n"
"	} while (vm < 0 && errno == EINTR);\n"
"	if (vm < 0)\n"
"		skip(\"KVM_CREATE_VM: %s\", strerror(errno));\n"
"	/* Pages of KVM's own, on Intel without unrestricted guest. */\n"
"	must(ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map));\n"
"	must(ioctl(vm, KVM_SET_TSS_ADDR, 0xfeffd000ul));\n";

static const char irqchip_kernel[] =
"	if (ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0)\n"
"		skip(\"irqchip mode kernel: KVM_CREATE_IRQCHIP: %s\", strerror(errno));\n"
"}\n";

static const char irqchip_split[] =
"	if (ioctl(vm, KVM_ENABLE_CAP, &(struct kvm_enable_cap){.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {24}}) < 0)\n"
"		skip(\"irqchip mode split: KVM_CAP_SPLIT_IRQCHIP: %s\", strerror(errno));\n"
"}\n";

/* As kvm_vm_init_tdx() does. */
static const char init_tdx[] =
"\n"
"#ifndef KVM_X86_TDX_VM\n"
"#define KVM_TDX_INIT_VM 1\n"
"struct kvm_tdx_cmd {\n"
"	uint32_t id, flags;\n"
"	uint64_t data, hw_error;\n"
"};\n"
"struct kvm_tdx_init_vm {\n"
"	uint64_t attributes, xfam, mrconfigid[6], mrowner[6], mrownerconfig[6], reserved[12];\n"
"	struct kvm_cpuid2 cpuid;\n"
"};\n"
"#endif\n"
"\n"
"/* Before it can have vCPUs. Of CPUID what must be there: 48 bits of guest-physical addresses. */\n"
"static void init_tdx(void)\n"
"{\n"
"	static struct {\n"
"		struct kvm_tdx_init_vm vm;\n"
"		struct kvm_cpuid_entry2 entry;\n"
"	} init = {.vm.cpuid.nent = 1, .entry = {.function = 0x80000008, .eax = 48 << 16}};\n"
"	struct kvm_tdx_cmd cmd = {.id = KVM_TDX_INIT_VM, .data = (uintptr_t)&init};\n"
"\n"
"	must(ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &cmd));\n"
"}\n";

/* Of a CPU that is there already nothing changes. */
static const char create_vcpu[] =
"\n"
"/* With what KVM supports as its CPUID, and its own APIC ID in there. */\n"
"static int create_vcpu(int *vcpu, uint32_t id)\n"
"{\n"
"	int fd = ioctl(vm, KVM_CREATE_VCPU, (unsigned long)id);\n"
"	struct cpuid cpuid = supported;\n"
"\n"
"	for (unsigned i = 0; i < cpuid.head.nent; i++) {\n"
"		struct kvm_cpuid_entry2 *e = &cpuid.entries[i];\n"
"\n"
"		if (e->function == 1)\n"
"			e->ebx = (e->ebx & 0xffffff) | id << 24;\n"
"		if (e->function == 0xb || e->function == 0x1f)\n"
"			e->edx = id;\n"
"	}\n"
"	if (fd < 0 || ioctl(fd, KVM_SET_CPUID2, &cpuid) < 0)\n"
"		return -1;\n"
"	*vcpu = fd;\n"
"	return 0;\n"
"}\n";

/* clang-format on */

static const struct helper_text *text_of(enum helper h)
{
	static const struct helper_text *const tables[] = {emit_access, emit_others, emit_irqs,
							   emit_memory, emit_watches};

	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (tables[i][h].text)
			return &tables[i][h];
	return &emit_guest[h];
}

void emit_use(struct emitter *e, enum helper h)
{
	const enum helper *needs = text_of(h)->needs;

	e->helpers[h] = true;
	for (unsigned i = 0; i < HELPER_NEEDS && needs[i] != HELPER_NONE; i++)
		emit_use(e, needs[i]);
}

/* Without the lines that are for the other kind of program. */
static void put(const struct emitter *e, FILE *f, const char *text)
{
	const char *marks = "|!@%^~";
	const bool fits[] = {e->parallel,  !e->parallel, e->s->guest,
			     !e->s->guest, e->s->vm,	 !e->s->vm};

	while (*text) {
		size_t len = strcspn(text, "\n") + 1;
		const char *mark = strchr(marks, *text);
		unsigned marked = mark != NULL;

		if (!mark || fits[mark - marks])
			fwrite(text + marked, 1, len - marked, f);
		text += len;
	}
}

bool emit_is_tdx(const struct emitter *e)
{
	return e->s->vm && e->s->vm->type == KVM_X86_TDX_VM;
}

void emit_helpers(const struct emitter *e, FILE *f)
{
	put(e, f, base);
	put(e, f,
	    e->mode == IRQCHIP_SPLIT	? irqchip_split
	    : e->mode == IRQCHIP_KERNEL ? irqchip_kernel
					: "}\n");
	if (emit_is_tdx(e))
		put(e, f, init_tdx);
	put(e, f, create_vcpu);
	if (e->s->guest)
		emit_guest_memory(f);
	for (unsigned h = 0; h < HELPERS; h++)
		if (e->helpers[h]) {
			fputc('\n', f);
			put(e, f, text_of(h)->text);
		}
}

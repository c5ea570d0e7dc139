// SPDX-License-Identifier: MIT
/*
 * Steps that a guest carries out: the emitted program has the puppet's code and what makes its memory as they are in
 * sipi, and does what puppet.c and run_guest.c do.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "guest/puppet.h"
#include "scenario/emit_c_parts.h"
#include "scenario/puppet.h"

#define GUEST_MS 1000 /* as in run_guest.c */

/* Made at build time, carried in the executable: puppet_setup.c with what it includes; the image as an array of C. */
extern const char puppet_setup[], puppet_setup_end[], puppet_listing[], puppet_listing_end[];

/* clang-format off */

const struct helper_text emit_guest[HELPERS] = {
	[HELPER_GUEST_GET] = {
"static uint64_t guest_get(int vcpu, unsigned offset, unsigned size)\n"
"{\n"
"	uint64_t value = 0;\n"
"\n"
"	memcpy(&value, mailbox(vcpu) + offset, size);\n"
"	return value;\n"
"}\n", {HELPER_MAILBOX}},
	[HELPER_GUEST_PUT] = {
"static int guest_put(int vcpu, unsigned offset, unsigned size, uint64_t value)\n"
"{\n"
"	memcpy(mailbox(vcpu) + offset, &value, size);\n"
"	return 0;\n"
"}\n", {HELPER_MAILBOX}},
	[HELPER_MAILBOX] = {
"/* Mailboxes lie in the order of the CPUs. */\n"
"static unsigned number_of(int vcpu)\n"
"{\n"
"	unsigned i = 0;\n"
"\n"
"	if (vcpu < 0)\n"
"		errno = EINVAL; /* not created */\n"
"	must(vcpu);\n"
"	while (*vcpus[i] != vcpu)\n"
"		i++;\n"
"	return i;\n"
"}\n"
"\n"
"static uint8_t *mailbox(int vcpu)\n"
"{\n"
"	return memory + PUPPET_MAILBOX + PUPPET_MAILBOX_SIZE * number_of(vcpu);\n"
"}\n", {0}},
	[HELPER_ANSWER] = {
"static int entered[PUPPET_CPUS]; /* it has been in the puppet */\n"
"\n"
"static struct kvm_run *run_area(int vcpu)\n"
"{\n"
"	static struct kvm_run *areas[PUPPET_CPUS];\n"
"	struct kvm_run **area = &areas[number_of(vcpu)];\n"
"\n"
"	if (!*area)\n"
"		*area = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);\n"
"	must(*area == MAP_FAILED ? -1 : 0);\n"
"	return *area;\n"
"}\n"
"\n"
"static int is_puppets(const struct kvm_run *run, int direction, int size)\n"
"{\n"
"	return run->exit_reason == KVM_EXIT_IO && run->io.port == PUPPET_PORT && run->io.direction == direction &&\n"
"	       run->io.size == size && run->io.count == 1;\n"
"}\n"
"\n"
"/* A SIPI has started the CPU, and it has exited to ask for its mailbox. */\n"
"static int answer(int vcpu)\n"
"{\n"
"	struct kvm_run *area = run_area(vcpu);\n"
"	uint16_t segment = (mailbox(vcpu) - memory) >> 4;\n"
"\n"
"	if (!is_puppets(area, KVM_EXIT_IO_IN, 2))\n"
"		return 0;\n"
"	memcpy((uint8_t *)area + area->io.data_offset, &segment, sizeof(segment));\n"
"	entered[number_of(vcpu)] = 1;\n"
"	return 1;\n"
"}\n", {HELPER_MAILBOX}},
	[HELPER_RUN_AND_ANSWER] = {
"static int run_and_answer(int vcpu, uint64_t ms)\n"
"{\n"
"	int ret = run(vcpu, ms);\n"
"\n"
"	if (ret == 0 && exit_reason != ~0ull)\n"
"		answer(vcpu);\n"
"	return ret;\n"
"}\n", {HELPER_ANSWER, HELPER_RUN}},
	[HELPER_RUN_TO_IDLE] = {
"#define OUTSIDE \", and the CPU has never been in the puppet\"\n"
"\n"
"static int busy[PUPPET_CPUS]; /* in the middle of an operation */\n"
"\n"
"/*\n"
" * What the CPU exited for is completed at its next KVM_RUN, which must not come after a change of its registers.\n"
" * An access of many parts exits again for each.\n"
" */\n"
"static int complete(int vcpu)\n"
"{\n"
"	int ret = 0;\n"
"\n"
"	run_area(vcpu)->immediate_exit = 1;\n"
"	for (unsigned i = 0; i < 4096 && ret == 0; i++)\n"
"		ret = ioctl(vcpu, KVM_RUN, 0);\n"
"	run_area(vcpu)->immediate_exit = 0;\n"
"	if (ret >= 0)\n"
"		errno = EIO;\n"
"	return ret < 0 && errno == EINTR ? 0 : -1;\n"
"}\n"
"\n"
"/* 0; or -1 with ETIMEDOUT, or EIO for an exit that is not the puppet's: the operation is still under way then. */\n"
"static int run_to_idle(int vcpu, uint64_t end_ns)\n"
"{\n"
"	int in;\n"
"\n"
"	do {\n"
"		uint64_t now = now_ns();\n"
"\n"
"		if (now >= end_ns)\n"
"			exit_reason = ~0ull;\n"
"		else if (run(vcpu, (end_ns - now) / 1000000 + 1) < 0)\n"
"			return -1;\n"
"	} while (exit_reason != ~0ull && answer(vcpu));\n"
"	in = entered[number_of(vcpu)];\n"
"	if (exit_reason == ~0ull) {\n"
"		snprintf(met, sizeof(met), \"the guest did not come to its end in time%s\", in ? \"\" : OUTSIDE);\n"
"		errno = ETIMEDOUT;\n"
"		return -1;\n"
"	}\n"
"	if (!in || !is_puppets(run_area(vcpu), KVM_EXIT_IO_OUT, 1)) {\n"
"		snprintf(met, sizeof(met), \"the guest did not come to its end, but to exit reason %u%s\",\n"
"			 (unsigned)exit_reason, in ? \"\" : OUTSIDE);\n"
"		errno = EIO;\n"
"		return -1;\n"
"	}\n"
"	exit_reason = ~1ull;\n"
"	return complete(vcpu);\n"
"}\n", {HELPER_ANSWER, HELPER_RUN, HELPER_CLOCK}},
	[HELPER_GUEST_START] = {
"/* Into this mode, to the puppet's idle loop. */\n"
"static int guest_start(int vcpu, enum puppet_mode mode)\n"
"{\n"
"	struct kvm_mp_state runnable = {KVM_MP_STATE_RUNNABLE};\n"
"	struct kvm_sregs sregs;\n"
"	struct kvm_regs regs;\n"
"	unsigned n = number_of(vcpu);\n"
"\n"
"	if (complete(vcpu) < 0 || ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)\n"
"		return -1;\n"
"	puppet_enter(memory, mode, n, &sregs, &regs);\n"
"	busy[n] = 1;\n"
"	if (ioctl(vcpu, KVM_SET_MP_STATE, &runnable) < 0 || ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 ||\n"
"	    ioctl(vcpu, KVM_SET_REGS, &regs) < 0)\n"
"		return -1;\n"
"	entered[n] = 1;\n"
"	busy[n] = run_to_idle(vcpu, now_ns() + 1000000000) < 0;\n"
"	return busy[n] ? -1 : 0;\n"
"}\n", {HELPER_RUN_TO_IDLE}},
	[HELPER_GUEST] = {
"/* Has the CPU carry out an operation. 0; or -1, as run_to_idle(), and with EFAULT after an exception. */\n"
"static int guest(int vcpu, uint32_t op, uint64_t a, uint64_t b, uint64_t ms)\n"
"{\n"
"	uint64_t end_ns = now_ns() + (ms < 10000 ? ms : 10000) * 1000000;\n"
"	unsigned n = number_of(vcpu);\n"
"\n"
"	if (busy[n] && run_to_idle(vcpu, end_ns) < 0)\n"
"		return -1;\n"
"	busy[n] = 1;\n"
"	guest_put(vcpu, PUPPET_A, 8, a);\n"
"	guest_put(vcpu, PUPPET_B, 8, b);\n"
"	guest_put(vcpu, PUPPET_RESULT, 8, 0);\n"
"	guest_put(vcpu, PUPPET_FAULT, 4, PUPPET_NO_FAULT);\n"
"	guest_put(vcpu, PUPPET_ERROR, 4, 0);\n"
"	guest_put(vcpu, PUPPET_ADDRESS, 8, 0);\n"
"	guest_put(vcpu, PUPPET_RIP, 8, 0);\n"
"	guest_put(vcpu, PUPPET_OP, 4, op);\n"
"	/* One that a SIPI has started since is idle first, and has done nothing. */\n"
"	do {\n"
"		if (run_to_idle(vcpu, end_ns) < 0)\n"
"			return -1;\n"
"	} while (guest_get(vcpu, PUPPET_OP, 4) != PUPPET_DONE);\n"
"	busy[n] = 0;\n"
"	if (guest_get(vcpu, PUPPET_FAULT, 4) == PUPPET_NO_FAULT)\n"
"		return 0;\n"
"	snprintf(met, sizeof(met), \"exception %u with error code 0x%x at 0x%\" PRIx64,\n"
"		 (unsigned)guest_get(vcpu, PUPPET_FAULT, 4), (unsigned)guest_get(vcpu, PUPPET_ERROR, 4),\n"
"		 guest_get(vcpu, PUPPET_RIP, 8));\n"
"	errno = EFAULT;\n"
"	return -1;\n"
"}\n", {HELPER_RUN_TO_IDLE, HELPER_GUEST_GET, HELPER_GUEST_PUT}},
	[HELPER_GUEST_READ_LAPIC] = {
"/* As the APIC's mode has it: by MSR, or in its page. */\n"
"static int guest_read_lapic(int vcpu, unsigned reg)\n"
"{\n"
"	if (get_apic_mode(vcpu) == 3)\n"
"		return guest(vcpu, PUPPET_RDMSR, 0x800 + reg / 16, 0, 1000);\n"
"	return guest(vcpu, PUPPET_READ32, 0xfee00000 + reg, 0, 1000);\n"
"}\n", {HELPER_GUEST, HELPER_GET_APIC_MODE}},
	[HELPER_GUEST_WRITE_LAPIC] = {
"/* As the APIC's mode has it: by MSR, or in its page. */\n"
"static int guest_write_lapic(int vcpu, unsigned reg, uint64_t value)\n"
"{\n"
"	if (get_apic_mode(vcpu) == 3)\n"
"		return guest(vcpu, PUPPET_WRMSR, 0x800 + reg / 16, value, 1000);\n"
"	errno = ERANGE;\n"
"	return value >> 32 ? -1 : guest(vcpu, PUPPET_WRITE32, 0xfee00000 + reg, value, 1000);\n"
"}\n", {HELPER_GUEST, HELPER_GET_APIC_MODE}},
	[HELPER_GUEST_IPI] = {
"struct ipi {\n"
"	uint32_t dest, vector, mode, logical, level, trigger, shorthand;\n"
"};\n"
"\n"
"/* By the ICR, whose upper half has the destination: 32 bits in x2APIC mode; else 8, which are written first. */\n"
"static int guest_ipi(int vcpu, struct ipi i)\n"
"{\n"
"	uint32_t icr = i.vector | i.mode << 8 | i.logical << 11 | i.level << 14 | i.trigger << 15 | i.shorthand << 18;\n"
"\n"
"	if (get_apic_mode(vcpu) == 3)\n"
"		return guest_write_lapic(vcpu, 0x300, (uint64_t)i.dest << 32 | icr);\n"
"	errno = ERANGE;\n"
"	if (i.dest > 0xff || guest_write_lapic(vcpu, 0x310, i.dest << 24) < 0)\n"
"		return -1;\n"
"	return guest_write_lapic(vcpu, 0x300, icr);\n"
"}\n", {HELPER_GUEST_WRITE_LAPIC}},
};

static const char memory[] =
"static uint8_t *memory; /* the guest's, from address 0 */\n"
"\n"
"static void create_memory(void)\n"
"{\n"
"	struct kvm_userspace_memory_region region = {.memory_size = PUPPET_MEMORY};\n"
"\n"
"	memory = mmap(NULL, PUPPET_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
"	must(memory == MAP_FAILED ? -1 : 0);\n"
"	puppet_load(memory, puppet_image, sizeof(puppet_image));\n"
"	region.userspace_addr = (uintptr_t)memory;\n"
"	must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region));\n"
"}\n";

/* clang-format on */

void emit_guest_setup(FILE *f)
{
	fwrite(puppet_setup, 1, (size_t)(puppet_setup_end - puppet_setup), f);
}

void emit_guest_memory(FILE *f)
{
	fprintf(f, "\nstatic const uint8_t puppet_image[%zu]; /* at the end of this file */\n",
		(size_t)(puppet_image_end - puppet_image));
	fputs(memory, f);
}

void emit_guest_listing(FILE *f)
{
	fputc('\n', f);
	fwrite(puppet_listing, 1, (size_t)(puppet_listing_end - puppet_listing), f);
}

/* --- what is in a mailbox */

void emit_mail(struct emitter *e, const struct object_ref *ref)
{
	static const struct {
		uint32_t at;
		const char *name;
	} names[] = {
		{PUPPET_EOI, "EOI"},	     {PUPPET_RESULT, "RESULT"},
		{PUPPET_FAULT, "FAULT"},     {PUPPET_ERROR, "ERROR"},
		{PUPPET_ADDRESS, "ADDRESS"}, {PUPPET_RIP, "RIP"},
		{PUPPET_TAKEN, "TAKEN"},     {PUPPET_COUNTS, "COUNTS"},
		{PUPPET_ORDER, "ORDER"},     {PUPPET_ORDER + 8, "ORDER + 8"},
	};
	const struct object *o = ref->object;
	const char *name = NULL;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].at == o->arg)
			name = names[i].name;
	if (!name)
		emit_refuse(e, "a part of the mailbox without a name");
	fprintf(e->now->f, ", PUPPET_%s", name ? name : "");
	if (o->indexed) {
		fprintf(e->now->f, " + %" PRIu32 " * ", o->flag);
		emit_number(e->now->f, ref->index);
	}
	fprintf(e->now->f, ", %u", o->size);
}

/* --- steps */

static void call(struct emitter *e, enum helper h, const char *name)
{
	emit_use(e, h);
	fprintf(e->now->f, "%s(", name);
	emit_cpu(e, e->step->cpu);
	fputs(", ", e->now->f);
}

static void start(struct emitter *e, const struct step *st)
{
	static const char *const modes[] = {[PUPPET_REAL] = "PUPPET_REAL",
					    [PUPPET_PROTECTED] = "PUPPET_PROTECTED",
					    [PUPPET_LONG] = "PUPPET_LONG"};

	emit_begin(e, 0, NULL);
	call(e, HELPER_GUEST_START, "guest_start");
	fputs(modes[st->op], e->now->f);
	emit_end(e);
}

/* "PUPPET_RDMSR" */
static void put_operation(FILE *f, unsigned op)
{
	fputs("PUPPET_", f);
	for (const char *c = puppet_operation_name(op); *c; c++)
		fputc(toupper(*c), f);
}

static void argument(struct emitter *e, const struct step *st, unsigned i, unsigned bits)
{
	if (st->given[i])
		emit_argument(e, &st->args[i], bits);
	else
		fputc('0', e->now->f);
	fputs(", ", e->now->f);
}

static void operation(struct emitter *e, const struct step *st)
{
	emit_begin(e, 3, (const unsigned[]){64, 64, 32});
	call(e, HELPER_GUEST, "guest");
	put_operation(e->now->f, st->op);
	fputs(", ", e->now->f);
	argument(e, st, 0, 64);
	argument(e, st, 1, 64);
	if (st->given[2])
		emit_count(e, &st->args[2], 32);
	else
		fprintf(e->now->f, "%u", GUEST_MS);
	emit_end(e);
}

static void access_object(struct emitter *e, const struct step *st)
{
	const struct object *o = st->object.object;
	uint32_t at = o->arg + (o->indexed ? st->object.index : 0);
	bool write = st->kind == STEP_GUEST_SET;

	emit_begin(e, write, (const unsigned[]){64});
	if (o->kind == OBJECT_MSR) {
		call(e, HELPER_GUEST, "guest");
		fprintf(e->now->f, "PUPPET_%sMSR, 0x%" PRIx32 ", ", write ? "WR" : "RD", at);
		argument(e, st, 0, 64);
		fprintf(e->now->f, "%u", GUEST_MS);
	} else if (write) {
		call(e, HELPER_GUEST_WRITE_LAPIC, "guest_write_lapic");
		fprintf(e->now->f, "0x%" PRIx32 ", ", at);
		emit_argument(e, &st->args[0], 64);
	} else {
		call(e, HELPER_GUEST_READ_LAPIC, "guest_read_lapic");
		fprintf(e->now->f, "0x%" PRIx32, at);
	}
	emit_end(e);
}

static void send_ipi(struct emitter *e, const struct step *st)
{
	static const unsigned bits[IPI_FIELDS] = {
		[MSI_DEST] = 32, [MSI_VECTOR] = 8,  [MSI_MODE] = 3,	 [MSI_LOGICAL] = 1,
		[MSI_LEVEL] = 1, [MSI_TRIGGER] = 1, [IPI_SHORTHAND] = 2,
	};

	emit_begin(e, IPI_FIELDS, bits);
	call(e, HELPER_GUEST_IPI, "guest_ipi");
	fputs("(struct ipi){", e->now->f);
	emit_fields(e, field_names, IPI_FIELDS, bits);
	fputs(st->given[MSI_LEVEL] ? "}" : ", .level = 1}", e->now->f);
	emit_end(e);
}

void emit_guest_step(struct emitter *e, const struct step *st)
{
	switch (st->kind) {
	case STEP_ENTER:
		start(e, st);
		break;
	case STEP_GUEST:
		operation(e, st);
		break;
	case STEP_GUEST_IPI:
		send_ipi(e, st);
		break;
	default:
		access_object(e, st);
		break;
	}
}

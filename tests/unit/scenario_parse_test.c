// SPDX-License-Identifier: MIT
/* The scenario language's reader: every form of a statement, every error with its place, and hostile texts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scenario/object.h"
#include "scenario/puppet.h"
#include "scenario/scenario.h"
#include "test.h"

/* Five lines; a step that follows is in line 6. */
#define HEAD                                                                                       \
	"id t\n"                                                                                   \
	"title T\n"                                                                                \
	"class bug\n"                                                                              \
	"manual M\n"                                                                               \
	"cpus 0 1 300*\n"
#define CREATE "create cpu 300\n"
#define EXPECT "expect accepted = 1\ndeviates 0\n"
#define TAIL   CREATE EXPECT

static struct scenario *parsed;

static const struct scenario *parse(const char *text)
{
	struct error err;

	scenario_free(parsed);
	parsed = scenario_parse("t", text, strlen(text), &err);
	if (!parsed)
		fail_msg("%s", err.text);
	return parsed;
}

/* The first step of a text whose header and rest are these. */
static const struct step *step(const char *line)
{
	char text[1024];

	snprintf(text, sizeof(text), HEAD "%s\n" TAIL, line);
	return &parse(text)->steps.steps[0];
}

static int clean_up(void **state)
{
	(void)state;
	scenario_free(parsed);
	parsed = NULL;
	return 0;
}

/* --- what is read */

static void header(void **state)
{
	const struct scenario *s = parse("# a comment\n"
					 "\n"
					 "  id\tx-1.b_c  # one\n"
					 "title  KVM: #GP \"quoted\" \t\n"
					 "class erratum\n"
					 "fix 0123 \"x\"\n"
					 "fixed 6.3\n"
					 "manual SDM\n"
					 "modes user kernel\n"
					 "needs cap  x2apic_api # why\n"
					 "needs cpuid.tsc_deadline\n"
					 "needs vendor amd\n"
					 "needs apicv\n"
					 "needs apicv off\n"
					 "needs msr xss\n"
					 "needs msr 0x4b564d04\n"
					 "danger\n"
					 "about one # of\n"
					 "cause kvm.c\n"
					 "seen everywhere\r\n"
					 "about two\n"
					 "cpus 5 0xffffffff* 0\n"
					 "create cpu 4294967295\n" EXPECT);

	(void)state;
	assert_string_equal(s->path, "t");
	assert_string_equal(s->id, "x-1.b_c");
	assert_string_equal(s->title, "KVM: #GP \"quoted\"");
	assert_string_equal(s->fix, "0123 \"x\"");
	assert_string_equal(s->fixed_in, "6.3");
	assert_string_equal(s->manual, "SDM");
	assert_string_equal(s->seen, "everywhere");
	assert_int_equal(s->about.n, 2);
	assert_string_equal(s->about.lines[0], "one # of");
	assert_string_equal(s->about.lines[1], "two");
	assert_int_equal(s->cause.n, 1);
	assert_string_equal(s->cause.lines[0], "kvm.c");
	assert_memory_equal(s->source, "# a comment\n\n  id\tx-1", 20);
	assert_int_equal(s->class, CLASS_ERRATUM);
	assert_int_equal(s->modes, 1 << IRQCHIP_USER | 1 << IRQCHIP_KERNEL);
	assert_true(s->danger);
	assert_int_equal(s->nneeds, 7);
	assert_string_equal(s->needs[0].text, "cap  x2apic_api");
	assert_int_equal(s->needs[0].kind, NEED_CAP);
	assert_int_equal(s->needs[0].a, 129);
	assert_int_equal(s->needs[1].kind, NEED_CPUID);
	assert_string_equal(need_cpuid[s->needs[1].a].name, "tsc_deadline");
	assert_int_equal(s->needs[2].kind, NEED_VENDOR);
	assert_int_equal(s->needs[2].a, 1);
	assert_int_equal(s->needs[3].kind, NEED_APICV);
	assert_string_equal(s->needs[3].text, "apicv");
	assert_false(s->needs[3].off);
	assert_true(s->needs[4].off);
	assert_string_equal(s->needs[4].text, "apicv off");
	assert_int_equal(s->needs[5].kind, NEED_MSR);
	assert_int_equal(s->needs[5].a, 0xda0);
	assert_int_equal(s->needs[6].a, 0x4b564d04);
	assert_int_equal(s->ncpus, 3);
	assert_int_equal(s->cpus[1], 0xffffffff);
	assert_true(s->late[1] && !s->late[0] && !s->late[2]);
}

static void header_defaults(void **state)
{
	const struct scenario *s = parse(HEAD TAIL);

	(void)state;
	assert_int_equal(s->modes, 1 << IRQCHIP_SPLIT | 1 << IRQCHIP_KERNEL);
	assert_null(s->fix);
	assert_null(s->fixed_in);
	assert_null(s->seen);
	assert_int_equal(s->about.n + s->cause.n, 0);
	assert_string_equal(s->source, HEAD TAIL);
	assert_false(s->danger);
	assert_int_equal(s->nneeds, 0);
}

/* An expression of numbers, objects and operators in postfix order, as one string. */
static const char *postfix(const struct expr *e)
{
	static const char *const ops[] = {"|", "^", "&", "<<", ">>", "+", "-", "*", "~", "neg"};
	static char text[1024];
	size_t n = 0;

	for (unsigned i = 0; i < e->n; i++) {
		const struct term *t = &e->terms[i];
		const struct object_ref *r = &t->object;

		if (t->kind == TERM_NUMBER)
			n += sprintf(text + n, "%llu ", (unsigned long long)t->number);
		else if (t->kind == TERM_VARIABLE)
			n += sprintf(text + n, "v%u ", t->variable);
		else if (t->kind == TERM_OBJECT && r->whole)
			n += sprintf(text + n, "%d:%s.%x ", r->cpu, r->object->name, r->index);
		else if (t->kind == TERM_OBJECT)
			n += sprintf(text + n, "%d:%s.%x[%u:%u] ", r->cpu, r->object->name,
				     r->index, r->hi, r->lo);
		else
			n += sprintf(text + n, "%s ", ops[t->op]);
	}
	return text;
}

static void expressions(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"12", "12 "},
		{"0XfF", "255 "},
		{"18446744073709551615", "18446744073709551615 "},
		{"x2apic", "3 "},
		{"EINVAL", "22 "},
		{"halted", "3 "},
		{"1 | 2 ^ 3 & 4 << 5 + 6 * 7", "1 2 3 4 5 6 7 * + << & ^ | "},
		{"7 * 6 + 5 >> 4 & 3 ^ 2 | 1", "7 6 * 5 + 4 >> 3 & 2 ^ 1 | "},
		{"9 - 3 - 2", "9 3 - 2 - "},
		{"9 - (3 - 2)", "9 3 2 - - "},
		{"~1 + -2 * ~-3", "1 ~ 2 neg 3 neg ~ * + "},
		{"(((4)))", "4 "},
		/* More than there may be in each other. */
		{"((1))+((2))+((3))+((4))+((5))+((6))+((7))+((8))+((9))",
		 "1 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + "},
		{"1<<8|3", "1 8 << 3 | "},
		{"cpu 1: lapic.id", "1:lapic.id.0 "},
		{"cpu 300:lapic.irr[0x40]", "2:lapic.irr.0[64:64] "},
		{"cpu 0: lapic.id[31:24] << 4", "0:lapic.id.0[31:24] 4 << "},
		{"cpu 0: lapic.tmr[255:192]", "0:lapic.tmr.0[255:192] "},
		{"cpu 0: lapic[0x3fc]", "0:lapic.3fc "},
		{"cpu 0: msr[0xc0000080][8]", "0:msr.c0000080[8:8] "},
		{"cpu 0: msr.x2apic_id", "0:msr.x2apic_id.0 "},
		{"cpu 0: cpuid.1.eax", "0:cpuid.100 "},
		{"cpu 0: guest.result", "0:guest.result.0 "},
		{"cpu 0: guest.taken[0xff]", "0:guest.taken.ff "},
		{"cpu 0: guest.order[63] + cpu 1: guest.time[0][3:0]",
		 "0:guest.order.3f 1:guest.time.0[3:0] + "},
		{"cpu 0: cpuid.0x1F.edx[7:0]", "0:cpuid.1f03[7:0] "},
		{"cpu 0: apic_base.mode", "0:apic_base.mode.0 "},
		{"cpu 0: sregs.cs.base + cpu 1: regs.r15", "0:sregs.cs.base.0 1:regs.r15.0 + "},
		{"accepted + warnings", "-1:accepted.0 -1:warnings.0 + "},
		{"error", "-1:error.0 "},
		/* What is named twice is one. */
		{"cpu 1: stat.exits + cpu 0: stat.x", "1:stat.0 0:stat.1 + "},
		{"cpu 1: stat.exits + cpu 0: stat.exits", "1:stat.0 0:stat.0 + "},
		{"vm.stat.pages_4k - trace.pages_4k[7:0]", "-1:vm.stat.0 -1:trace.1[7:0] - "},
		{"exit", "-1:exit.0 "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[128];

		snprintf(line, sizeof(line), "expect %s = 1", rows[i].text);
		assert_string_equal(postfix(&step(line)->args[0]), rows[i].want);
	}
}

static void watched(void **state)
{
	const struct scenario *s;

	(void)state;
	step("expect trace.kvm_exit = cpu 1: stat.exits\nlet a vm.stat.exits + trace.kvm_exit\n"
	     "expect a = trace.kvm_exit.exit_reason[0x30] + trace.kvm_exit.exit_reason[48][7:0]");
	s = parsed;
	assert_int_equal(s->nwatched, 4);
	assert_string_equal(s->watched[0].filter, "");
	assert_string_equal(s->watched[3].name, "kvm_exit");
	assert_string_equal(s->watched[3].filter, "exit_reason == 48");
	assert_int_equal(s->watched[0].object->kind, OBJECT_TRACE);
	assert_string_equal(s->watched[0].name, "kvm_exit");
	assert_int_equal(s->watched[1].object->kind, OBJECT_STAT);
	assert_string_equal(s->watched[1].name, "exits");
	assert_int_equal(s->watched[2].object->kind, OBJECT_VM_STAT);
	assert_string_equal(s->watched[2].name, "exits");
}

static void comparisons(void **state)
{
	static const char *const texts[] = {"=", "!=", "<", "<=", ">", ">="};

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		char line[128];
		const struct step *st;

		snprintf(line, sizeof(line), "expect 1%s2\ndeviates %s 3", texts[i], texts[5 - i]);
		st = step(line);
		assert_int_equal(st->kind, STEP_EXPECT);
		assert_int_equal(st->cmp, i);
		assert_true(st->has_dev);
		assert_int_equal(st->dev_cmp, 5 - i);
		assert_string_equal(postfix(&st->args[1]), "2 ");
		assert_string_equal(postfix(&st->args[2]), "3 ");
	}
	assert_int_equal(step("expect 1 < 2\ndeviates -1")->dev_cmp, CMP_EQ);
	assert_int_equal(step("expect 1 < 2\ndeviates (1)")->dev_cmp, CMP_EQ);
	assert_false(step("expect 1 < 2")->has_dev);
}

static void steps_of_the_machine(void **state)
{
	const struct step *st =
		step("cap x2apic_api use_32bit_ids | disable_broadcast_quirk # all");

	(void)state;
	assert_int_equal(st->kind, STEP_CAP);
	assert_string_equal(st->name, "x2apic_api");
	assert_string_equal(st->text, "cap x2apic_api use_32bit_ids | disable_broadcast_quirk");
	assert_int_equal(st->line, 6);
	assert_string_equal(postfix(&st->args[0]), "1 2 | ");
	assert_false(step("cap split_irqchip")->given[0]);
	assert_true(step("try cap exception_payload 1")->tried);
	st = step("create cpu 300");
	assert_int_equal(st->kind, STEP_CREATE);
	assert_int_equal(st->cpu, 2);
	st = step("irq_line 4 (1)");
	assert_int_equal(st->kind, STEP_IRQ_LINE);
	assert_string_equal(postfix(&st->args[1]), "1 ");
	st = step("try msi vector=0x40 mode=init dest = cpu 1: lapic.id[31:24] level=1");
	assert_int_equal(st->kind, STEP_MSI);
	assert_true(st->tried && st->given[MSI_DEST] && st->given[MSI_VECTOR]);
	assert_true(st->given[MSI_MODE] && st->given[MSI_LEVEL]);
	assert_false(st->given[MSI_RH] || st->given[MSI_LOGICAL] || st->given[MSI_TRIGGER]);
	assert_string_equal(postfix(&st->args[MSI_DEST]), "1:lapic.id.0[31:24] ");
	assert_string_equal(postfix(&st->args[MSI_MODE]), "5 ");
	st = step("route 20 + 4 dest=1 vector=0x41\nirqfd 24\ntry signal (24)\nwait 5 * 2\n"
		  "irqfd 4 resample");
	assert_int_equal(st[0].kind, STEP_ROUTE);
	assert_string_equal(postfix(&st[0].args[ROUTE_GSI]), "20 4 + ");
	assert_string_equal(postfix(&st[0].args[MSI_VECTOR]), "65 ");
	assert_false(st[0].given[MSI_MODE]);
	assert_int_equal(st[1].kind, STEP_IRQFD);
	assert_string_equal(postfix(&st[1].args[0]), "24 ");
	assert_int_equal(st[2].kind, STEP_SIGNAL);
	assert_true(st[2].tried);
	assert_int_equal(st[3].kind, STEP_WAIT);
	assert_string_equal(postfix(&st[3].args[0]), "5 2 * ");
	assert_true(st[4].kind == STEP_IRQFD && st[4].resample && !st[1].resample);
	st = step("let a 1\nlet b a + 1\nlet a b\nexpect a = 1");
	assert_int_equal(st[1].kind, STEP_LET);
	assert_int_equal(st[1].variable, 1);
	assert_string_equal(postfix(&st[1].args[0]), "v0 1 + ");
	assert_int_equal(st[2].variable, 0);
	assert_string_equal(parsed->variables[1], "b");
}

static void steps_of_a_cpu(void **state)
{
	static const struct {
		const char *line;
		enum step_kind kind;
		const char *arg;
	} rows[] = {
		{"cpu 1: reload lapic", STEP_SAVE, NULL},
		{"cpu 1: reload lapic from 0", STEP_SAVE, NULL},
		{"cpu 1: pump", STEP_PUMP, NULL},
		{"cpu 1: nmi", STEP_NMI, NULL},
		{"cpu 1: interrupt 0x20", STEP_INTERRUPT, "32 "},
		{"cpu 1: guest_debug enable | blockirq", STEP_DEBUG, "1 1048576 | "},
		{"cpu 1: vmxon 0x1000", STEP_VMXON, "4096 "},
		{"cpu 1: run 100", STEP_RUN, "100 "},
		{"try cpu 1: set lapic.svr 0x1ff", STEP_SET, "511 "},
		/* Its own objects need not say whose they are. */
		{"cpu 1: set lapic.tpr lapic.ppr + cpu 0: lapic.ppr", STEP_SET,
		 "1:lapic.ppr.0 0:lapic.ppr.0 + "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct step *st = step(rows[i].line);

		assert_int_equal(st->kind, rows[i].kind);
		assert_int_equal(st->cpu, 1);
		assert_int_equal(st->tried, rows[i].line[0] == 't');
		assert_string_equal(st->text, rows[i].line);
		if (rows[i].arg)
			assert_string_equal(postfix(&st->args[0]), rows[i].arg);
	}
	assert_string_equal(step("cpu 1: set lapic.id[31:24] 5")->object.object->name, "lapic.id");
	assert_int_equal(parsed->steps.steps[0].object.hi, 31);
	assert_int_equal(parsed->steps.steps[0].object.cpu, 1);
}

/* Numbers as guest/puppet.h has them; `kind` and `op`, and what is asked for. */
static void steps_of_the_guest(void **state)
{
	static const struct {
		const char *line;
		enum step_kind kind;
		unsigned op;
		const char *a, *b, *ms;
	} rows[] = {
		{"real", STEP_ENTER, PUPPET_REAL, NULL, NULL, NULL},
		{"protected", STEP_ENTER, PUPPET_PROTECTED, NULL, NULL, NULL},
		{"long", STEP_ENTER, PUPPET_LONG, NULL, NULL, NULL},
		{"nop", STEP_GUEST, 0, NULL, NULL, NULL},
		{"rdmsr 0x1b", STEP_GUEST, 1, "27 ", NULL, NULL},
		{"wrmsr 1 + 2 3", STEP_GUEST, 2, "1 2 + ", "3 ", NULL},
		{"read32 4", STEP_GUEST, 3, "4 ", NULL, NULL},
		{"write32 4 5 within 6", STEP_GUEST, 4, "4 ", "5 ", "6 "},
		{"inb 4", STEP_GUEST, 5, "4 ", NULL, NULL},
		{"outb 4 5", STEP_GUEST, 6, "4 ", "5 ", NULL},
		{"inl 4", STEP_GUEST, 7, "4 ", NULL, NULL},
		{"outl 4 5", STEP_GUEST, 8, "4 ", "5 ", NULL},
		{"cli", STEP_GUEST, 9, NULL, NULL, NULL},
		{"sti", STEP_GUEST, 10, NULL, NULL, NULL},
		{"hlt within 5", STEP_GUEST, 11, NULL, NULL, "5 "},
		{"sti_hlt", STEP_GUEST, 12, NULL, NULL, NULL},
		{"pause 9", STEP_GUEST, 13, "9 ", NULL, NULL},
		{"cpuid 1 lapic.id", STEP_GUEST, 14, "1 ", "1:lapic.id.0 ", NULL},
		{"rflags", STEP_GUEST, 15, NULL, NULL, NULL},
		{"rdcr8", STEP_GUEST, 16, NULL, NULL, NULL},
		{"wrcr8 5", STEP_GUEST, 17, "5 ", NULL, NULL},
		{"rdtsc", STEP_GUEST, 18, NULL, NULL, NULL},
		{"shutdown", STEP_GUEST, 19, NULL, NULL, NULL},
		{"answer 4 5", STEP_GUEST, 20, "4 ", "5 ", NULL},
		{"answer_hlt 4 5 within 6", STEP_GUEST, 21, "4 ", "5 ", "6 "},
		{"get msr[5]", STEP_GUEST_GET, 0, NULL, NULL, NULL},
		{"set lapic.tpr 0x20", STEP_GUEST_SET, 0, "32 ", NULL, NULL},
		{"eoi", STEP_GUEST_SET, 0, "0 ", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const want[] = {rows[i].a, rows[i].b, rows[i].ms};
		char line[128];
		const struct step *st;

		snprintf(line, sizeof(line), "try cpu 1: guest %s", rows[i].line);
		st = step(line);
		assert_true(parsed->guest && st->tried);
		assert_int_equal(st->cpu, 1);
		assert_int_equal(st->kind, rows[i].kind);
		assert_int_equal(st->op, rows[i].op);
		for (unsigned a = 0; a < 3; a++) {
			assert_int_equal(st->given[a], want[a] != NULL);
			if (want[a])
				assert_string_equal(postfix(&st->args[a]), want[a]);
		}
	}
	assert_int_equal(step("cpu 1: guest eoi")->object.index, 0xb0);
	assert_string_equal(parsed->steps.steps[0].object.object->name, "lapic");
	assert_int_equal(step("cpu 1: guest get msr[5]")->object.index, 5);
	assert_false(step("cpu 1: nmi") && parsed->guest);
	assert_true(step("expect cpu 1: guest.fault = none") && parsed->guest);
	assert_true(step("cpu 1: set guest.eoi x2apic") && parsed->guest);
	assert_int_equal(parsed->steps.steps[0].kind, STEP_SET);
}

static void an_ipi(void **state)
{
	const struct step *st = step("cpu 1: guest ipi shorthand=others vector=1 mode=nmi level=0 "
				     "trigger=level logical=logical");

	(void)state;
	assert_int_equal(st->kind, STEP_GUEST_IPI);
	assert_false(st->given[MSI_DEST] || st->given[MSI_RH]);
	assert_string_equal(postfix(&st->args[IPI_SHORTHAND]), "3 ");
	assert_string_equal(postfix(&st->args[MSI_MODE]), "4 ");
	assert_string_equal(postfix(&st->args[MSI_TRIGGER]), "1 ");
	assert_string_equal(postfix(&st->args[MSI_LOGICAL]), "1 ");
	st = step("cpu 1: guest ipi dest=lapic.id vector=1");
	assert_string_equal(postfix(&st->args[MSI_DEST]), "1:lapic.id.0 ");
	assert_false(st->given[IPI_SHORTHAND]);
}

static void blocks(void **state)
{
	const struct step *st = step("parallel 100\n"
				     "  cpu 0: nmi\n"
				     "and # second\n"
				     "  repeat 3\n"
				     "    cpu 1: nmi\n"
				     "    repeat 2\n"
				     "      expect 1 = 1\n"
				     "    end\n"
				     "  end\n"
				     "  cpu 1: pump\n"
				     "and\n"
				     "  create cpu 300\n"
				     "end\n"
				     "parallel 1\n"
				     "  irq_line 1 1\n"
				     "end");

	(void)state;
	assert_int_equal(st->kind, STEP_PARALLEL);
	assert_string_equal(postfix(&st->args[0]), "100 ");
	assert_int_equal(st->nbranches, 3);
	assert_int_equal(st->branches[1].n, 2);
	assert_int_equal(st->branches[1].steps[0].kind, STEP_REPEAT);
	assert_int_equal(st->branches[1].steps[0].nbranches, 1);
	assert_int_equal(st->branches[1].steps[0].branches[0].n, 2);
	assert_int_equal(st->branches[1].steps[1].kind, STEP_PUMP);
	assert_int_equal(st->branches[1].steps[1].line, 15);
	assert_int_equal(st[1].kind, STEP_PARALLEL);
}

static void as_many_steps_as_there_may_be(void **state)
{
	char *text = malloc(SCENARIO_BYTES), *at = text;

	(void)state;
	assert_non_null(text);
	at = stpcpy(at, HEAD TAIL);
	for (unsigned i = 2; i < SCENARIO_STEPS; i++)
		at = stpcpy(at, "cpu 1: nmi\n");
	assert_int_equal(parse(text)->steps.n, SCENARIO_STEPS);
	assert_int_equal(parsed->steps.steps[SCENARIO_STEPS - 1].kind, STEP_NMI);
	free(text);
}

/* --- reading a file, and the tables */

static void a_file_is_read(void **state)
{
	char path[] = "/tmp/scenario_parse_test.XXXXXX";
	const char text[] = HEAD TAIL;
	int fd = mkstemp(path);
	struct error err;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	scenario_free(parsed);
	parsed = scenario_read(path, &err);
	unlink(path);
	assert_non_null(parsed);
	assert_string_equal(parsed->path, path);
	assert_null(scenario_read(path, &err));
	assert_int_equal(err.code, EXIT_SETUP);
	scenario_free(NULL);
}

static void the_id_is_the_name_of_the_file(void **state)
{
	static const char text[] = HEAD TAIL;
	static const char *const good[] = {"t.scn", "a/b.scn/t.scn", "x.txt", "scn", ".", ""};
	static const char *const bad[] = {"x.scn", "t/x.scn", "tt.scn", ".scn", "T.scn"};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		scenario_free(parsed);
		parsed = scenario_parse(good[i], text, strlen(text), &err);
		if (!parsed)
			fail_msg("%s", err.text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(scenario_parse(bad[i], text, strlen(text), &err));
		assert_non_null(strstr(err.text, ":1:4: expected the file's name without .scn, "
						 "found 't'"));
	}
}

/* A word means one thing: no object is a value, and no name is there twice. */
static void names_are_unambiguous(void **state)
{
	const struct object *o;
	uint64_t value;

	(void)state;
	for (size_t i = 0; (o = object_at(i)); i++) {
		assert_ptr_equal(object_find(o->name, strlen(o->name)), o);
		assert_false(value_find(o->name, strlen(o->name), &value));
		assert_true(o->size >= 1 && o->size <= 32);
	}
	assert_null(object_find("lapic.i", 7));
	assert_null(object_find("lapic.id\0x", 10));
	assert_null(object_find("", 0));
}

static void values_are_those_of_the_manuals(void **state)
{
	static const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"disabled", 0},
		{"xapic", 2},
		{"lowest", 1},
		{"sipi", 6},
		{"EEXIST", EEXIST},
		{"exit.hlt", 5},
		{"exit.timeout", OBJECT_EXIT_TIMEOUT},
		{"timeout", OBJECT_EXIT_TIMEOUT},
		{"init_received", 2},
		{"blockirq", 1 << 20},
		{"lapic_mmio_hole", 4},
		{"GP", 13},
		{"DE", 0},
		{"UD", 6},
		{"PF", 14},
		{"CP", 21},
		{"none", 0xffffffff},
		{"self", 1},
		{"all", 2},
		{"others", 3},
		{"done", OBJECT_EXIT_DONE},
		{"exit.done", OBJECT_EXIT_DONE},
	};
	static const struct {
		const char *name;
		uint32_t cap;
	} caps[] = {
		{"split_irqchip", 121},	  {"x2apic_api", 129},
		{"disable_quirks2", 213}, {"exception_payload", 164},
		{"disable_quirks", 116},  {"x86_apic_bus_cycles_ns", 237},
	};
	uint64_t value;
	uint32_t cap;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(value_find(rows[i].name, strlen(rows[i].name), &value));
		assert_int_equal(value, rows[i].value);
	}
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		assert_true(cap_find(caps[i].name, strlen(caps[i].name), &cap));
		assert_int_equal(cap, caps[i].cap);
	}
	assert_false(value_find("x2api", 5, &value));
	assert_false(cap_find("X2APIC_API", 10, &cap));
}

static void objects_are_where_kvm_has_them(void **state)
{
	static const struct {
		const char *name;
		enum object_kind kind;
		uint32_t arg, flag;
		uint8_t size;
		bool read_only;
	} rows[] = {
		{"lapic.id", OBJECT_LAPIC, 0x20, 0, 4, false},
		{"lapic.irr", OBJECT_LAPIC, 0x200, 0, 32, false},
		{"msr.x2apic_icr", OBJECT_MSR, 0x830, 0, 8, false},
		{"msr.x2apic_irr7", OBJECT_MSR, 0x827, 0, 8, false},
		{"msr.tsc_deadline", OBJECT_MSR, 0x6e0, 0, 8, false},
		{"regs.rip", OBJECT_REGS, 128, 0, 8, false},
		{"sregs.cs.selector", OBJECT_SREGS, 12, 0, 2, false},
		{"sregs.apic_base", OBJECT_SREGS, 272, 0, 8, false},
		{"events.nmi.pending", OBJECT_EVENTS, 13, 1, 1, false},
		{"events.sipi_vector", OBJECT_EVENTS, 16, 2, 4, false},
		{"events.exception_payload", OBJECT_EVENTS, 56, 0x10, 8, false},
		{"debugregs.dr6", OBJECT_DEBUGREGS, 32, 0, 8, false},
		{"sregs.apic_base.mode", OBJECT_APICBASE_MODE, 1, 0, 1, false},
		{"accepted", OBJECT_ACCEPTED, 0, 0, 8, true},
		{"cpuid", OBJECT_CPUID, 0, 0, 4, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct object *o = object_find(rows[i].name, strlen(rows[i].name));

		assert_non_null(o);
		assert_int_equal(o->kind, rows[i].kind);
		assert_int_equal(o->arg, rows[i].arg);
		assert_int_equal(o->size, rows[i].size);
		assert_int_equal(o->flag, rows[i].flag);
		assert_int_equal(o->read_only, rows[i].read_only);
		assert_int_equal(o->of_cpu, o->kind != OBJECT_ACCEPTED);
	}
}

TEST_MAIN(cmocka_unit_test_teardown(header, clean_up),
	  cmocka_unit_test_teardown(header_defaults, clean_up),
	  cmocka_unit_test_teardown(expressions, clean_up),
	  cmocka_unit_test_teardown(watched, clean_up),
	  cmocka_unit_test_teardown(comparisons, clean_up),
	  cmocka_unit_test_teardown(steps_of_the_machine, clean_up),
	  cmocka_unit_test_teardown(steps_of_a_cpu, clean_up),
	  cmocka_unit_test_teardown(steps_of_the_guest, clean_up),
	  cmocka_unit_test_teardown(an_ipi, clean_up), cmocka_unit_test_teardown(blocks, clean_up),
	  cmocka_unit_test_teardown(as_many_steps_as_there_may_be, clean_up),
	  cmocka_unit_test_teardown(a_file_is_read, clean_up),
	  cmocka_unit_test_teardown(the_id_is_the_name_of_the_file, clean_up),
	  cmocka_unit_test(names_are_unambiguous),
	  cmocka_unit_test(values_are_those_of_the_manuals),
	  cmocka_unit_test(objects_are_where_kvm_has_them))

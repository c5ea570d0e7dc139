// SPDX-License-Identifier: MIT
/* A scenario as a C program: what is read and written, and how its parts lie behind each other. */
#include "scenario/emit_c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario/emit_c_parts.h"
#include "util/file.h"

void emit_refuse(struct emitter *e, const char *why)
{
	if (e->failed)
		return;
	e->failed = true;
	if (e->step)
		error_fill(e->err, EXIT_SETUP, "%s:%u: %.100s: --emit-c cannot tell it in C: %s",
			   e->s->path, e->step->line, e->step->text, why);
	else
		error_fill(e->err, EXIT_SETUP, "%s: --emit-c: %s", e->s->path, why);
}

/* --- what is above main() */

static void head_line(FILE *f, const char *name, const char *text)
{
	if (!text)
		return;
	fprintf(f, " * %-8s ", name);
	emit_comment(f, text, strlen(text));
	fputc('\n', f);
}

static void head_prose(FILE *f, const struct prose *prose)
{
	for (unsigned i = 0; i < prose->n; i++) {
		fputs(" * ", f);
		emit_comment(f, prose->lines[i], strlen(prose->lines[i]));
		fputc('\n', f);
	}
	fputs(prose->n ? " *\n" : "", f);
}

static void head(const struct emitter *e, FILE *f)
{
	static const char *const classes[] = {
		[CLASS_BUG] = "bug", [CLASS_ERRATUM] = "erratum", [CLASS_GUARD] = "guard"};
	const struct scenario *s = e->s;

	fputs("/*\n * ", f);
	emit_comment(f, s->title, strlen(s->title));
	fputs("\n *\n", f);
	head_prose(f, &s->about);
	head_prose(f, &s->cause);
	head_line(f, "id", s->id);
	head_line(f, "class", classes[s->class]);
	head_line(f, "fix", s->fix);
	head_line(f, "fixed", s->fixed_in);
	head_line(f, "manual", s->manual);
	head_line(f, "seen", s->seen);
	head_line(f, "irqchip", irqchip_mode_name(e->mode));
	fprintf(f,
		" *\n * gcc%s FILE && ./a.out%s\n"
		" * Ends with 0: ok, or an erratum; 1: a bug, or something unknown; 77: this host lacks what is\n"
		" * needed; 2: error. Written by `sipi check --emit-c`.%s\n */\n",
		e->parallel ? " -pthread" : "", s->danger ? " --dangerous" : "",
		s->guest ? "\n * What its guest executes stands at the end." : "");
}

static void define(FILE *f, const char *name, const char *text)
{
	fprintf(f, "#define %s ", name);
	emit_string(f, text);
	fputc('\n', f);
}

/* Kernel headers of an older release lack the name; its number never changes. Linux 5.10, the oldest, ends here. */
#define CAP_OLD 190

static void define_cap(FILE *f, const char *name)
{
	uint32_t cap;

	if (!cap_find(name, strlen(name), &cap) || cap < CAP_OLD)
		return;
	fputs("\n#ifndef ", f);
	emit_cap_name(f, name);
	fputs("\n#define ", f);
	emit_cap_name(f, name);
	fprintf(f, " %u\n#endif\n", cap);
}

static void define_caps_of(const struct step_list *list, FILE *f)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct step *st = &list->steps[i];

		if (st->kind == STEP_CAP || st->kind == STEP_CPU_CAP)
			define_cap(f, st->name);
		for (unsigned b = 0; b < st->nbranches; b++)
			define_caps_of(&st->branches[b], f);
	}
}

static void define_caps(const struct scenario *s, FILE *f)
{
	for (unsigned i = 0; i < s->nneeds; i++)
		if (s->needs[i].kind == NEED_CAP)
			define_cap(f, emit_need_cap(&s->needs[i]));
	define_caps_of(&s->steps, f);
}

static void includes(const struct emitter *e, FILE *f)
{
	fputs("#define _GNU_SOURCE\n#include <errno.h>\n#include <fcntl.h>\n#include <inttypes.h>\n"
	      "#include <linux/kvm.h>\n",
	      f);
	if (e->helpers[HELPER_TRACE])
		fputs("#include <linux/perf_event.h>\n", f);
	if (e->parallel)
		fputs("#include <pthread.h>\n", f);
	if (e->helpers[HELPER_RUN])
		fputs("#include <signal.h>\n", f);
	fputs("#include <stdarg.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n",
	      f);
	if (e->helpers[HELPER_IRQFD])
		fputs("#include <sys/eventfd.h>\n", f);
	fputs("#include <sys/ioctl.h>\n", f);
	if (e->helpers[HELPER_RUN] || e->helpers[HELPER_MEMSLOTS] || e->s->guest)
		fputs("#include <sys/mman.h>\n", f);
	if (e->helpers[HELPER_TRACE])
		fputs("#include <sys/syscall.h>\n", f);
	if (e->helpers[HELPER_RUN] || e->helpers[HELPER_CLOCK] || e->helpers[HELPER_WAIT])
		fputs("#include <time.h>\n", f);
	fputs("#include <unistd.h>\n\n", f);
	emit_watched_includes(e, f);
}

static void detail(FILE *f, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(f, " \\\n\t\"        %-7s ", name);
	emit_escaped(f, text);
	fputs("\\n\"", f);
}

static void defines(const struct emitter *e, FILE *f)
{
	const struct scenario *s = e->s;

	define(f, "ID", s->id);
	define(f, "TITLE", s->title);
	define(f, "IRQCHIP", irqchip_mode_name(e->mode));
	define(f, "SCENARIO", s->path);
	define(f, "DEVIATES",
	       s->class == CLASS_BUG	   ? "bug"
	       : s->class == CLASS_ERRATUM ? "erratum"
					   : "unknown");
	fputs("#define DETAILS", f);
	detail(f, "fix", s->fix);
	detail(f, "fixed", s->fixed_in);
	detail(f, "manual", s->manual);
	fprintf(f, "\n#define EXPECTS %u\n", e->expects);
	if (s->vm)
		fprintf(f, "#define VM_TYPE %u /* %s */\n", s->vm->type, s->vm->constant);
	define_caps(s, f);
	fputc('\n', f);
}

static void vcpus(struct emitter *e, FILE *f)
{
	fputs("static int *const vcpus[] = {", f);
	for (unsigned i = 0; i < e->s->ncpus; i++) {
		fputs(i ? ", &" : "&", f);
		emit_cpu(e, (int32_t)i);
	}
	fputs("};\n", f);
}

static void variables(struct emitter *e, FILE *f)
{
	struct function part = {.f = f};

	e->now = &part;
	for (unsigned i = 0; i < e->s->ncpus; i++) {
		fputs("static int ", f);
		emit_cpu(e, (int32_t)i);
		fputs(" = -1;\n", f);
	}
	for (unsigned i = 0; i < e->s->ncpus; i++)
		if (e->locked >> i & 1) {
			fputs("static pthread_mutex_t ", f);
			emit_cpu(e, (int32_t)i);
			fputs("_lock = PTHREAD_MUTEX_INITIALIZER;\n", f);
		}
	for (unsigned i = 0; i < e->s->nvariables; i++) {
		fputs("static uint64_t ", f);
		emit_variable(e, i);
		fputs(";\n", f);
		if (e->owned >> i & 1)
			fprintf(f, "static __thread uint64_t own_%s; /* a branch's */\n",
				e->s->variables[i]);
	}
	if (e->helpers[HELPER_MAILBOX])
		vcpus(e, f);
	fputc('\n', f);
	e->now = NULL;
}

/* --- main() */

static void create_cpus(struct emitter *e)
{
	for (unsigned i = 0; i < e->s->ncpus; i++)
		if (!e->s->late[i]) {
			emit_indent(e);
			fputs("must(create_vcpu(&", e->now->f);
			emit_cpu(e, (int32_t)i);
			fprintf(e->now->f, ", %u));\n", e->s->cpus[i]);
		}
}

/* Capabilities that come first are for VMs without vCPUs. */
static void body(struct emitter *e)
{
	const struct step_list *all = &e->s->steps;
	struct step_list part = {.steps = all->steps};

	while (part.n < all->n && step_is_early(all->steps[part.n].kind))
		part.n++;
	emit_next_line(e, true);
	/* The first one is the boot CPU; KVM takes CPU 0 for it on its own. */
	if (e->s->cpus[0])
		emit(e, "must(ioctl(vm, KVM_SET_BOOT_CPU_ID, %uul));", e->s->cpus[0]);
	emit_list(e, &part);
	create_cpus(e);
	part = (struct step_list){all->steps + part.n, all->n - part.n};
	emit_list(e, &part);
}

static void main_function(const struct emitter *e, FILE *f)
{
	fprintf(f, "int main(%s)\n{\n", e->s->danger ? "int argc, char **argv" : "void");
	if (e->main.seen)
		fputs("\tuint64_t seen;\n", f);
	if (e->main.expected)
		fputs("\tuint64_t expected;\n", f);
	if (e->main.seen)
		fputc('\n', f);
	if (e->s->danger)
		fputs("\tif (argc != 2 || strcmp(argv[1], \"--dangerous\"))\n"
		      "\t\tskip(\"it can harm the host's kernel; --dangerous runs it\");\n",
		      f);
	fprintf(f, "\topen_kvm();\n%s%s\tcreate_vm();\n%s%s\n%s\n\treturn verdict();\n}\n",
		e->needs.text, e->helpers[HELPER_WARNINGS] ? "\topen_kmsg();\n" : "",
		emit_is_tdx(e) ? "\tinit_tdx();\n" : "", e->s->guest ? "\tcreate_memory();\n" : "",
		e->main.text);
}

/* --- the file */

/* The text from the line `cpus` on, with the comment right above it. */
static void find_cpus(struct emitter *e)
{
	const char *p = e->next, *start = p;
	unsigned line = 1, from = 1;

	for (;;) {
		const char *word = p + strspn(p, " \t");
		const char *end = memchr(p, '\n', (size_t)(e->end - p));

		if (strncmp(word, "cpus", 4) == 0 && strchr(" \t", word[4]))
			break;
		p = end ? end + 1 : e->end;
		line++;
		if (*word != '#') {
			start = p;
			from = line;
		}
	}
	e->next = start;
	e->line = from;
}

static bool open_part(struct function *p, unsigned indent)
{
	p->indent = indent;
	p->f = open_memstream(&p->text, &p->size);
	return p->f != NULL;
}

static void close_part(struct function *p, struct emitter *e)
{
	if (p->f && fclose(p->f) != 0)
		emit_refuse(e, "out of memory");
}

static bool parallel(const struct step_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->steps[i].kind == STEP_PARALLEL ||
		    (list->steps[i].nbranches && parallel(&list->steps[i].branches[0])))
			return true;
	return false;
}

static void parts(struct emitter *e)
{
	if (!open_part(&e->main, 1) || !open_part(&e->needs, 1) || !open_part(&e->branches, 0)) {
		emit_refuse(e, "out of memory");
	} else {
		e->parallel = parallel(&e->s->steps);
		find_cpus(e);
		e->now = &e->needs;
		emit_needs(e);
		emit_watched_needs(e);
		e->now = &e->main;
		body(e);
	}
	close_part(&e->main, e);
	close_part(&e->needs, e);
	close_part(&e->branches, e);
}

static void put_program(struct emitter *e, FILE *f)
{
	head(e, f);
	includes(e, f);
	defines(e, f);
	if (e->s->guest)
		emit_guest_setup(f);
	variables(e, f);
	emit_helpers(e, f);
	fputc('\n', f);
	fputs(e->branches.text, f);
	main_function(e, f);
	if (e->s->guest)
		emit_guest_listing(f);
}

static int lost(const char *out, struct error *err)
{
	return error_set(err, EXIT_SETUP, "%s: %s", out, strerror(errno));
}

/* What was written must have arrived. */
static int put_file(struct emitter *e, const char *out, struct error *err)
{
	bool is_stdout = strcmp(out, "-") == 0;
	int fd = is_stdout ? -1 : file_create(out);
	FILE *f = is_stdout ? stdout : fd < 0 ? NULL : fdopen(fd, "w");
	bool failed;

	if (!f) {
		lost(out, err);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	put_program(e, f);
	failed = fflush(f) != 0 || ferror(f);
	if (!is_stdout && fclose(f) != 0)
		failed = true;
	return failed ? lost(is_stdout ? "stdout" : out, err) : 0;
}

static int mode_of(const struct scenario *s, unsigned modes, enum irqchip_mode *mode,
		   struct error *err)
{
	if (s->modes & modes & 1u << IRQCHIP_KERNEL)
		*mode = IRQCHIP_KERNEL;
	else if (s->modes & modes & 1u << IRQCHIP_SPLIT)
		*mode = IRQCHIP_SPLIT;
	else if (s->modes & modes & 1u << IRQCHIP_NONE)
		*mode = IRQCHIP_NONE;
	else if (modes == 1u << IRQCHIP_USER)
		return error_set(
			err, EXIT_SETUP,
			"--emit-c --irqchip user: expected kernel, split or none, for which KVM is enough");
	else
		return error_set(
			err, EXIT_SETUP,
			"%s: --emit-c: it has none of the irqchip modes kernel, split and none that "
			"were asked for",
			s->path);
	return 0;
}

static int emit_scenario(const struct scenario *s, const uint8_t *text, size_t size, unsigned modes,
			 const char *out, struct error *err)
{
	struct emitter e = {.s = s, .err = err};
	int ret;

	if (mode_of(s, modes, &e.mode, err) < 0)
		return -1;
	e.next = (const char *)text;
	e.end = e.next + size;
	parts(&e);
	ret = e.failed ? -1 : out ? put_file(&e, out, err) : 0;
	free(e.main.text);
	free(e.needs.text);
	free(e.branches.text);
	return ret;
}

int emit_c(const char *path, unsigned modes, const char *out, struct error *err)
{
	struct scenario *s;
	uint8_t *text;
	size_t size;
	int ret;

	if (file_read(path, SCENARIO_BYTES, &text, &size, err) < 0)
		return -1;
	s = scenario_parse(path, (const char *)text, size, err);
	ret = s ? emit_scenario(s, text, size, modes, out, err) : -1;
	scenario_free(s);
	free(text);
	return ret;
}

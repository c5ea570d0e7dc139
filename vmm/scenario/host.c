// SPDX-License-Identifier: MIT
#include "scenario/host.h"

#include <cpuid.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "kvm/kvm.h"

/* The value of "KEY : VALUE" in /proc/cpuinfo's first block, or "". */
static void cpuinfo(const char *key, char *value, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	size_t len = strlen(key);
	char line[4096]; /* that of the flags is long */

	*value = '\0';
	while (f && fgets(line, sizeof(line), f) && *line != '\n') {
		const char *rest = line + len + strspn(line + len, " \t");

		if (strncmp(line, key, len) != 0 || *rest != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		rest += 1 + strspn(rest + 1, " ");
		snprintf(value, size, "%s", rest);
		break;
	}
	if (f)
		fclose(f);
}

/* Whose virtual CPU it is, by what it calls itself: "TCGTCGTCGTCG" is QEMU's, which emulates; "": none. */
static void hypervisor(char name[13])
{
	unsigned r[4];

	memset(name, 0, 13);
	if (!__get_cpuid(1, &r[0], &r[1], &r[2], &r[3]) || !(r[2] >> 31))
		return;
	__cpuid(0x40000000, r[0], r[1], r[2], r[3]);
	memcpy(name, &r[1], 12);
	for (char *c = name; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	if (!*name)
		strcpy(name, "no name");
}

static void cpu(char *buf, size_t size)
{
	char name[100], family[12], model[12], stepping[12], microcode[24];

	cpuinfo("model name", name, sizeof(name));
	cpuinfo("cpu family", family, sizeof(family));
	cpuinfo("model", model, sizeof(model));
	cpuinfo("stepping", stepping, sizeof(stepping));
	cpuinfo("microcode", microcode, sizeof(microcode));
	snprintf(buf, size, "%s, family %s, model %s, stepping %s%s%s", name, family, model,
		 stepping, *microcode ? ", microcode " : "", microcode);
}

/* "ept=Y nested=Y": of the files that the pattern names, those that we may read. */
static void parameters(const char *pattern, char *buf, size_t size)
{
	size_t len = 0;
	glob_t g;

	*buf = '\0';
	if (glob(pattern, 0, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		FILE *f = fopen(g.gl_pathv[i], "re");
		char value[100];

		if (f && fgets(value, sizeof(value), f) && len < size) {
			value[strcspn(value, "\n")] = '\0';
			len += (size_t)snprintf(buf + len, size - len, "%s%s=%s", len ? " " : "",
						strrchr(g.gl_pathv[i], '/') + 1, value);
		}
		if (f)
			fclose(f);
	}
	globfree(&g);
}

static void modules(void (*fact)(void *arg, const char *name, const char *value), void *arg)
{
	char pattern[300], name[160], value[2048];
	glob_t g;

	if (glob("/sys/module/kvm*", 0, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		snprintf(pattern, sizeof(pattern), "%.256s/parameters/*", g.gl_pathv[i]);
		parameters(pattern, value, sizeof(value));
		snprintf(name, sizeof(name), "module %.128s", strrchr(g.gl_pathv[i], '/') + 1);
		fact(arg, name, value);
	}
	globfree(&g);
}

void host_facts(void (*fact)(void *arg, const char *name, const char *value), void *arg)
{
	char module[32], buf[400];
	struct utsname u;
	enum kvm_kind kind;

	fact(arg, "sipi", SIPI_VERSION);
	uname(&u);
	snprintf(buf, sizeof(buf), "%s %s %s %s", u.sysname, u.release, u.version, u.machine);
	fact(arg, "kernel", buf);
	cpu(buf, sizeof(buf));
	fact(arg, "CPU", buf);
	hypervisor(buf);
	if (*buf)
		fact(arg, "hypervisor", buf);
	kind = kvm_kind(module);
	snprintf(buf, sizeof(buf), "%s (%s)", *module ? module : "built in", kvm_kind_name(kind));
	fact(arg, "KVM", buf);
	modules(fact, arg);
}

void host_brief(FILE *f)
{
	char module[32];
	enum kvm_kind kind = kvm_kind(module);
	struct utsname u;

	uname(&u);
	fprintf(f, "KVM %s%s (%s), Linux %s", *module ? "by " : "built in", module,
		kvm_kind_name(kind), u.release);
}

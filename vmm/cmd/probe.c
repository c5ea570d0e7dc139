// SPDX-License-Identifier: MIT
/* `sipi probe`: what this host's KVM is, and what of it sipi uses really works. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "io/loop.h"
#include "kvm/kvm.h"

const char probe_usage[] =
	"usage: sipi probe\n"
	"\n"
	"Prints what this host's KVM is and can do: its kind, limits, irqchip modes (each tried with a\n"
	"guest), whether it has APICv or AVIC and what it was seen to inhibit it for, the capabilities\n"
	"that sipi uses, module parameters, and whether io_uring works.\n"
	"Exit code 0, or 77 where there is no KVM.\n";

static const struct {
	int cap;
	const char *name, *use;
} caps[] = {
	{KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP", "irqchip split"},
	{KVM_CAP_IRQCHIP, "IRQCHIP", "irqchip kernel"},
	{KVM_CAP_PIT2, "PIT2", "irqchip kernel"},
	{KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI", "irqchip split: IOAPIC messages"},
	{KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING", "which EOIs exit; GSIs"},
	{KVM_CAP_IRQFD, "IRQFD", "scenarios"},
	{KVM_CAP_X2APIC_API, "X2APIC_API", "32-bit APIC IDs"},
	{KVM_CAP_TSC_DEADLINE_TIMER, "TSC_DEADLINE_TIMER", "the guest's LAPIC timer"},
	{KVM_CAP_SET_BOOT_CPU_ID, "SET_BOOT_CPU_ID", "a boot CPU with any APIC ID"},
	{KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT", "stopping a vCPU"},
	{KVM_CAP_READONLY_MEM, "READONLY_MEM", "ROM"},
	{KVM_CAP_DISABLE_QUIRKS, "DISABLE_QUIRKS", "LINT0 masked at reset"},
	{KVM_CAP_X86_USER_SPACE_MSR, "X86_USER_SPACE_MSR", "a LAPIC in userspace"},
	{KVM_CAP_XCRS, "XCRS", "reset"},
	{KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS", "reset"},
	{KVM_CAP_NESTED_STATE, "NESTED_STATE", "reset"},
	{KVM_CAP_X86_SMM, "X86_SMM", "SMI delivery"},
	{KVM_CAP_BINARY_STATS_FD, "BINARY_STATS_FD", "statistics"},
};

static void row(const char *name, const char *value)
{
	printf("%-22s %s\n", name, value);
}

/* "model name" of /proc/cpuinfo, into buf. */
static const char *cpu_model(char *buf, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(buf, size, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(buf, size, "%s", colon + 2);
		break;
	}
	if (f)
		fclose(f);
	return buf;
}

static void print_host(void)
{
	char module[32], buf[256];
	struct utsname u;
	enum kvm_kind kind;

	uname(&u);
	snprintf(buf, sizeof(buf), "%.60s %.60s %.60s", u.sysname, u.release, u.machine);
	row("host kernel", buf);
	row("host CPU", cpu_model(buf, sizeof(buf)));
	kind = kvm_kind(module);
	snprintf(buf, sizeof(buf), "%s%s%s%s", kvm_kind_name(kind), *module ? " (module " : "",
		 module, *module ? ")" : "");
	row("KVM kind", buf);
}

static void print_limits(int kvm)
{
	char buf[64];

	snprintf(buf, sizeof(buf), "%d recommended, %d at most", kvm_check(kvm, KVM_CAP_NR_VCPUS),
		 kvm_check(kvm, KVM_CAP_MAX_VCPUS));
	row("vCPUs", buf);
	snprintf(buf, sizeof(buf), "below %d", kvm_check(kvm, KVM_CAP_MAX_VCPU_ID));
	row("APIC IDs", buf);
	snprintf(buf, sizeof(buf), "%d", kvm_check(kvm, KVM_CAP_NR_MEMSLOTS));
	row("memslots", buf);
}

static void print_modes(int kvm)
{
	static const struct {
		const char *name;
		enum kvm_trial mode;
	} modes[] = {
		{"irqchip split", KVM_TRIAL_SPLIT},
		{"irqchip kernel", KVM_TRIAL_KERNEL},
		{"irqchip user", KVM_TRIAL_USER},
		{"  its TSC deadline", KVM_TRIAL_DEADLINE},
	};
	struct error err;

	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		bool works = kvm_try_irqchip(kvm, modes[i].mode, &err) == 0;

		printf("%-22s %s%s\n", modes[i].name,
		       works ? "works" : "does not work: ", works ? "" : err.text);
	}
}

static void print_apicv(int kvm)
{
	bool on = kvm_has_apicv();
	char names[256];
	struct error err;

	row("APICv or AVIC", on ? "on" : "off");
	if (!on)
		return;
	if (kvm_try_inhibits(kvm, names, sizeof(names), &err) == 0)
		row("  inhibits", *names ? names : "nothing that was tried");
	else
		printf("%-22s unknown: %s\n", "  inhibits", err.text);
}

static void print_caps(int kvm)
{
	for (unsigned i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "cap %s", caps[i].name);
		printf("%-26s %-6d %s\n", name, kvm_check(kvm, caps[i].cap), caps[i].use);
	}
}

static void print_param(const char *module, const char *name)
{
	char path[400], value[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, name);
	f = fopen(path, "re");
	if (!f)
		return; /* readable by root alone */
	if (fgets(value, sizeof(value), f)) {
		value[strcspn(value, "\n")] = '\0';
		printf("param %s.%s = %s\n", module, name, value);
	}
	fclose(f);
}

static void print_params(const char *module)
{
	struct dirent **list;
	char path[128];
	int n;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters", module);
	n = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.')
			print_param(module, list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

static void print_io(void)
{
	struct error err;
	const char *why;
	struct loop *loop = loop_create(&why, &err);

	if (!loop) {
		row("io loop", err.text);
		return;
	}
	printf("%-22s %s%s%s\n", "io_uring", why ? "refused: " : "works", why ? why : "",
	       why ? "; epoll serves" : "");
	loop_destroy(loop);
}

int cmd_probe(int argc, char **argv)
{
	char module[32];
	struct error err;
	int kvm;

	if (argc > 1) {
		error_fill(&err, EXIT_SETUP, "probe: '%s': takes no arguments", argv[1]);
		return cmd_fail(&err);
	}
	kvm = kvm_open(&err);
	if (kvm < 0)
		return cmd_fail(&err);
	print_host();
	print_limits(kvm);
	print_modes(kvm);
	print_apicv(kvm);
	print_io();
	print_caps(kvm);
	print_params("kvm");
	kvm_kind(module);
	if (*module)
		print_params(module);
	close(kvm);
	return EXIT_OK;
}

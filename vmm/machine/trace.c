// SPDX-License-Identifier: MIT
/* --trace: one line an event, "seconds cpu what"; cpu is "-" for what no CPU did. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "machine/internal.h"
#include "util/clock.h"
#include "util/file.h"

int trace_open(struct machine *m, struct error *err)
{
	int fd;

	if (!m->cfg.trace_path)
		return 0;
	fd = file_create(m->cfg.trace_path);
	m->trace = fd < 0 ? NULL : fdopen(fd, "w");
	if (!m->trace)
		return error_set(err, EXIT_SETUP, "%s: %s", m->cfg.trace_path, strerror(errno));
	return 0;
}

void trace_line(struct machine *m, int cpu, const char *fmt, ...)
{
	uint64_t t = clock_now_ns() - m->start_ns;
	va_list ap;

	flockfile(m->trace);
	fprintf(m->trace, "%llu.%06llu ", (unsigned long long)(t / NSEC_PER_SEC),
		(unsigned long long)(t % NSEC_PER_SEC / 1000));
	if (cpu < 0)
		fputs("- ", m->trace);
	else
		fprintf(m->trace, "%d ", cpu);
	va_start(ap, fmt);
	vfprintf(m->trace, fmt, ap);
	va_end(ap);
	fputc('\n', m->trace);
	funlockfile(m->trace);
}

void trace_close(struct machine *m)
{
	int failed;

	if (!m->trace)
		return;
	failed = ferror(m->trace);
	if (fclose(m->trace) != 0 || failed)
		fprintf(stderr, "sipi: %s: the trace is not complete: %s\n", m->cfg.trace_path,
			strerror(errno));
	m->trace = NULL;
}

const char *exit_reason_name(uint32_t reason)
{
	static const char *const names[] = {
		[KVM_EXIT_UNKNOWN] = "KVM_EXIT_UNKNOWN",
		[KVM_EXIT_EXCEPTION] = "KVM_EXIT_EXCEPTION",
		[KVM_EXIT_IO] = "KVM_EXIT_IO",
		[KVM_EXIT_HYPERCALL] = "KVM_EXIT_HYPERCALL",
		[KVM_EXIT_DEBUG] = "KVM_EXIT_DEBUG",
		[KVM_EXIT_HLT] = "KVM_EXIT_HLT",
		[KVM_EXIT_MMIO] = "KVM_EXIT_MMIO",
		[KVM_EXIT_IRQ_WINDOW_OPEN] = "KVM_EXIT_IRQ_WINDOW_OPEN",
		[KVM_EXIT_SHUTDOWN] = "KVM_EXIT_SHUTDOWN",
		[KVM_EXIT_FAIL_ENTRY] = "KVM_EXIT_FAIL_ENTRY",
		[KVM_EXIT_INTR] = "KVM_EXIT_INTR",
		[KVM_EXIT_SET_TPR] = "KVM_EXIT_SET_TPR",
		[KVM_EXIT_TPR_ACCESS] = "KVM_EXIT_TPR_ACCESS",
		[KVM_EXIT_INTERNAL_ERROR] = "KVM_EXIT_INTERNAL_ERROR",
		[KVM_EXIT_SYSTEM_EVENT] = "KVM_EXIT_SYSTEM_EVENT",
		[KVM_EXIT_IOAPIC_EOI] = "KVM_EXIT_IOAPIC_EOI",
		[KVM_EXIT_X86_RDMSR] = "KVM_EXIT_X86_RDMSR",
		[KVM_EXIT_X86_WRMSR] = "KVM_EXIT_X86_WRMSR",
	};

	if (reason < sizeof(names) / sizeof(names[0]) && names[reason])
		return names[reason];
	return "KVM_EXIT";
}

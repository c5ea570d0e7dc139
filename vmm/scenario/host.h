/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_HOST_H
#define SIPI_SCENARIO_HOST_H

#include <stdio.h>

/*
 * What a bug report must say of the host: versions of sipi and the kernel, the CPU, what virtualizes this host, if
 * anything, KVM's modules and their parameters (those that we may read). Calls fact() for each, always in the same
 * order; the strings live until it returns.
 */
void host_facts(void (*fact)(void *arg, const char *name, const char *value), void *arg);

/* "KVM by kvm_amd (SVM), Linux 6.12.0" */
void host_brief(FILE *f);

#endif

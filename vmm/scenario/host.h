/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SCENARIO_HOST_H
#define SIPI_SCENARIO_HOST_H

/*
 * What a bug report must say of the host: versions of sipi and the kernel, the CPU, KVM's modules and their
 * parameters (those that we may read). Calls fact() for each, always in the same order; the strings live until it
 * returns.
 */
void host_facts(void (*fact)(void *arg, const char *name, const char *value), void *arg);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SIPI_SELFTEST_BENCH_H
#define SIPI_SELFTEST_BENCH_H

#include "selftest/devices.h"
#include "selftest/expect.h"
#include "selftest/garbage.h"
#include "selftest/selftest.h"

#define KNOWN_MAX 64

/* What the tests of one irqchip mode work with. */
struct bench {
	const struct selftest_config *cfg;
	struct selftest_result *res;
	struct rig rig;
	struct schema schema;
	struct legal legal;
	struct rng rng;
	/* Power-on, of a machine on which nothing was tried. */
	struct cpu_image fresh[RIG_CPUS];
	struct dev_image fresh_dev;
	/* What there was before a reset, and is after it. */
	struct cpu_image before[RIG_CPUS], now;
	struct dev_image dev_before, dev_now;
	/* Was it ever anything else than at power-on? */
	bool seen[FIELDS_MAX], dev_seen[DEV_FIELDS];
	const struct known *told[KNOWN_MAX]; /* in this situation */
	unsigned ntold;
};

/* NULL: *err says why. */
struct bench *bench_open(const struct selftest_config *cfg, struct selftest_result *res,
			 struct error *err);
void bench_close(struct bench *b);

/* Garbage in every CPU and device, and what came of it in `before`. The last word is what is in flight. */
int bench_fill(struct bench *b, struct error *err);
int bench_refused(struct vcpu *v, const struct cpu_state *s, int r, struct error *err);
int bench_reset(struct bench *b, enum reset_kind kind, struct error *err);

/* The two tests. */
int values_test(struct bench *b, struct error *err);
int rounds_test(struct bench *b, struct error *err);

/* Values are held against the manual; where: "after INIT". */
void values_check_cpu(struct bench *b, const struct subject *s, const char *where);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * verdicts.h - which rules were found green, so that a reload proves only what
 * has changed.
 *
 * A verdict is about everything that it depends on: the rule's program,
 * settings and tables, its tests with their events, and the options of the
 * workers (limits, numbers, time zone).  The prelude and jq are the same as
 * long as the process lives, and so does this.  Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mapping/rules.h"

struct gan_pool_options;

struct gan_verdict {
	unsigned char subject[32]; /* hash of what it is about */
	uint32_t *requests;        /* that each test made */
	size_t ntests;
	bool kept; /* the set that was proven last has it */
};

/* A zeroed one is empty. */
struct gan_verdicts {
	struct gan_verdict *items;
	size_t n, cap;
};

void gan_verdicts_fini(struct gan_verdicts *v);

GAN_MUST_CHECK int gan_verdict_subject(
    const struct gan_rule *rule, const struct gan_pool_options *opt, unsigned char ret[32]);

/* NULL: nothing is known of it.  Valid until the next call. */
const struct gan_verdict *gan_verdicts_find(
    struct gan_verdicts *v, const unsigned char subject[32]);

/* A rule is green.  Without memory nothing is kept: it is proven again next time. */
void gan_verdicts_add(struct gan_verdicts *v, const unsigned char subject[32],
    const uint32_t *requests, size_t ntests);

/* Forget what was neither found nor added since the last call: the set is done. */
void gan_verdicts_sweep(struct gan_verdicts *v);

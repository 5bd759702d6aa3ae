/* SPDX-License-Identifier: MIT */
/*
 * outputs.h - what two rule sets make of one event, side by side.
 */
#pragma once

#include "base/buf.h"
#include "mapping/pool.h"

/* Copies of results, since those live only until their callback returns. */
struct gan_outputs {
	struct gan_output_set *rules; /* by rule */
	size_t n;
};

GAN_MUST_CHECK int gan_outputs_copy(
    const struct gan_map_result *results, size_t n, struct gan_outputs *ret_out);
void gan_outputs_fini(struct gan_outputs *o);

struct gan_outputs_tally {
	unsigned same, added, removed, changed, rejects, accepts;
};

/*
 * Append an object for each difference, each with a comma behind it when out
 * is not empty.  Outputs of a rule are compared with those of the same key, in
 * their order; a body differs when its JSON does, not when its members stand in another order.
 * key: only outputs with this one, or NULL.
 */
GAN_MUST_CHECK int gan_outputs_compare(const struct gan_outputs *before,
    const struct gan_outputs *after, const struct gan_map_event *ev, const char *key,
    struct gan_outputs_tally *tally, struct gan_buf *out);

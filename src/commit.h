/* SPDX-License-Identifier: MIT */
/*
 * commit.h - what the rules made of one event, in the form the store takes:
 * the bridge between mapping's words and the store's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/config.h"
#include "mapping/pool.h"
#include "store/replay.h"
#include "store/store.h"

struct gan_outcome; /* owns copies of everything */

/* A stored event as the workers take it; everything is borrowed from e. */
struct gan_map_event gan_outcome_subject(const struct gan_event *e);

/*
 * n == 0: no rule listens, the event is ignored.  Any rejection makes the
 * event rejected; what the other rules made is queued all the same.
 * on_unknown: rule beats connector beats `deliver`.
 */
GAN_MUST_CHECK int gan_outcome_of_results(const struct gan_config *conf,
    const struct gan_rules *rules, const struct gan_map_result *results, size_t n,
    int64_t received_ms, struct gan_outcome **ret_outcome);
void gan_outcome_free(struct gan_outcome **op);

/* Deliveries and rejections in it. */
size_t gan_outcome_deliveries(const struct gan_outcome *o);
size_t gan_outcome_rejections(const struct gan_outcome *o);

/* Ask for its commit; the store refuses one that is out of order with GAN_ESTATE. */
GAN_MUST_CHECK int gan_outcome_commit(const struct gan_outcome *o, struct gan_store *store,
    const struct gan_event *event, gan_done_fn cb, void *arg);

/* The same for rules that rejected it before: the event keeps its place. */
GAN_MUST_CHECK int gan_outcome_commit_again(const struct gan_outcome *o, struct gan_store *store,
    const struct gan_event *event, gan_done_fn cb, void *arg);

/*
 * As a step of a replay.  key: only deliveries with this one, or NULL.
 * before_id: the event before it in the replay.
 */
GAN_MUST_CHECK int gan_outcome_commit_replay(const struct gan_outcome *o, struct gan_store *store,
    const struct gan_event *event, int64_t no, int64_t before_id, const char *key, gan_done_fn cb,
    void *arg);

/*
 * Name the rules that were run again, for commit_again: their old rejections
 * go.  An outcome without results counts as mapped, not as ignored.
 */
GAN_MUST_CHECK int gan_outcome_retried(struct gan_outcome *o, char *const *rules, size_t n);

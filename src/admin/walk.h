/* SPDX-License-Identifier: MIT */
/*
 * walk.h - stored events one after the other, mapped by one or two rule sets in
 * workers of their own: the daily work keeps all of its workers, and a page of
 * events is all that is in memory.  Loop thread only.
 *
 * Used for what people ask of many events: a plan of a replay, the replay
 * itself, what other rules would have made of them.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "conf/config.h"
#include "mapping/pool.h"
#include "store/replay.h"

struct gan_walk;

/* The next event, the walk's until the next call; NULL: there is none (GAN_OK), or rc says why. */
typedef void (*gan_walk_fn)(void *arg, int rc, struct gan_event *e);

/* The filter is copied.  Events after after_id up to upto_id (0: no bound). */
GAN_MUST_CHECK int gan_walk_open(uv_loop_t *loop, struct gan_store *store,
    const struct gan_config *conf, const struct gan_event_filter *filter, int64_t after_id,
    int64_t upto_id, struct gan_walk **ret_walk, struct gan_err *err);

/* One fn follows, perhaps before this returns.  After gan_walk_cancel(): GAN_EGONE. */
void gan_walk_next(struct gan_walk *w, gan_walk_fn fn, void *arg);

/*
 * Map it with the rules of set that listen to it; rule, connector: only those
 * (NULL: all).  One cb, as of gan_pool_map(), perhaps before this returns; no
 * results when none listens.  side: 0 or 1, each with a worker that keeps the
 * programs of the set that it was given last.
 */
#define GAN_WALK_SIDES 2
void gan_walk_map(struct gan_walk *w, unsigned side, struct gan_rules *set, const char *rule,
    const char *connector, const struct gan_event *e, gan_map_fn cb, void *arg);

/* End what is under way: its callback comes soon, with GAN_EGONE. */
void gan_walk_cancel(struct gan_walk *w);

/* Not while a callback is still to come.  Asynchronous: its worker goes last. */
void gan_walk_close(struct gan_walk **wp);

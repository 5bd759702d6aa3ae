/* SPDX-License-Identifier: MIT */
/*
 * remap.h - `gantryctl retry EVENT`: run the rules that rejected an event
 * again, under the rules in force now.  Loop thread only.
 */
#pragma once

#include <stdint.h>

#include "admin/admin.h"
#include "conf/config.h"
#include "mapping/pool.h"
#include "store/store.h"

/*
 * The answer, a sentence for a person, comes exactly once and later.  A rule
 * that no longer exists or no longer listens counts as mapped to nothing.
 * References to conf and rules are taken.
 */
void gan_remap(struct gan_store *store, struct gan_pool *pool, struct gan_config *conf,
    struct gan_rules *rules, int64_t event_id, gan_remap_fn cb, void *cb_arg);

/* SPDX-License-Identifier: MIT */
/*
 * scope.h - which stored events, rules and deliveries a replay or a comparison
 * is about, as it comes over the control socket and as a replay keeps it:
 * {ids, source, topic, rule, connector, key, since_ms, until_ms, upto}.
 */
#pragma once

#include "store/replay.h"
#include "json/cj.h"

struct gan_scope {
	struct gan_event_filter events; /* borrows from the JSON and from ids */
	const char *rule, *connector, *key;
	int64_t upto; /* the last event, 0: no bound */
	int64_t *ids;
};

#define GAN_SCOPE_ARGS "ids source topic rule connector key since_ms until_ms upto "
#define GAN_SCOPE_IDS_MAX 1000

/* GAN_EINVAL with a sentence.  args must outlive *ret_scope. */
GAN_MUST_CHECK int gan_scope_read(
    const cJSON *args, struct gan_scope *ret_scope, struct gan_err *err);
void gan_scope_fini(struct gan_scope *s); /* also a GAN_AUTO handler */

/* Does it leave anything out? */
bool gan_scope_is_some(const struct gan_scope *s);

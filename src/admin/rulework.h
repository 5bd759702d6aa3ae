/* SPDX-License-Identifier: MIT */
/*
 * rulework.h - check, test and try the rule files of a folder without putting
 * them in force: the same work and the same words in gantryd and in gantryctl
 * without a daemon.  Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "conf/config.h"
#include "mapping/pool.h"

enum gan_rulework_verdict {
	GAN_RULEWORK_GREEN,
	GAN_RULEWORK_RED,    /* a test failed; the rule tried rejects, or its output is refused */
	GAN_RULEWORK_BROKEN, /* a file does not load or a rule does not compile */
	GAN_RULEWORK_NONE,   /* no rule of that name */
	GAN_RULEWORK_FAILED, /* it could not be found out: text says why */
};

/* For gan_rules_load() and its like: what the connectors say. */
extern const struct gan_rule_checks gan_rulework_checks;

/*
 * Called exactly once, perhaps before the call that starts the work returns.
 * json and text are lent; json is NULL with GAN_RULEWORK_NONE and _FAILED.
 */
typedef void (*gan_rulework_fn)(
    void *arg, enum gan_rulework_verdict verdict, const char *json, size_t len, const char *text);

/*
 * Load the folder that conf names, compile every rule, run its golden tests.
 * only: one rule's tests, or NULL.  before: findings to print in front (those
 * of gantry.yaml), or NULL.  tests: the text has a line for each test.
 *
 * json: {ok, rules, passed, failed, findings, tests: [{rule, test, file, line, ok, detail}]}
 */
void gan_rulework_check(struct gan_pool *pool, struct gan_config *conf, const char *only,
    const char *before, bool tests, gan_rulework_fn fn, void *arg);

/*
 * What one rule of the folder would make of an event; nothing is queued.
 * Everything is copied.  ev->source may be NULL: then the event is one that
 * the rule listens to.
 *
 * json: {rule, to, listens, outputs: [{key, effect, after, newest, body, refused, warning}],
 * reject}; refused: why the connector would not send it, or null
 */
void gan_rulework_try(struct gan_pool *pool, struct gan_config *conf, const char *rule,
    const struct gan_map_event *ev, gan_rulework_fn fn, void *arg);

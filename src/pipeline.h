/* SPDX-License-Identifier: MIT */
/*
 * pipeline.h - carries stored events through the mapping workers and hands
 * the outcomes back to the store, in the order of acceptance.
 *
 * At most WINDOW events are under way.  Workers finish them in any order; an
 * outcome is committed when all before it have been handed to the store, so a
 * slow event delays later ones by at most twice the mapping timeout, and a
 * rejected one holds nobody.  Nothing here survives a crash, and nothing has
 * to: the store knows how far mapping has come.  Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "mapping/pool.h"
#include "mapping/rules.h"
#include "store/store.h"

struct gan_pipeline;

/* Borrows store and pool, which must outlive it. */
GAN_MUST_CHECK int gan_pipeline_open(uv_loop_t *loop, struct gan_store *store,
    struct gan_pool *pool, struct gan_pipeline **ret_pipe, struct gan_err *err);

/*
 * Rules for events that are fetched from now on (references are taken); those
 * under way finish with the set they began with.  Until the first call events
 * wait unmapped.
 */
void gan_pipeline_rules(struct gan_pipeline *p, struct gan_config *conf, struct gan_rules *rules);

/*
 * The store has a new event to be mapped: e, taken over, if whoever stored it
 * still has it at hand; NULL when it can only be fetched.
 */
void gan_pipeline_feed(struct gan_pipeline *p, struct gan_event *e);

/* The generation of the rules in force when none of them listens to such events, else 0. */
uint64_t gan_pipeline_ignored_by(
    const struct gan_pipeline *p, const char *source, const char *topic);

/*
 * Fetch nothing more and call back when no commit is outstanding; events whose
 * mapping has not ended are mapped again after the next start.
 */
void gan_pipeline_stop(struct gan_pipeline *p, void (*cb)(void *arg), void *arg);

/* After stop, and after the pool was closed. Asynchronous: the timer's memory goes last. */
void gan_pipeline_close(struct gan_pipeline **pp);

/* SPDX-License-Identifier: MIT */
/*
 * replayer.h - carries out the replay that the store says is under way: events
 * one after the other through the rules in force, by a worker of its own, and
 * what they make into the store, where it waits behind all other deliveries.
 *
 * The store knows how far it has come, so it goes on after a restart, and what
 * a crash undid is done again.  Loop thread only.
 */
#pragma once

#include <uv.h>

#include "conf/config.h"
#include "mapping/rules.h"
#include "store/store.h"

struct gan_replayer;

struct gan_replayer_options {
	uv_loop_t *loop;
	struct gan_store *store;
	struct gan_config *(*conf)(void *arg); /* in force */
	struct gan_rules *(*rules)(void *arg); /* in force; NULL: it waits for some */
	void *arg;
};

GAN_MUST_CHECK int gan_replayer_open(const struct gan_replayer_options *opt,
    struct gan_replayer **ret_replayer, struct gan_err *err);

/* A replay was begun, or one may be: look. */
void gan_replayer_poke(struct gan_replayer *r);

/* Begin nothing more; cb when no commit is outstanding. Then it is gone. */
void gan_replayer_close(struct gan_replayer **rp, void (*cb)(void *arg), void *arg);

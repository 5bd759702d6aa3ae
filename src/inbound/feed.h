/* SPDX-License-Identifier: MIT */
/*
 * feed.h - change channels of the MES, polled: sources of kind prodsmart-feed
 * (design.md section 8).
 *
 * A read removes what it returns, and nobody can read it again.  So it is noted
 * before it leaves, its raw answer is committed before it is parsed, and becomes events in the
 * COMMIT that removes it.  What may be lost is told: an event that is rejected
 * (`<type>.lost`) stands on the attention list, and reconciliation is asked for.
 * One process of a host reads a channel, see feed_lock.h.  Nothing is read
 * while the store has no room.  Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "conf/config.h"
#include "inbound/ask.h"
#include "store/store.h"

struct gan_feeds;

struct gan_feeds_options {
	struct gan_config *conf; /* a reference is taken */
	struct gan_store *store; /* borrowed, must outlive */
	struct gan_asker asker;
	uint64_t (*ignored_by)(void *arg, const char *source, const char *topic); /* or NULL */
	/*
	 * What a read brought may be lost: look at its entities in another way, if there is one
	 * (true).  May be NULL.
	 */
	bool (*on_lost)(void *arg, const char *source, enum gan_entity type);
	void *arg;
};

/* Right after the store was opened: it waits for the store.  Reads begin when the loop runs. */
GAN_MUST_CHECK int gan_feeds_open(uv_loop_t *loop, const struct gan_feeds_options *opt,
    struct gan_feeds **ret_feeds, struct gan_err *err);

/* Other channels, pauses and accounts from now on. */
void gan_feeds_reload(struct gan_feeds *f, struct gan_config *conf);

/* Begin no read; cb when those under way have ended and what they brought is kept. */
void gan_feeds_drain(struct gan_feeds *f, void (*cb)(void *arg), void *arg);

/* After drain. */
void gan_feeds_close(struct gan_feeds **fp);

/* One channel, for status, metrics and attention.  Texts are valid until the next call. */
struct gan_feed_status {
	const char *source, *channel, *type, *connector;
	int64_t read_ms;      /* of the last answer; 0: none yet */
	int64_t next_ms;      /* of the next read; 0: one is under way */
	int64_t events, lost; /* ever */
	const char *error;    /* why the last read brought nothing; NULL: it did */
	int64_t error_since_ms;
	bool locked_out; /* another process of this host reads it */
};
size_t gan_feeds_status(const struct gan_feeds *f, struct gan_feed_status *rows, size_t max);
#define GAN_FEEDS_MAX (64 * GAN_CHANNELS_MAX)

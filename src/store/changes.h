/* SPDX-License-Identifier: MIT */
/*
 * changes.h - the part of the store for what is asked for instead of being
 * told: change channels and reconciliation.  As store.h has it: calls on the
 * loop thread, one callback for each job that was taken, after its COMMIT was
 * synced; GAN_EFULL changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct gan_event;
struct gan_ingest;
struct gan_store;

/* ---- change channels: reads that remove what they return --------------------- */

/*
 * One read, in steps that are a COMMIT each, so that wherever the process ends
 * nothing of it goes unnoticed:
 *
 *	begin    the read is noted, before its first byte leaves; GAN_EFULL: there is no room
 *	         for its answer, do not read
 *	answer   the raw answer is kept, the note goes; body NULL: it was empty
 *	nothing  nothing was read: the note goes
 *	lost     the note goes, and an event tells a person (tell->reject is set)
 *	apart    the kept answer becomes events, all or none, and goes
 *
 * A note that is found at a start is of a read that may be lost.
 */
struct gan_feed_read {
	const char *source, *channel, *type;
	int64_t at_ms;
};
typedef void (*gan_feed_done_fn)(void *arg, int rc);
GAN_MUST_CHECK int gan_store_feed_begin(
    struct gan_store *s, const struct gan_feed_read *r, gan_feed_done_fn cb, void *arg);
GAN_MUST_CHECK int gan_store_feed_nothing(
    struct gan_store *s, const struct gan_feed_read *r, gan_feed_done_fn cb, void *arg);
/* body is copied.  Also with less than min_free left: what is not kept is gone. */
GAN_MUST_CHECK int gan_store_feed_answer(struct gan_store *s, const struct gan_feed_read *r,
    const void *body, size_t len, gan_feed_done_fn cb, void *arg);
GAN_MUST_CHECK int gan_store_feed_lost(struct gan_store *s, const struct gan_feed_read *r,
    const struct gan_ingest *tell, gan_feed_done_fn cb, void *arg);

/* The oldest answer that is kept; row NULL: there is none.  Valid in the callback only. */
struct gan_feed_kept {
	int64_t id;
	struct gan_feed_read read;
	const char *body;
	size_t len;
};
typedef void (*gan_feed_kept_fn)(void *arg, int rc, const struct gan_feed_kept *row);
GAN_MUST_CHECK int gan_store_feed_oldest(struct gan_store *s, gan_feed_kept_fn cb, void *arg);

/*
 * Everything is copied.  dedupe and spool of the events are not looked at.  GAN_EFULL: try later.
 */
GAN_MUST_CHECK int gan_store_feed_apart(struct gan_store *s, int64_t id,
    const struct gan_feed_read *r, const struct gan_ingest *events, size_t n, gan_feed_done_fn cb,
    void *arg);

/* All channels that were ever read.  Blocking, right after open: fn per row. */
struct gan_feed_channel {
	struct gan_feed_read read; /* at_ms: of a read whose end is not known, or 0 */
	int64_t read_ms;           /* of the last answer; 0: none yet */
	int64_t events, lost;      /* ever */
};
GAN_MUST_CHECK int gan_store_feed_channels(struct gan_store *s,
    void (*fn)(void *arg, const struct gan_feed_channel *row), void *arg, struct gan_err *err);

/* ---- reconciliation: what was told, and what was not ---------------------------- */

#define GAN_RECON_HASH 16

/*
 * The next stored events of a source, for whoever can read what they tell: those
 * that were not folded yet, in a batch that was looked through up to last_id; 0: there are no
 * more.  The events are the callback's.  The first time, and afresh, begins behind the newest
 * event.
 */
typedef void (*gan_recon_events_fn)(
    void *arg, int rc, struct gan_event **events, size_t n, int64_t last_id);
GAN_MUST_CHECK int gan_store_recon_events(
    struct gan_store *s, const char *source, bool afresh, gan_recon_events_fn cb, void *arg);

/* What these events told: states of entities, each with when; and where to go on. */
struct gan_recon_told {
	const char *type, *entity;
	unsigned char hash[GAN_RECON_HASH];
	int64_t at_ms;
};
struct gan_recon_fold {
	const char *source;
	const struct gan_recon_told *told;
	size_t n;
	int64_t moves; /* inventory movements: created less deleted */
	int64_t last_id;
};
typedef void (*gan_recon_done_fn)(void *arg, int rc);
GAN_MUST_CHECK int gan_store_recon_fold(
    struct gan_store *s, const struct gan_recon_fold *f, gan_recon_done_fn cb, void *arg);

/*
 * Compare what a list shows with what was told.  A state that was never told,
 * or that something else was told after, is missing; one that has been so for
 * grace_ms becomes an event, in the COMMIT that remembers it.  baseline:
 * whatever is listed counts as told.
 */
struct gan_recon_item {
	const char *entity;
	unsigned char hash[GAN_RECON_HASH];
	const char *body;
	size_t body_len;
};
struct gan_recon_look {
	const char *source, *type, *topic;
	uint64_t ignored_by;
	const struct gan_recon_item *items;
	size_t n;
	int64_t now_ms, grace_ms;
	bool baseline;
	bool listed; /* by a list, in which it is looked for again */
};
struct gan_recon_seen {
	int64_t known, waiting, missed, baseline;
};
typedef void (*gan_recon_look_fn)(void *arg, int rc, const struct gan_recon_seen *seen);
GAN_MUST_CHECK int gan_store_recon_look(
    struct gan_store *s, const struct gan_recon_look *l, gan_recon_look_fn cb, void *arg);

/* The next entity behind `after` that was listed, but not since before_ms; NULL: none is left. */
typedef void (*gan_recon_gone_fn)(void *arg, int rc, const char *entity);
GAN_MUST_CHECK int gan_store_recon_gone(struct gan_store *s, const char *source, const char *type,
    int64_t before_ms, const char *after, gan_recon_gone_fn cb, void *arg);

/*
 * A round is over that began at at_ms; what nobody spoke of since keep_ms is
 * forgotten.  moves not negative: so many movements are listed.
 */
GAN_MUST_CHECK int gan_store_recon_end(struct gan_store *s, const char *source, const char *type,
    int64_t at_ms, int64_t keep_ms, int64_t moves, gan_recon_done_fn cb, void *arg);

/* Where reconciliation stands.  Blocking, right after open: fn per row. */
struct gan_recon_mark {
	const char *source, *type;
	int64_t at_ms;        /* of the last complete round; 0: none */
	int64_t missed;       /* ever */
	int64_t listed, told; /* movements */
};
#define GAN_RECON_MOVES "inventory-movement"
GAN_MUST_CHECK int gan_store_recon_marks(struct gan_store *s,
    void (*fn)(void *arg, const struct gan_recon_mark *m), void *arg, struct gan_err *err);

/* SPDX-License-Identifier: MIT */
/*
 * replay.h - stored events once more: page by page out of the store, and what
 * the rules of now make of them back into it as deliveries of a replay.
 *
 * A replay has a number that is never used again and that stands in each of
 * its deliveries.  How far it has come is committed together with what was
 * made of an event, so that it goes on after a crash and can never double.  One
 * runs at a time.  Threads and callbacks as in store.h.
 */
#pragma once

#include "store/store.h"

struct gan_event_filter {
	const char *source;         /* NULL: any */
	const char *topic;          /* a glob; NULL: any */
	int64_t since_ms, until_ms; /* 0: open */
	const int64_t *ids;         /* ascending; NULL: all that match the rest */
	size_t nids;
};

/*
 * The next events that the filter wants, in the order of acceptance: those
 * after after_id up to upto_id (0: no bound), at most n and about max_bytes.
 * Those that wait to be mapped, and those that are no JSON, are never wanted.
 * The filter is copied; it reads in slices that no COMMIT waits for.  The array and its events are
 * the callback's.  at: go on after this id; done: there is nothing more.
 */
typedef void (*gan_page_fn)(
    void *arg, int rc, struct gan_event **events, size_t n, int64_t at, bool done);
GAN_MUST_CHECK int gan_store_page(struct gan_store *s, const struct gan_event_filter *filter,
    int64_t after_id, int64_t upto_id, size_t n, size_t max_bytes, gan_page_fn cb, void *arg);

/* {replay, state: running | done | stopped, filter, who, reason, begun_at, ended_at, at, upto,
 * events, deliveries, rejected, last_rejection}; the filter as it was given. */

struct gan_replay_begin {
	const char *filter; /* JSON object, kept as it is */
	int64_t upto_id;    /* the last event of it; 0: the last one there is */
	const char *who, *reason;
	int64_t now_ms;
};

/* With its audit row.  GAN_ESTATE and a sentence when another one runs. */
GAN_MUST_CHECK int gan_store_replay_begin(
    struct gan_store *s, const struct gan_replay_begin *b, gan_json_fn cb, void *arg);

/* The one that runs; no is 0 when there is none. */
struct gan_replay {
	int64_t no, at, upto;
	const char *filter;
};
typedef void (*gan_replay_fn)(void *arg, int rc, const struct gan_replay *r);
GAN_MUST_CHECK int gan_store_replay_running(struct gan_store *s, gan_replay_fn cb, void *arg);

/*
 * What the rules made of one event.  Everything is copied.  rc GAN_ESTATE: the
 * replay does not run any more.  GAN_EINVAL: the one before it was not
 * committed, so neither is this one: ask which event is next.
 */
struct gan_replay_commit {
	int64_t no, event_id;
	int64_t before_id; /* the event before it in this replay; 0: it is the first */
	const struct gan_new_delivery *deliveries;
	size_t ndeliveries;
	const struct gan_rejection *rejections;
	size_t nrejections;
	int64_t now_ms;
};
GAN_MUST_CHECK int gan_store_replay_commit(
    struct gan_store *s, const struct gan_replay_commit *c, gan_done_fn cb, void *arg);

/*
 * It came to its end; or, with who, a person stops it (audited).  no 0: the one that
 * runs.  What it made stays.  Answers with the replay; GAN_ESTATE and a sentence
 * when it does not run.
 */
struct gan_replay_end {
	int64_t no;
	const char *who, *reason;
	int64_t now_ms;
};
GAN_MUST_CHECK int gan_store_replay_end(
    struct gan_store *s, const struct gan_replay_end *e, gan_json_fn cb, void *arg);

/* All of them, newest first, at most limit. */
GAN_MUST_CHECK int gan_store_replays(
    struct gan_store *s, unsigned limit, gan_json_fn cb, void *arg);

/* SPDX-License-Identifier: MIT */
/*
 * feed_items.h - what one read of a change channel brought, as events: one per
 * entity, topic `<type>.changed` or `<type>.deleted`.  Pure.
 *
 * Nothing of an answer is dropped: what is no JSON array, and items that are no
 * objects, become events that are rejected (`<type>.unreadable`) with their
 * bytes.
 */
#pragma once

#include "base/buf.h"
#include "store/changes.h"
#include "store/store.h"
#include "json/span.h"

/* More items than any read brings are not taken apart. */
#define GAN_FEED_ITEMS_MAX 1000
/* A read that brought so many is followed by the next one at once. */
#define GAN_FEED_FULL 25

/*
 * Does this object say that its entity was deleted?  The vendor shows it in
 * five ways: running-status or status is "deleted", notification or event-type
 * ends with "_deleted", or there is nothing but an id.
 */
bool gan_feed_deletion(struct gan_span item);

struct gan_feed_events {
	struct gan_ingest *v; /* bodies stand in the answer, texts in `texts` */
	size_t n;
	size_t items; /* of the array; 0 when there is none */
	size_t unreadable;
	struct gan_buf texts;
};
void gan_feed_events_fini(struct gan_feed_events *e); /* also a GAN_AUTO handler */

/*
 * ignored_by (may be NULL): as in struct gan_inbound_options.  Borrows kept,
 * which must outlive *ret.  GAN_ENOMEM.
 */
GAN_MUST_CHECK int gan_feed_take_apart(const struct gan_feed_kept *kept,
    uint64_t (*ignored_by)(void *arg, const char *source, const char *topic), void *arg,
    struct gan_feed_events *ret);

/* Is the answer an empty array, and nothing else? */
bool gan_feed_is_empty(const char *body, size_t len);

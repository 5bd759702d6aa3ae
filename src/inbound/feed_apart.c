/* SPDX-License-Identifier: MIT */
/*
 * feed_apart.c - what is kept becomes events, the oldest answer first, also
 * what a process before this one kept; and its reads whose end is not known are
 * told.  One after the other, whichever channel they are of.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "inbound/feed_priv.h"

#define AGAIN_MS 1000
#define START_MS 100

static void step(struct gan_feeds *f);

void
gan_read_left_free(struct gan_read_left **lp)
{
	struct gan_read_left *l = gan_steal(lp);

	if (l == NULL)
		return;
	free(l->source);
	free(l->channel);
	free(l->type);
	free(l);
}

static void
on_timer(uv_timer_t *t)
{
	struct gan_feeds *f = t->data;

	gan_feeds_apart(f);
}

static void
later(struct gan_feeds *f)
{
	f->apart_busy = false;
	if (f->draining)
		gan_feeds_ended(f);
	else
		gan_must(uv_timer_start(&f->apart_timer, on_timer, AGAIN_MS, 0) == 0);
}

/* Nothing is kept any more: those that waited for it go on. */
static void
go_on(struct gan_feeds *f)
{
	int64_t start_ms = 0;
	struct gan_channel *next;
	bool first = !f->ready;

	f->apart_busy = false;
	f->ready = true;
	for (struct gan_channel *c = f->channels; c != NULL; c = next) {
		next = c->next;
		if (first && c->state == GAN_CHANNEL_IDLE) {
			gan_channel_rest(c, start_ms);
			start_ms += START_MS;
		} else if (c->state == GAN_CHANNEL_APART) {
			gan_channel_rest(c, c->more ? 0 : c->every_ms);
		}
	}
	gan_feeds_ended(f);
}

/* ---- a kept answer ------------------------------------------------------------------ */

struct apart {
	struct gan_feeds *feeds;
	char *source, *channel;
	size_t n, items, unreadable;
	uint32_t crc;
};

static void
apart_free(struct apart **ap)
{
	struct apart *a = gan_steal(ap);

	if (a == NULL)
		return;
	free(a->source);
	free(a->channel);
	free(a);
}

static void
on_apart(void *arg, int rc)
{
	struct apart *a GAN_AUTO(apart_free) = arg;
	struct gan_feeds *f = a->feeds;
	struct gan_channel *c = gan_feeds_find(f, a->source, a->channel);
	const struct gan_log_about about = { .source = a->source };

	if (rc < 0) {
		if (c != NULL && rc != GAN_EGONE)
			gan_channel_says(
			    c, "what it brought cannot become events yet: %s", gan_strerror(rc));
		later(f);
		return;
	}
	if (a->unreadable > 0)
		gan_log(GAN_LOG_WARNING, &about,
		    "channel %s brought what cannot be taken apart: it is on the attention list",
		    a->channel);
	gan_log(GAN_LOG_DEBUG, &about, "channel %s brought %zu changes", a->channel, a->n);
	if (c != NULL) {
		c->events += (int64_t)a->n;
		/* A channel that gives the same again takes nothing away: no reason to hurry. */
		c->more = a->items >= GAN_FEED_FULL && a->crc != c->last_crc;
		c->last_crc = a->crc;
		gan_channel_says(c, NULL);
	}
	step(f);
}

static int
take_apart(struct gan_feeds *f, const struct gan_feed_kept *kept)
{
	struct gan_feed_events e GAN_AUTO(gan_feed_events_fini) = { 0 };
	struct apart *a GAN_AUTO(apart_free) = calloc(1, sizeof(*a));
	int rc = gan_feed_take_apart(kept, f->opt.ignored_by, f->opt.arg, &e);

	if (rc < 0 || a == NULL)
		return GAN_ENOMEM;
	a->feeds = f;
	a->n = e.n;
	a->items = e.items;
	a->unreadable = e.unreadable;
	a->crc = gan_crc32c(0, kept->body, kept->len);
	a->source = gan_asprintf("%s", kept->read.source);
	a->channel = gan_asprintf("%s", kept->read.channel);
	if (a->source == NULL || a->channel == NULL)
		return GAN_ENOMEM;
	GAN_FAILPOINT("feed-before-apart");
	rc = gan_store_feed_apart(f->opt.store, kept->id, &kept->read, e.v, e.n, on_apart, a);
	if (rc == GAN_OK)
		(void)gan_steal(&a); /* on_apart()'s now */
	return rc;
}

static void
on_oldest(void *arg, int rc, const struct gan_feed_kept *row)
{
	struct gan_feeds *f = arg;

	if (rc == GAN_OK && row == NULL) {
		go_on(f);
		return;
	}
	if (rc == GAN_OK && !f->draining)
		rc = take_apart(f, row);
	else if (rc == GAN_OK)
		rc = GAN_EGONE;
	if (rc < 0)
		later(f);
}

/* ---- reads of the process before ---------------------------------------------------------- */

static void
on_told(void *arg, int rc)
{
	struct gan_feeds *f = arg;
	struct gan_read_left *l = f->left;
	struct gan_channel *c;

	if (rc < 0) {
		later(f);
		return;
	}
	c = gan_feeds_find(f, l->source, l->channel);
	if (c != NULL)
		c->nlost++;
	gan_log(GAN_LOG_ERR, &(struct gan_log_about){ .source = l->source },
	    "a read of channel %s was under way when gantryd ended: what it brought may be lost",
	    l->channel);
	f->left = l->next;
	gan_read_left_free(&l);
	step(f);
}

static int
tell(struct gan_feeds *f)
{
	static const char why[] = "gantryd ended while it was under way";
	const struct gan_read_left *l = f->left;
	const struct gan_feed_read r = {
		.source = l->source, .channel = l->channel, .type = l->type, .at_ms = l->at_ms
	};
	struct gan_buf body GAN_AUTO(gan_buf_fini) = { 0 };
	char topic[64], reason[300];
	struct gan_ingest in = {
		.source = l->source, .topic = topic, .reject = reason, .received_ms = gan_wall_ms()
	};
	bool reconciled = false;

	for (int i = 0; i < GAN_ENTITY_N && f->opt.on_lost != NULL; i++) {
		if (strcmp(gan_entity_names[i], l->type) == 0)
			reconciled = f->opt.on_lost(f->opt.arg, l->source, (enum gan_entity)i);
	}
	(void)snprintf(topic, sizeof(topic), "%.50s.lost", l->type);
	gan_feed_lost_reason(&r, why, reconciled, reason, sizeof(reason));
	gan_feed_tell_lost(&r, why, NULL, &body);
	if (body.failed)
		return GAN_ENOMEM;
	in.body = body.data;
	in.body_len = body.len;
	return gan_store_feed_lost(f->opt.store, &r, &in, on_told, f);
}

/* ---- the next thing to do ------------------------------------------------------------------- */

static void
step(struct gan_feeds *f)
{
	int rc;

	if (f->draining) {
		f->apart_busy = false;
		gan_feeds_ended(f);
		return;
	}
	rc = f->left != NULL ? tell(f) : gan_store_feed_oldest(f->opt.store, on_oldest, f);
	if (rc < 0)
		later(f);
}

void
gan_feeds_apart(struct gan_feeds *f)
{
	if (f->apart_busy || f->draining)
		return;
	f->apart_busy = true;
	(void)uv_timer_stop(&f->apart_timer);
	step(f);
}

/* SPDX-License-Identifier: MIT */
/* feed.c - the channels: open, reload, drain, close, status. */
#include "inbound/feed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "inbound/feed_priv.h"

#define START_MS 100 /* between the first reads of two channels */

struct gan_channel *
gan_feeds_find(struct gan_feeds *f, const char *source, const char *name)
{
	for (struct gan_channel *c = f->channels; c != NULL; c = c->next) {
		if (strcmp(c->source, source) == 0 && strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

/* ---- one channel ----------------------------------------------------------------- */

static void
channel_free(struct gan_channel **cp)
{
	struct gan_channel *c = gan_steal(cp);

	if (c == NULL)
		return;
	if (c->lock >= 0)
		(void)close(c->lock);
	gan_buf_fini(&c->answer);
	free(c->source);
	free(c->name);
	free(c->connector);
	free(c);
}

static void
free_if_closed(struct gan_feeds *f)
{
	struct gan_read_left *left;

	if (!f->closing || f->handles > 0)
		return;
	while ((left = f->left) != NULL) {
		f->left = left->next;
		gan_read_left_free(&left);
	}
	gan_config_unref(&f->conf);
	free(f);
}

static void
on_channel_closed(uv_handle_t *h)
{
	struct gan_channel *c = h->data;
	struct gan_feeds *f = c->feeds;

	channel_free(&c);
	f->handles--;
	free_if_closed(f);
}

/* Out of the list at once: another one of the name may come. */
static void
channel_close(struct gan_channel *c)
{
	struct gan_channel **at = &c->feeds->channels;

	if (c->closing)
		return;
	c->closing = true;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (c->lock >= 0)
		(void)close(c->lock);
	c->lock = -1;
	uv_close((uv_handle_t *)&c->timer, on_channel_closed);
}

static void
on_timer(uv_timer_t *t)
{
	gan_channel_on_timer(t->data);
}

void
gan_channel_rest(struct gan_channel *c, int64_t ms)
{
	c->state = GAN_CHANNEL_IDLE;
	if (c->gone) {
		struct gan_feeds *f = c->feeds;

		channel_close(c);
		gan_feeds_ended(f);
		return;
	}
	c->next_ms = gan_wall_ms() + ms;
	if (c->feeds->draining)
		gan_feeds_ended(c->feeds);
	else
		gan_must(uv_timer_start(&c->timer, on_timer, (uint64_t)ms, 0) == 0);
}

void
gan_channel_says(struct gan_channel *c, const char *fmt, ...)
{
	const struct gan_log_about about = { .source = c->source, .connector = c->connector };
	char text[sizeof(c->error)] = "";
	va_list ap;

	if (fmt != NULL) {
		va_start(ap, fmt);
		(void)vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
	}
	if (strcmp(text, c->error) == 0)
		return;
	if (fmt == NULL)
		gan_log(GAN_LOG_NOTICE, &about, "channel %s is read again", c->name);
	else
		gan_log(GAN_LOG_WARNING, &about, "channel %s is not read: %s", c->name, text);
	if (c->error[0] == '\0' || fmt == NULL)
		c->error_since_ms = fmt == NULL ? 0 : gan_wall_ms();
	memcpy(c->error, text, sizeof(c->error));
}

static struct gan_channel *
channel_new(struct gan_feeds *f, const char *source, const struct gan_conf_channel *conf)
{
	struct gan_channel *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->feeds = f;
	c->lock = -1;
	c->source = gan_asprintf("%s", source);
	c->name = gan_asprintf("%s", conf->name);
	if (c->source == NULL || c->name == NULL) {
		channel_free(&c);
		return NULL;
	}
	gan_must(uv_timer_init(f->loop, &c->timer) == 0);
	c->timer.data = c;
	f->handles++;
	c->next = f->channels;
	f->channels = c;
	return c;
}

/* What its source says of it now. */
static bool
channel_tune(struct gan_channel *c, const struct gan_conf_source *s, enum gan_entity type)
{
	char *connector = gan_asprintf("%s", s->connector);

	if (connector == NULL)
		return false;
	free(c->connector);
	c->connector = connector;
	c->type = type;
	c->every_ms = s->every_ms;
	c->gone = false;
	c->relock = true;
	return true;
}

/* ---- all of them ------------------------------------------------------------------ */

static bool
tune_source(struct gan_feeds *f, const struct gan_conf_source *s, int64_t *start_ms)
{
	for (size_t i = 0; i < s->nchannels; i++) {
		struct gan_channel *c = gan_feeds_find(f, s->name, s->channels[i].name);
		bool fresh = c == NULL;

		if (fresh)
			c = channel_new(f, s->name, &s->channels[i]);
		if (c == NULL || !channel_tune(c, s, s->channels[i].type))
			return false;
		/* Before the first start it waits until what was left is events. */
		if (fresh && f->ready)
			gan_channel_rest(c, *start_ms += START_MS);
	}
	return true;
}

static bool
tune(struct gan_feeds *f)
{
	int64_t start_ms = 0;
	bool ok = true;

	for (size_t i = 0; i < f->conf->nsources; i++) {
		const struct gan_conf_source *s = &f->conf->sources[i];

		if (s->kind == GAN_SOURCE_FEED)
			ok = tune_source(f, s, &start_ms) && ok;
	}
	return ok;
}

/* At a start: what earlier processes left, before there are channels. */
struct past {
	struct gan_feeds *f;
	bool no_memory;
};

static void
on_past(void *arg, const struct gan_feed_channel *row)
{
	struct past *p = arg;
	struct gan_channel *c = gan_feeds_find(p->f, row->read.source, row->read.channel);
	struct gan_read_left *left;

	if (c != NULL) {
		c->read_ms = row->read_ms;
		c->events = row->events;
		c->nlost = row->lost;
	}
	if (row->read.at_ms == 0)
		return;
	left = calloc(1, sizeof(*left));
	if (left == NULL) {
		p->no_memory = true;
		return;
	}
	left->next = p->f->left;
	p->f->left = left;
	left->source = gan_asprintf("%s", row->read.source);
	left->channel = gan_asprintf("%s", row->read.channel);
	left->type = gan_asprintf("%s", row->read.type);
	left->at_ms = row->read.at_ms;
	if (left->source == NULL || left->channel == NULL || left->type == NULL)
		p->no_memory = true;
}

static void
on_apart_timer(uv_timer_t *t)
{
	gan_feeds_apart(t->data);
}

int
gan_feeds_open(uv_loop_t *loop, const struct gan_feeds_options *opt, struct gan_feeds **ret_feeds,
    struct gan_err *err)
{
	struct gan_feeds *f = calloc(1, sizeof(*f));
	struct past past = { .f = f };
	int rc = GAN_ENOMEM;

	if (f == NULL)
		return gan_err_set(err, GAN_ENOMEM, "change channels");
	f->loop = loop;
	f->opt = *opt;
	f->conf = gan_config_ref(opt->conf);
	gan_must(uv_timer_init(loop, &f->apart_timer) == 0);
	f->apart_timer.data = f;
	f->handles = 1;
	if (tune(f))
		rc = gan_store_feed_channels(opt->store, on_past, &past, err);
	else
		(void)gan_err_set(err, GAN_ENOMEM, "change channels");
	if (rc == GAN_OK && past.no_memory)
		rc = gan_err_set(err, GAN_ENOMEM, "change channels");
	if (rc < 0) {
		gan_feeds_close(&f);
		return rc;
	}
	gan_must(uv_timer_start(&f->apart_timer, on_apart_timer, 0, 0) == 0);
	*ret_feeds = f;
	return GAN_OK;
}

void
gan_feeds_reload(struct gan_feeds *f, struct gan_config *conf)
{
	struct gan_channel *next;

	gan_config_unref(&f->conf);
	f->conf = gan_config_ref(conf);
	for (struct gan_channel *c = f->channels; c != NULL; c = c->next)
		c->gone = true;
	if (!tune(f))
		gan_log(GAN_LOG_ERR, NULL,
		    "out of memory: reload again, some change channels are "
		    "not read");
	for (struct gan_channel *c = f->channels; c != NULL; c = next) {
		next = c->next;
		if (c->gone && (c->state == GAN_CHANNEL_IDLE || c->state == GAN_CHANNEL_APART))
			channel_close(c);
	}
}

void
gan_feeds_ended(struct gan_feeds *f)
{
	if (!f->draining || f->drain_cb == NULL || f->apart_busy)
		return;
	for (const struct gan_channel *c = f->channels; c != NULL; c = c->next) {
		if (c->state != GAN_CHANNEL_IDLE && c->state != GAN_CHANNEL_APART)
			return;
	}
	void (*cb)(void *) = f->drain_cb;

	f->drain_cb = NULL;
	cb(f->drain_arg);
}

void
gan_feeds_drain(struct gan_feeds *f, void (*cb)(void *arg), void *arg)
{
	f->draining = true;
	f->drain_cb = cb;
	f->drain_arg = arg;
	for (struct gan_channel *c = f->channels; c != NULL; c = c->next) {
		if (c->state == GAN_CHANNEL_IDLE)
			(void)uv_timer_stop(&c->timer);
	}
	(void)uv_timer_stop(&f->apart_timer);
	gan_feeds_ended(f);
}

static void
on_apart_closed(uv_handle_t *h)
{
	struct gan_feeds *f = h->data;

	f->handles--;
	free_if_closed(f);
}

void
gan_feeds_close(struct gan_feeds **fp)
{
	struct gan_feeds *f = gan_steal(fp);

	if (f == NULL)
		return;
	f->closing = true;
	while (f->channels != NULL)
		channel_close(f->channels);
	uv_close((uv_handle_t *)&f->apart_timer, on_apart_closed);
}

size_t
gan_feeds_status(const struct gan_feeds *f, struct gan_feed_status *rows, size_t max)
{
	size_t n = 0;

	for (const struct gan_channel *c = f->channels; c != NULL && n < max; c = c->next) {
		bool waits = c->state == GAN_CHANNEL_IDLE && f->ready && !f->draining;

		if (c->gone)
			continue;
		rows[n++] = (struct gan_feed_status){ .source = c->source,
			.channel = c->name,
			.type = gan_entity_names[c->type],
			.connector = c->connector,
			.read_ms = c->read_ms,
			.next_ms = waits ? c->next_ms : 0,
			.events = c->events,
			.lost = c->nlost,
			.error = c->error[0] != '\0' ? c->error : NULL,
			.error_since_ms = c->error_since_ms,
			.locked_out = c->locked_out };
	}
	return n;
}

/* SPDX-License-Identifier: MIT */
/* feed_items.c - see feed_items.h. */
#include "inbound/feed_items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "json/check.h"

#define DELETED "deleted"

static bool
ends_with_deleted(struct gan_span s)
{
	static const char end[] = "_" DELETED "\"";
	size_t n = sizeof(end) - 1;

	return gan_span_kind(s) == '"' && s.n > n && memcmp(s.p + s.n - n, end, n) == 0;
}

bool
gan_feed_deletion(struct gan_span item)
{
	return gan_span_is(gan_span_get(item, "running-status"), DELETED) ||
	       gan_span_is(gan_span_get(item, "status"), DELETED) ||
	       ends_with_deleted(gan_span_get(item, "notification")) ||
	       ends_with_deleted(gan_span_get(item, "event-type")) ||
	       (gan_span_count(item) == 1 && gan_span_get(item, "id").n > 0);
}

bool
gan_feed_is_empty(const char *body, size_t len)
{
	struct gan_json_info info;

	return gan_json_check(body, len, 1, &info, NULL) == GAN_OK &&
	       gan_span_kind(gan_span_of(body, len)) == '[' &&
	       gan_span_count(gan_span_of(body, len)) == 0;
}

void
gan_feed_events_fini(struct gan_feed_events *e)
{
	free(gan_steal(&e->v));
	gan_buf_fini(&e->texts);
	e->n = 0;
}

/* Texts are put one behind the other; where they begin is known when the buffer stands still. */
struct place {
	size_t topic, meta, reject; /* reject 0: none */
};

struct maker {
	const struct gan_feed_kept *kept;
	struct gan_feed_events *out;
	struct place *places;
	size_t cap;
};

static size_t
begin_text(struct maker *m)
{
	return m->out->texts.len;
}

static void
end_text(struct maker *m)
{
	gan_buf_putc(&m->out->texts, '\0');
}

static void
put_meta(struct maker *m, long index, const struct gan_json_info *info)
{
	struct gan_buf *b = &m->out->texts;
	const struct gan_feed_read *r = &m->kept->read;
	char at[GAN_TIME_LEN];

	gan_buf_puts(b, "{\"channel\":");
	gan_buf_json(b, r->channel, strlen(r->channel));
	gan_buf_printf(b, ",\"read_at\":\"%s\"", gan_time_format(r->at_ms, at));
	if (index >= 0)
		gan_buf_printf(b, ",\"index\":%ld", index);
	if (info != NULL && info->inexact) {
		gan_buf_puts(b, ",\"inexact\":");
		gan_buf_json(b, info->inexact_path, strlen(info->inexact_path));
	}
	gan_buf_putc(b, '}');
	end_text(m);
}

static struct gan_ingest *
add(struct maker *m, struct gan_span body, const char *verb, const char *reject)
{
	struct gan_feed_events *e = m->out;
	struct gan_ingest *in = &e->v[e->n];
	struct place *at = &m->places[e->n++];

	gan_must(e->n <= m->cap);
	at->topic = begin_text(m);
	gan_buf_printf(&e->texts, "%s.%s", m->kept->read.type, verb);
	end_text(m);
	if (reject != NULL) {
		e->unreadable++;
		at->reject = begin_text(m);
		gan_buf_puts(&e->texts, reject);
		end_text(m);
	}
	at->meta = begin_text(m);
	*in = (struct gan_ingest){ .source = m->kept->read.source,
		.received_ms = m->kept->read.at_ms,
		.body_len = body.n };
	/* Borrowed, and only read. */
	in->body = (void *)(uintptr_t)body.p;
	return in;
}

static void
add_item(struct maker *m, struct gan_span item, long index)
{
	struct gan_json_info info = { 0 };
	char why[200];

	if (gan_span_kind(item) != '{') {
		(void)snprintf(why, sizeof(why),
		    "item %ld of what channel %.64s brought is no JSON object: look at it, then "
		    "skip it",
		    index, m->kept->read.channel);
		(void)add(m, item, "unreadable", why);
		put_meta(m, index, NULL);
		return;
	}
	/* It is part of a text that passed: only the numbers are asked for. */
	if (gan_json_check(item.p, item.n, GAN_JSON_DEPTH, &info, NULL) < 0)
		info = (struct gan_json_info){ 0 };
	(void)add(m, item, gan_feed_deletion(item) ? DELETED : "changed", NULL);
	put_meta(m, index, &info);
}

static void
add_whole(struct maker *m, const char *what, const char *more)
{
	char why[800];

	(void)snprintf(why, sizeof(why),
	    "what channel %.64s brought %s%s%s: its changes were not taken apart; look at it with "
	    "gantryctl show --bodies, then skip it",
	    m->kept->read.channel, what, more[0] != '\0' ? ": " : "", more);
	(void)add(m, (struct gan_span){ m->kept->body, m->kept->len }, "unreadable", why);
	put_meta(m, -1, NULL);
}

static void
add_all(struct maker *m, struct gan_span array)
{
	struct gan_span_iter it = { 0 };
	struct gan_span item;
	long index = 0;

	while (gan_span_next(array, &it, NULL, &item))
		add_item(m, item, index++);
}

/* The buffer moves no more. */
static int
settle(struct maker *m, uint64_t (*ignored_by)(void *, const char *, const char *), void *arg)
{
	struct gan_feed_events *e = m->out;

	if (e->texts.failed)
		return GAN_ENOMEM;
	for (size_t i = 0; i < e->n; i++) {
		struct gan_ingest *in = &e->v[i];
		const struct place *at = &m->places[i];

		in->topic = e->texts.data + at->topic;
		in->meta = e->texts.data + at->meta;
		if (at->reject != 0)
			in->reject = e->texts.data + at->reject;
		else if (ignored_by != NULL)
			in->ignored_by = ignored_by(arg, in->source, in->topic);
	}
	return GAN_OK;
}

int
gan_feed_take_apart(const struct gan_feed_kept *kept,
    uint64_t (*ignored_by)(void *arg, const char *source, const char *topic), void *arg,
    struct gan_feed_events *ret)
{
	struct gan_span root = { NULL, 0 };
	struct maker m = { .kept = kept, .out = ret };
	struct gan_json_info info;
	struct gan_err err = { 0 };
	int rc = gan_json_check(kept->body, kept->len, GAN_JSON_DEPTH, &info, &err);

	*ret = (struct gan_feed_events){ 0 };
	if (rc == GAN_OK)
		root = gan_span_of(kept->body, kept->len);
	ret->items = gan_span_kind(root) == '[' ? gan_span_count(root) : 0;
	m.cap = ret->items > 0 && ret->items <= GAN_FEED_ITEMS_MAX ? ret->items : 1;
	ret->v = calloc(m.cap, sizeof(*ret->v));
	m.places = calloc(m.cap, sizeof(*m.places));
	if (ret->v == NULL || m.places == NULL) {
		free(m.places);
		return GAN_ENOMEM;
	}
	if (rc < 0)
		add_whole(&m, "is not valid JSON", err.msg);
	else if (gan_span_kind(root) != '[')
		add_whole(&m, "is no JSON array", "");
	else if (ret->items > GAN_FEED_ITEMS_MAX)
		add_whole(&m, "has more items than a read can bring", "");
	else
		add_all(&m, root);
	rc = settle(&m, ignored_by, arg);
	free(m.places);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/*
 * erp_batch.c - POST /v1/events/{source}/{topic}/batch: each item is an event of
 * its own, stored or refused for itself.  All are given to the store at once, so
 * they share its COMMIT, and the answer has one result for each, in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "inbound/batch.h"
#include "inbound/inbound_priv.h"
#include "json/check.h"

enum { RETRY_AFTER_S = 5 };

struct batch;

/* What became of one item. */
struct item {
	struct batch *batch;
	int64_t event; /* 0: refused */
	bool replayed;
	enum gan_problem problem;
	char *detail; /* of a problem with its body; may be NULL for lack of memory */
};

struct batch {
	struct gan_exchange *x; /* held */
	struct gan_bytes key;   /* of x->req: p is NULL without; not looked at once it runs */
	size_t n, open;         /* open: not answered by the store yet, and one for the sender */
	size_t accepted, replayed, unstored;
	int rc; /* why those were not stored */
	struct item items[];
};

static void accept_batch(struct gan_exchange *x);

/* ---- the answer ------------------------------------------------------------------------ */

static const char *
detail_of(const struct item *it)
{
	if (it->detail != NULL)
		return it->detail;
	return it->problem == GAN_PROBLEM_CONFLICT
		   ? GAN_KEY_REUSED
		   : "This one was not stored. Send it again later.";
}

static void
put_result(struct gan_buf *out, const struct item *it)
{
	char id[GAN_ID_LEN];

	if (it->event == 0) {
		gan_problem_put(out, it->problem, detail_of(it));
		return;
	}
	gan_buf_printf(out, "{\"id\":\"%s\",\"status\":\"accepted\"%s}",
	    gan_id_format(GAN_ID_EVENT, it->event, id), it->replayed ? ",\"replayed\":true" : "");
}

static void
answer(const struct batch *b)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	const struct gan_header replayed = { .name = "Idempotent-Replayed", .value = "true" };

	for (size_t i = 0; i < b->n; i++) {
		gan_buf_putc(&out, i == 0 ? '[' : ',');
		put_result(&out, &b->items[i]);
	}
	gan_buf_puts(&out, "]\n");
	if (out.failed)
		(void)gan_request_problem(b->x->req, GAN_PROBLEM_INTERNAL, 0,
		    "Out of memory after storing: ask for the events, or repeat the batch with its "
		    "Idempotency-Key.");
	else
		(void)gan_request_answer(b->x->req, &(struct gan_answer){ .status = 202,
							.type = "application/json",
							.body = out.data,
							.len = out.len,
							.headers = &replayed,
							.nheaders = b->replayed == b->n });
}

/* A 2xx means stored: when nothing is, the first item's problem is the answer. */
static void
refuse_all(const struct batch *b)
{
	if (b->unstored > 0)
		gan_exchange_unstored(b->x, b->rc, RETRY_AFTER_S);
	else if (b->x->req != NULL)
		(void)gan_request_problem(b->x->req, b->items[0].problem, 0,
		    "None of the items was accepted. %s", detail_of(&b->items[0]));
}

static void
batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->items[i].detail);
	gan_exchange_unref(&b->x);
	free(b);
}

/* The last of those who have a say in it: answers. */
static void
release(struct batch *b)
{
	struct gan_exchange *x = b->x;

	if (--b->open > 0)
		return;
	gan_key_leave(x);
	x->in->stats.accepted += b->accepted;
	x->in->stats.duplicates += b->replayed;
	gan_log(GAN_LOG_DEBUG,
	    &(struct gan_log_about){ .source = x->src->conf->name, .topic = x->topic },
	    "batch of %zu: %zu stored, %zu repeated", b->n, b->accepted, b->replayed);
	if (b->accepted + b->replayed == 0) {
		refuse_all(b);
	} else {
		if (b->unstored > 0)
			gan_exchange_tell_unstored(x, b->rc);
		if (x->req != NULL)
			answer(b);
	}
	batch_free(b);
}

/* ---- the items --------------------------------------------------------------------------- */

static void
unstored(struct item *it, int rc)
{
	it->problem = rc == GAN_EGONE ? GAN_PROBLEM_DRAINING : GAN_PROBLEM_UNAVAILABLE;
	it->batch->rc = rc;
	it->batch->unstored++;
}

static void
on_stored(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t event_id)
{
	struct item *it = arg;
	struct batch *b = it->batch;

	if (rc < 0) {
		unstored(it, rc);
	} else if (verdict == GAN_INGEST_CONFLICT) {
		it->problem = GAN_PROBLEM_CONFLICT;
	} else {
		it->event = event_id;
		it->replayed = verdict == GAN_INGEST_DUPLICATE;
		b->accepted += !it->replayed;
		b->replayed += it->replayed;
	}
	release(b);
}

/* The key of an item is the batch's and its place in it. */
static int
use_key(struct batch *b, size_t i, struct gan_ingest *ev)
{
	char place[24];
	struct gan_bytes parts[3] = { { ev->source, strlen(ev->source) }, b->key, { place, 0 } };

	if (b->key.p == NULL)
		return GAN_OK;
	parts[2].len = (size_t)snprintf(place, sizeof(place), "%zu", i);
	ev->dedupe = GAN_DEDUPE_IDEMPOTENCY;
	return gan_exchange_hash(parts, GAN_COUNT(parts), ev->hash);
}

/* A copy with a NUL behind it. */
static char *
copy(const struct gan_batch_item *from)
{
	char *p = malloc(from->len + 1);

	if (p != NULL) {
		memcpy(p, from->text, from->len);
		p[from->len] = '\0';
	}
	return p;
}

static int
store(struct batch *b, size_t i, const struct gan_batch_item *from, const struct gan_buf *like,
    const struct gan_json_info *info, struct gan_ingest ev)
{
	struct gan_buf meta GAN_AUTO(gan_buf_fini) = { 0 };
	int rc = use_key(b, i, &ev);

	gan_buf_put(&meta, like->data, like->len);
	gan_buf_printf(&meta, ",\"item\":%zu", i);
	if (info->inexact)
		gan_meta_put(&meta, "inexact", info->inexact_path);
	gan_buf_putc(&meta, '}');
	ev.meta = meta.data;
	ev.body = copy(from);
	ev.body_len = from->len;
	if (rc == GAN_OK && (meta.failed || ev.body == NULL))
		rc = GAN_ENOMEM;
	if (rc == GAN_OK)
		rc = gan_store_ingest(b->x->in->store, &ev, on_stored, &b->items[i]);
	if (rc < 0)
		free(ev.body);
	return rc;
}

static void
store_all(struct batch *b, const struct gan_batch *list, const struct gan_buf *meta)
{
	struct gan_exchange *x = b->x;
	const struct gan_ingest ev = { .source = x->src->conf->name,
		.topic = x->topic,
		.topic_raw = x->topic,
		.received_ms = x->received_ms,
		.ignored_by = gan_exchange_ignored_by(x) };

	for (size_t i = 0; i < b->n; i++) {
		struct item *it = &b->items[i];
		struct gan_json_info info;
		struct gan_err err = { 0 };
		int rc;

		it->batch = b;
		if (gan_batch_check(&list->items[i], &info, &err) < 0) {
			it->problem = GAN_PROBLEM_BODY;
			it->detail = gan_asprintf(
			    "Item %zu, %s. Mend it and send it again.", i + 1, err.msg);
			continue;
		}
		b->open++;
		rc = store(b, i, &list->items[i], meta, &info, ev);
		if (rc < 0) {
			b->open--;
			unstored(it, rc);
		}
	}
}

/* ---- the request ------------------------------------------------------------------------- */

/* False when the request was answered. */
static bool
use_batch_key(struct gan_exchange *x, struct gan_bytes *ret_key, struct gan_buf *meta)
{
	char text[GAN_VALUE_MAX + 1];

	if (!gan_key_read(x, ret_key))
		return false;
	if (ret_key->p == NULL)
		return true;

	const struct gan_bytes parts[3] = { { x->src->conf->name, strlen(x->src->conf->name) },
		*ret_key, { "batch", 5 } };

	gan_meta_put(
	    meta, "idempotency_key", gan_printable(ret_key->p, ret_key->len, text, sizeof(text)));
	if (gan_exchange_hash(parts, GAN_COUNT(parts), x->hash) < 0) {
		gan_exchange_unstored(x, GAN_ENOMEM, RETRY_AFTER_S);
		return false;
	}
	return gan_key_enter(x);
}

static void
run(struct gan_exchange *x, const struct gan_batch *list)
{
	struct gan_buf meta GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_bytes key;
	struct batch *b;

	gan_erp_meta(x, &meta);
	if (!use_batch_key(x, &key, &meta))
		return;
	b = calloc(1, sizeof(*b) + list->n * sizeof(b->items[0]));
	if (b == NULL || meta.failed) {
		free(b);
		gan_key_leave(x);
		gan_exchange_unstored(x, GAN_ENOMEM, RETRY_AFTER_S);
		return;
	}
	b->x = gan_exchange_ref(x);
	b->key = key;
	b->n = list->n;
	b->open = 1;
	store_all(b, list, &meta);
	release(b);
}

/* How the body is written, by its type; -1: a type that is not taken, 0: its first byte tells. */
static int
lines_of(const struct gan_request *r)
{
	static const struct {
		const char *type;
		int lines;
	} types[] = { { "application/json", 0 }, { "application/x-ndjson", 1 },
		{ "application/jsonl", 1 } };
	const char *v = gan_request_header(r, "content-type");
	size_t n = v == NULL ? 0 : strcspn(v, "; \t");

	for (size_t i = 0; i < GAN_COUNT(types); i++)
		if (strlen(types[i].type) == n && strncasecmp(v, types[i].type, n) == 0)
			return types[i].lines;
	return -1;
}

static void
accept_batch(struct gan_exchange *x)
{
	struct gan_batch *list = malloc(sizeof(*list));
	struct gan_err err = { 0 };
	size_t len;
	const char *body = gan_request_body(x->req, &len);
	bool lines = lines_of(x->req) > 0 || !gan_batch_is_array(body, len);
	int rc;

	if (list == NULL) {
		gan_exchange_unstored(x, GAN_ENOMEM, RETRY_AFTER_S);
		return;
	}
	rc = gan_batch_split(body, len, lines, list, &err);
	if (rc == GAN_OK)
		run(x, list);
	else
		(void)gan_request_problem(x->req,
		    list->n == GAN_BATCH_MAX ? GAN_PROBLEM_TOO_LARGE : GAN_PROBLEM_BODY, 0, "%s",
		    err.msg);
	free(list);
}

void
gan_erp_head_batch(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS])
{
	const char *topic = part[1];
	struct gan_bytes key;

	if (!gan_sender_of(x, part[0]))
		return;
	if (!gan_topic_valid(topic))
		(void)gan_request_problem(x->req, GAN_PROBLEM_TOPIC, 0, GAN_TOPIC_WANTED);
	else if (lines_of(x->req) < 0)
		(void)gan_request_problem(x->req, GAN_PROBLEM_MEDIA_TYPE, 0,
		    "Send the batch as Content-Type: application/json (an array, or one event on "
		    "each line) or application/x-ndjson.");
	else if (gan_key_read(x, &key))
		x->run = accept_batch;
	if (x->run != NULL)
		memcpy(x->topic, topic, strlen(topic) + 1);
}

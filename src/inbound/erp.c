/* SPDX-License-Identifier: MIT */
/*
 * erp.c - POST /v1/events/{source}/{topic}.  This sender can repeat: whatever is
 * wrong is refused with a reason, and an Idempotency-Key makes a repeat
 * harmless.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "inbound/inbound_priv.h"
#include "json/check.h"

enum { RETRY_AFTER_S = 5 };

static void accept_post(struct gan_exchange *x);

static bool
is_json(const struct gan_request *r)
{
	const char *v = gan_request_header(r, "content-type");
	size_t n = v == NULL ? 0 : strcspn(v, "; \t");

	return n == 16 && strncasecmp(v, "application/json", 16) == 0;
}

void
gan_erp_head_post(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS])
{
	const char *topic = part[1];
	struct gan_bytes key;

	if (!gan_sender_of(x, part[0]))
		return;
	if (!gan_topic_valid(topic))
		(void)gan_request_problem(x->req, GAN_PROBLEM_TOPIC, 0, GAN_TOPIC_WANTED);
	else if (!is_json(x->req))
		(void)gan_request_problem(x->req, GAN_PROBLEM_MEDIA_TYPE, 0,
		    "Send the event as Content-Type: application/json.");
	else if (gan_key_read(x, &key))
		x->run = accept_post;
	if (x->run != NULL)
		memcpy(x->topic, topic, strlen(topic) + 1);
}

static void
answer_accepted(struct gan_exchange *x)
{
	char id[GAN_ID_LEN], body[80], where[40], applied[GAN_WAIT_TEXT];
	const char *waited = gan_wait_applied(x, applied);
	struct gan_header headers[3] = { { .name = "Location", .value = where } };
	size_t n = 1;

	(void)gan_id_format(GAN_ID_EVENT, x->event, id);
	(void)snprintf(where, sizeof(where), "/v1/events/%s", id);
	(void)snprintf(body, sizeof(body), "{\"id\":\"%s\",\"status\":\"accepted\"}\n", id);
	if (x->replayed)
		headers[n++] =
		    (struct gan_header){ .name = "Idempotent-Replayed", .value = "true" };
	if (waited != NULL)
		headers[n++] = (struct gan_header){ .name = "Preference-Applied", .value = waited };
	(void)gan_request_answer(x->req, &(struct gan_answer){ .status = 202,
					     .type = "application/json",
					     .body = body,
					     .len = strlen(body),
					     .headers = headers,
					     .nheaders = n });
}

static void
take_stored(struct gan_exchange *x, bool replayed, int64_t event_id)
{
	char id[GAN_ID_LEN];

	x->event = event_id;
	x->replayed = replayed;
	if (replayed)
		x->in->stats.duplicates++;
	else
		x->in->stats.accepted++;
	gan_log(GAN_LOG_DEBUG,
	    &(struct gan_log_about){ .event = gan_id_format(GAN_ID_EVENT, event_id, id),
		.source = x->src->conf->name,
		.topic = x->topic },
	    replayed ? "post repeated" : "post stored");
	if (x->req != NULL)
		gan_wait_begin(x, gan_wait_wanted(x->req), answer_accepted);
}

static void
on_stored(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t event_id)
{
	struct gan_exchange *x GAN_AUTO(gan_exchange_unref) = arg;

	gan_key_leave(x);
	if (rc < 0) {
		gan_exchange_unstored(x, rc, RETRY_AFTER_S);
	} else if (verdict == GAN_INGEST_CONFLICT) {
		if (x->req != NULL)
			(void)gan_request_problem(x->req, GAN_PROBLEM_CONFLICT, 0, GAN_KEY_REUSED);
	} else {
		take_stored(x, verdict == GAN_INGEST_DUPLICATE, event_id);
	}
}

/* False when the answer was given. */
static bool
use_key(struct gan_exchange *x, struct gan_ingest *ev, struct gan_buf *meta)
{
	struct gan_bytes parts[2] = { { ev->source, strlen(ev->source) } };
	char text[GAN_VALUE_MAX + 1];

	if (!gan_key_read(x, &parts[1]))
		return false;
	if (parts[1].p == NULL)
		return true;
	gan_meta_put(
	    meta, "idempotency_key", gan_printable(parts[1].p, parts[1].len, text, sizeof(text)));
	if (gan_exchange_hash(parts, 2, x->hash) < 0) {
		gan_exchange_unstored(x, GAN_ENOMEM, RETRY_AFTER_S);
		return false;
	}
	ev->dedupe = GAN_DEDUPE_IDEMPOTENCY;
	memcpy(ev->hash, x->hash, sizeof(ev->hash));
	return gan_key_enter(x);
}

static void
store(struct gan_exchange *x, struct gan_ingest *ev, struct gan_buf *meta)
{
	struct gan_exchange *held GAN_AUTO(gan_exchange_unref) = gan_exchange_ref(x);
	int rc = GAN_ENOMEM;

	gan_buf_putc(meta, '}');
	ev->meta = meta->data;
	ev->body = meta->failed ? NULL : gan_request_take_body(x->req, &ev->body_len);
	ev->ignored_by = gan_exchange_ignored_by(x);
	if (ev->body != NULL)
		rc = gan_store_ingest(x->in->store, ev, on_stored, x);
	if (rc < 0) {
		free(ev->body);
		gan_key_leave(x);
		gan_exchange_unstored(x, rc, RETRY_AFTER_S);
		return;
	}
	(void)gan_steal(&held); /* on_stored()'s now */
}

void
gan_erp_meta(struct gan_exchange *x, struct gan_buf *meta)
{
	char value[GAN_VALUE_MAX + 1], client[GAN_CLIENT_LEN];
	bool basic = x->src->auth.ways[x->way - 1].basic;

	gan_buf_putc(meta, '{');
	gan_meta_put(meta, "topic_raw", x->topic);
	gan_meta_put(meta, "content_type", gan_exchange_value(x, "content-type", value));
	gan_meta_put(meta, "remote", gan_snapshot_client(x->snap, x->req, client));
	gan_buf_printf(
	    meta, ",\"%s\":%u", basic ? "password" : "token", x->src->auth.ways[x->way - 1].number);
}

static void
accept_post(struct gan_exchange *x)
{
	struct gan_buf meta GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_ingest ev = { .source = x->src->conf->name,
		.topic = x->topic,
		.topic_raw = x->topic,
		.received_ms = x->received_ms };
	struct gan_json_info info;
	struct gan_err err = { 0 };
	size_t len;
	const char *body = gan_request_body(x->req, &len);

	if (gan_json_check(body, len, GAN_JSON_DEPTH, &info, &err) < 0) {
		(void)gan_request_problem(
		    x->req, GAN_PROBLEM_BODY, 0, "%s. Mend the JSON and send it again.", err.msg);
		return;
	}
	gan_erp_meta(x, &meta);
	if (info.inexact)
		gan_meta_put(&meta, "inexact", info.inexact_path);
	if (use_key(x, &ev, &meta))
		store(x, &ev, &meta);
}

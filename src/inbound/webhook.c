/* SPDX-License-Identifier: MIT */
/*
 * webhook.c - POST /hooks/{source}.  The sender never sends anything twice, so
 * whatever is signed by our secret is stored, and 200 is said only after the
 * COMMIT.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "inbound/inbound_priv.h"
#include "json/check.h"

#define TOPIC_HEADER "x-prodsmart-topic"
#define UUID_HEADER "x-prodsmart-webhook-uuid"
#define TIME_HEADER "x-prodsmart-triggered-at"
#define VERSION_HEADER "x-prodsmart-api-version"

static void accept_webhook(struct gan_exchange *x);

void
gan_webhook_head(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS])
{
	x->src = gan_snapshot_source(x->snap, part[0]);
	if (x->src == NULL || x->src->signer == NULL) {
		(void)gan_request_problem(x->req, GAN_PROBLEM_NOT_FOUND, 0,
		    "No webhook source of this name is configured. Check the callback URL.");
		return;
	}
	x->run = accept_webhook;
}

/* Worth keeping beside a body whose signature did not fit: what it might have been. */
static bool
counts(const struct gan_signer *s, const char *name)
{
	if (strncasecmp(name, "x-prodsmart-", 12) == 0 || gan_header_is(name, "content-type"))
		return true;
	for (size_t i = 0; gan_signer_header(s, i) != NULL; i++)
		if (gan_header_is(name, gan_signer_header(s, i)))
			return true;
	return strcasestr(name, "signature") != NULL || strcasestr(name, "hmac") != NULL;
}

static void
put_headers(const struct gan_exchange *x, struct gan_buf *b)
{
	size_t n;
	const struct gan_header *h = gan_request_headers(x->req, &n);

	gan_buf_putc(b, '{');
	for (size_t i = 0; i < n; i++) {
		char name[128], value[GAN_VALUE_MAX + 1];

		if (!counts(x->src->signer, h[i].name) || h[i].value == NULL ||
		    strlen(h[i].name) >= sizeof(name))
			continue;
		for (size_t j = 0; j <= strlen(h[i].name); j++)
			name[j] = h[i].name[j] >= 'A' && h[i].name[j] <= 'Z'
				      ? (char)(h[i].name[j] - 'A' + 'a')
				      : h[i].name[j];
		gan_meta_put(
		    b, name, gan_printable(h[i].value, strlen(h[i].value), value, sizeof(value)));
	}
	gan_buf_putc(b, '}');
}

static void
refuse_signature(struct gan_exchange *x, const char *why)
{
	struct gan_buf headers GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_inbound *in = x->in;
	char client[GAN_CLIENT_LEN];
	struct gan_quarantine q = { .source = x->src->conf->name,
		.topic = x->topic,
		.why = why,
		.received_ms = x->received_ms };

	in->stats.bad_signature++;
	put_headers(x, &headers);
	q.remote = gan_snapshot_client(x->snap, x->req, client);
	q.headers = headers.data;
	q.body = gan_request_body(x->req, &q.body_len);
	/* Best effort: a flood must not cost more than this. */
	if (!headers.failed)
		(void)!gan_store_quarantine(in->store, &q);
	if (gan_storm_due(&in->refused))
		gan_log(GAN_LOG_WARNING,
		    &(struct gan_log_about){ .source = q.source, .topic = x->topic },
		    "webhook from %s refused: %s; it is kept for a while, see gantryctl quarantine "
		    "list%s",
		    client, why, in->refused.more);
	(void)gan_request_problem(x->req, GAN_PROBLEM_SIGNATURE, 0,
	    "Sign the raw body with the secret of this source. The reason is in Gantry's log.");
}

/* From the header, else from the body, which must then be checked JSON. */
static void
find_topic(struct gan_exchange *x, bool json, char raw[GAN_VALUE_MAX + 1])
{
	static const char *const members[] = { "notification", "event-type" };
	size_t len;
	const char *body = gan_request_body(x->req, &len);

	if (gan_exchange_value(x, TOPIC_HEADER, raw) == NULL) {
		raw[0] = '\0';
		for (size_t i = 0; json && raw[0] == '\0' && i < GAN_COUNT(members); i++)
			(void)gan_topic_from_body(body, len, members[i], raw, GAN_VALUE_MAX + 1);
	}
	gan_topic_canonical(raw, x->topic);
}

/* Only what names one sending can tell a repeat from an equal fact. */
static int
find_repeat(struct gan_exchange *x, struct gan_ingest *ev)
{
	char uuid[GAN_VALUE_MAX + 1], when[GAN_VALUE_MAX + 1];
	struct gan_webhook_name w = { .source = ev->source, .topic = x->topic };

	w.uuid = gan_exchange_value(x, UUID_HEADER, uuid);
	w.triggered_at = gan_exchange_value(x, TIME_HEADER, when);
	if (w.uuid == NULL || w.triggered_at == NULL)
		return GAN_OK;
	w.body = gan_request_body(x->req, &w.body_len);
	ev->dedupe = GAN_DEDUPE_WEBHOOK;
	return gan_inbound_webhook_hash(&w, ev->hash);
}

static void
put_meta(const struct gan_exchange *x, const struct gan_signature *sig, const char *raw,
    const struct gan_json_info *info, struct gan_buf *b)
{
	char value[GAN_VALUE_MAX + 1], client[GAN_CLIENT_LEN];

	gan_buf_putc(b, '{');
	gan_meta_put(b, "topic_raw", raw);
	gan_meta_put(b, "webhook_uuid", gan_exchange_value(x, UUID_HEADER, value));
	gan_meta_put(b, "triggered_at", gan_exchange_value(x, TIME_HEADER, value));
	gan_meta_put(b, "api_version", gan_exchange_value(x, VERSION_HEADER, value));
	gan_meta_put(b, "content_type", gan_exchange_value(x, "content-type", value));
	gan_meta_put(b, "remote", gan_snapshot_client(x->snap, x->req, client));
	if (info->inexact)
		gan_meta_put(b, "inexact", info->inexact_path);
	gan_buf_puts(b, ",\"signature\":{\"header\":\"");
	gan_buf_puts(b, sig->header);
	gan_buf_puts(b, "\",\"form\":\"");
	gan_buf_puts(b, gan_signature_algorithm(sig->algorithm));
	gan_buf_putc(b, '-');
	gan_buf_puts(b, gan_signature_encoding(sig->encoding));
	gan_buf_puts(b, sig->secret == 1 ? "\",\"secret\":1}}" : "\",\"secret\":2}}");
}

static void
tell_form(struct gan_exchange *x, const struct gan_signature *sig)
{
	const char *alg = gan_signature_algorithm(sig->algorithm);
	const char *enc = gan_signature_encoding(sig->encoding);

	if (x->src->form_told || x->src->conf->signature.pinned)
		return;
	x->src->form_told = true;
	gan_log(GAN_LOG_NOTICE, &(struct gan_log_about){ .source = x->src->conf->name },
	    "the first good signature is %s in %s in header %s (secret %u); pin it with "
	    "signature: {header: %s, algorithm: %s, encoding: %s}",
	    alg, enc, sig->header, sig->secret, sig->header, alg, enc);
}

/* As durable as in the database; its id comes when it is imported. */
static void
answer_spooled(struct gan_exchange *x)
{
	static const char body[] = "{\"id\":null,\"status\":\"spooled\"}\n";

	x->in->stats.accepted++;
	if (x->req != NULL)
		(void)gan_request_answer(x->req, &(struct gan_answer){ .status = 200,
						     .type = "application/json",
						     .body = body,
						     .len = sizeof(body) - 1 });
}

static void
on_stored(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t event_id)
{
	struct gan_exchange *x GAN_AUTO(gan_exchange_unref) = arg;
	const char *status = x->rejected ? "rejected" : "stored";
	char id[GAN_ID_LEN], body[80];

	if (rc < 0) {
		gan_exchange_unstored(x, rc, 0);
		return;
	}
	(void)gan_id_format(GAN_ID_EVENT, event_id, id);
	if (verdict == GAN_INGEST_SPOOLED) {
		answer_spooled(x);
		return;
	}
	if (verdict == GAN_INGEST_DUPLICATE) {
		x->in->stats.duplicates++;
		status = "duplicate";
	} else {
		x->in->stats.accepted++;
	}
	gan_log(GAN_LOG_DEBUG,
	    &(struct gan_log_about){ .event = id, .source = x->src->conf->name, .topic = x->topic },
	    "webhook %s", status);
	if (x->req == NULL)
		return;
	(void)snprintf(body, sizeof(body), "{\"id\":\"%s\",\"status\":\"%s\"}\n", id, status);
	(void)gan_request_answer(x->req,
	    &(struct gan_answer){
		.status = 200, .type = "application/json", .body = body, .len = strlen(body) });
}

static void
store(struct gan_exchange *x, struct gan_ingest *ev, struct gan_buf *meta)
{
	struct gan_exchange *held GAN_AUTO(gan_exchange_unref) = NULL;
	int rc = find_repeat(x, ev);

	if (rc == GAN_OK && !meta->failed) {
		ev->meta = meta->data;
		ev->body = gan_request_take_body(x->req, &ev->body_len);
	}
	if (ev->body == NULL) {
		gan_exchange_unstored(x, GAN_ENOMEM, 0);
		return;
	}
	ev->ignored_by = gan_exchange_ignored_by(x);
	held = gan_exchange_ref(x);
	rc = gan_store_ingest(x->in->store, ev, on_stored, x);
	if (rc < 0) {
		free(ev->body);
		gan_exchange_unstored(x, rc, 0);
		return;
	}
	(void)gan_steal(&held); /* on_stored()'s now */
}

static void
tell_rejected(struct gan_exchange *x, const char *why)
{

	x->rejected = true;
	if (gan_storm_due(&x->in->rejected))
		gan_log(GAN_LOG_WARNING,
		    &(struct gan_log_about){ .source = x->src->conf->name, .topic = x->topic },
		    "signed webhook is no JSON, stored as rejected: %s%s", why,
		    x->in->rejected.more);
}

static void
accept_webhook(struct gan_exchange *x)
{
	struct gan_buf meta GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_ingest ev = { .source = x->src->conf->name, .topic = x->topic };
	struct gan_json_info info = { 0 };
	struct gan_signature sig;
	struct gan_err err = { 0 }, json = { 0 };
	char raw[GAN_VALUE_MAX + 1], reject[600];
	size_t n, len;
	const struct gan_header *h = gan_request_headers(x->req, &n);
	const char *body = gan_request_body(x->req, &len);
	int rc;

	rc = gan_signature_verify(x->src->signer, h, n, body, len, &sig, &err);
	if (rc < 0) {
		find_topic(x, false, raw);
		if (rc == GAN_EAUTH)
			refuse_signature(x, err.msg);
		else
			gan_exchange_unstored(x, rc, 0);
		return;
	}
	tell_form(x, &sig);
	rc = gan_json_check(body, len, GAN_JSON_DEPTH, &info, &json);
	find_topic(x, rc == GAN_OK, raw);
	if (rc < 0) {
		(void)snprintf(reject, sizeof(reject), "body is not valid JSON: %s", json.msg);
		ev.reject = reject;
		tell_rejected(x, json.msg);
	}
	ev.topic_raw = raw;
	ev.spool = true;
	ev.received_ms = x->received_ms;
	put_meta(x, &sig, raw, &info, &meta);
	store(x, &ev, &meta);
}

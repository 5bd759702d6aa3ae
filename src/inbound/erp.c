/* SPDX-License-Identifier: MIT */
/*
 * erp.c - POST /v1/events/{source}/{topic} and GET /v1/events/{id}, with
 * bearer tokens.  This sender can repeat: whatever is wrong is refused with a
 * reason, and an Idempotency-Key makes a repeat harmless.
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

enum { TOKEN_MAX = 4096, RETRY_AFTER_S = 5 };

static void accept_post(struct gan_exchange *x);
static void look_up(struct gan_exchange *x);

/* The digest of the bearer token; false when there is none. */
static bool
token_digest(const struct gan_request *r, unsigned char out[GAN_SHA256_LEN])
{
	const char *v = gan_request_header(r, "authorization");
	struct gan_bytes part;

	if (v == NULL || strncasecmp(v, "Bearer", 6) != 0 || strspn(v + 6, " ") == 0)
		return false;
	v += 6 + strspn(v + 6, " ");
	part = (struct gan_bytes){ v, strcspn(v, " \t") };
	if (part.len == 0 || part.len > TOKEN_MAX ||
	    v[part.len + strspn(v + part.len, " \t")] != '\0')
		return false;
	return gan_sha256(&part, 1, out) == GAN_OK;
}

/*
 * The token that fits, from 1; 0 when none does.  Digests are compared, so that
 * neither length nor content shows in the time; all are.
 */
static unsigned
opens(const struct gan_inbound_source *src, const unsigned char digest[GAN_SHA256_LEN])
{
	unsigned hit = 0;

	for (unsigned i = 0; i < src->ntokens; i++)
		if (gan_equal_secret(src->tokens[i], digest, GAN_SHA256_LEN))
			hit = i + 1;
	return hit;
}

static struct gan_inbound_source *
token_owner(struct gan_snapshot *snap, const unsigned char digest[GAN_SHA256_LEN])
{
	struct gan_inbound_source *owner = NULL;

	for (size_t i = 0; i < snap->conf->nsources; i++)
		if (opens(&snap->sources[i], digest) != 0 && owner == NULL)
			owner = &snap->sources[i];
	return owner;
}

static void
refuse_token(struct gan_exchange *x)
{
	char client[GAN_CLIENT_LEN];

	x->in->stats.bad_signature++;
	(void)gan_snapshot_client(x->snap, x->req, client);
	if (gan_storm_due(&x->in->refused))
		gan_log(GAN_LOG_WARNING, NULL,
		    "request from %s refused: bearer token missing or unknown%s", client,
		    x->in->refused.more);
	(void)gan_request_problem_with(x->req, GAN_PROBLEM_TOKEN, "WWW-Authenticate",
	    "Bearer realm=\"gantry\"", "Send 'Authorization: Bearer' with a token of the source.");
}

static bool
is_json(const struct gan_request *r)
{
	const char *v = gan_request_header(r, "content-type");
	size_t n = v == NULL ? 0 : strcspn(v, "; \t");

	return n == 16 && strncasecmp(v, "application/json", 16) == 0;
}

/* Without surrounding space; false when it is not 1 to 255 printable characters. */
static bool
idempotency_key(const char *v, const char **ret_key, size_t *ret_n)
{
	size_t n;

	v += strspn(v, " \t");
	n = strlen(v);
	while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'))
		n--;
	for (size_t i = 0; i < n; i++)
		if (v[i] < ' ' || v[i] > '~')
			return false;
	*ret_key = v;
	*ret_n = n;
	return n >= 1 && n <= 255;
}

static bool
is_running(const struct gan_exchange *x)
{
	for (const struct gan_exchange *k = x->in->keyed; k != NULL; k = k->next)
		if (memcmp(k->hash, x->hash, sizeof(x->hash)) == 0)
			return true;
	return false;
}

static void
leave_keyed(struct gan_exchange *x)
{
	struct gan_exchange **kp = &x->in->keyed;

	if (!x->keyed)
		return;
	while (*kp != x)
		kp = &(*kp)->next;
	*kp = x->next;
	x->keyed = false;
}

/* Everything that can be said before the body is there. */
static void
head_post(struct gan_exchange *x, const char *source, const char *topic)
{
	const char *key = gan_request_header(x->req, "idempotency-key");
	unsigned char digest[GAN_SHA256_LEN];
	size_t n;

	if (strcmp(gan_request_method(x->req), "POST") != 0) {
		(void)gan_request_problem_with(
		    x->req, GAN_PROBLEM_METHOD, "Allow", "POST", "Events are sent with POST.");
		return;
	}
	if (!token_digest(x->req, digest) || token_owner(x->snap, digest) == NULL) {
		refuse_token(x);
		return;
	}
	x->src = gan_snapshot_source(x->snap, source);
	if (x->src == NULL || x->src->conf->kind != GAN_SOURCE_HTTP)
		(void)gan_request_problem(
		    x->req, GAN_PROBLEM_NOT_FOUND, 0, "No source of this name takes events here.");
	else if ((x->token = opens(x->src, digest)) == 0)
		(void)gan_request_problem(x->req, GAN_PROBLEM_FORBIDDEN, 0,
		    "Use the token of the source that stands in the path.");
	else if (x->src->conf->not_built)
		(void)gan_request_problem(x->req, GAN_PROBLEM_NOT_BUILT, 0,
		    "Sources of this kind take no requests in this version of Gantry.");
	else if (!gan_topic_valid(topic))
		(void)gan_request_problem(x->req, GAN_PROBLEM_TOPIC, 0,
		    "A topic has 1 to 100 characters of a-z, 0-9, '.' and '-'.");
	else if (!is_json(x->req))
		(void)gan_request_problem(x->req, GAN_PROBLEM_MEDIA_TYPE, 0,
		    "Send the event as Content-Type: application/json.");
	else if (key != NULL && !idempotency_key(key, &key, &n))
		(void)gan_request_problem(x->req, GAN_PROBLEM_IDEMPOTENCY_KEY, 0,
		    "An Idempotency-Key has 1 to 255 printable ASCII characters.");
	else
		x->run = accept_post;
	if (x->run != NULL)
		memcpy(x->topic, topic, strlen(topic) + 1);
}

static void
head_get(struct gan_exchange *x, const char *id)
{
	const char *method = gan_request_method(x->req);
	unsigned char digest[GAN_SHA256_LEN];
	int64_t number;

	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		(void)gan_request_problem_with(x->req, GAN_PROBLEM_METHOD, "Allow", "GET, HEAD",
		    "An event is read with GET; to send one, POST to "
		    "/v1/events/{source}/{topic}.");
		return;
	}
	x->src = token_digest(x->req, digest) ? token_owner(x->snap, digest) : NULL;
	if (x->src == NULL) {
		refuse_token(x);
	} else if (!gan_id_parse(GAN_ID_EVENT, id, &number)) {
		(void)gan_request_problem(
		    x->req, GAN_PROBLEM_NOT_FOUND, 0, "This is not the id of an event.");
	} else {
		(void)snprintf(x->event_id, sizeof(x->event_id), "%s", id);
		x->run = look_up;
	}
}

void
gan_erp_head(struct gan_exchange *x, const char *rest)
{
	const char *slash = strchr(rest, '/');
	char source[128];

	if (slash == NULL) {
		head_get(x, rest);
		return;
	}
	if (slash == rest || (size_t)(slash - rest) >= sizeof(source) || slash[1] == '\0' ||
	    strchr(slash + 1, '/') != NULL) {
		(void)gan_request_problem(x->req, GAN_PROBLEM_NOT_FOUND, 0,
		    "Events are sent to /v1/events/{source}/{topic}.");
		return;
	}
	memcpy(source, rest, (size_t)(slash - rest));
	source[slash - rest] = '\0';
	head_post(x, source, slash + 1);
}

static void
answer_accepted(struct gan_exchange *x, int64_t event_id, bool replayed)
{
	char id[GAN_ID_LEN], body[80], where[40];
	struct gan_header headers[] = { { .name = "Location", .value = where },
		{ .name = "Idempotent-Replayed", .value = "true" } };

	(void)gan_id_format(GAN_ID_EVENT, event_id, id);
	(void)snprintf(where, sizeof(where), "/v1/events/%s", id);
	(void)snprintf(body, sizeof(body), "{\"id\":\"%s\",\"status\":\"accepted\"}\n", id);
	gan_log(GAN_LOG_DEBUG,
	    &(struct gan_log_about){ .event = id, .source = x->src->conf->name, .topic = x->topic },
	    replayed ? "post repeated" : "post stored");
	if (x->req != NULL)
		(void)gan_request_answer(x->req, &(struct gan_answer){ .status = 202,
						     .type = "application/json",
						     .body = body,
						     .len = strlen(body),
						     .headers = headers,
						     .nheaders = replayed ? 2 : 1 });
}

static void
on_stored(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t event_id)
{
	struct gan_exchange *x GAN_AUTO(gan_exchange_unref) = arg;

	leave_keyed(x);
	if (rc < 0) {
		gan_exchange_unstored(x, rc, RETRY_AFTER_S);
	} else if (verdict == GAN_INGEST_CONFLICT) {
		if (x->req != NULL)
			(void)gan_request_problem(x->req, GAN_PROBLEM_CONFLICT, 0,
			    "This key belongs to another topic or body sent within the last 7 "
			    "days. Use a new key for a new event.");
	} else if (verdict == GAN_INGEST_DUPLICATE) {
		x->in->stats.duplicates++;
		answer_accepted(x, event_id, true);
	} else {
		x->in->stats.accepted++;
		answer_accepted(x, event_id, false);
	}
}

/* False when the answer was given. */
static bool
use_key(struct gan_exchange *x, struct gan_ingest *ev, struct gan_buf *meta)
{
	const char *header = gan_request_header(x->req, "idempotency-key"), *key;
	struct gan_bytes parts[2] = { { ev->source, strlen(ev->source) } };
	char text[GAN_VALUE_MAX + 1];

	if (header == NULL || !idempotency_key(header, &key, &parts[1].len))
		return true;
	parts[1].p = key;
	gan_meta_put(meta, "idempotency_key", gan_printable(key, parts[1].len, text, sizeof(text)));
	if (gan_exchange_hash(parts, 2, x->hash) < 0) {
		gan_exchange_unstored(x, GAN_ENOMEM, RETRY_AFTER_S);
		return false;
	}
	if (is_running(x)) {
		(void)gan_request_problem(x->req, GAN_PROBLEM_IN_FLIGHT, 1,
		    "Wait for the answer to the first request, then repeat this one.");
		return false;
	}
	ev->dedupe = GAN_DEDUPE_IDEMPOTENCY;
	memcpy(ev->hash, x->hash, sizeof(ev->hash));
	return true;
}

static void
store(struct gan_exchange *x, struct gan_ingest *ev, struct gan_buf *meta)
{
	struct gan_exchange *held GAN_AUTO(gan_exchange_unref) = NULL;
	int rc;

	gan_buf_putc(meta, '}');
	ev->meta = meta->data;
	ev->body = meta->failed ? NULL : gan_request_take_body(x->req, &ev->body_len);
	if (ev->body == NULL) {
		gan_exchange_unstored(x, GAN_ENOMEM, RETRY_AFTER_S);
		return;
	}
	ev->ignored_by = gan_exchange_ignored_by(x);
	held = gan_exchange_ref(x);
	rc = gan_store_ingest(x->in->store, ev, on_stored, x);
	if (rc < 0) {
		free(ev->body);
		gan_exchange_unstored(x, rc, RETRY_AFTER_S);
		return;
	}
	if (ev->dedupe == GAN_DEDUPE_IDEMPOTENCY) {
		x->keyed = true;
		x->next = x->in->keyed;
		x->in->keyed = x;
	}
	(void)gan_steal(&held); /* on_stored()'s now */
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
	char value[GAN_VALUE_MAX + 1], client[GAN_CLIENT_LEN];
	size_t len;
	const char *body = gan_request_body(x->req, &len);

	if (gan_json_check(body, len, GAN_JSON_DEPTH, &info, &err) < 0) {
		(void)gan_request_problem(x->req, GAN_PROBLEM_BODY, 0, "%s", err.msg);
		return;
	}
	gan_buf_putc(&meta, '{');
	gan_meta_put(&meta, "topic_raw", x->topic);
	gan_meta_put(&meta, "content_type", gan_exchange_value(x, "content-type", value));
	gan_meta_put(&meta, "remote", gan_snapshot_client(x->snap, x->req, client));
	gan_buf_printf(&meta, ",\"token\":%u", x->token);
	if (info.inexact)
		gan_meta_put(&meta, "inexact", info.inexact_path);
	if (use_key(x, &ev, &meta))
		store(x, &ev, &meta);
}

static void
on_found(void *arg, int rc, const char *json, size_t len)
{
	struct gan_exchange *x GAN_AUTO(gan_exchange_unref) = arg;

	if (x->req == NULL)
		return;
	if (rc == GAN_OK)
		(void)gan_request_answer(x->req,
		    &(struct gan_answer){
			.status = 200, .type = "application/json", .body = json, .len = len });
	else if (rc == GAN_ENOENT || rc == GAN_EINVAL)
		(void)gan_request_problem(x->req, GAN_PROBLEM_NOT_FOUND, 0,
		    "This source sent no event of this id, or it is no longer kept.");
	else
		(void)gan_request_problem(x->req, GAN_PROBLEM_UNAVAILABLE, RETRY_AFTER_S,
		    "The store cannot be asked at the moment. Ask again later.");
}

static void
look_up(struct gan_exchange *x)
{
	struct gan_exchange *held GAN_AUTO(gan_exchange_unref) = gan_exchange_ref(x);
	struct gan_query q = {
		.kind = GAN_QUERY_EVENT, .text = x->event_id, .source = x->src->conf->name
	};
	int rc = gan_store_query(x->in->store, &q, on_found, x);

	if (rc < 0) {
		gan_exchange_unstored(x, rc, RETRY_AFTER_S);
		return;
	}
	(void)gan_steal(&held); /* on_found()'s now */
}

/* SPDX-License-Identifier: MIT */
/*
 * verbs_quarantine.c - take in requests whose signature was refused, now that
 * our secret is mended.
 *
 * One row after the other, in the order of receipt: verify with the secrets of
 * now, store as an event with the same duplicate check as a webhook, and only
 * when that is committed drop the row and write the audit row.  A crash in
 * between leaves a row whose second acceptance is found to be a duplicate.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_priv.h"
#include "base/clock.h"
#include "base/hmac.h"
#include "base/id.h"
#include "inbound/inbound.h"
#include "inbound/topic.h"
#include "json/check.h"

#define IDS_MAX 1000
#define RAW_MAX 256
#define UUID_HEADER "x-prodsmart-webhook-uuid"
#define TIME_HEADER "x-prodsmart-triggered-at"

struct accept {
	struct gan_call *call;
	int64_t ids[IDS_MAX];
	size_t n, i;
	bool all, plan;
	unsigned taken, left;
	struct gan_buf out;
	char source[64], topic[160];
	int64_t received_ms;
	int64_t event_id;
	bool duplicate;
};

static void accept_next(struct accept *a);

static void
accept_free(void *state)
{
	struct accept *a = state;

	gan_buf_fini(&a->out);
	free(a);
}

static void
put_item(struct accept *a, bool ok, const char *reason)
{
	char q[GAN_ID_LEN], e[GAN_ID_LEN];

	gan_id_format(GAN_ID_QUARANTINE, a->ids[a->i], q);
	gan_buf_printf(&a->out, "%s{\"id\":\"%s\",\"source\":", a->i > 0 ? "," : "", q);
	gan_put_str(&a->out, a->source[0] != '\0' ? a->source : NULL);
	gan_buf_puts(&a->out, ",\"topic\":");
	gan_put_str(&a->out, a->topic[0] != '\0' ? a->topic : NULL);
	gan_buf_puts(&a->out, ",\"received_at\":");
	gan_put_time(&a->out, a->received_ms);
	gan_buf_printf(
	    &a->out, ",\"%s\":%s", a->plan ? "matches" : "accepted", ok ? "true" : "false");
	gan_buf_puts(&a->out, ",\"event\":");
	gan_put_str(&a->out, a->event_id != 0 ? gan_id_format(GAN_ID_EVENT, a->event_id, e) : NULL);
	gan_buf_printf(&a->out, ",\"duplicate\":%s,\"reason\":", a->duplicate ? "true" : "false");
	gan_put_str(&a->out, reason);
	gan_buf_puts(&a->out, "}");
	if (ok)
		a->taken++;
	else
		a->left++;
}

/* The row at hand is done with: on to the next one. */
static void
item_done(struct accept *a, bool ok, const char *reason)
{
	put_item(a, ok, reason);
	a->i++;
	a->source[0] = a->topic[0] = '\0';
	a->received_ms = a->event_id = 0;
	a->duplicate = false;
	if (!gan_call_cancelled(a->call))
		accept_next(a);
}

static void
noted(void *arg, int rc, const char *json, size_t len)
{
	struct accept *a = arg;

	(void)json;
	(void)len;
	item_done(a, true, rc < 0 ? "accepted, but its audit row could not be written" : NULL);
}

static void
ingested(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t event_id)
{
	struct accept *a = arg;
	struct gan_call *c = a->call;
	char e[GAN_ID_LEN], q[GAN_ID_LEN], verb[64];
	struct gan_command cmd = { .kind = GAN_CMD_NOTE, .verb = verb };

	if (rc < 0) {
		item_done(a, false, gan_strerror(rc));
		return;
	}
	a->event_id = event_id;
	a->duplicate = verdict == GAN_INGEST_DUPLICATE;
	if (gan_call_cancelled(c))
		return;
	/* When this fails the row stays: accepting it again finds a duplicate. */
	(void)!gan_store_quarantine_drop(c->admin->ops.store, a->ids[a->i]);
	(void)snprintf(verb, sizeof(verb), "quarantine accept %s",
	    gan_id_format(GAN_ID_QUARANTINE, a->ids[a->i], q));
	cmd.id = gan_id_format(GAN_ID_EVENT, event_id, e);
	cmd.who = c->who;
	cmd.reason = c->reason;
	cmd.now_ms = gan_wall_ms();
	rc = gan_store_command(c->admin->ops.store, &cmd, noted, a);
	if (rc < 0)
		noted(a, rc, NULL, 0);
}

/* A text among the kept headers, as a webhook's is read; they are an object of lower-case names. */
static const char *
header_of(const cJSON *headers, const char *name, char out[GAN_INBOUND_VALUE_MAX + 1])
{
	const char *v = cJSON_IsObject(headers) ? gan_cj_str(headers, name) : NULL;

	return gan_inbound_value(v, out);
}

/* As for a webhook that is accepted at once: what names one sending finds its repeats. */
static int
set_dedupe(struct accept *a, const cJSON *headers, struct gan_ingest *in,
    const struct gan_quarantined *row)
{
	char uuid[GAN_INBOUND_VALUE_MAX + 1], when[GAN_INBOUND_VALUE_MAX + 1], id[GAN_ID_LEN];
	struct gan_webhook_name w = { .source = in->source,
		.topic = in->topic,
		.uuid = header_of(headers, UUID_HEADER, uuid),
		.triggered_at = header_of(headers, TIME_HEADER, when),
		.body = row->body,
		.body_len = row->body_len };

	/* Without them a repeat can only be this row, taken in just before a crash. */
	if (w.uuid == NULL || w.triggered_at == NULL) {
		w.uuid = "quarantine";
		w.triggered_at = gan_id_format(GAN_ID_QUARANTINE, a->ids[a->i], id);
	}
	in->dedupe = GAN_DEDUPE_WEBHOOK;
	return gan_inbound_webhook_hash(&w, in->hash);
}

static void
put_meta(struct gan_buf *b, const cJSON *headers, const char *raw, const char *quarantine_id)
{
	static const struct {
		const char *name, *header;
	} table[] = {
		{ "webhook_uuid", UUID_HEADER },
		{ "triggered_at", TIME_HEADER },
		{ "api_version", "x-prodsmart-api-version" },
		{ "content_type", "content-type" },
	};

	gan_buf_puts(b, "{\"topic_raw\":");
	gan_put_str(b, raw);
	for (size_t i = 0; i < GAN_COUNT(table); i++) {
		char value[GAN_INBOUND_VALUE_MAX + 1];
		const char *v = header_of(headers, table[i].header, value);

		if (v == NULL)
			continue;
		gan_buf_printf(b, ",\"%s\":", table[i].name);
		gan_put_str(b, v);
	}
	gan_buf_printf(b, ",\"quarantine\":\"%s\"}", quarantine_id);
}

/* The topic is in a header, else in the body; before its signature fitted nobody looked there. */
static void
find_topic(const cJSON *headers, bool json, const struct gan_quarantined *row, char raw[RAW_MAX],
    char topic[GAN_TOPIC_MAX + 1])
{
	static const char *const members[] = { "notification", "event-type" };
	char value[GAN_INBOUND_VALUE_MAX + 1];
	const char *v = header_of(headers, "x-prodsmart-topic", value);

	(void)snprintf(raw, RAW_MAX, "%s", v != NULL ? v : "");
	for (size_t i = 0; json && raw[0] == '\0' && i < GAN_COUNT(members); i++) {
		if (!gan_topic_from_body(row->body, row->body_len, members[i], raw, RAW_MAX))
			raw[0] = '\0';
	}
	gan_topic_canonical(raw, topic);
}

static int
ingest_row(struct accept *a, const struct gan_quarantined *row)
{
	cJSON *headers GAN_AUTO(gan_cj_free) = NULL;
	struct gan_buf meta GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_err why = { 0 };
	char raw[RAW_MAX], topic[GAN_TOPIC_MAX + 1], id[GAN_ID_LEN];
	struct gan_ingest in = {
		.source = row->source,
		.topic = topic,
		.topic_raw = raw,
		.body_len = row->body_len,
		.received_ms = row->received_ms,
	};
	int rc;

	if (row->headers != NULL)
		(void)!gan_cj_parse(row->headers, strlen(row->headers), &headers, NULL);
	rc = gan_json_check(row->body, row->body_len, GAN_JSON_DEPTH, NULL, &why);
	if (rc < 0)
		in.reject = why.msg;
	find_topic(headers, rc == GAN_OK, row, raw, topic);
	(void)snprintf(a->topic, sizeof(a->topic), "%s", topic);
	put_meta(&meta, headers, raw, gan_id_format(GAN_ID_QUARANTINE, a->ids[a->i], id));
	in.meta = meta.data;
	rc = set_dedupe(a, headers, &in, row);
	if (rc < 0 || meta.failed)
		return GAN_ENOMEM;
	in.body = gan_memdup(row->body, row->body_len);
	if (in.body == NULL)
		return GAN_ENOMEM;
	rc = gan_store_ingest(a->call->admin->ops.store, &in, ingested, a);
	if (rc < 0)
		free(in.body);
	return rc;
}

static void
row_got(void *arg, int rc, const struct gan_quarantined *row)
{
	struct accept *a = arg;
	struct gan_err err = { 0 };

	if (rc < 0) {
		item_done(a, false,
		    rc == GAN_ENOENT ? "no such row: it was accepted, or pushed out by newer ones"
				     : gan_strerror(rc));
		return;
	}
	if (gan_call_cancelled(a->call))
		return;
	(void)snprintf(a->source, sizeof(a->source), "%s", row->source);
	(void)snprintf(a->topic, sizeof(a->topic), "%s", row->topic != NULL ? row->topic : "");
	a->received_ms = row->received_ms;
	rc = gan_inbound_verify_again(
	    a->call->admin->ops.inbound, row->source, row->headers, row->body, row->body_len, &err);
	if (rc < 0) {
		item_done(a, false, err.msg[0] != '\0' ? err.msg : gan_strerror(rc));
		return;
	}
	if (a->plan) {
		item_done(a, true, NULL);
		return;
	}
	rc = ingest_row(a, row);
	if (rc < 0)
		item_done(a, false, gan_strerror(rc));
}

static void
accept_next(struct accept *a)
{
	struct gan_call *c = a->call;
	int rc;

	if (a->i < a->n) {
		rc = gan_store_quarantine_get(c->admin->ops.store, a->ids[a->i], row_got, a);
		if (rc < 0)
			gan_call_store_failed(c, rc, NULL);
		return;
	}
	gan_buf_puts(&a->out, "]");
	if (a->out.failed)
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
	else
		gan_call_reply(c, a->left > 0 && !a->all ? GAN_EXIT_NEGATIVE : GAN_EXIT_OK,
		    a->out.data, a->out.len, NULL);
}

/* ---- which rows ---- */

static int
by_id(const void *x, const void *y)
{
	const int64_t *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

/* False when the item is no quarantine id, or there are too many. */
static bool
add_id(struct accept *a, const char *text)
{
	return text != NULL && a->n < IDS_MAX &&
	       gan_id_parse(GAN_ID_QUARANTINE, text, &a->ids[a->n]) && ++a->n > 0;
}

static void
accept_begin(struct accept *a)
{
	/* Ids grow with time: their order is that of receipt. */
	qsort(a->ids, a->n, sizeof(a->ids[0]), by_id);
	gan_buf_puts(&a->out, "[");
	accept_next(a);
}

static void
listed(void *arg, int rc, const char *json, size_t len)
{
	struct accept *a = arg;
	cJSON *rows GAN_AUTO(gan_cj_free) = NULL;
	const cJSON *row;

	if (rc < 0) {
		gan_call_store_failed(a->call, rc, json);
		return;
	}
	if (gan_call_cancelled(a->call))
		return;
	rc = gan_cj_parse(json, len, &rows, NULL);
	if (rc < 0) {
		gan_call_fail(a->call, GAN_EXIT_NEGATIVE, "the quarantine cannot be listed");
		return;
	}
	cJSON_ArrayForEach(row, rows)
	{
		(void)!add_id(a, gan_cj_str(row, "id"));
	}
	accept_begin(a);
}

void
gan_verb_quarantine_accept(struct gan_call *c)
{
	const cJSON *ids = gan_cj_get(c->args, "ids"), *item;
	struct accept *a;
	struct gan_query q = {
		.kind = GAN_QUERY_QUARANTINE,
		.source = gan_call_str(c, "source"),
		.limit = IDS_MAX,
	};
	int rc;

	if (gan_call_flag(c, "all") == cJSON_IsArray(ids)) {
		gan_call_fail(c, GAN_EXIT_USAGE,
		    "quarantine accept takes ids (q…), or --all-matching, not both");
		return;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL) {
		gan_call_fail(c, GAN_EXIT_NEGATIVE, "out of memory");
		return;
	}
	c->state = a;
	c->state_free = accept_free;
	a->call = c;
	a->all = gan_call_flag(c, "all");
	a->plan = gan_call_flag(c, "plan");
	if (a->all) {
		rc = gan_store_query(c->admin->ops.store, &q, listed, a);
		if (rc < 0)
			gan_call_store_failed(c, rc, NULL);
		return;
	}
	cJSON_ArrayForEach(item, ids)
	{
		if (!add_id(a, cJSON_GetStringValue(item))) {
			gan_call_fail(c, GAN_EXIT_USAGE,
			    "quarantine accept takes at most 1,000 ids as the list shows them "
			    "(q…)");
			return;
		}
	}
	accept_begin(a);
}

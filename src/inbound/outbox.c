/* SPDX-License-Identifier: MIT */
/*
 * outbox.c - GET /v1/outbox/{consumer} and POST /v1/outbox/{consumer}/ack: a
 * system that cannot be called fetches its messages.
 *
 * A reader that finds nothing may wait: its request is suspended until the
 * store says that something has come for the connector, or its time is over.
 * Nobody asks the store meanwhile.  What was told and not acknowledged is told
 * again to whoever reads without `after`: at least once, in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "inbound/inbound_priv.h"
#include "inbound/params.h"
#include "json/cj.h"

enum {
	READERS_MAX = 64, /* that wait, of all outboxes */
	LIMIT_MAX = 1000,
	LIMIT_DEFAULT = 100,
	CURSOR_MAX = 96,
	RETRY_AFTER_S = 5,
	PAUSED_AFTER_S = 30,
};

struct gan_pull {
	const struct gan_conf_connector *conf; /* in the exchange's snapshot */
	unsigned token;
	char after[CURSOR_MAX + 1]; /* or the cursor that is acknowledged */
	unsigned limit;
	int64_t wait_until_ms; /* gan_mono_ms() */
};

static void read_outbox(struct gan_exchange *x);

/* ---- who reads? -------------------------------------------------------------------------- */

static void
refuse(struct gan_exchange *x)
{
	char client[GAN_CLIENT_LEN];

	x->in->stats.bad_signature++;
	(void)gan_snapshot_client(x->snap, x->req, client);
	if (gan_storm_due(&x->in->refused))
		gan_log(GAN_LOG_WARNING, NULL,
		    "request for an outbox from %s refused: bearer token missing or unknown%s",
		    client, x->in->refused.more);
	(void)gan_request_problem_with(x->req, GAN_PROBLEM_TOKEN, "WWW-Authenticate",
	    "Bearer realm=\"gantry\"",
	    "Send 'Authorization: Bearer' with a token of the connector whose outbox it is.");
}

/* The consumer in the path, when the token is its own; else answered.  All are compared. */
static bool
find_consumer(struct gan_exchange *x, const char *name)
{
	const struct gan_config *conf = x->snap->conf;
	struct gan_credential c;
	bool any = false;

	if (!gan_auth_read(x->req, &c)) {
		refuse(x);
		return false;
	}
	for (size_t i = 0; i < conf->nconnectors; i++) {
		unsigned way = gan_auth_opens(&x->snap->consumers[i], &c);

		any = any || way != 0;
		if (strcmp(conf->connectors[i].name, name) != 0 ||
		    conf->connectors[i].kind != GAN_CONNECTOR_PULL)
			continue;
		x->pull->conf = &conf->connectors[i];
		x->pull->token = way;
	}
	if (!any)
		refuse(x);
	else if (x->pull->conf == NULL)
		(void)gan_request_problem(x->req, GAN_PROBLEM_NOT_FOUND, 0,
		    "No connector of this name has an outbox. Check the path: "
		    "/v1/outbox/{consumer}.");
	else if (x->pull->token == 0)
		(void)gan_request_problem(x->req, GAN_PROBLEM_FORBIDDEN, 0,
		    "Use a token of the connector that stands in the path.");
	else
		return true;
	return false;
}

static bool
begin(struct gan_exchange *x, const char *consumer)
{
	x->pull = calloc(1, sizeof(*x->pull));
	if (x->pull != NULL)
		return find_consumer(x, consumer);
	(void)gan_request_problem(
	    x->req, GAN_PROBLEM_UNAVAILABLE, RETRY_AFTER_S, "Send the request again later.");
	return false;
}

/* ---- answers ------------------------------------------------------------------------------ */

static void
answer_json(struct gan_exchange *x, const char *json, size_t len)
{
	static const struct gan_header header = { .name = "Cache-Control", .value = "no-store" };

	(void)gan_request_answer(x->req, &(struct gan_answer){ .status = 200,
					     .type = "application/json",
					     .body = json,
					     .len = len,
					     .headers = &header,
					     .nheaders = 1 });
}

/* The cursor was checked by the store: it is printable. */
static void
answer_nothing(struct gan_exchange *x)
{
	const char *after = x->pull->after;
	char text[CURSOR_MAX + 64];

	(void)snprintf(text, sizeof(text), "{\"messages\":[],\"next\":%s%s%s}\n",
	    after[0] == '\0' ? "null" : "\"", after, after[0] == '\0' ? "" : "\"");
	answer_json(x, text, strlen(text));
}

static void
answer_failure(struct gan_exchange *x, int rc, const char *text)
{
	switch (rc) {
	case GAN_EINVAL:
		(void)gan_request_problem(x->req, GAN_PROBLEM_CURSOR, 0,
		    "Take the cursor of a message that this outbox told, or its 'next', as it is. "
		    "If there is none, read without 'after': whatever is not acknowledged is told "
		    "again.");
		break;
	case GAN_ESTATE:
		(void)gan_request_problem(x->req, GAN_PROBLEM_PAUSED, PAUSED_AFTER_S,
		    "Nothing is told until somebody resumes it%s%s. Read again later.",
		    text[0] == '\0' ? "" : ", for this reason: ", text);
		break;
	default:
		(void)gan_request_problem(x->req,
		    rc == GAN_EGONE ? GAN_PROBLEM_DRAINING : GAN_PROBLEM_UNAVAILABLE, RETRY_AFTER_S,
		    "The store cannot be asked at the moment. Send the request again later.");
	}
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Senders that wait for outcomes do not count: they must not keep a reader from its messages. */
static bool
one_more_may_wait(const struct gan_inbound *in)
{
	size_t n = 0, max = (in->wait_max + 1) / 2;

	for (const struct gan_exchange *x = in->waiting; x != NULL; x = x->next_waiting)
		n += x->pull != NULL;
	return n < (max < READERS_MAX ? max : READERS_MAX);
}

static void
on_read(void *arg, int rc, const char *json, size_t len, size_t n)
{
	struct gan_exchange *x GAN_AUTO(gan_exchange_unref) = arg;

	if (x->req == NULL)
		return; /* the reader is gone: it is told again */
	if (rc != GAN_OK)
		answer_failure(x, rc, json);
	else if (!gan_request_has_room(x->req, len)) /* it is told again */
		(void)gan_request_problem(
		    x->req, GAN_PROBLEM_UNAVAILABLE, RETRY_AFTER_S, GAN_ANSWERS_UNREAD);
	else if (n > 0 || x->in->draining || x->snap != x->in->snap ||
		 gan_mono_ms() >= x->pull->wait_until_ms)
		answer_json(x, json, len);
	else if (!one_more_may_wait(x->in))
		(void)gan_request_problem(x->req, GAN_PROBLEM_READERS, RETRY_AFTER_S,
		    "Let fewer readers wait at the same time, or read without 'wait'.");
	else
		gan_wait_join(x, x->pull->wait_until_ms, answer_nothing);
}

static struct gan_claim_at
now_of(const struct gan_inbound *in, const struct gan_conf_connector *c)
{
	int64_t wall = gan_wall_ms();

	return (struct gan_claim_at){ .wall_ms = wall,
		.due_ms = in->opt.due_ms == NULL ? wall : in->opt.due_ms(in->opt.arg),
		.mono_ms = gan_mono_ms(),
		.give_up_ms = c->deliver.retry.give_up_ms };
}

static void
read_outbox(struct gan_exchange *x)
{
	struct gan_exchange *held GAN_AUTO(gan_exchange_unref) = gan_exchange_ref(x);
	const struct gan_outbox_read r = { .connector = x->pull->conf->name,
		.after = x->pull->after,
		.limit = x->pull->limit,
		.at = now_of(x->in, x->pull->conf) };
	int rc = gan_store_outbox_read(x->in->store, &r, on_read, x);

	if (rc < 0) {
		answer_failure(x, rc == GAN_EINVAL ? GAN_EBUSY : rc, "");
		return;
	}
	(void)gan_steal(&held); /* on_read()'s now */
}

void
gan_outbox_head_read(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS])
{
	char wait[8], limit[8];
	struct gan_param params[] = { { .name = "after", .outsz = CURSOR_MAX + 1 },
		{ .name = "wait", .out = wait, .outsz = sizeof(wait) },
		{ .name = "limit", .out = limit, .outsz = sizeof(limit) } };
	struct gan_err err = { .code = GAN_OK };
	int64_t wait_s = 0, n = LIMIT_DEFAULT;

	if (!begin(x, part[0]))
		return;
	params[0].out = x->pull->after;
	if (gan_params_read(gan_request_query(x->req), params, GAN_COUNT(params), &err) < 0) {
		(void)gan_request_problem(x->req, GAN_PROBLEM_PARAMETER, 0, "%s", err.msg);
	} else if (params[1].given && !gan_param_number(wait, 0, GAN_WAIT_MAX_S, &wait_s)) {
		(void)gan_request_problem(x->req, GAN_PROBLEM_PARAMETER, 0,
		    "'wait' must be a number of seconds from 0 to %d.", GAN_WAIT_MAX_S);
	} else if (params[2].given && !gan_param_number(limit, 1, LIMIT_MAX, &n)) {
		(void)gan_request_problem(x->req, GAN_PROBLEM_PARAMETER, 0,
		    "'limit' must be a number of messages from 1 to %d.", LIMIT_MAX);
	} else {
		/* For those who cannot leave a parameter out. */
		if (strcmp(x->pull->after, "0") == 0)
			x->pull->after[0] = '\0';
		x->pull->limit = (unsigned)n;
		x->pull->wait_until_ms = gan_mono_ms() + wait_s * 1000;
		x->run = read_outbox;
	}
}

/* Those who wait look again; they answer or go on waiting, as long as they wanted to. */
void
gan_outbox_wake(struct gan_inbound *in, const char *connector)
{
	struct gan_exchange *next;

	for (struct gan_exchange *x = in->waiting; x != NULL; x = next) {
		next = x->next_waiting;
		if (x->pull == NULL ||
		    (connector != NULL && strcmp(x->pull->conf->name, connector) != 0))
			continue;
		(void)gan_wait_leave(x);
		read_outbox(x);
	}
}

/*
 * The connector may be called from now on, or have other tokens: those who wait
 * are told that there is nothing, and come again under the new configuration.
 */
void
gan_outbox_reloaded(struct gan_inbound *in)
{
	struct gan_exchange *next;

	for (struct gan_exchange *x = in->waiting; x != NULL; x = next) {
		next = x->next_waiting;
		if (x->pull != NULL && gan_wait_leave(x) && x->req != NULL)
			answer_nothing(x);
	}
}

/* ---- acknowledging ----------------------------------------------------------------------------
 */

static void
on_acked(void *arg, int rc, const char *json, size_t len, size_t n)
{
	struct gan_exchange *x GAN_AUTO(gan_exchange_unref) = arg;
	char text[CURSOR_MAX + 64];

	(void)json;
	(void)len;
	if (x->req == NULL)
		return;
	if (rc != GAN_OK) {
		answer_failure(x, rc, "");
		return;
	}
	(void)snprintf(
	    text, sizeof(text), "{\"acknowledged\":%zu,\"cursor\":\"%s\"}\n", n, x->pull->after);
	answer_json(x, text, strlen(text));
}

/* {"cursor": "..."}; false when it was answered. */
static bool
read_cursor(struct gan_exchange *x)
{
	cJSON *tree GAN_AUTO(gan_cj_free) = NULL;
	struct gan_err err = { .code = GAN_OK };
	const char *cursor;
	size_t len;
	const char *body = gan_request_body(x->req, &len);

	if (gan_cj_parse(body, len, &tree, &err) < 0) {
		(void)gan_request_problem(
		    x->req, GAN_PROBLEM_BODY, 0, "%s. Mend the JSON and send it again.", err.msg);
		return false;
	}
	cursor = gan_cj_str(tree, "cursor");
	if (cursor == NULL) {
		(void)gan_request_problem(x->req, GAN_PROBLEM_PARAMETER, 0,
		    "Send {\"cursor\": \"...\"} with the cursor of the last message that was taken in: "
		    "it and all before it are acknowledged.");
		return false;
	}
	if (strlen(cursor) > CURSOR_MAX) {
		answer_failure(x, GAN_EINVAL, "");
		return false;
	}
	memcpy(x->pull->after, cursor, strlen(cursor) + 1);
	return true;
}

static void
acknowledge(struct gan_exchange *x)
{
	struct gan_exchange *held GAN_AUTO(gan_exchange_unref) = gan_exchange_ref(x);
	char client[GAN_CLIENT_LEN], who[GAN_CLIENT_LEN + 32];
	int rc;

	if (!read_cursor(x))
		return;
	(void)snprintf(who, sizeof(who), "%s with token %u",
	    gan_snapshot_client(x->snap, x->req, client), x->pull->token);
	rc = gan_store_outbox_ack(
	    x->in->store, x->pull->conf->name, x->pull->after, who, gan_wall_ms(), on_acked, x);
	if (rc < 0) {
		answer_failure(x, rc == GAN_EINVAL ? GAN_EBUSY : rc, "");
		return;
	}
	(void)gan_steal(&held); /* on_acked()'s now */
}

void
gan_outbox_head_ack(struct gan_exchange *x, const char *const part[GAN_ROUTE_PARTS])
{
	if (begin(x, part[0]))
		x->run = acknowledge;
}

/* ---- when nobody reads --------------------------------------------------------------------------
 */

static void
on_looked(void *arg, int rc, const char *json, size_t len, size_t n)
{
	(void)arg;
	(void)rc;
	(void)json;
	(void)len;
	(void)n;
}

/* What waits too long for its `after` needs a person, whether or not somebody reads. */
void
gan_outbox_on_timer(uv_timer_t *t)
{
	struct gan_inbound *in = t->data;
	const struct gan_config *conf = in->snap->conf;

	for (size_t i = 0; i < conf->nconnectors && !in->draining; i++) {
		const struct gan_conf_connector *c = &conf->connectors[i];
		const struct gan_outbox_read r = { .connector = c->name, .at = now_of(in, c) };

		/* A store that is busy is asked again in a minute. */
		if (c->kind == GAN_CONNECTOR_PULL)
			(void)!gan_store_outbox_read(in->store, &r, on_looked, NULL);
	}
}

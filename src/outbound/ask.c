/* SPDX-License-Identifier: MIT */
/*
 * ask.c - see ask.h.
 *
 * A queued ask stands in the list of its account, where account.c decides whose
 * turn it is; from then on in the list of its connector.
 */
#include "outbound/ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "outbound/ask_priv.h"
#include "outbound/dispatch.h"
#include "outbound/retry_after.h"

#define IN_FLIGHT_MAX 2 /* of one connector, beside its deliveries */

static void go(struct gan_ask_handle *k);

/* ---- lists --------------------------------------------------------------- */

static void
append(struct gan_ask_handle **list, struct gan_ask_handle *k)
{
	struct gan_ask_handle *last = NULL;

	while (*list != NULL) {
		last = *list;
		list = &last->next;
	}
	*list = k;
	k->prev = last;
	k->next = NULL;
}

static void
unlink_from(struct gan_ask_handle **list, struct gan_ask_handle *k)
{
	if (k->prev != NULL)
		k->prev->next = k->next;
	else
		*list = k->next;
	if (k->next != NULL)
		k->next->prev = k->prev;
	k->prev = k->next = NULL;
}

static void
leave_list(struct gan_ask_handle *k)
{
	if (k->queued)
		unlink_from(&k->account->asks[k->prio], k);
	else
		unlink_from(&k->conn->asks, k);
}

static void
give_place(struct gan_ask_handle *k)
{
	if (k->place)
		gan_account_give(k->account);
	k->place = false;
}

static void
probe_void(struct gan_ask_handle *k)
{
	if (k->probe)
		gan_breaker_void(&k->conn->breaker);
	k->probe = false;
}

/* Out of its list already. */
static void
release(struct gan_ask_handle *k)
{
	gan_transfer_drop(&k->transfer);
	if (k->waits_token)
		gan_token_unwait(k->conn->token, k);
	if (k->waits_place)
		gan_account_unwait(k->account, &k->wait);
	probe_void(k);
	give_place(k);
	k->conn->nasks--;
	if (!k->queued)
		k->conn->asks_going--;
	gan_account_unref(&k->account);
	gan_config_unref(&k->conf);
	gan_buf_fini(&k->request);
	free(k->output);
	free(k);
}

/* ---- answers ------------------------------------------------------------- */

static void
answer(struct gan_ask_handle *k, const struct gan_answer *ans)
{
	struct gan_outbound *out = k->conn->out;
	struct gan_answer full = *ans;

	if (full.body == NULL)
		full.body = "";
	if (full.head == NULL)
		full.head = "";
	if (full.text == NULL)
		full.text = "";
	full.request = k->request.data != NULL ? k->request.data : "";
	leave_list(k);
	k->over = true;
	if (k->cb != NULL)
		k->cb(k->arg, &full);
	release(k);
	gan_outbound_idle(out);
}

static void
answer_unsent(struct gan_ask_handle *k, int rc, int64_t wait_ms, const char *text)
{
	answer(k, &(struct gan_answer){ .rc = rc, .wait_ms = wait_ms, .text = text });
}

/* What forbids to send it now? Answers it and returns true when something does. */
static bool
turned_away(struct gan_ask_handle *k)
{
	struct gan_conn *c = k->conn;
	int64_t mono = gan_mono_ms();
	char text[480];

	if (c->out->draining) {
		answer_unsent(k, GAN_EGONE, -1, "the gateway stops");
	} else if (c->removed) {
		answer_unsent(k, GAN_EGONE, -1, "the connector is no longer in the configuration");
	} else if (gan_conn_differs(c, k->c)) {
		answer_unsent(k, GAN_EBUSY, 0, "the configuration of the connector changed");
	} else if (c->person.on) {
		snprintf(text, sizeof(text), "the connector is paused%s%s",
		    c->person.reason[0] != '\0' ? ": " : "", c->person.reason);
		answer_unsent(k, GAN_EBUSY, -1, text);
	} else if (c->refused.on) {
		answer_unsent(
		    k, GAN_EAUTH, c->try_ms > mono ? c->try_ms - mono : 0, c->refused.reason);
	} else if (k->account->wait_ms > mono) {
		answer_unsent(
		    k, GAN_EBUSY, k->account->wait_ms - mono, "the connector asked for patience");
	} else if (!k->probe && gan_breaker_allows(&c->breaker, mono) == 0) {
		answer_unsent(k, GAN_EBUSY,
		    c->breaker.until_ms > mono ? c->breaker.until_ms - mono : -1,
		    "the breaker of the connector is open");
	} else if (mono >= k->until_ms) {
		answer_unsent(k, GAN_EBUSY, gan_account_room_ms(k->account) - mono,
		    "its turn did not come: the quota of the account is used up, or deliveries "
		    "went first");
	} else {
		return false;
	}
	return true;
}

static void
note_health(struct gan_ask_handle *k, enum gan_health health, const char *text)
{
	gan_conn_health(k->conn, &k->c->deliver, health, text);
	if (health != GAN_HEALTH_SILENT)
		k->probe = false;
	gan_conn_pump(k->conn);
}

static int
code_of(enum gan_outcome outcome)
{
	switch (outcome) {
	case GAN_OUTCOME_OK:
	case GAN_OUTCOME_ALREADY:
		return GAN_OK;
	case GAN_OUTCOME_BUSY:
	case GAN_OUTCOME_TURN:
		return GAN_EBUSY;
	case GAN_OUTCOME_TOKEN:
	case GAN_OUTCOME_CONFIG:
		return GAN_EAUTH;
	case GAN_OUTCOME_REFUSED:
	case GAN_OUTCOME_REDIRECT:
		return GAN_EINVAL;
	default:
		return GAN_ENET;
	}
}

/* The whole account waits as the peer asked. */
static int64_t
hold(struct gan_ask_handle *k, int64_t wait_ms, int status)
{
	return gan_account_busy(k->account, k->c->deliver.retry.first_ms, wait_ms, status);
}

/* A refused token was not the end: true when the ask goes on with another. */
static bool
token_refused(struct gan_ask_handle *k, const char *text)
{
	struct gan_conn *c = k->conn;

	if (k->conf != c->conf || gan_connector_no_token(k->c, k->op))
		return false;
	if (!gan_token_is_static(c->token)) {
		gan_token_drop(c->token, k->serial);
		if (!k->fresh_token) {
			k->fresh_token = true;
			go(k);
			return true;
		}
	}
	gan_conn_refuse(c, text);
	return false;
}

static void
on_response(void *arg, struct gan_response *resp)
{
	struct gan_ask_handle *k = arg;
	struct gan_asked asked = { k->output, k->output_len, false };
	struct gan_judged j = { 0 };
	struct gan_answer ans = { .status = resp->status,
		.head = resp->head,
		.body = resp->body,
		.body_len = resp->body_len,
		.complete = resp->sent == GAN_COMPLETE,
		.maybe_sent = resp->sent != GAN_NOT_SENT,
		.wait_ms = -1,
		.started_ms = resp->started_ms,
		.ended_ms = resp->ended_ms };
	enum gan_health health;

	k->transfer = NULL;
	if (resp->sent != GAN_NOT_SENT) {
		gan_account_end(k->account);
		k->place = false;
	}
	give_place(k);
	gan_kind_of(k->c->kind)->judge(k->op, &asked, resp, &j);
	free(j.response);
	if (resp->scrub != NULL)
		gan_scrub_text(resp->scrub, j.text, strlen(j.text));
	health = gan_verdict_of(j.outcome, k->op->repeat, GAN_ON_UNKNOWN_HOLD, false).health;
	if (resp->cancelled)
		health = GAN_HEALTH_SILENT;
	ans.rc = code_of(j.outcome);
	ans.text = j.text;
	if (j.outcome == GAN_OUTCOME_BUSY)
		ans.wait_ms = hold(k,
		    gan_retry_after_ms(
			resp->retry_after, gan_wall_ms(), k->c->deliver.retry.first_ms),
		    resp->status);
	if (ans.rc == GAN_EAUTH && j.outcome == GAN_OUTCOME_TOKEN && token_refused(k, j.text))
		return;
	/* A newer configuration may already have cured it. */
	if (j.outcome == GAN_OUTCOME_CONFIG && k->conf == k->conn->conf)
		gan_conn_refuse(k->conn, j.text);
	if (ans.rc != GAN_OK)
		snprintf(k->conn->last_error, sizeof(k->conn->last_error), "%s", j.text);
	note_health(k, health, j.text);
	answer(k, &ans);
}

/* ---- on its way ---------------------------------------------------------- */

static void
transmit(struct gan_ask_handle *k, const char *token)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_err err = { 0 };
	int rc = gan_connector_build(k->c, k->op, k->output, k->output_len, token, &req, &err);

	if (rc == GAN_OK) {
		req.answer_max = GAN_ASK_BODY_MAX;
		/* A read that takes away what it reads must not be sent twice by curl either. */
		req.repeatable = k->op->repeat == GAN_REPEAT_SAFE;
		gan_buf_clear(&k->request);
		gan_wire_describe(&req, &k->request);
		rc = gan_transfer_start(
		    k->conn->out->transfers, &req, on_response, k, &k->transfer, &err);
	}
	if (rc < 0)
		answer_unsent(k, rc == GAN_ENOMEM ? GAN_ENOMEM : GAN_EINVAL, -1, err.msg);
}

static void
on_token(void *arg, const struct gan_token_result *r)
{
	struct gan_ask_handle *k = arg;

	k->waits_token = false;
	if (r->rc == GAN_OK) {
		go(k);
		return;
	}
	if (r->rc == GAN_EAUTH)
		gan_conn_refuse(k->conn, r->text);
	if (r->wait_ms >= 0)
		(void)hold(k, r->wait_ms, r->status);
	answer(k, &(struct gan_answer){ .rc = r->wait_ms >= 0      ? GAN_EBUSY
					      : r->rc == GAN_EGONE ? GAN_EBUSY
								   : r->rc,
		      .text = r->text,
		      .wait_ms = r->wait_ms });
}

static void
on_place(void *arg, bool have)
{
	struct gan_ask_handle *k = arg;

	k->waits_place = false;
	k->place = have;
	go(k); /* without one: it is turned away */
}

static bool
has_place(struct gan_ask_handle *k)
{
	if (!k->place)
		k->place = gan_account_try(k->account);
	if (k->place)
		return true;
	k->waits_place = true;
	k->wait.fn = on_place;
	k->wait.arg = k;
	k->wait.until_ms = k->until_ms;
	gan_account_wait(k->account, &k->wait);
	return false;
}

static void
go(struct gan_ask_handle *k)
{
	struct gan_conn *c = k->conn;
	struct gan_err err = { 0 };
	const char *token = NULL;

	if (turned_away(k))
		return;
	gan_account_follow(&k->account, &k->place, c->account);
	if (!has_place(k))
		return;
	if (gan_connector_no_token(k->c, k->op)) {
		transmit(k, NULL);
		return;
	}
	token = gan_token_use(c->token, gan_mono_ms(), &k->serial);
	if (token != NULL) {
		transmit(k, token);
		return;
	}
	/* The fetch goes out in its place. */
	if (gan_token_is_idle(c->token))
		k->place = false;
	k->waits_token = true;
	if (gan_token_wait(c->token, on_token, k, &err) == GAN_OK)
		return;
	k->waits_token = false;
	answer_unsent(k, GAN_ENOMEM, -1, err.msg);
}

static void
set_off(struct gan_ask_handle *k)
{
	struct gan_conn *c = k->conn;

	leave_list(k);
	k->queued = false;
	append(&c->asks, k);
	c->asks_going++;
	if (k->prio == GAN_ASK_FEED)
		k->account->since_feed = 0;
	if (c->breaker.open && gan_breaker_allows(&c->breaker, gan_mono_ms()) > 0) {
		gan_breaker_probe(&c->breaker);
		k->probe = true;
	}
	go(k);
}

/* ---- turns --------------------------------------------------------------- */

static bool
has_turn(const struct gan_ask_handle *k, size_t room)
{
	return room > 0 && (k->prio == GAN_ASK_PROBE || k->conn->asks_going < IN_FLIGHT_MAX);
}

void
gan_asks_serve(struct gan_account *a, enum gan_ask_prio prio, size_t most)
{
	struct gan_ask_handle *k = a->asks[prio];

	while (k != NULL && !a->out->closing) {
		size_t room = most > 0 ? gan_quota_room(&a->quota, gan_mono_ms()) : 0;

		/* Whoever is told may add, cancel, pause: the list is looked at anew then. */
		if (turned_away(k)) {
			k = a->asks[prio];
		} else if (has_turn(k, room)) {
			most--;
			set_off(k);
			k = a->asks[prio];
		} else {
			k = k->next;
		}
	}
}

int64_t
gan_asks_next_ms(const struct gan_account *a)
{
	int64_t at = INT64_MAX;

	for (int p = 0; p < GAN_ASK_NPRIO; p++)
		if (a->asks[p] != NULL && a->asks[p]->until_ms < at)
			at = a->asks[p]->until_ms;
	return at;
}

/* ---- who asks ------------------------------------------------------------ */

static int
check(const struct gan_conn *c, const struct gan_ask *a, const struct gan_operation **ret_op,
    struct gan_err *err)
{
	char warning[256];

	if (c->out->draining || c->out->closing)
		return gan_err_set(err, GAN_EGONE, "the gateway stops");
	if (c->removed || c->kind == NULL)
		return gan_err_set(err, GAN_ENOENT, "connector %s cannot be asked", c->name);
	*ret_op = gan_connector_operation(c->c, a->operation);
	if (*ret_op == NULL)
		return gan_err_set(
		    err, GAN_ENOENT, "connector %s has no operation %s", c->name, a->operation);
	if (c->nasks >= GAN_ASK_QUEUE_MAX)
		return gan_err_set(
		    err, GAN_EBUSY, "%u requests wait already for connector %s", c->nasks, c->name);
	return gan_connector_check(c->c, *ret_op, a->output, a->output_len, warning, err);
}

int
gan_ask_start(struct gan_conn *c, const struct gan_ask *a, gan_answer_fn cb, void *arg,
    struct gan_ask_handle **ret, struct gan_err *err)
{
	const struct gan_operation *op = NULL;
	struct gan_ask_handle *k;
	int rc = check(c, a, &op, err);

	if (rc < 0)
		return rc;
	k = calloc(1, sizeof(*k));
	if (k == NULL || (k->output = gan_memdup(a->output, a->output_len)) == NULL) {
		free(k);
		return gan_err_set(err, GAN_ENOMEM, "ask");
	}
	k->conn = c;
	k->account = gan_account_ref(c->account);
	k->conf = gan_config_ref(c->conf);
	k->c = c->c;
	k->op = op;
	k->prio = a->prio;
	k->cb = cb;
	k->arg = arg;
	k->output_len = a->output_len;
	k->until_ms = gan_mono_ms() + (a->prio == GAN_ASK_PROBE ? GAN_LOOK_MS : GAN_ASK_WAIT_MS);
	if (a->by_ms != 0 && a->by_ms < k->until_ms)
		k->until_ms = a->by_ms;
	k->queued = true;
	append(&k->account->asks[k->prio], k);
	c->nasks++;
	gan_account_wake(k->account);
	if (ret != NULL)
		*ret = k;
	return GAN_OK;
}

int
gan_outbound_ask(struct gan_outbound *out, const struct gan_ask *a, gan_answer_fn cb, void *arg,
    struct gan_ask_handle **ret, struct gan_err *err)
{
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next)
		if (strcmp(c->name, a->connector) == 0)
			return gan_ask_start(c, a, cb, arg, ret, err);
	return gan_err_set(err, GAN_ENOENT, "there is no connector %s", a->connector);
}

void
gan_outbound_ask_cancel(struct gan_ask_handle **ap)
{
	struct gan_ask_handle *k = gan_steal(ap);

	if (k == NULL || k->over)
		return;
	k->cb = NULL;
	if (k->transfer != NULL) /* what it does to the quota and the breaker still counts */
		return;
	leave_list(k);
	release(k);
}

/* ---- the end ------------------------------------------------------------- */

/* One that is not on its way, wherever it waits; with all, any. */
static struct gan_ask_handle *
find_one(const struct gan_conn *c, bool all)
{
	for (struct gan_account *a = c->out->accounts; a != NULL; a = a->next)
		for (int p = 0; p < GAN_ASK_NPRIO; p++)
			for (struct gan_ask_handle *k = a->asks[p]; k != NULL; k = k->next)
				if (k->conn == c)
					return k;
	for (struct gan_ask_handle *k = c->asks; k != NULL; k = k->next)
		if (all || k->transfer == NULL)
			return k;
	return NULL;
}

void
gan_asks_end(struct gan_conn *c, const char *why)
{
	struct gan_ask_handle *k;

	while ((k = find_one(c, false)) != NULL)
		answer_unsent(k, GAN_EGONE, -1, why);
}

void
gan_asks_cut(struct gan_conn *c)
{
	for (struct gan_ask_handle *k = c->asks; k != NULL; k = k->next)
		if (k->transfer != NULL)
			gan_transfer_cancel(k->transfer);
}

void
gan_asks_free(struct gan_conn *c)
{
	struct gan_ask_handle *k;

	while ((k = find_one(c, true)) != NULL) {
		leave_list(k);
		release(k);
	}
}

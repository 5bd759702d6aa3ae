/* SPDX-License-Identifier: MIT */
/* send.c - one delivery on its way: check, token, request, verdict. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "outbound/backoff.h"
#include "outbound/dispatch.h"
#include "outbound/look.h"
#include "outbound/retry_after.h"

static void go(struct gan_send *s, bool fresh_token);

static void
say(const struct gan_send *s, enum gan_log_level level, const char *what)
{
	char id[GAN_ID_LEN];

	gan_id_format(GAN_ID_DELIVERY, s->row->id, id);
	gan_log(level,
	    &(struct gan_log_about){ .delivery = id,
		.connector = s->conn->name,
		.rule = s->row->rule,
		.key = s->row->key },
	    "%s attempt=%u %s", what, s->row->attempt, s->reason);
}

int64_t
gan_send_due_in(const struct gan_send *s, int64_t wait_ms)
{
	return gan_outbound_due_ms(s->conn->out) + wait_ms;
}

/* The probe of a half-open breaker ended without telling anything. */
static void
probe_void(struct gan_send *s)
{
	if (s->probe)
		gan_breaker_void(&s->conn->breaker);
	s->probe = false;
}

void
gan_send_back(struct gan_send *s, int64_t due_ms, const char *why)
{
	probe_void(s);
	snprintf(s->reason, sizeof(s->reason), "%s", why);
	s->settle.state = GAN_DLV_WAITING;
	s->settle.next_ms = due_ms;
	s->settle.uncounted = true;
	s->settle.maybe_sent = s->row->maybe_sent;
	s->settle.reason = s->reason;
	gan_send_settle(s);
}

/* Refused before a request was spent on it. */
static void
refuse(struct gan_send *s, const char *why)
{
	probe_void(s);
	snprintf(s->reason, sizeof(s->reason), "not sent: %s", why);
	s->settle.state = GAN_DLV_DEAD;
	s->settle.reason = s->reason;
	s->settle.maybe_sent = s->row->maybe_sent;
	s->conn->dead++;
	say(s, GAN_LOG_WARNING, "delivery is dead:");
	gan_send_settle(s);
}

/* ---- after the answer ---------------------------------------------------- */

static void
note_health(struct gan_send *s, enum gan_health health)
{
	gan_conn_health(s->conn, &s->c->deliver, health, s->reason);
	if (health == GAN_HEALTH_SILENT)
		probe_void(s);
	s->probe = false;
}

bool
gan_send_gives_up(const struct gan_send *s, int64_t started_ms)
{
	int64_t first = s->row->first_sent_ms != 0 ? s->row->first_sent_ms : started_ms;
	int64_t give_up = s->c->deliver.retry.give_up_ms;

	return give_up > 0 && gan_wall_ms() - first >= give_up;
}

/* The reason becomes why it is given up, with what was last. */
static void
say_given_up(struct gan_send *s, const char *rest)
{
	char why[400], span[32];

	snprintf(why, sizeof(why), "%.399s", s->reason);
	snprintf(s->reason, sizeof(s->reason), "gave up after %s; last: %s%s",
	    gan_duration_format(s->c->deliver.retry.give_up_ms, span, sizeof(span)), why, rest);
}

/* Look for it later.  What is sent again and again, always into doubt, ends with a person. */
static void
look_at(struct gan_send *s, int64_t started_ms, int64_t wait_ms)
{
	int64_t settling = s->c->deliver.probe_after_ms;

	if (s->is_absent && gan_send_gives_up(s, started_ms)) {
		say_given_up(s, "");
		s->settle.state = GAN_DLV_UNKNOWN;
		s->conn->unknown++;
		say(s, GAN_LOG_WARNING, "delivery is unknown, a person must resolve it:");
		return;
	}
	s->settle.state = GAN_DLV_WAITING;
	s->settle.next_ms =
	    gan_send_due_in(s, s->is_absent && wait_ms > settling ? wait_ms : settling);
	say(s, GAN_LOG_NOTICE, "nobody knows whether it was carried out, a probe will look:");
}

/* Try again later, unless it has gone on for too long. */
static void
retry_at(struct gan_send *s, int64_t started_ms, int64_t wait_ms)
{
	s->settle.state = GAN_DLV_WAITING;
	s->settle.next_ms = gan_send_due_in(s, wait_ms);
	if (!gan_send_gives_up(s, started_ms)) {
		s->conn->retried++;
		say(s, GAN_LOG_INFO, "delivery will be tried again:");
		return;
	}
	say_given_up(s, s->settle.maybe_sent ? " (an attempt may have been carried out)" : "");
	s->settle.state = GAN_DLV_DEAD;
	s->attempt.verdict = gan_verdict_name(GAN_VERDICT_DEAD);
	s->conn->dead++;
	say(s, GAN_LOG_WARNING, "delivery is dead:");
}

/* The whole account waits as the peer asked; returns for how long. */
static int64_t
wait_all(struct gan_send *s, int64_t wait_ms, int status)
{
	return gan_account_busy(s->account, s->c->deliver.retry.first_ms, wait_ms, status);
}

/* A token or a setting of ours was refused: nobody's attempt is burnt. */
static void
when_refused(struct gan_send *s, enum gan_verdict_kind kind)
{
	struct gan_conn *c = s->conn;

	s->settle.state = GAN_DLV_WAITING;
	s->settle.next_ms = gan_send_due_in(s, 0);
	s->settle.uncounted = true;
	say(s, GAN_LOG_INFO, "delivery goes back uncounted:");
	if (s->conf != c->conf) /* a newer configuration may already have cured it */
		return;
	/* Where no token was sent, a fresh one cures nothing. */
	if (kind == GAN_VERDICT_TOKEN && !gan_token_is_static(c->token) &&
	    !gan_connector_no_token(s->c, s->op)) {
		gan_token_drop(c->token, s->serial);
		if (s->serial != c->refused_serial) {
			c->refused_serial = s->serial;
			c->refusals++;
		}
		if (c->refusals < 2 && !c->trying)
			return;
	}
	gan_conn_refuse(c, s->reason);
}

static void
when_delivered(struct gan_send *s, struct gan_judged *j)
{
	struct gan_conn *c = s->conn;

	s->settle.state = GAN_DLV_DELIVERED;
	s->response = gan_steal(&j->response);
	s->settle.response = s->response;
	c->delivered++;
	c->last_ok_ms = gan_wall_ms();
	say(s, s->reason[0] != '\0' ? GAN_LOG_NOTICE : GAN_LOG_DEBUG, "delivered");
}

static void
decide(struct gan_send *s, const struct gan_response *resp, struct gan_judged *j,
    const struct gan_verdict *v)
{
	struct gan_conn *c = s->conn;
	int64_t wait =
	    gan_backoff_ms(&s->c->deliver.retry, s->row->attempt, gan_random_below(UINT32_MAX));

	switch (v->kind) {
	case GAN_VERDICT_DELIVERED:
		when_delivered(s, j);
		break;
	case GAN_VERDICT_RETRY:
		if (v->wait_all) {
			wait = gan_retry_after_ms(resp->retry_after, gan_wall_ms(), wait);
			wait = wait_all(s, wait, resp->status);
		}
		retry_at(s, resp->started_ms, wait);
		break;
	case GAN_VERDICT_UNKNOWN:
		s->settle.state = GAN_DLV_UNKNOWN;
		c->unknown++;
		say(s, GAN_LOG_WARNING, "delivery is unknown, a person must resolve it:");
		break;
	case GAN_VERDICT_PROBE:
		look_at(s, resp->started_ms, wait);
		break;
	case GAN_VERDICT_DEAD:
		s->settle.state = GAN_DLV_DEAD;
		c->dead++;
		say(s, GAN_LOG_WARNING, "delivery is dead:");
		break;
	case GAN_VERDICT_TOKEN:
	case GAN_VERDICT_CONFIG:
		when_refused(s, v->kind);
		break;
	}
	/* The peer took our credentials, whatever it thought of the request. */
	if (v->health == GAN_HEALTH_OK) {
		c->refusals = 0;
		c->trying = false;
	}
}

static void
keep_attempt(struct gan_send *s, const struct gan_response *resp)
{
	s->head = strdup(resp->head);
	s->body = gan_memdup(resp->body, resp->body_len);
	s->attempt.started_ms = resp->started_ms;
	s->attempt.ended_ms = resp->ended_ms;
	s->attempt.request = s->request.data;
	s->attempt.status = resp->status;
	s->attempt.error = s->reason[0] != '\0' ? s->reason : NULL;
	s->attempt.response_head = resp->status != 0 ? s->head : NULL;
	if (s->body != NULL && resp->status != 0) {
		s->attempt.response = s->body;
		s->attempt.response_len = resp->body_len;
	}
	s->attempt.response_cut = resp->cut || resp->sent == GAN_UNREADABLE;
	s->settle.attempt = &s->attempt;
}

static void
on_response(void *arg, struct gan_response *resp)
{
	struct gan_send *s = arg;
	struct gan_conn *c = s->conn;
	struct gan_asked asked = { s->row->body, s->row->body_len,
		s->row->maybe_sent || s->row->denied };
	struct gan_judged j = { 0 };
	struct gan_verdict v;

	if (resp->status != 0)
		GAN_FAILPOINT("after-vendor-answer");
	s->transfer = NULL;
	if (resp->sent != GAN_NOT_SENT) {
		gan_account_end(s->account);
		s->place = false;
	}
	gan_kind_of(s->c->kind)->judge(s->op, &asked, resp, &j);
	if (s->op->answer_is_secret) {
		explicit_bzero(resp->body, resp->body_len);
		resp->body_len = 0;
		gan_secret_free(j.response, j.response != NULL ? strlen(j.response) : 0);
		j.response = NULL;
	}
	/* Texts that were taken out of JSON: an escape may have hidden a secret in the body. */
	if (resp->scrub != NULL) {
		gan_scrub_text(resp->scrub, j.text, strlen(j.text));
		if (j.response != NULL)
			gan_scrub_text(resp->scrub, j.response, strlen(j.response));
	}
	v = gan_verdict_of(j.outcome, gan_repeat_in_lane(s->op->repeat, s->row->key != NULL),
	    gan_send_on_unknown(s), s->row->maybe_sent);
	if (resp->cancelled)
		v.health = GAN_HEALTH_SILENT;
	snprintf(s->reason, sizeof(s->reason), "%s", j.text);
	if (v.kind != GAN_VERDICT_DELIVERED)
		snprintf(c->last_error, sizeof(c->last_error), "%s", j.text);
	s->settle.maybe_sent = v.maybe_sent;
	s->attempt.verdict = gan_verdict_name(v.kind);
	keep_attempt(s, resp);
	decide(s, resp, &j, &v);
	note_health(s, v.health);
	if (resp->cancelled && resp->sent == GAN_NOT_SENT) {
		s->settle.uncounted = true;
		s->settle.next_ms = gan_send_due_in(s, 0);
	}
	s->settle.reason = s->reason[0] != '\0' ? s->reason : NULL;
	free(j.response);
	gan_send_settle(s);
}

/* ---- before the request -------------------------------------------------- */

/* No token, so nothing was sent: counted, for the back-off and the give-up time. */
static void
without_token(struct gan_send *s, const struct gan_token_result *r)
{
	struct gan_conn *c = s->conn;
	int64_t wait =
	    gan_backoff_ms(&s->c->deliver.retry, s->row->attempt, gan_random_below(UINT32_MAX));

	snprintf(s->reason, sizeof(s->reason), "%s", r->text);
	snprintf(c->last_error, sizeof(c->last_error), "%.399s", r->text);
	if (r->wait_ms >= 0)
		wait = wait_all(s, r->wait_ms, r->status);
	gan_buf_puts(&s->request, r->request != NULL ? r->request : "(no request)");
	s->attempt = (struct gan_attempt){ .started_ms = r->started_ms,
		.ended_ms = r->ended_ms,
		.request = s->request.data,
		.status = r->status,
		.verdict = gan_verdict_name(GAN_VERDICT_RETRY),
		.error = s->reason };
	s->settle.attempt = &s->attempt;
	s->settle.maybe_sent = s->row->maybe_sent;
	retry_at(s, r->started_ms, wait);
	s->settle.reason = s->reason;
	note_health(s, r->wait_ms >= 0 ? GAN_HEALTH_SILENT : GAN_HEALTH_FAILED);
	gan_send_settle(s);
}

static void
on_token(void *arg, const struct gan_token_result *r)
{
	struct gan_send *s = arg;

	s->waits_token = false;
	switch (r->rc) {
	case GAN_OK:
		go(s, true);
		break;
	case GAN_EAUTH:
		gan_conn_refuse(s->conn, r->text);
		gan_send_back(s, gan_send_due_in(s, 0), r->text);
		break;
	case GAN_EGONE:
		gan_send_back(s, gan_send_due_in(s, 0), r->text);
		break;
	default:
		without_token(s, r);
		break;
	}
}

/* Has something happened since the claim that forbids to send now? */
static bool
must_go_back(struct gan_send *s)
{
	struct gan_conn *c = s->conn;
	int64_t mono = gan_mono_ms(), now = gan_send_due_in(s, 0);

	if (c->out->draining)
		gan_send_back(s, now, "the gateway stops");
	else if (c->removed)
		gan_send_back(s, now, "the connector is no longer in the configuration");
	else if (mono >= s->until_ms)
		gan_send_back(s, now, "its turn came too late for the lease of its claim");
	else if (gan_conn_differs(c, s->c))
		gan_send_back(s, now, "the configuration of the connector changed");
	else if (c->person.on)
		gan_send_back(s, now, "the connector is paused");
	else if (c->refused.on)
		gan_send_back(s, now, c->refused.reason);
	else if (s->account->wait_ms > mono)
		gan_send_back(
		    s, now + (s->account->wait_ms - mono), "the connector asked for patience");
	else if (!s->probe && c->breaker.open)
		gan_send_back(s,
		    now + (c->breaker.until_ms > mono ? c->breaker.until_ms - mono : 0),
		    "the breaker of the connector is open");
	else
		return false;
	return true;
}

static bool
is_marked(const struct gan_send *s)
{
	return gan_send_on_unknown(s) == GAN_ON_UNKNOWN_PROBE && s->op->probe->mark != NULL;
}

/* As the rule wrote it; with our mark, if a probe will look for that. */
static int
build(struct gan_send *s, const char *token, struct gan_buf *marked, struct gan_wire *req,
    struct gan_err *err)
{
	const char *body = s->row->body;
	size_t len = s->row->body_len;
	char mark[GAN_PROBE_MARK_LEN];

	if (is_marked(s)) {
		int rc = gan_probe_mark(
		    s->op->probe, body, len, gan_probe_mark_of(s->row->id, mark), marked, err);

		if (rc < 0)
			return rc;
		body = marked->data;
		len = marked->len;
	}
	return gan_connector_build(s->c, s->op, body, len, token, req, err);
}

static void
transmit(struct gan_send *s, const char *token)
{
	struct gan_wire req GAN_AUTO(gan_wire_fini) = { 0 };
	struct gan_err err = { 0 };
	struct gan_buf marked GAN_AUTO(gan_buf_fini) = { 0 };
	int rc = build(s, token, &marked, &req, &err);

	if (rc == GAN_OK) {
		gan_buf_clear(&s->request);
		gan_wire_describe(&req, &s->request);
		rc = gan_transfer_start(
		    s->conn->out->transfers, &req, on_response, s, &s->transfer, &err);
	}
	if (rc == GAN_OK)
		return;
	/* The body was checked: what cannot be built now is a setting or memory. */
	if (rc != GAN_ENOMEM)
		gan_conn_refuse(s->conn, err.msg);
	gan_send_back(s, gan_send_due_in(s, s->c->deliver.retry.first_ms), err.msg);
}

static void
on_place(void *arg, bool have)
{
	struct gan_send *s = arg;

	s->waits_place = false;
	s->place = have;
	go(s, false); /* without one: it goes back */
}

static bool
has_place(struct gan_send *s)
{
	if (!s->place)
		s->place = gan_account_try(s->account);
	if (s->place)
		return true;
	s->waits_place = true;
	s->wait.fn = on_place;
	s->wait.arg = s;
	s->wait.until_ms = s->until_ms;
	gan_account_wait(s->account, &s->wait);
	return false;
}

/* fresh_token: one was fetched just now, so asking for another would go on for ever. */
static void
go(struct gan_send *s, bool fresh_token)
{
	struct gan_conn *c = s->conn;
	struct gan_err err = { 0 };
	const char *token;

	if (must_go_back(s) || gan_look(s))
		return;
	gan_account_follow(&s->account, &s->place, c->account);
	if (!has_place(s))
		return;
	if (gan_connector_no_token(s->c, s->op)) {
		transmit(s, NULL);
		return;
	}
	token = gan_token_use(c->token, gan_mono_ms(), &s->serial);
	if (token != NULL) {
		transmit(s, token);
		return;
	}
	if (fresh_token) {
		int64_t now = gan_wall_ms();

		without_token(
		    s, &(struct gan_token_result){ .rc = GAN_ENET,
			   .text = "no token: its life was over before it was here; compare the "
				   "clocks, or look why the peer answers so late",
			   .wait_ms = -1,
			   .started_ms = now,
			   .ended_ms = now });
		return;
	}
	if (gan_token_is_idle(c->token)) /* the fetch goes out in its place */
		s->place = false;
	s->waits_token = true;
	if (gan_token_wait(c->token, on_token, s, &err) == GAN_OK)
		return;
	s->waits_token = false;
	gan_send_back(s, gan_send_due_in(s, s->c->deliver.retry.first_ms), err.msg);
}

void
gan_send_go(struct gan_send *s)
{
	go(s, false);
}

static bool
sound(struct gan_send *s)
{
	char warning[256];
	struct gan_err err = { 0 };
	int rc;

	s->op = gan_connector_operation(s->c, s->row->operation);
	if (s->op == NULL) {
		(void)gan_err_set(
		    &err, GAN_ENOENT, "%s has no operation %s", s->c->name, s->row->operation);
		refuse(s, err.msg);
		return false;
	}
	rc = gan_connector_check(s->c, s->op, s->row->body, s->row->body_len, warning, &err);
	if (rc == GAN_ENOMEM) {
		gan_send_back(s, gan_send_due_in(s, s->c->deliver.retry.first_ms), err.msg);
		return false;
	}
	if (rc < 0) {
		refuse(s, err.msg);
		return false;
	}
	if (warning[0] != '\0') {
		snprintf(s->reason, sizeof(s->reason), "%s", warning);
		say(s, GAN_LOG_WARNING, "sent although (gs1: warn)");
		s->reason[0] = '\0';
	}
	return true;
}

void
gan_send_start(struct gan_conn *c, struct gan_claimed *row)
{
	struct gan_send *s = calloc(1, sizeof(*s));

	GAN_FAILPOINT("after-claim");
	/* Its lease runs out and it becomes `unknown`: honest, and there is no memory anyway. */
	if (s == NULL) {
		gan_log(GAN_LOG_ERR, &(struct gan_log_about){ .connector = c->name },
		    "out of memory: a claimed delivery is left to its lease");
		gan_claimed_free(&row);
		gan_account_give(c->claim_account);
		return;
	}
	s->conn = c;
	s->conf = gan_config_ref(c->conf);
	s->c = c->c;
	s->account = gan_account_ref(c->claim_account);
	s->place = true;
	s->until_ms = c->claim_until_ms - c->c->deliver.total_ms - GAN_LEASE_REST_MS;
	s->row = row;
	s->next = c->sends;
	if (c->sends != NULL)
		c->sends->prev = s;
	c->sends = s;
	c->in_flight++;
	if (c->breaker.open && gan_breaker_allows(&c->breaker, gan_mono_ms()) > 0) {
		gan_breaker_probe(&c->breaker);
		s->probe = true;
	}
	if (c->removed || c->kind == NULL) /* a reload came between */
		gan_send_back(
		    s, gan_send_due_in(s, 0), "the connector is no longer in the configuration");
	else if (sound(s))
		go(s, false);
}

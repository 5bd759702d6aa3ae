/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c - one connector: when to claim deliveries and how many, and when
 * to leave the peer alone.  gan_conn_pump() looks at everything and either
 * claims or sets the one timer to when that may change.
 */
#include "outbound/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "outbound/ask_priv.h"

#define BUSY_WAIT_MS 50
#define BROKEN_WAIT_MS 1000
#define TIMER_MAX_MS INT64_C(3600000) /* the wall clock may be set meanwhile */

static void
on_timer(uv_timer_t *timer)
{
	gan_conn_pump(timer->data);
}

static void
wake_in(struct gan_conn *c, int64_t ms)
{
	if (ms > TIMER_MAX_MS)
		ms = TIMER_MAX_MS;
	uv_update_time(c->out->loop);
	(void)uv_timer_start(&c->timer, on_timer, ms > 0 ? (uint64_t)ms : 1, 0);
}

/* ---- credentials --------------------------------------------------------- */

void
gan_conn_refuse(struct gan_conn *c, const char *reason)
{
	bool known = c->refused.on || c->trying; /* the same pause goes on */

	snprintf(c->refused.reason, sizeof(c->refused.reason), "%s", reason);
	snprintf(c->last_error, sizeof(c->last_error), "%s", reason);
	c->refused.on = true;
	c->trying = false;
	c->try_ms = gan_mono_ms() + GAN_TOKEN_PAUSE_MS;
	if (known)
		return;
	c->refused.since_ms = gan_wall_ms();
	gan_log(GAN_LOG_WARNING, &(struct gan_log_about){ .connector = c->name },
	    "paused, the credentials were refused: %s; one try each 5 minutes, at a reload, or at "
	    "`gantryctl resume %s`",
	    reason, c->name);
}

void
gan_conn_health(
    struct gan_conn *c, const struct gan_conf_deliver *d, enum gan_health health, const char *why)
{
	struct gan_log_about about = { .connector = c->name };

	if (health == GAN_HEALTH_OK && gan_breaker_ok(&c->breaker))
		gan_log(GAN_LOG_NOTICE, &about, "answers again: the breaker is closed");
	if (health == GAN_HEALTH_FAILED &&
	    gan_breaker_failed(&c->breaker, gan_mono_ms(), d->breaker_failures, d->breaker_open_ms))
		gan_log(GAN_LOG_WARNING, &about,
		    "%u failures in a row, the breaker is open; last: %s", c->breaker.failures,
		    why);
}

static void
lift(struct gan_conn *c)
{
	c->refused.on = false;
	c->trying = true;
	c->due = true;
}

static void
on_try_token(void *arg, const struct gan_token_result *r)
{
	struct gan_conn *c = arg;

	c->token_try = false;
	if (r->wait_ms >= 0)
		(void)gan_account_busy(
		    c->account, c->c->deliver.retry.first_ms, r->wait_ms, r->status);
	if (!c->refused.on)
		return;
	if (r->rc == GAN_OK)
		lift(c);
	else
		gan_conn_refuse(c, r->text);
	gan_conn_pump(c);
}

/* One try: a token if they are fetched, else one delivery. */
static void
try_once(struct gan_conn *c)
{
	struct gan_err err = { 0 };
	uint64_t serial;

	if (c->token_try)
		return;
	if (c->account->wait_ms > gan_mono_ms()) {
		c->try_ms = c->account->wait_ms;
		return;
	}
	if (gan_token_use(c->token, gan_mono_ms(), &serial) != NULL) {
		lift(c);
		return;
	}
	/* The fetch needs a place. */
	if (gan_token_is_idle(c->token) && !gan_account_try(c->account)) {
		c->try_ms = gan_account_room_ms(c->account);
		return;
	}
	c->token_try = true;
	if (gan_token_wait(c->token, on_try_token, c, &err) == GAN_OK)
		return;
	c->token_try = false;
	gan_conn_refuse(c, err.msg);
}

/* ---- claiming ------------------------------------------------------------ */

static int64_t
lease_ms(const struct gan_conn *c)
{
	int64_t total = c->c->deliver.total_ms, window = c->account->quota.window_ms;

	unsigned limit = gan_quota_limit(&c->account->quota, gan_mono_ms());
	unsigned windows = limit > 0 ? 2 + 2 * c->c->deliver.concurrency / limit : 0;

	/* A look, a fresh token; each may have to wait for a place, behind all the others. */
	return 4 * total + GAN_LOOK_MS + windows * window + GAN_LEASE_SPARE_MS;
}

static size_t
free_slots(const struct gan_conn *c, int64_t mono)
{
	unsigned most = c->trying ? 1 : c->c->deliver.concurrency;
	/*
	 * The peer is done with those that settle: the next claim may share their COMMIT.
	 * Not without end, when the store is slow.
	 */
	unsigned busy = c->trying || c->settling > most ? c->in_flight : c->in_flight - c->settling;
	size_t slots = busy < most ? most - busy : 0;
	size_t allowed = gan_breaker_allows(&c->breaker, mono);

	return slots < allowed ? slots : allowed;
}

static void
on_claimed(void *arg, int rc, struct gan_claimed **rows, size_t n, int64_t next_due_ms)
{
	struct gan_conn *c = arg;
	struct gan_outbound *out = c->out;

	out->claims--;
	for (size_t i = rc < 0 ? 0 : n; i < c->asked; i++)
		gan_account_give(c->claim_account);
	if (rc < 0 || out->closing) {
		for (size_t i = 0; rc >= 0 && i < n; i++)
			gan_claimed_free(&rows[i]);
		for (size_t i = 0; rc >= 0 && i < n; i++)
			gan_account_give(c->claim_account);
		c->due = true;
		c->hold_ms = gan_mono_ms() + BROKEN_WAIT_MS;
	} else {
		c->next_due_ms = next_due_ms;
		for (size_t i = 0; i < n; i++)
			gan_send_start(c, rows[i]);
		/* Perhaps there was more than there were slots. */
		if (n >= c->asked)
			c->due = true;
		else
			c->short_of_quota = false;
	}
	free(rows);
	gan_account_unref(&c->claim_account);
	/* Not before: one that ends at once asks for more, and the others are not counted yet. */
	c->claiming = false;
	gan_conn_pump(c);
	gan_outbound_idle(out);
}

static void
claim(struct gan_conn *c, size_t slots)
{
	struct gan_claim_at at = { .wall_ms = gan_wall_ms(),
		.due_ms = gan_outbound_due_ms(c->out),
		.mono_ms = gan_mono_ms(),
		.lease_ms = lease_ms(c),
		.give_up_ms = c->c->deliver.retry.give_up_ms };

	c->due = false;
	c->next_due_ms = INT64_MAX;
	c->asked = slots;
	c->claim_until_ms = at.mono_ms + at.lease_ms;
	c->claim_account = gan_account_ref(c->account);
	gan_account_take(c->account, slots);
	if (gan_store_claim(c->out->store, c->name, slots, &at, on_claimed, c) == GAN_OK) {
		c->claiming = true;
		c->out->claims++;
		return;
	}
	for (size_t i = 0; i < slots; i++)
		gan_account_give(c->account);
	gan_account_unref(&c->claim_account);
	c->due = true;
	c->hold_ms = gan_mono_ms() + BUSY_WAIT_MS;
	wake_in(c, BUSY_WAIT_MS);
}

/* No more than may start now: a claim must not wait for the quota. */
static void
claim_within_quota(struct gan_conn *c, size_t slots, bool was_short)
{
	size_t room = gan_account_room(c->account);

	c->short_of_quota = room < slots;
	if (c->short_of_quota && !was_short)
		gan_account_wake(c->account);
	if (room > 0)
		claim(c, room < slots ? room : slots);
}

/* When waiting is all there is to do: until when (monotonic)?  0: no reason to wait. */
static int64_t
must_wait(const struct gan_conn *c, int64_t mono)
{
	int64_t until = 0;

	if (c->hold_ms > mono)
		until = c->hold_ms;
	if (c->account->wait_ms > mono && c->account->wait_ms > until)
		until = c->account->wait_ms;
	if (c->breaker.open && c->breaker.until_ms > mono && c->breaker.until_ms > until)
		until = c->breaker.until_ms;
	return until;
}

void
gan_conn_pump(struct gan_conn *c)
{
	int64_t mono = gan_mono_ms(), now = gan_outbound_due_ms(c->out), until;
	size_t slots;
	bool was_short = c->short_of_quota;

	if (c->out->closing)
		return;
	(void)uv_timer_stop(&c->timer);
	c->short_of_quota = false;
	if (c->out->draining || c->removed || c->kind == NULL || c->person.on || c->claiming)
		return;
	if (c->refused.on && mono >= c->try_ms)
		try_once(c);
	if (c->refused.on) {
		if (!c->token_try)
			wake_in(c, c->try_ms - mono);
		return;
	}
	until = must_wait(c, mono);
	if (until > 0) {
		wake_in(c, until - mono);
		return;
	}
	slots = free_slots(c, mono);
	if (slots == 0)
		return; /* what is in flight pumps again when it ends */
	if (c->due || now >= c->next_due_ms)
		claim_within_quota(c, slots, was_short);
	else if (c->next_due_ms != INT64_MAX)
		wake_in(c, c->next_due_ms - now);
}

/* ---- life ---------------------------------------------------------------- */

static bool
same_secret(const struct gan_secret *a, const struct gan_secret *b)
{
	if (a->bytes == NULL || b->bytes == NULL)
		return a->bytes == b->bytes;
	return a->len == b->len && gan_equal_secret(a->bytes, b->bytes, a->len);
}

static bool
same_auth(const struct gan_conf_auth *a, const struct gan_conf_auth *b)
{
	return gan_streq(a->user, b->user) && same_secret(&a->password, &b->password) &&
	       same_secret(&a->bearer, &b->bearer) && gan_streq(a->token_url, b->token_url) &&
	       gan_streq(a->client_id, b->client_id) && gan_streq(a->scope, b->scope) &&
	       same_secret(&a->client_secret, &b->client_secret) &&
	       a->client_post == b->client_post && same_secret(&a->cert_pem, &b->cert_pem) &&
	       same_secret(&a->key_pem, &b->key_pem);
}

bool
gan_same_credentials(const struct gan_conf_connector *a, const struct gan_conf_connector *b)
{
	return a->kind == b->kind && gan_streq(a->base_url, b->base_url) &&
	       gan_streq(a->ca_file, b->ca_file) && same_secret(&a->channel_key, &b->channel_key) &&
	       same_secret(&a->token, &b->token) && same_secret(&a->api_key, &b->api_key) &&
	       same_secret(&a->api_secret, &b->api_secret) && same_secret(&a->user, &b->user) &&
	       same_secret(&a->password, &b->password) &&
	       a->movilitas_bearer == b->movilitas_bearer && a->flex2b_raw == b->flex2b_raw &&
	       same_auth(&a->auth, &b->auth);
}

bool
gan_conn_differs(const struct gan_conn *c, const struct gan_conf_connector *was)
{
	return c->c != was && !gan_same_credentials(c->c, was);
}

int
gan_conn_new(
    struct gan_outbound *out, const char *name, struct gan_conn **ret_c, struct gan_err *err)
{
	struct gan_conn *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->name = strdup(name)) == NULL) {
		free(c);
		return gan_err_set(err, GAN_ENOMEM, "connector %s", name);
	}
	c->out = out;
	c->due = true;
	c->next_due_ms = INT64_MAX;
	(void)uv_timer_init(out->loop, &c->timer);
	c->timer.data = c;
	out->handles++;
	*ret_c = c;
	return GAN_OK;
}

int
gan_conn_configure(struct gan_conn *c, struct gan_config *conf, struct gan_err *err)
{
	const struct gan_conf_connector *now = gan_config_connector(conf, c->name);
	const struct gan_kind *kind = gan_kind_of(now->kind);
	struct gan_token *token = NULL, *old = NULL;
	struct gan_config *before = c->conf;
	struct gan_account *account = NULL, *left = c->account;
	bool keep = c->token != NULL && gan_same_credentials(c->c, now);
	int rc = gan_account_get(c->out, conf, now, &account, err);

	if (rc < 0)
		return rc;
	if (kind != NULL && !keep)
		rc = gan_token_open(c->out->transfers, conf, now, &token, err);
	if (rc < 0) {
		gan_account_unref(&account);
		return rc;
	}
	if (token != NULL)
		gan_token_count(token, account);
	c->account = account;
	gan_account_unref(&left);
	if (!keep) {
		old = c->token;
		c->token = token;
		c->refusals = 0;
	}
	c->conf = gan_config_ref(conf);
	c->c = now;
	c->kind = kind;
	c->removed = false;
	c->due = true;
	gan_token_free(&old);
	if (before != NULL)
		gan_config_unref(&before);
	return GAN_OK;
}

static void
on_closed(uv_handle_t *h)
{
	struct gan_conn *c = h->data;
	struct gan_outbound *out = c->out;

	free(c->name);
	free(c);
	out->handles--;
	gan_outbound_idle(out);
}

bool
gan_conn_retire(struct gan_conn *c)
{
	struct gan_outbound *out = c->out;
	struct gan_conn **at = &out->conns;

	if (out->closing)
		gan_asks_free(c);
	if (c->claiming || c->sends != NULL || c->nasks > 0)
		return false;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (c->token_try)
		gan_token_unwait(c->token, c);
	gan_token_free(&c->token);
	gan_account_unref(&c->account);
	if (c->conf != NULL)
		gan_config_unref(&c->conf);
	uv_close((uv_handle_t *)&c->timer, on_closed);
	return true;
}

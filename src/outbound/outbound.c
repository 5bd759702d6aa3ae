/* SPDX-License-Identifier: MIT */
/* outbound.c - the whole of it: open, reload, pause, drain, status; see outbound.h. */
#include "outbound/outbound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "outbound/ask_priv.h"
#include "outbound/dispatch.h"

/* How long outcomes are offered to a store that does not take them, after the grace time. */
#define DRAIN_SETTLE_MS 3000

/* A person's pause; it holds for a connector of that name whenever there is one. */
struct gan_paused {
	struct gan_paused *next;
	char *name;
	struct gan_pause pause;
};

static struct gan_conn *
find(const struct gan_outbound *out, const char *name)
{
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static void
pump_all(struct gan_outbound *out)
{
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next)
		gan_conn_pump(c);
}

static void
apply_pause(struct gan_outbound *out, struct gan_conn *c)
{
	c->person.on = false;
	for (const struct gan_paused *p = out->paused; p != NULL; p = p->next)
		if (strcmp(p->name, c->name) == 0)
			c->person = p->pause;
}

/* Connectors in the order of the file, for status. */
static int
add_connector(struct gan_outbound *out, const char *name, struct gan_err *err)
{
	struct gan_conn *c = find(out, name), **end = &out->conns;
	int rc = GAN_OK;

	if (c == NULL) {
		rc = gan_conn_new(out, name, &c, err);
		if (rc < 0)
			return rc;
		while (*end != NULL)
			end = &(*end)->next;
		*end = c;
		c->removed = true; /* until it is configured */
	}
	rc = gan_conn_configure(c, out->conf, err);
	if (rc == GAN_OK)
		apply_pause(out, c);
	return rc;
}

static int
take_config(struct gan_outbound *out, struct gan_config *conf, struct gan_err *err)
{
	struct gan_config *old = out->conf;
	int rc = GAN_OK;

	out->conf = gan_config_ref(conf);
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next)
		c->removed = gan_config_connector(conf, c->name) == NULL;
	for (size_t i = 0; rc == GAN_OK && i < conf->nconnectors; i++)
		rc = add_connector(out, conf->connectors[i].name, err);
	for (struct gan_account *a = out->accounts; rc == GAN_OK && a != NULL; a = a->next)
		rc = gan_account_tune(a, err);
	if (old != NULL)
		gan_config_unref(&old);
	return rc;
}

static void
retire(struct gan_outbound *out, bool all)
{
	struct gan_conn *next;

	for (struct gan_conn *c = out->conns; c != NULL; c = next) {
		next = c->next;
		if (c->removed || all)
			(void)gan_conn_retire(c);
	}
}

static void
on_handle_closed(uv_handle_t *h)
{
	struct gan_outbound *out = h->data;

	out->handles--;
	gan_outbound_idle(out);
}

int64_t
gan_outbound_due_ms(struct gan_outbound *out)
{
	return gan_due_clock_ms(&out->clock, gan_wall_ms(), gan_mono_ms());
}

int
gan_outbound_open(uv_loop_t *loop, struct gan_config *conf, struct gan_store *store,
    const char *quotas, struct gan_outbound **ret_out, struct gan_err *err)
{
	struct gan_outbound *out = calloc(1, sizeof(*out));
	int rc;

	if (out == NULL)
		return gan_err_set(err, GAN_ENOMEM, "outbound");
	out->loop = loop;
	out->store = store;
	out->settle_wait_ms = 100;
	gan_due_clock_init(&out->clock, gan_store_due_floor(store), gan_mono_ms());
	rc = gan_transfers_open(loop, &out->transfers, err);
	if (rc < 0) {
		free(out);
		return rc;
	}
	(void)uv_timer_init(loop, &out->drain_timer);
	(void)uv_timer_init(loop, &out->settle_timer);
	out->drain_timer.data = out->settle_timer.data = out;
	out->handles = 2;
	out->opening = true;
	rc = take_config(out, conf, err);
	if (rc < 0) {
		gan_outbound_close(&out);
		return rc;
	}
	gan_accounts_recall(out, quotas);
	out->opening = false;
	pump_all(out);
	*ret_out = out;
	return GAN_OK;
}

int
gan_outbound_reload(struct gan_outbound *out, struct gan_config *conf, struct gan_err *err)
{
	int rc = take_config(out, conf, err);

	retire(out, false);
	gan_accounts_prune(out, false);
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next) {
		c->try_ms = 0;
		gan_conn_pump(c);
		gan_account_wake(c->account);
	}
	return rc;
}

void
gan_outbound_poke(struct gan_outbound *out, const char *connector)
{
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next)
		if (connector == NULL || strcmp(c->name, connector) == 0) {
			c->due = true;
			gan_conn_pump(c);
		}
}

void
gan_outbound_pause(
    struct gan_outbound *out, const char *connector, const char *reason, int64_t since_ms)
{
	struct gan_conn *c = find(out, connector);
	struct gan_paused *p = out->paused;

	while (p != NULL && strcmp(p->name, connector) != 0)
		p = p->next;
	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		gan_must(p != NULL && (p->name = strdup(connector)) != NULL);
		p->next = out->paused;
		out->paused = p;
	}
	p->pause.on = true;
	p->pause.since_ms = since_ms;
	snprintf(p->pause.reason, sizeof(p->pause.reason), "%s", reason != NULL ? reason : "");
	if (c != NULL) {
		c->person = p->pause;
		gan_conn_pump(c);
		gan_account_wake(c->account); /* what is queued is turned away */
	}
}

void
gan_outbound_resume(struct gan_outbound *out, const char *connector)
{
	struct gan_conn *c = find(out, connector);

	for (struct gan_paused **at = &out->paused; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->name, connector) == 0) {
			struct gan_paused *p = *at;

			*at = p->next;
			free(p->name);
			free(p);
			break;
		}
	if (c == NULL)
		return;
	c->person.on = false;
	c->due = true;
	c->try_ms = 0;
	gan_conn_pump(c);
}

/* ---- the end ------------------------------------------------------------- */

static bool
at_rest(const struct gan_outbound *out)
{
	if (out->claims > 0)
		return false;
	for (const struct gan_conn *c = out->conns; c != NULL; c = c->next)
		if (c->sends != NULL || c->nasks > 0)
			return false;
	return true;
}

static void
drained(struct gan_outbound *out)
{
	if (out->drain_over)
		return;
	out->drain_over = true;
	(void)uv_timer_stop(&out->drain_timer);
	out->drain_cb(out->drain_arg);
}

static void
on_drain_timer(uv_timer_t *timer)
{
	struct gan_outbound *out = timer->data;

	if (out->drain_cut || at_rest(out)) {
		drained(out);
		return;
	}
	out->drain_cut = true;
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next)
		for (struct gan_send *s = c->sends; s != NULL; s = s->next)
			if (s->transfer != NULL)
				gan_transfer_cancel(s->transfer);
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next)
		gan_asks_cut(c);
	/* What the store does not take until then is `unknown` at the next start. */
	(void)uv_timer_start(&out->drain_timer, on_drain_timer, DRAIN_SETTLE_MS, 0);
}

void
gan_outbound_drain(struct gan_outbound *out, int64_t grace_ms, void (*cb)(void *arg), void *arg)
{
	out->draining = true;
	out->drain_cb = cb;
	out->drain_arg = arg;
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next) {
		gan_conn_pump(c); /* stops its timer */
		for (struct gan_send *s = c->sends; s != NULL; s = s->next)
			if (s->waits_token) {
				gan_token_unwait(c->token, s);
				s->waits_token = false;
				gan_send_back(s, gan_outbound_due_ms(out), "the gateway stops");
			} else if (s->waits_place) {
				gan_account_unwait(s->account, &s->wait);
				s->waits_place = false;
				gan_send_back(s, gan_outbound_due_ms(out), "the gateway stops");
			}
		gan_asks_end(c, "the gateway stops");
	}
	uv_update_time(out->loop);
	(void)uv_timer_start(&out->drain_timer, on_drain_timer,
	    at_rest(out) || grace_ms < 0 ? 0 : (uint64_t)grace_ms, 0);
}

void
gan_outbound_idle(struct gan_outbound *out)
{
	if (out->closing) {
		retire(out, true);
		gan_accounts_prune(out, true);
		if (out->handles == 0 && out->conns == NULL)
			free(out);
		return;
	}
	if (out->draining && out->drain_cb != NULL && !out->drain_over && at_rest(out))
		drained(out);
	else
		retire(out, false);
}

void
gan_outbound_close(struct gan_outbound **outp)
{
	struct gan_outbound *out = gan_steal(outp);

	if (out == NULL)
		return;
	out->closing = true;
	for (struct gan_conn *c = out->conns; c != NULL; c = c->next)
		for (struct gan_send *s = c->sends, *next; s != NULL; s = next) {
			next = s->next;
			if (!s->settling) /* else the store's callback frees it */
				gan_send_free(s);
		}
	retire(out, true);
	gan_accounts_prune(out, true);
	gan_transfers_close(&out->transfers);
	while (out->paused != NULL) {
		struct gan_paused *p = out->paused;

		out->paused = p->next;
		free(p->name);
		free(p);
	}
	gan_config_unref(&out->conf);
	uv_close((uv_handle_t *)&out->drain_timer, on_handle_closed);
	uv_close((uv_handle_t *)&out->settle_timer, on_handle_closed);
}

void
gan_outbound_quotas(const struct gan_outbound *out, struct gan_buf *text)
{
	gan_accounts_tell(out, text);
}

/* ---- status -------------------------------------------------------------- */

static void
fill_quota(struct gan_account *a, struct gan_connector_status *s)
{
	int64_t mono = gan_mono_ms(), now = gan_wall_ms(), room = gan_account_room_ms(a);

	if (a->quota.allowed == 0)
		return;
	s->quota_allowed = a->quota.allowed;
	s->quota_limit = gan_quota_limit(&a->quota, mono);
	s->quota_used = gan_quota_used(&a->quota, mono);
	s->quota_window_ms = a->quota.window_ms;
	if (room > mono)
		s->quota_room_ms = now + (room - mono);
	s->quota_waited_ms = a->waited_ms;
	if (a->short_ms == 0)
		return;
	s->quota_short_ms = now - (mono - a->short_ms);
	s->quota_waited_ms += (uint64_t)(mono - a->short_ms);
}

static void
fill_status(const struct gan_conn *c, struct gan_connector_status *s)
{
	int64_t mono = gan_mono_ms(), now = gan_wall_ms();
	const struct gan_pause *p = c->person.on ? &c->person : &c->refused;

	*s = (struct gan_connector_status){
		.name = c->name,
		.kind = gan_kind_name(c->c->kind),
		.breaker_open = c->breaker.open,
		.in_flight = c->in_flight,
		.asks = c->nasks,
		.concurrency = c->c->deliver.concurrency,
		.consecutive_failures = c->breaker.failures,
		.last_error = c->last_error[0] != '\0' ? c->last_error : NULL,
		.last_ok_ms = c->last_ok_ms,
		.delivered = c->delivered,
		.retried = c->retried,
		.dead = c->dead,
		.unknown = c->unknown,
		.found = c->found,
		.different = c->different,
		.absent = c->absent,
	};
	if (c->breaker.open)
		s->breaker_until_ms = now + (c->breaker.until_ms - mono);
	if (c->account->wait_ms > mono)
		s->wait_until_ms = now + (c->account->wait_ms - mono);
	fill_quota(c->account, s);
	if (!p->on)
		return;
	s->paused = c->person.on ? GAN_PAUSE_PERSON : GAN_PAUSE_TOKEN;
	s->pause_reason = p->reason;
	s->paused_since_ms = p->since_ms;
}

size_t
gan_outbound_status(const struct gan_outbound *out, struct gan_connector_status *ret, size_t n)
{
	size_t count = 0;

	for (const struct gan_conn *c = out->conns; c != NULL; c = c->next)
		if (!c->removed) {
			if (count < n)
				fill_status(c, &ret[count]);
			count++;
		}
	return count;
}

/* SPDX-License-Identifier: MIT */
/* account.c - see account.h. */
#include "outbound/account.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "outbound/ask_priv.h"
#include "outbound/dispatch.h"

#define FEED_AFTER 3 /* places of deliveries that go before a feed read that waits */
#define WAIT_LEAST_MS INT64_C(1000)
#define LOOK_MS INT64_C(1000) /* while reconciliation waits for quiet, which tells nobody */

static void run(struct gan_account *a);

static void
on_timer(uv_timer_t *t)
{
	run(t->data);
}

static void
wake_in(struct gan_account *a, int64_t ms)
{
	uint64_t in = ms <= 0 ? 0 : (uint64_t)ms, left;

	if (a->closing || a->out->closing)
		return;
	uv_update_time(a->out->loop);
	left = uv_timer_get_due_in(&a->timer);
	if (!uv_is_active((uv_handle_t *)&a->timer) || in < left)
		(void)uv_timer_start(&a->timer, on_timer, in, 0);
}

void
gan_account_wake(struct gan_account *a)
{
	a->again = true;
	if (!a->running)
		wake_in(a, 0);
}

/* ---- places -------------------------------------------------------------- */

static size_t
asks_queued(const struct gan_account *a, enum gan_ask_prio prio, size_t most)
{
	size_t n = 0;

	for (const struct gan_ask_handle *k = a->asks[prio]; k != NULL && n < most; k = k->next)
		n++;
	return n;
}

static size_t
waits_queued(const struct gan_account *a)
{
	size_t n = 0;

	for (const struct gan_place_wait *w = a->waits; w != NULL; w = w->next)
		n++;
	return n;
}

static bool
feed_is_next(const struct gan_account *a)
{
	return a->asks[GAN_ASK_FEED] != NULL && a->since_feed >= FEED_AFTER;
}

size_t
gan_account_room(struct gan_account *a)
{
	size_t room = gan_quota_room(&a->quota, gan_mono_ms()), before;

	if (room == SIZE_MAX)
		return room;
	before = waits_queued(a) + asks_queued(a, GAN_ASK_PROBE, GAN_ASK_QUEUE_MAX) +
		 (feed_is_next(a) ? 1 : 0);
	return room > before ? room - before : 0;
}

void
gan_account_take(struct gan_account *a, size_t n)
{
	gan_quota_take(&a->quota, n);
	if (a->since_feed < FEED_AFTER)
		a->since_feed += n < FEED_AFTER ? (unsigned)n : FEED_AFTER;
}

bool
gan_account_try(struct gan_account *a)
{
	if (gan_quota_room(&a->quota, gan_mono_ms()) == 0)
		return false;
	gan_quota_take(&a->quota, 1);
	return true;
}

void
gan_account_wait(struct gan_account *a, struct gan_place_wait *w)
{
	struct gan_place_wait **end = &a->waits;

	while (*end != NULL)
		end = &(*end)->next;
	w->next = NULL;
	*end = w;
	gan_account_wake(a);
}

void
gan_account_unwait(struct gan_account *a, struct gan_place_wait *w)
{
	for (struct gan_place_wait **at = &a->waits; *at != NULL; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			return;
		}
}

int64_t
gan_account_room_ms(struct gan_account *a)
{
	int64_t mono = gan_mono_ms(), at = gan_quota_room_ms(&a->quota, mono);

	/* Others must end first, which nobody can know: they have their time limits. */
	return at == INT64_MAX ? mono + a->quota.window_ms : at;
}

void
gan_account_follow(struct gan_account **ap, bool *place, struct gan_account *to)
{
	if (*ap == to)
		return;
	if (*place)
		gan_account_give(*ap);
	*place = false;
	gan_account_unref(ap);
	*ap = gan_account_ref(to);
}

static void
tell_those_who_wait(struct gan_account *a)
{
	bool any = a->waits != NULL || a->short_ms != 0;

	for (int p = 0; p < GAN_ASK_NPRIO; p++)
		any |= a->asks[p] != NULL;
	if (any)
		gan_account_wake(a);
}

void
gan_account_give(struct gan_account *a)
{
	gan_quota_give(&a->quota);
	tell_those_who_wait(a);
}

void
gan_account_end(struct gan_account *a)
{
	gan_quota_end(&a->quota, gan_mono_ms());
	tell_those_who_wait(a);
}

static void
refused(struct gan_account *a)
{
	if (gan_quota_refused(&a->quota, gan_mono_ms()))
		gan_log(GAN_LOG_NOTICE, &(struct gan_log_about){ .connector = a->c->name },
		    "the peer counts more requests than its quota allows: %u instead of %u requests are "
		    "sent in a window until it stays quiet; does anybody else use the account?",
		    a->quota.learned, a->quota.allowed);
}

int64_t
gan_account_busy(struct gan_account *a, int64_t first_ms, int64_t wait_ms, int status)
{
	int64_t until;

	if (wait_ms < WAIT_LEAST_MS)
		wait_ms = first_ms < WAIT_LEAST_MS ? first_ms : WAIT_LEAST_MS;
	if (status == 429)
		refused(a);
	until = gan_mono_ms() + wait_ms;
	if (until > a->wait_ms)
		a->wait_ms = until;
	gan_account_wake(a);
	return wait_ms;
}

/* ---- whose turn is it? --------------------------------------------------- */

/* Would it send now, if there were places? */
static bool
wants(const struct gan_conn *c)
{
	if (c->removed || c->kind == NULL || c->person.on || c->refused.on || c->breaker.open)
		return false;
	return c->due || c->short_of_quota || c->claiming ||
	       c->in_flight >= c->c->deliver.concurrency;
}

static bool
anybody_wants(const struct gan_account *a)
{
	for (const struct gan_conn *c = a->out->conns; c != NULL; c = c->next)
		if (c->account == a && wants(c))
			return true;
	return false;
}

/* Each time another connector first: none can keep the places for itself. */
static void
pump_those_short(struct gan_account *a)
{
	unsigned n = 0, i;

	for (struct gan_conn *c = a->out->conns; c != NULL; c = c->next)
		n += c->account == a;
	if (n == 0)
		return;
	a->turn = (a->turn + 1) % n;
	for (int round = 0; round < 2; round++) {
		i = 0;
		for (struct gan_conn *c = a->out->conns; c != NULL; c = c->next)
			if (c->account == a && (i++ >= a->turn) == (round == 0) &&
			    c->short_of_quota)
				gan_conn_pump(c);
	}
}

static int64_t
waits_next_ms(const struct gan_account *a, struct gan_place_wait **ret_w)
{
	int64_t at = INT64_MAX;

	for (struct gan_place_wait *w = a->waits; w != NULL; w = w->next)
		if (w->until_ms < at) {
			at = w->until_ms;
			*ret_w = w;
		}
	return at;
}

/* Those told may wait again at once: everything is looked at anew for each. */
static void
serve_waits(struct gan_account *a)
{
	struct gan_place_wait *w;

	while ((w = a->waits) != NULL) {
		int64_t mono = gan_mono_ms();
		bool late = waits_next_ms(a, &w) <= mono, have = !late && a->wait_ms <= mono;

		if (!late)
			w = a->waits;
		if (have && gan_quota_room(&a->quota, mono) == 0)
			return;
		gan_account_unwait(a, w);
		if (have)
			gan_quota_take(&a->quota, 1);
		w->fn(w->arg, have);
	}
}

/* Half of the quota stays free for what may come. */
static bool
is_quiet(struct gan_account *a)
{
	int64_t mono = gan_mono_ms();
	unsigned limit = gan_quota_limit(&a->quota, mono);
	unsigned used = gan_quota_used(&a->quota, mono);

	return (limit == 0 || used == 0 || used * 2 < limit) && !anybody_wants(a);
}

static void
note_shortage(struct gan_account *a, bool is_short)
{
	int64_t mono = gan_mono_ms();

	if (is_short && a->short_ms == 0)
		a->short_ms = mono;
	if (!is_short && a->short_ms != 0) {
		a->waited_ms += (uint64_t)(mono - a->short_ms);
		a->short_ms = 0;
	}
}

static bool
somebody_is_short(const struct gan_account *a)
{
	for (const struct gan_conn *c = a->out->conns; c != NULL; c = c->next)
		if (c->account == a && c->short_of_quota)
			return true;
	return a->waits != NULL;
}

/* Nothing tells when places come back but time. */
static void
come_again(struct gan_account *a)
{
	int64_t mono = gan_mono_ms(), at = INT64_MAX, next;
	bool full = gan_quota_room(&a->quota, mono) == 0;
	bool is_short = somebody_is_short(a), asks = false;
	struct gan_place_wait *first = NULL;

	for (int p = 0; p < GAN_ASK_NPRIO; p++)
		asks |= a->asks[p] != NULL;
	/* Until there is room that nobody takes: those who got some may want more. */
	note_shortage(a, is_short || (full && (asks || a->short_ms != 0)));
	if (!asks && a->short_ms == 0)
		return;
	if (full)
		at = gan_quota_room_ms(&a->quota, mono);
	next = gan_asks_next_ms(a);
	if (next < at)
		at = next;
	next = waits_next_ms(a, &first);
	if (next < at)
		at = next;
	if (a->asks[GAN_ASK_RECONCILE] != NULL) {
		next = gan_quota_next_ms(&a->quota, mono);
		if (next > mono + LOOK_MS)
			next = mono + LOOK_MS;
		if (next < at)
			at = next;
	}
	if (at != INT64_MAX)
		wake_in(a, at > mono ? at - mono : 1);
}

static void
run(struct gan_account *a)
{
	struct gan_outbound *out = a->out;

	if (a->running || a->closing || out->closing)
		return;
	a->running = true;
	a->again = false;
	serve_waits(a);
	gan_asks_serve(a, GAN_ASK_PROBE, SIZE_MAX);
	if (feed_is_next(a) || !somebody_is_short(a))
		gan_asks_serve(a, GAN_ASK_FEED, 1);
	pump_those_short(a);
	if (!somebody_is_short(a))
		gan_asks_serve(a, GAN_ASK_FEED, SIZE_MAX);
	gan_asks_serve(a, GAN_ASK_RECONCILE, is_quiet(a) ? 1 : 0);
	a->running = false;
	come_again(a);
	if (a->again)
		wake_in(a, 0);
	gan_outbound_idle(out);
}

/* ---- life ---------------------------------------------------------------- */

static bool
same_base(const struct gan_account *a, const struct gan_conf_connector *c)
{
	return gan_streq(a->c->base_url, c->base_url);
}

static int
account_new(struct gan_outbound *out, struct gan_config *conf, const struct gan_conf_connector *c,
    struct gan_account **ret_a, struct gan_err *err)
{
	struct gan_account *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return gan_err_set(err, GAN_ENOMEM, "account of %s", c->name);
	a->out = out;
	a->conf = gan_config_ref(conf);
	a->c = c;
	(void)uv_timer_init(out->loop, &a->timer);
	a->timer.data = a;
	out->handles++;
	a->next = out->accounts;
	out->accounts = a;
	*ret_a = a;
	return GAN_OK;
}

int
gan_account_get(struct gan_outbound *out, struct gan_config *conf,
    const struct gan_conf_connector *c, struct gan_account **ret_a, struct gan_err *err)
{
	bool known = false;
	int rc;

	for (struct gan_account *a = out->accounts; a != NULL; a = a->next) {
		if (gan_same_credentials(a->c, c)) {
			*ret_a = gan_account_ref(a);
			return GAN_OK;
		}
		known |= same_base(a, c);
	}
	rc = account_new(out, conf, c, ret_a, err);
	if (rc < 0)
		return rc;
	(*ret_a)->refs = 1;
	/* What went out with other credentials may count here too. */
	(*ret_a)->uncounted = known && !out->opening;
	return GAN_OK;
}

struct gan_account *
gan_account_ref(struct gan_account *a)
{
	a->refs++;
	return a;
}

void
gan_account_unref(struct gan_account **ap)
{
	struct gan_account *a = gan_steal(ap);

	if (a == NULL)
		return;
	gan_must(a->refs > 0);
	if (--a->refs == 0)
		a->idle_ms = gan_mono_ms();
}

int
gan_account_tune(struct gan_account *a, struct gan_err *err)
{
	unsigned allowed = 0;
	int64_t window = 0;
	int rc;

	for (const struct gan_conn *c = a->out->conns; c != NULL; c = c->next) {
		const struct gan_conf_quota *q = c->account == a ? &c->c->quota : NULL;
		unsigned n = q == NULL ? 0 : gan_conf_quota_limit(q);

		if (n == 0)
			continue;
		/* Requests in a time: the smaller rate. */
		if (allowed == 0 ||
		    (uint64_t)n * (uint64_t)window < (uint64_t)allowed * (uint64_t)q->window_ms) {
			allowed = n;
			window = q->window_ms;
		}
	}
	/* A longer window looks back to what was forgotten. */
	a->uncounted |= a->quota.allowed != 0 && window > a->quota.window_ms;
	rc = gan_quota_set(&a->quota, allowed, window, err);
	if (rc < 0)
		return rc;
	if (a->uncounted)
		gan_quota_close(&a->quota, gan_mono_ms());
	a->uncounted = allowed == 0;
	gan_account_wake(a);
	return GAN_OK;
}

static void
on_closed(uv_handle_t *h)
{
	struct gan_account *a = h->data;
	struct gan_outbound *out = a->out;

	gan_quota_fini(&a->quota);
	gan_config_unref(&a->conf);
	free(a);
	out->handles--;
	gan_outbound_idle(out);
}

void
gan_accounts_prune(struct gan_outbound *out, bool all)
{
	int64_t mono = gan_mono_ms();
	struct gan_account **at = &out->accounts;

	while (*at != NULL) {
		struct gan_account *a = *at;

		if (a->refs > 0 || (!all && a->idle_ms + a->quota.window_ms > mono)) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		a->closing = true;
		uv_close((uv_handle_t *)&a->timer, on_closed);
	}
}

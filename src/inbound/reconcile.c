/* SPDX-License-Identifier: MIT */
/* reconcile.c - whose turn it is: sources, their times, those who wait for a round. */
#include "inbound/reconcile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "inbound/reconcile_priv.h"

enum {
	SOON_MS = 1000,    /* the first round after a start, or after a loss */
	RETRY_MS = 300000, /* after a round that failed, unless `every` is shorter */
};

static const char *
name_of(const struct gan_recon_kind *k)
{
	return k->list == NULL ? GAN_RECON_MOVES : gan_entity_names[k->list->type];
}

/* ---- sources --------------------------------------------------------------------- */

static void
source_free(struct gan_recon_source **sp)
{
	struct gan_recon_source *s = gan_steal(sp);

	if (s == NULL)
		return;
	free(s->name);
	free(s->connector);
	free(s);
}

static struct gan_recon_source *
source_find(const struct gan_reconcile *r, const char *name)
{
	for (struct gan_recon_source *s = r->sources; s != NULL; s = s->next) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

static bool
has_channel(const struct gan_conf_source *conf, enum gan_entity type)
{
	for (size_t i = 0; i < conf->nchannels; i++) {
		if (conf->channels[i].type == type)
			return true;
	}
	return false;
}

/* What is asked for: what its webhooks, or its channels, tell of. */
static void
source_kinds(struct gan_recon_source *s, const struct gan_conf_source *conf)
{
	gan_must(gan_recon_nlists < GAN_RECON_KINDS);
	for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
		struct gan_recon_kind *k = &s->kinds[i];
		const struct gan_recon_list *list =
		    i < gan_recon_nlists ? &gan_recon_lists[i] : NULL;

		k->list = list;
		k->on = s->feed        ? list != NULL && has_channel(conf, list->type)
			: list != NULL ? list->webhook
				       : true;
	}
}

static bool
source_tune(struct gan_recon_source *s, const struct gan_conf_source *conf)
{
	char *connector = gan_asprintf("%s", conf->reconcile.connector);

	if (connector == NULL)
		return false;
	free(s->connector);
	s->connector = connector;
	s->feed = conf->kind == GAN_SOURCE_FEED;
	s->gone = false;
	s->every_ms = conf->reconcile.every_ms;
	s->overlap_ms = conf->reconcile.overlap_ms;
	s->grace_ms = conf->reconcile.grace_ms;
	source_kinds(s, conf);
	return true;
}

/* A round that was due while the gateway was down is due now. */
static void
source_schedule(struct gan_recon_source *s)
{
	int64_t now = gan_wall_ms(), next = now + s->every_ms;

	for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
		const struct gan_recon_kind *k = &s->kinds[i];

		if (k->on && k->at_ms + s->every_ms < next)
			next = k->at_ms + s->every_ms;
	}
	s->next_ms = next > now + SOON_MS ? next : now + SOON_MS;
}

static bool
tune(struct gan_reconcile *r)
{
	for (size_t i = 0; i < r->conf->nsources; i++) {
		const struct gan_conf_source *conf = &r->conf->sources[i];
		struct gan_recon_source *s;

		if (!conf->reconcile.on)
			continue;
		s = source_find(r, conf->name);
		if (s == NULL) {
			s = calloc(1, sizeof(*s));
			if (s == NULL || (s->name = gan_asprintf("%s", conf->name)) == NULL) {
				free(s);
				return false;
			}
			s->next = r->sources;
			r->sources = s;
		}
		if (!source_tune(s, conf))
			return false;
	}
	return true;
}

static void
drop_gone(struct gan_reconcile *r)
{
	struct gan_recon_source **at = &r->sources, *s;

	while ((s = *at) != NULL) {
		if (!s->gone || r->round.source == s) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		source_free(&s);
	}
}

/* ---- whose turn it is ----------------------------------------------------------------- */

static bool
is_due(const struct gan_recon_source *s)
{
	for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
		if (s->kinds[i].on && s->kinds[i].due)
			return true;
	}
	return false;
}

static void on_timer(uv_timer_t *t);

static void
arm(struct gan_reconcile *r)
{
	int64_t now = gan_wall_ms(), next = INT64_MAX;

	if (r->draining || r->round.source != NULL)
		return;
	for (const struct gan_recon_source *s = r->sources; s != NULL; s = s->next) {
		int64_t at = is_due(s) && !s->soon ? now : s->next_ms;

		next = at < next ? at : next;
	}
	if (next == INT64_MAX)
		(void)uv_timer_stop(&r->timer);
	else
		gan_must(uv_timer_start(
			     &r->timer, on_timer, next > now ? (uint64_t)(next - now) : 0, 0) == 0);
}

static void
all_due(struct gan_recon_source *s)
{
	for (size_t i = 0; i < GAN_RECON_KINDS; i++)
		s->kinds[i].due = s->kinds[i].on;
}

static void
on_timer(uv_timer_t *t)
{
	struct gan_reconcile *r = t->data;
	int64_t now = gan_wall_ms();
	struct gan_recon_source *s;

	for (s = r->sources; s != NULL; s = s->next) {
		if (now < s->next_ms)
			continue;
		if (!s->soon)
			all_due(s);
		s->soon = false;
		s->next_ms = now + s->every_ms;
	}
	for (s = r->sources; s != NULL; s = s->next) {
		if (is_due(s) && !s->soon)
			break;
	}
	if (s != NULL)
		gan_recon_begin(r, s);
	else
		arm(r);
}

/* ---- those who wait ---------------------------------------------------------------------- */

static bool
is_over(const struct gan_reconcile *r, const char *source)
{
	for (const struct gan_recon_source *s = r->sources; s != NULL; s = s->next) {
		if (source != NULL && strcmp(s->name, source) != 0)
			continue;
		if (is_due(s) || r->round.source == s)
			return false;
	}
	return true;
}

static bool
has_failed(const struct gan_reconcile *r, const char *source)
{
	for (const struct gan_recon_source *s = r->sources; s != NULL; s = s->next) {
		if (source != NULL && strcmp(s->name, source) != 0)
			continue;
		for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
			if (s->kinds[i].on && s->kinds[i].error[0] != '\0')
				return true;
		}
	}
	return false;
}

static void
answer(struct gan_reconcile *r, bool all)
{
	struct gan_recon_waiter **at = &r->waiters, *w;

	while ((w = *at) != NULL) {
		struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

		if (!all && !is_over(r, w->source)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		gan_buf_putc(&out, '[');
		gan_reconcile_put(r, w->source, &out);
		if (out.len > 1)
			out.len--; /* the comma behind the last row */
		gan_buf_putc(&out, ']');
		if (all)
			w->cb(w->arg, GAN_EGONE, "", 0);
		else if (out.failed)
			w->cb(w->arg, GAN_ENOMEM, "", 0);
		else
			w->cb(w->arg, has_failed(r, w->source) ? GAN_ESTATE : GAN_OK, out.data,
			    out.len);
		free(w->source);
		free(w);
	}
}

void
gan_reconcile_now(struct gan_reconcile *r, const char *source, gan_reconcile_fn cb, void *arg)
{
	struct gan_recon_waiter *w;

	if (r->sources == NULL || (source != NULL && source_find(r, source) == NULL)) {
		cb(arg, GAN_ENOENT, "", 0);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w != NULL && source != NULL)
		w->source = gan_asprintf("%s", source);
	if (r->draining || w == NULL || (source != NULL && w->source == NULL)) {
		free(w);
		cb(arg, r->draining ? GAN_EGONE : GAN_ENOMEM, "", 0);
		return;
	}
	w->cb = cb;
	w->arg = arg;
	w->next = r->waiters;
	r->waiters = w;
	for (struct gan_recon_source *s = r->sources; s != NULL; s = s->next) {
		if (source != NULL && strcmp(s->name, source) != 0)
			continue;
		all_due(s);
		s->soon = false;
		s->next_ms = gan_wall_ms() + s->every_ms;
	}
	arm(r);
}

bool
gan_reconcile_lost(struct gan_reconcile *r, const char *feed_source, enum gan_entity type)
{
	const struct gan_conf_source *feed = gan_config_source(r->conf, feed_source);
	bool any = false;

	for (struct gan_recon_source *s = r->sources; s != NULL && feed != NULL; s = s->next) {
		for (size_t i = 0; i < gan_recon_nlists; i++) {
			struct gan_recon_kind *k = &s->kinds[i];

			if (!k->on || k->list->type != type ||
			    !gan_streq(s->connector, feed->connector))
				continue;
			k->due = any = true;
			/* Not at once: the MES may be the one that does not answer. */
			if (s->next_ms > gan_wall_ms() + SOON_MS) {
				s->next_ms = gan_wall_ms() + SOON_MS;
				s->soon = true;
			}
		}
	}
	arm(r);
	return any;
}

/* ---- the round that runs -------------------------------------------------------------------- */

static void
drained(struct gan_reconcile *r)
{
	void (*cb)(void *) = r->drain_cb;

	if (!r->draining || r->busy || cb == NULL)
		return;
	r->drain_cb = NULL;
	cb(r->drain_arg);
}

bool
gan_recon_goes_on(struct gan_reconcile *r)
{
	r->busy = false;
	if (!r->draining)
		return true;
	drained(r);
	return false;
}

void
gan_recon_failed(struct gan_reconcile *r, const char *fmt, ...)
{
	struct gan_recon_source *s = r->round.source;
	struct gan_recon_kind *k = r->round.kind;
	int64_t retry = s->every_ms < RETRY_MS ? s->every_ms : RETRY_MS;
	char text[sizeof(k->error)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strcmp(text, k->error) != 0)
		gan_log(GAN_LOG_WARNING,
		    &(struct gan_log_about){ .source = s->name, .connector = s->connector },
		    "reconciliation of %s failed, it is tried again: %s", name_of(k), text);
	memcpy(k->error, text, sizeof(text));
	if (s->next_ms > gan_wall_ms() + retry)
		s->next_ms = gan_wall_ms() + retry;
	gan_recon_next_kind(r);
}

static void
log_round(const struct gan_recon_source *s)
{
	const struct gan_log_about about = { .source = s->name, .connector = s->connector };

	for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
		const struct gan_recon_kind *k = &s->kinds[i];

		if (k->on && k->error[0] == '\0' && k->told > 0)
			gan_log(GAN_LOG_NOTICE, &about,
			    "reconciliation: %lld of %lld listed entities of kind %s were in a "
			    "state that nobody had told; each is an event now",
			    (long long)k->told, (long long)k->listed, name_of(k));
	}
}

void
gan_recon_over(struct gan_reconcile *r)
{
	log_round(r->round.source);
	r->round.source = NULL;
	r->round.kind = NULL;
	drop_gone(r);
	answer(r, false);
	arm(r);
}

/* ---- life -------------------------------------------------------------------------------------
 */

static void
on_mark(void *arg, const struct gan_recon_mark *m)
{
	struct gan_recon_source *s = source_find(arg, m->source);

	for (size_t i = 0; s != NULL && i < GAN_RECON_KINDS; i++) {
		struct gan_recon_kind *k = &s->kinds[i];

		if (strcmp(name_of(k), m->type) != 0)
			continue;
		k->at_ms = m->at_ms;
		k->missed = m->missed;
		k->moves_listed = m->listed;
		k->moves_told = m->told;
	}
}

int
gan_reconcile_open(uv_loop_t *loop, const struct gan_reconcile_options *opt,
    struct gan_reconcile **ret_rec, struct gan_err *err)
{
	struct gan_reconcile *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return gan_err_set(err, GAN_ENOMEM, "reconciliation");
	r->loop = loop;
	r->opt = *opt;
	r->conf = gan_config_ref(opt->conf);
	gan_must(uv_timer_init(loop, &r->timer) == 0);
	r->timer.data = r;
	rc = tune(r) ? gan_store_recon_marks(opt->store, on_mark, r, err)
		     : gan_err_set(err, GAN_ENOMEM, "reconciliation");
	if (rc < 0) {
		gan_reconcile_close(&r);
		return rc;
	}
	for (struct gan_recon_source *s = r->sources; s != NULL; s = s->next)
		source_schedule(s);
	arm(r);
	*ret_rec = r;
	return GAN_OK;
}

void
gan_reconcile_reload(struct gan_reconcile *r, struct gan_config *conf)
{
	gan_config_unref(&r->conf);
	r->conf = gan_config_ref(conf);
	for (struct gan_recon_source *s = r->sources; s != NULL; s = s->next)
		s->gone = true;
	if (!tune(r))
		gan_log(GAN_LOG_ERR, NULL,
		    "out of memory: reload again, some sources are not "
		    "reconciled");
	drop_gone(r);
	for (struct gan_recon_source *s = r->sources; s != NULL; s = s->next)
		source_schedule(s);
	answer(r, false);
	arm(r);
}

void
gan_reconcile_drain(struct gan_reconcile *r, void (*cb)(void *arg), void *arg)
{
	r->draining = true;
	r->drain_cb = cb;
	r->drain_arg = arg;
	(void)uv_timer_stop(&r->timer);
	answer(r, true);
	drained(r);
}

static void
on_closed(uv_handle_t *h)
{
	struct gan_reconcile *r = h->data;
	struct gan_recon_source *s;

	while ((s = r->sources) != NULL) {
		r->sources = s->next;
		source_free(&s);
	}
	gan_buf_fini(&r->round.body);
	gan_config_unref(&r->conf);
	free(r);
}

void
gan_reconcile_close(struct gan_reconcile **rp)
{
	struct gan_reconcile *r = gan_steal(rp);

	if (r != NULL)
		uv_close((uv_handle_t *)&r->timer, on_closed);
}

/* ---- status
 * -------------------------------------------------------------------------------------- */

size_t
gan_reconcile_status(const struct gan_reconcile *r, struct gan_reconcile_status *rows, size_t max)
{
	size_t n = 0;

	for (const struct gan_recon_source *s = r->sources; s != NULL; s = s->next) {
		for (size_t i = 0; i < GAN_RECON_KINDS && n < max; i++) {
			const struct gan_recon_kind *k = &s->kinds[i];

			if (!k->on || s->gone)
				continue;
			rows[n++] = (struct gan_reconcile_status){ .source = s->name,
				.type = name_of(k),
				.at_ms = k->at_ms,
				.next_ms = r->round.source == s ? 0 : s->next_ms,
				.listed = k->list == NULL ? k->moves_listed : k->listed,
				.known = k->known,
				.waiting = k->waiting,
				.missed = k->missed,
				.counted = k->list == NULL,
				.difference = k->moves_listed - k->moves_told,
				.error = k->error[0] != '\0' ? k->error : NULL };
		}
	}
	return n;
}

static void
put_time(struct gan_buf *out, const char *name, int64_t ms)
{
	char text[GAN_TIME_LEN];

	if (ms == 0)
		gan_buf_printf(out, ",\"%s\":null", name);
	else
		gan_buf_printf(out, ",\"%s\":\"%s\"", name, gan_time_format(ms, text));
}

void
gan_reconcile_put(const struct gan_reconcile *r, const char *source, struct gan_buf *out)
{
	struct gan_reconcile_status rows[GAN_RECONCILE_MAX];
	size_t n = gan_reconcile_status(r, rows, GAN_COUNT(rows));

	for (size_t i = 0; i < n; i++) {
		const struct gan_reconcile_status *s = &rows[i];

		if (source != NULL && strcmp(s->source, source) != 0)
			continue;
		gan_buf_printf(out, "{\"source\":\"%s\",\"type\":\"%s\"", s->source, s->type);
		put_time(out, "last_at", s->at_ms);
		put_time(out, "next_at", s->next_ms);
		gan_buf_printf(out, ",\"listed\":%lld", (long long)s->listed);
		if (s->counted)
			gan_buf_printf(out, ",\"difference\":%lld", (long long)s->difference);
		else
			gan_buf_printf(out,
			    ",\"known\":%lld,\"waiting\":%lld,\"missed_total\":%lld",
			    (long long)s->known, (long long)s->waiting, (long long)s->missed);
		gan_buf_puts(out, ",\"error\":");
		if (s->error == NULL)
			gan_buf_puts(out, "null");
		else
			gan_buf_json(out, s->error, strlen(s->error));
		gan_buf_puts(out, "},");
	}
}

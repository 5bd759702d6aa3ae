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
source_new(const char *name)
{
	struct gan_recon_source *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->name = gan_asprintf("%s", name);
	if (s != NULL && s->name == NULL)
		source_free(&s);
	return s;
}

static struct gan_recon_source **
place_of(struct gan_recon_source **list, const char *name)
{
	while (*list != NULL && strcmp((*list)->name, name) != 0)
		list = &(*list)->next;
	return list;
}

static struct gan_recon_source *
source_find(struct gan_reconcile *r, const char *name)
{
	return *place_of(&r->sources, name);
}

/* One that was here before goes on where it stood. */
static struct gan_recon_source *
source_add(struct gan_reconcile *r, const char *name)
{
	struct gan_recon_source **at = place_of(&r->past, name), *s = *at;

	if (s != NULL)
		*at = s->next;
	else
		s = source_new(name);
	if (s == NULL)
		return NULL;
	s->next = r->sources;
	r->sources = s;
	return s;
}

/* It is not asked any more; what is known of it stays. */
static void
source_rest(struct gan_reconcile *r, struct gan_recon_source *s)
{
	s->soon_ms = 0;
	for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
		s->kinds[i].due = false;
		s->kinds[i].error[0] = '\0';
	}
	s->next = r->past;
	r->past = s;
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

static void
kinds_init(struct gan_recon_source *s)
{
	gan_must(gan_recon_nlists < GAN_RECON_KINDS);
	for (size_t i = 0; i < gan_recon_nlists; i++)
		s->kinds[i].list = &gan_recon_lists[i];
}

/* What is asked for: what its webhooks, or its channels, tell of. */
static void
source_kinds(struct gan_recon_source *s, const struct gan_conf_source *conf)
{
	kinds_init(s);
	for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
		struct gan_recon_kind *k = &s->kinds[i];
		const struct gan_recon_list *list = k->list;

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
		if (s == NULL)
			s = source_add(r, conf->name);
		if (s == NULL || !source_tune(s, conf))
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
		source_rest(r, s);
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
	for (struct gan_recon_source *s = r->sources; s != NULL; s = s->next) {
		int64_t most = now + (s->every_ms > SOON_MS ? s->every_ms : SOON_MS), at;

		/* The clock went back: nobody must wait until it is there again. */
		if (s->next_ms > most)
			s->next_ms = most;
		if (s->soon_ms > now + SOON_MS)
			s->soon_ms = now + SOON_MS;
		at = s->soon_ms != 0 && s->soon_ms < s->next_ms ? s->soon_ms : s->next_ms;
		if (is_due(s) && s->soon_ms == 0)
			at = now;
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
		if (now >= s->next_ms) {
			all_due(s);
			s->next_ms = now + s->every_ms;
			s->soon_ms = 0;
		} else if (now >= s->soon_ms) {
			s->soon_ms = 0;
		}
	}
	for (s = r->sources; s != NULL; s = s->next) {
		if (is_due(s) && s->soon_ms == 0)
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
		s->soon_ms = 0;
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
			if (s->soon_ms == 0)
				s->soon_ms = gan_wall_ms() + SOON_MS;
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
		    "reconciliation of %s failed, it is tried again: %s", gan_recon_name(k), text);
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
			    (long long)k->told, (long long)k->listed, gan_recon_name(k));
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

struct marks {
	struct gan_reconcile *r;
	bool no_memory;
};

static void
on_mark(void *arg, const struct gan_recon_mark *m)
{
	struct marks *marks = arg;
	struct gan_reconcile *r = marks->r;
	struct gan_recon_source *s = source_find(r, m->source);

	if (s == NULL)
		s = *place_of(&r->past, m->source);
	if (s == NULL) {
		s = source_new(m->source);
		if (s == NULL) {
			marks->no_memory = true;
			return;
		}
		kinds_init(s);
		source_rest(r, s);
	}
	for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
		struct gan_recon_kind *k = &s->kinds[i];

		if (strcmp(gan_recon_name(k), m->type) != 0)
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
	struct marks marks = { .r = r };
	int rc;

	if (r == NULL)
		return gan_err_set(err, GAN_ENOMEM, "reconciliation");
	r->loop = loop;
	r->opt = *opt;
	r->conf = gan_config_ref(opt->conf);
	gan_must(uv_timer_init(loop, &r->timer) == 0);
	r->timer.data = r;
	rc = tune(r) ? gan_store_recon_marks(opt->store, on_mark, &marks, err)
		     : gan_err_set(err, GAN_ENOMEM, "reconciliation");
	if (rc == GAN_OK && marks.no_memory)
		rc = gan_err_set(err, GAN_ENOMEM, "reconciliation");
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
	while ((s = r->past) != NULL) {
		r->past = s->next;
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

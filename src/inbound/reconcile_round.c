/* SPDX-License-Identifier: MIT */
/*
 * reconcile_round.c - one round: each kind of entity page by page.
 *
 *	ask a page -> read what was told meanwhile -> compare, in one COMMIT -> the next page
 *
 * What was told is read after the page came, so that a webhook that the page
 * has overtaken is not missed.  Entities that were listed in the round before
 * and are not any more are asked for alone, a few in each round: they were
 * closed, or deleted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "inbound/reconcile_priv.h"
#include "json/check.h"

#define DAY_MS INT64_C(86400000)

enum {
	PAGES_MAX = 2000, /* of one kind */
	ITEMS_MAX = 1000, /* of one page */
	ALONE_MAX = 25,   /* in one round */
	KEEP_DAYS = 30,   /* what nobody lists or tells so long is forgotten */
};

const struct gan_recon_list gan_recon_lists[] = {
	{ GAN_ENTITY_PRODUCTION_ORDER, "production-orders.list", "production-orders.get",
	    "\"active\":true,\"workers\":true,", NULL, true },
	{ GAN_ENTITY_PUNCH_CLOCK, "punchclocks.list", NULL, "", "date-after", true },
	{ GAN_ENTITY_DOWNTIME, "downtimes.list", NULL, "", "end-time-after", true },
	{ GAN_ENTITY_PRODUCTION, "productions.list", NULL, "", "end-time-after", false },
};
const size_t gan_recon_nlists = GAN_COUNT(gan_recon_lists);

static void ask_page(struct gan_reconcile *r);
static void ask_gone(struct gan_reconcile *r);

/* ---- the end of a kind --------------------------------------------------------------- */

static void
on_end(void *arg, int rc)
{
	struct gan_reconcile *r = arg;
	struct gan_recon_kind *k = r->round.kind;

	if (!gan_recon_goes_on(r))
		return;
	if (rc < 0) {
		gan_recon_failed(r, "the end of the round cannot be noted: %s", gan_strerror(rc));
		return;
	}
	if (k->list == NULL && k->at_ms == 0)
		k->moves_told = r->round.moves;
	if (k->list == NULL)
		k->moves_listed = r->round.moves;
	k->at_ms = r->round.begun_ms;
	k->listed = k->n;
	k->known = k->seen.known + k->seen.baseline;
	k->waiting = k->seen.waiting;
	k->told = k->seen.missed;
	k->error[0] = '\0';
	gan_recon_next_kind(r);
}

static void
end_kind(struct gan_reconcile *r)
{
	const struct gan_recon_kind *k = r->round.kind;
	int rc = gan_store_recon_end(r->opt.store, r->round.source->name,
	    k->list == NULL ? GAN_RECON_MOVES : gan_entity_names[k->list->type], r->round.begun_ms,
	    gan_wall_ms() - KEEP_DAYS * DAY_MS, k->list == NULL ? r->round.moves : -1, on_end, r);

	r->busy = rc == GAN_OK;
	if (rc < 0)
		gan_recon_failed(r, "the end of the round cannot be noted: %s", gan_strerror(rc));
}

/* ---- comparing ------------------------------------------------------------------------- */

static void
on_looked(void *arg, int rc, const struct gan_recon_seen *seen)
{
	struct gan_reconcile *r = arg;
	struct gan_recon_kind *k = r->round.kind;

	if (rc == GAN_OK) {
		k->seen.known += seen->known;
		k->seen.waiting += seen->waiting;
		k->seen.missed += seen->missed;
		k->seen.baseline += seen->baseline;
		k->missed += seen->missed;
	}
	if (!gan_recon_goes_on(r))
		return;
	if (rc < 0) {
		gan_recon_failed(r, "%s",
		    rc == GAN_EFULL ? "the store has no room for events" : gan_strerror(rc));
		return;
	}
	if (r->round.one[0] == '\0' && !r->round.last) {
		r->round.page++;
		ask_page(r);
	} else if (k->list->one != NULL && !r->round.baseline && r->round.asked < ALONE_MAX) {
		ask_gone(r);
	} else {
		end_kind(r);
	}
}

struct page {
	struct gan_recon_item *items;
	struct gan_identity *ids;
	size_t n;
};

static int
page_add(struct gan_reconcile *r, struct page *p, struct gan_span object)
{
	struct gan_recon_item *it = &p->items[p->n];
	int rc = gan_identity_of(
	    r->round.kind->list->type, r->round.source->feed, object, &p->ids[p->n]);

	if (rc == GAN_EINVAL)
		return GAN_OK; /* without an id nobody can tell whether it is known */
	if (rc < 0)
		return rc;
	it->entity = p->ids[p->n].id;
	memcpy(it->hash, p->ids[p->n].hash, sizeof(it->hash));
	it->body = object.p;
	it->body_len = object.n;
	p->n++;
	return GAN_OK;
}

static int
page_look(struct gan_reconcile *r, const struct page *p)
{
	const struct gan_recon_source *s = r->round.source;
	const char *type = gan_entity_names[r->round.kind->list->type];
	char topic[64];
	struct gan_recon_look l = { .source = s->name,
		.type = type,
		.topic = topic,
		.items = p->items,
		.n = p->n,
		.now_ms = gan_wall_ms(),
		.grace_ms = s->grace_ms,
		.baseline = r->round.baseline,
		.listed = r->round.one[0] == '\0' };

	(void)snprintf(topic, sizeof(topic), "%s.reconciled", type);
	if (r->opt.ignored_by != NULL)
		l.ignored_by = r->opt.ignored_by(r->opt.arg, s->name, topic);
	return gan_store_recon_look(r->opt.store, &l, on_looked, r);
}

/* A server that does not know `page` gives the first one for ever. */
static bool
is_same_page(struct gan_reconcile *r, const struct page *p)
{
	bool same = p->n > 0 && r->round.page > 1 && r->round.one[0] == '\0' &&
		    strcmp(p->ids[0].id, r->round.first) == 0;

	if (p->n > 0)
		memcpy(r->round.first, p->ids[0].id, sizeof(r->round.first));
	return same;
}

static void
compare(struct gan_reconcile *r)
{
	struct gan_span root = gan_span_of(r->round.body.data, r->round.body.len), item;
	size_t count = gan_span_kind(root) == '[' ? gan_span_count(root) : 1;
	struct page p = { 0 };
	struct gan_span_iter it = { 0 };
	int rc = GAN_OK;

	p.items = calloc(count + 1, sizeof(*p.items));
	p.ids = calloc(count + 1, sizeof(*p.ids));
	if (p.items == NULL || p.ids == NULL)
		rc = GAN_ENOMEM;
	else if (gan_span_kind(root) == '{')
		rc = page_add(r, &p, root);
	while (rc == GAN_OK && gan_span_kind(root) == '[' && gan_span_next(root, &it, NULL, &item))
		rc = page_add(r, &p, item);
	r->round.last = count < GAN_RECON_PAGE;
	if (r->round.one[0] == '\0')
		r->round.kind->n += (int64_t)p.n;
	if (rc == GAN_OK && is_same_page(r, &p)) {
		gan_recon_failed(r, "page %u is the same as the one before", r->round.page);
	} else {
		if (rc == GAN_OK)
			rc = page_look(r, &p);
		r->busy = rc == GAN_OK;
		if (rc < 0)
			gan_recon_failed(r, "%s", gan_strerror(rc));
	}
	free(p.items);
	free(p.ids);
}

/* ---- asking ------------------------------------------------------------------------------ */

/* False: the round has failed. */
static bool
take_body(struct gan_reconcile *r, const char *body, size_t len)
{
	struct gan_err err = { 0 };
	struct gan_span root;
	char kind;

	gan_buf_clear(&r->round.body);
	gan_buf_put(&r->round.body, body, len);
	if (r->round.body.failed || len == 0 ||
	    gan_json_check(body, len, GAN_JSON_DEPTH, NULL, &err) < 0) {
		gan_recon_failed(r, "the answer is not valid JSON: %s", err.msg);
		return false;
	}
	root = gan_span_of(r->round.body.data, r->round.body.len);
	kind = gan_span_kind(root);
	if ((kind == '[' && gan_span_count(root) <= ITEMS_MAX) || kind == '{')
		return true;
	gan_recon_failed(r, "the answer is no list of entities");
	return false;
}

static void
ask(struct gan_reconcile *r, const char *operation, struct gan_buf *out, gan_reply_fn cb)
{
	const struct gan_question q = { .connector = r->round.source->connector,
		.operation = operation,
		.output = out->data,
		.output_len = out->len,
		.prio = GAN_QUESTION_RECONCILE };
	struct gan_err err = { 0 };
	int rc = out->failed ? GAN_ENOMEM : r->opt.asker.ask(r->opt.asker.arg, &q, cb, r, &err);

	r->busy = rc == GAN_OK;
	if (rc < 0)
		gan_recon_failed(r, "%s", err.msg[0] != '\0' ? err.msg : gan_strerror(rc));
}

static bool
answered(struct gan_reconcile *r, const struct gan_reply *reply)
{
	if (!gan_recon_goes_on(r))
		return false;
	if (reply->rc == GAN_OK)
		return take_body(r, reply->body, reply->body_len);
	gan_recon_failed(r, "%s", reply->text != NULL ? reply->text : gan_strerror(reply->rc));
	return false;
}

static void
on_page(void *arg, const struct gan_reply *reply)
{
	struct gan_reconcile *r = arg;

	if (!answered(r, reply))
		return;
	r->round.then = compare;
	gan_recon_fold(r);
}

static void
ask_page(struct gan_reconcile *r)
{
	const struct gan_recon_list *list = r->round.kind->list;
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	char since[GAN_TIME_LEN];
	int64_t from = r->round.kind->at_ms;

	if (r->round.page > PAGES_MAX) {
		gan_recon_failed(r, "there are more than %d pages", PAGES_MAX);
		return;
	}
	if (from == 0)
		from = r->round.begun_ms;
	r->round.one[0] = '\0';
	gan_buf_printf(&out, "{\"$query\":{%s", list->query);
	if (list->since != NULL)
		gan_buf_printf(&out, "\"%s\":\"%.19sZ\",", list->since,
		    gan_time_format(from - r->round.source->overlap_ms, since));
	gan_buf_printf(&out, "\"page\":%u}}", r->round.page);
	ask(r, list->operation, &out, on_page);
}

/* ---- what is listed no more ------------------------------------------------------------------ */

static void
on_one(void *arg, const struct gan_reply *reply)
{
	struct gan_reconcile *r = arg;

	/* Gone: said in the vendor's words, since there is no body. */
	if (reply->rc != GAN_OK && reply->complete &&
	    (reply->status == 404 || reply->status == 410)) {
		struct gan_buf body GAN_AUTO(gan_buf_fini) = { 0 };
		bool number = r->round.one[strspn(r->round.one, "0123456789")] == '\0';

		if (!gan_recon_goes_on(r))
			return;
		gan_buf_puts(&body, "{\"id\":");
		if (number)
			gan_buf_puts(&body, r->round.one);
		else
			gan_buf_json(&body, r->round.one, strlen(r->round.one));
		gan_buf_puts(&body, ",\"running-status\":\"deleted\"}");
		if (body.failed)
			gan_recon_failed(r, "out of memory");
		else if (!take_body(r, body.data, body.len))
			return;
	} else if (!answered(r, reply)) {
		return;
	}
	r->round.then = compare;
	gan_recon_fold(r);
}

static void
on_gone(void *arg, int rc, const char *entity)
{
	struct gan_reconcile *r = arg;
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	if (!gan_recon_goes_on(r))
		return;
	if (rc < 0) {
		gan_recon_failed(r, "%s", gan_strerror(rc));
		return;
	}
	if (entity == NULL) {
		end_kind(r);
		return;
	}
	(void)snprintf(r->round.one, sizeof(r->round.one), "%s", entity);
	r->round.asked++;
	gan_buf_puts(&out, "{\"$path\":{\"id\":");
	gan_buf_json(&out, r->round.one, strlen(r->round.one));
	gan_buf_puts(&out, "},\"$query\":{\"workers\":true}}");
	ask(r, r->round.kind->list->one, &out, on_one);
}

static void
ask_gone(struct gan_reconcile *r)
{
	const struct gan_recon_kind *k = r->round.kind;
	int rc = gan_store_recon_gone(r->opt.store, r->round.source->name,
	    gan_entity_names[k->list->type], r->round.begun_ms, r->round.one, on_gone, r);

	r->busy = rc == GAN_OK;
	if (rc < 0)
		gan_recon_failed(r, "%s", gan_strerror(rc));
}

/* ---- movements: only counted --------------------------------------------------------------------
 */

static void ask_moves(struct gan_reconcile *r);

static void
next_direction(struct gan_reconcile *r)
{
	r->round.low = r->round.high = 0;
	r->round.step = 1;
	r->round.page = r->round.kind->last_page[r->round.type_no];
	if (r->round.page == 0)
		r->round.page = 1;
	ask_moves(r);
}

static void
direction_counted(struct gan_reconcile *r, unsigned full_pages, size_t rest)
{
	r->round.moves += (int64_t)full_pages * GAN_RECON_PAGE + (int64_t)rest;
	r->round.kind->last_page[r->round.type_no] = full_pages + 1;
	if (++r->round.type_no < 2) {
		next_direction(r);
		return;
	}
	r->round.kind->n = r->round.moves;
	r->round.then = end_kind;
	gan_recon_fold(r);
}

/* Looks for the last page as one looks up a word: in steps that grow, then by halves. */
static void
on_moves(void *arg, const struct gan_reply *reply)
{
	struct gan_reconcile *r = arg;
	struct gan_recon_round *d = &r->round;
	struct gan_span root;
	size_t n;

	if (!answered(r, reply))
		return;
	root = gan_span_of(d->body.data, d->body.len);
	n = gan_span_kind(root) == '[' ? gan_span_count(root) : 1;
	if (n > 0 && n < GAN_RECON_PAGE) {
		direction_counted(r, d->page - 1, n);
		return;
	}
	if (n == 0)
		d->high = d->page;
	else
		d->low = d->page;
	if (d->high == d->low + 1) {
		direction_counted(r, d->low, 0);
		return;
	}
	if (d->high == 0) {
		d->page = d->low + d->step;
		d->step *= 2;
	} else {
		d->page = d->low + (d->high - d->low) / 2;
	}
	if (d->step > 1u << 20)
		gan_recon_failed(r, "the list of movements has no end");
	else
		ask_moves(r);
}

static void
ask_moves(struct gan_reconcile *r)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };

	gan_buf_printf(&out, "{\"$query\":{\"type\":\"%s\",\"page\":%u}}",
	    r->round.type_no == 0 ? "in" : "out", r->round.page);
	ask(r, "inventory-movements.list", &out, on_moves);
}

/* ---- the kinds of a round
 * ------------------------------------------------------------------------- */

static void
start_kind(struct gan_reconcile *r, struct gan_recon_kind *k)
{
	struct gan_recon_round *d = &r->round;

	k->due = false;
	k->n = 0;
	k->seen = (struct gan_recon_seen){ 0 };
	d->kind = k;
	d->begun_ms = gan_wall_ms();
	d->page = 1;
	d->asked = 0;
	d->low = 0;
	d->first[0] = d->one[0] = '\0';
	d->baseline = k->at_ms == 0;
	if (k->list != NULL) {
		ask_page(r);
		return;
	}
	d->moves = 0;
	d->type_no = 0;
	next_direction(r);
}

void
gan_recon_next_kind(struct gan_reconcile *r)
{
	struct gan_recon_source *s = r->round.source;

	for (size_t i = 0; !s->gone && i < GAN_RECON_KINDS; i++) {
		if (s->kinds[i].on && s->kinds[i].due) {
			start_kind(r, &s->kinds[i]);
			return;
		}
	}
	gan_recon_over(r);
}

void
gan_recon_begin(struct gan_reconcile *r, struct gan_recon_source *s)
{
	int64_t now = gan_wall_ms();

	r->round.source = s;
	r->round.afresh = true;
	for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
		struct gan_recon_kind *k = &s->kinds[i];

		/* Longer ago than states are kept is as good as never. */
		if (now - k->at_ms > (KEEP_DAYS - 1) * DAY_MS)
			k->at_ms = 0;
		r->round.afresh = r->round.afresh && (!k->on || k->at_ms == 0);
	}
	gan_recon_next_kind(r);
}

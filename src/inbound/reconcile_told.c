/* SPDX-License-Identifier: MIT */
/*
 * reconcile_told.c - what the stored events of a source told: read in batches,
 * each state by its identity, when somebody compares.  So a webhook costs nothing
 * more when it comes, and one that came through the emergency spool counts too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "inbound/reconcile_priv.h"
#include "json/check.h"

struct batch {
	struct gan_recon_source *source;
	struct gan_recon_told *told;
	struct gan_identity *ids;
	size_t n, cap;
	int64_t moves;
	bool failed;
};

/* "production-order.created": the kind, and what stands behind the dot. */
static const char *
verb_of(const char *topic, size_t *ret_len)
{
	const char *dot = strrchr(topic, '.');

	*ret_len = dot == NULL ? 0 : (size_t)(dot - topic);
	return dot == NULL ? "" : dot + 1;
}

static struct gan_recon_kind *
kind_of(struct gan_recon_source *s, const char *topic, size_t len)
{
	for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
		struct gan_recon_kind *k = &s->kinds[i];
		const char *name = k->list == NULL ? NULL : gan_entity_names[k->list->type];

		if (k->on && name != NULL && strlen(name) == len && memcmp(name, topic, len) == 0)
			return k;
	}
	return NULL;
}

/* When it was so: as the sender says, if that can be. */
static int64_t
time_of(const struct gan_event *e)
{
	struct gan_span meta = gan_span_of(e->meta, strlen(e->meta));
	char *text = gan_span_dup(gan_span_get(meta, "triggered_at"));
	int64_t ms = e->received_ms;

	if (text == NULL || gan_time_parse(text, &ms) < 0 || ms > e->received_ms)
		ms = e->received_ms;
	free(text);
	return ms;
}

static void
add(struct batch *b, const struct gan_recon_kind *k, struct gan_span object, bool deleted,
    int64_t at_ms)
{
	struct gan_identity id;

	if (b->n == b->cap) {
		size_t cap = b->cap == 0 ? 64 : b->cap * 2;
		struct gan_recon_told *told = realloc(b->told, cap * sizeof(*told));
		struct gan_identity *ids;

		if (told != NULL)
			b->told = told;
		ids = realloc(b->ids, cap * sizeof(*ids));
		if (ids != NULL)
			b->ids = ids;
		if (told == NULL || ids == NULL) {
			b->failed = true;
			return;
		}
		b->cap = cap;
	}
	switch (gan_identity_of(k->list->type, b->source->feed, object, &id)) {
	case GAN_OK:
		break;
	case GAN_ENOMEM:
		b->failed = true;
		return;
	default:
		return; /* nothing that a list could show */
	}
	if (deleted)
		gan_identity_deleted(&id);
	b->ids[b->n] = id;
	b->told[b->n] =
	    (struct gan_recon_told){ .type = gan_entity_names[k->list->type], .at_ms = at_ms };
	memcpy(b->told[b->n].hash, id.hash, sizeof(id.hash));
	b->n++;
}

/* Webhooks of movements carry no id: items are counted. */
static int64_t
moves_of(const char *topic, size_t len, const char *verb, struct gan_span body)
{
	static const char *const families[] = { "shipping-movement", "receiving-movement",
		"internal-movement" };
	int64_t n = gan_span_kind(body) == '[' ? (int64_t)gan_span_count(body) : 1;

	for (size_t i = 0; i < GAN_COUNT(families); i++) {
		if (strlen(families[i]) != len || memcmp(families[i], topic, len) != 0)
			continue;
		return strcmp(verb, "created") == 0 ? n : strcmp(verb, "deleted") == 0 ? -n : 0;
	}
	return 0;
}

static void
read_event(struct batch *b, const struct gan_event *e)
{
	size_t len;
	const char *verb = verb_of(e->topic, &len);
	const struct gan_recon_kind *k = kind_of(b->source, e->topic, len);
	struct gan_span body, item;
	struct gan_span_iter it = { 0 };
	bool deleted;

	/* Reconciled ones are known already; lost and unreadable ones tell nothing. */
	if (strcmp(verb, "reconciled") == 0 || strcmp(verb, "lost") == 0 ||
	    strcmp(verb, "unreadable") == 0)
		return;
	if (k == NULL && strstr(e->topic, "-movement.") == NULL)
		return;
	if (gan_json_check(e->body, e->body_len, GAN_JSON_DEPTH, NULL, NULL) < 0)
		return;
	body = gan_span_of(e->body, e->body_len);
	b->moves += moves_of(e->topic, len, verb, body);
	if (k == NULL)
		return;
	deleted = strcmp(verb, "deleted") == 0;
	if (gan_span_kind(body) == '{')
		add(b, k, body, deleted, time_of(e));
	while (gan_span_kind(body) == '[' && gan_span_next(body, &it, NULL, &item))
		add(b, k, item, deleted, time_of(e));
}

static void
on_folded(void *arg, int rc)
{
	struct gan_reconcile *r = arg;

	if (!gan_recon_goes_on(r))
		return;
	if (rc < 0) {
		gan_recon_failed(r, "what was told cannot be noted: %s", gan_strerror(rc));
		return;
	}
	for (size_t i = 0; i < GAN_RECON_KINDS; i++) {
		if (r->round.source->kinds[i].list == NULL)
			r->round.source->kinds[i].moves_told += r->round.moves_told;
	}
	gan_recon_fold(r);
}

static int
fold(struct gan_reconcile *r, struct batch *b, int64_t last_id)
{
	struct gan_recon_fold f = { .source = r->round.source->name,
		.told = b->told,
		.n = b->n,
		.moves = b->moves,
		.last_id = last_id };
	int rc;

	r->round.moves_told = b->moves;
	/* The texts stand still from now on. */
	for (size_t i = 0; i < b->n; i++)
		b->told[i].entity = b->ids[i].id;
	rc = gan_store_recon_fold(r->opt.store, &f, on_folded, r);
	r->busy = rc == GAN_OK;
	return rc;
}

static void
on_events(void *arg, int rc, struct gan_event **events, size_t n, int64_t last_id)
{
	struct gan_reconcile *r = arg;
	struct batch b = { .source = r->round.source };

	for (size_t i = 0; i < n; i++) {
		if (!r->draining)
			read_event(&b, events[i]);
		gan_event_free(&events[i]);
	}
	if (gan_recon_goes_on(r)) {
		if (rc == GAN_OK && b.failed)
			rc = GAN_ENOMEM;
		if (rc == GAN_OK && last_id != 0) {
			rc = fold(r, &b, last_id);
		} else if (rc == GAN_OK) {
			r->round.then(r);
		}
		if (rc < 0)
			gan_recon_failed(r, "what was told cannot be read: %s", gan_strerror(rc));
	}
	free(b.told);
	free(b.ids);
}

void
gan_recon_fold(struct gan_reconcile *r)
{
	int rc;

	rc = gan_store_recon_events(
	    r->opt.store, r->round.source->name, r->round.afresh, on_events, r);
	r->busy = rc == GAN_OK;
	r->round.afresh = false;
	if (rc < 0)
		gan_recon_failed(r, "what was told cannot be read: %s", gan_strerror(rc));
}

/* SPDX-License-Identifier: MIT */
/* walk.c - see walk.h. */
#include "admin/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	PAGE = 64,
	PAGE_BYTES = 4 << 20,
};

struct gan_walk {
	struct gan_store *store;
	struct gan_pool *pools[GAN_WALK_SIDES];
	unsigned npools;                /* open */
	struct gan_event_filter filter; /* texts owned */
	int64_t *ids;
	int64_t at, upto;
	struct gan_event **events;
	size_t n, i;
	bool last; /* there is no further page */
	gan_walk_fn fn;
	void *arg;
	size_t *index;
	size_t nindex;
	bool cancelled, closing;
};

static void
page_free(struct gan_walk *w)
{
	for (size_t i = 0; i < w->n; i++)
		gan_event_free(&w->events[i]);
	free(gan_steal(&w->events));
	w->n = w->i = 0;
}

static void
walk_free(struct gan_walk *w)
{
	page_free(w);
	free((void *)w->filter.source);
	free((void *)w->filter.topic);
	free(w->ids);
	free(w->index);
	free(w);
}

static void
pool_gone(void *arg)
{
	struct gan_walk *w = arg;

	if (--w->npools == 0 && w->closing)
		walk_free(w);
}

static int
filter_copy(struct gan_walk *w, const struct gan_event_filter *f)
{
	w->filter = *f;
	w->filter.source = f->source == NULL ? NULL : strdup(f->source);
	w->filter.topic = f->topic == NULL ? NULL : strdup(f->topic);
	if (f->ids != NULL)
		w->ids = (int64_t *)(void *)gan_memdup(f->ids, f->nids * sizeof(*f->ids));
	w->filter.ids = w->ids;
	return (f->source != NULL && w->filter.source == NULL) ||
		       (f->topic != NULL && w->filter.topic == NULL) ||
		       (f->ids != NULL && w->ids == NULL)
		   ? GAN_ENOMEM
		   : GAN_OK;
}

int
gan_walk_open(uv_loop_t *loop, struct gan_store *store, const struct gan_config *conf,
    const struct gan_event_filter *filter, int64_t after_id, int64_t upto_id,
    struct gan_walk **ret_walk, struct gan_err *err)
{
	const struct gan_pool_options opt = { .workers = 1,
		.timeout_ms = conf->mapping.timeout_ms,
		.memory = conf->mapping.memory,
		.numbers = conf->mapping.numbers,
		.time_zone = conf->time_zone };
	struct gan_walk *w = calloc(1, sizeof(*w));
	int rc = w == NULL ? GAN_ENOMEM : filter_copy(w, filter);

	if (rc < 0)
		(void)gan_err_set(err, rc, "out of memory");
	while (rc == GAN_OK && w->npools < GAN_WALK_SIDES) {
		rc = gan_pool_open(loop, &opt, &w->pools[w->npools], err);
		w->npools += rc == GAN_OK;
	}
	if (rc < 0) {
		if (w != NULL && w->npools > 0)
			gan_walk_close(&w);
		else if (w != NULL)
			walk_free(w);
		return rc;
	}
	w->store = store;
	w->at = after_id;
	w->upto = upto_id;
	*ret_walk = w;
	return GAN_OK;
}

static void
tell(struct gan_walk *w, int rc, struct gan_event *e)
{
	w->fn(w->arg, w->cancelled ? GAN_EGONE : rc, w->cancelled ? NULL : e);
}

static void
on_page(void *arg, int rc, struct gan_event **events, size_t n, int64_t at, bool done)
{
	struct gan_walk *w = arg;

	if (rc != GAN_OK) {
		tell(w, rc, NULL);
		return;
	}
	page_free(w);
	w->events = events;
	w->n = n;
	w->at = at;
	w->last = done;
	tell(w, GAN_OK, n > 0 ? events[w->i++] : NULL);
}

void
gan_walk_next(struct gan_walk *w, gan_walk_fn fn, void *arg)
{
	int rc;

	w->fn = fn;
	w->arg = arg;
	if (w->cancelled || w->i < w->n || w->last) {
		tell(w, GAN_OK, w->i < w->n ? w->events[w->i++] : NULL);
		return;
	}
	rc = gan_store_page(w->store, &w->filter, w->at, w->upto, PAGE, PAGE_BYTES, on_page, w);
	if (rc < 0)
		tell(w, rc, NULL);
}

static bool
room_for(struct gan_walk *w, size_t n)
{
	size_t *more;

	if (n <= w->nindex)
		return true;
	more = realloc(w->index, n * sizeof(*more));
	if (more == NULL)
		return false;
	w->index = more;
	w->nindex = n;
	return true;
}

void
gan_walk_map(struct gan_walk *w, unsigned side, struct gan_rules *set, const char *rule,
    const char *connector, const struct gan_event *e, gan_map_fn cb, void *arg)
{
	const struct gan_map_event ev = { .id = e->id,
		.received_ms = e->received_ms,
		.source = e->source,
		.topic = e->topic,
		.topic_raw = e->topic_raw,
		.meta = e->meta,
		.body = e->body,
		.body_len = e->body_len };
	size_t n = 0;
	int rc = w->cancelled ? GAN_EGONE : GAN_OK;

	if (rc == GAN_OK && !room_for(w, set->nrules))
		rc = GAN_ENOMEM;
	for (size_t i = 0; rc == GAN_OK && i < set->nrules; i++) {
		const struct gan_rule *r = &set->rules[i];

		if (gan_rule_listens(r, e->source, e->topic) &&
		    (rule == NULL || strcmp(rule, r->name) == 0) &&
		    (connector == NULL || strcmp(connector, r->connector) == 0))
			w->index[n++] = i;
	}
	if (rc == GAN_OK && n > 0)
		rc = gan_pool_map(w->pools[side], set, w->index, n, &ev, cb, arg);
	if (rc < 0 || n == 0)
		cb(arg, rc, NULL, 0);
}

void
gan_walk_cancel(struct gan_walk *w)
{
	if (w->cancelled)
		return;
	w->cancelled = true;
	for (unsigned i = 0, n = w->npools; i < n; i++)
		gan_pool_close(w->pools[i], pool_gone, w);
}

void
gan_walk_close(struct gan_walk **wp)
{
	struct gan_walk *w = gan_steal(wp);

	if (w == NULL)
		return;
	w->closing = true;
	if (w->npools == 0)
		walk_free(w);
	else
		gan_walk_cancel(w);
}

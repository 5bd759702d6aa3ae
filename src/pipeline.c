/* SPDX-License-Identifier: MIT */
/* pipeline.c - see pipeline.h. */
#include "pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "commit.h"

enum {
	WINDOW = 256,   /* events under way */
	FETCH_MAX = 64, /* per query */
	FETCH_BYTES = 4 << 20,
	RETRY_MS = 500, /* after the store or the pool had no room */
};

enum stage {
	STAGE_WAITING, /* the pool had no room yet */
	STAGE_MAPPING,
	STAGE_MAPPED, /* outcome known, those before it are not all handed over */
	STAGE_COMMITTING,
};

/* One event under way. */
struct item {
	TAILQ_ENTRY(item) link;
	struct gan_pipeline *pipe;
	struct gan_event *event;
	enum stage stage;
	struct gan_config *conf;
	struct gan_rules *rules;
	size_t *index; /* of the rules that listen */
	size_t nindex;
	struct gan_outcome *outcome;
};

struct gan_pipeline {
	uv_loop_t *loop;
	struct gan_store *store;
	struct gan_pool *pool;
	struct gan_config *conf;
	struct gan_rules *rules;
	uv_timer_t retry;
	TAILQ_HEAD(, item) items;
	size_t nitems, mapping, committing;
	int64_t cursor; /* last event taken; 0: where the store says */
	int64_t missed; /* the newest that was offered and not taken */
	size_t asked;   /* of the fetch that runs */
	bool fetching, more, stopping;
	bool again;  /* something new came while it ran, perhaps too late for it */
	bool broken; /* a commit failed: let the rest come back, then begin again at the store's
			cursor */
	void (*stop_cb)(void *arg);
	void *stop_arg;
};

static void pump(struct gan_pipeline *p);

static void
item_free(struct item **itp)
{
	struct item *it = gan_steal(itp);

	if (it == NULL)
		return;
	gan_event_free(&it->event);
	gan_config_unref(&it->conf);
	gan_rules_unref(&it->rules);
	gan_outcome_free(&it->outcome);
	free(it->index);
	free(it);
}

static void
item_drop(struct item *it)
{
	TAILQ_REMOVE(&it->pipe->items, it, link);
	it->pipe->nitems--;
	item_free(&it);
}

static void
on_retry(uv_timer_t *t)
{
	pump(t->data);
}

static void
retry_later(struct gan_pipeline *p)
{
	(void)uv_timer_start(&p->retry, on_retry, RETRY_MS, 0);
}

static void
on_committed(void *arg, int rc)
{
	struct item *it = arg;
	struct gan_pipeline *p = it->pipe;

	p->committing--;
	if (rc != GAN_OK && !p->broken) {
		char id[GAN_ID_LEN];

		p->broken = true;
		if (rc != GAN_EIO && rc != GAN_EGONE)
			gan_log(GAN_LOG_WARNING,
			    &(struct gan_log_about){
				.event = gan_id_format(GAN_ID_EVENT, it->event->id, id) },
			    "mapping result not stored (%s): mapping goes back to the last stored one",
			    gan_strerror(rc));
	}
	item_drop(it);
	pump(p);
}

/* Hand over every outcome that has no unfinished event before it. */
static void
commit_ready(struct gan_pipeline *p)
{
	struct item *it, *next;

	for (it = TAILQ_FIRST(&p->items); it != NULL && !p->broken; it = next) {
		int rc;

		next = TAILQ_NEXT(it, link);
		if (it->stage == STAGE_COMMITTING)
			continue;
		if (it->stage != STAGE_MAPPED)
			break;
		rc = gan_outcome_commit(it->outcome, p->store, it->event, on_committed, it);
		if (rc == GAN_EBUSY) {
			retry_later(p);
			break;
		}
		if (rc < 0) {
			p->broken = true;
			break;
		}
		it->stage = STAGE_COMMITTING;
		p->committing++;
	}
}

static void
on_mapped(void *arg, int rc, const struct gan_map_result *results, size_t n)
{
	struct item *it = arg;
	struct gan_pipeline *p = it->pipe;

	p->mapping--;
	if (rc == GAN_OK)
		rc = gan_outcome_of_results(
		    it->conf, it->rules, results, n, it->event->received_ms, &it->outcome);
	if (rc < 0) {
		p->broken = true;
		it->stage = STAGE_WAITING;
	} else {
		it->stage = STAGE_MAPPED;
	}
	pump(p);
}

/* Which rules listen to it?  None: its outcome is known at once. */
static int
item_route(struct item *it)
{
	const struct gan_rules *rules = it->rules;

	it->index = calloc(rules->nrules + 1, sizeof(*it->index));
	if (it->index == NULL)
		return GAN_ENOMEM;
	for (size_t i = 0; i < rules->nrules; i++) {
		if (gan_rule_listens(&rules->rules[i], it->event->source, it->event->topic))
			it->index[it->nindex++] = i;
	}
	if (it->nindex > 0)
		return GAN_OK;
	it->stage = STAGE_MAPPED;
	return gan_outcome_of_results(
	    it->conf, it->rules, NULL, 0, it->event->received_ms, &it->outcome);
}

static int
item_map(struct item *it)
{
	const struct gan_map_event ev = gan_outcome_subject(it->event);
	int rc = gan_pool_map(it->pipe->pool, it->rules, it->index, it->nindex, &ev, on_mapped, it);

	if (rc == GAN_OK) {
		it->stage = STAGE_MAPPING;
		it->pipe->mapping++;
	}
	return rc;
}

static void
map_waiting(struct gan_pipeline *p)
{
	struct item *it;

	TAILQ_FOREACH(it, &p->items, link)
	{
		if (it->stage != STAGE_WAITING)
			continue;
		if (item_map(it) < 0) {
			retry_later(p);
			break;
		}
	}
}

/* Takes the event over, whatever comes of it. */
static int
item_add(struct gan_pipeline *p, struct gan_event *event)
{
	struct item *it = calloc(1, sizeof(*it));

	if (it == NULL) {
		gan_event_free(&event);
		return GAN_ENOMEM;
	}
	it->pipe = p;
	it->event = event;
	it->conf = gan_config_ref(p->conf);
	it->rules = gan_rules_ref(p->rules);
	if (item_route(it) < 0) {
		item_free(&it);
		return GAN_ENOMEM;
	}
	p->cursor = event->id;
	TAILQ_INSERT_TAIL(&p->items, it, link);
	p->nitems++;
	return GAN_OK;
}

static void
on_fetched(void *arg, int rc, struct gan_event **events, size_t n)
{
	struct gan_pipeline *p = arg;
	bool full = n >= p->asked;
	size_t bytes = 0;

	p->fetching = false;
	if (rc == GAN_EIO || rc == GAN_EGONE)
		p->more = false;
	for (size_t i = 0; rc == GAN_OK && i < n; i++) {
		bytes += events[i]->body_len;
		if (p->broken || p->stopping)
			gan_event_free(&events[i]);
		else if (item_add(p, events[i]) < 0)
			p->broken = true;
	}
	if (rc == GAN_OK) {
		free(events);
		full = full || bytes >= FETCH_BYTES;
		p->more = full || p->again || (n > 0 && p->missed > p->cursor);
		p->again = false;
	}
	/* Asking again at once would only keep both threads busy. */
	if (rc < 0 && p->more && !p->stopping && !p->broken)
		retry_later(p);
	else
		pump(p);
}

static void
fetch(struct gan_pipeline *p)
{
	size_t room = WINDOW - p->nitems;

	if (p->fetching || !p->more || p->stopping || p->broken || p->rules == NULL ||
	    room < FETCH_MAX / 2)
		return;
	p->asked = room < FETCH_MAX ? room : FETCH_MAX;
	if (gan_store_unmapped(p->store, p->cursor, p->asked, FETCH_BYTES, on_fetched, p) < 0) {
		retry_later(p);
		return;
	}
	p->fetching = true;
	p->again = false;
}

/*
 * After a failed commit: wait until nothing of the old window is with the
 * store or a worker, then forget it and ask the store where mapping stands.
 */
static void
start_over(struct gan_pipeline *p)
{
	struct item *it, *next;

	if (p->mapping > 0 || p->committing > 0 || p->fetching)
		return;
	for (it = TAILQ_FIRST(&p->items); it != NULL; it = next) {
		next = TAILQ_NEXT(it, link);
		item_drop(it);
	}
	p->broken = false;
	p->cursor = 0;
	p->more = true;
	if (!p->stopping)
		retry_later(p);
}

static void
pump(struct gan_pipeline *p)
{
	if (p->broken) {
		start_over(p);
	} else {
		/* While stopping, what is not with the store yet is mapped again next time. */
		if (!p->stopping)
			commit_ready(p);
		if (!p->stopping && !p->broken)
			map_waiting(p);
		fetch(p);
		/* Perhaps nothing is under way that would call us again. */
		if (p->broken)
			start_over(p);
	}
	if (p->stopping && p->stop_cb != NULL && p->committing == 0 && !p->fetching) {
		void (*cb)(void *) = p->stop_cb;

		p->stop_cb = NULL;
		cb(p->stop_arg);
	}
}

int
gan_pipeline_open(uv_loop_t *loop, struct gan_store *store, struct gan_pool *pool,
    struct gan_pipeline **ret_pipe, struct gan_err *err)
{
	struct gan_pipeline *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return gan_err_set(err, GAN_ENOMEM, "mapping pipeline");
	p->loop = loop;
	p->store = store;
	p->pool = pool;
	p->more = true;
	TAILQ_INIT(&p->items);
	gan_must(uv_timer_init(loop, &p->retry) == 0);
	p->retry.data = p;
	*ret_pipe = p;
	return GAN_OK;
}

void
gan_pipeline_rules(struct gan_pipeline *p, struct gan_config *conf, struct gan_rules *rules)
{
	struct gan_config *old_conf = p->conf;
	struct gan_rules *old_rules = p->rules;

	p->conf = gan_config_ref(conf);
	p->rules = gan_rules_ref(rules);
	gan_config_unref(&old_conf);
	gan_rules_unref(&old_rules);
	pump(p);
}

/* Only when all before it were taken; whatever is fetched right now comes before it. */
static bool
takes(const struct gan_pipeline *p, const struct gan_event *e)
{
	return !p->fetching && !p->more && !p->broken && !p->stopping && p->rules != NULL &&
	       p->nitems < WINDOW && e->after_id <= p->cursor && e->id > p->cursor;
}

void
gan_pipeline_feed(struct gan_pipeline *p, struct gan_event *e)
{
	if (e != NULL && takes(p, e)) {
		if (item_add(p, e) < 0)
			p->broken = true;
	} else if (e != NULL) {
		p->missed = e->id > p->missed ? e->id : p->missed;
		p->more = p->more || !p->fetching;
		gan_event_free(&e);
	} else {
		p->more = p->again = true;
	}
	pump(p);
}

uint64_t
gan_pipeline_ignored_by(const struct gan_pipeline *p, const char *source, const char *topic)
{
	if (p->rules == NULL || gan_rules_listen(p->rules, source, topic))
		return 0;
	return p->rules->generation;
}

void
gan_pipeline_stop(struct gan_pipeline *p, void (*cb)(void *arg), void *arg)
{
	p->stopping = true;
	p->stop_cb = cb;
	p->stop_arg = arg;
	pump(p);
}

static void
on_closed(uv_handle_t *h)
{
	struct gan_pipeline *p = h->data;
	struct item *it, *next;

	for (it = TAILQ_FIRST(&p->items); it != NULL; it = next) {
		next = TAILQ_NEXT(it, link);
		item_drop(it);
	}
	gan_config_unref(&p->conf);
	gan_rules_unref(&p->rules);
	free(p);
}

void
gan_pipeline_close(struct gan_pipeline **pp)
{
	struct gan_pipeline *p = gan_steal(pp);

	if (p != NULL)
		uv_close((uv_handle_t *)&p->retry, on_closed);
}

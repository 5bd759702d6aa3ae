/* SPDX-License-Identifier: MIT */
/*
 * reconcile.c - what was told of each entity, and what a list shows beside it.
 *
 * Nothing is written when a webhook is stored: what it told is read from the
 * stored events when somebody looks, in the order of their ids, and where that
 * stands is kept.  One row for each entity holds the last states that were
 * told, each a hash with its time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/changes.h"
#include "store/store_priv.h"

enum {
	STATES = 8, /* of one entity that are remembered */
	STATE_LEN = GAN_RECON_HASH + 8,
	EVENTS_LOOKED = 512, /* in one turn of the store */
	EVENTS_BYTES = 1 << 20,
	/* The clocks of a sender and ours may differ so much. */
	CLOCKS_MS = 60000,
};

/* ---- states of one entity ---------------------------------------------------------- */

struct states {
	size_t n;
	struct {
		unsigned char hash[GAN_RECON_HASH];
		int64_t at_ms;
	} v[STATES];
	int64_t missing_ms; /* 0: nothing is */
};

static int
states_get(struct gan_store *s, const char *source, const char *type, const char *entity,
    struct states *ret)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_SEEN_GET, GAN_T(source), GAN_T(type), GAN_T(entity));
	const unsigned char *p;
	int rc = gan_db_step(s->db, st);

	*ret = (struct states){ 0 };
	if (rc <= 0)
		return rc;
	p = sqlite3_column_blob(st, 0);
	ret->n = (size_t)sqlite3_column_bytes(st, 0) / STATE_LEN;
	if (ret->n > STATES)
		ret->n = STATES;
	for (size_t i = 0; i < ret->n; i++) {
		memcpy(ret->v[i].hash, p + i * STATE_LEN, GAN_RECON_HASH);
		memcpy(&ret->v[i].at_ms, p + i * STATE_LEN + GAN_RECON_HASH, 8);
	}
	ret->missing_ms = sqlite3_column_int64(st, 1);
	return GAN_OK;
}

static size_t
states_pack(const struct states *t, unsigned char out[STATES * STATE_LEN])
{
	for (size_t i = 0; i < t->n; i++) {
		memcpy(out + i * STATE_LEN, t->v[i].hash, GAN_RECON_HASH);
		memcpy(out + i * STATE_LEN + GAN_RECON_HASH, &t->v[i].at_ms, 8);
	}
	return t->n * STATE_LEN;
}

static int
states_find(const struct states *t, const unsigned char *hash)
{
	for (size_t i = 0; i < t->n; i++) {
		if (memcmp(t->v[i].hash, hash, GAN_RECON_HASH) == 0)
			return (int)i;
	}
	return -1;
}

/* Told once more, or for the first time: then the one that was told longest ago makes room. */
static void
states_add(struct states *t, const unsigned char *hash, int64_t at_ms)
{
	int i = states_find(t, hash);
	size_t oldest = 0;

	if (i < 0 && t->n == STATES) {
		for (size_t k = 1; k < t->n; k++)
			oldest = t->v[k].at_ms < t->v[oldest].at_ms ? k : oldest;
		i = (int)oldest;
		t->v[i].at_ms = 0;
	} else if (i < 0) {
		i = (int)t->n++;
	}
	memcpy(t->v[i].hash, hash, GAN_RECON_HASH);
	if (at_ms > t->v[i].at_ms)
		t->v[i].at_ms = at_ms;
}

/* The last thing that was told of it, as far as clocks agree. */
static bool
states_is_last(const struct states *t, const unsigned char *hash)
{
	int i = states_find(t, hash);

	for (size_t k = 0; i >= 0 && k < t->n; k++) {
		if (t->v[k].at_ms > t->v[i].at_ms + CLOCKS_MS)
			return false;
	}
	return i >= 0;
}

/* ---- the events that told ------------------------------------------------------------- */

static char *
cursor_name(const char *source)
{
	return gan_asprintf("reconcile/%s", source);
}

struct events_job {
	struct gan_job job;
	char *source;
	bool afresh;
	struct gan_event *events[EVENTS_LOOKED];
	size_t n;
	int64_t last_id;
	gan_recon_events_fn cb;
	void *arg;
};

static void
events_forget(struct events_job *j)
{
	for (size_t i = 0; i < j->n; i++)
		gan_event_free(&j->events[i]);
	j->n = 0;
}

static int
events_take(struct gan_store *s, struct events_job *j, sqlite3_stmt *st, size_t *bytes)
{
	struct gan_event *e, like = { .id = sqlite3_column_int64(st, 0),
		.source = gan_col_text(st, 1),
		.topic = gan_col_text(st, 2),
		.topic_raw = gan_col_text(st, sqlite3_column_type(st, 3) == SQLITE_NULL ? 2 : 3),
		.received_ms = sqlite3_column_int64(st, 4),
		.meta = sqlite3_column_type(st, 5) == SQLITE_NULL ? "{}" : gan_col_text(st, 5) };
	const void *body;

	if (like.topic == NULL || like.topic_raw == NULL || like.meta == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "events");
	body = sqlite3_column_blob(st, 6);
	like.body_len = (size_t)sqlite3_column_bytes(st, 6);
	like.body = gan_memdup(body == NULL ? "" : body, like.body_len);
	e = like.body == NULL ? NULL : gan_event_new(&like);
	if (e == NULL) {
		free(like.body);
		return gan_err_set(&s->db->why, GAN_ENOMEM, "events");
	}
	j->events[j->n++] = e;
	*bytes += like.body_len;
	return GAN_OK;
}

static int
events_from(struct gan_store *s, struct events_job *j)
{
	char *name GAN_AUTO(gan_str_free) = cursor_name(j->source);
	int rc;

	if (name == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "events");
	j->last_id = -1;
	rc = gan_mark_get(s, name, &j->last_id);
	if (rc == GAN_OK && (j->last_id < 0 || j->afresh)) {
		j->last_id = s->txn.last_event;
		rc = gan_mark_set(s, name, j->last_id);
	}
	return rc;
}

static int
events_run(struct gan_store *s, struct gan_job *job)
{
	struct events_job *j = (struct events_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	size_t bytes = 0;
	bool any = false;
	int rc;

	events_forget(j);
	job->rc = GAN_OK;
	rc = events_from(s, j);
	if (rc < 0)
		return rc;
	st = gan_bind(s->db, GAN_SQL_RECON_EVENTS, GAN_I(j->last_id), GAN_I(EVENTS_LOOKED));
	while (bytes < EVENTS_BYTES && (rc = gan_db_step(s->db, st)) > 0) {
		const char *source = gan_col_text(st, 1);

		if (source == NULL)
			return gan_err_set(&s->db->why, GAN_ENOMEM, "events");
		if (strcmp(source, j->source) == 0)
			rc = events_take(s, j, st, &bytes);
		if (rc < 0)
			return rc;
		j->last_id = sqlite3_column_int64(st, 0);
		any = true;
	}
	if (!any)
		j->last_id = 0;
	return rc < 0 ? rc : GAN_OK;
}

static void
events_done(struct gan_job *job)
{
	struct events_job *j = (struct events_job *)job;
	size_t n = j->n;

	if (job->rc < 0) {
		j->cb(j->arg, job->rc, NULL, 0, 0);
		return;
	}
	j->n = 0; /* the callback's */
	j->cb(j->arg, GAN_OK, j->events, n, j->last_id);
}

static void
events_fini(struct gan_job *job)
{
	struct events_job *j = (struct events_job *)job;

	events_forget(j);
	free(j->source);
}

/* A command: the first time it writes. */
static const struct gan_job_ops events_ops = { GAN_JOB_COMMAND, events_run, events_done,
	events_fini, NULL };

int
gan_store_recon_events(
    struct gan_store *s, const char *source, bool afresh, gan_recon_events_fn cb, void *arg)
{
	struct events_job *j = gan_store_job_new(sizeof(*j), &events_ops);

	if (j == NULL)
		return GAN_ENOMEM;
	j->source = strdup(source);
	j->afresh = afresh;
	j->cb = cb;
	j->arg = arg;
	if (j->source == NULL) {
		free(j);
		return GAN_ENOMEM;
	}
	return gan_store_job_send(s, &j->job);
}

/* ---- what they told ---------------------------------------------------------------------- */

struct fold_job {
	struct gan_job job;
	struct gan_recon_fold f;
	gan_recon_done_fn cb;
	void *arg;
};

static int
fold_one(struct gan_store *s, const char *source, const struct gan_recon_told *t)
{
	unsigned char packed[STATES * STATE_LEN];
	struct states states;
	size_t len;
	int rc = states_get(s, source, t->type, t->entity, &states);

	if (rc < 0)
		return rc;
	states_add(&states, t->hash, t->at_ms);
	len = states_pack(&states, packed);
	return gan_run(s->db, GAN_SQL_SEEN_TOLD, GAN_T(source), GAN_T(t->type), GAN_T(t->entity),
	    GAN_B(packed, len), GAN_I(t->at_ms));
}

static int
fold_run(struct gan_store *s, struct gan_job *job)
{
	const struct gan_recon_fold *f = &((struct fold_job *)job)->f;
	char *name GAN_AUTO(gan_str_free) = cursor_name(f->source);
	int rc = name == NULL ? gan_err_set(&s->db->why, GAN_ENOMEM, "fold") : GAN_OK;

	job->rc = GAN_OK;
	for (size_t i = 0; rc == GAN_OK && i < f->n; i++)
		rc = fold_one(s, f->source, &f->told[i]);
	if (rc == GAN_OK && f->moves != 0)
		rc = gan_run(s->db, GAN_SQL_RECON_PUT, GAN_T(f->source), GAN_T(GAN_RECON_MOVES));
	if (rc == GAN_OK && f->moves != 0)
		rc = gan_run(s->db, GAN_SQL_RECON_MOVES, GAN_T(f->source), GAN_T(GAN_RECON_MOVES),
		    GAN_I(f->moves));
	return rc < 0 ? rc : gan_mark_set(s, name, f->last_id);
}

static void
fold_done(struct gan_job *job)
{
	struct fold_job *j = (struct fold_job *)job;

	j->cb(j->arg, job->rc);
}

static const struct gan_job_ops fold_ops = { GAN_JOB_COMMAND, fold_run, fold_done, NULL, NULL };

static void
fold_pack(struct gan_pack *p, const struct gan_recon_fold *from, struct gan_recon_fold *to)
{
	struct gan_recon_told *told = gan_pack_mem(p, from->told, from->n * sizeof(*from->told));

	*to = *from;
	to->source = gan_pack_str(p, from->source);
	for (size_t i = 0; i < from->n; i++) {
		const char *type = gan_pack_str(p, from->told[i].type);
		const char *entity = gan_pack_str(p, from->told[i].entity);

		if (told == NULL)
			continue;
		told[i].type = type;
		told[i].entity = entity;
	}
	to->told = told;
}

int
gan_store_recon_fold(
    struct gan_store *s, const struct gan_recon_fold *f, gan_recon_done_fn cb, void *arg)
{
	struct gan_pack p = { NULL, 0 };
	struct gan_recon_fold ignored;
	struct fold_job *j;

	fold_pack(&p, f, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, &fold_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	j->job.bytes = p.size;
	j->cb = cb;
	j->arg = arg;
	p = (struct gan_pack){ (char *)(j + 1), 0 };
	fold_pack(&p, f, &j->f);
	return gan_store_job_send(s, &j->job);
}

/* ---- what a list shows ---------------------------------------------------------------------- */

struct look_job {
	struct gan_job job;
	struct gan_recon_look l;
	struct gan_recon_seen seen;
	gan_recon_look_fn cb;
	void *arg;
};

static int
tell(struct gan_store *s, const struct gan_recon_look *l, const struct gan_recon_item *it,
    int64_t missing_ms)
{
	char at[GAN_TIME_LEN], since[GAN_TIME_LEN], meta[128];
	/* Copied by SQLite, and only read. */
	struct gan_ingest in = { .source = l->source,
		.topic = l->topic,
		.meta = meta,
		.ignored_by = l->ignored_by,
		.body = (void *)(uintptr_t)it->body,
		.body_len = it->body_len,
		.received_ms = l->now_ms };

	(void)snprintf(meta, sizeof(meta), "{\"listed_at\":\"%s\",\"missing_since\":\"%s\"}",
	    gan_time_format(l->now_ms, at), gan_time_format(missing_ms, since));
	return gan_ingest_within(s, &in);
}

/* Decides what this state is; negative when the database failed. */
static int
look_at(
    struct gan_store *s, struct look_job *j, const struct gan_recon_item *it, struct states *states)
{
	const struct gan_recon_look *l = &j->l;
	int rc = GAN_OK;

	if (states_is_last(states, it->hash)) {
		j->seen.known++;
		states->missing_ms = 0;
		return GAN_OK;
	}
	if (l->baseline) {
		j->seen.baseline++;
	} else {
		if (states->missing_ms == 0)
			states->missing_ms = l->now_ms;
		if (l->now_ms - states->missing_ms < l->grace_ms) {
			j->seen.waiting++;
			return GAN_OK;
		}
		rc = tell(s, l, it, states->missing_ms);
		j->seen.missed++;
	}
	states_add(states, it->hash, l->now_ms);
	states->missing_ms = 0;
	return rc;
}

static int
look_one(struct gan_store *s, struct look_job *j, const struct gan_recon_item *it)
{
	const struct gan_recon_look *l = &j->l;
	unsigned char packed[STATES * STATE_LEN];
	struct states states;
	int64_t listed_ms;
	size_t len;
	int rc = states_get(s, l->source, l->type, it->entity, &states);

	if (rc == GAN_OK)
		rc = look_at(s, j, it, &states);
	if (rc < 0)
		return rc;
	/* One that was asked for alone is looked for again as long as it is missing. */
	listed_ms = l->listed ? l->now_ms : states.missing_ms != 0 ? 1 : 0;
	len = states_pack(&states, packed);
	return gan_run(s->db, GAN_SQL_SEEN_PUT, GAN_T(l->source), GAN_T(l->type), GAN_T(it->entity),
	    GAN_B(packed, len), GAN_I0(states.missing_ms), GAN_I0(listed_ms), GAN_I(l->now_ms));
}

static int
look_run(struct gan_store *s, struct gan_job *job)
{
	struct look_job *j = (struct look_job *)job;
	const struct gan_recon_look *l = &j->l;
	int rc = GAN_OK;

	j->seen = (struct gan_recon_seen){ 0 };
	job->rc = GAN_OK;
	if (s->low_space || gan_rescue_waits(s)) {
		job->rc = GAN_EFULL;
		return GAN_OK;
	}
	for (size_t i = 0; rc == GAN_OK && i < l->n; i++)
		rc = look_one(s, j, &l->items[i]);
	if (rc == GAN_OK && j->seen.missed > 0)
		rc = gan_run(s->db, GAN_SQL_RECON_PUT, GAN_T(l->source), GAN_T(l->type));
	if (rc == GAN_OK && j->seen.missed > 0)
		rc = gan_run(s->db, GAN_SQL_RECON_MISSED, GAN_T(l->source), GAN_T(l->type),
		    GAN_I(j->seen.missed));
	return rc;
}

static void
look_done(struct gan_job *job)
{
	struct look_job *j = (struct look_job *)job;

	j->cb(j->arg, job->rc, &j->seen);
}

static const struct gan_job_ops look_ops = { GAN_JOB_COMMAND, look_run, look_done, NULL, NULL };

static void
look_pack(struct gan_pack *p, const struct gan_recon_look *from, struct gan_recon_look *to)
{
	struct gan_recon_item *items = gan_pack_mem(p, from->items, from->n * sizeof(*items));

	*to = *from;
	to->source = gan_pack_str(p, from->source);
	to->type = gan_pack_str(p, from->type);
	to->topic = gan_pack_str(p, from->topic);
	for (size_t i = 0; i < from->n; i++) {
		const struct gan_recon_item *it = &from->items[i];
		const char *entity = gan_pack_str(p, it->entity);
		const char *body = gan_pack_mem(p, it->body, it->body_len);

		if (items == NULL)
			continue;
		items[i].entity = entity;
		items[i].body = body;
	}
	to->items = items;
}

int
gan_store_recon_look(
    struct gan_store *s, const struct gan_recon_look *l, gan_recon_look_fn cb, void *arg)
{
	struct gan_pack p = { NULL, 0 };
	struct gan_recon_look ignored;
	struct look_job *j;

	look_pack(&p, l, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, &look_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	j->job.bytes = p.size;
	j->cb = cb;
	j->arg = arg;
	p = (struct gan_pack){ (char *)(j + 1), 0 };
	look_pack(&p, l, &j->l);
	return gan_store_job_send(s, &j->job);
}

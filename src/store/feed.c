/* SPDX-License-Identifier: MIT */
/* feed.c - events out, to be mapped; and the rule set that mapping keeps here. */
#include <stdlib.h>
#include <string.h>

#include "store/store_priv.h"

struct feed_job {
	struct gan_job job;
	int64_t after_id, only_id;
	size_t n, max_bytes;
	struct gan_event **events;
	size_t nevents;
	gan_events_fn cb;
	void *arg;
};

void
gan_event_free(struct gan_event **ep)
{
	struct gan_event *e = gan_steal(ep);

	if (e == NULL)
		return;
	free(e->body);
	for (size_t i = 0; i < e->nrejected; i++)
		free(e->rejected[i]);
	free(e->rejected);
	free(e);
}

static void
event_pack(struct gan_pack *p, const struct gan_event *like, struct gan_event *e)
{
	*e = *like;
	e->source = gan_pack_str(p, like->source);
	e->topic = gan_pack_str(p, like->topic);
	e->topic_raw = gan_pack_str(p, like->topic_raw);
	e->meta = gan_pack_str(p, like->meta);
}

struct gan_event *
gan_event_new(const struct gan_event *like)
{
	struct gan_pack p = { NULL, 0 };
	struct gan_event ignored, *e;

	event_pack(&p, like, &ignored);
	e = malloc(sizeof(*e) + p.size);
	if (e == NULL)
		return NULL;
	p.at = (char *)(e + 1);
	event_pack(&p, like, e);
	return e;
}

static char *
col_copy(sqlite3_stmt *st, int col)
{
	const void *p = sqlite3_column_blob(st, col);

	return gan_memdup(p == NULL ? "" : p, (size_t)sqlite3_column_bytes(st, col));
}

struct gan_event *
gan_event_read(sqlite3_stmt *st)
{
	bool raw = sqlite3_column_type(st, 3) != SQLITE_NULL;
	bool meta = sqlite3_column_type(st, 5) != SQLITE_NULL;
	struct gan_event *e, like = { .id = sqlite3_column_int64(st, 0),
		.received_ms = sqlite3_column_int64(st, 4),
		.source = gan_col_text(st, 1),
		.topic = gan_col_text(st, 2),
		.topic_raw = gan_col_text(st, raw ? 3 : 2),
		.meta = meta ? gan_col_text(st, 5) : "{}",
		.body = col_copy(st, 7),
		.body_len = (size_t)sqlite3_column_bytes(st, 7) };

	if (like.source == NULL || like.topic == NULL || like.topic_raw == NULL ||
	    like.meta == NULL)
		e = NULL;
	else
		e = like.body == NULL ? NULL : gan_event_new(&like);
	if (e == NULL)
		free(like.body);
	return e;
}

/* Where its mapping stands, for `retry EVENT`. */
static int
event_outcome(struct gan_store *s, struct gan_event *e)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	int64_t state = GAN_EVENT_RECEIVED;
	int rc = gan_db_int(s->db, gan_bind(s->db, GAN_SQL_MAPPING_GET, GAN_I(e->id)), &state);

	if (rc < 0 && rc != GAN_ENOENT)
		return rc;
	e->state = (enum gan_event_state)state;
	st = gan_bind(s->db, GAN_SQL_REJECT_LIST, GAN_I(e->id));
	while ((rc = gan_db_step(s->db, st)) > 0) {
		char **more = realloc(e->rejected, (e->nrejected + 1) * sizeof(*more));

		if (more == NULL)
			return gan_err_set(&s->db->why, GAN_ENOMEM, "rejections");
		e->rejected = more;
		more[e->nrejected] = col_copy(st, 0);
		if (more[e->nrejected] == NULL)
			return gan_err_set(&s->db->why, GAN_ENOMEM, "rejections");
		e->nrejected++;
	}
	return rc;
}

static void
feed_forget(struct feed_job *j)
{
	for (size_t i = 0; i < j->nevents; i++)
		gan_event_free(&j->events[i]);
	j->nevents = 0;
}

static int
feed_take(struct gan_store *s, struct feed_job *j, sqlite3_stmt *st, size_t *bytes)
{
	struct gan_event *e = gan_event_read(st);

	if (e == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "events");
	j->events[j->nevents++] = e;
	*bytes += e->body_len;
	return GAN_OK;
}

static int
feed_run(struct gan_store *s, struct gan_job *job)
{
	struct feed_job *j = (struct feed_job *)job;
	/* What is mapped up to the cursor is not looked at again, nor what this group maps. */
	int64_t from = j->after_id > s->txn.map_cursor ? j->after_id : s->txn.map_cursor;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	size_t bytes = 0;
	int rc;

	job->rc = GAN_OK;
	feed_forget(j);
	st = j->only_id != 0 ? gan_bind(s->db, GAN_SQL_EVENT_GET, GAN_I(j->only_id))
			     : gan_bind(s->db, GAN_SQL_EVENT_FEED, GAN_I(from));
	while (j->nevents < j->n && bytes < j->max_bytes && (rc = gan_db_step(s->db, st)) != 0) {
		if (rc > 0 && j->only_id == 0 && sqlite3_column_type(st, 6) != SQLITE_NULL)
			continue; /* rejected when it came: nothing to map */
		if (rc > 0)
			rc = feed_take(s, j, st, &bytes);
		if (rc < 0)
			return rc;
	}
	return j->only_id != 0 && j->nevents == 1 ? event_outcome(s, j->events[0]) : GAN_OK;
}

static void
feed_done(struct gan_job *job)
{
	struct feed_job *j = (struct feed_job *)job;
	struct gan_event **events = gan_steal(&j->events);
	size_t n = j->nevents;

	if (job->rc < 0) {
		j->events = events;
		feed_forget(j);
		free(gan_steal(&j->events));
		events = NULL;
		n = 0;
	}
	j->nevents = 0;
	j->cb(j->arg, job->rc, events, n);
}

static void
feed_fini(struct gan_job *job)
{
	struct feed_job *j = (struct feed_job *)job;

	feed_forget(j);
	free(j->events);
}

static const struct gan_job_ops feed_ops = { GAN_JOB_FEED, feed_run, feed_done, feed_fini, NULL };

static int
feed_post(struct gan_store *s, const struct feed_job *want)
{
	struct feed_job *j = gan_store_job_new(sizeof(*j), &feed_ops);
	struct gan_job *job;
	int rc = GAN_ENOMEM;

	if (j == NULL)
		return GAN_ENOMEM;
	job = &j->job;
	j->after_id = want->after_id;
	j->only_id = want->only_id;
	j->n = want->n > 1024 ? 1024 : want->n;
	j->max_bytes = want->max_bytes;
	j->cb = want->cb;
	j->arg = want->arg;
	j->events = calloc(j->n + 1, sizeof(struct gan_event *));
	if (j->events != NULL)
		rc = gan_store_job_post(s, job);
	if (rc < 0)
		gan_store_job_free(&job);
	return rc;
}

int
gan_store_unmapped(
    struct gan_store *s, int64_t after_id, size_t n, size_t max_bytes, gan_events_fn cb, void *arg)
{
	return feed_post(
	    s, &(struct feed_job){
		   .after_id = after_id, .n = n, .max_bytes = max_bytes, .cb = cb, .arg = arg });
}

int
gan_store_event(struct gan_store *s, int64_t id, gan_events_fn cb, void *arg)
{
	return feed_post(
	    s, &(struct feed_job){
		   .only_id = id, .n = 1, .max_bytes = SIZE_MAX, .cb = cb, .arg = arg });
}

/* ---- the rule set ------------------------------------------------------------------ */

struct keep_job {
	struct gan_job job;
	char *data;
	size_t len;
};

static int
keep_put_run(struct gan_store *s, struct gan_job *job)
{
	struct keep_job *j = (struct keep_job *)job;

	return gan_run(s->db, GAN_SQL_KEEP_PUT, GAN_T("rules"), GAN_B(j->data, j->len));
}

static int
keep_get_run(struct gan_store *s, struct gan_job *job)
{
	struct keep_job *j = (struct keep_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	int rc;

	free(gan_steal(&j->data));
	job->rc = GAN_OK;
	st = gan_bind(s->db, GAN_SQL_KEEP_GET, GAN_T("rules"));
	rc = gan_db_step(s->db, st);
	if (rc <= 0)
		return rc;
	j->data = col_copy(st, 0);
	j->len = (size_t)sqlite3_column_bytes(st, 0);
	return j->data == NULL ? gan_err_set(&s->db->why, GAN_ENOMEM, "rules") : GAN_OK;
}

static void
keep_fini(struct gan_job *job)
{
	free(((struct keep_job *)job)->data);
}

static const struct gan_job_ops keep_put_ops = { GAN_JOB_COMMAND, keep_put_run, NULL, keep_fini,
	NULL };
static const struct gan_job_ops keep_get_ops = { GAN_JOB_COMMAND, keep_get_run, NULL, keep_fini,
	NULL };

int
gan_store_rules_put(struct gan_store *s, const void *blob, size_t len)
{
	struct keep_job *j = gan_store_job_new(sizeof(*j), &keep_put_ops);
	struct gan_job *job;
	int rc = GAN_ENOMEM;

	if (j == NULL)
		return GAN_ENOMEM;
	job = &j->job;
	j->data = gan_memdup(blob, len);
	j->len = len;
	job->bytes = len;
	if (j->data != NULL)
		rc = gan_store_job_post(s, job);
	if (rc < 0)
		gan_store_job_free(&job);
	return rc;
}

int
gan_store_rules_get(struct gan_store *s, char **ret_blob, size_t *ret_len, struct gan_err *err)
{
	struct keep_job *j = gan_store_job_new(sizeof(*j), &keep_get_ops);
	struct gan_job *job;
	int rc;

	if (j == NULL)
		return gan_err_set(err, GAN_ENOMEM, "rules");
	job = &j->job;
	rc = gan_store_job_wait(s, job);
	if (rc == GAN_OK)
		rc = job->rc;
	if (rc == GAN_OK) {
		*ret_blob = gan_steal(&j->data);
		*ret_len = j->len;
	} else {
		(void)gan_err_set(err, rc, "reading the last green rule set from the store");
	}
	gan_store_job_free(&job);
	return rc;
}

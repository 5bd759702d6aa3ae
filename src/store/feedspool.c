/* SPDX-License-Identifier: MIT */
/*
 * feedspool.c - what reads of change channels brought, kept as it came until
 * it is events; and the note of a read that is under way.
 */
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "store/changes.h"
#include "store/store_priv.h"

enum what {
	FEED_BEGIN,
	FEED_NOTHING,
	FEED_ANSWER,
	FEED_LOST,
	FEED_APART,
};

struct feed_job {
	struct gan_job job;
	enum what what;
	struct gan_feed_read r;
	int64_t id;                /* APART: of the kept answer */
	struct gan_ingest *events; /* APART, LOST */
	size_t n;
	const char *body; /* ANSWER; NULL: an empty one */
	size_t len;
	gan_feed_done_fn cb;
	void *arg;
};

static int
run_begin(struct gan_store *s, struct feed_job *j)
{
	if (s->low_space || s->now.full || gan_rescue_waits(s)) {
		j->job.rc = GAN_EFULL;
		return GAN_OK;
	}
	return gan_run(s->db, GAN_SQL_FEED_BEGIN, GAN_T(j->r.source), GAN_T(j->r.channel),
	    GAN_T(j->r.type), GAN_I(j->r.at_ms));
}

static int
end_read(struct gan_store *s, const struct feed_job *j, int64_t read_ms, int lost)
{
	return gan_run(s->db, GAN_SQL_FEED_END, GAN_T(j->r.source), GAN_T(j->r.channel),
	    GAN_I0(read_ms), GAN_I(lost));
}

static int
run_answer(struct gan_store *s, struct feed_job *j)
{
	int rc = end_read(s, j, j->r.at_ms, 0);

	if (rc < 0 || j->body == NULL)
		return rc;
	return gan_run(s->db, GAN_SQL_FEED_KEEP, GAN_T(j->r.source), GAN_T(j->r.channel),
	    GAN_T(j->r.type), GAN_I(j->r.at_ms), GAN_B(j->body, j->len));
}

/* A failure in the middle undoes all of it: a negative result rolls the COMMIT back. */
static int
put_events(struct gan_store *s, const struct feed_job *j)
{
	int rc = GAN_OK;

	for (size_t i = 0; rc == GAN_OK && i < j->n; i++)
		rc = gan_ingest_within(s, &j->events[i]);
	return rc;
}

static int
run_lost(struct gan_store *s, struct feed_job *j)
{
	int rc = end_read(s, j, 0, 1);

	return rc < 0 ? rc : put_events(s, j);
}

static int
run_apart(struct gan_store *s, struct feed_job *j)
{
	int rc;

	/* Nothing is stored past what waits in the emergency spool. */
	if (s->low_space || gan_rescue_waits(s)) {
		j->job.rc = GAN_EFULL;
		return GAN_OK;
	}
	rc = put_events(s, j);
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_FEED_DROP, GAN_I(j->id));
	if (rc == GAN_OK)
		rc = gan_run(
		    s->db, GAN_SQL_FEED_TOLD, GAN_T(j->r.source), GAN_T(j->r.channel), GAN_I(j->n));
	return rc;
}

static int
feed_run(struct gan_store *s, struct gan_job *job)
{
	struct feed_job *j = (struct feed_job *)job;

	job->rc = GAN_OK;
	switch (j->what) {
	case FEED_BEGIN:
		return run_begin(s, j);
	case FEED_NOTHING:
		return end_read(s, j, 0, 0);
	case FEED_ANSWER:
		return run_answer(s, j);
	case FEED_LOST:
		return run_lost(s, j);
	default:
		return run_apart(s, j);
	}
}

static void
feed_done(struct gan_job *job)
{
	struct feed_job *j = (struct feed_job *)job;

	if (job->rc == GAN_OK && j->what == FEED_BEGIN)
		GAN_FAILPOINT("feed-after-begin");
	if (job->rc == GAN_OK && j->what == FEED_ANSWER && j->body != NULL)
		GAN_FAILPOINT("feed-after-answer");
	if (job->rc == GAN_OK && j->what == FEED_APART)
		GAN_FAILPOINT("feed-after-apart");
	j->cb(j->arg, job->rc);
}

static const struct gan_job_ops feed_ops = { GAN_JOB_COMMAND, feed_run, feed_done, NULL, NULL };

static void
pack(struct gan_pack *p, const struct feed_job *from, struct feed_job *to)
{
	struct gan_ingest *events =
	    gan_pack_mem(p, from->events, from->n * sizeof(from->events[0]));

	to->r = from->r;
	to->r.source = gan_pack_str(p, from->r.source);
	to->r.channel = gan_pack_str(p, from->r.channel);
	to->r.type = gan_pack_str(p, from->r.type);
	to->body = from->body == NULL ? NULL : gan_pack_mem(p, from->body, from->len);
	for (size_t i = 0; i < from->n; i++) {
		const struct gan_ingest *in = &from->events[i];
		struct gan_ingest copy = *in;

		copy.source = gan_pack_str(p, in->source);
		copy.topic = gan_pack_str(p, in->topic);
		copy.topic_raw = gan_pack_str(p, in->topic_raw);
		copy.meta = gan_pack_str(p, in->meta == NULL ? "{}" : in->meta);
		copy.reject = gan_pack_str(p, in->reject);
		copy.body = gan_pack_mem(p, in->body, in->body_len);
		copy.dedupe = GAN_DEDUPE_NONE;
		copy.spool = false;
		if (events != NULL)
			events[i] = copy;
	}
	to->events = events;
}

static int
post(struct gan_store *s, const struct feed_job *want)
{
	struct gan_pack p = { NULL, 0 };
	struct feed_job ignored = { 0 }, *j;
	struct gan_job *job;

	pack(&p, want, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, &feed_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	job = &j->job;
	j->what = want->what;
	j->id = want->id;
	j->n = want->n;
	j->len = want->len;
	j->cb = want->cb;
	j->arg = want->arg;
	job->bytes = p.size;
	p = (struct gan_pack){ (char *)(j + 1), 0 };
	pack(&p, want, j);
	return gan_store_job_send(s, job);
}

int
gan_store_feed_begin(
    struct gan_store *s, const struct gan_feed_read *r, gan_feed_done_fn cb, void *arg)
{
	return post(s, &(struct feed_job){ .what = FEED_BEGIN, .r = *r, .cb = cb, .arg = arg });
}

int
gan_store_feed_nothing(
    struct gan_store *s, const struct gan_feed_read *r, gan_feed_done_fn cb, void *arg)
{
	return post(s, &(struct feed_job){ .what = FEED_NOTHING, .r = *r, .cb = cb, .arg = arg });
}

int
gan_store_feed_answer(struct gan_store *s, const struct gan_feed_read *r, const void *body,
    size_t len, gan_feed_done_fn cb, void *arg)
{
	return post(
	    s, &(struct feed_job){
		   .what = FEED_ANSWER, .r = *r, .body = body, .len = len, .cb = cb, .arg = arg });
}

int
gan_store_feed_lost(struct gan_store *s, const struct gan_feed_read *r,
    const struct gan_ingest *tell, gan_feed_done_fn cb, void *arg)
{
	struct gan_ingest one = *tell;

	return post(
	    s, &(struct feed_job){
		   .what = FEED_LOST, .r = *r, .events = &one, .n = 1, .cb = cb, .arg = arg });
}

int
gan_store_feed_apart(struct gan_store *s, int64_t id, const struct gan_feed_read *r,
    const struct gan_ingest *events, size_t n, gan_feed_done_fn cb, void *arg)
{
	/* Only read. */
	struct gan_ingest *list = (struct gan_ingest *)(uintptr_t)events;

	return post(s, &(struct feed_job){ .what = FEED_APART,
			   .r = *r,
			   .id = id,
			   .events = list,
			   .n = n,
			   .cb = cb,
			   .arg = arg });
}

/* ---- what is kept ------------------------------------------------------------- */

struct kept_job {
	struct gan_job job;
	struct gan_feed_kept row;
	char *own; /* all its texts */
	gan_feed_kept_fn cb;
	void *arg;
};

static void
kept_pack(struct gan_pack *p, sqlite3_stmt *st, struct gan_feed_kept *row)
{
	row->id = sqlite3_column_int64(st, 0);
	row->read.source = gan_pack_str(p, gan_col_text(st, 1));
	row->read.channel = gan_pack_str(p, gan_col_text(st, 2));
	row->read.type = gan_pack_str(p, gan_col_text(st, 3));
	row->read.at_ms = sqlite3_column_int64(st, 4);
	row->len = (size_t)sqlite3_column_bytes(st, 5);
	row->body = gan_pack_mem(p, sqlite3_column_blob(st, 5), row->len);
}

static int
kept_run(struct gan_store *s, struct gan_job *job)
{
	struct kept_job *j = (struct kept_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = s->db->st[GAN_SQL_FEED_OLDEST];
	struct gan_pack p = { NULL, 0 };
	int rc;

	free(gan_steal(&j->own));
	j->row = (struct gan_feed_kept){ 0 };
	job->rc = GAN_OK;
	rc = gan_db_step(s->db, st);
	if (rc <= 0)
		return rc;
	kept_pack(&p, st, &j->row);
	j->own = malloc(p.size + 1);
	if (j->own == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "kept answer");
	p = (struct gan_pack){ j->own, 0 };
	kept_pack(&p, st, &j->row);
	return GAN_OK;
}

static void
kept_done(struct gan_job *job)
{
	struct kept_job *j = (struct kept_job *)job;

	j->cb(j->arg, job->rc, job->rc == GAN_OK && j->row.id != 0 ? &j->row : NULL);
}

static void
kept_fini(struct gan_job *job)
{
	free(((struct kept_job *)job)->own);
}

static const struct gan_job_ops kept_ops = { GAN_JOB_FEED, kept_run, kept_done, kept_fini, NULL };

int
gan_store_feed_oldest(struct gan_store *s, gan_feed_kept_fn cb, void *arg)
{
	struct kept_job *j = gan_store_job_new(sizeof(*j), &kept_ops);

	if (j == NULL)
		return GAN_ENOMEM;
	j->cb = cb;
	j->arg = arg;
	return gan_store_job_send(s, &j->job);
}

/* ---- channels, at a start ------------------------------------------------------- */

struct channels_job {
	struct gan_job job;
	void (*fn)(void *arg, const struct gan_feed_channel *row);
	void *arg;
};

/* Runs while the loop thread waits for it, so fn may be called from here. */
static int
channels_run(struct gan_store *s, struct gan_job *job)
{
	struct channels_job *j = (struct channels_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = s->db->st[GAN_SQL_FEED_ALL];
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0) {
		const struct gan_feed_channel row = {
			.read = { .source = gan_col_text(st, 0),
			    .channel = gan_col_text(st, 1),
			    .type = gan_col_text(st, 2),
			    .at_ms = sqlite3_column_int64(st, 3) },
			.read_ms = sqlite3_column_int64(st, 4),
			.events = sqlite3_column_int64(st, 5),
			.lost = sqlite3_column_int64(st, 6),
		};

		j->fn(j->arg, &row);
	}
	return rc;
}

static const struct gan_job_ops channels_ops = { GAN_JOB_QUERY, channels_run, NULL, NULL, NULL };

int
gan_store_feed_channels(struct gan_store *s,
    void (*fn)(void *arg, const struct gan_feed_channel *row), void *arg, struct gan_err *err)
{
	struct channels_job *j = gan_store_job_new(sizeof(*j), &channels_ops);

	if (j == NULL)
		return gan_err_set(err, GAN_ENOMEM, "change channels");
	j->fn = fn;
	j->arg = arg;
	return gan_store_job_read(s, &j->job, "the change channels", err);
}

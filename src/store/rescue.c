/* SPDX-License-Identifier: MIT */
/* rescue.c - see rescue.h. */
#include "store/rescue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/spool.h"
#include "store/store_priv.h"

#define IMPORT_BYTES (8 << 20) /* of bodies in one COMMIT */
#define RETRY_MS 1000          /* after an import failed for another reason than space */
#define MAKE_MS 10000          /* between two tries to make the file */

/* ---- what the loop is told --------------------------------------------------------- */

static void
news(struct gan_store *s, enum gan_spool_news what, int64_t records, const char *text)
{
	struct gan_spool_note *n = &s->rescue.notes[what];

	(void)pthread_mutex_lock(&s->lock);
	n->told = true;
	n->records = records;
	(void)snprintf(n->text, sizeof(n->text), "%s", text);
	(void)pthread_mutex_unlock(&s->lock);
}

/* Figures are published with the others; what posting needs to know, at once. */
static void
refresh(struct gan_store *s)
{
	struct gan_spool_figures f = { .records = 0 };

	if (s->spool != NULL)
		gan_spool_figures(s->spool, &f);
	s->now.spool_records = f.records;
	s->now.spool_bytes = f.bytes;
	s->now.spool_size = f.size;
	s->now.spool_lost = f.lost;
	s->now.spool_broken = f.broken || s->rescue.unreadable;
	(void)pthread_mutex_lock(&s->lock);
	s->rescue.open = s->spool != NULL && !f.broken && f.size > 0;
	(void)pthread_mutex_unlock(&s->lock);
}

/* ---- open ------------------------------------------------------------------------------ */

/* "gantry.spool" beside "gantry.db": what moves the database away by its name leaves it. */
static char *
spool_path(const char *db_path)
{
	size_t n = strlen(db_path);

	if (n > 3 && strcmp(db_path + n - 3, ".db") == 0)
		n -= 3;
	return gan_asprintf("%.*s.spool", (int)n, db_path);
}

/*
 * Making it must not be what takes the last space above min_free; below that
 * the spool is all there is.
 */
static bool
may_make(const struct gan_store *s)
{
	return s->now.free_bytes >= s->keep.min_free + s->rescue.size ||
	       s->now.free_bytes < s->keep.min_free;
}

static int
open_spool(struct gan_store *s, struct gan_err *err)
{
	struct gan_spool_mark mark;
	int64_t file = 0, number = 0;
	int rc = gan_mark_get(s, "spool_file", &file);

	if (rc == GAN_OK)
		rc = gan_mark_get(s, "spool_number", &number);
	if (rc < 0)
		return gan_err_set(err, rc, "%s", s->db->why.msg);
	mark = (struct gan_spool_mark){ (uint64_t)file, (uint64_t)number };
	s->rescue.make_ms = gan_mono_ms();
	if (access(s->rescue.path, F_OK) != 0 && s->rescue.size > 0 && !may_make(s))
		rc = gan_err_set(err, GAN_EFULL, "too little room for %s", s->rescue.path);
	else
		rc = gan_spool_open(s->rescue.path, s->rescue.size, &mark, &s->spool, err);
	if (rc == GAN_ENOENT)
		return GAN_OK;
	if (rc == GAN_EFULL) {
		news(s, GAN_SPOOL_FAILED, 0, err->msg);
		return GAN_OK;
	}
	refresh(s);
	if (rc == GAN_OK && s->now.spool_lost > 0)
		news(s, GAN_SPOOL_LOST, s->now.spool_lost, s->rescue.path);
	if (rc == GAN_OK && s->now.spool_records > 0)
		s->now.spool_since_ms = gan_wall_ms();
	return rc;
}

int
gan_rescue_open(struct gan_store *s, const char *db_path, struct gan_err *err)
{
	struct gan_err own = { .code = GAN_OK };

	if (s->db->path == NULL)
		return GAN_OK;
	s->rescue.size = s->keep.spool_bytes;
	s->rescue.path = spool_path(db_path);
	if (s->rescue.path == NULL)
		return gan_err_set(err, GAN_ENOMEM, "spool");
	return open_spool(s, err == NULL ? &own : err);
}

void
gan_rescue_free(struct gan_store *s)
{
	gan_spool_free(&s->spool);
	gan_str_free(&s->rescue.path);
}

void
gan_rescue_check(struct gan_store *s)
{
	struct gan_err err = { .code = GAN_OK };

	if (s->spool != NULL || s->rescue.size == 0 || s->db->broken ||
	    gan_mono_ms() - s->rescue.make_ms < MAKE_MS || !may_make(s))
		return;
	if (open_spool(s, &err) < 0)
		news(s, GAN_SPOOL_FAILED, 0, err.msg);
}

/* ---- in --------------------------------------------------------------------------------- */

static const char *
why_used(const struct gan_store *s)
{
	if (s->db->broken || !(s->now.full || s->low_space))
		return s->db->why.msg;
	return s->low_space ? "less than store.min_free is free on its disk" : "it is full";
}

/* Whatever keeps the database from taking it, save for what would keep it from ever doing so. */
static bool
wants_rescue(const struct gan_job *job)
{
	return job->spool != GAN_JOB_UNSPOOLED &&
	       (job->rc == GAN_EFULL || job->rc == GAN_EIO || job->rc == GAN_ESTORE ||
		   job->rc == GAN_ENOMEM || job->rc == GAN_EBUSY);
}

static bool
gather(struct gan_store *s, struct gan_err *err)
{
	bool any = false;

	for (struct gan_job *job = s->ran.head; job != NULL; job = job->next) {
		struct gan_ingest in;
		int64_t maybe_id;

		if (!wants_rescue(job))
			continue;
		gan_ingest_get(job, &in, &maybe_id);
		if (gan_spool_put(s->spool, &in, s->db->broken ? maybe_id : 0, err) == GAN_OK)
			job->spool = GAN_JOB_SPOOLING, any = true;
	}
	return any;
}

void
gan_rescue_ran(struct gan_store *s)
{
	struct gan_err err = { .code = GAN_OK };
	bool before = s->now.spool_records > 0, broken = s->now.spool_broken;
	int rc;

	if (s->spool == NULL || !gather(s, &err))
		return;
	rc = gan_spool_commit(s->spool, &err);
	for (struct gan_job *job = s->ran.head; job != NULL; job = job->next) {
		if (job->spool != GAN_JOB_SPOOLING)
			continue;
		job->spool = GAN_JOB_MAY_SPOOL;
		if (rc == GAN_OK) {
			gan_ingest_was_spooled(job);
			s->now.spool_taken++;
		}
	}
	refresh(s);
	if (!before && s->now.spool_records > 0) {
		s->now.spool_since_ms = gan_wall_ms();
		news(s, GAN_SPOOL_USED, 0, why_used(s));
	}
	if (!broken && s->now.spool_broken)
		news(s, GAN_SPOOL_FAILED, 0, err.msg);
}

/* ---- and back ------------------------------------------------------------------------------ */

bool
gan_rescue_waits(const struct gan_store *s)
{
	return s->now.spool_records > 0 && !s->rescue.unreadable;
}

bool
gan_rescue_due(const struct gan_store *s)
{
	return gan_rescue_waits(s) && !s->low_space && !s->now.full && !s->db->broken &&
	       gan_mono_ms() >= s->rescue.retry_ms;
}

/* The COMMIT that seemed to fail may have held it. */
static int
is_there(struct gan_store *s, const struct gan_spool_record *rec)
{
	const struct gan_ingest *in = &rec->in;
	int64_t same = 0;
	int rc;

	if (rec->maybe_id == 0)
		return 0;
	rc = gan_db_int(s->db,
	    gan_bind(s->db, GAN_SQL_EVENT_IS, GAN_I(rec->maybe_id), GAN_T(in->source),
		GAN_T(in->topic), GAN_I(in->received_ms), GAN_B(in->body, in->body_len)),
	    &same);
	if (rc == GAN_ENOENT)
		return 0;
	return rc < 0 ? rc : same != 0;
}

int
gan_rescue_import(struct gan_store *s)
{
	struct gan_spool_cursor *cur = &s->rescue.cursor;
	struct gan_spool_record rec;
	struct gan_err err = { .code = GAN_OK };
	size_t bytes = 0, most = s->rescue.batch == 0 ? GAN_GROUP_INGEST : s->rescue.batch;
	int rc = 1;

	gan_spool_first(s->spool, cur);
	while (cur->records < (int64_t)most && bytes < IMPORT_BYTES) {
		rc = gan_spool_next(s->spool, cur, &rec, &err);
		if (rc <= 0)
			break;
		bytes += rec.in.body_len;
		rc = is_there(s, &rec);
		if (rc == 0)
			rc = gan_ingest_within(s, &rec.in);
		if (rc < 0)
			return rc;
	}
	/* Those before it are good: it fails the next time. */
	if (rc < 0 && cur->records == 0) {
		s->rescue.unreadable = rc == GAN_EIO;
		return gan_err_set(&s->db->why, rc, "%s", err.msg);
	}
	rc = gan_mark_set(s, "spool_file", (int64_t)gan_spool_file(s->spool));
	return rc < 0 ? rc : gan_mark_set(s, "spool_number", (int64_t)cur->number);
}

void
gan_rescue_imported(struct gan_store *s)
{
	int64_t lost = s->now.spool_lost;
	bool broken = s->now.spool_broken;

	gan_spool_imported(s->spool, &s->rescue.cursor);
	s->rescue.batch *= 2;
	if (s->rescue.batch >= GAN_GROUP_INGEST)
		s->rescue.batch = 0;
	s->now.spool_stuck = false;
	s->rescue.episode += s->rescue.cursor.records;
	s->now.spool_imported += s->rescue.cursor.records;
	refresh(s);
	if (s->now.spool_lost > lost)
		news(s, GAN_SPOOL_LOST, s->now.spool_lost - lost, s->rescue.path);
	if (!broken && s->now.spool_broken)
		news(s, GAN_SPOOL_FAILED, 0, "it was emptied, and its file could not be written");
	if (s->now.spool_records > 0)
		return;
	news(s, GAN_SPOOL_EMPTIED, s->rescue.episode, s->rescue.path);
	s->rescue.episode = 0;
	s->now.spool_since_ms = 0;
}

void
gan_rescue_failed(struct gan_store *s, int rc)
{
	size_t tried = s->rescue.batch == 0 ? GAN_GROUP_INGEST : s->rescue.batch;

	if ((int64_t)tried > s->now.spool_records)
		tried = (size_t)s->now.spool_records;
	s->rescue.retry_ms = gan_mono_ms() + RETRY_MS;
	if (s->rescue.unreadable) {
		refresh(s);
		news(s, GAN_SPOOL_FAILED, s->now.spool_records, s->db->why.msg);
	} else if (tried > 1) {
		/* A part of it may find room: try that at once. */
		s->rescue.batch = tried / 2;
		s->rescue.retry_ms = 0;
	} else if (rc == GAN_EFULL) {
		s->now.full = true;
	} else if (!s->db->broken && !s->now.spool_stuck) {
		s->now.spool_stuck = true;
		news(s, GAN_SPOOL_STUCK, s->now.spool_records, s->db->why.msg);
	}
}

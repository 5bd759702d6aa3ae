/* SPDX-License-Identifier: MIT */
/* reconcile_round.c - the end of a round of reconciliation, and what is known at a start. */
#include <stdlib.h>
#include <string.h>

#include "store/changes.h"
#include "store/store_priv.h"

/* ---- entities that are listed no more -------------------------------------------- */

struct gone_job {
	struct gan_job job;
	const char *source, *type, *after; /* behind the job */
	int64_t before_ms;
	char *entity;
	gan_recon_gone_fn cb;
	void *arg;
};

static int
gone_run(struct gan_store *s, struct gan_job *job)
{
	struct gone_job *j = (struct gone_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	const char *entity;
	int rc;

	gan_str_free(&j->entity);
	job->rc = GAN_OK;
	st = gan_bind(s->db, GAN_SQL_SEEN_UNLISTED, GAN_T(j->source), GAN_T(j->type),
	    GAN_I(j->before_ms), GAN_T(j->after));
	rc = gan_db_step(s->db, st);
	if (rc <= 0)
		return rc;
	entity = gan_col_text(st, 0);
	j->entity = entity == NULL ? NULL : strdup(entity);
	return j->entity == NULL ? gan_err_set(&s->db->why, GAN_ENOMEM, "entity") : GAN_OK;
}

static void
gone_done(struct gan_job *job)
{
	struct gone_job *j = (struct gone_job *)job;

	j->cb(j->arg, job->rc, job->rc == GAN_OK ? j->entity : NULL);
}

static void
gone_fini(struct gan_job *job)
{
	gan_str_free(&((struct gone_job *)job)->entity);
}

static const struct gan_job_ops gone_ops = { GAN_JOB_FEED, gone_run, gone_done, gone_fini, NULL };

int
gan_store_recon_gone(struct gan_store *s, const char *source, const char *type, int64_t before_ms,
    const char *after, gan_recon_gone_fn cb, void *arg)
{
	struct gan_pack p = { NULL, 0 };
	struct gone_job *j;

	(void)gan_pack_str(&p, source);
	(void)gan_pack_str(&p, type);
	(void)gan_pack_str(&p, after);
	j = gan_store_job_new(sizeof(*j) + p.size, &gone_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	p = (struct gan_pack){ (char *)(j + 1), 0 };
	j->source = gan_pack_str(&p, source);
	j->type = gan_pack_str(&p, type);
	j->after = gan_pack_str(&p, after);
	j->before_ms = before_ms;
	j->cb = cb;
	j->arg = arg;
	return gan_store_job_send(s, &j->job);
}

/* ---- a round is over ---------------------------------------------------------------- */

struct end_job {
	struct gan_job job;
	const char *source, *type; /* behind the job */
	int64_t at_ms, keep_ms, moves;
	gan_recon_done_fn cb;
	void *arg;
};

static int
end_run(struct gan_store *s, struct gan_job *job)
{
	struct end_job *j = (struct end_job *)job;
	int rc = gan_run(s->db, GAN_SQL_RECON_PUT, GAN_T(j->source), GAN_T(j->type));

	job->rc = GAN_OK;
	if (rc == GAN_OK && j->moves < 0)
		rc = gan_run(
		    s->db, GAN_SQL_RECON_AT, GAN_T(j->source), GAN_T(j->type), GAN_I(j->at_ms));
	else if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_RECON_LISTED, GAN_T(j->source), GAN_T(j->type),
		    GAN_I(j->at_ms), GAN_I(j->moves));
	/* A part of them each time: what is left goes in the next rounds. */
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_SEEN_RETAIN, GAN_I(j->keep_ms));
	return rc;
}

static void
end_done(struct gan_job *job)
{
	struct end_job *j = (struct end_job *)job;

	j->cb(j->arg, job->rc);
}

static const struct gan_job_ops end_ops = { GAN_JOB_COMMAND, end_run, end_done, NULL, NULL };

int
gan_store_recon_end(struct gan_store *s, const char *source, const char *type, int64_t at_ms,
    int64_t keep_ms, int64_t moves, gan_recon_done_fn cb, void *arg)
{
	struct gan_pack p = { NULL, 0 };
	struct end_job *j;

	(void)gan_pack_str(&p, source);
	(void)gan_pack_str(&p, type);
	j = gan_store_job_new(sizeof(*j) + p.size, &end_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	p = (struct gan_pack){ (char *)(j + 1), 0 };
	j->source = gan_pack_str(&p, source);
	j->type = gan_pack_str(&p, type);
	j->at_ms = at_ms;
	j->keep_ms = keep_ms;
	j->moves = moves;
	j->cb = cb;
	j->arg = arg;
	return gan_store_job_send(s, &j->job);
}

/* ---- at a start ------------------------------------------------------------------------ */

struct marks_job {
	struct gan_job job;
	void (*fn)(void *arg, const struct gan_recon_mark *m);
	void *arg;
};

/* Runs while the loop thread waits for it, so fn may be called from here. */
static int
marks_run(struct gan_store *s, struct gan_job *job)
{
	struct marks_job *j = (struct marks_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = s->db->st[GAN_SQL_RECON_ALL];
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0) {
		const struct gan_recon_mark m = { .source = gan_col_text(st, 0),
			.type = gan_col_text(st, 1),
			.at_ms = sqlite3_column_int64(st, 2),
			.missed = sqlite3_column_int64(st, 3),
			.listed = sqlite3_column_int64(st, 4),
			.told = sqlite3_column_int64(st, 5) };

		j->fn(j->arg, &m);
	}
	return rc;
}

static const struct gan_job_ops marks_ops = { GAN_JOB_QUERY, marks_run, NULL, NULL, NULL };

int
gan_store_recon_marks(struct gan_store *s, void (*fn)(void *arg, const struct gan_recon_mark *m),
    void *arg, struct gan_err *err)
{
	struct marks_job *j = gan_store_job_new(sizeof(*j), &marks_ops);

	if (j == NULL)
		return gan_err_set(err, GAN_ENOMEM, "reconciliation");
	j->fn = fn;
	j->arg = arg;
	return gan_store_job_read(s, &j->job, "where reconciliation stands", err);
}

/* SPDX-License-Identifier: MIT */
/*
 * outbox_read.c - what a reader of an outbox asks and says: the next messages,
 * and which of them it has taken in.
 *
 * Both walk the front of one index, a bounded number of rows in each COMMIT:
 * what is left goes into the next one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/outbox_priv.h"

#define NPRIO 3
#define HEADS 64            /* looked at by one statement */
#define ADMIT_MAX 256       /* heads that one read brings in */
#define AWAY_MAX 128        /* that were not told after all, of one COMMIT */
#define LIMIT_MAX 1000      /* messages of one answer */
#define BYTES_MAX (4 << 20) /* bodies of one answer, about */
#define ACK_BATCH 200       /* of one COMMIT */

/* ---- reading ------------------------------------------------------------------------------ */

struct read_job {
	struct gan_job job;
	struct gan_store *store;
	struct gan_claim_at at;
	unsigned limit;
	char *connector, *after;
	struct gan_buf out;
	size_t n;
	int64_t next; /* of the last one that is told */
	bool more;    /* there may be others behind those that were not told */
	gan_outbox_fn cb;
	void *arg;
	char text[];
};

/* Heads whose turn has come since the last look. */
static int
admit(struct gan_store *s, const struct read_job *j)
{
	int64_t heads[HEADS];
	size_t n, looked = 0;
	int rc = GAN_OK;

	for (int prio = 0; prio < NPRIO && rc >= 0; prio++) {
		do {
			sqlite3_stmt *st = gan_bind(s->db, GAN_SQL_LANE_DUE, GAN_T(j->connector),
			    GAN_I(prio), GAN_I(j->at.due_ms), GAN_I(HEADS));

			for (n = 0; n < HEADS && (rc = gan_db_step(s->db, st)) > 0; n++)
				heads[n] = sqlite3_column_int64(st, 1);
			gan_db_rewind(&st);
			for (size_t i = 0; rc >= 0 && i < n; i++)
				rc = gan_claim_turn(s, heads[i], &j->at);
			looked += n;
		} while (rc >= 0 && n > 0 && looked < ADMIT_MAX);
	}
	return rc < 0 ? rc : GAN_OK;
}

static int
tell(struct gan_store *s, struct read_job *j, const struct gan_dlv *d, int64_t pos)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_PAYLOAD_GET, GAN_I(d->id));
	char cursor[GAN_CURSOR_LEN];
	int rc = gan_db_step(s->db, st);

	if (rc < 0)
		return rc;
	gan_must(rc > 0);
	if (j->n > 0)
		gan_buf_putc(&j->out, ',');
	gan_buf_putc(&j->out, '{');
	gan_json_id(&j->out, "id", GAN_ID_DELIVERY, d->id);
	gan_json_str(&j->out, "cursor", gan_cursor_write(pos, j->connector, cursor));
	gan_json_str(&j->out, "key", d->key);
	gan_json_str(&j->out, "operation", d->operation);
	gan_json_str(&j->out, "rule", d->rule);
	gan_json_id(&j->out, "event", GAN_ID_EVENT, d->event_id);
	gan_json_time(&j->out, "created_at", d->created_ms);
	gan_json_name(&j->out, "body");
	gan_buf_put(&j->out, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
	gan_buf_putc(&j->out, '}');
	j->n++;
	j->next = pos;
	return j->out.failed ? gan_err_set(&s->db->why, GAN_ENOMEM, "outbox") : GAN_OK;
}

/* One that was put back or came in again stands before it: then it is not its turn. */
static int
is_overtaking(struct gan_store *s, const struct gan_dlv *d)
{
	int64_t one;
	int rc;

	if (d->key == NULL || d->copy)
		return 0;
	rc = gan_db_int(s->db,
	    gan_bind(
		s->db, GAN_SQL_OUTBOX_BEFORE, GAN_T(d->connector), GAN_T(d->key), GAN_I(d->id)),
	    &one);
	return rc == GAN_ENOENT ? 0 : rc < 0 ? rc : 1;
}

static int
look_at(struct gan_store *s, struct read_job *j, int64_t pos, int64_t id, bool told)
{
	struct gan_dlv d GAN_AUTO(gan_dlv_fini) = { .id = 0 };
	int rc = gan_dlv_load(s, id, &d);

	if (rc < 0)
		return rc;
	if (told)
		return tell(s, j, &d, pos);
	if (d.valid_until_ms != 0 && j->at.wall_ms > d.valid_until_ms)
		return gan_outbox_expire(s, &d, j->at.wall_ms);
	rc = is_overtaking(s, &d);
	if (rc > 0)
		return gan_outbox_back(s, &d, j->at.wall_ms);
	return rc < 0 ? rc : tell(s, j, &d, pos);
}

/* Some of those found may not be told after all: go on, but not for ever in one COMMIT. */
static int
collect(struct gan_store *s, struct read_job *j, int64_t from, int64_t shown)
{
	int64_t pos[HEADS], ids[HEADS];
	size_t n, looked = 0;
	int rc = GAN_OK;

	do {
		size_t want = j->limit - j->n < HEADS ? j->limit - j->n : HEADS;
		sqlite3_stmt *st = gan_bind(
		    s->db, GAN_SQL_OUTBOX_NEXT, GAN_T(j->connector), GAN_I(from), GAN_I(want));

		for (n = 0; n < want && (rc = gan_db_step(s->db, st)) > 0; n++) {
			pos[n] = sqlite3_column_int64(st, 0);
			ids[n] = sqlite3_column_int64(st, 1);
		}
		gan_db_rewind(&st);
		for (size_t i = 0; rc >= 0 && i < n && j->out.len < BYTES_MAX; i++) {
			rc = look_at(s, j, pos[i], ids[i], pos[i] <= shown);
			from = pos[i];
		}
		looked += n;
		j->more = looked - j->n >= AWAY_MAX;
	} while (rc >= 0 && n > 0 && j->n < j->limit && j->out.len < BYTES_MAX && !j->more);
	return rc < 0 ? rc : GAN_OK;
}

/* 1: a person stopped it, the reason is in out. */
static int
is_paused(struct gan_store *s, struct read_job *j)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_PAUSE_GET, GAN_T(j->connector));
	int rc = gan_db_step(s->db, st);
	const char *why = rc > 0 ? gan_col_text(st, 0) : NULL;

	if (rc > 0)
		gan_buf_puts(&j->out, why == NULL ? "" : why);
	return rc;
}

static int
read_run(struct gan_store *s, struct gan_job *job)
{
	struct read_job *j = (struct read_job *)job;
	char cursor[GAN_CURSOR_LEN];
	struct gan_reader r;
	int64_t from = 0;
	int rc;

	gan_buf_clear(&j->out);
	j->n = 0;
	j->more = false;
	job->rc = s->leases_stand ? GAN_EFULL : GAN_OK;
	rc = job->rc == GAN_OK ? is_paused(s, j) : 0;
	if (rc > 0)
		job->rc = GAN_ESTATE;
	if (rc != 0 || job->rc != GAN_OK)
		return rc < 0 ? rc : GAN_OK;
	rc = gan_reader_get(s, j->connector, &r);
	if (rc == GAN_OK && j->after[0] != '\0' &&
	    (!gan_cursor_read(j->after, j->connector, &from) || from > r.shown)) {
		job->rc = GAN_EINVAL;
		return GAN_OK;
	}
	j->next = from;
	gan_buf_puts(&j->out, "{\"messages\":[");
	if (rc == GAN_OK)
		rc = admit(s, j);
	if (rc == GAN_OK && j->limit > 0)
		rc = collect(s, j, from, r.shown);
	if (rc == GAN_OK && j->next > r.shown)
		rc = gan_run(s->db, GAN_SQL_READER_SHOWN, GAN_T(j->connector), GAN_I(j->next));
	gan_buf_puts(&j->out, "],\"next\":");
	if (j->next == 0)
		gan_buf_puts(&j->out, "null}\n");
	else
		gan_buf_printf(
		    &j->out, "\"%s\"}\n", gan_cursor_write(j->next, j->connector, cursor));
	return rc;
}

static int read_post(struct gan_store *s, const struct read_job *like);

static void
read_done(struct gan_job *job)
{
	struct read_job *j = (struct read_job *)job;
	bool told = job->rc == GAN_OK || job->rc == GAN_ESTATE;
	const char *text = told && j->out.data != NULL ? j->out.data : "";

	/* Who is told that there is nothing may not come again for long: that has to be so. */
	if (job->rc == GAN_OK && j->n == 0 && j->more && read_post(j->store, j) == GAN_OK)
		return;
	j->cb(j->arg, job->rc, text, told ? j->out.len : 0, job->rc == GAN_OK ? j->n : 0);
}

static void
read_fini(struct gan_job *job)
{
	gan_buf_fini(&((struct read_job *)job)->out);
}

static const struct gan_job_ops read_ops = { GAN_JOB_CLAIM, read_run, read_done, read_fini, NULL };

static int
read_post(struct gan_store *s, const struct read_job *like)
{
	size_t n = strlen(like->connector) + 1, k = strlen(like->after) + 1;
	struct read_job *j = gan_store_job_new(sizeof(*j) + n + k, &read_ops);
	struct gan_job *job = j == NULL ? NULL : &j->job;

	if (j == NULL)
		return GAN_ENOMEM;
	j->store = s;
	j->connector = memcpy(j->text, like->connector, n);
	j->after = memcpy(j->text + n, like->after, k);
	j->at = like->at;
	j->limit = like->limit < LIMIT_MAX ? like->limit : LIMIT_MAX;
	j->cb = like->cb;
	j->arg = like->arg;
	return gan_store_job_send(s, job);
}

int
gan_store_outbox_read(
    struct gan_store *s, const struct gan_outbox_read *r, gan_outbox_fn cb, void *arg)
{
	const char *after = r->after == NULL ? "" : r->after;

	return read_post(s, &(struct read_job){ .connector = (char *)(uintptr_t)r->connector,
				.after = (char *)(uintptr_t)after,
				.at = r->at,
				.limit = r->limit,
				.cb = cb,
				.arg = arg });
}

/* ---- acknowledging -------------------------------------------------------------------------- */

struct ack_job {
	struct gan_job job;
	struct gan_store *store;
	char *connector, *cursor, *who;
	int64_t now_ms;
	size_t n, before; /* acknowledged by this job, and by those before it */
	bool more;
	gan_outbox_fn cb;
	void *arg;
	char text[];
};

static int
deliver(struct gan_store *s, const struct ack_job *j, int64_t id)
{
	struct gan_dlv d GAN_AUTO(gan_dlv_fini) = { .id = 0 };
	char reason[160], request[256];
	struct gan_attempt a = { .started_ms = j->now_ms,
		.ended_ms = j->now_ms,
		.request = request,
		.status = 200,
		.verdict = "delivered" };
	int rc = gan_dlv_load(s, id, &d);

	if (rc < 0)
		return rc;
	(void)snprintf(
	    request, sizeof(request), "POST /v1/outbox/%s/ack by %s", j->connector, j->who);
	(void)snprintf(reason, sizeof(reason), "acknowledged by %s", j->who);
	d.attempts++;
	if (d.first_sent_ms == 0)
		d.first_sent_ms = j->now_ms;
	rc = gan_attempt_put(s, id, &a);
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_DLV_TRIED, GAN_I(id), GAN_I(a.status), GAN_NULL,
		    GAN_I(j->now_ms));
	return rc < 0 ? rc : gan_dlv_move(s, &d, GAN_DLV_DELIVERED, reason, NULL, j->now_ms);
}

static int
ack_run(struct gan_store *s, struct gan_job *job)
{
	struct ack_job *j = (struct ack_job *)job;
	int64_t ids[ACK_BATCH], upto = 0, last = 0;
	sqlite3_stmt *st;
	struct gan_reader r;
	int rc = gan_reader_get(s, j->connector, &r);

	job->rc = GAN_OK;
	j->n = 0;
	j->more = false;
	if (rc < 0)
		return rc;
	if (!gan_cursor_read(j->cursor, j->connector, &upto) || upto > r.shown) {
		job->rc = GAN_EINVAL;
		return GAN_OK;
	}
	st = gan_bind(
	    s->db, GAN_SQL_OUTBOX_UPTO, GAN_T(j->connector), GAN_I(upto), GAN_I(ACK_BATCH));
	while (j->n < ACK_BATCH && (rc = gan_db_step(s->db, st)) > 0) {
		last = sqlite3_column_int64(st, 0);
		ids[j->n++] = sqlite3_column_int64(st, 1);
	}
	gan_db_rewind(&st);
	j->more = j->n == ACK_BATCH;
	for (size_t i = 0; rc >= 0 && i < j->n; i++)
		rc = deliver(s, j, ids[i]);
	return rc < 0 ? rc
		      : gan_run(s->db, GAN_SQL_READER_ACKED, GAN_T(j->connector),
			    GAN_I(j->more ? last : upto));
}

static int ack_post(struct gan_store *s, const struct ack_job *like);

static void
ack_done(struct gan_job *job)
{
	struct ack_job *j = (struct ack_job *)job;
	int rc = job->rc;

	j->before += job->rc == GAN_OK ? j->n : 0;
	if (rc == GAN_OK && j->more) {
		rc = ack_post(j->store, j);
		if (rc == GAN_OK)
			return;
	}
	j->cb(j->arg, rc, "", 0, j->before);
}

static const struct gan_job_ops ack_ops = { GAN_JOB_CLAIM, ack_run, ack_done, NULL, NULL };

static int
ack_post(struct gan_store *s, const struct ack_job *like)
{
	size_t n = strlen(like->connector) + 1, k = strlen(like->cursor) + 1,
	       w = strlen(like->who) + 1;
	struct ack_job *j = gan_store_job_new(sizeof(*j) + n + k + w, &ack_ops);
	struct gan_job *job = j == NULL ? NULL : &j->job;

	if (j == NULL)
		return GAN_ENOMEM;
	j->store = s;
	j->connector = memcpy(j->text, like->connector, n);
	j->cursor = memcpy(j->text + n, like->cursor, k);
	j->who = memcpy(j->text + n + k, like->who, w);
	j->now_ms = like->now_ms;
	j->before = like->before;
	j->cb = like->cb;
	j->arg = like->arg;
	return gan_store_job_send(s, job);
}

int
gan_store_outbox_ack(struct gan_store *s, const char *connector, const char *cursor,
    const char *who, int64_t now_ms, gan_outbox_fn cb, void *arg)
{
	return ack_post(s, &(struct ack_job){ .connector = (char *)(uintptr_t)connector,
			       .cursor = (char *)(uintptr_t)cursor,
			       .who = (char *)(uintptr_t)who,
			       .now_ms = now_ms,
			       .cb = cb,
			       .arg = arg });
}

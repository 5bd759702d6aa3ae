/* SPDX-License-Identifier: MIT */
/* quarantine.c - requests with a bad signature, in a ring that cannot grow. */
#include <stdlib.h>
#include <string.h>

#include "store/store_priv.h"

#define RING_ROWS 1000
#define RING_BYTES (INT64_C(64) << 20)

struct put_job {
	struct gan_job job;
	struct gan_quarantine q;
};

struct get_job {
	struct gan_job job;
	int64_t id;
	struct gan_quarantined row;
	char *texts[3], *body;
	gan_quarantined_fn cb;
	void *arg;
};

static int
ring_drop(struct gan_store *s, int64_t id, int64_t size)
{
	int rc = gan_run(s->db, GAN_SQL_QUAR_DROP, GAN_I(id));

	s->txn.quarantined--;
	s->txn.quarantine_bytes -= size;
	return rc;
}

/* The oldest leave until the new one has its place. */
static int
ring_make_room(struct gan_store *s, int64_t size)
{
	int rc = GAN_OK;

	while (rc == GAN_OK && (s->now.quarantined + s->txn.quarantined >= RING_ROWS ||
				   (s->txn.quarantine_bytes + size > RING_BYTES &&
				       s->now.quarantined + s->txn.quarantined > 0))) {
		sqlite3_stmt *st = s->db->st[GAN_SQL_QUAR_OLDEST];
		int64_t id = 0, old = 0;

		rc = gan_db_step(s->db, st);
		if (rc > 0) {
			id = sqlite3_column_int64(st, 0);
			old = sqlite3_column_int64(st, 1);
		}
		gan_db_rewind(&st);
		if (rc <= 0)
			return rc;
		rc = ring_drop(s, id, old);
	}
	return rc;
}

static int
put_run(struct gan_store *s, struct gan_job *job)
{
	const struct gan_quarantine *q = &((struct put_job *)job)->q;
	int64_t id = gan_id_next(s->txn.last_quarantine, q->received_ms);
	int rc;

	if (s->low_space) {
		job->rc = GAN_EFULL;
		return GAN_OK;
	}
	rc = ring_make_room(s, (int64_t)q->body_len);
	s->txn.last_quarantine = id;
	s->txn.quarantined++;
	s->txn.quarantine_bytes += (int64_t)q->body_len;
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_QUAR_PUT, GAN_I(id), GAN_T(q->source), GAN_T(q->topic),
		    GAN_T(q->headers), GAN_T(q->why), GAN_T(q->remote), GAN_I(q->received_ms),
		    GAN_I(q->body_len), GAN_B(q->body, q->body_len));
	return rc;
}

static const struct gan_job_ops put_ops = { GAN_JOB_RING, put_run, NULL, NULL, NULL };

static void
put_pack(struct gan_pack *p, const struct gan_quarantine *from, struct gan_quarantine *ret)
{
	*ret = *from;
	ret->source = gan_pack_str(p, from->source == NULL ? "" : from->source);
	ret->topic = gan_pack_str(p, from->topic == NULL ? "" : from->topic);
	ret->headers = gan_pack_str(p, from->headers == NULL ? "{}" : from->headers);
	ret->why = gan_pack_str(p, from->why == NULL ? "" : from->why);
	ret->remote = gan_pack_str(p, from->remote == NULL ? "" : from->remote);
	ret->body = gan_pack_mem(p, from->body, from->body_len);
}

int
gan_store_quarantine(struct gan_store *s, const struct gan_quarantine *q)
{
	struct gan_pack p = { NULL, 0 };
	struct gan_quarantine ignored;
	struct put_job *j;
	struct gan_job *job;

	put_pack(&p, q, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, &put_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	p.at = (char *)(j + 1);
	put_pack(&p, q, &j->q);
	job = &j->job;
	job->bytes = p.size;
	return gan_store_job_send(s, job);
}

/* ---- one row --------------------------------------------------------------------------- */

static void
get_forget(struct get_job *j)
{
	for (size_t i = 0; i < GAN_COUNT(j->texts); i++)
		free(gan_steal(&j->texts[i]));
	free(gan_steal(&j->body));
}

static int
get_run(struct gan_store *s, struct gan_job *job)
{
	struct get_job *j = (struct get_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_QUAR_GET, GAN_I(j->id));
	int rc = gan_db_step(s->db, st);
	const void *body;

	get_forget(j);
	job->rc = rc == 0 ? GAN_ENOENT : GAN_OK;
	if (rc <= 0)
		return rc;
	for (int i = 0; i < 3; i++)
		j->texts[i] = strdup(gan_col_text(st, i));
	body = sqlite3_column_blob(st, 4);
	j->row.body_len = (size_t)sqlite3_column_bytes(st, 4);
	j->body = gan_memdup(body == NULL ? "" : body, j->row.body_len);
	j->row.id = j->id;
	j->row.received_ms = sqlite3_column_int64(st, 3);
	j->row.source = j->texts[0];
	j->row.topic = j->texts[1];
	j->row.headers = j->texts[2];
	j->row.body = j->body;
	if (j->texts[0] == NULL || j->texts[1] == NULL || j->texts[2] == NULL || j->body == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "quarantine");
	return GAN_OK;
}

static void
get_done(struct gan_job *job)
{
	struct get_job *j = (struct get_job *)job;

	j->cb(j->arg, job->rc, job->rc == GAN_OK ? &j->row : NULL);
}

static void
get_fini(struct gan_job *job)
{
	get_forget((struct get_job *)job);
}

static const struct gan_job_ops get_ops = { GAN_JOB_FEED, get_run, get_done, get_fini, NULL };

int
gan_store_quarantine_get(struct gan_store *s, int64_t id, gan_quarantined_fn cb, void *arg)
{
	struct get_job *j = gan_store_job_new(sizeof(*j), &get_ops);

	if (j == NULL)
		return GAN_ENOMEM;
	j->id = id;
	j->cb = cb;
	j->arg = arg;
	return gan_store_job_send(s, &j->job);
}

static int
drop_run(struct gan_store *s, struct gan_job *job)
{
	struct get_job *j = (struct get_job *)job;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_QUAR_GET, GAN_I(j->id));
	int rc = gan_db_step(s->db, st);
	int64_t size;

	if (rc <= 0)
		return rc;
	size = sqlite3_column_int64(st, 5);
	gan_db_rewind(&st);
	return ring_drop(s, j->id, size);
}

static const struct gan_job_ops drop_ops = { GAN_JOB_COMMAND, drop_run, NULL, NULL, NULL };

int
gan_store_quarantine_drop(struct gan_store *s, int64_t id)
{
	struct get_job *j = gan_store_job_new(sizeof(*j), &drop_ops);

	if (j == NULL)
		return GAN_ENOMEM;
	j->id = id;
	return gan_store_job_send(s, &j->job);
}

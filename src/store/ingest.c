/* SPDX-License-Identifier: MIT */
/*
 * ingest.c - events in: one insert each, and per COMMIT one row that remembers
 * the hashes of all of them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_priv.h"

struct ingest_job {
	struct gan_job job;
	struct gan_ingest in;
	gan_ingest_fn cb;
	void *arg;
	enum gan_ingest_verdict verdict;
	int64_t event_id;
};

/* The event that had this hash first: of this group, or of the window. */
static int64_t
seen_before(struct gan_store *s, const struct gan_ingest *in)
{
	uint64_t want, have;

	memcpy(&want, in->hash, sizeof(want));
	for (size_t i = 0; i < s->txn.nseen; i++) {
		memcpy(&have, s->txn.seen[i].hash, sizeof(have));
		if (have == want && memcmp(s->txn.seen[i].hash, in->hash, 16) == 0)
			return s->txn.seen[i].event_id;
	}
	return gan_window_find(s->window, in->hash, in->received_ms);
}

/* The same idempotency key: is it the same message?  A first one that retention removed counts as
 * the same, since nobody can tell. */
static int
same_as_first(struct gan_store *s, struct ingest_job *j, int64_t first)
{
	int64_t same = 1;
	int rc = gan_db_int(s->db,
	    gan_bind(s->db, GAN_SQL_EVENT_SAME, GAN_I(first), GAN_T(j->in.topic),
		GAN_B(j->in.body, j->in.body_len)),
	    &same);

	if (rc < 0 && rc != GAN_ENOENT)
		return rc;
	j->verdict = same != 0 ? GAN_INGEST_DUPLICATE : GAN_INGEST_CONFLICT;
	return GAN_OK;
}

static int
duplicate(struct gan_store *s, struct ingest_job *j, int64_t first)
{
	int rc;

	j->event_id = first;
	j->verdict = GAN_INGEST_DUPLICATE;
	if (j->in.dedupe == GAN_DEDUPE_IDEMPOTENCY) {
		rc = same_as_first(s, j, first);
		if (rc < 0)
			return rc;
	}
	if (j->verdict == GAN_INGEST_DUPLICATE)
		s->txn.duplicates++;
	return GAN_OK;
}

static int
store_rejected(struct gan_store *s, const struct ingest_job *j)
{
	const struct gan_ingest *in = &j->in;
	int rc = gan_run(s->db, GAN_SQL_MAPPING_PUT, GAN_I(j->event_id), GAN_I(GAN_EVENT_REJECTED),
	    GAN_I(in->received_ms), GAN_I(0));

	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_REJECT_PUT, GAN_I(j->event_id), GAN_T(""),
		    GAN_T(in->reject), GAN_I(in->received_ms));
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_ATTENTION_PUT, GAN_I(j->event_id), GAN_T("e"),
		    GAN_T("rejected"), GAN_I(in->received_ms));
	s->txn.attention++;
	s->txn.events[GAN_EVENT_REJECTED]++;
	return rc;
}

static int
remember(struct gan_store *s, const struct ingest_job *j)
{
	struct gan_dedupe_entry *e;

	if (j->in.dedupe == GAN_DEDUPE_NONE)
		return GAN_OK;
	gan_must(s->txn.nseen < GAN_GROUP_INGEST);
	if (gan_window_reserve(s->window, s->txn.nseen + 1) < 0)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "duplicate window");
	e = &s->txn.seen[s->txn.nseen++];
	memcpy(e->hash, j->in.hash, sizeof(e->hash));
	e->event_id = j->event_id;
	s->txn.seen_ms = j->in.received_ms;
	return GAN_OK;
}

static int
ingest_run(struct gan_store *s, struct gan_job *job)
{
	struct ingest_job *j = (struct ingest_job *)job;
	const struct gan_ingest *in = &j->in;
	int64_t first = in->dedupe == GAN_DEDUPE_NONE ? 0 : seen_before(s, in);
	bool same_topic = in->topic_raw == NULL || strcmp(in->topic, in->topic_raw) == 0;
	int rc;

	job->rc = GAN_OK;
	if (first != 0)
		return duplicate(s, j, first);
	if (s->low_space) {
		job->rc = GAN_EFULL;
		return GAN_OK;
	}
	j->verdict = GAN_INGEST_STORED;
	j->event_id = gan_id_next(s->txn.last_event, in->received_ms);
	s->txn.last_event = j->event_id;
	rc = gan_run(s->db, GAN_SQL_EVENT_PUT, GAN_I(j->event_id), GAN_T(in->source),
	    GAN_T(in->topic), GAN_T(same_topic ? NULL : in->topic_raw), GAN_I(in->received_ms),
	    GAN_T(in->meta), GAN_B(in->body, in->body_len));
	if (rc == GAN_OK && in->reject != NULL) {
		rc = store_rejected(s, j);
	} else {
		s->txn.events[GAN_EVENT_RECEIVED]++;
		s->txn.new_events = true;
	}
	return rc < 0 ? rc : remember(s, j);
}

static void
ingest_done(struct gan_job *job)
{
	struct ingest_job *j = (struct ingest_job *)job;

	if (j->cb != NULL)
		j->cb(j->arg, job->rc, j->verdict, job->rc == GAN_OK ? j->event_id : 0);
}

static void
ingest_fini(struct gan_job *job)
{
	free(((struct ingest_job *)job)->in.body);
}

static const struct gan_job_ops ingest_ops = { GAN_JOB_INGEST, ingest_run, ingest_done, ingest_fini,
	NULL };

static void
ingest_pack(struct gan_pack *p, const struct gan_ingest *in, struct gan_ingest *ret)
{
	*ret = *in;
	ret->source = gan_pack_str(p, in->source);
	ret->topic = gan_pack_str(p, in->topic);
	ret->topic_raw = gan_pack_str(p, in->topic_raw);
	ret->meta = gan_pack_str(p, in->meta);
	ret->reject = gan_pack_str(p, in->reject);
	ret->body = NULL;
}

int
gan_store_ingest(struct gan_store *s, const struct gan_ingest *in, gan_ingest_fn cb, void *arg)
{
	struct gan_pack p = { NULL, 0 };
	struct gan_ingest ignored;
	struct ingest_job *j;
	int rc;

	ingest_pack(&p, in, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, &ingest_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	p.at = (char *)(j + 1);
	ingest_pack(&p, in, &j->in);
	j->cb = cb;
	j->arg = arg;
	j->job.bytes = in->body_len + p.size;
	j->in.body = in->body;
	rc = gan_store_job_post(s, &j->job);
	if (rc < 0) {
		struct gan_job *job = &j->job;

		j->in.body = NULL; /* still the caller's */
		gan_store_job_free(&job);
	}
	return rc;
}

/* ---- the log of hashes --------------------------------------------------------- */

int
gan_counters_seen(struct gan_store *s)
{
	unsigned char blob[GAN_GROUP_INGEST * 24];
	size_t n = s->txn.nseen;

	if (n == 0)
		return GAN_OK;
	for (size_t i = 0; i < n; i++) {
		const struct gan_dedupe_entry *e = &s->txn.seen[i];

		memcpy(blob + i * 24, e->hash, 16);
		for (int k = 0; k < 8; k++)
			blob[i * 24 + 16 + (size_t)k] = (unsigned char)(e->event_id >> (8 * k));
	}
	/* Only after the COMMIT is last_log moved on, so a rollback reuses the number. */
	return gan_run(s->db, GAN_SQL_DEDUPE_PUT, GAN_I(s->last_log + 1), GAN_I(s->txn.seen_ms),
	    GAN_B(blob, n * 24));
}

int
gan_window_load(struct gan_store *s)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = s->db->st[GAN_SQL_DEDUPE_ALL];
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0) {
		const unsigned char *blob = sqlite3_column_blob(st, 2);
		size_t n = (size_t)sqlite3_column_bytes(st, 2) / 24;

		s->last_log = sqlite3_column_int64(st, 0);
		if (gan_window_reserve(s->window, n) < 0)
			return gan_err_set(&s->db->why, GAN_ENOMEM, "duplicate window");
		for (size_t i = 0; blob != NULL && i < n; i++) {
			struct gan_dedupe_entry e = { .event_id = 0 };
			uint64_t id = 0;

			memcpy(e.hash, blob + i * 24, 16);
			for (int k = 7; k >= 0; k--)
				id = id << 8 | blob[i * 24 + 16 + (size_t)k];
			e.event_id = (int64_t)id;
			if (e.event_id > 0)
				gan_window_add(
				    s->window, &e, s->last_log, sqlite3_column_int64(st, 1));
		}
	}
	return rc;
}

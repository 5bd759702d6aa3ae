/* SPDX-License-Identifier: MIT */
/*
 * ingest.c - events in: one insert each, and per COMMIT one row that remembers
 * the hashes of all of them (seen.c).
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "store/store_priv.h"

struct ingest_job {
	struct gan_job job;
	struct gan_event *event;
	char *reject;
	uint64_t ignored_by;
	enum gan_dedupe dedupe;
	unsigned char hash[16];
	gan_ingest_fn cb;
	void *arg;
	enum gan_ingest_verdict verdict;
	int64_t event_id;
	bool to_map;
	struct gan_store *store;
};

/* The event that had this hash first: of this group, or of the window.  Negative: failed. */
static int64_t
seen_before(struct gan_store *s, const struct ingest_job *j)
{
	uint64_t want, have;

	memcpy(&want, j->hash, sizeof(want));
	for (size_t i = 0; i < s->txn.nseen; i++) {
		memcpy(&have, s->txn.seen[i].hash, sizeof(have));
		if (have == want && memcmp(s->txn.seen[i].hash, j->hash, 16) == 0)
			return s->txn.seen[i].event_id;
	}
	return gan_seen_find(s, j->hash, j->event->received_ms);
}

/* The same idempotency key: is it the same message?  A first one that retention removed counts as
 * the same, since nobody can tell. */
static int
same_as_first(struct gan_store *s, struct ingest_job *j, int64_t first)
{
	int64_t same = 1;
	int rc = gan_db_int(s->db,
	    gan_bind(s->db, GAN_SQL_EVENT_SAME, GAN_I(first), GAN_T(j->event->topic),
		GAN_B(j->event->body, j->event->body_len)),
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
	if (j->dedupe == GAN_DEDUPE_IDEMPOTENCY) {
		rc = same_as_first(s, j, first);
		if (rc < 0)
			return rc;
	}
	if (j->verdict == GAN_INGEST_DUPLICATE)
		s->txn.duplicates++;
	return GAN_OK;
}

/* Nothing that waits to be mapped stands before it: the cursor may pass. */
static void
pass_by(struct gan_store *s, int64_t id)
{
	if (s->txn.last_received <= s->txn.map_cursor)
		s->txn.map_cursor = id;
}

int
gan_event_put_rejected(struct gan_store *s, int64_t id, const char *why, int64_t now_ms)
{
	int rc = gan_run(s->db, GAN_SQL_MAPPING_PUT, GAN_I(id), GAN_I(GAN_EVENT_REJECTED),
	    GAN_I(now_ms), GAN_I(0));

	if (rc == GAN_OK)
		rc = gan_run(
		    s->db, GAN_SQL_REJECT_PUT, GAN_I(id), GAN_T(""), GAN_T(why), GAN_I(now_ms));
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_ATTENTION_PUT, GAN_I(id), GAN_T("e"), GAN_T("rejected"),
		    GAN_I(now_ms));
	s->txn.attention++;
	s->txn.events[GAN_EVENT_REJECTED]++;
	pass_by(s, id);
	return rc;
}

static int
store_ignored(struct gan_store *s, const struct ingest_job *j)
{
	s->txn.events[GAN_EVENT_IGNORED]++;
	gan_txn_ignored(s, j->event->source, j->event->topic);
	pass_by(s, j->event_id);
	return gan_run(s->db, GAN_SQL_MAPPING_PUT, GAN_I(j->event_id), GAN_I(GAN_EVENT_IGNORED),
	    GAN_I(j->event->received_ms), GAN_I(j->ignored_by));
}

static int
store_received(struct gan_store *s, struct ingest_job *j)
{
	s->txn.events[GAN_EVENT_RECEIVED]++;
	j->to_map = true;
	j->event->after_id = s->txn.last_received;
	s->txn.last_received = j->event_id;
	return GAN_OK;
}

static void
remember(struct gan_store *s, const struct ingest_job *j)
{
	struct gan_dedupe_entry *e;

	if (j->dedupe == GAN_DEDUPE_NONE)
		return;
	gan_must(s->txn.nseen < GAN_GROUP_INGEST);
	e = &s->txn.seen[s->txn.nseen++];
	memcpy(e->hash, j->hash, sizeof(e->hash));
	e->event_id = j->event_id;
	s->txn.seen_ms = j->event->received_ms;
}

static int
store_event(struct gan_store *s, struct ingest_job *j)
{
	const struct gan_event *e = j->event;
	bool same_topic = strcmp(e->topic, e->topic_raw) == 0;
	int rc;

	j->verdict = GAN_INGEST_STORED;
	j->event_id = gan_id_next(s->txn.last_event, e->received_ms);
	j->event->id = s->txn.last_event = j->event_id;
	rc = gan_run(s->db, GAN_SQL_EVENT_PUT, GAN_I(e->id), GAN_T(e->source), GAN_T(e->topic),
	    GAN_T(same_topic ? NULL : e->topic_raw), GAN_I(e->received_ms), GAN_T(e->meta),
	    GAN_B(e->body, e->body_len));
	if (rc < 0)
		return rc;
	if (j->reject != NULL)
		return gan_event_put_rejected(s, e->id, j->reject, e->received_ms);
	return j->ignored_by != 0 ? store_ignored(s, j) : store_received(s, j);
}

static int
ingest_run(struct gan_store *s, struct gan_job *job)
{
	struct ingest_job *j = (struct ingest_job *)job;
	int64_t first = j->dedupe == GAN_DEDUPE_NONE ? 0 : seen_before(s, j);
	int rc;

	job->rc = GAN_OK;
	j->to_map = false;
	if (first < 0)
		return (int)first;
	if (first > 0)
		return duplicate(s, j, first);
	if (s->low_space) {
		job->rc = GAN_EFULL;
		return GAN_OK;
	}
	rc = store_event(s, j);
	if (rc == GAN_OK)
		remember(s, j);
	return rc;
}

static void
ingest_done(struct gan_job *job)
{
	struct ingest_job *j = (struct ingest_job *)job;
	struct gan_store *s = j->store;

	if (job->rc == GAN_OK)
		GAN_FAILPOINT("after-commit");
	if (j->cb != NULL)
		j->cb(j->arg, job->rc, j->verdict, job->rc == GAN_OK ? j->event_id : 0);
	if (job->rc == GAN_OK && j->to_map && s->on_events != NULL && !s->closing)
		s->on_events(s->events_arg, gan_steal(&j->event));
}

static void
ingest_fini(struct gan_job *job)
{
	struct ingest_job *j = (struct ingest_job *)job;

	gan_event_free(&j->event);
	free(j->reject);
}

static const struct gan_job_ops ingest_ops = { GAN_JOB_INGEST, ingest_run, ingest_done, ingest_fini,
	NULL };

static struct ingest_job *
ingest_new(struct gan_store *s, const struct gan_ingest *in)
{
	const struct gan_event like = { .received_ms = in->received_ms,
		.source = in->source,
		.topic = in->topic,
		.topic_raw = in->topic_raw == NULL ? in->topic : in->topic_raw,
		.meta = in->meta == NULL ? "{}" : in->meta,
		.body = in->body,
		.body_len = in->body_len };
	struct ingest_job *j = gan_store_job_new(sizeof(*j), &ingest_ops);

	if (j == NULL)
		return NULL;
	j->store = s;
	j->dedupe = in->dedupe;
	j->ignored_by = in->ignored_by;
	memcpy(j->hash, in->hash, sizeof(j->hash));
	j->reject = in->reject == NULL ? NULL : strdup(in->reject);
	if (j->reject != NULL || in->reject == NULL)
		j->event = gan_event_new(&like);
	return j;
}

int
gan_store_ingest(struct gan_store *s, const struct gan_ingest *in, gan_ingest_fn cb, void *arg)
{
	struct ingest_job *j = ingest_new(s, in);
	int rc = j == NULL || j->event == NULL ? GAN_ENOMEM : GAN_OK;

	if (rc == GAN_OK) {
		j->cb = cb;
		j->arg = arg;
		j->job.bytes = in->body_len + strlen(j->event->meta) + sizeof(*j);
		j->job.spool = in->spool ? GAN_JOB_MAY_SPOOL : GAN_JOB_UNSPOOLED;
		rc = gan_store_job_post(s, &j->job);
	}
	if (rc < 0 && j != NULL) {
		struct gan_job *job = &j->job;

		if (j->event != NULL)
			j->event->body = NULL; /* still the caller's */
		gan_store_job_free(&job);
	}
	return rc;
}

/* ---- the emergency spool -------------------------------------------------------- */

void
gan_ingest_get(const struct gan_job *job, struct gan_ingest *ret_in, int64_t *ret_maybe_id)
{
	const struct ingest_job *j = (const struct ingest_job *)job;
	const struct gan_event *e = j->event;

	*ret_in = (struct gan_ingest){ .source = e->source,
		.topic = e->topic,
		.topic_raw = e->topic_raw,
		.meta = e->meta,
		.reject = j->reject,
		.body = e->body,
		.body_len = e->body_len,
		.received_ms = e->received_ms,
		.dedupe = j->dedupe };
	memcpy(ret_in->hash, j->hash, sizeof(j->hash));
	*ret_maybe_id = j->verdict == GAN_INGEST_STORED ? j->event_id : 0;
}

void
gan_ingest_was_spooled(struct gan_job *job)
{
	struct ingest_job *j = (struct ingest_job *)job;

	job->rc = GAN_OK;
	j->verdict = GAN_INGEST_SPOOLED;
	j->event_id = 0;
	j->to_map = false;
}

/* Nobody has it at hand to map it: it has to be fetched. */
int
gan_ingest_within(struct gan_store *s, const struct gan_ingest *in)
{
	struct gan_event e = { .received_ms = in->received_ms,
		.source = in->source,
		.topic = in->topic,
		.topic_raw = in->topic_raw == NULL ? in->topic : in->topic_raw,
		.meta = in->meta,
		.body = in->body,
		.body_len = in->body_len };
	struct ingest_job j = { .event = &e, .dedupe = in->dedupe, .ignored_by = in->ignored_by };
	char *reject GAN_AUTO(gan_str_free) = NULL;
	int rc;

	if (in->reject != NULL) {
		reject = strdup(in->reject);
		if (reject == NULL)
			return gan_err_set(&s->db->why, GAN_ENOMEM, "import");
	}
	j.reject = reject;
	memcpy(j.hash, in->hash, sizeof(j.hash));
	rc = ingest_run(s, &j.job);
	s->txn.new_events = s->txn.new_events || j.to_map;
	return rc < 0 ? rc : j.job.rc;
}

/* SPDX-License-Identifier: MIT */
/*
 * query.c - what people and senders ask.
 *
 * Listings walk ids downwards and stop after a slice of time, so that a search
 * through millions of rows never keeps a COMMIT waiting; the next slice goes
 * on below the last id seen.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/query_priv.h"

#define SLICE_US 15000
#define ANSWER_MAX (32u << 20)
#define CLOCK_SLACK_MS (INT64_C(24) * 3600 * 1000)

/* ---- filters ---------------------------------------------------------------------- */

static bool
wanted(const char *want, const char *have)
{
	return want == NULL || gan_streq(want, have);
}

static bool
in_time(const struct gan_query *q, int64_t ms)
{
	return (q->since_ms == 0 || ms >= q->since_ms) && (q->until_ms == 0 || ms <= q->until_ms);
}

static bool
event_wanted(const struct gan_query *q, sqlite3_stmt *st)
{
	int state = sqlite3_column_type(st, 6) == SQLITE_NULL ? GAN_EVENT_RECEIVED
							      : sqlite3_column_int(st, 6);

	return in_time(q, sqlite3_column_int64(st, 4)) && wanted(q->source, gan_col_text(st, 1)) &&
	       (q->topic == NULL || gan_glob(q->topic, gan_col_text(st, 2))) &&
	       wanted(q->state, gan_event_state_name(state));
}

static bool
delivery_wanted(const struct gan_query *q, sqlite3_stmt *st)
{
	return in_time(q, sqlite3_column_int64(st, 16)) && wanted(q->rule, gan_col_text(st, 2)) &&
	       wanted(q->connector, gan_col_text(st, 3)) && wanted(q->key, gan_col_text(st, 5)) &&
	       wanted(q->state, gan_delivery_state_name(sqlite3_column_int(st, 7)));
}

/* ---- listings ------------------------------------------------------------------------ */

static void
comma(struct query_job *j)
{
	if (j->out.len > 1)
		gan_buf_putc(&j->out, ',');
}

/* Below this id nothing is younger than since_ms: ids are never earlier than their rows. */
static bool
too_old(const struct gan_query *q, int64_t id)
{
	return q->since_ms != 0 && id < gan_id_floor(q->since_ms);
}

static int
event_row(struct gan_store *s, struct query_job *j, sqlite3_stmt *st)
{
	if (!event_wanted(&j->q, st))
		return GAN_OK;
	comma(j);
	j->found++;
	return gan_shape_event(s, st, false, 0, NULL, NULL, &j->out);
}

static int
delivery_row(struct gan_store *s, struct query_job *j, sqlite3_stmt *st)
{
	if (!delivery_wanted(&j->q, st))
		return GAN_OK;
	comma(j);
	j->found++;
	return gan_shape_delivery(s, st, false, true, &j->out);
}

static int
audit_row(struct gan_store *s, struct query_job *j, sqlite3_stmt *st)
{
	(void)s;
	if (!in_time(&j->q, sqlite3_column_int64(st, 1)))
		return GAN_OK;
	comma(j);
	j->found++;
	gan_shape_audit(st, &j->out);
	return GAN_OK;
}

static int
quarantine_row(struct gan_store *s, struct query_job *j, sqlite3_stmt *st)
{
	struct gan_buf *b = &j->out;
	const char *headers = gan_col_text(st, 7);

	(void)s;
	if (!wanted(j->q.source, gan_col_text(st, 1)) ||
	    !in_time(&j->q, sqlite3_column_int64(st, 5)))
		return GAN_OK;
	comma(j);
	j->found++;
	gan_buf_putc(b, '{');
	gan_json_id(b, "id", GAN_ID_QUARANTINE, sqlite3_column_int64(st, 0));
	gan_json_str(b, "source", gan_col_text(st, 1));
	gan_json_str(b, "topic", gan_col_text(st, 2));
	gan_json_str(b, "why", gan_col_text(st, 3));
	gan_json_str(b, "remote", gan_col_text(st, 4));
	gan_json_time(b, "received_at", sqlite3_column_int64(st, 5));
	gan_buf_printf(b, ",\"bytes\":%lld,\"headers\":", (long long)sqlite3_column_int64(st, 6));
	if (gan_json_compact(headers, strlen(headers), false, b) < 0)
		gan_buf_json(b, headers, strlen(headers));
	gan_buf_putc(b, '}');
	return GAN_OK;
}

static const struct listing {
	enum gan_sql sql;
	int (*row)(struct gan_store *s, struct query_job *j, sqlite3_stmt *st);
} listings[] = {
	[GAN_QUERY_EVENTS] = { GAN_SQL_EVENT_LIST, event_row },
	[GAN_QUERY_DELIVERIES] = { GAN_SQL_DLV_LIST, delivery_row },
	[GAN_QUERY_AUDIT] = { GAN_SQL_AUDIT_LIST, audit_row },
	[GAN_QUERY_QUARANTINE] = { GAN_SQL_QUAR_LIST, quarantine_row },
};

/* States that need a person are few and have a table. */
static sqlite3_stmt *
listing_bind(struct gan_store *s, struct query_job *j)
{
	enum gan_sql sql = listings[j->q.kind].sql;
	const char *state = j->q.state;

	if (sql == GAN_SQL_DLV_LIST && state != NULL &&
	    (strcmp(state, "dead") == 0 || strcmp(state, "unknown") == 0 ||
		strcmp(state, "expired") == 0))
		sql = GAN_SQL_DLV_LIST_ATTENTION;
	return gan_bind(s->db, sql, GAN_I(j->below));
}

/* Rows of st until the limit, or until end: then 1. */
static int
list_rows(struct gan_store *s, struct query_job *j, sqlite3_stmt *st, int64_t end)
{
	unsigned looked = 0;
	int rc = 0;

	while (j->found < j->q.limit && (rc = gan_db_step(s->db, st)) > 0) {
		int64_t id = sqlite3_column_int64(st, 0);

		if (too_old(&j->q, id))
			return GAN_OK;
		rc = listings[j->q.kind].row(s, j, st);
		if (rc < 0)
			return rc;
		j->below = id;
		if (++looked % 32 == 0 && gan_mono_us() > end)
			return 1;
	}
	return rc < 0 ? rc : GAN_OK;
}

static int
list_key(struct gan_store *s, struct query_job *j, int64_t end)
{
	int rc = gan_parts_begin(s, j);

	for (; rc == GAN_OK && j->key_part >= j->last_part; j->key_part--) {
		sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;

		if (gan_mono_us() > end)
			return 1;
		st = gan_bind(s->db, GAN_SQL_DLV_LIST_KEY, GAN_I(j->below), GAN_T(j->q.key),
		    GAN_I(j->key_part));
		rc = list_rows(s, j, st, end);
		if (rc != GAN_OK || j->found == j->q.limit)
			return rc;
	}
	return rc;
}

static int
list_run(struct gan_store *s, struct query_job *j)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	int64_t end = gan_mono_us() + SLICE_US;

	if (j->q.kind == GAN_QUERY_DELIVERIES && j->q.key != NULL)
		return list_key(s, j, end);
	st = listing_bind(s, j);
	return list_rows(s, j, st, end);
}

static int
attention_run(struct gan_store *s, struct query_job *j)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_ATTENTION_LIST, GAN_I(j->below), GAN_T(j->below_what));
	int64_t end = gan_mono_us() + SLICE_US;
	unsigned looked = 0;
	int rc = 0;

	while (j->found < j->q.limit && (rc = gan_db_step(s->db, st)) > 0) {
		int64_t id = sqlite3_column_int64(st, 0), since = sqlite3_column_int64(st, 3);
		const char *what = gan_col_text(st, 1), *kind = gan_col_text(st, 2);

		j->below = id;
		j->below_what[0] = what[0];
		if (wanted(j->q.state, kind) && in_time(&j->q, since)) {
			rc = gan_shape_attention(s, id, what, kind, since, &j->q, &j->out);
			if (rc < 0 && rc != GAN_ENOENT)
				return rc;
			j->found += rc == GAN_OK;
		}
		if (++looked % 32 == 0 && gan_mono_us() > end)
			return 1;
	}
	return rc < 0 && rc != GAN_ENOENT ? rc : GAN_OK;
}

static const char *
lane_state(sqlite3_stmt *st)
{
	if (sqlite3_column_type(st, 6) != SQLITE_NULL)
		return "sending";
	return sqlite3_column_type(st, 7) != SQLITE_NULL ? "blocked" : "waiting";
}

/* Lanes of st that are wanted; blocked: those that only their own list tells. */
static int
lane_rows(struct gan_store *s, struct query_job *j, sqlite3_stmt *st, bool blocked)
{
	int64_t end = gan_mono_us() + SLICE_US;
	unsigned looked = 0;
	int rc = 0;

	while (j->found < j->q.limit && (rc = gan_db_step(s->db, st)) > 0) {
		const char *state = lane_state(st);

		j->below = sqlite3_column_int64(st, 0);
		j->blocked_ms = sqlite3_column_int64(st, 7);
		if (wanted(j->q.connector, gan_col_text(st, 1)) &&
		    wanted(j->q.key, gan_col_text(st, 2)) && wanted(j->q.state, state) &&
		    (blocked || strcmp(state, "blocked") != 0)) {
			comma(j);
			j->found++;
			rc = gan_shape_lane(s, st, &j->out);
			if (rc < 0)
				return rc;
		}
		if (++looked % 32 == 0 && gan_mono_us() > end)
			return 1;
	}
	return rc < 0 ? rc : GAN_OK;
}

/* Blocked ones first, the longest blocked at the top; then the others, oldest first. */
static int
lanes_run(struct gan_store *s, struct query_job *j)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	int rc;

	if (j->q.key != NULL && j->q.connector != NULL) {
		st = gan_bind(s->db, GAN_SQL_LANE_LIST_KEY, GAN_T(j->q.connector), GAN_T(j->q.key));
		return lane_rows(s, j, st, true);
	}
	if (!j->blocked_told) {
		sqlite3_stmt *first GAN_AUTO(gan_db_rewind) = gan_bind(
		    s->db, GAN_SQL_LANE_LIST_BLOCKED, GAN_I(j->blocked_ms), GAN_I(j->below));

		rc = lane_rows(s, j, first, true);
		if (rc != GAN_OK)
			return rc;
		j->blocked_told = true;
		j->below = 0;
	}
	if (j->q.state != NULL && strcmp(j->q.state, "blocked") == 0)
		return GAN_OK;
	st = gan_bind(s->db, GAN_SQL_LANE_LIST, GAN_I(j->below));
	return lane_rows(s, j, st, false);
}

/* ---- the job ------------------------------------------------------------------------------ */

static int
dispatch(struct gan_store *s, struct query_job *j)
{
	switch (j->q.kind) {
	case GAN_QUERY_SHOW:
		return gan_show_run(s, j);
	case GAN_QUERY_EVENT:
		return gan_show_event(s, j);
	case GAN_QUERY_OBJECT:
		return gan_object_run(s, j);
	case GAN_QUERY_ATTENTION:
		return attention_run(s, j);
	case GAN_QUERY_LANES:
		return lanes_run(s, j);
	case GAN_QUERY_CHECK:
		return gan_check_run(s, j);
	default:
		return list_run(s, j);
	}
}

static int
query_run(struct gan_store *s, struct gan_job *job)
{
	struct query_job *j = (struct query_job *)job;
	bool list = j->q.kind != GAN_QUERY_SHOW && j->q.kind != GAN_QUERY_EVENT &&
		    j->q.kind != GAN_QUERY_OBJECT;
	int rc;

	if (!j->begun && list)
		gan_buf_putc(&j->out, '[');
	j->begun = true;
	rc = dispatch(s, j);
	if (rc > 0)
		return 1;
	if (rc == GAN_OK && list)
		gan_buf_putc(&j->out, ']');
	if (rc == GAN_OK && j->out.failed)
		rc = GAN_ELIMIT;
	job->rc = rc;
	/* Only a failing database is a failure of the store. */
	return s->db->broken ? rc : GAN_OK;
}

static void
query_done(struct gan_job *job)
{
	struct query_job *j = (struct query_job *)job;
	const char *text = j->out.data;
	size_t len = j->out.len;

	if (job->rc == GAN_ELIMIT)
		text = "the answer is larger than 32 MiB: ask for less";
	else if (job->rc == GAN_ENOENT)
		text = "nothing of that name";
	else if (job->rc != GAN_OK)
		text = gan_strerror(job->rc);
	if (job->rc != GAN_OK)
		len = strlen(text);
	j->cb(j->arg, job->rc, text, len);
}

static void
query_fini(struct gan_job *job)
{
	struct query_job *j = (struct query_job *)job;

	gan_buf_fini(&j->out);
	free(j->events);
}

static const struct gan_job_ops query_ops = { GAN_JOB_QUERY, query_run, query_done, query_fini,
	NULL };

/* Where a listing begins: below `before`, or at the newest row that can matter. */
static bool
begin_at(struct query_job *j)
{
	static const enum gan_id_kind kinds[] = { [GAN_QUERY_EVENTS] = GAN_ID_EVENT,
		[GAN_QUERY_DELIVERIES] = GAN_ID_DELIVERY,
		[GAN_QUERY_OBJECT] = GAN_ID_DELIVERY,
		[GAN_QUERY_QUARANTINE] = GAN_ID_QUARANTINE };
	const char *before = j->q.before;
	char *end = NULL;

	j->below = j->q.kind == GAN_QUERY_LANES ? 0 : INT64_MAX;
	j->below_what[0] = 'z';
	if (j->q.until_ms != 0 && j->q.kind != GAN_QUERY_LANES && j->q.kind != GAN_QUERY_ATTENTION)
		j->below = gan_id_floor(j->q.until_ms + CLOCK_SLACK_MS);
	if (before == NULL)
		return true;
	switch (j->q.kind) {
	case GAN_QUERY_EVENTS:
	case GAN_QUERY_DELIVERIES:
	case GAN_QUERY_OBJECT:
	case GAN_QUERY_QUARANTINE:
		return gan_id_parse(kinds[j->q.kind], before, &j->below);
	case GAN_QUERY_ATTENTION:
		j->below_what[0] = before[0];
		return gan_id_parse(GAN_ID_EVENT, before, &j->below) ||
		       gan_id_parse(GAN_ID_DELIVERY, before, &j->below);
	case GAN_QUERY_AUDIT:
		j->below = strtoll(before, &end, 10);
		return end != before && *end == '\0' && j->below > 0;
	default:
		return true;
	}
}

static const char *
complaint(const struct query_job *j, bool bad_before)
{
	const struct gan_query *q = &j->q;

	if (bad_before)
		return "`before` is no id of this list";
	if (q->text == NULL && (q->kind == GAN_QUERY_SHOW || q->kind == GAN_QUERY_EVENT ||
				   q->kind == GAN_QUERY_OBJECT))
		return "nothing to look for";
	if (q->kind == GAN_QUERY_EVENTS && q->state != NULL &&
	    gan_state_find(&gan_event_states, q->state) < 0)
		return "an event is received, mapped, ignored or rejected";
	if (q->kind == GAN_QUERY_DELIVERIES && q->state != NULL &&
	    gan_state_find(&gan_delivery_states, q->state) < 0)
		return "a delivery is waiting, sending, delivered, unknown, dead, expired or "
		       "skipped";
	return NULL;
}

static int
complain_run(struct gan_store *s, struct gan_job *job)
{
	(void)s;
	job->rc = GAN_EINVAL;
	return GAN_OK;
}

static void
complain_done(struct gan_job *job)
{
	struct query_job *j = (struct query_job *)job;

	j->cb(j->arg, job->rc, j->out.data, j->out.len);
}

static const struct gan_job_ops complain_ops = { GAN_JOB_QUERY, complain_run, complain_done,
	query_fini, NULL };

static void
query_pack(struct gan_pack *p, const struct gan_query *from, struct gan_query *ret)
{
	*ret = *from;
	ret->text = gan_pack_str(p, from->text);
	ret->source = gan_pack_str(p, from->source);
	ret->topic = gan_pack_str(p, from->topic);
	ret->state = gan_pack_str(p, from->state);
	ret->connector = gan_pack_str(p, from->connector);
	ret->rule = gan_pack_str(p, from->rule);
	ret->key = gan_pack_str(p, from->key);
	ret->before = gan_pack_str(p, from->before);
}

int
gan_store_query(struct gan_store *s, const struct gan_query *q, gan_json_fn cb, void *arg)
{
	struct gan_pack p = { NULL, 0 };
	struct gan_query ignored;
	struct query_job *j;
	struct gan_job *job;
	const char *why;

	query_pack(&p, q, &ignored);
	j = gan_store_job_new(sizeof(*j) + p.size, &query_ops);
	if (j == NULL)
		return GAN_ENOMEM;
	job = &j->job;
	p.at = (char *)(j + 1);
	query_pack(&p, q, &j->q);
	j->out.max = ANSWER_MAX;
	j->cb = cb;
	j->arg = arg;
	if (j->q.limit == 0)
		j->q.limit = 100;
	if (j->q.limit > 1000)
		j->q.limit = 1000;
	why = complaint(j, !begin_at(j));
	if (why != NULL) {
		gan_buf_puts(&j->out, why);
		job->ops = &complain_ops;
	}
	return gan_store_job_send(s, job);
}

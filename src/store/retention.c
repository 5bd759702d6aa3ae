/* SPDX-License-Identifier: MIT */
/*
 * retention.c - old events leave, in slices between commits.
 *
 * Three walks over the event ids, one per kind of age, each with a cursor that
 * is kept: no event is looked at twice.  One that is not finished when its age
 * comes (a delivery still open, a rejection that nobody closed) is noted and
 * looked at again each day, so nothing that needs a person ever leaves by
 * itself.  The effect ledger is kept for ever.
 *
 * Its clock is never more than a day ahead of the newest event, so that a
 * clock gone wild cannot empty the store.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/store_priv.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define PASS_MS (INT64_C(10) * 60 * 1000)
#define BATCH 100

enum step {
	STEP_IGNORED,
	STEP_DELIVERED,
	STEP_REJECTED,
	STEP_LATER,
	STEP_AUDIT,
	STEP_DEDUPE,
	STEP_SHRINK,
	STEP_END,
};

struct batch {
	int64_t ids[BATCH];
	int states[BATCH];
	size_t n;
};

static int
drop_deliveries(struct gan_store *s, int64_t event)
{
	static const enum gan_sql parts[] = { GAN_SQL_PAYLOAD_DROP, GAN_SQL_RESPONSE_DROP,
		GAN_SQL_ATTEMPT_DROP, GAN_SQL_REVISION_DROP, GAN_SQL_DLV_DROP };
	int64_t ids[64];
	int states[64];
	size_t n;
	int rc = GAN_OK;

	do {
		sqlite3_stmt *st = gan_bind(s->db, GAN_SQL_DLV_OF_EVENT, GAN_I(event));

		for (n = 0; n < GAN_COUNT(ids) && (rc = gan_db_step(s->db, st)) > 0; n++) {
			ids[n] = sqlite3_column_int64(st, 0);
			states[n] = sqlite3_column_int(st, 7);
		}
		gan_db_rewind(&st);
		for (size_t i = 0; rc >= 0 && i < n; i++) {
			for (size_t k = 0; rc >= 0 && k < GAN_COUNT(parts); k++)
				rc = gan_run(s->db, parts[k], GAN_I(ids[i]));
			s->txn.deliveries[states[i]]--;
		}
	} while (rc >= 0 && n == GAN_COUNT(ids));
	return rc < 0 ? rc : GAN_OK;
}

static int
drop_event(struct gan_store *s, int64_t event, int state)
{
	int rc = drop_deliveries(s, event);

	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_REJECT_DROP_ALL, GAN_I(event));
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_MAPPING_DROP, GAN_I(event));
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_EVENT_DROP, GAN_I(event));
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_LATER_DROP, GAN_I(event));
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_ANSWER_DROP, GAN_I(event));
	s->txn.events[state]--;
	return rc;
}

/* 1: nothing of it is open. */
static int
is_finished(struct gan_store *s, int64_t event)
{
	int64_t one;
	int rc = gan_db_int(
	    s->db, gan_bind(s->db, GAN_SQL_ATTENTION_HAS, GAN_I(event), GAN_T("e")), &one);

	if (rc == GAN_ENOENT)
		rc = gan_db_int(
		    s->db, gan_bind(s->db, GAN_SQL_DLV_OPEN_OF_EVENT, GAN_I(event)), &one);
	return rc == GAN_ENOENT ? 1 : rc == GAN_OK ? 0 : rc;
}

static int
drop_or_later(struct gan_store *s, int64_t event, int state, int64_t now_ms)
{
	int rc = is_finished(s, event);

	if (rc < 0)
		return rc;
	if (rc > 0)
		return drop_event(s, event, state);
	return gan_run(s->db, GAN_SQL_LATER_PUT, GAN_I(event), GAN_I(now_ms + DAY_MS));
}

static int
batch_read(struct gan_store *s, sqlite3_stmt *st, struct batch *b)
{
	int rc = 0;

	b->n = 0;
	while (b->n < BATCH && (rc = gan_db_step(s->db, st)) > 0) {
		b->ids[b->n] = sqlite3_column_int64(st, 0);
		b->states[b->n++] = sqlite3_column_type(st, 1) == SQLITE_NULL
					? GAN_EVENT_RECEIVED
					: sqlite3_column_int(st, 1);
	}
	gan_db_rewind(&st);
	return rc < 0 ? rc : GAN_OK;
}

/* One walk: events of one state, older than keep. 1: more to do. */
static int
walk(struct gan_store *s, const char *mark, int state, int64_t keep_ms, int64_t now_ms)
{
	struct batch b = { .n = 0 };
	int64_t from = 0, upto = gan_id_floor(now_ms - keep_ms);
	int rc;

	if (keep_ms <= 0)
		return 0;
	if (upto > s->retain.unmapped)
		upto = s->retain.unmapped;
	rc = gan_mark_get(s, mark, &from);
	if (rc == GAN_OK)
		rc = batch_read(s,
		    gan_bind(s->db, GAN_SQL_EVENT_RETAIN, GAN_I(from), GAN_I(upto), GAN_I(BATCH)),
		    &b);
	if (rc < 0 || b.n == 0)
		return rc;
	for (size_t i = 0; rc == GAN_OK && i < b.n; i++) {
		if (b.states[i] == state)
			rc = drop_or_later(s, b.ids[i], state, now_ms);
	}
	if (rc == GAN_OK)
		rc = gan_mark_set(s, mark, b.ids[b.n - 1]);
	return rc < 0 ? rc : b.n == BATCH;
}

static int64_t
keep_of(const struct gan_store *s, int state)
{
	switch (state) {
	case GAN_EVENT_IGNORED:
		return s->keep.keep_ignored_ms;
	case GAN_EVENT_REJECTED:
		return s->keep.keep_rejected_ms;
	default:
		return s->keep.keep_delivered_ms;
	}
}

/* Those that were not finished when their time came. */
static int
walk_later(struct gan_store *s, int64_t now_ms)
{
	struct batch b = { .n = 0 };
	int rc = batch_read(s,
	    gan_bind(s->db, GAN_SQL_LATER_LIST, GAN_I(s->retain.later_from), GAN_I(now_ms),
		GAN_I(BATCH)),
	    &b);

	for (size_t i = 0; rc == GAN_OK && i < b.n; i++) {
		int64_t keep = keep_of(s, b.states[i]);

		s->retain.later_from = b.ids[i];
		if (keep <= 0 || gan_id_time_ms(b.ids[i]) > now_ms - keep)
			rc = gan_run(
			    s->db, GAN_SQL_LATER_PUT, GAN_I(b.ids[i]), GAN_I(now_ms + DAY_MS));
		else
			rc = drop_or_later(s, b.ids[i], b.states[i], now_ms);
	}
	return rc < 0 ? rc : b.n == BATCH;
}

/* Before anything goes: ids never come again, and no walk passes an event that is not mapped. */
static int
prepare_pass(struct gan_store *s)
{
	int rc = gan_mark_set(s, "last_event", s->last_event);

	if (rc == GAN_OK)
		rc = gan_mark_set(s, "last_delivery", s->last_delivery);
	s->retain.unmapped = INT64_MAX;
	if (rc == GAN_OK)
		rc = gan_db_int(s->db, gan_bind(s->db, GAN_SQL_EVENT_NEXT, GAN_I(s->map_cursor)),
		    &s->retain.unmapped);
	return rc == GAN_ENOENT ? GAN_OK : rc;
}

static int
one_step(struct gan_store *s, int64_t now_ms)
{
	int rc = GAN_OK;

	switch ((enum step)s->retain.step) {
	case STEP_IGNORED:
		rc = prepare_pass(s);
		return rc < 0 ? rc
			      : walk(s, "retain_ignored", GAN_EVENT_IGNORED,
				    s->keep.keep_ignored_ms, now_ms);
	case STEP_DELIVERED:
		return walk(
		    s, "retain_mapped", GAN_EVENT_MAPPED, s->keep.keep_delivered_ms, now_ms);
	case STEP_REJECTED:
		return walk(
		    s, "retain_rejected", GAN_EVENT_REJECTED, s->keep.keep_rejected_ms, now_ms);
	case STEP_LATER:
		return walk_later(s, now_ms);
	case STEP_AUDIT:
		if (s->keep.keep_audit_ms > 0)
			rc = gan_run(s->db, GAN_SQL_AUDIT_RETAIN,
			    GAN_I(gan_id_floor(now_ms - s->keep.keep_audit_ms)));
		return rc < 0 ? rc : s->keep.keep_audit_ms > 0 && sqlite3_changes(s->db->h) == 200;
	case STEP_DEDUPE:
		rc = gan_run(s->db, GAN_SQL_DIGEST_RETAIN, GAN_I(gan_window_first_row(s->window)));
		if (rc == GAN_OK)
			rc = gan_run(
			    s->db, GAN_SQL_DEDUPE_RETAIN, GAN_I(gan_window_first_row(s->window)));
		return rc < 0 ? rc : sqlite3_changes(s->db->h) == 200;
	default:
		return 0;
	}
}

/* Give free pages back to the file system, when there are many. */
static int
shrink(struct gan_store *s)
{
	int64_t unused = 0, pages = 0;
	int rc = gan_db_pragma(s->db, "PRAGMA freelist_count", &unused);

	if (rc == GAN_OK)
		rc = gan_db_pragma(s->db, "PRAGMA page_count", &pages);
	if (rc < 0 || unused < 4096 || unused < pages / 4)
		return rc;
	rc = gan_db_exec(s->db, "PRAGMA incremental_vacuum(500)");
	return rc < 0 ? rc : 1;
}

static int
one_transaction(struct gan_store *s, int64_t now_ms)
{
	int more, rc = gan_db_run_vals(s->db, GAN_SQL_BEGIN, NULL, 0);

	gan_txn_begin(s);
	more = rc == GAN_OK ? one_step(s, now_ms) : rc;
	rc = more < 0 ? more : gan_counters_flush(s);
	if (rc == GAN_OK)
		rc = gan_db_run_vals(s->db, GAN_SQL_COMMIT, NULL, 0);
	if (rc < 0) {
		gan_db_rollback(s->db);
		return rc;
	}
	gan_txn_apply(s);
	return more;
}

int
gan_retain_slice(struct gan_store *s, int64_t now_ms, int64_t end_us)
{
	int64_t newest = gan_id_time_ms(s->last_event) + DAY_MS;
	int more = 1;

	if (now_ms > newest)
		now_ms = newest;
	while (more > 0 && gan_mono_us() < end_us) {
		more = s->retain.step == STEP_SHRINK ? shrink(s) : one_transaction(s, now_ms);
		if (more < 0) {
			/* A full disk, perhaps: again with the next pass. */
			s->retain.step = STEP_END;
		} else if (more == 0) {
			s->retain.step++;
			more = 1;
		}
		if (s->retain.step == STEP_END) {
			s->retain.step = STEP_IGNORED;
			s->retain.later_from = 0;
			s->retain.active = false;
			s->retain.next_ms = gan_mono_ms() + PASS_MS;
			return more < 0 ? more : 0;
		}
	}
	return more < 0 ? more : 1;
}

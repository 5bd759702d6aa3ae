/* SPDX-License-Identifier: MIT */
/*
 * schema.c - the tables, version by version.
 *
 * Rows that never change (event, payload, attempt) are kept apart from the
 * narrow ones that do (delivery, lane).  Ids grow with time, so every table is
 * appended to at its right edge; the only large index with keys in random order
 * is lane_key, on the mapping side: whether a key waits must be known exactly.
 * A lane exists while it has open deliveries; its id is the delivery that
 * opened it.
 */
#include <stdio.h>

#include "base/failpoint.h"
#include "store/db.h"

static const char version_1[] =
    "CREATE TABLE event(id INTEGER PRIMARY KEY, source TEXT NOT NULL, topic TEXT NOT NULL,"
    "  topic_raw TEXT, received_ms INTEGER NOT NULL, meta TEXT, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE mapping(event_id INTEGER PRIMARY KEY,"
    "  state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 3), at_ms INTEGER NOT NULL,"
    "  generation INTEGER NOT NULL) STRICT;"
    "CREATE TABLE rejection(id INTEGER PRIMARY KEY, event_id INTEGER NOT NULL,"
    "  rule TEXT NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX rejection_event ON rejection(event_id);"

    "CREATE TABLE delivery(id INTEGER PRIMARY KEY, event_id INTEGER NOT NULL,"
    "  rule TEXT NOT NULL, output_no INTEGER NOT NULL, replay_no INTEGER NOT NULL DEFAULT 0,"
    "  connector TEXT NOT NULL, operation TEXT NOT NULL, lane_id INTEGER, key TEXT, effect TEXT,"
    "  state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 6), attempts INTEGER NOT NULL DEFAULT 0,"
    "  created_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL, first_sent_ms INTEGER,"
    "  valid_until_ms INTEGER, on_unknown INTEGER NOT NULL, on_dead INTEGER NOT NULL,"
    "  maybe_sent INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0,"
    "  last_status INTEGER, last_error TEXT, last_ms INTEGER, reason TEXT) STRICT;"
    "CREATE UNIQUE INDEX delivery_event ON delivery(event_id, rule, output_no, replay_no);"
    "CREATE INDEX delivery_key ON delivery(key) WHERE key IS NOT NULL;"
    /* Those behind the one that opened the lane: unordered deliveries cost no index entry. */
    "CREATE INDEX delivery_lane ON delivery(lane_id, id)"
    "  WHERE lane_id IS NOT NULL AND lane_id <> id;"
    "CREATE TABLE payload(delivery_id INTEGER PRIMARY KEY, body BLOB NOT NULL, after BLOB) STRICT;"
    "CREATE TABLE response(delivery_id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;"
    "CREATE TABLE attempt(id INTEGER PRIMARY KEY, delivery_id INTEGER NOT NULL,"
    "  started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, request TEXT, status INTEGER,"
    "  verdict TEXT NOT NULL, error TEXT, response_head TEXT, response BLOB,"
    "  response_cut INTEGER NOT NULL) STRICT;"
    "CREATE INDEX attempt_delivery ON attempt(delivery_id);"

    "CREATE TABLE lane(id INTEGER PRIMARY KEY, connector TEXT NOT NULL, key TEXT,"
    "  open INTEGER NOT NULL, head INTEGER NOT NULL, prio INTEGER NOT NULL, next_ms INTEGER,"
    "  lease_owner TEXT, lease_until INTEGER, blocked_ms INTEGER) STRICT;"
    "CREATE UNIQUE INDEX lane_key ON lane(connector, key) WHERE key IS NOT NULL;"
    "CREATE INDEX lane_due ON lane(connector, prio, next_ms) WHERE next_ms IS NOT NULL;"
    "CREATE INDEX lane_lease ON lane(connector, lease_until) WHERE lease_until IS NOT NULL;"
    "CREATE INDEX lane_blocked ON lane(blocked_ms) WHERE blocked_ms IS NOT NULL;"

    /* Kept for ever. done: delivered, so it holds without its delivery row. */
    "CREATE TABLE effect(effect TEXT NOT NULL, connector TEXT NOT NULL,"
    "  delivery_id INTEGER NOT NULL, body_hash BLOB NOT NULL, done INTEGER NOT NULL DEFAULT 0,"
    "  at_ms INTEGER NOT NULL, PRIMARY KEY(effect, connector)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE effect_wait(effect TEXT NOT NULL, delivery_id INTEGER NOT NULL,"
    "  PRIMARY KEY(effect, delivery_id)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE attention(id INTEGER NOT NULL, what TEXT NOT NULL CHECK(what IN ('d','e')),"
    "  kind TEXT NOT NULL, since_ms INTEGER NOT NULL, PRIMARY KEY(id, what)) STRICT, WITHOUT "
    "ROWID;"
    "CREATE TABLE audit(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT NOT NULL,"
    "  verb TEXT NOT NULL, object TEXT, reason TEXT, before TEXT, after TEXT) STRICT;"
    "CREATE TABLE paused(connector TEXT PRIMARY KEY, reason TEXT, since_ms INTEGER NOT NULL,"
    "  who TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE quarantine(id INTEGER PRIMARY KEY, source TEXT NOT NULL, topic TEXT NOT NULL,"
    "  headers TEXT NOT NULL, why TEXT NOT NULL, remote TEXT NOT NULL,"
    "  received_ms INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"

    /* One row per COMMIT that remembered something: 16 bytes of hash, 8 of event id, each. */
    "CREATE TABLE dedupe_log(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL,"
    "  entries BLOB NOT NULL) STRICT;"
    "CREATE TABLE counter(id INTEGER PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
    "CREATE TABLE topic_count(source_topic TEXT PRIMARY KEY, ignored INTEGER NOT NULL)"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE mark(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE keep(name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    /* Events that retention met while they were not finished: looked at again each day. */
    "CREATE TABLE retain_later(event_id INTEGER PRIMARY KEY, due_ms INTEGER NOT NULL) STRICT;";

/* The story of a delivery tells who did what with it. */
static const char version_2[] =
    "CREATE INDEX audit_object ON audit(object, id) WHERE object IS NOT NULL;";

/* What a start needs of dedupe_log, many rows in one; its id is the first of them. */
static const char version_3[] =
    "CREATE TABLE dedupe_digest(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL,"
    "  entries BLOB NOT NULL) STRICT;";

/* Keys come in any order: with one index over all of them each new one would touch a page of its
 * own.  Those of one part stand together, and only the newest part grows.  0: made before. */
static const char version_4[] =
    "ALTER TABLE delivery ADD COLUMN part INTEGER NOT NULL DEFAULT 0;"
    "DROP INDEX delivery_key;"
    "CREATE INDEX delivery_key ON delivery(part, key) WHERE key IS NOT NULL;";

static const char version_5[] =
    /* Edited copies: state 0 waits for an approval, 1 became copy_id, 2 another one came later.
     * place: of the original in its lane. */
    "CREATE TABLE revision(id INTEGER PRIMARY KEY, delivery_id INTEGER NOT NULL,"
    "  state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 2), body BLOB NOT NULL,"
    "  who TEXT NOT NULL, at_ms INTEGER NOT NULL, reason TEXT NOT NULL, approved_by TEXT,"
    "  approved_ms INTEGER, copy_id INTEGER, place INTEGER) STRICT;"
    "CREATE INDEX revision_delivery ON revision(delivery_id);"
    "CREATE INDEX revision_copy ON revision(copy_id) WHERE copy_id IS NOT NULL;"
    /* Open deliveries that stand in their lane where another one stood. */
    "CREATE TABLE place(lane_id INTEGER NOT NULL, place INTEGER NOT NULL,"
    "  delivery_id INTEGER NOT NULL, PRIMARY KEY(lane_id, place, delivery_id))"
    "  STRICT, WITHOUT ROWID;"
    /* Events that are answers: of which delivery, and of which first event in how many steps. */
    "CREATE TABLE answer(event_id INTEGER PRIMARY KEY, delivery_id INTEGER NOT NULL,"
    "  origin_id INTEGER NOT NULL, depth INTEGER NOT NULL, origin_key TEXT) STRICT;"
    "CREATE INDEX answer_delivery ON answer(delivery_id);"
    /* What systems that pull have not acknowledged yet, in the order in which they read it. */
    "CREATE TABLE outbox(connector TEXT NOT NULL, pos INTEGER NOT NULL,"
    "  delivery_id INTEGER NOT NULL, PRIMARY KEY(connector, pos)) STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX outbox_delivery ON outbox(delivery_id);"
    /* How far each has been told, and has acknowledged; last: the newest place that was given. */
    "CREATE TABLE outbox_reader(connector TEXT PRIMARY KEY, last INTEGER NOT NULL,"
    "  backlog INTEGER NOT NULL, shown INTEGER NOT NULL, acked INTEGER NOT NULL)"
    "  STRICT, WITHOUT ROWID;"
    /* Its number stands in its deliveries as replay_no. state: replay.c; at: the last event done.
     */
    "CREATE TABLE replay(id INTEGER PRIMARY KEY, state INTEGER NOT NULL CHECK(state BETWEEN 0 AND"
    "  2), filter TEXT NOT NULL, who TEXT NOT NULL, reason TEXT, begun_ms INTEGER NOT NULL,"
    "  ended_ms INTEGER, at INTEGER NOT NULL, upto INTEGER NOT NULL, events INTEGER NOT NULL,"
    "  deliveries INTEGER NOT NULL, rejected INTEGER NOT NULL, last_rejection TEXT) STRICT;"
    "CREATE INDEX replay_running ON replay(state) WHERE state = 0;"
    /* `newest` of rules: what a delivery goes by, and of each key the greatest that went. */
    "ALTER TABLE payload ADD COLUMN newest TEXT;"
    "CREATE TABLE newest(connector TEXT NOT NULL, operation TEXT NOT NULL, key TEXT NOT NULL,"
    "  value TEXT NOT NULL, delivery_id INTEGER NOT NULL,"
    "  PRIMARY KEY(connector, operation, key)) STRICT, WITHOUT ROWID;"
    /* What was sent before was counted by nobody: see handover.c. */
    "INSERT INTO keep(name, data) SELECT 'quota', x'' WHERE EXISTS(SELECT 1 FROM attempt);"
    /* What change channels and reconciliation remember.
     * reading_ms: a read was begun then, and what became of it is not known. */
    "CREATE TABLE feed_channel(source TEXT NOT NULL, channel TEXT NOT NULL, type TEXT NOT NULL,"
    "  reading_ms INTEGER, read_ms INTEGER, events INTEGER NOT NULL DEFAULT 0,"
    "  lost INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(source, channel)) STRICT, WITHOUT ROWID;"
    /* Answers that are not taken apart yet. */
    "CREATE TABLE feed_spool(id INTEGER PRIMARY KEY, source TEXT NOT NULL,"
    "  channel TEXT NOT NULL, type TEXT NOT NULL, read_ms INTEGER NOT NULL,"
    "  body BLOB NOT NULL) STRICT;"
    /* told: states of the entity that became events, the newest last. */
    "CREATE TABLE reconcile_seen(source TEXT NOT NULL, type TEXT NOT NULL, entity TEXT NOT NULL,"
    "  told BLOB NOT NULL, missing_ms INTEGER, listed_ms INTEGER, at_ms INTEGER NOT NULL,"
    "  PRIMARY KEY(source, type, entity)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX reconcile_old ON reconcile_seen(at_ms);"
    /* Most are told and never listed, or are closed: who looks for one that is gone passes by. */
    "CREATE INDEX reconcile_listed ON reconcile_seen(source, type, entity, listed_ms)"
    "  WHERE listed_ms IS NOT NULL;"
    "CREATE TABLE reconcile_mark(source TEXT NOT NULL, type TEXT NOT NULL,"
    "  at_ms INTEGER NOT NULL DEFAULT 0, missed INTEGER NOT NULL DEFAULT 0,"
    "  listed INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY(source, type)) STRICT, WITHOUT ROWID;";

static const char *const migrations[] = { version_1, version_2, version_3, version_4, version_5 };

int
gan_db_version(void)
{
	return (int)GAN_COUNT(migrations);
}

static int
migrate_steps(struct gan_db *db, int64_t from)
{
	char text[96];
	int rc = GAN_OK;

	for (size_t v = (size_t)from; rc == GAN_OK && v < GAN_COUNT(migrations); v++) {
		rc = gan_db_exec(db, migrations[v]);
		if (rc == GAN_OK && GAN_FAILPOINT_FAILS("in-migration"))
			rc = gan_err_set(&db->why, GAN_EIO, "failpoint");
	}
	if (rc < 0)
		return rc;
	(void)snprintf(text, sizeof(text), "PRAGMA application_id=%d; PRAGMA user_version=%d",
	    GAN_DB_APPLICATION, gan_db_version());
	rc = gan_db_exec(db, text);
	return rc < 0 ? rc : gan_db_exec(db, "COMMIT");
}

int
gan_db_migrate(struct gan_db *db, struct gan_err *err)
{
	int64_t from = 0;
	int rc = gan_db_pragma(db, "PRAGMA user_version", &from);

	if (rc == GAN_OK && from == gan_db_version())
		return GAN_OK;
	/* A large index is sorted in files, not within the limit of our memory. */
	if (rc == GAN_OK)
		rc = gan_db_exec(db, "PRAGMA temp_store=FILE; BEGIN IMMEDIATE");
	if (rc == GAN_OK)
		rc = migrate_steps(db, from);
	if (rc == GAN_OK)
		rc = gan_db_exec(db, "PRAGMA temp_store=MEMORY");
	if (rc < 0) {
		gan_db_rollback(db);
		return gan_err_set(err, db->why.code, "%s: bringing the tables to version %d: %s",
		    db->path == NULL ? "memory" : db->path, gan_db_version(), db->why.msg);
	}
	db->from_version = (int)from;
	return GAN_OK;
}

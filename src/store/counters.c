/* SPDX-License-Identifier: MIT */
/*
 * counters.c - figures that are kept, never counted: changed once per COMMIT
 * by what its jobs did, in memory only after the COMMIT; and the space that is
 * left.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "store/store_priv.h"

/* Rows of table counter: never reuse a number. */
enum {
	COUNTER_EVENTS = 0, /* + state */
	COUNTER_DELIVERIES = 10,
	COUNTER_DUPLICATES = 30,
	COUNTER_ATTENTION = 31,
	COUNTER_QUARANTINED = 32,
};

#define OTHER "(other)"

static int64_t *
counter_of(struct gan_store_counts *c, int64_t id)
{
	if (id >= COUNTER_EVENTS && id < COUNTER_EVENTS + GAN_EVENT_NSTATES)
		return &c->events[id - COUNTER_EVENTS];
	if (id >= COUNTER_DELIVERIES && id < COUNTER_DELIVERIES + GAN_DLV_NSTATES)
		return &c->deliveries[id - COUNTER_DELIVERIES];
	if (id == COUNTER_DUPLICATES)
		return &c->duplicates;
	if (id == COUNTER_ATTENTION)
		return &c->attention;
	return id == COUNTER_QUARANTINED ? &c->quarantined : NULL;
}

static int
topics_load(struct gan_store *s)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = s->db->st[GAN_SQL_TOPIC_ALL];
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0 && s->now.ntopics < GAN_TOPIC_COUNTS_MAX) {
		struct gan_topic_count *t = &s->now.topics[s->now.ntopics++];

		(void)snprintf(t->source_topic, sizeof(t->source_topic), "%s", gan_col_text(st, 0));
		t->ignored = sqlite3_column_int64(st, 1);
	}
	return rc < 0 ? rc : GAN_OK;
}

static int
last_ids_load(struct gan_store *s)
{
	int rc = gan_db_int(s->db, s->db->st[GAN_SQL_EVENT_LAST], &s->last_event);

	if (rc == GAN_OK)
		rc = gan_db_int(s->db, s->db->st[GAN_SQL_DLV_LAST], &s->last_delivery);
	if (rc == GAN_OK)
		rc = gan_db_int(s->db, s->db->st[GAN_SQL_ATTEMPT_LAST], &s->last_attempt);
	if (rc == GAN_OK)
		rc = gan_db_int(s->db, s->db->st[GAN_SQL_QUAR_LAST], &s->last_quarantine);
	if (rc == GAN_OK)
		rc = gan_db_int(s->db, s->db->st[GAN_SQL_QUAR_SUM], &s->quarantine_bytes);
	if (rc == GAN_OK)
		rc = gan_db_int(s->db, s->db->st[GAN_SQL_AUDIT_LAST], &s->last_audit);
	if (rc == GAN_OK)
		rc = gan_mark_get(s, "made", &s->made);
	return rc < 0 ? rc : gan_mark_get(s, "mapped", &s->map_cursor);
}

/* The newest event may be one that nobody maps: then it only takes a fetch more. */
static int
received_load(struct gan_store *s)
{
	int64_t next;
	int rc =
	    gan_db_int(s->db, gan_bind(s->db, GAN_SQL_EVENT_NEXT, GAN_I(s->map_cursor)), &next);

	s->last_received = rc == GAN_ENOENT ? s->map_cursor : s->last_event;
	return rc == GAN_ENOENT ? GAN_OK : rc;
}

/* Retention may have removed the newest rows: ids must never come again. */
static int
floors_load(struct gan_store *s)
{
	int64_t v = 0;
	int rc = gan_mark_get(s, "last_event", &v);

	if (rc == GAN_OK && v > s->last_event)
		s->last_event = v;
	v = 0;
	if (rc == GAN_OK)
		rc = gan_mark_get(s, "last_delivery", &v);
	if (rc == GAN_OK && v > s->last_delivery)
		s->last_delivery = v;
	if (s->map_cursor > s->last_event)
		s->last_event = s->map_cursor;
	return rc < 0 ? rc : received_load(s);
}

int
gan_counters_load(struct gan_store *s)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = s->db->st[GAN_SQL_COUNTER_ALL];
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0) {
		int64_t *c = counter_of(&s->now, sqlite3_column_int64(st, 0));

		if (c != NULL)
			*c = sqlite3_column_int64(st, 1);
	}
	if (rc == GAN_OK)
		rc = topics_load(s);
	if (rc == GAN_OK)
		rc = last_ids_load(s);
	if (rc == GAN_OK)
		rc = gan_mark_get(s, "due", &s->due_kept_ms);
	return rc < 0 ? rc : floors_load(s);
}

int
gan_mark_get(struct gan_store *s, const char *name, int64_t *ret)
{
	int rc = gan_db_int(s->db, gan_bind(s->db, GAN_SQL_MARK_GET, GAN_T(name)), ret);

	return rc == GAN_ENOENT ? GAN_OK : rc;
}

int
gan_mark_set(struct gan_store *s, const char *name, int64_t value)
{
	return gan_run(s->db, GAN_SQL_MARK_SET, GAN_T(name), GAN_I(value));
}

void
gan_txn_begin(struct gan_store *s)
{
	struct gan_txn *t = &s->txn;

	/* The big arrays are described by their counts: no need to clear them. */
	memset(t->events, 0, sizeof(t->events));
	memset(t->deliveries, 0, sizeof(t->deliveries));
	t->duplicates = t->attention = t->quarantined = 0;
	t->last_event = s->last_event;
	t->last_delivery = s->last_delivery;
	t->last_attempt = s->last_attempt;
	t->last_quarantine = s->last_quarantine;
	t->last_audit = s->last_audit;
	t->map_cursor = s->map_cursor;
	t->made = s->made;
	t->last_received = s->last_received;
	t->quarantine_bytes = s->quarantine_bytes;
	t->new_events = t->digested = false;
	t->nseen = t->ntopics = t->ndue = 0;
}

void
gan_txn_due(struct gan_store *s, const char *connector)
{
	struct gan_txn *t = &s->txn;

	for (size_t i = 0; i < t->ndue && i < GAN_GROUP_DUE; i++) {
		if (strcmp(t->due[i], connector) == 0)
			return;
	}
	if (t->ndue < GAN_GROUP_DUE)
		(void)snprintf(t->due[t->ndue], sizeof(t->due[0]), "%s", connector);
	/* A name that does not fit is told as "any". */
	t->ndue = strlen(connector) < sizeof(t->due[0]) ? t->ndue + 1 : GAN_GROUP_DUE + 1;
}

static struct gan_topic_count *
topic_find(struct gan_topic_count *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].source_topic, name) == 0)
			return &list[i];
	}
	return NULL;
}

void
gan_txn_ignored(struct gan_store *s, const char *source, const char *topic)
{
	struct gan_txn *t = &s->txn;
	char name[sizeof(t->topics[0].source_topic)];
	struct gan_topic_count *at;

	(void)snprintf(name, sizeof(name), "%.60s/%.98s", source, topic);
	at = topic_find(t->topics, t->ntopics, name);
	if (at == NULL && s->now.ntopics + t->ntopics >= GAN_TOPIC_COUNTS_MAX - 1 &&
	    topic_find(s->now.topics, s->now.ntopics, name) == NULL) {
		memcpy(name, OTHER, sizeof(OTHER));
		at = topic_find(t->topics, t->ntopics, name);
	}
	if (at == NULL) {
		gan_must(t->ntopics < GAN_COUNT(t->topics));
		at = &t->topics[t->ntopics++];
		memcpy(at->source_topic, name, sizeof(name));
		at->ignored = 0;
	}
	at->ignored++;
}

static int
counter_add(struct gan_store *s, int64_t id, int64_t delta)
{
	return delta == 0 ? GAN_OK : gan_run(s->db, GAN_SQL_COUNTER_ADD, GAN_I(id), GAN_I(delta));
}

int
gan_counters_flush(struct gan_store *s)
{
	struct gan_txn *t = &s->txn;
	int rc = counter_add(s, COUNTER_DUPLICATES, t->duplicates);

	if (rc == GAN_OK)
		rc = counter_add(s, COUNTER_ATTENTION, t->attention);
	if (rc == GAN_OK)
		rc = counter_add(s, COUNTER_QUARANTINED, t->quarantined);
	for (int i = 0; rc == GAN_OK && i < GAN_EVENT_NSTATES; i++)
		rc = counter_add(s, COUNTER_EVENTS + i, t->events[i]);
	for (int i = 0; rc == GAN_OK && i < GAN_DLV_NSTATES; i++)
		rc = counter_add(s, COUNTER_DELIVERIES + i, t->deliveries[i]);
	for (size_t i = 0; rc == GAN_OK && i < t->ntopics; i++)
		rc = gan_run(s->db, GAN_SQL_TOPIC_ADD, GAN_T(t->topics[i].source_topic),
		    GAN_I(t->topics[i].ignored));
	if (rc == GAN_OK && t->map_cursor != s->map_cursor)
		rc = gan_mark_set(s, "mapped", t->map_cursor);
	if (rc == GAN_OK && t->made != s->made)
		rc = gan_mark_set(s, "made", t->made);
	return rc;
}

void
gan_txn_apply(struct gan_store *s)
{
	struct gan_txn *t = &s->txn;
	struct gan_store_counts *c = &s->now;

	for (int i = 0; i < GAN_EVENT_NSTATES; i++)
		c->events[i] += t->events[i];
	for (int i = 0; i < GAN_DLV_NSTATES; i++)
		c->deliveries[i] += t->deliveries[i];
	c->duplicates += t->duplicates;
	c->attention += t->attention;
	c->quarantined += t->quarantined;
	for (size_t i = 0; i < t->ntopics; i++) {
		struct gan_topic_count *at =
		    topic_find(c->topics, c->ntopics, t->topics[i].source_topic);

		if (at == NULL && c->ntopics < GAN_TOPIC_COUNTS_MAX) {
			at = &c->topics[c->ntopics++];
			memcpy(
			    at->source_topic, t->topics[i].source_topic, sizeof(at->source_topic));
			at->ignored = 0;
		}
		if (at != NULL)
			at->ignored += t->topics[i].ignored;
		s->topics_changed = true;
	}
	gan_seen_apply(s);
	s->last_event = t->last_event;
	s->last_delivery = t->last_delivery;
	s->last_attempt = t->last_attempt;
	s->last_quarantine = t->last_quarantine;
	s->last_audit = t->last_audit;
	s->map_cursor = t->map_cursor;
	s->made = t->made;
	s->last_received = t->last_received;
	s->quarantine_bytes = t->quarantine_bytes;
	c->commits++;
	c->last_commit_ms = gan_wall_ms();
}

/* ---- space ------------------------------------------------------------------ */

static int64_t
file_size(const char *path, const char *suffix)
{
	char *name GAN_AUTO(gan_str_free) = gan_asprintf("%s%s", path, suffix);
	struct stat sb;

	return name == NULL || stat(name, &sb) != 0 ? 0 : (int64_t)sb.st_size;
}

/* Has whatever made SQLite say "full" gone away? */
static bool
room_again(struct gan_store *s)
{
	int64_t pages = 0, max = 0, unused = 0;

	if (gan_db_pragma(s->db, "PRAGMA page_count", &pages) < 0 ||
	    gan_db_pragma(s->db, "PRAGMA max_page_count", &max) < 0 ||
	    gan_db_pragma(s->db, "PRAGMA freelist_count", &unused) < 0)
		return false;
	return max - pages + unused > 64 && s->now.free_bytes > INT64_C(1) << 20;
}

/* One step in the index for each connector, however many lanes wait. */
static void
look_at_due(struct gan_store *s)
{
	struct gan_store_counts *c = &s->now;
	char last[sizeof(c->due[0])] = "";
	size_t n = 0;

	while (n < GAN_DUE_CONNECTORS_MAX) {
		sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
		    gan_bind(s->db, GAN_SQL_LANE_DUE_CONNECTOR, GAN_T(last));

		if (gan_db_step(s->db, st) <= 0 || gan_col_text(st, 0) == NULL)
			break;
		(void)snprintf(c->due[n], sizeof(c->due[n]), "%s", gan_col_text(st, 0));
		/* A name that was cut would be found again and again. */
		if (strcmp(c->due[n], last) <= 0)
			break;
		memcpy(last, c->due[n++], sizeof(last));
	}
	c->ndue = n;
}

void
gan_space_check(struct gan_store *s, bool force)
{
	int64_t now = gan_mono_ms();
	struct statvfs vfs;

	if (force || now - s->due_looked_ms >= 1000) {
		s->due_looked_ms = now;
		look_at_due(s);
		gan_outbox_look(s);
	}
	if (s->db->path == NULL) {
		s->now.free_bytes = INT64_MAX;
		if (s->now.full && (force || now - s->space_checked_ms >= 1000)) {
			s->space_checked_ms = now;
			s->now.full = !room_again(s);
		}
		return;
	}
	if (!force && now - s->space_checked_ms < 1000)
		return;
	s->space_checked_ms = now;
	if (statvfs(s->db->path, &vfs) == 0)
		s->now.free_bytes = (int64_t)vfs.f_bavail * (int64_t)vfs.f_frsize;
	s->now.file_bytes = file_size(s->db->path, "");
	s->now.wal_bytes = file_size(s->db->path, "-wal");
	s->low_space = s->keep.min_free > 0 && s->now.free_bytes < s->keep.min_free;
	if (s->low_space)
		s->now.full = true;
	else if (s->now.full)
		s->now.full = !room_again(s);
}

int
gan_space_tune(struct gan_store *s)
{
	int64_t size = 4096, pages = INT64_C(0xfffffffe);
	char text[64];
	int rc = gan_db_pragma(s->db, "PRAGMA page_size", &size);

	if (s->keep.max_bytes > 0)
		pages = s->keep.max_bytes / size;
	(void)snprintf(
	    text, sizeof(text), "PRAGMA max_page_count=%lld", (long long)(pages < 1 ? 1 : pages));
	return rc < 0 ? rc : gan_db_pragma(s->db, text, NULL);
}

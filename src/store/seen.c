/* SPDX-License-Identifier: MIT */
/*
 * seen.c - the log of hashes under the duplicate window, and its reload.
 *
 * Each COMMIT that took in events adds one row to dedupe_log with their whole
 * hashes.  Those rows lie scattered among a million events: to read them all
 * at start would take a second on a cold disk.  So from time to time what the
 * window needs of the newest ones is put together in one row of dedupe_digest;
 * a start reads the digests, and of the log only what came after the last.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_priv.h"

#define ENTRY_LEN 24   /* in a row of the log: 16 bytes of hash, 8 of event id */
#define ROW_HEAD_LEN 6 /* in a digest, of each log row: how many, and when */
#define PRINT_LEN GAN_DEDUPE_PRINT
#define DIGEST_ENTRIES 8192
/* At worst each row holds one entry, and the last one a whole group. */
#define ROW_MAX (ROW_HEAD_LEN + GAN_GROUP_INGEST * PRINT_LEN)
#define DIGEST_MAX (DIGEST_ENTRIES * (ROW_HEAD_LEN + PRINT_LEN) + ROW_MAX)

/* What is in the log and in no digest yet. */
struct gan_seen {
	int64_t first_row, at_ms;
	int64_t last_row, digested; /* the newest row in it; the newest in a digest */
	size_t entries, len;
	bool behind; /* nothing is added: digests have no gap, and an older one has to be made */
	unsigned char bytes[DIGEST_MAX];
};

static void
put_number(unsigned char *to, uint64_t v, size_t n)
{
	for (size_t k = 0; k < n; k++)
		to[k] = (unsigned char)(v >> (8 * k));
}

static uint64_t
get_number(const unsigned char *from, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | from[n];
	return v;
}

/* ---- looking --------------------------------------------------------------------- */

static int64_t
look_in_log(void *arg, const unsigned char hash[16], int64_t first, int64_t last)
{
	struct gan_store *s = arg;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_DEDUPE_ROWS, GAN_I(first), GAN_I(last));
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0) {
		const unsigned char *blob = sqlite3_column_blob(st, 0);
		size_t n = (size_t)sqlite3_column_bytes(st, 0) / ENTRY_LEN;

		for (size_t i = 0; blob != NULL && i < n; i++) {
			int64_t event = (int64_t)get_number(blob + i * ENTRY_LEN + 16, 8);

			if (event > 0 && memcmp(blob + i * ENTRY_LEN, hash, 16) == 0)
				return event;
		}
	}
	return rc;
}

int64_t
gan_seen_find(struct gan_store *s, const unsigned char hash[16], int64_t now_ms)
{
	return gan_window_find(s->window, hash, now_ms, look_in_log, s);
}

/* ---- remembering ------------------------------------------------------------------ */

static bool
digest_due(const struct gan_store *s)
{
	return s->seen->entries >= DIGEST_ENTRIES ||
	       s->seen->len > sizeof(s->seen->bytes) - ROW_MAX;
}

static int
digest_write(struct gan_store *s)
{
	const struct gan_seen *d = s->seen;

	return gan_run(s->db, GAN_SQL_DIGEST_PUT, GAN_I(d->first_row), GAN_I(d->at_ms),
	    GAN_B(d->bytes, d->len));
}

static void
digest_begin(struct gan_store *s)
{
	s->seen->entries = s->seen->len = 0;
}

/* It is in the database, committed. */
static void
digest_done(struct gan_store *s)
{
	s->seen->digested = s->seen->last_row;
	digest_begin(s);
}

static void
digest_add(
    struct gan_seen *d, const struct gan_dedupe_entry *list, size_t n, int64_t row, int64_t at_ms)
{
	unsigned char *to = d->bytes + d->len;
	int64_t later;

	if (d->len == 0) {
		d->first_row = row;
		d->at_ms = at_ms;
	}
	d->last_row = row;
	later = at_ms > d->at_ms ? at_ms - d->at_ms : 0;
	gan_must(d->len + ROW_HEAD_LEN + n * PRINT_LEN <= sizeof(d->bytes));
	put_number(to, n, 2);
	put_number(to + 2, later < UINT32_MAX ? (uint64_t)later : UINT32_MAX, 4);
	to += ROW_HEAD_LEN;
	for (size_t i = 0; i < n; i++, to += PRINT_LEN)
		memcpy(to, list[i].hash, PRINT_LEN);
	d->len = (size_t)(to - d->bytes);
	d->entries += n;
}

/* One row of the log: into the window, and into the digest to come. */
static void
row_add(
    struct gan_store *s, const struct gan_dedupe_entry *list, size_t n, int64_t row, int64_t at_ms)
{
	for (size_t i = 0; i < n; i++)
		gan_window_add(s->window, list[i].hash, row, at_ms);
	if (!s->seen->behind)
		digest_add(s->seen, list, n, row, at_ms);
}

int
gan_seen_write(struct gan_store *s)
{
	unsigned char blob[GAN_GROUP_INGEST * ENTRY_LEN];
	size_t n = s->txn.nseen;
	int rc;

	if (n == 0)
		return GAN_OK;
	for (size_t i = 0; i < n; i++) {
		memcpy(blob + i * ENTRY_LEN, s->txn.seen[i].hash, 16);
		put_number(blob + i * ENTRY_LEN + 16, (uint64_t)s->txn.seen[i].event_id, 8);
	}
	/* Only after the COMMIT is last_log moved on, so a rollback reuses the number. */
	rc = gan_run(s->db, GAN_SQL_DEDUPE_PUT, GAN_I(s->last_log + 1), GAN_I(s->txn.seen_ms),
	    GAN_B(blob, n * ENTRY_LEN));
	if (rc == GAN_OK && digest_due(s)) {
		rc = digest_write(s);
		s->txn.digested = true;
	}
	return rc;
}

void
gan_seen_apply(struct gan_store *s)
{
	if (s->txn.nseen == 0)
		return;
	if (s->txn.digested)
		digest_done(s);
	s->last_log++;
	row_add(s, s->txn.seen, s->txn.nseen, s->last_log, s->txn.seen_ms);
}

/* ---- reload ------------------------------------------------------------------------ */

static int
load_digests(struct gan_store *s)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = s->db->st[GAN_SQL_DIGEST_ALL];
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0) {
		int64_t row = sqlite3_column_int64(st, 0), at_ms = sqlite3_column_int64(st, 1);
		const unsigned char *p = sqlite3_column_blob(st, 2);
		const unsigned char *end = p + sqlite3_column_bytes(st, 2);

		while (p != NULL && end - p >= ROW_HEAD_LEN) {
			size_t n = (size_t)get_number(p, 2);
			int64_t when = at_ms + (int64_t)get_number(p + 2, 4);

			p += ROW_HEAD_LEN;
			for (size_t i = 0; i < n && end - p >= PRINT_LEN; i++, p += PRINT_LEN)
				gan_window_add(s->window, p, row, when);
			s->last_log = row++;
		}
	}
	return rc;
}

static size_t
read_row(sqlite3_stmt *st, struct gan_dedupe_entry list[GAN_GROUP_INGEST])
{
	const unsigned char *blob = sqlite3_column_blob(st, 2);
	size_t n = blob == NULL ? 0 : (size_t)sqlite3_column_bytes(st, 2) / ENTRY_LEN;

	if (n > GAN_GROUP_INGEST)
		n = GAN_GROUP_INGEST;
	for (size_t i = 0; i < n; i++)
		memcpy(list[i].hash, blob + i * ENTRY_LEN, 16);
	return n;
}

/* What is in no digest yet; after an upgrade that is everything. */
static int
load_rest(struct gan_store *s)
{
	struct gan_dedupe_entry list[GAN_GROUP_INGEST];
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_DEDUPE_AFTER, GAN_I(s->last_log));
	int rc;

	s->seen->digested = s->last_log;
	while ((rc = gan_db_step(s->db, st)) > 0) {
		s->seen->behind = s->seen->behind || digest_due(s);
		s->last_log = sqlite3_column_int64(st, 0);
		row_add(s, list, read_row(st, list), s->last_log, sqlite3_column_int64(st, 1));
	}
	return rc;
}

int
gan_seen_load(struct gan_store *s)
{
	int rc;

	s->seen = calloc(1, sizeof(*s->seen));
	if (s->seen == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "duplicate window");
	rc = load_digests(s);
	return rc < 0 ? rc : load_rest(s);
}

/* ---- digests that are late ----------------------------------------------------------- */

bool
gan_seen_is_behind(const struct gan_store *s)
{
	return s->seen->behind;
}

/* Gather from the log what comes behind the last digest: 1 when that is enough for one. */
static int
gather(struct gan_store *s)
{
	struct gan_dedupe_entry list[GAN_GROUP_INGEST];
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_DEDUPE_AFTER, GAN_I(s->seen->digested));
	int rc;

	digest_begin(s);
	while ((rc = gan_db_step(s->db, st)) > 0 && !digest_due(s))
		digest_add(s->seen, list, read_row(st, list), sqlite3_column_int64(st, 0),
		    sqlite3_column_int64(st, 1));
	return rc;
}

int
gan_seen_digest(struct gan_store *s)
{
	int rc = s->seen->behind ? gather(s) : 0;

	if (rc == 0)
		s->seen->behind = false;
	if (rc <= 0)
		return rc;
	/* A statement by itself is a transaction. */
	rc = digest_write(s);
	if (rc < 0)
		return rc;
	digest_done(s);
	return 1;
}

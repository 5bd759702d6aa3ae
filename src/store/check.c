/* SPDX-License-Identifier: MIT */
/*
 * check.c - `store check`: reads every row of every table in slices, so that
 * each page is visited and a damaged one shows, and compares the books.
 *
 * SQLite's own integrity_check cannot be cut into slices; it runs here only on
 * small files.  On large ones it runs on the copy that a backup makes.
 */
#include <stdio.h>

#include "base/clock.h"
#include "store/query_priv.h"

#define SLICE_US 15000
#define WHOLE_MAX (INT64_C(16) << 20)

static const struct part {
	const char *name, *sql;
} parts[] = {
	{ "event", "SELECT id, * FROM event WHERE id > ?1 ORDER BY id" },
	{ "mapping", "SELECT m.event_id, m.state, e.id FROM mapping m LEFT JOIN event e ON"
		     " e.id = m.event_id WHERE m.event_id > ?1 ORDER BY m.event_id" },
	{ "rejection", "SELECT id, * FROM rejection WHERE id > ?1 ORDER BY id" },
	{ "delivery", "SELECT d.id, d.state, e.id, d.* FROM delivery d LEFT JOIN event e ON"
		      " e.id = d.event_id WHERE d.id > ?1 ORDER BY d.id" },
	{ "payload", "SELECT p.delivery_id, 0, d.id, p.* FROM payload p LEFT JOIN delivery d ON"
		     " d.id = p.delivery_id WHERE p.delivery_id > ?1 ORDER BY p.delivery_id" },
	{ "response", "SELECT delivery_id, * FROM response WHERE delivery_id > ?1"
		      " ORDER BY delivery_id" },
	{ "attempt", "SELECT id, * FROM attempt WHERE id > ?1 ORDER BY id" },
	{ "lane", "SELECT l.id, 0, d.id FROM lane l LEFT JOIN delivery d ON d.id = l.head AND"
		  " d.lane_id = l.id WHERE l.id > ?1 ORDER BY l.id" },
	{ "audit", "SELECT id, * FROM audit WHERE id > ?1 ORDER BY id" },
	{ "quarantine", "SELECT id, * FROM quarantine WHERE id > ?1 ORDER BY id" },
	{ "dedupe_log", "SELECT id, * FROM dedupe_log WHERE id > ?1 ORDER BY id" },
};

/* Parts whose third column must not be NULL: what the row belongs to. */
static bool
has_owner(size_t part)
{
	return part == 1 || part == 3 || part == 4 || part == 7;
}

static void
finding(struct query_job *j, const char *kind, const char *what, const char *text)
{
	if (j->out.len > 1)
		gan_buf_putc(&j->out, ',');
	gan_buf_putc(&j->out, '{');
	gan_json_str(&j->out, "kind", kind);
	gan_json_str(&j->out, "object", what);
	gan_json_str(&j->out, "problem", text);
	gan_buf_putc(&j->out, '}');
}

static void
look_at(struct query_job *j, size_t part, sqlite3_stmt *st)
{
	char text[96];

	/* Reading a column fetches its overflow pages too. */
	for (int c = 0; c < sqlite3_column_count(st); c++)
		(void)sqlite3_column_blob(st, c);
	if (has_owner(part) && sqlite3_column_type(st, 2) == SQLITE_NULL) {
		(void)snprintf(text, sizeof(text), "row %lld belongs to nothing",
		    (long long)sqlite3_column_int64(st, 0));
		if (j->found++ < 100)
			finding(j, "orphan", parts[part].name, text);
	}
	if (part == 1)
		j->sums[sqlite3_column_int(st, 1)]++;
	if (part == 3)
		j->sums[GAN_EVENT_NSTATES + sqlite3_column_int(st, 1)]++;
}

static int
walk(struct gan_store *s, struct query_job *j, int64_t end_us)
{
	sqlite3_stmt *st = NULL;
	unsigned looked = 0;
	int rc = 0;

	if (sqlite3_prepare_v2(s->db->h, parts[j->part].sql, -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_bind_int64(st, 1, j->below) != SQLITE_OK)
		rc = gan_db_fail(s->db, "check");
	while (rc == 0 && (rc = gan_db_step(s->db, st)) > 0) {
		j->below = sqlite3_column_int64(st, 0);
		look_at(j, j->part, st);
		if (++looked % 16 == 0 && gan_mono_us() > end_us)
			break;
		rc = 0;
	}
	(void)sqlite3_finalize(st);
	return rc;
}

static void
compare(struct query_job *j, const char *what, int64_t counted, int64_t kept)
{
	char text[96];

	if (counted == kept)
		return;
	(void)snprintf(text, sizeof(text), "%lld rows, the counter says %lld", (long long)counted,
	    (long long)kept);
	finding(j, "counter", what, text);
}

static void
compare_books(struct gan_store *s, struct query_job *j)
{
	/* Only when nothing was committed meanwhile can they be equal. */
	if (j->commits != s->now.commits)
		return;
	for (int i = 1; i < GAN_EVENT_NSTATES; i++)
		compare(j, gan_event_state_name(i), j->sums[i], s->now.events[i]);
	for (int i = 0; i < GAN_DLV_NSTATES; i++)
		compare(j, gan_delivery_state_name(i), j->sums[GAN_EVENT_NSTATES + i],
		    s->now.deliveries[i]);
}

static int
check_whole(struct gan_store *s, struct query_job *j)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (sqlite3_prepare_v2(s->db->h, "PRAGMA integrity_check(20)", -1, &st, NULL) != SQLITE_OK)
		return gan_db_fail(s->db, "integrity check");
	while ((rc = gan_db_step(s->db, st)) > 0) {
		const char *text = gan_col_text(st, 0);

		if (text != NULL && sqlite3_stricmp(text, "ok") != 0)
			finding(j, "damage", s->db->path, text);
	}
	(void)sqlite3_finalize(st);
	return rc;
}

static int
check_begin(struct gan_store *s, struct query_job *j)
{
	j->checking = true;
	j->below = 0;
	j->commits = s->now.commits;
	return s->now.file_bytes + s->now.wal_bytes <= WHOLE_MAX ? check_whole(s, j) : GAN_OK;
}

int
gan_check_run(struct gan_store *s, struct query_job *j)
{
	int64_t end = gan_mono_us() + SLICE_US;
	int rc = j->checking ? GAN_OK : check_begin(s, j);

	while (rc == GAN_OK && j->part < GAN_COUNT(parts)) {
		rc = walk(s, j, end);
		if (rc == 0) {
			j->part++;
			j->below = 0;
		}
	}
	if (rc == GAN_OK)
		compare_books(s, j);
	return rc;
}

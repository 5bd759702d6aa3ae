/* SPDX-License-Identifier: MIT */
/*
 * check.c - `store check`: reads every row of every table in slices, so that
 * each page is visited and a damaged one shows, and compares the books.
 *
 * The parts that end in "books" hold each row against the others: a lane that
 * nothing would ever move, an open delivery that no lane knows, something that
 * needs a person and is not on the attention list.  One statement looks at one
 * row and all that belongs to it, so commits between two slices do not matter.
 *
 * SQLite's own integrity_check cannot be cut into slices; it runs here only on
 * small files.  On large ones it runs on the copy that a backup makes.
 */
#include <stdio.h>

#include "base/clock.h"
#include "store/query_priv.h"

#define SLICE_US 15000
#define WHOLE_MAX (INT64_C(16) << 20)

/* More rows of one lane are not counted: that would take longer than a slice. */
#define LANE_COUNTED "10000"

/* Where the head stands: a corrected copy, where its original stood. */
#define HEAD_PLACE                                                                                 \
	"coalesce((SELECT p.place FROM place p WHERE p.lane_id = l.id AND p.delivery_id = l.head)" \
	", l.head)"

#define LANE_BOOKS                                                                                 \
	"SELECT l.id, CASE"                                                                        \
	" WHEN (l.next_ms IS NOT NULL) + (l.lease_until IS NOT NULL) +"                            \
	"  (l.blocked_ms IS NOT NULL) <> 1 THEN 'is not exactly one of due, leased and blocked'"   \
	" WHEN d.connector <> l.connector OR d.key IS NOT l.key"                                   \
	"  THEN 'has a head of another connector or key'"                                          \
	" WHEN l.next_ms IS NOT NULL AND d.state <> 0 THEN 'is due, but its head does not wait'"   \
	" WHEN l.next_ms IS NOT NULL AND l.next_ms <> d.next_ms"                                   \
	"  THEN 'is not due when its head is'"                                                     \
	" WHEN l.lease_until IS NOT NULL AND d.state <> 1"                                         \
	"  THEN 'is leased, but its head is not being sent'"                                       \
	" WHEN l.blocked_ms IS NOT NULL AND (d.state NOT IN (3, 4, 5) OR NOT EXISTS"               \
	"  (SELECT 1 FROM attention a WHERE a.id = d.id AND a.what = 'd'))"                        \
	"  THEN 'is blocked, but its head is not on the attention list'"                           \
	" WHEN l.lease_until IS NULL AND (EXISTS (SELECT 1 FROM delivery o INDEXED BY"             \
	"  delivery_lane WHERE o.lane_id = l.id AND o.lane_id <> o.id AND o.id < " HEAD_PLACE      \
	"  AND o.id <> l.head) OR (" HEAD_PLACE                                                    \
	" > l.id AND l.head <> l.id AND EXISTS (SELECT 1 FROM delivery o WHERE o.id = l.id AND"    \
	"  o.lane_id = l.id))) THEN 'has an open delivery before its head'"                        \
	" WHEN l.open < " LANE_COUNTED " AND l.open <> (SELECT count(*) FROM delivery o WHERE"     \
	"  o.id = l.id AND o.lane_id = l.id) + (SELECT count(*) FROM (SELECT 1 FROM delivery o"    \
	"  INDEXED BY delivery_lane WHERE o.lane_id = l.id AND o.lane_id <> o.id"                  \
	"  LIMIT " LANE_COUNTED ")) THEN 'does not have as many open deliveries as it says'"       \
	" END FROM lane l JOIN delivery d ON d.id = l.head WHERE l.id > ?1 ORDER BY l.id"

#define DELIVERY_BOOKS                                                                             \
	"SELECT d.id, CASE"                                                                        \
	" WHEN m.event_id IS NULL THEN 'comes from an event that is not mapped'"                   \
	" WHEN m.state = 2 AND d.replay_no = 0 THEN 'comes from an event that is ignored'"         \
	" WHEN p.delivery_id IS NULL THEN 'has lost its body'"                                     \
	" WHEN d.state IN (0, 1, 3, 5) AND l.id IS NULL AND"                                       \
	"  (d.state <> 0 OR b.delivery_id IS NULL) THEN 'is open, but in no lane'"                 \
	" WHEN b.delivery_id IS NOT NULL AND (d.state <> 0 OR l.id IS NOT NULL OR"                 \
	"  b.connector <> d.connector) THEN 'is in the outbox, but not only there'"                \
	" WHEN d.state = 4 AND d.on_dead = 0 AND l.id IS NULL"                                     \
	"  THEN 'is dead and must block, but is in no lane'"                                       \
	" WHEN (d.state IN (2, 6) OR (d.state = 4 AND d.on_dead <> 0)) AND d.lane_id IS NOT NULL"  \
	"  THEN 'is finished, but still in a lane'"                                                \
	" WHEN l.connector <> d.connector OR (l.id IS NOT NULL AND l.key IS NOT d.key)"            \
	"  THEN 'is in the lane of another connector or key'"                                      \
	" WHEN d.state = 1 AND (l.head <> d.id OR l.lease_until IS NULL)"                          \
	"  THEN 'is being sent without a lease'"                                                   \
	" WHEN d.state IN (3, 4, 5) AND a.id IS NULL"                                              \
	"  THEN 'needs a person, but is not on the attention list'"                                \
	" WHEN d.state NOT IN (3, 4, 5) AND a.id IS NOT NULL"                                      \
	"  THEN 'is on the attention list and needs nobody'"                                       \
	" WHEN d.state = 2 AND f.done = 0 AND f.delivery_id = d.id"                                \
	"  THEN 'is delivered, but its effect is not noted as done'"                               \
	" END FROM delivery d LEFT JOIN mapping m ON m.event_id = d.event_id"                      \
	" LEFT JOIN payload p ON p.delivery_id = d.id LEFT JOIN lane l ON l.id = d.lane_id"        \
	" LEFT JOIN attention a ON a.id = d.id AND a.what = 'd'"                                   \
	" LEFT JOIN outbox b ON b.delivery_id = d.id"                                              \
	" LEFT JOIN effect f ON f.effect = d.effect AND f.connector = d.connector"                 \
	" WHERE d.id > ?1 ORDER BY d.id"

#define EVENT_BOOKS                                                                                \
	"SELECT e.id, CASE"                                                                        \
	" WHEN m.event_id IS NULL AND e.id <= (SELECT value FROM mark WHERE name = 'mapped')"      \
	"  THEN 'is not mapped, but mapping has gone past it'"                                     \
	" WHEN m.state = 3 AND NOT EXISTS (SELECT 1 FROM rejection r WHERE r.event_id = e.id)"     \
	"  THEN 'is rejected without a reason'"                                                    \
	" WHEN coalesce(m.state, 0) <> 3 AND a.id IS NOT NULL"                                     \
	"  THEN 'is on the attention list and needs nobody'"                                       \
	" END, m.event_id FROM event e LEFT JOIN mapping m ON m.event_id = e.id"                   \
	" LEFT JOIN attention a ON a.id = e.id AND a.what = 'e' WHERE e.id > ?1 ORDER BY e.id"

#define ATTENTION_BOOKS(what, table)                                                               \
	"SELECT a.id, CASE WHEN o.id IS NULL THEN 'is on the attention list, but does not exist'"  \
	" END FROM attention a LEFT JOIN " table " o ON o.id = a.id"                               \
	" WHERE a.what = '" what "' AND a.id > ?1 ORDER BY a.id"

enum {
	PART_MAPPING = 1,
	PART_DELIVERY = 3,
	PART_PAYLOAD = 4,
	PART_LANE = 7,
	PART_ANSWER = 11,
	PART_OUTBOX = 12,
	PART_BOOKS = 14, /* this and all behind it */
	PART_EVENT_BOOKS = 14,
	PART_ATTENTION_BOOKS = 17, /* of deliveries, and of events behind it */
};

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
	{ "answer", "SELECT a.event_id, 0, e.id, a.* FROM answer a LEFT JOIN event e ON"
		    " e.id = a.event_id WHERE a.event_id > ?1 ORDER BY a.event_id" },
	{ "outbox", "SELECT b.delivery_id, 0, d.id, b.* FROM outbox b INDEXED BY outbox_delivery"
		    " LEFT JOIN delivery d ON d.id = b.delivery_id WHERE b.delivery_id > ?1"
		    " ORDER BY b.delivery_id" },
	{ "feed_spool", "SELECT id, * FROM feed_spool WHERE id > ?1 ORDER BY id" },
	{ "event", EVENT_BOOKS },
	{ "delivery", DELIVERY_BOOKS },
	{ "lane", LANE_BOOKS },
	{ "attention", ATTENTION_BOOKS("d", "delivery") },
	{ "attention", ATTENTION_BOOKS("e", "event") },
};

/* Parts whose third column must not be NULL: what the row belongs to. */
static bool
has_owner(size_t part)
{
	return part == PART_MAPPING || part == PART_DELIVERY || part == PART_PAYLOAD ||
	       part == PART_LANE || part == PART_ANSWER || part == PART_OUTBOX;
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

/* What a row of the books says is wrong with it. */
static void
look_at_books(struct query_job *j, size_t part, sqlite3_stmt *st)
{
	const char *problem = gan_col_text(st, 1);
	char text[160], id[GAN_ID_LEN];
	bool event = part == PART_EVENT_BOOKS || part > PART_ATTENTION_BOOKS;

	if (part == PART_EVENT_BOOKS && sqlite3_column_type(st, 2) == SQLITE_NULL)
		j->sums[GAN_EVENT_RECEIVED]++;
	if (part >= PART_ATTENTION_BOOKS)
		j->attention++;
	if (problem == NULL || j->found++ >= 100)
		return;
	/* A lane is called by the delivery that opened it. */
	(void)snprintf(text, sizeof(text), "%s %s",
	    gan_id_format(event ? GAN_ID_EVENT : GAN_ID_DELIVERY, sqlite3_column_int64(st, 0), id),
	    problem);
	finding(j, "book", parts[part].name, text);
}

static void
look_at(struct query_job *j, size_t part, sqlite3_stmt *st)
{
	char text[96];

	if (part >= PART_BOOKS) {
		look_at_books(j, part, st);
		return;
	}

	/* Reading a column fetches its overflow pages too. */
	for (int c = 0; c < sqlite3_column_count(st); c++)
		(void)sqlite3_column_blob(st, c);
	if (has_owner(part) && sqlite3_column_type(st, 2) == SQLITE_NULL) {
		(void)snprintf(text, sizeof(text), "row %lld belongs to nothing",
		    (long long)sqlite3_column_int64(st, 0));
		if (j->found++ < 100)
			finding(j, "orphan", parts[part].name, text);
	}
	if (part == PART_MAPPING)
		j->sums[sqlite3_column_int(st, 1)]++;
	j->messages += part == PART_OUTBOX;
	if (part == PART_DELIVERY)
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
	int64_t kept = 0;

	/* Only when nothing was committed meanwhile can they be equal. */
	if (j->commits != s->now.commits)
		return;
	for (int i = 0; i < GAN_EVENT_NSTATES; i++)
		compare(j, gan_event_state_name(i), j->sums[i], s->now.events[i]);
	for (int i = 0; i < GAN_DLV_NSTATES; i++)
		compare(j, gan_delivery_state_name(i), j->sums[GAN_EVENT_NSTATES + i],
		    s->now.deliveries[i]);
	compare(j, "attention", j->attention, s->now.attention);
	gan_outbox_look(s);
	for (size_t i = 0; i < s->now.noutboxes; i++)
		kept += s->now.outboxes[i].backlog;
	if (s->now.noutboxes < GAN_DUE_CONNECTORS_MAX) /* else some are not in the figures */
		compare(j, "outboxes", j->messages, kept);
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

/* SPDX-License-Identifier: MIT */
/* shape.c - events, deliveries, attention items and lanes as JSON (design: section 11). */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "conf/config.h"
#include "store/store_priv.h"

void
gan_json_name(struct gan_buf *b, const char *name)
{
	if (b->len > 0 && b->data[b->len - 1] != '{')
		gan_buf_putc(b, ',');
	gan_buf_printf(b, "\"%s\":", name);
}

void
gan_json_str(struct gan_buf *b, const char *name, const char *text)
{
	gan_json_name(b, name);
	if (text == NULL)
		gan_buf_puts(b, "null");
	else
		gan_buf_json(b, text, strlen(text));
}

void
gan_json_time(struct gan_buf *b, const char *name, int64_t ms)
{
	char text[GAN_TIME_LEN];

	gan_json_str(b, name, ms == 0 ? NULL : gan_time_format(ms, text));
}

void
gan_json_id(struct gan_buf *b, const char *name, enum gan_id_kind kind, int64_t id)
{
	char text[GAN_ID_LEN];

	gan_json_str(b, name, gan_id_format(kind, id, text));
}

static void
json_int(struct gan_buf *b, const char *name, int64_t v)
{
	gan_json_name(b, name);
	gan_buf_printf(b, "%lld", (long long)v);
}

void
gan_json_bytes(struct gan_buf *b, const char *name, sqlite3_stmt *row, int col)
{
	const char *p = sqlite3_column_blob(row, col);
	size_t n = (size_t)sqlite3_column_bytes(row, col);

	gan_json_name(b, name);
	if (sqlite3_column_type(row, col) == SQLITE_NULL)
		gan_buf_puts(b, "null");
	else if (p == NULL)
		gan_buf_puts(b, "\"\"");
	else if (gan_json_compact(p, n, false, b) < 0)
		gan_buf_json(b, p, n);
}

/* ---- what people did ------------------------------------------------------------- */

void
gan_shape_audit(sqlite3_stmt *row, struct gan_buf *b)
{
	gan_buf_printf(b, "{\"id\":\"%lld\"", (long long)sqlite3_column_int64(row, 0));
	gan_json_time(b, "at", sqlite3_column_int64(row, 1));
	gan_json_str(b, "who", gan_col_text(row, 2));
	gan_json_str(b, "verb", gan_col_text(row, 3));
	gan_json_str(b, "object", gan_col_text(row, 4));
	gan_json_str(b, "reason", gan_col_text(row, 5));
	gan_json_str(b, "before", gan_col_text(row, 6));
	gan_json_str(b, "after", gan_col_text(row, 7));
	gan_buf_putc(b, '}');
}

/* "audit": what people did with one event or delivery, oldest first. */
static int
json_audit(struct gan_store *s, struct gan_buf *b, enum gan_id_kind kind, int64_t id)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	char text[GAN_ID_LEN];
	bool first = true;
	int rc;

	st = gan_bind(s->db, GAN_SQL_AUDIT_OF, GAN_T(gan_id_format(kind, id, text)));
	gan_json_name(b, "audit");
	gan_buf_putc(b, '[');
	while ((rc = gan_db_step(s->db, st)) > 0) {
		if (!first)
			gan_buf_putc(b, ',');
		first = false;
		gan_shape_audit(st, b);
	}
	gan_buf_putc(b, ']');
	return rc;
}

/* ---- deliveries ------------------------------------------------------------------ */

static void
json_last(struct gan_buf *b, sqlite3_stmt *row)
{
	const char *error = gan_col_text(row, 11), *reason = gan_col_text(row, 13);
	int64_t at = sqlite3_column_int64(row, 12);

	/* What keeps it from being sent now says more than how the last attempt went. */
	if (sqlite3_column_int(row, 7) != GAN_DLV_DELIVERED && reason != NULL)
		error = reason;
	gan_json_name(b, "last");
	if (at == 0 && error == NULL) {
		gan_buf_puts(b, "null");
		return;
	}
	gan_buf_putc(b, '{');
	gan_json_name(b, "status");
	if (sqlite3_column_type(row, 10) == SQLITE_NULL)
		gan_buf_puts(b, "null");
	else
		gan_buf_printf(b, "%d", sqlite3_column_int(row, 10));
	gan_json_str(b, "error", error);
	gan_json_time(b, "at", at);
	gan_buf_putc(b, '}');
}

static int
json_stored(struct gan_store *s, struct gan_buf *b, const char *name, enum gan_sql sql, int64_t id)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, sql, GAN_I(id));
	int rc = gan_db_step(s->db, st);

	if (rc < 0)
		return rc;
	if (rc > 0)
		gan_json_bytes(b, name, st, 0);
	else
		gan_json_str(b, name, NULL);
	return GAN_OK;
}

static void
json_try(struct gan_buf *b, sqlite3_stmt *st)
{
	gan_buf_puts(b, "{");
	gan_json_id(b, "id", GAN_ID_ATTEMPT, sqlite3_column_int64(st, 0));
	gan_json_time(b, "at", sqlite3_column_int64(st, 1));
	gan_json_time(b, "ended_at", sqlite3_column_int64(st, 2));
	gan_json_str(b, "verdict", gan_col_text(st, 3));
	gan_json_name(b, "status");
	if (sqlite3_column_type(st, 4) == SQLITE_NULL)
		gan_buf_puts(b, "null");
	else
		gan_buf_printf(b, "%d", sqlite3_column_int(st, 4));
	gan_json_str(b, "error", gan_col_text(st, 5));
	gan_json_str(b, "request", gan_col_text(st, 6));
	gan_json_str(b, "response_head", gan_col_text(st, 7));
	gan_json_bytes(b, "response", st, 8);
	gan_json_name(b, "response_cut");
	gan_buf_puts(b, sqlite3_column_int(st, 9) != 0 ? "true" : "false");
	gan_buf_putc(b, '}');
}

static int
json_tries(struct gan_store *s, struct gan_buf *b, int64_t delivery)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_ATTEMPT_LIST, GAN_I(delivery));
	bool first = true;
	int rc;

	gan_json_name(b, "tries");
	gan_buf_putc(b, '[');
	while ((rc = gan_db_step(s->db, st)) > 0) {
		if (!first)
			gan_buf_putc(b, ',');
		first = false;
		json_try(b, st);
	}
	gan_buf_putc(b, ']');
	return rc;
}

/* "behind": the head of its lane, while that is another one; else null. */
static int
json_behind(struct gan_store *s, struct gan_buf *b, sqlite3_stmt *row)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	const char *key = gan_col_text(row, 5);
	int64_t head = 0;
	int rc = 0;

	if (key != NULL && sqlite3_column_int(row, 7) == GAN_DLV_WAITING &&
	    sqlite3_column_type(row, 14) != SQLITE_NULL) {
		st =
		    gan_bind(s->db, GAN_SQL_LANE_LIST_KEY, GAN_T(gan_col_text(row, 3)), GAN_T(key));
		rc = gan_db_step(s->db, st);
		head = rc > 0 ? sqlite3_column_int64(st, 4) : 0;
	}
	if (head != 0 && head != sqlite3_column_int64(row, 0))
		gan_json_id(b, "behind", GAN_ID_DELIVERY, head);
	else
		gan_json_str(b, "behind", NULL);
	return rc < 0 ? rc : GAN_OK;
}

/* "after": the effects that it waits for, while there are any. */
static int
json_after(struct gan_store *s, struct gan_buf *b, int64_t id)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_PAYLOAD_AFTER, GAN_I(id));
	int rc = gan_db_step(s->db, st);
	const char *list = rc > 0 ? sqlite3_column_blob(st, 0) : NULL;
	size_t len = list != NULL ? (size_t)sqlite3_column_bytes(st, 0) : 0;

	if (len == 0)
		return rc < 0 ? rc : GAN_OK;
	gan_json_name(b, "after");
	for (size_t at = 0; at < len; at += strlen(list + at) + 1) {
		gan_buf_putc(b, at == 0 ? '[' : ',');
		gan_buf_json(b, list + at, strlen(list + at));
	}
	gan_buf_putc(b, ']');
	return GAN_OK;
}

/* What most deliveries have not: "replay", and what tells of corrections; people: who is asked. */
static int
json_origin(struct gan_store *s, struct gan_buf *b, sqlite3_stmt *row, bool bodies, bool people)
{
	int64_t replay = sqlite3_column_int64(row, 15);

	if (replay > 0)
		json_int(b, "replay", replay);
	return gan_correct_shape(s, sqlite3_column_int64(row, 0), sqlite3_column_int(row, 7),
	    replay < 0, bodies, people, b);
}

int
gan_shape_delivery(
    struct gan_store *s, sqlite3_stmt *row, bool bodies, bool with_event, struct gan_buf *b)
{
	int64_t id = sqlite3_column_int64(row, 0), next = sqlite3_column_int64(row, 9);
	int state = sqlite3_column_int(row, 7), rc;
	bool in_outbox = state == GAN_DLV_WAITING && sqlite3_column_type(row, 14) == SQLITE_NULL;

	gan_buf_putc(b, '{');
	gan_json_id(b, "id", GAN_ID_DELIVERY, id);
	if (with_event)
		gan_json_id(b, "event", GAN_ID_EVENT, sqlite3_column_int64(row, 1));
	gan_json_str(b, "rule", gan_col_text(row, 2));
	gan_json_str(b, "connector", gan_col_text(row, 3));
	gan_json_str(b, "operation", gan_col_text(row, 4));
	gan_json_str(b, "key", gan_col_text(row, 5));
	gan_json_str(b, "effect", gan_col_text(row, 6));
	gan_json_str(b, "state", gan_delivery_state_name(state));
	json_int(b, "attempts", sqlite3_column_int64(row, 8));
	if (state != GAN_DLV_WAITING || in_outbox)
		next = 0;
	gan_json_time(b, "next_at", next == 0 ? 0 : next - s->due_ahead_ms);
	json_last(b, row);
	rc = json_stored(s, b, "response", GAN_SQL_RESPONSE_GET, id);
	if (rc == GAN_OK && bodies)
		rc = json_stored(s, b, "request", GAN_SQL_PAYLOAD_GET, id);
	if (rc == GAN_OK && bodies)
		rc = json_tries(s, b, id);
	if (rc == GAN_OK && bodies)
		rc = json_audit(s, b, GAN_ID_DELIVERY, id);
	if (rc == GAN_OK && bodies)
		rc = json_behind(s, b, row);
	if (rc == GAN_OK && bodies)
		rc = json_after(s, b, id);
	if (rc == GAN_OK)
		rc = json_origin(s, b, row, bodies, bodies || with_event);
	if (rc == GAN_OK && bodies)
		rc = gan_answers_shape(s, id, b);
	if (rc == GAN_OK && in_outbox)
		rc = gan_outbox_shape(s, id, b);
	gan_buf_putc(b, '}');
	return rc;
}

int
gan_shape_delivery_id(struct gan_store *s, int64_t id, struct gan_buf *b)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_DLV_SHOW, GAN_I(id));
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc < 0 ? rc : GAN_ENOENT;
	return gan_shape_delivery(s, st, false, true, b);
}

/* ---- events ------------------------------------------------------------------------ */

/* "rule: reason", several joined; null when nothing was rejected. */
static int
json_reason(struct gan_store *s, struct gan_buf *b, int64_t event)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_REJECT_LIST, GAN_I(event));
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { .max = 64 << 10 };
	int rc;

	while ((rc = gan_db_step(s->db, st)) > 0) {
		const char *rule = gan_col_text(st, 0);

		if (text.len > 0)
			gan_buf_puts(&text, "; ");
		if (rule[0] != '\0')
			gan_buf_printf(&text, "%s: ", rule);
		gan_buf_puts(&text, gan_col_text(st, 1));
	}
	gan_json_str(b, "reason", text.len == 0 ? NULL : text.data);
	return rc;
}

struct only {
	int64_t delivery;
	const char *key, *effect;
};

static int
json_deliveries(
    struct gan_store *s, struct gan_buf *b, int64_t event, bool bodies, const struct only *only)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_DLV_OF_EVENT, GAN_I(event));
	bool first = true;
	int rc;

	gan_json_name(b, "deliveries");
	gan_buf_putc(b, '[');
	while ((rc = gan_db_step(s->db, st)) > 0) {
		if ((only->delivery != 0 && sqlite3_column_int64(st, 0) != only->delivery) ||
		    (only->key != NULL && !gan_streq(only->key, gan_col_text(st, 5))) ||
		    (only->effect != NULL && !gan_streq(only->effect, gan_col_text(st, 6))))
			continue;
		if (!first)
			gan_buf_putc(b, ',');
		first = false;
		rc = gan_shape_delivery(s, st, bodies, false, b);
		if (rc < 0)
			return rc;
	}
	gan_buf_putc(b, ']');
	return rc;
}

static int
event_state(sqlite3_stmt *row)
{
	return sqlite3_column_type(row, 6) == SQLITE_NULL ? GAN_EVENT_RECEIVED
							  : sqlite3_column_int(row, 6);
}

int
gan_shape_event(struct gan_store *s, sqlite3_stmt *row, bool bodies, int64_t only_delivery,
    const char *only_key, const char *only_effect, struct gan_buf *b)
{
	const struct only only = { only_delivery, only_key, only_effect };
	int64_t id = sqlite3_column_int64(row, 0);
	int rc;

	gan_buf_putc(b, '{');
	gan_json_id(b, "id", GAN_ID_EVENT, id);
	gan_json_str(b, "source", gan_col_text(row, 1));
	gan_json_str(b, "topic", gan_col_text(row, 2));
	gan_json_time(b, "received_at", sqlite3_column_int64(row, 4));
	gan_json_str(b, "state", gan_event_state_name(event_state(row)));
	rc = json_reason(s, b, id);
	if (rc == GAN_OK && gan_streq(gan_col_text(row, 1), GAN_ANSWERS))
		rc = gan_answer_shape(s, id, b);
	if (bodies) {
		bool same = sqlite3_column_type(row, 3) == SQLITE_NULL;

		gan_json_str(b, "topic_raw", gan_col_text(row, same ? 2 : 3));
		gan_json_bytes(b, "meta", row, 5);
		gan_json_bytes(b, "body", row, 7);
	}
	if (rc == GAN_OK && bodies)
		rc = json_audit(s, b, GAN_ID_EVENT, id);
	if (rc == GAN_OK)
		rc = json_deliveries(s, b, id, bodies, &only);
	gan_buf_putc(b, '}');
	return rc;
}

int
gan_event_is_of(struct gan_store *s, int64_t id, const char *source)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_EVENT_GET, GAN_I(id));
	int rc = gan_db_step(s->db, st);

	return rc > 0 ? source == NULL || gan_streq(source, gan_col_text(st, 1)) : rc;
}

int
gan_shape_event_id(struct gan_store *s, int64_t id, const char *source, bool bodies,
    int64_t only_delivery, const char *only_key, const char *only_effect, struct gan_buf *b)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_EVENT_GET, GAN_I(id));
	int rc = gan_db_step(s->db, st);

	if (rc < 0)
		return rc;
	if (rc == 0 || (source != NULL && !gan_streq(source, gan_col_text(st, 1))))
		return GAN_ENOENT;
	return gan_shape_event(s, st, bodies, only_delivery, only_key, only_effect, b);
}

/* ---- attention ------------------------------------------------------------------------ */

struct item {
	char *source, *key, *connector, *operation, *rule, *reason;
};

static void
item_fini(struct item *it)
{
	free(it->source);
	free(it->key);
	free(it->connector);
	free(it->operation);
	free(it->rule);
	free(it->reason);
}

static char *
dup_or_null(const char *text)
{
	return text == NULL ? NULL : strdup(text);
}

static int
item_delivery(struct gan_store *s, int64_t id, struct item *it, int64_t *ret_event)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_DLV_SHOW, GAN_I(id));
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc < 0 ? rc : GAN_ENOENT;
	*ret_event = sqlite3_column_int64(st, 1);
	it->rule = dup_or_null(gan_col_text(st, 2));
	it->connector = dup_or_null(gan_col_text(st, 3));
	it->operation = dup_or_null(gan_col_text(st, 4));
	it->key = dup_or_null(gan_col_text(st, 5));
	it->reason = dup_or_null(gan_col_text(st, gan_col_text(st, 13) != NULL ? 13 : 11));
	return GAN_OK;
}

static int
item_event(struct gan_store *s, int64_t id, bool rejected, struct item *it)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_EVENT_GET, GAN_I(id));
	sqlite3_stmt *why GAN_AUTO(gan_db_rewind) = NULL;
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc < 0 ? rc : GAN_ENOENT;
	it->source = dup_or_null(gan_col_text(st, 1));
	if (!rejected)
		return GAN_OK;
	why = gan_bind(s->db, GAN_SQL_REJECT_LIST, GAN_I(id));
	rc = gan_db_step(s->db, why);
	if (rc > 0) {
		const char *rule = gan_col_text(why, 0);

		it->rule = rule[0] == '\0' ? NULL : strdup(rule);
		it->reason = dup_or_null(gan_col_text(why, 1));
	}
	return rc < 0 ? rc : GAN_OK;
}

static const char *
actions_of(const char *kind, bool approve)
{
	static const struct {
		const char *kind, *actions;
	} table[] = {
		{ "unknown",
		    "[\"resolve --as sent\",\"resolve --as not-sent\",\"correct\",\"skip\"]" },
		{ "dead", "[\"retry\",\"correct\",\"skip\"]" },
		{ "expired", "[\"retry\",\"correct\",\"skip\"]" },
		{ "conflict", "[\"skip\",\"correct\",\"retry\"]" },
		{ "rejected", "[\"retry\",\"skip\"]" },
	};

	if (approve)
		return "[\"approve\",\"correct\",\"skip\"]";
	for (size_t i = 0; i < GAN_COUNT(table); i++) {
		if (strcmp(table[i].kind, kind) == 0)
			return table[i].actions;
	}
	return "[]";
}

static bool
item_wanted(const struct item *it, const struct gan_query *f)
{
	return (f->source == NULL || gan_streq(f->source, it->source)) &&
	       (f->connector == NULL || gan_streq(f->connector, it->connector)) &&
	       (f->rule == NULL || gan_streq(f->rule, it->rule)) &&
	       (f->key == NULL || gan_streq(f->key, it->key));
}

/* GAN_ENOENT: not wanted, nothing was written. */
int
gan_shape_attention(struct gan_store *s, int64_t id, const char *what, const char *kind,
    int64_t since_ms, const struct gan_query *filter, struct gan_buf *b)
{
	struct item it GAN_AUTO(item_fini) = { NULL, NULL, NULL, NULL, NULL, NULL };
	bool event = what[0] == 'e';
	int64_t event_id = id;
	int rc = GAN_OK, approve = 0;

	if (!event)
		rc = item_delivery(s, id, &it, &event_id);
	if (rc == GAN_OK)
		rc = item_event(s, event_id, event, &it);
	if (rc < 0)
		return rc;
	if (!item_wanted(&it, filter))
		return GAN_ENOENT;
	if (!event)
		approve = gan_correct_waits(s, id);
	if (approve < 0)
		return approve;
	if (b->len > 0 && b->data[b->len - 1] == '}')
		gan_buf_putc(b, ',');
	gan_buf_putc(b, '{');
	gan_json_str(b, "kind", kind);
	gan_json_id(b, "id", event ? GAN_ID_EVENT : GAN_ID_DELIVERY, id);
	gan_json_str(b, "key", it.key);
	gan_json_str(b, "source", it.source);
	gan_json_str(b, "connector", it.connector);
	gan_json_str(b, "operation", it.operation);
	gan_json_str(b, "rule", it.rule);
	gan_json_str(b, "reason", it.reason);
	gan_json_time(b, "since", since_ms);
	gan_json_name(b, "actions");
	/* What came as it is, and was refused by no rule, no rule can map. */
	if (event && it.rule == NULL)
		gan_buf_puts(b, "[\"skip\"]");
	else
		gan_buf_puts(b, actions_of(kind, approve > 0));
	gan_buf_putc(b, '}');
	return GAN_OK;
}

/* ---- lanes ------------------------------------------------------------------------------ */

int
gan_shape_lane(struct gan_store *s, sqlite3_stmt *row, struct gan_buf *b)
{
	sqlite3_stmt *head GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_DLV_SHOW, GAN_I(sqlite3_column_int64(row, 4)));
	bool leased = sqlite3_column_type(row, 6) != SQLITE_NULL;
	bool blocked = sqlite3_column_type(row, 7) != SQLITE_NULL;
	int64_t next = sqlite3_column_int64(row, 5);
	int rc = gan_db_step(s->db, head);

	if (rc <= 0)
		return rc < 0 ? rc : GAN_ENOENT;
	gan_buf_putc(b, '{');
	gan_json_str(b, "connector", gan_col_text(row, 1));
	gan_json_str(b, "key", gan_col_text(row, 2));
	json_int(b, "waiting", sqlite3_column_int64(row, 3));
	gan_json_id(b, "head", GAN_ID_DELIVERY, sqlite3_column_int64(row, 4));
	gan_json_str(b, "state", leased ? "sending" : blocked ? "blocked" : "waiting");
	gan_json_str(b, "head_state", gan_delivery_state_name(sqlite3_column_int(head, 7)));
	gan_json_time(b, "blocked_since", sqlite3_column_int64(row, 7));
	gan_json_time(b, "next_at", next == 0 ? 0 : next - s->due_ahead_ms);
	gan_json_str(b, "reason", gan_col_text(head, gan_col_text(head, 13) != NULL ? 13 : 11));
	gan_buf_putc(b, '}');
	return GAN_OK;
}

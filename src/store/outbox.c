/* SPDX-License-Identifier: MIT */
/*
 * outbox.c - deliveries that their receiver fetches itself, in one row.
 *
 * What can be told leaves its lane for a place in the outbox: places only grow,
 * so a reader goes on behind the last one it has, and acknowledging one means
 * all before it.  What is held (`after`, an effect of another) waits in its lane
 * like any other delivery, with its key's followers behind it, and gets its
 * place when it is let go.
 *
 * How far a reader was told is kept: what was told may have been taken in, so
 * from then on it neither expires nor goes back behind another of its key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/outbox_priv.h"

#define RETURN_BATCH 64

/* ---- cursors: the place, and whose ------------------------------------------------------ */

const char *
gan_cursor_write(int64_t pos, const char *connector, char out[GAN_CURSOR_LEN])
{
	char id[GAN_ID_LEN];

	(void)snprintf(
	    out, GAN_CURSOR_LEN, "%s.%s", gan_id_format(GAN_ID_PLACE, pos, id), connector);
	return out;
}

bool
gan_cursor_read(const char *text, const char *connector, int64_t *ret_pos)
{
	char id[GAN_ID_LEN];

	if (strlen(text) <= GAN_ID_LEN || text[GAN_ID_LEN - 1] != '.' ||
	    strcmp(text + GAN_ID_LEN, connector) != 0)
		return false;
	memcpy(id, text, GAN_ID_LEN - 1);
	id[GAN_ID_LEN - 1] = '\0';
	return gan_id_parse(GAN_ID_PLACE, id, ret_pos);
}

int
gan_reader_get(struct gan_store *s, const char *connector, struct gan_reader *ret)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_READER_GET, GAN_T(connector));
	int rc = gan_db_step(s->db, st);

	*ret = (struct gan_reader){ 0, 0, 0 };
	if (rc > 0)
		*ret = (struct gan_reader){ sqlite3_column_int64(st, 0),
			sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2) };
	return rc < 0 ? rc : GAN_OK;
}

/* ---- in and out -------------------------------------------------------------------------- */

int
gan_outbox_enter(struct gan_store *s, struct gan_dlv *d, int64_t now_ms)
{
	int64_t lane = d->lane_id, pos;
	struct gan_reader r;
	int rc = gan_reader_get(s, d->connector, &r);

	pos = gan_id_next(r.last, now_ms);
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_READER_PUT, GAN_T(d->connector), GAN_I(pos));
	if (rc == GAN_OK)
		rc = gan_run(
		    s->db, GAN_SQL_OUTBOX_PUT, GAN_T(d->connector), GAN_I(pos), GAN_I(d->id));
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_OUTBOX_OUT, GAN_I(d->id));
	if (rc == GAN_OK && d->copy)
		rc = gan_run(s->db, GAN_SQL_PLACE_DROP, GAN_I(lane), GAN_I(d->id));
	if (rc < 0)
		return rc;
	d->lane_id = 0;
	gan_txn_due(s, d->connector);
	return gan_lane_arm(s, lane, 1, false, now_ms);
}

/* Its reader may have taken it in, and nobody said so. */
static int
keep_told(struct gan_store *s, struct gan_dlv *d)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_OUTBOX_GET, GAN_I(d->id));
	struct gan_reader r;
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc;
	rc = gan_reader_get(s, d->connector, &r);
	if (rc == GAN_OK && sqlite3_column_int64(st, 1) <= r.shown)
		d->maybe_sent = GAN_SENT_MAYBE;
	return rc;
}

int
gan_outbox_leave(struct gan_store *s, struct gan_dlv *d, bool acknowledged)
{
	int rc = acknowledged ? GAN_OK : keep_told(s, d);

	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_OUTBOX_DROP, GAN_I(d->id));

	return rc < 0 ? rc : gan_run(s->db, GAN_SQL_READER_LESS, GAN_T(d->connector));
}

/* Out of the outbox, and to its old place among those of its key. */
static int
to_lane(struct gan_store *s, struct gan_dlv *d, int64_t now_ms)
{
	int64_t lane = 0;
	int rc = gan_outbox_leave(s, d, false);

	d->next_ms = now_ms;
	if (rc == GAN_OK)
		rc = gan_lane_join(s, d->connector, d->key, d->id, d->replay, now_ms, &lane);
	if (rc == GAN_OK)
		rc = gan_run(s->db, GAN_SQL_DLV_LANE, GAN_I(d->id), GAN_I(lane));
	d->lane_id = lane;
	return rc < 0 ? rc : gan_correct_place(s, d, lane);
}

int
gan_outbox_back(struct gan_store *s, struct gan_dlv *d, int64_t now_ms)
{
	int rc = to_lane(s, d, now_ms);

	if (rc == GAN_OK)
		rc = gan_dlv_move(s, d, GAN_DLV_WAITING, NULL, NULL, now_ms);
	return rc < 0 ? rc : gan_lane_arm(s, d->lane_id, 0, false, now_ms);
}

int
gan_outbox_expire(struct gan_store *s, struct gan_dlv *d, int64_t now_ms)
{
	int rc = to_lane(s, d, now_ms);

	if (rc == GAN_OK)
		rc = gan_dlv_move(s, d, GAN_DLV_EXPIRED,
		    "older than valid_for when its turn to be read came", "expired", now_ms);
	return rc < 0 ? rc : gan_lane_arm(s, d->lane_id, 0, false, now_ms);
}

int
gan_outbox_return(struct gan_store *s, const char *connector, int64_t now_ms)
{
	int64_t ids[RETURN_BATCH];
	size_t n = 0;
	int rc = 0;
	sqlite3_stmt *st =
	    gan_bind(s->db, GAN_SQL_OUTBOX_NEXT, GAN_T(connector), GAN_I(0), GAN_I(RETURN_BATCH));

	while (n < RETURN_BATCH && (rc = gan_db_step(s->db, st)) > 0)
		ids[n++] = sqlite3_column_int64(st, 1);
	gan_db_rewind(&st);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct gan_dlv d GAN_AUTO(gan_dlv_fini) = { .id = 0 };

		rc = gan_dlv_load(s, ids[i], &d);
		if (rc == GAN_OK)
			rc = gan_outbox_back(s, &d, now_ms);
	}
	return rc < 0 ? rc : n == RETURN_BATCH;
}

/* ---- for people --------------------------------------------------------------------------------
 */

int
gan_outbox_shape(struct gan_store *s, int64_t delivery, struct gan_buf *b)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_OUTBOX_GET, GAN_I(delivery));
	char cursor[GAN_CURSOR_LEN];
	struct gan_reader r;
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc;
	rc = gan_reader_get(s, gan_col_text(st, 0), &r);
	gan_json_name(b, "outbox");
	gan_buf_putc(b, '{');
	gan_json_str(b, "cursor",
	    gan_cursor_write(sqlite3_column_int64(st, 1), gan_col_text(st, 0), cursor));
	gan_buf_printf(
	    b, ",\"told\":%s}", sqlite3_column_int64(st, 1) <= r.shown ? "true" : "false");
	return rc;
}

/* Two steps for each outbox, however much is in them. */
void
gan_outbox_look(struct gan_store *s)
{
	struct gan_store_counts *c = &s->now;
	sqlite3_stmt *all GAN_AUTO(gan_db_rewind) = s->db->st[GAN_SQL_READER_ALL];
	size_t n = 0;

	while (n < GAN_DUE_CONNECTORS_MAX && gan_db_step(s->db, all) > 0) {
		struct gan_outbox_count *o = &c->outboxes[n++];

		(void)snprintf(o->connector, sizeof(o->connector), "%s", gan_col_text(all, 0));
		o->backlog = sqlite3_column_int64(all, 1);
		o->oldest_ms = 0;
		if (gan_db_int(s->db, gan_bind(s->db, GAN_SQL_OUTBOX_OLDEST, GAN_T(o->connector)),
			&o->oldest_ms) < 0)
			o->oldest_ms = 0;
	}
	c->noutboxes = n;
}

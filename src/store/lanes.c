/* SPDX-License-Identifier: MIT */
/*
 * lanes.c - the queue of one (connector, key).
 *
 * A lane row exists while the lane has open deliveries and always names its
 * head, the lowest open id; a corrected copy counts by the id of its original
 * (correct.c).  Exactly one of these holds: next_ms is set (the
 * head waits and is due then), lease_until is set (the head is being sent), or
 * blocked_ms is set (the head needs a person).
 */
#include <stdlib.h>

#include "store/store_priv.h"

enum prio {
	PRIO_LIVE,
	PRIO_RETRY,
	PRIO_REPLAY,
};

struct head {
	int64_t id, next_ms;
	int64_t place; /* its id, or that of the one whose place it took */
	int state;
	enum prio prio;
};

static int
lane_find(struct gan_store *s, const char *connector, const char *key, int64_t *ret_lane,
    enum prio *ret_prio)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_LANE_FIND, GAN_T(connector), GAN_T(key));
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc < 0 ? rc : GAN_ENOENT;
	*ret_lane = sqlite3_column_int64(st, 0);
	*ret_prio = (enum prio)sqlite3_column_int(st, 1);
	return GAN_OK;
}

int
gan_lane_join(struct gan_store *s, const char *connector, const char *key, int64_t delivery_id,
    bool replay, int64_t next_ms, int64_t *ret_lane)
{
	enum prio prio = PRIO_LIVE;
	int64_t lane = 0;
	int rc = GAN_ENOENT;

	if (key != NULL)
		rc = lane_find(s, connector, key, &lane, &prio);
	if (rc == GAN_OK) {
		rc = gan_run(s->db, GAN_SQL_LANE_ADD, GAN_I(lane), GAN_I(1));
		/* It must not wait for all others because a replay stands before it. */
		if (rc == GAN_OK && prio == PRIO_REPLAY && !replay)
			rc = gan_run(s->db, GAN_SQL_LANE_PRIO, GAN_I(lane), GAN_I(PRIO_LIVE));
	} else if (rc == GAN_ENOENT) {
		lane = delivery_id;
		rc = gan_run(s->db, GAN_SQL_LANE_PUT, GAN_I(lane), GAN_T(connector), GAN_T(key),
		    GAN_I(replay ? PRIO_REPLAY : PRIO_LIVE), GAN_I(next_ms));
		gan_txn_due(s, connector);
	}
	if (rc == GAN_OK)
		*ret_lane = lane;
	return rc;
}

static int
head_read(struct gan_store *s, enum gan_sql sql, int64_t lane, struct head *ret)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, sql, GAN_I(lane));
	int rc = gan_db_step(s->db, st);

	if (rc <= 0)
		return rc;
	ret->id = sqlite3_column_int64(st, 0);
	ret->place = sqlite3_column_int64(st, sql == GAN_SQL_LANE_PLACED ? 5 : 0);
	ret->state = sqlite3_column_int(st, 1);
	ret->next_ms = sqlite3_column_int64(st, 2);
	ret->prio = sqlite3_column_int64(st, 3) > 0 ? PRIO_RETRY : PRIO_LIVE;
	if (sqlite3_column_int64(st, 4) > 0)
		ret->prio = PRIO_REPLAY;
	return 1;
}

/* The delivery that opened the lane, the first of those behind it, or one that was put in. */
static int
head_find(struct gan_store *s, int64_t lane, struct head *ret)
{
	static const enum gan_sql all[] = { GAN_SQL_LANE_FIRST, GAN_SQL_LANE_NEXT,
		GAN_SQL_LANE_PLACED };
	bool found = false;

	for (size_t i = 0; i < GAN_COUNT(all); i++) {
		struct head h;
		int rc = head_read(s, all[i], lane, &h);

		if (rc < 0)
			return rc;
		if (rc > 0 && (!found || h.place < ret->place))
			*ret = h;
		found = found || rc > 0;
	}
	return found;
}

/* A replay before live ones is as urgent as they are: one of the last of the lane is looked for. */
static int
prio_keep(struct gan_store *s, int64_t lane, int64_t open, struct head *h)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	int rc = 0;

	if (h->prio != PRIO_REPLAY || open < 2)
		return GAN_OK;
	st = gan_bind(s->db, GAN_SQL_LANE_TAIL, GAN_I(lane));
	while (h->prio == PRIO_REPLAY && (rc = gan_db_step(s->db, st)) > 0) {
		if (sqlite3_column_int64(st, 0) <= 0)
			h->prio = PRIO_LIVE;
	}
	return rc < 0 ? rc : GAN_OK;
}

static int
lane_set(struct gan_store *s, int64_t lane, const char *connector, int64_t open, int64_t now_ms)
{
	struct head h = { 0, 0, 0, 0, PRIO_LIVE };
	int rc = head_find(s, lane, &h);

	if (rc < 0)
		return rc;
	gan_must(rc > 0 && h.state != GAN_DLV_SENDING);
	rc = prio_keep(s, lane, open, &h);
	if (rc < 0)
		return rc;
	if (h.state != GAN_DLV_WAITING)
		return gan_run(s->db, GAN_SQL_LANE_BLOCK, GAN_I(lane), GAN_I(h.id), GAN_I(now_ms));
	gan_txn_due(s, connector);
	return gan_run(
	    s->db, GAN_SQL_LANE_ARM, GAN_I(lane), GAN_I(h.id), GAN_I(h.prio), GAN_I(h.next_ms));
}

int
gan_lane_arm(struct gan_store *s, int64_t lane_id, int left, bool ended, int64_t now_ms)
{
	char *connector GAN_AUTO(gan_str_free) = NULL;
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_LANE_GET, GAN_I(lane_id));
	int64_t open;
	bool leased;
	int rc = gan_db_step(s->db, st);

	if (rc < 0)
		return rc;
	gan_must(rc > 0);
	leased = !ended && sqlite3_column_type(st, 4) != SQLITE_NULL;
	open = sqlite3_column_int64(st, 2) - left;
	if (open == 0) {
		gan_db_rewind(&st);
		return gan_run(s->db, GAN_SQL_LANE_DROP, GAN_I(lane_id));
	}
	connector = gan_memdup(gan_col_text(st, 0), (size_t)sqlite3_column_bytes(st, 0));
	gan_db_rewind(&st);
	if (connector == NULL)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "lane");
	if (left != 0)
		rc = gan_run(s->db, GAN_SQL_LANE_ADD, GAN_I(lane_id), GAN_I(-left));
	/* One of the lane is on its way: its settling finds the head. */
	return rc < 0 || leased ? rc : lane_set(s, lane_id, connector, open, now_ms);
}

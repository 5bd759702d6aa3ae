/* SPDX-License-Identifier: MIT */
/*
 * effects.c - what must happen at most once, ever (design: section 9).
 *
 * A ledger row is made when a delivery's turn comes, not when it is queued:
 * then its owner is always the head of a lane, and nobody waits for a
 * delivery that itself stands behind a blocked one.  The hash is taken over
 * the body with its members sorted; a body that is no JSON is hashed as it is.
 *
 * Who waits leaves a row in effect_wait and is woken when the owner is
 * finished; a re-check once a minute is only the safety net.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "store/store_priv.h"

#define HASH_LEN GAN_SHA256_LEN

static int
body_hash(const char *body, size_t len, unsigned char out[HASH_LEN])
{
	struct gan_buf sorted GAN_AUTO(gan_buf_fini) = { .max = 64 << 20 };
	struct gan_bytes part = { body, len };
	int rc = gan_json_compact(body, len, true, &sorted);

	if (rc == GAN_OK)
		part = (struct gan_bytes){ sorted.data, sorted.len };
	else if (rc != GAN_EPARSE)
		return rc;
	return gan_sha256(&part, 1, out);
}

static void
say(struct gan_buf *why, const char *what, const char *effect, int64_t owner)
{
	char id[GAN_ID_LEN] = "";

	gan_buf_clear(why);
	if (owner != 0)
		(void)gan_id_format(GAN_ID_DELIVERY, owner, id);
	gan_buf_printf(why, "%s \"%.200s\"%s%s", what, effect, owner != 0 ? " of " : "", id);
}

static int
claim(struct gan_store *s, const struct gan_dlv *d, const unsigned char hash[HASH_LEN],
    int64_t now_ms)
{
	int rc = gan_run(s->db, GAN_SQL_EFFECT_PUT, GAN_T(d->effect), GAN_T(d->connector),
	    GAN_I(d->id), GAN_B(hash, HASH_LEN), GAN_I(now_ms));

	return rc < 0 ? rc : GAN_EFFECT_GO;
}

/* What the present owner's state means for another delivery. */
static int
against(struct gan_store *s, const struct gan_dlv *d, sqlite3_stmt *row,
    const unsigned char hash[HASH_LEN], int64_t now_ms, struct gan_buf *why)
{
	int64_t owner = sqlite3_column_int64(row, 0);
	bool equal = sqlite3_column_bytes(row, 1) == HASH_LEN &&
		     memcmp(sqlite3_column_blob(row, 1), hash, HASH_LEN) == 0;
	bool done = sqlite3_column_int(row, 2) != 0;
	bool gone = sqlite3_column_type(row, 3) == SQLITE_NULL;
	int state = sqlite3_column_int(row, 3);
	bool maybe_sent = sqlite3_column_int(row, 4) == GAN_SENT_MAYBE;
	int64_t before = sqlite3_column_int64(row, 5); /* head of the owner's lane */

	if (done && equal) {
		say(why, "delivered already: effect", d->effect, owner);
		return GAN_EFFECT_DONE;
	}
	if (!done && (gone || state == GAN_DLV_SKIPPED ||
			 ((state == GAN_DLV_DEAD || state == GAN_DLV_EXPIRED) && !maybe_sent))) {
		/* A person skipped one that may have arrived: another body must not follow it. */
		if (equal || !maybe_sent) {
			gan_db_rewind(&row);
			return claim(s, d, hash, now_ms);
		}
	}
	if (!equal) {
		say(why, "conflict: another body for the effect", d->effect, owner);
		return GAN_EFFECT_CONFLICT;
	}
	/*
	 * A person put an older one before the owner (retry after `on_dead: skip`).  When that is
	 * d, or waits for d in its turn, both would wait for ever: so who has its turn sends.
	 */
	if (!done && state == GAN_DLV_WAITING && before != 0 && before != owner) {
		if (!maybe_sent) {
			gan_db_rewind(&row);
			return claim(s, d, hash, now_ms);
		}
		if (before == d->id) {
			say(why,
			    "not sent: an attempt may have been carried out by the owner of "
			    "the effect, which now stands behind this one",
			    d->effect, owner);
			return GAN_EFFECT_CONFLICT;
		}
	}
	say(why, "waits for the effect", d->effect, owner);
	return GAN_EFFECT_WAIT;
}

static int
wait_for(struct gan_store *s, const struct gan_dlv *d, const char *effect)
{
	int rc = gan_run(s->db, GAN_SQL_EFFECT_WAIT, GAN_T(effect), GAN_I(d->id));

	return rc < 0 ? rc : GAN_EFFECT_WAIT;
}

static int
ask_own(struct gan_store *s, const struct gan_dlv *d, const char *body, size_t body_len,
    int64_t now_ms, struct gan_buf *why)
{
	unsigned char hash[HASH_LEN];
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = NULL;
	int rc = body_hash(body, body_len, hash);

	if (rc < 0)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "effect hash");
	st = gan_bind(s->db, GAN_SQL_EFFECT_GET, GAN_T(d->effect), GAN_T(d->connector));
	rc = gan_db_step(s->db, st);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return claim(s, d, hash, now_ms);
	if (sqlite3_column_int64(st, 0) == d->id)
		return GAN_EFFECT_GO;
	rc = against(s, d, st, hash, now_ms, why);
	return rc == GAN_EFFECT_WAIT ? wait_for(s, d, d->effect) : rc;
}

/* Wait for the first effect of the list that is not delivered yet. */
static int
ask_after(struct gan_store *s, const struct gan_dlv *d, const struct gan_bytes *after,
    struct gan_buf *why)
{
	const char *list = after->p;
	int64_t one;
	int rc;

	for (size_t at = 0; at < after->len; at += strlen(list + at) + 1) {
		rc = gan_db_int(
		    s->db, gan_bind(s->db, GAN_SQL_EFFECT_IS_DONE, GAN_T(list + at)), &one);
		if (rc == GAN_ENOENT) {
			say(why, "waits until delivered: effect", list + at, 0);
			rc = wait_for(s, d, list + at);
			return rc == GAN_EFFECT_WAIT ? GAN_EFFECT_AFTER : rc;
		}
		if (rc < 0)
			return rc;
	}
	return GAN_EFFECT_GO;
}

int
gan_effect_ask(struct gan_store *s, const struct gan_dlv *d, const char *body, size_t body_len,
    const struct gan_bytes *after, int64_t now_ms, struct gan_buf *why)
{
	int rc = ask_after(s, d, after, why);

	if (rc != GAN_EFFECT_GO || d->effect == NULL)
		return rc;
	return ask_own(s, d, body, body_len, now_ms, why);
}

int
gan_effect_done(struct gan_store *s, const struct gan_dlv *d, int64_t now_ms)
{
	int rc = gan_run(s->db, GAN_SQL_EFFECT_DONE, GAN_T(d->effect), GAN_T(d->connector),
	    GAN_I(d->id), GAN_I(now_ms));

	return rc < 0 ? rc : gan_effect_wake(s, d->effect, now_ms);
}

/* One that waits: due now, if it still is the head of its lane and waits. */
static int
wake_one(struct gan_store *s, int64_t id, int64_t now_ms)
{
	struct gan_dlv d GAN_AUTO(gan_dlv_fini) = { .id = 0 };
	int rc = gan_dlv_load(s, id, &d);

	if (rc == GAN_ENOENT)
		return GAN_OK;
	if (rc < 0 || d.state != GAN_DLV_WAITING || !d.held || d.lane_id == 0)
		return rc;
	d.next_ms = now_ms;
	rc = gan_dlv_move(
	    s, &d, GAN_DLV_WAITING, "the effect it waited for is decided", NULL, now_ms);
	return rc < 0 ? rc : gan_lane_arm(s, d.lane_id, 0, false, now_ms);
}

int
gan_effect_wake(struct gan_store *s, const char *effect, int64_t now_ms)
{
	int64_t from = 0, ids[64];
	size_t n;
	int rc = GAN_OK;

	do {
		sqlite3_stmt *st =
		    gan_bind(s->db, GAN_SQL_EFFECT_WAITERS, GAN_T(effect), GAN_I(from));

		for (n = 0; n < GAN_COUNT(ids) && (rc = gan_db_step(s->db, st)) > 0; n++)
			ids[n] = sqlite3_column_int64(st, 0);
		gan_db_rewind(&st);
		for (size_t i = 0; rc >= 0 && i < n; i++) {
			rc = gan_run(s->db, GAN_SQL_EFFECT_UNWAIT, GAN_T(effect), GAN_I(ids[i]));
			if (rc == GAN_OK)
				rc = wake_one(s, ids[i], now_ms);
			from = ids[i];
		}
	} while (rc >= 0 && n == GAN_COUNT(ids));
	return rc < 0 ? rc : GAN_OK;
}

static int
after_unwait(struct gan_store *s, int64_t id, const struct gan_bytes *after)
{
	const char *list = after->p;
	int rc = GAN_OK;

	for (size_t at = 0; rc == GAN_OK && at < after->len; at += strlen(list + at) + 1)
		rc = gan_run(s->db, GAN_SQL_EFFECT_UNWAIT, GAN_T(list + at), GAN_I(id));
	return rc;
}

int
gan_effect_unwait(struct gan_store *s, const struct gan_dlv *d, const struct gan_bytes *after)
{
	int rc = GAN_OK;

	if (d->effect != NULL)
		rc = gan_run(s->db, GAN_SQL_EFFECT_UNWAIT, GAN_T(d->effect), GAN_I(d->id));
	return rc == GAN_OK ? after_unwait(s, d->id, after) : rc;
}

int
gan_effect_free(struct gan_store *s, const struct gan_dlv *d, struct gan_buf *out)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(s->db, GAN_SQL_PAYLOAD_AFTER, GAN_I(d->id));
	int rc = gan_db_step(s->db, st);
	struct gan_bytes list = { NULL, 0 };

	if (rc < 0)
		return rc;
	if (rc > 0)
		list = (struct gan_bytes){ sqlite3_column_blob(st, 0),
			(size_t)sqlite3_column_bytes(st, 0) };
	if (list.len == 0)
		return GAN_ENOENT;
	for (size_t at = 0; at < list.len; at += strlen((const char *)list.p + at) + 1)
		gan_buf_printf(out, "%s\"%.200s\"", at == 0 ? "" : ", ", (const char *)list.p + at);
	rc = after_unwait(s, d->id, &list);
	gan_db_rewind(&st);
	return rc < 0 ? rc : gan_run(s->db, GAN_SQL_PAYLOAD_FREE, GAN_I(d->id));
}

int
gan_effect_hand(struct gan_store *s, const struct gan_dlv *from, int64_t to, const char *body,
    size_t body_len, int64_t now_ms)
{
	unsigned char hash[HASH_LEN];
	int rc;

	if (from->effect == NULL)
		return GAN_OK;
	rc = body_hash(body, body_len, hash);
	if (rc < 0)
		return gan_err_set(&s->db->why, GAN_ENOMEM, "effect hash");
	return gan_run(s->db, GAN_SQL_EFFECT_HAND, GAN_T(from->effect), GAN_T(from->connector),
	    GAN_I(from->id), GAN_I(to), GAN_B(hash, HASH_LEN), GAN_I(now_ms));
}

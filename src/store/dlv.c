/* SPDX-License-Identifier: MIT */
/* dlv.c - one delivery: read it, and move it to another state in the one way that keeps all books.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/config.h"
#include "store/store_priv.h"

void
gan_dlv_fini(struct gan_dlv *d)
{
	free(d->rule);
	free(d->connector);
	free(d->operation);
	free(d->key);
	free(d->effect);
	memset(d, 0, sizeof(*d));
}

static bool
copy_text(sqlite3_stmt *st, int col, char **ret)
{
	const char *text = gan_col_text(st, col);

	*ret = text == NULL ? NULL : strdup(text);
	return text == NULL || *ret != NULL;
}

int
gan_dlv_load(struct gan_store *s, int64_t id, struct gan_dlv *ret)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(s->db, GAN_SQL_DLV_GET, GAN_I(id));
	int rc = gan_db_step(s->db, st);

	memset(ret, 0, sizeof(*ret));
	if (rc <= 0)
		return rc < 0 ? rc : GAN_ENOENT;
	ret->id = id;
	ret->event_id = sqlite3_column_int64(st, 1);
	ret->state = sqlite3_column_int(st, 7);
	ret->attempts = sqlite3_column_int64(st, 8);
	ret->next_ms = sqlite3_column_int64(st, 9);
	ret->lane_id = sqlite3_column_int64(st, 14);
	ret->replay = sqlite3_column_int64(st, 15) > 0;
	ret->copy = sqlite3_column_int64(st, 15) < 0;
	ret->created_ms = sqlite3_column_int64(st, 16);
	ret->first_sent_ms = sqlite3_column_int64(st, 17);
	ret->valid_until_ms = sqlite3_column_int64(st, 18);
	ret->on_unknown = sqlite3_column_int(st, 19);
	ret->on_dead = sqlite3_column_int(st, 20);
	ret->maybe_sent = (enum gan_sent)sqlite3_column_int(st, 21);
	ret->held = sqlite3_column_int(st, 22) != 0;
	if (copy_text(st, 2, &ret->rule) && copy_text(st, 3, &ret->connector) &&
	    copy_text(st, 4, &ret->operation) && copy_text(st, 5, &ret->key) &&
	    copy_text(st, 6, &ret->effect))
		return GAN_OK;
	gan_dlv_fini(ret);
	return gan_err_set(&s->db->why, GAN_ENOMEM, "delivery");
}

bool
gan_dlv_is_open(const struct gan_dlv *d, int state)
{
	switch (state) {
	case GAN_DLV_DELIVERED:
	case GAN_DLV_SKIPPED:
		return false;
	case GAN_DLV_DEAD:
		return d->on_dead == GAN_ON_DEAD_BLOCK;
	default:
		return true;
	}
}

static bool
needs_a_person(int state)
{
	return state == GAN_DLV_UNKNOWN || state == GAN_DLV_DEAD || state == GAN_DLV_EXPIRED;
}

static int
attention_keep(
    struct gan_store *s, const struct gan_dlv *d, int to, const char *kind, int64_t now_ms)
{
	bool had = needs_a_person(d->state), has = needs_a_person(to);

	if (has != had)
		s->txn.attention += has ? 1 : -1;
	if (has)
		return gan_run(s->db, GAN_SQL_ATTENTION_PUT, GAN_I(d->id), GAN_T("d"), GAN_T(kind),
		    GAN_I(now_ms));
	return had ? gan_run(s->db, GAN_SQL_ATTENTION_DROP, GAN_I(d->id), GAN_T("d")) : GAN_OK;
}

/* Delivered: it holds for ever. Dead, skipped or expired: the next one takes over. */
static int
effect_keep(struct gan_store *s, const struct gan_dlv *d, int to, int64_t now_ms)
{
	if (d->effect == NULL || to == GAN_DLV_WAITING || to == GAN_DLV_UNKNOWN)
		return GAN_OK;
	return to == GAN_DLV_DELIVERED ? gan_effect_done(s, d, now_ms)
				       : gan_effect_wake(s, d->effect, now_ms);
}

int
gan_dlv_move(struct gan_store *s, struct gan_dlv *d, int to, const char *reason, const char *kind,
    int64_t now_ms)
{
	bool closes = d->lane_id != 0 && !gan_dlv_is_open(d, to);
	int rc;

	gan_state_must(&gan_delivery_states, d->state, to);
	rc = gan_outbox_has(d) && to != GAN_DLV_WAITING
		 ? gan_outbox_leave(s, d, to == GAN_DLV_DELIVERED)
		 : GAN_OK;
	if (rc < 0)
		return rc;
	rc = gan_run(s->db, closes ? GAN_SQL_DLV_CLOSE : GAN_SQL_DLV_STATE, GAN_I(d->id), GAN_I(to),
	    GAN_I(d->next_ms), GAN_I(d->attempts), GAN_I0(d->first_sent_ms), GAN_I(d->maybe_sent),
	    GAN_I(d->held), GAN_T(reason), GAN_I0(d->valid_until_ms));
	if (rc == GAN_OK && closes && d->copy)
		rc = gan_run(s->db, GAN_SQL_PLACE_DROP, GAN_I(d->lane_id), GAN_I(d->id));
	if (rc == GAN_OK)
		rc = attention_keep(s, d, to, kind, now_ms);
	s->txn.deliveries[d->state]--;
	s->txn.deliveries[to]++;
	d->state = to;
	if (to != GAN_DLV_WAITING && to != GAN_DLV_SENDING)
		gan_watch_touch(s, d->event_id);
	if (rc == GAN_OK)
		rc = effect_keep(s, d, to, now_ms);
	return rc < 0 ? rc : gan_answer_make(s, d, now_ms);
}

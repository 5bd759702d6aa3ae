/* SPDX-License-Identifier: MIT */
/*
 * newest.c - `newest` of a rule: an older state must not follow a newer one.
 *
 * Looked at when the turn of a delivery comes, and kept when it goes, so that it
 * holds for those that come late, for retries of what was dead, and for replays
 * alike.  What went may yet fail: an older one is not sent for that, since nobody
 * can know what became of the newer one.
 */
#include <string.h>

#include "store/store_priv.h"

int
gan_newest_ask(struct gan_store *s, const struct gan_dlv *d, const char *value, struct gan_buf *why)
{
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) = gan_bind(
	    s->db, GAN_SQL_NEWEST_GET, GAN_T(d->connector), GAN_T(d->operation), GAN_T(d->key));
	int rc = gan_db_step(s->db, st);
	char id[GAN_ID_LEN];
	const char *went;

	if (rc <= 0)
		return rc < 0 ? rc : GAN_EFFECT_GO;
	went = (const char *)sqlite3_column_text(st, 0);
	if (strcmp(value, went) >= 0)
		return GAN_EFFECT_GO;
	(void)gan_id_format(GAN_ID_DELIVERY, sqlite3_column_int64(st, 1), id);
	gan_buf_printf(why,
	    "not sent: \"%.200s\" is older than \"%.200s\" of %s, which went before", value, went,
	    id);
	return GAN_EFFECT_OLDER;
}

int
gan_newest_put(struct gan_store *s, const struct gan_dlv *d, const char *value)
{
	return gan_run(s->db, GAN_SQL_NEWEST_PUT, GAN_T(d->connector), GAN_T(d->operation),
	    GAN_T(d->key), GAN_T(value), GAN_I(d->id));
}

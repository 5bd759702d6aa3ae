/* SPDX-License-Identifier: MIT */
/* recover.c - what a start has to write, also when it finds no room for it. */
#include "base/clock.h"
#include "store/store_priv.h"

#define RETRY_MS 1000

/* In one transaction, as many as were in flight. */
static int
void_leases(struct gan_store *s, int64_t now_ms)
{
	int64_t head = 0;
	sqlite3_stmt *st;
	int rc = gan_db_run_vals(s->db, GAN_SQL_BEGIN, NULL, 0);

	gan_txn_begin(s);
	while (rc == GAN_OK) {
		st = s->db->st[GAN_SQL_LANE_ANY_LEASED];
		rc = gan_db_step(s->db, st);
		head = rc > 0 ? sqlite3_column_int64(st, 1) : 0;
		gan_db_rewind(&st);
		if (rc <= 0)
			break;
		rc = gan_lease_lost(s, head, "the gateway stopped while sending", now_ms);
	}
	if (rc == GAN_OK)
		rc = gan_counters_flush(s);
	if (rc == GAN_OK)
		rc = gan_db_run_vals(s->db, GAN_SQL_COMMIT, NULL, 0);
	if (rc == GAN_OK)
		gan_txn_apply(s);
	else
		gan_db_rollback(s->db);
	return rc;
}

int
gan_recover(struct gan_store *s)
{
	int rc = s->leases_stand ? void_leases(s, gan_wall_ms()) : GAN_OK;

	if (rc == GAN_OK) {
		s->leases_stand = false;
		do {
			rc = gan_seen_digest(s);
		} while (rc > 0);
	}
	if (rc == GAN_EFULL)
		s->now.full = true;
	s->recover_ms = gan_mono_ms() + RETRY_MS;
	return rc;
}

bool
gan_recover_due(const struct gan_store *s)
{
	return (s->leases_stand || gan_seen_is_behind(s)) && gan_mono_ms() >= s->recover_ms;
}

/* SPDX-License-Identifier: MIT */
/*
 * fill.c - a store with N waiting deliveries, as the daemon would have left it.
 *
 *	fill PATH N			makes it, or adds N to what is there
 *	fill PATH N --keep-wal		the same, without any checkpoint, and dies by
 *					SIGKILL with everything in the WAL
 *
 * Opens the file as the daemon does and runs the store's own statements; only
 * the syncs and the checkpoints are left out.  One event makes one delivery.
 * Of ten keys eight are of one delivery alone; the rest share lanes of a
 * hundred.  Keys come in random order, as order numbers of many senders do.
 * The connector is paused, so that a daemon that opens the file leaves all of
 * it where it is.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hmac.h"
#include "conf/config.h"
#include "store/store_priv.h"

#define CONNECTOR "flex2b"
#define GROUP 64            /* events in one row of the dedupe log, as under load */
#define COMMIT_EVERY 250000 /* events */
#define PER_MS 2
#define SHARED 5 /* one of so many shares its lane */
#define LANE 100
#define LANES_AT_ONCE 1000

struct fill {
	struct gan_store *s;
	int64_t n, total, time_ms;
};

static void
must(struct fill *f, int rc, const char *what)
{
	if (rc >= 0)
		return;
	(void)fprintf(stderr, "fill: %s: %s\n", what, f->s->db->why.msg);
	exit(1);
}

/* Numbers without order, the same in each run, none twice. */
static uint64_t
scatter(int64_t n)
{
	uint64_t x = (uint64_t)n + UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static const char *
uuid_of(int64_t id, char uuid[37])
{
	uint64_t a = scatter(id), b = scatter(~id);

	(void)snprintf(uuid, 37, "%08llx-%04llx-5%03llx-a%03llx-%012llx",
	    (unsigned long long)(a >> 32), (unsigned long long)(a >> 16 & 0xffff),
	    (unsigned long long)(a >> 4 & 0xfff), (unsigned long long)(b >> 48 & 0xfff),
	    (unsigned long long)(b & UINT64_C(0xffffffffffff)));
	return uuid;
}

static void
make_key(int64_t id, int64_t n, char *key, size_t size)
{
	int64_t shared = n / SHARED;
	int64_t round = shared / ((int64_t)LANE * LANES_AT_ONCE);

	/* Any number of fills into one file: an own key comes from the event's id. */
	if (n % SHARED == 0)
		(void)snprintf(key, size, "lot/S%013llu",
		    (unsigned long long)(scatter(round * LANES_AT_ONCE + shared % LANES_AT_ONCE) %
					 UINT64_C(10000000000000)));
	else
		(void)snprintf(key, size, "lot/LOT-%016llx", (unsigned long long)scatter(id));
}

static int
make_body(int64_t n, char *body, size_t size)
{
	static const char words[] =
	    "A comment of the length that people write when they have a moment, and no longer "
	    "than that; some go on and tell what the shift before has left undone, who was asked, "
	    "and where the key of the cage is to be found when the forklift is away for service. "
	    "Others say that the pallet is wet. Others say that the pallet is dry again, but not "
	    "sound: it was turned, strapped, labelled and moved to the far side.";
	int comment = (int)(scatter(n) % 400);

	return snprintf(body, size,
	    "[{\"code\":\"LOT-%lld\",\"creation-date\":\"2026-11-21T19:02:11.123Z\","
	    "\"supplier-lot\":\"agriculture1\",\"product\":{\"id\":222,\"code\":\"product-code\","
	    "\"uom\":\"kg\"},\"n\":%lld,\"quantity\":10.5,\"comment\":\"%.*s\",\"worker\":{\"id\":"
	    "333,\"number\":0,\"name\":\"worker-name\"},\"shipping\":{\"id\":666,\"code\":"
	    "\"shipping-code\"}}]",
	    (long long)n, (long long)n, comment, words);
}

static void
put_event(struct fill *f, int64_t id)
{
	char meta[512], body[1024], uuid[37];
	int len = make_body(f->total, body, sizeof(body));

	(void)snprintf(meta, sizeof(meta),
	    "{\"topic_raw\":\"lot_created\",\"webhook_uuid\":\"%s\","
	    "\"triggered_at\":\"2026-11-21T19:02:11.123Z\",\"api_version\":\"1\",\"content_type\":"
	    "\"application/json\",\"remote\":\"127.0.0.1\",\"signature\":{\"header\":"
	    "\"x-prodsmart-hmac-sha256\",\"form\":\"sha256-hex\",\"secret\":1}}",
	    uuid_of(id, uuid));
	must(f,
	    gan_run(f->s->db, GAN_SQL_EVENT_PUT, GAN_I(id), GAN_T("prodsmart"),
		GAN_T("lot.created"), GAN_T("lot_created"), GAN_I(f->time_ms), GAN_T(meta),
		GAN_B(body, (size_t)len)),
	    "event");
	must(f,
	    gan_run(f->s->db, GAN_SQL_MAPPING_PUT, GAN_I(id), GAN_I(GAN_EVENT_MAPPED),
		GAN_I(f->time_ms), GAN_I(1)),
	    "mapping");
	f->s->txn.last_event = f->s->txn.map_cursor = id;
	f->s->txn.events[GAN_EVENT_MAPPED]++;
}

static void
put_delivery(struct fill *f, int64_t event)
{
	int64_t id = gan_id_next(f->s->txn.last_delivery, f->time_ms), lane = 0;
	char key[64], body[512], uuid[37];
	int len;

	make_key(id, f->total, key, sizeof(key));
	len = snprintf(body, sizeof(body),
	    "{\"repLines\":[{\"apiuuid\":\"%s\",\"apiid\":\"PH\","
	    "\"senderidentification\":\"bench\",\"nodes\":[{\"name\":\"pallet_#\",\"value\":\"%s\"},"
	    "{\"name\":\"grower_c\",\"value\":\"agriculture1\"},{\"name\":\"variety\",\"value\":"
	    "\"product-code\"},{\"name\":\"weight\",\"value\":\"10.5\"},{\"name\":\"location\","
	    "\"value\":\"warehouse-location-code\"}]}]}",
	    uuid_of(id, uuid), key);
	must(f, gan_lane_join(f->s, CONNECTOR, key, id, false, f->time_ms, &lane), "lane");
	must(f,
	    gan_run(f->s->db, GAN_SQL_DLV_PUT, GAN_I(id), GAN_I(event), GAN_T("bench"), GAN_I(0),
		GAN_T(CONNECTOR), GAN_T("replicationpost"), GAN_I(lane), GAN_T(key), GAN_NULL,
		GAN_I(f->time_ms), GAN_NULL, GAN_I(GAN_ON_UNKNOWN_RESEND), GAN_I(GAN_ON_DEAD_BLOCK),
		GAN_I(gan_key_part(f->s->txn.made))),
	    "delivery");
	must(f,
	    gan_run(f->s->db, GAN_SQL_PAYLOAD_PUT, GAN_I(id), GAN_B(body, (size_t)len), GAN_NULL),
	    "payload");
	f->s->txn.made++;
	f->s->txn.last_delivery = id;
	f->s->txn.deliveries[GAN_DLV_WAITING]++;
}

static void
remember(struct fill *f, int64_t event)
{
	struct gan_txn *t = &f->s->txn;
	struct gan_dedupe_entry *e = &t->seen[t->nseen++];
	uint64_t hash[2] = { scatter(event), scatter(~event) };

	memcpy(e->hash, hash, sizeof(e->hash));
	e->event_id = event;
	t->seen_ms = f->time_ms;
	if (t->nseen < GROUP)
		return;
	/* Retention keeps about as much of the log as the window holds. */
	if (f->n - f->total <= GAN_DEDUPE_DEFAULT) {
		must(f, gan_seen_write(f->s), "dedupe log");
		gan_seen_apply(f->s);
	}
	t->nseen = 0;
	t->digested = false;
}

static void
begin(struct fill *f)
{
	gan_txn_begin(f->s);
	must(f, gan_db_run_vals(f->s->db, GAN_SQL_BEGIN, NULL, 0), "begin");
}

static void
commit(struct fill *f)
{
	f->s->txn.nseen = 0;
	must(f, gan_counters_flush(f->s), "counters");
	must(f, gan_db_run_vals(f->s->db, GAN_SQL_COMMIT, NULL, 0), "commit");
	gan_txn_apply(f->s);
}

static void
pause_connector(struct fill *f)
{
	int64_t now = f->time_ms, id = gan_id_next(f->s->last_audit, now);
	sqlite3_stmt *st GAN_AUTO(gan_db_rewind) =
	    gan_bind(f->s->db, GAN_SQL_PAUSE_GET, GAN_T(CONNECTOR));
	int paused = gan_db_step(f->s->db, st);

	must(f, paused, "pause");
	if (paused > 0)
		return;
	must(f,
	    gan_run(f->s->db, GAN_SQL_PAUSE_PUT, GAN_T(CONNECTOR), GAN_NULL, GAN_I(now),
		GAN_T("fill(0)")),
	    "pause");
	must(f,
	    gan_run(f->s->db, GAN_SQL_AUDIT_PUT, GAN_I(id), GAN_I(now), GAN_T("fill(0)"),
		GAN_T("pause"), GAN_T(CONNECTOR), GAN_NULL, GAN_T("running"), GAN_T("paused")),
	    "audit");
}

static void
open_store(struct fill *f, const char *path, bool keep_wal)
{
	struct gan_err err = { .code = GAN_OK };
	struct gan_store *s = calloc(1, sizeof(*s));

	gan_must(s != NULL);
	f->s = s;
	s->window = gan_window_new(0);
	if (s->window == NULL || gan_db_open(path, &s->db, &err) < 0) {
		(void)fprintf(stderr, "fill: %s: %s\n", path, err.msg);
		exit(1);
	}
	(void)sqlite3_hard_heap_limit64(0);
	must(f, gan_counters_load(s), "counters");
	must(f, gan_seen_load(s), "dedupe log");
	must(f, gan_db_exec(s->db, "PRAGMA synchronous=OFF"), "synchronous");
	if (!keep_wal)
		must(f, gan_db_exec(s->db, "PRAGMA cache_size=-3000000; PRAGMA cache_spill=OFF"),
		    "cache_size");
}

int
main(int argc, char **argv)
{
	bool keep_wal = argc == 4 && strcmp(argv[3], "--keep-wal") == 0;
	struct fill f = { .n = argc > 2 ? strtoll(argv[2], NULL, 10) : 0 };

	if ((argc != 3 && !keep_wal) || f.n <= 0) {
		(void)fprintf(stderr, "usage: fill PATH N [--keep-wal]\n");
		return 64;
	}
	open_store(&f, argv[1], keep_wal);
	f.time_ms = gan_wall_ms() - f.n / PER_MS - 1000;
	begin(&f);
	pause_connector(&f);
	for (f.total = 0; f.total < f.n; f.total++) {
		int64_t event = gan_id_next(f.s->txn.last_event, f.time_ms);

		put_event(&f, event);
		put_delivery(&f, event);
		remember(&f, event);
		f.time_ms += f.total % PER_MS == 0;
		if ((f.total + 1) % COMMIT_EVERY == 0) {
			commit(&f);
			if (!keep_wal)
				gan_db_checkpoint(f.s->db, false);
			begin(&f);
		}
	}
	commit(&f);
	if (keep_wal)
		(void)raise(SIGKILL);
	gan_db_checkpoint(f.s->db, true);
	gan_window_free(&f.s->window);
	gan_db_free(&f.s->db);
	free(f.s->seen);
	free(f.s);
	return 0;
}

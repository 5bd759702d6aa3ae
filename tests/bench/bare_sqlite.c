/* SPDX-License-Identifier: MIT */
/*
 * bare_sqlite.c - the ceiling of the store: the very rows of an accepted
 * webhook that no rule listens to, G of them in one COMMIT, through the store's
 * own connection and statements, in a loop without anything around it.
 *
 *	bare_sqlite FOLDER SECONDS G...		prints one JSON object per G
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "store/db.h"

#define COMMITS_MAX 200000
#define CHECKPOINT_FRAMES 1000 /* as the store's */

static void
put_event(struct gan_db *db, int64_t id)
{
	static char body[700];
	static const char meta[] =
	    "{\"topic_raw\":\"lot_created\",\"webhook_uuid\":\"91cb972d-b476-4936-947c-4be471b9da5b\","
	    "\"triggered_at\":\"2026-11-21T19:02:11.123Z\",\"api_version\":\"1\",\"content_type\":"
	    "\"application/json\",\"remote\":\"127.0.0.1\",\"signature\":{\"header\":"
	    "\"x-prodsmart-hmac-sha256\",\"form\":\"sha256-hex\",\"secret\":1}}";

	(void)snprintf(body, sizeof(body), "{\"n\":%lld}", (long long)id);
	gan_must(gan_run(db, GAN_SQL_EVENT_PUT, GAN_I(id), GAN_T("prodsmart"), GAN_T("lot.created"),
		     GAN_T("lot_created"), GAN_I(gan_wall_ms()), GAN_T(meta),
		     GAN_B(body, sizeof(body))) == GAN_OK);
	gan_must(gan_run(db, GAN_SQL_MAPPING_PUT, GAN_I(id), GAN_I(2), GAN_I(gan_wall_ms()),
		     GAN_I(1)) == GAN_OK);
}

/* What each COMMIT adds: hashes of its events, counters, how far mapping has come. */
static void
put_rest(struct gan_db *db, int64_t n, int64_t last, long group)
{
	static char hashes[24 * 1024];

	gan_must(gan_run(db, GAN_SQL_DEDUPE_PUT, GAN_I(n), GAN_I(gan_wall_ms()),
		     GAN_B(hashes, 24 * (size_t)group)) == GAN_OK);
	gan_must(gan_run(db, GAN_SQL_COUNTER_ADD, GAN_I(2), GAN_I(group)) == GAN_OK);
	gan_must(
	    gan_run(db, GAN_SQL_TOPIC_ADD, GAN_T("prodsmart/lot.created"), GAN_I(group)) == GAN_OK);
	gan_must(gan_run(db, GAN_SQL_MARK_SET, GAN_T("mapped"), GAN_I(last)) == GAN_OK);
}

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
cpu_us(void)
{
	struct rusage u;

	gan_must(getrusage(RUSAGE_SELF, &u) == 0);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void
measure(struct gan_db *db, long seconds, long group)
{
	int64_t *took = calloc(COMMITS_MAX, sizeof(*took)), id = gan_id_floor(gan_wall_ms());
	int64_t start = gan_mono_us(), end = start + seconds * 1000000, now = start;
	double cpu = cpu_us(), spent;
	long commits = 0;

	gan_must(took != NULL);
	for (; now < end && commits < COMMITS_MAX; commits++) {
		gan_must(gan_db_run_vals(db, GAN_SQL_BEGIN, NULL, 0) == GAN_OK);
		for (long i = 0; i < group; i++)
			put_event(db, id = gan_id_next(id, gan_wall_ms()));
		put_rest(db, commits + 1, id, group);
		gan_must(gan_db_run_vals(db, GAN_SQL_COMMIT, NULL, 0) == GAN_OK);
		if (db->wal_frames >= CHECKPOINT_FRAMES)
			gan_db_checkpoint(db, false);
		took[commits] = gan_mono_us() - now;
		now += took[commits];
	}
	spent = (double)(now - start) / 1e6;
	qsort(took, (size_t)commits, sizeof(*took), compare);
	(void)printf("{\"group\":%ld,\"commits\":%ld,\"rate\":%.0f,\"cpu_us\":%.1f,\"p50_ms\":%.2f,"
		     "\"p99_ms\":%.2f}\n",
	    group, commits, (double)(commits * group) / spent,
	    (cpu_us() - cpu) / (double)(commits * group), (double)took[commits / 2] / 1000,
	    (double)took[commits * 99 / 100] / 1000);
	(void)fflush(stdout);
	free(took);
}

static void
forget(const char *path)
{
	char *wal = gan_asprintf("%s-wal", path);

	gan_must(wal != NULL);
	(void)unlink(path);
	(void)unlink(wal);
	free(wal);
}

int
main(int argc, char **argv)
{
	char *path;

	if (argc < 4) {
		(void)fprintf(stderr, "usage: bare_sqlite FOLDER SECONDS G...\n");
		return 64;
	}
	path = gan_path_join(argv[1], "bare.db");
	gan_must(path != NULL);
	for (int i = 3; i < argc; i++) {
		long group = strtol(argv[i], NULL, 10);
		struct gan_err err = { 0 };
		struct gan_db *db = NULL;

		if (group < 1 || group > 1024) {
			(void)fprintf(stderr, "bare_sqlite: a group has 1 to 1024 rows\n");
			return 64;
		}
		if (gan_db_open(path, &db, &err) < 0) {
			(void)fprintf(stderr, "bare_sqlite: %s\n", err.msg);
			return 1;
		}
		measure(db, strtol(argv[2], NULL, 10), group);
		gan_db_free(&db);
		forget(path);
	}
	free(path);
	return 0;
}

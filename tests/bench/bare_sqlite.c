/* SPDX-License-Identifier: MIT */
/*
 * bare_sqlite.c - the ceiling of the store: rows like those of an accepted
 * webhook, G of them in one COMMIT, with the settings of the store (WAL,
 * synchronous=FULL), in a loop without anything around it.
 *
 *	bare_sqlite FOLDER SECONDS G...		prints one JSON object per G
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"

static void
must_exec(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
		(void)fprintf(stderr, "bare_sqlite: %s: %s\n", sql, why);
		exit(1);
	}
}

static sqlite3 *
open_db(const char *path)
{
	sqlite3 *db;

	if (sqlite3_open_v2(path, &db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		NULL) != SQLITE_OK) {
		(void)fprintf(stderr, "bare_sqlite: %s: %s\n", path, sqlite3_errmsg(db));
		exit(1);
	}
	must_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA auto_vacuum=INCREMENTAL;"
		      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=0;"
		      "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8192;");
	must_exec(db,
	    "CREATE TABLE event(id INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, source TEXT NOT "
	    "NULL, topic TEXT NOT NULL, topic_raw TEXT NOT NULL, meta TEXT NOT NULL, state INTEGER "
	    "NOT NULL, reason TEXT, body BLOB NOT NULL);"
	    "CREATE TABLE dedupe(n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, hashes BLOB NOT NULL);");
	return db;
}

static void
insert_event(sqlite3_stmt *st, int64_t id)
{
	static char body[700];
	static const char meta[] =
	    "{\"api_version\":\"1\",\"webhook_uuid\":\"91cb972d-b476-4936-947c-"
	    "4be471b9da5b\",\"triggered_at\":\"2026-11-21T19:02:11.123Z\","
	    "\"remote\":\"127.0.0.1\",\"signature\":\"sha256-hex\"}";

	(void)snprintf(body, sizeof(body), "{\"n\":%lld}", (long long)id);
	(void)sqlite3_bind_int64(st, 1, id);
	(void)sqlite3_bind_int64(st, 2, gan_wall_ms());
	(void)sqlite3_bind_text(st, 3, "prodsmart", -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(st, 4, "lot.created", -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(st, 5, "lot_created", -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(st, 6, meta, -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 7, body, sizeof(body), SQLITE_STATIC);
	gan_must(sqlite3_step(st) == SQLITE_DONE && sqlite3_reset(st) == SQLITE_OK);
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

#define COMMITS_MAX 200000

static void
measure(sqlite3 *db, long seconds, long group)
{
	sqlite3_stmt *event, *dedupe;
	int64_t *took = calloc(COMMITS_MAX, sizeof(*took)), id = gan_id_floor(gan_wall_ms());
	int64_t start = gan_mono_us(), end = start + seconds * 1000000, now = start;
	double cpu = cpu_us(), spent;
	char hashes[16 * 1024] = { 0 };
	long commits = 0;

	gan_must(took != NULL);
	gan_must(sqlite3_prepare_v2(db, "INSERT INTO event VALUES(?,?,?,?,?,?,0,NULL,?)", -1,
		     &event, NULL) == SQLITE_OK);
	gan_must(sqlite3_prepare_v2(db, "INSERT INTO dedupe(at_ms,hashes) VALUES(?,?)", -1, &dedupe,
		     NULL) == SQLITE_OK);
	for (; now < end && commits < COMMITS_MAX; commits++) {
		must_exec(db, "BEGIN IMMEDIATE");
		for (long i = 0; i < group; i++)
			insert_event(event, id = gan_id_next(id, gan_wall_ms()));
		(void)sqlite3_bind_int64(dedupe, 1, gan_wall_ms());
		(void)sqlite3_bind_blob(dedupe, 2, hashes, (int)(16 * group), SQLITE_STATIC);
		gan_must(sqlite3_step(dedupe) == SQLITE_DONE);
		gan_must(sqlite3_reset(dedupe) == SQLITE_OK);
		must_exec(db, "COMMIT");
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
	(void)sqlite3_finalize(event);
	(void)sqlite3_finalize(dedupe);
	free(took);
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
		sqlite3 *db = open_db(path);

		if (group < 1 || group > 1024) {
			(void)fprintf(stderr, "bare_sqlite: a group has 1 to 1024 rows\n");
			return 64;
		}
		measure(db, strtol(argv[2], NULL, 10), group);
		(void)sqlite3_close(db);
		(void)unlink(path);
	}
	free(path);
	return 0;
}

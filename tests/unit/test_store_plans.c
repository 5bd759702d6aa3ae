/* SPDX-License-Identifier: MIT */
/*
 * test_store_plans.c - no statement of the store reads more when more waits.
 *
 * The plan of every statement in sql.h, asked from SQLite itself.  The store
 * never runs ANALYZE, so a plan depends on the schema alone: what is found on
 * an empty file holds with ten million rows.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/db.h"

static struct gan_db *db;

static void
setup(void)
{
	struct gan_err err = { .code = GAN_OK };

	ck_assert_msg(gan_db_open(":memory:", &db, &err) == GAN_OK, "%s", err.msg);
}

static void
teardown(void)
{
	gan_db_free(&db);
}

#define X(name, text) #name,
static const char *const names[] = { GAN_SQL_MAP(X) };
#undef X

/* Read whole, or sorted, and why it costs the same however many deliveries wait. */
static const struct {
	enum gan_sql sql;
	const char *why;
} bounded[] = {
	{ GAN_SQL_LANE_ANY_LEASED, "its index holds what is in flight; one row" },
	{ GAN_SQL_QUAR_OLDEST, "one row, from the edge" },
	{ GAN_SQL_DLV_FIRST_PART, "one row, from the edge" },
	{ GAN_SQL_QUAR_SUM, "at start: the ring, 1,000 rows at most" },
	{ GAN_SQL_FEED_OLDEST, "one row, from the edge" },
	{ GAN_SQL_FEED_ALL, "at start: one row for each channel that was ever read" },
	{ GAN_SQL_RECON_ALL, "at start: five rows for each source that was ever reconciled" },
	{ GAN_SQL_PAUSE_LIST, "at start: one row for each paused connector" },
	{ GAN_SQL_READER_ALL, "one row for each connector that was ever pulled" },
	{ GAN_SQL_COUNTER_ALL, "at start: a dozen rows" },
	{ GAN_SQL_TOPIC_ALL, "at start: 256 rows at most" },
	{ GAN_SQL_DIGEST_ALL, "at start: what the duplicate window holds" },
};

static bool
is_bounded(size_t sql)
{
	for (size_t i = 0; i < GAN_COUNT(bounded); i++) {
		if ((size_t)bounded[i].sql == sql)
			return true;
	}
	return false;
}

START_TEST(no_statement_scans)
{
	const char *text = sqlite3_sql(db->st[_i]);
	char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", text);
	sqlite3_stmt *st = NULL;

	ck_assert_int_eq(sqlite3_prepare_v2(db->h, explain, -1, &st, NULL), SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		const char *detail = gan_col_text(st, 3);
		bool reads_all =
		    strstr(detail, "SCAN") != NULL || strstr(detail, "TEMP B-TREE") != NULL;

		ck_assert_msg(
		    !reads_all || is_bounded((size_t)_i), "%s: %s\n%s", names[_i], detail, text);
	}
	(void)sqlite3_finalize(st);
	sqlite3_free(explain);
}
END_TEST

/* The entities that are listed no more are looked for among those that were, not among all. */
START_TEST(what_is_gone_is_found_at_once)
{
	sqlite3_stmt *st = db->st[GAN_SQL_SEEN_UNLISTED];

	ck_assert_int_eq(
	    gan_db_exec(db,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
		" INSERT INTO reconcile_seen(source, type, entity, told, listed_ms, at_ms)"
		" SELECT 's', 't', printf('%05d', i), x'', CASE WHEN i = 15000 THEN 7 END, i FROM n"),
	    GAN_OK);
	(void)sqlite3_stmt_status(st, SQLITE_STMTSTATUS_VM_STEP, 1);
	ck_assert_ptr_eq(
	    gan_bind(db, GAN_SQL_SEEN_UNLISTED, GAN_T("s"), GAN_T("t"), GAN_I(8), GAN_T("")), st);
	ck_assert_int_eq(gan_db_step(db, st), 1);
	ck_assert_str_eq(gan_col_text(st, 0), "15000");
	gan_db_rewind(&st);
	st = gan_bind(db, GAN_SQL_SEEN_UNLISTED, GAN_T("s"), GAN_T("t"), GAN_I(8), GAN_T("15000"));
	ck_assert_int_eq(gan_db_step(db, st), 0);
	ck_assert_int_lt(sqlite3_stmt_status(st, SQLITE_STMTSTATUS_VM_STEP, 0), 500);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store-plans");
	TCase *tc = tcase_create("plans");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, no_statement_scans, 0, GAN_SQL_COUNT);
	tcase_add_test(tc, what_is_gone_is_found_at_once);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

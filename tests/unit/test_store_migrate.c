/* SPDX-License-Identifier: MIT */
/* test_store_migrate.c - databases of another version than ours. */
#include <sqlite3.h>

#include "store_help.h"

/* With a connection of our own, while the store is closed. */
static void
run_sql(const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	ck_assert_msg(
	    sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

static int64_t
number(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *q;
	int64_t v;

	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
	v = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return v;
}

/* What later versions added is taken away: that is a database as version 1 wrote it. */
START_TEST(an_older_database_is_brought_up_with_all_it_holds)
{
	int64_t event = put("{\"kept\":true}"), version;
	int from, to;

	ck_assert(!gan_store_upgraded(st, &from, &to));

	shut();
	version = number("PRAGMA user_version");
	ck_assert_int_ge(version, 2);
	run_sql(
	    "DROP INDEX audit_object; DROP TABLE dedupe_digest; DROP INDEX delivery_key;"
	    "ALTER TABLE delivery DROP COLUMN part; CREATE INDEX delivery_key ON delivery(key)"
	    " WHERE key IS NOT NULL; DELETE FROM mark WHERE name = 'made';"
	    "DROP TABLE revision; DROP TABLE place; DROP TABLE answer; DROP TABLE outbox; DROP TABLE outbox_reader; DROP TABLE replay;"
	    "DROP TABLE feed_channel; DROP TABLE feed_spool; DROP TABLE reconcile_seen; DROP TABLE"
	    " reconcile_mark;"
	    "DROP TABLE newest; ALTER TABLE payload DROP COLUMN newest;"
	    "PRAGMA user_version=1");
	reopen();
	ck_assert(gan_store_upgraded(st, &from, &to));
	ck_assert_int_eq(from, 1);
	ck_assert_int_eq(to, version);
	cJSON *t = ask((struct gan_query){ .kind = GAN_QUERY_EVENT, .text = event_text(event) });

	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(t, "state")), "received");
	cJSON_Delete(t);
	shut();
	ck_assert_int_eq(number("PRAGMA user_version"), version);
	ck_assert_int_eq(
	    number("SELECT count(*) FROM sqlite_schema WHERE name = 'audit_object'"), 1);
	reopen();
}
END_TEST

START_TEST(a_newer_database_is_refused_and_left_alone)
{
	struct gan_store *other = NULL;

	shut();
	ck_assert_int_eq(number("PRAGMA application_id"), 0x47414e54);
	run_sql("PRAGMA user_version=99");
	ck_assert_int_eq(gan_store_open(&loop, &opt, &other, &err), GAN_ECONFIG);
	ck_assert_ptr_null(other);
	ck_assert_msg(strstr(err.msg, "has format 99") != NULL, "%s", err.msg);
	ck_assert_int_eq(number("PRAGMA user_version"), 99);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store-migrate");
	TCase *tc = tcase_create("migrate");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_older_database_is_brought_up_with_all_it_holds);
	tcase_add_test(tc, a_newer_database_is_refused_and_left_alone);
	suite_add_tcase(s, tc);
	return run_suite(s);
}

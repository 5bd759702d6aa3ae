/* SPDX-License-Identifier: MIT */
/* test_store_scale.c - what must not keep a COMMIT waiting, however many rows there are. */
#include <sqlite3.h>
#include <sys/stat.h>

#include "store_help.h"

/* With a connection of our own, while the store is closed. */
static void
run_sql(const char *sql)
{
	sqlite3 *db;

	shut();
	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	ck_assert_msg(
	    sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
	reopen();
}

static int64_t
number(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *q;
	int64_t v;

	shut();
	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
	v = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	reopen();
	return v;
}

static void
put_two(struct got *first, struct got *second)
{
	struct got *g[] = { first, second };

	for (int i = 0; i < 2; i++) {
		struct gan_ingest in = { .source = "erp",
			.topic = "t",
			.topic_raw = "t",
			.meta = "{}",
			.body = strdup("{}"),
			.body_len = 2,
			.received_ms = T0 };

		ck_assert_int_eq(gan_store_ingest(st, &in, got_ingest, g[i]), GAN_OK);
		wait_for(&g[i]->done);
	}
}

/*
 * Ask, then store two events, one after the other.  The first shares a turn of
 * the store thread with the question; the second comes while the answer is
 * looked for.  Is it committed before the answer is complete?
 */
static bool
lets_others_pass(struct gan_query q, struct got *ret)
{
	struct got first = { .done = false }, second = { .done = false };
	bool passed;

	ck_assert_int_eq(gan_store_query(st, &q, got_json, ret), GAN_OK);
	put_two(&first, &second);
	passed = !ret->done;
	wait_for(&ret->done);
	return passed;
}

/* One dead delivery for each number, each at the head of a lane that it blocks. */
static void
block_lanes(int n)
{
	static const char form[] =
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
	    " INSERT INTO event(id, source, topic, received_ms, body)"
	    " SELECT i, 's', 't', i, x'7b7d' FROM n;"
	    "INSERT INTO mapping SELECT id, 1, id, 1 FROM event;"
	    "INSERT INTO delivery(id, event_id, rule, output_no, connector, operation, lane_id, key,"
	    " state, created_ms, next_ms, on_unknown, on_dead)"
	    " SELECT id, id, 'r', 0, 'c', 'op', id, 'k' || id, 4, id, id, 0, 0 FROM event;"
	    "INSERT INTO payload(delivery_id, body) SELECT id, x'7b7d' FROM event;"
	    "INSERT INTO lane(id, connector, key, open, head, prio, blocked_ms)"
	    " SELECT id, 'c', 'k' || id, 1, id, 0, id / 10 FROM event;"
	    "INSERT INTO attention SELECT id, 'd', 'dead', id FROM event;"
	    "INSERT INTO counter VALUES(1, %d), (14, %d), (31, %d)"
	    " ON CONFLICT(id) DO UPDATE SET value = excluded.value;"
	    "INSERT OR REPLACE INTO mark VALUES('mapped', %d)";
	char sql[sizeof(form) + 64];

	snprintf(sql, sizeof(sql), form, n, n, n, n, n);
	run_sql(sql);
}

/* So many that a slice is far from enough, on a fast machine too. */
START_TEST(a_search_in_blocked_lanes_goes_in_slices)
{
	struct got g = { .done = false };
	cJSON *t;

	block_lanes(300000);
	ck_assert(lets_others_pass(
	    (struct gan_query){ .kind = GAN_QUERY_LANES, .connector = "none", .state = "blocked" },
	    &g));
	ck_assert_str_eq(g.json, "[]");
	free(g.json);
	g = (struct got){ .done = false };
	/* It goes on where a slice ended: found once, though it is the last. */
	ck_assert(
	    lets_others_pass((struct gan_query){ .kind = GAN_QUERY_LANES, .key = "k299999" }, &g));
	t = cJSON_Parse(g.json);
	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	cJSON_Delete(t);
	free(g.json);
	t = ask((struct gan_query){ .kind = GAN_QUERY_LANES, .limit = 25 });
	ck_assert_int_eq(cJSON_GetArraySize(t), 25);
	for (int i = 0; i < 25; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i + 1);
		ck_assert_str_eq(
		    cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(t, i), "key")),
		    key);
	}
	cJSON_Delete(t);
}
END_TEST

/* Three of one key, in the index as it was before there were parts, and in two parts. */
static const char one_key[] =
    "UPDATE delivery SET part = CASE WHEN id < 20000 THEN 0 ELSE id / 65536 + 1 END;"
    "UPDATE delivery SET key = 'same', connector = 'c' || id WHERE id IN (10, 50000, 99990);"
    "UPDATE lane SET key = 'same', connector = 'c' || id WHERE id IN (10, 50000, 99990);"
    "INSERT OR REPLACE INTO mark VALUES('made', 131071)";

START_TEST(a_key_is_found_in_each_part_newest_first)
{
	const int64_t old[] = { 99990, 50000, 10 };
	cJSON *t, *events;

	block_lanes(100000);
	run_sql(one_key);
	for (int i = 0; i < 2; i++) /* the last of part 2, the first of part 3 */
		put_delivery((struct gan_new_delivery){ .key = "same" });
	t = ask((struct gan_query){ .kind = GAN_QUERY_DELIVERIES, .key = "same" });
	ck_assert_int_eq(cJSON_GetArraySize(t), 5);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(
		    cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(t, 2 + i), "id")),
		    dlv_text(old[i]));
	cJSON_Delete(t);
	t = ask((struct gan_query){
	    .kind = GAN_QUERY_DELIVERIES, .key = "same", .before = dlv_text(99990), .limit = 1 });
	ck_assert_int_eq(cJSON_GetArraySize(t), 1);
	ck_assert_str_eq(
	    cJSON_GetStringValue(cJSON_GetObjectItem(t->child, "id")), dlv_text(50000));
	cJSON_Delete(t);
	t = ask((struct gan_query){ .kind = GAN_QUERY_SHOW, .text = "same" });
	events = cJSON_GetObjectItem(t, "events");
	ck_assert_int_eq(cJSON_GetArraySize(events), 5);
	ck_assert_str_eq(
	    cJSON_GetStringValue(cJSON_GetObjectItem(events->child, "id")), event_text(10));
	cJSON_Delete(t);
	ck_assert_int_eq(number("SELECT value FROM mark WHERE name = 'made'"), 131073);
	ck_assert_int_eq(number("SELECT part FROM delivery ORDER BY id DESC LIMIT 1"), 3);
	ck_assert_int_eq(number("SELECT count(*) FROM delivery WHERE part = 3"), 1);
}
END_TEST

static int64_t
changed_ns(const char *file)
{
	struct stat sb;

	ck_assert_int_eq(stat(file, &sb), 0);
	return sb.st_mtim.tv_sec * INT64_C(1000000000) + sb.st_mtim.tv_nsec;
}

/* As kill -9 leaves it: a copy of a running store with 20 MB in its log. */
START_TEST(a_long_log_is_not_moved_before_the_start_is_over)
{
	const size_t len = 1 << 20;
	char *body = malloc(len + 1), copy[128], cmd[600];
	int64_t before, opened;

	snprintf(copy, sizeof(copy), "%s/copy.db", dir);
	snprintf(cmd, sizeof(cmd), "cp %s %s && cp %s-wal %s-wal", path, copy, path, copy);
	memset(body, ' ', len);
	memcpy(body, "{}", 2);
	body[len] = '\0';
	for (int i = 0; i < 20; i++)
		put(body);
	free(body);
	ck_assert_int_eq(system(cmd), 0);
	shut();
	opt.path = copy;
	before = changed_ns(copy);
	opened = gan_mono_ms();
	reopen();
	put("{}");
	if (gan_mono_ms() - opened < 1500)
		ck_assert_int_eq(changed_ns(copy), before);
	while (changed_ns(copy) == before) {
		ck_assert_int_lt(gan_mono_ms() - opened, DEADLINE_MS);
		/* No event: more of them would make the log too long to wait. */
		cJSON_Delete(ask((struct gan_query){ .kind = GAN_QUERY_LANES, .limit = 1 }));
	}
	ck_assert_int_ge(gan_mono_ms() - opened, 1500);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store-scale");
	TCase *tc = tcase_create("scale");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_search_in_blocked_lanes_goes_in_slices);
	tcase_add_test(tc, a_key_is_found_in_each_part_newest_first);
	tcase_add_test(tc, a_long_log_is_not_moved_before_the_start_is_over);
	suite_add_tcase(s, tc);
	return run_suite(s);
}

/* SPDX-License-Identifier: MIT */
/* test_store_seen.c - the duplicate window over restarts: log, digests, retention. */
#include <sqlite3.h>

#include "store_help.h"

#define FIRST INT64_C(1)

static int64_t stored, duplicates, refused;
static int64_t outstanding;

static void
on_ingest(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t id)
{
	(void)arg;
	(void)id;
	stored += rc == GAN_OK && verdict == GAN_INGEST_STORED;
	duplicates += rc == GAN_OK && verdict == GAN_INGEST_DUPLICATE;
	refused += rc != GAN_OK;
	outstanding--;
}

static void
hash_of(int64_t n, unsigned char hash[16])
{
	uint64_t mixed = (uint64_t)n * UINT64_C(0x9e3779b97f4a7c15);

	memcpy(hash, &mixed, sizeof(mixed));
	memcpy(hash + 8, &n, sizeof(n));
}

static void
post_hash(const unsigned char hash[16])
{
	struct gan_ingest in = { .source = "s",
		.topic = "t",
		.topic_raw = "t",
		.meta = "{}",
		.body = strdup("{}"),
		.body_len = 2,
		.received_ms = T0,
		.dedupe = GAN_DEDUPE_WEBHOOK };
	int rc;

	memcpy(in.hash, hash, sizeof(in.hash));
	while ((rc = gan_store_ingest(st, &in, on_ingest, NULL)) == GAN_EBUSY)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(rc, GAN_OK);
	outstanding++;
}

static void
wait_all(void)
{
	while (outstanding > 0)
		uv_run(&loop, UV_RUN_ONCE);
}

/* Post events number from..to-1, each with a hash of its own, and wait for all. */
static void
post(int64_t from, int64_t to)
{
	unsigned char hash[16];

	stored = duplicates = refused = 0;
	for (int64_t n = from; n < to; n++) {
		hash_of(n, hash);
		post_hash(hash);
	}
	wait_all();
}

/* With a connection of our own, while the store is closed. */
static int64_t
sql(const char *text)
{
	sqlite3_stmt *q = NULL;
	sqlite3 *db;
	int64_t v = 0;

	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	while (*text != '\0') {
		ck_assert_msg(sqlite3_prepare_v2(db, text, -1, &q, &text) == SQLITE_OK, "%s",
		    sqlite3_errmsg(db));
		while (sqlite3_step(q) == SQLITE_ROW)
			v = sqlite3_column_int64(q, 0);
		ck_assert_int_eq(sqlite3_finalize(q), SQLITE_OK);
	}
	sqlite3_close(db);
	return v;
}

/* Row 1 of the log now holds event 777777 alone. */
static void
forge_first_row(void)
{
	unsigned char entry[24] = { 0 };
	char hex[49], text[160];

	hash_of(777777, entry);
	entry[16] = 1;
	for (size_t i = 0; i < sizeof(entry); i++)
		snprintf(hex + 2 * i, 3, "%02x", entry[i]);
	snprintf(text, sizeof(text), "UPDATE dedupe_log SET entries = x'%s' WHERE id = 1", hex);
	sql(text);
}

START_TEST(digests_stand_for_the_log_at_a_start)
{
	int64_t digests;

	post(FIRST, 30000);
	ck_assert_int_eq(stored, 29999);
	shut();
	digests = sql("SELECT count(*) FROM dedupe_digest");
	ck_assert_int_ge(digests, 2);
	forge_first_row();
	reopen();
	/* Nobody has read that row, or this would be a duplicate. */
	post(777777, 777778);
	ck_assert_int_eq(stored, 1);
	post(2000, 30000);
	ck_assert_int_eq(duplicates, 28000);
	/* It goes on as if there had been no restart. */
	post(30000, 60000);
	ck_assert_int_eq(stored, 30000);
	shut();
	ck_assert_int_gt(sql("SELECT count(*) FROM dedupe_digest"), digests);
	reopen();
	post(2000, 60000);
	ck_assert_int_eq(duplicates, 58000);
}
END_TEST

/* A false duplicate is a lost event: of 16 bytes each counts, in the window, the log, the group. */
START_TEST(a_hash_that_looks_alike_is_another)
{
	unsigned char hash[16];

	memset(hash, 7, sizeof(hash));
	stored = duplicates = 0;
	for (unsigned char last = 0; last < 4; last++) {
		hash[15] = last;
		post_hash(hash);
		if (last % 2 != 0)
			wait_all();
	}
	ck_assert_int_eq(stored, 4);
	shut();
	reopen();
	post_hash(hash);
	hash[15] = 4;
	post_hash(hash);
	wait_all();
	ck_assert_int_eq(stored, 5);
	ck_assert_int_eq(duplicates, 1);
}
END_TEST

START_TEST(a_log_without_digests_gets_them)
{
	post(FIRST, 30000);
	shut();
	sql("DELETE FROM dedupe_digest");
	reopen();
	post(FIRST, 30000);
	ck_assert_int_eq(duplicates, 29999);
	shut();
	ck_assert_int_ge(sql("SELECT count(*) FROM dedupe_digest"), 2);
	reopen();
	post(FIRST, 30000);
	ck_assert_int_eq(duplicates, 29999);
}
END_TEST

/* There is no room for those that a start should make: it is no reason not to start. */
START_TEST(digests_wait_for_room)
{
	post(FIRST, 30000);
	shut();
	sql("DELETE FROM dedupe_digest; VACUUM");
	opt.max_bytes = 1; /* no page more than there are */
	reopen();
	post(FIRST, 3000);
	ck_assert_int_eq(duplicates, 2999);
	shut();
	ck_assert_int_eq(sql("SELECT count(*) FROM dedupe_digest"), 0);
	reopen();
	opt.max_bytes = 0;
	gan_store_tune(st, &opt);
	post(30000, 40000);
	ck_assert_int_eq(stored, 10000);
	shut();
	/* Four of 8192 hashes, one of them made by the way as always: all of the log but its end.
	 */
	ck_assert_int_eq(sql("SELECT count(*) FROM dedupe_digest"), 4);
	forge_first_row();
	reopen();
	post(777777, 777778);
	ck_assert_int_eq(stored, 1);
	post(2000, 40000);
	ck_assert_int_eq(duplicates, 38000);
}
END_TEST

START_TEST(both_leave_when_the_window_has_moved_on)
{
	int64_t left;

	shut();
	opt.dedupe_max = 20000;
	opt.keep_ignored_ms = INT64_C(1) << 40;
	reopen();
	post(FIRST, 100000);
	for (int i = 0; i < 20; i++) {
		/* A pass takes 200 rows; closing waits for none. */
		gan_store_tune(st, &opt);
		post(100000 + i, 100001 + i);
		shut();
		left = sql("SELECT count(*) FROM dedupe_digest WHERE id <"
			   " (SELECT min(id) FROM dedupe_log)");
		ck_assert_int_le(left, 1); /* the one that the first row of the log stands in */
		reopen();
	}
	post(90001, 100000);
	ck_assert_int_eq(duplicates, 9999);
	post(FIRST, 1001);
	ck_assert_int_eq(duplicates, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store-seen");
	TCase *tc = tcase_create("seen");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, digests_stand_for_the_log_at_a_start);
	tcase_add_test(tc, a_hash_that_looks_alike_is_another);
	tcase_add_test(tc, a_log_without_digests_gets_them);
	tcase_add_test(tc, digests_wait_for_room);
	tcase_add_test(tc, both_leave_when_the_window_has_moved_on);
	suite_add_tcase(s, tc);
	return run_suite(s);
}

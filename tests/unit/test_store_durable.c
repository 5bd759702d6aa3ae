/* SPDX-License-Identifier: MIT */
/* test_store_durable.c - what survives: kill, full disk, broken files, a second gantryd. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store_help.h"

/* Look into a closed database with a connection of our own. */
static int64_t
peek(const char *file, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *q;
	int64_t v;

	ck_assert_int_eq(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	ck_assert_msg(
	    sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
	v = sqlite3_column_type(q, 0) == SQLITE_TEXT
		? strcmp((const char *)sqlite3_column_text(q, 0), "ok") == 0
		: sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return v;
}

START_TEST(duplicates_are_found_before_and_after_a_restart)
{
	struct got a = put_full("ps", "t", "{}", T0, GAN_DEDUPE_WEBHOOK, "hash-1", NULL), b;
	struct gan_store_counts c;

	ck_assert_int_eq(a.verdict, GAN_INGEST_STORED);
	b = put_full("ps", "t", "{}", T0, GAN_DEDUPE_WEBHOOK, "hash-1", NULL);
	ck_assert_int_eq(b.verdict, GAN_INGEST_DUPLICATE);
	ck_assert_int_eq(b.id, a.id);
	b = put_full("ps", "t", "{}", T0, GAN_DEDUPE_WEBHOOK, "hash-2", NULL);
	ck_assert_int_eq(b.verdict, GAN_INGEST_STORED);
	shut();
	reopen();
	b = put_full("ps", "t", "{}", T0 + 1, GAN_DEDUPE_WEBHOOK, "hash-1", NULL);
	ck_assert_int_eq(b.verdict, GAN_INGEST_DUPLICATE);
	ck_assert_int_eq(b.id, a.id);
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.duplicates, 2);
	ck_assert_int_eq(c.events[GAN_EVENT_RECEIVED], 2);
}
END_TEST

START_TEST(an_idempotency_key_compares_topic_and_body)
{
	struct got a = put_full("erp", "t", "{\"n\":1}", T0, GAN_DEDUPE_IDEMPOTENCY, "key", NULL);
	struct got b = put_full("erp", "t", "{\"n\":1}", T0, GAN_DEDUPE_IDEMPOTENCY, "key", NULL);

	ck_assert_int_eq(b.verdict, GAN_INGEST_DUPLICATE);
	ck_assert_int_eq(b.id, a.id);
	b = put_full("erp", "t", "{\"n\":2}", T0, GAN_DEDUPE_IDEMPOTENCY, "key", NULL);
	ck_assert_int_eq(b.verdict, GAN_INGEST_CONFLICT);
	b = put_full("erp", "u", "{\"n\":1}", T0, GAN_DEDUPE_IDEMPOTENCY, "key", NULL);
	ck_assert_int_eq(b.verdict, GAN_INGEST_CONFLICT);
	ck_assert_int_eq(b.id, a.id);
}
END_TEST

START_TEST(sending_becomes_unknown_when_opened_again)
{
	int64_t id;
	struct gan_store_counts c;
	cJSON *t;

	put_delivery((struct gan_new_delivery){ .key = "k" });
	put_delivery((struct gan_new_delivery){ .key = "k" });
	id = claim_one(T0);
	shut();
	reopen();
	ck_assert_str_eq(state_of(id), "unknown");
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.attention, 1);
	ck_assert_int_eq(c.deliveries[GAN_DLV_UNKNOWN], 1);
	ck_assert_int_eq(c.deliveries[GAN_DLV_SENDING], 0);
	t = ask((struct gan_query){ .kind = GAN_QUERY_ATTENTION });
	ck_assert_str_eq(cJSON_GetObjectItem(cJSON_GetArrayItem(t, 0), "reason")->valuestring,
	    "the gateway stopped while sending");
	cJSON_Delete(t);
	ck_assert_uint_eq(claim_none(T0 + 100), 0);
	ck_assert_int_eq(command(GAN_CMD_NOT_SENT, dlv_text(id), NULL), GAN_OK);
	ck_assert_int_eq(claim_one(T0 + 100), id);
}
END_TEST

/* ---- kill -9 under load ------------------------------------------------------- */

static int ack_fd;

static void
acked(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t id)
{
	(void)verdict;
	if (rc == GAN_OK)
		(void)!write(ack_fd, &id, sizeof(id));
	--*(int *)arg;
}

static void
child_load(void)
{
	int out = 0;

	ck_assert_int_eq(gan_store_open(&loop, &opt, &st, &err), GAN_OK);
	for (uint64_t n = 1;; n++) {
		struct gan_ingest in = { .source = "s",
			.topic = "t",
			.meta = "{}",
			.body = strdup("{\"some\":\"body\"}"),
			.body_len = 15,
			.received_ms = T0,
			.dedupe = GAN_DEDUPE_WEBHOOK };

		memcpy(in.hash, &n, sizeof(n));
		if (gan_store_ingest(st, &in, acked, &out) != GAN_OK)
			_exit(3);
		out++;
		while (out >= 64)
			uv_run(&loop, UV_RUN_ONCE);
	}
}

START_TEST(what_was_acknowledged_survives_kill)
{
	int64_t id, last = 0, acks = 0;
	int fds[2], status;
	struct gan_store_counts c;
	pid_t pid;

	shut();
	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		ack_fd = fds[1];
		child_load();
	}
	close(fds[1]);
	while (acks < 500 + 200 * _i && read(fds[0], &id, sizeof(id)) == (ssize_t)sizeof(id))
		acks++;
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	last = id;
	while (read(fds[0], &id, sizeof(id)) == (ssize_t)sizeof(id)) {
		acks++;
		ck_assert_int_gt(id, last); /* callbacks come in the order of commits */
		last = id;
	}
	close(fds[0]);
	reopen();
	gan_store_counts(st, &c);
	ck_assert_int_ge(c.events[GAN_EVENT_RECEIVED], acks);
	ck_assert_int_le(c.events[GAN_EVENT_RECEIVED], acks + 64);
	cJSON *t = ask((struct gan_query){ .kind = GAN_QUERY_EVENT, .text = event_text(last) });

	cJSON_Delete(t);
	t = ask((struct gan_query){ .kind = GAN_QUERY_CHECK });
	ck_assert_int_eq(cJSON_GetArraySize(t), 0);
	cJSON_Delete(t);
	/* Every one of them is a duplicate now. */
	uint64_t one = 1;
	char hash[17] = "";

	memcpy(hash, &one, sizeof(one));
	struct gan_ingest in = { .source = "s",
		.topic = "t",
		.meta = "{}",
		.body = strdup("x"),
		.body_len = 1,
		.received_ms = T0,
		.dedupe = GAN_DEDUPE_WEBHOOK };
	struct got g = { .done = false };

	memcpy(in.hash, &one, sizeof(one));
	ck_assert_int_eq(gan_store_ingest(st, &in, got_ingest, &g), GAN_OK);
	wait_for(&g.done);
	ck_assert_int_eq(g.verdict, GAN_INGEST_DUPLICATE);
}
END_TEST

/* ---- full ------------------------------------------------------------------------- */

START_TEST(a_full_disk_refuses_and_heals)
{
	char *big = malloc(100001);
	struct gan_store_counts c;
	struct got g;
	int64_t stored = 0;

	memset(big, 'x', 100000);
	big[100000] = '\0';
	opt.max_bytes = 2 << 20;
	gan_store_tune(st, &opt);
	do {
		g = put_full("s", "t", big, T0, GAN_DEDUPE_NONE, NULL, NULL);
		stored += g.rc == GAN_OK;
	} while (g.rc == GAN_OK && stored < 100);
	ck_assert_int_eq(g.rc, GAN_EFULL);
	ck_assert_int_gt(stored, 5);
	gan_store_counts(st, &c);
	ck_assert(c.full);
	ck_assert_int_eq(c.events[GAN_EVENT_RECEIVED], stored);
	ck_assert_int_eq(fatal_rc, 0);
	opt.max_bytes = 0;
	gan_store_tune(st, &opt);
	g = put_full("s", "t", big, T0, GAN_DEDUPE_NONE, NULL, NULL);
	ck_assert_int_eq(g.rc, GAN_OK);
	gan_store_counts(st, &c);
	ck_assert(!c.full);
	free(big);
}
END_TEST

START_TEST(too_little_free_space_refuses_ingest_only)
{
	struct gan_store_counts c;
	struct got g;

	put_delivery((struct gan_new_delivery){ .key = "k" });
	opt.min_free = INT64_MAX;
	gan_store_tune(st, &opt);
	g = put_full("s", "t", "{}", T0, GAN_DEDUPE_NONE, NULL, NULL);
	ck_assert_int_eq(g.rc, GAN_EFULL);
	ck_assert_int_eq(settle(claim_one(T0), GAN_DLV_DELIVERED, 0), GAN_OK);
	opt.min_free = 0;
	gan_store_tune(st, &opt);
	g = put_full("s", "t", "{}", T0, GAN_DEDUPE_NONE, NULL, NULL);
	ck_assert_int_eq(g.rc, GAN_OK);
	gan_store_counts(st, &c);
	ck_assert(!c.full);
}
END_TEST

static void
count_rc(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t id)
{
	int *n = arg;

	(void)verdict;
	(void)id;
	n[rc == GAN_OK ? 0 : rc == GAN_ELIMIT ? 1 : 2]++;
	n[3]++;
}

START_TEST(one_bad_job_does_not_hurt_its_group)
{
	enum { HUGE = 40 << 20 };
	int n[4] = { 0, 0, 0, 0 };
	struct gan_store_counts c;

	/* Larger than a row can be: it fails alone, whatever shares its COMMIT. */
	for (int i = 0; i < 41; i++) {
		struct gan_ingest in = {
			.source = "s", .topic = "t", .meta = "{}", .received_ms = T0
		};

		in.body_len = i == 20 ? HUGE : 10;
		in.body = calloc(1, in.body_len);
		ck_assert_int_eq(gan_store_ingest(st, &in, count_rc, n), GAN_OK);
	}
	while (n[3] < 41)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(n[0], 40);
	ck_assert_int_eq(n[1], 1);
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.events[GAN_EVENT_RECEIVED], 40);
	ck_assert_int_eq(fatal_rc, 0);
}
END_TEST

/* ---- broken --------------------------------------------------------------------------- */

/* In a child, since the store must not be closed afterwards. */
static void
child_io_error(void)
{
	struct rlimit lim = { 300000, 300000 };
	struct got g;

	if (gan_store_open(&loop, &opt, &st, &err) != GAN_OK)
		_exit(2);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &lim);
	for (int i = 0; i < 10000; i++) {
		g = put_full(
		    "s", "t", "{\"a body of some length\":true}", T0, GAN_DEDUPE_NONE, NULL, NULL);
		if (g.rc != GAN_OK)
			break;
	}
	while (fatal_rc == 0)
		uv_run(&loop, UV_RUN_ONCE);
	struct gan_ingest in = { .source = "s", .topic = "t", .body = NULL };
	int rc = gan_store_ingest(st, &in, got_ingest, &g);

	_exit(g.rc == GAN_EIO && fatal_rc == GAN_EIO && rc == GAN_EIO ? 0 : 1);
}

START_TEST(an_io_error_fails_everything_and_says_so)
{
	int status;
	pid_t pid;

	shut();
	pid = fork();
	if (pid == 0)
		child_io_error();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	reopen(); /* and the next start recovers */
	put("{}");
}
END_TEST

static void
write_file(const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, n, f), n);
	fclose(f);
}

static int
open_fails(const char *with)
{
	struct gan_store *other = NULL;
	int rc = gan_store_open(&loop, &opt, &other, &err);

	ck_assert_int_lt(rc, 0);
	ck_assert_ptr_null(other);
	ck_assert_msg(strstr(err.msg, with) != NULL, "%s", err.msg);
	return rc;
}

START_TEST(files_that_are_not_ours_are_refused_and_kept)
{
	struct stat before, after;
	char text[8192];
	sqlite3 *db;

	shut();
	unlink(path);
	memset(text, 't', sizeof(text));
	write_file(text, sizeof(text));
	ck_assert_int_eq(open_fails("is no database"), GAN_ECONFIG);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(after.st_size, (off_t)sizeof(text));
	unlink(path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(open_fails("another program"), GAN_ECONFIG);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(before.st_size, after.st_size);
	ck_assert_int_eq(peek(path, "SELECT count(*) FROM sqlite_schema"), 1);
}
END_TEST

START_TEST(damage_is_told_from_everything_else)
{
	char junk[4096];
	int fd;

	for (int i = 0; i < 200; i++)
		put("{\"to fill\":\"some pages\"}");
	shut();
	memset(junk, 0xa5, sizeof(junk));
	fd = open(path, O_WRONLY);
	for (off_t at = 4096; at < lseek(fd, 0, SEEK_END); at += 4096)
		ck_assert_int_eq(pwrite(fd, junk, sizeof(junk), at), (ssize_t)sizeof(junk));
	close(fd);
	ck_assert_int_eq(open_fails("is damaged"), GAN_ESTORE);
}
END_TEST

START_TEST(a_second_gantryd_is_refused)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct gan_store *other = NULL;
		int rc = gan_store_open(&loop, &opt, &other, &err);

		_exit(rc == GAN_ECONFIG && strstr(err.msg, "locked by another") != NULL ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	put("{}");
}
END_TEST

START_TEST(a_missing_folder_is_named)
{
	struct gan_store_options o = { .path = "/nonexistent/dir/gantry.db" };
	struct gan_store *other = NULL;

	ck_assert_int_eq(gan_store_open(&loop, &o, &other, &err), GAN_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/dir"));
}
END_TEST

START_TEST(nobody_else_can_read_the_files)
{
	struct stat sb;
	char wal[112];

	put("{}");
	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert_int_eq(sb.st_mode & 077, 0);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	ck_assert_int_eq(stat(wal, &sb), 0);
	ck_assert_int_eq(sb.st_mode & 077, 0);
	snprintf(wal, sizeof(wal), "%s-shm", path);
	ck_assert_int_ne(stat(wal, &sb), 0);
}
END_TEST

/* ---- keeping -------------------------------------------------------------------------- */

START_TEST(a_backup_is_whole)
{
	struct got g = { .done = false };
	char to[128];

	put_delivery((struct gan_new_delivery){ .key = "k" });
	snprintf(to, sizeof(to), "%s/copy.db", dir);
	ck_assert_int_eq(gan_store_backup(st, to, got_json, &g), GAN_OK);
	/* Work goes on meanwhile. */
	put("{}");
	wait_for(&g.done);
	ck_assert_msg(g.rc == GAN_OK, "%s", g.json);
	ck_assert_ptr_nonnull(strstr(g.json, "copy.db"));
	free(g.json);
	ck_assert_int_eq(peek(to, "PRAGMA integrity_check"), 1);
	ck_assert_int_ge(peek(to, "SELECT count(*) FROM event"), 1);
	g = (struct got){ .done = false };
	ck_assert_int_eq(gan_store_backup(st, to, got_json, &g), GAN_OK);
	wait_for(&g.done);
	ck_assert_int_eq(g.rc, GAN_EINVAL);
	ck_assert_ptr_nonnull(strstr(g.json, "already"));
	free(g.json);
	/* It is a database of ours. */
	shut();
	opt.path = to;
	reopen();
	ck_assert_int_eq(claim_one(T0) > 0, 1);
}
END_TEST

static void
wait_counts(int64_t events, int64_t deliveries)
{
	struct gan_store_counts c;
	int64_t end = gan_mono_ms() + DEADLINE_MS;

	do {
		ck_assert_int_lt(gan_mono_ms(), end);
		uv_run(&loop, UV_RUN_NOWAIT);
		gan_store_counts(st, &c);
	} while (c.events[1] + c.events[2] + c.events[3] != events ||
		 c.deliveries[GAN_DLV_DELIVERED] + c.deliveries[GAN_DLV_WAITING] != deliveries);
}

START_TEST(old_events_leave_when_they_are_finished)
{
	const int64_t day = INT64_C(24) * 3600 * 1000;
	int64_t ev, done, waiting;
	struct gan_store_counts c;

	done = put_delivery((struct gan_new_delivery){ .key = "a" });
	ck_assert_int_eq(settle(claim_one(T0), GAN_DLV_DELIVERED, 0), GAN_OK);
	waiting = put_delivery((struct gan_new_delivery){ .key = "b" });
	ev = put("{}");
	ck_assert_int_eq(
	    map((struct gan_map_commit){ .event_id = ev, .state = GAN_EVENT_IGNORED }), GAN_OK);
	put_full("s", "t", "junk", T0, GAN_DEDUPE_NONE, NULL, "no JSON");
	/* The clock of retention follows the events. */
	put_full("s", "t", "{}", T0 + 100 * day, GAN_DEDUPE_NONE, NULL, NULL);
	opt.keep_delivered_ms = 90 * day;
	opt.keep_ignored_ms = 30 * day;
	opt.keep_rejected_ms = 50 * day;
	gan_store_tune(st, &opt);
	wait_counts(2, 1); /* the one that waits and the rejection that nobody closed stay */
	struct got g =
	    ask_raw((struct gan_query){ .kind = GAN_QUERY_EVENT, .text = event_text(done) });

	ck_assert_int_eq(g.rc, GAN_ENOENT);
	free(g.json);
	cJSON_Delete(
	    ask((struct gan_query){ .kind = GAN_QUERY_EVENT, .text = event_text(waiting) }));
	gan_store_counts(st, &c);
	ck_assert_int_eq(c.attention, 1);
	cJSON *t = ask((struct gan_query){ .kind = GAN_QUERY_CHECK });

	ck_assert_int_eq(cJSON_GetArraySize(t), 0);
	cJSON_Delete(t);
}
END_TEST

START_TEST(counters_equal_a_recount)
{
	static const struct {
		const char *sql;
		int state;
		bool event;
	} rows[] = {
		{ "SELECT count(*) FROM mapping WHERE state=1", GAN_EVENT_MAPPED, true },
		{ "SELECT count(*) FROM mapping WHERE state=2", GAN_EVENT_IGNORED, true },
		{ "SELECT count(*) FROM mapping WHERE state=3", GAN_EVENT_REJECTED, true },
		{ "SELECT count(*) FROM delivery WHERE state=0", GAN_DLV_WAITING, false },
		{ "SELECT count(*) FROM delivery WHERE state=2", GAN_DLV_DELIVERED, false },
		{ "SELECT count(*) FROM delivery WHERE state=3", GAN_DLV_UNKNOWN, false },
		{ "SELECT count(*) FROM delivery WHERE state=4", GAN_DLV_DEAD, false },
		{ "SELECT count(*) FROM delivery WHERE state=6", GAN_DLV_SKIPPED, false },
	};
	static const enum gan_delivery_state ends[] = { GAN_DLV_DELIVERED, GAN_DLV_UNKNOWN,
		GAN_DLV_DEAD, GAN_DLV_WAITING };
	struct gan_store_counts c;
	char key[16];

	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "k%d", i % 13);
		put_delivery(
		    (struct gan_new_delivery){ .key = i % 3 == 0 ? NULL : key, .on_dead = i % 2 });
		struct got g = claim(8, T0);

		for (size_t k = 0; k < g.n; k++) {
			ck_assert_int_eq(
			    settle(g.rows[k]->id, ends[(i + (int)k) % 4], T0 + 1), GAN_OK);
			if ((i + (int)k) % 8 == 1)
				ck_assert_int_eq(
				    command(GAN_CMD_SKIP, dlv_text(g.rows[k]->id), NULL), GAN_OK);
		}
		drop_rows(&g);
	}
	shut();
	reopen();
	gan_store_counts(st, &c);
	shut();
	for (size_t i = 0; i < GAN_COUNT(rows); i++)
		ck_assert_int_eq(peek(path, rows[i].sql),
		    rows[i].event ? c.events[rows[i].state] : c.deliveries[rows[i].state]);
	ck_assert_int_eq(peek(path, "SELECT count(*) FROM attention"), c.attention);
	ck_assert_int_gt(c.attention, 3);
	/* Every lane is in exactly one of its three conditions, and names an open head. */
	ck_assert_int_eq(peek(path, "SELECT count(*) FROM lane WHERE (next_ms IS NOT NULL) +"
				    " (lease_until IS NOT NULL) + (blocked_ms IS NOT NULL) <> 1"),
	    0);
	ck_assert_int_eq(peek(path, "SELECT count(*) FROM lane l WHERE open <> (SELECT count(*)"
				    " FROM delivery d WHERE d.lane_id = l.id) OR head <> (SELECT"
				    " min(id) FROM delivery d WHERE d.lane_id = l.id)"),
	    0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store-durable");
	TCase *tc = tcase_create("durable");

	tcase_set_timeout(tc, 90);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, duplicates_are_found_before_and_after_a_restart);
	tcase_add_test(tc, an_idempotency_key_compares_topic_and_body);
	tcase_add_test(tc, sending_becomes_unknown_when_opened_again);
	tcase_add_loop_test(tc, what_was_acknowledged_survives_kill, 0, 4);
	tcase_add_test(tc, a_full_disk_refuses_and_heals);
	tcase_add_test(tc, too_little_free_space_refuses_ingest_only);
	tcase_add_test(tc, one_bad_job_does_not_hurt_its_group);
	tcase_add_test(tc, an_io_error_fails_everything_and_says_so);
	tcase_add_test(tc, files_that_are_not_ours_are_refused_and_kept);
	tcase_add_test(tc, damage_is_told_from_everything_else);
	tcase_add_test(tc, a_second_gantryd_is_refused);
	tcase_add_test(tc, a_missing_folder_is_named);
	tcase_add_test(tc, nobody_else_can_read_the_files);
	tcase_add_test(tc, a_backup_is_whole);
	tcase_add_test(tc, old_events_leave_when_they_are_finished);
	tcase_add_test(tc, counters_equal_a_recount);
	suite_add_tcase(s, tc);
	return run_suite(s);
}

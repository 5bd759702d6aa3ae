/* SPDX-License-Identifier: MIT */
/* test_rescue.c - webhooks that the database cannot take: spooled, imported in order, once. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "base/file.h"
#include "store/spool.h"
#include "store_help.h"

#define SPOOL (256 << 10)

static char spool[96];
static int told[GAN_SPOOL_NNEWS];
static int64_t told_records[GAN_SPOOL_NNEWS];

static void
on_spool(void *arg, enum gan_spool_news what, int64_t records, const char *text)
{
	(void)arg;
	ck_assert_str_ne(text, "");
	told[what]++;
	told_records[what] = records;
}

static void
setup_spool(void)
{
	memset(told, 0, sizeof(told));
	setup();
	shut();
	opt.spool_bytes = SPOOL;
	opt.on_spool = on_spool;
	snprintf(spool, sizeof(spool), "%s/gantry.spool", dir);
	reopen();
}

static struct got
send_event(const char *body, const char *hash, bool webhook)
{
	struct got g = { .done = false };
	struct gan_ingest in = { .source = "ps",
		.topic = "t",
		.meta = "{}",
		.body = strdup(body),
		.body_len = strlen(body),
		.received_ms = T0,
		.spool = webhook };

	if (hash != NULL) {
		in.dedupe = GAN_DEDUPE_WEBHOOK;
		memcpy(in.hash, hash, strlen(hash));
	}
	ck_assert_int_eq(gan_store_ingest(st, &in, got_ingest, &g), GAN_OK);
	wait_for(&g.done);
	return g;
}

static struct gan_store_counts
counts(void)
{
	static struct gan_store_counts c;

	gan_store_counts(st, &c);
	return c;
}

static void
let_in(bool yes)
{
	opt.min_free = yes ? 0 : INT64_MAX;
	gan_store_tune(st, &opt);
}

static void
wait_empty(void)
{
	while (counts().spool_records > 0)
		uv_run(&loop, UV_RUN_ONCE);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void
got_events(void *arg, int rc, struct gan_event **events, size_t n)
{
	struct got *g = arg;

	ck_assert_int_eq(rc, GAN_OK);
	g->events = events;
	g->n = n;
	g->done = true;
}

/* Bodies of all events in the order of acceptance, "a b c". */
static const char *
stored(void)
{
	static char out[1024];
	struct got g = { .done = false };

	out[0] = '\0';
	ck_assert_int_eq(gan_store_unmapped(st, 0, 100, 1 << 20, got_events, &g), GAN_OK);
	wait_for(&g.done);
	for (size_t i = 0; i < g.n; i++) {
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s", i > 0 ? " " : "",
		    g.events[i]->body);
		gan_event_free(&g.events[i]);
	}
	free(g.events);
	return out;
}

static void
expect_spooled(const char *body, const char *hash)
{
	struct got g = send_event(body, hash, true);

	ck_assert_int_eq(g.rc, GAN_OK);
	ck_assert_int_eq(g.verdict, GAN_INGEST_SPOOLED);
	ck_assert_int_eq(g.id, 0);
}

START_TEST(what_the_database_refuses_is_spooled_and_imported_in_order)
{
	ck_assert_int_eq(send_event("before", NULL, true).verdict, GAN_INGEST_STORED);
	let_in(false);
	expect_spooled("a", NULL);
	expect_spooled("b", "hash-b");
	ck_assert_int_eq(send_event("erp", NULL, false).rc, GAN_EFULL);
	expect_spooled("c", NULL);
	ck_assert_str_eq(stored(), "before");
	ck_assert_int_eq(counts().spool_records, 3);
	ck_assert_int_eq(counts().spool_taken, 3);
	ck_assert_int_gt(counts().spool_since_ms, 0);
	ck_assert_int_eq(told[GAN_SPOOL_USED], 1);
	let_in(true);
	/* Sent at once: it must not overtake those that wait. */
	ck_assert_int_eq(send_event("after", NULL, true).verdict, GAN_INGEST_STORED);
	ck_assert_str_eq(stored(), "before a b c after");
	wait_empty();
	ck_assert_int_eq(counts().spool_imported, 3);
	ck_assert_int_eq(counts().spool_since_ms, 0);
	ck_assert_int_eq(told[GAN_SPOOL_USED], 1);
	ck_assert_int_eq(told[GAN_SPOOL_EMPTIED], 1);
	ck_assert_int_eq(told_records[GAN_SPOOL_EMPTIED], 3);
	ck_assert_int_eq(told[GAN_SPOOL_FAILED] + told[GAN_SPOOL_LOST], 0);
}
END_TEST

/* SQLite itself says FULL: the group is rolled back, its webhooks are spooled in one sync. */
START_TEST(a_full_database_spools_too)
{
	char *big = calloc(1, 30001);
	struct got g;
	int n = 0;

	memset(big, 'x', 30000);
	opt.max_bytes = 1 << 20;
	gan_store_tune(st, &opt);
	do {
		g = send_event(big, NULL, true);
		n++;
	} while (g.verdict == GAN_INGEST_STORED && n < 100);
	ck_assert_int_eq(g.rc, GAN_OK);
	ck_assert_int_eq(g.verdict, GAN_INGEST_SPOOLED);
	ck_assert(counts().full);
	/* Until the spool is full as well. */
	do {
		g = send_event(big, NULL, true);
		n++;
	} while (g.rc == GAN_OK && n < 200);
	ck_assert_int_eq(g.rc, GAN_EFULL);
	ck_assert_int_eq(counts().events[GAN_EVENT_RECEIVED] + counts().spool_records, n - 1);
	opt.max_bytes = 0;
	gan_store_tune(st, &opt);
	wait_empty();
	ck_assert_int_eq(counts().events[GAN_EVENT_RECEIVED], n - 1);
	ck_assert_int_eq(send_event(big, NULL, true).verdict, GAN_INGEST_STORED);
	free(big);
}
END_TEST

/*
 * A disk that is really full says so at the COMMIT.  One of the group is too
 * large for what is left and goes to the spool: those behind it follow it
 * there, although they would fit.
 */
START_TEST(nothing_overtakes_one_that_does_not_fit)
{
	enum { BIG = 200000, LEFT = 120000, ALL = 4 };
	struct gan_ingest in[ALL];
	struct got got[ALL] = { { .done = false } };
	char filler[96];
	struct statvfs fs;
	int fd;

	shut();
	/* Only root may mount: the fault tests fill disks, too. */
	if (mount("gantry-test", dir, "tmpfs", 0, "size=4m") != 0) {
		reopen();
		return;
	}
	reopen();
	snprintf(filler, sizeof(filler), "%s/filler", dir);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(statvfs(dir, &fs), 0);
	ck_assert_int_eq(posix_fallocate(fd, 0, (off_t)(fs.f_bavail * fs.f_frsize) - LEFT), 0);
	close(fd);
	for (int i = 0; i < ALL; i++) {
		in[i] = (struct gan_ingest){ .source = "ps",
			.topic = "t",
			.meta = "{}",
			.body_len = i == 0 ? BIG : 1,
			.received_ms = T0,
			.spool = true };
		in[i].body = calloc(1, in[i].body_len + 1);
		memset(in[i].body, 'a' + i, in[i].body_len);
	}
	/* At once, so that they share a COMMIT. */
	for (int i = 0; i < ALL; i++)
		ck_assert_int_eq(gan_store_ingest(st, &in[i], got_ingest, &got[i]), GAN_OK);
	for (int i = 0; i < ALL; i++) {
		wait_for(&got[i].done);
		ck_assert_int_eq(got[i].rc, GAN_OK);
		ck_assert_msg(got[i].verdict == GAN_INGEST_SPOOLED, "event %d is stored", i);
	}
	ck_assert_int_eq(unlink(filler), 0);
	wait_empty();
	shut();
	ck_assert_int_eq(umount2(dir, MNT_DETACH), 0);
	reopen();
}
END_TEST

START_TEST(duplicates_are_recognised_at_the_import)
{
	send_event("known", "hash-1", true);
	let_in(false);
	/* While nothing waits it is known at once. */
	ck_assert_int_eq(send_event("known", "hash-1", true).verdict, GAN_INGEST_DUPLICATE);
	expect_spooled("new", "hash-2");
	expect_spooled("new", "hash-2");
	expect_spooled("known", "hash-1");
	let_in(true);
	wait_empty();
	ck_assert_str_eq(stored(), "known new");
	ck_assert_int_eq(counts().duplicates, 3);
	ck_assert_int_eq(send_event("new", "hash-2", true).verdict, GAN_INGEST_DUPLICATE);
}
END_TEST

START_TEST(a_restart_imports_before_anything_else)
{
	char *text;

	let_in(false);
	expect_spooled("a", NULL);
	expect_spooled("b", NULL);
	shut();
	reopen(); /* still full */
	ck_assert_int_eq(counts().spool_records, 2);
	ck_assert_int_gt(counts().spool_since_ms, 0);
	ck_assert_int_eq(send_event("erp", NULL, false).rc, GAN_EFULL);
	expect_spooled("c", NULL);
	shut();
	opt.min_free = 0;
	reopen();
	ck_assert_int_eq(send_event("after", NULL, false).verdict, GAN_INGEST_STORED);
	ck_assert_str_eq(stored(), "a b c after");
	ck_assert_int_eq(command(GAN_CMD_NOTE, "x", &text), GAN_OK);
	free(text);
}
END_TEST

static void
copy_file(const char *from, const char *to)
{
	char *data;
	size_t len;
	FILE *f;

	ck_assert_int_eq(gan_file_read(from, 8 << 20, &data, &len, &err), GAN_OK);
	f = fopen(to, "w");
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	free(data);
}

/* A crash between the COMMIT of an import and the end of the file's use. */
START_TEST(nothing_is_imported_twice)
{
	char kept[96];

	snprintf(kept, sizeof(kept), "%s/kept", dir);
	let_in(false);
	expect_spooled("a", NULL);
	expect_spooled("a", NULL); /* twins are two events: only a hash makes duplicates */
	copy_file(spool, kept);
	let_in(true);
	wait_empty();
	ck_assert_str_eq(stored(), "a a");
	shut();
	copy_file(kept, spool);
	reopen();
	ck_assert_int_eq(counts().spool_records, 0);
	let_in(false);
	expect_spooled("b", NULL);
	shut();
	opt.min_free = 0;
	reopen();
	wait_empty();
	ck_assert_str_eq(stored(), "a a b");
}
END_TEST

/* The COMMIT seemed to fail, and was found whole at the next start. */
START_TEST(an_event_that_is_there_is_not_stored_again)
{
	struct gan_spool_mark mark = { 0, 0 };
	struct gan_spool *sp;
	int64_t id = send_event("there", NULL, true).id;
	struct gan_ingest in = { .source = "ps", .topic = "t", .meta = "{}", .received_ms = T0 };
	char there[] = "there", other[] = "other";

	shut();
	ck_assert_int_eq(gan_spool_open(spool, SPOOL, &mark, &sp, &err), GAN_OK);
	in.body_len = 5;
	in.body = there;
	ck_assert_int_eq(gan_spool_put(sp, &in, id, &err), GAN_OK);
	ck_assert_int_eq(gan_spool_put(sp, &in, id + 7, &err), GAN_OK);
	in.body = other;
	ck_assert_int_eq(gan_spool_put(sp, &in, id, &err), GAN_OK);
	ck_assert_int_eq(gan_spool_commit(sp, &err), GAN_OK);
	gan_spool_free(&sp);
	reopen();
	wait_empty();
	ck_assert_str_eq(stored(), "there there other");
}
END_TEST

static void
count_down(void *arg, int rc, enum gan_ingest_verdict verdict, int64_t id)
{
	(void)id;
	ck_assert_int_eq(rc, GAN_OK);
	ck_assert_int_eq(verdict, GAN_INGEST_SPOOLED);
	--*(int *)arg;
}

/* An import of several COMMITs: what comes between them waits for the last one. */
START_TEST(nothing_overtakes_a_long_import)
{
	enum { MANY = 3000 };
	int left = MANY;
	struct got after;

	shut();
	opt.spool_bytes = 1 << 20;
	reopen();
	let_in(false);
	for (int i = 0; i < MANY; i++) {
		struct gan_ingest in = { .source = "ps",
			.topic = "t",
			.meta = "{}",
			.body = strdup("{}"),
			.body_len = 2,
			.received_ms = T0,
			.spool = true };

		ck_assert_int_eq(gan_store_ingest(st, &in, count_down, &left), GAN_OK);
	}
	while (left > 0)
		uv_run(&loop, UV_RUN_ONCE);
	let_in(true);
	after = send_event("after", NULL, false);
	ck_assert_int_eq(after.rc, GAN_OK);
	ck_assert_int_eq(counts().events[GAN_EVENT_RECEIVED], MANY + 1);
	ck_assert_int_eq(counts().spool_records, 0);
}
END_TEST

/* The whole does not fit, a part of it does: it is not held back until there is room for all. */
START_TEST(what_fits_is_imported)
{
	enum { BIG = 20000, MANY = 40, ROOM = 25 * BIG };
	char *big = calloc(1, BIG + 1);
	struct stat file;
	struct got g;

	memset(big, 'x', BIG);
	shut();
	opt.spool_bytes = 1 << 20;
	reopen();
	let_in(false);
	for (int i = 0; i < MANY; i++)
		expect_spooled(big, NULL);
	shut();
	reopen(); /* the file has its full size then */
	ck_assert_int_eq(stat(opt.path, &file), 0);
	opt.max_bytes = file.st_size + ROOM;
	let_in(true);
	while (counts().spool_imported == 0)
		uv_run(&loop, UV_RUN_ONCE);
	g = send_event("new", NULL, true);
	ck_assert_int_eq(g.rc, GAN_OK);
	ck_assert_int_eq(g.verdict, GAN_INGEST_SPOOLED);
	ck_assert_int_gt(counts().spool_records, 1);
	ck_assert(!counts().spool_stuck);
	opt.max_bytes = 0;
	gan_store_tune(st, &opt);
	wait_empty();
	ck_assert_int_eq(counts().events[GAN_EVENT_RECEIVED], MANY + 1);
	free(big);
}
END_TEST

static void
alter(const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	shut();
	ck_assert_int_eq(sqlite3_open_v2(opt.path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%s", why);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	reopen();
}

/* Something else than space keeps them out: it is told, once, and they wait. */
START_TEST(an_import_that_fails_is_told)
{
	let_in(false);
	expect_spooled("a", NULL);
	expect_spooled("b", NULL);
	alter("CREATE TRIGGER no BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'no'); END");
	let_in(true);
	while (!counts().spool_stuck)
		uv_run(&loop, UV_RUN_ONCE);
	expect_spooled("c", NULL);
	ck_assert_int_eq(told[GAN_SPOOL_STUCK], 1);
	ck_assert_int_eq(told_records[GAN_SPOOL_STUCK], 2);
	ck_assert_int_eq(counts().spool_records, 3);
	alter("DROP TRIGGER no");
	wait_empty();
	ck_assert_str_eq(stored(), "a b c");
	ck_assert(!counts().spool_stuck);
	ck_assert_int_eq(told[GAN_SPOOL_STUCK], 1);
}
END_TEST

/* ---- an I/O error --------------------------------------------------------------------- */

/* Writes beyond 200 kB fail: those of the write-ahead log do, the spool's are before it. */
static void
child_breaks(int out)
{
	const struct rlimit lim = { 200000, 200000 };
	struct got g = { .rc = GAN_OK };
	int n = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (gan_store_open(&loop, &opt, &st, &err) != GAN_OK)
		_exit(2);
	setrlimit(RLIMIT_FSIZE, &lim);
	while (g.rc == GAN_OK && g.verdict == GAN_INGEST_STORED && n < 5000) {
		char body[32];

		snprintf(body, sizeof(body), "{\"n\":%d}", n++);
		g = send_event(body, NULL, true);
	}
	if (g.rc != GAN_OK || g.verdict != GAN_INGEST_SPOOLED)
		_exit(3);
	while (fatal_rc == 0)
		uv_run(&loop, UV_RUN_ONCE);
	/* The process is about to end; who speaks now is heard. */
	g = send_event("{\"late\":1}", NULL, true);
	if (g.rc != GAN_OK || g.verdict != GAN_INGEST_SPOOLED)
		_exit(4);
	struct gan_ingest erp = { .source = "erp", .topic = "t", .meta = "{}", .received_ms = T0 };

	if (gan_store_ingest(st, &erp, NULL, NULL) != GAN_EIO)
		_exit(5);
	n++;
	_exit(write(out, &n, sizeof(n)) == sizeof(n) ? 0 : 6);
}

START_TEST(an_io_error_spools_what_it_hit)
{
	int fds[2], status, n = 0;
	pid_t pid;

	shut();
	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		child_breaks(fds[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
	ck_assert_int_eq(read(fds[0], &n, sizeof(n)), sizeof(n));
	close(fds[0]);
	close(fds[1]);
	reopen();
	wait_empty();
	ck_assert_int_eq(counts().spool_imported, 2);
	/* Each of them once, also the one whose COMMIT failed. */
	ck_assert_int_eq(counts().events[GAN_EVENT_RECEIVED], n);
	ck_assert_int_eq(told[GAN_SPOOL_EMPTIED], 1);
}
END_TEST

START_TEST(a_damaged_spool_ends_the_start)
{
	struct gan_store *other;
	int fd;

	shut();
	fd = open(spool, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "????", 4, 512 + 16), 4);
	close(fd);
	ck_assert_int_eq(gan_store_open(&loop, &opt, &other, &err), GAN_ESTORE);
	ck_assert_msg(strstr(err.msg, "gantry.spool is damaged") != NULL, "%s", err.msg);
	ck_assert_int_eq(unlink(spool), 0);
	reopen();
	ck_assert_int_eq(access(spool, F_OK), 0);
}
END_TEST

/* Its own making must not be what leaves too little for events. */
START_TEST(it_is_made_when_there_is_room)
{
	shut();
	ck_assert_int_eq(unlink(spool), 0);
	reopen();
	/* Others use this disk, too: far from both what is free and what the spool wants. */
	opt.min_free = counts().free_bytes - (INT64_C(512) << 20);
	shut();
	ck_assert_int_eq(unlink(spool), 0);
	opt.spool_bytes = INT64_C(1) << 30;
	reopen();
	ck_assert_int_eq(send_event("a", NULL, true).verdict, GAN_INGEST_STORED);
	ck_assert_int_eq(told[GAN_SPOOL_FAILED], 1);
	ck_assert_int_eq(counts().spool_size, 0);
	ck_assert_int_ne(access(spool, F_OK), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("rescue");
	TCase *tc = tcase_create("store");

	tcase_add_checked_fixture(tc, setup_spool, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_the_database_refuses_is_spooled_and_imported_in_order);
	tcase_add_test(tc, a_full_database_spools_too);
	tcase_add_test(tc, nothing_overtakes_one_that_does_not_fit);
	tcase_add_test(tc, duplicates_are_recognised_at_the_import);
	tcase_add_test(tc, a_restart_imports_before_anything_else);
	tcase_add_test(tc, nothing_is_imported_twice);
	tcase_add_test(tc, an_event_that_is_there_is_not_stored_again);
	tcase_add_test(tc, nothing_overtakes_a_long_import);
	tcase_add_test(tc, what_fits_is_imported);
	tcase_add_test(tc, an_import_that_fails_is_told);
	tcase_add_test(tc, an_io_error_spools_what_it_hit);
	tcase_add_test(tc, a_damaged_spool_ends_the_start);
	tcase_add_test(tc, it_is_made_when_there_is_room);
	suite_add_tcase(s, tc);
	return run_suite(s);
}

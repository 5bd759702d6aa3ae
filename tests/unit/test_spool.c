/* SPDX-License-Identifier: MIT */
/* test_spool.c - the file of the emergency spool: torn, rotten, full, foreign, opened again. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/spool.h"

#define SIZE (64 << 10)

static char dir[64], path[96];
static struct gan_spool *sp;
static struct gan_err err;
static const struct gan_spool_mark none;

static void
setup(void)
{
	memcpy(dir, "/tmp/gantry-spool-XXXXXX", 25);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/gantry.spool", dir);
	ck_assert_msg(gan_spool_open(path, SIZE, &none, &sp, &err) == GAN_OK, "%s", err.msg);
}

static void
teardown(void)
{
	gan_spool_free(&sp);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void
reopen(const struct gan_spool_mark *mark)
{
	gan_spool_free(&sp);
	ck_assert_msg(gan_spool_open(path, SIZE, mark, &sp, &err) == GAN_OK, "%s", err.msg);
}

static int
put(const char *body)
{
	struct gan_ingest in = { .source = "prodsmart",
		.topic = "lot.created",
		.topic_raw = "lot_created",
		.meta = "{\"a\":1}",
		.received_ms = 1750000000000,
		.dedupe = GAN_DEDUPE_WEBHOOK,
		.hash = "0123456789abcde" };
	char *copy = strdup(body);
	int rc;

	in.body = copy;
	in.body_len = strlen(body);
	rc = gan_spool_put(sp, &in, 0, &err);
	free(copy);
	return rc;
}

static void
put_all(const char *bodies)
{
	for (char one[2] = { *bodies, '\0' }; *bodies != '\0'; one[0] = *++bodies)
		ck_assert_int_eq(put(one), GAN_OK);
	ck_assert_int_eq(gan_spool_commit(sp, &err), GAN_OK);
}

/* The one-letter bodies that wait, read up to n of them. */
static const char *
letters(struct gan_spool_cursor *cur, int n)
{
	static char out[64];
	struct gan_spool_record rec;
	int at = 0;

	gan_spool_first(sp, cur);
	while (at < n && gan_spool_next(sp, cur, &rec, &err) > 0)
		out[at++] = *(const char *)rec.in.body;
	out[at] = '\0';
	return out;
}

static const char *
waiting(void)
{
	struct gan_spool_cursor cur;

	return letters(&cur, 60);
}

static struct gan_spool_figures
figures(void)
{
	struct gan_spool_figures f;

	gan_spool_figures(sp, &f);
	return f;
}

static void
poke(int64_t at, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY);

	ck_assert_int_eq(pwrite(fd, p, n, at), (ssize_t)n);
	close(fd);
}

static int64_t
record_size(void)
{
	int64_t before = figures().bytes;

	put_all("x");
	return figures().bytes - before;
}

START_TEST(the_checksum_is_crc_32c)
{
	ck_assert_uint_eq(gan_crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(gan_crc32c(gan_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
	ck_assert_uint_eq(gan_crc32c(0, "", 0), 0);
}
END_TEST

START_TEST(everything_comes_back)
{
	char body[] = { 'a', '\0', 'b' };
	struct gan_ingest in = { .source = "s",
		.topic = "t",
		.topic_raw = "T",
		.meta = "{}",
		.reject = "no JSON",
		.body = body,
		.body_len = 3,
		.received_ms = 17,
		.dedupe = GAN_DEDUPE_WEBHOOK,
		.hash = "0123456789abcde" };
	struct gan_ingest bare = { .source = "s", .topic = "t", .body = body, .body_len = 0 };
	struct gan_spool_cursor cur;
	struct gan_spool_record rec;

	ck_assert_int_eq(gan_spool_put(sp, &in, 99, &err), GAN_OK);
	ck_assert_int_eq(gan_spool_put(sp, &bare, 0, &err), GAN_OK);
	ck_assert_int_eq(gan_spool_commit(sp, &err), GAN_OK);
	for (int i = 0; i < 2; i++) {
		gan_spool_first(sp, &cur);
		ck_assert_int_eq(gan_spool_next(sp, &cur, &rec, &err), 1);
		ck_assert_str_eq(rec.in.source, "s");
		ck_assert_str_eq(rec.in.topic, "t");
		ck_assert_str_eq(rec.in.topic_raw, "T");
		ck_assert_str_eq(rec.in.meta, "{}");
		ck_assert_str_eq(rec.in.reject, "no JSON");
		ck_assert_uint_eq(rec.in.body_len, 3);
		ck_assert_mem_eq(rec.in.body, body, 3);
		ck_assert_int_eq(rec.in.received_ms, 17);
		ck_assert_int_eq(rec.in.dedupe, GAN_DEDUPE_WEBHOOK);
		ck_assert_mem_eq(rec.in.hash, in.hash, 16);
		ck_assert_int_eq(rec.maybe_id, 99);
		ck_assert_int_eq(gan_spool_next(sp, &cur, &rec, &err), 1);
		ck_assert_ptr_null(rec.in.topic_raw);
		ck_assert_ptr_null(rec.in.meta);
		ck_assert_ptr_null(rec.in.reject);
		ck_assert_uint_eq(rec.in.body_len, 0);
		ck_assert_int_eq(gan_spool_next(sp, &cur, &rec, &err), 0);
		reopen(&none);
	}
}
END_TEST

START_TEST(a_group_that_was_not_committed_is_not_there)
{
	put_all("ab");
	ck_assert_int_eq(put("c"), GAN_OK);
	ck_assert_str_eq(waiting(), "ab");
	reopen(&none);
	ck_assert_str_eq(waiting(), "ab");
	ck_assert_int_eq(figures().records, 2);
}
END_TEST

/* A crash in the middle of a write: the first bytes are new, the others what was there before. */
START_TEST(a_torn_tail_is_left_out)
{
	int64_t size = record_size(), at = GAN_SPOOL_START + 3 * size;
	char *old, *new;
	size_t len;

	put_all("ab");
	ck_assert_int_eq(gan_file_read(path, 1 << 20, &old, &len, &err), GAN_OK);
	put_all("c");
	gan_spool_free(&sp);
	ck_assert_int_eq(gan_file_read(path, 1 << 20, &new, &len, &err), GAN_OK);
	/* As soon as only zeros are missing, nothing is. */
	for (int64_t cut = 0; memcmp(new + at + cut, old + at + cut, (size_t)(size - cut)) != 0;
	     cut++) {
		poke(at, new + at, (size_t)cut);
		poke(at + cut, old + at + cut, (size_t)(size - cut));
		reopen(&none);
		ck_assert_str_eq(waiting(), "xab");
		ck_assert_int_eq(figures().lost, 0);
		/* And the place is used again. */
		put_all("d");
		reopen(&none);
		ck_assert_str_eq(waiting(), "xabd");
	}
	free(old);
	free(new);
}
END_TEST

/* Any one bit: this record is lost and counted, those around it are not. */
START_TEST(a_record_gone_bad_costs_itself_alone)
{
	int64_t size = record_size(), at = GAN_SPOOL_START + size;
	char *good;
	size_t len;

	put_all("ab");
	put_all("c");
	ck_assert_int_eq(gan_file_read(path, 1 << 20, &good, &len, &err), GAN_OK);
	for (int64_t i = 0; i < size; i++) {
		char bad = (char)(good[at + i] ^ (1 << (i % 8)));

		poke(at + i, &bad, 1);
		reopen(&none);
		ck_assert_str_eq(waiting(), "xbc");
		ck_assert_int_eq(figures().lost, 1);
		ck_assert_int_eq(figures().records, 3);
		poke(at + i, good + at + i, 1);
	}
	free(good);
}
END_TEST

START_TEST(wrong_lengths_lead_nowhere)
{
	static const uint32_t wrong[] = { 1, 4, 8, 56, 64, 72, 4096, SIZE, 0x7fffffff, 0xfffffff8 };
	int64_t size = record_size();

	put_all("abc");
	for (size_t i = 0; i < GAN_COUNT(wrong); i++) {
		poke(GAN_SPOOL_START + size, &wrong[i], 4);
		reopen(&none);
		ck_assert_str_eq(waiting(), "xbc");
	}
	/* Zero is the end: only what was never written follows it. */
	poke(GAN_SPOOL_START + size, "\0\0\0\0", 4);
	reopen(&none);
	ck_assert_str_eq(waiting(), "x");
}
END_TEST

START_TEST(full_is_full_and_heals)
{
	char big[4000];
	struct gan_spool_cursor cur;
	struct stat sb;
	int n = 0, rc;

	memset(big, 'z', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	while ((rc = put(big)) == GAN_OK)
		n++;
	ck_assert_int_eq(rc, GAN_EFULL);
	ck_assert_int_gt(n, 10);
	/* What fits is not hurt by what does not. */
	ck_assert_int_eq(put("s"), GAN_OK);
	ck_assert_int_eq(put(big), GAN_EFULL);
	ck_assert_int_eq(gan_spool_commit(sp, &err), GAN_OK);
	ck_assert_int_eq(figures().records, n + 1);
	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert_int_eq(sb.st_size, SIZE);
	ck_assert_int_ge((int64_t)sb.st_blocks * 512, SIZE);
	reopen(&none);
	ck_assert_int_eq(strlen(waiting()), (size_t)n + 1);
	ck_assert_int_eq(put(big), GAN_EFULL);
	(void)letters(&cur, 60);
	gan_spool_imported(sp, &cur);
	ck_assert_int_eq(figures().records, 0);
	ck_assert_int_eq(put(big), GAN_OK);
	ck_assert_int_eq(gan_spool_commit(sp, &err), GAN_OK);
}
END_TEST

START_TEST(the_position_is_exact)
{
	struct gan_spool_cursor cur;
	struct gan_spool_mark mark = { .file = gan_spool_file(sp) };

	put_all("abcdef");
	ck_assert_str_eq(letters(&cur, 2), "ab");
	mark.number = cur.number;
	/* A crash before the file knew: the database does. */
	reopen(&mark);
	ck_assert_str_eq(waiting(), "cdef");
	ck_assert_int_eq(figures().records, 4);
	ck_assert_str_eq(letters(&cur, 1), "c");
	gan_spool_imported(sp, &cur);
	ck_assert_str_eq(waiting(), "def");
	put_all("g");
	mark.number = cur.number;
	reopen(&mark);
	ck_assert_str_eq(waiting(), "defg");
	/* The mark of a database that knew another file says nothing about this one. */
	mark.file++;
	mark.number = 1000;
	reopen(&mark);
	ck_assert_str_eq(waiting(), "abcdefg");
}
END_TEST

START_TEST(what_was_imported_never_comes_again)
{
	struct gan_spool_cursor cur;
	struct gan_spool_mark mark = { .file = gan_spool_file(sp) };
	int64_t size = record_size();

	put_all("abcdef");
	(void)letters(&cur, 60);
	gan_spool_imported(sp, &cur);
	ck_assert_int_eq(figures().bytes, 0);
	/* Not for a new database at the same place either. */
	reopen(&none);
	ck_assert_str_eq(waiting(), "");
	put_all("g");
	reopen(&none);
	ck_assert_str_eq(waiting(), "g");
	/* Old ones lie behind it in the file: neither its end nor damage leads to them. */
	poke(GAN_SPOOL_START + 20, "!", 1);
	reopen(&none);
	ck_assert_str_eq(waiting(), "");
	put_all("h");
	poke(GAN_SPOOL_START + size, "????????", 8);
	reopen(&none);
	ck_assert_str_eq(waiting(), "h");
	(void)letters(&cur, 60);
	mark.number = cur.number;
	reopen(&mark);
	ck_assert_str_eq(waiting(), "");
	put_all("i");
	reopen(&mark);
	ck_assert_str_eq(waiting(), "i");
}
END_TEST

START_TEST(a_torn_header_leaves_the_other)
{
	static const char junk[512] = "junk";
	struct gan_spool_cursor cur;
	uint64_t file = gan_spool_file(sp);

	put_all("ab");
	(void)letters(&cur, 60);
	gan_spool_imported(sp, &cur); /* writes the second slot */
	put_all("c");
	for (int slot = 0; slot < 2; slot++) {
		char *good;
		size_t len;

		ck_assert_int_eq(gan_file_read(path, 1 << 20, &good, &len, &err), GAN_OK);
		poke(slot * 512 + 12, junk, 4);
		reopen(&(struct gan_spool_mark){ file, 2 });
		ck_assert_uint_eq(gan_spool_file(sp), file);
		ck_assert_str_eq(waiting(), "c");
		poke(0, good, len);
		free(good);
	}
}
END_TEST

static void
expect_refused(int code, const char *text)
{
	char *before, *after;
	size_t blen, alen;

	ck_assert_int_eq(gan_file_read(path, 1 << 20, &before, &blen, &err), GAN_OK);
	ck_assert_int_eq(gan_spool_open(path, SIZE, &none, &sp, &err), code);
	ck_assert_msg(strstr(err.msg, text) != NULL, "%s", err.msg);
	ck_assert_int_eq(gan_file_read(path, 1 << 20, &after, &alen, &err), GAN_OK);
	ck_assert_uint_eq(blen, alen);
	ck_assert_mem_eq(before, after, blen);
	free(before);
	free(after);
}

START_TEST(what_is_no_spool_is_left_alone)
{
	put_all("a");
	gan_spool_free(&sp);
	poke(512 + 16, "!!!!", 4);
	expect_refused(GAN_ESTORE, "is damaged");
	poke(0, "SQLite f", 8);
	poke(512, "SQLite f", 8);
	expect_refused(GAN_ECONFIG, "is no spool of Gantry");
	ck_assert_int_eq(truncate(path, 100), 0);
	expect_refused(GAN_ECONFIG, "is no spool of Gantry");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(gan_spool_open(path, SIZE, &none, &sp, &err), GAN_ECONFIG);
}
END_TEST

START_TEST(a_half_made_one_is_made)
{
	gan_spool_free(&sp);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_int_eq(truncate(path, SIZE), 0);
	reopen(&none);
	put_all("a");
	reopen(&none);
	ck_assert_str_eq(waiting(), "a");
}
END_TEST

START_TEST(its_size_changes_when_it_is_empty)
{
	struct gan_spool_cursor cur;
	struct stat sb;

	put_all("a");
	gan_spool_free(&sp);
	ck_assert_int_eq(gan_spool_open(path, 2 * SIZE, &none, &sp, &err), GAN_OK);
	ck_assert_str_eq(waiting(), "a");
	ck_assert_int_eq(figures().size, SIZE);
	(void)letters(&cur, 60);
	gan_spool_imported(sp, &cur);
	gan_spool_free(&sp);
	ck_assert_int_eq(gan_spool_open(path, 2 * SIZE, &none, &sp, &err), GAN_OK);
	ck_assert_int_eq(figures().size, 2 * SIZE);
	reopen(&none);
	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert_int_eq(sb.st_size, SIZE);
}
END_TEST

START_TEST(switched_off_it_is_read_to_its_end)
{
	struct gan_spool_cursor cur;

	put_all("ab");
	gan_spool_free(&sp);
	ck_assert_int_eq(gan_spool_open(path, 0, &none, &sp, &err), GAN_OK);
	ck_assert_int_eq(figures().size, 0);
	ck_assert_int_eq(put("c"), GAN_EFULL);
	ck_assert_str_eq(letters(&cur, 60), "ab");
	gan_spool_imported(sp, &cur);
	gan_spool_free(&sp);
	ck_assert_int_eq(gan_spool_open(path, 0, &none, &sp, &err), GAN_ENOENT);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("spool");
	TCase *tc = tcase_create("file");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_checksum_is_crc_32c);
	tcase_add_test(tc, everything_comes_back);
	tcase_add_test(tc, a_group_that_was_not_committed_is_not_there);
	tcase_add_test(tc, a_torn_tail_is_left_out);
	tcase_add_test(tc, a_record_gone_bad_costs_itself_alone);
	tcase_add_test(tc, wrong_lengths_lead_nowhere);
	tcase_add_test(tc, full_is_full_and_heals);
	tcase_add_test(tc, the_position_is_exact);
	tcase_add_test(tc, what_was_imported_never_comes_again);
	tcase_add_test(tc, a_torn_header_leaves_the_other);
	tcase_add_test(tc, what_is_no_spool_is_left_alone);
	tcase_add_test(tc, a_half_made_one_is_made);
	tcase_add_test(tc, its_size_changes_when_it_is_empty);
	tcase_add_test(tc, switched_off_it_is_read_to_its_end);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

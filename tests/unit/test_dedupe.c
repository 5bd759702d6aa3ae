/* SPDX-License-Identifier: MIT */
/* test_dedupe.c - the window of hashes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "store/dedupe.h"

#define ROWS 100001
#define FAILED (-7)

static struct gan_window *w;

/* The log: entries from..to-1 of each row, by number. */
static struct {
	uint64_t from, to;
} rows[ROWS];
static size_t looked;
static int64_t from_row; /* older rows are gone */
static bool broken;

/* Some share the piece of the hash that memory holds: only the whole hash counts. */
static void
make_hash(uint64_t n, unsigned char hash[16])
{
	uint64_t mixed = n % 10 == 0 && n < 4000 ? 77 : n * UINT64_C(0x9e3779b97f4a7c15);

	mixed ^= mixed >> 29;
	memcpy(hash, &mixed, 8);
	memcpy(hash + 8, &n, 8);
}

static int64_t
look(void *arg, const unsigned char hash[16], int64_t first, int64_t last)
{
	unsigned char have[16];

	ck_assert_ptr_eq(arg, &looked);
	ck_assert_int_le(from_row, first);
	ck_assert_int_le(first, last);
	ck_assert_int_lt(last, ROWS);
	looked++;
	if (broken)
		return FAILED;
	for (int64_t row = first; row <= last; row++) {
		for (uint64_t n = rows[row].from; n < rows[row].to; n++) {
			make_hash(n, have);
			if (memcmp(have, hash, 16) == 0)
				return (int64_t)n;
		}
	}
	return 0;
}

static void
add(uint64_t n, int64_t row, int64_t at_ms)
{
	unsigned char hash[16];

	make_hash(n, hash);
	if (rows[row].to != n)
		rows[row].from = n;
	rows[row].to = n + 1;
	gan_window_add(w, hash, row, at_ms);
	from_row = gan_window_first_row(w);
}

static int64_t
find(uint64_t n, int64_t now_ms)
{
	unsigned char hash[16];

	make_hash(n, hash);
	return gan_window_find(w, hash, now_ms, look, &looked);
}

static void
begin(size_t max)
{
	memset(rows, 0, sizeof(rows));
	from_row = 0;
	looked = 0;
	broken = false;
	w = gan_window_new(max);
	ck_assert_ptr_nonnull(w);
}

START_TEST(finds_whole_hashes_only)
{
	begin(0);
	for (uint64_t i = 1; i <= 3000; i++)
		add(i, 1, 0);
	for (uint64_t i = 1; i <= 3000; i++)
		ck_assert_int_eq(find(i, 0), (int64_t)i);
	ck_assert_int_eq(find(3001, 0), 0);
	ck_assert_int_eq(find(3010, 0), 0); /* was looked for among 300 that look alike */
	ck_assert_uint_eq(gan_window_count(w), 3000);
	gan_window_free(&w);
}
END_TEST

START_TEST(looks_in_the_log_for_duplicates_only)
{
	begin(0);
	for (uint64_t i = 1; i < 100000; i++)
		if (i % 10 != 0)
			add(i, (int64_t)(i / 5), 0);
	for (uint64_t i = 100001; i < 200000; i++) {
		if (i % 10 != 0)
			ck_assert_int_eq(find(i, 0), 0);
	}
	ck_assert_uint_lt(looked, 500); /* of 90,000 */
	looked = 0;
	ck_assert_int_eq(find(77777, 0), 77777);
	ck_assert_uint_le(looked, 3);
	gan_window_free(&w);
}
END_TEST

START_TEST(a_log_that_cannot_be_read_is_no_answer)
{
	begin(0);
	add(1, 1, 0);
	broken = true;
	ck_assert_int_eq(find(1, 0), FAILED);
	ck_assert_int_eq(find(2, 0), 0);
	gan_window_free(&w);
}
END_TEST

START_TEST(rows_of_any_size_are_told_apart)
{
	uint64_t n = 1;

	begin(400000); /* blocks of 7 entries or more */
	for (int64_t row = 1; row < 20000; row++) {
		for (uint64_t k = 0; k < (uint64_t)row % 13; k++)
			add(n++, row, 0);
	}
	for (uint64_t i = 1; i < n; i += 7)
		ck_assert_int_eq(find(i, 0), (int64_t)i);
	gan_window_free(&w);
}
END_TEST

START_TEST(lives_one_to_two_generations)
{
	const int64_t week = GAN_DEDUPE_KEEP_MS;

	begin(0);
	add(1, 1, 0);
	add(2, 2, week - 1);
	ck_assert_int_eq(gan_window_first_row(w), 1);
	add(3, 3, week); /* the second generation begins */
	ck_assert_int_eq(find(1, week), 1);
	ck_assert_int_eq(gan_window_first_row(w), 1);
	add(4, 4, 2 * week);
	ck_assert_int_eq(find(1, 2 * week), 0);
	ck_assert_int_eq(find(2, 2 * week), 0);
	ck_assert_int_eq(find(3, 2 * week), 3);
	ck_assert_int_eq(gan_window_first_row(w), 3);
	/* Without newer ones they fade by themselves. */
	ck_assert_int_eq(find(4, 4 * week - 1), 4);
	ck_assert_int_eq(find(4, 4 * week), 0);
	gan_window_free(&w);
}
END_TEST

START_TEST(is_bounded_by_entries)
{
	begin(2000);
	for (uint64_t i = 1; i <= 100000; i++) {
		add(i, (int64_t)i, 0);
		ck_assert_uint_le(gan_window_count(w), 2000);
	}
	for (uint64_t i = 99001; i <= 100000; i++)
		ck_assert_int_eq(find(i, 0), (int64_t)i);
	ck_assert_int_eq(find(90000, 0), 0);
	ck_assert_int_gt(gan_window_first_row(w), 97000);
	gan_window_free(&w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dedupe");
	TCase *tc = tcase_create("window");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, finds_whole_hashes_only);
	tcase_add_test(tc, looks_in_the_log_for_duplicates_only);
	tcase_add_test(tc, a_log_that_cannot_be_read_is_no_answer);
	tcase_add_test(tc, rows_of_any_size_are_told_apart);
	tcase_add_test(tc, lives_one_to_two_generations);
	tcase_add_test(tc, is_bounded_by_entries);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

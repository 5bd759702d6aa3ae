/* SPDX-License-Identifier: MIT */
/* test_dedupe.c - the window of hashes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "store/dedupe.h"

static struct gan_window *w;

static struct gan_dedupe_entry
entry(uint64_t n)
{
	struct gan_dedupe_entry e = { .event_id = (int64_t)n };

	/* Equal first halves on purpose: only the whole hash counts. */
	memset(e.hash, 7, 8);
	memcpy(e.hash + 8, &n, 8);
	return e;
}

static void
add(uint64_t n, int64_t row, int64_t at_ms)
{
	struct gan_dedupe_entry e = entry(n);

	ck_assert_int_eq(gan_window_reserve(w, 1), GAN_OK);
	gan_window_add(w, &e, row, at_ms);
}

static int64_t
find(uint64_t n, int64_t now_ms)
{
	struct gan_dedupe_entry e = entry(n);

	return gan_window_find(w, e.hash, now_ms);
}

START_TEST(finds_whole_hashes_only)
{
	w = gan_window_new(0);
	for (uint64_t i = 1; i <= 3000; i++)
		add(i, 1, 0);
	for (uint64_t i = 1; i <= 3000; i++)
		ck_assert_int_eq(find(i, 0), (int64_t)i);
	ck_assert_int_eq(find(3001, 0), 0);
	ck_assert_uint_eq(gan_window_count(w), 3000);
	gan_window_free(&w);
}
END_TEST

START_TEST(lives_one_to_two_generations)
{
	const int64_t week = GAN_DEDUPE_KEEP_MS;

	w = gan_window_new(0);
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
	w = gan_window_new(2000);
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
	tcase_add_test(tc, lives_one_to_two_generations);
	tcase_add_test(tc, is_bounded_by_entries);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

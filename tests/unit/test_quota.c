/* SPDX-License-Identifier: MIT */
/* test_quota.c - the quota: what no window may hold more of. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outbound/quota.h"

#define WINDOW 60000

static struct gan_quota q;
static struct gan_err err;

static void
setup(void)
{
	memset(&q, 0, sizeof(q));
	ck_assert_int_eq(gan_quota_set(&q, 10, WINDOW, &err), GAN_OK);
}

static void
teardown(void)
{
	gan_quota_fini(&q);
}

static void
run(int64_t start_ms, int64_t end_ms)
{
	ck_assert_uint_gt(gan_quota_room(&q, start_ms), 0);
	gan_quota_take(&q, 1);
	gan_quota_end(&q, end_ms);
}

START_TEST(without_one_everything_may_go)
{
	gan_quota_fini(&q);
	ck_assert(gan_quota_room(&q, 1) == SIZE_MAX);
	gan_quota_take(&q, 1000);
	ck_assert(gan_quota_room(&q, 1) == SIZE_MAX);
	for (int i = 0; i < 1000; i++)
		gan_quota_end(&q, 1);
	ck_assert(!gan_quota_refused(&q, 1));
	gan_quota_close(&q, 1);
	ck_assert(gan_quota_room(&q, 1) == SIZE_MAX);
}
END_TEST

START_TEST(a_place_counts_until_a_window_after_its_end)
{
	for (int i = 0; i < 10; i++)
		run(1000, 1500 + i);
	/* Both times are cut to milliseconds: only one more makes a whole window sure. */
	ck_assert_uint_eq(gan_quota_room(&q, 1500 + WINDOW), 0);
	ck_assert_int_eq(gan_quota_room_ms(&q, 2000), 1501 + WINDOW);
	ck_assert_uint_eq(gan_quota_room(&q, 1501 + WINDOW), 1);
	ck_assert_uint_eq(gan_quota_room(&q, 1510 + WINDOW), 10);
}
END_TEST

START_TEST(one_under_way_counts_however_long_it_takes)
{
	gan_quota_take(&q, 10);
	ck_assert_uint_eq(gan_quota_room(&q, 100 * WINDOW), 0);
	ck_assert_int_eq(gan_quota_room_ms(&q, 100 * WINDOW), INT64_MAX);
	gan_quota_give(&q); /* nothing was sent */
	ck_assert_uint_eq(gan_quota_room(&q, 100 * WINDOW), 1);
}
END_TEST

START_TEST(closed_is_as_if_all_had_been_used_just_now)
{
	gan_quota_close(&q, 5000);
	ck_assert_uint_eq(gan_quota_room(&q, 5000 + WINDOW), 0);
	ck_assert_int_eq(gan_quota_room_ms(&q, 6000), 5001 + WINDOW);
	ck_assert_uint_eq(gan_quota_room(&q, 5001 + WINDOW), 10);
}
END_TEST

START_TEST(another_limit_keeps_what_is_counted)
{
	for (int i = 0; i < 10; i++)
		run(1000, 1000 + i);
	ck_assert_int_eq(gan_quota_set(&q, 100, WINDOW, &err), GAN_OK);
	ck_assert_uint_eq(gan_quota_room(&q, 2000), 90);
	for (int i = 0; i < 90; i++)
		run(2000, 2000);
	ck_assert_int_eq(gan_quota_set(&q, 3, WINDOW, &err), GAN_OK);
	ck_assert_uint_eq(gan_quota_room(&q, 1010 + WINDOW), 0);
	ck_assert_int_eq(gan_quota_room_ms(&q, 3000), 2001 + WINDOW);
	ck_assert_uint_eq(gan_quota_room(&q, 2001 + WINDOW), 3);
}
END_TEST

START_TEST(refusals_take_a_tenth_and_quiet_gives_it_back)
{
	ck_assert_int_eq(gan_quota_set(&q, 100, WINDOW, &err), GAN_OK);
	ck_assert(gan_quota_refused(&q, 1000));
	ck_assert_uint_eq(gan_quota_limit(&q, 1000), 90);
	ck_assert(!gan_quota_refused(&q, 1001)); /* of the same crowd */
	ck_assert_uint_eq(gan_quota_limit(&q, 1000 + WINDOW - 1), 90);
	ck_assert_uint_eq(gan_quota_limit(&q, 1000 + WINDOW), 91);
	ck_assert_uint_eq(gan_quota_limit(&q, 1000 + 4 * WINDOW), 94);
	ck_assert_uint_eq(gan_quota_limit(&q, 1000 + 900 * (int64_t)WINDOW), 100);
	for (int64_t now = 100000000; now < 100000000 + 200 * (int64_t)WINDOW; now += WINDOW - 1)
		(void)gan_quota_refused(&q, now);
	ck_assert_uint_ge(gan_quota_limit(&q, 100000000 + 199 * (int64_t)WINDOW), 1);
}
END_TEST

/* ---- a peer that counts -------------------------------------------------- */

static uint64_t seed;

static uint64_t
below(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

#define FLYING 64
#define SEEN 60000

/* In microseconds, as the peer may count them; the quota knows whole milliseconds. */
struct flight {
	bool on;
	int64_t seen_us, end_us;
};

static int64_t seen[SEEN];
static size_t nseen;

static int
by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
land(struct flight *f, int64_t now)
{
	for (size_t i = 0; i < FLYING; i++)
		if (f[i].on && f[i].end_us <= now) {
			f[i].on = false;
			gan_quota_end(&q, now / 1000);
			if (nseen < SEEN)
				seen[nseen++] = f[i].seen_us;
		}
}

static void
depart(struct flight *f, int64_t now, size_t wanted)
{
	size_t room = gan_quota_room(&q, now / 1000);

	for (size_t i = 0; i < FLYING && wanted > 0 && room > 0; i++) {
		if (f[i].on)
			continue;
		gan_quota_take(&q, 1);
		room--;
		wanted--;
		if (below(10) == 0) { /* the connection was refused */
			gan_quota_give(&q);
			continue;
		}
		f[i] = (struct flight){ true, 0, now + (int64_t)below(2000 * WINDOW / 3) };
		f[i].seen_us = now + (int64_t)below((uint64_t)(f[i].end_us - now) + 1);
	}
}

/*
 * Whatever is asked for, however long requests take, whenever in that time the
 * peer counts them: no window of its holds more than the limit.
 */
START_TEST(no_window_of_the_peer_holds_more)
{
	static struct flight f[FLYING];
	const char *repeat = getenv("GANTRY_SEED");
	unsigned limit = 1 + (unsigned)_i * 7, most = 0;
	int64_t now = 1000000;
	size_t first = 0;

	seed = repeat != NULL ? strtoull(repeat, NULL, 10) : (uint64_t)_i * 7919 + 1;
	memset(f, 0, sizeof(f));
	nseen = 0;
	ck_assert_int_eq(gan_quota_set(&q, limit, WINDOW, &err), GAN_OK);
	for (int step = 0; step < 40000; step++) {
		now += (int64_t)below(_i % 2 ? 300000 : 4000000);
		land(f, now);
		depart(f, now, below(4) == 0 ? FLYING : below(3));
		if (below(500) == 0)
			gan_quota_close(&q, now / 1000);
	}
	qsort(seen, nseen, sizeof(seen[0]), by_time);
	for (size_t i = 0; i < nseen; i++) {
		while (seen[first] + INT64_C(1000) * WINDOW <= seen[i])
			first++;
		if (i - first + 1 > most)
			most = (unsigned)(i - first + 1);
	}
	ck_assert_msg(most <= limit, "seed %llu: %u in a window, %u allowed",
	    (unsigned long long)seed, most, limit);
	/* Not by doing nothing: half of the limit is reached somewhere. */
	ck_assert_uint_ge(most * 2, limit < FLYING ? limit : FLYING);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("quota");
	TCase *tc = tcase_create("quota");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_one_everything_may_go);
	tcase_add_test(tc, a_place_counts_until_a_window_after_its_end);
	tcase_add_test(tc, one_under_way_counts_however_long_it_takes);
	tcase_add_test(tc, closed_is_as_if_all_had_been_used_just_now);
	tcase_add_test(tc, another_limit_keeps_what_is_counted);
	tcase_add_test(tc, refusals_take_a_tenth_and_quiet_gives_it_back);
	tcase_add_loop_test(tc, no_window_of_the_peer_holds_more, 0, 8);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

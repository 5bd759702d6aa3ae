/* SPDX-License-Identifier: MIT */
/* test_frame.c - frames between pool and workers: what is written is read, what is cut is bad. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "mapping/frame.h"

static struct gan_buf b;

static void
fini(void)
{
	gan_buf_fini(&b);
}

static void
write_one(void)
{
	size_t start = gan_frame_begin(&b, GAN_FRAME_EVENT);

	gan_buf_u32(&b, 0xfffefdfc);
	gan_frame_text(&b, "text");
	gan_frame_text(&b, NULL);
	gan_frame_text(&b, "");
	gan_frame_bytes(&b, "a\0b", 3);
	gan_frame_end(&b, start);
}

START_TEST(what_is_written_is_read)
{
	struct gan_frame_in in;
	const char *s;
	size_t len;
	int kind = 0;

	write_one();
	write_one();
	ck_assert_int_eq(gan_frame_next(b.data, b.len, &kind, &in), (long)b.len / 2);
	ck_assert_int_eq(kind, GAN_FRAME_EVENT);
	ck_assert_uint_eq(gan_frame_u32(&in), 0xfffefdfc);
	ck_assert_str_eq(gan_frame_str(&in, &len), "text");
	ck_assert_uint_eq(len, 4);
	ck_assert_ptr_null(gan_frame_str(&in, &len));
	ck_assert_str_eq(gan_frame_str(&in, NULL), "");
	s = gan_frame_str(&in, &len);
	ck_assert_uint_eq(len, 3);
	ck_assert_int_eq(memcmp(s, "a\0b", 4), 0);
	ck_assert(!in.bad);
	ck_assert_uint_eq(in.left, 0);
}
END_TEST

/* Every prefix of a frame is "more is needed", never a frame. */
START_TEST(half_a_frame_is_none)
{
	struct gan_frame_in in;
	int kind;

	write_one();
	for (size_t n = 0; n < b.len; n++) {
		char *copy = malloc(n + 1); /* of that size, so that ASan sees a step too far */

		memcpy(copy, b.data, n);
		ck_assert_int_eq(gan_frame_next(copy, n, &kind, &in), 0);
		free(copy);
	}
}
END_TEST

/* A frame that ends before its members do is bad from there on, and gives nothing. */
START_TEST(a_short_read_stays_bad)
{
	write_one();
	for (size_t n = 0; n < b.len - GAN_FRAME_HEAD; n++) {
		char *copy = malloc(n + 1);
		struct gan_frame_in in = { .p = copy, .left = n };

		memcpy(copy, b.data + GAN_FRAME_HEAD, n);
		(void)gan_frame_u32(&in);
		for (int i = 0; i < 4; i++)
			(void)gan_frame_str(&in, NULL);
		ck_assert(in.bad);
		ck_assert_uint_eq(gan_frame_u32(&in), 0);
		ck_assert_int_eq(gan_frame_i64(&in), 0);
		ck_assert_ptr_null(gan_frame_str(&in, NULL));
		free(copy);
	}
}
END_TEST

START_TEST(lengths_that_cannot_be_are_refused)
{
	static const unsigned char zero[] = { 0, 0, 0, 0, 'h' };
	static const unsigned char huge[] = { 1, 0, 0, 0x10, 'h' };
	static const char no_nul[] = { 2, 0, 0, 0, 'a', 'b', 'c' };
	struct gan_frame_in in = { .p = no_nul, .left = sizeof(no_nul) };
	int kind;

	ck_assert_int_eq(gan_frame_next((const char *)zero, sizeof(zero), &kind, &in), GAN_EPARSE);
	ck_assert_int_eq(gan_frame_next((const char *)huge, sizeof(huge), &kind, &in), GAN_EPARSE);
	ck_assert_ptr_null(gan_frame_str(&in, NULL));
	ck_assert(in.bad);
}
END_TEST

START_TEST(numbers_keep_their_sign)
{
	static const int64_t values[] = { 0, 1, -1, INT64_MAX, INT64_MIN };
	struct gan_frame_in in;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		gan_buf_i64(&b, values[i]);
	in = (struct gan_frame_in){ .p = b.data, .left = b.len };
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		ck_assert_int_eq(gan_frame_i64(&in), values[i]);
	ck_assert(!in.bad);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("frame");
	TCase *tc = tcase_create("frame");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, NULL, fini);
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_test(tc, half_a_frame_is_none);
	tcase_add_test(tc, a_short_read_stays_bad);
	tcase_add_test(tc, lengths_that_cannot_be_are_refused);
	tcase_add_test(tc, numbers_keep_their_sign);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

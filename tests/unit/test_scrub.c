/* SPDX-License-Identifier: MIT */
/* test_scrub.c - a secret is found in every form that it may be repeated in. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "outbound/scrub.h"

static struct gan_scrub scrub;

static void
teardown(void)
{
	gan_scrub_fini(&scrub);
}

static void
becomes(const char *secret, const char *text, const char *want)
{
	char copy[512];

	ck_assert_int_eq(gan_scrub_add(&scrub, secret, strlen(secret)), GAN_OK);
	(void)snprintf(copy, sizeof(copy), "%s", text);
	gan_scrub_text(&scrub, copy, strlen(copy));
	ck_assert_str_eq(copy, want);
}

START_TEST(as_it_is)
{
	becomes("s3cret", "a s3cret and s3cret", "a ****** and ******");
	becomes("s3cret", "S3CRET s3cre", "S3CRET s3cre");
}
END_TEST

START_TEST(too_short_to_be_one)
{
	becomes("abcde", "abcde", "abcde");
	ck_assert_uint_eq(scrub.n, 0);
}
END_TEST

/* A key that another one begins with must not leave the rest of that one readable. */
START_TEST(one_inside_another)
{
	ck_assert_int_eq(gan_scrub_add(&scrub, "plant-1", 7), GAN_OK);
	becomes("plant-1-9f8e7d6c", "plant-1 plant-1-9f8e7d6c", "******* ****************");
	becomes("xx plant-1-9f8e7d6c xx", "706c616e742d312d3966386537643663",
	    "********************************");
}
END_TEST

START_TEST(in_hex)
{
	becomes("s3cret", "733363726574", "************");
	becomes("j:k/l?m", "6A3A6B2F6C3F6D 6a3a6b2f6c3f6d", "************** **************");
}
END_TEST

START_TEST(percent_encoded)
{
	becomes("a b/c+d", "?k=a%20b%2Fc%2Bd&x a%20b%2fc%2bd", "?k=*************&x *************");
}
END_TEST

START_TEST(as_a_json_text)
{
	becomes("a\"b\\c/d", "{\"k\":\"a\\\"b\\\\c/d\"}", "{\"k\":\"*********\"}");
	becomes("a\"b\\c/d", "{\"k\":\"a\\\"b\\\\c\\/d\"}", "{\"k\":\"**********\"}");
}
END_TEST

/* Alone, and anywhere in a longer text: what is left of it are the bits at both ends. */
START_TEST(in_base64)
{
	static const char *const secrets[] = { "sim-mv-token", "p\xc3\xa4ssw\xc3\xb6rd~~~?>?>?>",
		"sim-3pl-password", "12345678" };

	for (size_t i = 0; i < GAN_COUNT(secrets); i++) {
		size_t len = strlen(secrets[i]);

		ck_assert_int_eq(gan_scrub_add(&scrub, secrets[i], len), GAN_OK);
		for (int before = 0; before < 7; before++) {
			for (int after = 0; after < 4; after++) {
				char plain[64];
				int n = snprintf(plain, sizeof(plain), "%.*s%s%.*s", before,
				    "user-:", secrets[i], after, ":xyz");
				char *text = gan_base64_encode(plain, (size_t)n);
				size_t stars = 0;

				for (int url = 0; url < 2; url++) {
					for (char *p = text; url && *p != '\0'; p++)
						*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
					char *got = gan_memdup(text, strlen(text));

					gan_scrub_text(&scrub, got, strlen(got));
					stars = 0;
					for (const char *p = got; *p != '\0'; p++)
						stars += *p == '*';
					ck_assert_msg(
					    stars >= len * 8 / 6 - 2, "%s: %s", plain, got);
					free(got);
				}
				free(text);
			}
		}
	}
}
END_TEST

START_TEST(several_secrets)
{
	char text[] = "first-one second-one Zmlyc3Qtb25l";

	ck_assert_int_eq(gan_scrub_add(&scrub, "first-one", 9), GAN_OK);
	ck_assert_int_eq(gan_scrub_add(&scrub, "second-one", 10), GAN_OK);
	ck_assert_int_eq(gan_scrub_add(&scrub, "first-one", 9), GAN_OK);
	gan_scrub_text(&scrub, text, strlen(text));
	ck_assert_str_eq(text, "********* ********** ************");
	gan_scrub_text(&scrub, text, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scrub");
	TCase *tc = tcase_create("forms");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, as_it_is);
	tcase_add_test(tc, too_short_to_be_one);
	tcase_add_test(tc, one_inside_another);
	tcase_add_test(tc, in_hex);
	tcase_add_test(tc, percent_encoded);
	tcase_add_test(tc, as_a_json_text);
	tcase_add_test(tc, in_base64);
	tcase_add_test(tc, several_secrets);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

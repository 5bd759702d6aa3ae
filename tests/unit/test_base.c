/* SPDX-License-Identifier: MIT */
/* test_base.c - the small things everything stands on. */
#include <check.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hmac.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"

START_TEST(units_are_exact)
{
	char text[32];
	int64_t v;

	ck_assert(gan_duration_parse("15m", &v));
	ck_assert_int_eq(v, 900000);
	ck_assert(gan_duration_parse("10y", &v));
	ck_assert_int_eq(v, INT64_C(315360000000));
	ck_assert(gan_duration_parse("0", &v));
	ck_assert(!gan_duration_parse("15", &v));
	ck_assert(!gan_duration_parse("-1s", &v));
	ck_assert(!gan_duration_parse("99999999999999999999d", &v));
	ck_assert(gan_size_parse("1MiB", &v));
	ck_assert_int_eq(v, 1 << 20);
	ck_assert(!gan_size_parse("1MB", &v));
	ck_assert_str_eq(gan_duration_format(5400000, text, sizeof(text)), "90m");
	ck_assert_str_eq(gan_size_format(1536, text, sizeof(text)), "1536B");
}
END_TEST

START_TEST(ids_grow_and_read_back)
{
	char text[GAN_ID_LEN], later[GAN_ID_LEN];
	int64_t a = gan_id_next(0, 1750000000000), b = gan_id_next(a, 1750000000000), back;

	ck_assert_int_gt(b, a);
	ck_assert_int_gt(gan_id_next(b, 1000), b); /* the clock went backwards */
	ck_assert_int_eq(gan_id_time_ms(a), 1750000000000);
	/* "until 9999" and a clock gone wild: the last time that an id can have. */
	ck_assert_int_gt(gan_id_floor(253402300799999), b);
	ck_assert_int_gt(gan_id_next(b, 253402300799999), gan_id_floor(253402300799999));
	gan_id_format(GAN_ID_EVENT, a, text);
	gan_id_format(GAN_ID_EVENT, b, later);
	ck_assert_int_lt(strcmp(text, later), 0);
	ck_assert(gan_id_parse(GAN_ID_EVENT, text, &back));
	ck_assert_int_eq(back, a);
	ck_assert(!gan_id_parse(GAN_ID_DELIVERY, text, &back));
	ck_assert(!gan_id_parse(GAN_ID_EVENT, "e0000000000000x", &back));
	ck_assert(!gan_id_parse(GAN_ID_EVENT, "ezzzzzzzzzzzzz", &back));
}
END_TEST

START_TEST(uuid5_is_the_rfc_one)
{
	char out[37];

	/* python3 -c 'import uuid; print(uuid.uuid5(uuid.NAMESPACE_URL, "S1/12345678/PH/0"))' */
	ck_assert_int_eq(gan_uuid5("S1/12345678/PH/0", 16, out), GAN_OK);
	ck_assert_str_eq(out, "1fa6f960-96e0-53a4-b78f-52f8bbc57c5b");
}
END_TEST

START_TEST(base64_is_strict)
{
	unsigned char out[32];

	ck_assert_int_eq(gan_base64_decode("aGk=", 4, out, sizeof(out)), 2);
	ck_assert_int_eq(gan_base64_decode("aGk", 3, out, sizeof(out)), 2);
	ck_assert_int_eq(gan_base64_decode("_-8", 3, out, sizeof(out)), 2);
	ck_assert_int_lt(gan_base64_decode("aGl", 3, out, sizeof(out)), 0); /* left-over bits */
	ck_assert_int_lt(gan_base64_decode("a", 1, out, sizeof(out)), 0);
	ck_assert_int_lt(gan_base64_decode("aG k", 4, out, sizeof(out)), 0);
	ck_assert_int_lt(gan_base64_decode("aGk==", 5, out, sizeof(out)), 0);
	ck_assert_int_lt(gan_base64_decode("aGk=", 4, out, 1), 0);
}
END_TEST

START_TEST(hmac_refuses_an_empty_key)
{
	struct gan_hmac_key *key = NULL;
	struct gan_err err;
	unsigned char mac[GAN_DIGEST_MAX];
	char hex[65];

	ck_assert_int_eq(gan_hmac_key_new(GAN_SHA256, "", 0, &key, &err), GAN_EINVAL);
	ck_assert_int_eq(gan_hmac_key_new(GAN_SHA256, "igw-test-secret", 15, &key, &err), GAN_OK);
	ck_assert_int_eq(gan_hmac(key, "{\"id\":111}", 10, mac), GAN_OK);
	gan_hex(mac, 32, hex);
	ck_assert_str_eq(hex, "ea9daa56655b5c29a17384a1bd42c5cbdcffac9989d927887bd387f3abff7c36");
	gan_hmac_key_free(&key);
	gan_hmac_key_free(&key);
}
END_TEST

START_TEST(times_read_back)
{
	char out[GAN_TIME_LEN];
	int64_t ms;

	ck_assert_int_eq(gan_time_parse("2026-11-21T19:02:11.123Z", &ms), GAN_OK);
	ck_assert_str_eq(gan_time_format(ms, out), "2026-11-21T19:02:11.123Z");
	ck_assert_int_eq(gan_time_parse("2026-11-21T20:02:11+01", &ms), GAN_OK);
	ck_assert_str_eq(gan_time_format(ms, out), "2026-11-21T19:02:11.000Z");
	ck_assert_int_eq(gan_time_parse("2026-11-21T20:02:11-05:30", &ms), GAN_OK);
	ck_assert_int_lt(gan_time_parse("2026-11-21T20:02:11", &ms), 0);
	ck_assert_int_lt(gan_time_parse("2026-02-31T20:02:11Z", &ms), 0);
	ck_assert_int_lt(gan_time_parse("9999-12-31T23:59:59-01:00", &ms), 0); /* year 10000 */
	ck_assert_int_lt(gan_time_parse("0000-01-01T00:00:00+01:00", &ms), 0);
	ck_assert_int_eq(gan_http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT", &ms), GAN_OK);
	ck_assert_int_eq(ms, INT64_C(784111777000));
}
END_TEST

START_TEST(globs_match_whole_texts)
{
	ck_assert(gan_glob("prodsmart/production.*", "prodsmart/production.created"));
	ck_assert(gan_glob("*", "a/b.c"));
	ck_assert(gan_glob("erp/*.c?ncel", "erp/pallet.cancel"));
	ck_assert(!gan_glob("prodsmart/production.*", "prodsmart/production-order.created"));
	ck_assert(!gan_glob("a", "ab"));
	ck_assert(gan_glob("*a*b*c", "xxaxxbxxc"));
}
END_TEST

START_TEST(json_text_is_escaped)
{
	struct gan_buf b = { 0 };

	gan_buf_json(&b, "a\"\\\n\x01\xff\xc3\xa9", 8);
	ck_assert_str_eq(b.data, "\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\"");
	gan_buf_fini(&b);
}
END_TEST

START_TEST(buffer_remembers_its_limit)
{
	struct gan_buf b = { .max = 4 };

	gan_buf_puts(&b, "abcd");
	ck_assert(!b.failed);
	gan_buf_putc(&b, 'e');
	ck_assert(b.failed);
	ck_assert_uint_eq(b.len, 4);
	gan_buf_fini(&b);
}
END_TEST

START_TEST(printable_replaces_controls_and_cuts)
{
	char out[12];

	ck_assert_str_eq(gan_printable("a\nb\x1b[", 5, out, sizeof(out)), "a?b?[");
	ck_assert_str_eq(gan_printable("a\xc2\x9b\u202e", 6, out, sizeof(out)), "a??");
	ck_assert_str_eq(gan_printable("0123456789abcdef", 16, out, sizeof(out)), "01234567...");
}
END_TEST

START_TEST(the_clock_of_due_times_does_not_go_back)
{
	struct gan_due_clock c;

	gan_due_clock_init(&c, 0, 50);
	ck_assert_int_eq(gan_due_clock_ms(&c, 1000, 60), 1000);
	ck_assert_int_eq(gan_due_clock_ms(&c, 1010, 70), 1010);
	ck_assert_int_eq(gan_due_clock_ms(&c, 9000, 80), 9000); /* forward: it follows */
	ck_assert_int_eq(gan_due_clock_ms(&c, 1020, 90), 9010); /* back: it goes on */
	ck_assert_int_eq(gan_due_clock_ms(&c, 500, 100), 9020);
	ck_assert_int_eq(gan_due_clock_ms(&c, 9030, 105), 9030); /* caught up */

	/* Another run begins where the last one was, not behind it. */
	gan_due_clock_init(&c, 9030, 7);
	ck_assert_int_eq(gan_due_clock_ms(&c, 600, 9), 9032);
	gan_due_clock_init(&c, 9030, 7);
	ck_assert_int_eq(gan_due_clock_ms(&c, 9500, 9), 9500);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("base");
	TCase *tc = tcase_create("base");

	tcase_add_test(tc, units_are_exact);
	tcase_add_test(tc, ids_grow_and_read_back);
	tcase_add_test(tc, the_clock_of_due_times_does_not_go_back);
	tcase_add_test(tc, uuid5_is_the_rfc_one);
	tcase_add_test(tc, base64_is_strict);
	tcase_add_test(tc, hmac_refuses_an_empty_key);
	tcase_add_test(tc, times_read_back);
	tcase_add_test(tc, globs_match_whole_texts);
	tcase_add_test(tc, json_text_is_escaped);
	tcase_add_test(tc, buffer_remembers_its_limit);
	tcase_add_test(tc, printable_replaces_controls_and_cuts);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

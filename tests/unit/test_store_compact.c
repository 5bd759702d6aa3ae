/* SPDX-License-Identifier: MIT */
/* test_store_compact.c - JSON on one line and in one order. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_priv.h"

static const struct {
	const char *text, *plain, *sorted;
} good[] = {
	{ " { \"b\" : 1.50 , \"a\" : [ true , null , \"x\\\\\" ] } ",
	    "{\"b\":1.50,\"a\":[true,null,\"x\\\\\"]}",
	    "{\"a\":[true,null,\"x\\\\\"],\"b\":1.50}" },
	{ "{\"z\":{\"y\":1,\"x\":{}},\"aa\":2,\"a\":3}",
	    "{\"z\":{\"y\":1,\"x\":{}},\"aa\":2,\"a\":3}",
	    "{\"a\":3,\"aa\":2,\"z\":{\"x\":{},\"y\":1}}" },
	{ "[{\"k\":2,\"k\":1}]", "[{\"k\":2,\"k\":1}]", "[{\"k\":2,\"k\":1}]" },
	{ "-0.0e+10", "-0.0e+10", "-0.0e+10" },
	{ "9007199254740993", "9007199254740993", "9007199254740993" },
	{ "\"\\u00e9\\n\"", "\"\\u00e9\\n\"", "\"\\u00e9\\n\"" },
};

static const char *const bad[] = { "", " ", "{", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "01",
	"1.", ".5", "+1", "1e", "tru", "nul", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\x01\"",
	"\"\xff\"", "[1] 2", "[1 2]", "{\"a\":1,}", "NaN" };

START_TEST(good_json_is_kept_as_it_is)
{
	struct gan_buf b = { .max = 1000 };

	ck_assert_int_eq(gan_json_compact(good[_i].text, strlen(good[_i].text), false, &b), GAN_OK);
	ck_assert_str_eq(b.data, good[_i].plain);
	gan_buf_clear(&b);
	ck_assert_int_eq(gan_json_compact(good[_i].text, strlen(good[_i].text), true, &b), GAN_OK);
	ck_assert_str_eq(b.data, good[_i].sorted);
	gan_buf_fini(&b);
}
END_TEST

START_TEST(bad_json_leaves_nothing_behind)
{
	struct gan_buf b = { .max = 1000 };

	gan_buf_puts(&b, "before");
	ck_assert_msg(
	    gan_json_compact(bad[_i], strlen(bad[_i]), true, &b) == GAN_EPARSE, "%s", bad[_i]);
	ck_assert_uint_eq(b.len, 6);
	gan_buf_fini(&b);
}
END_TEST

START_TEST(many_members_and_deep_nesting)
{
	struct gan_buf in = { .max = 1 << 20 }, out = { .max = 1 << 20 };

	gan_buf_putc(&in, '{');
	for (int i = 999; i >= 0; i--)
		gan_buf_printf(&in, "\"k%03d\":{\"b\":1,\"a\":%d}%s", i, i, i == 0 ? "}" : ", ");
	ck_assert_int_eq(gan_json_compact(in.data, in.len, true, &out), GAN_OK);
	ck_assert_int_eq(strncmp(out.data, "{\"k000\":{\"a\":0,\"b\":1},\"k001\":", 29), 0);
	gan_buf_clear(&in);
	gan_buf_clear(&out);
	for (int i = 0; i < 100000; i++)
		gan_buf_putc(&in, '[');
	ck_assert_int_eq(gan_json_compact(in.data, in.len, true, &out), GAN_EPARSE);
	gan_buf_fini(&in);
	gan_buf_fini(&out);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store-compact");
	TCase *tc = tcase_create("json");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, good_json_is_kept_as_it_is, 0, (int)GAN_COUNT(good));
	tcase_add_loop_test(tc, bad_json_leaves_nothing_behind, 0, (int)GAN_COUNT(bad));
	tcase_add_test(tc, many_members_and_deep_nesting);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

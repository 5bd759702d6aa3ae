/* SPDX-License-Identifier: MIT */
/* test_json.c - the strict check at the door, and which numbers a double keeps. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "json/check.h"
#include "json/numbers.h"

static int
check(const char *text, struct gan_json_info *info, struct gan_err *err)
{
	return gan_json_check(text, strlen(text), GAN_JSON_DEPTH, info, err);
}

START_TEST(what_the_grammar_allows_is_accepted)
{
	static const char *const good[] = { "{}", "[]", "null", " true\r\n\t", "\"\"", "-0",
		"0.0e-0", "{\"a\":{\"b\":[1,2,{}],\"\":[]},\"a\":1}", "[[],{},[[]]]",
		"\"\\u0000\\ud800\\/\"", "\"eight plain bytes and more, \x7f too\"", "[1,\n2 , 3]",
		"\"Gr\xc3\xb6\xc3\x9f\x65 \xe2\x80\x93 1 \xf0\x9f\x90\x98\"" };

	for (size_t i = 0; i < GAN_COUNT(good); i++) {
		struct gan_err err = { 0 };

		ck_assert_msg(check(good[i], NULL, &err) == GAN_OK, "%s: %s", good[i], err.msg);
	}
}
END_TEST

START_TEST(errors_say_where_and_what)
{
	static const struct {
		const char *text, *msg;
	} bad[] = {
		{ "", "line 1 column 1: expected a value, but the text ends here" },
		{ "{\"a\":1,}", "line 1 column 8: expected a key in double quotes, found '}'" },
		{ "[1,]", "line 1 column 4: expected a value, found ']'" },
		{ "{\n  \"\xc3\xb6\": tru }", "line 2 column 8: expected a value, found 't'" },
		{ "[1}", "line 1 column 3: expected ',' or ']', found '}'" },
		{ "{\"a\" 1}", "line 1 column 6: expected ':' after the key, found '1'" },
		{ "01", "line 1 column 2: expected the end of the text, found '1'" },
		{ "1.", "line 1 column 3: expected a digit, but the text ends here" },
		{ "[-]", "line 1 column 3: expected a digit, found ']'" },
		{ "\"a", "line 1 column 3: the text ends inside a string" },
		{ "\"\\x\"", "line 1 column 2: unknown escape in a string" },
		{ "\"\\u12g4\"", "line 1 column 2: \\u needs four hex digits" },
		{ "\"a\nb\"",
		    "line 1 column 3: control character in a string (write it as an escape)" },
		{ "\"01234567\xff\"", "line 1 column 10: bytes that are not UTF-8" },
		{ "\xef\xbb\xbf{}", "line 1 column 1: a byte order mark is not allowed" },
		{ "{'a':1}", "line 1 column 2: expected a key in double quotes, found '''" },
		{ "{} {}", "line 1 column 4: expected the end of the text, found '{'" },
		{ "NaN", "line 1 column 1: expected a value, found 'N'" },
		{ "\x01", "line 1 column 1: expected a value, found byte 0x01" },
	};

	for (size_t i = 0; i < GAN_COUNT(bad); i++) {
		struct gan_err err = { 0 };

		ck_assert_int_eq(check(bad[i].text, NULL, &err), GAN_EPARSE);
		ck_assert_str_eq(err.msg, bad[i].msg);
	}
	/* A NUL is a byte like any other: never the end. */
	ck_assert_int_eq(gan_json_check("{}\0x", 4, GAN_JSON_DEPTH, NULL, NULL), GAN_EPARSE);
	ck_assert_int_eq(gan_json_check("\"\\\0\"", 4, GAN_JSON_DEPTH, NULL, NULL), GAN_EPARSE);
}
END_TEST

START_TEST(every_prefix_of_good_text_is_refused)
{
	static const char text[] =
	    "{\"a\":[true,false,null,-1.5e+3,\"x\\u00e9\\n\xc3\xa9\"],\"b\":{}}";
	size_t len = sizeof(text) - 1;

	for (size_t n = 0; n < len; n++) {
		/* In memory of its own, so that a sanitizer sees every read behind the end. */
		char *copy = malloc(n + 1);

		memcpy(copy, text, n);
		ck_assert_int_eq(gan_json_check(copy, n, GAN_JSON_DEPTH, NULL, NULL), GAN_EPARSE);
		free(copy);
	}
	ck_assert_int_eq(gan_json_check(text, len, GAN_JSON_DEPTH, NULL, NULL), GAN_OK);
}
END_TEST

START_TEST(depth_has_a_limit)
{
	struct gan_json_info info;
	struct gan_err err = { 0 };
	char text[300] = "";

	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	ck_assert_int_eq(check(text, &info, &err), GAN_OK);
	ck_assert_uint_eq(info.depth, 64);
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	ck_assert_int_eq(check(text, NULL, &err), GAN_ELIMIT);
	ck_assert_str_eq(err.msg, "line 1 column 65: nested deeper than 64 levels");
	ck_assert_int_eq(gan_json_check("[1]", 3, 0, NULL, NULL), GAN_ELIMIT);
	ck_assert_int_eq(gan_json_check("1", 1, 0, NULL, NULL), GAN_OK);
	ck_assert_int_eq(gan_json_check(text, strlen(text), 100000, &info, NULL), GAN_OK);
}
END_TEST

START_TEST(numbers_that_a_double_keeps)
{
	static const char *const kept[] = { "0", "-0", "0.000", "0e99999999999", "1", "-12.50",
		"1e3", "1E+3", "100.0", "4.32000", "123456789012345", "0.1",
		"103123456789012000000e-6", "9007199254740991", "9007199254740992",
		"18014398509481984", "1e15", "100000000000000000000", "0.30000000000000004",
		"1.7976931348623157e308", "5e-324", "2.2250738585072014e-308",
		"0.00000000000000000000012345", "1e22", "1e23", "123456789.123456",
		"4503599627370497" };
	static const char *const changed[] = { "9007199254740993", "-9007199254740993", "1e1000",
		"-1e1000", "1e-400", "123456789.123456789", "3.141592653589793238",
		"0.10000000000000001", "103123456789012345", "12345678901234567890", "4.9e-324",
		"2e-324", "1.7976931348623159e308", "1e99999999999999999999",
		"1e-99999999999999999999", "90071992547409930000e-4", "4503599627370497.5" };

	for (size_t i = 0; i < GAN_COUNT(kept); i++)
		ck_assert_msg(gan_json_number_exact(kept[i], strlen(kept[i])), "%s", kept[i]);
	for (size_t i = 0; i < GAN_COUNT(changed); i++)
		ck_assert_msg(
		    !gan_json_number_exact(changed[i], strlen(changed[i])), "%s", changed[i]);
}
END_TEST

/* Against the C library: whatever double there is, its shortest form is kept. */
START_TEST(shortest_forms_of_doubles_are_kept)
{
	uint64_t bits = UINT64_C(0x9e3779b97f4a7c15);

	for (int i = 0; i < 20000; i++) {
		char text[40];
		double v;

		bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		memcpy(&v, &bits, sizeof(v));
		if (v != v || v - v != 0)
			continue;
		for (int p = 1; p <= 17; p++) {
			(void)snprintf(text, sizeof(text), "%.*e", p - 1, v);
			if (strtod(text, NULL) == v)
				break;
		}
		ck_assert_msg(gan_json_number_exact(text, strlen(text)), "%s", text);
	}
}
END_TEST

START_TEST(the_first_inexact_number_is_named)
{
	struct gan_json_info info;

	ck_assert_int_eq(check("{\"x\":[1,{}],\"a/b~\":[0,{\"q\\\"\":[[],9007199254740993]}],"
			       "\"z\":1e1000}",
			     &info, NULL),
	    GAN_OK);
	ck_assert(info.inexact);
	ck_assert_str_eq(info.inexact_path, "/a~1b~0/1/q\\\"/1");
	ck_assert_str_eq(info.inexact_text, "9007199254740993");
	ck_assert_int_eq(check("1e1000", &info, NULL), GAN_OK);
	ck_assert_str_eq(info.inexact_path, "");
	ck_assert_int_eq(check("[1,2.5]", &info, NULL), GAN_OK);
	ck_assert(!info.inexact);

	char text[400];

	memset(text, '7', sizeof(text));
	ck_assert_int_eq(gan_json_check(text, sizeof(text), 1, &info, NULL), GAN_OK);
	ck_assert_uint_lt(strlen(info.inexact_text), sizeof(info.inexact_text));
	ck_assert_ptr_nonnull(strstr(info.inexact_text, "..."));
}
END_TEST

START_TEST(inexact_numbers_are_quoted)
{
	static const char in[] =
	    "{\"9007199254740993\":9007199254740993,\"a\\\"1e999\":[1e999,1.50]}";
	struct gan_buf out = { 0 };

	ck_assert_int_eq(gan_json_quote_inexact(in, strlen(in), &out), GAN_OK);
	ck_assert_str_eq(out.data,
	    "{\"9007199254740993\":\"9007199254740993\",\"a\\\"1e999\":[\"1e999\",1.50]}");
	gan_buf_clear(&out);
	ck_assert_int_eq(gan_json_quote_inexact("12345678901234567890", 20, &out), GAN_OK);
	ck_assert_str_eq(out.data, "\"12345678901234567890\"");
	gan_buf_clear(&out);
	ck_assert_int_eq(gan_json_quote_inexact("[1,2]", 5, &out), GAN_OK);
	ck_assert_str_eq(out.data, "[1,2]");
	gan_buf_fini(&out);
}
END_TEST

/* Where the suite leaves the choice free, ours is this, for ever: these are accepted. */
static const char *const free_accepted[] = { "i_number_double_huge_neg_exp", "i_number_huge_exp",
	"i_number_neg_int_huge_exp", "i_number_pos_double_huge_exp", "i_number_real_neg_overflow",
	"i_number_real_pos_overflow", "i_number_real_underflow", "i_number_too_big_neg_int",
	"i_number_too_big_pos_int", "i_number_very_big_negative_int",
	"i_object_key_lone_2nd_surrogate", "i_string_1st_surrogate_but_2nd_missing",
	"i_string_1st_valid_surrogate_2nd_invalid",
	"i_string_incomplete_surrogate_and_escape_valid", "i_string_incomplete_surrogate_pair",
	"i_string_incomplete_surrogates_escape_valid", "i_string_invalid_lonely_surrogate",
	"i_string_invalid_surrogate", "i_string_inverted_surrogates_U+1D11E",
	"i_string_lone_second_surrogate" };
/* ... and these refused. */
static const char *const free_refused[] = { "i_string_UTF-16LE_with_BOM",
	"i_string_UTF-8_invalid_sequence", "i_string_UTF8_surrogate_U+D800",
	"i_string_invalid_utf-8", "i_string_iso_latin_1", "i_string_lone_utf8_continuation_byte",
	"i_string_not_in_unicode_range", "i_string_overlong_sequence_2_bytes",
	"i_string_overlong_sequence_6_bytes", "i_string_overlong_sequence_6_bytes_null",
	"i_string_truncated-utf-8", "i_string_utf16BE_no_BOM", "i_string_utf16LE_no_BOM",
	"i_structure_500_nested_arrays", "i_structure_UTF-8_BOM_empty_object" };

static bool
listed(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(name) == strlen(list[i]) + 5 &&
		    strncmp(name, list[i], strlen(list[i])) == 0)
			return true;
	return false;
}

START_TEST(conformance_suite)
{
	const char *data = getenv("GANTRY_DATA");
	char dir[512], path[1024];
	unsigned yes = 0, no = 0, open = 0;
	struct dirent *e;
	DIR *d;

	(void)snprintf(dir, sizeof(dir), "%s/json-test-suite/test_parsing",
	    data != NULL ? data : "../shared/data");
	d = opendir(dir);
	if (d == NULL) {
		printf("skipped: JSON conformance suite (no folder %s; set GANTRY_DATA)\n", dir);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		char *text GAN_AUTO(gan_str_free) = NULL;
		struct gan_err err = { 0 };
		bool want;
		size_t len;

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		ck_assert_int_eq(gan_file_read(path, 1 << 20, &text, &len, &err), GAN_OK);
		if (e->d_name[0] == 'i') {
			want = listed(free_accepted, GAN_COUNT(free_accepted), e->d_name);
			ck_assert_msg(
			    want != listed(free_refused, GAN_COUNT(free_refused), e->d_name), "%s",
			    e->d_name);
			open++;
		} else {
			want = e->d_name[0] == 'y';
			yes += want;
			no += !want;
		}
		ck_assert_msg(
		    (gan_json_check(text, len, GAN_JSON_DEPTH, NULL, &err) == GAN_OK) == want,
		    "%s: %s", e->d_name, err.msg);
	}
	(void)closedir(d);
	ck_assert_uint_eq(yes, 95);
	ck_assert_uint_eq(no, 188);
	ck_assert_uint_eq(open, 35);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("json");
	TCase *tc = tcase_create("json");

	tcase_add_test(tc, what_the_grammar_allows_is_accepted);
	tcase_add_test(tc, errors_say_where_and_what);
	tcase_add_test(tc, every_prefix_of_good_text_is_refused);
	tcase_add_test(tc, depth_has_a_limit);
	tcase_add_test(tc, numbers_that_a_double_keeps);
	tcase_add_test(tc, shortest_forms_of_doubles_are_kept);
	tcase_add_test(tc, the_first_inexact_number_is_named);
	tcase_add_test(tc, inexact_numbers_are_quoted);
	tcase_add_test(tc, conformance_suite);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: MIT */
/* test_worker_json.c - our way from JSON to jq's values and back gives what libjq's own gives. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mapping/worker_priv.h"

static void
setup(void)
{
	gan_jq_init();
}

/* Numbers as doubles: libjq 1.7 remembers the digits of those that nobody changed.  Consumes v. */
static jv
as_doubles(jv v)
{
	if (jv_get_kind(v) == JV_KIND_NUMBER) {
		jv d = jv_number(jv_number_value(v));

		jv_free(v);
		return d;
	}
	if (jv_get_kind(v) == JV_KIND_ARRAY) {
		int n = jv_array_length(jv_copy(v));

		for (int i = 0; i < n; i++)
			v = jv_array_set(v, i, as_doubles(jv_array_get(jv_copy(v), i)));
	} else if (jv_get_kind(v) == JV_KIND_OBJECT) {
		jv_object_foreach(v, key, item) v = jv_object_set(v, key, as_doubles(item));
	}
	return v;
}

/* What a worker does with a text that passes the check, beside what libjq does. */
static void
compare(const char *text)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_err err;

	ck_assert_msg(
	    gan_json_check(text, strlen(text), GAN_JSON_DEPTH, NULL, &err) == GAN_OK, "%s", text);
	jv ours = gan_jv_read(text), theirs = jv_parse(text);
	ck_assert_msg(jv_is_valid(theirs), "libjq refuses %s", text);
	ck_assert_msg(jv_is_valid(ours), "refused: %s", text);
	ck_assert_msg(jv_equal(jv_copy(ours), jv_copy(theirs)), "not equal: %s", text);
	jv dump = jv_dump_string(as_doubles(theirs), 0);
	ck_assert_ptr_null(gan_jv_write(&out, ours, true));
	ck_assert_str_eq(out.data, jv_string_value(dump));
	jv_free(dump);
	jv_free(ours);
}

START_TEST(tricky_texts)
{
	static const char *const texts[] = { "null", " true ", "false", "0", "-0", "-0.0", "[]",
		"{}", "[ ]", " { } ", "\"\"", "1", "-1", "10.5", "-10.50", "1e3", "1E+3", "1e-3",
		"0.1", "1e-7", "123456789012345", "999999999999999", "1000000000000000",
		"-999999999999999", "1234567890123456", "9007199254740993", "12345678901234567890",
		"1e15", "1e17", "1e18", "1e22", "5e-324", "1.7976931348623157e308",
		"3.141592653589793", "100000000000000000000", "0.000001", "0.0001", "0.00001234",
		"1e100", "-1.5e-10", "2e0", "\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"", "\"\\u0000\"",
		"\"\\u001f \\u007f\"", "\"\\u00e9\\u20ac\\ud83d\\ude00\"",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\\udc00\"", "\"x\\uDFFFy\"",
		"\"\\uABCD\\uabcd\"", "{\"a\":1,\"a\":2,\"b\":3}", "{\"\":{\"\":[]}}",
		"{\"a\\u0062\":1,\"ab\":2}", "[1,[2,[3,[4,{\"x\":[5]}]]]]", "[ 1 , 2\n,\t3 ]\r\n",
		"{ \"k\" : \"v\" , \"w\":[ ] }",
		"{\"a-name-of-a-member-that-is-longer-than-those-that-are-kept\":1}",
		"{\"one\":1,\"two\":2,\"three\":3,\"four\":4,\"five\":5,\"six\":6,\"seven\":7,"
		"\"eight\":8,\"nine\":9,\"ten\":10}",
		"[1e400,-1e400]" };

	for (size_t i = 0; i + 1 < GAN_COUNT(texts); i++)
		compare(texts[i]);
	/* Beyond a double: read as infinity, which no output may hold. */
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	jv v = gan_jv_read(texts[GAN_COUNT(texts) - 1]);
	ck_assert(isinf(jv_number_value(jv_array_get(jv_copy(v), 0))));
	ck_assert_str_eq(gan_jv_write(&out, v, false), "a number in the output is not finite");
	jv_free(v);
}
END_TEST

START_TEST(half_a_pair_is_refused)
{
	static const char *const texts[] = { "\"\\ud800\"", "[\"\\ud83dx\"]", "{\"\\ud800\":1}",
		"\"\\ud800\\ud800\"", "\"\\ud800\\n\"" };

	for (size_t i = 0; i < GAN_COUNT(texts); i++)
		ck_assert_msg(!jv_is_valid(gan_jv_read(texts[i])), "%s", texts[i]);
}
END_TEST

/* Names that collide in the small store of names stay what they are. */
START_TEST(many_names)
{
	struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };

	gan_buf_putc(&text, '{');
	for (int i = 0; i < 5000; i++)
		gan_buf_printf(&text, "%s\"n%d\":%d", i > 0 ? "," : "", i % 3000, i);
	gan_buf_putc(&text, '}');
	for (int round = 0; round < 3; round++)
		compare(text.data);
}
END_TEST

static unsigned seed;

static unsigned
pick(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void
put_any(struct gan_buf *b, int depth)
{
	static const char *const words[] = { "\"code\"", "\"lot\"", "\"\\u00fc\\ud83d\\ude00\\n\"",
		"\"\xe2\x82\xac 5\"", "\"a\\\\\"", "\"serial number of the pallet\"", "\"x\"" };
	unsigned n = pick(5), kind = pick(depth > 0 ? 8 : 5);

	switch (kind) {
	case 0:
		gan_buf_printf(b, "%d", (int)pick(20000) - 10000);
		return;
	case 1:
		gan_buf_printf(
		    b, "%u.%ue%d", pick(1000), pick(100000) * pick(32768), (int)pick(60) - 30);
		return;
	case 2:
		gan_buf_printf(b, "%u%u%u%u", pick(9) + 1, pick(32768), pick(32768), pick(32768));
		return;
	case 3:
		gan_buf_puts(b, pick(3) == 0 ? "null" : pick(2) == 0 ? "true" : "false");
		return;
	case 4:
		gan_buf_puts(b, words[pick(GAN_COUNT(words))]);
		return;
	default:
		break;
	}
	gan_buf_putc(b, kind < 7 ? '{' : '[');
	for (unsigned i = 0; i < n; i++) {
		gan_buf_puts(b, i > 0 ? " ,\n" : "");
		if (kind < 7)
			gan_buf_printf(b, "%s:", words[pick(GAN_COUNT(words))]);
		put_any(b, depth - 1);
	}
	gan_buf_putc(b, kind < 7 ? '}' : ']');
}

START_TEST(random_texts)
{
	const char *again = getenv("GANTRY_SEED");

	seed = again != NULL ? (unsigned)strtoul(again, NULL, 10) : (unsigned)time(NULL);
	(void)printf("GANTRY_SEED=%u\n", seed);
	for (int i = 0; i < 20000; i++) {
		struct gan_buf text GAN_AUTO(gan_buf_fini) = { 0 };

		put_any(&text, 6);
		compare(text.data);
	}
}
END_TEST

START_TEST(uuids_and_depth)
{
	struct gan_buf out GAN_AUTO(gan_buf_fini) = { 0 };
	jv mark = jv_string(gan_jq_marker);
	jv uuid = jv_object_set(jv_object(), jv_copy(mark), jv_string("n"));
	jv v = JV_ARRAY(uuid, jv_object_set(jv_object(), jv_copy(mark), jv_number(1)),
	    jv_object_set(jv_object_set(jv_object(), mark, jv_null()), jv_string("k"), jv_null()));

	ck_assert_ptr_null(gan_jv_write(&out, v, true));
	/* The third has a key more: the marker stays, and whoever asked refuses it. */
	ck_assert_ptr_nonnull(strstr(out.data, gan_jq_marker));
	ck_assert_int_eq(strncmp(out.data, "[\"", 2), 0);
	ck_assert_int_eq(strncmp(out.data + 2 + 36, "\",null,{", 8), 0);
	jv_free(v);
	v = jv_null();
	for (int i = 0; i <= GAN_JSON_DEPTH; i++)
		v = JV_ARRAY(v);
	gan_buf_clear(&out);
	ck_assert_str_eq(
	    gan_jv_write(&out, v, false), "the output is nested deeper than 64 levels");
	jv_free(v);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("worker json");
	TCase *tc = tcase_create("json");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, tricky_texts);
	tcase_add_test(tc, half_a_pair_is_refused);
	tcase_add_test(tc, many_names);
	tcase_add_test(tc, random_texts);
	tcase_add_test(tc, uuids_and_depth);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

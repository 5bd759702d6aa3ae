/* SPDX-License-Identifier: MIT */
/* test_tables.c - lookup tables: RFC 4180 and what people make of it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mapping/tables.h"

static void
table_n(const char *text, size_t len, const char *expected)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf b = { 0 };
	struct gan_err err = { 0 };
	int rc = gan_table_json("t.csv", text, len, &b, NULL, &err);

	if (rc == GAN_OK)
		ck_assert_str_eq(b.data, expected);
	else
		ck_assert_str_eq(err.msg, expected);
}

static void
table(const char *text, const char *expected)
{
	table_n(text, strlen(text), expected);
}

START_TEST(two_columns_give_texts)
{
	table("k,v\nDMG,destroy\nQA,sample\n", "{\"DMG\":\"destroy\",\"QA\":\"sample\"}");
	table("k,v\r\nA,1", "{\"A\":\"1\"}");
	table("k,v\n\nA,\n\n", "{\"A\":\"\"}");
	table("k,v\n", "{}");
	table("k,v\n007, x \n7,y\n", "{\"007\":\" x \",\"7\":\"y\"}");
}
END_TEST

START_TEST(more_columns_give_rows)
{
	table("k,name,city\n007,Bond,London\n",
	    "{\"007\":{\"k\":\"007\",\"name\":\"Bond\",\"city\":\"London\"}}");
}
END_TEST

START_TEST(quotes_follow_the_rfc)
{
	table("k,v\n\"a,b\",\"say \"\"hi\"\"\"\n", "{\"a,b\":\"say \\\"hi\\\"\"}");
	table("k,v\na,\"two\r\nlines\"\nb,1\n", "{\"a\":\"two\\r\\nlines\",\"b\":\"1\"}");
	table("\"k\",\"v\"\na,\"\"\n", "{\"a\":\"\"}");
	table("k,v\na,b\"c\n", "t.csv:2: a quote inside a field that is not quoted");
	table("k,v\na,\"b\"c\n",
	    "t.csv:2: text behind a closing quote; write a quote inside a quoted field twice");
	table("k,v\na,\"b\n\n", "t.csv:2: a quoted field is not closed");
}
END_TEST

START_TEST(spreadsheets_are_understood)
{
	table("\xef\xbb\xbfk;v\r\nA;1,5\r\n", "{\"A\":\"1,5\"}");
	table("k;\"a,b,c\"\nA;1\n", "{\"A\":\"1\"}");
	table("k,v\nGr\xf6\xdf"
	      "e,1\n",
	    "t.csv:2: this byte (0xf6) is not UTF-8 text; save the file as CSV UTF-8");
	table_n("k,v\na,\0\n", 8,
	    "t.csv:2: this byte (0x00) is not UTF-8 text; save the file as CSV UTF-8");
}
END_TEST

START_TEST(faults_name_their_line)
{
	table("", "t.csv:1: a table needs a header line with at least two columns, such as "
		  "\"key,value\"");
	table("k\na\n", "t.csv:1: a table needs a header line with at least two columns, such as "
			"\"key,value\"");
	table("k,v\na,1\nb,2,3\n", "t.csv:3: 3 columns, the header has 2");
	table("k,v\na,1\nb\n", "t.csv:3: 1 columns, the header has 2");
	table("k,v\na,\"1\n2\"\na,3\n", "t.csv:4: duplicate key 'a', first on line 2");
	table("k,v\n,1\n", "t.csv:2: the key is empty");
	table("k,\na,1\n", "t.csv:1: column 2 has no name in the header");
	table("k,v,v\na,1,2\n", "t.csv:1: two columns are named 'v'");
}
END_TEST

START_TEST(large_tables_are_quick)
{
	GAN_AUTO(gan_buf_fini) struct gan_buf in = { 0 }, out = { 0 };
	struct gan_err err;
	size_t rows;

	gan_buf_puts(&in, "k,v\n");
	for (int i = 0; i < 200000; i++)
		gan_buf_printf(&in, "key-%d,value\n", i);
	ck_assert_int_eq(gan_table_json("t.csv", in.data, in.len, &out, &rows, &err), GAN_OK);
	ck_assert_uint_eq(rows, 200000);
	gan_buf_puts(&in, "key-199999,again\n");
	ck_assert_int_eq(gan_table_json("t.csv", in.data, in.len, &out, NULL, &err), GAN_EPARSE);
	ck_assert_str_eq(err.msg, "t.csv:200002: duplicate key 'key-199999', first on line 200001");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tables");
	TCase *tc = tcase_create("tables");

	tcase_add_test(tc, two_columns_give_texts);
	tcase_add_test(tc, more_columns_give_rows);
	tcase_add_test(tc, quotes_follow_the_rfc);
	tcase_add_test(tc, spreadsheets_are_understood);
	tcase_add_test(tc, faults_name_their_line);
	tcase_add_test(tc, large_tables_are_quick);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

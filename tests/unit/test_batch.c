/* SPDX-License-Identifier: MIT */
/* test_batch.c - where the items of a batch begin and end, and what is wrong with them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "inbound/batch.h"
#include "json/check.h"

static struct gan_batch b;
static struct gan_err err;

/* The items with a bar between them, or what is wrong. */
static const char *
split(const char *body, bool lines)
{
	static char out[400];
	int rc;

	err = (struct gan_err){ 0 };
	rc = gan_batch_split(body, strlen(body), lines, &b, &err);
	if (rc < 0)
		return err.msg;
	out[0] = '\0';
	for (size_t i = 0; i < b.n; i++)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%.*s", i == 0 ? "" : "|",
		    (int)b.items[i].len, b.items[i].text);
	return out;
}

static const struct {
	const char *body;
	bool lines;
	const char *items;
} cases[] = {
	{ "[{\"a\":1},{\"b\":2}]", false, "{\"a\":1}|{\"b\":2}" },
	{ " [ 1 , \"a,b\" ,\n[2,3] , {\"x\":[4,\"]\"]} ] \n", false,
	    "1|\"a,b\"|[2,3]|{\"x\":[4,\"]\"]}" },
	{ "[12345678901234567890.500,1E400]", false, "12345678901234567890.500|1E400" },
	{ "[\"\\\\\",\"\\\"]\"]", false, "\"\\\\\"|\"\\\"]\"" },
	{ "[]", false, "The batch is empty: send at least one event in it." },
	{ "[ ]", false, "The batch is empty: send at least one event in it." },
	{ "[1,2", false,
	    "line 1 column 5: expected ',' or ']', but the text ends here. Mend the array and send it again." },
	{ "[1,\n2,]", false,
	    "line 2 column 3: expected a value, found ']'. Mend the array and send it again." },
	{ "[1] [2]", false,
	    "line 1 column 5: expected the end of the text, found '['. Mend the array and send it again." },
	{ "{\"a\":[1]}", false,
	    "The body is no JSON array: send [EVENT, EVENT ...], or one event on each line." },
	{ "{\"a\":1}\n{\"b\":2}", true, "{\"a\":1}|{\"b\":2}" },
	{ "\n 1 \r\n\r\n\t[2]\n", true, "1|[2]" },
	{ "{\nno json\n}", true, "{|no json|}" },
	{ "", true, "The batch is empty: send at least one event in it." },
	{ " \r\n\n", true, "The batch is empty: send at least one event in it." },
};

START_TEST(items_are_found)
{
	ck_assert_str_eq(split(cases[_i].body, cases[_i].lines), cases[_i].items);
}
END_TEST

START_TEST(lines_are_judged_by_themselves)
{
	struct gan_json_info info;

	split("{\"a\":1}\n\n  {\"b\":tru}\n{\"n\":9007199254740993}\n\"\xff\"", true);
	ck_assert_uint_eq(b.n, 4);
	ck_assert_int_eq(gan_batch_check(&b.items[0], &info, &err), GAN_OK);
	ck_assert(!info.inexact);
	ck_assert_int_eq(gan_batch_check(&b.items[1], &info, &err), GAN_EPARSE);
	ck_assert_str_eq(err.msg, "line 3 column 8: expected a value, found 't'");
	ck_assert_int_eq(gan_batch_check(&b.items[2], &info, &err), GAN_OK);
	ck_assert(info.inexact);
	ck_assert_int_eq(gan_batch_check(&b.items[3], &info, &err), GAN_EPARSE);
	ck_assert_str_eq(err.msg, "line 5 column 2: bytes that are not UTF-8");
}
END_TEST

START_TEST(there_is_a_limit)
{
	char *body = calloc(1, 4 * (GAN_BATCH_MAX + 2));

	for (int lines = 0; lines < 2; lines++) {
		strcpy(body, lines ? "" : "[");
		for (int i = 0; i < GAN_BATCH_MAX; i++)
			strcat(body, lines ? "1\n" : i == 0 ? "1" : ",1");
		if (!lines)
			strcat(body, "]");
		err = (struct gan_err){ 0 };
		ck_assert_int_eq(gan_batch_split(body, strlen(body), lines, &b, &err), GAN_OK);
		ck_assert_uint_eq(b.n, GAN_BATCH_MAX);
		strcpy(body + strlen(body) - !lines, lines ? "1" : ",1]");
		ck_assert_int_eq(gan_batch_split(body, strlen(body), lines, &b, &err), GAN_ELIMIT);
		ck_assert_str_eq(
		    err.msg, "More than 1000 items: send the rest in further batches.");
	}
	/* An event may nest as deeply as alone, and no deeper. */
	memset(body, '[', 65);
	memset(body + 65, ']', 65);
	body[130] = '\0';
	ck_assert_int_eq(gan_batch_split(body, 130, false, &b, &err), GAN_OK);
	ck_assert_int_eq(gan_batch_check(&b.items[0], NULL, &err), GAN_OK);
	memset(body, '[', 66);
	memset(body + 66, ']', 66);
	ck_assert_int_eq(gan_batch_split(body, 132, false, &b, &err), GAN_ELIMIT);
	free(body);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("batch");
	TCase *tc = tcase_create("batch");

	tcase_add_loop_test(tc, items_are_found, 0, GAN_COUNT(cases));
	tcase_add_test(tc, lines_are_judged_by_themselves);
	tcase_add_test(tc, there_is_a_limit);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

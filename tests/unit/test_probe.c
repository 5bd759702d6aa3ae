/* SPDX-License-Identifier: MIT */
/* test_probe.c - is it there?  Marks, questions, and the reading of answers. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "outbound/probe.h"

#define MARK "gantry:d0123456789ab"

static struct gan_err err;

static const struct gan_probe_arg args[] = { { "$query.code", "code" },
	{ "$query.product", "products[].code" }, { "$query.since", "@sent" },
	{ "$path.id", "$path.id" } };
static const struct gan_probe_pair equal[] = { { .sent = "quantity" }, { .sent = "client" },
	{ .sent = "products[].code", .seen = "lines[].product.code" } };

static const struct gan_probe by_code = {
	.ask = "things.list", .args = args, .nargs = 1, .key = "code", .equal = equal, .nequal = 3
};
static const struct gan_probe by_mark = { .ask = "things.list",
	.args = args,
	.nargs = 1,
	.paged = true,
	.mark = "comment",
	.mark_seen = "notes",
	.equal = equal,
	.nequal = 1 };
static const struct gan_probe by_both = {
	.ask = "things.list", .paged = true, .key = "code", .mark = "comment"
};
static const struct gan_probe by_each = {
	.ask = "things.list", .paged = true, .each = "items", .key = "code", .list = "all"
};

static char *
mark(const struct gan_probe *p, const char *output)
{
	struct gan_buf b = { 0 };
	int rc = gan_probe_mark(p, output, strlen(output), MARK, &b, &err);

	ck_assert_msg(rc == GAN_OK, "%s", err.msg);
	return gan_buf_steal(&b, NULL);
}

static const struct {
	const char *from, *to;
} marks[] = {
	{ "{\"a\": 1.50}", "{\"a\": 1.50,\"comment\":\"" MARK "\"}" },
	{ "{ }", "{ \"comment\":\"" MARK "\"}" },
	{ "{\"comment\":\"\",\"b\":2}", "{\"comment\":\"" MARK "\",\"b\":2}" },
	{ "{\"comment\" : \"two \\\"w\\\"\" }", "{\"comment\" : \"two \\\"w\\\" " MARK "\" }" },
	{ "{\"comment\":null}", "{\"comment\":\"" MARK "\"}" },
	{ "{\"$path\":{\"id\":7},\"$body\":{\"a\":{\"comment\":\"x\"}}}",
	    "{\"$path\":{\"id\":7},\"$body\":{\"a\":{\"comment\":\"x\"},\"comment\":\"" MARK
	    "\"}}" },
	{ "{\"comment\":\"was " MARK " already\"}", "{\"comment\":\"was " MARK " already\"}" },
	{ "{\"comment\":\"" MARK "9\"}", "{\"comment\":\"" MARK "9 " MARK "\"}" },
};

START_TEST(the_mark_goes_into_the_free_text_and_nothing_else_changes)
{
	char *out GAN_AUTO(gan_str_free) = mark(&by_mark, marks[_i].from);

	ck_assert_str_eq(out, marks[_i].to);
}
END_TEST

START_TEST(no_mark_where_none_is_needed)
{
	char *out GAN_AUTO(gan_str_free) = mark(&by_code, "{\"comment\":\"x\"}");

	ck_assert_str_eq(out, "{\"comment\":\"x\"}");
}
END_TEST

START_TEST(a_text_that_is_none_cannot_take_it)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	ck_assert_int_eq(
	    gan_probe_mark(&by_mark, "{\"comment\":7}", 13, MARK, &b, &err), GAN_EINVAL);
	ck_assert_str_eq(err.msg, "comment must be a text");
	ck_assert_int_eq(gan_probe_mark(&by_mark, "[1]", 3, MARK, &b, &err), GAN_EINVAL);
}
END_TEST

START_TEST(the_question_is_made_of_what_was_sent)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_probe p = { .ask = "x", .args = args, .nargs = 4, .paged = true };
	const char *sent =
	    "{\"$path\":{\"id\":7},\"$body\":{\"code\":\"A \\\"1\\\"\",\"products\":["
	    "{\"code\":\"p1\"},{\"code\":\"p2\"}]}}";

	ck_assert_int_eq(gan_probe_ask(&p, sent, strlen(sent), 1767225600000, 3, &b, &err), GAN_OK);
	ck_assert_str_eq(b.data,
	    "{\"$path\":{\"id\":7},\"$query\":{\"code\":\"A \\\"1\\\"\",\"product\":\"p1\","
	    "\"since\":\"2025-12-31T23:58:00.000Z\",\"page\":3}}");
	gan_buf_clear(&b);
	ck_assert_int_eq(gan_probe_ask(&by_code, "{\"code\":\"\"}", 11, 0, 1, &b, &err), GAN_OK);
	ck_assert_str_eq(b.data, "{\"$path\":{},\"$query\":{}}");
}
END_TEST

#define SENT                                                                                       \
	"{\"code\":\"A\",\"quantity\":\"10\",\"client\":\"c1\",\"note\":null,"                     \
	"\"products\":[{\"code\":\"p1\"},{\"code\":\"p2\"}]}"
#define LINES "\"lines\":[{\"product\":{\"code\":\"p2\"}},{\"product\":{\"code\":\"p1\"}}]"

static const struct {
	const struct gan_probe *probe;
	const char *answer;
	enum gan_probe_seen seen;
	const char *text;
} reads[] = {
	{ &by_code, "[]", GAN_PROBE_ABSENT, "" },
	{ &by_code, "[{\"code\":\"B\"},{\"code\":\"a\"}]", GAN_PROBE_ABSENT, "" },
	{ &by_code, "[{\"code\":\"A\",\"quantity\":10.0,\"client\":\"c1\"," LINES "}]",
	    GAN_PROBE_EQUAL, "" },
	{ &by_code,
	    " {\"code\":\"A\",\"quantity\":10,\"client\":{\"id\":1,\"code\":\"c1\"}," LINES "}",
	    GAN_PROBE_EQUAL, "" },
	{ &by_code, "[{\"code\":\"A\",\"quantity\":11,\"client\":\"c1\"," LINES "}]",
	    GAN_PROBE_DIFFERENT, "quantity is 11 there, \"10\" was sent" },
	{ &by_code, "[{\"code\":\"A\",\"quantity\":10,\"client\":\"c2\"," LINES "}]",
	    GAN_PROBE_DIFFERENT, "client is \"c2\" there, \"c1\" was sent" },
	{ &by_code, "[{\"code\":\"A\",\"client\":\"c1\"}]", GAN_PROBE_DIFFERENT,
	    "quantity is nothing there, \"10\" was sent" },
	{ &by_code,
	    "[{\"code\":\"A\",\"quantity\":1,\"client\":\"c1\"," LINES "},"
	    "{\"code\":\"A\",\"quantity\":10,\"client\":\"c1\"," LINES "}]",
	    GAN_PROBE_EQUAL, "" },
	{ &by_code,
	    "[{\"code\":\"A\",\"quantity\":10,\"client\":\"c1\",\"lines\":[{\"product\":{\"code\":"
	    "\"p1\"}},{\"product\":{\"code\":\"p1\"}}]}]",
	    GAN_PROBE_DIFFERENT,
	    "lines[].product.code is \"p1\", \"p1\" there, \"p1\", \"p2\" was sent" },
	{ &by_mark, "[{\"notes\":\"x\",\"quantity\":10}]", GAN_PROBE_ABSENT, "" },
	{ &by_mark, "[{\"notes\":\"x " MARK " y\",\"quantity\":10}]", GAN_PROBE_EQUAL, "" },
	{ &by_mark, "[{\"notes\":\"" MARK "b\",\"quantity\":10}]", GAN_PROBE_ABSENT, "" },
	{ &by_mark, "[{\"notes\":\"" MARK "\",\"quantity\":9}]", GAN_PROBE_DIFFERENT,
	    "quantity is 9 there, \"10\" was sent" },
	{ &by_both, "[{\"code\":\"A\",\"comment\":\"" MARK "\"}]", GAN_PROBE_EQUAL, "" },
	{ &by_both, "[{\"code\":\"A\",\"comment\":\"\"}]", GAN_PROBE_DIFFERENT,
	    "comment does not hold our mark " MARK ": somebody else's, it seems" },
	{ &by_both, "[{\"code\":\"A\"},{\"code\":\"A\",\"comment\":\"" MARK "\"}]", GAN_PROBE_EQUAL,
	    "" },
};

START_TEST(what_is_there_is_told)
{
	struct gan_probe_sight s GAN_AUTO(gan_probe_sight_fini) = { 0 };
	int rc = gan_probe_read(reads[_i].probe, SENT, strlen(SENT), MARK, reads[_i].answer,
	    strlen(reads[_i].answer), &s, &err);

	ck_assert_msg(rc == GAN_OK, "%s", err.msg);
	ck_assert_int_eq(s.seen, reads[_i].seen);
	if (s.seen == GAN_PROBE_DIFFERENT)
		ck_assert_str_eq(s.text, reads[_i].text);
	ck_assert_int_eq(s.entry != NULL, s.seen != GAN_PROBE_ABSENT);
}
END_TEST

START_TEST(the_entry_is_kept_as_it_came)
{
	struct gan_probe_sight s GAN_AUTO(gan_probe_sight_fini) = { 0 };
	const char *answer =
	    "[{\"code\":\"B\"}, {\"code\":\"A\",\"comment\":\"" MARK "\", \"n\": 1.500}]";

	ck_assert_int_eq(
	    gan_probe_read(&by_both, SENT, strlen(SENT), MARK, answer, strlen(answer), &s, &err),
	    GAN_OK);
	ck_assert_str_eq(s.entry, "{\"code\":\"A\",\"comment\":\"" MARK "\", \"n\": 1.500}");
	ck_assert_uint_eq(s.entries, 2);
}
END_TEST

static void
page(struct gan_probe_sight *s, const struct gan_probe *p, int from, int n)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	gan_buf_putc(&b, '[');
	for (int i = 0; i < n; i++)
		gan_buf_printf(&b, "%s{\"code\":\"c%d\"}", i > 0 ? "," : "", from + i);
	gan_buf_putc(&b, ']');
	ck_assert_int_eq(
	    gan_probe_read(p, SENT, strlen(SENT), MARK, b.data, b.len, s, &err), GAN_OK);
}

START_TEST(full_pages_have_another_one_behind)
{
	struct gan_probe_sight s GAN_AUTO(gan_probe_sight_fini) = { 0 };

	page(&s, &by_both, 0, GAN_PROBE_PAGE);
	ck_assert(gan_probe_more(&by_both, &s));
	ck_assert(!gan_probe_more(&by_code, &s));
	page(&s, &by_both, 100, GAN_PROBE_PAGE - 1);
	ck_assert(!gan_probe_more(&by_both, &s));
	ck_assert_uint_eq(s.entries, 2 * GAN_PROBE_PAGE - 1);
	ck_assert_uint_eq(s.pages, 2);
	page(&s, &by_both, 100, 0);
	ck_assert(!gan_probe_more(&by_both, &s));
}
END_TEST

static void
many(struct gan_buf *b, const char *entry, int n)
{
	gan_buf_putc(b, '[');
	for (int i = 0; i < n; i++)
		gan_buf_printf(b, "%s%s", i > 0 ? "," : "", entry);
	gan_buf_putc(b, ']');
}

/* Each costs time of the loop; such a look is for a person in the end. */
START_TEST(an_answer_of_absurd_size_is_not_read_to_its_end)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_probe_sight s GAN_AUTO(gan_probe_sight_fini) = { 0 };
	struct gan_probe_sight t GAN_AUTO(gan_probe_sight_fini) = { 0 };

	many(&b, "{\"code\":\"B\"}", 20000);
	ck_assert_int_eq(
	    gan_probe_read(&by_code, SENT, strlen(SENT), MARK, b.data, b.len, &s, &err),
	    GAN_ELIMIT);
	ck_assert_str_eq(err.msg, "the answer holds more than 10000 entries");
	gan_buf_clear(&b);
	many(&b, "{\"code\":\"A\"}", 100);
	ck_assert_int_eq(
	    gan_probe_read(&by_code, SENT, strlen(SENT), MARK, b.data, b.len, &t, &err),
	    GAN_ELIMIT);
	ck_assert_str_eq(err.msg, "more than 32 entries look like it");
}
END_TEST

START_TEST(each_of_many_must_be_there)
{
	static const char sent[] = "{\"items\":[{\"code\":\"a\"},{\"code\":\"b\"}]}";
	static const char *const answers[] = { "{\"all\":[{\"code\":\"x\"}]}",
		"{\"all\":[{\"code\":\"b\"}]}", "{\"all\":[{\"code\":\"a\"},{\"code\":\"a\"}]}" };
	static const enum gan_probe_seen seen[] = { GAN_PROBE_ABSENT, GAN_PROBE_DIFFERENT,
		GAN_PROBE_EQUAL };
	struct gan_probe_sight s GAN_AUTO(gan_probe_sight_fini) = { 0 };

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(gan_probe_read(&by_each, sent, sizeof(sent) - 1, MARK, answers[i],
				     strlen(answers[i]), &s, &err),
		    GAN_OK);
		ck_assert_int_eq(s.seen, seen[i]);
		if (i == 1)
			ck_assert_str_eq(s.text, "1 of 2 items are there");
	}
}
END_TEST

START_TEST(what_is_no_list_and_no_object_is_refused)
{
	static const char *const bad[] = { "", "7", "\"x\"", "[{]", "[1,", "null" };
	struct gan_probe_sight s GAN_AUTO(gan_probe_sight_fini) = { 0 };

	ck_assert_int_eq(
	    gan_probe_read(&by_code, SENT, strlen(SENT), MARK, bad[_i], strlen(bad[_i]), &s, &err),
	    GAN_EPARSE);
	ck_assert_int_eq(s.seen, GAN_PROBE_ABSENT);
}
END_TEST

static const struct gan_probe by_id = {
	.ask = "things.get", .one = "code", .mark = "comment", .mark_seen = "notes"
};

static const struct {
	const struct gan_probe *probe;
	const char *answer, *text;
} nothing[] = {
	{ &by_code, "{}", "the answer holds an entry without code" },
	{ &by_code, "{\"message\":\"come later\"}", "the answer holds an entry without code" },
	{ &by_code, "{\"data\":[]}", "the answer holds an entry without code" },
	{ &by_code, "[{\"code\":\"B\"},{\"id\":1}]", "the answer holds an entry without code" },
	{ &by_code, "[null]", "the answer holds an entry that is no object" },
	{ &by_mark, "[[]]", "the answer holds an entry that is no object" },
	{ &by_mark, "{\"notes\":\"x\"}", "the answer is no list" },
	{ &by_each, "{\"all\":{\"code\":\"a\"}}", "the answer is no list" },
	{ &by_id, "[]", "the answer is a list" },
	{ &by_id, "{\"message\":\"come later\"}", "the answer holds an entry without code" },
};

/* Were they read as "not there", it would be sent again. */
START_TEST(what_tells_nothing_is_no_absence)
{
	struct gan_probe_sight s GAN_AUTO(gan_probe_sight_fini) = { 0 };

	ck_assert_int_eq(gan_probe_read(nothing[_i].probe, SENT, strlen(SENT), MARK,
			     nothing[_i].answer, strlen(nothing[_i].answer), &s, &err),
	    GAN_EPARSE);
	ck_assert_str_eq(err.msg, nothing[_i].text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("probe");
	TCase *tc = tcase_create("probe");

	tcase_add_loop_test(tc, the_mark_goes_into_the_free_text_and_nothing_else_changes, 0,
	    (int)GAN_COUNT(marks));
	tcase_add_test(tc, no_mark_where_none_is_needed);
	tcase_add_test(tc, a_text_that_is_none_cannot_take_it);
	tcase_add_test(tc, the_question_is_made_of_what_was_sent);
	tcase_add_loop_test(tc, what_is_there_is_told, 0, (int)GAN_COUNT(reads));
	tcase_add_test(tc, the_entry_is_kept_as_it_came);
	tcase_add_test(tc, full_pages_have_another_one_behind);
	tcase_add_test(tc, an_answer_of_absurd_size_is_not_read_to_its_end);
	tcase_add_test(tc, each_of_many_must_be_there);
	tcase_add_loop_test(tc, what_tells_nothing_is_no_absence, 0, (int)GAN_COUNT(nothing));
	tcase_add_loop_test(tc, what_is_no_list_and_no_object_is_refused, 0, 6);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

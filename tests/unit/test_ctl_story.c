/* SPDX-License-Identifier: MIT */
/* test_ctl_story.c - JSON read in place, stories and status from literal answers. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

static struct gan_buf out;

static void
setup(void)
{
	memset(&out, 0, sizeof(out));
}

static void
teardown(void)
{
	gan_buf_fini(&out);
}

static struct gan_span
span(const char *text)
{
	return gan_span_of(text, strlen(text));
}

static void
expect(const char *part)
{
	ck_assert_msg(out.data != NULL && strstr(out.data, part) != NULL, "no '%s' in\n%s", part,
	    out.data != NULL ? out.data : "(nothing)");
}

static void
expect_not(const char *part)
{
	ck_assert_msg(
	    out.data == NULL || strstr(out.data, part) == NULL, "'%s' in\n%s", part, out.data);
}

static void
tell(struct gan_span s, bool color, bool full)
{
	gan_ctl_put_story(s, &(struct gan_ctl_telling){ color, full, { NULL, 0 } }, &out);
}

START_TEST(members_are_found)
{
	struct gan_span s = span(" {\"a\":{\"b\" : [1,{\"c\":\"}]\\\"\"},null]}, \"d\":12.50e1 ,"
				 "\"e\":true,\"x\":\"last\"} ");
	struct gan_span_iter it = { 0 };
	struct gan_span v;
	char *text;

	ck_assert_int_eq(gan_span_kind(s), '{');
	ck_assert_uint_eq(gan_span_count(s), 4);
	ck_assert_uint_eq(gan_span_count(gan_span_path(s, "a.b")), 3);
	ck_assert_int_eq(gan_span_kind(gan_span_get(s, "b")), 0);
	ck_assert_int_eq(gan_span_kind(gan_span_path(s, "d.x")), 0);
	v = gan_span_get(s, "d");
	ck_assert_int_eq(strncmp(v.p, "12.50e1", v.n), 0);
	ck_assert_uint_eq(v.n, 7);
	ck_assert(gan_span_is(gan_span_get(s, "x"), "last"));
	ck_assert(gan_span_next(gan_span_path(s, "a.b"), &it, NULL, &v));
	ck_assert_int_eq(gan_span_int(v, 0), 1);
	ck_assert(gan_span_next(gan_span_path(s, "a.b"), &it, NULL, &v));
	text = gan_span_dup(gan_span_get(v, "c"));
	ck_assert_str_eq(text, "}]\"");
	free(text);
	ck_assert_uint_eq(gan_span_count(span("[]")), 0);
	ck_assert_uint_eq(gan_span_count(span("[ ]")), 0);
}
END_TEST

START_TEST(texts_are_decoded)
{
	char *text = gan_span_dup(span("\"\\u00e9\\ud83d\\ude00\\n\\t\\/\\\\ \\ud800x\\u0000y\""));

	ck_assert_str_eq(text, "\xc3\xa9\xf0\x9f\x98\x80\n\t/\\ \xef\xbf\xbdx\xef\xbf\xbdy");
	free(text);
	ck_assert_ptr_null(gan_span_dup(span("null")));
	text = gan_span_dup(span("12345678901234567890"));
	ck_assert_str_eq(text, "12345678901234567890");
	free(text);
}
END_TEST

START_TEST(numbers_survive_pretty_printing)
{
	gan_span_pretty(span("{\"n\":12345678901234567890,\"l\":[1.0,{}],\"e\":[]}"), 2, &out);
	ck_assert_str_eq(out.data, "{\n    \"n\": 12345678901234567890,\n    \"l\": [\n      1.0,\n"
				   "      {}\n    ],\n    \"e\": []\n  }");
}
END_TEST

START_TEST(json_lines_are_one_a_line)
{
	gan_ctl_put_json(GAN_CTL_JSONL, span("[{\"a\":1}, {\"b\":[2,3]}]"), &out);
	ck_assert_str_eq(out.data, "{\"a\":1}\n{\"b\":[2,3]}\n");
	gan_buf_clear(&out);
	gan_ctl_put_json(GAN_CTL_JSON, span("[1, 2]"), &out);
	ck_assert_str_eq(out.data, "[1, 2]\n");
}
END_TEST

static const char story[] =
    "{\"key\":\"po/PO1\",\"events\":[{\"id\":\"e01\",\"source\":\"prodsmart\",\"topic\":"
    "\"production.created\",\"received_at\":\"2026-11-21T19:02:11.123Z\",\"state\":\"mapped\","
    "\"reason\":null,\"meta\":{\"signature\":{\"header\":\"x-sig\",\"form\":\"sha256-hex\",\"secret\":1}},\"deliveries\":[{\"id\":"
    "\"d01\",\"rule\":\"waste\",\"connector\":\"movilitas\",\"operation\":\"serials.decommission\","
    "\"key\":\"po/PO1\",\"effect\":null,\"state\":\"unknown\",\"attempts\":2,\"next_at\":null,"
    "\"reason\":\"timed out after bytes left\",\"last\":{\"status\":null,\"error\":\"timed out\","
    "\"at\":\"2026-11-21T19:02:43.000Z\"},\"response\":null,\"tries\":[{\"at\":"
    "\"2026-11-21T19:02:12.000Z\",\"request\":\"POST https://api.example.com/x\\nX-Key: ***\","
    "\"status\":503,\"verdict\":\"retry\",\"error\":null,\"response\":\"try later\\u001b[31m\"},"
    "{\"at\":\"2026-11-21T19:02:13.000Z\",\"request\":\"POST https://api.example.com/x\","
    "\"status\":0,\"verdict\":\"unknown\",\"error\":\"timed out\",\"response\":null}]}]}]}";

START_TEST(a_story_tells_every_try_and_what_to_do)
{
	tell(span(story), false, false);
	expect("po/PO1: 1 event\n");
	expect("event e01 from prodsmart, production.created, received 2026-11-21T19:02:11.123Z: "
	       "mapped\n");
	expect("signature: sha256-hex in header x-sig, secret 1\n");
	expect("delivery d01 to movilitas/serials.decommission by rule waste: unknown after 2 "
	       "tries\n");
	expect("try 1, 2026-11-21T19:02:12.000Z: POST https://api.example.com/x -> 503 (retry)\n");
	expect("try 2, 2026-11-21T19:02:13.000Z: POST https://api.example.com/x -> no answer "
	       "(unknown)\n");
	expect("gantryctl resolve d01 --as sent");
	expect_not("X-Key");
}
END_TEST

static const char handled[] =
    "{\"id\":\"e01\",\"source\":\"erp\",\"topic\":\"x\",\"received_at\":\"2026-11-21T19:02:11.123Z\","
    "\"state\":\"mapped\",\"reason\":null,\"meta\":{\"remote\":\"10.0.0.7\",\"token\":2},\"body\":null,"
    "\"audit\":[{\"at\":\"2026-11-21T19:01:00.000Z\",\"who\":\"eve(5)\",\"verb\":\"retry\",\"reason\":"
    "\"table mended\",\"before\":null,\"after\":null}],\"deliveries\":[{\"id\":\"d01\",\"rule\":\"r\","
    "\"connector\":\"c\",\"operation\":\"o\",\"key\":\"k\",\"effect\":null,\"state\":\"delivered\","
    "\"attempts\":2,\"next_at\":null,\"last\":{\"status\":200,\"error\":null,\"at\":"
    "\"2026-11-21T19:05:00.000Z\"},\"response\":{\"ok\":1},\"tries\":[{\"at\":\"2026-11-21T19:02:12.000Z\","
    "\"request\":\"POST https://x/y\\nAccept: application/json\\nx-key: (masked)\\n\",\"status\":null,"
    "\"verdict\":\"unknown\",\"error\":\"timed out\",\"response_head\":null,\"response\":null},{\"at\":"
    "\"2026-11-21T19:05:00.000Z\",\"request\":\"POST https://x/y\\n\",\"status\":200,\"verdict\":"
    "\"delivered\",\"error\":null,\"response_head\":\"HTTP/1.1 200\\r\\nServer: s\\r\\n\",\"response\":"
    "{\"ok\":1}}],\"audit\":[{\"at\":\"2026-11-21T19:05:00.000Z\",\"who\":\"ann(7)\",\"verb\":"
    "\"resolve --as not-sent\",\"reason\":\"not in the pool\",\"before\":\"unknown\",\"after\":\"waiting\"}]}]}";

START_TEST(a_story_tells_who_did_what_between_the_tries)
{
	const char *one, *deed, *two;

	tell(span(handled), false, false);
	expect("  bearer token: 2\n");
	expect("  sent by: 10.0.0.7\n");
	expect("  by eve(5), 2026-11-21T19:01:00.000Z: retry: table mended\n");
	/* In the very millisecond of the try that it made due. */
	expect("    by ann(7), 2026-11-21T19:05:00.000Z: resolve --as not-sent, unknown -> "
	       "waiting: not in the pool\n");
	one = strstr(out.data, "try 1,");
	deed = strstr(out.data, "by ann(7)");
	two = strstr(out.data, "try 2,");
	ck_assert(one != NULL && one < deed && deed < two);
	expect_not("x-key");
	expect_not("the target gave"); /* the answer above it says the same */
}
END_TEST

START_TEST(all_of_a_story_has_heads)
{
	tell(span(handled), false, true);
	expect("      > Accept: application/json\n      > x-key: (masked)\n");
	expect("      < HTTP/1.1 200\n      < Server: s\n");
}
END_TEST

START_TEST(a_long_body_is_cut_unless_all_is_asked_for)
{
	char text[1000], body[600] = "";

	memset(body, 'x', sizeof(body) - 1);
	(void)snprintf(
	    text, sizeof(text), "{\"id\":\"e1\",\"state\":\"mapped\",\"body\":\"%s\"}", body);
	tell(span(text), false, false);
	expect("xx ... (whole with --bodies)\n");
	gan_buf_clear(&out);
	tell(span(text), false, true);
	expect(body);
}
END_TEST

START_TEST(a_story_says_what_a_delivery_waits_for)
{
	static const char form[] =
	    "{\"id\":\"e1\",\"state\":\"mapped\",\"deliveries\":[{\"id\":\"d2\",\"connector\":\"c\","
	    "\"state\":\"waiting\",\"attempts\":0,\"next_at\":\"2026-11-21T19:02:43.000Z\","
	    "\"behind\":%s}]}";
	struct gan_ctl_telling how = { false, false,
		span("{\"connectors\":[{\"name\":\"c\",\"paused\":\"person\",\"pause_reason\":"
		     "\"night shift\",\"breaker_open\":true,\"breaker_until\":"
		     "\"2026-11-21T19:03:00.000Z\"}]}") };
	char text[400];

	(void)snprintf(text, sizeof(text), form, "\"d1\"");
	gan_ctl_put_story(span(text), &how, &out);
	expect("waits: c is paused by a person: night shift (`gantryctl resume c`");
	expect_not("next try");
	gan_buf_clear(&out);
	tell(span(text), false, false);
	expect("waits behind another of its key: d1\n");
	expect_not("next try");
	gan_buf_clear(&out);
	(void)snprintf(text, sizeof(text), form, "null");
	how.status = span("{\"connectors\":[{\"name\":\"c\",\"paused\":null,\"breaker_open\":true,"
			  "\"breaker_until\":\"2026-11-21T19:03:00.000Z\"}]}");
	gan_ctl_put_story(span(text), &how, &out);
	expect("keeps failing, it is tried again at 2026-11-21T19:03:00.000Z");
	expect("next try: 2026-11-21T19:02:43.000Z");
	gan_buf_clear(&out);
	how.status = span("{\"connectors\":[{\"name\":\"c\",\"paused\":null,\"breaker_open\":false,"
			  "\"quota\":{\"room_at\":\"2026-11-21T19:04:00.000Z\","
			  "\"short_since\":\"2026-11-21T19:02:40.000Z\"}}]}");
	gan_ctl_put_story(span(text), &how, &out);
	expect(
	    "the quota of the account is used up, there is room again at 2026-11-21T19:04:00.000Z");
}
END_TEST

START_TEST(data_cannot_steer_the_terminal)
{
	tell(span(story), false, false);
	expect("try later?[31m");
	ck_assert_ptr_null(strchr(out.data, '\033'));
	gan_buf_clear(&out);
	tell(span(story), true, false);
	expect("\033[31munknown\033[0m");
	expect("try later?[31m");
	gan_buf_clear(&out);
	gan_ctl_put_safe(&out,
	    "a\xc2\x9b"
	    "1m\r\n\xff",
	    8, true);
	ck_assert_str_eq(out.data, "a?1m?\n?");
	gan_buf_clear(&out);
	gan_ctl_put_safe(&out, "a\u202eb\u2066\u00e9", strlen("a\u202eb\u2066\u00e9"), false);
	ck_assert_str_eq(out.data, "a?b?\u00e9");
	gan_buf_clear(&out);
	gan_ctl_put_json(GAN_CTL_JSON, span("[\"a\xc2\x9b\x7f\u202e\u00e9\",\n1]"), &out);
	ck_assert_str_eq(out.data, "[\"a\\u009b\\u007f\\u202e\u00e9\",\n1]\n");
}
END_TEST

START_TEST(events_without_deliveries_say_why)
{
	tell(span("{\"id\":\"e1\",\"state\":\"mapped\",\"deliveries\":[]}"), false, false);
	expect("mapped, nothing to send");
	gan_buf_clear(&out);
	tell(span("{\"id\":\"e1\",\"state\":\"rejected\",\"reason\":\"no GTIN\","
		  "\"deliveries\":[]}"),
	    false, false);
	expect("reason: no GTIN");
	expect("gantryctl retry e1");
}
END_TEST

START_TEST(no_state_is_called_processed)
{
	char *data = gan_memdup(story, strlen(story));
	char *at = strstr(data, "\"unknown\",\"attempts\"");

	memcpy(at, "\"deliver\"", 9);
	tell(span(data), false, false);
	expect_not("processed");
	free(data);
}
END_TEST

START_TEST(a_refused_reload_is_told_by_its_first_error)
{
	gan_ctl_put_status(span("{\"version\":\"1\",\"site\":\"s\",\"ready\":true,\"last_reload\":{"
				"\"at\":\"2026-11-21T19:02:43.000Z\",\"ok\":false,\"error\":"
				"\"g.yaml:8:30: warning: short\\n    8 | x\\nr.yaml:6:1: error: "
				"unknown key\\n    6 | mapp\\nr.yaml:7:1: error: more\\n\"}}"),
	    &out);
	expect("2026-11-21T19:02:43.000Z REFUSED: r.yaml:6:1: error: unknown key\n");
	expect_not("warning");
}
END_TEST

START_TEST(unhealthy_says_each_reason)
{
	ck_assert_uint_eq(gan_ctl_unhealthy(span("{\"ready\":true,\"connectors\":[{\"name\":\"a\","
						 "\"paused\":null,\"breaker_open\":false}],"
						 "\"attention\":0,\"store\":{\"full\":false},"
						 "\"rules_red\":null}"),
			      &out),
	    0);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_uint_eq(
	    gan_ctl_unhealthy(
		span("{\"ready\":false,\"not_ready\":\"draining\",\"connectors\":[{"
		     "\"name\":\"a\",\"paused\":\"token\",\"breaker_open\":true},{"
		     "\"name\":\"b\",\"paused\":null,\"breaker_open\":true}],"
		     "\"attention\":2,\"store\":{\"full\":true},\"rules_red\":\"x\"}"),
		&out),
	    6);
	expect("not ready: draining\n");
	expect("a connector is paused: a\n");
	expect("a connector's breaker is open: b\n");
	expect("(gantryctl attention): 2\n");
}
END_TEST

START_TEST(try_shows_requests_or_the_rejection)
{
	gan_ctl_put_try(
	    span("{\"rule\":\"r\",\"to\":\"m/op\",\"listens\":false,\"outputs\":[{\"key\":"
		 "\"k\",\"effect\":null,\"after\":[],\"body\":{\"n\":1.50}}],\"reject\":"
		 "null}"),
	    &out);
	expect("r -> m/op\n");
	expect("does not listen");
	expect("request 1: key k, effect -\n");
	expect("\"n\": 1.50");
	gan_buf_clear(&out);
	gan_ctl_put_try(span("{\"rule\":\"r\",\"to\":\"m/op\",\"listens\":true,\"outputs\":[],"
			     "\"reject\":\"no GTIN\"}"),
	    &out);
	expect("rejected: no GTIN\n");
}
END_TEST

START_TEST(a_difference_is_told_member_by_member)
{
	gan_ctl_put_diff(
	    span("{\"a\":1.10,\"same\":[1,2],\"list\":[{\"n\":\"x\"},2,3],\"gone\":null}"),
	    span("{\"same\":[1,2],\"list\":[{\"n\":\"y\"},2],\"a\":1.1,\"new\":{\"b\":true}}"),
	    &out);
	ck_assert_str_eq(out.data, "    a: 1.10 -> 1.1\n"
				   "    list[0].n: \"x\" -> \"y\"\n"
				   "    list[2]: 3 -> -\n"
				   "    gone: null -> -\n"
				   "    new: - -> {\"b\":true}\n");
	gan_buf_clear(&out);
	gan_ctl_put_diff(span("[1]"), span("{\"a\":\"\\u001b[31m\"}"), &out);
	ck_assert_str_eq(out.data, "    body: [1] -> {\"a\":\"\\u001b[31m\"}\n");
	gan_buf_clear(&out);
	gan_ctl_put_diff(span("{\"a\":1}"), span("{\"a\":1}"), &out);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

/* Two bodies that have nothing in common do not flood the terminal. */
START_TEST(a_long_difference_is_cut)
{
	struct gan_buf a = { 0 }, b = { 0 };
	size_t lines = 0;

	for (int i = 0; i < 100; i++) {
		gan_buf_printf(&a, "%s%d", i == 0 ? "[" : ",", i);
		gan_buf_printf(&b, "%s%d", i == 0 ? "[" : ",", i + 1000);
	}
	gan_buf_putc(&a, ']');
	gan_buf_putc(&b, ']');
	gan_ctl_put_diff(gan_span_of(a.data, a.len), gan_span_of(b.data, b.len), &out);
	for (const char *p = out.data; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	ck_assert_uint_eq(lines, 41);
	expect("... and 60 more");
	gan_buf_fini(&a);
	gan_buf_fini(&b);
}
END_TEST

START_TEST(corrections_are_told)
{
	struct gan_ctl_telling how = { false, false, { NULL, 0 } };

	gan_ctl_put_story(
	    span(
		"{\"key\":\"k\",\"events\":[{\"id\":\"e1\",\"state\":\"mapped\",\"deliveries\":["
		"{\"id\":\"d1\",\"state\":\"dead\",\"request\":{\"a\":1},\"to_approve\":{\"who\":"
		"\"ana\",\"at\":\"t\",\"reason\":\"typo\",\"request\":{\"a\":2}}},"
		"{\"id\":\"d2\",\"state\":\"waiting\",\"replay\":3,\"after\":[\"made/1\"],\"last\":{"
		"\"status\":null,\"error\":\"waits until delivered: effect \\\"made/1\\\"\",\"at\":"
		"null}}]}]}"),
	    &how, &out);
	expect("a correction waits for an approval, by: ana\n");
	expect("new body: {\"a\":2}\n");
	expect("`gantryctl approve d1`");
	expect("of replay: 3\n");
	expect("comes after: [\"made/1\"]\n");
	expect("`gantryctl retry d2 --without-after --reason TEXT`");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ctl_story");
	TCase *tc = tcase_create("story");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, members_are_found);
	tcase_add_test(tc, texts_are_decoded);
	tcase_add_test(tc, numbers_survive_pretty_printing);
	tcase_add_test(tc, json_lines_are_one_a_line);
	tcase_add_test(tc, a_story_tells_every_try_and_what_to_do);
	tcase_add_test(tc, a_story_tells_who_did_what_between_the_tries);
	tcase_add_test(tc, all_of_a_story_has_heads);
	tcase_add_test(tc, a_long_body_is_cut_unless_all_is_asked_for);
	tcase_add_test(tc, a_story_says_what_a_delivery_waits_for);
	tcase_add_test(tc, data_cannot_steer_the_terminal);
	tcase_add_test(tc, a_refused_reload_is_told_by_its_first_error);
	tcase_add_test(tc, events_without_deliveries_say_why);
	tcase_add_test(tc, no_state_is_called_processed);
	tcase_add_test(tc, unhealthy_says_each_reason);
	tcase_add_test(tc, a_difference_is_told_member_by_member);
	tcase_add_test(tc, a_long_difference_is_cut);
	tcase_add_test(tc, corrections_are_told);
	tcase_add_test(tc, try_shows_requests_or_the_rejection);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

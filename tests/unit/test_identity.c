/* SPDX-License-Identifier: MIT */
/* test_identity.c - the same fact in all its spellings, and deletions in theirs. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "inbound/feed_items.h"
#include "inbound/identity.h"
#include "json/check.h"

static struct gan_identity
identity(enum gan_entity type, bool feed, const char *json)
{
	struct gan_identity id;
	struct gan_err err = { 0 };

	ck_assert_msg(
	    gan_json_check(json, strlen(json), 64, NULL, &err) == GAN_OK, "%s: %s", json, err.msg);
	ck_assert_int_eq(gan_identity_of(type, feed, gan_span_of(json, strlen(json)), &id), GAN_OK);
	return id;
}

static void
compare(enum gan_entity type, const char *a, const char *b, bool same)
{
	struct gan_identity x = identity(type, false, a), y = identity(type, false, b);

	ck_assert_str_eq(x.id, y.id);
	ck_assert_msg((memcmp(x.hash, y.hash, sizeof(x.hash)) == 0) == same, "%s and %s %s", a, b,
	    same ? "differ" : "are the same");
}

#define PO GAN_ENTITY_PRODUCTION_ORDER
#define PC GAN_ENTITY_PUNCH_CLOCK
#define DT GAN_ENTITY_DOWNTIME
#define PR GAN_ENTITY_PRODUCTION

static const struct {
	enum gan_entity type;
	const char *a, *b;
} same[] = {
	/* Nothing, in its forms. */
	{ PO, "{\"id\":1,\"x\":2}",
	    "{\"id\":1,\"notes\":\"\",\"shipping\":{},\"machines\":[],\"ended\":false}" },
	{ PO, "{\"id\":1,\"x\":2}", "{\"id\":\"1\",\"notes\":null,\"pieces-by-box\":null}" },
	/* What changes by itself, and what only one of the two has. */
	{ PO, "{\"id\":1,\"status\":\"onschedule\"}", "{\"id\":1,\"status\":\"late\"}" },
	{ PO, "{\"id\":1,\"is-active\":true}",
	    "{\"id\":1,\"active\":true,\"location\":{\"id\":4}}" },
	{ PO, "{\"id\":1,\"products\":[{\"product\":\"A\",\"quantity-produced\":3}]}",
	    "{\"id\":1,\"products\":[{\"product\":\"A\",\"quantity-produced\":4.0}]}" },
	{ DT, "{\"id\":1,\"time-spent\":\"08:00:00\"}", "{\"id\":1,\"time-spent\":\"08H00m00s\"}" },
	/* Numbers. */
	{ PO, "{\"id\":1,\"pieces-by-box\":20}", "{\"id\":1,\"pieces-by-box\":\"20.00\"}" },
	{ PO, "{\"id\":1,\"pieces-by-box\":20}", "{\"id\":1,\"pieces-by-box\":2e1}" },
	{ PO, "{\"id\":1,\"pieces-by-box\":0.5}", "{\"id\":1,\"pieces-by-box\":5E-1}" },
	{ PO, "{\"id\":1,\"pieces-by-box\":0}", "{\"id\":1,\"pieces-by-box\":-0.0}" },
	{ PO, "{\"id\":1,\"pieces-by-box\":1000000000000000000000}",
	    "{\"id\":1,\"pieces-by-box\":1e21}" },
	/* Times. */
	{ PO, "{\"id\":1,\"start-date\":\"2026-03-01T08:00:00Z\"}",
	    "{\"id\":1,\"start-date\":\"2026-03-01T09:00:00.000+01:00\"}" },
	{ PO, "{\"id\":1,\"start-date\":\"2026-03-01T08:00:00.900Z\"}",
	    "{\"id\":1,\"start-date\":\"2026-03-01T09:00:00+0100\"}" },
	{ DT, "{\"id\":1,\"end-time\":\"2099-12-31T23:59:59.999+01:00\"}", "{\"id\":1,\"x\":2}" },
	/* A thing, or its code; lists in any order. */
	{ PO, "{\"id\":1,\"shipping\":\"S\"}", "{\"id\":1,\"shipping\":{\"code\":\"S\"}}" },
	{ PO, "{\"id\":1,\"workers-assigned\":[{\"number\":1},{\"number\":0}]}",
	    "{\"id\":1,\"workers-assigned\":[{\"number\":0},{\"number\":\"1\"}]}" },
	{ PO, "{\"id\":1,\"machines\":[{\"code\":\"A\"},{\"code\":\"B\"}]}",
	    "{\"id\":1,\"machines\":[{\"code\":\"B\",\"name\":\"x\"},\"A\"]}" },
	{ PO,
	    "{\"id\":1,\"products\":[{\"product\":\"A\",\"quantity-ordered\":1},{\"product\":\"B\"}]}",
	    "{\"id\":1,\"products\":[{\"product\":\"B\"},{\"quantity-ordered\":1.0,\"product-code\":"
	    "\"A\"}]}" },
	/* Other keys. */
	{ PO, "{\"id\":1,\"notes\":\"x\"}", "{\"note\":\"x\",\"id\":1}" },
	{ PC, "{\"id\":1,\"entry\":0,\"worker\":{\"number\":0}}",
	    "{\"id\":1,\"type\":0,\"worker\":{\"number\":0}}" },
	{ PC, "{\"id\":1,\"entry\":1}", "{\"id\":1,\"type\":true}" },
	{ PR, "{\"id\":1,\"operation\":{\"code\":\"C\",\"product\":\"P\"}}",
	    "{\"id\":1,\"operation\":{\"product-code\":\"P\",\"code\":\"C\"}}" },
	{ PR,
	    "{\"id\":1,\"produced-waste\":[{\"quantity\":21,\"waste\":{\"code\":\"W\",\"id\":3}}]}",
	    "{\"id\":1,\"produced-waste\":[{\"quantity\":\"21.0\",\"waste\":{\"code\":\"W\"}}]}" },
	/* All deletions are one. */
	{ PO, "{\"id\":1,\"code\":\"A\",\"running-status\":\"deleted\"}", "{\"id\":1}" },
};

START_TEST(one_fact_in_two_spellings)
{
	compare(same[_i].type, same[_i].a, same[_i].b, true);
}
END_TEST

static const struct {
	enum gan_entity type;
	const char *a, *b;
} other[] = {
	{ PO, "{\"id\":1,\"code\":\"A\"}", "{\"id\":1,\"code\":\"a\"}" },
	{ PO, "{\"id\":1,\"code\":\"010\"}", "{\"id\":1,\"code\":\"10\"}" },
	{ PO, "{\"id\":1,\"ended\":true}", "{\"id\":1,\"ended\":false}" },
	{ PO, "{\"id\":1,\"notes\":\"a\"}", "{\"id\":1,\"description\":\"a\"}" },
	{ PO, "{\"id\":1,\"pieces-by-box\":0,\"x\":1}", "{\"id\":1,\"x\":1}" },
	{ PO, "{\"id\":1,\"pieces-by-box\":9007199254740993}",
	    "{\"id\":1,\"pieces-by-box\":9007199254740992}" },
	{ PO, "{\"id\":1,\"start-date\":\"2026-03-01T08:00:00Z\"}",
	    "{\"id\":1,\"start-date\":\"2026-03-01T08:00:00+01:00\"}" },
	{ PO, "{\"id\":1,\"workers-assigned\":[{\"number\":0}]}",
	    "{\"id\":1,\"workers-assigned\":[]}" },
	{ PO, "{\"id\":1,\"machines\":[\"A\",\"B\"]}", "{\"id\":1,\"machines\":[\"A,B\"]}" },
	{ PO, "{\"id\":1,\"running-status\":\"started\"}",
	    "{\"id\":1,\"running-status\":\"closed\"}" },
	{ PC, "{\"id\":1,\"entry\":0}", "{\"id\":1,\"entry\":1}" },
	{ PC, "{\"id\":1,\"entry\":0,\"worker\":{\"number\":0}}",
	    "{\"id\":1,\"entry\":0,\"worker\":{}}" },
	{ DT, "{\"id\":1,\"end-time\":\"2026-01-01T00:00:00Z\"}", "{\"id\":1,\"machines\":[]}" },
	{ PR, "{\"id\":1,\"quantity\":1}", "{\"id\":1,\"quantity\":2}" },
};

START_TEST(two_facts)
{
	compare(other[_i].type, other[_i].a, other[_i].b, false);
}
END_TEST

START_TEST(a_channel_lacks_some_fields)
{
	struct gan_identity a = identity(PO, true, "{\"id\":1,\"code\":\"A\"}"),
			    b = identity(PO, true, "{\"id\":1,\"code\":\"A\",\"pieces-by-box\":2}"),
			    c = identity(
				PO, false, "{\"id\":1,\"code\":\"A\",\"pieces-by-box\":2}");

	ck_assert_mem_eq(a.hash, b.hash, sizeof(a.hash));
	ck_assert_mem_ne(b.hash, c.hash, sizeof(a.hash));
}
END_TEST

START_TEST(what_has_no_identity)
{
	static const char *const bad[] = { "{}", "[1]", "1", "{\"id\":null}", "{\"id\":{}}",
		"{\"id\":\"\"}", "{\"id\":true}",
		"{\"id\":\"12345678901234567890123456789012345678901234567890123456789012345\"}" };
	struct gan_identity id;

	for (size_t i = 0; i < GAN_COUNT(bad); i++)
		ck_assert_msg(gan_identity_of(PO, false, gan_span_of(bad[i], strlen(bad[i])),
				  &id) == GAN_EINVAL,
		    "%s", bad[i]);
	ck_assert_int_eq(
	    gan_identity_of(GAN_ENTITY_STOCK, false, gan_span_of("{\"id\":1}", 8), &id),
	    GAN_EINVAL);
}
END_TEST

/* ---- what a channel brings ---------------------------------------------------------- */

static const struct {
	const char *json;
	bool deleted;
} deletions[] = {
	{ "{\"id\":1,\"code\":\"A\",\"running-status\":\"deleted\",\"status\":\"late\"}", true },
	{ "{\"id\":1,\"quantity\":0,\"status\":\"deleted\"}", true },
	{ "{\"code\":\"A\",\"notification\":\"product_deleted\"}", true },
	{ "{\"id\":1,\"entry\":1,\"notification\":\"punchClock_deleted\"}", true },
	{ "{\"id\":1,\"machines\":[],\"event-type\":\"downTime_deleted\"}", true },
	{ "{ \"id\" : 111 }", true },
	{ "{\"id\":1,\"notification\":null,\"name\":\"deleted\"}", false },
	{ "{\"id\":1,\"notification\":\"product_updated\"}", false },
	{ "{\"id\":1,\"event-type\":\"downTime_created\",\"notes\":\"_deleted\"}", false },
	{ "{\"id\":1,\"status\":\"not deleted\",\"running-status\":\"started\"}", false },
	{ "{\"code\":\"A\"}", false },
	{ "{\"product-code\":\"P\",\"stock\":0,\"lot\":[{\"status\":\"deleted\"}]}", false },
	{ "{}", false },
};

START_TEST(a_deletion_in_its_spellings)
{
	const char *json = deletions[_i].json;

	ck_assert_msg(gan_feed_deletion(gan_span_of(json, strlen(json))) == deletions[_i].deleted,
	    "%s", json);
}
END_TEST

static uint64_t
heard(void *arg, const char *source, const char *topic)
{
	(void)arg;
	ck_assert_str_eq(source, "feed");
	return strcmp(topic, "stock.deleted") == 0 ? 7 : 0;
}

static void
apart(const char *body, struct gan_feed_events *e)
{
	const struct gan_feed_kept kept = { .id = 1,
		.read = { .source = "feed", .channel = "C \"1\"", .type = "stock", .at_ms = 1000 },
		.body = body,
		.len = strlen(body) };

	ck_assert_int_eq(gan_feed_take_apart(&kept, heard, NULL, e), GAN_OK);
	for (size_t i = 0; i < e->n; i++) {
		const struct gan_ingest *in = &e->v[i];

		ck_assert_int_eq(gan_json_check(in->meta, strlen(in->meta), 8, NULL, NULL), GAN_OK);
		ck_assert_int_eq(in->received_ms, 1000);
		ck_assert_ptr_nonnull(strstr(in->meta, "\"channel\":\"C \\\"1\\\"\""));
	}
}

START_TEST(an_answer_is_taken_apart)
{
	struct gan_feed_events e GAN_AUTO(gan_feed_events_fini) = { 0 };

	apart(" [ {\"a\": 1.10 } , 5 ,{\"id\":3}, {\"n\":9007199254740993}] ", &e);
	ck_assert_uint_eq(e.n, 4);
	ck_assert_uint_eq(e.items, 4);
	ck_assert_uint_eq(e.unreadable, 1);
	ck_assert_str_eq(e.v[0].topic, "stock.changed");
	ck_assert_mem_eq(e.v[0].body, "{\"a\": 1.10 }", e.v[0].body_len);
	ck_assert_ptr_null(e.v[0].reject);
	ck_assert_uint_eq(e.v[0].ignored_by, 0);
	ck_assert_str_eq(e.v[1].topic, "stock.unreadable");
	ck_assert_ptr_nonnull(strstr(e.v[1].reject, "item 1 of what channel C \"1\" brought"));
	ck_assert_str_eq(e.v[2].topic, "stock.deleted");
	ck_assert_uint_eq(e.v[2].ignored_by, 7);
	ck_assert_ptr_nonnull(strstr(e.v[2].meta, "\"index\":2"));
	ck_assert_ptr_nonnull(strstr(e.v[3].meta, "\"inexact\":\"/n\""));
}
END_TEST

START_TEST(an_answer_that_is_none_is_one_event)
{
	static const struct {
		const char *body, *why;
	} bad[] = { { "{\"message\":\"no\"}", "is no JSON array" }, { "", "is not valid JSON" },
		{ "[{\"a\":1},", "is not valid JSON" }, { "\"x\"", "is no JSON array" },
		{ "null", "is no JSON array" } };

	for (size_t i = 0; i < GAN_COUNT(bad); i++) {
		struct gan_feed_events e GAN_AUTO(gan_feed_events_fini) = { 0 };

		apart(bad[i].body, &e);
		ck_assert_uint_eq(e.n, 1);
		ck_assert_str_eq(e.v[0].topic, "stock.unreadable");
		ck_assert_uint_eq(e.v[0].body_len, strlen(bad[i].body));
		ck_assert_ptr_nonnull(strstr(e.v[0].reject, bad[i].why));
	}
}
END_TEST

START_TEST(an_empty_answer_is_known)
{
	ck_assert(gan_feed_is_empty("[]", 2));
	ck_assert(gan_feed_is_empty(" [\n] ", 5));
	ck_assert(!gan_feed_is_empty("", 0));
	ck_assert(!gan_feed_is_empty("{}", 2));
	ck_assert(!gan_feed_is_empty("[1]", 3));
	ck_assert(!gan_feed_is_empty("[]x", 3));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("identity");
	TCase *tc = tcase_create("identity");

	tcase_add_loop_test(tc, one_fact_in_two_spellings, 0, (int)GAN_COUNT(same));
	tcase_add_loop_test(tc, two_facts, 0, (int)GAN_COUNT(other));
	tcase_add_test(tc, a_channel_lacks_some_fields);
	tcase_add_test(tc, what_has_no_identity);
	tcase_add_loop_test(tc, a_deletion_in_its_spellings, 0, (int)GAN_COUNT(deletions));
	tcase_add_test(tc, an_answer_is_taken_apart);
	tcase_add_test(tc, an_answer_that_is_none_is_one_event);
	tcase_add_test(tc, an_empty_answer_is_known);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

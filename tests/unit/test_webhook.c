/* SPDX-License-Identifier: MIT */
/* test_webhook.c - POST /hooks/{source}. */
#include "inbound_help.h"

START_TEST(a_signed_webhook_is_stored)
{
	char id[GAN_ID_LEN];
	cJSON *meta GAN_AUTO(gan_cj_free) = NULL;

	ck_assert_int_eq(hook(BODY, IDS TYPE), 200);
	gan_id_format(GAN_ID_EVENT, job_id(0), id);
	ck_assert(said(id));
	ck_assert(said("\"status\":\"stored\""));
	ck_assert(said("Connection: close"));
	ck_assert_str_eq(job()->in.source, "prodsmart");
	ck_assert_str_eq(job()->in.topic, "production-order.created");
	ck_assert_str_eq(job()->in.topic_raw, "productionOrder/create");
	ck_assert_uint_eq(job()->in.body_len, strlen(BODY));
	ck_assert_mem_eq(job()->in.body, BODY, strlen(BODY));
	ck_assert_ptr_null(job()->in.reject);
	ck_assert_int_eq(job()->in.dedupe, GAN_DEDUPE_WEBHOOK);
	ck_assert_int_gt(job()->in.received_ms, 1700000000000);
	ck_assert_int_eq(gan_cj_parse(job()->in.meta, strlen(job()->in.meta), &meta, &err), GAN_OK);
	ck_assert_str_eq(gan_cj_str(meta, "webhook_uuid"), "91cb972d-b476-4936-947c-4be471b9da5b");
	ck_assert_str_eq(gan_cj_str(meta, "triggered_at"), "2023-08-29T20:39:46.142Z");
	ck_assert_str_eq(gan_cj_str(meta, "api_version"), "1");
	ck_assert_str_eq(gan_cj_str(meta, "remote"), "127.0.0.1");
	ck_assert_str_eq(gan_cj_str(gan_cj_get(meta, "signature"), "form"), "sha1-hex");
	ck_assert_str_eq(
	    gan_cj_str(gan_cj_get(meta, "signature"), "header"), "x-prodsmart-hmac-sha256");
	ck_assert_ptr_null(gan_cj_get(meta, "inexact"));
	ck_assert_uint_eq(stats().accepted, 1);
}
END_TEST

START_TEST(repeats_are_told_by_uuid_and_time)
{
	unsigned char first[16];

	ck_assert_int_eq(hook(BODY, IDS), 200);
	memcpy(first, job()->in.hash, 16);
	store.verdict = GAN_INGEST_DUPLICATE;
	ck_assert_int_eq(hook(BODY, IDS), 200);
	ck_assert(said("\"status\":\"duplicate\""));
	ck_assert_mem_eq(job()->in.hash, first, 16);
	ck_assert_uint_eq(stats().duplicates, 1);
	store.verdict = GAN_INGEST_STORED;
	ck_assert_int_eq(hook("{\"id\":112}", IDS), 200);
	ck_assert_mem_ne(job()->in.hash, first, 16);
	ck_assert_int_eq(hook(BODY, "x-prodsmart-topic: lot_deleted\r\n"), 200);
	ck_assert_int_eq(job()->in.dedupe, GAN_DEDUPE_NONE);
	ck_assert_int_eq(hook(BODY, "x-prodsmart-webhook-uuid: a\r\n"), 200);
	ck_assert_int_eq(job()->in.dedupe, GAN_DEDUPE_NONE);
}
END_TEST

START_TEST(topic_comes_from_the_body_when_it_must)
{
	ck_assert_int_eq(hook("{\"notification\":\"punchClock_created\"}", ""), 200);
	ck_assert_str_eq(job()->in.topic, "punch-clock.created");
	ck_assert_int_eq(hook("{\"event-type\":\"downTime_deleted\"}", ""), 200);
	ck_assert_str_eq(job()->in.topic, "downtime.deleted");
	ck_assert_int_eq(hook("[{\"notification\":\"punchClock_created\"}]", ""), 200);
	ck_assert_str_eq(job()->in.topic, "unknown");
	ck_assert_int_eq(hook("[]", "x-prodsmart-topic: workOrder/finished\r\n"), 200);
	ck_assert_str_eq(job()->in.topic, "workOrder/finished");
}
END_TEST

START_TEST(signed_but_no_json_is_kept_as_rejected)
{
	ck_assert_int_eq(hook("{\"id\":", "x-prodsmart-topic: lot_deleted\r\n"), 200);
	ck_assert(said("\"status\":\"rejected\""));
	ck_assert_str_eq(job()->in.reject, "body is not valid JSON: line 1 column 7: expected a "
					   "value, but the text ends here");
	ck_assert_mem_eq(job()->in.body, "{\"id\":", 6);
	ck_assert_int_eq(hook("", ""), 200);
	ck_assert_ptr_nonnull(job()->in.reject);
	ck_assert_str_eq(job()->in.topic, "unknown");
}
END_TEST

START_TEST(inexact_numbers_are_noted)
{
	ck_assert_int_eq(hook("{\"a\":[1,9007199254740993]}", ""), 200);
	ck_assert_ptr_nonnull(strstr(job()->in.meta, "\"inexact\":\"/a/1\""));
}
END_TEST

START_TEST(bad_signatures_go_to_quarantine)
{
	ck_assert_int_eq(ask("POST /hooks/prodsmart", BODY,
			     "X-Prodsmart-HMAC-SHA256: c5628f1a5f81153b1b46d3d7e0a5b72c12559b58\r\n"
			     "x-prodsmart-topic: lot_deleted\r\nAuthorization: Bearer none\r\n"),
	    401);
	ck_assert(said("application/problem+json"));
	ck_assert(said("/problems/bad-signature"));
	ck_assert_uint_eq(store.njobs, 0);
	ck_assert_uint_eq(store.nquarantined, 1);
	ck_assert_str_eq(store.q.source, "prodsmart");
	ck_assert_str_eq(store.q.topic, "lot.deleted");
	ck_assert_str_eq(store.q.headers,
	    "{\"x-prodsmart-hmac-sha256\":\"c5628f1a5f81153b1b46d3d7e0a5b72c12559b58\","
	    "\"x-prodsmart-topic\":\"lot_deleted\"}");
	ck_assert_ptr_nonnull(strstr(store.q.why, "does not fit the secret"));
	ck_assert_mem_eq(store.q.body, BODY, strlen(BODY));
	ck_assert_int_eq(ask("POST /hooks/prodsmart", BODY, "%s", ""), 401);
	ck_assert_uint_eq(store.nquarantined, 2);
	ck_assert_uint_eq(stats().bad_signature, 2);
}
END_TEST

START_TEST(quarantined_requests_are_checked_again)
{
	static const char good[] = "{\"x-prodsmart-hmac-sha256\":\"" S1_HEX "\"}";
	static const char bad[] = "{\"x-prodsmart-topic\":\"a\"}";

	ck_assert_int_eq(gan_inbound_verify_again(inbound, "prodsmart", good, BODY, 10, &err), 0);
	ck_assert_int_eq(
	    gan_inbound_verify_again(inbound, "prodsmart", good, BODY, 9, &err), GAN_EAUTH);
	ck_assert_int_eq(
	    gan_inbound_verify_again(inbound, "prodsmart", bad, BODY, 10, &err), GAN_EAUTH);
	ck_assert_int_eq(gan_inbound_verify_again(inbound, "erp", good, BODY, 10, &err), GAN_EAUTH);
	ck_assert_int_eq(
	    gan_inbound_verify_again(inbound, "gone", good, BODY, 10, &err), GAN_EAUTH);
	ck_assert_int_lt(gan_inbound_verify_again(inbound, "prodsmart", "{", BODY, 10, &err), 0);
}
END_TEST

START_TEST(a_2xx_means_stored)
{
	store.rc = GAN_EFULL;
	ck_assert_int_eq(hook(BODY, IDS), 503);
	store.rc = GAN_ESTORE;
	ck_assert_int_eq(hook(BODY, IDS), 503);
	store.rc = GAN_OK;
	store.refuse = GAN_EBUSY;
	ck_assert_int_eq(hook(BODY, IDS), 503);
	store.refuse = GAN_EGONE;
	ck_assert_int_eq(hook(BODY, IDS), 503);
	ck_assert(said("/problems/shutting-down"));
	ck_assert_int_eq(ask("POST /v1/events/erp/a", "{}", AUTH TYPE), 503);
	ck_assert(said("Retry-After: 5"));
	store.refuse = 0;
	ck_assert_int_eq(hook(BODY, IDS), 200);
	ck_assert_uint_eq(stats().unavailable, 5);
	ck_assert_uint_eq(stats().accepted, 1);
}
END_TEST

START_TEST(forwarded_addresses_are_believed_of_proxies_only)
{
	static const struct {
		const char *headers, *remote;
	} cases[] = {
		{ "", "127.0.0.1" },
		{ "X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9" },
		{ "X-Forwarded-For: 1.2.3.4, 203.0.113.9\r\n", "203.0.113.9" },
		{ "X-Forwarded-For: 203.0.113.9, 10.0.0.7\r\n", "203.0.113.9" },
		{ "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 10.0.0.7\r\n", "203.0.113.9" },
		{ "X-Forwarded-For: 203.0.113.9:4711\r\n", "203.0.113.9" },
		{ "X-Forwarded-For: [2001:db8::1]:4711\r\n", "2001:db8::1" },
		{ "X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1" },
		{ "X-Forwarded-For: 203.0.113.9, garbage\r\n", "127.0.0.1" },
		{ "X-Forwarded-For: ,\r\n", "127.0.0.1" },
	};
	char want[80];

	for (size_t i = 0; i < GAN_COUNT(cases); i++) {
		ck_assert_int_eq(hook(BODY, cases[i].headers), 200);
		(void)snprintf(want, sizeof(want), "\"remote\":\"%s\"", cases[i].remote);
		ck_assert_msg(strstr(job()->in.meta, want) != NULL, "%zu: %s", i, job()->in.meta);
	}
	conf.public.ntrusted_proxies = 0;
	ck_assert_int_eq(hook(BODY, "X-Forwarded-For: 203.0.113.9\r\n"), 200);
	ck_assert_ptr_nonnull(strstr(job()->in.meta, "\"remote\":\"127.0.0.1\""));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("webhook");
	TCase *tc = tcase_create("webhook");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_signed_webhook_is_stored);
	tcase_add_test(tc, repeats_are_told_by_uuid_and_time);
	tcase_add_test(tc, topic_comes_from_the_body_when_it_must);
	tcase_add_test(tc, signed_but_no_json_is_kept_as_rejected);
	tcase_add_test(tc, inexact_numbers_are_noted);
	tcase_add_test(tc, bad_signatures_go_to_quarantine);
	tcase_add_test(tc, quarantined_requests_are_checked_again);
	tcase_add_test(tc, a_2xx_means_stored);
	tcase_add_test(tc, forwarded_addresses_are_believed_of_proxies_only);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

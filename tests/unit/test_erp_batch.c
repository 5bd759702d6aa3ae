/* SPDX-License-Identifier: MIT */
/* test_erp_batch.c - POST /v1/events/{source}/{topic}/batch, whatever the store says. */
#include "inbound_help.h"

#define BATCH "POST /v1/events/erp/a/batch"
#define KEYED "Idempotency-Key: k\r\n"

START_TEST(each_item_is_an_event)
{
	struct job *j = store.jobs;

	ck_assert_int_eq(
	    ask(BATCH, " [ {\"n\":1.50} ,\n2, 9007199254740993 ]", AUTH TYPE KEYED), 202);
	ck_assert_uint_eq(store.njobs, 3);
	ck_assert_str_eq(j[0].in.body, "{\"n\":1.50}");
	ck_assert_uint_eq(j[0].in.body_len, 10);
	ck_assert_str_eq(j[1].in.body, "2");
	ck_assert_str_eq(j[0].in.topic, "a");
	ck_assert(strstr(j[0].in.meta, ",\"item\":0}") != NULL);
	ck_assert(strstr(j[2].in.meta, ",\"item\":2,\"inexact\":\"\"}") != NULL);
	ck_assert(strstr(j[2].in.meta, "\"idempotency_key\":\"k\"") != NULL);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(j[i].in.dedupe, GAN_DEDUPE_IDEMPOTENCY);
	ck_assert_mem_ne(j[0].in.hash, j[1].in.hash, 16);
	ck_assert(said("\r\n\r\n[{\"id\":\"e"));
	ck_assert(!said("replayed"));
	ck_assert_uint_eq(stats().accepted, 3);
	/* The key of a batch's first item is not that of a single post. */
	ck_assert_int_eq(ask("POST /v1/events/erp/a", "{\"n\":1.50}", AUTH TYPE KEYED), 202);
	ck_assert_mem_ne(j[0].in.hash, j[3].in.hash, 16);
}
END_TEST

START_TEST(items_are_refused_for_themselves)
{
	ck_assert_int_eq(ask(BATCH, "{\"a\":1}\n{,}\n2", AUTH TYPE), 202);
	ck_assert_uint_eq(store.njobs, 2);
	ck_assert(said("\"status\":400,\"detail\":\"Item 2, line 2 column 2: expected"));
	ck_assert_int_eq(job()->in.dedupe, GAN_DEDUPE_NONE);
	/* A 2xx means stored: none of these is. */
	ck_assert_int_eq(ask(BATCH, "nope\nno", AUTH TYPE), 400);
	ck_assert_uint_eq(store.njobs, 2);
	ck_assert(said("None of the items was accepted. Item 1, line 1 column 1: expected"));
	store.verdict = GAN_INGEST_CONFLICT;
	ck_assert_int_eq(ask(BATCH, "[1,2]", AUTH TYPE KEYED), 422);
	ck_assert(said("\"detail\":\"None of the items was accepted. This key belongs"));
	store.verdict = GAN_INGEST_DUPLICATE;
	ck_assert_int_eq(ask(BATCH, "[1]", AUTH TYPE KEYED), 202);
	ck_assert(said("Idempotent-Replayed: true") && said(",\"replayed\":true}"));
	ck_assert_uint_eq(stats().duplicates, 1);
}
END_TEST

START_TEST(no_room_for_some_or_for_all)
{
	store.room = 2;
	ck_assert_int_eq(ask(BATCH, "[1,2,3]", AUTH TYPE), 202);
	ck_assert(said("\"status\":\"accepted\"},{\"type\":\"/problems/unavailable\""));
	ck_assert_uint_eq(stats().unavailable, 1);
	ck_assert_int_eq(ask(BATCH, "[1,2,3]", AUTH TYPE KEYED), 503);
	ck_assert(said("Retry-After: 5\r\n"));
	/* Refused at once or later; and the key is free again. */
	store.room = 0;
	store.rc = GAN_EFULL;
	ck_assert_int_eq(ask(BATCH, "[1,2,3]", AUTH TYPE KEYED), 503);
	store.rc = GAN_EGONE;
	ck_assert_int_eq(ask(BATCH, "1\nx", AUTH TYPE KEYED), 503);
	ck_assert(said("/problems/shutting-down"));
	store.rc = GAN_OK;
	ck_assert_int_eq(ask(BATCH, "[1,2,3]", AUTH TYPE KEYED), 202);
}
END_TEST

static const char raw[] =
    BATCH " HTTP/1.1\r\nHost: a\r\n" AUTH TYPE KEYED "Content-Length: 5\r\n\r\n[1,2]";

static void
two_at_a_time(void *arg)
{
	unsigned port = gan_inbound_port(inbound);
	int *status = arg, a = talk_connect(port), b;
	char *answer;

	(void)talk_send(a, raw, sizeof(raw) - 1);
	while (__atomic_load_n(&store.njobs, __ATOMIC_ACQUIRE) == 0)
		(void)sched_yield();
	b = talk_connect(port);
	(void)talk_send(b, raw, sizeof(raw) - 1);
	answer = talk_read_all(b);
	*status = talk_status(answer);
	free(answer);
	(void)close(b);
	__atomic_store_n(&store.hold, false, __ATOMIC_RELEASE);
	(void)close(a);
}

START_TEST(one_batch_of_a_key_at_a_time)
{
	int status = 0;

	store.hold = true;
	talk_run(&loop, two_at_a_time, &status);
	ck_assert_int_eq(status, 409);
	ck_assert_uint_eq(store.njobs, 2);
	/* Its sender is gone; the store's answers end it all the same. */
	commit_all();
	ck_assert_int_eq(ask(BATCH, "[1,2]", AUTH TYPE KEYED), 202);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("erp-batch");
	TCase *tc = tcase_create("erp-batch");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_item_is_an_event);
	tcase_add_test(tc, items_are_refused_for_themselves);
	tcase_add_test(tc, no_room_for_some_or_for_all);
	tcase_add_test(tc, one_batch_of_a_key_at_a_time);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

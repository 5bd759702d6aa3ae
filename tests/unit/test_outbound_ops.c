/* SPDX-License-Identifier: MIT */
/* test_outbound_ops.c - a full store, pause, reload and drain. */
#include "unit/outbound_fixture.h"

/* ---- the store refuses for a while ------------------------------------------------- */

START_TEST(an_outcome_is_kept_until_it_is_stored)
{
	struct row *r = RELEASE("k");

	busy_settles = 2;
	full_settles = 2;
	start(MV, 5, releases, NULL);
	until(r, GAN_DLV_DELIVERED);
	ck_assert_int_eq(settles, 5);
	ck_assert_int_eq(peer_requests(peer), 1);
}
END_TEST

START_TEST(a_drain_ends_even_if_nothing_can_be_stored)
{
	struct row *r = RELEASE("k");

	full_settles = 1000000;
	start(MV, 5, releases, NULL);
	while (settles == 0)
		uv_run(&loop, UV_RUN_ONCE);
	stop(10);
	ck_assert_int_eq(r->state, GAN_DLV_SENDING); /* `unknown` at the next start */
	full_settles = 0;
}
END_TEST

/* ---- pause, reload, drain -------------------------------------------------------------- */

START_TEST(a_person_pauses_and_resumes)
{
	struct row *r;

	start(MV, 5, releases, NULL);
	gan_outbound_pause(out, "mv", "stock-taking", 1234);
	r = RELEASE("k");
	gan_outbound_poke(out, "mv");
	ck_assert_int_eq(status().paused, GAN_PAUSE_PERSON);
	ck_assert_str_eq(status().pause_reason, "stock-taking");
	ck_assert_int_eq(status().paused_since_ms, 1234);
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(r->state, GAN_DLV_WAITING);
	gan_outbound_resume(out, "mv");
	until(r, GAN_DLV_DELIVERED);
}
END_TEST

struct held {
	struct peer_req req;
	bool there;
};

/* Keeps the request for an answer later. */
static void
holds(void *arg, const struct peer_req *req)
{
	struct held *h = arg;

	h->req = *req;
	h->there = true;
	uv_stop(&loop);
}

START_TEST(a_removed_connector_ends_what_is_in_flight)
{
	struct held h = { .there = false };
	struct row *r = RELEASE("k"), *next = RELEASE("k");

	start(MV, 5, holds, &h);
	while (!h.there)
		uv_run(&loop, UV_RUN_ONCE);
	gan_config_unref(&conf);
	conf = config_for(F2B, 5);
	ck_assert_int_eq(gan_outbound_reload(out, conf, &err), 0);
	ck_assert_str_eq(status().name, "f2b");
	peer_reply(&h.req, 200, "", RELEASED);
	until(r, GAN_DLV_DELIVERED);
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(next->state, GAN_DLV_WAITING);
}
END_TEST

START_TEST(new_credentials_send_back_what_waits_for_an_old_token)
{
	struct held h = { .there = false };
	struct row *r = POST("k");

	start(F2B, 5, holds, &h); /* the old token never comes */
	while (!h.there)
		uv_run(&loop, UV_RUN_ONCE);
	put("pw", "another-word");
	gan_config_unref(&conf);
	conf = config_for(F2B, 5);
	h.there = false;
	ck_assert_int_eq(gan_outbound_reload(out, conf, &err), 0);
	while (!h.there)
		uv_run(&loop, UV_RUN_ONCE);
	peer_reply(&h.req, 200, "",
	    "{\"ResponseCode\":200,\"AccessToken\":\"new\",\"ExpirationMs\":30000}");
	h.there = false;
	while (!h.there)
		uv_run(&loop, UV_RUN_ONCE);
	peer_reply(&h.req, 200, "", RECEIVED);
	until(r, GAN_DLV_DELIVERED);
	ck_assert_uint_eq(r->attempts, 1);
	ck_assert_int_eq(peer_requests(peer), 3);
}
END_TEST

START_TEST(drain_cuts_and_classifies_honestly)
{
	struct held h = { .there = false };
	struct row *r = RELEASE("k"), *waiting = RELEASE("k");

	start(MV, 5, holds, &h);
	while (!h.there)
		uv_run(&loop, UV_RUN_ONCE);
	stop(10);
	ck_assert_int_eq(r->state, GAN_DLV_UNKNOWN);
	ck_assert_str_eq(r->reason, "cut off because the gateway stops");
	ck_assert_int_eq(waiting->state, GAN_DLV_WAITING);
}
END_TEST

START_TEST(drain_gives_back_what_waits_for_a_token)
{
	struct held h = { .there = false };
	struct row *r = POST("k");

	start(F2B, 5, holds, &h);
	while (!h.there)
		uv_run(&loop, UV_RUN_ONCE);
	stop(10000);
	ck_assert_int_eq(r->state, GAN_DLV_WAITING);
	ck_assert_uint_eq(r->attempts, 0);
	ck_assert_uint_eq(r->tries, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("outbound operations");
	TCase *c = tcase_create("outbound");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 20);
	tcase_add_test(c, an_outcome_is_kept_until_it_is_stored);
	tcase_add_test(c, a_drain_ends_even_if_nothing_can_be_stored);
	tcase_add_test(c, a_person_pauses_and_resumes);
	tcase_add_test(c, a_removed_connector_ends_what_is_in_flight);
	tcase_add_test(c, new_credentials_send_back_what_waits_for_an_old_token);
	tcase_add_test(c, drain_cuts_and_classifies_honestly);
	tcase_add_test(c, drain_gives_back_what_waits_for_a_token);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/* test_outbound.c - dispatch from end to end: what becomes of deliveries. */
#include "unit/outbound_fixture.h"

/* ---- movilitas ------------------------------------------------------------------ */

START_TEST(delivered_and_recorded)
{
	struct row *r = RELEASE("k");

	start(MV, 5, releases, NULL);
	until(r, GAN_DLV_DELIVERED);
	ck_assert_str_eq(r->response, RELEASED);
	ck_assert_str_eq(r->verdict, "delivered");
	ck_assert_ptr_null(r->reason);
	ck_assert_ptr_nonnull(strstr(r->request, "x-access-token: (masked)\n"));
	ck_assert_ptr_null(strstr(r->request, "static-token"));
	ck_assert_ptr_null(strstr(r->request, "channel-key\n"));
	ck_assert_uint_eq(status().delivered, 1);
}
END_TEST

START_TEST(bad_body_costs_no_request)
{
	struct row *r = add("mv", "ssccs.release", "k", "{\"ssccs\":[\"337370000000000011\"]}");

	start(MV, 5, releases, NULL);
	until(r, GAN_DLV_DEAD);
	ck_assert_msg(
	    strstr(r->reason, "ssccs[0]: SSCC \"337370000000000011\"") != NULL, "%s", r->reason);
	ck_assert_uint_eq(r->tries, 0);
	ck_assert_int_eq(peer_requests(peer), 0);
}
END_TEST

static void
never_answers(void *arg, const struct peer_req *req)
{
	(void)arg;
	(void)req;
}

/* The dead one of a claim asks for more at once: those claimed with it count already. */
START_TEST(a_bad_body_among_others_keeps_to_the_concurrency)
{
	static char keys[12][16];
	struct row *bad = add("mv", "ssccs.release", "bad", "{\"ssccs\":[\"337370000000000011\"]}");

	for (int i = 0; i < 12; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
		RELEASE(keys[i]);
	}
	start(MV, 100, never_answers, NULL);
	until(bad, GAN_DLV_DEAD);
	while (peer_requests(peer) < 4)
		uv_run(&loop, UV_RUN_ONCE);
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(status().in_flight, 4);
}
END_TEST

static void
too_many_first(void *arg, const struct peer_req *req)
{
	int64_t *at = arg;

	at[req->n] = gan_mono_ms();
	if (req->n == 0)
		peer_reply(req, 429, "Retry-After: 1\r\n", "slow down");
	else
		peer_reply(req, 200, "", RELEASED);
}

START_TEST(retry_after_makes_the_whole_connector_wait)
{
	int64_t at[4] = { 0 };
	struct row *a = RELEASE("a"), *b;

	start(MV, 5, too_many_first, at);
	while (a->tries == 0)
		uv_run(&loop, UV_RUN_ONCE);
	b = RELEASE("b");
	gan_outbound_poke(out, "mv");
	ck_assert_int_gt(status().wait_until_ms, 0);
	until(a, GAN_DLV_DELIVERED);
	until(b, GAN_DLV_DELIVERED);
	ck_assert_int_eq(peer_requests(peer), 3);
	ck_assert_int_ge(at[1] - at[0], 990);
	ck_assert_int_ge(at[2] - at[0], 990);
	ck_assert_uint_eq(a->attempts, 2);
}
END_TEST

/* Takes the request and never answers, the first time. */
static void
acts_and_hangs(void *arg, const struct peer_req *req)
{
	(void)arg;
	if (req->n > 0)
		peer_reply(req, 200, "", RELEASED);
}

START_TEST(timeout_after_it_acted_is_unknown_and_other_keys_go_on)
{
	struct row *a = RELEASE("a"), *behind = RELEASE("a"), *other;

	start(MV, 5, acts_and_hangs, NULL);
	until(a, GAN_DLV_UNKNOWN);
	other = RELEASE("b");
	gan_outbound_poke(out, NULL);
	until(other, GAN_DLV_DELIVERED);
	ck_assert_int_eq(behind->state, GAN_DLV_WAITING);
	ck_assert(a->maybe_sent);
	ck_assert_str_eq(a->verdict, "unknown");
	ck_assert_str_eq(a->reason, "no complete answer within 400ms");
	ck_assert_int_eq(peer_requests(peer), 2);
}
END_TEST

static void
refuses_then_not(void *arg, const struct peer_req *req)
{
	if (*(bool *)arg)
		peer_reply(req, 200, "", RELEASED);
	else
		peer_reply(req, 401, "",
		    "{\"name\":\"InvalidTokenError\",\"message\":\"static-token is bad\"}");
}

START_TEST(a_refused_static_token_pauses_without_burning_attempts)
{
	bool good = false;
	struct row *r[3] = { RELEASE("a"), RELEASE("b"), RELEASE("c") };

	start(MV, 5, refuses_then_not, &good);
	while (status().paused == GAN_PAUSE_NONE || status().in_flight > 0)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(status().paused, GAN_PAUSE_TOKEN);
	ck_assert_ptr_nonnull(strstr(status().pause_reason, "InvalidTokenError"));
	ck_assert_ptr_null(strstr(status().pause_reason, "static-token"));
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(r[i]->state, GAN_DLV_WAITING);
		ck_assert_uint_eq(r[i]->attempts, 0);
	}
	ck_assert_int_le(peer_requests(peer), 3);

	/* One try, still wrong: exactly one more request. */
	busy_settles = 0;
	int before = peer_requests(peer);
	gan_outbound_resume(out, "mv");
	while (status().paused == GAN_PAUSE_NONE || status().in_flight > 0)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(peer_requests(peer), before + 1);

	good = true;
	gan_outbound_resume(out, "mv");
	for (int i = 0; i < 3; i++)
		until(r[i], GAN_DLV_DELIVERED);
	ck_assert_int_eq(status().paused, GAN_PAUSE_NONE);
	ck_assert_uint_eq(r[0]->attempts, 1);
}
END_TEST

/* ---- flex2b ------------------------------------------------------------------------ */

static int tokens;

static bool
token_asked(const struct peer_req *req)
{
	char body[128];

	if (!has(req, "GET /v1/generatetoken "))
		return false;
	ck_assert(has(req, "Authorization: Basic c29tZW9uZTpwYXNzLXdvcmQ=\r\n"));
	snprintf(body, sizeof(body),
	    "{\"ResponseCode\":200,\"AccessToken\":\"token-%d\",\"ExpirationMs\":30000}", ++tokens);
	peer_reply(req, 200, "", body);
	return true;
}

static void
receives(void *arg, const struct peer_req *req)
{
	(void)arg;
	if (!token_asked(req))
		peer_reply(req, 200, "", RECEIVED);
}

START_TEST(one_token_for_a_burst)
{
	static char keys[20][16];
	struct row *last = NULL;

	tokens = 0;
	for (int i = 0; i < 20; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%d", i);
		last = POST(keys[i]);
	}
	start(F2B, 5, receives, NULL);
	for (struct row *r = rows; r <= last; r++)
		until(r, GAN_DLV_DELIVERED);
	ck_assert_int_eq(tokens, 1);
	ck_assert_int_eq(peer_requests(peer), 21);
	ck_assert_str_eq(last->response, RECEIVED);
}
END_TEST

static void
gives_dead_tokens(void *arg, const struct peer_req *req)
{
	(void)arg;
	ck_assert_int_lt(++tokens, 3); /* not as fast as it can */
	peer_reply(req, 200, "", "{\"ResponseCode\":200,\"AccessToken\":\"t\",\"ExpirationMs\":1}");
}

START_TEST(a_token_that_is_over_when_it_comes_is_a_failed_try)
{
	struct row *r = POST("k");

	tokens = 0;
	start(F2B, 5, gives_dead_tokens, NULL);
	while (r->attempts == 0 || r->state == GAN_DLV_SENDING)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(r->state, GAN_DLV_WAITING);
	ck_assert_ptr_nonnull(strstr(r->reason, "its life was over before it was here"));
}
END_TEST

/* Takes every token but the first ones. */
static void
wants_a_later_token(void *arg, const struct peer_req *req)
{
	char first[32];

	if (token_asked(req))
		return;
	for (int i = 1; i <= *(int *)arg; i++) {
		snprintf(first, sizeof(first), "Bearer token-%d\r\n", i);
		if (has(req, first)) {
			peer_reply(req, 403, "", "{\"ResponseCode\":403}");
			return;
		}
	}
	peer_reply(req, 200, "", RECEIVED);
}

START_TEST(a_403_costs_one_fresh_token_and_no_attempt)
{
	int refused = 1;
	struct row *r = POST("k");

	tokens = 0;
	start(F2B, 5, wants_a_later_token, &refused);
	until(r, GAN_DLV_DELIVERED);
	ck_assert_int_eq(tokens, 2);
	ck_assert_uint_eq(r->tries, 2);    /* both are in the story */
	ck_assert_uint_eq(r->attempts, 1); /* one counts */
	ck_assert_int_eq(status().paused, GAN_PAUSE_NONE);
}
END_TEST

START_TEST(two_refused_tokens_pause)
{
	int refused = 100;
	struct row *r = POST("k");

	tokens = 0;
	start(F2B, 5, wants_a_later_token, &refused);
	while (status().paused == GAN_PAUSE_NONE)
		uv_run(&loop, UV_RUN_ONCE);
	until(r, GAN_DLV_WAITING);
	ck_assert_int_eq(tokens, 2);
	ck_assert_uint_eq(r->attempts, 0);
	refused = 0;
	gan_config_unref(&conf);
	conf = config_for(F2B, 5);
	ck_assert_int_eq(gan_outbound_reload(out, conf, &err), 0);
	until(r, GAN_DLV_DELIVERED);
}
END_TEST

static void
refuses_credentials(void *arg, const struct peer_req *req)
{
	(void)arg;
	peer_reply(req, 401, "", "{\"ResponseCode\":401}");
}

START_TEST(refused_credentials_pause)
{
	struct row *r[2] = { POST("a"), POST("b") };

	start(F2B, 5, refuses_credentials, NULL);
	while (status().paused == GAN_PAUSE_NONE || status().in_flight > 0)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(peer_requests(peer), 1); /* one fetch for both */
	ck_assert_ptr_nonnull(strstr(status().pause_reason, "no token: HTTP 401"));
	ck_assert_uint_eq(r[0]->attempts + r[1]->attempts, 0);
}
END_TEST

/* Fails as often as arg says, then works. */
static void
fails_at_first(void *arg, const struct peer_req *req)
{
	int *failures = arg;

	if (token_asked(req))
		return;
	if ((*failures)-- > 0)
		peer_reply(req, 500, "", "{\"ResponseCode\":500}");
	else
		peer_reply(req, 200, "", RECEIVED);
}

START_TEST(breaker_opens_and_one_probe_closes_it)
{
	int failures = 3;
	struct row *r = POST("a");

	tokens = 0;
	r->on_unknown = GAN_ON_UNKNOWN_RESEND;
	start(F2B, 2, fails_at_first, &failures);
	while (!status().breaker_open)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_uint_eq(status().consecutive_failures, 2);
	ck_assert_int_ge(status().breaker_until_ms, gan_wall_ms());
	for (int i = 0; i < 4; i++)
		POST(i % 2 == 0 ? "x" : "y");
	gan_outbound_poke(out, NULL);
	until(r, GAN_DLV_DELIVERED);
	for (size_t i = 0; i < nrows; i++)
		until(&rows[i], GAN_DLV_DELIVERED);
	ck_assert(!status().breaker_open);
	ck_assert(r->maybe_sent);
}
END_TEST

START_TEST(gives_up_after_the_configured_time)
{
	int failures = 1;
	struct row *r = POST("a");

	tokens = 0;
	r->on_unknown = GAN_ON_UNKNOWN_RESEND;
	r->first_ms = gan_wall_ms() - INT64_C(73) * 3600000;
	start(F2B, 5, fails_at_first, &failures);
	until(r, GAN_DLV_DEAD);
	ck_assert_str_eq(r->reason,
	    "gave up after 3d; last: HTTP 500, ResponseCode 500: no message "
	    "(an attempt may have been carried out)");
	ck_assert_str_eq(r->verdict, "dead");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("outbound");
	TCase *c = tcase_create("outbound");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 20);
	tcase_add_test(c, delivered_and_recorded);
	tcase_add_test(c, bad_body_costs_no_request);
	tcase_add_test(c, a_bad_body_among_others_keeps_to_the_concurrency);
	tcase_add_test(c, retry_after_makes_the_whole_connector_wait);
	tcase_add_test(c, timeout_after_it_acted_is_unknown_and_other_keys_go_on);
	tcase_add_test(c, a_refused_static_token_pauses_without_burning_attempts);
	tcase_add_test(c, one_token_for_a_burst);
	tcase_add_test(c, a_403_costs_one_fresh_token_and_no_attempt);
	tcase_add_test(c, a_token_that_is_over_when_it_comes_is_a_failed_try);
	tcase_add_test(c, two_refused_tokens_pause);
	tcase_add_test(c, refused_credentials_pause);
	tcase_add_test(c, breaker_opens_and_one_probe_closes_it);
	tcase_add_test(c, gives_up_after_the_configured_time);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

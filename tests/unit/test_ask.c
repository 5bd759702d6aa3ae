/* SPDX-License-Identifier: MIT */
/* test_ask.c - asks, and who goes first when the quota is short. */
#include "outbound/ask.h"
#include "unit/outbound_fixture.h"

struct got {
	int n, rc, status;
	bool maybe_sent, complete;
	int64_t wait_ms;
	size_t body_len;
	char text[200], body[200], request[400];
};

static void
on_answer(void *arg, const struct gan_answer *a)
{
	struct got *g = arg;

	g->n++;
	g->rc = a->rc;
	g->status = a->status;
	g->maybe_sent = a->maybe_sent;
	g->complete = a->complete;
	g->wait_ms = a->wait_ms;
	g->body_len = a->body_len;
	snprintf(g->text, sizeof(g->text), "%s", a->text);
	snprintf(g->body, sizeof(g->body), "%s", a->body);
	snprintf(g->request, sizeof(g->request), "%s", a->request);
}

#define SSCCS "{\"ssccs\":[\"337370000000000003\"]}"
#define LINES                                                                                      \
	"{\"repLines\":[{\"apiuuid\":\"87277F40-6954-42F0-B191-A4A1DE476326\",\"apiid\":\"PH\","   \
	"\"senderidentification\":\"3PL\",\"nodes\":[{\"name\":\"a\",\"value\":\"1\"}]}]}"

static struct gan_ask_handle *
ask(const char *connector, enum gan_ask_prio prio, struct got *g)
{
	bool mv = connector[0] == 'm';
	struct gan_ask a = { .connector = connector,
		.operation = mv ? "ssccs.release" : "replicationpost",
		.output = mv ? SSCCS : LINES,
		.prio = prio };
	struct gan_ask_handle *h = NULL;

	a.output_len = strlen(a.output);
	memset(g, 0, sizeof(*g));
	ck_assert_msg(gan_outbound_ask(out, &a, on_answer, g, &h, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(g->n, 0); /* never from within */
	return h;
}

static void
answered(const struct got *g)
{
	while (g->n == 0)
		uv_run(&loop, UV_RUN_ONCE);
}

/* Two connectors of one account when same; the quota stands in the first one. */
static void
start_quota(int per_window, const char *window, const char *past, peer_fn fn, void *arg)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	peer = peer_open(&loop, fn, arg);
	gan_buf_printf(&b,
	    "version: 1\nsecrets: .\ndeliver:\n"
	    "  timeout: {connect: 1s, total: 400ms}\n"
	    "  retry: {first: 20ms, factor: 2, max: 50ms, jitter: 0%%, give_up: 72h}\n"
	    "  concurrency: 8\n"
	    "connectors:\n"
	    "  mv: {kind: movilitas, base_url: \"%s\", channel_key: secret:key, token: secret:tok,\n"
	    "    quota: {per_minute: %d, share: 100%%, window: %s}}\n"
	    "  mw: {kind: movilitas, base_url: \"%s\", channel_key: secret:key, token: "
	    "secret:tok}\n",
	    peer_url(peer), per_window, window, peer_url(peer));
	conf = config(b.data);
	ck_assert_msg(gan_outbound_open(&loop, conf, NULL, past, &out, &err) == 0, "%s", err.msg);
}

START_TEST(an_answer_comes_whole)
{
	struct got g;

	start(MV, 5, releases, NULL);
	ask("mv", GAN_ASK_FEED, &g);
	answered(&g);
	ck_assert_int_eq(g.rc, GAN_OK);
	ck_assert_int_eq(g.status, 200);
	ck_assert(g.complete && g.maybe_sent);
	ck_assert_str_eq(g.body, RELEASED);
	ck_assert_ptr_nonnull(strstr(g.request, "x-access-token: (masked)\n"));
}
END_TEST

static void
big_answer(void *arg, const struct peer_req *req)
{
	size_t n = (size_t)3 << 20;
	char *body = malloc(n + 3);

	(void)arg;
	memset(body, ' ', n + 2);
	body[0] = '{';
	body[n + 1] = '}';
	body[n + 2] = '\0';
	peer_reply(req, 200, "", body);
	free(body);
}

START_TEST(an_answer_may_be_larger_than_a_delivery_s)
{
	struct got g;

	start(MV, 5, big_answer, NULL);
	ask("mv", GAN_ASK_FEED, &g);
	answered(&g);
	ck_assert(g.complete);
	ck_assert_uint_eq(g.body_len, ((size_t)3 << 20) + 2);
}
END_TEST

static void
refuses_the_first_token(void *arg, const struct peer_req *req)
{
	int *tokens = arg;

	if (has(req, "generatetoken"))
		peer_reply(req, 200, "",
		    (*tokens)++ == 0
			? "{\"ResponseCode\":200,\"AccessToken\":\"old-token\",\"ExpirationMs\":30000}"
			: "{\"ResponseCode\":200,\"AccessToken\":\"new-token\",\"ExpirationMs\":30000}");
	else if (has(req, "old-token"))
		peer_reply(req, 403, "", "{\"ResponseCode\":403,\"ResponseMessage\":\"no\"}");
	else
		peer_reply(req, 200, "", RECEIVED);
}

START_TEST(a_refused_token_is_replaced_once)
{
	int tokens = 0;
	struct got g;

	start(F2B, 5, refuses_the_first_token, &tokens);
	ask("f2b", GAN_ASK_FEED, &g);
	answered(&g);
	ck_assert_msg(g.rc == GAN_OK, "%s", g.text);
	ck_assert_int_eq(tokens, 2);
}
END_TEST

static void
refuses_every_token(void *arg, const struct peer_req *req)
{
	int *tokens = arg;

	if (has(req, "generatetoken")) {
		++*tokens;
		peer_reply(req, 200, "",
		    "{\"ResponseCode\":200,\"AccessToken\":\"some-token\",\"ExpirationMs\":30000}");
	} else {
		peer_reply(req, 403, "", "{\"ResponseCode\":403,\"ResponseMessage\":\"no\"}");
	}
}

START_TEST(refused_credentials_pause_the_connector)
{
	int tokens = 0;
	struct got g, h;

	start(F2B, 5, refuses_every_token, &tokens);
	ask("f2b", GAN_ASK_FEED, &g);
	answered(&g);
	ck_assert_int_eq(g.rc, GAN_EAUTH);
	ck_assert_int_eq(tokens, 2);
	ck_assert_int_eq(status().paused, GAN_PAUSE_TOKEN);
	ask("f2b", GAN_ASK_FEED, &h);
	answered(&h);
	ck_assert_int_eq(h.rc, GAN_EAUTH);
	ck_assert(!h.maybe_sent);
	ck_assert_int_eq(tokens, 2);
}
END_TEST

static void
says_429(void *arg, const struct peer_req *req)
{
	(void)arg;
	if (req->n == 0)
		peer_reply(req, 429, "Retry-After: 1\r\n", "slow down");
	else
		peer_reply(req, 200, "", RELEASED);
}

START_TEST(a_429_stops_everybody_on_the_account)
{
	struct got g, h;
	struct row *r;
	int64_t from = gan_mono_ms();

	start_quota(100, "1s", NULL, says_429, NULL);
	ask("mv", GAN_ASK_RECONCILE, &g);
	answered(&g);
	ck_assert_int_eq(g.rc, GAN_EBUSY);
	ck_assert(g.maybe_sent && g.status == 429);
	ck_assert_int_eq(g.wait_ms, 1000);
	ask("mw", GAN_ASK_FEED, &h); /* the other connector of the account */
	answered(&h);
	ck_assert_int_eq(h.rc, GAN_EBUSY);
	ck_assert(!h.maybe_sent);
	ck_assert_int_gt(h.wait_ms, 0);
	r = add("mw", "ssccs.release", "k", SSCCS);
	gan_outbound_poke(out, "mw");
	until(r, GAN_DLV_DELIVERED);
	ck_assert_int_ge(gan_mono_ms() - from, 990);
	ck_assert_int_eq(peer_requests(peer), 2);
	ck_assert_uint_eq(status().quota_allowed, 100);
	ck_assert_uint_lt(status().quota_limit, 100);
}
END_TEST

static int logins;

static void
knows_nobody(void *arg, const struct peer_req *req)
{
	(void)arg;
	if (has(req, "/v1/generatetoken ")) {
		logins++;
		peer_reply(req, logins == 1 ? 401 : 429, "Retry-After: 30\r\n", "{}");
	} else {
		peer_reply(req, 429, "Retry-After: 30\r\n", "{}");
	}
}

/* The account of both connectors is asked to wait: a try of credentials waits as well. */
START_TEST(a_429_stops_tries_of_credentials)
{
	struct row *r = POST("k");
	struct got g;

	logins = 0;
	start(F2B, 5, knows_nobody, NULL);
	while (status().paused != GAN_PAUSE_TOKEN)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(logins, 1);
	ck_assert_int_eq(gan_outbound_reload(out, conf, &err), 0); /* one try: 429 */
	while (logins < 2)
		uv_run(&loop, UV_RUN_ONCE);
	while (status().wait_until_ms == 0)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(gan_outbound_reload(out, conf, &err), 0);
	ask("f2b", GAN_ASK_FEED, &g);
	while (g.n == 0) /* waiting for an event it would sleep for the 30 s */
		uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(g.rc, GAN_EAUTH);
	ck_assert_int_eq(logins, 2);
	ck_assert_int_eq(r->state, GAN_DLV_WAITING);
}
END_TEST

START_TEST(paused_by_a_person_nothing_is_asked)
{
	struct got g;

	start(MV, 5, releases, NULL);
	gan_outbound_pause(out, "mv", "maintenance", 1);
	ask("mv", GAN_ASK_FEED, &g);
	answered(&g);
	ck_assert_int_eq(g.rc, GAN_EBUSY);
	ck_assert(!g.maybe_sent);
	ck_assert_str_eq(g.text, "the connector is paused: maintenance");
	ck_assert_int_eq(peer_requests(peer), 0);
}
END_TEST

static void
hangs(void *arg, const struct peer_req *req)
{
	(void)arg;
	(void)req;
}

START_TEST(no_answer_may_have_arrived)
{
	struct got g;

	start(MV, 5, hangs, NULL);
	ask("mv", GAN_ASK_FEED, &g);
	answered(&g);
	ck_assert_int_eq(g.rc, GAN_ENET);
	ck_assert(g.maybe_sent && !g.complete);
	ck_assert_int_eq(status().consecutive_failures, 1);
}
END_TEST

START_TEST(what_is_wrong_is_told_at_once)
{
	struct gan_ask a = { "mv", "ssccs.release", "{}", 2, GAN_ASK_FEED, 0 };
	struct got g;

	start(MV, 5, releases, NULL);
	ck_assert_int_eq(gan_outbound_ask(out, &a, on_answer, &g, NULL, &err), GAN_EINVAL);
	ck_assert_str_eq(err.msg, "ssccs is missing");
	a.operation = "nothing";
	ck_assert_int_eq(gan_outbound_ask(out, &a, on_answer, &g, NULL, &err), GAN_ENOENT);
	a.connector = "nobody";
	ck_assert_int_eq(gan_outbound_ask(out, &a, on_answer, &g, NULL, &err), GAN_ENOENT);
}
END_TEST

static void
answers_late(void *arg, const struct peer_req *req)
{
	struct peer_req *kept = arg;

	*kept = *req;
}

START_TEST(the_drain_waits_for_what_is_in_flight)
{
	struct peer_req kept = { 0 };
	struct got g, queued;

	start_quota(1, "10s", NULL, answers_late, &kept);
	ask("mv", GAN_ASK_FEED, &g);
	while (kept.peer == NULL)
		uv_run(&loop, UV_RUN_ONCE);
	ask("mv", GAN_ASK_FEED, &queued);
	uv_run(&loop, UV_RUN_NOWAIT);
	gan_outbound_drain(out, 5000, on_drained, NULL);
	ck_assert_int_eq(queued.rc, GAN_EGONE);
	ck_assert(!queued.maybe_sent);
	ck_assert_int_eq(g.n, 0);
	peer_reply(&kept, 200, "", RELEASED);
	while (!drained)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(g.n, 1);
	ck_assert_int_eq(g.rc, GAN_OK);
	gan_outbound_close(&out);
}
END_TEST

START_TEST(one_that_is_cancelled_is_not_told)
{
	struct peer_req kept = { 0 };
	struct got g, queued, last;
	struct gan_ask_handle *a, *b;

	start_quota(2, "200ms", NULL, answers_late, &kept);
	a = ask("mv", GAN_ASK_FEED, &g);
	b = ask("mv", GAN_ASK_RECONCILE, &queued);
	gan_outbound_ask_cancel(&b);
	while (kept.peer == NULL)
		uv_run(&loop, UV_RUN_ONCE);
	gan_outbound_ask_cancel(&a);
	peer_reply(&kept, 200, "", RELEASED);
	ask("mv", GAN_ASK_FEED, &last);
	while (peer_requests(peer) < 2)
		uv_run(&loop, UV_RUN_ONCE);
	peer_reply(&kept, 200, "", RELEASED);
	answered(&last);
	ck_assert_int_eq(g.n + queued.n, 0);
	ck_assert_int_eq(peer_requests(peer), 2);
}
END_TEST

/* The connector becomes another one while something waits for a place under the old name. */
static void
become(const char *kind, const char *url)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	put("tok", "another-token");
	gan_buf_printf(&b, "version: 1\nsecrets: .\nconnectors:\n  mv: {kind: %s", kind);
	if (url != NULL)
		gan_buf_printf(
		    &b, ", base_url: \"%s\", channel_key: secret:key, token: secret:tok", url);
	else
		gan_buf_puts(&b, ", tokens: [secret:key]");
	gan_buf_puts(&b, "}\n");
	gan_config_unref(&conf);
	conf = config(b.data);
	ck_assert_msg(gan_outbound_reload(out, conf, &err) == 0, "%s", err.msg);
}

START_TEST(new_credentials_never_go_to_the_old_address)
{
	struct peer *other = peer_open(&loop, releases, NULL);
	struct got first, queued;

	start_quota(1, "300ms", NULL, releases, NULL); /* it checks the token */
	ask("mv", GAN_ASK_FEED, &first);
	answered(&first);
	ask("mv", GAN_ASK_FEED, &queued);
	become(_i == 0 ? "movilitas" : "pull", _i == 0 ? peer_url(other) : NULL);
	answered(&queued);
	ck_assert_int_eq(queued.rc, GAN_EBUSY);
	ck_assert_str_eq(queued.text, "the configuration of the connector changed");
	ck_assert_int_eq(peer_requests(peer), 1);
	ck_assert_int_eq(peer_requests(other), 0);
	peer_close(other);
}
END_TEST

/* ---- the quota ----------------------------------------------------------- */

struct times {
	int64_t at[200];
};

static void
notes_times(void *arg, const struct peer_req *req)
{
	struct times *t = arg;

	t->at[req->n] = gan_mono_ms();
	peer_reply(req, 200, "", RELEASED);
}

static int
most_in(const struct times *t, int n, int64_t window)
{
	int most = 0;

	for (int i = 0, first = 0; i < n; i++) {
		while (t->at[first] + window <= t->at[i])
			first++;
		most = i - first + 1 > most ? i - first + 1 : most;
	}
	return most;
}

START_TEST(no_window_holds_more_whoever_asks)
{
	static char keys[40][16];
	struct times t;
	struct got g[12];

	for (int i = 0; i < 40; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
		add(i % 2 ? "mv" : "mw", "ssccs.release", keys[i], SSCCS);
	}
	start_quota(10, "150ms", NULL, notes_times, &t);
	for (int i = 0; i < 12; i++)
		ask("mv", i % 2 ? GAN_ASK_FEED : GAN_ASK_RECONCILE, &g[i]);
	for (int i = 0; i < 40; i++)
		until(&rows[i], GAN_DLV_DELIVERED);
	for (int i = 0; i < 12; i++)
		answered(&g[i]);
	ck_assert_int_eq(peer_requests(peer), 52);
	ck_assert_int_le(most_in(&t, 52, 150), 10);
	ck_assert_uint_gt(status().quota_waited_ms, 0);
}
END_TEST

/* Deliveries keep most of it, feeds get some of it, reconciliation waits for them. */
START_TEST(live_first_feeds_between_and_reconciliation_last)
{
	static char keys[30][16];
	struct times t;
	struct got feed[4], last;
	int delivered = 0;

	for (int i = 0; i < 30; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
		RELEASE(keys[i]);
	}
	start_quota(5, "100ms", NULL, notes_times, &t);
	ask("mv", GAN_ASK_RECONCILE, &last);
	for (int i = 0; i < 4; i++)
		ask("mv", GAN_ASK_FEED, &feed[i]);
	answered(&feed[3]);
	for (int i = 0; i < 30; i++)
		delivered += rows[i].state == GAN_DLV_DELIVERED;
	ck_assert_int_ge(delivered, 4 * 3 - 8); /* those on their way do not count yet */
	ck_assert_int_lt(delivered, 30);
	ck_assert_int_eq(last.n, 0);
	for (int i = 0; i < 30; i++)
		until(&rows[i], GAN_DLV_DELIVERED);
	ck_assert_int_eq(last.n, 0);
	answered(&last);
	ck_assert_int_eq(last.rc, GAN_OK);
}
END_TEST

START_TEST(a_reload_forgets_nothing)
{
	struct times t;
	struct got g;
	struct row *a = RELEASE("a"), *b = RELEASE("b"), *c;

	start_quota(2, "400ms", NULL, notes_times, &t);
	until(a, GAN_DLV_DELIVERED);
	until(b, GAN_DLV_DELIVERED);
	ck_assert_int_eq(gan_outbound_reload(out, conf, &err), 0);
	c = RELEASE("c");
	gan_outbound_poke(out, NULL);
	ask("mv", GAN_ASK_FEED, &g);
	until(c, GAN_DLV_DELIVERED);
	answered(&g);
	ck_assert_int_le(most_in(&t, 4, 400), 2);
}
END_TEST

START_TEST(the_next_process_knows_what_was_used)
{
	struct gan_buf told GAN_AUTO(gan_buf_fini) = { 0 };
	struct times t;
	struct row *a = RELEASE("a"), *b = RELEASE("b"), *c;

	start_quota(2, "400ms", NULL, notes_times, &t);
	until(a, GAN_DLV_DELIVERED);
	until(b, GAN_DLV_DELIVERED);
	gan_outbound_drain(out, 1000, on_drained, NULL);
	while (!drained)
		uv_run(&loop, UV_RUN_ONCE);
	gan_outbound_quotas(out, &told);
	gan_outbound_close(&out);
	ck_assert_ptr_nonnull(strstr(told.data, "\"names\":[\"mv\",\"mw\"]"));
	c = RELEASE("c");
	ck_assert_int_eq(gan_outbound_open(&loop, conf, NULL, told.data, &out, &err), 0);
	ck_assert_uint_eq(status().quota_used, 2);
	until(c, GAN_DLV_DELIVERED);
	ck_assert_int_le(most_in(&t, 3, 400), 2);
}
END_TEST

/* Told nothing (it died), nonsense, or of another boot: as if all had been used. */
START_TEST(who_is_told_nothing_waits_for_a_window)
{
	static const char *const told[] = { "", "{", "{\"boot\":\"x\",\"accounts\":[]}",
		"{\"boot\":\"x\",\"accounts\":[{\"names\":[\"other\"],\"ends\":[1]}]}" };
	struct times t;
	struct row *a = RELEASE("a");
	int64_t from = gan_mono_ms();

	start_quota(2, "300ms", told[_i], notes_times, &t);
	ck_assert_int_gt(status().quota_room_ms, 0);
	until(a, GAN_DLV_DELIVERED);
	ck_assert_int_ge(t.at[0] - from, 299);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ask");
	TCase *tc = tcase_create("ask");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, an_answer_comes_whole);
	tcase_add_test(tc, an_answer_may_be_larger_than_a_delivery_s);
	tcase_add_test(tc, a_refused_token_is_replaced_once);
	tcase_add_test(tc, refused_credentials_pause_the_connector);
	tcase_add_test(tc, a_429_stops_everybody_on_the_account);
	tcase_add_test(tc, a_429_stops_tries_of_credentials);
	tcase_add_test(tc, paused_by_a_person_nothing_is_asked);
	tcase_add_test(tc, no_answer_may_have_arrived);
	tcase_add_test(tc, what_is_wrong_is_told_at_once);
	tcase_add_test(tc, the_drain_waits_for_what_is_in_flight);
	tcase_add_test(tc, one_that_is_cancelled_is_not_told);
	tcase_add_loop_test(tc, new_credentials_never_go_to_the_old_address, 0, 2);
	tcase_add_test(tc, no_window_holds_more_whoever_asks);
	tcase_add_test(tc, live_first_feeds_between_and_reconciliation_last);
	tcase_add_test(tc, a_reload_forgets_nothing);
	tcase_add_test(tc, the_next_process_knows_what_was_used);
	tcase_add_loop_test(tc, who_is_told_nothing_waits_for_a_window, 0, 4);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

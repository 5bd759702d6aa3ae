/* SPDX-License-Identifier: MIT */
/* test_token.c - one fetch for all, the end of a token's life, refusals. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lib/peer.h"
#include "outbound/token.h"

static uv_loop_t loop;
static struct gan_transfers *ts;
static struct gan_token *token;
static struct peer *peer;
static struct gan_err err;
static struct gan_config conf;
static struct gan_conf_connector c;
static int told, last_rc;
static int64_t last_wait_ms;
static char user[] = "someone", password[] = "pass-word";

static struct script {
	int status;
	const char *head, *body;
} script;

static void
on_request(void *arg, const struct peer_req *req)
{
	(void)arg;
	ck_assert_ptr_nonnull(
	    strstr(req->text, "Content-Type: application/json; charset=utf8\r\n"));
	peer_reply(req, script.status, script.head, script.body);
}

static void
setup(void)
{
	told = 0;
	conf = (struct gan_config){ .refs = 100 }; /* never freed: it is ours */
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	peer = peer_open(&loop, on_request, NULL);
	c = (struct gan_conf_connector){ .name = (char[]){ "f2b" },
		.kind = GAN_CONNECTOR_FLEX2B,
		.base_url = strdup(peer_url(peer)),
		.user = { NULL, user, sizeof(user) - 1 },
		.password = { NULL, password, sizeof(password) - 1 },
		.deliver = { .connect_ms = 2000, .total_ms = 5000 } };
	ck_assert_int_eq(gan_transfers_open(&loop, &ts, &err), 0);
	ck_assert_int_eq(gan_token_open(ts, &conf, &c, &token, &err), 0);
	script = (struct script){ 200, "",
		"{\"ResponseCode\":200,\"AccessToken\":\"tok/+=\",\"ExpirationMs\":30000}" };
}

static void
teardown(void)
{
	gan_token_free(&token);
	gan_transfers_close(&ts);
	peer_close(peer);
	while (uv_loop_alive(&loop)) /* a callback may have asked to stop */
		uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	free(c.base_url);
}

static void
on_token(void *arg, const struct gan_token_result *r)
{
	(void)arg;
	told++;
	last_rc = r->rc;
	last_wait_ms = r->wait_ms;
	if (r->request != NULL)
		ck_assert_ptr_nonnull(strstr(r->request, "Authorization: (masked)\n"));
	if (r->rc != GAN_OK)
		ck_assert_ptr_nonnull(r->text);
	uv_stop(&loop);
}

static void
wait_once(void)
{
	int before = told;

	ck_assert_int_eq(gan_token_wait(token, on_token, &told, &err), 0);
	ck_assert_int_eq(told, before); /* never from within */
	while (told == before)
		uv_run(&loop, UV_RUN_ONCE);
}

START_TEST(one_fetch_for_all_who_wait)
{
	uint64_t serial;
	int other;

	ck_assert_ptr_null(gan_token_use(token, gan_mono_ms(), &serial));
	ck_assert_int_eq(gan_token_wait(token, on_token, NULL, &err), 0);
	ck_assert_int_eq(gan_token_wait(token, on_token, &other, &err), 0);
	ck_assert_int_eq(gan_token_wait(token, on_token, NULL, &err), 0);
	gan_token_unwait(token, &other);
	while (told < 2)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(told, 2);
	ck_assert_int_eq(peer_requests(peer), 1);
	ck_assert_str_eq(gan_token_use(token, gan_mono_ms(), &serial), "tok/+=");
}
END_TEST

START_TEST(used_for_four_fifths_of_its_life)
{
	int64_t before = gan_mono_ms(), after;
	uint64_t serial;

	wait_once();
	after = gan_mono_ms();
	ck_assert_ptr_nonnull(gan_token_use(token, before + 23999, &serial));
	/* It counts from before the request, so it is over by then at the latest. */
	ck_assert_ptr_null(gan_token_use(token, after + 24000, &serial));
	ck_assert_ptr_null(gan_token_use(token, before, &serial)); /* and gone for good */
}
END_TEST

START_TEST(only_the_refused_one_is_dropped)
{
	uint64_t first, second;

	wait_once();
	ck_assert_ptr_nonnull(gan_token_use(token, gan_mono_ms(), &first));
	gan_token_drop(token, first);
	ck_assert_ptr_null(gan_token_use(token, gan_mono_ms(), &second));
	wait_once();
	ck_assert_ptr_nonnull(gan_token_use(token, gan_mono_ms(), &second));
	ck_assert_uint_ne(first, second);
	gan_token_drop(token, first); /* a late answer to the old one */
	ck_assert_ptr_nonnull(gan_token_use(token, gan_mono_ms(), &second));
}
END_TEST

static const struct {
	struct script script;
	int rc;
	int64_t wait_ms;
} refusals[] = {
	{ { 401, "", "{\"ResponseCode\":401}" }, GAN_EAUTH, -1 },
	{ { 403, "", "" }, GAN_EAUTH, -1 },
	{ { 200, "", "{\"ResponseCode\":401}" }, GAN_EAUTH, -1 },
	{ { 200, "", "<html>" }, GAN_EAUTH, -1 }, /* a wrong URL mends itself as little */
	{ { 302, "Location: /\r\n", "" }, GAN_EAUTH, -1 },
	{ { 404, "", "" }, GAN_EAUTH, -1 },
	{ { 500, "", "" }, GAN_ENET, -1 },
	{ { 503, "Retry-After: 9\r\n", "" }, GAN_ENET, 9000 },
	{ { 429, "", "" }, GAN_ENET, -1 },
};

START_TEST(refusals_are_told_from_outages)
{
	uint64_t serial;

	script = refusals[_i].script;
	wait_once();
	ck_assert_int_eq(last_rc, refusals[_i].rc);
	ck_assert_int_eq(last_wait_ms, refusals[_i].wait_ms);
	ck_assert_ptr_null(gan_token_use(token, gan_mono_ms(), &serial));
}
END_TEST

START_TEST(freeing_tells_those_who_wait)
{
	ck_assert_int_eq(gan_token_wait(token, on_token, NULL, &err), 0);
	gan_token_free(&token);
	ck_assert_int_eq(told, 1);
	ck_assert_int_eq(last_rc, GAN_EGONE);
}
END_TEST

START_TEST(a_static_token_is_just_there)
{
	struct gan_token *fixed = NULL;
	uint64_t serial;

	c.kind = GAN_CONNECTOR_MOVILITAS;
	c.token = (struct gan_secret){ NULL, password, sizeof(password) - 1 };
	ck_assert_int_eq(gan_token_open(ts, &conf, &c, &fixed, &err), 0);
	ck_assert(gan_token_is_static(fixed));
	ck_assert_str_eq(gan_token_use(fixed, 0, &serial), "pass-word");
	gan_token_free(&fixed);
	c.kind = GAN_CONNECTOR_FLEX2B;
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("token");
	TCase *t = tcase_create("token");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_fetch_for_all_who_wait);
	tcase_add_test(t, used_for_four_fifths_of_its_life);
	tcase_add_test(t, only_the_refused_one_is_dropped);
	tcase_add_loop_test(t, refusals_are_told_from_outages, 0, (int)GAN_COUNT(refusals));
	tcase_add_test(t, freeing_tells_those_who_wait);
	tcase_add_test(t, a_static_token_is_just_there);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

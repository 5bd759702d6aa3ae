/* SPDX-License-Identifier: MIT */
/* test_lease.c - nothing is sent that somebody else may have claimed meanwhile. */
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include "outbound/ask.h"
#include "unit/outbound_fixture.h"

/* In place of the library's, for libuv and curl too: monotonic time leaps when the test wants. */
static atomic_int ahead_s;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (id != CLOCK_REALTIME)
		ts->tv_sec += atomic_load(&ahead_s);
	return rc;
}

#define TOKEN "{\"ResponseCode\":200,\"AccessToken\":\"t\",\"ExpirationMs\":30000000}"

static int posts;

static void
serves(void *arg, const struct peer_req *req)
{
	(void)arg;
	if (has(req, "GET /v1/generatetoken ")) {
		peer_reply(req, 200, "", TOKEN);
		return;
	}
	posts++;
	peer_reply(req, 200, "", RECEIVED);
}

static struct gan_config *
config_quota(const char *window)
{
	struct gan_buf b GAN_AUTO(gan_buf_fini) = { 0 };

	gan_buf_printf(&b,
	    "version: 1\nsecrets: .\ndeliver: {timeout: {connect: 1s, total: 400ms}}\nconnectors:\n"
	    "  f2b: {kind: flex2b, base_url: \"%s\", user: secret:user, password: secret:pw,\n"
	    "    quota: {per_minute: 1, share: 100%%, window: %s}}\n",
	    peer_url(peer), window);
	return config(b.data);
}

/* The token took the only place: the delivery is claimed, and waits for the next one. */
static void
wait_for_a_place(void)
{
	posts = 0;
	peer = peer_open(&loop, serves, NULL);
	conf = config_quota("60s");
	ck_assert_msg(gan_outbound_open(&loop, conf, NULL, NULL, &out, &err) == 0, "%s", err.msg);
	while (status().quota_short_ms == 0 || peer_requests(peer) == 0)
		uv_run(&loop, UV_RUN_ONCE);
	for (int i = 0; i < 50; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(peer_requests(peer), 1);
	ck_assert_int_eq(rows[0].state, GAN_DLV_SENDING);
}

START_TEST(a_place_that_comes_after_the_lease_is_not_used)
{
	struct row *r = POST("k");

	wait_for_a_place();
	atomic_store(&ahead_s, 900);
	until(r, GAN_DLV_DELIVERED);
	ck_assert_int_eq(posts, 1);
	ck_assert_int_eq(settles, 2); /* it went back, and was claimed anew */
	ck_assert_uint_eq(r->attempts, 1);
}
END_TEST

START_TEST(it_goes_back_before_the_lease_ends)
{
	struct row *r = POST("k");

	wait_for_a_place();
	gan_config_unref(&conf);
	conf = config_quota("1h"); /* what was used in that hour is not known */
	ck_assert_int_eq(gan_outbound_reload(out, conf, &err), 0);
	atomic_store(&ahead_s, 775);
	until(r, GAN_DLV_WAITING);
	ck_assert_str_eq(r->reason, "its turn came too late for the lease of its claim");
	ck_assert_int_eq(posts, 0);
	ck_assert_uint_eq(r->attempts, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lease");
	TCase *tc = tcase_create("lease");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, a_place_that_comes_after_the_lease_is_not_used);
	tcase_add_test(tc, it_goes_back_before_the_lease_ends);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

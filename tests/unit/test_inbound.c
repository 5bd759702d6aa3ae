/* SPDX-License-Identifier: MIT */
/* test_inbound.c - routes, reload, drain. */
#include "inbound_help.h"

static const struct {
	const char *line;
	int status;
	const char *says;
} routes[] = {
	{ "GET /healthz", 200, "ok" },
	{ "HEAD /healthz", 200, "Content-Length: 16" },
	{ "POST /healthz", 405, "Allow: GET, HEAD" },
	{ "GET /readyz", 200, "ok" },
	{ "GET /", 404, "/problems/not-found" },
	{ "GET /healthz/", 404, NULL },
	{ "GET //healthz", 404, NULL },
	{ "GET /Healthz", 404, NULL },
	{ "GET /hooks", 404, NULL },
	{ "GET /hooks/prodsmart", 405, "Allow: POST" },
	{ "PUT /hooks/prodsmart", 405, "Allow: POST" },
	{ "POST /hooks/", 404, NULL },
	{ "POST /hooks/prodsmart/", 404, NULL },
	{ "POST /hooks/nobody", 404, NULL },
	{ "POST /hooks/erp", 404, NULL },
	{ "POST /hooks/feed", 404, "/problems/not-found" },
	{ "GET /v1/events/erp/a", 405, "Allow: POST" },
	{ "POST /v1/events/erp", 405, "Allow: GET, HEAD" },
	{ "POST /v1/events/erp/", 404, NULL },
	{ "POST /v1/events/erp/a/batch", 401, "/problems/bad-token" },
	{ "GET /v1/events/erp/a/batch", 405, "Allow: POST" },
	{ "POST /v1/events/erp/a/batches", 404, NULL },
	{ "POST /v1/events//batch", 404, NULL },
	{ "GET /v1/objects?key=po%2F1", 401, "/problems/bad-token" },
	{ "POST /v1/objects?key=po%2F1", 405, "Allow: GET, HEAD" },
	{ "GET /v1/objects/", 404, NULL },
	{ "GET /v1/outbox/erp?after=0", 401, "/problems/bad-token" },
	{ "HEAD /v1/outbox/erp", 405, "Allow: GET" },
	{ "POST /v1/outbox/erp/ack", 401, "/problems/bad-token" },
	{ "GET /v1/outbox/erp/ack", 405, "Allow: POST" },
	{ "GET /v1/outbox/", 404, NULL },
	{ "GET /openapi.json", 200, "\"openapi\":\"3.1.0\"" },
	{ "POST /v1/events//a", 404, NULL },
	{ "GET /v1/events/", 404, NULL },
	{ "GET /v2/events/x", 404, NULL },
};

START_TEST(routes_are_exact)
{
	for (size_t i = 0; i < GAN_COUNT(routes); i++) {
		int status = ask(routes[i].line, "", "%s", "");

		ck_assert_msg(status == routes[i].status, "%s: %s", routes[i].line, last);
		if (routes[i].says != NULL)
			ck_assert_msg(said(routes[i].says), "%s: %s", routes[i].line, last);
		if (status >= 400)
			ck_assert_msg(
			    said("application/problem+json"), "%s: %s", routes[i].line, last);
	}
}
END_TEST

START_TEST(readiness_says_why_not)
{
	not_ready_text = "the store is not open yet";
	ck_assert_int_eq(ask("GET /readyz", "", "%s", ""), 503);
	ck_assert(said("the store is not open yet"));
	ck_assert(said("Retry-After"));
	ck_assert_int_eq(ask("GET /healthz", "", "%s", ""), 200);
}
END_TEST

START_TEST(reload_changes_what_begins_now)
{
	struct gan_config next = conf;
	struct gan_conf_source other[] = { sources[0] };

	next.refs = 1;
	next.sources = other;
	next.nsources = 1;
	other[0].secrets[0].bytes = (char[]){ "another-secret" };
	other[0].secrets[0].len = 14;
	next.public.max_body = 5;
	ck_assert_int_eq(hook(BODY, ""), 200);
	ck_assert_int_eq(gan_inbound_reload(inbound, &next, &err), GAN_OK);
	ck_assert_int_eq(hook(BODY, ""), 413);
	ck_assert_int_eq(hook("[]", ""), 401);
	ck_assert_int_eq(ask("POST /v1/events/erp/a", "{}", AUTH TYPE), 401);
	/* A bad one changes nothing. */
	struct gan_config bad = conf;

	bad.refs = 1;
	bad.public.address.port = 1;
	ck_assert_int_eq(gan_inbound_reload(inbound, &bad, &err), GAN_ECONFIG);
	bad.public.address.port = 0;
	bad.sources = other;
	bad.nsources = 1;
	other[0].secrets[0].len = 0;
	ck_assert_int_eq(gan_inbound_reload(inbound, &bad, &err), GAN_EINVAL);
	ck_assert_uint_eq(bad.refs, 1);
	ck_assert_int_eq(hook("[]", ""), 401);
	ck_assert_int_eq(gan_inbound_reload(inbound, &conf, &err), GAN_OK);
	ck_assert_int_eq(hook(BODY, ""), 200);
	ck_assert_uint_eq(next.refs, 1);
}
END_TEST

static int drained, drain_status;

static void
on_drained(void *arg)
{
	(void)arg;
	drained = 1;
}

static void
post_and_wait(void *arg)
{
	int fd = talk_connect(gan_inbound_port(inbound));
	char *answer;

	(void)arg;
	(void)talk_send(fd, keyed, sizeof(keyed) - 1);
	answer = talk_read_all(fd);
	drain_status = talk_status(answer);
	free(answer);
	(void)close(fd);
}

static uv_timer_t step;

static void
drain_when_held(uv_timer_t *t)
{
	if (store.njobs == 0)
		return;
	(void)uv_timer_stop(t);
	uv_close((uv_handle_t *)t, NULL);
	gan_inbound_drain(inbound, 5000, on_drained, NULL);
	store.hold = false;
	(void)uv_idle_start(&store.commit, on_commit);
}

START_TEST(drain_waits_for_the_commit)
{
	store.hold = true;
	(void)uv_timer_init(&loop, &step);
	(void)uv_timer_start(&step, drain_when_held, 5, 5);
	talk_run(&loop, post_and_wait, NULL);
	talk_wait(&loop, &drained);
	ck_assert_int_eq(drain_status, 202);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("inbound");
	TCase *tc = tcase_create("inbound");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, routes_are_exact);
	tcase_add_test(tc, readiness_says_why_not);
	tcase_add_test(tc, reload_changes_what_begins_now);
	tcase_add_test(tc, drain_waits_for_the_commit);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

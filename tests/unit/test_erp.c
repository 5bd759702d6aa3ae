/* SPDX-License-Identifier: MIT */
/* test_erp.c - POST /v1/events/{source}/{topic} and GET /v1/events/{id}. */
#include "inbound_help.h"

START_TEST(a_post_is_stored)
{
	char id[GAN_ID_LEN], where[64];

	ck_assert_int_eq(ask("POST /v1/events/erp/pallet.cancelled", "{\"sscc\":1}",
			     AUTH "content-type: Application/JSON; charset=utf-8\r\n"),
	    202);
	gan_id_format(GAN_ID_EVENT, job_id(0), id);
	(void)snprintf(where, sizeof(where), "Location: /v1/events/%s\r\n", id);
	ck_assert(said(where));
	ck_assert(said("\"status\":\"accepted\""));
	ck_assert_str_eq(job()->in.topic, "pallet.cancelled");
	ck_assert_str_eq(job()->in.source, "erp");
	ck_assert_int_eq(job()->in.dedupe, GAN_DEDUPE_NONE);
	ck_assert_int_eq(
	    ask("POST /v1/events/erp/a", "{}", "Authorization: bearer  plant-token-2\r\n" TYPE),
	    202);
}
END_TEST

START_TEST(posts_are_refused_with_a_reason)
{
	static const struct {
		const char *line, *body, *headers;
		int status;
		const char *says;
	} cases[] = {
		{ "POST /v1/events/erp/a", "{}", TYPE, 401, "WWW-Authenticate: Bearer" },
		{ "POST /v1/events/erp/a", "{}", TYPE "Authorization: Bearer\r\n", 401, NULL },
		{ "POST /v1/events/erp/a", "{}", TYPE "Authorization: Bearer plant-token\r\n", 401,
		    NULL },
		{ "POST /v1/events/erp/a", "{}", TYPE "Authorization: Bearer plant-token-11\r\n",
		    401, NULL },
		{ "POST /v1/events/erp/a", "{}", TYPE "Authorization: Bearer plant-token-1 x\r\n",
		    401, NULL },
		{ "POST /v1/events/erp/a", "{}", TYPE "Authorization: Basic " TOKEN "\r\n", 401,
		    NULL },
		{ "POST /v1/events/erp/a", "{}", TYPE "Authorization: " TOKEN "\r\n", 401, NULL },
		{ "POST /v1/events/nobody/a", "{}", TYPE, 401, NULL },
		{ "POST /v1/events/nobody/a", "{}", AUTH TYPE, 404, NULL },
		{ "POST /v1/events/prodsmart/a", "{}", AUTH TYPE, 404, NULL },
		{ "POST /v1/events/lab/a", "{}", AUTH TYPE, 403, "/problems/wrong-source" },
		{ "POST /v1/events/erp/A", "{}", AUTH TYPE, 400, "/problems/bad-topic" },
		{ "POST /v1/events/erp/a_b", "{}", AUTH TYPE, 400, NULL },
		{ "POST /v1/events/erp/a", "{}", AUTH, 415, "application/json" },
		{ "POST /v1/events/erp/a", "{}", AUTH "Content-Type: text/json\r\n", 415, NULL },
		{ "POST /v1/events/erp/a", "{\"a\":1,}", AUTH TYPE, 400,
		    "line 1 column 8: expected" },
		{ "POST /v1/events/erp/a", "", AUTH TYPE, 400, "/problems/bad-body" },
		{ "POST /v1/events/erp/a", "{}", AUTH TYPE "Idempotency-Key: \r\n", 400,
		    "/problems/bad-idempotency-key" },
		{ "POST /v1/events/erp/a", "{}", AUTH TYPE "Idempotency-Key: caf\xc3\xa9\r\n", 400,
		    NULL },
		{ "POST /v1/events/erp/a", "{}", AUTH TYPE "Content-Encoding: gzip\r\n", 415,
		    NULL },
	};

	for (size_t i = 0; i < GAN_COUNT(cases); i++) {
		int status = ask(cases[i].line, cases[i].body, "%s", cases[i].headers);

		ck_assert_msg(status == cases[i].status, "case %zu: %s", i, last);
		ck_assert_msg(said("application/problem+json"), "case %zu: %s", i, last);
		if (cases[i].says != NULL)
			ck_assert_msg(said(cases[i].says), "case %zu: %s", i, last);
		ck_assert_msg(!said("plant-token"), "case %zu: %s", i, last);
	}
	ck_assert_uint_eq(store.njobs, 0);
	char long_key[300];

	memset(long_key, 'k', 256);
	long_key[256] = '\0';
	ck_assert_int_eq(
	    ask("POST /v1/events/erp/a", "{}", AUTH TYPE "Idempotency-Key: %s\r\n", long_key), 400);
	long_key[255] = '\0';
	ck_assert_int_eq(
	    ask("POST /v1/events/erp/a", "{}", AUTH TYPE "Idempotency-Key: %s\r\n", long_key), 202);
}
END_TEST

/* base64 of "sap user:pass:word", of "sap user:another"; of "sap user:pass", of "erp:plant-token-1"
 */
#define SAP_1 "Authorization: Basic c2FwIHVzZXI6cGFzczp3b3Jk\r\n"
#define SAP_2 "authorization: basic  c2FwIHVzZXI6YW5vdGhlcg== \r\n"

START_TEST(basic_is_for_those_who_only_know_it)
{
	static const char *const wrong[] = { "Basic c2FwIHVzZXI6cGFzcw==", "Basic",
		"Basic ZXJwOnBsYW50LXRva2VuLTE=", "Bearer c2FwIHVzZXI6cGFzczp3b3Jk",
		"Bearer pass:word", "Basic c2FwIHVzZXI6cGFzczp3b3Jk x",
		"Digest c2FwIHVzZXI6cGFzczp3b3Jk", "Basic plant-token-1" };

	ck_assert_int_eq(ask("POST /v1/events/sap/a", "{}", SAP_1 TYPE), 202);
	ck_assert(strstr(job()->in.meta, "\"password\":1") != NULL);
	ck_assert_int_eq(ask("POST /v1/events/sap/a", "{}", SAP_2 TYPE), 202);
	ck_assert(strstr(job()->in.meta, "\"password\":2") != NULL);
	ck_assert_str_eq(job()->in.source, "sap");
	ck_assert_int_eq(ask("POST /v1/events/erp/a", "{}", SAP_1 TYPE), 403);
	ck_assert_int_eq(ask("POST /v1/events/sap/a", "{}", AUTH TYPE), 403);
	for (size_t i = 0; i < GAN_COUNT(wrong); i++) {
		int status =
		    ask("POST /v1/events/sap/a", "{}", TYPE "Authorization: %s\r\n", wrong[i]);

		ck_assert_msg(status == 401, "%s: %s", wrong[i], last);
		ck_assert(
		    said("WWW-Authenticate: Bearer realm=\"gantry\", Basic realm=\"gantry\""));
	}
	ck_assert_uint_eq(store.njobs, 2);
}
END_TEST

START_TEST(keys_make_repeats_harmless)
{
	unsigned char first[16];

	ck_assert_int_eq(
	    ask("POST /v1/events/erp/a", "{}", AUTH TYPE "Idempotency-Key: order 7\r\n"), 202);
	ck_assert_int_eq(job()->in.dedupe, GAN_DEDUPE_IDEMPOTENCY);
	ck_assert(!said("Idempotent-Replayed"));
	memcpy(first, job()->in.hash, 16);
	store.verdict = GAN_INGEST_DUPLICATE;
	ck_assert_int_eq(
	    ask("POST /v1/events/erp/a", "{}", AUTH TYPE "Idempotency-Key:  order 7 \r\n"), 202);
	ck_assert(said("Idempotent-Replayed: true"));
	ck_assert_mem_eq(job()->in.hash, first, 16);
	store.verdict = GAN_INGEST_CONFLICT;
	ck_assert_int_eq(
	    ask("POST /v1/events/erp/a", "[]", AUTH TYPE "Idempotency-Key: order 7\r\n"), 422);
	ck_assert(said("/problems/key-reused"));
	ck_assert_mem_eq(job()->in.hash, first, 16);
	/* The same key of another sender is another key. */
	store.verdict = GAN_INGEST_STORED;
	ck_assert_int_eq(
	    ask("POST /v1/events/lab/a", "{}",
		"Authorization: Bearer lab-token\r\n" TYPE "Idempotency-Key: order 7\r\n"),
	    202);
	ck_assert_mem_ne(job()->in.hash, first, 16);
}
END_TEST

static void
first_and_second(void *arg)
{
	unsigned port = gan_inbound_port(inbound);
	int *status = arg, a = talk_connect(port), b;
	char *answer;

	(void)talk_send(a, keyed, sizeof(keyed) - 1);
	while (__atomic_load_n(&store.njobs, __ATOMIC_ACQUIRE) == 0)
		(void)sched_yield();
	b = talk_connect(port);
	(void)talk_send(b, keyed, sizeof(keyed) - 1);
	answer = talk_read_all(b);
	status[1] = talk_status(answer);
	free(answer);
	(void)close(b);
	__atomic_store_n(&store.hold, false, __ATOMIC_RELEASE);
	(void)close(a);
}

START_TEST(the_same_key_twice_at_a_time)
{
	int status[2] = { 0 };

	store.hold = true;
	talk_run(&loop, first_and_second, status);
	ck_assert_int_eq(status[1], 409);
	ck_assert_uint_eq(store.njobs, 1);
	/* The first client is gone; its job ends all the same, and frees the key. */
	commit_all();
	ck_assert_int_eq(
	    ask("POST /v1/events/erp/a", "{}", AUTH TYPE "Idempotency-Key: k\r\n"), 202);
}
END_TEST

START_TEST(events_are_shown_to_their_sender)
{
	char id[GAN_ID_LEN], line[64];

	gan_id_format(GAN_ID_EVENT, job_id(0), id);
	(void)snprintf(line, sizeof(line), "GET /v1/events/%s", id);
	ck_assert_int_eq(ask(line, "", AUTH), 200);
	ck_assert(said("\r\n\r\n{\"id\":\"x\"}"));
	ck_assert_str_eq(job()->event_id, id);
	ck_assert_str_eq(job()->source, "erp");
	ck_assert_int_eq(ask(line, "", "Authorization: Bearer lab-token\r\n"), 200);
	ck_assert_str_eq(job()->source, "lab");
	ck_assert_int_eq(ask(line, "", "%s", ""), 401);
	store.rc = GAN_ENOENT;
	ck_assert_int_eq(ask(line, "", AUTH), 404);
	store.rc = GAN_ESTORE;
	ck_assert_int_eq(ask(line, "", AUTH), 503);
	ck_assert_int_eq(ask("GET /v1/events/d0000000000000", "", AUTH), 404);
	ck_assert_int_eq(ask("GET /v1/events/x", "", AUTH), 404);
}
END_TEST

static void
drained(void *arg)
{
	(void)arg;
}

/* The request is posted, and the store has committed it. */
static void
until_watched(size_t n)
{
	while (store.nwatches < n)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
}

static char *
talk_later(const char *raw, int outcome)
{
	int fd = talk_connect(gan_inbound_port(inbound));
	char *answer;

	(void)talk_send(fd, raw, strlen(raw));
	until_watched(1);
	outcome_all(outcome);
	for (int i = 0; i < 200; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	answer = talk_read_all(fd);
	(void)close(fd);
	return answer;
}

#define POST_WAIT(prefer)                                                                          \
	"POST /v1/events/erp/a HTTP/1.1\r\nHost: a\r\n" AUTH TYPE "Prefer: " prefer                \
	"\r\nContent-Length: 2\r\n\r\n{}"

START_TEST(who_waits_gets_the_outcome)
{
	free(last);
	last = talk_later(POST_WAIT("respond-async, wait=10"), GAN_OK);
	ck_assert_int_eq(talk_status(last), 200);
	ck_assert(said("Preference-Applied: wait=10\r\n"));
	ck_assert(said("Location: /v1/events/e"));
	ck_assert(said("\r\n\r\n{\"over\":1}"));
	store.verdict = GAN_INGEST_DUPLICATE;
	free(last);
	last = talk_later(POST_WAIT("WAIT = 99 ;x=1"), GAN_OK);
	ck_assert(said("Preference-Applied: wait=20\r\n"));
	ck_assert(said("Idempotent-Replayed: true\r\n"));
	/* It did not come in time. */
	free(last);
	last = talk_later(POST_WAIT("wait=10"), GAN_EBUSY);
	ck_assert_int_eq(talk_status(last), 202);
	ck_assert(said("Preference-Applied: wait=10\r\n"));
	ck_assert(said("\"status\":\"accepted\""));
}
END_TEST

START_TEST(who_cannot_wait_is_answered_at_once)
{
	static const char *const none[] = { "wait=0", "wait=", "wait", "wait=x", "wait=1x",
		"wait=-1", "waiter=3", "respond-async", "", "wait=\"3\"", ",,;", "wait 3" };

	for (size_t i = 0; i < GAN_COUNT(none); i++) {
		ck_assert_int_eq(
		    ask("POST /v1/events/erp/a", "{}", AUTH TYPE "Prefer: %s\r\n", none[i]), 202);
		ck_assert_msg(!said("Preference-Applied"), "%s", none[i]);
		ck_assert_msg(store.nwatches == 0, "%s", none[i]);
	}
	/* Too many do. */
	store.refuse_watch = GAN_EBUSY;
	ck_assert_int_eq(ask("POST /v1/events/erp/a", "{}", AUTH TYPE "Prefer: wait=9\r\n"), 202);
	ck_assert(!said("Preference-Applied"));
}
END_TEST

START_TEST(a_wait_ends_by_the_clock_and_by_a_drain)
{
	int fd;

	ck_assert_int_eq(ask("POST /v1/events/erp/a", "{}", AUTH TYPE "Prefer: wait=1\r\n"), 202);
	ck_assert(said("Preference-Applied: wait=1\r\n"));
	outcome_all(GAN_OK); /* too late: nobody is there */
	fd = talk_connect(gan_inbound_port(inbound));
	(void)talk_send(fd, POST_WAIT("wait=20"), strlen(POST_WAIT("wait=20")));
	until_watched(1);
	gan_inbound_drain(inbound, 10000, drained, NULL);
	for (int i = 0; i < 200; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	free(last);
	last = talk_read_all(fd);
	ck_assert_int_eq(talk_status(last), 202);
	(void)close(fd);
}
END_TEST

START_TEST(keys_are_looked_for)
{
	static const struct {
		const char *query;
		int status;
		const char *says;
	} cases[] = {
		{ "", 400, "?key=KEY" },
		{ "?", 400, "?key=KEY" },
		{ "?key=", 400, "?key=KEY" },
		{ "?key", 400, "has no value" },
		{ "?key=a&key=b", 400, "twice" },
		{ "?key=a%2", 400, "two hex digits" },
		{ "?key=a%zz", 400, "two hex digits" },
		{ "?key=a%00", 400, "control" },
		{ "?key=%ff", 400, "UTF-8" },
		{ "?key=a&colour=red", 400, "'colour' is not known" },
		{ "?key=a&limit=0", 400, "from 1 to 100" },
		{ "?key=a&limit=101", 400, "from 1 to 100" },
		{ "?key=a&limit=1e1", 400, "from 1 to 100" },
		{ "?key=a&before=e0000000000001", 400, "'next'" },
		{ "?key=po%2F1+2%2b&limit=7&before=d0000000000001", 200, "{\"id\":\"x\"}" },
		{ "?&key=%C3%A9", 200, NULL },
	};
	char line[300], key[250];

	for (size_t i = 0; i < GAN_COUNT(cases); i++) {
		(void)snprintf(line, sizeof(line), "GET /v1/objects%s", cases[i].query);
		ck_assert_msg(ask(line, "", AUTH) == cases[i].status, "%s: %s", line, last);
		if (cases[i].says != NULL)
			ck_assert_msg(said(cases[i].says), "%s: %s", line, last);
		if (cases[i].status == 400)
			ck_assert_msg(said("/problems/bad-parameter"), "%s: %s", line, last);
	}
	ck_assert_str_eq(job()->event_id, "\xc3\xa9");
	ck_assert_str_eq(store.jobs[store.njobs - 2].event_id, "po/1 2+");
	ck_assert_uint_eq(store.jobs[store.njobs - 2].q.limit, 7);
	ck_assert_int_eq(job()->q.kind, GAN_QUERY_OBJECT);
	ck_assert_str_eq(job()->source, "erp");
	memset(key, 'k', 201);
	key[201] = '\0';
	(void)snprintf(line, sizeof(line), "GET /v1/objects?key=%s", key);
	ck_assert_int_eq(ask(line, "", AUTH), 400);
	key[200] = '\0';
	(void)snprintf(line, sizeof(line), "GET /v1/objects?key=%s", key);
	ck_assert_int_eq(ask(line, "", AUTH), 200);
	ck_assert_int_eq(ask(line, "", "Authorization: Bearer lab-token\r\n"), 200);
	ck_assert_str_eq(job()->source, "lab");
	ck_assert_int_eq(ask(line, "", "%s", ""), 401);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("erp");
	TCase *tc = tcase_create("erp");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_post_is_stored);
	tcase_add_test(tc, posts_are_refused_with_a_reason);
	tcase_add_test(tc, basic_is_for_those_who_only_know_it);
	tcase_add_test(tc, keys_make_repeats_harmless);
	tcase_add_test(tc, the_same_key_twice_at_a_time);
	tcase_add_test(tc, events_are_shown_to_their_sender);
	tcase_add_test(tc, who_waits_gets_the_outcome);
	tcase_add_test(tc, who_cannot_wait_is_answered_at_once);
	tcase_add_test(tc, a_wait_ends_by_the_clock_and_by_a_drain);
	tcase_add_test(tc, keys_are_looked_for);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
